// Attention: one entry per direction that chooses the kernel by type. Scores are never kept:
// backward computes them again from the logarithms that forward left. Any thread.
#pragma once

#include <cstddef>

#include "engine/backend/cpu/plain_attention.h"

namespace wiregrad::cpu {

/// Numbers of working memory that the float kernels need at `space`.
std::size_t attention_forward_space(const AttentionGeometry& g);
std::size_t attention_backward_space(const AttentionGeometry& g);

void attention_forward(const AttentionGeometry& g, const AttentionForward<float>& a, float* space);
void attention_forward(const AttentionGeometry& g, const AttentionForward<double>& a,
                       double* space);
void attention_backward(const AttentionGeometry& g, const AttentionBackward<float>& a,
                        float* space);
void attention_backward(const AttentionGeometry& g, const AttentionBackward<double>& a,
                        double* space);

} // namespace wiregrad::cpu

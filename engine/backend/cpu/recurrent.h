// Recurrent layers: one entry per direction that chooses the kernel by type. Any thread.
#pragma once

#include <cstddef>

#include "engine/backend/cpu/plain_recurrent.h"

namespace wiregrad::cpu {

/// Numbers of working memory that the float kernels need at `space`.
std::size_t recurrent_forward_space(const RecurrentGeometry& g);
std::size_t recurrent_backward_space(const RecurrentGeometry& g);

/// Row t, n of `saved` also holds W x before the gates are computed. For a plain RNN, y does.
void recurrent_forward(const RecurrentGeometry& g, const RecurrentForward<float>& a, float* space);
void recurrent_forward(const RecurrentGeometry& g, const RecurrentForward<double>& a,
                       double* space);
void recurrent_backward(const RecurrentGeometry& g, const RecurrentBackward<float>& a,
                        float* space);
void recurrent_backward(const RecurrentGeometry& g, const RecurrentBackward<double>& a,
                        double* space);

} // namespace wiregrad::cpu

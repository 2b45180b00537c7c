// Softmax and cross entropy: one entry each that chooses the kernel by shape and type. Any thread.
#pragma once

#include "engine/backend/cpu/geometry.h"
#include "engine/backend/cpu/plain_softmax.h"

namespace wiregrad::cpu {

using plain::CrossEntropyCall;

void softmax_forward(const AxisGeometry& g, bool logarithm, const float* x, float* y);
void softmax_forward(const AxisGeometry& g, bool logarithm, const double* x, double* y);
void softmax_backward(const AxisGeometry& g, bool logarithm, const float* gy, const float* y,
                      float* gx);
void softmax_backward(const AxisGeometry& g, bool logarithm, const double* gy, const double* y,
                      double* gx);
/// As plain::cross_entropy.
double cross_entropy(const CrossEntropyCall& call, const float* x, const std::int64_t* target,
                     const float* weight, float* loss, float* gx, float* pull);
double cross_entropy(const CrossEntropyCall& call, const double* x, const std::int64_t* target,
                     const double* weight, double* loss, double* gx, double* pull);

} // namespace wiregrad::cpu

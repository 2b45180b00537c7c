// The slow truth of softmax and cross entropy, in float and double, sums in double. Oracle in
// tests, float64 path. Any thread.
#pragma once

#include "engine/backend/cpu/geometry.h"

namespace wiregrad::cpu::plain {

template <class T> void softmax_forward(const AxisGeometry& g, bool logarithm, const T* x, T* y);
/// From the output y of softmax (or log_softmax when `logarithm`).
template <class T>
void softmax_backward(const AxisGeometry& g, bool logarithm, const T* gy, const T* y, T* gx);

/// Cross entropy with class indices: samples are (outer, inner), classes are the axis.
struct CrossEntropyCall {
    AxisGeometry axis;
    std::int64_t ignore_index = -100;
    double label_smoothing = 0;
    bool mean = false; ///< divide by the sum of the weights of the samples that count
};
/// loss: per sample, already divided when `mean`. gx: gradient of the sum of `loss`. pull: per
/// sample, the factor s of gx = s * softmax(x) - target. Returns the divisor (0 when no sample
/// counts). Labels must have been checked.
template <class T>
double cross_entropy(const CrossEntropyCall& call, const T* x, const std::int64_t* target,
                     const T* weight, T* loss, T* gx, T* pull);

} // namespace wiregrad::cpu::plain

// The slow truth of convolution: plain loops in float and double, sums in double, every stride,
// padding, dilation, group. Oracle in tests, float64 path, fallback where no fast kernel serves a
// shape. Any thread.
#pragma once

#include "engine/backend/cpu/geometry.h"

namespace wiregrad::cpu::plain {

/// y = x * w + bias; bias may be null.
template <class T>
void conv_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y);
/// gx = d(y)/d(x) applied to gy: also the forward of the transposed convolution.
template <class T> void conv_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx);
/// gw, and gbias when it is not null.
template <class T>
void conv_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T* gbias);

} // namespace wiregrad::cpu::plain

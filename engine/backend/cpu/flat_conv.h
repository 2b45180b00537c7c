// Own float32 convolution on flat images (simd.h): any stride, padding, dilation and groups, no
// blocked layout needed. The result does not depend on the number of threads. Any thread.
#pragma once

#include "engine/backend/cpu/geometry.h"

namespace wiregrad::cpu {

void flat_conv_forward(const ConvGeometry& g, const float* x, const float* w, const float* bias,
                       float* y);
void flat_conv_input_grad(const ConvGeometry& g, const float* gy, const float* w, float* gx);
void flat_conv_weight_grad(const ConvGeometry& g, const float* x, const float* gy, float* gw,
                           float* gbias);

} // namespace wiregrad::cpu

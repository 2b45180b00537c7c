// Convolutions: one entry per direction that chooses the kernel by shape and type (never by timing
// trials). Any thread.
#pragma once

#include "engine/backend/cpu/geometry.h"

namespace wiregrad::cpu {

/// y = x * w + bias; bias may be null.
void conv_forward(const ConvGeometry& g, const float* x, const float* w, const float* bias,
                  float* y);
void conv_forward(const ConvGeometry& g, const double* x, const double* w, const double* bias,
                  double* y);
void conv_input_grad(const ConvGeometry& g, const float* gy, const float* w, float* gx);
void conv_input_grad(const ConvGeometry& g, const double* gy, const double* w, double* gx);
/// gbias may be null.
void conv_weight_grad(const ConvGeometry& g, const float* x, const float* gy, float* gw,
                      float* gbias);
void conv_weight_grad(const ConvGeometry& g, const double* x, const double* gy, double* gw,
                      double* gbias);

} // namespace wiregrad::cpu

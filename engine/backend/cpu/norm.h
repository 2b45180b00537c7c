// Batch and layer normalisation: one entry each that chooses the kernel by type. Any thread.
#pragma once

#include "engine/backend/cpu/geometry.h"

namespace wiregrad::cpu {

void batch_norm_moments(const BatchNormGeometry& g, const float* x, double* mean, double* variance);
void batch_norm_moments(const BatchNormGeometry& g, const double* x, double* mean,
                        double* variance);
void batch_norm_apply(const BatchNormGeometry& g, const float* x, const float* mean,
                      const float* inv_std, const float* weight, const float* bias, float* y);
void batch_norm_apply(const BatchNormGeometry& g, const double* x, const double* mean,
                      const double* inv_std, const double* weight, const double* bias, double* y);
void batch_norm_backward(const BatchNormGeometry& g, bool training, const float* gy, const float* x,
                         const float* mean, const float* inv_std, const float* weight, float* gx,
                         float* gweight, float* gbias);
void batch_norm_backward(const BatchNormGeometry& g, bool training, const double* gy,
                         const double* x, const double* mean, const double* inv_std,
                         const double* weight, double* gx, double* gweight, double* gbias);
void layer_norm_forward(const AxisGeometry& g, double eps, const float* x, const float* weight,
                        const float* bias, float* y, float* mean, float* inv_std);
void layer_norm_forward(const AxisGeometry& g, double eps, const double* x, const double* weight,
                        const double* bias, double* y, double* mean, double* inv_std);
void layer_norm_backward(const AxisGeometry& g, const float* gy, const float* x, const float* mean,
                         const float* inv_std, const float* weight, float* gx, float* gweight,
                         float* gbias);
void layer_norm_backward(const AxisGeometry& g, const double* gy, const double* x,
                         const double* mean, const double* inv_std, const double* weight,
                         double* gx, double* gweight, double* gbias);

} // namespace wiregrad::cpu

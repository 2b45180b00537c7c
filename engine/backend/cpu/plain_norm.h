// The slow truth of batch and layer normalisation, in float and double, sums in double.
// Oracle in tests, float64 path. Any thread.
#pragma once

#include "engine/backend/cpu/geometry.h"

namespace wiregrad::cpu::plain {

/// Mean and biased variance of each channel.
template <class T>
void batch_norm_moments(const BatchNormGeometry& g, const T* x, double* mean, double* variance);
/// y = (x - mean) * inv_std * weight + bias; weight and bias may be null (1 and 0).
template <class T>
void batch_norm_apply(const BatchNormGeometry& g, const T* x, const T* mean, const T* inv_std,
                      const T* weight, const T* bias, T* y);
/// Gradients of x, weight and bias. `training`: mean and variance depend on x.
template <class T>
void batch_norm_backward(const BatchNormGeometry& g, bool training, const T* gy, const T* x,
                         const T* mean, const T* inv_std, const T* weight, T* gx, T* gweight,
                         T* gbias);

/// Rows of `size` elements (inner is 1); mean and inv_std per row; weight and bias [size] may be
/// null.
template <class T>
void layer_norm_forward(const AxisGeometry& g, double eps, const T* x, const T* weight,
                        const T* bias, T* y, T* mean, T* inv_std);
template <class T>
void layer_norm_backward(const AxisGeometry& g, const T* gy, const T* x, const T* mean,
                         const T* inv_std, const T* weight, T* gx, T* gweight, T* gbias);

} // namespace wiregrad::cpu::plain

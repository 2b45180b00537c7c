// Pooling: one entry per direction that chooses the kernel by shape and type. Any thread.
#pragma once

#include "engine/backend/cpu/geometry.h"

namespace wiregrad::cpu {

void max_pool_forward(const PoolGeometry& g, const float* x, float* y, std::uint8_t* place);
void max_pool_forward(const PoolGeometry& g, const float* x, float* y, std::int32_t* place);
void max_pool_forward(const PoolGeometry& g, const double* x, double* y, std::uint8_t* place);
void max_pool_forward(const PoolGeometry& g, const double* x, double* y, std::int32_t* place);
void max_pool_backward(const PoolGeometry& g, const float* gy, const std::uint8_t* place,
                       float* gx);
void max_pool_backward(const PoolGeometry& g, const float* gy, const std::int32_t* place,
                       float* gx);
void max_pool_backward(const PoolGeometry& g, const double* gy, const std::uint8_t* place,
                       double* gx);
void max_pool_backward(const PoolGeometry& g, const double* gy, const std::int32_t* place,
                       double* gx);

} // namespace wiregrad::cpu

#include "engine/backend/cpu/pool.h"

#include "engine/backend/cpu/plain_pool.h"

namespace wiregrad::cpu {

void max_pool_forward(const PoolGeometry& g, const float* x, float* y, std::uint8_t* place) { plain::max_pool_forward(g, x, y, place); }
void max_pool_forward(const PoolGeometry& g, const float* x, float* y, std::int32_t* place) { plain::max_pool_forward(g, x, y, place); }
void max_pool_forward(const PoolGeometry& g, const double* x, double* y, std::uint8_t* place) { plain::max_pool_forward(g, x, y, place); }
void max_pool_forward(const PoolGeometry& g, const double* x, double* y, std::int32_t* place) { plain::max_pool_forward(g, x, y, place); }
void max_pool_backward(const PoolGeometry& g, const float* gy, const std::uint8_t* place, float* gx) { plain::max_pool_backward(g, gy, place, gx); }
void max_pool_backward(const PoolGeometry& g, const float* gy, const std::int32_t* place, float* gx) { plain::max_pool_backward(g, gy, place, gx); }
void max_pool_backward(const PoolGeometry& g, const double* gy, const std::uint8_t* place, double* gx) { plain::max_pool_backward(g, gy, place, gx); }
void max_pool_backward(const PoolGeometry& g, const double* gy, const std::int32_t* place, double* gx) { plain::max_pool_backward(g, gy, place, gx); }

} // namespace wiregrad::cpu

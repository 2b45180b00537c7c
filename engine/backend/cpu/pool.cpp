#include "engine/backend/cpu/pool.h"

#include "engine/backend/cpu/plain_pool.h"
#include "engine/backend/cpu/simd.h"
#include "engine/backend/cpu/team.h"

namespace wiregrad::cpu {

namespace {

bool halves(const PoolGeometry& g) {
    return g.kernel_h == 2 && g.kernel_w == 2 && g.stride_h == 2 && g.stride_w == 2 &&
           g.pad_h == 0 && g.pad_w == 0 && g.dilation_h == 1 && g.dilation_w == 1 &&
           g.in_h >= 2 * g.out_h && g.in_w >= 2 * g.out_w;
}

/// Calls body(first, count) on each thread's share of the planes.
template <class Body> void share_planes(const PoolGeometry& g, Body body) {
    const int threads = team(static_cast<double>(g.planes * g.in_h * g.in_w));
#pragma omp parallel num_threads(threads)
    {
        const std::int64_t parts = omp_get_num_threads(), part = omp_get_thread_num();
        const std::int64_t first = g.planes * part / parts, last = g.planes * (part + 1) / parts;
        if (last > first) body(first, last - first);
    }
}

} // namespace

void max_pool_forward(const PoolGeometry& g, const float* x, float* y, std::uint8_t* place) {
    if (!halves(g)) return plain::max_pool_forward(g, x, y, place);
    const PoolKernels& kernels = pool_kernels();
    share_planes(g, [&](std::int64_t first, std::int64_t count) {
        const std::int64_t out = first * g.out_h * g.out_w;
        kernels.max_2x2(count, g.in_h, g.in_w, g.out_h, g.out_w, x + first * g.in_h * g.in_w,
                        y + out, place + out);
    });
}
void max_pool_forward(const PoolGeometry& g, const float* x, float* y, std::int32_t* place) {
    plain::max_pool_forward(g, x, y, place);
}
void max_pool_forward(const PoolGeometry& g, const double* x, double* y, std::uint8_t* place) {
    plain::max_pool_forward(g, x, y, place);
}
void max_pool_forward(const PoolGeometry& g, const double* x, double* y, std::int32_t* place) {
    plain::max_pool_forward(g, x, y, place);
}
void max_pool_backward(const PoolGeometry& g, const float* gy, const std::uint8_t* place,
                       float* gx) {
    if (!halves(g) || g.in_h != 2 * g.out_h || g.in_w != 2 * g.out_w)
        return plain::max_pool_backward(g, gy, place, gx);
    const PoolKernels& kernels = pool_kernels();
    share_planes(g, [&](std::int64_t first, std::int64_t count) {
        const std::int64_t out = first * g.out_h * g.out_w;
        kernels.max_2x2_backward(count, g.out_h, g.out_w, gy + out, place + out,
                                 gx + first * g.in_h * g.in_w);
    });
}
void max_pool_backward(const PoolGeometry& g, const float* gy, const std::int32_t* place,
                       float* gx) {
    plain::max_pool_backward(g, gy, place, gx);
}
void max_pool_backward(const PoolGeometry& g, const double* gy, const std::uint8_t* place,
                       double* gx) {
    plain::max_pool_backward(g, gy, place, gx);
}
void max_pool_backward(const PoolGeometry& g, const double* gy, const std::int32_t* place,
                       double* gx) {
    plain::max_pool_backward(g, gy, place, gx);
}

} // namespace wiregrad::cpu

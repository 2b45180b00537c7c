#include "engine/backend/cpu/plain_pool.h"

#include <algorithm>
#include <limits>

namespace wiregrad::cpu::plain {

namespace {

/// Windows of an average: [y0, y1) x [x0, x1) inside the plane, and the divisor.
struct Window {
    std::int64_t y0, y1, x0, x1, divisor;
};

Window average_window(const PoolGeometry& g, std::int64_t oy, std::int64_t ox) {
    const std::int64_t top = oy * g.stride_h - g.pad_h, left = ox * g.stride_w - g.pad_w;
    const std::int64_t bottom = std::min(top + g.kernel_h, g.in_h + g.pad_h),
                       right = std::min(left + g.kernel_w, g.in_w + g.pad_w);
    Window window{std::max<std::int64_t>(top, 0), std::min(bottom, g.in_h),
                  std::max<std::int64_t>(left, 0), std::min(right, g.in_w), 0};
    const std::int64_t inside = (window.y1 - window.y0) * (window.x1 - window.x0);
    window.divisor = g.count_include_pad ? (bottom - top) * (right - left) : inside;
    return window;
}

Window adaptive_window(const PoolGeometry& g, std::int64_t oy, std::int64_t ox) {
    auto begin = [](std::int64_t o, std::int64_t in, std::int64_t out) { return o * in / out; };
    auto end = [](std::int64_t o, std::int64_t in, std::int64_t out) {
        return ((o + 1) * in + out - 1) / out;
    };
    Window window{begin(oy, g.in_h, g.out_h), end(oy, g.in_h, g.out_h), begin(ox, g.in_w, g.out_w),
                  end(ox, g.in_w, g.out_w), 0};
    window.divisor = (window.y1 - window.y0) * (window.x1 - window.x0);
    return window;
}

template <class T, class F>
void average_forward(const PoolGeometry& g, const T* x, T* y, F window_at) {
#pragma omp parallel for schedule(static) if (g.planes * g.in_h * g.in_w > 65536)
    for (std::int64_t plane = 0; plane < g.planes; ++plane) {
        const T* source = x + plane * g.in_h * g.in_w;
        T* target = y + plane * g.out_h * g.out_w;
        for (std::int64_t oy = 0; oy < g.out_h; ++oy)
            for (std::int64_t ox = 0; ox < g.out_w; ++ox) {
                const Window w = window_at(g, oy, ox);
                double sum = 0;
                for (std::int64_t iy = w.y0; iy < w.y1; ++iy)
                    for (std::int64_t ix = w.x0; ix < w.x1; ++ix)
                        sum += static_cast<double>(source[iy * g.in_w + ix]);
                target[oy * g.out_w + ox] = static_cast<T>(sum / static_cast<double>(w.divisor));
            }
    }
}

template <class T, class F>
void average_backward(const PoolGeometry& g, const T* gy, T* gx, F window_at) {
#pragma omp parallel for schedule(static) if (g.planes * g.in_h * g.in_w > 65536)
    for (std::int64_t plane = 0; plane < g.planes; ++plane) {
        const T* source = gy + plane * g.out_h * g.out_w;
        T* target = gx + plane * g.in_h * g.in_w;
        std::fill_n(target, g.in_h * g.in_w, T(0));
        for (std::int64_t oy = 0; oy < g.out_h; ++oy)
            for (std::int64_t ox = 0; ox < g.out_w; ++ox) {
                const Window w = window_at(g, oy, ox);
                const T share = source[oy * g.out_w + ox] / static_cast<T>(w.divisor);
                for (std::int64_t iy = w.y0; iy < w.y1; ++iy)
                    for (std::int64_t ix = w.x0; ix < w.x1; ++ix)
                        target[iy * g.in_w + ix] += share;
            }
    }
}

/// Offset in the input plane of the window place `place` of output (oy, ox).
template <class I>
std::int64_t input_offset(const PoolGeometry& g, std::int64_t oy, std::int64_t ox, I place) {
    const std::int64_t ky = static_cast<std::int64_t>(place) / g.kernel_w,
                       kx = static_cast<std::int64_t>(place) % g.kernel_w;
    return (oy * g.stride_h - g.pad_h + ky * g.dilation_h) * g.in_w + ox * g.stride_w - g.pad_w +
           kx * g.dilation_w;
}

} // namespace

template <class T, class I>
void max_pool_forward(const PoolGeometry& g, const T* x, T* y, I* place) {
#pragma omp parallel for schedule(static) if (g.planes * g.in_h * g.in_w > 65536)
    for (std::int64_t plane = 0; plane < g.planes; ++plane) {
        const T* source = x + plane * g.in_h * g.in_w;
        for (std::int64_t oy = 0; oy < g.out_h; ++oy)
            for (std::int64_t ox = 0; ox < g.out_w; ++ox) {
                T best = -std::numeric_limits<T>::infinity();
                std::int64_t best_place = -1;
                for (std::int64_t ky = 0; ky < g.kernel_h; ++ky)
                    for (std::int64_t kx = 0; kx < g.kernel_w; ++kx) {
                        const std::int64_t iy = oy * g.stride_h - g.pad_h + ky * g.dilation_h;
                        const std::int64_t ix = ox * g.stride_w - g.pad_w + kx * g.dilation_w;
                        if (iy < 0 || iy >= g.in_h || ix < 0 || ix >= g.in_w) continue;
                        const T value = source[iy * g.in_w + ix];
                        if (best_place < 0 || value > best || value != value) {
                            best = value;
                            best_place = ky * g.kernel_w + kx;
                        }
                    }
                const std::int64_t at = (plane * g.out_h + oy) * g.out_w + ox;
                y[at] = best;
                place[at] = static_cast<I>(best_place);
            }
    }
}

template <class T, class I>
void max_pool_backward(const PoolGeometry& g, const T* gy, const I* place, T* gx) {
#pragma omp parallel for schedule(static) if (g.planes * g.in_h * g.in_w > 65536)
    for (std::int64_t plane = 0; plane < g.planes; ++plane) {
        T* target = gx + plane * g.in_h * g.in_w;
        std::fill_n(target, g.in_h * g.in_w, T(0));
        for (std::int64_t oy = 0; oy < g.out_h; ++oy)
            for (std::int64_t ox = 0; ox < g.out_w; ++ox) {
                const std::int64_t at = (plane * g.out_h + oy) * g.out_w + ox;
                target[input_offset(g, oy, ox, place[at])] += gy[at];
            }
    }
}

template <class T, class I>
void max_pool_gather(const PoolGeometry& g, const T* x, const I* place, T* y) {
#pragma omp parallel for schedule(static) if (g.planes * g.in_h * g.in_w > 65536)
    for (std::int64_t plane = 0; plane < g.planes; ++plane)
        for (std::int64_t oy = 0; oy < g.out_h; ++oy)
            for (std::int64_t ox = 0; ox < g.out_w; ++ox) {
                const std::int64_t at = (plane * g.out_h + oy) * g.out_w + ox;
                y[at] = x[plane * g.in_h * g.in_w + input_offset(g, oy, ox, place[at])];
            }
}

template <class T> void avg_pool_forward(const PoolGeometry& g, const T* x, T* y) {
    average_forward(g, x, y, average_window);
}
template <class T> void avg_pool_backward(const PoolGeometry& g, const T* gy, T* gx) {
    average_backward(g, gy, gx, average_window);
}
template <class T> void adaptive_avg_pool_forward(const PoolGeometry& g, const T* x, T* y) {
    average_forward(g, x, y, adaptive_window);
}
template <class T> void adaptive_avg_pool_backward(const PoolGeometry& g, const T* gy, T* gx) {
    average_backward(g, gy, gx, adaptive_window);
}

#define WIREGRAD_INSTANTIATE(T)                                                                    \
    template void max_pool_forward(const PoolGeometry&, const T*, T*, std::uint8_t*);              \
    template void max_pool_forward(const PoolGeometry&, const T*, T*, std::int32_t*);              \
    template void max_pool_backward(const PoolGeometry&, const T*, const std::uint8_t*, T*);       \
    template void max_pool_backward(const PoolGeometry&, const T*, const std::int32_t*, T*);       \
    template void max_pool_gather(const PoolGeometry&, const T*, const std::uint8_t*, T*);         \
    template void max_pool_gather(const PoolGeometry&, const T*, const std::int32_t*, T*);         \
    template void avg_pool_forward(const PoolGeometry&, const T*, T*);                             \
    template void avg_pool_backward(const PoolGeometry&, const T*, T*);                            \
    template void adaptive_avg_pool_forward(const PoolGeometry&, const T*, T*);                    \
    template void adaptive_avg_pool_backward(const PoolGeometry&, const T*, T*);
WIREGRAD_INSTANTIATE(float)
WIREGRAD_INSTANTIATE(double)
#undef WIREGRAD_INSTANTIATE

} // namespace wiregrad::cpu::plain

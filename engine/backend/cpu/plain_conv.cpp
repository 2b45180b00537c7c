#include "engine/backend/cpu/plain_conv.h"

#include <algorithm>
#include <vector>

namespace wiregrad::cpu::plain {

namespace {

/// Output positions [first, last) for which position * stride + offset lies in [0, size).
struct Range {
    std::int64_t first, last;
};
Range valid(std::int64_t offset, std::int64_t stride, std::int64_t size, std::int64_t outputs) {
    std::int64_t first = offset < 0 ? (-offset + stride - 1) / stride : 0;
    std::int64_t last = size - 1 - offset < 0 ? 0 : (size - 1 - offset) / stride + 1;
    first = std::min(first, outputs);
    last = std::clamp(last, first, outputs);
    return {first, last};
}

} // namespace

template <class T>
void conv_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y) {
    const std::int64_t planes = g.batch * g.out_channels;
#pragma omp parallel for schedule(static) if (g.flops() > 2e5)
    for (std::int64_t plane = 0; plane < planes; ++plane) {
        const std::int64_t n = plane / g.out_channels, oc = plane % g.out_channels,
                           group = oc / g.group_out();
        std::vector<double> sums(static_cast<std::size_t>(g.out_plane()),
                                 bias ? static_cast<double>(bias[oc]) : 0.0);
        for (std::int64_t ic = 0; ic < g.group_in(); ++ic)
            for (std::int64_t ky = 0; ky < g.kernel_h; ++ky)
                for (std::int64_t kx = 0; kx < g.kernel_w; ++kx) {
                    const double tap =
                        w[((oc * g.group_in() + ic) * g.kernel_h + ky) * g.kernel_w + kx];
                    const std::int64_t off_y = ky * g.dilation_h - g.pad_h,
                                       off_x = kx * g.dilation_w - g.pad_w;
                    const Range rows = valid(off_y, g.stride_h, g.in_h, g.out_h);
                    const Range cols = valid(off_x, g.stride_w, g.in_w, g.out_w);
                    const T* source =
                        x + (n * g.in_channels + group * g.group_in() + ic) * g.in_plane();
                    for (std::int64_t oy = rows.first; oy < rows.last; ++oy) {
                        const T* line = source + (oy * g.stride_h + off_y) * g.in_w + off_x;
                        double* sum = sums.data() + oy * g.out_w;
                        for (std::int64_t ox = cols.first; ox < cols.last; ++ox)
                            sum[ox] += tap * static_cast<double>(line[ox * g.stride_w]);
                    }
                }
        for (std::int64_t i = 0; i < g.out_plane(); ++i)
            y[plane * g.out_plane() + i] = static_cast<T>(sums[static_cast<std::size_t>(i)]);
    }
}

template <class T> void conv_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx) {
    const std::int64_t planes = g.batch * g.in_channels;
#pragma omp parallel for schedule(static) if (g.flops() > 2e5)
    for (std::int64_t plane = 0; plane < planes; ++plane) {
        const std::int64_t n = plane / g.in_channels, channel = plane % g.in_channels;
        const std::int64_t group = channel / g.group_in(), ic = channel % g.group_in();
        std::vector<double> sums(static_cast<std::size_t>(g.in_plane()), 0.0);
        for (std::int64_t oc = group * g.group_out(); oc < (group + 1) * g.group_out(); ++oc)
            for (std::int64_t ky = 0; ky < g.kernel_h; ++ky)
                for (std::int64_t kx = 0; kx < g.kernel_w; ++kx) {
                    const double tap =
                        w[((oc * g.group_in() + ic) * g.kernel_h + ky) * g.kernel_w + kx];
                    const std::int64_t off_y = ky * g.dilation_h - g.pad_h,
                                       off_x = kx * g.dilation_w - g.pad_w;
                    const Range rows = valid(off_y, g.stride_h, g.in_h, g.out_h);
                    const Range cols = valid(off_x, g.stride_w, g.in_w, g.out_w);
                    const T* source = gy + (n * g.out_channels + oc) * g.out_plane();
                    for (std::int64_t oy = rows.first; oy < rows.last; ++oy) {
                        double* line = sums.data() + (oy * g.stride_h + off_y) * g.in_w + off_x;
                        for (std::int64_t ox = cols.first; ox < cols.last; ++ox)
                            line[ox * g.stride_w] +=
                                tap * static_cast<double>(source[oy * g.out_w + ox]);
                    }
                }
        for (std::int64_t i = 0; i < g.in_plane(); ++i)
            gx[plane * g.in_plane() + i] = static_cast<T>(sums[static_cast<std::size_t>(i)]);
    }
}

template <class T>
void conv_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T* gbias) {
    const std::int64_t filters = g.out_channels * g.group_in();
#pragma omp parallel for schedule(static) if (g.flops() > 2e5)
    for (std::int64_t filter = 0; filter < filters; ++filter) {
        const std::int64_t oc = filter / g.group_in(), ic = filter % g.group_in(),
                           group = oc / g.group_out();
        for (std::int64_t ky = 0; ky < g.kernel_h; ++ky)
            for (std::int64_t kx = 0; kx < g.kernel_w; ++kx) {
                const std::int64_t off_y = ky * g.dilation_h - g.pad_h,
                                   off_x = kx * g.dilation_w - g.pad_w;
                const Range rows = valid(off_y, g.stride_h, g.in_h, g.out_h);
                const Range cols = valid(off_x, g.stride_w, g.in_w, g.out_w);
                double sum = 0;
                for (std::int64_t n = 0; n < g.batch; ++n) {
                    const T* input =
                        x + (n * g.in_channels + group * g.group_in() + ic) * g.in_plane();
                    const T* grad = gy + (n * g.out_channels + oc) * g.out_plane();
                    for (std::int64_t oy = rows.first; oy < rows.last; ++oy) {
                        const T* line = input + (oy * g.stride_h + off_y) * g.in_w + off_x;
                        for (std::int64_t ox = cols.first; ox < cols.last; ++ox)
                            sum += static_cast<double>(line[ox * g.stride_w]) *
                                   static_cast<double>(grad[oy * g.out_w + ox]);
                    }
                }
                gw[filter * g.taps() + ky * g.kernel_w + kx] = static_cast<T>(sum);
            }
    }
    if (gbias == nullptr) return;
    for (std::int64_t oc = 0; oc < g.out_channels; ++oc) {
        double sum = 0;
        for (std::int64_t n = 0; n < g.batch; ++n) {
            const T* grad = gy + (n * g.out_channels + oc) * g.out_plane();
            for (std::int64_t i = 0; i < g.out_plane(); ++i)
                sum += static_cast<double>(grad[i]);
        }
        gbias[oc] = static_cast<T>(sum);
    }
}

template void conv_forward(const ConvGeometry&, const float*, const float*, const float*, float*);
template void conv_forward(const ConvGeometry&, const double*, const double*, const double*,
                           double*);
template void conv_input_grad(const ConvGeometry&, const float*, const float*, float*);
template void conv_input_grad(const ConvGeometry&, const double*, const double*, double*);
template void conv_weight_grad(const ConvGeometry&, const float*, const float*, float*, float*);
template void conv_weight_grad(const ConvGeometry&, const double*, const double*, double*, double*);

} // namespace wiregrad::cpu::plain

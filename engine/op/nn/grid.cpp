// grid_sample: places to values, and both gradients. Each picture is read by one pass over the
// grid, so that sums are always in the same order.
#include <cmath>

#include "engine/op/grid_ops.h"
#include "engine/op/nn/common.h"
#include "engine/op/nn/rows.h"
#include "engine/op/ops.h"

namespace wiregrad {

namespace {

using namespace rows;

Metas grid_shape(const ShapeCall& call) {
    require_floating(call, {0, 1});
    const Shape &x = call.inputs[0].shape, &grid = call.inputs[1].shape;
    if (x.size() != 4 || grid.size() != 4 || grid.back() != 2)
        throw ShapeError(fmt::format("grid_sample: input [N, C, H, W] and grid [N, h, w, 2] are "
                                     "needed, got {} and {}",
                                     x.str(), grid.str()));
    if (x[0] != grid[0])
        throw ShapeError(fmt::format("grid_sample: input {} and grid {} have {} and {} samples",
                                     x.str(), grid.str(), x[0], grid[0]));
    if (x[2] == 0 || x[3] == 0)
        throw ShapeError(fmt::format("grid_sample: input {} has no pixels", x.str()));
    return {{Shape{x[0], x[1], grid[1], grid[2]}, call.inputs[0].dtype, call.inputs[0].device}};
}

/// A place along one dimension, and how it changes with the grid's number.
template <class T> struct Place { T at = 0, slope = 0; };

template <class T> class Reader {
  public:
    explicit Reader(const Attrs& attrs)
        : padding_(static_cast<GridPadding>(attrs.integer("padding_mode"))),
          align_(attrs.flag("align_corners")) {}

    Place<T> plain(T number, std::int64_t size) const {
        const T half = static_cast<T>(align_ ? size - 1 : size) / 2;
        return {align_ ? (number + 1) * half : (number + 1) * half - T(0.5), half};
    }
    /// Brought into the picture, where the padding says so.
    Place<T> inside(Place<T> place, std::int64_t size) const {
        if (padding_ == GridPadding::Reflection) {
            const T low = align_ ? T(0) : T(-0.5);
            const T span = static_cast<T>(align_ ? size - 1 : size);
            if (span == 0) return {0, 0};
            T away = place.at - low;
            if (away < 0) {
                away = -away;
                place.slope = -place.slope;
            }
            const T rest = std::fmod(away, span);
            const bool back = static_cast<std::int64_t>(std::floor(away / span)) % 2 != 0;
            place.at = back ? span - rest + low : rest + low;
            if (back) place.slope = -place.slope;
        }
        if (padding_ != GridPadding::Zeros) {
            const T last = static_cast<T>(size - 1);
            if (!(place.at > 0)) return {0, 0}; // NaN too
            if (place.at >= last) return {last, 0};
        }
        return place;
    }

  private:
    GridPadding padding_;
    bool align_;
};

/// The pixels that a place reads along one dimension: their weights and how these change with it.
template <class T> struct Taps {
    int count = 0;
    std::int64_t pixel[4] = {};
    T weight[4] = {}, slope[4] = {};
};

template <class T> T cubic_near(T x) { // |x| <= 1, a = -0.75
    return (T(1.25) * x - T(2.25)) * x * x + 1;
}
template <class T> T cubic_far(T x) { // 1 < |x| < 2
    return ((T(-0.75) * x + T(3.75)) * x - 6) * x + 3;
}
template <class T> T near_slope(T x) {
    return (T(3.75) * x - T(4.5)) * x;
}
template <class T> T far_slope(T x) {
    return (T(-2.25) * x + T(7.5)) * x - 6;
}

/// A pixel far outside reads nothing; conversions of huge numbers stay defined.
template <class T> std::int64_t pixel_of(T place) {
    constexpr T kFar = T(1 << 30);
    return place > -kFar && place < kFar ? static_cast<std::int64_t>(place) : -(1 << 30);
}

template <class T>
Taps<T> taps_of(const Reader<T>& reader, GridMode mode, T number, std::int64_t size) {
    Taps<T> taps;
    const Place<T> plain = reader.plain(number, size);
    if (mode == GridMode::Bicubic) {
        const T base = std::floor(plain.at), t = plain.at - base;
        const T weights[] = {cubic_far(t + 1), cubic_near(t), cubic_near(1 - t), cubic_far(2 - t)};
        const T slopes[] = {far_slope(t + 1), near_slope(t), -near_slope(1 - t), -far_slope(2 - t)};
        taps.count = 4;
        for (int k = 0; k < 4; ++k) {
            taps.pixel[k] = pixel_of(reader.inside({base + static_cast<T>(k - 1), 0}, size).at);
            taps.weight[k] = weights[k];
            taps.slope[k] = slopes[k] * plain.slope;
        }
        return taps;
    }
    const Place<T> place = reader.inside(plain, size);
    if (mode == GridMode::Nearest) {
        taps.count = 1;
        taps.pixel[0] = pixel_of(std::nearbyint(place.at));
        taps.weight[0] = 1;
        return taps;
    }
    const T base = std::floor(place.at), t = place.at - base;
    taps.count = 2;
    taps.pixel[0] = pixel_of(base);
    taps.pixel[1] = pixel_of(base + 1);
    taps.weight[0] = 1 - t;
    taps.weight[1] = t;
    taps.slope[0] = -place.slope;
    taps.slope[1] = place.slope;
    return taps;
}

/// Calls f(sample, output pixel, taps down, taps across) for each place of the grid.
template <class T, class F>
void each_place(const Attrs& attrs, const Tensor& x, const Tensor& grid, const F& f) {
    const auto mode = static_cast<GridMode>(attrs.integer("mode"));
    const Reader<T> reader(attrs);
    const T* numbers = grid.data<T>();
    const std::int64_t places = grid.size(1) * grid.size(2);
    for (std::int64_t n = 0; n < x.size(0); ++n)
        for (std::int64_t p = 0; p < places; ++p, numbers += 2)
            f(n, p, taps_of(reader, mode, numbers[1], x.size(2)),
              taps_of(reader, mode, numbers[0], x.size(3)));
}

/// Calls f(pixel of the plane, index down, index across) for the taps inside the picture.
template <class T, class F>
void each_tap(const Taps<T>& down, const Taps<T>& across, std::int64_t height, std::int64_t width,
              const F& f) {
    for (int i = 0; i < down.count; ++i)
        for (int k = 0; k < across.count; ++k)
            if (down.pixel[i] >= 0 && down.pixel[i] < height && across.pixel[k] >= 0 &&
                across.pixel[k] < width)
                f(down.pixel[i] * width + across.pixel[k], i, k);
}

void grid_kernel(const KernelCall& call) {
    const Tensor x = call.inputs[0].contiguous(), grid = call.inputs[1].contiguous();
    const std::int64_t channels = x.size(1), height = x.size(2), width = x.size(3),
                       plane = height * width, places = grid.size(1) * grid.size(2);
    by_float(x.dtype(), [&]<class T>(T) {
        const T* from = x.data<T>();
        T* into = call.outputs[0].data_mut<T>();
        each_place<T>(
            call.attrs, x, grid,
            [&](std::int64_t n, std::int64_t p, const Taps<T>& down, const Taps<T>& across) {
                for (std::int64_t c = 0; c < channels; ++c) {
                    const T* one = from + (n * channels + c) * plane;
                    T sum = 0;
                    each_tap(down, across, height, width, [&](std::int64_t pixel, int i, int k) {
                        sum += one[pixel] * down.weight[i] * across.weight[k];
                    });
                    into[(n * channels + c) * places + p] = sum;
                }
            });
    });
}

Metas backward_shape(const ShapeCall& call) { // gradient, x, grid
    require_floating(call, {0, 1, 2});
    return {call.inputs[1], call.inputs[2]};
}

void backward_kernel(const KernelCall& call) {
    const Tensor g = call.inputs[0].contiguous(), x = call.inputs[1].contiguous(),
                 grid = call.inputs[2].contiguous();
    const std::int64_t channels = x.size(1), height = x.size(2), width = x.size(3),
                       plane = height * width, places = grid.size(1) * grid.size(2);
    by_float(x.dtype(), [&]<class T>(T) {
        const T *grads = g.data<T>(), *from = x.data<T>();
        T *to_x = call.outputs[0].data_mut<T>(), *to_grid = call.outputs[1].data_mut<T>();
        std::fill_n(to_x, x.numel(), T(0));
        each_place<T>(
            call.attrs, x, grid,
            [&](std::int64_t n, std::int64_t p, const Taps<T>& down, const Taps<T>& across) {
                T dx = 0, dy = 0;
                for (std::int64_t c = 0; c < channels; ++c) {
                    const T grad = grads[(n * channels + c) * places + p];
                    const std::int64_t first = (n * channels + c) * plane;
                    each_tap(down, across, height, width, [&](std::int64_t pixel, int i, int k) {
                        to_x[first + pixel] += grad * down.weight[i] * across.weight[k];
                        dx += grad * from[first + pixel] * down.weight[i] * across.slope[k];
                        dy += grad * from[first + pixel] * down.slope[i] * across.weight[k];
                    });
                }
                to_grid[2 * (n * places + p)] = dx;
                to_grid[2 * (n * places + p) + 1] = dy;
            });
    });
}

Tensors grid_gradient(const GradCall& call) {
    static const Op& op = find_op("grid_sample_backward");
    const Tensor inputs[] = {call.grads[0], call.inputs[0], call.inputs[1]};
    return wiregrad::call(op, inputs, call.attrs);
}

} // namespace

std::span<const Op> grid_rows() {
    static const Op rows[] = {
        {.name = "grid_sample",
         .help = "y[n, c, i, j] = x[n, c] at the place grid[n, i, j]",
         .shape = grid_shape,
         .kernel = {grid_kernel},
         .gradient = grid_gradient,
         .saves = always<3>,
         .cost = per_input_element<8>},
        {.name = "grid_sample_backward",
         .help = "gradients of grid_sample for x and for the grid",
         .shape = backward_shape,
         .kernel = {backward_kernel},
         .cost = per_input_element<16>,
         .flags = kNoGrad,
         .visible_outputs = 2},
    };
    return rows;
}

Tensor grid_sample(const Tensor& x, const Tensor& grid, GridMode mode, GridPadding padding,
                   bool align_corners) {
    static const Op& op = find_op("grid_sample");
    const Tensor inputs[] = {x, grid};
    return call(op, inputs,
                {{"mode", static_cast<std::int64_t>(mode)},
                 {"padding_mode", static_cast<std::int64_t>(padding)},
                 {"align_corners", align_corners}})[0];
}

Tensor affine_grid(const Tensor& theta, const Dims& size, bool align_corners) {
    if (theta.dim() != 3 || theta.size(1) != 2 || theta.size(2) != 3 || size.size() != 4 ||
        size[0] != theta.size(0))
        throw ShapeError(fmt::format("affine_grid: theta [N, 2, 3] and size [N, C, h, w] are "
                                     "needed, got {} and {}",
                                     theta.shape().str(), size.str()));
    if (!is_floating(theta.dtype()))
        throw DTypeError(
            fmt::format("affine_grid: theta must be floating, got {}", name_of(theta.dtype())));
    const auto numbers = [&](std::int64_t count) {
        std::vector<double> values;
        for (std::int64_t i = 0; i < count; ++i) {
            const double even = static_cast<double>(2 * i + 1) / static_cast<double>(count) - 1;
            const double to_corner =
                count > 1 ? 2.0 * static_cast<double>(i) / static_cast<double>(count - 1) - 1 : 0;
            values.push_back(align_corners ? to_corner : even);
        }
        return values;
    };
    std::vector<double> places; // [h w, 3]
    const std::vector<double> xs = numbers(size[3]), ys = numbers(size[2]);
    for (const double y : ys)
        for (const double x : xs)
            places.insert(places.end(), {x, y, 1.0});
    const Tensor base = to(Tensor::from(places, Shape{size[2] * size[3], 3}), theta.dtype());
    return reshape(matmul(base, transpose(theta, 1, 2)), {size[0], size[2], size[3], 2});
}

} // namespace wiregrad

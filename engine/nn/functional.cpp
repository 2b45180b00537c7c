#include "engine/nn/functional.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "engine/core/error.h"

namespace wiregrad::nn {
namespace {

/// Options of a row as those of a picture of height 1.
PoolOptions flat(PoolOptions o) {
    o.kernel = {1, o.kernel[0]};
    o.stride = {1, o.stride[0]};
    o.padding = {0, o.padding[0]};
    o.dilation = {1, o.dilation[0]};
    return o;
}

/// A matrix [rows, columns] applied along dimension `dim` of x.
Tensor along(const Tensor& x, int dim, const std::vector<double>& matrix, std::int64_t rows) {
    const std::int64_t columns = x.size(dim);
    const Tensor m = to(Tensor::from(matrix, {rows, columns}), x.dtype());
    if (dim == x.dim() - 1) return matmul(x, transpose(m, 0, 1));
    Dims order;
    for (int d = 0; d < x.dim(); ++d)
        if (d != dim) order.push_back(d);
    order.push_back(dim);
    Dims back = order; // the inverse permutation
    for (int d = 0; d < order.size(); ++d)
        back[static_cast<int>(order[d])] = d;
    return permute(matmul(permute(x, order), transpose(m, 0, 1)), back);
}

struct Bin {
    std::int64_t begin, end;
};
Bin bin_of(std::int64_t index, std::int64_t size, std::int64_t bins) {
    return {index * size / bins, ((index + 1) * size + bins - 1) / bins};
}

double cubic(double t) { // Keys' kernel with a = -0.75, as PyTorch's
    constexpr double kA = -0.75;
    t = std::abs(t);
    if (t <= 1) return ((kA + 2) * t - (kA + 3)) * t * t + 1;
    if (t < 2) return ((kA * t - 5 * kA) * t + 8 * kA) * t - 4 * kA;
    return 0;
}

/// Weights of the `in` samples for each of `out` places.
std::vector<double> resampling(std::int64_t in, std::int64_t out, Interpolation mode, bool align,
                               std::optional<double> scale) {
    std::vector<double> matrix(static_cast<std::size_t>(in * out), 0.0);
    const double step =
        align   ? (out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0.0)
        : scale ? 1 / *scale
                : static_cast<double>(in) / static_cast<double>(out);
    for (std::int64_t i = 0; i < out; ++i) {
        const auto put = [&](std::int64_t j, double weight) {
            const std::int64_t inside = std::clamp<std::int64_t>(j, 0, in - 1);
            matrix[static_cast<std::size_t>(i * in + inside)] += weight;
        };
        const auto place = static_cast<double>(i);
        if (mode == Interpolation::Area) {
            const Bin bin = bin_of(i, in, out);
            for (std::int64_t j = bin.begin; j < bin.end; ++j)
                put(j, 1 / static_cast<double>(bin.end - bin.begin));
            continue;
        }
        double x = align ? place * step : (place + 0.5) * step - 0.5;
        if (mode == Interpolation::Linear && !align) x = std::max(x, 0.0);
        const auto left = static_cast<std::int64_t>(std::floor(x));
        const double part = x - static_cast<double>(left);
        if (mode == Interpolation::Linear) {
            put(left, 1 - part);
            put(left + 1, part);
        } else {
            for (std::int64_t k = -1; k <= 2; ++k)
                put(left + k, cubic(part - static_cast<double>(k)));
        }
    }
    return matrix;
}

} // namespace

Tensor max_pool1d(const Tensor& x, const PoolOptions& options) {
    return squeeze(max_pool2d(unsqueeze(x, 2), flat(options)), 2);
}
Tensor avg_pool1d(const Tensor& x, const PoolOptions& options) {
    return squeeze(avg_pool2d(unsqueeze(x, 2), flat(options)), 2);
}

Tensor lp_pool(const Tensor& x, double norm_type, const PoolOptions& options) {
    const bool row = x.dim() == 3;
    double window = 1;
    for (const std::int64_t size : options.kernel)
        window *= static_cast<double>(size);
    const Tensor raised = pow(x, norm_type);
    const Tensor sums = row ? avg_pool1d(raised, options) : avg_pool2d(raised, options);
    return pow(mul(mul(sign(sums), relu(abs(sums))), window), 1 / norm_type);
}

Tensor adaptive_avg_pool(const Tensor& x, const Dims& output_size) {
    return interpolate(x, output_size, Interpolation::Area);
}

Tensor adaptive_max_pool(const Tensor& x, const Dims& output_size) {
    Tensor result = x;
    for (int i = 0; i < output_size.size(); ++i) {
        const int dim = x.dim() - output_size.size() + i;
        const std::int64_t size = result.size(dim);
        Tensors bins;
        for (std::int64_t k = 0; k < output_size[i]; ++k) {
            const Bin bin = bin_of(k, size, output_size[i]);
            const Tensor part = slice(result, dim, bin.begin, bin.end);
            // The first of equals takes the gradient, as in PyTorch.
            const Tensor best = argmax(part, dim, true);
            bins.push_back(gather(part, dim, best));
        }
        result = bins.size() == 1 ? bins[0] : cat(bins, dim);
    }
    return result;
}

Tensor bordered(Tensor x, const Dims& pads, PaddingMode mode) {
    for (int i = 0; i < pads.size() / 2; ++i) {
        const int dim = x.dim() - 1 - i;
        const std::int64_t size = x.size(dim), before = pads[2 * i], behind = pads[2 * i + 1];
        if (before == 0 && behind == 0) continue;
        const std::int64_t most = mode == PaddingMode::Reflect    ? size - 1
                                  : mode == PaddingMode::Circular ? size
                                                                  : before + behind;
        if (std::max(before, behind) > most)
            throw ShapeError(fmt::format("a border of {} does not fit to a size of {} in {}",
                                         std::max(before, behind), size, x.shape().str()));
        std::vector<std::int64_t> from;
        for (std::int64_t k = -before; k < size + behind; ++k)
            from.push_back(mode == PaddingMode::Replicate ? std::clamp<std::int64_t>(k, 0, size - 1)
                           : mode == PaddingMode::Circular ? (k + size) % size
                           : k < 0                         ? -k
                           : k >= size                     ? 2 * (size - 1) - k
                                                           : k);
        const auto length = static_cast<std::int64_t>(from.size());
        x = index_select(x, dim, Tensor::from(from, {length}));
    }
    return x;
}

Tensor interpolate(const Tensor& x, const Dims& size, Interpolation mode, bool align_corners,
                   std::optional<double> scale) {
    if (size.size() > x.dim())
        throw ShapeError(
            fmt::format("interpolate: {} sizes for an input {}", size.size(), x.shape().str()));
    Tensor result = x;
    for (int i = size.size() - 1; i >= 0; --i) {
        const int dim = x.dim() - size.size() + i;
        const std::int64_t in = result.size(dim), out = size[i];
        if (out < 1 || in < 1)
            throw ShapeError(
                fmt::format("interpolate: from {} to a size of {}", x.shape().str(), out));
        if (mode == Interpolation::Nearest || mode == Interpolation::NearestExact) {
            // float32 as PyTorch computes the places in: floor((i + 0 or 1/2) * step)
            const float step = scale ? static_cast<float>(1.0 / *scale)
                                     : static_cast<float>(in) / static_cast<float>(out);
            const float shift = mode == Interpolation::NearestExact ? 0.5F : 0.0F;
            std::vector<std::int64_t> from;
            for (std::int64_t k = 0; k < out; ++k)
                from.push_back(std::min<std::int64_t>(
                    static_cast<std::int64_t>((static_cast<float>(k) + shift) * step), in - 1));
            result = index_select(result, dim, Tensor::from(from, {out}));
        } else if (in != out || mode == Interpolation::Cubic || scale) {
            result = along(result, dim, resampling(in, out, mode, align_corners, scale), out);
        }
    }
    return result;
}

Tensor channel_dropout(const Tensor& x, double p, const Tensor& random, std::int64_t stream) {
    Shape shape = Dims::filled(x.dim(), 1);
    shape[0] = x.size(0);
    shape[1] = x.size(1);
    return mul(x, dropout(Tensor::full(shape, 1, x.dtype(), x.device()), p, random, stream));
}

Tensor alpha_dropout(const Tensor& x, double p, const Tensor& random, std::int64_t stream) {
    constexpr double kFloor = -1.7580993408473766; // -scale * alpha of SELU
    if (p >= 1) return mul(x, 0.0);
    const double a = 1 / std::sqrt((kFloor * kFloor * p + 1) * (1 - p));
    const Tensor kept =
        gt(dropout(Tensor::full(x.shape(), 1, x.dtype(), x.device()), p, random, stream), 0.0);
    const Tensor chosen = where(kept, x, Tensor::full(Shape{}, kFloor, x.dtype(), x.device()));
    return add(mul(chosen, a), -a * kFloor * p);
}

Tensor pixel_shuffle(const Tensor& x, std::int64_t r) {
    if (x.dim() != 4 || r < 1 || x.size(1) % (r * r) != 0)
        throw ShapeError(fmt::format("pixel_shuffle: the channels of {} must be a multiple of {} "
                                     "squared",
                                     x.shape().str(), r));
    const std::int64_t n = x.size(0), c = x.size(1) / (r * r), h = x.size(2), w = x.size(3);
    return reshape(permute(reshape(x, {n, c, r, r, h, w}), {0, 1, 4, 2, 5, 3}),
                   {n, c, h * r, w * r});
}

Tensor pixel_unshuffle(const Tensor& x, std::int64_t r) {
    if (x.dim() != 4 || r < 1 || x.size(2) % r != 0 || x.size(3) % r != 0)
        throw ShapeError(fmt::format("pixel_unshuffle: height and width of {} must be multiples of "
                                     "{}",
                                     x.shape().str(), r));
    const std::int64_t n = x.size(0), c = x.size(1), h = x.size(2) / r, w = x.size(3) / r;
    return reshape(permute(reshape(x, {n, c, h, r, w, r}), {0, 1, 3, 5, 2, 4}),
                   {n, c * r * r, h, w});
}

Tensor channel_shuffle(const Tensor& x, std::int64_t groups) {
    if (x.dim() < 3 || groups < 1 || x.size(1) % groups != 0)
        throw ShapeError(fmt::format("channel_shuffle: the channels of {} cannot be split into {} "
                                     "groups",
                                     x.shape().str(), groups));
    const std::int64_t n = x.size(0), c = x.size(1),
                       rest = x.numel() / std::max<std::int64_t>(n * c, 1);
    return reshape(transpose(reshape(x, {n, groups, c / groups, rest}), 1, 2), x.shape());
}

Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight, const Tensor& bias) {
    const std::int64_t out = weight.size(0), in1 = weight.size(1), in2 = weight.size(2);
    if (x1.size(-1) != in1 || x2.size(-1) != in2)
        throw ShapeError(fmt::format("bilinear: weight {} does not fit to inputs {} and {}",
                                     weight.shape().str(), x1.shape().str(), x2.shape().str()));
    Shape shape = x1.shape();
    shape[shape.size() - 1] = out;
    const std::int64_t rows = x1.numel() / std::max<std::int64_t>(in1, 1);
    // [rows, in1] @ [in1, out * in2], then against x2 for each output.
    const Tensor matrix = reshape(permute(weight, {1, 0, 2}), {in1, out * in2});
    const Tensor left = reshape(matmul(reshape(x1, {rows, in1}), matrix), {rows, out, in2});
    Tensor y = reshape(matmul(left, reshape(x2, {rows, in2, 1})), shape);
    return bias.defined() ? add(y, bias) : y;
}

} // namespace wiregrad::nn

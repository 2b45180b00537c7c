// Convolutions of one and three dimensions by those of two: a sequence is a picture of height 1; a
// volume is the sum, over the kernel's depth, of convolutions of its slices. Gradients of every
// order come with the ops that they are made of.
#include <fmt/core.h>

#include "engine/core/error.h"
#include "engine/op/ops.h"

namespace wiregrad {

namespace {

void require_rank(std::string_view op, std::string_view what, const Tensor& x, int rank,
                  std::string_view expected) {
    if (x.dim() != rank)
        throw ShapeError(fmt::format("{}: {} {} must be {}", op, what, x.shape().str(), expected));
}

/// `given`, or `otherwise` in each of `rank` dimensions; refuses another number of numbers.
Dims filled(std::string_view op, std::string_view what, const Dims& given, int rank,
            std::int64_t otherwise, std::int64_t least) {
    const Dims dims = given.empty() ? Dims::filled(rank, otherwise) : given;
    bool fits = dims.size() == rank;
    for (int d = 0; fits && d < rank; ++d)
        fits = dims[d] >= least;
    if (!fits)
        throw ValueError(fmt::format("{}: {} {} must be {} number{} of at least {}", op, what,
                                     dims.str(), rank, rank == 1 ? "" : "s", least));
    return dims;
}

struct Window {
    Dims stride, padding, dilation;
    std::int64_t groups;
    Window(std::string_view op, const ConvNdOptions& o, int rank)
        : stride(filled(op, "stride", o.stride, rank, 1, 1)),
          padding(filled(op, "padding", o.padding, rank, 0, 0)),
          dilation(filled(op, "dilation", o.dilation, rank, 1, 1)), groups(o.groups) {}
    /// For a picture of height 1.
    ConvOptions flat() const { return {{1, stride[0]}, {0, padding[0]}, {1, dilation[0]}, groups}; }
    /// Of the last two of three dimensions.
    ConvOptions plane() const {
        return {
            {stride[1], stride[2]}, {padding[1], padding[2]}, {dilation[1], dilation[2]}, groups};
    }
};

/// [N, C, D, H, W] as N D pictures [N D, C, H, W].
Tensor slices(const Tensor& x) {
    const Shape& s = x.shape();
    return reshape(permute(x, {0, 2, 1, 3, 4}), {s[0] * s[2], s[1], s[3], s[4]});
}
/// The way back.
Tensor volume(const Tensor& pictures, std::int64_t batch, std::int64_t depth) {
    const Shape& s = pictures.shape();
    return permute(reshape(pictures, {batch, depth, s[1], s[2], s[3]}), {0, 2, 1, 3, 4});
}

Tensor with_bias(const Tensor& x, const Tensor& bias) {
    return bias ? add(x, reshape(bias, {1, bias.numel(), 1, 1, 1})) : x;
}

void require_bias(std::string_view op, const Tensor& bias, std::int64_t channels) {
    if (bias && (bias.dim() != 1 || bias.size(0) != channels))
        throw ShapeError(fmt::format("{}: bias {} does not match the {} output channels", op,
                                     bias.shape().str(), channels));
}

} // namespace

Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const ConvNdOptions& options) {
    require_rank("conv1d", "input", x, 3, "[batch, channels, length]");
    require_rank("conv1d", "weight", weight, 3, "[out_channels, in_channels / groups, kernel]");
    const Window w("conv1d", options, 1);
    return squeeze(conv2d(unsqueeze(x, 2), unsqueeze(weight, 2), bias, w.flat()), 2);
}

Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvNdOptions& options, const Dims& output_padding) {
    constexpr std::string_view kName = "conv_transpose1d";
    require_rank(kName, "input", x, 3, "[batch, channels, length]");
    require_rank(kName, "weight", weight, 3, "[in_channels, out_channels / groups, kernel]");
    const Window w(kName, options, 1);
    const Dims extra = filled(kName, "output_padding", output_padding, 1, 0, 0);
    return squeeze(
        conv_transpose2d(unsqueeze(x, 2), unsqueeze(weight, 2), bias, w.flat(), {0, extra[0]}), 2);
}

Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const ConvNdOptions& options) {
    constexpr std::string_view kName = "conv3d";
    require_rank(kName, "input", x, 5, "[batch, channels, depth, height, width]");
    require_rank(kName, "weight", weight, 5,
                 "[out_channels, in_channels / groups, depth, height, width]");
    const Window w(kName, options, 3);
    require_bias(kName, bias, weight.size(0));
    const std::int64_t span = w.dilation[0] * (weight.size(2) - 1) + 1,
                       room = x.size(2) + 2 * w.padding[0];
    if (weight.size(2) < 1 || span > room)
        throw ShapeError(
            fmt::format("{}: the kernel covers a depth of {} but input {} padded by {} "
                        "has only {}",
                        kName, span, x.shape().str(), w.padding.str(), room));
    const std::int64_t depth = (room - span) / w.stride[0] + 1;
    const Tensor padded = w.padding[0] == 0 ? x : pad(x, {0, 0, 0, 0, w.padding[0], w.padding[0]});
    Tensor total;
    for (std::int64_t k = 0; k < weight.size(2); ++k) {
        const std::int64_t first = k * w.dilation[0];
        const Tensor part = slice(padded, 2, first, first + (depth - 1) * w.stride[0] + 1,
                                  w.stride[0]),
                     y = conv2d(slices(part), select(weight, 2, k), {}, w.plane());
        total = total ? add(total, y) : y;
    }
    return with_bias(volume(total, x.size(0), depth), bias);
}

Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvNdOptions& options, const Dims& output_padding) {
    constexpr std::string_view kName = "conv_transpose3d";
    require_rank(kName, "input", x, 5, "[batch, channels, depth, height, width]");
    require_rank(kName, "weight", weight, 5,
                 "[in_channels, out_channels / groups, depth, height, width]");
    const Window w(kName, options, 3);
    const Dims extra = filled(kName, "output_padding", output_padding, 3, 0, 0);
    require_bias(kName, bias, weight.size(1) * w.groups);
    if (extra[0] >= w.stride[0] && extra[0] >= w.dilation[0])
        throw ValueError(
            fmt::format("{}: output_padding {} must be smaller than stride {} or dilation {}",
                        kName, extra.str(), w.stride.str(), w.dilation.str()));
    // Slice i of the input reaches slice i stride + k dilation - padding of the output.
    const std::int64_t batch = x.size(0), steps = x.size(2), stride = w.stride[0],
                       spread = (steps - 1) * stride + 1,
                       whole = spread + w.dilation[0] * (weight.size(2) - 1) + extra[0],
                       depth = whole - 2 * w.padding[0];
    if (steps < 1 || weight.size(2) < 1 || depth < 1)
        throw ShapeError(fmt::format("{}: input {} with padding {} leaves an output of {} slices",
                                     kName, x.shape().str(), w.padding.str(), depth));
    const Tensor pictures = slices(x);
    Tensor total;
    for (std::int64_t k = 0; k < weight.size(2); ++k) {
        Tensor y =
            conv_transpose2d(pictures, select(weight, 2, k), {}, w.plane(), {extra[1], extra[2]});
        y = volume(y, batch, steps); // [N, O, D, H, W]
        if (stride > 1) {            // zeros between the slices
            const Shape s = y.shape();
            y = pad(unsqueeze(y, 3), {0, 0, 0, 0, 0, stride - 1});
            y = slice(reshape(y, {s[0], s[1], s[2] * stride, s[3], s[4]}), 2, 0, spread);
        }
        const std::int64_t before = k * w.dilation[0];
        y = pad(y, {0, 0, 0, 0, before, whole - spread - before});
        total = total ? add(total, y) : y;
    }
    return with_bias(slice(total, 2, w.padding[0], w.padding[0] + depth), bias);
}

} // namespace wiregrad

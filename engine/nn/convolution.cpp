// Convolutions in one to three dimensions, plain and transposed.
#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/nn/functional.h"
#include "engine/nn/init.h"
#include "engine/nn/layers.h"
#include "engine/op/ops.h"

namespace wiregrad::nn {
namespace {

std::string name_of(const char* layer, int rank) {
    return fmt::format("{}{}d", layer, rank);
}

void need_positive(const std::string& layer, std::string_view what, std::int64_t value) {
    if (value < 1)
        throw ValueError(fmt::format("{}: {} must be at least 1, is {}", layer, what, value));
}

void need_groups(const std::string& layer, std::int64_t in, std::int64_t out, std::int64_t groups) {
    need_positive(layer, "in_channels", in);
    need_positive(layer, "out_channels", out);
    need_positive(layer, "groups", groups);
    if (in % groups != 0 || out % groups != 0)
        throw ValueError(fmt::format("{}: groups {} must divide in_channels {} and out_channels {}",
                                     layer, groups, in, out));
}

constexpr const char* kCounts[] = {"", "one number", "two numbers", "three numbers"};

/// `rank` numbers of at least `least`; where all are the same in every dimension, one or two
/// given stand for all.
Dims checked(const std::string& layer, std::string_view what, Dims values, int rank,
             std::int64_t least) {
    bool alike = !values.empty();
    for (const std::int64_t value : values)
        alike = alike && value == values[0];
    if (alike && values.size() != rank && what != "kernel_size")
        values = Dims::filled(rank, values[0]);
    bool good = values.size() == rank;
    for (const std::int64_t value : values)
        good = good && value >= least;
    if (!good)
        throw ValueError(fmt::format("{}: {} must be {} of at least {}, is {}", layer, what,
                                     kCounts[rank], least, values.str()));
    return values;
}

Shape weight_shape(std::int64_t first, std::int64_t second, const Dims& kernel) {
    Shape shape{first, second};
    for (const std::int64_t size : kernel)
        shape.push_back(size);
    return shape;
}

const Tensor& input_of(std::span<const Tensor> inputs, const std::string& layer, int rank) {
    if (inputs.size() != 1 || !inputs[0].defined())
        throw ValueError(fmt::format("{} takes one input, {} given", layer, inputs.size()));
    if (inputs[0].dim() != rank + 2)
        throw ShapeError(fmt::format("{} expects an input of {} dimensions, {} has {}", layer,
                                     rank + 2, inputs[0].shape().str(), inputs[0].dim()));
    return inputs[0];
}

} // namespace

ConvLayer::ConvLayer(const ConvLayerOptions& options, int rank) : options_(options), rank_(rank) {
    const std::string name = name_of("Conv", rank);
    need_groups(name, options.in_channels, options.out_channels, options.groups);
    checked(name, "kernel_size", options.kernel_size, rank, 1);
    options_.stride = checked(name, "stride", options.stride, rank, 1);
    options_.padding = checked(name, "padding", options.padding, rank, 0);
    options_.dilation = checked(name, "dilation", options.dilation, rank, 1);
    if (options.same_padding && !(options_.stride == Dims::filled(rank, 1)))
        throw ValueError(
            fmt::format("{}: padding 'same' needs stride 1, is {}", name, options_.stride.str()));
    weight_ =
        &add_parameter("weight", Tensor::zeros(weight_shape(options.out_channels,
                                                            options.in_channels / options.groups,
                                                            options.kernel_size),
                                               options.dtype));
    if (options.bias)
        bias_ = &add_parameter("bias", Tensor::zeros({options.out_channels}, options.dtype));
}

Tensors ConvLayer::forward(std::span<const Tensor> inputs, const ForwardContext&) {
    Tensor x = input_of(inputs, name_of("Conv", rank_), rank_);
    ConvOptions conv{options_.stride, options_.padding, options_.dilation, options_.groups};
    Dims border = Dims::filled(2 * rank_, 0); // before and behind, last dimension first
    bool by_hand = options_.padding_mode != PaddingMode::Zeros;
    for (int i = 0; i < rank_; ++i) {
        const std::int64_t reach = options_.dilation[i] * (options_.kernel_size[i] - 1);
        const std::int64_t before = options_.same_padding ? reach / 2 : options_.padding[i],
                           behind = options_.same_padding ? reach - reach / 2 : before;
        border[2 * (rank_ - 1 - i)] = before;
        border[2 * (rank_ - 1 - i) + 1] = behind;
        conv.padding[i] = before;
        by_hand = by_hand || before != behind;
    }
    if (by_hand) {
        // What the convolution cannot add itself: another mode, or an uneven border.
        if (options_.padding_mode == PaddingMode::Zeros) {
            for (int i = 0; i < 2 * rank_; i += 2) {
                border[i + 1] -= border[i];
                border[i] = 0;
            }
            x = pad(x, border);
        } else {
            x = bordered(x, border, options_.padding_mode);
            conv.padding = Dims::filled(rank_, 0);
        }
    }
    const Tensor bias = bias_ != nullptr ? *bias_ : Tensor();
    if (rank_ == 2) return {conv2d(x, *weight_, bias, conv)};
    const ConvNdOptions any{conv.stride, conv.padding, conv.dilation, conv.groups};
    return {rank_ == 1 ? conv1d(x, *weight_, bias, any) : conv3d(x, *weight_, bias, any)};
}

void ConvLayer::reset_parameters(Generator& generator) {
    init::linear_default(*weight_, bias_, generator);
}

ConvTransposeLayer::ConvTransposeLayer(const ConvTransposeLayerOptions& options, int rank)
    : options_(options), rank_(rank) {
    const std::string name = name_of("ConvTranspose", rank);
    need_groups(name, options.in_channels, options.out_channels, options.groups);
    checked(name, "kernel_size", options.kernel_size, rank, 1);
    options_.stride = checked(name, "stride", options.stride, rank, 1);
    options_.padding = checked(name, "padding", options.padding, rank, 0);
    options_.output_padding = checked(name, "output_padding", options.output_padding, rank, 0);
    options_.dilation = checked(name, "dilation", options.dilation, rank, 1);
    weight_ =
        &add_parameter("weight", Tensor::zeros(weight_shape(options.in_channels,
                                                            options.out_channels / options.groups,
                                                            options.kernel_size),
                                               options.dtype));
    if (options.bias)
        bias_ = &add_parameter("bias", Tensor::zeros({options.out_channels}, options.dtype));
}

Tensors ConvTransposeLayer::forward(std::span<const Tensor> inputs, const ForwardContext&) {
    const Tensor& x = input_of(inputs, name_of("ConvTranspose", rank_), rank_);
    const ConvOptions conv{options_.stride, options_.padding, options_.dilation, options_.groups};
    const Tensor bias = bias_ != nullptr ? *bias_ : Tensor();
    if (rank_ == 2) return {conv_transpose2d(x, *weight_, bias, conv, options_.output_padding)};
    const ConvNdOptions any{conv.stride, conv.padding, conv.dilation, conv.groups};
    return {rank_ == 1 ? conv_transpose1d(x, *weight_, bias, any, options_.output_padding)
                       : conv_transpose3d(x, *weight_, bias, any, options_.output_padding)};
}

// Fan-in is counted on weight.size(1), which is the number of output channels here: so does
// PyTorch.
void ConvTransposeLayer::reset_parameters(Generator& generator) {
    init::linear_default(*weight_, bias_, generator);
}

} // namespace wiregrad::nn

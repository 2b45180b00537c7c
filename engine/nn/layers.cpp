#include "engine/nn/layers.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/nn/init.h"
#include "engine/op/ops.h"

namespace wiregrad::nn {
namespace {

const Tensor& only(std::span<const Tensor> inputs, std::string_view layer) {
    if (inputs.size() != 1 || !inputs[0].defined())
        throw ValueError(fmt::format("{} takes one input, {} given", layer, inputs.size()));
    return inputs[0];
}

void need_positive(std::string_view layer, std::string_view what, std::int64_t value) {
    if (value < 1)
        throw ValueError(fmt::format("{}: {} must be at least 1, is {}", layer, what, value));
}

void need_pair(std::string_view layer, std::string_view what, const Dims& values,
               std::int64_t least) {
    if (values.size() != 2 || values[0] < least || values[1] < least)
        throw ValueError(fmt::format("{}: {} must be two numbers of at least {}, is {}", layer,
                                     what, least, values.str()));
}

void need_groups(std::string_view layer, std::int64_t in, std::int64_t out, std::int64_t groups) {
    need_positive(layer, "in_channels", in);
    need_positive(layer, "out_channels", out);
    need_positive(layer, "groups", groups);
    if (in % groups != 0 || out % groups != 0)
        throw ValueError(fmt::format("{}: groups {} must divide in_channels {} and out_channels {}",
                                     layer, groups, in, out));
}

/// The default of Linear and the convolutions: both within 1 / sqrt(fan_in), the weight by way of
/// kaiming_uniform.
void reset_linear(Tensor& weight, Tensor* bias, Generator& generator) {
    init::kaiming_uniform(weight, generator, std::sqrt(5.0));
    const std::int64_t fan_in = init::fans(weight).first;
    if (bias != nullptr && fan_in > 0) {
        const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
        init::uniform(*bias, generator, -bound, bound);
    }
}

Tensor or_none(const Tensor* tensor) {
    return tensor != nullptr ? *tensor : Tensor();
}

} // namespace

Linear::Linear(std::int64_t in_features, std::int64_t out_features, bool bias, DType dtype) {
    need_positive("Linear", "in_features", in_features);
    need_positive("Linear", "out_features", out_features);
    weight_ = &add_parameter("weight", Tensor::zeros({out_features, in_features}, dtype));
    if (bias) bias_ = &add_parameter("bias", Tensor::zeros({out_features}, dtype));
}
Tensors Linear::forward(std::span<const Tensor> inputs, const ForwardContext&) {
    return {linear(only(inputs, "Linear"), *weight_, or_none(bias_))};
}
void Linear::reset_parameters(Generator& generator) {
    reset_linear(*weight_, bias_, generator);
}

Conv2d::Conv2d(const Conv2dOptions& options) : options_(options) {
    constexpr std::string_view kName = "Conv2d";
    need_groups(kName, options.in_channels, options.out_channels, options.groups);
    need_pair(kName, "kernel_size", options.kernel_size, 1);
    need_pair(kName, "stride", options.stride, 1);
    need_pair(kName, "padding", options.padding, 0);
    need_pair(kName, "dilation", options.dilation, 1);
    if (options.same_padding && !(options.stride == Dims{1, 1}))
        throw ValueError(
            fmt::format("Conv2d: padding 'same' needs stride 1, is {}", options.stride.str()));
    weight_ = &add_parameter(
        "weight", Tensor::zeros({options.out_channels, options.in_channels / options.groups,
                                 options.kernel_size[0], options.kernel_size[1]},
                                options.dtype));
    if (options.bias)
        bias_ = &add_parameter("bias", Tensor::zeros({options.out_channels}, options.dtype));
}
Tensors Conv2d::forward(std::span<const Tensor> inputs, const ForwardContext&) {
    Tensor x = only(inputs, "Conv2d");
    ConvOptions conv{options_.stride, options_.padding, options_.dilation, options_.groups};
    if (options_.same_padding) {
        Dims uneven{0, 0, 0,
                    0}; // what padding on both sides alike cannot give, last dimension first
        bool any = false;
        for (int i = 0; i < 2; ++i) {
            const std::int64_t total = options_.dilation[i] * (options_.kernel_size[i] - 1);
            conv.padding[i] = total / 2;
            uneven[2 * (1 - i) + 1] = total % 2;
            any |= total % 2 != 0;
        }
        if (any) x = pad(x, uneven);
    }
    return {conv2d(x, *weight_, or_none(bias_), conv)};
}
void Conv2d::reset_parameters(Generator& generator) {
    reset_linear(*weight_, bias_, generator);
}

ConvTranspose2d::ConvTranspose2d(const ConvTranspose2dOptions& options) : options_(options) {
    constexpr std::string_view kName = "ConvTranspose2d";
    need_groups(kName, options.in_channels, options.out_channels, options.groups);
    need_pair(kName, "kernel_size", options.kernel_size, 1);
    need_pair(kName, "stride", options.stride, 1);
    need_pair(kName, "padding", options.padding, 0);
    need_pair(kName, "output_padding", options.output_padding, 0);
    need_pair(kName, "dilation", options.dilation, 1);
    weight_ = &add_parameter(
        "weight", Tensor::zeros({options.in_channels, options.out_channels / options.groups,
                                 options.kernel_size[0], options.kernel_size[1]},
                                options.dtype));
    if (options.bias)
        bias_ = &add_parameter("bias", Tensor::zeros({options.out_channels}, options.dtype));
}
Tensors ConvTranspose2d::forward(std::span<const Tensor> inputs, const ForwardContext&) {
    const ConvOptions conv{options_.stride, options_.padding, options_.dilation, options_.groups};
    return {conv_transpose2d(only(inputs, "ConvTranspose2d"), *weight_, or_none(bias_), conv,
                             options_.output_padding)};
}
// Fan-in is counted on weight.size(1), which is the number of output channels here: so does
// PyTorch.
void ConvTranspose2d::reset_parameters(Generator& generator) {
    reset_linear(*weight_, bias_, generator);
}

BatchNorm::BatchNorm(const BatchNormOptions& options, const char* name, int min_rank, int max_rank)
    : options_(options), name_(name), min_rank_(min_rank), max_rank_(max_rank) {
    need_positive(name, "num_features", options.num_features);
    if (!(options.eps >= 0) || !(options.momentum >= 0 && options.momentum <= 1))
        throw ValueError(
            fmt::format("{}: eps must not be negative and momentum within 0 and 1, are {} and {}",
                        name, options.eps, options.momentum));
    const Shape shape{options.num_features};
    if (options.affine) {
        weight_ = &add_parameter("weight", Tensor::full(shape, 1, options.dtype));
        bias_ = &add_parameter("bias", Tensor::zeros(shape, options.dtype));
    }
    if (options.track_running_stats) {
        running_mean_ = &add_buffer("running_mean", Tensor::zeros(shape, options.dtype));
        running_var_ = &add_buffer("running_var", Tensor::full(shape, 1, options.dtype));
    }
}
Tensors BatchNorm::forward(std::span<const Tensor> inputs, const ForwardContext& context) {
    const Tensor& x = only(inputs, name_);
    if (x.dim() < min_rank_ || x.dim() > max_rank_)
        throw ShapeError(fmt::format("{} expects an input of {} dimensions, {} has {}", name_,
                                     min_rank_ == max_rank_
                                         ? std::to_string(min_rank_)
                                         : fmt::format("{} or {}", min_rank_, max_rank_),
                                     x.shape().str(), x.dim()));
    if (x.size(1) != options_.num_features)
        throw ShapeError(fmt::format("{} is made for {} channels, input {} has {}", name_,
                                     options_.num_features, x.shape().str(), x.size(1)));
    const bool batch_statistics = context.training || !options_.track_running_stats;
    return {batch_norm(x, or_none(weight_), or_none(bias_), or_none(running_mean_),
                       or_none(running_var_), batch_statistics, options_.momentum, options_.eps)};
}
void BatchNorm::reset_parameters(Generator&) {
    for (Tensor* one : {weight_, running_var_})
        if (one != nullptr) init::ones(*one);
    for (Tensor* zero : {bias_, running_mean_})
        if (zero != nullptr) init::zeros(*zero);
}

LayerNorm::LayerNorm(const LayerNormOptions& options) : options_(options) {
    if (options.normalized_shape.empty())
        throw ValueError("LayerNorm: normalized_shape must have at least one size");
    for (const std::int64_t size : options.normalized_shape)
        need_positive("LayerNorm", "a size of normalized_shape", size);
    if (!(options.eps >= 0))
        throw ValueError(fmt::format("LayerNorm: eps must not be negative, is {}", options.eps));
    if (options.elementwise_affine) {
        weight_ =
            &add_parameter("weight", Tensor::full(options.normalized_shape, 1, options.dtype));
        if (options.bias)
            bias_ = &add_parameter("bias", Tensor::zeros(options.normalized_shape, options.dtype));
    }
}
Tensors LayerNorm::forward(std::span<const Tensor> inputs, const ForwardContext&) {
    return {layer_norm(only(inputs, "LayerNorm"), options_.normalized_shape, or_none(weight_),
                       or_none(bias_), options_.eps)};
}
void LayerNorm::reset_parameters(Generator&) {
    if (weight_ != nullptr) init::ones(*weight_);
    if (bias_ != nullptr) init::zeros(*bias_);
}

Embedding::Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim,
                     std::optional<std::int64_t> padding_idx, DType dtype) {
    need_positive("Embedding", "num_embeddings", num_embeddings);
    need_positive("Embedding", "embedding_dim", embedding_dim);
    if (padding_idx) {
        padding_idx_ = *padding_idx < 0 ? *padding_idx + num_embeddings : *padding_idx;
        if (padding_idx_ < 0 || padding_idx_ >= num_embeddings)
            throw ValueError(fmt::format("Embedding: padding_idx {} is outside the {} rows",
                                         *padding_idx, num_embeddings));
    }
    weight_ = &add_parameter("weight", Tensor::zeros({num_embeddings, embedding_dim}, dtype));
}
Tensors Embedding::forward(std::span<const Tensor> inputs, const ForwardContext&) {
    return {embedding(only(inputs, "Embedding"), *weight_, padding_idx_)};
}
void Embedding::reset_parameters(Generator& generator) {
    init::normal(*weight_, generator);
    if (padding_idx_ >= 0) {
        const std::int64_t width = weight_->size(1);
        weight_->as_strided({width}, {1}, padding_idx_ * width).zero_();
    }
}

Dropout::Dropout(double p, std::int64_t stream) : p_(p), stream_(stream) {
    if (!(p >= 0 && p <= 1))
        throw ValueError(fmt::format("Dropout: p must be within 0 and 1, is {}", p));
}
Tensors Dropout::forward(std::span<const Tensor> inputs, const ForwardContext& context) {
    const Tensor& x = only(inputs, "Dropout");
    if (!context.training || p_ == 0) return {x};
    return {dropout(x, p_, context.state.random, stream_)};
}

} // namespace wiregrad::nn

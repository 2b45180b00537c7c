#include "engine/nn/layers.h"

#include <cmath>

#include <fmt/format.h>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/nn/functional.h"
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
    init::linear_default(*weight_, bias_, generator);
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
        batches_ = &add_buffer("num_batches_tracked", Tensor::zeros({}, DType::Int64));
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
    if (context.training && batches_ != nullptr) {
        static const Op& count = find_op("count_step_");
        call(count, {batches_, 1});
        if (options_.cumulative) return {cumulative(x)};
    }
    return {batch_norm(x, or_none(weight_), or_none(bias_), or_none(running_mean_),
                       or_none(running_var_), batch_statistics, options_.momentum, options_.eps)};
}
/// Normalises by the batch, and moves the running statistics by 1 / number of batches.
Tensor BatchNorm::cumulative(const Tensor& x) {
    const Tensor y = batch_norm(x, or_none(weight_), or_none(bias_), {}, {}, true, 0, options_.eps);
    const autograd::NoGrad no_grad;
    static const Op& average = find_op("average_step_");
    Dims dims{0};
    for (int d = 2; d < x.dim(); ++d)
        dims.push_back(d);
    const Tensor decay = reshape(rsub(1, reciprocal(to(*batches_, DType::Float64))), {1});
    const Tensor by_mean[] = {*running_mean_, mean(x.detach(), dims), decay};
    const Tensor by_var[] = {*running_var_, var(x.detach(), dims), decay};
    call(average, by_mean);
    call(average, by_var);
    return y;
}
void BatchNorm::reset_parameters(Generator&) {
    if (batches_ != nullptr) init::zeros(*batches_);
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

Bilinear::Bilinear(std::int64_t in1, std::int64_t in2, std::int64_t out, bool bias, DType dtype) {
    need_positive("Bilinear", "in1_features", in1);
    need_positive("Bilinear", "in2_features", in2);
    need_positive("Bilinear", "out_features", out);
    weight_ = &add_parameter("weight", Tensor::zeros({out, in1, in2}, dtype));
    if (bias) bias_ = &add_parameter("bias", Tensor::zeros({out}, dtype));
}
Tensors Bilinear::forward(std::span<const Tensor> inputs, const ForwardContext&) {
    if (inputs.size() != 2)
        throw ValueError(fmt::format("Bilinear takes two inputs, {} given", inputs.size()));
    return {bilinear(inputs[0], inputs[1], *weight_, or_none(bias_))};
}
void Bilinear::reset_parameters(Generator& generator) {
    const double bound = 1 / std::sqrt(static_cast<double>(weight_->size(1)));
    init::uniform(*weight_, generator, -bound, bound);
    if (bias_ != nullptr) init::uniform(*bias_, generator, -bound, bound);
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

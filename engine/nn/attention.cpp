#include "engine/nn/attention.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/nn/init.h"
#include "engine/op/ops.h"

namespace wiregrad::nn {
namespace {

Tensor given(std::span<const Tensor> inputs, std::size_t i) {
    return i < inputs.size() ? inputs[i] : Tensor();
}

Tensor or_none(const Tensor* tensor) {
    return tensor != nullptr ? *tensor : Tensor();
}

Tensor dropped(const Tensor& x, double p, const ForwardContext& context, std::int64_t stream) {
    return context.training && p > 0 ? dropout(x, p, context.state.random, stream) : x;
}

/// A mask as what is added to the scores: 0, and -infinity where `mask` is true.
Tensor additive(const Tensor& mask, DType dtype) {
    if (!mask.defined() || mask.dtype() != DType::Bool) return mask;
    return masked_fill(Tensor::zeros(mask.shape(), dtype, mask.device()), mask,
                       -std::numeric_limits<double>::infinity());
}

/// True above the diagonal: what a causal mask leaves out.
Tensor above_diagonal(std::int64_t rows, std::int64_t columns, Device device) {
    Tensor row = reshape(arange(rows), {rows, 1}), column = reshape(arange(columns), {1, columns});
    if (device != Device{}) {
        row = to(row, device);
        column = to(column, device);
    }
    return gt(column, row);
}

} // namespace

MultiheadAttention::MultiheadAttention(const AttentionLayerOptions& options) : options_(options) {
    const std::int64_t e = options.embed_dim;
    if (e < 1 || options.num_heads < 1 || e % options.num_heads != 0)
        throw ValueError(
            fmt::format("MultiheadAttention: embed_dim {} cannot be split into {} heads", e,
                        options.num_heads));
    const std::int64_t kdim = options.kdim > 0 ? options.kdim : e,
                       vdim = options.vdim > 0 ? options.vdim : e;
    if (kdim == e && vdim == e) {
        in_proj_weight_ =
            &add_parameter("in_proj_weight", Tensor::zeros({3 * e, e}, options.dtype));
    } else {
        q_weight_ = &add_parameter("q_proj_weight", Tensor::zeros({e, e}, options.dtype));
        k_weight_ = &add_parameter("k_proj_weight", Tensor::zeros({e, kdim}, options.dtype));
        v_weight_ = &add_parameter("v_proj_weight", Tensor::zeros({e, vdim}, options.dtype));
    }
    if (options.bias)
        in_proj_bias_ = &add_parameter("in_proj_bias", Tensor::zeros({3 * e}, options.dtype));
    out_proj_ = std::make_shared<Linear>(e, e, options.bias, options.dtype);
    add_child("out_proj", out_proj_);
}

void MultiheadAttention::reset_parameters(Generator& generator) {
    // In PyTorch's order: the output's Linear draws when it is made, the inputs' weights after it.
    out_proj_->reset_parameters(generator);
    for (Tensor* weight : {in_proj_weight_, q_weight_, k_weight_, v_weight_})
        if (weight != nullptr) init::xavier_uniform(*weight, generator);
    if (in_proj_bias_ == nullptr) return;
    init::zeros(*in_proj_bias_);
    for (NamedTensor& weight : out_proj_->parameters())
        if (weight.name == "bias") init::zeros(weight.tensor);
}

Tensor MultiheadAttention::heads(const Tensor& x) const {
    const std::int64_t width = options_.embed_dim / options_.num_heads;
    return transpose(reshape(x, {x.size(0), x.size(1), options_.num_heads, width}), 1, 2);
}

Tensors MultiheadAttention::forward(std::span<const Tensor> inputs, const ForwardContext& context) {
    const std::int64_t e = options_.embed_dim;
    Tensor query = given(inputs, 0), key = given(inputs, 1), value = given(inputs, 2);
    const bool to_itself = !key.defined() && !value.defined();
    if (!key.defined()) key = query;
    if (!value.defined()) value = key;
    const auto check = [&](const Tensor& x, const char* what, std::int64_t width) {
        if (x.dim() != 3 || x.size(2) != width)
            throw ShapeError(
                fmt::format("MultiheadAttention is made for a {} of {} numbers a place "
                            "(3-D), got {}",
                            what, width, x.shape().str()));
    };
    check(query, "query", e);
    check(key, "key", options_.kdim > 0 ? options_.kdim : e);
    check(value, "value", options_.vdim > 0 ? options_.vdim : e);
    if (!options_.batch_first) {
        query = transpose(query, 0, 1);
        key = to_itself ? query : transpose(key, 0, 1);
        value = to_itself ? query : transpose(value, 0, 1);
    }
    const Tensor bias = or_none(in_proj_bias_);
    Tensor q, k, v;
    if (to_itself && in_proj_weight_ != nullptr) { // one product for all three
        const Tensor all = linear(query, *in_proj_weight_, bias);
        q = slice(all, 2, 0, e);
        k = slice(all, 2, e, 2 * e);
        v = slice(all, 2, 2 * e, 3 * e);
    } else {
        const auto projected = [&](const Tensor& x, const Tensor* own, std::int64_t i) {
            const Tensor weight =
                own != nullptr ? *own : slice(*in_proj_weight_, 0, i * e, (i + 1) * e);
            return linear(x, weight,
                          bias.defined() ? slice(bias, 0, i * e, (i + 1) * e) : Tensor());
        };
        q = projected(query, q_weight_, 0);
        k = projected(key, k_weight_, 1);
        v = projected(value, v_weight_, 2);
    }
    q = heads(q), k = heads(k), v = heads(v);
    const std::int64_t length = q.size(2), keys = k.size(2);
    Tensor mask = additive(given(inputs, 3), q.dtype());
    if (const Tensor padding = additive(given(inputs, 4), q.dtype()); padding.defined()) {
        const Tensor wide = reshape(padding, {padding.size(0), 1, 1, keys});
        mask = mask.defined() ? add(mask, wide) : wide;
    }
    const double p = context.training ? options_.dropout : 0;
    Tensor out, weights;
    if (options_.need_weights) {
        Tensor scores = mul(matmul(q, transpose(k, 2, 3)),
                            1 / std::sqrt(static_cast<double>(e / options_.num_heads)));
        if (options_.is_causal)
            scores = masked_fill(scores, above_diagonal(length, keys, q.device()),
                                 -std::numeric_limits<double>::infinity());
        if (mask.defined()) scores = add(scores, mask);
        const Tensor attention = dropped(softmax(scores, -1), p, context, options_.stream);
        weights = mean(attention, {1});
        out = matmul(attention, v);
    } else {
        AttentionOptions how;
        // With a mask of its own the causal one is added to it.
        if (options_.is_causal && mask.defined())
            mask = add(mask, additive(above_diagonal(length, keys, q.device()), q.dtype()));
        how.is_causal = options_.is_causal && !mask.defined();
        how.dropout_p = p;
        how.random = context.state.random;
        how.stream = options_.stream;
        out = scaled_dot_product_attention(q, k, v, mask, how);
    }
    out = reshape(transpose(out, 1, 2), {out.size(0), length, e});
    out = out_proj_->forward({&out, 1}, context).front();
    if (!options_.batch_first) out = transpose(out, 0, 1);
    return options_.need_weights ? Tensors{out, weights} : Tensors{out};
}

namespace {

AttentionLayerOptions attention_of(const TransformerLayerOptions& options, std::int64_t number,
                                   bool causal) {
    return {.embed_dim = options.d_model,
            .num_heads = options.nhead,
            .dropout = options.dropout,
            .bias = options.bias,
            .batch_first = options.batch_first,
            .is_causal = causal,
            .stream = options.stream + number,
            .dtype = options.dtype};
}

std::shared_ptr<LayerNorm> norm_of(const TransformerLayerOptions& options) {
    return std::make_shared<LayerNorm>(LayerNormOptions{.normalized_shape = {options.d_model},
                                                        .eps = options.layer_norm_eps,
                                                        .bias = options.bias,
                                                        .dtype = options.dtype});
}

Tensor one(Module& module, const Tensor& x, const ForwardContext& context) {
    return module.forward({&x, 1}, context).front();
}

/// The streams of one layer are apart from those of others by the number of its masks.
enum MaskNumber : std::int64_t {
    kSelf = 0,
    kCross = 1,
    kAfterSelf = 2,
    kAfterCross = 3,
    kInner = 4,
    kLast = 5
};

Tensor feedforward(const Tensor& x, Linear& first, Linear& second,
                   const TransformerLayerOptions& options, const ForwardContext& context) {
    const Tensor wide = one(first, x, context);
    const Tensor active = dropped(options.gelu ? gelu(wide) : relu(wide), options.dropout, context,
                                  options.stream + kInner);
    return dropped(one(second, active, context), options.dropout, context, options.stream + kLast);
}

} // namespace

TransformerEncoderLayer::TransformerEncoderLayer(const TransformerLayerOptions& options)
    : options_(options) {
    self_attn_ =
        std::make_shared<MultiheadAttention>(attention_of(options, kSelf, options.is_causal));
    linear1_ = std::make_shared<Linear>(options.d_model, options.dim_feedforward, options.bias,
                                        options.dtype);
    linear2_ = std::make_shared<Linear>(options.dim_feedforward, options.d_model, options.bias,
                                        options.dtype);
    norm1_ = norm_of(options);
    norm2_ = norm_of(options);
    add_child("self_attn", self_attn_);
    add_child("linear1", linear1_);
    add_child("linear2", linear2_);
    add_child("norm1", norm1_);
    add_child("norm2", norm2_);
}

Tensors TransformerEncoderLayer::forward(std::span<const Tensor> inputs,
                                         const ForwardContext& context) {
    const auto attend = [&](const Tensor& x) {
        const Tensor in[] = {x, {}, {}, given(inputs, 1), given(inputs, 2)};
        return dropped(self_attn_->forward(in, context).front(), options_.dropout, context,
                       options_.stream + kAfterSelf);
    };
    const auto think = [&](const Tensor& x) {
        return feedforward(x, *linear1_, *linear2_, options_, context);
    };
    Tensor x = inputs[0];
    if (options_.norm_first) {
        x = add(x, attend(one(*norm1_, x, context)));
        return {add(x, think(one(*norm2_, x, context)))};
    }
    x = one(*norm1_, add(x, attend(x)), context);
    return {one(*norm2_, add(x, think(x)), context)};
}

TransformerDecoderLayer::TransformerDecoderLayer(const TransformerLayerOptions& options)
    : options_(options) {
    self_attn_ =
        std::make_shared<MultiheadAttention>(attention_of(options, kSelf, options.is_causal));
    multihead_attn_ = std::make_shared<MultiheadAttention>(attention_of(options, kCross, false));
    linear1_ = std::make_shared<Linear>(options.d_model, options.dim_feedforward, options.bias,
                                        options.dtype);
    linear2_ = std::make_shared<Linear>(options.dim_feedforward, options.d_model, options.bias,
                                        options.dtype);
    norm1_ = norm_of(options);
    norm2_ = norm_of(options);
    norm3_ = norm_of(options);
    add_child("self_attn", self_attn_);
    add_child("multihead_attn", multihead_attn_);
    add_child("linear1", linear1_);
    add_child("linear2", linear2_);
    add_child("norm1", norm1_);
    add_child("norm2", norm2_);
    add_child("norm3", norm3_);
}

Tensors TransformerDecoderLayer::forward(std::span<const Tensor> inputs,
                                         const ForwardContext& context) {
    const Tensor& memory = inputs[1];
    const auto attend = [&](const Tensor& x) {
        const Tensor in[] = {x, {}, {}, given(inputs, 2)};
        return dropped(self_attn_->forward(in, context).front(), options_.dropout, context,
                       options_.stream + kAfterSelf);
    };
    const auto look_up = [&](const Tensor& x) {
        const Tensor in[] = {x, memory, memory, given(inputs, 3)};
        return dropped(multihead_attn_->forward(in, context).front(), options_.dropout, context,
                       options_.stream + kAfterCross);
    };
    const auto think = [&](const Tensor& x) {
        return feedforward(x, *linear1_, *linear2_, options_, context);
    };
    Tensor x = inputs[0];
    if (options_.norm_first) {
        x = add(x, attend(one(*norm1_, x, context)));
        x = add(x, look_up(one(*norm2_, x, context)));
        return {add(x, think(one(*norm3_, x, context)))};
    }
    x = one(*norm1_, add(x, attend(x)), context);
    x = one(*norm2_, add(x, look_up(x)), context);
    return {one(*norm3_, add(x, think(x)), context)};
}

PositionalEncoding::PositionalEncoding(std::int64_t length, std::int64_t width, bool learned,
                                       DType dtype)
    : length_(length), width_(width) {
    if (length < 1 || width < 1)
        throw ValueError(fmt::format("PositionalEncoding: {} places of {} numbers", length, width));
    if (learned) {
        weight_ = &add_parameter("weight", Tensor::zeros({length, width}, dtype));
        return;
    }
    std::vector<double> values(static_cast<std::size_t>(length * width));
    for (std::int64_t i = 0; i < length; ++i)
        for (std::int64_t j = 0; j < width; ++j) {
            const double rate = std::exp(-std::log(10000.0) * static_cast<double>(j / 2 * 2) /
                                         static_cast<double>(width));
            const double angle = static_cast<double>(i) * rate;
            values[static_cast<std::size_t>(i * width + j)] =
                j % 2 == 0 ? std::sin(angle) : std::cos(angle);
        }
    waves_ = to(Tensor::from(values, {length, width}), dtype);
}

Tensors PositionalEncoding::forward(std::span<const Tensor> inputs, const ForwardContext&) {
    const Tensor& x = inputs[0];
    if (x.dim() != 3 || x.size(2) != width_ || x.size(1) > length_)
        throw ShapeError(fmt::format("PositionalEncoding is made for at most {} places of {} "
                                     "numbers (3-D), input is {}",
                                     length_, width_, x.shape().str()));
    Tensor rows = weight_ != nullptr ? *weight_ : waves_;
    if (rows.device() != x.device()) rows = to(rows, x.device());
    if (x.size(1) < length_) rows = slice(rows, 0, 0, x.size(1));
    return {add(x, rows)};
}

void PositionalEncoding::reset_parameters(Generator& generator) {
    if (weight_ != nullptr) init::normal(*weight_, generator, 0, 0.02);
}

} // namespace wiregrad::nn

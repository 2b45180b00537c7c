// Rows of attention. Inputs query, key, value, mask, random; the hidden output holds the logarithm
// of each row's sum of exponentials, from which backward finds the weights again. A backward that
// is itself recorded, or that wants the gradient of the mask, goes through smaller ops.
#include "engine/backend/cpu/attention.h"

#include <cmath>
#include <limits>

#include "engine/op/nn/common.h"
#include "engine/op/nn/composed.h"
#include "engine/op/nn/rows.h"

namespace wiregrad {

namespace {

using namespace rows;

Shape leading(const Shape& shape) {
    return Shape(shape.span().first(static_cast<std::size_t>(shape.size() - 2)));
}

struct Sizes {
    Shape lead;
    std::int64_t queries, keys, size, value_size;
};

Sizes sizes(std::string_view name, const Shape& q, const Shape& k, const Shape& v) {
    for (const Shape* shape : {&q, &k, &v})
        if (shape->size() < 2)
            throw ShapeError(fmt::format(
                "{}: query {}, key {} and value {} need at least two dimensions, rows and size",
                name, q.str(), k.str(), v.str()));
    if (q.back() != k.back())
        throw ShapeError(fmt::format("{}: queries of {} numbers do not fit keys of {} ({} and {})",
                                     name, q.back(), k.back(), q.str(), k.str()));
    if (k[k.size() - 2] != v[v.size() - 2])
        throw ShapeError(fmt::format("{}: key {} has {} rows but value {} has {}", name, k.str(),
                                     k[k.size() - 2], v.str(), v[v.size() - 2]));
    try {
        return {broadcast(broadcast(leading(q), leading(k)), leading(v)), q[q.size() - 2],
                k[k.size() - 2], q.back(), v.back()};
    } catch (const ShapeError&) {
        throw ShapeError(fmt::format(
            "{}: the leading dimensions of query {}, key {} and value {} do not broadcast", name,
            q.str(), k.str(), v.str()));
    }
}

Shape with(const Shape& lead, std::int64_t rows, std::int64_t columns) {
    Shape out = lead;
    out.push_back(rows);
    out.push_back(columns);
    return out;
}

Metas forward_shape(const ShapeCall& call) {
    const std::string_view name = call.op.name;
    require_floating(call, {0, 1, 2});
    const Sizes s = sizes(name, call.inputs[0].shape, call.inputs[1].shape, call.inputs[2].shape);
    if (present(call, 3)) {
        const TensorMeta& mask = call.inputs[3];
        const Shape scores = with(s.lead, s.queries, s.keys);
        bool fits = mask.shape.size() <= scores.size();
        if (fits) {
            try {
                fits = broadcast(mask.shape, scores) == scores;
            } catch (const ShapeError&) {
                fits = false;
            }
        }
        if (!fits)
            throw ShapeError(fmt::format("{}: mask {} does not broadcast to the scores {}", name,
                                         mask.shape.str(), scores.str()));
        if (mask.dtype != DType::Bool && mask.dtype != call.inputs[0].dtype)
            throw DTypeError(fmt::format("{}: the mask is {}, bool or {} is needed", name,
                                         name_of(mask.dtype), name_of(call.inputs[0].dtype)));
    }
    const double p = call.attrs.real("dropout_p");
    if (!(p >= 0 && p <= 1))
        throw ValueError(fmt::format("{}: dropout_p is {}, it must lie between 0 and 1", name, p));
    if (p > 0 && (!present(call, 4) || call.inputs[4].dtype != DType::Int64 ||
                  call.inputs[4].shape != Shape{2}))
        throw ValueError(
            fmt::format("{}: dropout needs random, int64[2] with seed and step", name));
    const TensorMeta& q = call.inputs[0];
    return {{with(s.lead, s.queries, s.value_size), q.dtype, q.device},
            {with(s.lead, s.queries, 1), q.dtype, q.device}};
}

/// Element offset of each item of `lead` in a tensor whose leading dimensions broadcast to it.
std::vector<std::int64_t> offsets_of(const Tensor& tensor, const Shape& lead) {
    std::vector<std::int64_t> out(static_cast<std::size_t>(numel(lead)), 0);
    const int shift = lead.size() - (tensor.dim() - 2);
    for (std::size_t item = 0; item < out.size(); ++item) {
        auto rest = static_cast<std::int64_t>(item);
        for (int d = lead.size() - 1; d >= 0; --d) {
            const std::int64_t at = rest % lead[d];
            rest /= lead[d];
            if (d >= shift && tensor.shape()[d - shift] != 1)
                out[item] += at * tensor.strides()[d - shift];
        }
    }
    return out;
}

/// One operand, in place where its rows are consecutive numbers.
template <class T> struct Operand {
    Tensor owner;
    std::vector<std::int64_t> offsets;
    Operand(const Tensor& tensor, const Shape& lead)
        : owner(tensor.size(-1) == 1 || tensor.strides()[tensor.dim() - 1] == 1
                    ? tensor
                    : tensor.contiguous()),
          offsets(offsets_of(owner, lead)) {}
    cpu::HeadRows<T> rows() const {
        return {owner.data<T>(), offsets.data(), owner.strides()[owner.dim() - 2]};
    }
};

template <class T> struct MaskOperand {
    Tensor owner;
    std::vector<std::int64_t> offsets;
    MaskOperand(const Tensor& mask, const Shape& lead) : owner(mask) {
        if (!mask) return;
        if (mask.dim() < 2) { // as rows of a matrix
            Shape shape = Dims::filled(2, 1);
            Strides strides = Dims::filled(2, 0);
            if (mask.dim() == 1) {
                shape[1] = mask.size(0);
                strides[1] = mask.strides()[0];
            }
            owner = mask.as_strided(shape, strides, mask.storage_offset());
        }
        offsets = offsets_of(owner, lead);
    }
    cpu::HeadMask<T> mask() const {
        if (!owner) return {};
        const int rank = owner.dim();
        cpu::HeadMask<T> out;
        out.offsets = offsets.data();
        out.row_stride = owner.size(-2) == 1 ? 0 : owner.strides()[rank - 2];
        out.column_stride = owner.size(-1) == 1 ? 0 : owner.strides()[rank - 1];
        if (owner.dtype() == DType::Bool)
            out.allowed = static_cast<const std::uint8_t*>(owner.raw());
        else
            out.added = owner.data<T>();
        return out;
    }
};

cpu::AttentionGeometry geometry(const Sizes& s, const Attrs& attrs) {
    cpu::AttentionGeometry g;
    g.heads = numel(s.lead);
    g.queries = s.queries;
    g.keys = s.keys;
    g.size = s.size;
    g.value_size = s.value_size;
    g.causal = attrs.flag("is_causal");
    g.scale = attrs.real("scale");
    g.dropout = attrs.real("dropout_p");
    return g;
}
void set_random(cpu::AttentionGeometry& g, const Tensor& random, const Attrs& attrs) {
    if (g.dropout <= 0) return;
    const Tensor values = random.contiguous();
    g.seed = static_cast<std::uint64_t>(values.data<std::int64_t>()[0]);
    g.offset = static_cast<std::uint64_t>(attrs.integer("stream")) << 32 ^
               static_cast<std::uint64_t>(values.data<std::int64_t>()[1]);
}

Tensor working_space(std::size_t count, DType dtype) {
    return Tensor::empty({dtype == DType::Float32 ? static_cast<std::int64_t>(count) : 0}, dtype);
}

void forward_kernel(const KernelCall& call) {
    const Sizes s =
        sizes(call.op.name, call.inputs[0].shape(), call.inputs[1].shape(), call.inputs[2].shape());
    cpu::AttentionGeometry g = geometry(s, call.attrs);
    set_random(g, call.inputs[4], call.attrs);
    if (call.outputs[0].numel() == 0) return;
    by_float(call.inputs[0].dtype(), [&]<class T>(T) {
        const Operand<T> q(call.inputs[0], s.lead), k(call.inputs[1], s.lead),
            v(call.inputs[2], s.lead);
        const MaskOperand<T> mask(call.inputs[3], s.lead);
        Tensor space = working_space(cpu::attention_forward_space(g), kDTypeOf<T>);
        cpu::attention_forward(g,
                               cpu::AttentionForward<T>{q.rows(), k.rows(), v.rows(), mask.mask(),
                                                        call.outputs[0].data_mut<T>(),
                                                        call.outputs[1].data_mut<T>()},
                               space.data_mut<T>());
    });
}

Cost forward_cost(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    const Sizes s =
        sizes(call.op.name, call.inputs[0].shape, call.inputs[1].shape, call.inputs[2].shape);
    const double scores =
        static_cast<double>(numel(s.lead) * s.queries) * static_cast<double>(s.keys);
    return {scores * (2.0 * static_cast<double>(s.size + s.value_size) + 5),
            traffic(call, outputs)};
}

// --- the same in smaller ops: softmax(q k^T scale + mask), dropout, times v

Tensor where_allowed(const Tensor& allowed, const Tensor& scores) {
    return masked_fill(scores, logical_not(allowed), -std::numeric_limits<double>::infinity());
}

Tensor composed(const GradCall& call, const Tensors& in) {
    const Tensor &q = in[0], &k = in[1], &v = in[2], &mask = in[3];
    Tensor scores = mul(matmul(q, transpose(k, -2, -1)), call.attrs.real("scale"));
    const std::int64_t queries = q.size(-2), keys = k.size(-2);
    if (mask && mask.dtype() == DType::Bool)
        scores = where_allowed(mask, scores);
    else if (mask)
        scores = add(scores, mask);
    if (call.attrs.flag("is_causal"))
        scores = where_allowed(
            ge(reshape(arange(queries), {queries, 1}), reshape(arange(keys), {1, keys})), scores);
    // A query without any key to look at has no weights at all.
    const Tensor nothing =
        eq(amax(scores.detach(), {-1}, true),
           Tensor::full({1}, -std::numeric_limits<double>::infinity(), scores.dtype()));
    Tensor weights = masked_fill(softmax(masked_fill(scores, nothing, 0), -1), nothing, 0);
    const double p = call.attrs.real("dropout_p");
    if (p > 0) weights = dropout(weights, p, in[4], call.attrs.integer("stream"));
    return matmul(weights, v);
}

/// The gradient of a broadcast operand.
Tensor reduced(const Tensor& grad, const Shape& shape) {
    return grad.shape() == shape ? grad : sum_to(grad, shape);
}

Tensors forward_gradient(const GradCall& call) {
    const bool of_mask = call.need(3);
    if (autograd::enabled() || of_mask) {
        const autograd::EnableGrad recorded;
        const Tensor grads[] = {call.grads[0]};
        Tensors out =
            composed_gradient([&](const Tensors& in) { return Tensors{composed(call, in)}; },
                              call.inputs, grads, call.needs);
        return out;
    }
    static const Op& op = find_op("scaled_dot_product_attention_backward");
    const Tensor inputs[] = {call.grads[0],  call.inputs[0], call.inputs[1],  call.inputs[2],
                             call.inputs[3], call.inputs[4], call.outputs[0], call.outputs[1]};
    const Tensors grads = wiregrad::call(op, inputs, call.attrs);
    Tensors out(5);
    for (int i = 0; i < 3; ++i)
        if (call.need(i))
            out[static_cast<std::size_t>(i)] =
                reduced(grads[static_cast<std::size_t>(i)],
                        call.input_metas[static_cast<std::size_t>(i)].shape);
    return out;
}

// --- backward: inputs gradient, query, key, value, mask, random, output, log sums; outputs the
// gradients of query, key and value over all leading dimensions, not yet summed to broadcast inputs

Metas backward_shape(const ShapeCall& call) {
    const Sizes s =
        sizes(call.op.name, call.inputs[1].shape, call.inputs[2].shape, call.inputs[3].shape);
    const auto meta = [&](std::int64_t rows, std::int64_t columns) {
        return TensorMeta{with(s.lead, rows, columns), call.inputs[1].dtype, call.inputs[1].device};
    };
    return {meta(s.queries, s.size), meta(s.keys, s.size), meta(s.keys, s.value_size)};
}

void backward_kernel(const KernelCall& call) {
    const Sizes s =
        sizes(call.op.name, call.inputs[1].shape(), call.inputs[2].shape(), call.inputs[3].shape());
    cpu::AttentionGeometry g = geometry(s, call.attrs);
    set_random(g, call.inputs[5], call.attrs);
    const Tensor grad = call.inputs[0].contiguous(), y = call.inputs[6].contiguous(),
                 log_sums = call.inputs[7].contiguous();
    by_float(grad.dtype(), [&]<class T>(T) {
        const Operand<T> q(call.inputs[1], s.lead), k(call.inputs[2], s.lead),
            v(call.inputs[3], s.lead);
        const MaskOperand<T> mask(call.inputs[4], s.lead);
        Tensor space = working_space(cpu::attention_backward_space(g), kDTypeOf<T>);
        cpu::attention_backward(
            g,
            cpu::AttentionBackward<T>{q.rows(), k.rows(), v.rows(), mask.mask(), y.data<T>(),
                                      log_sums.data<T>(), grad.data<T>(),
                                      call.outputs[0].data_mut<T>(), call.outputs[1].data_mut<T>(),
                                      call.outputs[2].data_mut<T>()},
            space.data_mut<T>());
    });
}

Cost backward_cost(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    const Sizes s =
        sizes(call.op.name, call.inputs[1].shape, call.inputs[2].shape, call.inputs[3].shape);
    const double scores =
        static_cast<double>(numel(s.lead) * s.queries) * static_cast<double>(s.keys);
    return {scores * (6.0 * static_cast<double>(s.size) + 4.0 * static_cast<double>(s.value_size)),
            traffic(call, outputs)};
}

} // namespace

std::span<const Op> attention_rows() {
    static const Op rows[] = {
        {.name = "scaled_dot_product_attention",
         .help = "softmax(q k^T scale + mask) v; weights dropped with probability dropout_p.",
         .shape = forward_shape,
         .kernel = {forward_kernel},
         .gradient = forward_gradient,
         .saves = always<31, 3>,
         .cost = forward_cost},
        {.name = "scaled_dot_product_attention_backward",
         .help = "Gradients of scaled_dot_product_attention by query, key and value.",
         .shape = backward_shape,
         .kernel = {backward_kernel},
         .cost = backward_cost,
         .flags = kNoGrad,
         .visible_outputs = 3},
    };
    return rows;
}

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Tensor& mask, const AttentionOptions& options) {
    static const Op& op = find_op("scaled_dot_product_attention");
    const double size =
        query.dim() > 0 ? static_cast<double>(std::max<std::int64_t>(query.size(-1), 1)) : 1;
    const Tensor inputs[] = {query, key, value, mask, options.random};
    return call(op, inputs,
                {{"is_causal", options.is_causal},
                 {"scale", options.scale.value_or(1 / std::sqrt(size))},
                 {"dropout_p", options.dropout_p},
                 {"stream", options.stream}})[0];
}

} // namespace wiregrad

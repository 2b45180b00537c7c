// Rows of embedding.
#include <algorithm>

#include "engine/op/nn/common.h"
#include "engine/op/nn/rows.h"
#include "engine/op/ops.h"

namespace wiregrad {

namespace {

using namespace rows;

// --- embedding: inputs index, weight

Metas embedding_shape(const ShapeCall& call) {
    require_floating(call, {1});
    if (call.inputs[0].dtype != DType::Int64)
        throw DTypeError(fmt::format("embedding: the index is {}, int64 is needed",
                                     name_of(call.inputs[0].dtype)));
    const Shape& weight = call.inputs[1].shape;
    if (weight.size() != 2)
        throw ShapeError(
            fmt::format("embedding: weight {} must be [rows, features]", weight.str()));
    const std::int64_t padding = call.attrs.integer("padding_idx");
    if (padding >= weight[0])
        throw ValueError(fmt::format(
            "embedding: padding_idx {} is outside the {} rows of the weight", padding, weight[0]));
    Shape out = call.inputs[0].shape;
    out.push_back(weight[1]);
    return {{out, call.inputs[1].dtype, call.inputs[1].device}};
}

void check_index(const Op& op, const std::int64_t* index, std::int64_t count, std::int64_t rows) {
    for (std::int64_t i = 0; i < count; ++i)
        if (index[i] < 0 || index[i] >= rows)
            throw ValueError(fmt::format("{}: index {} at position {} is outside [0, {})", op.name,
                                         index[i], i, rows));
}

void embedding_kernel(const KernelCall& call) {
    const Tensor index = call.inputs[0].contiguous(), weight = call.inputs[1].contiguous();
    const std::int64_t count = index.numel(), width = weight.size(1);
    const std::int64_t* at = index.data<std::int64_t>();
    check_index(call.op, at, count, weight.size(0));
    const std::int64_t blank =
        call.attrs.flag("blank_padding") ? call.attrs.integer("padding_idx") : -1;
    by_float(weight.dtype(), [&]<class T>(T) {
        const T* rows = weight.data<T>();
        T* out = call.outputs[0].data_mut<T>();
#pragma omp parallel for schedule(static) if (count * width > 65536)
        for (std::int64_t i = 0; i < count; ++i) {
            if (at[i] == blank)
                std::fill_n(out + i * width, width, T(0));
            else
                std::copy_n(rows + at[i] * width, width, out + i * width);
        }
    });
}

Tensors embedding_gradient(const GradCall& call) {
    Tensors out(2);
    if (!call.need(1)) return out;
    static const Op& op = find_op("embedding_backward");
    const Tensor inputs[] = {call.grads[0], call.inputs[0]};
    out[1] = wiregrad::call(op, inputs,
                            {{"rows", call.input_metas[1].shape[0]},
                             {"padding_idx", call.attrs.integer("padding_idx")}})[0];
    return out;
}

// --- embedding_backward: inputs gradient, index. Rows are added in the order of the index, so the
// sum is always the same.

Metas embedding_backward_shape(const ShapeCall& call) {
    require_floating(call, {0});
    const Shape& grad = call.inputs[0].shape;
    Shape expected = call.inputs[1].shape;
    expected.push_back(grad.empty() ? 0 : grad.back());
    if (grad != expected)
        throw ShapeError(fmt::format("embedding_backward: gradient {} does not belong to index {}",
                                     grad.str(), call.inputs[1].shape.str()));
    return {{Shape{call.attrs.integer("rows"), grad.back()}, call.inputs[0].dtype,
             call.inputs[0].device}};
}

void embedding_backward_kernel(const KernelCall& call) {
    const Tensor grad = call.inputs[0].contiguous(), index = call.inputs[1].contiguous();
    const std::int64_t count = index.numel(), width = grad.shape().back(),
                       rows = call.attrs.integer("rows");
    const std::int64_t padding = call.attrs.integer("padding_idx");
    const std::int64_t* at = index.data<std::int64_t>();
    check_index(call.op, at, count, rows);
    by_float(grad.dtype(), [&]<class T>(T) {
        const T* source = grad.data<T>();
        T* out = call.outputs[0].data_mut<T>();
        std::fill_n(out, rows * width, T(0));
        constexpr std::int64_t kBlock =
            64; // columns are independent: threads share them, never a row's order
        const std::int64_t blocks = (width + kBlock - 1) / kBlock;
#pragma omp parallel for schedule(static) if (count * width > 65536)
        for (std::int64_t block = 0; block < blocks; ++block) {
            const std::int64_t first = block * kBlock, last = std::min(width, first + kBlock);
            for (std::int64_t i = 0; i < count; ++i) {
                if (at[i] == padding) continue;
                T* row = out + at[i] * width;
                for (std::int64_t c = first; c < last; ++c)
                    row[c] += source[i * width + c];
            }
        }
    });
}

Tensor look_up(const Tensor& index, const Tensor& weight, std::int64_t padding_idx,
               bool blank_padding) {
    static const Op& op = find_op("embedding");
    const Tensor inputs[] = {index, weight};
    return call(op, inputs, {{"padding_idx", padding_idx}, {"blank_padding", blank_padding}})[0];
}

Tensors embedding_backward_gradient(const GradCall& call) {
    Tensors out(2);
    if (call.need(0))
        out[0] = look_up(call.inputs[1], call.grads[0], call.attrs.integer("padding_idx"), true);
    return out;
}

} // namespace

std::span<const Op> embedding_rows() {
    static const Op rows[] = {
        {.name = "embedding",
         .help = "Rows of weight by index; padding_idx gets no gradient.",
         .shape = embedding_shape,
         .kernel = {embedding_kernel},
         .gradient = embedding_gradient,
         .saves = always<1>,
         .onnx = "Gather"},
        {.name = "embedding_backward",
         .help = "Sums gradients into the rows they came from.",
         .shape = embedding_backward_shape,
         .kernel = {embedding_backward_kernel},
         .gradient = embedding_backward_gradient,
         .saves = always<2>},
    };
    return rows;
}

Tensor embedding(const Tensor& index, const Tensor& weight, std::int64_t padding_idx) {
    return look_up(index, weight, padding_idx, false);
}

} // namespace wiregrad

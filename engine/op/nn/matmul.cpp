#include "engine/backend/cpu/gemm.h"

#include <algorithm>

#include "engine/backend/cpu/bind.h"
#include "engine/op/nn/common.h"
#include "engine/op/nn/rows.h"
#include "engine/op/ops.h"

namespace wiregrad {

namespace {

using namespace rows;

Shape batch_of(const Shape& shape) {
    return Shape(shape.span().first(static_cast<std::size_t>(shape.size() - 2)));
}

// --- matmul

Metas matmul_shape(const ShapeCall& call) {
    require_floating(call, {0, 1});
    const Shape &a = call.inputs[0].shape, &b = call.inputs[1].shape;
    if (a.size() < 2 || b.size() < 2)
        throw ShapeError(fmt::format("matmul: at least two dimensions are needed, got {} and {}",
                                     a.str(), b.str()));
    if (a.back() != b[b.size() - 2])
        throw ShapeError(fmt::format("matmul: {} has {} columns but {} has {} rows", a.str(),
                                     a.back(), b.str(), b[b.size() - 2]));
    Shape out;
    try {
        out = broadcast(batch_of(a), batch_of(b));
    } catch (const ShapeError&) {
        throw ShapeError(fmt::format("matmul: the batch dimensions of {} and {} do not broadcast",
                                     a.str(), b.str()));
    }
    out.push_back(a[a.size() - 2]);
    out.push_back(b.back());
    return {{out, call.inputs[0].dtype, call.inputs[0].device}};
}

/// A matrix as BLAS sees it; `owner` holds a copy when the strides did not fit.
struct Operand {
    Tensor owner;
    bool transposed = false;
    std::int64_t leading = 1;
};

Operand operand(const Tensor& tensor) {
    const int rank = tensor.dim();
    const std::int64_t rows = tensor.size(rank - 2), columns = tensor.size(rank - 1);
    const std::int64_t row_stride = tensor.strides()[rank - 2],
                       column_stride = tensor.strides()[rank - 1];
    if ((column_stride == 1 || columns == 1) && (rows == 1 || row_stride >= columns))
        return {tensor, false,
                std::max<std::int64_t>({rows == 1 ? columns : row_stride, columns, 1})};
    if ((row_stride == 1 || rows == 1) && (columns == 1 || column_stride >= rows))
        return {tensor, true,
                std::max<std::int64_t>({columns == 1 ? rows : column_stride, rows, 1})};
    return {tensor.contiguous(), false, std::max<std::int64_t>(columns, 1)};
}

/// Element offset of batch item `item` of `tensor` when its batch dimensions are broadcast to
/// `batch`.
std::int64_t batch_offset(const Tensor& tensor, const Shape& batch, std::int64_t item) {
    std::int64_t offset = 0;
    const int shift = batch.size() - (tensor.dim() - 2);
    for (int d = batch.size() - 1; d >= 0; --d) {
        const std::int64_t at = item % batch[d];
        item /= batch[d];
        if (d >= shift && tensor.shape()[d - shift] != 1)
            offset += at * tensor.strides()[d - shift];
    }
    return offset;
}

void matmul_kernel(const KernelCall& call) {
    Tensor out = call.outputs[0];
    if (out.numel() == 0) return;
    const Operand a = operand(call.inputs[0]), b = operand(call.inputs[1]);
    const Shape batch = batch_of(out.shape());
    cpu::GemmGeometry g{a.transposed, b.transposed, out.size(-2), out.size(-1), a.owner.size(-1),
                        a.leading,    b.leading,    out.size(-1), false};
    std::int64_t items = numel(batch);
    // Many left matrices times one right matrix is one product.
    if (items > 1 && call.inputs[1].dim() == 2 && !a.transposed && a.owner.is_contiguous()) {
        g.m *= items;
        items = 1;
    }
    by_float(out.dtype(), [&]<class T>(T) {
        const T *left = a.owner.data<T>(), *right = b.owner.data<T>();
        T* target = out.data_mut<T>();
        for (std::int64_t i = 0; i < items; ++i)
            cpu::gemm(g, left + (items > 1 ? batch_offset(a.owner, batch, i) : 0),
                      right + (items > 1 ? batch_offset(b.owner, batch, i) : 0),
                      target + i * g.m * g.n);
    });
}

Tensors matmul_gradient(const GradCall& call) {
    const Shape &a_shape = call.input_metas[0].shape, &b_shape = call.input_metas[1].shape;
    const Tensor &a = call.inputs[0], &b = call.inputs[1], &g = call.grads[0];
    Tensors out(2);
    if (call.need(0)) out[0] = sum_to(matmul(g, transpose(b, -2, -1)), a_shape);
    if (call.need(1)) {
        if (b_shape.size() == 2 && a_shape.size() > 2) {
            const std::int64_t k = a_shape.back(), n = b_shape[1];
            std::int64_t m = 1; // not by division: there may be no columns
            for (int d = 0; d + 1 < a_shape.size(); ++d)
                m *= a_shape[d];
            out[1] = matmul(transpose(reshape(a, {m, k}), 0, 1), reshape(g, {m, n}));
        } else {
            out[1] = sum_to(matmul(transpose(a, -2, -1), g), b_shape);
        }
    }
    return out;
}

Saves matmul_saves(Mask needs, const Attrs&) {
    return {((needs & 1U) ? 2U : 0U) | ((needs & 2U) ? 1U : 0U), 0};
}

Cost matmul_cost(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    return {2.0 * static_cast<double>(numel(outputs[0].shape)) *
                static_cast<double>(call.inputs[0].shape.back()),
            traffic(call, outputs)};
}

// --- linear: inputs x, weight, bias

Metas linear_shape(const ShapeCall& call) {
    require_floating(call, {0, 1, 2});
    const Shape &x = call.inputs[0].shape, &weight = call.inputs[1].shape;
    if (weight.size() != 2)
        throw ShapeError(
            fmt::format("linear: weight {} must be [out_features, in_features]", weight.str()));
    if (x.empty()) throw ShapeError("linear: the input needs at least one dimension, got a scalar");
    if (x.back() != weight[1])
        throw ShapeError(fmt::format("linear: weight {} expects {} input features, input {} has {}",
                                     weight.str(), weight[1], x.str(), x.back()));
    if (present(call, 2) && call.inputs[2].shape != Shape{weight[0]})
        throw ShapeError(fmt::format("linear: bias {} does not match weight {}",
                                     call.inputs[2].shape.str(), weight.str()));
    Shape out = x;
    out[out.size() - 1] = weight[0];
    return {{out, call.inputs[0].dtype, call.inputs[0].device}};
}

void linear_kernel(const KernelCall& call) {
    Tensor out = call.outputs[0];
    if (out.numel() == 0) return;
    const Tensor x = call.inputs[0].contiguous();
    const Operand weight = operand(call.inputs[1]);
    const std::int64_t in = call.inputs[1].size(1), features = call.inputs[1].size(0),
                       rows = out.numel() / features;
    by_float(out.dtype(), [&]<class T>(T) {
        Tensor keep;
        const T* bias = data_or_null<T>(call.inputs[2], keep);
        T* target = out.data_mut<T>();
        if (bias != nullptr)
            for (std::int64_t r = 0; r < rows; ++r)
                std::copy_n(bias, features, target + r * features);
        const cpu::GemmGeometry g{false,
                                  !weight.transposed,
                                  rows,
                                  features,
                                  in,
                                  std::max<std::int64_t>(in, 1),
                                  weight.leading,
                                  features,
                                  bias != nullptr};
        cpu::gemm(g, x.data<T>(), weight.owner.data<T>(), target);
    });
}

Tensors linear_gradient(const GradCall& call) {
    const Shape &x_shape = call.input_metas[0].shape, &weight_shape = call.input_metas[1].shape;
    std::int64_t rows = 1;
    for (int d = 0; d + 1 < x_shape.size(); ++d)
        rows *= x_shape[d];
    const Tensor g = reshape(call.grads[0], {rows, weight_shape[0]});
    Tensors out(3);
    if (call.need(0)) out[0] = reshape(matmul(g, call.inputs[1]), x_shape);
    if (call.need(1))
        out[1] = matmul(transpose(g, 0, 1), reshape(call.inputs[0], {rows, weight_shape[1]}));
    if (call.need(2)) out[2] = sum(g, {0});
    return out;
}

Cost linear_cost(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    return {2.0 * static_cast<double>(numel(outputs[0].shape)) *
                static_cast<double>(call.inputs[1].shape[1]),
            traffic(call, outputs)};
}

// --- bind rules

/// A matrix of a bound product as BLAS sees it; no leading dimension where its strides do not fit.
struct BoundMatrix {
    bool transposed = false;
    std::int64_t leading = 0;
};
BoundMatrix matrix_of(const BindValue& value) {
    const int rank = value.meta.shape.size();
    const std::int64_t rows = value.meta.shape[rank - 2], columns = value.meta.shape[rank - 1],
                       row_stride = value.strides[rank - 2],
                       column_stride = value.strides[rank - 1];
    if (!value.layout.plain()) return {};
    if ((column_stride == 1 || columns == 1) && (rows == 1 || row_stride >= columns))
        return {false, rows == 1 ? columns : row_stride};
    if ((row_stride == 1 || rows == 1) && (columns == 1 || column_stride >= rows))
        return {true, columns == 1 ? rows : column_stride};
    return {};
}

bool plain_floats(BindCall& call) {
    for (std::span<BindValue> values : {call.inputs, call.outputs})
        for (BindValue& value : values) {
            if (value.any) {
                value.layout = Layout();
                value.strides = contiguous_strides(value.meta.shape);
            }
            if (!value.layout.plain()) return false;
        }
    return call.outputs[0].meta.dtype == DType::Float32 && numel(call.outputs[0].meta.shape) > 0 &&
           call.outputs[0].contiguous();
}

std::unique_ptr<Bound> bind_matmul(BindCall& call) {
    if (!plain_floats(call)) return nullptr;
    const Shape &x = call.inputs[0].meta.shape, &w = call.inputs[1].meta.shape;
    const std::int64_t items = numel(call.outputs[0].meta.shape) / (x[x.size() - 2] * w.back());
    const bool many = items > 1;
    // Many left matrices times one right matrix is one product.
    if (many && (w.size() > 2 || !call.inputs[0].contiguous())) return nullptr;
    const BoundMatrix a = many ? BoundMatrix{false, x.back()} : matrix_of(call.inputs[0]),
                      b = matrix_of(call.inputs[1]);
    if (a.leading == 0 || b.leading == 0) return nullptr;
    return cpu::bind_gemm({a.transposed, b.transposed, items * x[x.size() - 2], w.back(), x.back(),
                           a.leading, b.leading, w.back(), false},
                          {}, call, 0, 1);
}

} // namespace

std::unique_ptr<Bound> bind_linear(BindCall& call) {
    if (!plain_floats(call) || !call.inputs[0].contiguous()) return nullptr;
    const BoundMatrix weight = matrix_of(call.inputs[1]);
    const std::int64_t in = call.inputs[1].meta.shape[1], out = call.inputs[1].meta.shape[0],
                       rows = numel(call.outputs[0].meta.shape) / out;
    if (weight.leading == 0 || in == 0) return nullptr;
    return cpu::bind_gemm(
        {false, !weight.transposed, rows, out, in, in, weight.leading, out, false},
        cpu::activation_of(call.attrs), call, 0, 1);
}
std::unique_ptr<Bound> bind_linear_weight_grad(BindCall& call) {
    if (!plain_floats(call) || !call.inputs[0].contiguous() || !call.inputs[1].contiguous())
        return nullptr;
    const Shape &g = call.inputs[0].meta.shape, &x = call.inputs[1].meta.shape;
    return cpu::bind_linear_grads(g[0], x[1], g[1], call);
}

std::span<const Op> matmul_rows() {
    static const Op rows[] = {
        {.name = "matmul",
         .help = "Matrix product over the last two dimensions; the others broadcast.",
         .shape = matmul_shape,
         .kernel = {matmul_kernel},
         .gradient = matmul_gradient,
         .saves = matmul_saves,
         .cost = matmul_cost,
         .onnx = "MatMul",
         .bind = {bind_matmul}},
        {.name = "linear",
         .help = "x weight^T + bias",
         .shape = linear_shape,
         .kernel = {linear_kernel},
         .gradient = linear_gradient,
         .saves = matmul_saves,
         .cost = linear_cost,
         .onnx = "Gemm",
         .bind = {bind_linear}},
    };
    return rows;
}

Tensor matmul(const Tensor& a, const Tensor& b) {
    static const Op& op = find_op("matmul");
    const bool vector_a = a.dim() == 1, vector_b = b.dim() == 1;
    const Tensor inputs[] = {vector_a ? unsqueeze(a, 0) : a, vector_b ? unsqueeze(b, 1) : b};
    Tensor out = call(op, inputs)[0];
    if (vector_b) out = squeeze(out, -1);
    if (vector_a) out = squeeze(out, vector_b ? -1 : -2);
    return out;
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    static const Op& op = find_op("linear");
    const Tensor inputs[] = {x, weight, bias};
    return call(op, inputs)[0];
}

} // namespace wiregrad

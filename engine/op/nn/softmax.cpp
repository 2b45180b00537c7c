// Rows of softmax and log_softmax; their backward is an op of the output, differentiable in both
// arguments.
#include "engine/backend/cpu/softmax.h"

#include "engine/op/nn/common.h"
#include "engine/op/nn/rows.h"
#include "engine/op/ops.h"

namespace wiregrad {

namespace {

using namespace rows;

cpu::AxisGeometry axis_of(const Shape& shape, std::int64_t dim) {
    cpu::AxisGeometry g{1, 1, 1};
    for (int d = 0; d < shape.size(); ++d)
        (d < dim ? g.outer : d == dim ? g.size : g.inner) *= shape[d];
    return g;
}

Metas softmax_shape(const ShapeCall& call) {
    require_floating(call, {0});
    const Shape& x = call.inputs[0].shape;
    if (x.empty())
        throw ShapeError(
            fmt::format("{}: the input needs at least one dimension, got a scalar", call.op.name));
    wrap_dim(call.attrs.integer("dim"), x.size());
    return {call.inputs[0]};
}

template <bool kLog> void softmax_kernel(const KernelCall& call) {
    const Tensor x = call.inputs[0].contiguous();
    const cpu::AxisGeometry g = axis_of(x.shape(), call.attrs.integer("dim"));
    by_float(x.dtype(), [&]<class T>(T) {
        cpu::softmax_forward(g, kLog, x.data<T>(), call.outputs[0].data_mut<T>());
    });
}

template <bool kLog> Tensors softmax_gradient(const GradCall& call) {
    static const Op& op = find_op(kLog ? "log_softmax_backward" : "softmax_backward");
    const Tensor inputs[] = {call.grads[0], call.outputs[0]};
    return wiregrad::call(op, inputs, call.attrs);
}

Metas backward_shape(const ShapeCall& call) {
    require_floating(call, {0, 1});
    if (call.inputs[0].shape != call.inputs[1].shape)
        throw ShapeError(fmt::format("{}: the gradient is {}, the output is {}", call.op.name,
                                     call.inputs[0].shape.str(), call.inputs[1].shape.str()));
    return {call.inputs[0]};
}

template <bool kLog> void backward_kernel(const KernelCall& call) {
    const Tensor grad = call.inputs[0].contiguous(), y = call.inputs[1].contiguous();
    const cpu::AxisGeometry g = axis_of(y.shape(), call.attrs.integer("dim"));
    by_float(y.dtype(), [&]<class T>(T) {
        cpu::softmax_backward(g, kLog, grad.data<T>(), y.data<T>(), call.outputs[0].data_mut<T>());
    });
}

// y (g - sum(g y)) with cotangent v: by g it is the same symmetric map, by y it is v (g - sum(g y))
// - g sum(v y).
Tensors softmax_backward_gradient(const GradCall& call) {
    static const Op& op = find_op("softmax_backward");
    const Dims dim{call.attrs.integer("dim")};
    const Tensor &g = call.inputs[0], &y = call.inputs[1], &v = call.grads[0];
    Tensors out(2);
    if (call.need(0)) {
        const Tensor inputs[] = {v, y};
        out[0] = wiregrad::call(op, inputs, call.attrs)[0];
    }
    if (call.need(1))
        out[1] = sub(mul(v, sub(g, sum(mul(g, y), dim, true))), mul(g, sum(mul(v, y), dim, true)));
    return out;
}

// g - exp(y) sum(g) with cotangent v: by g it is v - sum(v exp(y)), by y it is -v exp(y) sum(g).
Tensors log_softmax_backward_gradient(const GradCall& call) {
    const Dims dim{call.attrs.integer("dim")};
    const Tensor &g = call.inputs[0], &v = call.grads[0];
    const Tensor pulled = mul(v, exp(call.inputs[1]));
    Tensors out(2);
    if (call.need(0)) out[0] = sub(v, sum(pulled, dim, true));
    if (call.need(1)) out[1] = neg(mul(pulled, sum(g, dim, true)));
    return out;
}

Tensor along(std::string_view name, const Tensor& x, std::int64_t dim) {
    const Op& op = find_op(name);
    const Tensor inputs[] = {x};
    return call(
        op, inputs,
        {{"dim", x.dim() == 0 ? dim : static_cast<std::int64_t>(wrap_dim(dim, x.dim()))}})[0];
}

} // namespace

std::span<const Op> softmax_rows() {
    static const Op rows[] = {
        {.name = "softmax",
         .help = "exp(x) / sum(exp(x)) along dim",
         .shape = softmax_shape,
         .kernel = {softmax_kernel<false>},
         .gradient = softmax_gradient<false>,
         .saves = always<0, 1>,
         .cost = per_input_element<5>,
         .onnx = "Softmax"},
        {.name = "log_softmax",
         .help = "x - log(sum(exp(x))) along dim",
         .shape = softmax_shape,
         .kernel = {softmax_kernel<true>},
         .gradient = softmax_gradient<true>,
         .saves = always<0, 1>,
         .cost = per_input_element<5>,
         .onnx = "LogSoftmax"},
        {.name = "softmax_backward",
         .help = "y (g - sum(g y)) along dim",
         .shape = backward_shape,
         .kernel = {backward_kernel<false>},
         .gradient = softmax_backward_gradient,
         .saves = always<3>,
         .cost = per_input_element<4>},
        {.name = "log_softmax_backward",
         .help = "g - exp(y) sum(g) along dim",
         .shape = backward_shape,
         .kernel = {backward_kernel<true>},
         .gradient = log_softmax_backward_gradient,
         .saves = always<3>,
         .cost = per_input_element<4>},
    };
    return rows;
}

Tensor softmax(const Tensor& x, std::int64_t dim) {
    return along("softmax", x, dim);
}
Tensor log_softmax(const Tensor& x, std::int64_t dim) {
    return along("log_softmax", x, dim);
}

} // namespace wiregrad

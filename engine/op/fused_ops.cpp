// Rows that only the passes of engine/program make, out of instructions that are already
// differentiated; hence no gradients. A backend gives those with a kernel a bind rule
// (engine/op/bind.h); the kernels here are the slow truth beside it and run where it returns null.
//
// For backends, what bind may do for them (inputs; outputs; attributes):
//   linear_act          x, weight, bias or none; y = f(x weight^T + bias); "activation": the name
//                       of a unary row without attributes ("relu", "tanh", ...)
//   conv2d_act          as conv2d and "activation"
//   batch_norm_act      as batch_norm (y is after the activation) and "activation"
//   batch_norm_act_backward  as batch_norm_backward behind the gradient of "activation", which is
//                       "relu"; inputs 5 and 6 are the bias and y of batch_norm_act
//   linear_weight_grad  gradient of y [rows, out], x [rows, in]; gradient of weight [out, in] and
//                       of bias [out]
//   reorder             x; the same value in another layout
// Run by engine/program itself on the CPU, listed for other devices and exporters:
//   elementwise         a chain of elementwise functors; Instruction::chain says which
//   sgd_step_multi_, adam_step_multi_   the inputs of several sgd_step_ / adam_step_, one after
//                       the other, with equal attributes; "each": inputs of one; absent ones are
//                       null pointers (there are more inputs than `present` has bits)
#include <fmt/format.h>

#include "engine/op/nn/common.h"
#include "engine/op/nn/rows.h"
#include "engine/op/registry.h"

namespace wiregrad {
namespace {

Metas shape_as(std::string_view base, const ShapeCall& call) {
    return find_op(base).shape({find_op(base), call.attrs, call.inputs, call.present});
}
Metas linear_act_shape(const ShapeCall& call) {
    return shape_as("linear", call);
}
Metas conv_act_shape(const ShapeCall& call) {
    return shape_as("conv2d", call);
}
Metas batch_norm_act_shape(const ShapeCall& call) {
    return shape_as("batch_norm", call);
}

/// The base row's kernel, then the activation over its first output, in place.
void run_with_activation(std::string_view base, const KernelCall& call) {
    const Op& first = find_op(base);
    const auto device = static_cast<std::size_t>(call.outputs[0].device().type);
    first.kernel[device]({first, call.attrs, call.inputs, call.outputs});
    const Op& second = find_op(call.attrs.text("activation"));
    const Attrs none;
    const Tensor from[] = {call.outputs[0]};
    Tensor to[] = {call.outputs[0]};
    second.kernel[device]({second, none, from, to});
}
void linear_act_kernel(const KernelCall& call) {
    run_with_activation("linear", call);
}
void conv_act_kernel(const KernelCall& call) {
    run_with_activation("conv2d", call);
}
void batch_norm_act_kernel(const KernelCall& call) {
    run_with_activation("batch_norm", call);
}

Metas batch_norm_act_backward_shape(const ShapeCall& call) {
    return find_op("batch_norm_backward")
        .shape(
            {find_op("batch_norm_backward"), call.attrs, call.inputs.first(5), call.present & 31U});
}
void batch_norm_act_backward_kernel(const KernelCall& call) {
    const Op &first = find_op("relu_backward"), &second = find_op("batch_norm_backward");
    const auto device = static_cast<std::size_t>(call.outputs[0].device().type);
    const Attrs none;
    const Tensor from[] = {call.inputs[0], call.inputs[6]};
    Tensor masked[] = {Tensor::empty(call.inputs[0].shape(), call.inputs[0].dtype())};
    first.kernel[device]({first, none, from, masked});
    const Tensor inputs[] = {masked[0], call.inputs[1], call.inputs[2], call.inputs[3],
                             call.inputs[4]};
    second.kernel[device]({second, call.attrs, inputs, call.outputs});
}

Cost linear_act_cost(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    return find_op("linear").cost(call, outputs);
}
Cost conv_act_cost(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    const Op& base = find_op("conv2d");
    return base.cost({base, call.attrs, call.inputs, call.present}, outputs);
}

Metas weight_grad_shape(const ShapeCall& call) {
    rows::require_floating(call, {0, 1});
    const TensorMeta &g = call.inputs[0], &x = call.inputs[1];
    if (g.shape.size() != 2 || x.shape.size() != 2 || g.shape[0] != x.shape[0])
        throw ShapeError(fmt::format("{}: the gradient {} and the input {} must be matrices with "
                                     "equal numbers of rows",
                                     call.op.name, g.shape.str(), x.shape.str()));
    return {{Shape{g.shape[1], x.shape[1]}, g.dtype, g.device},
            {Shape{g.shape[1]}, g.dtype, g.device}};
}
void weight_grad_kernel(const KernelCall& call) {
    const Op &product = find_op("matmul"), &sum = find_op("sum");
    const auto device = static_cast<std::size_t>(call.outputs[0].device().type);
    const Tensor& g = call.inputs[0];
    const Attrs none, over_rows{{"dims", Dims{0}}, {"keepdim", false}};
    const Tensor factors[] = {
        g.as_strided({g.size(1), g.size(0)}, {g.strides()[1], g.strides()[0]}, g.storage_offset()),
        call.inputs[1]};
    product.kernel[device]({product, none, factors, call.outputs.first(1)});
    sum.kernel[device]({sum, over_rows, call.inputs.first(1), call.outputs.subspan(1, 1)});
}
Cost weight_grad_cost(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    return {2.0 * static_cast<double>(numel(outputs[0].shape)) *
                    static_cast<double>(call.inputs[0].shape[0]) +
                static_cast<double>(numel(call.inputs[0].shape)),
            rows::traffic(call, outputs)};
}

/// A row of optim_ops(), while the table is still being made.
const Op& find_row(std::string_view name) {
    for (const Op& op : optim_ops())
        if (op.name == name) return op;
    throw ValueError("there is no row " + std::string(name));
}

Metas same_shape(const ShapeCall& call) {
    return {call.inputs[0]};
}
void reorder_kernel(const KernelCall& call) {
    cpu_copy(call.outputs[0], call.inputs[0]);
}

} // namespace

std::span<const Op> fused_ops() {
    static const Op rows[] = {
        {.name = "linear_act",
         .help = "activation(x weight^T + bias)",
         .shape = linear_act_shape,
         .kernel = {linear_act_kernel},
         .cost = linear_act_cost,
         .flags = kNoGrad,
         .bind = {bind_linear}},
        {.name = "conv2d_act",
         .help = "activation(conv2d(x, weight) + bias)",
         .shape = conv_act_shape,
         .kernel = {conv_act_kernel},
         .cost = conv_act_cost,
         .flags = kNoGrad,
         .bind = {bind_conv2d}},
        {.name = "batch_norm_act",
         .help = "activation(batch_norm(x))",
         .shape = batch_norm_act_shape,
         .kernel = {batch_norm_act_kernel},
         .flags = kNoGrad,
         .writes = 1U << 3 | 1U << 4,
         .bind = {bind_batch_norm}},
        {.name = "batch_norm_act_backward",
         .help = "batch_norm_backward of the gradient where y > 0",
         .shape = batch_norm_act_backward_shape,
         .kernel = {batch_norm_act_backward_kernel},
         .flags = kNoGrad,
         .bind = {bind_batch_norm_act_backward}},
        {.name = "linear_weight_grad",
         .help = "Gradients of linear by weight and bias: g^T x and the sum of g over rows.",
         .shape = weight_grad_shape,
         .kernel = {weight_grad_kernel},
         .cost = weight_grad_cost,
         .flags = kNoGrad,
         .bind = {bind_linear_weight_grad}},
        {.name = "reorder",
         .help = "x in another memory layout",
         .shape = same_shape,
         .kernel = {reorder_kernel},
         .flags = kNoGrad},
        {.name = "elementwise",
         .help = "A chain of elementwise functions in one pass.",
         .shape = same_shape,
         .flags = kNoGrad},
        {.name = "sgd_step_multi_",
         .help = "sgd_step_ for several weights.",
         .shape = same_shape,
         .flags = kInPlace | kNoGrad,
         .writes = find_row("sgd_step_").writes,
         .bind = find_row("sgd_step_").bind},
        {.name = "adam_step_multi_",
         .help = "adam_step_ for several weights.",
         .shape = same_shape,
         .flags = kInPlace | kNoGrad,
         .writes = find_row("adam_step_").writes,
         .bind = find_row("adam_step_").bind},
    };
    return rows;
}

} // namespace wiregrad

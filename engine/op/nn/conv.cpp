// Rows of convolution. The three kernels (forward, gradient of the input, gradient of the weight)
// are each an op, and each one's gradient is made of the other two, so convolutions can be
// differentiated any number of times.
#include "engine/backend/cpu/conv.h"
#include "engine/backend/cpu/bind.h"

#include "engine/op/nn/common.h"
#include "engine/op/nn/rows.h"
#include "engine/op/ops.h"

namespace wiregrad {

namespace {

using namespace rows;

void require_pair(const Op& op, std::string_view what, const Dims& dims, std::int64_t least) {
    if (dims.size() != 2 || dims[0] < least || dims[1] < least)
        throw ValueError(fmt::format("{}: {} {} must be two numbers of at least {}", op.name, what,
                                     dims.str(), least));
}

/// What a convolution and a transposed one ask alike of their attributes and ranks; `layout` is the
/// weight's.
void require_window(const Op& op, const Attrs& attrs, const Shape& x, const Shape& w,
                    std::string_view layout) {
    require_pair(op, "stride", attrs.dims("stride"), 1);
    require_pair(op, "padding", attrs.dims("padding"), 0);
    require_pair(op, "dilation", attrs.dims("dilation"), 1);
    const std::int64_t groups = attrs.integer("groups");
    if (groups < 1)
        throw ValueError(fmt::format("{}: groups is {}, it must be at least 1", op.name, groups));
    if (x.size() != 4)
        throw ShapeError(
            fmt::format("{}: input {} must be [batch, channels, height, width]", op.name, x.str()));
    if (w.size() != 4)
        throw ShapeError(fmt::format("{}: weight {} must be {}", op.name, w.str(), layout));
}

/// Geometry of the convolution of an input of shape x with a weight of shape w; refuses what does
/// not fit.
cpu::ConvGeometry geometry(const Op& op, const Attrs& attrs, const Shape& x, const Shape& w) {
    const Dims &stride = attrs.dims("stride"), &padding = attrs.dims("padding"),
               &dilation = attrs.dims("dilation");
    const std::int64_t groups = attrs.integer("groups");
    require_window(op, attrs, x, w, "[out_channels, in_channels / groups, height, width]");
    if (x[1] != w[1] * groups)
        throw ShapeError(fmt::format("{}: weight {}{} expects {} input channels, input {} has {}",
                                     op.name, w.str(),
                                     groups == 1 ? "" : fmt::format(" with groups {}", groups),
                                     w[1] * groups, x.str(), x[1]));
    if (w[0] % groups != 0)
        throw ShapeError(
            fmt::format("{}: {} output channels of weight {} cannot be split into {} groups",
                        op.name, w[0], w.str(), groups));
    if (w[2] < 1 || w[3] < 1)
        throw ShapeError(fmt::format("{}: weight {} has an empty kernel", op.name, w.str()));
    cpu::ConvGeometry g{.batch = x[0],
                        .in_channels = x[1],
                        .in_h = x[2],
                        .in_w = x[3],
                        .out_channels = w[0],
                        .kernel_h = w[2],
                        .kernel_w = w[3],
                        .stride_h = stride[0],
                        .stride_w = stride[1],
                        .pad_h = padding[0],
                        .pad_w = padding[1],
                        .dilation_h = dilation[0],
                        .dilation_w = dilation[1],
                        .groups = groups};
    const std::int64_t span_h = g.dilation_h * (g.kernel_h - 1) + 1,
                       span_w = g.dilation_w * (g.kernel_w - 1) + 1;
    const std::int64_t room_h = g.in_h + 2 * g.pad_h, room_w = g.in_w + 2 * g.pad_w;
    if (span_h > room_h || span_w > room_w)
        throw ShapeError(fmt::format(
            "{}: the kernel covers [{}, {}] but input {} padded by {} has only [{}, {}]", op.name,
            span_h, span_w, x.str(), padding.str(), room_h, room_w));
    g.out_h = (room_h - span_h) / g.stride_h + 1;
    g.out_w = (room_w - span_w) / g.stride_w + 1;
    return g;
}

Cost conv_cost(const cpu::ConvGeometry& g, const ShapeCall& call,
               std::span<const TensorMeta> outputs) {
    return {g.flops(), traffic(call, outputs)};
}

Attrs attributes(const ConvOptions& options) {
    return {{"stride", options.stride},
            {"padding", options.padding},
            {"dilation", options.dilation},
            {"groups", options.groups}};
}
ConvOptions options_of(const Attrs& attrs) {
    return {attrs.dims("stride"), attrs.dims("padding"), attrs.dims("dilation"),
            attrs.integer("groups")};
}

Tensor conv_input_grad(const Tensor& grad, const Tensor& weight, const Shape& input_size,
                       const ConvOptions& options) {
    static const Op& op = find_op("conv2d_input_grad");
    const Tensor inputs[] = {grad, weight};
    return call(op, inputs,
                {{"stride", options.stride},
                 {"padding", options.padding},
                 {"dilation", options.dilation},
                 {"groups", options.groups},
                 {"input_size", input_size}})[0];
}

/// The gradient of the weight and, when `with_bias`, of the bias.
Tensors conv_weight_grad(const Tensor& x, const Tensor& grad, const Shape& weight_size,
                         const ConvOptions& options, bool with_bias) {
    static const Op& op = find_op("conv2d_weight_grad");
    const Tensor inputs[] = {x, grad};
    return call(op, inputs,
                {{"stride", options.stride},
                 {"padding", options.padding},
                 {"dilation", options.dilation},
                 {"groups", options.groups},
                 {"weight_size", weight_size},
                 {"with_bias", with_bias}});
}

void require_grad_shape(const Op& op, const Shape& grad, const cpu::ConvGeometry& g) {
    const Shape expected{g.batch, g.out_channels, g.out_h, g.out_w};
    if (grad != expected)
        throw ShapeError(fmt::format("{}: the gradient is {}, the output is {}", op.name,
                                     grad.str(), expected.str()));
}

// --- conv2d: inputs x, weight, bias

Metas conv2d_shape(const ShapeCall& call) {
    require_floating(call, {0, 1, 2});
    const cpu::ConvGeometry g =
        geometry(call.op, call.attrs, call.inputs[0].shape, call.inputs[1].shape);
    require_vector(call, 2, "bias", g.out_channels, "output channels of the weight over");
    return {{Shape{g.batch, g.out_channels, g.out_h, g.out_w}, call.inputs[0].dtype,
             call.inputs[0].device}};
}

void conv2d_kernel(const KernelCall& call) {
    const cpu::ConvGeometry g =
        geometry(call.op, call.attrs, call.inputs[0].shape(), call.inputs[1].shape());
    if (call.outputs[0].numel() == 0) return;
    const Tensor x = call.inputs[0].contiguous(), weight = call.inputs[1].contiguous();
    by_float(x.dtype(), [&]<class T>(T) {
        Tensor keep;
        cpu::conv_forward(g, x.data<T>(), weight.data<T>(), data_or_null<T>(call.inputs[2], keep),
                          call.outputs[0].data_mut<T>());
    });
}

Tensors conv2d_gradient(const GradCall& call) {
    const ConvOptions options = options_of(call.attrs);
    Tensors out(3);
    if (call.need(0))
        out[0] = conv_input_grad(call.grads[0], call.inputs[1], call.input_metas[0].shape, options);
    if (call.need(1)) {
        Tensors grads = conv_weight_grad(call.inputs[0], call.grads[0], call.input_metas[1].shape,
                                         options, call.need(2));
        out[1] = grads[0];
        if (call.need(2)) out[2] = grads[1];
    } else if (call.need(2)) {
        out[2] = sum(call.grads[0], {0, 2, 3});
    }
    return out;
}

Saves bilinear_saves(Mask needs, const Attrs&) {
    return {((needs & 1U) ? 2U : 0U) | ((needs & 2U) ? 1U : 0U), 0};
}

Cost conv2d_cost(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    return conv_cost(geometry(call.op, call.attrs, call.inputs[0].shape, call.inputs[1].shape),
                     call, outputs);
}

// --- conv2d_input_grad: inputs gradient of the output, weight

Metas input_grad_shape(const ShapeCall& call) {
    require_floating(call, {0, 1});
    const Shape& size = call.attrs.dims("input_size");
    require_grad_shape(call.op, call.inputs[0].shape,
                       geometry(call.op, call.attrs, size, call.inputs[1].shape));
    return {{size, call.inputs[0].dtype, call.inputs[0].device}};
}

void input_grad_kernel(const KernelCall& call) {
    const cpu::ConvGeometry g =
        geometry(call.op, call.attrs, call.outputs[0].shape(), call.inputs[1].shape());
    if (call.outputs[0].numel() == 0) return;
    const Tensor grad = call.inputs[0].contiguous(), weight = call.inputs[1].contiguous();
    by_float(grad.dtype(), [&]<class T>(T) {
        cpu::conv_input_grad(g, grad.data<T>(), weight.data<T>(), call.outputs[0].data_mut<T>());
    });
}

Tensors input_grad_gradient(const GradCall& call) {
    const ConvOptions options = options_of(call.attrs);
    Tensors out(2);
    if (call.need(0)) out[0] = conv2d(call.grads[0], call.inputs[1], {}, options);
    if (call.need(1))
        out[1] = conv_weight_grad(call.grads[0], call.inputs[0], call.input_metas[1].shape, options,
                                  false)[0];
    return out;
}

Cost input_grad_cost(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    return conv_cost(geometry(call.op, call.attrs, outputs[0].shape, call.inputs[1].shape), call,
                     outputs);
}

// --- conv2d_weight_grad: inputs x, gradient of the output

Metas weight_grad_shape(const ShapeCall& call) {
    require_floating(call, {0, 1});
    const Shape& size = call.attrs.dims("weight_size");
    const cpu::ConvGeometry g = geometry(call.op, call.attrs, call.inputs[0].shape, size);
    require_grad_shape(call.op, call.inputs[1].shape, g);
    Metas out{{size, call.inputs[0].dtype, call.inputs[0].device}};
    if (call.attrs.flag("with_bias"))
        out.push_back({Shape{g.out_channels}, call.inputs[0].dtype, call.inputs[0].device});
    return out;
}

void weight_grad_kernel(const KernelCall& call) {
    const cpu::ConvGeometry g =
        geometry(call.op, call.attrs, call.inputs[0].shape(), call.outputs[0].shape());
    const Tensor x = call.inputs[0].contiguous(), grad = call.inputs[1].contiguous();
    by_float(x.dtype(), [&]<class T>(T) {
        T* bias = call.outputs.size() > 1 ? call.outputs[1].data_mut<T>() : nullptr;
        cpu::conv_weight_grad(g, x.data<T>(), grad.data<T>(), call.outputs[0].data_mut<T>(), bias);
    });
}

Tensors weight_grad_gradient(const GradCall& call) {
    const ConvOptions options = options_of(call.attrs);
    const Tensor& weight = call.grads[0];
    Tensors out(2);
    if (call.need(0) && weight)
        out[0] = conv_input_grad(call.inputs[1], weight, call.input_metas[0].shape, options);
    if (call.need(1)) {
        if (weight) out[1] = conv2d(call.inputs[0], weight, {}, options);
        if (call.grads.size() > 1 && call.grads[1]) {
            const Shape& shape = call.input_metas[1].shape;
            const Tensor spread = expand(reshape(call.grads[1], {1, shape[1], 1, 1}), shape);
            out[1] = out[1] ? add(out[1], spread) : spread;
        }
    }
    return out;
}

Cost weight_grad_cost(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    return conv_cost(geometry(call.op, call.attrs, call.inputs[0].shape, outputs[0].shape), call,
                     outputs);
}

// --- conv_transpose2d: inputs x, weight [in_channels, out_channels / groups, kernel], bias.
// It is the input gradient of the convolution that maps its output to its input.

Shape transposed_output(const Op& op, const Attrs& attrs, const Shape& x, const Shape& w) {
    const Dims &stride = attrs.dims("stride"), &padding = attrs.dims("padding"),
               &dilation = attrs.dims("dilation");
    const Dims& extra = attrs.dims("output_padding");
    const std::int64_t groups = attrs.integer("groups");
    require_window(op, attrs, x, w, "[in_channels, out_channels / groups, height, width]");
    require_pair(op, "output_padding", extra, 0);
    if (x[1] != w[0])
        throw ShapeError(fmt::format("{}: weight {} expects {} input channels, input {} has {}",
                                     op.name, w.str(), w[0], x.str(), x[1]));
    if (w[0] % groups != 0)
        throw ShapeError(
            fmt::format("{}: {} input channels of weight {} cannot be split into {} groups",
                        op.name, w[0], w.str(), groups));
    Shape out{x[0], w[1] * groups, 0, 0};
    for (int d = 0; d < 2; ++d) {
        if (extra[d] >= stride[d] && extra[d] >= dilation[d])
            throw ValueError(
                fmt::format("{}: output_padding {} must be smaller than stride {} or dilation {}",
                            op.name, extra.str(), stride.str(), dilation.str()));
        out[d + 2] = (x[d + 2] - 1) * stride[d] - 2 * padding[d] + dilation[d] * (w[d + 2] - 1) +
                     extra[d] + 1;
        if (out[d + 2] < 1)
            throw ShapeError(
                fmt::format("{}: input {} with padding {} leaves an output of {} pixels", op.name,
                            x.str(), padding.str(), out[d + 2]));
    }
    return out;
}

/// The convolution that runs from the output to the input. With more output_padding than the stride
/// allows (dilation permits it) its own output is larger than x; the sizes of x are what counts.
cpu::ConvGeometry transposed_geometry(const Op& op, const Attrs& attrs, const Shape& out,
                                      const Shape& x, const Shape& w) {
    cpu::ConvGeometry g = geometry(op, attrs, out, w);
    g.out_h = x[2];
    g.out_w = x[3];
    return g;
}

Metas transpose_shape(const ShapeCall& call) {
    require_floating(call, {0, 1, 2});
    const Shape out =
        transposed_output(call.op, call.attrs, call.inputs[0].shape, call.inputs[1].shape);
    require_vector(call, 2, "bias", out[1], "output channels of the weight over");
    return {{out, call.inputs[0].dtype, call.inputs[0].device}};
}

void transpose_kernel(const KernelCall& call) {
    Tensor out = call.outputs[0];
    if (out.numel() == 0) return;
    const Tensor x = call.inputs[0].contiguous(), weight = call.inputs[1].contiguous();
    const cpu::ConvGeometry g =
        transposed_geometry(call.op, call.attrs, out.shape(), x.shape(), weight.shape());
    by_float(x.dtype(), [&]<class T>(T) {
        T* y = out.data_mut<T>();
        cpu::conv_input_grad(g, x.data<T>(), weight.data<T>(), y);
        Tensor keep;
        const T* bias = data_or_null<T>(call.inputs[2], keep);
        if (bias == nullptr) return;
        for (std::int64_t plane = 0; plane < g.batch * g.in_channels; ++plane)
            for (std::int64_t i = 0; i < g.in_plane(); ++i)
                y[plane * g.in_plane() + i] += bias[plane % g.in_channels];
    });
}

Tensors transpose_gradient(const GradCall& call) {
    const ConvOptions options = options_of(call.attrs);
    const Tensor& grad = call.grads[0];
    const Shape& x_shape = call.input_metas[0].shape;
    Tensors out(3);
    if (call.need(0)) {
        out[0] = conv2d(grad, call.inputs[1], {}, options);
        for (int d = 2; d < 4; ++d)
            if (out[0].size(d) != x_shape[d]) out[0] = slice(out[0], d, 0, x_shape[d]);
    }
    if (call.need(1)) {
        Tensor x = call.inputs[0];
        const Dims &stride = options.stride, &padding = options.padding,
                   &dilation = options.dilation;
        Dims pads{0, 0, 0, 0};
        bool padded = false;
        for (int d = 0; d < 2; ++d) {
            const std::int64_t span = dilation[d] * (call.input_metas[1].shape[d + 2] - 1) + 1;
            const std::int64_t whole = (grad.size(d + 2) + 2 * padding[d] - span) / stride[d] + 1;
            pads[d == 0 ? 3 : 1] = whole - x_shape[d + 2];
            padded = padded || whole != x_shape[d + 2];
        }
        if (padded) x = pad(x, pads);
        out[1] = conv_weight_grad(grad, x, call.input_metas[1].shape, options, false)[0];
    }
    if (call.need(2)) out[2] = sum(grad, {0, 2, 3});
    return out;
}

Cost transpose_cost(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    return conv_cost(transposed_geometry(call.op, call.attrs, outputs[0].shape,
                                         call.inputs[0].shape, call.inputs[1].shape),
                     call, outputs);
}

// --- bind rules

std::unique_ptr<Bound> bind_input_grad(BindCall& call) {
    return cpu::bind_conv(
        geometry(call.op, call.attrs, call.outputs[0].meta.shape, call.inputs[1].meta.shape),
        cpu::ConvPass::InputGrad, {}, call);
}
std::unique_ptr<Bound> bind_weight_grad(BindCall& call) {
    return cpu::bind_conv(
        geometry(call.op, call.attrs, call.inputs[0].meta.shape, call.outputs[0].meta.shape),
        cpu::ConvPass::WeightGrad, {}, call);
}
std::unique_ptr<Bound> bind_transpose(BindCall& call) {
    auto bound =
        cpu::bind_conv(transposed_geometry(call.op, call.attrs, call.outputs[0].meta.shape,
                                           call.inputs[0].meta.shape, call.inputs[1].meta.shape),
                       cpu::ConvPass::InputGrad, {}, call);
    return bound != nullptr && call.has(2)
               ? cpu::with_channel_bias(std::move(bound), call.outputs[0])
               : std::move(bound);
}

} // namespace

std::unique_ptr<Bound> bind_conv2d(BindCall& call) {
    return cpu::bind_conv(
        geometry(call.op, call.attrs, call.inputs[0].meta.shape, call.inputs[1].meta.shape),
        cpu::ConvPass::Forward, cpu::activation_of(call.attrs), call);
}

std::span<const Op> conv_rows() {
    static const Op rows[] = {
        {.name = "conv2d",
         .help =
             "Cross-correlation of [N, C, H, W] with weight [out, C / groups, kh, kw], plus bias.",
         .shape = conv2d_shape,
         .kernel = {conv2d_kernel},
         .gradient = conv2d_gradient,
         .saves = bilinear_saves,
         .cost = conv2d_cost,
         .onnx = "Conv",
         .bind = {bind_conv2d}},
        {.name = "conv2d_input_grad",
         .help = "Gradient of conv2d with respect to its input.",
         .shape = input_grad_shape,
         .kernel = {input_grad_kernel},
         .gradient = input_grad_gradient,
         .saves = bilinear_saves,
         .cost = input_grad_cost,
         .bind = {bind_input_grad}},
        {.name = "conv2d_weight_grad",
         .help = "Gradient of conv2d with respect to its weight and bias.",
         .shape = weight_grad_shape,
         .kernel = {weight_grad_kernel},
         .gradient = weight_grad_gradient,
         .saves = bilinear_saves,
         .cost = weight_grad_cost,
         .visible_outputs = 2,
         .bind = {bind_weight_grad}},
        {.name = "conv_transpose2d",
         .help = "Transposed convolution: the input gradient of conv2d, plus bias.",
         .shape = transpose_shape,
         .kernel = {transpose_kernel},
         .gradient = transpose_gradient,
         .saves = bilinear_saves,
         .cost = transpose_cost,
         .onnx = "ConvTranspose",
         .bind = {bind_transpose}},
    };
    return rows;
}

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const ConvOptions& options) {
    static const Op& op = find_op("conv2d");
    const Tensor inputs[] = {x, weight, bias};
    return call(op, inputs, attributes(options))[0];
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvOptions& options, const Dims& output_padding) {
    static const Op& op = find_op("conv_transpose2d");
    const Tensor inputs[] = {x, weight, bias};
    return call(op, inputs,
                {{"stride", options.stride},
                 {"padding", options.padding},
                 {"dilation", options.dilation},
                 {"groups", options.groups},
                 {"output_padding", output_padding}})[0];
}

} // namespace wiregrad

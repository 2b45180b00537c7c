// Rows of pooling. Max pooling remembers the place of each maximum in its window; its backward and
// the gather at the remembered places are each other's gradient, as are the averages and their
// backward.
#include "engine/backend/cpu/pool.h"
#include "engine/backend/cpu/bind.h"

#include "engine/backend/cpu/plain_pool.h"
#include "engine/op/nn/common.h"
#include "engine/op/nn/rows.h"
#include "engine/op/ops.h"

namespace wiregrad {

namespace {

using namespace rows;

constexpr std::int64_t kBytePlaces = 256; // windows up to this size are remembered in a byte

/// Output size along one dimension; a window of ceil_mode must start inside the input or its left
/// padding.
std::int64_t pooled(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                    std::int64_t dilation, bool ceil) {
    const std::int64_t room = in + 2 * padding - dilation * (kernel - 1) - 1;
    if (room < 0 && !(ceil && room + stride > 0)) return 0;
    std::int64_t out = (room + (ceil ? stride - 1 : 0)) / stride + 1;
    if (ceil && (out - 1) * stride >= in + padding) --out;
    return out;
}

/// Geometry of pooling an input of shape x; refuses what does not fit.
cpu::PoolGeometry geometry(const Op& op, const Attrs& attrs, const Shape& x) {
    if (x.size() != 4)
        throw ShapeError(
            fmt::format("{}: input {} must be [batch, channels, height, width]", op.name, x.str()));
    const Dims &kernel = attrs.dims("kernel_size"), &stride = attrs.dims("stride"),
               &padding = attrs.dims("padding");
    const Dims dilation = attrs.has("dilation") ? attrs.dims("dilation") : Dims{1, 1};
    for (int d = 0; d < 2; ++d) {
        if (kernel.size() != 2 || stride.size() != 2 || padding.size() != 2 ||
            dilation.size() != 2 || kernel[d] < 1 || stride[d] < 1 || padding[d] < 0 ||
            dilation[d] < 1)
            throw ValueError(fmt::format("{}: kernel {}, stride {} and dilation {} must be two "
                                         "numbers of at least 1, padding {} of at least 0",
                                         op.name, kernel.str(), stride.str(), dilation.str(),
                                         padding.str()));
        if (padding[d] > kernel[d] / 2)
            throw ValueError(fmt::format("{}: padding {} must be at most half of kernel {}",
                                         op.name, padding.str(), kernel.str()));
        if (padding[d] > 0 && x[d + 2] < dilation[d])
            throw ShapeError(fmt::format(
                "{}: input {} is smaller than dilation {}, a window could lie in the padding only",
                op.name, x.str(), dilation.str()));
    }
    cpu::PoolGeometry g{.planes = x[0] * x[1],
                        .in_h = x[2],
                        .in_w = x[3],
                        .kernel_h = kernel[0],
                        .kernel_w = kernel[1],
                        .stride_h = stride[0],
                        .stride_w = stride[1],
                        .pad_h = padding[0],
                        .pad_w = padding[1],
                        .dilation_h = dilation[0],
                        .dilation_w = dilation[1]};
    if (attrs.has("count_include_pad")) g.count_include_pad = attrs.flag("count_include_pad");
    const bool ceil = attrs.flag("ceil_mode");
    g.out_h = pooled(g.in_h, g.kernel_h, g.stride_h, g.pad_h, g.dilation_h, ceil);
    g.out_w = pooled(g.in_w, g.kernel_w, g.stride_w, g.pad_w, g.dilation_w, ceil);
    if (g.out_h < 1 || g.out_w < 1)
        throw ShapeError(
            fmt::format("{}: the window {} (stride {}, padding {}) does not fit into input {}",
                        op.name, kernel.str(), stride.str(), padding.str(), x.str()));
    return g;
}

Shape output_shape(const cpu::PoolGeometry& g, const Shape& x) {
    return {x[0], x[1], g.out_h, g.out_w};
}

PoolOptions options_of(const Attrs& a) {
    PoolOptions o{a.dims("kernel_size"), a.dims("stride"), a.dims("padding")};
    if (a.has("dilation")) o.dilation = a.dims("dilation");
    o.ceil_mode = a.flag("ceil_mode");
    if (a.has("count_include_pad")) o.count_include_pad = a.flag("count_include_pad");
    return o;
}

Attrs max_attributes(const PoolOptions& o) {
    return {{"kernel_size", o.kernel},
            {"stride", o.stride},
            {"padding", o.padding},
            {"dilation", o.dilation},
            {"ceil_mode", o.ceil_mode}};
}
Attrs max_attributes(const PoolOptions& o, const Shape& input) {
    return {{"kernel_size", o.kernel}, {"stride", o.stride},       {"padding", o.padding},
            {"dilation", o.dilation},  {"ceil_mode", o.ceil_mode}, {"input_size", input}};
}
Attrs average_attributes(const PoolOptions& o) {
    return {{"kernel_size", o.kernel},
            {"stride", o.stride},
            {"padding", o.padding},
            {"ceil_mode", o.ceil_mode},
            {"count_include_pad", o.count_include_pad}};
}
Attrs average_attributes(const PoolOptions& o, const Shape& input) {
    return {{"kernel_size", o.kernel},
            {"stride", o.stride},
            {"padding", o.padding},
            {"ceil_mode", o.ceil_mode},
            {"count_include_pad", o.count_include_pad},
            {"input_size", input}};
}

void require_output_shape(const Op& op, const Shape& given, const Shape& expected) {
    if (given != expected)
        throw ShapeError(fmt::format("{}: the gradient is {}, the output is {}", op.name,
                                     given.str(), expected.str()));
}

DType place_type(const cpu::PoolGeometry& g) {
    return g.kernel_h * g.kernel_w <= kBytePlaces ? DType::UInt8 : DType::Int32;
}

/// Calls body with a value of the type that places are remembered in.
template <class Body> void by_place(DType dtype, Body&& body) {
    if (dtype == DType::UInt8)
        body(std::uint8_t{});
    else
        body(std::int32_t{});
}

// --- max_pool2d: input x; outputs the maxima and, hidden, their places

Metas max_shape(const ShapeCall& call) {
    require_floating(call, {0});
    const Shape& x = call.inputs[0].shape;
    const cpu::PoolGeometry g = geometry(call.op, call.attrs, x);
    return {{output_shape(g, x), call.inputs[0].dtype, call.inputs[0].device},
            {output_shape(g, x), place_type(g), call.inputs[0].device}};
}

void max_kernel(const KernelCall& call) {
    const cpu::PoolGeometry g = geometry(call.op, call.attrs, call.inputs[0].shape());
    const Tensor x = call.inputs[0].contiguous();
    by_float(x.dtype(), [&]<class T>(T) {
        by_place(call.outputs[1].dtype(), [&]<class I>(I) {
            cpu::max_pool_forward(g, x.data<T>(), call.outputs[0].data_mut<T>(),
                                  call.outputs[1].data_mut<I>());
        });
    });
}

Tensors max_gradient(const GradCall& call) {
    static const Op& op = find_op("max_pool2d_backward");
    const Tensor inputs[] = {call.grads[0], call.outputs[1]};
    return wiregrad::call(op, inputs,
                          max_attributes(options_of(call.attrs), call.input_metas[0].shape));
}

Cost max_cost(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    const Dims& kernel = call.attrs.dims("kernel_size");
    return {static_cast<double>(numel(outputs[0].shape) * kernel[0] * kernel[1]),
            traffic(call, outputs)};
}

// --- max_pool2d_backward: inputs gradient, places

Metas max_backward_shape(const ShapeCall& call) {
    require_floating(call, {0});
    const Shape& size = call.attrs.dims("input_size");
    require_output_shape(call.op, call.inputs[0].shape,
                         output_shape(geometry(call.op, call.attrs, size), size));
    return {{size, call.inputs[0].dtype, call.inputs[0].device}};
}

void max_backward_kernel(const KernelCall& call) {
    const cpu::PoolGeometry g = geometry(call.op, call.attrs, call.outputs[0].shape());
    const Tensor grad = call.inputs[0].contiguous(), place = call.inputs[1].contiguous();
    by_float(grad.dtype(), [&]<class T>(T) {
        by_place(place.dtype(), [&]<class I>(I) {
            cpu::max_pool_backward(g, grad.data<T>(), place.data<I>(),
                                   call.outputs[0].data_mut<T>());
        });
    });
}

Tensors max_backward_gradient(const GradCall& call) {
    static const Op& op = find_op("max_pool2d_gather");
    const Tensor inputs[] = {call.grads[0], call.inputs[1]};
    return {wiregrad::call(op, inputs, max_attributes(options_of(call.attrs)))[0], Tensor()};
}

// --- max_pool2d_gather: inputs x, places

Metas max_gather_shape(const ShapeCall& call) {
    require_floating(call, {0});
    const Shape& x = call.inputs[0].shape;
    const Shape out = output_shape(geometry(call.op, call.attrs, x), x);
    require_output_shape(call.op, call.inputs[1].shape, out);
    return {{out, call.inputs[0].dtype, call.inputs[0].device}};
}

void max_gather_kernel(const KernelCall& call) {
    const cpu::PoolGeometry g = geometry(call.op, call.attrs, call.inputs[0].shape());
    const Tensor x = call.inputs[0].contiguous(), place = call.inputs[1].contiguous();
    by_float(x.dtype(), [&]<class T>(T) {
        by_place(place.dtype(), [&]<class I>(I) {
            cpu::plain::max_pool_gather(g, x.data<T>(), place.data<I>(),
                                        call.outputs[0].data_mut<T>());
        });
    });
}

Tensors max_gather_gradient(const GradCall& call) {
    static const Op& op = find_op("max_pool2d_backward");
    const Tensor inputs[] = {call.grads[0], call.inputs[1]};
    return {wiregrad::call(op, inputs,
                           max_attributes(options_of(call.attrs), call.input_metas[0].shape))[0],
            Tensor()};
}

// --- avg_pool2d and its backward

Metas average_shape(const ShapeCall& call) {
    require_floating(call, {0});
    const Shape& x = call.inputs[0].shape;
    return {{output_shape(geometry(call.op, call.attrs, x), x), call.inputs[0].dtype,
             call.inputs[0].device}};
}

void average_kernel(const KernelCall& call) {
    const cpu::PoolGeometry g = geometry(call.op, call.attrs, call.inputs[0].shape());
    const Tensor x = call.inputs[0].contiguous();
    by_float(x.dtype(), [&]<class T>(T) {
        cpu::plain::avg_pool_forward(g, x.data<T>(), call.outputs[0].data_mut<T>());
    });
}

Tensors average_gradient(const GradCall& call) {
    static const Op& op = find_op("avg_pool2d_backward");
    const Tensor inputs[] = {call.grads[0]};
    return wiregrad::call(op, inputs,
                          average_attributes(options_of(call.attrs), call.input_metas[0].shape));
}

void average_backward_kernel(const KernelCall& call) {
    const cpu::PoolGeometry g = geometry(call.op, call.attrs, call.outputs[0].shape());
    const Tensor grad = call.inputs[0].contiguous();
    by_float(grad.dtype(), [&]<class T>(T) {
        cpu::plain::avg_pool_backward(g, grad.data<T>(), call.outputs[0].data_mut<T>());
    });
}

Tensors average_backward_gradient(const GradCall& call) {
    return {avg_pool2d(call.grads[0], options_of(call.attrs))};
}

// --- adaptive_avg_pool2d and its backward

cpu::PoolGeometry adaptive_geometry(const Op& op, const Shape& x, const Dims& out) {
    if (x.size() != 4)
        throw ShapeError(
            fmt::format("{}: input {} must be [batch, channels, height, width]", op.name, x.str()));
    if (out.size() != 2 || out[0] < 1 || out[1] < 1)
        throw ValueError(fmt::format("{}: output size {} must be two numbers of at least 1",
                                     op.name, out.str()));
    if (x[2] < 1 || x[3] < 1)
        throw ShapeError(fmt::format("{}: input {} has no pixels", op.name, x.str()));
    return {.planes = x[0] * x[1], .in_h = x[2], .in_w = x[3], .out_h = out[0], .out_w = out[1]};
}

Metas adaptive_shape(const ShapeCall& call) {
    require_floating(call, {0});
    const Shape& x = call.inputs[0].shape;
    return {{output_shape(adaptive_geometry(call.op, x, call.attrs.dims("output_size")), x),
             call.inputs[0].dtype, call.inputs[0].device}};
}

void adaptive_kernel(const KernelCall& call) {
    const cpu::PoolGeometry g =
        adaptive_geometry(call.op, call.inputs[0].shape(), call.attrs.dims("output_size"));
    const Tensor x = call.inputs[0].contiguous();
    by_float(x.dtype(), [&]<class T>(T) {
        cpu::plain::adaptive_avg_pool_forward(g, x.data<T>(), call.outputs[0].data_mut<T>());
    });
}

Tensors adaptive_gradient(const GradCall& call) {
    static const Op& op = find_op("adaptive_avg_pool2d_backward");
    const Tensor inputs[] = {call.grads[0]};
    return wiregrad::call(op, inputs,
                          {{"output_size", call.attrs.dims("output_size")},
                           {"input_size", call.input_metas[0].shape}});
}

Metas adaptive_backward_shape(const ShapeCall& call) {
    require_floating(call, {0});
    const Shape& size = call.attrs.dims("input_size");
    require_output_shape(
        call.op, call.inputs[0].shape,
        output_shape(adaptive_geometry(call.op, size, call.attrs.dims("output_size")), size));
    return {{size, call.inputs[0].dtype, call.inputs[0].device}};
}

void adaptive_backward_kernel(const KernelCall& call) {
    const cpu::PoolGeometry g =
        adaptive_geometry(call.op, call.outputs[0].shape(), call.attrs.dims("output_size"));
    const Tensor grad = call.inputs[0].contiguous();
    by_float(grad.dtype(), [&]<class T>(T) {
        cpu::plain::adaptive_avg_pool_backward(g, grad.data<T>(), call.outputs[0].data_mut<T>());
    });
}

Tensors adaptive_backward_gradient(const GradCall& call) {
    return {adaptive_avg_pool2d(call.grads[0], call.attrs.dims("output_size"))};
}

// --- bind rules

std::unique_ptr<Bound> bind_max(BindCall& call) {
    return cpu::bind_max_pool(geometry(call.op, call.attrs, call.inputs[0].meta.shape), call);
}
std::unique_ptr<Bound> bind_max_backward(BindCall& call) {
    return cpu::bind_max_pool_backward(geometry(call.op, call.attrs, call.outputs[0].meta.shape),
                                       call);
}
/// For the mean of whole planes.
template <bool kBackward> std::unique_ptr<Bound> bind_adaptive(BindCall& call) {
    return call.attrs.dims("output_size") == Dims{1, 1} ? cpu::bind_plane_mean(kBackward, call)
                                                        : nullptr;
}

} // namespace

std::span<const Op> pool_rows() {
    static const Op rows[] = {
        {.name = "max_pool2d",
         .help = "Maximum of each window; padding never wins, ties go to the first, a NaN wins.",
         .shape = max_shape,
         .kernel = {max_kernel},
         .gradient = max_gradient,
         .saves = always<0, 2>,
         .cost = max_cost,
         .onnx = "MaxPool",
         .bind = {bind_max}},
        {.name = "max_pool2d_backward",
         .help = "Adds each gradient where the maximum was.",
         .shape = max_backward_shape,
         .kernel = {max_backward_kernel},
         .gradient = max_backward_gradient,
         .saves = always<2>,
         .cost = per_input_element<1>,
         .bind = {bind_max_backward}},
        {.name = "max_pool2d_gather",
         .help = "The values at the remembered places of the maxima.",
         .shape = max_gather_shape,
         .kernel = {max_gather_kernel},
         .gradient = max_gather_gradient,
         .saves = always<2>,
         .cost = per_input_element<1>},
        {.name = "avg_pool2d",
         .help = "Mean of each window; with count_include_pad the padding counts as zeros.",
         .shape = average_shape,
         .kernel = {average_kernel},
         .gradient = average_gradient,
         .saves = always<0>,
         .cost = max_cost,
         .onnx = "AveragePool"},
        {.name = "avg_pool2d_backward",
         .help = "Spreads each gradient evenly over its window.",
         .shape = max_backward_shape,
         .kernel = {average_backward_kernel},
         .gradient = average_backward_gradient,
         .saves = always<0>,
         .cost = max_cost},
        {.name = "adaptive_avg_pool2d",
         .help = "Mean over bins floor(i in / out) to ceil((i + 1) in / out).",
         .shape = adaptive_shape,
         .kernel = {adaptive_kernel},
         .gradient = adaptive_gradient,
         .saves = always<0>,
         .cost = per_input_element<1>,
         .bind = {bind_adaptive<false>}},
        {.name = "adaptive_avg_pool2d_backward",
         .help = "Spreads each gradient evenly over its bin.",
         .shape = adaptive_backward_shape,
         .kernel = {adaptive_backward_kernel},
         .gradient = adaptive_backward_gradient,
         .saves = always<0>,
         .cost = per_input_element<1>,
         .bind = {bind_adaptive<true>}},
    };
    return rows;
}

Tensor max_pool2d(const Tensor& x, const PoolOptions& options) {
    static const Op& op = find_op("max_pool2d");
    const Tensor inputs[] = {x};
    return call(op, inputs, max_attributes(options))[0];
}

Tensor avg_pool2d(const Tensor& x, const PoolOptions& options) {
    static const Op& op = find_op("avg_pool2d");
    const Tensor inputs[] = {x};
    return call(op, inputs, average_attributes(options))[0];
}

Tensor adaptive_avg_pool2d(const Tensor& x, const Dims& output_size) {
    static const Op& op = find_op("adaptive_avg_pool2d");
    const Tensor inputs[] = {x};
    return call(op, inputs, {{"output_size", output_size}})[0];
}

} // namespace wiregrad

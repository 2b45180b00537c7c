// Rows of losses. Each reduces to a scalar (or not, with reduction none); gradients are written in
// ops.
#include <cmath>
#include <vector>

#include "engine/backend/cpu/softmax.h"
#include "engine/op/nn/common.h"
#include "engine/op/ops.h"
#include "engine/op/registry.h"

namespace wiregrad {

namespace {

using namespace rows;

Reduction reduction_of(const Attrs& attrs) {
    return static_cast<Reduction>(attrs.integer("reduction"));
}
std::int64_t code_of(Reduction reduction) {
    return static_cast<std::int64_t>(reduction);
}

// --- cross_entropy with class indices: inputs x, target, weight; outputs the loss and, hidden, the
// gradient of x and, per sample, the factor of softmax in it.

cpu::AxisGeometry class_axis(const Shape& x) {
    cpu::AxisGeometry g{x[0], x[1], 1};
    for (int d = 2; d < x.size(); ++d)
        g.inner *= x[d];
    return g;
}

Shape without_classes(const Shape& x) {
    Shape out = x;
    out.erase(1);
    return out;
}

Metas cross_entropy_shape(const ShapeCall& call) {
    require_floating(call, {0, 2});
    const TensorMeta &x = call.inputs[0], &target = call.inputs[1];
    if (x.shape.size() < 2)
        throw ShapeError(
            fmt::format("cross_entropy: input {} must be [batch, classes, ...]", x.shape.str()));
    if (x.shape[1] < 1)
        throw ShapeError(fmt::format("cross_entropy: input {} has no classes", x.shape.str()));
    if (target.dtype != DType::Int64)
        throw DTypeError(
            fmt::format("cross_entropy: labels are {}, int64 is needed", name_of(target.dtype)));
    const Shape samples = without_classes(x.shape);
    if (target.shape != samples)
        throw ShapeError(fmt::format("cross_entropy: input {} expects labels {}, got {}",
                                     x.shape.str(), samples.str(), target.shape.str()));
    require_vector(call, 2, "weight", x.shape[1], "classes");
    const double smoothing = call.attrs.real("label_smoothing");
    if (!(smoothing >= 0 && smoothing <= 1))
        throw ValueError(
            fmt::format("cross_entropy: label_smoothing is {}, it must lie in [0, 1]", smoothing));
    const bool whole = reduction_of(call.attrs) != Reduction::None;
    return {{whole ? Shape{} : samples, x.dtype, x.device},
            {x.shape, x.dtype, x.device},
            {samples, x.dtype, x.device}};
}

void check_labels(const std::int64_t* target, const cpu::AxisGeometry& g,
                  std::int64_t ignore_index) {
    for (std::int64_t i = 0; i < g.outer * g.inner; ++i) {
        if (target[i] == ignore_index || (target[i] >= 0 && target[i] < g.size)) continue;
        const std::string place = g.inner > 1 ? fmt::format(" at position {}", i % g.inner) : "";
        throw ValueError(
            fmt::format("cross_entropy: the label of sample {}{} is {}, outside [0, {})",
                        i / g.inner, place, target[i], g.size));
    }
}

template <class T> double total(const T* values, std::int64_t count) {
    double sum = 0;
    for (std::int64_t i = 0; i < count; ++i)
        sum += static_cast<double>(values[i]);
    return sum;
}

void cross_entropy_kernel(const KernelCall& call) {
    const Tensor x = call.inputs[0].contiguous(), target = call.inputs[1].contiguous();
    const Reduction reduction = reduction_of(call.attrs);
    const cpu::CrossEntropyCall spec{class_axis(x.shape()), call.attrs.integer("ignore_index"),
                                     call.attrs.real("label_smoothing"),
                                     reduction == Reduction::Mean};
    const std::int64_t* labels = target.data<std::int64_t>();
    check_labels(labels, spec.axis, spec.ignore_index);
    by_float(x.dtype(), [&]<class T>(T) {
        Tensor keep;
        std::vector<T> losses(
            reduction == Reduction::None ? 0 : static_cast<std::size_t>(target.numel()));
        T* loss = call.outputs[0].data_mut<T>();
        const double divisor =
            cpu::cross_entropy(spec, x.data<T>(), labels, data_or_null<T>(call.inputs[2], keep),
                               reduction == Reduction::None ? loss : losses.data(),
                               call.outputs[1].data_mut<T>(), call.outputs[2].data_mut<T>());
        if (reduction == Reduction::None) return;
        *loss = static_cast<T>(spec.mean && divisor == 0 ? std::nan("")
                                                         : total(losses.data(), target.numel()));
    });
}

Tensors cross_entropy_gradient(const GradCall& call) {
    static const Op& op = find_op("cross_entropy_backward");
    const Tensor inputs[] = {call.grads[0], call.inputs[0], call.outputs[1], call.outputs[2]};
    return {wiregrad::call(op, inputs)[0], Tensor(), Tensor()};
}

// --- cross_entropy_backward: inputs gradient of the loss, x, gradient for a loss gradient of one,
// softmax factor

Metas cross_entropy_backward_shape(const ShapeCall& call) {
    require_floating(call, {0, 1, 2, 3});
    const Shape &g = call.inputs[0].shape, &x = call.inputs[1].shape;
    if (!g.empty() && g != without_classes(x))
        throw ShapeError(fmt::format(
            "cross_entropy_backward: gradient {} does not belong to input {}", g.str(), x.str()));
    return {call.inputs[1]};
}

void cross_entropy_backward_kernel(const KernelCall& call) {
    const Tensor g = call.inputs[0].contiguous(), ready = call.inputs[2].contiguous();
    const cpu::AxisGeometry axis = class_axis(ready.shape());
    by_float(ready.dtype(), [&]<class T>(T) {
        const T *scale = g.data<T>(), *source = ready.data<T>();
        T* out = call.outputs[0].data_mut<T>();
        if (g.dim() == 0) {
            for (std::int64_t i = 0; i < ready.numel(); ++i)
                out[i] = source[i] * *scale;
            return;
        }
        for (std::int64_t n = 0; n < axis.outer; ++n)
            for (std::int64_t c = 0; c < axis.size; ++c)
                for (std::int64_t i = 0; i < axis.inner; ++i) {
                    const std::int64_t at = (n * axis.size + c) * axis.inner + i;
                    out[at] = source[at] * scale[n * axis.inner + i];
                }
    });
}

// g * (factor * softmax(x) - target), with cotangent v: by g it is the sum of v times the ready
// gradient over what shares a g, by x it is g * factor * J v with J the Jacobian of softmax.
Tensors cross_entropy_backward_gradient(const GradCall& call) {
    const Tensor &g = call.inputs[0], &x = call.inputs[1], &v = call.grads[0];
    const bool whole = call.input_metas[0].shape.empty();
    Tensors out(4);
    if (call.need(0))
        out[0] = whole ? sum(mul(v, call.inputs[2])) : sum(mul(v, call.inputs[2]), {1});
    if (call.need(1)) {
        const Tensor p = softmax(x, 1);
        const Tensor bent = mul(p, sub(v, sum(mul(v, p), {1}, true)));
        const Tensor factor = unsqueeze(call.inputs[3], 1);
        out[1] = mul(mul(bent, factor), whole ? g : unsqueeze(g, 1));
    }
    return out;
}

// --- pointwise losses: inputs x, target of equal shape

struct SquaredError {
    template <class T> static T loss(T x, T t) { return (x - t) * (x - t); }
};
struct AbsoluteError {
    template <class T> static T loss(T x, T t) { return std::abs(x - t); }
};
struct LogisticError { // log(1 + exp(x)) - x t, without overflow
    template <class T> static T loss(T x, T t) {
        return (x > 0 || x != x ? x : T(0)) - x * t + std::log1p(std::exp(-std::abs(x)));
    }
};

Metas pointwise_shape(const ShapeCall& call) {
    require_floating(call, {0, 1});
    const TensorMeta &x = call.inputs[0], &target = call.inputs[1];
    if (x.shape != target.shape)
        throw ShapeError(fmt::format("{}: input {} and target {} must have the same shape",
                                     call.op.name, x.shape.str(), target.shape.str()));
    return {{reduction_of(call.attrs) == Reduction::None ? x.shape : Shape{}, x.dtype, x.device}};
}

/// Sums in chunks of fixed size, each over 16 lanes, whatever the number of threads.
template <class Loss, class T> double sum_of(const T* x, const T* target, std::int64_t count) {
    constexpr std::int64_t kChunk = 4096;
    constexpr int kLanes = 16;
    double sum = 0;
    for (std::int64_t first = 0; first < count; first += kChunk) {
        const std::int64_t last = std::min(count, first + kChunk);
        T lanes[kLanes] = {};
        std::int64_t i = first;
        for (; i + kLanes <= last; i += kLanes)
            for (int l = 0; l < kLanes; ++l)
                lanes[l] += Loss::loss(x[i + l], target[i + l]);
        for (; i < last; ++i)
            sum += static_cast<double>(Loss::loss(x[i], target[i]));
        for (T lane : lanes)
            sum += static_cast<double>(lane);
    }
    return sum;
}

template <class Loss> void pointwise_kernel(const KernelCall& call) {
    const Tensor x = call.inputs[0].contiguous(), target = call.inputs[1].contiguous();
    const Reduction reduction = reduction_of(call.attrs);
    by_float(x.dtype(), [&]<class T>(T) {
        const T *a = x.data<T>(), *b = target.data<T>();
        T* out = call.outputs[0].data_mut<T>();
        if (reduction == Reduction::None) {
            for (std::int64_t i = 0; i < x.numel(); ++i)
                out[i] = Loss::loss(a[i], b[i]);
            return;
        }
        const double sum = sum_of<Loss>(a, b, x.numel());
        *out = static_cast<T>(reduction == Reduction::Mean ? sum / static_cast<double>(x.numel())
                                                           : sum);
    });
}

/// The gradient of the loss times what the reduction makes of one element's share.
Tensor share(const GradCall& call) {
    const std::int64_t count = numel(call.input_metas[0].shape);
    return reduction_of(call.attrs) == Reduction::Mean && count > 0
               ? div(call.grads[0], static_cast<double>(count))
               : call.grads[0];
}

/// Target's gradient is the negative of the input's.
Tensors of_difference(const GradCall& call, const Tensor& by_x) {
    Tensors out(2);
    if (call.need(0)) out[0] = by_x;
    if (call.need(1)) out[1] = neg(by_x);
    return out;
}

Tensors squared_gradient(const GradCall& call) {
    return of_difference(call, mul(sub(call.inputs[0], call.inputs[1]), mul(share(call), 2.0)));
}
Tensors absolute_gradient(const GradCall& call) {
    return of_difference(call, mul(sign(sub(call.inputs[0], call.inputs[1])), share(call)));
}
Tensors logistic_gradient(const GradCall& call) {
    Tensors out(2);
    if (call.need(0)) out[0] = mul(sub(sigmoid(call.inputs[0]), call.inputs[1]), share(call));
    if (call.need(1)) out[1] = neg(mul(call.inputs[0], share(call)));
    return out;
}

Tensor pointwise(const char* name, const Tensor& x, const Tensor& target, Reduction reduction) {
    const Tensor inputs[] = {x, target};
    return call(find_op(name), inputs, {{"reduction", code_of(reduction)}})[0];
}

/// Cross entropy with probabilities as targets, out of ops, so that the targets may be trained as
/// well. The weights act within each sample's sum; the mean divides by the number of samples.
Tensor soft_cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight,
                          const CrossEntropyOptions& options) {
    if (x.dim() < 2)
        throw ShapeError(
            fmt::format("cross_entropy: input {} must be [batch, classes, ...]", x.shape().str()));
    const std::int64_t classes = x.size(1);
    if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1))
        throw ValueError(fmt::format("cross_entropy: label_smoothing is {}, it must lie in [0, 1]",
                                     options.label_smoothing));
    Tensor wanted = target;
    if (options.label_smoothing != 0)
        wanted = add(mul(target, 1 - options.label_smoothing),
                     options.label_smoothing / static_cast<double>(classes));
    if (weight) {
        if (weight.shape() != Shape{classes})
            throw ShapeError(
                fmt::format("cross_entropy: weight {} does not match the {} classes of input {}",
                            weight.shape().str(), classes, x.shape().str()));
        Shape against = Dims::filled(x.dim(), 1);
        against[1] = classes;
        wanted = mul(wanted, reshape(weight, against));
    }
    const Tensor losses = neg(sum(mul(log_softmax(x, 1), wanted), {1}));
    if (options.reduction == Reduction::None) return losses;
    const Tensor all = sum(losses);
    return options.reduction == Reduction::Sum ? all
                                               : div(all, static_cast<double>(losses.numel()));
}

} // namespace

std::span<const Op> loss_ops() {
    static const Op rows[] = {
        {.name = "cross_entropy",
         .help = "-log softmax(x)[label], weighted and smoothed as PyTorch does.",
         .shape = cross_entropy_shape,
         .kernel = {cross_entropy_kernel},
         .gradient = cross_entropy_gradient,
         .saves = always<1, 6>,
         .cost = per_input_element<7>,
         .onnx = "SoftmaxCrossEntropyLoss"},
        {.name = "cross_entropy_backward",
         .help = "Scales the gradient that the forward pass computed.",
         .shape = cross_entropy_backward_shape,
         .kernel = {cross_entropy_backward_kernel},
         .gradient = cross_entropy_backward_gradient,
         .saves = always<15>},
        {.name = "mse_loss",
         .help = "(x - target)^2",
         .shape = pointwise_shape,
         .kernel = {pointwise_kernel<SquaredError>},
         .gradient = squared_gradient,
         .saves = always<3>,
         .cost = per_input_element<3>},
        {.name = "l1_loss",
         .help = "|x - target|",
         .shape = pointwise_shape,
         .kernel = {pointwise_kernel<AbsoluteError>},
         .gradient = absolute_gradient,
         .saves = always<3>,
         .cost = per_input_element<3>},
        {.name = "binary_cross_entropy_with_logits",
         .help = "max(x, 0) - x target + log(1 + exp(-|x|))",
         .shape = pointwise_shape,
         .kernel = {pointwise_kernel<LogisticError>},
         .gradient = logistic_gradient,
         .saves = always<3>,
         .cost = per_input_element<6>},
    };
    return rows;
}

Tensor cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight,
                     const CrossEntropyOptions& options) {
    if (is_floating(target.dtype()) && target.shape() == x.shape())
        return soft_cross_entropy(x, target, weight, options);
    static const Op& op = find_op("cross_entropy");
    const Tensor inputs[] = {x, target, weight};
    return call(op, inputs,
                {{"reduction", code_of(options.reduction)},
                 {"ignore_index", options.ignore_index},
                 {"label_smoothing", options.label_smoothing}})[0];
}

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
    return pointwise("mse_loss", x, target, reduction);
}
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
    return pointwise("l1_loss", x, target, reduction);
}
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target,
                                        Reduction reduction) {
    return pointwise("binary_cross_entropy_with_logits", x, target, reduction);
}

} // namespace wiregrad

// Rows of normalisation. Forward keeps the mean and 1/std it used as hidden outputs; backward is an
// op of them, and its own gradient is written in ops for both norms at once.
#include "engine/backend/cpu/norm.h"

#include "engine/backend/cpu/bind.h"

#include <cmath>
#include <vector>

#include "engine/op/nn/common.h"
#include "engine/op/nn/rows.h"
#include "engine/op/ops.h"

namespace wiregrad {

namespace {

using namespace rows;

// --- what both backward ops have in common
//
// With h = w g, n = (x - mean) inv_std, E the mean over the normalised elements and P(a) = a - E(a)
// - n E(a n):
//   gx = inv_std P(h)      gweight = sum(g n)      gbias = sum(g)
// For cotangents v, u, t of these three, with dn = inv_std P(dx) and d inv_std = -inv_std^2 E(n
// dx):
//   by g: w inv_std P(v) + u n + t       by w: sum(g inv_std P(v))
//   by x: inv_std P(u g - inv_std (h E(v n) + v E(h n))) - inv_std^2 n E(v P(h))
// Without dependence of the moments on x (batch_norm in eval mode) P is the identity and only u g
// inv_std is left by x.
struct NormBackward {
    Tensor g, x, weight;  ///< weight broadcasts against x, or is undefined
    Tensor mean, inv_std; ///< broadcast against x
    Dims statistics;      ///< dimensions that were normalised over
    bool moments_depend_on_x = true;
};

struct NormCotangents {
    Tensor v, u,
        t; ///< of gx, gweight, gbias (the last two broadcast against x); undefined means zero
};

Tensor plus(const Tensor& a, const Tensor& b) {
    return !a ? b : !b ? a : add(a, b);
}

/// Gradients by g, x and weight (the last one not yet reduced to the weight's shape).
Tensors norm_double_backward(const NormBackward& n, const NormCotangents& c) {
    const Tensor normal = mul(sub(n.x, n.mean), n.inv_std);
    auto average = [&](const Tensor& a) { return mean(a, n.statistics, true); };
    auto project = [&](const Tensor& a) {
        return n.moments_depend_on_x ? sub(sub(a, average(a)), mul(normal, average(mul(a, normal))))
                                     : a;
    };
    Tensor by_g, by_x, by_weight;
    if (c.v) {
        const Tensor pulled = mul(n.inv_std, project(c.v));
        by_g = n.weight ? mul(n.weight, pulled) : pulled;
        by_weight = mul(n.g, pulled);
    }
    Tensor inner; // cotangent of n, before it is projected
    if (c.u) {
        by_g = plus(by_g, mul(c.u, normal));
        inner = mul(c.u, n.g);
    }
    if (c.t) by_g = plus(by_g, c.t);
    if (c.v && n.moments_depend_on_x) {
        const Tensor h = n.weight ? mul(n.weight, n.g) : n.g;
        const Tensor bent = mul(
            n.inv_std, add(mul(h, average(mul(c.v, normal))), mul(c.v, average(mul(h, normal)))));
        by_x = neg(mul(mul(square(n.inv_std), normal), average(mul(c.v, project(h)))));
        inner = inner ? sub(inner, bent) : neg(bent);
    }
    if (inner) by_x = plus(by_x, mul(n.inv_std, project(inner)));
    return {by_g, by_x, by_weight};
}

// --- batch_norm: inputs x, weight, bias, running_mean, running_var; outputs y and, hidden, mean
// and 1/std

cpu::BatchNormGeometry batch_geometry(const Shape& x) {
    cpu::BatchNormGeometry g{x[0], x[1], 1};
    for (int d = 2; d < x.size(); ++d)
        g.spatial *= x[d];
    return g;
}

/// [1, C, 1, 1]: a per-channel vector against x.
Tensor per_channel(const Tensor& vector, int rank) {
    if (!vector) return vector;
    Shape shape = Dims::filled(rank, 1);
    shape[1] = vector.size(0);
    return reshape(vector, shape);
}

Metas batch_norm_shape(const ShapeCall& call) {
    require_floating(call, {0, 1, 2, 3, 4});
    const Shape& x = call.inputs[0].shape;
    if (x.size() < 2)
        throw ShapeError(
            fmt::format("batch_norm: input {} must be [batch, channels, ...]", x.str()));
    const cpu::BatchNormGeometry g = batch_geometry(x);
    require_vector(call, 1, "weight", g.channels, "channels");
    require_vector(call, 2, "bias", g.channels, "channels");
    require_vector(call, 3, "running_mean", g.channels, "channels");
    require_vector(call, 4, "running_var", g.channels, "channels");
    if (present(call, 3) != present(call, 4))
        throw ValueError(
            "batch_norm: running_mean and running_var go together, one of them is missing");
    if (call.attrs.flag("training")) {
        if (g.batch * g.spatial == 1)
            throw ShapeError(fmt::format(
                "batch_norm: training needs more than 1 value per channel, input {} has 1: "
                "choose another batch size, or let the dataset drop a smaller last batch",
                x.str()));
    } else if (!present(call, 3)) {
        throw ValueError("batch_norm: outside training running_mean and running_var are needed");
    }
    const TensorMeta vector{Shape{g.channels}, call.inputs[0].dtype, call.inputs[0].device};
    return {call.inputs[0], vector, vector};
}

void batch_norm_kernel(const KernelCall& call) {
    const Tensor x = call.inputs[0].contiguous();
    const cpu::BatchNormGeometry g = batch_geometry(x.shape());
    const double eps = call.attrs.real("eps"), momentum = call.attrs.real("momentum");
    const bool training = call.attrs.flag("training");
    by_float(x.dtype(), [&]<class T>(T) {
        T *mean = call.outputs[1].data_mut<T>(), *inv_std = call.outputs[2].data_mut<T>();
        if (training) {
            std::vector<double> means(static_cast<std::size_t>(g.channels)),
                variances(means.size());
            const double count = static_cast<double>(g.batch * g.spatial);
            if (count > 0) cpu::batch_norm_moments(g, x.data<T>(), means.data(), variances.data());
            for (std::size_t c = 0; c < means.size(); ++c) {
                mean[c] = static_cast<T>(means[c]);
                inv_std[c] = static_cast<T>(1.0 / std::sqrt(variances[c] + eps));
            }
            if (call.inputs[3] && count > 0) {
                Tensor running_mean = call.inputs[3], running_var = call.inputs[4];
                if (!running_mean.is_contiguous() || !running_var.is_contiguous())
                    throw ValueError("batch_norm: running_mean and running_var must be contiguous "
                                     "to be updated in place");
                T *old_mean = running_mean.data_mut<T>(), *old_var = running_var.data_mut<T>();
                for (std::size_t c = 0; c < means.size(); ++c) {
                    old_mean[c] = static_cast<T>((1 - momentum) * static_cast<double>(old_mean[c]) +
                                                 momentum * means[c]);
                    const double unbiased = variances[c] * count / (count - 1);
                    old_var[c] = static_cast<T>((1 - momentum) * static_cast<double>(old_var[c]) +
                                                momentum * unbiased);
                }
            }
        } else {
            const Tensor running_mean = call.inputs[3].contiguous(),
                         running_var = call.inputs[4].contiguous();
            for (std::int64_t c = 0; c < g.channels; ++c) {
                mean[c] = running_mean.data<T>()[c];
                inv_std[c] = static_cast<T>(
                    1.0 / std::sqrt(static_cast<double>(running_var.data<T>()[c]) + eps));
            }
        }
        Tensor keep_weight, keep_bias;
        cpu::batch_norm_apply(
            g, x.data<T>(), mean, inv_std, data_or_null<T>(call.inputs[1], keep_weight),
            data_or_null<T>(call.inputs[2], keep_bias), call.outputs[0].data_mut<T>());
    });
}

Tensors batch_norm_gradient(const GradCall& call) {
    static const Op& op = find_op("batch_norm_backward");
    const Tensor inputs[] = {call.grads[0], call.inputs[0], call.inputs[1], call.outputs[1],
                             call.outputs[2]};
    Tensors grads = wiregrad::call(op, inputs, {{"training", call.attrs.flag("training")}});
    Tensors out(5);
    for (int i = 0; i < 3; ++i)
        if (call.need(i)) out[static_cast<std::size_t>(i)] = grads[static_cast<std::size_t>(i)];
    return out;
}

Saves norm_saves(Mask, const Attrs&) {
    return {3, 6};
}

// --- batch_norm_backward: inputs gradient, x, weight, mean, 1/std; outputs the gradients of x,
// weight, bias

Metas batch_norm_backward_shape(const ShapeCall& call) {
    require_floating(call, {0, 1, 2, 3, 4});
    if (call.inputs[0].shape != call.inputs[1].shape)
        throw ShapeError(fmt::format("batch_norm_backward: the gradient is {}, the input {}",
                                     call.inputs[0].shape.str(), call.inputs[1].shape.str()));
    const TensorMeta vector{Shape{call.inputs[1].shape[1]}, call.inputs[1].dtype,
                            call.inputs[1].device};
    return {call.inputs[1], vector, vector};
}

void batch_norm_backward_kernel(const KernelCall& call) {
    const Tensor grad = call.inputs[0].contiguous(), x = call.inputs[1].contiguous(),
                 mean = call.inputs[3].contiguous(), inv_std = call.inputs[4].contiguous();
    by_float(x.dtype(), [&]<class T>(T) {
        Tensor keep;
        cpu::batch_norm_backward(batch_geometry(x.shape()), call.attrs.flag("training"),
                                 grad.data<T>(), x.data<T>(), mean.data<T>(), inv_std.data<T>(),
                                 data_or_null<T>(call.inputs[2], keep),
                                 call.outputs[0].data_mut<T>(), call.outputs[1].data_mut<T>(),
                                 call.outputs[2].data_mut<T>());
    });
}

Tensors batch_norm_backward_gradient(const GradCall& call) {
    const int rank = call.input_metas[1].shape.size();
    NormBackward n{call.inputs[0],
                   call.inputs[1],
                   per_channel(call.inputs[2], rank),
                   per_channel(call.inputs[3], rank),
                   per_channel(call.inputs[4], rank),
                   Dims{0},
                   call.attrs.flag("training")};
    for (int d = 2; d < rank; ++d)
        n.statistics.push_back(d);
    Tensors grads = norm_double_backward(
        n, {call.grads[0], per_channel(call.grads[1], rank), per_channel(call.grads[2], rank)});
    Tensors out(5);
    const Shape& x = call.input_metas[1].shape;
    if (call.need(0) && grads[0]) out[0] = expand(grads[0], x);
    if (call.need(1) && grads[1]) out[1] = grads[1];
    if (call.need(2) && grads[2]) out[2] = sum(grads[2], n.statistics);
    return out;
}

// --- layer_norm: inputs x, weight, bias; outputs y and, hidden, mean and 1/std of each row

cpu::AxisGeometry row_geometry(const Shape& x, const Dims& normalized) {
    cpu::AxisGeometry g{1, 1, 1};
    for (int d = 0; d < x.size(); ++d)
        (d < x.size() - normalized.size() ? g.outer : g.size) *= x[d];
    return g;
}

Metas layer_norm_shape(const ShapeCall& call) {
    require_floating(call, {0, 1, 2});
    const Shape& x = call.inputs[0].shape;
    const Dims& normalized = call.attrs.dims("normalized_shape");
    bool fits = !normalized.empty() && normalized.size() <= x.size();
    for (int d = 0; fits && d < normalized.size(); ++d)
        fits = normalized[d] == x[x.size() - normalized.size() + d];
    if (!fits)
        throw ShapeError(
            fmt::format("layer_norm: normalized_shape {} must be the last dimensions of input {}",
                        normalized.str(), x.str()));
    for (int i = 1; i <= 2; ++i)
        if (present(call, i) && call.inputs[static_cast<std::size_t>(i)].shape != normalized)
            throw ShapeError(fmt::format(
                "layer_norm: {} {} must have normalized_shape {}", i == 1 ? "weight" : "bias",
                call.inputs[static_cast<std::size_t>(i)].shape.str(), normalized.str()));
    Shape rows = x;
    for (int d = x.size() - normalized.size(); d < x.size(); ++d)
        rows[d] = 1;
    const TensorMeta statistic{rows, call.inputs[0].dtype, call.inputs[0].device};
    return {call.inputs[0], statistic, statistic};
}

void layer_norm_kernel(const KernelCall& call) {
    const Tensor x = call.inputs[0].contiguous();
    const cpu::AxisGeometry g = row_geometry(x.shape(), call.attrs.dims("normalized_shape"));
    if (x.numel() == 0) return;
    by_float(x.dtype(), [&]<class T>(T) {
        Tensor keep_weight, keep_bias;
        cpu::layer_norm_forward(
            g, call.attrs.real("eps"), x.data<T>(), data_or_null<T>(call.inputs[1], keep_weight),
            data_or_null<T>(call.inputs[2], keep_bias), call.outputs[0].data_mut<T>(),
            call.outputs[1].data_mut<T>(), call.outputs[2].data_mut<T>());
    });
}

Tensors layer_norm_gradient(const GradCall& call) {
    static const Op& op = find_op("layer_norm_backward");
    const Tensor inputs[] = {call.grads[0], call.inputs[0], call.inputs[1], call.outputs[1],
                             call.outputs[2]};
    Tensors grads =
        wiregrad::call(op, inputs, {{"normalized_shape", call.attrs.dims("normalized_shape")}});
    Tensors out(3);
    for (int i = 0; i < 3; ++i)
        if (call.need(i)) out[static_cast<std::size_t>(i)] = grads[static_cast<std::size_t>(i)];
    return out;
}

// --- layer_norm_backward: inputs gradient, x, weight, mean, 1/std; outputs the gradients of x,
// weight, bias

Metas layer_norm_backward_shape(const ShapeCall& call) {
    require_floating(call, {0, 1, 2, 3, 4});
    if (call.inputs[0].shape != call.inputs[1].shape)
        throw ShapeError(fmt::format("layer_norm_backward: the gradient is {}, the input {}",
                                     call.inputs[0].shape.str(), call.inputs[1].shape.str()));
    const TensorMeta vector{call.attrs.dims("normalized_shape"), call.inputs[1].dtype,
                            call.inputs[1].device};
    return {call.inputs[1], vector, vector};
}

void layer_norm_backward_kernel(const KernelCall& call) {
    const Tensor grad = call.inputs[0].contiguous(), x = call.inputs[1].contiguous(),
                 mean = call.inputs[3].contiguous(), inv_std = call.inputs[4].contiguous();
    const cpu::AxisGeometry g = row_geometry(x.shape(), call.attrs.dims("normalized_shape"));
    by_float(x.dtype(), [&]<class T>(T) {
        Tensor keep;
        cpu::layer_norm_backward(g, grad.data<T>(), x.data<T>(), mean.data<T>(), inv_std.data<T>(),
                                 data_or_null<T>(call.inputs[2], keep),
                                 call.outputs[0].data_mut<T>(), call.outputs[1].data_mut<T>(),
                                 call.outputs[2].data_mut<T>());
    });
}

Tensors layer_norm_backward_gradient(const GradCall& call) {
    const Shape& x = call.input_metas[1].shape;
    const Dims& normalized = call.attrs.dims("normalized_shape");
    const int first = x.size() - normalized.size();
    NormBackward n{
        call.inputs[0], call.inputs[1], call.inputs[2], call.inputs[3], call.inputs[4], {}, true};
    Dims outer;
    for (int d = 0; d < x.size(); ++d)
        (d < first ? outer : n.statistics).push_back(d);
    Tensors grads = norm_double_backward(n, {call.grads[0], call.grads[1], call.grads[2]});
    Tensors out(5);
    if (call.need(0) && grads[0]) out[0] = expand(grads[0], x);
    if (call.need(1) && grads[1]) out[1] = grads[1];
    if (call.need(2) && grads[2]) out[2] = outer.empty() ? grads[2] : sum(grads[2], outer);
    return out;
}

} // namespace

std::unique_ptr<Bound> bind_batch_norm(BindCall& call) {
    return cpu::bind_batch_norm(call.attrs.flag("training"), call.attrs.real("momentum"),
                                call.attrs.real("eps"), cpu::activation_of(call.attrs), call);
}
std::unique_ptr<Bound> bind_batch_norm_act_backward(BindCall& call) {
    return cpu::bind_batch_norm_backward(call.attrs.flag("training"), true, call);
}
namespace {
std::unique_ptr<Bound> bind_batch_norm_backward(BindCall& call) {
    return cpu::bind_batch_norm_backward(call.attrs.flag("training"), false, call);
}
} // namespace

std::span<const Op> norm_rows() {
    static const Op rows[] = {
        {.name = "batch_norm",
         .help = "(x - mean) / sqrt(var + eps) * weight + bias per channel; var is biased here, "
                 "unbiased in running_var.",
         .shape = batch_norm_shape,
         .kernel = {batch_norm_kernel},
         .gradient = batch_norm_gradient,
         .saves = norm_saves,
         .cost = per_input_element<8>,
         .onnx = "BatchNormalization",
         .writes = 1U << 3 | 1U << 4,
         .bind = {bind_batch_norm}},
        {.name = "batch_norm_backward",
         .help = "Gradients of batch_norm by input, weight and bias.",
         .shape = batch_norm_backward_shape,
         .kernel = {batch_norm_backward_kernel},
         .gradient = batch_norm_backward_gradient,
         .saves = always<31>,
         .cost = per_input_element<11>,
         .visible_outputs = 3,
         .bind = {bind_batch_norm_backward}},
        {.name = "layer_norm",
         .help = "(x - mean) / sqrt(var + eps) * weight + bias over the last dimensions.",
         .shape = layer_norm_shape,
         .kernel = {layer_norm_kernel},
         .gradient = layer_norm_gradient,
         .saves = norm_saves,
         .cost = per_input_element<8>,
         .onnx = "LayerNormalization"},
        {.name = "layer_norm_backward",
         .help = "Gradients of layer_norm by input, weight and bias.",
         .shape = layer_norm_backward_shape,
         .kernel = {layer_norm_backward_kernel},
         .gradient = layer_norm_backward_gradient,
         .saves = always<31>,
         .cost = per_input_element<11>,
         .visible_outputs = 3},
    };
    return rows;
}

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& running_mean, const Tensor& running_var, bool training,
                  double momentum, double eps) {
    static const Op& op = find_op("batch_norm");
    const Tensor inputs[] = {x, weight, bias, running_mean, running_var};
    return call(op, inputs, {{"training", training}, {"momentum", momentum}, {"eps", eps}})[0];
}

Tensor layer_norm(const Tensor& x, const Dims& normalized_shape, const Tensor& weight,
                  const Tensor& bias, double eps) {
    static const Op& op = find_op("layer_norm");
    const Tensor inputs[] = {x, weight, bias};
    return call(op, inputs, {{"normalized_shape", normalized_shape}, {"eps", eps}})[0];
}

} // namespace wiregrad

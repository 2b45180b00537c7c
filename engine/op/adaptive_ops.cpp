// The in-place rows of the optimizers beside SGD and Adam: one pass over a weight, its gradient and
// its moments, as in optim_ops.cpp. Hyper-parameters come in a float64 tensor that begins with the
// learning rate and the weight decay, the number of updates in another.
#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/kernel/loop.h"
#include "engine/op/registry.h"

namespace wiregrad {
namespace {

constexpr int kMoments = 3;          ///< inputs 2, 3, 4; absent ones are undefined
constexpr int kHyper = 2 + kMoments; ///< float64 numbers
constexpr int kStep = kHyper + 1;    ///< float64 numbers, written

/// What all of these rows check: moments look like the weight, numbers are as many as wanted.
template <int hyper_count, int step_count> Metas shape_rule(const ShapeCall& call) {
    const TensorMeta& weight = call.inputs[0];
    if (weight.dtype != DType::Float32 && weight.dtype != DType::Float64)
        throw DTypeError(fmt::format("{}: weights are float32 or float64, not {}", call.op.name,
                                     name_of(weight.dtype)));
    for (int i = 1; i < kHyper; ++i) {
        if (((call.present >> i) & 1U) == 0) continue;
        const TensorMeta& meta = call.inputs[static_cast<std::size_t>(i)];
        if (!(meta.shape == weight.shape) || meta.dtype != weight.dtype)
            throw ShapeError(fmt::format("{}: the {} is {} {}, the weight {} {}", call.op.name,
                                         i == 1 ? "gradient" : "optimizer state",
                                         name_of(meta.dtype), meta.shape.str(),
                                         name_of(weight.dtype), weight.shape.str()));
    }
    const auto numbers = [&](int at, std::int64_t count) {
        const TensorMeta& meta = call.inputs[static_cast<std::size_t>(at)];
        if (((call.present >> at) & 1U) == 0 || meta.dtype != DType::Float64 ||
            numel(meta.shape) != count)
            throw ShapeError(
                fmt::format("{}: input {} must be {} float64 numbers", call.op.name, at, count));
    };
    numbers(kHyper, hyper_count);
    if (step_count > 0) numbers(kStep, step_count);
    return {weight};
}

/// Pointers to what a rule reads and writes at one element; `T` is the weight's type.
template <class T> struct Place {
    T *w, *a, *b, *c;
    const T* g;
};

/// Runs `Rule` over all elements. A rule is made once a call from {hyper, step, attributes}; it may
/// advance the step numbers.
template <template <class> class Rule, class T> void run_typed(const KernelCall& call) {
    const auto written = [&](std::size_t i) -> Tensor {
        const Tensor& tensor = call.inputs[i];
        if (tensor.defined() && !tensor.is_contiguous())
            throw ShapeError(
                fmt::format("{}: weights and optimizer state must be contiguous", call.op.name));
        return tensor;
    };
    const auto pointer = [&](std::size_t i) -> T* {
        Tensor tensor = written(i);
        return tensor.defined() ? tensor.data_mut<T>() : nullptr;
    };
    double* step = nullptr;
    if (Tensor numbers = call.inputs.size() > kStep ? call.inputs[kStep] : Tensor();
        numbers.defined())
        step = numbers.data_mut<double>();
    const Tensor gradient = call.inputs[1].contiguous();
    const Rule<T> rule(call.inputs[kHyper].data<double>(), step, call.attrs);
    const Place<T> all{pointer(0), pointer(2), pointer(3), pointer(4), gradient.data<T>()};
    kernel::parallel_for(gradient.numel(), kernel::kParallelElements / 2,
                         [&](std::int64_t begin, std::int64_t end) {
                             for (std::int64_t i = begin; i < end; ++i)
                                 rule.update(all, i);
                         });
}
template <template <class> class Rule> void run(const KernelCall& call) {
    call.inputs[0].dtype() == DType::Float32 ? run_typed<Rule, float>(call)
                                             : run_typed<Rule, double>(call);
}

template <class T> T plain_mean(T old, T grad, T keep, T take) {
    return keep * old + take * grad;
}
/// As torch.lerp: from the nearer end.
template <class T> T lerp(T old, T grad, T take) {
    return take < T{0.5} ? old + take * (grad - old) : grad - (T{1} - take) * (grad - old);
}

// --- one struct a rule; a, b, c are its moments

/// a: square_avg, b: grad_avg (centered), c: momentum_buffer. hyper: alpha, eps, momentum.
template <class T> struct RmsProp {
    T lr, decay, alpha, rest, eps, momentum;
    RmsProp(const double* h, double*, const Attrs&)
        : lr(T(h[0])), decay(T(h[1])), alpha(T(h[2])), rest(T(1 - h[2])), eps(T(h[3])),
          momentum(T(h[4])) {}
    void update(const Place<T>& at, std::int64_t i) const {
        const T grad = at.g[i] + decay * at.w[i];
        at.a[i] = plain_mean(at.a[i], grad * grad, alpha, rest);
        T spread = at.a[i];
        if (at.b != nullptr) {
            at.b[i] = lerp(at.b[i], grad, rest);
            spread -= at.b[i] * at.b[i];
        }
        T move = grad / (std::sqrt(spread) + eps);
        if (at.c != nullptr) move = at.c[i] = momentum * at.c[i] + move;
        at.w[i] -= lr * move;
    }
};

/// a: sum. hyper: lr_decay, eps.
template <class T> struct Adagrad {
    T rate, decay, eps;
    Adagrad(const double* h, double* step, const Attrs&)
        : rate(T(h[0] / (1 + *step * h[2]))), decay(T(h[1])), eps(T(h[3])) {
        *step += 1;
    }
    void update(const Place<T>& at, std::int64_t i) const {
        const T grad = at.g[i] + decay * at.w[i];
        at.a[i] += grad * grad;
        at.w[i] -= rate * (grad / (std::sqrt(at.a[i]) + eps));
    }
};

/// a: square_avg, b: acc_delta. hyper: rho, eps.
template <class T> struct Adadelta {
    T lr, decay, rho, rest, eps;
    Adadelta(const double* h, double*, const Attrs&)
        : lr(T(h[0])), decay(T(h[1])), rho(T(h[2])), rest(T(1 - h[2])), eps(T(h[3])) {}
    void update(const Place<T>& at, std::int64_t i) const {
        const T grad = at.g[i] + decay * at.w[i];
        at.a[i] = plain_mean(at.a[i], grad * grad, rho, rest);
        const T move = std::sqrt(at.b[i] + eps) / std::sqrt(at.a[i] + eps) * grad;
        at.b[i] = plain_mean(at.b[i], move * move, rho, rest);
        at.w[i] -= lr * move;
    }
};

/// a: exp_avg, b: exp_inf. hyper: beta1, beta2, eps.
template <class T> struct Adamax {
    T rate, decay, from_grad, beta2, eps;
    Adamax(const double* h, double* step, const Attrs&)
        : decay(T(h[1])), from_grad(T(1 - h[2])), beta2(T(h[3])), eps(T(h[4])) {
        *step += 1;
        rate = T(h[0] / (1 - std::pow(h[2], *step)));
    }
    void update(const Place<T>& at, std::int64_t i) const {
        const T grad = at.g[i] + decay * at.w[i];
        at.a[i] = lerp(at.a[i], grad, from_grad);
        const T now = std::abs(grad) + eps, before = beta2 * at.b[i];
        at.b[i] = before < now || std::isnan(now) ? now : before;
        at.w[i] -= rate * (at.a[i] / at.b[i]);
    }
};

/// a: exp_avg, b: exp_avg_sq. hyper: beta1, beta2, eps, momentum_decay; step: {count, product of
/// the momenta}. PyTorch 2.x's form: 1.13 multiplied one momentum too many.
template <class T> struct NAdam {
    T shrink, decay, from_grad, beta2, from_square, correction, eps, by_grad, by_mean;
    NAdam(const double* h, double* step, const Attrs& attrs)
        : from_grad(T(1 - h[2])), beta2(T(h[3])), from_square(T(1 - h[3])), eps(T(h[4])) {
        const double beta1 = h[2], momentum_decay = h[5];
        const bool decoupled = attrs.flag("decoupled");
        shrink = T(decoupled ? 1 - h[0] * h[1] : 1.0);
        decay = T(decoupled ? 0.0 : h[1]);
        step[0] += 1;
        correction = T(1 - std::pow(h[3], step[0]));
        const auto momentum = [&](double count) {
            return beta1 * (1 - 0.5 * std::pow(0.96, count * momentum_decay));
        };
        const double now = momentum(step[0]), next = momentum(step[0] + 1);
        step[1] *= now;
        by_grad = T(h[0] * (1 - now) / (1 - step[1]));
        by_mean = T(h[0] * next / (1 - step[1] * next));
    }
    void update(const Place<T>& at, std::int64_t i) const {
        const T weight = at.w[i] * shrink, grad = at.g[i] + decay * weight;
        at.a[i] = lerp(at.a[i], grad, from_grad);
        at.b[i] = plain_mean(at.b[i], grad * grad, beta2, from_square);
        const T size = std::sqrt(at.b[i] / correction) + eps;
        at.w[i] = weight - by_grad * (grad / size) - by_mean * (at.a[i] / size);
    }
};

/// a: exp_avg, b: exp_avg_sq. hyper: beta1, beta2, eps.
template <class T> struct RAdam {
    T shrink, decay, from_grad, beta2, from_square, eps, rate;
    bool rectified;
    RAdam(const double* h, double* step, const Attrs& attrs)
        : from_grad(T(1 - h[2])), beta2(T(h[3])), from_square(T(1 - h[3])), eps(T(h[4])) {
        const bool decoupled = attrs.flag("decoupled");
        shrink = T(decoupled ? 1 - h[0] * h[1] : 1.0);
        decay = T(decoupled ? 0.0 : h[1]);
        const double t = *step += 1;
        const double power = std::pow(h[3], t), correction = 1 - power;
        const double longest = 2 / (1 - h[3]) - 1, length = longest - 2 * t * power / correction;
        rectified = length > 5;
        double factor = h[0] / (1 - std::pow(h[2], t));
        if (rectified)
            factor *= std::sqrt((length - 4) * (length - 2) * longest /
                                ((longest - 4) * (longest - 2) * length)) *
                      std::sqrt(correction);
        rate = T(factor);
    }
    void update(const Place<T>& at, std::int64_t i) const {
        const T weight = at.w[i] * shrink, grad = at.g[i] + decay * weight;
        at.a[i] = lerp(at.a[i], grad, from_grad);
        at.b[i] = plain_mean(at.b[i], grad * grad, beta2, from_square);
        const T size = rectified ? std::sqrt(at.b[i]) + eps : T{1};
        at.w[i] = weight - rate * (at.a[i] / size);
    }
};

// --- small in-place steps around the optimizer

/// Inputs: average, weight, {decay}: average += (1 - decay) (weight - average).
Metas average_shape(const ShapeCall& call) {
    if (!(call.inputs[0].shape == call.inputs[1].shape) ||
        call.inputs[0].dtype != call.inputs[1].dtype)
        throw ShapeError(fmt::format("{}: the average is {} {}, the weight {} {}", call.op.name,
                                     name_of(call.inputs[0].dtype), call.inputs[0].shape.str(),
                                     name_of(call.inputs[1].dtype), call.inputs[1].shape.str()));
    return {call.inputs[0]};
}
template <class T> void average_typed(const KernelCall& call) {
    Tensor average = call.inputs[0];
    const Tensor weight = call.inputs[1].contiguous();
    const T take = T(1 - *call.inputs[2].data<double>());
    T* to = average.data_mut<T>();
    const T* from = weight.data<T>();
    kernel::parallel_for(weight.numel(), kernel::kParallelElements,
                         [&](std::int64_t begin, std::int64_t end) {
                             for (std::int64_t i = begin; i < end; ++i)
                                 to[i] = lerp(to[i], from[i], take);
                         });
}
void average_cpu(const KernelCall& call) {
    call.inputs[0].dtype() == DType::Float64 ? average_typed<double>(call)
                                             : average_typed<float>(call);
}

/// Input: an int64 number, which becomes larger by 1.
Metas count_shape(const ShapeCall& call) {
    if (call.inputs[0].dtype != DType::Int64 || numel(call.inputs[0].shape) != 1)
        throw ShapeError(fmt::format("{}: one int64 number is needed, not {} {}", call.op.name,
                                     name_of(call.inputs[0].dtype), call.inputs[0].shape.str()));
    return {call.inputs[0]};
}
void count_cpu(const KernelCall& call) {
    Tensor number = call.inputs[0];
    *number.data_mut<std::int64_t>() += 1;
}

/// Inputs: gradient, {limit}: every number is brought within -limit .. limit; NaN stays.
Metas clip_value_shape(const ShapeCall& call) {
    if (call.inputs[0].dtype != DType::Float32 && call.inputs[0].dtype != DType::Float64)
        throw DTypeError(fmt::format("{}: gradients are float32 or float64, not {}", call.op.name,
                                     name_of(call.inputs[0].dtype)));
    return {call.inputs[0]};
}
template <class T> void clip_value_typed(const KernelCall& call) {
    Tensor gradient = call.inputs[0];
    const T limit = T(*call.inputs[1].data<double>());
    T* g = gradient.data_mut<T>();
    kernel::parallel_for(gradient.numel(), kernel::kParallelElements,
                         [&](std::int64_t begin, std::int64_t end) {
                             for (std::int64_t i = begin; i < end; ++i)
                                 g[i] = g[i] > limit ? limit : g[i] < -limit ? -limit : g[i];
                         });
}
void clip_value_cpu(const KernelCall& call) {
    call.inputs[0].dtype() == DType::Float64 ? clip_value_typed<double>(call)
                                             : clip_value_typed<float>(call);
}

} // namespace

std::span<const Op> adaptive_ops() {
    constexpr std::uint32_t kFlags = kInPlace | kNoGrad;
    constexpr Mask kWrites = 1U << 2 | 1U << 3 | 1U << 4 | 1U << kStep;
    static const std::vector<Op> rows = {
        {.name = "rmsprop_step_",
         .help = "RMSprop: v = alpha v + (1 - alpha) g^2; w -= lr g / (sqrt(v - mean(g)^2 if "
                 "centered) + eps), through a momentum buffer if there is one.",
         .shape = shape_rule<5, 0>,
         .kernel = {run<RmsProp>},
         .flags = kFlags,
         .writes = kWrites},
        {.name = "adagrad_step_",
         .help = "Adagrad: s += g^2; w -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps).",
         .shape = shape_rule<4, 1>,
         .kernel = {run<Adagrad>},
         .flags = kFlags,
         .writes = kWrites},
        {.name = "adadelta_step_",
         .help = "Adadelta: d = sqrt(u + eps) / sqrt(v + eps) g; w -= lr d, with v and u as moving "
                 "averages of g^2 and d^2.",
         .shape = shape_rule<4, 0>,
         .kernel = {run<Adadelta>},
         .flags = kFlags,
         .writes = kWrites},
        {.name = "adamax_step_",
         .help = "Adamax: u = max(beta2 u, |g| + eps); w -= lr / (1 - beta1^t) m / u.",
         .shape = shape_rule<5, 1>,
         .kernel = {run<Adamax>},
         .flags = kFlags,
         .writes = kWrites},
        {.name = "nadam_step_",
         .help =
             "NAdam: Adam with Nesterov's look ahead, whose momentum grows with momentum_decay.",
         .shape = shape_rule<6, 2>,
         .kernel = {run<NAdam>},
         .flags = kFlags,
         .writes = kWrites},
        {.name = "radam_step_",
         .help = "RAdam: Adam whose first steps, while the variance is uncertain, are plain or "
                 "shortened.",
         .shape = shape_rule<5, 1>,
         .kernel = {run<RAdam>},
         .flags = kFlags,
         .writes = kWrites},
        {.name = "average_step_",
         .help = "a += (1 - decay) (w - a): a moving average of a weight.",
         .shape = average_shape,
         .kernel = {average_cpu},
         .flags = kFlags},
        {.name = "count_step_",
         .help = "n += 1.",
         .shape = count_shape,
         .kernel = {count_cpu},
         .flags = kFlags},
        {.name = "clip_grad_value_",
         .help = "g = min(max(g, -limit), limit).",
         .shape = clip_value_shape,
         .kernel = {clip_value_cpu},
         .flags = kFlags},
    };
    return rows;
}

} // namespace wiregrad

// Connectionist temporal classification (Graves, Fernandez, Gomez, Schmidhuber, 2006): the
// probability of all ways to spread a target over time, in logarithms and double precision.
#include <cmath>
#include <vector>

#include "engine/op/losses.h"
#include "engine/op/nn/common.h"
#include "engine/op/registry.h"
#include "engine/op/tensor_ops.h"

namespace wiregrad {
namespace {

double log_add(double a, double b) {
    if (a < b) std::swap(a, b);
    return std::isinf(b) ? a : a + std::log1p(std::exp(b - a));
}

// inputs: log_probs [T, N, C], targets [N, S] or all behind each other, input lengths [N], target
// lengths [N]; outputs: loss [N] and, hidden, the gradient of each sample's loss by log_probs.
Metas ctc_shape(const ShapeCall& c) {
    rows::require_floating(c, {0});
    const Shape& x = c.inputs[0].shape;
    if (x.size() != 3)
        throw ShapeError(
            fmt::format("ctc_loss: log_probs {} must be [time, batch, classes]", x.str()));
    for (int i = 1; i < 4; ++i) {
        const TensorMeta& meta = c.inputs[static_cast<std::size_t>(i)];
        const bool rows = i == 1 && meta.shape.size() == 2;
        if (rows && meta.shape[0] != x[1])
            throw ShapeError(
                fmt::format("ctc_loss: {} rows of targets for a batch of {}", meta.shape[0], x[1]));
        if (meta.dtype != DType::Int64 || (meta.shape.size() != 1 && !rows))
            throw DTypeError(fmt::format("ctc_loss: targets and lengths are rows of int64, input "
                                         "{} is {}{}",
                                         i, name_of(meta.dtype), meta.shape.str()));
        if (i > 1 && meta.shape[0] != x[1])
            throw ShapeError(
                fmt::format("ctc_loss: {} lengths for a batch of {}", meta.shape[0], x[1]));
    }
    const std::int64_t blank = c.attrs.integer("blank");
    if (blank < 0 || blank >= x[2])
        throw ValueError(fmt::format("ctc_loss: blank is {}, outside [0, {})", blank, x[2]));
    return {{{x[1]}, c.inputs[0].dtype, c.inputs[0].device}, c.inputs[0]};
}

struct Sample {
    const double* log_probs; ///< of the first step
    std::int64_t step, classes, times;
    const std::int64_t* target;
    std::int64_t length, blank;
    double* gradient; ///< as log_probs

    std::int64_t label(std::int64_t state) const {
        return state % 2 == 0 ? blank : target[state / 2];
    }
    double at(std::int64_t time, std::int64_t state) const {
        return log_probs[time * step + label(state)];
    }
};

/// The loss of one sample; writes its gradient.
double run_sample(const Sample& s) {
    const std::int64_t states = 2 * s.length + 1;
    const double none = -INFINITY;
    std::vector<double> alpha(static_cast<std::size_t>(s.times * states), none), beta = alpha;
    const auto cell = [states](std::vector<double>& table, std::int64_t t,
                               std::int64_t k) -> double& {
        return table[static_cast<std::size_t>(t * states + k)];
    };
    const auto skips = [&s](std::int64_t k) { // may a path jump over the blank before state k?
        return k % 2 == 1 && k >= 2 && s.label(k) != s.label(k - 2);
    };
    if (s.times == 0) return s.length == 0 ? 0 : INFINITY;
    cell(alpha, 0, 0) = s.at(0, 0);
    if (states > 1) cell(alpha, 0, 1) = s.at(0, 1);
    for (std::int64_t t = 1; t < s.times; ++t)
        for (std::int64_t k = 0; k < states; ++k) {
            double total = cell(alpha, t - 1, k);
            if (k > 0) total = log_add(total, cell(alpha, t - 1, k - 1));
            if (skips(k)) total = log_add(total, cell(alpha, t - 1, k - 2));
            cell(alpha, t, k) = total + s.at(t, k);
        }
    const std::int64_t last = s.times - 1;
    cell(beta, last, states - 1) = s.at(last, states - 1);
    if (states > 1) cell(beta, last, states - 2) = s.at(last, states - 2);
    for (std::int64_t t = last - 1; t >= 0; --t)
        for (std::int64_t k = 0; k < states; ++k) {
            double total = cell(beta, t + 1, k);
            if (k + 1 < states) total = log_add(total, cell(beta, t + 1, k + 1));
            if (k + 2 < states && skips(k + 2)) total = log_add(total, cell(beta, t + 1, k + 2));
            cell(beta, t, k) = total + s.at(t, k);
        }
    double whole = cell(alpha, last, states - 1);
    if (states > 1) whole = log_add(whole, cell(alpha, last, states - 2));
    // d loss / d log_probs[t, c] = p(c) - sum over the states of c of alpha beta / (p(c) total):
    // PyTorch's convention, which takes log_probs to come from log_softmax.
    std::vector<double> by_class(static_cast<std::size_t>(s.classes));
    for (std::int64_t t = 0; t < s.times; ++t) {
        std::fill(by_class.begin(), by_class.end(), none);
        for (std::int64_t k = 0; k < states; ++k) {
            double& sum = by_class[static_cast<std::size_t>(s.label(k))];
            sum = log_add(sum, cell(alpha, t, k) + cell(beta, t, k));
        }
        for (std::int64_t c = 0; c < s.classes; ++c) {
            const double lp = s.log_probs[t * s.step + c];
            s.gradient[t * s.step + c] =
                std::exp(lp) - std::exp(by_class[static_cast<std::size_t>(c)] - whole - lp);
        }
    }
    return -whole;
}

void ctc_kernel(const KernelCall& c) {
    Tensor x = Tensor::empty(c.inputs[0].shape(), DType::Float64);
    cpu_copy(x, c.inputs[0]);
    const Tensor targets = c.inputs[1].contiguous(), times = c.inputs[2].contiguous(),
                 lengths = c.inputs[3].contiguous();
    Tensor gradient = Tensor::zeros(x.shape(), DType::Float64);
    const std::int64_t batch = x.size(1), classes = x.size(2);
    std::vector<double> losses;
    std::int64_t at = 0;
    for (std::int64_t n = 0; n < batch; ++n) {
        const std::int64_t length = lengths.data<std::int64_t>()[n],
                           time = times.data<std::int64_t>()[n];
        if (time < 0 || time > x.size(0))
            throw ValueError(fmt::format("ctc_loss: input length {} of sample {} is outside 0 to "
                                         "{}",
                                         time, n, x.size(0)));
        const bool in_rows = targets.dim() == 2;
        if (in_rows) at = n * targets.size(1);
        if (length < 0 || at + length > (in_rows ? at + targets.size(1) : targets.numel()))
            throw ValueError(fmt::format("ctc_loss: target length {} of sample {} reaches past "
                                         "the targets",
                                         length, n));
        const std::int64_t* target = targets.data<std::int64_t>() + at;
        for (std::int64_t i = 0; i < length; ++i)
            if (target[i] < 0 || target[i] >= classes)
                throw ValueError(fmt::format("ctc_loss: label {} of sample {} is {}, outside [0, "
                                             "{})",
                                             i, n, target[i], classes));
        losses.push_back(run_sample({x.data<double>() + n * classes, batch * classes, classes, time,
                                     target, length, c.attrs.integer("blank"),
                                     gradient.data_mut<double>() + n * classes}));
        at += length;
    }
    cpu_copy(c.outputs[0], Tensor::from(losses, {batch}));
    cpu_copy(c.outputs[1], gradient);
}

Tensors ctc_gradient(const GradCall& c) {
    static const Op& op = find_op("ctc_loss_backward");
    Tensors result(4);
    result[0] =
        call_one(op, c.grads[0], c.outputs[1], {{"zero_infinity", c.attrs.flag("zero_infinity")}});
    return result;
}

/// What the forward pass worked out cannot be differentiated again; PyTorch's cannot either.
Tensors refuse_second(const GradCall&) {
    throw AutogradError("ctc_loss cannot be differentiated twice.");
}

Metas backward_shape(const ShapeCall& c) {
    return {c.inputs[1]};
}

void backward_kernel(const KernelCall& c) {
    const Tensor g = c.inputs[0].contiguous(), ready = c.inputs[1].contiguous();
    const bool zero_infinity = c.attrs.flag("zero_infinity");
    rows::by_float(ready.dtype(), [&]<class T>(T) {
        const std::int64_t batch = ready.size(1), classes = ready.size(2);
        const T *scale = g.data<T>(), *from = ready.data<T>();
        T* into = c.outputs[0].data_mut<T>();
        for (std::int64_t i = 0; i < ready.numel(); ++i) {
            const T value = from[i] * scale[i / classes % batch];
            into[i] = zero_infinity && !std::isfinite(from[i]) ? T(0) : value;
        }
    });
}

} // namespace

std::span<const Op> ctc_ops() {
    static const Op rows[] = {
        {.name = "ctc_loss",
         .help = "-log of the summed probability of all alignments of a target",
         .shape = ctc_shape,
         .kernel = {ctc_kernel},
         .gradient = ctc_gradient,
         .saves = rows::always<0, 2>},
        {.name = "ctc_loss_backward",
         .help = "scales the gradient that the forward pass computed",
         .shape = backward_shape,
         .kernel = {backward_kernel},
         .gradient = refuse_second},
    };
    return rows;
}

Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, std::int64_t blank, Reduction reduction,
                bool zero_infinity) {
    static const Op& op = find_op("ctc_loss");
    if (log_probs.dim() == 2) {
        const Tensor one = ctc_loss(unsqueeze(log_probs, 1), reshape(targets, {1, -1}),
                                    reshape(input_lengths, {1}), reshape(target_lengths, {1}),
                                    blank, reduction, zero_infinity);
        return reduction == Reduction::None ? squeeze(one, 0) : one;
    }
    const Tensor inputs[] = {log_probs, targets, input_lengths, target_lengths};
    Tensor losses = call(op, inputs, {{"blank", blank}, {"zero_infinity", zero_infinity}})[0];
    if (zero_infinity) losses = masked_fill(losses, isinf(losses), 0);
    if (reduction == Reduction::Mean)
        return mean(div(losses, clamp(to(target_lengths, losses.dtype()), 1, INFINITY)));
    return reduced(losses, reduction);
}

} // namespace wiregrad

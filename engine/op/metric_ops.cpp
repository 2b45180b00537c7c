// Rows that count for metrics: confusion matrices, histograms of scores, calibration. Sums over
// batches are sums of these counts. Not differentiable.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/op/registry.h"

namespace wiregrad {
namespace {

/// Contiguous, on the CPU, as float64 or int64.
Tensor plain(const Tensor& x, DType dtype) {
    const Tensor near = x.contiguous();
    if (near.dtype() == dtype) return near;
    Tensor converted = Tensor::empty(near.shape(), dtype);
    converted.copy_(near);
    return converted;
}

TensorMeta counts(const Shape& shape) {
    return {shape, DType::Float64};
}

/// Scores [N, C, ...] and labels [N, ...], or one score a label: which class is said.
struct Scores {
    std::int64_t outer = 0, classes = 0, inner = 1;
    bool single = false;
};
Scores scores_of(std::string_view op, const TensorMeta& scores, const TensorMeta& labels) {
    if (!is_integral(labels.dtype))
        throw DTypeError(
            fmt::format("{}: labels are whole numbers, not {}", op, name_of(labels.dtype)));
    Scores s;
    Shape expected = scores.shape;
    if (scores.shape.size() >= 2 && scores.shape[1] > 1) {
        expected.erase(1);
        s.classes = scores.shape[1];
        s.outer = scores.shape[0];
        for (int d = 2; d < scores.shape.size(); ++d)
            s.inner *= scores.shape[d];
    } else {
        s.single = true;
        s.classes = 2;
        s.outer = numel(scores.shape);
    }
    if (s.single ? numel(labels.shape) != s.outer : !(labels.shape == expected))
        throw ShapeError(fmt::format("{}: scores {} do not fit labels {}", op, scores.shape.str(),
                                     labels.shape.str()));
    return s;
}

Metas confusion_shape(const ShapeCall& call) {
    const Scores s = scores_of(call.op.name, call.inputs[0], call.inputs[1]);
    return {counts({s.classes, s.classes})};
}

/// Calls f(label, scores of one place, their stride) for each place whose label is not ignored.
template <class F> void for_each_place(const KernelCall& call, std::int64_t ignored, const F& f) {
    const TensorMeta metas[] = {{call.inputs[0].shape(), call.inputs[0].dtype()},
                                {call.inputs[1].shape(), call.inputs[1].dtype()}};
    const Scores s = scores_of(call.op.name, metas[0], metas[1]);
    const Tensor scores = plain(call.inputs[0], DType::Float64),
                 labels = plain(call.inputs[1], DType::Int64);
    const std::int64_t stride = s.single ? 1 : s.inner, own = s.single ? 1 : s.classes;
    for (std::int64_t n = 0; n < s.outer; ++n)
        for (std::int64_t i = 0; i < s.inner; ++i) {
            const std::int64_t label = labels.data<std::int64_t>()[n * s.inner + i];
            if (label == ignored) continue;
            if (label < 0 || label >= s.classes)
                throw ValueError(fmt::format("{}: label {} is outside the {} classes", call.op.name,
                                             label, s.classes));
            f(label, scores.data<double>() + n * own * s.inner + i, stride, s);
        }
}

void confusion_cpu(const KernelCall& call) {
    const double threshold = call.attrs.real("threshold");
    Tensor out = call.outputs[0];
    auto* matrix = out.data_mut<double>();
    std::fill_n(matrix, out.numel(), 0.0);
    for_each_place(call, call.attrs.integer("ignore_index"),
                   [&](std::int64_t label, const double* at, std::int64_t stride, const Scores& s) {
                       std::int64_t said = 0;
                       if (s.single) {
                           said = at[0] > threshold ? 1 : 0;
                       } else {
                           for (std::int64_t c = 1; c < s.classes; ++c)
                               if (at[c * stride] > at[said * stride]) said = c;
                       }
                       matrix[label * s.classes + said] += 1;
                   });
}

Metas histogram_shape(const ShapeCall& call) {
    const Scores s = scores_of(call.op.name, call.inputs[0], call.inputs[1]);
    return {counts({s.single ? 1 : s.classes, 2, call.attrs.integer("bins")})};
}

/// exp(x) / sum of exp over the classes.
double softmax_of(const double* at, std::int64_t stride, std::int64_t classes, std::int64_t c) {
    double most = at[0], sum = 0;
    for (std::int64_t k = 1; k < classes; ++k)
        most = std::max(most, at[k * stride]);
    for (std::int64_t k = 0; k < classes; ++k)
        sum += std::exp(at[k * stride] - most);
    return std::exp(at[c * stride] - most) / sum;
}
double sigmoid_of(double x) {
    return 1 / (1 + std::exp(-x));
}
std::int64_t bin_of(double probability, std::int64_t bins) {
    if (!(probability >= 0)) return 0; // NaN says nothing
    return std::min(static_cast<std::int64_t>(probability * static_cast<double>(bins)), bins - 1);
}

void histogram_cpu(const KernelCall& call) {
    const std::int64_t bins = call.attrs.integer("bins");
    const bool scores_are_logits = call.attrs.flag("logits");
    Tensor out = call.outputs[0];
    auto* counted = out.data_mut<double>();
    std::fill_n(counted, out.numel(), 0.0);
    for_each_place(call, call.attrs.integer("ignore_index"),
                   [&](std::int64_t label, const double* at, std::int64_t stride, const Scores& s) {
                       if (s.single) {
                           const double p = scores_are_logits ? sigmoid_of(at[0]) : at[0];
                           counted[label * bins + bin_of(p, bins)] += 1;
                           return;
                       }
                       for (std::int64_t c = 0; c < s.classes; ++c) {
                           const double p = scores_are_logits ? softmax_of(at, stride, s.classes, c)
                                                              : at[c * stride];
                           counted[(c * 2 + (label == c ? 1 : 0)) * bins + bin_of(p, bins)] += 1;
                       }
                   });
}

Metas calibration_shape(const ShapeCall& call) {
    scores_of(call.op.name, call.inputs[0], call.inputs[1]);
    return {counts({3, call.attrs.integer("bins")})};
}
void calibration_cpu(const KernelCall& call) {
    const std::int64_t bins = call.attrs.integer("bins");
    const bool scores_are_logits = call.attrs.flag("logits");
    Tensor out = call.outputs[0];
    auto* sums = out.data_mut<double>(); // places, confidence, right answers
    std::fill_n(sums, out.numel(), 0.0);
    for_each_place(call, call.attrs.integer("ignore_index"),
                   [&](std::int64_t label, const double* at, std::int64_t stride, const Scores& s) {
                       double confidence = 0;
                       bool right = false;
                       if (s.single) {
                           const double p = scores_are_logits ? sigmoid_of(at[0]) : at[0];
                           confidence = std::max(p, 1 - p);
                           right = (p > 0.5) == (label == 1);
                       } else {
                           std::int64_t said = 0;
                           for (std::int64_t c = 1; c < s.classes; ++c)
                               if (at[c * stride] > at[said * stride]) said = c;
                           confidence = scores_are_logits ? softmax_of(at, stride, s.classes, said)
                                                          : at[said * stride];
                           right = said == label;
                       }
                       const std::int64_t bin = bin_of(confidence, bins);
                       sums[bin] += 1;
                       sums[bins + bin] += confidence;
                       sums[2 * bins + bin] += right ? 1 : 0;
                   });
}

} // namespace

std::span<const Op> metric_ops() {
    static const std::vector<Op> rows = {
        {.name = "confusion_matrix",
         .help =
             "m[label, said] = how often; said is the largest score, or whether the only one is "
             "above the threshold.",
         .shape = confusion_shape,
         .kernel = {confusion_cpu},
         .flags = kNoGrad},
        {.name = "score_histogram",
         .help = "h[class, is it, bin] = how often that class got a probability in that bin.",
         .shape = histogram_shape,
         .kernel = {histogram_cpu},
         .flags = kNoGrad},
        {.name = "calibration_bins",
         .help = "places, confidence and right answers for each bin of confidence.",
         .shape = calibration_shape,
         .kernel = {calibration_cpu},
         .flags = kNoGrad},
    };
    return rows;
}

} // namespace wiregrad

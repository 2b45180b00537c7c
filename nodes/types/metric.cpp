#include "nodes/types/declare.h"
#include "nodes/types/target.h"

#include <fmt/core.h>

#include <cmath>

namespace wiregrad::graph::types {

namespace {

NodeType metric(std::string id, std::string formula, std::vector<std::string> synonyms,
                std::string help, PortKind target_kind) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Metric";
    type.formula = std::move(formula);
    type.synonyms = std::move(synonyms);
    type.synonyms.push_back("metric");
    type.help = std::move(help);
    type.role = Role::Metric;
    PortSpec target = tensor_port("target", "What it should have said.");
    target.kind = target_kind;
    type.inputs = {tensor_port("input", "What the network says."), target};
    return type;
}

Tensor count_of(std::int64_t count) {
    return Tensor::scalar(static_cast<double>(count), DType::Float64);
}

NodeType accuracy() {
    NodeType type =
        metric("Accuracy", "right answers / all answers", {"correct", "hit rate", "score"},
               "Part of the samples whose class was found. With one output: above the threshold "
               "means yes.",
               PortKind::Labels);
    type.params = {real_param("threshold", "Threshold", 0, -1e6, 1e6,
                              "For networks with one output: above it the answer is class 1. 0 for "
                              "scores, 0.5 behind a Sigmoid."),
                   later(int_param("ignore_index", "Ignored label", -100, -1000000, 1000000,
                                   "Places with this label do not count."))};
    type.build = [](const BuildContext& context) {
        need_floating(context, "Accuracy");
        const Shape& input = context.inputs[0].shape;
        const TensorMeta& target = context.inputs[1];
        if (!is_integral(target.dtype))
            throw DTypeError(fmt::format("Accuracy compares with class labels, got {} targets",
                                         name_of(target.dtype)));
        Shape classes_out = input;
        if (input.size() >= 2) classes_out.erase(1);
        const bool choose = input.size() >= 2 && input[1] > 1 && target.shape == classes_out;
        if (!choose && numel(input) != numel(target.shape))
            throw ShapeError(fmt::format("Accuracy: scores {} do not fit labels {}", input.str(),
                                         target.shape.str()));
        return make_function([choose, threshold = context.real("threshold"),
                              ignored = static_cast<double>(context.integer("ignore_index"))](
                                 std::span<const Tensor> xs, const nn::ForwardContext&) {
            const Tensor& labels = xs[1];
            const Tensor counted = ne(labels, ignored);
            const Tensor said =
                choose ? argmax(xs[0], 1)
                       : reshape(to(gt(xs[0], Tensor::full(Shape{}, threshold, xs[0].dtype())),
                                    DType::Int64),
                                 labels.shape());
            return Tensors{sum(to(logical_and(eq(said, labels), counted), DType::Float64)),
                           sum(to(counted, DType::Float64))};
        });
    };
    type.pytorch = [](const BuildContext& context) {
        const Shape& input = context.inputs[0].shape;
        const std::string ignored = py(context.integer("ignore_index"));
        if (input.size() >= 2 && input[1] > 1)
            return Emitted{
                "", fmt::format("({{0}}.argmax(1) == {{1}})[{{1}} != {}].float().mean()", ignored)};
        return Emitted{"", fmt::format("(({{0}} > {}).long().reshape({{1}}.shape) == {{1}})"
                                       "[{{1}} != {}].float().mean()",
                                       py(context.real("threshold")), ignored)};
    };
    return type;
}

/// Metrics that compare number by number: `part` is summed over all numbers, and `finish` makes the
/// value of the sum and the count.
NodeType by_number(std::string id, std::string formula, std::vector<std::string> synonyms,
                   std::string help, Tensor (*part)(const Tensor& difference),
                   double (*finish)(double mean), std::string python) {
    NodeType type =
        metric(id, std::move(formula), std::move(synonyms), std::move(help), PortKind::Tensor);
    type.build = [id, part](const BuildContext& context) {
        need_floating(context, id);
        const Target target = fit_target(context, id);
        return make_function([target, part](std::span<const Tensor> xs, const nn::ForwardContext&) {
            const Tensor away = sub(xs[0], target.apply(xs[1], xs[0].dtype()));
            return Tensors{sum(to(part(away), DType::Float64)), count_of(xs[0].numel())};
        });
    };
    if (finish)
        type.finish = [finish](const BuildContext&) {
            return [finish](const std::vector<double>& v) {
                return v.size() == 2 && v[1] > 0 ? finish(v[0] / v[1]) : 0.0;
            };
        };
    type.pytorch = [id, python](const BuildContext& context) {
        std::string text = python;
        text.replace(text.find("{d}"), 3, "({0} - " + fit_target(context, id).python("{1}") + ")");
        return Emitted{"", text};
    };
    return type;
}

NodeType r2_score() {
    NodeType type = metric("R2Score", "1 - sum((target - input)^2) / sum((target - mean)^2)",
                           {"r squared", "coefficient of determination", "explained variance"},
                           "How much of the spread of the targets is explained: 1 is all, 0 is no "
                           "better than always saying the mean.",
                           PortKind::Tensor);
    type.build = [](const BuildContext& context) {
        need_floating(context, "R2Score");
        const Target target = fit_target(context, "R2Score");
        return make_function([target](std::span<const Tensor> xs, const nn::ForwardContext&) {
            const Tensor y = to(target.apply(xs[1], xs[0].dtype()), DType::Float64);
            const Tensor parts[] = {sum(square(sub(to(xs[0], DType::Float64), y))), sum(y),
                                    sum(square(y))};
            return Tensors{stack(parts), count_of(xs[0].numel())};
        });
    };
    type.finish = [](const BuildContext&) {
        return [](const std::vector<double>& v) {
            if (v.size() != 4 || v[3] <= 0) return 0.0;
            const double spread = v[2] - v[1] * v[1] / v[3];
            return spread > 0 ? 1 - v[0] / spread : 0.0;
        };
    };
    type.pytorch = [](const BuildContext& context) {
        const std::string y = fit_target(context, "R2Score").python("{1}");
        return Emitted{"", fmt::format("(1 - ({{0}} - {0}).pow(2).sum() / ({0} - {0}.float()."
                                       "mean()).pow(2).sum())",
                                       y)};
    };
    return type;
}

// --- from the table of labels and answers

int class_count(const BuildContext& context) {
    const Shape& shape = context.inputs[0].shape;
    return shape.size() >= 2 && shape[1] > 1 ? static_cast<int>(shape[1]) : 2;
}

std::vector<ParamSpec> class_params() {
    return {real_param("threshold", "Threshold", 0, -1e6, 1e6,
                       "For networks with one output: above it the answer is class 1. 0 for "
                       "scores, 0.5 behind a Sigmoid."),
            int_param("ignore_index", "Ignored label", -100, -1000000, 1000000,
                      "Places with this label do not count.")};
}

/// True positives, all said and all meant, of each class, from counts [C, C].
struct PerClass {
    std::vector<double> right, said, meant;
    double total = 0;
    explicit PerClass(const std::vector<double>& v) {
        const auto classes = static_cast<std::size_t>(std::sqrt(static_cast<double>(v.size())));
        right.assign(classes, 0);
        said = meant = right;
        for (std::size_t label = 0; label < classes; ++label)
            for (std::size_t answer = 0; answer < classes; ++answer) {
                const double count = v[label * classes + answer];
                if (label == answer) right[label] += count;
                meant[label] += count;
                said[answer] += count;
                total += count;
            }
    }
};

using PerClassValue = double (*)(double right, double said, double meant);

double ratio(double a, double b) {
    return b > 0 ? a / b : 0;
}

/// One value from those of the classes: micro, macro (classes that occur), weighted; with two
/// classes and "binary" that of class 1.
double averaged(const PerClass& c, const std::string& how, PerClassValue value) {
    if (how == "binary" && c.right.size() == 2) return value(c.right[1], c.said[1], c.meant[1]);
    if (how == "micro") {
        double right = 0;
        for (const double r : c.right)
            right += r;
        return value(right, c.total, c.total);
    }
    double sum = 0, weight = 0;
    for (std::size_t k = 0; k < c.right.size(); ++k) {
        if (c.said[k] + c.meant[k] == 0) continue;
        const double share = how == "weighted" ? c.meant[k] : 1;
        sum += share * value(c.right[k], c.said[k], c.meant[k]);
        weight += share;
    }
    return ratio(sum, weight);
}

NodeType by_class(std::string id, std::string formula, std::vector<std::string> synonyms,
                  std::string help, PerClassValue value, std::string python,
                  const char* average = "macro") {
    NodeType type =
        metric(id, std::move(formula), std::move(synonyms), std::move(help), PortKind::Labels);
    type.params = class_params();
    type.params.push_back(choice_param("average", "Over classes", average,
                                       {{"macro", "Each class counts the same"},
                                        {"weighted", "Each class by its samples"},
                                        {"micro", "All samples together"},
                                        {"binary", "Class 1 of two"}},
                                       "How the values of the classes become one."));
    type.build = [id](const BuildContext& context) {
        need_floating(context, id);
        const Attrs attrs{{"threshold", context.real("threshold")},
                          {"ignore_index", context.integer("ignore_index")}};
        const TensorMeta metas[] = {context.inputs[0], context.inputs[1]};
        const Op& op = find_op("confusion_matrix");
        op.shape({op, attrs, metas, 3}); // says what does not fit
        return make_function([attrs, &op](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return Tensors{call(op, xs, attrs).front(), count_of(1)};
        });
    };
    type.finish = [value](const BuildContext& context) {
        return [value, how = context.text("average")](const std::vector<double>& v) {
            const std::vector<double> table(v.begin(), v.end() - (v.empty() ? 0 : 1));
            return averaged(PerClass(table), how, value);
        };
    };
    // r, s, m: right, said and meant of each class.
    type.pytorch = [python](const BuildContext& context) {
        const int classes = class_count(context);
        const Shape& shape = context.inputs[0].shape;
        const bool scores = shape.size() >= 2 && shape[1] > 1;
        const std::string said =
            scores ? std::string("{0}.argmax(1).flatten()")
                   : fmt::format("({{0}} > {}).long().flatten()", py(context.real("threshold")));
        const std::string& how = context.text("average");
        std::string total =
            how == "micro" ? fmt::format("(lambda r, s, m: {})(r.sum(), m.sum(), m.sum())", python)
            : how == "binary" && classes == 2
                ? fmt::format("(lambda r, s, m: {})(r[1], s[1], m[1])", python)
                : fmt::format("(lambda v, w: (v * w).sum() / w.sum())({}, {})", python,
                              how == "weighted" ? "m" : "((s + m) > 0).double()");
        return Emitted{"",
                       fmt::format("(lambda t, a: (lambda c: (lambda r, s, m: {})(c.diagonal(), "
                                   "c.sum(0), c.sum(1)))(torch.bincount(t[t != {}] * {} + "
                                   "a[t != {}], minlength={}).reshape({}, {}).double()))"
                                   "({{1}}.flatten(), {})",
                                   total, context.integer("ignore_index"), classes,
                                   context.integer("ignore_index"), classes * classes, classes,
                                   classes, said)};
    };
    return type;
}

NodeType confusion_matrix_type() {
    NodeType type = by_class(
        "ConfusionMatrix",
        "m[label, said] = how often; the value is the mean share of right answers",
        {"confusion", "table", "balanced accuracy"},
        "Counts how often each class was taken for which. Its value is the balanced accuracy: how "
        "often a class is found, averaged over the classes.",
        [](double right, double, double meant) { return ratio(right, meant); },
        "torch.where(m > 0, r / m.clamp(min=1), torch.zeros_like(m))");
    return type;
}

// --- from the histogram of scores

constexpr std::int64_t kBins = 1000;

NodeType by_histogram(std::string id, std::string formula, std::vector<std::string> synonyms,
                      std::string help,
                      double (*value)(const double* negatives, const double* positives),
                      std::string python) {
    NodeType type =
        metric(id, std::move(formula), std::move(synonyms), std::move(help), PortKind::Labels);
    type.params = {
        bool_param("logits", "Scores", true,
                   "The input are scores; off: probabilities, behind Sigmoid or Softmax."),
        class_params()[1]};
    type.build = [id](const BuildContext& context) {
        need_floating(context, id);
        const Attrs attrs{{"bins", kBins},
                          {"logits", context.flag("logits")},
                          {"ignore_index", context.integer("ignore_index")}};
        const TensorMeta metas[] = {context.inputs[0], context.inputs[1]};
        const Op& op = find_op("score_histogram");
        op.shape({op, attrs, metas, 3});
        return make_function([attrs, &op](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return Tensors{call(op, xs, attrs).front(), count_of(1)};
        });
    };
    type.finish = [value](const BuildContext&) {
        return [value](const std::vector<double>& v) {
            double total = 0, classes = 0;
            for (std::size_t at = 0; at + 2 * kBins <= v.size(); at += 2 * kBins) {
                const double one = value(v.data() + at, v.data() + at + kBins);
                if (std::isnan(one)) continue; // a class that has no samples, or nothing else
                total += one;
                classes += 1;
            }
            return classes > 0 ? total / classes : 0.0;
        };
    };
    type.pytorch = [python](const BuildContext& context) {
        const Shape& shape = context.inputs[0].shape;
        const bool scores = shape.size() >= 2 && shape[1] > 1;
        const bool logits = context.flag("logits");
        const std::string p =
            scores ? (logits ? "{0}.softmax(1)" : "{0}") : (logits ? "{0}.sigmoid()" : "{0}");
        const std::string ignored = py(context.integer("ignore_index"));
        const std::string each =
            scores ? fmt::format(
                         "[(p.movedim(1, -1).reshape(-1, {0})[t != {1}][:, c], t[t != {1}] == c) "
                         "for c in range({0})]",
                         shape[1], ignored)
                   : fmt::format("[(p.flatten()[t != {0}], t[t != {0}] == 1)]", ignored);
        return Emitted{"",
                       fmt::format("(lambda p, t: (lambda v: sum(v) / max(len(v), 1))([{} for q, y "
                                   "in {} if y.any() and not y.all()]))({}, {{1}}.flatten())",
                                   python, each, p)};
    };
    return type;
}

/// Half of what falls into one bin counts as in the right order.
double area_under_curve(const double* negatives, const double* positives) {
    double below = 0, area = 0, n = 0, p = 0;
    for (std::int64_t b = 0; b < kBins; ++b) {
        area += positives[b] * (below + negatives[b] / 2);
        below += negatives[b];
        n += negatives[b];
        p += positives[b];
    }
    return n > 0 && p > 0 ? area / (n * p) : std::nan("");
}
double average_precision(const double* negatives, const double* positives) {
    double p = 0, n = 0;
    for (std::int64_t b = 0; b < kBins; ++b) {
        p += positives[b];
        n += negatives[b];
    }
    if (p <= 0 || n <= 0) return std::nan("");
    double found = 0, said = 0, value = 0;
    for (std::int64_t b = kBins - 1; b >= 0; --b) {
        found += positives[b];
        said += positives[b] + negatives[b];
        if (positives[b] > 0) value += positives[b] / p * (found / said);
    }
    return value;
}

constexpr std::int64_t kSteps = 15; ///< bins of confidence

NodeType calibration_error() {
    NodeType type =
        metric("CalibrationError", "mean over bins of |right answers - confidence|",
               {"calibration", "ece", "reliability", "confidence"},
               "How far the network's confidence is from how often it is right, over 15 "
               "bins of confidence. 0: it is right as often as it says.",
               PortKind::Labels);
    type.params = {
        bool_param("logits", "Scores", true,
                   "The input are scores; off: probabilities, behind Sigmoid or Softmax."),
        class_params()[1]};
    type.build = [](const BuildContext& context) {
        need_floating(context, "CalibrationError");
        const Attrs attrs{{"bins", kSteps},
                          {"logits", context.flag("logits")},
                          {"ignore_index", context.integer("ignore_index")}};
        const TensorMeta metas[] = {context.inputs[0], context.inputs[1]};
        const Op& op = find_op("calibration_bins");
        op.shape({op, attrs, metas, 3});
        return make_function([attrs, &op](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return Tensors{call(op, xs, attrs).front(), count_of(1)};
        });
    };
    type.finish = [](const BuildContext&) {
        return [](const std::vector<double>& v) {
            double places = 0, away = 0;
            for (std::size_t b = 0; v.size() >= 3 * kSteps && b < kSteps; ++b) {
                places += v[b];
                away += std::abs(v[2 * kSteps + b] - v[kSteps + b]);
            }
            return ratio(away, places);
        };
    };
    type.pytorch = [](const BuildContext& context) {
        const Shape& shape = context.inputs[0].shape;
        const bool scores = shape.size() >= 2 && shape[1] > 1, logits = context.flag("logits");
        const std::string p =
            scores ? std::string(logits ? "{0}.softmax(1)" : "{0}")
                   : fmt::format("(lambda q: torch.stack([1 - q, q], 1))(({}).flatten())",
                                 logits ? "{0}.sigmoid()" : "{0}");
        return Emitted{
            "",
            fmt::format("(lambda p, t: (lambda c, r, k: sum((r[k == b].double().sum() - "
                        "c[k == b].double().sum()).abs() for b in range({0})) / len(c))"
                        "(p.max(1)[0][t != {1}], (p.max(1)[1] == t)[t != {1}], (p.max(1)[0][t != "
                        "{1}] * {0}).long().clamp(max={0} - 1)))({2}, {{1}}{3})",
                        kSteps, context.integer("ignore_index"), p, scores ? "" : ".flatten()")};
    };
    return type;
}

NodeType top_k() {
    NodeType type =
        metric("TopKAccuracy", "right answers among the k best / all answers",
               {"top 5", "hit rate", "recall at k"},
               "Part of the samples whose class is among the k highest scores.", PortKind::Labels);
    type.params = {int_param("k", "Best", 5, 1, 100000, "How many answers are allowed.")};
    type.build = [](const BuildContext& context) {
        need_floating(context, "TopKAccuracy");
        const Shape& input = context.inputs[0].shape;
        Shape expected = input;
        if (input.size() >= 2) expected.erase(1);
        if (input.size() < 2 || !(context.inputs[1].shape == expected) ||
            !is_integral(context.inputs[1].dtype))
            throw ShapeError(fmt::format("TopKAccuracy: scores {} do not fit labels {}",
                                         input.str(), context.inputs[1].shape.str()));
        return make_function(
            [k = context.integer("k")](std::span<const Tensor> xs, const nn::ForwardContext&) {
                // The rank of the right score: how many are larger.
                const Tensor labels = unsqueeze(xs[1], 1);
                const Tensor own = gather(xs[0], 1, labels);
                const Tensor better = sum(to(gt(xs[0], own), DType::Float64), {1});
                return Tensors{sum(to(lt(better, static_cast<double>(k)), DType::Float64)),
                               count_of(xs[1].numel())};
            });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", fmt::format("(({{0}} > {{0}}.gather(1, {{1}}.unsqueeze(1))).sum(1) < {})"
                                       ".float().mean()",
                                       context.integer("k"))};
    };
    return type;
}

NodeType perplexity() {
    NodeType type = metric("Perplexity", "exp(mean of -log softmax(input)[target])",
                           {"language model", "bits per character"},
                           "Between how many equally likely answers the network wavers: 1 is "
                           "certainty. Usual for texts.",
                           PortKind::Labels);
    type.params = {class_params()[1]};
    type.build = [](const BuildContext& context) {
        need_floating(context, "Perplexity");
        const Shape& input = context.inputs[0].shape;
        Shape expected = input;
        if (input.size() >= 2) expected.erase(1);
        if (input.size() < 2 || !(context.inputs[1].shape == expected) ||
            !is_integral(context.inputs[1].dtype))
            throw ShapeError(fmt::format("Perplexity: scores {} do not fit labels {}", input.str(),
                                         context.inputs[1].shape.str()));
        CrossEntropyOptions options;
        options.reduction = Reduction::Sum;
        options.ignore_index = context.integer("ignore_index");
        return make_function([options](std::span<const Tensor> xs, const nn::ForwardContext&) {
            const Tensor counted =
                ne(xs[1], Tensor::full(Shape{}, static_cast<double>(options.ignore_index),
                                       xs[1].dtype(), xs[1].device()));
            return Tensors{to(cross_entropy(xs[0], xs[1], {}, options), DType::Float64),
                           sum(to(counted, DType::Float64))};
        });
    };
    type.finish = [](const BuildContext&) {
        return [](const std::vector<double>& v) {
            return v.size() == 2 && v[1] > 0 ? std::exp(v[0] / v[1]) : 0.0;
        };
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", fmt::format("F.cross_entropy({{0}}, {{1}}, ignore_index={}).exp()",
                                       context.integer("ignore_index"))};
    };
    return type;
}

NodeType psnr() {
    NodeType type =
        metric("PeakSignalNoiseRatio", "10 log10(range^2 / mean((input - target)^2))",
               {"psnr", "decibel", "picture quality"},
               "How clean a picture is beside its original, in decibels: 20 is poor, 40 "
               "is good.",
               PortKind::Tensor);
    type.params = {rate_param("data_range", "Range", 1, 1e6,
                              "From the darkest to the brightest that there can be.")};
    type.build = [](const BuildContext& context) {
        need_floating(context, "PeakSignalNoiseRatio");
        const Target target = fit_target(context, "PeakSignalNoiseRatio");
        return make_function([target](std::span<const Tensor> xs, const nn::ForwardContext&) {
            const Tensor away = sub(xs[0], target.apply(xs[1], xs[0].dtype()));
            return Tensors{sum(to(square(away), DType::Float64)), count_of(xs[0].numel())};
        });
    };
    type.finish = [](const BuildContext& context) {
        return [range = context.real("data_range")](const std::vector<double>& v) {
            return v.size() == 2 && v[0] > 0 ? 10 * std::log10(range * range * v[1] / v[0]) : 0.0;
        };
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", fmt::format("(10 * torch.log10({} ** 2 / ({{0}} - {}).pow(2).mean()))",
                                       py(context.real("data_range")),
                                       fit_target(context, "PeakSignalNoiseRatio").python("{1}"))};
    };
    return type;
}

NodeType ssim() {
    NodeType type = metric(
        "StructuralSimilarity",
        "mean of (2 m n + c1)(2 cov + c2) / ((m^2 + n^2 + c1)(var + var' + c2)), c = (k range)^2",
        {"ssim", "picture quality", "structure"},
        "How alike two pictures look: light, contrast and structure of small parts are compared. 1 "
        "is the same picture.",
        PortKind::Tensor);
    type.params = {rate_param("data_range", "Range", 1, 1e6,
                              "From the darkest to the brightest that there can be."),
                   int_param("kernel_size", "Window", 11, 1, 101,
                             "Pixels a side of the parts that are compared."),
                   real_param("sigma", "Deviation", 1.5, 0.01, 100,
                              "How fast pixels count less away from the middle of a part.")};
    type.build = [](const BuildContext& context) {
        need_floating(context, "StructuralSimilarity");
        need_rank(context, 4, "StructuralSimilarity", "N × C × H × W");
        const Target target = fit_target(context, "StructuralSimilarity");
        const Shape& shape = context.inputs[0].shape;
        const std::int64_t size = context.integer("kernel_size");
        if (size > shape[2] || size > shape[3])
            throw ShapeError(fmt::format("StructuralSimilarity: a window of {} does not fit into "
                                         "{} × {} pixels",
                                         size, shape[2], shape[3]));
        std::vector<double> bell, window;
        double sum_of_bell = 0;
        for (std::int64_t i = 0; i < size; ++i) {
            const double x = (static_cast<double>(i) - static_cast<double>(size - 1) / 2) /
                             context.real("sigma");
            bell.push_back(std::exp(-0.5 * x * x));
            sum_of_bell += bell.back();
        }
        for (std::int64_t c = 0; c < shape[1]; ++c)
            for (const double a : bell)
                for (const double b : bell)
                    window.push_back(a * b / (sum_of_bell * sum_of_bell));
        const double range = context.real("data_range");
        return make_function([=](std::span<const Tensor> xs, const nn::ForwardContext&) {
            const Tensor weight =
                to(Tensor::from(window, Shape{shape[1], 1, size, size}), xs[0].dtype());
            ConvOptions options;
            options.groups = shape[1];
            const auto local = [&](const Tensor& x) { return conv2d(x, weight, {}, options); };
            const Tensor &x = xs[0], y = target.apply(xs[1], xs[0].dtype());
            const Tensor m = local(x), n = local(y), mn = mul(m, n), mm = square(m), nn = square(n);
            const Tensor cov = sub(local(mul(x, y)), mn);
            const Tensor spread =
                add(sub(local(square(x)), mm), sub(local(square(y)), nn)); // both variances
            const double c1 = 1e-4 * range * range, c2 = 9e-4 * range * range;
            const Tensor alike = div(mul(add(mul(mn, 2.0), c1), add(mul(cov, 2.0), c2)),
                                     mul(add(add(mm, nn), c1), add(spread, c2)));
            const Tensor each = mean(to(alike, DType::Float64), {1, 2, 3});
            return Tensors{sum(each), count_of(shape[0])};
        });
    };
    type.pytorch = [](const BuildContext& context) {
        const double range = context.real("data_range");
        const std::string y = fit_target(context, "StructuralSimilarity").python("{1}");
        return Emitted{
            "",
            fmt::format("(lambda x, y, g: (lambda w: (lambda f: (lambda m, n, v, u, c: (((2 * m * "
                        "n + {0}) * (2 * (c - m * n) + {1})) / ((m ** 2 + n ** 2 + {0}) * (v - m "
                        "** 2 + u - n ** 2 + {1}))).mean())(f(x), f(y), f(x * x), f(y * y), f(x * "
                        "y)))(lambda t: F.conv2d(t, w, groups=t.shape[1])))((g[:, None] * g / "
                        "g.sum() ** 2).to(x).expand(x.shape[1], 1, -1, -1)))({{0}}, {2}, "
                        "torch.exp(-0.5 * ((torch.arange({3}) - {4}) / {5}) ** 2))",
                        py(1e-4 * range * range), py(9e-4 * range * range), y,
                        context.integer("kernel_size"),
                        py(static_cast<double>(context.integer("kernel_size") - 1) / 2),
                        py(context.real("sigma")))};
    };
    return type;
}

} // namespace

std::vector<NodeType> metric_types() {
    const auto root = [](double mean) { return std::sqrt(mean); };
    return {
        accuracy(),
        by_number("MeanAbsoluteError", "mean(|input - target|)", {"mae", "distance"},
                  "How far off the predicted numbers are, on average.", abs, nullptr,
                  "{d}.abs().mean()"),
        by_number("MeanSquaredError", "mean((input - target)^2)",
                  {"mean squared error", "distance"},
                  "The mean of the squared errors: large errors count more.", square, nullptr,
                  "{d}.pow(2).mean()"),
        by_number("RootMeanSquaredError", "sqrt(mean((input - target)^2))", {"rmse", "distance"},
                  "The root of the mean squared error, in the unit of what is predicted.", square,
                  root, "{d}.pow(2).mean().sqrt()"),
        r2_score(),
        top_k(),
        by_class(
            "Precision", "right / said, of each class", {"positive predictive value"},
            "How many of the answers \"this class\" are right.",
            [](double right, double said, double) { return ratio(right, said); },
            "torch.where(s > 0, r / s.clamp(min=1), torch.zeros_like(s))"),
        by_class(
            "Recall", "right / meant, of each class", {"sensitivity", "hit rate"},
            "How many of the samples of a class are found.",
            [](double right, double, double meant) { return ratio(right, meant); },
            "torch.where(m > 0, r / m.clamp(min=1), torch.zeros_like(m))"),
        by_class(
            "F1Score", "2 right / (said + meant), of each class", {"f score", "dice"},
            "Precision and recall in one number; low when either is.",
            [](double right, double said, double meant) { return ratio(2 * right, said + meant); },
            "2 * r / (s + m).clamp(min=1)"),
        by_class(
            "JaccardIndex", "right / (said + meant - right), of each class",
            {"iou", "intersection over union", "segmentation"},
            "How far two areas cover each other: what both have, of what either has. For "
            "segmentation.",
            [](double right, double said, double meant) {
                return ratio(right, said + meant - right);
            },
            "r / (s + m - r).clamp(min=1)"),
        by_class(
            "DiceScore", "2 right / (said + meant), of each class",
            {"segmentation", "f1", "overlap"},
            "How far two areas cover each other, as twice what both have of the sum of both. For "
            "segmentation.",
            [](double right, double said, double meant) { return ratio(2 * right, said + meant); },
            "2 * r / (s + m).clamp(min=1)"),
        confusion_matrix_type(),
        by_histogram(
            "AUROC", "share of pairs (yes, no) in the right order",
            {"roc", "area under the curve", "auc"},
            "How well scores order samples: 1 is perfect, 0.5 is chance. Counted in 1000 "
            "bins of probability; what shares a bin counts half. Several classes: the mean "
            "of each against the others.",
            area_under_curve,
            "((lambda k, u: (k[u][:, None] > k[~u][None]).double().mean() + (k[u][:, None] == "
            "k[~u][None]).double().mean() / 2)((q * 1000).long().clamp(max=999), y))"),
        by_histogram("AveragePrecision", "sum of precision times the growth of recall",
                     {"ap", "precision recall curve", "auprc"},
                     "How pure the best scores are, over all thresholds. Counted in 1000 bins of "
                     "probability. Several classes: the mean of each against the others.",
                     average_precision,
                     "(lambda k, u: sum((u & (k == b)).sum().double() / u.sum() * (u & (k >= "
                     "b)).sum().double() / (k >= b).sum() for b in k[u].unique()))((q * "
                     "1000).long().clamp(max=999), y)"),
        calibration_error(),
        perplexity(),
        psnr(),
        ssim()};
}

} // namespace wiregrad::graph::types

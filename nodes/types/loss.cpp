#include "engine/op/losses.h"
#include "engine/op/tensor_ops.h"
#include "nodes/types/declare.h"
#include "nodes/types/target.h"

#include <fmt/core.h>

namespace wiregrad::graph::types {

namespace {

NodeType loss(std::string id, std::string formula, std::vector<std::string> synonyms,
              std::string help, PortKind target_kind) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Loss";
    type.formula = std::move(formula);
    type.synonyms = std::move(synonyms);
    type.synonyms.push_back("loss");
    type.help = std::move(help);
    type.role = Role::Loss;
    PortSpec target = tensor_port("target", "What it should have said.");
    target.kind = target_kind;
    type.inputs = {tensor_port("input", "What the network says."), target};
    PortSpec out;
    out.id = out.label = "loss";
    out.help = "One number, the smaller the better.";
    out.kind = PortKind::Loss;
    type.outputs = {out};
    return type;
}

NodeType cross_entropy_type() {
    NodeType type = loss("CrossEntropyLoss", "-log(softmax(input)[target]), averaged",
                         {"cross entropy", "ce", "classification", "softmax loss", "nll"},
                         "For choosing one class of several: small when the right class gets a "
                         "high score. Takes scores, not probabilities: no Softmax before it.",
                         PortKind::Labels);
    type.params = {real_param("label_smoothing", "Label smoothing", 0, 0, 1,
                              "Spreads this part of each label over all classes, so that the "
                              "network is less sure of itself."),
                   int_param("ignore_index", "Ignored label", -100, -1000000, 1000000,
                             "Samples with this label do not count.")};
    type.build = [](const BuildContext& context) {
        const TensorMeta& input = context.inputs[0];
        const TensorMeta& target = context.inputs[1];
        need_floating(context, "CrossEntropyLoss");
        if (input.shape.size() < 2)
            throw ShapeError(fmt::format(
                "CrossEntropyLoss needs a score for each class (N × classes), got {}-D {}",
                input.shape.size(), input.shape.str()));
        if (is_integral(target.dtype)) {
            Shape expected = input.shape;
            expected.erase(1);
            if (!(target.shape == expected))
                throw ShapeError(fmt::format("CrossEntropyLoss: scores {} need labels {}, got {}",
                                             input.shape.str(), expected.str(),
                                             target.shape.str()));
        } else if (!(target.shape == input.shape)) {
            throw ShapeError(fmt::format("CrossEntropyLoss: the targets are {} {}, neither class "
                                         "labels nor probabilities of the scores' shape {}",
                                         name_of(target.dtype), target.shape.str(),
                                         input.shape.str()));
        }
        CrossEntropyOptions options;
        options.label_smoothing = context.real("label_smoothing");
        options.ignore_index = context.integer("ignore_index");
        return make_function([options](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return Tensors{cross_entropy(xs[0], xs[1], {}, options)};
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{
            Arguments()
                .option("ignore_index", context.integer("ignore_index"), std::int64_t{-100})
                .option("label_smoothing", context.real("label_smoothing"), 0.0)
                .call("nn.CrossEntropyLoss"),
            "{self}({0}, {1})"};
    };
    return type;
}

using Elementwise = Tensor (*)(const Tensor&, const Tensor&, Reduction);

/// Losses that compare number by number.
NodeType elementwise(std::string id, std::string formula, std::vector<std::string> synonyms,
                     std::string help, Elementwise function) {
    NodeType type = loss(std::move(id), std::move(formula), std::move(synonyms), std::move(help),
                         PortKind::Tensor);
    type.params = {choice_param("reduction", "Reduction", "mean",
                                {{"mean", "Mean"}, {"sum", "Sum"}},
                                "How the numbers of a batch become one.")};
    type.build = [function, name = type.id](const BuildContext& context) {
        need_floating(context, name);
        const Target target = fit_target(context, name);
        const Reduction reduction =
            context.text("reduction") == "sum" ? Reduction::Sum : Reduction::Mean;
        return make_function([=](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return Tensors{function(xs[0], target.apply(xs[1], xs[0].dtype()), reduction)};
        });
    };
    type.pytorch = [name = type.id](const BuildContext& context) {
        Arguments arguments;
        if (context.text("reduction") != "mean")
            arguments.option("reduction", std::string("'sum'"));
        return Emitted{arguments.call("nn." + name),
                       "{self}({0}, " + fit_target(context, name).python("{1}") + ")"};
    };
    return type;
}

ParamSpec reduction_param() {
    return choice_param("reduction", "Reduction", "mean", {{"mean", "Mean"}, {"sum", "Sum"}},
                        "How the numbers of a batch become one.");
}
Reduction reduction_of(const BuildContext& context) {
    return context.text("reduction") == "sum" ? Reduction::Sum : Reduction::Mean;
}
void add_reduction(Arguments& arguments, const BuildContext& context) {
    if (context.text("reduction") != "mean")
        arguments.option("reduction", "'" + context.text("reduction") + "'");
}

/// Parameters at other values than PyTorch's default, then the reduction.
std::string constructor(const NodeType& type, const BuildContext& context) {
    Arguments arguments;
    for (const ParamSpec& spec : type.params) {
        if (spec.id == "reduction") continue;
        if (spec.kind == ParamKind::Real)
            arguments.option(spec.id, context.real(spec.id), std::get<double>(spec.standard));
        else if (spec.kind == ParamKind::Bool)
            arguments.option(spec.id, context.flag(spec.id), std::get<bool>(spec.standard));
        else
            arguments.option(spec.id, context.integer(spec.id),
                             std::get<std::int64_t>(spec.standard));
    }
    add_reduction(arguments, context);
    return arguments.call("nn." + type.id);
}

using Compared = std::function<Tensor(const BuildContext&, const Tensor&, const Tensor&)>;

/// Like elementwise(), with parameters: `function` is called with a context that outlives it.
NodeType tuned(NodeType type, std::vector<ParamSpec> params, Compared function) {
    params.push_back(reduction_param());
    type.params = std::move(params);
    type.build = [function, name = type.id](const BuildContext& context) {
        need_floating(context, name);
        const Target target = fit_target(context, name);
        const auto settings = std::make_shared<Params>(context.params);
        return make_function([=](std::span<const Tensor> xs, const nn::ForwardContext&) {
            const BuildContext own{*settings, {}, {}};
            return Tensors{function(own, xs[0], target.apply(xs[1], xs[0].dtype()))};
        });
    };
    const NodeType declared = type;
    type.pytorch = [declared](const BuildContext& context) {
        return Emitted{constructor(declared, context),
                       "{self}({0}, " + fit_target(context, declared.id).python("{1}") + ")"};
    };
    return type;
}

ParamSpec above_zero(ParamSpec spec) {
    spec.min_excluded = true;
    return spec;
}

NodeType kl_div_type() {
    NodeType type = tuned(
        loss("KLDivLoss", "target * (log(target) - input)", {"kullback leibler", "distillation"},
             "How far a distribution is from a wanted one. The input holds logarithms of "
             "probabilities; the usual reduction is the batch mean.",
             PortKind::Tensor),
        {bool_param("log_target", "Target is a logarithm", false,
                    "Whether the target holds logarithms as well.")},
        [](const BuildContext& context, const Tensor& x, const Tensor& target) {
            return kl_div(x, target, context.flag("log_target"),
                          context.text("reduction") == "batchmean", reduction_of(context));
        });
    type.params.back() = choice_param(
        "reduction", "Reduction", "mean",
        {{"mean", "Mean of all numbers"}, {"batchmean", "Mean of the batch"}, {"sum", "Sum"}},
        "How the numbers of a batch become one; the batch mean is the distance itself.");
    return type;
}

NodeType nll_type() {
    NodeType type = loss("NLLLoss", "-input[target], averaged", {"negative log likelihood"},
                         "For choosing one class of several, behind a LogSoftmax. The two together "
                         "are CrossEntropyLoss.",
                         PortKind::Labels);
    type.params = {int_param("ignore_index", "Ignored label", -100, -1000000, 1000000,
                             "Samples with this label do not count."),
                   reduction_param()};
    type.build = [](const BuildContext& context) {
        need_floating(context, "NLLLoss");
        Shape expected = context.inputs[0].shape;
        if (expected.size() >= 2) expected.erase(1);
        if (context.inputs[0].shape.size() < 2 || !is_integral(context.inputs[1].dtype) ||
            !(context.inputs[1].shape == expected))
            throw ShapeError(fmt::format("NLLLoss: log-probabilities {} need labels {}, got {} {}",
                                         context.inputs[0].shape.str(), expected.str(),
                                         name_of(context.inputs[1].dtype),
                                         context.inputs[1].shape.str()));
        const std::int64_t ignored = context.integer("ignore_index");
        const Reduction reduction = reduction_of(context);
        return make_function([=](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return Tensors{nll_loss(xs[0], xs[1], {}, ignored, reduction)};
        });
    };
    const NodeType declared = type;
    type.pytorch = [declared](const BuildContext& context) {
        return Emitted{constructor(declared, context), "{self}({0}, {1})"};
    };
    return type;
}

NodeType multi_margin_type() {
    NodeType type = loss("MultiMarginLoss", "mean(max(0, margin - input[target] + input)^p)",
                         {"hinge", "svm", "support vector"},
                         "For choosing one class of several: the right class should score higher "
                         "than each other one by a margin.",
                         PortKind::Labels);
    type.params = {int_param("p", "Power", 1, 1, 2, "1: the gap counts, 2: its square."),
                   real_param("margin", "Margin", 1, -1e6, 1e6, "How far apart scores should be."),
                   reduction_param()};
    type.build = [](const BuildContext& context) {
        need_floating(context, "MultiMarginLoss");
        need_rank(context, 2, "MultiMarginLoss", "N × classes");
        if (!is_integral(context.inputs[1].dtype) ||
            !(context.inputs[1].shape == Shape{context.inputs[0].shape[0]}))
            throw ShapeError(fmt::format("MultiMarginLoss: scores {} need a label a sample, got {}",
                                         context.inputs[0].shape.str(),
                                         context.inputs[1].shape.str()));
        const auto p = static_cast<double>(context.integer("p"));
        const double margin = context.real("margin");
        const Reduction reduction = reduction_of(context);
        return make_function([=](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return Tensors{multi_margin_loss(xs[0], xs[1], p, margin, {}, reduction)};
        });
    };
    const NodeType declared = type;
    type.pytorch = [declared](const BuildContext& context) {
        return Emitted{constructor(declared, context), "{self}({0}, {1})"};
    };
    return type;
}

/// Losses of three tensors. `fits` says what is wrong with their shapes, or nothing.
using Three = std::function<Tensor(const BuildContext&, std::span<const Tensor>)>;
NodeType of_three(NodeType type, std::vector<PortSpec> inputs, std::vector<ParamSpec> params,
                  std::string (*problem)(const Shape&, const Shape&, const Shape&),
                  Three function) {
    type.inputs = std::move(inputs);
    params.push_back(reduction_param());
    type.params = std::move(params);
    type.build = [function, problem, name = type.id](const BuildContext& context) {
        need_floating(context, name);
        const std::string wrong =
            problem(context.inputs[0].shape, context.inputs[1].shape, context.inputs[2].shape);
        if (!wrong.empty()) throw ShapeError(name + ": " + wrong);
        const auto settings = std::make_shared<Params>(context.params);
        return make_function([=](std::span<const Tensor> xs, const nn::ForwardContext&) {
            const BuildContext own{*settings, {}, {}};
            const Tensor all[] = {xs[0], to(xs[1], xs[0].dtype()), to(xs[2], xs[0].dtype())};
            return Tensors{function(own, all)};
        });
    };
    const NodeType declared = type;
    type.pytorch = [declared](const BuildContext& context) {
        std::string call = "{self}({0}";
        for (int i = 1; i < 3; ++i)
            call += fmt::format(
                ", {{{}}}{}", i,
                is_floating(context.inputs[static_cast<std::size_t>(i)].dtype) ? "" : ".float()");
        return Emitted{constructor(declared, context), call + ")"};
    };
    return type;
}

std::string all_equal(const Shape& a, const Shape& b, const Shape& c) {
    if (a == b && a == c) return "";
    return fmt::format("all three need one shape, got {}, {} and {}", a.str(), b.str(), c.str());
}
std::string pairs_and_signs(const Shape& a, const Shape& b, const Shape& c) {
    if (a.size() == 2 && a == b && c == Shape{a[0]}) return "";
    return fmt::format("two rows of N × features and N targets are needed, got {}, {} and {}",
                       a.str(), b.str(), c.str());
}

PortSpec target_port(std::string help) {
    return tensor_port("target", std::move(help));
}

NodeType ctc_type() {
    NodeType type =
        loss("CTCLoss", "-log p(target | all alignments)",
             {"ctc", "speech", "handwriting", "connectionist temporal classification"},
             "For reading a text off a sequence without knowing where its letters lie. Takes "
             "scores (N × time × classes); rows of labels that are shorter end with the blank.",
             PortKind::Labels);
    type.params = {int_param("blank", "Blank", 0, 0, 1000000,
                             "The class that stands for nothing; it also fills up targets."),
                   bool_param("zero_infinity", "Ignore impossible", false,
                              "Samples whose target is longer than the time has room count 0.")};
    type.build = [](const BuildContext& context) {
        need_floating(context, "CTCLoss");
        need_rank(context, 3, "CTCLoss", "N × time × classes");
        const TensorMeta &x = context.inputs[0], &target = context.inputs[1];
        if (!is_integral(target.dtype) || target.shape.size() != 2 || target.shape[0] != x.shape[0])
            throw ShapeError(fmt::format("CTCLoss: scores {} need rows of labels [{}, length], got "
                                         "{} {}",
                                         x.shape.str(), x.shape[0], name_of(target.dtype),
                                         target.shape.str()));
        const std::int64_t blank = context.integer("blank");
        if (blank >= x.shape[2])
            throw ValueError(fmt::format("CTCLoss: blank {} is none of the {} classes of {}", blank,
                                         x.shape[2], x.shape.str()));
        const bool zero = context.flag("zero_infinity");
        return make_function([=](std::span<const Tensor> xs, const nn::ForwardContext&) {
            const Tensor times =
                Tensor::full({xs[0].size(0)}, static_cast<double>(xs[0].size(1)), DType::Int64);
            const Tensor lengths = sum(ne(xs[1], static_cast<double>(blank)), {1});
            return Tensors{ctc_loss(transpose(log_softmax(xs[0], -1), 0, 1), xs[1], times, lengths,
                                    blank, Reduction::Mean, zero)};
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{
            Arguments()
                .option("blank", context.integer("blank"), std::int64_t{0})
                .option("zero_infinity", context.flag("zero_infinity"), false)
                .call("nn.CTCLoss"),
            fmt::format("{{self}}({{0}}.log_softmax(-1).transpose(0, 1), {{1}}, "
                        "torch.full(({{0}}.shape[0],), {{0}}.shape[1]), ({{1}} != {}).sum(1))",
                        context.integer("blank"))};
    };
    return type;
}

/// Overlap of predicted and wanted areas, each sample by itself.
NodeType overlap(std::string id, std::string formula, std::vector<std::string> synonyms,
                 std::string help,
                 Tensor (*function)(const Tensor&, const Tensor&, double, Reduction),
                 std::string python) {
    NodeType type =
        tuned(loss(std::move(id), std::move(formula), std::move(synonyms), std::move(help),
                   PortKind::Tensor),
              {real_param("smooth", "Smoothing", 1, 0, 1e6,
                          "Added above and below the line, so that empty pictures "
                          "divide nothing by nothing.")},
              [function](const BuildContext& context, const Tensor& x, const Tensor& target) {
                  return function(x, target, context.real("smooth"), reduction_of(context));
              });
    type.pytorch = [python, name = type.id](const BuildContext& context) {
        const std::string x = "{0}.flatten(1)",
                          t = fit_target(context, name).python("{1}") + ".flatten(1)";
        const std::string both = fmt::format("({} * {}).sum(1)", x, t);
        const std::string all = fmt::format("({}.sum(1) + {}.sum(1))", x, t);
        return Emitted{"", fmt::format(fmt::runtime(python), fmt::arg("both", both),
                                       fmt::arg("all", all),
                                       fmt::arg("smooth", py(context.real("smooth"))),
                                       fmt::arg("reduce", context.text("reduction")))};
    };
    return type;
}

NodeType focal_type() {
    NodeType type = tuned(
        loss("FocalLoss", "-alpha (1 - p)^gamma log(p), p: probability of the right answer",
             {"focal", "imbalance", "detection"},
             "A BCEWithLogitsLoss that cares less for what is already right, for rare classes. "
             "Takes scores, not probabilities.",
             PortKind::Tensor),
        {real_param("alpha", "Weight of yes", 0.25, -1, 1,
                    "How much the yes samples weigh, the others 1 - alpha; negative: all alike."),
         real_param("gamma", "Focus", 2, 0, 100, "The higher, the less easy samples count.")},
        [](const BuildContext& context, const Tensor& x, const Tensor& target) {
            return sigmoid_focal_loss(x, target, context.real("alpha"), context.real("gamma"),
                                      reduction_of(context));
        });
    type.pytorch = [](const BuildContext& context) {
        const std::string t = fit_target(context, "FocalLoss").python("{1}");
        const double alpha = context.real("alpha");
        std::string text =
            fmt::format("F.binary_cross_entropy_with_logits({{0}}, {0}, reduction='none') * "
                        "({{0}}.sigmoid() + {0} - 2 * {{0}}.sigmoid() * {0}) ** {1}",
                        t, py(context.real("gamma")));
        if (alpha >= 0) text += fmt::format(" * ({0} * {1} + (1 - {0}) * (1 - {1}))", py(alpha), t);
        return Emitted{"", "(" + text + ")." + context.text("reduction") + "()"};
    };
    return type;
}

} // namespace

std::vector<NodeType> loss_types() {
    return {
        cross_entropy_type(),
        elementwise(
            "MSELoss", "mean((input - target)^2)",
            {"mean squared error", "l2", "regression", "reconstruction"},
            "For predicting numbers or pictures: the squared distance. Large errors weigh much.",
            mse_loss),
        elementwise(
            "L1Loss", "mean(|input - target|)", {"mean absolute error", "mae", "regression"},
            "For predicting numbers: the distance. Less moved by outliers than MSELoss.", l1_loss),
        elementwise("BCEWithLogitsLoss",
                    "-(target * log(sigmoid(input)) + (1 - target) * log(1 - sigmoid(input)))",
                    {"binary cross entropy", "bce", "logistic", "yes or no"},
                    "For yes or no, or several of them at once. Takes scores, not probabilities: "
                    "no Sigmoid before it.",
                    binary_cross_entropy_with_logits),
        nll_type(),
        elementwise("BCELoss", "-(target * log(input) + (1 - target) * log(1 - input))",
                    {"binary cross entropy", "yes or no"},
                    "For yes or no, behind a Sigmoid. BCEWithLogitsLoss does both and is more "
                    "exact.",
                    [](const Tensor& x, const Tensor& target, Reduction reduction) {
                        return binary_cross_entropy(x, target, {}, reduction);
                    }),
        tuned(loss("SmoothL1Loss", "0.5 d^2 / beta if |d| < beta, else |d| - beta / 2",
                   {"huber", "regression"},
                   "For predicting numbers: squared for small errors, plain for large ones.",
                   PortKind::Tensor),
              {real_param("beta", "Beta", 1, 0, 1e6, "Where the square ends.")},
              [](const BuildContext& context, const Tensor& x, const Tensor& target) {
                  return smooth_l1_loss(x, target, context.real("beta"), reduction_of(context));
              }),
        tuned(loss("HuberLoss", "0.5 d^2 if |d| < delta, else delta (|d| - delta / 2)",
                   {"robust", "regression"},
                   "For predicting numbers: squared for small errors, a straight line for large "
                   "ones.",
                   PortKind::Tensor),
              {above_zero(real_param("delta", "Delta", 1, 0, 1e6, "Where the square ends."))},
              [](const BuildContext& context, const Tensor& x, const Tensor& target) {
                  return huber_loss(x, target, context.real("delta"), reduction_of(context));
              }),
        kl_div_type(),
        tuned(loss("PoissonNLLLoss", "exp(input) - target * input", {"counts", "poisson"},
                   "For predicting how often something happens.", PortKind::Tensor),
              {bool_param("log_input", "Input is a logarithm", true,
                          "Whether the network says the logarithm of the count."),
               bool_param("full", "Whole formula", false,
                          "Add what does not depend on the network (Stirling's formula)."),
               above_zero(real_param("eps", "Epsilon", 1e-8, 0, 1,
                                     "Keeps the logarithm away from zero."))},
              [](const BuildContext& context, const Tensor& x, const Tensor& target) {
                  return poisson_nll_loss(x, target, context.flag("log_input"),
                                          context.flag("full"), context.real("eps"),
                                          reduction_of(context));
              }),
        of_three(loss("GaussianNLLLoss", "0.5 (log(var) + (input - target)^2 / var)",
                      {"uncertainty", "variance", "regression"},
                      "For networks that also say how sure they are: a variance for each number.",
                      PortKind::Tensor),
                 {tensor_port("input", "What the network says."),
                  target_port("What it should have said."),
                  tensor_port("var", "The variance that the network expects, positive.")},
                 {bool_param("full", "Whole formula", false, "Add the constant log(2 pi) / 2."),
                  above_zero(real_param("eps", "Epsilon", 1e-6, 0, 1,
                                        "The smallest variance that counts."))},
                 all_equal,
                 [](const BuildContext& context, std::span<const Tensor> xs) {
                     return gaussian_nll_loss(xs[0], xs[1], xs[2], context.flag("full"),
                                              context.real("eps"), reduction_of(context));
                 }),
        of_three(loss("TripletMarginLoss", "max(0, |a - p| - |a - n| + margin)",
                      {"metric learning", "embedding", "siamese", "face recognition"},
                      "Pulls an anchor towards a sample of its kind and away from one of another.",
                      PortKind::Tensor),
                 {tensor_port("anchor", "A sample's features."),
                  tensor_port("positive", "Those of one of the same kind."),
                  tensor_port("negative", "Those of one of another kind.")},
                 {real_param("margin", "Margin", 1, -1e6, 1e6, "How much farther the other is."),
                  above_zero(real_param("p", "Power", 2, 0, 100, "Of the distance; 2: the usual.")),
                  real_param("eps", "Epsilon", 1e-6, 0, 1, "Keeps the distance away from zero."),
                  bool_param("swap", "Nearest of both", false,
                             "Take the negative's distance to the positive when it is smaller.")},
                 all_equal,
                 [](const BuildContext& context, std::span<const Tensor> xs) {
                     return triplet_margin_loss(xs[0], xs[1], xs[2], context.real("margin"),
                                                context.real("p"), context.real("eps"),
                                                context.flag("swap"), reduction_of(context));
                 }),
        of_three(loss("CosineEmbeddingLoss",
                      "1 - cos(a, b) if target is 1, else max(0, cos - margin)",
                      {"similarity", "siamese"},
                      "For pairs that should point the same way (target 1) or not (target -1).",
                      PortKind::Tensor),
                 {tensor_port("input1", "Features of one."), tensor_port("input2", "Of the other."),
                  target_port("1 for alike, -1 for different.")},
                 {real_param("margin", "Margin", 0, -1, 1, "Up to this, different is enough.")},
                 pairs_and_signs,
                 [](const BuildContext& context, std::span<const Tensor> xs) {
                     return cosine_embedding_loss(xs[0], xs[1], xs[2], context.real("margin"),
                                                  reduction_of(context));
                 }),
        of_three(loss("MarginRankingLoss", "max(0, -target (a - b) + margin)", {"ranking", "order"},
                      "For pairs of which one should score higher: the first (target 1) or the "
                      "second (target -1).",
                      PortKind::Tensor),
                 {tensor_port("input1", "Score of one."), tensor_port("input2", "Of the other."),
                  target_port("1 when the first should be higher, else -1.")},
                 {real_param("margin", "Margin", 0, -1e6, 1e6, "How far apart scores should be.")},
                 all_equal,
                 [](const BuildContext& context, std::span<const Tensor> xs) {
                     return margin_ranking_loss(xs[0], xs[1], xs[2], context.real("margin"),
                                                reduction_of(context));
                 }),
        tuned(loss("HingeEmbeddingLoss", "input if target is 1, max(0, margin - input) if -1",
                   {"similarity", "distance"},
                   "For distances that should be small (target 1) or large (target -1).",
                   PortKind::Tensor),
              {real_param("margin", "Margin", 1, -1e6, 1e6, "How large a distance is enough.")},
              [](const BuildContext& context, const Tensor& x, const Tensor& target) {
                  return hinge_embedding_loss(x, target, context.real("margin"),
                                              reduction_of(context));
              }),
        elementwise("SoftMarginLoss", "log(1 + exp(-target * input))", {"logistic"},
                    "For yes or no with targets 1 and -1.", soft_margin_loss),
        tuned(loss("MultiLabelSoftMarginLoss",
                   "-(target log(sigmoid(input)) + (1 - target) log(sigmoid(-input)))",
                   {"multi label", "tags"},
                   "For several yes or no at once: averaged over the classes of a sample.",
                   PortKind::Tensor),
              {},
              [](const BuildContext& context, const Tensor& x, const Tensor& target) {
                  return multilabel_soft_margin_loss(x, target, {}, reduction_of(context));
              }),
        multi_margin_type(),
        ctc_type(),
        overlap("DiceLoss", "1 - (2 sum(x t) + s) / (sum x + sum t + s)",
                {"dice", "f1", "segmentation", "overlap"},
                "For marking areas in pictures: how little the marked and the wanted area overlap. "
                "Takes probabilities: put a Sigmoid or Softmax before it.",
                dice_loss, "(1 - (2 * {both} + {smooth}) / ({all} + {smooth})).{reduce}()"),
        overlap("IoULoss", "1 - (sum(x t) + s) / (sum x + sum t - sum(x t) + s)",
                {"jaccard", "intersection over union", "segmentation", "overlap"},
                "For marking areas in pictures: one minus the shared area over the joint one. "
                "Takes probabilities: put a Sigmoid or Softmax before it.",
                iou_loss, "(1 - ({both} + {smooth}) / ({all} - {both} + {smooth})).{reduce}()"),
        focal_type()};
}

} // namespace wiregrad::graph::types

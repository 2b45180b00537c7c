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
                    binary_cross_entropy_with_logits)};
}

} // namespace wiregrad::graph::types

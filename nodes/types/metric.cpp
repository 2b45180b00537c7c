#include "nodes/types/declare.h"
#include "nodes/types/target.h"

#include <fmt/core.h>

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
                              "scores, 0.5 behind a Sigmoid.")};
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
        return make_function([choose, threshold = context.real("threshold")](
                                 std::span<const Tensor> xs, const nn::ForwardContext&) {
            const Tensor& labels = xs[1];
            const Tensor said =
                choose ? argmax(xs[0], 1)
                       : reshape(to(gt(xs[0], Tensor::full(Shape{}, threshold, xs[0].dtype())),
                                    DType::Int64),
                                 labels.shape());
            return Tensors{sum(to(eq(said, labels), DType::Float64)), count_of(labels.numel())};
        });
    };
    type.pytorch = [](const BuildContext& context) {
        const Shape& input = context.inputs[0].shape;
        if (input.size() >= 2 && input[1] > 1)
            return Emitted{"", "({0}.argmax(1) == {1}).float().mean()"};
        return Emitted{
            "", fmt::format("(({{0}} > {}).long().reshape({{1}}.shape) == {{1}}).float().mean()",
                            py(context.real("threshold")))};
    };
    return type;
}

NodeType mean_absolute_error() {
    NodeType type = metric("MeanAbsoluteError", "mean(|input - target|)", {"mae", "distance"},
                           "How far off the predicted numbers are, on average.", PortKind::Tensor);
    type.build = [](const BuildContext& context) {
        need_floating(context, "MeanAbsoluteError");
        const Target target = fit_target(context, "MeanAbsoluteError");
        return make_function([target](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return Tensors{
                sum(to(abs(sub(xs[0], target.apply(xs[1], xs[0].dtype()))), DType::Float64)),
                count_of(xs[0].numel())};
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", "({0} - " + fit_target(context, "MeanAbsoluteError").python("{1}") +
                               ").abs().mean()"};
    };
    return type;
}

} // namespace

std::vector<NodeType> metric_types() {
    return {accuracy(), mean_absolute_error()};
}

} // namespace wiregrad::graph::types

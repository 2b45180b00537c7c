#include "nodes/formula.h"

#include <fmt/core.h>

#include <algorithm>

#include "nodes/types/declare.h"

namespace wiregrad::graph::types {

namespace {

/// A formula with its names: first the inputs, then the weights.
struct Parsed {
    std::vector<std::string> inputs;
    std::vector<std::pair<std::string, double>> weights;
    Formula formula;
};

Parsed parsed(const std::string& expression, const std::string& inputs,
              const std::string& weights) {
    Parsed result{parse_names(inputs, "inputs"), parse_settings(weights), {}};
    std::vector<std::string> names = result.inputs;
    for (const auto& [name, value] : result.weights) {
        if (std::find(names.begin(), names.end(), name) != names.end())
            throw ValueError(fmt::format("\"{}\" is both an input and a weight", name));
        names.push_back(name);
    }
    result.formula = Formula::parse(expression, names);
    return result;
}

Parsed of_context(const BuildContext& context) {
    try {
        Parsed result =
            parsed(context.text("expression"), context.text("inputs"), context.text("weights"));
        if (result.inputs.size() != context.inputs.size())
            throw ValueError(fmt::format("{} inputs are named and {} wired", result.inputs.size(),
                                         context.inputs.size()));
        return result;
    } catch (const ValueError& error) {
        throw ValueError("Formula: " + error.text());
    }
}

class FormulaModule final : public nn::Module {
  public:
    FormulaModule(Parsed parsed, DType dtype) : parsed_(std::move(parsed)) {
        for (const auto& [name, value] : parsed_.weights)
            weights_.push_back(&add_parameter(name, Tensor::full({}, value, dtype)));
    }
    Tensors forward(std::span<const Tensor> inputs, const nn::ForwardContext&) override {
        Tensors values(inputs.begin(), inputs.end());
        for (const Tensor* weight : weights_)
            values.push_back(*weight);
        const Tensor result = parsed_.formula.compute(values);
        // A formula of weights and numbers alone is the same for each sample.
        if (result.dim() == 0 && inputs[0].dim() > 0)
            return {contiguous(expand(result, {inputs[0].size(0)}))};
        return {result};
    }
    void reset_parameters(nn::Generator&) override {
        for (std::size_t i = 0; i < weights_.size(); ++i)
            weights_[i]->fill_(parsed_.weights[i].second);
    }

  private:
    Parsed parsed_;
    std::vector<Tensor*> weights_;
};

} // namespace

NodeType formula_type() {
    NodeType type;
    type.id = type.label = "Formula";
    type.category = "Math";
    type.formula = "what you type";
    type.synonyms = {"expression", "lambda", "custom", "equation", "calculate"};
    type.help = "Computes what you type, such as x * sigmoid(beta * x), element by element. Named "
                "weights are learned. Functions: " +
                formula_functions() + ".";
    type.inputs = one_in();
    type.inputs[0].many = true;
    type.outputs = one_out();
    type.params = {
        text_param("expression", "Expression",
                   "With + - * / ** and brackets, comparisons, numbers, pi and e."),
        text_param("inputs", "Names of inputs",
                   "One for each wire, in order, with commas between."),
        text_param("weights", "Weights", "Numbers to be learned and where they start: beta = 1.")};
    type.params[0].standard = std::string("x * sigmoid(x)");
    type.params[1].standard = std::string("x");
    type.check = [](const Params& params) -> std::string {
        try {
            parsed(std::get<std::string>(params.at("expression")),
                   std::get<std::string>(params.at("inputs")),
                   std::get<std::string>(params.at("weights")));
            return "";
        } catch (const Error& error) {
            return error.text();
        }
    };
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_floating(context, "Formula");
        return std::make_shared<FormulaModule>(of_context(context), context.inputs[0].dtype);
    };
    type.pytorch = [](const BuildContext& context) {
        const Parsed own = of_context(context);
        std::vector<std::string> spelled;
        for (std::size_t i = 0; i < own.inputs.size(); ++i)
            spelled.push_back(fmt::format("{{{}}}", i));
        std::string init;
        for (const auto& [name, value] : own.weights) {
            spelled.push_back("{self}['" + name + "']");
            init += fmt::format("{}'{}': nn.Parameter(torch.tensor({}))", init.empty() ? "" : ", ",
                                name, py(value));
        }
        return Emitted{init.empty() ? "" : "nn.ParameterDict({" + init + "})",
                       own.formula.python(spelled)};
    };
    return type;
}

} // namespace wiregrad::graph::types

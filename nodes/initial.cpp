#include "nodes/initial.h"

#include <fmt/core.h>

#include "engine/nn/init.h"

namespace wiregrad::graph {

namespace {

std::string text_of(const Node& node, const char* id) {
    const auto it = node.params.find(id);
    const auto* text = it == node.params.end() ? nullptr : std::get_if<std::string>(&it->second);
    return text ? *text : "default";
}
double value_of(const Node& node) {
    const auto it = node.params.find("init_value");
    return it == node.params.end() ? 0 : std::get<double>(it->second);
}
bool frozen(const Node& node) {
    const auto it = node.params.find("frozen");
    return it != node.params.end() && std::get<bool>(it->second);
}
/// "out_proj.bias", "bias_ih_l0", "bias": one dimension, and so named.
bool is_bias(const nn::NamedTensor& weight) {
    const std::size_t dot = weight.name.rfind('.');
    const std::string own = weight.name.substr(dot == std::string::npos ? 0 : dot + 1);
    return weight.tensor.dim() == 1 && own.find("bias") != std::string::npos;
}

void fill(const std::string& how, double value, Tensor& weight, nn::Generator& generator) {
    if (how == "zeros") nn::init::zeros(weight);
    if (how == "ones") nn::init::ones(weight);
    if (how == "constant") nn::init::constant(weight, value);
    if (how == "uniform") nn::init::uniform(weight, generator, -value, value);
    if (how == "normal") nn::init::normal(weight, generator, 0, value);
    if (how == "trunc_normal") nn::init::trunc_normal(weight, generator, 0, value);
    if (how == "xavier_uniform") nn::init::xavier_uniform(weight, generator);
    if (how == "xavier_normal") nn::init::xavier_normal(weight, generator);
    if (how == "kaiming_uniform") nn::init::kaiming_uniform(weight, generator);
    if (how == "kaiming_normal") nn::init::kaiming_normal(weight, generator);
    if (how == "orthogonal") nn::init::orthogonal(weight, generator);
    if (how == "dirac") nn::init::dirac(weight);
    if (how == "eye") nn::init::eye(weight);
}

} // namespace

void apply_initial(const Node& node, nn::Module& module, nn::Generator& generator) {
    const std::string weights = text_of(node, "weight_init"), biases = text_of(node, "bias_init");
    for (nn::NamedTensor& weight : module.parameters()) {
        if (is_bias(weight))
            fill(biases, 0, weight.tensor, generator);
        else if (weight.tensor.dim() >= 2)
            fill(weights, value_of(node), weight.tensor, generator);
        if (frozen(node)) weight.tensor.set_requires_grad(false);
    }
}

std::vector<std::string> initial_source(const Node& node) {
    std::vector<std::string> lines;
    const std::string weights = text_of(node, "weight_init"), biases = text_of(node, "bias_init");
    const auto loop = [](const std::string& condition, const std::string& call) {
        return "for n, p in {self}.named_parameters():\n    if " + condition + ":\n        " + call;
    };
    const std::string name = "(n.split(\".\")[-1].startswith(\"bias\") and p.dim() == 1)";
    std::string arguments = "(p)";
    const std::string value = value_text(ParamValue(value_of(node)));
    if (weights == "constant") arguments = "(p, " + value + ")";
    if (weights == "uniform") arguments = "(p, -" + value + ", " + value + ")";
    if (weights == "normal" || weights == "trunc_normal") arguments = "(p, 0.0, " + value + ")";
    if (weights != "default")
        lines.push_back(loop("p.dim() >= 2", "nn.init." + weights + "_" + arguments));
    if (biases != "default") lines.push_back(loop(name, "nn.init." + biases + "_(p)"));
    if (frozen(node)) lines.emplace_back("{self}.requires_grad_(False)");
    return lines;
}

} // namespace wiregrad::graph

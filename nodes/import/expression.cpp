#include "nodes/import/expression.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace wiregrad::graph {

namespace {

constexpr int kDeepest = 8;

/// Expressions as text: x is the input, # a number (in order of appearance), arguments of Add and
/// Mul in alphabetical order. `make` may refuse by its numbers.
struct Pattern {
    const char* text;
    const char* type;
    bool (*make)(const std::vector<double>& numbers, Params& params);
};

bool near(double a, double b) {
    return std::abs(a - b) <= 1e-5 * std::max(1.0, std::abs(b));
}
bool all_near(const std::vector<double>& numbers, std::initializer_list<double> wanted) {
    return numbers.size() == wanted.size() &&
           std::equal(numbers.begin(), numbers.end(), wanted.begin(), near);
}
constexpr double kRootHalf = 0.70710678118654752, kRoot2 = 1.41421356237309505,
                 kRoot2OverPi = 0.79788456080286536;

bool plain(const std::vector<double>& numbers, Params&) {
    return numbers.empty();
}

const std::vector<Pattern>& patterns() {
    static const std::vector<Pattern> all{
        {"Mul(Sigmoid(x),x)", "SiLU", plain},
        {"Mul(HardSigmoid(x),x)", "Hardswish", plain},
        {"Mul(Tanh(Softplus(x)),x)", "Mish", plain},
        {"Neg(Softplus(Neg(x)))", "LogSigmoid", plain},
        {"Log(Sigmoid(x))", "LogSigmoid", plain},
        // x/2 (1 + erf(x / sqrt 2)), in the orders in which it is written
        {"Mul(Add(#,Erf(Mul(#,x))),Mul(#,x))", "GELU",
         [](const std::vector<double>& n, Params&) {
             return all_near(n, {1, kRootHalf, 0.5});
         }},
        {"Mul(Add(#,Erf(Div(x,#))),Mul(#,x))", "GELU",
         [](const std::vector<double>& n, Params&) {
             return all_near(n, {1, kRoot2, 0.5});
         }},
        {"Mul(#,Mul(Add(#,Erf(Div(x,#))),x))", "GELU",
         [](const std::vector<double>& n, Params&) {
             return all_near(n, {0.5, 1, kRoot2});
         }},
        {"Mul(#,Mul(Add(#,Erf(Mul(#,x))),x))", "GELU",
         [](const std::vector<double>& n, Params&) {
             return all_near(n, {0.5, 1, kRootHalf});
         }},
        {"Mul(Add(#,Tanh(Mul(#,Add(Mul(#,Mul(Mul(x,x),x)),x)))),Mul(#,x))", "GELU",
         [](const std::vector<double>& n, Params& params) {
             params["approximate"] = std::string("tanh");
             return all_near(n, {1, kRoot2OverPi, 0.044715, 0.5});
         }},
        {"Div(Softplus(Mul(#,x)),#)", "Softplus",
         [](const std::vector<double>& n, Params& params) {
             params["beta"] = n[0];
             return near(n[0], n[1]) && n[0] > 0;
         }},
        {"Where(Greater(x,#),x,Softplus(x))", "Softplus",
         [](const std::vector<double>& n, Params& params) {
             params["threshold"] = n[0];
             return n[0] >= 0;
         }},
        {"Where(Greater(Mul(#,x),#),x,Div(Softplus(Mul(#,x)),#))", "Softplus",
         [](const std::vector<double>& n, Params& params) {
             params["beta"] = n[0];
             params["threshold"] = n[1];
             return near(n[0], n[2]) && near(n[0], n[3]) && n[0] > 0 && n[1] >= 0;
         }},
    };
    return all;
}

bool elementwise(const std::string& op) {
    static const std::set<std::string> ops{
        "Add",  "Sub",     "Mul",      "Div",         "Neg",     "Exp",   "Log",     "Erf",
        "Tanh", "Sigmoid", "Softplus", "HardSigmoid", "Greater", "Where", "Identity"};
    return ops.contains(op);
}

} // namespace

Expressions::Expressions(const io::OnnxModel& model) {
    for (const io::OnnxNode& node : model.nodes) {
        for (const std::string& output : node.outputs)
            makers_[output] = &node;
        if (node.op == "Constant" && node.outputs.size() == 1)
            if (const auto* value = node.attribute("value"))
                if (const auto* tensor = std::get_if<Tensor>(value))
                    constants_[node.outputs[0]] = tensor;
    }
    for (const nn::NamedTensor& tensor : model.initializers)
        constants_[tensor.name] = &tensor.tensor;
}

std::optional<double> Expressions::scalar(const std::string& name) const {
    const auto found = constants_.find(name);
    if (found == constants_.end() || found->second->numel() != 1) return {};
    return found->second->item();
}

std::string Expressions::text(const std::string& name, const std::string& root, int depth,
                              std::vector<double>& numbers) const {
    if (name == root) return "x";
    if (const auto number = scalar(name)) {
        numbers.push_back(*number);
        return "#";
    }
    const auto maker = makers_.find(name);
    if (depth == 0 || maker == makers_.end() || !elementwise(maker->second->op) ||
        maker->second->outputs[0] != name)
        return "?";
    const io::OnnxNode& node = *maker->second;
    if (node.op == "Identity") return text(node.inputs.at(0), root, depth - 1, numbers);
    if (node.op == "HardSigmoid" &&
        (!near(node.real("alpha", 0.2), 1.0 / 6) || !near(node.real("beta", 0.5), 0.5)))
        return "?";
    std::vector<std::pair<std::string, std::vector<double>>> parts;
    for (const std::string& input : node.inputs) {
        std::vector<double> own;
        std::string part = text(input, root, depth - 1, own);
        if (part == "?") return "?";
        parts.emplace_back(std::move(part), std::move(own));
    }
    if (node.op == "Add" || node.op == "Mul")
        std::sort(parts.begin(), parts.end(),
                  [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string result = node.op + "(";
    for (std::size_t i = 0; i < parts.size(); ++i) {
        result += (i == 0 ? "" : ",") + parts[i].first;
        numbers.insert(numbers.end(), parts[i].second.begin(), parts[i].second.end());
    }
    return result + ")";
}

std::optional<Spelled> Expressions::find(const std::string& name) const {
    // Every value within reach may be the input; the expression then has to be one we know.
    std::set<std::string> seen, roots;
    std::vector<std::pair<std::string, int>> open{{name, 0}};
    while (!open.empty()) {
        const auto [value, depth] = open.back();
        open.pop_back();
        const auto maker = makers_.find(value);
        if (!seen.insert(value).second || constants_.contains(value)) continue;
        if (value != name) roots.insert(value);
        if (maker == makers_.end() || !elementwise(maker->second->op) || depth > kDeepest) continue;
        for (const std::string& input : maker->second->inputs)
            open.emplace_back(input, depth + 1);
        if (seen.size() > 40) break;
    }
    for (const std::string& root : roots) {
        std::vector<double> numbers;
        const std::string spelled = text(name, root, kDeepest, numbers);
        if (spelled.find('?') != std::string::npos) continue;
        for (const Pattern& pattern : patterns()) {
            Params params;
            if (spelled == pattern.text && pattern.make(numbers, params))
                return Spelled{pattern.type, params, root};
        }
    }
    return {};
}

} // namespace wiregrad::graph

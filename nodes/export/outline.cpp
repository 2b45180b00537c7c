#include "nodes/export/outline.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "engine/core/error.h"
#include "nodes/analysis.h"
#include "nodes/export/export.h"
#include "nodes/export/names.h"

namespace wiregrad::graph {

namespace {

/// What may be missing from a network that is only looked at.
bool concerns_training(const Problem& problem) {
    return problem.code == "no-loss" || problem.code == "no-optimizer" ||
           problem.code == "no-dataset";
}

std::vector<Problem> stopping_problems(const Graph& graph) {
    std::vector<Problem> result;
    for (Problem& problem : analyze(graph, false).problems)
        if (problem.severity == Severity::Error && !concerns_training(problem))
            result.push_back(std::move(problem));
    return result;
}

} // namespace

std::vector<std::string> export_problems(const Graph& graph) {
    std::vector<std::string> result;
    for (const Problem& problem : stopping_problems(graph))
        result.push_back((problem.node.empty() ? "" : problem.node + ": ") + problem.text);
    return result;
}

Outline::Outline(const Graph& source) : graph(source), inference(infer(graph)) {
    for (const Problem& problem : stopping_problems(graph))
        throw ValueError(problem.text, problem.node);
    title = graph.title().empty() ? "Network" : graph.title();
    members = member_names(graph);

    std::vector<std::string> roots, trained;
    for (const std::string& id : inference.order) {
        const Inferred& node = inference.at(id);
        if (!node.type || node.node->muted || !node.facts.known) continue;
        if (node.type->role == Role::Loss) trained.push_back(id);
        if (node.type->role == Role::Loss || node.type->role == Role::Metric) roots.push_back(id);
    }
    if (trained.empty()) {
        roots.clear();
        for (const std::string& id : inference.order) {
            const Inferred& node = inference.at(id);
            if (node.type && !node.node->muted && node.facts.known &&
                node.type->role == Role::Layer)
                roots.push_back(id);
        }
    }
    const std::set<std::string> wanted = upstream(inference, roots);
    std::set<Value> used;
    Names batch_names;
    for (const std::string& id : inference.order) {
        if (!wanted.contains(id)) continue;
        const Inferred& node = inference.at(id);
        const Role role = node.type->role;
        if (role == Role::Dataset || role == Role::Input) {
            for (std::size_t i = 0; i < node.facts.outputs.size(); ++i)
                batch.push_back({{id, i}, node.type->outputs[i].id, node.facts.outputs[i]});
            continue;
        }
        const auto shared = inference.flat.shared.find(id);
        const std::string& holder = shared == inference.flat.shared.end() ? id : shared->second;
        Statement statement{&node, id, members.at(holder), {}, node.facts.outputs.size()};
        statement.shared = holder != id;
        for (const Source& input : node.sources)
            statement.inputs.push_back({input.node, input.output});
        auto& list = role == Role::Loss ? losses : role == Role::Metric ? metrics : layers;
        list.push_back(std::move(statement));
    }
    if (layers.empty()) throw ValueError("there is no layer to export");
    // Two sources with an "x" each: then their own names say which is which.
    const auto named = [&](const std::string& name) {
        return std::count_if(batch.begin(), batch.end(),
                             [&](const Argument& other) { return other.name == name; });
    };
    std::vector<std::string> wishes;
    for (const Argument& argument : batch)
        wishes.push_back(named(argument.name) > 1
                             ? members.at(argument.value.node) + "_" + argument.name
                             : argument.name);
    for (std::size_t i = 0; i < batch.size(); ++i)
        batch[i].name = batch_names.claim(wishes[i]);
    arguments = batch_values(layers);

    const auto add_result = [&](const Value& value) {
        if (!is_argument(value) &&
            std::find(results.begin(), results.end(), value) == results.end())
            results.push_back(value);
    };
    for (const auto* list : {&losses, &metrics})
        for (const Statement& statement : *list)
            for (const Value& value : statement.inputs)
                if (inference.at(value.node).type->role == Role::Layer) add_result(value);
    if (trained.empty()) {
        for (const Statement& statement : layers)
            used.insert(statement.inputs.begin(), statement.inputs.end());
        for (const Statement& statement : layers)
            for (std::size_t i = 0; i < statement.outputs; ++i)
                if (const Value value{statement.id, i}; !used.contains(value)) add_result(value);
    }
    for (const std::string& id : inference.order) {
        const Inferred& node = inference.at(id);
        if (node.type && node.type->role == Role::Optimizer && !node.node->muted &&
            !losses_of(id).empty())
            optimizers.push_back(id);
    }
}

BuildContext Outline::context(const Statement& statement) const {
    return {statement.node->node->params, statement.node->inputs, statement.node->counts,
            stream_of(statement.id)};
}

const Argument& Outline::argument(const Value& value) const {
    return *std::find_if(batch.begin(), batch.end(),
                         [&](const Argument& argument) { return argument.value == value; });
}

bool Outline::is_argument(const Value& value) const {
    return std::any_of(batch.begin(), batch.end(),
                       [&](const Argument& argument) { return argument.value == value; });
}

std::vector<Value> Outline::batch_values(const std::vector<Statement>& statements) const {
    std::set<Value> read;
    for (const Statement& statement : statements)
        read.insert(statement.inputs.begin(), statement.inputs.end());
    std::vector<Value> result;
    for (const Argument& argument : batch)
        if (read.contains(argument.value)) result.push_back(argument.value);
    return result;
}

std::vector<std::string> Outline::losses_of(const std::string& optimizer) const {
    std::vector<std::string> result;
    for (const Source& source : inference.at(optimizer).sources)
        if (std::any_of(losses.begin(), losses.end(),
                        [&](const Statement& loss) { return loss.id == source.node; }))
            result.push_back(source.node);
    return result;
}

std::vector<std::string> Outline::trained_by(const std::string& optimizer) const {
    const std::set<std::string> nodes = upstream(inference, losses_of(optimizer));
    std::vector<std::string> result;
    for (const Statement& layer : layers)
        if (nodes.contains(layer.id) && layer.node->facts.weights > 0 && !layer.shared)
            result.push_back(layer.id);
    return result;
}

std::string fill(const std::string& pattern, const std::vector<std::string>& inputs,
                 const std::string& self) {
    std::string text;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const std::size_t end = pattern[i] == '{' ? pattern.find('}', i) : std::string::npos;
        const std::string word =
            end == std::string::npos ? std::string() : pattern.substr(i + 1, end - i - 1);
        const bool number =
            !word.empty() && word.size() < 4 &&
            std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
        if (word == "self" || (number && std::stoul(word) < inputs.size())) {
            text += word == "self" ? self : inputs[std::stoul(word)];
            i = end;
        } else {
            text += pattern[i];
        }
    }
    return text;
}

} // namespace wiregrad::graph

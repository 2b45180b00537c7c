#include "nodes/analysis.h"

#include <algorithm>
#include <optional>
#include <set>

#include "engine/core/error.h"
#include "nodes/infer.h"
#include "nodes/problems.h"

namespace wiregrad::graph {

namespace {

constexpr std::size_t kMostFixes = 3;
/// How many repairs may be tried in all: fewer on large graphs, so that the answer stays quick.
std::size_t most_trials(const Graph& graph) {
    return std::clamp<std::size_t>(20000 / (graph.nodes().size() + 1), 8, 120);
}

std::size_t errors_in(const std::vector<Problem>& problems) {
    return static_cast<std::size_t>(
        std::count_if(problems.begin(), problems.end(),
                      [](const Problem& problem) { return problem.severity == Severity::Error; }));
}

bool same_place(const Problem& a, const Problem& b) {
    return a.code == b.code && a.node == b.node && a.port == b.port && a.param == b.param;
}

/// How many errors are left after the edit when it removes the problem; nothing when it does not,
/// or when it makes things worse. One more error than before may show: what was hidden behind this
/// one.
std::optional<std::size_t> cures(const Graph& graph, const Edit& edit, const Problem& problem,
                                 std::size_t errors_before) {
    Graph copy = graph;
    try {
        apply(copy, edit);
    } catch (const Error&) {
        return {};
    }
    const std::vector<Problem> after = find_problems(copy, infer(copy));
    const bool still = std::any_of(after.begin(), after.end(), [&](const Problem& other) {
        return same_place(problem, other);
    });
    const std::size_t errors = errors_in(after);
    if (still || errors > errors_before + (problem.severity == Severity::Error ? 1 : 0)) return {};
    return errors;
}

void offer_fixes(const Graph& graph, const Inference& inference, std::vector<Problem>& problems) {
    const std::size_t errors = errors_in(problems);
    std::size_t trials = most_trials(graph);
    for (Problem& problem : problems) {
        std::vector<std::pair<std::size_t, Fix>> good;
        std::set<std::string> seen;
        for (Fix& fix : candidate_fixes(graph, inference, problem)) {
            if (trials == 0) break;
            if (!seen.insert(fix.label).second) continue;
            --trials;
            if (const auto left = cures(graph, fix.edit, problem, errors))
                good.emplace_back(*left, std::move(fix));
        }
        std::stable_sort(good.begin(), good.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        for (auto& [left, fix] : good)
            if (problem.fixes.size() < kMostFixes) problem.fixes.push_back(std::move(fix));
    }
}

/// Bytes of optimizer state for each weight.
double state_bytes(const Inferred& optimizer) {
    if (optimizer.type->id == "SGD")
        return std::get<double>(optimizer.node->params.at("momentum")) > 0 ? 4 : 0;
    return std::get<bool>(optimizer.node->params.at("amsgrad")) ? 12 : 8;
}

} // namespace

bool Analysis::runnable() const {
    return std::none_of(problems.begin(), problems.end(),
                        [](const Problem& problem) { return problem.severity == Severity::Error; });
}

std::vector<const Problem*> Analysis::of_node(const std::string& id) const {
    std::vector<const Problem*> result;
    for (const Problem& problem : problems)
        if (problem.node == id) result.push_back(&problem);
    return result;
}

Analysis analyze(const Graph& graph, bool with_fixes) {
    const Inference inference = infer(graph);
    Analysis result;
    result.problems = find_problems(graph, inference);
    if (with_fixes) offer_fixes(graph, inference, result.problems);
    double activations = 0, state = 0;
    for (const auto& [id, inferred] : inference.nodes) {
        result.nodes[id] = inferred.facts;
        result.weights += inferred.facts.weights;
        result.flops += inferred.facts.flops;
        activations += inferred.facts.activation_bytes;
        if (inferred.type && inferred.type->role == Role::Optimizer && !inferred.node->muted &&
            inferred.code.empty())
            state = std::max(state, state_bytes(inferred));
    }
    // Weights, their gradients and the optimizer's state; activations once forward and, at the
    // worst, once as gradients.
    result.training_bytes = static_cast<double>(result.weights) * (4 + 4 + state) + 2 * activations;
    return result;
}

std::string explain_wire(const Graph& graph, const Wire& wire) {
    if (auto reason = refuse_wire(graph, wire); !reason.empty()) return reason;
    Graph copy = graph;
    try {
        apply(copy, connect_edit(graph, wire));
    } catch (const Error& error) {
        return error.text();
    }
    const Inference before = infer(graph), after = infer(copy);
    // The target itself, or the first node behind it that worked before and does not now.
    const Inferred& target = after.at(wire.to);
    if (!target.error.empty() && target.error != before.at(wire.to).error && target.param.empty())
        return target.error;
    for (const std::string& id : after.order)
        if (!after.at(id).error.empty() && before.at(id).error.empty() && before.at(id).facts.known)
            return id + ": " + after.at(id).error;
    return {};
}

} // namespace wiregrad::graph

#include "nodes/analysis.h"

#include <algorithm>
#include <optional>
#include <set>

#include "engine/core/error.h"
#include "nodes/flatten.h"
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
    std::vector<Problem> after;
    try {
        after = find_problems(copy, infer(copy));
    } catch (const Error&) {
        return {}; // it would unfold to too much
    }
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

/// Bytes of optimizer state for each weight: moments, and the average where one is kept.
double state_bytes(const Inferred& optimizer) {
    const auto number = [&](const char* id) {
        const auto it = optimizer.node->params.find(id);
        const auto* value =
            it == optimizer.node->params.end() ? nullptr : std::get_if<double>(&it->second);
        return value ? *value : 0.0;
    };
    const auto flag = [&](const char* id) {
        const auto it = optimizer.node->params.find(id);
        const auto* value =
            it == optimizer.node->params.end() ? nullptr : std::get_if<bool>(&it->second);
        return value && *value;
    };
    const std::string& id = optimizer.type->id;
    constexpr double kMoment = 4;
    double moments = 2;
    if (id == "SGD") moments = number("momentum") > 0 ? 1 : 0;
    if (id == "RMSprop")
        moments = 1 + (number("momentum") > 0 ? 1 : 0) + (flag("centered") ? 1 : 0);
    if (id == "Adagrad" || id == "Muon") moments = 1;
    if (flag("amsgrad")) moments += 1;
    if (number("ema_decay") > 0) moments += 1;
    return kMoment * moments;
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
    Analysis result;
    std::optional<Inference> inferred_all;
    try {
        inferred_all = infer(graph);
    } catch (const Error& error) {
        result.problems.push_back({Severity::Error, "too-large", "", "", "", error.text(), {}});
        return result;
    }
    const Inference& inference = *inferred_all;
    result.problems = find_problems(graph, inference);
    if (with_fixes) offer_fixes(graph, inference, result.problems);
    double activations = 0, state = 0;
    result.nodes = facts_by_path(inference);
    for (const auto& [id, inferred] : inference.nodes) {
        if (!inference.flat.shared.contains(id)) result.weights += inferred.facts.weights;
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

std::string explain_wire(const Graph& graph, const Wire& wire,
                         const std::vector<std::string>& groups) {
    try {
        const std::string id = sheet_at(graph, groups);
        const Graph sheet = graph.sheet(id);
        if (auto reason = refuse_wire(sheet, wire); !reason.empty()) return reason;
        Graph copy = graph;
        apply(copy, on_sheet(id, connect_edit(sheet, wire)));
        const Inference before = infer(graph), after = infer(copy);
        const std::string to = flat_prefix(graph, groups) + wire.to;
        const auto was = [&](const std::string& node) -> const Inferred* {
            const auto it = before.nodes.find(node);
            return it == before.nodes.end() ? nullptr : &it->second;
        };
        // The target itself, or the first node behind it that worked before and does not now; in a
        // group, the first node inside that refuses.
        if (const auto target = after.nodes.find(to); target != after.nodes.end()) {
            const Inferred* old = was(to);
            if (!target->second.error.empty() && target->second.param.empty() &&
                (!old || target->second.error != old->error))
                return target->second.error;
        }
        for (const std::string& node : after.order) {
            const Inferred& now = after.at(node);
            const Inferred* old = was(node);
            if (now.error.empty() || !old || !old->error.empty()) continue;
            if (old->facts.known || node.starts_with(to + ".")) return node + ": " + now.error;
        }
    } catch (const Error& error) {
        return error.text();
    }
    return {};
}

} // namespace wiregrad::graph

// Repairs for a wire that does not fit yet: what a person who drags it is offered.
#include <algorithm>
#include <set>

#include "engine/core/error.h"
#include "nodes/analysis.h"
#include "nodes/infer.h"
#include "nodes/problems.h"

namespace wiregrad::graph {

namespace {

constexpr std::size_t kMostOffers = 3;

std::size_t errors_in(const std::vector<Problem>& problems) {
    return static_cast<std::size_t>(
        std::count_if(problems.begin(), problems.end(),
                      [](const Problem& problem) { return problem.severity == Severity::Error; }));
}

/// Nodes that an edit of one sheet adds.
void collect_added(const Edit& edit, std::vector<Node>& added) {
    if (const auto* node = std::get_if<AddNode>(&edit.what)) added.push_back(node->node);
    if (const auto* batch = std::get_if<Batch>(&edit.what))
        for (const Edit& part : batch->edits)
            collect_added(part, added);
    if (const auto* inside = std::get_if<Inside>(&edit.what))
        for (const Edit& part : inside->edits)
            collect_added(part, added);
}

} // namespace

std::vector<WireFix> wire_fixes(const Graph& graph, const Wire& wire,
                                const std::vector<std::string>& groups) {
    std::vector<WireFix> offers;
    try {
        const std::string id = sheet_at(graph, groups);
        const Graph sheet = graph.sheet(id);
        if (!refuse_wire(sheet, wire).empty()) return {};
        const Edit connect = on_sheet(id, connect_edit(sheet, wire));
        Graph wired = graph;
        apply(wired, connect);
        const Inference before = infer(graph), inference = infer(wired);
        const auto old = find_problems(graph, before);
        const std::vector<Problem> problems = find_problems(wired, inference);
        const std::string target = flat_prefix(graph, groups) + wire.to;
        const auto is_new = [&](const Problem& problem) {
            return std::none_of(old.begin(), old.end(), [&](const Problem& other) {
                return other.code == problem.code && other.node == problem.node &&
                       other.port == problem.port && other.text == problem.text;
            });
        };
        std::set<std::string> seen;
        std::vector<std::pair<std::size_t, WireFix>> good;
        for (const Problem& problem : problems) {
            if (problem.code == "missing-input" || problem.code == "unconnected" ||
                !is_new(problem))
                continue;
            for (Fix& fix : candidate_fixes(wired, inference, problem)) {
                if (good.size() >= 4 * kMostOffers || !seen.insert(fix.label).second) continue;
                Graph trial = wired;
                try {
                    apply(trial, fix.edit);
                    const Inference after = infer(trial);
                    const auto left = find_problems(trial, after);
                    // The wire itself must work: what it feeds has a shape.
                    const auto facts = facts_by_path(after);
                    const auto at = facts.find(target);
                    if (at == facts.end()) continue; // the repair removed what was wired
                    const bool still =
                        std::any_of(left.begin(), left.end(), [&](const Problem& other) {
                            return other.code == problem.code && other.node == problem.node;
                        });
                    if (still) continue;
                    WireFix offer;
                    offer.label = fix.label;
                    offer.result = at->second.output_text;
                    collect_added(fix.edit, offer.added);
                    offer.edit = {Batch{{connect, fix.edit}, "Connect and " + fix.label}};
                    good.emplace_back(errors_in(left), std::move(offer));
                } catch (const Error&) {
                    continue;
                }
            }
        }
        std::stable_sort(good.begin(), good.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        for (auto& [errors, offer] : good)
            if (offers.size() < kMostOffers) offers.push_back(std::move(offer));
    } catch (const Error&) {
        return {}; // a broken graph offers nothing here; its problems are listed elsewhere
    }
    return offers;
}

} // namespace wiregrad::graph

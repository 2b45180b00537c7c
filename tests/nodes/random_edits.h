// A source of random edits for property tests: the same seed gives the same edits.
#pragma once

#include <random>
#include <string>

#include "engine/core/error.h"
#include "nodes/analysis.h"
#include "nodes/edit.h"
#include "nodes/group.h"

namespace wiregrad::graph::testing {

/// Random edits, sensible and not; what apply() refuses must leave the graph alone.
class RandomEdits {
  public:
    explicit RandomEdits(std::uint32_t seed) : random_(seed) {}

    Edit next(const Graph& graph) {
        if (graph.sheet_id().empty() && below(4) == 0) return group_gesture(graph);
        switch (below(14)) {
        case 0:
        case 1:
        case 2: {
            Node node =
                make_node(graph, node_types()[below(node_types().size())].id, {real(), real()});
            if (below(20) == 0) node.type = "Unheard";
            return {AddNode{node}};
        }
        case 3:
            return graph.nodes().size() > 30 || below(4) == 0
                       ? Edit{RemoveNode{pick(graph)}}
                       : Edit{Rename{pick(graph), "häl\"lo\n"}};
        case 4:
        case 5:
        case 6: {
            const Wire wire = random_wire(graph);
            return below(2)
                       ? connect_edit(graph, wire)
                       : Edit{Connect{wire, static_cast<int>(below(graph.wires().size() + 2)) - 1}};
        }
        case 7:
            return graph.wires().empty()
                       ? Edit{SetTitle{"t", "d"}}
                       : Edit{Disconnect{graph.wires()[below(graph.wires().size())]}};
        case 8:
        case 9:
            return random_param(graph);
        case 10:
            return {Move{pick(graph), {real(), real()}}};
        case 11:
            return below(2) ? Edit{SetMuted{pick(graph), below(2) == 0}}
                            : Edit{SetCollapsed{pick(graph), below(2) == 0}};
        case 12: {
            Training training;
            training.epochs = static_cast<std::int64_t>(below(100));
            training.seed = random_() * std::uint64_t{4294967296} + random_();
            return {SetTraining{training}};
        }
        default: {
            if (below(3) == 0)
                return remove_edit(graph, {pick_existing(graph), pick_existing(graph)},
                                   below(2) == 0);
            if (below(4) == 0) return layout_edit(graph, {}, {});
            Batch batch;
            Graph copy = graph;
            for (std::size_t i = 0; i < 1 + below(4); ++i) {
                Edit edit = next(copy);
                try {
                    apply(copy, edit);
                } catch (const Error&) {
                    if (below(3) > 0) continue;
                }
                batch.edits.push_back(std::move(edit));
            }
            return {std::move(batch)};
        }
        }
    }

  private:
    /// Making, dissolving, sharing, exposing and editing groups, and fixes that analysis offers.
    Edit group_gesture(const Graph& graph) {
        try {
            switch (below(9)) {
            case 0:
            case 1: {
                if (graph.definitions().size() > 8) break;
                const std::string sheet = pick_sheet(graph);
                const Graph level = graph.sheet(sheet);
                return on_sheet(
                    sheet,
                    group_edit(level, {pick_existing(level), pick_existing(level)}, "Part").first);
            }
            case 2: {
                const std::string sheet = pick_sheet(graph);
                const Graph level = graph.sheet(sheet);
                return on_sheet(sheet, ungroup_edit(level, pick_group(level)).first);
            }
            case 3: {
                const std::string sheet = pick_sheet(graph);
                return on_sheet(sheet,
                                {AddNode{make_instance(graph.sheet(sheet), pick_definition(graph),
                                                       {real(), real()})}});
            }
            case 4:
                return make_unique_edit(graph, pick_group(graph));
            case 5: {
                const std::string id = pick_definition(graph);
                const Graph level = graph.sheet(id);
                const Node* node = level.node(pick_existing(level));
                if (!node || node->params.empty()) break;
                auto it = node->params.begin();
                std::advance(it, below(node->params.size()));
                return expose_edit(graph, id, node->id, it->first, below(4) > 0);
            }
            case 6: {
                const std::string group = pick_group(graph);
                return below(2)
                           ? Edit{SetParam{group, "times", static_cast<std::int64_t>(below(4))}}
                           : Edit{SetParam{group, "weights", std::string("shared")}};
            }
            case 7: {
                if (graph.nodes().size() > 8 || below(4) > 0) break;
                const Analysis analysis = analyze(graph);
                for (const Problem& problem : analysis.problems)
                    if (!problem.fixes.empty())
                        return problem.fixes[below(problem.fixes.size())].edit;
                break;
            }
            default: {
                // An edit of the inside, whatever it is.
                const std::string id = pick_definition(graph);
                const Graph level = graph.sheet(id);
                if (below(6) == 0)
                    return on_sheet(
                        id,
                        {AddNode{make_node(level, below(2) ? "GroupInput" : "GroupOutput", {})}});
                if (below(8) == 0 && !level.wires().empty())
                    return on_sheet(id, {SetBends{level.wires()[below(level.wires().size())],
                                                  {{real(), real()}}}});
                return on_sheet(id, next(level));
            }
            }
        } catch (const ValueError&) {
            // What cannot be asked for, like taking apart what is no group.
        }
        return graph.wires().empty()
                   ? Edit{SetPinned{pick(graph), below(2) == 0}}
                   : Edit{SetBends{graph.wires()[below(graph.wires().size())], {{real(), real()}}}};
    }
    std::string pick_definition(const Graph& graph) {
        if (graph.definitions().empty()) throw ValueError("no definitions");
        auto it = graph.definitions().begin();
        std::advance(it, below(graph.definitions().size()));
        return it->first;
    }
    std::string pick_sheet(const Graph& graph) {
        return graph.definitions().empty() || below(2) == 0 ? "" : pick_definition(graph);
    }
    std::string pick_group(const Graph& graph) {
        std::vector<std::string> groups;
        for (const auto& [id, node] : graph.nodes())
            if (!node.group.empty()) groups.push_back(id);
        return groups.empty() ? pick(graph) : groups[below(groups.size())];
    }
    std::size_t below(std::size_t n) { return random_() % n; }
    double real() { return static_cast<double>(random_()) / 65536.0 - 30000.5; }
    std::string pick(const Graph& graph) {
        return below(25) == 0 ? "nobody" : pick_existing(graph);
    }
    std::string pick_existing(const Graph& graph) {
        if (graph.nodes().empty()) return "nobody";
        auto it = graph.nodes().begin();
        std::advance(it, below(graph.nodes().size()));
        return it->first;
    }
    std::string port(const Graph& graph, const std::string& id, bool output) {
        const NodeType* type = graph.type_of(id);
        if (!type) return "any";
        const auto& ports = output ? type->outputs : type->inputs;
        return ports.empty() ? "none" : ports[below(ports.size())].id;
    }
    Wire random_wire(const Graph& graph) {
        const std::string from = pick(graph), to = pick(graph);
        return {from, port(graph, from, true), to, port(graph, to, false)};
    }
    Edit random_param(const Graph& graph) {
        const std::string id = pick(graph);
        const Node* node = graph.node(id);
        if (!node || node->params.empty()) return {SetParam{id, "lr", 1.0}};
        auto it = node->params.begin();
        std::advance(it, below(node->params.size()));
        const ParamValue values[] = {
            true,
            static_cast<std::int64_t>(below(12)) - 3,
            real(),
            0.25,
            std::string("step"),
            std::vector<std::int64_t>(below(4), static_cast<std::int64_t>(below(5)))};
        return {SetParam{id, it->first, values[below(std::size(values))]}};
    }
    std::mt19937 random_;
};

} // namespace wiregrad::graph::testing

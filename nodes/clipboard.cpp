// The clipboard is the text of a small project, so that what was copied can be pasted into a chat
// or saved as a file.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "nodes/edit.h"
#include "nodes/graph_access.h"
#include "nodes/group.h"
#include "nodes/project.h"

namespace wiregrad::graph {

std::string copy_text(const Graph& graph, const std::set<std::string>& ids) {
    Graph part;
    const auto is_port = [](const Node& node) {
        return node.type == "GroupInput" || node.type == "GroupOutput";
    };
    for (const std::string& id : ids)
        if (const Node* node = graph.node(id); node && !is_port(*node)) {
            GraphAccess::nodes(part).emplace(id, *node);
            // The groups that it needs come along.
            if (!node->group.empty())
                for (const std::string& definition : definitions_within(graph, node->group))
                    GraphAccess::definitions(part)[definition] = graph.definitions().at(definition);
        }
    nlohmann::json incoming = nlohmann::json::array();
    for (const Wire& wire : graph.wires())
        if (part.node(wire.to) && !part.node(wire.from))
            incoming.push_back({wire.from, wire.from_port, wire.to, wire.to_port});
        else if (part.node(wire.from) && part.node(wire.to)) {
            GraphAccess::wires(part).push_back(wire);
            if (const auto& bends = graph.bends(wire); !bends.empty())
                GraphAccess::bends(part)[wire] = bends;
        }
    // Who wants to paste with the wires that came in finds them here; others pass it over.
    if (!incoming.empty()) GraphAccess::extra(part) = nlohmann::json{{"incoming", incoming}}.dump();
    return to_text(part);
}

std::pair<Edit, std::set<std::string>> paste_edit(const Graph& graph, const std::string& text,
                                                  Position at, bool keep_inputs) {
    Graph part;
    try {
        part = from_text(text, "the clipboard");
    } catch (const FileError& error) {
        throw ValueError(fmt::format("The clipboard holds no nodes ({})", error.text()));
    }
    if (part.nodes().empty()) throw ValueError("The clipboard holds no nodes");
    Position corner = part.nodes().begin()->second.position;
    for (const auto& [id, node] : part.nodes()) {
        corner.x = std::min(corner.x, node.position.x);
        corner.y = std::min(corner.y, node.position.y);
    }
    Batch batch;
    std::set<std::string> pasted;
    std::map<std::string, std::string> renamed;
    Graph all = graph; // so that fresh ids are fresh among the pasted ones too
    // Groups that are here already, with the same content, are shared; others come as new ones.
    std::map<std::string, std::string> groups;
    std::vector<std::string> order;
    for (const auto& [id, definition] : part.definitions())
        order.push_back(id);
    std::stable_sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
        return depth_of(part, a) < depth_of(part, b);
    });
    for (const std::string& id : order) {
        Definition definition = *part.definition(id);
        for (auto& [inner, node] : GraphAccess::nodes(definition.body))
            if (!node.group.empty()) node.group = groups.at(node.group);
        const Definition* here = all.definition(id);
        if (here && *here == definition) {
            groups[id] = id;
            continue;
        }
        definition.id = fresh_definition_id(all, id);
        groups[id] = definition.id;
        const Edit define{Define{std::move(definition)}};
        apply(all, define);
        batch.edits.push_back(define);
    }
    for (const std::string& id : part.topological_order()) {
        Node node = *part.node(id);
        if (!node.group.empty()) {
            node.group = groups.at(node.group);
            if (auto reason = refuse_group(all, node.group); !reason.empty())
                throw ValueError(reason);
        }
        node.id = all.fresh_id(node.group.empty() ? node.type : node.group);
        node.position = {at.x + node.position.x - corner.x, at.y + node.position.y - corner.y};
        renamed[id] = node.id;
        pasted.insert(node.id);
        GraphAccess::nodes(all).emplace(node.id, node);
        batch.edits.push_back({AddNode{std::move(node)}});
    }
    const auto moved = [&](std::vector<Position> bends) {
        for (Position& bend : bends)
            bend = {at.x + bend.x - corner.x, at.y + bend.y - corner.y};
        return bends;
    };
    for (const Wire& wire : part.wires())
        batch.edits.push_back(
            {Connect{{renamed.at(wire.from), wire.from_port, renamed.at(wire.to), wire.to_port},
                     -1,
                     moved(part.bends(wire))}});
    if (keep_inputs && !part.extra().empty()) {
        Graph after = graph;
        for (const Edit& edit : batch.edits)
            apply(after, edit);
        const auto extra = nlohmann::json::parse(part.extra());
        const auto incoming = extra.find("incoming");
        if (incoming != extra.end() && incoming->is_array())
            for (const auto& one : *incoming) {
                const bool names = one.is_array() && one.size() == 4 &&
                                   std::all_of(one.begin(), one.end(),
                                               [](const auto& e) { return e.is_string(); });
                if (!names || !renamed.contains(one[2].get<std::string>())) continue;
                const Wire wire{one[0].get<std::string>(), one[1].get<std::string>(),
                                renamed.at(one[2].get<std::string>()), one[3].get<std::string>()};
                if (refuse_wire(after, wire).empty()) batch.edits.push_back({Connect{wire}});
            }
    }
    batch.label = fmt::format("Paste {} {}", pasted.size(), pasted.size() == 1 ? "node" : "nodes");
    return {Edit{std::move(batch)}, std::move(pasted)};
}

} // namespace wiregrad::graph

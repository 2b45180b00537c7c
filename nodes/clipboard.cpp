// The clipboard is the text of a small project, so that what was copied can be pasted into a chat
// or saved as a file.
#include <fmt/core.h>

#include <algorithm>

#include "engine/core/error.h"
#include "nodes/edit.h"
#include "nodes/graph_access.h"
#include "nodes/project.h"

namespace wiregrad::graph {

std::string copy_text(const Graph& graph, const std::set<std::string>& ids) {
    Graph part;
    for (const std::string& id : ids)
        if (const Node* node = graph.node(id)) GraphAccess::nodes(part).emplace(id, *node);
    for (const Wire& wire : graph.wires())
        if (part.node(wire.from) && part.node(wire.to)) GraphAccess::wires(part).push_back(wire);
    return to_text(part);
}

std::pair<Edit, std::set<std::string>> paste_edit(const Graph& graph, const std::string& text,
                                                  Position at) {
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
    for (const std::string& id : part.topological_order()) {
        Node node = *part.node(id);
        node.id = all.fresh_id(node.type);
        node.position = {at.x + node.position.x - corner.x, at.y + node.position.y - corner.y};
        renamed[id] = node.id;
        pasted.insert(node.id);
        GraphAccess::nodes(all).emplace(node.id, node);
        batch.edits.push_back({AddNode{std::move(node)}});
    }
    for (const Wire& wire : part.wires())
        batch.edits.push_back(
            {Connect{{renamed.at(wire.from), wire.from_port, renamed.at(wire.to), wire.to_port}}});
    return {Edit{std::move(batch)}, std::move(pasted)};
}

} // namespace wiregrad::graph

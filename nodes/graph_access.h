// The way to change a Graph's insides, for the few files that may: edits, the project reader.
// Everyone else goes through apply() in nodes/edit.h. Thread of the graph.
#pragma once

#include "nodes/graph.h"

namespace wiregrad::graph {

struct GraphAccess {
    static std::map<std::string, Node>& nodes(Graph& graph) { return graph.nodes_; }
    static std::vector<Wire>& wires(Graph& graph) { return graph.wires_; }
    static Training& training(Graph& graph) { return graph.training_; }
    static std::string& title(Graph& graph) { return graph.title_; }
    static std::string& description(Graph& graph) { return graph.description_; }
    static std::string& extra(Graph& graph) { return graph.extra_; }
};

/// Whether `id` may name a node: [a-z][a-z0-9_]*, at most 64 characters.
bool valid_id(const std::string& id);
/// Whether `text` is UTF-8: what the project file can hold.
bool valid_utf8(const std::string& text);
/// Empty, or what is wrong with these training settings.
std::string check_training(const Training& training);
/// Shortest text that reads back as the same double; with ".0" when it would look like an integer.
std::string real_text(double value);

} // namespace wiregrad::graph

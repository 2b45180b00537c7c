// The way to change a Graph's insides, for the few files that may: edits, the project reader,
// flattening. Everyone else goes through apply() in nodes/edit.h. Thread of the graph.
#pragma once

#include "nodes/graph.h"

namespace wiregrad::graph {

struct GraphAccess {
    static std::map<std::string, Node>& nodes(Graph& graph) { return graph.nodes_; }
    static std::vector<Wire>& wires(Graph& graph) { return graph.wires_; }
    static std::map<Wire, std::vector<Position>>& bends(Graph& graph) { return graph.bends_; }
    static Training& training(Graph& graph) { return graph.training_; }
    static std::string& title(Graph& graph) { return graph.title_; }
    static std::string& description(Graph& graph) { return graph.description_; }
    static std::string& extra(Graph& graph) { return graph.extra_; }
    static std::string& sheet(Graph& graph) { return graph.sheet_; }
    static Definitions& definitions(Graph& graph) { return graph.definitions_; }
    /// Stores a definition, its instance type worked out anew, in place of one with the same id.
    static void put(Graph& graph, Definition definition);
};

/// What instances of `definition` look like in `graph`: ports and parameters.
NodeType instance_type(const Graph& graph, const Definition& definition);
/// Whether ports and parameters are the same, in the same order.
bool same_interface(const NodeType& a, const NodeType& b);
/// Definitions that `graph`'s definition `id` holds instances of, itself first, without repeats.
std::vector<std::string> definitions_within(const Graph& graph, const std::string& id);
/// Empty, or why a node that is an instance of `definition` may not stand on the sheet of `graph`:
/// no such definition, a group in itself, nested too deep.
std::string refuse_group(const Graph& graph, const std::string& definition);
/// Levels of groups from an instance of `id` down: 1 for one without groups inside; 0: too deep.
int depth_of(const Graph& graph, const std::string& id);

/// Whether `id` may name a node: [a-z][a-z0-9_]*, at most 64 characters.
bool valid_id(const std::string& id);
/// Whether `text` is UTF-8: what the project file can hold.
bool valid_utf8(const std::string& text);
/// Empty, or what is wrong with these training settings.
std::string check_training(const Training& training);
/// Shortest text that reads back as the same double; with ".0" when it would look like an integer.
std::string real_text(double value);
/// A parameter's value as the project file holds it. Throws ValueError naming `path` for a
/// non-finite number.
std::string value_json(const ParamValue& value, const std::string& path);

} // namespace wiregrad::graph

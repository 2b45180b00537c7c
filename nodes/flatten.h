// A graph with its groups unfolded: what runs, is counted and is exported. Nodes inside groups are
// named by their path, "block.0.attn1" (the number is the repetition), and so are their weights.
// Pure; any thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nodes/graph.h"

namespace wiregrad::graph {

/// More nodes than this are not unfolded: a few repeats in each other say more than memory holds.
inline constexpr double kMaxFlatNodes = 100'000;

/// An output of a flat node; an empty node: nothing arrives.
struct FlatEnd {
    std::string node, port;
    std::string group, group_port; ///< when nothing arrives: the group's input that is not wired
};

struct Flat {
    /// Without Group, GroupInput and GroupOutput nodes. When there are none of them, the graph that
    /// was given, which must then live as long.
    std::shared_ptr<const Graph> graph;
    /// Nodes that use the weights of another: "block.1.linear1" -> "block.0.linear1".
    std::map<std::string, std::string> shared;
    /// What comes out of groups, by path, in the order of their outputs.
    std::map<std::string, std::vector<FlatEnd>> groups;
    /// What goes through the ports inside groups, by the ports' paths.
    std::map<std::string, FlatEnd> ports;
    /// Inputs of flat nodes that get nothing because a group's input gets nothing.
    std::map<std::pair<std::string, std::string>, FlatEnd> open;
    /// Definitions by path of the group node.
    std::map<std::string, std::string> definitions;
};

/// Throws ValueError when the groups unfold to too many nodes.
Flat flatten(const Graph& graph);

/// Where a flat node stands: the group nodes around it, from the outside in, and its own id.
struct FlatPlace {
    std::vector<std::string> groups;
    std::string node;
    bool first = true; ///< in the first repetition of all of them
};
FlatPlace place_of(const std::string& flat_id);
/// "block.0." for the inside of `groups`, first repetitions; "" for none.
std::string flat_prefix(const Graph& graph, const std::vector<std::string>& groups);
/// The definition at the end of the path; empty for none. Throws ValueError when there is no such
/// group.
std::string sheet_at(const Graph& graph, const std::vector<std::string>& groups);

} // namespace wiregrad::graph

// Groups as gestures: making, dissolving, detaching and exposing, each as one Edit for the sheet it
// is asked about (wrap it with on_sheet()). Pure functions; any thread.
#pragma once

#include <set>
#include <string>
#include <utility>

#include "nodes/edit.h"

namespace wiregrad::graph {

/// Puts nodes into a new group, wires and their order kept; the second is the group node's id.
/// Throws ValueError with a sentence: a path leaves and comes back, nothing chosen.
std::pair<Edit, std::string> group_edit(const Graph& graph, const std::set<std::string>& nodes,
                                        const std::string& name = {});
/// Puts the inside of a group in its place, repetitions one after another; the second are the ids
/// that come out. Throws ValueError where that would change what is computed (shared weights).
std::pair<Edit, std::set<std::string>> ungroup_edit(const Graph& graph, const std::string& node);
/// A new group with one input and one output between which a person wires; the second is its node.
std::pair<Edit, std::string> new_group_edit(const Graph& graph, Position position);
/// A further instance of a definition.
Node make_instance(const Graph& graph, const std::string& definition, Position position);
/// Gives the node a definition of its own, equal to the one it shares.
Edit make_unique_edit(const Graph& graph, const std::string& node);
/// Shows the parameter of a node inside `definition` on the group, or hides it again. Whole
/// projects only.
Edit expose_edit(const Graph& graph, const std::string& definition, const std::string& node,
                 const std::string& param, bool exposed);
/// How many nodes of all sheets are instances of the definition.
int instances_of(const Graph& graph, const std::string& definition);
/// A free id for a definition: "block", "block2", ...
std::string fresh_definition_id(const Graph& graph, const std::string& name);

} // namespace wiregrad::graph

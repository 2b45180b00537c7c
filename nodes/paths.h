// Paths of Dataset nodes: in a project file they may be meant from its folder, so that project and
// data can move together; in a graph that is worked with they are absolute. Thread of the graph.
#pragma once

#include <string>

#include "nodes/graph.h"

namespace wiregrad::graph {

/// Paths that are not absolute are meant from `folder`.
void make_paths_absolute(Graph& graph, const std::string& folder);
/// Paths inside `folder` are written as seen from there.
void make_paths_relative(Graph& graph, const std::string& folder);

} // namespace wiregrad::graph

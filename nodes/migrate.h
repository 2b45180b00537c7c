// Brings a node of an older version of its type to the current one. Pure; any thread.
#pragma once

#include "nodes/graph.h"

namespace wiregrad::graph {

/// Applies the migrations of `type` from node.version on, in order; a node of a newer version is
/// left as it is.
void migrate(const NodeType& type, Node& node);

} // namespace wiregrad::graph

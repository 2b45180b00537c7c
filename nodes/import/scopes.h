// The scopes of an imported model as groups. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "nodes/import/onnx.h"

namespace wiregrad::graph {

/// "/layer1/layer1.0/conv1/Conv" -> layer1, layer1.0: what stands around the layer itself, from the
/// outside in.
std::vector<std::string> scopes_of(const std::string& onnx_name);

/// Puts the nodes of each scope of at least two nodes into a group, inner scopes first; weights,
/// values and outputs follow. A scope that a path leaves and comes back to stays as it is. Gives
/// the number of groups.
int group_scopes(ImportedModel& model);

} // namespace wiregrad::graph

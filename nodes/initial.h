// First weights as a node's settings say, over those that PyTorch draws for its layer. Any thread
// that owns the module.
#pragma once

#include <string>
#include <vector>

#include "engine/nn/generator.h"
#include "nodes/graph.h"

namespace wiregrad::graph {

/// Behind the module's reset_parameters(), with the same generator: weights by `weight_init`,
/// biases by `bias_init`, both freed of training where the node is frozen. Throws ValueError when a
/// weight's shape does not allow it.
void apply_initial(const Node& node, nn::Module& module, nn::Generator& generator);
/// The same as lines of PyTorch, with {self} for the module; empty where the defaults stand.
std::vector<std::string> initial_source(const Node& node);

} // namespace wiregrad::graph

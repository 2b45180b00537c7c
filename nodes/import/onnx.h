// A graph out of an ONNX model: operators become node types, chains that spell an activation become
// that activation, weights keep their numbers. Pure; any thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/io/onnx.h"
#include "nodes/graph.h"

namespace wiregrad::graph {

struct ImportedModel {
    Graph graph;                          ///< Input nodes and layers, laid out
    std::vector<nn::NamedTensor> weights; ///< by node id
    /// ONNX value -> the node and output port that give it, for those that became a node.
    std::map<std::string, std::pair<std::string, std::string>> values;
    std::vector<std::pair<std::string, std::string>> outputs; ///< node and port of each output
    std::map<std::string, std::vector<std::string>> scopes;   ///< of each node, from the outside in
};

/// Throws ValueError listing, one by one, the operators that have no counterpart.
ImportedModel from_onnx(const io::OnnxModel& model);

} // namespace wiregrad::graph

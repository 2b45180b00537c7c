// The project file: NAME.wiregrad (JSON, one node or wire a line) and NAME.weights.h5 beside it.
// Any thread; files are written aside and renamed.
#pragma once

#include <string>
#include <vector>

#include "engine/nn/module.h"
#include "nodes/graph.h"

namespace wiregrad::graph {

/// 1: a single sheet. 2: groups. A project without groups is written as 1.
inline constexpr int kFormatVersion = 2;

/// Text of a project; stable: the same graph gives the same bytes. Throws ValueError naming a
/// non-finite number's path.
std::string to_text(const Graph& graph);
/// Throws FileError with line and reason: broken JSON, too deep, too large, newer format, clashing
/// ids, dangling wires. Unknown node types and keys are kept. `name` is used in messages.
Graph from_text(const std::string& text, const std::string& name = "project");
void save_project(const std::string& path, const Graph& graph);
Graph load_project(const std::string& path);
/// "/a/digits.wiregrad" -> "/a/digits.weights.h5"
std::string weights_path(const std::string& project_path);
/// Hash of what decides the weights' shapes and meaning (types, shapes, wiring), not of positions
/// or names.
std::string graph_hash(const Graph& graph);

/// Named weights with the hash they belong to. Throws FileError.
void save_weights(const std::string& path, const std::vector<nn::NamedTensor>& weights,
                  const Graph& graph);
std::vector<nn::NamedTensor> load_weights(const std::string& path, std::string* hash = nullptr);

} // namespace wiregrad::graph

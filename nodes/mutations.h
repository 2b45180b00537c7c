// Networks broken on purpose, in twenty ways: what the offered repairs are measured on. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "nodes/edit.h"

namespace wiregrad::graph {

/// The ways, "disconnect", "too-large-kernel", ...: twenty of them.
const std::vector<std::string>& mutation_kinds();
/// A network that cannot be trained any more, made of a good one; nothing where this way does not
/// break it. The same `random` gives the same network.
std::optional<Graph> mutated(const Graph& good, const std::string& kind, std::mt19937& random);

struct Broken {
    std::string kind, origin;
    Graph graph;
};
/// `count` of them, all ways in turn, made of `good` (names and graphs).
std::vector<Broken> broken_graphs(const std::vector<std::pair<std::string, Graph>>& good, int count,
                                  std::uint32_t seed);

/// What became of one broken network.
struct Repair {
    int offered = 0;        ///< repairs of its errors
    int fitting = -1;       ///< the number of the first one after which it can be trained; -1: none
    std::string label;      ///< of that one
    Graph repaired;         ///< with it
    std::string unrepaired; ///< else what is still wrong
};
Repair try_repairs(const Graph& broken);

} // namespace wiregrad::graph

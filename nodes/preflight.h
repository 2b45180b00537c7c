// What training will need, before it starts. Estimates from shapes alone. Pure; any thread.
#pragma once

#include <cstdint>

#include "nodes/analysis.h"

namespace wiregrad::graph {

struct Preflight {
    double fixed_bytes = 0;  ///< weights, gradients, optimizer state
    double sample_bytes = 0; ///< activations of one sample, forward and as gradients
    /// The largest batch whose training fits into `bytes`; 0: not even one sample, or not known.
    std::int64_t largest_batch(double bytes) const;
};

Preflight preflight(const Graph& graph, const Analysis& analysis);
/// Bytes that a node holds while training: its activations twice, its weights and their gradients.
double training_bytes(const NodeFacts& facts);

} // namespace wiregrad::graph

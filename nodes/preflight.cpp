#include "nodes/preflight.h"

#include <algorithm>
#include <cmath>

namespace wiregrad::graph {

std::int64_t Preflight::largest_batch(double bytes) const {
    if (sample_bytes <= 0 || bytes <= fixed_bytes) return 0;
    // A batch is at most what the training settings take.
    return static_cast<std::int64_t>(
        std::min(1e6, std::floor((bytes - fixed_bytes) / sample_bytes)));
}

Preflight preflight(const Graph& graph, const Analysis& analysis) {
    double activations = 0;
    for (auto it = analysis.nodes.begin(); it != analysis.nodes.end(); ++it) {
        // A group adds up what is inside, and stands right before it.
        const auto next = std::next(it);
        if (next != analysis.nodes.end() && next->first.starts_with(it->first + ".")) continue;
        activations += it->second.activation_bytes;
    }
    Preflight result;
    result.fixed_bytes = std::max(0.0, analysis.training_bytes - 2 * activations);
    result.sample_bytes = 2 * activations / static_cast<double>(graph.training().batch_size);
    return result;
}

double training_bytes(const NodeFacts& facts) {
    return 2 * facts.activation_bytes + 8 * static_cast<double>(facts.weights);
}

} // namespace wiregrad::graph

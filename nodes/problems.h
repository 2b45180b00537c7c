// What is wrong with a graph, and repairs to try. The two halves of analyze(). Pure; any thread.
#pragma once

#include <vector>

#include "nodes/analysis.h"
#include "nodes/infer.h"

namespace wiregrad::graph {

/// Of the unfolded graph; nodes inside groups are named by their path, the first repetition for
/// all.
std::vector<Problem> find_problems(const Graph& graph, const Inference& inference);
/// Edits that may cure `problem`, the best first; not tried yet.
std::vector<Fix> candidate_fixes(const Graph& graph, const Inference& inference,
                                 const Problem& problem);

} // namespace wiregrad::graph

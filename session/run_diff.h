// What differs between two runs: settings, data, graph, results. Any thread.
#pragma once

#include <QString>

#include <vector>

#include "nodes/graph.h"
#include "session/run_store.h"

namespace wiregrad::studio {

struct Difference {
    QString group; ///< "Settings", "Data", "Network", "Result"
    QString what;  ///< "conv1: kernel size", "wire conv1.out -> relu1.in"
    QString a, b;  ///< empty: not there
    bool operator==(const Difference&) const = default;
};

/// Nothing when they are equal. A graph that cannot be read is one difference that says so.
std::vector<Difference> diffRuns(const RunInfo& a, const RunInfo& b);
/// Nodes, parameters, wires; positions and names of things do not count.
std::vector<Difference> diffGraphs(const graph::Graph& a, const graph::Graph& b);

} // namespace wiregrad::studio

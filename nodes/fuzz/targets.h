// What is fuzzed: the reader of projects, and what is said of whatever it accepts. It may do
// nothing but succeed or throw a FileError. libFuzzer calls it through the entry point of this
// folder, and a test feeds it mutations in every run.
#pragma once

#include <cstdlib>
#include <string>

#include "engine/core/error.h"
#include "nodes/analysis.h"
#include "nodes/project.h"

namespace wiregrad::graph::fuzz {

/// Whether the text was accepted. Stops the process when what was read is not whole, or is not
/// written as it was read.
inline bool project(const std::string& text) {
    Graph graph;
    try {
        graph = from_text(text, "fuzz.wiregrad");
    } catch (const FileError&) {
        return false;
    }
    graph.check_consistency();
    const std::string written = to_text(graph);
    if (to_text(from_text(written)) != written) std::abort();
    // Problems, but not of files that a path happens to name.
    const Graph read = graph;
    for (const auto& [id, node] : read.nodes())
        if (node.type == "Dataset")
            apply(graph, {Batch{{{SetParam{id, "path", std::string()}},
                                 {SetParam{id, "source", std::string("iris")}}}}});
    analyze(graph, graph.nodes().size() < 20);
    return true;
}

} // namespace wiregrad::graph::fuzz

// The networks of resources/examples/, as the edits that make them. The files are what the project
// writer makes of these; WIREGRAD_WRITE_EXAMPLES=1 in the environment of test_nodes writes them
// anew.
#pragma once

#include <string>
#include <vector>

#include "nodes/graph.h"

namespace wiregrad::graph::testing {

struct Example {
    std::string name; ///< of the file, without .wiregrad
    Graph graph;
};

std::vector<Example> examples();
Graph example(const std::string& name);
std::string example_path(const std::string& name);

} // namespace wiregrad::graph::testing

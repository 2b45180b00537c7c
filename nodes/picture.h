// The network as a drawing, for papers and slides: SVG whose text is text. Made without a window
// system, in the sizes of the canvas. Pure; any thread.
#pragma once

#include <string>

#include "nodes/graph.h"

namespace wiregrad::graph {

struct PictureOptions {
    bool dark = false;
    bool background = true; ///< else transparent
};

/// One sheet: groups are nodes. What was never placed (all nodes in one spot) is laid out first.
/// Well-formed XML whatever names the nodes have.
std::string svg_picture(const Graph& graph, const PictureOptions& options = {});

} // namespace wiregrad::graph

// Shapes of a whole graph without data: each node is built and run under ShapeOnly, in topological
// order. Shared by analysis and compile. Pure but for a cache of one thread; any thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "nodes/analysis.h"
#include "nodes/flatten.h"
#include "nodes/graph.h"

namespace wiregrad::graph {

/// What arrives at one input: the node and output it really comes from, muted nodes skipped.
struct Source {
    std::string node; ///< empty: nothing arrives (behind a muted node without input)
    std::size_t output = 0;
    Wire wire; ///< the wire at this input
};

struct Inferred {
    const Node* node = nullptr;
    const NodeType* type = nullptr; ///< null: unknown
    std::vector<Source> sources;    ///< by input port, then in the order wired
    std::vector<int> counts;        ///< wires of each input port
    std::vector<TensorMeta> inputs; ///< one a source; meaningful when inputs_known
    bool inputs_known = false;      ///< all required inputs are wired and have a shape
    NodeFacts facts;
    std::string error, code, port, param; ///< why the outputs are not known, when the fault is here
    std::vector<data::Field> fields;      ///< of a Dataset
};

struct Inference {
    Flat flat; ///< what was looked at: the graph with its groups unfolded
    std::vector<std::string> order;
    std::map<std::string, Inferred> nodes;
    const Inferred& at(const std::string& id) const { return nodes.at(id); }
};

/// Groups are unfolded first: nodes are named by their path. Throws ValueError when they unfold to
/// too many. A graph without groups must live as long as the result.
/// `fields`: what opened datasets said of themselves; others are asked with data::describe().
Inference infer(const Graph& graph,
                const std::map<std::string, std::vector<data::Field>>& fields = {});
/// The inside of the group at the end of `groups` seen like a graph of its own: facts of its first
/// repetition, its groups as nodes. `sheet` must live as long.
Inference infer_sheet(const Graph& sheet, const std::vector<std::string>& groups,
                      const Graph& whole, const Inference& inference);
/// Facts of all nodes by path: flat ones, groups (all repetitions together), ports of groups.
std::map<std::string, NodeFacts> facts_by_path(const Inference& inference);
/// The number of a node's random ops: a function of its id.
std::int64_t stream_of(const std::string& id);
/// Ids of the nodes that `roots` depend on, themselves included, through real sources.
std::set<std::string> upstream(const Inference& inference, const std::vector<std::string>& roots);
/// "N × 32 × 14 × 14"
std::string shape_text(const Shape& shape);

} // namespace wiregrad::graph

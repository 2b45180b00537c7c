// What can be said of a graph before it runs: shapes, weights, cost, and problems with offered
// fixes. Pure functions of the graph and the dataset descriptions; any thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "nodes/edit.h"
#include "nodes/graph.h"

namespace wiregrad::graph {

enum class Severity : std::uint8_t { Info, Warning, Error };

/// An offered repair that was tried: applying it removes the problem.
struct Fix {
    std::string label; ///< "Insert Flatten", "Set in_channels to 32"
    Edit edit;
};

struct Problem {
    Severity severity = Severity::Error;
    std::string code; ///< "shape-mismatch", "missing-input", "unknown-type", "no-optimizer", ...
    std::string node, port, param; ///< the place; empty where it does not apply
    std::string text;              ///< a sentence with both facts
    std::vector<Fix> fixes{};
};

struct NodeFacts {
    std::vector<TensorMeta> outputs; ///< by output port order; dim 0 is the batch
    bool known = false;              ///< shapes could be computed
    std::int64_t weights = 0;        ///< trained numbers
    double flops = 0;                ///< forward, one sample
    double activation_bytes = 0;     ///< outputs of one batch
    std::vector<std::pair<std::string, Shape>> weight_shapes;
    std::string output_text; ///< "N × 32 × 14 × 14", or "" when unknown
};

struct Analysis {
    std::map<std::string, NodeFacts> nodes; ///< by path: "conv1", "block", "block.0.conv1"
    std::vector<Problem> problems;          ///< their nodes are paths, too
    std::int64_t weights = 0;
    double flops = 0;
    double training_bytes =
        0; ///< estimate: weights, gradients, optimizer state, activations of one batch
    bool runnable() const; ///< no errors
    std::vector<const Problem*> of_node(const std::string& id) const;
};

/// `with_fixes`: also tries repairs (slower). Never throws on a broken graph: that is what problems
/// are for.
Analysis analyze(const Graph& graph, bool with_fixes = true);
/// What would be wrong with this wire, in words, or empty: for dragging. Includes refuse_wire and
/// shapes.
/// `groups`: the way to the sheet that the wire is drawn on.
std::string explain_wire(const Graph& graph, const Wire& wire,
                         const std::vector<std::string>& groups = {});

/// A repair of a wire that does not fit yet, tried: the wire and what makes it work, as one edit of
/// the project.
struct WireFix {
    std::string label;       ///< "Insert Flatten before linear1"
    std::string result;      ///< the shape that then leaves what is fed, or "" while unknown
    std::vector<Node> added; ///< nodes that it adds to the sheet, to be shown before
    Edit edit;
};
/// Up to three, the best first; none when the wire fits, or can never be drawn.
std::vector<WireFix> wire_fixes(const Graph& graph, const Wire& wire,
                                const std::vector<std::string>& groups = {});

} // namespace wiregrad::graph

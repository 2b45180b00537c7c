// What gestures mean as edits: pure functions from a graph to one Edit, without widgets. Any
// thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "nodes/edit.h"

namespace wiregrad::studio {

/// Builds one Batch step by step on a copy, so that each step sees what the steps before it did.
class Draft {
  public:
    explicit Draft(const graph::Graph& graph) : graph_(graph) {}
    const graph::Graph& graph() const { return graph_; }
    void add(const graph::Edit& edit); ///< throws what graph::apply throws
    bool empty() const { return edits_.empty(); }
    graph::Edit take(); ///< one edit when there is only one, else a Batch

  private:
    graph::Graph graph_;
    std::vector<graph::Edit> edits_;
};

/// The wire between two ports, whichever was given first.
std::optional<graph::Wire> wire_between(const std::string& node_a, const std::string& port_a,
                                        bool a_is_output, const std::string& node_b,
                                        const std::string& port_b, bool b_is_output);
/// The first free input of `to` (or free-or-not output of `to` when `from_output` is false) that
/// may be wired to the given port. With `allow_taken`, falls back to an occupied one.
std::optional<graph::Wire> matching_wire(const graph::Graph& graph, const std::string& node,
                                         const std::string& port, bool from_output,
                                         const std::string& to, bool allow_taken);
/// Adds a node; a group comes with a definition of its own, a port of a group (`kind`) after those
/// that are there. Returns its id.
std::string add_new(Draft& draft, const std::string& type, graph::Position at,
                    graph::PortKind kind = graph::PortKind::Tensor);
/// Whether a fresh node of `type` has a port that the given port may be wired to.
bool type_fits(const graph::Graph& graph, const std::string& node, const std::string& port,
               bool from_output, const graph::NodeType& type);
/// Adds the node to the draft and wires it behind `after` where kinds allow. Returns its id.
std::string add_after(Draft& draft, const std::string& type, const std::string& after,
                      graph::Position at);
/// Wires of the first output of each node to the next, in the order given. Empty when nothing fits.
bool connect_chain(Draft& draft, const std::vector<std::string>& nodes);
/// Puts `node` into `wire`: false when its ports do not fit. Ports of `node` that are taken already
/// do not count.
bool insert_on_wire(Draft& draft, const graph::Wire& wire, const std::string& node);
/// Moves everything downstream of `from` (and not `node`) right so that nothing lies nearer than
/// `gap` behind `node`.
void make_room(Draft& draft, const std::string& node, double right_edge, double gap);

/// Everything fed by (or feeding) the nodes, with them.
std::set<std::string> reach(const graph::Graph& graph, const std::set<std::string>& nodes,
                            bool downstream);

} // namespace wiregrad::studio

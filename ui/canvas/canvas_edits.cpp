#include "ui/canvas/canvas_edits.h"

#include <algorithm>
#include <deque>

#include "engine/core/error.h"
#include "nodes/group.h"

namespace wiregrad::studio {

using graph::Wire;

void Draft::add(const graph::Edit& edit) {
    graph::apply(graph_, edit);
    edits_.push_back(edit);
}

graph::Edit Draft::take() {
    graph::Edit edit = edits_.size() == 1 ? std::move(edits_.front())
                                          : graph::Edit{graph::Batch{std::move(edits_)}};
    edits_.clear();
    return edit;
}

std::optional<Wire> wire_between(const std::string& node_a, const std::string& port_a,
                                 bool a_is_output, const std::string& node_b,
                                 const std::string& port_b, bool b_is_output) {
    if (a_is_output == b_is_output) return std::nullopt;
    return a_is_output ? Wire{node_a, port_a, node_b, port_b}
                       : Wire{node_b, port_b, node_a, port_a};
}

namespace {

std::string free_port_id(const graph::Graph& graph, const std::string& stem) {
    for (int number = 1;; ++number)
        if (std::string id = stem + std::to_string(number); !graph.node(id)) return id;
}

bool taken(const graph::Graph& graph, const std::string& node, const graph::PortSpec& input) {
    if (input.many) return false;
    const auto wires = graph.wires_into(node);
    return std::any_of(wires.begin(), wires.end(),
                       [&](const Wire& w) { return w.to_port == input.id; });
}

} // namespace

std::optional<Wire> matching_wire(const graph::Graph& graph, const std::string& node,
                                  const std::string& port, bool from_output, const std::string& to,
                                  bool allow_taken) {
    const graph::NodeType* type = graph.type_of(to);
    if (!type || to == node) return std::nullopt;
    std::optional<Wire> fallback;
    for (const auto& spec : from_output ? type->inputs : type->outputs) {
        const Wire wire =
            from_output ? Wire{node, port, to, spec.id} : Wire{to, spec.id, node, port};
        if (!graph::refuse_wire(graph, wire).empty()) continue;
        if (!from_output || !taken(graph, to, spec)) return wire;
        if (!fallback) fallback = wire;
    }
    return allow_taken ? fallback : std::nullopt;
}

bool type_fits(const graph::Graph& graph, const std::string& node, const std::string& port,
               bool from_output, const graph::NodeType& type) {
    const graph::NodeType* known = graph.type_of(node);
    const graph::PortSpec* mine = !known        ? nullptr
                                  : from_output ? known->output(port)
                                                : known->input(port);
    if (!mine) return false;
    if (type.role == graph::Role::GroupPort) // takes the kind of what it is wired to
        return !graph.sheet_id().empty() &&
               (from_output ? !type.inputs.empty() : !type.outputs.empty());
    const auto& theirs = from_output ? type.inputs : type.outputs;
    return std::any_of(theirs.begin(), theirs.end(), [&](const graph::PortSpec& other) {
        return from_output ? graph::kinds_fit(mine->kind, other.kind)
                           : graph::kinds_fit(other.kind, mine->kind);
    });
}

std::string add_new(Draft& draft, const std::string& type, graph::Position at,
                    graph::PortKind kind) {
    if (type == "Group") {
        const auto [edit, id] = graph::new_group_edit(draft.graph(), at);
        draft.add(edit);
        return id;
    }
    graph::Node node = graph::make_node(draft.graph(), type, at);
    if (type == "GroupInput" || type == "GroupOutput") {
        node.id = free_port_id(draft.graph(), type == "GroupInput" ? "in" : "out");
        node.params["kind"] = std::string(kind == graph::PortKind::Labels ? "labels"
                                          : kind == graph::PortKind::Loss ? "loss"
                                                                          : "tensor");
        std::int64_t last = -1;
        for (const auto& [id, other] : draft.graph().nodes())
            if (other.type == type)
                if (const auto* order = std::get_if<std::int64_t>(&other.params.at("order")))
                    last = std::max(last, *order);
        node.params["order"] = last + 1;
    }
    const std::string id = node.id;
    draft.add({graph::AddNode{std::move(node)}});
    return id;
}

std::string add_after(Draft& draft, const std::string& type, const std::string& after,
                      graph::Position at) {
    const std::string id = add_new(draft, type, at);
    const graph::NodeType* beforeType = draft.graph().type_of(after);
    if (!beforeType) return id;
    // Every output of the node before that finds a free input here: a loss takes logits, and labels
    // where they are offered.
    for (const auto& output : beforeType->outputs)
        if (const auto wire = matching_wire(draft.graph(), after, output.id, true, id, false)) {
            draft.add(graph::connect_edit(draft.graph(), *wire));
            if (output.kind == graph::PortKind::Tensor) break;
        }
    return id;
}

bool connect_chain(Draft& draft, const std::vector<std::string>& nodes) {
    bool any = false;
    for (std::size_t i = 0; i + 1 < nodes.size(); ++i) {
        const graph::NodeType* type = draft.graph().type_of(nodes[i]);
        if (!type) continue;
        for (const auto& output : type->outputs)
            if (const auto wire =
                    matching_wire(draft.graph(), nodes[i], output.id, true, nodes[i + 1], true)) {
                draft.add(graph::connect_edit(draft.graph(), *wire));
                any = true;
                break;
            }
    }
    return any;
}

bool insert_on_wire(Draft& draft, const Wire& wire, const std::string& node) {
    if (wire.from == node || wire.to == node) return false;
    Draft trial(draft.graph());
    trial.add({graph::Disconnect{wire}});
    const auto in = matching_wire(trial.graph(), wire.from, wire.from_port, true, node, false);
    if (!in) return false;
    trial.add({graph::Connect{*in}});
    const graph::NodeType* type = trial.graph().type_of(node);
    if (!type) return false;
    for (const auto& output : type->outputs) {
        const Wire out{node, output.id, wire.to, wire.to_port};
        const auto leaving = trial.graph().wires_out_of(node);
        const bool used = std::any_of(leaving.begin(), leaving.end(),
                                      [&](const Wire& w) { return w.from_port == output.id; });
        if (used || !graph::refuse_wire(trial.graph(), out).empty()) continue;
        trial.add({graph::Connect{out}});
        draft.add(trial.take());
        return true;
    }
    return false;
}

void make_room(Draft& draft, const std::string& node, double right_edge, double gap) {
    const auto behind = reach(draft.graph(), {node}, true);
    double shift = 0;
    for (const auto& wire : draft.graph().wires_out_of(node))
        if (const graph::Node* next = draft.graph().node(wire.to))
            shift = std::max(shift, right_edge + gap - next->position.x);
    if (shift <= 0) return;
    graph::Batch moves;
    for (const auto& id : behind)
        if (id != node) {
            const graph::Position p = draft.graph().node(id)->position;
            moves.edits.push_back({graph::Move{id, {p.x + shift, p.y}}});
        }
    draft.add({std::move(moves)});
}

std::set<std::string> reach(const graph::Graph& graph, const std::set<std::string>& nodes,
                            bool downstream) {
    std::map<std::string, std::vector<std::string>> next;
    for (const auto& wire : graph.wires())
        next[downstream ? wire.from : wire.to].push_back(downstream ? wire.to : wire.from);
    std::set<std::string> seen = nodes;
    std::deque<std::string> queue(nodes.begin(), nodes.end());
    while (!queue.empty()) {
        const std::string id = queue.front();
        queue.pop_front();
        for (const auto& other : next[id])
            if (seen.insert(other).second) queue.push_back(other);
    }
    return seen;
}

} // namespace wiregrad::studio

#include "nodes/group.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "engine/core/error.h"
#include "nodes/graph_access.h"

namespace wiregrad::graph {

namespace {

constexpr double kPortStep = 240, kPortRow = 90; ///< where port nodes stand beside the content

const char* kind_word(PortKind kind) {
    return kind == PortKind::Labels ? "labels" : kind == PortKind::Loss ? "loss" : "tensor";
}

const PortSpec* port_of(const Graph& graph, const std::string& node, const std::string& port,
                        bool output) {
    const NodeType* type = graph.type_of(node);
    return !type ? nullptr : output ? type->output(port) : type->input(port);
}

struct Box {
    double left = 1e300, top = 1e300, right = -1e300, bottom = -1e300;
    void add(const Position& at) {
        left = std::min(left, at.x);
        top = std::min(top, at.y);
        right = std::max(right, at.x);
        bottom = std::max(bottom, at.y);
    }
};

/// A port node for the inside of a group.
Node port_node(const Graph& body, const char* type, PortKind kind, const std::string& name,
               std::int64_t order, Position position) {
    Node node = make_node(body, type, position);
    // "in1", "out1": short, for they are the ports' ids.
    const std::string stem = std::string(type) == "GroupInput" ? "in" : "out";
    for (int number = 1;; ++number)
        if (node.id = stem + std::to_string(number); !body.node(node.id)) break;
    node.name = name;
    node.params["kind"] = std::string(kind_word(kind));
    node.params["order"] = order;
    return node;
}

/// The edits of a batch, tried one after another on a copy.
class Steps {
  public:
    explicit Steps(const Graph& graph) : graph_(graph) {}
    const Graph& graph() const { return graph_; }
    void add(Edit edit) {
        apply(graph_, edit);
        batch_.edits.push_back(std::move(edit));
    }
    void moved(const std::string& from, const std::string& to) {
        batch_.moved.push_back({graph_.sheet_id(), from, to});
    }
    Edit take(std::string label) {
        batch_.label = std::move(label);
        return {std::move(batch_)};
    }

  private:
    Graph graph_;
    Batch batch_;
};

/// Whether a path leaves the nodes and comes back: then they cannot be one node.
bool encloses(const Graph& graph, const std::set<std::string>& nodes) {
    std::set<std::string> seen;
    std::vector<std::string> open;
    const auto leave = [&](const std::string& id, bool outside_only) {
        for (const Wire& wire : graph.wires())
            if (wire.from == id && (!outside_only || !nodes.contains(wire.to)) &&
                seen.insert(wire.to).second)
                open.push_back(wire.to);
    };
    for (const std::string& id : nodes)
        leave(id, true);
    while (!open.empty()) {
        const std::string id = open.back();
        open.pop_back();
        if (nodes.contains(id)) return true;
        leave(id, false);
    }
    return false;
}

} // namespace

std::string fresh_definition_id(const Graph& graph, const std::string& name) {
    std::string stem;
    for (const char c : name) {
        const char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        const bool letter = small >= 'a' && small <= 'z';
        if (letter || (!stem.empty() && ((small >= '0' && small <= '9') || small == '_')))
            stem += small;
        else if (!stem.empty() && stem.back() != '_')
            stem += '_';
    }
    while (!stem.empty() && stem.back() == '_')
        stem.pop_back();
    stem.resize(std::min<std::size_t>(stem.size(), 40));
    if (stem.empty()) stem = "group";
    if (!graph.definition(stem)) return stem;
    if (stem.back() >= '0' && stem.back() <= '9') stem += '_';
    for (int number = 2;; ++number)
        if (const auto id = stem + std::to_string(number); !graph.definition(id)) return id;
}

int instances_of(const Graph& graph, const std::string& definition) {
    int count = 0;
    const auto look = [&](const Graph& sheet) {
        for (const auto& [id, node] : sheet.nodes())
            count += node.group == definition;
    };
    look(graph);
    for (const auto& [id, other] : graph.definitions())
        if (id != graph.sheet_id()) look(other->body);
    return count;
}

Node make_instance(const Graph& graph, const std::string& id, Position position) {
    const Definition* definition = graph.definition(id);
    if (!definition) throw ValueError(fmt::format("there is no group \"{}\"", id));
    Node node;
    node.type = "Group";
    node.group = id;
    node.version = definition->type->version;
    node.params = default_params(*definition->type);
    node.position = position;
    // "block1" from the definition's id, so that weights read "block1.conv1.weight".
    node.id = graph.fresh_id(id);
    return node;
}

std::pair<Edit, std::string> new_group_edit(const Graph& graph, Position position) {
    Definition definition;
    definition.id = fresh_definition_id(graph, "group");
    definition.name = "Group";
    const Node in = port_node(definition.body, "GroupInput", PortKind::Tensor, "in", 0, {0, 0});
    GraphAccess::nodes(definition.body).emplace(in.id, in);
    const Node out =
        port_node(definition.body, "GroupOutput", PortKind::Tensor, "out", 0, {2 * kPortStep, 0});
    GraphAccess::nodes(definition.body).emplace(out.id, out);
    GraphAccess::wires(definition.body).push_back({in.id, "out", out.id, "in"});
    const std::string id = definition.id;
    Steps steps(graph);
    steps.add({Define{std::move(definition)}});
    Node node = make_instance(steps.graph(), id, position);
    const std::string name = node.id;
    steps.add({AddNode{std::move(node)}});
    return {steps.take("Add a group"), name};
}

std::pair<Edit, std::string> group_edit(const Graph& graph, const std::set<std::string>& wanted,
                                        const std::string& name) {
    std::set<std::string> nodes;
    Box box;
    for (const std::string& id : wanted) {
        const Node* node = graph.node(id);
        if (!node) continue;
        // Ports of the group around them stay where they are.
        if (node->type == "GroupInput" || node->type == "GroupOutput") continue;
        nodes.insert(id);
        box.add(node->position);
    }
    if (nodes.empty()) throw ValueError("choose the nodes that shall be a group");
    if (encloses(graph, nodes))
        throw ValueError("these nodes cannot be a group: a path leaves them and comes back. Choose "
                         "what lies between, too");

    Definition definition;
    definition.name = name.empty() ? "Group" : name;
    definition.id = fresh_definition_id(graph, definition.name);
    Graph& body = definition.body;
    for (const std::string& id : nodes)
        GraphAccess::nodes(body).emplace(id, *graph.node(id));

    // One input for each value that comes from outside, one output for each that is used there.
    std::map<std::pair<std::string, std::string>, std::string> input_of, output_of;
    std::vector<std::pair<std::string, Wire>> outer_in; // port, wire that first brings the value
    std::vector<std::pair<int, Wire>> outer_out;        // index in the new list of wires, wire
    const double middle = (box.top + box.bottom) / 2;
    const auto label_of = [&](const std::string& node, const std::string& port, bool output) {
        const PortSpec* spec = port_of(graph, node, port, output);
        return spec && !spec->label.empty() ? spec->label : port;
    };
    int index = 0;
    std::vector<Wire> inner;
    std::vector<std::pair<Wire, std::vector<Position>>> inner_bends;
    for (const Wire& wire : graph.wires()) {
        const bool from_inside = nodes.contains(wire.from), to_inside = nodes.contains(wire.to);
        if (from_inside && to_inside) {
            inner.push_back(wire);
            if (const auto& bends = graph.bends(wire); !bends.empty())
                inner_bends.emplace_back(wire, bends);
        } else if (to_inside) {
            const auto key = std::pair(wire.from, wire.from_port);
            if (!input_of.contains(key)) {
                // What it carries is what its source gives; unknown sources, what is wanted.
                const PortSpec* source = port_of(graph, wire.from, wire.from_port, true);
                const PortSpec* taker = port_of(graph, wire.to, wire.to_port, false);
                const PortKind kind = source  ? source->kind
                                      : taker ? taker->kind
                                              : PortKind::Tensor;
                const auto order = static_cast<std::int64_t>(input_of.size());
                Node port = port_node(
                    body, "GroupInput", kind, label_of(wire.to, wire.to_port, false), order,
                    {box.left - kPortStep, middle + kPortRow * static_cast<double>(order)});
                input_of[key] = port.id;
                outer_in.emplace_back(port.id, wire);
                GraphAccess::nodes(body).emplace(port.id, std::move(port));
            }
            inner.push_back({input_of[key], "out", wire.to, wire.to_port});
        } else if (from_inside) {
            const auto key = std::pair(wire.from, wire.from_port);
            if (!output_of.contains(key)) {
                const PortSpec* source = port_of(graph, wire.from, wire.from_port, true);
                const PortSpec* taker = port_of(graph, wire.to, wire.to_port, false);
                const PortKind kind = source  ? source->kind
                                      : taker ? taker->kind
                                              : PortKind::Tensor;
                const auto order = static_cast<std::int64_t>(output_of.size());
                Node port = port_node(
                    body, "GroupOutput", kind, label_of(wire.from, wire.from_port, true), order,
                    {box.right + kPortStep, middle + kPortRow * static_cast<double>(order)});
                output_of[key] = port.id;
                inner.push_back({wire.from, wire.from_port, port.id, "in"});
                GraphAccess::nodes(body).emplace(port.id, std::move(port));
            }
            outer_out.emplace_back(index++, wire);
        } else {
            ++index;
        }
    }
    // What nobody uses yet is what the group gives.
    for (const std::string& id : nodes) {
        const NodeType* type = graph.type_of(id);
        if (!type ||
            (type->role != Role::Layer && type->role != Role::Loss && type->role != Role::Group))
            continue;
        if (!graph.wires_out_of(id).empty()) continue;
        for (const PortSpec& spec : type->outputs) {
            const auto order = static_cast<std::int64_t>(output_of.size());
            Node port = port_node(
                body, "GroupOutput", spec.kind, spec.label.empty() ? spec.id : spec.label, order,
                {box.right + kPortStep, middle + kPortRow * static_cast<double>(order)});
            output_of[{id, spec.id}] = port.id;
            inner.push_back({id, spec.id, port.id, "in"});
            GraphAccess::nodes(body).emplace(port.id, std::move(port));
        }
    }
    GraphAccess::wires(body) = std::move(inner);
    for (auto& [wire, bends] : inner_bends)
        GraphAccess::bends(body)[wire] = std::move(bends);

    const std::string id = definition.id;
    Steps steps(graph);
    steps.add({Define{std::move(definition)}});
    for (const std::string& node : nodes)
        steps.add({RemoveNode{node}});
    Node node = make_instance(steps.graph(), id,
                              {std::round((box.left + box.right) / 2), std::round(middle)});
    const std::string group = node.id;
    steps.add({AddNode{std::move(node)}});
    for (const std::string& inner : nodes)
        steps.moved(inner, group + "." + inner);
    // Wires that leave stand where they stood, for the order of a Concat's inputs.
    for (const auto& [at, wire] : outer_out)
        steps.add({Connect{
            {group, output_of.at({wire.from, wire.from_port}), wire.to, wire.to_port}, at}});
    for (const auto& [port, wire] : outer_in)
        steps.add({Connect{{wire.from, wire.from_port, group, port}}});
    return {
        steps.take(fmt::format("Group {} {}", nodes.size(), nodes.size() == 1 ? "node" : "nodes")),
        group};
}

namespace {

/// A value inside a group that is being taken apart.
struct End {
    std::string node, port; ///< empty: nothing arrives
};

} // namespace

std::pair<Edit, std::set<std::string>> ungroup_edit(const Graph& graph, const std::string& id) {
    const Node* group = graph.node(id);
    const Definition* definition = group ? graph.definition(group->group) : nullptr;
    if (!definition) throw ValueError(fmt::format("{} is no group", id));
    const auto times = std::get<std::int64_t>(group->params.at("times"));
    if (times > 1 && std::get<std::string>(group->params.at("weights")) == "shared")
        throw ValueError(fmt::format(
            "{} shares its weights among {} repetitions: taken apart, it would be another network",
            id, times));
    const NodeType& type = *definition->type;
    if (times > 1 && type.outputs.size() > type.inputs.size())
        throw ValueError(fmt::format(
            "{} repeats, and has more outputs than inputs: it cannot be taken apart", id));
    if (static_cast<std::size_t>(times) * definition->body.nodes().size() > 20000)
        throw ValueError("that would be too many nodes");
    const Graph& body = definition->body;
    Box box;
    for (const auto& [inner, node] : body.nodes())
        if (node.type != "GroupInput" && node.type != "GroupOutput") box.add(node.position);
    if (box.right < box.left) box = {0, 0, 0, 0};
    const double width = box.right - box.left + kPortStep;

    Steps steps(graph);
    const std::vector<Wire> outer = graph.wires();
    steps.add({RemoveNode{id}});
    if (instances_of(steps.graph(), definition->id) == 0 && graph.sheet_id().empty())
        steps.add({Undefine{definition->id}});

    // What comes in at each port, for the repetition at hand; later what the last one gave.
    std::map<std::string, End> arriving;
    for (const Wire& wire : outer)
        if (wire.to == id) arriving[wire.to_port] = {wire.from, wire.from_port};
    std::set<std::string> born;
    std::map<std::string, End> leaving;
    for (std::int64_t turn = 0; turn < times; ++turn) {
        std::map<std::string, std::string> renamed;
        for (const std::string& inner : body.topological_order()) {
            Node node = *body.node(inner);
            if (node.type == "GroupInput" || node.type == "GroupOutput") continue;
            for (const Exposed& exposed : definition->exposed)
                if (exposed.node == inner && type.param(exposed.id))
                    if (const auto own = group->params.find(exposed.id);
                        own != group->params.end() && node.params.contains(exposed.param))
                        node.params[exposed.param] = own->second;
            if (steps.graph().node(inner))
                node.id = steps.graph().fresh_id(node.type == "Group" ? node.group : node.type);
            node.muted = node.muted || group->muted;
            node.position = {
                std::round(group->position.x + node.position.x - (box.left + box.right) / 2 +
                           width * static_cast<double>(turn)),
                std::round(group->position.y + node.position.y - (box.top + box.bottom) / 2)};
            renamed[inner] = node.id;
            born.insert(node.id);
            steps.moved(times > 1 ? fmt::format("{}.{}.{}", id, turn, inner)
                                  : fmt::format("{}.{}", id, inner),
                        node.id);
            steps.add({AddNode{std::move(node)}});
        }
        // Where the value at an inner port comes from, through ports of the group.
        const auto source = [&](const Wire& wire) -> End {
            if (body.node(wire.from)->type == "GroupInput") return arriving[wire.from];
            return {renamed.at(wire.from), wire.from_port};
        };
        leaving.clear();
        for (const Wire& wire : body.wires()) {
            const End from = source(wire);
            if (body.node(wire.to)->type == "GroupOutput") {
                leaving[wire.to] = from;
                continue;
            }
            const Wire made{from.node, from.port, renamed.at(wire.to), wire.to_port};
            if (from.node.empty() || !refuse_wire(steps.graph(), made).empty()) continue;
            steps.add({Connect{made}});
        }
        for (std::size_t i = 0; i < type.outputs.size() && i < type.inputs.size(); ++i)
            if (times > 1) arriving[type.inputs[i].id] = leaving[type.outputs[i].id];
    }
    // Wires that left the group, each where it stood among the others.
    int index = 0;
    for (const Wire& wire : outer) {
        if (wire.to == id) continue;
        if (wire.from != id) {
            ++index;
            continue;
        }
        const End from = leaving[wire.from_port];
        const Wire made{from.node, from.port, wire.to, wire.to_port};
        if (from.node.empty() || !refuse_wire(steps.graph(), made).empty()) continue;
        steps.add({Connect{made, index++}});
    }
    return {steps.take("Ungroup"), std::move(born)};
}

Edit make_unique_edit(const Graph& graph, const std::string& id) {
    const Node* node = graph.node(id);
    const Definition* definition = node ? graph.definition(node->group) : nullptr;
    if (!definition) throw ValueError(fmt::format("{} is no group", id));
    Definition copy = *definition;
    copy.id = fresh_definition_id(graph, definition->id);
    Node own = *node;
    own.group = copy.id;
    return {
        Batch{{{Define{std::move(copy)}}, {ReplaceNode{std::move(own)}}}, "Make a group unique"}};
}

Edit expose_edit(const Graph& graph, const std::string& id, const std::string& node,
                 const std::string& param, bool exposed) {
    const Definition* definition = graph.definition(id);
    if (!definition) throw ValueError(fmt::format("there is no group \"{}\"", id));
    std::vector<Exposed> list;
    for (const Exposed& one : definition->exposed)
        if (one.node != node || one.param != param) list.push_back(one);
    if (exposed) {
        Exposed added;
        added.node = node;
        added.param = param;
        std::string stem = node + "_" + param;
        std::string free = stem.substr(0, 56);
        const auto taken = [&](const std::string& name) {
            return std::any_of(list.begin(), list.end(),
                               [&](const Exposed& one) { return one.id == name; });
        };
        for (int number = 2; taken(free); ++number)
            free = stem.substr(0, 56) + "_" + std::to_string(number);
        added.id = free;
        list.push_back(std::move(added));
    }
    return {SetGroupInfo{id, definition->name, definition->help, std::move(list)}};
}

} // namespace wiregrad::graph

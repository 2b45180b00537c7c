// What definitions of groups are to a graph: the types of their instances, their sheets, nesting.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include "engine/core/error.h"
#include "nodes/graph_access.h"

namespace wiregrad::graph {

namespace {

constexpr std::array<PortKind, 3> kKinds{PortKind::Tensor, PortKind::Labels, PortKind::Loss};

PortKind kind_of(const Node& port) {
    const auto it = port.params.find("kind");
    const auto* text = it == port.params.end() ? nullptr : std::get_if<std::string>(&it->second);
    if (text && *text == "labels") return PortKind::Labels;
    if (text && *text == "loss") return PortKind::Loss;
    return PortKind::Tensor;
}

std::int64_t order_of(const Node& port) {
    const auto it = port.params.find("order");
    const auto* number = it == port.params.end() ? nullptr : std::get_if<std::int64_t>(&it->second);
    return number ? *number : 0;
}

/// GroupInput and GroupOutput by what they carry: the declared type with its port's kind changed.
const NodeType* port_type(const Node& node) {
    static const std::array<std::array<NodeType, 3>, 2> all = [] {
        std::array<std::array<NodeType, 3>, 2> types;
        const std::array<const char*, 2> ids{"GroupInput", "GroupOutput"};
        for (std::size_t side = 0; side < 2; ++side)
            for (std::size_t k = 0; k < kKinds.size(); ++k) {
                NodeType& type = types[side][k];
                type = *find_type(ids[side]);
                for (PortSpec& port : side == 0 ? type.outputs : type.inputs)
                    port.kind = kKinds[k];
            }
        return types;
    }();
    return &all[node.type == "GroupInput" ? 0 : 1][static_cast<std::size_t>(kind_of(node))];
}

std::vector<PortSpec> ports_of(const Graph& body, const char* type) {
    std::vector<const Node*> found;
    for (const auto& [id, node] : body.nodes())
        if (node.type == type) found.push_back(&node);
    std::stable_sort(found.begin(), found.end(),
                     [](const Node* a, const Node* b) { return order_of(*a) < order_of(*b); });
    std::vector<PortSpec> ports;
    for (const Node* node : found) {
        PortSpec port;
        port.id = node->id;
        port.label = node->name.empty() ? node->id : node->name;
        port.kind = kind_of(*node);
        if (const auto it = node->params.find("hidden"); it != node->params.end())
            if (const bool* hidden = std::get_if<bool>(&it->second)) port.hidden = *hidden;
        ports.push_back(std::move(port));
    }
    return ports;
}

} // namespace

const NodeType* Graph::type_of(const Node& node) const {
    if (node.type == "Group") {
        const Definition* found = definition(node.group);
        return found ? found->type.get() : nullptr;
    }
    if (node.type == "GroupInput" || node.type == "GroupOutput") return port_type(node);
    return find_type(node.type);
}

const NodeType* Graph::type_of(const std::string& id) const {
    const Node* found = node(id);
    return found ? type_of(*found) : nullptr;
}

const Definition* Graph::definition(const std::string& id) const {
    const auto it = definitions_.find(id);
    return it == definitions_.end() ? nullptr : it->second.get();
}

Graph Graph::sheet(const std::string& id) const {
    if (id == sheet_) return *this;
    const Definition* found = definition(id);
    if (!found) throw ValueError(fmt::format("there is no group \"{}\"", id));
    Graph result = found->body;
    result.definitions_ = definitions_;
    result.training_ = training_;
    result.sheet_ = id;
    return result;
}

bool Graph::operator==(const Graph& other) const {
    if (nodes_ != other.nodes_ || wires_ != other.wires_ || bends_ != other.bends_ ||
        !(training_ == other.training_) || title_ != other.title_ ||
        description_ != other.description_ || extra_ != other.extra_ || sheet_ != other.sheet_ ||
        definitions_.size() != other.definitions_.size())
        return false;
    return std::equal(definitions_.begin(), definitions_.end(), other.definitions_.begin(),
                      [](const auto& a, const auto& b) {
                          return a.first == b.first &&
                                 (a.second == b.second || *a.second == *b.second);
                      });
}

bool Definition::operator==(const Definition& other) const {
    return id == other.id && name == other.name && help == other.help && exposed == other.exposed &&
           body == other.body && extra == other.extra;
}

NodeType instance_type(const Graph& graph, const Definition& definition) {
    NodeType type = *find_type("Group");
    type.label = definition.name.empty() ? definition.id : definition.name;
    if (!definition.help.empty()) type.help = definition.help;
    type.inputs = ports_of(definition.body, "GroupInput");
    type.outputs = ports_of(definition.body, "GroupOutput");
    for (const Exposed& exposed : definition.exposed) {
        const Node* node = definition.body.node(exposed.node);
        // How often an inner group repeats is part of the definition: ids of weights depend on it.
        const bool fixed = node && node->type == "Group" &&
                           (exposed.param == "times" || exposed.param == "weights");
        if (!node || fixed || type.param(exposed.id)) continue;
        const Definition* inner = node->type == "Group" ? graph.definition(node->group) : nullptr;
        const NodeType* inner_type = inner ? inner->type.get() : find_type(node->type);
        const ParamSpec* spec = inner_type ? inner_type->param(exposed.param) : nullptr;
        const auto value = node->params.find(exposed.param);
        if (!spec || value == node->params.end()) continue;
        ParamSpec own = *spec;
        own.id = exposed.id;
        own.label = exposed.label.empty() ? spec->label : exposed.label;
        own.standard = value->second;
        own.visible = nullptr; // what it depends on stays inside
        type.params.push_back(std::move(own));
    }
    return type;
}

bool same_interface(const NodeType& a, const NodeType& b) {
    const auto same_port = [](const PortSpec& x, const PortSpec& y) {
        return x.id == y.id && x.label == y.label && x.kind == y.kind && x.hidden == y.hidden;
    };
    const auto same_param = [](const ParamSpec& x, const ParamSpec& y) {
        return x.id == y.id && x.label == y.label && x.kind == y.kind && x.standard == y.standard &&
               x.min == y.min && x.max == y.max;
    };
    return a.label == b.label && a.help == b.help &&
           std::equal(a.inputs.begin(), a.inputs.end(), b.inputs.begin(), b.inputs.end(),
                      same_port) &&
           std::equal(a.outputs.begin(), a.outputs.end(), b.outputs.begin(), b.outputs.end(),
                      same_port) &&
           std::equal(a.params.begin(), a.params.end(), b.params.begin(), b.params.end(),
                      same_param);
}

void GraphAccess::put(Graph& graph, Definition definition) {
    // A body holds its sheet only: definitions and settings are the project's.
    definitions(definition.body).clear();
    definition.body.training_ = {};
    definition.body.sheet_.clear();
    definition.type = std::make_shared<const NodeType>(instance_type(graph, definition));
    const std::string id = definition.id;
    graph.definitions_[id] = std::make_shared<const Definition>(std::move(definition));
}

std::vector<std::string> definitions_within(const Graph& graph, const std::string& id) {
    std::vector<std::string> found;
    std::set<std::string> seen{id};
    if (graph.definition(id)) found.push_back(id);
    for (std::size_t i = 0; i < found.size(); ++i)
        for (const auto& [name, node] : graph.definition(found[i])->body.nodes())
            if (node.type == "Group" && graph.definition(node.group) &&
                seen.insert(node.group).second)
                found.push_back(node.group);
    return found;
}

int depth_of(const Graph& graph, const std::string& id) {
    std::map<std::string, int> known;
    const std::function<int(const std::string&, int)> depth = [&](const std::string& at,
                                                                  int above) -> int {
        if (above > kMaxNesting) return 0;
        if (const auto it = known.find(at); it != known.end()) return it->second;
        int deepest = 1;
        if (const Definition* definition = graph.definition(at))
            for (const auto& [name, node] : definition->body.nodes())
                if (node.type == "Group") {
                    const int below = depth(node.group, above + 1);
                    if (below == 0) return 0;
                    deepest = std::max(deepest, below + 1);
                }
        return known[at] = deepest;
    };
    return depth(id, 1);
}

std::string refuse_group(const Graph& graph, const std::string& id) {
    if (!graph.definition(id)) return fmt::format("there is no group \"{}\"", id);
    const auto name = [&](const std::string& of) {
        const Definition* definition = graph.definition(of);
        return definition && !definition->name.empty() ? definition->name : of;
    };
    if (!graph.sheet_id().empty()) {
        const auto within = definitions_within(graph, id);
        if (std::find(within.begin(), within.end(), graph.sheet_id()) != within.end())
            return fmt::format("{} cannot stand in itself", name(graph.sheet_id()));
    }
    // How deep this sheet stands at its deepest place, and how deep the group is.
    std::map<std::string, int> above;
    const std::function<int(const std::string&, int)> levels_above = [&](const std::string& at,
                                                                         int so_far) -> int {
        if (so_far > kMaxNesting) return so_far;
        if (const auto it = above.find(at); it != above.end()) return it->second;
        int most = 0;
        for (const auto& [other, definition] : graph.definitions())
            for (const auto& [inner, node] : definition->body.nodes())
                if (node.type == "Group" && node.group == at) {
                    most = std::max(most, levels_above(other, so_far + 1));
                    break;
                }
        return above[at] = most + 1;
    };
    const int standing = graph.sheet_id().empty() ? 0 : levels_above(graph.sheet_id(), 1);
    const int below = depth_of(graph, id);
    if (below == 0 || standing + below > kMaxNesting)
        return fmt::format("groups may be nested {} deep, not deeper", kMaxNesting);
    return {};
}

} // namespace wiregrad::graph

#include "nodes/flatten.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "engine/core/error.h"
#include "nodes/graph_access.h"

namespace wiregrad::graph {

namespace {

std::int64_t times_of(const Node& group) {
    const auto it = group.params.find("times");
    const auto* number =
        it == group.params.end() ? nullptr : std::get_if<std::int64_t>(&it->second);
    // Out of range it is a problem of its own; unfolding goes on with what makes sense.
    return number ? std::clamp<std::int64_t>(*number, 1, 1000) : 1;
}

bool shares(const Node& group) {
    const auto it = group.params.find("weights");
    const auto* text = it == group.params.end() ? nullptr : std::get_if<std::string>(&it->second);
    return text && *text == "shared";
}

/// Nodes that a graph unfolds to.
double flat_count(const Graph& graph) {
    std::map<std::string, double> known;
    const std::function<double(const Graph&)> count = [&](const Graph& sheet) {
        double sum = 0;
        for (const auto& [id, node] : sheet.nodes()) {
            const Definition* definition =
                node.type == "Group" ? graph.definition(node.group) : nullptr;
            if (!definition) {
                sum += 1;
                continue;
            }
            auto it = known.find(node.group);
            if (it == known.end()) it = known.emplace(node.group, count(definition->body)).first;
            sum += (it->second + 1) * static_cast<double>(times_of(node)); // an empty group is work
        }
        return sum;
    };
    return count(graph);
}

class Unfolder {
  public:
    Unfolder(const Graph& whole, Flat& flat) : whole_(whole), flat_(flat) {}

    using Ends = std::map<std::string, FlatEnd>; ///< by port
    using Values = std::map<std::pair<std::string, std::string>, ParamValue>;

    /// Unfolds a sheet; nodes get `prefix`, weights live under `weights`. Returns what arrives at
    /// its outputs.
    Ends unfold(const Graph& sheet, const std::string& prefix, const std::string& weights,
                const Ends& inputs, const Values& values) {
        std::unordered_map<std::string_view, std::vector<const Wire*>> into;
        for (const Wire& wire : sheet.wires())
            into[wire.to].push_back(&wire);
        std::map<std::pair<std::string, std::string>, FlatEnd> ends;
        const auto arriving = [&](const Wire& wire) -> FlatEnd {
            const auto it = ends.find({wire.from, wire.from_port});
            return it == ends.end() ? FlatEnd{} : it->second;
        };
        Ends outputs;
        for (const std::string& id : sheet.topological_order()) {
            Node node = *sheet.node(id);
            for (auto& [param, value] : node.params)
                if (const auto it = values.find({id, param}); it != values.end())
                    value = it->second;
            const std::string path = prefix + id;
            if (node.type == "GroupInput") {
                const auto it = inputs.find(id);
                const FlatEnd end = it == inputs.end() ? FlatEnd{} : it->second;
                ends[{id, "out"}] = flat_.ports[path] = end;
            } else if (node.type == "GroupOutput") {
                FlatEnd end;
                if (!into[id].empty()) end = arriving(*into[id].front());
                outputs[id] = flat_.ports[path] = end;
            } else if (const Definition* definition =
                           node.type == "Group" ? whole_.definition(node.group) : nullptr) {
                Ends given;
                for (const Wire* wire : into[id])
                    given[wire->to_port] = arriving(*wire);
                for (auto& [port, end] : instance(*definition, node, prefix, weights, given))
                    ends[{id, port}] = std::move(end);
            } else {
                if (weights != prefix) flat_.shared[path] = weights + id;
                if (const NodeType* type = find_type(node.type)) {
                    for (const PortSpec& port : type->outputs)
                        ends[{id, port.id}] = {path, port.id, {}, {}};
                } else {
                    for (const Wire& wire : sheet.wires())
                        if (wire.from == id)
                            ends[{id, wire.from_port}] = {path, wire.from_port, {}, {}};
                }
                node.id = path;
                GraphAccess::nodes(result).emplace(path, std::move(node));
            }
        }
        for (const Wire& wire : sheet.wires()) {
            const std::string to = prefix + wire.to;
            if (!GraphAccess::nodes(result).contains(to)) continue; // a group or its port
            FlatEnd from = arriving(wire);
            if (!from.node.empty())
                GraphAccess::wires(result).push_back({from.node, from.port, to, wire.to_port});
            else
                flat_.open[{to, wire.to_port}] = std::move(from);
        }
        return outputs;
    }

    Graph result;

  private:
    /// One Group node: its repetitions, one after another.
    Ends instance(const Definition& definition, const Node& node, const std::string& prefix,
                  const std::string& weights, const Ends& given) {
        const NodeType& type = *definition.type;
        const std::string path = prefix + node.id;
        flat_.definitions[path] = definition.id;
        Ends leaving;
        if (node.muted) {
            // What is left out hands on what comes in first, as a muted layer does.
            Node stand_in;
            stand_in.id = path;
            stand_in.type = "Identity";
            stand_in.muted = true;
            GraphAccess::nodes(result).emplace(path, std::move(stand_in));
            if (!type.inputs.empty())
                if (const auto it = given.find(type.inputs[0].id);
                    it != given.end() && !it->second.node.empty())
                    GraphAccess::wires(result).push_back(
                        {it->second.node, it->second.port, path, "in"});
            for (const PortSpec& port : type.outputs)
                leaving[port.id] = {path, "out", {}, {}};
        } else {
            Values values;
            for (const Exposed& exposed : definition.exposed)
                if (const auto it = node.params.find(exposed.id);
                    it != node.params.end() && type.param(exposed.id))
                    values[{exposed.node, exposed.param}] = it->second;
            Ends inputs;
            for (const PortSpec& port : type.inputs) {
                const auto it = given.find(port.id);
                inputs[port.id] = it != given.end() ? it->second : FlatEnd{{}, {}, path, port.id};
            }
            const std::int64_t times = times_of(node);
            const bool shared = shares(node);
            for (std::int64_t turn = 0; turn < times; ++turn) {
                const auto inner = [&](const std::string& base, std::int64_t which) {
                    return times > 1 ? fmt::format("{}{}.{}.", base, node.id, which)
                                     : fmt::format("{}{}.", base, node.id);
                };
                leaving = unfold(definition.body, inner(prefix, turn),
                                 inner(weights, shared ? 0 : turn), inputs, values);
                for (std::size_t i = 0; i < type.outputs.size() && i < type.inputs.size(); ++i)
                    inputs[type.inputs[i].id] = leaving[type.outputs[i].id];
            }
        }
        auto& out = flat_.groups[path];
        for (const PortSpec& port : type.outputs)
            out.push_back(leaving[port.id]);
        return leaving;
    }

    const Graph& whole_;
    Flat& flat_;
};

} // namespace

Flat flatten(const Graph& graph) {
    Flat flat;
    const bool plain = graph.sheet_id().empty() &&
                       std::none_of(graph.nodes().begin(), graph.nodes().end(),
                                    [](const auto& entry) { return entry.second.type == "Group"; });
    if (plain) {
        flat.graph = std::shared_ptr<const Graph>(std::shared_ptr<const Graph>(), &graph);
        return flat;
    }
    if (const double count = flat_count(graph); count > kMaxFlatNodes)
        throw ValueError(fmt::format("the groups unfold to {:.0f} nodes; at most {:.0f} can run",
                                     count, kMaxFlatNodes));
    Unfolder unfolder(graph, flat);
    GraphAccess::training(unfolder.result) = graph.training();
    GraphAccess::title(unfolder.result) = graph.title();
    GraphAccess::description(unfolder.result) = graph.description();
    unfolder.unfold(graph, "", "", {}, {});
    flat.graph = std::make_shared<const Graph>(std::move(unfolder.result));
    return flat;
}

FlatPlace place_of(const std::string& flat_id) {
    FlatPlace place;
    std::size_t begin = 0;
    while (true) {
        const std::size_t dot = flat_id.find('.', begin);
        std::string part = flat_id.substr(begin, dot - begin);
        const bool number = !part.empty() && part[0] >= '0' && part[0] <= '9';
        if (number)
            place.first = place.first && part == "0";
        else if (dot == std::string::npos)
            place.node = std::move(part);
        else
            place.groups.push_back(std::move(part));
        if (dot == std::string::npos) return place;
        begin = dot + 1;
    }
}

std::string flat_prefix(const Graph& graph, const std::vector<std::string>& groups) {
    std::string prefix;
    const Graph* sheet = &graph;
    for (const std::string& id : groups) {
        const Node* node = sheet->node(id);
        const Definition* definition = node ? graph.definition(node->group) : nullptr;
        if (!definition) throw ValueError(fmt::format("there is no group \"{}\"", id));
        prefix += id + (times_of(*node) > 1 ? ".0." : ".");
        sheet = &definition->body;
    }
    return prefix;
}

std::string sheet_at(const Graph& graph, const std::vector<std::string>& groups) {
    std::string at;
    const Graph* sheet = &graph;
    for (const std::string& id : groups) {
        const Node* node = sheet->node(id);
        const Definition* definition = node ? graph.definition(node->group) : nullptr;
        if (!definition) throw ValueError(fmt::format("there is no group \"{}\"", id));
        at = definition->id;
        sheet = &definition->body;
    }
    return at;
}

} // namespace wiregrad::graph

#include "nodes/edit.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "engine/core/error.h"
#include "nodes/graph_access.h"

namespace wiregrad::graph {

namespace {

using Access = GraphAccess;

Node& existing(Graph& graph, const std::string& id) {
    auto& nodes = Access::nodes(graph);
    const auto it = nodes.find(id);
    if (it == nodes.end()) throw ValueError(fmt::format("there is no node \"{}\"", id));
    return it->second;
}

void check_text(const std::string& text, const char* what) {
    if (!valid_utf8(text)) throw ValueError(fmt::format("{} must be UTF-8 text", what));
}

void check_finite(const ParamValue& value, const std::string& what) {
    if (const auto* real = std::get_if<double>(&value); real && !std::isfinite(*real))
        throw ValueError(
            fmt::format("{} must be a finite number, got {}", what, value_text(value)));
    if (const auto* text = std::get_if<std::string>(&value)) check_text(*text, what.c_str());
}

void check_position(const Position& position) {
    if (!std::isfinite(position.x) || !std::isfinite(position.y))
        throw ValueError("a position must be two finite numbers");
}

std::string title_of(const Graph& graph, const std::string& id) {
    const Node* node = graph.node(id);
    return node && !node->name.empty() ? node->name : id;
}

/// One application; each overload returns the inverse.
struct Applier {
    Graph& graph;
    ChangeSet& changes;

    Edit operator()(const AddNode& edit) {
        Node node = edit.node;
        if (!valid_id(node.id))
            throw ValueError(fmt::format(
                "\"{}\" cannot be the id of a node: small letters, digits and _ only", node.id));
        if (graph.node(node.id))
            throw ValueError(fmt::format("there is a node \"{}\" already", node.id));
        check_position(node.position);
        check_text(node.name, "a name");
        check_text(node.type, "a type");
        for (const auto& [id, value] : node.params)
            check_finite(value, id);
        if (const NodeType* type = find_type(node.type))
            for (const ParamSpec& spec : type->params) {
                auto [it, is_new] = node.params.emplace(spec.id, spec.standard);
                if (!is_new) it->second = conform(spec, it->second);
            }
        changes.added.insert(node.id);
        changes.removed.erase(node.id);
        const std::string id = node.id;
        Access::nodes(graph).emplace(id, std::move(node));
        return {RemoveNode{id}};
    }

    Edit operator()(const RemoveNode& edit) {
        Batch inverse;
        inverse.edits.push_back({AddNode{existing(graph, edit.id)}});
        auto& wires = Access::wires(graph);
        std::vector<Wire> kept;
        kept.reserve(wires.size());
        for (std::size_t i = 0; i < wires.size(); ++i) {
            if (wires[i].from == edit.id || wires[i].to == edit.id) {
                // In rising order, so that each index is right when its turn comes.
                inverse.edits.push_back({Connect{wires[i], static_cast<int>(i)}});
                changes.wires_removed.insert(wires[i]);
                changes.wires_added.erase(wires[i]);
            } else {
                kept.push_back(wires[i]);
            }
        }
        wires = std::move(kept);
        Access::nodes(graph).erase(edit.id);
        changes.added.erase(edit.id);
        changes.changed.erase(edit.id);
        changes.moved.erase(edit.id);
        changes.removed.insert(edit.id);
        return {std::move(inverse)};
    }

    Edit operator()(const Connect& edit) {
        const Wire& wire = edit.wire;
        if (auto reason = refuse_wire(graph, wire); !reason.empty()) throw ValueError(reason);
        auto& wires = Access::wires(graph);
        const NodeType* type = find_type(graph.node(wire.to)->type);
        if (type && !type->input(wire.to_port)->many)
            for (const Wire& other : wires)
                if (other.to == wire.to && other.to_port == wire.to_port)
                    throw ValueError(fmt::format("input {}.{} is taken by {}.{}", wire.to,
                                                 wire.to_port, other.from, other.from_port));
        const auto size = static_cast<int>(wires.size());
        const int index = edit.index < 0 || edit.index > size ? size : edit.index;
        wires.insert(wires.begin() + index, wire);
        changes.wires_added.insert(wire);
        changes.wires_removed.erase(wire);
        return {Disconnect{wire}};
    }

    Edit operator()(const Disconnect& edit) {
        auto& wires = Access::wires(graph);
        const auto it = std::find(wires.begin(), wires.end(), edit.wire);
        if (it == wires.end())
            throw ValueError(fmt::format("there is no wire {}", edit.wire.str()));
        const int index = static_cast<int>(it - wires.begin());
        wires.erase(it);
        changes.wires_removed.insert(edit.wire);
        changes.wires_added.erase(edit.wire);
        return {Connect{edit.wire, index}};
    }

    Edit operator()(const SetParam& edit) {
        Node& node = existing(graph, edit.node);
        const auto it = node.params.find(edit.param);
        if (it == node.params.end())
            throw ValueError(
                fmt::format("{} ({}) has no parameter \"{}\"", edit.node, node.type, edit.param));
        check_finite(edit.value, edit.param);
        ParamValue value = edit.value;
        if (const NodeType* type = find_type(node.type); type && !edit.unchecked)
            if (const ParamSpec* spec = type->param(edit.param)) {
                if (auto problem = check_value(*spec, value); !problem.empty())
                    throw ValueError(problem, edit.node);
                value = conform(*spec, value);
            }
        Edit inverse{SetParam{edit.node, edit.param, it->second, true}};
        it->second = std::move(value);
        changes.changed.insert(edit.node);
        return inverse;
    }

    Edit operator()(const Rename& edit) {
        Node& node = existing(graph, edit.node);
        check_text(edit.name, "a name");
        if (edit.name.size() > 500)
            throw ValueError(fmt::format("a name may have 500 bytes, got {}", edit.name.size()));
        Edit inverse{Rename{edit.node, node.name}};
        node.name = edit.name;
        changes.changed.insert(edit.node);
        return inverse;
    }

    Edit operator()(const Move& edit) {
        Node& node = existing(graph, edit.node);
        check_position(edit.position);
        Edit inverse{Move{edit.node, node.position}};
        node.position = edit.position;
        changes.moved.insert(edit.node);
        return inverse;
    }

    Edit operator()(const SetMuted& edit) {
        Node& node = existing(graph, edit.node);
        Edit inverse{SetMuted{edit.node, node.muted}};
        node.muted = edit.muted;
        changes.changed.insert(edit.node);
        return inverse;
    }

    Edit operator()(const SetCollapsed& edit) {
        Node& node = existing(graph, edit.node);
        Edit inverse{SetCollapsed{edit.node, node.collapsed}};
        node.collapsed = edit.collapsed;
        changes.changed.insert(edit.node);
        return inverse;
    }

    Edit operator()(const SetTraining& edit) {
        if (auto problem = check_training(edit.training); !problem.empty())
            throw ValueError(problem);
        Edit inverse{SetTraining{graph.training()}};
        Access::training(graph) = edit.training;
        changes.training = true;
        return inverse;
    }

    Edit operator()(const SetTitle& edit) {
        check_text(edit.title, "the title");
        check_text(edit.description, "the description");
        Edit inverse{SetTitle{graph.title(), graph.description()}};
        Access::title(graph) = edit.title;
        Access::description(graph) = edit.description;
        changes.training = true;
        return inverse;
    }

    Edit operator()(const Batch& edit) {
        Batch inverse;
        try {
            for (const Edit& part : edit.edits)
                inverse.edits.push_back(std::visit(*this, part.what));
        } catch (const Error&) {
            ChangeSet ignored;
            for (auto it = inverse.edits.rbegin(); it != inverse.edits.rend(); ++it)
                std::visit(Applier{graph, ignored}, it->what);
            throw;
        }
        std::reverse(inverse.edits.begin(), inverse.edits.end());
        return {std::move(inverse)};
    }
};

} // namespace

bool ChangeSet::structural() const {
    return everything || training || !added.empty() || !removed.empty() || !changed.empty() ||
           !wires_added.empty() || !wires_removed.empty();
}

void ChangeSet::merge(const ChangeSet& other) {
    added.insert(other.added.begin(), other.added.end());
    for (const auto& id : other.removed) {
        // Added and removed within one gesture: nobody needs to know.
        if (added.erase(id) == 0) removed.insert(id);
        moved.erase(id);
        changed.erase(id);
    }
    for (const auto& id : other.added)
        if (removed.erase(id) > 0) changed.insert(id);
    moved.insert(other.moved.begin(), other.moved.end());
    changed.insert(other.changed.begin(), other.changed.end());
    for (const auto& wire : other.wires_removed)
        if (wires_added.erase(wire) == 0) wires_removed.insert(wire);
    for (const auto& wire : other.wires_added)
        if (wires_removed.erase(wire) == 0) wires_added.insert(wire);
    training = training || other.training;
    everything = everything || other.everything;
}

Edit apply(Graph& graph, const Edit& edit, ChangeSet* changes) {
    ChangeSet own;
    Edit inverse = std::visit(Applier{graph, own}, edit.what);
    if (changes) changes->merge(own);
    return inverse;
}

std::string refuse_wire(const Graph& graph, const Wire& wire) {
    const Node* from = graph.node(wire.from);
    const Node* to = graph.node(wire.to);
    if (!from || !to) return fmt::format("there is no node \"{}\"", from ? wire.to : wire.from);
    const NodeType* from_type = find_type(from->type);
    const NodeType* to_type = find_type(to->type);
    const PortSpec* output = from_type ? from_type->output(wire.from_port) : nullptr;
    const PortSpec* input = to_type ? to_type->input(wire.to_port) : nullptr;
    if (from_type && !output)
        return fmt::format("{} ({}) has no output \"{}\"", wire.from, from->type, wire.from_port);
    if (to_type && !input)
        return fmt::format("{} ({}) has no input \"{}\"", wire.to, to->type, wire.to_port);
    if (wire.from_port.empty() || wire.to_port.empty() || !valid_utf8(wire.from_port) ||
        !valid_utf8(wire.to_port) || wire.from_port.find(' ') != std::string::npos ||
        wire.to_port.find(' ') != std::string::npos)
        return "a wire needs the names of two ports";
    if (output && input && !kinds_fit(output->kind, input->kind)) {
        const auto words = [](PortKind kind) {
            return kind == PortKind::Loss     ? "a loss"
                   : kind == PortKind::Labels ? "labels"
                                              : "a tensor";
        };
        return fmt::format("{}.{} gives {}, {}.{} takes {}", wire.from, wire.from_port,
                           words(output->kind), wire.to, wire.to_port, words(input->kind));
    }
    if (wire.from == wire.to)
        return fmt::format("{} cannot feed itself: that would be a cycle", wire.from);
    if (std::find(graph.wires().begin(), graph.wires().end(), wire) != graph.wires().end())
        return fmt::format("{}.{} is wired to {}.{} already", wire.from, wire.from_port, wire.to,
                           wire.to_port);
    if (graph.reaches(wire.from, wire.to))
        return fmt::format("{} feeds {} already: a wire back would be a cycle", wire.to, wire.from);
    return {};
}

Edit connect_edit(const Graph& graph, const Wire& wire) {
    const Node* to = graph.node(wire.to);
    const NodeType* type = to ? find_type(to->type) : nullptr;
    const PortSpec* input = type ? type->input(wire.to_port) : nullptr;
    if (input && !input->many)
        for (const Wire& other : graph.wires())
            if (other.to == wire.to && other.to_port == wire.to_port && other != wire)
                return {Batch{{{Disconnect{other}}, {Connect{wire}}}}};
    return {Connect{wire}};
}

Edit remove_edit(const Graph& graph, const std::set<std::string>& ids, bool dissolve) {
    Batch batch;
    for (const std::string& id : ids)
        batch.edits.push_back({RemoveNode{id}});
    if (!dissolve) return {std::move(batch)};
    // The wire that a removed node passes on: the only one into it, followed up until a node that
    // stays.
    const auto passes = [&](const std::string& id) -> const Wire* {
        const Wire* only = nullptr;
        for (const Wire& wire : graph.wires())
            if (wire.to == id) {
                if (only) return nullptr;
                only = &wire;
            }
        return only;
    };
    const auto port_of = [&](const std::string& id, const std::string& port,
                             bool output) -> const PortSpec* {
        const Node* node = graph.node(id);
        const NodeType* type = node ? find_type(node->type) : nullptr;
        return !type ? nullptr : output ? type->output(port) : type->input(port);
    };
    std::set<Wire> present;
    for (const Wire& wire : graph.wires())
        if (!ids.contains(wire.from) && !ids.contains(wire.to)) present.insert(wire);
    int index = 0;
    for (const Wire& wire : graph.wires()) {
        if (ids.contains(wire.to)) continue;
        if (!ids.contains(wire.from)) {
            ++index;
            continue;
        }
        const Wire* source = passes(wire.from);
        while (source && ids.contains(source->from))
            source = passes(source->from);
        if (!source) continue;
        const Wire joined{source->from, source->from_port, wire.to, wire.to_port};
        const PortSpec* output = port_of(joined.from, joined.from_port, true);
        const PortSpec* input = port_of(joined.to, joined.to_port, false);
        if ((output && input && !kinds_fit(output->kind, input->kind)) ||
            !present.insert(joined).second)
            continue;
        batch.edits.push_back({Connect{joined, index++}});
    }
    return {std::move(batch)};
}

Node make_node(const Graph& graph, const std::string& type_id, Position position) {
    const NodeType* type = find_type(type_id);
    if (!type) throw ValueError(fmt::format("there is no node type \"{}\"", type_id));
    Node node;
    node.id = graph.fresh_id(type_id);
    node.type = type_id;
    node.version = type->version;
    node.params = default_params(*type);
    node.position = position;
    return node;
}

std::string describe(const Edit& edit, const Graph& graph) {
    struct Visitor {
        const Graph& graph;
        std::string operator()(const AddNode& e) const {
            return fmt::format("Add {}", e.node.type);
        }
        std::string operator()(const RemoveNode& e) const {
            return fmt::format("Delete {}", title_of(graph, e.id));
        }
        std::string operator()(const Connect& e) const {
            return fmt::format("Connect {} to {}", title_of(graph, e.wire.from),
                               title_of(graph, e.wire.to));
        }
        std::string operator()(const Disconnect& e) const {
            return fmt::format("Disconnect {} from {}", title_of(graph, e.wire.from),
                               title_of(graph, e.wire.to));
        }
        std::string operator()(const SetParam& e) const {
            return fmt::format("Set {} of {}", e.param, title_of(graph, e.node));
        }
        std::string operator()(const Rename& e) const { return fmt::format("Rename {}", e.node); }
        std::string operator()(const Move& e) const {
            return fmt::format("Move {}", title_of(graph, e.node));
        }
        std::string operator()(const SetMuted& e) const {
            return fmt::format("{} {}", e.muted ? "Mute" : "Unmute", title_of(graph, e.node));
        }
        std::string operator()(const SetCollapsed& e) const {
            return fmt::format("{} {}", e.collapsed ? "Collapse" : "Expand",
                               title_of(graph, e.node));
        }
        std::string operator()(const SetTraining&) const { return "Change the training settings"; }
        std::string operator()(const SetTitle&) const { return "Change the title"; }
        std::string operator()(const Batch& e) const {
            // What a batch is about: the kind of its edits that says most.
            int added = 0, removed = 0, connected = 0, moved = 0, other = 0;
            const Edit* last_added = nullptr;
            const Edit* last_removed = nullptr;
            const Edit* last_connected = nullptr;
            for (const Edit& part : e.edits) {
                if (std::holds_alternative<AddNode>(part.what))
                    ++added, last_added = &part;
                else if (std::holds_alternative<RemoveNode>(part.what))
                    ++removed, last_removed = &part;
                else if (std::holds_alternative<Connect>(part.what))
                    ++connected, last_connected = &part;
                else if (std::holds_alternative<Move>(part.what))
                    ++moved;
                else if (!std::holds_alternative<Disconnect>(part.what))
                    ++other;
            }
            if (e.edits.size() == 1) return describe(e.edits.front(), graph);
            if (added > 0)
                return added == 1 ? describe(*last_added, graph)
                                  : fmt::format("Add {} nodes", added);
            if (removed > 0)
                return removed == 1 ? describe(*last_removed, graph)
                                    : fmt::format("Delete {} nodes", removed);
            if (connected > 0)
                return connected == 1 ? describe(*last_connected, graph)
                                      : fmt::format("Connect {} wires", connected);
            if (moved > 0 && other == 0) return fmt::format("Move {} nodes", moved);
            return e.edits.empty() ? "Nothing" : describe(e.edits.front(), graph);
        }
    };
    return std::visit(Visitor{graph}, edit.what);
}

} // namespace wiregrad::graph

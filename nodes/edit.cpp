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

std::string group_title(const Graph& graph, const std::string& id) {
    const Definition* definition = graph.definition(id);
    return definition && !definition->name.empty() ? definition->name : id;
}

/// Definitions that nobody uses any more without these nodes.
std::vector<std::string> orphans(const Graph& graph, const std::set<std::string>& removed) {
    std::map<std::string, int> uses;
    std::vector<std::string> open, found;
    const auto count = [&](const Graph& sheet) {
        for (const auto& [id, node] : sheet.nodes())
            if (!node.group.empty()) ++uses[node.group];
    };
    count(graph);
    for (const auto& [id, definition] : graph.definitions())
        if (id != graph.sheet_id()) count(definition->body);
    if (!graph.sheet_id().empty()) return {}; // seen from inside, others may use it too
    const auto release = [&](const Node& node) {
        if (!node.group.empty() && --uses[node.group] == 0) open.push_back(node.group);
    };
    for (const std::string& id : removed)
        if (const Node* node = graph.node(id)) release(*node);
    while (!open.empty()) {
        const std::string id = open.back();
        open.pop_back();
        found.push_back(id);
        if (const Definition* definition = graph.definition(id))
            for (const auto& [inner, node] : definition->body.nodes())
                release(node);
    }
    return found;
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
        check_place(node);
        if (const NodeType* type = graph.type_of(node))
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

    /// Groups need a definition that may stand here; their ports a group around them.
    void check_place(const Node& node) const {
        if (node.type == "Group") {
            if (node.group.empty()) throw ValueError("a Group needs a definition");
            if (auto reason = refuse_group(graph, node.group); !reason.empty())
                throw ValueError(reason);
        } else if (!node.group.empty()) {
            throw ValueError(fmt::format("{} is no Group and has no definition", node.type));
        }
        if ((node.type == "GroupInput" || node.type == "GroupOutput") && graph.sheet_id().empty())
            throw ValueError("inputs and outputs of groups stand inside of groups");
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
                inverse.edits.push_back(
                    {Connect{wires[i], static_cast<int>(i), take_bends(wires[i])}});
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

    std::vector<Position> take_bends(const Wire& wire) {
        auto& bends = Access::bends(graph);
        const auto it = bends.find(wire);
        if (it == bends.end()) return {};
        std::vector<Position> taken = std::move(it->second);
        bends.erase(it);
        return taken;
    }

    Edit operator()(const Connect& edit) {
        const Wire& wire = edit.wire;
        if (auto reason = refuse_wire(graph, wire); !reason.empty()) throw ValueError(reason);
        check_bends(edit.bends);
        auto& wires = Access::wires(graph);
        const NodeType* type = graph.type_of(wire.to);
        if (type && !type->input(wire.to_port)->many)
            for (const Wire& other : wires)
                if (other.to == wire.to && other.to_port == wire.to_port)
                    throw ValueError(fmt::format("input {}.{} is taken by {}.{}", wire.to,
                                                 wire.to_port, other.from, other.from_port));
        const auto size = static_cast<int>(wires.size());
        const int index = edit.index < 0 || edit.index > size ? size : edit.index;
        wires.insert(wires.begin() + index, wire);
        if (!edit.bends.empty()) Access::bends(graph)[wire] = edit.bends;
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
        return {Connect{edit.wire, index, take_bends(edit.wire)}};
    }

    Edit operator()(const SetParam& edit) {
        Node& node = existing(graph, edit.node);
        const auto it = node.params.find(edit.param);
        if (it == node.params.end())
            throw ValueError(
                fmt::format("{} ({}) has no parameter \"{}\"", edit.node, node.type, edit.param));
        check_finite(edit.value, edit.param);
        ParamValue value = edit.value;
        if (const NodeType* type = graph.type_of(node); type && !edit.unchecked)
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

    Edit operator()(const SetPinned& edit) {
        Node& node = existing(graph, edit.node);
        Edit inverse{SetPinned{edit.node, node.pinned}};
        node.pinned = edit.pinned;
        changes.changed.insert(edit.node);
        return inverse;
    }

    Edit operator()(const SetBends& edit) {
        const auto& wires = graph.wires();
        if (std::find(wires.begin(), wires.end(), edit.wire) == wires.end())
            throw ValueError(fmt::format("there is no wire {}", edit.wire.str()));
        check_bends(edit.bends);
        Edit inverse{SetBends{edit.wire, take_bends(edit.wire)}};
        if (!edit.bends.empty()) Access::bends(graph)[edit.wire] = edit.bends;
        changes.bent.insert(edit.wire);
        return inverse;
    }

    Edit operator()(const ReplaceNode& edit) {
        Node& node = existing(graph, edit.node.id);
        if (node.type != edit.node.type)
            throw ValueError(
                fmt::format("{} is a {}, not a {}", node.id, node.type, edit.node.type));
        check_place(edit.node);
        const NodeType* type = graph.type_of(edit.node);
        for (const Wire& wire : graph.wires())
            if (type && ((wire.from == node.id && !type->output(wire.from_port)) ||
                         (wire.to == node.id && !type->input(wire.to_port))))
                throw ValueError(fmt::format("wire {} would have no port", wire.str()));
        Node next = edit.node;
        if (type)
            for (const ParamSpec& spec : type->params)
                next.params.emplace(spec.id, spec.standard);
        Edit inverse{ReplaceNode{node}};
        node = std::move(next);
        changes.changed.insert(edit.node.id);
        return inverse;
    }

    Edit operator()(const Define& edit) {
        const Definition& definition = edit.definition;
        if (!valid_id(definition.id))
            throw ValueError(
                fmt::format("\"{}\" cannot be the id of a group: small letters, digits and _ only",
                            definition.id));
        if (graph.definition(definition.id))
            throw ValueError(fmt::format("there is a group \"{}\" already", definition.id));
        check_info(definition.name, definition.help, definition.exposed);
        auto& all = Access::definitions(graph);
        const Definitions before = all;
        try {
            Access::put(graph, definition);
            // Judged where it stands: with every definition that its inside needs.
            Graph whole = graph.sheet(definition.id);
            Access::definitions(whole) = all;
            for (const auto& [id, node] : whole.nodes())
                check_finite_node(node);
            whole.check_consistency();
            if (depth_of(graph, definition.id) == 0)
                throw ValueError(
                    fmt::format("groups may be nested {} deep, not deeper", kMaxNesting));
        } catch (const Error& error) {
            all = before;
            throw ValueError(error.text());
        }
        changes.definitions.insert(definition.id);
        return {Undefine{definition.id}};
    }

    Edit operator()(const Undefine& edit) {
        const Definition* definition = graph.definition(edit.id);
        if (!definition) throw ValueError(fmt::format("there is no group \"{}\"", edit.id));
        const auto uses = [&](const Graph& sheet) {
            return std::any_of(sheet.nodes().begin(), sheet.nodes().end(),
                               [&](const auto& entry) { return entry.second.group == edit.id; });
        };
        bool used = edit.id == graph.sheet_id() || uses(graph);
        for (const auto& [id, other] : graph.definitions())
            used = used || (id != graph.sheet_id() && uses(other->body));
        if (used) throw ValueError(fmt::format("group \"{}\" is in use", edit.id));
        Edit inverse{Define{*definition}};
        Access::definitions(graph).erase(edit.id);
        changes.definitions.insert(edit.id);
        return inverse;
    }

    Edit operator()(const SetGroupInfo& edit) {
        need_whole();
        const Definition* old = graph.definition(edit.id);
        if (!old) throw ValueError(fmt::format("there is no group \"{}\"", edit.id));
        check_info(edit.name, edit.help, edit.exposed);
        Batch inverse{{{SetGroupInfo{edit.id, old->name, old->help, old->exposed}}}};
        Definition next = *old;
        next.name = edit.name;
        next.help = edit.help;
        next.exposed = edit.exposed;
        replace_definition(std::move(next), inverse);
        if (inverse.edits.size() == 1) return std::move(inverse.edits.front());
        return {std::move(inverse)};
    }

    Edit operator()(const Inside& edit) {
        need_whole();
        const Definition* old = graph.definition(edit.definition);
        if (!old) throw ValueError(fmt::format("there is no group \"{}\"", edit.definition));
        Graph body = graph.sheet(edit.definition);
        ChangeSet inner;
        Edit undo = Applier{body, inner}(Batch{edit.edits}); // throws, and nothing has happened
        Inside back{edit.definition, std::move(std::get<Batch>(undo.what).edits)};
        Definition next = *old;
        Access::definitions(graph) = Access::definitions(body);
        next.body = std::move(body);
        changes.definitions.merge(inner.definitions);
        changes.inside[edit.definition].merge(inner);
        Batch inverse{{{std::move(back)}}};
        replace_definition(std::move(next), inverse);
        if (inverse.edits.size() == 1) return std::move(inverse.edits.front());
        return {std::move(inverse)};
    }

    void need_whole() const {
        if (!graph.sheet_id().empty())
            throw ValueError("other groups are edited from the project, not from inside a group");
    }

    static void check_info(const std::string& name, const std::string& help,
                           const std::vector<Exposed>& exposed) {
        check_text(name, "a name");
        check_text(help, "a help text");
        if (name.size() > 500)
            throw ValueError(fmt::format("a name may have 500 bytes, got {}", name.size()));
        std::set<std::string> ids;
        for (const Exposed& one : exposed) {
            check_text(one.label, "a label");
            if (!valid_id(one.id) || one.id == "times" || one.id == "weights" ||
                !ids.insert(one.id).second)
                throw ValueError(
                    fmt::format("\"{}\" cannot be the id of a group's parameter", one.id));
        }
    }

    static void check_finite_node(const Node& node) {
        check_position(node.position);
        check_text(node.name, "a name");
        for (const auto& [id, value] : node.params)
            check_finite(value, id);
    }

    static void check_bends(const std::vector<Position>& bends) {
        if (bends.size() > 100) throw ValueError("a wire may be bent 100 times");
        for (const Position& bend : bends)
            check_position(bend);
    }

    /// Stores a definition and lets its instances, and theirs, follow what changed of its ports and
    /// parameters. What they lose is added to `inverse`, to come back after the definition has.
    void replace_definition(Definition next, Batch& inverse) {
        const std::string id = next.id;
        const std::shared_ptr<const NodeType> before = graph.definition(id)->type;
        Access::put(graph, std::move(next));
        const std::shared_ptr<const NodeType> after = graph.definition(id)->type;
        if (same_interface(*before, *after)) return;
        changes.definitions.insert(id);
        follow(graph, changes, id, *after, {}, inverse);
        std::vector<std::string> around;
        for (const auto& [other, definition] : graph.definitions())
            for (const auto& [inner, node] : definition->body.nodes())
                if (node.group == id) {
                    around.push_back(other);
                    break;
                }
        for (const std::string& other : around) {
            Definition enclosing = *graph.definition(other);
            follow(enclosing.body, changes.inside[other], id, *after, other, inverse);
            replace_definition(std::move(enclosing), inverse);
        }
    }

    /// Instances of `id` on one sheet, whose type is now `type`.
    static void follow(Graph& sheet, SheetChanges& touched, const std::string& id,
                       const NodeType& type, const std::string& sheet_id, Batch& inverse) {
        const auto undo_with = [&](Edit edit) {
            inverse.edits.push_back(on_sheet(sheet_id, std::move(edit)));
        };
        std::set<std::string> instances;
        for (auto& [name, node] : Access::nodes(sheet)) {
            if (node.group != id) continue;
            instances.insert(name);
            touched.changed.insert(name);
            Params params;
            for (const ParamSpec& spec : type.params) {
                const auto own = node.params.find(spec.id);
                params[spec.id] = own != node.params.end() && check_value(spec, own->second).empty()
                                      ? own->second
                                      : spec.standard;
            }
            if (params == node.params) continue;
            undo_with({ReplaceNode{node}});
            node.params = std::move(params);
        }
        auto& wires = Access::wires(sheet);
        std::vector<Wire> kept;
        // In rising order, so that each index is right when its turn comes.
        for (std::size_t i = 0; i < wires.size(); ++i) {
            const Wire& wire = wires[i];
            const bool gone = (instances.contains(wire.from) && !type.output(wire.from_port)) ||
                              (instances.contains(wire.to) && !type.input(wire.to_port)) ||
                              !kinds_still_fit(sheet, wire, instances, type);
            if (!gone) {
                kept.push_back(wire);
                continue;
            }
            Connect again{wire, static_cast<int>(i), sheet.bends(wire)};
            Access::bends(sheet).erase(wire);
            touched.wires_removed.insert(wire);
            touched.wires_added.erase(wire);
            undo_with({std::move(again)});
        }
        wires = std::move(kept);
    }

    static bool kinds_still_fit(const Graph& sheet, const Wire& wire,
                                const std::set<std::string>& instances, const NodeType& type) {
        if (!instances.contains(wire.from) && !instances.contains(wire.to)) return true;
        const NodeType* from = instances.contains(wire.from) ? &type : known_type(sheet, wire.from);
        const NodeType* to = instances.contains(wire.to) ? &type : known_type(sheet, wire.to);
        const PortSpec* output = from ? from->output(wire.from_port) : nullptr;
        const PortSpec* input = to ? to->input(wire.to_port) : nullptr;
        return !output || !input || kinds_fit(output->kind, input->kind);
    }
    /// Of a node on a sheet that knows no definitions: null for groups.
    static const NodeType* known_type(const Graph& sheet, const std::string& id) {
        const Node* node = sheet.node(id);
        return !node || node->type == "Group" ? nullptr : sheet.type_of(*node);
    }

    Edit operator()(const SetTraining& edit) {
        need_whole();
        if (auto problem = check_training(edit.training); !problem.empty())
            throw ValueError(problem);
        Edit inverse{SetTraining{graph.training()}};
        Access::training(graph) = edit.training;
        changes.training = true;
        return inverse;
    }

    Edit operator()(const SetTitle& edit) {
        need_whole();
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
        inverse.label = edit.label;
        for (const Moved& moved : edit.moved)
            inverse.moved.push_back({moved.sheet, moved.to, moved.from});
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

bool SheetChanges::structural() const {
    return !added.empty() || !removed.empty() || !changed.empty() || !wires_added.empty() ||
           !wires_removed.empty();
}

bool SheetChanges::empty() const {
    return !structural() && moved.empty() && bent.empty();
}

void SheetChanges::merge(const SheetChanges& other) {
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
    for (const auto& wire : other.wires_removed) {
        if (wires_added.erase(wire) == 0) wires_removed.insert(wire);
        bent.erase(wire);
    }
    for (const auto& wire : other.wires_added)
        if (wires_removed.erase(wire) == 0) wires_added.insert(wire);
    bent.insert(other.bent.begin(), other.bent.end());
}

bool ChangeSet::structural() const {
    return everything || training || !definitions.empty() || SheetChanges::structural() ||
           std::any_of(inside.begin(), inside.end(),
                       [](const auto& sheet) { return sheet.second.structural(); });
}

void ChangeSet::merge(const ChangeSet& other) {
    SheetChanges::merge(other);
    for (const auto& [id, sheet] : other.inside)
        inside[id].merge(sheet);
    definitions.insert(other.definitions.begin(), other.definitions.end());
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
    const NodeType* from_type = graph.type_of(*from);
    const NodeType* to_type = graph.type_of(*to);
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
    const NodeType* type = graph.type_of(wire.to);
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
    const auto forget = [&](Batch& all) {
        for (const std::string& definition : orphans(graph, ids))
            all.edits.push_back({Undefine{definition}});
    };
    if (!dissolve) {
        forget(batch);
        return {std::move(batch)};
    }
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
        const NodeType* type = graph.type_of(id);
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
    forget(batch);
    return {std::move(batch)};
}

Edit on_sheet(const std::string& sheet, Edit edit) {
    if (sheet.empty()) return edit;
    Inside inside{sheet, {}};
    if (auto* batch = std::get_if<Batch>(&edit.what)) {
        // The label says what the gesture was, wherever it happened.
        inside.edits = std::move(batch->edits);
        if (!batch->label.empty() || !batch->moved.empty())
            return {Batch{{{std::move(inside)}}, std::move(batch->label), std::move(batch->moved)}};
    } else {
        inside.edits.push_back(std::move(edit));
    }
    return {std::move(inside)};
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
        std::string operator()(const SetPinned& e) const {
            return fmt::format("{} {}", e.pinned ? "Pin" : "Unpin", title_of(graph, e.node));
        }
        std::string operator()(const SetBends& e) const {
            return fmt::format("Bend the wire from {} to {}", title_of(graph, e.wire.from),
                               title_of(graph, e.wire.to));
        }
        std::string operator()(const ReplaceNode& e) const {
            return fmt::format("Change {}", title_of(graph, e.node.id));
        }
        std::string operator()(const Define& e) const {
            return fmt::format("Add the group {}", group_title(graph, e.definition.id));
        }
        std::string operator()(const Undefine& e) const {
            return fmt::format("Delete the group {}", group_title(graph, e.id));
        }
        std::string operator()(const SetGroupInfo& e) const {
            return fmt::format("Change the group {}", group_title(graph, e.id));
        }
        std::string operator()(const Inside& e) const {
            const Definition* definition = graph.definition(e.definition);
            if (!definition) return "Change a group";
            return fmt::format("{} in {}", describe({Batch{e.edits}}, definition->body),
                               group_title(graph, e.definition));
        }
        std::string operator()(const SetTraining&) const { return "Change the training settings"; }
        std::string operator()(const SetTitle&) const { return "Change the title"; }
        std::string operator()(const Batch& e) const {
            if (!e.label.empty()) return e.label;
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

#include "nodes/export/units.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <set>

#include "nodes/export/names.h"

namespace wiregrad::graph {

namespace {

std::string last_part(const std::string& member) {
    return member.substr(member.rfind('.') + 1);
}

class Nester {
  public:
    explicit Nester(const Outline& outline) : outline_(outline) {
        for (const Statement& layer : outline.layers)
            layers_[layer.id] = &layer;
    }

    std::vector<Unit> run() {
        Unit network;
        network.inputs = outline_.arguments;
        for (const Value& argument : outline_.arguments)
            network.input_names.push_back(outline_.argument(argument).name);
        network.results = outline_.results;
        if (groups_can_nest(outline_.graph)) {
            network.calls = calls(outline_.graph, "");
        } else {
            for (const Statement& layer : outline_.layers)
                network.calls.push_back(call_of(layer));
        }
        units_.push_back(std::move(network));
        return std::move(units_);
    }

  private:
    Call call_of(const Statement& layer) const {
        Call call;
        call.layer = &layer;
        call.member = last_part(layer.member);
        call.node = layer.id;
        call.inputs = layer.inputs;
        for (std::size_t i = 0; i < layer.outputs; ++i)
            call.outputs.push_back({layer.id, i});
        return call;
    }

    /// The calls of one sheet whose nodes have `prefix`.
    std::vector<Call> calls(const Graph& sheet, const std::string& prefix) {
        std::vector<Call> result;
        for (const std::string& id : sheet.topological_order()) {
            const std::string path = prefix + id;
            if (const auto layer = layers_.find(path); layer != layers_.end()) {
                result.push_back(call_of(*layer->second));
                continue;
            }
            const Node& node = *sheet.node(id);
            const Definition* definition =
                node.type == "Group" ? outline_.graph.definition(node.group) : nullptr;
            if (!definition) continue;
            if (Call call = group(*definition, path); !call.units.empty())
                result.push_back(std::move(call));
        }
        return result;
    }

    /// Prefixes of the repetitions that take part.
    std::vector<std::string> repetitions(const std::string& path) const {
        const auto taken = [&](const std::string& prefix) {
            const auto at = layers_.lower_bound(prefix);
            return at != layers_.end() && at->first.starts_with(prefix);
        };
        std::vector<std::string> result;
        for (int turn = 0; taken(fmt::format("{}.{}.", path, turn)); ++turn)
            result.push_back(fmt::format("{}.{}.", path, turn));
        if (result.empty() && taken(path + ".")) result.push_back(path + ".");
        return result;
    }

    /// The group whose weights this one has: itself, but inside repetitions that share.
    std::string holder_of(const std::string& path) const {
        const std::string& inside = layers_.lower_bound(path + ".")->first;
        const auto shared = outline_.inference.flat.shared.find(inside);
        if (shared == outline_.inference.flat.shared.end()) return path;
        std::size_t end = 0; // as many parts of the other's path
        for (std::ptrdiff_t parts = std::count(path.begin(), path.end(), '.') + 1; parts > 0;
             --parts)
            end = shared->second.find('.', end + 1);
        return shared->second.substr(0, end);
    }

    Call group(const Definition& definition, const std::string& path) {
        Call call;
        call.node = path;
        const std::vector<std::string> turns = repetitions(path);
        if (turns.empty()) return call;
        call.member = last_part(outline_.members.at(path));
        call.shared = turns.size() > 1 && layers_.lower_bound(turns[1])->second->shared;
        const std::string holder = outline_.members.at(holder_of(path));
        for (std::size_t turn = 0; turn < turns.size(); ++turn) {
            call.units.push_back(unit(definition, turns[turn]));
            units_.back().prefix = turns.size() > 1 && !call.shared
                                       ? fmt::format("{}.{}.", holder, turn)
                                       : holder + ".";
        }
        const Unit &first = units_[call.units.front()], &last = units_[call.units.back()];
        call.inputs = first.inputs;
        call.input_ports = first.input_ports;
        call.outputs = last.results;
        call.output_ports = last.result_ports;
        return call;
    }

    /// What really arrives at or leaves through a port; nothing when nothing does.
    std::optional<Value> through(const std::string& port) const {
        const auto found = outline_.inference.flat.ports.find(port);
        if (found == outline_.inference.flat.ports.end() || found->second.node.empty()) return {};
        std::string node = found->second.node, out = found->second.port;
        for (;;) {
            const auto inferred = outline_.inference.nodes.find(node);
            if (inferred == outline_.inference.nodes.end() || !inferred->second.type) return {};
            const Inferred& from = inferred->second;
            if (from.node->muted) { // hands on what comes in first
                if (from.sources.empty() || from.sources[0].node.empty()) return {};
                return Value{from.sources[0].node, from.sources[0].output};
            }
            for (std::size_t i = 0; i < from.type->outputs.size(); ++i)
                if (from.type->outputs[i].id == out) return Value{node, i};
            return {};
        }
    }

    /// The body of one repetition; its index.
    std::size_t unit(const Definition& definition, const std::string& prefix) {
        Unit unit;
        unit.name = definition.name.empty() ? definition.id : definition.name;
        unit.help = definition.help;
        unit.calls = calls(definition.body, prefix);
        std::set<Value> made, read;
        for (const Call& call : unit.calls) {
            made.insert(call.outputs.begin(), call.outputs.end());
            read.insert(call.inputs.begin(), call.inputs.end());
        }
        std::set<Value> arriving;
        for (const PortSpec& port : definition.type->inputs)
            if (const auto value = through(prefix + port.id)) arriving.insert(*value);
        for (std::size_t i = 0; i < definition.type->outputs.size(); ++i) {
            const auto value = through(prefix + definition.type->outputs[i].id);
            if (!value || (!made.contains(*value) && !arriving.contains(*value))) continue;
            unit.results.push_back(*value);
            unit.result_ports.push_back(i);
            read.insert(*value);
        }
        Names names({"self", "torch", "nn", "F", "math"});
        for (std::size_t i = 0; i < definition.type->inputs.size(); ++i) {
            const PortSpec& port = definition.type->inputs[i];
            const auto value = through(prefix + port.id);
            if (!value || made.contains(*value) || !read.contains(*value) ||
                std::find(unit.inputs.begin(), unit.inputs.end(), *value) != unit.inputs.end())
                continue;
            unit.inputs.push_back(*value);
            unit.input_ports.push_back(i);
            const std::string label = identifier(port.label);
            unit.input_names.push_back(names.claim(definition.type->inputs.size() == 1 ? "x"
                                                   : label.empty()                     ? port.id
                                                                                       : label));
        }
        units_.push_back(std::move(unit));
        return units_.size() - 1;
    }

    const Outline& outline_;
    std::map<std::string, const Statement*> layers_;
    std::vector<Unit> units_;
};

} // namespace

std::vector<Unit> units_of(const Outline& outline) {
    return Nester(outline).run();
}

std::map<Value, std::string> local_names(const Outline& outline, const Unit& unit) {
    std::map<Value, std::size_t> last_use;
    for (std::size_t i = 0; i < unit.calls.size(); ++i)
        for (const Value& value : unit.calls[i].inputs)
            last_use[value] = i;
    for (const Value& value : unit.results)
        last_use[value] = unit.calls.size();

    std::map<Value, std::string> names;
    Names locals({"self", "torch", "nn", "np", "math", "F", "part"});
    for (std::size_t i = 0; i < unit.inputs.size(); ++i)
        names[unit.inputs[i]] = locals.claim(unit.input_names[i]);
    for (std::size_t i = 0; i < unit.calls.size(); ++i) {
        const Call& call = unit.calls[i];
        if (call.outputs.size() != 1) {
            for (std::size_t k = 0; k < call.outputs.size(); ++k) {
                if (names.contains(call.outputs[k])) continue; // handed through
                const std::string more =
                    call.layer ? call.layer->node->type->outputs[k].id : std::to_string(k + 1);
                names[call.outputs[k]] =
                    locals.claim(k == 0 ? call.member : call.member + "_" + more);
            }
            continue;
        }
        const auto dies = std::find_if(call.inputs.begin(), call.inputs.end(),
                                       [&](const Value& value) { return last_use[value] == i; });
        if (!names.contains(call.outputs[0]))
            names[call.outputs[0]] =
                dies != call.inputs.end() ? names.at(*dies) : locals.claim(call.member);
    }
    (void)outline;
    return names;
}

} // namespace wiregrad::graph

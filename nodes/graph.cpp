#include "nodes/graph.h"

#include <fmt/core.h>

#include <algorithm>
#include <queue>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "engine/core/error.h"
#include "nodes/graph_access.h"

namespace wiregrad::graph {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// "conv2" before "conv10": digits compare by value.
bool natural_less(const std::string& a, const std::string& b) {
    std::size_t i = 0, j = 0;
    while (i < a.size() && j < b.size()) {
        if (is_digit(a[i]) && is_digit(b[j])) {
            std::size_t i_end = i, j_end = j;
            while (i_end < a.size() && is_digit(a[i_end]))
                ++i_end;
            while (j_end < b.size() && is_digit(b[j_end]))
                ++j_end;
            const auto strip = [](const std::string& text, std::size_t from, std::size_t to) {
                while (from + 1 < to && text[from] == '0')
                    ++from;
                return std::string_view(text).substr(from, to - from);
            };
            const auto x = strip(a, i, i_end), y = strip(b, j, j_end);
            if (x.size() != y.size()) return x.size() < y.size();
            if (x != y) return x < y;
            i = i_end;
            j = j_end;
        } else if (a[i] != b[j]) {
            return a[i] < b[j];
        } else {
            ++i;
            ++j;
        }
    }
    if ((i < a.size()) != (j < b.size())) return j < b.size();
    return a < b;
}

} // namespace

std::string Wire::str() const {
    return fmt::format("{}.{} -> {}.{}", from, from_port, to, to_port);
}

const Node* Graph::node(const std::string& id) const {
    const auto it = nodes_.find(id);
    return it == nodes_.end() ? nullptr : &it->second;
}

const Node* Graph::find(const std::string& id_or_name) const {
    if (const Node* by_id = node(id_or_name)) return by_id;
    const Node* found = nullptr;
    for (const auto& [id, candidate] : nodes_)
        if (!candidate.name.empty() && candidate.name == id_or_name) {
            if (found) return nullptr;
            found = &candidate;
        }
    return found;
}

std::vector<Wire> Graph::wires_into(const std::string& id) const {
    std::vector<Wire> result;
    std::copy_if(wires_.begin(), wires_.end(), std::back_inserter(result),
                 [&](const Wire& wire) { return wire.to == id; });
    return result;
}

std::vector<Wire> Graph::wires_out_of(const std::string& id) const {
    std::vector<Wire> result;
    std::copy_if(wires_.begin(), wires_.end(), std::back_inserter(result),
                 [&](const Wire& wire) { return wire.from == id; });
    return result;
}

std::string Graph::fresh_id(const std::string& type) const {
    std::string stem;
    for (char c : type) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        const bool allowed = (c >= 'a' && c <= 'z') || is_digit(c) || c == '_';
        stem += allowed ? c : '_';
    }
    // "Conv2d" gives "conv1", not "conv2d1".
    if (stem.size() > 2 && stem.back() == 'd' && is_digit(stem[stem.size() - 2]))
        stem.resize(stem.size() - 2);
    constexpr std::string_view kLoss = "loss";
    if (stem.size() > kLoss.size() && stem.ends_with(kLoss))
        stem.resize(stem.size() - kLoss.size());
    stem.resize(std::min<std::size_t>(stem.size(), 40));
    if (stem.empty() || stem[0] < 'a' || stem[0] > 'z') stem = "node" + stem;
    if (is_digit(stem.back())) stem += '_';
    for (std::int64_t number = 1;; ++number)
        if (auto id = stem + std::to_string(number); !nodes_.contains(id)) return id;
}

std::vector<std::string> Graph::topological_order() const {
    std::unordered_map<std::string_view, std::vector<const std::string*>> targets;
    std::unordered_map<std::string_view, int> waiting;
    for (const Wire& wire : wires_) {
        targets[wire.from].push_back(&wire.to);
        ++waiting[wire.to];
    }
    const auto later = [](const std::string* a, const std::string* b) {
        return natural_less(*b, *a);
    };
    std::priority_queue<const std::string*, std::vector<const std::string*>, decltype(later)> ready(
        later);
    for (const auto& [id, node] : nodes_)
        if (!waiting.contains(id)) ready.push(&id);
    std::vector<std::string> order;
    order.reserve(nodes_.size());
    while (!ready.empty()) {
        const std::string* id = ready.top();
        ready.pop();
        order.push_back(*id);
        if (const auto it = targets.find(*id); it != targets.end())
            for (const std::string* target : it->second)
                if (--waiting[*target] == 0) ready.push(target);
    }
    return order;
}

bool Graph::reaches(const std::string& from, const std::string& to) const {
    std::unordered_map<std::string_view, std::vector<std::string_view>> targets;
    for (const Wire& wire : wires_)
        targets[wire.from].push_back(wire.to);
    std::vector<std::string_view> open{to};
    std::unordered_set<std::string_view> seen{to};
    while (!open.empty()) {
        const std::string_view at = open.back();
        open.pop_back();
        if (at == from) return true;
        if (const auto it = targets.find(at); it != targets.end())
            for (std::string_view next : it->second)
                if (seen.insert(next).second) open.push_back(next);
    }
    return false;
}

const std::vector<Position>& Graph::bends(const Wire& wire) const {
    static const std::vector<Position> kNone;
    const auto it = bends_.find(wire);
    return it == bends_.end() ? kNone : it->second;
}

namespace {

/// One sheet: its nodes, wires and bends.
void check_sheet(const Graph& graph) {
    for (const auto& [id, node] : graph.nodes()) {
        if (id != node.id)
            throw Error(fmt::format("node \"{}\" is stored as \"{}\"", node.id, id), id);
        if (!valid_id(id)) throw Error(fmt::format("\"{}\" is not an id", id), id);
        if (node.type == "Group") {
            if (auto reason = refuse_group(graph, node.group); !reason.empty())
                throw Error(reason, id);
        } else if (!node.group.empty()) {
            throw Error("a group's definition is named by what is no group", id);
        }
        if ((node.type == "GroupInput" || node.type == "GroupOutput") && graph.sheet_id().empty())
            throw Error("a port of a group stands outside of groups", id);
        if (const NodeType* type = graph.type_of(node))
            for (const ParamSpec& spec : type->params)
                if (!node.params.contains(spec.id))
                    throw Error(fmt::format("parameter \"{}\" is missing", spec.id), id);
    }
    std::set<Wire> seen;
    std::set<std::pair<std::string, std::string>> taken;
    for (const Wire& wire : graph.wires()) {
        const Node* from = graph.node(wire.from);
        const Node* to = graph.node(wire.to);
        if (!from || !to)
            throw Error(fmt::format("wire {} has a missing end", wire.str()),
                        from ? wire.to : wire.from);
        if (!seen.insert(wire).second)
            throw Error(fmt::format("wire {} is there twice", wire.str()), wire.to);
        const NodeType* from_type = graph.type_of(*from);
        const NodeType* to_type = graph.type_of(*to);
        const PortSpec* output = from_type ? from_type->output(wire.from_port) : nullptr;
        const PortSpec* input = to_type ? to_type->input(wire.to_port) : nullptr;
        if (from_type && !output)
            throw Error(fmt::format("wire {} starts at a port that {} does not have", wire.str(),
                                    from->type),
                        wire.from);
        if (to_type && !input)
            throw Error(
                fmt::format("wire {} ends at a port that {} does not have", wire.str(), to->type),
                wire.to);
        if (input && output && !kinds_fit(output->kind, input->kind))
            throw Error(fmt::format("wire {} joins ports of different kinds", wire.str()), wire.to);
        if (input && !input->many && !taken.emplace(wire.to, wire.to_port).second)
            throw Error(fmt::format("input {}.{} has two wires", wire.to, wire.to_port), wire.to);
    }
    for (const auto& [wire, bends] : graph.all_bends())
        if (!seen.contains(wire) || bends.empty())
            throw Error(fmt::format("bends of a wire {} that is not there", wire.str()), wire.to);
    if (graph.topological_order().size() != graph.nodes().size())
        throw Error("the wires form a cycle");
}

} // namespace

void Graph::check_consistency() const {
    check_sheet(*this);
    for (const auto& [id, definition] : definitions_) {
        if (id != definition->id)
            throw Error(fmt::format("group \"{}\" is stored as \"{}\"", definition->id, id));
        if (!valid_id(id)) throw Error(fmt::format("\"{}\" is not an id", id));
        if (!definition->type ||
            !same_interface(*definition->type, instance_type(*this, *definition)))
            throw Error(fmt::format("the ports of group \"{}\" are out of date", id));
        if (id != sheet_) check_sheet(sheet(id));
    }
}

bool valid_id(const std::string& id) {
    if (id.empty() || id.size() > 64 || id[0] < 'a' || id[0] > 'z') return false;
    return std::all_of(id.begin(), id.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '_'; });
}

bool valid_utf8(const std::string& text) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    const std::size_t size = text.size();
    for (std::size_t i = 0; i < size;) {
        const unsigned lead = bytes[i];
        const int more = lead < 0x80                   ? 0
                         : lead >= 0xC2 && lead < 0xE0 ? 1
                         : lead >= 0xE0 && lead < 0xF0 ? 2
                         : lead >= 0xF0 && lead < 0xF5 ? 3
                                                       : -1;
        if (more < 0 || i + static_cast<std::size_t>(more) >= size) return false;
        unsigned code = more == 0 ? lead : lead & (0x3FU >> more);
        for (int k = 1; k <= more; ++k) {
            const unsigned next = bytes[i + static_cast<std::size_t>(k)];
            if ((next & 0xC0U) != 0x80U) return false;
            code = (code << 6) | (next & 0x3FU);
        }
        // Overlong forms, surrogates and what lies past the last code point are not UTF-8.
        if ((more == 2 && code < 0x800) || (more == 3 && (code < 0x10000 || code > 0x10FFFF)) ||
            (code >= 0xD800 && code < 0xE000))
            return false;
        i += static_cast<std::size_t>(more) + 1;
    }
    return true;
}

std::string check_training(const Training& training) {
    if (training.epochs < 1 || training.epochs > 1000000)
        return fmt::format("epochs must be from 1 to 1000000, got {}", training.epochs);
    if (training.batch_size < 1 || training.batch_size > 1000000)
        return fmt::format("batch_size must be from 1 to 1000000, got {}", training.batch_size);
    if (training.device != "auto" && training.device != "cpu" && training.device != "cuda")
        return fmt::format("device must be one of auto, cpu, cuda, got \"{}\"", training.device);
    return {};
}

} // namespace wiregrad::graph

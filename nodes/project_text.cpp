// Writing a project's text: one node, wire or position a line, the same bytes for the same graph.
#include <fmt/core.h>
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "nodes/flatten.h"
#include "nodes/graph_access.h"
#include "nodes/project.h"

namespace wiregrad::graph {

namespace {

using Json = nlohmann::json;

std::string quoted(const std::string& text) {
    return Json(text).dump();
}

std::string number(double value, const std::string& path) {
    if (!std::isfinite(value)) throw ValueError(fmt::format("{} is not a finite number", path));
    return real_text(value);
}

} // namespace

std::string value_json(const ParamValue& value, const std::string& path) {
    struct Visitor {
        const std::string& path;
        std::string operator()(bool flag) const { return flag ? "true" : "false"; }
        std::string operator()(std::int64_t integer) const { return std::to_string(integer); }
        std::string operator()(double real) const { return number(real, path); }
        std::string operator()(const std::string& text) const { return quoted(text); }
        std::string operator()(const std::vector<std::int64_t>& list) const {
            return fmt::format("[{}]", fmt::join(list, ", "));
        }
    };
    return std::visit(Visitor{path}, value);
}

namespace {

Json extra_json(const std::string& extra) {
    return extra.empty() ? Json::object() : Json::parse(extra);
}

/// The members of a JSON object that stand on one line: "key": value, ...
class Members {
  public:
    void add(const std::string& key, const std::string& json) {
        text_ += fmt::format("{}{}: {}", text_.empty() ? "" : ", ", quoted(key), json);
    }
    void add_all(const Json& object) {
        for (const auto& [key, value] : object.items())
            add(key, value.dump());
    }
    std::string object() const { return "{" + text_ + "}"; }

  private:
    std::string text_;
};

std::string node_line(const Graph& graph, const Node& node) {
    Json extra = extra_json(node.extra);
    Members params;
    // In the order of the declaration; what the type does not know follows.
    const NodeType* type = graph.type_of(node);
    const auto path = [&](const std::string& id) {
        return fmt::format("nodes.{}.params.{}", node.id, id);
    };
    if (type)
        for (const ParamSpec& spec : type->params)
            if (const auto it = node.params.find(spec.id);
                it != node.params.end() && !(spec.later && it->second == spec.standard))
                params.add(spec.id, value_json(it->second, path(spec.id)));
    for (const auto& [id, value] : node.params)
        if (!type || !type->param(id)) params.add(id, value_json(value, path(id)));
    if (const auto it = extra.find("params"); it != extra.end()) {
        params.add_all(*it);
        extra.erase("params");
    }
    Members members;
    members.add("id", quoted(node.id));
    members.add("type", quoted(node.type));
    members.add("v", std::to_string(node.version));
    if (!node.group.empty()) members.add("group", quoted(node.group));
    if (!node.name.empty()) members.add("name", quoted(node.name));
    members.add("params", params.object());
    if (node.muted) members.add("muted", "true");
    if (node.collapsed) members.add("collapsed", "true");
    if (node.pinned) members.add("pinned", "true");
    members.add_all(extra);
    return members.object();
}

std::string block(const std::vector<std::string>& lines, char open, char close, int indent = 2) {
    if (lines.empty()) return {open, close};
    const std::string inner = ",\n" + std::string(static_cast<std::size_t>(indent) + 2, ' ');
    return fmt::format("{}{}{}\n{:{}}{}", open, inner.substr(1), fmt::join(lines, inner), "",
                       indent, close);
}

/// Nodes, wires, bends and positions of one sheet, as members of an object.
std::vector<std::string> sheet_members(const Graph& graph, const Json& stray_positions,
                                       const Json& stray_bends, int indent) {
    std::vector<std::string> nodes, wires, bends, positions;
    const auto place = [](const Position& at, const std::string& path) {
        return fmt::format("[{}, {}]", number(at.x, path), number(at.y, path));
    };
    for (const auto& [id, node] : graph.nodes()) {
        nodes.push_back(node_line(graph, node));
        positions.push_back(fmt::format("{}: {}", quoted(id),
                                        place(node.position, fmt::format("positions.{}", id))));
    }
    for (const auto& [id, value] : stray_positions.items())
        positions.push_back(fmt::format("{}: {}", quoted(id), value.dump()));
    for (const Wire& wire : graph.wires()) {
        wires.push_back(quoted(wire.str()));
        if (const auto& points = graph.bends(wire); !points.empty()) {
            std::vector<std::string> texts;
            for (const Position& point : points)
                texts.push_back(place(point, "bends"));
            bends.push_back(fmt::format("{}: [{}]", quoted(wire.str()), fmt::join(texts, ", ")));
        }
    }
    for (const auto& [id, value] : stray_bends.items())
        bends.push_back(fmt::format("{}: {}", quoted(id), value.dump()));
    std::vector<std::string> members{"\"nodes\": " + block(nodes, '[', ']', indent),
                                     "\"wires\": " + block(wires, '[', ']', indent)};
    if (!bends.empty()) members.push_back("\"bends\": " + block(bends, '{', '}', indent));
    members.push_back("\"positions\": " + block(positions, '{', '}', indent));
    return members;
}

Json take_object(Json& from, const char* key) {
    Json part = Json::object();
    if (const auto it = from.find(key); it != from.end()) {
        part = *it;
        from.erase(key);
    }
    return part;
}

std::string definition_text(const Graph& graph, const Definition& definition) {
    Json extra = extra_json(definition.extra);
    const Json stray_positions = take_object(extra, "positions"),
               stray_bends = take_object(extra, "bends");
    std::vector<std::string> members{"\"name\": " + quoted(definition.name)};
    if (!definition.help.empty()) members.push_back("\"help\": " + quoted(definition.help));
    for (const auto& [key, value] : extra.items())
        members.push_back(fmt::format("{}: {}", quoted(key), value.dump()));
    std::vector<std::string> exposed;
    for (const Exposed& one : definition.exposed) {
        Members line;
        line.add("id", quoted(one.id));
        line.add("node", quoted(one.node));
        line.add("param", quoted(one.param));
        if (!one.label.empty()) line.add("label", quoted(one.label));
        exposed.push_back(line.object());
    }
    if (!exposed.empty()) members.push_back("\"exposed\": " + block(exposed, '[', ']', 6));
    const auto rest = sheet_members(graph.sheet(definition.id), stray_positions, stray_bends, 6);
    members.insert(members.end(), rest.begin(), rest.end());
    return fmt::format("{}: {}", quoted(definition.id), block(members, '{', '}', 4));
}

} // namespace

std::string to_text(const Graph& graph) {
    Json extra = extra_json(graph.extra());
    const Training& settings = graph.training();
    Members training;
    training.add("epochs", std::to_string(settings.epochs));
    training.add("batch_size", std::to_string(settings.batch_size));
    training.add("seed", std::to_string(settings.seed));
    training.add("device", quoted(settings.device));
    training.add_all(take_object(extra, "training"));
    const Json stray_positions = take_object(extra, "positions"),
               stray_bends = take_object(extra, "bends");
    // The oldest format that can hold it, so that older versions open what they understand.
    const int version = graph.definitions().empty() ? 1 : kFormatVersion;

    std::string text = "{\n";
    const auto member = [&](const std::string& key, const std::string& json) {
        text += fmt::format("  {}: {},\n", quoted(key), json);
    };
    member("format", quoted("wiregrad"));
    member("format_version", std::to_string(version));
    member("title", quoted(graph.title()));
    member("description", quoted(graph.description()));
    member("training", training.object());
    for (const auto& [key, value] : extra.items())
        member(key, value.dump());
    if (!graph.definitions().empty()) {
        std::vector<std::string> groups;
        for (const auto& [id, definition] : graph.definitions())
            groups.push_back(definition_text(graph, *definition));
        member("groups", block(groups, '{', '}'));
    }
    text += fmt::format("  {}\n}}\n",
                        fmt::join(sheet_members(graph, stray_positions, stray_bends, 2), ",\n  "));
    return text;
}

std::string graph_hash(const Graph& whole) {
    const Flat flat = flatten(whole);
    const Graph& graph = *flat.graph;
    // FNV-1a over a canonical text of what weights belong to.
    std::uint64_t hash = 14695981039346656037U;
    const auto feed = [&](const std::string& text) {
        for (const char c : text + '\n')
            hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    };
    const auto counts = [&](const std::string& id) {
        const Node* node = graph.node(id);
        const NodeType* type = node ? find_type(node->type) : nullptr;
        return node && (!type || type->role == Role::Layer || type->role == Role::Input ||
                        type->role == Role::Dataset);
    };
    for (const auto& [id, node] : graph.nodes()) {
        if (!counts(id)) continue;
        const NodeType* type = find_type(node.type);
        feed(fmt::format("{} {} {} {}", id, node.type, node.version, node.muted));
        if (const auto it = flat.shared.find(id); it != flat.shared.end()) feed(it->second);
        // Which data comes in changes the weights' sizes at most, and those are compared when they
        // are loaded.
        if (!type || type->role == Role::Layer)
            for (const auto& [param, value] : node.params) {
                const ParamSpec* spec = type ? type->param(param) : nullptr;
                if (spec && spec->later && value == spec->standard) continue;
                feed(fmt::format("{}={}", param, value_json(value, param)));
            }
        for (const Wire& wire : graph.wires())
            if (wire.to == id && counts(wire.from)) feed(wire.str());
    }
    return fmt::format("{:016x}", hash);
}

} // namespace wiregrad::graph

#include "nodes/project.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/core/error.h"
#include "nodes/graph_access.h"
#include "nodes/migrate.h"

namespace wiregrad::graph {

namespace {

using Json = nlohmann::json;
using Access = GraphAccess;

constexpr std::size_t kMaxBytes = 64U << 20;
constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxValues = 2'000'000;
constexpr std::size_t kMaxNodes = 20'000;
constexpr std::size_t kMaxWires = 100'000;

// ---------------------------------------------------------------- writing

std::string quoted(const std::string& text) {
    return Json(text).dump();
}

std::string number(double value, const std::string& path) {
    if (!std::isfinite(value)) throw ValueError(fmt::format("{} is not a finite number", path));
    return real_text(value);
}

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

std::string node_line(const Node& node) {
    Json extra = extra_json(node.extra);
    Members params;
    // In the order of the declaration; what the type does not know follows.
    const NodeType* type = find_type(node.type);
    const auto path = [&](const std::string& id) {
        return fmt::format("nodes.{}.params.{}", node.id, id);
    };
    if (type)
        for (const ParamSpec& spec : type->params)
            if (const auto it = node.params.find(spec.id); it != node.params.end())
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
    if (!node.name.empty()) members.add("name", quoted(node.name));
    members.add("params", params.object());
    if (node.muted) members.add("muted", "true");
    if (node.collapsed) members.add("collapsed", "true");
    members.add_all(extra);
    return members.object();
}

std::string block(const std::vector<std::string>& lines, char open, char close) {
    if (lines.empty()) return {open, close};
    return fmt::format("{}\n    {}\n  {}", open, fmt::join(lines, ",\n    "), close);
}

// ---------------------------------------------------------------- reading

/// Where things begin in a JSON text, found by one pass over its characters: for messages, and to
/// refuse what is too deep or too long before anything is built from it.
class Outline {
  public:
    Outline(const std::string& text, const std::string& name) {
        int depth = 0, line = 1;
        std::size_t values = 0;
        bool expect_element = false;
        std::string key;
        for (std::size_t i = 0; i < text.size(); ++i) {
            const char c = text[i];
            if (c == '\n') ++line;
            if (c == ' ' || c == '\n' || c == '\t' || c == '\r') continue;
            if (expect_element && c != ']' && c != '}') {
                elements_[key].push_back(line);
                expect_element = false;
            }
            if (c == '"') {
                const std::size_t begin = i + 1;
                for (++i; i < text.size() && text[i] != '"'; ++i) {
                    line += text[i] == '\n';
                    i += text[i] == '\\';
                }
                if (depth == 1 && is_key(text, i + 1)) {
                    key = text.substr(begin, std::min(i, text.size()) - begin);
                    keys_[key] = line;
                }
            } else if (c == '[' || c == '{') {
                if (++depth > kMaxDepth)
                    throw FileError(
                        fmt::format("line {}: nested deeper than {} levels", line, kMaxDepth),
                        name);
                ++values;
                expect_element = depth == 2;
            } else if (c == ']' || c == '}') {
                --depth;
                expect_element = false;
            } else if (c == ',') {
                ++values;
                expect_element = depth == 2;
            }
            if (values > kMaxValues)
                throw FileError(fmt::format("line {}: more than {} values", line, kMaxValues),
                                name);
        }
    }

    int line_of(const std::string& key) const {
        const auto it = keys_.find(key);
        return it == keys_.end() ? 1 : it->second;
    }
    int line_of(const std::string& key, std::size_t element) const {
        const auto it = elements_.find(key);
        return it == elements_.end() || element >= it->second.size() ? line_of(key)
                                                                     : it->second[element];
    }

  private:
    static bool is_key(const std::string& text, std::size_t at) {
        at = text.find_first_not_of(" \t\r\n", at);
        return at != std::string::npos && text[at] == ':';
    }
    std::map<std::string, int> keys_;
    std::map<std::string, std::vector<int>> elements_;
};

int line_at(const std::string& text, std::size_t byte) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(byte, text.size()));
    return 1 + static_cast<int>(std::count(text.begin(), end, '\n'));
}

const char* json_kind(const Json& json) {
    return json.type_name();
}

class Reader {
  public:
    Reader(const std::string& text, const std::string& name)
        : name_(name), outline_(check(text, name), name) {
        Json root;
        try {
            root = Json::parse(text);
        } catch (const Json::parse_error& error) {
            // The library's text ends in its reason, after the position that is said here as a
            // line.
            const std::string what = error.what();
            const auto dash = what.rfind(" - ");
            throw FileError(fmt::format("line {}: not JSON: {}",
                                        line_at(text, error.byte > 0 ? error.byte - 1 : 0),
                                        dash == std::string::npos ? what : what.substr(dash + 3)),
                            name);
        } catch (const Json::exception&) {
            throw FileError("a number is too large", name);
        }
        if (!root.is_object())
            throw FileError(
                fmt::format("line 1: a project is an object, this is {}", json_kind(root)), name);
        read_head(root);
        read_training(root);
        read_nodes(root);
        read_positions(root);
        read_wires(root);
        Json extra = Json::object();
        for (const auto& [key, value] : root.items())
            if (!known_key(key)) extra[key] = value;
        if (!training_extra_.empty()) extra["training"] = training_extra_;
        if (!stray_positions_.empty()) extra["positions"] = stray_positions_;
        if (!extra.empty()) Access::extra(graph_) = extra.dump();
    }

    Graph take() { return std::move(graph_); }

  private:
    static const std::string& check(const std::string& text, const std::string& name) {
        if (text.size() > kMaxBytes)
            throw FileError(fmt::format("{} bytes are too many for a project (at most {})",
                                        text.size(), kMaxBytes),
                            name);
        return text;
    }
    static bool known_key(const std::string& key) {
        static constexpr const char* kKeys[] = {"format",      "format_version", "title",
                                                "description", "training",       "nodes",
                                                "wires",       "positions"};
        return std::any_of(std::begin(kKeys), std::end(kKeys),
                           [&](const char* known) { return key == known; });
    }
    [[noreturn]] void fail(int line, const std::string& reason) const {
        throw FileError(fmt::format("line {}: {}", line, reason), name_);
    }
    [[noreturn]] void fail(const std::string& key, const std::string& reason) const {
        fail(outline_.line_of(key), reason);
    }

    std::string text_at(const Json& object, const char* key, int line,
                        bool required = false) const {
        const auto it = object.find(key);
        if (it == object.end()) {
            if (required) fail(line, fmt::format("\"{}\" is missing", key));
            return {};
        }
        if (!it->is_string())
            fail(line, fmt::format("\"{}\" must be text, is {}", key, json_kind(*it)));
        return it->get<std::string>();
    }
    std::int64_t integer_at(const Json& object, const char* key, int line,
                            std::int64_t standard) const {
        const auto it = object.find(key);
        if (it == object.end()) return standard;
        if (!it->is_number_integer() ||
            (it->is_number_unsigned() && it->get<std::uint64_t>() > INT64_MAX))
            fail(line, fmt::format("\"{}\" must be a whole number, is {}", key, it->dump()));
        return it->get<std::int64_t>();
    }
    bool flag_at(const Json& object, const char* key, int line) const {
        const auto it = object.find(key);
        if (it == object.end()) return false;
        if (!it->is_boolean())
            fail(line, fmt::format("\"{}\" must be true or false, is {}", key, json_kind(*it)));
        return it->get<bool>();
    }

    void read_head(const Json& root) {
        const std::string format = text_at(root, "format", outline_.line_of("format"), true);
        if (format != "wiregrad")
            fail("format", fmt::format("this is a \"{}\" file, not a \"wiregrad\" one",
                                       format.substr(0, 40)));
        const int line = outline_.line_of("format_version");
        if (!root.contains("format_version")) fail(line, "\"format_version\" is missing");
        const std::int64_t version = integer_at(root, "format_version", line, 0);
        if (version < 1)
            fail(line, fmt::format("format_version must be at least 1, got {}", version));
        if (version > kFormatVersion)
            fail(line, fmt::format("made by a newer Wiregrad (format {}; this one reads up to {})",
                                   version, kFormatVersion));
        Access::title(graph_) = text_at(root, "title", outline_.line_of("title"));
        Access::description(graph_) = text_at(root, "description", outline_.line_of("description"));
    }

    void read_training(const Json& root) {
        const auto it = root.find("training");
        if (it == root.end()) return;
        const int line = outline_.line_of("training");
        if (!it->is_object())
            fail(line, fmt::format("\"training\" must be an object, is {}", json_kind(*it)));
        Training training;
        training.epochs = integer_at(*it, "epochs", line, training.epochs);
        training.batch_size = integer_at(*it, "batch_size", line, training.batch_size);
        if (const auto seed = it->find("seed"); seed != it->end()) {
            if (!seed->is_number_unsigned())
                fail(line,
                     fmt::format("\"seed\" must be a whole number from 0, is {}", seed->dump()));
            training.seed = seed->get<std::uint64_t>();
        }
        if (it->contains("device")) training.device = text_at(*it, "device", line);
        if (auto problem = check_training(training); !problem.empty()) fail(line, problem);
        Access::training(graph_) = training;
        for (const auto& [key, value] : it->items())
            if (key != "epochs" && key != "batch_size" && key != "seed" && key != "device")
                training_extra_[key] = value;
    }

    void read_nodes(const Json& root) {
        const auto it = root.find("nodes");
        if (it == root.end()) return;
        if (!it->is_array())
            fail("nodes", fmt::format("\"nodes\" must be a list, is {}", json_kind(*it)));
        if (it->size() > kMaxNodes)
            fail("nodes", fmt::format("{} nodes are too many (at most {})", it->size(), kMaxNodes));
        for (std::size_t i = 0; i < it->size(); ++i)
            read_node((*it)[i], outline_.line_of("nodes", i));
    }

    void read_node(const Json& json, int line) {
        if (!json.is_object())
            fail(line, fmt::format("a node must be an object, is {}", json_kind(json)));
        Node node;
        node.id = text_at(json, "id", line, true);
        if (!valid_id(node.id))
            fail(line,
                 fmt::format("\"{}\" cannot be the id of a node: small letters, digits and _ only",
                             node.id.substr(0, 80)));
        if (graph_.node(node.id)) fail(line, fmt::format("there are two nodes \"{}\"", node.id));
        node.type = text_at(json, "type", line, true);
        const std::int64_t version = integer_at(json, "v", line, 1);
        if (version < 1 || version > 1'000'000)
            fail(line, fmt::format("\"v\" must be from 1 to 1000000, got {}", version));
        node.version = static_cast<int>(version);
        node.name = text_at(json, "name", line);
        node.muted = flag_at(json, "muted", line);
        node.collapsed = flag_at(json, "collapsed", line);
        Json extra = Json::object();
        for (const auto& [key, value] : json.items())
            if (key != "id" && key != "type" && key != "v" && key != "name" && key != "params" &&
                key != "muted" && key != "collapsed")
                extra[key] = value;
        const NodeType* type = find_type(node.type);
        if (const auto params = json.find("params"); params != json.end()) {
            if (!params->is_object())
                fail(line, fmt::format("\"params\" must be an object, is {}", json_kind(*params)));
            Json unknown = Json::object();
            for (const auto& [key, value] : params->items())
                if (!read_param(value, node.params[key])) {
                    node.params.erase(key);
                    unknown[key] = value;
                }
            if (type) finish_params(*type, node, unknown);
            if (!unknown.empty()) extra["params"] = std::move(unknown);
        } else if (type) {
            Json unknown = Json::object();
            finish_params(*type, node, unknown);
        }
        if (!extra.empty()) node.extra = extra.dump();
        Access::nodes(graph_).emplace(node.id, std::move(node));
    }

    /// Brings the parameters to this version's declaration: migrated, completed, in the kinds that
    /// are declared.
    static void finish_params(const NodeType& type, Node& node, Json& unknown) {
        migrate(type, node);
        for (auto it = node.params.begin(); it != node.params.end();) {
            if (type.param(it->first)) {
                ++it;
                continue;
            }
            unknown[it->first] = Json::parse(value_json(it->second, it->first));
            it = node.params.erase(it);
        }
        for (const ParamSpec& spec : type.params) {
            unknown.erase(
                spec.id); // a value of no kind that a parameter can have gives way to the default
            auto [it, is_new] = node.params.emplace(spec.id, spec.standard);
            if (!is_new) it->second = conform(spec, it->second);
        }
    }

    /// False for what no parameter holds: null, objects, mixed lists, integers past 64 bits.
    static bool read_param(const Json& json, ParamValue& value) {
        if (json.is_boolean()) {
            value = json.get<bool>();
        } else if (json.is_number_integer()) {
            if (json.is_number_unsigned() && json.get<std::uint64_t>() > INT64_MAX) return false;
            value = json.get<std::int64_t>();
        } else if (json.is_number_float()) {
            value = json.get<double>();
        } else if (json.is_string()) {
            value = json.get<std::string>();
        } else if (json.is_array()) {
            std::vector<std::int64_t> list;
            for (const Json& element : json) {
                if (!element.is_number_integer() ||
                    (element.is_number_unsigned() && element.get<std::uint64_t>() > INT64_MAX))
                    return false;
                list.push_back(element.get<std::int64_t>());
            }
            value = std::move(list);
        } else {
            return false;
        }
        return true;
    }

    void read_positions(const Json& root) {
        const auto it = root.find("positions");
        if (it == root.end()) return;
        if (!it->is_object())
            fail("positions",
                 fmt::format("\"positions\" must be an object, is {}", json_kind(*it)));
        std::size_t i = 0;
        for (const auto& [id, place] : it->items()) {
            const int line = outline_.line_of("positions", i++);
            const auto node = Access::nodes(graph_).find(id);
            if (node == Access::nodes(graph_).end()) {
                stray_positions_[id] = place;
                continue;
            }
            if (!place.is_array() || place.size() != 2 || !place[0].is_number() ||
                !place[1].is_number())
                fail(line, fmt::format("the position of \"{}\" must be two numbers, is {}", id,
                                       place.dump().substr(0, 40)));
            node->second.position = {place[0].get<double>(), place[1].get<double>()};
        }
    }

    void read_wires(const Json& root) {
        const auto it = root.find("wires");
        if (it == root.end()) return;
        if (!it->is_array())
            fail("wires", fmt::format("\"wires\" must be a list, is {}", json_kind(*it)));
        if (it->size() > kMaxWires)
            fail("wires", fmt::format("{} wires are too many (at most {})", it->size(), kMaxWires));
        std::set<Wire> seen;
        std::map<std::pair<std::string, std::string>, std::string> taken;
        for (std::size_t i = 0; i < it->size(); ++i) {
            const int line = outline_.line_of("wires", i);
            const Wire wire = read_wire((*it)[i], line);
            const PortSpec* output = check_end(wire, wire.from, wire.from_port, true, line);
            const PortSpec* input = check_end(wire, wire.to, wire.to_port, false, line);
            if (output && input && !kinds_fit(output->kind, input->kind))
                fail(line, fmt::format("wire {} joins ports of different kinds", wire.str()));
            if (!seen.insert(wire).second)
                fail(line, fmt::format("wire {} is there twice", wire.str()));
            if (input && !input->many) {
                const auto [other, free] =
                    taken.emplace(std::pair(wire.to, wire.to_port), wire.from);
                if (!free)
                    fail(line, fmt::format("input {}.{} has two wires, from {} and {}", wire.to,
                                           wire.to_port, other->second, wire.from));
            }
            Access::wires(graph_).push_back(wire);
        }
        const auto order = graph_.topological_order();
        if (order.size() == graph_.nodes().size()) return;
        // Name one wire of the cycle: both ends are missing from the order, and the end feeds the
        // start.
        const std::set<std::string> sorted(order.begin(), order.end());
        for (std::size_t i = 0; i < graph_.wires().size(); ++i) {
            const Wire& wire = graph_.wires()[i];
            if (!sorted.contains(wire.from) && !sorted.contains(wire.to) &&
                graph_.reaches(wire.from, wire.to))
                fail(outline_.line_of("wires", i),
                     fmt::format("wire {} closes a cycle", wire.str()));
        }
        fail("wires", "the wires form a cycle");
    }

    Wire read_wire(const Json& json, int line) const {
        if (!json.is_string())
            fail(line, fmt::format("a wire must be text like \"conv1.out -> relu1.in\", is {}",
                                   json_kind(json)));
        const std::string& text = json.get_ref<const std::string&>();
        const auto arrow = text.find(" -> ");
        const auto from_dot = text.find('.');
        const auto to_dot = arrow == std::string::npos ? arrow : text.find('.', arrow);
        if (arrow == std::string::npos || from_dot > arrow || to_dot == std::string::npos)
            fail(line, fmt::format("a wire must be text like \"conv1.out -> relu1.in\", is \"{}\"",
                                   text.substr(0, 80)));
        const Wire wire{text.substr(0, from_dot), text.substr(from_dot + 1, arrow - from_dot - 1),
                        text.substr(arrow + 4, to_dot - arrow - 4), text.substr(to_dot + 1)};
        const auto bad = [](const std::string& port) {
            return port.empty() || port.find(' ') != std::string::npos;
        };
        if (bad(wire.from_port) || bad(wire.to_port))
            fail(line, fmt::format("a wire must be text like \"conv1.out -> relu1.in\", is \"{}\"",
                                   text.substr(0, 80)));
        return wire;
    }

    const PortSpec* check_end(const Wire& wire, const std::string& id, const std::string& port,
                              bool output, int line) const {
        const Node* node = graph_.node(id);
        if (!node)
            fail(line, fmt::format("wire {} {} at \"{}\", and there is no such node", wire.str(),
                                   output ? "starts" : "ends", id));
        const NodeType* type = find_type(node->type);
        if (!type) return nullptr;
        const PortSpec* spec = output ? type->output(port) : type->input(port);
        if (!spec)
            fail(line, fmt::format("wire {}: {} has no {} \"{}\"", wire.str(), node->type,
                                   output ? "output" : "input", port));
        return spec;
    }

    const std::string& name_;
    Outline outline_;
    Graph graph_;
    Json training_extra_ = Json::object();
    Json stray_positions_ = Json::object();
};

} // namespace

std::string to_text(const Graph& graph) {
    Json extra = extra_json(graph.extra());
    const auto take = [&](const char* key) {
        Json part = Json::object();
        if (const auto it = extra.find(key); it != extra.end()) {
            part = *it;
            extra.erase(key);
        }
        return part;
    };
    const Training& settings = graph.training();
    Members training;
    training.add("epochs", std::to_string(settings.epochs));
    training.add("batch_size", std::to_string(settings.batch_size));
    training.add("seed", std::to_string(settings.seed));
    training.add("device", quoted(settings.device));
    training.add_all(take("training"));
    const Json stray_positions = take("positions");

    std::vector<std::string> nodes, wires, positions;
    for (const auto& [id, node] : graph.nodes()) {
        nodes.push_back(node_line(node));
        positions.push_back(fmt::format("{}: [{}, {}]", quoted(id),
                                        number(node.position.x, fmt::format("positions.{}", id)),
                                        number(node.position.y, fmt::format("positions.{}", id))));
    }
    for (const auto& [id, place] : stray_positions.items())
        positions.push_back(fmt::format("{}: {}", quoted(id), place.dump()));
    for (const Wire& wire : graph.wires())
        wires.push_back(quoted(wire.str()));

    std::string text = "{\n";
    const auto member = [&](const std::string& key, const std::string& json) {
        text += fmt::format("  {}: {},\n", quoted(key), json);
    };
    member("format", quoted("wiregrad"));
    member("format_version", std::to_string(kFormatVersion));
    member("title", quoted(graph.title()));
    member("description", quoted(graph.description()));
    member("training", training.object());
    for (const auto& [key, value] : extra.items())
        member(key, value.dump());
    member("nodes", block(nodes, '[', ']'));
    member("wires", block(wires, '[', ']'));
    text += fmt::format("  {}: {}\n}}\n", quoted("positions"), block(positions, '{', '}'));
    return text;
}

Graph from_text(const std::string& text, const std::string& name) {
    return Reader(text, name).take();
}

std::string weights_path(const std::string& project_path) {
    constexpr std::string_view kSuffix = ".wiregrad";
    std::string stem = project_path;
    if (stem.size() > kSuffix.size() && stem.ends_with(kSuffix))
        stem.resize(stem.size() - kSuffix.size());
    return stem + ".weights.h5";
}

std::string graph_hash(const Graph& graph) {
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
        // Which data comes in changes the weights' sizes at most, and those are compared when they
        // are loaded.
        if (!type || type->role == Role::Layer)
            for (const auto& [param, value] : node.params)
                feed(fmt::format("{}={}", param, value_json(value, param)));
        for (const Wire& wire : graph.wires())
            if (wire.to == id && counts(wire.from)) feed(wire.str());
    }
    return fmt::format("{:016x}", hash);
}

} // namespace wiregrad::graph

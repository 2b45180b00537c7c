// Reading a project's text: one pass for places and limits, then node by node, with line and reason
// for whatever is wrong.
#include "nodes/project.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
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
constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxValues = 2'000'000;
constexpr std::size_t kMaxNodes = 20'000;
constexpr std::size_t kMaxWires = 100'000;
constexpr std::size_t kMaxGroups = 2'000;

// ---------------------------------------------------------------- reading

/// Where things begin in a JSON text, found by one pass over its characters: for messages, and to
/// refuse what is too deep or too long before anything is built from it. Places are paths of keys:
/// "nodes", "groups/block/wires".
class Outline {
  public:
    Outline(const std::string& text, const std::string& name) {
        int line = 1;
        std::size_t values = 0;
        bool expect_element = false;
        std::vector<std::string> paths; // of the open containers
        std::string key;                // the last key seen in the innermost object
        const auto path_of = [&](const std::string& last) {
            return paths.empty() || paths.back().empty() ? last : paths.back() + "/" + last;
        };
        for (std::size_t i = 0; i < text.size(); ++i) {
            const char c = text[i];
            if (c == '\n') ++line;
            if (c == ' ' || c == '\n' || c == '\t' || c == '\r') continue;
            if (expect_element && c != ']' && c != '}') {
                if (noted(paths.size())) elements_[paths.back()].push_back(line);
                expect_element = false;
            }
            if (c == '"') {
                const std::size_t begin = i + 1;
                for (++i; i < text.size() && text[i] != '"'; ++i) {
                    line += text[i] == '\n';
                    i += text[i] == '\\';
                }
                if (is_key(text, i + 1) && paths.size() <= kNoted) {
                    key = text.substr(begin, std::min(i, text.size()) - begin);
                    keys_[path_of(key)] = line;
                }
            } else if (c == '[' || c == '{') {
                if (paths.size() + 1 > kMaxDepth)
                    throw FileError(
                        fmt::format("line {}: nested deeper than {} levels", line, kMaxDepth),
                        name);
                paths.push_back(noted(paths.size()) || paths.empty() ? path_of(key) : "");
                key.clear();
                ++values;
                expect_element = true;
            } else if (c == ']' || c == '}') {
                if (!paths.empty()) paths.pop_back();
                expect_element = false;
            } else if (c == ',') {
                ++values;
                expect_element = true;
            }
            if (values > kMaxValues)
                throw FileError(fmt::format("line {}: more than {} values", line, kMaxValues),
                                name);
        }
    }

    int line_of(const std::string& path) const {
        const auto it = keys_.find(path);
        return it == keys_.end() ? 1 : it->second;
    }
    int line_of(const std::string& path, std::size_t element) const {
        const auto it = elements_.find(path);
        return it == elements_.end() || element >= it->second.size() ? line_of(path)
                                                                     : it->second[element];
    }

  private:
    static constexpr std::size_t kNoted = 4; ///< levels whose places are kept
    static bool noted(std::size_t depth) { return depth >= 1 && depth <= kNoted; }
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
        read_groups(root);
        Json extra = Json::object();
        read_sheet(root, "", graph_, extra);
        for (const auto& [key, value] : root.items())
            if (!known_key(key)) extra[key] = value;
        if (!training_extra_.empty()) extra["training"] = training_extra_;
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
        static constexpr const char* kKeys[] = {
            "format", "format_version", "title", "description", "training",
            "nodes",  "wires",          "bends", "positions",   "groups"};
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

    /// Definitions, each after those that it holds instances of.
    void read_groups(const Json& root) {
        const auto it = root.find("groups");
        if (it == root.end()) return;
        if (!it->is_object())
            fail("groups", fmt::format("\"groups\" must be an object, is {}", json_kind(*it)));
        if (it->size() > kMaxGroups)
            fail("groups",
                 fmt::format("{} groups are too many (at most {})", it->size(), kMaxGroups));
        enum class Mark { Open, Done };
        std::map<std::string, Mark> marks;
        const std::function<void(const std::string&, int)> visit = [&](const std::string& id,
                                                                       int depth) {
            const Json& json = (*it)[id];
            const int line = outline_.line_of("groups/" + id);
            if (depth > kMaxNesting)
                fail(line, fmt::format("groups may be nested {} deep, not deeper", kMaxNesting));
            if (!json.is_object())
                fail(line, fmt::format("a group must be an object, is {}", json_kind(json)));
            marks[id] = Mark::Open;
            if (const auto nodes = json.find("nodes"); nodes != json.end() && nodes->is_array())
                for (const Json& node : *nodes) {
                    if (!node.is_object()) continue;
                    const auto inner = node.find("group");
                    if (inner == node.end() || !inner->is_string()) continue;
                    const auto& name = inner->get_ref<const std::string&>();
                    if (!it->contains(name)) continue; // said where the node is read
                    const auto mark = marks.find(name);
                    if (mark == marks.end())
                        visit(name, depth + 1);
                    else if (mark->second == Mark::Open)
                        fail(line, fmt::format("group \"{}\" stands in itself", name));
                }
            read_group(id, json, line);
            marks[id] = Mark::Done;
            if (depth_of(graph_, id) == 0)
                fail(line, fmt::format("groups may be nested {} deep, not deeper", kMaxNesting));
        };
        for (const auto& [id, json] : it->items())
            if (!marks.contains(id)) visit(id, 1);
    }

    void read_group(const std::string& id, const Json& json, int line) {
        if (!valid_id(id))
            fail(line,
                 fmt::format("\"{}\" cannot be the id of a group: small letters, digits and _ only",
                             id.substr(0, 80)));
        Definition definition;
        definition.id = id;
        definition.name = text_at(json, "name", line);
        definition.help = text_at(json, "help", line);
        Json extra = Json::object();
        if (const auto list = json.find("exposed"); list != json.end()) {
            const std::string path = "groups/" + id + "/exposed";
            if (!list->is_array())
                fail(path, fmt::format("\"exposed\" must be a list, is {}", json_kind(*list)));
            std::set<std::string> ids;
            for (std::size_t i = 0; i < list->size(); ++i) {
                const int at = outline_.line_of(path, i);
                if (!(*list)[i].is_object()) fail(at, "an exposed parameter must be an object");
                Exposed one{
                    text_at((*list)[i], "id", at, true), text_at((*list)[i], "node", at, true),
                    text_at((*list)[i], "param", at, true), text_at((*list)[i], "label", at)};
                if (!valid_id(one.id) || one.id == "times" || one.id == "weights" ||
                    !ids.insert(one.id).second)
                    fail(at, fmt::format("\"{}\" cannot be the id of a group's parameter",
                                         one.id.substr(0, 80)));
                definition.exposed.push_back(std::move(one));
            }
        }
        Graph body;
        Access::definitions(body) = graph_.definitions();
        Access::sheet(body) = id;
        read_sheet(json, "groups/" + id + "/", body, extra);
        for (const auto& [key, value] : json.items())
            if (key != "name" && key != "help" && key != "exposed" && key != "nodes" &&
                key != "wires" && key != "bends" && key != "positions")
                extra[key] = value;
        if (!extra.empty()) definition.extra = extra.dump();
        definition.body = std::move(body);
        Access::put(graph_, std::move(definition));
    }

    /// One sheet; what belongs to nothing on it goes to `extra`.
    void read_sheet(const Json& json, const std::string& path, Graph& sheet, Json& extra) {
        sheet_ = &sheet;
        path_ = path;
        stray_positions_ = Json::object();
        stray_bends_ = Json::object();
        read_nodes(json);
        read_positions(json);
        read_wires(json);
        read_bends(json);
        if (!stray_positions_.empty()) extra["positions"] = stray_positions_;
        if (!stray_bends_.empty()) extra["bends"] = stray_bends_;
    }

    void read_bends(const Json& root) {
        const auto it = root.find("bends");
        if (it == root.end()) return;
        if (!it->is_object())
            fail(path_ + "bends",
                 fmt::format("\"bends\" must be an object, is {}", json_kind(*it)));
        std::size_t i = 0;
        for (const auto& [text, points] : it->items()) {
            const int line = outline_.line_of(path_ + "bends", i++);
            const auto& wires = sheet_->wires();
            const auto wire = std::find_if(wires.begin(), wires.end(), [&](const Wire& candidate) {
                return candidate.str() == text;
            });
            if (wire == wires.end()) {
                stray_bends_[text] = points;
                continue;
            }
            std::vector<Position> bends;
            const bool list = points.is_array() && !points.empty() && points.size() <= 100;
            if (list)
                for (const Json& point : points)
                    if (point.is_array() && point.size() == 2 && point[0].is_number() &&
                        point[1].is_number())
                        bends.push_back({point[0].get<double>(), point[1].get<double>()});
            if (!list || bends.size() != points.size())
                fail(line, fmt::format("the bends of \"{}\" must be 1 to 100 pairs of numbers",
                                       text.substr(0, 80)));
            Access::bends(*sheet_)[*wire] = std::move(bends);
        }
    }

    void read_nodes(const Json& root) {
        const auto it = root.find("nodes");
        if (it == root.end()) return;
        const std::string path = path_ + "nodes";
        if (!it->is_array())
            fail(path, fmt::format("\"nodes\" must be a list, is {}", json_kind(*it)));
        node_count_ += it->size();
        if (node_count_ > kMaxNodes)
            fail(path, fmt::format("{} nodes are too many (at most {})", node_count_, kMaxNodes));
        for (std::size_t i = 0; i < it->size(); ++i)
            read_node((*it)[i], outline_.line_of(path, i));
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
        if (sheet_->node(node.id)) fail(line, fmt::format("there are two nodes \"{}\"", node.id));
        node.type = text_at(json, "type", line, true);
        const std::int64_t version = integer_at(json, "v", line, 1);
        if (version < 1 || version > 1'000'000)
            fail(line, fmt::format("\"v\" must be from 1 to 1000000, got {}", version));
        node.version = static_cast<int>(version);
        node.name = text_at(json, "name", line);
        node.muted = flag_at(json, "muted", line);
        node.collapsed = flag_at(json, "collapsed", line);
        node.pinned = flag_at(json, "pinned", line);
        if (node.type == "Group") {
            node.group = text_at(json, "group", line, true);
            if (!graph_.definition(node.group))
                fail(line, fmt::format("{} is an instance of \"{}\", and there is no such group",
                                       node.id, node.group.substr(0, 80)));
        }
        if ((node.type == "GroupInput" || node.type == "GroupOutput") && sheet_->sheet_id().empty())
            fail(line, fmt::format("{} is a port of a group, and stands in none", node.id));
        Json extra = Json::object();
        for (const auto& [key, value] : json.items())
            if (key != "id" && key != "type" && key != "v" && key != "name" && key != "params" &&
                key != "muted" && key != "collapsed" && key != "pinned" &&
                (key != "group" || node.type != "Group"))
                extra[key] = value;
        const NodeType* type = sheet_->type_of(node);
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
        Access::nodes(*sheet_).emplace(node.id, std::move(node));
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
            fail(path_ + "positions",
                 fmt::format("\"positions\" must be an object, is {}", json_kind(*it)));
        std::size_t i = 0;
        for (const auto& [id, place] : it->items()) {
            const int line = outline_.line_of(path_ + "positions", i++);
            const auto node = Access::nodes(*sheet_).find(id);
            if (node == Access::nodes(*sheet_).end()) {
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
        const std::string path = path_ + "wires";
        if (!it->is_array())
            fail(path, fmt::format("\"wires\" must be a list, is {}", json_kind(*it)));
        wire_count_ += it->size();
        if (wire_count_ > kMaxWires)
            fail(path, fmt::format("{} wires are too many (at most {})", wire_count_, kMaxWires));
        std::set<Wire> seen;
        std::map<std::pair<std::string, std::string>, std::string> taken;
        for (std::size_t i = 0; i < it->size(); ++i) {
            const int line = outline_.line_of(path, i);
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
            Access::wires(*sheet_).push_back(wire);
        }
        const auto order = sheet_->topological_order();
        if (order.size() == sheet_->nodes().size()) return;
        // Name one wire of the cycle: both ends are missing from the order, and the end feeds the
        // start.
        const std::set<std::string> sorted(order.begin(), order.end());
        for (std::size_t i = 0; i < sheet_->wires().size(); ++i) {
            const Wire& wire = sheet_->wires()[i];
            if (!sorted.contains(wire.from) && !sorted.contains(wire.to) &&
                sheet_->reaches(wire.from, wire.to))
                fail(outline_.line_of(path, i), fmt::format("wire {} closes a cycle", wire.str()));
        }
        fail(path, "the wires form a cycle");
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
        const Node* node = sheet_->node(id);
        if (!node)
            fail(line, fmt::format("wire {} {} at \"{}\", and there is no such node", wire.str(),
                                   output ? "starts" : "ends", id));
        const NodeType* type = sheet_->type_of(*node);
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
    Graph* sheet_ = &graph_; ///< what is being read, and where it stands in the file
    std::string path_;
    std::size_t node_count_ = 0, wire_count_ = 0;
    Json training_extra_ = Json::object();
    Json stray_positions_ = Json::object(), stray_bends_ = Json::object();
};

} // namespace

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

} // namespace wiregrad::graph

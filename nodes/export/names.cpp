#include "nodes/export/names.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "nodes/flatten.h"

namespace wiregrad::graph {

namespace {

/// What torch.nn.Module, keras.Model and the generated classes have as members.
const std::set<std::string>& members_of_frameworks() {
    static const std::set<std::string> names{"self",
                                             "training",
                                             "dump_patches",
                                             "add_module",
                                             "apply",
                                             "bfloat16",
                                             "buffers",
                                             "children",
                                             "compile",
                                             "cpu",
                                             "cuda",
                                             "double",
                                             "eval",
                                             "extra_repr",
                                             "float",
                                             "forward",
                                             "get_buffer",
                                             "get_extra_state",
                                             "get_parameter",
                                             "get_submodule",
                                             "half",
                                             "ipu",
                                             "load_state_dict",
                                             "modules",
                                             "named_buffers",
                                             "named_children",
                                             "named_modules",
                                             "named_parameters",
                                             "parameters",
                                             "register_buffer",
                                             "register_module",
                                             "register_parameter",
                                             "requires_grad_",
                                             "set_extra_state",
                                             "share_memory",
                                             "state_dict",
                                             "to",
                                             "to_empty",
                                             "train",
                                             "type",
                                             "xpu",
                                             "zero_grad",
                                             "losses",
                                             "metrics",
                                             "call",
                                             "build",
                                             "name",
                                             "layers",
                                             "weights",
                                             "inputs",
                                             "outputs",
                                             "fit",
                                             "evaluate",
                                             "predict",
                                             "summary",
                                             "save",
                                             "optimizer",
                                             "trainable",
                                             "variables",
                                             "dtype",
                                             "input",
                                             "output",
                                             "torch",
                                             "nn",
                                             "np",
                                             "numpy",
                                             "math"};
    return names;
}

} // namespace

std::string identifier(const std::string& text) {
    std::string name;
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        if (u < 0x80 && std::isalnum(u))
            name += static_cast<char>(std::tolower(u));
        else if (!name.empty() && name.back() != '_')
            name += '_';
    }
    while (!name.empty() && name.back() == '_')
        name.pop_back();
    if (!name.empty() && std::isdigit(static_cast<unsigned char>(name[0]))) name.insert(0, "n");
    return name.substr(0, 60);
}

std::string class_name(const std::string& text) {
    std::string name;
    bool start = true;
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        const bool usable = u < 0x80 && std::isalnum(u);
        if (usable) name += start ? static_cast<char>(std::toupper(u)) : c;
        start = !usable;
    }
    if (!name.empty() && std::isdigit(static_cast<unsigned char>(name[0]))) name.insert(0, "N");
    return name.substr(0, 60);
}

bool python_keyword(const std::string& word) {
    static constexpr std::array<std::string_view, 38> kWords{
        "False",  "None",    "True",  "and",      "as",     "assert", "async",  "await",
        "break",  "class",   "case",  "continue", "def",    "del",    "elif",   "else",
        "except", "finally", "for",   "from",     "global", "if",     "import", "in",
        "is",     "lambda",  "match", "nonlocal", "not",    "or",     "pass",   "print",
        "raise",  "return",  "try",   "while",    "with",   "yield"};
    return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

std::string quoted(const std::string& text) {
    std::string result = "\"";
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            result += std::string("\\") + c;
        else if (c == '\n')
            result += "\\n";
        else if (u < 0x20 || u == 0x7F)
            result += fmt::format("\\u{:04x}", static_cast<unsigned>(u));
        else
            result += c;
    }
    return result + "\"";
}

std::string Names::claim(const std::string& wish) {
    const std::string stem = wish.empty() ? "node" : wish;
    std::string name = stem;
    if (python_keyword(name) || taken_.contains(name)) name = stem + "_";
    for (int number = 2; python_keyword(name) || taken_.contains(name); ++number)
        name = fmt::format("{}_{}", stem, number);
    taken_.insert(name);
    return name;
}

bool groups_can_nest(const Graph& graph) {
    std::set<std::string> seen, open;
    const auto look = [&](const Graph& sheet, bool inside) {
        for (const auto& [id, node] : sheet.nodes()) {
            if (node.type == "Group") {
                if (seen.insert(node.group).second) open.insert(node.group);
                continue;
            }
            const NodeType* type = find_type(node.type);
            if (inside && type && type->role != Role::Layer && type->role != Role::GroupPort &&
                type->role != Role::Note)
                return false;
        }
        return true;
    };
    if (!look(graph, false)) return false;
    while (!open.empty()) {
        const Definition* definition = graph.definition(open.extract(open.begin()).value());
        if (definition && !look(definition->body, true)) return false;
    }
    return true;
}

namespace {

/// Names of one level: ids first, because they are unique already, and a name given by a person
/// must not push another node's id aside.
std::map<std::string, std::string> level_names(const Graph& sheet) {
    std::map<std::string, std::string> result;
    Names names(members_of_frameworks());
    for (const auto& [id, node] : sheet.nodes())
        if (identifier(node.name).empty()) result[id] = names.claim(identifier(id));
    for (const auto& [id, node] : sheet.nodes())
        if (!result.contains(id)) result[id] = names.claim(identifier(node.name));
    return result;
}

/// Where a group cannot be a class: one level, with the path before the name.
std::map<std::string, std::string> flat_names(const Flat& flat) {
    std::map<std::string, std::string> result;
    Names names(members_of_frameworks());
    for (const auto& [id, node] : flat.graph->nodes())
        if (identifier(node.name).empty()) result[id] = names.claim(identifier(id));
    for (const auto& [id, node] : flat.graph->nodes()) {
        if (result.contains(id)) continue;
        const std::size_t dot = id.rfind('.');
        const std::string path = dot == std::string::npos ? "" : id.substr(0, dot + 1);
        result[id] = names.claim(identifier(path + node.name));
    }
    return result;
}

} // namespace

std::map<std::string, std::string> member_names(const Graph& graph) {
    if (!groups_can_nest(graph)) return flat_names(flatten(graph));
    std::map<std::string, std::map<std::string, std::string>> levels; // by definition
    levels[""] = level_names(graph);
    for (const auto& [id, definition] : graph.definitions())
        levels[id] = level_names(definition->body);
    const Flat flat = flatten(graph);
    std::map<std::string, std::string> result;
    const auto name = [&](const std::string& path) {
        // "block.0.conv": from the outside in; numbers stay, but for the first of repetitions that
        // share their weights: those are one member.
        std::string member, at, level;
        for (std::size_t begin = 0; begin <= path.size();) {
            const std::size_t end = std::min(path.find('.', begin), path.size());
            const std::string part = path.substr(begin, end - begin);
            begin = end + 1;
            const bool number = !at.empty() && part[0] >= '0' && part[0] <= '9';
            at += (at.empty() ? "" : ".") + part;
            if (number) {
                const std::string before = at.substr(0, at.size() - part.size());
                const auto second = flat.shared.lower_bound(before + "1.");
                const bool shared = second != flat.shared.end() &&
                                    second->first.starts_with(before + "1.") &&
                                    second->second.find(before + "0.") != std::string::npos;
                if (part != "0" || !shared) member += "." + part;
                continue;
            }
            const auto names = levels.find(level);
            const auto own = names == levels.end() ? std::map<std::string, std::string>::iterator()
                                                   : names->second.find(part);
            const bool known = names != levels.end() && own != names->second.end();
            member += (member.empty() ? "" : ".") + (known ? own->second : part);
            const auto inside = flat.definitions.find(at);
            level = inside == flat.definitions.end() ? "" : inside->second;
        }
        return member;
    };
    for (const auto& [id, node] : flat.graph->nodes())
        result[id] = name(id);
    for (const auto& [path, definition] : flat.definitions)
        result[path] = name(path);
    return result;
}

} // namespace wiregrad::graph

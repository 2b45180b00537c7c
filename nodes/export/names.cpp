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

std::map<std::string, std::string> member_names(const Graph& graph) {
    std::map<std::string, std::string> result;
    Names names(members_of_frameworks());
    // Ids first: they are unique already, and a name given by a person must not push another
    // node's id aside. Inside groups the path stands before it: "block.0.linear1".
    const Flat flat = flatten(graph);
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

} // namespace wiregrad::graph

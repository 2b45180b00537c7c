#include "nodes/paths.h"

#include <filesystem>

#include "nodes/graph_access.h"

namespace wiregrad::graph {
namespace {

namespace fs = std::filesystem;

/// Replaces the path of each Dataset node by `change` of it, where that gives one that a project
/// can hold.
template <class F> void change_paths(Graph& graph, const F& change) {
    for (auto& [id, node] : GraphAccess::nodes(graph)) {
        const NodeType* type = find_type(node.type);
        const auto found = node.params.find("path");
        if (!type || type->role != Role::Dataset || found == node.params.end()) continue;
        auto* path = std::get_if<std::string>(&found->second);
        if (!path || path->empty()) continue;
        const std::string changed = change(fs::path(*path)).string();
        if (!changed.empty() && valid_utf8(changed)) *path = changed;
    }
}

} // namespace

void make_paths_absolute(Graph& graph, const std::string& folder) {
    change_paths(graph, [&](const fs::path& path) {
        return path.is_absolute() ? path : fs::absolute(folder / path).lexically_normal();
    });
}

void make_paths_relative(Graph& graph, const std::string& folder) {
    const fs::path base = fs::absolute(folder).lexically_normal();
    change_paths(graph, [&](const fs::path& path) {
        if (path.is_relative()) return path;
        const fs::path inside = path.lexically_normal().lexically_relative(base);
        return inside.empty() || inside == "." || *inside.begin() == ".." ? path : inside;
    });
}

} // namespace wiregrad::graph

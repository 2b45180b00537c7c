#include "nodes/import/scopes.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/core/error.h"
#include "nodes/analysis.h"
#include "nodes/edit.h"
#include "nodes/group.h"

namespace wiregrad::graph {

namespace {

using Scope = std::vector<std::string>;

bool number(const std::string& text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// The nodes of the whole sheet that stand for the scope: single ones and groups made before.
std::set<std::string> inside(const std::map<std::string, Scope>& scopes, const Scope& scope) {
    std::set<std::string> result;
    for (const auto& [node, own] : scopes)
        if (own.size() >= scope.size() && std::equal(scope.begin(), scope.end(), own.begin()))
            result.insert(node);
    return result;
}

} // namespace

std::vector<std::string> scopes_of(const std::string& onnx_name) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= onnx_name.size();) {
        const std::size_t end = std::min(onnx_name.find('/', begin), onnx_name.size());
        const std::string part = onnx_name.substr(begin, end - begin);
        begin = end + 1;
        if (part.empty()) continue;
        if (number(part) && !parts.empty() && end != onnx_name.size())
            parts.back() += "." + part; // one of several
        else
            parts.push_back(part);
    }
    parts.resize(parts.size() < 2 ? 0 : parts.size() - 2); // the layer, and the operator in it
    return parts;
}

int group_scopes(ImportedModel& model) {
    std::map<std::string, Scope> scopes(model.scopes.begin(), model.scopes.end());
    std::set<Scope> all;
    for (const auto& [node, scope] : scopes)
        for (std::size_t depth = 1; depth <= scope.size(); ++depth)
            all.insert(Scope(scope.begin(), scope.begin() + static_cast<std::ptrdiff_t>(depth)));
    std::vector<Scope> order(all.begin(), all.end());
    std::stable_sort(order.begin(), order.end(),
                     [](const Scope& a, const Scope& b) { return a.size() > b.size(); });
    int count = 0;
    for (const Scope& scope : order) {
        const std::set<std::string> nodes = inside(scopes, scope);
        // One node is no group, and one that holds all would only be a second frame.
        if (nodes.size() < 2 || nodes.size() == scopes.size()) continue;
        std::string group;
        try {
            auto [edit, id] = group_edit(model.graph, nodes, scope.back());
            apply(model.graph, edit);
            group = id;
        } catch (const Error&) {
            continue;
        }
        ++count;
        const auto follow = [&](std::string& path) {
            const std::string first = path.substr(0, path.find('.'));
            if (nodes.contains(first)) path = group + "." + path;
        };
        for (nn::NamedTensor& weight : model.weights)
            follow(weight.name);
        for (auto& [value, place] : model.values)
            follow(place.first);
        for (auto& [node, port] : model.outputs)
            follow(node);
        for (const std::string& node : nodes)
            scopes.erase(node);
        scopes[group] = Scope(scope.begin(), scope.end() - 1);
    }
    if (count > 0) apply(model.graph, layout_edit(model.graph, {}, {}));
    return count;
}

} // namespace wiregrad::graph

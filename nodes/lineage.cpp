#include "nodes/lineage.h"

#include <set>

#include "engine/core/error.h"

namespace wiregrad::graph {

namespace {

Lineage::Outline outline_of(const Graph& graph) {
    Lineage::Outline outline;
    try {
        const Flat flat = flatten(graph);
        for (const auto& [path, node] : flat.graph->nodes())
            outline.types[path] = node.type;
        outline.definitions = flat.definitions;
        outline.shared = flat.shared;
    } catch (const Error&) {
        // Unfolds to too much to run: nobody is anybody there.
    }
    return outline;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

void collect(const Edit& edit, std::vector<Moved>& into) {
    if (const auto* batch = std::get_if<Batch>(&edit.what)) {
        into.insert(into.end(), batch->moved.begin(), batch->moved.end());
        for (const Edit& part : batch->edits)
            collect(part, into);
    } else if (const auto* inside = std::get_if<Inside>(&edit.what)) {
        for (const Edit& part : inside->edits)
            collect(part, into);
    }
}

/// Where the node at `path` is afterwards.
std::string follow_path(const Lineage::Outline& before, const std::vector<Moved>& moved,
                        const std::string& path) {
    std::size_t at = 0;
    std::string sheet;
    while (true) {
        const std::string_view rest = std::string_view(path).substr(at);
        for (const Moved& one : moved)
            if (one.sheet == sheet && rest.starts_with(one.from) &&
                (rest.size() == one.from.size() || rest[one.from.size()] == '.'))
                return path.substr(0, at) + one.to + std::string(rest.substr(one.from.size()));
        const std::size_t dot = path.find('.', at);
        if (dot == std::string::npos) return path;
        const auto group = before.definitions.find(path.substr(0, dot));
        if (group == before.definitions.end()) return path;
        sheet = group->second;
        at = dot + 1;
        if (is_digit(path[at])) at = path.find('.', at) + 1; // a repetition
    }
}

/// "block.0.fc1" is "block.fc1" when there is but one repetition.
std::string canonical(const std::string& path) {
    std::string result;
    std::size_t begin = 0;
    while (begin <= path.size()) {
        const std::size_t dot = std::min(path.find('.', begin), path.size());
        const std::string part = path.substr(begin, dot - begin);
        if (part != "0") result += (result.empty() ? "" : ".") + part;
        begin = dot + 1;
    }
    return result;
}

std::map<std::string, std::string> came_from(const Lineage::Outline& before, const Edit& edit,
                                             const Lineage::Outline& after) {
    std::vector<Moved> moved;
    collect(edit, moved);
    std::map<std::string, std::string> result, by_canonical;
    std::set<std::string> found;
    for (const auto& [path, type] : before.types) {
        const std::string next = moved.empty() ? path : follow_path(before, moved, path);
        const auto it = after.types.find(next);
        if (it != after.types.end() && it->second == type) {
            result[next] = path;
            found.insert(path);
        }
    }
    for (const auto& [path, type] : before.types)
        if (!found.contains(path)) by_canonical[canonical(path)] = path;
    if (!by_canonical.empty())
        for (const auto& [path, type] : after.types) {
            if (result.contains(path)) continue;
            const auto it = by_canonical.find(canonical(path));
            if (it != by_canonical.end() && before.types.at(it->second) == type)
                result[path] = it->second;
        }
    for (auto& [path, source] : result)
        if (const auto owner = before.shared.find(source); owner != before.shared.end())
            source = owner->second;
    return result;
}

} // namespace

std::map<std::string, std::string> came_from(const Graph& before, const Edit& edit,
                                             const Graph& after) {
    return came_from(outline_of(before), edit, outline_of(after));
}

bool moves_nodes(const Edit& edit) {
    std::vector<Moved> moved;
    collect(edit, moved);
    return !moved.empty();
}

Lineage::Lineage(const Graph& graph) : outline_(outline_of(graph)) {
    for (const auto& [path, type] : outline_.types)
        numbers_[path] = next_++;
}

void Lineage::follow(const Edit& edit, const Graph& after, std::uint64_t command) {
    Outline next = outline_of(after);
    Numbers numbers;
    std::set<std::uint64_t> alive;
    for (const auto& [path, source] : came_from(outline_, edit, next)) {
        numbers[path] = numbers_.at(source);
        alive.insert(numbers_.at(source));
    }
    for (const auto& [path, type] : next.types) {
        if (numbers.contains(path)) continue;
        const auto old = removed_.find({command, path});
        numbers[path] = old == removed_.end() ? next_++ : old->second;
    }
    for (const auto& [path, number] : numbers_)
        if (!alive.contains(number)) removed_[{command, path}] = number;
    outline_ = std::move(next);
    numbers_ = std::move(numbers);
}

} // namespace wiregrad::graph

#include "engine/core/recorder.h"

#include <deque>
#include <mutex>
#include <unordered_map>

#include "engine/core/tensor_body.h"

namespace wiregrad {
namespace {

thread_local Recorder* t_recorder = nullptr;
thread_local bool t_shape_only_before = false;

/// Node ids of the process by number; ids are few and stay.
struct Names {
    std::mutex mutex;
    std::deque<std::string> by_number{""};
    std::unordered_map<std::string, std::uint32_t> numbers{{"", 0}};
};
Names& names() {
    static Names instance;
    return instance;
}

} // namespace

Recorder* recorder() {
    return t_recorder;
}

Recorder* set_recorder(Recorder* recorder) {
    Recorder* const previous = t_recorder;
    t_recorder = recorder;
    if (recorder != nullptr && previous == nullptr) t_shape_only_before = set_shape_only(true);
    if (recorder == nullptr && previous != nullptr) set_shape_only(t_shape_only_before);
    return previous;
}

thread_local std::uint32_t Origin::current_ = 0;

std::uint32_t Origin::intern(const std::string& node) {
    // Nodes are entered many times in a row; most often the same few.
    thread_local std::unordered_map<std::string, std::uint32_t> known;
    if (const auto found = known.find(node); found != known.end()) return found->second;
    Names& all = names();
    const std::lock_guard lock(all.mutex);
    const auto [entry, added] =
        all.numbers.emplace(node, static_cast<std::uint32_t>(all.by_number.size()));
    if (added) all.by_number.push_back(node);
    known.emplace(node, entry->second);
    return entry->second;
}

const std::string& Origin::name(std::uint32_t id) {
    Names& all = names();
    const std::lock_guard lock(all.mutex);
    return all.by_number[id];
}

} // namespace wiregrad

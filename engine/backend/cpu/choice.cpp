#include "engine/backend/cpu/choice.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string_view>

#include <fmt/format.h>

#include "engine/backend/cpu/onednn.h"
#include "engine/core/config.h"
#include "engine/core/memory.h"

namespace wiregrad::cpu {

namespace {

namespace fs = std::filesystem;

fs::path cache_folder() {
    if (const char* folder = std::getenv("XDG_CACHE_HOME"); folder != nullptr && *folder != '\0')
        return fs::path(folder) / "wiregrad";
    if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
        return fs::path(home) / ".cache" / "wiregrad";
    return {};
}

/// The processor's model, as far as the system tells: choices of one machine are no use on another.
std::string machine() {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);)
        if (line.starts_with("model name"))
            if (const auto colon = line.find(": "); colon != std::string::npos)
                return line.substr(colon + 2);
    return "unknown processor";
}

/// Key to the chosen kernel's name, on disk one "key<tab>name" a line; the last line of a key
/// counts.
class Memory {
  public:
    Memory() {
        const fs::path folder = cache_folder();
        if (folder.empty()) return;
        const auto id = std::hash<std::string>{}(machine() + onednn::version());
        path_ = folder / fmt::format("kernels-{}-{:016x}", name_of(isa()), id);
        std::ifstream file(path_);
        for (std::string line; std::getline(file, line);)
            if (const auto tab = line.find('\t'); tab != std::string::npos)
                names_[line.substr(0, tab)] = line.substr(tab + 1);
    }
    std::string find(const std::string& key) {
        const std::scoped_lock lock(mutex_);
        const auto found = names_.find(key);
        return found == names_.end() ? "" : found->second;
    }
    void keep(const std::string& key, const std::string& name) {
        const std::scoped_lock lock(mutex_);
        names_[key] = name;
        if (path_.empty()) return;
        std::error_code ignored; // without a cache folder the choice holds for this process
        fs::create_directories(path_.parent_path(), ignored);
        std::ofstream(path_, std::ios::app) << key << '\t' << name << '\n';
    }

  private:
    std::mutex mutex_;
    std::map<std::string, std::string> names_;
    fs::path path_;
};

Memory& memory() {
    static Memory value;
    return value;
}

/// Memory for operands, filled so that no arithmetic gets slow on what lies there.
class Buffers {
  public:
    explicit Buffers(const std::vector<std::size_t>& bytes) {
        for (std::size_t size : bytes) {
            if (size == 0) {
                pointers_.push_back(nullptr);
                continue;
            }
            blocks_.emplace_back(allocate(size + 64), size + 64);
            auto* words = static_cast<std::uint32_t*>(blocks_.back().first);
            for (std::size_t i = 0; i < size / 4; ++i)
                words[i] = 0x3C23D70AU + static_cast<std::uint32_t>(i % 1021) * 64; // about 0.01
            pointers_.push_back(words);
        }
    }
    ~Buffers() {
        for (const auto& [block, size] : blocks_)
            release(block, size);
    }
    Buffers(const Buffers&) = delete;
    Buffers& operator=(const Buffers&) = delete;
    void** data() { return pointers_.data(); }

  private:
    std::vector<std::pair<void*, std::size_t>> blocks_;
    std::vector<void*> pointers_;
};

double seconds_of(Bound& kernel, Buffers& in, Buffers& out, void* scratch) {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    kernel.run(in.data(), out.data(), scratch);
    return std::chrono::duration<double>(Clock::now() - start).count();
}

std::size_t fastest(Candidates& c) {
    Buffers in(c.in_bytes), out(c.out_bytes);
    std::size_t most = 0;
    for (const auto& kernel : c.kernels)
        most = std::max(most, kernel->scratch_bytes());
    Buffers scratch({most});
    std::vector<double> best(c.kernels.size(), 1e9);
    constexpr int kRounds = 4, kRuns = 3;
    for (int round = 0; round < kRounds; ++round)
        for (std::size_t k = 0; k < best.size(); ++k)
            for (int run = 0; run < kRuns; ++run) {
                const double t = seconds_of(*c.kernels[k], in, out, scratch.data()[0]);
                if (round > 0) best[k] = std::min(best[k], t); // the first round warms up
            }
    return static_cast<std::size_t>(std::min_element(best.begin(), best.end()) - best.begin());
}

std::atomic<bool>& winograd_setting() {
    static std::atomic<bool> value{[] {
        const char* text = std::getenv("WIREGRAD_WINOGRAD");
        return text == nullptr || std::string_view(text) != "0";
    }()};
    return value;
}

} // namespace

bool winograd() {
    return winograd_setting().load(std::memory_order_relaxed);
}
void set_winograd(bool value) {
    winograd_setting().store(value, std::memory_order_relaxed);
}

std::unique_ptr<Bound> choose(const std::string& key, Candidates candidates, int threads,
                              bool trial) {
    auto& kernels = candidates.kernels;
    std::erase_if(kernels, [](const auto& kernel) { return kernel == nullptr; });
    if (kernels.empty()) return nullptr;
    if (kernels.size() == 1 || !trial) return std::move(kernels.front());
    const std::string full = fmt::format("{} threads {}", key, threads);
    if (const std::string name = memory().find(full); !name.empty())
        for (auto& kernel : kernels)
            if (kernel->name() == name) return std::move(kernel);
    const std::size_t at = fastest(candidates);
    memory().keep(full, kernels[at]->name());
    return std::move(kernels[at]);
}

} // namespace wiregrad::cpu

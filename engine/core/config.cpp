#include "engine/core/config.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <string>
#include <thread>

#include "engine/core/error.h"

namespace wiregrad {
namespace {

/// A team that gets fewer threads than it was made for waits for the others for ever (oneDNN's
/// barriers), so never more are asked for than OpenMP gives (OMP_THREAD_LIMIT).
int available(int wanted) {
    return std::clamp(wanted, 1, std::max(1, omp_get_thread_limit()));
}

int first_num_threads() {
    if (const char* text = std::getenv("WIREGRAD_THREADS")) {
        const std::string_view view(text);
        int value = 0;
        const auto result = std::from_chars(view.data(), view.data() + view.size(), value);
        if (result.ec == std::errc() && result.ptr == view.data() + view.size() && value >= 1)
            return available(value);
    }
    return available(static_cast<int>(std::thread::hardware_concurrency()));
}

std::atomic<int>& threads() {
    static std::atomic<int> value{first_num_threads()};
    return value;
}

std::atomic<bool> g_deterministic{true};

Isa detect() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("fma")) {
        return Isa::Avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::Avx2;
#endif
    return Isa::Baseline;
}

Isa first_isa() {
    const Isa best = detected_isa();
    if (const char* text = std::getenv("WIREGRAD_ISA")) {
        for (const Isa wanted : {Isa::Baseline, Isa::Avx2, Isa::Avx512}) {
            if (name_of(wanted) == text) return std::min(wanted, best);
        }
    }
    return best;
}

std::atomic<Isa>& current_isa() {
    static std::atomic<Isa> value{first_isa()};
    return value;
}

} // namespace

int num_threads() {
    return threads().load(std::memory_order_relaxed);
}

void set_num_threads(int count) {
    if (count < 1)
        throw ValueError("The number of threads must be at least 1, not " + std::to_string(count) +
                         ".");
    threads().store(available(count), std::memory_order_relaxed);
}

bool deterministic() {
    return g_deterministic.load(std::memory_order_relaxed);
}

void set_deterministic(bool value) {
    g_deterministic.store(value, std::memory_order_relaxed);
}

Isa detected_isa() {
    static const Isa value = detect();
    return value;
}

Isa isa() {
    return current_isa().load(std::memory_order_relaxed);
}

void set_isa(Isa value) {
    if (value > detected_isa()) {
        throw ValueError("This CPU does not have " + std::string(name_of(value)) +
                         "; its best is " + std::string(name_of(detected_isa())) + ".");
    }
    current_isa().store(value, std::memory_order_relaxed);
}

std::string_view name_of(Isa value) {
    switch (value) {
    case Isa::Baseline:
        return "baseline";
    case Isa::Avx2:
        return "avx2";
    case Isa::Avx512:
        return "avx512";
    }
    return "baseline";
}

} // namespace wiregrad

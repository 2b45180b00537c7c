#include "engine/core/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "engine/core/error.h"

namespace wiregrad {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
#ifdef WIREGRAD_DEBUG
constexpr std::size_t kGuard = 64;
#else
constexpr std::size_t kGuard = 0;
#endif
constexpr unsigned char kGuardByte = 0xA5;

// Buckets: multiples of 64 bytes up to 1024, then eight steps to each doubling, so that at most 1/8
// is wasted.
constexpr std::size_t kSmall = 1024;
constexpr int kSmallBuckets = kSmall / kAlignment;
constexpr int kBuckets = kSmallBuckets + 8 * 54;

struct Bucket {
    int index;
    std::size_t bytes;
};

Bucket bucket_of(std::size_t bytes) {
    if (bytes <= kSmall) {
        const std::size_t rounded =
            std::max(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
        return {static_cast<int>(rounded / kAlignment) - 1, rounded};
    }
    const int power = std::bit_width(bytes - 1) - 1; // 2^power < bytes <= 2^(power + 1)
    const std::size_t step = (std::size_t{1} << power) / 8;
    const std::size_t steps = (bytes - (std::size_t{1} << power) + step - 1) / step;
    return {kSmallBuckets + (power - 10) * 8 + static_cast<int>(steps) - 1,
            (std::size_t{1} << power) + steps * step};
}

/// What this machine, or the container that the program runs in, has.
std::size_t machine_memory() {
    const long pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
    std::size_t bytes = pages > 0 && page > 0
                            ? static_cast<std::size_t>(pages) * static_cast<std::size_t>(page)
                            : 0;
    if (std::FILE* file = std::fopen("/sys/fs/cgroup/memory.max", "re")) {
        unsigned long long most = 0; // "max" where there is none
        if (std::fscanf(file, "%llu", &most) == 1 && most > 0)
            bytes = bytes == 0 ? most : std::min<std::size_t>(bytes, most);
        std::fclose(file);
    }
    return bytes;
}

class Pool {
  public:
    void* take(std::size_t bytes) {
        if (bytes > (std::size_t{1} << 62)) refuse(bytes);
        const Bucket bucket = bucket_of(bytes + 2 * kGuard);
        void* block = nullptr;
        bool crowded = false; // what is kept for reuse would not fit beside it
        {
            const std::lock_guard lock(mutex_);
            if (limit_ != 0 && stats_.live_bytes + bytes > limit_) refuse(bytes);
            ++stats_.allocations;
            auto& free = free_[static_cast<std::size_t>(bucket.index)];
            if (!free.empty()) {
                block = free.back();
                free.pop_back();
                ++stats_.hits;
                stats_.cached_bytes -= bucket.bytes;
            }
            stats_.live_bytes += bytes;
            stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
            crowded =
                block == nullptr && limit_ != 0 && stats_.live_bytes + stats_.cached_bytes > limit_;
        }
        if (crowded) trim();
        if (block == nullptr) block = fresh(bucket.bytes);
        if (block == nullptr) {
            trim();
            block = fresh(bucket.bytes);
        }
        if (block == nullptr) {
            const std::lock_guard lock(mutex_);
            stats_.live_bytes -= bytes;
            refuse(bytes);
        }
        return block;
    }

    void give(void* block, std::size_t bytes) noexcept {
        const Bucket bucket = bucket_of(bytes + 2 * kGuard);
        const std::lock_guard lock(mutex_);
        stats_.live_bytes -= bytes;
        try {
            free_[static_cast<std::size_t>(bucket.index)].push_back(block);
            stats_.cached_bytes += bucket.bytes;
        } catch (const std::bad_alloc&) {
            std::free(block); // no room even for the list
        }
    }

    void trim() {
        const std::lock_guard lock(mutex_);
        for (auto& free : free_) {
            for (void* block : free)
                std::free(block);
            free.clear();
        }
        stats_.cached_bytes = 0;
    }

    MemoryStats stats() {
        const std::lock_guard lock(mutex_);
        return stats_;
    }
    void reset_peak() {
        const std::lock_guard lock(mutex_);
        stats_.peak_bytes = stats_.live_bytes;
    }
    void set_limit(std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        limit_ = bytes;
    }

  private:
    static void* fresh(std::size_t bytes) {
        const bool big = bytes >= kHugePage;
        void* block =
            std::aligned_alloc(big ? kHugePage : kAlignment,
                               big ? (bytes + kHugePage - 1) / kHugePage * kHugePage : bytes);
        if (big && block != nullptr)
            madvise(block, bytes, MADV_HUGEPAGE); // only advice: a failure changes nothing
        return block;
    }

    [[noreturn]] void refuse(std::size_t bytes) const {
        std::string text = "Out of memory: " + std::to_string(bytes) + " bytes were asked for, " +
                           std::to_string(stats_.live_bytes) + " are in use";
        if (limit_ != 0) text += ", the limit is " + std::to_string(limit_);
        throw OutOfMemory(text + ".");
    }

    std::mutex mutex_;
    std::array<std::vector<void*>, kBuckets> free_;
    MemoryStats stats_;
    std::size_t limit_ = machine_memory();
};

Pool& pool() {
    // Never destroyed: tensors with static lifetime release their blocks late.
    static Pool* const instance = new Pool;
    return *instance;
}

std::array<DeviceMemory*, kDeviceTypeCount> g_device_memory{};

} // namespace

void set_device_memory(DeviceType type, DeviceMemory* memory) {
    g_device_memory[static_cast<std::size_t>(type)] = memory;
}

DeviceMemory& device_memory(DeviceType type) {
    DeviceMemory* memory = g_device_memory[static_cast<std::size_t>(type)];
    if (memory == nullptr)
        throw DeviceError("There is no " + Device{type, 0}.str() +
                          " device here: its plug-in is not loaded.");
    return *memory;
}

void* allocate(std::size_t bytes, Device device) {
    if (device.type != DeviceType::Cpu)
        return device_memory(device.type).allocate(bytes, device.index);
    auto* block = static_cast<unsigned char*>(pool().take(bytes));
    if constexpr (kGuard != 0) {
        std::memset(block, kGuardByte, kGuard);
        std::memset(block + kGuard, 0xFF, bytes); // a NaN in every floating type
        std::memset(block + kGuard + bytes, kGuardByte, kGuard);
    }
    return block + kGuard;
}

void release(void* block, std::size_t bytes, Device device) noexcept {
    if (device.type != DeviceType::Cpu) {
        if (DeviceMemory* memory = g_device_memory[static_cast<std::size_t>(device.type)])
            memory->release(block, bytes, device.index);
        return;
    }
    if (!guards_intact(block, bytes)) {
        std::fprintf(stderr, "wiregrad: something wrote outside a block of %zu bytes\n", bytes);
        std::abort(); // debug builds only: a kernel has a bug, and the heap is already damaged
    }
    pool().give(static_cast<unsigned char*>(block) - kGuard, bytes);
}

MemoryStats memory_stats(Device device) {
    return device.type == DeviceType::Cpu ? pool().stats()
                                          : device_memory(device.type).stats(device.index);
}

void reset_peak_memory() {
    pool().reset_peak();
}

void trim_memory() {
    pool().trim();
}

void set_memory_limit(std::size_t bytes) {
    pool().set_limit(bytes);
}

bool guards_intact(const void* block, std::size_t bytes) {
    const auto* first = static_cast<const unsigned char*>(block);
    const auto whole = [](unsigned char byte) { return byte == kGuardByte; };
    return std::all_of(first - kGuard, first, whole) &&
           std::all_of(first + bytes, first + bytes + kGuard, whole);
}

} // namespace wiregrad

// The caching pool behind every storage: 64-byte aligned blocks in size buckets, reused without
// touching the system. Thread-safe. With WIREGRAD_DEBUG blocks are NaN-filled and lie between
// 64-byte guards that are checked on release.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/core/device.h"

namespace wiregrad {

struct MemoryStats {
    std::size_t live_bytes = 0;   ///< asked for and not yet released
    std::size_t peak_bytes = 0;   ///< largest live_bytes since reset_peak_memory()
    std::size_t cached_bytes = 0; ///< held by the pool for reuse
    std::uint64_t allocations = 0;
    std::uint64_t hits = 0; ///< allocations served from the pool
};

/// Memory of another kind of device, given by its plug-in at load.
class DeviceMemory {
  public:
    virtual ~DeviceMemory() = default;
    virtual void* allocate(std::size_t bytes, int index) = 0; ///< throws OutOfMemory
    virtual void release(void* block, std::size_t bytes, int index) = 0;
    /// One side may be the CPU. Returns when `source` may be changed and `target` may be read.
    virtual void copy(void* target, Device target_device, const void* source, Device source_device,
                      std::size_t bytes) = 0;
    virtual MemoryStats stats(int index) = 0;
};
void set_device_memory(DeviceType type, DeviceMemory* memory);
/// Throws DeviceError when there is no plug-in for `type`.
DeviceMemory& device_memory(DeviceType type);

/// Never null, also for 0 bytes. Throws OutOfMemory with the size asked for, the live bytes and the
/// limit.
void* allocate(std::size_t bytes, Device device = {});
void release(void* block, std::size_t bytes, Device device = {}) noexcept;

MemoryStats memory_stats(Device device = {});
void reset_peak_memory();
/// Gives cached blocks back to the system.
void trim_memory();
/// Live CPU bytes past which allocate() throws OutOfMemory; 0: no limit. At first what the machine
/// has: the system would promise more, and end the program when it is used.
void set_memory_limit(std::size_t bytes);
/// Whether the guards around a live block are whole (always true without WIREGRAD_DEBUG).
bool guards_intact(const void* block, std::size_t bytes);

} // namespace wiregrad

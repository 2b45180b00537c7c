// Where a tensor lives. The index is there from day one, so that several GPUs need no rewrite.
#pragma once

#include <cstdint>
#include <string>

namespace wiregrad {

enum class DeviceType : std::uint8_t { Cpu, Cuda };
inline constexpr int kDeviceTypeCount = 2;

struct Device {
    DeviceType type = DeviceType::Cpu;
    int index = 0;
    bool operator==(const Device&) const = default;
    /// "cpu" or "cuda:0"
    std::string str() const;
    /// Parses "cpu", "cuda", "cuda:1"; throws ValueError otherwise.
    static Device parse(const std::string& text);
};

} // namespace wiregrad

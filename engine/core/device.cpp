#include "engine/core/device.h"

#include <charconv>

#include "engine/core/error.h"

namespace wiregrad {

std::string Device::str() const {
    return type == DeviceType::Cpu ? "cpu" : "cuda:" + std::to_string(index);
}

Device Device::parse(const std::string& text) {
    if (text == "cpu") return {};
    if (text == "cuda") return {DeviceType::Cuda, 0};
    if (text.starts_with("cuda:")) {
        int index = 0;
        const char* end = text.data() + text.size();
        const auto result = std::from_chars(text.data() + 5, end, index);
        if (result.ec == std::errc() && result.ptr == end && index >= 0)
            return {DeviceType::Cuda, index};
    }
    throw ValueError("\"" + text + "\" is not a device: use cpu, cuda or cuda:N.");
}

} // namespace wiregrad

#include "nodes/fuzz/targets.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    wiregrad::graph::fuzz::project(std::string(reinterpret_cast<const char*>(data), size));
    return 0;
}

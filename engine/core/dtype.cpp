#include "engine/core/dtype.h"

#include <algorithm>
#include <array>

namespace wiregrad {

std::size_t size_of(DType type) {
    static constexpr std::array<std::size_t, kDTypeCount> sizes{1, 1, 4, 8, 2, 2, 4, 8};
    return sizes[static_cast<std::size_t>(type)];
}

std::string_view name_of(DType type) {
    static constexpr std::array<std::string_view, kDTypeCount> names{
        "bool", "uint8", "int32", "int64", "float16", "bfloat16", "float32", "float64"};
    return names[static_cast<std::size_t>(type)];
}

bool is_floating(DType type) {
    return type >= DType::Float16;
}

bool is_integral(DType type) {
    return type == DType::UInt8 || type == DType::Int32 || type == DType::Int64;
}

DType promote(DType a, DType b) {
    // The enumeration is ordered so that the larger one wins, but for the two 16-bit types, which
    // meet in float32.
    const bool half_and_bfloat = (a == DType::Float16 && b == DType::BFloat16) ||
                                 (a == DType::BFloat16 && b == DType::Float16);
    return half_and_bfloat ? DType::Float32 : std::max(a, b);
}

} // namespace wiregrad

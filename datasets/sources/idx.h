// The IDX format of MNIST: a big-endian array with its type and sizes in front. Pure functions of
// bytes; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/core/shape.h"

namespace wiregrad::data {

/// A view into the bytes it was parsed from.
struct IdxArray {
    std::uint8_t type = 8; ///< 8: uint8, 9: int8, 11: int16, 12: int32, 13: float32, 14: float64
    Shape shape;
    std::span<const std::byte> values; ///< big-endian
};

/// Throws FileError when sizes and length do not fit each other; `where` names the file.
IdxArray parse_idx(std::span<const std::byte> content, const std::string& where);
std::vector<std::int64_t> idx_integers(const IdxArray& array,
                                       const std::string& where); ///< refuses fractions
std::vector<float> idx_floats(const IdxArray& array);

} // namespace wiregrad::data

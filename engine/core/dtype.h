// The element types a tensor can have, and PyTorch's rules for combining them.
// Included by everyone; plain values, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace wiregrad {

enum class DType : std::uint8_t { Bool, UInt8, Int32, Int64, Float16, BFloat16, Float32, Float64 };
inline constexpr int kDTypeCount = 8;

/// 16-bit storage types: converted to float for arithmetic.
struct Half {
    std::uint16_t bits = 0;
};
struct BFloat16 {
    std::uint16_t bits = 0;
};

/// Bytes of one element.
std::size_t size_of(DType type);
/// "float32", "int64", ... as PyTorch prints them.
std::string_view name_of(DType type);
bool is_floating(DType type);
bool is_integral(DType type); // bool counts as neither floating nor integral

/// PyTorch's promotion of two tensor dtypes of equal rank category (no 0-dim rule).
DType promote(DType a, DType b);

template <class T> struct DTypeOf;
template <> struct DTypeOf<bool> { static constexpr DType value = DType::Bool; };
template <> struct DTypeOf<std::uint8_t> { static constexpr DType value = DType::UInt8; };
template <> struct DTypeOf<std::int32_t> { static constexpr DType value = DType::Int32; };
template <> struct DTypeOf<std::int64_t> { static constexpr DType value = DType::Int64; };
template <> struct DTypeOf<Half> { static constexpr DType value = DType::Float16; };
template <> struct DTypeOf<BFloat16> { static constexpr DType value = DType::BFloat16; };
template <> struct DTypeOf<float> { static constexpr DType value = DType::Float32; };
template <> struct DTypeOf<double> { static constexpr DType value = DType::Float64; };
template <class T> inline constexpr DType kDTypeOf = DTypeOf<std::remove_cv_t<T>>::value;

} // namespace wiregrad

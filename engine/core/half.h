// Conversions between float and the 16-bit storage types, rounding to nearest even.
// Plain values, any thread. Always inlined: kernels compiled for several instruction sets include
// this file, and the linker must not merge their copies.
#pragma once

#include <cstdint>

#include "engine/core/dtype.h"

#define WG_HALF_INLINE __attribute__((always_inline)) inline

namespace wiregrad {

WG_HALF_INLINE float to_float(BFloat16 value) {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(value.bits) << 16);
}

WG_HALF_INLINE BFloat16 to_bfloat16(float value) {
    const auto bits = __builtin_bit_cast(std::uint32_t, value);
    if ((bits & 0x7fffffffU) > 0x7f800000U)
        return {static_cast<std::uint16_t>((bits >> 16) | 0x40U)}; // stays a NaN
    return {static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16)};
}

WG_HALF_INLINE float to_float(Half value) {
    const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000U) << 16;
    const std::uint32_t rest = value.bits & 0x7fffU;
    if (rest >= 0x7c00U)
        return __builtin_bit_cast(float, sign | 0x7f800000U | (rest & 0x3ffU) << 13); // inf, NaN
    if (rest >= 0x0400U) return __builtin_bit_cast(float, sign | ((rest << 13) + 0x38000000U));
    const float subnormal = static_cast<float>(rest) * 0x1p-24F;
    return __builtin_bit_cast(float, sign | __builtin_bit_cast(std::uint32_t, subnormal));
}

WG_HALF_INLINE Half to_half(float value) {
    const auto bits = __builtin_bit_cast(std::uint32_t, value);
    const std::uint32_t sign = (bits >> 16) & 0x8000U;
    const std::uint32_t rest = bits & 0x7fffffffU;
    if (rest > 0x7f800000U) return {static_cast<std::uint16_t>(sign | 0x7e00U)};
    if (rest >= 0x477ff000U)
        return {static_cast<std::uint16_t>(sign | 0x7c00U)}; // 65520 and more round to infinity
    if (rest < 0x38800000U) { // below 2^-14: adding 0.5 lets the hardware round at 2^-24
        const float shifted = __builtin_bit_cast(float, rest) + 0.5F;
        return {static_cast<std::uint16_t>(
            sign | (__builtin_bit_cast(std::uint32_t, shifted) - 0x3f000000U))};
    }
    return {static_cast<std::uint16_t>(
        sign | ((rest - 0x38000000U + 0xfffU + ((rest >> 13) & 1U)) >> 13))};
}

} // namespace wiregrad

#undef WG_HALF_INLINE

// exp, tanh and the logistic function in single precision throughout, within 2 to 3 units in the
// last place: for kernels that spend their time in them (gates, attention). For simd_*.cpp only;
// branch-free, so that loops over them become vectors.
#pragma once

#include <cstdint>

namespace wiregrad::cpu::WG_ISA::quick {

struct ExpParts {
    float less_one, power; ///< e^r - 1 and 2^n
};
__attribute__((always_inline)) inline ExpParts exp_parts(float x) {
    constexpr float kRound =
        12582912.0F; // adding 1.5 * 2^23 leaves the nearest integer in the bits
    const float t = x * 1.44269504F + kRound, n = t - kRound;
    // ln 2 in two parts, the first with few enough bits that n times it is exact.
    const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
    float p = 1.0F / 5040;
    p = p * r + 1.0F / 720;
    p = p * r + 1.0F / 120;
    p = p * r + 1.0F / 24;
    p = p * r + 1.0F / 6;
    p = p * r + 0.5F;
    p = p * (r * r) + r;
    const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, t) + 127U;
    return {p, __builtin_bit_cast(float, bits << 23)};
}
/// 0 for very negative numbers, infinity past the largest; a NaN stays one.
__attribute__((always_inline)) inline float exp(float x) {
    const float low = x < -87.0F ? -87.0F : x, bounded = low > 88.0F ? 88.0F : low;
    const ExpParts e = exp_parts(bounded);
    const float y = e.less_one * e.power + e.power;
    return x < -87.0F ? 0.0F : x > 88.7F ? __builtin_inff() : y;
}
__attribute__((always_inline)) inline float sigmoid(float x) {
    const float low = x < -87.0F ? -87.0F : x, bounded = low > 87.0F ? 87.0F : low;
    const ExpParts e = exp_parts(-bounded);
    return 1.0F / (1.0F + (e.less_one * e.power + e.power));
}
__attribute__((always_inline)) inline float tanh(float x) {
    const float size = __builtin_fabsf(x), bounded = size > 10.0F ? 10.0F : size;
    const ExpParts e = exp_parts(-2.0F * bounded);
    const float fall = e.less_one * e.power + (e.power - 1.0F); // exp(-2 |x|) - 1
    const float y = -fall / (fall + 2.0F);
    return x < 0 ? -y : y;
}

} // namespace wiregrad::cpu::WG_ISA::quick

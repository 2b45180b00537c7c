// Elementary functions as branch-free scalar code that a compiler can vectorise, for float; double
// goes to libm. Used by functor.h only, host and device. Always inlined, in a namespace of its own
// per instruction set.
#pragma once

#include <cstdint>
#include <type_traits>

#ifdef __CUDACC__
#define WG_HD __host__ __device__ __forceinline__
#else
#define WG_HD __attribute__((always_inline)) inline
#endif
#ifndef WG_ISA
#define WG_ISA baseline
#endif

namespace wiregrad::kernel::WG_ISA::math {

/// A scalar argument as T. An integer wraps modulo its width; infinities become its limits, NaN 0.
template <class T> WG_HD T to(double value) {
    if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, bool>) {
        return static_cast<T>(value);
    } else {
        constexpr T kLow =
            static_cast<T>(-1) > T(0) ? T(0) : static_cast<T>(T(1) << (8 * sizeof(T) - 2)) * -2;
        if (value >= 0x1p63) return static_cast<T>(~kLow);
        if (value < -0x1p63) return kLow;
        return value == value ? static_cast<T>(static_cast<std::int64_t>(value)) : T(0);
    }
}

template <class T> WG_HD bool is_nan(T x) {
    if constexpr (std::is_floating_point_v<T>)
        return x != x;
    else
        return false;
}
template <class T> WG_HD bool is_finite(T x) {
    if constexpr (std::is_floating_point_v<T>)
        return x - x == T(0);
    else
        return true;
}
WG_HD float abs(float x) {
    return __builtin_fabsf(x);
}
WG_HD double abs(double x) {
    return __builtin_fabs(x);
}
template <class T> WG_HD T abs(T x) {
    return x < T(0) ? static_cast<T>(-x) : x;
}

#define WG_LIBM(name)                                                                              \
    WG_HD float name(float x) {                                                                    \
        return __builtin_##name##f(x);                                                             \
    }                                                                                              \
    WG_HD double name(double x) {                                                                  \
        return __builtin_##name(x);                                                                \
    }
#define WG_LIBM_DOUBLE(name)                                                                       \
    WG_HD double name(double x) {                                                                  \
        return __builtin_##name(x);                                                                \
    }
WG_LIBM(sqrt)
WG_LIBM(sin)
WG_LIBM(cos)
WG_LIBM(floor)
WG_LIBM(ceil)
WG_LIBM(trunc)
WG_LIBM_DOUBLE(exp)
WG_LIBM_DOUBLE(log)
WG_LIBM_DOUBLE(log1p)
WG_LIBM_DOUBLE(expm1)
WG_LIBM_DOUBLE(tanh)
WG_LIBM_DOUBLE(erf)
#undef WG_LIBM_DOUBLE

// Seldom used functions: float in double, rounded once, is within an ulp.
#define WG_LIBM_ROUNDED(name)                                                                      \
    WG_HD double name(double x) {                                                                  \
        return __builtin_##name(x);                                                                \
    }                                                                                              \
    WG_HD float name(float x) {                                                                    \
        return static_cast<float>(__builtin_##name(static_cast<double>(x)));                       \
    }
WG_LIBM_ROUNDED(tan)
WG_LIBM_ROUNDED(asin)
WG_LIBM_ROUNDED(acos)
WG_LIBM_ROUNDED(atan)
WG_LIBM_ROUNDED(sinh)
WG_LIBM_ROUNDED(cosh)
WG_LIBM_ROUNDED(asinh)
WG_LIBM_ROUNDED(acosh)
WG_LIBM_ROUNDED(atanh)
WG_LIBM_ROUNDED(erfc)
WG_LIBM_ROUNDED(exp2)
WG_LIBM_ROUNDED(log2)
WG_LIBM_ROUNDED(log10)
#undef WG_LIBM
#undef WG_LIBM_ROUNDED
WG_HD double atan2(double a, double b) {
    return __builtin_atan2(a, b);
}
WG_HD float atan2(float a, float b) {
    return static_cast<float>(__builtin_atan2(static_cast<double>(a), static_cast<double>(b)));
}

// The float functions below work in double inside and round once: a double polynomial good to 1e-10
// leaves an error of little more than half an ulp, without the two-part constants that float needs.

WG_HD double fma(double a, double b, double c) {
#if defined(__FMA__) || defined(__CUDACC__)
    return __builtin_fma(a, b, c);
#else
    return a * b + c;
#endif
}

/// x = n ln 2 + r, |r| <= ln 2 / 2: gives e^r - 1 and 2^n. For |x| <= 700; a NaN stays one in
/// `reduced`.
struct ExpParts {
    double reduced, scale;
};
WG_HD ExpParts exp_parts(double x) {
    constexpr double kRound =
        6755399441055744.0; // adding 1.5 * 2^52 leaves the nearest integer in the low bits
    const double t = fma(x, 1.44269504088896340736, kRound);
    const double n = t - kRound;
    const double r = fma(n, -0.69314718055994530942, x);
    double p = 1.0 / 40320;
    p = fma(p, r, 1.0 / 5040);
    p = fma(p, r, 1.0 / 720);
    p = fma(p, r, 1.0 / 120);
    p = fma(p, r, 1.0 / 24);
    p = fma(p, r, 1.0 / 6);
    p = fma(p, r, 0.5);
    p = fma(p, r, 1.0);
    const std::uint64_t bits = __builtin_bit_cast(std::uint64_t, t) + 1023;
    return {p * r, __builtin_bit_cast(double, bits << 52)};
}
WG_HD double exp_narrow(double x) {
    const ExpParts e = exp_parts(x);
    return fma(e.reduced, e.scale, e.scale);
}
/// A float as a double in [-bound, bound]; NaN stays.
WG_HD double bounded(float x, double bound) {
    const double d = x;
    const double low = d < -bound ? -bound : d;
    return low > bound ? bound : low;
}

WG_HD float exp(float x) {
    return static_cast<float>(exp_narrow(bounded(x, 110)));
}
WG_HD float expm1(float x) {
    const ExpParts e = exp_parts(bounded(x, 110));
    const float y = static_cast<float>(fma(e.reduced, e.scale, e.scale - 1));
    return x == 0 ? x : y; // keeps -0
}

/// For positive normal doubles.
WG_HD double log_positive(double x) {
    const std::uint64_t bits = __builtin_bit_cast(std::uint64_t, x);
    // Moves the split between exponent and mantissa to sqrt(1/2), so that the mantissa lies
    // around 1.
    constexpr std::uint64_t kSplit = 0x3fe6a09e667f3bcdULL;
    const std::uint64_t shifted = bits - kSplit;
    const double m = __builtin_bit_cast(double, bits - (shifted & 0xfff0000000000000ULL));
    // The exponent as a double without a conversion instruction: an integer added to the bits
    // of 1.5 * 2^52.
    constexpr double kRound = 6755399441055744.0;
    const std::uint64_t exponent = (shifted >> 52) - ((shifted >> 63) << 12);
    const double n =
        __builtin_bit_cast(double, __builtin_bit_cast(std::uint64_t, kRound) + exponent) - kRound;
    const double f = (m - 1) / (m + 1);
    const double f2 = f * f;
    double p = 2.0 / 13;
    p = fma(p, f2, 2.0 / 11);
    p = fma(p, f2, 2.0 / 9);
    p = fma(p, f2, 2.0 / 7);
    p = fma(p, f2, 2.0 / 5);
    p = fma(p, f2, 2.0 / 3);
    p = fma(p, f2, 2.0);
    return fma(n, 0.69314718055994530942, p * f);
}
/// log of `d`, which is `x` or 1 + x: 0, negative numbers, infinity and NaN as IEEE 754 asks.
WG_HD float log_any(double d) {
    const float y = static_cast<float>(log_positive(d));
    const float special = d < 0    ? __builtin_nanf("")
                          : d == 0 ? -__builtin_inff()
                                   : static_cast<float>(d);
    return d > 0 && d < __builtin_inf() ? y : special;
}
WG_HD float log(float x) {
    return log_any(x);
}
WG_HD float log1p(float x) {
    const double d = x;
    const float small = static_cast<float>(d - d * d * (0.5 - d * (1.0 / 3)));
    return abs(x) < 1e-4F ? (x == 0 ? x : small) : log_any(1 + d);
}

WG_HD float tanh(float x) {
    const double a = bounded(abs(x), 20);
    const ExpParts e = exp_parts(-2 * a);
    const double fall = fma(e.reduced, e.scale, e.scale - 1); // exp(-2a) - 1
    const float y = static_cast<float>(-fall / (fall + 2));
    const float signed_y = x < 0 ? -y : y;
    return x == 0 ? x : signed_y;
}

WG_HD float erf(float x) {
    const double a = bounded(abs(x), 4); // erf rounds to 1 from 3.92 on
    // Chebyshev fits of erf(sqrt t) / sqrt t for t in [0, 4] and of erf(a) for a in [2, 4], each
    // over [-1, 1].
    const double u = fma(a * a, 0.5, -1.0);
    double p = -4.33456851148252e-07;
    p = fma(p, u, 2.665988716738793e-06);
    p = fma(p, u, -1.3909693584556552e-05);
    p = fma(p, u, 7.158454603557975e-05);
    p = fma(p, u, -0.00033516560121502737);
    p = fma(p, u, 0.001405204316501541);
    p = fma(p, u, -0.00523486937871905);
    p = fma(p, u, 0.01712831802030979);
    p = fma(p, u, -0.048662778258093606);
    p = fma(p, u, 0.11947914089098291);
    p = fma(p, u, -0.2611118609023093);
    p = fma(p, u, 0.6749332360079205);
    const double v = a - 3;
    double q = 6.150200527734199e-07;
    q = fma(q, v, 1.4443014993917366e-06);
    q = fma(q, v, -1.1465962999517913e-05);
    q = fma(q, v, 1.7784385188386498e-05);
    q = fma(q, v, 1.439564582605781e-05);
    q = fma(q, v, -0.00013624808406489155);
    q = fma(q, v, 0.00039037779118335756);
    q = fma(q, v, -0.0007375282144649398);
    q = fma(q, v, 0.001016587140821318);
    q = fma(q, v, -0.0010444831436533628);
    q = fma(q, v, 0.0007890969929025522);
    q = fma(q, v, -0.0004177538390844303);
    q = fma(q, v, 0.00013925314818243886);
    q = fma(q, v, 0.9999779094488438);
    const float y = static_cast<float>(a < 2 ? p * a : q);
    const float signed_y = x < 0 ? -y : y;
    return x == 0 ? x : signed_y;
}

WG_HD float round_even(float x) {
    return __builtin_nearbyintf(x);
}
WG_HD double round_even(double x) {
    return __builtin_nearbyint(x);
}
WG_HD float pow(float a, float b) {
    return __builtin_powf(a, b);
}
WG_HD double pow(double a, double b) {
    return __builtin_pow(a, b);
}

/// Integer power; a negative exponent gives the integer part of the quotient, as PyTorch does.
template <class T> WG_HD T pow(T base, T exponent) {
    if (exponent < T(0)) {
        if (base == T(1)) return T(1);
        if (base == static_cast<T>(-1)) return exponent % T(2) == T(0) ? T(1) : static_cast<T>(-1);
        return T(0);
    }
    T result = T(1);
    while (exponent > T(0)) {
        if (exponent % T(2) != T(0)) result = static_cast<T>(result * base);
        exponent = static_cast<T>(exponent / T(2));
        if (exponent > T(0)) base = static_cast<T>(base * base);
    }
    return result;
}

// Quotients and remainders. An integer divided by 0, which C++ leaves open, gives 0 and the
// remainder 0; the ops refuse it before.
WG_HD float fmod(float a, float b) {
    return __builtin_fmodf(a, b);
}
WG_HD double fmod(double a, double b) {
    return __builtin_fmod(a, b);
}
template <class T> WG_HD T fmod(T a, T b) {
    if (b == T(0) || b == static_cast<T>(-1)) return T(0);
    return static_cast<T>(a % b);
}
/// With the divisor's sign.
template <class T> WG_HD T remainder(T a, T b) {
    const T rest = fmod(a, b);
    return rest != T(0) && (rest < T(0)) != (b < T(0)) ? static_cast<T>(rest + b) : rest;
}
/// Rounded down.
template <class T> WG_HD T floor_divide(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) {
        if (b == T(0)) return a / b;
        const T rest = remainder(a, b);
        const T quotient = (a - rest) / b;
        if (quotient == T(0)) return __builtin_copysign(T(0), a / b);
        const T down = floor(quotient);
        return quotient - down > T(0.5) ? down + T(1) : down;
    } else {
        if (b == T(0)) return T(0);
        if (b == static_cast<T>(-1)) return static_cast<T>(T(0) - a);
        const T quotient = static_cast<T>(a / b);
        return a % b != T(0) && (a < T(0)) != (b < T(0)) ? static_cast<T>(quotient - T(1))
                                                         : quotient;
    }
}

WG_HD float sigmoid(float x) {
    return static_cast<float>(1 / (1 + exp_narrow(-bounded(x, 110))));
}
/// 1 / (1 + exp(-x)) without overflow.
WG_HD double sigmoid(double x) {
    const double e = exp(-abs(x));
    return (x < 0 ? e : 1.0) / (1.0 + e);
}
/// log(1 + exp(x)) for every x.
template <class T> WG_HD T softplus(T x) {
    return (x > T(0) ? x : T(0)) + log1p(exp(-abs(x)));
}

} // namespace wiregrad::kernel::WG_ISA::math

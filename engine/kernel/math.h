// Elementary functions as branch-free scalar code that a compiler can vectorise, for float; double goes to libm.
// Used by functor.h only, host and device. Always inlined, in a namespace of its own per instruction set.
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

template <class T> WG_HD T to(double value) {
    if constexpr (std::is_same_v<T, std::uint8_t>) return static_cast<T>(static_cast<std::int64_t>(value));
    else return static_cast<T>(value);
}

template <class T> WG_HD bool is_nan(T x) {
    if constexpr (std::is_floating_point_v<T>) return x != x;
    else return false;
}
template <class T> WG_HD bool is_finite(T x) {
    if constexpr (std::is_floating_point_v<T>) return x - x == T(0);
    else return true;
}
WG_HD float abs(float x) { return __builtin_fabsf(x); }
WG_HD double abs(double x) { return __builtin_fabs(x); }
template <class T> WG_HD T abs(T x) { return x < T(0) ? static_cast<T>(-x) : x; }

#define WG_LIBM(name)                                                                                                  \
    WG_HD float name(float x) { return __builtin_##name##f(x); }                                                       \
    WG_HD double name(double x) { return __builtin_##name(x); }
WG_LIBM(exp)
WG_LIBM(log)
WG_LIBM(log1p)
WG_LIBM(expm1)
WG_LIBM(sqrt)
WG_LIBM(sin)
WG_LIBM(cos)
WG_LIBM(tanh)
WG_LIBM(erf)
WG_LIBM(floor)
WG_LIBM(ceil)
#undef WG_LIBM

WG_HD float round_even(float x) { return __builtin_nearbyintf(x); }
WG_HD double round_even(double x) { return __builtin_nearbyint(x); }
WG_HD float pow(float a, float b) { return __builtin_powf(a, b); }
WG_HD double pow(double a, double b) { return __builtin_pow(a, b); }

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

/// 1 / (1 + exp(-x)); exp never overflows into the quotient.
template <class T> WG_HD T sigmoid(T x) {
    const T e = exp(-abs(x));
    return (x < T(0) ? e : T(1)) / (T(1) + e);
}
/// log(1 + exp(x)) for every x.
template <class T> WG_HD T softplus(T x) {
    return (x > T(0) ? x : T(0)) + log1p(exp(-abs(x)));
}

} // namespace wiregrad::kernel::WG_ISA::math

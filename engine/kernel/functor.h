// Scalar mathematics of the elementwise ops, written once: g++ compiles it into the loops of
// simd.cpp for each instruction set, nvcc will compile it into CUDA kernels. Each functor is T -> T
// (or bool) with scalar parameters. Everything here is always inlined and free of std templates, so
// that no copy can leak between instruction sets.
#pragma once

#include "engine/kernel/math.h"
#include "engine/kernel/table.h"

namespace wiregrad::kernel::WG_ISA {

#define WG_UNARY(Name, ...)                                                                        \
    struct Name {                                                                                  \
        template <class T> WG_HD static auto apply(T x, [[maybe_unused]] const Params& p) {        \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    };
#define WG_BINARY(Name, ...)                                                                       \
    struct Name {                                                                                  \
        template <class T> WG_HD static auto apply(T a, T b) { __VA_ARGS__ }                       \
    };

// --- one argument
WG_UNARY(Neg, return static_cast<T>(-x);)
WG_UNARY(Abs, return math::abs(x);)
WG_UNARY(Sign, return math::is_nan(x) ? T(0) : static_cast<T>(T(x > T(0)) - T(x < T(0)));)
WG_UNARY(Square, return static_cast<T>(x * x);)
WG_UNARY(Clamp, const T lo = math::to<T>(p.v[0]); const T hi = math::to<T>(p.v[1]);
         const T up = x < lo ? lo : x; return up > hi ? hi : up;)
WG_UNARY(AddScalar, return static_cast<T>(x + math::to<T>(p.v[0]));)
WG_UNARY(MulScalar, return static_cast<T>(x * math::to<T>(p.v[0]));)
WG_UNARY(RsubScalar, return static_cast<T>(math::to<T>(p.v[0]) - x);)
WG_UNARY(DivScalar, return x / math::to<T>(p.v[0]);)
WG_UNARY(PowScalar, return math::pow(x, math::to<T>(p.v[0]));)
WG_UNARY(Exp, return math::exp(x);)
WG_UNARY(Log, return math::log(x);)
WG_UNARY(Log1p, return math::log1p(x);)
WG_UNARY(Expm1, return math::expm1(x);)
WG_UNARY(Sqrt, return math::sqrt(x);)
WG_UNARY(Rsqrt, return T(1) / math::sqrt(x);)
WG_UNARY(Reciprocal, return T(1) / x;)
WG_UNARY(Sin, return math::sin(x);)
WG_UNARY(Cos, return math::cos(x);)
WG_UNARY(Tanh, return math::tanh(x);)
WG_UNARY(Erf, return math::erf(x);)
WG_UNARY(Floor, return math::floor(x);)
WG_UNARY(Ceil, return math::ceil(x);)
WG_UNARY(Round, return math::round_even(x);)
WG_UNARY(Relu, return x < T(0) ? T(0) : x;) // lets NaN pass
WG_UNARY(LeakyRelu, return x > T(0) ? x : x * math::to<T>(p.v[0]);)
WG_UNARY(Elu, const T alpha = math::to<T>(p.v[0]); const T scale = math::to<T>(p.v[1]);
         return scale * (x > T(0) ? x : alpha * math::expm1(x));)
WG_UNARY(Gelu, return T(0.5) * x * (T(1) + math::erf(x * T(0.70710678118654752440)));)
WG_UNARY(GeluTanh,
         return T(0.5) * x *
                (T(1) + math::tanh(T(0.79788456080286535588) * (x + T(0.044715) * x * x * x)));)
WG_UNARY(Silu, return x * math::sigmoid(x);)
WG_UNARY(Mish, return x * math::tanh(math::softplus(x));)
WG_UNARY(Sigmoid, return math::sigmoid(x);)
WG_UNARY(Softplus, const T beta = math::to<T>(p.v[0]);
         return x * beta > math::to<T>(p.v[1]) ? x : math::log1p(math::exp(x * beta)) / beta;)
WG_UNARY(Hardtanh, return Clamp::apply(x, p);)
WG_UNARY(Hardsigmoid, const T y = (x + T(3)); return (y < T(0)   ? T(0)
                                                      : y > T(6) ? T(6)
                                                                 : y) /
                                                     T(6);)
WG_UNARY(Hardswish, const T y = (x + T(3)); return x *
                                                   (y < T(0)   ? T(0)
                                                    : y > T(6) ? T(6)
                                                               : y) /
                                                   T(6);)
WG_UNARY(Logsigmoid, return (x < T(0) ? x : T(0)) - math::log1p(math::exp(-math::abs(x)));)
WG_UNARY(IsNan, return math::is_nan(x);)
WG_UNARY(IsFinite, return math::is_finite(x);)
WG_UNARY(LogicalNot, return x == T(0);)
WG_UNARY(GtScalar, return x > math::to<T>(p.v[0]);)
WG_UNARY(GeScalar, return x >= math::to<T>(p.v[0]);)
WG_UNARY(LtScalar, return x < math::to<T>(p.v[0]);)
WG_UNARY(LeScalar, return x <= math::to<T>(p.v[0]);)

// --- two arguments
WG_BINARY(Add, return static_cast<T>(a + b);)
WG_BINARY(Sub, return static_cast<T>(a - b);)
WG_BINARY(Mul, return static_cast<T>(a * b);)
WG_BINARY(Div, return a / b;)
WG_BINARY(Pow, return math::pow(a, b);)
WG_BINARY(Maximum, return (a > b || math::is_nan(a)) ? a : b;)
WG_BINARY(Minimum, return (a < b || math::is_nan(a)) ? a : b;)
WG_BINARY(Eq, return a == b;)
WG_BINARY(Ne, return a != b;)
WG_BINARY(Lt, return a < b;)
WG_BINARY(Le, return a <= b;)
WG_BINARY(Gt, return a > b;)
WG_BINARY(Ge, return a >= b;)
// a: gradient of the result, b: the result
WG_BINARY(ReluBackward, return b <= T(0) ? T(0) : a;)
WG_BINARY(SigmoidBackward, return a * (b * (T(1) - b));)
WG_BINARY(TanhBackward, return a * (T(1) - b * b);)

#undef WG_UNARY
#undef WG_BINARY

} // namespace wiregrad::kernel::WG_ISA

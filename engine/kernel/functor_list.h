// The names of all elementwise functors and the dtypes each has a kernel for.
// Read by functor.h's users: the kernel table and the op rows. No code.
//
//   Number  uint8 int32 int64 float32 float64, result of the same dtype
//   Any     bool and Number, result of the same dtype
//   Float   float32 float64, result of the same dtype
//   Test    bool and Number, result bool
#pragma once

// clang-format off

#define WG_UNARY_FUNCTORS(X)                                                                                           \
    X(Neg, Number) X(Abs, Number) X(Sign, Number) X(Square, Number) X(Clamp, Number)                                   \
    X(AddScalar, Number) X(MulScalar, Number) X(RsubScalar, Number) X(DivScalar, Float) X(PowScalar, Float)            \
    X(Exp, Float) X(Log, Float) X(Log1p, Float) X(Expm1, Float) X(Sqrt, Float) X(Rsqrt, Float) X(Reciprocal, Float)    \
    X(Sin, Float) X(Cos, Float) X(Tanh, Float) X(Erf, Float) X(Floor, Float) X(Ceil, Float) X(Round, Float)            \
    X(Relu, Number) X(LeakyRelu, Float) X(Elu, Float) X(Gelu, Float) X(GeluTanh, Float) X(Silu, Float) X(Mish, Float)  \
    X(Sigmoid, Float) X(Softplus, Float) X(Hardtanh, Float) X(Hardsigmoid, Float) X(Hardswish, Float)                  \
    X(Logsigmoid, Float) X(IsNan, Test) X(IsFinite, Test) X(LogicalNot, Test)                                          \
    X(GtScalar, Test) X(GeScalar, Test) X(LtScalar, Test) X(LeScalar, Test)

#define WG_BINARY_FUNCTORS(X)                                                                                          \
    X(Add, Any) X(Sub, Number) X(Mul, Any) X(Div, Float) X(Pow, Number) X(Maximum, Any) X(Minimum, Any)                \
    X(Eq, Test) X(Ne, Test) X(Lt, Test) X(Le, Test) X(Gt, Test) X(Ge, Test) X(ReluBackward, Number)                    \
    X(SigmoidBackward, Float) X(TanhBackward, Float)
// clang-format on

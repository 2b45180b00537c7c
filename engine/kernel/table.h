// The table of one-dimensional loops that engine/kernel/simd.cpp fills once for each instruction
// set. For engine/kernel and engine/op. Immutable; any thread.
#pragma once

#include <cstdint>

#include "engine/core/dtype.h"

namespace wiregrad::kernel {

#define WG_UNARY(name, ...) name,
enum class Unary {
#include "engine/kernel/functors.inc"
};
#define WG_BINARY(name, ...) name,
enum class Binary {
#include "engine/kernel/functors.inc"
};
#define WG_UNARY(...) +1
inline constexpr int kUnaryCount = 0
#include "engine/kernel/functors.inc"
    ;
#define WG_BINARY(...) +1
inline constexpr int kBinaryCount = 0
#include "engine/kernel/functors.inc"
    ;
enum class Fold { Sum, Prod, Max, Min };
inline constexpr int kFoldCount = 4;

/// Scalar arguments of a functor, in the order of the op's attributes.
struct Params {
    double v[4] = {};
};

/// pointers[0] is the output, then the inputs; strides in bytes, 0 for a broadcast operand.
using InnerLoop = void (*)(char* const* pointers, const std::int64_t* strides, std::int64_t count,
                           const Params& params);
/// *out = fold of `count` contiguous elements in a fixed order, count >= 1.
using FoldRow = void (*)(const char* in, std::int64_t count, char* out);
/// into[i] = fold(into[i], in[i]); both contiguous and of the result's dtype and the input's dtype
/// in turn.
using FoldInto = void (*)(char* into, const char* in, std::int64_t count);

/// Null where a combination has no kernel.
struct Table {
    InnerLoop unary[kUnaryCount][kDTypeCount];
    InnerLoop binary[kBinaryCount][kDTypeCount];
    InnerLoop where[kDTypeCount];             ///< out, bool condition, a, b
    InnerLoop masked_fill[kDTypeCount];       ///< out, x, bool mask; params.v[0] is the value
    InnerLoop cast[kDTypeCount][kDTypeCount]; ///< [from][to]
    FoldRow fold_row[kFoldCount][kDTypeCount];
    FoldInto fold_into[kFoldCount][kDTypeCount];
};

/// The table for the instruction set in use (engine/core/config.h).
const Table& table();

} // namespace wiregrad::kernel

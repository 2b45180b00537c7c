// The scalar functors of functors.inc as structs with a static `apply`, always inlined: T -> T (or
// bool) with scalar parameters. Compiled once for each instruction set, in a namespace of its own.
#pragma once

#include "engine/kernel/math.h"
#include "engine/kernel/table.h"

namespace wiregrad::kernel::WG_ISA {

#define WG_UNARY(Name, set, ...)                                                                   \
    struct Name {                                                                                  \
        template <class T> WG_HD static auto apply(T x, [[maybe_unused]] const Params& p) {        \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    };
#define WG_BINARY(Name, set, ...)                                                                  \
    struct Name {                                                                                  \
        template <class T> WG_HD static auto apply(T a, T b, [[maybe_unused]] const Params& p) {   \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    };
#include "engine/kernel/functors.inc"

} // namespace wiregrad::kernel::WG_ISA

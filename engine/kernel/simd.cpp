// Compiled once for each instruction set, in a namespace of its own (WG_ISA). Nothing here may
// instantiate a function that another translation unit could share: the linker would keep one copy,
// perhaps one that a smaller CPU cannot run.
#include "engine/core/half.h"
#include "engine/kernel/functor.h"
#include "engine/kernel/table.h"

namespace wiregrad::kernel::WG_ISA {
namespace {

using std::int64_t;

template <class T> T& at(char* base, int64_t offset) {
    return *reinterpret_cast<T*>(base + offset);
}

template <class F, class In, class Out>
void unary_loop(char* const* pointers, const int64_t* strides, int64_t count,
                const Params& params) {
    const Params p = params;
    char* const out = pointers[0];
    char* const in = pointers[1];
    if (strides[0] == sizeof(Out) && strides[1] == sizeof(In)) {
        auto* const to = reinterpret_cast<Out*>(out);
        const auto* const from = reinterpret_cast<const In*>(in);
        for (int64_t i = 0; i < count; ++i)
            to[i] = static_cast<Out>(F::apply(from[i], p));
        return;
    }
    for (int64_t i = 0; i < count; ++i)
        at<Out>(out, i * strides[0]) = static_cast<Out>(F::apply(at<In>(in, i * strides[1]), p));
}

template <class F, class In, class Out>
void binary_loop(char* const* pointers, const int64_t* strides, int64_t count,
                 const Params& params) {
    const Params p = params;
    if (strides[0] == sizeof(Out)) {
        auto* const to = reinterpret_cast<Out*>(pointers[0]);
        const auto* const a = reinterpret_cast<const In*>(pointers[1]);
        const auto* const b = reinterpret_cast<const In*>(pointers[2]);
        if (strides[1] == sizeof(In) && strides[2] == sizeof(In)) {
            for (int64_t i = 0; i < count; ++i)
                to[i] = static_cast<Out>(F::apply(a[i], b[i], p));
            return;
        }
        if (strides[1] == sizeof(In) && strides[2] == 0) {
            const In right = *b;
            for (int64_t i = 0; i < count; ++i)
                to[i] = static_cast<Out>(F::apply(a[i], right, p));
            return;
        }
        if (strides[1] == 0 && strides[2] == sizeof(In)) {
            const In left = *a;
            for (int64_t i = 0; i < count; ++i)
                to[i] = static_cast<Out>(F::apply(left, b[i], p));
            return;
        }
    }
    for (int64_t i = 0; i < count; ++i) {
        at<Out>(pointers[0], i * strides[0]) = static_cast<Out>(
            F::apply(at<In>(pointers[1], i * strides[1]), at<In>(pointers[2], i * strides[2]), p));
    }
}

/// T is only a carrier of bits here: one loop serves all dtypes of a size.
template <class T>
void where_loop(char* const* pointers, const int64_t* s, int64_t count, const Params&) {
    if (s[0] == sizeof(T) && s[1] == 1 && s[2] == sizeof(T) && s[3] == sizeof(T)) {
        auto* const to = reinterpret_cast<T*>(pointers[0]);
        const auto* const condition = reinterpret_cast<const std::uint8_t*>(pointers[1]);
        const auto* const a = reinterpret_cast<const T*>(pointers[2]);
        const auto* const b = reinterpret_cast<const T*>(pointers[3]);
        for (int64_t i = 0; i < count; ++i)
            to[i] = condition[i] != 0 ? a[i] : b[i];
        return;
    }
    for (int64_t i = 0; i < count; ++i) {
        at<T>(pointers[0], i * s[0]) = at<std::uint8_t>(pointers[1], i * s[1]) != 0
                                           ? at<T>(pointers[2], i * s[2])
                                           : at<T>(pointers[3], i * s[3]);
    }
}

template <class From, class To> WG_HD To convert(From x) {
    if constexpr (std::is_same_v<From, To>)
        return x;
    else if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>)
        return convert<float, To>(to_float(x));
    else if constexpr (std::is_same_v<To, Half>)
        return to_half(static_cast<float>(x));
    else if constexpr (std::is_same_v<To, BFloat16>)
        return to_bfloat16(static_cast<float>(x));
    else if constexpr (std::is_same_v<To, bool>)
        return x != From(0);
    else if constexpr (std::is_same_v<To, std::uint8_t>)
        return static_cast<To>(static_cast<int64_t>(x));
    else
        return static_cast<To>(x);
}

template <class From, class To>
void cast_loop(char* const* pointers, const int64_t* strides, int64_t count, const Params&) {
    if (strides[0] == sizeof(To) && strides[1] == sizeof(From)) {
        auto* const to = reinterpret_cast<To*>(pointers[0]);
        const auto* const from = reinterpret_cast<const From*>(pointers[1]);
        for (int64_t i = 0; i < count; ++i)
            to[i] = convert<From, To>(from[i]);
        return;
    }
    if (strides[0] == sizeof(To) && strides[1] == 0) {
        auto* const to = reinterpret_cast<To*>(pointers[0]);
        const To value = convert<From, To>(at<From>(pointers[1], 0));
        for (int64_t i = 0; i < count; ++i)
            to[i] = value;
        return;
    }
    for (int64_t i = 0; i < count; ++i) {
        at<To>(pointers[0], i * strides[0]) =
            convert<From, To>(at<From>(pointers[1], i * strides[1]));
    }
}

template <class T>
void masked_fill_loop(char* const* pointers, const int64_t* s, int64_t count,
                      const Params& params) {
    const T value = convert<double, T>(params.v[0]);
    if (s[0] == sizeof(T) && s[1] == sizeof(T) && s[2] == 1) {
        auto* const to = reinterpret_cast<T*>(pointers[0]);
        const auto* const x = reinterpret_cast<const T*>(pointers[1]);
        const auto* const mask = reinterpret_cast<const std::uint8_t*>(pointers[2]);
        for (int64_t i = 0; i < count; ++i)
            to[i] = mask[i] != 0 ? value : x[i];
        return;
    }
    for (int64_t i = 0; i < count; ++i) {
        at<T>(pointers[0], i * s[0]) =
            at<std::uint8_t>(pointers[2], i * s[2]) != 0 ? value : at<T>(pointers[1], i * s[1]);
    }
}

// --- folds: 32 lanes whatever the vector width, so that every instruction set gives the same bits

template <Fold kFold, class T> WG_HD T combine(T a, T b) {
    if constexpr (kFold == Fold::Sum)
        return static_cast<T>(a + b);
    else if constexpr (kFold == Fold::Prod)
        return static_cast<T>(a * b);
    else if constexpr (kFold == Fold::Max)
        return (a > b || math::is_nan(a)) ? a : b;
    else
        return (a < b || math::is_nan(a)) ? a : b;
}

template <Fold kFold, class In, class Out> void fold_row(const char* in, int64_t count, char* out) {
    constexpr int kLanes = 32;
    const auto* const x = reinterpret_cast<const In*>(in);
    Out result;
    if (count < kLanes) {
        result = static_cast<Out>(x[0]);
        for (int64_t i = 1; i < count; ++i)
            result = combine<kFold>(result, static_cast<Out>(x[i]));
    } else {
        Out lane[kLanes];
        for (int l = 0; l < kLanes; ++l)
            lane[l] = static_cast<Out>(x[l]);
        int64_t i = kLanes;
        for (; i + kLanes <= count; i += kLanes) {
            for (int l = 0; l < kLanes; ++l)
                lane[l] = combine<kFold>(lane[l], static_cast<Out>(x[i + l]));
        }
        for (int l = 0; i + l < count; ++l)
            lane[l] = combine<kFold>(lane[l], static_cast<Out>(x[i + l]));
        for (int half = kLanes / 2; half > 0; half /= 2) {
            for (int l = 0; l < half; ++l)
                lane[l] = combine<kFold>(lane[l], lane[l + half]);
        }
        result = lane[0];
    }
    *reinterpret_cast<Out*>(out) = result;
}

template <Fold kFold, class In, class Out>
void fold_into(char* into, const char* in, int64_t count) {
    auto* const to = reinterpret_cast<Out*>(into);
    const auto* const x = reinterpret_cast<const In*>(in);
    for (int64_t i = 0; i < count; ++i)
        to[i] = combine<kFold>(to[i], static_cast<Out>(x[i]));
}

// --- filling the table

template <class T> constexpr int index = static_cast<int>(kDTypeOf<T>);

template <template <class, class, class> class Loop, class F> void set_number(InnerLoop* row) {
    row[index<std::uint8_t>] = Loop<F, std::uint8_t, std::uint8_t>::run;
    row[index<std::int32_t>] = Loop<F, std::int32_t, std::int32_t>::run;
    row[index<int64_t>] = Loop<F, int64_t, int64_t>::run;
    row[index<float>] = Loop<F, float, float>::run;
    row[index<double>] = Loop<F, double, double>::run;
}
template <template <class, class, class> class Loop, class F> void set_any(InnerLoop* row) {
    row[index<bool>] = Loop<F, bool, bool>::run;
    set_number<Loop, F>(row);
}
template <template <class, class, class> class Loop, class F> void set_whole(InnerLoop* row) {
    row[index<bool>] = Loop<F, bool, bool>::run;
    row[index<std::uint8_t>] = Loop<F, std::uint8_t, std::uint8_t>::run;
    row[index<std::int32_t>] = Loop<F, std::int32_t, std::int32_t>::run;
    row[index<int64_t>] = Loop<F, int64_t, int64_t>::run;
}
template <template <class, class, class> class Loop, class F> void set_float(InnerLoop* row) {
    row[index<float>] = Loop<F, float, float>::run;
    row[index<double>] = Loop<F, double, double>::run;
}
template <template <class, class, class> class Loop, class F> void set_test(InnerLoop* row) {
    row[index<bool>] = Loop<F, bool, bool>::run;
    row[index<std::uint8_t>] = Loop<F, std::uint8_t, bool>::run;
    row[index<std::int32_t>] = Loop<F, std::int32_t, bool>::run;
    row[index<int64_t>] = Loop<F, int64_t, bool>::run;
    row[index<float>] = Loop<F, float, bool>::run;
    row[index<double>] = Loop<F, double, bool>::run;
}
template <class F, class In, class Out> struct UnaryLoop {
    static constexpr InnerLoop run = unary_loop<F, In, Out>;
};
template <class F, class In, class Out> struct BinaryLoop {
    static constexpr InnerLoop run = binary_loop<F, In, Out>;
};

template <class From> void set_casts(InnerLoop* row) {
    row[index<bool>] = cast_loop<From, bool>;
    row[index<std::uint8_t>] = cast_loop<From, std::uint8_t>;
    row[index<std::int32_t>] = cast_loop<From, std::int32_t>;
    row[index<int64_t>] = cast_loop<From, int64_t>;
    row[index<Half>] = cast_loop<From, Half>;
    row[index<BFloat16>] = cast_loop<From, BFloat16>;
    row[index<float>] = cast_loop<From, float>;
    row[index<double>] = cast_loop<From, double>;
}

template <Fold kFold, class In, class Out = In> void set_fold(Table& table) {
    table.fold_row[static_cast<int>(kFold)][index<In>] = fold_row<kFold, In, Out>;
    table.fold_into[static_cast<int>(kFold)][index<In>] = fold_into<kFold, In, Out>;
}
/// Integers add up and multiply in 64 bits.
template <Fold kFold> void set_total(Table& table) {
    set_fold<kFold, bool, int64_t>(table);
    set_fold<kFold, std::uint8_t, int64_t>(table);
    set_fold<kFold, std::int32_t, int64_t>(table);
    set_fold<kFold, int64_t>(table);
    set_fold<kFold, float>(table);
    set_fold<kFold, double>(table);
}
template <Fold kFold> void set_extreme(Table& table) {
    set_fold<kFold, bool>(table);
    set_fold<kFold, std::uint8_t>(table);
    set_fold<kFold, std::int32_t>(table);
    set_fold<kFold, int64_t>(table);
    set_fold<kFold, float>(table);
    set_fold<kFold, double>(table);
}

#define WG_SET_Number set_number
#define WG_SET_Any set_any
#define WG_SET_Whole set_whole
#define WG_SET_Float set_float
#define WG_SET_Test set_test

Table make_table() {
    Table t{};
#define WG_UNARY(name, set, ...)                                                                   \
    WG_SET_##set<UnaryLoop, name>(t.unary[static_cast<int>(Unary::name)]);
#define WG_BINARY(name, set, ...)                                                                  \
    WG_SET_##set<BinaryLoop, name>(t.binary[static_cast<int>(Binary::name)]);
#include "engine/kernel/functors.inc"
    for (int i = 0; i < kDTypeCount; ++i) {
        static constexpr InnerLoop by_size[9] = {nullptr,
                                                 where_loop<std::uint8_t>,
                                                 where_loop<std::uint16_t>,
                                                 nullptr,
                                                 where_loop<std::uint32_t>,
                                                 nullptr,
                                                 nullptr,
                                                 nullptr,
                                                 where_loop<std::uint64_t>};
        static constexpr int sizes[kDTypeCount] = {1, 1, 4, 8, 2, 2, 4, 8};
        t.where[i] = by_size[sizes[i]];
    }
    t.masked_fill[index<bool>] = masked_fill_loop<bool>;
    t.masked_fill[index<std::uint8_t>] = masked_fill_loop<std::uint8_t>;
    t.masked_fill[index<std::int32_t>] = masked_fill_loop<std::int32_t>;
    t.masked_fill[index<int64_t>] = masked_fill_loop<int64_t>;
    t.masked_fill[index<Half>] = masked_fill_loop<Half>;
    t.masked_fill[index<BFloat16>] = masked_fill_loop<BFloat16>;
    t.masked_fill[index<float>] = masked_fill_loop<float>;
    t.masked_fill[index<double>] = masked_fill_loop<double>;
    set_casts<bool>(t.cast[index<bool>]);
    set_casts<std::uint8_t>(t.cast[index<std::uint8_t>]);
    set_casts<std::int32_t>(t.cast[index<std::int32_t>]);
    set_casts<int64_t>(t.cast[index<int64_t>]);
    set_casts<Half>(t.cast[index<Half>]);
    set_casts<BFloat16>(t.cast[index<BFloat16>]);
    set_casts<float>(t.cast[index<float>]);
    set_casts<double>(t.cast[index<double>]);
    set_total<Fold::Sum>(t);
    set_total<Fold::Prod>(t);
    set_extreme<Fold::Max>(t);
    set_extreme<Fold::Min>(t);
    return t;
}

} // namespace

const Table& simd_table();
const Table& simd_table() {
    static const Table table = make_table();
    return table;
}

} // namespace wiregrad::kernel::WG_ISA

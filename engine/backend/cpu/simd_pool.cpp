// Compiled once for each instruction set, in a namespace of its own (WG_ISA). Nothing here may
// instantiate a function that another translation unit could share: the linker would keep one copy,
// perhaps one that a smaller CPU cannot run.
#include "engine/backend/cpu/simd.h"

namespace wiregrad::cpu::WG_ISA {

namespace {

// Sixteen outputs at a time whatever the instruction set: the compiler splits them where registers
// are smaller.
constexpr int kLanes = 16;
typedef float V __attribute__((vector_size(kLanes * sizeof(float))));
typedef float Unaligned
    __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef int I __attribute__((vector_size(kLanes * sizeof(int))));
typedef std::uint8_t Bytes __attribute__((vector_size(kLanes), aligned(1), may_alias));

// References, not values: how a vector is passed by value differs between instruction sets.
inline void load(V& to, const float* from) {
    to = *reinterpret_cast<const Unaligned*>(from);
}
inline void store(float* to, const V& value) {
    *reinterpret_cast<Unaligned*>(to) = value;
}

inline void consider(const V& value, int place, V& best, I& places) {
    const I taken = (value > best) | (value != value);
    best = taken ? value : best;
    places = taken ? I{} + place : places;
}

/// One output; the order of the window decides ties, a NaN wins.
inline void scalar(const float* top, std::int64_t in_w, float* y, std::uint8_t* place) {
    float best = top[0];
    std::uint8_t at = 0;
    const float others[3] = {top[1], top[in_w], top[in_w + 1]};
    for (std::uint8_t k = 0; k < 3; ++k)
        if (others[k] > best || others[k] != others[k]) {
            best = others[k];
            at = static_cast<std::uint8_t>(k + 1);
        }
    *y = best;
    *place = at;
}

/// Every other lane of two vectors laid end to end, and the inverse: two vectors woven into one.
inline void evens(const V& a, const V& b, V& out) {
    out = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}
inline void odds(const V& a, const V& b, V& out) {
    out = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}
inline void woven_low(const V& a, const V& b, V& out) {
    out = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
inline void woven_high(const V& a, const V& b, V& out) {
    out =
        __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

void max_2x2(std::int64_t planes, std::int64_t in_h, std::int64_t in_w, std::int64_t out_h,
             std::int64_t out_w, const float* x, float* y, std::uint8_t* place) {
    const float* const x_end = x + planes * in_h * in_w;
    float* const y_end = y + planes * out_h * out_w;
    for (std::int64_t plane = 0; plane < planes; ++plane)
        for (std::int64_t row = 0; row < out_h; ++row) {
            const float* top = x + (plane * in_h + 2 * row) * in_w;
            float* out = y + (plane * out_h + row) * out_w;
            std::uint8_t* at = place + (plane * out_h + row) * out_w;
            std::int64_t c = 0;
            // A vector may run past its row: what it writes there is written again by the rows that
            // follow.
            for (;
                 c < out_w && top + in_w + 2 * c + 2 * kLanes <= x_end && out + c + kLanes <= y_end;
                 c += kLanes) {
                V a, b, d, e;
                load(a, top + 2 * c);
                load(b, top + 2 * c + kLanes);
                load(d, top + in_w + 2 * c);
                load(e, top + in_w + 2 * c + kLanes);
                V best, next;
                I places = {};
                evens(a, b, best);
                odds(a, b, next);
                consider(next, 1, best, places);
                evens(d, e, next);
                consider(next, 2, best, places);
                odds(d, e, next);
                consider(next, 3, best, places);
                store(out + c, best);
                *reinterpret_cast<Bytes*>(at + c) = __builtin_convertvector(places, Bytes);
            }
            for (; c < out_w; ++c)
                scalar(top + 2 * c, in_w, out + c, at + c);
        }
}

void max_2x2_backward(std::int64_t planes, std::int64_t out_h, std::int64_t out_w, const float* gy,
                      const std::uint8_t* place, float* gx) {
    const std::int64_t in_w = 2 * out_w;
    const float* const gy_end = gy + planes * out_h * out_w;
    float* const gx_end = gx + planes * out_h * out_w * 4;
    for (std::int64_t row = 0; row < planes * out_h; ++row)
        for (int half = 0; half < 2;
             ++half) { // the upper row first: the vectors of the lower one repair what ran past it
            const float* g = gy + row * out_w;
            const std::uint8_t* at = place + row * out_w;
            float* out = gx + (2 * row + half) * in_w;
            std::int64_t c = 0;
            for (; c < out_w && g + c + kLanes <= gy_end && out + 2 * c + 2 * kLanes <= gx_end;
                 c += kLanes) {
                V grad;
                load(grad, g + c);
                const V none = {};
                const I places =
                    __builtin_convertvector(*reinterpret_cast<const Bytes*>(at + c), I);
                const V left = places == 2 * half ? grad : none,
                        right = places == 2 * half + 1 ? grad : none;
                V woven;
                woven_low(left, right, woven);
                store(out + 2 * c, woven);
                woven_high(left, right, woven);
                store(out + 2 * c + kLanes, woven);
            }
            for (; c < out_w; ++c) {
                out[2 * c] = at[c] == 2 * half ? g[c] : 0.0F;
                out[2 * c + 1] = at[c] == 2 * half + 1 ? g[c] : 0.0F;
            }
        }
}

} // namespace

extern const PoolKernels kPoolKernels;
const PoolKernels kPoolKernels{max_2x2, max_2x2_backward};

} // namespace wiregrad::cpu::WG_ISA

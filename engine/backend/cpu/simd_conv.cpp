// Compiled once for each instruction set, in a namespace of its own (WG_ISA). Nothing here may
// instantiate a function that another translation unit could share: the linker would keep one copy,
// perhaps one that a smaller CPU cannot run.
#include "engine/backend/cpu/simd.h"

namespace wiregrad::cpu::WG_ISA {

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kOutputs = 8, kVectors = 3, kDotOutputs = 4, kDotTaps = 6;
#elif defined(__AVX2__)
constexpr int kLanes = 8, kOutputs = 4, kVectors = 3, kDotOutputs = 3, kDotTaps = 4;
#else
constexpr int kLanes = 4, kOutputs = 4, kVectors = 3, kDotOutputs = 3, kDotTaps = 4;
#endif

typedef float V __attribute__((vector_size(kLanes * sizeof(float))));
typedef float Unaligned
    __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));

inline V load(const float* from) {
    return *reinterpret_cast<const Unaligned*>(from);
}
inline void store(float* to, V value) {
    *reinterpret_cast<Unaligned*>(to) = value;
}
inline V splat(float value) {
    return value - V{};
}

template <int kOut, int kVec>
inline void tile(const float* source, const std::int64_t* offsets, std::int64_t taps,
                 const float* weight, const float* bias, float* out, std::int64_t out_pitch) {
    V sums[kOut][kVec];
    for (int o = 0; o < kOut; ++o)
        for (int v = 0; v < kVec; ++v)
            sums[o][v] = splat(bias[o]);
    for (std::int64_t k = 0; k < taps; ++k) {
        const float* at = source + offsets[k];
        V x[kVec];
#pragma GCC unroll 4
        for (int v = 0; v < kVec; ++v)
            x[v] = load(at + v * kLanes);
#pragma GCC unroll 8
        for (int o = 0; o < kOut; ++o) {
            const V w = splat(weight[k * kOut + o]);
#pragma GCC unroll 4
            for (int v = 0; v < kVec; ++v)
                sums[o][v] += w * x[v];
        }
    }
#pragma GCC unroll 8
    for (int o = 0; o < kOut; ++o)
#pragma GCC unroll 4
        for (int v = 0; v < kVec; ++v)
            store(out + o * out_pitch + v * kLanes, sums[o][v]);
}

template <int kOut>
void flat_of(const float* source, const std::int64_t* offsets, std::int64_t taps,
             const float* weight, const float* bias, std::int64_t positions, float* out,
             std::int64_t out_pitch) {
    std::int64_t p = 0;
    for (; p + (kVectors - 1) * kLanes < positions; p += kVectors * kLanes)
        tile<kOut, kVectors>(source + p, offsets, taps, weight, bias, out + p, out_pitch);
    for (; p < positions; p += kLanes)
        tile<kOut, 1>(source + p, offsets, taps, weight, bias, out + p, out_pitch);
}

void flat(int outputs, const float* source, const std::int64_t* offsets, std::int64_t taps,
          const float* weight, const float* bias, std::int64_t positions, float* out,
          std::int64_t out_pitch) {
    using Flat = void (*)(const float*, const std::int64_t*, std::int64_t, const float*,
                          const float*, std::int64_t, float*, std::int64_t);
    static constexpr Flat kFlats[] = {
        flat_of<1>,
        flat_of<2>,
        flat_of<3>,
        flat_of<4>,
#if defined(__AVX512F__)
        flat_of<5>,
        flat_of<6>,
        flat_of<7>,
        flat_of<8>,
#endif
    };
    kFlats[outputs - 1](source, offsets, taps, weight, bias, positions, out, out_pitch);
}

inline float total(V value) {
    float sum = 0;
    for (int l = 0; l < kLanes; ++l)
        sum += value[l];
    return sum;
}

template <int kOut, int kTaps>
void dot_of(const float* grad, std::int64_t grad_pitch, const float* source,
            const std::int64_t* offsets, std::int64_t images, std::int64_t grad_image,
            std::int64_t source_image, std::int64_t positions, float* result) {
    V sums[kOut][kTaps];
    for (int o = 0; o < kOut; ++o)
        for (int k = 0; k < kTaps; ++k)
            sums[o][k] = V{};
    for (std::int64_t n = 0; n < images; ++n) {
        const float* g = grad + n * grad_image;
        const float* taps[kTaps];
        for (int k = 0; k < kTaps; ++k)
            taps[k] = source + n * source_image + offsets[k];
        for (std::int64_t p = 0; p < positions; p += kLanes) {
            V left[kOut];
#pragma GCC unroll 4
            for (int o = 0; o < kOut; ++o)
                left[o] = load(g + o * grad_pitch + p);
#pragma GCC unroll 8
            for (int k = 0; k < kTaps; ++k) {
                const V x = load(taps[k] + p);
#pragma GCC unroll 4
                for (int o = 0; o < kOut; ++o)
                    sums[o][k] += left[o] * x;
            }
        }
    }
    for (int o = 0; o < kOut; ++o)
        for (int k = 0; k < kTaps; ++k)
            result[o * kTaps + k] = total(sums[o][k]);
}

template <int kOut>
void dot_taps(int taps, const float* grad, std::int64_t grad_pitch, const float* source,
              const std::int64_t* offsets, std::int64_t images, std::int64_t grad_image,
              std::int64_t source_image, std::int64_t positions, float* sums) {
    using Dot = void (*)(const float*, std::int64_t, const float*, const std::int64_t*,
                         std::int64_t, std::int64_t, std::int64_t, std::int64_t, float*);
    static constexpr Dot kDots[] = {
        dot_of<kOut, 1>,
        dot_of<kOut, 2>,
        dot_of<kOut, 3>,
        dot_of<kOut, 4>,
#if defined(__AVX512F__)
        dot_of<kOut, 5>,
        dot_of<kOut, 6>,
#endif
    };
    kDots[taps - 1](grad, grad_pitch, source, offsets, images, grad_image, source_image, positions,
                    sums);
}

void dot(int outputs, int taps, const float* grad, std::int64_t grad_pitch, const float* source,
         const std::int64_t* offsets, std::int64_t images, std::int64_t grad_image,
         std::int64_t source_image, std::int64_t positions, float* sums) {
    switch (outputs) {
    case 1:
        return dot_taps<1>(taps, grad, grad_pitch, source, offsets, images, grad_image,
                           source_image, positions, sums);
    case 2:
        return dot_taps<2>(taps, grad, grad_pitch, source, offsets, images, grad_image,
                           source_image, positions, sums);
    case 3:
        return dot_taps<3>(taps, grad, grad_pitch, source, offsets, images, grad_image,
                           source_image, positions, sums);
#if defined(__AVX512F__)
    case 4:
        return dot_taps<4>(taps, grad, grad_pitch, source, offsets, images, grad_image,
                           source_image, positions, sums);
#endif
    default:
        return;
    }
}

} // namespace

extern const ConvKernels kConvKernels;
const ConvKernels kConvKernels{kOutputs, flat, kDotOutputs, kDotTaps, dot};

} // namespace wiregrad::cpu::WG_ISA

// Batch norm and pooling on pictures in channel blocks: sixteen channels lie side by side, so that
// every pass is a row of whole vectors. Compiled once for each instruction set, in a namespace of
// its own (WG_ISA). Nothing here may instantiate a function that another translation unit could
// share.
#include "engine/backend/cpu/simd.h"

namespace wiregrad::cpu::WG_ISA {

namespace {

using std::int64_t;
constexpr int kLanes = 16;
#if defined(__AVX512F__)
constexpr int kVector = 16;
#elif defined(__AVX2__)
constexpr int kVector = 8;
#else
constexpr int kVector = 4;
#endif
constexpr int kParts = kLanes / kVector;
typedef float V __attribute__((vector_size(kVector * sizeof(float))));
typedef std::int32_t I __attribute__((vector_size(kVector * sizeof(float))));
typedef float Unaligned
    __attribute__((vector_size(kVector * sizeof(float)), aligned(sizeof(float)), may_alias));

constexpr int64_t kChunk = 256; // positions whose sums stay in single precision

void moments(const float* x, int64_t positions, const float* pivot, double* sums, double* squares) {
    for (int64_t first = 0; first < positions; first += kChunk) {
        const int64_t last = positions - first < kChunk ? positions : first + kChunk;
        float s[kLanes] = {}, q[kLanes] = {};
        for (int64_t i = first; i < last; ++i)
            for (int l = 0; l < kLanes; ++l) {
                const float d = x[i * kLanes + l] - pivot[l];
                s[l] += d;
                q[l] += d * d;
            }
        for (int l = 0; l < kLanes; ++l) {
            sums[l] += static_cast<double>(s[l]);
            squares[l] += static_cast<double>(q[l]);
        }
    }
}

void affine(const float* x, int64_t positions, const float* scale, const float* shift, bool relu,
            float* y) {
    float a[kLanes], b[kLanes];
    for (int l = 0; l < kLanes; ++l) {
        a[l] = scale[l];
        b[l] = shift[l];
    }
    if (relu)
        for (int64_t i = 0; i < positions; ++i)
            for (int l = 0; l < kLanes; ++l) {
                const float v = x[i * kLanes + l] * a[l] + b[l];
                y[i * kLanes + l] = v < 0 ? 0.0F : v;
            }
    else
        for (int64_t i = 0; i < positions; ++i)
            for (int l = 0; l < kLanes; ++l)
                y[i * kLanes + l] = x[i * kLanes + l] * a[l] + b[l];
}

/// What affine() gives decides, computed in the same way.
template <bool kRelu>
inline void pulls_of(const float* g, const float* x, int64_t positions, const float* centre,
                     const float* scale, const float* shift, double* sums, double* dots) {
    float c[kLanes], a[kLanes], b[kLanes];
    for (int l = 0; l < kLanes; ++l) {
        c[l] = centre[l];
        a[l] = kRelu ? scale[l] : 0;
        b[l] = kRelu ? shift[l] : 0;
    }
    for (int64_t first = 0; first < positions; first += kChunk) {
        const int64_t last = positions - first < kChunk ? positions : first + kChunk;
        float s[kLanes] = {}, d[kLanes] = {};
        for (int64_t i = first; i < last; ++i)
            for (int l = 0; l < kLanes; ++l) {
                const float v = x[i * kLanes + l];
                float own = g[i * kLanes + l];
                if (kRelu) own = v * a[l] + b[l] > 0 ? own : 0.0F;
                s[l] += own;
                d[l] += own * (v - c[l]);
            }
        for (int l = 0; l < kLanes; ++l) {
            sums[l] += static_cast<double>(s[l]);
            dots[l] += static_cast<double>(d[l]);
        }
    }
}

template <bool kRelu>
inline void norm_grad_of(const float* g, const float* x, int64_t positions, const float* centre,
                         const float* scale, const float* shift, const float* mean_g,
                         const float* slope, float* gx) {
    float c[kLanes], a[kLanes], b[kLanes], m[kLanes], s[kLanes];
    for (int l = 0; l < kLanes; ++l) {
        c[l] = centre[l];
        a[l] = scale[l];
        b[l] = kRelu ? shift[l] : 0;
        m[l] = mean_g[l];
        s[l] = slope[l];
    }
    for (int64_t i = 0; i < positions; ++i)
        for (int l = 0; l < kLanes; ++l) {
            const int64_t at = i * kLanes + l;
            float own = g[at];
            if (kRelu) own = x[at] * a[l] + b[l] > 0 ? own : 0.0F;
            gx[at] = a[l] * (own - m[l] - (x[at] - c[l]) * s[l]);
        }
}

void pulls(const float* g, const float* x, int64_t positions, const float* centre, double* sums,
           double* dots) {
    pulls_of<false>(g, x, positions, centre, nullptr, nullptr, sums, dots);
}
void norm_grad(const float* g, const float* x, int64_t positions, const float* centre,
               const float* scale, const float* mean_g, const float* slope, float* gx) {
    norm_grad_of<false>(g, x, positions, centre, scale, nullptr, mean_g, slope, gx);
}
void pulls_behind_relu(const float* g, const float* x, int64_t positions, const float* centre,
                       const float* scale, const float* shift, double* sums, double* dots) {
    pulls_of<true>(g, x, positions, centre, scale, shift, sums, dots);
}
void norm_grad_behind_relu(const float* g, const float* x, int64_t positions, const float* centre,
                           const float* scale, const float* shift, const float* mean_g,
                           const float* slope, float* gx) {
    norm_grad_of<true>(g, x, positions, centre, scale, shift, mean_g, slope, gx);
}

/// Rows and columns of a window that lie inside the picture.
struct Span {
    int64_t first, last; ///< taps
};
inline Span inside(int64_t start, int64_t taps, int64_t dilation, int64_t size) {
    int64_t first = 0, last = taps;
    while (first < last && start + first * dilation < 0)
        ++first;
    while (last > first && start + (last - 1) * dilation >= size)
        --last;
    return {first, last};
}

void max_forward(const PoolGeometry& g, const float* x, float* y, std::uint8_t* place) {
    for (int64_t i = 0; i < g.out_h; ++i) {
        const int64_t top = i * g.stride_h - g.pad_h;
        const Span rows = inside(top, g.kernel_h, g.dilation_h, g.in_h);
        for (int64_t j = 0; j < g.out_w; ++j) {
            const int64_t left = j * g.stride_w - g.pad_w;
            const Span columns = inside(left, g.kernel_w, g.dilation_w, g.in_w);
            V best[kParts];
            I at[kParts];
            for (int p = 0; p < kParts; ++p) {
                best[p] = -__builtin_inff() - V{};
                at[p] = static_cast<std::int32_t>(rows.first * g.kernel_w + columns.first) - I{};
            }
            for (int64_t r = rows.first; r < rows.last; ++r)
                for (int64_t c = columns.first; c < columns.last; ++c) {
                    const float* from =
                        x + ((top + r * g.dilation_h) * g.in_w + left + c * g.dilation_w) * kLanes;
                    const I tap = static_cast<std::int32_t>(r * g.kernel_w + c) - I{};
                    for (int p = 0; p < kParts; ++p) {
                        const V v = *reinterpret_cast<const Unaligned*>(from + p * kVector);
                        const I wins = (v > best[p]) | (v != v);
                        best[p] = wins ? v : best[p];
                        at[p] = wins ? tap : at[p];
                    }
                }
            float* to = y + (i * g.out_w + j) * kLanes;
            std::uint8_t* where = place + (i * g.out_w + j) * kLanes;
            for (int p = 0; p < kParts; ++p) {
                *reinterpret_cast<Unaligned*>(to + p * kVector) = best[p];
                std::int32_t taps[kVector];
                __builtin_memcpy(taps, &at[p], sizeof(taps));
                for (int l = 0; l < kVector; ++l)
                    where[p * kVector + l] = static_cast<std::uint8_t>(taps[l]);
            }
        }
    }
}

void max_backward(const PoolGeometry& g, const float* gy, const std::uint8_t* place, float* gx) {
    for (int64_t i = 0; i < g.in_h * g.in_w * kLanes; ++i)
        gx[i] = 0;
    for (int64_t i = 0; i < g.out_h; ++i) {
        const int64_t top = i * g.stride_h - g.pad_h;
        const Span rows = inside(top, g.kernel_h, g.dilation_h, g.in_h);
        for (int64_t j = 0; j < g.out_w; ++j) {
            const int64_t left = j * g.stride_w - g.pad_w;
            const Span columns = inside(left, g.kernel_w, g.dilation_w, g.in_w);
            const float* from = gy + (i * g.out_w + j) * kLanes;
            const std::uint8_t* where = place + (i * g.out_w + j) * kLanes;
            std::int32_t at[kLanes];
            for (int l = 0; l < kLanes; ++l)
                at[l] = where[l];
            for (int64_t r = rows.first; r < rows.last; ++r)
                for (int64_t c = columns.first; c < columns.last; ++c) {
                    float* to =
                        gx + ((top + r * g.dilation_h) * g.in_w + left + c * g.dilation_w) * kLanes;
                    const auto tap = static_cast<std::int32_t>(r * g.kernel_w + c);
                    for (int l = 0; l < kLanes; ++l)
                        to[l] += at[l] == tap ? from[l] : 0.0F;
                }
        }
    }
}

} // namespace

extern const BlockedKernels kBlockedKernels;
const BlockedKernels kBlockedKernels{
    moments,     affine,      pulls, norm_grad, pulls_behind_relu, norm_grad_behind_relu,
    max_forward, max_backward};

} // namespace wiregrad::cpu::WG_ISA

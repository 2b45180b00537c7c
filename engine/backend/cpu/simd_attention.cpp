// Rows of attention weights, and random numbers for dropout. Compiled once for each instruction
// set, in a namespace of its own (WG_ISA). Nothing here may instantiate a function that another
// translation unit could share.
#include "engine/backend/cpu/simd.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "engine/backend/cpu/simd_math.h"

namespace wiregrad::cpu::WG_ISA {

namespace {

using std::int64_t;
constexpr int kLanes = 16;

float softmax(int64_t n, float scale, const float* bias, float* s) {
    float best[kLanes], sums[kLanes] = {};
    for (int l = 0; l < kLanes; ++l)
        best[l] = -__builtin_inff();
    if (bias != nullptr)
        for (int64_t i = 0; i < n; ++i)
            s[i] = s[i] * scale + bias[i];
    else
        for (int64_t i = 0; i < n; ++i)
            s[i] *= scale;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int l = 0; l < kLanes; ++l)
            best[l] = s[i + l] > best[l] ? s[i + l] : best[l];
    for (int l = 0; i < n; ++i, ++l)
        best[l] = s[i] > best[l] ? s[i] : best[l];
    float top = best[0];
    for (int l = 1; l < kLanes; ++l)
        top = best[l] > top ? best[l] : top;
    if (top == -__builtin_inff()) top = 0; // every key is masked (or NaN): exponentials tell
    for (i = 0; i < n; ++i)
        s[i] = quick::exp(s[i] - top);
    i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int l = 0; l < kLanes; ++l)
            sums[l] += s[i + l];
    for (int l = 0; i < n; ++i, ++l)
        sums[l] += s[i];
    float sum = 0;
    for (int l = 0; l < kLanes; ++l)
        sum += sums[l];
    if (sum == 0) return -__builtin_inff();
    const float factor = 1.0F / sum;
    for (i = 0; i < n; ++i)
        s[i] *= factor;
    return top + __builtin_logf(sum);
}

void weights(int64_t n, float scale, const float* bias, float log_sum, float* s) {
    if (log_sum == -__builtin_inff()) {
        for (int64_t i = 0; i < n; ++i)
            s[i] = 0;
    } else if (bias != nullptr) {
        for (int64_t i = 0; i < n; ++i)
            s[i] = quick::exp(s[i] * scale + bias[i] - log_sum);
    } else {
        for (int64_t i = 0; i < n; ++i)
            s[i] = quick::exp(s[i] * scale - log_sum);
    }
}

void score_grad(int64_t n, float scale, const float* weight, float pull, float* g) {
    for (int64_t i = 0; i < n; ++i)
        g[i] = weight[i] * (g[i] - pull) * scale;
}

float dot(int64_t n, const float* a, const float* b) {
    float sums[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int l = 0; l < kLanes; ++l)
            sums[l] += a[i + l] * b[i + l];
    for (int l = 0; i < n; ++i, ++l)
        sums[l] += a[i] * b[i];
    float sum = 0;
    for (int l = 0; l < kLanes; ++l)
        sum += sums[l];
    return sum;
}

/// kLanes consecutive blocks of Philox 4x32-10 (engine/core/random.h has the algorithm and its
/// source): out[4 l + j] is number j of block first + l.
#if defined(__AVX2__)
// Eight (four) blocks at once, each number in the lower half of 64 bits: the multiplication takes
// those halves alone, so that what gathers in the upper ones does no harm.
#if defined(__AVX512F__)
// The masked forms, with all lanes: GCC 12 warns of the others' undefined operands.
typedef __m512i Wide;
constexpr int kBlocks = 8;
inline Wide wide(std::uint32_t v) {
    return _mm512_set1_epi64(static_cast<long long>(v));
}
inline Wide product(Wide x, Wide y) {
    return _mm512_maskz_mul_epu32(0xFF, x, y);
}
inline Wide mixed(Wide high, Wide x, Wide key) {
    return _mm512_xor_si512(_mm512_xor_si512(_mm512_maskz_srli_epi64(0xFF, high, 32), x), key);
}
inline Wide counters(std::uint64_t first) {
    return _mm512_add_epi64(_mm512_set1_epi64(static_cast<long long>(first)),
                            _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
}
inline Wide upper(Wide x) {
    return _mm512_maskz_srli_epi64(0xFF, x, 32);
}
inline void put(Wide a, Wide b, Wide c, Wide d, std::uint32_t* out) {
    const Wide low = _mm512_set1_epi64(0xFFFFFFFFLL),
               ab = _mm512_or_si512(_mm512_and_si512(a, low), _mm512_maskz_slli_epi64(0xFF, b, 32)),
               cd = _mm512_or_si512(_mm512_and_si512(c, low), _mm512_maskz_slli_epi64(0xFF, d, 32));
    _mm512_storeu_si512(
        out, _mm512_permutex2var_epi64(ab, _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0), cd));
    _mm512_storeu_si512(
        out + 16, _mm512_permutex2var_epi64(ab, _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4), cd));
}
#else
typedef __m256i Wide;
constexpr int kBlocks = 4;
inline Wide wide(std::uint32_t v) {
    return _mm256_set1_epi64x(static_cast<long long>(v));
}
inline Wide product(Wide x, Wide y) {
    return _mm256_mul_epu32(x, y);
}
inline Wide mixed(Wide high, Wide x, Wide key) {
    return _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(high, 32), x), key);
}
inline Wide counters(std::uint64_t first) {
    return _mm256_add_epi64(_mm256_set1_epi64x(static_cast<long long>(first)),
                            _mm256_set_epi64x(3, 2, 1, 0));
}
inline Wide upper(Wide x) {
    return _mm256_srli_epi64(x, 32);
}
inline void put(Wide a, Wide b, Wide c, Wide d, std::uint32_t* out) {
    const Wide low = _mm256_set1_epi64x(0xFFFFFFFFLL),
               ab = _mm256_or_si256(_mm256_and_si256(a, low), _mm256_slli_epi64(b, 32)),
               cd = _mm256_or_si256(_mm256_and_si256(c, low), _mm256_slli_epi64(d, 32)),
               even = _mm256_unpacklo_epi64(ab, cd), odd = _mm256_unpackhi_epi64(ab, cd);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                        _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 8),
                        _mm256_permute2x128_si256(even, odd, 0x31));
}
#endif
void blocks(std::uint64_t seed, std::uint64_t offset, std::uint64_t first, std::uint32_t* out) {
    const Wide m0 = wide(0xD2511F53U), m1 = wide(0xCD9E8D57U);
    for (int group = 0; group < kLanes; group += kBlocks) {
        Wide a = counters(first + static_cast<std::uint64_t>(group)), b = upper(a),
             c = wide(static_cast<std::uint32_t>(offset)),
             d = wide(static_cast<std::uint32_t>(offset >> 32));
        auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
        for (int round = 0; round < 10; ++round) {
            const Wide x = product(a, m0), y = product(c, m1);
            a = mixed(y, b, wide(key0));
            b = y;
            c = mixed(x, d, wide(key1));
            d = x;
            key0 += 0x9E3779B9U;
            key1 += 0xBB67AE85U;
        }
        put(a, b, c, d, out + 4 * group);
    }
}
#else
void blocks(std::uint64_t seed, std::uint64_t offset, std::uint64_t first, std::uint32_t* out) {
    std::uint32_t a[kLanes], b[kLanes], c[kLanes], d[kLanes];
    for (int l = 0; l < kLanes; ++l) {
        const std::uint64_t block = first + static_cast<std::uint64_t>(l);
        a[l] = static_cast<std::uint32_t>(block);
        b[l] = static_cast<std::uint32_t>(block >> 32);
        c[l] = static_cast<std::uint32_t>(offset);
        d[l] = static_cast<std::uint32_t>(offset >> 32);
    }
    auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        for (int l = 0; l < kLanes; ++l) {
            const std::uint64_t x = 0xD2511F53ULL * a[l], y = 0xCD9E8D57ULL * c[l];
            a[l] = static_cast<std::uint32_t>(y >> 32) ^ b[l] ^ key0;
            b[l] = static_cast<std::uint32_t>(y);
            c[l] = static_cast<std::uint32_t>(x >> 32) ^ d[l] ^ key1;
            d[l] = static_cast<std::uint32_t>(x);
        }
        key0 += 0x9E3779B9U;
        key1 += 0xBB67AE85U;
    }
    for (int l = 0; l < kLanes; ++l) {
        out[4 * l] = a[l];
        out[4 * l + 1] = b[l];
        out[4 * l + 2] = c[l];
        out[4 * l + 3] = d[l];
    }
}
#endif

void dropout(std::uint64_t seed, std::uint64_t offset, std::uint64_t first, int64_t n,
             std::uint32_t threshold, float scale, const float* x, float* y) {
    constexpr int64_t kBits = 4 * kLanes;
    std::uint32_t bits[kBits];
    const auto skipped = static_cast<int64_t>(first % 4);
    std::uint64_t block = first / 4;
    for (int64_t done = -skipped; done < n; done += kBits, block += kLanes) {
        blocks(seed, offset, block, bits);
        const int64_t from = done < 0 ? 0 : done, to = done + kBits < n ? done + kBits : n;
        if (to - from == kBits) {
            for (int64_t i = 0; i < kBits; ++i)
                y[from + i] = bits[i] >= threshold ? x[from + i] * scale : 0.0F;
        } else {
            for (int64_t i = from; i < to; ++i)
                y[i] = bits[i - done] >= threshold ? x[i] * scale : 0.0F;
        }
    }
}

} // namespace

extern const AttentionKernels kAttentionKernels;
const AttentionKernels kAttentionKernels{softmax, weights, score_grad, dot, dropout};

} // namespace wiregrad::cpu::WG_ISA

// Rows of attention weights, and random numbers for dropout. Compiled once for each instruction
// set, in a namespace of its own (WG_ISA). Nothing here may instantiate a function that another
// translation unit could share.
#include "engine/backend/cpu/simd.h"

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

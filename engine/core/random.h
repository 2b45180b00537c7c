// Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", 2011).
// A value is a function of (seed, offset, element) alone: the same for every thread count and
// device. Any thread.
#pragma once

#include <cstdint>

#include "engine/core/tensor.h"

#ifdef __CUDACC__
#define WG_PHILOX_HD __host__ __device__ __forceinline__
#else
#define WG_PHILOX_HD __attribute__((always_inline)) inline
#endif

namespace wiregrad {

struct PhiloxBlock {
    std::uint32_t v[4];
};

/// Ten rounds of Philox 4x32 on a counter with a key.
WG_PHILOX_HD PhiloxBlock philox(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1) {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = 0xD2511F53ULL * counter.v[0];
        const std::uint64_t b = 0xCD9E8D57ULL * counter.v[2];
        counter = {{static_cast<std::uint32_t>(b >> 32) ^ counter.v[1] ^ key0,
                    static_cast<std::uint32_t>(b),
                    static_cast<std::uint32_t>(a >> 32) ^ counter.v[3] ^ key1,
                    static_cast<std::uint32_t>(a)}};
        key0 += 0x9E3779B9U;
        key1 += 0xBB67AE85U;
    }
    return counter;
}

/// Values of elements 4 block ... 4 block + 3 of the stream (seed, offset).
WG_PHILOX_HD PhiloxBlock philox_block(std::uint64_t seed, std::uint64_t offset,
                                      std::uint64_t block) {
    return philox({{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                    static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(offset >> 32)}},
                  static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
}
WG_PHILOX_HD std::uint32_t philox_bits(std::uint64_t seed, std::uint64_t offset,
                                       std::uint64_t element) {
    return philox_block(seed, offset, element / 4).v[element % 4];
}
/// 24 random bits as a float in [0, 1).
WG_PHILOX_HD float uniform_from_bits(std::uint32_t bits) {
    return static_cast<float>(bits >> 8) * 0x1p-24F;
}

/// Fills a CPU tensor of a floating dtype with values uniform in [low, high), respectively normal.
/// Element i (row-major) of the tensor is element i of the stream (seed, offset).
void fill_uniform(Tensor& x, double low, double high, std::uint64_t seed, std::uint64_t offset);
void fill_normal(Tensor& x, double mean, double deviation, std::uint64_t seed,
                 std::uint64_t offset);

} // namespace wiregrad

#undef WG_PHILOX_HD

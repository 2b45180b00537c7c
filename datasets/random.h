// The random numbers of one sample: Philox 4x32-10 keyed by (seed, stream, index), so that sample i
// is the same whatever was drawn before it and on whichever thread. Plain value; one thread each.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "engine/core/random.h"

namespace wiregrad::data {

class SampleRandom {
  public:
    /// `stream` separates uses of one seed (training samples, test samples, the split, the order of
    /// an epoch).
    SampleRandom(std::uint64_t seed, std::uint32_t stream, std::uint64_t index)
        : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
          stream_(stream), index_(index) {}

    std::uint32_t bits() {
        if (used_ == 4) {
            refill();
            used_ = 0;
        }
        return block_.v[used_++];
    }
    /// In [0, 1), 32 random bits.
    double uniform() { return bits() * 0x1p-32; }
    double uniform(double low, double high) { return low + (high - low) * uniform(); }
    /// In [0, n), n > 0, without bias for n up to 2^31 or so and any practical n above.
    std::uint64_t below(std::uint64_t n) {
        const std::uint64_t high = bits();
        const std::uint64_t wide = high << 32 | bits();
        __extension__ using Wide = unsigned __int128;
        return static_cast<std::uint64_t>((static_cast<Wide>(wide) * n) >> 64);
    }
    /// Standard normal (Box-Muller; the second value of a pair is kept).
    double normal() {
        if (has_spare_) {
            has_spare_ = false;
            return spare_;
        }
        const double radius = std::sqrt(-2 * std::log((bits() + 1.0) * 0x1p-32));
        const double angle = 2 * std::numbers::pi * uniform();
        spare_ = radius * std::sin(angle);
        has_spare_ = true;
        return radius * std::cos(angle);
    }

    /// Nearly normal, mean 0, deviation 1, within -3.5 .. 3.5: the sum of four bytes. For the grain
    /// of pictures, where a million are needed.
    double grain() {
        const std::uint32_t word = bits();
        const int sum = static_cast<int>((word & 0xFF) + (word >> 8 & 0xFF) + (word >> 16 & 0xFF) +
                                         (word >> 24));
        constexpr double kMean = 510, kDeviation = 147.80166; // sqrt(4 * (256^2 - 1) / 12)
        return (sum - kMean) / kDeviation;
    }

  private:
    void refill() {
        block_ = philox({{count_++, stream_, static_cast<std::uint32_t>(index_),
                          static_cast<std::uint32_t>(index_ >> 32)}},
                        key_[0], key_[1]);
    }

    std::array<std::uint32_t, 2> key_;
    std::uint32_t stream_;
    std::uint64_t index_;
    std::uint32_t count_ = 0;
    PhiloxBlock block_{};
    int used_ = 4;
    double spare_ = 0;
    bool has_spare_ = false;
};

/// Streams of one seed.
namespace stream {
inline constexpr std::uint32_t kTrain = 1, kTest = 2, kSplit = 3, kLimit = 4, kShuffle = 5,
                               kLayout = 6;
}

} // namespace wiregrad::data

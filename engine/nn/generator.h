// Random draws for initial weights, bit for bit those of PyTorch's CPU generator after
// torch.manual_seed(seed) (mt19937; the AVX2 build's arithmetic, which is what its packages run on
// today's machines). One generator belongs to one thread; results do not depend on the number of
// threads or the instruction set.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "engine/core/tensor.h"

namespace wiregrad::nn {

class Generator {
  public:
    explicit Generator(std::uint64_t seed = 0) { manual_seed(seed); }
    /// As PyTorch: the low 32 bits of the seed count.
    void manual_seed(std::uint64_t seed);

    std::uint32_t random();   ///< 32 uniform bits
    std::uint64_t random64(); ///< 64 uniform bits, the first draw on top

    // The fills need a contiguous float32 or float64 tensor on the CPU, else DTypeError or
    // ValueError.
    /// Uniform on [low, high).
    void uniform_(Tensor& tensor, double low = 0, double high = 1);
    /// Normal. From 16 elements on by blocks of 16 as PyTorch does, below in pairs.
    void normal_(Tensor& tensor, double mean = 0, double std = 1);
    /// int64[n]: a random permutation of 0 .. n-1.
    Tensor randperm(std::int64_t n);

  private:
    void refill();
    double normal_sample();

    static constexpr int kWords = 624;
    std::array<std::uint32_t, kWords> words_{};
    int at_ = kWords;
    std::optional<double> spare_; ///< the second of a pair of normal numbers
};

} // namespace wiregrad::nn

#include "engine/core/random.h"

#include <algorithm>
#include <cmath>

#include "engine/core/error.h"
#include "engine/kernel/loop.h"

namespace wiregrad {
namespace {

/// 24 random bits in (0, 1): safe under a logarithm.
double open_uniform(std::uint32_t bits) {
    return (static_cast<double>(bits >> 8) + 0.5) * 0x1p-24;
}

/// Calls make(block) -> four doubles for every block of four elements and stores them.
template <class F> void fill(Tensor& x, const F& make) {
    if (!is_floating(x.dtype()))
        throw DTypeError("Random values need a floating tensor, not " +
                         std::string(name_of(x.dtype())) + ".");
    if (!x.has_data()) return;
    Tensor values = Tensor::empty(x.shape(), DType::Float64);
    auto* const into = values.data_mut<double>();
    const std::int64_t count = x.numel();
    kernel::parallel_for(
        (count + 3) / 4, kernel::kParallelElements / 4, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t block = begin; block < end; ++block) {
                double lanes[4];
                make(static_cast<std::uint64_t>(block), lanes);
                std::copy_n(lanes, std::min<std::int64_t>(4, count - block * 4), into + block * 4);
            }
        });
    x.copy_(values);
}

} // namespace

void fill_uniform(Tensor& x, double low, double high, std::uint64_t seed, std::uint64_t offset) {
    fill(x, [=](std::uint64_t block, double* lanes) {
        const PhiloxBlock bits = philox_block(seed, offset, block);
        for (int i = 0; i < 4; ++i)
            lanes[i] = low + (high - low) * static_cast<double>(uniform_from_bits(bits.v[i]));
    });
}

void fill_normal(Tensor& x, double mean, double deviation, std::uint64_t seed,
                 std::uint64_t offset) {
    fill(x, [=](std::uint64_t block, double* lanes) { // Box-Muller on two pairs
        const PhiloxBlock bits = philox_block(seed, offset, block);
        for (int i = 0; i < 4; i += 2) {
            const double radius = std::sqrt(-2 * std::log(open_uniform(bits.v[i])));
            const double angle = 6.28318530717958647692 * open_uniform(bits.v[i + 1]);
            lanes[i] = mean + deviation * radius * std::cos(angle);
            lanes[i + 1] = mean + deviation * radius * std::sin(angle);
        }
    });
}

} // namespace wiregrad

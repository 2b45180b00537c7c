// Dropout: the mask is a function of seed, step, stream and element, and of nothing else.
#include "engine/autograd/tape.h"
#include "engine/core/config.h"
#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/op/ops.h"
#include "heavy_util.h"

namespace wiregrad {
namespace {

using namespace heavy;

Tensor state(std::int64_t seed, std::int64_t step) {
    return Tensor::from<std::int64_t>({seed, step}, {2});
}

TEST(Dropout, KeepsTheRightShareAndScalesIt) {
    for (double p : {0.1, 0.5, 0.9}) {
        const Tensor x = Tensor::full({300, 333}, 2.0);
        double kept = 0, sum = 0;
        for (double v : dropout(x, p, state(7, 3), 1).to_vector()) {
            kept += v != 0;
            sum += v;
            if (v != 0) {
                EXPECT_NEAR(v, 2 / (1 - p), 1e-5);
            }
        }
        const double n = static_cast<double>(x.numel());
        EXPECT_NEAR(kept / n, 1 - p, 5 * std::sqrt(p * (1 - p) / n));
        EXPECT_NEAR(sum / n, 2.0, 10 * std::sqrt(p / (1 - p) / n));
    }
}

TEST(Dropout, TheMaskIsThePhiloxStream) {
    const Tensor y = dropout(Tensor::full({1001}, 1.0), 0.3, state(11, 5), 9);
    const std::uint64_t offset = (std::uint64_t{9} << 32) ^ 5U;
    for (std::int64_t i = 0; i < y.numel(); ++i)
        EXPECT_EQ(y.data<float>()[i] != 0, philox_bits(11, offset, static_cast<std::uint64_t>(i)) >=
                                               static_cast<std::uint64_t>(0.3 * 0x1p32))
            << i;
}

TEST(Dropout, TheSameForEveryThreadCountAndDifferentByStepStreamAndSeed) {
    const int threads = num_threads();
    const Tensor x = Tensor::full({512, 257}, 1.0);
    set_num_threads(1);
    const Tensor one = dropout(x, 0.5, state(1, 2), 3);
    set_num_threads(3);
    EXPECT_TRUE(same(dropout(x, 0.5, state(1, 2), 3), one));
    set_num_threads(threads);
    auto shared = [&](const Tensor& other) {
        double equal = 0;
        for (std::int64_t i = 0; i < one.numel(); ++i)
            equal += one.data<float>()[i] == other.data<float>()[i];
        return equal / static_cast<double>(one.numel());
    };
    EXPECT_NEAR(shared(dropout(x, 0.5, state(1, 3), 3)), 0.5, 0.02);
    EXPECT_NEAR(shared(dropout(x, 0.5, state(1, 2), 4)), 0.5, 0.02);
    EXPECT_NEAR(shared(dropout(x, 0.5, state(2, 2), 3)), 0.5, 0.02);
}

TEST(Dropout, GradientsUseTheSameMask) {
    const Tensor random = state(3, 4);
    auto f = [&](const std::vector<Tensor>& in) {
        return std::vector<Tensor>{dropout(square(in[0]), 0.4, random, 2)};
    };
    EXPECT_EQ(autograd::gradcheck(f, {noise({5, 7}, 1)}, {.double_backward = true}), "");
}

TEST(Dropout, Extremes) {
    const Tensor x = noise({100}, 1);
    EXPECT_TRUE(same(dropout(x, 0, state(1, 1), 0), x));
    EXPECT_TRUE(same(dropout(x, 1, state(1, 1), 0), Tensor::zeros({100}, DType::Float64)));
    EXPECT_EQ(message_of<ValueError>([&] { dropout(x, 1.5, state(1, 1), 0); }),
              "dropout: p is 1.5, it must lie in [0, 1]");
    EXPECT_NE(message_of<ValueError>([&] { dropout(x, 0.5, state(1, 1), -1); }), "");
    EXPECT_NE(message_of<ShapeError>([&] { dropout(x, 0.5, Tensor::zeros({3}, DType::Int64), 0); }),
              "");
}

} // namespace
} // namespace wiregrad

#include <gtest/gtest.h>

#include <cmath>

#include "engine/core/config.h"
#include "engine/core/error.h"
#include "engine/core/random.h"

namespace wiregrad {
namespace {

void expect_block(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1,
                  PhiloxBlock expected) {
    const PhiloxBlock actual = philox(counter, key0, key1);
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(actual.v[i], expected.v[i]) << "word " << i;
}

// The known answers published with Random123 for philox4x32, 10 rounds.
TEST(Philox, GivesThePublishedAnswers) {
    expect_block({{0, 0, 0, 0}}, 0, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
    expect_block({{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}, 0xffffffff, 0xffffffff,
                 {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
    expect_block({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0,
                 {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

TEST(Philox, AnElementIsAWordOfItsBlock) {
    const PhiloxBlock block = philox_block(7, 9, 5);
    for (std::uint64_t i = 0; i < 4; ++i)
        EXPECT_EQ(philox_bits(7, 9, 20 + i), block.v[i]);
    EXPECT_NE(philox_bits(7, 9, 0), philox_bits(7, 10, 0));
    EXPECT_NE(philox_bits(7, 9, 0), philox_bits(8, 9, 0));
    EXPECT_NE(philox_bits(7, 9, 0), philox_bits(7 | (std::uint64_t{1} << 40), 9, 0));
}

TEST(Random, DoesNotDependOnTheNumberOfThreads) {
    const int before = num_threads();
    Tensor one = Tensor::empty({100003}), many = Tensor::empty({100003});
    set_num_threads(1);
    fill_normal(one, 1, 2, 42, 3);
    set_num_threads(4);
    fill_normal(many, 1, 2, 42, 3);
    set_num_threads(before);
    EXPECT_EQ(one.to_vector(), many.to_vector());
}

TEST(Random, HasTheMomentsOfItsDistribution) {
    const auto moments = [](const Tensor& x) {
        double mean = 0, square = 0;
        const std::vector<double> values = x.to_vector();
        for (const double v : values)
            mean += v;
        mean /= static_cast<double>(values.size());
        for (const double v : values)
            square += (v - mean) * (v - mean);
        return std::pair(mean, square / static_cast<double>(values.size()));
    };
    Tensor x = Tensor::empty({100000}, DType::Float64);
    fill_uniform(x, -1, 3, 1, 0);
    for (const double v : x.to_vector())
        ASSERT_TRUE(v >= -1 && v < 3) << v;
    EXPECT_NEAR(moments(x).first, 1, 0.02); // 5 deviations of the mean
    EXPECT_NEAR(moments(x).second, 16.0 / 12, 0.02);
    fill_normal(x, 5, 2, 1, 0);
    EXPECT_NEAR(moments(x).first, 5, 0.032);
    EXPECT_NEAR(moments(x).second, 4, 0.09);
    Tensor integers = Tensor::empty({4}, DType::Int64);
    EXPECT_THROW(fill_uniform(integers, 0, 1, 1, 0), DTypeError);
}

} // namespace
} // namespace wiregrad

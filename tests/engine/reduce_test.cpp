#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/core/config.h"
#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/op/ops.h"

namespace wiregrad {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

Tensor doubles(const std::vector<double>& values) {
    return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

/// Sums over the dimensions whose bit is set, in long double, by walking every element.
std::vector<double> plain_sum(const Tensor& x, const Dims& dims) {
    const std::vector<double> values = x.to_vector();
    Shape kept;
    for (int d = 0; d < x.dim(); ++d) {
        bool folded = false;
        for (const std::int64_t dim : dims)
            folded = folded || dim == d;
        kept.push_back(folded ? 1 : x.shape()[d]);
    }
    const Strides strides = contiguous_strides(kept);
    std::vector<long double> sums(static_cast<std::size_t>(numel(kept)), 0);
    for (std::size_t i = 0; i < values.size(); ++i) {
        auto rest = static_cast<std::int64_t>(i);
        std::int64_t at = 0;
        for (int d = x.dim() - 1; d >= 0; --d) {
            if (kept[d] != 1) at += rest % x.shape()[d] * strides[d];
            rest /= x.shape()[d];
        }
        sums[static_cast<std::size_t>(at)] += values[i];
    }
    return {sums.begin(), sums.end()};
}

struct Case {
    Shape shape;
    Dims dims;
};

const Case kCases[] = {
    {{100003}, {0}},        {{3, 50000}, {1}},        {{50000, 3}, {0}},
    {{700, 513}, {0}},      {{513, 700}, {1}},        {{64, 8, 14, 14}, {0, 2, 3}},
    {{5, 300, 7}, {1}},     {{17, 5, 31, 3}, {0, 2}}, {{17, 5, 31, 3}, {1, 3}},
    {{2, 1, 3, 1}, {1, 2}}, {{9, 1000, 9}, {0, 2}},   {{1, 1, 1}, {0, 1, 2}},
    {{4, 3}, {0, 1}},       {{20000, 40}, {0}},
};

TEST(Sum, IsExactOnIntegersForEveryPattern) {
    for (const Case& c : kCases) {
        std::vector<float> values(static_cast<std::size_t>(numel(c.shape)));
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = static_cast<float>(static_cast<int>(i * 7919 % 17) - 8);
        const Tensor x = Tensor::from(values, c.shape);
        const std::vector<double> expected = plain_sum(x, c.dims);
        EXPECT_EQ(sum(x, c.dims).to_vector(), expected) << c.shape.str() << c.dims.str();
        EXPECT_EQ(sum(to(x, DType::Int32), c.dims).to_vector(), expected)
            << c.shape.str() << c.dims.str();
        EXPECT_EQ(sum(to(x, DType::Int32), c.dims).dtype(), DType::Int64);
        if (x.dim() > 1) { // from a layout with the dimensions the other way round
            const Tensor turned = transpose(contiguous(transpose(x, 0, -1)), 0, -1);
            ASSERT_EQ(turned.is_contiguous(), x.numel() == 1 || x.shape() == (Shape{2, 1, 3, 1})
                                                  ? turned.is_contiguous()
                                                  : false);
            EXPECT_EQ(sum(turned, c.dims).to_vector(), expected);
        }
    }
}

TEST(Sum, GivesTheSameBitsForEveryThreadCountAndInstructionSet) {
    const int threads_before = num_threads();
    const Isa isa_before = isa();
    for (const Case& c : kCases) {
        Tensor x = Tensor::empty(c.shape);
        fill_normal(x, 0, 1, 5, 0);
        std::vector<double> first;
        for (const Isa candidate : {Isa::Baseline, Isa::Avx2, Isa::Avx512}) {
            if (candidate > detected_isa()) continue;
            set_isa(candidate);
            for (const int threads : {1, 2, 3, 8}) {
                set_num_threads(threads);
                const std::vector<double> result = sum(x, c.dims).to_vector();
                if (first.empty()) first = result;
                EXPECT_EQ(result, first) << c.shape.str() << c.dims.str() << ' ' << threads
                                         << " threads, " << name_of(candidate);
            }
        }
        set_isa(isa_before);
        set_num_threads(threads_before);
    }
}

// Error of a sum: at most 4 sqrt(K) eps times the sum of the absolute values.
TEST(Sum, IsAccurateInFloat32) {
    for (const Case& c : kCases) {
        Tensor x = Tensor::empty(c.shape);
        fill_uniform(x, 0, 1, 6, 0);
        const std::vector<double> exact = plain_sum(x, c.dims);
        const std::vector<double> ours = sum(x, c.dims).to_vector();
        const double terms = static_cast<double>(x.numel()) / static_cast<double>(exact.size());
        for (std::size_t i = 0; i < exact.size(); ++i) {
            ASSERT_NEAR(ours[i], exact[i], 4 * std::sqrt(terms) * 0x1p-24 * exact[i])
                << c.shape.str() << c.dims.str();
        }
    }
}

TEST(Sum, OfNothingIsZeroAndOfBoolsACount) {
    EXPECT_EQ(sum(Tensor::zeros({0})).item(), 0);
    EXPECT_EQ(sum(Tensor::full({3, 0, 2}, 1), {1}).to_vector(), std::vector<double>(6, 0));
    EXPECT_EQ(sum(Tensor::full({0, 2}, 1), {1}).shape(), (Shape{0}));
    EXPECT_EQ(sum(Tensor::full({3}, 1, DType::Bool)).item(), 3);
    EXPECT_EQ(sum(Tensor::full({1000}, 200, DType::UInt8)).item(), 200000);
    EXPECT_TRUE(std::isnan(mean(Tensor::zeros({0})).item()));
    EXPECT_EQ(sum(Tensor::scalar(4)).item(), 4);
    EXPECT_EQ(sum(Tensor::full({4096}, 1, DType::Float16)).item(),
              4096); // computed in float32: 2048 is not the end
}

TEST(Reductions, RefuseWhatHasNoMeaning) {
    EXPECT_THROW(amax(Tensor::zeros({0})), ShapeError);
    EXPECT_THROW(amin(Tensor::zeros({2, 0}), {1}), ShapeError);
    EXPECT_THROW(argmax(Tensor::zeros({2, 0}), 1), ShapeError);
    EXPECT_THROW(sum(Tensor::zeros({2}), {1}), ShapeError);
    EXPECT_THROW(sum(Tensor::zeros({2, 2}), {0, -2}), ShapeError);
    EXPECT_THROW(sum_to(Tensor::zeros({2, 3}), {2}), ShapeError);
}

TEST(Extremes, LetNanWinAndTakeTheFirstIndex) {
    const double nan = std::nan("");
    const Tensor x = doubles({1, 5, nan, 5, nan});
    EXPECT_TRUE(std::isnan(amax(x).item()));
    EXPECT_TRUE(std::isnan(amin(x).item()));
    EXPECT_EQ(argmax(x, 0).item(), 2);
    EXPECT_EQ(argmin(x, 0).item(), 2);
    EXPECT_EQ(argmax(doubles({1, 5, 3, 5}), 0).item(), 1);
    EXPECT_EQ(argmin(doubles({4, 2, 2}), 0, true).shape(), (Shape{1}));
    std::vector<double> long_row(1000, 1);
    long_row[777] = nan;
    EXPECT_TRUE(std::isnan(amax(doubles(long_row)).item()));
    EXPECT_EQ(amax(doubles({-kInf, -kInf})).item(), -kInf);
    EXPECT_EQ(amax(Tensor::from(std::vector<std::int64_t>{-5, -3}, {2})).item(), -3);
}

TEST(Extremes, AgreeWithAWalkAlongEveryDimension) {
    Tensor x = Tensor::empty({7, 33, 11});
    fill_normal(x, 0, 1, 8, 0);
    const std::vector<double> values = x.to_vector();
    const Tensor largest = amax(x, {1}), where_largest = argmax(x, 1),
                 where_smallest = argmin(x, 1);
    for (int o = 0; o < 7; ++o) {
        for (int i = 0; i < 11; ++i) {
            int best = 0, worst = 0;
            for (int r = 0; r < 33; ++r) {
                const auto value = [&](int row) {
                    return values[static_cast<std::size_t>((o * 33 + row) * 11 + i)];
                };
                if (value(r) > value(best)) best = r;
                if (value(r) < value(worst)) worst = r;
            }
            const int at = o * 11 + i;
            ASSERT_EQ(where_largest.data<std::int64_t>()[at], best);
            ASSERT_EQ(where_smallest.data<std::int64_t>()[at], worst);
            ASSERT_EQ(largest.data<float>()[at],
                      values[static_cast<std::size_t>((o * 33 + best) * 11 + i)]);
        }
    }
}

TEST(Var, OfOneElementIsNan) {
    EXPECT_TRUE(std::isnan(var(doubles({3})).item()));
    EXPECT_EQ(var(doubles({3}), {}, false).item(), 0);
    EXPECT_EQ(var(doubles({1, 2, 3, 4})).item(), 5.0 / 3);
}

TEST(Logsumexp, SurvivesLargeAndInfiniteValues) {
    EXPECT_NEAR(logsumexp(doubles({1000, 1000}), {0}).item(), 1000 + std::log(2), 1e-9);
    EXPECT_EQ(logsumexp(doubles({-kInf, -kInf}), {0}).item(), -kInf);
    EXPECT_EQ(logsumexp(doubles({kInf, 1}), {0}).item(), kInf);
}

} // namespace
} // namespace wiregrad

#include <array>
#include <cmath>
#include <thread>

#include "datasets/random.h"
#include "datasets/sources/digits.h"
#include "tests/datasets/helpers.h"

namespace wiregrad::data {
namespace {

using test::floats;
using test::label;

TEST(Philox, KnownAnswers) {
    // From the authors' published test vectors of philox4x32 with 10 rounds: counter 0, key 0.
    SampleRandom zero(0, 0, 0);
    EXPECT_EQ(zero.bits(), 0x6627e8d5u);
    EXPECT_EQ(zero.bits(), 0xe169c58du);
    EXPECT_EQ(zero.bits(), 0xbc57ac4cu);
    EXPECT_EQ(zero.bits(), 0x9b00dbd8u);
}

TEST(Philox, UniformNormalAndBelowHaveTheirMoments) {
    SampleRandom random(1, 2, 3);
    double sum = 0, squares = 0, uniform = 0, grain = 0, grain_squares = 0;
    std::array<int, 7> counts{};
    constexpr int kDraws = 100000;
    for (int i = 0; i < kDraws; ++i) {
        const double n = random.normal();
        sum += n;
        squares += n * n;
        uniform += random.uniform();
        const double g = random.grain();
        grain += g;
        grain_squares += g * g;
        ++counts.at(random.below(7));
    }
    EXPECT_NEAR(sum / kDraws, 0, 0.02);
    EXPECT_NEAR(squares / kDraws, 1, 0.03);
    EXPECT_NEAR(uniform / kDraws, 0.5, 0.005);
    EXPECT_NEAR(grain / kDraws, 0, 0.02);
    EXPECT_NEAR(grain_squares / kDraws, 1, 0.02);
    for (const int count : counts)
        EXPECT_NEAR(count, kDraws / 7.0, 500);
}

TEST(Catalogue, EverySourceIsDescribedAsItOpens) {
    for (const SourceInfo& info : sources()) {
        EXPECT_FALSE(info.label.empty());
        EXPECT_EQ(find_source(info.id)->label, info.label);
        if (info.needs_path) continue;
        const DatasetSpec spec{.source = info.id,
                               .samples = info.generated ? 40 : 0,
                               .test_samples = info.generated ? 20 : 0};
        const Splits splits = open(spec);
        const std::vector<Field> told = describe(spec);
        ASSERT_EQ(told.size(), splits.fields.size()) << info.id;
        for (std::size_t f = 0; f < told.size(); ++f) {
            EXPECT_EQ(told[f].shape, splits.fields[f].shape) << info.id;
            EXPECT_EQ(told[f].dtype, splits.fields[f].dtype) << info.id;
            EXPECT_EQ(told[f].kind, splits.fields[f].kind) << info.id;
            EXPECT_EQ(told[f].class_names, splits.fields[f].class_names) << info.id;
        }
        for (const DatasetPtr& part : {splits.train, splits.validation, splits.test}) {
            ASSERT_NE(part, nullptr) << info.id;
            for (std::int64_t i = 0; i < part->size(); ++i)
                for (const float v : floats(*part, i))
                    ASSERT_TRUE(v >= told[0].min - 1e-6 && v <= told[0].max + 1e-6)
                        << info.id << " " << v;
        }
    }
    EXPECT_EQ(find_source("no such source"), nullptr);
}

TEST(Generated, SampleIsAFunctionOfSeedAndIndexAlone) {
    for (const char* source : {"digits", "shapes", "cells", "spirals"}) {
        const Splits small = open({.source = source, .samples = 30, .validation_fraction = 0});
        const Splits large = open({.source = source, .samples = 60, .validation_fraction = 0});
        const Splits other =
            open({.source = source, .samples = 30, .seed = 1, .validation_fraction = 0});
        for (std::int64_t i = 0; i < 30; ++i) {
            EXPECT_EQ(floats(*small.train, i), floats(*large.train, i)) << source;
            EXPECT_NE(floats(*small.train, i), floats(*other.train, i)) << source;
        }
        // Training and test samples of the same index differ too.
        EXPECT_NE(floats(*small.train, 0), floats(*small.test, 0)) << source;
        EXPECT_EQ(small.leaks, 0) << source;
        EXPECT_EQ(small.duplicates, 0) << source;
    }
}

TEST(Generated, ReadingFromManyThreadsGivesTheSame) {
    const Splits splits =
        open({.source = "digits", .samples = 200, .normalize = Normalize::Standardize});
    std::vector<std::vector<float>> expected;
    for (std::int64_t i = 0; i < splits.train->size(); ++i)
        expected.push_back(floats(*splits.train, i));
    std::array<int, 4> wrong{};
    {
        std::vector<std::jthread> team;
        for (int& mistakes : wrong)
            team.emplace_back([&] {
                for (std::int64_t i = 0; i < splits.train->size(); ++i)
                    mistakes += floats(*splits.train, i) != expected[static_cast<std::size_t>(i)];
            });
    }
    for (const int mistakes : wrong)
        EXPECT_EQ(mistakes, 0);
}

TEST(Digits, AreInkOnDarkInAllClasses) {
    const Splits splits =
        open({.source = "digits", .samples = 500, .noise = 0, .validation_fraction = 0});
    std::array<int, 10> counts{};
    for (std::int64_t i = 0; i < 500; ++i) {
        ++counts.at(static_cast<std::size_t>(label(*splits.train, i)));
        const std::vector<float> pixels = floats(*splits.train, i);
        double ink = 0, brightest = 0;
        for (const float v : pixels) {
            ink += v;
            brightest = std::max<double>(brightest, v);
        }
        EXPECT_GT(brightest, 0.5) << i;
        EXPECT_GT(ink, 12) << i;  // something is drawn
        EXPECT_LT(ink, 330) << i; // and most of the paper stays empty
    }
    for (const int count : counts)
        EXPECT_EQ(count, 50);
}

TEST(Digits, NearestMeanPictureIsBelow95Percent) {
    // The simplest linear classifier there is: it must find structure (far above 10 %), and not be
    // enough.
    const Splits splits =
        open({.source = "digits", .samples = 3000, .test_samples = 600, .validation_fraction = 0});
    std::array<std::vector<double>, 10> mean;
    mean.fill(std::vector<double>(784, 0.0));
    for (std::int64_t i = 0; i < 3000; ++i) {
        const std::vector<float> x = floats(*splits.train, i);
        std::vector<double>& m = mean[static_cast<std::size_t>(label(*splits.train, i))];
        for (std::size_t k = 0; k < 784; ++k)
            m[k] += x[k] / 300.0;
    }
    int right = 0;
    for (std::int64_t i = 0; i < 600; ++i) {
        const std::vector<float> x = floats(*splits.test, i);
        std::int64_t best = -1;
        double least = INFINITY;
        for (std::size_t c = 0; c < 10; ++c) {
            double d = 0;
            for (std::size_t k = 0; k < 784; ++k)
                d += (x[k] - mean[c][k]) * (x[k] - mean[c][k]);
            if (d < least) {
                least = d;
                best = static_cast<std::int64_t>(c);
            }
        }
        right += best == label(*splits.test, i);
    }
    EXPECT_GT(right, 300);
    EXPECT_LT(right, 570);
}

TEST(Toys, FollowTheirFormulasWithoutNoise) {
    const auto each = [](const char* source, auto&& check) {
        const Splits splits =
            open({.source = source, .samples = 400, .noise = 0, .validation_fraction = 0});
        for (std::int64_t i = 0; i < splits.train->size(); ++i) {
            const std::vector<float> p = floats(*splits.train, i);
            check(p[0], p[1], label(*splits.train, i));
        }
    };
    each("circles", [](double x, double y, std::int64_t c) {
        EXPECT_NEAR(std::hypot(x, y), c == 0 ? 0.5 : 1.0, 1e-6);
    });
    each("xor", [](double x, double y, std::int64_t c) { EXPECT_EQ(x * y >= 0 ? 0 : 1, c); });
    each("moons", [](double x, double y, std::int64_t c) {
        EXPECT_NEAR(c == 0 ? std::hypot(x + 0.5, y + 0.25) : std::hypot(x - 0.5, y - 0.25), 1,
                    1e-6);
        EXPECT_GE((c == 0 ? y + 0.25 : 0.25 - y), -1e-6);
    });
    each("spirals", [](double x, double y, std::int64_t c) {
        // Unwinding by the radius must bring every point of an arm onto one ray.
        const double turn = 1.75 * 2 * M_PI * std::hypot(x, y) / 3 + static_cast<double>(c) * M_PI;
        EXPECT_NEAR(x * std::cos(turn) - y * std::sin(turn), 0, 1e-4);
        EXPECT_GE(x * std::sin(turn) + y * std::cos(turn), -1e-4);
    });
}

TEST(Iris, HasFishersMeansAndDeviations) {
    const Splits splits = open({.source = "iris", .validation_fraction = 0, .test_fraction = 0});
    ASSERT_EQ(splits.train->size(), 150);
    EXPECT_EQ(splits.test, nullptr);
    // Published summary of the data set (means of all; means of each species).
    const Normalization all = statistics(*splits.train);
    const double mean[] = {5.843333, 3.057333, 3.758000, 1.199333},
                 deviation[] = {0.825301, 0.434411, 1.759404, 0.759693};
    for (std::size_t f = 0; f < 4; ++f) {
        EXPECT_NEAR(all.mean[f], mean[f], 1e-5);
        EXPECT_NEAR(all.std[f], deviation[f], 1e-5);
    }
    const double species[3][4] = {
        {5.006, 3.428, 1.462, 0.246}, {5.936, 2.770, 4.260, 1.326}, {6.588, 2.974, 5.552, 2.026}};
    double sums[3][4] = {};
    for (std::int64_t i = 0; i < 150; ++i)
        for (std::size_t f = 0; f < 4; ++f)
            sums[label(*splits.train, i)][f] += floats(*splits.train, i)[f] / 50.0;
    for (int s = 0; s < 3; ++s)
        for (int f = 0; f < 4; ++f)
            EXPECT_NEAR(sums[s][f], species[s][f], 1e-5);
}

TEST(Cells, MaskMarksTheBrightBlobs) {
    const Splits splits = open({.source = "cells",
                                .samples = 20,
                                .test_samples = 1,
                                .noise = 0,
                                .validation_fraction = 0});
    for (std::int64_t i = 0; i < 20; ++i) {
        const RowBuffer buffer(splits.fields);
        splits.train->read(i, buffer.row());
        const auto x = buffer.values<float>(0);
        const auto mask = buffer.values<std::int64_t>(1);
        double inside = 0, outside = 0, cells = 0;
        for (std::size_t k = 0; k < mask.size(); ++k) {
            ASSERT_TRUE(mask[k] == 0 || mask[k] == 1);
            (mask[k] ? inside : outside) += x[k];
            cells += static_cast<double>(mask[k]);
        }
        ASSERT_GT(cells, 20);
        ASSERT_LT(cells, 3900);
        EXPECT_GT(inside / cells, outside / (4096 - cells) + 0.1);
    }
}

} // namespace
} // namespace wiregrad::data

// Principal axes of points whose axes are known.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/train/projection.h"

namespace wiregrad::train {
namespace {

TEST(Projection, AxesOfAnEllipse) {
    // 4 times as long along (0.6, 0.8, 0) as along (-0.8, 0.6, 0), flat in the third number.
    std::vector<float> values;
    constexpr int kPoints = 200;
    for (int i = 0; i < kPoints; ++i) {
        const double t = 2 * M_PI * i / kPoints, a = 4 * std::cos(t), b = std::sin(t);
        values.push_back(static_cast<float>(0.6 * a - 0.8 * b + 10));
        values.push_back(static_cast<float>(0.8 * a + 0.6 * b - 3));
        values.push_back(7);
    }
    const Projection found = principal_axes(values, kPoints, 3);
    ASSERT_EQ(found.x.size(), 200U);
    for (int i = 0; i < kPoints; ++i) {
        const double t = 2 * M_PI * i / kPoints;
        EXPECT_NEAR(found.x[static_cast<std::size_t>(i)], 4 * std::cos(t), 1e-4);
        // The second axis' largest component is the first number's: it points there.
        EXPECT_NEAR(found.y[static_cast<std::size_t>(i)], -std::sin(t), 1e-4);
    }
    EXPECT_NEAR(found.share_x, 16.0 / 17, 1e-6);
    EXPECT_NEAR(found.share_y, 1.0 / 17, 1e-6);
}

TEST(Projection, OddPoints) {
    EXPECT_TRUE(principal_axes({}, 0, 3).x.empty());
    EXPECT_TRUE(principal_axes(std::vector<float>(5, 1), 2, 3).x.empty()); // too few numbers
    const Projection equal = principal_axes(std::vector<float>(12, 2.5F), 4, 3);
    ASSERT_EQ(equal.x.size(), 4U);
    EXPECT_EQ(equal.x[3], 0);
    EXPECT_EQ(equal.share_x, 0);
    // A row with NaN is left out; the others are as without it.
    std::vector<float> values{0, 0, std::nanf(""), 1, 2, 2, -2, -2};
    const Projection found = principal_axes(values, 4, 2);
    EXPECT_TRUE(std::isnan(found.x[1]));
    EXPECT_NEAR(found.x[2], std::sqrt(8.0), 1e-6);
    EXPECT_NEAR(found.x[3], -std::sqrt(8.0), 1e-6);
    EXPECT_NEAR(found.share_x, 1, 1e-9);
    EXPECT_NEAR(found.y[2], 0, 1e-6);
}

} // namespace
} // namespace wiregrad::train

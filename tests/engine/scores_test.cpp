// Figures of classifiers and regressions against counts by hand and against NumPy.
#include <cmath>

#include <gmock/gmock.h>

#include "engine/train/scores.h"

namespace wiregrad {
namespace {

using namespace train;
using ::testing::ElementsAre;

Answer binary(std::int64_t truth, float sure) {
    return {0, truth, {1 - sure, sure}};
}

TEST(Scores, ConfusionAndFiguresByHand) {
    const std::vector<Answer> answers{{0, 0, {.8F, .1F, .1F}},
                                      {1, 0, {.1F, .8F, .1F}},
                                      {2, 1, {.1F, .8F, .1F}},
                                      {3, 1, {.2F, .7F, .1F}},
                                      {4, 2, {.6F, .2F, .2F}},
                                      {5, 9, {.6F, .2F, .2F}},
                                      {6, 1, {}}};
    const Confusion c = confusion_of(answers, 3);
    EXPECT_THAT(c.counts, ElementsAre(1, 1, 0, 0, 2, 0, 1, 0, 0));
    EXPECT_DOUBLE_EQ(c.accuracy(), 3.0 / 5);
    const auto f = figures_of(c);
    EXPECT_DOUBLE_EQ(f[0].precision, 0.5);
    EXPECT_DOUBLE_EQ(f[0].recall, 0.5);
    EXPECT_DOUBLE_EQ(f[1].precision, 2.0 / 3);
    EXPECT_DOUBLE_EQ(f[1].recall, 1);
    EXPECT_DOUBLE_EQ(f[1].f1, 0.8);
    EXPECT_EQ(f[2].f1, 0);
    EXPECT_EQ(f[2].support, 1);
    EXPECT_EQ(confusion_of({}, 3).accuracy(), 0);
    EXPECT_THAT(worst_mistakes(answers, 2), ElementsAre(1U, 4U));
}

TEST(Scores, RocAndPrecisionRecallByHand) {
    // The example of scikit-learn's documentation: areas 0.75 and 0.8333.
    const std::vector<Answer> answers{binary(0, .1F), binary(0, .4F), binary(1, .35F),
                                      binary(1, .8F)};
    const auto roc = roc_of(answers, 1);
    EXPECT_DOUBLE_EQ(area_under(roc), 0.75);
    EXPECT_EQ(roc.back().x, 1);
    EXPECT_EQ(roc.back().y, 1);
    EXPECT_NEAR(average_precision(precision_recall_of(answers, 1)), 0.8333333333, 1e-9);
    // All equal: chance.
    const std::vector<Answer> same(10, binary(0, .5F));
    std::vector<Answer> mixed = same;
    mixed[3].truth = mixed[4].truth = 1;
    EXPECT_EQ(roc_of(mixed, 1).size(), 2U);
    EXPECT_DOUBLE_EQ(area_under(roc_of(mixed, 1)), 0.5);
    // One class only: nothing to divide by, nothing breaks.
    EXPECT_TRUE(std::isfinite(area_under(roc_of(same, 1))));
    EXPECT_EQ(area_under(roc_of({}, 0)), 0);
}

TEST(Scores, AreaIsTheShareOfOrderedPairs) {
    std::vector<Answer> answers;
    std::uint32_t state = 1;
    const auto next = [&state] {
        state = state * 1664525U + 1013904223U;
        return static_cast<float>(state >> 8) / 16777216.0F;
    };
    for (int i = 0; i < 300; ++i) {
        const std::int64_t truth = next() < 0.3F ? 1 : 0;
        const float noise = next(); // with ties
        answers.push_back(binary(truth, std::round((noise + (truth ? 0.3F : 0)) / 1.3F * 40) / 40));
    }
    double ordered = 0, pairs = 0;
    for (const Answer& a : answers)
        for (const Answer& b : answers)
            if (a.truth == 1 && b.truth == 0) {
                pairs += 1;
                ordered += a.probabilities[1] > b.probabilities[1]    ? 1
                           : a.probabilities[1] == b.probabilities[1] ? 0.5
                                                                      : 0;
            }
    EXPECT_NEAR(area_under(roc_of(answers, 1)), ordered / pairs, 1e-12);
}

TEST(Scores, Calibration) {
    // 4 answers at 0.75 of which 3 are right; 2 at 0.55 of which none is.
    std::vector<Answer> answers(3, binary(1, .75F));
    answers.push_back(binary(0, .75F));
    answers.push_back(binary(0, .5625F));
    answers.push_back(binary(0, .5625F));
    const auto bins = calibration_of(answers, 10);
    EXPECT_EQ(bins[7].count, 4);
    EXPECT_DOUBLE_EQ(bins[7].accuracy, 0.75);
    EXPECT_DOUBLE_EQ(bins[7].confidence, 0.75);
    EXPECT_EQ(bins[5].accuracy, 0);
    EXPECT_DOUBLE_EQ(calibration_error(bins), 2.0 / 6 * 0.5625);
}

TEST(Scores, ProbabilitiesOfHugeAndBrokenScores) {
    const std::vector<float> huge{1000, 1000, -1000};
    EXPECT_THAT(probabilities_of(huge), ElementsAre(0.5F, 0.5F, 0));
    const std::vector<float> logit{0};
    EXPECT_THAT(probabilities_of(logit), ElementsAre(0.5F, 0.5F));
    const std::vector<float> broken{std::nanf(""), 1};
    EXPECT_TRUE(std::isnan(probabilities_of(broken)[0]));
    const std::vector<Answer> answers{{0, 1, probabilities_of(broken)}};
    EXPECT_EQ(confusion_of(answers, 2).total(), 1); // guessed something, broke nothing
    EXPECT_EQ(calibration_of(answers)[9].count, 0);
}

TEST(Scores, Residuals) {
    const std::vector<double> targets{1, 2, 3, 4}, guesses{1, 3, 3, std::nan("")};
    const auto r = residuals_of(targets, guesses);
    EXPECT_EQ(r.count, 3);
    EXPECT_DOUBLE_EQ(r.mean_absolute, 1.0 / 3);
    EXPECT_DOUBLE_EQ(r.root_mean_square, std::sqrt(1.0 / 3));
    EXPECT_DOUBLE_EQ(r.bias, 1.0 / 3);
    EXPECT_DOUBLE_EQ(r.r2, 0.5);
    EXPECT_EQ(residuals_of({}, {}).count, 0);
}

TEST(Scores, IntersectionOverUnionByHand) {
    // Truth down, guess across: class 2 is neither there nor seen.
    const Confusion pixels{3, {50, 10, 0, 5, 35, 0, 0, 0, 0}};
    const auto iou = intersection_over_union(pixels);
    ASSERT_EQ(iou.size(), 3U);
    EXPECT_DOUBLE_EQ(iou[0], 50.0 / 65);
    EXPECT_DOUBLE_EQ(iou[1], 35.0 / 50);
    EXPECT_TRUE(std::isnan(iou[2]));
    EXPECT_DOUBLE_EQ(mean_finite(iou), (50.0 / 65 + 0.7) / 2);
    EXPECT_TRUE(std::isnan(mean_finite({})));
}

} // namespace
} // namespace wiregrad

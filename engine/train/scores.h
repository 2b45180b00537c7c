// What a classifier's or a regression's answers say about it: confusion matrix, per-class figures,
// ROC and precision-recall curves, calibration, residuals. Pure functions on plain numbers; any
// thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace wiregrad::train {

/// One answered sample of a classifier.
struct Answer {
    std::int64_t sample = 0;          ///< its number in the data
    std::int64_t truth = 0;           ///< class
    std::vector<float> probabilities; ///< of each class; their sum is 1
    std::int64_t guess() const;       ///< the most probable class, the first of equals
};

/// Probabilities of scores: softmax of several, or sigmoid of one as the second of two classes. NaN
/// stays NaN.
std::vector<float> probabilities_of(std::span<const float> scores);

/// counts[truth * classes + guess]; answers whose truth or guess is no class are left out.
struct Confusion {
    std::int64_t classes = 0;
    std::vector<std::int64_t> counts;
    std::int64_t at(std::int64_t truth, std::int64_t guess) const {
        return counts[static_cast<std::size_t>(truth * classes + guess)];
    }
    std::int64_t total() const;
    double accuracy() const; ///< 0 without answers
};
Confusion confusion_of(std::span<const Answer> answers, std::int64_t classes);

/// Of each class, such as of the pixels of a segmentation: those that truth and guess have in
/// common over those that either has; NaN where neither has any.
std::vector<double> intersection_over_union(const Confusion& confusion);
/// Over the classes that have one; NaN without any.
double mean_finite(std::span<const double> values);

struct ClassFigures {
    double precision = 0, recall = 0, f1 = 0; ///< 0 where there is nothing to divide by
    std::int64_t support = 0;                 ///< samples of this class
};
std::vector<ClassFigures> figures_of(const Confusion& confusion);

/// One class against all others; points by falling threshold, from (0, 0) to (1, 1). Equal
/// probabilities make one point.
struct RatePoint {
    double x = 0, y = 0; ///< ROC: false and true positive rate; PR: recall and precision
    double threshold = 0;
};
std::vector<RatePoint> roc_of(std::span<const Answer> answers, std::int64_t positive);
std::vector<RatePoint> precision_recall_of(std::span<const Answer> answers, std::int64_t positive);
double area_under(std::span<const RatePoint> roc); ///< by trapezoids
/// Sum of (recall step) x precision: average precision as scikit-learn defines it.
double average_precision(std::span<const RatePoint> precision_recall);

/// Answers by how sure they are, in equal bins of [0, 1].
struct CalibrationBin {
    std::int64_t count = 0;
    double confidence = 0, accuracy = 0; ///< means; 0 when empty
};
std::vector<CalibrationBin> calibration_of(std::span<const Answer> answers, int bins = 10);
/// Mean distance of confidence and accuracy, weighted by count.
double calibration_error(std::span<const CalibrationBin> bins);

/// Indices into `answers` of the wrong ones, the most confident first.
std::vector<std::size_t> worst_mistakes(std::span<const Answer> answers, std::size_t most);

/// Of a regression.
struct Residuals {
    double mean_absolute = 0, root_mean_square = 0, bias = 0;
    double r2 = 0; ///< 1 - residual / total sum of squares; 0 when the targets are all equal
    std::int64_t count = 0; ///< pairs of finite numbers
};
Residuals residuals_of(std::span<const double> targets, std::span<const double> guesses);

} // namespace wiregrad::train

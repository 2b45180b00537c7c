#include "engine/train/scores.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace wiregrad::train {
namespace {

bool is_class(std::int64_t value, std::int64_t classes) {
    return value >= 0 && value < classes;
}

/// Probability of `positive`; NaN counts as the least sure.
double score_of(const Answer& answer, std::int64_t positive) {
    if (!is_class(positive, static_cast<std::int64_t>(answer.probabilities.size()))) return 0;
    const double value = answer.probabilities[static_cast<std::size_t>(positive)];
    return std::isnan(value) ? -1 : value;
}

/// True and false positives at each distinct threshold, falling.
struct Step {
    double threshold = 0, hits = 0, alarms = 0;
};
std::vector<Step> sweep(std::span<const Answer> answers, std::int64_t positive) {
    std::vector<std::pair<double, bool>> sorted;
    for (const Answer& answer : answers)
        sorted.emplace_back(score_of(answer, positive), answer.truth == positive);
    std::sort(sorted.begin(), sorted.end(),
              [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<Step> steps;
    Step now;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        (sorted[i].second ? now.hits : now.alarms) += 1;
        now.threshold = sorted[i].first;
        if (i + 1 == sorted.size() || sorted[i + 1].first != sorted[i].first) steps.push_back(now);
    }
    return steps;
}

double ratio(double a, double b) {
    return b > 0 ? a / b : 0;
}

} // namespace

std::int64_t Answer::guess() const {
    if (probabilities.empty()) return -1;
    return std::max_element(probabilities.begin(), probabilities.end(),
                            [](float a, float b) { return a < b || (a != a && b == b); }) -
           probabilities.begin();
}

std::vector<float> probabilities_of(std::span<const float> scores) {
    if (scores.empty()) return {};
    if (scores.size() == 1) {
        const double p = 1 / (1 + std::exp(-static_cast<double>(scores[0])));
        return {static_cast<float>(1 - p), static_cast<float>(p)};
    }
    const double top = *std::max_element(scores.begin(), scores.end());
    std::vector<float> result;
    double sum = 0;
    for (const float score : scores)
        sum += std::exp(static_cast<double>(score) - top);
    for (const float score : scores)
        result.push_back(static_cast<float>(std::exp(static_cast<double>(score) - top) / sum));
    return result;
}

std::int64_t Confusion::total() const {
    return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

std::vector<double> intersection_over_union(const Confusion& confusion) {
    std::vector<double> result;
    for (std::int64_t c = 0; c < confusion.classes; ++c) {
        std::int64_t either = -confusion.at(c, c);
        for (std::int64_t other = 0; other < confusion.classes; ++other)
            either += confusion.at(c, other) + confusion.at(other, c);
        result.push_back(either > 0
                             ? static_cast<double>(confusion.at(c, c)) / static_cast<double>(either)
                             : std::nan(""));
    }
    return result;
}

double mean_finite(std::span<const double> values) {
    double sum = 0;
    std::int64_t count = 0;
    for (const double value : values)
        if (std::isfinite(value)) {
            sum += value;
            ++count;
        }
    return count > 0 ? sum / static_cast<double>(count) : std::nan("");
}

double Confusion::accuracy() const {
    std::int64_t right = 0;
    for (std::int64_t i = 0; i < classes; ++i)
        right += at(i, i);
    return ratio(static_cast<double>(right), static_cast<double>(total()));
}

Confusion confusion_of(std::span<const Answer> answers, std::int64_t classes) {
    Confusion result;
    result.classes = classes;
    result.counts.assign(static_cast<std::size_t>(classes * classes), 0);
    for (const Answer& answer : answers) {
        const std::int64_t guess = answer.guess();
        if (is_class(answer.truth, classes) && is_class(guess, classes))
            ++result.counts[static_cast<std::size_t>(answer.truth * classes + guess)];
    }
    return result;
}

std::vector<ClassFigures> figures_of(const Confusion& confusion) {
    std::vector<ClassFigures> result;
    for (std::int64_t c = 0; c < confusion.classes; ++c) {
        std::int64_t guessed = 0;
        ClassFigures own;
        for (std::int64_t k = 0; k < confusion.classes; ++k) {
            own.support += confusion.at(c, k);
            guessed += confusion.at(k, c);
        }
        const auto right = static_cast<double>(confusion.at(c, c));
        own.precision = ratio(right, static_cast<double>(guessed));
        own.recall = ratio(right, static_cast<double>(own.support));
        own.f1 = ratio(2 * own.precision * own.recall, own.precision + own.recall);
        result.push_back(own);
    }
    return result;
}

std::vector<RatePoint> roc_of(std::span<const Answer> answers, std::int64_t positive) {
    std::vector<RatePoint> result{{0, 0, 1}};
    const auto steps = sweep(answers, positive);
    if (steps.empty()) return result;
    for (const Step& step : steps)
        result.push_back({ratio(step.alarms, steps.back().alarms),
                          ratio(step.hits, steps.back().hits), step.threshold});
    return result;
}

std::vector<RatePoint> precision_recall_of(std::span<const Answer> answers, std::int64_t positive) {
    std::vector<RatePoint> result{{0, 1, 1}};
    const auto steps = sweep(answers, positive);
    if (steps.empty()) return result;
    for (const Step& step : steps)
        result.push_back({ratio(step.hits, steps.back().hits),
                          ratio(step.hits, step.hits + step.alarms), step.threshold});
    return result;
}

double area_under(std::span<const RatePoint> roc) {
    double area = 0;
    for (std::size_t i = 1; i < roc.size(); ++i)
        area += (roc[i].x - roc[i - 1].x) * (roc[i].y + roc[i - 1].y) / 2;
    return area;
}

double average_precision(std::span<const RatePoint> precision_recall) {
    double sum = 0;
    for (std::size_t i = 1; i < precision_recall.size(); ++i)
        sum += (precision_recall[i].x - precision_recall[i - 1].x) * precision_recall[i].y;
    return sum;
}

std::vector<CalibrationBin> calibration_of(std::span<const Answer> answers, int bins) {
    std::vector<CalibrationBin> result(static_cast<std::size_t>(std::max(1, bins)));
    for (const Answer& answer : answers) {
        const std::int64_t guess = answer.guess();
        if (guess < 0) continue;
        const double sure = answer.probabilities[static_cast<std::size_t>(guess)];
        if (std::isnan(sure)) continue;
        const auto at = std::min(
            result.size() - 1, static_cast<std::size_t>(sure * static_cast<double>(result.size())));
        ++result[at].count;
        result[at].confidence += sure;
        result[at].accuracy += guess == answer.truth;
    }
    for (CalibrationBin& bin : result) {
        bin.confidence = ratio(bin.confidence, static_cast<double>(bin.count));
        bin.accuracy = ratio(bin.accuracy, static_cast<double>(bin.count));
    }
    return result;
}

double calibration_error(std::span<const CalibrationBin> bins) {
    double sum = 0, count = 0;
    for (const CalibrationBin& bin : bins) {
        sum += static_cast<double>(bin.count) * std::abs(bin.confidence - bin.accuracy);
        count += static_cast<double>(bin.count);
    }
    return ratio(sum, count);
}

std::vector<std::size_t> worst_mistakes(std::span<const Answer> answers, std::size_t most) {
    std::vector<std::size_t> wrong;
    for (std::size_t i = 0; i < answers.size(); ++i)
        if (answers[i].guess() >= 0 && answers[i].guess() != answers[i].truth) wrong.push_back(i);
    std::stable_sort(wrong.begin(), wrong.end(), [&](std::size_t a, std::size_t b) {
        return score_of(answers[a], answers[a].guess()) > score_of(answers[b], answers[b].guess());
    });
    if (wrong.size() > most) wrong.resize(most);
    return wrong;
}

Residuals residuals_of(std::span<const double> targets, std::span<const double> guesses) {
    Residuals result;
    double absolute = 0, squares = 0, bias = 0, sum = 0;
    std::vector<double> finite;
    for (std::size_t i = 0; i < std::min(targets.size(), guesses.size()); ++i) {
        const double away = guesses[i] - targets[i];
        if (!std::isfinite(away)) continue;
        absolute += std::abs(away);
        squares += away * away;
        bias += away;
        sum += targets[i];
        finite.push_back(targets[i]);
    }
    result.count = static_cast<std::int64_t>(finite.size());
    const auto n = static_cast<double>(result.count);
    if (result.count == 0) return result;
    double total = 0;
    for (const double target : finite)
        total += (target - sum / n) * (target - sum / n);
    result.mean_absolute = absolute / n;
    result.root_mean_square = std::sqrt(squares / n);
    result.bias = bias / n;
    result.r2 = total > 0 ? 1 - squares / total : 0;
    return result;
}

} // namespace wiregrad::train

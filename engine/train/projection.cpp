#include "engine/train/projection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace wiregrad::train {
namespace {

using Row = std::vector<double>;

double dot(const Row& a, const Row& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

bool normalise(Row& v) {
    const double length = std::sqrt(dot(v, v));
    if (!(length > 0) || !std::isfinite(length)) return false;
    for (double& value : v)
        value /= length;
    return true;
}

/// The direction of greatest spread of the centred `points`; empty where there is none.
Row main_axis(const std::vector<Row>& points, std::size_t columns) {
    constexpr int kRounds = 100;
    constexpr double kStill = 1e-9;
    Row axis(columns);
    for (std::size_t i = 0; i < columns; ++i) // in no special direction
        axis[i] = 1 + 0.1 * std::sin(static_cast<double>(i) * 1.7 + 0.3);
    if (!normalise(axis)) return {};
    for (int round = 0; round < kRounds; ++round) {
        Row next(columns, 0);
        for (const Row& point : points) {
            const double along = dot(point, axis);
            for (std::size_t i = 0; i < columns; ++i)
                next[i] += along * point[i];
        }
        if (!normalise(next)) return {};
        const double moved = 1 - std::abs(dot(next, axis));
        axis = std::move(next);
        if (moved < kStill) break;
    }
    const auto largest = std::max_element(
        axis.begin(), axis.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
    if (*largest < 0)
        for (double& value : axis)
            value = -value;
    return axis;
}

} // namespace

Projection principal_axes(std::span<const float> values, std::int64_t rows, std::int64_t columns) {
    Projection result;
    if (rows < 1 || columns < 1 || values.size() < static_cast<std::size_t>(rows * columns))
        return result;
    const auto count = static_cast<std::size_t>(rows), width = static_cast<std::size_t>(columns);
    result.x.assign(count, std::numeric_limits<double>::quiet_NaN());
    result.y = result.x;
    std::vector<Row> points;
    std::vector<std::size_t> row_of;
    Row mean(width, 0);
    for (std::size_t r = 0; r < count; ++r) {
        const auto row = values.subspan(r * width, width);
        if (!std::all_of(row.begin(), row.end(), [](float v) { return std::isfinite(v); }))
            continue;
        points.emplace_back(row.begin(), row.end());
        row_of.push_back(r);
        for (std::size_t i = 0; i < width; ++i)
            mean[i] += points.back()[i];
    }
    double total = 0;
    for (Row& point : points) {
        for (std::size_t i = 0; i < width; ++i)
            point[i] -= mean[i] / static_cast<double>(points.size());
        total += dot(point, point);
    }
    for (int which = 0; which < 2; ++which) {
        std::vector<double>& out = which == 0 ? result.x : result.y;
        const Row axis = total > 0 ? main_axis(points, width) : Row{};
        double spread = 0;
        for (std::size_t p = 0; p < points.size(); ++p) {
            const double along = axis.empty() ? 0 : dot(points[p], axis);
            out[row_of[p]] = along;
            spread += along * along;
            for (std::size_t i = 0; i < axis.size(); ++i) // what is left for the next axis
                points[p][i] -= along * axis[i];
        }
        (which == 0 ? result.share_x : result.share_y) = total > 0 ? spread / total : 0;
    }
    return result;
}

} // namespace wiregrad::train

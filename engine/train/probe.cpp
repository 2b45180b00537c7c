#include "engine/train/probe.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/error.h"
#include "engine/op/ops.h"

namespace wiregrad {
namespace {

/// Finite elements have x - x = 0; the others have NaN there.
template <class T> bool finite(T x) {
    return x - x == T{0};
}

template <class T> void statistics(const T* x, std::int64_t n, int bins, ProbeRecord& record) {
    constexpr int kLanes = 8;
    T low[kLanes], high[kLanes];
    double sums[kLanes] = {};
    std::int64_t counts[kLanes] = {}, zeros[kLanes] = {}, nans[kLanes] = {};
    std::fill_n(low, kLanes, std::numeric_limits<T>::infinity());
    std::fill_n(high, kLanes, -std::numeric_limits<T>::infinity());
    const auto take = [&](T value, int lane) {
        const bool good = finite(value);
        low[lane] = good && value < low[lane] ? value : low[lane];
        high[lane] = good && value > high[lane] ? value : high[lane];
        sums[lane] += good ? static_cast<double>(value) : 0.0;
        counts[lane] += good;
        zeros[lane] += value == T{0};
        nans[lane] += value != value;
    };
    std::int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int lane = 0; lane < kLanes; ++lane)
            take(x[i + lane], lane);
    for (; i < n; ++i)
        take(x[i], 0);

    std::int64_t count = 0;
    double sum = 0;
    for (int lane = 0; lane < kLanes; ++lane) {
        count += counts[lane];
        sum += sums[lane];
        record.zeros += zeros[lane];
        record.nans += nans[lane];
    }
    record.infs = n - count - record.nans;
    record.histogram.assign(static_cast<std::size_t>(std::max(bins, 0)), 0);
    if (count == 0) return;
    record.min = static_cast<double>(*std::min_element(low, low + kLanes));
    record.max = static_cast<double>(*std::max_element(high, high + kLanes));
    record.mean = sum / static_cast<double>(count);

    double squares[kLanes] = {};
    const double mean = record.mean, first = record.min;
    // Halves, since the width of the range may be more than a double can hold.
    const double width = record.max / 2 - record.min / 2;
    const double scale = width > 0 ? bins / width : 0;
    const double offset = width > 0 ? 0 : bins / 2;
    for (i = 0; i < n; ++i) {
        if (!finite(x[i])) continue;
        const double value = static_cast<double>(x[i]), away = value - mean;
        squares[i % kLanes] += away * away;
        if (bins > 0) {
            const double place = (value / 2 - first / 2) * scale + offset;
            ++record.histogram[static_cast<std::size_t>(
                std::clamp(static_cast<int>(place), 0, bins - 1))];
        }
    }
    double square = 0;
    for (const double lane : squares)
        square += lane;
    record.std = count > 1 ? std::sqrt(square / static_cast<double>(count - 1)) : 0;
}

/// Cuts leading dimensions until `limit` elements hold them; the first dimensions go down to 1
/// before later ones are cut.
Shape cut(const Shape& shape, std::int64_t limit) {
    Shape result = shape;
    std::int64_t left = numel(shape);
    for (int i = 0; i < shape.size() && left > limit; ++i) {
        const std::int64_t inner = left / shape[i];
        result[i] = std::clamp<std::int64_t>(limit / inner, 1, shape[i]);
        left = inner * result[i];
    }
    return result;
}

/// The dimension along which units lie: features of an activation, outputs of a weight.
int unit_dim(const ValueId& value, const Shape& shape) {
    const bool activation =
        value.what == ProbeWhat::Activation || value.what == ProbeWhat::ActivationGradient;
    return activation && shape.size() > 1 ? 1 : 0;
}

template <class T>
void unit_statistics(const T* x, const Shape& shape, int dim, int most, ProbeRecord& record) {
    record.unit_count = shape[dim];
    const std::int64_t kept = std::min<std::int64_t>(shape[dim], most);
    std::int64_t inner = 1, outer = 1;
    for (int i = 0; i < shape.size(); ++i)
        (i < dim ? outer : inner) *= i == dim ? 1 : shape[i];
    record.units.resize(static_cast<std::size_t>(kept));
    for (std::int64_t u = 0; u < kept; ++u) {
        UnitStats& unit = record.units[static_cast<std::size_t>(u)];
        double sum = 0;
        std::int64_t good = 0;
        for (std::int64_t o = 0; o < outer; ++o) {
            const T* run = x + (o * shape[dim] + u) * inner;
            for (std::int64_t i = 0; i < inner; ++i) {
                if (!finite(run[i])) continue;
                const auto value = static_cast<double>(run[i]);
                unit.min = good == 0 ? value : std::min(unit.min, value);
                unit.max = good == 0 ? value : std::max(unit.max, value);
                unit.zeros += value == 0;
                sum += value;
                ++good;
            }
        }
        unit.count = outer * inner;
        unit.broken = unit.count - good;
        unit.mean = good > 0 ? sum / static_cast<double>(good) : 0;
    }
}

template <class T> std::int64_t find_broken(const T* x, std::int64_t n) {
    return std::find_if(x, x + n, [](T value) { return !finite(value); }) - x;
}

} // namespace

ProbeRecord measure(const ProbeRequest& request, const Tensor& tensor, std::int64_t step) {
    ProbeRecord record;
    record.value = request.value;
    record.step = step;
    record.shape = tensor.shape();
    record.dtype = tensor.dtype();

    Tensor x = tensor.detach();
    if (x.device() != Device{}) x = to(x, Device{});
    x = x.contiguous();
    if (x.dtype() != DType::Float32 && x.dtype() != DType::Float64) {
        // Integers up to 2^53 and all small floats are exact in double.
        Tensor wide = Tensor::empty(x.shape(), DType::Float64);
        wide.copy_(x);
        x = wide;
    }
    const std::int64_t n = x.numel();
    if (n == 0) {
        record.histogram.assign(static_cast<std::size_t>(std::max(request.histogram_bins, 0)), 0);
        return record;
    }
    const bool single = x.dtype() == DType::Float32;
    if (single)
        statistics(x.data<float>(), n, request.histogram_bins, record);
    else
        statistics(x.data<double>(), n, request.histogram_bins, record);

    if (record.nans + record.infs > 0)
        record.first_broken =
            single ? find_broken(x.data<float>(), n) : find_broken(x.data<double>(), n);
    if (request.max_units > 0 && x.dim() > 0) {
        const int dim = unit_dim(request.value, x.shape());
        if (single)
            unit_statistics(x.data<float>(), x.shape(), dim, request.max_units, record);
        else
            unit_statistics(x.data<double>(), x.shape(), dim, request.max_units, record);
    }

    if (request.max_elements > 0) {
        if (x.dim() > 0) {
            const std::int64_t rows = x.size(0);
            record.slice_from = std::clamp<std::int64_t>(request.slice_from, 0, rows - 1);
            record.slice_shape = x.shape();
            record.slice_shape[0] = rows - record.slice_from;
        }
        record.slice_shape = cut(record.slice_shape, request.max_elements);
        // Leading dimensions are cut, and those before a cut one are 1: the slice is one run.
        const auto count = static_cast<std::size_t>(numel(record.slice_shape));
        const std::int64_t first = x.dim() > 0 ? record.slice_from * (n / x.size(0)) : 0;
        record.slice.resize(count);
        if (single)
            std::copy_n(x.data<float>() + first, count, record.slice.begin());
        else
            std::transform(x.data<double>() + first, x.data<double>() + first + count,
                           record.slice.begin(),
                           [](double value) { return static_cast<float>(value); });
    }
    return record;
}

} // namespace wiregrad

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

    if (request.max_elements > 0) {
        record.slice_shape = cut(x.shape(), request.max_elements);
        // Leading dimensions are cut, and those before a cut one are 1: the slice is one run from
        // the start.
        const auto count = static_cast<std::size_t>(numel(record.slice_shape));
        record.slice.resize(count);
        if (single)
            std::copy_n(x.data<float>(), count, record.slice.begin());
        else
            std::transform(x.data<double>(), x.data<double>() + count, record.slice.begin(),
                           [](double value) { return static_cast<float>(value); });
    }
    return record;
}

} // namespace wiregrad

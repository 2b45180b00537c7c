#include "engine/train/metric.h"

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/op/ops.h"

namespace wiregrad::train {
namespace {

/// On the CPU, contiguous and of a given type.
Tensor plain(const Tensor& x, DType dtype) {
    Tensor result = x.detach();
    if (result.device() != Device{}) result = to(result, Device{});
    result = result.contiguous();
    if (result.dtype() == dtype) return result;
    Tensor converted = Tensor::empty(result.shape(), dtype);
    converted.copy_(result);
    return converted;
}

[[noreturn]] void misfit(const Tensor& x, const Tensor& target) {
    throw ShapeError(fmt::format("accuracy: {} {} does not fit to the target {} {}",
                                 name_of(x.dtype()), x.shape().str(), name_of(target.dtype()),
                                 target.shape().str()));
}

/// Rank of the target's value among the C values, where a tie goes to the first; x is [outer, C,
/// inner].
template <class F> void for_each_target(const Tensor& x, const Tensor& target, const F& f) {
    Shape expected = x.shape();
    if (x.dim() < 2 || !is_integral(target.dtype())) misfit(x, target);
    expected.erase(1);
    if (!(target.shape() == expected)) misfit(x, target);
    const Tensor values = plain(x, DType::Float32), labels = plain(target, DType::Int64);
    const std::int64_t classes = x.size(1), samples = x.size(0);
    const std::int64_t inner = samples > 0 ? target.numel() / samples : 0;
    if (target.numel() == 0) return;
    const auto* v = values.data<float>();
    const auto* t = labels.data<std::int64_t>();
    for (std::int64_t n = 0; n < samples; ++n)
        for (std::int64_t i = 0; i < inner; ++i)
            f(v + n * classes * inner + i, inner, classes, t[n * inner + i]);
}

MetricSum ranked(const Tensor& x, const Tensor& target, std::int64_t k, std::int64_t ignore_index) {
    MetricSum result;
    for_each_target(
        x, target,
        [&](const float* values, std::int64_t stride, std::int64_t classes, std::int64_t label) {
            if (label == ignore_index) return;
            if (label < 0 || label >= classes)
                throw ValueError(
                    fmt::format("accuracy: label {} is outside the {} classes", label, classes));
            const float own = values[label * stride];
            std::int64_t better = 0;
            for (std::int64_t c = 0; c < classes; ++c) {
                const float other = values[c * stride];
                better += other > own || (other == own && c < label);
            }
            // A NaN is no answer, and beside one nothing else is a right one.
            result.sum += own == own && better < k;
            result.count += 1;
        });
    return result;
}

} // namespace

MetricSum accuracy(const Tensor& x, const Tensor& target, std::int64_t ignore_index) {
    Shape column = target.shape();
    if (column.size() < kMaxDims) column.push_back(1);
    const bool binary =
        is_floating(x.dtype()) && (x.shape() == target.shape() || x.shape() == column);
    if (!binary) return ranked(x, target, 1, ignore_index);
    const Tensor values = plain(x, DType::Float32), wanted = plain(target, DType::Float32);
    MetricSum result;
    result.count = static_cast<double>(values.numel());
    for (std::int64_t i = 0; i < values.numel(); ++i)
        result.sum += (values.data<float>()[i] > 0) == (wanted.data<float>()[i] > 0.5F);
    return result;
}

MetricSum top_k_accuracy(const Tensor& x, const Tensor& target, std::int64_t k,
                         std::int64_t ignore_index) {
    if (x.dim() != 2) misfit(x, target);
    if (k < 1) throw ValueError(fmt::format("top_k_accuracy: k must be at least 1, is {}", k));
    return ranked(x, target, k, ignore_index);
}

} // namespace wiregrad::train

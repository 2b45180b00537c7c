#include "engine/train/diagnosis.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "engine/autograd/tape.h"
#include "engine/op/ops.h"

namespace wiregrad::train {
namespace {

struct Bad {
    std::int64_t index = 0; ///< row-major
    bool nan = false;
};

template <class T> std::optional<Bad> scan(const Tensor& x) {
    const T* values = x.data<T>();
    for (std::int64_t i = 0; i < x.numel(); ++i)
        if (!std::isfinite(values[i])) return Bad{i, std::isnan(values[i])};
    return std::nullopt;
}

/// The first element that is not finite.
std::optional<Bad> first_bad(const Tensor& tensor) {
    if (!tensor.defined() || !is_floating(tensor.dtype()) || tensor.numel() == 0)
        return std::nullopt;
    Tensor x = tensor.detach();
    if (x.device() != Device{}) x = to(x, Device{});
    x = x.contiguous();
    if (x.dtype() == DType::Float32) return scan<float>(x);
    if (x.dtype() != DType::Float64) {
        Tensor wide = Tensor::empty(x.shape(), DType::Float64);
        wide.copy_(x);
        x = wide;
    }
    return scan<double>(x);
}

const char* word(bool nan) {
    return nan ? "NaN" : "infinite";
}

/// ", sample 345 of the data" when the value has a row for each sample of the batch.
std::string sample_of(const Tensor& value, std::int64_t index, const Batch& batch) {
    const auto count = static_cast<std::int64_t>(batch.samples.size());
    if (value.dim() == 0 || count == 0 || value.size(0) != count) return {};
    const std::int64_t row = index / (value.numel() / count);
    return fmt::format(", for sample {} of the training data",
                       batch.samples[static_cast<std::size_t>(row)]);
}

/// ", channel 5" when the value has some.
std::string channel_of(const Tensor& value, std::int64_t index) {
    if (value.dim() < 2 || value.size(1) < 2) return {};
    const std::int64_t inner = value.numel() / value.size(0) / value.size(1);
    return fmt::format(", {} {}", value.dim() > 2 ? "channel" : "feature",
                       index / inner % value.size(1));
}

/// A sample whose largest magnitude is this much above the usual one of its batch is named: it may
/// be finite, and still what everything broke on.
constexpr double kOutlier = 1e4;

/// A sentence's end when one sample of the batch stands far out, else empty.
std::string outlier_of(const Batch& batch, std::int64_t& sample) {
    const auto count = static_cast<std::int64_t>(batch.samples.size());
    for (std::size_t field = 0; field < batch.fields.size(); ++field) {
        const Tensor& x = batch.fields[field];
        if (!is_floating(x.dtype()) || x.dim() == 0 || x.size(0) != count || count < 3) continue;
        const auto values = x.to_vector();
        const auto row = values.size() / static_cast<std::size_t>(count);
        std::vector<double> largest;
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
            double top = 0;
            for (std::size_t k = 0; k < row; ++k)
                top = std::max(top, std::abs(values[i * row + k]));
            largest.push_back(top);
        }
        const auto worst = static_cast<std::size_t>(
            std::max_element(largest.begin(), largest.end()) - largest.begin());
        std::vector<double> sorted = largest;
        std::nth_element(sorted.begin(), sorted.begin() + count / 2, sorted.end());
        const double usual = sorted[static_cast<std::size_t>(count / 2)];
        if (usual > 0 && largest[worst] > kOutlier * usual) {
            sample = batch.samples[worst];
            return fmt::format(
                "; sample {} of the training data holds {:.3g}, {:.1g} times what is usual in its "
                "batch",
                sample, largest[worst], largest[worst] / usual);
        }
    }
    return {};
}

std::int64_t sample_at(const Tensor& value, std::int64_t index, const Batch& batch) {
    const auto count = static_cast<std::int64_t>(batch.samples.size());
    if (value.dim() == 0 || count == 0 || value.size(0) != count) return -1;
    return batch.samples[static_cast<std::size_t>(index / (value.numel() / count))];
}

/// No weight of a network that learns is larger; the loss did not go wrong for want of luck.
constexpr double kGrown = 1e4;

struct Largest {
    std::string name;
    double value = 0; ///< a magnitude, NaN when there is one
};
/// Of the parameters: running statistics have just seen the batch that went wrong.
Largest largest_weight(Model& model) {
    Largest largest;
    for (const nn::NamedTensor& weight : model.module().parameters())
        for (const double value : weight.tensor.to_vector())
            if (std::isnan(value) || std::abs(value) > largest.value) {
                largest = {weight.name, std::abs(value)};
                if (std::isnan(value)) return largest;
            }
    return largest;
}

class FirstBad : public Tap {
  public:
    explicit FirstBad(const Batch& batch) : batch_(batch) {}
    bool wants(const std::string&, const std::string&) const override { return node.empty(); }
    void see(const std::string& at, const std::string& port, const Tensor& value) override {
        if (!node.empty()) return;
        if (const auto bad = first_bad(value)) {
            node = at;
            text = fmt::format("the first value that is {} is in the output '{}' of '{}'{}{}",
                               word(bad->nan), port, at, sample_of(value, bad->index, batch_),
                               channel_of(value, bad->index));
            sample = sample_at(value, bad->index, batch_);
        }
    }
    std::string node, text;
    std::int64_t sample = -1;

  private:
    const Batch& batch_;
};

} // namespace

bool all_finite(const Tensor& tensor) {
    return !first_bad(tensor);
}

Diagnosis explain_loss(Model& model, const Batch& batch, const nn::ForwardContext& context,
                       std::size_t loss, double value, std::int64_t step) {
    Diagnosis result;
    result.node = model.loss_names()[loss];
    const std::string what = fmt::format("In step {} the loss '{}' became {}", step, result.node,
                                         word(std::isnan(value)));

    for (std::size_t i = 0; i < batch.fields.size(); ++i)
        if (const auto bad = first_bad(batch.fields[i])) {
            result.text =
                fmt::format("{}: the data already hold a value that is {} in field {}{}{}.", what,
                            word(bad->nan), i + 1, sample_of(batch.fields[i], bad->index, batch),
                            channel_of(batch.fields[i], bad->index));
            result.sample = sample_at(batch.fields[i], bad->index, batch);
            return result;
        }

    FirstBad tap(batch);
    try {
        const autograd::NoGrad no_grad;
        model.forward(batch, context, &tap);
    } catch (const std::exception&) {
        // What stopped the second look is not what went wrong; the loss itself is still a fact.
    }
    if (!tap.node.empty()) result.node = tap.node;
    result.text = tap.node.empty() ? what : fmt::format("{}; {}", what, tap.text);
    result.sample = tap.sample;
    result.text += outlier_of(batch, result.sample);
    const Largest largest = largest_weight(model);
    if (tap.node.empty() && !std::isfinite(largest.value))
        result.node = largest.name.substr(0, largest.name.rfind('.'));
    if (largest.value > kGrown)
        result.text += fmt::format("; the weight '{}' has grown to {:.2g}: a smaller learning rate "
                                   "or clipping the gradient may help",
                                   largest.name, largest.value);
    else if (std::isnan(largest.value))
        result.text += fmt::format("; the weight '{}' is NaN already: a smaller learning rate or "
                                   "clipping the gradient may help",
                                   largest.name);
    result.text += '.';
    return result;
}

} // namespace wiregrad::train

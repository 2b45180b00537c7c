#include "engine/train/evaluate.h"

#include <fmt/format.h>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/train/metric.h"

namespace wiregrad::train {
namespace {

std::vector<double> means(const std::vector<MetricSum>& sums) {
    std::vector<double> result;
    for (const MetricSum& sum : sums)
        result.push_back(sum.value());
    return result;
}

StepValues replayed(Model& model, const Batch& batch, const nn::ForwardContext& context,
                    RecordedEvaluation& kept) {
    // Losses, then sum and count of each metric.
    const Tensors& results =
        kept.recorded(batch.fields, model.revision(), [&](const Tensors& fields) {
            const StepValues values = model.forward({fields, batch.samples}, context, nullptr);
            check_values(model, values);
            Tensors all = values.losses;
            kept.finishes.clear();
            for (const MetricValue& metric : values.metrics) {
                all.push_back(metric.sum);
                all.push_back(metric.count);
                kept.finishes.push_back(metric.finish);
            }
            return all;
        });
    const std::size_t losses = model.loss_names().size();
    StepValues values;
    values.losses.assign(results.begin(), results.begin() + static_cast<std::ptrdiff_t>(losses));
    for (std::size_t m = 0; m < kept.finishes.size(); ++m)
        values.metrics.emplace_back(results[losses + 2 * m], results[losses + 2 * m + 1],
                                    kept.finishes[m]);
    return values;
}

} // namespace

MetricValue::MetricValue(const MetricSum& value) : finish(value.finish) {
    if (finish == nullptr) {
        sum = Tensor::scalar(value.sum, DType::Float64);
        count = Tensor::scalar(value.count, DType::Float64);
        return;
    }
    std::vector<double> numbers = value.counts;
    count = Tensor::scalar(numbers.empty() ? 0 : numbers.back(), DType::Float64);
    if (!numbers.empty()) numbers.pop_back();
    sum = Tensor::from(numbers, {static_cast<std::int64_t>(numbers.size())});
}

MetricSum MetricValue::read() const {
    MetricSum result;
    if (finish == nullptr) {
        result.sum = sum.item();
        result.count = count.item();
    } else {
        result.counts = sum.to_vector();
        result.counts.push_back(count.item());
        result.finish = finish;
    }
    return result;
}

std::int64_t sample_count(const Batch& batch) {
    if (!batch.samples.empty()) return static_cast<std::int64_t>(batch.samples.size());
    return batch.fields.empty() || batch.fields[0].dim() == 0 ? 1 : batch.fields[0].size(0);
}

std::vector<double> read_losses(const StepValues& values) {
    std::vector<double> result;
    for (const Tensor& loss : values.losses)
        result.push_back(loss.item());
    return result;
}

std::vector<MetricSum> read_metrics(const StepValues& values) {
    std::vector<MetricSum> result;
    for (const MetricValue& metric : values.metrics)
        result.push_back(metric.read());
    return result;
}

void check_values(Model& model, const StepValues& values) {
    if (values.losses.size() != model.loss_names().size() ||
        values.metrics.size() != model.metric_names().size())
        throw Error(fmt::format("the model has {} losses and {} metrics but gave {} and {}",
                                model.loss_names().size(), model.metric_names().size(),
                                values.losses.size(), values.metrics.size()));
}

void Sums::clear(const Model& model) {
    losses.assign(model.loss_names().size(), {});
    metrics.assign(model.metric_names().size(), {});
}

void Sums::add(const std::vector<double>& values, const std::vector<MetricSum>& sums,
               std::int64_t samples) {
    for (std::size_t i = 0; i < values.size(); ++i)
        losses[i] += {values[i] * static_cast<double>(samples), static_cast<double>(samples)};
    for (std::size_t i = 0; i < sums.size(); ++i)
        metrics[i] += sums[i];
}

std::vector<double> Sums::mean_losses() const {
    return means(losses);
}
std::vector<double> Sums::mean_metrics() const {
    return means(metrics);
}

std::optional<EvalRecord> evaluate_until(Model& model, BatchSource& source,
                                         const std::string& split,
                                         const std::function<bool()>& stop,
                                         RecordedEvaluation* recorded) {
    const autograd::NoGrad no_grad;
    nn::ForwardContext context;
    context.training = false;
    context.state.random = Tensor::zeros({2}, DType::Int64);
    Sums sums;
    sums.clear(model);
    EvalRecord record;
    record.split = split;
    const std::int64_t batches = source.batches_per_epoch();
    for (std::int64_t i = 0; i < batches; ++i) {
        if (stop()) return std::nullopt;
        const Batch batch = source.batch(0, i);
        const StepValues values = recorded != nullptr ? replayed(model, batch, context, *recorded)
                                                      : model.forward(batch, context, nullptr);
        check_values(model, values);
        const std::int64_t samples = sample_count(batch);
        sums.add(read_losses(values), read_metrics(values), samples);
        record.samples += samples;
    }
    record.losses = sums.mean_losses();
    record.metrics = sums.mean_metrics();
    return record;
}

EvalRecord evaluate(Model& model, BatchSource& source, const std::string& split) {
    RecordedEvaluation recorded;
    return *evaluate_until(
        model, source, split, [] { return false; }, &recorded);
}

} // namespace wiregrad::train

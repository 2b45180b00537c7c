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

} // namespace

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
                                         const std::function<bool()>& stop) {
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
        const StepValues values = model.forward(batch, context, nullptr);
        check_values(model, values);
        const std::int64_t samples = sample_count(batch);
        sums.add(read_losses(values), values.metrics, samples);
        record.samples += samples;
    }
    record.losses = sums.mean_losses();
    record.metrics = sums.mean_metrics();
    return record;
}

EvalRecord evaluate(Model& model, BatchSource& source, const std::string& split) {
    return *evaluate_until(model, source, split, [] { return false; });
}

} // namespace wiregrad::train

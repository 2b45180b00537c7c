// Running sums of losses and metrics over batches, and evaluation that can be cut short. The
// trainer's thread.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "engine/program/recorded.h"
#include "engine/train/trainer.h"

namespace wiregrad::train {

/// Samples of a batch: as many as it names, else the rows of its first field.
std::int64_t sample_count(const Batch& batch);

/// Losses of a step as numbers, which waits for the device once.
std::vector<double> read_losses(const StepValues& values);
std::vector<MetricSum> read_metrics(const StepValues& values);
/// Throws Error when the model yields other numbers of losses and metrics than it names.
void check_values(Model& model, const StepValues& values);

/// Losses weighted by samples, metrics by their own counts.
class Sums {
  public:
    void clear(const Model& model);
    void add(const std::vector<double>& losses, const std::vector<MetricSum>& metrics,
             std::int64_t samples);
    std::vector<double> mean_losses() const;
    std::vector<double> mean_metrics() const;
    std::vector<MetricSum> losses, metrics;
};

/// The recorded forward pass, kept from one evaluation to the next.
struct RecordedEvaluation {
    program::Recorded recorded;
    std::vector<MetricValue::Finish> finishes; ///< of the metrics
};

/// Nothing when `stop` said so between two batches. Op by op where `recorded` is null.
std::optional<EvalRecord> evaluate_until(Model& model, BatchSource& source,
                                         const std::string& split,
                                         const std::function<bool()>& stop,
                                         RecordedEvaluation* recorded);

} // namespace wiregrad::train

// The whole training step, recorded once for each kind of step and replayed. The same functions
// compute an eager step. The trainer's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/program/execute.h"
#include "engine/train/probe_set.h"
#include "engine/train/trainer.h"

namespace wiregrad::train {

/// Adds to the gradients of each optimizer's parameters those of its own losses alone, times
/// `share`.
void differentiate(const TrainPlan& plan, const StepValues& values, double share);

/// Records forward, backward, clipping and the update of `plan` for batches like `batch`. The
/// outputs are "loss.<i>", "metric.<i>.sum", "metric.<i>.count" and "probe.<i>" for each of
/// `probes`; `finishes` gets what makes each metric's value. Throws what a step throws that cannot
/// be recorded; nothing has changed then.
program::Program trace_step(const TrainPlan& plan, const Batch& batch,
                            const nn::ForwardContext& context, const std::vector<ValueId>& probes,
                            std::vector<MetricValue::Finish>* finishes = nullptr);

/// The outputs of a recorded step, as views of its memory.
struct StepOutputs {
    std::vector<Tensor> losses;
    std::vector<MetricValue> metrics;
    std::vector<std::pair<ValueId, Tensor>> probes;
};

/// Recorded steps by kind: shapes and types of the batch, probes, threads; of one revision of the
/// model. They share their memory, as only one of them runs at a time.
class StepPrograms {
  public:
    StepPrograms(const TrainPlan& plan, Sink& sink) : plan_(plan), sink_(sink) {}

    /// The program for this step, with its inputs set; null when the step is to run eagerly: one
    /// that cannot be recorded. Already the first step of a kind is recorded, and probes change no
    /// bits, so that a resumed run computes the same; only where shapes keep changing the second
    /// step of a kind is waited for.
    program::Executable* prepare(const Batch& batch, const nn::ForwardContext& context,
                                 const ProbeSet& probes, bool with_probes);

    const StepOutputs& outputs(const program::Executable& program) const;
    void forget() { kinds_.clear(); } ///< the plan has another model

    static constexpr std::size_t kKinds = 8;   ///< kept; the one used longest ago goes
    static constexpr std::size_t kUseless = 8; ///< recordings in vain, until caution begins

  private:
    struct Kind {
        std::vector<std::int64_t> key;
        std::unique_ptr<program::Executable> program;
        bool refused = false, probed = false;
        std::uint64_t used = 0, calls = 0;
        std::vector<std::string> inputs;
        StepOutputs outputs;
    };
    Kind& find(std::vector<std::int64_t> key, bool& fresh);
    void record(Kind& kind, const Batch& batch, const nn::ForwardContext& context,
                const std::vector<ValueId>& probes);

    const TrainPlan& plan_;
    Sink& sink_;
    std::vector<Kind> kinds_;
    std::vector<std::int64_t> key_; ///< of the step at hand; kept to reuse its memory
    std::shared_ptr<program::Arena> arena_;
    std::uint64_t revision_ = 0; ///< of the model that they were recorded of
    std::uint64_t clock_ = 0;
    std::size_t useless_ = 0; ///< recordings without probes, forgotten before a second use
};

} // namespace wiregrad::train

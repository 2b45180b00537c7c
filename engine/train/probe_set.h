// The probes of a run: which of them are due at this step, and their measurement during forward and
// backward. The trainer's thread only.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "engine/train/trainer.h"

namespace wiregrad::train {

class ProbeSet : public Tap {
  public:
    using Report = std::function<void(ProbeRecord)>;
    /// `budget`: share of the run's time that measuring may take, beyond `grace_seconds` at the
    /// beginning, when hardly any time has passed that a share could be taken of. From 1 on: no
    /// limit.
    ProbeSet(double budget, Report report, double grace_seconds = 0.05)
        : budget_(budget), grace_seconds_(grace_seconds), report_(std::move(report)) {}

    void set(std::vector<ProbeRequest> requests); ///< a probe that stays keeps its rhythm
    /// Decides what is due at `step`. Call before forward; `run_seconds` is the time the budget is
    /// a share of.
    void begin_step(std::int64_t step, double run_seconds);
    /// All that is subscribed, due or not.
    std::vector<ValueId> values() const;
    std::uint64_t revision() const { return revision_; } ///< changes with values()
    /// A value of a replayed step, of any kind.
    void see_recorded(const ValueId& id, const Tensor& value);
    /// Whether forward should be given this as its tap.
    bool wants_forward() const { return forward_due_; }
    bool wants_weights() const { return weights_due_; }

    bool wants(const std::string& node, const std::string& port) const override;
    void see(const std::string& node, const std::string& port, const Tensor& value) override;

    /// After backward: gradients of weights, then the weights themselves (as this step used them).
    void see_weights(const std::vector<nn::NamedTensor>& parameters,
                     const std::vector<nn::NamedTensor>& buffers);
    /// After the optimizers' step: what it added to the weights, and its moments.
    bool wants_updates() const { return updates_due_; }
    void see_updates(const std::vector<nn::NamedTensor>& parameters,
                     const std::vector<nn::NamedTensor>& optimizer_state);
    /// A value now, due or not: for a run that stands inside a step.
    void report(const ValueId& id, const Tensor& value, std::int64_t step);
    /// The weights now, due or not: for a run that stands still.
    void report_weights(const std::vector<nn::NamedTensor>& state, std::int64_t step);

  private:
    using Clock = std::chrono::steady_clock;
    struct Probe {
        ProbeRequest request;
        std::int64_t last_step = 0;
        Clock::time_point last{};
        bool reported = false, due = false;
        Tensor before; ///< the weight, while the optimizer's step is waited for
    };
    template <class F>
    void for_each_due(const std::string& node, const std::string& port, const F& f);
    void measure_now(std::size_t index, const Tensor& value);

    double budget_, grace_seconds_;
    Report report_;
    std::vector<Probe> probes_; ///< sorted by node and name
    std::int64_t step_ = 0;
    std::uint64_t revision_ = 0;
    double spent_seconds_ = 0;
    bool forward_due_ = false, weights_due_ = false, updates_due_ = false;
};

} // namespace wiregrad::train

// Where the trainer's thread leaves its reports and the window picks them up. No Qt. put side:
// trainer's thread, never waits for the window; take(): GUI thread. The lock is held for moves
// only, or for one fold of the ring.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/train/trainer.h"

namespace wiregrad::studio {

/// One or several steps: the last one in full, the extremes of all.
struct StepFold {
    train::StepRecord last;
    std::int64_t steps = 1;
    std::vector<double> minima, maxima; ///< of losses, then metrics; empty while steps == 1
};

/// What arrived since the last take(), in order.
struct Telemetry {
    std::vector<StepFold> steps;
    std::vector<train::EpochRecord> epochs;
    std::vector<std::uint64_t> digests; ///< of all steps up to the end of each of these epochs
    std::vector<ProbeRecord> probes;    ///< the newest of each value
    std::optional<train::RunState> state;
    std::vector<std::string> warnings;
    bool haltNews = false;
    std::optional<train::Halt> halt; ///< with haltNews: where the run stands; none: it went on
    std::optional<train::DoneRecord> done;
    std::uint64_t digest = 0; ///< of all steps up to here: losses and metrics, bit for bit
    bool empty() const {
        return steps.empty() && epochs.empty() && probes.empty() && warnings.empty() && !state &&
               !haltNews && !done;
    }
};

class TelemetryHub : public train::Sink {
  public:
    /// `capacity`: steps kept until they are folded. `wake` is called on the trainer's thread when
    /// something arrives after sleep(); it must not block.
    explicit TelemetryHub(std::size_t capacity = 4096, std::function<void()> wake = {});

    void on_state(train::RunState state) override;
    void on_step(const train::StepRecord& record) override;
    void on_epoch(const train::EpochRecord& record) override;
    void on_probe(ProbeRecord record) override;
    void on_halt(const train::Halt* halt) override;
    void on_warning(const std::string& text) override;
    void on_done(const train::DoneRecord& record) override;

    Telemetry take();
    /// Asks to be woken by the next report. False when one is already waiting: take it first.
    bool sleep();

  private:
    void wake();
    void fold();

    const std::size_t capacity_;
    const std::function<void()> wake_;
    std::mutex mutex_;
    Telemetry waiting_;
    bool asleep_ = false;
    std::uint64_t digest_ = 0; ///< under the lock
};

/// `digest` after one more number: equal only where every bit of every number was.
std::uint64_t mixDigest(std::uint64_t digest, double value);

} // namespace wiregrad::studio

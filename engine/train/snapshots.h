// Sparse states of a run, kept in memory: with exact replay from the nearest one, every step of the
// run can be brought back. Written on the trainer's thread, read on any.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/train/trainer.h"

namespace wiregrad::train {

class Snapshots {
  public:
    /// At most about `budget_bytes`, the first state always among them. One is taken each
    /// `every_seconds` of the run; when the budget is used up every second one goes and they are
    /// taken half as often. Taking them uses at most `share` of the run's time.
    explicit Snapshots(std::size_t budget_bytes = std::size_t(256) << 20,
                       double every_seconds = 0.4, double share = 0.01);
    /// Whether the run should hand over its state now. The trainer's thread.
    bool due(std::int64_t step, double run_seconds) const;
    /// `moment` is owned from here on; it took `cost_seconds` to copy.
    void keep(std::shared_ptr<const Checkpoint> moment, double cost_seconds);

    /// The latest state at or before `step`; null when there is none.
    std::shared_ptr<const Checkpoint> before(std::int64_t step) const;
    std::vector<std::int64_t> steps() const; ///< of the states, rising
    std::size_t bytes() const;

  private:
    struct Kept {
        std::shared_ptr<const Checkpoint> moment;
        std::size_t bytes = 0;
    };
    mutable std::mutex mutex_;
    std::vector<Kept> kept_;
    std::size_t budget_, bytes_ = 0;
    double every_, share_, next_seconds_ = 0;
};

} // namespace wiregrad::train

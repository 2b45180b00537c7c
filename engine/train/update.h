// What happens to the weights of one optimizer in a step, behind the gradients: clipping, the rate
// and momentum of the schedule, the optimizer's step, the moving average. The trainer's thread.
#pragma once

#include <optional>
#include <vector>

#include "engine/train/trainer.h"

namespace wiregrad::train {

class Update {
  public:
    explicit Update(OptimizerPlan& plan); ///< which must outlive it
    /// Returns the learning rate that was used.
    double step(const ScheduleTime& time);
    /// Of a recorded step: writes the rate and momentum that step() would use; returns the rate.
    double set_rate(const ScheduleTime& time);
    /// Of a recorded step, behind its update: the moving average.
    void follow();
    /// Tells what the validation (or, without one, the training) loss of the epoch was.
    void end_epoch(double loss);
    /// Exchanges the weights and their moving averages; done twice, nothing has changed. Nothing
    /// without averages.
    void swap_averages();
    bool averages() const { return !averages_.empty(); }

    /// The optimizer's state and what is kept here, for checkpoints.
    std::vector<nn::NamedTensor> state() const;
    void load(const std::vector<nn::NamedTensor>& state);

  private:
    double prepare(const ScheduleTime& time);
    OptimizerPlan& plan_;
    std::optional<Plateau> plateau_;
    double reduced_ = 1; ///< the plateau's factor so far
    std::vector<nn::NamedTensor> averages_;
    Tensor decay_; ///< float64[1]
};

} // namespace wiregrad::train

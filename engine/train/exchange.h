// Another model in the middle of a run: what is known at the step boundary where it happens, and
// what came of it. The trainer's thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/train/trainer.h"

namespace wiregrad::train {

/// The step boundary at which a run goes on with another model.
struct Exchange {
    const Checkpoint& now;   ///< the run's state; shares its tensors with the run
    const Checkpoint& fresh; ///< what the new model and optimizers begin with; names and shapes to
                             ///< be filled
    Model& before;
    Model& after;
    const Batch* next; ///< the batch that is trained on next; null at the end of the run
    const nn::ForwardContext& context; ///< of the next step: its masks
};

/// What came of it.
struct Exchanged {
    bool done = false;
    std::string error, error_node; ///< why not; the run then goes on as it was
    std::int64_t step = 0;         ///< steps done before it
    /// Of the next batch, in training mode, with both models; empty at the end of the run. The
    /// second is empty when it was not done, and one that cannot be computed counts as that.
    std::vector<double> losses_before, losses_after;
};

/// Runs `model` on `batch` in training mode without recording; statistics that forward keeps are
/// afterwards what they were. `tap` may be null.
std::vector<double> losses_without_trace(Model& model, const Batch& batch,
                                         const nn::ForwardContext& context, Tap* tap = nullptr);

} // namespace wiregrad::train

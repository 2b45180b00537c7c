// Finds where a number that is not finite came from. The trainer's thread.
#pragma once

#include <string>

#include "engine/train/trainer.h"

namespace wiregrad::train {

struct Diagnosis {
    std::string text;         ///< one sentence
    std::string node;         ///< where it began: the node, else the loss
    std::int64_t sample = -1; ///< of the training data; -1: not one of them
};

/// `batch` was just run and gave `value` for loss number `loss`; the weights are still those it was
/// run with. Looks at the batch and the weights, then runs the batch again and looks at every
/// output.
Diagnosis explain_loss(Model& model, const Batch& batch, const nn::ForwardContext& context,
                       std::size_t loss, double value, std::int64_t step);

/// Whether no element is NaN or infinite; true of an undefined one and of integers.
bool all_finite(const Tensor& tensor);

} // namespace wiregrad::train

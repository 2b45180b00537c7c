// Which part of an input made the network answer so: saliency, integrated gradients, Grad-CAM,
// occlusion. Eval mode; the weights are not touched. The thread that owns the model.
#pragma once

#include <string>

#include "engine/train/trainer.h"

namespace wiregrad::train {

/// A value of the model, by node and output port.
struct ValuePlace {
    std::string node, port;
};

/// What is explained: class `index` of the scores [1, C] (or the one number) at `scores`, for the
/// one sample that `batch` holds; its labels may be any.
struct Question {
    const Batch& batch;
    ValuePlace scores;
    std::int64_t index = 0;
};

/// |d score / d x| of Simonyan et al. 2013, the shape of x [1, ...]. Throws ValueError when the
/// scores do not depend on x or hold no class `index`.
Tensor saliency(Model& model, const Question& question);
/// Sundararajan et al. 2017, from a black (zero) input in `steps` midpoints: x times the mean
/// gradient along the way. Its sum is nearly score(x) - score(0).
Tensor integrated_gradients(Model& model, const Question& question, int steps = 32);
/// Selvaraju et al. 2017 at the feature maps [1, C, H, W] at `maps`: relu of the maps weighted by
/// their mean gradients, [H, W].
Tensor grad_cam(Model& model, const Question& question, const ValuePlace& maps);
/// How much the score falls when a square of `patch` pixels of x [1, C, H, W] is set to `fill`:
/// [H, W], positive where it falls; each pixel has the mean of the squares over it.
Tensor occlusion(Model& model, const Question& question, std::int64_t patch, std::int64_t stride,
                 float fill = 0);
/// The score itself, in eval mode.
double score_of(Model& model, const Question& question);

} // namespace wiregrad::train

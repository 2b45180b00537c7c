// From an Optimizer node to the engine's optimizer with its schedule. Pure; any thread.
#pragma once

#include <vector>

#include "engine/train/trainer.h"
#include "nodes/graph.h"

namespace wiregrad::graph {

/// `lr_scales`: one for each weight, from the settings of the layer that it belongs to. The losses
/// are left to the caller. Throws ValueError for settings that do not go together.
train::OptimizerPlan optimizer_plan(const Node& node, std::vector<nn::NamedTensor> weights,
                                    const std::vector<double>& lr_scales);
/// The schedule alone, for the preview of its curve.
train::Schedule schedule_of(const Node& node);

} // namespace wiregrad::graph

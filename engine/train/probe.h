// Probes: what the engine is asked to report of a run. The UI subscribes; the trainer answers when
// it passes by and never waits. Records are small copies, never tensors of the run itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/tensor.h"

namespace wiregrad {

enum class ProbeWhat : std::uint8_t {
    Activation,
    ActivationGradient,
    Weight,
    WeightGradient,
    WeightUpdate,  ///< what the optimizer's step added to the weight
    OptimizerState ///< a moment, after the step; named "weight.exp_avg"
};

/// A value of the running model. For an activation `name` is the output port, for a weight its name
/// in the module.
struct ValueId {
    std::string node;
    std::string name;
    ProbeWhat what = ProbeWhat::Activation;
    bool operator==(const ValueId&) const = default;
};

struct ProbeRequest {
    ValueId value;
    int histogram_bins = 48;          ///< 0: no histogram
    std::int64_t max_elements = 4096; ///< of the slice that is copied out; 0: statistics only
    int every_steps = 1;              ///< at most each N-th step
    double max_per_second = 5;        ///< and at most this often
    std::int64_t slice_from = 0;      ///< where along the first dimension the slice begins
    int max_units = 0;                ///< statistics of so many channels, features or rows; 0: none
};

/// One channel or feature (dimension 1 of an activation), or one row of a weight (dimension 0).
struct UnitStats {
    double min = 0, max = 0, mean = 0; ///< of its finite elements
    std::int64_t count = 0, zeros = 0, broken = 0;
};

/// Statistics of all finite elements, and a slice for pictures. Without any finite element the four
/// are 0.
struct ProbeRecord {
    ValueId value;
    std::int64_t step = 0;
    Shape shape; ///< of the whole value
    DType dtype = DType::Float32;
    double min = 0, max = 0, mean = 0,
           std = 0; ///< std as torch.std: divided by n - 1; 0 for one element
    std::int64_t zeros = 0, nans = 0, infs = 0;
    std::vector<std::int64_t>
        histogram;     ///< equal bins over [min, max]; all in the middle when min = max
    Shape slice_shape; ///< first sample(s) of the value: leading dims cut to fit max_elements
    std::vector<float> slice;
    std::int64_t slice_from = 0;
    std::int64_t first_broken = -1; ///< row-major index of the first NaN or infinity; -1: none
    std::int64_t unit_count = 0;    ///< of the whole value; `units` holds the first of them
    std::vector<UnitStats> units;
};

/// Computes a record. Any thread; the tensor is only read.
ProbeRecord measure(const ProbeRequest& request, const Tensor& tensor, std::int64_t step);

} // namespace wiregrad

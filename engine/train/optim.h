// Optimizers with PyTorch's arithmetic and defaults. One in-place op per parameter (or arena);
// learning rate and step count are read from tensors, never baked in. Used by the trainer's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/nn/module.h"

namespace wiregrad::train {

// Every option has PyTorch's name and default; impossible ones throw ValueError. `maximize` turns
// the gradient around.
struct SgdOptions {
    double lr = 1e-3, momentum = 0, dampening = 0, weight_decay = 0;
    bool nesterov = false; ///< needs momentum > 0 and dampening 0, else ValueError
    bool maximize = false;
};
struct AdamOptions {
    double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
    bool amsgrad = false;
    bool decoupled = false; ///< AdamW
    bool maximize = false;
};
struct RmsPropOptions {
    double lr = 1e-2, alpha = 0.99, eps = 1e-8, weight_decay = 0, momentum = 0;
    bool centered = false, maximize = false;
};
struct AdagradOptions {
    double lr = 1e-2, lr_decay = 0, weight_decay = 0, initial_accumulator_value = 0, eps = 1e-10;
    bool maximize = false;
};
struct AdadeltaOptions {
    double lr = 1, rho = 0.9, eps = 1e-6, weight_decay = 0;
    bool maximize = false;
};
struct AdamaxOptions {
    double lr = 2e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
    bool maximize = false;
};
struct NAdamOptions {
    double lr = 2e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
    double momentum_decay = 4e-3;
    bool decoupled_weight_decay = false, maximize = false;
};
struct RAdamOptions {
    double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
    bool decoupled_weight_decay = false, maximize = false;
};
/// Weights of two dimensions by Muon, in their own precision; all others by AdamW with the same
/// lr and weight_decay.
struct MuonOptions {
    double lr = 1e-3, weight_decay = 0.1, momentum = 0.95, eps = 1e-7;
    bool nesterov = true;
    std::int64_t ns_steps = 5;
    /// lr times 0.2 sqrt(max(rows, columns)) instead of sqrt(max(1, rows / columns)).
    bool match_rms_adamw = false;
    bool maximize = false;
};

/// Factors on a parameter's learning rate and weight decay: what PyTorch calls parameter groups.
struct ParameterScale {
    double lr = 1, weight_decay = 1;
    bool operator==(const ParameterScale&) const = default;
};

class Optimizer {
  public:
    virtual ~Optimizer() = default;
    /// Updates each parameter that has a gradient, at learning rate options.lr * lr_factor. The
    /// others are left alone, decay and momentum included, as PyTorch 2.x does.
    virtual void step(double lr_factor) = 0;
    virtual double base_lr() const = 0;
    /// Whether all that step() does depends on the rate alone, besides tensors: then the step can
    /// be recorded, and set_rate(lr_factor) before each replay is enough.
    virtual bool recordable() const { return false; }
    virtual void set_rate(double) {}
    void zero_grad();
    /// Moments and counters by parameter name, for checkpoints; load refuses other names or shapes.
    virtual std::vector<nn::NamedTensor> state() const = 0;
    virtual void load(const std::vector<nn::NamedTensor>& state) = 0;
    /// One for each parameter, before the first step; ValueError for another number.
    virtual void set_scales(const std::vector<ParameterScale>& scales) = 0;
    /// SGD's and RMSprop's momentum or Adam's beta1, for schedules that move it; nothing where
    /// there is none.
    virtual void set_momentum(double momentum) = 0;
    const std::vector<nn::NamedTensor>& parameters() const { return parameters_; }

  protected:
    explicit Optimizer(std::vector<nn::NamedTensor> parameters)
        : parameters_(std::move(parameters)) {}
    std::vector<nn::NamedTensor> parameters_;
};

using OptimizerPtr = std::unique_ptr<Optimizer>;
OptimizerPtr make_sgd(std::vector<nn::NamedTensor> parameters, const SgdOptions& options);
OptimizerPtr make_adam(std::vector<nn::NamedTensor> parameters, const AdamOptions& options);
OptimizerPtr make_rmsprop(std::vector<nn::NamedTensor> parameters, const RmsPropOptions& options);
OptimizerPtr make_adagrad(std::vector<nn::NamedTensor> parameters, const AdagradOptions& options);
OptimizerPtr make_adadelta(std::vector<nn::NamedTensor> parameters, const AdadeltaOptions& options);
OptimizerPtr make_adamax(std::vector<nn::NamedTensor> parameters, const AdamaxOptions& options);
OptimizerPtr make_nadam(std::vector<nn::NamedTensor> parameters, const NAdamOptions& options);
OptimizerPtr make_radam(std::vector<nn::NamedTensor> parameters, const RAdamOptions& options);
OptimizerPtr make_muon(std::vector<nn::NamedTensor> parameters, const MuonOptions& options);

/// Scales all gradients by min(1, max_norm / (norm + 1e-6)), norm being the 2-norm of all of them
/// together, which is returned as it was (float64, 0-dim; reading it is up to the caller).
/// Parameters without gradient do not count.
Tensor clip_grad_norm(const std::vector<nn::NamedTensor>& parameters, double max_norm);

/// Brings every number of the gradients within -limit .. limit.
void clip_grad_value(const std::vector<nn::NamedTensor>& parameters, double limit);

} // namespace wiregrad::train

// Optimizers with PyTorch's arithmetic and defaults. One in-place op per parameter (or arena);
// learning rate and step count are read from tensors, never baked in. Used by the trainer's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/nn/module.h"

namespace wiregrad::train {

struct SgdOptions {
    double lr = 1e-3, momentum = 0, dampening = 0, weight_decay = 0;
    bool nesterov = false; ///< needs momentum > 0 and dampening 0, else ValueError
};
struct AdamOptions {
    double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
    bool amsgrad = false;
    bool decoupled = false; ///< AdamW
};

class Optimizer {
  public:
    virtual ~Optimizer() = default;
    /// Updates each parameter that has a gradient, at learning rate options.lr * lr_factor. The
    /// others are left alone, decay and momentum included, as PyTorch 2.x does.
    virtual void step(double lr_factor) = 0;
    virtual double base_lr() const = 0;
    void zero_grad();
    /// Moments and counters by parameter name, for checkpoints; load refuses other names or shapes.
    virtual std::vector<nn::NamedTensor> state() const = 0;
    virtual void load(const std::vector<nn::NamedTensor>& state) = 0;
    const std::vector<nn::NamedTensor>& parameters() const { return parameters_; }

  protected:
    explicit Optimizer(std::vector<nn::NamedTensor> parameters)
        : parameters_(std::move(parameters)) {}
    std::vector<nn::NamedTensor> parameters_;
};

std::unique_ptr<Optimizer> make_sgd(std::vector<nn::NamedTensor> parameters,
                                    const SgdOptions& options);
std::unique_ptr<Optimizer> make_adam(std::vector<nn::NamedTensor> parameters,
                                     const AdamOptions& options);

/// Scales all gradients by min(1, max_norm / (norm + 1e-6)), norm being the 2-norm of all of them
/// together, which is returned as it was (float64, 0-dim; reading it is up to the caller).
/// Parameters without gradient do not count.
Tensor clip_grad_norm(const std::vector<nn::NamedTensor>& parameters, double max_norm);

/// A learning-rate schedule as a pure function: the factor on the base rate. The curve preview
/// calls the same code.
struct Schedule {
    enum class Kind { Constant, Step, Cosine } kind = Kind::Constant;
    std::int64_t step_size = 10; ///< epochs (Step)
    double gamma = 0.1;          ///< Step
    std::int64_t t_max = 0;      ///< epochs (Cosine); 0: the whole run
    double min_factor = 0;       ///< eta_min / base lr (Cosine)
    /// PyTorch's StepLR / CosineAnnealingLR, stepped once an epoch. `epoch` counts from 0, `epochs`
    /// is the whole run.
    double factor(std::int64_t epoch, std::int64_t epochs) const;
};

} // namespace wiregrad::train

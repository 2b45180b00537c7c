// What the optimizers share: moments by parameter under names, hyper-parameters as small tensors,
// one for each group of weights that are treated alike. For the files of optimizers in train/ only.
#pragma once

#include <string_view>

#include "engine/train/optim.h"

namespace wiregrad::train {

/// Throws ValueError "NAME: WHAT, is VALUE" unless `holds`.
void need(bool holds, std::string_view optimizer, std::string_view what, double value);

class Stateful : public Optimizer {
  public:
    std::vector<nn::NamedTensor> state() const override { return state_; }
    void load(const std::vector<nn::NamedTensor>& given) override;
    double base_lr() const override { return base_[0]; }
    void set_scales(const std::vector<ParameterScale>& scales) override;
    void set_momentum(double momentum) override;
    void set_rate(double lr_factor) override { begin_step(lr_factor); }

  protected:
    /// `numbers` are the hyper-parameters as the op wants them: the learning rate first;
    /// `decay_at` and `momentum_at` say where the others are, -1: nowhere.
    Stateful(std::vector<nn::NamedTensor> parameters, std::vector<double> numbers, int decay_at,
             int momentum_at, bool maximize);

    Tensor add_like(const nn::NamedTensor& parameter, const char* what, double value = 0);
    /// float64 numbers of one parameter, from `start`.
    Tensor add_numbers(const nn::NamedTensor& parameter, const char* what,
                       const std::vector<double>& start);
    Tensor add_step(const nn::NamedTensor& parameter);
    /// Whether all weights lie where the rate is written to.
    bool on_cpu() const;

    /// Writes the learning rate of this step; then `update(i, weight, gradient, hyper)` for each
    /// parameter that has a gradient, without recording.
    template <class F> void for_each_gradient(double lr_factor, const F& update) {
        begin_step(lr_factor);
        for (std::size_t i = 0; i < parameters_.size(); ++i)
            if (const Tensor gradient = gradient_of(i); gradient.defined())
                update(i, parameters_[i].tensor, gradient, hyper_of(i));
    }

  private:
    struct Group {
        ParameterScale scale;
        Tensor hyper; ///< float64, on the CPU
        Tensor there; ///< the same beside the weights
    };
    void begin_step(double lr_factor);
    Tensor gradient_of(std::size_t i) const; ///< negated when maximizing
    const Tensor& hyper_of(std::size_t i);

    std::vector<nn::NamedTensor> state_;
    std::vector<double> base_;
    int decay_at_, momentum_at_;
    bool maximize_;
    std::vector<Group> groups_;
    std::vector<std::size_t> group_of_;
};

} // namespace wiregrad::train

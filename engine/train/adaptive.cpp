// RMSprop, Adagrad, Adadelta, Adamax, NAdam and RAdam: options and state; the arithmetic is in the
// rows of engine/op/adaptive_ops.cpp.
#include "engine/train/stateful.h"

#include "engine/op/op.h"

namespace wiregrad::train {
namespace {

/// What one of these optimizers keeps for each parameter, and which op updates it.
struct Recipe {
    const char* op;
    const char* moments[3] = {nullptr, nullptr, nullptr}; ///< names; null: none
    const char* numbers = nullptr;                        ///< name of the step numbers; null: none
    std::vector<double> start{};                          ///< of the step numbers
    Attrs attrs{};
    double first_value = 0; ///< where the first moment begins
};

class Adaptive : public Stateful {
  public:
    Adaptive(std::vector<nn::NamedTensor> parameters, std::vector<double> hyper, int momentum_at,
             bool maximize, Recipe recipe)
        : Stateful(std::move(parameters), std::move(hyper), 1, momentum_at, maximize),
          op_(find_op(recipe.op)), attrs_(std::move(recipe.attrs)) {
        for (const nn::NamedTensor& parameter : parameters_) {
            Kept kept;
            for (std::size_t m = 0; m < 3; ++m)
                if (recipe.moments[m] != nullptr)
                    kept.moments[m] =
                        add_like(parameter, recipe.moments[m], m == 0 ? recipe.first_value : 0);
            if (recipe.numbers != nullptr)
                kept.numbers = add_numbers(parameter, recipe.numbers, recipe.start);
            kept_.push_back(std::move(kept));
        }
    }

    void step(double lr_factor) override {
        for_each_gradient(
            lr_factor, [&](std::size_t i, const Tensor& w, const Tensor& g, const Tensor& hyper) {
                const Kept& kept = kept_[i];
                const Tensor inputs[] = {
                    w, g, kept.moments[0], kept.moments[1], kept.moments[2], hyper, kept.numbers};
                call(op_, inputs, attrs_);
            });
    }
    bool recordable() const override { return on_cpu(); }

  private:
    struct Kept {
        Tensor moments[3], numbers;
    };
    const Op& op_;
    Attrs attrs_;
    std::vector<Kept> kept_;
};

void check_common(std::string_view name, double lr, double eps, double weight_decay) {
    need(lr >= 0, name, "lr must not be negative", lr);
    need(eps >= 0, name, "eps must not be negative", eps);
    need(weight_decay >= 0, name, "weight_decay must not be negative", weight_decay);
}
void check_betas(std::string_view name, double beta1, double beta2) {
    need(beta1 >= 0 && beta1 < 1, name, "beta1 must be from 0 to below 1", beta1);
    need(beta2 >= 0 && beta2 < 1, name, "beta2 must be from 0 to below 1", beta2);
}

OptimizerPtr make(std::vector<nn::NamedTensor> parameters, std::vector<double> hyper,
                  int momentum_at, bool maximize, Recipe recipe) {
    return std::make_unique<Adaptive>(std::move(parameters), std::move(hyper), momentum_at,
                                      maximize, std::move(recipe));
}

} // namespace

OptimizerPtr make_rmsprop(std::vector<nn::NamedTensor> parameters, const RmsPropOptions& o) {
    check_common("RMSprop", o.lr, o.eps, o.weight_decay);
    need(o.alpha >= 0, "RMSprop", "alpha must not be negative", o.alpha);
    need(o.momentum >= 0, "RMSprop", "momentum must not be negative", o.momentum);
    return make(std::move(parameters), {o.lr, o.weight_decay, o.alpha, o.eps, o.momentum}, 4,
                o.maximize,
                {.op = "rmsprop_step_",
                 .moments = {"square_avg", o.centered ? "grad_avg" : nullptr,
                             o.momentum > 0 ? "momentum_buffer" : nullptr}});
}

OptimizerPtr make_adagrad(std::vector<nn::NamedTensor> parameters, const AdagradOptions& o) {
    check_common("Adagrad", o.lr, o.eps, o.weight_decay);
    need(o.lr_decay >= 0, "Adagrad", "lr_decay must not be negative", o.lr_decay);
    need(o.initial_accumulator_value >= 0, "Adagrad",
         "initial_accumulator_value must not be negative", o.initial_accumulator_value);
    return make(std::move(parameters), {o.lr, o.weight_decay, o.lr_decay, o.eps}, -1, o.maximize,
                {.op = "adagrad_step_",
                 .moments = {"sum"},
                 .numbers = "step",
                 .start = {0},
                 .first_value = o.initial_accumulator_value});
}

OptimizerPtr make_adadelta(std::vector<nn::NamedTensor> parameters, const AdadeltaOptions& o) {
    check_common("Adadelta", o.lr, o.eps, o.weight_decay);
    need(o.rho >= 0 && o.rho <= 1, "Adadelta", "rho must be from 0 to 1", o.rho);
    return make(std::move(parameters), {o.lr, o.weight_decay, o.rho, o.eps}, -1, o.maximize,
                {.op = "adadelta_step_", .moments = {"square_avg", "acc_delta"}});
}

OptimizerPtr make_adamax(std::vector<nn::NamedTensor> parameters, const AdamaxOptions& o) {
    check_common("Adamax", o.lr, o.eps, o.weight_decay);
    check_betas("Adamax", o.beta1, o.beta2);
    return make(
        std::move(parameters), {o.lr, o.weight_decay, o.beta1, o.beta2, o.eps}, 2, o.maximize,
        {.op = "adamax_step_", .moments = {"exp_avg", "exp_inf"}, .numbers = "step", .start = {0}});
}

OptimizerPtr make_nadam(std::vector<nn::NamedTensor> parameters, const NAdamOptions& o) {
    check_common("NAdam", o.lr, o.eps, o.weight_decay);
    check_betas("NAdam", o.beta1, o.beta2);
    need(o.momentum_decay >= 0, "NAdam", "momentum_decay must not be negative", o.momentum_decay);
    return make(std::move(parameters),
                {o.lr, o.weight_decay, o.beta1, o.beta2, o.eps, o.momentum_decay}, 2, o.maximize,
                {.op = "nadam_step_",
                 .moments = {"exp_avg", "exp_avg_sq"},
                 .numbers = "step",
                 .start = {0, 1},
                 .attrs = {{"decoupled", o.decoupled_weight_decay}}});
}

OptimizerPtr make_radam(std::vector<nn::NamedTensor> parameters, const RAdamOptions& o) {
    check_common("RAdam", o.lr, o.eps, o.weight_decay);
    check_betas("RAdam", o.beta1, o.beta2);
    return make(std::move(parameters), {o.lr, o.weight_decay, o.beta1, o.beta2, o.eps}, 2,
                o.maximize,
                {.op = "radam_step_",
                 .moments = {"exp_avg", "exp_avg_sq"},
                 .numbers = "step",
                 .start = {0},
                 .attrs = {{"decoupled", o.decoupled_weight_decay}}});
}

} // namespace wiregrad::train

#include "engine/train/optim.h"

#include <set>

#include <fmt/format.h>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/op.h"
#include "engine/op/ops.h"
#include "engine/train/stateful.h"

namespace wiregrad::train {
namespace {

class Sgd : public Stateful {
  public:
    Sgd(std::vector<nn::NamedTensor> parameters, const SgdOptions& options)
        : Stateful(std::move(parameters),
                   {options.lr, options.momentum, options.dampening, options.weight_decay}, 3, 1,
                   options.maximize),
          options_(options) {
        constexpr std::string_view kName = "SGD";
        need(options.lr >= 0, kName, "lr must not be negative", options.lr);
        need(options.momentum >= 0, kName, "momentum must not be negative", options.momentum);
        need(options.weight_decay >= 0, kName, "weight_decay must not be negative",
             options.weight_decay);
        if (options.nesterov && (options.momentum <= 0 || options.dampening != 0))
            throw ValueError(
                fmt::format("SGD: nesterov needs momentum above 0 and dampening 0, are {} and {}",
                            options.momentum, options.dampening));
        for (const nn::NamedTensor& parameter : parameters_) {
            const bool moves = options.momentum != 0;
            buffers_.push_back(moves ? add_like(parameter, "momentum_buffer") : Tensor());
            steps_.push_back(moves ? add_step(parameter) : Tensor());
        }
    }

    void step(double lr_factor) override {
        static const Op& op = find_op("sgd_step_");
        const Attrs attrs{{"nesterov", options_.nesterov}};
        set_rate(lr_factor);
        for_each_gradient(
            lr_factor, [&](std::size_t i, const Tensor& w, const Tensor& g, const Tensor& hyper) {
                const Tensor inputs[] = {w, g, buffers_[i], hyper, steps_[i]};
                call(op, inputs, attrs);
            });
    }
    bool recordable() const override { return on_cpu(); }

  private:
    SgdOptions options_;
    std::vector<Tensor> buffers_, steps_;
};

class Adam : public Stateful {
  public:
    Adam(std::vector<nn::NamedTensor> parameters, const AdamOptions& options)
        : Stateful(std::move(parameters),
                   {options.lr, options.beta1, options.beta2, options.eps, options.weight_decay}, 4,
                   1, options.maximize),
          options_(options) {
        const std::string_view name = options.decoupled ? "AdamW" : "Adam";
        need(options.lr >= 0, name, "lr must not be negative", options.lr);
        need(options.beta1 >= 0 && options.beta1 < 1, name, "beta1 must be from 0 to below 1",
             options.beta1);
        need(options.beta2 >= 0 && options.beta2 < 1, name, "beta2 must be from 0 to below 1",
             options.beta2);
        need(options.eps >= 0, name, "eps must not be negative", options.eps);
        need(options.weight_decay >= 0, name, "weight_decay must not be negative",
             options.weight_decay);
        for (const nn::NamedTensor& parameter : parameters_) {
            first_.push_back(add_like(parameter, "exp_avg"));
            second_.push_back(add_like(parameter, "exp_avg_sq"));
            largest_.push_back(options.amsgrad ? add_like(parameter, "max_exp_avg_sq") : Tensor());
            steps_.push_back(add_step(parameter));
        }
    }

    void step(double lr_factor) override {
        static const Op& op = find_op("adam_step_");
        const Attrs attrs{{"decoupled", options_.decoupled}};
        for_each_gradient(lr_factor, [&](std::size_t i, const Tensor& w, const Tensor& g,
                                         const Tensor& hyper) {
            const Tensor inputs[] = {w, g, first_[i], second_[i], largest_[i], hyper, steps_[i]};
            call(op, inputs, attrs);
        });
    }
    bool recordable() const override { return on_cpu(); }

  private:
    AdamOptions options_;
    std::vector<Tensor> first_, second_, largest_, steps_;
};

} // namespace

void Optimizer::zero_grad() {
    for (nn::NamedTensor& parameter : parameters_)
        parameter.tensor.set_grad({});
}

OptimizerPtr make_sgd(std::vector<nn::NamedTensor> parameters, const SgdOptions& options) {
    return std::make_unique<Sgd>(std::move(parameters), options);
}
OptimizerPtr make_adam(std::vector<nn::NamedTensor> parameters, const AdamOptions& options) {
    return std::make_unique<Adam>(std::move(parameters), options);
}

Tensor clip_grad_norm(const std::vector<nn::NamedTensor>& parameters, double max_norm) {
    if (!(max_norm >= 0))
        throw ValueError(
            fmt::format("clip_grad_norm: max_norm must not be negative, is {}", max_norm));
    static const Op& sum_squares = find_op("sum_squares");
    static const Op& clip = find_op("clip_grad_norm_");
    const autograd::NoGrad no_grad;
    Tensor total;
    for (const nn::NamedTensor& parameter : parameters)
        if (const Tensor gradient = parameter.tensor.grad(); gradient.defined()) {
            const Tensor own = call(sum_squares, {&gradient, 1}).front();
            total = total.defined() ? add(total, own) : own;
        }
    if (!total.defined()) return Tensor::zeros({}, DType::Float64);
    Tensor limit = Tensor::scalar(max_norm, DType::Float64);
    if (limit.device() != total.device()) limit = to(limit, total.device());
    std::set<const void*> done; // two parameters may hold one and the same gradient
    for (const nn::NamedTensor& parameter : parameters)
        if (Tensor gradient = parameter.tensor.grad(); gradient.defined()) {
            if (!gradient.is_contiguous()) {
                gradient = gradient.contiguous();
                Tensor(parameter.tensor).set_grad(gradient);
            }
            // A step that is recorded has no addresses yet.
            const void* const place = gradient.has_data()
                                          ? gradient.raw()
                                          : static_cast<const void*>(gradient.body().get());
            if (!done.insert(place).second) continue;
            const Tensor inputs[] = {gradient, total, limit};
            call(clip, inputs);
        }
    return sqrt(total);
}

void clip_grad_value(const std::vector<nn::NamedTensor>& parameters, double limit) {
    if (!(limit >= 0))
        throw ValueError(
            fmt::format("clip_grad_value: the limit must not be negative, is {}", limit));
    static const Op& clip = find_op("clip_grad_value_");
    const autograd::NoGrad no_grad;
    for (const nn::NamedTensor& parameter : parameters)
        if (Tensor gradient = parameter.tensor.grad(); gradient.defined()) {
            Tensor bound = Tensor::scalar(limit, DType::Float64);
            if (bound.device() != gradient.device()) bound = to(bound, gradient.device());
            if (!gradient.is_contiguous()) {
                gradient = gradient.contiguous();
                Tensor(parameter.tensor).set_grad(gradient);
            }
            const Tensor inputs[] = {gradient, bound};
            call(clip, inputs);
        }
}

} // namespace wiregrad::train

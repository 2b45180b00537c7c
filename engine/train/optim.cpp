#include "engine/train/optim.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include <fmt/format.h>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/op.h"
#include "engine/op/ops.h"

namespace wiregrad::train {
namespace {

void need(bool holds, std::string_view optimizer, std::string_view what, double value) {
    if (!holds) throw ValueError(fmt::format("{}: {}, is {}", optimizer, what, value));
}

/// What both optimizers share: tensors per parameter under names, and the small tensor of numbers.
class Stateful : public Optimizer {
  public:
    std::vector<nn::NamedTensor> state() const override { return state_; }

    void load(const std::vector<nn::NamedTensor>& given) override {
        if (given.size() != state_.size())
            throw FileError(fmt::format("the optimizer keeps {} tensors, {} are loaded",
                                        state_.size(), given.size()));
        std::vector<std::pair<Tensor, const Tensor*>> copies; // all checked before any is written
        for (const nn::NamedTensor& own : state_) {
            const auto found = std::find_if(given.begin(), given.end(),
                                            [&](const auto& t) { return t.name == own.name; });
            if (found == given.end())
                throw FileError(fmt::format("optimizer state '{}' is missing", own.name));
            if (!(found->tensor.shape() == own.tensor.shape()) ||
                found->tensor.dtype() != own.tensor.dtype())
                throw ShapeError(
                    fmt::format("optimizer state '{}' is {} {} here and {} {} in what is loaded",
                                own.name, name_of(own.tensor.dtype()), own.tensor.shape().str(),
                                name_of(found->tensor.dtype()), found->tensor.shape().str()));
            copies.emplace_back(own.tensor, &found->tensor);
        }
        for (auto& [own, loaded] : copies)
            own.copy_(*loaded);
    }

  protected:
    using Optimizer::Optimizer;

    Tensor add_like(const nn::NamedTensor& parameter, const char* what) {
        Tensor tensor = Tensor::zeros(parameter.tensor.shape(), parameter.tensor.dtype(),
                                      parameter.tensor.device());
        state_.push_back({parameter.name + "." + what, tensor});
        return tensor;
    }
    Tensor add_step(const nn::NamedTensor& parameter) {
        Tensor tensor = Tensor::zeros({}, DType::Float64, parameter.tensor.device());
        state_.push_back({parameter.name + ".step", tensor});
        return tensor;
    }
    static Tensor numbers(const std::vector<double>& values) {
        return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
    }
    /// Writes the learning rate of this step and lists what is to be updated.
    template <class F> void for_each_gradient(Tensor& hyper, double lr, const F& f) {
        const autograd::NoGrad no_grad;
        hyper.data_mut<double>()[0] = lr;
        Tensor there; // beside the weights, where they are not in this memory
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
            const Tensor& parameter = parameters_[i].tensor;
            const Tensor gradient = parameter.grad();
            if (!gradient.defined()) continue;
            if (!there.defined() || there.device() != parameter.device())
                there =
                    parameter.device() == hyper.device() ? hyper : to(hyper, parameter.device());
            f(i, parameter, gradient, there);
        }
    }

    std::vector<nn::NamedTensor> state_;
};

class Sgd : public Stateful {
  public:
    Sgd(std::vector<nn::NamedTensor> parameters, const SgdOptions& options)
        : Stateful(std::move(parameters)), options_(options) {
        constexpr std::string_view kName = "SGD";
        need(options.lr >= 0, kName, "lr must not be negative", options.lr);
        need(options.momentum >= 0, kName, "momentum must not be negative", options.momentum);
        need(options.weight_decay >= 0, kName, "weight_decay must not be negative",
             options.weight_decay);
        if (options.nesterov && (options.momentum <= 0 || options.dampening != 0))
            throw ValueError(
                fmt::format("SGD: nesterov needs momentum above 0 and dampening 0, are {} and {}",
                            options.momentum, options.dampening));
        hyper_ = numbers({options.lr, options.momentum, options.dampening, options.weight_decay});
        for (const nn::NamedTensor& parameter : parameters_) {
            const bool moves = options.momentum != 0;
            buffers_.push_back(moves ? add_like(parameter, "momentum_buffer") : Tensor());
            steps_.push_back(moves ? add_step(parameter) : Tensor());
        }
    }

    void step(double lr_factor) override {
        static const Op& op = find_op("sgd_step_");
        const Attrs attrs{{"nesterov", options_.nesterov}};
        for_each_gradient(
            hyper_, options_.lr * lr_factor,
            [&](std::size_t i, const Tensor& w, const Tensor& g, const Tensor& hyper) {
                const Tensor inputs[] = {w, g, buffers_[i], hyper, steps_[i]};
                call(op, inputs, attrs);
            });
    }
    double base_lr() const override { return options_.lr; }

  private:
    SgdOptions options_;
    Tensor hyper_;
    std::vector<Tensor> buffers_, steps_;
};

class Adam : public Stateful {
  public:
    Adam(std::vector<nn::NamedTensor> parameters, const AdamOptions& options)
        : Stateful(std::move(parameters)), options_(options) {
        const std::string_view name = options.decoupled ? "AdamW" : "Adam";
        need(options.lr >= 0, name, "lr must not be negative", options.lr);
        need(options.beta1 >= 0 && options.beta1 < 1, name, "beta1 must be from 0 to below 1",
             options.beta1);
        need(options.beta2 >= 0 && options.beta2 < 1, name, "beta2 must be from 0 to below 1",
             options.beta2);
        need(options.eps >= 0, name, "eps must not be negative", options.eps);
        need(options.weight_decay >= 0, name, "weight_decay must not be negative",
             options.weight_decay);
        hyper_ =
            numbers({options.lr, options.beta1, options.beta2, options.eps, options.weight_decay});
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
        for_each_gradient(
            hyper_, options_.lr * lr_factor,
            [&](std::size_t i, const Tensor& w, const Tensor& g, const Tensor& hyper) {
                const Tensor inputs[] = {w,           g,     first_[i], second_[i],
                                         largest_[i], hyper, steps_[i]};
                call(op, inputs, attrs);
            });
    }
    double base_lr() const override { return options_.lr; }

  private:
    AdamOptions options_;
    Tensor hyper_;
    std::vector<Tensor> first_, second_, largest_, steps_;
};

} // namespace

void Optimizer::zero_grad() {
    for (nn::NamedTensor& parameter : parameters_)
        parameter.tensor.set_grad({});
}

std::unique_ptr<Optimizer> make_sgd(std::vector<nn::NamedTensor> parameters,
                                    const SgdOptions& options) {
    return std::make_unique<Sgd>(std::move(parameters), options);
}
std::unique_ptr<Optimizer> make_adam(std::vector<nn::NamedTensor> parameters,
                                     const AdamOptions& options) {
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
            if (!done.insert(gradient.raw()).second) continue;
            const Tensor inputs[] = {gradient, total, limit};
            call(clip, inputs);
        }
    return sqrt(total);
}

double Schedule::factor(std::int64_t epoch, std::int64_t epochs) const {
    switch (kind) {
    case Kind::Constant:
        return 1;
    case Kind::Step:
        return std::pow(gamma, static_cast<double>(epoch / std::max<std::int64_t>(step_size, 1)));
    case Kind::Cosine: {
        // In closed form; after t_max it rises again, as PyTorch's does.
        const auto length =
            static_cast<double>(std::max<std::int64_t>(t_max > 0 ? t_max : epochs, 1));
        const double cosine = std::cos(std::numbers::pi * static_cast<double>(epoch) / length);
        return min_factor + (1 - min_factor) * (1 + cosine) / 2;
    }
    }
    return 1;
}

} // namespace wiregrad::train

// Muon: momentum whose direction is made orthogonal by five Newton-Schulz steps, for weights of two
// dimensions; the others go to AdamW, as its users do.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "engine/train/stateful.h"

namespace wiregrad::train {
namespace {

constexpr double kA = 3.4445, kB = -4.775, kC = 2.0315; ///< of the quintic iteration

/// About U V' of the singular value decomposition U S V' of `g`.
Tensor orthogonal(const Tensor& g, double eps, std::int64_t steps) {
    const bool tall = g.size(0) > g.size(1);
    Tensor x = tall ? transpose(g, 0, 1) : g;
    const double norm = std::sqrt(sum(square(to(x, DType::Float64))).item());
    x = div(x, std::max(norm, eps));
    for (std::int64_t i = 0; i < steps; ++i) {
        const Tensor gram = matmul(x, transpose(x, 0, 1));
        const Tensor update = add(mul(gram, kB), mul(matmul(gram, gram), kC));
        x = add(mul(x, kA), matmul(update, x));
    }
    return tall ? transpose(x, 0, 1) : x;
}

class Matrices : public Stateful {
  public:
    Matrices(std::vector<nn::NamedTensor> parameters, const MuonOptions& options)
        : Stateful(std::move(parameters), {options.lr, options.weight_decay, options.momentum}, 1,
                   2, options.maximize),
          options_(options) {
        for (const nn::NamedTensor& parameter : parameters_)
            buffers_.push_back(add_like(parameter, "momentum_buffer"));
    }

    void step(double lr_factor) override {
        const autograd::NoGrad no_grad;
        for_each_gradient(
            lr_factor, [&](std::size_t i, Tensor w, const Tensor& g, const Tensor& hyper) {
                const std::vector<double> h = hyper.to_vector(); // lr, weight decay, momentum
                const auto lerp = [](const Tensor& a, const Tensor& b, double part) {
                    return add(a, mul(sub(b, a), part));
                };
                Tensor& buffer = buffers_[i];
                buffer.copy_(lerp(buffer, g, 1 - h[2]));
                const Tensor way = options_.nesterov ? lerp(g, buffer, h[2]) : buffer;
                const Tensor update = orthogonal(way, options_.eps, options_.ns_steps);
                const auto rows = static_cast<double>(w.size(0)),
                           columns = static_cast<double>(w.size(1));
                const double factor = options_.match_rms_adamw
                                          ? 0.2 * std::sqrt(std::max(rows, columns))
                                          : std::sqrt(std::max(1.0, rows / columns));
                w.copy_(sub(mul(w, 1 - h[0] * h[1]), mul(update, h[0] * factor)));
            });
    }

  private:
    MuonOptions options_;
    std::vector<Tensor> buffers_;
};

class Muon : public Optimizer {
  public:
    Muon(std::vector<nn::NamedTensor> parameters, const MuonOptions& options)
        : Optimizer(std::move(parameters)) {
        need(options.lr >= 0, "Muon", "lr must not be negative", options.lr);
        need(options.momentum >= 0, "Muon", "momentum must not be negative", options.momentum);
        need(options.weight_decay >= 0, "Muon", "weight_decay must not be negative",
             options.weight_decay);
        need(options.eps > 0, "Muon", "eps must be positive", options.eps);
        need(options.ns_steps >= 1 && options.ns_steps < 100, "Muon",
             "ns_steps must lie between 1 and 99", static_cast<double>(options.ns_steps));
        std::vector<nn::NamedTensor> matrices, others;
        for (const nn::NamedTensor& parameter : parameters_)
            (parameter.tensor.dim() == 2 ? matrices : others).push_back(parameter);
        matrices_ = std::make_unique<Matrices>(std::move(matrices), options);
        others_ = make_adam(std::move(others), {.lr = options.lr,
                                                .weight_decay = options.weight_decay,
                                                .decoupled = true,
                                                .maximize = options.maximize});
    }
    void step(double lr_factor) override {
        matrices_->step(lr_factor);
        others_->step(lr_factor);
    }
    double base_lr() const override { return matrices_->base_lr(); }
    std::vector<nn::NamedTensor> state() const override {
        std::vector<nn::NamedTensor> all = matrices_->state();
        for (nn::NamedTensor& one : others_->state())
            all.push_back(std::move(one));
        return all;
    }
    void load(const std::vector<nn::NamedTensor>& state) override {
        const std::size_t own = matrices_->state().size();
        if (state.size() != own + others_->state().size())
            throw FileError(fmt::format("the optimizer keeps {} tensors, {} are loaded",
                                        own + others_->state().size(), state.size()));
        // In the order of state(), which is that of the parameters.
        others_->load({state.begin() + static_cast<std::ptrdiff_t>(own), state.end()});
        matrices_->load({state.begin(), state.begin() + static_cast<std::ptrdiff_t>(own)});
    }
    void set_scales(const std::vector<ParameterScale>& scales) override {
        if (scales.size() != parameters_.size())
            throw ValueError(fmt::format("the optimizer has {} weights, {} scales are given",
                                         parameters_.size(), scales.size()));
        std::vector<ParameterScale> matrices, others;
        for (std::size_t i = 0; i < scales.size(); ++i)
            (parameters_[i].tensor.dim() == 2 ? matrices : others).push_back(scales[i]);
        matrices_->set_scales(matrices);
        others_->set_scales(others);
    }
    void set_momentum(double momentum) override {
        matrices_->set_momentum(momentum);
        others_->set_momentum(momentum);
    }

  private:
    std::unique_ptr<Matrices> matrices_;
    OptimizerPtr others_;
};

} // namespace

OptimizerPtr make_muon(std::vector<nn::NamedTensor> parameters, const MuonOptions& options) {
    return std::make_unique<Muon>(std::move(parameters), options);
}

} // namespace wiregrad::train

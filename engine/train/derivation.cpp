#include "engine/train/derivation.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"

namespace wiregrad::train {
namespace {

/// All outputs of a forward pass, in order.
class Outputs : public Tap {
  public:
    struct One {
        std::string node, port;
        Tensor value;
    };
    bool wants(const std::string&, const std::string&) const override { return true; }
    void see(const std::string& node, const std::string& port, const Tensor& value) override {
        list.push_back({node, port, value});
    }
    std::vector<One> list;
};

struct Passed {
    Tensor loss;
    Outputs outputs;
};

Passed pass(Model& model, const Batch& batch, const nn::ForwardContext& context) {
    Passed result;
    const StepValues values = model.forward(batch, context, &result.outputs);
    for (const Tensor& loss : values.losses)
        result.loss = result.loss.defined() ? add(result.loss, loss) : loss;
    if (!result.loss.defined()) throw ValueError("there is no loss to differentiate");
    return result;
}

/// A training pass writes running statistics; they come back.
class KeptStatistics {
  public:
    explicit KeptStatistics(Model& model) : model_(model), buffers_(model.module().buffers()) {
        for (nn::NamedTensor& buffer : buffers_)
            buffer.tensor = buffer.tensor.clone();
    }
    ~KeptStatistics() {
        const autograd::NoGrad no_grad;
        model_.module().load(buffers_, false);
    }
    KeptStatistics(const KeptStatistics&) = delete;
    KeptStatistics& operator=(const KeptStatistics&) = delete;

  private:
    Model& model_;
    std::vector<nn::NamedTensor> buffers_;
};

/// One element of a weight, set for a while.
class Nudge {
  public:
    Nudge(Tensor weight, std::int64_t element)
        : weight_(std::move(weight)), element_(element), before_(read()) {}
    ~Nudge() { write(before_); }
    Nudge(const Nudge&) = delete;
    Nudge& operator=(const Nudge&) = delete;
    double value() const { return before_; }
    /// Returns what was really added: the weight's type rounds.
    double by(double amount) {
        write(before_ + amount);
        return read() - before_;
    }

  private:
    double read() const {
        return weight_.dtype() == DType::Float64
                   ? weight_.data<double>()[element_]
                   : static_cast<double>(weight_.data<float>()[element_]);
    }
    void write(double value) {
        if (weight_.dtype() == DType::Float64)
            weight_.data_mut<double>()[element_] = value;
        else
            weight_.data_mut<float>()[element_] = static_cast<float>(value);
    }
    Tensor weight_;
    std::int64_t element_;
    double before_;
};

bool differentiable(const Tensor& value) {
    return is_floating(value.dtype()) && value.requires_grad();
}

/// dy/dw of every element y of `output` for one element w: the gradient with respect to the seeds
/// of a gradient that is linear in them. Nothing where an op has no second derivative.
std::optional<Tensor> exact_local(const Tensor& output, const Tensor& weight,
                                  std::int64_t element) {
    try {
        Tensor seeds = Tensor::full(output.shape(), 1, output.dtype());
        seeds.set_requires_grad(true);
        const Tensor gradient = autograd::grad({&output, 1}, {&weight, 1}, {&seeds, 1},
                                               {.retain_graph = true, .create_graph = true})
                                    .front();
        if (!gradient.defined() || !gradient.requires_grad()) return std::nullopt;
        const Tensor one = select(reshape(gradient, {gradient.numel()}), 0, element);
        const Tensor local = autograd::grad({&one, 1}, {&seeds, 1}).front();
        return local.defined() ? local : Tensor::zeros(output.shape(), output.dtype());
    } catch (const AutogradError&) {
        return std::nullopt;
    }
}

double norm(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values)
        sum += value * value;
    return std::sqrt(sum);
}

struct Differences {
    double loss = 0;
    std::vector<std::vector<double>> outputs; ///< dv/dw of each output, in the tap's order
};

/// Five-point differences of the loss and three-point ones of every output.
Differences measure_nudge(Model& model, const Batch& batch, const nn::ForwardContext& context,
                          Nudge& nudge, std::size_t outputs) {
    const autograd::NoGrad no_grad;
    const double step = 2e-3 * std::max(1.0, std::abs(nudge.value()));
    Differences result;
    result.outputs.resize(outputs);
    double near = 0, far = 0, width = 0;
    for (const double factor : {1.0, -1.0, 2.0, -2.0}) {
        const double moved = nudge.by(factor * step);
        const Passed passed = pass(model, batch, context);
        const double sign = factor > 0 ? 1 : -1;
        (std::abs(factor) == 1 ? near : far) += sign * passed.loss.item();
        if (std::abs(factor) == 1) {
            width += std::abs(moved);
            for (std::size_t i = 0; i < std::min(outputs, passed.outputs.list.size()); ++i) {
                const Tensor& value = passed.outputs.list[i].value;
                if (!is_floating(value.dtype())) continue;
                const std::vector<double> numbers = value.to_vector();
                std::vector<double>& sum = result.outputs[i];
                sum.resize(numbers.size());
                for (std::size_t k = 0; k < numbers.size(); ++k)
                    sum[k] += sign * numbers[k];
            }
        }
    }
    for (std::vector<double>& output : result.outputs)
        for (double& value : output)
            value /= width;
    result.loss = (8 * near - far) / (6 * width);
    return result;
}

} // namespace

Derivation derive(Model& model, const Batch& batch, const nn::ForwardContext& context,
                  const WeightPlace& place, std::size_t most_terms) {
    const std::string name = place.node + "." + place.weight;
    Tensor weight;
    for (const nn::NamedTensor& one : model.module().parameters())
        if (one.name == name) weight = one.tensor;
    if (!weight.defined())
        throw ValueError(fmt::format("there is no weight '{}' that is trained", place.weight),
                         place.node);
    if (place.element < 0 || place.element >= weight.numel())
        throw ValueError(fmt::format("the weight '{}' has {} elements, there is no number {}",
                                     place.weight, weight.numel(), place.element),
                         place.node);
    if (!weight.requires_grad() || !weight.is_contiguous() ||
        (weight.dtype() != DType::Float32 && weight.dtype() != DType::Float64))
        throw ValueError(fmt::format("the weight '{}' is not trained", place.weight), place.node);

    const KeptStatistics statistics(model);
    Derivation result;
    result.node = place.node;
    result.weight = place.weight;
    result.element = place.element;
    const autograd::EnableGrad with_tape;
    const Passed passed = pass(model, batch, context);
    result.loss = passed.loss.item();
    const auto& list = passed.outputs.list;

    // One pass back for the weight and every output on the way.
    std::vector<Tensor> targets{weight};
    std::vector<std::size_t> target_of;
    for (std::size_t i = 0; i < list.size(); ++i)
        if (differentiable(list[i].value)) {
            targets.push_back(list[i].value);
            target_of.push_back(i);
        }
    const std::vector<Tensor> gradients =
        autograd::grad({&passed.loss, 1}, targets, {}, {.retain_graph = true});
    if (!gradients[0].defined())
        throw ValueError(fmt::format("the loss does not depend on the weight '{}'", place.weight),
                         place.node);
    result.gradient = gradients[0].to_vector()[static_cast<std::size_t>(place.element)];

    std::size_t own = list.size(); // the node's output that the loss sees
    Tensor upstream;
    for (std::size_t k = 0; k < target_of.size() && own == list.size(); ++k)
        if (list[target_of[k]].node == place.node && gradients[k + 1].defined()) {
            own = target_of[k];
            upstream = gradients[k + 1];
        }
    if (own == list.size()) throw ValueError("no output of this node reaches the loss", place.node);
    const Tensor& output = list[own].value;
    result.port = list[own].port;
    result.shape = output.shape();
    const std::optional<Tensor> exact = exact_local(output, weight, place.element);

    Differences nudged;
    {
        Nudge nudge(weight, place.element);
        result.value = nudge.value();
        nudged = measure_nudge(model, batch, context, nudge, list.size());
    }
    result.difference = nudged.loss;
    result.measured = !exact;
    const std::vector<double> local = exact ? exact->to_vector() : nudged.outputs[own];
    const std::vector<double> above = upstream.to_vector();

    const auto rows = static_cast<std::int64_t>(batch.samples.size());
    const bool by_sample = rows > 0 && output.dim() > 0 && output.size(0) == rows;
    if (by_sample) result.of_samples.resize(static_cast<std::size_t>(rows));
    const std::int64_t row = by_sample ? output.numel() / rows : 1;
    std::vector<ChainTerm> terms;
    for (std::size_t i = 0; i < local.size(); ++i) {
        const ChainTerm term{static_cast<std::int64_t>(i), -1, above[i], local[i]};
        const double product = term.product();
        if (product == 0) continue;
        result.sum += product;
        terms.push_back(term);
        if (by_sample) {
            const auto sample = static_cast<std::size_t>(static_cast<std::int64_t>(i) / row);
            result.of_samples[sample] += product;
            terms.back().sample = batch.samples[sample];
        }
    }
    result.terms = static_cast<std::int64_t>(terms.size());
    const std::size_t kept = std::min(most_terms, terms.size());
    std::partial_sort(terms.begin(), terms.begin() + static_cast<std::ptrdiff_t>(kept), terms.end(),
                      [](const ChainTerm& a, const ChainTerm& b) {
                          return std::abs(a.product()) > std::abs(b.product());
                      });
    terms.resize(kept);
    result.largest = std::move(terms);

    for (std::size_t k = 0; k < target_of.size(); ++k) {
        const std::size_t i = target_of[k];
        if (i < own || !gradients[k + 1].defined()) continue;
        const std::vector<double>& moved = i == own ? local : nudged.outputs[i];
        const std::vector<double> gradient = gradients[k + 1].to_vector();
        ChainStation station{list[i].node, list[i].port, norm(gradient), norm(moved), 0};
        for (std::size_t e = 0; e < std::min(moved.size(), gradient.size()); ++e)
            station.product += moved[e] * gradient[e];
        if (station.nudge > 0) result.way.push_back(std::move(station));
    }
    return result;
}

} // namespace wiregrad::train

#include "engine/train/update.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/op.h"
#include "engine/op/ops.h"

namespace wiregrad::train {
namespace {

constexpr const char* kPlateau = "schedule.plateau";
constexpr const char* kAverage = "average.";

} // namespace

Update::Update(OptimizerPlan& plan) : plan_(plan) {
    if (plan.plateau) plateau_.emplace(*plan.plateau);
    if (plan.average <= 0) return;
    if (plan.average >= 1)
        throw ValueError(
            fmt::format("the decay of the weights' average must be below 1, is {}", plan.average),
            plan.name);
    decay_ = Tensor::from(std::vector<double>{plan.average}, {1});
    for (const nn::NamedTensor& weight : plan.optimizer->parameters())
        averages_.push_back({kAverage + weight.name, weight.tensor.detach().clone()});
}

double Update::step(const ScheduleTime& time) {
    Optimizer& optimizer = *plan_.optimizer;
    if (plan_.clip_grad_value > 0) clip_grad_value(optimizer.parameters(), plan_.clip_grad_value);
    if (plan_.clip_grad_norm > 0) clip_grad_norm(optimizer.parameters(), plan_.clip_grad_norm);
    const double factor = prepare(time);
    optimizer.step(factor);
    follow();
    return optimizer.base_lr() * factor;
}

void Update::follow() {
    if (averages_.empty()) return;
    static const Op& op = find_op("average_step_");
    const autograd::NoGrad no_grad;
    for (std::size_t i = 0; i < averages_.size(); ++i) {
        const Tensor& weight = plan_.optimizer->parameters()[i].tensor;
        const Tensor inputs[] = {averages_[i].tensor, weight,
                                 weight.device() == decay_.device() ? decay_
                                                                    : to(decay_, weight.device())};
        call(op, inputs);
    }
}

/// Sets the momentum; returns the factor on the rate.
double Update::prepare(const ScheduleTime& time) {
    if (const auto momentum = plan_.schedule.momentum(time))
        plan_.optimizer->set_momentum(*momentum);
    return plan_.schedule.factor(time) * reduced_;
}

double Update::set_rate(const ScheduleTime& time) {
    const double factor = prepare(time);
    plan_.optimizer->set_rate(factor);
    return plan_.optimizer->base_lr() * factor;
}

void Update::end_epoch(double loss) {
    if (!plateau_) return;
    const double base = plan_.optimizer->base_lr();
    if (base > 0) reduced_ = plateau_->next(base * reduced_, loss) / base;
}

void Update::swap_averages() {
    const autograd::NoGrad no_grad;
    for (std::size_t i = 0; i < averages_.size(); ++i) {
        Tensor weight = plan_.optimizer->parameters()[i].tensor;
        const Tensor kept = weight.detach().clone();
        weight.copy_(averages_[i].tensor);
        averages_[i].tensor.copy_(kept);
    }
}

std::vector<nn::NamedTensor> Update::state() const {
    std::vector<nn::NamedTensor> all = plan_.optimizer->state();
    all.insert(all.end(), averages_.begin(), averages_.end());
    if (plateau_) {
        std::vector<double> numbers = plateau_->state();
        numbers.push_back(reduced_);
        all.push_back(
            {kPlateau, Tensor::from(numbers, {static_cast<std::int64_t>(numbers.size())})});
    }
    return all;
}

void Update::load(const std::vector<nn::NamedTensor>& state) {
    std::vector<nn::NamedTensor> rest;
    std::vector<std::pair<Tensor, Tensor>> copies;
    std::optional<std::vector<double>> numbers;
    for (const nn::NamedTensor& entry : state) {
        const auto own = std::find_if(averages_.begin(), averages_.end(),
                                      [&](const auto& t) { return t.name == entry.name; });
        if (own != averages_.end()) {
            if (!(own->tensor.shape() == entry.tensor.shape()))
                throw ShapeError(fmt::format("'{}' is {} here and {} in what is loaded", own->name,
                                             own->tensor.shape().str(),
                                             entry.tensor.shape().str()));
            copies.emplace_back(own->tensor, entry.tensor);
        } else if (entry.name == kPlateau && plateau_) {
            numbers = entry.tensor.to_vector();
        } else {
            rest.push_back(entry);
        }
    }
    if (copies.size() != averages_.size() || numbers.has_value() != plateau_.has_value())
        throw FileError("the checkpoint lacks the weights' averages or the schedule's state");
    plan_.optimizer->load(rest);
    for (auto& [own, loaded] : copies)
        own.copy_(loaded);
    if (numbers) {
        if (numbers->size() != 4)
            throw FileError(
                fmt::format("the schedule keeps 4 numbers, {} are loaded", numbers->size()));
        reduced_ = numbers->back();
        numbers->pop_back();
        plateau_->load(*numbers);
    }
}

} // namespace wiregrad::train

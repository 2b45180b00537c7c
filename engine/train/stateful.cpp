#include "engine/train/stateful.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"

namespace wiregrad::train {
namespace {

Tensor numbers_of(const std::vector<double>& values) {
    return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

} // namespace

void need(bool holds, std::string_view optimizer, std::string_view what, double value) {
    if (!holds) throw ValueError(fmt::format("{}: {}, is {}", optimizer, what, value));
}

Stateful::Stateful(std::vector<nn::NamedTensor> parameters, std::vector<double> numbers,
                   int decay_at, int momentum_at, bool maximize)
    : Optimizer(std::move(parameters)), base_(std::move(numbers)), decay_at_(decay_at),
      momentum_at_(momentum_at), maximize_(maximize), group_of_(parameters_.size(), 0) {
    groups_.push_back({{}, numbers_of(base_), {}});
}

void Stateful::set_scales(const std::vector<ParameterScale>& scales) {
    if (scales.size() != parameters_.size())
        throw ValueError(fmt::format("the optimizer has {} weights, {} scales are given",
                                     parameters_.size(), scales.size()));
    groups_.clear();
    for (std::size_t i = 0; i < scales.size(); ++i) {
        const auto found = std::find_if(groups_.begin(), groups_.end(),
                                        [&](const Group& g) { return g.scale == scales[i]; });
        group_of_[i] = static_cast<std::size_t>(found - groups_.begin());
        if (found != groups_.end()) continue;
        std::vector<double> numbers = base_;
        if (decay_at_ >= 0) numbers[static_cast<std::size_t>(decay_at_)] *= scales[i].weight_decay;
        groups_.push_back({scales[i], numbers_of(numbers), {}});
    }
    if (groups_.empty()) groups_.push_back({{}, numbers_of(base_), {}});
}

void Stateful::set_momentum(double momentum) {
    if (momentum_at_ < 0) return;
    for (Group& group : groups_)
        group.hyper.data_mut<double>()[momentum_at_] = momentum;
}

void Stateful::load(const std::vector<nn::NamedTensor>& given) {
    if (given.size() != state_.size())
        throw FileError(fmt::format("the optimizer keeps {} tensors, {} are loaded", state_.size(),
                                    given.size()));
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

Tensor Stateful::add_like(const nn::NamedTensor& parameter, const char* what, double value) {
    const Tensor& like = parameter.tensor;
    Tensor tensor = Tensor::full(like.shape(), value, like.dtype(), like.device());
    state_.push_back({parameter.name + "." + what, tensor});
    return tensor;
}

Tensor Stateful::add_numbers(const nn::NamedTensor& parameter, const char* what,
                             const std::vector<double>& start) {
    Tensor tensor = numbers_of(start);
    if (parameter.tensor.device() != tensor.device())
        tensor = to(tensor, parameter.tensor.device());
    state_.push_back({parameter.name + "." + what, tensor});
    return tensor;
}

Tensor Stateful::add_step(const nn::NamedTensor& parameter) {
    Tensor tensor = Tensor::zeros({}, DType::Float64, parameter.tensor.device());
    state_.push_back({parameter.name + ".step", tensor});
    return tensor;
}

bool Stateful::on_cpu() const {
    return std::all_of(parameters_.begin(), parameters_.end(), [](const nn::NamedTensor& p) {
        return p.tensor.device().type == DeviceType::Cpu;
    });
}

void Stateful::begin_step(double lr_factor) {
    for (Group& group : groups_) {
        group.hyper.data_mut<double>()[0] = base_[0] * lr_factor * group.scale.lr;
        group.there = {};
    }
}

Tensor Stateful::gradient_of(std::size_t i) const {
    const autograd::NoGrad no_grad;
    const Tensor gradient = parameters_[i].tensor.grad();
    return maximize_ && gradient.defined() ? neg(gradient) : gradient;
}

const Tensor& Stateful::hyper_of(std::size_t i) {
    Group& group = groups_[group_of_[i]];
    const Device device = parameters_[i].tensor.device();
    if (device == group.hyper.device()) return group.hyper;
    if (!group.there.defined() || group.there.device() != device)
        group.there = to(group.hyper, device);
    return group.there;
}

} // namespace wiregrad::train

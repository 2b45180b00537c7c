#include "engine/nn/module.h"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/nn/generator.h"

namespace wiregrad::nn {

Tensor& Module::add_parameter(std::string name, Tensor value) {
    value.set_requires_grad(true);
    own_.push_back({std::move(name), std::make_unique<Tensor>(std::move(value)), true});
    return *own_.back().tensor;
}

Tensor& Module::add_buffer(std::string name, Tensor value) {
    own_.push_back({std::move(name), std::make_unique<Tensor>(std::move(value)), false});
    return *own_.back().tensor;
}

void Module::add_child(std::string name, std::shared_ptr<Module> child) {
    children_.emplace_back(std::move(name), std::move(child));
}

void Module::reset_parameters(Generator& generator) {
    for (const auto& [name, child] : children_)
        child->reset_parameters(generator);
}

void Module::collect(const std::string& prefix, bool trained, std::vector<NamedTensor>& out) const {
    for (const Entry& entry : own_) {
        // A weight that several modules share is one weight, under its first name.
        const bool seen = std::any_of(out.begin(), out.end(), [&](const NamedTensor& t) {
            return t.tensor.same_body(*entry.tensor);
        });
        if (entry.trained == trained && !seen) out.push_back({prefix + entry.name, *entry.tensor});
    }
    for (const auto& [name, child] : children_)
        child->collect(prefix + name + ".", trained, out);
}

std::vector<NamedTensor> Module::parameters() const {
    std::vector<NamedTensor> result;
    collect("", true, result);
    return result;
}

std::vector<NamedTensor> Module::buffers() const {
    std::vector<NamedTensor> result;
    collect("", false, result);
    return result;
}

std::vector<NamedTensor> Module::state() const {
    std::vector<NamedTensor> result = parameters();
    for (NamedTensor& buffer : buffers())
        result.push_back(std::move(buffer));
    return result;
}

void Module::load(const std::vector<NamedTensor>& state, bool strict) {
    std::unordered_map<std::string, const Tensor*> given;
    for (const NamedTensor& entry : state)
        given.emplace(entry.name, &entry.tensor);
    // Everything is checked before anything is written.
    std::vector<std::pair<Tensor, const Tensor*>> copies;
    for (const NamedTensor& own : this->state()) {
        const auto found = given.find(own.name);
        if (found == given.end()) {
            // Weights saved before this counter existed, or by PyTorch 0.4, lack it.
            if (strict && !own.name.ends_with("num_batches_tracked"))
                throw FileError(
                    fmt::format("weight '{}' {} is missing", own.name, own.tensor.shape().str()));
            continue;
        }
        if (!(found->second->shape() == own.tensor.shape()))
            throw ShapeError(fmt::format("weight '{}' is {} here and {} in what is loaded",
                                         own.name, own.tensor.shape().str(),
                                         found->second->shape().str()));
        copies.emplace_back(own.tensor, found->second);
        given.erase(found);
    }
    if (strict && !given.empty())
        throw FileError(fmt::format("weight '{}' belongs to no layer here", given.begin()->first));
    for (auto& [own, loaded] : copies)
        own.copy_(*loaded);
}

} // namespace wiregrad::nn

// The gradient of an op through the same mathematics written in smaller ops: what rows whose own
// backward kernel has no gradient use when backward itself is recorded. For engine/op/nn only.
#pragma once

#include <functional>

#include "engine/autograd/tape.h"
#include "engine/op/ops.h"

namespace wiregrad::rows {

/// Gradients of composed(inputs), given those of its outputs, for the inputs in `needs`.
/// Differentiable in inputs and grads.
inline Tensors composed_gradient(const std::function<Tensors(const Tensors&)>& composed,
                                 std::span<const Tensor> inputs, std::span<const Tensor> grads,
                                 Mask needs) {
    // Each input is passed through an op of its own, so that the inner pass ends there and does not
    // follow one input's history into another's.
    Tensors doors(inputs.begin(), inputs.end()), wanted;
    std::vector<std::size_t> at;
    for (std::size_t i = 0; i < doors.size(); ++i) {
        if (!((needs >> i) & 1U)) continue;
        if (!doors[i].requires_grad()) doors[i] = doors[i].detach().set_requires_grad(true);
        doors[i] = reshape(doors[i], doors[i].shape());
        wanted.push_back(doors[i]);
        at.push_back(i);
    }
    const Tensors outputs = composed(doors);
    Tensors roots, seeds;
    for (std::size_t i = 0; i < outputs.size() && i < grads.size(); ++i)
        if (outputs[i] && grads[i] && outputs[i].requires_grad()) {
            roots.push_back(outputs[i]);
            seeds.push_back(grads[i]);
        }
    const Tensors found = autograd::grad(roots, wanted, seeds, {.create_graph = true});
    Tensors out(inputs.size());
    for (std::size_t i = 0; i < at.size(); ++i)
        out[at[i]] = found[i];
    return out;
}

} // namespace wiregrad::rows

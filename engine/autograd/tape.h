// Recording and backward. Recording is an interpreter above eager execution that is on by default;
// a node keeps only what the op's save rule asks for, given which inputs need a gradient.
// A graph belongs to the thread that records it; backward runs on the calling thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/core/tensor.h"

namespace wiregrad::autograd {

/// Whether ops are recorded on this thread.
bool enabled();
/// Whether this thread is within backward() or grad().
bool in_backward();
/// Scope without recording.
class NoGrad {
  public:
    NoGrad();
    ~NoGrad();

  private:
    bool previous_;
};
/// Scope with recording, inside a NoGrad scope.
class EnableGrad {
  public:
    EnableGrad();
    ~EnableGrad();

  private:
    bool previous_;
};

struct BackwardOptions {
    bool retain_graph = false; ///< keep saved tensors for a second backward
    bool create_graph = false; ///< record backward itself (double backward)
};

/// Accumulates d(sum of roots * seeds)/d(leaf) into each leaf's grad(). Roots without seed must
/// have one element. Throws AutogradError: nothing to differentiate, second backward, or a saved
/// tensor that was changed since (the text says which op saved what, at which version).
void backward(std::span<const Tensor> roots, std::span<const Tensor> seeds = {},
              BackwardOptions options = {});
inline void backward(const Tensor& root, BackwardOptions options = {}) {
    backward({&root, 1}, {}, options);
}

/// Gradients of roots with respect to `inputs` (leaves or results), without touching grad().
/// Undefined where unconnected.
std::vector<Tensor> grad(std::span<const Tensor> roots, std::span<const Tensor> inputs,
                         std::span<const Tensor> seeds = {}, BackwardOptions options = {});

/// Calls `hook` with the complete gradient of `tensor` during backward (probes, breakpoints,
/// clipping).
void register_hook(const Tensor& tensor, std::function<void(const Tensor& grad)> hook);

struct GradCheckOptions {
    double eps = 1e-6;
    double atol = 1e-5;
    double rtol = 1e-3;
    bool double_backward = false;
};
/// Compares analytic with central-difference gradients in float64, with every subset of inputs
/// requiring a gradient, and checks that no tensor is left alive. Returns an empty string, or what
/// differs: input, index, both values.
std::string
gradcheck(const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& function,
          const std::vector<Tensor>& inputs, GradCheckOptions options = {});

} // namespace wiregrad::autograd

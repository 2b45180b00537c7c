// A module: weights and buffers with names, and a forward. Modules nest by name.
// Belongs to one thread at a time (the trainer's while a run goes on).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/tensor.h"
#include "engine/op/op.h"

namespace wiregrad::nn {

/// How initial weights are drawn. Torch: mt19937 and PyTorch's order of draws, so that
/// torch.manual_seed(seed) gives the same bits. Both are independent of the number of threads.
class Generator;

/// What changes from step to step and is read by ops as tensors, so that a traced step can be
/// replayed.
struct StepState {
    Tensor random; ///< int64[2]: {seed, step}; random ops add their own stream number
};

struct ForwardContext {
    bool training = true;
    StepState state{};
};

struct NamedTensor {
    std::string name; ///< dotted path: "weight", "encoder.bias"
    Tensor tensor;
};

class Module {
  public:
    virtual ~Module() = default;
    /// One tensor per declared output.
    virtual Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) = 0;
    /// Draws initial weights with PyTorch's default for this layer; own parameters first, then
    /// children, in order.
    virtual void reset_parameters(Generator& generator);

    /// Parameters are trained; buffers are saved but not trained (running statistics). Depth first,
    /// in order of registration.
    std::vector<NamedTensor> parameters() const;
    std::vector<NamedTensor> buffers() const;
    /// Replaces the data of parameters and buffers by name. Throws FileError/ShapeError naming what
    /// is missing or differs.
    void load(const std::vector<NamedTensor>& state, bool strict = true);
    std::vector<NamedTensor> state() const; ///< parameters, then buffers

  protected:
    Tensor& add_parameter(std::string name, Tensor value); ///< sets requires_grad
    Tensor& add_buffer(std::string name, Tensor value);
    void add_child(std::string name, std::shared_ptr<Module> child);

  private:
    void collect(const std::string& prefix, bool trained, std::vector<NamedTensor>& out) const;
    struct Entry {
        std::string name;
        std::unique_ptr<Tensor> tensor;
        bool trained = false;
    };
    std::vector<Entry> own_;
    std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
};

} // namespace wiregrad::nn

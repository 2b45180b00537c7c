// Automatic mixed precision: within the scope products and convolutions run in a 16-bit type, what
// needs range or sums stays float32. Weights stay float32 (the casts are ops, so that gradients
// come back in float32). One thread.
#pragma once

#include "engine/op/op.h"

namespace wiregrad::nn {

/// As torch.autocast on the CPU: matmul, linear, convolutions and attention take `dtype`; softmax,
/// losses, norms, powers and sums take float32; everything else takes what comes, and float32 where
/// both come.
class Autocast : public Interpreter {
  public:
    explicit Autocast(DType dtype = DType::BFloat16) : dtype_(dtype), scope_(*this) {}
    Tensors run(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs) override;

  private:
    DType dtype_;
    PushInterpreter scope_;
};

} // namespace wiregrad::nn

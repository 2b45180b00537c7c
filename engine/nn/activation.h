// Activations that own weights. Others are the plain functions of engine/op/ops.h.
#pragma once

#include "engine/nn/module.h"

namespace wiregrad::nn {

/// x above 0, weight * x elsewhere; one weight for all, or one for each channel (dimension 1).
class PReLU : public Module {
  public:
    explicit PReLU(std::int64_t num_parameters = 1, double init = 0.25,
                   DType dtype = DType::Float32);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;
    void reset_parameters(Generator& generator) override; ///< draws nothing: all are `init`

  private:
    double init_;
    Tensor* weight_;
};

} // namespace wiregrad::nn

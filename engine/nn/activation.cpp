#include "engine/nn/activation.h"

#include "engine/core/error.h"
#include "engine/op/ops.h"

namespace wiregrad::nn {

PReLU::PReLU(std::int64_t num_parameters, double init, DType dtype) : init_(init) {
    if (num_parameters < 1)
        throw ValueError("PReLU: num_parameters must be at least 1, is " +
                         std::to_string(num_parameters));
    weight_ = &add_parameter("weight", Tensor::full({num_parameters}, init, dtype));
}

Tensors PReLU::forward(std::span<const Tensor> inputs, const ForwardContext&) {
    return {prelu(inputs[0], *weight_)};
}

void PReLU::reset_parameters(Generator&) {
    weight_->fill_(init_);
}

} // namespace wiregrad::nn

// Initialisers with PyTorch's names, formulas and defaults (torch.nn.init), drawn from a Generator.
// They write in place, outside autograd. The thread of the module.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "engine/nn/generator.h"

namespace wiregrad::nn::init {

/// {fan_in, fan_out} of a weight [out, in, ...]; ShapeError below two dimensions.
std::pair<std::int64_t, std::int64_t> fans(const Tensor& weight);

/// 1 for "linear", "conv2d", "sigmoid"; 5/3 "tanh"; sqrt 2 "relu"; sqrt(2 / (1 + a^2))
/// "leaky_relu"; 3/4 "selu".
double gain(std::string_view nonlinearity, double a = 0.01);

enum class Fan { In, Out };

void zeros(Tensor& weight);
void ones(Tensor& weight);
void constant(Tensor& weight, double value);
void uniform(Tensor& weight, Generator& generator, double low = 0, double high = 1);
void normal(Tensor& weight, Generator& generator, double mean = 0, double std = 1);
void xavier_uniform(Tensor& weight, Generator& generator, double gain = 1);
void xavier_normal(Tensor& weight, Generator& generator, double gain = 1);
void kaiming_uniform(Tensor& weight, Generator& generator, double a = 0, Fan fan = Fan::In,
                     std::string_view nonlinearity = "leaky_relu");
void kaiming_normal(Tensor& weight, Generator& generator, double a = 0, Fan fan = Fan::In,
                    std::string_view nonlinearity = "leaky_relu");
/// What Linear, the convolutions and Bilinear-like layers begin with: weight and bias (or null)
/// within 1 / sqrt(fan_in), the weight by way of kaiming_uniform.
void linear_default(Tensor& weight, Tensor* bias, Generator& generator);
/// Normal, redrawn into [low, high] (absolute bounds, as PyTorch's).
void trunc_normal(Tensor& weight, Generator& generator, double mean = 0, double std = 1,
                  double low = -2, double high = 2);
/// Rows (or columns, whichever are fewer) of length 1 at right angles, times `gain`; the weight is
/// taken as [size 0, all others].
void orthogonal(Tensor& weight, Generator& generator, double gain = 1);
/// Convolutions that pass channel i on to channel i. ValueError unless 3 to 5 dimensions.
void dirac(Tensor& weight);
/// The identity matrix. ValueError unless 2 dimensions.
void eye(Tensor& weight);

} // namespace wiregrad::nn::init

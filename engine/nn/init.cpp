#include "engine/nn/init.h"

#include <cmath>

#include <fmt/format.h>

#include "engine/core/error.h"

namespace wiregrad::nn::init {
namespace {

double kaiming_std(const Tensor& weight, double a, Fan fan, std::string_view nonlinearity) {
    const auto [in, out] = fans(weight);
    return gain(nonlinearity, a) / std::sqrt(static_cast<double>(fan == Fan::In ? in : out));
}

double xavier_std(const Tensor& weight, double gain) {
    const auto [in, out] = fans(weight);
    return gain * std::sqrt(2.0 / static_cast<double>(in + out));
}

} // namespace

std::pair<std::int64_t, std::int64_t> fans(const Tensor& weight) {
    if (weight.dim() < 2)
        throw ShapeError(
            fmt::format("a weight of shape {} has no fan-in and fan-out; two dimensions are needed",
                        weight.shape().str()));
    std::int64_t field = 1;
    for (int i = 2; i < weight.dim(); ++i)
        field *= weight.size(i);
    return {weight.size(1) * field, weight.size(0) * field};
}

double gain(std::string_view nonlinearity, double a) {
    if (nonlinearity == "linear" || nonlinearity == "conv1d" || nonlinearity == "conv2d" ||
        nonlinearity == "conv_transpose2d" || nonlinearity == "sigmoid")
        return 1;
    if (nonlinearity == "tanh") return 5.0 / 3;
    if (nonlinearity == "relu") return std::sqrt(2.0);
    if (nonlinearity == "leaky_relu") return std::sqrt(2.0 / (1 + a * a));
    if (nonlinearity == "selu") return 3.0 / 4;
    throw ValueError(fmt::format("no initial gain is known for '{}'; linear, sigmoid, tanh, relu, "
                                 "leaky_relu and selu have one",
                                 nonlinearity));
}

void zeros(Tensor& weight) {
    weight.fill_(0);
}
void ones(Tensor& weight) {
    weight.fill_(1);
}
void constant(Tensor& weight, double value) {
    weight.fill_(value);
}
void uniform(Tensor& weight, Generator& generator, double low, double high) {
    generator.uniform_(weight, low, high);
}
void normal(Tensor& weight, Generator& generator, double mean, double std) {
    generator.normal_(weight, mean, std);
}

void xavier_uniform(Tensor& weight, Generator& generator, double gain) {
    const double bound = std::sqrt(3.0) * xavier_std(weight, gain);
    generator.uniform_(weight, -bound, bound);
}
void xavier_normal(Tensor& weight, Generator& generator, double gain) {
    generator.normal_(weight, 0, xavier_std(weight, gain));
}

void kaiming_uniform(Tensor& weight, Generator& generator, double a, Fan fan,
                     std::string_view nonlinearity) {
    const double bound = std::sqrt(3.0) * kaiming_std(weight, a, fan, nonlinearity);
    generator.uniform_(weight, -bound, bound);
}
void kaiming_normal(Tensor& weight, Generator& generator, double a, Fan fan,
                    std::string_view nonlinearity) {
    generator.normal_(weight, 0, kaiming_std(weight, a, fan, nonlinearity));
}

} // namespace wiregrad::nn::init

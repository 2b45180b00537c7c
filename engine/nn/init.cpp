#include "engine/nn/init.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

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

void linear_default(Tensor& weight, Tensor* bias, Generator& generator) {
    kaiming_uniform(weight, generator, std::sqrt(5.0));
    const std::int64_t fan_in = fans(weight).first;
    if (bias != nullptr && fan_in > 0) {
        const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
        uniform(*bias, generator, -bound, bound);
    }
}

namespace {

/// Inverse of the error function on (-1, 1): a rational start (Giles), then Newton's steps.
double erf_inverse(double y) {
    if (y <= -1 || y >= 1) return y * std::numeric_limits<double>::infinity();
    const double w = -std::log((1 - y) * (1 + y));
    double x = w < 5 ? 1.50140941 + 0.246640727 * (w - 2.5) - 0.00417768164 * std::pow(w - 2.5, 2)
                     : 2.83297682 + 1.00167406 * (std::sqrt(w) - 3);
    x *= y;
    for (int i = 0; i < 6; ++i)
        x -= (std::erf(x) - y) / (2 / std::sqrt(std::numbers::pi) * std::exp(-x * x));
    return x;
}

template <class F> void for_each(Tensor& weight, const F& f) {
    for (std::int64_t i = 0; i < weight.numel(); ++i)
        if (weight.dtype() == DType::Float64)
            weight.data_mut<double>()[i] = f(i, weight.data<double>()[i]);
        else
            weight.data_mut<float>()[i] =
                static_cast<float>(f(i, static_cast<double>(weight.data<float>()[i])));
}

} // namespace

void trunc_normal(Tensor& weight, Generator& generator, double mean, double std, double low,
                  double high) {
    const auto below = [](double x) { return (1 + std::erf(x / std::sqrt(2.0))) / 2; };
    const double from = below((low - mean) / std), to = below((high - mean) / std);
    generator.uniform_(weight, 2 * from - 1, 2 * to - 1);
    for_each(weight, [&](std::int64_t, double u) {
        return std::clamp(erf_inverse(u) * std * std::sqrt(2.0) + mean, low, high);
    });
}

void orthogonal(Tensor& weight, Generator& generator, double gain) {
    const std::int64_t rows = weight.dim() < 2 ? 0 : weight.size(0);
    if (rows < 1)
        throw ValueError(fmt::format("an orthogonal start needs two dimensions, the weight has {}",
                                     weight.shape().str()));
    const std::int64_t columns = weight.numel() / rows;
    generator.normal_(weight);
    // Gram-Schmidt, each vector twice, over whichever are fewer; this is the QR decomposition whose
    // diagonal is positive.
    const std::int64_t count = std::min(rows, columns), length = std::max(rows, columns);
    const std::vector<double> drawn = weight.to_vector();
    std::vector<double> q(static_cast<std::size_t>(count * length));
    const auto at = [&](std::int64_t vector, std::int64_t i) -> double& {
        return q[static_cast<std::size_t>(vector * length + i)];
    };
    for (std::int64_t v = 0; v < count; ++v)
        for (std::int64_t i = 0; i < length; ++i)
            at(v, i) =
                drawn[static_cast<std::size_t>(rows < columns ? v * columns + i : i * columns + v)];
    for (std::int64_t v = 0; v < count; ++v) {
        for (int round = 0; round < 2; ++round)
            for (std::int64_t other = 0; other < v; ++other) {
                double dot = 0;
                for (std::int64_t i = 0; i < length; ++i)
                    dot += at(v, i) * at(other, i);
                for (std::int64_t i = 0; i < length; ++i)
                    at(v, i) -= dot * at(other, i);
            }
        double norm = 0;
        for (std::int64_t i = 0; i < length; ++i)
            norm += at(v, i) * at(v, i);
        for (std::int64_t i = 0; i < length; ++i)
            at(v, i) /= std::sqrt(norm);
    }
    for_each(weight, [&](std::int64_t i, double) {
        const std::int64_t r = i / columns, c = i % columns;
        return gain * (rows < columns ? at(r, c) : at(c, r));
    });
}

void dirac(Tensor& weight) {
    if (weight.dim() < 3 || weight.dim() > 5)
        throw ValueError(fmt::format("a Dirac start needs 3 to 5 dimensions, the weight has {}",
                                     weight.shape().str()));
    std::int64_t centre = 0, field = 1;
    for (int d = 2; d < weight.dim(); ++d) {
        centre = centre * weight.size(d) + weight.size(d) / 2;
        field *= weight.size(d);
    }
    const std::int64_t inputs = weight.size(1);
    for_each(weight, [&](std::int64_t i, double) {
        const std::int64_t out = i / (inputs * field), in = i / field % inputs;
        return out == in && i % field == centre ? 1.0 : 0.0;
    });
}

void eye(Tensor& weight) {
    if (weight.dim() != 2)
        throw ValueError(fmt::format("an identity matrix needs 2 dimensions, the weight has {}",
                                     weight.shape().str()));
    const std::int64_t columns = weight.size(1);
    for_each(weight,
             [&](std::int64_t i, double) { return i / columns == i % columns ? 1.0 : 0.0; });
}

} // namespace wiregrad::nn::init

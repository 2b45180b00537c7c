// Group, instance, root-mean-square and local response normalisation, made of smaller ops, so that
// gradients of every order come with them.
#include <fmt/core.h>

#include <limits>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"

namespace wiregrad {

namespace {

void require_channels(std::string_view op, const Tensor& x) {
    if (x.dim() < 2)
        throw ShapeError(
            fmt::format("{}: input {} must be [batch, channels, ...]", op, x.shape().str()));
}
void require_vector(std::string_view op, std::string_view what, const Tensor& vector,
                    const Tensor& x) {
    if (vector && (vector.dim() != 1 || vector.size(0) != x.size(1)))
        throw ShapeError(fmt::format("{}: {} {} does not match the {} channels of input {}", op,
                                     what, vector.shape().str(), x.size(1), x.shape().str()));
}

Tensor affine(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    Shape shape = Dims::filled(x.dim(), 1);
    shape[1] = x.size(1);
    Tensor y = x;
    if (weight) y = mul(y, reshape(weight, shape));
    if (bias) y = add(y, reshape(bias, shape));
    return y;
}

/// running = (1 - momentum) running + momentum * mean over the batch of `statistic` [N, C].
void update(const Tensor& running, const Tensor& statistic, double momentum) {
    if (!running || !running.has_data()) return;
    Tensor target = running;
    target.copy_(add(mul(running, 1 - momentum), mul(mean(statistic, {0}), momentum)));
}

} // namespace

Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias,
                  double eps) {
    require_channels("group_norm", x);
    require_vector("group_norm", "weight", weight, x);
    require_vector("group_norm", "bias", bias, x);
    const std::int64_t channels = x.size(1);
    if (groups < 1 || channels % groups != 0)
        throw ValueError(
            fmt::format("group_norm: the {} channels of input {} cannot be split into {} "
                        "groups",
                        channels, x.shape().str(), groups));
    const std::int64_t rows = x.size(0) * groups, size = rows == 0 ? 1 : x.numel() / rows;
    if (rows > 0 && size == 1 && x.dim() == 2)
        throw ShapeError(fmt::format(
            "group_norm: more than 1 value per group is needed, input {} has 1", x.shape().str()));
    const Tensor y = layer_norm(reshape(x, {rows, size}), {size}, {}, {}, eps);
    return affine(reshape(y, x.shape()), weight, bias);
}

Tensor instance_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                     const Tensor& weight, const Tensor& bias, bool use_input_stats,
                     double momentum, double eps) {
    require_channels("instance_norm", x);
    for (const auto& [what, vector] :
         {std::pair<std::string_view, const Tensor*>{"weight", &weight},
          {"bias", &bias},
          {"running_mean", &running_mean},
          {"running_var", &running_var}})
        require_vector("instance_norm", what, *vector, x);
    if (!use_input_stats)
        return batch_norm(x, weight, bias, running_mean, running_var, false, momentum, eps);
    const std::int64_t channels = x.size(1), rows = x.size(0) * channels,
                       size = rows == 0 ? 1 : x.numel() / rows;
    if (rows > 0 && size == 1)
        throw ShapeError(fmt::format(
            "instance_norm: more than 1 value per channel and item is needed, input {} has 1",
            x.shape().str()));
    const Tensor flat = reshape(x, {rows, size});
    if (rows > 0 && (running_mean || running_var)) {
        const autograd::NoGrad off;
        const Shape items{x.size(0), channels};
        update(running_mean, reshape(mean(flat, {1}), items), momentum);
        update(running_var, reshape(var(flat, {1}), items), momentum);
    }
    return affine(reshape(layer_norm(flat, {size}, {}, {}, eps), x.shape()), weight, bias);
}

Tensor rms_norm(const Tensor& x, const Dims& normalized_shape, const Tensor& weight, double eps) {
    bool fits = !normalized_shape.empty() && normalized_shape.size() <= x.dim();
    Dims dims;
    for (int d = 0; fits && d < normalized_shape.size(); ++d) {
        const int at = x.dim() - normalized_shape.size() + d;
        fits = normalized_shape[d] == x.shape()[at];
        dims.push_back(at);
    }
    if (!fits)
        throw ShapeError(
            fmt::format("rms_norm: normalized_shape {} must be the last dimensions of input {}",
                        normalized_shape.str(), x.shape().str()));
    if (weight && weight.shape() != normalized_shape)
        throw ShapeError(fmt::format("rms_norm: weight {} must have normalized_shape {}",
                                     weight.shape().str(), normalized_shape.str()));
    if (eps < 0)
        eps = x.dtype() == DType::Float64
                  ? std::numeric_limits<double>::epsilon()
                  : static_cast<double>(std::numeric_limits<float>::epsilon());
    const Tensor y = mul(x, rsqrt(add(mean(square(x), dims, true), eps)));
    return weight ? mul(y, weight) : y;
}

Tensor local_response_norm(const Tensor& x, std::int64_t size, double alpha, double beta,
                           double k) {
    if (x.dim() < 3)
        throw ShapeError(
            fmt::format("local_response_norm: input {} must be [batch, channels, length, ...]",
                        x.shape().str()));
    if (size < 1)
        throw ValueError(
            fmt::format("local_response_norm: size is {}, it must be at least 1", size));
    if (x.numel() == 0) return x;
    const std::int64_t channels = x.size(1);
    // Channels as the rows of a picture: their neighbours are a window of `size` by 1.
    const Tensor squares =
        reshape(square(x), {x.size(0), 1, channels, x.numel() / x.size(0) / channels});
    const Tensor padded = pad(squares, {0, 0, size / 2, (size - 1) / 2});
    PoolOptions window;
    window.kernel = {size, 1};
    window.stride = {1, 1};
    const Tensor means = reshape(avg_pool2d(padded, window), x.shape());
    return div(x, pow(add(mul(means, alpha), k), beta));
}

} // namespace wiregrad

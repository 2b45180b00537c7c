// Layers of one and three dimensions and further normalisations, each made of the ops of ops.h;
// part of that vocabulary. Any thread.
#pragma once

#include "engine/op/op.h"

namespace wiregrad {

/// Options of a convolution over any number of dimensions: one number for each.
struct ConvNdOptions {
    Dims stride, padding, dilation; ///< empty: 1, 0, 1 everywhere
    std::int64_t groups = 1;
};
/// x [N, C, L], weight [O, C / groups, K].
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const ConvNdOptions& options = {});
/// x [N, C, D, H, W], weight [O, C / groups, KD, KH, KW].
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const ConvNdOptions& options = {});
/// weight [C, O / groups, ...].
Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvNdOptions& options = {}, const Dims& output_padding = {});
Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvNdOptions& options = {}, const Dims& output_padding = {});

/// Normalises each group of channels of each item of x [N, C, ...]; weight and bias [C] or
/// undefined.
Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight = {},
                  const Tensor& bias = {}, double eps = 1e-5);
/// Normalises each channel of each item of x [N, C, ...] by its own statistics, or by the running
/// ones when !use_input_stats; in the first case the running ones are updated where they are
/// defined.
Tensor instance_norm(const Tensor& x, const Tensor& running_mean = {},
                     const Tensor& running_var = {}, const Tensor& weight = {},
                     const Tensor& bias = {}, bool use_input_stats = true, double momentum = 0.1,
                     double eps = 1e-5);
/// x / sqrt(mean(x^2) + eps) * weight over the last dimensions; eps < 0: the machine epsilon of x's
/// type.
Tensor rms_norm(const Tensor& x, const Dims& normalized_shape, const Tensor& weight = {},
                double eps = -1);
/// x / (k + alpha / size * sum of x^2 over `size` neighbouring channels)^beta; x [N, C, ...].
Tensor local_response_norm(const Tensor& x, std::int64_t size, double alpha = 1e-4,
                           double beta = 0.75, double k = 1);

} // namespace wiregrad

// Layers without weights that are made of ops, under PyTorch's functional names; gradients, and the
// gradients of those, come along. Any thread.
#pragma once

#include <optional>
#include <string_view>

#include "engine/op/ops.h"

namespace wiregrad::nn {

// --- pooling of sequences [N, C, L]; the options hold one number each
Tensor max_pool1d(const Tensor& x, const PoolOptions& options);
Tensor avg_pool1d(const Tensor& x, const PoolOptions& options);
/// (sum of x^p over each window)^(1/p); x [N, C, H, W] or [N, C, L].
Tensor lp_pool(const Tensor& x, double norm_type, const PoolOptions& options);
/// The last output_size.size() dimensions to output_size: bins floor(i n / o) .. ceil((i + 1) n /
/// o).
Tensor adaptive_avg_pool(const Tensor& x, const Dims& output_size);
Tensor adaptive_max_pool(const Tensor& x, const Dims& output_size);

// --- borders of own elements: pairs, last dimension first; the mode is not Zeros
enum class PaddingMode { Zeros, Reflect, Replicate, Circular };
Tensor bordered(Tensor x, const Dims& pads, PaddingMode mode);

// --- other sizes
enum class Interpolation { Nearest, NearestExact, Linear, Cubic, Area };
/// The dimensions behind the first two to `size`. `scale`: as given by the user, used for the
/// places of the samples when known; else sizes out / in.
Tensor interpolate(const Tensor& x, const Dims& size, Interpolation mode,
                   bool align_corners = false, std::optional<double> scale = {});

// --- dropout of whole channels (dimension 1), and dropout that keeps mean and deviation (SELU)
Tensor channel_dropout(const Tensor& x, double p, const Tensor& random, std::int64_t stream);
Tensor alpha_dropout(const Tensor& x, double p, const Tensor& random, std::int64_t stream);

// --- order
Tensor pixel_shuffle(const Tensor& x,
                     std::int64_t factor); ///< [N, C r r, H, W] -> [N, C, H r, W r]
Tensor pixel_unshuffle(const Tensor& x, std::int64_t factor); ///< the inverse
Tensor channel_shuffle(const Tensor& x, std::int64_t groups);

/// x1 [..., in1], x2 [..., in2], weight [out, in1, in2].
Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight, const Tensor& bias);

} // namespace wiregrad::nn

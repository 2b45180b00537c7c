// Bound kernels of the CPU (engine/op/bind.h) by plain sizes: what the bind rules of rows call.
// Each returns null where it has nothing for the layouts given. Called by the thread that computes.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include "engine/backend/cpu/geometry.h"
#include "engine/kernel/table.h"
#include "engine/op/bind.h"

namespace wiregrad::cpu {

/// What follows a product or a norm in the same instruction: an elementwise function without
/// parameters, or nothing.
struct Activation {
    kernel::InnerLoop loop = nullptr; ///< null: nothing
    bool relu = false;                ///< a kernel may take it along
    std::string_view name = {};
    explicit operator bool() const { return loop != nullptr; }
    void apply(float* y, std::int64_t count) const; ///< in place
};
/// Of attribute "activation"; nothing where there is none.
Activation activation_of(const Attrs& attrs);

/// Whether these inputs, where present, are row-major: what kernels ask of biases and statistics.
bool row_major(const BindCall& call, std::initializer_list<int> inputs);

/// The pass of a convolution that an instruction is. Operands as the rows': forward x, weight, bias
/// to y; input gradient gy, weight to gx; weight gradient x, gy to gw and, if asked for, gbias.
/// Weights are plain.
enum class ConvPass { Forward, InputGrad, WeightGrad };
std::unique_ptr<Bound> bind_conv(const ConvGeometry& g, ConvPass pass, const Activation& activation,
                                 BindCall& call);

/// The same on row-major pictures by the kernels of conv.h.
std::unique_ptr<Bound> bind_plain_conv(const ConvGeometry& g, ConvPass pass,
                                       const Activation& activation, BindCall& call);

/// Input 2, one number a channel, added to the picture `y` that `inner` makes.
std::unique_ptr<Bound> with_channel_bias(std::unique_ptr<Bound> inner, const BindValue& y);

/// Output 0 = op(A) op(B) + bias, then the activation. A and B are inputs `a` and `b`; a bias is
/// input 2.
std::unique_ptr<Bound> bind_gemm(const GemmGeometry& g, const Activation& activation,
                                 BindCall& call, int a, int b);
/// The same by the kernels of gemm.h, which suit small products.
std::unique_ptr<Bound> bind_small_gemm(const GemmGeometry& g, const Activation& activation,
                                       BindCall& call, int a, int b);
/// Of linear: inputs gy [rows, out] and x [rows, in], outputs gweight [out, in] and gbias [out].
std::unique_ptr<Bound> bind_linear_grads(std::int64_t rows, std::int64_t in, std::int64_t out,
                                         BindCall& call);

/// Pictures in channel blocks or row by row, as they come. Operands as the rows'.
std::unique_ptr<Bound> bind_batch_norm(bool training, double momentum, double eps,
                                       const Activation& activation, BindCall& call);
/// `relu`: behind the gradient of a relu; inputs 5 and 6 are then the bias and what the relu gave.
std::unique_ptr<Bound> bind_batch_norm_backward(bool training, bool relu, BindCall& call);
std::unique_ptr<Bound> bind_max_pool(const PoolGeometry& g, BindCall& call);
std::unique_ptr<Bound> bind_max_pool_backward(const PoolGeometry& g, BindCall& call);
/// All inputs one behind the other along `dim`.
std::unique_ptr<Bound> bind_cat(int dim, BindCall& call);
/// Mean of each plane, and its gradient; the small side is [N, C, 1, 1].
std::unique_ptr<Bound> bind_plane_mean(bool backward, BindCall& call);
/// Sum of each channel over pictures and pixels.
std::unique_ptr<Bound> bind_channel_sums(BindCall& call);

} // namespace wiregrad::cpu

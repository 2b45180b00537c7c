// The groups of rows that nn_ops() lists, one file each.
#pragma once

#include <span>

#include "engine/op/bind.h"

namespace wiregrad {

std::span<const Op> matmul_rows();    ///< matmul, linear
std::span<const Op> conv_rows();      ///< conv2d, its gradients, conv_transpose2d
std::span<const Op> pool_rows();      ///< max, average and adaptive pooling
std::span<const Op> norm_rows();      ///< batch_norm, layer_norm
std::span<const Op> softmax_rows();   ///< softmax, log_softmax
std::span<const Op> embedding_rows(); ///< embedding
std::span<const Op> dropout_rows();
std::span<const Op> recurrent_rows(); ///< lstm, gru, rnn_tanh, rnn_relu
std::span<const Op> attention_rows(); ///< scaled_dot_product_attention
std::span<const Op> grid_rows();      ///< grid_sample

// Bind rules for the CPU that rows of engine/op/fused_ops.cpp share with those here.
std::unique_ptr<Bound> bind_conv2d(BindCall& call);
std::unique_ptr<Bound> bind_linear(BindCall& call);
std::unique_ptr<Bound> bind_batch_norm(BindCall& call);
std::unique_ptr<Bound> bind_batch_norm_act_backward(BindCall& call);
std::unique_ptr<Bound> bind_linear_weight_grad(BindCall& call);

} // namespace wiregrad

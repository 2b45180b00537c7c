// Attention and transformer layers with PyTorch's arguments, parameter names, initial values and
// order of draws. Used by one thread at a time, as every module.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/nn/layers.h"

namespace wiregrad::nn {

struct AttentionLayerOptions {
    std::int64_t embed_dim = 1, num_heads = 1;
    double dropout = 0; ///< of the attention weights
    bool bias = true, batch_first = true;
    std::int64_t kdim = 0, vdim = 0; ///< of keys and values; 0: embed_dim
    bool is_causal = false;          ///< position i sees 0 .. i only
    bool need_weights = false;       ///< a second output: the weights, averaged over the heads
    std::int64_t stream = 0;
    DType dtype = DType::Float32;
};
/// Inputs: query, key, value ([N, L, E] or, without batch_first, [L, N, E]; an undefined key is the
/// query, an undefined value the key); optional: attention mask [L, S] (bool: true is left out, as
/// PyTorch has it; or added to the scores) and key padding mask [N, S] (the same).
class MultiheadAttention : public Module {
  public:
    explicit MultiheadAttention(const AttentionLayerOptions& options);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;
    void reset_parameters(Generator& generator) override;

  private:
    Tensor heads(const Tensor& x) const; ///< [N, L, E] -> [N, heads, L, E / heads]
    AttentionLayerOptions options_;
    Tensor* in_proj_weight_ = nullptr; ///< [3 E, E]; or apart when kdim or vdim differ
    Tensor *q_weight_ = nullptr, *k_weight_ = nullptr, *v_weight_ = nullptr;
    Tensor* in_proj_bias_ = nullptr;
    std::shared_ptr<Linear> out_proj_;
};

struct TransformerLayerOptions {
    std::int64_t d_model = 1, nhead = 1, dim_feedforward = 2048;
    double dropout = 0.1, layer_norm_eps = 1e-5;
    bool gelu = false; ///< activation: gelu instead of relu
    bool batch_first = true, norm_first = false, is_causal = false, bias = true;
    std::int64_t stream = 0;
    DType dtype = DType::Float32;
};
/// x (+ attention(x)), then x + feedforward(x), with LayerNorm before or behind each. Inputs: x;
/// optional: attention mask, key padding mask.
class TransformerEncoderLayer : public Module {
  public:
    explicit TransformerEncoderLayer(const TransformerLayerOptions& options);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;

  private:
    TransformerLayerOptions options_;
    std::shared_ptr<MultiheadAttention> self_attn_;
    std::shared_ptr<Linear> linear1_, linear2_;
    std::shared_ptr<LayerNorm> norm1_, norm2_;
};
/// The same with attention to `memory` between. Inputs: x, memory; optional: masks of x and of
/// memory.
class TransformerDecoderLayer : public Module {
  public:
    explicit TransformerDecoderLayer(const TransformerLayerOptions& options);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;

  private:
    TransformerLayerOptions options_;
    std::shared_ptr<MultiheadAttention> self_attn_, multihead_attn_;
    std::shared_ptr<Linear> linear1_, linear2_;
    std::shared_ptr<LayerNorm> norm1_, norm2_, norm3_;
};

/// Adds what tells the places apart to x [N, L, E]: sines and cosines of falling frequencies, or
/// trained rows [length, E], drawn from a normal distribution of deviation 0.02.
class PositionalEncoding : public Module {
  public:
    PositionalEncoding(std::int64_t length, std::int64_t width, bool learned,
                       DType dtype = DType::Float32);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;
    void reset_parameters(Generator& generator) override;

  private:
    std::int64_t length_, width_;
    Tensor* weight_ = nullptr;
    Tensor waves_; ///< where nothing is trained
};

} // namespace wiregrad::nn

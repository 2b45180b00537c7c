// The layers that own weights, with PyTorch's names, arguments, defaults and initial values. Layers
// without weights (activations, pooling, reshaping) are the plain functions of engine/op/ops.h.
// Constructors allocate; reset_parameters draws. Both refuse impossible arguments with ValueError.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/nn/module.h"

namespace wiregrad::nn {

/// y = x W^T + b; x [..., in], weight [out, in].
class Linear : public Module {
  public:
    Linear(std::int64_t in_features, std::int64_t out_features, bool bias = true,
           DType dtype = DType::Float32);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;
    void reset_parameters(Generator& generator) override;

  private:
    Tensor* weight_;
    Tensor* bias_ = nullptr;
};

struct Conv2dOptions {
    std::int64_t in_channels = 1, out_channels = 1;
    Dims kernel_size{3, 3};
    Dims stride{1, 1}, padding{0, 0}, dilation{1, 1};
    std::int64_t groups = 1;
    bool bias = true;
    bool same_padding =
        false; ///< padding='same': the output has the input's size; an odd column goes to the right
    DType dtype = DType::Float32;
};
/// x [N, in, H, W], weight [out, in / groups, kH, kW].
class Conv2d : public Module {
  public:
    explicit Conv2d(const Conv2dOptions& options);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;
    void reset_parameters(Generator& generator) override;

  private:
    Conv2dOptions options_;
    Tensor* weight_;
    Tensor* bias_ = nullptr;
};

struct ConvTranspose2dOptions {
    std::int64_t in_channels = 1, out_channels = 1;
    Dims kernel_size{3, 3};
    Dims stride{1, 1}, padding{0, 0}, output_padding{0, 0};
    std::int64_t groups = 1;
    bool bias = true;
    Dims dilation{1, 1};
    DType dtype = DType::Float32;
};
/// x [N, in, H, W], weight [in, out / groups, kH, kW].
class ConvTranspose2d : public Module {
  public:
    explicit ConvTranspose2d(const ConvTranspose2dOptions& options);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;
    void reset_parameters(Generator& generator) override;

  private:
    ConvTranspose2dOptions options_;
    Tensor* weight_;
    Tensor* bias_ = nullptr;
};

struct BatchNormOptions {
    std::int64_t num_features = 1;
    double eps = 1e-5, momentum = 0.1;
    bool affine = true;
    bool track_running_stats = true; ///< off: batch statistics in evaluation too
    DType dtype = DType::Float32;
};
/// BatchNorm1d and BatchNorm2d by `rank`: x [N, C] or [N, C, L]; or x [N, C, H, W].
class BatchNorm : public Module {
  public:
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;
    void reset_parameters(Generator& generator) override;

  protected:
    BatchNorm(const BatchNormOptions& options, const char* name, int min_rank, int max_rank);

  private:
    BatchNormOptions options_;
    const char* name_;
    int min_rank_, max_rank_;
    Tensor* weight_ = nullptr;
    Tensor* bias_ = nullptr;
    Tensor* running_mean_ = nullptr;
    Tensor* running_var_ = nullptr;
};
class BatchNorm1d : public BatchNorm {
  public:
    explicit BatchNorm1d(const BatchNormOptions& options)
        : BatchNorm(options, "BatchNorm1d", 2, 3) {}
};
class BatchNorm2d : public BatchNorm {
  public:
    explicit BatchNorm2d(const BatchNormOptions& options)
        : BatchNorm(options, "BatchNorm2d", 4, 4) {}
};

struct LayerNormOptions {
    Dims normalized_shape{1};
    double eps = 1e-5;
    bool elementwise_affine = true, bias = true;
    DType dtype = DType::Float32;
};
/// Over the last normalized_shape.size() dimensions.
class LayerNorm : public Module {
  public:
    explicit LayerNorm(const LayerNormOptions& options);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;
    void reset_parameters(Generator& generator) override;

  private:
    LayerNormOptions options_;
    Tensor* weight_ = nullptr;
    Tensor* bias_ = nullptr;
};

/// x int64 [...] to [..., embedding_dim]; row padding_idx (negative counts from the end) is 0 and
/// is not trained.
class Embedding : public Module {
  public:
    Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim,
              std::optional<std::int64_t> padding_idx = {}, DType dtype = DType::Float32);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;
    void reset_parameters(Generator& generator) override;

  private:
    std::int64_t padding_idx_ = -1;
    Tensor* weight_;
};

/// Zeroes with probability p and scales by 1 / (1 - p) in training. `stream` tells the masks of one
/// model apart.
class Dropout : public Module {
  public:
    explicit Dropout(double p = 0.5, std::int64_t stream = 0);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;

  private:
    double p_;
    std::int64_t stream_;
};

} // namespace wiregrad::nn

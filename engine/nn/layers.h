// The layers that own weights, with PyTorch's names, arguments, defaults and initial values. Layers
// without weights (activations, pooling, reshaping) are the plain functions of engine/op/ops.h.
// Constructors allocate; reset_parameters draws. Both refuse impossible arguments with ValueError.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/nn/functional.h"
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

/// Of a convolution in one, two or three dimensions: as many as kernel_size has numbers. Options
/// with one number stand for all dimensions.
struct ConvLayerOptions {
    std::int64_t in_channels = 1, out_channels = 1;
    Dims kernel_size{3, 3};
    Dims stride{1, 1}, padding{0, 0}, dilation{1, 1};
    std::int64_t groups = 1;
    bool bias = true;
    bool same_padding =
        false; ///< padding='same': the output has the input's size; an odd column goes to the right
    PaddingMode padding_mode = PaddingMode::Zeros;
    DType dtype = DType::Float32;
};
using Conv2dOptions = ConvLayerOptions;
/// x [N, in, sizes...], weight [out, in / groups, kernel...]. ValueError unless kernel_size has
/// `rank` numbers.
class ConvLayer : public Module {
  public:
    ConvLayer(const ConvLayerOptions& options, int rank);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;
    void reset_parameters(Generator& generator) override;

  private:
    ConvLayerOptions options_;
    int rank_;
    Tensor* weight_;
    Tensor* bias_ = nullptr;
};
class Conv1d : public ConvLayer {
  public:
    explicit Conv1d(const ConvLayerOptions& options) : ConvLayer(options, 1) {}
};
class Conv2d : public ConvLayer {
  public:
    explicit Conv2d(const ConvLayerOptions& options) : ConvLayer(options, 2) {}
};

class Conv3d : public ConvLayer {
  public:
    explicit Conv3d(const ConvLayerOptions& options) : ConvLayer(options, 3) {}
};

struct ConvTransposeLayerOptions {
    std::int64_t in_channels = 1, out_channels = 1;
    Dims kernel_size{3, 3};
    Dims stride{1, 1}, padding{0, 0}, output_padding{0, 0};
    std::int64_t groups = 1;
    bool bias = true;
    Dims dilation{1, 1};
    DType dtype = DType::Float32;
};
using ConvTranspose2dOptions = ConvTransposeLayerOptions;
/// x [N, in, sizes...], weight [in, out / groups, kernel...].
class ConvTransposeLayer : public Module {
  public:
    ConvTransposeLayer(const ConvTransposeLayerOptions& options, int rank);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;
    void reset_parameters(Generator& generator) override;

  private:
    ConvTransposeLayerOptions options_;
    int rank_;
    Tensor* weight_;
    Tensor* bias_ = nullptr;
};
class ConvTranspose1d : public ConvTransposeLayer {
  public:
    explicit ConvTranspose1d(const ConvTransposeLayerOptions& options)
        : ConvTransposeLayer(options, 1) {}
};
class ConvTranspose2d : public ConvTransposeLayer {
  public:
    explicit ConvTranspose2d(const ConvTransposeLayerOptions& options)
        : ConvTransposeLayer(options, 2) {}
};

class ConvTranspose3d : public ConvTransposeLayer {
  public:
    explicit ConvTranspose3d(const ConvTransposeLayerOptions& options)
        : ConvTransposeLayer(options, 3) {}
};

struct BatchNormOptions {
    std::int64_t num_features = 1;
    double eps = 1e-5, momentum = 0.1;
    bool cumulative = false; ///< momentum None: the running statistics are means over all batches
    bool affine = true;
    bool track_running_stats = true; ///< off: batch statistics in evaluation too
    DType dtype = DType::Float32;
};
/// BatchNorm1d, 2d and 3d by `rank`: x [N, C] or [N, C, L]; [N, C, H, W]; [N, C, D, H, W].
class BatchNorm : public Module {
  public:
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;
    void reset_parameters(Generator& generator) override;

  protected:
    BatchNorm(const BatchNormOptions& options, const char* name, int min_rank, int max_rank);

  private:
    Tensor cumulative(const Tensor& x);
    BatchNormOptions options_;
    const char* name_;
    int min_rank_, max_rank_;
    Tensor* weight_ = nullptr;
    Tensor* bias_ = nullptr;
    Tensor* running_mean_ = nullptr;
    Tensor* running_var_ = nullptr;
    Tensor* batches_ = nullptr; ///< num_batches_tracked
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

class BatchNorm3d : public BatchNorm {
  public:
    explicit BatchNorm3d(const BatchNormOptions& options)
        : BatchNorm(options, "BatchNorm3d", 5, 5) {}
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

/// y[o] = x1 W[o] x2 + b[o]; x1 [..., in1], x2 [..., in2], weight [out, in1, in2].
class Bilinear : public Module {
  public:
    Bilinear(std::int64_t in1, std::int64_t in2, std::int64_t out, bool bias = true,
             DType dtype = DType::Float32);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;
    void reset_parameters(Generator& generator) override;

  private:
    Tensor* weight_;
    Tensor* bias_ = nullptr;
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

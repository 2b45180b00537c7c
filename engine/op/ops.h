// The op vocabulary as free functions with PyTorch's functional names, argument names and defaults.
// Each one is a thin wrapper over call(): promotion, scalar lifting, attributes. Any thread.
#pragma once

#include <optional>

#include "engine/op/layer_ops.h"
#include "engine/op/op.h"
#include "engine/op/sequence_ops.h"

namespace wiregrad {

// --- creation and conversion (outside the tape where nothing can be differentiated)
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
Tensor arange(std::int64_t n, DType dtype = DType::Int64);
Tensor to(const Tensor& x, DType dtype); ///< differentiable between floating types
Tensor to(const Tensor& x, Device device);
Tensor contiguous(const Tensor& x); ///< differentiable

// --- elementwise, with broadcasting and promotion
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
Tensor add(const Tensor& a, double b);
Tensor sub(const Tensor& a, double b);
Tensor mul(const Tensor& a, double b);
Tensor div(const Tensor& a, double b);
Tensor rsub(double a, const Tensor& b); ///< a - b
Tensor pow(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, double b);
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor neg(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor sign(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor log1p(const Tensor& x);
Tensor expm1(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);
Tensor reciprocal(const Tensor& x);
Tensor square(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor erf(const Tensor& x);
Tensor erfc(const Tensor& x);
Tensor exp2(const Tensor& x);
Tensor log2(const Tensor& x);
Tensor log10(const Tensor& x);
Tensor tan(const Tensor& x);
Tensor asin(const Tensor& x);
Tensor acos(const Tensor& x);
Tensor atan(const Tensor& x);
Tensor sinh(const Tensor& x);
Tensor cosh(const Tensor& x);
Tensor asinh(const Tensor& x);
Tensor acosh(const Tensor& x);
Tensor atanh(const Tensor& x);
Tensor atan2(const Tensor& a, const Tensor& b);
Tensor xlogy(const Tensor& a, const Tensor& b);        ///< a log(b), 0 where a is 0
Tensor fmod(const Tensor& a, const Tensor& b);         ///< sign of a
Tensor remainder(const Tensor& a, const Tensor& b);    ///< sign of b
Tensor floor_divide(const Tensor& a, const Tensor& b); ///< rounded down
Tensor trunc(const Tensor& x);
Tensor floor(const Tensor& x);
Tensor ceil(const Tensor& x);
Tensor round(const Tensor& x); ///< half to even
Tensor clamp(const Tensor& x, double min, double max);
Tensor relu(const Tensor& x);
Tensor leaky_relu(const Tensor& x, double negative_slope = 0.01);
Tensor elu(const Tensor& x, double alpha = 1.0);
Tensor selu(const Tensor& x);
Tensor gelu(const Tensor& x, bool tanh_approximation = false);
Tensor silu(const Tensor& x);
Tensor mish(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor softplus(const Tensor& x, double beta = 1, double threshold = 20);
Tensor hardtanh(const Tensor& x, double min = -1, double max = 1);
Tensor relu6(const Tensor& x);
Tensor hardsigmoid(const Tensor& x);
Tensor hardswish(const Tensor& x);
Tensor logsigmoid(const Tensor& x);
Tensor celu(const Tensor& x, double alpha = 1.0);
Tensor hardshrink(const Tensor& x, double lambd = 0.5);
Tensor softshrink(const Tensor& x, double lambd = 0.5);
Tensor threshold(const Tensor& x, double threshold, double value);
Tensor softsign(const Tensor& x);
Tensor tanhshrink(const Tensor& x);
Tensor glu(const Tensor& x, std::int64_t dim = -1);  ///< first half times sigmoid of the second
Tensor prelu(const Tensor& x, const Tensor& weight); ///< weight: 1 number, or one a channel
/// Slopes drawn from [lower, upper) in training (random, stream: as for dropout), else their mean.
Tensor rrelu(const Tensor& x, double lower, double upper, bool training, const Tensor& random = {},
             std::int64_t stream = 0);
Tensor uniform_like(const Tensor& x, const Tensor& random, std::int64_t stream); ///< [0, 1)
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value);
Tensor eq(const Tensor& a, const Tensor& b);
Tensor ne(const Tensor& a, const Tensor& b);
Tensor lt(const Tensor& a, const Tensor& b);
Tensor le(const Tensor& a, const Tensor& b);
Tensor gt(const Tensor& a, const Tensor& b);
Tensor ge(const Tensor& a, const Tensor& b);
Tensor eq(const Tensor& a, double b);
Tensor ne(const Tensor& a, double b);
Tensor gt(const Tensor& a, double b);
Tensor ge(const Tensor& a, double b);
Tensor lt(const Tensor& a, double b);
Tensor le(const Tensor& a, double b);
Tensor logical_not(const Tensor& x);
Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_xor(const Tensor& a, const Tensor& b);
Tensor bitwise_not(const Tensor& x);
Tensor bitwise_and(const Tensor& a, const Tensor& b);
Tensor bitwise_or(const Tensor& a, const Tensor& b);
Tensor bitwise_xor(const Tensor& a, const Tensor& b);
Tensor isnan(const Tensor& x);
Tensor isfinite(const Tensor& x);

// --- reductions; empty dims: all
Tensor sum(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor mean(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor amax(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor amin(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor argmax(const Tensor& x, std::int64_t dim, bool keepdim = false);
Tensor argmin(const Tensor& x, std::int64_t dim, bool keepdim = false);
Tensor var(const Tensor& x, const Dims& dims = {}, bool unbiased = true, bool keepdim = false);
Tensor logsumexp(const Tensor& x, const Dims& dims, bool keepdim = false);
Tensor prod(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor stddev(const Tensor& x, const Dims& dims = {}, bool unbiased = true,
              bool keepdim = false); ///< PyTorch's std; gradient 0 where it is 0
/// (sum |x|^p)^(1/p); p may be 0 (count of non-zeros) or infinite. Gradient 0 where the norm is 0.
Tensor vector_norm(const Tensor& x, double p = 2, const Dims& dims = {}, bool keepdim = false);
Tensor any(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor all(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor sum_to(const Tensor& x, const Shape& shape); ///< undoes a broadcast

// --- shape
Tensor reshape(const Tensor& x, const Shape& shape); ///< one size may be -1
Tensor flatten(const Tensor& x, std::int64_t start_dim = 0, std::int64_t end_dim = -1);
Tensor permute(const Tensor& x, const Dims& dims);
Tensor transpose(const Tensor& x, std::int64_t dim0, std::int64_t dim1);
Tensor squeeze(const Tensor& x, std::int64_t dim);
Tensor unsqueeze(const Tensor& x, std::int64_t dim);
Tensor expand(const Tensor& x, const Shape& shape);
Tensor slice(const Tensor& x, std::int64_t dim, std::int64_t start, std::int64_t end,
             std::int64_t step = 1);
Tensor select(const Tensor& x, std::int64_t dim, std::int64_t index);
Tensor cat(std::span<const Tensor> xs, std::int64_t dim = 0);
Tensor stack(std::span<const Tensor> xs, std::int64_t dim = 0);
Tensor pad(const Tensor& x, const Dims& pads, double value = 0); ///< pairs, last dimension first
Tensor flip(const Tensor& x, const Dims& dims);
Tensor gather(const Tensor& x, std::int64_t dim, const Tensor& index);
Tensor index_select(const Tensor& x, std::int64_t dim, const Tensor& index);
Tensor one_hot(const Tensor& index, std::int64_t classes);

// --- linear algebra and layers
Tensor matmul(const Tensor& a, const Tensor& b); ///< NumPy semantics, batched
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {}); ///< weight [out, in]
struct ConvOptions {
    Dims stride{1, 1}, padding{0, 0}, dilation{1, 1};
    std::int64_t groups = 1;
};
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const ConvOptions& options = {});
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvOptions& options, const Dims& output_padding = {0, 0});
struct PoolOptions {
    Dims kernel{2, 2}, stride{2, 2}, padding{0, 0}, dilation{1, 1}; ///< dilation: max only
    bool ceil_mode = false;
    bool count_include_pad = true; ///< average only
};
Tensor max_pool2d(const Tensor& x, const PoolOptions& options);
Tensor avg_pool2d(const Tensor& x, const PoolOptions& options);
Tensor adaptive_avg_pool2d(const Tensor& x, const Dims& output_size);
/// Updates running_mean and running_var in place when training and they are defined.
Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& running_mean, const Tensor& running_var, bool training,
                  double momentum = 0.1, double eps = 1e-5);
Tensor layer_norm(const Tensor& x, const Dims& normalized_shape, const Tensor& weight = {},
                  const Tensor& bias = {}, double eps = 1e-5);
/// random: int64[2] {seed, step}; the mask is a function of (seed, step, stream, element) and is
/// not stored.
Tensor dropout(const Tensor& x, double p, const Tensor& random, std::int64_t stream);
Tensor embedding(const Tensor& index, const Tensor& weight, std::int64_t padding_idx = -1);
Tensor softmax(const Tensor& x, std::int64_t dim);
Tensor log_softmax(const Tensor& x, std::int64_t dim);

// --- losses
enum class Reduction { None, Mean, Sum };
struct CrossEntropyOptions {
    Reduction reduction = Reduction::Mean;
    std::int64_t ignore_index = -100;
    double label_smoothing = 0;
};
/// x [N, C, ...]; target int64 [N, ...] or probabilities of x's shape; weight [C] or undefined.
/// Throws ValueError naming the sample and the label when a label is outside [0, C).
Tensor cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight = {},
                     const CrossEntropyOptions& options = {});
Tensor mse_loss(const Tensor& x, const Tensor& target,
                Reduction reduction = Reduction::Mean); ///< equal shapes only
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::Mean);
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target,
                                        Reduction reduction = Reduction::Mean);

} // namespace wiregrad

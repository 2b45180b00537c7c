// The rest of PyTorch's tensor vocabulary, under its names and with its defaults: order, search,
// scattering, running sums, joining and cutting, matrix shapes, einsum. Most are made of the ops of
// ops.h, so that their gradients, and the gradients of those, come along. Any thread.
#pragma once

#include <string_view>
#include <utility>

#include "engine/op/ops.h"

namespace wiregrad {

struct ValuesAndIndices {
    Tensor values, indices;
};

// --- creation
Tensor arange(double start, double end, double step, DType dtype);
Tensor linspace(double start, double end, std::int64_t steps, DType dtype = DType::Float32);
Tensor eye(std::int64_t n, std::int64_t m = -1, DType dtype = DType::Float32);
Tensor full_like(const Tensor& x, double value);

// --- arithmetic
Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight);
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, double value = 1);
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, double value = 1);
Tensor logaddexp(const Tensor& a, const Tensor& b);
Tensor hypot(const Tensor& a, const Tensor& b); ///< sqrt(a^2 + b^2)
Tensor frac(const Tensor& x);
Tensor isinf(const Tensor& x);
Tensor logit(const Tensor& x, double eps = -1); ///< eps < 0: not clamped
Tensor sinc(const Tensor& x);

// --- along a dimension
Tensor cumsum(const Tensor& x, std::int64_t dim);
Tensor cumprod(const Tensor& x, std::int64_t dim);
Tensor logcumsumexp(const Tensor& x, std::int64_t dim);
ValuesAndIndices cummax(const Tensor& x, std::int64_t dim);
ValuesAndIndices cummin(const Tensor& x, std::int64_t dim);
/// y[i] = a[i] y[i - 1] + b[i], from the other end when reverse; y before the first is 0.
Tensor linear_scan(const Tensor& a, const Tensor& b, std::int64_t dim, bool reverse = false);
ValuesAndIndices max(const Tensor& x, std::int64_t dim, bool keepdim = false); ///< first of equals
ValuesAndIndices min(const Tensor& x, std::int64_t dim, bool keepdim = false);
Tensor median(const Tensor& x); ///< the lower one of two; equals share the gradient
ValuesAndIndices median(const Tensor& x, std::int64_t dim, bool keepdim = false);
ValuesAndIndices kthvalue(const Tensor& x, std::int64_t k, std::int64_t dim = -1,
                          bool keepdim = false);
/// Stable; NaN counts as the largest.
ValuesAndIndices sort(const Tensor& x, std::int64_t dim = -1, bool descending = false);
Tensor argsort(const Tensor& x, std::int64_t dim = -1, bool descending = false);
ValuesAndIndices topk(const Tensor& x, std::int64_t k, std::int64_t dim = -1, bool largest = true);
Tensor count_nonzero(const Tensor& x, const Dims& dims = {});
Tensor normalize(const Tensor& x, double p = 2, std::int64_t dim = 1, double eps = 1e-12);
Tensor cosine_similarity(const Tensor& a, const Tensor& b, std::int64_t dim = 1, double eps = 1e-8);
Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p = 2, double eps = 1e-6,
                         bool keepdim = false);
Tensor cdist(const Tensor& a, const Tensor& b, double p = 2);

// --- search and counting; results depend on values, so none of these runs in shape-only mode
Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool right = false);
Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right = false);
Tensor bincount(const Tensor& x, const Tensor& weights = {}, std::int64_t minlength = 0);
Tensor histc(const Tensor& x, std::int64_t bins = 100, double min = 0, double max = 0);
Tensor nonzero(const Tensor& x); ///< int64[count, rank]
struct UniqueResult {
    Tensor values, inverse, counts;
};
UniqueResult unique(const Tensor& x); ///< sorted
Tensor masked_select(const Tensor& x, const Tensor& mask);

// --- indices
Tensor scatter(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& source);
Tensor scatter_add(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& source);
Tensor index_add(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& source,
                 double alpha = 1);
Tensor index_copy(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& source);
Tensor index_fill(const Tensor& x, std::int64_t dim, const Tensor& index, double value);
/// x with values at the given positions, one index tensor (or none) for each leading dimension.
Tensor index_put(const Tensor& x, std::span<const Tensor> indices, const Tensor& values,
                 bool accumulate = false);
Tensor take(const Tensor& x, const Tensor& index); ///< of the elements in order
Tensor take_along_dim(const Tensor& x, const Tensor& index, std::int64_t dim);

// --- joining and cutting
Tensor narrow(const Tensor& x, std::int64_t dim, std::int64_t start, std::int64_t length);
Tensors split(const Tensor& x, std::int64_t size, std::int64_t dim = 0);
Tensors split(const Tensor& x, std::span<const std::int64_t> sizes, std::int64_t dim = 0);
Tensors chunk(const Tensor& x, std::int64_t chunks, std::int64_t dim = 0);
Tensors unbind(const Tensor& x, std::int64_t dim = 0);
Tensor roll(const Tensor& x, const Dims& shifts, const Dims& dims = {});
Tensor repeat(const Tensor& x, const Dims& repeats);
Tensor tile(const Tensor& x, const Dims& repeats);
Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, std::int64_t dim);
Tensor rot90(const Tensor& x, std::int64_t k, std::int64_t dim0, std::int64_t dim1);
Tensor movedim(const Tensor& x, const Dims& source, const Dims& target);
Tensor unflatten(const Tensor& x, std::int64_t dim, const Shape& sizes);
Tensor squeeze(const Tensor& x); ///< every size of 1
Tensors meshgrid(std::span<const Tensor> xs, bool xy = false);
/// mode: constant, reflect, replicate or circular; pairs, last dimension first.
Tensor pad(const Tensor& x, const Dims& pads, std::string_view mode, double value);
Tensor unfold_dim(const Tensor& x, std::int64_t dim, std::int64_t size, std::int64_t step);
/// Windows of a picture [N, C, H, W] as columns [N, C kh kw, windows], and back, adding up.
struct PatchOptions {
    Dims kernel{3, 3}, dilation{1, 1}, padding{0, 0}, stride{1, 1};
};
Tensor unfold(const Tensor& x, const PatchOptions& options);
Tensor fold(const Tensor& x, const Dims& output_size, const PatchOptions& options);

// --- matrices
Tensor tril(const Tensor& x, std::int64_t diagonal = 0);
Tensor triu(const Tensor& x, std::int64_t diagonal = 0);
Tensor diagonal(const Tensor& x, std::int64_t offset = 0, std::int64_t dim1 = 0,
                std::int64_t dim2 = 1);
Tensor diag_embed(const Tensor& x, std::int64_t offset = 0);
Tensor diag(const Tensor& x, std::int64_t diagonal = 0);
Tensor trace(const Tensor& x);
Tensor outer(const Tensor& a, const Tensor& b);
Tensor dot(const Tensor& a, const Tensor& b);
Tensor mv(const Tensor& a, const Tensor& b);
Tensor bmm(const Tensor& a, const Tensor& b);
/// beta x + alpha (a @ b); a and b are matrices, or both batches of them.
Tensor addmm(const Tensor& x, const Tensor& a, const Tensor& b, double beta = 1, double alpha = 1);
/// "ij,jk->ik"; repeated labels take a diagonal, "..." stands for leading dimensions.
Tensor einsum(std::string_view equation, std::span<const Tensor> operands);

} // namespace wiregrad

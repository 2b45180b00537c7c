// The reductions: sums, means, extremes and what is built from them.
#include <algorithm>
#include <cmath>

#include "engine/backend/cpu/bind.h"
#include "engine/kernel/loop.h"
#include "engine/kernel/reduce.h"
#include "engine/op/registry.h"
#include "engine/op/tensor_ops.h"

namespace wiregrad {
namespace {

using kernel::Fold;

/// The shape without the dimensions in `dims`, or with size 1 there.
Shape reduced_shape(const Shape& shape, const Dims& dims, bool keepdim) {
    Shape result;
    int next = 0;
    for (int d = 0; d < shape.size(); ++d) {
        const bool reduced = next < dims.size() && dims[next] == d;
        if (reduced) ++next;
        if (!reduced)
            result.push_back(shape[d]);
        else if (keepdim)
            result.push_back(1);
    }
    return result;
}

std::int64_t reduced_count(const Shape& shape, const Dims& dims) {
    std::int64_t count = 1;
    for (const std::int64_t d : dims)
        count *= shape[static_cast<int>(d)];
    return count;
}

template <Fold kFold> Metas fold_shape(const ShapeCall& c) {
    TensorMeta out = c.inputs[0];
    const Dims& dims = c.attrs.dims("dims");
    constexpr bool kTotal = kFold == Fold::Sum || kFold == Fold::Prod;
    if (!kTotal && reduced_count(out.shape, dims) == 0) {
        throw ShapeError(std::string(c.op.name) +
                         " of no elements does not exist; the input has shape " + out.shape.str() +
                         ".");
    }
    out.shape = reduced_shape(out.shape, dims, c.attrs.flag("keepdim"));
    if (kTotal && !is_floating(out.dtype)) out.dtype = DType::Int64;
    return {out};
}

Metas mean_shape(const ShapeCall& c) {
    if (!is_floating(c.inputs[0].dtype)) {
        throw DTypeError("mean needs a floating tensor, not " +
                         std::string(name_of(c.inputs[0].dtype)) + "; convert it first.");
    }
    return fold_shape<Fold::Sum>(c);
}

Metas arg_shape(const ShapeCall& c) {
    TensorMeta out = c.inputs[0];
    const std::int64_t dim = c.attrs.integer("dim");
    if (!out.shape.empty() && out.shape[static_cast<int>(dim)] == 0) {
        throw ShapeError(std::string(c.op.name) +
                         " of no elements does not exist; the input has shape " + out.shape.str() +
                         ".");
    }
    if (!out.shape.empty()) out.shape = reduced_shape(out.shape, {dim}, c.attrs.flag("keepdim"));
    out.dtype = DType::Int64;
    return {out};
}

template <Fold kFold> void fold_kernel(const KernelCall& c) {
    kernel::fold(kFold, c.inputs[0], c.attrs.dims("dims"), c.outputs[0]);
}

void mean_kernel(const KernelCall& c) {
    Tensor sum = c.outputs[0];
    const bool narrow = sum.dtype() != DType::Float32 && sum.dtype() != DType::Float64;
    if (narrow) sum = Tensor::empty(sum.shape(), DType::Float32);
    kernel::fold(Fold::Sum, c.inputs[0], c.attrs.dims("dims"), sum);
    kernel::Params params;
    params.v[0] = static_cast<double>(reduced_count(c.inputs[0].shape(), c.attrs.dims("dims")));
    const kernel::Operand self = kernel::operand(*sum.body(), sum.shape());
    const kernel::Operand operands[] = {self, self};
    const auto divide = static_cast<std::size_t>(kernel::Unary::DivScalar);
    kernel::run_loop(kernel::table().unary[divide][static_cast<std::size_t>(sum.dtype())],
                     sum.shape(), operands, params);
    if (narrow) cpu_copy(c.outputs[0], sum);
}

template <bool kLargest> void arg_kernel(const KernelCall& c) {
    kernel::arg_extreme(kLargest, c.inputs[0], static_cast<int>(c.attrs.integer("dim")),
                        c.outputs[0]);
}

/// y with the reduced dimensions back as size 1.
Tensor with_kept_dims(const GradCall& c, const Tensor& y) {
    return reshape(y, reduced_shape(c.input_metas[0].shape, c.attrs.dims("dims"), true));
}

Tensors sum_gradient(const GradCall& c) {
    const Tensor g = to(c.grads[0], c.input_metas[0].dtype);
    return {expand(with_kept_dims(c, g), c.input_metas[0].shape)};
}

Tensors mean_gradient(const GradCall& c) {
    const auto count =
        static_cast<double>(reduced_count(c.input_metas[0].shape, c.attrs.dims("dims")));
    return {expand(with_kept_dims(c, div(c.grads[0], count)), c.input_metas[0].shape)};
}

/// Ties share the gradient evenly, as in PyTorch.
Tensors extreme_gradient(const GradCall& c) {
    const Tensor& x = c.inputs[0];
    const Tensor hits = to(eq(x, with_kept_dims(c, c.outputs[0])), x.dtype());
    const Tensor share = div(with_kept_dims(c, c.grads[0]), sum(hits, c.attrs.dims("dims"), true));
    return {mul(hits, share)};
}

/// The product of all others, for each element: of those before times of those after, so that zeros
/// divide nothing.
Tensors prod_gradient(const GradCall& c) {
    const Tensor& x = c.inputs[0];
    const Dims& dims = c.attrs.dims("dims");
    if (x.numel() == 0) return {zeros_like(x)};
    if (dims.empty()) return {c.grads[0]};
    Dims order; // the reduced dimensions last, then as one
    for (int d = 0; d < x.dim(); ++d)
        if (std::find(dims.begin(), dims.end(), d) == dims.end()) order.push_back(d);
    const int kept = order.size();
    Shape flat, whole;
    for (const std::int64_t d : dims)
        order.push_back(d);
    Dims back = order;
    for (int i = 0; i < order.size(); ++i) {
        back[static_cast<int>(order[i])] = i;
        whole.push_back(x.shape()[static_cast<int>(order[i])]);
        if (i < kept) flat.push_back(whole[i]);
    }
    flat.push_back(reduced_count(x.shape(), dims));
    const Tensor row = reshape(permute(x, order), flat);
    const Tensor before = pad(cumprod(row, -1), {1, -1}, 1);
    const Tensor after = flip(pad(cumprod(flip(row, {-1}), -1), {1, -1}, 1), {-1});
    const Tensor others = permute(reshape(mul(before, after), whole), back);
    return {mul(others, with_kept_dims(c, c.grads[0]))};
}

Saves save_input_and_output(Mask, const Attrs&) {
    return {1, 1};
}

Cost fold_cost(const ShapeCall& c, std::span<const TensorMeta> outputs) {
    const auto read = static_cast<double>(numel(c.inputs[0].shape));
    const auto written = static_cast<double>(numel(outputs[0].shape));
    return {read, read * static_cast<double>(size_of(c.inputs[0].dtype)) +
                      written * static_cast<double>(size_of(outputs[0].dtype))};
}

/// What a bias of a convolution gets.
std::unique_ptr<Bound> bind_sum(BindCall& call) {
    return call.attrs.dims("dims") == Dims{0, 2, 3} ? cpu::bind_channel_sums(call) : nullptr;
}

std::vector<Op> make_rows() {
    std::vector<Op> rows{
        {.name = "sum",
         .help = "sum over dims",
         .shape = fold_shape<Fold::Sum>,
         .gradient = sum_gradient,
         .cost = fold_cost,
         .onnx = "ReduceSum",
         .bind = {bind_sum}},
        {.name = "prod",
         .help = "product over dims",
         .shape = fold_shape<Fold::Prod>,
         .gradient = prod_gradient,
         .saves = [](Mask, const Attrs&) -> Saves {
             return {1, 0};
         },
         .cost = fold_cost,
         .onnx = "ReduceProd"},
        {.name = "mean",
         .help = "sum over dims divided by the number of elements",
         .shape = mean_shape,
         .gradient = mean_gradient,
         .cost = fold_cost,
         .onnx = "ReduceMean"},
        {.name = "amax",
         .help = "largest element over dims; NaN wins",
         .shape = fold_shape<Fold::Max>,
         .gradient = extreme_gradient,
         .saves = save_input_and_output,
         .cost = fold_cost,
         .onnx = "ReduceMax"},
        {.name = "amin",
         .help = "smallest element over dims; NaN wins",
         .shape = fold_shape<Fold::Min>,
         .gradient = extreme_gradient,
         .saves = save_input_and_output,
         .cost = fold_cost,
         .onnx = "ReduceMin"},
        {.name = "argmax",
         .help = "index of the first largest element along dim",
         .shape = arg_shape,
         .cost = fold_cost,
         .flags = kNoGrad,
         .onnx = "ArgMax"},
        {.name = "argmin",
         .help = "index of the first smallest element along dim",
         .shape = arg_shape,
         .cost = fold_cost,
         .flags = kNoGrad,
         .onnx = "ArgMin"},
    };
    const Kernel kernels[] = {fold_kernel<Fold::Sum>, fold_kernel<Fold::Prod>, mean_kernel,
                              fold_kernel<Fold::Max>, fold_kernel<Fold::Min>,  arg_kernel<true>,
                              arg_kernel<false>};
    for (std::size_t i = 0; i < rows.size(); ++i)
        rows[i].kernel[0] = kernels[i];
    return rows;
}

/// Wrapped, sorted, without repetition; empty stands for all.
Dims wrapped_dims(std::string_view op, const Tensor& x, const Dims& dims) {
    Dims result;
    if (dims.empty()) {
        for (int d = 0; d < x.dim(); ++d)
            result.push_back(d);
        return result;
    }
    for (const std::int64_t dim : dims) {
        const int d = wrap_dim(dim, x.dim());
        if (x.dim() == 0) continue;
        if (std::find(result.begin(), result.end(), d) != result.end()) {
            throw ShapeError(std::string(op) + ": dimension " + std::to_string(d) +
                             " is listed twice in " + dims.str() + ".");
        }
        result.push_back(d);
    }
    std::sort(result.begin(), result.end());
    return result;
}

Tensor reduce(const Op& op, const Tensor& x, const Dims& dims, bool keepdim) {
    return call_one(op, x, {{"dims", wrapped_dims(op.name, x, dims)}, {"keepdim", keepdim}});
}

Tensor arg_reduce(const Op& op, const Tensor& x, std::int64_t dim, bool keepdim) {
    return call_one(
        op, x, {{"dim", static_cast<std::int64_t>(wrap_dim(dim, x.dim()))}, {"keepdim", keepdim}});
}

} // namespace

std::span<const Op> reduce_ops() {
    static const std::vector<Op> rows = make_rows();
    return rows;
}

Tensor sum(const Tensor& x, const Dims& dims, bool keepdim) {
    static const Op& op = find_op("sum");
    return reduce(op, x, dims, keepdim);
}
Tensor mean(const Tensor& x, const Dims& dims, bool keepdim) {
    static const Op& op = find_op("mean");
    return reduce(op, x, dims, keepdim);
}
Tensor amax(const Tensor& x, const Dims& dims, bool keepdim) {
    static const Op& op = find_op("amax");
    return reduce(op, x, dims, keepdim);
}
Tensor amin(const Tensor& x, const Dims& dims, bool keepdim) {
    static const Op& op = find_op("amin");
    return reduce(op, x, dims, keepdim);
}
Tensor argmax(const Tensor& x, std::int64_t dim, bool keepdim) {
    static const Op& op = find_op("argmax");
    return arg_reduce(op, x, dim, keepdim);
}
Tensor argmin(const Tensor& x, std::int64_t dim, bool keepdim) {
    static const Op& op = find_op("argmin");
    return arg_reduce(op, x, dim, keepdim);
}

Tensor var(const Tensor& x, const Dims& dims, bool unbiased, bool keepdim) {
    const Dims over = wrapped_dims("var", x, dims);
    const auto count = static_cast<double>(reduced_count(x.shape(), over));
    const Tensor centred = sub(x, mean(x, over.empty() ? dims : over, true));
    return div(sum(square(centred), over, keepdim), std::max(count - (unbiased ? 1 : 0), 0.0));
}

Tensor prod(const Tensor& x, const Dims& dims, bool keepdim) {
    static const Op& op = find_op("prod");
    return reduce(op, x, dims, keepdim);
}

/// sqrt with slope 0 at 0.
static Tensor safe_sqrt(const Tensor& x) {
    const Tensor zero = eq(x, 0);
    return masked_fill(sqrt(masked_fill(x, zero, 1)), zero, 0);
}

Tensor stddev(const Tensor& x, const Dims& dims, bool unbiased, bool keepdim) {
    return safe_sqrt(var(x, dims, unbiased, keepdim));
}

Tensor vector_norm(const Tensor& x, double p, const Dims& dims, bool keepdim) {
    if (p == 2) return safe_sqrt(sum(square(x), dims, keepdim));
    const Tensor size = abs(x);
    if (p == 1) return sum(size, dims, keepdim);
    if (p == 0) return sum(to(ne(x, 0), x.dtype()), dims, keepdim);
    if (std::isinf(p)) return p > 0 ? amax(size, dims, keepdim) : amin(size, dims, keepdim);
    // A norm of 0 and elements of 0 have no slope: their powers are kept out of the gradient.
    const Tensor zero = eq(x, 0);
    const Tensor powers = masked_fill(pow(masked_fill(size, zero, 1), p), zero, std::pow(0.0, p));
    const Tensor total = sum(powers, dims, keepdim);
    const Tensor none = eq(total, 0);
    return masked_fill(pow(masked_fill(total, none, 1), 1 / p), none, 0);
}

Tensor any(const Tensor& x, const Dims& dims, bool keepdim) {
    return ne(sum(ne(x, 0), dims, keepdim), 0);
}
Tensor all(const Tensor& x, const Dims& dims, bool keepdim) {
    return eq(sum(eq(x, 0), dims, keepdim), 0);
}

Tensor logsumexp(const Tensor& x, const Dims& dims, bool keepdim) {
    // The largest element only shifts the exponents: it needs no gradient, and an infinite one must
    // not make inf - inf.
    const Tensor largest = amax(x.detach(), dims, true);
    const Tensor shift = where(isfinite(largest), largest, zeros_like(largest));
    const Tensor result = add(log(sum(exp(sub(x, shift)), dims, true)), shift);
    return keepdim ? result
                   : reshape(result,
                             reduced_shape(x.shape(), wrapped_dims("logsumexp", x, dims), false));
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
    if (x.shape() == shape) return x;
    const int lead = x.dim() - shape.size();
    if (lead < 0 || broadcast(x.shape(), shape) != x.shape()) {
        throw ShapeError("sum_to: shape " + shape.str() + " does not broadcast to " +
                         x.shape().str() + ".");
    }
    Dims dims;
    for (int d = 0; d < x.dim(); ++d) {
        if (d < lead || (shape[d - lead] == 1 && x.shape()[d] != 1)) dims.push_back(d);
    }
    const Tensor result = dims.empty() ? x : sum(x, dims, true);
    return reshape(result, shape);
}

} // namespace wiregrad

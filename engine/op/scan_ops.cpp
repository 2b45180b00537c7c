// Running sums, products and extremes along a dimension. What runs along a dimension differentiates
// to something that runs back, so linear_scan (y[i] = a[i] y[i - 1] + b[i]) closes the family.
#include <cmath>

#include "engine/op/lines.h"
#include "engine/op/registry.h"
#include "engine/op/tensor_ops.h"

namespace wiregrad {
namespace {

using namespace lines;

/// Calls f(first element, stride) for each line along the dimension.
template <class F> void each_line(const Lines& lines, const F& f) {
    for (std::int64_t o = 0; o < lines.outer; ++o)
        for (std::int64_t i = 0; i < lines.inner; ++i)
            f(o * lines.length * lines.inner + i, lines.inner);
}

Metas running_shape(const ShapeCall& c) {
    TensorMeta out = c.inputs[0];
    if (!is_floating(out.dtype)) out.dtype = DType::Int64;
    return {out};
}

Metas scan_shape(const ShapeCall& c) {
    if (c.inputs[0].shape != c.inputs[1].shape || c.inputs[0].dtype != c.inputs[1].dtype)
        throw ShapeError("linear_scan: factors " + c.inputs[0].shape.str() + " and terms " +
                         c.inputs[1].shape.str() + " need one shape and dtype.");
    return {c.inputs[1]};
}

Metas extremes_shape(const ShapeCall& c) {
    TensorMeta index = c.inputs[0];
    index.dtype = DType::Int64;
    return {c.inputs[0], index};
}

/// Runs f<T, Sum>(...) in the type that the result is summed in: double for every floating dtype.
template <class F> void by_work(DType dtype, const F& f) {
    if (is_floating(dtype))
        f(double{});
    else
        f(std::int64_t{});
}

void cumsum_kernel(const KernelCall& c) {
    by_work(c.inputs[0].dtype(), [&]<class T>(T) {
        const Tensor x = as(c.inputs[0], kDTypeOf<T>);
        Tensor y = Tensor::empty(x.shape(), kDTypeOf<T>);
        const T* from = x.data<T>();
        T* into = y.data_mut<T>();
        const Lines lines = lines_of(x.shape(), c.attrs.integer("dim"));
        each_line(lines, [&](std::int64_t at, std::int64_t stride) {
            T total = 0;
            for (std::int64_t i = 0; i < lines.length; ++i, at += stride)
                into[at] = total += from[at];
        });
        cpu_copy(c.outputs[0], y);
    });
}

void linear_scan_kernel(const KernelCall& c) {
    by_work(c.inputs[0].dtype(), [&]<class T>(T) {
        const Tensor a = as(c.inputs[0], kDTypeOf<T>), b = as(c.inputs[1], kDTypeOf<T>);
        Tensor y = Tensor::empty(a.shape(), kDTypeOf<T>);
        const T *factor = a.data<T>(), *term = b.data<T>();
        T* into = y.data_mut<T>();
        const Lines lines = lines_of(a.shape(), c.attrs.integer("dim"));
        const bool reverse = c.attrs.flag("reverse");
        each_line(lines, [&](std::int64_t at, std::int64_t stride) {
            if (reverse) at += (lines.length - 1) * stride;
            T value = 0;
            for (std::int64_t i = 0; i < lines.length; ++i, at += reverse ? -stride : stride) {
                value = i == 0 ? term[at] : factor[at] * value + term[at];
                into[at] = value;
            }
        });
        cpu_copy(c.outputs[0], y);
    });
}

void logcumsumexp_kernel(const KernelCall& c) {
    const Tensor x = as(c.inputs[0], DType::Float64);
    Tensor y = Tensor::empty(x.shape(), DType::Float64);
    const double* from = x.data<double>();
    double* into = y.data_mut<double>();
    const Lines lines = lines_of(x.shape(), c.attrs.integer("dim"));
    each_line(lines, [&](std::int64_t at, std::int64_t stride) {
        double total = -INFINITY;
        for (std::int64_t i = 0; i < lines.length; ++i, at += stride) {
            const double low = std::fmin(total, from[at]), high = std::fmax(total, from[at]);
            if (std::isnan(total) || std::isnan(from[at]))
                total = NAN;
            else if (low != high || std::isfinite(low))
                total = high + std::log1p(std::exp(low - high));
            into[at] = total;
        }
    });
    cpu_copy(c.outputs[0], y);
}

template <bool kLargest> void extremes_kernel(const KernelCall& c) {
    by_work(c.inputs[0].dtype(), [&]<class T>(T) {
        const Tensor x = as(c.inputs[0], kDTypeOf<T>);
        Tensor y = Tensor::empty(x.shape(), kDTypeOf<T>);
        const T* from = x.data<T>();
        T* into = y.data_mut<T>();
        auto* index = c.outputs[1].data_mut<std::int64_t>();
        const Lines lines = lines_of(x.shape(), c.attrs.integer("dim"));
        each_line(lines, [&](std::int64_t at, std::int64_t stride) {
            std::int64_t best = 0;
            T value{};
            for (std::int64_t i = 0; i < lines.length; ++i, at += stride) {
                const T next = from[at];
                const bool nan = next != next, better = kLargest ? next >= value : next <= value;
                if (i == 0 || nan || (value == value && better)) { // the last of equals
                    best = i;
                    value = next;
                }
                into[at] = value;
                index[at] = best;
            }
        });
        cpu_copy(c.outputs[0], y);
    });
}

// --- gradients

/// x moved by one place along dim, towards the end or the beginning; `value` comes in.
Tensor shifted(const Tensor& x, std::int64_t dim, bool towards_end, double value = 0) {
    Dims pads = Dims::filled(2 * (x.dim() - static_cast<int>(dim)), 0);
    const int last = pads.size() - 2;
    pads[last] = towards_end ? 1 : -1;
    pads[last + 1] = -pads[last];
    return pad(x, pads, value);
}

Tensors linear_scan_gradient(const GradCall& c) {
    const std::int64_t dim = c.attrs.integer("dim");
    const bool reverse = c.attrs.flag("reverse");
    const Tensor next = shifted(c.inputs[0], dim, reverse);
    const Tensor by_term = linear_scan(next, c.grads[0], dim, !reverse);
    Tensors result(2);
    if (c.need(0)) result[0] = mul(by_term, shifted(c.outputs[0], dim, !reverse));
    if (c.need(1)) result[1] = by_term;
    return result;
}

/// e^(a - b), 1 where both are equal, also where both are infinite.
Tensor ratio(const Tensor& a, const Tensor& b) {
    return exp(masked_fill(sub(a, b), eq(a, b), 0));
}

// The weight of x[i] in y[j] is e^(x[i] - y[j]) = e^(x[i] - y[i]) e^(y[i] - y[i+1]) ..., all at
// most 1: nothing overflows.
Tensors logcumsumexp_gradient(const GradCall& c) {
    const std::int64_t dim = c.attrs.integer("dim");
    const Tensor &x = c.inputs[0], &y = c.outputs[0];
    const Tensor decay = ratio(y, shifted(y, dim, false, INFINITY));
    return {mul(ratio(x, y), linear_scan(decay, c.grads[0], dim, true))};
}

Tensors extremes_gradient(const GradCall& c) {
    static const Op& op = find_op("gather_backward");
    return {call_one(op, c.grads[0], c.outputs[1],
                     {{"shape", c.input_metas[0].shape}, {"dim", c.attrs.integer("dim")}})};
}

std::vector<Op> make_rows() {
    std::vector<Op> rows{
        {.name = "cumsum",
         .help = "sums of the elements up to each one along dim",
         .shape = running_shape,
         .kernel = {cumsum_kernel},
         .gradient = [](const GradCall& c) -> Tensors {
             const std::int64_t dim = c.attrs.integer("dim");
             return {flip(cumsum(flip(c.grads[0], {dim}), dim), {dim})};
         },
         .onnx = "CumSum"},
        {.name = "linear_scan",
         .help = "y[i] = a[i] y[i - 1] + b[i] along dim, with y[-1] = 0",
         .shape = scan_shape,
         .kernel = {linear_scan_kernel},
         .gradient = linear_scan_gradient,
         .saves = [](Mask needs, const Attrs&) -> Saves {
             return {1, needs & 1U};
         }},
        {.name = "logcumsumexp",
         .help = "log of the sums of e^x up to each one along dim",
         .shape = running_shape,
         .kernel = {logcumsumexp_kernel},
         .gradient = logcumsumexp_gradient,
         .saves = [](Mask, const Attrs&) -> Saves {
             return {1, 1};
         }},
        {.name = "cummax",
         .help = "largest element up to each one along dim, and where it is",
         .shape = extremes_shape,
         .kernel = {extremes_kernel<true>},
         .gradient = extremes_gradient,
         .saves = [](Mask, const Attrs&) -> Saves {
             return {0, 2};
         },
         .visible_outputs = 2},
        {.name = "cummin",
         .help = "smallest element up to each one along dim, and where it is",
         .shape = extremes_shape,
         .kernel = {extremes_kernel<false>},
         .gradient = extremes_gradient,
         .saves = [](Mask, const Attrs&) -> Saves {
             return {0, 2};
         },
         .visible_outputs = 2},
    };
    return rows;
}

} // namespace

std::span<const Op> scan_ops() {
    static const std::vector<Op> rows = make_rows();
    return rows;
}

Tensor cumsum(const Tensor& x, std::int64_t dim) {
    static const Op& op = find_op("cumsum");
    const std::int64_t d = wrap_dim(dim, x.dim());
    if (x.dim() == 0) return is_floating(x.dtype()) ? mul(x, 1) : to(x, DType::Int64);
    return call_one(op, x, {{"dim", d}});
}

Tensor linear_scan(const Tensor& a, const Tensor& b, std::int64_t dim, bool reverse) {
    static const Op& op = find_op("linear_scan");
    if (a.dim() == 0)
        throw ShapeError("linear_scan: a 0-dim tensor has no dimension to run along.");
    return call_one(
        op, a, b,
        {{"dim", static_cast<std::int64_t>(wrap_dim(dim, a.dim()))}, {"reverse", reverse}});
}

Tensor cumprod(const Tensor& x, std::int64_t dim) {
    const std::int64_t d = wrap_dim(dim, x.dim());
    const Tensor from = is_floating(x.dtype()) ? x : to(x, DType::Int64);
    if (x.dim() == 0) return mul(from, 1);
    if (x.shape()[static_cast<int>(d)] == 0) return from;
    Dims pads = Dims::filled(2 * (x.dim() - static_cast<int>(d)), 0);
    pads[pads.size() - 1] = x.shape()[static_cast<int>(d)] - 1;
    return linear_scan(from, pad(slice(from, d, 0, 1), pads), d);
}

Tensor logcumsumexp(const Tensor& x, std::int64_t dim) {
    static const Op& op = find_op("logcumsumexp");
    const std::int64_t d = wrap_dim(dim, x.dim());
    if (!is_floating(x.dtype()))
        throw DTypeError("logcumsumexp needs a floating tensor, not " +
                         std::string(name_of(x.dtype())) + ".");
    if (x.dim() == 0) return mul(x, 1);
    return call_one(op, x, {{"dim", d}});
}

static ValuesAndIndices running_extreme(const char* name, const Tensor& x, std::int64_t dim) {
    const std::int64_t d = wrap_dim(dim, x.dim());
    if (x.dim() == 0) return {mul(x, 1), Tensor::zeros({}, DType::Int64)};
    const Tensor inputs[] = {x};
    Tensors both = call(find_op(name), inputs, {{"dim", d}});
    return {both[0], both[1]};
}
ValuesAndIndices cummax(const Tensor& x, std::int64_t dim) {
    return running_extreme("cummax", x, dim);
}
ValuesAndIndices cummin(const Tensor& x, std::int64_t dim) {
    return running_extreme("cummin", x, dim);
}

} // namespace wiregrad

// Order, search and counting. The rows whose result's size depends on values take that size as an
// attribute: the wrapper looks first.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/autograd/tape.h"
#include "engine/op/lines.h"
#include "engine/op/registry.h"
#include "engine/op/tensor_ops.h"

namespace wiregrad {
namespace {

using namespace lines;

/// Calls f with a double or an int64, whichever holds every value of `dtype` exactly.
template <class F> void by_order(DType dtype, const F& f) {
    if (is_floating(dtype))
        f(double{});
    else
        f(std::int64_t{});
}

Metas sort_shape(const ShapeCall& c) {
    TensorMeta index = c.inputs[0];
    index.dtype = DType::Int64;
    return {c.inputs[0], index};
}

void sort_kernel(const KernelCall& c) {
    const bool descending = c.attrs.flag("descending");
    by_order(c.inputs[0].dtype(), [&]<class T>(T) {
        const Tensor x = as(c.inputs[0], kDTypeOf<T>);
        Tensor y = Tensor::empty(x.shape(), kDTypeOf<T>);
        const T* from = x.data<T>();
        T* into = y.data_mut<T>();
        auto* index = c.outputs[1].data_mut<std::int64_t>();
        const Lines lines = lines_of(x.shape(), c.attrs.integer("dim"));
        std::vector<std::int64_t> order(static_cast<std::size_t>(lines.length));
        for (std::int64_t o = 0; o < lines.outer; ++o)
            for (std::int64_t i = 0; i < lines.inner; ++i) {
                const std::int64_t base = o * lines.length * lines.inner + i;
                const auto value = [&](std::int64_t k) { return from[base + k * lines.inner]; };
                std::iota(order.begin(), order.end(), std::int64_t{0});
                std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
                    const T left = descending ? value(b) : value(a),
                            right = descending ? value(a) : value(b);
                    return left < right || (left == left && right != right); // NaN last
                });
                for (std::int64_t k = 0; k < lines.length; ++k) {
                    const std::int64_t source = order[static_cast<std::size_t>(k)];
                    into[base + k * lines.inner] = value(source);
                    index[base + k * lines.inner] = source;
                }
            }
        cpu_copy(c.outputs[0], y);
    });
}

Metas searchsorted_shape(const ShapeCall& c) {
    const TensorMeta &sorted = c.inputs[0], &values = c.inputs[1];
    bool fits = !sorted.shape.empty();
    if (fits && sorted.shape.size() > 1) {
        fits = sorted.shape.size() == values.shape.size();
        for (int d = 0; fits && d + 1 < sorted.shape.size(); ++d)
            fits = sorted.shape[d] == values.shape[d];
    }
    if (!fits)
        throw ShapeError("searchsorted: boundaries " + sorted.shape.str() +
                         " must be one row, or as many rows as the values " + values.shape.str() +
                         " have.");
    return {{values.shape, DType::Int64, values.device}};
}

void searchsorted_kernel(const KernelCall& c) {
    const bool right = c.attrs.flag("right");
    const bool real = is_floating(c.inputs[0].dtype()) || is_floating(c.inputs[1].dtype());
    by_order(real ? DType::Float64 : DType::Int64, [&]<class T>(T) {
        const Tensor sorted = as(c.inputs[0], kDTypeOf<T>), values = as(c.inputs[1], kDTypeOf<T>);
        const std::int64_t length = sorted.shape().back();
        const bool shared = sorted.dim() == 1;
        const std::int64_t row = values.dim() == 0 ? 1 : values.shape().back();
        auto* into = c.outputs[0].data_mut<std::int64_t>();
        for (std::int64_t i = 0; i < values.numel(); ++i) {
            const T* first = sorted.data<T>() + (shared ? 0 : i / row * length);
            const T value = values.data<T>()[i];
            const auto less = [](T a, T b) { return a < b || (a == a && b != b); };
            const T* at = right ? std::upper_bound(first, first + length, value, less)
                                : std::lower_bound(first, first + length, value, less);
            into[i] = at - first;
        }
    });
}

Metas bincount_shape(const ShapeCall& c) {
    const TensorMeta& x = c.inputs[0];
    if (x.shape.size() != 1 || is_floating(x.dtype))
        throw ShapeError("bincount needs one row of integers, not " +
                         std::string(name_of(x.dtype)) + x.shape.str() + ".");
    TensorMeta out{{c.attrs.integer("size")}, DType::Int64, x.device};
    if ((c.present & 2U) != 0) {
        if (c.inputs[1].shape != x.shape)
            throw ShapeError("bincount: weights " + c.inputs[1].shape.str() +
                             " do not match the input " + x.shape.str() + ".");
        out.dtype = c.inputs[1].dtype == DType::Float32 ? DType::Float32 : DType::Float64;
    }
    return {out};
}

void bincount_kernel(const KernelCall& c) {
    const Tensor x = as(c.inputs[0], DType::Int64);
    const bool weighted = c.inputs.size() > 1 && c.inputs[1].defined();
    const Tensor weights = weighted ? as(c.inputs[1], DType::Float64) : Tensor();
    std::vector<double> sums(static_cast<std::size_t>(c.outputs[0].numel()), 0.0);
    for (std::int64_t i = 0; i < x.numel(); ++i)
        sums[static_cast<std::size_t>(x.data<std::int64_t>()[i])] +=
            weighted ? weights.data<double>()[i] : 1.0;
    cpu_copy(c.outputs[0], Tensor::from(sums, c.outputs[0].shape()));
}

Metas histc_shape(const ShapeCall& c) {
    if (!is_floating(c.inputs[0].dtype))
        throw DTypeError("histc needs a floating tensor, not " +
                         std::string(name_of(c.inputs[0].dtype)) + ".");
    return {{{c.attrs.integer("bins")}, c.inputs[0].dtype, c.inputs[0].device}};
}

void histc_kernel(const KernelCall& c) {
    const Tensor x = as(c.inputs[0], DType::Float64);
    const double low = c.attrs.real("min"), high = c.attrs.real("max");
    const auto bins = static_cast<double>(c.attrs.integer("bins"));
    std::vector<double> counts(static_cast<std::size_t>(c.outputs[0].numel()), 0.0);
    for (std::int64_t i = 0; i < x.numel(); ++i) {
        const double value = x.data<double>()[i];
        if (!(value >= low && value <= high)) continue;
        const double at = std::min(std::floor((value - low) / (high - low) * bins), bins - 1);
        counts[static_cast<std::size_t>(at)] += 1;
    }
    cpu_copy(c.outputs[0], Tensor::from(counts, c.outputs[0].shape()));
}

Metas nonzero_shape(const ShapeCall& c) {
    return {
        {{c.attrs.integer("count"), c.inputs[0].shape.size()}, DType::Int64, c.inputs[0].device}};
}

void nonzero_kernel(const KernelCall& c) {
    const Tensor x = as(c.inputs[0], DType::Bool);
    const int rank = x.dim();
    auto* into = c.outputs[0].data_mut<std::int64_t>();
    std::int64_t left = c.outputs[0].shape()[0];
    for (std::int64_t i = 0; i < x.numel() && left > 0; ++i) {
        if (!x.data<bool>()[i]) continue;
        std::int64_t rest = i;
        for (int d = rank - 1; d >= 0; --d) {
            into[d] = rest % x.shape()[d];
            rest /= x.shape()[d];
        }
        into += rank;
        --left;
    }
}

Tensors sort_gradient(const GradCall& c) {
    static const Op& op = find_op("gather_backward");
    return {call_one(op, c.grads[0], c.outputs[1],
                     {{"shape", c.input_metas[0].shape}, {"dim", c.attrs.integer("dim")}})};
}

void need_values(const char* op, const Tensor& x) {
    if (!x.has_data())
        throw ValueError(std::string(op) +
                         ": the size of the result depends on values, which are not known yet.");
}

Tensor at_index(const Tensor& x, const Tensor& index, std::int64_t dim, bool keepdim) {
    const Tensor kept = unsqueeze(index, dim);
    const Tensor values = gather(x, dim, kept);
    return keepdim ? values : squeeze(values, dim);
}

ValuesAndIndices extreme(const Tensor& x, std::int64_t dim, bool keepdim,
                         Tensor (*arg)(const Tensor&, std::int64_t, bool)) {
    const std::int64_t d = wrap_dim(dim, x.dim());
    if (x.dim() == 0) return {mul(x, 1), Tensor::zeros({}, DType::Int64)};
    const Tensor index = arg(x.detach(), d, false);
    return {at_index(x, index, d, keepdim), keepdim ? unsqueeze(index, d) : index};
}

} // namespace

std::span<const Op> sort_ops() {
    static const Op rows[] = {
        {.name = "sort",
         .help = "x in order along dim, and where each element was; equals keep their order",
         .shape = sort_shape,
         .kernel = {sort_kernel},
         .gradient = sort_gradient,
         .saves = [](Mask, const Attrs&) -> Saves {
             return {0, 2};
         },
         .visible_outputs = 2},
        {.name = "searchsorted",
         .help = "where each value would be put into a sorted row",
         .shape = searchsorted_shape,
         .kernel = {searchsorted_kernel},
         .flags = kNoGrad},
        {.name = "bincount",
         .help = "how often each integer occurs, or the sum of its weights",
         .shape = bincount_shape,
         .kernel = {bincount_kernel},
         .flags = kNoGrad},
        {.name = "histc",
         .help = "how many elements lie in each of equal bins",
         .shape = histc_shape,
         .kernel = {histc_kernel},
         .flags = kNoGrad},
        {.name = "nonzero",
         .help = "positions of the elements that are not 0",
         .shape = nonzero_shape,
         .kernel = {nonzero_kernel},
         .flags = kNoGrad,
         .onnx = "NonZero"},
    };
    return rows;
}

ValuesAndIndices sort(const Tensor& x, std::int64_t dim, bool descending) {
    static const Op& op = find_op("sort");
    const std::int64_t d = wrap_dim(dim, x.dim());
    if (x.dim() == 0) return {mul(x, 1), Tensor::zeros({}, DType::Int64)};
    const Tensor inputs[] = {x};
    Tensors both = call(op, inputs, {{"dim", d}, {"descending", descending}});
    return {both[0], both[1]};
}
Tensor argsort(const Tensor& x, std::int64_t dim, bool descending) {
    return sort(x.detach(), dim, descending).indices;
}

ValuesAndIndices topk(const Tensor& x, std::int64_t k, std::int64_t dim, bool largest) {
    const std::int64_t d = wrap_dim(dim, x.dim());
    const std::int64_t size = x.dim() == 0 ? 1 : x.shape()[static_cast<int>(d)];
    if (k < 0 || k > size)
        throw ValueError("topk: k is " + std::to_string(k) + ", dimension " + std::to_string(d) +
                         " of shape " + x.shape().str() + " has " + std::to_string(size) +
                         " elements.");
    const ValuesAndIndices sorted = sort(x, d, largest);
    if (x.dim() == 0) return sorted;
    return {slice(sorted.values, d, 0, k), contiguous(slice(sorted.indices, d, 0, k))};
}

ValuesAndIndices kthvalue(const Tensor& x, std::int64_t k, std::int64_t dim, bool keepdim) {
    const std::int64_t d = wrap_dim(dim, x.dim());
    const std::int64_t size = x.dim() == 0 ? 1 : x.shape()[static_cast<int>(d)];
    if (k < 1 || k > size)
        throw ValueError("kthvalue: k is " + std::to_string(k) + ", dimension " +
                         std::to_string(d) + " of shape " + x.shape().str() + " has " +
                         std::to_string(size) + " elements.");
    const ValuesAndIndices sorted = sort(x, d);
    if (x.dim() == 0) return sorted;
    Tensor values = slice(sorted.values, d, k - 1, k), indices = slice(sorted.indices, d, k - 1, k);
    if (!keepdim) {
        values = squeeze(values, d);
        indices = squeeze(indices, d);
    }
    return {values, contiguous(indices)};
}

ValuesAndIndices max(const Tensor& x, std::int64_t dim, bool keepdim) {
    return extreme(x, dim, keepdim, argmax);
}
ValuesAndIndices min(const Tensor& x, std::int64_t dim, bool keepdim) {
    return extreme(x, dim, keepdim, argmin);
}

ValuesAndIndices median(const Tensor& x, std::int64_t dim, bool keepdim) {
    const std::int64_t d = wrap_dim(dim, x.dim());
    if (x.dim() == 0) return {mul(x, 1), Tensor::zeros({}, DType::Int64)};
    const std::int64_t size = x.shape()[static_cast<int>(d)];
    if (size == 0)
        throw ShapeError("median of no elements does not exist; the input has shape " +
                         x.shape().str() + ".");
    const Tensor order = argsort(x, d);
    // A NaN, which sorts last, is the median of whatever it is among.
    Tensor index = select(order, d, (size - 1) / 2);
    if (is_floating(x.dtype())) {
        const Tensor worst = select(order, d, size - 1);
        index = where(isnan(at_index(x.detach(), worst, d, false)), worst, index);
    }
    return {at_index(x, contiguous(index), d, keepdim),
            keepdim ? unsqueeze(index, d) : contiguous(index)};
}

Tensor median(const Tensor& x) {
    const Tensor flat = reshape(x, {-1});
    const Tensor middle = median(flat.detach(), 0).values;
    if (!is_floating(x.dtype())) return middle;
    // Everything equal to the median has an even share in it.
    const Tensor hits =
        middle.has_data() && std::isnan(middle.item()) ? isnan(flat) : eq(flat, middle);
    const Tensor kept = where(hits, flat, Tensor::zeros({}, x.dtype(), x.device()));
    return div(sum(kept), sum(to(hits, x.dtype())));
}

Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool right) {
    static const Op& op = find_op("searchsorted");
    return call_one(op, sorted, values, {{"right", right}});
}
Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right) {
    if (boundaries.dim() != 1)
        throw ShapeError("bucketize needs one row of boundaries, not " + boundaries.shape().str() +
                         ".");
    return searchsorted(boundaries, x, right);
}

Tensor bincount(const Tensor& x, const Tensor& weights, std::int64_t minlength) {
    static const Op& op = find_op("bincount");
    need_values("bincount", x);
    if (minlength < 0)
        throw ValueError("bincount: minlength must not be negative, but is " +
                         std::to_string(minlength) + ".");
    std::int64_t size = minlength;
    if (x.dim() == 1 && x.numel() > 0 && !is_floating(x.dtype())) {
        const autograd::NoGrad scope;
        const double least = amin(x).item();
        if (least < 0)
            throw ValueError("bincount: the input holds the negative number " +
                             std::to_string(static_cast<std::int64_t>(least)) + ".");
        size = std::max(size, static_cast<std::int64_t>(amax(x).item()) + 1);
    }
    const Tensor inputs[] = {x, weights};
    return call_one(op, inputs, {{"size", size}});
}

Tensor histc(const Tensor& x, std::int64_t bins, double min, double max) {
    static const Op& op = find_op("histc");
    if (bins < 1)
        throw ValueError("histc: there must be at least 1 bin, not " + std::to_string(bins) + ".");
    if (min == max && x.numel() > 0) {
        need_values("histc", x);
        const autograd::NoGrad scope;
        min = amin(x).item();
        max = amax(x).item();
    }
    if (min == max) {
        min -= 1;
        max += 1;
    }
    if (!(min < max) || !std::isfinite(min) || !std::isfinite(max))
        throw ValueError("histc: the range from " + std::to_string(min) + " to " +
                         std::to_string(max) + " is none.");
    return call_one(op, x, {{"bins", bins}, {"min", min}, {"max", max}});
}

Tensor nonzero(const Tensor& x) {
    static const Op& op = find_op("nonzero");
    need_values("nonzero", x);
    const autograd::NoGrad scope;
    const auto count =
        x.numel() == 0 ? 0 : static_cast<std::int64_t>(sum(ne(x.detach(), 0)).item());
    return call_one(op, x, {{"count", count}});
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
    if (mask.dtype() != DType::Bool)
        throw DTypeError("masked_select needs a bool mask, not " +
                         std::string(name_of(mask.dtype())) + ".");
    const Shape shape = broadcast(x.shape(), mask.shape());
    const Tensor chosen = reshape(nonzero(reshape(expand(mask, shape), {-1})), {-1});
    return index_select(reshape(expand(x, shape), {-1}), 0, chosen);
}

UniqueResult unique(const Tensor& x) {
    need_values("unique", x);
    const autograd::NoGrad scope;
    const Tensor flat = reshape(x.detach(), {-1});
    if (flat.numel() == 0)
        return {flat, Tensor::zeros(x.shape(), DType::Int64), Tensor::zeros({0}, DType::Int64)};
    const ValuesAndIndices sorted = sort(flat, 0);
    const std::int64_t n = flat.numel();
    const Tensor fresh = ne(slice(sorted.values, 0, 1, n), slice(sorted.values, 0, 0, n - 1));
    const Tensor starts[] = {Tensor::full({1}, 1, DType::Bool), fresh};
    const Tensor first = cat(starts);
    const Tensor group = sub(cumsum(first, 0), 1);
    const Tensor inverse = scatter(Tensor::zeros({n}, DType::Int64), 0, sorted.indices, group);
    return {masked_select(sorted.values, first), reshape(inverse, x.shape()), bincount(group)};
}

} // namespace wiregrad

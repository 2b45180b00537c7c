// Views, rearrangements and indexing. A view shares storage with its input; the other ops copy.
#include <algorithm>
#include <cstring>
#include <limits>

#include "engine/backend/cpu/bind.h"
#include "engine/kernel/loop.h"
#include "engine/op/ops.h"
#include "engine/op/registry.h"

namespace wiregrad {
namespace {

// --- geometry

/// Strides that show `x` as `shape` without a copy, or nothing when there are none.
std::optional<Strides> view_strides(const Shape& old_shape, const Strides& old_strides,
                                    const Shape& shape) {
    if (numel(old_shape) == 0) return contiguous_strides(shape);
    Strides strides = Dims::filled(shape.size(), 1);
    // Goes from the last dimension forward through blocks of old dimensions that lie one behind the
    // other.
    int to = shape.size() - 1;
    std::int64_t block = 1; // elements of the block so far
    std::int64_t taken = 1; // of them already given to new dimensions
    std::int64_t base = 1;  // stride of the block's last element
    bool block_open = false;
    for (int from = old_shape.size() - 1; from >= 0; --from) {
        if (!block_open) {
            base = old_strides[from];
            block = 1;
            taken = 1;
            block_open = true;
        }
        block *= old_shape[from];
        int before = from - 1;
        while (before >= 0 && old_shape[before] == 1)
            --before;
        const bool ends = before < 0 || old_strides[before] != block * base;
        if (old_shape[from] == 1 && before >= 0 && block == 1) { // a size of 1 may have any stride
            block_open = false;
            continue;
        }
        if (!ends) continue;
        while (to >= 0 && (taken < block || shape[to] == 1)) {
            strides[to] = taken * base;
            taken *= shape[to];
            --to;
        }
        if (taken != block) return std::nullopt;
        from = before + 1;
        block_open = false;
    }
    while (to >= 0 && shape[to] == 1)
        --to;
    if (to >= 0) return std::nullopt;
    return strides;
}

Tensor restrided(const Tensor& x, const Shape& shape, const Strides& strides, std::int64_t offset) {
    return x.as_strided(shape, strides, offset);
}

// --- view rules

Tensor reshape_view(const KernelCall& c) {
    const Tensor& x = c.inputs[0];
    const Shape& shape = c.attrs.dims("shape");
    if (numel(shape) != x.numel()) {
        throw ShapeError("reshape: shape " + shape.str() + " has " + std::to_string(numel(shape)) +
                         " elements, the input of shape " + x.shape().str() + " has " +
                         std::to_string(x.numel()) + ".");
    }
    const auto strides =
        x.is_contiguous() ? contiguous_strides(shape) : view_strides(x.shape(), x.strides(), shape);
    if (!strides)
        throw ShapeError("reshape: " + x.shape().str() + " with strides " + x.strides().str() +
                         " cannot be viewed as " + shape.str() + ".");
    return restrided(x, shape, *strides, x.storage_offset());
}

Tensor permute_view(const KernelCall& c) {
    const Tensor& x = c.inputs[0];
    Shape shape;
    Strides strides;
    for (const std::int64_t d : c.attrs.dims("dims")) {
        shape.push_back(x.shape()[static_cast<int>(d)]);
        strides.push_back(x.strides()[static_cast<int>(d)]);
    }
    return restrided(x, shape, strides, x.storage_offset());
}

Tensor expand_view(const KernelCall& c) {
    const Tensor& x = c.inputs[0];
    const Shape& shape = c.attrs.dims("shape");
    const int lead = shape.size() - x.dim();
    if (lead < 0 || broadcast(x.shape(), shape) != shape) {
        throw ShapeError("expand: shape " + x.shape().str() + " does not broadcast to " +
                         shape.str() + ".");
    }
    Strides strides = Dims::filled(shape.size(), 0);
    for (int d = 0; d < x.dim(); ++d)
        strides[lead + d] = x.shape()[d] == 1 && shape[lead + d] != 1 ? 0 : x.strides()[d];
    return restrided(x, shape, strides, x.storage_offset());
}

Tensor slice_view(const KernelCall& c) {
    const Tensor& x = c.inputs[0];
    const int dim = static_cast<int>(c.attrs.integer("dim"));
    const std::int64_t start = c.attrs.integer("start"), end = c.attrs.integer("end"),
                       step = c.attrs.integer("step");
    Shape shape = x.shape();
    Strides strides = x.strides();
    const std::int64_t count = end > start ? (end - start + step - 1) / step : 0;
    const bool any = count > 0 && x.numel() > 0;
    const std::int64_t offset = x.storage_offset() + (any ? start * strides[dim] : 0);
    shape[dim] = count;
    strides[dim] *= step;
    return restrided(x, shape, strides, offset);
}

Tensor select_view(const KernelCall& c) {
    const Tensor& x = c.inputs[0];
    const int dim = static_cast<int>(c.attrs.integer("dim"));
    Shape shape = x.shape();
    Strides strides = x.strides();
    const std::int64_t offset =
        x.storage_offset() + (x.numel() > 0 ? c.attrs.integer("index") * strides[dim] : 0);
    shape.erase(dim);
    strides.erase(dim);
    return restrided(x, shape, strides, offset);
}

/// The shape of a view, found by making one without data.
template <ViewRule kView> Metas view_shape(const ShapeCall& c) {
    const TensorMeta& in = c.inputs[0];
    const Tensor x = shape_only_tensor(in.shape, in.dtype, in.device);
    Tensor none;
    const Tensor y = kView({c.op, c.attrs, {&x, 1}, {&none, 1}});
    return {{y.shape(), y.dtype(), y.device()}};
}

// --- kernels of the copying ops

/// A window onto `x` for a kernel: same storage, other geometry.
Tensor window(const Tensor& x, const Shape& shape, const Strides& strides, std::int64_t offset) {
    return x.as_strided(shape, strides, x.storage_offset() + offset);
}

void slice_backward_kernel(const KernelCall& c) {
    Tensor& out = c.outputs[0];
    std::memset(out.raw_mut(), 0, out.nbytes());
    const Tensor& g = c.inputs[0];
    if (g.numel() == 0) return;
    const int dim = static_cast<int>(c.attrs.integer("dim"));
    Strides strides = out.strides();
    const std::int64_t offset = c.attrs.integer("start") * strides[dim];
    strides[dim] *= c.attrs.integer("step");
    cpu_copy(window(out, g.shape(), strides, offset), g);
}

Metas slice_backward_shape(const ShapeCall& c) {
    TensorMeta out = c.inputs[0];
    out.shape = c.attrs.dims("shape");
    return {out};
}

void cat_kernel(const KernelCall& c) {
    Tensor& out = c.outputs[0];
    const int dim = static_cast<int>(c.attrs.integer("dim"));
    std::int64_t at = 0;
    for (const Tensor& x : c.inputs) {
        if (x.numel() > 0)
            cpu_copy(window(out, x.shape(), out.strides(), at * out.strides()[dim]), x);
        at += x.shape()[dim];
    }
}

Metas cat_shape(const ShapeCall& c) {
    TensorMeta out = c.inputs[0];
    const int dim = static_cast<int>(c.attrs.integer("dim"));
    for (std::size_t i = 1; i < c.inputs.size(); ++i) {
        const TensorMeta& next = c.inputs[i];
        bool fits = next.shape.size() == out.shape.size();
        for (int d = 0; fits && d < out.shape.size(); ++d)
            fits = d == dim || next.shape[d] == out.shape[d];
        if (!fits) {
            throw ShapeError("cat along dimension " + std::to_string(dim) + ": input 0 has shape " +
                             c.inputs[0].shape.str() + ", input " + std::to_string(i) + " has " +
                             next.shape.str() + "; all other sizes must agree.");
        }
        if (next.dtype != out.dtype) throw DTypeError("cat needs inputs of one dtype.");
        out.shape[dim] += next.shape[dim];
    }
    return {out};
}

/// pads[2 i], pads[2 i + 1]: before and after dimension rank - 1 - i; negative pads crop.
Metas pad_shape(const ShapeCall& c) {
    TensorMeta out = c.inputs[0];
    const Dims& pads = c.attrs.dims("pads");
    for (int i = 0; 2 * i < pads.size(); ++i) {
        std::int64_t& size = out.shape[out.shape.size() - 1 - i];
        size += pads[2 * i] + pads[2 * i + 1];
        if (size < 0) {
            throw ShapeError("pad: pads " + pads.str() +
                             " leave a negative size in an input of shape " +
                             c.inputs[0].shape.str() + ".");
        }
    }
    return {out};
}

void pad_kernel(const KernelCall& c) {
    const Tensor& x = c.inputs[0];
    Tensor& out = c.outputs[0];
    double value = c.attrs.real("value");
    cpu_copy(out, Tensor::wrap(&value, {}, DType::Float64, nullptr));
    const Dims& pads = c.attrs.dims("pads");
    Shape common = x.shape();
    std::int64_t from = 0, into = 0;
    for (int d = 0; d < x.dim(); ++d) {
        const int i = x.dim() - 1 - d;
        const std::int64_t before = 2 * i < pads.size() ? pads[2 * i] : 0;
        const std::int64_t first = std::max<std::int64_t>(0, -before); // of the input
        const std::int64_t last = std::min(x.shape()[d], out.shape()[d] - before);
        common[d] = std::max<std::int64_t>(0, last - first);
        from += first * x.strides()[d];
        into += (first + before) * out.strides()[d];
    }
    if (numel(common) > 0)
        cpu_copy(window(out, common, out.strides(), into), window(x, common, x.strides(), from));
}

void flip_kernel(const KernelCall& c) {
    const Tensor& x = c.inputs[0];
    const Tensor& out = c.outputs[0];
    if (x.numel() == 0) return;
    kernel::Operand from = kernel::operand(*x.body(), x.shape());
    for (const std::int64_t dim : c.attrs.dims("dims")) {
        std::int64_t& stride = from.strides[static_cast<int>(dim)];
        from.data += (x.shape()[static_cast<int>(dim)] - 1) * stride;
        stride = -stride;
    }
    const kernel::Operand operands[] = {kernel::operand(*out.body(), out.shape()), from};
    const auto dtype = static_cast<std::size_t>(x.dtype());
    kernel::run_loop(kernel::table().cast[dtype][dtype], x.shape(), operands);
}

Metas same_shape(const ShapeCall& c) {
    return {c.inputs[0]};
}

// --- gradients

Tensor slice_backward(const Tensor& g, const Shape& shape, std::int64_t dim, std::int64_t start,
                      std::int64_t step) {
    static const Op& op = find_op("slice_backward");
    return call_one(op, g, {{"shape", shape}, {"dim", dim}, {"start", start}, {"step", step}});
}

Tensors permute_gradient(const GradCall& c) {
    const Dims& dims = c.attrs.dims("dims");
    Dims inverse = dims;
    for (int i = 0; i < dims.size(); ++i)
        inverse[static_cast<int>(dims[i])] = i;
    return {permute(c.grads[0], inverse)};
}

Tensors cat_gradient(const GradCall& c) {
    const std::int64_t dim = c.attrs.integer("dim");
    Tensors result(c.input_metas.size());
    std::int64_t at = 0;
    for (std::size_t i = 0; i < result.size(); ++i) {
        const std::int64_t size = c.input_metas[i].shape[static_cast<int>(dim)];
        if (c.need(static_cast<int>(i))) result[i] = slice(c.grads[0], dim, at, at + size);
        at += size;
    }
    return result;
}

Tensors pad_gradient(const GradCall& c) {
    Dims pads = c.attrs.dims("pads");
    for (std::int64_t& value : pads)
        value = -value;
    return {pad(c.grads[0], pads)};
}

Cost no_cost(const ShapeCall&, std::span<const TensorMeta>) {
    return {};
}
/// Copies: bytes moved, nothing computed.
Cost copy_cost(const ShapeCall&, std::span<const TensorMeta> outputs) {
    return {0, 2 * static_cast<double>(numel(outputs[0].shape)) *
                   static_cast<double>(size_of(outputs[0].dtype))};
}

std::vector<Op> make_rows() {
    std::vector<Op> rows;
    const auto view = [&rows](Op op, ViewRule rule, ShapeRule shape) {
        op.view = rule;
        op.shape = shape;
        op.cost = no_cost;
        op.flags = kView;
        rows.push_back(op);
    };
    const auto copy = [&rows](Op op, Kernel cpu) {
        op.kernel[0] = cpu;
        op.cost = copy_cost;
        rows.push_back(op);
    };
    view({.name = "reshape",
          .help = "x with another shape and the same elements in order",
          .gradient = [](const GradCall& c) -> Tensors {
              return {reshape(c.grads[0], c.input_metas[0].shape)};
          },
          .onnx = "Reshape"},
         reshape_view, view_shape<reshape_view>);
    view({.name = "permute",
          .help = "x with its dimensions in another order",
          .gradient = permute_gradient,
          .onnx = "Transpose"},
         permute_view, view_shape<permute_view>);
    view({.name = "expand",
          .help = "x repeated along dimensions of size 1, without a copy",
          .gradient = [](const GradCall& c) -> Tensors {
              return {sum_to(c.grads[0], c.input_metas[0].shape)};
          },
          .onnx = "Expand"},
         expand_view, view_shape<expand_view>);
    view({.name = "slice",
          .help = "elements start, start + step, ... before end along dim",
          .gradient = [](const GradCall& c) -> Tensors {
              return {slice_backward(c.grads[0], c.input_metas[0].shape, c.attrs.integer("dim"),
                                     c.attrs.integer("start"), c.attrs.integer("step"))};
          },
          .onnx = "Slice"},
         slice_view, view_shape<slice_view>);
    view({.name = "select",
          .help = "element index along dim, which disappears",
          .gradient = [](const GradCall& c) -> Tensors {
              const std::int64_t dim = c.attrs.integer("dim");
              return {slice_backward(unsqueeze(c.grads[0], dim), c.input_metas[0].shape, dim,
                                     c.attrs.integer("index"), 1)};
          }},
         select_view, view_shape<select_view>);
    copy({.name = "slice_backward",
          .help = "zeros with g where a slice was taken",
          .shape = slice_backward_shape,
          .gradient = [](const GradCall& c) -> Tensors {
              const std::int64_t dim = c.attrs.integer("dim"), start = c.attrs.integer("start"),
                                 step = c.attrs.integer("step");
              const std::int64_t count = c.input_metas[0].shape[static_cast<int>(dim)];
              return {slice(c.grads[0], dim, start,
                            count == 0 ? start : start + (count - 1) * step + 1, step)};
          }},
         slice_backward_kernel);
    copy({.name = "cat",
          .help = "inputs one behind the other along dim",
          .shape = cat_shape,
          .gradient = cat_gradient,
          .onnx = "Concat",
          .bind = {[](BindCall& c) {
              return cpu::bind_cat(static_cast<int>(c.attrs.integer("dim")), c);
          }}},
         cat_kernel);
    copy({.name = "pad",
          .help = "x with a border of a constant; negative pads crop",
          .shape = pad_shape,
          .gradient = pad_gradient,
          .onnx = "Pad"},
         pad_kernel);
    copy({.name = "flip",
          .help = "x reversed along dims",
          .shape = same_shape,
          .gradient = [](const GradCall& c) -> Tensors {
              return {flip(c.grads[0], c.attrs.dims("dims"))};
          }},
         flip_kernel);
    return rows;
}

Tensor viewed(const Tensor& x, const Shape& shape) {
    static const Op& op = find_op("reshape");
    return call_one(op, x, {{"shape", shape}});
}

} // namespace

std::span<const Op> shape_ops() {
    static const std::vector<Op> rows = make_rows();
    return rows;
}

Tensor arange(std::int64_t n, DType dtype) {
    if (n < 0)
        throw ShapeError("arange: the number of elements must not be negative, but is " +
                         std::to_string(n) + ".");
    if (ShapeOnly::active()) return Tensor::empty({n}, dtype);
    Tensor values = Tensor::empty({n}, DType::Int64);
    auto* const into = values.data_mut<std::int64_t>();
    for (std::int64_t i = 0; i < n; ++i)
        into[i] = i;
    return to(values, dtype);
}

Tensor reshape(const Tensor& x, const Shape& shape) {
    Shape wanted = shape;
    int open = -1;
    std::int64_t known = 1;
    for (int d = 0; d < wanted.size(); ++d) {
        if (wanted[d] == -1 && open < 0)
            open = d;
        else if (wanted[d] < 0)
            throw ShapeError("reshape: shape " + shape.str() + " has a negative size.");
        else if (__builtin_mul_overflow(known, wanted[d], &known))
            throw ShapeError("reshape: shape " + shape.str() + " is too large.");
    }
    if (open >= 0) {
        if (known == 0 || x.numel() % known != 0) {
            throw ShapeError("reshape: " + std::to_string(x.numel()) + " elements of shape " +
                             x.shape().str() + " do not divide into " + shape.str() + ".");
        }
        wanted[open] = x.numel() / known;
    }
    if (wanted == x.shape()) return x;
    if (x.is_contiguous() || numel(wanted) != x.numel() ||
        view_strides(x.shape(), x.strides(), wanted))
        return viewed(x, wanted);
    return viewed(contiguous(x), wanted);
}

Tensor flatten(const Tensor& x, std::int64_t start_dim, std::int64_t end_dim) {
    if (x.dim() == 0) return reshape(x, {1});
    const int first = wrap_dim(start_dim, x.dim()), last = wrap_dim(end_dim, x.dim());
    if (first > last) {
        throw ShapeError("flatten: start_dim " + std::to_string(start_dim) +
                         " comes after end_dim " + std::to_string(end_dim) + ".");
    }
    Shape shape;
    for (int d = 0; d < x.dim(); ++d) {
        if (d > first && d <= last)
            shape[first] *= x.shape()[d];
        else
            shape.push_back(x.shape()[d]);
    }
    return reshape(x, shape);
}

Tensor permute(const Tensor& x, const Dims& dims) {
    static const Op& op = find_op("permute");
    Dims order;
    for (const std::int64_t dim : dims) {
        const int d = wrap_dim(dim, x.dim());
        if (std::find(order.begin(), order.end(), d) != order.end()) break;
        order.push_back(d);
    }
    if (order.size() != x.dim() || dims.size() != x.dim()) {
        throw ShapeError("permute: " + dims.str() + " is not an order of the " +
                         std::to_string(x.dim()) + " dimensions of shape " + x.shape().str() + ".");
    }
    return call_one(op, x, {{"dims", order}});
}

Tensor transpose(const Tensor& x, std::int64_t dim0, std::int64_t dim1) {
    const int a = wrap_dim(dim0, x.dim()), b = wrap_dim(dim1, x.dim());
    if (x.dim() == 0) return x;
    Dims order;
    for (int d = 0; d < x.dim(); ++d)
        order.push_back(d == a ? b : d == b ? a : d);
    return permute(x, order);
}

Tensor squeeze(const Tensor& x, std::int64_t dim) {
    const int d = wrap_dim(dim, x.dim());
    if (x.dim() == 0 || x.shape()[d] != 1) return x;
    Shape shape = x.shape();
    shape.erase(d);
    return viewed(x, shape);
}

Tensor unsqueeze(const Tensor& x, std::int64_t dim) {
    Shape shape = x.shape();
    shape.insert(wrap_dim(dim, x.dim() + 1), 1);
    return viewed(x, shape);
}

Tensor expand(const Tensor& x, const Shape& shape) {
    static const Op& op = find_op("expand");
    Shape wanted = shape;
    const int lead = shape.size() - x.dim();
    for (int d = 0; d < wanted.size(); ++d) {
        if (wanted[d] == -1 && d >= lead && lead >= 0) wanted[d] = x.shape()[d - lead];
    }
    if (wanted == x.shape()) return x;
    return call_one(op, x, {{"shape", wanted}});
}

Tensor slice(const Tensor& x, std::int64_t dim, std::int64_t start, std::int64_t end,
             std::int64_t step) {
    static const Op& op = find_op("slice");
    if (x.dim() == 0) throw ShapeError("slice: a 0-dim tensor cannot be sliced.");
    if (step < 1)
        throw ValueError("slice: the step must be at least 1, not " + std::to_string(step) + ".");
    const int d = wrap_dim(dim, x.dim());
    const std::int64_t size = x.shape()[d];
    step = std::min(step, std::max<std::int64_t>(size, 1)); // a longer one takes the first as well
    const auto bounded = [size](std::int64_t at) {
        return std::clamp<std::int64_t>(at < 0 ? at + size : at, 0, size);
    };
    const std::int64_t first = bounded(start);
    return call_one(op, x,
                    {{"dim", static_cast<std::int64_t>(d)},
                     {"start", first},
                     {"end", std::max(first, bounded(end))},
                     {"step", step}});
}

Tensor select(const Tensor& x, std::int64_t dim, std::int64_t index) {
    static const Op& op = find_op("select");
    if (x.dim() == 0) throw ShapeError("select: a 0-dim tensor has nothing to select from.");
    const int d = wrap_dim(dim, x.dim());
    const std::int64_t size = x.shape()[d];
    if (index < -size || index >= size) {
        throw ValueError("select: index " + std::to_string(index) +
                         " is out of range for dimension " + std::to_string(d) + " of size " +
                         std::to_string(size) + ".");
    }
    return call_one(
        op, x,
        {{"dim", static_cast<std::int64_t>(d)}, {"index", index < 0 ? index + size : index}});
}

Tensor cat(std::span<const Tensor> xs, std::int64_t dim) {
    static const Op& op = find_op("cat");
    if (xs.empty()) throw ShapeError("cat needs at least one tensor.");
    if (xs.size() > 32) { // a mask of inputs has 32 bits: join groups first
        Tensors groups;
        for (std::size_t at = 0; at < xs.size(); at += 32)
            groups.push_back(cat(xs.subspan(at, std::min<std::size_t>(32, xs.size() - at)), dim));
        return cat(groups, dim);
    }
    DType dtype = xs[0].dtype();
    for (const Tensor& x : xs) {
        if (x.dim() == 0) throw ShapeError("cat: a 0-dim tensor cannot be joined.");
        dtype = promote(dtype, x.dtype());
    }
    Tensors inputs;
    for (const Tensor& x : xs)
        inputs.push_back(to(x, dtype));
    return call_one(op, inputs, {{"dim", static_cast<std::int64_t>(wrap_dim(dim, xs[0].dim()))}});
}

Tensor stack(std::span<const Tensor> xs, std::int64_t dim) {
    if (xs.empty()) throw ShapeError("stack needs at least one tensor.");
    Tensors inputs;
    for (const Tensor& x : xs) {
        if (x.shape() != xs[0].shape()) {
            throw ShapeError("stack needs equal shapes, not " + xs[0].shape().str() + " and " +
                             x.shape().str() + ".");
        }
        inputs.push_back(unsqueeze(x, dim < 0 ? dim + x.dim() + 1 : dim));
    }
    return cat(inputs, dim < 0 ? dim + xs[0].dim() + 1 : dim);
}

Tensor pad(const Tensor& x, const Dims& pads, double value) {
    static const Op& op = find_op("pad");
    if (pads.size() % 2 != 0 || pads.size() > 2 * x.dim()) {
        throw ShapeError("pad: " + pads.str() + " must hold pairs, at most one for each of the " +
                         std::to_string(x.dim()) + " dimensions.");
    }
    return call_one(op, x, {{"pads", pads}, {"value", value}});
}

Tensor flip(const Tensor& x, const Dims& dims) {
    static const Op& op = find_op("flip");
    Dims wrapped;
    for (const std::int64_t dim : dims) {
        const int d = wrap_dim(dim, x.dim());
        if (std::find(wrapped.begin(), wrapped.end(), d) != wrapped.end()) {
            throw ShapeError("flip: dimension " + std::to_string(d) + " is listed twice in " +
                             dims.str() + ".");
        }
        if (x.dim() > 0) wrapped.push_back(d);
    }
    return call_one(op, x, {{"dims", wrapped}});
}

} // namespace wiregrad

// Gathering, scattering, diagonals and triangles. Where several elements meet in one place they are
// added in the order of the index, so that the bits are the same every time.
#include <algorithm>
#include <cstring>

#include "engine/op/lines.h"
#include "engine/op/registry.h"
#include "engine/op/tensor_ops.h"

namespace wiregrad {
namespace {

using namespace lines;

Tensor plain(const Tensor& x) {
    return x.contiguous();
}

void check_index(const char* op, std::int64_t index, std::int64_t position, std::int64_t size) {
    if (index >= 0 && index < size) return;
    throw ValueError(std::string(op) + ": index " + std::to_string(index) + " at position " +
                     std::to_string(position) + " is outside 0 to " + std::to_string(size - 1) +
                     ".");
}

void need_index(const ShapeCall& c, const TensorMeta& index) {
    if (index.dtype != DType::Int64) {
        throw DTypeError(std::string(c.op.name) + " needs an int64 index, not " +
                         std::string(name_of(index.dtype)) + ".");
    }
}

Metas gather_shape(const ShapeCall& c) {
    const TensorMeta& x = c.inputs[0];
    const TensorMeta& index = c.inputs[1];
    need_index(c, index);
    const int dim = static_cast<int>(c.attrs.integer("dim"));
    bool fits = x.shape.size() == index.shape.size();
    for (int d = 0; fits && d < x.shape.size(); ++d)
        fits = d == dim || index.shape[d] <= x.shape[d];
    if (!fits) {
        throw ShapeError("gather along dimension " + std::to_string(dim) + ": an index of shape " +
                         index.shape.str() + " does not fit an input of shape " + x.shape.str() +
                         ".");
    }
    return {{index.shape, x.dtype, x.device}};
}

/// Calls f(position in the index, element of x) for every element of the index, in order.
template <class F>
void each_gathered(const char* op, const Tensor& index, const Shape& shape, int dim, const F& f) {
    const Tensor flat = plain(index);
    const auto* const at = flat.data<std::int64_t>();
    const Strides strides = contiguous_strides(shape);
    Dims position = Dims::filled(index.dim(), 0);
    for (std::int64_t i = 0; i < flat.numel(); ++i) {
        check_index(op, at[i], i, shape.empty() ? 1 : shape[dim]);
        std::int64_t element = 0;
        for (int d = 0; d < index.dim(); ++d)
            element += (d == dim ? at[i] : position[d]) * strides[d];
        f(i, element);
        for (int d = index.dim() - 1; d >= 0; --d) {
            if (++position[d] < index.shape()[d]) break;
            position[d] = 0;
        }
    }
}

void gather_kernel(const KernelCall& c) {
    const Tensor x = plain(c.inputs[0]);
    const std::size_t size = size_of(x.dtype());
    const auto* const from = static_cast<const char*>(x.raw());
    auto* const into = static_cast<char*>(c.outputs[0].raw_mut());
    each_gathered("gather", c.inputs[1], x.shape(), static_cast<int>(c.attrs.integer("dim")),
                  [&](std::int64_t i, std::int64_t element) {
                      std::memcpy(into + static_cast<std::size_t>(i) * size,
                                  from + static_cast<std::size_t>(element) * size, size);
                  });
}

/// Adds from(g, i) to out's element in the order of calls, so that repeated indices give the same
/// bits every time.
template <class T, class Each>
void accumulate_as(const Tensor& g, Tensor& out, DType work, const Each& each) {
    Tensor source = Tensor::empty(g.shape(), work);
    cpu_copy(source, g);
    Tensor target = out.dtype() == work ? out : Tensor::empty(out.shape(), work);
    std::memset(target.raw_mut(), 0, target.nbytes());
    const auto* const from = source.data<T>();
    auto* const into = target.data_mut<T>();
    each([&](std::int64_t i, std::int64_t element) { into[element] += from[i]; });
    if (!target.same_body(out)) cpu_copy(out, target);
}
template <class Each> void accumulate(const Tensor& g, Tensor& out, const Each& each) {
    if (!is_floating(g.dtype()))
        accumulate_as<std::int64_t>(g, out, DType::Int64, each);
    else if (g.dtype() == DType::Float64)
        accumulate_as<double>(g, out, DType::Float64, each);
    else
        accumulate_as<float>(g, out, DType::Float32, each);
}

void gather_backward_kernel(const KernelCall& c) {
    const Shape& shape = c.attrs.dims("shape");
    accumulate(c.inputs[0], c.outputs[0], [&](const auto& f) {
        each_gathered("gather_backward", c.inputs[1], shape,
                      static_cast<int>(c.attrs.integer("dim")), f);
    });
}

/// The shape that the attribute names.
Metas target_shape(const ShapeCall& c) {
    TensorMeta out = c.inputs[0];
    out.shape = c.attrs.dims("shape");
    return {out};
}

Metas scatter_shape(const ShapeCall& c) {
    const TensorMeta &x = c.inputs[0], &index = c.inputs[1], &source = c.inputs[2];
    need_index(c, index);
    if (source.dtype != x.dtype)
        throw DTypeError("scatter needs one dtype, not " + std::string(name_of(x.dtype)) + " and " +
                         std::string(name_of(source.dtype)) + ".");
    const int dim = static_cast<int>(c.attrs.integer("dim"));
    bool fits = x.shape.size() == index.shape.size() && source.shape == index.shape;
    for (int d = 0; fits && d < x.shape.size(); ++d)
        fits = d == dim || index.shape[d] <= x.shape[d];
    if (!fits)
        throw ShapeError("scatter along dimension " + std::to_string(dim) + ": an index of shape " +
                         index.shape.str() + " and a source of shape " + source.shape.str() +
                         " do not fit an input of shape " + x.shape.str() + ".");
    return {x};
}

void scatter_kernel(const KernelCall& c) {
    cpu_copy(c.outputs[0], c.inputs[0]);
    const Tensor source = plain(c.inputs[2]);
    const std::size_t size = size_of(source.dtype());
    const auto* const from = static_cast<const char*>(source.raw());
    auto* const into = static_cast<char*>(c.outputs[0].raw_mut());
    each_gathered("scatter", c.inputs[1], c.outputs[0].shape(),
                  static_cast<int>(c.attrs.integer("dim")),
                  [&](std::int64_t i, std::int64_t element) {
                      std::memcpy(into + static_cast<std::size_t>(element) * size,
                                  from + static_cast<std::size_t>(i) * size, size);
                  });
}

/// Keeps the elements below (tril) or above the diagonal of each matrix.
template <bool kLower> void triangle_kernel(const KernelCall& c) {
    const Tensor x = plain(c.inputs[0]);
    const std::int64_t rows = x.shape()[x.dim() - 2], columns = x.shape()[x.dim() - 1];
    const std::int64_t diagonal = c.attrs.integer("diagonal");
    const std::size_t size = size_of(x.dtype());
    const auto* const from = static_cast<const char*>(x.raw());
    auto* const into = static_cast<char*>(c.outputs[0].raw_mut());
    const std::int64_t lines = columns == 0 ? 0 : x.numel() / columns;
    for (std::int64_t line = 0; line < lines; ++line) {
        const std::int64_t edge =
            std::clamp<std::int64_t>(line % rows + diagonal + (kLower ? 1 : 0), 0, columns);
        const auto kept = static_cast<std::size_t>(kLower ? edge : columns - edge) * size;
        const std::size_t start = static_cast<std::size_t>(line * columns) * size;
        const std::size_t offset = kLower ? 0 : static_cast<std::size_t>(edge) * size;
        std::memset(into + start, 0, static_cast<std::size_t>(columns) * size);
        std::memcpy(into + start + offset, from + start + offset, kept);
    }
}

Metas triangle_shape(const ShapeCall& c) {
    if (c.inputs[0].shape.size() < 2)
        throw ShapeError(std::string(c.op.name) + " needs matrices, not an input of shape " +
                         c.inputs[0].shape.str() + ".");
    return {c.inputs[0]};
}

/// Zeros in the last two dimensions with x on the diagonal.
Metas diag_embed_shape(const ShapeCall& c) {
    TensorMeta out = c.inputs[0];
    if (out.shape.empty()) throw ShapeError("diag_embed: a 0-dim tensor has no diagonal.");
    const std::int64_t length = out.shape.back();
    const std::int64_t rows = c.attrs.integer("rows"), columns = c.attrs.integer("columns");
    const std::int64_t offset = c.attrs.integer("offset");
    const std::int64_t fits = std::max<std::int64_t>(
        0, offset >= 0 ? std::min(rows, columns - offset) : std::min(rows + offset, columns));
    if (fits != length)
        throw ShapeError("diag_embed: a diagonal of " + std::to_string(length) +
                         " does not fit a matrix of " + std::to_string(rows) + " by " +
                         std::to_string(columns) + ".");
    out.shape[out.shape.size() - 1] = rows;
    out.shape.push_back(columns);
    return {out};
}

void diag_embed_kernel(const KernelCall& c) {
    const Tensor x = plain(c.inputs[0]);
    const std::int64_t rows = c.attrs.integer("rows"), columns = c.attrs.integer("columns");
    const std::int64_t offset = c.attrs.integer("offset"), length = x.shape().back();
    const std::size_t size = size_of(x.dtype());
    const auto* from = static_cast<const char*>(x.raw());
    auto* const into = static_cast<char*>(c.outputs[0].raw_mut());
    std::memset(into, 0, c.outputs[0].nbytes());
    const std::int64_t batches = length == 0 ? 0 : x.numel() / length;
    for (std::int64_t b = 0; b < batches; ++b)
        for (std::int64_t i = 0; i < length; ++i, from += size) {
            const std::int64_t row = i + std::max<std::int64_t>(0, -offset);
            const std::int64_t column = i + std::max<std::int64_t>(0, offset);
            const std::int64_t at = (b * rows + row) * columns + column;
            std::memcpy(into + static_cast<std::size_t>(at) * size, from, size);
        }
}

Tensor diagonal_view(const KernelCall& c) {
    const Tensor& x = c.inputs[0];
    const int a = static_cast<int>(c.attrs.integer("dim1")),
              b = static_cast<int>(c.attrs.integer("dim2"));
    const std::int64_t offset = c.attrs.integer("offset");
    Shape shape = x.shape();
    Strides strides = x.strides();
    const std::int64_t length =
        std::max<std::int64_t>(0, offset >= 0 ? std::min(shape[a], shape[b] - offset)
                                              : std::min(shape[a] + offset, shape[b]));
    const std::int64_t start = length == 0   ? 0
                               : offset >= 0 ? offset * strides[b]
                                             : -offset * strides[a];
    const std::int64_t step = strides[a] + strides[b];
    for (const int d : {std::max(a, b), std::min(a, b)}) {
        shape.erase(d);
        strides.erase(d);
    }
    shape.push_back(length);
    strides.push_back(step);
    return x.as_strided(shape, strides, x.storage_offset() + start);
}

Metas diagonal_shape(const ShapeCall& c) {
    const TensorMeta& in = c.inputs[0];
    const Tensor x = shape_only_tensor(in.shape, in.dtype, in.device);
    Tensor none;
    return {{diagonal_view({c.op, c.attrs, {&x, 1}, {&none, 1}}).shape(), in.dtype, in.device}};
}

Tensors diagonal_gradient(const GradCall& c) {
    const int a = static_cast<int>(c.attrs.integer("dim1")),
              b = static_cast<int>(c.attrs.integer("dim2"));
    const Shape& shape = c.input_metas[0].shape;
    static const Op& op = find_op("diag_embed");
    const Tensor embedded = call_one(
        op, c.grads[0],
        {{"rows", shape[a]}, {"columns", shape[b]}, {"offset", c.attrs.integer("offset")}});
    return {movedim(embedded, {-2, -1}, {a, b})};
}

Metas index_select_shape(const ShapeCall& c) {
    TensorMeta out = c.inputs[0];
    const TensorMeta& index = c.inputs[1];
    need_index(c, index);
    if (index.shape.size() != 1)
        throw ShapeError("index_select needs a one-dimensional index, not one of shape " +
                         index.shape.str() + ".");
    out.shape[static_cast<int>(c.attrs.integer("dim"))] = index.shape[0];
    return {out};
}

void index_select_kernel(const KernelCall& c) {
    const Tensor x = plain(c.inputs[0]);
    const Tensor index = plain(c.inputs[1]);
    const auto* const at = index.data<std::int64_t>();
    const Lines lines = lines_of(x.shape(), static_cast<int>(c.attrs.integer("dim")));
    const std::int64_t count = index.numel();
    for (std::int64_t i = 0; i < count; ++i)
        check_index("index_select", at[i], i, lines.length);
    const auto bytes = lines.inner * static_cast<std::int64_t>(size_of(x.dtype()));
    const auto* const from = static_cast<const char*>(x.raw());
    auto* const into = static_cast<char*>(c.outputs[0].raw_mut());
    for (std::int64_t o = 0; o < lines.outer; ++o) {
        for (std::int64_t i = 0; i < count; ++i) {
            std::memcpy(into + (o * count + i) * bytes, from + (o * lines.length + at[i]) * bytes,
                        static_cast<std::size_t>(bytes));
        }
    }
}

void index_select_backward_kernel(const KernelCall& c) {
    const Tensor index = plain(c.inputs[1]);
    const auto* const at = index.data<std::int64_t>();
    const Lines lines = lines_of(c.attrs.dims("shape"), static_cast<int>(c.attrs.integer("dim")));
    const std::int64_t count = index.numel();
    for (std::int64_t i = 0; i < count; ++i)
        check_index("index_select_backward", at[i], i, lines.length);
    accumulate(c.inputs[0], c.outputs[0], [&](const auto& f) {
        for (std::int64_t o = 0; o < lines.outer; ++o) {
            for (std::int64_t i = 0; i < count; ++i) {
                for (std::int64_t k = 0; k < lines.inner; ++k)
                    f((o * count + i) * lines.inner + k,
                      (o * lines.length + at[i]) * lines.inner + k);
            }
        }
    });
}

Metas one_hot_shape(const ShapeCall& c) {
    TensorMeta out = c.inputs[0];
    need_index(c, out);
    out.shape.push_back(c.attrs.integer("classes"));
    return {out};
}

void one_hot_kernel(const KernelCall& c) {
    const Tensor index = plain(c.inputs[0]);
    const std::int64_t classes = c.attrs.integer("classes");
    const auto* const at = index.data<std::int64_t>();
    auto* const into = c.outputs[0].data_mut<std::int64_t>();
    std::fill_n(into, c.outputs[0].numel(), std::int64_t{0});
    for (std::int64_t i = 0; i < index.numel(); ++i) {
        check_index("one_hot", at[i], i, classes);
        into[i * classes + at[i]] = 1;
    }
}

Saves save_index(Mask, const Attrs&) {
    return {2, 0};
}

/// Copies: bytes moved, nothing computed.
Cost copy_cost(const ShapeCall&, std::span<const TensorMeta> outputs) {
    return {0, 2 * static_cast<double>(numel(outputs[0].shape)) *
                   static_cast<double>(size_of(outputs[0].dtype))};
}

std::vector<Op> make_rows() {
    std::vector<Op> rows;
    const auto copy = [&rows](Op op, Kernel cpu) {
        op.kernel[0] = cpu;
        op.cost = copy_cost;
        rows.push_back(op);
    };
    copy({.name = "gather",
          .help = "out[i][j] = x[index[i][j]][j] for dim 0, and so on",
          .shape = gather_shape,
          .gradient = [](const GradCall& c) -> Tensors {
              const Tensor inputs[] = {c.grads[0], c.inputs[1]};
              return {
                  call_one(find_op("gather_backward"), inputs,
                           {{"shape", c.input_metas[0].shape}, {"dim", c.attrs.integer("dim")}}),
                  Tensor()};
          },
          .saves = save_index,
          .onnx = "GatherElements"},
         gather_kernel);
    copy({.name = "gather_backward",
          .help = "zeros with g added where gather read",
          .shape = target_shape,
          .gradient = [](const GradCall& c) -> Tensors {
              return {gather(c.grads[0], c.attrs.integer("dim"), c.inputs[1]), Tensor()};
          },
          .saves = save_index},
         gather_backward_kernel);
    copy({.name = "index_select",
          .help = "the entries of x that index names along dim",
          .shape = index_select_shape,
          .gradient = [](const GradCall& c) -> Tensors {
              const Tensor inputs[] = {c.grads[0], c.inputs[1]};
              return {
                  call_one(find_op("index_select_backward"), inputs,
                           {{"shape", c.input_metas[0].shape}, {"dim", c.attrs.integer("dim")}}),
                  Tensor()};
          },
          .saves = save_index,
          .onnx = "Gather"},
         index_select_kernel);
    copy({.name = "index_select_backward",
          .help = "zeros with g added where index_select read",
          .shape = target_shape,
          .gradient = [](const GradCall& c) -> Tensors {
              return {index_select(c.grads[0], c.attrs.integer("dim"), c.inputs[1]), Tensor()};
          },
          .saves = save_index},
         index_select_backward_kernel);
    copy({.name = "one_hot",
          .help = "1 at the index, 0 elsewhere, along a new last dimension",
          .shape = one_hot_shape,
          .flags = kNoGrad,
          .onnx = "OneHot"},
         one_hot_kernel);
    copy({.name = "scatter",
          .help = "x with source written where the index says; the last of equals stays",
          .shape = scatter_shape,
          .gradient = [](const GradCall& c) -> Tensors {
              const std::int64_t dim = c.attrs.integer("dim");
              const Tensor &g = c.grads[0], &index = c.inputs[1];
              Tensors result(3);
              if (c.need(0))
                  result[0] =
                      scatter(g, dim, index, Tensor::zeros(index.shape(), g.dtype(), g.device()));
              if (c.need(2)) result[2] = gather(g, dim, index);
              return result;
          },
          .saves = save_index,
          .onnx = "ScatterElements"},
         scatter_kernel);
    copy({.name = "tril",
          .help = "matrices without what lies above the diagonal",
          .shape = triangle_shape,
          .gradient = [](const GradCall& c) -> Tensors {
              return {tril(c.grads[0], c.attrs.integer("diagonal"))};
          },
          .onnx = "Trilu"},
         triangle_kernel<true>);
    copy({.name = "triu",
          .help = "matrices without what lies below the diagonal",
          .shape = triangle_shape,
          .gradient = [](const GradCall& c) -> Tensors {
              return {triu(c.grads[0], c.attrs.integer("diagonal"))};
          },
          .onnx = "Trilu"},
         triangle_kernel<false>);
    copy({.name = "diag_embed",
          .help = "zeros with x on a diagonal of the last two dimensions",
          .shape = diag_embed_shape,
          .gradient = [](const GradCall& c) -> Tensors {
              return {diagonal(c.grads[0], c.attrs.integer("offset"), -2, -1)};
          }},
         diag_embed_kernel);
    rows.push_back({.name = "diagonal",
                    .help = "the elements (i, i + offset) of two dimensions, as the last dimension",
                    .shape = diagonal_shape,
                    .gradient = diagonal_gradient,
                    .flags = kView,
                    .view = diagonal_view});
    return rows;
}

} // namespace

std::span<const Op> index_ops() {
    static const std::vector<Op> rows = make_rows();
    return rows;
}

Tensor gather(const Tensor& x, std::int64_t dim, const Tensor& index) {
    static const Op& op = find_op("gather");
    if (x.dim() == 0 && index.dim() == 1) return gather(reshape(x, {1}), dim, index);
    return call_one(op, x, index, {{"dim", static_cast<std::int64_t>(wrap_dim(dim, x.dim()))}});
}

Tensor index_select(const Tensor& x, std::int64_t dim, const Tensor& index) {
    static const Op& op = find_op("index_select");
    if (x.dim() == 0) throw ShapeError("index_select: a 0-dim tensor has nothing to select from.");
    return call_one(op, x, index, {{"dim", static_cast<std::int64_t>(wrap_dim(dim, x.dim()))}});
}

Tensor one_hot(const Tensor& index, std::int64_t classes) {
    static const Op& op = find_op("one_hot");
    if (classes < 1)
        throw ValueError("one_hot: the number of classes must be at least 1, not " +
                         std::to_string(classes) + ".");
    return call_one(op, index, {{"classes", classes}});
}

Tensor scatter(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& source) {
    static const Op& op = find_op("scatter");
    Tensor from = source;
    for (int d = 0; d < from.dim() && from.dim() == index.dim(); ++d)
        if (from.shape()[d] > index.shape()[d]) from = slice(from, d, 0, index.shape()[d]);
    const Tensor inputs[] = {x, index, from};
    return call_one(op, inputs, {{"dim", static_cast<std::int64_t>(wrap_dim(dim, x.dim()))}});
}

Tensor scatter_add(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& source) {
    static const Op& op = find_op("gather_backward");
    if (source.dtype() != x.dtype())
        throw DTypeError("scatter_add needs one dtype, not " + std::string(name_of(x.dtype())) +
                         " and " + std::string(name_of(source.dtype())) + ".");
    const int d = wrap_dim(dim, x.dim());
    bool fits = index.dim() == x.dim() && source.dim() == x.dim();
    for (int i = 0; fits && i < x.dim(); ++i)
        fits =
            index.shape()[i] <= source.shape()[i] && (i == d || index.shape()[i] <= x.shape()[i]);
    if (!fits && index.numel() > 0)
        throw ShapeError("scatter_add along dimension " + std::to_string(d) +
                         ": an index of shape " + index.shape().str() + " does not fit a source " +
                         source.shape().str() + " and an input " + x.shape().str() + ".");
    if (index.numel() == 0) return mul(x, 1);
    Tensor from = source;
    for (int i = 0; i < from.dim(); ++i)
        if (from.shape()[i] > index.shape()[i]) from = slice(from, i, 0, index.shape()[i]);
    return add(x, call_one(op, from, index,
                           {{"shape", x.shape()}, {"dim", static_cast<std::int64_t>(d)}}));
}

Tensor index_add(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& source,
                 double alpha) {
    static const Op& op = find_op("index_select_backward");
    if (source.dtype() != x.dtype())
        throw DTypeError("index_add needs one dtype, not " + std::string(name_of(x.dtype())) +
                         " and " + std::string(name_of(source.dtype())) + ".");
    const int d = wrap_dim(dim, x.dim());
    if (x.dim() == 0) return add(x, mul(sum(source), alpha));
    const Tensor at = index.dim() == 0 ? reshape(index, {1}) : index;
    Shape expected = x.shape();
    expected[d] = at.numel();
    if (at.dim() != 1 || source.shape() != expected)
        throw ShapeError("index_add along dimension " + std::to_string(d) + ": source " +
                         source.shape().str() + " should be " + expected.str() +
                         " for an index of shape " + index.shape().str() + " and input " +
                         x.shape().str() + ".");
    const Tensor spread = call_one(op, alpha == 1 ? source : mul(source, alpha), at,
                                   {{"shape", x.shape()}, {"dim", static_cast<std::int64_t>(d)}});
    return add(x, spread);
}

/// The one-dimensional index, repeated in the form of `shape`.
static Tensor index_as(const Tensor& index, const Shape& shape, int dim) {
    Shape along = Dims::filled(shape.size(), 1);
    along[dim] = index.numel();
    return contiguous(expand(reshape(index, along), shape));
}

Tensor index_copy(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& source) {
    const int d = wrap_dim(dim, x.dim());
    if (x.dim() == 0)
        return reshape(index_copy(reshape(x, {1}), 0, index, reshape(source, {1})), {});
    if (index.dim() > 1)
        throw ShapeError("index_copy needs a one-dimensional index, not one of shape " +
                         index.shape().str() + ".");
    Shape expected = x.shape();
    expected[d] = index.numel();
    if (source.shape() != expected)
        throw ShapeError("index_copy along dimension " + std::to_string(d) + ": source " +
                         source.shape().str() + " should be " + expected.str() + ".");
    return scatter(x, d, index_as(index, expected, d), source);
}

Tensor index_fill(const Tensor& x, std::int64_t dim, const Tensor& index, double value) {
    const int d = wrap_dim(dim, x.dim());
    if (x.dim() == 0) return reshape(index_fill(reshape(x, {1}), 0, index, value), {});
    if (index.dim() > 1)
        throw ShapeError("index_fill needs a one-dimensional index, not one of shape " +
                         index.shape().str() + ".");
    Shape filled = x.shape();
    filled[d] = index.numel();
    return scatter(x, d, index_as(index, filled, d),
                   Tensor::full(filled, value, x.dtype(), x.device()));
}

Tensor index_put(const Tensor& x, std::span<const Tensor> indices, const Tensor& values,
                 bool accumulate) {
    if (indices.empty() || static_cast<int>(indices.size()) > x.dim())
        throw ShapeError("index_put: " + std::to_string(indices.size()) +
                         " indices do not fit an input of shape " + x.shape().str() + ".");
    Shape lead = indices[0].shape();
    for (const Tensor& index : indices)
        lead = broadcast(lead, index.shape());
    const int taken = static_cast<int>(indices.size());
    // Positions in the flat tensor: those of the leading dimensions, times what follows each.
    const Strides strides = contiguous_strides(x.shape());
    Tensor flat = Tensor::zeros(lead, DType::Int64);
    for (int d = 0; d < taken; ++d) {
        const Tensor& index = indices[static_cast<std::size_t>(d)];
        if (index.dtype() != DType::Int64)
            throw DTypeError("index_put needs int64 indices, not " +
                             std::string(name_of(index.dtype())) + ".");
        const Tensor size = Tensor::full({}, static_cast<double>(x.shape()[d]), DType::Int64);
        const Tensor outside = maximum(lt(index, neg(size)), ge(index, size));
        if (outside.has_data() && outside.numel() > 0 && amax(outside).item() != 0)
            throw ValueError("index_put: an index is outside dimension " + std::to_string(d) +
                             " of size " + std::to_string(x.shape()[d]) + ".");
        const Tensor wrapped = where(lt(index, 0), add(index, size), index);
        flat = add(flat, mul(wrapped, static_cast<double>(strides[d])));
    }
    Shape whole = lead;
    std::int64_t rest = 1;
    for (int d = taken; d < x.dim(); ++d) {
        whole.push_back(x.shape()[d]);
        rest *= x.shape()[d];
    }
    flat = reshape(add(reshape(flat, {-1, 1}), reshape(arange(rest), {1, -1})), {-1});
    const Tensor source = reshape(expand(to(values, x.dtype()), whole), {-1});
    const Tensor start = reshape(x, {-1});
    const Tensor result =
        accumulate ? scatter_add(start, 0, flat, source) : scatter(start, 0, flat, source);
    return reshape(result, x.shape());
}

Tensor take(const Tensor& x, const Tensor& index) {
    const Tensor flat = reshape(x, {-1});
    const Tensor wrapped =
        where(lt(index, 0), add(index, static_cast<double>(flat.numel())), index);
    return reshape(index_select(flat, 0, reshape(wrapped, {-1})), index.shape());
}

Tensor take_along_dim(const Tensor& x, const Tensor& index, std::int64_t dim) {
    const int d = wrap_dim(dim, x.dim());
    if (x.dim() != index.dim())
        throw ShapeError("take_along_dim: input " + x.shape().str() + " and index " +
                         index.shape().str() + " need as many dimensions.");
    Shape from = x.shape(), at = index.shape();
    from[d] = at[d] = 1;
    Shape both = broadcast(from, at);
    Shape wide = both;
    wide[d] = x.shape()[d];
    both[d] = index.shape()[d];
    return gather(expand(x, wide), d, contiguous(expand(index, both)));
}

Tensor tril(const Tensor& x, std::int64_t diagonal) {
    static const Op& op = find_op("tril");
    return call_one(op, x, {{"diagonal", diagonal}});
}
Tensor triu(const Tensor& x, std::int64_t diagonal) {
    static const Op& op = find_op("triu");
    return call_one(op, x, {{"diagonal", diagonal}});
}
Tensor diagonal(const Tensor& x, std::int64_t offset, std::int64_t dim1, std::int64_t dim2) {
    static const Op& op = find_op("diagonal");
    const std::int64_t a = wrap_dim(dim1, x.dim()), b = wrap_dim(dim2, x.dim());
    if (a == b)
        throw ShapeError("diagonal: both dimensions are " + std::to_string(a) + " of shape " +
                         x.shape().str() + ".");
    return call_one(op, x, {{"offset", offset}, {"dim1", a}, {"dim2", b}});
}
Tensor diag_embed(const Tensor& x, std::int64_t offset) {
    static const Op& op = find_op("diag_embed");
    if (x.dim() == 0) throw ShapeError("diag_embed: a 0-dim tensor has no diagonal.");
    const std::int64_t size = x.shape().back() + std::abs(offset);
    return call_one(op, x, {{"rows", size}, {"columns", size}, {"offset", offset}});
}
Tensor diag(const Tensor& x, std::int64_t offset) {
    if (x.dim() == 1) return diag_embed(x, offset);
    if (x.dim() == 2) return contiguous(diagonal(x, offset));
    throw ShapeError("diag needs a vector or a matrix, not an input of shape " + x.shape().str() +
                     ".");
}
Tensor trace(const Tensor& x) {
    if (x.dim() != 2)
        throw ShapeError("trace needs a matrix, not an input of shape " + x.shape().str() + ".");
    return sum(diagonal(x));
}

} // namespace wiregrad

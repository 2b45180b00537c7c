#include <limits>

#include "tests/parity/call.h"

namespace wiregrad::parity {
namespace {

using Unary = Tensor (*)(const Tensor&);
Entry unary(const std::string& name, Unary f) {
    return {name, {}, [f](const Call& c) -> Tensors { return {f(c.tensor(0))}; }};
}

Entry padding(const std::string& mode) {
    return {"nn.functional.pad." + mode, {}, [mode](const Call& c) -> Tensors {
                const Tensor x = c.tensor(0);
                const Dims pads = c.dims(1, "pad", {});
                // PyTorch pads the last dimensions of a batch of channels only.
                if (pads.size() % 2 != 0) throw ShapeError("pad needs pairs");
                return {pad(x, pads, mode, c.real(3, "value", 0))};
            }};
}

Tensors grid(const Call& c) {
    const std::string indexing = c.text(99, "indexing", "ij");
    if (indexing != "ij" && indexing != "xy") throw ValueError("meshgrid: indexing is ij or xy");
    const Tensors xs = c.tensors(0, "tensors");
    for (const Tensor& x : xs)
        if (x.dtype() != xs[0].dtype()) throw DTypeError("meshgrid needs tensors of one dtype");
    return meshgrid(xs, indexing == "xy");
}

Tensor transposed(const Tensor& x) {
    if (x.dim() > 2) throw ShapeError("t turns matrices, not inputs of shape " + x.shape().str());
    return x.dim() < 2 ? x : transpose(x, 0, 1);
}

PatchOptions patches(const Call& c, int position) {
    PatchOptions options;
    options.kernel = c.pair(position, "kernel_size", {1, 1});
    options.dilation = c.pair(position + 1, "dilation", {1, 1});
    options.padding = c.pair(position + 2, "padding", {0, 0});
    options.stride = c.pair(position + 3, "stride", {1, 1});
    return options;
}

} // namespace

std::vector<Entry> shape_map() {
    return {
        {"reshape",
         {"reshape"},
         [](const Call& c) -> Tensors { return {reshape(c.tensor(0), c.dims(1, "shape"))}; }},
        {"view",
         {"reshape"},
         [](const Call& c) -> Tensors { return {reshape(c.tensor(0), c.dims(1, "shape"))}; }},
        {"flatten",
         {},
         [](const Call& c) -> Tensors {
             return {
                 flatten(c.tensor(0), c.integer(1, "start_dim", 0), c.integer(2, "end_dim", -1))};
         }},
        {"unflatten",
         {},
         [](const Call& c) -> Tensors {
             return {unflatten(c.tensor(0), c.integer(1, "dim"), c.dims(2, "sizes"))};
         }},
        {"ravel", {}, [](const Call& c) -> Tensors { return {reshape(c.tensor(0), {-1})}; }},
        {"permute",
         {"permute"},
         [](const Call& c) -> Tensors { return {permute(c.tensor(0), c.dims(1, "dims"))}; }},
        {"transpose",
         {},
         [](const Call& c) -> Tensors {
             return {transpose(c.tensor(0), c.integer(1, "dim0"), c.integer(2, "dim1"))};
         }},
        unary("t", transposed),
        {"T",
         {},
         [](const Call& c) -> Tensors {
             if (c.tensor(0).dim() > 2) throw Unsupported("more than two dimensions");
             return {transposed(c.tensor(0))};
         }},
        {"movedim",
         {},
         [](const Call& c) -> Tensors {
             return {movedim(c.tensor(0), c.dims(1, "source", {}), c.dims(2, "destination", {}))};
         }},
        {"squeeze",
         {},
         [](const Call& c) -> Tensors {
             if (!c.has(1, "dim")) return {squeeze(c.tensor(0))};
             return {squeeze(c.tensor(0), c.integer(1, "dim"))};
         }},
        {"unsqueeze",
         {},
         [](const Call& c) -> Tensors { return {unsqueeze(c.tensor(0), c.integer(1, "dim"))}; }},
        {"expand",
         {"expand"},
         [](const Call& c) -> Tensors { return {expand(c.tensor(0), c.dims(1, "size"))}; }},
        {"expand_as",
         {},
         [](const Call& c) -> Tensors { return {expand(c.tensor(0), c.tensor(1).shape())}; }},
        {"broadcast_to",
         {},
         [](const Call& c) -> Tensors { return {expand(c.tensor(0), c.dims(1, "size"))}; }},
        {"sum_to_size",
         {},
         [](const Call& c) -> Tensors { return {sum_to(c.tensor(0), c.dims(1, "size"))}; }},
        {"slice",
         {"slice", "slice_backward"},
         [](const Call& c) -> Tensors {
             return {slice(c.tensor(0), c.integer(1, "dim"), c.integer(2, "start", 0),
                           c.integer(3, "end", std::numeric_limits<std::int64_t>::max()),
                           c.integer(4, "step", 1))};
         }},
        {"narrow",
         {},
         [](const Call& c) -> Tensors {
             if (c.is_tensor(2, "start"))
                 return {narrow(c.tensor(0), c.integer(1, "dim"),
                                static_cast<std::int64_t>(c.tensor(2, "start").item()),
                                c.integer(3, "length"))};
             return {narrow(c.tensor(0), c.integer(1, "dim"), c.integer(2, "start"),
                            c.integer(3, "length"))};
         }},
        {"select",
         {"select"},
         [](const Call& c) -> Tensors {
             return {select(c.tensor(0), c.integer(1, "dim"), c.integer(2, "index"))};
         }},
        {"cat",
         {"cat"},
         [](const Call& c) -> Tensors {
             Tensors all;
             for (const Tensor& x : c.tensors(0, "tensors"))
                 if (x.shape() != Shape{0}) all.push_back(x); // PyTorch's old habit: [] is nothing
             const Tensors given = c.tensors(0, "tensors");
             if (all.empty() && !given.empty()) return {given[0]};
             return {cat(all, c.integer(1, "dim", 0))};
         }},
        {"stack",
         {},
         [](const Call& c) -> Tensors {
             return {stack(c.tensors(0, "tensors"), c.integer(1, "dim", 0))};
         }},
        {"split",
         {},
         [](const Call& c) -> Tensors {
             return split(c.tensor(0), c.integer(1, "split_size"), c.integer(2, "dim", 0));
         }},
        {"split.list_args",
         {},
         [](const Call& c) -> Tensors {
             const Dims sizes = c.dims(1, "sizes");
             return split(c.tensor(0), sizes.span(), c.integer(2, "dim", 0));
         }},
        {"split_with_sizes",
         {},
         [](const Call& c) -> Tensors {
             const Dims sizes = c.dims(1, "sizes");
             return split(c.tensor(0), sizes.span(), c.integer(2, "dim", 0));
         }},
        {"chunk",
         {},
         [](const Call& c) -> Tensors {
             return chunk(c.tensor(0), c.integer(1, "chunks"), c.integer(2, "dim", 0));
         }},
        {"unbind",
         {},
         [](const Call& c) -> Tensors { return unbind(c.tensor(0), c.integer(1, "dim", 0)); }},
        {"flip",
         {"flip"},
         [](const Call& c) -> Tensors { return {flip(c.tensor(0), c.dims(1, "dims"))}; }},
        {"fliplr",
         {},
         [](const Call& c) -> Tensors {
             if (c.tensor(0).dim() < 2) throw ShapeError("fliplr needs two dimensions");
             return {flip(c.tensor(0), {1})};
         }},
        {"flipud",
         {},
         [](const Call& c) -> Tensors {
             if (c.tensor(0).dim() < 1) throw ShapeError("flipud needs a dimension");
             return {flip(c.tensor(0), {0})};
         }},
        {"roll",
         {},
         [](const Call& c) -> Tensors {
             return {roll(c.tensor(0), c.dims(1, "shifts", {}), c.dims(2, "dims", {}))};
         }},
        {"rot90",
         {},
         [](const Call& c) -> Tensors {
             const Dims dims = c.dims(2, "dims", {0, 1});
             if (dims.size() != 2) throw ShapeError("rot90 needs two dimensions");
             return {rot90(c.tensor(0), c.integer(1, "k", 1), dims[0], dims[1])};
         }},
        {"repeat",
         {},
         [](const Call& c) -> Tensors { return {repeat(c.tensor(0), c.dims(1, "repeats"))}; }},
        {"tile",
         {},
         [](const Call& c) -> Tensors { return {tile(c.tensor(0), c.dims(1, "dims"))}; }},
        {"repeat_interleave",
         {},
         [](const Call& c) -> Tensors {
             if (c.is_tensor(1, "repeats")) throw Unsupported("a repeat for each element");
             const std::int64_t repeats = c.integer(1, "repeats");
             if (!c.has(9, "dim"))
                 return {repeat_interleave(reshape(c.tensor(0), {-1}), repeats, 0)};
             return {repeat_interleave(c.tensor(0), repeats, c.integer(9, "dim"))};
         }},
        {"meshgrid.variadic_tensors", {}, grid},
        {"meshgrid.list_of_tensors", {}, grid},
        {"gather",
         {"gather", "gather_backward"},
         [](const Call& c) -> Tensors {
             if (c.tensor(2, "index").dtype() == DType::UInt8)
                 throw Unsupported("an index of bytes");
             return {gather(c.tensor(0), c.integer(1, "dim"), c.tensor(2, "index"))};
         }},
        {"scatter",
         {"scatter"},
         [](const Call& c) -> Tensors {
             c.without({"reduce"});
             if (c.is_tensor(3, "src"))
                 return {scatter(c.tensor(0), c.integer(1, "dim"), c.tensor(2, "index"),
                                 c.tensor(3, "src"))};
             const Tensor index = c.tensor(2, "index");
             return {scatter(c.tensor(0), c.integer(1, "dim"), index,
                             Tensor::full(index.shape(), c.real(3, "value"), c.tensor(0).dtype()))};
         }},
        {"scatter_add",
         {"gather_backward"},
         [](const Call& c) -> Tensors {
             return {scatter_add(c.tensor(0), c.integer(1, "dim"), c.tensor(2, "index"),
                                 c.tensor(3, "src"))};
         }},
        {"index_select",
         {"index_select", "index_select_backward"},
         [](const Call& c) -> Tensors {
             const Tensor x = c.tensor(0), index = c.tensor(2, "index");
             if (x.dim() == 0 || index.dim() == 0) throw Unsupported("a 0-dim input or index");
             return {index_select(x, c.integer(1, "dim"), index)};
         }},
        {"index_add",
         {"index_select_backward"},
         [](const Call& c) -> Tensors {
             return {index_add(c.tensor(0), c.integer(1, "dim"), c.tensor(2, "index"),
                               c.tensor(3, "source"), c.real(4, "alpha", 1))};
         }},
        {"index_copy",
         {},
         [](const Call& c) -> Tensors {
             return {index_copy(c.tensor(0), c.integer(1, "dim"), c.tensor(2, "index"),
                                c.tensor(3, "source"))};
         }},
        {"index_fill",
         {},
         [](const Call& c) -> Tensors {
             if (c.is_tensor(3, "value")) throw Unsupported("a value that is a tensor");
             return {index_fill(c.tensor(0), c.integer(1, "dim"), c.tensor(2, "index"),
                                c.real(3, "value"))};
         }},
        {"index_put",
         {},
         [](const Call& c) -> Tensors {
             const Tensors indices = c.tensors(1, "indices");
             for (const Tensor& index : indices)
                 if (index.dtype() == DType::Bool) throw Unsupported("a mask as index");
             return {index_put(c.tensor(0), indices, c.tensor(2, "values"),
                               c.flag(3, "accumulate", false))};
         }},
        {"take",
         {},
         [](const Call& c) -> Tensors { return {take(c.tensor(0), c.tensor(1, "index"))}; }},
        {"take_along_dim",
         {},
         [](const Call& c) -> Tensors {
             if (!c.has(2, "dim"))
                 return {take(c.tensor(0), reshape(c.tensor(1, "indices"), {-1}))};
             return {take_along_dim(c.tensor(0), c.tensor(1, "indices"), c.integer(2, "dim"))};
         }},
        {"tril",
         {"tril"},
         [](const Call& c) -> Tensors { return {tril(c.tensor(0), c.integer(1, "diagonal", 0))}; }},
        {"triu",
         {"triu"},
         [](const Call& c) -> Tensors { return {triu(c.tensor(0), c.integer(1, "diagonal", 0))}; }},
        {"diagonal",
         {"diagonal"},
         [](const Call& c) -> Tensors {
             return {diagonal(c.tensor(0), c.integer(1, "offset", 0), c.integer(2, "dim1", 0),
                              c.integer(3, "dim2", 1))};
         }},
        {"diag",
         {},
         [](const Call& c) -> Tensors { return {diag(c.tensor(0), c.integer(1, "diagonal", 0))}; }},
        {"diag_embed",
         {"diag_embed"},
         [](const Call& c) -> Tensors {
             const std::int64_t a = c.integer(2, "dim1", -2), b = c.integer(3, "dim2", -1);
             const Tensor embedded = diag_embed(c.tensor(0), c.integer(1, "offset", 0));
             if (wrap_dim(a, embedded.dim()) == wrap_dim(b, embedded.dim()))
                 throw ShapeError("diag_embed needs two different dimensions");
             return {movedim(embedded, {-2, -1}, {a, b})};
         }},
        unary("trace", trace),
        padding("constant"),
        padding("reflect"),
        padding("replicate"),
        padding("circular"),
        {"constant_pad_nd",
         {"pad"},
         [](const Call& c) -> Tensors {
             return {pad(c.tensor(0), c.dims(1, "pad", {}), c.real(2, "value", 0))};
         }},
        {"unfold",
         {},
         [](const Call& c) -> Tensors {
             return {unfold_dim(c.tensor(0), c.integer(1, "dimension"), c.integer(2, "size"),
                                c.integer(3, "step"))};
         }},
        {"nn.functional.unfold",
         {"im2col", "col2im"},
         [](const Call& c) -> Tensors { return {unfold(c.tensor(0), patches(c, 1))}; }},
        {"nn.functional.one_hot",
         {"one_hot"},
         [](const Call& c) -> Tensors {
             std::int64_t classes = c.integer(1, "num_classes", -1);
             if (classes < 0) classes = static_cast<std::int64_t>(amax(c.tensor(0)).item()) + 1;
             return {one_hot(c.tensor(0), classes)};
         }},
        {"linspace",
         {},
         [](const Call& c) -> Tensors {
             return {linspace(c.real(0, "start"), c.real(1, "end"), c.integer(2, "steps"),
                              c.dtype(9, "dtype", DType::Float32))};
         }},
        {"eye",
         {},
         [](const Call& c) -> Tensors {
             return {eye(c.integer(0, "n"), c.integer(1, "m", -1),
                         c.dtype(9, "dtype", DType::Float32))};
         }},
    };
}

} // namespace wiregrad::parity

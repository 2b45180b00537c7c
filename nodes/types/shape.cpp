#include "engine/op/tensor_ops.h"
#include "nodes/types/declare.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

namespace wiregrad::graph::types {

namespace {

NodeType shaping(std::string id, std::vector<std::string> synonyms, std::string help) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Shape";
    type.synonyms = std::move(synonyms);
    type.help = std::move(help);
    type.inputs = one_in();
    type.outputs = one_out();
    return type;
}

NodeType flatten_type() {
    NodeType type = shaping(
        "Flatten", {"vectorize", "view"},
        "Lays the numbers of a sample in one row, as Linear wants them: 16 × 5 × 5 becomes 400.");
    type.params = {int_param("start_dim", "First dimension", 1, 1, 7,
                             "First dimension to be merged; 0 is the batch."),
                   int_param("end_dim", "Last dimension", -1, -7, 7,
                             "Last dimension to be merged; -1 is the last one.")};
    type.build = [](const BuildContext& context) {
        const int rank = context.inputs[0].shape.size();
        const std::int64_t start = context.integer("start_dim"), end = context.integer("end_dim");
        if (start >= rank && rank > 1)
            throw ShapeError(fmt::format("Flatten: start_dim {} is past the last dimension of {}",
                                         start, context.inputs[0].shape.str()));
        if (rank <= 1) // one number a sample: nothing to merge but the row to make
            return make_unary([](const Tensor& x) { return unsqueeze(x, 1); });
        if (wrap_dim(end, rank) < start)
            throw ShapeError(fmt::format("Flatten: end_dim {} comes before start_dim {} in {}", end,
                                         start, context.inputs[0].shape.str()));
        return make_unary([start, end](const Tensor& x) { return flatten(x, start, end); });
    };
    type.pytorch = [](const BuildContext& context) {
        if (context.inputs[0].shape.size() <= 1) return Emitted{"", "{0}.unsqueeze(1)"};
        return module_line(Arguments()
                               .option("start_dim", context.integer("start_dim"), 1)
                               .option("end_dim", context.integer("end_dim"), -1)
                               .call("nn.Flatten"));
    };
    return type;
}

/// The wanted shape with the batch in front and -1 worked out.
Shape target_shape(const BuildContext& context) {
    const Shape& from = context.inputs[0].shape;
    const Dims wanted = context.dims("shape");
    std::int64_t have = 1, known = 1;
    for (int i = 1; i < from.size(); ++i)
        have *= from[i];
    int open = -1;
    Shape result{from[0]};
    for (int i = 0; i < wanted.size(); ++i) {
        if (wanted[i] == 0) throw ValueError("Reshape: a size cannot be 0");
        if (wanted[i] < 0 && open >= 0)
            throw ValueError(fmt::format("Reshape: only one size can be -1, got {}", wanted.str()));
        if (wanted[i] < 0)
            open = i;
        else if (known > have / wanted[i] && have > 0) // cannot fit; also keeps the product small
            known = have + 1;
        else
            known *= wanted[i];
        result.push_back(wanted[i]);
    }
    if (open < 0 ? known != have : known == 0 || have % known != 0)
        throw ShapeError(fmt::format("Reshape cannot make {} of a sample of {} numbers {}",
                                     wanted.str(), have, from.str()));
    if (open >= 0) result[open + 1] = have / known;
    return result;
}

NodeType reshape_type() {
    NodeType type = shaping("Reshape", {"view", "unflatten"},
                            "Gives the numbers of a sample another shape; their count must stay. "
                            "The batch is left out.");
    type.params = {list_param(
        "shape", "Shape", {-1}, 1, 7, -1, 1000000000,
        "New shape of one sample, without the batch; one size may be -1 and is worked out.")};
    type.build = [](const BuildContext& context) {
        const Shape shape = target_shape(context);
        return make_unary([shape](const Tensor& x) {
            Shape whole = shape;
            whole[0] = x.size(0);
            return reshape(x, whole);
        });
    };
    type.pytorch = [](const BuildContext& context) {
        const Shape shape = target_shape(context);
        std::string sizes;
        for (int i = 1; i < shape.size(); ++i)
            sizes += fmt::format(", {}", shape[i]);
        return Emitted{"", "{0}.reshape({0}.shape[0]" + sizes + ")"};
    };
    return type;
}

NodeType permute_type() {
    NodeType type = shaping("Permute", {"transpose", "swap axes", "reorder"},
                            "Puts the dimensions in another order, such as channels last.");
    type.params = {
        list_param("dims", "Order", {0, 2, 1}, 2, 8, 0, 7,
                   "The dimensions in their new order, all of them; the batch, 0, stays first.")};
    type.build = [](const BuildContext& context) {
        const Dims dims = context.dims("dims");
        const Shape& shape = context.inputs[0].shape;
        if (dims.size() != shape.size())
            throw ShapeError(fmt::format("Permute names {} dimensions {}, the input has {} {}",
                                         dims.size(), dims.str(), shape.size(), shape.str()));
        std::vector<bool> seen(static_cast<std::size_t>(dims.size()), false);
        for (std::int64_t dim : dims) {
            if (dim < 0 || dim >= dims.size() || seen[static_cast<std::size_t>(dim)])
                throw ValueError(fmt::format("Permute needs each of 0 to {} once, got {}",
                                             dims.size() - 1, dims.str()));
            seen[static_cast<std::size_t>(dim)] = true;
        }
        if (dims[0] != 0)
            throw ValueError(
                fmt::format("Permute: the batch, 0, must stay first, got {}", dims.str()));
        return make_unary([dims](const Tensor& x) { return permute(x, dims); });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", "{0}.permute" + py(context.dims("dims"))};
    };
    return type;
}

NodeType concat_type() {
    NodeType type = shaping("Concat", {"cat", "concatenate", "join", "merge", "skip connection"},
                            "Joins tensors behind each other along one dimension, in the order in "
                            "which they are wired.");
    type.inputs[0].many = true;
    type.params = {
        int_param("dim", "Dimension", 1, -7, 7,
                  "Along which dimension; 1 is the channels of pictures, the features of rows.")};
    type.build = [](const BuildContext& context) {
        const std::int64_t dim = context.integer("dim");
        const Shape& first = context.inputs[0].shape;
        const int axis = wrap_dim(dim, first.size());
        if (axis == 0)
            throw ValueError(
                fmt::format("Concat along dimension {} would mix the samples of a batch", dim));
        for (std::size_t i = 1; i < context.inputs.size(); ++i) {
            const Shape& other = context.inputs[i].shape;
            bool fits = other.size() == first.size();
            for (int d = 0; fits && d < first.size(); ++d)
                fits = d == axis || first[d] == other[d];
            if (!fits)
                throw ShapeError(fmt::format("Concat along dimension {} cannot join {} and {}: all "
                                             "other sizes must be equal",
                                             axis, first.str(), other.str()));
        }
        return make_function([dim](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return Tensors{cat(xs, dim)};
        });
    };
    type.pytorch = [](const BuildContext& context) {
        std::string list;
        for (std::size_t i = 0; i < context.inputs.size(); ++i)
            list += fmt::format("{}{{{}}}", i == 0 ? "" : ", ", i);
        return Emitted{"", fmt::format("torch.cat([{}], dim={})", list, context.integer("dim"))};
    };
    return type;
}

/// A dimension of a sample; throws where it names the batch.
int sample_axis(const BuildContext& context, const std::string& id, const std::string& who) {
    const int axis = wrap_dim(context.integer(id), context.inputs[0].shape.size());
    if (axis == 0)
        throw ValueError(fmt::format("{} along dimension 0 would mix the samples of a batch", who));
    return axis;
}
ParamSpec axis_param(std::string id, std::string label, std::int64_t standard) {
    return int_param(std::move(id), std::move(label), standard, -7, 7,
                     "Which dimension; -1 is the last, 0 (the batch) cannot.");
}

NodeType stack_type() {
    NodeType type = shaping("Stack", {"pile", "join", "new dimension"},
                            "Puts tensors of one shape behind each other along a new dimension, in "
                            "the order in which they are wired.");
    type.inputs[0].many = true;
    type.params = {int_param("dim", "Dimension", 1, -8, 8,
                             "Where the new dimension goes; 0 (the batch) cannot.")};
    type.build = [](const BuildContext& context) {
        const Shape& first = context.inputs[0].shape;
        for (const TensorMeta& other : context.inputs)
            if (!(other.shape == first))
                throw ShapeError(fmt::format("Stack needs inputs of one shape, got {} and {}",
                                             first.str(), other.shape.str()));
        const int axis = wrap_dim(context.integer("dim"), first.size() + 1);
        if (axis == 0) throw ValueError("Stack along dimension 0 would mix the samples of a batch");
        return make_function([axis](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return Tensors{stack(xs, axis)};
        });
    };
    type.pytorch = [](const BuildContext& context) {
        std::string list;
        for (std::size_t i = 0; i < context.inputs.size(); ++i)
            list += fmt::format("{}{{{}}}", i == 0 ? "" : ", ", i);
        return Emitted{"", fmt::format("torch.stack([{}], dim={})", list, context.integer("dim"))};
    };
    return type;
}

NodeType split_type() {
    NodeType type = shaping("Split", {"divide", "cut", "separate"},
                            "Cuts a tensor in two along a dimension: the first so many, and the "
                            "rest.");
    type.outputs = {tensor_port("first", "The first `size` of the dimension."),
                    tensor_port("rest", "What remains.")};
    type.params = {int_param("size", "Size of the first", 1, 1, 1000000000,
                             "How many go to the first output."),
                   axis_param("dim", "Dimension", 1)};
    type.build = [](const BuildContext& context) {
        const int axis = sample_axis(context, "dim", "Split");
        const std::int64_t size = context.integer("size"), whole = context.inputs[0].shape[axis];
        if (size >= whole)
            throw ShapeError(fmt::format("Split: nothing of dimension {} of {} is left behind the "
                                         "first {}",
                                         axis, context.inputs[0].shape.str(), size));
        return make_function([axis, size](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return Tensors{slice(xs[0], axis, 0, size), slice(xs[0], axis, size, xs[0].size(axis))};
        });
    };
    type.pytorch = [](const BuildContext& context) {
        const int axis = sample_axis(context, "dim", "Split");
        const std::int64_t size = context.integer("size"), whole = context.inputs[0].shape[axis];
        return Emitted{"", fmt::format("torch.split({{0}}, [{}, {}], dim={})", size, whole - size,
                                       context.integer("dim"))};
    };
    return type;
}

NodeType chunk_type() {
    NodeType type = shaping("Chunk", {"halves", "split", "divide"},
                            "Cuts a tensor in halves along a dimension, for gates and the like.");
    type.outputs = {tensor_port("first", "The first half."),
                    tensor_port("second", "The second half.")};
    type.params = {axis_param("dim", "Dimension", -1)};
    type.build = [](const BuildContext& context) {
        const int axis = sample_axis(context, "dim", "Chunk");
        const Shape& shape = context.inputs[0].shape;
        if (shape[axis] % 2 != 0)
            throw ShapeError(fmt::format("Chunk cannot halve dimension {} of {}: {} is odd", axis,
                                         shape.str(), shape[axis]));
        return make_function([axis](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return chunk(xs[0], 2, axis);
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", fmt::format("torch.chunk({{0}}, 2, dim={})", context.integer("dim"))};
    };
    return type;
}

NodeType slice_type() {
    NodeType type = shaping("Slice", {"narrow", "crop", "part", "range", "index"},
                            "Keeps a part of a dimension: from start, every step, before end.");
    type.params = {axis_param("dim", "Dimension", 1),
                   int_param("start", "Start", 0, -1000000000, 1000000000,
                             "The first that is kept; negative counts from the end."),
                   int_param("end", "End", 1000000000, -1000000000, 1000000000,
                             "Where it ends, not included; negative counts from the end."),
                   int_param("step", "Step", 1, 1, 1000000000, "2 keeps every second.")};
    type.build = [](const BuildContext& context) {
        const int axis = sample_axis(context, "dim", "Slice");
        const std::int64_t start = context.integer("start"), end = context.integer("end"),
                           step = context.integer("step"), size = context.inputs[0].shape[axis];
        const auto bounded = [size](std::int64_t at) {
            return std::clamp<std::int64_t>(at < 0 ? at + size : at, 0, size);
        };
        if (bounded(start) >= bounded(end))
            throw ShapeError(fmt::format("Slice: from {} to {} nothing is left of dimension {} of "
                                         "{}",
                                         start, end, axis, context.inputs[0].shape.str()));
        return make_unary(
            [axis, start, end, step](const Tensor& x) { return slice(x, axis, start, end, step); });
    };
    type.pytorch = [](const BuildContext& context) {
        const int axis = sample_axis(context, "dim", "Slice");
        std::string colons;
        for (int i = 0; i < axis; ++i)
            colons += ":, ";
        return Emitted{"", fmt::format("{{0}}[{}{}:{}:{}]", colons, context.integer("start"),
                                       context.integer("end"), context.integer("step"))};
    };
    return type;
}

NodeType select_type() {
    NodeType type = shaping("Select", {"pick", "index", "last step", "element"},
                            "Takes one entry of a dimension, which goes away: such as the last "
                            "step of a sequence.");
    type.params = {axis_param("dim", "Dimension", 1),
                   int_param("index", "Entry", -1, -1000000000, 1000000000,
                             "Which one; 0 is the first, -1 the last.")};
    type.build = [](const BuildContext& context) {
        const int axis = sample_axis(context, "dim", "Select");
        const std::int64_t index = context.integer("index"), size = context.inputs[0].shape[axis];
        if (index < -size || index >= size)
            throw ValueError(fmt::format("Select: dimension {} of {} has no entry {}", axis,
                                         context.inputs[0].shape.str(), index));
        return make_unary([axis, index](const Tensor& x) { return select(x, axis, index); });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", fmt::format("{{0}}.select({}, {})", context.integer("dim"),
                                       context.integer("index"))};
    };
    return type;
}

NodeType squeeze_type() {
    NodeType type = shaping("Squeeze", {"remove dimension", "drop dimension"},
                            "Takes away a dimension of size 1.");
    type.params = {axis_param("dim", "Dimension", -1)};
    type.build = [](const BuildContext& context) {
        const int axis = sample_axis(context, "dim", "Squeeze");
        if (context.inputs[0].shape[axis] != 1)
            throw ShapeError(fmt::format("Squeeze: dimension {} of {} has size {}, not 1", axis,
                                         context.inputs[0].shape.str(),
                                         context.inputs[0].shape[axis]));
        return make_unary([axis](const Tensor& x) { return squeeze(x, axis); });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", fmt::format("{{0}}.squeeze({})", context.integer("dim"))};
    };
    return type;
}

NodeType unsqueeze_type() {
    NodeType type =
        shaping("Unsqueeze", {"add dimension", "new axis"}, "Puts in a dimension of size 1.");
    type.params = {int_param("dim", "Dimension", -1, -8, 8,
                             "Where the new dimension goes; 0 (the batch) cannot.")};
    type.build = [](const BuildContext& context) {
        const int axis = wrap_dim(context.integer("dim"), context.inputs[0].shape.size() + 1);
        if (axis == 0) throw ValueError("Unsqueeze: dimension 0 is the batch's place");
        return make_unary([axis](const Tensor& x) { return unsqueeze(x, axis); });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", fmt::format("{{0}}.unsqueeze({})", context.integer("dim"))};
    };
    return type;
}

NodeType transpose_type() {
    NodeType type =
        shaping("Transpose", {"swap axes", "flip dimensions"}, "Swaps two dimensions of a sample.");
    type.params = {axis_param("dim0", "One dimension", 1),
                   axis_param("dim1", "Other dimension", 2)};
    type.build = [](const BuildContext& context) {
        const int a = sample_axis(context, "dim0", "Transpose"),
                  b = sample_axis(context, "dim1", "Transpose");
        return make_unary([a, b](const Tensor& x) { return transpose(x, a, b); });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", fmt::format("{{0}}.transpose({}, {})", context.integer("dim0"),
                                       context.integer("dim1"))};
    };
    return type;
}

NodeType flip_type() {
    NodeType type = shaping("Flip", {"mirror", "reverse"}, "Turns dimensions of a sample around.");
    type.params = {list_param("dims", "Dimensions", {-1}, 1, 7, -7, 7,
                              "Which dimensions; -1 is the last, 0 (the batch) cannot.")};
    type.build = [](const BuildContext& context) {
        const Dims dims = context.dims("dims");
        for (const std::int64_t dim : dims)
            if (wrap_dim(dim, context.inputs[0].shape.size()) == 0)
                throw ValueError("Flip along dimension 0 would mix the samples of a batch");
        return make_unary([dims](const Tensor& x) { return flip(x, dims); });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", "{0}.flip" + py(context.dims("dims"))};
    };
    return type;
}

NodeType roll_type() {
    NodeType type = shaping("Roll", {"shift", "rotate"},
                            "Moves the entries of a dimension on; what falls off the end comes "
                            "back at the beginning.");
    type.params = {
        int_param("shifts", "Places", 1, -1000000000, 1000000000, "How far; negative moves back."),
        axis_param("dims", "Dimension", -1)};
    type.build = [](const BuildContext& context) {
        const int axis = sample_axis(context, "dims", "Roll");
        return make_unary([axis, by = context.integer("shifts")](const Tensor& x) {
            return roll(x, {by}, {axis});
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", fmt::format("{{0}}.roll({}, {})", context.integer("shifts"),
                                       context.integer("dims"))};
    };
    return type;
}

NodeType tile_type() {
    NodeType type = shaping("Tile", {"repeat", "copy", "expand"},
                            "Puts copies of a tensor behind each other along a dimension.");
    type.params = {int_param("times", "Times", 2, 1, 100000, "How many copies."),
                   axis_param("dim", "Dimension", 1)};
    const auto repeats = [](const BuildContext& context) {
        Dims result = Dims::filled(context.inputs[0].shape.size(), 1);
        result[sample_axis(context, "dim", "Tile")] = context.integer("times");
        return result;
    };
    type.build = [repeats](const BuildContext& context) {
        return make_unary([dims = repeats(context)](const Tensor& x) { return repeat(x, dims); });
    };
    type.pytorch = [repeats](const BuildContext& context) {
        return Emitted{"", "torch.tile({0}, " + py(repeats(context)) + ")"};
    };
    return type;
}

NodeType pad_type() {
    NodeType type = shaping("Pad", {"border", "zero padding", "reflect", "replicate", "circular"},
                            "Puts a border around a sample.");
    type.params = {
        list_param("pad", "Widths", {1, 1}, 2, 6, 0, 100000,
                   "Before and after, the last dimension first: left, right, top, bottom."),
        choice_param("mode", "Border", "constant",
                     {{"constant", "A number"},
                      {"reflect", "Mirrored"},
                      {"replicate", "The edge repeated"},
                      {"circular", "The other side"}},
                     "What the border holds."),
        shown_if(real_param("value", "Number", 0, -1e30, 1e30, "What a constant border holds."),
                 [](const Params& params) {
                     return std::get<std::string>(params.at("mode")) == "constant";
                 })};
    type.check = [](const Params& params) -> std::string {
        const auto& widths = std::get<std::vector<std::int64_t>>(params.at("pad"));
        return widths.size() % 2 == 0 ? "" : "pad must hold pairs: before and after";
    };
    type.build = [](const BuildContext& context) {
        const Dims pads = context.dims("pad");
        const Shape& shape = context.inputs[0].shape;
        if (pads.size() % 2 != 0 || pads.size() > 2 * (shape.size() - 1))
            throw ShapeError(fmt::format("Pad: {} must hold pairs, at most {} for an input of "
                                         "shape {}",
                                         pads.str(), shape.size() - 1, shape.str()));
        const std::string mode = context.text("mode");
        const double value = context.real("value");
        return make_unary([=](const Tensor& x) { return pad(x, pads, mode, value); });
    };
    type.pytorch = [](const BuildContext& context) {
        const std::string mode = context.text("mode");
        if (mode == "constant")
            return Emitted{"", fmt::format("F.pad({{0}}, {}, value={})", py(context.dims("pad")),
                                           py(context.real("value")))};
        return Emitted{"",
                       fmt::format("F.pad({{0}}, {}, mode='{}')", py(context.dims("pad")), mode)};
    };
    return type;
}

/// Tril and Triu.
NodeType triangle(std::string id, std::string help, Tensor (*function)(const Tensor&, std::int64_t),
                  std::string python) {
    NodeType type =
        shaping(std::move(id), {"triangle", "mask", "causal", "matrix"}, std::move(help));
    type.params = {int_param("diagonal", "Diagonal", 0, -1000000, 1000000,
                             "0 is the main one; above it positive, below negative.")};
    type.build = [function, name = type.id](const BuildContext& context) {
        if (context.inputs[0].shape.size() < 3)
            throw ShapeError(fmt::format("{} needs a matrix a sample (N × rows × columns), got {}",
                                         name, context.inputs[0].shape.str()));
        return make_unary([function, diagonal = context.integer("diagonal")](const Tensor& x) {
            return function(x, diagonal);
        });
    };
    type.pytorch = [python](const BuildContext& context) {
        return Emitted{"", fmt::format("{}({{0}}, {})", python, context.integer("diagonal"))};
    };
    return type;
}

} // namespace

std::vector<NodeType> shape_types() {
    return {
        flatten_type(),
        reshape_type(),
        permute_type(),
        concat_type(),
        transpose_type(),
        squeeze_type(),
        unsqueeze_type(),
        stack_type(),
        split_type(),
        chunk_type(),
        slice_type(),
        select_type(),
        pad_type(),
        flip_type(),
        roll_type(),
        tile_type(),
        triangle("Tril", "Keeps the lower triangle of a matrix and sets the rest to zero.", tril,
                 "torch.tril"),
        triangle("Triu", "Keeps the upper triangle of a matrix and sets the rest to zero.", triu,
                 "torch.triu"),
    };
}

} // namespace wiregrad::graph::types

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

} // namespace

std::vector<NodeType> shape_types() {
    return {flatten_type(), reshape_type(), permute_type(), concat_type()};
}

} // namespace wiregrad::graph::types

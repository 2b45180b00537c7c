#include "nodes/types/declare.h"

#include <fmt/core.h>

#include <algorithm>

namespace wiregrad::graph::types {

namespace {

using Binary = Tensor (*)(const Tensor&, const Tensor&);

/// The batch must keep its size: broadcasting may stretch other dimensions only.
void check_broadcast(const BuildContext& context, const std::string& who) {
    Shape shape = context.inputs[0].shape;
    for (std::size_t i = 1; i < context.inputs.size(); ++i) {
        const Shape& other = context.inputs[i].shape;
        bool fits = true;
        const int rank = std::min(shape.size(), other.size());
        for (int d = 1; d <= rank; ++d) {
            const std::int64_t a = shape[shape.size() - d], b = other[other.size() - d];
            fits = fits && (a == b || a == 1 || b == 1);
        }
        if (!fits || shape.size() != other.size())
            throw ShapeError(fmt::format("{} cannot combine {} and {}: sizes must be equal, or 1",
                                         who, shape.str(), other.str()));
        shape = broadcast(shape, other);
    }
}

/// Add and Mul: any number of inputs, in the order wired.
NodeType folding(std::string id, std::string formula, std::vector<std::string> synonyms,
                 std::string help, Binary function, char sign) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Math";
    type.formula = std::move(formula);
    type.synonyms = std::move(synonyms);
    type.help = std::move(help);
    type.inputs = one_in();
    type.inputs[0].many = true;
    type.outputs = one_out();
    type.build = [function, name = type.id](const BuildContext& context) {
        check_broadcast(context, name);
        return make_function([function](std::span<const Tensor> xs, const nn::ForwardContext&) {
            Tensor result = xs[0];
            for (std::size_t i = 1; i < xs.size(); ++i)
                result = function(result, xs[i]);
            return Tensors{result};
        });
    };
    type.pytorch = [sign](const BuildContext& context) {
        std::string text;
        for (std::size_t i = 0; i < context.inputs.size(); ++i)
            text += i == 0 ? std::string("{0}") : fmt::format(" {} {{{}}}", sign, i);
        return Emitted{"", context.inputs.size() > 1 ? "(" + text + ")" : text};
    };
    return type;
}

NodeType two_sided(std::string id, std::string formula, std::vector<std::string> synonyms,
                   std::string help) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Math";
    type.formula = std::move(formula);
    type.synonyms = std::move(synonyms);
    type.help = std::move(help);
    type.inputs = {tensor_port("a"), tensor_port("b")};
    type.outputs = one_out();
    return type;
}

NodeType sub_type() {
    NodeType type = two_sided("Sub", "a - b", {"subtract", "minus", "difference"},
                              "Takes b away from a, element by element.");
    type.build = [](const BuildContext& context) {
        check_broadcast(context, "Sub");
        return make_function([](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return Tensors{sub(xs[0], xs[1])};
        });
    };
    type.pytorch = [](const BuildContext&) { return Emitted{"", "({0} - {1})"}; };
    return type;
}

NodeType matmul_type() {
    NodeType type = two_sided("MatMul", "a @ b", {"matrix product", "dot", "bmm"},
                              "Matrix product of each sample of a with the same sample of b.");
    type.build = [](const BuildContext& context) {
        const Shape& a = context.inputs[0].shape;
        const Shape& b = context.inputs[1].shape;
        if (a.size() < 3 || b.size() < 3)
            throw ShapeError(fmt::format(
                "MatMul multiplies the matrices of a batch (N × rows × columns), got {} and {}",
                a.str(), b.str()));
        if (a.back() != b[b.size() - 2])
            throw ShapeError(fmt::format("MatMul: a has {} columns, b has {} rows ({} and {})",
                                         a.back(), b[b.size() - 2], a.str(), b.str()));
        if (a.size() != b.size())
            throw ShapeError(fmt::format(
                "MatMul needs as many dimensions on both sides, got {} and {}", a.str(), b.str()));
        return make_function([](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return Tensors{matmul(xs[0], xs[1])};
        });
    };
    type.pytorch = [](const BuildContext&) { return Emitted{"", "({0} @ {1})"}; };
    return type;
}

NodeType mean_type() {
    NodeType type;
    type.id = type.label = "Mean";
    type.category = "Math";
    type.formula = "mean of x over dim";
    type.synonyms = {"average", "reduce", "global average"};
    type.help = "Averages over dimensions of a sample.";
    type.inputs = one_in();
    type.outputs = one_out();
    type.params = {
        list_param("dim", "Dimensions", {-1}, 1, 7, -7, 7,
                   "Which dimensions go away; -1 is the last, 0 (the batch) cannot."),
        bool_param("keepdim", "Keep as 1", false, "Leave the dimensions there with size 1.")};
    type.build = [](const BuildContext& context) {
        need_floating(context, "Mean");
        const Dims dims = context.dims("dim");
        const bool keepdim = context.flag("keepdim");
        Dims seen;
        for (std::int64_t dim : dims) {
            const int axis = wrap_dim(dim, context.inputs[0].shape.size());
            if (axis == 0)
                throw ValueError("Mean over dimension 0 would mix the samples of a batch");
            if (std::find(seen.begin(), seen.end(), axis) != seen.end())
                throw ValueError(
                    fmt::format("Mean names dimension {} twice in {}", axis, dims.str()));
            seen.push_back(axis);
        }
        return make_unary([dims, keepdim](const Tensor& x) { return mean(x, dims, keepdim); });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", fmt::format("{{0}}.mean(dim={}{})", py(context.dims("dim")),
                                       context.flag("keepdim") ? ", keepdim=True" : "")};
    };
    return type;
}

} // namespace

std::vector<NodeType> math_types() {
    return {
        folding("Add", "a + b + ...", {"plus", "sum", "residual", "skip connection", "shortcut"},
                "Adds tensors element by element, as in a residual connection.", add, '+'),
        sub_type(),
        folding("Mul", "a * b * ...", {"multiply", "times", "gate", "product", "scale"},
                "Multiplies tensors element by element, as in a gate.", mul, '*'),
        matmul_type(),
        mean_type(),
    };
}

} // namespace wiregrad::graph::types

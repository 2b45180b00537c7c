#include "engine/op/fft_ops.h"
#include "engine/op/tensor_ops.h"
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

/// Two tensors, element by element. `python` has {0} and {1}.
NodeType pairwise(std::string id, std::string formula, std::vector<std::string> synonyms,
                  std::string help, Binary function, std::string python) {
    NodeType type =
        two_sided(std::move(id), std::move(formula), std::move(synonyms), std::move(help));
    type.build = [function, name = type.id](const BuildContext& context) {
        check_broadcast(context, name);
        return make_function([function](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return Tensors{function(xs[0], xs[1])};
        });
    };
    type.pytorch = [python](const BuildContext&) { return Emitted{"", python}; };
    return type;
}

/// One tensor, element by element.
NodeType single(std::string id, std::string formula, std::vector<std::string> synonyms,
                std::string help) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Math";
    type.formula = std::move(formula);
    type.synonyms = std::move(synonyms);
    type.help = std::move(help);
    type.inputs = one_in();
    type.outputs = one_out();
    return type;
}

/// The same, of a function that has PyTorch's name.
NodeType plain(std::string id, std::string formula, std::vector<std::string> synonyms,
               std::string help, Tensor (*function)(const Tensor&), std::string python) {
    NodeType type = single(std::move(id), std::move(formula), std::move(synonyms), std::move(help));
    type.build = [function, name = type.id](const BuildContext& context) {
        need_floating(context, name);
        return make_unary(function);
    };
    type.pytorch = [python](const BuildContext&) { return Emitted{"", python + "({0})"}; };
    return type;
}

/// One tensor and a number.
NodeType with_number(NodeType type, ParamSpec param, Tensor (*function)(const Tensor&, double),
                     char sign, std::string spelled = "") {
    type.params = {std::move(param)};
    type.build = [function, name = type.id, id = type.params[0].id](const BuildContext& context) {
        need_floating(context, name);
        return make_unary(
            [function, value = context.real(id)](const Tensor& x) { return function(x, value); });
    };
    const std::string operation = spelled.empty() ? std::string(1, sign) : spelled;
    type.pytorch = [operation, id = type.params[0].id](const BuildContext& context) {
        return Emitted{"", fmt::format("({{0}} {} {})", operation, py(context.real(id)))};
    };
    return type;
}

NodeType clamp_type() {
    NodeType type = single("Clamp", "min(max(x, min), max)", {"clip", "limit"},
                           "Cuts off what lies outside a range; the gradient stops there.");
    type.params = {real_param("min", "Lowest", 0, -1e30, 1e30, "Smallest output."),
                   real_param("max", "Highest", 1, -1e30, 1e30, "Largest output.")};
    type.check = [](const Params& params) -> std::string {
        const double low = std::get<double>(params.at("min")),
                     high = std::get<double>(params.at("max"));
        return low <= high ? ""
                           : fmt::format("min must not be above max, got {} and {}", low, high);
    };
    type.build = [](const BuildContext& context) {
        need_floating(context, "Clamp");
        return make_unary([low = context.real("min"), high = context.real("max")](const Tensor& x) {
            return clamp(x, low, high);
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", fmt::format("{{0}}.clamp({}, {})", py(context.real("min")),
                                       py(context.real("max")))};
    };
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

/// The dimensions of a sample that are named, each once and none of them the batch.
Dims sample_dims(const BuildContext& context, const std::string& who) {
    const Dims dims = context.dims("dim");
    Dims seen;
    for (std::int64_t dim : dims) {
        const int axis = wrap_dim(dim, context.inputs[0].shape.size());
        if (axis == 0) throw ValueError(who + " over dimension 0 would mix the samples of a batch");
        if (std::find(seen.begin(), seen.end(), axis) != seen.end())
            throw ValueError(
                fmt::format("{} names dimension {} twice in {}", who, axis, dims.str()));
        seen.push_back(axis);
    }
    return dims;
}

/// Folds dimensions of a sample. `python`: the call on {0} up to its dim argument.
NodeType reducing(std::string id, std::string formula, std::vector<std::string> synonyms,
                  std::string help, Tensor (*function)(const Tensor&, const Dims&, bool),
                  std::string python) {
    NodeType type = single(std::move(id), std::move(formula), std::move(synonyms), std::move(help));
    type.params = {
        list_param("dim", "Dimensions", {-1}, 1, 7, -7, 7,
                   "Which dimensions go away; -1 is the last, 0 (the batch) cannot."),
        bool_param("keepdim", "Keep as 1", false, "Leave the dimensions there with size 1.")};
    type.build = [function, name = type.id](const BuildContext& context) {
        need_floating(context, name);
        const Dims dims = sample_dims(context, name);
        const bool keepdim = context.flag("keepdim");
        return make_unary(
            [function, dims, keepdim](const Tensor& x) { return function(x, dims, keepdim); });
    };
    type.pytorch = [python](const BuildContext& context) {
        return Emitted{"", fmt::format("{}dim={}{})", python, py(context.dims("dim")),
                                       context.flag("keepdim") ? ", keepdim=True" : "")};
    };
    return type;
}

/// The one dimension of a sample that is named.
int sample_dim(const BuildContext& context, const std::string& who) {
    const int axis = wrap_dim(context.integer("dim"), context.inputs[0].shape.size());
    if (axis == 0) throw ValueError(who + " over dimension 0 would mix the samples of a batch");
    return axis;
}
ParamSpec dim_param(std::int64_t standard) {
    return int_param("dim", "Dimension", standard, -7, 7,
                     "Along which dimension; -1 is the last, 0 (the batch) cannot.");
}

NodeType norm_type() {
    NodeType type =
        reducing("Norm", "(sum |x|^p)^(1/p)", {"length", "magnitude", "euclidean"},
                 "The length of the vectors along dimensions of a sample.", nullptr, "");
    type.params.push_back(real_param("ord", "Power p", 2, 0, 100,
                                     "2: the usual length; 1: the sum of sizes; 0: how many are "
                                     "not zero."));
    type.build = [](const BuildContext& context) {
        need_floating(context, "Norm");
        const Dims dims = sample_dims(context, "Norm");
        return make_unary([dims, p = context.real("ord"), keepdim = context.flag("keepdim")](
                              const Tensor& x) { return vector_norm(x, p, dims, keepdim); });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", fmt::format("torch.linalg.vector_norm({{0}}, {}, dim={}{})",
                                       py(context.real("ord")), py(context.dims("dim")),
                                       context.flag("keepdim") ? ", keepdim=True" : "")};
    };
    return type;
}

NodeType along(std::string id, std::string formula, std::vector<std::string> synonyms,
               std::string help, Tensor (*function)(const Tensor&, std::int64_t),
               std::string python) {
    NodeType type = single(std::move(id), std::move(formula), std::move(synonyms), std::move(help));
    type.params = {dim_param(-1)};
    type.build = [function, name = type.id](const BuildContext& context) {
        need_floating(context, name);
        const std::int64_t dim = sample_dim(context, name);
        return make_unary([function, dim](const Tensor& x) { return function(x, dim); });
    };
    type.pytorch = [python](const BuildContext& context) {
        return Emitted{"", fmt::format("{}({{0}}, dim={})", python, context.integer("dim"))};
    };
    return type;
}

NodeType topk_type() {
    NodeType type = single("TopK", "the k largest numbers, and where they are",
                           {"largest", "best", "sort", "select"},
                           "The largest numbers along a dimension in order, and their places.");
    type.outputs = {tensor_port("values", "The numbers, the largest first."),
                    tensor_port("indices", "Where each was.")};
    type.params = {int_param("k", "How many", 1, 1, 1000000, "How many numbers are kept."),
                   dim_param(-1),
                   bool_param("largest", "Largest", true, "Off: the smallest instead.")};
    type.build = [](const BuildContext& context) {
        need_floating(context, "TopK");
        const int axis = sample_dim(context, "TopK");
        const std::int64_t k = context.integer("k");
        const Shape& shape = context.inputs[0].shape;
        if (k > shape[axis])
            throw ValueError(fmt::format("TopK: {} of the {} numbers of dimension {} of {} cannot "
                                         "be kept",
                                         k, shape[axis], axis, shape.str()));
        return make_function([k, axis, largest = context.flag("largest")](
                                 std::span<const Tensor> xs, const nn::ForwardContext&) {
            const ValuesAndIndices found = topk(xs[0], k, axis, largest);
            return Tensors{found.values, found.indices};
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", fmt::format("torch.topk({{0}}, {}, dim={}{})", context.integer("k"),
                                       context.integer("dim"),
                                       context.flag("largest") ? "" : ", largest=False")};
    };
    return type;
}

NodeType einsum_type() {
    NodeType type = single("Einsum", "a sum of products over repeated letters",
                           {"einstein", "contraction", "tensor product", "batched product"},
                           "Multiplies tensors and sums, as an equation says: each letter is a "
                           "dimension, the first one, n, the batch.");
    type.inputs[0].many = true;
    type.params = {text_param("equation", "Equation",
                              "One group of letters an input, then what stays: nij,njk->nik.")};
    type.params[0].standard = std::string("ni,ni->n");
    type.build = [](const BuildContext& context) {
        const std::string equation = context.text("equation");
        const std::size_t arrow = equation.find("->");
        if (arrow == std::string::npos || equation.empty() || equation.size() < arrow + 3 ||
            equation[0] != equation[arrow + 2])
            throw ValueError(fmt::format("Einsum: \"{}\" must say what stays behind an arrow, with "
                                         "the batch first on both sides",
                                         equation));
        return make_function([equation](std::span<const Tensor> xs, const nn::ForwardContext&) {
            return Tensors{einsum(equation, xs)};
        });
    };
    type.pytorch = [](const BuildContext& context) {
        std::string inputs;
        for (std::size_t i = 0; i < context.inputs.size(); ++i)
            inputs += fmt::format(", {{{}}}", i);
        return Emitted{"", fmt::format("torch.einsum('{}'{})", context.text("equation"), inputs)};
    };
    return type;
}

// --- frequencies

NodeType fourier(std::string id, std::string formula, std::string help) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Math";
    type.formula = std::move(formula);
    type.synonyms = {"fourier", "frequency", "spectrum", "fft"};
    type.help = std::move(help);
    type.inputs = one_in();
    type.outputs = one_out();
    type.params = {int_param("dim", "Dimension", -1, -8, 7,
                             "Which dimension is transformed; pairs do not count."),
                   choice_param("norm", "Factor", "backward",
                                {{"backward", "1 / n on the way back"},
                                 {"forward", "1 / n on the way there"},
                                 {"ortho", "1 / sqrt(n) both ways"}},
                                "Which direction divides.")};
    return type;
}

/// The dimension counted from the front, which must not be the batch.
std::int64_t dim_of(const BuildContext& context, const std::string& who, int rank) {
    need_floating(context, who);
    const std::int64_t dim = wrap_dim(context.integer("dim"), rank);
    if (dim == 0)
        throw ShapeError(fmt::format("{} over dimension 0 would mix the samples of a batch", who));
    return dim;
}

NodeType rfft_type() {
    NodeType type = fourier("RFFT", "y[k] = sum of x[j] exp(-2 pi i j k / n), k up to n / 2",
                            "Takes a signal apart into its frequencies: for each, a pair of "
                            "numbers (real, imaginary) in a new last dimension.");
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        const std::int64_t dim = dim_of(context, "RFFT", context.inputs[0].shape.size());
        return make_unary([dim, norm = fft_norm(context.text("norm"))](const Tensor& x) {
            return rfft(x, 0, dim, norm);
        });
    };
    type.pytorch = [](const BuildContext& context) {
        const std::int64_t dim = dim_of(context, "RFFT", context.inputs[0].shape.size());
        return Emitted{"", fmt::format("torch.view_as_real(torch.fft.rfft({{0}}, dim={}, "
                                       "norm=\"{}\"))",
                                       dim, context.text("norm"))};
    };
    return type;
}

NodeType irfft_type() {
    NodeType type = fourier("IRFFT", "x[j] = sum of y[k] exp(2 pi i j k / n) / n",
                            "Puts a signal together again of its frequencies, given as pairs "
                            "(real, imaginary) in the last dimension.");
    type.params.push_back(int_param("n", "Length", 0, 0, 1000000,
                                    "How long the signal is. 0: twice the frequencies, less two."));
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        const std::int64_t dim = dim_of(context, "IRFFT", context.inputs[0].shape.size() - 1);
        return make_unary([dim, n = context.integer("n"), norm = fft_norm(context.text("norm"))](
                              const Tensor& x) { return irfft(x, n, dim, norm); });
    };
    type.pytorch = [](const BuildContext& context) {
        const std::int64_t dim = dim_of(context, "IRFFT", context.inputs[0].shape.size() - 1),
                           n = context.integer("n");
        return Emitted{"",
                       fmt::format("torch.fft.irfft(torch.view_as_complex({{0}}.contiguous()), "
                                   "n={}, dim={}, norm=\"{}\")",
                                   n > 0 ? py(n) : std::string("None"), dim, context.text("norm"))};
    };
    return type;
}

} // namespace

std::vector<NodeType> math_types() {
    return {
        folding("Add", "a + b + ...", {"plus", "sum", "residual", "skip connection", "shortcut"},
                "Adds tensors element by element, as in a residual connection.", add, '+'),
        pairwise("Sub", "a - b", {"subtract", "minus", "difference"},
                 "Takes b away from a, element by element.", sub, "({0} - {1})"),
        folding("Mul", "a * b * ...", {"multiply", "times", "gate", "product", "scale"},
                "Multiplies tensors element by element, as in a gate.", mul, '*'),
        pairwise("Div", "a / b", {"divide", "quotient", "ratio"},
                 "Divides a by b, element by element.", div, "({0} / {1})"),
        pairwise("Maximum", "max(a, b)", {"larger"}, "The larger of two, element by element.",
                 maximum, "torch.maximum({0}, {1})"),
        pairwise("Minimum", "min(a, b)", {"smaller"}, "The smaller of two, element by element.",
                 minimum, "torch.minimum({0}, {1})"),
        matmul_type(),
        einsum_type(),
        formula_type(),
        reducing("Mean", "mean of x over dim", {"average", "reduce", "global average"},
                 "Averages over dimensions of a sample.", mean, "{0}.mean("),
        reducing("Sum", "sum of x over dim", {"total", "reduce", "add up"},
                 "Adds up dimensions of a sample.", sum, "{0}.sum("),
        along(
            "Prod", "product of x over dim", {"multiply", "reduce"},
            "Multiplies the numbers along a dimension of a sample.",
            [](const Tensor& x, std::int64_t dim) { return prod(x, {dim}); }, "torch.prod"),
        reducing("Max", "largest of x over dim", {"maximum", "reduce", "amax", "global max"},
                 "The largest number along dimensions of a sample; equals share the gradient.",
                 amax, "{0}.amax("),
        reducing("Min", "smallest of x over dim", {"minimum", "reduce", "amin"},
                 "The smallest number along dimensions of a sample; equals share the gradient.",
                 amin, "{0}.amin("),
        reducing(
            "Var", "sum (x - mean)^2 / (n - 1)", {"variance", "spread"},
            "The variance along dimensions of a sample.",
            [](const Tensor& x, const Dims& dims, bool keepdim) {
                return var(x, dims, true, keepdim);
            },
            "{0}.var("),
        reducing(
            "Std", "sqrt(var(x))", {"standard deviation", "spread"},
            "The standard deviation along dimensions of a sample.",
            [](const Tensor& x, const Dims& dims, bool keepdim) {
                return stddev(x, dims, true, keepdim);
            },
            "{0}.std("),
        reducing("LogSumExp", "log(sum(exp(x)))", {"soft maximum"},
                 "A smooth maximum along dimensions of a sample.", logsumexp, "{0}.logsumexp("),
        norm_type(),
        along("Cumsum", "x[0] + ... + x[i]", {"running sum", "cumulative", "prefix"},
              "Running sums along a dimension.", cumsum, "torch.cumsum"),
        along("Cumprod", "x[0] * ... * x[i]", {"running product", "cumulative"},
              "Running products along a dimension.", cumprod, "torch.cumprod"),
        topk_type(),
        rfft_type(),
        irfft_type(),
        with_number(single("AddNumber", "x + other", {"add constant", "offset", "shift", "plus"},
                           "Adds a number to every element."),
                    real_param("other", "Number", 1, -1e30, 1e30, "What is added."), add, '+'),
        with_number(single("MulNumber", "x * other", {"scale", "multiply constant", "times"},
                           "Multiplies every element by a number."),
                    real_param("other", "Number", 1, -1e30, 1e30, "The factor."), mul, '*'),
        with_number(
            single("Pow", "x^exponent", {"power", "square", "root"},
                   "Raises every element to a power."),
            real_param("exponent", "Exponent", 2, -100, 100, "To which power elements are raised."),
            pow, '*', "**"),
        clamp_type(),
        plain("Abs", "|x|", {"absolute", "magnitude"}, "The size of every element, without sign.",
              abs, "torch.abs"),
        plain("Neg", "-x", {"negate", "minus"}, "Turns the sign of every element.", neg,
              "torch.neg"),
        plain("Exp", "e^x", {"exponential"}, "The exponential function of every element.", exp,
              "torch.exp"),
        plain("Log", "ln x", {"logarithm", "ln"},
              "The natural logarithm of every element, which must be positive.", log, "torch.log"),
        plain("Sqrt", "sqrt(x)", {"square root"},
              "The square root of every element, which must not be negative.", sqrt, "torch.sqrt"),
        plain("Square", "x^2", {"power"}, "Every element times itself.", square, "torch.square"),
        plain("Sin", "sin(x)", {"sine", "periodic"}, "The sine of every element.", sin,
              "torch.sin"),
        plain("Cos", "cos(x)", {"cosine", "periodic"}, "The cosine of every element.", cos,
              "torch.cos"),
    };
}

} // namespace wiregrad::graph::types

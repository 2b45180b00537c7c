#include "engine/nn/activation.h"
#include "engine/op/tensor_ops.h"
#include "nodes/types/declare.h"

#include <fmt/core.h>

#include <utility>

namespace wiregrad::graph::types {

namespace {

/// What all activations have in common: element by element, shape unchanged.
NodeType activation(std::string id, std::string formula, std::vector<std::string> synonyms,
                    std::string help) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Activation";
    type.formula = std::move(formula);
    type.synonyms = std::move(synonyms);
    type.help = std::move(help);
    type.inputs = one_in();
    type.outputs = one_out();
    return type;
}

/// An activation without parameters.
NodeType plain(std::string id, std::string formula, std::vector<std::string> synonyms,
               std::string help, Tensor (*function)(const Tensor&)) {
    NodeType type =
        activation(std::move(id), std::move(formula), std::move(synonyms), std::move(help));
    type.build = [function, name = type.id](const BuildContext& context) {
        need_floating(context, name);
        return make_unary(function);
    };
    type.pytorch = [name = type.id](const BuildContext&) {
        return module_line("nn." + name + "()");
    };
    return type;
}

NodeType leaky_relu_type() {
    NodeType type =
        activation("LeakyReLU", "x if x > 0, else negative_slope * x", {"lrelu"},
                   "Like ReLU, but negative numbers keep a small slope, so that no unit dies.");
    type.params = {real_param("negative_slope", "Negative slope", 0.01, -10, 10,
                              "Slope for negative numbers.")};
    type.build = [](const BuildContext& context) {
        need_floating(context, "LeakyReLU");
        return make_unary([slope = context.real("negative_slope")](const Tensor& x) {
            return leaky_relu(x, slope);
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(Arguments()
                               .option("negative_slope", context.real("negative_slope"), 0.01)
                               .call("nn.LeakyReLU"));
    };
    return type;
}

NodeType elu_type() {
    NodeType type =
        activation("ELU", "x if x > 0, else alpha * (exp(x) - 1)", {"exponential linear"},
                   "Like ReLU, but negative numbers run smoothly towards -alpha.");
    type.params = {real_param("alpha", "Alpha", 1, 0, 100, "How far below zero the output goes.")};
    type.params[0].min_excluded = true;
    type.build = [](const BuildContext& context) {
        need_floating(context, "ELU");
        return make_unary(
            [alpha = context.real("alpha")](const Tensor& x) { return elu(x, alpha); });
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(Arguments().option("alpha", context.real("alpha"), 1.0).call("nn.ELU"));
    };
    return type;
}

NodeType gelu_type() {
    NodeType type =
        activation("GELU", "x * Phi(x), Phi: the normal distribution function",
                   {"gaussian error linear"}, "A smooth relative of ReLU; usual in transformers.");
    type.params = {choice_param("approximate", "Approximation", "none",
                                {{"none", "Exact"}, {"tanh", "By tanh"}},
                                "The exact formula, or a quicker one with tanh.")};
    type.build = [](const BuildContext& context) {
        need_floating(context, "GELU");
        return make_unary([quick = context.text("approximate") == "tanh"](const Tensor& x) {
            return gelu(x, quick);
        });
    };
    type.pytorch = [](const BuildContext& context) {
        Arguments arguments;
        if (context.text("approximate") != "none")
            arguments.option("approximate", std::string("'tanh'"));
        return module_line(arguments.call("nn.GELU"));
    };
    return type;
}

NodeType softplus_type() {
    NodeType type = activation("Softplus", "log(1 + exp(beta * x)) / beta", {"smooth relu"},
                               "A smooth ReLU: always positive, never quite zero.");
    type.params = {real_param("beta", "Beta", 1, 0, 100, "The larger, the closer to ReLU."),
                   real_param("threshold", "Threshold", 20, 0, 1000,
                              "Above beta * x of this it is simply x.")};
    type.params[0].min_excluded = true;
    type.build = [](const BuildContext& context) {
        need_floating(context, "Softplus");
        return make_unary([beta = context.real("beta"), threshold = context.real("threshold")](
                              const Tensor& x) { return softplus(x, beta, threshold); });
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(Arguments()
                               .option("beta", context.real("beta"), 1.0)
                               .option("threshold", context.real("threshold"), 20.0)
                               .call("nn.Softplus"));
    };
    return type;
}

NodeType hardtanh_type() {
    NodeType type = activation("Hardtanh", "min(max(x, min_val), max_val)", {"clip", "clamp"},
                               "Cuts off what lies outside a range.");
    type.params = {real_param("min_val", "Lowest", -1, -1e6, 1e6, "Smallest output."),
                   real_param("max_val", "Highest", 1, -1e6, 1e6, "Largest output.")};
    type.build = [](const BuildContext& context) {
        need_floating(context, "Hardtanh");
        const double low = context.real("min_val"), high = context.real("max_val");
        if (!(low < high))
            throw ValueError(
                fmt::format("Hardtanh needs min_val below max_val, got {} and {}", low, high));
        return make_unary([low, high](const Tensor& x) { return hardtanh(x, low, high); });
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(Arguments()
                               .option("min_val", context.real("min_val"), -1.0)
                               .option("max_val", context.real("max_val"), 1.0)
                               .call("nn.Hardtanh"));
    };
    return type;
}

/// An activation with one number to set.
NodeType tuned(NodeType type, ParamSpec param, Tensor (*function)(const Tensor&, double)) {
    type.params = {std::move(param)};
    type.build = [function, name = type.id, id = type.params[0].id](const BuildContext& context) {
        need_floating(context, name);
        return make_unary(
            [function, value = context.real(id)](const Tensor& x) { return function(x, value); });
    };
    type.pytorch = [name = type.id, id = type.params[0].id,
                    standard =
                        std::get<double>(type.params[0].standard)](const BuildContext& context) {
        return module_line(Arguments().option(id, context.real(id), standard).call("nn." + name));
    };
    return type;
}

NodeType celu_type() {
    ParamSpec alpha = real_param("alpha", "Alpha", 1, 0, 100,
                                 "How far below zero the output goes, and how slowly.");
    alpha.min_excluded = true;
    return tuned(activation("CELU", "max(0, x) + min(0, alpha * (exp(x / alpha) - 1))",
                            {"continuous elu"},
                            "An ELU whose slope has no step, whatever alpha is."),
                 alpha, celu);
}

NodeType threshold_type() {
    NodeType type = activation("Threshold", "x if x > threshold, else value", {"cut off"},
                               "Keeps what lies above a threshold and replaces the rest.");
    type.params = {real_param("threshold", "Threshold", 0, -1e6, 1e6, "What is above it stays."),
                   real_param("value", "Value", 0, -1e6, 1e6, "What the rest becomes.")};
    type.build = [](const BuildContext& context) {
        need_floating(context, "Threshold");
        return make_unary([edge = context.real("threshold"), value = context.real("value")](
                              const Tensor& x) { return threshold(x, edge, value); });
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(Arguments()
                               .positional(py(context.real("threshold")))
                               .positional(py(context.real("value")))
                               .call("nn.Threshold"));
    };
    return type;
}

NodeType prelu_type() {
    NodeType type =
        activation("PReLU", "x if x > 0, else weight * x", {"parametric relu", "learned slope"},
                   "Like LeakyReLU, but the slope for negative numbers is learned.");
    type.params = {
        choice_param("num_parameters", "Slopes", "one",
                     {{"one", "One for all"}, {"channels", "One for each channel"}},
                     "Whether all numbers share a slope, or each channel (dimension 1) has one."),
        real_param("init", "Start", 0.25, -10, 10, "The slope that training starts with.")};
    const auto count = [](const BuildContext& context) -> std::int64_t {
        if (context.text("num_parameters") == "one") return 1;
        const Shape& shape = context.inputs[0].shape;
        if (shape.size() < 2)
            throw ShapeError(
                fmt::format("PReLU finds no channels in an input of shape {}", shape.str()));
        return shape[1];
    };
    type.build = [count](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_floating(context, "PReLU");
        return std::make_shared<nn::PReLU>(count(context), context.real("init"),
                                           context.inputs[0].dtype);
    };
    type.pytorch = [count](const BuildContext& context) {
        return module_line(Arguments()
                               .option("num_parameters", count(context), std::int64_t{1})
                               .option("init", context.real("init"), 0.25)
                               .call("nn.PReLU"));
    };
    return type;
}

NodeType rrelu_type() {
    NodeType type =
        activation("RReLU", "x if x > 0, else a * x with a drawn from [lower, upper)",
                   {"randomized relu", "random slope"},
                   "While training, negative numbers get random slopes; afterwards their mean.");
    type.params = {real_param("lower", "Lowest slope", 0.125, -10, 10, "The slopes start here."),
                   real_param("upper", "Highest slope", 1.0 / 3, -10, 10, "The slopes end here.")};
    type.check = [](const Params& params) -> std::string {
        const double low = std::get<double>(params.at("lower")),
                     high = std::get<double>(params.at("upper"));
        return low <= high ? ""
                           : fmt::format("lower must not be above upper, got {} and {}", low, high);
    };
    type.build = [](const BuildContext& context) {
        need_floating(context, "RReLU");
        const double low = context.real("lower"), high = context.real("upper");
        if (!(low <= high))
            throw ValueError(
                fmt::format("RReLU needs lower not above upper, got {} and {}", low, high));
        return make_function([low, high, stream = context.stream](
                                 std::span<const Tensor> xs, const nn::ForwardContext& forward) {
            return Tensors{rrelu(xs[0], low, high, forward.training, forward.state.random, stream)};
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(Arguments()
                               .option("lower", context.real("lower"), 0.125)
                               .option("upper", context.real("upper"), 1.0 / 3)
                               .call("nn.RReLU"));
    };
    return type;
}

NodeType glu_type() {
    NodeType type = activation("GLU", "a * sigmoid(b), with a and b the halves of x",
                               {"gated linear unit", "gate"},
                               "Splits its input in two; the second half decides how much of the "
                               "first passes. The output is half as large.");
    type.params = {int_param("dim", "Dimension", -1, -7, 7,
                             "Along which dimension to split; its size must be even.")};
    type.build = [](const BuildContext& context) {
        need_floating(context, "GLU");
        const std::int64_t dim = context.integer("dim");
        const Shape& shape = context.inputs[0].shape;
        const int axis = wrap_dim(dim, shape.size());
        if (axis == 0)
            throw ValueError(
                fmt::format("GLU over dimension {} would mix the samples of a batch", dim));
        if (shape[axis] % 2 != 0)
            throw ShapeError(fmt::format("GLU cannot halve dimension {} of {}: {} is odd", axis,
                                         shape.str(), shape[axis]));
        return make_unary([dim](const Tensor& x) { return glu(x, dim); });
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(
            Arguments().option("dim", context.integer("dim"), std::int64_t{-1}).call("nn.GLU"));
    };
    return type;
}

NodeType softmax2d_type() {
    NodeType type = activation("Softmax2d", "exp(x) / sum over channels of exp(x)",
                               {"channel softmax", "pixel probabilities"},
                               "Turns the channels of each pixel into probabilities.");
    type.build = [](const BuildContext& context) {
        need_floating(context, "Softmax2d");
        need_rank(context, 4, "Softmax2d", "N × C × H × W");
        return make_unary([](const Tensor& x) { return softmax(x, 1); });
    };
    type.pytorch = [](const BuildContext&) { return module_line("nn.Softmax2d()"); };
    return type;
}

/// Softmax and LogSoftmax: along one dimension.
NodeType along_dim(std::string id, std::string formula, std::vector<std::string> synonyms,
                   std::string help, Tensor (*function)(const Tensor&, std::int64_t)) {
    NodeType type =
        activation(std::move(id), std::move(formula), std::move(synonyms), std::move(help));
    type.params = {int_param("dim", "Dimension", -1, -7, 7,
                             "Along which dimension; -1 is the last, 1 the classes of pictures.")};
    type.build = [function, name = type.id](const BuildContext& context) {
        need_floating(context, name);
        const std::int64_t dim = context.integer("dim");
        if (wrap_dim(dim, context.inputs[0].shape.size()) == 0)
            throw ValueError(
                fmt::format("{} over dimension {} would mix the samples of a batch", name, dim));
        return make_unary([function, dim](const Tensor& x) { return function(x, dim); });
    };
    type.pytorch = [name = type.id](const BuildContext& context) {
        return module_line(fmt::format("nn.{}(dim={})", name, context.integer("dim")));
    };
    return type;
}

} // namespace

std::vector<NodeType> activation_types() {
    return {
        plain("ReLU", "max(0, x)", {"rectifier", "rectified linear", "activation"},
              "Keeps positive numbers and sets negative ones to zero. The usual activation between "
              "layers.",
              relu),
        leaky_relu_type(),
        elu_type(),
        plain("SELU", "1.0507 * (x if x > 0, else 1.6733 * (exp(x) - 1))", {"self normalizing"},
              "An ELU scaled so that mean and deviation stay steady through many layers.", selu),
        gelu_type(),
        plain("SiLU", "x * sigmoid(x)", {"swish"}, "A smooth relative of ReLU, also called Swish.",
              silu),
        plain("Mish", "x * tanh(softplus(x))", {},
              "A smooth relative of ReLU that dips a little below zero.", mish),
        plain("Sigmoid", "1 / (1 + exp(-x))", {"logistic", "probability"},
              "Squeezes any number into 0 to 1.", sigmoid),
        plain("Tanh", "tanh(x)", {"hyperbolic tangent"}, "Squeezes any number into -1 to 1.", tanh),
        softplus_type(),
        along_dim("Softmax", "exp(x) / sum(exp(x))", {"probabilities"},
                  "Turns scores into probabilities that sum to one. Not needed before "
                  "CrossEntropyLoss, which does it itself.",
                  softmax),
        along_dim("LogSoftmax", "x - log(sum(exp(x)))", {"log probabilities"},
                  "Logarithm of the softmax probabilities.", log_softmax),
        hardtanh_type(),
        plain("ReLU6", "min(max(0, x), 6)", {"clipped relu"},
              "A ReLU that stops at 6; used in networks for phones.", relu6),
        plain("Hardsigmoid", "min(max(x / 6 + 1/2, 0), 1)", {},
              "A sigmoid made of straight lines; quick.", hardsigmoid),
        plain("Hardswish", "x * hardsigmoid(x)", {},
              "A swish made of straight lines and a parabola; quick.", hardswish),
        prelu_type(),
        plain("LogSigmoid", "log(sigmoid(x))", {"log logistic"},
              "Logarithm of the sigmoid, without overflow.", logsigmoid),
        celu_type(),
        plain("Softsign", "x / (1 + |x|)", {},
              "Squeezes any number into -1 to 1, more slowly than Tanh.", softsign),
        plain("Tanhshrink", "x - tanh(x)", {}, "What Tanh takes away from a number.", tanhshrink),
        tuned(activation("Hardshrink", "x if |x| > lambd, else 0", {"shrinkage"},
                         "Sets small numbers to zero and keeps the others."),
              real_param("lambd", "Width", 0.5, 0, 1e6, "Numbers up to this size become zero."),
              hardshrink),
        tuned(activation("Softshrink", "x moved by lambd towards 0",
                         {"shrinkage", "soft threshold"},
                         "Moves every number towards zero and sets small ones to zero."),
              real_param("lambd", "Width", 0.5, 0, 1e6, "How far numbers move."), softshrink),
        threshold_type(),
        rrelu_type(),
        glu_type(),
        along_dim("Softmin", "exp(-x) / sum(exp(-x))", {"probabilities"},
                  "Like Softmax, but the smallest number gets the highest probability.",
                  [](const Tensor& x, std::int64_t dim) { return softmax(neg(x), dim); }),
        softmax2d_type(),
    };
}

} // namespace wiregrad::graph::types

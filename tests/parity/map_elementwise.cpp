#include <cmath>

#include "engine/op/elementwise.h"
#include "tests/parity/call.h"

namespace wiregrad::parity {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);

/// float64 inputs of an op whose integers become float32.
Entry unary(const std::string& name, std::vector<std::string> rows, Unary f) {
    return {name, std::move(rows), [f](const Call& c) -> Tensors { return {f(c.tensor(0))}; }};
}
Entry unary(const std::string& name, Unary f) {
    return unary(name, {name.substr(name.rfind('.') + 1)}, f);
}
Entry binary(const std::string& name, Binary f) {
    return {name, {name}, [f](const Call& c) -> Tensors {
                return {f(c.operand(0, "input"), c.operand(1, "other"))};
            }};
}
Entry comparison(const std::string& name, Binary f, Tensor (*with_number)(const Tensor&, double)) {
    return {name, {name, name + "_scalar"}, [f, with_number](const Call& c) -> Tensors {
                if (!c.is_tensor(1, "other")) return {with_number(c.tensor(0), c.real(1, "other"))};
                return {f(c.tensor(0), c.tensor(1, "other"))};
            }};
}

Tensor clamped(const Call& c, int lower, int upper) {
    Tensor x = c.tensor(0);
    if (!c.has(lower, "min") && !c.has(upper, "max"))
        throw ValueError("clamp: neither min nor max is given");
    if (!c.is_tensor(lower, "min") && !c.is_tensor(upper, "max")) {
        const double low = c.real(lower, "min", -kInf), high = c.real(upper, "max", kInf);
        if (!is_floating(x.dtype()) && ((std::isfinite(low) && low != std::floor(low)) ||
                                        (std::isfinite(high) && high != std::floor(high))))
            x = to(x, DType::Float32);
        return clamp(x, low, high);
    }
    throw Unsupported("bounds that are tensors: maximum and minimum do it");
}

Tensor minus(const Tensor& a, const Tensor& b, double alpha) {
    return sub(a, alpha == 1 ? b : mul(b, alpha));
}

} // namespace

std::vector<Entry> elementwise_map() {
    std::vector<Entry> all{
        unary("abs", abs),
        unary("acos", acos),
        unary("acosh", acosh),
        unary("asin", asin),
        unary("asinh", asinh),
        unary("atan", atan),
        unary("atanh", atanh),
        unary("ceil", ceil),
        unary("cos", cos),
        unary("cosh", cosh),
        unary("erf", erf),
        unary("erfc", erfc),
        unary("exp", exp),
        unary("exp2", exp2),
        unary("expm1", expm1),
        unary("floor", floor),
        unary("frac", {}, frac),
        unary("log", log),
        unary("log10", log10),
        unary("log1p", log1p),
        unary("log2", log2),
        unary("neg", neg),
        unary("reciprocal", reciprocal),
        unary("round", round),
        unary("rsqrt", rsqrt),
        unary("sigmoid", {"sigmoid", "sigmoid_backward"}, sigmoid),
        unary("sign", sign),
        unary("sin", sin),
        unary("sinc", {}, sinc),
        unary("sinh", sinh),
        unary("sqrt", sqrt),
        unary("square", square),
        unary("tan", tan),
        unary("tanh", {"tanh", "tanh_backward"}, tanh),
        unary("trunc", trunc),
        unary("isnan", isnan),
        unary("isfinite", isfinite),
        unary("isinf", {}, isinf),
        unary("logical_not", logical_not),
        unary("bitwise_not", {}, bitwise_not),
        unary("nn.functional.hardsigmoid", hardsigmoid),
        unary("nn.functional.hardswish", {"hardswish", "hardswish_backward"}, hardswish),
        unary("nn.functional.logsigmoid", logsigmoid),
        unary("nn.functional.mish", {"mish", "mish_backward"}, mish),
        unary("nn.functional.relu", {"relu", "relu_backward"}, relu),
        unary("nn.functional.relu6", {"hardtanh"}, relu6),
        unary("nn.functional.selu", {"elu"}, selu),
        unary("nn.functional.silu", {"silu", "silu_backward"}, silu),
        unary("nn.functional.softsign", {}, softsign),
        unary("nn.functional.tanhshrink", {}, tanhshrink),
        {"logit",
         {},
         [](const Call& c) -> Tensors { return {logit(c.tensor(0), c.real(1, "eps", -1))}; }},
        {"nn.functional.celu",
         {"elu"},
         [](const Call& c) -> Tensors { return {celu(c.tensor(0), c.real(1, "alpha", 1))}; }},
        {"nn.functional.elu",
         {"elu", "elu_backward"},
         [](const Call& c) -> Tensors { return {elu(c.tensor(0), c.real(1, "alpha", 1))}; }},
        {"nn.functional.gelu",
         {"gelu", "gelu_backward", "gelu_tanh", "gelu_tanh_backward"},
         [](const Call& c) -> Tensors {
             const std::string kind = c.text(1, "approximate", "none");
             if (kind != "none" && kind != "tanh")
                 throw ValueError("gelu: approximate is none or tanh, not " + kind);
             return {gelu(c.tensor(0), kind == "tanh")};
         }},
        {"nn.functional.glu",
         {},
         [](const Call& c) -> Tensors { return {glu(c.tensor(0), c.integer(1, "dim", -1))}; }},
        {"nn.functional.hardshrink",
         {"hardshrink"},
         [](const Call& c) -> Tensors {
             return {hardshrink(c.tensor(0), c.real(1, "lambd", 0.5))};
         }},
        {"nn.functional.softshrink",
         {"softshrink"},
         [](const Call& c) -> Tensors {
             return {softshrink(c.tensor(0), c.real(1, "lambd", 0.5))};
         }},
        {"nn.functional.hardtanh",
         {"hardtanh"},
         [](const Call& c) -> Tensors {
             return {hardtanh(c.tensor(0), c.real(1, "min_val", -1), c.real(2, "max_val", 1))};
         }},
        {"nn.functional.leaky_relu",
         {"leaky_relu", "leaky_relu_backward"},
         [](const Call& c) -> Tensors {
             return {leaky_relu(c.tensor(0), c.real(1, "negative_slope", 0.01))};
         }},
        {"nn.functional.prelu",
         {"prelu"},
         [](const Call& c) -> Tensors { return {prelu(c.tensor(0), c.tensor(1, "weight"))}; }},
        {"nn.functional.softplus",
         {"softplus", "softplus_backward"},
         [](const Call& c) -> Tensors {
             return {softplus(c.tensor(0), c.real(1, "beta", 1), c.real(2, "threshold", 20))};
         }},
        {"nn.functional.threshold",
         {"threshold"},
         [](const Call& c) -> Tensors {
             return {threshold(c.tensor(0), c.real(1, "threshold"), c.real(2, "value"))};
         }},
        {"add",
         {"add", "add_scalar", "mul_scalar"},
         [](const Call& c) -> Tensors {
             const double alpha = c.real(2, "alpha", 1);
             if (!c.is_tensor(1, "other")) return {add(c.tensor(0), alpha * c.real(1, "other"))};
             const Tensor b = c.tensor(1, "other");
             return {add(c.tensor(0), alpha == 1 ? b : mul(b, alpha))};
         }},
        {"sub",
         {"sub"},
         [](const Call& c) -> Tensors {
             return {minus(c.tensor(0), c.operand(1, "other"), c.real(2, "alpha", 1))};
         }},
        {"rsub",
         {"rsub_scalar"},
         [](const Call& c) -> Tensors {
             const double alpha = c.real(2, "alpha", 1);
             const Tensor x = c.tensor(0);
             if (!c.is_tensor(1, "other"))
                 return {rsub(c.real(1, "other"), alpha == 1 ? x : mul(x, alpha))};
             return {minus(c.tensor(1, "other"), x, alpha)};
         }},
        {"mul",
         {"mul", "mul_scalar"},
         [](const Call& c) -> Tensors {
             if (!c.is_tensor(1, "other")) return {mul(c.tensor(0), c.real(1, "other"))};
             return {mul(c.tensor(0), c.tensor(1, "other"))};
         }},
        {"div.no_rounding_mode",
         {"div", "div_scalar"},
         [](const Call& c) -> Tensors {
             if (!c.is_tensor(1, "other")) return {div(c.tensor(0), c.real(1, "other"))};
             return {div(c.tensor(0), c.tensor(1, "other"))};
         }},
        {"true_divide",
         {"div"},
         [](const Call& c) -> Tensors { return {div(c.tensor(0), c.operand(1, "other"))}; }},
        {"div.floor_rounding",
         {"floor_divide"},
         [](const Call& c) -> Tensors {
             return {floor_divide(c.tensor(0), c.operand(1, "other"))};
         }},
        {"div.trunc_rounding",
         {},
         [](const Call& c) -> Tensors {
             const Tensor a = c.tensor(0), b = c.operand(1, "other");
             if (!is_floating(a.dtype())) throw Unsupported("integers divided towards zero");
             return {trunc(div(a, b))};
         }},
        {"floor_divide",
         {"floor_divide"},
         [](const Call& c) -> Tensors {
             return {floor_divide(c.tensor(0), c.operand(1, "other"))};
         }},
        binary("fmod", fmod),
        binary("remainder", remainder),
        {"pow",
         {"pow", "pow_scalar"},
         [](const Call& c) -> Tensors {
             if (c.is_tensor(0, "input") && !c.is_tensor(1, "exponent"))
                 return {pow(c.tensor(0), c.real(1, "exponent"))};
             return {pow(c.operand(0, "input"), c.operand(1, "exponent"))};
         }},
        binary("atan2", atan2),
        binary("hypot", hypot),
        binary("xlogy", xlogy),
        binary("maximum", maximum),
        binary("minimum", minimum),
        {"max.binary",
         {"maximum"},
         [](const Call& c) -> Tensors { return {maximum(c.tensor(0), c.tensor(1, "other"))}; }},
        {"min.binary",
         {"minimum"},
         [](const Call& c) -> Tensors { return {minimum(c.tensor(0), c.tensor(1, "other"))}; }},
        {"logaddexp",
         {},
         [](const Call& c) -> Tensors { return {logaddexp(c.tensor(0), c.tensor(1, "other"))}; }},
        binary("logical_and", logical_and),
        binary("logical_or", logical_or),
        binary("logical_xor", logical_xor),
        binary("bitwise_and", bitwise_and),
        binary("bitwise_or", bitwise_or),
        binary("bitwise_xor", bitwise_xor),
        comparison("eq", eq, eq),
        comparison("ne", ne, ne),
        comparison("lt", lt, lt),
        comparison("le", le, le),
        comparison("gt", gt, gt),
        comparison("ge", ge, ge),
        {"clamp", {"clamp"}, [](const Call& c) -> Tensors { return {clamped(c, 1, 2)}; }},
        {"clamp_min", {"clamp"}, [](const Call& c) -> Tensors { return {clamped(c, 1, 9)}; }},
        {"clamp_max", {"clamp"}, [](const Call& c) -> Tensors { return {clamped(c, 9, 1)}; }},
        {"where",
         {"where"},
         [](const Call& c) -> Tensors {
             return {where(c.tensor(1, "condition"), c.operand(0, "input"), c.operand(2, "other"))};
         }},
        {"masked_fill",
         {"masked_fill"},
         [](const Call& c) -> Tensors {
             if (c.is_tensor(2, "value")) {
                 if (c.tensor(2, "value").dim() > 0)
                     throw ValueError("masked_fill: the value must be one number");
                 return {where(c.tensor(1, "mask"), to(c.tensor(2, "value"), c.tensor(0).dtype()),
                               c.tensor(0))};
             }
             return {masked_fill(c.tensor(0), c.tensor(1, "mask"), c.real(2, "value"))};
         }},
        {"lerp",
         {},
         [](const Call& c) -> Tensors {
             if (c.is_tensor(2, "weight"))
                 return {lerp(c.tensor(0), c.tensor(1, "end"), c.tensor(2, "weight"))};
             const Tensor x = c.tensor(0);
             return {lerp(x, c.tensor(1, "end"), Tensor::full({}, c.real(2, "weight"), x.dtype()))};
         }},
        {"addcmul",
         {},
         [](const Call& c) -> Tensors {
             return {addcmul(c.tensor(0), c.tensor(1, "tensor1"), c.tensor(2, "tensor2"),
                             c.real(3, "value", 1))};
         }},
        {"addcdiv",
         {},
         [](const Call& c) -> Tensors {
             if (!is_floating(c.tensor(0).dtype())) throw Unsupported("integers");
             return {addcdiv(c.tensor(0), c.tensor(1, "tensor1"), c.tensor(2, "tensor2"),
                             c.real(3, "value", 1))};
         }},
        unary("clone", {}, contiguous),
        unary("contiguous", {"contiguous"}, contiguous),
        {"float",
         {"to"},
         [](const Call& c) -> Tensors { return {to(c.tensor(0), DType::Float32)}; }},
        {"double",
         {"to"},
         [](const Call& c) -> Tensors { return {to(c.tensor(0), DType::Float64)}; }},
        {"long", {"to"}, [](const Call& c) -> Tensors { return {to(c.tensor(0), DType::Int64)}; }},
        {"bool", {"to"}, [](const Call& c) -> Tensors { return {to(c.tensor(0), DType::Bool)}; }},
        {"zeros_like",
         {},
         [](const Call& c) -> Tensors {
             c.without({"dtype", "device"});
             return {zeros_like(c.tensor(0))};
         }},
        {"ones_like",
         {},
         [](const Call& c) -> Tensors {
             c.without({"dtype", "device"});
             return {ones_like(c.tensor(0))};
         }},
        {"full_like",
         {},
         [](const Call& c) -> Tensors {
             c.without({"dtype", "device"});
             return {full_like(c.tensor(0), c.real(1, "fill_value"))};
         }},
    };
    return all;
}

} // namespace wiregrad::parity

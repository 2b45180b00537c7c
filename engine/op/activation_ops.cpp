// The rows of activations. Those a network is full of have a functor for their gradient, too; the
// gradient of that one is written in ops.
#include <limits>

#include "engine/core/random.h"
#include "engine/op/elementwise.h"

namespace wiregrad {

using namespace elementwise;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kSqrt2OverPi = 0.79788456080286535588;
constexpr double kInvSqrt2Pi = 0.39894228040143267794;

#define WG_BACKWARD(name)                                                                          \
    Tensor name##_backward(const Tensor& g, const Tensor& of, const Attrs& attrs = {}) {           \
        WG_OP(name##_backward);                                                                    \
        return call_one(op, g, of, attrs);                                                         \
    }
WG_BACKWARD(relu)
WG_BACKWARD(sigmoid)
WG_BACKWARD(leaky_relu)
WG_BACKWARD(elu)
WG_BACKWARD(gelu)
WG_BACKWARD(gelu_tanh)
WG_BACKWARD(silu)
WG_BACKWARD(mish)
WG_BACKWARD(softplus)
WG_BACKWARD(hardswish)

// --- second derivatives

Tensor elu_bend(const Tensor& x, const Attrs& attrs) {
    // exp is kept away from large x, where it would overflow and poison the third derivative
    const double alpha = attrs.real("alpha"), scale = attrs.real("scale"),
                 bend = attrs.real("input_scale");
    const Tensor low = mul(exp(mul(clamp(x, -kInf, 0), bend)), alpha * scale * bend * bend);
    return drop(low, gt(x, 0));
}
Tensor gelu_bend(const Tensor& x) {
    const Tensor x2 = square(x);
    return mul(mul(exp(mul(x2, -0.5)), kInvSqrt2Pi), rsub(2, x2));
}
Tensor gelu_tanh_bend(const Tensor& x) {
    const Tensor x2 = square(x);
    const Tensor t = tanh(mul(mul(x, add(mul(x2, 0.044715), 1)), kSqrt2OverPi));
    const Tensor slope = mul(add(mul(x2, 3 * 0.044715), 1), kSqrt2OverPi);
    const Tensor second = mul(x, 6 * 0.044715 * kSqrt2OverPi);
    const Tensor curve = mul(mul(x, 0.5), sub(second, mul(mul(t, square(slope)), 2)));
    return mul(rsub(1, square(t)), add(slope, curve));
}
Tensor silu_bend(const Tensor& x) {
    const Tensor s = sigmoid(x);
    return mul(mul(s, rsub(1, s)), add(mul(x, rsub(1, mul(s, 2))), 2));
}
Tensor mish_bend(const Tensor& x) {
    const Tensor t = tanh(softplus(x, 1, kInf)), s = sigmoid(x);
    const Tensor curve = sub(rsub(1, s), mul(mul(t, s), 2));
    return mul(mul(rsub(1, square(t)), s), add(mul(x, curve), 2));
}
Tensor softplus_bend(const Tensor& x, const Attrs& attrs) {
    const double beta = attrs.real("beta");
    const Tensor scaled = mul(x, beta), s = sigmoid(scaled);
    return drop(mul(mul(s, rsub(1, s)), beta), gt(scaled, attrs.real("threshold")));
}
Tensor hardswish_bend(const Tensor& x) {
    return drop(Tensor::full(x.shape(), 1.0 / 3, x.dtype(), x.device()),
                either(le(x, -3), ge(x, 3)));
}

Saves save_second(Mask, const Attrs&) {
    return {2, 0};
}

/// A row of the gradient of an activation: a is the gradient of its result, b its argument.
#define WG_BACKWARD_ROW(Functor, name, help, bend)                                                 \
    binary<Binary::Functor, Float>(#name "_backward", help, save_both,                             \
                                   WG_GRAD2(name##_backward(g, b, c.attrs), mul(mul(g, a), bend)))

Metas uniform_shape(const ShapeCall& c) {
    if (!is_floating(c.inputs[0].dtype))
        throw DTypeError("uniform_like needs a floating tensor, not " +
                         std::string(name_of(c.inputs[0].dtype)) + ".");
    if (c.inputs[1].dtype != DType::Int64 || c.inputs[1].shape != Shape{2})
        throw ShapeError("uniform_like needs int64[2] (seed, step), not " +
                         std::string(name_of(c.inputs[1].dtype)) + c.inputs[1].shape.str() + ".");
    return {c.inputs[0]};
}

void uniform_kernel(const KernelCall& c) {
    const Tensor random = c.inputs[1].contiguous();
    const std::uint64_t offset = static_cast<std::uint64_t>(c.attrs.integer("stream")) << 32 ^
                                 static_cast<std::uint64_t>(random.data<std::int64_t>()[1]);
    fill_uniform(c.outputs[0], 0, 1, static_cast<std::uint64_t>(random.data<std::int64_t>()[0]),
                 offset);
}

std::vector<Op> make_rows() {
    using enum Set;
    std::vector<Op> rows{
        unary<Unary::Relu, Number>("relu", "max(x, 0)", save_output, WG_GRAD(relu_backward(g, y)),
                                   "Relu"),
        unary<Unary::LeakyRelu, Float>("leaky_relu", "x above 0, negative_slope * x elsewhere",
                                       save_input, WG_GRAD(leaky_relu_backward(g, x, c.attrs)),
                                       "LeakyRelu"),
        unary<Unary::Elu, Float>("elu",
                                 "scale * (x above 0, alpha * (e^(input_scale x) - 1) elsewhere)",
                                 save_input, WG_GRAD(elu_backward(g, x, c.attrs))),
        unary<Unary::Gelu, Float>("gelu", "x * Phi(x) with the error function", save_input,
                                  WG_GRAD(gelu_backward(g, x))),
        unary<Unary::GeluTanh, Float>("gelu_tanh",
                                      "0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))", save_input,
                                      WG_GRAD(gelu_tanh_backward(g, x))),
        unary<Unary::Silu, Float>("silu", "x * sigmoid(x)", save_input,
                                  WG_GRAD(silu_backward(g, x))),
        unary<Unary::Mish, Float>("mish", "x * tanh(softplus(x))", save_input,
                                  WG_GRAD(mish_backward(g, x))),
        unary<Unary::Sigmoid, Float>("sigmoid", "1 / (1 + e^-x)", save_output,
                                     WG_GRAD(sigmoid_backward(g, y)), "Sigmoid"),
        unary<Unary::Softplus, Float>("softplus",
                                      "log(1 + e^(beta x)) / beta, x above threshold / beta",
                                      save_input, WG_GRAD(softplus_backward(g, x, c.attrs))),
        unary<Unary::Hardtanh, Number>(
            "hardtanh", "min(max(x, min), max); slope 0 at the bounds", save_input,
            WG_GRAD(drop(g, either(le(x, attr(c, "min")), ge(x, attr(c, "max")))))),
        unary<Unary::Hardsigmoid, Float>("hardsigmoid", "min(max(x + 3, 0), 6) / 6", save_input,
                                         WG_GRAD(drop(div(g, 6), either(le(x, -3), ge(x, 3))))),
        unary<Unary::Hardswish, Float>("hardswish", "x * min(max(x + 3, 0), 6) / 6", save_input,
                                       WG_GRAD(hardswish_backward(g, x)), "HardSwish"),
        unary<Unary::Logsigmoid, Float>("logsigmoid", "log(sigmoid(x))", save_input,
                                        WG_GRAD(mul(g, sigmoid(neg(x))))),
        unary<Unary::Hardshrink, Float>(
            "hardshrink", "x outside [-lambd, lambd], 0 within", save_input,
            WG_GRAD(drop(g, both(ge(x, -attr(c, "lambd")), le(x, attr(c, "lambd")))))),
        unary<Unary::Softshrink, Float>(
            "softshrink", "x moved by lambd towards 0, 0 within [-lambd, lambd]", save_input,
            WG_GRAD(drop(g, both(ge(x, -attr(c, "lambd")), le(x, attr(c, "lambd")))))),
        unary<Unary::Threshold, Number>("threshold", "x above threshold, value elsewhere",
                                        save_input, WG_GRAD(drop(g, le(x, attr(c, "threshold"))))),
        binary<Binary::Prelu, Float>(
            "prelu", "x above 0, weight * x elsewhere", save_both,
            WG_GRAD2(where(gt(a, 0), g, mul(g, b)), drop(mul(g, a), gt(a, 0))), "PRelu"),
        binary<Binary::ReluBackward, Number>("relu_backward", "g where y > 0, else 0", save_second,
                                             WG_GRAD2(relu_backward(g, b), Tensor())),
        binary<Binary::SigmoidBackward, Float>(
            "sigmoid_backward", "g y (1 - y)",
            save_both, WG_GRAD2(sigmoid_backward(g, b), mul(mul(g, a), rsub(1, mul(b, 2))))),
        binary<Binary::LeakyReluBackward, Float>(
            "leaky_relu_backward", "g where x > 0, negative_slope * g elsewhere", save_second,
            WG_GRAD2(leaky_relu_backward(g, b, c.attrs), Tensor())),
        WG_BACKWARD_ROW(EluBackward, elu, "g times the slope of elu at x", elu_bend(b, c.attrs)),
        WG_BACKWARD_ROW(GeluBackward, gelu, "g times the slope of gelu at x", gelu_bend(b)),
        WG_BACKWARD_ROW(GeluTanhBackward, gelu_tanh, "g times the slope of gelu_tanh at x",
                        gelu_tanh_bend(b)),
        WG_BACKWARD_ROW(SiluBackward, silu, "g times the slope of silu at x", silu_bend(b)),
        WG_BACKWARD_ROW(MishBackward, mish, "g times the slope of mish at x", mish_bend(b)),
        WG_BACKWARD_ROW(SoftplusBackward, softplus, "g times the slope of softplus at x",
                        softplus_bend(b, c.attrs)),
        WG_BACKWARD_ROW(HardswishBackward, hardswish, "g times the slope of hardswish at x",
                        hardswish_bend(b)),
    };
    Op uniform{.name = "uniform_like",
               .help = "numbers uniform in [0, 1) in x's form, a function of seed, step and stream",
               .shape = uniform_shape,
               .flags = kRandom | kNoGrad};
    uniform.kernel[0] = uniform_kernel;
    rows.push_back(uniform);
    return rows;
}

} // namespace

std::span<const Op> activation_ops() {
    static const std::vector<Op> rows = make_rows();
    return rows;
}

WG_NUMBER_WRAPPER(relu)
WG_FLOAT_WRAPPER(silu)
WG_FLOAT_WRAPPER(mish)
WG_FLOAT_WRAPPER(sigmoid)
WG_FLOAT_WRAPPER(hardsigmoid)
WG_FLOAT_WRAPPER(hardswish)
WG_FLOAT_WRAPPER(logsigmoid)

Tensor leaky_relu(const Tensor& x, double negative_slope) {
    WG_OP(leaky_relu);
    return call_one(op, as_float(x), {{"negative_slope", negative_slope}});
}
Tensor elu(const Tensor& x, double alpha) {
    WG_OP(elu);
    return call_one(op, as_float(x), {{"alpha", alpha}, {"scale", 1.0}, {"input_scale", 1.0}});
}
Tensor celu(const Tensor& x, double alpha) {
    WG_OP(elu);
    if (alpha == 0) throw ValueError("celu: alpha must not be 0.");
    return call_one(op, as_float(x),
                    {{"alpha", alpha}, {"scale", 1.0}, {"input_scale", 1 / alpha}});
}
Tensor selu(const Tensor& x) {
    WG_OP(elu);
    return call_one(op, as_float(x),
                    {{"alpha", 1.6732632423543772848170429916717},
                     {"scale", 1.0507009873554804934193349852946},
                     {"input_scale", 1.0}});
}
Tensor gelu(const Tensor& x, bool tanh_approximation) {
    if (tanh_approximation) {
        WG_OP(gelu_tanh);
        return call_one(op, as_float(x));
    }
    WG_OP(gelu);
    return call_one(op, as_float(x));
}
Tensor softplus(const Tensor& x, double beta, double threshold) {
    WG_OP(softplus);
    return call_one(op, as_float(x), {{"beta", beta}, {"threshold", threshold}});
}
Tensor hardtanh(const Tensor& x, double min, double max) {
    WG_OP(hardtanh);
    return call_one(op, x, {{"min", min}, {"max", max}});
}
Tensor relu6(const Tensor& x) {
    return hardtanh(x, 0, 6);
}
Tensor hardshrink(const Tensor& x, double lambd) {
    WG_OP(hardshrink);
    return call_one(op, as_float(x), {{"lambd", lambd}});
}
Tensor softshrink(const Tensor& x, double lambd) {
    WG_OP(softshrink);
    if (!(lambd >= 0))
        throw ValueError("softshrink: lambd must not be negative, but is " + std::to_string(lambd) +
                         ".");
    return call_one(op, as_float(x), {{"lambd", lambd}});
}
Tensor threshold(const Tensor& x, double threshold, double value) {
    WG_OP(threshold);
    return call_one(op, x, {{"threshold", threshold}, {"value", value}});
}
Tensor softsign(const Tensor& x) {
    return div(x, add(abs(x), 1));
}
Tensor tanhshrink(const Tensor& x) {
    return sub(x, tanh(x));
}
Tensor glu(const Tensor& x, std::int64_t dim) {
    if (x.dim() == 0) throw ShapeError("glu: a 0-dim tensor cannot be halved.");
    const int d = wrap_dim(dim, x.dim());
    const std::int64_t size = x.shape()[d];
    if (size % 2 != 0)
        throw ShapeError("glu: dimension " + std::to_string(d) + " of shape " + x.shape().str() +
                         " must be even to be halved.");
    return mul(slice(x, d, 0, size / 2), sigmoid(slice(x, d, size / 2, size)));
}
Tensor prelu(const Tensor& x, const Tensor& weight) {
    WG_OP(prelu);
    const std::int64_t channels = x.dim() >= 2 ? x.shape()[1] : 1;
    if (weight.dim() > 1 || (weight.numel() != 1 && weight.numel() != channels))
        throw ShapeError("prelu: weight " + weight.shape().str() + " must hold 1 number or " +
                         std::to_string(channels) + ", one for each channel of input " +
                         x.shape().str() + ".");
    if (weight.numel() == 1) return call_promoted(op, x, reshape(weight, {}), true);
    Shape along = Dims::filled(x.dim(), 1);
    along[1] = channels;
    return call_promoted(op, x, reshape(weight, along), true);
}
Tensor uniform_like(const Tensor& x, const Tensor& random, std::int64_t stream) {
    WG_OP(uniform_like);
    return call_one(op, x, random, {{"stream", stream}});
}
Tensor rrelu(const Tensor& x, double lower, double upper, bool training, const Tensor& random,
             std::int64_t stream) {
    if (!(lower <= upper))
        throw ValueError("rrelu: lower must not be above upper, got " + std::to_string(lower) +
                         " and " + std::to_string(upper) + ".");
    if (!training) return leaky_relu(x, (lower + upper) / 2);
    const Tensor slopes = add(mul(uniform_like(x, random, stream), upper - lower), lower);
    return where(gt(x, 0), x, mul(x, slopes));
}

} // namespace wiregrad

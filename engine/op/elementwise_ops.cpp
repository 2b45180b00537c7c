// The elementwise rows: mathematics in engine/kernel/functor.h, gradients here, in ops.
// To add an op: a functor and its line in functor_list.h, a row and a wrapper here, a declaration
// in ops.h.
#include <array>
#include <cmath>
#include <limits>

#include "engine/kernel/loop.h"
#include "engine/op/ops.h"
#include "engine/op/registry.h"

namespace wiregrad {

using kernel::Binary;
using kernel::InnerLoop;
using kernel::Params;
using kernel::Unary;

void cpu_copy(const Tensor& target, const Tensor& source) {
    kernel::copy_elements(*target.body(), *source.body());
}

namespace {

// --- kernels

/// The op's numeric attributes, in order.
Params params_of(const Attrs& attrs) {
    Params params;
    std::size_t next = 0;
    for (const auto& [name, value] : attrs.values()) {
        if (const double* number = std::get_if<double>(&value)) params.v[next++] = *number;
    }
    return params;
}

bool is_16bit(DType type) {
    return type == DType::Float16 || type == DType::BFloat16;
}

Tensor cast(const Tensor& x, DType dtype) {
    Tensor result = Tensor::empty(x.shape(), dtype);
    cpu_copy(result, x);
    return result;
}

/// Runs row[dtype of the last input] over the inputs; 16-bit types are computed in float32.
void run_elementwise(const KernelCall& c, const InnerLoop* row) {
    const Params params = params_of(c.attrs);
    Tensor out = c.outputs[0];
    std::array<Tensor, kernel::kMaxOperands - 1> converted;
    std::span<const Tensor> inputs = c.inputs;
    DType dtype = inputs.back().dtype();
    if (is_16bit(dtype) && row[static_cast<std::size_t>(dtype)] == nullptr) {
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            converted[i] =
                is_16bit(inputs[i].dtype()) ? cast(inputs[i], DType::Float32) : inputs[i];
        }
        inputs = {converted.data(), c.inputs.size()};
        if (is_16bit(out.dtype())) out = Tensor::empty(out.shape(), DType::Float32);
        dtype = DType::Float32;
    }
    const InnerLoop loop = row[static_cast<std::size_t>(dtype)];
    const TensorBody& target = *out.body();
    const std::size_t count = inputs.size() + 1;
    bool flat = target.contiguous && target.numel < 2 * kernel::kParallelElements;
    for (const Tensor& input : inputs) {
        const TensorBody& body = *input.body();
        flat = flat && ((body.contiguous && body.shape == target.shape) || body.numel == 1);
    }
    if (flat) { // what small nets are made of: no planning
        if (target.numel == 0) return;
        std::array<char*, kernel::kMaxOperands> pointers{};
        std::array<std::int64_t, kernel::kMaxOperands> strides{};
        for (std::size_t i = 0; i < count; ++i) {
            const TensorBody& body = i == 0 ? target : *inputs[i - 1].body();
            pointers[i] = reinterpret_cast<char*>(const_cast<std::byte*>(body.data()));
            strides[i] = body.numel == 1 && target.numel != 1
                             ? 0
                             : static_cast<std::int64_t>(size_of(body.dtype));
        }
        loop(pointers.data(), strides.data(), target.numel, params);
    } else {
        std::array<kernel::Operand, kernel::kMaxOperands> operands;
        operands[0] = kernel::operand(target, target.shape);
        for (std::size_t i = 1; i < count; ++i)
            operands[i] = kernel::operand(*inputs[i - 1].body(), target.shape);
        kernel::run_loop(loop, target.shape, {operands.data(), count}, params);
    }
    if (!out.same_body(c.outputs[0])) cpu_copy(c.outputs[0], out);
}

template <Unary kFunctor> void unary_kernel(const KernelCall& c) {
    run_elementwise(c, kernel::table().unary[static_cast<int>(kFunctor)]);
}
template <Binary kFunctor> void binary_kernel(const KernelCall& c) {
    run_elementwise(c, kernel::table().binary[static_cast<int>(kFunctor)]);
}
void where_kernel(const KernelCall& c) {
    run_elementwise(c, kernel::table().where);
}
void masked_fill_kernel(const KernelCall& c) {
    const Params params = params_of(c.attrs);
    const Shape& shape = c.outputs[0].shape();
    const kernel::Operand operands[] = {kernel::operand(*c.outputs[0].body(), shape),
                                        kernel::operand(*c.inputs[0].body(), shape),
                                        kernel::operand(*c.inputs[1].body(), shape)};
    kernel::run_loop(kernel::table().masked_fill[static_cast<std::size_t>(c.inputs[0].dtype())],
                     shape, operands, params);
}
void cast_kernel(const KernelCall& c) {
    cpu_copy(c.outputs[0], c.inputs[0]);
}
void copy_into_kernel(const KernelCall& c) {
    cpu_copy(c.outputs[0], c.inputs[1]);
}
void fill_kernel(const KernelCall& c) {
    double value = c.attrs.real("value");
    cpu_copy(c.outputs[0], Tensor::wrap(&value, {}, DType::Float64, nullptr));
}
void add_in_place_kernel(const KernelCall& c) {
    run_elementwise(c, kernel::table().binary[static_cast<int>(Binary::Add)]);
}
void to_device_kernel(const KernelCall& c) {
    c.outputs[0].copy_(c.inputs[0]);
}

// --- shape rules

enum class Set { Number, Any, Float, Test };

[[noreturn]] void refuse(const ShapeCall& c, DType dtype) {
    throw DTypeError(std::string(c.op.name) + " does not work on " + std::string(name_of(dtype)) +
                     ".");
}

template <Set kSet> Metas elementwise_shape(const ShapeCall& c) {
    Metas result{c.inputs[0]};
    TensorMeta& out = result[0];
    for (std::size_t i = 1; i < c.inputs.size(); ++i) {
        if (c.inputs[i].dtype != out.dtype) {
            throw DTypeError(std::string(c.op.name) + " needs inputs of one dtype, not " +
                             std::string(name_of(out.dtype)) + " and " +
                             std::string(name_of(c.inputs[i].dtype)) + ".");
        }
        out.shape = broadcast(out.shape, c.inputs[i].shape);
    }
    if (kSet == Set::Float && !is_floating(out.dtype)) refuse(c, out.dtype);
    if (kSet == Set::Number && out.dtype == DType::Bool) refuse(c, out.dtype);
    if (kSet == Set::Test) out.dtype = DType::Bool;
    return result;
}

Metas where_shape(const ShapeCall& c) {
    if (c.inputs[0].dtype != DType::Bool) {
        throw DTypeError("where needs a bool condition, not " +
                         std::string(name_of(c.inputs[0].dtype)) + ".");
    }
    if (c.inputs[1].dtype != c.inputs[2].dtype) {
        throw DTypeError("where needs two branches of one dtype, not " +
                         std::string(name_of(c.inputs[1].dtype)) + " and " +
                         std::string(name_of(c.inputs[2].dtype)) + ".");
    }
    TensorMeta out = c.inputs[1];
    out.shape = broadcast(broadcast(c.inputs[0].shape, c.inputs[1].shape), c.inputs[2].shape);
    return {out};
}

Metas masked_fill_shape(const ShapeCall& c) {
    if (c.inputs[1].dtype != DType::Bool) {
        throw DTypeError("masked_fill needs a bool mask, not " +
                         std::string(name_of(c.inputs[1].dtype)) + ".");
    }
    TensorMeta out = c.inputs[0];
    out.shape = broadcast(c.inputs[0].shape, c.inputs[1].shape);
    return {out};
}

Metas cast_shape(const ShapeCall& c) {
    TensorMeta out = c.inputs[0];
    out.dtype = c.attrs.dtype("dtype");
    return {out};
}

Metas same_shape(const ShapeCall& c) {
    return {c.inputs[0]};
}

Metas to_device_shape(const ShapeCall& c) {
    TensorMeta out = c.inputs[0];
    out.device = Device::parse(c.attrs.text("device"));
    return {out};
}

/// For in-place ops: the second input must broadcast to the first.
Metas into_first_shape(const ShapeCall& c) {
    const Shape& target = c.inputs[0].shape;
    if (c.inputs.size() > 1 && broadcast(target, c.inputs[1].shape) != target) {
        throw ShapeError("a tensor of shape " + c.inputs[1].shape.str() +
                         " does not fit into one of shape " + target.str() + ".");
    }
    return {c.inputs[0]};
}
Metas add_in_place_shape(const ShapeCall& c) {
    if (c.inputs[0].dtype != c.inputs[1].dtype) {
        throw DTypeError("add_ needs one dtype, not " + std::string(name_of(c.inputs[0].dtype)) +
                         " and " + std::string(name_of(c.inputs[1].dtype)) + ".");
    }
    return into_first_shape(c);
}

// --- rows

constexpr std::uint32_t kPlain = kElementwise;
constexpr std::uint32_t kTest = kElementwise | kNoGrad;

template <Unary kFunctor, Set kSet>
Op unary(std::string_view name, std::string_view help, SaveRule saves, Gradient gradient,
         std::string_view onnx = {}) {
    Op op{.name = name,
          .help = help,
          .shape = elementwise_shape<kSet>,
          .gradient = gradient,
          .saves = saves,
          .flags = kSet == Set::Test ? kTest : kPlain,
          .onnx = onnx};
    op.kernel[0] = unary_kernel<kFunctor>;
    op.functor = {Functor::Kind::Unary, static_cast<int>(kFunctor)};
    return op;
}
template <Binary kFunctor, Set kSet>
Op binary(std::string_view name, std::string_view help, SaveRule saves, Gradient gradient,
          std::string_view onnx = {}) {
    Op op{.name = name,
          .help = help,
          .shape = elementwise_shape<kSet>,
          .gradient = gradient,
          .saves = saves,
          .flags = kSet == Set::Test ? kTest : kPlain,
          .onnx = onnx};
    op.kernel[0] = binary_kernel<kFunctor>;
    op.functor = {Functor::Kind::Binary, static_cast<int>(kFunctor)};
    return op;
}

/// g: gradient of the output; x: input; y: output (x and y only when saved).
#define GRAD(...)                                                                                  \
    [](const GradCall& c) -> Tensors {                                                             \
        [[maybe_unused]] const Tensor& g = c.grads[0];                                             \
        [[maybe_unused]] const Tensor& x = c.inputs[0];                                            \
        [[maybe_unused]] const Tensor& y = c.outputs[0];                                           \
        return {__VA_ARGS__};                                                                      \
    }
/// One expression for each of two inputs, evaluated only when needed; a and b are the inputs.
#define GRAD2(for_a, for_b)                                                                        \
    [](const GradCall& c) -> Tensors {                                                             \
        [[maybe_unused]] const Tensor& g = c.grads[0];                                             \
        [[maybe_unused]] const Tensor& a = c.inputs[0];                                            \
        [[maybe_unused]] const Tensor& b = c.inputs[1];                                            \
        [[maybe_unused]] const Tensor& y = c.outputs[0];                                           \
        Tensors result(2);                                                                         \
        if (c.need(0)) result[0] = for_a;                                                          \
        if (c.need(1)) result[1] = for_b;                                                          \
        return result;                                                                             \
    }

Saves save_nothing(Mask, const Attrs&) {
    return {};
}
Saves save_both(Mask, const Attrs&) {
    return {3, 0};
}
/// Each factor is needed for the other one's gradient only.
Saves save_other(Mask needs, const Attrs&) {
    return {((needs & 1U) << 1) | ((needs >> 1) & 1U), 0};
}
Saves save_div(Mask needs, const Attrs&) {
    return {2U | ((needs >> 1) & 1U), 0};
}
Saves save_pow(Mask needs, const Attrs&) {
    return {3, (needs >> 1) & 1U};
}
Saves save_condition(Mask, const Attrs&) {
    return {1, 0};
}
Saves save_mask(Mask, const Attrs&) {
    return {2, 0};
}

double attr(const GradCall& c, std::string_view name) {
    return c.attrs.real(name);
}
Tensor either(const Tensor& a, const Tensor& b) {
    return maximum(a, b);
}
Tensor both(const Tensor& a, const Tensor& b) {
    return mul(a, b);
}
/// g where `condition` is false, else 0.
Tensor drop(const Tensor& g, const Tensor& condition) {
    return masked_fill(g, condition, 0);
}
/// g where `condition` is true, else 0.
Tensor keep(const Tensor& g, const Tensor& condition) {
    return masked_fill(g, logical_not(condition), 0);
}

Tensor relu_backward(const Tensor& g, const Tensor& y) {
    static const Op& op = find_op("relu_backward");
    return call_one(op, g, y);
}
Tensor sigmoid_backward(const Tensor& g, const Tensor& y) {
    static const Op& op = find_op("sigmoid_backward");
    return call_one(op, g, y);
}
Tensor tanh_backward(const Tensor& g, const Tensor& y) {
    static const Op& op = find_op("tanh_backward");
    return call_one(op, g, y);
}

constexpr double kSqrt2OverPi = 0.79788456080286535588;
constexpr double kInvSqrt2 = 0.70710678118654752440;
constexpr double kInvSqrt2Pi = 0.39894228040143267794;

Tensor gelu_slope(const Tensor& x) {
    const Tensor cdf = mul(add(erf(mul(x, kInvSqrt2)), 1), 0.5);
    return add(cdf, mul(x, mul(exp(mul(square(x), -0.5)), kInvSqrt2Pi)));
}
Tensor gelu_tanh_slope(const Tensor& x) {
    const Tensor x2 = square(x);
    const Tensor t = tanh(mul(mul(x, add(mul(x2, 0.044715), 1)), kSqrt2OverPi));
    const Tensor inner = mul(add(mul(x2, 3 * 0.044715), 1), kSqrt2OverPi);
    return add(mul(add(t, 1), 0.5), mul(mul(mul(x, 0.5), rsub(1, square(t))), inner));
}
Tensor silu_slope(const Tensor& x) {
    const Tensor s = sigmoid(x);
    return mul(s, add(mul(x, rsub(1, s)), 1));
}
Tensor mish_slope(const Tensor& x) {
    const Tensor t = tanh(softplus(x, 1, std::numeric_limits<double>::infinity()));
    return add(t, mul(mul(x, rsub(1, square(t))), sigmoid(x)));
}
Tensor elu_slope(const Tensor& x, double alpha, double scale) {
    // exp is kept away from large x, where it would overflow and poison the second derivative
    const Tensor low =
        mul(exp(clamp(x, -std::numeric_limits<double>::infinity(), 0)), alpha * scale);
    return where(gt(x, 0), Tensor::full({}, scale, x.dtype(), x.device()), low);
}
Tensor half_at_ties(const Tensor& g, const Tensor& a, const Tensor& b) {
    return where(eq(a, b), mul(g, 0.5), g);
}
Tensor pow_scalar_gradient(const Tensor& g, const Tensor& x, double exponent) {
    if (exponent == 0) return zeros_like(g);
    return mul(g, mul(pow(x, exponent - 1), exponent));
}

std::vector<Op> make_rows() {
    using enum Set;
    std::vector<Op> rows{
        // arithmetic
        binary<Binary::Add, Any>("add", "a + b (or, for bool)", save_nothing, GRAD2(g, g), "Add"),
        binary<Binary::Sub, Number>("sub", "a - b", save_nothing, GRAD2(g, neg(g)), "Sub"),
        binary<Binary::Mul, Any>("mul", "a * b (and, for bool)", save_other,
                                 GRAD2(mul(g, b), mul(g, a)), "Mul"),
        binary<Binary::Div, Float>("div", "a / b", save_div,
                                   GRAD2(div(g, b), mul(neg(g), div(div(a, b), b))), "Div"),
        binary<Binary::Pow, Number>(
            "pow", "a to the power b", save_pow,
            GRAD2(drop(mul(g, mul(b, pow(a, sub(b, 1)))), eq(b, zeros_like(b))),
                  mul(g, drop(mul(y, log(a)), both(eq(a, zeros_like(a)), ge(b, 0)))))),
        binary<Binary::Maximum, Any>(
            "maximum", "the larger of a and b; NaN wins", save_both,
            GRAD2(drop(half_at_ties(g, a, b), lt(a, b)), drop(half_at_ties(g, a, b), lt(b, a))),
            "Max"),
        binary<Binary::Minimum, Any>(
            "minimum", "the smaller of a and b; NaN wins", save_both,
            GRAD2(drop(half_at_ties(g, a, b), gt(a, b)), drop(half_at_ties(g, a, b), gt(b, a))),
            "Min"),
        unary<Unary::AddScalar, Number>("add_scalar", "x + other", save_nothing, GRAD(g)),
        unary<Unary::MulScalar, Number>("mul_scalar", "x * other", save_nothing,
                                        GRAD(mul(g, attr(c, "other")))),
        unary<Unary::RsubScalar, Number>("rsub_scalar", "other - x", save_nothing, GRAD(neg(g))),
        unary<Unary::DivScalar, Float>("div_scalar", "x / other", save_nothing,
                                       GRAD(div(g, attr(c, "other")))),
        unary<Unary::PowScalar, Float>("pow_scalar", "x to the power exponent", save_input,
                                       GRAD(pow_scalar_gradient(g, x, attr(c, "exponent")))),
        // elementary functions
        unary<Unary::Neg, Number>("neg", "-x", save_nothing, GRAD(neg(g)), "Neg"),
        unary<Unary::Abs, Number>("abs", "|x|; slope 0 at 0", save_input, GRAD(mul(g, sign(x))),
                                  "Abs"),
        unary<Unary::Sign, Number>("sign", "-1, 0 or 1", save_nothing, GRAD(zeros_like(g)), "Sign"),
        unary<Unary::Square, Number>("square", "x^2", save_input, GRAD(mul(g, mul(x, 2)))),
        unary<Unary::Exp, Float>("exp", "e^x", save_output, GRAD(mul(g, y)), "Exp"),
        unary<Unary::Log, Float>("log", "natural logarithm", save_input, GRAD(div(g, x)), "Log"),
        unary<Unary::Log1p, Float>("log1p", "log(1 + x)", save_input, GRAD(div(g, add(x, 1)))),
        unary<Unary::Expm1, Float>("expm1", "e^x - 1", save_output, GRAD(mul(g, add(y, 1)))),
        unary<Unary::Sqrt, Float>("sqrt", "square root", save_output, GRAD(div(g, mul(y, 2))),
                                  "Sqrt"),
        unary<Unary::Rsqrt, Float>("rsqrt", "1 / sqrt(x)", save_output,
                                   GRAD(mul(g, mul(mul(square(y), y), -0.5)))),
        unary<Unary::Reciprocal, Float>("reciprocal", "1 / x", save_output,
                                        GRAD(mul(g, neg(square(y)))), "Reciprocal"),
        unary<Unary::Sin, Float>("sin", "sine", save_input, GRAD(mul(g, cos(x))), "Sin"),
        unary<Unary::Cos, Float>("cos", "cosine", save_input, GRAD(mul(g, neg(sin(x)))), "Cos"),
        unary<Unary::Tanh, Float>("tanh", "hyperbolic tangent", save_output,
                                  GRAD(tanh_backward(g, y)), "Tanh"),
        unary<Unary::Erf, Float>("erf", "error function", save_input,
                                 GRAD(mul(g, mul(exp(neg(square(x))), 1.12837916709551257390))),
                                 "Erf"),
        unary<Unary::Floor, Float>("floor", "largest integer not above x", save_nothing,
                                   GRAD(zeros_like(g)), "Floor"),
        unary<Unary::Ceil, Float>("ceil", "smallest integer not below x", save_nothing,
                                  GRAD(zeros_like(g)), "Ceil"),
        unary<Unary::Round, Float>("round", "nearest integer, half to even", save_nothing,
                                   GRAD(zeros_like(g)), "Round"),
        unary<Unary::Clamp, Number>(
            "clamp", "min(max(x, min), max); slope 1 at the bounds", save_input,
            GRAD(drop(g, either(lt(x, attr(c, "min")), gt(x, attr(c, "max"))))), "Clip"),
        // activations
        unary<Unary::Relu, Number>("relu", "max(x, 0)", save_output, GRAD(relu_backward(g, y)),
                                   "Relu"),
        unary<Unary::LeakyRelu, Float>(
            "leaky_relu", "x above 0, negative_slope * x elsewhere", save_input,
            GRAD(where(gt(x, 0), g, mul(g, attr(c, "negative_slope")))), "LeakyRelu"),
        unary<Unary::Elu, Float>("elu", "scale * (x above 0, alpha * (e^x - 1) elsewhere)",
                                 save_input,
                                 GRAD(mul(g, elu_slope(x, attr(c, "alpha"), attr(c, "scale"))))),
        unary<Unary::Gelu, Float>("gelu", "x * Phi(x) with the error function", save_input,
                                  GRAD(mul(g, gelu_slope(x)))),
        unary<Unary::GeluTanh, Float>("gelu_tanh",
                                      "0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))", save_input,
                                      GRAD(mul(g, gelu_tanh_slope(x)))),
        unary<Unary::Silu, Float>("silu", "x * sigmoid(x)", save_input,
                                  GRAD(mul(g, silu_slope(x)))),
        unary<Unary::Mish, Float>("mish", "x * tanh(softplus(x))", save_input,
                                  GRAD(mul(g, mish_slope(x)))),
        unary<Unary::Sigmoid, Float>("sigmoid", "1 / (1 + e^-x)", save_output,
                                     GRAD(sigmoid_backward(g, y)), "Sigmoid"),
        unary<Unary::Softplus, Float>(
            "softplus", "log(1 + e^(beta x)) / beta, x above threshold / beta", save_input,
            GRAD(where(gt(mul(x, attr(c, "beta")), attr(c, "threshold")), g,
                       mul(g, sigmoid(mul(x, attr(c, "beta"))))))),
        unary<Unary::Hardtanh, Float>(
            "hardtanh", "min(max(x, min), max); slope 0 at the bounds", save_input,
            GRAD(drop(g, either(le(x, attr(c, "min")), ge(x, attr(c, "max")))))),
        unary<Unary::Hardsigmoid, Float>("hardsigmoid", "min(max(x + 3, 0), 6) / 6", save_input,
                                         GRAD(drop(div(g, 6), either(le(x, -3), ge(x, 3))))),
        unary<Unary::Hardswish, Float>(
            "hardswish", "x * min(max(x + 3, 0), 6) / 6", save_input,
            GRAD(where(gt(x, 3), g, drop(mul(g, add(div(x, 3), 0.5)), lt(x, -3)))), "HardSwish"),
        unary<Unary::Logsigmoid, Float>("logsigmoid", "log(sigmoid(x))", save_input,
                                        GRAD(mul(g, sigmoid(neg(x))))),
        binary<Binary::ReluBackward, Number>(
            "relu_backward", "g where y > 0, else 0",
            [](Mask, const Attrs&) -> Saves { return {2, 0}; },
            GRAD2(relu_backward(g, b), Tensor())),
        binary<Binary::SigmoidBackward, Float>(
            "sigmoid_backward", "g y (1 - y)",
            save_both, GRAD2(sigmoid_backward(g, b), mul(mul(g, a), rsub(1, mul(b, 2))))),
        binary<Binary::TanhBackward, Float>("tanh_backward", "g (1 - y^2)", save_both,
                                            GRAD2(tanh_backward(g, b), mul(mul(g, a), mul(b, -2)))),
        // tests
        binary<Binary::Eq, Test>("eq", "a == b", nullptr, nullptr, "Equal"),
        binary<Binary::Ne, Test>("ne", "a != b", nullptr, nullptr),
        binary<Binary::Lt, Test>("lt", "a < b", nullptr, nullptr, "Less"),
        binary<Binary::Le, Test>("le", "a <= b", nullptr, nullptr, "LessOrEqual"),
        binary<Binary::Gt, Test>("gt", "a > b", nullptr, nullptr, "Greater"),
        binary<Binary::Ge, Test>("ge", "a >= b", nullptr, nullptr, "GreaterOrEqual"),
        unary<Unary::GtScalar, Test>("gt_scalar", "x > other", nullptr, nullptr),
        unary<Unary::GeScalar, Test>("ge_scalar", "x >= other", nullptr, nullptr),
        unary<Unary::LtScalar, Test>("lt_scalar", "x < other", nullptr, nullptr),
        unary<Unary::LeScalar, Test>("le_scalar", "x <= other", nullptr, nullptr),
        unary<Unary::LogicalNot, Test>("logical_not", "x == 0", nullptr, nullptr, "Not"),
        unary<Unary::IsNan, Test>("isnan", "whether x is not a number", nullptr, nullptr, "IsNaN"),
        unary<Unary::IsFinite, Test>("isfinite", "whether x is neither infinite nor NaN", nullptr,
                                     nullptr),
    };
    const auto other = [&rows](Op op, Kernel cpu) {
        op.kernel[0] = cpu;
        rows.push_back(op);
    };
    other({.name = "where",
           .help = "a where the condition is true, b elsewhere",
           .shape = where_shape,
           .gradient = [](const GradCall& c) -> Tensors {
               Tensors result(3);
               if (c.need(1)) result[1] = keep(c.grads[0], c.inputs[0]);
               if (c.need(2)) result[2] = drop(c.grads[0], c.inputs[0]);
               return result;
           },
           .saves = save_condition,
           .flags = kPlain,
           .onnx = "Where",
           .functor = {Functor::Kind::Where}},
          where_kernel);
    other({.name = "masked_fill",
           .help = "value where the mask is true, x elsewhere",
           .shape = masked_fill_shape,
           .gradient = [](const GradCall& c) -> Tensors {
               return {drop(c.grads[0], c.inputs[1]), Tensor()};
           },
           .saves = save_mask,
           .flags = kPlain,
           .functor = {Functor::Kind::MaskedFill}},
          masked_fill_kernel);
    other({.name = "to",
           .help = "x converted to another dtype",
           .shape = cast_shape,
           .gradient = [](const GradCall& c) -> Tensors {
               return {to(c.grads[0], c.input_metas[0].dtype)};
           },
           .flags = kPlain,
           .onnx = "Cast",
           .functor = {Functor::Kind::Cast}},
          cast_kernel);
    other({.name = "contiguous",
           .help = "x copied into row-major order",
           .shape = same_shape,
           .gradient = GRAD(g),
           .flags = kPlain,
           .onnx = "Identity",
           .functor = {Functor::Kind::Cast}},
          cast_kernel);
    other({.name = "to_device",
           .help = "x copied to another device",
           .shape = to_device_shape,
           .gradient = [](const GradCall& c) -> Tensors {
               return {to(c.grads[0], c.input_metas[0].device)};
           },
           .flags = kPlain},
          to_device_kernel);
    other({.name = "copy_",
           .help = "overwrites x with source, converted",
           .shape = into_first_shape,
           .flags = kInPlace},
          copy_into_kernel);
    other({.name = "fill_",
           .help = "overwrites x with a value",
           .shape = into_first_shape,
           .flags = kInPlace},
          fill_kernel);
    other({.name = "add_",
           .help = "adds to x in place",
           .shape = add_in_place_shape,
           .flags = kInPlace},
          add_in_place_kernel);
    return rows;
}

// --- wrappers

/// PyTorch's result type: a 0-dim operand raises only the category (bool < integer < float).
DType result_type(const Tensor& a, const Tensor& b) {
    const DType left = a.dtype(), right = b.dtype();
    if (left == right) return left;
    const bool scalar_a = a.dim() == 0, scalar_b = b.dim() == 0;
    if (scalar_a == scalar_b) return promote(left, right);
    const DType full = scalar_a ? right : left, scalar = scalar_a ? left : right;
    if (is_floating(full)) return full;
    if (full == DType::Bool || is_floating(scalar)) return promote(full, scalar);
    return full;
}

Tensor as_float(const Tensor& x) {
    return is_floating(x.dtype()) ? x : to(x, DType::Float32);
}

/// Promotes, then calls.
Tensor call_promoted(const Op& op, const Tensor& a, const Tensor& b, bool floating = false) {
    DType dtype = a.dtype();
    if (dtype != b.dtype()) dtype = result_type(a, b);
    if (floating && !is_floating(dtype)) dtype = DType::Float32;
    if (a.dtype() == dtype && b.dtype() == dtype) return call_one(op, a, b);
    return call_one(op, to(a, dtype), to(b, dtype));
}

/// A number lifts only the category: integers stay integers when the number is whole.
Tensor lift(const Tensor& x, double number) {
    if (is_floating(x.dtype())) return x;
    const bool whole = std::isfinite(number) && number == std::floor(number);
    if (!whole) return to(x, DType::Float32);
    return x.dtype() == DType::Bool ? to(x, DType::Int64) : x;
}

} // namespace

std::span<const Op> elementwise_ops() {
    static const std::vector<Op> rows = make_rows();
    return rows;
}

#define WG_OP(name) static const Op& op = find_op(#name)
#define WG_BINARY_WRAPPER(name, floating)                                                          \
    Tensor name(const Tensor& a, const Tensor& b) {                                                \
        WG_OP(name);                                                                               \
        return call_promoted(op, a, b, floating);                                                  \
    }
WG_BINARY_WRAPPER(add, false)
WG_BINARY_WRAPPER(sub, false)
WG_BINARY_WRAPPER(mul, false)
WG_BINARY_WRAPPER(div, true)
WG_BINARY_WRAPPER(pow, false)
WG_BINARY_WRAPPER(maximum, false)
WG_BINARY_WRAPPER(minimum, false)
WG_BINARY_WRAPPER(eq, false)
WG_BINARY_WRAPPER(ne, false)
WG_BINARY_WRAPPER(lt, false)
WG_BINARY_WRAPPER(le, false)
WG_BINARY_WRAPPER(gt, false)
WG_BINARY_WRAPPER(ge, false)

#define WG_SCALAR_WRAPPER(name)                                                                    \
    Tensor name(const Tensor& a, double b) {                                                       \
        WG_OP(name##_scalar);                                                                      \
        return call_one(op, lift(a, b), {{"other", b}});                                           \
    }
WG_SCALAR_WRAPPER(add)
WG_SCALAR_WRAPPER(mul)
WG_SCALAR_WRAPPER(gt)
WG_SCALAR_WRAPPER(ge)
WG_SCALAR_WRAPPER(lt)
WG_SCALAR_WRAPPER(le)
Tensor sub(const Tensor& a, double b) {
    return add(a, -b);
}
Tensor div(const Tensor& a, double b) {
    WG_OP(div_scalar);
    return call_one(op, as_float(a), {{"other", b}});
}
Tensor rsub(double a, const Tensor& b) {
    WG_OP(rsub_scalar);
    return call_one(op, lift(b, a), {{"other", a}});
}
Tensor pow(const Tensor& a, double b) {
    if (b == 2) return square(a);
    if (!is_floating(a.dtype()) &&
        lift(a, b).dtype() != DType::Float32) { // whole exponent: exact in integers
        const Tensor x = lift(a, b);
        return pow(x, Tensor::full({}, b, x.dtype(), x.device()));
    }
    WG_OP(pow_scalar);
    return call_one(op, as_float(a), {{"exponent", b}});
}

#define WG_NUMBER_WRAPPER(name)                                                                    \
    Tensor name(const Tensor& x) {                                                                 \
        WG_OP(name);                                                                               \
        return call_one(op, x);                                                                    \
    }
#define WG_FLOAT_WRAPPER(name)                                                                     \
    Tensor name(const Tensor& x) {                                                                 \
        WG_OP(name);                                                                               \
        return call_one(op, as_float(x));                                                          \
    }
WG_NUMBER_WRAPPER(neg)
WG_NUMBER_WRAPPER(abs)
WG_NUMBER_WRAPPER(sign)
WG_NUMBER_WRAPPER(square)
WG_NUMBER_WRAPPER(relu)
WG_NUMBER_WRAPPER(logical_not)
WG_NUMBER_WRAPPER(isnan)
WG_NUMBER_WRAPPER(isfinite)
WG_FLOAT_WRAPPER(exp)
WG_FLOAT_WRAPPER(log)
WG_FLOAT_WRAPPER(log1p)
WG_FLOAT_WRAPPER(expm1)
WG_FLOAT_WRAPPER(sqrt)
WG_FLOAT_WRAPPER(rsqrt)
WG_FLOAT_WRAPPER(reciprocal)
WG_FLOAT_WRAPPER(sin)
WG_FLOAT_WRAPPER(cos)
WG_FLOAT_WRAPPER(tanh)
WG_FLOAT_WRAPPER(erf)
WG_FLOAT_WRAPPER(silu)
WG_FLOAT_WRAPPER(mish)
WG_FLOAT_WRAPPER(sigmoid)
WG_FLOAT_WRAPPER(hardsigmoid)
WG_FLOAT_WRAPPER(hardswish)
WG_FLOAT_WRAPPER(logsigmoid)

#define WG_ROUNDING_WRAPPER(name)                                                                  \
    Tensor name(const Tensor& x) {                                                                 \
        WG_OP(name);                                                                               \
        return is_floating(x.dtype()) ? call_one(op, x) : x;                                       \
    }
WG_ROUNDING_WRAPPER(floor)
WG_ROUNDING_WRAPPER(ceil)
WG_ROUNDING_WRAPPER(round)

Tensor clamp(const Tensor& x, double min, double max) {
    WG_OP(clamp);
    return call_one(op, x, {{"min", min}, {"max", max}});
}
Tensor leaky_relu(const Tensor& x, double negative_slope) {
    WG_OP(leaky_relu);
    return call_one(op, as_float(x), {{"negative_slope", negative_slope}});
}
Tensor elu(const Tensor& x, double alpha) {
    WG_OP(elu);
    return call_one(op, as_float(x), {{"alpha", alpha}, {"scale", 1.0}});
}
Tensor selu(const Tensor& x) {
    WG_OP(elu);
    return call_one(op, as_float(x),
                    {{"alpha", 1.6732632423543772848170429916717},
                     {"scale", 1.0507009873554804934193349852946}});
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
    return call_one(op, as_float(x), {{"min", min}, {"max", max}});
}
Tensor relu6(const Tensor& x) {
    return hardtanh(x, 0, 6);
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
    WG_OP(where);
    const DType dtype = result_type(a, b);
    const Tensor inputs[] = {condition, to(a, dtype), to(b, dtype)};
    return call_one(op, inputs);
}
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) {
    WG_OP(masked_fill);
    return call_one(op, x, mask, {{"value", value}});
}

Tensor to(const Tensor& x, DType dtype) {
    if (x.dtype() == dtype) return x;
    WG_OP(to);
    return call_one(op, x, {{"dtype", dtype}});
}
Tensor to(const Tensor& x, Device device) {
    if (x.device() == device) return x;
    WG_OP(to_device);
    return call_one(op, x, {{"device", device.str()}});
}
Tensor contiguous(const Tensor& x) {
    if (x.is_contiguous()) return x;
    WG_OP(contiguous);
    return call_one(op, x);
}
Tensor zeros_like(const Tensor& x) {
    return Tensor::zeros(x.shape(), x.dtype(), x.device());
}
Tensor ones_like(const Tensor& x) {
    return Tensor::full(x.shape(), 1, x.dtype(), x.device());
}

} // namespace wiregrad

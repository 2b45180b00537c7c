// The elementwise rows but for the activations: mathematics in engine/kernel/functors.inc,
// gradients here, in ops. To add an op: a line in functors.inc, a row and a wrapper here, a
// declaration in ops.h.
#include <array>
#include <cmath>
#include <limits>

#include "engine/autograd/tape.h"
#include "engine/kernel/loop.h"
#include "engine/op/elementwise.h"
#include "engine/op/tensor_ops.h"

namespace wiregrad {

using kernel::Binary;
using kernel::InnerLoop;
using kernel::Params;
using kernel::Unary;

void cpu_copy(const Tensor& target, const Tensor& source) {
    kernel::copy_elements(*target.body(), *source.body());
}

namespace elementwise {
namespace {

bool is_16bit(DType type) {
    return type == DType::Float16 || type == DType::BFloat16;
}

Tensor cast(const Tensor& x, DType dtype) {
    Tensor result = Tensor::empty(x.shape(), dtype);
    cpu_copy(result, x);
    return result;
}

} // namespace

Params params_of(const Attrs& attrs) {
    Params params;
    std::size_t next = 0;
    for (const auto& [name, value] : attrs.values()) {
        if (const double* number = std::get_if<double>(&value)) params.v[next++] = *number;
    }
    return params;
}

void run(const KernelCall& c, const InnerLoop* row) {
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

Metas broadcast_shape(const ShapeCall& c, Set set) {
    const auto refuse = [&c](DType dtype) {
        throw DTypeError(std::string(c.op.name) + " does not work on " +
                         std::string(name_of(dtype)) + ".");
    };
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
    if (set == Set::Float && !is_floating(out.dtype)) refuse(out.dtype);
    if (set == Set::Number && out.dtype == DType::Bool) refuse(out.dtype);
    if (set == Set::Whole && is_floating(out.dtype)) refuse(out.dtype);
    if (set == Set::Test) out.dtype = DType::Bool;
    return result;
}

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
Tensor call_promoted(const Op& op, const Tensor& a, const Tensor& b, bool floating) {
    DType dtype = a.dtype();
    if (dtype != b.dtype()) dtype = result_type(a, b);
    if (floating && !is_floating(dtype)) dtype = DType::Float32;
    if (a.dtype() == dtype && b.dtype() == dtype) return call_one(op, a, b);
    return call_one(op, to(a, dtype), to(b, dtype));
}

} // namespace elementwise

using namespace elementwise;

namespace {

// --- kernels

void where_kernel(const KernelCall& c) {
    run(c, kernel::table().where);
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
    run(c, kernel::table().binary[static_cast<int>(Binary::Add)]);
}
void to_device_kernel(const KernelCall& c) {
    c.outputs[0].copy_(c.inputs[0]);
}

// --- shape rules

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

constexpr double kInf = std::numeric_limits<double>::infinity();

Tensor tanh_backward(const Tensor& g, const Tensor& y) {
    WG_OP(tanh_backward);
    return call_one(op, g, y);
}
Tensor bce_slope(const Tensor& a, const Tensor& b) {
    WG_OP(bce_slope);
    return call_one(op, a, b);
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
        binary<Binary::Add, Any>("add", "a + b (or, for bool)", save_nothing, WG_GRAD2(g, g),
                                 "Add"),
        binary<Binary::Sub, Number>("sub", "a - b", save_nothing, WG_GRAD2(g, neg(g)), "Sub"),
        binary<Binary::Mul, Any>("mul", "a * b (and, for bool)", save_other,
                                 WG_GRAD2(mul(g, b), mul(g, a)), "Mul"),
        binary<Binary::Div, Float>("div", "a / b", save_div,
                                   WG_GRAD2(div(g, b), mul(neg(g), div(div(a, b), b))), "Div"),
        binary<Binary::Pow, Number>(
            "pow", "a to the power b", save_pow,
            WG_GRAD2(drop(mul(g, mul(b, pow(a, sub(b, 1)))), eq(b, zeros_like(b))),
                     mul(g, drop(mul(y, log(a)), both(eq(a, zeros_like(a)), ge(b, 0)))))),
        binary<Binary::Maximum, Any>(
            "maximum", "the larger of a and b; NaN wins", save_both,
            WG_GRAD2(drop(half_at_ties(g, a, b), lt(a, b)), drop(half_at_ties(g, a, b), lt(b, a))),
            "Max"),
        binary<Binary::Minimum, Any>(
            "minimum", "the smaller of a and b; NaN wins", save_both,
            WG_GRAD2(drop(half_at_ties(g, a, b), gt(a, b)), drop(half_at_ties(g, a, b), gt(b, a))),
            "Min"),
        unary<Unary::AddScalar, Number>("add_scalar", "x + other", save_nothing, WG_GRAD(g)),
        unary<Unary::MulScalar, Number>("mul_scalar", "x * other", save_nothing,
                                        WG_GRAD(mul(g, attr(c, "other")))),
        unary<Unary::RsubScalar, Number>("rsub_scalar", "other - x", save_nothing, WG_GRAD(neg(g))),
        unary<Unary::DivScalar, Float>("div_scalar", "x / other", save_nothing,
                                       WG_GRAD(div(g, attr(c, "other")))),
        unary<Unary::PowScalar, Float>("pow_scalar", "x to the power exponent", save_input,
                                       WG_GRAD(pow_scalar_gradient(g, x, attr(c, "exponent")))),
        // elementary functions
        unary<Unary::Neg, Number>("neg", "-x", save_nothing, WG_GRAD(neg(g)), "Neg"),
        unary<Unary::Abs, Number>("abs", "|x|; slope 0 at 0", save_input, WG_GRAD(mul(g, sign(x))),
                                  "Abs"),
        unary<Unary::Sign, Number>("sign", "-1, 0 or 1", save_nothing, WG_GRAD(zeros_like(g)),
                                   "Sign"),
        unary<Unary::Square, Number>("square", "x^2", save_input, WG_GRAD(mul(g, mul(x, 2)))),
        unary<Unary::Exp, Float>("exp", "e^x", save_output, WG_GRAD(mul(g, y)), "Exp"),
        unary<Unary::Log, Float>("log", "natural logarithm", save_input, WG_GRAD(div(g, x)), "Log"),
        unary<Unary::Log1p, Float>("log1p", "log(1 + x)", save_input, WG_GRAD(div(g, add(x, 1)))),
        unary<Unary::Expm1, Float>("expm1", "e^x - 1", save_output, WG_GRAD(mul(g, add(y, 1)))),
        unary<Unary::Sqrt, Float>("sqrt", "square root", save_output, WG_GRAD(div(g, mul(y, 2))),
                                  "Sqrt"),
        unary<Unary::Rsqrt, Float>("rsqrt", "1 / sqrt(x)", save_output,
                                   WG_GRAD(mul(g, mul(mul(square(y), y), -0.5)))),
        unary<Unary::Reciprocal, Float>("reciprocal", "1 / x", save_output,
                                        WG_GRAD(mul(g, neg(square(y)))), "Reciprocal"),
        unary<Unary::Sin, Float>("sin", "sine", save_input, WG_GRAD(mul(g, cos(x))), "Sin"),
        unary<Unary::Cos, Float>("cos", "cosine", save_input, WG_GRAD(mul(g, neg(sin(x)))), "Cos"),
        unary<Unary::Tanh, Float>("tanh", "hyperbolic tangent", save_output,
                                  WG_GRAD(tanh_backward(g, y)), "Tanh"),
        unary<Unary::Erf, Float>("erf", "error function", save_input,
                                 WG_GRAD(mul(g, mul(exp(neg(square(x))), 1.12837916709551257390))),
                                 "Erf"),
        binary<Binary::TanhBackward, Float>(
            "tanh_backward", "g (1 - y^2)",
            save_both, WG_GRAD2(tanh_backward(g, b), mul(mul(g, a), mul(b, -2)))),
        unary<Unary::Exp2, Float>("exp2", "2^x", save_output,
                                  WG_GRAD(mul(g, mul(y, 0.69314718055994530942)))),
        unary<Unary::Log2, Float>("log2", "logarithm to base 2", save_input,
                                  WG_GRAD(div(g, mul(x, 0.69314718055994530942)))),
        unary<Unary::Log10, Float>("log10", "logarithm to base 10", save_input,
                                   WG_GRAD(div(g, mul(x, 2.30258509299404568402)))),
        unary<Unary::Tan, Float>("tan", "tangent", save_output, WG_GRAD(mul(g, add(square(y), 1))),
                                 "Tan"),
        unary<Unary::Asin, Float>("asin", "inverse of sin", save_input,
                                  WG_GRAD(mul(g, rsqrt(rsub(1, square(x))))), "Asin"),
        unary<Unary::Acos, Float>("acos", "inverse of cos", save_input,
                                  WG_GRAD(neg(mul(g, rsqrt(rsub(1, square(x)))))), "Acos"),
        unary<Unary::Atan, Float>("atan", "inverse of tan", save_input,
                                  WG_GRAD(div(g, add(square(x), 1))), "Atan"),
        unary<Unary::Sinh, Float>("sinh", "hyperbolic sine", save_input, WG_GRAD(mul(g, cosh(x))),
                                  "Sinh"),
        unary<Unary::Cosh, Float>("cosh", "hyperbolic cosine", save_input, WG_GRAD(mul(g, sinh(x))),
                                  "Cosh"),
        unary<Unary::Asinh, Float>("asinh", "inverse of sinh", save_input,
                                   WG_GRAD(mul(g, rsqrt(add(square(x), 1)))), "Asinh"),
        unary<Unary::Acosh, Float>("acosh", "inverse of cosh", save_input,
                                   WG_GRAD(mul(g, rsqrt(sub(square(x), 1)))), "Acosh"),
        unary<Unary::Atanh, Float>("atanh", "inverse of tanh", save_input,
                                   WG_GRAD(div(g, rsub(1, square(x)))), "Atanh"),
        unary<Unary::Erfc, Float>(
            "erfc", "1 - erf(x)",
            save_input, WG_GRAD(mul(g, mul(exp(neg(square(x))), -1.12837916709551257390)))),
        unary<Unary::Trunc, Float>("trunc", "x without its fraction", save_nothing,
                                   WG_GRAD(zeros_like(g))),
        binary<Binary::Fmod, Number>("fmod", "rest of a / b with the sign of a", save_both,
                                     WG_GRAD2(g, neg(mul(g, trunc(div(a, b))))), "Mod"),
        binary<Binary::Remainder, Number>("remainder", "rest of a / b with the sign of b",
                                          save_both, WG_GRAD2(g, neg(mul(g, floor(div(a, b)))))),
        binary<Binary::FloorDivide, Number>("floor_divide", "a / b rounded down", save_nothing,
                                            WG_GRAD2(zeros_like(g), zeros_like(g))),
        binary<Binary::Atan2, Float>("atan2", "angle of the point (b, a)", save_both,
                                     WG_GRAD2(mul(g, div(b, add(square(a), square(b)))),
                                              mul(g, div(neg(a), add(square(a), square(b)))))),
        binary<Binary::Hypot, Float>(
            "hypot", "sqrt(a^2 + b^2)", [](Mask, const Attrs&) -> Saves { return {3, 1}; },
            WG_GRAD2(mul(g, div(a, y)), mul(g, div(b, y)))),
        binary<Binary::Xlogy, Float>(
            "xlogy", "a log(b); 0 where a is 0", save_both,
            WG_GRAD2(mul(g, xlogy(to(ne(a, 0), a.dtype()), b)), mul(g, div(a, b)))),
        binary<Binary::Bce, Float>(
            "bce", "-(b log(a) + (1 - b) log(1 - a)), logarithms cut off at -100", save_both,
            WG_GRAD2(mul(g, bce_slope(a, b)), mul(g, sub(log1p(neg(a)), log(a))))),
        binary<Binary::BceSlope, Float>(
            "bce_slope", "(a - b) / (a (1 - a)), denominators cut off at 1e-12", save_both,
            WG_GRAD2(mul(g, div(add(sub(square(a), mul(mul(a, b), 2)), b),
                                square(clamp(mul(a, rsub(1, a)), 1e-12, kInf)))),
                     neg(div(g, clamp(mul(a, rsub(1, a)), 1e-12, kInf))))),
        unary<Unary::Floor, Float>("floor", "largest integer not above x", save_nothing,
                                   WG_GRAD(zeros_like(g)), "Floor"),
        unary<Unary::Ceil, Float>("ceil", "smallest integer not below x", save_nothing,
                                  WG_GRAD(zeros_like(g)), "Ceil"),
        unary<Unary::Round, Float>("round", "nearest integer, half to even", save_nothing,
                                   WG_GRAD(zeros_like(g)), "Round"),
        unary<Unary::Clamp, Number>(
            "clamp", "min(max(x, min), max); slope 1 at the bounds", save_input,
            WG_GRAD(drop(g, either(lt(x, attr(c, "min")), gt(x, attr(c, "max"))))), "Clip"),
        // tests
        binary<Binary::Eq, Test>("eq", "a == b", nullptr, nullptr, "Equal"),
        binary<Binary::Ne, Test>("ne", "a != b", nullptr, nullptr),
        binary<Binary::Lt, Test>("lt", "a < b", nullptr, nullptr, "Less"),
        binary<Binary::Le, Test>("le", "a <= b", nullptr, nullptr, "LessOrEqual"),
        binary<Binary::Gt, Test>("gt", "a > b", nullptr, nullptr, "Greater"),
        binary<Binary::Ge, Test>("ge", "a >= b", nullptr, nullptr, "GreaterOrEqual"),
        unary<Unary::EqScalar, Test>("eq_scalar", "x == other", nullptr, nullptr),
        unary<Unary::NeScalar, Test>("ne_scalar", "x != other", nullptr, nullptr),
        unary<Unary::GtScalar, Test>("gt_scalar", "x > other", nullptr, nullptr),
        unary<Unary::GeScalar, Test>("ge_scalar", "x >= other", nullptr, nullptr),
        unary<Unary::LtScalar, Test>("lt_scalar", "x < other", nullptr, nullptr),
        unary<Unary::LeScalar, Test>("le_scalar", "x <= other", nullptr, nullptr),
        unary<Unary::LogicalNot, Test>("logical_not", "x == 0", nullptr, nullptr, "Not"),
        binary<Binary::LogicalAnd, Test>("logical_and", "a != 0 and b != 0", nullptr, nullptr,
                                         "And"),
        binary<Binary::LogicalOr, Test>("logical_or", "a != 0 or b != 0", nullptr, nullptr, "Or"),
        binary<Binary::LogicalXor, Test>("logical_xor", "either a != 0 or b != 0", nullptr, nullptr,
                                         "Xor"),
        binary<Binary::BitwiseAnd, Whole>("bitwise_and", "bits set in both", nullptr, nullptr),
        binary<Binary::BitwiseOr, Whole>("bitwise_or", "bits set in either", nullptr, nullptr),
        binary<Binary::BitwiseXor, Whole>("bitwise_xor", "bits set in one only", nullptr, nullptr),
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
           .gradient = WG_GRAD(g),
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

/// A number lifts only the category: integers stay integers when the number is whole.
Tensor lift(const Tensor& x, double number) {
    if (is_floating(x.dtype())) return x;
    const bool whole = std::isfinite(number) && number == std::floor(number);
    if (!whole) return to(x, DType::Float32);
    return x.dtype() == DType::Bool ? to(x, DType::Int64) : x;
}

/// `x` in a dtype that can hold `number`, so that a comparison does not wrap it around.
Tensor widened(const Tensor& x, double number) {
    const bool holds = x.dtype() == DType::UInt8 ? number >= 0 && number <= 255
                       : x.dtype() == DType::Int32
                           ? number >= -2147483648.0 && number <= 2147483647.0
                           : true;
    return holds ? x : to(x, DType::Int64);
}

void refuse_zeros(const char* op, const Tensor& divisor) {
    if (!divisor.has_data() || divisor.numel() == 0) return;
    const autograd::NoGrad scope;
    if (amax(eq(divisor, 0)).item() != 0)
        throw ValueError(std::string(op) + ": an integer cannot be divided by 0.");
}

} // namespace

std::span<const Op> elementwise_ops() {
    static const std::vector<Op> rows = make_rows();
    return rows;
}

WG_BINARY_WRAPPER(add, false)
WG_BINARY_WRAPPER(sub, false)
WG_BINARY_WRAPPER(mul, false)
WG_BINARY_WRAPPER(div, true)
WG_BINARY_WRAPPER(pow, false)
WG_BINARY_WRAPPER(maximum, false)
WG_BINARY_WRAPPER(minimum, false)
WG_BINARY_WRAPPER(atan2, true)
WG_BINARY_WRAPPER(hypot, true)
WG_BINARY_WRAPPER(xlogy, true)
WG_BINARY_WRAPPER(logical_and, false)
WG_BINARY_WRAPPER(logical_or, false)
WG_BINARY_WRAPPER(logical_xor, false)
WG_BINARY_WRAPPER(bitwise_and, false)
WG_BINARY_WRAPPER(bitwise_or, false)
WG_BINARY_WRAPPER(bitwise_xor, false)
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

#define WG_COMPARE_WRAPPER(name)                                                                   \
    Tensor name(const Tensor& a, double b) {                                                       \
        WG_OP(name##_scalar);                                                                      \
        return call_one(op, widened(lift(a, b), b), {{"other", b}});                               \
    }
WG_COMPARE_WRAPPER(eq)
WG_COMPARE_WRAPPER(ne)
WG_COMPARE_WRAPPER(gt)
WG_COMPARE_WRAPPER(ge)
WG_COMPARE_WRAPPER(lt)
WG_COMPARE_WRAPPER(le)
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

WG_NUMBER_WRAPPER(neg)
WG_NUMBER_WRAPPER(abs)
WG_NUMBER_WRAPPER(sign)
WG_NUMBER_WRAPPER(square)
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
WG_FLOAT_WRAPPER(exp2)
WG_FLOAT_WRAPPER(log2)
WG_FLOAT_WRAPPER(log10)
WG_FLOAT_WRAPPER(tan)
WG_FLOAT_WRAPPER(asin)
WG_FLOAT_WRAPPER(acos)
WG_FLOAT_WRAPPER(atan)
WG_FLOAT_WRAPPER(sinh)
WG_FLOAT_WRAPPER(cosh)
WG_FLOAT_WRAPPER(asinh)
WG_FLOAT_WRAPPER(acosh)
WG_FLOAT_WRAPPER(atanh)
WG_FLOAT_WRAPPER(erfc)
WG_FLOAT_WRAPPER(erf)

#define WG_ROUNDING_WRAPPER(name)                                                                  \
    Tensor name(const Tensor& x) {                                                                 \
        WG_OP(name);                                                                               \
        return is_floating(x.dtype()) ? call_one(op, x) : x;                                       \
    }
WG_ROUNDING_WRAPPER(floor)
WG_ROUNDING_WRAPPER(ceil)
WG_ROUNDING_WRAPPER(trunc)
WG_ROUNDING_WRAPPER(round)

/// An integer divided by zero has no value to stand for it.
#define WG_REST_WRAPPER(name)                                                                      \
    Tensor name(const Tensor& a, const Tensor& b) {                                                \
        WG_OP(name);                                                                               \
        if (!is_floating(a.dtype()) && !is_floating(b.dtype())) refuse_zeros(#name, b);            \
        return call_promoted(op, a, b);                                                            \
    }
WG_REST_WRAPPER(fmod)
WG_REST_WRAPPER(remainder)
WG_REST_WRAPPER(floor_divide)
Tensor bitwise_not(const Tensor& x) {
    if (x.dtype() == DType::Bool) return logical_not(x);
    return bitwise_xor(x, Tensor::full({}, x.dtype() == DType::UInt8 ? 255 : -1, x.dtype()));
}

Tensor clamp(const Tensor& x, double min, double max) {
    WG_OP(clamp);
    return call_one(op, x, {{"min", min}, {"max", max}});
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

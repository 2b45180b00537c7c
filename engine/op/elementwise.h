// What the files of elementwise rows share: the kernel of a functor, the shape rules, gradients as
// expressions, promotion and the wrappers. For engine/op only.
#pragma once

#include "engine/kernel/table.h"
#include "engine/op/ops.h"
#include "engine/op/registry.h"

namespace wiregrad::elementwise {

using kernel::Binary;
using kernel::Unary;

/// Runs row[dtype of the last input] over the inputs; 16-bit types are computed in float32.
void run(const KernelCall& c, const kernel::InnerLoop* row);
/// The op's numeric attributes, in order.
kernel::Params params_of(const Attrs& attrs);

template <Unary kFunctor> void unary_kernel(const KernelCall& c) {
    run(c, kernel::table().unary[static_cast<int>(kFunctor)]);
}
template <Binary kFunctor> void binary_kernel(const KernelCall& c) {
    run(c, kernel::table().binary[static_cast<int>(kFunctor)]);
}

// --- shape rules

/// The dtypes an op takes, as in functors.inc; 16-bit floating types go with the others.
enum class Set { Number, Any, Whole, Float, Test };
/// Broadcasting of inputs of one dtype, which must belong to `set`.
Metas broadcast_shape(const ShapeCall& c, Set set);
template <Set kSet> Metas shape_rule(const ShapeCall& c) {
    return broadcast_shape(c, kSet);
}

// --- rows

inline constexpr std::uint32_t kPlain = kElementwise;
inline constexpr std::uint32_t kTest = kElementwise | kNoGrad;

template <Unary kFunctor, Set kSet>
Op unary(std::string_view name, std::string_view help, SaveRule saves, Gradient gradient,
         std::string_view onnx = {}) {
    Op op{.name = name,
          .help = help,
          .shape = shape_rule<kSet>,
          .gradient = gradient,
          .saves = saves,
          .flags = kSet == Set::Test || kSet == Set::Whole ? kTest : kPlain,
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
          .shape = shape_rule<kSet>,
          .gradient = gradient,
          .saves = saves,
          .flags = kSet == Set::Test || kSet == Set::Whole ? kTest : kPlain,
          .onnx = onnx};
    op.kernel[0] = binary_kernel<kFunctor>;
    op.functor = {Functor::Kind::Binary, static_cast<int>(kFunctor)};
    return op;
}

/// g: gradient of the output; x: input; y: output (x and y only when saved).
#define WG_GRAD(...)                                                                               \
    [](const GradCall& c) -> Tensors {                                                             \
        [[maybe_unused]] const Tensor& g = c.grads[0];                                             \
        [[maybe_unused]] const Tensor& x = c.inputs[0];                                            \
        [[maybe_unused]] const Tensor& y = c.outputs[0];                                           \
        return {__VA_ARGS__};                                                                      \
    }
/// One expression for each of two inputs, evaluated only when needed; a and b are the inputs.
#define WG_GRAD2(for_a, for_b)                                                                     \
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

inline Saves save_nothing(Mask, const Attrs&) {
    return {};
}
inline Saves save_both(Mask, const Attrs&) {
    return {3, 0};
}

inline double attr(const GradCall& c, std::string_view name) {
    return c.attrs.real(name);
}
inline Tensor either(const Tensor& a, const Tensor& b) {
    return maximum(a, b);
}
inline Tensor both(const Tensor& a, const Tensor& b) {
    return mul(a, b);
}
/// g where `condition` is false, else 0.
inline Tensor drop(const Tensor& g, const Tensor& condition) {
    return masked_fill(g, condition, 0);
}
/// g where `condition` is true, else 0.
inline Tensor keep(const Tensor& g, const Tensor& condition) {
    return masked_fill(g, logical_not(condition), 0);
}

// --- wrappers

/// PyTorch's result type: a 0-dim operand raises only the category (bool < integer < float).
DType result_type(const Tensor& a, const Tensor& b);
/// An integer or bool tensor becomes float32.
Tensor as_float(const Tensor& x);
/// Promotes, then calls.
Tensor call_promoted(const Op& op, const Tensor& a, const Tensor& b, bool floating = false);

#define WG_OP(name) static const Op& op = find_op(#name)
#define WG_BINARY_WRAPPER(name, floating)                                                          \
    Tensor name(const Tensor& a, const Tensor& b) {                                                \
        WG_OP(name);                                                                               \
        return call_promoted(op, a, b, floating);                                                  \
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

} // namespace wiregrad::elementwise

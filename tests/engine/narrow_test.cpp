// 16-bit floats in rows that compute in float32, and autocast: numbers rounded once, weights and
// their gradients in float32.
#include <gmock/gmock.h>

#include <cmath>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/nn/autocast.h"
#include "engine/op/layer_ops.h"
#include "engine/op/losses.h"
#include "engine/op/ops.h"
#include "tests/engine/heavy_util.h"

namespace wiregrad {
namespace {

using heavy::message_of;

Tensor ramp(const Shape& shape, double step) {
    std::vector<double> values(static_cast<std::size_t>(numel(shape)));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = std::sin(step * static_cast<double>(i + 1));
    return to(Tensor::from(values, shape), DType::Float32);
}

/// The float32 result of the rounded inputs, rounded: what a 16-bit row must give, bit for bit.
void expect_rounded_once(const Tensor& narrow, const Tensor& wide, DType dtype, const char* what) {
    EXPECT_EQ(narrow.dtype(), dtype) << what;
    EXPECT_EQ(narrow.to_vector(), to(wide, dtype).to_vector()) << what;
}

TEST(Narrow, RowsOfLayersRoundTheirFloat32ResultOnce) {
    for (const DType dtype : {DType::BFloat16, DType::Float16}) {
        const auto low = [&](const Tensor& x) { return to(x, dtype); };
        const auto high = [&](const Tensor& x) { return to(to(x, dtype), DType::Float32); };
        const Tensor a = ramp({5, 7}, 0.7), b = ramp({7, 3}, 1.1), x = ramp({2, 3, 6, 5}, 0.3),
                     w = ramp({4, 3, 3, 2}, 0.9), bias = ramp({4}, 0.5);
        expect_rounded_once(matmul(low(a), low(b)), matmul(high(a), high(b)), dtype, "matmul");
        expect_rounded_once(conv2d(low(x), low(w), low(bias)), conv2d(high(x), high(w), high(bias)),
                            dtype, "conv2d");
        expect_rounded_once(max_pool2d(low(x), {}), max_pool2d(high(x), {}), dtype, "max_pool2d");
        expect_rounded_once(avg_pool2d(low(x), {}), avg_pool2d(high(x), {}), dtype, "avg_pool2d");
        expect_rounded_once(softmax(low(a), 1), softmax(high(a), 1), dtype, "softmax");
        expect_rounded_once(layer_norm(low(a), {7}), layer_norm(high(a), {7}), dtype, "layer_norm");
        expect_rounded_once(linear(low(a), low(transpose(b, 0, 1))),
                            linear(high(a), high(transpose(b, 0, 1))), dtype, "linear");
        const Tensor labels = Tensor::from(std::vector<std::int64_t>{0, 2, 1, 6, 3}, Shape{5});
        expect_rounded_once(cross_entropy(low(a), labels), cross_entropy(high(a), labels), dtype,
                            "cross_entropy");
    }
}

TEST(Narrow, GradientsComeInTheSameType) {
    Tensor a = to(ramp({5, 7}, 0.7), DType::BFloat16).set_requires_grad(true);
    Tensor b = to(ramp({7, 3}, 1.1), DType::BFloat16).set_requires_grad(true);
    autograd::backward(sum(to(matmul(a, b), DType::Float32)));
    ASSERT_EQ(a.grad().dtype(), DType::BFloat16);
    const Tensor ones = Tensor::full({5, 3}, 1);
    const Tensor expected = matmul(ones, transpose(to(b.detach(), DType::Float32), 0, 1));
    EXPECT_EQ(a.grad().to_vector(), to(expected, DType::BFloat16).to_vector());
}

TEST(Narrow, MixedInputsAreRefused) {
    const Tensor low = Tensor::zeros({2, 2}, DType::BFloat16), high = Tensor::zeros({2, 2});
    EXPECT_EQ(message_of<DTypeError>([&] { matmul(low, high); }),
              "matmul: input 0 is bfloat16, float32 or float64 is needed");
    EXPECT_THROW(matmul(low, Tensor::zeros({2, 2}, DType::Float16)), DTypeError);
}

TEST(Autocast, ProductsAreNarrowAndEverythingElseIsAsTorchDoesIt) {
    const Tensor x = ramp({4, 6}, 0.7);
    Tensor w = ramp({6, 3}, 1.1).set_requires_grad(true);
    Tensor product, soft, both, grown;
    {
        const nn::Autocast scope;
        product = matmul(x, w);
        soft = softmax(product, 1);
        both = add(product, Tensor::full({4, 3}, 1));
        grown = exp(product);
    }
    EXPECT_EQ(product.dtype(), DType::BFloat16);
    EXPECT_EQ(soft.dtype(), DType::Float32);
    EXPECT_EQ(both.dtype(), DType::Float32);
    EXPECT_EQ(grown.dtype(), DType::Float32);
    EXPECT_EQ(matmul(x, w).dtype(), DType::Float32) << "the scope has ended";
    autograd::backward(sum(mul(soft, soft)));
    ASSERT_TRUE(w.grad().defined());
    EXPECT_EQ(w.grad().dtype(), DType::Float32) << "weights and their gradients stay float32";
    // float64 is left alone.
    const nn::Autocast scope;
    EXPECT_EQ(matmul(Tensor::zeros({2, 2}, DType::Float64), Tensor::zeros({2, 2}, DType::Float64))
                  .dtype(),
              DType::Float64);
}

} // namespace
} // namespace wiregrad

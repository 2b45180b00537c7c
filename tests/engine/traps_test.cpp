// The traps of PyTorch's semantics that a sample input rarely meets: kinks, ties, empty inputs,
// order, rounding. Each number was taken from PyTorch 1.13.1.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/losses.h"
#include "engine/op/tensor_ops.h"

namespace wiregrad {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
using Values = std::vector<double>;

Tensor doubles(const Values& values) {
    return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}
Tensor whole(const std::vector<std::int64_t>& values) {
    return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}
/// Slope of sum(f(x)) at each of `values`.
Values slopes(const std::function<Tensor(const Tensor&)>& f, const Values& values) {
    Tensor x = doubles(values);
    x.set_requires_grad(true);
    autograd::backward(sum(f(x)));
    return x.grad().to_vector();
}
double slope(const std::function<Tensor(const Tensor&)>& f, double at) {
    return slopes(f, {at})[0];
}

TEST(Traps, KinksHavePyTorchsSlope) {
    EXPECT_EQ(slope(relu, 0), 0);
    EXPECT_EQ(slope([](const Tensor& x) { return leaky_relu(x, 0.2); }, 0), 0.2);
    EXPECT_EQ(slope(abs, 0), 0);
    EXPECT_EQ(slope(sign, 0), 0);
    EXPECT_EQ(slope(relu6, 6), 0);
    EXPECT_EQ(slopes([](const Tensor& x) { return hardtanh(x); }, {-1, 1}), (Values{0, 0}));
    EXPECT_EQ(slopes([](const Tensor& x) { return clamp(x, -1, 1); }, {-1, 1}), (Values{1, 1}));
    EXPECT_EQ(slope([](const Tensor& x) { return elu(x); }, 0), 1);
    EXPECT_EQ(slopes([](const Tensor& x) { return softshrink(x); }, {-0.5, 0.5}), (Values{0, 0}));
    EXPECT_EQ(slopes([](const Tensor& x) { return hardshrink(x); }, {-0.5, 0.5}), (Values{0, 0}));
    EXPECT_EQ(slopes(hardsigmoid, {-3, 3}), (Values{0, 0}));
    EXPECT_DOUBLE_EQ(slope(hardswish, 3), 1.5);
    EXPECT_DOUBLE_EQ(slope(hardswish, -3), -0.5);
    EXPECT_EQ(slope([](const Tensor& x) { return prelu(x, doubles({0.25})); }, 0), 0.25);
    EXPECT_EQ(slope([](const Tensor& x) { return threshold(x, 0.5, 9); }, 0.5), 0);
    EXPECT_EQ(slope(sqrt, 0), kInf);
    EXPECT_EQ(slope([](const Tensor& x) { return pow(x, 0.5); }, 0), kInf);
    EXPECT_EQ(slopes([](const Tensor& x) { return vector_norm(x); }, {0, 0}), (Values{0, 0}));
    EXPECT_EQ(slopes([](const Tensor& x) { return stddev(x); }, {2, 2, 2}), (Values{0, 0, 0}));
    EXPECT_TRUE(std::isnan(
        slope([](const Tensor& x) { return where(gt(x, 0), sqrt(x), zeros_like(x)); }, 0)));
}

TEST(Traps, TiesShareOrGoToTheFirst) {
    const auto larger = [](const Tensor& x) { return maximum(x, doubles({1, 1})); };
    EXPECT_EQ(slopes(larger, {1, 2}), (Values{0.5, 1}));
    EXPECT_EQ(slopes([](const Tensor& x) { return amax(x); }, {3, 1, 3, 3}),
              (Values{1.0 / 3, 0, 1.0 / 3, 1.0 / 3}));
    EXPECT_EQ(slopes([](const Tensor& x) { return median(x); }, {2, 1, 2, 5}),
              (Values{0.5, 0, 0.5, 0}));
    EXPECT_EQ(slopes([](const Tensor& x) { return max(x, 0).values; }, {3, 1, 3}),
              (Values{1, 0, 0}));
    EXPECT_EQ(argmax(doubles({3, 1, 3}), 0).item(), 0);
    EXPECT_EQ(sort(doubles({2, 1, 2, 1})).indices.to_vector(), (Values{1, 3, 0, 2}));
    EXPECT_EQ(topk(doubles({2, 5, 2, 5}), 3).indices.to_vector(), (Values{1, 3, 0}));
    EXPECT_EQ(median(doubles({4, 1, 3, 2})).item(), 2); // the lower one
}

TEST(Traps, ProductsWithZerosHaveGradients) {
    const auto product = [](const Tensor& x) { return prod(x); };
    EXPECT_EQ(slopes(product, {0, 2, 3}), (Values{6, 0, 0}));
    EXPECT_EQ(slopes(product, {0, 2, 0}), (Values{0, 0, 0}));
    const auto running = [](const Tensor& x) { return cumprod(x, 0); };
    EXPECT_EQ(slopes(running, {2, 0, 3}), (Values{1, 8, 0}));
}

TEST(Traps, EmptyAndInfiniteInputs) {
    const Tensor none = Tensor::zeros({0}, DType::Float64);
    EXPECT_EQ(sum(none).item(), 0);
    EXPECT_EQ(prod(none).item(), 1);
    EXPECT_TRUE(std::isnan(mean(none).item()));
    EXPECT_THROW(amax(none), ShapeError);
    EXPECT_FALSE(any(none).item() != 0);
    EXPECT_TRUE(all(none).item() != 0);
    EXPECT_TRUE(std::isnan(var(doubles({1})).item()));
    const Tensor low = doubles({-kInf, -kInf});
    EXPECT_TRUE(std::isnan(softmax(low, 0).to_vector()[0]));
    EXPECT_EQ(logsumexp(low, {0}).item(), -kInf);
    EXPECT_EQ(logaddexp(low, low).to_vector()[0], -kInf);
    EXPECT_THROW(mean(whole({1, 2})), DTypeError);
}

TEST(Traps, KnownValues) {
    EXPECT_NEAR(gelu(doubles({1})).item(), 0.8413447460685429, 1e-12);
    EXPECT_NEAR(gelu(doubles({1}), true).item(), 0.8411919906082768, 1e-12);
    EXPECT_EQ(softplus(doubles({11}), 2).item(), 11); // beyond 20 / beta the identity
    EXPECT_LT(softplus(doubles({9.9}), 2).item() - 9.9, 1e-8);
    EXPECT_GT(softplus(doubles({9.9}), 2).item(), 9.9);
    EXPECT_DOUBLE_EQ(rrelu(doubles({-1}), 0.125, 1.0 / 3, false).item(), -(0.125 + 1.0 / 3) / 2);
    EXPECT_EQ(round(doubles({0.5, 1.5, -2.5})).to_vector(), (Values{0, 2, -2}));
}

TEST(Traps, WholeNumbersDivideDownAndTheRestHasTheDivisorsSign) {
    const Tensor a = whole({-7, 7, -7, 7}), b = whole({2, -2, -2, 2});
    EXPECT_EQ(floor_divide(a, b).to_vector(), (Values{-4, -4, 3, 3}));
    EXPECT_EQ(fmod(a, b).to_vector(), (Values{-1, 1, -1, 1}));
    EXPECT_EQ(remainder(a, b).to_vector(), (Values{1, -1, -1, 1}));
    EXPECT_THROW(floor_divide(a, whole({0, 1, 1, 1})), ValueError);
    EXPECT_THROW(remainder(a, whole({1, 1, 0, 1})), ValueError);
    EXPECT_EQ(remainder(doubles({-7.5}), doubles({2})).item(), 0.5);
    EXPECT_EQ(div(a, b).dtype(), DType::Float32);
    EXPECT_EQ(sum(to(doubles({1, 0, 1}), DType::Bool)).dtype(), DType::Int64);
}

TEST(Traps, LossesDivideAsPyTorchDoes) {
    const Tensor scores = log_softmax(Tensor::from(Values{1, 2, 3, 1, 1, 1}, {2, 3}), 1);
    const Tensor weight = doubles({1, 2, 4});
    // the mean divides by the weights of the targets that count
    const double first = -scores.to_vector()[2] * 4, second = -scores.to_vector()[3];
    EXPECT_NEAR(nll_loss(scores, whole({2, 0}), weight).item(), (first + second) / 5, 1e-12);
    EXPECT_NEAR(nll_loss(scores, whole({2, -100}), weight).item(), first / 4, 1e-12);
    EXPECT_TRUE(std::isnan(nll_loss(scores, whole({-100, -100})).item()));
    // logarithms stop at -100, the slope at 1e12
    EXPECT_DOUBLE_EQ(binary_cross_entropy(doubles({0}), doubles({1})).item(), 100);
    EXPECT_NEAR(slope([](const Tensor& x) { return binary_cross_entropy(x, doubles({1})); }, 0) /
                    -1e12,
                1, 1e-9);
    EXPECT_THROW(binary_cross_entropy(doubles({1.5}), doubles({1})), ValueError);
    EXPECT_NEAR(huber_loss(doubles({3}), doubles({0}), 2).item(),
                2 * smooth_l1_loss(doubles({3}), doubles({0}), 2).item(), 1e-12);
    const Tensor p = doubles({0.25, 0.75}), q = log(doubles({0.5, 0.5}));
    EXPECT_NEAR(kl_div(q, p).item() * 2,
                kl_div(reshape(q, {1, 2}), reshape(p, {1, 2}), false, true).item(), 1e-12);
    // the variance is clamped, its slope is not
    const double tiny = slope(
        [](const Tensor& v) { return gaussian_nll_loss(doubles({0}), doubles({0}), v); }, 1e-9);
    EXPECT_NEAR(tiny, 0.5 / 1e-6, 1);
    EXPECT_THROW(gaussian_nll_loss(doubles({0}), doubles({0}), doubles({-1})), ValueError);
    EXPECT_THROW(mse_loss(Tensor::zeros({2, 1}), Tensor::zeros({2})), ShapeError);
}

TEST(Traps, CtcCannotBeDifferentiatedTwiceAndSaysSo) {
    Tensor x = log_softmax(Tensor::from(Values(12, 0.5), {3, 1, 4}), 2).detach();
    x.set_requires_grad(true);
    const Tensor loss = ctc_loss(x, whole({1, 2}), whole({3}), whole({2}));
    const Tensor roots[] = {loss}, inputs[] = {x};
    const Tensor first = autograd::grad(roots, inputs, {}, {.create_graph = true})[0];
    const Tensor again[] = {first};
    EXPECT_THROW(autograd::grad(again, inputs, again), AutogradError);
    EXPECT_EQ(ctc_loss(x.detach(), whole({1, 2, 3, 1}), whole({3}), whole({4})).item(), kInf);
    EXPECT_EQ(
        ctc_loss(x.detach(), whole({1, 2, 3, 1}), whole({3}), whole({4}), 0, Reduction::Mean, true)
            .item(),
        0);
}

} // namespace
} // namespace wiregrad

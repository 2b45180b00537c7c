#include <gtest/gtest.h>

#include <cmath>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/core/memory.h"
#include "engine/op/ops.h"

namespace wiregrad {
namespace {

using autograd::backward;
using autograd::grad;

Tensor leaf(const std::vector<double>& values) {
    return Tensor::from(values, {static_cast<std::int64_t>(values.size())}).set_requires_grad(true);
}
std::vector<double> of(const Tensor& x) {
    return x.to_vector();
}

template <class F> std::string autograd_error(const F& f) {
    try {
        f();
    } catch (const AutogradError& error) {
        return error.text();
    }
    return "nothing was thrown";
}

TEST(Backward, AccumulatesOverPathsAndCalls) {
    const Tensor x = leaf({2, 3});
    const Tensor y = mul(x, x);
    backward(sum(add(y, x)));
    EXPECT_EQ(of(x.grad()), (std::vector<double>{5, 7}));
    backward(sum(mul(x, 10)));
    EXPECT_EQ(of(x.grad()), (std::vector<double>{15, 17}));
    Tensor again = x;
    again.set_grad({});
    EXPECT_FALSE(x.grad().defined());
}

TEST(Backward, AccumulatesInPlaceSoThatTheGradientKeepsItsMemory) {
    const Tensor x = leaf({2, 3});
    backward(sum(mul(x, 2)));
    const void* const before = x.grad().raw();
    backward(sum(mul(x, 3)));
    EXPECT_EQ(x.grad().raw(), before);
    EXPECT_EQ(of(x.grad()), (std::vector<double>{5, 5}));
}

TEST(Backward, GradientsOfDifferentLeavesAreNotShared) {
    const Tensor a = leaf({1, 2}), b = leaf({3, 4});
    const Tensor seed = Tensor::full({2}, 1, DType::Float64);
    const Tensor y = add(a, b);
    backward({&y, 1}, {&seed, 1}, {});
    Tensor ga = a.grad();
    ga.fill_(50);
    EXPECT_EQ(of(b.grad()), (std::vector<double>{1, 1}));
    EXPECT_EQ(of(seed), (std::vector<double>{1, 1}));
    const Tensor c = leaf({1, 2});
    backward(sum(c)); // the gradient of sum is an expanded view: grad() must own real memory
    EXPECT_TRUE(c.grad().is_contiguous());
}

TEST(Backward, TakesSeedsAndSeveralRoots) {
    const Tensor x = leaf({1, 2});
    const Tensor roots[] = {mul(x, 2), square(x)};
    const Tensor seeds[] = {Tensor::from(std::vector<double>{1, 10}, {2}),
                            Tensor::from(std::vector<float>{1, 1}, {2})};
    backward(roots, seeds, {});
    EXPECT_EQ(of(x.grad()), (std::vector<double>{4, 24}));
    const Tensor wrong[] = {Tensor::zeros({3})};
    const Tensor root = mul(x, 2);
    EXPECT_THROW(backward({&root, 1}, wrong, {}), ShapeError);
    EXPECT_EQ(autograd_error([&] { backward(root); }),
              "backward needs a seed for a root with more than one element; root 0 has shape [2].");
}

TEST(Backward, RefusesWhatHasNothingToDifferentiate) {
    const Tensor x = Tensor::scalar(1);
    EXPECT_EQ(autograd_error([&] { backward(mul(x, 2)); }),
              "There is nothing to differentiate: root 0 does not depend on anything that requires "
              "a gradient.");
    const Tensor w = leaf({1});
    Tensor y;
    {
        const autograd::NoGrad scope;
        y = mul(w, 2);
        {
            const autograd::EnableGrad inner;
            EXPECT_TRUE(mul(w, 2).requires_grad());
        }
        EXPECT_FALSE(autograd::enabled());
    }
    EXPECT_TRUE(autograd::enabled());
    EXPECT_FALSE(y.requires_grad());
    EXPECT_FALSE(mul(w.detach(), 2).requires_grad());
    EXPECT_FALSE(eq(w, w).requires_grad());
}

TEST(Backward, ASecondTimeNeedsRetainGraph) {
    const Tensor x = leaf({3});
    const Tensor y = square(x);
    backward(y, {.retain_graph = true});
    backward(y);
    EXPECT_EQ(of(x.grad()), (std::vector<double>{12}));
    EXPECT_EQ(autograd_error([&] { backward(y); }),
              "backward went through `square` a second time, but what it saved was released by the "
              "first; ask the first for retain_graph.");
}

TEST(Backward, ReleasesWhatItNoLongerNeeds) {
    const std::int64_t tensors = live_tensor_count();
    const std::size_t bytes = memory_stats().live_bytes;
    {
        const Tensor x = leaf({1, 2, 3});
        const Tensor y = sum(exp(mul(x, x)));
        const std::size_t recorded = memory_stats().live_bytes;
        backward(y);
        EXPECT_LT(memory_stats().live_bytes,
                  recorded + 3 * sizeof(double));    // the gradient came, what was saved went
        EXPECT_LE(live_tensor_count(), tensors + 3); // x, y and the gradient
    }
    EXPECT_EQ(live_tensor_count(), tensors);
    EXPECT_EQ(memory_stats().live_bytes, bytes);
}

TEST(Saves, KeepOnlyWhatTheWantedGradientsNeed) {
    const std::size_t before = memory_stats().live_bytes;
    const Tensor w = leaf(std::vector<double>(1000, 2));
    const std::size_t one = memory_stats().live_bytes - before;
    Tensor y;
    {
        const Tensor x = Tensor::full({1000}, 3, DType::Float64);
        y = add(mul(w, x), x); // needs x for w's gradient; the product and w are not needed
    }
    EXPECT_EQ(memory_stats().live_bytes - before, 3 * one); // w, x, y
    {
        const Tensor x = Tensor::full({1000}, 3, DType::Float64);
        y = add(w, x);
    }
    EXPECT_EQ(memory_stats().live_bytes - before, 2 * one); // w, y
    y = relu(neg(w));
    EXPECT_EQ(memory_stats().live_bytes - before, 2 * one); // relu keeps its output, not its input
}

TEST(Versions, AChangeAfterSavingIsNamed) {
    const Tensor x = leaf({1, 2, 3});
    Tensor factor = Tensor::full({3}, 2, DType::Float64);
    const Tensor y = sum(mul(x, factor));
    factor.fill_(5);
    EXPECT_EQ(autograd_error([&] { backward(y); }),
              "A tensor that `mul` saved for its gradient was changed in place since: input 1, "
              "float64[3], was saved at version 0 and is "
              "now at version 1. Change a clone instead, or change it after backward.");
    Tensor e = exp(x);
    const Tensor z = sum(e);
    e.detach().fill_(0); // shares storage and version
    EXPECT_NE(autograd_error([&] {
                  backward(z);
              }).find("`exp` saved for its gradient was changed in place since: output 0"),
              std::string::npos);
    Tensor unused = add(x, 1);
    const Tensor fine = sum(unused);
    unused.detach().fill_(0); // nothing saved it
    EXPECT_NO_THROW(backward(fine));
}

TEST(Leaves, FollowTheRules) {
    Tensor x = leaf({1, 2});
    EXPECT_TRUE(x.is_leaf() && x.requires_grad());
    Tensor y = mul(x, 2);
    EXPECT_FALSE(y.is_leaf());
    EXPECT_TRUE(y.requires_grad());
    EXPECT_THROW(y.set_requires_grad(false), AutogradError);
    EXPECT_THROW(y.set_grad(x.detach()), AutogradError);
    EXPECT_TRUE(y.detach().is_leaf());
    EXPECT_EQ(y.detach().raw(), y.raw());
    EXPECT_THROW(Tensor::zeros({2}, DType::Int64).set_requires_grad(true), AutogradError);
    EXPECT_THROW(x.set_grad(Tensor::zeros({3})), ShapeError);
    x.set_requires_grad(false);
    EXPECT_FALSE(mul(x, 2).requires_grad());
}

TEST(InPlace, NeedsNoGradForTensorsWithAGradient) {
    const Tensor x = leaf({1, 2});
    const Tensor inputs[] = {x, Tensor::full({2}, 1, DType::Float64)};
    EXPECT_NE(autograd_error([&] { call(find_op("add_"), inputs); }).find("`add_` writes in place"),
              std::string::npos);
    const std::uint32_t before = x.version();
    {
        const autograd::NoGrad scope;
        const Tensors result = call(find_op("add_"), inputs);
        EXPECT_TRUE(result[0].same_body(x));
    }
    EXPECT_EQ(of(x), (std::vector<double>{2, 3}));
    EXPECT_EQ(x.version(), before + 1);
}

TEST(Grad, GivesGradientsOfLeavesAndResultsWithoutTouchingGrad) {
    const Tensor x = leaf({2}), unrelated = leaf({1});
    const Tensor y = square(x);
    const Tensor z = mul(y, 3);
    const Tensor wanted[] = {x, y, unrelated, x};
    const std::vector<Tensor> found = grad({&z, 1}, wanted);
    EXPECT_EQ(of(found[0]), (std::vector<double>{12}));
    EXPECT_EQ(of(found[1]), (std::vector<double>{3}));
    EXPECT_FALSE(found[2].defined());
    EXPECT_EQ(of(found[3]), (std::vector<double>{12}));
    EXPECT_FALSE(x.grad().defined());
    const Tensor constant = Tensor::scalar(1);
    EXPECT_EQ(autograd_error([&] {
                  grad({&z, 1}, {&constant, 1});
              }),
              "grad: input 0 does not require a gradient.");
}

TEST(Grad, RunsOnlyWhatLeadsToItsInputs) {
    const Tensor a = leaf({2}), b = leaf({3});
    const Tensor left = square(a), right = square(b);
    const Tensor y = add(left, right);
    const std::vector<Tensor> first = grad({&y, 1}, {&a, 1});
    EXPECT_EQ(of(first[0]), (std::vector<double>{4}));
    backward(right); // its node was not needed, so it is still whole
    EXPECT_EQ(of(b.grad()), (std::vector<double>{6}));
}

TEST(Grad, ThirdDerivativesWork) {
    const Tensor x = leaf({2});
    Tensor y = mul(mul(x, x), mul(x, x)); // x^4
    const double expected[] = {32, 48, 48};
    for (const double value : expected) {
        y = grad({&y, 1}, {&x, 1}, {}, {.create_graph = true})[0];
        EXPECT_EQ(of(y), std::vector<double>{value});
    }
}

TEST(CreateGraph, BackwardOfAPenaltyReachesTheLeaf) {
    const Tensor x = leaf({3});
    const Tensor y = exp(x);
    const Tensor slope = grad({&y, 1}, {&x, 1}, {}, {.create_graph = true})[0];
    backward(sum(square(slope))); // d/dx e^2x
    EXPECT_NEAR(x.grad().item(), 2 * std::exp(6.0), 1e-9);
}

TEST(Hooks, SeeTheCompleteGradientOnce) {
    const Tensor x = leaf({2});
    const Tensor y = mul(x, 3);
    std::vector<double> at_y, at_x;
    autograd::register_hook(y, [&](const Tensor& g) { at_y.push_back(g.item()); });
    autograd::register_hook(x, [&](const Tensor& g) { at_x.push_back(g.item()); });
    backward(sum(add(mul(y, y), y))); // two paths meet in y
    EXPECT_EQ(at_y, (std::vector<double>{13}));
    EXPECT_EQ(at_x, (std::vector<double>{39}));
    EXPECT_EQ(of(x.grad()), (std::vector<double>{39}));
    EXPECT_THROW(autograd::register_hook(Tensor::scalar(1), [](const Tensor&) {}), AutogradError);
}

TEST(Tape, AChainOfAHundredThousandStepsNeedsNoDeepStack) {
    const std::int64_t before = live_tensor_count();
    {
        const Tensor x = leaf({1});
        Tensor y = x;
        for (int i = 0; i < 100000; ++i)
            y = mul(y, x);
        backward(y, {.retain_graph = true});
        EXPECT_EQ(of(x.grad()), (std::vector<double>{100001}));
        y = Tensor(); // the graph is destroyed without ever having been released
        Tensor z = x;
        for (int i = 0; i < 100000; ++i)
            z = tanh(z); // saves outputs
    }
    EXPECT_EQ(live_tensor_count(), before);
}

TEST(Tape, NothingIsRecordedForShapes) {
    const ShapeOnly scope;
    Tensor w = Tensor::zeros({2});
    w.set_requires_grad(true);
    EXPECT_FALSE(mul(w, w).requires_grad());
}

TEST(Tape, MixedDTypesGetGradientsOfTheirOwn) {
    Tensor half = Tensor::full({2}, 2, DType::Float16).set_requires_grad(true);
    Tensor wide = Tensor::full({2}, 3, DType::Float64).set_requires_grad(true);
    backward(sum(mul(half, wide)));
    EXPECT_EQ(half.grad().dtype(), DType::Float16);
    EXPECT_EQ(of(half.grad()), (std::vector<double>{3, 3}));
    EXPECT_EQ(wide.grad().dtype(), DType::Float64);
}

TEST(GradCheck, FindsAWrongGradientAndALeak) {
    const Tensor x = Tensor::from(std::vector<double>{1, 2}, {2}),
                 y = Tensor::from(std::vector<double>{3, 4}, {2});
    using List = std::vector<Tensor>;
    EXPECT_EQ(autograd::gradcheck([](const List& v) { return List{mul(v[0], v[1])}; }, {x, y},
                                  {.double_backward = true}),
              "");
    // Half of the dependence hidden behind detach().
    const std::string wrong =
        autograd::gradcheck([](const List& v) { return List{mul(v[0], v[0].detach())}; }, {x});
    EXPECT_TRUE(wrong.starts_with(
        "with a gradient for inputs {0}: input 0, element 0: analytic 1.1, numeric 2.2"))
        << wrong;
    // Only the second derivative is wrong: the factor 2 x of the first is a constant to the tape.
    const std::string second = autograd::gradcheck(
        [](const List& v) {
            return List{add(mul(v[0], mul(v[0].detach(), 2)), neg(square(v[0].detach())))};
        },
        {x}, {.double_backward = true});
    EXPECT_TRUE(second.starts_with("second derivative, ")) << second;
    static List kept;
    const std::string leak = autograd::gradcheck(
        [](const List& v) {
            kept.push_back(mul(v[0], 2));
            return List{mul(v[0], 3)};
        },
        {x});
    EXPECT_NE(leak.find("left alive"), std::string::npos) << leak;
    kept.clear();
    EXPECT_THROW(autograd::gradcheck([](const List& v) { return v; }, {Tensor::zeros({2})}),
                 DTypeError);
}

} // namespace
} // namespace wiregrad

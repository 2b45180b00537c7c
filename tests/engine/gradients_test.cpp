// First and second derivatives of the rows against finite differences in float64 (rung 2), and sums
// and products of small integers, which are exact in any order (rung 3).
#include <gtest/gtest.h>

#include <cmath>

#include "engine/autograd/tape.h"
#include "engine/core/config.h"
#include "engine/op/losses.h"
#include "engine/op/tensor_ops.h"
#include "tests/engine/referee.h"

namespace wiregrad {
namespace {

using Inputs = std::vector<Tensor>;

/// Numbers in (low, high), none near another's multiple of a half, where kinks lie.
Tensor numbers(const Shape& shape, double low = -2, double high = 2, int seed = 0) {
    std::vector<double> values(static_cast<std::size_t>(numel(shape)));
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double part =
            std::fmod(0.6180339887 * static_cast<double>(i + 1) + 0.37 * seed + 0.113, 1.0);
        values[i] = low + (high - low) * part;
    }
    return Tensor::from(values, shape);
}
Tensor whole(const std::vector<std::int64_t>& values, const Shape& shape) {
    return Tensor::from(values, shape);
}

struct Case {
    const char* name;
    std::function<Tensor(const Inputs&)> run;
    Inputs inputs;
    bool twice = true;
};

std::vector<Case> cases() {
    using I = const Inputs&;
    const Tensor a = numbers({2, 3}), b = numbers({2, 3}, -2, 2, 5),
                 positive = numbers({2, 3}, 0.3, 2), unit = numbers({2, 3}, -0.9, 0.9),
                 probable = numbers({2, 3}, 0.1, 0.9, 3);
    const auto unary = [](Tensor (*f)(const Tensor&)) { return [f](I x) { return f(x[0]); }; };
    const auto binary = [](Tensor (*f)(const Tensor&, const Tensor&)) {
        return [f](I x) { return f(x[0], x[1]); };
    };
    return {
        {"gelu", [](I x) { return gelu(x[0]); }, {a}},
        {"gelu_tanh", [](I x) { return gelu(x[0], true); }, {a}},
        {"silu", unary(silu), {a}},
        {"mish", unary(mish), {a}},
        {"elu", [](I x) { return elu(x[0], 1.3); }, {a}},
        {"celu", [](I x) { return celu(x[0], 0.7); }, {a}},
        {"selu", unary(selu), {a}},
        {"leaky_relu", [](I x) { return leaky_relu(x[0], 0.2); }, {a}},
        {"softplus", [](I x) { return softplus(x[0], 2, 3); }, {a}},
        {"hardswish", unary(hardswish), {numbers({2, 3}, -4, 4)}},
        {"softsign", unary(softsign), {a}},
        {"tanhshrink", unary(tanhshrink), {a}},
        {"prelu", [](I x) { return prelu(x[0], x[1]); }, {a, numbers({3}, 0.1, 0.4)}},
        {"glu", [](I x) { return glu(x[0], 0); }, {a}},
        {"tan", unary(tan), {unit}},
        {"asin", unary(asin), {unit}},
        {"acos", unary(acos), {unit}},
        {"atan", unary(atan), {a}},
        {"sinh", unary(sinh), {a}},
        {"cosh", unary(cosh), {a}},
        {"asinh", unary(asinh), {a}},
        {"acosh", unary(acosh), {numbers({2, 3}, 1.2, 3)}},
        {"atanh", unary(atanh), {unit}},
        {"exp2", unary(exp2), {a}},
        {"log2", unary(log2), {positive}},
        {"log10", unary(log10), {positive}},
        {"erfc", unary(erfc), {a}},
        {"sinc", unary(sinc), {a}},
        {"atan2", binary(atan2), {a, b}},
        {"xlogy", binary(xlogy), {a, positive}},
        {"fmod", binary(fmod), {a, positive}},
        {"remainder", binary(remainder), {a, positive}},
        {"logaddexp", binary(logaddexp), {a, b}},
        {"prod", [](I x) { return prod(x[0], {1}); }, {a}},
        {"prod of all", [](I x) { return prod(x[0]); }, {a}},
        {"stddev", [](I x) { return stddev(x[0], {1}); }, {a}},
        {"norm 2", [](I x) { return vector_norm(x[0], 2, {0}); }, {a}},
        {"norm 3", [](I x) { return vector_norm(x[0], 3, {1}); }, {a}},
        {"cumsum", [](I x) { return cumsum(x[0], 1); }, {a}},
        {"cumprod", [](I x) { return cumprod(x[0], 1); }, {a}},
        {"cumprod with a zero",
         [](I x) { return cumprod(x[0], 0); },
         {Tensor::from(std::vector<double>{1.5, 0, -2, 0.7}, {4})}},
        {"linear_scan", [](I x) { return linear_scan(x[0], x[1], 1); }, {a, b}},
        {"linear_scan back", [](I x) { return linear_scan(x[0], x[1], 0, true); }, {a, b}},
        {"logcumsumexp", [](I x) { return logcumsumexp(x[0], 1); }, {a}},
        {"cummax", [](I x) { return cummax(x[0], 1).values; }, {a}},
        {"sort", [](I x) { return sort(x[0], 1).values; }, {a}},
        {"topk", [](I x) { return topk(x[0], 2, 1, false).values; }, {a}},
        {"scatter",
         [](I x) { return scatter(x[0], 1, x[1], x[2]); },
         {a, whole({0, 2, 1, 0}, {2, 2}), numbers({2, 2}, -1, 1, 2)}},
        {"scatter_add",
         [](I x) { return scatter_add(x[0], 1, x[1], x[2]); },
         {a, whole({2, 2, 1, 1}, {2, 2}), numbers({2, 2}, -1, 1, 2)}},
        {"index_add",
         [](I x) { return index_add(x[0], 1, x[1], x[2], 1.5); },
         {a, whole({2, 2}, {2}), numbers({2, 2}, -1, 1, 2)}},
        {"tril", [](I x) { return mul(tril(x[0], 1), x[0]); }, {numbers({3, 4})}},
        {"triu", [](I x) { return mul(triu(x[0], -1), x[0]); }, {numbers({2, 3, 2})}},
        {"diagonal", [](I x) { return square(diagonal(x[0], 1)); }, {numbers({3, 4})}},
        {"diag_embed", [](I x) { return square(diag_embed(x[0], -1)); }, {numbers({2, 2})}},
        {"im2col",
         [](I x) {
             return square(unfold(x[0], {.kernel = {2, 2}, .padding = {1, 0}}));
         },
         {numbers({1, 2, 3, 3})}},
        {"col2im",
         [](I x) {
             return square(fold(x[0], {3, 4}, {.kernel = {2, 2}, .dilation = {1, 2}}));
         },
         {numbers({1, 8, 4})}},
        {"reflect",
         [](I x) {
             return square(pad(x[0], {2, 1}, "reflect", 0));
         },
         {a}},
        {"circular",
         [](I x) {
             return square(pad(x[0], {2, 1}, "circular", 0));
         },
         {a}},
        {"einsum",
         [](I x) { return einsum("bij,bjk,ik->bi", x); },
         {numbers({2, 3, 2}), numbers({2, 2, 3}, -1, 1, 1), numbers({3, 3}, -1, 1, 2)}},
        {"einsum of a diagonal", [](I x) { return einsum("iij->j", x); }, {numbers({3, 3, 2})}},
        {"cdist", [](I x) { return cdist(x[0], x[1]); }, {a, numbers({3, 3}, -2, 2, 7)}},
        {"cosine_similarity", [](I x) { return cosine_similarity(x[0], x[1]); }, {a, b}},
        {"nll_loss",
         [](I x) {
             return nll_loss(x[0], whole({2, 0}, {2}));
         },
         {a}},
        {"smooth_l1_loss", [](I x) { return smooth_l1_loss(x[0], x[1], 0.7); }, {a, b}},
        {"huber_loss", [](I x) { return huber_loss(x[0], x[1], 0.7); }, {a, b}},
        {"binary_cross_entropy",
         [](I x) { return binary_cross_entropy(x[0], x[1]); },
         {probable, numbers({2, 3}, 0.1, 0.9, 8)}},
        {"binary_cross_entropy_with_logits",
         [](I x) {
             return binary_cross_entropy_with_logits(x[0], x[1], x[2], x[3], Reduction::Mean);
         },
         {a, probable, numbers({3}, 0.5, 1), numbers({3}, 0.5, 2, 1)}},
        {"kl_div", [](I x) { return kl_div(x[0], x[1]); }, {a, probable}},
        {"poisson_nll_loss",
         [](I x) { return poisson_nll_loss(x[0], x[1], false, true); },
         {positive, numbers({2, 3}, 1.2, 4, 1)}},
        {"gaussian_nll_loss",
         [](I x) { return gaussian_nll_loss(x[0], x[1], x[2], true); },
         {a, b, positive}},
        {"triplet_margin_loss",
         [](I x) { return triplet_margin_loss(x[0], x[1], x[2], 3, 2, 1e-6, true); },
         {a, b, numbers({2, 3}, -2, 2, 9)}},
        {"cosine_embedding_loss",
         [](I x) {
             return cosine_embedding_loss(x[0], x[1], Tensor::from(std::vector<double>{1, -1}, {2}),
                                          -0.9);
         },
         {a, b}},
        {"soft_margin_loss", [](I x) { return soft_margin_loss(x[0], x[1]); }, {a, b}},
        {"multi_margin_loss",
         [](I x) {
             return multi_margin_loss(x[0], whole({1, 2}, {2}), 2, 1.3);
         },
         {a}},
        {"dice_loss", [](I x) { return dice_loss(x[0], x[1]); }, {probable, positive}},
        {"iou_loss", [](I x) { return iou_loss(x[0], x[1]); }, {probable, positive}},
        {"sigmoid_focal_loss", [](I x) { return sigmoid_focal_loss(x[0], x[1]); }, {a, probable}},
        {"ctc_loss",
         [](I x) {
             return ctc_loss(log_softmax(x[0], 2), whole({1, 2, 2, 2, 1, 0}, {2, 3}),
                             whole({4, 5}, {2}), whole({2, 3}, {2}));
         },
         {numbers({5, 2, 4})},
         false},
    };
}

TEST(Gradients, FirstAndSecondDerivativesEqualFiniteDifferences) {
    for (const Case& one : cases()) {
        const auto function = [&](const Inputs& x) { return Tensors{one.run(x)}; };
        const std::int64_t alive = live_tensor_count();
        EXPECT_EQ(autograd::gradcheck(function, one.inputs, {.double_backward = one.twice}), "")
            << one.name;
        EXPECT_EQ(live_tensor_count(), alive) << one.name << " leaves tensors behind";
    }
}

// --- rung 3: sums of products of small integers are exact, so every order gives the same bits

Tensor integers(const Shape& shape, int seed) {
    std::vector<float> values(static_cast<std::size_t>(numel(shape)));
    std::uint32_t state = 12345u + static_cast<std::uint32_t>(seed);
    for (float& value : values) {
        state = state * 1664525u + 1013904223u;
        value = static_cast<float>(static_cast<int>(state >> 24) % 7 - 3);
    }
    return Tensor::from(values, shape);
}

TEST(IntegerFills, EveryThreadCountAndInstructionSetGivesTheBitsOfFloat64) {
    const Tensor x = integers({3, 8, 19, 17}, 1), weight = integers({6, 8, 3, 3}, 2),
                 rows = integers({65, 130}, 3), columns = integers({130, 77}, 4),
                 long_row = integers({300000}, 5), back = integers({8, 6, 3, 3}, 6);
    const std::vector<std::pair<const char*, std::function<Tensor(bool)>>> products = {
        {"matmul",
         [&](bool wide) {
             return wide ? matmul(to(rows, DType::Float64), to(columns, DType::Float64))
                         : matmul(rows, columns);
         }},
        {"conv2d",
         [&](bool wide) {
             return wide ? conv2d(to(x, DType::Float64), to(weight, DType::Float64), {},
                                  {.stride = {2, 1}, .padding = {1, 1}})
                         : conv2d(x, weight, {}, {.stride = {2, 1}, .padding = {1, 1}});
         }},
        {"conv_transpose2d",
         [&](bool wide) {
             return wide ? conv_transpose2d(to(x, DType::Float64), to(back, DType::Float64), {},
                                            {.stride = {2, 2}, .padding = {1, 0}})
                         : conv_transpose2d(x, back, {}, {.stride = {2, 2}, .padding = {1, 0}});
         }},
        {"avg_pool2d",
         [&](bool wide) {
             const PoolOptions options{.kernel = {2, 2}, .stride = {2, 2}};
             return avg_pool2d(wide ? to(x, DType::Float64) : x, options);
         }},
        {"max_pool2d", [&](bool wide) { return max_pool2d(wide ? to(x, DType::Float64) : x, {}); }},
        {"sum of all",
         [&](bool wide) { return sum(wide ? to(long_row, DType::Float64) : long_row); }},
        {"sum of rows",
         [&](bool wide) { return sum(wide ? to(rows, DType::Float64) : rows, {0}); }},
        {"cumsum",
         [&](bool wide) { return cumsum(wide ? to(long_row, DType::Float64) : long_row, 0); }},
        {"einsum",
         [&](bool wide) {
             const Tensor both[] = {wide ? to(rows, DType::Float64) : rows,
                                    wide ? to(columns, DType::Float64) : columns};
             return einsum("ij,jk->ki", both);
         }},
        {"im2col and back",
         [&](bool wide) {
             const Tensor y = unfold(wide ? to(x, DType::Float64) : x, {});
             return fold(y, {19, 17}, {});
         }},
    };
    const Isa before_isa = isa();
    const int before_threads = num_threads();
    for (const auto& [name, product] : products) {
        const Tensor exact = to(product(true), DType::Float32);
        for (const Isa one : {Isa::Baseline, Isa::Avx2, Isa::Avx512}) {
            if (one > detected_isa()) continue;
            set_isa(one);
            for (const int threads : {1, 2, 3}) {
                set_num_threads(threads);
                EXPECT_TRUE(test::same_bits(product(false), exact))
                    << name << ", " << name_of(one) << ", " << threads << " threads";
            }
        }
        set_isa(before_isa);
        set_num_threads(before_threads);
    }
}

} // namespace
} // namespace wiregrad

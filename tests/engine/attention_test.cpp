// Attention: fast against slow, gradients, the formula in PyTorch, dropout, masks, threads,
// messages.
#include <limits>

#include "engine/autograd/tape.h"
#include "engine/core/config.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "heavy_util.h"

namespace wiregrad {
namespace {

using namespace heavy;
using autograd::gradcheck;

struct Sizes {
    Shape lead;
    std::int64_t queries, keys, size, value_size;
};
Shape with(Shape lead, std::int64_t rows, std::int64_t columns) {
    lead.push_back(rows);
    lead.push_back(columns);
    return lead;
}
std::vector<Tensor> inputs(const Sizes& s, DType dtype = DType::Float64) {
    return {noise(with(s.lead, s.queries, s.size), 1, dtype),
            noise(with(s.lead, s.keys, s.size), 2, dtype),
            noise(with(s.lead, s.keys, s.value_size), 3, dtype)};
}
/// True in about two places of three, and for the first key of each query but the second one.
Tensor allowed(const Shape& shape, bool one_empty_row = false) {
    Tensor x = Tensor::empty(shape, DType::Bool);
    const Tensor values = labels(shape, 3, 5);
    const std::int64_t keys = shape.back();
    auto* out = static_cast<bool*>(x.raw_mut());
    for (std::int64_t i = 0; i < x.numel(); ++i) {
        const std::int64_t row = i / keys;
        out[i] =
            (values.data<std::int64_t>()[i] != 0 || i % keys == 0) && !(one_empty_row && row == 1);
    }
    return x;
}
Tensor seed_and_step() {
    return Tensor::from(std::vector<std::int64_t>{1234, 7}, {2});
}

TEST(Attention, GradientsAndSecondGradients) {
    const Sizes s{{2, 2}, 3, 4, 2, 3};
    for (bool causal : {false, true})
        for (double p : {0.0, 0.4})
            for (bool masked : {false, true}) {
                AttentionOptions options;
                options.is_causal = causal;
                options.dropout_p = p;
                options.random = seed_and_step();
                options.stream = 3;
                const Tensor mask = masked ? allowed({2, 1, 3, 4}, true) : Tensor();
                auto f = [&](const std::vector<Tensor>& in) {
                    return std::vector<Tensor>{
                        scaled_dot_product_attention(in[0], in[1], in[2], mask, options)};
                };
                EXPECT_EQ(gradcheck(f, inputs(s), {.double_backward = !masked}), "")
                    << causal << p << masked;
            }
}

TEST(Attention, AddedMaskHasAGradient) {
    const Sizes s{{2}, 3, 4, 2, 3};
    std::vector<Tensor> in = inputs(s);
    in.push_back(noise({3, 4}, 4));
    auto f = [&](const std::vector<Tensor>& x) {
        return std::vector<Tensor>{scaled_dot_product_attention(x[0], x[1], x[2], x[3])};
    };
    EXPECT_EQ(gradcheck(f, in, {.double_backward = true}), "");
}

TEST(Attention, LeadingDimensionsBroadcast) {
    auto f = [](const std::vector<Tensor>& x) {
        return std::vector<Tensor>{scaled_dot_product_attention(x[0], x[1], x[2])};
    };
    EXPECT_EQ(gradcheck(f, {noise({2, 1, 3, 2}, 1), noise({3, 4, 2}, 2), noise({1, 1, 4, 2}, 3)}),
              "");
}

/// The output and the gradients of a loss of it.
std::vector<Tensor> with_gradients(std::vector<Tensor> in, const Tensor& mask,
                                   const AttentionOptions& options) {
    for (Tensor& x : in)
        x.set_requires_grad(true);
    const Tensor y = scaled_dot_product_attention(in[0], in[1], in[2], mask, options);
    autograd::backward(sum(mul(y, noise(y.shape(), 9, y.dtype()))));
    return {y, in[0].grad(), in[1].grad(), in[2].grad()};
}

TEST(Attention, FastEqualsSlow) {
    for (const Sizes& s :
         {Sizes{{2, 3}, 5, 7, 8, 8}, Sizes{{1}, 64, 64, 32, 32}, Sizes{{3}, 130, 70, 20, 100},
          Sizes{{2, 2}, 65, 129, 16, 5}, Sizes{{}, 1, 1, 1, 1}})
        for (int kind = 0; kind < 5; ++kind)
            for (bool causal : {false, true}) {
                AttentionOptions options;
                options.is_causal = causal;
                options.random = seed_and_step();
                options.stream = 2;
                if (kind >= 3) options.dropout_p = 0.25;
                std::vector<Tensor> single = inputs(s, DType::Float32), in;
                for (const Tensor& x : single)
                    in.push_back(as(x, DType::Float64));
                Tensor mask, mask32;
                if (kind == 1 || kind == 4)
                    mask = mask32 = allowed({s.queries, s.keys}, s.queries > 1);
                if (kind == 2) {
                    mask32 = mul(noise({s.keys}, 8, DType::Float32), 3.0);
                    mask = as(mask32, DType::Float64);
                }
                const auto slow = with_gradients(in, mask, options),
                           fast = with_gradients(single, mask32, options);
                for (std::size_t i = 0; i < slow.size(); ++i)
                    EXPECT_TRUE(near(fast[i], slow[i], 2e-5, 1e-5))
                        << s.queries << " kind " << kind << causal << " result " << i;
            }
}

TEST(Attention, EqualsTheFormulaInPyTorch) {
    if (!Torch::available()) GTEST_SKIP() << "python3-torch is not installed";
    Torch torch;
    const Sizes s{{2, 3}, 5, 6, 4, 7};
    std::vector<Tensor> in = inputs(s);
    const Tensor mask = allowed({2, 1, 5, 6}), bias = noise({6}, 4), pull = noise({2, 3, 5, 7}, 9);
    const char* names[] = {"q", "k", "v"};
    for (std::size_t i = 0; i < 3; ++i)
        torch.give(names[i], in[i]);
    torch.give("m", to(mask, DType::UInt8));
    torch.give("b", bias);
    torch.give("pull", pull);
    torch.run(R"(
for kind in range(4):
    s = q @ k.transpose(-2, -1) * (0.3 if kind == 3 else 1 / 2)
    if kind == 1: s = s.masked_fill(m == 0, -float('inf'))
    if kind == 2: s = s + b.detach()
    if kind == 3: s = s.masked_fill(~torch.ones(5, 6, dtype=torch.bool).tril(), -float('inf'))
    y = s.softmax(-1) @ v
    for t in (q, k, v): t.grad = None
    (y * pull.detach()).sum().backward()
    for i, t in enumerate([y, q.grad, k.grad, v.grad]): out(f'{kind}{i}', t)
)");
    for (int kind = 0; kind < 4; ++kind) {
        AttentionOptions options;
        options.is_causal = kind == 3;
        if (kind == 3) options.scale = 0.3;
        const auto got = with_gradients(inputs(s),
                                        kind == 1   ? mask
                                        : kind == 2 ? bias
                                                    : Tensor(),
                                        options);
        for (std::size_t i = 0; i < got.size(); ++i)
            EXPECT_TRUE(near(got[i].to_vector(),
                             torch.take(std::to_string(kind) + std::to_string(i)), 1e-9, 1e-12))
                << kind << i;
    }
}

TEST(Attention, DropsTheWeightsThatDropoutDrops) {
    const Sizes s{{2}, 9, 13, 4, 13};
    std::vector<Tensor> in = inputs(s, DType::Float32);
    in[2] = expand(one_hot(arange(13), 13), {2, 13, 13}); // the output is the weights
    in[2] = as(in[2].contiguous(), DType::Float32);
    AttentionOptions options;
    const Tensor weights = scaled_dot_product_attention(in[0], in[1], in[2], {}, options);
    options.dropout_p = 0.3;
    options.random = seed_and_step();
    options.stream = 5;
    const Tensor dropped = scaled_dot_product_attention(in[0], in[1], in[2], {}, options);
    EXPECT_TRUE(near(dropped, dropout(weights, 0.3, options.random, 5), 1e-6, 1e-7));
    options.dropout_p = 1;
    EXPECT_TRUE(same(scaled_dot_product_attention(in[0], in[1], in[2], {}, options),
                     Tensor::zeros({2, 9, 13})));
}

TEST(Attention, ThreadsDoNotChangeABit) {
    const Sizes s{{4, 3}, 70, 66, 24, 24};
    const int before = num_threads();
    std::vector<std::vector<Tensor>> results;
    AttentionOptions options;
    options.is_causal = true;
    for (int threads : {1, 2, 3}) {
        set_num_threads(threads);
        results.push_back(with_gradients(inputs(s, DType::Float32), {}, options));
    }
    set_num_threads(before);
    for (std::size_t i = 0; i < 4; ++i)
        for (std::size_t k = 1; k < results.size(); ++k)
            EXPECT_TRUE(same(results[k][i], results[0][i])) << i;
}

TEST(Attention, RefusesWhatDoesNotFit) {
    const auto message = [](const Shape& q, const Shape& k, const Shape& v,
                            const Tensor& mask = {}) {
        return message_of<ShapeError>(
            [&] { scaled_dot_product_attention(noise(q, 1), noise(k, 2), noise(v, 3), mask); });
    };
    EXPECT_EQ(
        message({2, 3, 4}, {2, 5, 6}, {2, 5, 6}),
        "scaled_dot_product_attention: queries of 4 numbers do not fit keys of 6 ([2, 3, 4] and "
        "[2, 5, 6])");
    EXPECT_EQ(message({2, 3, 4}, {2, 5, 4}, {2, 6, 4}),
              "scaled_dot_product_attention: key [2, 5, 4] has 5 rows but value [2, 6, 4] has 6");
    EXPECT_EQ(
        message({2, 3, 4}, {3, 5, 4}, {2, 5, 4}),
        "scaled_dot_product_attention: the leading dimensions of query [2, 3, 4], key [3, 5, 4] "
        "and value [2, 5, 4] do not broadcast");
    EXPECT_EQ(
        message({2, 3, 4}, {2, 5, 4}, {2, 5, 4}, noise({4, 5}, 1)),
        "scaled_dot_product_attention: mask [4, 5] does not broadcast to the scores [2, 3, 5]");
    AttentionOptions options;
    options.dropout_p = 0.5;
    EXPECT_EQ(message_of<ValueError>([&] {
                  scaled_dot_product_attention(noise({2, 2}, 1), noise({2, 2}, 1), noise({2, 2}, 1),
                                               {}, options);
              }),
              "scaled_dot_product_attention: dropout needs random, int64[2] with seed and step");
}

} // namespace
} // namespace wiregrad

// Pooling: fast against slow, gradients, PyTorch, ties and NaN, messages.
#include <limits>

#include "engine/autograd/tape.h"
#include "engine/backend/cpu/plain_pool.h"
#include "engine/backend/cpu/pool.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "heavy_util.h"

namespace wiregrad {
namespace {

using namespace heavy;
using autograd::gradcheck;

struct Case {
    Shape x;
    PoolOptions options;
};
const std::vector<Case>& max_cases() {
    static const std::vector<Case> all{{{2, 3, 8, 8}, {}},
                                       {{64, 6, 28, 28}, {}},
                                       {{2, 2, 7, 9}, {}},
                                       {{1, 2, 7, 7}, {{3, 3}, {2, 2}, {1, 1}}},
                                       {{2, 1, 9, 6}, {{3, 2}, {1, 2}, {1, 1}}},
                                       {{1, 2, 9, 10}, {{2, 3}, {2, 1}, {0, 1}, {2, 3}}},
                                       {{1, 1, 6, 7}, {{2, 2}, {2, 2}, {0, 0}, {1, 1}, true}},
                                       {{1, 2, 5, 5}, {{3, 3}, {3, 3}, {1, 1}, {1, 1}, true}},
                                       {{1, 1, 40, 40}, {{17, 17}, {3, 3}, {8, 8}}},
                                       {{0, 3, 8, 8}, {}},
                                       {{1, 1, 1, 1}, {{1, 1}, {1, 1}}}};
    return all;
}

std::string keywords(const PoolOptions& o, bool maximum) {
    auto pair = [](const Dims& d) {
        return "(" + std::to_string(d[0]) + "," + std::to_string(d[1]) + ")";
    };
    return pair(o.kernel) + ", stride=" + pair(o.stride) + ", padding=" + pair(o.padding) +
           ", ceil_mode=" + (o.ceil_mode ? "True" : "False") +
           (maximum
                ? ", dilation=" + pair(o.dilation)
                : std::string(", count_include_pad=") + (o.count_include_pad ? "True" : "False"));
}

TEST(MaxPool, EqualsPyTorch) {
    if (!Torch::available()) GTEST_SKIP() << "python3-torch is not installed";
    Torch torch;
    std::string script;
    std::vector<Tensor> outputs, grads;
    for (std::size_t i = 0; i < max_cases().size(); ++i) {
        const std::string id = std::to_string(i);
        Tensor x = whole(max_cases()[i].x, 1); // many ties
        torch.give("x" + id, x);
        script += "y = F.max_pool2d(x" + id + ", " + keywords(max_cases()[i].options, true) +
                  ")\n(y * torch.arange(y.numel()).reshape(y.shape)).sum().backward()\n" +
                  "out('y" + id + "', y); out('g" + id + "', x" + id + ".grad)\n";
        x.set_requires_grad(true);
        const Tensor y = max_pool2d(x, max_cases()[i].options);
        const Tensor seed = to(reshape(arange(y.numel()), y.shape()), DType::Float32);
        autograd::backward({&y, 1}, {&seed, 1});
        outputs.push_back(y);
        grads.push_back(x.grad());
    }
    torch.run(script);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        EXPECT_TRUE(near(outputs[i].to_vector(), torch.take("y" + std::to_string(i)), 0, 0)) << i;
        EXPECT_TRUE(near(grads[i].to_vector(), torch.take("g" + std::to_string(i)), 1e-6, 0)) << i;
    }
}

TEST(MaxPool, GradientsAndSecondGradients) {
    for (const Case& c : max_cases()) {
        if (numel(c.x) > 100 || numel(c.x) == 0) continue;
        auto f = [&](const std::vector<Tensor>& in) {
            return std::vector<Tensor>{max_pool2d(in[0], c.options)};
        };
        EXPECT_EQ(gradcheck(f, {noise(c.x, 3)}, {.double_backward = true}), "") << c.x.str();
    }
}

TEST(MaxPool, TiesGoToTheFirstAndNaNWins) {
    const float nan = std::numeric_limits<float>::quiet_NaN(),
                inf = std::numeric_limits<float>::infinity();
    for (DType type : {DType::Float32, DType::Float64}) {
        Tensor x =
            as(Tensor::from<float>(
                   {1, 1, -2, nan, 1, 1, nan, 5, -inf, -inf, 3, 3, -inf, -inf, 2, 3}, {1, 1, 4, 4}),
               type);
        x.set_requires_grad(true);
        const Tensor y = max_pool2d(x, {});
        const std::vector<double> values = y.to_vector();
        EXPECT_EQ(values[0], 1);
        EXPECT_TRUE(std::isnan(values[1]));
        EXPECT_EQ(values[2], -inf);
        EXPECT_EQ(values[3], 3);
        autograd::backward(sum(y));
        EXPECT_EQ(x.grad().to_vector(),
                  (std::vector<double>{1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0}));
    }
}

TEST(MaxPool, FloatKernelEqualsThePlainOne) {
    for (const Case& c : max_cases())
        for (bool special : {false, true}) {
            Tensor x = whole(c.x, 5);
            if (special)
                for (std::int64_t i = 0; i < x.numel(); i += 7)
                    x.data_mut<float>()[i] =
                        i % 2 ? std::nanf("") : -std::numeric_limits<float>::infinity();
            const PoolOptions& o = c.options;
            const Tensor shape = max_pool2d(x, o);
            const cpu::PoolGeometry g{
                x.size(0) * x.size(1), x.size(2),     x.size(3),    shape.size(2), shape.size(3),
                o.kernel[0],           o.kernel[1],   o.stride[0],  o.stride[1],   o.padding[0],
                o.padding[1],          o.dilation[0], o.dilation[1]};
            Tensor slow = Tensor::empty(shape.shape()), fast = Tensor::empty(shape.shape()),
                   slow_grad = Tensor::empty(x.shape()), fast_grad = Tensor::empty(x.shape());
            std::vector<std::int32_t> slow_place(static_cast<std::size_t>(slow.numel())),
                fast_place(slow_place.size());
            cpu::plain::max_pool_forward(g, x.data<float>(), slow.data_mut<float>(),
                                         slow_place.data());
            cpu::max_pool_forward(g, x.data<float>(), fast.data_mut<float>(), fast_place.data());
            EXPECT_TRUE(same(fast, slow)) << c.x.str();
            EXPECT_EQ(fast_place, slow_place) << c.x.str();
            if (o.kernel[0] * o.kernel[1] > 256) continue;
            std::vector<std::uint8_t> bytes(slow_place.size());
            cpu::max_pool_forward(g, x.data<float>(), fast.data_mut<float>(), bytes.data());
            EXPECT_EQ(std::vector<std::int32_t>(bytes.begin(), bytes.end()), slow_place)
                << c.x.str();
            const Tensor gy = whole(shape.shape(), 6);
            cpu::plain::max_pool_backward(g, gy.data<float>(), slow_place.data(),
                                          slow_grad.data_mut<float>());
            cpu::max_pool_backward(g, gy.data<float>(), bytes.data(), fast_grad.data_mut<float>());
            EXPECT_TRUE(same(fast_grad, slow_grad)) << c.x.str();
        }
}

TEST(AveragePool, EqualsPyTorchWithGradients) {
    const std::vector<Case> cases{{{2, 3, 8, 8}, {}},
                                  {{1, 2, 7, 7}, {{3, 3}, {2, 2}, {1, 1}}},
                                  {{1, 2, 7, 7}, {{3, 3}, {2, 2}, {1, 1}, {1, 1}, false, false}},
                                  {{1, 2, 6, 8}, {{3, 2}, {2, 3}, {1, 0}, {1, 1}, true, true}},
                                  {{1, 2, 6, 8}, {{3, 2}, {2, 3}, {1, 0}, {1, 1}, true, false}}};
    for (const Case& c : cases) {
        if (numel(c.x) > 100) continue;
        auto f = [&](const std::vector<Tensor>& in) {
            return std::vector<Tensor>{avg_pool2d(in[0], c.options)};
        };
        EXPECT_EQ(gradcheck(f, {noise(c.x, 3)}, {.double_backward = true}), "");
    }
    auto adaptive = [](const std::vector<Tensor>& in) {
        return std::vector<Tensor>{adaptive_avg_pool2d(in[0], {3, 2})};
    };
    EXPECT_EQ(gradcheck(adaptive, {noise({1, 2, 5, 7}, 4)}, {.double_backward = true}), "");
    if (!Torch::available()) GTEST_SKIP() << "python3-torch is not installed";
    Torch torch;
    std::string script;
    for (std::size_t i = 0; i < cases.size(); ++i) {
        torch.give("x" + std::to_string(i), noise(cases[i].x, 1, DType::Float32));
        script += "out('y" + std::to_string(i) + "', F.avg_pool2d(x" + std::to_string(i) + ", " +
                  keywords(cases[i].options, false) + "))\n";
    }
    const Tensor a = noise({2, 3, 7, 10}, 9, DType::Float32);
    torch.give("a", a);
    torch.run(script +
              "out('a1', F.adaptive_avg_pool2d(a, (1, 1))); out('a2', F.adaptive_avg_pool2d(a, (3, "
              "4))); out('a3', F.adaptive_avg_pool2d(a, (9, 10)))\n");
    for (std::size_t i = 0; i < cases.size(); ++i)
        EXPECT_TRUE(
            near(avg_pool2d(noise(cases[i].x, 1, DType::Float32), cases[i].options).to_vector(),
                 torch.take("y" + std::to_string(i)), 1.3e-6, 1e-6))
            << i;
    EXPECT_TRUE(near(adaptive_avg_pool2d(a, {1, 1}).to_vector(), torch.take("a1"), 1.3e-6, 1e-6));
    EXPECT_TRUE(near(adaptive_avg_pool2d(a, {3, 4}).to_vector(), torch.take("a2"), 1.3e-6, 1e-6));
    EXPECT_TRUE(near(adaptive_avg_pool2d(a, {9, 10}).to_vector(), torch.take("a3"), 1.3e-6, 1e-6));
}

TEST(Pool, RefusesWhatDoesNotFitInWords) {
    const Tensor x = Tensor::zeros({1, 2, 4, 4});
    EXPECT_EQ(message_of<ValueError>([&] {
                  max_pool2d(x, {{2, 2}, {2, 2}, {2, 2}});
              }),
              "max_pool2d: padding [2, 2] must be at most half of kernel [2, 2]");
    EXPECT_EQ(message_of<ShapeError>([&] {
                  avg_pool2d(x, {{5, 5}, {1, 1}});
              }),
              "avg_pool2d: the window [5, 5] (stride [1, 1], padding [0, 0]) does not fit into "
              "input [1, 2, 4, 4]");
    EXPECT_NE(message_of<ValueError>([&] { max_pool2d(x, {{2, 2}, {0, 2}}); }), "");
    EXPECT_NE(message_of<ShapeError>([&] { max_pool2d(Tensor::zeros({4, 4}), {}); }), "");
    EXPECT_NE(message_of<ShapeError>([&] {
                  max_pool2d(Tensor::zeros({1, 1, 2, 2}), {{2, 2}, {1, 1}, {1, 1}, {3, 3}});
              }),
              "");
    EXPECT_NE(message_of<ValueError>([&] { adaptive_avg_pool2d(x, {0, 1}); }), "");
}

} // namespace
} // namespace wiregrad

// Normalisation: fast against slow, gradients, PyTorch with running statistics, messages.
#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "heavy_util.h"

namespace wiregrad {
namespace {

using namespace heavy;
using autograd::gradcheck;

TEST(BatchNorm, GradientsAndSecondGradients) {
    for (const Shape& shape : {Shape{3, 2}, Shape{2, 2, 3}, Shape{2, 3, 2, 2}})
        for (bool training : {true, false}) {
            const std::int64_t c = shape[1];
            auto f = [&](const std::vector<Tensor>& in) {
                Tensor mean = noise({c}, 7), var = add(square(noise({c}, 8)), 0.5);
                return std::vector<Tensor>{batch_norm(in[0], in.size() > 1 ? in[1] : Tensor(),
                                                      in.size() > 2 ? in[2] : Tensor(), mean, var,
                                                      training)};
            };
            EXPECT_EQ(gradcheck(f, {noise(shape, 1), noise({c}, 2), noise({c}, 3)},
                                {.double_backward = true}),
                      "")
                << shape.str() << training;
            EXPECT_EQ(gradcheck(f, {noise(shape, 1)}, {.double_backward = true}), "")
                << shape.str() << training;
        }
}

TEST(LayerNorm, GradientsAndSecondGradients) {
    auto f = [](const std::vector<Tensor>& in) {
        return std::vector<Tensor>{layer_norm(in[0], {2, 3}, in.size() > 1 ? in[1] : Tensor(),
                                              in.size() > 2 ? in[2] : Tensor())};
    };
    for (const Shape& shape : {Shape{2, 3}, Shape{3, 2, 3}, Shape{2, 2, 2, 3}}) {
        EXPECT_EQ(gradcheck(f, {noise(shape, 1), noise({2, 3}, 2), noise({2, 3}, 3)},
                            {.double_backward = true}),
                  "")
            << shape.str();
        EXPECT_EQ(gradcheck(f, {noise(shape, 1)}, {.double_backward = true}), "") << shape.str();
    }
}

TEST(BatchNorm, EqualsPyTorchWithRunningStatistics) {
    if (!Torch::available()) GTEST_SKIP() << "python3-torch is not installed";
    Torch torch;
    const std::vector<Shape> shapes{
        {8, 5}, {4, 3, 7}, {16, 6, 9, 11}, {64, 32, 4, 4}, {2, 3, 40, 40}};
    std::string script;
    std::vector<std::vector<Tensor>> got;
    for (std::size_t i = 0; i < shapes.size(); ++i)
        for (bool training : {true, false}) {
            const std::string id = std::to_string(i) + (training ? "t" : "e");
            const std::int64_t c = shapes[i][1];
            Tensor x = add(mul(noise(shapes[i], 1, DType::Float32), 2.0), 3.0).detach(),
                   w = noise({c}, 2, DType::Float32), b = noise({c}, 3, DType::Float32);
            Tensor mean = noise({c}, 4, DType::Float32),
                   var = add(square(noise({c}, 5, DType::Float32)), 0.5).detach();
            for (const auto& [name, tensor] : {std::pair<std::string, Tensor>{"x", x},
                                               {"w", w},
                                               {"b", b},
                                               {"m", mean},
                                               {"v", var}})
                torch.give(name + id, tensor);
            script += "m = m" + id + ".detach().double(); v = v" + id +
                      ".detach().double()\ny = F.batch_norm(x" + id + ".double(), m, v, w" + id +
                      ".double(), b" + id + ".double(), training=" + (training ? "True" : "False") +
                      ", momentum=0.3)\n(y ** 3).sum().backward()\nout('y" + id + "', y); out('m" +
                      id + "', m); out('v" + id + "', v)\nfor n in 'xwb': out('g' + n + '" + id +
                      "', globals()[n + '" + id + "'].grad)\n";
            x.set_requires_grad(true);
            w.set_requires_grad(true);
            b.set_requires_grad(true);
            const Tensor y = batch_norm(x, w, b, mean, var, training, 0.3);
            autograd::backward(sum(mul(y, square(y))));
            got.push_back({y, mean, var, x.grad(), w.grad(), b.grad()});
        }
    torch.run(script);
    std::size_t next = 0;
    for (std::size_t i = 0; i < shapes.size(); ++i)
        for (const char* mode : {"t", "e"}) {
            const char* names[] = {"y", "m", "v", "gx", "gw", "gb"};
            for (std::size_t k = 0; k < 6; ++k) {
                const std::vector<double> expected =
                    torch.take(names[k] + std::to_string(i) + mode);
                double largest = 0;
                for (double value : expected)
                    largest = std::max(largest, std::abs(value));
                EXPECT_TRUE(near(got[next][k].to_vector(), expected, 1e-5, 5e-6 * largest))
                    << names[k] << " of " << shapes[i].str() << mode;
            }
            ++next;
        }
}

TEST(LayerNorm, EqualsPyTorch) {
    if (!Torch::available()) GTEST_SKIP() << "python3-torch is not installed";
    Torch torch;
    Tensor x = add(mul(noise({7, 5, 33}, 1, DType::Float32), 3.0), -1.0).detach(),
           w = noise({33}, 2, DType::Float32), b = noise({33}, 3, DType::Float32);
    torch.give("x", x);
    torch.give("w", w);
    torch.give("b", b);
    torch.run(
        "y = F.layer_norm(x.double(), (33,), w.double(), b.double(), 1e-5)\n(y ** "
        "3).sum().backward()\nout('y', y)\nfor n in 'xwb': out('g' + n, globals()[n].grad)\n");
    x.set_requires_grad(true);
    w.set_requires_grad(true);
    b.set_requires_grad(true);
    const Tensor y = layer_norm(x, {33}, w, b);
    autograd::backward(sum(mul(y, square(y))));
    EXPECT_TRUE(near(y.to_vector(), torch.take("y"), 1e-5, 5e-6));
    EXPECT_TRUE(near(x.grad().to_vector(), torch.take("gx"), 1e-5, 1e-5));
    EXPECT_TRUE(near(w.grad().to_vector(), torch.take("gw"), 1e-5, 1e-4));
    EXPECT_TRUE(near(b.grad().to_vector(), torch.take("gb"), 1e-5, 1e-4));
}

TEST(Norm, FloatIsWithinRoundingOfFloat64) {
    for (const Shape& shape :
         {Shape{64, 6, 14, 14}, Shape{3, 17}, Shape{2, 5, 1, 3}, Shape{1, 2, 50, 50}}) {
        std::vector<std::vector<Tensor>> results;
        const std::int64_t c = shape[1];
        for (DType type : {DType::Float32, DType::Float64}) {
            // A mean far from zero: a one-pass variance would lose it.
            Tensor x = as(add(noise(shape, 1), 100.0), DType::Float32),
                   w = noise({c}, 2, DType::Float32), b = noise({c}, 3, DType::Float32);
            x = as(x, type);
            w = as(w, type);
            b = as(b, type);
            x.set_requires_grad(true);
            w.set_requires_grad(true);
            b.set_requires_grad(true);
            const Tensor y = batch_norm(x, w, b, {}, {}, true);
            const Tensor seed = as(noise(shape, 4, DType::Float32), type);
            autograd::backward({&y, 1}, {&seed, 1});
            std::vector<Tensor> outputs{y, x.grad(), w.grad(), b.grad()};
            Tensor x2 = x.detach().clone(), w2 = as(noise({shape.back()}, 6, DType::Float32), type);
            x2.set_requires_grad(true);
            w2.set_requires_grad(true);
            if (shape.back() > 3) {
                const Tensor z = layer_norm(x2, {shape.back()}, w2);
                autograd::backward({&z, 1}, {&seed, 1});
                for (const Tensor& t : {z, x2.grad(), w2.grad()})
                    outputs.push_back(t);
            }
            results.push_back(outputs);
        }
        for (std::size_t k = 0; k < results[0].size(); ++k)
            EXPECT_TRUE(near(results[0][k], results[1][k], 2e-4, 2e-4))
                << "output " << k << " of " << shape.str();
    }
}

TEST(BatchNorm, AnEmptyBatchChangesNothing) {
    Tensor mean = noise({3}, 1), var = noise({3}, 2);
    const std::vector<double> before = mean.to_vector();
    EXPECT_EQ(
        batch_norm(Tensor::zeros({0, 3, 4, 4}, DType::Float64), {}, {}, mean, var, true).shape(),
        (Shape{0, 3, 4, 4}));
    EXPECT_EQ(mean.to_vector(), before);
}

TEST(Norm, RefusesWhatDoesNotFitInWords) {
    EXPECT_EQ(message_of<ShapeError>([] {
                  batch_norm(Tensor::zeros({1, 8}), {}, {}, {}, {}, true);
              }),
              "batch_norm: training needs more than 1 value per channel, input [1, 8] has 1: "
              "choose another batch size, or let the dataset drop a smaller last batch");
    EXPECT_EQ(message_of<ShapeError>([] {
                  batch_norm(Tensor::zeros({2, 4, 3, 3}), Tensor::zeros({3}), {}, {}, {}, true);
              }),
              "batch_norm: weight [3] does not match the 4 channels of input [2, 4, 3, 3]");
    EXPECT_NE(message_of<ValueError>([] {
                  batch_norm(Tensor::zeros({2, 4}), {}, {}, {}, {}, false);
              }),
              "");
    EXPECT_EQ(message_of<ShapeError>([] {
                  layer_norm(Tensor::zeros({2, 4}), {5});
              }),
              "layer_norm: normalized_shape [5] must be the last dimensions of input [2, 4]");
    EXPECT_NE(message_of<ShapeError>([] {
                  layer_norm(Tensor::zeros({2, 4}), {4}, Tensor::zeros({3}));
              }),
              "");
}

} // namespace
} // namespace wiregrad

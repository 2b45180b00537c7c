// Softmax and log_softmax: float against float64, gradients, PyTorch, extremes.
#include <limits>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "heavy_util.h"

namespace wiregrad {
namespace {

using namespace heavy;
using autograd::gradcheck;

TEST(Softmax, GradientsAndSecondGradients) {
    for (std::int64_t dim : {0, 1, 2, -1})
        for (bool logarithm : {false, true}) {
            auto f = [&](const std::vector<Tensor>& in) {
                return std::vector<Tensor>{logarithm ? log_softmax(in[0], dim)
                                                     : softmax(in[0], dim)};
            };
            EXPECT_EQ(gradcheck(f, {mul(noise({2, 3, 4}, 1), 3.0)}, {.double_backward = true}), "")
                << dim << logarithm;
        }
}

TEST(Softmax, EqualsPyTorch) {
    if (!Torch::available()) GTEST_SKIP() << "python3-torch is not installed";
    Torch torch;
    std::string script;
    const std::vector<Shape> shapes{{64, 10}, {5}, {3, 4, 7}, {2, 33, 5}, {7, 1}, {4, 1000}};
    for (std::size_t i = 0; i < shapes.size(); ++i) {
        const std::string id = std::to_string(i);
        torch.give("x" + id, mul(noise(shapes[i], 1, DType::Float32), 20.0).detach());
        for (int dim = 0; dim < shapes[i].size(); ++dim) {
            const std::string key = id + "_" + std::to_string(dim);
            script += "for n, f in (('s', F.softmax), ('l', F.log_softmax)):\n  z = x" + id +
                      ".detach().double().requires_grad_()\n  y = f(z, " + std::to_string(dim) +
                      ")\n  (y * y * y).sum().backward()\n  out(n + '" + key +
                      "', y); out('g' + n + '" + key + "', z.grad)\n";
        }
    }
    torch.run(script);
    for (std::size_t i = 0; i < shapes.size(); ++i)
        for (int dim = 0; dim < shapes[i].size(); ++dim)
            for (const std::string name : {"s", "l"}) {
                Tensor x = mul(noise(shapes[i], 1, DType::Float32), 20.0).detach();
                x.set_requires_grad(true);
                const Tensor y = name == "s" ? softmax(x, dim) : log_softmax(x, dim);
                autograd::backward(sum(mul(y, square(y))));
                const std::string key = name + std::to_string(i) + "_" + std::to_string(dim);
                EXPECT_TRUE(near(y.to_vector(), torch.take(key), 1e-5, 1e-6)) << key;
                const std::vector<double> grad = torch.take("g" + key);
                double largest = 0;
                for (double g : grad)
                    largest = std::max(largest, std::abs(g));
                EXPECT_TRUE(near(x.grad().to_vector(), grad, 2e-5, 5e-7 + 2e-6 * largest)) << key;
            }
}

TEST(Softmax, Extremes) {
    const float inf = std::numeric_limits<float>::infinity(),
                nan = std::numeric_limits<float>::quiet_NaN();
    const Tensor x = Tensor::from<float>({-inf, -inf, 0, -inf, 1000, 1000, nan, 0}, {4, 2});
    const std::vector<double> y = softmax(x, 1).to_vector();
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]));
    EXPECT_EQ(y[2], 1);
    EXPECT_EQ(y[3], 0);
    EXPECT_EQ(y[4], 0.5);
    EXPECT_TRUE(std::isnan(y[6]) && std::isnan(y[7]));
    EXPECT_EQ(log_softmax(x, 1).to_vector()[3], -inf);
    EXPECT_EQ(softmax(Tensor::zeros({0, 4}), 1).shape(), (Shape{0, 4}));
    EXPECT_EQ(softmax(Tensor::zeros({4, 0}), 1).shape(), (Shape{4, 0}));
    EXPECT_NE(message_of<ShapeError>([] { softmax(Tensor::zeros({2, 3}), 2); }), "");
}

} // namespace
} // namespace wiregrad

// Convolutions of one and three dimensions and further normalisations against PyTorch, with
// gradients.
#include <functional>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "heavy_util.h"

namespace wiregrad {
namespace {

using namespace heavy;
using autograd::gradcheck;

struct Case {
    std::string torch; ///< of x0, x1, ...
    std::vector<Tensor> inputs;
    std::function<Tensor(const std::vector<Tensor>&)> ours;
};

std::vector<Case> cases() {
    using In = const std::vector<Tensor>&;
    std::vector<Case> all;
    const auto add_case = [&](std::string torch, std::vector<Shape> shapes, auto ours) {
        Case c{std::move(torch), {}, ours};
        for (std::size_t i = 0; i < shapes.size(); ++i)
            c.inputs.push_back(noise(shapes[i], static_cast<unsigned>(i) + 1));
        all.push_back(std::move(c));
    };
    add_case("F.conv1d(x0, x1, x2)", {{2, 3, 9}, {4, 3, 3}, {4}},
             [](In x) { return conv1d(x[0], x[1], x[2]); });
    add_case("F.conv1d(x0, x1, None, 2, 3, 2, 2)", {{2, 4, 11}, {6, 2, 3}}, [](In x) {
        return conv1d(x[0], x[1], {}, {{2}, {3}, {2}, 2});
    });
    add_case("F.conv_transpose1d(x0, x1, x2, stride=3, padding=1, output_padding=2, dilation=2)",
             {{2, 4, 5}, {4, 3, 3}, {3}}, [](In x) {
                 return conv_transpose1d(x[0], x[1], x[2], {{3}, {1}, {2}, 1}, {2});
             });
    add_case("F.conv3d(x0, x1, x2)", {{2, 2, 4, 3, 5}, {3, 2, 2, 3, 2}, {3}},
             [](In x) { return conv3d(x[0], x[1], x[2]); });
    add_case("F.conv3d(x0, x1, x2, (2, 1, 2), (1, 2, 0), (2, 1, 1), 2)",
             {{2, 4, 6, 3, 5}, {2, 2, 2, 3, 2}, {2}}, [](In x) {
                 return conv3d(x[0], x[1], x[2], {{2, 1, 2}, {1, 2, 0}, {2, 1, 1}, 2});
             });
    add_case("F.conv_transpose3d(x0, x1, x2)", {{2, 2, 3, 2, 3}, {2, 3, 2, 3, 2}, {3}},
             [](In x) { return conv_transpose3d(x[0], x[1], x[2]); });
    add_case(
        "F.conv_transpose3d(x0, x1, x2, stride=(3, 1, 2), padding=(1, 0, 1), output_padding=(2, 0, "
        "1), groups=2, dilation=(2, 1, 1))",
        {{2, 4, 3, 2, 3}, {4, 3, 2, 2, 3}, {6}}, [](In x) {
            return conv_transpose3d(x[0], x[1], x[2], {{3, 1, 2}, {1, 0, 1}, {2, 1, 1}, 2},
                                    {2, 0, 1});
        });
    add_case("F.group_norm(x0, 3, x1, x2)", {{2, 6, 3, 2}, {6}, {6}},
             [](In x) { return group_norm(x[0], 3, x[1], x[2]); });
    add_case("F.group_norm(x0, 2, eps=0.1)", {{3, 4}},
             [](In x) { return group_norm(x[0], 2, {}, {}, 0.1); });
    add_case("F.instance_norm(x0, weight=x1, bias=x2)", {{2, 3, 4, 2}, {3}, {3}},
             [](In x) { return instance_norm(x[0], {}, {}, x[1], x[2]); });
    add_case("F.instance_norm(x0)", {{2, 3, 5}}, [](In x) { return instance_norm(x[0]); });
    add_case("x0 * (x0.square().mean((-2, -1), keepdim=True) + 0.01).rsqrt() * x1",
             {{2, 3, 4}, {3, 4}}, [](In x) {
                 return rms_norm(x[0], {3, 4}, x[1], 0.01);
             });
    add_case("F.local_response_norm(x0, 3, 0.7, 0.6, 1.5)", {{2, 5, 4}},
             [](In x) { return local_response_norm(x[0], 3, 0.7, 0.6, 1.5); });
    add_case("F.local_response_norm(x0, 4)", {{2, 5, 3, 2}},
             [](In x) { return local_response_norm(x[0], 4); });
    return all;
}

TEST(NdLayers, EqualPyTorch) {
    if (!Torch::available()) GTEST_SKIP() << "python3-torch is not installed";
    Torch torch;
    std::string script;
    std::vector<std::vector<Tensor>> got;
    const std::vector<Case> all = cases();
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::vector<Tensor> in;
        const std::string id = std::to_string(i);
        for (std::size_t k = 0; k < all[i].inputs.size(); ++k) {
            const std::string name = "a" + id + "_" + std::to_string(k);
            torch.give(name, all[i].inputs[k]);
            script += "x" + std::to_string(k) + " = " + name + "\n";
            in.push_back(all[i].inputs[k].clone());
            in.back().set_requires_grad(true);
        }
        script += "y = " + all[i].torch + "\n(y ** 3).sum().backward()\nout('y" + id + "', y)\n";
        for (std::size_t k = 0; k < in.size(); ++k)
            script +=
                "out('" + id + "_" + std::to_string(k) + "', x" + std::to_string(k) + ".grad)\n";
        const Tensor y = all[i].ours(in);
        autograd::backward(sum(pow(y, 3)));
        got.push_back({y});
        for (const Tensor& x : in)
            got.back().push_back(x.grad());
    }
    torch.run(script);
    for (std::size_t i = 0; i < all.size(); ++i)
        for (std::size_t k = 0; k < got[i].size(); ++k) {
            const std::string name =
                k == 0 ? "y" + std::to_string(i) : std::to_string(i) + "_" + std::to_string(k - 1);
            EXPECT_TRUE(near(got[i][k].to_vector(), torch.take(name), 1e-9, 1e-10))
                << all[i].torch << " result " << k;
        }
}

TEST(NdLayers, GradientsAndSecondGradients) {
    for (const Case& c : cases()) {
        if (c.torch.find("3d") != std::string::npos) continue; // the same ops, many elements
        const auto f = [&](const std::vector<Tensor>& in) {
            std::vector<Tensor> x = c.inputs;
            x[0] = in[0];
            return std::vector<Tensor>{c.ours(x)};
        };
        EXPECT_EQ(gradcheck(f, {c.inputs[0]}, {.double_backward = true}), "") << c.torch;
    }
}

TEST(NdLayers, InstanceNormKeepsRunningStatistics) {
    if (!Torch::available()) GTEST_SKIP() << "python3-torch is not installed";
    Torch torch;
    const Tensor x = noise({3, 2, 5}, 1);
    Tensor mean = noise({2}, 2), var = add(square(noise({2}, 3)), 0.5);
    torch.give("x", x);
    torch.give("m", mean);
    torch.give("v", var);
    torch.run("m = m.detach(); v = v.detach()\ny = F.instance_norm(x, m, v, momentum=0.3)\n"
              "out('y', y); out('m', m); out('v', v)\n"
              "out('e', F.instance_norm(x, m, v, use_input_stats=False))\n");
    const Tensor y = instance_norm(x, mean, var, {}, {}, true, 0.3);
    EXPECT_TRUE(near(y.to_vector(), torch.take("y"), 1e-12, 1e-12));
    EXPECT_TRUE(near(mean.to_vector(), torch.take("m"), 1e-12, 1e-12));
    EXPECT_TRUE(near(var.to_vector(), torch.take("v"), 1e-12, 1e-12));
    EXPECT_TRUE(near(instance_norm(x, mean, var, {}, {}, false).to_vector(), torch.take("e"), 1e-12,
                     1e-12));
}

TEST(NdLayers, RefuseWhatDoesNotFit) {
    EXPECT_EQ(message_of<ShapeError>([] {
                  conv1d(noise({2, 3}, 1), noise({4, 3, 2}, 2));
              }),
              "conv1d: input [2, 3] must be [batch, channels, length]");
    EXPECT_EQ(message_of<ValueError>([] {
                  conv1d(noise({2, 3, 5}, 1), noise({4, 3, 2}, 2), {}, {{0}, {}, {}, 1});
              }),
              "conv1d: stride [0] must be 1 number of at least 1");
    EXPECT_EQ(
        message_of<ShapeError>([] {
            conv3d(noise({1, 1, 2, 4, 4}, 1), noise({1, 1, 3, 1, 1}, 2));
        }),
        "conv3d: the kernel covers a depth of 3 but input [1, 1, 2, 4, 4] padded by [0, 0, 0] "
        "has only 2");
    EXPECT_EQ(message_of<ValueError>([] {
                  group_norm(noise({2, 6, 3}, 1), 4);
              }),
              "group_norm: the 6 channels of input [2, 6, 3] cannot be split into 4 groups");
    EXPECT_EQ(message_of<ShapeError>([] {
                  rms_norm(noise({2, 3}, 1), {4});
              }),
              "rms_norm: normalized_shape [4] must be the last dimensions of input [2, 3]");
}

} // namespace
} // namespace wiregrad

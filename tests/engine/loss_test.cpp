// Losses: gradients, PyTorch with every option of cross entropy, labels out of range, messages.
#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "heavy_util.h"

namespace wiregrad {
namespace {

using namespace heavy;
using autograd::gradcheck;

constexpr Reduction kReductions[] = {Reduction::None, Reduction::Mean, Reduction::Sum};
const char* name_of_reduction(Reduction r) {
    return r == Reduction::None ? "none" : r == Reduction::Mean ? "mean" : "sum";
}

TEST(CrossEntropy, GradientsAndSecondGradients) {
    for (const Shape& shape : {Shape{4, 3}, Shape{2, 3, 4}, Shape{2, 3, 2, 2}})
        for (Reduction reduction : kReductions)
            for (double smoothing : {0.0, 0.2})
                for (bool weighted : {false, true}) {
                    Shape samples = shape;
                    samples.erase(1);
                    Tensor target = labels(samples, 3, 4);
                    target.data_mut<std::int64_t>()[1] = -100;
                    const Tensor weight =
                        weighted ? Tensor::from<double>({0.5, 2, 1.25}, {3}) : Tensor();
                    auto f = [&](const std::vector<Tensor>& in) {
                        return std::vector<Tensor>{
                            cross_entropy(in[0], target, weight, {reduction, -100, smoothing})};
                    };
                    EXPECT_EQ(gradcheck(f, {mul(noise(shape, 1), 2.0)}, {.double_backward = true}),
                              "")
                        << shape.str() << name_of_reduction(reduction);
                    auto soft = [&](const std::vector<Tensor>& in) {
                        return std::vector<Tensor>{cross_entropy(in[0], softmax(in[1], 1), weight,
                                                                 {reduction, -100, smoothing})};
                    };
                    EXPECT_EQ(gradcheck(soft, {noise(shape, 1), noise(shape, 2)}), "");
                }
}

TEST(CrossEntropy, EqualsPyTorchWithEveryOption) {
    if (!Torch::available()) GTEST_SKIP() << "python3-torch is not installed";
    Torch torch;
    std::string script;
    struct Done {
        std::string id;
        Tensor loss, grad;
    };
    std::vector<Done> done;
    const std::vector<Shape> shapes{{64, 10}, {5, 7, 3}, {2, 4, 3, 5}, {3, 1}, {4, 300}};
    for (std::size_t i = 0; i < shapes.size(); ++i) {
        const std::string at = std::to_string(i);
        const Shape& shape = shapes[i];
        const std::int64_t c = shape[1];
        Shape samples = shape;
        samples.erase(1);
        const Tensor x = mul(noise(shape, 1, DType::Float32), 5.0).detach(),
                     weight = add(square(noise({c}, 2, DType::Float32)), 0.1).detach();
        const Tensor probabilities = softmax(noise(shape, 3, DType::Float32), 1).detach();
        Tensor target = labels(samples, c, 4);
        target.data_mut<std::int64_t>()[0] = -5;
        torch.give("x" + at, x);
        torch.give("w" + at, weight);
        torch.give("p" + at, probabilities);
        torch.give("t" + at, target);
        for (Reduction reduction : kReductions)
            for (const char* smoothing : {"0.0", "0.1"})
                for (bool weighted : {false, true})
                    for (bool soft : {false, true}) {
                        const std::string id = std::to_string(done.size());
                        script +=
                            "z = x" + at +
                            ".detach().double().requires_grad_()\ny = F.cross_entropy(z, " +
                            (soft ? "p" + at + ".detach().double()" : "t" + at) +
                            ", weight=" + (weighted ? "w" + at + ".detach().double()" : "None") +
                            ", reduction='" + name_of_reduction(reduction) +
                            "', label_smoothing=" + smoothing + (soft ? "" : ", ignore_index=-5") +
                            ")\n(y * y).sum().backward()\nout('y" + id + "', y); out('g" + id +
                            "', z.grad)\n";
                        Tensor leaf = x.clone();
                        leaf.set_requires_grad(true);
                        const Tensor loss = cross_entropy(
                            leaf, soft ? probabilities : target, weighted ? weight : Tensor(),
                            {reduction, soft ? -100 : -5, std::stod(smoothing)});
                        autograd::backward(sum(mul(loss, loss)));
                        done.push_back({id, loss, leaf.grad()});
                    }
    }
    torch.run(script);
    for (const Done& d : done) {
        EXPECT_TRUE(near(d.loss.to_vector(), torch.take("y" + d.id), 3e-6, 1e-5)) << d.id;
        const std::vector<double> grad = torch.take("g" + d.id);
        double largest = 0;
        for (double g : grad)
            largest = std::max(largest, std::abs(g));
        EXPECT_TRUE(near(d.grad.to_vector(), grad, 1e-5, 3e-6 * largest)) << d.id;
    }
}

TEST(CrossEntropy, NothingThatCountsGivesNaNAndZeroGradients) {
    Tensor x = noise({2, 3}, 1, DType::Float32);
    x.set_requires_grad(true);
    const Tensor loss = cross_entropy(x, Tensor::from<std::int64_t>({-100, -100}, {2}));
    EXPECT_TRUE(std::isnan(loss.item()));
    EXPECT_EQ(cross_entropy(x, Tensor::from<std::int64_t>({-100, -100}, {2}), {}, {Reduction::Sum})
                  .item(),
              0);
    EXPECT_TRUE(
        std::isnan(cross_entropy(Tensor::zeros({0, 3}), Tensor::zeros({0}, DType::Int64)).item()));
}

TEST(CrossEntropy, LabelsOutOfRangeNameSampleAndLabel) {
    const Tensor x = Tensor::zeros({3, 10});
    EXPECT_EQ(message_of<ValueError>([&] {
                  cross_entropy(x, Tensor::from<std::int64_t>({1, 2, 12}, {3}));
              }),
              "cross_entropy: the label of sample 2 is 12, outside [0, 10)");
    EXPECT_EQ(message_of<ValueError>([&] {
                  cross_entropy(x, Tensor::from<std::int64_t>({1, -1, 2}, {3}));
              }),
              "cross_entropy: the label of sample 1 is -1, outside [0, 10)");
    EXPECT_EQ(message_of<ValueError>([] {
                  cross_entropy(Tensor::zeros({2, 4, 3}),
                                Tensor::from<std::int64_t>({0, 1, 2, 3, 3, 4}, {2, 3}));
              }),
              "cross_entropy: the label of sample 1 at position 2 is 4, outside [0, 4)");
    EXPECT_EQ(message_of<ShapeError>([&] { cross_entropy(x, Tensor::zeros({4}, DType::Int64)); }),
              "cross_entropy: input [3, 10] expects labels [3], got [4]");
    EXPECT_NE(message_of<ShapeError>(
                  [&] { cross_entropy(x, Tensor::zeros({3}, DType::Int64), Tensor::zeros({9})); }),
              "");
    EXPECT_NE(message_of<DTypeError>([&] { cross_entropy(x, Tensor::zeros({3})); }), "");
    EXPECT_NE(
        message_of<ValueError>([&] {
            cross_entropy(x, Tensor::zeros({3}, DType::Int64), {}, {Reduction::Mean, -100, 1.5});
        }),
        "");
}

TEST(PointwiseLosses, GradientsAndSecondGradients) {
    for (Reduction reduction : kReductions) {
        const Tensor x = noise({3, 4}, 1), t = noise({3, 4}, 2);
        auto mse = [&](const std::vector<Tensor>& in) {
            return std::vector<Tensor>{mse_loss(in[0], in[1], reduction)};
        };
        auto l1 = [&](const std::vector<Tensor>& in) {
            return std::vector<Tensor>{l1_loss(in[0], in[1], reduction)};
        };
        auto bce = [&](const std::vector<Tensor>& in) {
            return std::vector<Tensor>{binary_cross_entropy_with_logits(in[0], in[1], reduction)};
        };
        EXPECT_EQ(gradcheck(mse, {x, t}, {.double_backward = true}), "");
        EXPECT_EQ(gradcheck(l1, {x, t}), "");
        EXPECT_EQ(gradcheck(bce, {mul(x, 3.0), t}, {.double_backward = true}), "");
    }
}

TEST(PointwiseLosses, EqualPyTorch) {
    if (!Torch::available()) GTEST_SKIP() << "python3-torch is not installed";
    Torch torch;
    Tensor x = mul(noise({13, 701}, 1, DType::Float32), 30.0).detach(),
           t = noise({13, 701}, 2, DType::Float32);
    x.data_mut<float>()[0] = t.data<float>()[0]; // the kink of l1
    torch.give("x", x);
    torch.give("t", t);
    torch.run(
        "for n, f in (('m', F.mse_loss), ('l', F.l1_loss), ('b', "
        "F.binary_cross_entropy_with_logits)):\n  for r in ('none', 'mean', 'sum'):\n"
        "    z = x.detach().double().requires_grad_()\n    y = f(z, t.double().detach(), "
        "reduction=r)\n    y.sum().backward()\n    out(n + r, y); out('g' + n + r, z.grad)\n");
    for (const std::string name : {"m", "l", "b"})
        for (Reduction reduction : kReductions) {
            Tensor z = x.clone();
            z.set_requires_grad(true);
            const Tensor y = name == "m"   ? mse_loss(z, t, reduction)
                             : name == "l" ? l1_loss(z, t, reduction)
                                           : binary_cross_entropy_with_logits(z, t, reduction);
            autograd::backward(sum(y));
            EXPECT_TRUE(
                near(y.to_vector(), torch.take(name + name_of_reduction(reduction)), 3e-6, 1e-6))
                << name << name_of_reduction(reduction);
            EXPECT_TRUE(near(z.grad().to_vector(),
                             torch.take("g" + name + name_of_reduction(reduction)), 3e-6, 1e-7))
                << name << name_of_reduction(reduction);
        }
}

TEST(PointwiseLosses, DifferentShapesAreRefusedNotBroadcast) {
    EXPECT_EQ(message_of<ShapeError>([] {
                  mse_loss(Tensor::zeros({2, 1}), Tensor::zeros({2}));
              }),
              "mse_loss: input [2, 1] and target [2] must have the same shape");
    EXPECT_NE(message_of<DTypeError>(
                  [] { l1_loss(Tensor::zeros({2}), Tensor::zeros({2}, DType::Int64)); }),
              "");
}

} // namespace
} // namespace wiregrad

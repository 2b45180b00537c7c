// Embedding: values, gradients with repeated and padding rows, messages.
#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "heavy_util.h"

namespace wiregrad {
namespace {

using namespace heavy;

TEST(Embedding, GradientsAndSecondGradients) {
    const Tensor index = Tensor::from<std::int64_t>({1, 0, 3, 1, 1, 2}, {2, 3});
    for (std::int64_t padding : {-1, 1}) {
        auto f = [&](const std::vector<Tensor>& in) {
            return std::vector<Tensor>{square(embedding(index, in[0], padding))};
        };
        if (padding < 0) {
            EXPECT_EQ(autograd::gradcheck(f, {noise({4, 3}, 1)}, {.double_backward = true}), "");
        }
        Tensor weight = noise({4, 3}, 1);
        weight.set_requires_grad(true);
        autograd::backward(sum(embedding(index, weight, padding)));
        const double ones = padding == 1 ? 0 : 3; // the padding row gets no gradient
        EXPECT_EQ(weight.grad().to_vector(),
                  (std::vector<double>{1, 1, 1, ones, ones, ones, 1, 1, 1, 1, 1, 1}));
    }
}

TEST(Embedding, TheBackwardOpOfAPaddingRowIsItsOwnTranspose) {
    // <A^T g, v> = <g, A v> for the linear map A that looks rows up and blanks the padding row.
    const Tensor index = Tensor::from<std::int64_t>({1, 0, 3, 1}, {4});
    Tensor g = noise({4, 3}, 2);
    g.set_requires_grad(true);
    const Tensor inputs[] = {g, index};
    const Tensor weight_grad =
        call(find_op("embedding_backward"), inputs,
             {{"rows", std::int64_t{4}}, {"padding_idx", std::int64_t{1}}})[0];
    const Tensor v = noise({4, 3}, 3);
    autograd::backward(sum(mul(weight_grad, v)));
    const Tensor expected = mul(embedding(index, v), Tensor::from<double>({0, 1, 1, 0}, {4, 1}));
    EXPECT_TRUE(same(g.grad(), expected));
}

TEST(Embedding, EqualsPyTorch) {
    if (!Torch::available()) GTEST_SKIP() << "python3-torch is not installed";
    Torch torch;
    const Tensor index = labels({32, 65}, 97, 1);
    Tensor weight = noise({97, 130}, 2, DType::Float32);
    torch.give("i", index);
    torch.give("w", weight);
    torch.run("y = F.embedding(i, w, padding_idx=5)\n(y ** 3).sum().backward()\nout('y', y); "
              "out('g', w.grad)\n");
    weight.set_requires_grad(true);
    const Tensor y = embedding(index, weight, 5);
    autograd::backward(sum(mul(y, square(y))));
    EXPECT_TRUE(near(y.to_vector(), torch.take("y"), 0, 0));
    EXPECT_TRUE(near(weight.grad().to_vector(), torch.take("g"), 1e-5, 1e-5));
}

TEST(Embedding, RefusesWhatDoesNotFitInWords) {
    const Tensor weight = Tensor::zeros({10, 4});
    EXPECT_EQ(message_of<ValueError>([&] {
                  embedding(Tensor::from<std::int64_t>({1, 12}, {2}), weight);
              }),
              "embedding: index 12 at position 1 is outside [0, 10)");
    EXPECT_NE(
        message_of<ValueError>([&] { embedding(Tensor::from<std::int64_t>({-1}, {1}), weight); }),
        "");
    EXPECT_NE(message_of<ValueError>(
                  [&] { embedding(Tensor::from<std::int64_t>({1}, {1}), weight, 10); }),
              "");
    EXPECT_NE(message_of<DTypeError>([&] { embedding(Tensor::zeros({2}), weight); }), "");
    EXPECT_EQ(embedding(Tensor::zeros({0, 3}, DType::Int64), weight).shape(), (Shape{0, 3, 4}));
}

} // namespace
} // namespace wiregrad

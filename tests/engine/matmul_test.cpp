// Matrix products and linear layers: every backend against the plain kernel, gradients, PyTorch,
// messages.
#include "engine/autograd/tape.h"
#include "engine/backend/cpu/blas.h"
#include "engine/backend/cpu/gemm.h"
#include "engine/backend/cpu/onednn.h"
#include "engine/backend/cpu/plain_gemm.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "heavy_util.h"

namespace wiregrad {
namespace {

using namespace heavy;
using autograd::gradcheck;

TEST(Gemm, EveryBackendEqualsThePlainOneOnWholeNumbers) {
    const std::int64_t sizes[][3] = {{1, 1, 1},   {3, 5, 7},  {64, 10, 84},
                                     {17, 1, 33}, {1, 40, 9}, {65, 70, 81}};
    for (const auto& [m, n, k] : sizes)
        for (int mode = 0; mode < 8; ++mode) {
            const bool ta = mode & 1, tb = mode & 2, accumulate = mode & 4;
            SCOPED_TRACE(std::to_string(m) + " " + std::to_string(n) + " " + std::to_string(k) +
                         " mode " + std::to_string(mode));
            const cpu::GemmGeometry g{ta,    tb,        m, n, k, (ta ? m : k) + 2, (tb ? k : n) + 1,
                                      n + 3, accumulate};
            const Tensor a = whole({ta ? k : m, g.lda}, 1), b = whole({tb ? n : k, g.ldb}, 2),
                         c = whole({m, g.ldc}, 3);
            Tensor slow = c.clone(), blas = c.clone(), dnnl = c.clone(), chosen = c.clone();
            cpu::plain::gemm(g, a.data<float>(), b.data<float>(), slow.data_mut<float>());
            if (cpu::blas::gemm(g, a.data<float>(), b.data<float>(), blas.data_mut<float>())) {
                EXPECT_TRUE(same(blas, slow));
            }
            if (cpu::onednn::gemm(g, a.data<float>(), b.data<float>(), dnnl.data_mut<float>())) {
                EXPECT_TRUE(same(dnnl, slow));
            }
            cpu::gemm(g, a.data<float>(), b.data<float>(), chosen.data_mut<float>());
            EXPECT_TRUE(same(chosen, slow));
            const Tensor a64 = as(a, DType::Float64), b64 = as(b, DType::Float64);
            Tensor slow64 = as(c, DType::Float64), chosen64 = as(c, DType::Float64);
            cpu::plain::gemm(g, a64.data<double>(), b64.data<double>(), slow64.data_mut<double>());
            cpu::gemm(g, a64.data<double>(), b64.data<double>(), chosen64.data_mut<double>());
            EXPECT_TRUE(same(chosen64, slow64));
            EXPECT_TRUE(same(as(slow, DType::Float64), slow64));
        }
}

TEST(Blas, SaysWhichCoreItUsesOrThatItIsMissing) {
    EXPECT_EQ(cpu::blas::available(),
              cpu::blas::description().find("not installed") == std::string::npos)
        << cpu::blas::description();
    // On a CPU with AVX2 the SSE3 fallback must not be in use (unless a person asked for it).
    if (cpu::blas::available() && std::getenv("OPENBLAS_CORETYPE") == nullptr &&
        __builtin_cpu_supports("avx2")) {
        EXPECT_EQ(cpu::blas::description().find("(Prescott)"), std::string::npos)
            << cpu::blas::description();
    }
    EXPECT_EQ(std::getenv("OPENBLAS_CORETYPE") == nullptr, true)
        << "the environment is left as it was, or the tester set it";
}

struct Pair {
    Shape a, b, out;
};
const std::vector<Pair> kPairs{{{2, 3}, {3, 4}, {2, 4}},
                               {{3}, {3}, {}},
                               {{3}, {3, 2}, {2}},
                               {{2, 3}, {3}, {2}},
                               {{5, 2, 3}, {3, 4}, {5, 2, 4}},
                               {{5, 2, 3}, {5, 3, 4}, {5, 2, 4}},
                               {{2, 1, 2, 3}, {4, 3, 2}, {2, 4, 2, 2}},
                               {{3, 4}, {2, 4, 1}, {2, 3, 1}},
                               {{4, 2, 3}, {3}, {4, 2}},
                               {{3}, {4, 3, 2}, {4, 2}}};

TEST(Matmul, ShapesGradientsAndSecondGradients) {
    auto f = [](const std::vector<Tensor>& in) {
        return std::vector<Tensor>{matmul(in[0], in[1])};
    };
    for (const Pair& p : kPairs) {
        SCOPED_TRACE(p.a.str() + " x " + p.b.str());
        const Tensor a = noise(p.a, 1), b = noise(p.b, 2);
        EXPECT_EQ(matmul(a, b).shape(), p.out);
        EXPECT_EQ(gradcheck(f, {a, b}, {.double_backward = true}), "");
    }
}

TEST(Matmul, EqualsPyTorchAlsoOnTransposedAndExpandedInputs) {
    if (!Torch::available()) GTEST_SKIP() << "python3-torch is not installed";
    Torch torch;
    std::string script;
    for (std::size_t i = 0; i < kPairs.size(); ++i) {
        const std::string id = std::to_string(i);
        torch.give("a" + id, noise(kPairs[i].a, 1));
        torch.give("b" + id, noise(kPairs[i].b, 2));
        script += "out('y" + id + "', torch.matmul(a" + id + ", b" + id + "))\n";
    }
    const Tensor p = noise({4, 5, 3}, 5), q = noise({4, 6, 5}, 6), r = noise({1, 3, 1}, 7);
    torch.give("p", p);
    torch.give("q", q);
    torch.give("r", r);
    torch.run(script + "out('t', torch.matmul(p.transpose(1, 2), q.transpose(-1, -2)))\nout('e', "
                       "torch.matmul(r.expand(4, 3, 7).transpose(1, 2), p.transpose(1, 2)))\n"
                       "out('s', torch.matmul(p[:, ::2, 1:], p[:, ::2, 1:].transpose(1, 2)))\n");
    for (std::size_t i = 0; i < kPairs.size(); ++i)
        EXPECT_TRUE(near(matmul(noise(kPairs[i].a, 1), noise(kPairs[i].b, 2)).to_vector(),
                         torch.take("y" + std::to_string(i)), 1e-12, 1e-12))
            << i;
    EXPECT_TRUE(near(matmul(transpose(p, 1, 2), transpose(q, -1, -2)).to_vector(), torch.take("t"),
                     1e-12, 1e-12));
    EXPECT_TRUE(near(matmul(transpose(expand(r, {4, 3, 7}), 1, 2), transpose(p, 1, 2)).to_vector(),
                     torch.take("e"), 1e-12, 1e-12));
    const Tensor part = slice(slice(p, 1, 0, 5, 2), 2, 1, 3);
    EXPECT_TRUE(
        near(matmul(part, transpose(part, 1, 2)).to_vector(), torch.take("s"), 1e-12, 1e-12));
}

TEST(Matmul, EmptySizes) {
    EXPECT_EQ(matmul(Tensor::zeros({0, 3}), Tensor::zeros({3, 4})).shape(), (Shape{0, 4}));
    EXPECT_TRUE(same(matmul(Tensor::zeros({2, 0}), Tensor::zeros({0, 4})), Tensor::zeros({2, 4})));
    EXPECT_EQ(matmul(Tensor::zeros({0, 2, 3}), Tensor::zeros({3, 4})).shape(), (Shape{0, 2, 4}));
}

TEST(Linear, GradientsAndSecondGradients) {
    auto f = [](const std::vector<Tensor>& in) {
        return std::vector<Tensor>{linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor())};
    };
    for (const Shape& shape : {Shape{3, 4}, Shape{4}, Shape{2, 2, 4}}) {
        EXPECT_EQ(gradcheck(f, {noise(shape, 1), noise({3, 4}, 2), noise({3}, 3)},
                            {.double_backward = true}),
                  "")
            << shape.str();
        EXPECT_EQ(gradcheck(f, {noise(shape, 1), noise({3, 4}, 2)}), "");
    }
}

TEST(Linear, FloatIsWithinRoundingOfFloat64) {
    for (const auto& [rows, in, out] :
         {std::array<std::int64_t, 3>{64, 400, 120}, {1, 7, 3}, {33, 784, 512}, {0, 5, 2}}) {
        const Tensor x = noise({rows, in}, 1, DType::Float32),
                     w = noise({out, in}, 2, DType::Float32), b = noise({out}, 3, DType::Float32);
        EXPECT_TRUE(near(
            linear(x, w, b),
            linear(as(x, DType::Float64), as(w, DType::Float64), as(b, DType::Float64)), 1e-5,
            4 * std::sqrt(static_cast<double>(in)) * 6e-8 * std::sqrt(static_cast<double>(in))));
    }
}

TEST(Linear, RefusesWhatDoesNotFitInWords) {
    EXPECT_EQ(message_of<ShapeError>([] {
                  linear(Tensor::zeros({64, 401}), Tensor::zeros({120, 400}));
              }),
              "linear: weight [120, 400] expects 400 input features, input [64, 401] has 401");
    EXPECT_EQ(message_of<ShapeError>([] {
                  linear(Tensor::zeros({64, 400}), Tensor::zeros({120, 400}), Tensor::zeros({10}));
              }),
              "linear: bias [10] does not match weight [120, 400]");
    EXPECT_EQ(message_of<ShapeError>([] {
                  matmul(Tensor::zeros({2, 3}), Tensor::zeros({4, 5}));
              }),
              "matmul: [2, 3] has 3 columns but [4, 5] has 4 rows");
    EXPECT_NE(message_of<ShapeError>([] {
                  matmul(Tensor::zeros({2, 2, 3}), Tensor::zeros({3, 3, 4}));
              }),
              "");
    EXPECT_NE(message_of<DTypeError>([] {
                  matmul(Tensor::zeros({2, 3}, DType::Int64), Tensor::zeros({3, 2}, DType::Int64));
              }),
              "");
}

} // namespace
} // namespace wiregrad

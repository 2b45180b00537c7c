// Initial weights of the sequence layers, bit for bit, and the initialisers of torch.nn.init.
#include <cmath>

#include <gtest/gtest.h>

#include "engine/core/error.h"
#include "engine/nn/attention.h"
#include "engine/nn/init.h"
#include "engine/nn/layers.h"
#include "engine/nn/recurrent.h"
#include "tests/engine/referee.h"

namespace wiregrad {
namespace {

using nn::RecurrentKind;
using Layers = std::vector<std::pair<std::string, std::shared_ptr<nn::Module>>>;

std::shared_ptr<nn::Module> recurrent(RecurrentKind kind, std::int64_t layers, bool both, bool bias,
                                      std::int64_t projection, DType dtype) {
    nn::RecurrentLayerOptions o;
    o.kind = kind;
    o.input_size = 5;
    o.hidden_size = 7;
    o.num_layers = layers;
    o.bidirectional = both;
    o.bias = bias;
    o.proj_size = projection;
    o.dtype = dtype;
    return std::make_shared<nn::Recurrent>(o);
}

/// The same as kTorchLayers, in the same order.
Layers layers(DType dtype) {
    nn::TransformerLayerOptions block;
    block.d_model = 6;
    block.nhead = 2;
    block.dim_feedforward = 9;
    block.dtype = dtype;
    const auto attention = [&](std::int64_t kdim, std::int64_t vdim, bool bias) {
        return std::make_shared<nn::MultiheadAttention>(nn::AttentionLayerOptions{.embed_dim = 6,
                                                                                  .num_heads = 3,
                                                                                  .bias = bias,
                                                                                  .kdim = kdim,
                                                                                  .vdim = vdim,
                                                                                  .dtype = dtype});
    };
    return {
        {"rnn", recurrent(RecurrentKind::RnnTanh, 1, false, true, 0, dtype)},
        {"lstm", recurrent(RecurrentKind::Lstm, 2, true, true, 0, dtype)},
        {"lstm without bias", recurrent(RecurrentKind::Lstm, 2, false, false, 0, dtype)},
        {"lstm projected", recurrent(RecurrentKind::Lstm, 2, true, true, 3, dtype)},
        {"gru", recurrent(RecurrentKind::Gru, 3, false, true, 0, dtype)},
        {"rnn cell",
         std::make_shared<nn::RecurrentCell>(RecurrentKind::RnnTanh, 4, 6, true, dtype)},
        {"lstm cell", std::make_shared<nn::RecurrentCell>(RecurrentKind::Lstm, 4, 6, true, dtype)},
        {"gru cell", std::make_shared<nn::RecurrentCell>(RecurrentKind::Gru, 4, 6, false, dtype)},
        {"attention", attention(0, 0, true)},
        {"attention across", attention(4, 5, true)},
        {"attention without bias", attention(0, 0, false)},
        {"encoder", std::make_shared<nn::TransformerEncoderLayer>(block)},
        {"decoder", std::make_shared<nn::TransformerDecoderLayer>(block)},
        {"bilinear", std::make_shared<nn::Bilinear>(4, 5, 3, true, dtype)},
        {"conv1d", std::make_shared<nn::Conv1d>(nn::ConvLayerOptions{.in_channels = 4,
                                                                     .out_channels = 6,
                                                                     .kernel_size = {3},
                                                                     .groups = 2,
                                                                     .dtype = dtype})},
        {"conv transpose 1d",
         std::make_shared<nn::ConvTranspose1d>(nn::ConvTransposeLayerOptions{.in_channels = 4,
                                                                             .out_channels = 6,
                                                                             .kernel_size = {3},
                                                                             .groups = 2,
                                                                             .dtype = dtype})},
    };
}

constexpr const char* kTorchLayers = R"(
import torch
from torch import nn
def layers():
    yield 'rnn', nn.RNN(5, 7)
    yield 'lstm', nn.LSTM(5, 7, 2, bidirectional=True)
    yield 'lstm without bias', nn.LSTM(5, 7, 2, bias=False)
    yield 'lstm projected', nn.LSTM(5, 7, 2, bidirectional=True, proj_size=3)
    yield 'gru', nn.GRU(5, 7, 3)
    yield 'rnn cell', nn.RNNCell(4, 6)
    yield 'lstm cell', nn.LSTMCell(4, 6)
    yield 'gru cell', nn.GRUCell(4, 6, bias=False)
    yield 'attention', nn.MultiheadAttention(6, 3)
    yield 'attention across', nn.MultiheadAttention(6, 3, kdim=4, vdim=5)
    yield 'attention without bias', nn.MultiheadAttention(6, 3, bias=False)
    yield 'encoder', nn.TransformerEncoderLayer(6, 2, 9)
    yield 'decoder', nn.TransformerDecoderLayer(6, 2, 9)
    yield 'bilinear', nn.Bilinear(4, 5, 3)
    yield 'conv1d', nn.Conv1d(4, 6, 3, groups=2)
    yield 'conv transpose 1d', nn.ConvTranspose1d(4, 6, 3, groups=2)
)";

TEST(InitialWeights, OfSequenceLayersAreThoseOfPyTorchLive) {
    if (!test::python_has("torch, h5py"))
        GTEST_SKIP() << "no PyTorch with h5py in /usr/bin/python3";
    const auto answer = test::ask_python(std::string(kTorchLayers) + R"(
for dtype in (torch.float32, torch.float64):
    torch.set_default_dtype(dtype)
    for seed in (0, 123456789):
        torch.manual_seed(seed)
        for name, layer in layers():
            for key, value in layer.state_dict().items():
                put(f'{dtype}/{seed}/{name}/{key}', value.numpy())
)");
    std::size_t compared = 0;
    for (const DType dtype : {DType::Float32, DType::Float64})
        for (const std::uint64_t seed : {0ULL, 123456789ULL}) {
            nn::Generator generator(seed);
            const std::string prefix =
                "torch." + std::string(name_of(dtype)) + "/" + std::to_string(seed) + "/";
            for (const auto& [name, layer] : layers(dtype)) {
                layer->reset_parameters(generator);
                for (const nn::NamedTensor& weight : layer->state()) {
                    EXPECT_TRUE(test::same_bits(
                        weight.tensor, test::at(answer, prefix + name + "/" + weight.name)))
                        << prefix << name << "." << weight.name;
                    ++compared;
                }
            }
        }
    EXPECT_EQ(compared, answer.tensors.size());
}

TEST(InitialWeights, NumbersOfAPublishedSeed) {
    // PyTorch 1.13.1, torch.manual_seed(0): nn.LSTM(5, 7) draws from the start of the generator.
    nn::Generator generator(0);
    const auto lstm = recurrent(RecurrentKind::Lstm, 1, false, true, 0, DType::Float32);
    lstm->reset_parameters(generator);
    nn::Generator again(0);
    Tensor first = Tensor::empty({28, 5});
    again.uniform_(first, -1 / std::sqrt(7.0), 1 / std::sqrt(7.0));
    EXPECT_TRUE(test::same_bits(lstm->parameters()[0].tensor, first));
    EXPECT_EQ(lstm->parameters()[0].name, "weight_ih_l0");
}

TEST(Init, OrthogonalDiracEyeAndTruncatedNormal) {
    nn::Generator generator(3);
    for (const Shape& shape : {Shape{4, 7}, Shape{7, 4}, Shape{3, 2, 2}}) {
        Tensor w = Tensor::empty(shape, DType::Float64);
        nn::init::orthogonal(w, generator, 2);
        const std::int64_t rows = shape[0], columns = w.numel() / rows;
        const std::vector<double> v = w.to_vector();
        const bool wide = rows <= columns;
        const std::int64_t count = std::min(rows, columns), length = std::max(rows, columns);
        for (std::int64_t a = 0; a < count; ++a)
            for (std::int64_t b = 0; b < count; ++b) {
                double dot = 0;
                for (std::int64_t i = 0; i < length; ++i)
                    dot += v[static_cast<std::size_t>(wide ? a * columns + i : i * columns + a)] *
                           v[static_cast<std::size_t>(wide ? b * columns + i : i * columns + b)];
                EXPECT_NEAR(dot, a == b ? 4 : 0, 1e-12);
            }
    }
    Tensor normal = Tensor::empty({20000}, DType::Float64);
    nn::init::trunc_normal(normal, generator, 0.5, 1.5);
    double sum = 0, squares = 0;
    for (const double x : normal.to_vector()) {
        ASSERT_GE(x, -2);
        ASSERT_LE(x, 2);
        sum += x;
        squares += x * x;
    }
    // Mean and variance of a normal distribution (0.5, 1.5) cut at -2 and 2.
    EXPECT_NEAR(sum / 20000, 0.2307, 0.03);
    EXPECT_NEAR(squares / 20000 - sum * sum / 4e8, 1.0213, 0.05);
    Tensor eye = Tensor::empty({2, 3}), dirac = Tensor::empty({2, 3, 3});
    nn::init::eye(eye);
    nn::init::dirac(dirac);
    EXPECT_EQ(eye.to_vector(), (std::vector<double>{1, 0, 0, 0, 1, 0}));
    EXPECT_EQ(dirac.to_vector(), (std::vector<double>{0, 1, 0, 0, 0, 0, 0, 0, 0, //
                                                      0, 0, 0, 0, 1, 0, 0, 0, 0}));
    EXPECT_THROW(nn::init::eye(dirac), ValueError);
    EXPECT_THROW(nn::init::dirac(eye), ValueError);
}

TEST(Init, FollowsPyTorchLive) {
    if (!test::python_has("torch, h5py"))
        GTEST_SKIP() << "no PyTorch with h5py in /usr/bin/python3";
    const auto answer = test::ask_python(R"(
import torch
from torch.nn import init
torch.set_default_dtype(torch.float64)
torch.manual_seed(5)
put('orthogonal', init.orthogonal_(torch.empty(5, 8)))
put('tall', init.orthogonal_(torch.empty(8, 3), gain=2))
put('cut', init.trunc_normal_(torch.empty(50), 0.1, 0.7))
)");
    nn::Generator generator(5);
    const auto compare = [&](const char* name, const Tensor& mine) {
        const std::vector<double> a = mine.to_vector(), b = test::at(answer, name).to_vector();
        ASSERT_EQ(a.size(), b.size());
        for (std::size_t i = 0; i < a.size(); ++i)
            EXPECT_NEAR(a[i], b[i], 1e-12) << name << " " << i;
    };
    Tensor wide = Tensor::empty({5, 8}, DType::Float64),
           tall = Tensor::empty({8, 3}, DType::Float64), cut = Tensor::empty({50}, DType::Float64);
    nn::init::orthogonal(wide, generator);
    nn::init::orthogonal(tall, generator, 2);
    nn::init::trunc_normal(cut, generator, .1, .7);
    compare("orthogonal", wide);
    compare("tall", tall);
    compare("cut", cut);
}

} // namespace
} // namespace wiregrad

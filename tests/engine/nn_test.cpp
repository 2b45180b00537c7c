#include <cstring>

#include <gmock/gmock.h>

#include "engine/core/error.h"
#include "engine/nn/init.h"
#include "engine/nn/layers.h"
#include "engine/op/ops.h"
#include "tests/engine/referee.h"

namespace wiregrad {
namespace {

using nn::Generator;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The layers of the golden, in the order in which they draw.
std::vector<std::pair<std::string, std::shared_ptr<nn::Module>>>
golden_layers(DType dtype = DType::Float32) {
    return {
        {"Linear", std::make_shared<nn::Linear>(7, 5, true, dtype)},
        {"Conv2d", std::make_shared<nn::Conv2d>(nn::Conv2dOptions{.in_channels = 4,
                                                                  .out_channels = 6,
                                                                  .kernel_size = {3, 5},
                                                                  .groups = 2,
                                                                  .dtype = dtype})},
        {"ConvTranspose2d",
         std::make_shared<nn::ConvTranspose2d>(nn::ConvTranspose2dOptions{.in_channels = 4,
                                                                          .out_channels = 6,
                                                                          .kernel_size = {3, 2},
                                                                          .groups = 2,
                                                                          .dtype = dtype})},
        {"BatchNorm2d", std::make_shared<nn::BatchNorm2d>(
                            nn::BatchNormOptions{.num_features = 3, .dtype = dtype})},
        {"LayerNorm", std::make_shared<nn::LayerNorm>(
                          nn::LayerNormOptions{.normalized_shape = {2, 3}, .dtype = dtype})},
        {"Embedding", std::make_shared<nn::Embedding>(5, 7, -2, dtype)},
        {"small Embedding", std::make_shared<nn::Embedding>(3, 3, std::nullopt, dtype)},
        {"last Linear", std::make_shared<nn::Linear>(2, 2, false, dtype)},
    };
}

constexpr const char* kTorchLayers = R"(
import torch
from torch import nn
def layers():
    yield 'Linear', nn.Linear(7, 5)
    yield 'Conv2d', nn.Conv2d(4, 6, (3, 5), groups=2)
    yield 'ConvTranspose2d', nn.ConvTranspose2d(4, 6, (3, 2), groups=2)
    yield 'BatchNorm2d', nn.BatchNorm2d(3)
    yield 'LayerNorm', nn.LayerNorm([2, 3])
    yield 'Embedding', nn.Embedding(5, 7, padding_idx=-2)
    yield 'small Embedding', nn.Embedding(3, 3)
    yield 'last Linear', nn.Linear(2, 2, bias=False)
)";

struct Golden {
    const char *layer, *weight;
    std::int64_t count;
    std::uint32_t first, last; ///< bits
    std::uint64_t sum;         ///< of all bits
};
/// Of PyTorch 1.13.1 after torch.manual_seed(42).
constexpr Golden kGolden[] = {
    {"Linear", "weight", 35, 0x3e93f3aaU, 0xbdfb582dU, 0x107ea69b3dULL},
    {"Linear", "bias", 5, 0x3e6f2b2cU, 0xbdf41f0eU, 0x1b59a2ab9ULL},
    {"Conv2d", "weight", 180, 0x3d48ed95U, 0xbd8e6a89U, 0x5c4d25bde5ULL},
    {"Conv2d", "bias", 6, 0xbdf20441U, 0x3dfa3f8fU, 0x372eea374ULL},
    {"ConvTranspose2d", "weight", 72, 0x3e36dcaeU, 0xbc96a723U, 0x2863134304ULL},
    {"ConvTranspose2d", "bias", 6, 0xbda0c024U, 0xbde720dbU, 0x3f00f3343ULL},
    {"BatchNorm2d", "weight", 3, 0x3f800000U, 0x3f800000U, 0xbe800000ULL},
    {"BatchNorm2d", "bias", 3, 0x00000000U, 0x00000000U, 0x0ULL},
    {"BatchNorm2d", "running_mean", 3, 0x00000000U, 0x00000000U, 0x0ULL},
    {"BatchNorm2d", "running_var", 3, 0x3f800000U, 0x3f800000U, 0xbe800000ULL},
    {"LayerNorm", "weight", 6, 0x3f800000U, 0x3f800000U, 0x17d000000ULL},
    {"LayerNorm", "bias", 6, 0x00000000U, 0x00000000U, 0x0ULL},
    {"Embedding", "weight", 35, 0x3ecebf43U, 0x3d9bfd8cU, 0xf648234e4ULL},
    {"small Embedding", "weight", 9, 0xbf5ce84cU, 0xbecfd7e4U, 0x43851b391ULL},
    {"last Linear", "weight", 4, 0xbeaea7ebU, 0x3f15f36bU, 0x17a8ce147ULL},
};

TEST(InitialWeights, AreThoseOfPyTorchsGolden) {
    Generator generator(42);
    const auto layers = golden_layers();
    std::size_t at = 0;
    for (const auto& [name, layer] : layers) {
        layer->reset_parameters(generator);
        for (const nn::NamedTensor& weight : layer->state()) {
            if (weight.name == "num_batches_tracked") {
                EXPECT_EQ(weight.tensor.item(), 0);
                continue;
            }
            ASSERT_LT(at, std::size(kGolden));
            const Golden& golden = kGolden[at++];
            ASSERT_EQ(name, golden.layer);
            ASSERT_EQ(weight.name, golden.weight);
            ASSERT_EQ(weight.tensor.numel(), golden.count);
            std::uint64_t sum = 0;
            std::vector<std::uint32_t> bits(static_cast<std::size_t>(golden.count));
            std::memcpy(bits.data(), weight.tensor.data<float>(), bits.size() * 4);
            for (const std::uint32_t b : bits)
                sum += b;
            EXPECT_EQ(bits.front(), golden.first) << name << " " << weight.name;
            EXPECT_EQ(bits.back(), golden.last) << name << " " << weight.name;
            EXPECT_EQ(sum, golden.sum) << name << " " << weight.name;
        }
    }
    EXPECT_EQ(at, std::size(kGolden));
}

TEST(InitialWeights, AreThoseOfPyTorchLive) {
    if (!test::python_has("torch, h5py"))
        GTEST_SKIP() << "no PyTorch with h5py in /usr/bin/python3";
    const auto answer = test::ask_python(std::string(kTorchLayers) + R"(
for dtype in (torch.float32, torch.float64):
    torch.set_default_dtype(dtype)
    for seed in (0, 1, 123456789, 98765432123456789):
        torch.manual_seed(seed)
        for name, layer in layers():
            for key, value in layer.state_dict().items():
                put(f'{dtype}/{seed}/{name}/{key}', value.numpy())
)");
    for (const DType dtype : {DType::Float32, DType::Float64})
        for (const std::uint64_t seed : {0ULL, 1ULL, 123456789ULL, 98765432123456789ULL}) {
            Generator generator(seed);
            const std::string prefix =
                "torch." + std::string(name_of(dtype)) + "/" + std::to_string(seed) + "/";
            for (const auto& [name, layer] : golden_layers(dtype)) {
                layer->reset_parameters(generator);
                for (const nn::NamedTensor& weight : layer->state())
                    EXPECT_TRUE(test::same_bits(
                        weight.tensor, test::at(answer, prefix + name + "/" + weight.name)))
                        << prefix << name << "." << weight.name;
            }
        }
}

TEST(Generator, DrawsWhatPyTorchDraws) {
    EXPECT_THAT(Generator(0).randperm(10).to_vector(),
                ElementsAre(4, 1, 7, 5, 3, 9, 0, 8, 6, 2)); // PyTorch, seed 0
    EXPECT_EQ(Generator(5489).random(), 3499211612U); // the reference implementation of mt19937
    if (!test::python_has("torch, h5py"))
        GTEST_SKIP() << "no PyTorch with h5py in /usr/bin/python3";
    const auto answer = test::ask_python(R"(
import torch
torch.manual_seed(7)
for dtype in (torch.float32, torch.float64):
    for n in (1, 2, 3, 15, 16, 17, 31, 32, 100000):
        put(f'{dtype}/normal {n}', torch.empty(n, dtype=dtype).normal_(0.25, 3))
        put(f'{dtype}/uniform {n}', torch.empty(n, dtype=dtype).uniform_(-0.3, 1.7))
        put(f'{dtype}/perm {n}', torch.randperm(n))
)");
    Generator generator(7);
    for (const DType dtype : {DType::Float32, DType::Float64})
        for (const std::int64_t n : {1, 2, 3, 15, 16, 17, 31, 32, 100000}) {
            const std::string prefix = "torch." + std::string(name_of(dtype)) + "/",
                              number = " " + std::to_string(n);
            Tensor x = Tensor::empty({n}, dtype);
            generator.normal_(x, 0.25, 3);
            EXPECT_TRUE(test::same_bits(x, test::at(answer, prefix + "normal" + number)))
                << prefix << n;
            generator.uniform_(x, -0.3, 1.7);
            EXPECT_TRUE(test::same_bits(x, test::at(answer, prefix + "uniform" + number)))
                << prefix << n;
            EXPECT_TRUE(
                test::same_bits(generator.randperm(n), test::at(answer, prefix + "perm" + number)))
                << prefix << n;
        }
}

TEST(Init, FollowsPyTorchsFormulas) {
    if (!test::python_has("torch, h5py"))
        GTEST_SKIP() << "no PyTorch with h5py in /usr/bin/python3";
    const auto answer = test::ask_python(R"(
import torch
from torch.nn import init
torch.manual_seed(3)
w = torch.empty(6, 4, 3, 3)
put('xu', init.xavier_uniform_(w, init.calculate_gain('tanh')))
put('xn', init.xavier_normal_(w, 0.5))
put('ku', init.kaiming_uniform_(w, nonlinearity='relu'))
put('kn', init.kaiming_normal_(w, 0.2, mode='fan_out'))
)");
    Generator generator(3);
    Tensor w = Tensor::empty({6, 4, 3, 3});
    nn::init::xavier_uniform(w, generator, nn::init::gain("tanh"));
    EXPECT_TRUE(test::same_bits(w, test::at(answer, "xu")));
    nn::init::xavier_normal(w, generator, 0.5);
    EXPECT_TRUE(test::same_bits(w, test::at(answer, "xn")));
    nn::init::kaiming_uniform(w, generator, 0, nn::init::Fan::In, "relu");
    EXPECT_TRUE(test::same_bits(w, test::at(answer, "ku")));
    nn::init::kaiming_normal(w, generator, 0.2, nn::init::Fan::Out);
    EXPECT_TRUE(test::same_bits(w, test::at(answer, "kn")));
}

TEST(Init, RefusesWhatHasNoFan) {
    Generator generator;
    Tensor vector = Tensor::empty({4}), integers = Tensor::empty({4}, DType::Int64);
    EXPECT_THROW(nn::init::xavier_uniform(vector, generator), ShapeError);
    EXPECT_THROW(nn::init::uniform(integers, generator), DTypeError);
    EXPECT_THROW((void)nn::init::gain("sine"), ValueError);
    EXPECT_DOUBLE_EQ(nn::init::gain("selu"), 0.75);
}

// --- Module

struct Pair : nn::Module {
    std::shared_ptr<nn::Linear> first = std::make_shared<nn::Linear>(3, 4);
    std::shared_ptr<nn::BatchNorm1d> second =
        std::make_shared<nn::BatchNorm1d>(nn::BatchNormOptions{.num_features = 4});
    Tensor& scale;
    Pair() : scale(add_parameter("scale", Tensor::full({1}, 2))) {
        add_child("first", first);
        add_child("second", second);
        add_child("again", first); // shared weights are one
    }
    Tensors forward(std::span<const Tensor> inputs, const nn::ForwardContext& context) override {
        return second->forward(first->forward(inputs, context), context);
    }
};

std::vector<std::string> names(const std::vector<nn::NamedTensor>& tensors) {
    std::vector<std::string> result;
    for (const auto& entry : tensors)
        result.push_back(entry.name);
    return result;
}

TEST(Module, NamesDepthFirst) {
    const Pair pair;
    EXPECT_THAT(names(pair.parameters()),
                ElementsAre("scale", "first.weight", "first.bias", "second.weight", "second.bias"));
    EXPECT_THAT(names(pair.buffers()), ElementsAre("second.running_mean", "second.running_var",
                                                   "second.num_batches_tracked"));
    EXPECT_THAT(names(pair.state()),
                ElementsAre("scale", "first.weight", "first.bias", "second.weight", "second.bias",
                            "second.running_mean", "second.running_var",
                            "second.num_batches_tracked"));
    for (const auto& parameter : pair.parameters())
        EXPECT_TRUE(parameter.tensor.requires_grad());
    for (const auto& buffer : pair.buffers())
        EXPECT_FALSE(buffer.tensor.requires_grad());
}

TEST(Module, LoadsAllOrNothing) {
    Pair from, to;
    Generator generator(1);
    from.reset_parameters(generator);
    std::vector<nn::NamedTensor> state;
    for (const auto& entry : from.state())
        state.push_back({entry.name, entry.tensor.clone()});
    to.load(state);
    for (std::size_t i = 0; i < state.size(); ++i)
        EXPECT_TRUE(test::same_bits(to.state()[i].tensor, state[i].tensor)) << state[i].name;

    const std::vector<double> before = to.first->parameters()[0].tensor.to_vector();
    auto broken = state;
    broken[1].tensor = Tensor::zeros({4, 3});
    broken.erase(broken.end() - 2); // running_var; older files have no num_batches_tracked
    EXPECT_THROW(to.load(broken), FileError);
    EXPECT_EQ(to.first->parameters()[0].tensor.to_vector(), before);
    broken = state;
    broken[1].tensor = Tensor::zeros({3, 4});
    try {
        to.load(broken);
        ADD_FAILURE() << "loaded a wrong shape";
    } catch (const ShapeError& error) {
        EXPECT_THAT(error.what(), HasSubstr("'first.weight' is [4, 3] here and [3, 4]"));
    }
    broken = state;
    broken.push_back({"third.weight", Tensor::zeros({1})});
    EXPECT_THROW(to.load(broken), FileError);
    to.load({{"scale", Tensor::full({1}, 9)}}, false);
    EXPECT_EQ(to.scale.item(), 9);
    EXPECT_TRUE(to.scale.requires_grad());
}

// --- layers

TEST(Layers, RefuseImpossibleArguments) {
    EXPECT_THROW(nn::Linear(0, 3), ValueError);
    EXPECT_THROW(nn::Conv2d({.in_channels = 3, .out_channels = 4, .groups = 2}), ValueError);
    EXPECT_THROW(nn::Conv2d({.kernel_size = {0, 1}}), ValueError);
    EXPECT_THROW(nn::Conv2d({.stride = {2, 2}, .same_padding = true}), ValueError);
    EXPECT_THROW(nn::ConvTranspose2d({.padding = {-1, 0}}), ValueError);
    EXPECT_THROW(nn::BatchNorm2d({.num_features = 3, .eps = -1}), ValueError);
    EXPECT_THROW(nn::LayerNorm({.normalized_shape = {}}), ValueError);
    EXPECT_THROW(nn::Embedding(3, 4, 3), ValueError);
    EXPECT_THROW(nn::Embedding(3, 4, -4), ValueError);
    EXPECT_THROW(nn::Dropout(1.5), ValueError);
    EXPECT_THROW(nn::Dropout(std::nan("")), ValueError);
    nn::Linear linear(2, 2);
    EXPECT_THROW((void)linear.forward({}, {}), ValueError);
    nn::BatchNorm2d norm({.num_features = 3});
    EXPECT_THROW((void)norm.forward(std::vector{Tensor::zeros({2, 3})}, {}), ShapeError);
    EXPECT_THROW((void)norm.forward(std::vector{Tensor::zeros({2, 4, 1, 1})}, {}), ShapeError);
}

TEST(Layers, KnowTheirShapesWithoutData) {
    const ShapeOnly shapes;
    const auto shape_of = [](nn::Module&& layer, const Shape& shape, DType dtype = DType::Float32) {
        return layer.forward(std::vector{Tensor::empty(shape, dtype)}, {.training = false})
            .at(0)
            .shape();
    };
    EXPECT_EQ(shape_of(nn::Linear(3, 4), {5, 3}), (Shape{5, 4}));
    EXPECT_EQ(shape_of(nn::Conv2d({.in_channels = 3, .out_channels = 8, .kernel_size = {5, 5}}),
                       {2, 3, 28, 28}),
              (Shape{2, 8, 24, 24}));
    EXPECT_EQ(
        shape_of(
            nn::Conv2d(
                {.in_channels = 3, .out_channels = 8, .kernel_size = {4, 3}, .same_padding = true}),
            {2, 3, 28, 28}),
        (Shape{2, 8, 28, 28}));
    EXPECT_EQ(
        shape_of(
            nn::ConvTranspose2d(
                {.in_channels = 3, .out_channels = 8, .kernel_size = {2, 2}, .stride = {2, 2}}),
            {2, 3, 7, 7}),
        (Shape{2, 8, 14, 14}));
    EXPECT_EQ(shape_of(nn::Embedding(10, 6), {2, 4}, DType::Int64), (Shape{2, 4, 6}));
    EXPECT_EQ(shape_of(nn::LayerNorm({.normalized_shape = {6}}), {2, 4, 6}), (Shape{2, 4, 6}));
}

TEST(Layers, ComputeWhatPyTorchComputes) {
    if (!test::python_has("torch, h5py"))
        GTEST_SKIP() << "no PyTorch with h5py in /usr/bin/python3";
    const auto answer = test::ask_python(R"(
import torch
from torch import nn
torch.manual_seed(11)
torch.set_default_dtype(torch.float64)
def show(name, layer, x):
    put(name + '/x', x.numpy())
    put(name + '/y', layer(x).detach().numpy())
show('linear', nn.Linear(5, 3), torch.randn(4, 5))
show('same', nn.Conv2d(2, 4, (4, 3), padding='same', dilation=(1, 2)), torch.randn(2, 2, 7, 9))
show('transpose', nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, output_padding=1), torch.randn(2, 2, 5, 4))
show('norm', nn.BatchNorm2d(3), torch.randn(4, 3, 2, 2))
show('norm1', nn.BatchNorm1d(3), torch.randn(4, 3))
show('layer', nn.LayerNorm([3, 2]), torch.randn(4, 3, 2))
show('embedding', nn.Embedding(7, 3), torch.randint(0, 7, (2, 5)))
)");
    Generator generator(11);
    const auto randn = [&](const Shape& shape) {
        Tensor x = Tensor::empty(shape, DType::Float64);
        generator.normal_(x);
        return x;
    };
    const DType f64 = DType::Float64;
    const auto check = [&](const std::string& name, nn::Module&& layer, const Shape& shape) {
        layer.reset_parameters(generator);
        const Tensor& x = test::at(answer, name + "/x");
        if (!shape.empty()) {
            EXPECT_TRUE(test::same_bits(randn(shape), x)) << name; // the draws are in step
        }
        const std::vector<double> got = layer.forward(std::vector{x}, {}).at(0).to_vector(),
                                  wanted = test::at(answer, name + "/y").to_vector();
        ASSERT_EQ(got.size(), wanted.size()) << name;
        for (std::size_t i = 0; i < got.size(); ++i)
            ASSERT_NEAR(got[i], wanted[i], 1e-12) << name << " " << i;
    };
    check("linear", nn::Linear(5, 3, true, f64), {4, 5});
    check("same",
          nn::Conv2d({.in_channels = 2,
                      .out_channels = 4,
                      .kernel_size = {4, 3},
                      .dilation = {1, 2},
                      .same_padding = true,
                      .dtype = f64}),
          {2, 2, 7, 9});
    check("transpose",
          nn::ConvTranspose2d({.in_channels = 2,
                               .out_channels = 4,
                               .stride = {2, 2},
                               .padding = {1, 1},
                               .output_padding = {1, 1},
                               .dtype = f64}),
          {2, 2, 5, 4});
    check("norm", nn::BatchNorm2d({.num_features = 3, .dtype = f64}), {4, 3, 2, 2});
    check("norm1", nn::BatchNorm1d({.num_features = 3, .dtype = f64}), {4, 3});
    check("layer", nn::LayerNorm({.normalized_shape = {3, 2}, .dtype = f64}), {4, 3, 2});
    check("embedding", nn::Embedding(7, 3, std::nullopt, f64), {});
}

TEST(Layers, DropOnlyInTraining) {
    nn::Dropout dropout(0.5, 3);
    const Tensor x = Tensor::full({1000}, 1);
    EXPECT_TRUE(dropout.forward(std::vector{x}, {.training = false}).at(0).same_body(x));
    nn::ForwardContext context;
    context.state.random = Tensor::from(std::vector<std::int64_t>{5, 1}, {2});
    const std::vector<double> once = dropout.forward(std::vector{x}, context).at(0).to_vector();
    for (const double value : once)
        EXPECT_TRUE(value == 0 || value == 2);
    EXPECT_EQ(dropout.forward(std::vector{x}, context).at(0).to_vector(), once);
    context.state.random = Tensor::from(std::vector<std::int64_t>{5, 2}, {2});
    EXPECT_NE(dropout.forward(std::vector{x}, context).at(0).to_vector(), once);
}

} // namespace
} // namespace wiregrad

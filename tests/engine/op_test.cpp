// The op table against PyTorch's numbers (goldens/ops.json), finite differences, and its own rules.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/autograd/tape.h"
#include "engine/core/config.h"
#include "engine/core/error.h"
#include "tests/engine/op_samples.h"
#include "tests/source_dir.h"

namespace wiregrad {
namespace {

using nlohmann::json;

const json& goldens() {
    static const json value =
        json::parse(std::ifstream(source_dir() + "/tests/engine/goldens/ops.json"));
    return value;
}

DType dtype_named(const std::string& name) {
    for (int i = 0; i < kDTypeCount; ++i) {
        if (name_of(static_cast<DType>(i)) == name) return static_cast<DType>(i);
    }
    throw ValueError("no dtype named " + name);
}

struct Values {
    Shape shape;
    DType dtype;
    std::vector<double> data;
    Tensor tensor() const { return to(Tensor::from(data, shape), dtype); }
};

Values unpack(const json& packed) {
    Values result{{}, dtype_named(packed["dtype"]), {}};
    for (const json& size : packed["shape"])
        result.shape.push_back(size);
    for (const json& value : packed["data"]) {
        result.data.push_back(value.is_string()
                                  ? std::strtod(value.get<std::string>().c_str(), nullptr)
                                  : value.get<double>());
    }
    return result;
}

/// Empty, or the first difference.
std::string difference(const Tensor& actual, const Values& expected, double rtol, double atol) {
    if (actual.shape() != expected.shape)
        return "shape " + actual.shape().str() + " instead of " + expected.shape.str();
    const std::vector<double> values = actual.to_vector();
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double a = values[i], e = expected.data[i];
        if (a == e || (std::isnan(a) && std::isnan(e)) ||
            std::abs(a - e) <= atol + rtol * std::abs(e))
            continue;
        return "element " + std::to_string(i) + ": " + std::to_string(a) + " instead of " +
               std::to_string(e);
    }
    return "";
}

Tensor seed_for(const Tensor& output) {
    std::vector<double> values(static_cast<std::size_t>(output.numel()));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = std::cos(static_cast<double>(i));
    return to(Tensor::from(values, output.shape()), output.dtype());
}

class Golden : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        for (const json& entry : goldens()["cases"]) {
            if (entry["name"] == GetParam()) golden_ = &entry;
        }
        ASSERT_NE(golden_, nullptr)
            << "goldens/ops.json has no case " << GetParam() << ": run tools/make_goldens.py";
        expression_ = test::op_samples().at(GetParam());
        for (const json& input : (*golden_)["inputs"])
            inputs_.push_back(unpack(input).tensor());
    }

    std::vector<Tensor> leaves(DType dtype) const {
        std::vector<Tensor> result;
        for (const Tensor& input : inputs_) {
            result.push_back(is_floating(input.dtype())
                                 ? to(input, dtype).clone().set_requires_grad(true)
                                 : input);
        }
        return result;
    }

    void compare(const std::vector<Tensor>& leaves, double rtol, double atol) const {
        const Tensor output = expression_(leaves);
        EXPECT_EQ(difference(output, unpack((*golden_)["output"]), rtol, atol), "") << "output";
        if (!output.requires_grad()) return;
        const Tensor seed = seed_for(output);
        std::vector<Tensor> wanted;
        for (const Tensor& leaf : leaves) {
            if (leaf.requires_grad()) wanted.push_back(leaf);
        }
        const std::vector<Tensor> gradients = autograd::grad({&output, 1}, wanted, {&seed, 1});
        for (std::size_t i = 0; i < gradients.size(); ++i) {
            const Tensor gradient = gradients[i].defined() ? gradients[i] : zeros_like(wanted[i]);
            EXPECT_EQ(difference(gradient, unpack((*golden_)["grads"][i]), rtol, atol), "")
                << "gradient " << i;
            EXPECT_EQ(gradient.dtype(), wanted[i].dtype());
        }
    }

    const json* golden_ = nullptr;
    test::Expression expression_;
    std::vector<Tensor> inputs_;
};

/// PyTorch's hardsigmoid divides by a 6 rounded to float32, also in float64.
double float64_tolerance(const std::string& name) {
    return name.ends_with("hardsigmoid") ? 1e-7 : 1e-10;
}

TEST_P(Golden, EqualsPyTorchInFloat64) {
    compare(leaves(DType::Float64), float64_tolerance(GetParam()), 1e-12);
}

TEST_P(Golden, EqualsPyTorchInFloat32) {
    compare(leaves(DType::Float32), 5e-6, 1e-5);
}

TEST_P(Golden, IsTheSameForEveryInstructionSet) {
    const Isa before = isa();
    for (const Isa candidate : {Isa::Baseline, Isa::Avx2, Isa::Avx512}) {
        if (candidate > detected_isa()) continue;
        set_isa(candidate);
        compare(leaves(DType::Float32), 5e-6, 1e-5);
    }
    set_isa(before);
}

TEST_P(Golden, WorksOnViewsWithGapsInMemory) {
    // Every input becomes every second element of a larger tensor.
    std::vector<Tensor> spread;
    for (const Tensor& input : leaves(DType::Float64)) {
        if (!is_floating(input.dtype())) {
            spread.push_back(input);
            continue;
        }
        Tensor wide = Tensor::full({input.numel() * 2 + 1}, 99, DType::Float64);
        Strides strides = contiguous_strides(input.shape());
        for (std::int64_t& stride : strides)
            stride *= 2;
        Tensor view = wide.as_strided(input.shape(), strides, 1);
        view.copy_(input.detach());
        spread.push_back(view.set_requires_grad(true));
    }
    compare(spread, float64_tolerance(GetParam()), 1e-12);
}

/// The cases away from kinks, where finite differences and rounded inputs make sense.
class SmoothGolden : public Golden {};

TEST_P(SmoothGolden, GradientsAgreeWithFiniteDifferences) {
    const auto function = [this](const std::vector<Tensor>& x) {
        return std::vector<Tensor>{expression_(x)};
    };
    EXPECT_EQ(autograd::gradcheck(function, inputs_, {.double_backward = true}), "");
}

TEST_P(Golden, ShapeOnlyGivesTheSameShapeWithoutData) {
    std::vector<Tensor> inputs;
    Tensor output;
    {
        const ShapeOnly scope;
        for (const Tensor& input : inputs_)
            inputs.push_back(Tensor::empty(input.shape(), input.dtype()));
        output = expression_(inputs);
    }
    EXPECT_FALSE(output.has_data());
    EXPECT_EQ(output.shape(), unpack((*golden_)["output"]).shape);
    EXPECT_EQ(output.dtype(), expression_(inputs_).dtype());
}

TEST_P(SmoothGolden, WorksInSixteenBits) {
    for (const DType dtype : {DType::Float16, DType::BFloat16}) {
        std::vector<Tensor> rounded, exact;
        for (const Tensor& input : inputs_) {
            rounded.push_back(is_floating(input.dtype()) ? to(input, dtype) : input);
            exact.push_back(is_floating(input.dtype()) ? to(rounded.back(), DType::Float64)
                                                       : input);
        }
        const Tensor output = expression_(rounded);
        const Tensor truth = expression_(exact);
        const double epsilon = dtype == DType::Float16 ? 0x1p-10 : 0x1p-7;
        EXPECT_EQ(output.dtype(), dtype);
        // Composed ops round between their steps: a few units.
        EXPECT_EQ(
            difference(output, {truth.shape(), dtype, truth.to_vector()}, 4 * epsilon, 4 * epsilon),
            "")
            << name_of(dtype);
    }
}

std::vector<std::string> names(bool with_kinks) {
    std::vector<std::string> result;
    for (const auto& [name, expression] : test::op_samples()) {
        if (with_kinks || !name.starts_with("kink_")) result.push_back(name);
    }
    return result;
}

INSTANTIATE_TEST_SUITE_P(Ops, Golden, testing::ValuesIn(names(true)),
                         [](const auto& info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(Ops, SmoothGolden, testing::ValuesIn(names(false)),
                         [](const auto& info) { return info.param; });

TEST(OpTable, EveryGoldenCaseHasAnExpression) {
    for (const json& entry : goldens()["cases"])
        EXPECT_TRUE(test::op_samples().contains(entry["name"])) << entry["name"];
}

TEST(OpTable, RowsAreWhole) {
    std::vector<std::string_view> seen;
    for (const Op* op : op_table()) {
        EXPECT_EQ(std::count(seen.begin(), seen.end(), op->name), 0)
            << op->name << " is listed twice";
        seen.push_back(op->name);
        EXPECT_FALSE(op->help.empty()) << op->name;
        EXPECT_TRUE(op->shape != nullptr || (op->flags & kInPlace) != 0) << op->name;
        EXPECT_TRUE(op->kernel[0] != nullptr || op->view != nullptr) << op->name;
        const bool differentiable = (op->flags & (kNoGrad | kInPlace)) == 0;
        EXPECT_EQ(op->gradient != nullptr, differentiable) << op->name;
        EXPECT_EQ(&find_op(op->name), op);
    }
    EXPECT_THROW(find_op("no_such_op"), ValueError);
}

TEST(OpTable, PromotesLikePyTorch) {
    for (const json& row : goldens()["promotion"]) {
        const Tensor a = Tensor::full(Dims::filled(row[1], 1), 1, dtype_named(row[0]));
        const Tensor b = Tensor::full(Dims::filled(row[3], 1), 1, dtype_named(row[2]));
        EXPECT_EQ(name_of(add(a, b).dtype()), row[4].get<std::string>()) << "add " << row;
        EXPECT_EQ(name_of(div(a, b).dtype()), row[5].get<std::string>()) << "div " << row;
    }
}

TEST(OpTable, ANumberLiftsOnlyTheCategory) {
    const Tensor ints = Tensor::full({2}, 3, DType::Int32);
    EXPECT_EQ(add(ints, 2.0).dtype(), DType::Int32);
    EXPECT_EQ(add(ints, 2.5).dtype(), DType::Float32);
    EXPECT_EQ(add(ints, 2.5).to_vector(), (std::vector<double>{5.5, 5.5}));
    EXPECT_EQ(div(ints, 2.0).to_vector(), (std::vector<double>{1.5, 1.5}));
    EXPECT_EQ(mul(Tensor::full({1}, 1, DType::Float16), 2.5).dtype(), DType::Float16);
    EXPECT_EQ(exp(ints).dtype(), DType::Float32);
    EXPECT_EQ(pow(ints, 3.0).to_vector(), (std::vector<double>{27, 27}));
    EXPECT_EQ(pow(ints, 3.0).dtype(), DType::Int32);
}

TEST(Call, NamesTheOpWithoutAKernel) {
    const ShapeOnly scope; // no such device here: only its name takes part
    const Tensor far = Tensor::empty({2}, DType::Float32, {DeviceType::Cuda, 0});
    const Tensor near = Tensor::empty({2});
    try {
        add(far, near);
        FAIL() << "devices were mixed";
    } catch (const DeviceError& error) {
        EXPECT_NE(error.text().find("add"), std::string::npos) << error.text();
        EXPECT_NE(error.text().find("cuda:0"), std::string::npos) << error.text();
    }
}

TEST(Call, ErrorsNameTheOpAndTheShapes) {
    try {
        mul(Tensor::zeros({2, 3}), Tensor::zeros({4}));
        FAIL() << "shapes do not broadcast";
    } catch (const ShapeError& error) {
        EXPECT_EQ(error.text(),
                  "mul: Shapes [2, 3] and [4] do not broadcast: dimension 1 has sizes 3 and 4.");
    }
    EXPECT_THROW(neg(Tensor::zeros({2}, DType::Bool)), DTypeError);
    EXPECT_THROW(mean(Tensor::zeros({2}, DType::Int64)), DTypeError);
    EXPECT_THROW(where(Tensor::zeros({2}), Tensor::zeros({2}), Tensor::zeros({2})), DTypeError);
    EXPECT_THROW(Attrs({{"a", true}}).at("b"), ValueError);
}

TEST(Call, AnInterpreterSeesEveryOpAndMayHandItDown) {
    struct Spy : Interpreter {
        std::vector<std::string> seen;
        Tensors run(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs) override {
            seen.push_back(std::string(op.name) +
                           (attrs.values().empty() ? "" : " " + attrs.str()));
            return below(op, inputs, attrs);
        }
    } outer, inner;
    Tensor x = Tensor::full({2}, 3).set_requires_grad(true);
    {
        const PushInterpreter first(outer);
        const PushInterpreter second(inner);
        autograd::backward(sum(mul(x, 2)));
    }
    neg(x); // outside
    const std::vector<std::string> expected{"mul_scalar other=2", "sum dims=[0] keepdim=false",
                                            "reshape shape=[1]", "expand shape=[2]",
                                            "mul_scalar other=2"};
    EXPECT_EQ(inner.seen, expected);
    EXPECT_EQ(outer.seen, expected);
    EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{2, 2}));
}

TEST(Call, AKernelCanBePluggedIn) {
    const Kernel before = find_op("logical_not").kernel[0];
    set_kernel("logical_not", {}, [](const KernelCall& c) { c.outputs[0].fill_(1); });
    const std::vector<double> replaced = logical_not(Tensor::full({2}, 5)).to_vector();
    set_kernel("logical_not", {}, before);
    EXPECT_EQ(replaced, (std::vector<double>{1, 1}));
    EXPECT_EQ(logical_not(Tensor::full({2}, 5)).to_vector(), (std::vector<double>{0, 0}));
}

TEST(CostMeter, CountsBytesAndFlops) {
    const Tensor a = Tensor::zeros({10, 20}), b = Tensor::zeros({20});
    Cost outer, inner;
    {
        const CostMeter whole;
        add(a, b);
        {
            const ShapeOnly shapes;
            const CostMeter part;
            sum(a, {0});
            inner = part.total();
        }
        transpose(a, 0, 1);
        outer = whole.total();
    }
    EXPECT_EQ(inner.flops, 200);
    EXPECT_EQ(inner.bytes, (200 + 20) * 4);
    EXPECT_EQ(outer.flops, 200 + 200);
    EXPECT_EQ(outer.bytes, (200 + 20 + 200) * 4 + inner.bytes);
}

TEST(ShapeOnlyMode, TensorsWithoutDataAreRefusedByKernels) {
    Tensor hollow;
    {
        const ShapeOnly scope;
        hollow = Tensor::zeros({3});
    }
    EXPECT_FALSE(ShapeOnly::active());
    EXPECT_THROW(hollow.data<float>(), ValueError);
    EXPECT_THROW(add(hollow, hollow), ValueError);
}

} // namespace
} // namespace wiregrad

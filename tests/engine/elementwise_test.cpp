#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "engine/core/config.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"

namespace wiregrad {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::numeric_limits<double>::quiet_NaN();

struct Function {
    const char* name;
    Tensor (*ours)(const Tensor&);
    double (*truth)(double);
};

const Function kFunctions[] = {
    {"exp", exp, std::exp},
    {"log", log, std::log},
    {"log1p", log1p, std::log1p},
    {"expm1", expm1, std::expm1},
    {"tanh", tanh, std::tanh},
    {"erf", erf, std::erf},
    {"sqrt", sqrt, std::sqrt},
    {"sin", sin, std::sin},
    {"cos", cos, std::cos},
    {"sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }},
    {"rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }},
    {"reciprocal", reciprocal, [](double x) { return 1 / x; }},
    {"exp2", exp2, std::exp2},
    {"log2", log2, std::log2},
    {"log10", log10, std::log10},
    {"tan", tan, std::tan},
    {"asin", asin, std::asin},
    {"acos", acos, std::acos},
    {"atan", atan, std::atan},
    {"sinh", sinh, std::sinh},
    {"cosh", cosh, std::cosh},
    {"asinh", asinh, std::asinh},
    {"acosh", acosh, std::acosh},
    {"atanh", atanh, std::atanh},
    {"erfc", erfc, std::erfc},
};

/// Distance in units of the last place of the exact result; infinite when the kinds differ.
double ulps(float value, double exact) {
    const auto rounded = static_cast<float>(exact);
    if (std::isnan(exact) || std::isnan(value))
        return std::isnan(exact) && std::isnan(value) ? 0 : kInf;
    if (std::isinf(rounded) || std::isinf(value)) return value == rounded ? 0 : kInf;
    if (value == 0 && rounded == 0) return std::signbit(value) == std::signbit(rounded) ? 0 : kInf;
    const float size = std::abs(rounded);
    return std::abs(value - exact) /
           (static_cast<double>(std::nextafter(size, std::numeric_limits<float>::infinity())) -
            size);
}

class EachIsa : public testing::TestWithParam<Isa> {
  protected:
    void SetUp() override {
        if (GetParam() > detected_isa()) GTEST_SKIP() << "this CPU lacks " << name_of(GetParam());
        set_isa(GetParam());
    }
    void TearDown() override { set_isa(before_); }
    Isa before_ = isa();
};

/// Expects every function within two units of the last place on these values.
void check_functions(const std::vector<float>& values) {
    const Tensor x = Tensor::from(values, {static_cast<std::int64_t>(values.size())});
    for (const Function& function : kFunctions) {
        const Tensor y = function.ours(x);
        const float* const results = y.data<float>();
        double worst = 0;
        float at = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            const double distance = ulps(results[i], function.truth(values[i]));
            if (distance > worst) {
                worst = distance;
                at = values[i];
            }
        }
        EXPECT_LE(worst, 2) << function.name << "(" << at << ")";
    }
}

// Half a million float32 values spread over all bit patterns: signs, denormals, infinities and NaNs
// among them. With WIREGRAD_ALL_FLOATS each of the 2^32, which takes an hour and more.
TEST_P(EachIsa, FunctionsAreWithinTwoUlps) {
    const std::uint64_t step = std::getenv("WIREGRAD_ALL_FLOATS") != nullptr ? 1 : 8191;
    std::vector<float> values;
    for (std::uint64_t bits = 0; bits <= 0xffffffffULL; bits += step) {
        values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
        if (values.size() < 4000000) continue;
        check_functions(values);
        values.clear();
    }
    for (float x = -20; x < 20; x += 0.0007F)
        values.push_back(x); // where the functions bend
    for (const float special :
         {0.0F, -0.0F, 1.0F, -1.0F, 88.7F, 88.8F, -87.4F, -103.9F, -104.1F, 4.0F, 9.1F,
          std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
          std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::denorm_min(),
          std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest()}) {
        values.push_back(special);
    }
    check_functions(values);
}

INSTANTIATE_TEST_SUITE_P(Isas, EachIsa, testing::Values(Isa::Baseline, Isa::Avx2, Isa::Avx512),
                         [](const auto& info) { return std::string(name_of(info.param)); });

std::vector<double> of(const Tensor& x) {
    return x.to_vector();
}

Tensor doubles(const std::vector<double>& values) {
    return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

TEST(Elementwise, NanAndInfinityPassAsInPyTorch) {
    for (const DType dtype : {DType::Float32, DType::Float64}) {
        const Tensor x = to(doubles({kNan, kInf, -kInf}), dtype);
        const auto first_is_nan = [](const Tensor& y) { return std::isnan(y.to_vector()[0]); };
        for (const auto f : {relu, silu, mish, sigmoid, selu, relu6, hardsigmoid, hardswish,
                             logsigmoid, abs, neg, floor}) {
            EXPECT_TRUE(first_is_nan(f(x)));
        }
        EXPECT_EQ(of(sign(x))[0], 0);
        EXPECT_EQ(of(relu(x))[1], kInf);
        EXPECT_EQ(of(relu(x))[2], 0);
        EXPECT_EQ(of(sigmoid(x))[2], 0);
        EXPECT_EQ(of(logsigmoid(x))[2], -kInf);
        EXPECT_TRUE(first_is_nan(clamp(x, 0, 1)));
        EXPECT_EQ(of(clamp(x, 0, 1))[1], 1);
        EXPECT_TRUE(first_is_nan(maximum(x, to(doubles({1, 1, 1}), dtype))));
        EXPECT_TRUE(first_is_nan(minimum(to(doubles({1, 1, 1}), dtype), x)));
        EXPECT_EQ(of(isnan(x)), (std::vector<double>{1, 0, 0}));
        EXPECT_EQ(of(isfinite(to(doubles({1, kInf, kNan}), dtype))),
                  (std::vector<double>{1, 0, 0}));
        EXPECT_EQ(of(eq(x, x)), (std::vector<double>{0, 1, 1}));
        EXPECT_EQ(of(ne(x, x)), (std::vector<double>{1, 0, 0}));
    }
}

TEST(Elementwise, RoundsHalfToEven) {
    EXPECT_EQ(of(round(doubles({0.5, 1.5, 2.5, -0.5, -1.5, 2.4}))),
              (std::vector<double>{0, 2, 2, 0, -2, 2}));
    EXPECT_EQ(of(floor(doubles({-0.5, 1.5}))), (std::vector<double>{-1, 1}));
    EXPECT_EQ(of(ceil(doubles({-0.5, 1.5}))), (std::vector<double>{0, 2}));
    EXPECT_EQ(floor(Tensor::full({1}, 3, DType::Int64)).dtype(), DType::Int64);
}

TEST(Elementwise, IntegersStayExact) {
    const std::int64_t big = (std::int64_t{1} << 53) + 1; // not a double
    const Tensor x = Tensor::from(std::vector<std::int64_t>{big, -7}, {2});
    EXPECT_EQ(add(x, x).data<std::int64_t>()[0], 2 * big);
    EXPECT_EQ(maximum(x, Tensor::full({1}, 0, DType::Int64)).data<std::int64_t>()[0], big);
    EXPECT_EQ(relu(x).data<std::int64_t>()[0], big);
    EXPECT_EQ(clamp(x, -kInf, 0).data<std::int64_t>()[1], -7);
    EXPECT_EQ(clamp(x, 0, kInf).data<std::int64_t>()[0], big);
    EXPECT_EQ(of(pow(Tensor::from(std::vector<std::int64_t>{2, -1, 1, 3}, {4}),
                     Tensor::from(std::vector<std::int64_t>{10, -3, -5, -1}, {4}))),
              (std::vector<double>{1024, -1, 1, 0}));
    const Tensor bytes = Tensor::full({1}, 200, DType::UInt8);
    EXPECT_EQ(of(add(bytes, bytes))[0], 144); // wraps, as in PyTorch
    EXPECT_EQ(of(to(doubles({-1.5, 300}), DType::UInt8)), (std::vector<double>{255, 44}));
}

TEST(Elementwise, BoolsAddAsOrAndMultiplyAsAnd) {
    const Tensor a = to(doubles({0, 0, 1, 1}), DType::Bool),
                 b = to(doubles({0, 1, 0, 1}), DType::Bool);
    EXPECT_EQ(of(add(a, b)), (std::vector<double>{0, 1, 1, 1}));
    EXPECT_EQ(of(mul(a, b)), (std::vector<double>{0, 0, 0, 1}));
    EXPECT_EQ(of(logical_not(a)), (std::vector<double>{1, 1, 0, 0}));
    EXPECT_EQ(lt(a, b).dtype(), DType::Bool);
    EXPECT_THROW(sub(a, b), DTypeError);
}

TEST(Elementwise, ZeroSizesAndZeroDimensionsWork) {
    EXPECT_EQ(add(Tensor::zeros({0, 3}), Tensor::zeros({3})).shape(), (Shape{0, 3}));
    EXPECT_EQ(add(Tensor::scalar(2), Tensor::scalar(3)).item(), 5);
    EXPECT_EQ(mul(Tensor::zeros({0}), 2).numel(), 0);
    EXPECT_EQ(exp(Tensor::zeros({2, 0, 3})).shape(), (Shape{2, 0, 3}));
}

// Large enough for several threads and every path of the loop driver; the truth is a plain loop.
TEST(Elementwise, LargeBroadcastsEqualAPlainLoopForEveryThreadCount) {
    const std::int64_t rows = 301, columns = 509;
    std::vector<float> a(static_cast<std::size_t>(rows * columns)),
        b(static_cast<std::size_t>(columns)), c(static_cast<std::size_t>(rows));
    for (std::size_t i = 0; i < a.size(); ++i)
        a[i] = static_cast<float>(i % 1013) - 500;
    for (std::size_t i = 0; i < b.size(); ++i)
        b[i] = static_cast<float>(i) * 0.5F;
    for (std::size_t i = 0; i < c.size(); ++i)
        c[i] = static_cast<float>(i) * 0.25F;
    const Tensor ta = Tensor::from(a, {rows, columns}), tb = Tensor::from(b, {columns}),
                 tc = Tensor::from(c, {rows, 1});
    const int before = num_threads();
    for (const int threads : {1, 2, 5}) {
        set_num_threads(threads);
        const Tensor sum = add(add(ta, tb), tc);
        const Tensor turned =
            add(transpose(ta, 0, 1), transpose(tc, 0, 1)); // [columns, rows], strided
        const Tensor outer = mul(tc, tb);
        for (std::int64_t r = 0; r < rows; ++r) {
            for (std::int64_t k = 0; k < columns; ++k) {
                const auto at = static_cast<std::size_t>(r * columns + k);
                const auto row = static_cast<std::size_t>(r), column = static_cast<std::size_t>(k);
                ASSERT_EQ(sum.data<float>()[at], a[at] + b[column] + c[row]);
                ASSERT_EQ(turned.data<float>()[k * rows + r], a[at] + c[row]);
                ASSERT_EQ(outer.data<float>()[at], c[row] * b[column]);
            }
        }
    }
    set_num_threads(before);
}

TEST(Elementwise, EveryFloatingOpFollowsItsOwnFloat64Form) {
    // A plain vectorised length, with a tail, so that vector body and rest both run.
    std::vector<double> values;
    for (int i = 0; i < 1003; ++i)
        values.push_back(-6 + 0.0119 * i);
    const Tensor wide = doubles(values), narrow = to(wide, DType::Float32);
    for (const auto f : {exp, expm1, tanh, erf, sigmoid, silu, mish, selu, hardsigmoid, hardswish,
                         logsigmoid, relu, relu6, square}) {
        const std::vector<double> a = of(f(to(narrow, DType::Float64))), b = of(f(narrow));
        for (std::size_t i = 0; i < a.size(); ++i)
            ASSERT_NEAR(a[i], b[i], 1e-6 * std::max(1.0, std::abs(a[i]))) << values[i];
    }
}

TEST(Elementwise, CreationFollowsItsModel) {
    const Tensor x = Tensor::full({2, 3}, 5, DType::Float64);
    EXPECT_EQ(zeros_like(x).dtype(), DType::Float64);
    EXPECT_EQ(of(ones_like(x)), std::vector<double>(6, 1));
    EXPECT_EQ(of(arange(4)), (std::vector<double>{0, 1, 2, 3}));
    EXPECT_EQ(arange(3, DType::Float32).dtype(), DType::Float32);
    EXPECT_THROW(arange(-1), ShapeError);
}

} // namespace
} // namespace wiregrad

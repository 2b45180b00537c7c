// What is always on (rung 12): every elementwise row and reduction on sizes of zero, no dimensions,
// broadcast and spread memory, with NaN and infinities in between, and no byte outside its block
// written.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "engine/core/error.h"
#include "engine/op/tensor_ops.h"

namespace wiregrad {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::numeric_limits<double>::quiet_NaN();

/// Attributes with which each elementwise row can run.
Attrs attributes(std::string_view row) {
    if (row == "clamp" || row == "hardtanh") return {{"min", -0.5}, {"max", 0.8}};
    if (row.starts_with("leaky_relu")) return {{"negative_slope", 0.1}};
    if (row.starts_with("elu")) return {{"alpha", 1.2}, {"scale", 1.1}, {"input_scale", 0.9}};
    if (row.starts_with("softplus")) return {{"beta", 2.0}, {"threshold", 3.0}};
    if (row.ends_with("shrink")) return {{"lambd", 0.5}};
    if (row == "threshold") return {{"threshold", 0.2}, {"value", 7.0}};
    if (row == "pow_scalar") return {{"exponent", 3.0}};
    if (row.ends_with("_scalar")) return {{"other", 0.7}};
    return {};
}

struct Row {
    const Op* op;
    std::size_t inputs;
};
/// The rows that a functor stands behind.
std::vector<Row> functor_rows() {
    std::vector<Row> rows;
    for (const Op* op : op_table()) {
        if (op->functor.kind == Functor::Kind::Unary) rows.push_back({op, 1});
        if (op->functor.kind == Functor::Kind::Binary) rows.push_back({op, 2});
    }
    return rows;
}

bool takes_floats(const Op& op) {
    return !op.name.starts_with("bitwise");
}

Tensor run(const Row& row, const Tensor& a, const Tensor& b) {
    const Tensor inputs[] = {a, b};
    return call(*row.op, std::span(inputs).first(row.inputs), attributes(row.op->name))[0];
}

Tensor ramp(const Shape& shape, DType dtype) {
    std::vector<double> values(static_cast<std::size_t>(numel(shape)));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = std::fmod(0.37 * static_cast<double>(i + 1), 1.9) - 0.9;
    return to(Tensor::from(values, shape), dtype);
}

void expect_same(const Tensor& a, const Tensor& b, std::string_view row, const char* what) {
    ASSERT_EQ(a.shape(), b.shape()) << row << ", " << what;
    const auto x = a.to_vector(), y = b.to_vector();
    for (std::size_t i = 0; i < x.size(); ++i)
        ASSERT_TRUE(x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i])))
            << row << ", " << what << ", element " << i << ": " << x[i] << " and " << y[i];
}

TEST(OddInputs, ElementwiseRowsTakeEmptyScalarBroadcastAndSpreadTensors) {
    ASSERT_GT(functor_rows().size(), 100u);
    for (const Row& row : functor_rows()) {
        if (!takes_floats(*row.op)) continue;
        for (const DType dtype : {DType::Float32, DType::Float64}) {
            const Tensor empty = Tensor::zeros({0, 3}, dtype), line = ramp({3}, dtype),
                         dot = ramp({}, dtype);
            EXPECT_EQ(run(row, empty, line).shape(), (Shape{0, 3})) << row.op->name;
            EXPECT_EQ(run(row, dot, dot).shape(), Shape{}) << row.op->name;
            // a column against a line, and the same spelled out
            const Tensor column = ramp({4, 1}, dtype);
            const Shape both{4, 3};
            const Tensor wide =
                run(row, contiguous(expand(column, both)), contiguous(expand(line, both)));
            if (row.inputs == 2)
                expect_same(run(row, column, line), wide, row.op->name, "broadcast");
            expect_same(run(row, expand(column, both), expand(line, both)), wide, row.op->name,
                        "stride 0");
            // turned around in memory
            const Tensor turned =
                transpose(contiguous(transpose(expand(column, both), 0, 1)), 0, 1);
            expect_same(run(row, turned, contiguous(expand(line, both))), wide, row.op->name,
                        "transposed");
        }
    }
}

TEST(OddInputs, ElementwiseRowsGiveTheSameInFloat16WithinItsRounding) {
    for (const Row& row : functor_rows()) {
        if (!takes_floats(*row.op)) continue;
        const Tensor a = ramp({17}, DType::Float16), b = abs(ramp({17}, DType::Float16));
        const Tensor half = run(row, a, b),
                     exact = run(row, to(a, DType::Float32), to(b, DType::Float32));
        EXPECT_EQ(half.dtype(), exact.dtype() == DType::Bool ? DType::Bool : DType::Float16)
            << row.op->name;
        expect_same(half, to(to(exact, half.dtype()), half.dtype()), row.op->name, "float16");
    }
}

TEST(OddInputs, NaNComesOutWhereItGoesIn) {
    // what answers yes or no, forgets its argument or picks a branch by it
    const std::set<std::string_view> deaf{"sign",
                                          "prelu",
                                          "relu_backward",
                                          "leaky_relu_backward",
                                          "elu_backward",
                                          "softplus_backward",
                                          "hardswish_backward"};
    for (const Row& row : functor_rows()) {
        if (!takes_floats(*row.op) || (row.op->flags & kNoGrad) != 0) continue;
        for (const DType dtype : {DType::Float32, DType::Float64}) {
            const Tensor nan = Tensor::full({5}, kNan, dtype), one = ramp({5}, dtype);
            if (deaf.contains(row.op->name)) {
                if (row.inputs == 2) {
                    EXPECT_TRUE(std::isnan(run(row, nan, abs(one)).to_vector()[0])) << row.op->name;
                }
                continue;
            }
            EXPECT_TRUE(std::isnan(run(row, nan, one).to_vector()[0])) << row.op->name;
            if (row.inputs == 2) {
                EXPECT_TRUE(std::isnan(run(row, add(abs(one), 1), nan).to_vector()[0]))
                    << row.op->name;
            }
        }
    }
}

TEST(OddInputs, ReductionsAndScansLetNaNAndInfinityThrough) {
    const Tensor x = Tensor::from(std::vector<double>{1, kNan, 2, kInf, -kInf, 3}, {2, 3});
    for (const auto f : {sum, mean, amax, amin, prod}) {
        const auto values = f(x, {1}, false).to_vector();
        EXPECT_TRUE(std::isnan(values[0]));
    }
    EXPECT_EQ(amax(x, {1}).to_vector()[1], kInf);
    EXPECT_EQ(amin(x, {1}).to_vector()[1], -kInf);
    EXPECT_TRUE(std::isnan(sum(x, {1}).to_vector()[1]));
    EXPECT_EQ(argmax(x, 1).to_vector(), (std::vector<double>{1, 0}));
    const auto running = cumsum(x, 1).to_vector();
    EXPECT_EQ(running[0], 1);
    EXPECT_TRUE(std::isnan(running[2]));
    EXPECT_EQ(running[3], kInf);
    EXPECT_TRUE(std::isnan(cummax(x, 1).values.to_vector()[2]));
    EXPECT_TRUE(std::isnan(sort(x, 1).values.to_vector()[2])); // NaN counts as the largest
    EXPECT_TRUE(std::isnan(median(x, 1).values.to_vector()[0]));
    EXPECT_TRUE(std::isnan(logcumsumexp(x, 1).to_vector()[1]));
}

TEST(OddInputs, NothingIsWrittenOutsideTheOutput) {
    // The output lies between numbers that must stay.
    for (const Row& row : functor_rows()) {
        if (!takes_floats(*row.op)) continue;
        for (const std::int64_t count : {1, 7, 8, 31, 33, 100}) {
            const Tensor a = ramp({count}, DType::Float32), b = abs(ramp({count}, DType::Float32));
            const bool yes_or_no = run(row, a, b).dtype() == DType::Bool;
            const DType dtype = yes_or_no ? DType::Bool : DType::Float32;
            Tensor whole = Tensor::full({count + 64}, yes_or_no ? 1 : 12345, dtype);
            Tensor inside = whole.as_strided({count}, {1}, 32);
            const Tensor inputs[] = {a, b};
            Tensor outputs[] = {inside};
            const Attrs attrs = attributes(row.op->name);
            row.op->kernel[0]({*row.op, attrs, std::span(inputs).first(row.inputs), outputs});
            const auto values = whole.to_vector();
            for (std::size_t i = 0; i < values.size(); ++i) {
                if (i >= 32 && i < 32 + static_cast<std::size_t>(count)) continue;
                ASSERT_EQ(values[i], yes_or_no ? 1 : 12345) << row.op->name << ", " << count;
            }
        }
    }
}

TEST(OddInputs, RandomSlopesDependOnSeedStepAndStreamOnly) {
    const Tensor x = Tensor::full({1000}, -1, DType::Float32);
    const auto random = [](std::int64_t seed, std::int64_t step) {
        return Tensor::from(std::vector<std::int64_t>{seed, step}, {2});
    };
    const auto slopes = [&](std::int64_t seed, std::int64_t step, std::int64_t stream) {
        return rrelu(x, 0.125, 1.0 / 3, true, random(seed, step), stream).to_vector();
    };
    EXPECT_EQ(slopes(1, 2, 3), slopes(1, 2, 3));
    EXPECT_NE(slopes(1, 2, 3), slopes(1, 3, 3));
    EXPECT_NE(slopes(1, 2, 3), slopes(1, 2, 4));
    EXPECT_NE(slopes(1, 2, 3), slopes(2, 2, 3));
    double total = 0;
    for (const double value : slopes(1, 2, 3)) {
        EXPECT_LE(value, -0.125);
        EXPECT_GT(value, -1.0 / 3);
        total += value;
    }
    EXPECT_NEAR(total / 1000, -(0.125 + 1.0 / 3) / 2, 0.01);
}

} // namespace
} // namespace wiregrad

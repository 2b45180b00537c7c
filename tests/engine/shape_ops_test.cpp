#include <limits>

#include <gtest/gtest.h>

#include "engine/core/error.h"
#include "engine/core/tensor_body.h"
#include "engine/op/ops.h"

namespace wiregrad {
namespace {

Tensor counted(const Shape& shape) {
    return reshape(arange(numel(shape), DType::Float32), shape);
}

TEST(Views, ShareStorage) {
    const Tensor x = counted({2, 3, 4});
    for (const Tensor& view :
         {reshape(x, {6, 4}), permute(x, {2, 0, 1}), transpose(x, 0, 1),
          expand(unsqueeze(x, 0), {5, 2, 3, 4}), slice(x, 1, 0, 2), select(x, 0, 0), flatten(x),
          unsqueeze(x, 3), squeeze(unsqueeze(x, 1), 1)}) {
        EXPECT_EQ(view.body()->storage, x.body()->storage) << view.shape().str();
    }
    Tensor row = select(x, 0, 1);
    row.fill_(-1);
    EXPECT_EQ(x.data<float>()[12], -1);
    EXPECT_EQ(x.data<float>()[11], 11);
}

TEST(Reshape, ViewsWhereItCanAndCopiesWhereItMust) {
    const Tensor x = counted({2, 3, 4});
    const Tensor turned = permute(x, {1, 0, 2}); // [3, 2, 4]
    const Tensor split = reshape(turned, {3, 2, 2, 2});
    EXPECT_EQ(split.body()->storage, x.body()->storage);
    EXPECT_EQ(split.to_vector(), turned.to_vector());
    const Tensor merged = reshape(turned, {6, 4});
    EXPECT_NE(merged.body()->storage, x.body()->storage);
    EXPECT_EQ(merged.to_vector(), turned.to_vector());
    const Tensor gaps = slice(x, 2, 0, 4, 2); // every second column: rows can still merge
    EXPECT_EQ(reshape(gaps, {12}).to_vector(), gaps.to_vector());
    EXPECT_EQ(reshape(gaps, {12}).body()->storage, x.body()->storage);
    const Tensor wide = expand(counted({3, 1}), {3, 4});
    EXPECT_EQ(reshape(wide, {12}).to_vector(), wide.to_vector());
    EXPECT_EQ(reshape(counted({1, 3, 1, 2}), {3, 1, 1, 2, 1}).to_vector(),
              counted({6}).to_vector());
    EXPECT_EQ(reshape(transpose(counted({3, 1}), 0, 1), {3}).to_vector(),
              (std::vector<double>{0, 1, 2}));
}

// Every way to cut a strided tensor of 24 elements into up to four sizes keeps the elements in
// order.
TEST(Reshape, KeepsTheOrderForEveryShape) {
    const Tensor base = counted({2, 3, 4});
    const Tensor sources[] = {base,
                              permute(base, {0, 2, 1}),
                              permute(base, {2, 1, 0}),
                              permute(base, {1, 2, 0}),
                              unsqueeze(permute(base, {1, 0, 2}), 1),
                              slice(counted({4, 3, 4}), 0, 0, 4, 2),
                              slice(counted({2, 3, 8}), 2, 1, 8, 2),
                              slice(counted({2, 6, 4}), 1, 1, 6, 2)};
    for (const Tensor& x : sources) {
        const std::vector<double> expected = x.to_vector();
        for (std::int64_t a = 1; a <= 24; ++a) {
            for (std::int64_t b = 1; 24 % a == 0 && b <= 24 / a; ++b) {
                for (std::int64_t c = 1; 24 / a % b == 0 && c <= 24 / a / b; ++c) {
                    if (24 / a / b % c != 0) continue;
                    const Shape shape{a, b, c, 24 / a / b / c};
                    ASSERT_EQ(reshape(x, shape).to_vector(), expected)
                        << x.shape().str() << x.strides().str() << " to " << shape.str();
                }
            }
        }
    }
}

TEST(Reshape, RefusesWhatDoesNotFit) {
    const Tensor x = counted({2, 3});
    EXPECT_THROW(reshape(x, {4}), ShapeError);
    EXPECT_THROW(reshape(x, {4, -1}), ShapeError);
    EXPECT_THROW(reshape(x, {-1, -1}), ShapeError);
    EXPECT_THROW(reshape(x, {-2, 3}), ShapeError);
    EXPECT_THROW(reshape(Tensor::zeros({0}), {0, -1}), ShapeError);
    EXPECT_EQ(reshape(Tensor::zeros({0, 3}), {3, -1}).shape(), (Shape{3, 0}));
    EXPECT_EQ(reshape(Tensor::scalar(2), {1, 1}).shape(), (Shape{1, 1}));
    EXPECT_EQ(flatten(Tensor::scalar(2)).shape(), (Shape{1}));
}

TEST(ShapeOps, ASliceMayHaveAnyStep) {
    const Tensor row = arange(10);
    constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
    EXPECT_EQ(slice(row, 0, 3, 10, kHuge).to_vector(), (std::vector<double>{3}));
    EXPECT_EQ(slice(row, 0, 0, 10, 9).to_vector(), (std::vector<double>{0, 9}));
    EXPECT_EQ(slice(row, 0, 10, 10, kHuge).numel(), 0);
}

TEST(ShapeOps, RefuseBadDimensions) {
    const Tensor x = counted({2, 3});
    EXPECT_THROW(permute(x, {0}), ShapeError);
    EXPECT_THROW(permute(x, {0, 0}), ShapeError);
    EXPECT_THROW(transpose(x, 0, 2), ShapeError);
    EXPECT_THROW(expand(x, {2, 4}), ShapeError);
    EXPECT_THROW(expand(x, {3}), ShapeError);
    EXPECT_THROW(select(x, 1, 3), ValueError);
    EXPECT_THROW(slice(x, 0, 0, 2, 0), ValueError);
    EXPECT_THROW(flatten(x, 1, 0), ShapeError);
    EXPECT_THROW(cat({}, 0), ShapeError);
    const Tensor uneven[] = {x, counted({3, 3})};
    EXPECT_THROW(cat(uneven, 1), ShapeError);
    EXPECT_THROW(stack(uneven), ShapeError);
    EXPECT_THROW(pad(x, {1}), ShapeError);
    EXPECT_THROW(pad(x, {-2, -2}), ShapeError);
    EXPECT_THROW(flip(x, {0, 0}), ShapeError);
    EXPECT_THROW(unsqueeze(Tensor::zeros(Dims::filled(8, 1)), 0), ShapeError);
}

TEST(Indexing, NamesAnIndexOutOfRange) {
    const Tensor x = counted({2, 3});
    const Tensor bad = Tensor::from(std::vector<std::int64_t>{0, 3}, {2});
    for (const auto& f :
         {std::function<void()>([&] { index_select(x, 1, bad); }),
          std::function<void()>([&] { one_hot(bad, 3); }), std::function<void()>([&] {
              gather(x, 1, reshape(bad, {1, 2}));
          })}) {
        try {
            f();
            FAIL() << "index 3 of 3 was accepted";
        } catch (const ValueError& error) {
            EXPECT_NE(error.text().find("index 3 at position 1 is outside 0 to 2"),
                      std::string::npos)
                << error.text();
        }
    }
    EXPECT_THROW(index_select(x, 0, to(bad, DType::Int32)), DTypeError);
    EXPECT_THROW(gather(x, 0, bad), ShapeError);
}

TEST(Indexing, OneHotCountsClasses) {
    const Tensor hot = one_hot(Tensor::from(std::vector<std::int64_t>{2, 0}, {2}), 3);
    EXPECT_EQ(hot.shape(), (Shape{2, 3}));
    EXPECT_EQ(hot.dtype(), DType::Int64);
    EXPECT_EQ(hot.to_vector(), (std::vector<double>{0, 0, 1, 1, 0, 0}));
}

TEST(Cat, JoinsManyAndPromotes) {
    Tensors parts;
    for (int i = 0; i < 70; ++i)
        parts.push_back(Tensor::full({1, 2}, i)); // more than one mask of inputs
    const Tensor all = cat(parts, 0);
    EXPECT_EQ(all.shape(), (Shape{70, 2}));
    for (int i = 0; i < 70; ++i)
        ASSERT_EQ(all.data<float>()[2 * i + 1], i);
    const Tensor mixed[] = {Tensor::full({1}, 1, DType::Int64), Tensor::full({2}, 0.5)};
    EXPECT_EQ(cat(mixed).to_vector(), (std::vector<double>{1, 0.5, 0.5}));
    const Tensor with_empty[] = {Tensor::zeros({0, 2}), Tensor::full({1, 2}, 3)};
    EXPECT_EQ(cat(with_empty).shape(), (Shape{1, 2}));
}

TEST(ShapeOps, KeepEveryDType) {
    for (int i = 0; i < kDTypeCount; ++i) {
        const Tensor x = to(arange(6), static_cast<DType>(i));
        const std::vector<double> v = x.to_vector();
        EXPECT_EQ(flip(x, {0}).to_vector(), std::vector<double>(v.rbegin(), v.rend()))
            << name_of(x.dtype());
        EXPECT_EQ(pad(x, {1, 0}, 1).to_vector().front(), 1);
        EXPECT_EQ(contiguous(transpose(reshape(x, {2, 3}), 0, 1)).to_vector()[1], v[3]);
        EXPECT_EQ(where(Tensor::full({1}, 1, DType::Bool), x, x).to_vector(), v);
        EXPECT_EQ(masked_fill(x, Tensor::full({1}, 1, DType::Bool), 1).to_vector(),
                  std::vector<double>(6, 1));
    }
}

} // namespace
} // namespace wiregrad

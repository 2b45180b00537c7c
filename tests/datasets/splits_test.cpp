#include <cmath>
#include <cstring>
#include <set>

#include <gmock/gmock.h>

#include "datasets/sources/memory_dataset.h"
#include "engine/core/error.h"
#include "tests/datasets/helpers.h"

namespace wiregrad::data {
namespace {

using test::floats;
using test::label;
using test::message;
using testing::HasSubstr;

/// Samples 0 .. count-1, each holding its own number, so that one can see which are where.
DatasetPtr numbered(std::int64_t count) {
    std::vector<float> x;
    std::vector<std::int64_t> y;
    for (std::int64_t i = 0; i < count; ++i) {
        x.push_back(static_cast<float>(i));
        y.push_back(i % 3);
    }
    return memory_dataset(
        {{.name = "x", .shape = {1}, .kind = FieldKind::Vector},
         {.name = "y", .shape = {}, .dtype = DType::Int64, .kind = FieldKind::Label, .classes = 3}},
        {Column::of<float>(x), Column::of<std::int64_t>(y)}, count, "numbers");
}

std::multiset<std::uint64_t> hashes(const DatasetPtr& dataset) {
    std::multiset<std::uint64_t> result;
    for (std::int64_t i = 0; dataset && i < dataset->size(); ++i)
        result.insert(content_hash(*dataset, i));
    return result;
}

std::string csv_of(const std::vector<std::pair<double, int>>& rows) {
    std::string text = "a,label\n";
    for (const auto& [a, y] : rows)
        text += std::to_string(a) + "," + (y ? "yes" : "no") + "\n";
    return text;
}

TEST(Views, SubsetConcatenatedAndMapped) {
    const DatasetPtr base = numbered(10);
    const DatasetPtr some = subset(base, {7, 2, 2});
    ASSERT_EQ(some->size(), 3);
    EXPECT_EQ(floats(*some, 0)[0], 7);
    EXPECT_EQ(floats(*some, 2)[0], 2);
    EXPECT_EQ(label(*some, 0), 1);
    const DatasetPtr both = concatenated({some, base});
    ASSERT_EQ(both->size(), 13);
    EXPECT_EQ(floats(*both, 2)[0], 2);
    EXPECT_EQ(floats(*both, 3)[0], 0);
    EXPECT_EQ(floats(*both, 12)[0], 9);
    const DatasetPtr doubled = mapped(both, both->fields(), [](std::int64_t, Row row) {
        float value;
        std::memcpy(&value, row[0].data(), sizeof(value));
        value *= 2;
        std::memcpy(row[0].data(), &value, sizeof(value));
    });
    EXPECT_EQ(floats(*doubled, 0)[0], 14);
    EXPECT_THROW(subset(base, {10}), ValueError);
    EXPECT_THROW(concatenated({}), ValueError);
}

TEST(Views, NormalizationIsThatOfAHandComputation) {
    // Channels of [2, 1, 2] pictures: 0, 51, 102, 153 and 0, 0, 0, 255.
    const std::vector<std::uint8_t> pixels = {0, 51, 0, 0, 102, 153, 0, 255};
    const DatasetPtr images =
        memory_dataset({{.name = "x", .shape = {2, 1, 2}, .kind = FieldKind::Image}},
                       {Column::of<std::uint8_t>(pixels)}, 2, "two");
    const Normalization n = statistics(*images);
    ASSERT_EQ(n.mean.size(), 2u);
    EXPECT_NEAR(n.mean[0], 0.3, 1e-7);
    EXPECT_NEAR(n.std[0], std::sqrt((0.09 + 0.01 + 0.01 + 0.09) / 4), 1e-7);
    EXPECT_NEAR(n.mean[1], 0.25, 1e-7);
    const DatasetPtr standard = normalized(images, n);
    EXPECT_NEAR(floats(*standard, 0)[0], -0.3 / std::sqrt(0.05), 1e-6);
    EXPECT_NEAR(floats(*standard, 1)[1], 0.3 / std::sqrt(0.05), 1e-6);
    EXPECT_NEAR(standard->fields()[0].max, std::max(0.7 / n.std[0], 0.75 / n.std[1]), 1e-6);
}

TEST(Views, ConstantFeaturesAndLargeOffsetsAreNormalised) {
    const std::vector<float> x = {5, 16777210, 5, 16777212, 5, 16777214};
    const DatasetPtr data = memory_dataset({{.name = "x", .shape = {2}, .kind = FieldKind::Vector}},
                                           {Column::of<float>(x)}, 3, "");
    const Normalization n = statistics(*data);
    EXPECT_EQ(n.std[0], 1);
    EXPECT_NEAR(n.mean[1], 16777212, 1e-6);
    EXPECT_NEAR(n.std[1], std::sqrt(8.0 / 3), 1e-6);
}

TEST(Views, NanIsNamedBySample) {
    const std::vector<float> x = {1, 2, NAN, 4};
    const DatasetPtr data = memory_dataset({{.name = "x", .shape = {1}, .kind = FieldKind::Vector}},
                                           {Column::of<float>(x)}, 4, "");
    EXPECT_THAT(message<DataError>([&] { statistics(*data); }), HasSubstr("sample 2"));
}

TEST(Batches, RowsAreTheSamplesAsked) {
    const DatasetPtr base = numbered(10);
    const std::vector<std::int64_t> order = {3, 9, 3};
    const std::vector<Tensor> batch = read_batch(*base, order);
    ASSERT_EQ(batch.size(), 2u);
    EXPECT_EQ(batch[0].shape(), Shape({3, 1}));
    EXPECT_EQ(batch[1].shape(), Shape({3}));
    EXPECT_EQ(batch[0].to_vector(), (std::vector<double>{3, 9, 3}));
    EXPECT_EQ(batch[1].to_vector(), (std::vector<double>{0, 0, 0}));
    const std::vector<std::int64_t> wrong = {10};
    EXPECT_THROW(read_batch(*base, wrong), ValueError);
    std::vector<Tensor> small = {Tensor::empty({1, 1}), Tensor::empty({1}, DType::Int64)};
    EXPECT_THROW(read_batch(*base, order, small), ShapeError);
}

TEST(Labels, OutOfRangeIsNamedBySample) {
    const std::vector<float> x = {1, 2, 3};
    const std::vector<std::int64_t> y = {0, 3, 1};
    const std::string text = message<DataError>([&] {
        memory_dataset({{.name = "x", .shape = {1}},
                        {.name = "y",
                         .shape = {},
                         .dtype = DType::Int64,
                         .kind = FieldKind::Label,
                         .classes = 3}},
                       {Column::of<float>(x), Column::of<std::int64_t>(y)}, 3, "file");
    });
    EXPECT_THAT(text, HasSubstr("sample 1"));
    EXPECT_THAT(text, HasSubstr("label 3"));
    EXPECT_THAT(text, HasSubstr("0 to 2"));
}

TEST(Splits, AreDisjointCompleteAndRepeatable) {
    const DatasetSpec spec{
        .source = "iris", .seed = 4, .validation_fraction = 0.2, .test_fraction = 0.3};
    const Splits a = open(spec), b = open(spec);
    // Copies among the flowers stay together, so that the sizes may be off by them.
    EXPECT_NEAR(static_cast<double>(a.test->size()), 45, 3);
    EXPECT_NEAR(static_cast<double>(a.validation->size()), 21, 3);
    EXPECT_EQ(a.train->size() + a.validation->size() + a.test->size(), 150);
    EXPECT_EQ(hashes(a.train), hashes(b.train));
    EXPECT_EQ(hashes(a.test), hashes(b.test));
    std::multiset<std::uint64_t> all;
    for (const DatasetPtr& part : {a.train, a.validation, a.test})
        for (const std::uint64_t h : hashes(part))
            all.insert(h);
    EXPECT_EQ(all,
              hashes(open({.source = "iris", .validation_fraction = 0, .test_fraction = 0}).train));
    for (const std::uint64_t h : hashes(a.train)) {
        EXPECT_EQ(hashes(a.test).count(h), 0u);
        EXPECT_EQ(hashes(a.validation).count(h), 0u);
    }
    DatasetSpec other = spec;
    other.seed = 5;
    EXPECT_NE(hashes(open(other).test), hashes(a.test));
}

TEST(Splits, CopiesNeverCrossFromOneSplitToAnother) {
    // 300 rows, only 100 of them different.
    std::vector<std::pair<double, int>> rows;
    for (int i = 0; i < 300; ++i)
        rows.emplace_back(i % 100, i % 2);
    const test::TempFolder folder;
    test::write(folder / "copies.csv", csv_of(rows));
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const Splits splits = open({.source = "csv", .path = folder / "copies.csv", .seed = seed});
        EXPECT_EQ(splits.duplicates, 200);
        EXPECT_THAT(splits.notes, testing::Contains(HasSubstr("200 samples are exact copies")));
        EXPECT_EQ(splits.train->size() + splits.validation->size() + splits.test->size(), 300);
        const auto train = hashes(splits.train), validation = hashes(splits.validation),
                   tested = hashes(splits.test);
        for (const std::uint64_t h : tested) {
            ASSERT_EQ(train.count(h), 0u);
            ASSERT_EQ(validation.count(h), 0u);
        }
        for (const std::uint64_t h : validation)
            ASSERT_EQ(train.count(h), 0u);
    }
}

TEST(Splits, NothingButCopiesIsRefused) {
    const test::TempFolder folder;
    test::write(folder / "same.csv", csv_of(std::vector<std::pair<double, int>>{
                                         {1, 0}, {1, 1}, {1, 0}, {1, 1}, {1, 0}}));
    EXPECT_THAT(message<DataError>([&] { open({.source = "csv", .path = folder / "same.csv"}); }),
                HasSubstr("copies"));
}

TEST(Splits, NormalisationKnowsTheTrainingSplitAlone) {
    // Two clusters far apart: were validation or test counted, mean and deviation of train would
    // not be 0 and 1.
    const Splits raw = open({.source = "iris", .seed = 1});
    const Splits standard =
        open({.source = "iris", .seed = 1, .normalize = Normalize::Standardize});
    const Normalization own = statistics(*raw.train);
    EXPECT_EQ(own.mean, standard.normalization.mean);
    EXPECT_EQ(own.std, standard.normalization.std);
    EXPECT_NE(own.mean, statistics(*concatenated({raw.train, raw.validation, raw.test})).mean);
    const Normalization after = statistics(*standard.train);
    for (std::size_t f = 0; f < 4; ++f) {
        EXPECT_NEAR(after.mean[f], 0, 1e-5);
        EXPECT_NEAR(after.std[f], 1, 1e-5);
        EXPECT_NEAR(floats(*standard.test, 0)[f],
                    (floats(*raw.test, 0)[f] - own.mean[f]) / own.std[f], 1e-5);
    }
}

TEST(Splits, TheSizesFollowTheFractions) {
    const Splits none =
        open({.source = "moons", .samples = 100, .test_samples = 30, .validation_fraction = 0});
    EXPECT_EQ(none.train->size(), 100);
    EXPECT_EQ(none.validation, nullptr);
    EXPECT_EQ(none.test->size(), 30);
    const Splits some = open({.source = "moons", .samples = 100, .validation_fraction = 0.25});
    EXPECT_EQ(some.train->size(), 75);
    EXPECT_EQ(some.validation->size(), 25);
    EXPECT_EQ(
        open({.source = "moons", .samples = 4, .validation_fraction = 0.01}).validation->size(), 1);
}

TEST(Splits, BadRequestsAreRefusedInWords) {
    EXPECT_THAT(message<ValueError>([] { open({.source = "nothing"}); }), HasSubstr("digits"));
    EXPECT_THAT(message<ValueError>([] { open({.source = "moons", .validation_fraction = 1}); }),
                HasSubstr("validation_fraction"));
    EXPECT_THAT(message<ValueError>([] { open({.source = "moons", .validation_fraction = NAN}); }),
                HasSubstr("validation_fraction"));
    EXPECT_THAT(message<ValueError>([] { open({.source = "moons", .samples = -1}); }),
                HasSubstr("samples"));
    EXPECT_THAT(message<FileError>([] { open({.source = "csv"}); }), HasSubstr("needs a file"));
    EXPECT_THAT(message<FileError>([] { open({.source = "auto", .path = "/nowhere/at/all"}); }),
                HasSubstr("/nowhere/at/all"));
}

TEST(Splits, CanBeCancelledWhileOpening) {
    int calls = 0;
    EXPECT_THROW(open({.source = "digits", .samples = 5000},
                      [&](const std::string&, double fraction) {
                          EXPECT_GE(fraction, 0);
                          EXPECT_LE(fraction, 1);
                          return ++calls < 2;
                      }),
                 Cancelled);
    EXPECT_EQ(calls, 2);
}

TEST(Splits, LabelsAsNumbersForRegression) {
    const DatasetSpec spec{.source = "spirals", .samples = 20, .regression = true};
    const Splits splits = open(spec);
    ASSERT_EQ(splits.fields[1].dtype, DType::Float32);
    EXPECT_EQ(splits.fields[1].shape, Shape({1}));
    EXPECT_EQ(describe(spec)[1].dtype, DType::Float32);
    const Splits plain = open({.source = "spirals", .samples = 20});
    for (std::int64_t i = 0; i < splits.train->size(); ++i)
        EXPECT_EQ(floats(*splits.train, i, 1)[0], static_cast<float>(label(*plain.train, i)));
}

} // namespace
} // namespace wiregrad::data

#include <atomic>
#include <numeric>
#include <set>

#include <gmock/gmock.h>

#include "datasets/loader.h"
#include "datasets/sources/memory_dataset.h"
#include "engine/core/error.h"
#include "tests/datasets/helpers.h"

namespace wiregrad::data {
namespace {

using testing::HasSubstr;

/// Sample i holds i; reading sample `broken` throws.
class Counting : public Dataset {
  public:
    explicit Counting(std::int64_t size, std::int64_t broken = -1) : size_(size), broken_(broken) {}
    const std::vector<Field>& fields() const override { return fields_; }
    std::int64_t size() const override { return size_; }
    void read(std::int64_t index, Row row) const override {
        ++reads;
        if (index == broken_)
            throw DataError("sample " + std::to_string(index) + " cannot be read");
        *reinterpret_cast<float*>(row[0].data()) = static_cast<float>(index);
    }
    mutable std::atomic<std::int64_t> reads = 0;

  private:
    std::vector<Field> fields_ = {{.name = "x", .shape = {1}, .kind = FieldKind::Vector}};
    std::int64_t size_, broken_;
};

std::vector<std::int64_t> epoch_of(Loader& loader, std::int64_t epoch) {
    std::vector<std::int64_t> seen;
    for (std::int64_t i = 0; i < loader.batches_per_epoch(); ++i) {
        const train::Batch batch = loader.batch(epoch, i);
        const std::vector<double> values = batch.fields[0].to_vector();
        EXPECT_EQ(values.size(), batch.samples.size());
        for (std::size_t k = 0; k < values.size(); ++k)
            EXPECT_EQ(values[k], static_cast<double>(batch.samples[k]));
        seen.insert(seen.end(), batch.samples.begin(), batch.samples.end());
    }
    return seen;
}

TEST(Loader, EachEpochHasEverySampleOnceInAnotherOrder) {
    Loader loader(std::make_shared<Counting>(103), {.batch_size = 10, .seed = 3});
    EXPECT_EQ(loader.batches_per_epoch(), 11);
    EXPECT_EQ(loader.samples_per_epoch(), 103);
    std::vector<std::int64_t> sorted(103);
    std::iota(sorted.begin(), sorted.end(), 0);
    const auto first = epoch_of(loader, 0), second = epoch_of(loader, 1);
    EXPECT_NE(first, sorted);
    EXPECT_NE(first, second);
    EXPECT_THAT(first, testing::UnorderedElementsAreArray(sorted));
    EXPECT_THAT(second, testing::UnorderedElementsAreArray(sorted));
    EXPECT_EQ(loader.batch(0, 10).samples.size(), 3u); // the rest is kept
}

TEST(Loader, BatchesAreTheSameWithAndWithoutReadingAheadInAnyOrderOfAsking) {
    const auto data = std::make_shared<Counting>(57);
    Loader ahead(data, {.batch_size = 8, .seed = 9, .prefetch = 3}),
        plain(data, {.batch_size = 8, .seed = 9, .prefetch = 0});
    for (std::int64_t epoch = 0; epoch < 4; ++epoch)
        EXPECT_EQ(epoch_of(ahead, epoch), epoch_of(plain, epoch));
    // Jumps: back, forth, the same again.
    for (const auto& [epoch, index] : std::vector<std::pair<int, int>>{
             {0, 3}, {7, 0}, {7, 0}, {2, 7}, {3, 0}, {3, 1}, {0, 0}, {3, 2}})
        EXPECT_EQ(ahead.batch(epoch, index).samples, plain.batch(epoch, index).samples);
    EXPECT_NE(Loader(data, {.seed = 10, .prefetch = 0}).order(0), plain.order(0));
}

TEST(Loader, OrderIsUniform) {
    // How often each of four samples comes first, over many epochs.
    Loader loader(std::make_shared<Counting>(4), {.batch_size = 4, .prefetch = 0});
    std::array<int, 4> first{};
    for (std::int64_t epoch = 0; epoch < 4000; ++epoch)
        ++first.at(static_cast<std::size_t>(loader.order(epoch)[0]));
    for (const int count : first)
        EXPECT_NEAR(count, 1000, 110);
}

TEST(Loader, FixedOrderNoShufflingAndDropLast) {
    const auto data = std::make_shared<Counting>(10);
    Loader fixed(data, {.batch_size = 2, .order = {4, 4, 9, 0, 1}});
    EXPECT_EQ(epoch_of(fixed, 0), (std::vector<std::int64_t>{4, 4, 9, 0, 1}));
    EXPECT_EQ(epoch_of(fixed, 5), (std::vector<std::int64_t>{4, 4, 9, 0, 1}));
    EXPECT_EQ(fixed.samples_per_epoch(), 5);
    Loader plain(data, {.batch_size = 4, .shuffle = false, .drop_last = true});
    EXPECT_EQ(epoch_of(plain, 0), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
    EXPECT_EQ(plain.samples_per_epoch(), 8);
    // A dataset smaller than one batch is not dropped altogether.
    EXPECT_EQ(Loader(data, {.batch_size = 64, .drop_last = true}).batches_per_epoch(), 1);
}

TEST(Loader, ReadsAheadNoFurtherThanAsked) {
    const auto data = std::make_shared<Counting>(1000);
    {
        Loader loader(data, {.batch_size = 10, .prefetch = 2});
        loader.batch(0, 0);
        loader.batch(0, 1);
    }
    // 2 taken, 2 in the queue, and none begun behind them.
    EXPECT_LE(data->reads, 40);
    EXPECT_GE(data->reads, 20);
}

TEST(Loader, ErrorsOnTheThreadComeOutOfTheBatchTheyConcern) {
    const auto data = std::make_shared<Counting>(20, 13);
    Loader loader(data, {.batch_size = 5, .shuffle = false, .prefetch = 4});
    EXPECT_EQ(loader.batch(0, 0).samples.size(), 5u);
    EXPECT_EQ(loader.batch(0, 1).samples.size(), 5u);
    EXPECT_THAT(test::message<DataError>([&] { loader.batch(0, 2); }), HasSubstr("sample 13"));
    EXPECT_THAT(test::message<DataError>([&] { loader.batch(0, 2); }),
                HasSubstr("sample 13")); // asking again too
    EXPECT_EQ(loader.batch(0, 3).samples, (std::vector<std::int64_t>{15, 16, 17, 18, 19}));
}

TEST(Loader, RefusesWhatCannotBe) {
    const auto data = std::make_shared<Counting>(3);
    EXPECT_THROW(Loader(std::make_shared<Counting>(0), {}), DataError);
    EXPECT_THROW(Loader(data, {.batch_size = 0}), ValueError);
    EXPECT_THROW(Loader(data, {.order = {3}}), ValueError);
    Loader loader(data, {.batch_size = 2});
    EXPECT_THROW(loader.batch(0, 2), ValueError);
    EXPECT_THROW(loader.batch(-1, 0), ValueError);
}

} // namespace
} // namespace wiregrad::data

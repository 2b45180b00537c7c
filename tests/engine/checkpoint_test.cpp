#include <gmock/gmock.h>

#include "engine/train/trainer.h"
#include "tests/engine/referee.h"

namespace wiregrad {
namespace {

using test::TempFolder;
using ::testing::HasSubstr;
using train::Checkpoint;

Checkpoint example() {
    Checkpoint checkpoint;
    checkpoint.weights = {
        {"conv 1.weight", Tensor::from(std::vector<float>{1, std::nanf(""), -0.0F, 4}, {2, 2})},
        {"a/b%.weight", Tensor::from(std::vector<double>{0.1}, {1})},
        {".", Tensor::from(std::vector<std::int64_t>{7}, {})}};
    checkpoint.optimizers = {{"adam ü",
                              {{"a/b%.weight.exp_avg", Tensor::full({3}, 2)},
                               {"step", Tensor::scalar(5, DType::Float64)}}},
                             {"without state", {}}};
    checkpoint.step = 1234567890123;
    checkpoint.epoch = 3;
    checkpoint.batch = 17;
    checkpoint.seed = ~std::uint64_t{0};
    checkpoint.graph_hash = "sha:äö";
    checkpoint.seconds = 0.1 + 0.2;
    checkpoint.epoch_losses = {{1.25, 8}, {0.1, 3}};
    checkpoint.epoch_metrics = {{5, 9}};
    return checkpoint;
}

TEST(Checkpoint, KeepsEverything) {
    const TempFolder folder;
    const Checkpoint saved = example();
    train::save_checkpoint(folder / "c.h5", saved);
    const Checkpoint loaded = train::load_checkpoint(folder / "c.h5");
    EXPECT_EQ(loaded.step, saved.step);
    EXPECT_EQ(loaded.epoch, saved.epoch);
    EXPECT_EQ(loaded.batch, saved.batch);
    EXPECT_EQ(loaded.seed, saved.seed);
    EXPECT_EQ(loaded.graph_hash, saved.graph_hash);
    EXPECT_EQ(loaded.seconds, saved.seconds);
    ASSERT_EQ(loaded.epoch_losses.size(), 2U);
    EXPECT_EQ(loaded.epoch_losses[1].sum, 0.1);
    EXPECT_EQ(loaded.epoch_metrics.at(0).count, 9);
    ASSERT_EQ(loaded.weights.size(), saved.weights.size());
    for (std::size_t i = 0; i < saved.weights.size(); ++i) {
        EXPECT_EQ(loaded.weights[i].name, saved.weights[i].name);
        EXPECT_TRUE(test::same_bits(loaded.weights[i].tensor, saved.weights[i].tensor));
    }
    ASSERT_EQ(loaded.optimizers.size(), 2U);
    EXPECT_EQ(loaded.optimizers[0].first, "adam ü");
    ASSERT_EQ(loaded.optimizers[0].second.size(), 2U);
    EXPECT_EQ(loaded.optimizers[0].second[0].name, "a/b%.weight.exp_avg");
    EXPECT_EQ(loaded.optimizers[0].second[1].tensor.item(), 5);
    EXPECT_TRUE(loaded.optimizers[1].second.empty());
}

TEST(Checkpoint, LeavesTheOldOneWholeWhenItCannotBeWritten) {
    const TempFolder folder;
    EXPECT_THROW(train::save_checkpoint(folder / "no/c.h5", example()), FileError);
    train::save_checkpoint(folder / "c.h5", example());
    Checkpoint broken = example();
    broken.weights.push_back(broken.weights[0]); // two of one name
    EXPECT_THROW(train::save_checkpoint(folder / "c.h5", broken), ValueError);
    EXPECT_EQ(train::load_checkpoint(folder / "c.h5").step, example().step);
}

TEST(Checkpoint, RefusesWhatIsNone) {
    const TempFolder folder;
    const std::string path = folder / "c.h5";
    const auto error = [&](const io::Hdf5File& file) {
        io::write_hdf5(path, file);
        try {
            (void)train::load_checkpoint(path);
        } catch (const FileError& e) {
            EXPECT_EQ(e.where(), path);
            return std::string(e.text());
        }
        return std::string("loaded");
    };
    train::save_checkpoint(path, example());
    const io::Hdf5File good = io::read_hdf5(path);
    EXPECT_EQ(error(good), "loaded");
    EXPECT_THAT(error({}), HasSubstr("'format' is missing"));
    const auto with = [&](const std::string& name, const std::string& value) {
        io::Hdf5File file = good;
        for (auto& [key, own] : file.attributes)
            if (key == name) own = value;
        return file;
    };
    EXPECT_THAT(error(with("format", "something else")), HasSubstr("no checkpoint"));
    EXPECT_THAT(error(with("format_version", "2")), HasSubstr("newer version"));
    EXPECT_THAT(error(with("step", "-1")), HasSubstr("impossible step '-1'"));
    EXPECT_THAT(error(with("batch", "12x")), HasSubstr("impossible batch"));
    EXPECT_THAT(error(with("epoch", "99999999999999999999")), HasSubstr("impossible epoch"));
    EXPECT_THAT(error(with("seconds", "nan")), HasSubstr("impossible seconds"));
    EXPECT_THAT(error(with("optimizers", "3")), HasSubstr("'optimizer 2' is missing"));
    io::Hdf5File more = good;
    more.tensors.push_back({"strange", Tensor::zeros({1})});
    EXPECT_THAT(error(more), HasSubstr("'strange'"));
    more = good;
    more.tensors.push_back({"weights/a%zz", Tensor::zeros({1})});
    EXPECT_THAT(error(more), HasSubstr("broken name"));
    io::Hdf5File less = good;
    std::erase_if(less.tensors, [](const auto& t) { return t.name == "epoch/losses"; });
    EXPECT_THAT(error(less), HasSubstr("sums of the epoch"));
}

} // namespace
} // namespace wiregrad

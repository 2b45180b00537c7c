// Batches of a dataset as a pure function of (seed, epoch, index), read ahead on a thread of its
// own. batch() belongs to one thread (the trainer's); with and without reading ahead it gives the
// same bits.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/transforms/transform.h"
#include "engine/train/trainer.h"

namespace wiregrad::data {

/// A transform of a field of each sample, or of what an earlier stage made of it. What it draws is
/// a function of seed, epoch, sample and stream, whoever reads the sample and when.
struct Stage {
    std::size_t input = 0; ///< a field (float32); or how many fields there are + an earlier stage
    Shape shape{};         ///< of one sample that comes out
    Transform change{};
    std::uint64_t stream = 0; ///< separates the random numbers of stages
};

struct LoaderOptions {
    std::int64_t batch_size = 64;
    bool shuffle = true;    ///< a new order each epoch, from seed and epoch
    bool drop_last = false; ///< leave out the last batch where it is smaller
    std::uint64_t seed = 0;
    int prefetch = 2;                  ///< batches made ahead; 0: none, no thread
    std::vector<std::int64_t> order{}; ///< where not empty: exactly these samples in this order,
                                       ///< each epoch (no shuffling)
    std::vector<Stage> stages{};
};

class Loader : public train::BatchSource {
  public:
    /// Throws ValueError for a batch size below 1 or a sample of `order` out of range, DataError
    /// for an empty dataset or a stage that cannot read its input.
    Loader(DatasetPtr dataset, LoaderOptions options);
    ~Loader() override; ///< ends the thread
    std::int64_t batches_per_epoch() const override;
    std::int64_t samples_per_epoch() const override;
    /// fields as the dataset declares them, then what the stages made; samples are indices into the
    /// dataset. What went wrong on the thread is thrown here, for the batch that it concerns.
    train::Batch batch(std::int64_t epoch, std::int64_t index) override;

    const Dataset& dataset() const;
    /// The order of all samples in an epoch.
    std::vector<std::int64_t> order(std::int64_t epoch) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace wiregrad::data

#include "datasets/loader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#include <fmt/format.h>

#include "datasets/parallel.h"
#include "datasets/random.h"
#include "engine/core/error.h"

namespace wiregrad::data {
namespace {

struct Position {
    std::int64_t epoch = 0, index = 0;
    bool operator==(const Position&) const = default;
};

struct Made {
    Position at;
    train::Batch batch;
    std::exception_ptr error;
};

/// [C, H, W], [C, L] or [features].
void set_size(Picture& picture, const Shape& shape) {
    const int rank = shape.size();
    picture.channels = rank > 0 ? static_cast<int>(shape[0]) : 1;
    picture.height = rank > 2 ? static_cast<int>(shape[1]) : 1;
    picture.width = rank > 1 ? static_cast<int>(shape[rank - 1]) : 1;
}

} // namespace

struct Loader::Impl {
    DatasetPtr dataset;
    LoaderOptions options;
    std::int64_t samples = 0, batches = 0;

    /// The order of one epoch, kept while it is in use; each of the two threads has its own.
    struct EpochOrder {
        std::int64_t epoch = -1;
        std::vector<std::int64_t> samples;
    };
    EpochOrder caller_order; // the thread that calls batch()

    std::mutex mutex;
    std::condition_variable_any wake; // the reader: something to do
    std::condition_variable ready;    // the caller: something was made
    std::deque<Made> queue;
    Position next;                // what the reader makes next
    Position upcoming;            // what comes out of the queue next
    std::uint64_t generation = 0; // raised by a jump, so that a batch under way is dropped
    bool started = false;
    std::jthread reader;

    std::vector<std::int64_t> order_of(std::int64_t epoch) const {
        if (!options.order.empty()) return options.order;
        std::vector<std::int64_t> order(static_cast<std::size_t>(dataset->size()));
        std::iota(order.begin(), order.end(), 0);
        if (options.shuffle) {
            SampleRandom random(options.seed, stream::kShuffle, static_cast<std::uint64_t>(epoch));
            for (std::size_t i = order.size(); i > 1; --i)
                std::swap(order[i - 1], order[random.below(i)]);
        }
        return order;
    }

    train::Batch make(Position at, EpochOrder& order) const {
        if (order.epoch != at.epoch) {
            order.samples = order_of(at.epoch);
            order.epoch = at.epoch;
        }
        const std::int64_t begin = at.index * options.batch_size;
        const std::int64_t end = std::min(begin + options.batch_size, samples);
        train::Batch batch;
        batch.samples.assign(order.samples.begin() + begin, order.samples.begin() + end);
        batch.fields = read_batch(*dataset, batch.samples);
        if (!options.stages.empty()) transform(batch, at.epoch);
        return batch;
    }

    /// Appends what the stages make of the batch.
    void transform(train::Batch& batch, std::int64_t epoch) const {
        const std::size_t fields = batch.fields.size();
        const auto count = static_cast<std::int64_t>(batch.samples.size());
        std::vector<const float*> from(fields, nullptr);
        std::vector<float*> to(options.stages.size(), nullptr);
        for (std::size_t f = 0; f < fields; ++f)
            if (batch.fields[f].dtype() == DType::Float32) from[f] = batch.fields[f].data<float>();
        for (std::size_t s = 0; s < options.stages.size(); ++s) {
            Shape shape = options.stages[s].shape;
            shape.insert(0, count);
            batch.fields.push_back(Tensor::empty(shape, DType::Float32));
            to[s] = batch.fields.back().data_mut<float>();
        }
        const auto one = [&](std::int64_t i) {
            static thread_local std::vector<Picture> made;
            made.resize(std::max(made.size(), options.stages.size()));
            const std::int64_t sample = batch.samples[static_cast<std::size_t>(i)];
            for (std::size_t s = 0; s < options.stages.size(); ++s) {
                const Stage& stage = options.stages[s];
                Picture& picture = made[s];
                if (stage.input < fields) {
                    const Shape& shape = dataset->fields()[stage.input].shape;
                    const std::int64_t size = numel(shape);
                    const float* values = from[stage.input] + i * size;
                    set_size(picture, shape);
                    picture.values.assign(values, values + size);
                } else {
                    const Picture& before = made[stage.input - fields];
                    picture.channels = before.channels;
                    picture.height = before.height;
                    picture.width = before.width;
                    picture.values = before.values;
                }
                SampleRandom random(options.seed + (stage.stream + 1) * 0x9E3779B97F4A7C15U,
                                    static_cast<std::uint32_t>(epoch),
                                    static_cast<std::uint64_t>(sample));
                stage.change(picture, random);
                const std::int64_t size = numel(stage.shape);
                if (static_cast<std::int64_t>(picture.values.size()) != size)
                    throw DataError(
                        fmt::format("a transform made {} numbers of sample {}, {} were announced",
                                    picture.values.size(), sample, size));
                std::copy(picture.values.begin(), picture.values.end(), to[s] + i * size);
            }
        };
        parallel_for(count, one);
    }

    Position after(Position at) const {
        return at.index + 1 < batches ? Position{at.epoch, at.index + 1}
                                      : Position{at.epoch + 1, 0};
    }

    void read_ahead(const std::stop_token& stop) {
        EpochOrder order;
        std::unique_lock lock(mutex);
        while (wake.wait(lock, stop, [this] {
            return queue.size() < static_cast<std::size_t>(options.prefetch);
        })) {
            const Position at = next;
            const std::uint64_t born = generation;
            next = after(at);
            lock.unlock();
            Made made{at, {}, nullptr};
            try {
                made.batch = make(at, order);
            } catch (...) {
                made.error = std::current_exception();
            }
            lock.lock();
            if (born == generation) {
                queue.push_back(std::move(made));
                ready.notify_one();
            }
        }
    }

    train::Batch take(Position at) {
        std::unique_lock lock(mutex);
        const bool coming = started && upcoming == at;
        if (!coming) {
            queue.clear();
            ++generation;
            next = upcoming = at;
            if (!started) {
                started = true;
                reader = std::jthread([this](const std::stop_token& stop) { read_ahead(stop); });
            }
            wake.notify_one();
        }
        ready.wait(lock, [this] { return !queue.empty(); });
        Made made = std::move(queue.front());
        queue.pop_front();
        upcoming = after(made.at);
        wake.notify_one();
        lock.unlock();
        if (made.error) std::rethrow_exception(made.error);
        return std::move(made.batch);
    }
};

Loader::Loader(DatasetPtr dataset, LoaderOptions options) : impl_(std::make_unique<Impl>()) {
    if (!dataset || dataset->size() == 0) throw DataError("an empty dataset has no batches");
    if (options.batch_size < 1)
        throw ValueError(fmt::format("batch_size must be at least 1, got {}", options.batch_size));
    if (options.prefetch < 0 || options.prefetch > 1024)
        throw ValueError(
            fmt::format("prefetch must lie between 0 and 1024, got {}", options.prefetch));
    for (const std::int64_t sample : options.order)
        if (sample < 0 || sample >= dataset->size())
            throw ValueError(fmt::format("the order names sample {}, the dataset has {}", sample,
                                         dataset->size()));
    for (std::size_t s = 0; s < options.stages.size(); ++s) {
        const std::size_t fields = dataset->fields().size(), input = options.stages[s].input;
        if (input >= fields + s)
            throw ValueError(fmt::format("stage {} reads {}, which comes later", s, input));
        if (input < fields && (dataset->fields()[input].dtype != DType::Float32 ||
                               dataset->fields()[input].shape.size() > 3))
            throw DataError(fmt::format("\"{}\" is {} {}: only pictures and rows of real numbers "
                                        "can be transformed",
                                        dataset->fields()[input].name,
                                        name_of(dataset->fields()[input].dtype),
                                        dataset->fields()[input].shape.str()));
    }
    impl_->samples =
        options.order.empty() ? dataset->size() : static_cast<std::int64_t>(options.order.size());
    impl_->batches = (impl_->samples + options.batch_size - 1) / options.batch_size;
    if (options.drop_last && impl_->samples >= options.batch_size) {
        impl_->batches = impl_->samples / options.batch_size;
        impl_->samples = impl_->batches * options.batch_size;
    }
    impl_->dataset = std::move(dataset);
    impl_->options = std::move(options);
}

Loader::~Loader() {
    if (impl_->reader.joinable()) {
        impl_->reader.request_stop();
        impl_->reader.join();
    }
}

std::int64_t Loader::batches_per_epoch() const {
    return impl_->batches;
}
std::int64_t Loader::samples_per_epoch() const {
    return impl_->samples;
}
const Dataset& Loader::dataset() const {
    return *impl_->dataset;
}
std::vector<std::int64_t> Loader::order(std::int64_t epoch) const {
    return impl_->order_of(epoch);
}

train::Batch Loader::batch(std::int64_t epoch, std::int64_t index) {
    if (epoch < 0 || index < 0 || index >= impl_->batches)
        throw ValueError(fmt::format("there is no batch {} in epoch {}: an epoch has {}", index,
                                     epoch, impl_->batches));
    const Position at{epoch, index};
    return impl_->options.prefetch > 0 ? impl_->take(at) : impl_->make(at, impl_->caller_order);
}

} // namespace wiregrad::data

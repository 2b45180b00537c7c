#include "datasets/loader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#include <fmt/format.h>

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
        return batch;
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

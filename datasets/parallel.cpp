#include "datasets/parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

namespace wiregrad::data {

void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& work,
                  const std::function<void(double)>& report) {
    constexpr std::int64_t kChunk = 16;
    std::atomic<std::int64_t> next = 0;
    std::atomic<bool> stop = false;
    std::mutex mutex;
    std::condition_variable ended;
    std::exception_ptr error;
    std::int64_t error_at = std::numeric_limits<std::int64_t>::max();
    int running = 0;

    const auto run = [&] {
        while (!stop) {
            const std::int64_t begin = next.fetch_add(kChunk);
            if (begin >= count) break;
            for (std::int64_t i = begin; i < std::min(begin + kChunk, count); ++i) {
                try {
                    work(i);
                } catch (...) {
                    const std::scoped_lock lock(mutex);
                    if (i < error_at) {
                        error_at = i;
                        error = std::current_exception();
                    }
                    stop = true;
                    break;
                }
            }
        }
        const std::scoped_lock lock(mutex);
        --running;
        ended.notify_all();
    };
    const auto hardware =
        static_cast<std::int64_t>(std::max(1u, std::thread::hardware_concurrency()));
    const auto threads =
        std::clamp<std::int64_t>(std::min<std::int64_t>(hardware, 8), 1,
                                 std::max<std::int64_t>(1, (count + kChunk - 1) / kChunk));
    running = static_cast<int>(threads);
    {
        std::vector<std::jthread> team;
        for (std::int64_t i = 0; i < threads; ++i)
            team.emplace_back(run);
        std::unique_lock lock(mutex);
        while (running > 0) {
            ended.wait_for(lock, std::chrono::milliseconds(50), [&] { return running == 0; });
            if (!report || stop) continue;
            const double done = static_cast<double>(std::min(next.load(), count)) /
                                static_cast<double>(std::max<std::int64_t>(1, count));
            lock.unlock();
            try {
                report(done);
            } catch (...) {
                lock.lock();
                error_at = -1;
                error = std::current_exception();
                stop = true;
                continue;
            }
            lock.lock();
        }
    }
    if (error) std::rethrow_exception(error);
}

} // namespace wiregrad::data

// What a run measures and sets of its thread while it lasts: its time, its speed, the number of
// threads and their priority. For the trainer's thread.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>

#include <sys/resource.h>

#include "engine/core/config.h"

namespace wiregrad::train {

/// Runs while the run runs.
class Stopwatch {
  public:
    explicit Stopwatch(double seconds = 0) : before_(seconds), start_(Clock::now()) {}
    double seconds() const {
        return before_ +
               (running_ ? std::chrono::duration<double>(Clock::now() - start_).count() : 0);
    }
    void pause() {
        before_ = seconds();
        running_ = false;
    }
    void resume() {
        start_ = Clock::now();
        running_ = true;
    }

  private:
    using Clock = std::chrono::steady_clock;
    double before_;
    Clock::time_point start_;
    bool running_ = true;
};

/// Samples a second, with the weight of old steps halved about every half second.
class Speed {
  public:
    void forget() { last_ = -1; } ///< what comes next took no time that counts
    double step(double now, std::int64_t samples) {
        if (last_ >= 0) {
            const double passed = now - last_, keep = std::exp2(-passed / 0.5);
            samples_ = samples_ * keep + static_cast<double>(samples);
            seconds_ = seconds_ * keep + passed;
        }
        last_ = now;
        return seconds_ > 0 ? samples_ / seconds_ : 0;
    }

  private:
    double last_ = -1, samples_ = 0, seconds_ = 0;
};

/// This thread's OpenMP team gives way to everything that must stay quick, such as a window.
inline void lower_priority(int threads) {
    constexpr int kNice = 10;
#pragma omp parallel num_threads(threads)
    {
        // On Linux this is the calling thread alone. Where it is refused, training is as quick as
        // ever.
        if (::getpriority(PRIO_PROCESS, 0) < kNice) ::setpriority(PRIO_PROCESS, 0, kNice);
    }
}

/// The number of threads is the process's; a run that asks for its own gives it back.
class ThreadCount {
  public:
    explicit ThreadCount(int wanted) : before_(num_threads()) {
        if (wanted > 0) set_num_threads(wanted);
    }
    ~ThreadCount() { set_num_threads(before_); }
    ThreadCount(const ThreadCount&) = delete;
    ThreadCount& operator=(const ThreadCount&) = delete;

  private:
    int before_;
};

} // namespace wiregrad::train

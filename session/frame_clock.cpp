#include "session/frame_clock.h"

#include <algorithm>
#include <ctime>
#include <utility>

namespace wiregrad::studio {

namespace {

constexpr int kFrameMs = 16, kSlowestMs = 96;
constexpr double kShare =
    0.04; // of one core, for everything the window does while it watches a run
constexpr int kStillFrames = 4;

/// Processor time of this thread in ms: what was computed and painted since the last frame.
double threadMs() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return double(t.tv_sec) * 1e3 + double(t.tv_nsec) * 1e-6;
}

} // namespace

FrameClock::FrameClock(std::function<bool()> frame, std::function<bool()> rest, QObject* parent)
    : QObject(parent), frame_(std::move(frame)), rest_(std::move(rest)) {
    timer_.setInterval(kFrameMs);
    connect(&timer_, &QTimer::timeout, this, [this] { tick(); });
}

void FrameClock::wake() {
    still_ = 0;
    if (timer_.isActive()) return;
    lastMs_ = threadMs();
    timer_.start(kFrameMs);
}

void FrameClock::tick() {
    const double now = threadMs();
    // Costly frames come less often, so that a run keeps its speed with the window open.
    const int pace =
        std::clamp(int((now - std::exchange(lastMs_, now)) / kShare), kFrameMs, kSlowestMs);
    if (frame_()) {
        still_ = 0;
        timer_.setInterval(pace);
        return;
    }
    timer_.setInterval(kFrameMs);
    if (++still_ >= kStillFrames && rest_()) timer_.stop();
}

} // namespace wiregrad::studio

#include "moc_frame_clock.cpp"

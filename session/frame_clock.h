// The 16 ms clock on which the window pulls what is new. It stands still while nothing moves. GUI
// thread.
#pragma once

#include <QObject>
#include <QTimer>

#include <functional>

namespace wiregrad::studio {

class FrameClock : public QObject {
    Q_OBJECT

  public:
    /// `frame` is called each tick and says whether something still moves; after some still frames
    /// the clock asks `rest`, and stops when it agrees.
    FrameClock(std::function<bool()> frame, std::function<bool()> rest, QObject* parent = nullptr);
    void wake();
    bool isRunning() const { return timer_.isActive(); }

  private:
    void tick();
    QTimer timer_;
    std::function<bool()> frame_, rest_;
    double lastMs_ = 0;
    int still_ = 0;
};

} // namespace wiregrad::studio

// History of a run's scalars with a min/max pyramid, so that a curve of a million steps is drawn
// from as many points as there are pixels. Written and read on the GUI thread. No Qt types:
// testable alone.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace wiregrad::studio {

struct CurvePoint {
    double step = 0;
    double min = 0, max = 0, last = 0; ///< over the steps this point stands for
};

/// One curve: finite values only; NaN and Inf are counted, not stored.
class Curve {
  public:
    void append(double step, double value) { append(CurvePoint{step, value, value, value}); }
    void append(const CurvePoint& point); ///< a point that already stands for several steps
    std::int64_t size() const { return appended_; } ///< finite points appended
    std::int64_t nonFinite() const { return nonFinite_; }
    double lastValue() const { return lastValue_; } ///< 0 when empty
    double lastStep() const { return lastStep_; }
    /// At most about `maxPoints` points that cover [from, to], extremes kept.
    std::vector<CurvePoint> sample(double from, double to, std::size_t maxPoints) const;
    void clear();

  private:
    // levels_[k][i] stands for 2^k * stride_ appended points. When the finest level is full it is
    // dropped, so that the memory of a run of any length is bounded.
    std::vector<std::vector<CurvePoint>> levels_;
    CurvePoint pending_; ///< fewer than stride_ points, not yet on a level
    std::int64_t pendingCount_ = 0, stride_ = 1, appended_ = 0, nonFinite_ = 0;
    double lastStep_ = 0, lastValue_ = 0;
};

/// Curves by name: "train/loss", "validation/loss", "train/accuracy", "lr", "samples_per_second".
class MetricStore {
  public:
    Curve& curve(const std::string& name);
    const Curve* find(const std::string& name) const;
    std::vector<std::string> names() const;
    void clear();
    std::uint64_t revision() const { return revision_; } ///< rises with every append
    void append(const std::string& name, double step, double value) {
        append(name, CurvePoint{step, value, value, value});
    }
    void append(const std::string& name, const CurvePoint& point);

  private:
    std::map<std::string, Curve> curves_;
    std::uint64_t revision_ = 0;
};

} // namespace wiregrad::studio

// History of a run's scalars with a min/max pyramid, so that a curve of a million steps is drawn from as many points as
// there are pixels. Written and read on the GUI thread. No Qt types: testable alone.
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
    void append(double step, double value);
    std::size_t size() const { return levels_.empty() ? 0 : levels_[0].size(); }
    std::int64_t nonFinite() const { return nonFinite_; }
    double lastValue() const;
    double lastStep() const;
    /// At most about `maxPoints` points that cover [from, to], extremes kept.
    std::vector<CurvePoint> sample(double from, double to, std::size_t maxPoints) const;
    void clear();

  private:
    std::vector<std::vector<CurvePoint>> levels_; ///< level k: 2^k raw points each
    std::int64_t nonFinite_ = 0;
};

/// Curves by name: "train/loss", "validation/loss", "train/accuracy", "lr", "samples_per_second".
class MetricStore {
  public:
    Curve& curve(const std::string& name);
    const Curve* find(const std::string& name) const;
    std::vector<std::string> names() const;
    void clear();
    std::uint64_t revision() const { return revision_; } ///< rises with every append
    void append(const std::string& name, double step, double value);

  private:
    std::map<std::string, Curve> curves_;
    std::uint64_t revision_ = 0;
};

} // namespace wiregrad::studio

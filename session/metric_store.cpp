#include "session/metric_store.h"

#include <algorithm>
#include <cmath>

namespace wiregrad::studio {

namespace {

constexpr std::size_t kFinestPoints = std::size_t(1) << 18;

CurvePoint joined(const CurvePoint& a, const CurvePoint& b) {
    return {b.step, std::min(a.min, b.min), std::max(a.max, b.max), b.last};
}

} // namespace

void Curve::append(const CurvePoint& point) {
    if (!std::isfinite(point.step) || !std::isfinite(point.min) || !std::isfinite(point.max) ||
        !std::isfinite(point.last)) {
        ++nonFinite_;
        return;
    }
    ++appended_;
    lastStep_ = point.step;
    lastValue_ = point.last;
    pending_ = pendingCount_ ? joined(pending_, point) : point;
    if (++pendingCount_ < stride_) return;
    if (levels_.empty()) levels_.emplace_back();
    levels_[0].push_back(pending_);
    pendingCount_ = 0;
    for (std::size_t k = 0; levels_[k].size() % 2 == 0; ++k) {
        if (k + 1 == levels_.size()) levels_.emplace_back();
        const auto& fine = levels_[k];
        levels_[k + 1].push_back(joined(fine[fine.size() - 2], fine.back()));
    }
    if (levels_[0].size() == kFinestPoints) {
        levels_.erase(levels_.begin());
        stride_ *= 2;
    }
}

std::vector<CurvePoint> Curve::sample(double from, double to, std::size_t maxPoints) const {
    std::vector<CurvePoint> result;
    const auto before = [](const CurvePoint& p, double step) { return p.step < step; };
    const auto after = [](double step, const CurvePoint& p) { return step < p.step; };
    for (std::size_t k = 0; k < levels_.size(); ++k) {
        const auto& level = levels_[k];
        const auto first = std::lower_bound(level.begin(), level.end(), from, before);
        auto last = std::upper_bound(first, level.end(), to, after);
        if (last != level.end())
            ++last; // the point that reaches over `to` still holds steps before it
        const bool coarsest = k + 1 == levels_.size() || levels_[k + 1].empty();
        if (std::size_t(last - first) > std::max<std::size_t>(maxPoints, 2) && !coarsest) continue;
        result.assign(first, last);
        // What is not yet joined into this level: at most one point of each finer one, in order of
        // time.
        if (last == level.end())
            for (std::size_t j = k; j-- > 0;)
                if (levels_[j].size() % 2 == 1 && levels_[j].back().step >= from)
                    result.push_back(levels_[j].back());
        break;
    }
    if (pendingCount_ && pending_.step >= from && (result.empty() || result.back().step <= to))
        result.push_back(pending_);
    return result;
}

void Curve::clear() {
    *this = Curve();
}

Curve& MetricStore::curve(const std::string& name) {
    return curves_[name];
}

const Curve* MetricStore::find(const std::string& name) const {
    const auto it = curves_.find(name);
    return it == curves_.end() ? nullptr : &it->second;
}

std::vector<std::string> MetricStore::names() const {
    std::vector<std::string> result;
    for (const auto& [name, curve] : curves_)
        result.push_back(name);
    return result;
}

void MetricStore::clear() {
    curves_.clear();
    ++revision_;
}

void MetricStore::append(const std::string& name, const CurvePoint& point) {
    curves_[name].append(point);
    ++revision_;
}

} // namespace wiregrad::studio

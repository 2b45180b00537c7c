#include "engine/train/snapshots.h"

#include <algorithm>

namespace wiregrad::train {
namespace {

std::size_t bytes_of(const Checkpoint& moment) {
    std::size_t bytes = 0;
    for (const nn::NamedTensor& weight : moment.weights)
        bytes += weight.tensor.nbytes();
    for (const auto& [name, state] : moment.optimizers)
        for (const nn::NamedTensor& entry : state)
            bytes += entry.tensor.nbytes();
    return bytes;
}

} // namespace

Snapshots::Snapshots(std::size_t budget_bytes, double every_seconds, double share)
    : budget_(budget_bytes), every_(every_seconds), share_(share) {}

bool Snapshots::due(std::int64_t, double run_seconds) const {
    const std::lock_guard lock(mutex_);
    return kept_.empty() || run_seconds >= next_seconds_;
}

void Snapshots::keep(std::shared_ptr<const Checkpoint> moment, double cost_seconds) {
    if (moment == nullptr) return;
    const std::size_t bytes = bytes_of(*moment);
    const std::lock_guard lock(mutex_);
    // A run that goes on from an earlier moment replaces what came after it.
    while (!kept_.empty() && kept_.back().moment->step >= moment->step) {
        bytes_ -= kept_.back().bytes;
        kept_.pop_back();
    }
    const double now = moment->seconds;
    kept_.push_back({std::move(moment), bytes});
    bytes_ += bytes;
    while (bytes_ > budget_ && kept_.size() > 2) {
        std::vector<Kept> thinned;
        bytes_ = 0;
        for (std::size_t i = 0; i < kept_.size(); i += 2) {
            bytes_ += kept_[i].bytes;
            thinned.push_back(std::move(kept_[i]));
        }
        kept_ = std::move(thinned);
        every_ *= 2;
    }
    next_seconds_ = now + std::max(every_, share_ > 0 ? cost_seconds / share_ : 0);
}

std::shared_ptr<const Checkpoint> Snapshots::before(std::int64_t step) const {
    const std::lock_guard lock(mutex_);
    const auto after =
        std::upper_bound(kept_.begin(), kept_.end(), step,
                         [](std::int64_t at, const Kept& kept) { return at < kept.moment->step; });
    return after == kept_.begin() ? nullptr : std::prev(after)->moment;
}

std::vector<std::int64_t> Snapshots::steps() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::int64_t> result;
    for (const Kept& kept : kept_)
        result.push_back(kept.moment->step);
    return result;
}

std::size_t Snapshots::bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
}

} // namespace wiregrad::train

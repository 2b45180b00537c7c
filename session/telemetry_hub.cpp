#include "session/telemetry_hub.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace wiregrad::studio {

namespace {

std::vector<double> valuesOf(const train::StepRecord& record) {
    std::vector<double> values = record.losses;
    values.insert(values.end(), record.metrics.begin(), record.metrics.end());
    return values;
}

void startExtremes(StepFold& fold) {
    if (fold.minima.empty()) fold.minima = fold.maxima = valuesOf(fold.last);
}

/// `b` after `a`. A NaN wins over every number: it must not be folded away.
StepFold joined(StepFold a, StepFold b) {
    startExtremes(a);
    startExtremes(b);
    const auto both = [](std::vector<double>& x, const std::vector<double>& y, auto pick) {
        for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i)
            x[i] = std::isnan(x[i]) || std::isnan(y[i]) ? NAN : pick(x[i], y[i]);
    };
    both(b.minima, a.minima, [](double x, double y) { return std::min(x, y); });
    both(b.maxima, a.maxima, [](double x, double y) { return std::max(x, y); });
    b.steps += a.steps;
    return b;
}

} // namespace

std::uint64_t mixDigest(std::uint64_t digest, double value) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    digest = (digest ^ bits) * 0x9e3779b97f4a7c15U;
    return digest ^ (digest >> 29);
}

TelemetryHub::TelemetryHub(std::size_t capacity, std::function<void()> wake)
    : capacity_(std::max<std::size_t>(capacity, 2)), wake_(std::move(wake)) {}

void TelemetryHub::wake() {
    bool call = false;
    {
        const std::lock_guard lock(mutex_);
        call = std::exchange(asleep_, false);
    }
    if (call && wake_) wake_();
}

void TelemetryHub::fold() {
    auto& steps = waiting_.steps;
    std::size_t kept = 0;
    for (std::size_t i = 0; i + 1 < steps.size(); i += 2)
        steps[kept++] = joined(std::move(steps[i]), std::move(steps[i + 1]));
    if (steps.size() % 2 == 1) steps[kept++] = std::move(steps.back());
    steps.resize(kept);
}

void TelemetryHub::on_state(train::RunState state) {
    {
        const std::lock_guard lock(mutex_);
        waiting_.state = state;
    }
    wake();
}

void TelemetryHub::on_step(const train::StepRecord& record) {
    StepFold fold;
    fold.last = record;
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.steps.size() >= capacity_) this->fold();
        for (const double loss : record.losses)
            digest_ = mixDigest(digest_, loss);
        for (const double metric : record.metrics)
            digest_ = mixDigest(digest_, metric);
        waiting_.steps.push_back(std::move(fold));
    }
    wake();
}

void TelemetryHub::on_epoch(const train::EpochRecord& record) {
    {
        const std::lock_guard lock(mutex_);
        // An epoch's means are a point of a curve; with nobody looking the oldest give way.
        if (waiting_.epochs.size() >= capacity_) {
            const auto half = std::ptrdiff_t(capacity_ / 2);
            waiting_.epochs.erase(waiting_.epochs.begin(), waiting_.epochs.begin() + half);
            waiting_.digests.erase(waiting_.digests.begin(), waiting_.digests.begin() + half);
        }
        waiting_.epochs.push_back(record);
        waiting_.digests.push_back(digest_);
    }
    wake();
}

void TelemetryHub::on_probe(ProbeRecord record) {
    {
        const std::lock_guard lock(mutex_);
        auto& probes = waiting_.probes;
        const auto same =
            std::find_if(probes.begin(), probes.end(), [&record](const ProbeRecord& other) {
                return other.value == record.value;
            });
        if (same != probes.end())
            *same = std::move(record);
        else
            probes.push_back(std::move(record));
    }
    wake();
}

void TelemetryHub::on_halt(const train::Halt* halt) {
    {
        const std::lock_guard lock(mutex_);
        waiting_.haltNews = true;
        waiting_.halt = halt ? std::optional(*halt) : std::nullopt;
    }
    wake();
}

void TelemetryHub::on_warning(const std::string& text) {
    {
        const std::lock_guard lock(mutex_);
        constexpr std::size_t kMost = 100;
        if (waiting_.warnings.size() < kMost) waiting_.warnings.push_back(text);
    }
    wake();
}

void TelemetryHub::on_done(const train::DoneRecord& record) {
    {
        const std::lock_guard lock(mutex_);
        waiting_.done = record;
    }
    wake();
}

Telemetry TelemetryHub::take() {
    Telemetry result;
    const std::lock_guard lock(mutex_);
    std::swap(result, waiting_);
    result.digest = digest_;
    return result;
}

bool TelemetryHub::sleep() {
    const std::lock_guard lock(mutex_);
    asleep_ = waiting_.empty();
    return asleep_;
}

} // namespace wiregrad::studio

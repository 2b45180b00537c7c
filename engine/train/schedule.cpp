#include "engine/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <fmt/format.h>

#include "engine/core/error.h"

namespace wiregrad::train {
namespace {

double real(std::int64_t value) {
    return static_cast<double>(value);
}

/// From `start` at part 0 to `end` at part 1.
double anneal(bool cosine, double start, double end, double part) {
    return cosine ? end + (start - end) / 2 * (1 + std::cos(std::numbers::pi * part))
                  : start + (end - start) * part;
}

} // namespace

double Schedule::at_epoch(std::int64_t epoch, std::int64_t epochs) const {
    switch (kind) {
    case Kind::Step:
        return std::pow(gamma, real(epoch / std::max<std::int64_t>(step_size, 1)));
    case Kind::MultiStep:
        return std::pow(gamma, real(std::count_if(milestones.begin(), milestones.end(),
                                                  [&](std::int64_t m) { return m <= epoch; })));
    case Kind::Exponential:
        return std::pow(gamma, real(epoch));
    case Kind::Cosine: {
        // In closed form; after t_max it rises again, as PyTorch's does.
        const double length = real(std::max<std::int64_t>(t_max > 0 ? t_max : epochs, 1));
        return anneal(true, 1, min_factor, real(epoch) / length);
    }
    case Kind::Linear:
        return start_factor + (end_factor - start_factor) *
                                  (total > 0 ? real(std::min(epoch, total)) / real(total) : 1);
    case Kind::Fixed:
        return epoch < total ? start_factor : 1;
    case Kind::Polynomial:
        return total > 0 ? std::pow(1 - real(std::min(epoch, total)) / real(total), power) : 0;
    case Kind::WarmRestarts: {
        std::int64_t length = std::max<std::int64_t>(t_0, 1), at = epoch;
        while (at >= length) {
            at -= length;
            length *= std::max<std::int64_t>(t_mult, 1);
        }
        return anneal(true, 1, min_factor, real(at) / real(length));
    }
    case Kind::Lambda:
        return function ? function(real(epoch)) : 1;
    case Kind::Multiplied: {
        double product = 1;
        for (std::int64_t i = 1; function && i <= epoch; ++i)
            product *= function(real(i));
        return product;
    }
    default:
        return 1;
    }
}

double Schedule::one_cycle(const ScheduleTime& time, double low, double high, double last) const {
    const double total_steps = std::max(real(time.epochs * time.steps_per_epoch), 1.0);
    struct Phase {
        double end, from, to;
    };
    const std::vector<Phase> phases =
        three_phase ? std::vector<Phase>{{pct_start * total_steps - 1, low, high},
                                         {2 * pct_start * total_steps - 2, high, low},
                                         {total_steps - 1, low, last}}
                    : std::vector<Phase>{{pct_start * total_steps - 1, low, high},
                                         {total_steps - 1, high, last}};
    double start = 0;
    for (std::size_t i = 0; i < phases.size(); ++i) {
        const Phase& phase = phases[i];
        if (real(time.step) <= phase.end || i + 1 == phases.size()) {
            const double length = phase.end - start;
            const double part = length > 0 ? (real(time.step) - start) / length : 1;
            return anneal(cosine_anneal, phase.from, phase.to, std::clamp(part, 0.0, 1.0));
        }
        start = phase.end;
    }
    return last;
}

double Schedule::cyclic(std::int64_t step) const {
    const double up = real(std::max<std::int64_t>(step_size_up, 1));
    const double down = step_size_down > 0 ? real(step_size_down) : up;
    const double length = up + down, ratio = up / length;
    const double cycle = std::floor(1 + real(step) / length);
    const double x = 1 + real(step) / length - cycle;
    const double height = x <= ratio ? x / ratio : (x - 1) / (ratio - 1);
    switch (mode) {
    case Mode::Triangular2:
        return height / std::pow(2.0, cycle - 1);
    case Mode::ExpRange:
        return height * std::pow(gamma, real(step));
    default:
        return height;
    }
}

double Schedule::factor(const ScheduleTime& time) const {
    switch (kind) {
    case Kind::OneCycle:
        return one_cycle(time, 1 / div_factor, 1, 1 / div_factor / final_div_factor);
    case Kind::Cyclic:
        return 1 + (max_factor - 1) * cyclic(time.step);
    case Kind::Chained: {
        double product = 1;
        for (const Schedule& part : parts)
            product *= part.factor(time);
        return product;
    }
    case Kind::Sequential: {
        if (parts.empty()) return 1;
        std::size_t index = 0;
        while (index < milestones.size() && index + 1 < parts.size() &&
               time.epoch >= milestones[index])
            ++index;
        const std::int64_t begin = index == 0 ? 0 : milestones[index - 1];
        ScheduleTime inner = time;
        inner.epoch -= begin;
        inner.epochs = std::max<std::int64_t>(inner.epochs - begin, 1);
        inner.step -= begin * time.steps_per_epoch;
        return parts[index].factor(inner);
    }
    default:
        return at_epoch(time.epoch, time.epochs);
    }
}

std::optional<double> Schedule::momentum(const ScheduleTime& time) const {
    if (!cycle_momentum) return std::nullopt;
    if (kind == Kind::OneCycle) return one_cycle(time, max_momentum, base_momentum, max_momentum);
    if (kind == Kind::Cyclic)
        return max_momentum - (max_momentum - base_momentum) * cyclic(time.step);
    return std::nullopt;
}

std::vector<double> preview(const Schedule& schedule, double lr, std::int64_t epochs,
                            std::int64_t steps_per_epoch, std::size_t points) {
    std::vector<double> rates;
    const std::int64_t per_epoch = std::max<std::int64_t>(steps_per_epoch, 1);
    const std::int64_t steps = std::max<std::int64_t>(epochs, 1) * per_epoch;
    for (std::size_t i = 0; i < points; ++i) {
        const std::int64_t step = std::min(
            static_cast<std::int64_t>(real(steps) * static_cast<double>(i) /
                                      static_cast<double>(std::max<std::size_t>(points, 1))),
            steps - 1);
        rates.push_back(lr * schedule.factor({step / per_epoch, epochs, step, per_epoch}));
    }
    return rates;
}

Plateau::Plateau(const PlateauOptions& options)
    : options_(options), best_(options.falling ? std::numeric_limits<double>::infinity()
                                               : -std::numeric_limits<double>::infinity()) {
    if (!(options.factor < 1))
        throw ValueError(
            fmt::format("ReduceLROnPlateau: factor must be below 1, is {}", options.factor));
}

double Plateau::next(double lr, double value) {
    const double limit =
        options_.relative
            ? best_ * (options_.falling ? 1 - options_.threshold : 1 + options_.threshold)
            : best_ + (options_.falling ? -options_.threshold : options_.threshold);
    if (options_.falling ? value < limit : value > limit) {
        best_ = value;
        bad_ = 0;
    } else {
        ++bad_;
    }
    if (cooling_ > 0) {
        --cooling_;
        bad_ = 0; // bad epochs do not count while it cools down
    }
    if (bad_ <= options_.patience) return lr;
    cooling_ = options_.cooldown;
    bad_ = 0;
    const double reduced = std::max(lr * options_.factor, options_.min_lr);
    return lr - reduced > options_.eps ? reduced : lr;
}

std::vector<double> Plateau::state() const {
    return {best_, real(bad_), real(cooling_)};
}

void Plateau::load(const std::vector<double>& state) {
    if (state.size() != 3)
        throw FileError(fmt::format("the schedule keeps 3 numbers, {} are loaded", state.size()));
    best_ = state[0];
    bad_ = static_cast<std::int64_t>(state[1]);
    cooling_ = static_cast<std::int64_t>(state[2]);
}

} // namespace wiregrad::train

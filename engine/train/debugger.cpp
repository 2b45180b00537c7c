#include "engine/train/debugger.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "engine/autograd/tape.h"
#include "engine/core/recorder.h"

namespace wiregrad::train {
namespace {

using When = Breakpoint::When;
using Side = Breakpoint::Side;

constexpr std::int64_t kSlice = 4096;
constexpr std::int64_t kTrailBefore = 40, kTrailAfter = 8;

const char* noun(When when) {
    switch (when) {
    case When::Mean:
        return "the mean";
    case When::Max:
        return "the greatest value";
    case When::Min:
        return "the smallest value";
    case When::Norm:
        return "the norm";
    case When::Zeros:
        return "the share of zeros";
    case When::Loss:
        return "the loss";
    default:
        return "a value";
    }
}

bool of_step(When when) {
    return when == When::Step || when == When::Every;
}
bool of_elements(When when) {
    return when == When::Broken || when == When::Magnitude;
}

bool holds_step(const Breakpoint& b, std::int64_t step) {
    const auto number = static_cast<std::int64_t>(b.limit);
    return b.when == When::Step ? step == number : number > 0 && step % number == 0;
}

bool on_side(Side side, Phase phase) {
    return side == Side::Both || (side == Side::Forward) == (phase == Phase::Forward);
}

bool beyond(const Breakpoint& b, double value) {
    return b.below ? value < b.limit : value > b.limit;
}

ProbeRecord numbers_of(const Tensor& value) {
    ProbeRequest request;
    request.histogram_bins = 0;
    request.max_elements = 0;
    return measure(request, value, 0);
}

/// What the value has that the breakpoint waits for; NaN where it waits for something else.
double quantity(const Breakpoint& b, const ProbeRecord& r) {
    const auto count = static_cast<double>(std::max<std::int64_t>(numel(r.shape), 1));
    switch (b.when) {
    case When::Magnitude:
        return std::max(std::abs(r.min), std::abs(r.max));
    case When::Mean:
        return r.mean;
    case When::Max:
        return r.max;
    case When::Min:
        return r.min;
    case When::Norm: {
        const double finite = count - static_cast<double>(r.nans + r.infs);
        return std::sqrt(finite * r.mean * r.mean + std::max(finite - 1, 0.0) * r.std * r.std);
    }
    case When::Zeros:
        return static_cast<double>(r.zeros) / count;
    default:
        return std::nan("");
    }
}

/// ", sample 3 of the batch, channel 5" of a row-major index.
std::string place_of(const Shape& shape, std::int64_t index) {
    std::string text;
    std::int64_t inner = numel(shape);
    for (int i = 0; i < shape.size(); ++i) {
        inner /= shape[i];
        text += fmt::format("{}{}", i == 0 ? " at [" : ", ", index / inner);
        index %= inner;
    }
    return text.empty() ? text : text + "]";
}

/// Why a value with these numbers stops the run; empty: it does not.
std::string reason_of(const Breakpoint& b, const ProbeRecord& r) {
    if (numel(r.shape) == 0) return {};
    if (b.when == When::Broken)
        return r.nans + r.infs == 0
                   ? std::string()
                   : fmt::format("{} of {} values are NaN, {} are infinite; the first one is{}",
                                 r.nans, numel(r.shape), r.infs, place_of(r.shape, r.first_broken));
    const double value = quantity(b, r);
    if (!beyond(b, value)) return {};
    return fmt::format("{} is {:.4g}, {} {:.4g}",
                       b.when == When::Magnitude ? "a magnitude" : noun(b.when), value,
                       b.below ? "below" : "above", b.limit);
}

bool watchable(const Tensor& value) {
    return value.defined() && value.has_data() && is_floating(value.dtype());
}

std::uint32_t version_of(const Tensor& tensor) {
    return tensor.defined() ? tensor.version() : 0;
}

const char* word(Phase phase) {
    return phase == Phase::Forward ? "forward" : phase == Phase::Backward ? "backward" : "update";
}

} // namespace

std::string describe(const Breakpoint& b, const std::string& name) {
    std::string place = !name.empty() ? name : b.node.empty() ? "anywhere" : b.node;
    if (!b.port.empty()) place += "." + b.port;
    if (of_step(b.when)) {
        const auto number = static_cast<std::int64_t>(b.limit);
        const std::string when = b.when == When::Step
                                     ? fmt::format("in step {}", number)
                                     : fmt::format("in each step that is a multiple of {}", number);
        return b.node.empty() ? when : place + ": " + when;
    }
    std::string what;
    if (b.when == When::Broken)
        what = "a value is NaN or infinite";
    else if (b.when == When::Magnitude)
        what = fmt::format("a magnitude is above {:g}", b.limit);
    else
        what = fmt::format("{} is {} {:g}", noun(b.when), b.below ? "below" : "above", b.limit);
    if (b.when == When::Loss) return b.node.empty() ? what : place + ": " + what;
    const char* side = b.side == Side::Forward    ? ""
                       : b.side == Side::Backward ? "gradient, "
                                                  : "value or gradient, ";
    return fmt::format("{}: {}{}", place, side, what);
}

void Debugger::set(std::vector<Breakpoint> breakpoints) {
    std::vector<Armed> next;
    for (Breakpoint& one : breakpoints) {
        if (!one.enabled) continue;
        const auto old = std::find_if(breakpoints_.begin(), breakpoints_.end(),
                                      [&](const Armed& a) { return a.what == one; });
        const bool quiet = old != breakpoints_.end() && old->quiet;
        next.push_back({std::move(one), quiet});
    }
    breakpoints_ = std::move(next);
}

void Debugger::begin_step(std::int64_t step) {
    end_step();
    step_ = step;
    leave_ = update_ = false;
    first_op_ = true;
    for (Armed& one : breakpoints_)
        one.quiet = false;
}

void Debugger::end_step() {
    kept_.clear();
    kept_bytes_ = 0;
    count_ = 0;
    values_.clear();
    fresh_.clear();
    if (mode_ == Mode::Node) left_.clear();
}

Phase Debugger::phase() const {
    return update_ ? Phase::Update : autograd::in_backward() ? Phase::Backward : Phase::Forward;
}

Tensors Debugger::run(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs) {
    Tensors outputs = below(op, inputs, attrs);
    if (busy_) return outputs;
    ++count_;
    if (leave_) return outputs;
    keep(op, inputs, attrs, outputs);
    look_at_op(outputs);
    return outputs;
}

void Debugger::keep(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs,
                    const Tensors& outputs) {
    Kept one;
    one.line = {count_, phase(), Origin::name(Origin::current()), std::string(op.name),
                outputs.empty() ? Shape{} : outputs[0].shape()};
    one.attrs = attrs;
    const auto take = [&one](const Tensor& tensor, Tensors& list) {
        list.push_back(tensor.defined() ? tensor.detach() : Tensor());
        one.versions.push_back(version_of(tensor));
    };
    for (const Tensor& input : inputs)
        take(input, one.inputs);
    for (const Tensor& output : outputs) {
        take(output, one.outputs);
        if ((op.flags & (kView | kInPlace)) == 0)
            one.bytes += static_cast<std::size_t>(output.numel()) * size_of(output.dtype());
    }
    kept_bytes_ += one.bytes;
    kept_.push_back(std::move(one));
    while (kept_.size() > 1 && (kept_.size() > kOps || kept_bytes_ > kBytes)) {
        kept_bytes_ -= kept_.front().bytes;
        kept_.pop_front();
    }
}

void Debugger::look_at_op(const Tensors& outputs) {
    const Kept& now = kept_.back();
    const Phase at = now.line.phase;
    const bool first = std::exchange(first_op_, false);
    int id = 0;
    std::string reason;
    for (Armed& one : breakpoints_) {
        const Breakpoint& b = one.what;
        if (one.quiet || !b.port.empty() || (!b.node.empty() && b.node != now.line.node)) continue;
        std::string why;
        if (of_step(b.when)) {
            if (!holds_step(b, step_) || (b.node.empty() ? !first : !on_side(b.side, at))) continue;
            why = fmt::format("step {}", step_);
        } else if (of_elements(b.when) && on_side(b.side, at)) {
            busy_ = true;
            for (std::size_t i = 0; i < outputs.size() && why.empty(); ++i)
                if (watchable(outputs[i])) why = reason_of(b, numbers_of(outputs[i]));
            busy_ = false;
        }
        if (why.empty()) continue;
        one.quiet = true;
        id = b.id;
        reason = fmt::format("Step {}, {}: in '{}'{}, {}.", step_, word(at), now.line.op,
                             now.line.node.empty() ? "" : " of '" + now.line.node + "'", why);
        break;
    }
    const bool other = !now.line.node.empty() && now.line.node != left_;
    if (id != 0)
        halt(id, std::move(reason));
    else if (mode_ == Mode::Op || (mode_ == Mode::Node && other))
        halt(0, {});
}

ValueId Debugger::id_of(const Place& place) {
    const auto& [node, port, gradient] = place;
    return {node, port, gradient ? ProbeWhat::ActivationGradient : ProbeWhat::Activation};
}

void Debugger::note_value(const std::string& node, const std::string& port, const Tensor& value,
                          bool gradient) {
    const Place place(node, port, gradient);
    values_.insert_or_assign(place, value.detach());
    fresh_.push_back(place);
    busy_ = true;
    probes_.see_recorded(id_of(place), value.detach()); // those that are due
    busy_ = false;
}

void Debugger::see(const std::string& node, const std::string& port, const Tensor& value) {
    if (busy_) return;
    note_value(node, port, value, false);
    if (value.requires_grad() && autograd::enabled())
        autograd::register_hook(value, [this, node, port, step = step_](const Tensor& gradient) {
            if (step != step_ || busy_) return;
            note_value(node, port, gradient, true);
            look_at_port(node, port, gradient, true);
        });
    look_at_port(node, port, value, false);
}

void Debugger::look_at_port(const std::string& node, const std::string& port, const Tensor& value,
                            bool gradient) {
    if (leave_ || !watchable(value)) return;
    if (kept_.empty()) { // data, which no op has made
        Kept given;
        given.line = {0, Phase::Forward, node, "data", value.shape()};
        given.outputs = {value.detach()};
        given.versions = {value.version()};
        kept_.push_back(std::move(given));
    }
    const Phase side = gradient ? Phase::Backward : Phase::Forward;
    int id = 0;
    std::string reason;
    for (Armed& one : breakpoints_) {
        const Breakpoint& b = one.what;
        if (one.quiet || b.when == When::Loss || !on_side(b.side, side)) continue;
        if (b.port.empty() ? of_elements(b.when) || of_step(b.when) : b.port != port) continue;
        if (!b.node.empty() && b.node != node) continue;
        std::string why;
        if (of_step(b.when)) {
            if (holds_step(b, step_)) why = fmt::format("step {}", step_);
        } else {
            busy_ = true;
            why = reason_of(b, numbers_of(value));
            busy_ = false;
        }
        if (why.empty()) continue;
        one.quiet = true;
        id = b.id;
        reason = fmt::format("Step {}: in the {}'{}' of '{}', {}.", step_,
                             gradient ? "gradient of " : "", port, node, why);
        break;
    }
    if (id != 0) halt(id, std::move(reason), port);
}

void Debugger::see_losses(const std::vector<std::string>& names,
                          const std::vector<double>& values) {
    if (leave_ || kept_.empty()) return;
    for (std::size_t i = 0; i < std::min(names.size(), values.size()); ++i) {
        int id = 0;
        for (Armed& one : breakpoints_) {
            const Breakpoint& b = one.what;
            if (one.quiet || b.when != When::Loss || (!b.node.empty() && b.node != names[i]))
                continue;
            if (!beyond(b, values[i]) && !std::isnan(values[i])) continue;
            one.quiet = true;
            id = b.id;
            break;
        }
        if (id != 0)
            halt(id, fmt::format("Step {}: the loss '{}' is {:.6g}.", step_, names[i], values[i]));
    }
}

Halt Debugger::describe_at(std::size_t index) const {
    const Kept& kept = kept_[index];
    Halt halt;
    halt.step = step_;
    halt.at = kept.line;
    halt.attrs = kept.attrs.str();
    halt.newest = count_;
    const auto show = [&](const Tensors& list, std::size_t from, const char* name,
                          std::vector<ProbeRecord>& to) {
        for (std::size_t i = 0; i < list.size(); ++i) {
            if (!list[i].defined() || !list[i].has_data()) continue;
            ProbeRequest request;
            request.value = {kept.line.node, fmt::format("{} {}", name, i + 1),
                             kept.line.phase == Phase::Forward ? ProbeWhat::Activation
                                                               : ProbeWhat::ActivationGradient};
            request.max_elements = kSlice;
            to.push_back(measure(request, list[i], step_));
            halt.changed_since |= version_of(list[i]) != kept.versions[from + i];
        }
    };
    show(kept.inputs, 0, "input", halt.inputs);
    show(kept.outputs, kept.inputs.size(), "output", halt.outputs);
    const auto here = static_cast<std::int64_t>(index),
               all = static_cast<std::int64_t>(kept_.size());
    for (std::int64_t i = std::max<std::int64_t>(0, here - kTrailBefore);
         i < std::min(all, here + kTrailAfter + 1); ++i)
        halt.trail.push_back(kept_[static_cast<std::size_t>(i)].line);
    return halt;
}

void Debugger::report_all() {
    const bool before = std::exchange(busy_, true);
    for (const auto& [place, value] : values_)
        probes_.report(id_of(place), value, step_);
    busy_ = before;
}

void Debugger::halt(int breakpoint, std::string reason, const std::string& port) {
    const autograd::NoGrad no_grad;
    busy_ = true;
    struct Unbusy {
        bool& busy;
        ~Unbusy() { busy = false; }
    } const unbusy{busy_};
    for (const Place& place : std::exchange(fresh_, {}))
        probes_.report(id_of(place), values_.at(place), step_);
    std::size_t index = kept_.size() - 1;
    for (;;) {
        Halt told = describe_at(index);
        if (index + 1 == kept_.size()) {
            told.breakpoint = breakpoint;
            told.reason = reason;
            told.port = port;
        }
        if (told.reason.empty())
            told.reason = fmt::format("Step {}, op {}, {}: '{}'{}.", step_, told.at.index,
                                      word(told.at.phase), told.at.op,
                                      told.at.node.empty() ? "" : " of '" + told.at.node + "'");
        mode_ = Mode::Run;
        switch (stand_(told)) {
        case StepOrder::Back:
            index -= index > 0;
            continue;
        case StepOrder::Op:
            if (index + 1 < kept_.size()) {
                ++index;
                continue;
            }
            mode_ = Mode::Op;
            return;
        case StepOrder::Node:
            mode_ = Mode::Node;
            left_ = kept_.back().line.node;
            return;
        case StepOrder::Run:
            return;
        case StepOrder::Finish:
            leave_ = true;
            return;
        }
    }
}

} // namespace wiregrad::train

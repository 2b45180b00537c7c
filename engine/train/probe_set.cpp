#include "engine/train/probe_set.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "engine/autograd/tape.h"
#include "engine/op/ops.h"

namespace wiregrad::train {
namespace {

bool of_update(const ProbeRequest& request) {
    return request.value.what == ProbeWhat::WeightUpdate ||
           request.value.what == ProbeWhat::OptimizerState;
}

bool of_weight(const ProbeRequest& request) {
    return request.value.what == ProbeWhat::Weight ||
           request.value.what == ProbeWhat::WeightGradient || of_update(request);
}

bool is_weight(const ValueId& id, const std::string& name) {
    return name.size() == id.node.size() + 1 + id.name.size() && name.starts_with(id.node) &&
           name[id.node.size()] == '.' && name.ends_with(id.name);
}

double since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

void ProbeSet::set(std::vector<ProbeRequest> requests) {
    std::vector<Probe> fresh;
    for (ProbeRequest& request : requests) {
        Probe probe;
        const auto old = std::find_if(probes_.begin(), probes_.end(), [&](const Probe& p) {
            return p.request.value == request.value;
        });
        if (old != probes_.end()) probe = *old;
        probe.request = std::move(request);
        fresh.push_back(std::move(probe));
    }
    std::stable_sort(fresh.begin(), fresh.end(), [](const Probe& a, const Probe& b) {
        return std::tie(a.request.value.node, a.request.value.name) <
               std::tie(b.request.value.node, b.request.value.name);
    });
    probes_ = std::move(fresh);
    ++revision_;
    forward_due_ = weights_due_ = updates_due_ = false;
}

void ProbeSet::begin_step(std::int64_t step, double run_seconds) {
    step_ = step;
    forward_due_ = weights_due_ = updates_due_ = false;
    const bool affordable =
        spent_seconds_ <= budget_ * run_seconds + grace_seconds_ || budget_ >= 1;
    const auto now = Clock::now();
    for (Probe& probe : probes_) {
        const double interval = probe.request.max_per_second > 0
                                    ? 1 / probe.request.max_per_second
                                    : std::numeric_limits<double>::infinity();
        probe.due =
            affordable && (!probe.reported ||
                           (step - probe.last_step >= probe.request.every_steps &&
                            std::chrono::duration<double>(now - probe.last).count() >= interval));
        (of_weight(probe.request) ? weights_due_ : forward_due_) |= probe.due;
        updates_due_ |= probe.due && of_update(probe.request);
    }
}

template <class F>
void ProbeSet::for_each_due(const std::string& node, const std::string& port, const F& f) {
    const auto first = std::lower_bound(
        probes_.begin(), probes_.end(), std::tie(node, port), [](const Probe& p, const auto& key) {
            return std::tie(p.request.value.node, p.request.value.name) < key;
        });
    for (auto probe = first; probe != probes_.end() && probe->request.value.node == node &&
                             probe->request.value.name == port;
         ++probe)
        if (probe->due && !of_weight(probe->request)) f(*probe);
}

bool ProbeSet::wants(const std::string& node, const std::string& port) const {
    bool any = false;
    const_cast<ProbeSet*>(this)->for_each_due(node, port, [&](const Probe&) { any = true; });
    return any;
}

void ProbeSet::see(const std::string& node, const std::string& port, const Tensor& value) {
    for_each_due(node, port, [&](Probe& probe) {
        const auto index = static_cast<std::size_t>(&probe - probes_.data());
        if (probe.request.value.what == ProbeWhat::Activation)
            measure_now(index, value);
        else if (value.requires_grad() && autograd::enabled())
            // Two losses give two gradients; the first one is shown. Probes do not change before
            // backward is over.
            autograd::register_hook(value, [this, index, step = step_](const Tensor& gradient) {
                if (step == step_ && index < probes_.size() && probes_[index].due)
                    measure_now(index, gradient);
            });
    });
}

std::vector<ValueId> ProbeSet::values() const {
    std::vector<ValueId> result;
    for (const Probe& probe : probes_)
        result.push_back(probe.request.value);
    return result;
}

void ProbeSet::see_recorded(const ValueId& id, const Tensor& value) {
    for (std::size_t i = 0; i < probes_.size(); ++i)
        if (probes_[i].due && probes_[i].request.value == id) measure_now(i, value);
}

void ProbeSet::see_weights(const std::vector<nn::NamedTensor>& parameters,
                           const std::vector<nn::NamedTensor>& buffers) {
    if (!weights_due_) return;
    for (std::size_t i = 0; i < probes_.size(); ++i) {
        const ValueId& id = probes_[i].request.value;
        if (!probes_[i].due || !of_weight(probes_[i].request)) continue;
        for (const auto* list : {&parameters, &buffers})
            for (const nn::NamedTensor& entry : *list) {
                if (!is_weight(id, entry.name)) continue;
                if (id.what == ProbeWhat::WeightUpdate) probes_[i].before = entry.tensor.clone();
                if (of_update(probes_[i].request)) continue;
                const Tensor value =
                    id.what == ProbeWhat::Weight ? entry.tensor : entry.tensor.grad();
                if (value.defined()) measure_now(i, value);
            }
    }
}

void ProbeSet::see_updates(const std::vector<nn::NamedTensor>& parameters,
                           const std::vector<nn::NamedTensor>& optimizer_state) {
    const autograd::NoGrad no_grad;
    for (std::size_t i = 0; i < probes_.size(); ++i) {
        Probe& probe = probes_[i];
        if (!probe.due || !of_update(probe.request)) continue;
        const bool update = probe.request.value.what == ProbeWhat::WeightUpdate;
        for (const nn::NamedTensor& entry : update ? parameters : optimizer_state) {
            if (!is_weight(probe.request.value, entry.name)) continue;
            if (!update)
                measure_now(i, entry.tensor);
            else if (const Tensor before = std::exchange(probe.before, {}); before.defined())
                measure_now(i, sub(entry.tensor, before));
            break;
        }
    }
}

void ProbeSet::report(const ValueId& id, const Tensor& value, std::int64_t step) {
    step_ = step;
    for (std::size_t i = 0; i < probes_.size(); ++i)
        if (probes_[i].request.value == id) measure_now(i, value);
}

void ProbeSet::report_weights(const std::vector<nn::NamedTensor>& state, std::int64_t step) {
    step_ = step;
    for (std::size_t i = 0; i < probes_.size(); ++i)
        if (probes_[i].request.value.what == ProbeWhat::Weight)
            for (const nn::NamedTensor& entry : state)
                if (is_weight(probes_[i].request.value, entry.name)) measure_now(i, entry.tensor);
}

void ProbeSet::measure_now(std::size_t index, const Tensor& value) {
    Probe& probe = probes_[index];
    const auto start = Clock::now();
    ProbeRecord record = measure(probe.request, value, step_);
    spent_seconds_ += since(start);
    probe.due = false;
    probe.reported = true;
    probe.last_step = step_;
    probe.last = start;
    report_(std::move(record));
}

} // namespace wiregrad::train

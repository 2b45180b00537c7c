#include "engine/train/step_program.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/autograd/tape.h"
#include "engine/core/config.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "engine/program/passes.h"
#include "engine/program/trace.h"
#include "engine/train/evaluate.h"

namespace wiregrad::train {
namespace {

/// Makes the values that probes ask for outputs of the program.
class TraceTap : public Tap {
  public:
    TraceTap(program::Tracer& tracer, const std::vector<ValueId>& probes)
        : tracer_(tracer), probes_(probes), seen_(probes.size(), false) {}
    bool wants(const std::string& node, const std::string& port) const override {
        return std::any_of(probes_.begin(), probes_.end(), [&](const ValueId& id) {
            return id.node == node && id.name == port && !of_weight(id);
        });
    }
    void see(const std::string& node, const std::string& port, const Tensor& value) override {
        for (std::size_t i = 0; i < probes_.size(); ++i) {
            const ValueId& id = probes_[i];
            if (id.node != node || id.name != port || of_weight(id)) continue;
            if (id.what == ProbeWhat::Activation)
                give(i, value);
            else if (value.requires_grad() && autograd::enabled())
                // Two losses give two gradients; the first one is shown.
                autograd::register_hook(value, [this, i](const Tensor& grad) { give(i, grad); });
        }
    }
    void see_weight_gradients(const std::vector<nn::NamedTensor>& parameters) {
        for (std::size_t i = 0; i < probes_.size(); ++i)
            for (const nn::NamedTensor& parameter : parameters)
                if (probes_[i].what == ProbeWhat::WeightGradient &&
                    parameter.name == probes_[i].node + "." + probes_[i].name &&
                    parameter.tensor.grad().defined())
                    give(i, parameter.tensor.grad());
    }

  private:
    static bool of_weight(const ValueId& id) {
        return id.what != ProbeWhat::Activation && id.what != ProbeWhat::ActivationGradient;
    }
    void give(std::size_t i, const Tensor& value) {
        if (seen_[i]) return;
        seen_[i] = true;
        tracer_.output(fmt::format("probe.{}", i), value);
    }
    program::Tracer& tracer_;
    const std::vector<ValueId>& probes_;
    std::vector<bool> seen_;
};

/// The gradients of a recorded step are stand-ins; the real ones were and stay undefined.
struct WithoutGradients {
    explicit WithoutGradients(const TrainPlan& plan) : plan(plan) { clear(); }
    ~WithoutGradients() { clear(); }
    void clear() const {
        for (const OptimizerPlan& own : plan.optimizers)
            own.optimizer->zero_grad();
    }
    const TrainPlan& plan;
};

struct Refusal {
    std::string reason, node;
};

/// Why steps of this plan cannot be recorded, whatever the model does; empty: they may.
Refusal refusal_of(const TrainPlan& plan) {
    if (plan.accumulate != 1) return {"gradients are accumulated over several batches", {}};
    if (plan.bad_numbers == BadNumbers::Skip)
        return {"each gradient is looked at, as batches with bad numbers are left out", {}};
    for (const OptimizerPlan& own : plan.optimizers)
        if (!own.optimizer->recordable()) return {"the optimizer cannot be recorded", own.name};
    return {};
}

} // namespace

void differentiate(const TrainPlan& plan, const StepValues& values, double share) {
    const auto roots_of = [&](const OptimizerPlan& own) {
        std::vector<Tensor> roots;
        for (const std::size_t loss : own.losses)
            roots.push_back(share == 1 ? values.losses[loss] : mul(values.losses[loss], share));
        return roots;
    };
    if (plan.optimizers.size() == 1) {
        autograd::backward(roots_of(plan.optimizers[0]));
        return;
    }
    for (std::size_t i = 0; i < plan.optimizers.size(); ++i) {
        const OptimizerPlan& own = plan.optimizers[i];
        std::vector<Tensor> weights;
        for (const nn::NamedTensor& parameter : own.optimizer->parameters())
            weights.push_back(parameter.tensor);
        autograd::BackwardOptions options;
        options.retain_graph = i + 1 < plan.optimizers.size();
        const std::vector<Tensor> gradients = autograd::grad(roots_of(own), weights, {}, options);
        const autograd::NoGrad no_grad;
        for (std::size_t w = 0; w < weights.size(); ++w) {
            const Tensor before = weights[w].grad();
            weights[w].set_grad(before.defined() && gradients[w].defined()
                                    ? add(before, gradients[w])
                                : gradients[w].defined() ? gradients[w]
                                                         : before);
        }
    }
}

program::Program trace_step(const TrainPlan& plan, const Batch& batch,
                            const nn::ForwardContext& context, const std::vector<ValueId>& probes,
                            std::vector<MetricValue::Finish>* finishes) {
    if (const Refusal refusal = refusal_of(plan); !refusal.reason.empty())
        throw ValueError(refusal.reason, refusal.node);
    const WithoutGradients restore(plan);
    program::Tracer tracer;
    Batch stand_in;
    stand_in.samples = batch.samples;
    for (std::size_t i = 0; i < batch.fields.size(); ++i)
        stand_in.fields.push_back(tracer.input(fmt::format("batch.{}", i), batch.fields[i]));
    nn::ForwardContext traced = context;
    traced.state.random = tracer.input("random", context.state.random);
    for (const nn::NamedTensor& weight : plan.model->module().state())
        tracer.name_state(weight.name, weight.tensor);
    for (const OptimizerPlan& own : plan.optimizers)
        for (const nn::NamedTensor& state : own.optimizer->state())
            tracer.name_state(own.name + ":" + state.name, state.tensor);

    const program::Tracer::Scope scope(tracer);
    TraceTap tap(tracer, probes);
    const StepValues values =
        plan.model->forward(stand_in, traced, probes.empty() ? nullptr : &tap);
    check_values(*plan.model, values);
    for (std::size_t i = 0; i < values.losses.size(); ++i)
        tracer.output(fmt::format("loss.{}", i), values.losses[i]);
    for (std::size_t i = 0; i < values.metrics.size(); ++i) {
        tracer.output(fmt::format("metric.{}.sum", i), values.metrics[i].sum);
        tracer.output(fmt::format("metric.{}.count", i), values.metrics[i].count);
    }
    if (finishes != nullptr)
        for (const MetricValue& metric : values.metrics)
            finishes->push_back(metric.finish);
    differentiate(plan, values, 1);
    tap.see_weight_gradients(plan.model->module().parameters());
    tracer.begin_update();
    for (const OptimizerPlan& own : plan.optimizers) {
        if (own.clip_grad_value > 0)
            clip_grad_value(own.optimizer->parameters(), own.clip_grad_value);
        if (own.clip_grad_norm > 0) clip_grad_norm(own.optimizer->parameters(), own.clip_grad_norm);
        own.optimizer->step(1); // the rate is set before each replay
    }
    return tracer.finish();
}

StepPrograms::Kind& StepPrograms::find(std::vector<std::int64_t> key, bool& fresh) {
    const auto found = std::find_if(kinds_.begin(), kinds_.end(),
                                    [&](const Kind& kind) { return kind.key == key; });
    fresh = found == kinds_.end();
    if (!fresh) return *found;
    if (kinds_.size() >= kKinds) {
        const auto oldest =
            std::min_element(kinds_.begin(), kinds_.end(),
                             [](const Kind& a, const Kind& b) { return a.used < b.used; });
        if (oldest->program != nullptr && oldest->calls == 1 && !oldest->probed) ++useless_;
        kinds_.erase(oldest);
    }
    Kind& made = kinds_.emplace_back();
    made.key = std::move(key);
    return made;
}

void StepPrograms::record(Kind& kind, const Batch& batch, const nn::ForwardContext& context,
                          const std::vector<ValueId>& probes) {
    ProgramRecord report;
    try {
        std::vector<MetricValue::Finish> finishes;
        program::Program program = trace_step(plan_, batch, context, probes, &finishes);
        program::OptimizeOptions options;
#ifdef WIREGRAD_DEBUG
        options.check = true;
#endif
        program::optimize(program, options);
        kind.program = std::make_unique<program::Executable>(
            std::move(program), program::ExecuteOptions{.threads = num_threads(),
                                                        .trial = !deterministic(),
                                                        .arena = &arena_});
        kind.inputs.clear();
        for (std::size_t i = 0; i < batch.fields.size(); ++i)
            kind.inputs.push_back(fmt::format("batch.{}", i));
        const program::Executable& made = *kind.program;
        kind.outputs = {};
        for (std::size_t i = 0; i < plan_.model->loss_names().size(); ++i)
            kind.outputs.losses.push_back(made.output(fmt::format("loss.{}", i)));
        for (std::size_t i = 0; i < plan_.model->metric_names().size(); ++i)
            kind.outputs.metrics.emplace_back(made.output(fmt::format("metric.{}.sum", i)),
                                              made.output(fmt::format("metric.{}.count", i)),
                                              finishes[i]);
        for (std::size_t i = 0; i < probes.size(); ++i)
            if (const std::string name = fmt::format("probe.{}", i);
                made.program().output(name) >= 0)
                kind.outputs.probes.emplace_back(probes[i], made.output(name));
        report.replayed = true;
        report.instructions = kind.program->program().instructions.size();
        report.arena_bytes = kind.program->plan().arena_bytes;
    } catch (const Error& error) {
        kind.refused = true;
        report.reason = error.text();
        report.node = error.where();
    }
    sink_.on_program(report);
}

const StepOutputs& StepPrograms::outputs(const program::Executable& program) const {
    return std::find_if(kinds_.begin(), kinds_.end(),
                        [&](const Kind& kind) { return kind.program.get() == &program; })
        ->outputs;
}

program::Executable* StepPrograms::prepare(const Batch& batch, const nn::ForwardContext& context,
                                           const ProbeSet& probes, bool with_probes) {
    if (!plan_.program) return nullptr;
    if (plan_.model->revision() != revision_) {
        kinds_.clear(); // they hold on to weights that the model may no longer have
        revision_ = plan_.model->revision();
    }
    key_.clear();
    for (const Tensor& field : batch.fields) {
        if (!field.is_contiguous()) return nullptr;
        key_.push_back(static_cast<std::int64_t>(field.dtype()));
        key_.push_back(field.dim());
        key_.insert(key_.end(), field.shape().begin(), field.shape().end());
    }
    key_.push_back(num_threads());
    key_.push_back(with_probes ? static_cast<std::int64_t>(probes.revision()) : -1);
    bool fresh = false;
    const auto known = std::find_if(kinds_.begin(), kinds_.end(),
                                    [&](const Kind& kind) { return kind.key == key_; });
    Kind& kind = known != kinds_.end() ? *known : find(key_, fresh);
    kind.used = ++clock_;
    ++kind.calls;
    kind.probed = with_probes;
    if (kind.refused || (fresh && !with_probes && useless_ >= kUseless)) return nullptr;
    if (kind.program == nullptr)
        record(kind, batch, context, with_probes ? probes.values() : std::vector<ValueId>{});
    if (kind.program == nullptr) return nullptr;
    for (std::size_t i = 0; i < batch.fields.size(); ++i)
        kind.program->set_input(kind.inputs[i], batch.fields[i]);
    kind.program->set_input("random", context.state.random);
    return kind.program.get();
}

} // namespace wiregrad::train

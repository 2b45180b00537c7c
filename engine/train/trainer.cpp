#include "engine/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>
#include <new>
#include <thread>
#include <variant>

#include <fmt/format.h>
#include <omp.h>

#include "engine/autograd/tape.h"
#include "engine/core/config.h"
#include "engine/core/error.h"
#include "engine/core/recorder.h"
#include "engine/train/debugger.h"
#include "engine/train/diagnosis.h"
#include "engine/train/evaluate.h"
#include "engine/train/exchange.h"
#include "engine/train/metric.h"
#include "engine/train/probe_set.h"
#include "engine/train/run_scope.h"
#include "engine/train/snapshots.h"
#include "engine/train/step_program.h"
#include "engine/train/update.h"

namespace wiregrad::train {
namespace {

/// Within the scope the weights are their moving averages, where such are kept.
class WithAverages {
  public:
    explicit WithAverages(std::vector<Update>& updates) : updates_(updates) { swap(); }
    ~WithAverages() { swap(); }
    WithAverages(const WithAverages&) = delete;
    WithAverages& operator=(const WithAverages&) = delete;

  private:
    void swap() {
        for (Update& update : updates_)
            update.swap_averages();
    }
    std::vector<Update>& updates_;
};

/// The loss is no number: carries what was found out.
struct NonFinite {
    Diagnosis diagnosis;
};

} // namespace

struct Trainer::Impl {
    enum class Order { Pause, Resume, StepOnce, StepEpoch };
    using Task = std::function<void(Model&)>;
    struct RunTo {
        std::int64_t step;
    };
    using Moment = std::shared_ptr<const Checkpoint>;
    using Capture = std::function<void(Moment)>;
    struct Change {
        std::shared_ptr<TrainPlan> next;
        std::function<Checkpoint(const Exchange&)> carry;
        std::function<void(const Exchanged&)> told;
    };
    using Command = std::variant<Order, std::vector<ProbeRequest>, Task, RunTo, Moment, Capture,
                                 Change, std::vector<Breakpoint>, StepOrder>;

    Impl(TrainPlan given, std::shared_ptr<Sink> to)
        : plan(std::move(given)), sink(to ? std::move(to) : std::make_shared<Sink>()),
          probes(plan.probe_budget,
                 [this](ProbeRecord record) { sink->on_probe(std::move(record)); }),
          debugger(probes, [this](const Halt& halt) { return stand(halt); }),
          programs(plan, *sink) {}

    // --- shared between threads
    TrainPlan plan;
    std::shared_ptr<Sink> sink;
    std::mutex mutex; ///< of what follows, up to the atomics
    std::condition_variable mail, over;
    std::deque<Command> commands;
    bool started = false, ended = false; ///< ended: accepts nothing more
    bool finished = false;               ///< the last report is out
    std::atomic<bool> stop_asked{false};
    std::atomic<RunState> state{RunState::Idle};

    // --- the trainer's thread only
    enum class Mode { Run, Paused, ToEpochEnd };
    Mode mode = Mode::Run;
    ProbeSet probes;
    Debugger debugger;
    bool watched = false; ///< this step runs under the debugger
    bool bad = false;     ///< a loss or gradient of this step is no number, and the run goes on
    int warnings = 0;     ///< told of such steps
    StepPrograms programs;
    RecordedEvaluation evaluation;
    std::int64_t step = 0, epoch = 0, batch = 0; ///< done steps and epochs; the next batch
    std::int64_t pause_after = 0;                ///< pauses when so many steps are done; 0: no
    nn::ForwardContext context;
    std::vector<Update> updates; ///< one an optimizer
    Sums sums;
    std::optional<Batch> looked_at; ///< the next batch, when something asked for it before its step
    Stopwatch watch;
    Speed speed;
    double saved_at = 0;
    std::string checkpoint_error;

    std::jthread thread; ///< last: joined before the rest goes

    void send(Command command) {
        const std::lock_guard lock(mutex);
        if (ended) return;
        commands.push_back(std::move(command));
        mail.notify_one();
    }

    void set_state(RunState value) {
        if (state.exchange(value) != value) sink->on_state(value);
    }

    void run(bool resume);
    void prepare(bool resume);
    void restore(const Checkpoint& saved, const std::string& path);
    Moment copy_of_now() const;
    Batch take_batch(std::int64_t index);
    void exchange(Change& change);
    void exchange(TrainPlan& next, const Change& change, Exchanged& told);
    void keep_snapshot();
    bool train();
    bool boundary();
    bool wait_for_mail(Command& command);
    StepOrder stand(const Halt& halt);
    void bad_number(const Diagnosis& diagnosis);
    std::vector<nn::NamedTensor> statistics_before() const;
    bool leaves_out(std::int64_t number);
    void train_step();
    void train_batch(const Batch& data, std::int64_t number, double share, StepRecord& record,
                     std::vector<MetricSum>& metrics);
    void replay(program::Executable& program, const Batch& data, std::int64_t number,
                StepRecord& record, std::vector<MetricSum>& metrics);
    void add(const std::vector<double>& losses, const std::vector<MetricSum>& of_batch,
             const Batch& data, std::int64_t number, double share, StepRecord& record,
             std::vector<MetricSum>& metrics);
    RecordedEvaluation* recorded() { return plan.program ? &evaluation : nullptr; }
    bool end_epoch();
    Checkpoint checkpoint() const;
    void save();
    void run_remaining_tasks(DoneRecord& done);
    void set_random(std::int64_t number) {
        auto* random = context.state.random.data_mut<std::int64_t>();
        random[0] = static_cast<std::int64_t>(plan.seed);
        random[1] = number;
    }
    bool at_limit() const { return plan.max_steps > 0 && step >= plan.max_steps; }
    bool stopped() const { return stop_asked.load(std::memory_order_relaxed); }
};

void Trainer::Impl::prepare(bool resume) {
    if (plan.model == nullptr || plan.train == nullptr)
        throw ValueError("a run needs a model and training data");
    if (plan.train->batches_per_epoch() < 1) throw DataError("the training data have no batch");
    if (plan.optimizers.empty()) throw ValueError("a run needs an optimizer");
    if (plan.accumulate < 1)
        throw ValueError(
            fmt::format("a step takes at least one batch, accumulate is {}", plan.accumulate));
    for (const OptimizerPlan& own : plan.optimizers) {
        if (own.optimizer == nullptr || own.losses.empty())
            throw ValueError("the optimizer minimises no loss", own.name);
        for (const std::size_t loss : own.losses)
            if (loss >= plan.model->loss_names().size())
                throw ValueError(fmt::format("the optimizer minimises loss {} of {}", loss + 1,
                                             plan.model->loss_names().size()),
                                 own.name);
    }
    omp_set_num_threads(num_threads());
    if (plan.polite) lower_priority(num_threads());
    context.training = true;
    context.state.random = Tensor::zeros({2}, DType::Int64);
    sums.clear(*plan.model);
    watch = Stopwatch();
    for (OptimizerPlan& own : plan.optimizers)
        updates.emplace_back(own);
    if (resume) {
        if (plan.checkpoint_path.empty())
            throw ValueError("there is no checkpoint to resume from: the run keeps none");
        restore(load_checkpoint(plan.checkpoint_path), plan.checkpoint_path);
    } else if (plan.begin_with != nullptr) {
        restore(*plan.begin_with, {});
    }
}

/// The first setting in which a checkpoint and this run differ, in words; a setting that only one
/// of them knows (versions differ) is no difference.
std::string difference(const Settings& saved, const Settings& own) {
    for (const auto& [name, value] : own)
        for (const auto& [other, before] : saved)
            if (name == other && value != before)
                return fmt::format("the checkpoint was made with {} {}, this run has {}", name,
                                   before, value);
    return {};
}

/// `path`: where it came from; empty: memory.
void Trainer::Impl::restore(const Checkpoint& saved, const std::string& path) {
    if (saved.graph_hash != plan.graph_hash)
        throw FileError("the checkpoint belongs to another graph, so its run cannot be resumed",
                        path);
    if (saved.seed != plan.seed)
        throw FileError(fmt::format("the checkpoint belongs to a run with seed {}, this one has {}",
                                    saved.seed, plan.seed),
                        path);
    if (!path.empty()) // a branch from memory may go on with other settings
        if (std::string text = difference(saved.settings, plan.settings); !text.empty())
            throw FileError(std::move(text), path);
    if (saved.optimizers.size() != plan.optimizers.size() ||
        saved.epoch_losses.size() != sums.losses.size() ||
        saved.epoch_metrics.size() != sums.metrics.size() ||
        saved.batch > plan.train->batches_per_epoch())
        throw FileError(
            "the checkpoint does not fit to this run: other optimizers, losses, metrics or data",
            path);
    plan.model->module().load(saved.weights);
    for (std::size_t i = 0; i < saved.optimizers.size(); ++i) {
        if (saved.optimizers[i].first != plan.optimizers[i].name)
            throw FileError(
                fmt::format("the checkpoint has an optimizer '{}' where this run has '{}'",
                            saved.optimizers[i].first, plan.optimizers[i].name),
                path);
        updates[i].load(saved.optimizers[i].second);
    }
    step = saved.step;
    epoch = saved.epoch;
    batch = saved.batch;
    sums.losses = saved.epoch_losses;
    sums.metrics = saved.epoch_metrics;
    watch = Stopwatch(saved.seconds);
    saved_at = saved.seconds;
}

void Trainer::Impl::keep_snapshot() {
    if (plan.snapshots == nullptr || epoch >= plan.epochs ||
        !plan.snapshots->due(step, watch.seconds()))
        return;
    const Stopwatch cost;
    Moment moment = copy_of_now();
    plan.snapshots->keep(std::move(moment), cost.seconds());
}

/// The run goes on writing to its own tensors.
Trainer::Impl::Moment Trainer::Impl::copy_of_now() const {
    auto moment = std::make_shared<Checkpoint>(checkpoint());
    for (nn::NamedTensor& weight : moment->weights)
        weight.tensor = weight.tensor.clone();
    for (auto& [name, state] : moment->optimizers)
        for (nn::NamedTensor& entry : state)
            entry.tensor = entry.tensor.clone();
    return moment;
}

/// The next command; false when there is none and the run is not paused.
bool Trainer::Impl::wait_for_mail(Command& command) {
    std::unique_lock lock(mutex);
    if (commands.empty() && mode == Mode::Paused && !stopped()) {
        lock.unlock(); // the sink is never called under the lock
        watch.pause();
        speed.forget();
        set_state(RunState::Paused);
        lock.lock();
        mail.wait(lock, [&] { return !commands.empty() || stopped(); });
        watch.resume();
    }
    if (commands.empty() || stopped()) return false;
    command = std::move(commands.front());
    commands.pop_front();
    return true;
}

/// Within a step, at an op: tells where and obeys what may be done there. The rest waits for the
/// step's end.
StepOrder Trainer::Impl::stand(const Halt& halt) {
    std::deque<Command> later;
    std::optional<StepOrder> next;
    watch.pause();
    speed.forget();
    sink->on_halt(&halt);
    set_state(RunState::Paused);
    while (!next) {
        Command command;
        {
            std::unique_lock lock(mutex);
            mail.wait(lock, [&] { return !commands.empty() || stopped(); });
            if (stopped()) {
                next = StepOrder::Finish;
                break;
            }
            command = std::move(commands.front());
            commands.pop_front();
        }
        if (auto* requests = std::get_if<std::vector<ProbeRequest>>(&command)) {
            probes.set(std::move(*requests));
            debugger.report_all();
        } else if (auto* task = std::get_if<Task>(&command)) {
            const autograd::EnableGrad as_between_steps;
            const Origin nowhere(0U);
            (*task)(*plan.model);
        } else if (auto* breakpoints = std::get_if<std::vector<Breakpoint>>(&command)) {
            debugger.set(std::move(*breakpoints));
        } else if (const auto* order = std::get_if<StepOrder>(&command)) {
            next = *order;
        } else if (const auto* way = std::get_if<Order>(&command)) {
            if (*way == Order::Pause) continue;
            mode = *way == Order::Resume     ? Mode::Run
                   : *way == Order::StepOnce ? Mode::Paused
                                             : Mode::ToEpochEnd;
            next = *way == Order::Resume ? StepOrder::Run : StepOrder::Finish;
        } else {
            if (std::holds_alternative<Moment>(command)) next = StepOrder::Finish;
            later.push_back(std::move(command));
        }
    }
    {
        const std::lock_guard lock(mutex);
        commands.insert(commands.begin(), std::make_move_iterator(later.begin()),
                        std::make_move_iterator(later.end()));
    }
    watch.resume();
    set_state(RunState::Running);
    sink->on_halt(nullptr);
    return *next;
}

/// Between two steps: obeys what has come in. False: stop.
bool Trainer::Impl::boundary() {
    Command command;
    while (!stopped()) {
        if (!wait_for_mail(command)) {
            if (stopped()) break;
            set_state(RunState::Running);
            return true;
        }
        if (auto* requests = std::get_if<std::vector<ProbeRequest>>(&command)) {
            probes.set(std::move(*requests));
            if (mode == Mode::Paused) probes.report_weights(plan.model->module().state(), step);
        } else if (auto* task = std::get_if<Task>(&command)) {
            (*task)(*plan.model);
            *task = nullptr; // what it holds may be waited for
        } else if (auto* breakpoints = std::get_if<std::vector<Breakpoint>>(&command)) {
            debugger.set(std::move(*breakpoints));
        } else if (const auto* order = std::get_if<StepOrder>(&command)) {
            if (mode != Mode::Paused || *order == StepOrder::Back || *order == StepOrder::Finish)
                continue;
            if (*order == StepOrder::Run) {
                mode = Mode::Run;
                pause_after = 0;
                continue;
            }
            debugger.stop_at_next_op();
            set_state(RunState::Running);
            return true;
        } else if (const auto* target = std::get_if<RunTo>(&command)) {
            pause_after = target->step;
            mode = step < pause_after ? Mode::Run : Mode::Paused;
        } else if (const auto* take = std::get_if<Capture>(&command)) {
            (*take)(copy_of_now());
        } else if (auto* change = std::get_if<Change>(&command)) {
            exchange(*change);
            *change = {};
        } else if (const auto* moment = std::get_if<Moment>(&command)) {
            restore(**moment, {});
            looked_at.reset();
            speed.forget();
            mode = Mode::Paused;
            pause_after = 0;
            set_state(RunState::Running); // so that the pause is said anew
        } else {
            switch (std::get<Order>(command)) {
            case Order::Pause:
                mode = Mode::Paused;
                break;
            case Order::Resume:
                mode = Mode::Run;
                pause_after = 0;
                break;
            case Order::StepEpoch:
                mode = Mode::ToEpochEnd;
                break;
            case Order::StepOnce:
                mode = Mode::Paused; // after this one
                set_state(RunState::Running);
                return true;
            }
        }
    }
    return false;
}

Batch Trainer::Impl::take_batch(std::int64_t index) {
    if (index == batch && looked_at) {
        Batch data = std::move(*looked_at);
        looked_at.reset();
        return data;
    }
    looked_at.reset();
    return plan.train->batch(epoch, index);
}

void Trainer::Impl::exchange(Change& change) {
    Exchanged told;
    told.step = step;
    try {
        exchange(*change.next, change, told);
        told.done = true;
    } catch (const std::bad_alloc&) {
        told.error = "there is not enough memory for the changed network";
    } catch (const Error& error) {
        told.error = error.text();
        told.error_node = error.where();
    } catch (const std::exception& error) {
        told.error = error.what();
    }
    speed.forget();
    if (change.told) change.told(told);
}

/// All that can go wrong is done before anything of the run is touched.
void Trainer::Impl::exchange(TrainPlan& next, const Change& change, Exchanged& told) {
    if (next.model == nullptr || next.optimizers.empty())
        throw ValueError("a run needs a model and an optimizer");
    std::vector<Update> fresh_updates;
    fresh_updates.reserve(next.optimizers.size());
    Checkpoint fresh;
    fresh.weights = next.model->module().state();
    for (OptimizerPlan& own : next.optimizers) {
        fresh_updates.emplace_back(own);
        fresh.optimizers.emplace_back(own.name, fresh_updates.back().state());
    }
    const bool more = epoch < plan.epochs && !at_limit();
    if (more && !looked_at) looked_at = plan.train->batch(epoch, batch);
    const Batch* data = more ? &*looked_at : nullptr;
    set_random(step * next.accumulate);
    if (data != nullptr) told.losses_before = losses_without_trace(*plan.model, *data, context);
    const Checkpoint now = checkpoint();
    const Checkpoint moment = change.carry({now, fresh, *plan.model, *next.model, data, context});
    next.model->module().load(moment.weights);
    for (std::size_t i = 0; i < fresh_updates.size(); ++i)
        fresh_updates[i].load(moment.optimizers.at(i).second);
    if (data != nullptr) told.losses_after = losses_without_trace(*next.model, *data, context);

    const bool same_sums = plan.model->loss_names() == next.model->loss_names() &&
                           plan.model->metric_names() == next.model->metric_names();
    programs.forget();
    evaluation = {};
    updates = std::move(fresh_updates); // they refer to the plans, which keep their places
    plan.optimizers = std::move(next.optimizers);
    plan.model = std::move(next.model);
    plan.epochs = next.epochs;
    plan.accumulate = next.accumulate;
    plan.graph_hash = std::move(next.graph_hash);
    plan.settings = std::move(next.settings);
    if (next.snapshots) plan.snapshots = std::move(next.snapshots);
    if (!same_sums) sums.clear(*plan.model);
    keep_snapshot(); // new ones begin here
}

/// Forward and backward of one batch, which is `share` of the step.
void Trainer::Impl::train_batch(const Batch& data, std::int64_t number, double share,
                                StepRecord& record, std::vector<MetricSum>& metrics) {
    StepValues values;
    {
        std::optional<PushInterpreter> watching;
        if (watched) watching.emplace(debugger);
        Tap* const tap =
            watched ? static_cast<Tap*>(&debugger) : (probes.wants_forward() ? &probes : nullptr);
        values = plan.model->forward(data, context, tap);
    }
    check_values(*plan.model, values);
    // Read before the update: weights that gave a bad loss are still there to be looked at.
    const std::vector<double> losses = read_losses(values);
    if (watched) debugger.see_losses(plan.model->loss_names(), losses);
    add(losses, read_metrics(values), data, number, share, record, metrics);
    std::optional<PushInterpreter> watching;
    if (watched) watching.emplace(debugger);
    differentiate(plan, values, share);
}

/// Forward and backward as they were recorded.
void Trainer::Impl::replay(program::Executable& program, const Batch& data, std::int64_t number,
                           StepRecord& record, std::vector<MetricSum>& metrics) {
    program.run();
    const StepOutputs& outputs = programs.outputs(program);
    StepValues values;
    values.losses = outputs.losses;
    values.metrics = outputs.metrics;
    add(read_losses(values), read_metrics(values), data, number, 1, record, metrics);
    for (const auto& [id, value] : outputs.probes)
        probes.see_recorded(id, value);
}

/// Takes in what a batch gave, which is `share` of the step. Throws where a loss is no number.
void Trainer::Impl::add(const std::vector<double>& losses, const std::vector<MetricSum>& of_batch,
                        const Batch& data, std::int64_t number, double share, StepRecord& record,
                        std::vector<MetricSum>& metrics) {
    for (std::size_t i = 0; i < losses.size(); ++i)
        if (!std::isfinite(losses[i]))
            bad_number(explain_loss(*plan.model, data, context, i, losses[i], number));
    record.losses.resize(losses.size(), 0);
    for (std::size_t i = 0; i < losses.size(); ++i)
        record.losses[i] += share == 1 ? losses[i] : share * losses[i];
    metrics.resize(of_batch.size());
    for (std::size_t i = 0; i < metrics.size(); ++i)
        metrics[i] += of_batch[i];
    if (!bad || plan.bad_numbers != BadNumbers::Skip)
        sums.add(losses, of_batch, sample_count(data));
}

/// Ends the run, or tells and lets it go on.
void Trainer::Impl::bad_number(const Diagnosis& diagnosis) {
    if (plan.bad_numbers == BadNumbers::Stop) throw NonFinite{diagnosis};
    bad = true;
    constexpr int kMost = 50; // a network that has broken stays so, and the log is read by people
    if (++warnings > kMost) return;
    std::string text = diagnosis.text;
    if (plan.bad_numbers == BadNumbers::Skip) text += " The batch was left out.";
    if (warnings == kMost) text += " Further ones are not told.";
    sink->on_warning(text);
}

/// Running statistics, which a forward pass writes: only where a batch may be left out.
std::vector<nn::NamedTensor> Trainer::Impl::statistics_before() const {
    if (plan.bad_numbers != BadNumbers::Skip) return {};
    std::vector<nn::NamedTensor> buffers = plan.model->module().buffers();
    for (nn::NamedTensor& buffer : buffers)
        buffer.tensor = buffer.tensor.clone();
    return buffers;
}

/// Whether this step's gradients are not to be used.
bool Trainer::Impl::leaves_out(std::int64_t number) {
    if (plan.bad_numbers != BadNumbers::Skip) return false;
    if (bad) return true;
    for (const nn::NamedTensor& weight : plan.model->module().parameters())
        if (const Tensor gradient = weight.tensor.grad(); !all_finite(gradient)) {
            Diagnosis diagnosis;
            diagnosis.text = fmt::format("In step {} the gradient of the weight '{}' is no number.",
                                         number, weight.name);
            bad_number(diagnosis);
            return true;
        }
    return false;
}

void Trainer::Impl::train_step() {
    const std::int64_t batches = plan.train->batches_per_epoch(), group = plan.accumulate;
    const std::int64_t count = std::min(group, batches - batch);
    const std::int64_t number = step + 1;
    probes.begin_step(number, watch.seconds());
    watched = debugger.armed();
    if (watched) debugger.begin_step(number);
    bad = false;
    const std::vector<nn::NamedTensor> statistics = statistics_before();
    for (OptimizerPlan& own : plan.optimizers)
        own.optimizer->zero_grad();

    StepRecord record;
    std::vector<MetricSum> metrics;
    std::int64_t samples = 0;
    program::Executable* program = nullptr; // of a recorded step
    for (std::int64_t i = 0; i < count; ++i) {
        const Batch data = take_batch(batch + i);
        set_random(step * group + i);
        program = watched ? nullptr
                          : programs.prepare(data, context, probes,
                                             probes.wants_forward() || probes.wants_weights());
        if (program != nullptr)
            replay(*program, data, number, record, metrics);
        else
            train_batch(data, number, 1.0 / static_cast<double>(count), record, metrics);
        samples += sample_count(data);
    }
    for (const MetricSum& metric : metrics)
        record.metrics.push_back(metric.value());
    if (probes.wants_weights())
        probes.see_weights(plan.model->module().parameters(), plan.model->module().buffers());
    const ScheduleTime time{epoch, plan.epochs, step, (batches + group - 1) / group};
    const bool skip = leaves_out(number);
    if (skip) plan.model->module().load(statistics, false);
    std::optional<PushInterpreter> watching;
    if (watched) watching.emplace(debugger);
    if (watched) debugger.begin_update();
    std::vector<double> rates;
    for (Update& update : updates)
        rates.push_back(program != nullptr || skip ? update.set_rate(time) : 0);
    if (program != nullptr && !skip) program->run_update();
    for (std::size_t i = 0; i < updates.size(); ++i) {
        const double used = program != nullptr || skip ? rates[i] : updates[i].step(time);
        if (program != nullptr && !skip) updates[i].follow();
        const Optimizer& optimizer = *plan.optimizers[i].optimizer;
        if (probes.wants_updates()) probes.see_updates(optimizer.parameters(), optimizer.state());
        if (i == 0) record.lr = used;
    }
    watching.reset();
    if (watched) debugger.end_step();
    ++step;
    batch += count;
    record.step = number;
    record.epoch = epoch + 1;
    record.seconds = watch.seconds();
    record.samples_per_second = speed.step(record.seconds, samples);
    sink->on_step(record);
    if (step == pause_after) {
        pause_after = 0;
        mode = Mode::Paused;
    }
    if (plan.checkpoint_seconds > 0 && record.seconds - saved_at >= plan.checkpoint_seconds) save();
}

/// Validation and the report. False: stopped meanwhile; the epoch then ends anew on resume.
bool Trainer::Impl::end_epoch() {
    EpochRecord record;
    record.epoch = epoch + 1;
    record.step = step;
    record.train_losses = sums.mean_losses();
    record.train_metrics = sums.mean_metrics();
    if (plan.validation != nullptr && plan.validation->batches_per_epoch() > 0) {
        const WithAverages averaged(updates);
        const auto result = evaluate_until(
            *plan.model, *plan.validation, "validation", [&] { return stopped(); }, recorded());
        if (!result) return false;
        record.losses = result->losses;
        record.metrics = result->metrics;
    }
    const std::vector<double>& seen = record.losses.empty() ? record.train_losses : record.losses;
    for (std::size_t i = 0; i < updates.size(); ++i) {
        double loss = 0;
        for (const std::size_t index : plan.optimizers[i].losses)
            loss += seen[index];
        updates[i].end_epoch(loss);
    }
    ++epoch;
    batch = 0;
    sums.clear(*plan.model);
    record.seconds = watch.seconds();
    speed.forget();
    sink->on_epoch(record);
    if (plan.checkpoint_epochs && epoch < plan.epochs && !at_limit()) save();
    if (mode == Mode::ToEpochEnd) mode = Mode::Paused;
    return true;
}

/// True: to the end. False: stopped.
bool Trainer::Impl::train() {
    const std::int64_t batches = plan.train->batches_per_epoch();
    for (;;) {
        const bool over = epoch >= plan.epochs;
        if (!over && batch >= batches) {
            if (!end_epoch()) return false;
            continue;
        }
        if (over || at_limit()) {
            if (!plan.replay) return true;
            mode = Mode::Paused;
        }
        keep_snapshot();
        if (!boundary()) return false;
        if (epoch < plan.epochs && !at_limit()) train_step();
    }
}

/// Shares its tensors with the run.
Checkpoint Trainer::Impl::checkpoint() const {
    Checkpoint checkpoint;
    checkpoint.weights = plan.model->module().state();
    for (std::size_t i = 0; i < updates.size(); ++i)
        checkpoint.optimizers.emplace_back(plan.optimizers[i].name, updates[i].state());
    checkpoint.step = step;
    checkpoint.epoch = epoch;
    checkpoint.batch = batch;
    checkpoint.seed = plan.seed;
    checkpoint.graph_hash = plan.graph_hash;
    checkpoint.settings = plan.settings;
    checkpoint.seconds = watch.seconds();
    checkpoint.epoch_losses = sums.losses;
    checkpoint.epoch_metrics = sums.metrics;
    return checkpoint;
}

void Trainer::Impl::save() {
    if (plan.checkpoint_path.empty() || step == 0) return;
    saved_at = watch.seconds();
    try {
        save_checkpoint(plan.checkpoint_path, checkpoint());
        checkpoint_error.clear();
    } catch (const std::bad_alloc&) {
        checkpoint_error = "there is not enough memory to write the checkpoint";
        sink->on_warning(checkpoint_error);
    } catch (const Error& error) {
        // A full disk is no reason to lose the run: the older checkpoint is whole, and the next one
        // may fit.
        checkpoint_error = error.what();
        sink->on_warning(checkpoint_error);
    }
}

/// Tasks that were accepted are run, also behind a stop. Then nothing more is accepted.
void Trainer::Impl::run_remaining_tasks(DoneRecord& done) {
    for (;;) {
        Command command;
        {
            const std::lock_guard lock(mutex);
            if (commands.empty()) {
                ended = true;
                return;
            }
            command = std::move(commands.front());
            commands.pop_front();
        }
        const auto* task = std::get_if<Task>(&command);
        if (task == nullptr || plan.model == nullptr) continue;
        try {
            (*task)(*plan.model);
        } catch (const std::exception& error) {
            if (done.state != RunState::Failed) done.error = error.what();
            done.state = RunState::Failed;
        }
    }
}

void Trainer::Impl::run(bool resume) {
    DoneRecord done;
    const auto fail = [&](std::string text, std::string node = {}) {
        done.state = RunState::Failed;
        done.error = std::move(text);
        done.error_node = std::move(node);
    };
    const ThreadCount threads(plan.threads);
    try {
        set_state(RunState::Preparing);
        prepare(resume);
        const bool complete = train();
        if (!complete) set_state(RunState::Stopping);
        save();
        // From here on the model is what is kept of the run.
        for (Update& update : updates)
            update.swap_averages();
        done.state = complete ? RunState::Finished : RunState::Stopped;
        if (complete && plan.test != nullptr && plan.test->batches_per_epoch() > 0) {
            done.test = evaluate_until(
                *plan.model, *plan.test, "test", [&] { return stopped(); }, recorded());
            if (!done.test) done.state = RunState::Stopped;
        }
    } catch (const NonFinite& bad) {
        fail(bad.diagnosis.text, bad.diagnosis.node);
        done.error_sample = bad.diagnosis.sample;
    } catch (const Cancelled& error) {
        if (stopped()) {
            save();
            done.state = RunState::Stopped;
        } else {
            fail(error.what());
        }
    } catch (const FileError& error) {
        fail(error.what()); // its place is a path
    } catch (const Error& error) {
        fail(error.what(), error.where());
    } catch (const std::bad_alloc&) {
        fail("out of memory");
    } catch (const std::exception& error) {
        fail(error.what());
    }
    run_remaining_tasks(done);
    done.steps = step;
    done.epochs = epoch;
    done.seconds = watch.seconds();
    done.checkpoint_error = checkpoint_error;
    set_state(done.state);
    sink->on_done(done);
    const std::lock_guard lock(mutex);
    finished = true;
    over.notify_all();
}

Trainer::Trainer(TrainPlan plan, std::shared_ptr<Sink> sink)
    : impl_(std::make_unique<Impl>(std::move(plan), std::move(sink))) {}

Trainer::~Trainer() {
    stop();
}

void Trainer::start(bool resume) {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->started) throw ValueError("this run was started before; make a new one");
    impl_->started = true;
    impl_->thread = std::jthread([impl = impl_.get(), resume] { impl->run(resume); });
}

void Trainer::pause() {
    impl_->send(Impl::Order::Pause);
}
void Trainer::resume() {
    impl_->send(Impl::Order::Resume);
}
void Trainer::step_once() {
    impl_->send(Impl::Order::StepOnce);
}
void Trainer::step_epoch() {
    impl_->send(Impl::Order::StepEpoch);
}

void Trainer::run_to(std::int64_t step) {
    impl_->send(Impl::RunTo{step});
}
void Trainer::seek(std::shared_ptr<const Checkpoint> moment) {
    if (moment == nullptr) throw ValueError("there is no moment to go to");
    impl_->send(std::move(moment));
}

void Trainer::capture(std::function<void(std::shared_ptr<const Checkpoint>)> take) {
    impl_->send(std::move(take));
}

bool Trainer::exchange(TrainPlan next, std::function<Checkpoint(const Exchange&)> carry,
                       std::function<void(const Exchanged&)> told) {
    if (!carry) throw ValueError("nobody says what the changed network keeps");
    const std::lock_guard lock(impl_->mutex);
    if (impl_->ended) return false;
    impl_->commands.emplace_back(Impl::Change{std::make_shared<TrainPlan>(std::move(next)),
                                              std::move(carry), std::move(told)});
    impl_->mail.notify_one();
    return true;
}

void Trainer::stop() {
    const std::lock_guard lock(impl_->mutex);
    impl_->stop_asked = true;
    impl_->mail.notify_one();
}

void Trainer::set_breakpoints(std::vector<Breakpoint> breakpoints) {
    impl_->send(std::move(breakpoints));
}

void Trainer::go(StepOrder order) {
    impl_->send(order);
}

void Trainer::set_probes(std::vector<ProbeRequest> probes) {
    impl_->send(std::move(probes));
}

bool Trainer::post(std::function<void(Model&)> task) {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->ended) return false;
    impl_->commands.emplace_back(std::move(task));
    impl_->mail.notify_one();
    return true;
}

RunState Trainer::state() const {
    return impl_->state;
}

void Trainer::wait() {
    std::unique_lock lock(impl_->mutex);
    if (impl_->started) impl_->over.wait(lock, [&] { return impl_->finished; });
}

Model& Trainer::model() {
    return *impl_->plan.model;
}

} // namespace wiregrad::train

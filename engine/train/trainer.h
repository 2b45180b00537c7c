// The trainer: one thread that runs a plan, obeys a mailbox of commands and reports to a sink.
// It never sees a graph, only the model interface below. All compute of a run happens on its
// thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/nn/module.h"
#include "engine/train/breakpoint.h"
#include "engine/train/optim.h"
#include "engine/train/probe.h"
#include "engine/train/schedule.h"

namespace wiregrad::train {

/// One batch: the tensors a data source declares, in its port order, plus which samples they are.
struct Batch {
    std::vector<Tensor> fields;
    std::vector<std::int64_t> samples; ///< indices into the split, for "which sample was it"
};

/// Batches as a pure function of (seed, epoch, index): exact resume and time travel need no state.
/// `batch` is called from the trainer's thread only; a source may prefetch on its own threads.
class BatchSource {
  public:
    virtual ~BatchSource() = default;
    virtual std::int64_t batches_per_epoch() const = 0;
    virtual std::int64_t samples_per_epoch() const = 0;
    /// Throws DataError naming the sample that cannot be read.
    virtual Batch batch(std::int64_t epoch, std::int64_t index) = 0;
};

/// Streaming metric: sums and counts, never the mean of batch means.
struct MetricSum {
    double sum = 0;
    double count = 0;
    /// Of metrics that are no ratio of two sums: all their numbers, and what makes the value.
    std::vector<double> counts{};
    std::shared_ptr<const std::function<double(const std::vector<double>&)>> finish{};
    double value() const {
        if (finish) return (*finish)(counts);
        return count > 0 ? sum / count : 0;
    }
};

/// A metric of one batch before it is read, so that the step can be recorded.
struct MetricValue {
    using Finish = std::shared_ptr<const std::function<double(const std::vector<double>&)>>;
    MetricValue(Tensor sum_of, Tensor count_of, Finish made_by = {})
        : sum(std::move(sum_of)), count(std::move(count_of)), finish(std::move(made_by)) {}
    MetricValue(const MetricSum& value); // NOLINT: a metric that was computed on the host
    MetricSum read() const;
    Tensor sum, count; ///< 0-dim; with `finish` the sum is all numbers but the last, the count
    Finish finish;
};

/// What one forward pass yields.
struct StepValues {
    std::vector<Tensor> losses; ///< 0-dim, one per loss name, attached to the tape when training
    std::vector<MetricValue> metrics; ///< one per metric name, of this batch
};

/// Called during forward for each output a probe asks for.
class Tap {
  public:
    virtual ~Tap() = default;
    virtual bool wants(const std::string& node, const std::string& port) const = 0;
    virtual void see(const std::string& node, const std::string& port, const Tensor& value) = 0;
};

/// What is trained: the compiled graph implements it.
class Model {
  public:
    virtual ~Model() = default;
    virtual nn::Module& module() = 0; ///< weights named "<node id>.<weight>"
    virtual const std::vector<std::string>& loss_names() const = 0;   ///< node ids
    virtual const std::vector<std::string>& metric_names() const = 0; ///< node ids
    /// Errors name the node. `tap` may be null.
    virtual StepValues forward(const Batch& batch, const nn::ForwardContext& context, Tap* tap) = 0;
    /// Changes whenever forward() would do something else: recorded steps are then made anew.
    virtual std::uint64_t revision() const { return 0; }
};

/// One optimizer, the losses it minimises (their sum) and its schedule. Two of them make a GAN.
struct OptimizerPlan {
    std::string name;                ///< node id
    std::vector<std::size_t> losses; ///< indices into Model::loss_names()
    std::unique_ptr<Optimizer> optimizer;
    Schedule schedule{};
    std::optional<PlateauOptions> plateau{}; ///< lowers the rate when the validation loss stalls
    double clip_grad_norm = 0, clip_grad_value = 0; ///< 0: off
    double average = 0; ///< decay of a moving average of the weights, which validation, test and
                        ///< the trained model then use; 0: none
};

/// Names and values, as text, of what the steps of a run depend on besides the network and the
/// seed: batch size, data, losses, optimizers.
using Settings = std::vector<std::pair<std::string, std::string>>;

struct Checkpoint;
class Snapshots;
struct Exchange; // engine/train/exchange.h
struct Exchanged;

/// Everything a run needs; immutable once handed over.
struct TrainPlan {
    std::unique_ptr<Model> model;
    std::vector<OptimizerPlan> optimizers;
    std::shared_ptr<BatchSource> train, validation, test; ///< the last two may be null
    std::int64_t epochs = 1;
    std::int64_t max_steps = 0;  ///< 0: no limit
    std::int64_t accumulate = 1; ///< batches whose gradients make one step, averaged
    std::uint64_t seed = 0;
    int threads = 0;     ///< 0: all cores
    bool polite = false; ///< compute at nice 10: for a process that also has a window to keep quick
    bool program = false;        ///< record the step once and replay it optimised, where it can be
    std::string graph_hash;      ///< refused on resume when it differs
    Settings settings;           ///< refused on resume where one differs
    std::string checkpoint_path; ///< empty: no checkpoints; else at each epoch's end and at the end
                                 ///< of the run
    double checkpoint_seconds = 0; ///< also this often; 0: not
    bool checkpoint_epochs = true; ///< false: not at each epoch's end, where epochs are short
    std::shared_ptr<Snapshots> snapshots;         ///< kept for time travel; null: none
    std::shared_ptr<const Checkpoint> begin_with; ///< state to begin with; null: the model's own
    BadNumbers bad_numbers = BadNumbers::Stop;
    bool replay = false; ///< at its end the run pauses and waits for seek() or stop()
    double probe_budget =
        0.03; ///< share of the run's time that probes may take; beyond it they are thinned
};

enum class RunState { Idle, Preparing, Running, Paused, Stopping, Finished, Stopped, Failed };

struct StepRecord {
    std::int64_t step = 0, epoch = 0;    ///< both count from 1
    std::vector<double> losses, metrics; ///< of the training batch
    double lr = 0;                       ///< of the first optimizer
    double samples_per_second = 0;       ///< over the last second or so, without pauses
    double seconds = 0;                  ///< since the run began, without pauses
};
struct EpochRecord {
    std::int64_t epoch = 0; ///< counts from 1
    std::int64_t step = 0;
    std::vector<double> train_losses, train_metrics; ///< means over the epoch
    std::vector<double> losses, metrics; ///< validation; empty without a validation split
    double seconds = 0;                  ///< since the run began, without pauses
};
struct EvalRecord {
    std::string split;
    std::vector<double> losses, metrics;
    std::int64_t samples = 0;
};
struct DoneRecord {
    RunState state = RunState::Finished;
    std::int64_t steps = 0, epochs = 0; ///< done; an unfinished epoch does not count
    double seconds = 0;
    std::string
        checkpoint_error;   ///< why the last checkpoint could not be written; empty when it could
    std::string error;      ///< one sentence when Failed
    std::string error_node; ///< node id when known
    std::int64_t error_sample = -1; ///< of the training data, where one is to blame
    std::optional<EvalRecord> test;
};

/// How steps of one kind (shapes, probes) are run from now on.
struct ProgramRecord {
    bool replayed = false;
    std::string reason; ///< why not; empty when replayed
    std::string node;   ///< which node is the cause, when known
    std::size_t instructions = 0;
    std::size_t arena_bytes = 0; ///< planned memory of a step, besides weights and data
};

/// Receives reports on the trainer's thread; must return quickly and never block.
class Sink {
  public:
    virtual ~Sink() = default;
    virtual void on_state(RunState) {}
    virtual void on_step(const StepRecord&) {}
    virtual void on_epoch(const EpochRecord&) {}
    virtual void on_probe(ProbeRecord) {}
    virtual void on_program(const ProgramRecord&) {}
    /// The run stands inside a step; null: it goes on.
    virtual void on_halt(const Halt*) {}
    virtual void on_warning(const std::string&) {
    } ///< one sentence: a checkpoint that could not be written
    virtual void on_done(const DoneRecord&) {}
};

/// Commands may come from any thread at any time; they take effect at the next step boundary, in
/// order, except that stop overtakes what waits. Those given before start wait for it: pause(),
/// then start() begins paused.
class Trainer {
  public:
    Trainer(TrainPlan plan, std::shared_ptr<Sink> sink);
    ~Trainer(); ///< stops and joins
    /// Once only, else ValueError. resume: from checkpoint_path, exactly; refused (Failed) for
    /// another graph or seed.
    void start(bool resume = false);
    void pause();
    void resume();
    void step_once();               ///< one step, then paused; given twice, two steps
    void step_epoch();              ///< to the end of the epoch, validation included, then paused
    void run_to(std::int64_t step); ///< goes on until so many steps are done, then pauses
    /// Goes on from another moment of the same run, given by a checkpoint of it; then pauses.
    void seek(std::shared_ptr<const Checkpoint> moment);
    /// Hands over a copy of the run's state between two steps, on the trainer's thread.
    void capture(std::function<void(std::shared_ptr<const Checkpoint>)> take);
    /// Goes on with the model, optimizers, epochs and snapshots of `next`, on the same data.
    /// `carry` says with what state; what it throws is told, and the run goes on as it was. Both
    /// are called on the trainer's thread. False when the run has ended; when it ends before,
    /// neither is called.
    bool exchange(TrainPlan next, std::function<Checkpoint(const Exchange&)> carry,
                  std::function<void(const Exchanged&)> told);
    void stop(); ///< finishes the step, saves the checkpoint, ends as Stopped
    void set_probes(std::vector<ProbeRequest> probes); ///< replaces the old ones; weights are
                                                       ///< reported at once when paused
    /// Replaces the old ones, from the next step on. While there are any, steps are run eagerly.
    void set_breakpoints(std::vector<Breakpoint> breakpoints);
    /// While the run stands inside a step. Between steps, Op and Node begin a step and stand in it.
    /// Standing, resume() is StepOrder::Run, step_once() finishes the step and pauses; seek(),
    /// capture() and run_to() wait for its end, tasks do not.
    void go(StepOrder order);
    /// Runs `task` on the trainer's thread between two steps (predictions, reading weights), also
    /// while paused; false when the run has ended. A task accepted before the start or during the
    /// run is run, at the latest at the run's end. What it throws fails the run.
    bool post(std::function<void(Model&)> task);
    RunState state() const;
    void wait(); ///< until the run has ended, and its last report is out; at once when it was not
                 ///< started
    /// After wait(): the trained model, for saving and predicting.
    Model& model();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Mean losses and metrics of `model` over `source`, in eval mode without recording. Any thread
/// that owns the model.
EvalRecord evaluate(Model& model, BatchSource& source, const std::string& split);

/// Weights, optimizer state, position and random state in one HDF5 file, written aside and renamed.
/// Throws FileError, and leaves an older file whole.
struct Checkpoint {
    std::vector<nn::NamedTensor> weights;
    std::vector<std::pair<std::string, std::vector<nn::NamedTensor>>> optimizers;
    std::int64_t step = 0, epoch = 0, batch = 0; ///< the next batch to train on
    std::uint64_t seed = 0;
    std::string graph_hash;
    Settings settings;
    double seconds = 0;
    std::vector<MetricSum> epoch_losses, epoch_metrics; ///< of the batches of this epoch so far
};
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);
Checkpoint load_checkpoint(const std::string& path);

} // namespace wiregrad::train

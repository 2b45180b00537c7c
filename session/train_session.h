// One run seen from the window: a facade over the trainer's thread. GUI thread only.
// Telemetry is pulled from a hub on the frame clock, never one queued signal a step.
#pragma once

#include <QObject>
#include <QString>
#include <QStringList>

#include <functional>
#include <memory>
#include <optional>

#include "engine/train/derivation.h"
#include "engine/train/trainer.h"
#include "nodes/compile.h"
#include "session/breakpoints.h"
#include "session/document.h"
#include "session/metric_store.h"
#include "session/run_store.h"
#include "session/time_travel.h"

namespace wiregrad::studio {

/// What the progress bar and the status line show.
struct RunProgress {
    std::int64_t step = 0, totalSteps = 0, epoch = 0, epochs = 0;
    double seconds = 0, secondsLeft = 0, samplesPerSecond = 0;
    double fraction() const { return totalSteps > 0 ? double(step) / double(totalSteps) : 0; }
};

/// A run of a graph that need not be the document's: again, or on from a moment of another run.
struct RunAgain {
    graph::Graph graph;
    QString origin;                                  ///< id of that run
    std::int64_t step = -1;                          ///< -1: from the beginning, and compared
    std::shared_ptr<const train::Checkpoint> moment; ///< null: from the beginning
};

class TrainSession : public QObject {
    Q_OBJECT

  public:
    explicit TrainSession(Document& document, QObject* parent = nullptr);
    ~TrainSession() override; ///< stops the run and joins

    train::RunState state() const;
    bool isActive() const;            ///< preparing, running, paused or stopping
    QString stateText() const;        ///< "Preparing data (40 %)", "Running", "Paused", ...
    QString errorText() const;        ///< one sentence after Failed
    QString errorNode() const;        ///< node id, when known
    std::int64_t errorSample() const; ///< of the training data, where one is to blame; else -1
    RunProgress progress() const;
    const MetricStore& metrics() const;
    std::optional<train::EvalRecord> testResult() const;
    /// Names of the run's losses and metrics as curves show them.
    std::vector<std::string> lossNames() const, metricNames() const;

    // --- commands; each is legal in every state and does nothing where it makes no sense
    void start(); ///< compiles the document's graph on a worker thread, then trains
    void start(RunAgain again);
    void pause();
    void resume();
    void stepOnce();
    void stepEpoch();
    void stop();

    // --- edits while it runs: each is applied at a step boundary, or refused with the reason
    /// Asked before an edit that costs the run something it has learned, with a sentence for each
    /// loss; false: the edit does not happen. None: nobody is asked.
    using Ask = std::function<bool(const QStringList& losses)>;
    void setAsk(Ask ask);
    /// Why the run goes on with the network as it was: the document's cannot run yet. Empty: it is
    /// trained as it stands there.
    QString waitsFor() const;

    // --- probes: subscribe while something looks at a value; the newest record wins
    int subscribe(const ProbeRequest& request); ///< a handle
    void unsubscribe(int handle);
    void unsubscribe(const std::vector<int>& handles);
    /// Many at once: the trainer is told once. Handles in the order of `fresh`.
    std::vector<int> exchange(const std::vector<int>& gone, const std::vector<ProbeRequest>& fresh);
    /// Null until one arrived in this run. The pointer is valid until the next frame.
    const ProbeRecord* latest(const ValueId& value) const;
    /// Runs `task` on the trainer's thread between steps when active, else on a worker with the
    /// last model; then `done` on the GUI thread. False when there is no model.
    bool withModel(std::function<void(graph::CompiledModel&)> task, std::function<void()> done);
    /// The same with the run's data, which are only to be read on that thread.
    struct Data {
        std::shared_ptr<train::BatchSource> train, validation, test; ///< the last two may be null
        std::vector<data::Field> fields;
        data::Normalization normalization; ///< of the first field
    };
    const Data& data() const; ///< only fields and normalisation are for the GUI thread
    bool withData(std::function<void(graph::CompiledModel&, const Data&)> task,
                  std::function<void()> done);

    // --- inside a step
    /// Those of the project; a run obeys changes at once.
    Breakpoints& breakpoints();
    const train::Halt* halt() const; ///< where the run stands inside a step; null: it does not
    /// Op and Node also begin a step (or a run) and stand in it.
    void go(train::StepOrder order);
    /// The chain rule of one weight with the numbers of the batch that comes next; `done` on the
    /// GUI thread. False while the run stands inside a step, and when there is no model or no data.
    struct Derived {
        std::int64_t step = 0; ///< whose batch it is
        std::optional<train::Derivation> result;
        QString error; ///< one sentence, without a result
    };
    bool deriveWeight(const train::WeightPlace& place, std::function<void(const Derived&)> done);

    // --- runs on disk; nothing is recorded while runs() has no folder
    RunStore& runs();
    QString currentRun() const; ///< id; empty when it is not recorded
    const std::vector<RunMarker>& markers() const;
    /// A scalar that somebody in the window measured, kept with the run's curves.
    void addScalar(const std::string& name, double step, double value);

    // --- time travel: while it lasts, probes and withModel() are those of that step
    bool canTravel() const; ///< a run stands or has ended, and its steps were kept
    void travelTo(std::int64_t step);
    void comeBack();
    bool isTravelling() const;
    std::int64_t travelStep() const; ///< -1 until it has arrived
    /// Ends the journey with a run of the document's graph that begins there.
    void branchHere();

  signals:
    void stateChanged();
    void frame();         ///< at most each 16 ms, only when something new arrived
    void probesArrived(); ///< some latest() changed
    void halted();        ///< halt() changed
    void epochFinished(const wiregrad::train::EpochRecord& epoch);
    /// The run goes on with the network as it is now, or says why not: see waitsFor().
    void followed();
    void travelled(); ///< arrived, came back, or failed with a logged sentence
    void finished();  ///< after Finished, Stopped or Failed; final values are in metrics()
    void logged(const QString& line);

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio

// Inside TrainSession: its state, and what the preparing worker and the window share.
#pragma once

#include <QThreadPool>
#include <QTimer>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <tuple>

#include "engine/train/snapshots.h"
#include "nodes/transplant.h"
#include "session/frame_clock.h"
#include "session/run_recorder.h"
#include "session/telemetry_hub.h"
#include "session/train_session.h"

namespace wiregrad::studio {

using train::RunState;

/// What the preparing worker and the window share. Outlives both.
struct Preparation {
    std::atomic<bool> cancelled{false};
    std::mutex mutex;
    std::string what;
    double fraction = 0;
    bool news = false;
};

/// What the worker hands over: a plan, or why there is none.
struct Prepared {
    std::optional<train::TrainPlan> plan;
    QString error, node;
    QString dataHash;
    std::vector<data::Field> fields;
    data::Normalization normalization;
    std::optional<data::Splits> splits;
    bool cancelled = false;
    double seconds = 0;
};

using ValueKey = std::tuple<std::string, std::string, int>;
inline ValueKey keyOf(const ValueId& id) {
    return {id.node, id.name, int(id.what)};
}

/// Names of curves: "loss" and the metric's kind where that is clear, else with the node's id.
std::vector<std::string> curveNames(const graph::Graph& graph, const std::vector<std::string>& ids,
                                    bool losses);

struct TrainSession::Impl {
    TrainSession& q;
    Document& document;
    MetricStore metrics;
    RunState state = RunState::Idle;
    QString error, errorNode;
    std::int64_t errorSample = -1;
    RunProgress progress;
    double batchSize = 0;
    std::vector<std::string> losses, metricNames;
    std::optional<train::EvalRecord> test;

    std::shared_ptr<Preparation> preparation;
    std::thread preparer;
    double preparedSeconds = 0;
    enum class First { Run, Step, Epoch, Op } first = First::Run;
    bool pauseAtStart = false;
    bool orphaned = false; ///< the document holds another project now: the run ends unheard

    std::shared_ptr<TelemetryHub> hub;
    std::shared_ptr<train::Trainer> trainer;
    FrameClock clock;
    QThreadPool worker;

    Breakpoints breakpoints;
    std::optional<train::Halt> halt; ///< (train_session_debug.cpp)

    std::map<int, ProbeRequest> requests;
    int nextHandle = 1;
    std::map<ValueKey, ProbeRecord> latest;

    // --- the run on disk, and the way back into it (train_session_runs.cpp)
    RunStore store;
    std::unique_ptr<RunRecorder> recorder;
    std::vector<RunMarker> markers;
    std::optional<RunAgain> again; ///< of the run that goes on
    graph::Graph trained;          ///< the graph of this run
    TrainSession::Data data;
    std::unique_ptr<TimeTravel> travel;
    std::size_t travelSegment = 0;
    /// What was trained from which step on: an edit begins another one.
    struct Segment {
        std::int64_t from = 0;
        graph::Graph graph;
        std::shared_ptr<train::Snapshots> snapshots;
    };
    std::vector<Segment> segments;
    std::size_t segmentOf(std::int64_t step) const;
    graph::Graph graphToBranch() const;
    double lastRate = -1;

    // --- edits while it runs (train_session_edits.cpp)
    TrainSession::Ask ask;
    bool follows = false;          ///< the run is of the document's network
    graph::Lineage lineage;        ///< of the document, since the run began
    graph::Lineage::Numbers nodes; ///< of `trained`
    std::set<std::uint64_t> learned;
    std::shared_ptr<graph::Attic> attic;
    std::optional<data::Splits> splits;
    QTimer followTimer;
    std::thread follower;
    bool following = false, followAgain = false;
    quint64 agreed = 0; ///< the gesture that was agreed to
    QString waiting, lastEdit;

    Impl(TrainSession& session, Document& doc)
        : q(session), document(doc), clock([this] { return pull(); }, [this] { return rest(); }) {
        worker.setMaxThreadCount(1);
        watchBreakpoints();
    }

    bool active() const {
        return state == RunState::Preparing || state == RunState::Running ||
               state == RunState::Paused || state == RunState::Stopping;
    }

    void setState(RunState next) {
        if (state == next) return;
        state = next;
        emit q.stateChanged();
    }

    void begin(First how, std::optional<RunAgain> what = std::nullopt);
    void prepared(Prepared result);
    void end(const train::DoneRecord& done);
    bool pull();
    bool rest() { return !preparation && (!hub || hub->sleep()); }
    void take(const StepFold& fold);
    void take(const train::EpochRecord& epoch);
    void sendProbes();
    void watchBreakpoints();
    void command(First how, void (train::Trainer::*order)());
    QString refusal(const Document::Intent& intent);
    void beginToFollow();
    void edited(const graph::Edit& edit, quint64 command);
    void follow();
    void exchange(std::shared_ptr<std::optional<train::TrainPlan>> plan, const QString& problem,
                  std::shared_ptr<graph::Transplant> how, const graph::Graph& graph,
                  const graph::Lineage::Numbers& numbers);
    void exchanged(const train::Exchanged& result, const graph::Transplant& how,
                   const graph::Graph& graph, const graph::Lineage::Numbers& numbers,
                   std::shared_ptr<train::Snapshots> kept);
    void waitFor(const QString& sentence);
    std::vector<ProbeRequest> mergedProbes() const;
    bool runOnTrainer(std::function<void(train::Model&)> task, std::function<void()> done);

    void record(const train::TrainPlan& plan, const QString& dataHash);
    void put(const std::string& name, const CurvePoint& point);
    void mark(double step, RunMarker::Kind kind, const QString& text);
    void recordEnd(const train::DoneRecord& done, std::uint64_t digest);
    QString compareWithOrigin() const;
    void leaveTravel();
};

} // namespace wiregrad::studio

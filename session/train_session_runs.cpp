// The run on disk, and the way back into it.
#include <QCoreApplication>

#include "nodes/project.h"
#include "session/train_session_impl.h"

namespace wiregrad::studio {

namespace {

RunEnd endOf(RunState state) {
    switch (state) {
    case RunState::Finished:
        return RunEnd::Finished;
    case RunState::Failed:
        return RunEnd::Failed;
    default:
        return RunEnd::Stopped;
    }
}

} // namespace

RunStore& TrainSession::runs() {
    return d->store;
}

QString TrainSession::currentRun() const {
    return d->recorder ? d->recorder->info().id : QString();
}

const std::vector<RunMarker>& TrainSession::markers() const {
    return d->markers;
}

void TrainSession::addScalar(const std::string& name, double step, double value) {
    d->put(name, CurvePoint{step, value, value, value});
}

void TrainSession::Impl::put(const std::string& name, const CurvePoint& point) {
    metrics.append(name, point);
    if (recorder) recorder->append(name, point);
}

void TrainSession::Impl::mark(double step, RunMarker::Kind kind, const QString& text) {
    constexpr std::size_t kMost = 2000; // a schedule that changes each step says nothing by marks
    if (markers.size() >= kMost) return;
    markers.push_back({step, kind, text});
    if (recorder) recorder->mark(markers.back());
}

void TrainSession::Impl::record(const train::TrainPlan& plan, const QString& dataHash) {
    if (store.folder().isEmpty()) return;
    RunInfo info;
    info.title = document.title();
    info.seed = plan.seed;
    info.epochs = plan.epochs;
    info.batchSize = trained.training().batch_size;
    info.totalSteps = progress.totalSteps;
    info.device = QString::fromStdString(trained.training().device);
    info.engineVersion = QCoreApplication::applicationVersion();
    info.graphHash = QString::fromStdString(plan.graph_hash);
    info.dataHash = dataHash;
    info.graphText = graph::to_text(trained);
    if (again) {
        info.origin = again->origin;
        info.originStep = again->step;
    }
    recorder = std::make_unique<RunRecorder>(store.folder(), std::move(info));
    QObject::connect(recorder.get(), &RunRecorder::failed, &q, &TrainSession::logged);
    if (!recorder->isOpen()) {
        emit q.logged(TrainSession::tr("This run is not recorded: %1 cannot be written.")
                          .arg(recorder->info().folder));
        recorder.reset();
        return;
    }
    if (again && again->step >= 0)
        mark(double(again->step), RunMarker::Kind::Branch, TrainSession::tr("branched here"));
    store.reload(recorder->info().id);
}

QString TrainSession::Impl::compareWithOrigin() const {
    const RunInfo* origin =
        again && again->step < 0 && !again->origin.isEmpty() ? store.find(again->origin) : nullptr;
    if (!origin || !recorder || recorder->info().digests.empty()) return {};
    if (!origin->dataHash.isEmpty() && origin->dataHash != recorder->info().dataHash)
        return TrainSession::tr("The data are no longer the same, so the run is another one.");
    const std::int64_t epoch = firstDifferentEpoch(*origin, recorder->info());
    if (epoch && origin->edits > 0)
        return TrainSession::tr("Differs from the run it repeats, which was edited on the way.");
    if (epoch)
        return TrainSession::tr("Differs from the run it repeats, first in epoch %1.").arg(epoch);
    if (origin->edits > 0)
        return TrainSession::tr("Equal so far; the run it repeats was edited on the way.");
    const auto count = std::min(origin->digests.size(), recorder->info().digests.size());
    return TrainSession::tr("Equal to the run it repeats, bit for bit, in all %1 epochs.")
        .arg(count);
}

void TrainSession::Impl::recordEnd(const train::DoneRecord& done, std::uint64_t digest) {
    if (!recorder) return;
    if (done.test) {
        for (std::size_t i = 0; i < std::min(losses.size(), done.test->losses.size()); ++i)
            recorder->final("test/" + losses[i], done.test->losses[i]);
        for (std::size_t i = 0; i < std::min(metricNames.size(), done.test->metrics.size()); ++i)
            recorder->final("test/" + metricNames[i], done.test->metrics[i]);
    }
    if (const QString verdict = compareWithOrigin(); !verdict.isEmpty()) {
        recorder->verdict(verdict);
        emit q.logged(verdict);
    }
    if (!done.checkpoint_error.empty())
        mark(double(done.steps), RunMarker::Kind::Warning,
             QString::fromStdString(done.checkpoint_error));
    recorder->digest({done.epochs + 1, done.steps, digest});
    recorder->end(endOf(done.state), done.steps, done.epochs, done.seconds,
                  QString::fromStdString(done.error));
    const QString id = recorder->info().id;
    QMetaObject::invokeMethod(
        &q, [this, id] { store.reload(id); }, Qt::QueuedConnection);
}

// --- time travel

bool TrainSession::canTravel() const {
    return d->trainer && !d->segments.empty() && d->progress.step > 0 &&
           d->state != RunState::Running && d->state != RunState::Preparing &&
           d->state != RunState::Stopping;
}

std::size_t TrainSession::Impl::segmentOf(std::int64_t step) const {
    std::size_t at = segments.size() - 1;
    while (at > 0 && segments[at].from >= step)
        --at; // the step at which it was edited is still the old network's
    return at;
}

/// Of the moment that is shown: the document's, unless it was edited since.
graph::Graph TrainSession::Impl::graphToBranch() const {
    const graph::Graph& then = segments[travelSegment].graph;
    return graph::graph_hash(then) == graph::graph_hash(document.graph()) ? document.graph() : then;
}

void TrainSession::travelTo(std::int64_t step) {
    if (d->travel && d->segmentOf(step) != d->travelSegment) d->travel.reset();
    if (!d->travel) {
        if (!canTravel()) return;
        d->travelSegment = d->segmentOf(step);
        const Impl::Segment& part = d->segments[d->travelSegment];
        const std::int64_t last = d->travelSegment + 1 < d->segments.size()
                                      ? d->segments[d->travelSegment + 1].from
                                      : d->progress.step;
        d->travel = std::make_unique<TimeTravel>(Replayable{part.graph, part.snapshots, last});
        connect(d->travel.get(), &TimeTravel::arrived, this, [this] {
            emit travelled();
            emit probesArrived();
        });
        connect(d->travel.get(), &TimeTravel::probesArrived, this, &TrainSession::probesArrived);
        connect(
            d->travel.get(), &TimeTravel::failed, this,
            [this](const QString& sentence) {
                emit logged(sentence);
                comeBack();
            },
            Qt::QueuedConnection);
        d->travel->setProbes(d->mergedProbes());
    }
    d->travel->go(step);
}

void TrainSession::Impl::leaveTravel() {
    if (!travel) return;
    travel.reset();
    emit q.travelled();
    emit q.probesArrived();
}

void TrainSession::comeBack() {
    d->leaveTravel();
}

bool TrainSession::isTravelling() const {
    return d->travel != nullptr;
}

std::int64_t TrainSession::travelStep() const {
    return d->travel ? d->travel->step() : -1;
}

void TrainSession::branchHere() {
    if (!d->travel || d->travel->step() < 0) return;
    const QString origin = currentRun();
    const std::int64_t step = d->travel->step();
    d->travel->capture([this, origin, step](std::shared_ptr<const train::Checkpoint> moment) {
        const auto begin = [this, origin, step, moment, graph = d->graphToBranch()] {
            start({graph, origin, step, moment});
        };
        if (!isActive()) {
            begin();
            return;
        }
        // A paused run ends first.
        auto once = std::make_shared<QMetaObject::Connection>();
        *once = connect(
            this, &TrainSession::finished, this,
            [begin, once] {
                disconnect(*once);
                begin();
            },
            Qt::QueuedConnection);
        stop();
    });
}

} // namespace wiregrad::studio

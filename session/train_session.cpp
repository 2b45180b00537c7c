#include "session/train_session.h"

#include <cmath>

#include "datasets/loader.h"
#include "engine/core/error.h"
#include "session/train_session_impl.h"

namespace wiregrad::studio {

namespace {

QString numberText(double value) {
    return QString::number(value, 'g', 4);
}

QString durationText(double seconds) {
    if (seconds < 60) return TrainSession::tr("%1 s").arg(seconds, 0, 'f', seconds < 10 ? 1 : 0);
    const auto whole = qint64(std::llround(seconds));
    if (whole < 3600)
        return TrainSession::tr("%1 min %2 s")
            .arg(whole / 60)
            .arg(whole % 60, 2, 10, QLatin1Char('0'));
    return TrainSession::tr("%1 h %2 min")
        .arg(whole / 3600)
        .arg(whole / 60 % 60, 2, 10, QLatin1Char('0'));
}

/// Of at most some thousand samples, spread over all: equal data give equal text.
QString hashOf(const train::BatchSource* source) {
    const auto* loader = dynamic_cast<const data::Loader*>(source);
    if (!loader) return {};
    constexpr std::int64_t kMost = 2048;
    const data::Dataset& dataset = loader->dataset();
    const std::int64_t size = dataset.size(), count = std::min(size, kMost);
    std::uint64_t digest = std::uint64_t(size);
    for (std::int64_t i = 0; i < count; ++i)
        digest = mixDigest(digest, double(data::content_hash(dataset, i * size / count) >> 11));
    return QString::number(digest, 16);
}

} // namespace

std::vector<std::string> curveNames(const graph::Graph& graph, const std::vector<std::string>& ids,
                                    bool losses) {
    std::vector<std::string> names;
    std::map<std::string, int> used;
    for (const std::string& id : ids) {
        const graph::Node* node = graph.node(id);
        std::string name = losses ? "loss" : id;
        if (!losses && node)
            name = QString::fromStdString(node->name.empty() ? node->type : node->name)
                       .toLower()
                       .toStdString();
        names.push_back(name);
        ++used[name];
    }
    for (std::size_t i = 0; i < names.size(); ++i)
        if (used[names[i]] > 1) names[i] += " " + ids[i];
    return names;
}

TrainSession::TrainSession(Document& document, QObject* parent)
    : QObject(parent), d(std::make_unique<Impl>(*this, document)) {
    document.setGuard([this](const Document::Intent& intent) { return d->refusal(intent); });
    d->followTimer.setSingleShot(true);
    connect(&d->followTimer, &QTimer::timeout, this, [this] { d->follow(); });
    connect(&document, &Document::edited, this,
            [this](const graph::Edit& edit, quint64 command) { d->edited(edit, command); });
    connect(&document, &Document::changed, this, [this](const graph::ChangeSet& changes) {
        if (!changes.everything) return;
        // Another project: what was measured belongs to the one before.
        stop();
        d->leaveTravel();
        if (isActive() && d->recorder)
            d->recorder->end(RunEnd::Stopped, d->progress.step, 0, d->progress.seconds, {});
        d->recorder.reset();
        d->orphaned = isActive();
        d->markers.clear();
        d->segments.clear();
        d->follows = false;
        d->waitFor({});
        d->data = {};
        d->metrics.clear();
        d->latest.clear();
        d->test.reset();
        d->losses.clear();
        d->metricNames.clear();
        d->progress = {};
        d->error.clear();
        d->errorNode.clear();
        d->breakpoints.forget();
        if (!isActive()) {
            d->trainer.reset();
            d->setState(RunState::Idle);
        }
        emit frame();
        emit probesArrived();
    });
}

TrainSession::~TrainSession() {
    d->document.setGuard({});
    if (d->follower.joinable()) d->follower.join();
    if (d->preparation) d->preparation->cancelled = true;
    if (d->preparer.joinable()) d->preparer.join();
    d->worker.clear();
    d->travel.reset();
    if (d->trainer) d->trainer->stop();
    d->worker.waitForDone();
    d->trainer.reset(); // joins; the hub may be called until here
}

RunState TrainSession::state() const {
    return d->state;
}

bool TrainSession::isActive() const {
    return d->active();
}

QString TrainSession::stateText() const {
    switch (d->state) {
    case RunState::Idle:
        return tr("Ready");
    case RunState::Preparing: {
        if (!d->preparation) return tr("Preparing");
        const std::lock_guard lock(d->preparation->mutex);
        const QString what = d->preparation->what.empty()
                                 ? tr("Preparing")
                                 : QString::fromStdString(d->preparation->what);
        return d->preparation->fraction > 0
                   ? tr("%1 (%2 %)").arg(what).arg(int(d->preparation->fraction * 100))
                   : what;
    }
    case RunState::Running:
        return tr("Training");
    case RunState::Paused:
        return d->halt ? tr("Paused inside step %1").arg(d->halt->step) : tr("Paused");
    case RunState::Stopping:
        return tr("Stopping");
    case RunState::Finished:
        return tr("Finished");
    case RunState::Stopped:
        return tr("Stopped");
    case RunState::Failed:
        return tr("Failed");
    }
    return {};
}

QString TrainSession::errorText() const {
    return d->error;
}
QString TrainSession::errorNode() const {
    return d->errorNode;
}
std::int64_t TrainSession::errorSample() const {
    return d->errorSample;
}
RunProgress TrainSession::progress() const {
    return d->progress;
}
const MetricStore& TrainSession::metrics() const {
    return d->metrics;
}
std::optional<train::EvalRecord> TrainSession::testResult() const {
    return d->test;
}
std::vector<std::string> TrainSession::lossNames() const {
    return d->losses;
}
std::vector<std::string> TrainSession::metricNames() const {
    return d->metricNames;
}

// --- starting

void TrainSession::start() {
    d->begin(Impl::First::Run);
}

void TrainSession::start(RunAgain again) {
    d->begin(Impl::First::Run, std::move(again));
}

void TrainSession::Impl::begin(First how, std::optional<RunAgain> what) {
    if (active()) return;
    leaveTravel();
    again = std::move(what);
    trained = again ? again->graph : document.graph();
    recorder.reset();
    markers.clear();
    segments.clear();
    data = {};
    lastRate = -1;
    beginToFollow();
    if (preparer.joinable()) preparer.join();
    worker.waitForDone();
    trainer.reset();
    hub.reset();
    metrics.clear();
    latest.clear();
    test.reset();
    error.clear();
    errorNode.clear();
    errorSample = -1;
    halt.reset();
    losses.clear();
    metricNames.clear();
    progress = {};
    first = how;
    pauseAtStart = orphaned = false;

    preparation = std::make_shared<Preparation>();
    setState(RunState::Preparing);
    emit q.logged(TrainSession::tr("Run of %1 started.").arg(document.title()));
    preparer = std::thread([graph = trained, shared = preparation, target = &q] {
        auto result = std::make_shared<Prepared>();
        try {
            graph::CompileOptions options;
            options.program = true;
            options.progress = [&shared](const std::string& what, double fraction) {
                const std::lock_guard lock(shared->mutex);
                shared->what = what;
                shared->fraction = fraction;
                shared->news = true;
                return !shared->cancelled.load();
            };
            options.opened = [&result](const data::Splits& splits) {
                result->fields = splits.fields;
                result->normalization = splits.normalization;
                result->splits = splits;
            };
            result->plan = graph::compile(graph, options);
            result->plan->polite = true;
            result->dataHash = hashOf(result->plan->train.get());
        } catch (const Cancelled&) {
            result->cancelled = true;
        } catch (const Error& e) {
            const bool isNode = graph.node(e.where()) != nullptr;
            result->error = QString::fromStdString(isNode ? e.text() : std::string(e.what()));
            result->node = isNode ? QString::fromStdString(e.where()) : QString();
        } catch (const std::bad_alloc&) {
            result->error = TrainSession::tr("There is not enough memory to prepare this run.");
        } catch (const std::exception& e) {
            result->error = QString::fromLocal8Bit(e.what());
        }
        // The session joins this thread before it goes, so the target lives; queued to it.
        QMetaObject::invokeMethod(
            target, [target, result] { target->d->prepared(std::move(*result)); },
            Qt::QueuedConnection);
    });
    clock.wake();
}

void TrainSession::Impl::prepared(Prepared result) {
    const bool cancelled = result.cancelled || preparation->cancelled;
    preparation.reset();
    if (preparer.joinable()) preparer.join();
    if (cancelled || !result.plan) {
        train::DoneRecord done;
        done.state = cancelled ? RunState::Stopped : RunState::Failed;
        done.error = result.error.toStdString();
        done.error_node = result.node.toStdString();
        end(done);
        return;
    }
    train::TrainPlan& plan = *result.plan;
    losses = curveNames(trained, plan.model->loss_names(), true);
    metricNames = curveNames(trained, plan.model->metric_names(), false);
    progress.epochs = plan.epochs;
    progress.totalSteps = plan.train ? plan.train->batches_per_epoch() * plan.epochs : 0;
    if (plan.max_steps > 0)
        progress.totalSteps = progress.totalSteps > 0
                                  ? std::min(progress.totalSteps, plan.max_steps)
                                  : plan.max_steps;
    batchSize =
        plan.train && plan.train->batches_per_epoch() > 0
            ? double(plan.train->samples_per_epoch()) / double(plan.train->batches_per_epoch())
            : 0;
    data = {plan.train, plan.validation, plan.test, std::move(result.fields),
            std::move(result.normalization)};
    plan.bad_numbers = breakpoints.badNumbers();
    splits = std::move(result.splits);
    plan.snapshots = std::make_shared<train::Snapshots>();
    segments.push_back({0, trained, plan.snapshots});
    if (again) plan.begin_with = again->moment;
    record(plan, result.dataHash);
    if (recorder) {
        constexpr double kCheckpointSeconds = 10; // what kill -9 may cost
        plan.checkpoint_path = recorder->info().checkpointPath().toStdString();
        plan.checkpoint_seconds = kCheckpointSeconds;
        plan.checkpoint_epochs = false;
    }
    hub = std::make_shared<TelemetryHub>(4096, [this] {
        // Trainer's thread; the trainer is joined before this object goes.
        QMetaObject::invokeMethod(
            &q, [this] { clock.wake(); }, Qt::QueuedConnection);
    });
    trainer = std::make_shared<train::Trainer>(std::move(plan), hub);
    sendProbes();
    if (!breakpoints.list().empty()) trainer->set_breakpoints(breakpoints.list());
    if (first == First::Op) {
        trainer->pause();
        trainer->go(train::StepOrder::Op);
    } else if (first == First::Step)
        trainer->step_once();
    else if (first == First::Epoch)
        trainer->step_epoch();
    else if (pauseAtStart)
        trainer->pause();
    trainer->start();
    clock.wake();
    followTimer.start(0); // what was edited meanwhile
}

// --- commands

void TrainSession::Impl::command(First how, void (train::Trainer::*order)()) {
    if (!active())
        begin(how);
    else if (trainer && (state == RunState::Running || state == RunState::Paused)) {
        ((*trainer).*order)();
        clock.wake();
    }
}

void TrainSession::pause() {
    if (d->state == RunState::Preparing)
        d->pauseAtStart = true;
    else if (d->trainer && d->state == RunState::Running)
        d->trainer->pause();
}

void TrainSession::resume() {
    if (d->state == RunState::Preparing)
        d->pauseAtStart = false;
    else if (d->trainer && d->state == RunState::Paused)
        d->trainer->resume();
    d->clock.wake();
}

void TrainSession::stepOnce() {
    d->command(Impl::First::Step, &train::Trainer::step_once);
}
void TrainSession::stepEpoch() {
    d->command(Impl::First::Epoch, &train::Trainer::step_epoch);
}

void TrainSession::stop() {
    if (!isActive() || d->state == RunState::Stopping) return;
    if (d->preparation)
        d->preparation->cancelled = true;
    else if (d->trainer)
        d->trainer->stop();
    d->setState(RunState::Stopping);
    d->clock.wake();
}

// --- telemetry

void TrainSession::Impl::take(const StepFold& fold) {
    const train::StepRecord& last = fold.last;
    const auto step = double(last.step);
    const auto fill = [&](const std::string& name, double value, std::size_t index) {
        CurvePoint point{step, value, value, value};
        if (fold.steps > 1 && index < fold.minima.size()) {
            point.min = fold.minima[index];
            point.max = fold.maxima[index];
        }
        put("train/" + name, point);
    };
    const auto single = [&](const char* name, double value) {
        put(name, CurvePoint{step, value, value, value});
    };
    for (std::size_t i = 0; i < std::min(losses.size(), last.losses.size()); ++i)
        fill(losses[i], last.losses[i], i);
    for (std::size_t i = 0; i < std::min(metricNames.size(), last.metrics.size()); ++i)
        fill(metricNames[i], last.metrics[i], last.losses.size() + i);
    single("lr", last.lr);
    single("samples_per_second", last.samples_per_second);
    single("seconds", last.seconds);
    if (lastRate >= 0 && last.lr != lastRate)
        mark(step, RunMarker::Kind::Rate,
             TrainSession::tr("learning rate %1").arg(numberText(last.lr)));
    lastRate = last.lr;
    progress.step = last.step;
    progress.epoch = last.epoch;
    progress.seconds = last.seconds;
    progress.samplesPerSecond = last.samples_per_second;
    const double left = double(std::max<std::int64_t>(0, progress.totalSteps - last.step));
    progress.secondsLeft = last.samples_per_second > 0 && batchSize > 0
                               ? left * batchSize / last.samples_per_second
                           : last.step > 0 ? left * last.seconds / double(last.step)
                                           : 0;
}

void TrainSession::Impl::take(const train::EpochRecord& epoch) {
    const auto step = double(epoch.step);
    QString line = TrainSession::tr("Epoch %1 of %2").arg(epoch.epoch).arg(progress.epochs);
    const auto both = [&](const std::vector<std::string>& names, const std::vector<double>& trained,
                          const std::vector<double>& validated) {
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (i < trained.size())
                line += QStringLiteral(", %1 %2").arg(QString::fromStdString(names[i]),
                                                      numberText(trained[i]));
            if (i < validated.size()) {
                put("validation/" + names[i],
                    CurvePoint{step, validated[i], validated[i], validated[i]});
                line += TrainSession::tr(" (validation %1)").arg(numberText(validated[i]));
            }
        }
    };
    both(losses, epoch.train_losses, epoch.losses);
    both(metricNames, epoch.train_metrics, epoch.metrics);
    emit q.logged(line);
    emit q.epochFinished(epoch);
}

bool TrainSession::Impl::pull() {
    if (preparation) {
        bool news = false;
        {
            const std::lock_guard lock(preparation->mutex);
            news = std::exchange(preparation->news, false);
        }
        if (news) emit q.stateChanged(); // its text holds the progress
        return true;
    }
    if (!hub) return false;
    Telemetry news = hub->take();
    if (orphaned) {
        if (news.done) end(*news.done);
        return true;
    }
    if (news.empty()) return state == RunState::Running;
    for (const StepFold& fold : news.steps)
        take(fold);
    for (std::size_t i = 0; i < news.epochs.size(); ++i) {
        take(news.epochs[i]);
        if (recorder)
            recorder->digest({news.epochs[i].epoch, news.epochs[i].step, news.digests[i]});
    }
    for (const std::string& warning : news.warnings)
        emit q.logged(QString::fromStdString(warning));
    for (ProbeRecord& record : news.probes)
        latest.insert_or_assign(keyOf(record.value), std::move(record));
    if (news.haltNews) halt = std::move(news.halt);
    // The end is told by the done record, when everything else has been taken.
    if (news.state && !news.done &&
        (*news.state == RunState::Running || *news.state == RunState::Paused) &&
        state != RunState::Stopping)
        setState(*news.state);
    if (news.haltNews) {
        emit q.stateChanged(); // its text says where
        emit q.halted();
    }
    if (!news.steps.empty() || !news.epochs.empty()) emit q.frame();
    if (!news.probes.empty()) emit q.probesArrived();
    if (news.done) {
        recordEnd(*news.done, news.digest);
        end(*news.done);
    }
    return true;
}

void TrainSession::Impl::end(const train::DoneRecord& done) {
    if (std::exchange(orphaned, false)) {
        trainer.reset();
        setState(RunState::Idle);
        emit q.finished();
        return;
    }
    if (trainer) {
        trainer->wait();
        // Before its first step a run has trained nothing: weights of an earlier one stay. And a
        // run of another graph (an old one, again) is no run of this document.
        const bool same = graph::graph_hash(trained) == graph::graph_hash(document.graph());
        if (done.steps > 0 && (same || follows))
            document.setWeights(trainer->model().module().state(), graph::graph_hash(trained));
    }
    followTimer.stop();
    waitFor({});
    test = done.test;
    error = QString::fromStdString(done.error);
    errorNode = QString::fromStdString(done.error_node);
    errorSample = done.error_sample;
    if (halt) {
        halt.reset();
        emit q.halted();
    }
    progress.secondsLeft = 0;
    if (done.seconds > 0) progress.seconds = done.seconds;
    if (done.state == RunState::Finished) {
        QString line = TrainSession::tr("Finished after %1 steps in %2.")
                           .arg(done.steps)
                           .arg(durationText(done.seconds));
        if (test)
            for (std::size_t i = 0; i < std::min(metricNames.size(), test->metrics.size()); ++i)
                line +=
                    TrainSession::tr(" Test %1: %2.")
                        .arg(QString::fromStdString(metricNames[i]), numberText(test->metrics[i]));
        emit q.logged(line);
    } else if (done.state == RunState::Failed) {
        emit q.logged(TrainSession::tr("Failed. %1").arg(error));
    } else {
        emit q.logged(TrainSession::tr("Stopped after %1 steps.").arg(done.steps));
    }
    setState(done.state);
    emit q.frame();
    emit q.finished();
}

// --- probes and the model

std::vector<ProbeRequest> TrainSession::Impl::mergedProbes() const {
    std::map<ValueKey, ProbeRequest> merged;
    for (const auto& [handle, request] : requests) {
        const auto [it, fresh] = merged.try_emplace(keyOf(request.value), request);
        if (fresh) continue;
        ProbeRequest& all = it->second;
        all.histogram_bins = std::max(all.histogram_bins, request.histogram_bins);
        all.max_elements = std::max(all.max_elements, request.max_elements);
        all.every_steps = std::min(all.every_steps, request.every_steps);
        all.max_per_second = std::max(all.max_per_second, request.max_per_second);
        all.max_units = std::max(all.max_units, request.max_units);
        all.slice_from = std::max(all.slice_from, request.slice_from);
    }
    std::vector<ProbeRequest> list;
    for (auto& [key, request] : merged)
        list.push_back(std::move(request));
    return list;
}

void TrainSession::Impl::sendProbes() {
    if (trainer) trainer->set_probes(mergedProbes());
    if (travel) travel->setProbes(mergedProbes());
}

int TrainSession::subscribe(const ProbeRequest& request) {
    const int handle = d->nextHandle++;
    d->requests.emplace(handle, request);
    d->sendProbes();
    return handle;
}

void TrainSession::unsubscribe(int handle) {
    if (d->requests.erase(handle)) d->sendProbes();
}

void TrainSession::unsubscribe(const std::vector<int>& handles) {
    exchange(handles, {});
}

std::vector<int> TrainSession::exchange(const std::vector<int>& gone,
                                        const std::vector<ProbeRequest>& fresh) {
    bool changed = !fresh.empty();
    for (const int handle : gone)
        changed = d->requests.erase(handle) > 0 || changed;
    std::vector<int> handles;
    for (const ProbeRequest& request : fresh) {
        handles.push_back(d->nextHandle++);
        d->requests.emplace(handles.back(), request);
    }
    if (changed) d->sendProbes();
    return handles;
}

const ProbeRecord* TrainSession::latest(const ValueId& value) const {
    if (d->travel) return d->travel->latest(value);
    const auto it = d->latest.find(keyOf(value));
    return it == d->latest.end() ? nullptr : &it->second;
}

bool TrainSession::withModel(std::function<void(graph::CompiledModel&)> task,
                             std::function<void()> done) {
    return d->runOnTrainer(
        [task = std::move(task)](train::Model& model) {
            if (auto* compiled = dynamic_cast<graph::CompiledModel*>(&model)) task(*compiled);
        },
        std::move(done));
}

bool TrainSession::withData(std::function<void(graph::CompiledModel&, const Data&)> task,
                            std::function<void()> done) {
    if (!d->data.train) return false;
    return d->runOnTrainer(
        [task = std::move(task), data = d->data](train::Model& model) {
            if (auto* compiled = dynamic_cast<graph::CompiledModel*>(&model)) task(*compiled, data);
        },
        std::move(done));
}

const TrainSession::Data& TrainSession::data() const {
    return d->data;
}

bool TrainSession::Impl::runOnTrainer(std::function<void(train::Model&)> task,
                                      std::function<void()> done) {
    if (!trainer) return false;
    const auto run = [this, task = std::move(task), done = std::move(done)](train::Model& model) {
        // Not on the window's thread; the session waits for all kinds of thread before it goes.
        try {
            task(model);
        } catch (const std::exception& e) {
            const QString text = QString::fromLocal8Bit(e.what());
            QMetaObject::invokeMethod(
                &q, [this, text] { emit q.logged(text); }, Qt::QueuedConnection);
        }
        QMetaObject::invokeMethod(
            &q,
            [done] {
                if (done) done();
            },
            Qt::QueuedConnection);
    };
    if (travel) return travel->withModel(run);
    if (active() && trainer->post(run)) return true;
    worker.start([trainer = trainer, run] {
        trainer->wait();
        run(trainer->model());
    });
    return true;
}

} // namespace wiregrad::studio

#include "moc_train_session.cpp"

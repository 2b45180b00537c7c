#include "session/time_travel.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "engine/core/error.h"
#include "session/telemetry_hub.h"

namespace wiregrad::studio {

namespace {

using ValueKey = std::tuple<std::string, std::string, int>;
ValueKey keyOf(const ValueId& id) {
    return {id.node, id.name, int(id.what)};
}

} // namespace

struct TimeTravel::Impl {
    TimeTravel& q;
    Replayable run;
    std::vector<ProbeRequest> probes;
    std::shared_ptr<TelemetryHub> hub;
    std::unique_ptr<train::Trainer> trainer;
    std::thread preparer;
    std::atomic<bool> cancelled{false};
    bool preparing = true;
    std::int64_t wanted = -1, at = -1;
    enum class Leg { None, Approach, Last } leg = Leg::None;
    std::int64_t target = -1, seen = -1;
    bool paused = false;
    std::map<ValueKey, ProbeRecord> latest;
    std::vector<double> losses;

    Impl(TimeTravel& owner, Replayable what) : q(owner), run(std::move(what)) {}

    void prepared(std::shared_ptr<std::optional<train::TrainPlan>> plan, const QString& error);
    void depart();
    void pull();
    void fail(const QString& sentence) {
        leg = Leg::None;
        wanted = -1;
        emit q.failed(sentence);
    }
};

TimeTravel::TimeTravel(Replayable run, QObject* parent)
    : QObject(parent), d(std::make_unique<Impl>(*this, std::move(run))) {
    d->preparer = std::thread([this, graph = d->run.graph] {
        auto plan = std::make_shared<std::optional<train::TrainPlan>>();
        QString error;
        try {
            graph::CompileOptions options;
            options.prefetch = false;
            options.program = true; // as the run had it: the same bits
            options.progress = [this](const std::string&, double) { return !d->cancelled.load(); };
            *plan = graph::compile(graph, options);
        } catch (const std::exception& e) {
            error = QString::fromLocal8Bit(e.what());
        }
        QMetaObject::invokeMethod(
            this, [this, plan, error] { d->prepared(plan, error); }, Qt::QueuedConnection);
    });
}

TimeTravel::~TimeTravel() {
    d->cancelled = true;
    if (d->preparer.joinable()) d->preparer.join();
    if (d->trainer) d->trainer->stop();
    d->trainer.reset();
}

void TimeTravel::Impl::prepared(std::shared_ptr<std::optional<train::TrainPlan>> plan,
                                const QString& error) {
    preparing = false;
    if (preparer.joinable()) preparer.join();
    if (cancelled) return;
    if (!plan->has_value()) {
        fail(error);
        return;
    }
    train::TrainPlan own = std::move(**plan);
    own.replay = own.polite = true;
    own.validation = own.test = nullptr;
    own.checkpoint_path.clear();
    own.probe_budget = 1;
    hub = std::make_shared<TelemetryHub>(64, [this] {
        QMetaObject::invokeMethod(
            &q, [this] { pull(); }, Qt::QueuedConnection);
    });
    hub->sleep();
    trainer = std::make_unique<train::Trainer>(std::move(own), hub);
    trainer->pause();
    trainer->start();
    depart();
}

void TimeTravel::Impl::depart() {
    if (!trainer || leg != Leg::None || wanted < 0) return;
    target = std::exchange(wanted, -1);
    // The step before, quickly; then the step itself, with everything that is looked at.
    const std::int64_t before = std::max<std::int64_t>(0, target - 1);
    const auto moment = run.snapshots->before(before);
    if (!moment) {
        fail(TimeTravel::tr("Nothing was kept of step %1.").arg(target));
        return;
    }
    leg = Leg::Approach;
    paused = false;
    seen = moment->step;
    trainer->set_probes({});
    trainer->seek(moment);
    trainer->run_to(before);
}

void TimeTravel::Impl::pull() {
    const Telemetry news = hub->take();
    for (const StepFold& fold : news.steps) {
        seen = fold.last.step;
        losses = fold.last.losses;
    }
    for (const ProbeRecord& record : news.probes)
        latest.insert_or_assign(keyOf(record.value), record);
    if (news.state) paused = *news.state == train::RunState::Paused;
    if (news.done) {
        fail(news.done->error.empty() ? TimeTravel::tr("The replay has ended.")
                                      : QString::fromStdString(news.done->error));
        trainer.reset();
        return;
    }
    const std::int64_t before = std::max<std::int64_t>(0, target - 1);
    if (leg == Leg::Approach && paused && seen == before) {
        if (wanted >= 0) { // somebody drags on: this stop is not needed
            leg = Leg::None;
        } else {
            leg = Leg::Last;
            latest.clear();
            trainer->set_probes(probes);
            if (target > 0) {
                paused = false;
                trainer->step_once();
            }
        }
    }
    if (leg == Leg::Last && paused && seen == target) {
        leg = Leg::None;
        at = target;
        emit q.arrived(at);
    }
    if (!news.probes.empty()) emit q.probesArrived();
    if (!hub->sleep())
        QMetaObject::invokeMethod(
            &q, [this] { pull(); }, Qt::QueuedConnection);
    depart();
}

void TimeTravel::setProbes(std::vector<ProbeRequest> probes) {
    for (ProbeRequest& request : probes) {
        request.every_steps = 1;
        request.max_per_second = 1e9;
    }
    d->probes = std::move(probes);
    // Activations are there only while a step passes: take this one again.
    if (d->at >= 0 && d->leg == Impl::Leg::None && d->wanted < 0) {
        d->wanted = d->at;
        d->depart();
    }
}

void TimeTravel::go(std::int64_t step) {
    d->wanted = std::clamp<std::int64_t>(step, 0, d->run.lastStep);
    d->depart();
}

std::int64_t TimeTravel::step() const {
    return d->at;
}

bool TimeTravel::isBusy() const {
    return d->preparing || d->leg != Impl::Leg::None || d->wanted >= 0;
}

const ProbeRecord* TimeTravel::latest(const ValueId& value) const {
    const auto it = d->latest.find(keyOf(value));
    return it == d->latest.end() ? nullptr : &it->second;
}

const std::vector<double>& TimeTravel::losses() const {
    return d->losses;
}

bool TimeTravel::withModel(std::function<void(train::Model&)> task) {
    return d->trainer && d->at >= 0 && d->trainer->post(std::move(task));
}

void TimeTravel::capture(std::function<void(std::shared_ptr<const train::Checkpoint>)> take) {
    if (!d->trainer || d->at < 0) return;
    d->trainer->capture([this, take](std::shared_ptr<const train::Checkpoint> moment) {
        QMetaObject::invokeMethod(
            this, [take, moment] { take(moment); }, Qt::QueuedConnection);
    });
}

} // namespace wiregrad::studio

#include "moc_time_travel.cpp"

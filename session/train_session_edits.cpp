// Edits while a run goes on: each becomes a network that the trainer takes over between two steps,
// with what stays trained, or is refused with the reason before it happens.
#include "nodes/analysis.h"
#include "nodes/project.h"
#include "session/train_session_impl.h"

#include "engine/core/error.h"

namespace wiregrad::studio {

namespace {

constexpr std::size_t kSegmentsKept = 4;
constexpr int kGestureMs = 250; ///< a number that is being scrubbed comes to rest first

QStringList lines(const std::vector<std::string>& sentences) {
    QStringList list;
    for (const std::string& one : sentences)
        list << QString::fromStdString(one);
    return list;
}

/// The first error that keeps a graph from being trained; empty: none does.
QString firstError(const graph::Analysis& analysis) {
    for (const graph::Problem& problem : analysis.problems)
        if (problem.severity == graph::Severity::Error)
            return QString::fromStdString(
                problem.node.empty() ? problem.text : problem.node + ": " + problem.text);
    return {};
}

bool onlyMoves(const graph::Edit& edit) {
    if (const auto* batch = std::get_if<graph::Batch>(&edit.what)) {
        for (const graph::Edit& part : batch->edits)
            if (!onlyMoves(part)) return false;
        return true;
    }
    return std::holds_alternative<graph::Move>(edit.what) ||
           std::holds_alternative<graph::SetCollapsed>(edit.what) ||
           std::holds_alternative<graph::SetPinned>(edit.what) ||
           std::holds_alternative<graph::SetBends>(edit.what) ||
           std::holds_alternative<graph::Rename>(edit.what) ||
           std::holds_alternative<graph::SetTitle>(edit.what);
}

} // namespace

void TrainSession::setAsk(Ask ask) {
    d->ask = std::move(ask);
}

QString TrainSession::waitsFor() const {
    return d->waiting;
}

void TrainSession::Impl::waitFor(const QString& sentence) {
    if (waiting == sentence) return;
    waiting = sentence;
    emit q.followed();
}

void TrainSession::Impl::beginToFollow() {
    followTimer.stop();
    if (follower.joinable()) follower.join();
    following = followAgain = false;
    agreed = 0;
    waiting.clear();
    splits.reset();
    follows = !again || again->graph == document.graph();
    attic = std::make_shared<graph::Attic>();
    lineage = graph::Lineage(trained);
    nodes = lineage.numbers();
    learned.clear();
    try {
        for (const std::string& path : graph::trained_nodes(trained))
            learned.insert(nodes.at(path));
    } catch (const Error&) {
        follows = false; // too large to run: preparing it will say so
    }
}

QString TrainSession::Impl::refusal(const Document::Intent& intent) {
    if (!active() || orphaned || !follows || state == RunState::Stopping || onlyMoves(intent.edit))
        return {};
    graph::Graph after = document.graph();
    graph::Lineage next = lineage;
    try {
        graph::apply(after, intent.edit);
        // Under no undo step yet: what it would bring back is not there.
        next.follow(intent.edit, after, 0);
        const graph::Transplant plan =
            graph::plan_transplant(trained, nodes, after, next.numbers(), learned);
        if (!plan.refusal.empty())
            return TrainSession::tr("%1, and nothing was changed. Stop the run first.")
                .arg(QString::fromStdString(plan.refusal));
        const bool known = intent.replay || (intent.gesture && intent.gesture == agreed);
        if (known || plan.losses.empty() || !ask) return {};
        // What an earlier edit has cost already is not said again.
        const graph::Transplant before =
            graph::plan_transplant(trained, nodes, document.graph(), lineage.numbers(), learned);
        std::vector<std::string> losses;
        for (const std::string& loss : plan.losses)
            if (std::find(before.losses.begin(), before.losses.end(), loss) == before.losses.end())
                losses.push_back(loss);
        if (losses.empty() || ask(lines(losses))) {
            agreed = intent.gesture;
            return {};
        }
        return TrainSession::tr("Nothing was changed; the run goes on.");
    } catch (const Error&) {
        return {}; // the edit itself says what is wrong with it
    }
}

void TrainSession::Impl::edited(const graph::Edit& edit, quint64 command) {
    if (!active() || orphaned || !follows) return;
    lineage.follow(edit, document.graph(), command);
    if (onlyMoves(edit)) return;
    lastEdit = document.undoStack().undoText();
    followTimer.start(agreed ? kGestureMs : 0);
}

void TrainSession::Impl::follow() {
    if (!trainer || orphaned || !follows ||
        (state != RunState::Running && state != RunState::Paused))
        return;
    if (following) {
        followAgain = true;
        return;
    }
    const graph::Graph graph = document.graph();
    auto how = std::make_shared<graph::Transplant>();
    try {
        *how = graph::plan_transplant(trained, nodes, graph, lineage.numbers(), learned);
    } catch (const Error& e) {
        waitFor(QString::fromStdString(e.what()));
        return;
    }
    if (!how->changes) {
        waitFor({});
        return;
    }
    if (const QString problem = firstError(graph::analyze(graph, false)); !problem.isEmpty()) {
        waitFor(problem);
        return;
    }
    following = true;
    if (follower.joinable()) follower.join();
    follower =
        std::thread([this, graph, how, run = attic, data = splits, numbers = lineage.numbers()] {
            auto plan = std::make_shared<std::optional<train::TrainPlan>>();
            QString problem;
            try {
                graph::CompileOptions options;
                options.data = data;
                *plan = graph::compile(graph, options);
            } catch (const std::exception& e) {
                problem = QString::fromLocal8Bit(e.what());
            }
            // The session joins this thread before it goes.
            QMetaObject::invokeMethod(
                &q,
                [this, plan, problem, how, graph, numbers, run] {
                    if (run == attic) exchange(plan, problem, how, graph, numbers);
                },
                Qt::QueuedConnection);
        });
}

void TrainSession::Impl::exchange(std::shared_ptr<std::optional<train::TrainPlan>> plan,
                                  const QString& problem, std::shared_ptr<graph::Transplant> how,
                                  const graph::Graph& graph,
                                  const graph::Lineage::Numbers& numbers) {
    if (follower.joinable()) follower.join();
    following = false;
    if (!trainer || orphaned || !follows ||
        (state != RunState::Running && state != RunState::Paused))
        return;
    if (!problem.isEmpty()) {
        waitFor(problem);
        return;
    }
    auto kept = std::make_shared<train::Snapshots>();
    (*plan)->snapshots = kept;
    following = true;
    const bool accepted = trainer->exchange(
        std::move(**plan),
        [how, attic = attic](const train::Exchange& moment) {
            return graph::carry(*how, moment, *attic);
        },
        [this, how, graph, numbers, kept, run = attic](const train::Exchanged& result) {
            // Trainer's thread; the trainer is joined before this object goes.
            QMetaObject::invokeMethod(
                &q,
                [this, result, how, graph, numbers, kept, run] {
                    if (run == attic) exchanged(result, *how, graph, numbers, kept);
                },
                Qt::QueuedConnection);
        });
    if (!accepted) following = false;
    clock.wake();
}

void TrainSession::Impl::exchanged(const train::Exchanged& result, const graph::Transplant& how,
                                   const graph::Graph& graph,
                                   const graph::Lineage::Numbers& numbers,
                                   std::shared_ptr<train::Snapshots> kept) {
    following = false;
    if (!follows || !trainer || segments.empty()) return; // of a run that is over
    if (!result.done) {
        emit q.logged(TrainSession::tr("The run goes on with the network as it was. %1")
                          .arg(QString::fromStdString(result.error)));
        waitFor(QString::fromStdString(result.error));
        return;
    }
    trained = graph;
    nodes = numbers;
    for (const std::string& path : graph::trained_nodes(trained))
        learned.insert(nodes.at(path));
    segments.push_back({result.step, trained, std::move(kept)});
    // Each keeps up to its budget of memory; of what lies far back nothing is kept.
    if (segments.size() > kSegmentsKept)
        segments[segments.size() - 1 - kSegmentsKept].snapshots =
            std::make_shared<train::Snapshots>();
    losses = curveNames(trained, trainer->model().loss_names(), true);
    metricNames = curveNames(trained, trainer->model().metric_names(), false);
    if (progress.epochs > 0 && progress.totalSteps % progress.epochs == 0)
        progress.totalSteps = progress.totalSteps / progress.epochs * trained.training().epochs;
    progress.epochs = trained.training().epochs;
    QString text = lastEdit.isEmpty() ? TrainSession::tr("edited") : lastEdit;
    mark(double(result.step), RunMarker::Kind::Edit, text);
    text = TrainSession::tr("After step %1: %2.").arg(result.step).arg(text);
    for (const std::string& sentence : how.begins)
        text += QLatin1Char(' ') + QString::fromStdString(sentence) + QLatin1Char('.');
    if (!result.losses_before.empty() && !result.losses_after.empty())
        text += TrainSession::tr(" Loss of the next batch: %1, it was %2.")
                    .arg(result.losses_after[0], 0, 'g', 6)
                    .arg(result.losses_before[0], 0, 'g', 6);
    emit q.logged(text);
    if (recorder)
        recorder->edited(graph::to_text(trained),
                         QString::fromStdString(graph::graph_hash(trained)));
    waiting.clear();
    emit q.followed();
    emit q.frame();
    if (std::exchange(followAgain, false)) follow();
}

} // namespace wiregrad::studio

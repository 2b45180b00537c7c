// The run and its past, with the real engine: recorded, repeated bit for bit, gone back into, and
// branched.
#include <QFile>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QtTest>

#include <cmath>
#include <cstring>

#include "nodes/project.h"
#include "session/layer_watch.h"
#include "session/train_session.h"
#include "tests/ui/helpers/tiny_graph.h"

using namespace wiregrad;
using namespace wiregrad::studio;
using namespace wiregrad::studio::testing;
using train::RunState;

namespace {

constexpr int kLong = 120'000;

void trainToEnd(TrainSession& session) {
    QSignalSpy finished(&session, &TrainSession::finished);
    session.start();
    QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
    QVERIFY2(session.state() == RunState::Finished, qPrintable(session.errorText()));
}

/// Weights after exactly so many steps, by the engine alone.
std::vector<nn::NamedTensor> straightTo(const graph::Graph& graph, std::int64_t steps) {
    train::TrainPlan plan = graph::compile(graph);
    plan.max_steps = steps;
    plan.validation = plan.test = nullptr;
    train::Trainer trainer(std::move(plan), nullptr);
    trainer.start();
    trainer.wait();
    std::vector<nn::NamedTensor> state = trainer.model().module().state();
    for (nn::NamedTensor& weight : state)
        weight.tensor = weight.tensor.clone();
    return state;
}

bool sameBits(const std::vector<nn::NamedTensor>& a, const std::vector<nn::NamedTensor>& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (a[i].name != b[i].name || a[i].tensor.shape() != b[i].tensor.shape() ||
            std::memcmp(a[i].tensor.raw(), b[i].tensor.raw(), a[i].tensor.nbytes()) != 0)
            return false;
    return true;
}

std::vector<nn::NamedTensor> weightsNow(TrainSession& session) {
    auto state = std::make_shared<std::vector<nn::NamedTensor>>();
    bool done = false;
    const bool asked = session.withModel(
        [state](graph::CompiledModel& model) {
            for (const nn::NamedTensor& weight : model.module().state())
                state->push_back({weight.name, weight.tensor.clone()});
        },
        [&done] { done = true; });
    if (asked && !QTest::qWaitFor([&done] { return done; }, kLong)) return {};
    return *state;
}

void arriveAt(TrainSession& session, std::int64_t step) {
    session.travelTo(step);
    QTRY_COMPARE_WITH_TIMEOUT(session.travelStep(), step, kLong);
}

} // namespace

class RunHistoryTest : public QObject {
    Q_OBJECT

  private slots:
    void aRunIsRecordedAndRepeatsBitForBit() {
        QTemporaryDir dir;
        Document document;
        const Classifier net = addClassifier(document, 4);
        TrainSession session(document);
        session.runs().setFolder(dir.path());
        trainToEnd(session);
        const QString id = session.currentRun();
        QTRY_COMPARE(int(session.runs().find(id)->end), int(RunEnd::Finished));
        const RunInfo first = *session.runs().find(id);
        QCOMPARE(first.steps, session.progress().step);
        QCOMPARE(first.epochsDone, std::int64_t(4));
        QCOMPARE(first.digests.size(), std::size_t(5)); // 4 epochs and the end
        QVERIFY(!first.dataHash.isEmpty());
        QCOMPARE(first.graphText, graph::to_text(document.graph()));
        QCOMPARE(*first.final("train/loss"), session.metrics().find("train/loss")->lastValue());
        QVERIFY(QFile::exists(first.checkpointPath()));
        QCOMPARE(session.runs().curves(id)->find("train/loss")->lastValue(),
                 session.metrics().find("train/loss")->lastValue());

        QSignalSpy finished(&session, &TrainSession::finished);
        session.start(RunAgain{graph::from_text(first.graphText), id, -1, {}});
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
        const QString again = session.currentRun();
        QTRY_COMPARE(int(session.runs().find(again)->end), int(RunEnd::Finished));
        QVERIFY2(session.runs().find(again)->verdict.contains(QStringLiteral("bit for bit")),
                 qPrintable(session.runs().find(again)->verdict));

        // Another learning rate is another run, and it says from where on.
        document.apply({graph::SetParam{net.optimizer, "lr", 0.02}});
        session.start(RunAgain{document.graph(), id, -1, {}});
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 2, kLong);
        QTRY_COMPARE(int(session.runs().find(session.currentRun())->end), int(RunEnd::Finished));
        QVERIFY(session.runs()
                    .find(session.currentRun())
                    ->verdict.contains(QStringLiteral("first in epoch 1")));
        QCOMPARE(session.runs().runs().size(), std::size_t(3));
    }

    void anyStepComesBack() {
        Document document;
        const Classifier net = addClassifier(document, 6);
        TrainSession session(document);
        ProbeRequest gradient;
        gradient.value = {net.layer, "weight", ProbeWhat::WeightGradient};
        session.subscribe(gradient);
        QVERIFY(!session.canTravel());
        trainToEnd(session);
        QVERIFY(session.canTravel());
        const std::int64_t last = session.progress().step;
        for (const std::int64_t step : {std::int64_t(17), last, std::int64_t(1)}) {
            arriveAt(session, step);
            QVERIFY(sameBits(weightsNow(session), straightTo(document.graph(), step)));
            QTRY_VERIFY(session.latest(gradient.value));
            QTRY_COMPARE(session.latest(gradient.value)->step, step);
        }
        // The gradient of step 17 is that of the loss at the weights after 16 steps: its length by
        // the update of plain SGD.
        arriveAt(session, 17);
        const auto before = straightTo(document.graph(), 16),
                   after = straightTo(document.graph(), 17);
        double squares = 0;
        for (std::size_t i = 0; i < before.size(); ++i)
            if (before[i].name == net.layer + ".weight") {
                const auto a = before[i].tensor.to_vector(), b = after[i].tensor.to_vector();
                for (std::size_t k = 0; k < a.size(); ++k)
                    squares += (b[k] - a[k]) * (b[k] - a[k]);
            }
        const double lr = std::get<double>(param(document, net.optimizer, "lr"));
        QTRY_COMPARE(session.latest(gradient.value)->step, std::int64_t(17));
        QVERIFY(
            std::abs(LayerWatch::norm(*session.latest(gradient.value)) * lr / std::sqrt(squares) -
                     1) < 1e-3);
        session.comeBack();
        QVERIFY(!session.isTravelling());
        QVERIFY(sameBits(weightsNow(session), straightTo(document.graph(), last)));
    }

    void aBranchGoesOnFromThere() {
        QTemporaryDir dir;
        Document document;
        addClassifier(document, 5);
        TrainSession session(document);
        session.runs().setFolder(dir.path());
        trainToEnd(session);
        const QString origin = session.currentRun();
        const auto whole = weightsNow(session);
        const std::int64_t last = session.progress().step;
        arriveAt(session, 11);
        QSignalSpy finished(&session, &TrainSession::finished);
        session.branchHere();
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
        QCOMPARE(session.state(), RunState::Finished);
        QVERIFY(!session.isTravelling());
        QCOMPARE(session.progress().step, last);
        QVERIFY(sameBits(weightsNow(session), whole)); // nothing was changed
        const RunInfo* branch = session.runs().find(session.currentRun());
        QVERIFY(branch);
        QCOMPARE(branch->origin, origin);
        QCOMPARE(branch->originStep, std::int64_t(11));
        QCOMPARE(int(session.markers().front().kind), int(RunMarker::Kind::Branch));
    }

    void layersAreWatched() {
        Document document;
        const Classifier net = addClassifier(document, 300);
        TrainSession session(document);
        LayerWatch watch(document, session);
        watch.setOn(true);
        trainToEnd(session);
        QVERIFY(session.metrics().find("gradient/" + net.layer + ".weight"));
        QVERIFY(session.metrics().find("update/" + net.layer + ".bias"));
        const Curve* total = session.metrics().find("gradient_norm");
        QVERIFY(total && total->size() >= 1);
        const Curve* weight = session.metrics().find("gradient/" + net.layer + ".weight");
        const Curve* bias = session.metrics().find("gradient/" + net.layer + ".bias");
        // A probe that got late is left out, so the curves may end at different steps.
        const double step = total->lastStep();
        const auto ofWeight = weight->sample(step, step, 1), ofBias = bias->sample(step, step, 1);
        QVERIFY(!ofWeight.empty() && !ofBias.empty());
        QCOMPARE(ofWeight[0].step, step);
        QCOMPARE(ofBias[0].step, step);
        QVERIFY(std::abs(total->lastValue() - std::hypot(ofWeight[0].last, ofBias[0].last)) <
                1e-9 + 1e-3 * total->lastValue());
    }
};

QTEST_GUILESS_MAIN(RunHistoryTest)
#include "run_history_test.moc"

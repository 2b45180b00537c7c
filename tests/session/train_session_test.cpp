// The run seen from the window, with the real engine: spirals learn, commands work, edits are
// refused in words.
#include <QSignalSpy>
#include <QTest>

#include <cmath>
#include <set>

#include "session/train_session.h"

using namespace wiregrad;
using namespace wiregrad::studio;
using graph::Edit;
using train::RunState;

namespace {

graph::Node node(const Document& document, const char* id, const char* type,
                 graph::Params params = {}) {
    graph::Node result = graph::make_node(document.graph(), type, {0, 0});
    result.id = id;
    for (auto& [name, value] : params)
        result.params[name] = std::move(value);
    return result;
}

/// Two spirals, 2-16-16-2 tanh, cross entropy, accuracy, Adam.
void buildSpirals(Document& document, std::int64_t epochs, std::int64_t samples = 512) {
    const auto add = [&document](graph::Node n) {
        QVERIFY2(document.apply({graph::AddNode{std::move(n)}}), qPrintable(document.lastError()));
    };
    add(node(document, "data", "Dataset",
             {{"source", std::string("spirals")}, {"samples", samples}}));
    add(node(document, "fc1", "Linear", {{"out_features", std::int64_t(16)}}));
    add(node(document, "act1", "Tanh"));
    add(node(document, "fc2", "Linear", {{"out_features", std::int64_t(16)}}));
    add(node(document, "act2", "Tanh"));
    add(node(document, "fc3", "Linear", {{"out_features", std::int64_t(2)}}));
    add(node(document, "loss", "CrossEntropyLoss"));
    add(node(document, "accuracy", "Accuracy"));
    add(node(document, "adam", "Adam", {{"lr", 0.01}}));
    const auto first = [](const char* type, bool output) {
        const graph::NodeType* t = graph::find_type(type);
        return output ? t->outputs[0].id : t->inputs[0].id;
    };
    const auto wire = [&](const char* a, const std::string& ap, const char* b,
                          const std::string& bp) {
        QVERIFY2(document.apply({graph::Connect{{a, ap, b, bp}}}),
                 qPrintable(document.lastError()));
    };
    wire("data", "x", "fc1", first("Linear", false));
    wire("fc1", first("Linear", true), "act1", first("Tanh", false));
    wire("act1", first("Tanh", true), "fc2", first("Linear", false));
    wire("fc2", first("Linear", true), "act2", first("Tanh", false));
    wire("act2", first("Tanh", true), "fc3", first("Linear", false));
    for (const auto& [id, type] :
         {std::pair("loss", "CrossEntropyLoss"), std::pair("accuracy", "Accuracy")}) {
        const graph::NodeType* t = graph::find_type(type);
        wire("fc3", first("Linear", true), id, t->inputs[0].id);
        wire("data", "y", id, t->inputs[1].id);
    }
    wire("loss", graph::find_type("CrossEntropyLoss")->outputs[0].id, "adam",
         graph::find_type("Adam")->inputs[0].id);
    graph::Training training;
    training.epochs = epochs;
    training.batch_size = 32;
    QVERIFY(document.apply({graph::SetTraining{training}}));
    document.undoStack().setClean();
}

constexpr int kLong = 120'000;

} // namespace

class TrainSessionTest : public QObject {
    Q_OBJECT

  private slots:
    void spiralsLearn() {
        Document document;
        buildSpirals(document, 40);
        QVERIFY2(document.analysis().runnable(),
                 document.analysis().problems.empty()
                     ? ""
                     : document.analysis().problems[0].text.c_str());
        TrainSession session(document);
        QSignalSpy finished(&session, &TrainSession::finished),
            epochs(&session, &TrainSession::epochFinished), logged(&session, &TrainSession::logged);
        QCOMPARE(session.state(), RunState::Idle);
        session.start();
        QCOMPARE(session.state(), RunState::Preparing);
        session.start(); // once is enough
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
        QVERIFY2(session.state() == RunState::Finished, qPrintable(session.errorText()));
        QCOMPARE(session.lossNames(), std::vector<std::string>{"loss"});
        QCOMPARE(session.metricNames(), std::vector<std::string>{"accuracy"});
        const Curve* loss = session.metrics().find("train/loss");
        QVERIFY(loss);
        const RunProgress progress = session.progress();
        QCOMPARE(progress.step, progress.totalSteps);
        QCOMPARE(loss->lastStep(), double(progress.totalSteps));
        const auto points = loss->sample(0, 1e9, 100'000);
        QVERIFY(points.front().last > 0.6);
        QVERIFY2(loss->lastValue() < 0.5 * points.front().last,
                 qPrintable(QString::number(loss->lastValue())));
        QCOMPARE(epochs.count(), 40);
        QVERIFY(session.metrics().find("validation/loss"));
        QCOMPARE(session.metrics().find("validation/loss")->size(), std::int64_t(40));
        QVERIFY(session.metrics().find("train/accuracy")->lastValue() > 0.7);
        QCOMPARE(session.metrics().find("lr")->lastValue(), 0.01);
        QVERIFY(logged.count() >= 42);
        // The weights are the document's now.
        std::set<std::string> names;
        for (const auto& weight : document.weights())
            names.insert(weight.name);
        QVERIFY(names.count("fc1.weight") && names.count("fc3.bias"));
        QVERIFY(document.isModified());
    }

    void sameSeedSameCurve() {
        std::vector<std::vector<double>> curves;
        for (int run = 0; run < 2; ++run) {
            Document document;
            buildSpirals(document, 3);
            TrainSession session(document);
            QSignalSpy finished(&session, &TrainSession::finished);
            session.start();
            QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
            std::vector<double> values;
            for (const CurvePoint& p :
                 session.metrics().find("train/loss")->sample(0, 1e9, 100'000))
                values.push_back(p.last);
            curves.push_back(values);
        }
        QVERIFY(!curves[0].empty());
        QCOMPARE(curves[0], curves[1]);
    }

    void pauseStepEpochResumeStop() {
        Document document;
        buildSpirals(document, 100'000);
        TrainSession session(document);
        QSignalSpy finished(&session, &TrainSession::finished);
        session.stepOnce(); // from nothing: prepares, one step, paused
        QTRY_COMPARE_WITH_TIMEOUT(session.state(), RunState::Paused, kLong);
        QTRY_COMPARE(session.progress().step, std::int64_t(1));
        session.stepOnce();
        QTRY_COMPARE(session.progress().step, std::int64_t(2));
        QTRY_COMPARE(session.state(), RunState::Paused);
        const std::int64_t perEpoch = session.progress().totalSteps / session.progress().epochs;
        session.stepEpoch();
        QTRY_COMPARE(session.progress().step, perEpoch);
        QTRY_COMPARE(session.state(), RunState::Paused);
        session.resume();
        QTRY_COMPARE(session.state(), RunState::Running);
        QTRY_VERIFY(session.progress().step > perEpoch + 20);
        session.pause();
        QTRY_COMPARE(session.state(), RunState::Paused);
        const std::int64_t at = session.progress().step;
        QTest::qWait(80);
        QCOMPARE(session.progress().step, at);
        QVERIFY(session.isActive());
        session.stop();
        QTRY_COMPARE(finished.count(), 1);
        QCOMPARE(session.state(), RunState::Stopped);
        QVERIFY(!session.isActive());
        QVERIFY(!document.weights().empty());
        session.stop(); // legal and without effect
        session.pause();
        session.resume();
        QCOMPARE(session.state(), RunState::Stopped);
    }

    void stopWhilePreparing() {
        Document document;
        buildSpirals(document, 100, 200'000);
        TrainSession session(document);
        QSignalSpy finished(&session, &TrainSession::finished);
        session.start();
        session.stop();
        QCOMPARE(session.state(), RunState::Stopping);
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
        QCOMPARE(session.state(), RunState::Stopped);
        QCOMPARE(session.progress().step, std::int64_t(0));
    }

    void aRunStoppedBeforeItsFirstStepKeepsTheWeights() {
        Document document;
        buildSpirals(document, 5);
        document.setWeights({{"fc1.weight", Tensor::scalar(3)}});
        TrainSession session(document);
        QSignalSpy finished(&session, &TrainSession::finished);
        session.start();
        session.pause();
        QTRY_COMPARE_WITH_TIMEOUT(session.state(), RunState::Paused, kLong);
        session.stop();
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
        QCOMPARE(session.progress().step, 0);
        QCOMPARE(document.weights().size(), std::size_t(1));
        QCOMPARE(document.weights()[0].tensor.item(), 3.0);
    }

    void aClosedWindowStopsTheRun() {
        Document document;
        buildSpirals(document, 100'000);
        auto session = std::make_unique<TrainSession>(document);
        session->start();
        QTRY_VERIFY_WITH_TIMEOUT(session->progress().step > 10, kLong);
        session.reset(); // joins
        QVERIFY(document.apply({graph::SetParam{"fc1", "out_features", std::int64_t(8)}}));
    }

    void editsDuringARunAreRefusedInWords() {
        Document document;
        buildSpirals(document, 100'000);
        TrainSession session(document);
        session.start();
        QSignalSpy refused(&document, &Document::refused),
            finished(&session, &TrainSession::finished);
        const std::string before = graph::to_text(document.graph());
        QVERIFY(!document.apply({graph::SetParam{"fc1", "out_features", std::int64_t(8)}}));
        QVERIFY(document.lastError().contains("trained"));
        QVERIFY(!document.apply({graph::RemoveNode{"act1"}}));
        QVERIFY(!document.undo());
        QCOMPARE(refused.count(), 3);
        QCOMPARE(graph::to_text(document.graph()), before);
        QVERIFY(document.apply(
            {graph::Batch{{{graph::Move{"fc1", {9, 9}}}, {graph::Rename{"fc1", "First"}}}}}));
        session.stop();
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
        QVERIFY(document.apply({graph::SetParam{"fc1", "out_features", std::int64_t(8)}}));
    }

    void aBrokenGraphFailsInASentence() {
        Document document;
        buildSpirals(document, 1);
        QVERIFY(document.apply({graph::RemoveNode{"adam"}}));
        TrainSession session(document);
        QSignalSpy finished(&session, &TrainSession::finished);
        session.start();
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
        QCOMPARE(session.state(), RunState::Failed);
        QVERIFY(session.errorText().size() > 10);
    }

    void aNanNamesStepAndNode() {
        Document document;
        buildSpirals(document, 100);
        // Without the activations nothing bounds the values, and such steps leave float32 soon.
        QVERIFY(document.apply({graph::RemoveNode{"adam"}}));
        graph::Node sgd = graph::make_node(document.graph(), "SGD", {0, 0});
        sgd.id = "sgd";
        sgd.params["lr"] = 1000.0;
        sgd.params["momentum"] = 0.99;
        for (const char* act : {"act1", "act2"})
            QVERIFY(document.apply({graph::SetMuted{act, true}}));
        QVERIFY2(document.apply({graph::AddNode{sgd}}), qPrintable(document.lastError()));
        QVERIFY(document.apply(
            {graph::Connect{{"loss", graph::find_type("CrossEntropyLoss")->outputs[0].id, "sgd",
                             graph::find_type("SGD")->inputs[0].id}}}));
        TrainSession session(document);
        QSignalSpy finished(&session, &TrainSession::finished);
        session.start();
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
        QCOMPARE(session.state(), RunState::Failed);
        QVERIFY2(session.errorText().contains("step"), qPrintable(session.errorText()));
        QVERIFY2(document.graph().node(session.errorNode().toStdString()),
                 qPrintable(session.errorText()));
    }

    void probesArriveWhileSubscribed() {
        Document document;
        buildSpirals(document, 100'000);
        TrainSession session(document);
        const ValueId weight{"fc1", "weight", ProbeWhat::Weight};
        const ValueId activation{"act1", graph::find_type("Tanh")->outputs[0].id,
                                 ProbeWhat::Activation};
        QVERIFY(!session.latest(weight));
        const int first = session.subscribe({.value = weight, .max_per_second = 1000});
        session.start();
        QTRY_VERIFY_WITH_TIMEOUT(session.latest(weight), kLong);
        QVERIFY(!session.latest(activation));
        const ProbeRecord* record = session.latest(weight);
        QCOMPARE(record->shape, (Shape{16, 2}));
        QVERIFY(record->min < record->max && std::isfinite(record->mean));
        const int second =
            session.subscribe({.value = activation, .max_per_second = 1000}); // while it runs
        QTRY_VERIFY(session.latest(activation));
        QVERIFY(session.latest(activation)->max <= 1.0);
        const std::int64_t step = session.latest(weight)->step;
        QTRY_VERIFY(session.latest(weight)->step > step);
        session.unsubscribe(first);
        QTRY_VERIFY(session.latest(activation)->step > session.latest(weight)->step + 50);
        session.unsubscribe(second);
        session.stop();
        QTRY_VERIFY(!session.isActive());
        QVERIFY(session.latest(weight)); // stays to be looked at
    }

    void theModelIsReachedDuringAndAfterTheRun() {
        Document document;
        buildSpirals(document, 100'000);
        TrainSession session(document);
        QVERIFY(!session.withModel([](graph::CompiledModel&) {}, [] {}));
        session.start();
        QTRY_VERIFY_WITH_TIMEOUT(session.progress().step > 5, kLong);
        for (const bool during : {true, false}) {
            if (!during) {
                session.stop();
                QTRY_VERIFY(!session.isActive());
            }
            std::vector<double> answer;
            bool done = false;
            QVERIFY(session.withModel(
                [&answer](graph::CompiledModel& model) {
                    const auto out = model.predict(Tensor::zeros({3, 2}));
                    answer = out.at(0).second.to_vector();
                },
                [&done] { done = true; }));
            QTRY_VERIFY(done);
            QCOMPARE(answer.size(), std::size_t(6));
            QVERIFY(std::isfinite(answer[0]));
        }
    }

    void anotherProjectEndsTheRunUnheard() {
        Document document;
        buildSpirals(document, 100'000);
        TrainSession session(document);
        session.start();
        QTRY_VERIFY_WITH_TIMEOUT(session.progress().step > 5, kLong);
        document.newProject();
        QTRY_COMPARE(session.state(), RunState::Idle);
        QVERIFY(document.weights().empty());
        QVERIFY(!document.isModified());
        QVERIFY(session.metrics().names().empty());
        buildSpirals(document, 1);
        QSignalSpy finished(&session, &TrainSession::finished);
        session.start();
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
        QCOMPARE(session.state(), RunState::Finished);
    }
};

QTEST_GUILESS_MAIN(TrainSessionTest)
#include "train_session_test.moc"

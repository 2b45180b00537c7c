// The run seen from the window, with the real engine: spirals learn, commands work, edits are
// refused in words.
#include <QSignalSpy>
#include <QTest>

#include <cmath>
#include <set>

#include "nodes/project.h"
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

    void UX_54_whatMakesAnotherRunIsRefusedInWords() {
        Document document;
        buildSpirals(document, 100'000);
        TrainSession session(document);
        session.start();
        QSignalSpy refused(&document, &Document::refused),
            finished(&session, &TrainSession::finished);
        const std::string before = graph::to_text(document.graph());
        QVERIFY(!document.apply({graph::SetParam{"data", "samples", std::int64_t(64)}}));
        QVERIFY(document.lastError().contains("Stop the run first"));
        QVERIFY(!document.apply({graph::RemoveNode{"data"}}));
        QVERIFY(!document.undo()); // the batch size was set last
        QCOMPARE(refused.count(), 3);
        QCOMPARE(graph::to_text(document.graph()), before);
        QVERIFY(document.apply(
            {graph::Batch{{{graph::Move{"fc1", {9, 9}}}, {graph::Rename{"fc1", "First"}}}}}));
        session.stop();
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
        QVERIFY(document.apply({graph::SetParam{"data", "samples", std::int64_t(64)}}));
    }

    void UX_54_editsAreAppliedAtAStepAndWhatTheyCostIsAskedBefore() {
        Document document;
        buildSpirals(document, 100'000);
        TrainSession session(document);
        QSignalSpy followed(&session, &TrainSession::followed),
            logged(&session, &TrainSession::logged), finished(&session, &TrainSession::finished);
        QStringList asked;
        bool agree = false;
        session.setAsk([&](const QStringList& losses) {
            asked << losses;
            return agree;
        });
        session.stepOnce();
        QTRY_COMPARE_WITH_TIMEOUT(session.state(), RunState::Paused, kLong);
        const auto shapeOf = [&](const char* node) -> std::optional<Shape> {
            std::optional<Shape> shape;
            bool done = false;
            session.withModel(
                [&](graph::CompiledModel& model) {
                    for (const auto& weight : model.module().parameters())
                        if (weight.name == std::string(node) + ".weight")
                            shape = weight.tensor.shape();
                },
                [&done] { done = true; });
            [&] { QTRY_VERIFY(done); }();
            return shape;
        };
        // A layer is put in, as a person drops it on a wire: one edit.
        const graph::Wire between{"act1", "out", "fc2", "in"};
        graph::Batch insert;
        insert.label = "Insert Linear";
        insert.edits = {
            {graph::Disconnect{between}},
            {graph::AddNode{node(document, "fc4", "Linear", {{"out_features", std::int64_t(16)}})}},
            {graph::Connect{{"act1", "out", "fc4", "in"}}},
            {graph::Connect{{"fc4", "out", "fc2", "in"}}}};
        QVERIFY2(document.apply({insert}), qPrintable(document.lastError()));
        QTRY_COMPARE_WITH_TIMEOUT(followed.count(), 1, kLong);
        QVERIFY(asked.isEmpty()); // it costs nothing
        QCOMPARE(session.waitsFor(), QString());
        QCOMPARE(shapeOf("fc4"), std::optional(Shape{16, 16}));
        QCOMPARE(session.markers().size(), std::size_t(1));
        QVERIFY(session.markers()[0].kind == RunMarker::Kind::Edit);
        QCOMPARE(session.markers()[0].text, QString("Insert Linear"));
        QCOMPARE(session.markers()[0].step, 1.0);
        const QString line = logged.last()[0].toString();
        QVERIFY2(line.contains("fc4 begins as identity"), qPrintable(line));
        session.stepOnce();
        QTRY_COMPARE(session.progress().step, std::int64_t(2));

        // What it would cost is said before; not agreed, nothing happens.
        const std::string before = graph::to_text(document.graph());
        QVERIFY(!document.apply(graph::remove_edit(document.graph(), {"fc4"}, true)));
        QCOMPARE(asked, QStringList{"272 trained weights of fc4 leave the run"});
        QCOMPARE(graph::to_text(document.graph()), before);
        agree = true;
        QVERIFY(document.apply(graph::remove_edit(document.graph(), {"fc4"}, true)));
        QTRY_COMPARE_WITH_TIMEOUT(followed.count(), 2, kLong);
        QCOMPARE(shapeOf("fc4"), std::optional<Shape>());

        // A network that is not whole is waited for, and that is said.
        QVERIFY(document.apply({graph::Disconnect{{"act2", "out", "fc3", "in"}}}));
        QTRY_VERIFY_WITH_TIMEOUT(!session.waitsFor().isEmpty(), kLong);
        session.resume();
        QTRY_VERIFY(session.progress().step > 10);
        QVERIFY(document.undo());
        QTRY_COMPARE_WITH_TIMEOUT(session.waitsFor(), QString(), kLong);
        // Undo brings the layer back, while it runs on.
        QVERIFY(document.undo());
        QTRY_COMPARE_WITH_TIMEOUT(shapeOf("fc4"), std::optional(Shape{16, 16}), kLong);
        session.stop();
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
        QVERIFY2(session.state() == RunState::Stopped, qPrintable(session.errorText()));
        std::set<std::string> names;
        for (const auto& weight : document.weights())
            names.insert(weight.name);
        QVERIFY(names.count("fc4.weight") == 1);
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

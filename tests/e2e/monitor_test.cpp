// One sitting of somebody who looks into a run: every panel is opened while it trains, the loss
// curve is scrubbed, a branch begins there; then a planted number that overflows stops the run at
// the op that it breaks, and its sample among 10,000 is named and shown.
#include <QDockWidget>
#include <QFile>
#include <QPushButton>
#include <QSignalSpy>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>

#include "tests/ui/helpers/tiny_graph.h"
#include "ui/canvas/canvas.h"
#include "ui/canvas/halt_marks.h"
#include "ui/canvas/live_layer.h"
#include "ui/inspect/inspector_panel.h"
#include "ui/inspect/results_panel.h"
#include "ui/panels/breakpoints_panel.h"
#include "ui/panels/runs_panel.h"
#include "ui/theme/theme.h"
#include "ui/window/actions.h"
#include "ui/window/banner.h"
#include "ui/window/main_window.h"

using namespace wiregrad;
using namespace wiregrad::studio;
using namespace wiregrad::studio::testing;
using train::RunState;

namespace {

constexpr int kLong = 300'000;
constexpr int kRows = 10'000, kBad = 7321;

/// Two classes that a line divides; one row holds a number whose product with a weight overflows.
void writeTable(const QString& path) {
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    QByteArray text("a,b,label\n");
    for (int i = 0; i < kRows; ++i) {
        const double a = std::sin(i * 1.7), b = std::cos(i * 0.9);
        text += (i == kBad ? QByteArray("3e38") : QByteArray::number(a)) + ',' +
                (i == kBad ? QByteArray("3e38") : QByteArray::number(b)) + ',' +
                (a + b > 0 ? "up" : "down") + '\n';
    }
    file.write(text);
}

} // namespace

class MonitorTest : public QObject {
    Q_OBJECT

  private slots:
    void initTestCase() {
        QStandardPaths::setTestModeEnabled(true);
        Theme::instance().apply(QStringLiteral("dark"));
    }

    void lookIntoARunAndBranch() {
        QTemporaryDir folder;
        MainWindow window(folder.filePath(QStringLiteral("recovery")));
        window.resize(1600, 1000);
        window.show();
        QVERIFY(QTest::qWaitForWindowExposed(&window));
        window.newProject();
        const Classifier net = addClassifier(window.document(), 20);
        window.canvas().fitAll();
        TrainSession& session = window.session();
        window.actions().action(QStringLiteral("run.epoch"))->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(session.state() == RunState::Paused && session.progress().step > 0,
                                 kLong);
        session.resume();
        // Every panel, while it trains: each paints itself.
        for (QDockWidget* dock : window.findChildren<QDockWidget*>()) {
            dock->show();
            dock->raise();
            QTest::qWait(20);
            QVERIFY2(!dock->grab().isNull(), qPrintable(dock->objectName()));
        }
        QTRY_VERIFY_WITH_TIMEOUT(session.state() == RunState::Finished, kLong);
        const std::int64_t last = session.progress().step;

        auto* results = window.findChild<ResultsPanel*>();
        window.findChild<QDockWidget*>(QStringLiteral("dock.results"))->raise();
        QTRY_VERIFY_WITH_TIMEOUT(results->book().rounds() > 0, kLong);
        // Back to a step in the middle; the weights are those of then, and a run begins there.
        auto* inspector = window.findChild<InspectorPanel*>();
        window.findChild<QDockWidget*>(QStringLiteral("dock.inspector"))->raise();
        inspector->look({QString::fromStdString(net.layer), {}});
        inspector->choose({net.layer, "weight", ProbeWhat::Weight});
        QTRY_VERIFY_WITH_TIMEOUT(inspector->shown() != nullptr, kLong);
        const std::vector<float> final = inspector->shown()->slice;
        QVERIFY(session.canTravel());
        session.travelTo(last / 2);
        QTRY_COMPARE_WITH_TIMEOUT(session.travelStep(), last / 2, kLong);
        QTRY_VERIFY_WITH_TIMEOUT(inspector->shown() && inspector->shown()->slice != final, kLong);
        QSignalSpy finished(&session, &TrainSession::finished);
        session.branchHere();
        QTRY_VERIFY_WITH_TIMEOUT(finished.count() == 1 && !session.isActive(), kLong);
        QCOMPARE(session.state(), RunState::Finished);
        // Nothing was changed, so the branch ends where the run did, bit for bit.
        QTRY_VERIFY_WITH_TIMEOUT(inspector->shown() && inspector->shown()->slice == final, kLong);
        QCOMPARE(window.findChild<RunsPanel*>()->rowCount(), 2);
    }

    void aPlantedNumberIsFound() {
        QTemporaryDir folder;
        const QString table = folder.filePath(QStringLiteral("table.csv"));
        writeTable(table);
        MainWindow window(folder.filePath(QStringLiteral("recovery")));
        window.resize(1600, 1000);
        window.show();
        QVERIFY(QTest::qWaitForWindowExposed(&window));
        window.newProject();
        Document& document = window.document();
        const Classifier net = addClassifier(document, 1);
        document.apply({graph::SetParam{net.data, "source", std::string("file")}});
        document.apply({graph::SetParam{net.data, "path", table.toStdString()}});
        document.apply({graph::SetParam{net.data, "label_column", std::string("label")}});
        document.apply({graph::SetParam{net.data, "normalize", std::string("none")}});
        document.apply({graph::SetParam{net.data, "validation_fraction", 0.0}});
        document.apply({graph::SetParam{net.data, "test_fraction", 0.0}});
        document.apply({graph::SetParam{net.layer, "out_features", std::int64_t(2)}});
        // Its exponential overflows.
        const std::string exp = add(document, "Exp");
        const std::string in = graph::find_type("Linear")->inputs.at(0).id;
        QVERIFY(wire(document, net.data, "x", exp, "in"));
        QVERIFY(document.apply(
            graph::connect_edit(document.graph(), graph::Wire{exp, "out", net.layer, in})));
        window.canvas().fitAll();
        TrainSession& session = window.session();
        train::Breakpoint anywhere; // a value is NaN or infinite
        session.breakpoints().add(anywhere);
        QSignalSpy finished(&session, &TrainSession::finished);
        session.start();
        QTRY_VERIFY_WITH_TIMEOUT(session.halt() || finished.count() > 0, kLong);
        QVERIFY2(session.halt(), qPrintable(session.errorText()));
        // In the batch with that row, at the exponential: what went in is finite.
        const train::Halt halt = *session.halt();
        QVERIFY2(halt.at.node == exp, halt.reason.c_str());
        for (const ProbeRecord& input : halt.inputs)
            QCOMPARE(input.nans + input.infs, std::int64_t(0));
        auto* panel = window.findChild<BreakpointsPanel*>();
        QVERIFY(panel->isVisible());
        QCOMPARE(panel->sentence(), QString::fromStdString(halt.reason));
        QVERIFY(!window.canvas().marks().textAt(halt.at.node).isEmpty());
        // Run on: the loss is no number, and the row is named and shown.
        session.resume();
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
        QCOMPARE(session.state(), RunState::Failed);
        QCOMPARE(session.errorSample(), std::int64_t(kBad));
        QVERIFY2(window.banner().text().contains(QStringLiteral("sample 7321")),
                 qPrintable(window.banner().text()));
        QPushButton* show = nullptr;
        for (QPushButton* button : window.banner().findChildren<QPushButton*>())
            if (button->text() == QStringLiteral("Show the sample")) show = button;
        QVERIFY(show);
        show->click();
        QVERIFY(window.findChild<QDockWidget*>(QStringLiteral("dock.try"))->isVisible());
    }
};

QTEST_MAIN(MonitorTest)
#include "monitor_test.moc"

// Breakpoints and the chain rule in the window: what the panels show is what the engine computes.
#include <QComboBox>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QSignalSpy>
#include <QStandardPaths>
#include <QTableWidget>
#include <QTemporaryDir>
#include <QToolButton>
#include <QtTest>

#include <cmath>

#include "tests/ui/helpers/tiny_graph.h"
#include "ui/canvas/canvas.h"
#include "ui/canvas/halt_marks.h"
#include "ui/canvas/live_layer.h"
#include "ui/inspect/derivation_view.h"
#include "ui/inspect/inspector_panel.h"
#include "ui/inspect/tensor_views.h"
#include "ui/panels/breakpoints_panel.h"
#include "ui/panels/runs_panel.h"

using namespace wiregrad;
using namespace wiregrad::studio;
using namespace wiregrad::studio::testing;
using train::Breakpoint;
using train::RunState;

namespace {

constexpr int kLong = 120'000;

template <class T> T* part(QWidget& panel, const char* name) {
    T* found = panel.findChild<T*>(QLatin1String(name));
    if (!found) qFatal("there is no %s", name);
    return found;
}

} // namespace

class DebuggingTest : public QObject {
    Q_OBJECT

  private slots:
    void initTestCase() { QStandardPaths::setTestModeEnabled(true); }

    void aRunStandsWalksAndGoesOn() {
        Document document;
        TrainSession session(document);
        const Classifier net = addClassifier(document, 2);
        Canvas canvas(document, session);
        canvas.resize(900, 600);
        canvas.show();
        BreakpointsPanel panel(document, session);
        panel.resize(1000, 300);
        panel.show();
        QSignalSpy finished(&session, &TrainSession::finished);

        // In words, with the form: the linear layer's output is above -1000 at once.
        panel.offer(QString::fromStdString(net.layer), QStringLiteral("out"));
        auto* when = part<QComboBox>(panel, "breakWhen");
        when->setCurrentIndex(when->findText(QStringLiteral("the greatest value is above")));
        part<QLineEdit>(panel, "breakLimit")->setText(QStringLiteral("-1000"));
        part<QPushButton>(panel, "breakAdd")->click();
        QCOMPARE(panel.rows(), 1);
        QCOMPARE(panel.text(0), QStringLiteral("%1.out: the greatest value is above -1000")
                                    .arg(QString::fromStdString(net.layer)));
        QCOMPARE(canvas.marks().textAt(net.layer), QStringLiteral(""));

        session.start();
        QTRY_VERIFY_WITH_TIMEOUT(session.halt() != nullptr, kLong);
        QCOMPARE(session.state(), RunState::Paused);
        QCOMPARE(session.stateText(), QStringLiteral("Paused inside step 1"));
        QCOMPARE(QString::fromStdString(session.halt()->at.node),
                 QString::fromStdString(net.layer));
        QVERIFY2(panel.sentence().startsWith(QStringLiteral("Step 1: in the 'out' of '")),
                 qPrintable(panel.sentence()));
        QVERIFY(!canvas.marks().textAt(net.layer).isEmpty());
        // The values of this step are on the canvas and in the table, and they are the same.
        QTRY_VERIFY(session.latest({net.layer, "out", ProbeWhat::Activation}) != nullptr);
        const ProbeRecord* record = session.latest({net.layer, "out", ProbeWhat::Activation});
        QCOMPARE(record->step, std::int64_t(1));
        QCOMPARE(panel.valueCell(0, 1), QStringLiteral("16 × 3"));
        QCOMPARE(session.halt()->outputs.at(0).mean, record->mean);

        // One op on is the next op, one back the one before; the trail says so.
        const std::int64_t stood = session.halt()->at.index;
        part<QToolButton>(panel, "opOn")->click();
        QTRY_COMPARE_WITH_TIMEOUT(session.halt() ? session.halt()->at.index : 0, stood + 1, kLong);
        part<QToolButton>(panel, "opBack")->click();
        QTRY_COMPARE_WITH_TIMEOUT(session.halt() ? session.halt()->at.index : 0, stood, kLong);
        // Row 0 is the data, which no op has made.
        QCOMPARE(panel.trailCell(int(stood), 0), QStringLiteral("▸ %1").arg(stood));
        QCOMPARE(panel.trailRows(), int(stood) + 2);
        // To the step's end: paused between steps, one step done.
        part<QToolButton>(panel, "stepEnd")->click();
        QTRY_VERIFY_WITH_TIMEOUT(session.state() == RunState::Paused && !session.halt() &&
                                     session.progress().step == 1,
                                 kLong);
        QVERIFY(panel.sentence().isEmpty());
        // Switched off, the run goes to its end.
        part<QListWidget>(panel, "breakList")->item(0)->setCheckState(Qt::Unchecked);
        QVERIFY(!session.breakpoints().any());
        session.resume();
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
        QCOMPARE(session.state(), RunState::Finished);
        QVERIFY(canvas.marks().textAt(net.layer).isNull());
    }

    void oneOpBeginsARun() {
        Document document;
        TrainSession session(document);
        addClassifier(document, 1);
        session.go(train::StepOrder::Op);
        QTRY_VERIFY_WITH_TIMEOUT(session.halt() != nullptr, kLong);
        QCOMPARE(session.halt()->at.index, std::int64_t(1));
        QSignalSpy finished(&session, &TrainSession::finished);
        session.stop();
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
        QCOMPARE(session.state(), RunState::Stopped);
        QVERIFY(!session.halt());
    }

    void breakpointsAreKeptWithTheRuns() {
        QTemporaryDir dir;
        const QString runs = dir.filePath(QStringLiteral("net.runs"));
        Breakpoint b;
        b.node = "conv1";
        b.port = "out";
        b.side = Breakpoint::Side::Backward;
        b.when = Breakpoint::When::Norm;
        b.limit = 12.5;
        b.enabled = false;
        {
            Breakpoints list;
            list.setFile(runs + QStringLiteral("/breakpoints.json"));
            b.id = list.add(b);
            list.setBadNumbers(train::BadNumbers::Skip);
        }
        Document document;
        TrainSession session(document);
        session.runs().setFolder(runs);
        QCOMPARE(session.breakpoints().list().size(), std::size_t(1));
        Breakpoint back = session.breakpoints().list()[0];
        back.id = b.id;
        QVERIFY(back == b);
        QCOMPARE(int(session.breakpoints().badNumbers()), int(train::BadNumbers::Skip));
        // An unsaved project gets its file: they move with it.
        const QString saved = dir.filePath(QStringLiteral("other.runs"));
        QVERIFY(session.runs().moveTo(saved));
        QVERIFY(QFile::exists(saved + QStringLiteral("/breakpoints.json")));
        QVERIFY(!QFile::exists(runs));
        // Another project has its own.
        document.newProject();
        QVERIFY(session.breakpoints().list().empty());
        QVERIFY(QFile::exists(saved + QStringLiteral("/breakpoints.json")));
    }

    void aDamagedFileOfBreakpointsIsLeftAlone() {
        QTemporaryDir dir;
        const QString path = dir.filePath(QStringLiteral("breakpoints.json"));
        for (const QByteArray& text :
             {QByteArray("{\"breakpoints\": ["), QByteArray(""), QByteArray("[]"),
              QByteArray("{\"breakpoints\": [{\"when\": \"never\"}, 3, {\"when\": \"mean\", "
                         "\"side\": \"forward\", \"limit\": \"a lot\"}]}")}) {
            QFile file(path);
            QVERIFY(file.open(QIODevice::WriteOnly | QIODevice::Truncate));
            file.write(text);
            file.close();
            Breakpoints list;
            list.setFile(path);
            QVERIFY(list.list().size() <= 1);
            QVERIFY(file.open(QIODevice::ReadOnly));
            QCOMPARE(file.readAll(), text);
        }
    }

    void aClickedWeightIsTakenApart() {
        Document document;
        TrainSession session(document);
        const Classifier net = addClassifier(document, 1);
        InspectorPanel panel(document, session);
        panel.resize(420, 900);
        panel.show();
        panel.look({QString::fromStdString(net.layer), {}});
        panel.choose({net.layer, "weight", ProbeWhat::Weight});
        session.pause();
        session.stepOnce();
        QTRY_VERIFY_WITH_TIMEOUT(
            session.state() == RunState::Paused && session.progress().step == 1, kLong);
        QTRY_VERIFY(panel.shown() != nullptr);
        auto* heat = panel.findChild<HeatMapView*>();
        QVERIFY(heat && heat->isVisible());
        // The last cell of the 3 × 4 matrix.
        const QPointF corner(heat->width() - 8, heat->height() / 2.0);
        std::int64_t element = -1;
        for (int y = 0; y < heat->height() && element != 11; ++y)
            element = heat->elementAt(QPointF(corner.x(), y));
        QVERIFY2(element == 11 || heat->elementAt(corner) >= 0, "no cell at the right border");
        panel.followWeight(11);
        auto* view = panel.findChild<DerivationView*>();
        QTRY_VERIFY_WITH_TIMEOUT(view->shown() != nullptr, kLong);
        const train::Derivation& found = *view->shown();
        QCOMPARE(found.element, std::int64_t(11));
        QCOMPARE(found.largest.size(), std::size_t(16)); // one a sample of the batch
        QVERIFY(std::abs(found.sum - found.gradient) < 1e-6);
        QVERIFY2(std::abs(found.sum - found.difference) < 1e-3 * std::max(0.1, std::abs(found.sum)),
                 qPrintable(QStringLiteral("%1 %2").arg(found.sum).arg(found.difference)));
        QVERIFY(view->terms()->isVisible());
        QCOMPARE(view->terms()->rowCount(), 16);
        QCOMPARE(view->way()->rowCount(), 2); // the layer and the loss
        // The product is what the next step's gradient is: SGD moves the weight by rate times it.
        const double before = found.value, gradient = found.gradient;
        const double rate = std::get<double>(param(document, net.optimizer, "lr"));
        session.stepOnce();
        QTRY_VERIFY_WITH_TIMEOUT(view->shown() && view->shown()->value != before, kLong);
        const double moved = view->shown()->value - before;
        QVERIFY2(std::abs(moved + rate * gradient) < 1e-4 * std::max(1e-2, std::abs(moved)),
                 qPrintable(QStringLiteral("moved %1, %2").arg(moved).arg(-rate * gradient)));
        session.stop();
        QTRY_VERIFY_WITH_TIMEOUT(!session.isActive(), kLong);
    }

    void theRunThatGoesOnCountsItsSteps() {
        QTemporaryDir dir;
        Document document;
        TrainSession session(document);
        session.runs().setFolder(dir.filePath(QStringLiteral("runs")));
        addClassifier(document, 2);
        RunsPanel panel(document, session);
        panel.resize(1000, 300);
        panel.show();
        session.stepEpoch();
        QTRY_VERIFY_WITH_TIMEOUT(session.state() == RunState::Paused && session.progress().step > 0,
                                 kLong);
        QCOMPARE(panel.rowCount(), 1);
        QTRY_COMPARE(panel.cell(0, QStringLiteral("Steps")).toLongLong(), session.progress().step);
        const Curve* loss = session.metrics().find("train/loss");
        QVERIFY(loss);
        QTRY_VERIFY(!panel.cell(0, QStringLiteral("Loss (train)")).isEmpty());
        QVERIFY(std::abs(panel.cell(0, QStringLiteral("Loss (train)")).toDouble() -
                         loss->lastValue()) < 1e-3);
        session.stop();
        QTRY_VERIFY_WITH_TIMEOUT(!session.isActive(), kLong);
    }
};

QTEST_MAIN(DebuggingTest)
#include "debugging_test.moc"

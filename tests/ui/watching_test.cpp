// The views of a run that learns: miniatures on the canvas, results, trying by hand, the runs of a
// project, and the inspector's tables; against numbers known by hand or computed another way.
#include <QClipboard>
#include <QFile>
#include <QGuiApplication>
#include <QSignalSpy>
#include <QSpinBox>
#include <QStandardPaths>
#include <QTableView>
#include <QTemporaryDir>
#include <QToolButton>
#include <QtTest>

#include <cmath>
#include <limits>

#include "engine/io/npy.h"
#include "session/run_diff.h"
#include "session/settings.h"
#include "tests/ui/helpers/tiny_graph.h"
#include "ui/canvas/canvas.h"
#include "ui/canvas/live_layer.h"
#include "ui/inspect/inspector_panel.h"
#include "ui/inspect/results_panel.h"
#include "ui/inspect/try_panel.h"
#include "ui/inspect/value_views.h"
#include "ui/monitor/chart_box.h"
#include "ui/monitor/monitor_panel.h"
#include "ui/panels/runs_panel.h"

using namespace wiregrad;
using namespace wiregrad::studio;
using namespace wiregrad::studio::testing;
using train::RunState;

namespace {

constexpr int kLong = 120'000;

void finish(TrainSession& session) {
    QSignalSpy finished(&session, &TrainSession::finished);
    session.start();
    QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
    QVERIFY2(session.state() == RunState::Finished, qPrintable(session.errorText()));
}

ProbeRecord recordOf(const std::vector<float>& values, const Shape& shape, std::int64_t step = 1) {
    ProbeRequest request;
    request.value = {"n", "out", ProbeWhat::Activation};
    request.max_elements = 1 << 20;
    request.max_units = 4096;
    return measure(request, Tensor::from(values, shape), step);
}

} // namespace

class WatchingTest : public QObject {
    Q_OBJECT

  private slots:
    void initTestCase() { QStandardPaths::setTestModeEnabled(true); }

    // --- inspector

    void unitsAreJudged() {
        // Channels of a ReLU: dead, alive; of a tanh: saturated; one with a NaN; one constant.
        const float nan = std::numeric_limits<float>::quiet_NaN();
        const ProbeRecord record =
            recordOf({0, .5F, .999F, nan, .25F, 0, -.5F, .998F, 1, .25F}, Shape{2, 5});
        UnitsView view;
        view.setBounds(-1, 1);
        view.TensorView::show(record);
        QCOMPARE(view.count(UnitState::Dead), 1);
        QCOMPARE(view.count(UnitState::Alive), 1);
        QCOMPARE(view.count(UnitState::Saturated), 1);
        QCOMPARE(view.count(UnitState::Broken), 1);
        QCOMPARE(view.count(UnitState::Constant), 1);
        QVERIFY(view.summary().contains(QStringLiteral("1 dead")));
        // Thousands of units are one picture, not thousands of widgets.
        UnitsView wide;
        wide.resize(300, 150);
        wide.TensorView::show(recordOf(std::vector<float>(4000, 1), Shape{2, 2000}));
        QVERIFY(!wide.grab().isNull());
        QCOMPARE(wide.count(UnitState::Constant), 2000);
    }

    void histogramsOverTime() {
        HistoryView view;
        view.resize(300, 160);
        for (int step = 1; step <= 600; ++step)
            view.add(recordOf({float(step), float(step) + 1, float(step) + 2}, Shape{3}, step));
        QVERIFY(view.columns() <= 240);
        QCOMPARE(view.range(), (std::pair<double, double>(1, 602)));
        QVERIFY(std::abs(view.share(0, 0, 4) - 1) < 1e-9);
        QCOMPARE(view.share(view.columns() - 1, 0, 4), 0.0);
        QVERIFY(!view.grab().isNull());
        view.add(recordOf({5}, Shape{1}, 3)); // an earlier step: another run
        QCOMPARE(view.columns(), 1);
        view.clear();
        view.add(recordOf({std::nanf(""), std::nanf("")}, Shape{2}, 1));
        QVERIFY(!view.grab().isNull());
    }

    void everyNumberIsInTheTable() {
        SliceModel model;
        std::vector<float> values(24);
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = float(i);
        model.show(recordOf(values, Shape{2, 3, 4}));
        QCOMPARE(model.rowCount(), 6);
        QCOMPARE(model.columnCount(), 4);
        QCOMPARE(model.value(4, 2), 18.0F); // [1, 1, 2]
        QCOMPARE(model.headerData(4, Qt::Vertical, Qt::DisplayRole).toString(),
                 QStringLiteral("1, 1"));
        model.setColumnNames(
            {QStringLiteral("a"), QStringLiteral("b"), QStringLiteral("c"), QStringLiteral("d")});
        QCOMPARE(model.headerData(3, Qt::Horizontal, Qt::DisplayRole).toString(),
                 QStringLiteral("d"));
        model.show(recordOf({}, Shape{0, 4}));
        QCOMPARE(model.rowCount(), 0);
        model.show(recordOf({7}, Shape{}));
        QCOMPARE(model.rowCount() * model.columnCount(), 1);
    }

    void copiedAndSavedAsNumPy() {
        const ProbeRecord record = recordOf(
            {1, 2.5F, std::nanf(""), -std::numeric_limits<float>::infinity()}, Shape{2, 2});
        QCOMPARE(numpyText(record),
                 QStringLiteral("np.array([[1, 2.5],\n          [np.nan, -np.inf]], "
                                "dtype=np.float32)"));
        QTemporaryDir dir;
        const QString path = dir.filePath(QStringLiteral("v.npy"));
        saveRecordAsNpy(record, path);
        const Tensor back = io::read_npy(path.toStdString());
        QCOMPARE(back.shape(), (Shape{2, 2}));
        QCOMPARE(back.to_vector()[1], 2.5);
        QVERIFY(std::isnan(back.to_vector()[2]));
    }

    void theFirstBrokenNumberIsFound() {
        Document document;
        TrainSession session(document);
        const Classifier net = addClassifier(document, 1);
        std::vector<float> values(12, 1);
        values[9] = std::nanf("");
        document.setWeights({{net.layer + ".weight", Tensor::from(values, Shape{3, 4})}});
        InspectorPanel panel(document, session);
        panel.resize(340, 700);
        panel.show();
        panel.look({QString::fromStdString(net.layer), {}});
        panel.choose({net.layer, "weight", ProbeWhat::Weight});
        QVERIFY(panel.shown());
        QCOMPARE(panel.shown()->first_broken, std::int64_t(9));
        auto* find = panel.findChild<QToolButton*>(QStringLiteral("findBroken"));
        QVERIFY(find && find->isVisible());
        find->click();
        QCOMPARE(panel.shown()->slice_from, std::int64_t(2));
        auto* table = panel.findChild<QTableView*>(QStringLiteral("sliceTable"));
        QVERIFY(table->isVisible());
        QCOMPARE(table->model()->index(0, 1).data().toString(), QStringLiteral("NaN"));
        QCOMPARE(panel.findChild<QSpinBox*>(QStringLiteral("sliceFrom"))->value(), 2);
    }

    void momentsAndUpdatesAreOffered() {
        Document document;
        TrainSession session(document);
        const Classifier net = addClassifier(document, 30);
        document.apply({graph::SetParam{net.optimizer, "momentum", 0.9}});
        InspectorPanel panel(document, session);
        panel.resize(340, 700);
        panel.show();
        panel.look({QString::fromStdString(net.layer), {}});
        const ValueId momentum{net.layer, "weight.momentum_buffer", ProbeWhat::OptimizerState};
        const auto values = panel.values();
        QVERIFY(std::find(values.begin(), values.end(), momentum) != values.end());
        panel.choose(momentum);
        finish(session);
        QVERIFY(panel.shown());
        QCOMPARE(panel.shown()->shape, (Shape{3, 4}));
        QVERIFY(panel.shown()->std > 0);
    }

    // --- miniatures

    void kindsOfMiniatures() {
        QCOMPARE(int(liveKindOf(recordOf({3}, Shape{}))), int(LiveKind::Number));
        QCOMPARE(int(liveKindOf(recordOf(std::vector<float>(10, 1), Shape{1, 10}))),
                 int(LiveKind::Bars));
        QCOMPARE(int(liveKindOf(recordOf(std::vector<float>(256, 1), Shape{1, 256}))),
                 int(LiveKind::Histogram));
        QCOMPARE(int(liveKindOf(recordOf(std::vector<float>(64, 1), Shape{1, 1, 8, 8}))),
                 int(LiveKind::Picture));
        QCOMPARE(int(liveKindOf(recordOf(std::vector<float>(512, 1), Shape{1, 8, 8, 8}))),
                 int(LiveKind::Maps));
        QCOMPARE(int(liveKindOf(recordOf({}, Shape{0}))), int(LiveKind::Histogram));
        std::vector<float> strip(2 * 4);
        strip[0] = 1; // map 0, top left
        const ProbeRecord maps = recordOf(strip, Shape{1, 2, 2, 2});
        const QImage image = livePicture(maps, LiveKind::Maps);
        QCOMPARE(image.size(), QSize(5, 2));
        QCOMPARE(qRed(image.pixel(0, 0)), 255);
        QCOMPARE(qRed(image.pixel(1, 0)), 0);
        QCOMPARE(qAlpha(image.pixel(2, 0)), 0); // the gap
    }

    void onlyWhatIsVisibleIsTapped() {
        Document document;
        TrainSession session(document);
        const Classifier net = addClassifier(document, 100'000);
        document.apply({graph::Move{net.data, {0, 0}}});
        document.apply({graph::Move{net.layer, {9000, 9000}}});
        Canvas canvas(document, session);
        canvas.resize(900, 600);
        canvas.show();
        canvas.setZoom(1, QPointF(0, 0));
        canvas.centerOn(80, 40);
        QCOMPARE(canvas.live().subscribed(), 0);
        session.start();
        QTRY_COMPARE_WITH_TIMEOUT(session.state(), RunState::Running, kLong);
        canvas.live().look();
        QCOMPARE(canvas.live().subscribed(), 1); // the dataset; the layer is far away
        QTRY_VERIFY_WITH_TIMEOUT(canvas.live().updatesOf(net.data) >= 3, kLong);
        canvas.centerOn(9080, 9040);
        canvas.live().look();
        QTRY_VERIFY_WITH_TIMEOUT(canvas.live().updatesOf(net.layer) >= 2, kLong);
        QCOMPARE(canvas.live().subscribed(), 1);
        canvas.live().setGradients(true);
        QTRY_VERIFY_WITH_TIMEOUT(canvas.live().updatesOf(net.layer) >= 1, kLong);
        canvas.live().setOn(false);
        QCOMPARE(canvas.live().subscribed(), 0);
        session.stop();
        QTRY_COMPARE_WITH_TIMEOUT(session.state(), RunState::Stopped, kLong);
    }

    // --- results and trying

    void resultsAreThoseOfTheModel() {
        Document document;
        TrainSession session(document);
        addClassifier(document, 60);
        finish(session);
        ResultsPanel panel(document, session);
        panel.resize(420, 420);
        panel.show();
        QTRY_VERIFY_WITH_TIMEOUT(panel.book().rounds() >= 1, kLong);
        QCOMPARE(int(panel.book().kind()), int(AnswerKind::Classes));
        QCOMPARE(panel.book().classes(), std::int64_t(3));
        const auto confusion = train::confusion_of(panel.book().answers(), 3);
        // The engine's own metric over the same data says the same.
        const Curve* accuracy = session.metrics().find("validation/accuracy");
        QVERIFY(accuracy);
        QVERIFY(std::abs(confusion.accuracy() - accuracy->lastValue()) < 1e-9);
        QVERIFY(panel.summary().contains(QString::number(confusion.total())));
        for (const ResultView view :
             {ResultView::Classes, ResultView::Roc, ResultView::PrecisionRecall,
              ResultView::Calibration, ResultView::Mistakes, ResultView::Confusion}) {
            panel.showView(view);
            QVERIFY(!panel.grab().isNull());
            QVERIFY(!panel.summary().isEmpty());
        }
        panel.book().setTest(true);
        QTRY_VERIFY_WITH_TIMEOUT(panel.book().rounds() >= 1, kLong);
        QVERIFY(session.testResult());
        QVERIFY(std::abs(train::confusion_of(panel.book().answers(), 3).accuracy() -
                         session.testResult()->metrics[0]) < 1e-9);
    }

    void tryingGivesTheModelsAnswer() {
        Document document;
        TrainSession session(document);
        addClassifier(document, 60);
        TryPanel panel(document, session);
        panel.resize(320, 600);
        panel.show();
        finish(session);
        QTRY_VERIFY_WITH_TIMEOUT(panel.answers() >= 1, kLong);
        panel.takeSample(3);
        auto expected = std::make_shared<std::vector<double>>();
        bool done = false;
        QVERIFY(session.withData(
            [expected](graph::CompiledModel& model, const TrainSession::Data& data) {
                const train::Batch batch = data.validation->batch(0, 0);
                *expected = model.predict(batch.fields[0]).front().second.to_vector();
            },
            [&done] { done = true; }));
        QTRY_VERIFY_WITH_TIMEOUT(done, kLong);
        std::vector<float> scores(expected->begin() + 9, expected->begin() + 12);
        const auto probabilities = train::probabilities_of(scores);
        QTRY_VERIFY_WITH_TIMEOUT(panel.answer().values.size() == 3 &&
                                     std::abs(panel.answer().values[0] - probabilities[0]) < 1e-5,
                                 kLong);
        QVERIFY(panel.answer().classes);
        QVERIFY(panel.answerText().contains(QLatin1Char('%')));
        const std::int64_t before = panel.answers();
        panel.setFeature(0, 40);
        QTRY_VERIFY_WITH_TIMEOUT(panel.answers() > before, kLong);
    }

    void theSurfaceIsReadAtAnySize() {
        DrawPad pad;
        pad.resize(200, 200);
        QCOMPARE(pad.picture({28, 28}, true).pixelColor(14, 14).red(), 0);
        QTest::mousePress(&pad, Qt::LeftButton, {}, {100, 20});
        QTest::mouseMove(&pad, {100, 180});
        QTest::mouseRelease(&pad, Qt::LeftButton, {}, {100, 180});
        const QImage small = pad.picture({28, 28}, true);
        QVERIFY(small.pixelColor(14, 14).red() > 200);
        QCOMPARE(small.pixelColor(2, 14).red(), 0);
        data::Field field;
        field.kind = data::FieldKind::Image;
        field.shape = Shape{1, 28, 28};
        const Tensor x = sampleOf(small, field, {{0.5}, {0.25}});
        QCOMPARE(x.shape(), (Shape{1, 1, 28, 28}));
        QCOMPARE(x.to_vector()[0], -2.0);
        pad.clear();
        QCOMPARE(pad.picture({28, 28}, true).pixelColor(14, 14).red(), 0);
    }

    // --- runs

    void runsAreListedFilteredComparedAndOverlaid() {
        QTemporaryDir dir;
        Document document;
        TrainSession session(document);
        const Classifier net = addClassifier(document, 3);
        session.runs().setFolder(dir.path());
        RunsPanel panel(document, session);
        panel.resize(1000, 300);
        panel.show();
        QCOMPARE(panel.rowCount(), 0);
        finish(session);
        QTRY_COMPARE(panel.rowCount(), 1);
        QTRY_COMPARE(panel.cell(0, QStringLiteral("State")), QStringLiteral("finished"));
        const QString first = session.currentRun();
        QVERIFY(session.runs().describe(first, QStringLiteral("Baseline"), {QStringLiteral("good")},
                                        QStringLiteral("slow rate")));
        document.apply({graph::SetParam{net.optimizer, "lr", 0.5}});
        finish(session);
        QTRY_COMPARE(panel.rowCount(), 2);
        const QString second = session.currentRun();
        QTRY_COMPARE(int(session.runs().find(second)->end), int(RunEnd::Finished));
        panel.setFilter(QStringLiteral("good rate"));
        QCOMPARE(panel.rowCount(), 1);
        QCOMPARE(panel.cell(0, QStringLiteral("Run")), QStringLiteral("Baseline"));
        panel.setFilter({});
        const auto differences =
            diffRuns(*session.runs().find(first), *session.runs().find(second));
        QVERIFY(std::any_of(differences.begin(), differences.end(), [](const Difference& one) {
            return one.what.contains(QStringLiteral("earning rate")) &&
                   one.b == QStringLiteral("0.5");
        }));
        QVERIFY(std::none_of(differences.begin(), differences.end(), [](const Difference& one) {
            return one.group == QStringLiteral("Data") || one.group == QStringLiteral("Settings");
        }));
        QVERIFY(diffRuns(*session.runs().find(first), *session.runs().find(first)).empty());
        panel.select({first, second});
        QWidget* dialog = panel.showDifferences();
        QVERIFY(dialog);
        dialog->close();
        QSignalSpy overlays(&panel, &RunsPanel::overlaysChanged);
        panel.setOverlaid(first, true);
        QCOMPARE(overlays.count(), 1);
        QCOMPARE(panel.overlaid(), QStringList{first});

        MonitorPanel monitor(document, session);
        monitor.resize(900, 300);
        monitor.show();
        const auto before = monitor.lossPlot()->curves().size();
        monitor.setOverlays({{first, QStringLiteral("Baseline"), session.runs().curves(first)}});
        QCOMPARE(monitor.lossPlot()->curves().size(), before + 2); // training and validation
        QCOMPARE(monitor.lossPlot()->curves()[1].style.label, QStringLiteral("Baseline"));
        QVERIFY(std::abs(monitor.lossPlot()->lastValue(1) -
                         *session.runs().find(first)->final("train/loss")) < 1e-12);

        // The weights of an old run come back, where the network is still the same.
        QSignalSpy said(&panel, &RunsPanel::said);
        panel.takeWeights(first);
        QCOMPARE(said.count(), 1);
        QVERIFY(said.back().front().toString().startsWith(QStringLiteral("Took")));
        panel.rerun(first);
        QTRY_COMPARE_WITH_TIMEOUT(session.state(), RunState::Finished, kLong);
        QTRY_VERIFY(session.runs()
                        .find(session.currentRun())
                        ->verdict.contains(QStringLiteral("bit for bit")));
    }

    // --- monitor

    void chartsOpenPopOutAndClose() {
        Document document;
        TrainSession session(document);
        addClassifier(document, 40);
        MonitorPanel monitor(document, session);
        monitor.resize(1000, 420);
        monitor.show();
        QVERIFY(!monitor.chart(QStringLiteral("gradients")));
        monitor.showChart(QStringLiteral("gradients"), true);
        monitor.showChart(QStringLiteral("gradient_norm"), true);
        monitor.showChart(QStringLiteral("time"), true);
        finish(session);
        ChartBox* gradients = monitor.chart(QStringLiteral("gradients"));
        QVERIFY(gradients);
        QTRY_COMPARE(gradients->plot()->curves().size(), std::size_t(2)); // weight and bias
        QVERIFY(monitor.chart(QStringLiteral("gradient_norm"))->plot()->lastValue(0) > 0);
        QVERIFY(monitor.chart(QStringLiteral("time"))->plot()->lastValue(0) > 0);
        gradients->findChild<QToolButton*>(QStringLiteral("popOut"))->click();
        QVERIFY(gradients->isWindow() || gradients->window() != &monitor);
        QVERIFY(gradients->window()->isVisible());
        gradients->window()->close();
        QTRY_COMPARE(gradients->window(), static_cast<QWidget*>(&monitor));
        QVERIFY(gradients->isVisible());
        monitor.showChart(QStringLiteral("gradients"), false);
        QVERIFY(!monitor.chart(QStringLiteral("gradients")));
        monitor.showChart(QStringLiteral("gradient_norm"), false);
        monitor.showChart(QStringLiteral("time"), false);
    }

    void drawingsHoldLinesAndText() {
        Document document;
        TrainSession session(document);
        addClassifier(document, 5);
        MonitorPanel monitor(document, session);
        monitor.resize(900, 360);
        monitor.show();
        finish(session);
        QTemporaryDir dir;
        const QString path = dir.filePath(QStringLiteral("c.svg"));
        monitor.exportSvg(path);
        QFile file(path);
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QByteArray svg = file.readAll();
        QVERIFY(svg.contains("<polyline") || svg.contains("<path"));
        QVERIFY(svg.contains("Loss"));
        QVERIFY2(!svg.contains("<image"), "the curves are drawn, not pasted as a picture");
        monitor.exportEvents(dir.filePath(QStringLiteral("events.out.tfevents.1.x")));
        QVERIFY(QFile(dir.filePath(QStringLiteral("events.out.tfevents.1.x"))).size() > 100);
    }

    void logarithmicStepsAndMarkers() {
        MetricStore store;
        for (int step = 1; step <= 1000; ++step)
            store.append("train/loss", step, 1.0 / step);
        CurvePlot plot(QStringLiteral("Loss"));
        plot.resize(700, 300);
        plot.show();
        plot.setCurves(store, {{CurveStyle{}, "train/loss"}});
        const double linear = plot.viewX(10);
        plot.setLogarithmicSteps(true);
        QVERIFY(plot.viewX(10) > linear + 100);
        // Equal factors, equal ways; and back again.
        QVERIFY(std::abs((plot.viewX(100) - plot.viewX(10)) - (plot.viewX(10) - plot.viewX(1))) <
                1e-6);
        QVERIFY(std::abs(plot.stepAt(plot.viewX(123)) - 123) < 1e-6);
        plot.setMarkers({{100, QStringLiteral("learning rate 0.1")}});
        QCOMPARE(plot.markersAt(plot.viewX(100)),
                 QStringList{QStringLiteral("step 100: learning rate 0.1")});
        QVERIFY(plot.markersAt(plot.viewX(400)).isEmpty());
        QSignalSpy moved(&plot, &CurvePlot::cursorMoved), chosen(&plot, &CurvePlot::stepChosen);
        plot.setCursor(100);
        const int y = int(plot.plotRect().center().y());
        const QPoint handle(int(std::lround(plot.viewX(100))), y);
        QTest::mousePress(plot.viewport(), Qt::LeftButton, {}, handle);
        QTest::mouseMove(plot.viewport(), {int(plot.viewX(200)), y});
        QTest::mouseRelease(plot.viewport(), Qt::LeftButton, {}, {int(plot.viewX(200)), y});
        QVERIFY(moved.count() >= 1);
        QVERIFY(std::abs(moved.back().front().toDouble() - 200) < 5);
        QTest::mouseClick(plot.viewport(), Qt::LeftButton, Qt::ControlModifier,
                          {int(std::lround(plot.viewX(50))), y});
        QCOMPARE(chosen.count(), 1);
        QVERIFY(std::abs(chosen.front().front().toDouble() - 50) < 2);
    }

    void scrubbingTheCurveTravels() {
        Document document;
        TrainSession session(document);
        addClassifier(document, 10);
        MonitorPanel monitor(document, session);
        monitor.resize(900, 360);
        monitor.show();
        finish(session);
        emit monitor.lossPlot()->stepChosen(12);
        QTRY_COMPARE_WITH_TIMEOUT(session.travelStep(), std::int64_t(12), kLong);
        QTRY_COMPARE(monitor.lossPlot()->cursorStep(), 12.0);
        QVERIFY(monitor.findChild<QWidget*>(QStringLiteral("travelBar"))->isVisible());
        monitor.findChild<QToolButton*>(QStringLiteral("travelBack"))->click();
        QVERIFY(!session.isTravelling());
        QVERIFY(std::isnan(monitor.lossPlot()->cursorStep()));
        QVERIFY(!monitor.findChild<QWidget*>(QStringLiteral("travelBar"))->isVisible());
    }
};

QTEST_MAIN(WatchingTest)
#include "watching_test.moc"

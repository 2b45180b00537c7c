// Curves and the monitor: extremes survive, broken numbers do not get in, work is counted instead
// of timed.
#include <QFile>
#include <QImage>
#include <QLabel>
#include <QMouseEvent>
#include <QTemporaryDir>
#include <QToolButton>
#include <QWheelEvent>
#include <QtTest>

#include <cmath>
#include <limits>

#include "engine/core/error.h"
#include "tests/ui/helpers/tiny_graph.h"
#include "ui/monitor/curve_plot.h"
#include "ui/monitor/meters.h"
#include "ui/monitor/monitor_panel.h"

using namespace wiregrad;
using namespace wiregrad::studio;
using namespace wiregrad::studio::testing;

namespace {

CurvePlot::Entry entry(const char* name, bool validation = false) {
    CurveStyle style;
    style.label = validation ? QStringLiteral("validation") : QStringLiteral("train");
    style.dashed = style.dots = validation;
    style.smoothed = !validation;
    return {style, name};
}

struct Plot : CurvePlot {
    Plot() : CurvePlot(QStringLiteral("Loss")) {
        resize(600, 240);
        show();
        QCoreApplication::processEvents();
    }
};

void send(CurvePlot& plot, QEvent::Type type, QPointF at, Qt::MouseButton button,
          Qt::MouseButtons buttons) {
    QMouseEvent event(type, at, plot.viewport()->mapToGlobal(at), button, buttons, Qt::NoModifier);
    QCoreApplication::sendEvent(plot.viewport(), &event);
}

} // namespace

class MonitorTest : public QObject {
    Q_OBJECT

  private slots:
    void oneSpikeAmongManyStepsIsDrawn() {
        MetricStore store;
        constexpr int steps = 200000;
        for (int i = 1; i <= steps; ++i) {
            store.append("train/loss", i,
                         i == 123457  ? 37.0
                         : i == 77777 ? -4.0
                                      : 1 + 0.1 * std::sin(i * 0.01));
        }
        Plot plot;
        plot.setCurves(store, {entry("train/loss")});
        const auto [low, high] = plot.shownValues();
        QVERIFY(high >= 37);
        QVERIFY(low <= -4);
        // A few vertices a pixel, however long the run was.
        QVERIFY(plot.drawnPoints() > 100);
        QVERIFY2(plot.drawnPoints() <= std::size_t(3 * plot.width() + 100),
                 QByteArray::number(qulonglong(plot.drawnPoints())));
        plot.setZoom({123000, 124000});
        QVERIFY(plot.shownValues().second >= 37);
        QVERIFY(plot.shownValues().first > -1); // the other one is out of view
    }

    void brokenNumbersAreCountedNotDrawn() {
        MetricStore store;
        store.append("train/loss", 1, 2.0);
        store.append("train/loss", 2, std::numeric_limits<double>::quiet_NaN());
        store.append("train/loss", 3, std::numeric_limits<double>::infinity());
        store.append("train/loss", 4, 1.0);
        Plot plot;
        plot.setCurves(store, {entry("train/loss")});
        QVERIFY(std::isfinite(plot.shownValues().second));
        QVERIFY(plot.shownValues().second < 10);
        QCOMPARE(plot.lastValue(0), 1.0);
        QCOMPARE(plot.nonFinite(0), std::int64_t(2));
        PlotLegend legend(plot);
        legend.refresh();
        QVERIFY2(legend.texts().first().contains(QStringLiteral("2 not a number")),
                 qPrintable(legend.texts().first()));
        plot.setLogarithmic(true); // values that have no logarithm
        store.append("train/loss", 5, 0.0);
        store.append("train/loss", 6, -3.0);
        plot.refresh();
        QVERIFY(std::isfinite(plot.shownValues().first) && plot.shownValues().first > 0);
        QVERIFY(!plot.grab().isNull());
    }

    void nothingNewIsNoWork() {
        MetricStore store;
        store.append("train/loss", 1, 2.0);
        Plot plot;
        plot.setCurves(store, {entry("train/loss"), entry("validation/loss", true)});
        const std::uint64_t before = plot.resamples();
        for (int i = 0; i < 50; ++i) {
            plot.refresh();
            plot.setCrosshair(i);
        }
        QCOMPARE(plot.resamples(), before);
        store.append("train/loss", 2, 1.5);
        plot.refresh();
        plot.refresh();
        QVERIFY(plot.resamples() > before);
        QVERIFY(plot.resamples() <= before + 2); // once, or twice where labels grew
    }

    void aNewRunStartsAfresh() {
        MetricStore store;
        for (int i = 1; i <= 100; ++i) {
            store.append("train/loss", i, 50.0);
        }
        Plot plot;
        plot.setSmoothing(0.9);
        plot.setCurves(store, {entry("train/loss")});
        QVERIFY(plot.shownValues().second >= 50);
        store.clear();
        plot.refresh();
        QVERIFY(std::isnan(plot.lastValue(0)));
        for (int i = 1; i <= 20; ++i) {
            store.append("train/loss", i, 1.0);
        }
        plot.refresh();
        QVERIFY(plot.shownValues().second < 5);
        plot.setCrosshair(20);
        QVERIFY2(plot.crosshairTexts().first().startsWith(QStringLiteral("train  1  ")),
                 qPrintable(plot.crosshairTexts().first()));
    }

    void smoothingIsAnAverageThatStartsTrue() {
        Ema ema(0.9);
        QCOMPARE(ema.next(5), 5.0); // not 0.5: the past is like the first value
        Ema constant(0.99);
        for (int i = 0; i < 100; ++i) {
            QVERIFY(std::abs(constant.next(3) - 3) < 1e-12);
        }
        // By hand: weights 0.5² · 0.5, 0.5 · 0.5, 0.5 over their sum 0.875.
        Ema half(0.5);
        half.next(1);
        half.next(2);
        QVERIFY(std::abs(half.next(4) - (0.125 * 1 + 0.25 * 2 + 0.5 * 4) / 0.875) < 1e-12);
    }

    void wheelZoomsAboutTheCursor() {
        MetricStore store;
        for (int i = 1; i <= 1000; ++i) {
            store.append("train/loss", i, 1.0 / i);
        }
        Plot plot;
        plot.setCurves(store, {entry("train/loss")});
        const StepRange all = plot.shownSteps();
        const QPointF at(plot.plotRect().left() + plot.plotRect().width() * 0.3,
                         plot.plotRect().center().y());
        const double step = plot.stepAt(at.x());
        for (int i = 0; i < 5; ++i) {
            QWheelEvent event(at, plot.viewport()->mapToGlobal(at), {}, QPoint(0, 120),
                              Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
            QCoreApplication::sendEvent(plot.viewport(), &event);
        }
        const StepRange zoomed = plot.shownSteps();
        QVERIFY(zoomed.to - zoomed.from < 0.4 * (all.to - all.from));
        const double pixel = (zoomed.to - zoomed.from) / plot.plotRect().width();
        QVERIFY2(std::abs(plot.stepAt(at.x()) - step) <= 1.5 * pixel,
                 "the step under the cursor moved");
        send(plot, QEvent::MouseButtonDblClick, at, Qt::LeftButton, Qt::LeftButton);
        QVERIFY(plot.zoom().empty());
        QVERIFY(plot.shownSteps() == all);
    }

    void draggingSelectsSteps() {
        MetricStore store;
        for (int i = 1; i <= 1000; ++i) {
            store.append("train/loss", i, 1.0 / i);
        }
        Plot plot;
        plot.setCurves(store, {entry("train/loss")});
        const double y = plot.plotRect().center().y();
        const QPointF a(plot.viewX(200), y), b(plot.viewX(600), y);
        send(plot, QEvent::MouseButtonPress, a, Qt::LeftButton, Qt::LeftButton);
        send(plot, QEvent::MouseMove, (a + b) / 2, Qt::NoButton, Qt::LeftButton);
        send(plot, QEvent::MouseMove, b, Qt::NoButton, Qt::LeftButton);
        send(plot, QEvent::MouseButtonRelease, b, Qt::LeftButton, Qt::NoButton);
        QVERIFY(std::abs(plot.zoom().from - 200) < 10);
        QVERIFY(std::abs(plot.zoom().to - 600) < 10);
        // A plain click is not a zoom.
        plot.setZoom({});
        send(plot, QEvent::MouseButtonPress, a, Qt::LeftButton, Qt::LeftButton);
        send(plot, QEvent::MouseButtonRelease, a, Qt::LeftButton, Qt::NoButton);
        QVERIFY(plot.zoom().empty());
    }

    void axesFollowTheSize() {
        MetricStore store;
        store.append("train/loss", 1, 2.0);
        Plot plot;
        plot.setCurves(store, {entry("train/loss")});
        const QRgb line = Theme::instance().color(Token::PlotGrid).rgb();
        for (const QSize size : {QSize(600, 240), QSize(320, 400), QSize(900, 160)}) {
            plot.resize(size);
            QCoreApplication::processEvents();
            const QImage picture = plot.grab().toImage();
            const QRectF area = plot.plotRect();
            int longest = 0; // the axis line of the steps lies along the bottom of the plot area
            for (int y = int(area.bottom()) - 2; y <= int(area.bottom()) + 2; ++y) {
                int pixels = 0;
                for (int x = int(area.left()); x < int(area.right()); ++x) {
                    pixels += picture.pixel(x, y) == line;
                }
                longest = std::max(longest, pixels);
            }
            QVERIFY2(longest > 0.9 * area.width(),
                     qPrintable(QStringLiteral("%1 x %2").arg(size.width()).arg(size.height())));
            QVERIFY(area.height() > 0.5 * size.height());
        }
    }

    void crosshairTellsTheValueOfItsStep() {
        MetricStore store;
        for (int i = 1; i <= 10; ++i) {
            store.append("train/loss", i, i * 0.5);
        }
        store.append("validation/loss", 10, 7.25);
        Plot plot;
        plot.setCurves(store, {entry("train/loss"), entry("validation/loss", true)});
        plot.setCrosshair(4.2);
        QCOMPARE(plot.crosshairTexts(),
                 (QStringList{QStringLiteral("train  2"), QStringLiteral("validation  7.25")}));
        plot.setCrosshair(std::nan(""));
        QVERIFY(plot.crosshairTexts().isEmpty());
        plot.setPercent(true);
        QCOMPARE(plot.valueText(0.98254), QStringLiteral("98.25\u00A0%"));
    }

    void aRunIsDrawnCountedAndExported() {
        Document document;
        TrainSession session(document);
        addClassifier(document, 12);
        MonitorPanel panel(document, session);
        panel.resize(1000, 300);
        panel.show();
        session.start();
        QTRY_VERIFY_WITH_TIMEOUT(!session.isActive(), 60000);
        QCOMPARE(session.state(), train::RunState::Finished);
        const Curve* loss = session.metrics().find("train/loss");
        QVERIFY(loss && loss->size() > 50);
        QCOMPARE(panel.lossPlot()->lastValue(0), loss->lastValue());
        QVERIFY(panel.lossPlot()->drawnPoints() >= std::size_t(loss->size()));
        QCOMPARE(panel.metricPlot()->title(), QStringLiteral("Accuracy"));
        QVERIFY(panel.metricPlot()->valueText(1).endsWith(QLatin1Char('%')));
        QStringList captions;
        for (const MeterRow::Meter& meter : panel.findChild<MeterRow*>()->meters()) {
            captions << meter.caption;
            if (meter.caption == QStringLiteral("Epoch")) {
                QCOMPARE(meter.value, QStringLiteral("12 / 12"));
            }
        }
        for (const char* wanted : {"Epoch", "Step", "Loss", "Accuracy", "Learning rate", "Speed",
                                   "Time", "Peak memory"}) {
            QVERIFY2(captions.contains(QString::fromLatin1(wanted)), wanted);
        }

        QTemporaryDir folder;
        panel.exportCsv(folder.filePath(QStringLiteral("run.csv")));
        QFile csv(folder.filePath(QStringLiteral("run.csv")));
        QVERIFY(csv.open(QIODevice::ReadOnly));
        QCOMPARE(csv.readLine().trimmed(), QByteArray("curve,step,value"));
        int rows = 0;
        double last = 0;
        while (!csv.atEnd()) {
            const QList<QByteArray> cells = csv.readLine().trimmed().split(',');
            QCOMPARE(cells.size(), 3);
            if (cells[0] == "train/loss") {
                ++rows;
                last = cells[2].toDouble();
            }
        }
        QCOMPARE(std::int64_t(rows), loss->size());
        QVERIFY(std::abs(last - loss->lastValue()) < 1e-6);
        panel.exportPng(folder.filePath(QStringLiteral("run.png")));
        const QImage picture(folder.filePath(QStringLiteral("run.png")));
        QVERIFY(picture.width() > 1500); // twice the pixels of the screen
        QSet<QRgb> colours;
        for (int x = 0; x < picture.width(); x += 3) {
            for (int y = 0; y < picture.height(); y += 3) {
                colours.insert(picture.pixel(x, y));
            }
        }
        QVERIFY(colours.size() > 10); // something was painted
        QVERIFY_EXCEPTION_THROWN(
            panel.exportCsv(folder.filePath(QStringLiteral("no/such/folder.csv"))), FileError);
        QVERIFY_EXCEPTION_THROWN(
            panel.exportPng(folder.filePath(QStringLiteral("no/such/folder.png"))), FileError);
    }

    void aHiddenMonitorDoesNoWork() {
        Document document;
        TrainSession session(document);
        addClassifier(document, 5);
        MonitorPanel panel(document, session);
        panel.resize(1000, 300);
        QCoreApplication::processEvents(); // the axes find their places
        session.start();
        const std::uint64_t before = panel.lossPlot()->resamples();
        QTRY_VERIFY_WITH_TIMEOUT(!session.isActive(), 60000);
        QCOMPARE(panel.lossPlot()->resamples(), before);
        panel.show(); // and catches up when it is looked at
        QCoreApplication::processEvents();
        QCOMPARE(panel.lossPlot()->lastValue(0), session.metrics().find("train/loss")->lastValue());
    }

    void beforeARunItTeaches() {
        Document document;
        TrainSession session(document);
        MonitorPanel panel(document, session);
        panel.resize(800, 260);
        panel.show();
        bool said = false;
        for (const QLabel* label : panel.findChildren<QLabel*>()) {
            said =
                said || (label->isVisible() && label->text().contains(QStringLiteral("Press Run")));
        }
        QVERIFY(said);
        QVERIFY(!panel.lossPlot()->isVisible());
    }
};

QTEST_MAIN(MonitorTest)
#include "monitor_test.moc"

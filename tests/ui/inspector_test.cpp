// The tensor inspector against tensors whose statistics are known by hand, and its probes.
#include <QComboBox>
#include <QLabel>
#include <QToolButton>
#include <QtTest>

#include <cmath>
#include <limits>

#include "tests/ui/helpers/tiny_graph.h"
#include "ui/inspect/inspector_panel.h"
#include "ui/inspect/tensor_views.h"
#include "ui/theme/theme.h"

using namespace wiregrad;
using namespace wiregrad::studio;
using namespace wiregrad::studio::testing;

namespace {

ProbeRecord recordOf(const std::vector<float>& values, const Shape& shape,
                     ProbeWhat what = ProbeWhat::Activation) {
    ProbeRequest request;
    request.value = {"node", "out", what};
    request.max_elements = 1 << 20;
    return measure(request, Tensor::from(values, shape), 7);
}

std::vector<float> ramp(std::size_t count, float first = 0, float step = 1) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) {
        values[i] = first + step * float(i);
    }
    return values;
}

Focus focusOn(const std::string& node, const std::string& port = {}) {
    return {QString::fromStdString(node), QString::fromStdString(port)};
}

QString stat(const InspectorPanel& panel, const char* name) {
    const auto* label =
        panel.findChild<QLabel*>(QStringLiteral("stat_%1").arg(QString::fromLatin1(name)));
    return label ? label->text() : QStringLiteral("missing");
}

} // namespace

class InspectorTest : public QObject {
    Q_OBJECT

  private slots:
    void statisticsOfAKnownTensor() {
        Document document;
        TrainSession session(document);
        const Classifier net = addClassifier(document, 1);
        // 3 × 4: 0 0 0, 1..8, and -3. Mean 33 / 12, mean square 213 / 12.
        const std::vector<float> values{0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, -3};
        document.setWeights({{net.layer + ".weight", Tensor::from(values, Shape{3, 4})}});
        InspectorPanel panel(document, session);
        panel.resize(340, 700);
        panel.show();
        panel.look(focusOn(net.layer));
        panel.choose({net.layer, "weight", ProbeWhat::Weight});
        const ProbeRecord* shown = panel.shown();
        QVERIFY(shown);
        QCOMPARE(shown->min, -3.0);
        QCOMPARE(shown->max, 8.0);
        QVERIFY(std::abs(shown->mean - 33.0 / 12) < 1e-6);
        QCOMPARE(stat(panel, "shape"), QStringLiteral("3 × 4"));
        QCOMPARE(stat(panel, "type"), QStringLiteral("float32"));
        QCOMPARE(stat(panel, "max"), QStringLiteral("8"));
        QCOMPARE(stat(panel, "mean"), QStringLiteral("2.75"));
        QCOMPARE(stat(panel, "zeros"), QStringLiteral("25.0\u00A0%"));
        QCOMPARE(stat(panel, "broken"), QStringLiteral("none"));
        const double variance = 213.0 / 12 - 2.75 * 2.75;
        // Either definition of the standard deviation; nothing else.
        QVERIFY(std::abs(shown->std - std::sqrt(variance)) < 1e-4 ||
                std::abs(shown->std - std::sqrt(variance * 12 / 11)) < 1e-4);
    }

    void brokenNumbersAreSaid() {
        Document document;
        TrainSession session(document);
        const Classifier net = addClassifier(document, 1);
        const float nan = std::numeric_limits<float>::quiet_NaN(),
                    inf = std::numeric_limits<float>::infinity();
        document.setWeights(
            {{net.layer + ".bias", Tensor::from(std::vector<float>{nan, inf, 2}, Shape{3})}});
        InspectorPanel panel(document, session);
        panel.resize(340, 700);
        panel.show();
        panel.look(focusOn(net.layer));
        panel.choose({net.layer, "bias", ProbeWhat::Weight});
        QVERIFY(panel.shown());
        QCOMPARE(stat(panel, "broken"), QStringLiteral("1 NaN, 1 infinite"));
        QCOMPARE(stat(panel, "min"), QStringLiteral("2"));
        QVERIFY(!panel.grab().isNull()); // painting them does no harm
    }

    void heatMapSaysItsScale() {
        HeatMapView view;
        view.resize(300, 200);
        const float nan = std::numeric_limits<float>::quiet_NaN();
        view.show(recordOf({-2, 0, 4, nan, 1, 2}, Shape{2, 3}));
        QCOMPARE(view.rows(), 2);
        QCOMPARE(view.columns(), 3);
        QCOMPARE(view.scale().kind(), ColourScale::Kind::Diverging);
        QCOMPARE(view.scale().low(), -4.0); // symmetric: zero is in the middle
        QCOMPARE(view.scale().high(), 4.0);
        const Theme& theme = Theme::instance();
        QCOMPARE(view.image().pixel(2, 0), theme.color(Token::HeatHigh).rgb());
        QCOMPARE(view.image().pixel(0, 1),
                 theme.color(Token::Error).rgb()); // NaN is not a colour of the scale
        QVERIFY(view.textAt(QPointF(290, 5)).contains(QStringLiteral("row 0, column 2")));
        QVERIFY(view.textAt(QPointF(290, 5)).endsWith(QStringLiteral("\n4")));
        view.show(recordOf({0, 1, 2, 3}, Shape{2, 2}));
        QCOMPARE(view.scale().kind(), ColourScale::Kind::Sequential);
    }

    void picturesFitTheValue() {
        const auto first = [](const ProbeRecord& record) { return picturesFor(record).at(0); };
        QCOMPARE(first(recordOf({3}, Shape{})), PictureKind::Number);
        QCOMPARE(first(recordOf(ramp(10), Shape{10})), PictureKind::Bars);
        QCOMPARE(first(recordOf(ramp(40), Shape{4, 10})), PictureKind::HeatMap);
        QCOMPARE(first(recordOf(ramp(64), Shape{1, 4, 4, 4})), PictureKind::Images);
        QCOMPARE(first(recordOf(ramp(8), Shape{2, 4, 1, 1})), PictureKind::HeatMap);
        QVERIFY(picturesFor(ProbeRecord{}).empty());
    }

    void tilesAreSamplesChannelsOrFilters() {
        ImageTilesView view;
        view.resize(320, 400);
        view.show(recordOf(ramp(4 * 16), Shape{4, 1, 4, 4})); // a batch of grey pictures
        QCOMPARE(view.tiles(), 4);
        QCOMPARE(view.scale().kind(), ColourScale::Kind::Grey);
        QCOMPARE(view.tile(0).pixel(0, 0), qRgb(0, 0, 0));
        QCOMPARE(view.tile(3).pixel(3, 3), qRgb(255, 255, 255));
        view.show(
            recordOf(ramp(2 * 6 * 16, -50), Shape{2, 6, 4, 4})); // channels of the first sample
        QCOMPARE(view.tiles(), 6);
        QCOMPARE(view.scale().kind(), ColourScale::Kind::Diverging);
        view.show(recordOf(ramp(5 * 2 * 9, -3, 0.1F), Shape{5, 2, 3, 3},
                           ProbeWhat::Weight)); // filters × inputs
        QCOMPARE(view.tiles(), 10);
        QVERIFY(view.textAt(QPointF(5, view.height() / 2)).startsWith(QStringLiteral("filter")));
        view.show(recordOf(ramp(2 * 3 * 16), Shape{2, 3, 4, 4})); // colour pictures
        QCOMPARE(view.tiles(), 2);
        QVERIFY(!view.grab().isNull());
    }

    void histogramCountsUnderTheMouse() {
        HistogramView view;
        view.resize(480, 100);
        std::vector<float> values(100, 0.0F);
        values.back() = 1;
        view.show(recordOf(values, Shape{100}));
        QVERIFY(view.textAt(QPointF(2, 20)).endsWith(QStringLiteral("\n99 values")));
        QVERIFY(view.textAt(QPointF(478, 20)).endsWith(QStringLiteral("\n1 values")));
    }

    void valuesOfANodeAndTheWire() {
        Document document;
        TrainSession session(document);
        const Classifier net = addClassifier(document, 1);
        InspectorPanel panel(document, session);
        panel.show();
        panel.look(focusOn(net.layer));
        QTRY_COMPARE(panel.values().size(),
                     std::size_t(8)); // output, weight, bias, their gradients, and two updates
        panel.look(focusOn(net.data, "y"));
        QCOMPARE(panel.current().name, std::string("y"));
        QCOMPARE(panel.current().what, ProbeWhat::Activation);
        panel.look(focusOn(net.optimizer));
        QVERIFY(panel.values().empty());
        QVERIFY(!panel.isSubscribed());
        document.apply({graph::RemoveNode{net.optimizer}});
        QVERIFY(panel.focus().node.isEmpty());
    }

    void probesEndWhenHidden() {
        Document document;
        TrainSession session(document);
        const Classifier net = addClassifier(document, 100000);
        InspectorPanel panel(document, session);
        panel.resize(340, 700);
        panel.look(focusOn(net.layer));
        QVERIFY(!panel.isSubscribed()); // not visible yet
        panel.show();
        QVERIFY(panel.isSubscribed());
        session.start();
        QTRY_VERIFY_WITH_TIMEOUT(panel.shown() != nullptr, 30000);
        QCOMPARE(panel.shown()->shape[1], std::int64_t(3));
        const std::int64_t step = panel.shown()->step;
        QTRY_VERIFY_WITH_TIMEOUT(panel.shown()->step > step, 30000); // live
        panel.hide();
        QVERIFY(!panel.isSubscribed());
        // The trainer stops probing: after the records on their way nothing more arrives.
        const ValueId value = panel.current();
        QSignalSpy arrivals(&session, &TrainSession::probesArrived);
        const std::int64_t passed = session.progress().step;
        QTRY_VERIFY_WITH_TIMEOUT(session.progress().step > passed + 20, 30000);
        arrivals.clear();
        const std::int64_t last = session.latest(value)->step;
        QTest::qWait(600); // three looks' worth
        QVERIFY(session.progress().step > passed + 20);
        QCOMPARE(arrivals.size(), 0);
        QCOMPARE(session.latest(value)->step, last);
        panel.show();
        QVERIFY(panel.isSubscribed());
        QTRY_VERIFY_WITH_TIMEOUT(panel.shown()->step > last, 30000);
        session.stop();
        QTRY_VERIFY_WITH_TIMEOUT(!session.isActive(), 30000);
    }

    void weightsCanBeReadAfterTheRun() {
        Document document;
        TrainSession session(document);
        const Classifier net = addClassifier(document, 3);
        InspectorPanel panel(document, session);
        session.start();
        QTRY_COMPARE_WITH_TIMEOUT(session.state(), train::RunState::Finished, 60000);
        panel.resize(340, 700);
        panel.show();
        panel.look(focusOn(net.layer));
        panel.choose({net.layer, "weight", ProbeWhat::Weight});
        QTRY_VERIFY(panel.shown() != nullptr);
        double largest = -1e300;
        for (const nn::NamedTensor& weight : document.weights()) {
            if (weight.name == net.layer + ".weight") {
                for (const double value : weight.tensor.to_vector()) {
                    largest = std::max(largest, value);
                }
            }
        }
        QVERIFY(std::abs(panel.shown()->max - largest) < 1e-7);
    }

    void aPinnedInspectorStays() {
        Document document;
        TrainSession session(document);
        const Classifier net = addClassifier(document, 1);
        InspectorPanel panel(document, session);
        panel.show();
        panel.look(focusOn(net.layer));
        QTest::mouseClick(panel.findChild<QToolButton*>(QStringLiteral("inspectorPin")),
                          Qt::LeftButton);
        QVERIFY(panel.isPinned());
        panel.look(focusOn(net.data));
        QCOMPARE(panel.focus(), focusOn(net.layer));
        panel.setPinned(false);
        QCOMPARE(panel.focus(), focusOn(net.data));
    }
};

QTEST_MAIN(InspectorTest)
#include "inspector_test.moc"

// The product's main job in one sitting, with real mouse and key events: LeNet is wired from an
// empty canvas, trained on drawn digits, looked into, undone, saved and opened again.
#include <QLineEdit>
#include <QSignalSpy>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>

#include <set>

#include "ui/canvas/canvas.h"
#include "ui/inspect/inspector_panel.h"
#include "ui/properties/properties_panel.h"
#include "ui/theme/theme.h"
#include "ui/window/main_window.h"
#include "ui/window/run_bar.h"

using namespace wiregrad;
using namespace wiregrad::studio;

namespace {

constexpr int kLong = 300'000;

struct Person {
    MainWindow& window;
    Canvas& canvas = window.canvas();

    QWidget* view() const { return canvas.viewport(); }

    static void move(QWidget* widget, QPoint to, Qt::MouseButtons buttons) {
        QMouseEvent event(QEvent::MouseMove, to, widget->mapToGlobal(to), Qt::NoButton, buttons,
                          Qt::NoModifier);
        QCoreApplication::sendEvent(widget, &event);
    }

    /// Double-click on empty canvas, type, Enter. The new node's id.
    std::string add(const QString& text, QPoint at) {
        std::set<std::string> before;
        for (const auto& [id, node] : window.document().graph().nodes())
            before.insert(id);
        move(view(), at, Qt::NoButton);
        QTest::mouseDClick(view(), Qt::LeftButton, {}, at);
        auto* field = window.findChild<QLineEdit*>("canvas.search.field");
        if (!field || !field->isVisible()) return {};
        QTest::keyClicks(field, text);
        QTest::keyClick(field, Qt::Key_Return);
        for (const auto& [id, node] : window.document().graph().nodes())
            if (!before.count(id)) return id;
        return {};
    }

    void click(const std::string& node) {
        const QPoint at = canvas.nodeCentre(QString::fromStdString(node)).toPoint();
        move(view(), at, Qt::NoButton);
        QTest::mouseClick(view(), Qt::LeftButton, {}, at);
    }

    /// Types a value into the property's field of the selected node.
    bool set(const std::string& node, const char* param, const QString& text) {
        click(node);
        auto* properties = window.findChild<PropertiesPanel*>();
        auto* field = properties->findChild<QLineEdit*>(QStringLiteral("param_") + param);
        if (!field) return false;
        field->setFocus();
        field->selectAll();
        QTest::keyClicks(field, text);
        QTest::keyClick(field, Qt::Key_Return);
        return true;
    }

    /// Drags from an output port to an input port.
    bool wire(const std::string& from, const std::string& fromPort, const std::string& to,
              const std::string& toPort) {
        const auto count = window.document().graph().wires().size();
        const QPoint a =
            canvas
                .portPosition(QString::fromStdString(from), QString::fromStdString(fromPort), true)
                .toPoint();
        const QPoint b =
            canvas.portPosition(QString::fromStdString(to), QString::fromStdString(toPort), false)
                .toPoint();
        move(view(), a, Qt::NoButton);
        QTest::mousePress(view(), Qt::LeftButton, {}, a);
        for (int i = 1; i <= 6; ++i)
            move(view(), a + (b - a) * i / 6, Qt::LeftButton);
        QTest::mouseRelease(view(), Qt::LeftButton, {}, b);
        return window.document().graph().wires().size() == count + 1;
    }
};

} // namespace

class LenetTest : public QObject {
    Q_OBJECT

  private slots:
    void initTestCase() {
        QStandardPaths::setTestModeEnabled(true);
        Theme::instance().apply("dark");
    }

    void wireTrainInspectUndoSaveReload() {
        QTemporaryDir folder;
        MainWindow window(folder.filePath("recovery"));
        window.resize(2400, 1300);
        window.show();
        QVERIFY(QTest::qWaitForWindowExposed(&window));
        QTRY_VERIFY(window.canvas().viewport()->width() > 1500);
        window.canvas().setZoom(1.0, window.canvas().viewport()->rect().center());
        const std::string empty = graph::to_text(window.document().graph());
        Person person{window};
        const auto place = [](int column, int row) {
            return QPoint(40 + 250 * column, 60 + 210 * row);
        };

        // --- wire it
        const std::string data = person.add("dataset", place(0, 0));
        QCOMPARE(window.document().graph().nodes().size(), std::size_t(1));
        const std::string conv1 = person.add("conv2d", place(1, 0)),
                          relu1 = person.add("relu", place(2, 0));
        const std::string pool1 = person.add("maxpool2d", place(3, 0)),
                          conv2 = person.add("conv2d", place(4, 0));
        const std::string relu2 = person.add("relu", place(0, 1)),
                          pool2 = person.add("maxpool2d", place(1, 1));
        const std::string flat = person.add("flatten", place(2, 1)),
                          fc1 = person.add("fc", place(3, 1)); // a synonym
        const std::string relu3 = person.add("relu", place(4, 1)),
                          fc2 = person.add("linear", place(0, 2));
        const std::string relu4 = person.add("relu", place(1, 2)),
                          fc3 = person.add("linear", place(2, 2));
        const std::string loss = person.add("crossentropy", place(3, 2)),
                          metric = person.add("accuracy", place(3, 3));
        const std::string sgd = person.add("sgd", place(4, 2));
        const auto& graph = window.document().graph();
        QCOMPARE(graph.nodes().size(), std::size_t(16));
        QCOMPARE(graph.node(fc1)->type, std::string("Linear"));
        QCOMPARE(graph.node(loss)->type, std::string("CrossEntropyLoss"));

        QVERIFY(person.set(data, "samples", "640"));
        QVERIFY(person.set(conv1, "out_channels", "6"));
        QVERIFY(person.set(conv1, "kernel_size", "5"));
        QVERIFY(person.set(conv1, "padding", "2"));
        QVERIFY(person.set(conv2, "out_channels", "4*4")); // sums are understood
        QVERIFY(person.set(conv2, "kernel_size", "5"));
        QVERIFY(person.set(conv2, "padding", "0"));
        QVERIFY(person.set(fc1, "out_features", "120"));
        QVERIFY(person.set(fc2, "out_features", "84"));
        QVERIFY(person.set(fc3, "out_features", "10"));
        QVERIFY(person.set(sgd, "lr", "0.02"));
        QVERIFY(person.set(sgd, "momentum", "0.9"));
        QCOMPARE(std::get<std::int64_t>(graph.node(conv2)->params.at("out_channels")),
                 std::int64_t(16));
        QCOMPARE(std::get<double>(graph.node(sgd)->params.at("momentum")), 0.9);

        const std::vector<std::string> chain = {data, conv1, relu1, pool1, conv2, relu2, pool2,
                                                flat, fc1,   relu3, fc2,   relu4, fc3,   loss};
        for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
            const std::string out = i == 0 ? "x" : "out",
                              in = chain[i + 1] == loss ? "input" : "in";
            QVERIFY2(person.wire(chain[i], out, chain[i + 1], in),
                     (chain[i] + " -> " + chain[i + 1]).c_str());
        }
        QVERIFY(person.wire(data, "y", loss, "target"));
        QVERIFY(person.wire(fc3, "out", metric, "input"));
        QVERIFY(person.wire(data, "y", metric, "target"));
        QVERIFY(person.wire(loss, "loss", sgd, "loss"));
        QCOMPARE(graph.wires().size(), std::size_t(17));
        const graph::Analysis& analysis = window.document().analysis();
        QVERIFY2(analysis.runnable(),
                 analysis.problems.empty() ? "" : analysis.problems.front().text.c_str());
        QCOMPARE(analysis.weights, std::int64_t(61'706)); // LeNet's well-known number
        QVERIFY(window.totalsText().contains("61,706"));
        QCOMPARE(analysis.nodes.at(pool2).output_text, std::string("N × 16 × 5 × 5"));

        // --- train it
        graph::Training training = graph.training();
        training.epochs = 1000;
        training.batch_size = 32;
        QVERIFY(window.document().apply({graph::SetTraining{training}}));
        const std::string wired = graph::to_text(graph);
        QTest::keyClick(&window, Qt::Key_Return, Qt::ControlModifier);
        QVERIFY(window.session().isActive());
        const auto lossCurve = [&window] { return window.session().metrics().find("train/loss"); };
        QTRY_VERIFY_WITH_TIMEOUT(lossCurve() && lossCurve()->size() > 3, kLong);
        const double first = lossCurve()->sample(0, 10, 100).front().last;
        QVERIFY(first > 2.0 && first < 2.7); // ln 10, nothing learned yet
        QTRY_VERIFY_WITH_TIMEOUT(lossCurve()->lastValue() < 0.5 * first, kLong);
        QVERIFY(window.runBar().progressText().startsWith("Step"));

        // --- look at a filter while it learns
        person.click(conv1);
        auto* inspector = window.findChild<InspectorPanel*>();
        inspector->choose({conv1, "weight", ProbeWhat::Weight});
        QTRY_VERIFY_WITH_TIMEOUT(
            inspector->shown() && inspector->shown()->shape == (Shape{6, 1, 5, 5}), kLong);
        const auto step = inspector->shown()->step;
        QTRY_VERIFY_WITH_TIMEOUT(inspector->shown()->step > step, kLong); // it lives
        QVERIFY(inspector->shown()->min < inspector->shown()->max);
        QTest::keyClick(&window, Qt::Key_Return, Qt::ControlModifier | Qt::AltModifier);
        QTRY_VERIFY_WITH_TIMEOUT(!window.session().isActive(), kLong);
        QVERIFY(!window.document().weights().empty());

        // --- undo all, redo all
        int steps = 0;
        while (window.document().undoStack().canUndo()) {
            window.actions().action("edit.undo")->trigger();
            QVERIFY(++steps < 200);
        }
        QCOMPARE(graph::to_text(graph), empty);
        while (window.document().undoStack().canRedo())
            window.actions().action("edit.redo")->trigger();
        QCOMPARE(graph::to_text(graph), wired);

        // --- save, open elsewhere
        const QString path = folder.filePath("mine.wiregrad");
        window.document().save(path);
        QVERIFY(!window.isWindowModified());
        MainWindow other(folder.filePath("recovery2"));
        QVERIFY(other.openFile(path));
        QCOMPARE(graph::to_text(other.document().graph()), wired);
        std::vector<double> saved, loaded;
        for (const auto& weight : window.document().weights())
            if (weight.name == conv1 + ".weight") saved = weight.tensor.to_vector();
        for (const auto& weight : other.document().weights())
            if (weight.name == conv1 + ".weight") loaded = weight.tensor.to_vector();
        QCOMPARE(saved.size(), std::size_t(150));
        QCOMPARE(loaded, saved);
    }
};

QTEST_MAIN(LenetTest)
#include "lenet_test.moc"

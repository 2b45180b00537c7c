// The product's main job without a mouse and without eyes: LeNet is wired and trained with keys
// alone in the outline, and read back through the accessible tree that a screen reader sees.
#include <QAccessible>
#include <QLineEdit>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>
#include <QTreeWidget>

#include <set>

#include "ui/canvas/canvas.h"
#include "ui/outline/outline_panel.h"
#include "ui/theme/theme.h"
#include "ui/window/main_window.h"

using namespace wiregrad;
using namespace wiregrad::studio;

namespace {

constexpr int kLong = 120'000;

QStringList namesOf(QAccessibleInterface* parent) {
    QStringList names;
    for (int i = 0; i < parent->childCount(); ++i)
        if (QAccessibleInterface* child = parent->child(i)) names << child->text(QAccessible::Name);
    return names;
}

/// Presses keys where the focus is, as a keyboard does.
struct Keyboard {
    MainWindow& window;

    static void press(Qt::Key key, Qt::KeyboardModifiers modifiers = {}) {
        QWidget* focus = QApplication::focusWidget();
        QTest::keyClick(focus, key, modifiers);
    }
    static void type(const QString& text) {
        QTest::keyClicks(QApplication::focusWidget(), text);
        press(Qt::Key_Return);
    }
    void outline() const { press(Qt::Key_O, Qt::ControlModifier | Qt::ShiftModifier); }

    /// Adds behind what is chosen; the new node's id.
    std::string add(const QString& text) const {
        std::set<std::string> before;
        for (const auto& [id, node] : window.document().graph().nodes())
            before.insert(id);
        outline();
        press(Qt::Key_Insert);
        type(text);
        for (const auto& [id, node] : window.document().graph().nodes())
            if (!before.count(id)) return id;
        return {};
    }
    /// Goes to the row of a node by its keys, or below it to one of its ports.
    void go(const std::string& node, const QString& port = {}) const {
        outline();
        auto* tree = window.findChild<QTreeWidget*>("outline.tree");
        press(Qt::Key_Home);
        const auto at = [&](const QString& text) {
            return tree->currentItem() && tree->currentItem()->text(0).startsWith(text);
        };
        for (int i = 0; i < 200 && !at(QString::fromStdString(node)); ++i)
            press(Qt::Key_Down);
        if (port.isEmpty()) return;
        press(Qt::Key_Right);
        for (int i = 0; i < 20 && !at(port + ' '); ++i)
            press(Qt::Key_Down);
    }
    void connect(const std::string& from, const QString& port, const QString& to) const {
        go(from, port);
        press(Qt::Key_C);
        type(to);
    }
    /// Sets the n-th setting of the chosen node, found by its field's name.
    bool set(const std::string& node, const char* param, const QString& text) const {
        go(node);
        press(Qt::Key_F4);
        const QString wanted = QStringLiteral("param_") + param;
        for (int i = 0; i < 60; ++i) {
            QWidget* focus = QApplication::focusWidget();
            if (focus && focus->objectName() == wanted) {
                press(Qt::Key_A, Qt::ControlModifier);
                type(text);
                return true;
            }
            press(Qt::Key_Tab);
        }
        return false;
    }
};

} // namespace

class KeyboardTest : public QObject {
    Q_OBJECT

  private slots:
    void initTestCase() {
        QStandardPaths::setTestModeEnabled(true);
        Theme::instance().apply("dark");
    }

    void UX_61_lenetIsBuiltAndTrainedWithKeysAlone() {
        QTemporaryDir folder;
        MainWindow window(folder.filePath("recovery"));
        window.resize(1600, 1000);
        window.show();
        QVERIFY(QTest::qWaitForWindowExposed(&window));
        window.activateWindow();
        window.canvas().setFocus();
        QTRY_VERIFY(QApplication::focusWidget() != nullptr);
        const Keyboard keys{window};
        const auto& graph = window.document().graph();

        std::vector<std::string> chain;
        for (const char* text :
             {"dataset", "conv2d", "relu", "maxpool2d", "conv2d", "relu", "maxpool2d", "flatten",
              "linear", "relu", "linear", "relu", "linear", "crossentropy"}) {
            chain.push_back(keys.add(text));
            QVERIFY2(!chain.back().empty(), text);
        }
        const std::string loss = chain.back(), last = chain[chain.size() - 2], data = chain[0];
        const std::string sgd = keys.add("sgd"); // behind the loss, wired
        QCOMPARE(graph.wires_into(sgd).size(), std::size_t(1));
        keys.connect(data, "y", QString::fromStdString(loss + ".target"));
        keys.go(last);
        const std::string accuracy = keys.add("accuracy");
        QCOMPARE(graph.wires_into(accuracy).size(), std::size_t(1));
        keys.connect(data, "y", QString::fromStdString(accuracy + ".target"));

        QVERIFY(keys.set(data, "samples", "2000"));
        QVERIFY(keys.set(chain[1], "out_channels", "6"));
        QVERIFY(keys.set(chain[1], "kernel_size", "5"));
        QVERIFY(keys.set(chain[1], "padding", "2"));
        QVERIFY(keys.set(chain[4], "out_channels", "16"));
        QVERIFY(keys.set(chain[4], "kernel_size", "5"));
        QVERIFY(keys.set(chain[4], "padding", "0"));
        QVERIFY(keys.set(chain[8], "out_features", "120"));
        QVERIFY(keys.set(chain[10], "out_features", "84"));
        QVERIFY(keys.set(last, "out_features", "10"));
        QVERIFY(keys.set(sgd, "lr", "0.02"));
        QVERIFY(keys.set(sgd, "momentum", "0.9"));
        const graph::Analysis& analysis = window.document().analysis();
        QVERIFY2(analysis.runnable(),
                 analysis.problems.empty() ? "" : analysis.problems.front().text.c_str());
        QCOMPARE(analysis.weights, std::int64_t(61'706)); // LeNet's well-known number

        // What a screen reader is told.
        QAccessibleInterface* canvas = QAccessible::queryAccessibleInterface(&window.canvas());
        QVERIFY(canvas);
        QCOMPARE(canvas->childCount(), int(graph.nodes().size() + graph.wires().size()));
        const QStringList names = namesOf(canvas);
        const QString conv = QString::fromStdString(chain[1]);
        QVERIFY2(names.contains(conv + ", Conv2d"), qPrintable(names.join("; ")));
        QVERIFY(
            names.contains(QStringLiteral("Wire from %1.y to %2.target")
                               .arg(QString::fromStdString(data), QString::fromStdString(loss))));
        QAccessibleInterface* node = canvas->child(int(names.indexOf(conv + ", Conv2d")));
        QVERIFY(node->text(QAccessible::Description).contains("156 weights"));
        QCOMPARE(namesOf(node).first(),
                 QStringLiteral("Input in from %1.x").arg(QString::fromStdString(data)));
        QVERIFY(node->parent() == canvas);
        QVERIFY(node->rect().isValid());
        QAccessibleInterface* tree =
            QAccessible::queryAccessibleInterface(window.findChild<QTreeWidget*>("outline.tree"));
        QVERIFY(tree && tree->childCount() > 15);

        // Trained and stopped with keys, too.
        QTest::keyClick(QApplication::focusWidget(), Qt::Key_Return, Qt::ControlModifier);
        QVERIFY(window.session().isActive());
        const auto curve = [&window] { return window.session().metrics().find("train/loss"); };
        QTRY_VERIFY_WITH_TIMEOUT(curve() && curve()->size() > 3, kLong);
        const double first = curve()->sample(0, 10, 100).front().last;
        QVERIFY(first > 2.0 && first < 2.7); // ln 10, nothing learned yet
        QTRY_VERIFY_WITH_TIMEOUT(curve()->lastValue() < 0.7 * first, kLong);
        QTest::keyClick(&window, Qt::Key_Return, Qt::ControlModifier | Qt::AltModifier);
        QTRY_VERIFY_WITH_TIMEOUT(!window.session().isActive(), kLong);
    }

    void UX_61_portsAreConnectedThroughTheAccessibleTree() {
        QTemporaryDir folder;
        MainWindow window(folder.filePath("recovery"));
        window.resize(1200, 800);
        window.show();
        const auto add = [&](const char* type) {
            graph::Node node = graph::make_node(window.document().graph(), type, {});
            const std::string id = node.id;
            [&] { QVERIFY(window.document().apply({graph::AddNode{node}})); }();
            return id;
        };
        const std::string a = add("Linear"), b = add("ReLU");
        QAccessibleInterface* canvas = QAccessible::queryAccessibleInterface(&window.canvas());
        const auto port = [&](const std::string& node, const char* start) {
            QAccessibleInterface* found = nullptr;
            for (int i = 0; i < canvas->childCount(); ++i)
                if (canvas->child(i)
                        ->text(QAccessible::Name)
                        .startsWith(QString::fromStdString(node)))
                    for (int k = 0; k < canvas->child(i)->childCount(); ++k)
                        if (canvas->child(i)->child(k)->text(QAccessible::Name).startsWith(start))
                            found = canvas->child(i)->child(k);
            return found;
        };
        QAccessibleInterface *out = port(a, "Output"), *in = port(b, "Input");
        QVERIFY(out && in);
        out->actionInterface()->doAction("connect");
        in->actionInterface()->doAction("connect");
        QCOMPARE(window.document().graph().wires().size(), std::size_t(1));
        QCOMPARE(in->text(QAccessible::Name),
                 QString::fromStdString("Input in from " + a + ".out"));
        QVERIFY(window.document().apply({graph::RemoveNode{b}}));
        QVERIFY(!in->isValid()); // of a node that is gone
        QCOMPARE(in->text(QAccessible::Name), QString());
    }

    void UX_61_theOutlineRenamesRemovesAndReorders() {
        QTemporaryDir folder;
        MainWindow window(folder.filePath("recovery"));
        window.resize(1400, 900);
        window.show();
        QVERIFY(QTest::qWaitForWindowExposed(&window));
        window.activateWindow();
        window.canvas().setFocus();
        QTRY_VERIFY(QApplication::focusWidget() != nullptr);
        const Keyboard keys{window};
        const auto& graph = window.document().graph();
        const std::string in = keys.add("input"), first = keys.add("linear"),
                          second = keys.add("relu"), third = keys.add("linear");
        keys.go(second);
        Keyboard::press(Qt::Key_Up, Qt::AltModifier);
        QCOMPARE(graph.wires_into(second).front().from, in);
        QCOMPARE(graph.wires_into(first).front().from, second);
        QCOMPARE(graph.wires_into(third).front().from, first);
        QVERIFY(window.document().undo()); // one step
        QCOMPARE(graph.wires_into(second).front().from, first);
        keys.go(third);
        Keyboard::press(Qt::Key_F2);
        QTRY_VERIFY(qobject_cast<QLineEdit*>(QApplication::focusWidget()));
        Keyboard::press(Qt::Key_A, Qt::ControlModifier);
        Keyboard::type("Head");
        QTRY_COMPARE(graph.node(third)->name, std::string("Head")); // the editor closes later
        keys.go(second);
        Keyboard::press(Qt::Key_Delete);
        QVERIFY(!graph.node(second));
    }
};

QTEST_MAIN(KeyboardTest)
#include "keyboard_test.moc"

// The canvas with real mouse and key events: each line of the checklist has a test of its name.
// Asserted are the graph and the undo stack, not the picture.
#include <QClipboard>
#include <QGuiApplication>
#include <QLineEdit>
#include <QMenu>
#include <QSignalSpy>
#include <QStandardPaths>
#include <QTemporaryDir>

#include <cmath>
#include <random>

#include "session/settings.h"
#include "tests/ui/helpers/canvas_rig.h"
#include "ui/canvas/canvas_style.h"
#include "ui/theme/theme.h"

using namespace wiregrad;
using namespace wiregrad::studio;

namespace {

/// Dataset -> Flatten -> Linear, the rest loose: enough to wire.
struct Small : CanvasRig {
    std::string data, flat, linear, relu;
    Small() {
        data = add("Dataset", 0, 0);
        flat = add("Flatten", 300, 0);
        linear = add("Linear", 600, 0);
        relu = add("ReLU", 300, 250);
        wire(data, "x", flat, "in");
        wire(flat, "out", linear, "in");
        home();
    }
};

} // namespace

class CanvasTest : public QObject {
    Q_OBJECT

  private slots:
    void init() {
        Settings::setValue(QStringLiteral("canvas/gridSnap"), QStringLiteral("false"));
        Settings::setValue(QStringLiteral("canvas/wheel"), QStringLiteral("zoom"));
        Settings::setValue(QStringLiteral("canvas/minimap"), QStringLiteral("false"));
    }

    // --- navigation

    void UX_01_middleSpaceAndRightDragPan() {
        Small rig;
        const int steps = rig.steps();
        const QPointF before = rig.centre(rig.flat);
        rig.drag({500, 500}, {460, 530}, {}, Qt::MiddleButton);
        QCOMPARE(rig.centre(rig.flat), before + QPointF(-40, 30));
        QTest::keyPress(rig.canvas, Qt::Key_Space);
        rig.drag({500, 500}, {540, 470});
        QTest::keyRelease(rig.canvas, Qt::Key_Space);
        QCOMPARE(rig.centre(rig.flat), before);
        rig.drag({500, 600}, {600, 600}, {}, Qt::RightButton);
        QVERIFY(std::abs(rig.centre(rig.flat).x() - before.x() - 100) <=
                20); // starts after the first pixels
        QVERIFY(!rig.canvas->findChild<QMenu*>(QStringLiteral("canvas.menu")));
        QCOMPARE(rig.steps(), steps);
        QVERIFY(rig.scene().chosenNodes().empty());
    }

    void UX_02_wheelZoomsAboutTheCursor() {
        Small rig;
        const QPointF cursor(333, 271);
        const QPointF point = rig.sceneAt(cursor);
        for (const int turn : {120, 120, 120, -120, -240, 120, -480, 360, 15, -7, 120}) {
            rig.wheel(cursor, turn);
            const QPointF now = rig.view(point);
            QVERIFY2(std::abs(now.x() - cursor.x()) <= 1 && std::abs(now.y() - cursor.y()) <= 1,
                     qPrintable(QStringLiteral("%1, %2 at %3")
                                    .arg(now.x())
                                    .arg(now.y())
                                    .arg(rig.canvas->zoom())));
        }
    }

    void UX_03_wheelMayScroll() {
        Settings::setValue(QStringLiteral("canvas/wheel"), QStringLiteral("scroll"));
        Small rig;
        const QPointF before = rig.centre(rig.flat);
        rig.wheel({300, 300}, -120);
        QCOMPARE(rig.canvas->zoom(), 1.0);
        QVERIFY(rig.centre(rig.flat).y() < before.y());
        rig.wheel({300, 300}, 120, Qt::ControlModifier);
        QVERIFY(rig.canvas->zoom() > 1);
    }

    void UX_04_zoomStaysFiniteUnderFuzz() {
        Small rig;
        std::mt19937 random(7);
        const auto pick = [&](int low, int high) {
            return std::uniform_int_distribution<int>(low, high)(random);
        };
        for (int i = 0; i < 10000; ++i) {
            const QPointF at(pick(-50, 1100), pick(-50, 800));
            switch (pick(0, 7)) {
            case 0:
                if (i % 20 == 0) rig.window.resize(pick(1, 1200), pick(1, 900));
                break;
            case 1:
                rig.canvas->fitAll();
                break;
            case 2:
                rig.canvas->fitSelection();
                break;
            case 3:
                rig.canvas->setZoom(std::pow(10.0, pick(-300, 300)), at);
                break;
            case 4:
                rig.canvas->setZoom(i % 2 ? std::nan("") : INFINITY, at);
                break;
            case 5:
                rig.canvas->setZoom(-1, {std::nan(""), 0});
                break;
            default:
                rig.wheel(at, pick(-100000, 100000));
                break;
            }
            const double zoom = rig.canvas->zoom();
            QVERIFY(std::isfinite(zoom) && zoom >= 0.1 && zoom <= 4.0);
            const QPointF centre = rig.centre(rig.flat);
            QVERIFY(std::isfinite(centre.x()) && std::isfinite(centre.y()));
        }
        rig.window.resize(1000, 700);
        QApplication::processEvents();
        rig.canvas->fitAll();
        QVERIFY(QRectF(rig.canvas->viewport()->rect()).contains(rig.centre(rig.relu)));
    }

    void UX_05_homeDotAndCtrl1() {
        Small rig;
        rig.drag({500, 500}, {-3000, 500}, {}, Qt::MiddleButton);
        rig.key(Qt::Key_Home);
        for (const auto& id : {rig.data, rig.flat, rig.linear, rig.relu})
            QVERIFY(QRectF(rig.canvas->viewport()->rect()).contains(rig.centre(id)));
        rig.canvas->select({QString::fromStdString(rig.relu)});
        rig.key(Qt::Key_Period);
        QVERIFY(
            QLineF(rig.centre(rig.relu), QRectF(rig.canvas->viewport()->rect()).center()).length() <
            20);
        rig.canvas->setZoom(2.5, {10, 10});
        rig.key(Qt::Key_1, Qt::ControlModifier);
        QCOMPARE(rig.canvas->zoom(), 1.0);

        CanvasRig empty;
        const QPointF before = empty.view({0, 0});
        empty.key(Qt::Key_Home);
        empty.key(Qt::Key_Period);
        QCOMPARE(empty.view({0, 0}), before);
    }

    void UX_06_minimapMovesTheView() {
        Small rig;
        rig.actions.action(QStringLiteral("view.minimap"))->trigger();
        auto* map = rig.canvas->findChild<QWidget*>(QStringLiteral("canvas.minimap"));
        QVERIFY(map && map->isVisible());
        const QPointF before = rig.centre(rig.flat);
        QTest::mouseClick(map, Qt::LeftButton, {}, {map->width() - 20, map->height() / 2});
        QVERIFY(rig.centre(rig.flat).x() < before.x());
        rig.actions.action(QStringLiteral("view.minimap"))->trigger();
        QVERIFY(!map->isVisible());
    }

    void UX_07_panAndZoomWhileWiring() {
        Small rig;
        const QPointF from = rig.port(rig.data, "x", true);
        rig.press(from);
        rig.moveTo(from, {500, 450});
        QTest::keyPress(rig.canvas, Qt::Key_Space);
        rig.moveTo({500, 450}, {540, 470});
        QTest::keyRelease(rig.canvas, Qt::Key_Space);
        QCOMPARE(rig.port(rig.data, "x", true), from + QPointF(40, 20));
        rig.wheel({540, 470}, -120);
        QVERIFY(rig.canvas->zoom() < 1);
        const QPointF to = rig.port(rig.relu, "in", false);
        rig.moveTo({540, 470}, to);
        rig.release(to);
        QVERIFY(rig.wired(rig.data, "x", rig.relu, "in"));
    }

    void UX_08_draggingNearTheEdgeScrolls() {
        Small rig;
        const double left = rig.sceneAt({0, 0}).x();
        const QPointF from = rig.centre(rig.relu);
        rig.press(from);
        rig.moveTo(from, {990, 400});
        QTRY_VERIFY(rig.sceneAt({0, 0}).x() > left + 50);
        rig.release({990, 400});
        QVERIFY(rig.graph().node(rig.relu)->position.x > 300 + (990 - from.x()));
        QCOMPARE(rig.disagreement(), QString());
    }

    void UX_09_viewIsRestoredAndNoStep() {
        QTemporaryDir dir;
        const QString path = dir.filePath(QStringLiteral("a.wiregrad"));
        QPointF seen;
        double zoom = 0;
        {
            Small rig;
            rig.document.save(path);
            const int steps = rig.steps();
            rig.wheel({200, 200}, 240);
            rig.drag({500, 500}, {420, 470}, {}, Qt::MiddleButton);
            QCOMPARE(rig.steps(), steps);
            QVERIFY(!rig.document.isModified());
            seen = rig.sceneAt(QRectF(rig.canvas->viewport()->rect()).center());
            zoom = rig.canvas->zoom();
        }
        CanvasRig rig;
        rig.document.load(path);
        QApplication::processEvents();
        QVERIFY(std::abs(rig.canvas->zoom() - zoom) < 1e-4);
        QVERIFY(
            QLineF(rig.sceneAt(QRectF(rig.canvas->viewport()->rect()).center()), seen).length() <
            2);
    }

    // --- adding

    void UX_10_tabShiftADoubleClickOpenSearchAtTheCursor() {
        for (int way = 0; way < 3; ++way) {
            CanvasRig rig;
            rig.home();
            rig.hover({420, 310});
            if (way == 0)
                rig.key(Qt::Key_Tab);
            else if (way == 1)
                rig.key(Qt::Key_A, Qt::ShiftModifier);
            else
                rig.doubleClick({420, 310});
            QVERIFY(rig.search().isOpen());
            rig.type(QStringLiteral("conv2d"));
            rig.key(Qt::Key_Return);
            QVERIFY(!rig.search().isOpen());
            QCOMPARE(rig.graph().nodes().size(), 1u);
            QCOMPARE(rig.graph().nodes().begin()->second.type, std::string("Conv2d"));
            QCOMPARE(rig.steps(), 1);
            const NodeItem* item = rig.scene().nodeAt(rig.sceneAt({420, 310}));
            QVERIFY2(item, "the node lies under the cursor");
            QCOMPARE(rig.canvas->selectedNodes().size(), 1u);
        }
    }

    void UX_11_typingOpensSearchWithTheLetter() {
        CanvasRig rig;
        rig.hover({420, 310});
        rig.key(Qt::Key_C);
        QVERIFY(rig.search().isOpen());
        QCOMPARE(rig.search().field()->text(), QStringLiteral("c"));
        rig.type(QStringLiteral("onv"));
        QCOMPARE(rig.search().field()->text(), QStringLiteral("conv"));
        rig.key(Qt::Key_Escape);
        QVERIFY(!rig.search().isOpen());
        rig.key(Qt::Key_M); // a shortcut, not a search
        QVERIFY(!rig.search().isOpen());
    }

    void UX_12_searchKnowsSynonymsAndRecents() {
        CanvasRig rig;
        for (const auto& [word, type] : {std::pair("fc", "Linear"),
                                         {"dense", "Linear"},
                                         {"cnn", "Conv2d"},
                                         {"relu", "ReLU"}}) {
            rig.canvas->openSearch({300, 300}, QString::fromLatin1(word));
            QVERIFY(!rig.search().shownTypes().isEmpty());
            QCOMPARE(rig.search().shownTypes().front(), QString::fromLatin1(type));
            rig.key(Qt::Key_Escape);
        }
        rig.canvas->openSearch({300, 300}, QStringLiteral("flatten"));
        rig.key(Qt::Key_Return);
        rig.canvas->openSearch({300, 300});
        QCOMPARE(rig.search().shownTypes().front(), QStringLiteral("Flatten"));
        const QString second = rig.search().shownTypes().at(1);
        rig.key(Qt::Key_Down);
        rig.key(Qt::Key_Down);
        rig.key(Qt::Key_Up);
        rig.key(Qt::Key_Return);
        QCOMPARE(rig.graph().nodes().size(), 2u);
        bool found = false;
        for (const auto& [id, node] : rig.graph().nodes())
            found = found || QString::fromStdString(node.type) == second;
        QVERIFY(found);
        rig.canvas->openSearch({300, 300}, QStringLiteral("zzzz"));
        QVERIFY(rig.search().shownTypes().isEmpty());
        rig.key(Qt::Key_Return); // nothing to choose: stays open
        QVERIFY(rig.search().isOpen());
        rig.key(Qt::Key_Escape);
        QCOMPARE(rig.graph().nodes().size(), 2u);
        QVERIFY(rig.canvas->hasFocus());
    }

    void UX_14_shiftEnterWiresToTheSelection() {
        Small rig;
        rig.canvas->select({QString::fromStdString(rig.linear)});
        const int steps = rig.steps();
        rig.canvas->openSearch({500, 500}, QStringLiteral("relu"));
        rig.key(Qt::Key_Return, Qt::ShiftModifier);
        const auto wires = rig.graph().wires_out_of(rig.linear);
        QCOMPARE(wires.size(), 1u);
        QCOMPARE(rig.graph().node(wires.front().to)->type, std::string("ReLU"));
        QCOMPARE(rig.steps(), steps + 1);
    }

    void UX_13_addedAfterTheSelectionWithinAChainGoesBetween() {
        Small rig;
        rig.canvas->select({QString::fromStdString(rig.flat)});
        const int steps = rig.steps();
        rig.canvas->addNode(QStringLiteral("ReLU"), {}, true);
        QCOMPARE(rig.steps(), steps + 1);
        const auto out = rig.graph().wires_out_of(rig.flat);
        QCOMPARE(out.size(), 1u);
        const std::string fresh = out.front().to;
        QCOMPARE(rig.graph().node(fresh)->type, std::string("ReLU"));
        QVERIFY(rig.wired(fresh, "out", rig.linear, "in"));
        QCOMPARE(rig.canvas->selectedNodes(), std::set<QString>{QString::fromStdString(fresh)});
        // Room was made: nothing overlaps.
        const auto box = [&](const std::string& id) {
            return rig.scene().node(id)->body().translated(rig.scene().node(id)->pos());
        };
        QVERIFY(!box(fresh).intersects(box(rig.linear)));
        QCOMPARE(rig.disagreement(), QString());
    }

    // --- wiring

    void UX_16_dragEitherWayAndClickClick() {
        {
            Small rig;
            const int steps = rig.steps();
            rig.drag(rig.port(rig.data, "x", true), rig.port(rig.relu, "in", false));
            QVERIFY(rig.wired(rig.data, "x", rig.relu, "in"));
            QCOMPARE(rig.steps(), steps + 1);
        }
        {
            Small rig;
            rig.drag(rig.port(rig.relu, "in", false), rig.port(rig.linear, "out", true));
            QVERIFY(rig.wired(rig.linear, "out", rig.relu, "in"));
        }
        {
            Small rig;
            const int steps = rig.steps();
            rig.click(rig.port(rig.linear, "out", true));
            QCOMPARE(rig.steps(), steps);
            rig.hover({400, 400});
            rig.hover(rig.port(rig.relu, "in", false));
            rig.click(rig.port(rig.relu, "in", false));
            QVERIFY(rig.wired(rig.linear, "out", rig.relu, "in"));
            QCOMPARE(rig.steps(), steps + 1);
        }
        {
            Small rig; // Esc ends click-click wiring
            const int steps = rig.steps();
            rig.click(rig.port(rig.linear, "out", true));
            rig.key(Qt::Key_Escape);
            rig.click(rig.port(rig.relu, "in", false));
            rig.key(Qt::Key_Escape);
            QCOMPARE(rig.steps(), steps);
            QCOMPARE(rig.graph().wires().size(), 2u);
        }
    }

    void UX_17_compatiblePortsLightUpAndRefusalsAreSaid() {
        Small rig;
        const std::string sgd = rig.add("SGD", 600, 300);
        const int steps = rig.steps();
        const QPointF from = rig.port(rig.data, "x", true);
        rig.press(from);
        rig.moveTo(from, {450, 420});
        QCOMPARE(rig.scene().node(rig.relu)->port("in", false)->look, PortLook::Lit);
        QCOMPARE(rig.scene().node(sgd)->port("loss", false)->look, PortLook::Faded);
        QCOMPARE(rig.scene().node(rig.relu)->port("out", true)->look, PortLook::Faded);
        rig.moveTo({450, 420}, rig.port(sgd, "loss", false));
        QVERIFY(rig.note().isVisible());
        QCOMPARE(rig.note().tone(), CursorNote::Refused);
        QVERIFY(rig.note().text().contains(QStringLiteral("loss")));
        QVERIFY(rig.note().text().contains(QStringLiteral("tensor")));
        rig.release(rig.port(sgd, "loss", false));
        QCOMPARE(rig.steps(), steps);
        QCOMPARE(rig.scene().node(rig.relu)->port("in", false)->look, PortLook::Normal);
        QVERIFY(!rig.search().isOpen());
    }

    void UX_17_shapeConflictIsSaidAndShiftOverrides() {
        Small rig;
        const std::string conv = rig.add("Conv2d", 600, 300);
        QApplication::processEvents();
        const int steps = rig.steps();
        const QPointF from = rig.port(rig.flat, "out", true), to = rig.port(conv, "in", false);
        rig.press(from);
        rig.moveTo(from, to);
        QCOMPARE(rig.note().tone(), CursorNote::Refused);
        QVERIFY2(rig.note().text().contains(QStringLiteral("4-D")), qPrintable(rig.note().text()));
        rig.release(to);
        QCOMPARE(rig.steps(), steps);
        rig.drag(from, to, Qt::ShiftModifier);
        QVERIFY(rig.wired(rig.flat, "out", conv, "in"));
    }

    void UX_18_snapsAndNodeBodyTakesTheFirstFreePort() {
        {
            Small rig;
            const QPointF near = rig.port(rig.relu, "in", false) - QPointF(12, 5);
            rig.drag(rig.port(rig.data, "x", true), near);
            QVERIFY(rig.wired(rig.data, "x", rig.relu, "in"));
        }
        {
            Small rig; // 20 px away is empty canvas
            rig.drag(rig.port(rig.data, "x", true),
                     rig.port(rig.relu, "in", false) - QPointF(20, 0));
            QVERIFY(!rig.wired(rig.data, "x", rig.relu, "in"));
            QVERIFY(rig.search().isOpen());
            rig.key(Qt::Key_Escape);
        }
        {
            Small rig;
            const std::string loss = rig.add("CrossEntropyLoss", 600, 300);
            rig.drag(rig.port(rig.linear, "out", true), rig.title(loss));
            QVERIFY(rig.wired(rig.linear, "out", loss, "input"));
            rig.drag(rig.port(rig.data, "y", true), rig.title(loss));
            QVERIFY(rig.wired(rig.data, "y", loss, "target"));
            rig.drag(rig.title(loss), rig.title(loss) + QPointF(3, 0)); // a body is not a port
            QCOMPARE(rig.graph().wires().size(), 4u);
        }
    }

    void UX_19_releaseOnEmptyOpensCompatibleSearch() {
        Small rig;
        const int steps = rig.steps();
        rig.drag(rig.port(rig.linear, "out", true), {700, 500});
        QVERIFY(rig.search().isOpen());
        const QStringList offered = rig.search().shownTypes();
        QVERIFY(offered.contains(QStringLiteral("ReLU")));
        QVERIFY(offered.contains(QStringLiteral("CrossEntropyLoss")));
        QVERIFY(!offered.contains(QStringLiteral("Dataset")));
        QVERIFY(!offered.contains(QStringLiteral("SGD")));
        rig.key(Qt::Key_Escape);
        QCOMPARE(rig.steps(), steps);
        QCOMPARE(rig.graph().nodes().size(), 4u);
        QCOMPARE(rig.disagreement(), QString());
        for (QGraphicsItem* item : rig.scene().items())
            QVERIFY2(item->type() == NodeItem::Type || item->type() == WireItem::Type ||
                         !item->isVisible(),
                     "a wire dangles");

        rig.drag(rig.port(rig.linear, "out", true), {700, 500});
        rig.type(QStringLiteral("tanh"));
        rig.key(Qt::Key_Return);
        QCOMPARE(rig.graph().nodes().size(), 5u);
        QCOMPARE(rig.steps(), steps + 1);
        const auto out = rig.graph().wires_out_of(rig.linear);
        QCOMPARE(out.size(), 1u);
        QCOMPARE(rig.graph().node(out.front().to)->type, std::string("Tanh"));
        rig.document.undoStack().undo();
        QCOMPARE(rig.graph().nodes().size(), 4u);
        QCOMPARE(rig.graph().wires().size(), 2u);

        // The other way round: what may feed an input.
        rig.drag(rig.port(rig.relu, "in", false), {200, 600});
        QVERIFY(rig.search().shownTypes().contains(QStringLiteral("Dataset")));
        QVERIFY(!rig.search().shownTypes().contains(QStringLiteral("SGD")));
        rig.key(Qt::Key_Escape);
    }

    void UX_20_droppingOnATakenInputReplacesInOneStep() {
        Small rig;
        const int steps = rig.steps();
        rig.drag(rig.port(rig.data, "x", true), rig.port(rig.linear, "in", false),
                 Qt::ShiftModifier);
        QVERIFY(rig.wired(rig.data, "x", rig.linear, "in"));
        QVERIFY(!rig.wired(rig.flat, "out", rig.linear, "in"));
        QCOMPARE(rig.steps(), steps + 1);
        rig.document.undoStack().undo();
        QVERIFY(rig.wired(rig.flat, "out", rig.linear, "in"));
        QVERIFY(!rig.wired(rig.data, "x", rig.linear, "in"));
        QCOMPARE(rig.disagreement(), QString());
    }

    void UX_21_dragOffATakenInputReroutes() {
        {
            Small rig;
            const int steps = rig.steps();
            rig.drag(rig.port(rig.linear, "in", false), rig.port(rig.relu, "in", false));
            QVERIFY(rig.wired(rig.flat, "out", rig.relu, "in"));
            QVERIFY(!rig.wired(rig.flat, "out", rig.linear, "in"));
            QCOMPARE(rig.steps(), steps + 1);
        }
        {
            Small rig; // back where it was: nothing happened
            const int steps = rig.steps();
            const QPointF at = rig.port(rig.linear, "in", false);
            rig.press(at);
            rig.moveTo(at, {500, 500});
            rig.moveTo({500, 500}, at);
            rig.release(at);
            QCOMPARE(rig.steps(), steps);
            QCOMPARE(rig.disagreement(), QString());
        }
        {
            Small rig; // let go over nothing: detached
            const int steps = rig.steps();
            rig.drag(rig.port(rig.linear, "in", false), {500, 550});
            QVERIFY(!rig.wired(rig.flat, "out", rig.linear, "in"));
            QVERIFY(!rig.search().isOpen());
            QCOMPARE(rig.steps(), steps + 1);
        }
        {
            Small rig; // Esc puts it back
            const int steps = rig.steps();
            rig.press(rig.port(rig.linear, "in", false));
            rig.moveTo(rig.port(rig.linear, "in", false), {500, 550});
            rig.key(Qt::Key_Escape);
            rig.release({500, 550});
            QCOMPARE(rig.steps(), steps);
            QCOMPARE(rig.disagreement(), QString());
        }
        {
            Small rig; // Ctrl takes all wires of a port
            const std::string tanh = rig.add("Tanh", 600, 250);
            rig.wire(rig.relu, "out", tanh, "in");
            rig.wire(rig.flat, "out", rig.add("Sigmoid", 600, 400), "in");
            const int steps = rig.steps();
            rig.drag(rig.port(rig.flat, "out", true), rig.port(rig.relu, "out", true),
                     Qt::ControlModifier);
            QCOMPARE(rig.graph().wires_out_of(rig.flat).size(), 0u);
            QCOMPARE(rig.graph().wires_out_of(rig.relu).size(), 3u);
            QCOMPARE(rig.steps(), steps + 1);
        }
    }

    void UX_22_altClickRemovesWires() {
        Small rig;
        int steps = rig.steps();
        rig.click(rig.middle({rig.data, "x", rig.flat, "in"}), Qt::AltModifier);
        QVERIFY(!rig.wired(rig.data, "x", rig.flat, "in"));
        QCOMPARE(rig.steps(), ++steps);
        rig.wire(rig.flat, "out", rig.relu, "in");
        ++steps;
        rig.click(rig.port(rig.flat, "out", true), Qt::AltModifier);
        QCOMPARE(rig.graph().wires().size(), 0u);
        QCOMPARE(rig.steps(), ++steps);
        rig.document.undoStack().undo();
        QCOMPARE(rig.graph().wires().size(), 2u);
    }

    void UX_23_cuttingLine() {
        Small rig;
        const int steps = rig.steps();
        const QPointF a = rig.middle({rig.data, "x", rig.flat, "in"}),
                      b = rig.middle({rig.flat, "out", rig.linear, "in"});
        const QPointF over = a - QPointF(0, 80), under = a + QPointF(0, 60);
        rig.press(over, Qt::RightButton, Qt::ControlModifier);
        rig.moveTo(over, under, Qt::ControlModifier);
        QVERIFY(rig.scene().wire({rig.data, "x", rig.flat, "in"})->isDoomed());
        QVERIFY(!rig.scene().wire({rig.flat, "out", rig.linear, "in"})->isDoomed());
        rig.key(Qt::Key_Escape);
        rig.release(under, Qt::RightButton, Qt::ControlModifier);
        QCOMPARE(rig.steps(), steps);
        QVERIFY(!rig.scene().wire({rig.data, "x", rig.flat, "in"})->isDoomed());
        // Through both wires, round the node between them.
        rig.press(over, Qt::RightButton, Qt::ControlModifier);
        rig.moveTo(over, under + QPointF(0, 20), Qt::ControlModifier);
        rig.moveTo(under + QPointF(0, 20), b + QPointF(0, 80), Qt::ControlModifier);
        rig.moveTo(b + QPointF(0, 80), b - QPointF(0, 60), Qt::ControlModifier);
        rig.release(b - QPointF(0, 60), Qt::RightButton, Qt::ControlModifier);
        QCOMPARE(rig.graph().wires().size(), 0u);
        QCOMPARE(rig.steps(), steps + 1);
        QCOMPARE(rig.graph().nodes().size(), 4u);
    }

    void UX_24_nodeDroppedOnAWireIsInserted() {
        const auto dropped = [](Qt::KeyboardModifiers modifiers) {
            auto rig = std::make_unique<Small>();
            const QPointF to = rig->middle({rig->flat, "out", rig->linear, "in"});
            const QPointF from = rig->centre(rig->relu);
            rig->press(from);
            rig->moveTo(from, to, modifiers);
            rig->release(to, Qt::LeftButton, modifiers);
            return rig;
        };
        const auto rig = dropped({});
        QVERIFY(rig->wired(rig->flat, "out", rig->relu, "in"));
        QVERIFY(rig->wired(rig->relu, "out", rig->linear, "in"));
        QVERIFY(!rig->wired(rig->flat, "out", rig->linear, "in"));
        QVERIFY(rig->graph().node(rig->linear)->position.x > 600); // made room
        QCOMPARE(rig->disagreement(), QString());
        const int steps = rig->steps();
        rig->document.undoStack().undo();
        QVERIFY(rig->wired(rig->flat, "out", rig->linear, "in"));
        QCOMPARE(rig->graph().node(rig->relu)->position, (graph::Position{300, 250}));
        QCOMPARE(rig->graph().node(rig->linear)->position, (graph::Position{600, 0}));
        QCOMPARE(rig->steps(), steps - 1);
        const auto held = dropped(Qt::AltModifier);
        QVERIFY(held->wired(held->flat, "out", held->linear, "in"));
        QVERIFY(held->graph().node(held->relu)->position.y < 250);
    }

    void UX_25_deleteAndDissolve() {
        Small rig;
        int steps = rig.steps();
        rig.canvas->select({QString::fromStdString(rig.flat)});
        rig.key(Qt::Key_Delete, Qt::ControlModifier);
        QVERIFY(!rig.graph().node(rig.flat));
        QVERIFY(rig.wired(rig.data, "x", rig.linear, "in"));
        QCOMPARE(rig.steps(), ++steps);
        rig.document.undoStack().undo();
        rig.canvas->select({QString::fromStdString(rig.flat)});
        rig.key(Qt::Key_Delete);
        QVERIFY(!rig.graph().node(rig.flat));
        QCOMPARE(rig.graph().wires().size(), 0u);
        QCOMPARE(rig.steps(), steps);
        rig.document.undoStack().undo();
        QCOMPARE(rig.graph().wires().size(), 2u);
        QCOMPARE(rig.disagreement(), QString());
    }

    void UX_27_cyclesAreRefusedInASentence() {
        Small rig;
        rig.wire(rig.linear, "out", rig.relu, "in");
        const std::string add = rig.add("Add", 300, 400);
        rig.wire(add, "out", rig.flat, "in"); // replaces data
        const int steps = rig.steps();
        QSignalSpy hints(rig.canvas, &Canvas::hint);
        rig.drag(rig.port(rig.relu, "out", true), rig.title(add));
        QCOMPARE(rig.steps(), steps);
        bool said = false;
        for (const auto& hint : hints)
            said = said || hint.front().toString().contains(QStringLiteral("cycle"));
        QVERIFY(said);
    }

    void UX_28_fConnectsTheSelectionInOrder() {
        Small rig;
        rig.canvas->select({QString::fromStdString(rig.linear), QString::fromStdString(rig.relu)});
        rig.document.apply({graph::Move{rig.relu, {900, 0}}});
        const int steps = rig.steps();
        rig.key(Qt::Key_F);
        QVERIFY(rig.wired(rig.linear, "out", rig.relu, "in"));
        QCOMPARE(rig.steps(), steps + 1);
    }

    // --- selection, moving, clipboard

    void UX_30_clickShiftCtrlAndMarquee() {
        Small rig;
        const auto chosen = [&](std::initializer_list<std::string> ids) {
            return rig.scene().chosenNodes() == std::set<std::string>(ids);
        };
        QSignalSpy spy(rig.canvas, &Canvas::selectionChanged);
        rig.click(rig.title(rig.data));
        QVERIFY(chosen({rig.data}));
        QCOMPARE(spy.size(), 1);
        rig.click(rig.title(rig.flat), Qt::ShiftModifier);
        QVERIFY(chosen({rig.data, rig.flat}));
        rig.click(rig.title(rig.data), Qt::ControlModifier);
        QVERIFY(chosen({rig.flat}));
        rig.click(rig.title(rig.flat));
        QVERIFY(chosen({rig.flat}));
        rig.click({60, 600});
        QVERIFY(chosen({}));
        rig.drag(rig.view({-20, -20}), rig.view({350, 60}));
        QVERIFY(chosen({rig.data, rig.flat}));
        rig.drag(rig.view({280, 220}), rig.view({350, 300}), Qt::ShiftModifier);
        QVERIFY(chosen({rig.data, rig.flat, rig.relu}));
        rig.drag(rig.view({-20, -20}), rig.view({350, 350}), Qt::ControlModifier);
        QVERIFY(chosen({}));
        // Esc during a marquee gives back what was chosen.
        rig.click(rig.title(rig.relu));
        rig.press(rig.view({-20, -20}));
        rig.moveTo(rig.view({-20, -20}), rig.view({350, 60}));
        rig.key(Qt::Key_Escape);
        rig.release(rig.view({350, 60}));
        QVERIFY(chosen({rig.relu}));
        QCOMPARE(rig.steps(), 6); // building the graph; no gesture above was a step
    }

    void UX_31_allNoneUpstreamDownstream() {
        Small rig;
        rig.key(Qt::Key_A, Qt::ControlModifier);
        QCOMPARE(rig.scene().chosenNodes().size(), 4u);
        rig.key(Qt::Key_A, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(rig.scene().chosenNodes().size(), 0u);
        rig.canvas->select({QString::fromStdString(rig.flat)});
        rig.key(Qt::Key_L, Qt::ControlModifier);
        QCOMPARE(rig.scene().chosenNodes(), (std::set<std::string>{rig.flat, rig.linear}));
        rig.canvas->select({QString::fromStdString(rig.flat)});
        rig.key(Qt::Key_L, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(rig.scene().chosenNodes(), (std::set<std::string>{rig.data, rig.flat}));
    }

    void UX_32_dragMovesAllAndArrowsNudge() {
        Small rig;
        rig.canvas->select({QString::fromStdString(rig.data), QString::fromStdString(rig.relu)});
        int steps = rig.steps();
        const QPointF from = rig.title(rig.data);
        rig.drag(from, from + QPointF(37, 120));
        QCOMPARE(rig.graph().node(rig.data)->position, (graph::Position{37, 120}));
        QCOMPARE(rig.graph().node(rig.relu)->position, (graph::Position{337, 370}));
        QCOMPARE(rig.graph().node(rig.flat)->position, (graph::Position{300, 0}));
        QCOMPARE(rig.steps(), ++steps);
        rig.key(Qt::Key_Right);
        QCOMPARE(rig.graph().node(rig.data)->position, (graph::Position{57, 120}));
        QCOMPARE(rig.graph().node(rig.relu)->position, (graph::Position{357, 370}));
        QCOMPARE(rig.steps(), ++steps);
        rig.key(Qt::Key_Up, Qt::ShiftModifier);
        QCOMPARE(rig.graph().node(rig.data)->position, (graph::Position{57, -80}));
        QCOMPARE(rig.steps(), ++steps);
        // Esc while dragging: back, and no step.
        rig.press(rig.title(rig.data));
        rig.moveTo(rig.title(rig.data), {500, 500});
        rig.key(Qt::Key_Escape);
        rig.release({500, 500});
        QCOMPARE(rig.steps(), steps);
        QCOMPARE(rig.disagreement(), QString());
    }

    void UX_33_gridSnapAndItsInverse() {
        Small rig;
        const QPointF from = rig.title(rig.relu);
        rig.press(from);
        rig.moveTo(from, from + QPointF(33, 47), Qt::ControlModifier);
        rig.release(from + QPointF(33, 47), Qt::LeftButton, Qt::ControlModifier);
        QCOMPARE(rig.graph().node(rig.relu)->position, (graph::Position{340, 300}));
        rig.actions.action(QStringLiteral("view.gridSnap"))->trigger();
        const QPointF again = rig.title(rig.relu);
        rig.drag(again, again + QPointF(-27, 8));
        QCOMPARE(rig.graph().node(rig.relu)->position, (graph::Position{320, 300}));
        rig.press(rig.title(rig.relu));
        rig.moveTo(rig.title(rig.relu), rig.title(rig.relu) + QPointF(7, 9), Qt::ControlModifier);
        rig.release(QPointF(), Qt::LeftButton); // far away, without the key: on the grid
        QCOMPARE(std::fmod(rig.graph().node(rig.relu)->position.x, 20.0), 0.0);
    }

    void UX_34_copyCutPasteAtTheCursor() {
        Small rig;
        rig.canvas->select({QString::fromStdString(rig.flat), QString::fromStdString(rig.linear)});
        int steps = rig.steps();
        rig.key(Qt::Key_C, Qt::ControlModifier);
        QCOMPARE(rig.steps(), steps);
        rig.hover({200, 500});
        rig.key(Qt::Key_V, Qt::ControlModifier);
        QCOMPARE(rig.steps(), ++steps);
        QCOMPARE(rig.graph().nodes().size(), 6u);
        QCOMPARE(rig.graph().wires().size(),
                 3u); // the inner wire came along, the one from data did not
        const auto pasted = rig.scene().chosenNodes();
        QCOMPARE(pasted.size(), 2u);
        double left = 1e9, top = 1e9;
        for (const auto& id : pasted) {
            QVERIFY(id != rig.flat && id != rig.linear);
            left = std::min(left, rig.graph().node(id)->position.x);
            top = std::min(top, rig.graph().node(id)->position.y);
        }
        QVERIFY(QLineF(rig.view({left, top}), QPointF(200, 500)).length() < 40);
        rig.key(Qt::Key_X, Qt::ControlModifier);
        QCOMPARE(rig.graph().nodes().size(), 4u);
        QCOMPARE(rig.steps(), ++steps);
        rig.key(Qt::Key_V, Qt::ControlModifier);
        QCOMPARE(rig.graph().nodes().size(), 6u);
        QCOMPARE(rig.disagreement(), QString());
    }

    void UX_35_duplicateAndAltDrag() {
        Small rig;
        rig.canvas->select({QString::fromStdString(rig.flat)});
        int steps = rig.steps();
        rig.key(Qt::Key_D, Qt::ControlModifier);
        QCOMPARE(rig.graph().nodes().size(), 5u);
        QCOMPARE(rig.graph().wires().size(), 2u);
        QCOMPARE(rig.steps(), ++steps);
        rig.canvas->select({QString::fromStdString(rig.flat)});
        rig.key(Qt::Key_D, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(rig.graph().nodes().size(), 6u);
        QCOMPARE(rig.graph().wires().size(), 3u);
        QVERIFY(rig.wired(rig.data, "x", *rig.scene().chosenNodes().begin(), "in"));
        QCOMPARE(rig.steps(), ++steps);
        const QPointF from = rig.title(rig.relu);
        rig.drag(from, from + QPointF(0, 150), Qt::AltModifier);
        QCOMPARE(rig.graph().nodes().size(), 7u);
        QCOMPARE(rig.graph().node(rig.relu)->position, (graph::Position{300, 250}));
        QCOMPARE(rig.graph().node(*rig.scene().chosenNodes().begin())->position,
                 (graph::Position{300, 400}));
        QCOMPARE(rig.steps(), ++steps);
    }

    void UX_36_foreignTextPastesNothingAndSaysSo() {
        Small rig;
        QSignalSpy hints(rig.canvas, &Canvas::hint);
        QGuiApplication::clipboard()->setText(QStringLiteral("dear diary"));
        const int steps = rig.steps();
        rig.key(Qt::Key_V, Qt::ControlModifier);
        QCOMPARE(rig.steps(), steps);
        QVERIFY(!hints.isEmpty() && !hints.last().front().toString().isEmpty());
        // What was copied is text and goes into another window.
        rig.canvas->select({QString::fromStdString(rig.relu)});
        rig.key(Qt::Key_C, Qt::ControlModifier);
        QVERIFY(QGuiApplication::clipboard()->text().contains(QStringLiteral("ReLU")));
        CanvasRig other;
        other.key(Qt::Key_V, Qt::ControlModifier);
        QCOMPARE(other.graph().nodes().size(), 1u);
    }

    void UX_37_deleteAndBackspaceTakeTheSelectionOnly() {
        Small rig;
        rig.key(Qt::Key_Delete);
        rig.key(Qt::Key_Backspace);
        QCOMPARE(rig.graph().nodes().size(), 4u);
        rig.canvas->select({QString::fromStdString(rig.relu)});
        rig.key(Qt::Key_Backspace);
        QCOMPARE(rig.graph().nodes().size(), 3u);
        rig.click(rig.middle({rig.data, "x", rig.flat, "in"}));
        rig.key(Qt::Key_Delete);
        QCOMPARE(rig.graph().nodes().size(), 3u);
        QCOMPARE(rig.graph().wires().size(), 1u);
    }

    void UX_38_shortcutsAreInertWhileRenaming() {
        Small rig;
        rig.canvas->select({QString::fromStdString(rig.relu)});
        const int steps = rig.steps();
        rig.key(Qt::Key_F2);
        QVERIFY(rig.rename().isOpen());
        QCOMPARE(QApplication::focusWidget(), &rig.rename());
        rig.key(Qt::Key_Delete);
        rig.key(Qt::Key_Backspace);
        rig.key(Qt::Key_M);
        rig.key(Qt::Key_D, Qt::ControlModifier);
        rig.key(Qt::Key_Delete, Qt::ControlModifier);
        rig.key(Qt::Key_L, Qt::ControlModifier);
        rig.key(Qt::Key_F2);
        QVERIFY(rig.graph().node(rig.relu));
        QVERIFY(!rig.graph().node(rig.relu)->muted);
        QCOMPARE(rig.graph().nodes().size(), 4u);
        QCOMPARE(rig.steps(), steps);
        rig.key(Qt::Key_Escape);
        QVERIFY(!rig.rename().isOpen());
        QCOMPARE(rig.steps(), steps);
        // The search field, too.
        rig.canvas->openSearch({300, 300});
        rig.key(Qt::Key_Delete);
        rig.key(Qt::Key_A, Qt::ControlModifier);
        QCOMPARE(rig.scene().chosenNodes().size(), 1u);
        rig.key(Qt::Key_Escape);
    }

    void UX_39_straightenAndLayoutAreOneStepEach() {
        Small rig;
        rig.document.apply({graph::Move{rig.linear, {600, 130}}});
        rig.canvas->select({QString::fromStdString(rig.flat), QString::fromStdString(rig.linear)});
        int steps = rig.steps();
        rig.key(Qt::Key_Q);
        QCOMPARE(rig.steps(), ++steps);
        QCOMPARE(rig.port(rig.flat, "out", true).y(), rig.port(rig.linear, "in", false).y());
        rig.key(Qt::Key_A, Qt::ControlModifier);
        rig.document.apply({graph::Move{rig.linear, {20, 20}}});
        ++steps;
        rig.key(Qt::Key_F, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(rig.steps(), ++steps);
        QVERIFY(rig.graph().node(rig.data)->position.x < rig.graph().node(rig.flat)->position.x);
        QVERIFY(rig.graph().node(rig.flat)->position.x < rig.graph().node(rig.linear)->position.x);
        QCOMPARE(rig.disagreement(), QString());
    }

    // --- nodes

    void UX_40_headerSubtitleAndRename() {
        Small rig;
        QApplication::processEvents();
        rig.document.analysis();
        QTRY_VERIFY(rig.scene().node(rig.linear)->subtitle().contains(QStringLiteral("weights")));
        QCOMPARE(rig.scene().node(rig.flat)->subtitle(), QStringLiteral("N × 784"));
        const QString before = rig.scene().node(rig.linear)->subtitle();
        QVERIFY(
            rig.document.apply({graph::SetParam{rig.linear, "out_features", std::int64_t{32}}}));
        QTRY_VERIFY(rig.scene().node(rig.linear)->subtitle() != before);
        QCOMPARE(rig.scene().node(rig.linear)->subtitle(),
                 QStringLiteral("N × 32 · 25.1k weights")); // 784 * 32 + 32
        const int steps = rig.steps();
        rig.doubleClick(rig.title(rig.linear));
        QVERIFY(rig.rename().isOpen());
        rig.type(QStringLiteral("hidden"));
        rig.key(Qt::Key_Return);
        QCOMPARE(rig.graph().node(rig.linear)->name, std::string("hidden"));
        QCOMPARE(rig.steps(), steps + 1);
        QVERIFY(rig.canvas->hasFocus());
    }

    void UX_41_collapseKeepsTheWires() {
        Small rig;
        rig.canvas->select({QString::fromStdString(rig.flat)});
        const int steps = rig.steps();
        const double height = rig.scene().node(rig.flat)->body().height();
        rig.key(Qt::Key_H);
        QVERIFY(rig.graph().node(rig.flat)->collapsed);
        QVERIFY(rig.scene().node(rig.flat)->body().height() < height);
        QCOMPARE(rig.disagreement(), QString());
        QCOMPARE(rig.steps(), steps + 1);
        rig.key(Qt::Key_H);
        QVERIFY(!rig.graph().node(rig.flat)->collapsed);
    }

    void UX_42_mute() {
        Small rig;
        rig.canvas->select({QString::fromStdString(rig.flat), QString::fromStdString(rig.relu)});
        const int steps = rig.steps();
        rig.key(Qt::Key_M);
        QVERIFY(rig.graph().node(rig.flat)->muted && rig.graph().node(rig.relu)->muted);
        QCOMPARE(rig.steps(), steps + 1);
        QTRY_COMPARE(rig.scene().node(rig.flat)->subtitle(), QStringLiteral("Muted"));
        rig.key(Qt::Key_M);
        QVERIFY(!rig.graph().node(rig.flat)->muted && !rig.graph().node(rig.relu)->muted);
    }

    void UX_43_problemsAreOnTheNodeInWords() {
        Small rig;
        QTRY_VERIFY(!rig.scene().node(rig.relu)->problemText().isEmpty());
        const auto problems = rig.document.analysis().of_node(rig.relu);
        QVERIFY(!problems.empty());
        QCOMPARE(rig.scene().node(rig.relu)->problemText(),
                 QString::fromStdString(problems.front()->text));
        rig.wire(rig.linear, "out", rig.relu, "in");
        const auto missing = [&] {
            for (const auto* problem : rig.document.analysis().of_node(rig.relu))
                if (problem->code == "missing-input") return true;
            return false;
        };
        QVERIFY(!missing());
        QTRY_VERIFY(!rig.scene().node(rig.relu)->problemText().contains(QStringLiteral("input")));
    }

    void UX_44_menusDifferByPlaceAndShowShortcuts() {
        Small rig;
        const auto menuAt = [&](QPointF at) {
            rig.click(at, {}, Qt::RightButton);
            auto* menu = qobject_cast<QMenu*>(QApplication::activePopupWidget());
            QStringList ids;
            QString place;
            bool shortcuts = false;
            if (menu) {
                place = menu->property("place").toString();
                for (QAction* action : menu->actions()) {
                    ids << action->objectName();
                    shortcuts = shortcuts || !action->shortcut().isEmpty();
                }
                menu->close();
                QApplication::sendPostedEvents(menu, QEvent::DeferredDelete);
            }
            return std::tuple(place, ids, shortcuts);
        };
        const auto [nodePlace, node, nodeKeys] = menuAt(rig.title(rig.flat));
        QCOMPARE(nodePlace, QStringLiteral("node"));
        QVERIFY(node.contains(QStringLiteral("node.mute")) &&
                node.contains(QStringLiteral("edit.delete")) && nodeKeys);
        QCOMPARE(rig.scene().chosenNodes(), std::set<std::string>{rig.flat});
        const auto [wirePlace, wire, wireKeys] =
            menuAt(rig.middle({rig.data, "x", rig.flat, "in"}));
        QCOMPARE(wirePlace, QStringLiteral("wire"));
        QVERIFY(wire.contains(QStringLiteral("edit.delete")) &&
                !wire.contains(QStringLiteral("node.mute")));
        const auto [portPlace, port, portKeys] = menuAt(rig.port(rig.linear, "out", true));
        QCOMPARE(portPlace, QStringLiteral("port"));
        const auto [canvasPlace, canvas, canvasKeys] = menuAt({60, 600});
        QCOMPARE(canvasPlace, QStringLiteral("canvas"));
        QVERIFY(canvas.contains(QStringLiteral("node.add")) &&
                !canvas.contains(QStringLiteral("edit.delete")) && canvasKeys);
    }

    // --- undo, safety, speed

    void UX_52_undoAllAndRedoAllGiveTheSameBytes() {
        Small rig;
        const std::string first = rig.text();
        const int base = rig.steps();
        std::mt19937 random(11);
        const auto pick = [&](int low, int high) {
            return std::uniform_int_distribution<int>(low, high)(random);
        };
        const auto point = [&] { return QPointF(pick(20, 980), pick(20, 680)); };
        for (int i = 0; i < 400; ++i) {
            switch (pick(0, 9)) {
            case 0:
                rig.canvas->openSearch(point(), QStringLiteral("relu"));
                rig.key(Qt::Key_Return);
                break;
            case 1:
                rig.click(point(), pick(0, 1) ? Qt::ShiftModifier : Qt::NoModifier);
                rig.key(Qt::Key_Escape);
                break;
            case 2:
            case 3:
                rig.drag(point(), point());
                if (rig.search().isOpen()) rig.key(Qt::Key_Escape);
                break;
            case 4: {
                const auto& nodes = rig.graph().nodes();
                auto from = std::next(nodes.begin(), pick(0, static_cast<int>(nodes.size()) - 1));
                auto to = std::next(nodes.begin(), pick(0, static_cast<int>(nodes.size()) - 1));
                rig.drag(rig.port(from->first, from->second.type == "Dataset" ? "x" : "out", true),
                         rig.port(to->first, "in", false));
                if (rig.search().isOpen()) rig.key(Qt::Key_Escape);
                break;
            }
            case 5:
                rig.drag(point(), point(), Qt::ControlModifier, Qt::RightButton);
                break;
            case 6:
                if (rig.graph().nodes().size() > 3 && rig.scene().chosenNodes().size() < 3)
                    rig.key(Qt::Key_Delete, pick(0, 1) ? Qt::ControlModifier : Qt::NoModifier);
                break;
            case 7:
                rig.key(Qt::Key_H);
                break;
            case 8:
                rig.key(Qt::Key_D, Qt::ControlModifier);
                break;
            default:
                rig.key(pick(0, 1) ? Qt::Key_Left : Qt::Key_Down);
                break;
            }
            QCOMPARE(rig.disagreement(), QString());
            rig.graph().check_consistency();
            if (rig.graph().nodes().size() > 40) {
                rig.key(Qt::Key_Escape);
                rig.key(Qt::Key_Z,
                        Qt::ControlModifier); // nothing here listens: undo belongs to the window
                rig.canvas->fitAll();
            }
        }
        const std::string last = rig.text();
        const int top = rig.steps();
        QVERIFY2(top > base + 60, qPrintable(QString::number(top)));
        while (rig.steps() > base)
            rig.document.undoStack().undo();
        QCOMPARE(rig.text(), first);
        QCOMPARE(rig.disagreement(), QString());
        while (rig.steps() < top)
            rig.document.undoStack().redo();
        QCOMPARE(rig.text(), last);
        QCOMPARE(rig.disagreement(), QString());
    }

    void UX_53_movingManyIsOneStepAndSelectingIsNone() {
        CanvasRig rig;
        for (int i = 0; i < 30; ++i)
            rig.add("ReLU", (i % 6) * 240.0, (i / 6) * 120.0);
        rig.canvas->fitAll();
        const int steps = rig.steps();
        rig.key(Qt::Key_A, Qt::ControlModifier);
        QCOMPARE(rig.steps(), steps);
        const std::string first = rig.graph().nodes().begin()->first;
        const QPointF from = rig.title(first);
        rig.drag(from, from + QPointF(50, 40));
        QCOMPARE(rig.steps(), steps + 1);
        rig.document.undoStack().undo();
        QCOMPARE(rig.disagreement(), QString());
        QCOMPARE(rig.graph().node(first)->position.x, 0.0);
    }

    void UX_55_unknownTypesStayAndCanBeMoved() {
        Small rig;
        std::string text = rig.text();
        const auto at = text.find("\"ReLU\"");
        QVERIFY(at != std::string::npos);
        text.replace(at, 6, "\"Quantum\"");
        QTemporaryDir dir;
        const QString path = dir.filePath(QStringLiteral("u.wiregrad"));
        graph::save_project(path.toStdString(), graph::from_text(text));
        CanvasRig other;
        other.document.load(path);
        QApplication::processEvents();
        const NodeItem* item = other.scene().node(rig.relu);
        QVERIFY(item);
        QTRY_VERIFY(item->subtitle().contains(QStringLiteral("Unknown type")));
        other.canvas->fitAll();
        const QPointF from = other.title(rig.relu);
        other.drag(from, from + QPointF(40, 0));
        QVERIFY(other.graph().node(rig.relu)->position.x > 300);
        QCOMPARE(other.graph().node(rig.relu)->type, std::string("Quantum"));
    }

    void UX_57_farOutNothingIsDrawnAsText() {
        // Text becomes bars: the same node with another name paints the same picture.
        Small rig;
        rig.canvas->setZoom(0.3, {0, 0});
        rig.canvas->fitAll();
        rig.canvas->setZoom(0.3, QRectF(rig.canvas->viewport()->rect()).center());
        const QImage before = rig.canvas->grab().toImage();
        QVERIFY(rig.document.apply({graph::Rename{rig.relu, "another name"}}));
        QCOMPARE(rig.canvas->grab().toImage(), before);
        rig.canvas->setZoom(0.8, rig.centre(rig.relu));
        const QImage close = rig.canvas->grab().toImage();
        QVERIFY(rig.document.apply({graph::Rename{rig.relu, "yet another"}}));
        QVERIFY(rig.canvas->grab().toImage() != close);
    }

    void UX_61_pageKeysWalkAlongWires() {
        Small rig;
        rig.canvas->select({QString::fromStdString(rig.data)});
        rig.key(Qt::Key_PageDown);
        QCOMPARE(rig.scene().chosenNodes(), std::set<std::string>{rig.flat});
        rig.key(Qt::Key_PageDown);
        QCOMPARE(rig.scene().chosenNodes(), std::set<std::string>{rig.linear});
        rig.key(Qt::Key_PageUp);
        QCOMPARE(rig.scene().chosenNodes(), std::set<std::string>{rig.flat});
    }

    void UX_62_sizesFollowTheFont() {
        Small rig;
        const QFont before = QApplication::font();
        const double width = rig.scene().node(rig.flat)->body().width();
        QFont large = before;
        large.setPointSizeF(before.pointSizeF() * 2);
        QApplication::setFont(large);
        QApplication::processEvents();
        const double doubled = rig.scene().node(rig.flat)->body().width();
        QCOMPARE(rig.disagreement(), QString());
        QApplication::setFont(before);
        QApplication::processEvents();
        QVERIFY2(doubled > 1.8 * width && doubled < 2.2 * width,
                 qPrintable(QString::number(doubled / width)));
        QCOMPARE(rig.scene().node(rig.flat)->body().width(), width);
        QCOMPARE(rig.disagreement(), QString());
    }

    void wiresRunPastNodesNotUnderThem() {
        CanvasRig rig;
        const std::string data = rig.add("Dataset", 0, 0),
                          loss = rig.add("CrossEntropyLoss", 1500, 0);
        std::vector<std::string> row;
        for (int i = 0; i < 4; ++i)
            row.push_back(rig.add("ReLU", 300 + i * 300, 20));
        rig.wire(data, "y", loss, "target");
        const auto under = [&](const graph::Wire& wire) {
            int hits = 0;
            for (const auto& id : row)
                for (const QPointF p : rig.scene().wire(wire)->polyline())
                    hits += rig.scene()
                                .node(id)
                                ->body()
                                .translated(rig.scene().node(id)->pos())
                                .adjusted(1, 1, -1, -1)
                                .contains(p);
            return hits;
        };
        QCOMPARE(under({data, "y", loss, "target"}), 0);
        // A node that comes to stand in the way pushes the wire aside; the way back goes between
        // the rows.
        QVERIFY(rig.document.apply({graph::Move{row[1], {600, -60}}}));
        QCOMPARE(under({data, "y", loss, "target"}), 0);
        const std::string below = rig.add("ReLU", 300, 200);
        rig.wire(row[3], "out", below, "in");
        QCOMPARE(under({row[3], "out", below, "in"}), 0);
        QCOMPARE(rig.disagreement(), QString());
    }

    void focusFollowsClicksOnNodesPortsAndWires() {
        Small rig;
        QSignalSpy spy(rig.canvas, &Canvas::focusChanged);
        rig.click(rig.title(rig.flat));
        QCOMPARE(rig.canvas->focused(), (Focus{QString::fromStdString(rig.flat), {}}));
        rig.click(rig.middle({rig.flat, "out", rig.linear, "in"}));
        QCOMPARE(rig.canvas->focused(),
                 (Focus{QString::fromStdString(rig.flat), QStringLiteral("out")}));
        QCOMPARE(spy.size(), 2);
        rig.canvas->select({QString::fromStdString(rig.flat)});
        rig.key(Qt::Key_Delete);
        QCOMPARE(rig.canvas->focused(), Focus{});
    }

    void revealCentresAndSelects() {
        Small rig;
        rig.drag({500, 500}, {-4000, 500}, {}, Qt::MiddleButton);
        rig.canvas->reveal(QString::fromStdString(rig.relu));
        QVERIFY(QRectF(rig.canvas->viewport()->rect()).contains(rig.centre(rig.relu)));
        QCOMPARE(rig.scene().chosenNodes(), std::set<std::string>{rig.relu});
        rig.canvas->reveal(QStringLiteral("nobody")); // no such node: nothing
        QCOMPARE(rig.scene().chosenNodes(), std::set<std::string>{rig.relu});
    }

    void emptyCanvasTeaches() {
        CanvasRig rig;
        auto* words = rig.canvas->findChild<QWidget*>(QStringLiteral("canvas.empty"));
        QVERIFY(words && words->isVisible());
        const std::string id = rig.add("ReLU", 0, 0);
        QVERIFY(!words->isVisible());
        rig.canvas->select({QString::fromStdString(id)});
        rig.key(Qt::Key_Delete);
        QVERIFY(words->isVisible());
    }
};

int main(int argc, char** argv) {
    // Settings of the person who runs the tests are left alone.
    QTemporaryDir home;
    qputenv("XDG_CONFIG_HOME", home.path().toUtf8());
    if (qEnvironmentVariableIsEmpty("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
    QApplication app(argc, argv);
    Theme::instance().apply(QStringLiteral("dark"));
    CanvasTest tests;
    return QTest::qExec(&tests, argc, argv);
}

#include "canvas_test.moc"

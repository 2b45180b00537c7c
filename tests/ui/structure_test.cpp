// What gives a network its order on the canvas, with real mouse and key events: groups made, gone
// into, left, undone and shared; dots on wires; pins; pasting with inputs; repairs on the wire.
#include <QDialog>
#include <QFile>
#include <QPushButton>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>

#include <cmath>

#include "engine/core/error.h"
#include "tests/ui/helpers/canvas_rig.h"
#include "ui/canvas/node_help.h"
#include "ui/properties/field_row.h"
#include "ui/properties/properties_panel.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

using graph::Graph;

class StructureTest : public QObject {
    Q_OBJECT

    /// Input -> Linear -> Tanh -> ReLU, 220 apart.
    static void chain(CanvasRig& rig) {
        rig.add("Input", 0, 0);
        rig.add("Linear", 220, 0);
        rig.add("Tanh", 440, 0);
        rig.add("ReLU", 660, 0);
        rig.wire("input1", "x", "linear1", "in");
        rig.wire("linear1", "out", "tanh1", "in");
        rig.wire("tanh1", "out", "relu1", "in");
        QApplication::processEvents();
        rig.canvas->fitAll();
    }

  private slots:
    void UX_47_groupAndUngroupAreOneStepEachAndComputeTheSame() {
        CanvasRig rig;
        chain(rig);
        const std::string before = rig.text();
        const int steps = rig.steps();
        rig.canvas->select({QStringLiteral("linear1"), QStringLiteral("tanh1")});
        rig.key(Qt::Key_G, Qt::ControlModifier);
        QCOMPARE(rig.steps(), steps + 1);
        QCOMPARE(rig.graph().nodes().size(), std::size_t(3));
        const graph::Node* group = rig.graph().node("group1");
        QVERIFY(group);
        QVERIFY(rig.wired("input1", "x", "group1", "in1"));
        QVERIFY(rig.wired("group1", "out1", "relu1", "in"));
        QCOMPARE(rig.disagreement(), QString());
        QCOMPARE(rig.canvas->selectedNodes(), std::set<QString>{QStringLiteral("group1")});
        QCOMPARE(rig.document.undoStack().undoText(), QStringLiteral("Group 2 nodes"));
        const std::string grouped = rig.text();
        rig.key(Qt::Key_G, Qt::ControlModifier | Qt::AltModifier);
        QCOMPARE(rig.steps(), steps + 2);
        QVERIFY(rig.graph().definitions().empty());
        QVERIFY(rig.wired("linear1", "out", "tanh1", "in"));
        QVERIFY(rig.wired("tanh1", "out", "relu1", "in"));
        rig.document.undo();
        QCOMPARE(rig.text(), grouped);
        rig.document.undo();
        QCOMPARE(rig.text(), before);
        QCOMPARE(rig.disagreement(), QString());
    }

    void UX_48_doubleClickAndEnterGoInEscAndBreadcrumbGoOut() {
        CanvasRig rig;
        chain(rig);
        rig.canvas->select({QStringLiteral("linear1"), QStringLiteral("tanh1")});
        rig.key(Qt::Key_G, Qt::ControlModifier);
        rig.canvas->setZoom(0.9, {500, 350});
        const double zoom = rig.canvas->zoom();
        const QPointF centre = rig.sceneAt({500, 350});
        rig.doubleClick(rig.centre("group1"));
        QCOMPARE(rig.canvas->sheet().groups(), std::vector<std::string>{"group1"});
        QVERIFY(rig.scene().node("linear1"));
        QVERIFY(rig.scene().node("in1"));
        QVERIFY(!rig.scene().node("relu1"));
        auto* crumbs = rig.canvas->findChild<QWidget*>(QStringLiteral("canvas.breadcrumb"));
        QVERIFY(crumbs && crumbs->isVisible());
        // Esc first clears the selection, then leaves; what was outside is as it was.
        rig.canvas->select({QStringLiteral("tanh1")});
        rig.key(Qt::Key_Escape);
        QCOMPARE(rig.canvas->sheet().groups().size(), std::size_t(1));
        rig.key(Qt::Key_Escape);
        QVERIFY(rig.canvas->sheet().groups().empty());
        QVERIFY(!crumbs->isVisible());
        QCOMPARE(rig.canvas->selectedNodes(), std::set<QString>{QStringLiteral("group1")});
        QCOMPARE(rig.canvas->zoom(), zoom);
        const QPointF again = rig.sceneAt({500, 350});
        QVERIFY(std::hypot(again.x() - centre.x(), again.y() - centre.y()) < 2);
        rig.key(Qt::Key_Return);
        QCOMPARE(rig.canvas->sheet().groups().size(), std::size_t(1));
        auto* home = crumbs->findChild<QToolButton*>(QStringLiteral("canvas.breadcrumb.0"));
        QVERIFY(home);
        QTest::mouseClick(home, Qt::LeftButton);
        QVERIFY(rig.canvas->sheet().groups().empty());
    }

    void UX_48_nobodyIsStuckInsideAGroupThatGoes() {
        CanvasRig rig;
        chain(rig);
        rig.canvas->select({QStringLiteral("tanh1")});
        rig.key(Qt::Key_G, Qt::ControlModifier);
        rig.key(Qt::Key_Return);
        QCOMPARE(rig.canvas->sheet().groups().size(), std::size_t(1));
        rig.document.undo(); // the group was never made
        QVERIFY(rig.canvas->sheet().groups().empty());
        QCOMPARE(rig.disagreement(), QString());
    }

    void UX_49_undoIsGlobalAndTheViewGoesWhereItHappened() {
        CanvasRig rig;
        chain(rig);
        rig.canvas->select({QStringLiteral("linear1"), QStringLiteral("tanh1")});
        rig.key(Qt::Key_G, Qt::ControlModifier);
        rig.key(Qt::Key_Return);
        rig.canvas->select({QStringLiteral("tanh1")});
        rig.key(Qt::Key_M); // inside
        QVERIFY(rig.canvas->sheet().graph().node("tanh1")->muted);
        rig.canvas->sheet().leave();
        rig.canvas->select({QStringLiteral("relu1")});
        rig.key(Qt::Key_M); // outside
        const std::string last = rig.text();
        rig.document.undo();
        QVERIFY(rig.canvas->sheet().groups().empty());
        QVERIFY(!rig.graph().node("relu1")->muted);
        rig.document.undo();
        QCOMPARE(rig.canvas->sheet().groups(), std::vector<std::string>{"group1"});
        QVERIFY(!rig.canvas->sheet().graph().node("tanh1")->muted);
        rig.document.redo();
        rig.document.redo();
        QVERIFY(rig.canvas->sheet().groups().empty());
        QCOMPARE(rig.text(), last);
    }

    void UX_50_portsAndParametersFollowTheDefinition() {
        CanvasRig rig;
        chain(rig);
        rig.canvas->select({QStringLiteral("linear1"), QStringLiteral("tanh1")});
        rig.key(Qt::Key_G, Qt::ControlModifier);
        rig.canvas->select({QStringLiteral("group1")});
        rig.key(Qt::Key_D, Qt::ControlModifier);
        QVERIFY(rig.graph().node("group2"));
        QCOMPARE(rig.graph().definitions().size(), std::size_t(1));
        // A port renamed inside is renamed on both; the wire stays.
        rig.canvas->sheet().enter("group1");
        rig.canvas->sheet().apply({graph::Rename{"in1", "features"}});
        // A parameter shown on the group.
        PropertiesPanel panel(rig.document, rig.session, nullptr, &rig.canvas->sheet());
        panel.showNodes({QStringLiteral("linear1")});
        auto* expose = panel.findChild<QAction*>(QStringLiteral("expose_out_features"));
        QVERIFY(expose);
        expose->trigger();
        rig.canvas->sheet().leave();
        for (const char* id : {"group1", "group2"}) {
            const NodeItem* item = rig.scene().node(id);
            QVERIFY(item->port("in1", false));
            QCOMPARE(item->port("in1", false)->label, QStringLiteral("features"));
            QVERIFY(rig.graph().type_of(id)->param("linear1_out_features"));
        }
        QVERIFY(rig.wired("input1", "x", "group1", "in1"));
        // Apart, the copy follows no more.
        rig.canvas->select({QStringLiteral("group2")});
        rig.actions.action(QStringLiteral("group.unique"))->trigger();
        QCOMPARE(rig.graph().definitions().size(), std::size_t(2));
        QVERIFY(rig.graph().node("group1")->group != rig.graph().node("group2")->group);
    }

    void UX_50_groupsNestEightDeepAndMore() {
        CanvasRig rig;
        chain(rig);
        rig.canvas->select({QStringLiteral("linear1")});
        for (int level = 0; level < 10; ++level)
            rig.key(Qt::Key_G, Qt::ControlModifier);
        QCOMPARE(rig.graph().definitions().size(), std::size_t(10));
        for (int level = 0; level < 10; ++level) {
            std::string group;
            for (const auto& [id, node] : rig.canvas->sheet().graph().nodes())
                if (!node.group.empty()) group = id;
            QVERIFY(rig.canvas->sheet().enter(group));
        }
        QVERIFY(rig.scene().node("linear1"));
        QVERIFY(rig.scene().node("linear1")->subtitle().startsWith(QStringLiteral("N × ")));
    }

    void editsInsideAreEditsOfTheDocument() {
        CanvasRig rig;
        chain(rig);
        rig.canvas->select({QStringLiteral("linear1"), QStringLiteral("tanh1")});
        rig.key(Qt::Key_G, Qt::ControlModifier);
        rig.key(Qt::Key_Return);
        QApplication::processEvents();
        const std::string before = rig.text();
        // Dragged, wired, searched and removed as on the outermost level.
        const QPointF from = rig.centre("tanh1");
        rig.drag(from, from + QPointF(30, 90));
        QVERIFY(rig.text() != before);
        rig.key(Qt::Key_Delete);
        QVERIFY(!rig.canvas->sheet().graph().node("tanh1"));
        rig.key(Qt::Key_Tab);
        rig.type(QStringLiteral("group output"));
        rig.key(Qt::Key_Return);
        QVERIFY(rig.canvas->sheet().graph().node("out2"));
        QCOMPARE(rig.graph().type_of("group1")->outputs.size(), std::size_t(2));
        for (int i = 0; i < 3; ++i)
            rig.document.undo();
        QCOMPARE(rig.text(), before);
    }

    void theProjectIsTheProjectInsideAGroupToo() {
        CanvasRig rig;
        chain(rig);
        rig.document.apply({graph::SetTitle{"Name", "Words"}});
        rig.canvas->select({QStringLiteral("tanh1")});
        rig.key(Qt::Key_G, Qt::ControlModifier);
        rig.canvas->sheet().enter("group1");
        PropertiesPanel panel(rig.document, rig.session, nullptr, &rig.canvas->sheet());
        auto* row = panel.findChild<FieldRow*>(QStringLiteral("row_title"));
        QVERIFY(row);
        QCOMPARE(std::get<std::string>(row->field().read().front()), std::string("Name"));
        QVERIFY(rig.canvas->sheet().apply(row->field().write(std::string("Other"))));
        QCOMPARE(rig.graph().title(), std::string("Other"));
        QCOMPARE(rig.graph().description(), std::string("Words"));
    }

    void aRepeatShowsItsNumberAndItsInsideTheFirstRepetition() {
        CanvasRig rig;
        chain(rig);
        rig.canvas->select({QStringLiteral("linear1"), QStringLiteral("tanh1")});
        rig.key(Qt::Key_G, Qt::ControlModifier);
        rig.document.apply({graph::SetParam{"group1", "times", std::int64_t{3}}});
        QApplication::processEvents();
        QCOMPARE(rig.canvas->sheet().path_of("group1"), std::string("group1"));
        rig.canvas->sheet().enter("group1");
        QCOMPARE(rig.canvas->sheet().path_of("linear1"), std::string("group1.0.linear1"));
        QVERIFY(rig.canvas->sheet().local("group1.2.linear1") ==
                std::optional<std::string>("linear1"));
        // What a run says of a node inside is shown there, and on the group outside.
        QSignalSpy focus(rig.canvas, &Canvas::focusChanged);
        rig.click(rig.centre("tanh1"));
        QCOMPARE(focus.last().at(0).value<Focus>().node, QStringLiteral("group1.0.tanh1"));
        rig.canvas->sheet().leave();
        rig.canvas->reveal(QStringLiteral("group1.1.linear1"));
        QCOMPARE(rig.canvas->selectedNodes(), std::set<QString>{QStringLiteral("linear1")});
    }

    void UX_26_doubleClickAddsADotThatOnlyBendsTheWire() {
        CanvasRig rig;
        chain(rig);
        const graph::Wire wire{"linear1", "out", "tanh1", "in"};
        const graph::Graph before = rig.graph();
        const QPointF at = rig.middle(wire);
        rig.doubleClick(at);
        QCOMPARE(rig.graph().bends(wire).size(), std::size_t(1));
        QCOMPARE(rig.graph().wires(), before.wires());
        const int steps = rig.steps();
        rig.drag(at, at + QPointF(10, 80));
        QCOMPARE(rig.steps(), steps + 1);
        const graph::Position bend = rig.graph().bends(wire).front();
        const QPointF there = rig.sceneAt(at + QPointF(10, 80));
        QVERIFY(std::abs(bend.x - there.x()) <= 1 && std::abs(bend.y - there.y()) <= 1);
        QVERIFY(rig.scene().wire(wire)->distance({bend.x, bend.y}) < 3);
        // It survives the file, follows its nodes, and a second double-click takes it away.
        QCOMPARE(graph::from_text(rig.text()).bends(wire).size(), std::size_t(1));
        rig.canvas->select({QStringLiteral("linear1"), QStringLiteral("tanh1")});
        const QPointF grip = rig.title("tanh1");
        rig.drag(grip, grip + QPointF(0, 40));
        QVERIFY(std::abs(rig.graph().bends(wire).front().y - bend.y - 40 / rig.canvas->zoom()) <
                1.5);
        rig.doubleClick(
            rig.view({rig.graph().bends(wire).front().x, rig.graph().bends(wire).front().y}));
        QVERIFY(rig.graph().bends(wire).empty());
        while (rig.document.undo()) {
        }
        QVERIFY(rig.graph().nodes().empty());
    }

    void UX_26_shiftRightDragPutsDotsOnTheWiresItCrosses() {
        CanvasRig rig;
        chain(rig);
        const graph::Wire wire{"linear1", "out", "tanh1", "in"};
        const QPointF at = rig.middle(wire);
        const int steps = rig.steps();
        rig.drag(at - QPointF(0, 60), at + QPointF(0, 60), Qt::ShiftModifier, Qt::RightButton);
        QCOMPARE(rig.graph().bends(wire).size(), std::size_t(1));
        QCOMPARE(rig.steps(), steps + 1);
        const graph::Position bend = rig.graph().bends(wire).front();
        const QPointF there = rig.sceneAt(at);
        QVERIFY(std::abs(bend.x - there.x()) < 4 && std::abs(bend.y - there.y()) < 4);
        rig.press(at - QPointF(0, 60), Qt::RightButton, Qt::ShiftModifier);
        rig.moveTo(at - QPointF(0, 60), at + QPointF(0, 60), Qt::ShiftModifier);
        rig.key(Qt::Key_Escape); // given up
        rig.release(at + QPointF(0, 60), Qt::RightButton, Qt::ShiftModifier);
        QCOMPARE(rig.steps(), steps + 1);
    }

    void UX_22_middleClickRemovesAWireOnlyWhenAsked() {
        CanvasRig rig;
        chain(rig);
        const graph::Wire wire{"linear1", "out", "tanh1", "in"};
        const auto count = rig.graph().wires().size();
        QAction* setting = rig.actions.action("view.middleRemoves");
        QVERIFY(!setting->isChecked());
        rig.click(rig.middle(wire), {}, Qt::MiddleButton);
        QCOMPARE(rig.graph().wires().size(), count);
        setting->trigger();
        const QPointF at = rig.middle(wire);
        rig.drag(at, at + QPointF(30, 0), {}, Qt::MiddleButton); // still moves the view
        QCOMPARE(rig.graph().wires().size(), count);
        rig.click(rig.middle(wire), {}, Qt::MiddleButton);
        setting->trigger();
        QCOMPARE(rig.graph().wires().size(), count - 1);
        QVERIFY(rig.document.undo());
        QCOMPARE(rig.graph().wires().size(), count);
    }

    void UX_59_everyTypeHasHelpAndLayersAnExampleThatWorks() {
        for (const graph::NodeType& type : graph::node_types()) {
            const QString text = NodeHelp::text(type);
            QVERIFY2(text.contains(QString::fromStdString(type.label)) && text.size() > 60,
                     type.id.c_str());
            if (!type.formula.empty())
                QVERIFY(text.contains(QString::fromStdString(type.formula).toHtmlEscaped()));
        }
        int examples = 0;
        for (const char* id : {"Linear", "Conv2d", "ReLU", "BatchNorm2d", "MaxPool2d", "LSTM"}) {
            graph::Graph graph;
            graph::apply(graph, exampleEdit(graph, *graph::find_type(id), {0, 0}));
            QCOMPARE(graph.wires().size(), std::size_t(1));
            const graph::Analysis analysis = graph::analyze(graph, false);
            for (const auto& [node, facts] : analysis.nodes)
                if (graph.node(node)->type == id) {
                    QVERIFY2(facts.known, id);
                    ++examples;
                }
        }
        QCOMPARE(examples, 6);
        CanvasRig rig;
        chain(rig);
        rig.canvas->select({QStringLiteral("tanh1")});
        rig.canvas->setFocus();
        rig.key(Qt::Key_F1);
        auto* help = rig.canvas->findChild<QDialog*>("canvas.help");
        QVERIFY(help && help->isVisible());
        const auto before = rig.graph().nodes().size();
        help->findChild<QPushButton*>("canvas.help.insert")->click();
        QCOMPARE(rig.graph().nodes().size(), before + 2);
        QVERIFY(rig.document.undo()); // one step
        QCOMPARE(rig.graph().nodes().size(), before);
    }

    void UX_34_pasteKeepsIncomingWiresOnlyWhenAsked() {
        CanvasRig rig;
        chain(rig);
        rig.canvas->select({QStringLiteral("tanh1")});
        rig.key(Qt::Key_C, Qt::ControlModifier);
        rig.key(Qt::Key_V, Qt::ControlModifier);
        QVERIFY(rig.graph().wires_into("tanh2").empty());
        const int steps = rig.steps();
        rig.key(Qt::Key_V, Qt::ControlModifier | Qt::ShiftModifier);
        QVERIFY(rig.wired("linear1", "out", "tanh3", "in"));
        QCOMPARE(rig.steps(), steps + 1);
    }

    void UX_39_pinnedNodesStayWhereTheyAre() {
        CanvasRig rig;
        chain(rig);
        rig.document.apply({graph::Move{"tanh1", {1234, -777}}});
        rig.canvas->select({QStringLiteral("tanh1")});
        rig.key(Qt::Key_P);
        QVERIFY(rig.graph().node("tanh1")->pinned);
        rig.canvas->select({});
        rig.document.apply({graph::Move{"relu1", {-900, 900}}});
        rig.key(Qt::Key_F, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(rig.graph().node("tanh1")->position.x, 1234.0);
        QCOMPARE(rig.graph().node("tanh1")->position.y, -777.0);
        QVERIFY(rig.graph().node("relu1")->position.x > -900);
    }

    void UX_63_thePictureLeavesAsPixelsAsTextAndAsAPage() {
        CanvasRig rig;
        chain(rig);
        rig.canvas->select({QStringLiteral("tanh1")});
        const QImage image = rig.canvas->picture(1);
        QVERIFY(image.width() > 660 && image.height() > 50);
        rig.canvas->select({});
        QCOMPARE(rig.canvas->picture(1), image); // marks of selection are no part of it
        QTemporaryDir folder;
        rig.canvas->exportPicture(folder.filePath(QStringLiteral("net.png")), 2);
        QCOMPARE(QImage(folder.filePath(QStringLiteral("net.png"))).width(),
                 rig.canvas->picture(2).width());
        rig.canvas->exportPicture(folder.filePath(QStringLiteral("net.svg")));
        QFile svg(folder.filePath(QStringLiteral("net.svg")));
        QVERIFY(svg.open(QIODevice::ReadOnly));
        QVERIFY(svg.readAll().contains(">Linear</text>"));
        rig.canvas->exportPicture(folder.filePath(QStringLiteral("net.pdf")));
        QFile pdf(folder.filePath(QStringLiteral("net.pdf")));
        QVERIFY(pdf.open(QIODevice::ReadOnly));
        QVERIFY(pdf.readAll().startsWith("%PDF-"));
        bool refused = false;
        try {
            rig.canvas->exportPicture(folder.filePath(QStringLiteral("net.txt")));
        } catch (const FileError&) {
            refused = true;
        }
        QVERIFY(refused);
        QVERIFY(!QFile::exists(folder.filePath(QStringLiteral("net.txt"))));
    }

    void memoryColoursTheNodes() {
        CanvasRig rig;
        chain(rig);
        QCOMPARE(rig.scene().node("linear1")->heat(), -1.0);
        QAction* heat = rig.actions.action(QStringLiteral("view.heat"));
        heat->trigger();
        double most = 0;
        for (const auto& [id, item] : rig.scene().nodes())
            most = std::max(most, item->heat());
        QCOMPARE(most, 1.0);
        // Twice the features, twice the memory: the figures come from the shapes.
        rig.document.apply({graph::SetParam{"linear1", "out_features", std::int64_t{4000}}});
        QApplication::processEvents();
        QVERIFY(rig.scene().node("linear1")->heat() > rig.scene().node("input1")->heat());
        heat->trigger();
        QCOMPARE(rig.scene().node("linear1")->heat(), -1.0);
    }

    void UX_17_aConflictOnTheWireOffersRepairsAndOneKeyTakesThem() {
        CanvasRig rig;
        rig.add("Dataset", 0, 0); // digits: N × 1 × 28 × 28
        rig.add("Conv2d", 260, 0);
        rig.add("BatchNorm1d", 560, 0);
        rig.wire("dataset1", "x", "conv1", "in");
        QApplication::processEvents();
        rig.canvas->fitAll();
        const int steps = rig.steps();
        const std::string before = rig.text();
        const QPointF from = rig.port("conv1", "out", true),
                      to = rig.port("batchnorm1", "in", false);
        rig.press(from);
        rig.moveTo(from, to);
        QVERIFY2(rig.note().text().contains(QStringLiteral("\n1: ")),
                 qPrintable(rig.note().text()));
        rig.key(Qt::Key_1);
        rig.release(to);
        QCOMPARE(rig.steps(), steps + 1);
        QApplication::processEvents();
        for (const graph::Problem& problem : rig.document.analysis().problems)
            QVERIFY2(problem.code != "shape-mismatch", problem.text.c_str());
        QCOMPARE(rig.disagreement(), QString());
        rig.document.undo();
        QCOMPARE(rig.text(), before);
    }
};

} // namespace wiregrad::studio

int main(int argc, char** argv) {
    // Settings of the person who runs the tests are left alone.
    QTemporaryDir home;
    qputenv("XDG_CONFIG_HOME", home.path().toUtf8());
    if (qEnvironmentVariableIsEmpty("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
    QApplication app(argc, argv);
    wiregrad::studio::Theme::instance().apply(QStringLiteral("dark"));
    wiregrad::studio::StructureTest tests;
    return QTest::qExec(&tests, argc, argv);
}

#include "structure_test.moc"

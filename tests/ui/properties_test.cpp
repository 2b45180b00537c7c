// The property editor, driven by keys and mouse; asserted on the model.
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QToolButton>
#include <QWheelEvent>
#include <QtTest>

#include "nodes/group.h"
#include "tests/ui/helpers/tiny_graph.h"
#include "ui/properties/editors.h"
#include "ui/properties/field_row.h"
#include "ui/properties/properties_panel.h"

using namespace wiregrad;
using namespace wiregrad::studio;
using namespace wiregrad::studio::testing;
using Ints = std::vector<std::int64_t>;

class PropertiesTest : public QObject {
    Q_OBJECT

  private:
    struct Bench {
        Document document;
        TrainSession session{document};
        PropertiesPanel panel{document, session};
        Bench() {
            panel.resize(340, 800);
            panel.show();
        }
        void select(std::initializer_list<std::string> ids) {
            std::set<QString> all;
            for (const std::string& id : ids) {
                all.insert(QString::fromStdString(id));
            }
            panel.showNodes(all);
            QCoreApplication::processEvents();
        }
        QLineEdit* line(const char* name) {
            return panel.findChild<QLineEdit*>(QStringLiteral("param_%1").arg(name));
        }
        FieldRow* row(const char* name) {
            return panel.findChild<FieldRow*>(QStringLiteral("row_%1").arg(name));
        }
        void type(QLineEdit* edit, const QString& text) {
            edit->setFocus();
            edit->selectAll();
            QTest::keyClicks(edit, text);
            QTest::keyClick(edit, Qt::Key_Return);
        }
        int steps() { return document.undoStack().index(); }
    };

    static void turnWheel(QWidget* widget, int notches) {
        const QPointF at = QRectF(widget->rect()).center();
        QWheelEvent event(at, widget->mapToGlobal(at), {}, QPoint(0, 120 * notches), Qt::NoButton,
                          Qt::NoModifier, Qt::NoScrollPhase, false);
        QCoreApplication::sendEvent(widget, &event);
    }

  private slots:
    void everyTypeGetsAnEditorPerParameter() {
        Bench bench;
        for (const graph::NodeType& type : graph::node_types()) {
            // Ports of groups stand in groups only; a group comes with a definition.
            if (type.role == graph::Role::GroupPort) continue;
            std::string id;
            if (type.role == graph::Role::Group) {
                const auto [edit, node] = graph::new_group_edit(bench.document.graph(), {});
                QVERIFY(bench.document.apply(edit));
                id = node;
            } else {
                id = add(bench.document, type.id);
            }
            bench.select({id});
            for (const graph::ParamSpec& spec : type.params) {
                FieldRow* row = bench.row(spec.id.c_str());
                QVERIFY2(row, (type.id + "." + spec.id).c_str());
                QVERIFY2(!row->editor()->field()->accessibleName().isEmpty(), spec.id.c_str());
                const bool visible =
                    !spec.visible || spec.visible(bench.document.graph().node(id)->params);
                QCOMPARE(row->isVisibleTo(&bench.panel), visible);
            }
        }
    }

    void typedNumberIsOneStepAndCtrlZTakesItBack() {
        Bench bench;
        const std::string conv = add(bench.document, "Conv2d");
        bench.select({conv});
        const graph::ParamValue before = param(bench.document, conv, "out_channels");
        const int steps = bench.steps();
        QLineEdit* edit = bench.line("out_channels");
        bench.type(edit, QStringLiteral("3*64")); // arithmetic
        QCOMPARE(std::get<std::int64_t>(param(bench.document, conv, "out_channels")), 192);
        QCOMPARE(edit->text(), QStringLiteral("192"));
        QCOMPARE(bench.steps(), steps + 1);
        // Not the line edit's own undo: the document's.
        QTest::keyClick(edit, Qt::Key_Z, Qt::ControlModifier);
        QVERIFY(param(bench.document, conv, "out_channels") == before);
        QCOMPARE(bench.steps(), steps);
        QCOMPARE(edit->text(), QStringLiteral("32"));
        QTest::keyClick(edit, Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(std::get<std::int64_t>(param(bench.document, conv, "out_channels")), 192);
    }

    void ctrlZIsLeftToTheWindowUnlessSomethingIsTyped() {
        Bench bench;
        const std::string conv = add(bench.document, "Conv2d");
        bench.select({conv});
        QLineEdit* edit = bench.line("out_channels");
        edit->setFocus();
        QKeyEvent idle(QEvent::ShortcutOverride, Qt::Key_Z, Qt::ControlModifier);
        idle.setAccepted(false); // as Qt sends it; a line edit left alone accepts it
        QCoreApplication::sendEvent(edit, &idle);
        QVERIFY(!idle.isAccepted()); // the window's Undo action may have it
        QTest::keyClicks(edit, QStringLiteral("7"));
        QKeyEvent busy(QEvent::ShortcutOverride, Qt::Key_Z, Qt::ControlModifier);
        busy.setAccepted(false);
        QCoreApplication::sendEvent(edit, &busy);
        QVERIFY(busy.isAccepted());
        const int steps = bench.steps();
        QTest::keyClick(edit, Qt::Key_Z, Qt::ControlModifier);
        QCOMPARE(edit->text(), QStringLiteral("32"));
        QCOMPARE(bench.steps(), steps); // only the typing went
    }

    void badValueIsRefusedInWords() {
        Bench bench;
        const std::string conv = add(bench.document, "Conv2d");
        bench.select({conv});
        const int steps = bench.steps();
        QLineEdit* edit = bench.line("out_channels");
        bench.type(edit, QStringLiteral("0"));
        QCOMPARE(std::get<std::int64_t>(param(bench.document, conv, "out_channels")), 32);
        QCOMPARE(bench.steps(), steps);
        QCOMPARE(edit->text(), QStringLiteral("0")); // left to be corrected
        const QString message = bench.row("out_channels")->message();
        QVERIFY2(message.startsWith(QStringLiteral("Channels must be")) &&
                     message.contains(QLatin1Char('0')),
                 qPrintable(message));
        QTest::keyClick(edit, Qt::Key_Escape);
        QCOMPARE(edit->text(), QStringLiteral("32"));
        QVERIFY(bench.row("out_channels")->message().isEmpty());
        bench.type(edit, QStringLiteral("no number"));
        QVERIFY(!bench.row("out_channels")->message().isEmpty());
        QCOMPARE(bench.steps(), steps);
    }

    void listsAreWrittenAsSizes() {
        Bench bench;
        const std::string conv = add(bench.document, "Conv2d");
        bench.select({conv});
        QLineEdit* edit = bench.line("kernel_size");
        for (const auto& [typed, expected] : std::initializer_list<std::pair<const char*, Ints>>{
                 {"3 × 7", {3, 7}}, {"5x5", {5, 5}}, {"2, 4", {2, 4}}}) {
            bench.type(edit, QString::fromUtf8(typed));
            QVERIFY2(std::get<Ints>(param(bench.document, conv, "kernel_size")) == expected, typed);
        }
        QCOMPARE(edit->text(), QStringLiteral("2 × 4"));
    }

    void scrubbingALabelIsOneStep() {
        Bench bench;
        const std::string conv = add(bench.document, "Conv2d");
        bench.select({conv});
        const int steps = bench.steps();
        auto* label = bench.panel.findChild<ScrubLabel*>(QStringLiteral("label_out_channels"));
        const QPoint start = label->rect().center();
        QTest::mousePress(label, Qt::LeftButton, {}, start);
        for (int x = 4; x <= 40; x += 4) {
            QTest::mouseMove(label, start + QPoint(x, 0));
        }
        QTest::mouseRelease(label, Qt::LeftButton, {}, start + QPoint(40, 0));
        QCOMPARE(std::get<std::int64_t>(param(bench.document, conv, "out_channels")),
                 42); // a unit each four pixels
        QCOMPARE(bench.steps(), steps + 1);
        bench.document.undo();
        QCOMPARE(std::get<std::int64_t>(param(bench.document, conv, "out_channels")), 32);
    }

    void escapeGivesAScrubUp() {
        Bench bench;
        const std::string conv = add(bench.document, "Conv2d");
        bench.select({conv});
        auto* label = bench.panel.findChild<ScrubLabel*>(QStringLiteral("label_out_channels"));
        const QPoint start = label->rect().center();
        QTest::mousePress(label, Qt::LeftButton, {}, start);
        QTest::mouseMove(label, start + QPoint(30, 0));
        QVERIFY(std::get<std::int64_t>(param(bench.document, conv, "out_channels")) > 32);
        QTest::keyClick(label, Qt::Key_Escape);
        QCOMPARE(std::get<std::int64_t>(param(bench.document, conv, "out_channels")), 32);
        QTest::mouseMove(label, start + QPoint(60, 0));
        QTest::mouseRelease(label, Qt::LeftButton, {}, start + QPoint(60, 0));
        QCOMPARE(std::get<std::int64_t>(param(bench.document, conv, "out_channels")), 32);
    }

    void wheelOnlyTurnsAFocusedField() {
        Bench bench;
        const std::string conv = add(bench.document, "Conv2d");
        bench.select({conv});
        QLineEdit* edit = bench.line("out_channels");
        bench.line("name")->setFocus();
        turnWheel(edit, 1);
        QCOMPARE(std::get<std::int64_t>(param(bench.document, conv, "out_channels")), 32);
        const int steps = bench.steps();
        edit->setFocus();
        turnWheel(edit, 1);
        turnWheel(edit, 1);
        QCOMPARE(std::get<std::int64_t>(param(bench.document, conv, "out_channels")), 34);
        QCOMPARE(bench.steps(), steps + 1); // quick notches are one gesture
        const std::string sgd = add(bench.document, "SGD");
        bench.select({sgd});
        auto* box = bench.panel.findChild<QComboBox*>(QStringLiteral("param_schedule"));
        turnWheel(box, -1);
        QCOMPARE(std::get<std::string>(param(bench.document, sgd, "schedule")),
                 std::string("constant"));
    }

    void severalNodesAreEditedTogether() {
        Bench bench;
        const std::string a = add(bench.document, "Conv2d"), b = add(bench.document, "Conv2d");
        bench.document.apply({graph::SetParam{a, "out_channels", std::int64_t(8)}});
        bench.select({a, b});
        QLineEdit* edit = bench.line("out_channels");
        QCOMPARE(edit->text(), QString());
        QCOMPARE(edit->placeholderText(), QStringLiteral("mixed"));
        const int steps = bench.steps();
        edit->setFocus(); // going through a mixed field changes nothing
        QTest::keyClick(edit, Qt::Key_Tab);
        QCOMPARE(bench.steps(), steps);
        bench.type(edit, QStringLiteral("16"));
        QCOMPARE(std::get<std::int64_t>(param(bench.document, a, "out_channels")), 16);
        QCOMPARE(std::get<std::int64_t>(param(bench.document, b, "out_channels")), 16);
        QCOMPARE(bench.steps(), steps + 1);
        bench.document.undo();
        QCOMPARE(std::get<std::int64_t>(param(bench.document, a, "out_channels")), 8);
        QCOMPARE(std::get<std::int64_t>(param(bench.document, b, "out_channels")), 32);
        QCOMPARE(edit->text(), QString());
    }

    void rowsFollowTheirRules() {
        Bench bench;
        const std::string sgd = add(bench.document, "SGD");
        bench.select({sgd});
        QVERIFY(!bench.row("step_size")->isVisibleTo(&bench.panel));
        auto* box = bench.panel.findChild<QComboBox*>(QStringLiteral("param_schedule"));
        box->setFocus();
        QTest::keyClick(box, Qt::Key_Down); // "Steps down"
        QCOMPARE(std::get<std::string>(param(bench.document, sgd, "schedule")),
                 std::string("step"));
        QVERIFY(bench.row("step_size")->isVisibleTo(&bench.panel));
        bench.document.undo();
        QVERIFY(!bench.row("step_size")->isVisibleTo(&bench.panel));
    }

    void resetGoesBackToTheDefault() {
        Bench bench;
        const std::string conv = add(bench.document, "Conv2d");
        bench.select({conv});
        auto* reset = bench.panel.findChild<QToolButton*>(QStringLiteral("reset_out_channels"));
        QVERIFY(!reset->isVisibleTo(&bench.panel));
        bench.type(bench.line("out_channels"), QStringLiteral("5"));
        QVERIFY(reset->isVisibleTo(&bench.panel));
        QTest::mouseClick(reset, Qt::LeftButton);
        QCOMPARE(std::get<std::int64_t>(param(bench.document, conv, "out_channels")), 32);
        QVERIFY(!reset->isVisibleTo(&bench.panel));
    }

    void switchAndNameAndProjectSettings() {
        Bench bench;
        const std::string conv = add(bench.document, "Conv2d");
        bench.select({conv});
        QTest::mouseClick(bench.row("bias")->editor()->field(), Qt::LeftButton);
        QCOMPARE(std::get<bool>(param(bench.document, conv, "bias")), false);
        QTest::mouseClick(bench.row("muted")->editor()->field(), Qt::LeftButton);
        QVERIFY(bench.document.graph().node(conv)->muted);
        bench.type(bench.line("name"), QStringLiteral("stem"));
        QCOMPARE(bench.document.graph().node(conv)->name, std::string("stem"));
        bench.select({});
        bench.type(bench.line("epochs"), QStringLiteral("25"));
        bench.type(bench.line("title"), QStringLiteral("Mine"));
        QCOMPARE(bench.document.graph().training().epochs, 25);
        QCOMPARE(bench.document.graph().title(), std::string("Mine"));
        QCOMPARE(bench.document.graph().training().batch_size, graph::Training{}.batch_size);
    }

    void removedNodesLeaveThePanel() {
        Bench bench;
        const std::string conv = add(bench.document, "Conv2d");
        bench.select({conv});
        QCOMPARE(bench.panel.nodes().size(), std::size_t(1));
        // Undo from inside the very field that goes away with the node.
        QLineEdit* edit = bench.line("out_channels");
        edit->setFocus();
        QTest::keyClick(edit, Qt::Key_Z, Qt::ControlModifier);
        QVERIFY(bench.document.graph().nodes().empty());
        QVERIFY(bench.panel.nodes().empty());
        QCoreApplication::sendPostedEvents(nullptr, QEvent::DeferredDelete);
        QVERIFY(bench.line("epochs"));
    }

    void aFixIsAButtonAndOneStep() {
        Bench bench;
        const Classifier net = addClassifier(bench.document, 1);
        const graph::NodeType* linear = graph::find_type("Linear");
        bench.document.apply({graph::Disconnect{{net.data, "x", net.layer, linear->inputs[0].id}}});
        bench.select({net.layer});
        QPushButton* fix = nullptr;
        QTRY_VERIFY((fix = bench.panel.findChild<QPushButton*>(QStringLiteral("fix0"))) != nullptr);
        QVERIFY(!bench.document.analysis().of_node(net.layer).empty());
        const int steps = bench.steps();
        QTest::mouseClick(fix, Qt::LeftButton);
        QTRY_VERIFY(bench.document.analysis().of_node(net.layer).empty());
        QCOMPARE(bench.steps(), steps + 1);
    }

    void factsAreTold() {
        Bench bench;
        const Classifier net = addClassifier(bench.document, 1);
        bench.select({net.layer});
        QTRY_VERIFY(bench.panel.findChild<QLabel*>(QStringLiteral("fact_Weights")));
        QCOMPARE(bench.panel.findChild<QLabel*>(QStringLiteral("fact_Weights"))->text(),
                 QStringLiteral("15")); // 4 · 3 + 3
        QCOMPARE(bench.panel.findChild<QLabel*>(QStringLiteral("fact_Output"))->text(),
                 QStringLiteral("N × 3"));
        QCOMPARE(bench.panel.findChild<QLabel*>(QStringLiteral("fact_weight"))->text(),
                 QStringLiteral("3 × 4"));
    }

    void unknownTypesAreShownAndKept() {
        Bench bench;
        const std::string id = add(bench.document, "ReLU");
        std::string text = graph::to_text(bench.document.graph());
        const auto at = text.find("\"ReLU\"");
        QVERIFY(at != std::string::npos);
        text.replace(at, 6, "\"FutureLayer\"");
        bench.document.adopt(graph::from_text(text), {});
        bench.select({id});
        auto* title = bench.panel.findChild<QLabel*>(QStringLiteral("propertiesTitle"));
        QCOMPARE(title->text(), QStringLiteral("FutureLayer"));
        QCOMPARE(bench.document.graph().node(id)->type, std::string("FutureLayer"));
    }

    void settingsAreLockedWhileTraining() {
        Bench bench;
        const Classifier net = addClassifier(bench.document, 100000);
        bench.select({});
        bench.session.start();
        QVERIFY(!bench.line("seed")->isEnabled()); // would be another run
        QVERIFY(bench.line("epochs")->isEnabled());
        bench.select({net.layer});
        QVERIFY(bench.line("out_features")->isEnabled()); // applied at a step boundary
        bench.session.stop();
        QTRY_VERIFY_WITH_TIMEOUT(!bench.session.isActive(), 30000);
        bench.select({});
        QVERIFY(bench.line("seed")->isEnabled());
    }

    void nudgesStayInRange() {
        graph::ParamSpec spec;
        spec.id = "p";
        spec.kind = graph::ParamKind::Real;
        spec.min = 0;
        spec.max = 1;
        spec.max_excluded = true;
        QCOMPARE(std::get<double>(*nudged(spec, 0.1, 20)), 0.3); // exactly, not 0.30000000000000004
        QCOMPARE(std::get<double>(*nudged(spec, 0.5, 1000)), 0.99);
        QVERIFY(!nudged(spec, 0.0, -5));
        spec.logarithmic = true;
        spec.max = 1000;
        QCOMPARE(std::get<double>(*nudged(spec, 0.001, 25)), 0.01); // 25 units are a decade
        spec.kind = graph::ParamKind::IntList;
        spec.list_min = 1;
        spec.list_max = 2;
        spec.min = 1;
        QVERIFY(std::get<Ints>(*nudged(spec, Ints{3, 5}, 2)) == (Ints{5, 7}));
        QVERIFY(!nudged(spec, std::string("text"), 2));
    }
};

QTEST_MAIN(PropertiesTest)
#include "properties_test.moc"

// The palette: every type is there, search finds by synonym, double-click and Enter add behind the
// selection, a drag lands.
#include <QDropEvent>
#include <QLabel>
#include <QLineEdit>
#include <QMimeData>
#include <QTemporaryDir>
#include <QTreeWidget>

#include "session/settings.h"
#include "tests/ui/helpers/canvas_rig.h"
#include "ui/canvas/type_list.h"
#include "ui/palette/palette_panel.h"
#include "ui/palette/type_tree.h"
#include "ui/theme/theme.h"

using namespace wiregrad;
using namespace wiregrad::studio;

namespace {

struct PaletteRig : CanvasRig {
    PalettePanel palette{document, *canvas};
    PaletteRig() {
        palette.resize(260, 700);
        palette.show();
        QApplication::processEvents();
    }
    TypeTree& tree() { return *palette.findChild<TypeTree*>(QStringLiteral("palette.tree")); }
    QLineEdit& field() { return *palette.findChild<QLineEdit*>(QStringLiteral("palette.search")); }
    QTreeWidgetItem* item(const QString& type) {
        for (QTreeWidgetItemIterator it(&tree()); *it; ++it)
            if (TypeTree::typeOf(*it) == type) {
                if ((*it)->parent()) (*it)->parent()->setExpanded(true);
                return *it;
            }
        return nullptr;
    }
    void doubleClickItem(const QString& type) {
        QTreeWidgetItem* found = item(type);
        QVERIFY(found);
        tree().scrollToItem(found);
        const QPoint at = tree().visualItemRect(found).center();
        QTest::mouseClick(tree().viewport(), Qt::LeftButton, {}, at);
        QTest::mouseDClick(tree().viewport(), Qt::LeftButton, {}, at);
        QApplication::processEvents();
    }
};

} // namespace

class PaletteTest : public QObject {
    Q_OBJECT

  private slots:
    void everyTypeIsThereOnceUnderItsCategory() {
        PaletteRig rig;
        QHash<QString, QString> found;
        for (QTreeWidgetItemIterator it(&rig.tree()); *it; ++it)
            if (const QString type = TypeTree::typeOf(*it); !type.isEmpty()) {
                QVERIFY2(!found.contains(type), qPrintable(type));
                found.insert(type, (*it)->parent()->text(0));
            }
        QCOMPARE(found.size(), int(graph::node_types().size()));
        for (const auto& type : graph::node_types()) {
            QCOMPARE(found.value(QString::fromStdString(type.id)),
                     QString::fromStdString(type.category));
            const QString tip = rig.item(QString::fromStdString(type.id))->toolTip(0);
            QVERIFY(tip.contains(QString::fromStdString(type.help).toHtmlEscaped()));
            if (!type.formula.empty())
                QVERIFY(tip.contains(QString::fromStdString(type.formula).toHtmlEscaped()));
        }
    }

    void sectionsFoldAndStayFolded() {
        PaletteRig rig;
        QTreeWidgetItem* heading = rig.item(QStringLiteral("Conv2d"))->parent();
        const bool open = heading->isExpanded();
        rig.tree().scrollToItem(heading);
        QTest::mouseClick(rig.tree().viewport(), Qt::LeftButton, {},
                          rig.tree().visualItemRect(heading).center());
        QCOMPARE(heading->isExpanded(), !open);
        QCOMPARE(rig.palette.shownTypes().contains(QStringLiteral("Conv2d")), !open);
        QTest::keyClicks(&rig.field(), QStringLiteral("dense"));
        QCOMPARE(rig.palette.shownTypes().front(), QStringLiteral("Linear"));
        rig.field().clear();
        QCOMPARE(rig.palette.shownTypes().contains(QStringLiteral("Conv2d")), !open);
    }

    void UX_12_searchAndEnterAddTheFirst() {
        PaletteRig rig;
        rig.palette.focusSearch();
        QTest::keyClicks(&rig.field(), QStringLiteral("cnn"));
        QTest::keyClick(&rig.field(), Qt::Key_Return);
        QCOMPARE(rig.graph().nodes().size(), 1u);
        QCOMPARE(rig.graph().nodes().begin()->second.type, std::string("Conv2d"));
        QTest::keyClick(&rig.field(), Qt::Key_Down);
        QVERIFY(TypeTree::typeOf(rig.tree().currentItem()) != QStringLiteral("Conv2d"));
        rig.field().clear();
        QTest::keyClicks(&rig.field(), QStringLiteral("zzzz"));
        QVERIFY(rig.palette.shownTypes().isEmpty());
        QVERIFY(rig.palette.findChild<QLabel*>(QStringLiteral("palette.help"))
                    ->text()
                    .contains(QStringLiteral("zzzz")));
        QTest::keyClick(&rig.field(), Qt::Key_Escape);
        QVERIFY(!rig.palette.shownTypes().isEmpty());
    }

    void UX_13_doubleClickAddsAfterTheSelectionAndWires() {
        PaletteRig rig;
        rig.doubleClickItem(QStringLiteral("Dataset"));
        rig.doubleClickItem(QStringLiteral("Flatten"));
        rig.doubleClickItem(QStringLiteral("Linear"));
        rig.doubleClickItem(QStringLiteral("CrossEntropyLoss"));
        rig.doubleClickItem(QStringLiteral("SGD"));
        QCOMPARE(rig.graph().nodes().size(), 5u);
        QCOMPARE(rig.steps(), 5);
        const auto order = rig.graph().topological_order();
        const std::vector<std::string> types{"Dataset", "Flatten", "Linear", "CrossEntropyLoss",
                                             "SGD"};
        QCOMPARE(order.size(), types.size());
        for (std::size_t i = 0; i < order.size(); ++i) {
            QCOMPARE(rig.graph().node(order[i])->type, types[i]);
            if (i + 1 < order.size()) {
                QVERIFY(!rig.graph().wires_out_of(order[i]).empty());
                QCOMPARE(rig.graph().wires_out_of(order[i]).front().to, order[i + 1]);
                QVERIFY(rig.graph().node(order[i])->position.x <
                        rig.graph().node(order[i + 1])->position.x);
            }
        }
        QCOMPARE(rig.disagreement(), QString());
    }

    void UX_13_dragFromPaletteLandsUnderTheCursor() {
        PaletteRig rig;
        const auto drop = [&](const QString& type, QPointF at) {
            QMimeData data;
            data.setData(QLatin1String(kTypeMime), type.toUtf8());
            QDragEnterEvent enter(at.toPoint(), Qt::CopyAction, &data, Qt::LeftButton, {});
            QApplication::sendEvent(rig.canvas->viewport(), &enter);
            QVERIFY(enter.isAccepted());
            QDragMoveEvent move(at.toPoint(), Qt::CopyAction, &data, Qt::LeftButton, {});
            QApplication::sendEvent(rig.canvas->viewport(), &move);
            QVERIFY(move.isAccepted());
            QDropEvent event(at, Qt::CopyAction, &data, Qt::LeftButton, {});
            QApplication::sendEvent(rig.canvas->viewport(), &event);
            QVERIFY(event.isAccepted());
        };
        drop(QStringLiteral("Flatten"), {300, 300});
        QCOMPARE(rig.graph().nodes().size(), 1u);
        const NodeItem* item = rig.scene().nodeAt(rig.sceneAt({300, 300}));
        QVERIFY(item);
        const std::string flat = item->id();
        const std::string relu = rig.add("ReLU", item->pos().x() + 400, item->pos().y());
        rig.wire(flat, "out", relu, "in");
        const int steps = rig.steps();
        drop(QStringLiteral("Linear"), rig.middle({flat, "out", relu, "in"}));
        QCOMPARE(rig.graph().nodes().size(), 3u);
        QCOMPARE(rig.steps(), steps + 1);
        const std::string linear = *rig.scene().chosenNodes().begin();
        QVERIFY(rig.wired(flat, "out", linear, "in") && rig.wired(linear, "out", relu, "in") &&
                !rig.wired(flat, "out", relu, "in"));
        QMimeData foreign;
        foreign.setText(QStringLiteral("hello"));
        QDragEnterEvent enter(QPoint(300, 300), Qt::CopyAction, &foreign, Qt::LeftButton, {});
        QApplication::sendEvent(rig.canvas->viewport(), &enter);
        QVERIFY(!enter.isAccepted());
        QCOMPARE(rig.disagreement(), QString());
    }

    void recentsComeFirst() {
        PaletteRig rig;
        rig.canvas->addNode(QStringLiteral("Tanh"), {0, 0}, false);
        QTRY_COMPARE(rig.palette.shownTypes().front(), QStringLiteral("Tanh"));
    }
};

int main(int argc, char** argv) {
    // Settings of the person who runs the tests are left alone.
    QTemporaryDir home;
    qputenv("XDG_CONFIG_HOME", home.path().toUtf8());
    if (qEnvironmentVariableIsEmpty("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
    QApplication app(argc, argv);
    Theme::instance().apply(QStringLiteral("light"));
    PaletteTest tests;
    return QTest::qExec(&tests, argc, argv);
}

#include "palette_test.moc"

// The script panel: live while wiring, lines and nodes select each other, problems in words, every
// target, copying and saving.
#include <QClipboard>
#include <QComboBox>
#include <QGuiApplication>
#include <QPushButton>
#include <QTemporaryDir>
#include <QToolButton>
#include <QtTest>

#include "nodes/group.h"
#include "session/sheet.h"
#include "tests/source_dir.h"
#include "tests/ui/helpers/tiny_graph.h"
#include "ui/script/highlighter.h"
#include "ui/script/script_panel.h"
#include "ui/script/source_view.h"
#include "ui/theme/theme.h"

using namespace wiregrad;
using namespace wiregrad::studio;
using namespace wiregrad::studio::testing;

namespace {

QString example(const char* name) {
    return QString::fromStdString(source_dir()) + QStringLiteral("/resources/examples/") +
           QLatin1String(name) + QStringLiteral(".wiregrad");
}

struct Rig {
    Document document;
    Sheet sheet{document};
    ScriptPanel panel{document, sheet};

    Rig() {
        panel.resize(800, 500);
        panel.setTarget(QStringLiteral("pytorch"));
        panel.show();
    }
    int lineWith(const QString& text) const {
        return int(panel.text().left(panel.text().indexOf(text)).count(QLatin1Char('\n')));
    }
    bool shows(const QString& text) { return panel.text().contains(text); }
};

} // namespace

class ScriptTest : public QObject {
    Q_OBJECT

  private slots:
    void theSourceFollowsTheWiring() {
        Rig rig;
        QVERIFY(rig.panel.text().isEmpty());
        const Classifier net = addClassifier(rig.document, 1);
        QTRY_VERIFY(rig.shows(QStringLiteral("class Net(nn.Module):")));
        QVERIFY(rig.shows(QStringLiteral("nn.Linear(")));
        QVERIFY(!rig.shows(QStringLiteral("--verify")));
        rig.document.apply({graph::SetParam{net.layer, "out_features", std::int64_t{17}}});
        QTRY_VERIFY(rig.shows(QStringLiteral(", 17")));
        rig.document.apply({graph::Rename{net.layer, "Hidden part"}});
        QTRY_VERIFY(rig.shows(QStringLiteral("self.hidden_part = nn.Linear(")));
        rig.document.undo();
        rig.document.undo();
        QTRY_VERIFY(!rig.shows(QStringLiteral(", 17")));
        QVERIFY(rig.panel.lastMilliseconds() > 0);
    }

    void anUnfinishedNetworkSaysWhyAndKeepsTheLastSource() {
        Rig rig;
        const Classifier net = addClassifier(rig.document, 1);
        QTRY_VERIFY(rig.shows(QStringLiteral("nn.Linear(")));
        const QString before = rig.panel.text();
        const std::string input = graph::find_type("Linear")->inputs[0].id;
        rig.document.apply({graph::Disconnect{{net.data, "x", net.layer, input}}});
        QTRY_VERIFY(!rig.panel.problem().isEmpty());
        QCOMPARE(rig.panel.text(), before);
        auto* save = rig.panel.findChild<QToolButton*>(QStringLiteral("script.save"));
        QVERIFY(!save->isEnabled());
        QSignalSpy places(&rig.panel, &ScriptPanel::activated);
        rig.panel.findChild<QPushButton*>(QStringLiteral("script.showProblem"))->click();
        QCOMPARE(places.at(0).at(0).toString().toStdString(), net.layer);
        rig.document.undo();
        QTRY_VERIFY(rig.panel.problem().isEmpty());
        QVERIFY(save->isEnabled());
    }

    void linesAndNodesSelectEachOther() {
        Rig rig;
        rig.document.loadExample(example("digits-lenet"));
        QTRY_VERIFY(rig.shows(QStringLiteral("nn.Conv2d(")));
        QSignalSpy places(&rig.panel, &ScriptPanel::activated);
        const int line = rig.lineWith(QStringLiteral("nn.Conv2d("));
        SourceView& view = rig.panel.view();
        view.setTextCursor(QTextCursor(view.document()->findBlockByNumber(line)));
        view.ensureCursorVisible();
        QTest::mouseClick(view.viewport(), Qt::LeftButton, {},
                          view.lineRect(line).center().x() > 0
                              ? QPoint(30, view.lineRect(line).center().y())
                              : QPoint());
        QCOMPARE(places.size(), 1);
        const QString node = places.at(0).at(0).toString();
        QCOMPARE(rig.document.graph().node(node.toStdString())->type, std::string("Conv2d"));
        QTest::keyClick(&view, Qt::Key_Return);
        QCOMPARE(places.size(), 2);
        // Lines of no node choose nothing.
        view.setTextCursor(QTextCursor(view.document()->firstBlock()));
        QTest::keyClick(&view, Qt::Key_Return);
        QCOMPARE(places.size(), 2);
        // The other way round: where it is made and where it is called.
        rig.panel.showNodes({node});
        QCOMPARE(view.marked().size(), std::size_t(2));
        for (const int marked : view.marked())
            QCOMPARE(rig.panel.nodeOf(marked), node);
        QVERIFY(view.viewport()->rect().contains(view.lineRect(view.marked().front()).center()) ||
                view.viewport()->rect().contains(view.lineRect(view.marked().back()).center()));
        rig.panel.showNodes({});
        QVERIFY(view.marked().empty());
    }

    void everyTargetIsShown() {
        Rig rig;
        rig.document.loadExample(example("iris"));
        const std::pair<const char*, const char*> targets[] = {
            {"pytorch", "class Net(nn.Module):"},
            {"jax", "def forward(params, "},
            {"keras", "class Net(keras.Model):"},
            {"cpp", "std::vector<Tensor> forward("}};
        for (const auto& [target, words] : targets) {
            rig.panel.setTarget(QLatin1String(target));
            QTRY_VERIFY2(rig.shows(QLatin1String(words)), target);
            rig.panel.showNodes({QStringLiteral("linear1")});
            QVERIFY2(!rig.panel.view().marked().empty(), target);
        }
        // What a target cannot say is refused with its place.
        rig.panel.setTarget(QStringLiteral("keras"));
        rig.document.apply({graph::SetParam{"adam1", "ema_decay", 0.9}});
        QTRY_VERIFY(rig.panel.problem().contains(QStringLiteral("ema_decay")));
    }

    void itIsCopiedAndSaved() {
        Rig rig;
        rig.document.loadExample(example("iris"));
        QTRY_VERIFY(rig.shows(QStringLiteral("nn.Linear(")));
        rig.panel.findChild<QToolButton*>(QStringLiteral("script.copy"))->click();
        QCOMPARE(QGuiApplication::clipboard()->text(), rig.panel.text() + QLatin1Char('\n'));
        QTemporaryDir folder;
        QSignalSpy said(&rig.panel, &ScriptPanel::said);
        rig.panel.save(folder.filePath(QStringLiteral("net.py")));
        QTRY_COMPARE(said.size(), 1);
        QVERIFY2(said.at(0).at(1).toBool(), qPrintable(said.at(0).at(0).toString()));
        QFile script(folder.filePath(QStringLiteral("net.py")));
        QVERIFY(script.open(QIODevice::ReadOnly));
        QVERIFY(script.readAll().contains("CERTIFICATE = {"));
        QVERIFY(QFileInfo::exists(folder.filePath(QStringLiteral("net.weights.npz"))));
        // Where nothing can be written, that is said and nothing is left behind.
        rig.panel.save(QStringLiteral("/nowhere/at/all/net.py"));
        QTRY_COMPARE(said.size(), 2);
        QVERIFY(!said.at(1).at(1).toBool());
        QVERIFY(said.at(1).at(0).toString().contains(QStringLiteral("/nowhere/at/all")));
    }

    void coloursFollowTheTheme() {
        SourceView view;
        view.setSource({QStringLiteral("def f(x):"), QStringLiteral("    \"\"\"Two"),
                        QStringLiteral("    lines.\"\"\""),
                        QStringLiteral("    return 1.5e-3  # half")},
                       {}, SourceHighlighter::Language::Python);
        const auto colourAt = [&](int line, int column) {
            const QTextBlock block = view.document()->findBlockByNumber(line);
            for (const QTextLayout::FormatRange& range : block.layout()->formats())
                if (column >= range.start && column < range.start + range.length)
                    return range.format.foreground().color();
            return QColor();
        };
        for (const char* theme : {"light", "dark"}) {
            Theme::instance().apply(QLatin1String(theme));
            QCOMPARE(colourAt(0, 0), Theme::instance().color(Token::Curve6)); // def
            QCOMPARE(colourAt(0, 4), Theme::instance().color(Token::Curve1)); // f
            QCOMPARE(colourAt(1, 8), Theme::instance().color(Token::TextMuted));
            QCOMPARE(colourAt(2, 4), Theme::instance().color(Token::TextMuted)); // still inside
            QCOMPARE(colourAt(3, 4), Theme::instance().color(Token::Curve6));
            QCOMPARE(colourAt(3, 16), Theme::instance().color(Token::Curve2)); // all of the number
            QCOMPARE(colourAt(3, 22), Theme::instance().color(Token::TextMuted));
            QVERIFY(!colourAt(3, 20).isValid() ||
                    colourAt(3, 20) == Theme::instance().color(Token::TextMuted));
        }
    }

    void hiddenPanelsCostNothing() {
        Document document;
        Sheet sheet(document);
        ScriptPanel panel(document, sheet);
        panel.setTarget(QStringLiteral("pytorch"));
        document.loadExample(example("iris"));
        QTest::qWait(300);
        QVERIFY(panel.text().isEmpty());
        panel.resize(600, 400);
        panel.show();
        QTRY_VERIFY(panel.text().contains(QStringLiteral("nn.Linear(")));
    }
};

QTEST_MAIN(ScriptTest)
#include "script_test.moc"

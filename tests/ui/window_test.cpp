// The window as a whole: commands and keys, files and questions, banner, gallery, panels that
// remember their places.
#include <QDockWidget>
#include <QDropEvent>
#include <QFile>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QMenuBar>
#include <QMessageBox>
#include <QMimeData>
#include <QPushButton>
#include <QSignalSpy>
#include <QStandardPaths>
#include <QStatusBar>
#include <QTabBar>
#include <QTemporaryDir>
#include <QTest>
#include <QTimer>
#include <QToolButton>

#include <csignal>

#include "nodes/compile.h"
#include "nodes/project.h"
#include "session/settings.h"
#include "ui/canvas/canvas.h"
#include "ui/theme/theme.h"
#include "ui/window/command_palette.h"
#include "ui/window/examples.h"
#include "ui/window/gallery.h"
#include "ui/window/main_window.h"
#include "ui/window/run_bar.h"

using namespace wiregrad;
using namespace wiregrad::studio;
using train::RunState;

namespace {

struct Fixture {
    QTemporaryDir folder;
    MainWindow window{folder.path()};
    explicit Fixture(bool shown = true) {
        window.resize(1280, 800);
        if (shown) window.show();
    }
    QAction* action(const char* id) { return window.actions().action(QLatin1String(id)); }
};

/// Answers the next message box by the button, from within its own event loop.
void answer(QMessageBox::StandardButton button, int* asked) {
    auto* timer = new QTimer;
    QObject::connect(timer, &QTimer::timeout, timer, [timer, button, asked] {
        if (auto* box = qobject_cast<QMessageBox*>(QApplication::activeModalWidget())) {
            ++*asked;
            timer->stop();
            timer->deleteLater();
            box->button(button)->click();
        }
    });
    timer->start(5);
}

void addLinear(MainWindow& window) {
    QVERIFY(window.document().apply(
        {graph::AddNode{graph::make_node(window.document().graph(), "Linear", {0, 0})}}));
}

} // namespace

class WindowTest : public QObject {
    Q_OBJECT

  private slots:
    void initTestCase() {
        QStandardPaths::setTestModeEnabled(true);
        QCoreApplication::setApplicationName("wiregrad-window-test");
        Theme::instance().apply("dark");
    }
    void init() {
        QFile::remove(QStandardPaths::writableLocation(QStandardPaths::GenericConfigLocation) +
                      "/wiregrad/studio.ini");
        Settings::setLayout("window.state", {});
        Settings::setLayout("window.geometry", {});
        Settings::setValue("recentFiles", {});
    }

    void everyActionIsReachableAndWithoutClash() {
        QTest::failOnWarning(QRegularExpression("registered twice|is taken by"));
        Fixture f;
        QSet<QString> inMenus;
        const auto collect = [&inMenus](const auto& self, const QMenu* menu) -> void {
            for (const QAction* action : menu->actions()) {
                inMenus.insert(action->objectName());
                if (action->menu()) self(self, action->menu());
            }
        };
        for (const QAction* top : f.window.menuBar()->actions())
            collect(collect, top->menu());
        QVERIFY(f.window.actions().all().size() > 30);
        for (const QAction* action : f.window.actions().all()) {
            QVERIFY(!action->text().isEmpty());
            QVERIFY(!action->statusTip().isEmpty());
            if (action->objectName() != "view.theme.toggle") // a button of the toolbar
                QVERIFY2(inMenus.contains(action->objectName()), qPrintable(action->objectName()));
        }
        for (const char* id :
             {"run.start", "run.pause", "run.stop", "run.step", "file.save", "edit.undo"}) {
            auto* button = f.window.findChild<QToolButton*>(QStringLiteral("toolbar.") + id);
            QVERIFY2(button && button->isVisible(), id);
            QVERIFY(!button->icon().isNull());
        }
    }

    void UX_60_runKeys() {
        Fixture f;
        QVERIFY(f.action("run.start")->shortcuts().contains(QKeySequence("Ctrl+Return")));
        QVERIFY(f.action("run.stop")->shortcuts().contains(QKeySequence("Ctrl+Alt+Return")));
        QVERIFY(f.action("run.pause")->shortcuts().contains(QKeySequence("Ctrl+.")));
        QVERIFY(f.action("run.step")->shortcuts().contains(QKeySequence("F10")));
        QVERIFY(f.action("run.epoch")->shortcuts().contains(QKeySequence("Shift+F10")));
        for (const char* id : {"run.start", "run.stop", "run.pause", "run.step", "run.epoch"})
            QCOMPARE(f.action(id)->shortcutContext(), Qt::ApplicationShortcut);
    }

    void theGalleryOpensAndTrains() {
        if (examples().empty()) QSKIP("no examples beside the source");
        Fixture f;
        QVERIFY(!f.window.gallery().isVisible());
        f.action("file.examples")->trigger();
        QVERIFY(f.window.gallery().isVisible());
        QTest::keyClick(&f.window.gallery(), Qt::Key_Escape);
        QVERIFY(!f.window.gallery().isVisible());
        f.action("file.examples")->trigger();
        auto* card = f.window.findChild<QAbstractButton*>("gallery.open.spirals");
        QVERIFY(card);
        QVERIFY(card->isVisible());
        QTest::mouseClick(card, Qt::LeftButton);
        QVERIFY(!f.window.gallery().isVisible());
        QCOMPARE(f.window.document().title(),
                 QString::fromStdString(findExample("spirals")->graph.title()));
        QVERIFY(!f.window.document().isModified());
        QVERIFY(f.window.document().path().isEmpty()); // saving asks for a place
        f.action("file.examples")->trigger();
        QTest::mouseClick(f.window.findChild<QAbstractButton*>("gallery.train.spirals"),
                          Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(f.window.session().progress().step > 20, 120'000);
        QTRY_VERIFY(f.window.runBar().progressText().contains("Step"));
        f.action("run.stop")->trigger();
        QTRY_VERIFY(!f.window.session().isActive());
    }

    void runActionsFollowTheState() {
        if (!findExample("spirals")) QSKIP("no examples beside the source");
        Fixture f;
        QVERIFY(f.window.openExample("spirals", false));
        graph::Training training = f.window.document().graph().training();
        training.epochs = 100'000;
        QVERIFY(f.window.document().apply({graph::SetTraining{training}}));
        QVERIFY(f.action("run.start")->isEnabled() && !f.action("run.pause")->isEnabled() &&
                !f.action("run.stop")->isEnabled());
        f.action("run.start")->trigger();
        QTRY_COMPARE_WITH_TIMEOUT(f.window.session().state(), RunState::Running, 120'000);
        QVERIFY(!f.action("run.start")->isEnabled() && f.action("run.pause")->isEnabled() &&
                f.action("run.stop")->isEnabled());
        f.action("run.pause")->trigger();
        QTRY_COMPARE(f.window.session().state(), RunState::Paused);
        QCOMPARE(f.window.runBar().stateText(), f.window.session().stateText());
        QVERIFY(f.action("run.start")->isEnabled());
        QVERIFY(f.action("run.start")->text().contains("Resume"));
        const auto step = f.window.session().progress().step;
        f.action("run.step")->trigger();
        QTRY_COMPARE(f.window.session().progress().step, step + 1);
        // UX-54: an edit is refused in words, over the canvas, and can be made possible from there.
        graph::Training other = f.window.document().graph().training();
        ++other.seed;
        QVERIFY(!f.window.document().apply({graph::SetTraining{other}}));
        QVERIFY(f.window.banner().text().contains("seed"));
        QVERIFY(!f.window.banner().findChildren<QPushButton*>().isEmpty());
        QTest::mouseClick(f.window.banner().findChildren<QPushButton*>().last(), Qt::LeftButton);
        QTRY_COMPARE(f.window.session().state(), RunState::Stopped);
        QVERIFY(f.window.document().apply({graph::SetTraining{other}}));
    }

    void aNetworkThatCannotRunSaysWhy() {
        Fixture f;
        addLinear(f.window);
        f.action("run.start")->trigger();
        QVERIFY(f.window.banner().isVisible());
        QVERIFY(f.window.banner().kind() == Banner::Kind::Error);
        QVERIFY(f.window.banner().text().size() > 30);
        QCOMPARE(f.window.session().state(), RunState::Idle);
        // The tab of the problems, now in front, counts them.
        auto* problems = f.window.findChild<QDockWidget*>("dock.problems");
        QTRY_VERIFY2(problems->windowTitle().contains("("), qPrintable(problems->windowTitle()));
        const auto tabTexts = [&f] {
            QStringList texts;
            for (const auto* bar : f.window.findChildren<QTabBar*>())
                for (int i = 0; i < bar->count(); ++i)
                    texts << bar->tabText(i);
            return texts;
        };
        QTRY_VERIFY2(tabTexts().contains(problems->windowTitle()),
                     qPrintable(tabTexts().join(", ")));
        f.window.banner().dismiss();
        QVERIFY(f.window.banner().text().isEmpty());
    }

    void aQuestionIsNotTalkedOver() {
        Fixture f;
        int answered = 0;
        f.window.banner().say(Banner::Kind::Question, "Restore?",
                              {{"Yes", [&answered] { ++answered; }}});
        f.window.banner().say(Banner::Kind::Error, "Something else");
        QCOMPARE(f.window.banner().text(), QString("Restore?"));
        QTest::mouseClick(f.window.banner().findChildren<QPushButton*>().front(), Qt::LeftButton);
        QCOMPARE(answered, 1);
        QCOMPARE(f.window.banner().text(), QString("Something else"));
    }

    void undoTextsAndTitle() {
        Fixture f;
        QVERIFY(!f.action("edit.undo")->isEnabled());
        QVERIFY(!f.window.isWindowModified());
        addLinear(f.window);
        QVERIFY(f.window.isWindowModified());
        QVERIFY(f.action("edit.undo")->isEnabled());
        QVERIFY(f.action("edit.undo")->text().contains("Linear"));
        f.action("edit.undo")->trigger();
        QVERIFY(!f.window.isWindowModified());
        QVERIFY(f.action("edit.redo")->isEnabled());
        QVERIFY(f.action("edit.redo")->text().contains("Linear"));
        QVERIFY(f.window.windowTitle().contains("Wiregrad"));
    }

    void totalsOfTheNetwork() {
        if (!findExample("digits-lenet")) QSKIP("no examples beside the source");
        Fixture f;
        QVERIFY(f.window.openExample("digits-lenet", false));
        auto* totals = f.window.findChild<QLabel*>("status.totals");
        QTRY_VERIFY2(totals->text().contains("61,706 weights"), qPrintable(totals->text()));
        QVERIFY(f.window.findChild<QLabel*>("status.zoom")->text().contains("%"));
    }

    void closingAsksOnlyWhenSomethingWouldBeLost() {
        QTemporaryDir files;
        int asked = 0;
        {
            Fixture f;
            QVERIFY(f.window.close()); // nothing to lose
        }
        Fixture f;
        addLinear(f.window);
        answer(QMessageBox::Cancel, &asked);
        QVERIFY(!f.window.close());
        QCOMPARE(asked, 1);
        QVERIFY(f.window.isVisible());
        f.window.document().save(files.filePath("net.wiregrad"));
        addLinear(f.window);
        answer(QMessageBox::Save, &asked);
        QVERIFY(f.window.close());
        QCOMPARE(asked, 2);
        QCOMPARE(graph::load_project(files.filePath("net.wiregrad").toStdString()).nodes().size(),
                 std::size_t(2));
        f.window.show();
        addLinear(f.window);
        answer(QMessageBox::Discard, &asked);
        QVERIFY(f.window.close());
        QCOMPARE(asked, 3);
        QCOMPARE(graph::load_project(files.filePath("net.wiregrad").toStdString()).nodes().size(),
                 std::size_t(2));
    }

    void closingWhileARunGoesOnKeepsItsWeights() {
        if (!findExample("spirals")) QSKIP("no examples beside the source");
        QTemporaryDir files;
        const QString path = files.filePath("net.wiregrad"),
                      weights = files.filePath("net.weights.h5");
        Fixture f;
        QVERIFY(f.window.openExample("spirals", false));
        graph::Training training = f.window.document().graph().training();
        training.epochs = 100'000;
        QVERIFY(f.window.document().apply({graph::SetTraining{training}}));
        f.window.document().save(path);
        f.action("run.start")->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(f.window.session().progress().step > 20, 120'000);
        QVERIFY(!f.window.document().isModified());
        int asked = 0;
        answer(QMessageBox::Cancel, &asked);
        QVERIFY(!f.window.close());
        QCOMPARE(asked, 1);
        QVERIFY(f.window.session().isActive());
        QVERIFY(!QFile::exists(weights));
        answer(QMessageBox::Save, &asked);
        QVERIFY(f.window.close());
        QCOMPARE(asked, 2);
        QVERIFY(!f.window.session().isActive());
        QVERIFY(QFile::exists(weights));
    }

    void brokenFilesAreASentence() {
        QTemporaryDir files;
        QFile file(files.filePath("broken.wiregrad"));
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write("{ \"format\": ");
        file.close();
        Fixture f;
        QVERIFY(!f.window.openFile(file.fileName()));
        QVERIFY(f.window.banner().isVisible());
        QVERIFY(f.window.banner().text().contains("broken"));
        QVERIFY(!f.window.openFile(files.filePath("missing.wiregrad")));
        QVERIFY(!f.window.openExample("no-such-example", false));
        QVERIFY(f.window.banner().text().contains("no-such-example"));
        QVERIFY(Settings::recentFiles().isEmpty());
    }

    void openedFilesAreRemembered() {
        QTemporaryDir files;
        const QString path = files.filePath("net.wiregrad");
        Fixture f;
        addLinear(f.window);
        f.window.document().save(path);
        QVERIFY(f.window.openFile(path));
        QCOMPARE(Settings::recentFiles(), QStringList{path});
        QVERIFY(f.window.windowTitle().startsWith("net.wiregrad"));
    }

    void UX_15_droppedFilesBecomeDataOrProjects() {
        QTemporaryDir files;
        const QString csv = files.filePath("points.csv"), project = files.filePath("net.wiregrad");
        QFile file(csv);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write("a,b,label\n1,2,0\n3,4,1\n");
        file.close();
        Fixture f;
        const auto drop = [&f](const QString& path) {
            QMimeData mime;
            mime.setUrls({QUrl::fromLocalFile(path)});
            QDragEnterEvent enter(QPoint(600, 300), Qt::CopyAction, &mime, Qt::LeftButton,
                                  Qt::NoModifier);
            QCoreApplication::sendEvent(&f.window, &enter);
            QDropEvent event(QPointF(600, 300), Qt::CopyAction, &mime, Qt::LeftButton,
                             Qt::NoModifier);
            QCoreApplication::sendEvent(&f.window, &event);
        };
        drop(csv);
        const auto& nodes = f.window.document().graph().nodes();
        QCOMPARE(nodes.size(), std::size_t(1));
        QCOMPARE(nodes.begin()->second.type, std::string("Dataset"));
        QCOMPARE(std::get<std::string>(nodes.begin()->second.params.at("path")), csv.toStdString());
        f.window.document().save(project);
        f.window.newProject();
        drop(project);
        QTRY_COMPARE(f.window.document().path(), project);
    }

    void themesSwitchTheWholeWindow() {
        Fixture f;
        f.action("view.theme.light")->trigger();
        QVERIFY(!Theme::instance().isDark());
        const auto lightness = [&f] {
            return f.window.palette().color(QPalette::Window).lightness();
        };
        QTRY_VERIFY(lightness() > 200);
        f.action("view.theme.toggle")->trigger();
        QVERIFY(Theme::instance().isDark());
        QTRY_VERIFY(lightness() < 80);
        QCOMPARE(Settings::theme(), QString("dark"));
        QVERIFY(f.action("view.theme.dark")->isChecked());
    }

    void panelsFloatReturnAndAreRemembered() {
        QByteArray state;
        {
            Fixture f;
            auto* log = f.window.findChild<QDockWidget*>("dock.log");
            auto* inspector = f.window.findChild<QDockWidget*>("dock.inspector");
            QVERIFY(log && inspector);
            QVERIFY(inspector->isVisible());
            log->setFloating(true);
            QVERIFY(log->isFloating());
            QVERIFY(!log->titleBarWidget()); // floating: it needs its own title
            inspector->hide();
            QVERIFY(f.window.close());
        }
        Fixture again;
        auto* log = again.window.findChild<QDockWidget*>("dock.log");
        auto* inspector = again.window.findChild<QDockWidget*>("dock.inspector");
        QVERIFY(log->isFloating());
        QVERIFY(inspector->isHidden());
        again.action("view.resetLayout")->trigger();
        QVERIFY(!log->isFloating());
        QVERIFY(!inspector->isHidden());
        QVERIFY(log->titleBarWidget()); // among tabs: the tab names it
    }

    void theCommandPaletteRunsByName() {
        Fixture f;
        addLinear(f.window);
        CommandPalette palette(f.window.actions(), &f.window);
        palette.setAttribute(Qt::WA_DeleteOnClose, false);
        palette.show();
        auto* field = palette.findChild<QLineEdit*>();
        QTest::keyClicks(field, "undo");
        auto* list = palette.findChild<QListWidget*>();
        QVERIFY(list->count() > 0);
        QCOMPARE(list->item(0)->data(Qt::UserRole).toString(), QString("edit.undo"));
        QTest::keyClick(field, Qt::Key_Return);
        QTRY_VERIFY(f.window.document().graph().nodes().empty());
    }

    void UX_55_whatAKilledProgramLeftIsOffered() {
        QTemporaryDir folder;
        // What a killed studio leaves: a journal, and a lock of a process that is gone.
        graph::Graph graph;
        graph::Node node = graph::make_node(graph, "ReLU", {0, 0});
        node.id = "survivor";
        graph::apply(graph, {graph::AddNode{node}});
        graph::save_project(folder.filePath("j.wiregrad").toStdString(), graph);
        MainWindow window(folder.path());
        window.resize(1200, 800);
        window.show();
        QVERIFY(window.offerRestore());
        QVERIFY(window.banner().kind() == Banner::Kind::Question);
        const auto buttons = window.banner().findChildren<QPushButton*>();
        QCOMPARE(buttons.front()->text(), QString("Restore"));
        QTest::mouseClick(buttons.front(), Qt::LeftButton);
        QVERIFY(window.document().graph().node("survivor"));
        QVERIFY(window.document().isModified());
        QVERIFY(!window.offerRestore());
    }

    void noTextIsCutInTheToolBar() {
        Fixture f;
        for (const QSize size : {QSize(1280, 720), QSize(1440, 900)}) {
            f.window.resize(size);
            QTest::qWait(1);
            for (const auto* button : f.window.findChildren<QToolButton*>())
                if (button->isVisible() && button->objectName().startsWith("toolbar."))
                    QVERIFY2(button->width() >= button->sizeHint().width(),
                             qPrintable(button->objectName()));
            QVERIFY(f.window.width() <= size.width()); // no panel asks for more room than there is
        }
    }

    void UX_15_aDroppedWeightsFileIsTakenOverWhereItFits() {
        QTemporaryDir folder;
        Fixture f;
        QVERIFY(f.window.openExample("spirals", false));
        graph::CompileOptions options;
        options.prefetch = false;
        const auto model = graph::compile_model(f.window.document().graph(), options);
        const QString weights = folder.filePath("some.weights.h5");
        graph::save_weights(weights.toStdString(), model->module().state(),
                            f.window.document().graph());
        const auto drop = [&f](const QString& path) {
            QMimeData data;
            data.setUrls({QUrl::fromLocalFile(path)});
            QDragEnterEvent enter(QPoint(300, 300), Qt::CopyAction, &data, Qt::LeftButton,
                                  Qt::NoModifier);
            QCoreApplication::sendEvent(&f.window, &enter);
            QDropEvent event(QPointF(300, 300), Qt::CopyAction, &data, Qt::LeftButton,
                             Qt::NoModifier);
            QCoreApplication::sendEvent(&f.window, &event);
        };
        const std::size_t nodes = f.window.document().graph().nodes().size();
        drop(weights);
        QCOMPARE(f.window.document().weights().size(), model->module().state().size());
        QVERIFY2(f.window.banner().text().contains("some.weights.h5"),
                 qPrintable(f.window.banner().text()));
        QCOMPARE(f.window.document().graph().nodes().size(), nodes);
        // Nothing that can be read: a sentence, and nothing changes.
        QFile broken(folder.filePath("broken.safetensors"));
        QVERIFY(broken.open(QIODevice::WriteOnly) && broken.write("no weights") > 0);
        broken.close();
        drop(broken.fileName());
        QVERIFY(f.window.banner().kind() == Banner::Kind::Error);
        QCOMPARE(f.window.document().graph().nodes().size(), nodes);
    }

    void panelsLeaveTheWindowItsSizeWhilePicturesAreInspected() {
        Fixture f(false);
        f.window.resize(1600, 980);
        f.window.show();
        QVERIFY(QTest::qWaitForWindowExposed(&f.window));
        QCOMPARE(f.window.width(), 1600);
        QVERIFY(f.window.openExample("digits-lenet", true));
        f.window.canvas().select({QStringLiteral("conv1")});
        QTRY_VERIFY_WITH_TIMEOUT(f.window.session().progress().step > 20, 120'000);
        QTest::qWait(300);
        QCOMPARE(f.window.size(), QSize(1600, 980));
        f.action("run.stop")->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(!f.window.session().isActive(), 60'000);
    }

    void UX_54_whatAnEditCostsTheRunIsAskedBefore() {
        Fixture f;
        QVERIFY(f.window.openExample("spirals", false));
        graph::Training longer = f.window.document().graph().training();
        longer.epochs = 100'000; // not over before it is paused
        QVERIFY(f.window.document().apply({graph::SetTraining{longer}}));
        f.action("run.start")->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(f.window.session().progress().step > 3, 120'000);
        f.action("run.pause")->trigger();
        QTRY_COMPARE(f.window.session().state(), RunState::Paused);
        std::string layer;
        for (const auto& [id, node] : f.window.document().graph().nodes())
            if (node.type == "Linear" && layer.empty()) layer = id;
        const std::string before = graph::to_text(f.window.document().graph());
        QString said;
        const auto answer = [&](Qt::Key key) {
            QTimer::singleShot(0, [&said, key] {
                auto* box = qobject_cast<QMessageBox*>(QApplication::activeModalWidget());
                if (!box) return;
                said = box->informativeText();
                QTest::keyClick(box, key);
            });
            return f.window.document().apply(
                {graph::SetParam{layer, "out_features", std::int64_t(3)}});
        };
        QVERIFY(!answer(Qt::Key_Escape));
        QVERIFY2(said.contains("cut off"), qPrintable(said));
        QCOMPARE(graph::to_text(f.window.document().graph()), before);
        QVERIFY(answer(Qt::Key_Return));
        QTRY_COMPARE(f.window.session().markers().size(), std::size_t(1));
        f.action("run.stop")->trigger();
        QTRY_VERIFY(!f.window.session().isActive());
    }
};

QTEST_MAIN(WindowTest)
#include "window_test.moc"

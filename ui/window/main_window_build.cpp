// What the window consists of: actions, centre, docks, toolbar, menus, status bar.
#include <QActionGroup>
#include <QApplication>
#include <QDockWidget>
#include <QLabel>
#include <QMenuBar>
#include <QStatusBar>
#include <QToolBar>
#include <QToolButton>
#include <QUndoStack>
#include <QVBoxLayout>

#include "session/settings.h"
#include "ui/a11y/canvas_accessible.h"
#include "ui/canvas/live_layer.h"
#include "ui/theme/theme.h"
#include "ui/window/about_dialog.h"
#include "ui/window/command_palette.h"
#include "ui/window/examples.h"
#include "ui/window/main_window_impl.h"

namespace wiregrad::studio {

using K = QKeySequence;

void MainWindow::registerActions() {
    Actions& a = d->actions;
    const auto add = [this, &a](const char* id, const QString& text, const char* icon,
                                const QList<QKeySequence>& keys, const QString& help,
                                std::function<void()> run, bool checkable = false) {
        QAction* action = a.add(
            {QLatin1String(id), text, QLatin1String(icon), keys, help, checkable}, std::move(run));
        addAction(action); // its keys work while no menu is open
        return action;
    };
    add("file.new", tr("&New"), "new", {K::New}, tr("Start with an empty canvas"),
        [this] { newProject(); });
    add("file.examples", tr("New from &example …"), "gallery",
        {K(Qt::CTRL | Qt::SHIFT | Qt::Key_N)}, tr("Choose one of the built-in networks"),
        [this] { d->gallery->open(); });
    add("file.open", tr("&Open …"), "open", {K::Open}, tr("Open a project from a file"),
        [this] { openFile({}); });
    add("file.save", tr("&Save"), "save", {K::Save},
        tr("Save the project, and its weights beside it"), [this] { save(); });
    add("file.saveAs", tr("Save &as …"), "", {K(Qt::CTRL | Qt::SHIFT | Qt::Key_S)},
        tr("Save the project under another name"), [this] { saveAs(); });
    d->interchange = new Interchange(d->document, this);
    d->interchange->registerActions(a, this);
    add("file.quit", tr("&Quit"), "", {K(Qt::CTRL | Qt::Key_Q)}, tr("Leave Wiregrad"),
        [this] { close(); });

    add("edit.undo", tr("&Undo"), "undo", {K(Qt::CTRL | Qt::Key_Z)},
        tr("Take back the last change"), [this] { d->document.undo(); });
    add("edit.redo", tr("&Redo"), "redo",
        {K(Qt::CTRL | Qt::Key_Y), K(Qt::CTRL | Qt::SHIFT | Qt::Key_Z)},
        tr("Do again what was taken back"), [this] { d->document.redo(); });

    // Valid in every panel, also in a floating one.
    const auto run = [&add](const char* id, const QString& text, const char* icon, QKeySequence key,
                            const QString& help, std::function<void()> what) {
        add(id, text, icon, {key}, help, std::move(what))
            ->setShortcutContext(Qt::ApplicationShortcut);
    };
    run("run.start", tr("&Run"), "run", K(Qt::CTRL | Qt::Key_Return),
        tr("Train the network, or go on after a pause"), [this] {
            if (d->session.state() == train::RunState::Paused)
                d->session.resume();
            else
                startRun();
        });
    run("run.pause", tr("&Pause"), "pause", K(Qt::CTRL | Qt::Key_Period),
        tr("Pause after this step, or go on"), [this] {
            if (d->session.state() == train::RunState::Paused)
                d->session.resume();
            else
                d->session.pause();
        });
    run("run.step", tr("One &step"), "step", K(Qt::Key_F10), tr("Train on one batch, then pause"),
        [this] { d->session.stepOnce(); });
    run("run.epoch", tr("One &epoch"), "step-epoch", K(Qt::SHIFT | Qt::Key_F10),
        tr("Train to the end of the epoch, then pause"), [this] { d->session.stepEpoch(); });
    run("run.op", tr("One &op"), "step", K(Qt::CTRL | Qt::Key_F10),
        tr("Compute one op of a step and stand there, with its numbers"),
        [this] { d->session.go(train::StepOrder::Op); });
    run("run.opBack", tr("One op &back"), "", K(Qt::CTRL | Qt::SHIFT | Qt::Key_F10),
        tr("Look at the op before the one where the run stands"),
        [this] { d->session.go(train::StepOrder::Back); });
    run("run.stop", tr("S&top"), "stop", K(Qt::CTRL | Qt::ALT | Qt::Key_Return),
        tr("End this run and keep its weights"), [this] { d->session.stop(); });

    auto* themes = new QActionGroup(this);
    const auto theme = [&](const char* id, const QString& text, const QString& name) {
        QAction* action = add(
            id, text, "", {}, tr("Use the %1 colours").arg(name),
            [name] {
                Settings::setTheme(name);
                Theme::instance().apply(name);
            },
            true);
        themes->addAction(action);
        action->setChecked(Settings::theme() == name);
    };
    theme("view.theme.system", tr("As the &desktop"), QStringLiteral("system"));
    theme("view.theme.light", tr("&Light"), QStringLiteral("light"));
    theme("view.theme.dark", tr("D&ark"), QStringLiteral("dark"));
    add("view.theme.toggle", tr("Switch light and dark"), "theme", {},
        tr("Switch between light and dark colours"), [this] {
            const bool dark = !Theme::instance().isDark();
            d->actions
                .action(dark ? QStringLiteral("view.theme.dark")
                             : QStringLiteral("view.theme.light"))
                ->trigger();
        });
    QAction* live = add(
        "view.live", tr("&Live miniatures"), "", {},
        tr("Show under each visible node what flows through it while it trains"),
        [this] {
            const bool on = d->actions.action(QStringLiteral("view.live"))->isChecked();
            d->canvas->live().setOn(on);
            Settings::setValue(QStringLiteral("canvas/live"),
                               on ? QString() : QStringLiteral("off"));
        },
        true);
    live->setChecked(Settings::value(QStringLiteral("canvas/live")) != QLatin1String("off"));
    add(
        "view.liveGradients", tr("Miniatures show &gradients"), "", {},
        tr("The gradient that comes back to each node instead of what flows out of it"),
        [this] {
            d->canvas->live().setGradients(
                d->actions.action(QStringLiteral("view.liveGradients"))->isChecked());
        },
        true);
    add("view.outline", tr("&Outline"), "", {K(Qt::CTRL | Qt::SHIFT | Qt::Key_O)},
        tr("Go to the network as a tree of words: build it with the keyboard alone"), [this] {
            QDockWidget* dock = d->docks[QStringLiteral("outline")];
            dock->show();
            dock->raise();
            d->outline->focusTree();
        });
    add("view.settings", tr("Settings of the &layer"), "", {K(Qt::Key_F4)},
        tr("Go to the first setting of the chosen layer"), [this] {
            d->docks[QStringLiteral("properties")]->show();
            d->docks[QStringLiteral("properties")]->raise();
            d->properties->focusFirst();
        });
    add("view.canvas", tr("&Canvas"), "", {K(Qt::Key_F6)}, tr("Go back to the canvas"),
        [this] { d->canvas->setFocus(); });
    add("view.resetLayout", tr("&Reset panels"), "reset", {},
        tr("Put every panel back to its first place"), [this] { resetLayout(); });
    add("view.fullScreen", tr("&Full screen"), "", {K(Qt::Key_F11)},
        tr("Fill the screen, or leave it again"),
        [this] { setWindowState(windowState() ^ Qt::WindowFullScreen); });
    add("help.commands", tr("&Command palette …"), "search", {K(Qt::CTRL | Qt::SHIFT | Qt::Key_P)},
        tr("Find any command by its name"),
        [this] { (new CommandPalette(d->actions, this))->show(); });
    add("help.shortcuts", tr("&Keyboard …"), "", {K(Qt::CTRL | Qt::Key_F1)},
        tr("All keys in one table"), [this] { (new ShortcutsDialog(d->actions, this))->show(); });
    add("help.about", tr("&About Wiregrad …"), "info", {}, tr("Version and licences"),
        [this] { (new AboutDialog(this))->show(); });
}

void MainWindow::buildCentre() {
    installCanvasAccessibility();
    auto* centre = new QWidget(this);
    auto* column = new QVBoxLayout(centre);
    column->setContentsMargins(0, 0, 0, 0);
    d->canvas = new Canvas(d->document, d->session, centre);
    d->canvas->setFrameShape(QFrame::NoFrame);
    d->canvas->setObjectName(QStringLiteral("canvas"));
    column->addWidget(d->canvas);
    d->banner = new Banner(centre);
    setCentralWidget(centre);
    d->gallery = new Gallery(this);
    d->canvas->registerActions(d->actions);
    d->canvas->live().setOn(d->actions.action(QStringLiteral("view.live"))->isChecked());
}

void MainWindow::buildDocks() {
    setDockOptions(AnimatedDocks | AllowNestedDocks | AllowTabbedDocks | GroupedDragging);
    setCorner(Qt::BottomLeftCorner, Qt::LeftDockWidgetArea);
    setCorner(Qt::BottomRightCorner, Qt::RightDockWidgetArea);
    setTabPosition(Qt::AllDockWidgetAreas, QTabWidget::North);
    // A dock beside others takes its width from the window, so those that share a place are put
    // upon each other at once.
    const auto dock = [this](const QString& id, const QString& title, const char* icon,
                             QWidget* content, Qt::DockWidgetArea area,
                             QDockWidget* upon = nullptr) {
        auto* widget = new QDockWidget(title, this);
        widget->setObjectName(QStringLiteral("dock.") + id);
        widget->setWindowIcon(Theme::instance().icon(QLatin1String(icon)));
        widget->setWidget(content);
        if (upon)
            tabifyDockWidget(upon, widget);
        else
            addDockWidget(area, widget);
        widget->toggleViewAction()->setIcon(Theme::instance().icon(QLatin1String(icon)));
        d->docks.insert(id, widget);
        d->dockOrder.append(widget);
        return widget;
    };
    d->palette = new PalettePanel(d->document, *d->canvas, this);
    d->properties = new PropertiesPanel(d->document, d->session, this, &d->canvas->sheet());
    d->inspector = new InspectorPanel(d->document, d->session, this);
    d->monitor = new MonitorPanel(d->document, d->session, this);
    d->problems = new ProblemsPanel(d->document, this);
    d->log = new LogPanel(d->session, this);
    d->history = new HistoryPanel(d->document, this);
    d->runs = new RunsPanel(d->document, d->session, this);
    d->breakpoints = new BreakpointsPanel(d->document, d->session, this);
    d->tryPanel = new TryPanel(d->document, d->session, this);
    d->results = new ResultsPanel(d->document, d->session, this);
    d->script = new ScriptPanel(d->document, d->canvas->sheet(), this);
    d->outline = new OutlinePanel(d->document, *d->canvas, this);
    constexpr auto kLeft = Qt::LeftDockWidgetArea, kRight = Qt::RightDockWidgetArea,
                   kBottom = Qt::BottomDockWidgetArea;
    QDockWidget* palette =
        dock(QStringLiteral("palette"), tr("Layers"), "palette", d->palette, kLeft);
    dock(QStringLiteral("outline"), tr("Outline"), "outline", d->outline, kLeft, palette);
    palette->raise();
    dock(QStringLiteral("properties"), tr("Properties"), "properties", d->properties, kRight);
    QDockWidget* inspector =
        dock(QStringLiteral("inspector"), tr("Inspector"), "inspector", d->inspector, kRight);
    QDockWidget* results =
        dock(QStringLiteral("results"), tr("Results"), "success", d->results, kRight, inspector);
    dock(QStringLiteral("try"), tr("Try it"), "star", d->tryPanel, kRight, results);
    inspector->raise();
    QDockWidget* monitor =
        dock(QStringLiteral("monitor"), tr("Monitor"), "monitor", d->monitor, kBottom);
    QDockWidget* last = monitor;
    const auto next = [&](const QString& id, const QString& title, const char* icon,
                          QWidget* content) {
        last = dock(id, title, icon, content, kBottom, last);
    };
    next(QStringLiteral("script"), tr("Script"), "file", d->script);
    next(QStringLiteral("runs"), tr("Runs"), "recent", d->runs);
    next(QStringLiteral("breakpoints"), tr("Breakpoints"), "pause", d->breakpoints);
    next(QStringLiteral("problems"), tr("Problems"), "problems", d->problems);
    next(QStringLiteral("log"), tr("Log"), "log", d->log);
    next(QStringLiteral("history"), tr("History"), "history", d->history);
    monitor->raise();
    for (QDockWidget* one : d->dockOrder) {
        connect(one, &QDockWidget::visibilityChanged, this, [this] { updateDockTitles(); });
        connect(one, &QDockWidget::topLevelChanged, this, [this] { updateDockTitles(); });
        connect(one, &QDockWidget::dockLocationChanged, this, [this] { updateDockTitles(); });
    }
    updateDockTitles();
    d->standardLayout = saveState();
}

void MainWindow::updateDockTitles() {
    // A panel among tabs is named by its tab (which also drags it out); a title below would say it
    // twice.
    for (QDockWidget* dock : d->dockOrder) {
        const bool among = !dock->isFloating() && !tabifiedDockWidgets(dock).isEmpty();
        if (among == (dock->titleBarWidget() != nullptr)) continue;
        QWidget* old = dock->titleBarWidget();
        dock->setTitleBarWidget(among ? new QWidget(dock) : nullptr);
        delete old;
    }
}

void MainWindow::buildToolBar() {
    auto* bar = addToolBar(tr("Main"));
    bar->setObjectName(QStringLiteral("toolbar"));
    bar->setMovable(false);
    bar->setToolButtonStyle(Qt::ToolButtonIconOnly);
    const auto put = [this, bar](const char* id, bool withText = false) {
        QAction* action = d->actions.action(QLatin1String(id));
        bar->addAction(action);
        auto* button = qobject_cast<QToolButton*>(bar->widgetForAction(action));
        button->setObjectName(QStringLiteral("toolbar.") + QLatin1String(id));
        if (withText) button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    };
    put("file.new");
    put("file.open");
    put("file.save");
    bar->addSeparator();
    put("edit.undo");
    put("edit.redo");
    bar->addSeparator();
    put("view.fit");
    put("graph.layout");
    bar->addSeparator();
    put("run.start", true);
    put("run.pause");
    put("run.step");
    put("run.epoch");
    put("run.stop");
    bar->addSeparator();
    d->runBar = new RunBar(d->document, d->session, bar);
    bar->addWidget(d->runBar);
    put("view.theme.toggle");
    bar->setContextMenuPolicy(Qt::PreventContextMenu);
}

void MainWindow::buildMenus() {
    const auto fill = [this](QMenu* menu, std::initializer_list<const char*> ids) {
        for (const char* id : ids) {
            if (!*id)
                menu->addSeparator();
            else if (QAction* action = d->actions.action(QLatin1String(id)))
                menu->addAction(action);
        }
    };
    QMenu* file = menuBar()->addMenu(tr("&File"));
    fill(file, {"file.new", "file.examples"});
    QMenu* exampleMenu =
        file->addMenu(Theme::instance().icon(QStringLiteral("example")), tr("E&xamples"));
    for (const Example& example : examples()) {
        const QString title = QString::fromStdString(example.graph.title());
        exampleMenu->addAction(title.isEmpty() ? example.name : title, this,
                               [this, name = example.name] { openExample(name, false); });
    }
    fill(file, {"", "file.open"});
    d->recentMenu =
        file->addMenu(Theme::instance().icon(QStringLiteral("recent")), tr("Open &recent"));
    connect(d->recentMenu, &QMenu::aboutToShow, this, [this] { fillRecentMenu(); });
    fill(file, {"", "file.save", "file.saveAs", "", "file.import"});
    d->interchange->fill(
        file->addMenu(Theme::instance().icon(QStringLiteral("export")), tr("&Export")), d->actions);
    fill(file, {"", "file.quit"});

    fill(menuBar()->addMenu(tr("&Edit")),
         {"edit.undo", "edit.redo", "", "edit.cut", "edit.copy", "edit.paste", "edit.pasteWired",
          "edit.duplicate", "edit.duplicateWired", "", "edit.delete", "edit.dissolve", "",
          "select.all", "select.none", "select.downstream", "select.upstream"});
    fill(menuBar()->addMenu(tr("&Graph")),
         {"node.add", "", "node.connect", "node.rename", "node.mute", "node.collapse", "node.pin",
          "", "group.make", "group.ungroup", "group.enter", "group.leave", "group.unique", "",
          "node.straighten", "graph.layout", "", "graph.savePicture", "graph.copyPicture"});
    QMenu* view = menuBar()->addMenu(tr("&View"));
    fill(view, {"view.fit", "view.fitSelection", "view.zoomReset", "view.zoomIn", "view.zoomOut",
                "", "view.heat", "view.minimap", "view.gridSnap", "view.wheelZooms",
                "view.middleRemoves", "", "view.live", "view.liveGradients", ""});
    QMenu* panels = view->addMenu(tr("&Panels"));
    for (QDockWidget* dock : d->dockOrder)
        panels->addAction(dock->toggleViewAction());
    panels->addSeparator();
    fill(panels, {"view.outline", "view.settings", "view.canvas", "", "view.resetLayout"});
    fill(view->addMenu(Theme::instance().icon(QStringLiteral("theme")), tr("&Theme")),
         {"view.theme.system", "view.theme.light", "view.theme.dark"});
    fill(view, {"", "view.fullScreen"});
    fill(menuBar()->addMenu(tr("&Run")),
         {"run.start", "run.pause", "run.step", "run.epoch", "run.op", "run.opBack", "run.stop"});
    fill(menuBar()->addMenu(tr("&Help")),
         {"file.examples", "help.node", "help.commands", "help.shortcuts", "", "help.about"});
}

void MainWindow::buildStatusBar() {
    const int gap = Theme::instance().space(3);
    d->hint = new QLabel(this);
    d->hint->setObjectName(QStringLiteral("status.hint"));
    d->hint->setContentsMargins(gap, 0, gap, 0);
    d->hint->setMinimumWidth(1); // long hints are cut, they never widen the window
    d->totals = new QLabel(this);
    d->totals->setObjectName(QStringLiteral("status.totals"));
    d->totals->setContentsMargins(gap, 0, gap, 0);
    d->zoom = new QLabel(this);
    d->zoom->setObjectName(QStringLiteral("status.zoom"));
    d->zoom->setContentsMargins(gap, 0, gap, 0);
    d->zoom->setMinimumWidth(d->zoom->fontMetrics().horizontalAdvance(QStringLiteral("100 %")) +
                             2 * gap);
    d->zoom->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    statusBar()->addWidget(d->hint, 1);
    statusBar()->addPermanentWidget(d->totals);
    statusBar()->addPermanentWidget(d->zoom);
    statusBar()->setSizeGripEnabled(false);
}

void MainWindow::resetLayout() {
    for (QDockWidget* dock : d->dockOrder)
        dock->show();
    restoreState(d->standardLayout);
    sizeDocks();
}

void MainWindow::sizeDocks() {
    const Theme& theme = Theme::instance();
    // Shares of the window, within what the panels need and what is pleasant to read.
    const int left = std::clamp(width() * 15 / 100, theme.space(44), theme.space(64));
    const int right = std::clamp(width() * 22 / 100, theme.space(66), theme.space(92));
    const int bottom = std::clamp(height() * 28 / 100, theme.space(44), theme.space(80));
    resizeDocks({d->docks[QStringLiteral("palette")], d->docks[QStringLiteral("properties")],
                 d->docks[QStringLiteral("inspector")]},
                {left, right, right}, Qt::Horizontal);
    resizeDocks({d->docks[QStringLiteral("monitor")]}, {bottom}, Qt::Vertical);
    resizeDocks({d->docks[QStringLiteral("properties")], d->docks[QStringLiteral("inspector")]},
                {height() * 48 / 100, height() * 52 / 100}, Qt::Vertical);
}

} // namespace wiregrad::studio

#include "ui/window/main_window.h"

#include <QApplication>
#include <QCloseEvent>
#include <QDir>
#include <QDockWidget>
#include <QEventLoop>
#include <QFileDialog>
#include <QFileInfo>
#include <QLabel>
#include <QMenu>
#include <QMessageBox>
#include <QMimeData>
#include <QPushButton>
#include <QScreen>
#include <QStandardPaths>
#include <QStatusBar>
#include <QTimer>
#include <QUrl>

#include <unistd.h>

#include "engine/core/error.h"
#include "engine/io/onnx.h"
#include "nodes/import/onnx.h"
#include "nodes/import/weights.h"
#include "nodes/preflight.h"
#include "session/settings.h"
#include "ui/panels/format.h"
#include "ui/theme/theme.h"
#include "ui/window/examples.h"
#include "ui/window/main_window_impl.h"

namespace wiregrad::studio {

namespace {

constexpr int kLayoutVersion = 2;
const QString kGeometryKey = QStringLiteral("window.geometry");
const QString kStateKey = QStringLiteral("window.state");

QString fileFilter() {
    return MainWindow::tr("Wiregrad projects (*.wiregrad)");
}

} // namespace

MainWindow::MainWindow(const QString& recoveryFolder, QWidget* parent)
    : QMainWindow(parent), d(std::make_unique<Impl>(recoveryFolder)) {
    setObjectName(QStringLiteral("window"));
    setWindowIcon(QIcon(QStringLiteral(":/icons/wiregrad.svg")));
    setAcceptDrops(true);
    registerActions();
    buildCentre();
    buildDocks();
    buildToolBar();
    buildMenus();
    buildStatusBar();
    connectParts();
    updateTitle();
    updateTotals();
    updateRunActions();

    const QScreen* screen = QApplication::primaryScreen();
    const QSize room = screen ? screen->availableSize() : QSize(1440, 900);
    resize(QSize(1440, 900).boundedTo(room));
    restoreGeometry(Settings::layout(kGeometryKey));
    d->sized = restoreState(Settings::layout(kStateKey), kLayoutVersion);
}

MainWindow::~MainWindow() {
    // The views use document and session, which go with d: they go first.
    d->document.disconnect(this);
    d->document.undoStack().disconnect(this);
    d->session.disconnect(this);
    delete takeCentralWidget();
    qDeleteAll(d->dockOrder);
    d->session.stop();
    if (!d->temporaryRuns.isEmpty()) QDir(d->temporaryRuns).removeRecursively();
}

Document& MainWindow::document() {
    return d->document;
}
TrainSession& MainWindow::session() {
    return d->session;
}
Canvas& MainWindow::canvas() {
    return *d->canvas;
}
Actions& MainWindow::actions() {
    return d->actions;
}
Banner& MainWindow::banner() {
    return *d->banner;
}
Gallery& MainWindow::gallery() {
    return *d->gallery;
}
RunBar& MainWindow::runBar() {
    return *d->runBar;
}

void MainWindow::connectParts() {
    Document& document = d->document;
    TrainSession& session = d->session;
    connect(d->canvas, &Canvas::selectionChanged, d->properties, &PropertiesPanel::showNodes);
    connect(d->canvas, &Canvas::focusChanged, d->inspector, &InspectorPanel::look);
    connect(d->canvas, &Canvas::hint, d->hint, &QLabel::setText);
    connect(d->canvas, &Canvas::zoomChanged, this,
            [this](double zoom) { d->zoom->setText(tr("%1 %").arg(int(zoom * 100 + 0.5))); });
    d->zoom->setText(tr("%1 %").arg(int(d->canvas->zoom() * 100 + 0.5)));
    // Actions and menus give their help to the status bar's own message line.
    connect(statusBar(), &QStatusBar::messageChanged, this,
            [this](const QString& text) { d->hint->setVisible(text.isEmpty()); });
    connect(d->problems, &ProblemsPanel::activated, this,
            [this](const QString& node, const QString& port) {
                if (node.isEmpty()) return;
                d->canvas->select({node});
                d->canvas->reveal(node, port);
                d->canvas->setFocus();
            });
    connect(d->canvas, &Canvas::selectionChanged, d->script, &ScriptPanel::showNodes);
    connect(d->script, &ScriptPanel::activated, this,
            [this](const QString& node) { d->canvas->reveal(node); });
    const auto tell = [this](const QString& sentence, bool good) {
        d->banner->say(good ? Banner::Kind::Info : Banner::Kind::Error, sentence);
        d->log->append(sentence);
    };
    connect(d->script, &ScriptPanel::said, this, tell);
    connect(d->interchange, &Interchange::said, this, tell);
    connect(d->interchange, &Interchange::adopted, this, [this] { d->canvas->fitAll(); });
    d->interchange->mayReplace = [this] { return mayDiscard(); };
    connect(d->problems, &ProblemsPanel::countChanged, this, [this] { countProblems(); });
    countProblems();

    session.setAsk([this](const QStringList& losses) { return mayCost(losses); });
    connect(&session, &TrainSession::followed, this, [this] {
        const QString problem = d->session.waitsFor();
        if (problem.isEmpty()) {
            if (d->saysWaiting) d->banner->dismiss();
            d->saysWaiting = false;
            return;
        }
        d->saysWaiting = true;
        d->banner->say(Banner::Kind::Warning,
                       tr("The run goes on with the network as it was, until this one is whole "
                          "again. %1")
                           .arg(problem),
                       {{tr("Undo"), [this] { d->document.undo(); }}});
    });
    connect(&document, &Document::refused, this, [this](const QString& sentence) {
        if (d->session.isActive())
            d->banner->say(Banner::Kind::Warning, sentence,
                           {{tr("Stop the run"), [this] { d->session.stop(); }}});
        else
            d->banner->say(Banner::Kind::Warning, sentence);
    });
    connect(&document, &Document::notice, this, [this](const QString& sentence) {
        d->banner->say(Banner::Kind::Info, sentence);
        d->log->append(sentence);
    });
    connect(&document, &Document::pathChanged, this, [this] { updateTitle(); });
    connect(&document, &Document::modifiedChanged, this, [this] { updateTitle(); });
    connect(&document, &Document::changed, this, [this](const graph::ChangeSet& changes) {
        if (changes.everything) updateTitle();
    });
    connect(&document, &Document::analysed, this, [this] { updateTotals(); });

    connectRuns();

    QUndoStack& stack = document.undoStack();
    const auto undoText = [this](const QString& text) {
        QAction* action = d->actions.action(QStringLiteral("edit.undo"));
        action->setText(text.isEmpty() ? tr("&Undo") : tr("&Undo: %1").arg(text));
        action->setEnabled(d->document.undoStack().canUndo());
    };
    const auto redoText = [this](const QString& text) {
        QAction* action = d->actions.action(QStringLiteral("edit.redo"));
        action->setText(text.isEmpty() ? tr("&Redo") : tr("&Redo: %1").arg(text));
        action->setEnabled(d->document.undoStack().canRedo());
    };
    connect(&stack, &QUndoStack::undoTextChanged, this, undoText);
    connect(&stack, &QUndoStack::redoTextChanged, this, redoText);
    connect(&stack, &QUndoStack::indexChanged, this, [this, undoText, redoText] {
        undoText(d->document.undoStack().undoText());
        redoText(d->document.undoStack().redoText());
    });
    undoText({});
    redoText({});

    connect(&session, &TrainSession::stateChanged, this, [this] { updateRunActions(); });
    connect(&session, &TrainSession::finished, this, [this] { runEnded(); });
    connect(&d->recovery, &Recovery::failed, this, [this](const QString& sentence) {
        d->banner->say(Banner::Kind::Error, sentence, {{tr("Save now"), [this] { save(); }}});
        d->log->append(sentence);
    });

    connect(d->gallery, &Gallery::exampleChosen, this,
            [this](const QString& name, bool train) { openExample(name, train); });
    connect(d->gallery, &Gallery::fileChosen, this,
            [this](const QString& path) { openFile(path); });
    connect(d->gallery, &Gallery::newChosen, this, [this] { newProject(); });
    connect(d->gallery, &Gallery::openChosen, this, [this] { openFile({}); });
}

// --- files

void MainWindow::newProject() {
    if (!mayDiscard()) return;
    d->exampleName.clear();
    d->document.newProject();
    d->canvas->setFocus();
}

bool MainWindow::openFile(const QString& asked) {
    QString path = asked;
    if (path.isEmpty()) {
        const QString folder =
            Settings::value(QStringLiteral("folder"),
                            QStandardPaths::writableLocation(QStandardPaths::DocumentsLocation));
        path = QFileDialog::getOpenFileName(this, tr("Open a project"), folder, fileFilter());
        if (path.isEmpty()) return false;
    }
    if (!mayDiscard()) return false;
    try {
        d->document.load(path);
    } catch (const Error& error) {
        d->banner->say(Banner::Kind::Error, QString::fromStdString(error.what()));
        return false;
    }
    d->exampleName.clear();
    d->gallery->hide();
    Settings::addRecentFile(path);
    Settings::setValue(QStringLiteral("folder"), QFileInfo(path).absolutePath());
    d->canvas->fitAll();
    d->canvas->setFocus();
    return true;
}

bool MainWindow::openExample(const QString& name, bool train) {
    const Example* example = findExample(name);
    if (!example) {
        d->banner->say(Banner::Kind::Error, tr("There is no example \"%1\".").arg(name));
        return false;
    }
    if (!mayDiscard()) return false;
    try {
        d->document.loadExample(example->path);
    } catch (const Error& error) {
        d->banner->say(Banner::Kind::Error, QString::fromStdString(error.what()));
        return false;
    }
    d->exampleName = name;
    d->gallery->hide();
    d->canvas->fitAll();
    d->canvas->setFocus();
    if (train) startRun();
    return true;
}

bool MainWindow::save() {
    return d->document.path().isEmpty() ? saveAs() : saveTo(d->document.path());
}

bool MainWindow::saveAs() {
    QString suggestion = d->document.path();
    if (suggestion.isEmpty()) {
        const QString folder =
            Settings::value(QStringLiteral("folder"),
                            QStandardPaths::writableLocation(QStandardPaths::DocumentsLocation));
        suggestion = folder + QLatin1Char('/') +
                     (d->exampleName.isEmpty() ? tr("network") : d->exampleName) +
                     QStringLiteral(".wiregrad");
    }
    QString path =
        QFileDialog::getSaveFileName(this, tr("Save the project"), suggestion, fileFilter());
    if (path.isEmpty()) return false;
    constexpr auto kSuffix = QLatin1String(".wiregrad");
    if (!path.endsWith(kSuffix, Qt::CaseInsensitive)) {
        path += kSuffix; // the dialog asked about another name
        if (QFileInfo::exists(path) && !mayReplace(path)) return false;
    }
    return saveTo(path);
}

bool MainWindow::mayReplace(const QString& path) {
    QMessageBox question(QMessageBox::Warning, {},
                         tr("%1 exists already. Replace it?").arg(QFileInfo(path).fileName()),
                         QMessageBox::Yes | QMessageBox::Cancel, this);
    question.setObjectName(QStringLiteral("window.replace"));
    question.setDefaultButton(QMessageBox::Cancel);
    return question.exec() == QMessageBox::Yes;
}

bool MainWindow::saveTo(const QString& path) {
    try {
        d->document.save(path);
    } catch (const Error& error) {
        d->banner->say(
            Banner::Kind::Error,
            tr("The project was not saved. %1").arg(QString::fromStdString(error.what())),
            {{tr("Save elsewhere …"), [this] { saveAs(); }}});
        return false;
    }
    Settings::addRecentFile(path);
    Settings::setValue(QStringLiteral("folder"), QFileInfo(path).absolutePath());
    statusBar()->showMessage(tr("Saved %1").arg(QDir::toNativeSeparators(path)), 4000);
    return true;
}

void MainWindow::fillRecentMenu() {
    d->recentMenu->clear();
    for (const QString& path : Settings::recentFiles())
        d->recentMenu->addAction(QDir::toNativeSeparators(path), this,
                                 [this, path] { openFile(path); });
    if (d->recentMenu->isEmpty())
        d->recentMenu->addAction(tr("Nothing opened yet"))->setEnabled(false);
}

bool MainWindow::mayDiscard() {
    const bool runs = d->session.isActive() && d->session.progress().step > 0;
    if (!d->document.isModified() && !runs) return true;
    QMessageBox question(this);
    question.setObjectName(QStringLiteral("window.close"));
    question.setIcon(QMessageBox::Question);
    question.setText((runs ? tr("A run goes on. Save \"%1\" with the weights it has now?")
                           : tr("Save the changes to \"%1\"?"))
                         .arg(d->document.title()));
    question.setInformativeText(
        runs ? tr("The run will be stopped. Without saving, what it has learned is lost.")
             : tr("Without saving, they are lost."));
    question.setStandardButtons(QMessageBox::Save | QMessageBox::Discard | QMessageBox::Cancel);
    question.setDefaultButton(QMessageBox::Save);
    switch (question.exec()) {
    case QMessageBox::Save:
        if (runs) endRun();
        return save();
    case QMessageBox::Discard:
        return true;
    default:
        return false;
    }
}

bool MainWindow::mayCost(const QStringList& losses) {
    QMessageBox question(QMessageBox::Question, {}, tr("Change the network that is being trained?"),
                         QMessageBox::Apply | QMessageBox::Cancel, this);
    question.setObjectName(QStringLiteral("window.edit"));
    question.setInformativeText(
        QStringLiteral("• ") + losses.join(QStringLiteral("\n• ")) + QStringLiteral("\n\n") +
        tr("Everything else goes on as it is. Undo brings them back while the run lasts."));
    question.setDefaultButton(QMessageBox::Apply);
    question.setEscapeButton(QMessageBox::Cancel);
    return question.exec() == QMessageBox::Apply;
}

void MainWindow::endRun() {
    QEventLoop loop;
    connect(&d->session, &TrainSession::finished, &loop, &QEventLoop::quit);
    d->session.stop();
    if (d->session.isActive()) loop.exec(QEventLoop::ExcludeUserInputEvents);
}

void MainWindow::closeEvent(QCloseEvent* event) {
    if (!mayDiscard()) {
        event->ignore();
        return;
    }
    Settings::setLayout(kGeometryKey, saveGeometry());
    Settings::setLayout(kStateKey, saveState(kLayoutVersion));
    d->session.stop();
    event->accept();
}

void MainWindow::showEvent(QShowEvent* event) {
    QMainWindow::showEvent(event);
    if (d->sized) return;
    d->sized = true;
    sizeDocks();
    // Once more when the first layout has given the window its real size.
    QTimer::singleShot(0, this, [this] {
        sizeDocks();
        d->canvas->fitAll();
    });
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    const QList<QUrl> urls = event->mimeData()->urls();
    if (!urls.isEmpty() && urls.front().isLocalFile()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
    const QList<QUrl> urls = event->mimeData()->urls();
    if (urls.isEmpty() || !urls.front().isLocalFile()) return;
    const QString path = urls.front().toLocalFile();
    event->acceptProposedAction();
    const QString suffix = QFileInfo(path).suffix().toLower();
    if (suffix == QLatin1String("wiregrad") || suffix == QLatin1String("onnx")) {
        // Questions of opening come after the drag is over.
        QTimer::singleShot(0, this, [this, path, suffix] {
            suffix == QLatin1String("onnx") ? importModel(path) : openFile(path);
        });
        return;
    }
    // HDF5 and NPZ may hold weights or data: weights where they fit this network.
    const bool weights = suffix == QLatin1String("safetensors");
    const bool either = suffix == QLatin1String("h5") || suffix == QLatin1String("npz");
    if ((weights || either) && (takeWeights(path, weights) || weights)) return;
    const QPoint inView = d->canvas->viewport()->mapFrom(this, event->position().toPoint());
    const QPointF place = d->canvas->mapToScene(inView);
    Sheet& sheet = d->canvas->sheet();
    graph::Node node = graph::make_node(sheet.graph(), "Dataset", {place.x(), place.y()});
    node.params["path"] = path.toStdString();
    sheet.apply({graph::AddNode{std::move(node)}});
}

bool MainWindow::importModel(const QString& path) {
    if (!mayDiscard()) return false;
    try {
        graph::ImportedModel model = graph::from_onnx(io::read_onnx(path.toStdString()));
        std::vector<nn::NamedTensor> weights = graph::take_weights(model.graph, model.weights);
        d->document.adopt(std::move(model.graph), {});
        d->document.setWeights(std::move(weights));
    } catch (const Error& error) {
        d->banner->say(Banner::Kind::Error, QString::fromUtf8(error.what()));
        return false;
    }
    d->exampleName.clear();
    d->gallery->hide();
    d->canvas->fitAll();
    return true;
}

bool MainWindow::takeWeights(const QString& path, bool say) {
    try {
        d->document.setWeights(
            graph::take_weights(d->document.graph(), graph::read_weights_file(path.toStdString())));
    } catch (const Error& error) {
        if (say) d->banner->say(Banner::Kind::Error, QString::fromUtf8(error.what()));
        return false;
    }
    d->banner->say(Banner::Kind::Info,
                   tr("The weights of %1 are now this network's.").arg(QFileInfo(path).fileName()));
    return true;
}

bool MainWindow::offerRestore() {
    const bool runs = offerAbandonedRuns();
    const std::vector<Abandoned> found = Recovery::abandoned(d->recoveryFolder);
    if (found.empty()) return runs;
    for (const Abandoned& one : found) {
        const QString name = !one.originalPath.isEmpty() ? QFileInfo(one.originalPath).fileName()
                             : one.title.isEmpty()       ? tr("an unsaved network")
                                                         : one.title;
        d->banner->say(
            Banner::Kind::Question,
            tr("Wiregrad did not end cleanly. Changes to %1 from %2 can be restored.")
                .arg(name, QLocale().toString(one.time, QLocale::ShortFormat)),
            {{tr("Restore"),
              [this, one] {
                  if (!mayDiscard()) return;
                  try {
                      d->restoredRuns = one.originalPath.isEmpty() ? one.runs : QString();
                      d->recovery.restore(one);
                      d->gallery->hide();
                      d->canvas->fitAll();
                  } catch (const Error& error) {
                      d->banner->say(Banner::Kind::Error, QString::fromStdString(error.what()));
                  }
              }},
             {tr("Discard"), [one] { Recovery::discard(one); }}});
    }
    return true;
}

// --- the run

void MainWindow::startRun() {
    const graph::Analysis& analysis = d->document.analysis();
    if (analysis.runnable() || d->session.isActive()) {
        d->session.start();
        return;
    }
    for (const graph::Problem& problem : analysis.problems) {
        if (problem.severity != graph::Severity::Error) continue;
        const QString node = QString::fromStdString(problem.node);
        std::vector<Banner::Button> buttons;
        if (!node.isEmpty())
            buttons.push_back({tr("Show it"), [this, node] { d->canvas->reveal(node); }});
        d->banner->say(
            Banner::Kind::Error,
            tr("This network cannot be trained yet. %1").arg(QString::fromStdString(problem.text)),
            std::move(buttons));
        break;
    }
    d->docks[QStringLiteral("problems")]->show();
    d->docks[QStringLiteral("problems")]->raise();
}

void MainWindow::runEnded() {
    if (d->session.state() != train::RunState::Failed) return;
    const QString node = d->session.errorNode();
    std::vector<Banner::Button> buttons;
    if (!node.isEmpty()) {
        buttons.push_back({tr("Show the node"), [this, node] {
                               d->canvas->select({node});
                               d->canvas->reveal(node);
                           }});
        d->canvas->reveal(node);
    }
    if (const std::int64_t sample = d->session.errorSample(); sample >= 0)
        buttons.push_back({tr("Show the sample"), [this, sample] {
                               d->docks[QStringLiteral("try")]->show();
                               d->docks[QStringLiteral("try")]->raise();
                               d->tryPanel->takeSample(sample, true);
                           }});
    d->banner->say(Banner::Kind::Error, d->session.errorText(), std::move(buttons));
}

void MainWindow::updateRunActions() {
    using train::RunState;
    const RunState state = d->session.state();
    const bool active = d->session.isActive();
    const auto enable = [this](const char* id, bool on) {
        d->actions.action(QLatin1String(id))->setEnabled(on);
    };
    QAction* start = d->actions.action(QStringLiteral("run.start"));
    start->setText(state == RunState::Paused ? tr("&Resume") : tr("&Run"));
    enable("run.start", !active || state == RunState::Paused);
    enable("run.pause", state == RunState::Running || state == RunState::Paused);
    enable("run.step", !active || state == RunState::Running || state == RunState::Paused);
    enable("run.op", !active || state == RunState::Paused);
    enable("run.opBack", state == RunState::Paused);
    enable("run.epoch", !active || state == RunState::Running || state == RunState::Paused);
    enable("run.stop", active && state != RunState::Stopping);
}

// --- title and totals

void MainWindow::countProblems() {
    const int count = d->problems->errors() + d->problems->warnings();
    d->docks[QStringLiteral("problems")]->setWindowTitle(count > 0 ? tr("Problems (%1)").arg(count)
                                                                   : tr("Problems"));
}

void MainWindow::updateTitle() {
    setWindowTitle(QStringLiteral("%1[*] – Wiregrad").arg(d->document.title()));
    setWindowModified(d->document.isModified());
}

QString MainWindow::totalsText() const {
    const graph::Analysis& analysis = d->document.analysis();
    if (d->document.graph().nodes().empty()) return {};
    QStringList parts = {tr("%1 weights").arg(countText(analysis.weights))};
    if (analysis.flops > 0) parts << tr("%1 a sample").arg(flopsText(analysis.flops));
    if (analysis.training_bytes > 0)
        parts << tr("%1 to train").arg(bytesText(analysis.training_bytes));
    return parts.join(QStringLiteral("   ·   "));
}

void MainWindow::updateTotals() {
    d->totals->setText(totalsText());
    const graph::Preflight needs = graph::preflight(d->document.graph(), d->document.analysis());
    const double memory =
        static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
    const std::int64_t largest = needs.largest_batch(memory);
    d->totals->setToolTip(
        largest > 0 ? tr("By estimate, a batch of %1 is the largest that fits into the %2 of "
                         "memory of this machine.")
                          .arg(countText(largest), bytesText(memory))
                    : QString());
}

} // namespace wiregrad::studio

#include "moc_main_window.cpp"

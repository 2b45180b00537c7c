// Where the runs of the open project are kept, and what is offered after an interruption.
#include <QDir>
#include <QDockWidget>
#include <QFileInfo>
#include <QStandardPaths>
#include <QTimer>
#include <QUuid>

#include <algorithm>

#include "engine/core/error.h"
#include "nodes/project.h"
#include "session/sheet.h"
#include "ui/panels/format.h"
#include "ui/window/main_window_impl.h"

namespace wiregrad::studio {

namespace {

/// Where the runs of projects without a file are kept, a folder for each.
QString temporaryRoot(const QString& recoveryFolder) {
    QString root = recoveryFolder;
    if (root.isEmpty()) {
        root = qEnvironmentVariable("XDG_STATE_HOME");
        if (root.isEmpty()) root = QDir::homePath() + QStringLiteral("/.local/state");
        root += QStringLiteral("/wiregrad");
    }
    return root + QStringLiteral("/runs");
}

QString temporaryRuns(const QString& recoveryFolder) {
    return temporaryRoot(recoveryFolder) + QLatin1Char('/') +
           QUuid::createUuid().toString(QUuid::WithoutBraces);
}

} // namespace

void MainWindow::connectRuns() {
    connect(d->runs, &RunsPanel::said, this, [this](const QString& sentence) {
        d->banner->say(Banner::Kind::Info, sentence);
        d->log->append(sentence);
    });
    connect(d->runs, &RunsPanel::overlaysChanged, this, [this](const QStringList& ids) {
        std::vector<MonitorPanel::Overlay> overlays;
        for (const QString& id : ids)
            if (const RunInfo* run = d->session.runs().find(id);
                run && (id != d->session.currentRun() || !d->session.isActive()))
                overlays.push_back(
                    {id,
                     run->name.isEmpty()
                         ? QLocale().toString(run->started, QStringLiteral("HH:mm:ss"))
                         : run->name,
                     d->session.runs().curves(id)});
        d->monitor->setOverlays(std::move(overlays));
    });
    // A mistake is tried: what does the network make of it, and after the next steps?
    connect(d->results, &ResultsPanel::sampleChosen, this, [this](std::int64_t sample) {
        d->docks[QStringLiteral("try")]->show();
        d->docks[QStringLiteral("try")]->raise();
        d->tryPanel->takeSample(sample);
        d->inspector->pinSample(sample);
    });
    // Where the run stands is shown: the panel once, the node each time it is another one.
    connect(&d->session, &TrainSession::halted, this, [this] {
        const train::Halt* halt = d->session.halt();
        if (!halt) {
            d->haltedAt.clear();
            return;
        }
        const auto node = d->canvas->sheet().local(halt->at.node);
        const QString name = node ? QString::fromStdString(*node) : QString();
        if (d->haltedAt.isEmpty()) {
            d->docks[QStringLiteral("breakpoints")]->show();
            d->docks[QStringLiteral("breakpoints")]->raise();
        }
        if (!name.isEmpty() && name != d->haltedAt) d->canvas->reveal(name);
        d->haltedAt = name.isEmpty() ? QStringLiteral("-") : name;
    });
    const auto showBreakpoints = [this](const QString& node, const QString& port) {
        d->docks[QStringLiteral("breakpoints")]->show();
        d->docks[QStringLiteral("breakpoints")]->raise();
        d->breakpoints->offer(node, port);
    };
    connect(d->canvas, &Canvas::breakpointWanted, this, showBreakpoints);
    connect(d->canvas, &Canvas::focusChanged, this, [this](const Focus& focus) {
        d->breakpoints->offer(
            focus.node.isEmpty()
                ? QString()
                : QString::fromStdString(d->canvas->sheet().path_of(focus.node.toStdString())),
            focus.port);
    });
    connect(d->breakpoints, &BreakpointsPanel::activated, this,
            [this](const QString& node, const QString&) {
                if (const auto local = d->canvas->sheet().local(node.toStdString())) {
                    d->canvas->select({QString::fromStdString(*local)});
                    d->canvas->reveal(QString::fromStdString(*local));
                }
            });
    connect(&d->document, &Document::changed, this, [this](const graph::ChangeSet& changes) {
        if (changes.everything) d->anotherProject = true;
    });
    connect(&d->document, &Document::pathChanged, this, [this] { settleRuns(); });
    connect(&d->document, &Document::changed, this, [this](const graph::ChangeSet& changes) {
        if (changes.everything) settleRuns();
    });
    // A run that was saved away while it went on moves when it has ended.
    connect(&d->session, &TrainSession::finished, this, [this] { settleRuns(); });
    chooseRunsFolder();
}

/// Once the present change of the document is over: its path and its graph come one by one.
void MainWindow::settleRuns() {
    QTimer::singleShot(0, this, [this] { chooseRunsFolder(); });
}

void MainWindow::chooseRunsFolder() {
    RunStore& store = d->session.runs();
    const QString path = d->document.path();
    const QString beside = path.isEmpty() ? QString() : RunStore::folderBeside(path);
    const bool another = std::exchange(d->anotherProject, false) || store.folder().isEmpty();
    if (!another && (beside.isEmpty() || beside == store.folder())) return;
    if (!another && d->session.isActive()) return;
    const QString before = std::exchange(d->temporaryRuns, QString());
    if (another) {
        if (!before.isEmpty()) QDir(before).removeRecursively();
        if (beside.isEmpty())
            d->temporaryRuns = d->restoredRuns.isEmpty()
                                   ? temporaryRuns(d->recoveryFolder)
                                   : std::exchange(d->restoredRuns, QString());
        store.setFolder(beside.isEmpty() ? d->temporaryRuns : beside);
        offerInterruptedRun();
    } else if (!before.isEmpty()) {
        store.moveTo(beside); // the project got its file
    } else {
        store.setFolder(beside); // saved under another name: its runs stay with the old one
    }
    d->recovery.setRunsFolder(store.folder());
}

/// Runs of projects that were never saved, whose program is gone. False when there are none.
bool MainWindow::offerAbandonedRuns() {
    QStringList known{d->session.runs().folder()};
    for (const Abandoned& one : Recovery::abandoned(d->recoveryFolder))
        known << one.runs; // comes back with its project
    bool any = false;
    for (const QFileInfo& entry :
         QDir(temporaryRoot(d->recoveryFolder)).entryInfoList(QDir::Dirs | QDir::NoDotAndDotDot)) {
        const QString folder = entry.absoluteFilePath();
        if (known.contains(folder)) continue;
        RunStore store;
        store.setFolder(folder);
        const std::vector<RunInfo>& runs = store.runs();
        if (std::any_of(runs.begin(), runs.end(),
                        [](const RunInfo& run) { return run.ownerLives; }))
            continue;
        if (runs.empty() || !QFileInfo::exists(runs.front().checkpointPath())) {
            QDir(folder).removeRecursively();
            continue;
        }
        any = true;
        const RunInfo run = runs.front();
        d->banner->say(
            Banner::Kind::Question,
            tr("Wiregrad did not end cleanly. A run of %1 reached step %2; its weights were kept.")
                .arg(run.title.isEmpty() ? tr("an unsaved network") : run.title,
                     countText(run.steps)),
            {{tr("Open it"),
              [this, run, folder] {
                  if (!mayDiscard()) return;
                  try {
                      d->restoredRuns = folder;
                      d->document.adopt(graph::from_text(run.graphText, run.title.toStdString()),
                                        {});
                      d->gallery->hide();
                      d->canvas->fitAll();
                  } catch (const Error& error) {
                      d->restoredRuns.clear();
                      d->banner->say(Banner::Kind::Error, QString::fromStdString(error.what()));
                  }
              }},
             {tr("Discard"), [folder] { QDir(folder).removeRecursively(); }}});
    }
    return any;
}

void MainWindow::offerInterruptedRun() {
    const std::vector<RunInfo>& runs = d->session.runs().runs();
    if (runs.empty() || runs.front().end != RunEnd::Interrupted) return;
    const RunInfo& run = runs.front();
    if (!QFileInfo::exists(run.checkpointPath())) return;
    const QString id = run.id;
    d->banner->say(Banner::Kind::Question,
                   tr("A run of this project was interrupted at step %1. Its weights were kept.")
                       .arg(countText(run.steps)),
                   {{tr("Go on"), [this, id] { d->runs->goOn(id); }},
                    {tr("Take its weights"), [this, id] { d->runs->takeWeights(id); }}});
}

} // namespace wiregrad::studio

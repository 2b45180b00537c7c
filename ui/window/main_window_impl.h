// The parts of the window, for main_window*.cpp alone.
#pragma once

#include <QHash>
#include <QPointer>

#include "session/recovery.h"
#include "ui/canvas/canvas.h"
#include "ui/inspect/inspector_panel.h"
#include "ui/inspect/results_panel.h"
#include "ui/inspect/try_panel.h"
#include "ui/monitor/monitor_panel.h"
#include "ui/outline/outline_panel.h"
#include "ui/palette/palette_panel.h"
#include "ui/panels/breakpoints_panel.h"
#include "ui/panels/history_panel.h"
#include "ui/panels/log_panel.h"
#include "ui/panels/problems_panel.h"
#include "ui/panels/runs_panel.h"
#include "ui/properties/properties_panel.h"
#include "ui/script/interchange.h"
#include "ui/script/script_panel.h"
#include "ui/window/gallery.h"
#include "ui/window/main_window.h"
#include "ui/window/run_bar.h"

class QDockWidget;
class QLabel;
class QMenu;

namespace wiregrad::studio {

struct MainWindow::Impl {
    // In this order: the session guards the document, the views use both.
    Document document;
    TrainSession session{document};
    Recovery recovery;
    QString recoveryFolder;
    Actions actions;
    Canvas* canvas = nullptr;
    Banner* banner = nullptr;
    Gallery* gallery = nullptr;
    RunBar* runBar = nullptr;
    PalettePanel* palette = nullptr;
    OutlinePanel* outline = nullptr;
    PropertiesPanel* properties = nullptr;
    InspectorPanel* inspector = nullptr;
    MonitorPanel* monitor = nullptr;
    ProblemsPanel* problems = nullptr;
    LogPanel* log = nullptr;
    HistoryPanel* history = nullptr;
    BreakpointsPanel* breakpoints = nullptr;
    QString haltedAt; ///< node that was shown for where the run stands
    RunsPanel* runs = nullptr;
    TryPanel* tryPanel = nullptr;
    ResultsPanel* results = nullptr;
    ScriptPanel* script = nullptr;
    Interchange* interchange = nullptr;
    QHash<QString, QDockWidget*> docks; ///< by id: "palette", "properties", ...
    QList<QDockWidget*> dockOrder;
    QMenu* recentMenu = nullptr;
    QLabel* hint = nullptr;
    QLabel* totals = nullptr;
    QLabel* zoom = nullptr;
    QByteArray standardLayout;
    QString temporaryRuns;       ///< folder of the runs while the project has no file
    QString restoredRuns;        ///< the same, of a project that is being restored
    bool anotherProject = false; ///< the document was replaced, not saved
    bool saysWaiting = false;    ///< the banner says that the run waits for a whole network
    bool sized = false;          ///< docks got their first widths
    QString exampleName;         ///< of an unsaved example, for the name offered when saving

    explicit Impl(const QString& folder) : recovery(document, folder), recoveryFolder(folder) {}
};

} // namespace wiregrad::studio

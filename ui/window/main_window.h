// The window: puts document, run, canvas and panels together and tells each of the others. GUI
// thread.
#pragma once

#include <QMainWindow>

#include <memory>

#include "session/document.h"
#include "session/recovery.h"
#include "session/train_session.h"
#include "ui/window/actions.h"
#include "ui/window/banner.h"

namespace wiregrad::studio {

class Canvas;
class Gallery;
class RunBar;

class MainWindow : public QMainWindow {
    Q_OBJECT

  public:
    /// `recoveryFolder` empty: the user's. Remembered layout is restored.
    explicit MainWindow(const QString& recoveryFolder = {}, QWidget* parent = nullptr);
    ~MainWindow() override;

    Document& document();
    TrainSession& session();
    Canvas& canvas();
    Actions& actions();
    Banner& banner();
    Gallery& gallery();
    RunBar& runBar();

    /// Each says what went wrong in the banner and returns false then. They ask about unsaved
    /// changes first.
    bool openFile(const QString& path);
    bool openExample(const QString& name, bool train);
    bool importModel(const QString& path); ///< an ONNX file as a project with its weights
    bool save();                           ///< asks for a place when there is none
    bool saveAs();
    void newProject();
    /// Offers what a killed program left behind, in the banner. False when there is nothing.
    bool offerRestore();
    QString totalsText() const;

  protected:
    void closeEvent(QCloseEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

  private:
    void registerActions();
    void buildCentre();
    void buildDocks();
    void buildToolBar();
    void buildMenus();
    void buildStatusBar();
    void connectParts();
    void connectRuns();
    void settleRuns();
    void chooseRunsFolder();
    void offerInterruptedRun();
    bool offerAbandonedRuns();
    void resetLayout();
    void sizeDocks();
    void updateDockTitles();
    void startRun();
    void updateRunActions();
    void updateTitle();
    void updateTotals();
    void countProblems();
    void fillRecentMenu();
    bool mayDiscard(); ///< asks about unsaved changes and a run that goes on; false: stay
    bool mayReplace(const QString& path);    ///< asks before a file is overwritten
    bool mayCost(const QStringList& losses); ///< asks before a run loses something by an edit
    void endRun();                           ///< stops a run and waits for its weights
    bool saveTo(const QString& path);
    bool takeWeights(const QString& path, bool say); ///< of a file; false where they do not fit
    void runEnded();

    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio

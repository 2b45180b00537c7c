// What the canvas is made of; shared by canvas*.cpp and nobody else. GUI thread.
#pragma once

#include "ui/canvas/canvas.h"

#include <QBasicTimer>
#include <QElapsedTimer>
#include <QTimer>

#include <functional>
#include <memory>
#include <optional>

#include "session/sheet.h"
#include "ui/canvas/canvas_scene.h"
#include "ui/canvas/cursor_note.h"
#include "ui/canvas/gesture.h"
#include "ui/canvas/minimap.h"
#include "ui/canvas/rename_field.h"
#include "ui/canvas/search_popup.h"

namespace wiregrad::studio {

class Breadcrumb;
class Draft;
class EmptyHint;
class ShapeLabel;

inline constexpr int kScrollBorder = 24; ///< pixels from the edge where a drag scrolls

struct Canvas::Impl {
    Impl(Canvas& canvas, Document& document, TrainSession& session);
    ~Impl();

    Canvas& q;
    Document& document;
    TrainSession& session;
    Sheet sheet; ///< the level that is shown
    Actions* actions = nullptr;
    CanvasScene scene;
    CursorNote* note;
    SearchPopup* search;
    RenameField* rename;
    Minimap* minimap;
    EmptyHint* empty;
    LiveLayer* live = nullptr;
    HaltMarks* marks = nullptr;
    Breadcrumb* crumbs;
    ShapeLabel* label; ///< shape of the hovered or chosen wire; owned by the scene
    GestureContext context;
    std::unique_ptr<Gesture> gesture;

    // --- view
    std::optional<QPointF> panFrom; ///< last position of a pan in progress
    QPointF panRest;                ///< of panBy
    QPointF pressedView;            ///< where the right or middle button went down
    bool spaceHeld = false, rightPans = false, autoFit = true, wheelZooms = true;
    QPointF anchorView{-1, -1}, anchorScene;
    QPointF cursor; ///< last seen, view coordinates
    QTimer settle, scroll, saveView;
    QString viewKey;
    struct View {
        QPointF centre;
        double zoom = 0; ///< 0: shown whole
        std::set<std::string> chosen;
    };
    std::map<std::string, View> views; ///< of the levels seen in this session
    std::string shownLevel;
    std::set<std::string> leavingChoice; ///< what was selected when the level was left
    // --- flash of reveal()
    QTimer flash;
    std::string flashNode;
    double flashLeft = 0;

    Focus focus;
    quint64 nudgeGesture = 0;
    int applying = 0; ///< the document is changed by the canvas itself

    bool apply(const graph::Edit& edit, quint64 gesture = 0);
    /// Builds one edit and applies it; errors on the way are said. `build` returns whether to go
    /// on.
    bool edit(const std::function<bool(Draft&)>& build);
    Pointer pointer(QPointF view, Qt::KeyboardModifiers modifiers) const;
    void panBy(QPointF delta); ///< by what the pointer moved; fractions add up
    void scrollBy(QPoint delta);
    void centreOn(QPointF scenePos);
    void fit(const QRectF& rect);
    void moving(); ///< antialiasing off for a moment on large graphs
    void endGesture();
    void cancelGesture();
    void updateHover(QPointF view);
    void updateCursorShape();
    void setFocusOn(const std::string& node, const std::string& port);
    void updateEmpty();
    void updateLabel();
    void updateRun();
    void levelShown();
    std::string levelKey() const;
    QString keyOfView() const;
    void enterGroup(const std::string& node);
    void leaveGroup();
    void restyle(); ///< after colours or fonts changed
    void restoreView();
    void keepView();  ///< of the level, for this session
    void storeView(); ///< of the file, for the next
    QRectF freePlace(QPointF wish) const;
    std::map<std::string, std::pair<double, double>> sizes() const;

    // --- commands, on the selection
    void removeChosen(bool dissolve);
    void copy(bool cut);
    void paste(QPointF view, bool keepInputs);
    void duplicate(bool keepInputs);
    void startRename();
    void groupChosen();
    void ungroupChosen();
    void makeUnique();
    void toggleMuted();
    void togglePinned();
    void toggleCollapsed();
    void askForPicture();
    void showHelp();
    bool removeWireAt(QPointF view); ///< false: there is none
    void straighten();
    void layOut();
    void connectChosen();
    void selectReach(bool downstream);
    void nudge(QPointF steps, bool repeat);
    void removeWiresOf(const PortRef& port);
    void walk(int direction); ///< to the next or previous node in the chain

    // --- menus
    void showMenu(QPointF view, QPoint global);
};

} // namespace wiregrad::studio

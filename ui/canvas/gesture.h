// One gesture of the mouse: a small object from press to release. It previews on items only and
// ends in at most one edit; destroying it before the end cancels it. GUI thread.
#pragma once

#include <QPointF>
#include <QString>
#include <Qt>

#include <functional>

#include "nodes/edit.h"
#include "ui/canvas/canvas_scene.h"

namespace wiregrad::studio {

class CursorNote;
class Sheet;

struct Pointer {
    QPointF scene, view;
    Qt::KeyboardModifiers modifiers;
};

/// A wish to choose a node type: what fits, and what to do with the choice.
struct SearchRequest {
    QPointF view;                                                 ///< where the popup opens
    QString text{};                                               ///< first text
    QString title{};                                              ///< "Connect Conv2d to ..."
    std::function<bool(const graph::NodeType&)> fits{};           ///< null: all
    std::function<void(const QString& type, bool wire)> chosen{}; ///< `wire`: Shift was held
    std::function<void()> closed{};                               ///< always, last
};

/// What gestures may ask of the canvas.
struct GestureContext {
    Sheet& sheet;
    CanvasScene& scene;
    CursorNote& note;
    std::function<double()> zoom;
    std::function<bool(const graph::Edit&)> apply; ///< false when refused (the sentence was shown)
    std::function<void(const QString&)> hint;
    std::function<void(SearchRequest)> search;
    std::function<bool()> gridSnap;
    std::function<bool(const graph::Edit&)>
        applyWhole; ///< an edit of the project, not of the level
};

class Gesture {
  public:
    explicit Gesture(GestureContext& context) : c_(context) {}
    virtual ~Gesture() = default;
    Gesture(const Gesture&) = delete;
    Gesture& operator=(const Gesture&) = delete;

    virtual void move(const Pointer& at) = 0;
    /// True when the gesture is over.
    virtual bool release(const Pointer& at) = 0;
    /// A press during a gesture without button (click-click wiring). True when the gesture is over.
    virtual bool press(const Pointer&) { return false; }
    /// A key during the gesture: none, taken, or taken and the gesture is over.
    enum class Keyed { No, Yes, Over };
    virtual Keyed key(int) { return Keyed::No; }
    /// Still following the cursor although no button is held.
    virtual bool sticky() const { return false; }
    virtual bool autoScrolls() const { return true; }

  protected:
    GestureContext& c_;
};

} // namespace wiregrad::studio

// Selecting with a rectangle, and cutting wires with a line. GUI thread.
#pragma once

#include <QGraphicsPathItem>
#include <QPolygonF>

#include <memory>
#include <set>

#include "ui/canvas/gesture.h"

namespace wiregrad::studio {

/// Left-drag on empty canvas: Shift adds, Ctrl toggles.
class MarqueeGesture : public Gesture {
  public:
    MarqueeGesture(GestureContext& context, const Pointer& at);
    ~MarqueeGesture() override;
    void move(const Pointer& at) override;
    bool release(const Pointer& at) override;

  private:
    QGraphicsPathItem box_;
    std::set<std::string> before_;
    std::set<graph::Wire> wiresBefore_;
    QPointF start_, startView_;
    bool dragged_ = false, done_ = false;
};

/// Ctrl + right-drag: crossed wires turn red and go at release. Shift + right-drag: they get a dot
/// where they are crossed.
class CutGesture : public Gesture {
  public:
    CutGesture(GestureContext& context, const Pointer& at, bool dots = false);
    ~CutGesture() override;
    void move(const Pointer& at) override;
    bool release(const Pointer& at) override;

  private:
    QGraphicsPathItem blade_;
    QPolygonF line_;
    bool dots_;
};

} // namespace wiregrad::studio

// Pressing a node: a click selects, a drag moves the selection; a dragged node dropped on a wire is
// put into it, Alt from the start drags copies. GUI thread.
#pragma once

#include <QGraphicsPathItem>

#include <map>
#include <memory>
#include <optional>
#include <set>

#include "ui/canvas/gesture.h"

namespace wiregrad::studio {

class MoveGesture : public Gesture {
  public:
    MoveGesture(GestureContext& context, const std::string& node, const Pointer& at);
    ~MoveGesture() override;

    void move(const Pointer& at) override;
    bool release(const Pointer& at) override;

  private:
    QPointF offset(const Pointer& at) const;
    void findWire(const Pointer& at);
    bool fits(const graph::Wire& wire);

    std::string node_;
    std::set<std::string> nodes_;
    std::map<std::string, QPointF> start_;
    QPointF pressedScene_, pressedView_;
    bool moved_ = false, copy_ = false;
    std::map<graph::Wire, bool> fits_; ///< wires that would take the node, asked once each
    std::optional<graph::Wire> into_;  ///< the wire that would take the node
    std::unique_ptr<QGraphicsPathItem> ghosts_;
};

} // namespace wiregrad::studio

// Dragging a dot of a wire: only the wire bends. GUI thread.
#pragma once

#include "ui/canvas/gesture.h"

namespace wiregrad::studio {

class BendGesture : public Gesture {
  public:
    BendGesture(GestureContext& context, graph::Wire wire, int bend);
    ~BendGesture() override;
    void move(const Pointer& at) override;
    bool release(const Pointer& at) override;

  private:
    graph::Wire wire_;
    std::size_t bend_;
    std::vector<QPointF> before_, now_;
    bool moved_ = false;
};

/// The edit that adds a dot at a place of the wire.
graph::Edit addBend(const WireItem& item, QPointF at);

} // namespace wiregrad::studio

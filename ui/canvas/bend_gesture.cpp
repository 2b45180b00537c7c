#include "ui/canvas/bend_gesture.h"

#include <cmath>

#include "session/sheet.h"
#include "ui/canvas/canvas_style.h"

namespace wiregrad::studio {

namespace {

graph::Edit bendsEdit(const graph::Wire& wire, const std::vector<QPointF>& points) {
    graph::SetBends edit{wire, {}};
    for (const QPointF& point : points)
        edit.bends.push_back({std::round(point.x()), std::round(point.y())});
    return {std::move(edit)};
}

} // namespace

graph::Edit addBend(const WireItem& item, QPointF at) {
    std::vector<QPointF> points = item.bends();
    points.insert(points.begin() + item.placeOfBend(at), at);
    return bendsEdit(item.wire(), points);
}

BendGesture::BendGesture(GestureContext& context, graph::Wire wire, int bend)
    : Gesture(context), wire_(std::move(wire)), bend_(static_cast<std::size_t>(bend)) {
    if (const WireItem* item = c_.scene.wire(wire_)) before_ = now_ = item->bends();
}

BendGesture::~BendGesture() {
    // Given up: back to what the model says.
    if (WireItem* item = c_.scene.wire(wire_))
        if (moved_) item->setEnds(item->from(), item->to(), std::nullopt, before_);
}

void BendGesture::move(const Pointer& at) {
    WireItem* item = c_.scene.wire(wire_);
    if (!item || bend_ >= now_.size()) return;
    moved_ = true;
    now_[bend_] = at.scene;
    if (c_.gridSnap() != bool(at.modifiers & Qt::ControlModifier))
        now_[bend_] = {std::round(at.scene.x() / kGrid) * kGrid,
                       std::round(at.scene.y() / kGrid) * kGrid};
    item->setEnds(item->from(), item->to(), std::nullopt, now_);
}

bool BendGesture::release(const Pointer&) {
    if (moved_ && now_ != before_) {
        moved_ = false;
        c_.apply(bendsEdit(wire_, now_));
    }
    return true;
}

} // namespace wiregrad::studio

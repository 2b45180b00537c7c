#include "ui/canvas/marquee_gesture.h"

#include <QLineF>
#include <QPainterPath>
#include <QPen>

#include <optional>

#include "ui/canvas/bend_gesture.h"
#include "ui/canvas/canvas_edits.h"
#include "ui/canvas/canvas_style.h"

namespace wiregrad::studio {

MarqueeGesture::MarqueeGesture(GestureContext& context, const Pointer& at)
    : Gesture(context), before_(context.scene.chosenNodes()),
      wiresBefore_(context.scene.chosenWires()), start_(at.scene), startView_(at.view) {
    QColor fill = CanvasStyle::get().accent;
    QPen pen(fill, 1);
    pen.setCosmetic(true);
    fill.setAlpha(30);
    box_.setPen(pen);
    box_.setBrush(fill);
    box_.setZValue(10);
    c_.scene.addItem(&box_);
}

MarqueeGesture::~MarqueeGesture() {
    if (!done_) c_.scene.choose(before_, wiresBefore_);
}

void MarqueeGesture::move(const Pointer& at) {
    if (!dragged_ && QLineF(at.view, startView_).length() <= kDragDistance) return;
    dragged_ = true;
    const QRectF rect = QRectF(start_, at.scene).normalized();
    QPainterPath path;
    path.addRect(rect);
    box_.setPath(path);
    auto inside = c_.scene.nodesIn(rect);
    if (at.modifiers & Qt::ControlModifier) {
        auto toggled = before_;
        for (const auto& id : inside)
            if (!toggled.erase(id)) toggled.insert(id);
        c_.scene.choose(toggled, wiresBefore_);
    } else if (at.modifiers & Qt::ShiftModifier) {
        inside.insert(before_.begin(), before_.end());
        c_.scene.choose(inside, wiresBefore_);
    } else {
        c_.scene.choose(inside);
    }
}

bool MarqueeGesture::release(const Pointer& at) {
    move(at);
    done_ = true;
    if (!dragged_ && !(at.modifiers & (Qt::ShiftModifier | Qt::ControlModifier)))
        c_.scene.choose({});
    return true;
}

namespace {

/// Where the line first crosses the wire.
std::optional<QPointF> crossing(const QPolygonF& line, const QPolygonF& wire) {
    for (qsizetype i = 1; i < line.size(); ++i)
        for (qsizetype k = 1; k < wire.size(); ++k) {
            QPointF at;
            if (QLineF(line[i - 1], line[i]).intersects(QLineF(wire[k - 1], wire[k]), &at) ==
                QLineF::BoundedIntersection)
                return at;
        }
    return std::nullopt;
}

} // namespace

CutGesture::CutGesture(GestureContext& context, const Pointer& at, bool dots)
    : Gesture(context), dots_(dots) {
    const CanvasStyle& style = CanvasStyle::get();
    QPen pen(dots ? style.accent : style.refused, 2, Qt::DashLine);
    pen.setCosmetic(true);
    blade_.setPen(pen);
    blade_.setZValue(10);
    c_.scene.addItem(&blade_);
    line_ << at.scene;
}

CutGesture::~CutGesture() {
    for (const auto& [wire, item] : c_.scene.wires())
        item->setDoomed(false);
    c_.hint({});
}

void CutGesture::move(const Pointer& at) {
    if (QLineF(line_.back(), at.scene).length() < 2 / c_.zoom()) return;
    line_ << at.scene;
    QPainterPath path;
    path.addPolygon(line_);
    blade_.setPath(path);
    int count = 0;
    for (const auto& [wire, item] : c_.scene.wires()) {
        const bool crossed = item->crosses(line_);
        if (!dots_) item->setDoomed(crossed);
        count += crossed;
    }
    if (dots_) {
        c_.hint(count == 1 ? QStringLiteral("Release to put a dot on 1 wire")
                           : QStringLiteral("Release to put dots on %1 wires").arg(count));
        return;
    }
    c_.hint(count == 1 ? QStringLiteral("Release to cut 1 wire")
                       : QStringLiteral("Release to cut %1 wires").arg(count));
}

bool CutGesture::release(const Pointer& at) {
    move(at);
    Draft draft(c_.sheet.graph());
    if (dots_)
        for (const auto& [wire, item] : c_.scene.wires())
            if (const auto place = crossing(line_, item->polyline()))
                draft.add(addBend(*item, *place));
    for (const auto& [wire, item] : c_.scene.wires())
        if (item->isDoomed()) draft.add({graph::Disconnect{wire}});
    if (!draft.empty()) c_.apply(draft.take());
    return true;
}

} // namespace wiregrad::studio

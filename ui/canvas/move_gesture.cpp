#include "ui/canvas/move_gesture.h"

#include <QLineF>
#include <QPainterPath>

#include <cmath>

#include "engine/core/error.h"
#include "ui/canvas/canvas_edits.h"
#include "ui/canvas/canvas_style.h"
#include "ui/canvas/cursor_note.h"

namespace wiregrad::studio {

MoveGesture::MoveGesture(GestureContext& context, const std::string& node, const Pointer& at)
    : Gesture(context), node_(node), pressedScene_(at.scene), pressedView_(at.view) {
    copy_ = at.modifiers & Qt::AltModifier;
    const bool adds = at.modifiers & Qt::ShiftModifier;
    const bool toggles = at.modifiers & Qt::ControlModifier;
    const auto& chosen = c_.scene.chosenNodes();
    if (adds) {
        auto more = chosen;
        more.insert(node);
        c_.scene.choose(more, c_.scene.chosenWires());
    } else if (!toggles && !chosen.count(node)) {
        c_.scene.choose({node});
    }
    nodes_ = c_.scene.chosenNodes();
    if (!nodes_.count(node)) nodes_ = {node};
    for (const auto& id : nodes_)
        if (const NodeItem* item = c_.scene.node(id)) start_[id] = item->pos();
}

MoveGesture::~MoveGesture() {
    c_.scene.endPreview();
    if (into_)
        if (WireItem* item = c_.scene.wire(*into_)) item->setTarget(false);
    c_.note.clear();
}

QPointF MoveGesture::offset(const Pointer& at) const {
    QPointF delta = at.scene - pressedScene_;
    // The held key turns the setting around while it is held.
    const bool snap = c_.gridSnap() != static_cast<bool>(at.modifiers & Qt::ControlModifier);
    if (snap) {
        const QPointF wish = start_.at(node_) + delta;
        delta =
            QPointF(std::round(wish.x() / kGrid) * kGrid, std::round(wish.y() / kGrid) * kGrid) -
            start_.at(node_);
    }
    return delta;
}

void MoveGesture::move(const Pointer& at) {
    if (!moved_ && QLineF(at.view, pressedView_).length() <= kDragDistance) return;
    moved_ = true;
    if (!start_.count(node_)) return;
    const QPointF delta = offset(at);
    if (copy_) {
        if (!ghosts_) {
            ghosts_ = std::make_unique<QGraphicsPathItem>();
            ghosts_->setPen(QPen(CanvasStyle::get().accent, 1.5, Qt::DashLine));
            ghosts_->setZValue(5);
            c_.scene.addItem(ghosts_.get());
        }
        QPainterPath path;
        for (const auto& [id, pos] : start_)
            if (const NodeItem* item = c_.scene.node(id))
                path.addRoundedRect(item->body().translated(pos + delta), CanvasStyle::get().radius,
                                    CanvasStyle::get().radius);
        ghosts_->setPath(path);
        return;
    }
    for (const auto& [id, pos] : start_)
        c_.scene.previewMove(id, pos + delta);
    findWire(at);
}

bool MoveGesture::fits(const graph::Wire& wire) {
    const auto known = fits_.find(wire);
    if (known != fits_.end()) return known->second;
    Draft draft(c_.sheet.graph());
    return fits_[wire] = insert_on_wire(draft, wire, node_);
}

void MoveGesture::findWire(const Pointer& at) {
    std::optional<graph::Wire> found;
    const NodeItem* item = c_.scene.node(node_);
    if (nodes_.size() == 1 && item && !(at.modifiers & Qt::AltModifier)) {
        const QRectF body = item->body().translated(item->pos());
        const QRectF core = body.adjusted(body.width() * 0.15, 2, -body.width() * 0.15, -2);
        double nearest = 1e300;
        for (const auto& [wire, wireItem] : c_.scene.wires()) {
            if (wire.from == node_ || wire.to == node_ || !wireItem->enters(core)) continue;
            const double distance = wireItem->distance(body.center());
            if (distance < nearest && fits(wire)) {
                nearest = distance;
                found = wire;
            }
        }
    }
    if (found != into_) {
        if (into_)
            if (WireItem* old = c_.scene.wire(*into_)) old->setTarget(false);
        into_ = found;
        if (into_)
            if (WireItem* fresh = c_.scene.wire(*into_)) fresh->setTarget(true);
    }
    if (into_)
        c_.note.say(QStringLiteral("Insert into this wire (Alt: do not)"), CursorNote::Good,
                    at.view);
    else
        c_.note.clear();
}

bool MoveGesture::release(const Pointer& at) {
    if (!moved_) {
        if (at.modifiers & Qt::ControlModifier) {
            auto nodes = c_.scene.chosenNodes();
            if (!nodes.erase(node_)) nodes.insert(node_);
            c_.scene.choose(nodes, c_.scene.chosenWires());
        } else if (!(at.modifiers & Qt::ShiftModifier)) {
            c_.scene.choose({node_});
        }
        return true;
    }
    move(at);
    const QPointF delta = offset(at);
    Draft draft(c_.sheet.graph());
    try {
        if (copy_) {
            double left = 1e300, top = 1e300;
            for (const auto& [id, pos] : start_) {
                left = std::min(left, pos.x());
                top = std::min(top, pos.y());
            }
            const auto [edit, ids] =
                graph::paste_edit(draft.graph(), graph::copy_text(draft.graph(), nodes_),
                                  {left + delta.x(), top + delta.y()});
            if (c_.apply(edit)) c_.scene.choose(ids);
            return true;
        }
        for (const auto& [id, pos] : start_) {
            const QPointF to = pos + delta;
            if (to != pos) draft.add({graph::Move{id, {to.x(), to.y()}}});
        }
        // The dots of wires among what moves move along.
        const auto bent = draft.graph().all_bends();
        for (const auto& [wire, bends] : bent) {
            if (!start_.contains(wire.from) || !start_.contains(wire.to)) continue;
            graph::SetBends edit{wire, bends};
            for (graph::Position& bend : edit.bends)
                bend = {bend.x + delta.x(), bend.y + delta.y()};
            draft.add({std::move(edit)});
        }
        if (into_) {
            insert_on_wire(draft, *into_, node_);
            if (const NodeItem* item = c_.scene.node(node_))
                make_room(draft, node_, item->pos().x() + item->body().width(), 2 * kGrid);
        }
        if (!draft.empty()) c_.apply(draft.take());
    } catch (const Error& error) {
        c_.hint(QString::fromUtf8(error.what()));
    }
    return true;
}

} // namespace wiregrad::studio

// What a person does to the canvas: mouse, wheel, keys, tooltips and drops become gestures, view
// changes and edits.
#include <QApplication>
#include <QContextMenuEvent>
#include <QDragEnterEvent>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QLineF>
#include <QMimeData>
#include <QMouseEvent>
#include <QNativeGestureEvent>
#include <QToolTip>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>

#include "session/settings.h"
#include "ui/canvas/bend_gesture.h"
#include "ui/canvas/canvas_edits.h"
#include "ui/canvas/canvas_impl.h"
#include "ui/canvas/canvas_overlays.h"
#include "ui/canvas/canvas_style.h"
#include "ui/canvas/marquee_gesture.h"
#include "ui/canvas/move_gesture.h"
#include "ui/canvas/type_list.h"
#include "ui/canvas/wire_gesture.h"

namespace wiregrad::studio {

namespace {

bool isTextField(const QWidget* widget) {
    return widget && (widget->inherits("QLineEdit") || widget->inherits("QAbstractSpinBox") ||
                      widget->inherits("QTextEdit") || widget->inherits("QPlainTextEdit") ||
                      widget->inherits("QComboBox"));
}

} // namespace

// ---------------------------------------------------------------- mouse

void Canvas::mousePressEvent(QMouseEvent* event) {
    const QPointF view = event->position();
    d->cursor = view;
    d->autoFit = false;
    if (!d->gesture) d->note->clear();
    d->rename->finish(true);
    d->search->dismiss();
    setFocus(Qt::MouseFocusReason);
    event->accept();

    const bool pans =
        event->button() == Qt::MiddleButton || (event->button() == Qt::LeftButton && d->spaceHeld);
    if (pans) {
        d->pressedView = view;
        d->panFrom = view;
        d->updateCursorShape();
        return;
    }
    const Pointer at = d->pointer(view, event->modifiers());
    if (d->gesture) {
        if (event->button() == Qt::RightButton)
            d->cancelGesture();
        else if (d->gesture->press(at))
            d->endGesture();
        return;
    }
    NodeItem* node = d->scene.nodeAt(at.scene);
    if (event->button() == Qt::RightButton) {
        d->pressedView = view;
        if (event->modifiers() & Qt::ControlModifier)
            d->gesture = std::make_unique<CutGesture>(d->context, at);
        else if (event->modifiers() & Qt::ShiftModifier)
            d->gesture = std::make_unique<CutGesture>(d->context, at, true);
        else
            d->rightPans = true;
        return;
    }
    if (event->button() != Qt::LeftButton) return;

    const CanvasStyle& s = CanvasStyle::get();
    const double reach = std::min(std::max(s.portRadius + 3, 9 / zoom()), s.row * 0.8);
    const auto port = zoom() >= 0.25 ? d->scene.portAt(at.scene, reach) : std::nullopt;
    d->scene.setHovered(nullptr, nullptr);
    d->updateLabel();
    if (port) {
        if (event->modifiers() & Qt::AltModifier) {
            d->removeWiresOf(*port);
            return;
        }
        if (port->output) d->setFocusOn(port->node, port->port);
        d->gesture = std::make_unique<WireGesture>(d->context, *port,
                                                   event->modifiers() & Qt::ControlModifier, at);
        return;
    }
    if (node) {
        d->gesture = std::make_unique<MoveGesture>(d->context, node->id(), at);
        d->setFocusOn(node->id(), {});
        return;
    }
    if (WireItem* wire = d->scene.wireAt(at.scene, 6 / zoom())) {
        const graph::Wire value = wire->wire();
        if (event->modifiers() & Qt::AltModifier) {
            if (const int bend = wire->bendAt(at.scene, 8 / zoom()); bend >= 0) {
                graph::SetBends edit{value, d->sheet.graph().bends(value)};
                edit.bends.erase(edit.bends.begin() + bend);
                d->apply({std::move(edit)});
                return;
            }
            d->apply({graph::Disconnect{value}});
            return;
        }
        auto wires = d->scene.chosenWires();
        if (event->modifiers() & Qt::ControlModifier) {
            if (!wires.erase(value)) wires.insert(value);
            d->scene.choose(d->scene.chosenNodes(), wires);
        } else if (event->modifiers() & Qt::ShiftModifier) {
            wires.insert(value);
            d->scene.choose(d->scene.chosenNodes(), wires);
        } else {
            d->scene.choose({}, {value});
        }
        d->setFocusOn(value.from, value.from_port);
        if (const int bend = wire->bendAt(at.scene, 8 / zoom()); bend >= 0)
            d->gesture = std::make_unique<BendGesture>(d->context, value, bend);
        return;
    }
    d->gesture = std::make_unique<MarqueeGesture>(d->context, at);
}

void Canvas::mouseMoveEvent(QMouseEvent* event) {
    const QPointF view = event->position();
    const QPointF before = d->cursor;
    d->cursor = view;
    event->accept();
    if (d->rightPans && !d->panFrom && (event->buttons() & Qt::RightButton) &&
        QLineF(view, d->pressedView).length() > kDragDistance) {
        d->panFrom = before;
        d->updateCursorShape();
    }
    // A held space bar pans while a gesture is under way, too.
    if (d->gesture && d->spaceHeld && !d->panFrom) d->panBy(view - before);
    if (d->panFrom) {
        d->panBy(view - *d->panFrom);
        d->panFrom = view;
        if (!d->gesture) return;
    }
    if (d->gesture) {
        d->gesture->move(d->pointer(view, event->modifiers()));
        const QRectF inner =
            QRectF(viewport()->rect())
                .adjusted(kScrollBorder, kScrollBorder, -kScrollBorder, -kScrollBorder);
        if (!inner.contains(view) && d->gesture->autoScrolls() && !d->scroll.isActive())
            d->scroll.start();
        return;
    }
    d->updateHover(view);
}

bool Canvas::Impl::removeWireAt(QPointF view) {
    const WireItem* wire = scene.wireAt(pointer(view, {}).scene, 6 / q.zoom());
    return wire && apply({graph::Disconnect{wire->wire()}});
}

void Canvas::mouseReleaseEvent(QMouseEvent* event) {
    const QPointF view = event->position();
    d->cursor = view;
    event->accept();
    if (d->panFrom && event->button() != Qt::RightButton) {
        d->panFrom.reset();
        d->updateCursorShape();
        if (event->button() == Qt::MiddleButton && !d->gesture &&
            QLineF(view, d->pressedView).length() <= kDragDistance &&
            Settings::value(QStringLiteral("canvas/middleRemoves")) == QLatin1String("true"))
            d->removeWireAt(view);
        return;
    }
    if (event->button() == Qt::RightButton && d->rightPans) {
        const bool panned = d->panFrom.has_value();
        d->panFrom.reset();
        d->rightPans = false;
        d->updateCursorShape();
        if (!panned && !d->gesture) d->showMenu(view, event->globalPosition().toPoint());
        return;
    }
    if (d->gesture) {
        // The gesture may open a search or be cancelled by what its edit does; look again before
        // ending it.
        Gesture* current = d->gesture.get();
        if (current->release(d->pointer(view, event->modifiers())) && d->gesture.get() == current)
            d->endGesture();
    }
}

void Canvas::mouseDoubleClickEvent(QMouseEvent* event) {
    event->accept();
    if (event->button() != Qt::LeftButton || d->spaceHeld) return;
    const Pointer at = d->pointer(event->position(), event->modifiers());
    if (d->gesture && d->gesture->sticky()) {
        mousePressEvent(event);
        return;
    }
    d->cancelGesture();
    if (NodeItem* node = d->scene.nodeAt(at.scene)) {
        d->scene.choose({node->id()});
        const graph::Node* model = d->sheet.graph().node(node->id());
        if (model && !model->group.empty())
            d->enterGroup(node->id()); // F2 renames
        else if (node->titleRect().contains(at.scene - node->pos()))
            d->startRename();
        return;
    }
    const WireItem* wire = d->scene.wireAt(at.scene, 6 / zoom());
    if (!wire) {
        openSearch(event->position());
    } else if (const int bend = wire->bendAt(at.scene, 8 / zoom()); bend >= 0) {
        graph::SetBends edit{wire->wire(), d->sheet.graph().bends(wire->wire())};
        edit.bends.erase(edit.bends.begin() + bend);
        d->apply({std::move(edit)});
    } else {
        d->apply(addBend(*wire, at.scene));
    }
}

void Canvas::wheelEvent(QWheelEvent* event) {
    event->accept();
    if (d->search->isOpen() && d->search->geometry().contains(event->position().toPoint())) return;
    d->rename->finish(true);
    d->autoFit = false;
    const bool touchpad =
        event->device() && event->device()->type() == QInputDevice::DeviceType::TouchPad;
    const bool control = event->modifiers() & Qt::ControlModifier;
    if ((!control && (touchpad || !d->wheelZooms)) || (event->modifiers() & Qt::ShiftModifier)) {
        QPointF delta = event->pixelDelta().isNull() ? QPointF(event->angleDelta()) * 0.5
                                                     : QPointF(event->pixelDelta());
        if ((event->modifiers() & Qt::ShiftModifier) && delta.x() == 0) delta = {delta.y(), 0};
        d->panBy(delta);
    } else {
        const double turn =
            std::clamp(static_cast<double>(event->angleDelta().y()), -1200.0, 1200.0);
        setZoom(zoom() * std::pow(1.0015, turn), event->position());
    }
    if (d->gesture) d->gesture->move(d->pointer(d->cursor, event->modifiers()));
}

void Canvas::contextMenuEvent(QContextMenuEvent* event) {
    event->accept();
    if (event->reason() == QContextMenuEvent::Mouse)
        return; // shown at release, when it is clear that nobody pans
    QPointF view = QRectF(viewport()->rect()).center();
    if (!d->scene.chosenNodes().empty()) view = nodeCentre(qs(*d->scene.chosenNodes().begin()));
    d->showMenu(view, viewport()->mapToGlobal(view.toPoint()));
}

// ---------------------------------------------------------------- keys and focus

bool Canvas::event(QEvent* event) {
    if (event->type() == QEvent::FontChange && d) {
        CanvasStyle::refresh();
        d->restyle();
    }
    if (event->type() == QEvent::KeyPress) {
        const auto* key = static_cast<QKeyEvent*>(event);
        if (key->key() == Qt::Key_Tab && key->modifiers() == Qt::NoModifier) {
            openSearch(viewport()->rect().contains(d->cursor.toPoint())
                           ? d->cursor
                           : QRectF(viewport()->rect()).center());
            return true;
        }
    }
    return QGraphicsView::event(event);
}

void Canvas::keyPressEvent(QKeyEvent* event) {
    event->accept();
    if (d->gesture) {
        // The key's edit may cancel the gesture by itself.
        Gesture* current = d->gesture.get();
        const Gesture::Keyed keyed = current->key(event->key());
        if (keyed == Gesture::Keyed::Over && d->gesture.get() == current) {
            d->note->clear();
            d->endGesture();
        }
        if (keyed != Gesture::Keyed::No) return;
    }
    const bool shift = event->modifiers() & Qt::ShiftModifier;
    const bool plain =
        !(event->modifiers() & (Qt::ControlModifier | Qt::AltModifier | Qt::MetaModifier));
    const double steps = shift ? 10 : 1;
    switch (event->key()) {
    case Qt::Key_Escape:
        if (d->gesture || d->panFrom)
            d->cancelGesture();
        else if (!d->scene.chosenNodes().empty() || !d->scene.chosenWires().empty())
            d->scene.choose({});
        else
            d->leaveGroup();
        d->note->clear();
        return;
    case Qt::Key_Space:
        if (!event->isAutoRepeat()) {
            d->spaceHeld = true;
            d->updateCursorShape();
        }
        return;
    case Qt::Key_Left:
        if (plain) d->nudge({-steps, 0}, event->isAutoRepeat());
        return;
    case Qt::Key_Right:
        if (plain) d->nudge({steps, 0}, event->isAutoRepeat());
        return;
    case Qt::Key_Up:
        if (plain) d->nudge({0, -steps}, event->isAutoRepeat());
        return;
    case Qt::Key_Down:
        if (plain) d->nudge({0, steps}, event->isAutoRepeat());
        return;
    case Qt::Key_Return:
    case Qt::Key_Enter:
        // No shortcut: Enter belongs to the search, which is a child of the canvas.
        if (plain && d->scene.chosenNodes().size() == 1)
            d->enterGroup(*d->scene.chosenNodes().begin());
        return;
    case Qt::Key_PageDown:
        d->walk(1);
        return;
    case Qt::Key_PageUp:
        d->walk(-1);
        return;
    default:
        break;
    }
    if (d->gesture && (event->key() == Qt::Key_Shift || event->key() == Qt::Key_Control ||
                       event->key() == Qt::Key_Alt)) {
        d->gesture->move(d->pointer(d->cursor, event->modifiers()));
        return;
    }
    const QString text = event->text();
    if (plain && !d->gesture && text.size() == 1 && text[0].isLetterOrNumber()) {
        openSearch(viewport()->rect().contains(d->cursor.toPoint())
                       ? d->cursor
                       : QRectF(viewport()->rect()).center(),
                   text);
        return;
    }
    event->ignore();
}

void Canvas::keyReleaseEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Space && !event->isAutoRepeat()) {
        d->spaceHeld = false;
        d->updateCursorShape();
    }
    if (d->gesture && (event->key() == Qt::Key_Shift || event->key() == Qt::Key_Control ||
                       event->key() == Qt::Key_Alt))
        d->gesture->move(d->pointer(d->cursor, event->modifiers()));
    QGraphicsView::keyReleaseEvent(event);
}

void Canvas::focusOutEvent(QFocusEvent* event) {
    d->spaceHeld = false;
    d->updateCursorShape();
    QGraphicsView::focusOutEvent(event);
}

void Canvas::enterEvent(QEnterEvent* event) {
    // Keys act where the pointer is, unless somebody is typing.
    const QWidget* focus = QApplication::focusWidget();
    if (window()->isActiveWindow() && !hasFocus() && !isTextField(focus))
        setFocus(Qt::OtherFocusReason);
    QGraphicsView::enterEvent(event);
}

bool Canvas::viewportEvent(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const QPointF at = d->pointer(help->pos(), {}).scene;
        if (d->gesture) {
            QToolTip::hideText();
        } else if (const auto port = d->scene.portAt(at, 9 / zoom())) {
            const NodeItem::Port* info = d->scene.node(port->node)->port(port->port, port->output);
            QString text = QStringLiteral("<b>%1</b>").arg(info->label.toHtmlEscaped());
            text += info->kind == graph::PortKind::Labels ? tr(" · labels")
                    : info->kind == graph::PortKind::Loss ? tr(" · loss")
                                                          : tr(" · tensor");
            if (info->optional) text += tr(", optional");
            if (!info->help.isEmpty()) text += QStringLiteral("<br>") + info->help.toHtmlEscaped();
            QToolTip::showText(help->globalPos(), text, this);
        } else if (const NodeItem* node = d->scene.nodeAt(at)) {
            QToolTip::showText(help->globalPos(), node->toolTipText(), this);
        } else {
            // The problem strip hangs below the body.
            const auto hits = d->scene.items(at);
            QString text;
            for (QGraphicsItem* item : hits)
                if (auto* owner = qgraphicsitem_cast<NodeItem*>(item);
                    owner && !owner->problemText().isEmpty())
                    text = owner->toolTipText();
            QToolTip::showText(help->globalPos(), text, this);
        }
        return true;
    }
    if (event->type() == QEvent::NativeGesture) {
        const auto* pinch = static_cast<QNativeGestureEvent*>(event);
        if (pinch->gestureType() == Qt::ZoomNativeGesture) {
            d->autoFit = false;
            setZoom(zoom() * (1 + pinch->value()), pinch->position());
            return true;
        }
    }
    if (event->type() == QEvent::Leave && !d->gesture) {
        d->scene.setHovered(nullptr, nullptr);
        d->updateLabel();
    }
    return QGraphicsView::viewportEvent(event);
}

void Canvas::resizeEvent(QResizeEvent* event) {
    QGraphicsView::resizeEvent(event);
    d->minimap->place();
    d->empty->setGeometry(rect());
    if (d->autoFit) {
        fitAll();
        d->autoFit = true;
    }
}

void Canvas::showEvent(QShowEvent* event) {
    QGraphicsView::showEvent(event);
    if (d->autoFit) d->restoreView();
}

void Canvas::scrollContentsBy(int dx, int dy) {
    QGraphicsView::scrollContentsBy(dx, dy);
    if (d && d->rename && d->rename->isOpen()) d->rename->finish(true);
}

// ---------------------------------------------------------------- drag and drop from the palette

void Canvas::dragEnterEvent(QDragEnterEvent* event) {
    if (event->mimeData()->hasFormat(QLatin1String(kTypeMime)))
        event->acceptProposedAction();
    else
        event->ignore();
}

void Canvas::dragMoveEvent(QDragMoveEvent* event) {
    if (!event->mimeData()->hasFormat(QLatin1String(kTypeMime))) {
        event->ignore();
        return;
    }
    event->acceptProposedAction();
    for (const auto& [wire, item] : d->scene.wires())
        item->setTarget(false);
    const QPointF at = d->pointer(event->position(), {}).scene;
    if (WireItem* wire = d->scene.wireAt(at, kSnapRadius / zoom())) wire->setTarget(true);
}

void Canvas::dragLeaveEvent(QDragLeaveEvent* event) {
    for (const auto& [wire, item] : d->scene.wires())
        item->setTarget(false);
    event->accept();
}

void Canvas::dropEvent(QDropEvent* event) {
    if (!event->mimeData()->hasFormat(QLatin1String(kTypeMime))) {
        event->ignore();
        return;
    }
    for (const auto& [wire, item] : d->scene.wires())
        item->setTarget(false);
    const QString type = QString::fromUtf8(event->mimeData()->data(QLatin1String(kTypeMime)));
    const QPointF at = d->pointer(event->position(), {}).scene;
    const CanvasStyle& s = CanvasStyle::get();
    event->acceptProposedAction();
    setFocus(Qt::OtherFocusReason);
    const QPointF corner = at - QPointF(s.width / 2, s.header / 2);
    if (WireItem* wire = d->scene.wireAt(at, kSnapRadius / zoom())) {
        const graph::Wire target = wire->wire();
        bool inserted = false;
        std::string id;
        const bool done = d->edit([&](Draft& draft) {
            id = add_new(draft, type.toStdString(),
                         {std::round(corner.x()), std::round(corner.y())});
            inserted = insert_on_wire(draft, target, id);
            if (inserted) make_room(draft, id, corner.x() + s.width, 2 * kGrid);
            return inserted;
        });
        if (done) {
            Settings::addRecentType(type);
            d->scene.choose({id});
        }
        if (inserted) return;
    }
    addNode(type, corner, false);
}

} // namespace wiregrad::studio

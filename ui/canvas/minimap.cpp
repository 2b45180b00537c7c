#include "ui/canvas/minimap.h"

#include <QGraphicsView>
#include <QMouseEvent>
#include <QPainter>

#include <algorithm>

#include "session/document.h"
#include "ui/canvas/canvas_scene.h"
#include "ui/canvas/canvas_style.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

Minimap::Minimap(CanvasScene& scene, QGraphicsView& view)
    : QWidget(&view), scene_(scene), view_(view) {
    setObjectName(QStringLiteral("canvas.minimap"));
    setAccessibleName(tr("Overview of the graph"));
    setCursor(Qt::ArrowCursor);
    hide();
}

void Minimap::place() {
    const QSize room = view_.size();
    const QSize size(std::min(200, room.width() / 3), std::min(130, room.height() / 3));
    setGeometry(room.width() - size.width() - 12, room.height() - size.height() - 12, size.width(),
                size.height());
}

QTransform Minimap::toMap() const {
    const QRectF visible = view_.mapToScene(view_.viewport()->rect()).boundingRect();
    const QRectF all = scene_.boundsOf({}).united(visible).adjusted(-40, -40, 40, 40);
    const double scale =
        std::min(width() / std::max(all.width(), 1.0), height() / std::max(all.height(), 1.0));
    QTransform transform;
    transform.translate(width() / 2.0, height() / 2.0);
    transform.scale(scale, scale);
    transform.translate(-all.center().x(), -all.center().y());
    return transform;
}

void Minimap::paintEvent(QPaintEvent*) {
    const CanvasStyle& s = CanvasStyle::get();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(s.border, 1));
    QColor back = s.panel;
    back.setAlpha(235);
    painter.setBrush(back);
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6);
    painter.setClipRect(rect().adjusted(2, 2, -2, -2));
    const QTransform map = toMap();
    painter.setPen(QPen(mix(s.panel, s.nodeMuted, 0.5), 1));
    for (const auto& [wire, item] : scene_.wires())
        painter.drawLine(map.map(item->from()), map.map(item->to()));
    painter.setPen(Qt::NoPen);
    for (const auto& [id, item] : scene_.nodes()) {
        QRectF box = map.mapRect(item->body().translated(item->pos()));
        box.setSize(box.size().expandedTo(QSizeF(2, 2)));
        painter.setBrush(item->isChosen()   ? s.selection
                         : item->hasError() ? s.error
                                            : mix(s.panel, s.nodeText, 0.45));
        painter.drawRect(box);
    }
    const QRectF visible = map.mapRect(view_.mapToScene(view_.viewport()->rect()).boundingRect());
    QColor fill = s.accent;
    fill.setAlpha(24);
    painter.setBrush(fill);
    painter.setPen(QPen(s.accent, 1.2));
    painter.drawRoundedRect(visible, 2, 2);
}

void Minimap::mousePressEvent(QMouseEvent* event) {
    emit wantsCentre(toMap().inverted().map(event->position()));
    event->accept();
}

void Minimap::mouseMoveEvent(QMouseEvent* event) {
    if (event->buttons() & Qt::LeftButton)
        emit wantsCentre(toMap().inverted().map(event->position()));
    event->accept();
}

void Minimap::wheelEvent(QWheelEvent* event) {
    event->accept();
}

} // namespace wiregrad::studio

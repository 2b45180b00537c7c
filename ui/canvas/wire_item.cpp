#include "ui/canvas/wire_item.h"

#include <QLineF>
#include <QPainter>
#include <QStyleOptionGraphicsItem>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ui/canvas/canvas_style.h"

namespace wiregrad::studio {

namespace {
constexpr int kSegments = 48;
}

WireItem::WireItem(graph::Wire wire, graph::PortKind kind) : wire_(std::move(wire)), kind_(kind) {
    setAcceptedMouseButtons(Qt::NoButton);
}

int WireItem::bendAt(QPointF scenePos, double radius) const {
    for (std::size_t i = 0; i < bends_.size(); ++i)
        if (QLineF(bends_[i], scenePos).length() <= radius) return static_cast<int>(i);
    return -1;
}

int WireItem::placeOfBend(QPointF scenePos) const {
    // The stretch between two neighbours that lies nearest decides.
    std::vector<QPointF> points{from_};
    points.insert(points.end(), bends_.begin(), bends_.end());
    points.push_back(to_);
    double nearest = std::numeric_limits<double>::max();
    int place = 0;
    for (std::size_t i = 0; i + 1 < points.size(); ++i) {
        const QPainterPath part = wirePath(points[i], points[i + 1]);
        for (int k = 0; k <= 16; ++k) {
            const double distance = QLineF(part.pointAtPercent(k / 16.0), scenePos).length();
            if (distance < nearest) {
                nearest = distance;
                place = static_cast<int>(i);
            }
        }
    }
    return place;
}

void WireItem::setEnds(QPointF from, QPointF to, std::optional<double> lane,
                       const std::vector<QPointF>& bends) {
    if (from == from_ && to == to_ && lane == lane_ && bends == bends_ && !path_.isEmpty()) return;
    prepareGeometryChange();
    from_ = from;
    to_ = to;
    lane_ = lane;
    bends_ = bends;
    if (bends_.empty()) {
        path_ = lane ? wirePath(from, to, *lane) : wirePath(from, to);
    } else {
        path_ = QPainterPath(from);
        QPointF before = from;
        for (const QPointF& bend : bends_) {
            path_.connectPath(wirePath(before, bend));
            before = bend;
        }
        path_.connectPath(wirePath(before, to));
    }
    polyline_.clear();
    bounds_ = path_.boundingRect().adjusted(-6, -6, 6, 6);
}

const QPolygonF& WireItem::polyline() const {
    if (polyline_.isEmpty()) {
        polyline_.reserve(kSegments + 1);
        for (int i = 0; i <= kSegments; ++i)
            polyline_ << path_.pointAtPercent(static_cast<double>(i) / kSegments);
    }
    return polyline_;
}

double WireItem::distance(QPointF p) const {
    const QPolygonF& line = polyline();
    double best = std::numeric_limits<double>::max();
    for (int i = 0; i + 1 < line.size(); ++i) {
        const QPointF a = line[i], d = line[i + 1] - a;
        const double length = QPointF::dotProduct(d, d);
        const double t =
            length > 0 ? std::clamp(QPointF::dotProduct(p - a, d) / length, 0.0, 1.0) : 0.0;
        best = std::min(best, QLineF(p, a + t * d).length());
    }
    return best;
}

bool WireItem::crosses(const QPolygonF& cut) const {
    const QPolygonF& line = polyline();
    for (int i = 0; i + 1 < cut.size(); ++i) {
        const QLineF blade(cut[i], cut[i + 1]);
        if (!QRectF(blade.p1(), blade.p2()).normalized().adjusted(-1, -1, 1, 1).intersects(bounds_))
            continue;
        for (int j = 0; j + 1 < line.size(); ++j)
            if (QLineF(line[j], line[j + 1]).intersects(blade, nullptr) ==
                QLineF::BoundedIntersection)
                return true;
    }
    return false;
}

bool WireItem::enters(const QRectF& rect) const {
    if (!rect.intersects(bounds_)) return false;
    const QPolygonF& line = polyline();
    return std::any_of(line.begin(), line.end(), [&](QPointF p) { return rect.contains(p); });
}

void WireItem::set(bool& flag, bool value) {
    if (flag == value) return;
    flag = value;
    update();
}

void WireItem::setChosen(bool chosen) {
    set(chosen_, chosen);
}
void WireItem::setHovered(bool hovered) {
    set(hovered_, hovered);
}
void WireItem::setDoomed(bool doomed) {
    set(doomed_, doomed);
}
void WireItem::setTarget(bool target) {
    set(target_, target);
}
void WireItem::setFaded(bool faded) {
    set(faded_, faded);
}

void WireItem::paint(QPainter* painter, const QStyleOptionGraphicsItem* option, QWidget*) {
    const CanvasStyle& s = CanvasStyle::get();
    const double zoom = option->levelOfDetailFromTransform(painter->worldTransform());
    painter->setBrush(Qt::NoBrush);
    if (zoom < kTextZoom && !chosen_ && !hovered_ && !doomed_ && !target_) {
        // Far out a hairline costs a fraction of a stroked curve and reads the same.
        QColor color = s.wire(kind_);
        if (faded_) color.setAlpha(70);
        painter->setPen(QPen(color, 0));
        painter->drawPath(path_);
        return;
    }
    QPen pen = s.wirePen(kind_, chosen_ || target_ ? 3.0 : hovered_ ? 2.6 : 2.0);
    if (doomed_) {
        pen.setColor(s.refused);
        pen.setStyle(Qt::DashLine);
    } else if (target_ || chosen_) {
        QColor halo = target_ ? s.accent : s.selection;
        halo.setAlpha(140);
        painter->setPen(QPen(halo, 8, Qt::SolidLine, Qt::RoundCap));
        painter->drawPath(path_);
        if (target_) pen.setColor(s.accent);
    } else if (faded_) {
        QColor color = pen.color();
        color.setAlpha(80);
        pen.setColor(color);
    }
    painter->setPen(pen);
    painter->drawPath(path_);
    if (bends_.empty()) return;
    painter->setPen(QPen(s.body, 1.4));
    painter->setBrush(pen.color());
    for (const QPointF& bend : bends_)
        painter->drawEllipse(bend, 4.5, 4.5);
}

} // namespace wiregrad::studio

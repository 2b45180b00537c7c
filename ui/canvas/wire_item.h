// One wire on the canvas: a curve in the colour and pattern of its kind. Identified by the wire's
// value. GUI thread.
#pragma once

#include <QGraphicsItem>
#include <QPainterPath>
#include <QPolygonF>

#include <optional>
#include <vector>

#include "nodes/graph.h"

namespace wiregrad::studio {

class WireItem : public QGraphicsItem {
  public:
    enum { Type = UserType + 2 };

    WireItem(graph::Wire wire, graph::PortKind kind);

    int type() const override { return Type; }
    QRectF boundingRect() const override { return bounds_; }
    void paint(QPainter* painter, const QStyleOptionGraphicsItem* option, QWidget* widget) override;

    const graph::Wire& wire() const { return wire_; }
    graph::PortKind kind() const { return kind_; }
    /// `lane`: height of the level middle part, where the direct curve would run under nodes.
    void setEnds(QPointF from, QPointF to, std::optional<double> lane = std::nullopt,
                 const std::vector<QPointF>& bends = {});
    const std::vector<QPointF>& bends() const { return bends_; } ///< where a person bent it
    /// The bend under a point, or -1.
    int bendAt(QPointF scenePos, double radius) const;
    /// Where a new bend at this point would stand among the others.
    int placeOfBend(QPointF scenePos) const;
    QPointF from() const { return from_; }
    QPointF to() const { return to_; }
    QPointF middle() const { return path_.pointAtPercent(0.5); }
    const QPolygonF& polyline() const; ///< for hits and cuts
    double distance(QPointF scenePos) const;
    bool crosses(const QPolygonF& line) const;
    bool enters(const QRectF& sceneRect) const;

    void setChosen(bool chosen);
    void setHovered(bool hovered);
    void setDoomed(bool doomed); ///< under a cutting line
    void setTarget(bool target); ///< a node dropped now would be inserted here
    void setFaded(bool faded);
    bool isDoomed() const { return doomed_; }

  private:
    void set(bool& flag, bool value);

    graph::Wire wire_;
    graph::PortKind kind_;
    QPointF from_, to_;
    std::optional<double> lane_;
    std::vector<QPointF> bends_;
    QPainterPath path_;
    QRectF bounds_;
    mutable QPolygonF polyline_;
    bool chosen_ = false, hovered_ = false, doomed_ = false, target_ = false, faded_ = false;
};

} // namespace wiregrad::studio

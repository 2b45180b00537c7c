#include "ui/window/miniature.h"

#include <QPainterPath>

#include <cmath>

#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

constexpr QSizeF kNode(170, 84); // about a painted node, in canvas units

QPointF portPoint(const graph::Node& node, const std::vector<graph::PortSpec>& ports, const std::string& id, bool output) {
    double share = 0.5;
    for (std::size_t i = 0; i < ports.size(); ++i)
        if (ports[i].id == id)
            share = double(i + 1) / double(ports.size() + 1);
    return {node.position.x + (output ? kNode.width() : 0), node.position.y + kNode.height() * share};
}

} // namespace

void paintMiniature(QPainter& painter, const QRectF& place, const graph::Graph& graph) {
    QRectF bounds;
    for (const auto& [id, node] : graph.nodes())
        bounds |= QRectF(QPointF(node.position.x, node.position.y), kNode);
    if (bounds.isEmpty() || place.isEmpty())
        return;
    const double scale = std::min({place.width() / bounds.width(), place.height() / bounds.height(), 0.6});
    const Theme& theme = Theme::instance();
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.translate(place.center());
    painter.scale(scale, scale);
    painter.translate(-bounds.center());

    painter.setBrush(Qt::NoBrush);
    for (const graph::Wire& wire : graph.wires()) {
        const graph::Node* from = graph.node(wire.from);
        const graph::Node* to = graph.node(wire.to);
        const graph::NodeType* fromType = from ? graph::find_type(from->type) : nullptr;
        const graph::NodeType* toType = to ? graph::find_type(to->type) : nullptr;
        if (!fromType || !toType)
            continue;
        const QPointF a = portPoint(*from, fromType->outputs, wire.from_port, true);
        const QPointF b = portPoint(*to, toType->inputs, wire.to_port, false);
        const double bend = std::max(30.0, std::abs(b.x() - a.x()) * 0.5);
        QPainterPath path(a);
        path.cubicTo(a + QPointF(bend, 0), b - QPointF(bend, 0), b);
        const graph::PortSpec* port = fromType->output(wire.from_port);
        painter.setPen(QPen(theme.wire(port ? port->kind : graph::PortKind::Tensor), 1.5 / scale));
        painter.drawPath(path);
    }
    for (const auto& [id, node] : graph.nodes()) {
        const graph::NodeType* type = graph::find_type(node.type);
        const QColor colour = theme.category(type ? QString::fromStdString(type->category) : QString());
        const QRectF box(QPointF(node.position.x, node.position.y), kNode);
        const double radius = std::min(3.0 / scale, kNode.height() / 3);
        painter.setPen(QPen(colour, 1.2 / scale));
        painter.setBrush(theme.color(Token::NodeBody));
        painter.drawRoundedRect(box, radius, radius);
        painter.setPen(Qt::NoPen);
        painter.setBrush(colour);
        painter.drawRoundedRect(QRectF(box.topLeft(), QSizeF(box.width(), box.height() * 0.36)), radius, radius);
    }
    painter.restore();
}

} // namespace wiregrad::studio

#include "ui/window/miniature.h"

#include <QPainterPath>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

constexpr QSizeF kNode(170, 84); // about a painted node, in canvas units

QPointF portPoint(QPointF corner, const std::vector<graph::PortSpec>& ports, const std::string& id,
                  bool output) {
    double share = 0.5;
    for (std::size_t i = 0; i < ports.size(); ++i)
        if (ports[i].id == id) share = double(i + 1) / double(ports.size() + 1);
    return corner + QPointF(output ? kNode.width() : 0, kNode.height() * share);
}

/// Top left corners; a long chain is folded into rows, so that its boxes stay large enough to be
/// seen.
std::map<std::string, QPointF> cornersOf(const graph::Graph& graph, const QRectF& place) {
    QRectF bounds;
    std::map<std::string, QPointF> corners;
    for (const auto& [id, node] : graph.nodes()) {
        corners[id] = {node.position.x, node.position.y};
        bounds |= QRectF(corners[id], kNode);
    }
    const double wider = bounds.width() / bounds.height() / (place.width() / place.height());
    const int rows = std::clamp(int(std::floor(std::sqrt(wider * 0.9))), 1, 4);
    if (rows == 1) return corners;
    const double part = bounds.width() / rows + 1, down = bounds.height() + kNode.height() * 0.7;
    for (auto& [id, corner] : corners) {
        const int row = std::clamp(int((corner.x() - bounds.left()) / part), 0, rows - 1);
        corner += QPointF(-part * row, down * row);
    }
    return corners;
}

} // namespace

void paintMiniature(QPainter& painter, const QRectF& place, const graph::Graph& graph) {
    if (graph.nodes().empty() || place.isEmpty()) return;
    const std::map<std::string, QPointF> corners = cornersOf(graph, place);
    QRectF bounds;
    for (const auto& [id, corner] : corners)
        bounds |= QRectF(corner, kNode);
    const double scale =
        std::min({place.width() / bounds.width(), place.height() / bounds.height(), 0.6});
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
        if (!fromType || !toType) continue;
        const QPointF a = portPoint(corners.at(wire.from), fromType->outputs, wire.from_port, true);
        const QPointF b = portPoint(corners.at(wire.to), toType->inputs, wire.to_port, false);
        QPainterPath path(a);
        if (b.x() > a.x()) {
            const double bend = std::clamp((b.x() - a.x()) * 0.5, 30.0, 120.0);
            path.cubicTo(a + QPointF(bend, 0), b - QPointF(bend, 0), b);
        } else { // back to the next row, through the gap above it
            const double gap = b.y() - kNode.height() * 0.9, out = 34;
            path.cubicTo(a + QPointF(out, 0), {a.x() + out, gap}, {a.x(), gap});
            path.lineTo(b.x(), gap);
            path.cubicTo({b.x() - out, gap}, b - QPointF(out, 0), b);
        }
        const graph::PortSpec* port = fromType->output(wire.from_port);
        painter.setPen(QPen(theme.wire(port ? port->kind : graph::PortKind::Tensor), 1.5 / scale));
        painter.drawPath(path);
    }
    for (const auto& [id, node] : graph.nodes()) {
        const graph::NodeType* type = graph::find_type(node.type);
        const QColor colour =
            theme.category(type ? QString::fromStdString(type->category) : QString());
        const QRectF box(corners.at(id), kNode);
        const double radius = std::min(3.0 / scale, kNode.height() / 3);
        painter.setPen(QPen(colour, 1.2 / scale));
        painter.setBrush(theme.color(Token::NodeBody));
        painter.drawRoundedRect(box, radius, radius);
        painter.setPen(Qt::NoPen);
        painter.setBrush(colour);
        painter.drawRoundedRect(QRectF(box.topLeft(), QSizeF(box.width(), box.height() * 0.36)),
                                radius, radius);
    }
    painter.restore();
}

} // namespace wiregrad::studio

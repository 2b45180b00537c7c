// Sizes, colours and small painting helpers shared by the items of the canvas. All sizes follow the
// theme's font. Refreshed when the theme changes. GUI thread.
#pragma once

#include <QColor>
#include <QFont>
#include <QPainterPath>
#include <QPen>
#include <QPixmap>
#include <QString>

#include "nodes/graph.h"

namespace wiregrad::studio {

/// Below these zoom factors text becomes bars, and nodes become flat rectangles.
inline constexpr double kTextZoom = 0.4;
inline constexpr double kFlatZoom = 0.22;
inline constexpr double kMinZoom = 0.1, kMaxZoom = 4.0;
inline constexpr double kGrid = 20; ///< canvas units
inline constexpr double kLaneReach =
    24; ///< how far a wire with a lane leaves its ports before it turns
inline constexpr double kSnapRadius = 15;  ///< pixels
inline constexpr double kDragDistance = 4; ///< pixels

struct CanvasStyle {
    static const CanvasStyle& get();
    static void refresh(); ///< done by itself when the theme changes

    // --- sizes in canvas units
    double width = 0, header = 0, row = 0, padding = 0, radius = 0, portRadius = 0, glyph = 0,
           noteLine = 0;
    QFont title, text, small;
    // --- colours
    QColor canvas, grid, gridStrong, body, border, nodeText, nodeMuted, shadow, accent, selection,
        error, warning, info, success, panel, panelText, refused;

    QPen wirePen(graph::PortKind kind, double width) const;
    QColor wire(graph::PortKind kind) const { return wireColor[static_cast<int>(kind)]; }
    QColor wireColor[3];
    /// The category's glyph at `zoom`, crisp at the next power of two.
    const QPixmap& glyphPixmap(const QString& category, double zoom, double ratio) const;
};

/// Linear mix: 0 gives a, 1 gives b.
QColor mix(const QColor& a, const QColor& b, double t);
/// The wire's curve from an output to an input.
QPainterPath wirePath(QPointF from, QPointF to);
/// The same, but level at height `lane` between the ends: past nodes that stand in the way.
QPainterPath wirePath(QPointF from, QPointF to, double lane);
/// "832 weights", "61.7k weights", "1 weight"; empty for none.
QString weightsText(std::int64_t count);
/// Shape and weights in `width`: closer together before anything is cut.
QString fitSubtitle(const QString& shape, std::int64_t weights, const QFont& font, double width);
/// With thousands separators.
QString exactNumber(std::int64_t count);
/// The name a person gave, or the label of the type.
QString nodeTitle(const graph::Graph& graph, const graph::Node& node);

inline QString qs(const std::string& text) {
    return QString::fromStdString(text);
}

} // namespace wiregrad::studio

#include "ui/canvas/canvas_style.h"

#include <QFontMetricsF>
#include <QHash>
#include <QIcon>
#include <QLineF>
#include <QLocale>

#include <algorithm>
#include <cmath>

#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

CanvasStyle& style() {
    static CanvasStyle instance;
    return instance;
}

QHash<QString, QPixmap>& glyphs() {
    static QHash<QString, QPixmap> cache;
    return cache;
}

bool g_ready = false;

} // namespace

const CanvasStyle& CanvasStyle::get() {
    if (!g_ready) {
        // First in the line of listeners: whoever repaints on a change of theme finds the new
        // colours here.
        QObject::connect(&Theme::instance(), &Theme::changed, [] { refresh(); });
        refresh();
    }
    return style();
}

void CanvasStyle::refresh() {
    CanvasStyle& s = style();
    const Theme& theme = Theme::instance();
    s.title = theme.font(1.0, QFont::DemiBold);
    s.text = theme.font(0.9);
    s.small = theme.font(0.84);
    // Line heights, rounded so that ports of neighbouring nodes fall on common lines.
    const double line = QFontMetricsF(theme.font(1.0)).height();
    const double unit = line / 16.0;
    s.header = std::round(30 * unit);
    s.row = std::round(22 * unit);
    s.width = std::round(220 * unit);
    s.padding = std::round(12 * unit);
    s.radius = 8 * unit;
    s.portRadius = 5 * unit;
    s.glyph = std::round(18 * unit);
    s.noteLine = std::round(QFontMetricsF(s.small).height() + 1);

    s.canvas = theme.color(Token::Canvas);
    s.grid = theme.color(Token::CanvasGrid);
    s.gridStrong = theme.color(Token::CanvasGridStrong);
    s.body = theme.color(Token::NodeBody);
    s.border = theme.color(Token::NodeBorder);
    s.nodeText = theme.color(Token::NodeText);
    s.nodeMuted = theme.color(Token::NodeTextMuted);
    s.shadow = theme.color(Token::NodeShadow);
    s.accent = theme.color(Token::Accent);
    s.selection = theme.color(Token::Selection);
    s.error = theme.color(Token::Error);
    s.warning = theme.color(Token::Warning);
    s.info = theme.color(Token::Info);
    s.success = theme.color(Token::Success);
    s.panel = theme.color(Token::PanelRaised);
    s.panelText = theme.color(Token::Text);
    s.refused = theme.color(Token::WireRefused);
    for (const auto kind :
         {graph::PortKind::Tensor, graph::PortKind::Labels, graph::PortKind::Loss})
        s.wireColor[static_cast<int>(kind)] = theme.wire(kind);
    glyphs().clear();
    g_ready = true;
}

QPen CanvasStyle::wirePen(graph::PortKind kind, double penWidth) const {
    QPen pen(wire(kind), penWidth, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin);
    // The pattern says the kind without the colour.
    if (kind == graph::PortKind::Labels)
        pen.setDashPattern({4.0, 3.0});
    else if (kind == graph::PortKind::Loss)
        pen.setDashPattern({0.1, 2.6});
    return pen;
}

const QPixmap& CanvasStyle::glyphPixmap(const QString& category, double zoom, double ratio) const {
    int scale = 1;
    while (scale < zoom * ratio - 0.05 && scale < 8)
        scale *= 2;
    const QString key = category + QLatin1Char('@') + QString::number(scale);
    const auto found = glyphs().constFind(key);
    if (found != glyphs().constEnd()) return *found;
    const int side = static_cast<int>(std::ceil(glyph)) * scale;
    const QPixmap pixmap = Theme::instance().categoryIcon(category).pixmap(QSize(side, side), 1.0);
    return *glyphs().insert(key, pixmap);
}

QColor mix(const QColor& a, const QColor& b, double t) {
    const auto blend = [t](float x, float y) { return static_cast<float>(x + (y - x) * t); };
    return QColor::fromRgbF(blend(a.redF(), b.redF()), blend(a.greenF(), b.greenF()),
                            blend(a.blueF(), b.blueF()), blend(a.alphaF(), b.alphaF()));
}

QPainterPath wirePath(QPointF from, QPointF to) {
    const double dx = to.x() - from.x();
    const double dy = std::abs(to.y() - from.y());
    // Forward wires bend half way; backward ones swing out so that they stay readable.
    double reach = dx >= 0 ? dx * 0.5 : std::min(-dx * 0.5 + 40.0, 220.0);
    reach = std::max(reach, std::min(40.0, dy * 0.5 + std::abs(dx) * 0.25));
    QPainterPath path(from);
    path.cubicTo(from + QPointF(reach, 0), to - QPointF(reach, 0), to);
    return path;
}

QPainterPath wirePath(QPointF from, QPointF to, double lane) {
    const double out = from.x() + kLaneReach, in = to.x() - kLaneReach;
    const QPointF corners[] = {{out, from.y()}, {out, lane}, {in, lane}, {in, to.y()}};
    QPainterPath path(from);
    QPointF before = from;
    for (int i = 0; i < 4; ++i) {
        const QPointF corner = corners[i], after = i < 3 ? corners[i + 1] : to;
        const QLineF arriving(corner, before), leaving(corner, after);
        // Round, but never more than half of the shorter side.
        const double radius = std::min({kLaneReach * 0.8, arriving.length() / (i == 0 ? 1 : 2),
                                        leaving.length() / (i == 3 ? 1 : 2)});
        if (radius > 0.5) {
            path.lineTo(arriving.pointAt(radius / arriving.length()));
            path.quadTo(corner, leaving.pointAt(radius / leaving.length()));
        } else {
            path.lineTo(corner);
        }
        before = corner;
    }
    path.lineTo(to);
    return path;
}

QString exactNumber(std::int64_t count) {
    return QLocale(QLocale::English).toString(static_cast<qlonglong>(count));
}

QString weightsText(std::int64_t count) {
    if (count <= 0) return {};
    if (count == 1) return QStringLiteral("1 weight");
    if (count < 10'000) // exact while it is short
        return exactNumber(count) + QStringLiteral(" weights");
    const char* suffix = "k";
    double value = static_cast<double>(count) / 1e3;
    if (value >= 999.5) {
        value /= 1e3;
        suffix = "M";
    }
    if (value >= 999.5) {
        value /= 1e3;
        suffix = "G";
    }
    return QString::number(value, 'f', value < 99.95 ? 1 : 0) + QLatin1String(suffix) +
           QStringLiteral(" weights");
}

QString fitSubtitle(const QString& shape, std::int64_t weights, const QFont& font, double width) {
    const QFontMetricsF metrics(font);
    const QString full = weightsText(weights);
    const QString separator = shape.isEmpty() || full.isEmpty() ? QString() : QStringLiteral(" · ");
    QString tight = shape;
    tight.replace(QStringLiteral(" × "), QStringLiteral("×"));
    for (const QString& wish : {shape + separator + full, tight + separator + full})
        if (metrics.horizontalAdvance(wish) <= width) return wish;
    return metrics.elidedText(tight + separator + full, Qt::ElideRight, width);
}

QString nodeTitle(const graph::Graph& graph, const graph::Node& node) {
    if (!node.name.empty()) return qs(node.name);
    const graph::NodeType* type = graph.type_of(node);
    return qs(type ? type->label : node.type);
}

} // namespace wiregrad::studio

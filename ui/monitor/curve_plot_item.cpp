// What is painted into the plot area.
#include <QPaintEngine>
#include <QPainter>

#include <algorithm>
#include <cmath>

#include "ui/monitor/curve_plot_impl.h"
#include "ui/panels/format.h"

namespace wiregrad::studio {

namespace {

/// Dense lines go out as separate segments: joining thousands of steep corners is what makes a
/// wide polyline slow.
void stroke(QPainter& painter, const QTransform& map, const std::vector<QPointF>& line, QPen pen) {
    if (line.size() < 2) {
        return;
    }
    std::vector<QPointF> points(line.size());
    std::transform(line.begin(), line.end(), points.begin(),
                   [&](const QPointF& p) { return map.map(p); });
    const bool dense = points.size() > 400;
    if (dense && pen.style() == Qt::SolidLine) {
        std::vector<QLineF> segments;
        segments.reserve(points.size());
        for (std::size_t i = 1; i < points.size(); ++i) {
            if (std::isfinite(points[i - 1].y()) && std::isfinite(points[i].y())) {
                segments.emplace_back(points[i - 1], points[i]);
            }
        }
        pen.setCapStyle(Qt::FlatCap);
        painter.setPen(pen);
        painter.drawLines(segments.data(), static_cast<int>(segments.size()));
        return;
    }
    painter.setPen(pen);
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= points.size(); ++i) {
        if (i == points.size() ||
            !std::isfinite(points[i].y())) { // a gap: nothing that the axis can show
            if (i - begin > 1) {
                painter.drawPolyline(points.data() + begin, static_cast<int>(i - begin));
            }
            begin = i + 1;
        }
    }
}

} // namespace

void CurvePlot::Impl::Item::paint(QPainter* painter, const QStyleOptionGraphicsItem*, QWidget*) {
    const QRectF area = d.chart->plotArea();
    if (area.width() < 8 || area.height() < 8) {
        return;
    }
    const double ratio =
        std::max(1.0, painter->deviceTransform().m11()); // high-resolution screens and pictures
    const QPaintEngine* engine = painter->paintEngine();
    if (engine && engine->type() == QPaintEngine::SVG) { // lines, not a picture of them
        painter->save();
        painter->translate(area.topLeft());
        const QRectF local(QPointF(0, 0), area.size());
        paintEpochs(*painter, local);
        paintMarkers(*painter, local);
        paintCurves(*painter, local);
        painter->restore();
        return;
    }
    if (picture_.isNull() || picture_.size() != (area.size() * ratio).toSize()) {
        picture_ = QPixmap((area.size() * ratio).toSize());
        picture_.setDevicePixelRatio(ratio);
        picture_.fill(Qt::transparent);
        QPainter inner(&picture_);
        inner.setRenderHint(QPainter::Antialiasing);
        const QRectF local(QPointF(0, 0), area.size());
        paintEpochs(inner, local);
        paintMarkers(inner, local);
        paintCurves(inner, local);
    }
    painter->drawPixmap(area.topLeft(), picture_);
    paintSelection(*painter, area);
    paintCursor(*painter, area);
    paintCrosshair(*painter, area);
}

void CurvePlot::Impl::Item::paintEpochs(QPainter& painter, const QRectF& area) const {
    if (!(d.stepsPerEpoch > 0)) {
        return;
    }
    const Theme& theme = Theme::instance();
    const double pixels = d.stepsPerEpoch * area.width() / (d.range.to - d.range.from);
    if (d.logSteps) {
        return; // equal epochs are not equally far apart there
    }
    // 1, 2, 5, 10, ... epochs a mark, so that labels have room
    double every = 1;
    for (const double factor : {1.0, 2.0, 5.0}) {
        for (double power = 1; power < 1e12; power *= 10) {
            const double candidate = factor * power;
            if (candidate * pixels >= 44 && (every * pixels < 44 || candidate < every)) {
                every = candidate;
            }
        }
    }
    const QFont font = theme.font(0.78);
    painter.setFont(font);
    const QFontMetricsF metrics(font);
    QPen pen(theme.color(Token::PlotGrid), 1, Qt::CustomDashLine);
    pen.setDashPattern({2, 3});
    const QTransform map = d.transform(area);
    const double stride = every * d.stepsPerEpoch;
    double first = std::max(1.0, std::ceil(d.range.from / stride - 1e-9));
    bool named = false;
    for (double k = first; k * stride <= d.range.to * (1 + 1e-12); ++k) {
        const double x = std::round(map.map(QPointF(k * stride, 0)).x()) + 0.5;
        painter.setPen(pen);
        painter.drawLine(QPointF(x, 0), QPointF(x, area.height()));
        const QString number = QString::number(static_cast<qint64>(k * every));
        const QString text = named ? number : QStringLiteral("epoch ") + number;
        const double width = metrics.horizontalAdvance(text);
        if (x - width - 3 > 0) {
            painter.setPen(theme.color(Token::TextMuted));
            painter.drawText(QPointF(x - width - 3, metrics.ascent() + 1), text);
            named = true;
        }
    }
}

void CurvePlot::Impl::Item::paintMarkers(QPainter& painter, const QRectF& area) const {
    const Theme& theme = Theme::instance();
    const QTransform map = d.transform(area);
    constexpr double kHalf = 3.5, kHeight = 7;
    for (const PlotMarker& marker : d.markers) {
        if (marker.step < d.range.from || marker.step > d.range.to) {
            continue;
        }
        const double x = map.map(QPointF(d.axisStep(marker.step), 0)).x();
        const QColor colour = theme.color(marker.colour);
        QColor line = colour;
        line.setAlphaF(0.45F);
        painter.setPen(QPen(line, 1));
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()));
        painter.setPen(Qt::NoPen);
        painter.setBrush(colour);
        painter.drawPolygon(QPolygonF{QPointF(x - kHalf, area.bottom()),
                                      QPointF(x + kHalf, area.bottom()),
                                      QPointF(x, area.bottom() - kHeight)});
        painter.setBrush(Qt::NoBrush);
    }
}

void CurvePlot::Impl::Item::paintCursor(QPainter& painter, const QRectF& area) const {
    if (std::isnan(d.cursor) || d.cursor < d.range.from || d.cursor > d.range.to) {
        return;
    }
    const Theme& theme = Theme::instance();
    const double x = d.transform(area).map(QPointF(d.axisStep(d.cursor), 0)).x();
    QColor colour = theme.color(Token::Selection);
    if (d.cursorBusy) {
        colour.setAlphaF(0.5F);
    }
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(colour, 2));
    painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()));
    painter.setPen(Qt::NoPen);
    painter.setBrush(colour);
    painter.drawPolygon(QPolygonF{QPointF(x - 6, area.top()), QPointF(x + 6, area.top()),
                                  QPointF(x, area.top() + 9)});
    painter.setBrush(Qt::NoBrush);
}

void CurvePlot::Impl::Item::paintCurves(QPainter& painter, const QRectF& area) const {
    const Theme& theme = Theme::instance();
    painter.setClipRect(area);
    const QTransform map = d.transform(area);
    const bool soft = d.smoothing > 0;
    // All faint lines first, so that no smoothed line is hidden.
    for (int pass = 0; pass < 2; ++pass) {
        for (const auto& drawn : d.curves) {
            if (!drawn->visible) {
                continue;
            }
            const bool smoothed = soft && drawn->entry.style.smoothed;
            if (pass == 0 && smoothed) {
                if (drawn->entry.style.faint) {
                    continue; // of another run the smoothed line is enough
                }
                QColor faint = theme.color(drawn->entry.style.colour);
                faint.setAlphaF(theme.isDark() ? 0.30F : 0.26F);
                stroke(painter, map, drawn->rawLine, QPen(faint, 1));
            } else if (pass == 1) {
                QPen pen(theme.color(drawn->entry.style.colour),
                         smoothed || drawn->entry.style.dots ? 2 : 1.25);
                pen.setCapStyle(Qt::RoundCap);
                pen.setJoinStyle(Qt::RoundJoin);
                if (drawn->entry.style.dashed) {
                    pen.setDashPattern({4, 2.5});
                    pen.setCapStyle(Qt::FlatCap);
                }
                const std::vector<QPointF>& line = smoothed ? drawn->softLine : drawn->rawLine;
                stroke(painter, map, line, pen);
                const double spacing = area.width() / std::max<double>(1, double(line.size()));
                if ((drawn->entry.style.dots && spacing > 9) || line.size() == 1) {
                    painter.setPen(QPen(theme.color(Token::PlotBackground), 1.5));
                    painter.setBrush(theme.color(drawn->entry.style.colour));
                    for (const QPointF& point : line) {
                        painter.drawEllipse(map.map(point), 3.5, 3.5);
                    }
                    painter.setBrush(Qt::NoBrush);
                }
            }
        }
    }
    painter.setClipping(false);
}

void CurvePlot::Impl::Item::paintSelection(QPainter& painter, const QRectF& area) const {
    if (std::isnan(d.dragFrom) || std::isnan(d.dragTo)) {
        return;
    }
    const QTransform map = d.transform(area);
    const double a = map.map(QPointF(d.axisStep(d.dragFrom), 0)).x(),
                 b = map.map(QPointF(d.axisStep(d.dragTo), 0)).x();
    QRectF band(std::min(a, b), area.top(), std::abs(a - b), area.height());
    band = band.intersected(area);
    QColor fill = Theme::instance().color(Token::Accent);
    painter.setPen(QPen(fill, 1));
    fill.setAlphaF(0.15F);
    painter.setBrush(fill);
    painter.drawRect(band);
    painter.setBrush(Qt::NoBrush);
}

void CurvePlot::Impl::Item::paintCrosshair(QPainter& painter, const QRectF& area) const {
    if (std::isnan(d.crosshair) || d.crosshair < d.range.from || d.crosshair > d.range.to) {
        return;
    }
    const Theme& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    const QTransform map = d.transform(area);
    double step = d.crosshair;
    for (const auto& drawn : d.curves) { // snap to the densest curve
        if (const CurvePoint* point =
                drawn->visible ? d.nearest(drawn->raw, d.crosshair) : nullptr) {
            step = point->step;
            break;
        }
    }
    const double x = map.map(QPointF(d.axisStep(step), 0)).x();
    painter.setPen(QPen(theme.color(Token::TextMuted), 1));
    painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()));

    struct Line {
        QString text;
        QColor colour;
        bool dashed;
    };
    std::vector<Line> lines{
        {QStringLiteral("step %1").arg(countText(std::llround(step))), {}, false}};
    const QStringList texts = d.q->crosshairTexts();
    qsizetype at = 0;
    double topmost = area.bottom();
    for (const auto& drawn : d.curves) {
        if (!drawn->visible || drawn->raw.empty()) {
            continue;
        }
        const bool smoothed =
            d.smoothing > 0 && drawn->entry.style.smoothed && !drawn->soft.empty();
        const CurvePoint* point = d.nearest(smoothed ? drawn->soft : drawn->raw, d.crosshair);
        const QColor colour = theme.color(drawn->entry.style.colour);
        const QPointF centre = map.map(QPointF(d.axisStep(point->step), d.axisValue(point->last)));
        if (std::isfinite(centre.y()) && area.adjusted(-1, -1, 1, 1).contains(centre)) {
            painter.setPen(QPen(theme.color(Token::PlotBackground), 1.5));
            painter.setBrush(colour);
            painter.drawEllipse(centre, 4, 4);
            topmost = std::min(topmost, centre.y());
        }
        if (at < texts.size()) {
            lines.push_back({texts[at++], colour, drawn->entry.style.dashed});
        }
    }
    const QFont font = theme.font(0.88);
    const QFontMetricsF metrics(font);
    const double swatch = 16, pad = 8;
    double width = 0;
    for (const Line& line : lines) {
        width = std::max(width, metrics.horizontalAdvance(line.text) +
                                    (line.colour.isValid() ? swatch + 6 : 0));
    }
    QRectF box(x + 10, area.top() + metrics.height() + 4, width + 2 * pad,
               metrics.height() * double(lines.size()) + pad * 1.4);
    if (topmost < area.center().y()) {
        box.moveBottom(area.bottom() - 6); // not over the curves it speaks of
    }
    if (box.right() > area.right()) {
        box.moveRight(x - 10);
    }
    if (box.left() < area.left()) {
        box.moveLeft(area.left() + 2);
    }
    QColor back = theme.color(Token::PanelRaised);
    back.setAlphaF(0.96F);
    painter.setPen(QPen(theme.color(Token::Border), 1));
    painter.setBrush(back);
    painter.drawRoundedRect(box, 5, 5);
    painter.setFont(font);
    double y = box.top() + pad * 0.7;
    for (const Line& line : lines) {
        double left = box.left() + pad;
        const double middle = y + metrics.height() / 2;
        if (line.colour.isValid()) {
            QPen pen(line.colour, 2);
            if (line.dashed) {
                pen.setDashPattern({2.5, 1.5});
            }
            painter.setPen(pen);
            painter.drawLine(QPointF(left, middle), QPointF(left + swatch, middle));
            left += swatch + 6;
        }
        painter.setPen(theme.color(line.colour.isValid() ? Token::Text : Token::TextMuted));
        painter.drawText(QPointF(left, y + metrics.ascent()), line.text);
        y += metrics.height();
    }
    painter.setBrush(Qt::NoBrush);
}

} // namespace wiregrad::studio

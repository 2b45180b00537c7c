#include "ui/monitor/curve_plot.h"

#include <QCategoryAxis>
#include <QChart>
#include <QGraphicsItem>
#include <QGraphicsLayout>
#include <QGraphicsScene>
#include <QMouseEvent>
#include <QPainter>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ui/panels/format.h"

namespace wiregrad::studio {

namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr double kEndOfSteps = 1e300;

/// The next round number: an axis that grows in jumps stays still in between.
double roundUp(double value) {
    if (!(value > 0)) {
        return 1;
    }
    const double power = std::pow(10.0, std::floor(std::log10(value)));
    for (const double factor : {1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0}) {
        if (factor * power >= value * (1 - 1e-12)) {
            return factor * power;
        }
    }
    return 10 * power;
}

/// The 1-2-5 number at or below (`up` false) or at or above `value`.
double step125(double value, bool up) {
    const double power = std::pow(10.0, std::floor(std::log10(value) + 1e-12));
    const double steps[] = {1, 2, 5, 10};
    if (up) {
        for (const double factor : steps) {
            if (factor * power >= value * (1 - 1e-9)) {
                return factor * power;
            }
        }
    }
    double best = power;
    for (const double factor : steps) {
        if (factor * power <= value * (1 + 1e-9)) {
            best = factor * power;
        }
    }
    return best;
}

QString stepLabel(double step) {
    if (std::abs(step) >= 1e6) {
        return QString::number(step / 1e6, 'g', 4) + QStringLiteral("M");
    }
    if (std::abs(step) >= 1e4) {
        return QString::number(step / 1e3, 'g', 4) + QStringLiteral("k");
    }
    return countText(static_cast<std::int64_t>(std::llround(step)));
}

struct Tick {
    double at = 0;
    QString label;
};

/// One curve as it is kept here: what was asked for, its smoothed twin, and the vertices for the
/// pixels of now.
struct Drawn {
    CurvePlot::Entry entry;
    bool visible = true;
    Curve smooth;
    Ema ema{0};
    std::int64_t taken = 0; ///< raw points that went into `smooth`
    double takenStep = -kEndOfSteps;
    std::int64_t seen = 0; ///< size of the curve when it was sampled
    std::vector<CurvePoint> raw, soft;
    std::vector<QPointF> rawLine,
        softLine; ///< step, and value on the axis (its logarithm when logarithmic)
};

} // namespace

struct CurvePlot::Impl {
    explicit Impl(CurvePlot* plot) : q(plot) {}

    CurvePlot* q;
    QString title;
    QChart* chart = nullptr;
    QCategoryAxis *steps = nullptr, *values = nullptr;
    QString stepKey, valueKey;
    class Item;
    Item* item = nullptr;
    const MetricStore* store = nullptr;
    std::vector<std::unique_ptr<Drawn>> curves;
    bool percent = false, logarithmic = false;
    double smoothing = 0, stepsPerEpoch = 0;
    StepRange zoom, range{0, 1};
    double low = 0, high = 1; ///< on the axis
    double crosshair = kNothing;
    double dragFrom = kNothing, dragTo = kNothing, panFrom = kNothing;
    StepRange panRange;
    std::uint64_t resamples = 0;
    bool rebuilding = false;

    double axisValue(double value) const { return logarithmic ? std::log10(value) : value; }
    double fromAxis(double position) const {
        return logarithmic ? std::pow(10.0, position) : position;
    }

    const Curve* curveOf(const Drawn& drawn) const {
        return store ? store->find(drawn.entry.name) : nullptr;
    }
    void takeNewPoints(Drawn& drawn) const;
    void forget();
    void rebuild();
    void updateRange();
    void makeLine(const std::vector<CurvePoint>& points, std::vector<QPointF>& line) const;
    void setAxes();
    std::vector<Tick> stepTicks() const;
    std::vector<Tick> valueTicks() const;
    static void setTicks(QCategoryAxis* axis, double from, double to,
                         const std::vector<Tick>& ticks, QString& key);
    StepRange everything() const;
    void restyle();
    void placePlot();
    QTransform transform(const QRectF& area) const;
    const CurvePoint* nearest(const std::vector<CurvePoint>& points, double step) const;
};

/// Paints curves, epoch marks and crosshair over the plot area. The curves are kept as a picture,
/// so that a moving crosshair does not stroke them again.
class CurvePlot::Impl::Item : public QGraphicsItem {
  public:
    Item(Impl& impl, QGraphicsItem* parent) : QGraphicsItem(parent), d(impl) { setZValue(100); }

    QRectF boundingRect() const override { return d.chart->plotArea().adjusted(-4, -4, 4, 4); }

    void dirty() {
        picture_ = QPixmap();
        update();
    }
    void geometryChanged() {
        prepareGeometryChange();
        dirty();
    }

    void paint(QPainter* painter, const QStyleOptionGraphicsItem*, QWidget*) override {
        const QRectF area = d.chart->plotArea();
        if (area.width() < 8 || area.height() < 8) {
            return;
        }
        const double ratio =
            std::max(1.0, painter->deviceTransform().m11()); // high-resolution screens and pictures
        if (picture_.isNull() || picture_.size() != (area.size() * ratio).toSize()) {
            picture_ = QPixmap((area.size() * ratio).toSize());
            picture_.setDevicePixelRatio(ratio);
            picture_.fill(Qt::transparent);
            QPainter inner(&picture_);
            inner.setRenderHint(QPainter::Antialiasing);
            const QRectF local(QPointF(0, 0), area.size());
            paintEpochs(inner, local);
            paintCurves(inner, local);
        }
        painter->drawPixmap(area.topLeft(), picture_);
        paintSelection(*painter, area);
        paintCrosshair(*painter, area);
    }

  private:
    void paintEpochs(QPainter& painter, const QRectF& area) const {
        if (!(d.stepsPerEpoch > 0)) {
            return;
        }
        const Theme& theme = Theme::instance();
        const double pixels = d.stepsPerEpoch * area.width() / (d.range.to - d.range.from);
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

    void paintCurves(QPainter& painter, const QRectF& area) const {
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

    /// Dense lines go out as separate segments: joining thousands of steep corners is what makes a
    /// wide polyline slow.
    static void stroke(QPainter& painter, const QTransform& map, const std::vector<QPointF>& line,
                       QPen pen) {
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

    void paintSelection(QPainter& painter, const QRectF& area) const {
        if (std::isnan(d.dragFrom) || std::isnan(d.dragTo)) {
            return;
        }
        const QTransform map = d.transform(area);
        const double a = map.map(QPointF(d.dragFrom, 0)).x(), b = map.map(QPointF(d.dragTo, 0)).x();
        QRectF band(std::min(a, b), area.top(), std::abs(a - b), area.height());
        band = band.intersected(area);
        QColor fill = Theme::instance().color(Token::Accent);
        painter.setPen(QPen(fill, 1));
        fill.setAlphaF(0.15F);
        painter.setBrush(fill);
        painter.drawRect(band);
        painter.setBrush(Qt::NoBrush);
    }

    void paintCrosshair(QPainter& painter, const QRectF& area) const {
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
        const double x = map.map(QPointF(step, 0)).x();
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
            const QPointF centre = map.map(QPointF(point->step, d.axisValue(point->last)));
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

    Impl& d;
    QPixmap picture_;
};

// --- data

void CurvePlot::Impl::forget() {
    for (const auto& drawn : curves) {
        drawn->smooth.clear();
        drawn->ema = Ema(smoothing);
        drawn->taken = 0;
        drawn->takenStep = -kEndOfSteps;
    }
}

void CurvePlot::Impl::takeNewPoints(Drawn& drawn) const {
    const Curve* curve = curveOf(drawn);
    const std::int64_t size = curve ? curve->size() : 0;
    if (size < drawn.taken || (size > 0 && curve->lastStep() < drawn.takenStep)) { // a new run
        drawn.smooth.clear();
        drawn.ema = Ema(smoothing);
        drawn.taken = 0;
        drawn.takenStep = -kEndOfSteps;
    }
    if (!curve || size == drawn.taken || smoothing <= 0 || !drawn.entry.style.smoothed) {
        return;
    }
    for (const CurvePoint& point :
         curve->sample(drawn.takenStep, kEndOfSteps, std::numeric_limits<std::size_t>::max())) {
        if (point.step > drawn.takenStep) {
            drawn.smooth.append(point.step, drawn.ema.next(point.last));
            drawn.takenStep = point.step;
        }
    }
    drawn.taken = size;
}

StepRange CurvePlot::Impl::everything() const {
    double last = 0;
    for (const auto& drawn : curves) {
        const Curve* curve = curveOf(*drawn);
        if (curve && curve->size() > 0) {
            last = std::max(last, curve->lastStep());
        }
    }
    return {0, roundUp(std::max(last, 10.0))};
}

void CurvePlot::Impl::makeLine(const std::vector<CurvePoint>& points,
                               std::vector<QPointF>& line) const {
    line.clear();
    line.reserve(points.size() * 3);
    for (const CurvePoint& point : points) {
        if (logarithmic && !(point.max > 0)) {
            line.emplace_back(point.step, kNothing);
            continue;
        }
        const double last = logarithmic && !(point.last > 0) ? point.max : point.last;
        if (point.max > point.min) {
            // Down and up again through both extremes, ending where the last value is.
            const double bottom = logarithmic && !(point.min > 0) ? last : point.min;
            line.emplace_back(point.step, axisValue(bottom));
            line.emplace_back(point.step, axisValue(point.max));
        }
        line.emplace_back(point.step, axisValue(last));
    }
}

void CurvePlot::Impl::rebuild() {
    if (rebuilding) {
        return; // setting the axes may report a plot area again
    }
    rebuilding = true;
    range = zoom.empty() ? everything() : zoom;
    const auto pixels =
        static_cast<std::size_t>(std::clamp(chart->plotArea().width(), 64.0, 8192.0));
    for (const auto& drawn : curves) {
        takeNewPoints(*drawn);
        const Curve* curve = curveOf(*drawn);
        drawn->seen = curve ? curve->size() : 0;
        // A little from before the left edge, so that the line enters there; all of a curve that
        // has few points.
        const bool few = drawn->seen <= 512;
        const double from = few ? -kEndOfSteps : range.from - 0.02 * (range.to - range.from);
        const double to = few ? kEndOfSteps : range.to;
        drawn->raw =
            curve && drawn->visible ? curve->sample(from, to, pixels) : std::vector<CurvePoint>{};
        drawn->soft = drawn->visible && smoothing > 0 ? drawn->smooth.sample(from, to, pixels)
                                                      : std::vector<CurvePoint>{};
        makeLine(drawn->raw, drawn->rawLine);
        makeLine(drawn->soft, drawn->softLine);
    }
    ++resamples;
    updateRange();
    setAxes();
    item->dirty();
    rebuilding = false;
}

void CurvePlot::Impl::updateRange() {
    double least = kEndOfSteps, most = -kEndOfSteps;
    for (const auto& drawn : curves) {
        for (const CurvePoint& point : drawn->raw) {
            if (point.step < range.from || point.step > range.to) {
                continue;
            }
            if (!logarithmic || point.min > 0) {
                least = std::min(least, point.min);
            }
            if (!logarithmic || point.max > 0) {
                most = std::max(most, point.max);
                least = std::min(least, point.max);
            }
        }
    }
    if (least > most) {
        low = logarithmic ? -2 : 0;
        high = logarithmic ? 0 : 1;
        return;
    }
    if (logarithmic) {
        low = std::log10(step125(least, false));
        high = std::log10(step125(most, true));
        if (high - low < 0.05) {
            low = std::log10(step125(least * 0.7, false));
            high = std::log10(step125(most * 1.4, true));
        }
        return;
    }
    if (least >= 0 && least < 0.5 * most) {
        least = 0;
    }
    if (most - least < 1e-12 * std::max(1.0, std::abs(most))) {
        const double margin = std::max(std::abs(most) * 0.05, 1e-9);
        least -= margin;
        most += margin;
    }
    const double interval = niceInterval(most - least, 5);
    low = std::floor(least / interval + 1e-9) * interval;
    high = std::ceil(most / interval - 1e-9) * interval;
    if (percent && most <= 1 && high > 1) {
        high = 1;
    }
}

// --- axes

std::vector<Tick> CurvePlot::Impl::stepTicks() const {
    std::vector<Tick> ticks;
    const double width = std::max(60.0, chart->plotArea().width());
    const double interval =
        std::max(1.0, niceInterval(range.to - range.from, std::max(1, int(width / 80))));
    for (double k = std::ceil(range.from / interval - 1e-9);
         k * interval <= range.to + interval * 1e-6; ++k) {
        ticks.push_back({k * interval, stepLabel(k * interval)});
    }
    return ticks;
}

std::vector<Tick> CurvePlot::Impl::valueTicks() const {
    std::vector<Tick> ticks;
    const double height = std::max(40.0, chart->plotArea().height());
    if (logarithmic) {
        const double perDecade = height / std::max(0.1, high - low);
        for (double decade = std::floor(low + 1e-9); decade <= high + 1e-9; ++decade) {
            for (const double factor : {1.0, 2.0, 5.0}) {
                if (factor > 1 && perDecade < 80) {
                    continue;
                }
                const double at = decade + std::log10(factor);
                if (at >= low - 1e-9 && at <= high + 1e-9) {
                    ticks.push_back({at, numberText(std::pow(10.0, at), 2)});
                }
            }
        }
        return ticks;
    }
    const double interval = niceInterval(high - low, std::max(2, int(height / 38)));
    const double shown = percent ? interval * 100 : interval;
    const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(shown) - 1e-9)), 0, 12);
    for (double k = std::ceil(low / interval - 1e-9); k * interval <= high + interval * 1e-6; ++k) {
        const double value = k * interval;
        QString label;
        if (percent) {
            label = QString::number(value * 100, 'f', decimals) + QStringLiteral("%");
        } else if (std::abs(high) >= 1e5 || (std::abs(high) < 1e-3 && std::abs(low) < 1e-3)) {
            label = QString::number(value, 'g', 4);
        } else {
            label = QString::number(value, 'f', decimals);
        }
        ticks.push_back({value, label});
    }
    return ticks;
}

void CurvePlot::Impl::setTicks(QCategoryAxis* axis, double from, double to,
                               const std::vector<Tick>& ticks, QString& key) {
    QString now = QStringLiteral("%1|%2").arg(from, 0, 'g', 17).arg(to, 0, 'g', 17);
    for (const Tick& tick : ticks) {
        now += QStringLiteral("|%1=%2").arg(tick.at, 0, 'g', 12).arg(tick.label);
    }
    if (now == key) {
        return; // laying out an axis costs more than the curves
    }
    key = now;
    for (const QString& label : axis->categoriesLabels()) {
        axis->remove(label);
    }
    axis->setRange(from, to);
    axis->setStartValue(std::min(from, ticks.empty() ? from : ticks.front().at) -
                        1e-9 * (to - from));
    for (const Tick& tick : ticks) {
        axis->append(tick.label, tick.at);
    }
}

void CurvePlot::Impl::setAxes() {
    setTicks(steps, range.from, range.to, stepTicks(), stepKey);
    setTicks(values, low, high, valueTicks(), valueKey);
}

QTransform CurvePlot::Impl::transform(const QRectF& area) const {
    const double sx = area.width() / (range.to - range.from), sy = area.height() / (high - low);
    return {sx, 0, 0, -sy, area.left() - range.from * sx, area.bottom() + low * sy};
}

const CurvePoint* CurvePlot::Impl::nearest(const std::vector<CurvePoint>& points,
                                           double step) const {
    if (points.empty()) {
        return nullptr;
    }
    auto after =
        std::lower_bound(points.begin(), points.end(), step,
                         [](const CurvePoint& point, double at) { return point.step < at; });
    if (after == points.end()) {
        return &points.back();
    }
    if (after != points.begin() && step - std::prev(after)->step < after->step - step) {
        --after;
    }
    return &*after;
}

/// A plot area that does not depend on the labels of now: nothing jumps when they change, and a
/// wheel turn keeps the step under the cursor.
void CurvePlot::Impl::placePlot() {
    const Theme& theme = Theme::instance();
    const QFontMetrics metrics(theme.font(0.82));
    const int left = metrics.horizontalAdvance(QStringLiteral("0.0005")) + theme.space(3);
    const int bottom = metrics.height() + theme.space(2);
    const int top = metrics.height() / 2 + 1,
              right = metrics.horizontalAdvance(QStringLiteral("0,000")) / 2 + 1;
    const QSizeF size = chart->size();
    if (size.width() > left + right + 8 && size.height() > top + bottom + 8) {
        chart->setPlotArea(
            QRectF(left, top, size.width() - left - right, size.height() - top - bottom));
        chart->layout()->invalidate(); // a fixed plot area alone does not move the axes
        chart->layout()->activate();
    }
}

void CurvePlot::Impl::restyle() {
    const Theme& theme = Theme::instance();
    placePlot();
    q->setBackgroundBrush(theme.color(Token::PlotBackground));
    chart->setBackgroundBrush(theme.color(Token::PlotBackground));
    for (QCategoryAxis* axis : {steps, values}) {
        axis->setLabelsFont(theme.font(0.82));
        axis->setLabelsColor(theme.color(Token::TextMuted));
        axis->setGridLinePen(QPen(theme.color(Token::PlotGrid), 1));
        axis->setLinePen(QPen(theme.color(Token::PlotGrid), 1));
    }
    steps->setGridLineVisible(false);
    values->setLineVisible(false);
    item->dirty();
}

// --- the widget

CurvePlot::CurvePlot(const QString& title, QWidget* parent)
    : QGraphicsView(parent), d(std::make_unique<Impl>(this)) {
    d->title = title;
    d->chart = new QChart;
    d->chart->legend()->hide();
    d->chart->layout()->setContentsMargins(0, 0, 0, 0);
    d->chart->setBackgroundRoundness(0);
    d->chart->setBackgroundPen(Qt::NoPen);
    d->steps = new QCategoryAxis;
    d->values = new QCategoryAxis;
    for (QCategoryAxis* axis : {d->steps, d->values}) {
        axis->setLabelsPosition(QCategoryAxis::AxisLabelsPositionOnValue);
        axis->setTruncateLabels(false);
    }
    d->chart->addAxis(d->steps, Qt::AlignBottom);
    d->chart->addAxis(d->values, Qt::AlignLeft);
    setScene(new QGraphicsScene(this));
    scene()->addItem(d->chart);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setFrameShape(QFrame::NoFrame);
    setMouseTracking(true);
    viewport()->setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setMinimumSize(160, 90);
    setAccessibleName(title);
    setViewportUpdateMode(QGraphicsView::MinimalViewportUpdate);
    d->item = new Impl::Item(*d, d->chart);
    d->restyle();
    d->rebuild();
    connect(d->chart, &QChart::plotAreaChanged, this, [this] {
        d->item->geometryChanged();
        d->rebuild();
    });
    connect(&Theme::instance(), &Theme::changed, this, [this] { d->restyle(); });
}

CurvePlot::~CurvePlot() = default;

QString CurvePlot::title() const {
    return d->title;
}

void CurvePlot::setTitle(const QString& title) {
    d->title = title;
    setAccessibleName(title);
}

void CurvePlot::setCurves(const MetricStore& store, const std::vector<Entry>& curves) {
    d->store = &store;
    d->curves.clear();
    for (const Entry& entry : curves) {
        auto drawn = std::make_unique<Drawn>();
        drawn->entry = entry;
        drawn->ema = Ema(d->smoothing);
        d->curves.push_back(std::move(drawn));
    }
    d->rebuild();
}

std::vector<CurvePlot::Entry> CurvePlot::curves() const {
    std::vector<Entry> entries;
    for (const auto& drawn : d->curves) {
        entries.push_back(drawn->entry);
    }
    return entries;
}

void CurvePlot::setVisibleCurve(std::size_t index, bool visible) {
    if (index < d->curves.size() && d->curves[index]->visible != visible) {
        d->curves[index]->visible = visible;
        d->rebuild();
    }
}

void CurvePlot::setPercent(bool on) {
    if (d->percent != on) {
        d->percent = on;
        d->rebuild();
    }
}

void CurvePlot::setLogarithmic(bool on) {
    if (d->logarithmic != on) {
        d->logarithmic = on;
        d->rebuild();
    }
}

bool CurvePlot::isLogarithmic() const {
    return d->logarithmic;
}

void CurvePlot::setSmoothing(double smoothing) {
    smoothing = std::clamp(smoothing, 0.0, 0.999);
    if (smoothing == d->smoothing) {
        return;
    }
    d->smoothing = smoothing;
    d->forget();
    d->rebuild();
}

void CurvePlot::reset() {
    d->forget();
    d->crosshair = d->dragFrom = d->dragTo = kNothing;
    d->zoom = {};
    d->rebuild();
}

void CurvePlot::setStepsPerEpoch(double steps) {
    if (d->stepsPerEpoch != steps) {
        d->stepsPerEpoch = steps;
        d->item->dirty();
    }
}

void CurvePlot::refresh() {
    const bool news = std::any_of(d->curves.begin(), d->curves.end(), [this](const auto& drawn) {
        const Curve* curve = d->curveOf(*drawn);
        return drawn->seen != (curve ? curve->size() : 0);
    });
    if (news) {
        d->rebuild();
    }
}

void CurvePlot::setZoom(StepRange zoom) {
    if (!zoom.empty()) {
        const StepRange all = d->everything();
        const double width = std::clamp(zoom.to - zoom.from, 4.0, all.to - all.from);
        zoom.from = std::clamp(zoom.from, all.from, all.to - width);
        zoom.to = zoom.from + width;
        if (width >= (all.to - all.from) * 0.999) {
            zoom = {};
        }
    }
    if (zoom.empty()) {
        zoom = {};
    }
    if (zoom == d->zoom) {
        return;
    }
    d->zoom = zoom;
    d->rebuild();
    emit zoomChanged(zoom);
}

StepRange CurvePlot::zoom() const {
    return d->zoom;
}

StepRange CurvePlot::shownSteps() const {
    return d->range;
}

std::pair<double, double> CurvePlot::shownValues() const {
    return {d->fromAxis(d->low), d->fromAxis(d->high)};
}

void CurvePlot::setCrosshair(double step) {
    if (step == d->crosshair || (std::isnan(step) && std::isnan(d->crosshair))) {
        return;
    }
    d->crosshair = step;
    d->item->update();
}

QString CurvePlot::valueText(double value) const {
    if (std::isnan(value)) {
        return QStringLiteral("–");
    }
    return d->percent ? percentText(value) : numberText(value);
}

QStringList CurvePlot::crosshairTexts() const {
    QStringList texts;
    if (std::isnan(d->crosshair)) {
        return texts;
    }
    for (const auto& drawn : d->curves) {
        const CurvePoint* raw = drawn->visible ? d->nearest(drawn->raw, d->crosshair) : nullptr;
        if (!raw) {
            continue;
        }
        QString text = drawn->entry.style.label + QStringLiteral("  ") + valueText(raw->last);
        if (d->smoothing > 0 && drawn->entry.style.smoothed) {
            if (const CurvePoint* soft = d->nearest(drawn->soft, d->crosshair)) {
                text =
                    QStringLiteral("%1  %2  (raw %3)")
                        .arg(drawn->entry.style.label, valueText(soft->last), valueText(raw->last));
            }
        }
        texts << text;
    }
    return texts;
}

double CurvePlot::lastValue(std::size_t index) const {
    const Curve* curve = index < d->curves.size() ? d->curveOf(*d->curves[index]) : nullptr;
    return curve && curve->size() > 0 ? curve->lastValue() : kNothing;
}

std::int64_t CurvePlot::nonFinite(std::size_t index) const {
    const Curve* curve = index < d->curves.size() ? d->curveOf(*d->curves[index]) : nullptr;
    return curve ? curve->nonFinite() : 0;
}

std::uint64_t CurvePlot::resamples() const {
    return d->resamples;
}

std::size_t CurvePlot::drawnPoints() const {
    std::size_t points = 0;
    for (const auto& drawn : d->curves) {
        points += drawn->rawLine.size() + drawn->softLine.size();
    }
    return points;
}

QRectF CurvePlot::plotRect() const {
    return mapFromScene(d->chart->mapToScene(d->chart->plotArea()).boundingRect()).boundingRect();
}

double CurvePlot::stepAt(double viewX) const {
    const QRectF area = plotRect();
    return d->range.from +
           (viewX - area.left()) / std::max(1.0, area.width()) * (d->range.to - d->range.from);
}

double CurvePlot::viewX(double step) const {
    const QRectF area = plotRect();
    return area.left() + (step - d->range.from) / (d->range.to - d->range.from) * area.width();
}

// --- gestures

void CurvePlot::wheelEvent(QWheelEvent* event) {
    const double turn = event->angleDelta().y() / 120.0;
    if (turn == 0) {
        event->ignore();
        return;
    }
    const double centre = std::clamp(stepAt(event->position().x()), d->range.from, d->range.to);
    const double factor = std::pow(0.8, turn);
    setZoom({centre - (centre - d->range.from) * factor, centre + (d->range.to - centre) * factor});
    event->accept();
}

void CurvePlot::mousePressEvent(QMouseEvent* event) {
    const double step = stepAt(event->position().x());
    if (event->button() == Qt::LeftButton && plotRect().contains(event->position())) {
        d->dragFrom = step;
        d->dragTo = kNothing;
    } else if (event->button() == Qt::MiddleButton) {
        d->panFrom = event->position().x();
        d->panRange = d->range;
    } else {
        event->ignore();
    }
}

void CurvePlot::mouseMoveEvent(QMouseEvent* event) {
    if (!std::isnan(d->panFrom)) {
        const double steps = (d->panFrom - event->position().x()) /
                             std::max(1.0, plotRect().width()) *
                             (d->panRange.to - d->panRange.from);
        if (!d->zoom.empty()) {
            setZoom({d->panRange.from + steps, d->panRange.to + steps});
        }
        return;
    }
    const QRectF area = plotRect();
    const double step = stepAt(std::clamp(event->position().x(), area.left(), area.right()));
    if (!std::isnan(d->dragFrom) && std::abs(event->position().x() - viewX(d->dragFrom)) > 4) {
        d->dragTo = step;
        d->item->update();
    }
    emit crosshairMoved(area.adjusted(-2, -2, 2, 2).contains(event->position()) ? step : kNothing);
}

void CurvePlot::mouseReleaseEvent(QMouseEvent* event) {
    if (event->button() == Qt::MiddleButton) {
        d->panFrom = kNothing;
    } else if (event->button() == Qt::LeftButton && !std::isnan(d->dragFrom)) {
        const StepRange band{std::min(d->dragFrom, d->dragTo), std::max(d->dragFrom, d->dragTo)};
        const bool dragged = !std::isnan(d->dragTo);
        d->dragFrom = d->dragTo = kNothing;
        d->item->update();
        if (dragged) {
            setZoom(band);
        }
    }
}

void CurvePlot::mouseDoubleClickEvent(QMouseEvent* event) {
    d->dragFrom = d->dragTo = kNothing;
    if (event->button() == Qt::LeftButton) {
        setZoom({});
    }
}

void CurvePlot::leaveEvent(QEvent*) {
    emit crosshairMoved(kNothing);
}

void CurvePlot::resizeEvent(QResizeEvent* event) {
    QGraphicsView::resizeEvent(event);
    scene()->setSceneRect(QRectF(QPointF(0, 0), event->size()));
    d->chart->resize(event->size());
    d->placePlot();
    d->item->geometryChanged();
}

void CurvePlot::keyPressEvent(QKeyEvent* event) {
    const double width = d->range.to - d->range.from, centre = (d->range.to + d->range.from) / 2;
    switch (event->key()) {
    case Qt::Key_Plus:
    case Qt::Key_Equal:
        setZoom({centre - width * 0.4, centre + width * 0.4});
        return;
    case Qt::Key_Minus:
        setZoom({centre - width * 0.625, centre + width * 0.625});
        return;
    case Qt::Key_Home:
    case Qt::Key_0:
        setZoom({});
        return;
    case Qt::Key_Left:
    case Qt::Key_Right: {
        // One pixel's worth of steps a press, ten with Ctrl: reading values without a mouse.
        const double direction = event->key() == Qt::Key_Right ? 1 : -1;
        const double stride = std::max(1.0, width / std::max(1.0, plotRect().width())) *
                              (event->modifiers() & Qt::ControlModifier ? 10 : 1);
        const double from = std::isnan(d->crosshair) ? d->range.from : d->crosshair;
        emit crosshairMoved(std::clamp(from + direction * stride, d->range.from, d->range.to));
        return;
    }
    case Qt::Key_Escape:
        if (!std::isnan(d->crosshair) || !std::isnan(d->dragFrom)) {
            d->dragFrom = d->dragTo = kNothing;
            emit crosshairMoved(kNothing);
            d->item->update();
            return;
        }
        break;
    default:
        break;
    }
    event->ignore();
}

} // namespace wiregrad::studio

#include "ui/monitor/curve_plot.h"

#include <QGraphicsLayout>
#include <QGraphicsScene>

#include <algorithm>
#include <cmath>

#include "ui/monitor/curve_plot_impl.h"
#include "ui/panels/format.h"

namespace wiregrad::studio {

namespace {

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

} // namespace

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
    return {logSteps ? 1.0 : 0.0, roundUp(std::max(last, 10.0))};
}

void CurvePlot::Impl::makeLine(const std::vector<CurvePoint>& points,
                               std::vector<QPointF>& line) const {
    line.clear();
    line.reserve(points.size() * 3);
    for (const CurvePoint& point : points) {
        if (logarithmic && !(point.max > 0)) {
            line.emplace_back(axisStep(point.step), kNothing);
            continue;
        }
        const double x = axisStep(point.step);
        const double last = logarithmic && !(point.last > 0) ? point.max : point.last;
        if (point.max > point.min) {
            // Down and up again through both extremes, ending where the last value is.
            const double bottom = logarithmic && !(point.min > 0) ? last : point.min;
            line.emplace_back(x, axisValue(bottom));
            line.emplace_back(x, axisValue(point.max));
        }
        line.emplace_back(x, axisValue(last));
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
    if (logSteps) {
        const double from = axisStep(range.from), to = axisStep(range.to),
                     perDecade = width / std::max(0.1, to - from);
        for (double decade = std::floor(from + 1e-9); decade <= to + 1e-9; ++decade)
            for (const double factor : {1.0, 2.0, 5.0}) {
                const double at = decade + std::log10(factor);
                if ((factor == 1 || perDecade > 160) && at >= from - 1e-9 && at <= to + 1e-9)
                    ticks.push_back({at, stepLabel(std::pow(10.0, at))});
            }
        return ticks;
    }
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
    setTicks(steps, axisStep(range.from), axisStep(range.to), stepTicks(), stepKey);
    setTicks(values, low, high, valueTicks(), valueKey);
}

QTransform CurvePlot::Impl::transform(const QRectF& area) const {
    const double from = axisStep(range.from), to = axisStep(range.to);
    const double sx = area.width() / (to - from), sy = area.height() / (high - low);
    return {sx, 0, 0, -sy, area.left() - from * sx, area.bottom() + low * sy};
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

void CurvePlot::setLogarithmicSteps(bool on) {
    if (d->logSteps != on) {
        d->logSteps = on;
        d->zoom = {};
        d->rebuild();
    }
}

void CurvePlot::setMarkers(const std::vector<PlotMarker>& markers) {
    if (markers != d->markers) {
        d->markers = markers;
        d->item->dirty();
    }
}

QStringList CurvePlot::markersAt(double x) const {
    constexpr double kReach = 5;
    QStringList texts;
    for (const PlotMarker& marker : d->markers) {
        if (std::abs(viewX(marker.step) - x) <= kReach && marker.step >= d->range.from &&
            marker.step <= d->range.to) {
            texts << QStringLiteral("step %1: %2")
                         .arg(countText(std::llround(marker.step)), marker.text);
        }
    }
    return texts;
}

void CurvePlot::setCursor(double step, bool busy) {
    if ((step == d->cursor || (std::isnan(step) && std::isnan(d->cursor))) &&
        busy == d->cursorBusy) {
        return;
    }
    d->cursor = step;
    d->cursorBusy = busy;
    d->item->update();
}

double CurvePlot::cursorStep() const {
    return d->cursor;
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
    const double from = d->axisStep(d->range.from), to = d->axisStep(d->range.to);
    return d->fromAxisStep(from +
                           (viewX - area.left()) / std::max(1.0, area.width()) * (to - from));
}

double CurvePlot::viewX(double step) const {
    const QRectF area = plotRect();
    const double from = d->axisStep(d->range.from), to = d->axisStep(d->range.to);
    return area.left() + (d->axisStep(step) - from) / (to - from) * area.width();
}

} // namespace wiregrad::studio

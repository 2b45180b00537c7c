// Inside CurvePlot: its state, shared by data (curve_plot.cpp), painting (curve_plot_item.cpp) and
// gestures (curve_plot_input.cpp).
#pragma once

#include <QCategoryAxis>
#include <QChart>
#include <QGraphicsItem>
#include <QPixmap>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ui/monitor/curve_plot.h"

namespace wiregrad::studio {

inline constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kEndOfSteps = 1e300;

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
    bool percent = false, logarithmic = false, logSteps = false;
    std::vector<PlotMarker> markers;
    double cursor = kNothing;
    bool cursorBusy = false, draggingCursor = false;
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

    /// Steps on their axis; a logarithmic one begins at step 1.
    double axisStep(double step) const { return logSteps ? std::log10(std::max(step, 1.0)) : step; }
    double fromAxisStep(double position) const {
        return logSteps ? std::pow(10.0, position) : position;
    }

    const Curve* curveOf(const Drawn& drawn) const {
        const MetricStore* from = drawn.entry.store ? drawn.entry.store.get() : store;
        return from ? from->find(drawn.entry.name) : nullptr;
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

/// Paints curves, marks and crosshair over the plot area. The curves are kept as a picture, so that
/// a moving crosshair does not stroke them again.
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
    void paint(QPainter* painter, const QStyleOptionGraphicsItem* option, QWidget* widget) override;

  private:
    void paintEpochs(QPainter& painter, const QRectF& area) const;
    void paintMarkers(QPainter& painter, const QRectF& area) const;
    void paintCurves(QPainter& painter, const QRectF& area) const;
    void paintCursor(QPainter& painter, const QRectF& area) const;
    void paintSelection(QPainter& painter, const QRectF& area) const;
    void paintCrosshair(QPainter& painter, const QRectF& area) const;
    Impl& d;
    QPixmap picture_;
};

} // namespace wiregrad::studio

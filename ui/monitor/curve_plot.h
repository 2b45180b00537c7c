// One plot: QChart's axes and grid, with our own curves inside its plot area. A curve is decimated
// to the pixels there are and painted in one go; QLineSeries is never used (it strokes its whole
// path on each append). GUI thread.
#pragma once

#include <QGraphicsView>
#include <QRectF>
#include <QString>

#include <cstdint>
#include <memory>
#include <vector>

#include "session/metric_store.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

/// How one curve looks; colour is never the only cue, so each has a dash pattern too.
struct CurveStyle {
    QString label; ///< "train", "validation"
    Token colour = Token::Curve1;
    bool dashed = false;
    bool dots = false;    ///< few points (one an epoch): mark each
    bool smoothed = true; ///< follows the smoothing slider
    bool faint = false;   ///< of another run, behind the one that is looked at
};

/// A mark on the axis of steps, with a word that the mouse is told.
struct PlotMarker {
    double step = 0;
    QString text;
    Token colour = Token::TextMuted;
    bool operator==(const PlotMarker&) const = default;
};

/// What the plots of one panel share: the stretch of steps that is shown.
struct StepRange {
    double from = 0, to = 0;
    bool empty() const { return !(to > from); }
    bool operator==(const StepRange&) const = default;
};

class CurvePlot : public QGraphicsView {
    Q_OBJECT

  public:
    explicit CurvePlot(const QString& title, QWidget* parent = nullptr);
    ~CurvePlot() override;

    QString title() const;
    void setTitle(const QString& title);
    /// A curve of the store by name; it need not exist yet. Names, not pointers: a new run clears
    /// the store.
    struct Entry {
        CurveStyle style;
        std::string name;
        std::shared_ptr<const MetricStore> store{}; ///< of another run; null: the plot's own
    };
    /// Replaces the curves. The store must live as long as the plot shows it.
    void setCurves(const MetricStore& store, const std::vector<Entry>& curves);
    /// Forgets what was taken from the store (a new run began), and the zoom.
    void reset();
    std::vector<Entry> curves() const;
    void setVisibleCurve(std::size_t index, bool visible);

    void setPercent(bool on); ///< values are fractions, shown in percent
    void setLogarithmic(bool on);
    bool isLogarithmic() const;
    void setLogarithmicSteps(bool on);
    void setMarkers(const std::vector<PlotMarker>& markers);
    /// Texts of the markers within a few pixels of `viewX`.
    QStringList markersAt(double viewX) const;
    /// A handle at a step that a person may drag (time travel); none when NaN. `busy` dims it.
    void setCursor(double step, bool busy = false);
    double cursorStep() const;
    void setSmoothing(double smoothing);
    /// Steps an epoch has; marks the epochs. 0: no marks.
    void setStepsPerEpoch(double steps);

    /// New points may have arrived: takes them over and repaints if there are any.
    void refresh();
    /// The stretch of steps a person zoomed to; empty: everything.
    void setZoom(StepRange zoom);
    StepRange zoom() const;
    StepRange shownSteps() const;
    std::pair<double, double> shownValues() const; ///< of the vertical axis
    /// Crosshair at this step, or none when NaN.
    void setCrosshair(double step);
    /// What the crosshair says: one line a curve, "train  0.0412"; empty without one.
    QStringList crosshairTexts() const;
    /// Value of curve `index` as the legend shows it: the last raw one; NaN without points.
    double lastValue(std::size_t index) const;
    QString valueText(double value) const;
    std::int64_t
    nonFinite(std::size_t index) const; ///< values that were NaN or infinite, and are not drawn

    // --- for tests: work is counted, not timed
    std::uint64_t resamples() const; ///< how often curves were decimated anew
    std::size_t drawnPoints() const; ///< vertices of all curves, at most a few per pixel
    QRectF plotRect() const;         ///< in view coordinates
    double stepAt(double viewX) const;
    double viewX(double step) const;

  signals:
    void zoomChanged(const wiregrad::studio::StepRange& zoom);
    void crosshairMoved(double step);
    void cursorMoved(double step);
    void stepChosen(double step); ///< Ctrl+click, or Enter on the crosshair: go to this step

  protected:
    void wheelEvent(QWheelEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool viewportEvent(QEvent* event) override;

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

/// Exponential moving average with the start corrected (as if the past before the first value were
/// like it): testable alone.
class Ema {
  public:
    explicit Ema(double smoothing) : smoothing_(smoothing) {}
    double next(double value) {
        sum_ = smoothing_ * sum_ + (1 - smoothing_) * value;
        weight_ = smoothing_ * weight_ + (1 - smoothing_);
        return sum_ / weight_;
    }

  private:
    double smoothing_;
    double sum_ = 0, weight_ = 0;
};

} // namespace wiregrad::studio

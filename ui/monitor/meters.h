// The small painted parts of the monitor: the row of numbers, and the legend of a plot. Painted by
// hand, so that new numbers each frame cost no layout. GUI thread.
#pragma once

#include <QString>
#include <QWidget>

#include <vector>

#include "ui/monitor/curve_plot.h"

namespace wiregrad::studio {

/// Captions with values under them, side by side, in as many lines as the width asks for.
class MeterRow : public QWidget {
    Q_OBJECT

  public:
    struct Meter {
        QString caption, value;
        Token colour = Token::Text;
        bool operator==(const Meter&) const = default;
    };
    explicit MeterRow(QWidget* parent = nullptr);
    void setMeters(std::vector<Meter> meters);
    const std::vector<Meter>& meters() const { return meters_; }
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;
    bool hasHeightForWidth() const override { return true; }
    int heightForWidth(int width) const override;

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    void measure();
    int lineHeight() const;
    std::vector<QPointF> places(int width) const;
    std::vector<Meter> meters_;
    std::vector<double> widths_; ///< the widest each was: columns do not jump
};

/// Title of a plot and its curves in words: line pattern, name, last value. A click hides or shows
/// a curve.
class PlotLegend : public QWidget {
    Q_OBJECT

  public:
    explicit PlotLegend(CurvePlot& plot, QWidget* parent = nullptr);
    /// Takes names and last values from the plot.
    void refresh();
    /// "train 0.0412", as shown.
    QStringList texts() const;
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

  protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool event(QEvent* event) override;

  private:
    struct Entry {
        CurveStyle style;
        QString value;
        bool visible = true;
        QRectF place{};
    };
    void layOut();
    CurvePlot& plot_;
    double swatch_ = 0;
    std::vector<Entry> entries_;
};

} // namespace wiregrad::studio

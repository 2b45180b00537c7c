// One chart of the monitor: legend, plot, and buttons to take it out into a window of its own or
// close it; and the grid that lays charts out by the room there is. GUI thread.
#pragma once

#include <QGridLayout>
#include <QString>
#include <QToolButton>
#include <QWidget>

#include <vector>

#include "ui/monitor/curve_plot.h"
#include "ui/monitor/meters.h"

namespace wiregrad::studio {

class ChartBox : public QWidget {
    Q_OBJECT

  public:
    /// `id`: "loss", "gradients", ...; a chart that may not be closed has no such button.
    ChartBox(const QString& id, const QString& title, bool closable, QWidget* parent = nullptr);
    QString id() const { return id_; }
    CurvePlot* plot() const { return plot_; }
    PlotLegend* legend() const { return legend_; }
    void refresh(); ///< new points, new last values

  signals:
    void popOutAsked();
    void closeAsked();

  private:
    QString id_;
    CurvePlot* plot_;
    PlotLegend* legend_;
};

/// Charts side by side, in as many rows as the width asks for.
class ChartGrid : public QWidget {
    Q_OBJECT

  public:
    explicit ChartGrid(QWidget* parent = nullptr);
    ~ChartGrid() override;
    void add(ChartBox* box);
    void remove(ChartBox* box); ///< the box is not deleted
    /// A window of its own; closing it brings the chart back.
    void popOut(ChartBox* box);
    bool isOut(const ChartBox* box) const;
    int columns() const { return columns_; }

  protected:
    void resizeEvent(QResizeEvent* event) override;

  private:
    void place();
    std::vector<ChartBox*> boxes_;
    QGridLayout* grid_;
    int columns_ = 0;
};

} // namespace wiregrad::studio

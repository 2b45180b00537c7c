// The monitor of a run: loss and metric curves and the numbers of the moment. Reads MetricStore on
// TrainSession::frame, and only while it is visible. GUI thread.
#pragma once

#include <QString>
#include <QWidget>

#include <memory>
#include <vector>

#include "session/document.h"
#include "session/train_session.h"

namespace wiregrad::studio {

class ChartBox;
class CurvePlot;

class MonitorPanel : public QWidget {
    Q_OBJECT

  public:
    MonitorPanel(Document& document, TrainSession& session, QWidget* parent = nullptr);
    ~MonitorPanel() override;
    CurvePlot* lossPlot() const;
    CurvePlot* metricPlot() const;
    /// 0: raw values .. 0.99: very smooth.
    void setSmoothing(double smoothing);
    void setLogarithmic(bool on); ///< the loss axis
    /// Charts beside loss and metrics: "lr", "gradient_norm", "gradients", "updates", "speed",
    /// "memory", "time". Null when it is not shown.
    ChartBox* chart(const QString& id) const;
    void showChart(const QString& id, bool on);
    /// Curves of other runs, drawn behind those of this one.
    struct Overlay {
        QString id, label;
        std::shared_ptr<const MetricStore> curves;
    };
    void setOverlays(std::vector<Overlay> overlays);
    /// The charts as one picture or drawing; every point as "curve,step,value" rows; an event file
    /// for TensorBoard. Throw FileError with a sentence.
    void exportPng(const QString& path) const;
    void exportSvg(const QString& path) const;
    void exportCsv(const QString& path) const;
    void exportEvents(const QString& path) const;

  protected:
    void showEvent(QShowEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio

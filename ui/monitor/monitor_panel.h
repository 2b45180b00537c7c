// The monitor of a run: loss and metric curves and the numbers of the moment. Reads MetricStore on
// TrainSession::frame, and only while it is visible. GUI thread.
#pragma once

#include <QString>
#include <QWidget>

#include <memory>

#include "session/document.h"
#include "session/train_session.h"

namespace wiregrad::studio {

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
    /// Both plots as one picture, and every raw point as "curve,step,value" rows. Throw FileError
    /// with a sentence.
    void exportPng(const QString& path);
    void exportCsv(const QString& path) const;

  protected:
    void showEvent(QShowEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio

// Inside MonitorPanel: its state, shared by what it shows (monitor_panel.cpp) and what it saves
// (monitor_export.cpp).
#pragma once

#include <QElapsedTimer>
#include <QMenu>
#include <QSlider>
#include <QStackedLayout>
#include <QToolButton>

#include <vector>

#include "session/layer_watch.h"
#include "ui/monitor/chart_box.h"
#include "ui/monitor/meters.h"
#include "ui/monitor/monitor_panel.h"
#include "ui/panels/parts.h"

namespace wiregrad::studio {

struct MonitorPanel::Impl {
    Impl(Document& doc, TrainSession& run, MonitorPanel* panel)
        : document(doc), session(run), q(panel) {}

    Document& document;
    TrainSession& session;
    MonitorPanel* q;
    QStackedLayout* pages = nullptr;
    EmptyState* empty = nullptr;
    MeterRow* meters = nullptr;
    QSlider* smoothing = nullptr;
    QToolButton* logarithm = nullptr;
    QToolButton *logSteps = nullptr, *chartsButton = nullptr;
    ChartGrid* grid = nullptr;
    ChartBox *lossBox = nullptr, *metricBox = nullptr;
    CurvePlot *loss = nullptr, *metric = nullptr;
    std::vector<ChartBox*> extra;
    std::vector<MonitorPanel::Overlay> overlays;
    LayerWatch* watch = nullptr;
    QWidget* travelBar = nullptr;
    TextLabel* travelText = nullptr;
    std::int64_t travelWish = -1; ///< while a running run is being paused for it
    train::RunState state = train::RunState::Idle;
    QString configured; ///< what the plots show now
    std::uint64_t revision = 0;
    QElapsedTimer memoryClock;
    double memory = 0;

    double smoothingNow() const;
    bool hasData() const;
    void configure();
    void refresh();
    void refreshMeters();
    void refreshEmpty();
    std::vector<ChartBox*> boxes() const;
    void wire(CurvePlot* plot);
    void setChart(const QString& id, bool on);
    void fillChart(ChartBox* box);
    void addOverlays(std::vector<CurvePlot::Entry>& entries, const std::string& curve) const;
    void refreshTravel();
    void travel(double step);
    QMenu* exportMenu(QWidget* parent);
    void saveAs(const QString& title, const QString& suffix, const QString& filter,
                void (MonitorPanel::*write)(const QString&) const);
};

} // namespace wiregrad::studio

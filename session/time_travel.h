// Brings back any step of a run: a second trainer of the same graph goes to the nearest snapshot
// before it and repeats the steps in between, bit for bit. What is probed there is what was there.
// GUI thread; the work is on threads of its own.
#pragma once

#include <QObject>
#include <QString>

#include <functional>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "engine/train/snapshots.h"
#include "nodes/compile.h"

namespace wiregrad::studio {

/// What a run can be repeated from.
struct Replayable {
    graph::Graph graph;
    std::shared_ptr<const train::Snapshots> snapshots;
    std::int64_t lastStep = 0;
};

class TimeTravel : public QObject {
    Q_OBJECT

  public:
    explicit TimeTravel(Replayable run, QObject* parent = nullptr);
    ~TimeTravel() override;
    void setProbes(std::vector<ProbeRequest> probes);
    /// The state after `step`; what came before is forgotten, the last wish counts.
    void go(std::int64_t step);
    std::int64_t step() const; ///< where it is; -1 before the first arrival
    bool isBusy() const;
    const ProbeRecord* latest(const ValueId& value) const;
    const std::vector<double>& losses() const; ///< of the step it is at, before its update
    /// On the replaying thread, with the state of this step. False before the first arrival.
    bool withModel(std::function<void(train::Model&)> task);
    /// A copy of this step's whole state, to begin another run with; given on the GUI thread.
    void capture(std::function<void(std::shared_ptr<const train::Checkpoint>)> take);

  signals:
    void arrived(std::int64_t step);
    void probesArrived();
    void failed(const QString& sentence);

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio

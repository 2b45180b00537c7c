// The breakpoints of the project, and where a run stands inside a step: the ops before and after,
// the numbers that went in and came out, and the buttons that walk on. GUI thread.
#pragma once

#include <QString>
#include <QWidget>

#include <memory>

#include "session/document.h"
#include "session/train_session.h"

namespace wiregrad::studio {

class BreakpointsPanel : public QWidget {
    Q_OBJECT

  public:
    BreakpointsPanel(Document& document, TrainSession& session, QWidget* parent = nullptr);
    ~BreakpointsPanel() override;
    /// The place that a new breakpoint is offered for: a node, or an output port of it.
    void offer(const QString& node, const QString& port);
    /// Adds what the form says.
    void addFromForm();

    // --- what is shown
    int rows() const;
    QString text(int row) const;
    QString sentence() const; ///< where the run stands; empty: it does not
    int trailRows() const;
    QString trailCell(int row, int column) const;
    QString valueCell(int row, int column) const;

  signals:
    void activated(const QString& node, const QString& port);

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio

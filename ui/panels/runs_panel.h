// The runs of this project: a table to sort and filter, what a person says about each, their curves
// laid over the monitor, what differs between two, and a run once more. GUI thread.
#pragma once

#include <QString>
#include <QWidget>

#include <memory>
#include <vector>

#include "session/document.h"
#include "session/run_diff.h"
#include "session/train_session.h"

class QTableView;

namespace wiregrad::studio {

class RunsPanel : public QWidget {
    Q_OBJECT

  public:
    RunsPanel(Document& document, TrainSession& session, QWidget* parent = nullptr);
    ~RunsPanel() override;
    QTableView* table() const;
    /// Text of a cell as shown; columns by title.
    QString cell(int row, const QString& column) const;
    int rowCount() const;
    void select(const QStringList& ids);
    QStringList selected() const;
    void setFilter(const QString& text);
    void setOverlaid(const QString& id, bool on);
    QStringList overlaid() const;
    void rerun(const QString& id); ///< again from the beginning, then compared
    void goOn(const QString& id);  ///< from its last checkpoint
    void takeWeights(const QString& id);
    QWidget* showDifferences(); ///< of the two selected; null when there are not two

  signals:
    void overlaysChanged(const QStringList& ids);
    void said(const QString& sentence); ///< something to tell in the banner

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio

// The undo history as a list: what was done, where the document stands, a click goes there. GUI
// thread.
#pragma once

#include <QListView>
#include <QWidget>

#include <memory>

#include "session/document.h"

namespace wiregrad::studio {

class HistoryPanel : public QWidget {
    Q_OBJECT

  public:
    explicit HistoryPanel(Document& document, QWidget* parent = nullptr);
    ~HistoryPanel() override;
    /// Row 0 is the project as opened; row k the state after step k.
    QListView* view() const;
    int rows() const;
    QString text(int row) const;
    /// Undoes or redoes until the document stands at `row`; stops where the document refuses.
    void goTo(int row);

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio

// The undo history as a list: what was done, where the document stands, a click goes there. GUI thread.
#pragma once

#include <QWidget>

#include <memory>

#include "session/document.h"

class QUndoView;

namespace wiregrad::studio {

class HistoryPanel : public QWidget {
    Q_OBJECT

  public:
    explicit HistoryPanel(Document& document, QWidget* parent = nullptr);
    QUndoView* view() const { return view_; }

  private:
    QUndoView* view_ = nullptr;
};

} // namespace wiregrad::studio

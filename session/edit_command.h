// The only command on the undo stack: an Edit and its inverse. Commands of one gesture merge. GUI
// thread.
#pragma once

#include <QUndoCommand>

#include "session/document.h"

namespace wiregrad::studio {

class EditCommand : public QUndoCommand {
  public:
    /// Of an edit that was just applied.
    EditCommand(Document& document, graph::Edit edit, graph::Edit inverse, const QString& text,
                quint64 gesture);
    void undo() override;
    void redo() override;
    int id() const override { return gesture_ ? 1 : -1; }
    bool mergeWith(const QUndoCommand* other) override;
    const graph::Edit& edit() const { return edit_; }
    const graph::Edit& inverse() const { return inverse_; }
    quint64 number() const { return number_; } ///< no two commands share one

  private:
    Document& document_;
    graph::Edit edit_, inverse_;
    quint64 gesture_, number_;
    bool applied_ = true;
};

} // namespace wiregrad::studio

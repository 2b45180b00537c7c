// A line edit over a node's title. Enter keeps, Esc drops, losing the focus keeps. No shortcut acts
// while it is open. GUI thread.
#pragma once

#include <QLineEdit>

#include <functional>

namespace wiregrad::studio {

class RenameField : public QLineEdit {
  public:
    explicit RenameField(QWidget* parent);
    void open(const QRect& place, const QFont& font, const QString& text,
              std::function<void(const QString&)> done);
    bool isOpen() const { return open_; }
    void finish(bool keep);

  protected:
    bool event(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

  private:
    std::function<void(const QString&)> done_;
    bool open_ = false;
};

} // namespace wiregrad::studio

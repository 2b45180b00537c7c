// Every command by name: type a few letters, Enter runs it. Fed from the table of actions. GUI
// thread.
#pragma once

#include <QDialog>

class QLineEdit;
class QListWidget;

namespace wiregrad::studio {

class Actions;

class CommandPalette : public QDialog {
    Q_OBJECT

  public:
    CommandPalette(const Actions& actions, QWidget* parent);

  protected:
    bool eventFilter(QObject* object, QEvent* event) override;

  private:
    void fill();
    void run();
    const Actions& actions_;
    QLineEdit* field_;
    QListWidget* list_;
};

/// All keys, in one table.
class ShortcutsDialog : public QDialog {
    Q_OBJECT

  public:
    ShortcutsDialog(const Actions& actions, QWidget* parent);
};

} // namespace wiregrad::studio

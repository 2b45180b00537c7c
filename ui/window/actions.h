// The one table of actions: menus, toolbar, shortcuts, command palette and tests are fed from it.
// objectName of each action is its id ("run.start"). GUI thread.
#pragma once

#include <QAction>
#include <QHash>
#include <QKeySequence>
#include <QObject>
#include <QString>

#include <functional>

namespace wiregrad::studio {

struct ActionSpec {
    QString id;     ///< "edit.undo"
    QString text;   ///< "Undo"
    QString icon{}; ///< name for Theme::icon, may be empty
    QList<QKeySequence> shortcuts{};
    QString help{}; ///< tooltip and status tip, one sentence
    bool checkable = false;
};

class Actions : public QObject {
    Q_OBJECT

  public:
    explicit Actions(QObject* parent = nullptr);
    /// Registers an action; a clash of ids or shortcuts is logged and fails the tests.
    QAction* add(const ActionSpec& spec, std::function<void()> triggered);
    QAction* action(const QString& id) const; ///< null when unknown
    QList<QAction*> all() const;              ///< in order of registration

  private:
    QList<QAction*> order_;
    QHash<QString, QAction*> byId_;
};

} // namespace wiregrad::studio

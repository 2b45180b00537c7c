#include "ui/window/actions.h"

#include <QLoggingCategory>

#include "ui/theme/theme.h"

namespace wiregrad::studio {

Actions::Actions(QObject* parent) : QObject(parent) {}

QAction* Actions::add(const ActionSpec& spec, std::function<void()> triggered) {
    if (byId_.contains(spec.id)) qWarning("The action %s is registered twice", qPrintable(spec.id));
    for (const QAction* other : order_)
        for (const QKeySequence& key : spec.shortcuts)
            if (other->shortcuts().contains(key))
                qWarning("The key %s is taken by %s and asked for by %s",
                         qPrintable(key.toString()), qPrintable(other->objectName()),
                         qPrintable(spec.id));
    auto* action = new QAction(spec.text, this);
    action->setObjectName(spec.id);
    if (!spec.icon.isEmpty()) action->setIcon(Theme::instance().icon(spec.icon));
    action->setShortcuts(spec.shortcuts);
    action->setCheckable(spec.checkable);
    QString tip = spec.help.isEmpty() ? spec.text : spec.help;
    action->setStatusTip(tip);
    if (!spec.shortcuts.isEmpty())
        tip +=
            QStringLiteral(" (%1)").arg(spec.shortcuts.front().toString(QKeySequence::NativeText));
    action->setToolTip(tip);
    if (triggered)
        connect(action, &QAction::triggered, this,
                [triggered = std::move(triggered)] { triggered(); });
    order_.append(action);
    byId_.insert(spec.id, action);
    return action;
}

QAction* Actions::action(const QString& id) const {
    return byId_.value(id);
}

QList<QAction*> Actions::all() const {
    return order_;
}

} // namespace wiregrad::studio

#include "moc_actions.cpp"

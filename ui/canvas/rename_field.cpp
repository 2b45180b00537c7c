#include "ui/canvas/rename_field.h"

#include <QKeyEvent>

namespace wiregrad::studio {

RenameField::RenameField(QWidget* parent) : QLineEdit(parent) {
    setObjectName(QStringLiteral("canvas.rename"));
    setAccessibleName(tr("Name of the node"));
    setMaxLength(200);
    hide();
}

void RenameField::open(const QRect& place, const QFont& font, const QString& text,
                       std::function<void(const QString&)> done) {
    done_ = std::move(done);
    open_ = true;
    setFont(font);
    setGeometry(place);
    setText(text);
    selectAll();
    show();
    raise();
    setFocus(Qt::OtherFocusReason);
}

void RenameField::finish(bool keep) {
    if (!open_) return;
    open_ = false;
    const auto done = std::move(done_);
    done_ = nullptr;
    const bool hadFocus = hasFocus();
    hide();
    if (hadFocus) parentWidget()->setFocus(Qt::OtherFocusReason);
    if (keep && done) done(text().trimmed());
}

bool RenameField::event(QEvent* event) {
    if (event->type() == QEvent::ShortcutOverride) {
        event->accept();
        return true;
    }
    return QLineEdit::event(event);
}

void RenameField::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Escape)
        finish(false);
    else if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter)
        finish(true);
    else
        QLineEdit::keyPressEvent(event);
    event->accept(); // nothing typed here may reach the canvas
}

void RenameField::focusOutEvent(QFocusEvent* event) {
    QLineEdit::focusOutEvent(event);
    if (event->reason() != Qt::PopupFocusReason && event->reason() != Qt::ActiveWindowFocusReason)
        finish(true);
}

} // namespace wiregrad::studio

#include "ui/window/command_palette.h"

#include <QHeaderView>
#include <QKeyEvent>
#include <QLineEdit>
#include <QListWidget>
#include <QTimer>
#include <QTreeWidget>
#include <QVBoxLayout>

#include "ui/theme/theme.h"
#include "ui/window/actions.h"

namespace wiregrad::studio {

namespace {

QString nameOf(const QAction& action) {
    QString text = action.text();
    text.remove(QLatin1Char('&'));
    return text;
}

/// All letters of `letters` in order; better when they start words. Negative: no match.
int match(const QString& letters, const QString& text) {
    int score = 0;
    qsizetype at = -1;
    for (const QChar letter : letters) {
        if (letter.isSpace()) continue;
        const qsizetype next = text.indexOf(letter, at + 1, Qt::CaseInsensitive);
        if (next < 0) return -1;
        if (next == 0 || text[next - 1].isSpace()) score += 4;
        if (next == at + 1) score += 2;
        at = next;
    }
    return score;
}

} // namespace

CommandPalette::CommandPalette(const Actions& actions, QWidget* parent)
    : QDialog(parent, Qt::Popup | Qt::FramelessWindowHint), actions_(actions),
      field_(new QLineEdit(this)), list_(new QListWidget(this)) {
    setObjectName(QStringLiteral("commands"));
    setAttribute(Qt::WA_DeleteOnClose);
    const Theme& theme = Theme::instance();
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(theme.space(2), theme.space(2), theme.space(2), theme.space(2));
    field_->setPlaceholderText(tr("What do you want to do?"));
    field_->installEventFilter(this);
    list_->setFrameShape(QFrame::NoFrame);
    list_->setIconSize(QSize(theme.space(4), theme.space(4)));
    column->addWidget(field_);
    column->addWidget(list_);
    connect(field_, &QLineEdit::textChanged, this, [this] { fill(); });
    connect(field_, &QLineEdit::returnPressed, this, [this] { run(); });
    connect(list_, &QListWidget::itemClicked, this, [this] { run(); });
    resize(theme.space(130), theme.space(90));
    move(parent->mapToGlobal(QPoint((parent->width() - width()) / 2, parent->height() / 8)));
    fill();
    field_->setFocus();
}

void CommandPalette::fill() {
    list_->clear();
    QList<std::pair<int, QAction*>> hits;
    for (QAction* action : actions_.all()) {
        const int score = match(field_->text(), nameOf(*action));
        if (score >= 0) hits.append({score, action});
    }
    std::stable_sort(hits.begin(), hits.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    for (const auto& [score, action] : hits) {
        const QString keys = action->shortcut().toString(QKeySequence::NativeText);
        auto* item = new QListWidgetItem(
            action->icon(),
            keys.isEmpty() ? nameOf(*action) : nameOf(*action) + QStringLiteral("    ") + keys,
            list_);
        item->setData(Qt::UserRole, action->objectName());
        item->setToolTip(action->statusTip());
        if (!action->isEnabled()) item->setFlags(Qt::NoItemFlags);
    }
    list_->setCurrentRow(0);
}

void CommandPalette::run() {
    const QListWidgetItem* item = list_->currentItem();
    QAction* action = item ? actions_.action(item->data(Qt::UserRole).toString()) : nullptr;
    close();
    if (action && action->isEnabled())
        QTimer::singleShot(0, action, &QAction::trigger); // after this popup has gone
}

bool CommandPalette::eventFilter(QObject* object, QEvent* event) {
    if (event->type() == QEvent::KeyPress) {
        const int key = static_cast<QKeyEvent*>(event)->key();
        if (key == Qt::Key_Up || key == Qt::Key_Down) {
            const int row = list_->currentRow() + (key == Qt::Key_Up ? -1 : 1);
            list_->setCurrentRow(std::clamp(row, 0, std::max(0, list_->count() - 1)));
            return true;
        }
    }
    return QDialog::eventFilter(object, event);
}

ShortcutsDialog::ShortcutsDialog(const Actions& actions, QWidget* parent) : QDialog(parent) {
    setObjectName(QStringLiteral("shortcuts"));
    setWindowTitle(tr("Keyboard"));
    setAttribute(Qt::WA_DeleteOnClose);
    const Theme& theme = Theme::instance();
    auto* table = new QTreeWidget(this);
    table->setHeaderLabels({tr("Command"), tr("Keys"), tr("What it does")});
    table->setRootIsDecorated(false);
    table->setAlternatingRowColors(true);
    for (const QAction* action : actions.all()) {
        QStringList keys;
        for (const QKeySequence& key : action->shortcuts())
            keys << key.toString(QKeySequence::NativeText);
        if (keys.isEmpty()) continue;
        auto* row = new QTreeWidgetItem(
            {nameOf(*action), keys.join(QStringLiteral(", ")), action->statusTip()});
        row->setIcon(0, action->icon());
        table->addTopLevelItem(row);
    }
    table->resizeColumnToContents(0);
    table->resizeColumnToContents(1);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->addWidget(table);
    resize(theme.space(180), theme.space(140));
}

} // namespace wiregrad::studio

#include "moc_command_palette.cpp"

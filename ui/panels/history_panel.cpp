#include "ui/panels/history_panel.h"

#include <QPainter>
#include <QStyledItemDelegate>
#include <QUndoView>
#include <QVBoxLayout>

#include "ui/panels/parts.h"

namespace wiregrad::studio {

namespace {

/// Steps that were undone are shown muted: they are there to be redone.
class StepDelegate : public QStyledItemDelegate {
  public:
    StepDelegate(const QUndoStack& stack, QObject* parent) : QStyledItemDelegate(parent), stack_(stack) {}

    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        QSize size = QStyledItemDelegate::sizeHint(option, index);
        size.setHeight(option.fontMetrics.height() + Theme::instance().space(2));
        return size;
    }

    void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override {
        QStyledItemDelegate::initStyleOption(option, index);
        const Theme& theme = Theme::instance();
        if (index.row() > stack_.index()) {
            option->palette.setColor(QPalette::Text, theme.color(Token::TextMuted));
            option->font.setItalic(true);
        }
    }

  private:
    const QUndoStack& stack_;
};

} // namespace

HistoryPanel::HistoryPanel(Document& document, QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("historyPanel"));
    setBackground(this, Token::Panel);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::instance().space(1), Theme::instance().space(1), Theme::instance().space(1),
                               Theme::instance().space(1));
    view_ = new QUndoView(&document.undoStack(), this);
    view_->setEmptyLabel(QStringLiteral("Project as opened"));
    view_->setFrameShape(QFrame::NoFrame);
    view_->setAccessibleName(QStringLiteral("Undo history"));
    view_->setUniformItemSizes(true);
    view_->setItemDelegate(new StepDelegate(document.undoStack(), view_));
    column->addWidget(view_);
    const auto restyle = [this] {
        QPalette colours = view_->palette();
        colours.setColor(QPalette::Base, Theme::instance().color(Token::Panel));
        view_->setPalette(colours);
        view_->setCleanIcon(Theme::instance().icon(QStringLiteral("save"))); // the step that is on disk
    };
    restyle();
    connect(&Theme::instance(), &Theme::changed, this, restyle);
    connect(&document.undoStack(), &QUndoStack::indexChanged, view_->viewport(), qOverload<>(&QWidget::update));
}

} // namespace wiregrad::studio

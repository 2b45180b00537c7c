#include "ui/panels/history_panel.h"

#include <QAbstractListModel>
#include <QStyledItemDelegate>
#include <QVBoxLayout>

#include "ui/panels/parts.h"

namespace wiregrad::studio {

namespace {

/// The stack as rows. Not QUndoView: its clicks go to the stack past the document, which may have
/// to refuse (a run goes on).
class StepModel : public QAbstractListModel {
  public:
    StepModel(const QUndoStack& stack, QObject* parent)
        : QAbstractListModel(parent), stack_(stack) {}

    int rowCount(const QModelIndex& parent = {}) const override {
        return parent.isValid() ? 0 : stack_.count() + 1;
    }

    QVariant data(const QModelIndex& index, int role) const override {
        const int row = index.row();
        switch (role) {
        case Qt::DisplayRole:
            return row == 0 ? QStringLiteral("Project as opened") : stack_.text(row - 1);
        case Qt::ForegroundRole:
            return Theme::instance().color(row > stack_.index() ? Token::TextMuted : Token::Text);
        case Qt::FontRole: {
            QFont font = Theme::instance().font(1.0, row == stack_.index() ? QFont::DemiBold
                                                                           : QFont::Normal);
            font.setItalic(row >
                           stack_.index()); // undone: there to be redone, and not by colour alone
            return font;
        }
        case Qt::DecorationRole:
            return row == stack_.cleanIndex()
                       ? QVariant(Theme::instance().icon(QStringLiteral("save")))
                       : QVariant();
        case Qt::ToolTipRole:
            return row == stack_.cleanIndex() ? QStringLiteral("As saved")
                   : row > stack_.index()     ? QStringLiteral("Undone: click to do it again")
                                              : QString();
        default:
            return {};
        }
    }

    void refresh() {
        beginResetModel();
        endResetModel();
    }

  private:
    const QUndoStack& stack_;
};

class StepDelegate : public QStyledItemDelegate {
  public:
    using QStyledItemDelegate::QStyledItemDelegate;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        QSize size = QStyledItemDelegate::sizeHint(option, index);
        size.setHeight(option.fontMetrics.height() + Theme::instance().space(2));
        return size;
    }
};

} // namespace

struct HistoryPanel::Impl {
    explicit Impl(Document& doc) : document(doc) {}
    Document& document;
    QListView* view = nullptr;
    StepModel* model = nullptr;

    void refresh() {
        model->refresh();
        const QModelIndex now = model->index(document.undoStack().index());
        view->setCurrentIndex(now);
        view->scrollTo(now);
    }
};

HistoryPanel::HistoryPanel(Document& document, QWidget* parent)
    : QWidget(parent), d(std::make_unique<Impl>(document)) {
    setObjectName(QStringLiteral("historyPanel"));
    setBackground(this, Token::Panel);
    const int margin = Theme::instance().space(1);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(margin, margin, margin, margin);
    d->view = new QListView(this);
    d->model = new StepModel(document.undoStack(), d->view);
    d->view->setModel(d->model);
    d->view->setFrameShape(QFrame::NoFrame);
    d->view->setAccessibleName(QStringLiteral("Undo history"));
    d->view->setUniformItemSizes(true);
    d->view->setEditTriggers(QAbstractItemView::NoEditTriggers);
    d->view->setItemDelegate(new StepDelegate(d->view));
    column->addWidget(d->view);
    const auto restyle = [this] {
        QPalette colours = d->view->palette();
        colours.setColor(QPalette::Base, Theme::instance().color(Token::Panel));
        d->view->setPalette(colours);
        d->refresh();
    };
    restyle();
    connect(&Theme::instance(), &Theme::changed, this, restyle);
    connect(&document.undoStack(), &QUndoStack::indexChanged, this, [this] { d->refresh(); });
    connect(&document.undoStack(), &QUndoStack::cleanChanged, this, [this] { d->refresh(); });
    connect(d->view, &QListView::clicked, this,
            [this](const QModelIndex& index) { goTo(index.row()); });
    connect(d->view, &QListView::activated, this,
            [this](const QModelIndex& index) { goTo(index.row()); });
}

HistoryPanel::~HistoryPanel() = default;

QListView* HistoryPanel::view() const {
    return d->view;
}

int HistoryPanel::rows() const {
    return d->model->rowCount();
}

QString HistoryPanel::text(int row) const {
    return d->model->index(row).data().toString();
}

void HistoryPanel::goTo(int row) {
    QUndoStack& stack = d->document.undoStack();
    row = qBound(0, row, stack.count());
    while (stack.index() > row && d->document.undo()) {
    }
    while (stack.index() < row && d->document.redo()) {
    }
    d->refresh(); // the selection also comes back when it was refused
}

} // namespace wiregrad::studio

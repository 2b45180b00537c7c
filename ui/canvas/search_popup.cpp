#include "ui/canvas/search_popup.h"

#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QPainter>
#include <QVBoxLayout>

#include <algorithm>

#include "session/settings.h"
#include "ui/canvas/canvas_style.h"
#include "ui/canvas/type_list.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

SearchPopup::SearchPopup(QWidget* parent) : QFrame(parent) {
    setObjectName(QStringLiteral("canvas.search"));
    setAccessibleName(tr("Add a node"));
    const Theme& theme = Theme::instance();
    auto* box = new QVBoxLayout(this);
    box->setContentsMargins(theme.space(2), theme.space(2), theme.space(2), theme.space(2));
    box->setSpacing(theme.space(1));
    title_ = new QLabel(this);
    title_->setFont(theme.font(0.9));
    field_ = new QLineEdit(this);
    field_->setObjectName(QStringLiteral("canvas.search.field"));
    field_->setPlaceholderText(tr("Search layers: conv, dense, relu …"));
    field_->setClearButtonEnabled(true);
    field_->addAction(theme.icon(QStringLiteral("search")), QLineEdit::LeadingPosition);
    field_->installEventFilter(this);
    list_ = new QListView(this);
    list_->setObjectName(QStringLiteral("canvas.search.list"));
    list_->setFrameShape(QFrame::NoFrame);
    list_->setItemDelegate(new TypeDelegate(true, list_));
    list_->setMouseTracking(true);
    list_->setUniformItemSizes(true);
    list_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    list_->setFocusPolicy(Qt::NoFocus);
    list_->viewport()->setAutoFillBackground(false);
    model_ = new TypeListModel(this);
    list_->setModel(model_);
    nothing_ = new QLabel(tr("No layer of that name"), this);
    nothing_->setAlignment(Qt::AlignCenter);
    nothing_->setWordWrap(true);
    box->addWidget(title_);
    box->addWidget(field_);
    box->addWidget(list_, 1);
    box->addWidget(nothing_, 1);
    connect(field_, &QLineEdit::textChanged, this, &SearchPopup::refill);
    connect(list_, &QListView::clicked, this, [this](const QModelIndex& index) {
        list_->setCurrentIndex(index);
        accept(false);
    });
    hide();
}

SearchPopup::~SearchPopup() {
    // Children report a loss of focus while they go; nothing of this object may hear it then.
    field_->removeEventFilter(this);
}

void SearchPopup::open(SearchRequest request) {
    if (isVisible()) dismiss();
    request_ = std::move(request);
    closing_ = false;
    const QFontMetrics metrics(Theme::instance().font(1.0));
    const int width = std::min(metrics.averageCharWidth() * 58, parentWidget()->width() - 16);
    const int height = std::min(metrics.height() * 22, parentWidget()->height() - 16);
    resize(width, height);
    const int x = std::clamp(static_cast<int>(request_.view.x()) - width / 4, 8,
                             std::max(8, parentWidget()->width() - width - 8));
    const int y = std::clamp(static_cast<int>(request_.view.y()) - 12, 8,
                             std::max(8, parentWidget()->height() - height - 8));
    move(x, y);
    title_->setText(request_.title);
    title_->setVisible(!request_.title.isEmpty());
    {
        const QSignalBlocker quiet(field_);
        field_->setText(request_.text);
    }
    refill();
    show();
    raise();
    field_->setFocus(Qt::PopupFocusReason);
    field_->setCursorPosition(static_cast<int>(request_.text.size()));
}

void SearchPopup::refill() {
    model_->search(field_->text(), request_.fits);
    const bool any = model_->rowCount() > 0;
    list_->setVisible(any);
    nothing_->setVisible(!any);
    if (any) list_->setCurrentIndex(model_->index(0));
    nothing_->setText(request_.fits ? tr("Nothing of that name fits this port")
                                    : tr("No layer of that name"));
}

QStringList SearchPopup::shownTypes() const {
    QStringList ids;
    for (int row = 0; row < model_->rowCount(); ++row)
        ids << model_->index(row).data(kTypeIdRole).toString();
    return ids;
}

void SearchPopup::step(int rows) {
    const int count = model_->rowCount();
    if (count == 0) return;
    const int row = std::clamp(list_->currentIndex().row() + rows, 0, count - 1);
    list_->setCurrentIndex(model_->index(row));
    list_->scrollTo(model_->index(row));
}

void SearchPopup::accept(bool wire) {
    const graph::NodeType* type = model_->type(list_->currentIndex().row());
    if (!type) return;
    // The request ends before the choice is acted on: what it does may open another search.
    SearchRequest request = std::move(request_);
    request_ = {};
    closing_ = true;
    hide();
    parentWidget()->setFocus(Qt::OtherFocusReason);
    Settings::addRecentType(qs(type->id));
    if (request.chosen) request.chosen(qs(type->id), wire);
    if (request.closed) request.closed();
}

void SearchPopup::dismiss() {
    if (closing_) return;
    closing_ = true;
    const bool hadFocus = field_->hasFocus();
    SearchRequest request = std::move(request_);
    request_ = {};
    hide();
    if (hadFocus) parentWidget()->setFocus(Qt::OtherFocusReason);
    if (request.closed) request.closed();
}

bool SearchPopup::eventFilter(QObject* watched, QEvent* event) {
    if (watched == field_ && event->type() == QEvent::ShortcutOverride) {
        event->accept(); // no shortcut of the window acts while text is typed
        return true;
    }
    if (watched == field_ && event->type() == QEvent::KeyPress) {
        const auto* key = static_cast<QKeyEvent*>(event);
        switch (key->key()) {
        case Qt::Key_Down:
        case Qt::Key_Tab:
            step(1);
            return true;
        case Qt::Key_Up:
        case Qt::Key_Backtab:
            step(-1);
            return true;
        case Qt::Key_PageDown:
            step(8);
            return true;
        case Qt::Key_PageUp:
            step(-8);
            return true;
        case Qt::Key_Return:
        case Qt::Key_Enter:
            accept(key->modifiers() & Qt::ShiftModifier);
            return true;
        case Qt::Key_Escape:
            dismiss();
            return true;
        default:
            break;
        }
    }
    if (watched == field_ && event->type() == QEvent::FocusOut) {
        const auto reason = static_cast<QFocusEvent*>(event)->reason();
        if (reason != Qt::PopupFocusReason && reason != Qt::ActiveWindowFocusReason) dismiss();
    }
    return QFrame::eventFilter(watched, event);
}

void SearchPopup::paintEvent(QPaintEvent*) {
    const CanvasStyle& s = CanvasStyle::get();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), s.canvas);
    painter.setPen(QPen(s.border, 1));
    painter.setBrush(s.panel);
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8);
}

} // namespace wiregrad::studio

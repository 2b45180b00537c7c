#include "ui/script/source_view.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <QTextBlock>

#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

class Gutter : public QWidget {
  public:
    explicit Gutter(SourceView* view) : QWidget(view), view_(view) {}
    QSize sizeHint() const override { return {view_->gutterWidth(), 0}; }

  protected:
    void paintEvent(QPaintEvent* event) override { view_->paintGutter(event); }

  private:
    SourceView* view_;
};

} // namespace

SourceView::SourceView(QWidget* parent) : QPlainTextEdit(parent) {
    setObjectName(QStringLiteral("script.source"));
    setReadOnly(true);
    setUndoRedoEnabled(false);
    setLineWrapMode(QPlainTextEdit::NoWrap);
    setFrameShape(QFrame::NoFrame);
    setAccessibleName(tr("Source"));
    // The cursor is shown, so that the arrow keys and Enter can choose a line.
    setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    viewport()->setCursor(Qt::ArrowCursor);
    highlighter_ = new SourceHighlighter(document());
    gutter_ = new Gutter(this);
    connect(this, &QPlainTextEdit::updateRequest, this, [this](const QRect& rect, int dy) {
        if (dy)
            gutter_->scroll(0, dy);
        else
            gutter_->update(0, rect.y(), gutter_->width(), rect.height());
    });
    connect(&Theme::instance(), &Theme::changed, this, &SourceView::restyle);
    restyle();
}

void SourceView::restyle() {
    const Theme& theme = Theme::instance();
    setFont(theme.monospace(0.95));
    QPalette colours = palette();
    colours.setColor(QPalette::Base, theme.color(Token::PlotBackground));
    colours.setColor(QPalette::Text, theme.color(Token::Text));
    setPalette(colours);
    setViewportMargins(gutterWidth(), 0, 0, 0);
    mark(marked_, false);
    gutter_->update();
}

int SourceView::gutterWidth() const {
    const int digits = int(QString::number(std::max(99, blockCount())).size());
    return fontMetrics().horizontalAdvance(QLatin1Char('9')) * digits + Theme::instance().space(4);
}

void SourceView::setSource(const QStringList& lines, std::vector<QColor> stripes,
                           SourceHighlighter::Language language) {
    const int top = verticalScrollBar()->value(), left = horizontalScrollBar()->value();
    const int line = textCursor().blockNumber();
    stripes_ = std::move(stripes);
    highlighter_->setLanguage(language);
    setPlainText(lines.join(QLatin1Char('\n')));
    setTextCursor(QTextCursor(
        document()->findBlockByNumber(std::min(line, std::max(0, document()->blockCount() - 1)))));
    setViewportMargins(gutterWidth(), 0, 0, 0);
    verticalScrollBar()->setValue(top);
    horizontalScrollBar()->setValue(left);
    gutter_->update();
}

void SourceView::mark(const std::vector<int>& lines, bool scroll) {
    marked_ = lines;
    QColor colour = Theme::instance().color(Token::Selection);
    colour.setAlphaF(Theme::instance().isDark() ? 0.22F : 0.16F);
    QList<QTextEdit::ExtraSelection> selections;
    bool seen = false;
    for (const int line : lines) {
        const QTextBlock block = document()->findBlockByNumber(line);
        if (!block.isValid()) continue;
        QTextEdit::ExtraSelection selection;
        selection.cursor = QTextCursor(block);
        selection.format.setBackground(colour);
        selection.format.setProperty(QTextFormat::FullWidthSelection, true);
        selections.append(selection);
        seen = seen || viewport()->rect().contains(lineRect(line).center());
    }
    setExtraSelections(selections);
    if (scroll && !seen && !selections.isEmpty())
        verticalScrollBar()->setValue(std::max(0, lines.front() - 2));
}

QRect SourceView::lineRect(int line) const {
    const QTextBlock block = document()->findBlockByNumber(line);
    if (!block.isValid()) return {};
    return blockBoundingGeometry(block)
        .translated(contentOffset())
        .toRect()
        .intersected(QRect(0, -100000, viewport()->width(), 200000));
}

void SourceView::paintGutter(QPaintEvent* event) {
    const Theme& theme = Theme::instance();
    QPainter painter(gutter_);
    painter.fillRect(event->rect(), theme.color(Token::Panel));
    painter.setFont(font());
    const int stripe = std::max(3, theme.space(1) - 1);
    for (QTextBlock block = firstVisibleBlock(); block.isValid(); block = block.next()) {
        const QRectF place = blockBoundingGeometry(block).translated(contentOffset());
        if (place.top() > event->rect().bottom()) break;
        if (place.bottom() < event->rect().top()) continue;
        const auto line = std::size_t(block.blockNumber());
        painter.setPen(theme.color(Token::TextMuted));
        painter.drawText(QRectF(0, place.top(), gutter_->width() - theme.space(2), place.height()),
                         Qt::AlignRight | Qt::AlignVCenter, QString::number(line + 1));
        if (line < stripes_.size() && stripes_[line].isValid())
            painter.fillRect(QRectF(gutter_->width() - stripe, place.top(), stripe, place.height()),
                             stripes_[line]);
    }
}

void SourceView::resizeEvent(QResizeEvent* event) {
    QPlainTextEdit::resizeEvent(event);
    const QRect inside = contentsRect();
    gutter_->setGeometry(inside.left(), inside.top(), gutterWidth(), inside.height());
}

void SourceView::mouseReleaseEvent(QMouseEvent* event) {
    QPlainTextEdit::mouseReleaseEvent(event);
    if (event->button() == Qt::LeftButton && !textCursor().hasSelection())
        emit lineChosen(cursorForPosition(event->position().toPoint()).blockNumber());
}

void SourceView::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter)
        emit lineChosen(textCursor().blockNumber());
    else
        QPlainTextEdit::keyPressEvent(event);
}

} // namespace wiregrad::studio

#include "moc_source_view.cpp"

#include "ui/panels/parts.h"

#include <QPainter>
#include <QVBoxLayout>

namespace wiregrad::studio {

TextLabel::TextLabel(const QString& text, Token color, double relativeSize, int weight,
                     QWidget* parent)
    : QLabel(parent), color_(color), size_(relativeSize), weight_(weight) {
    setTextFormat(Qt::PlainText); // texts hold names and sentences from files
    setText(text);
    refresh();
    connect(&Theme::instance(), &Theme::changed, this, &TextLabel::refresh);
}

void TextLabel::setToken(Token color) {
    if (color != color_) {
        color_ = color;
        refresh();
    }
}

void TextLabel::setMonospace(bool on) {
    monospace_ = on;
    refresh();
}

void TextLabel::refresh() {
    const Theme& theme = Theme::instance();
    setFont(monospace_ ? theme.monospace(size_) : theme.font(size_, weight_));
    QPalette colours = palette();
    colours.setColor(QPalette::WindowText, theme.color(color_));
    setPalette(colours);
}

QPixmap tintedIcon(const QString& icon, const QColor& color, int pixels, double devicePixelRatio) {
    const int device = static_cast<int>(pixels * devicePixelRatio + 0.5);
    QPixmap pixmap(device, device);
    pixmap.setDevicePixelRatio(devicePixelRatio);
    pixmap.fill(Qt::transparent);
    const QIcon source = Theme::instance().icon(icon);
    if (source.isNull()) {
        return pixmap;
    }
    QPainter painter(&pixmap);
    source.paint(&painter, QRect(0, 0, pixels, pixels));
    painter.setCompositionMode(QPainter::CompositionMode_SourceIn);
    painter.fillRect(QRect(0, 0, pixels, pixels), color);
    return pixmap;
}

IconLabel::IconLabel(const QString& icon, Token tint, int pixels, QWidget* parent)
    : QLabel(parent), icon_(icon), tint_(tint), pixels_(pixels) {
    setFixedSize(pixels, pixels);
    refresh();
    connect(&Theme::instance(), &Theme::changed, this, &IconLabel::refresh);
}

void IconLabel::setIcon(const QString& icon, Token tint) {
    icon_ = icon;
    tint_ = tint;
    refresh();
}

void IconLabel::refresh() {
    setPixmap(tintedIcon(icon_, Theme::instance().color(tint_), pixels_, devicePixelRatioF()));
}

TextLabel* sectionTitle(const QString& text, QWidget* parent) {
    return new TextLabel(text, Token::TextMuted, 0.9, QFont::DemiBold, parent);
}

void setBackground(QWidget* widget, Token token) {
    widget->setAutoFillBackground(true);
    const auto paint = [widget, token] {
        QPalette colours = widget->palette();
        colours.setColor(widget->backgroundRole(), Theme::instance().color(token));
        widget->setPalette(colours);
    };
    paint();
    QObject::connect(&Theme::instance(), &Theme::changed, widget, paint);
}

QWidget* hairline(QWidget* parent) {
    auto* line = new QWidget(parent);
    line->setFixedHeight(1);
    setBackground(line, Token::Border);
    return line;
}

QToolButton* iconButton(const QString& icon, const QString& tip, QWidget* parent) {
    auto* button = new QToolButton(parent);
    button->setAutoRaise(true);
    button->setToolTip(tip);
    button->setAccessibleName(tip);
    button->setIconSize(QSize(16, 16));
    const auto paint = [button, icon] { button->setIcon(Theme::instance().icon(icon)); };
    paint();
    QObject::connect(&Theme::instance(), &Theme::changed, button, paint);
    return button;
}

EmptyState::EmptyState(const QString& icon, const QString& title, const QString& text,
                       QWidget* parent)
    : QWidget(parent) {
    const Theme& theme = Theme::instance();
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(theme.space(6), theme.space(4), theme.space(6), theme.space(4));
    column->setSpacing(theme.space(1));
    icon_ = new IconLabel(icon, Token::TextMuted, theme.space(7), this);
    title_ = new TextLabel(title, Token::Text, 1.05, QFont::DemiBold, this);
    text_ = new TextLabel(text, Token::TextMuted, 1.0, QFont::Normal, this);
    title_->setAlignment(Qt::AlignHCenter);
    title_->setWordWrap(true);
    text_->setAlignment(Qt::AlignHCenter | Qt::AlignTop);
    text_->setWordWrap(true);
    text_->setMaximumWidth(theme.space(90));
    column->addStretch(2);
    column->addWidget(icon_, 0, Qt::AlignHCenter);
    column->addSpacing(theme.space(1));
    column->addWidget(title_);
    auto* centred = new QHBoxLayout;
    centred->addStretch(1);
    centred->addWidget(text_, 100);
    centred->addStretch(1);
    column->addLayout(centred);
    column->addStretch(3);
}

void EmptyState::setTexts(const QString& title, const QString& text) {
    title_->setText(title);
    text_->setText(text);
}

void EmptyState::setIcon(const QString& icon) {
    icon_->setIcon(icon, Token::TextMuted);
}

QString EmptyState::title() const {
    return title_->text();
}

QString EmptyState::text() const {
    return text_->text();
}

} // namespace wiregrad::studio

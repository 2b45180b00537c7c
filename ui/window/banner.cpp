#include "ui/window/banner.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QToolButton>

#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

Token tokenOf(Banner::Kind kind) {
    switch (kind) {
    case Banner::Kind::Warning:
        return Token::Warning;
    case Banner::Kind::Error:
        return Token::Error;
    case Banner::Kind::Info:
    case Banner::Kind::Question:
        break;
    }
    return Token::Info;
}

QString iconOf(Banner::Kind kind) {
    switch (kind) {
    case Banner::Kind::Warning:
        return QStringLiteral("warning");
    case Banner::Kind::Error:
        return QStringLiteral("error");
    case Banner::Kind::Question:
        return QStringLiteral("help");
    case Banner::Kind::Info:
        break;
    }
    return QStringLiteral("info");
}

} // namespace

Banner::Banner(QWidget* parent) : QFrame(parent), icon_(new QLabel(this)), text_(new QLabel(this)) {
    setObjectName(QStringLiteral("window.banner"));
    const Theme& theme = Theme::instance();
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(theme.space(4), theme.space(2), theme.space(2), theme.space(2));
    row->setSpacing(theme.space(2));
    text_->setWordWrap(true);
    text_->setTextFormat(Qt::PlainText);
    text_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    text_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    buttons_ = new QHBoxLayout;
    buttons_->setSpacing(theme.space(2));
    auto* close = new QToolButton(this);
    close->setIcon(theme.icon(QStringLiteral("close")));
    close->setAutoRaise(true);
    close->setAccessibleName(tr("Close this message"));
    close->setToolTip(tr("Close this message"));
    connect(close, &QToolButton::clicked, this, &Banner::dismiss);
    row->addWidget(icon_, 0, Qt::AlignVCenter);
    row->addWidget(text_, 1);
    row->addLayout(buttons_);
    row->addWidget(close, 0, Qt::AlignVCenter);
    timer_.setSingleShot(true);
    connect(&timer_, &QTimer::timeout, this, &Banner::dismiss);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
    parent->installEventFilter(this);
    hide();
}

QString Banner::text() const {
    return isHidden() ? QString() : text_->text();
}

void Banner::say(Kind kind, const QString& sentence, std::vector<Button> buttons) {
    Saying saying{kind, sentence, std::move(buttons)};
    if (!isHidden() && kind_ == Kind::Question) {
        waiting_.push_back(std::move(saying)); // an open question is not talked over
        return;
    }
    show(saying);
}

void Banner::show(const Saying& saying) {
    kind_ = saying.kind;
    const int side = Theme::instance().space(5);
    icon_->setPixmap(Theme::instance().icon(iconOf(kind_)).pixmap(side, side));
    text_->setText(saying.sentence);
    setAccessibleName(saying.sentence);
    while (QLayoutItem* item = buttons_->takeAt(0)) {
        item->widget()->deleteLater();
        delete item;
    }
    for (const Button& spec : saying.buttons) {
        auto* button = new QPushButton(spec.text, this);
        button->setObjectName(QStringLiteral("banner.") + spec.text);
        button->setFocusPolicy(Qt::TabFocus);
        connect(button, &QPushButton::clicked, this, [this, action = spec.clicked] {
            dismiss();
            if (action) action();
        });
        buttons_->addWidget(button);
    }
    QFrame::show();
    raise();
    place();
    update();
    timer_.stop();
    if (kind_ == Kind::Info || kind_ == Kind::Warning)
        timer_.start(std::max(5000, int(saying.sentence.size()) * 90));
}

void Banner::dismiss() {
    timer_.stop();
    hide();
    text_->clear();
    if (waiting_.empty()) return;
    const Saying next = std::move(waiting_.front());
    waiting_.erase(waiting_.begin());
    show(next);
}

bool Banner::eventFilter(QObject* object, QEvent* event) {
    if (object == parent() && event->type() == QEvent::Resize) place();
    return QFrame::eventFilter(object, event);
}

void Banner::place() {
    if (isHidden()) return;
    const int margin = Theme::instance().space(3);
    const int width = std::min(parentWidget()->width() - 2 * margin, Theme::instance().space(190));
    layout()->activate();
    const int height = std::max(layout()->totalHeightForWidth(width), minimumSizeHint().height());
    setGeometry((parentWidget()->width() - width) / 2, margin, width, height);
}

void Banner::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::instance();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QColor mark = theme.color(tokenOf(kind_));
    painter.setPen(QPen(mark, 1));
    painter.setBrush(theme.color(Token::PanelRaised));
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6);
    painter.setPen(Qt::NoPen);
    painter.setBrush(mark);
    painter.drawRoundedRect(QRectF(0, 0, 5, height()), 2.5, 2.5);
}

} // namespace wiregrad::studio

#include "moc_banner.cpp"

#include "ui/window/gallery.h"

#include <QEvent>
#include <QFileInfo>
#include <QGridLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QPainter>
#include <QPainterPath>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>

#include "session/settings.h"
#include "ui/panels/format.h"
#include "ui/theme/theme.h"
#include "ui/window/examples.h"
#include "ui/window/miniature.h"

namespace wiregrad::studio {

namespace {

/// The panel the cards lie on.
class Sheet : public QWidget {
  public:
    using QWidget::QWidget;

  protected:
    void paintEvent(QPaintEvent*) override {
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        painter.setPen(Theme::instance().color(Token::Border));
        painter.setBrush(Theme::instance().color(Token::Panel));
        painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 10, 10);
    }
    void mousePressEvent(QMouseEvent* event) override { event->accept(); }
};

QString factsOf(const graph::Graph& graph) {
    int layers = 0;
    QString data;
    for (const auto& [id, node] : graph.nodes()) {
        const graph::NodeType* type = graph::find_type(node.type);
        if (!type) continue;
        if (type->role == graph::Role::Layer) ++layers;
        if (type->role != graph::Role::Dataset) continue;
        const auto source = node.params.find("source");
        const graph::ParamSpec* spec = type->param("source");
        if (source != node.params.end() && spec)
            for (const graph::Choice& choice : spec->choices)
                if (const auto* value = std::get_if<std::string>(&source->second);
                    value && *value == choice.value)
                    data = QString::fromStdString(choice.label);
    }
    QString text = layers == 1 ? Gallery::tr("1 layer") : Gallery::tr("%1 layers").arg(layers);
    if (!data.isEmpty()) text += QStringLiteral(" · ") + data;
    return text;
}

/// Lines of `text` that fit; the last one is elided.
void drawLines(QPainter& painter, const QRect& place, const QString& text, int lines) {
    const QFontMetrics metrics(painter.font());
    QString rest = text;
    for (int line = 0; line < lines && !rest.isEmpty(); ++line) {
        QString now = rest;
        if (line + 1 < lines) {
            while (metrics.horizontalAdvance(now) > place.width() - 2 &&
                   now.contains(QLatin1Char(' ')))
                now.truncate(now.lastIndexOf(QLatin1Char(' ')));
        }
        rest = rest.mid(now.size()).trimmed();
        painter.drawText(place.left(),
                         place.top() + metrics.ascent() + line * metrics.lineSpacing(),
                         metrics.elidedText(now, Qt::ElideRight, place.width()));
    }
}

constexpr int kDescriptionLines = 3;

} // namespace

// --- card

ExampleCard::ExampleCard(const Example& example, QWidget* parent)
    : QAbstractButton(parent), example_(example) {
    title_ = QString::fromStdString(example.graph.title());
    if (title_.isEmpty()) title_ = example.name;
    description_ = plainText(example.graph.description());
    facts_ = factsOf(example.graph);
    setObjectName(QStringLiteral("gallery.open.") + example.name);
    setAccessibleName(title_);
    setAccessibleDescription(description_);
    setToolTip(description_);
    setCursor(Qt::PointingHandCursor);
    setFocusPolicy(Qt::StrongFocus);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    train_ = new QPushButton(Theme::instance().icon(QStringLiteral("run")),
                             Gallery::tr("Open and train"), this);
    train_->setObjectName(QStringLiteral("gallery.train.") + example.name);
    train_->setFont(Theme::instance().font(0.92));
    train_->setCursor(Qt::PointingHandCursor);
}

QSize ExampleCard::sizeHint() const {
    const Theme& theme = Theme::instance();
    const QFontMetrics metrics(theme.font());
    return {theme.space(64),
            theme.space(28) + metrics.lineSpacing() * (2 + kDescriptionLines) + theme.space(12)};
}

void ExampleCard::resizeEvent(QResizeEvent*) {
    const int pad = Theme::instance().space(3);
    const QSize size = train_->sizeHint();
    train_->setGeometry(width() - pad - size.width(), height() - pad - size.height(), size.width(),
                        size.height());
}

bool ExampleCard::event(QEvent* event) {
    if (event->type() == QEvent::HoverEnter || event->type() == QEvent::HoverLeave ||
        event->type() == QEvent::Enter || event->type() == QEvent::Leave)
        update();
    return QAbstractButton::event(event);
}

void ExampleCard::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::instance();
    const bool over = underMouse() || hasFocus();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QRectF frame = QRectF(rect()).adjusted(1, 1, -1, -1);
    QPainterPath shape;
    shape.addRoundedRect(frame, 8, 8);
    painter.fillPath(shape, theme.color(Token::PanelRaised));
    const int pictureHeight = theme.space(28);
    painter.save();
    painter.setClipPath(shape);
    const QRectF picture(frame.left(), frame.top(), frame.width(), pictureHeight);
    painter.fillRect(picture, theme.color(Token::Canvas));
    const double margin = theme.space(3);
    paintMiniature(painter, picture.adjusted(margin, margin, -margin, -margin), example_.graph);
    painter.restore();
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(theme.color(over ? Token::Accent : Token::Border), over ? 2 : 1));
    painter.drawPath(shape);

    const int pad = theme.space(3);
    QRect text = rect().adjusted(pad, pictureHeight + theme.space(2), -pad, -pad);
    painter.setFont(theme.font(1.08, QFont::DemiBold));
    painter.setPen(theme.color(Token::Text));
    const QFontMetrics titleMetrics(painter.font());
    painter.drawText(text.left(), text.top() + titleMetrics.ascent(),
                     titleMetrics.elidedText(title_, Qt::ElideRight, text.width()));
    text.setTop(text.top() + titleMetrics.lineSpacing() + theme.space(1) / 2);
    painter.setFont(theme.font(0.95));
    painter.setPen(theme.color(Token::TextMuted));
    drawLines(painter, text, description_, kDescriptionLines);
    const QRect foot(text.left(), train_->y(), train_->x() - text.left() - pad, train_->height());
    painter.setFont(theme.font(0.9));
    painter.drawText(foot, Qt::AlignVCenter | Qt::AlignLeft,
                     QFontMetrics(painter.font()).elidedText(facts_, Qt::ElideRight, foot.width()));
}

// --- gallery

Gallery::Gallery(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("gallery"));
    const Theme& theme = Theme::instance();
    sheet_ = new Sheet(this);
    auto* column = new QVBoxLayout(sheet_);
    column->setContentsMargins(theme.space(6), theme.space(5), theme.space(6), theme.space(5));
    column->setSpacing(theme.space(4));

    auto* head = new QHBoxLayout;
    head->setSpacing(theme.space(3));
    auto* logo = new QLabel(sheet_);
    logo->setPixmap(
        QIcon(QStringLiteral(":/icons/wiregrad.svg")).pixmap(theme.space(12), theme.space(12)));
    auto* words = new QVBoxLayout;
    words->setSpacing(0);
    auto* title = new QLabel(tr("Wire a network, watch it learn"), sheet_);
    title->setFont(theme.font(1.6, QFont::DemiBold));
    auto* under = new QLabel(
        tr("Start from an example. Each one trains on this machine, without a download."), sheet_);
    under->setForegroundRole(QPalette::PlaceholderText);
    words->addWidget(title);
    words->addWidget(under);
    head->addWidget(logo);
    head->addLayout(words);
    head->addStretch();
    auto* empty = new QPushButton(theme.icon(QStringLiteral("new")), tr("Empty canvas"), sheet_);
    empty->setObjectName(QStringLiteral("gallery.empty"));
    auto* file = new QPushButton(theme.icon(QStringLiteral("open")), tr("Open a file …"), sheet_);
    file->setObjectName(QStringLiteral("gallery.file"));
    head->addWidget(empty, 0, Qt::AlignVCenter);
    head->addWidget(file, 0, Qt::AlignVCenter);
    column->addLayout(head);

    cards_ = new QWidget;
    grid_ = new QGridLayout(cards_);
    grid_->setContentsMargins(0, 0, theme.space(1), 0);
    grid_->setSpacing(theme.space(4));
    for (const Example& example : examples()) {
        auto* card = new ExampleCard(example, cards_);
        connect(card, &QAbstractButton::clicked, this, [this, name = example.name] {
            hide();
            emit exampleChosen(name, false);
        });
        connect(card->trainButton(), &QPushButton::clicked, this, [this, name = example.name] {
            hide();
            emit exampleChosen(name, true);
        });
        all_.append(card);
    }
    scroll_ = new QScrollArea(sheet_);
    scroll_->setFrameShape(QFrame::NoFrame);
    scroll_->setWidgetResizable(true);
    scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll_->setWidget(cards_);
    scroll_->viewport()->setAutoFillBackground(false);
    cards_->setAutoFillBackground(false);
    column->addWidget(scroll_, 1);

    recent_ = new QVBoxLayout;
    recent_->setSpacing(theme.space(1) / 2);
    column->addLayout(recent_);

    connect(empty, &QPushButton::clicked, this, [this] {
        hide();
        emit newChosen();
    });
    connect(file, &QPushButton::clicked, this, [this] {
        hide();
        emit openChosen();
    });
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
    parent->installEventFilter(this);
    setFocusPolicy(Qt::StrongFocus);
    hide();
}

void Gallery::open() {
    fillRecent();
    place();
    show();
    raise();
    if (all_.isEmpty())
        setFocus();
    else
        all_.front()->setFocus(Qt::OtherFocusReason);
}

void Gallery::fillRecent() {
    while (QLayoutItem* item = recent_->takeAt(0)) {
        delete item->widget();
        delete item;
    }
    const QStringList files = Settings::recentFiles().mid(0, 3);
    if (files.isEmpty()) return;
    const Theme& theme = Theme::instance();
    auto* heading = new QLabel(tr("Recent"), sheet_);
    heading->setFont(theme.font(1.0, QFont::DemiBold));
    recent_->addWidget(heading);
    for (const QString& path : files) {
        auto* link = new QPushButton(theme.icon(QStringLiteral("file")), {}, sheet_);
        link->setFlat(true);
        link->setCursor(Qt::PointingHandCursor);
        const QFileInfo info(path);
        link->setText(tr("%1   in %2").arg(info.fileName(), info.absolutePath()));
        link->setToolTip(path);
        connect(link, &QPushButton::clicked, this, [this, path] {
            hide();
            emit fileChosen(path);
        });
        recent_->addWidget(link, 0, Qt::AlignLeft);
    }
}

void Gallery::place() {
    setGeometry(parentWidget()->rect());
    const Theme& theme = Theme::instance();
    const int width = std::min(this->width() - theme.space(12), theme.space(250));
    sheet_->resize(width, sheet_->height());
    arrangeCards();
    // As high as its cards, where the window has room for that.
    const int rows = int(all_.size() + columns_ - 1) / std::max(1, columns_);
    const int cardHeight = all_.isEmpty() ? 0 : all_.front()->sizeHint().height();
    const int recentHeight = recent_->isEmpty() ? 0 : recent_->sizeHint().height() + theme.space(4);
    const int wanted = theme.space(12 + 10 + 4) + rows * (cardHeight + theme.space(4)) -
                       theme.space(4) + recentHeight + 2;
    const int height = std::min(this->height() - theme.space(10), wanted);
    sheet_->setGeometry((this->width() - width) / 2, (this->height() - height) / 2, width, height);
}

void Gallery::arrangeCards() {
    const Theme& theme = Theme::instance();
    const int columns = std::clamp((sheet_->width() - theme.space(12)) / theme.space(70), 1, 3);
    if (columns == columns_) return;
    columns_ = columns;
    for (ExampleCard* card : all_)
        grid_->removeWidget(card);
    for (int i = 0; i < all_.size(); ++i)
        grid_->addWidget(all_[i], i / columns, i % columns);
    for (int c = 0; c < 5; ++c)
        grid_->setColumnStretch(c, c < columns ? 1 : 0);
    const int rows = int(all_.size() + columns - 1) / columns;
    for (int r = 0; r <= 16; ++r)
        grid_->setRowStretch(r, r == rows ? 1 : 0);
}

bool Gallery::eventFilter(QObject* object, QEvent* event) {
    if (object == parent() && event->type() == QEvent::Resize && isVisible()) place();
    return QWidget::eventFilter(object, event);
}

void Gallery::resizeEvent(QResizeEvent*) {
    if (isVisible()) place();
}

void Gallery::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    QColor veil = Theme::instance().color(Token::Window);
    veil.setAlpha(190);
    painter.fillRect(rect(), veil);
}

void Gallery::mousePressEvent(QMouseEvent*) {
    hide();
}

void Gallery::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Escape)
        hide();
    else
        QWidget::keyPressEvent(event);
}

} // namespace wiregrad::studio

#include "moc_gallery.cpp"

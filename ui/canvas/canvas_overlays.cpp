#include "ui/canvas/canvas_overlays.h"

#include <QFontMetricsF>
#include <QPainter>

#include "ui/canvas/canvas_style.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

EmptyHint::EmptyHint(QWidget* parent) : QWidget(parent) {
    setAttribute(Qt::WA_TransparentForMouseEvents);
    setObjectName(QStringLiteral("canvas.empty"));
    setAccessibleName(tr("The graph is empty. Press Tab to add a layer, or open an example."));
}

void EmptyHint::paintEvent(QPaintEvent*) {
    const CanvasStyle& s = CanvasStyle::get();
    const Theme& theme = Theme::instance();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QFont heading = theme.font(1.5, QFont::DemiBold), body = theme.font(1.05),
                key = theme.font(0.95, QFont::Medium);
    const QFontMetricsF headingMetrics(heading), bodyMetrics(body), keyMetrics(key);
    struct Row {
        QString keys, words;
    };
    const Row rows[] = {
        {tr("Tab"), tr("or double-click to add a layer here")},
        {tr("Drag"), tr("layers in from the palette on the left")},
        {tr("Ctrl+O"), tr("open a project, or start from an example")},
    };
    double keyWidth = 0, wordWidth = 0;
    for (const Row& row : rows) {
        keyWidth = std::max(keyWidth, keyMetrics.horizontalAdvance(row.keys) + 20);
        wordWidth = std::max(wordWidth, bodyMetrics.horizontalAdvance(row.words));
    }
    const double line = bodyMetrics.height() + 14;
    const double total = headingMetrics.height() + 22 + 3 * line;
    const double left = (width() - keyWidth - 14 - wordWidth) / 2;
    double y = (height() - total) / 2;
    painter.setPen(s.nodeText);
    painter.setFont(heading);
    painter.drawText(QRectF(0, y, width(), headingMetrics.height()), Qt::AlignCenter,
                     tr("Wire a network"));
    y += headingMetrics.height() + 22;
    for (const Row& row : rows) {
        const QRectF cap(left, y + 3, keyWidth, line - 8);
        painter.setPen(QPen(s.border, 1));
        painter.setBrush(s.body);
        painter.drawRoundedRect(cap, 5, 5);
        painter.setPen(s.nodeText);
        painter.setFont(key);
        painter.drawText(cap, Qt::AlignCenter, row.keys);
        painter.setPen(s.nodeMuted);
        painter.setFont(body);
        painter.drawText(QRectF(left + keyWidth + 14, y, wordWidth + 4, line - 2),
                         Qt::AlignLeft | Qt::AlignVCenter, row.words);
        y += line;
    }
}

ShapeLabel::ShapeLabel() {
    setFlag(QGraphicsItem::ItemIgnoresTransformations);
    setAcceptedMouseButtons(Qt::NoButton);
    setZValue(8);
    setVisible(false);
}

void ShapeLabel::show(QPointF scenePos, const QString& text, const QColor& tone) {
    if (text != text_ || tone != tone_) {
        prepareGeometryChange();
        text_ = text;
        tone_ = tone;
        const QFontMetricsF metrics(CanvasStyle::get().small);
        const double width = metrics.horizontalAdvance(text_) + 16, height = metrics.height() + 6;
        box_ = QRectF(-width / 2, -height - 5, width,
                      height); // above the wire, whose ends stay in sight
    }
    setPos(scenePos);
    setVisible(true);
}

void ShapeLabel::paint(QPainter* painter, const QStyleOptionGraphicsItem*, QWidget*) {
    const CanvasStyle& s = CanvasStyle::get();
    painter->setPen(QPen(tone_, 1.2));
    painter->setBrush(s.body);
    painter->drawRoundedRect(box_, box_.height() / 2, box_.height() / 2);
    painter->setPen(s.nodeText);
    painter->setFont(s.small);
    painter->drawText(box_, Qt::AlignCenter, text_);
}

GhostNode::GhostNode(QString title, QString result)
    : title_(std::move(title)), result_(std::move(result)) {
    setAcceptedMouseButtons(Qt::NoButton);
    setZValue(7);
}

QRectF GhostNode::boundingRect() const {
    const CanvasStyle& s = CanvasStyle::get();
    return {-2, -2, s.width + 4, s.header + s.row + 4};
}

void GhostNode::paint(QPainter* painter, const QStyleOptionGraphicsItem*, QWidget*) {
    const CanvasStyle& s = CanvasStyle::get();
    const QRectF box(0, 0, s.width, s.header + s.row);
    QColor fill = s.body;
    fill.setAlpha(225);
    painter->setBrush(fill);
    painter->setPen(QPen(s.accent, 1.6, Qt::DashLine));
    painter->drawRoundedRect(box, s.radius, s.radius);
    painter->setPen(s.nodeText);
    painter->setFont(s.title);
    painter->drawText(QRectF(s.padding, 0, s.width - 2 * s.padding, s.header),
                      Qt::AlignLeft | Qt::AlignVCenter, title_);
    if (result_.isEmpty()) return;
    painter->setPen(s.nodeMuted);
    painter->setFont(s.small);
    painter->drawText(QRectF(s.padding, s.header, s.width - 2 * s.padding, s.row),
                      Qt::AlignLeft | Qt::AlignVCenter, QStringLiteral("→ ") + result_);
}

} // namespace wiregrad::studio

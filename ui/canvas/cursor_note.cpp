#include "ui/canvas/cursor_note.h"

#include <QPainter>

#include <algorithm>

#include "ui/canvas/canvas_style.h"

namespace wiregrad::studio {

namespace {
constexpr int kPad = 8;
constexpr int kMaxWidth = 340;
} // namespace

CursorNote::CursorNote(QWidget* parent) : QWidget(parent) {
    setAttribute(Qt::WA_TransparentForMouseEvents);
    setAttribute(Qt::WA_NoSystemBackground);
    setObjectName(QStringLiteral("canvas.cursorNote"));
    hide();
}

void CursorNote::say(const QString& text, Tone tone, QPointF at) {
    if (text.isEmpty()) {
        text_.clear();
        hide();
        return;
    }
    if (text != text_ || tone != tone_ || !isVisible()) {
        text_ = text;
        tone_ = tone;
        const QFontMetrics metrics(CanvasStyle::get().text);
        const int sign = metrics.height();
        const QRect box =
            metrics.boundingRect(QRect(0, 0, kMaxWidth, 400), Qt::TextWordWrap, text_);
        resize(box.width() + 2 * kPad + sign + 4, std::max(box.height(), sign) + kPad);
        setAccessibleName(text_);
        update();
    }
    // Below right of the cursor, but inside the parent.
    const QSize room = parentWidget()->size();
    int x = static_cast<int>(at.x()) + 18;
    int y = static_cast<int>(at.y()) + 18;
    if (x + width() > room.width()) x = std::max(0, static_cast<int>(at.x()) - width() - 10);
    if (y + height() > room.height()) y = std::max(0, static_cast<int>(at.y()) - height() - 10);
    move(x, y);
    show();
    raise();
}

void CursorNote::paintEvent(QPaintEvent*) {
    const CanvasStyle& s = CanvasStyle::get();
    const QColor tone = tone_ == Refused ? s.error : tone_ == Good ? s.success : s.nodeMuted;
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(tone, 1));
    painter.setBrush(mix(s.panel, tone, 0.08));
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6);
    const QFontMetrics metrics(s.text);
    const double side = metrics.height() * 0.7;
    const QRectF sign(kPad, (kPad + metrics.height() - side) / 2, side, side);
    painter.setPen(QPen(tone, 2, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    if (tone_ == Refused) {
        painter.drawLine(sign.topLeft() + QPointF(2, 2), sign.bottomRight() - QPointF(2, 2));
        painter.drawLine(sign.topRight() + QPointF(-2, 2), sign.bottomLeft() + QPointF(2, -2));
    } else if (tone_ == Good) {
        const QPointF tick[] = {{sign.left() + 1, sign.center().y()},
                                {sign.center().x() - 1, sign.bottom() - 2},
                                {sign.right(), sign.top() + 2}};
        painter.drawPolyline(tick, 3);
    } else {
        painter.drawEllipse(sign.center(), 2, 2);
    }
    painter.setPen(s.panelText);
    painter.setFont(s.text);
    painter.drawText(rect().adjusted(kPad + metrics.height() + 2, kPad / 2, -kPad / 2, -kPad / 2),
                     Qt::TextWordWrap | Qt::AlignVCenter, text_);
}

} // namespace wiregrad::studio

#include "ui/palette/type_tree.h"

#include <QDrag>
#include <QKeyEvent>
#include <QMimeData>
#include <QPainter>

#include "ui/canvas/canvas_style.h"
#include "ui/canvas/type_list.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

TypeTree::TypeTree(QWidget* parent) : QTreeWidget(parent) {
    setObjectName(QStringLiteral("palette.tree"));
    setAccessibleName(tr("Layers"));
    setHeaderHidden(true);
    setIndentation(0);
    setRootIsDecorated(false);
    setFrameShape(QFrame::NoFrame);
    setDragEnabled(true);
    setDragDropMode(QAbstractItemView::DragOnly);
    setUniformRowHeights(false);
    setMouseTracking(true);
    setExpandsOnDoubleClick(false);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
    setItemDelegate(new TypeTreeDelegate(this));
    connect(this, &QTreeWidget::itemClicked, this, [](QTreeWidgetItem* item) {
        if (typeOf(item).isEmpty()) item->setExpanded(!item->isExpanded());
    });
    connect(this, &QTreeWidget::itemDoubleClicked, this, [this](QTreeWidgetItem* item) {
        if (const QString type = typeOf(item); !type.isEmpty()) emit chosen(type);
    });
}

QString TypeTree::typeOf(const QTreeWidgetItem* item) {
    return item ? item->data(0, kTypeIdRole).toString() : QString();
}

QMimeData* TypeTree::mimeData(const QList<QTreeWidgetItem*>& items) const {
    if (items.isEmpty() || typeOf(items.front()).isEmpty()) return nullptr;
    auto* data = new QMimeData;
    data->setData(QLatin1String(kTypeMime), typeOf(items.front()).toUtf8());
    return data;
}

void TypeTree::startDrag(Qt::DropActions) {
    const auto items = selectedItems();
    QMimeData* data = mimeData(items);
    if (!data) return;
    // A small node travels under the cursor, so that it is clear what will land.
    const CanvasStyle& s = CanvasStyle::get();
    const Theme& theme = Theme::instance();
    const qreal ratio = devicePixelRatioF();
    QPixmap picture(QSizeF(s.width * ratio, s.header * ratio).toSize());
    picture.setDevicePixelRatio(ratio);
    picture.fill(Qt::transparent);
    QPainter painter(&picture);
    painter.setRenderHint(QPainter::Antialiasing);
    const graph::NodeType* type = graph::find_type(typeOf(items.front()).toStdString());
    const QString category = type ? qs(type->category) : QString();
    painter.setPen(QPen(s.accent, 1.5));
    painter.setBrush(mix(s.body, theme.category(category), 0.18));
    painter.drawRoundedRect(QRectF(1, 1, s.width - 2, s.header - 2), s.radius, s.radius);
    painter.drawPixmap(QRectF(s.padding * 0.75, (s.header - s.glyph) / 2, s.glyph, s.glyph),
                       s.glyphPixmap(category, 1, ratio),
                       QRectF(s.glyphPixmap(category, 1, ratio).rect()));
    painter.setPen(s.nodeText);
    painter.setFont(s.title);
    painter.drawText(QRectF(s.padding * 1.35 + s.glyph, 0, s.width, s.header), Qt::AlignVCenter,
                     items.front()->text(0));
    painter.end();
    auto* drag = new QDrag(this);
    drag->setMimeData(data);
    drag->setPixmap(picture);
    drag->setHotSpot(QPoint(static_cast<int>(s.width / 2), static_cast<int>(s.header / 2)));
    drag->exec(Qt::CopyAction);
}

void TypeTree::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) {
        if (const QString type = typeOf(currentItem()); !type.isEmpty())
            emit chosen(type);
        else if (currentItem())
            currentItem()->setExpanded(!currentItem()->isExpanded());
        event->accept();
        return;
    }
    QTreeWidget::keyPressEvent(event);
}

void TypeTreeDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option,
                             const QModelIndex& index) const {
    const Theme& theme = Theme::instance();
    const QString text = index.data(Qt::DisplayRole).toString();
    const bool heading = index.data(kTypeIdRole).toString().isEmpty();
    const bool chosen = option.state & QStyle::State_Selected,
               hovered = option.state & QStyle::State_MouseOver;
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const QRect box = option.rect;
    if ((chosen && !heading) || hovered) {
        QColor fill = theme.color(Token::Accent);
        fill.setAlpha(chosen && !heading ? 52 : 20);
        painter->setPen(Qt::NoPen);
        painter->setBrush(fill);
        painter->drawRoundedRect(QRectF(box).adjusted(4, 1, -4, -1), 5, 5);
    }
    const int pad = theme.space(2);
    const QFontMetrics metrics(theme.font(1.0));
    const int side = metrics.height();
    int left = box.left() + pad;
    if (heading) {
        const QRect chevron(left, box.center().y() - side / 2 + 1, side - 2, side - 2);
        theme
            .icon((option.state & QStyle::State_Open) ? QStringLiteral("chevron-down")
                                                      : QStringLiteral("chevron-right"))
            .paint(painter, chevron);
        left = chevron.right() + theme.space(1);
    } else {
        left += index.parent().isValid() ? side + theme.space(1) : 0;
    }
    const QIcon icon = index.data(Qt::DecorationRole).value<QIcon>();
    if (!icon.isNull()) {
        icon.paint(painter, QRect(left, box.center().y() - side / 2 + 1, side, side));
        left += side + theme.space(2);
    } else {
        left += theme.space(1);
    }
    const QFont font = heading ? theme.font(0.92, QFont::DemiBold) : theme.font(1.0);
    int right = box.right() - pad;
    if (heading) {
        const QString count = index.data(kTypeHelpRole).toString();
        painter->setFont(theme.font(0.84));
        painter->setPen(theme.color(Token::TextMuted));
        painter->drawText(QRect(left, box.top(), right - left, box.height()),
                          Qt::AlignRight | Qt::AlignVCenter, count);
        right -= QFontMetrics(theme.font(0.84)).horizontalAdvance(count) + theme.space(2);
    }
    painter->setFont(font);
    painter->setPen(theme.color(Token::Text));
    painter->drawText(QRect(left, box.top(), right - left, box.height()),
                      Qt::AlignLeft | Qt::AlignVCenter,
                      QFontMetrics(font).elidedText(text, Qt::ElideRight, right - left));
    painter->restore();
}

QSize TypeTreeDelegate::sizeHint(const QStyleOptionViewItem&, const QModelIndex& index) const {
    const Theme& theme = Theme::instance();
    const bool heading = index.data(kTypeIdRole).toString().isEmpty();
    return {120, QFontMetrics(theme.font(1.0)).height() + theme.space(heading ? 3 : 2)};
}

} // namespace wiregrad::studio

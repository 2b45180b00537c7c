#include "ui/canvas/type_list.h"

#include <QFontMetrics>
#include <QPainter>

#include <algorithm>
#include <set>

#include "session/settings.h"
#include "ui/canvas/canvas_style.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

QString typeSummary(const graph::NodeType& type) {
    const QString help = qs(type.help);
    const auto end = help.indexOf(QStringLiteral(". "));
    return end < 0 ? help : help.left(end + 1);
}

QString typeToolTip(const graph::NodeType& type) {
    QString text = QStringLiteral("<b>%1</b> · %2<br>%3")
                       .arg(qs(type.label).toHtmlEscaped(), qs(type.category).toHtmlEscaped(),
                            qs(type.help).toHtmlEscaped());
    if (!type.formula.empty())
        text += QStringLiteral("<br><br><code>%1</code>").arg(qs(type.formula).toHtmlEscaped());
    QStringList also;
    for (const auto& word : type.synonyms)
        also << qs(word).toHtmlEscaped();
    if (!also.isEmpty())
        text += QStringLiteral("<br><br><i>also: %1</i>").arg(also.join(QStringLiteral(", ")));
    return text;
}

void TypeListModel::search(const QString& text,
                           const std::function<bool(const graph::NodeType&)>& fits) {
    std::vector<std::string> recents;
    for (const QString& type : Settings::recentTypes())
        recents.push_back(type.toStdString());
    beginResetModel();
    types_.clear();
    std::set<const graph::NodeType*> seen;
    const bool all = text.trimmed().isEmpty();
    if (all)
        for (const auto& id : recents)
            if (const auto* type = graph::find_type(id);
                type && (!fits || fits(*type)) && seen.insert(type).second)
                types_.push_back(type);
    if (all) {
        for (const auto& type : graph::node_types())
            if ((!fits || fits(type)) && seen.insert(&type).second) types_.push_back(&type);
    } else {
        for (const auto& hit : graph::search_types(text.trimmed().toStdString(), recents))
            if (hit.type && (!fits || fits(*hit.type)) && seen.insert(hit.type).second)
                types_.push_back(hit.type);
    }
    endResetModel();
}

int TypeListModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(types_.size());
}

const graph::NodeType* TypeListModel::type(int row) const {
    return row < 0 || row >= static_cast<int>(types_.size())
               ? nullptr
               : types_[static_cast<std::size_t>(row)];
}

QVariant TypeListModel::data(const QModelIndex& index, int role) const {
    const graph::NodeType* found = type(index.row());
    if (!found) return {};
    switch (role) {
    case Qt::DisplayRole:
        return qs(found->label);
    case Qt::DecorationRole:
        return Theme::instance().categoryIcon(qs(found->category));
    case Qt::ToolTipRole:
        return typeToolTip(*found);
    case Qt::AccessibleTextRole:
        return QString(qs(found->label) + QStringLiteral(", ") + qs(found->category));
    case Qt::AccessibleDescriptionRole:
        return qs(found->help);
    case kTypeIdRole:
        return qs(found->id);
    case kTypeHelpRole:
        return typeSummary(*found);
    default:
        return {};
    }
}

void TypeDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option,
                         const QModelIndex& index) const {
    const CanvasStyle& s = CanvasStyle::get();
    const Theme& theme = Theme::instance();
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const QRect box = option.rect;
    const bool chosen = option.state & QStyle::State_Selected;
    const bool hovered = option.state & QStyle::State_MouseOver;
    if (chosen || hovered) {
        QColor fill = s.accent;
        fill.setAlpha(chosen ? 52 : 22);
        painter->setPen(Qt::NoPen);
        painter->setBrush(fill);
        painter->drawRoundedRect(QRectF(box).adjusted(4, 1, -4, -1), 5, 5);
    }
    const int pad = theme.space(3);
    const int side = QFontMetrics(s.text).height() + 2;
    const QRect glyph(box.left() + pad, box.center().y() - side / 2, side, side);
    index.data(Qt::DecorationRole).value<QIcon>().paint(painter, glyph);
    const int left = glyph.right() + theme.space(2) + 2;
    const QRect words(left, box.top(), box.right() - left - theme.space(2), box.height());
    const QFont title = theme.font(1.0, QFont::Medium);
    const QFontMetrics titleMetrics(title), smallMetrics(s.small);
    const QString label = index.data(Qt::DisplayRole).toString();
    const QString help = withHelp_ ? index.data(kTypeHelpRole).toString() : QString();
    painter->setPen(s.panelText);
    painter->setFont(title);
    if (help.isEmpty()) {
        painter->drawText(words, Qt::AlignLeft | Qt::AlignVCenter,
                          titleMetrics.elidedText(label, Qt::ElideRight, words.width()));
    } else {
        const int top = words.center().y() - (titleMetrics.height() + smallMetrics.height()) / 2;
        painter->drawText(QRect(words.left(), top, words.width(), titleMetrics.height()),
                          Qt::AlignLeft | Qt::AlignVCenter,
                          titleMetrics.elidedText(label, Qt::ElideRight, words.width()));
        painter->setPen(theme.color(Token::TextMuted));
        painter->setFont(s.small);
        painter->drawText(
            QRect(words.left(), top + titleMetrics.height(), words.width(), smallMetrics.height()),
            Qt::AlignLeft | Qt::AlignVCenter,
            smallMetrics.elidedText(help, Qt::ElideRight, words.width()));
    }
    painter->restore();
}

QSize TypeDelegate::sizeHint(const QStyleOptionViewItem&, const QModelIndex&) const {
    const Theme& theme = Theme::instance();
    const int title = QFontMetrics(theme.font(1.0)).height();
    const int small = QFontMetrics(CanvasStyle::get().small).height();
    return {180, withHelp_ ? title + small + theme.space(3) : title + theme.space(2)};
}

} // namespace wiregrad::studio

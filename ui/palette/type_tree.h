// The tree of the palette: headings with a glyph, types below; a dragged type travels as text. GUI
// thread.
#pragma once

#include <QStyledItemDelegate>
#include <QTreeWidget>

namespace wiregrad::studio {

class TypeTree : public QTreeWidget {
    Q_OBJECT

  public:
    explicit TypeTree(QWidget* parent = nullptr);
    /// The node type of an item; empty for headings.
    static QString typeOf(const QTreeWidgetItem* item);

  signals:
    void chosen(const QString& type); ///< double-click or Enter

  protected:
    QMimeData* mimeData(const QList<QTreeWidgetItem*>& items) const override;
    void startDrag(Qt::DropActions actions) override;
    void keyPressEvent(QKeyEvent* event) override;
    void drawBranches(QPainter*, const QRect&, const QModelIndex&) const override {}
};

/// Headings with chevron, glyph and count; types as plain lines.
class TypeTreeDelegate : public QStyledItemDelegate {
  public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option,
               const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

} // namespace wiregrad::studio

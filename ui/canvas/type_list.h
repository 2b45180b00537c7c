// The list of node types that the search popup and the palette share: glyph, label, one line of
// help. GUI thread.
#pragma once

#include <QAbstractListModel>
#include <QStyledItemDelegate>

#include <functional>
#include <vector>

#include "nodes/node_type.h"

namespace wiregrad::studio {

inline constexpr int kTypeIdRole = Qt::UserRole + 1;
inline constexpr int kTypeHelpRole = Qt::UserRole + 2;
inline constexpr const char* kTypeMime = "application/x-wiregrad-node-type";

/// Results of graph::search_types, best first, recents first when nothing is typed.
class TypeListModel : public QAbstractListModel {
    Q_OBJECT

  public:
    using QAbstractListModel::QAbstractListModel;
    void search(const QString& text, const std::function<bool(const graph::NodeType&)>& fits = {});
    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    const graph::NodeType* type(int row) const;

  private:
    std::vector<const graph::NodeType*> types_;
};

/// Two lines beside a glyph: what it is called and what it does.
class TypeDelegate : public QStyledItemDelegate {
  public:
    explicit TypeDelegate(bool withHelp, QObject* parent = nullptr)
        : QStyledItemDelegate(parent), withHelp_(withHelp) {}
    void paint(QPainter* painter, const QStyleOptionViewItem& option,
               const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;

  private:
    bool withHelp_;
};

/// Help of a type for tooltips: what it does, formula, what else it is called.
QString typeToolTip(const graph::NodeType& type);
/// The first sentence of its help.
QString typeSummary(const graph::NodeType& type);

} // namespace wiregrad::studio

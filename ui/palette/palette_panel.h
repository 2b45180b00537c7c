// The palette: every node type by category, with search, recents and help. Drag one onto the
// canvas, or double-click it to add it behind the selection. Knows types from graph::node_types()
// only. GUI thread.
#pragma once

#include <QWidget>

class QLabel;
class QLineEdit;

namespace wiregrad::studio {

class Canvas;
class Document;
class TypeTree;

class PalettePanel : public QWidget {
    Q_OBJECT

  public:
    PalettePanel(Document& document, Canvas& canvas, QWidget* parent = nullptr);

    void focusSearch();
    /// Types in the order shown, without headings.
    QStringList shownTypes() const;

  private:
    void fill();
    void add(const QString& type);
    void describe(const QString& type);
    QStringList openSections() const;

    Document& document_;
    Canvas& canvas_;
    QLineEdit* field_;
    TypeTree* tree_;
    QLabel* help_;
};

} // namespace wiregrad::studio

// The network as a tree of words, an equal way to build it: add, connect, rename, remove, reorder
// and jump with the keyboard alone, or with a screen reader. Follows the canvas and leads it. GUI
// thread.
#pragma once

#include <QWidget>

#include <memory>

class QLineEdit;
class QTreeWidget;

namespace wiregrad::studio {

class Canvas;
class Document;

class OutlinePanel : public QWidget {
    Q_OBJECT

  public:
    OutlinePanel(Document& document, Canvas& canvas, QWidget* parent = nullptr);
    ~OutlinePanel() override;
    QTreeWidget* tree() const;
    QLineEdit* field() const; ///< where a layer to add, or a port to connect to, is typed
    void focusTree();

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    void showEvent(QShowEvent* event) override;

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio

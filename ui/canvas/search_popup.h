// The search for a node type, opened over the canvas: type, arrows, Enter; Esc leaves no trace. GUI
// thread.
#pragma once

#include <QFrame>

#include "ui/canvas/gesture.h"

class QLabel;
class QLineEdit;
class QListView;

namespace wiregrad::studio {

class TypeListModel;

class SearchPopup : public QFrame {
    Q_OBJECT

  public:
    explicit SearchPopup(QWidget* parent);
    ~SearchPopup() override;
    void open(SearchRequest request);
    void dismiss(); ///< as Esc does
    bool isOpen() const { return isVisible(); }
    QLineEdit* field() const { return field_; }
    QStringList shownTypes() const; ///< ids, in order

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;

  private:
    void refill();
    void accept(bool wire);
    void step(int rows);

    SearchRequest request_;
    QLabel* title_;
    QLineEdit* field_;
    QListView* list_;
    QLabel* nothing_;
    TypeListModel* model_;
    bool closing_ = false;
};

} // namespace wiregrad::studio

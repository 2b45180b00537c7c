// The way from the project to the group that is shown, over the canvas; a click goes back along it.
// Hidden at the top. GUI thread.
#pragma once

#include <QWidget>

#include <vector>

class QHBoxLayout;

namespace wiregrad::studio {

class Sheet;

class Breadcrumb : public QWidget {
    Q_OBJECT

  public:
    Breadcrumb(Sheet& sheet, QWidget* parent);
    /// Takes the names from the sheet and lays itself out.
    void refresh();

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    Sheet& sheet_;
    QHBoxLayout* row_;
};

} // namespace wiregrad::studio

// What this program is, its version, and under which licences its parts come. GUI thread.
#pragma once

#include <QDialog>

namespace wiregrad::studio {

class AboutDialog : public QDialog {
    Q_OBJECT

  public:
    explicit AboutDialog(QWidget* parent);
};

} // namespace wiregrad::studio

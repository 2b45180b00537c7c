// For tests from outside the process: prints, one JSON object a line, where things are on the
// screen and what the window shows, whenever that changes. GUI thread.
#pragma once

#include <QByteArray>
#include <QObject>
#include <QTimer>

namespace wiregrad::studio {

class MainWindow;

class TestPositions : public QObject {
    Q_OBJECT

  public:
    explicit TestPositions(MainWindow& window);
    QByteArray text() const;

  private:
    MainWindow& window_;
    QTimer timer_;
    QByteArray last_;
};

} // namespace wiregrad::studio

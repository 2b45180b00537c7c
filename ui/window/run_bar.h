// The right part of the toolbar: state of the run in words, progress with time left, device. GUI
// thread.
#pragma once

#include <QElapsedTimer>
#include <QTimer>
#include <QWidget>

#include "session/document.h"
#include "session/train_session.h"

class QLabel;
class QProgressBar;

namespace wiregrad::studio {

class RunBar : public QWidget {
    Q_OBJECT

  public:
    RunBar(Document& document, TrainSession& session, QWidget* parent = nullptr);
    QString stateText() const;
    QString progressText() const;

  private:
    void showState();
    void showProgress();
    TrainSession& session_;
    Document& document_;
    QLabel* dot_;
    QLabel* state_;
    QProgressBar* progress_;
    QLabel* device_;
    QElapsedTimer shown_;
    QTimer late_;
};

} // namespace wiregrad::studio

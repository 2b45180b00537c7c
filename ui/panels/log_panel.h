// What happened, line by line, with the time; to be read and copied. GUI thread.
#pragma once

#include <QString>
#include <QWidget>

#include <memory>

#include "session/train_session.h"

namespace wiregrad::studio {

class LogPanel : public QWidget {
    Q_OBJECT

  public:
    explicit LogPanel(TrainSession& session, QWidget* parent = nullptr);
    ~LogPanel() override;
    /// Also for other parts of the window: downloads, autosave.
    void append(const QString& line);
    QString text() const; ///< as copied: "12:04:31  line"
    void copyAll() const;
    void clear();

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio

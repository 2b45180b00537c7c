// A small label that follows the cursor during a gesture and says what a release would do. GUI
// thread.
#pragma once

#include <QString>
#include <QWidget>

namespace wiregrad::studio {

class CursorNote : public QWidget {
  public:
    enum Tone { Neutral, Good, Refused };

    explicit CursorNote(QWidget* parent);
    void say(const QString& text, Tone tone, QPointF at); ///< empty text hides
    void clear() { say({}, Neutral, {}); }
    QString text() const { return text_; }
    Tone tone() const { return tone_; }

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    QString text_;
    Tone tone_ = Neutral;
};

} // namespace wiregrad::studio

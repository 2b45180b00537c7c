// A sentence over the top edge of the canvas: an error, a warning or a question, with buttons.
// Never modal. One at a time; a new one replaces the old one unless that asks something. GUI
// thread.
#pragma once

#include <QFrame>
#include <QString>
#include <QTimer>

#include <functional>
#include <vector>

class QHBoxLayout;
class QLabel;

namespace wiregrad::studio {

class Banner : public QFrame {
    Q_OBJECT

  public:
    enum class Kind { Info, Warning, Error, Question };
    struct Button {
        QString text;
        std::function<void()> clicked;
    };

    /// Lies over the top of `parent` and follows its width.
    explicit Banner(QWidget* parent);
    /// Infos and warnings go away by themselves after a while; errors and questions stay until they
    /// are answered.
    void say(Kind kind, const QString& sentence, std::vector<Button> buttons = {});
    void dismiss();
    QString text() const;
    Kind kind() const { return kind_; }

  protected:
    bool eventFilter(QObject* object, QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;

  private:
    void place();
    struct Saying {
        Kind kind;
        QString sentence;
        std::vector<Button> buttons;
    };
    void show(const Saying& saying);

    Kind kind_ = Kind::Info;
    QLabel* icon_;
    QLabel* text_;
    QHBoxLayout* buttons_;
    QTimer timer_;
    std::vector<Saying> waiting_;
};

} // namespace wiregrad::studio

// First start and "New from example": the examples as cards, over the whole window. One click opens
// an example, "Open and train" starts it. Esc or a click beside the sheet closes. GUI thread.
#pragma once

#include <QAbstractButton>
#include <QWidget>

class QGridLayout;
class QPushButton;
class QScrollArea;
class QVBoxLayout;

namespace wiregrad::studio {

struct Example;

/// A picture, a title, what it teaches. The whole card opens.
class ExampleCard : public QAbstractButton {
    Q_OBJECT

  public:
    explicit ExampleCard(const Example& example, QWidget* parent = nullptr);
    QSize sizeHint() const override;
    QPushButton* trainButton() const { return train_; }

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool event(QEvent* event) override;

  private:
    const Example& example_;
    QString title_, description_, facts_;
    QPushButton* train_;
};

class Gallery : public QWidget {
    Q_OBJECT

  public:
    /// Lies over `parent` and follows its size; hidden until open().
    explicit Gallery(QWidget* parent);
    void open();

  signals:
    void exampleChosen(const QString& name, bool train);
    void fileChosen(const QString& path);
    void newChosen();
    void openChosen(); ///< asks for a file

  protected:
    bool eventFilter(QObject* object, QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    void place();
    void arrangeCards();
    void fillRecent();
    QWidget* sheet_;
    QWidget* cards_;
    QScrollArea* scroll_;
    QGridLayout* grid_;
    QVBoxLayout* recent_;
    QList<ExampleCard*> all_;
    int columns_ = 0;
};

} // namespace wiregrad::studio

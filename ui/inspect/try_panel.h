// Try it while it learns: an input made by hand (drawn, opened, pasted, typed, or a sample of the
// data) and the network's answer to it, thirty times a second while a run goes on. GUI thread.
#pragma once

#include <QImage>
#include <QWidget>

#include <memory>
#include <vector>

#include "session/document.h"
#include "session/train_session.h"

namespace wiregrad::studio {

/// A surface to draw on with the mouse; what is drawn is read at any size.
class DrawPad : public QWidget {
    Q_OBJECT

  public:
    explicit DrawPad(QWidget* parent = nullptr);
    void clear();
    void setPicture(const QImage& picture); ///< scaled to fit, on black
    /// The drawing at this size; grey or colour.
    QImage picture(QSize size, bool grey) const;
    void stroke(QPointF from, QPointF to); ///< in 0..1 of the surface
    void setHeat(const QImage& heat);      ///< laid over the drawing; null: nothing
    const QImage& heat() const { return heat_; }
    QSize sizeHint() const override;
    bool hasHeightForWidth() const override { return true; }
    int heightForWidth(int width) const override { return width; }

  signals:
    void drawn();

  protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;

  private:
    QRectF surface() const;
    QPointF unit(QPointF view) const;
    QImage image_, heat_;
    QPointF last_;
    bool drawing_ = false, erasing_ = false, touched_ = false;
};

/// What the network says: classes with probabilities, or plain numbers, or a picture.
struct TryAnswer {
    std::vector<float> values;
    bool classes = false;
    QImage picture;
    double milliseconds = 0;
};

/// Which pixels made it answer so.
enum class Explain { Nothing, Saliency, IntegratedGradients, GradCam, Occlusion };

class TryPanel : public QWidget {
    Q_OBJECT

  public:
    TryPanel(Document& document, TrainSession& session, QWidget* parent = nullptr);
    ~TryPanel() override;
    DrawPad* pad() const;
    const TryAnswer& answer() const;
    QString answerText() const;   ///< "7 (93.1 %)", what a screen reader says
    std::int64_t answers() const; ///< how many came
    void setFeature(int index, double value);
    /// Of the validation data, or of the training data by its number there.
    void takeSample(std::int64_t index, bool training = false);
    bool openPicture(const QString& path);
    void explain(Explain how);

  protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

/// A picture as one normalised sample of an image field.
Tensor sampleOf(const QImage& picture, const data::Field& field,
                const data::Normalization& normalization);

} // namespace wiregrad::studio

// What the network gets right and wrong, live: confusion matrix, figures of each class, ROC,
// precision-recall, calibration, the worst mistakes as pictures; residuals of a regression; pairs
// of picture and reconstruction. GUI thread.
#pragma once

#include <QImage>
#include <QWidget>

#include <functional>
#include <map>
#include <memory>

#include "session/answer_book.h"
#include "session/document.h"

namespace wiregrad::studio {

enum class ResultView {
    Confusion,
    Classes,
    Roc,
    PrecisionRecall,
    Calibration,
    Mistakes,
    Residuals,
    Pairs
};

class ResultsPanel : public QWidget {
    Q_OBJECT

  public:
    ResultsPanel(Document& document, TrainSession& session, QWidget* parent = nullptr);
    ~ResultsPanel() override;
    AnswerBook& book();
    void showView(ResultView view);
    ResultView view() const;
    QString summary() const; ///< the sentence above the picture
    /// What the mouse is told at a place of the picture.
    QString textAt(QPointF position) const;

  signals:
    void sampleChosen(std::int64_t sample); ///< a mistake was clicked

  protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

/// A sample [.., height, width] or [.., channels, height, width] as a picture, whatever its
/// normalisation: black is the least of `low` and its values, white the greatest of `high` and
/// them.
QImage sampleImage(const Tensor& sample, double low = 1e300, double high = -1e300);

} // namespace wiregrad::studio

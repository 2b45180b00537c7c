// What the network gets right and wrong, live: confusion matrix, figures of each class, ROC,
// precision-recall, calibration, the worst mistakes as pictures; residuals of a regression; pairs
// of picture and reconstruction; segmentations laid over their pictures; text as it is written. GUI
// thread.
#pragma once

#include <QWidget>

#include <functional>
#include <map>
#include <memory>

#include "session/answer_book.h"
#include "session/document.h"
#include "ui/inspect/answer_pictures.h"

namespace wiregrad::studio {

enum class ResultView {
    Confusion,
    Classes,
    Roc,
    PrecisionRecall,
    Calibration,
    Mistakes,
    Residuals,
    Pairs,
    Masks,
    Text
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

} // namespace wiregrad::studio

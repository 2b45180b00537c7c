// The answers of the model that learns, sample by sample: goes round the validation data a batch at
// a time between the steps, so that the views of a classifier or a regression are never older than
// a round and training hardly notices. GUI thread.
#pragma once

#include <QObject>
#include <QStringList>
#include <QTimer>

#include <vector>

#include "engine/train/scores.h"
#include "session/train_session.h"

namespace wiregrad::studio {

enum class AnswerKind { None, Classes, Numbers, Pictures, Masks, Text };

/// A picture with a class for each pixel, and what the network made of it.
struct MaskAnswer {
    std::int64_t sample = 0;
    Tensor picture; ///< [1, channels, height, width]
    std::int64_t rows = 0, columns = 0;
    std::vector<std::int64_t> truth, guess;
};

/// A text that the network went on with, letter by letter.
struct WrittenText {
    std::int64_t step = 0;
    QString prompt, text;
};

class AnswerBook : public QObject {
    Q_OBJECT

  public:
    explicit AnswerBook(TrainSession& session, QObject* parent = nullptr);
    void setOn(bool on); ///< off: the model is not asked
    AnswerKind kind() const { return kind_; }
    /// The latest answer to each sample that was asked so far, by its number.
    const std::vector<train::Answer>& answers() const { return answers_; }
    const std::vector<double>& targets() const { return targets_; } ///< of a regression
    const std::vector<double>& guesses() const { return guesses_; }
    const std::vector<std::pair<Tensor, Tensor>>& pairs() const { return pairs_; } ///< pictures
    const std::vector<MaskAnswer>& masks() const { return masks_; }
    const train::Confusion& pixels() const { return pixels_; } ///< of a segmentation, last round
    const std::vector<WrittenText>& texts() const { return texts_; } ///< the newest last
    std::int64_t classes() const { return classes_; }
    QStringList classNames() const;
    QString className(std::int64_t index) const;
    bool isTest() const { return test_; }
    void setTest(bool test); ///< the test data instead of the validation data
    std::int64_t rounds() const { return rounds_; }
    /// One sample's input as it is given to the network, on the GUI thread; then `take`.
    void fetch(std::int64_t sample, std::function<void(Tensor)> take);

  signals:
    void changed();

  private:
    struct Page;
    void ask();
    void write();
    void take(Page& page);
    void reset();
    TrainSession& session_;
    QTimer timer_;
    bool on_ = false, asking_ = false, test_ = false, stale_ = true;
    AnswerKind kind_ = AnswerKind::None;
    std::vector<train::Answer> answers_;
    std::vector<double> targets_, guesses_;
    std::vector<std::pair<Tensor, Tensor>> pairs_;
    std::vector<MaskAnswer> masks_;
    train::Confusion pixels_, counting_; ///< of the last round and of the present one
    std::vector<WrittenText> texts_;
    std::vector<std::int64_t> letters_; ///< what the next letter of the text is guessed from
    std::uint64_t dice_ = 0;
    std::int64_t classes_ = 0, next_ = 0, rounds_ = 0;
    std::uint64_t generation_ = 0;
};

} // namespace wiregrad::studio

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

enum class AnswerKind { None, Classes, Numbers, Pictures };

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
    void ask();
    void reset();
    TrainSession& session_;
    QTimer timer_;
    bool on_ = false, asking_ = false, test_ = false, stale_ = true;
    AnswerKind kind_ = AnswerKind::None;
    std::vector<train::Answer> answers_;
    std::vector<double> targets_, guesses_;
    std::vector<std::pair<Tensor, Tensor>> pairs_;
    std::int64_t classes_ = 0, next_ = 0, rounds_ = 0;
    std::uint64_t generation_ = 0;
};

} // namespace wiregrad::studio

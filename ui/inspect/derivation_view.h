// The chain rule of one weight in numbers: what the batch's elements contribute, what the nudge of
// the weight does on its way to the loss, and what the loss does when it is really nudged. GUI
// thread.
#pragma once

#include <QString>
#include <QWidget>

#include <memory>

#include "session/train_session.h"

class QTableWidget;

namespace wiregrad::studio {

class TextLabel;

/// "[3, 0, 2]" of a row-major element.
QString placeText(const Shape& shape, std::int64_t element);

class DerivationView : public QWidget {
    Q_OBJECT

  public:
    explicit DerivationView(TrainSession& session, QWidget* parent = nullptr);
    /// Asks for this weight's chain rule. `shape` is the weight's; a negative element: none chosen.
    void ask(const train::WeightPlace& place, const Shape& shape);
    /// The same weight with the batch that comes now, unless an answer is on its way.
    void askAgain();
    void forget();
    const train::Derivation* shown() const { return shown_ ? &*shown_ : nullptr; }
    QString message() const;
    QTableWidget* terms() const { return terms_; }
    QTableWidget* way() const { return way_; }

  private:
    void show(const TrainSession::Derived& answer);
    void say(const QString& sentence);
    TrainSession& session_;
    train::WeightPlace place_;
    Shape shape_;
    bool asking_ = false;
    quint64 number_ = 0; ///< older answers are dropped
    std::optional<train::Derivation> shown_;
    TextLabel *note_ = nullptr, *title_ = nullptr, *numbers_ = nullptr, *wayTitle_ = nullptr,
              *termsTitle_ = nullptr;
    QTableWidget *way_ = nullptr, *terms_ = nullptr;
};

} // namespace wiregrad::studio

// The problems of the document in words, each with its place and its offered fixes. GUI thread.
#pragma once

#include <QFrame>
#include <QString>
#include <QWidget>

#include <memory>
#include <vector>

#include "session/document.h"

class QPushButton;

namespace wiregrad::studio {

/// One problem: icon of the severity, sentence, place, a button for each fix. Enter, space or a
/// click activates it.
class ProblemRow : public QFrame {
    Q_OBJECT

  public:
    /// `place` is what is shown under the sentence; empty: none (inside the properties of that very
    /// node).
    ProblemRow(const graph::Problem& problem, const QString& place, QWidget* parent = nullptr);
    const std::vector<QPushButton*>& fixButtons() const { return fixes_; }

  signals:
    void activated();
    void fixChosen(int index);

  protected:
    void mousePressEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void enterEvent(QEnterEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;

  private:
    std::vector<QPushButton*> fixes_;
    bool pressed_ = false;
};

/// "Conv 1 · input x": where a problem is, for a person.
QString placeText(const graph::Graph& graph, const graph::Problem& problem);

class ProblemsPanel : public QWidget {
    Q_OBJECT

  public:
    explicit ProblemsPanel(Document& document, QWidget* parent = nullptr);
    ~ProblemsPanel() override;
    int errors() const;
    int warnings() const;
    /// The rows as shown, errors first.
    std::vector<ProblemRow*> rows() const;

  signals:
    void activated(const QString& node, const QString& port);
    void countChanged(int errors, int warnings);

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio

// Source to read: line numbers, a stripe in the colour of each line's node, marked lines, clicks
// and keys that say which line is meant. Knows nothing of graphs. GUI thread.
#pragma once

#include <QColor>
#include <QPlainTextEdit>

#include <vector>

#include "ui/script/highlighter.h"

namespace wiregrad::studio {

class SourceView : public QPlainTextEdit {
    Q_OBJECT

  public:
    explicit SourceView(QWidget* parent = nullptr);
    /// Keeps the place that is looked at. `stripes`: one a line, invalid for none.
    void setSource(const QStringList& lines, std::vector<QColor> stripes,
                   SourceHighlighter::Language language);
    /// Lines with another background; scrolled to the first when none of them is in view.
    void mark(const std::vector<int>& lines, bool scroll);
    const std::vector<int>& marked() const { return marked_; }
    QRect lineRect(int line) const; ///< in the viewport; for tests
    int gutterWidth() const;
    void paintGutter(QPaintEvent* event);

  signals:
    void lineChosen(int line); ///< a click, or Enter on the line of the cursor

  protected:
    void resizeEvent(QResizeEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

  private:
    void restyle();
    SourceHighlighter* highlighter_;
    QWidget* gutter_;
    std::vector<QColor> stripes_;
    std::vector<int> marked_;
};

} // namespace wiregrad::studio

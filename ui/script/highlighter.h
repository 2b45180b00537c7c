// Colours of Python and C++ sources, from the theme's tokens. GUI thread.
#pragma once

#include <QSyntaxHighlighter>

namespace wiregrad::studio {

class SourceHighlighter : public QSyntaxHighlighter {
    Q_OBJECT

  public:
    enum class Language { Python, Cpp };
    /// What a piece of a line is.
    enum class Kind { Keyword, Text, Number, Comment, Name };

    explicit SourceHighlighter(QTextDocument* document);
    void setLanguage(Language language);
    QTextCharFormat format(Kind kind) const;

  protected:
    void highlightBlock(const QString& line) override;

  private:
    void paint(qsizetype begin, qsizetype end, Kind kind);
    Language language_ = Language::Python;
};

} // namespace wiregrad::studio

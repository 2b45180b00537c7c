#include "ui/script/highlighter.h"

#include <QSet>

#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

const QSet<QString>& keywords(SourceHighlighter::Language language) {
    static const QSet<QString> python{
        QStringLiteral("False"), QStringLiteral("None"),   QStringLiteral("True"),
        QStringLiteral("and"),   QStringLiteral("as"),     QStringLiteral("assert"),
        QStringLiteral("break"), QStringLiteral("class"),  QStringLiteral("continue"),
        QStringLiteral("def"),   QStringLiteral("del"),    QStringLiteral("elif"),
        QStringLiteral("else"),  QStringLiteral("except"), QStringLiteral("finally"),
        QStringLiteral("for"),   QStringLiteral("from"),   QStringLiteral("global"),
        QStringLiteral("if"),    QStringLiteral("import"), QStringLiteral("in"),
        QStringLiteral("is"),    QStringLiteral("lambda"), QStringLiteral("nonlocal"),
        QStringLiteral("not"),   QStringLiteral("or"),     QStringLiteral("pass"),
        QStringLiteral("raise"), QStringLiteral("return"), QStringLiteral("self"),
        QStringLiteral("try"),   QStringLiteral("while"),  QStringLiteral("with"),
        QStringLiteral("yield")};
    static const QSet<QString> cpp{
        QStringLiteral("auto"),     QStringLiteral("bool"),      QStringLiteral("break"),
        QStringLiteral("case"),     QStringLiteral("catch"),     QStringLiteral("char"),
        QStringLiteral("class"),    QStringLiteral("const"),     QStringLiteral("constexpr"),
        QStringLiteral("continue"), QStringLiteral("default"),   QStringLiteral("delete"),
        QStringLiteral("do"),       QStringLiteral("double"),    QStringLiteral("else"),
        QStringLiteral("explicit"), QStringLiteral("false"),     QStringLiteral("float"),
        QStringLiteral("for"),      QStringLiteral("if"),        QStringLiteral("inline"),
        QStringLiteral("int"),      QStringLiteral("namespace"), QStringLiteral("new"),
        QStringLiteral("nullptr"),  QStringLiteral("operator"),  QStringLiteral("private"),
        QStringLiteral("public"),   QStringLiteral("return"),    QStringLiteral("static"),
        QStringLiteral("struct"),   QStringLiteral("switch"),    QStringLiteral("template"),
        QStringLiteral("throw"),    QStringLiteral("true"),      QStringLiteral("try"),
        QStringLiteral("typename"), QStringLiteral("using"),     QStringLiteral("void"),
        QStringLiteral("while")};
    return language == SourceHighlighter::Language::Python ? python : cpp;
}

constexpr int kInDocstring = 1;

bool wordStart(QChar c) {
    return c.isLetter() || c == QLatin1Char('_');
}
bool wordPart(QChar c) {
    return c.isLetterOrNumber() || c == QLatin1Char('_');
}

} // namespace

SourceHighlighter::SourceHighlighter(QTextDocument* document) : QSyntaxHighlighter(document) {
    connect(&Theme::instance(), &Theme::changed, this, &QSyntaxHighlighter::rehighlight);
}

void SourceHighlighter::setLanguage(Language language) {
    if (language == language_) return;
    language_ = language;
    rehighlight();
}

QTextCharFormat SourceHighlighter::format(Kind kind) const {
    const Theme& theme = Theme::instance();
    QTextCharFormat format;
    switch (kind) {
    case Kind::Keyword:
        format.setForeground(theme.color(Token::Curve6));
        format.setFontWeight(QFont::DemiBold);
        break;
    case Kind::Text:
        format.setForeground(theme.color(Token::Curve3));
        break;
    case Kind::Number:
        format.setForeground(theme.color(Token::Curve2));
        break;
    case Kind::Comment:
        format.setForeground(theme.color(Token::TextMuted));
        format.setFontItalic(true);
        break;
    case Kind::Name:
        format.setForeground(theme.color(Token::Curve1));
        break;
    }
    return format;
}

void SourceHighlighter::paint(qsizetype begin, qsizetype end, Kind kind) {
    setFormat(int(begin), int(end - begin), format(kind));
}

void SourceHighlighter::highlightBlock(const QString& line) {
    const bool python = language_ == Language::Python;
    const QString triple = QStringLiteral("\"\"\"");
    setCurrentBlockState(0);
    qsizetype at = 0;
    if (previousBlockState() == kInDocstring) {
        const qsizetype end = line.indexOf(triple);
        paint(0, end < 0 ? line.size() : end + 3, Kind::Comment);
        if (end < 0) return setCurrentBlockState(kInDocstring);
        at = end + 3;
    }
    const QString comment = python ? QStringLiteral("#") : QStringLiteral("//");
    if (!python && line.startsWith(QLatin1Char('#'))) return paint(0, line.size(), Kind::Keyword);
    bool naming = false; // the next word is what def or class names
    while (at < line.size()) {
        const QChar c = line[at];
        if (QStringView(line).mid(at).startsWith(comment)) {
            paint(at, line.size(), Kind::Comment);
            return;
        }
        if (python && QStringView(line).mid(at).startsWith(triple)) {
            const qsizetype end = line.indexOf(triple, at + 3);
            paint(at, end < 0 ? line.size() : end + 3, Kind::Comment);
            if (end < 0) return setCurrentBlockState(kInDocstring);
            at = end + 3;
        } else if (c == QLatin1Char('"') || c == QLatin1Char('\'')) {
            qsizetype end = at + 1;
            while (end < line.size() && line[end] != c)
                end += line[end] == QLatin1Char('\\') ? 2 : 1;
            end = std::min(end + 1, line.size());
            paint(at, end, Kind::Text);
            at = end;
        } else if (c.isDigit()) {
            qsizetype end = at + 1;
            while (end < line.size() &&
                   (wordPart(line[end]) || line[end] == QLatin1Char('.') ||
                    ((line[end] == QLatin1Char('-') || line[end] == QLatin1Char('+')) &&
                     line[end - 1].toLower() == QLatin1Char('e'))))
                ++end;
            paint(at, end, Kind::Number);
            at = end;
        } else if (wordStart(c)) {
            qsizetype end = at + 1;
            while (end < line.size() && wordPart(line[end]))
                ++end;
            const QString word = line.mid(at, end - at);
            if (keywords(language_).contains(word))
                paint(at, end, Kind::Keyword);
            else if (naming || (end < line.size() && line[end] == QLatin1Char('(')))
                paint(at, end, Kind::Name);
            naming = word == QLatin1String("def") || word == QLatin1String("class") ||
                     word == QLatin1String("struct");
            at = end;
        } else {
            ++at;
        }
    }
}

} // namespace wiregrad::studio

#include "moc_highlighter.cpp"

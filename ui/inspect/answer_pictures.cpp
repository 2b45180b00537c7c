#include "ui/inspect/answer_pictures.h"

#include <QTextLayout>

#include <algorithm>
#include <cmath>

#include "ui/panels/format.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

QImage sampleImage(const Tensor& sample, double low, double high) {
    const Tensor x = sample.contiguous();
    if (x.dim() < 2) return {};
    const std::int64_t rows = x.size(x.dim() - 2), columns = x.size(x.dim() - 1),
                       channels = x.dim() > 2 ? x.size(x.dim() - 3) : 1;
    const auto values = x.to_vector();
    for (const double value : values)
        if (std::isfinite(value)) {
            low = std::min(low, value);
            high = std::max(high, value);
        }
    if (!(high > low)) high = low + 1;
    QImage image(int(columns), int(rows), QImage::Format_RGB32);
    const auto plane = std::size_t(rows * columns);
    for (std::size_t i = 0; i < plane; ++i) {
        int rgb[3];
        for (std::size_t c = 0; c < 3; ++c) {
            const double value = (values[(channels == 3 ? c * plane : 0) + i] - low) / (high - low);
            rgb[c] = std::isfinite(value) ? int(std::clamp(value, 0.0, 1.0) * 255) : 255;
        }
        image.setPixel(int(i % std::size_t(columns)), int(i / std::size_t(columns)),
                       qRgb(rgb[0], rgb[1], rgb[2]));
    }
    return image;
}

QImage maskImage(const MaskAnswer& answer, bool guess) {
    const Theme& theme = Theme::instance();
    QImage image = sampleImage(answer.picture);
    const QSize size(int(answer.columns), int(answer.rows));
    if (image.size() != size) image = image.scaled(size); // a network may answer coarser
    constexpr Token kClasses[] = {Token::Curve1, Token::Curve2, Token::Curve3,
                                  Token::Curve4, Token::Curve5, Token::Curve6};
    constexpr double kOver = 0.55;
    for (int y = 0; y < size.height(); ++y)
        for (int x = 0; x < size.width(); ++x) {
            const auto at = std::size_t(y) * std::size_t(size.width()) + std::size_t(x);
            const std::int64_t truth = answer.truth[at], seen = answer.guess[at];
            const std::int64_t shown = guess ? seen : truth;
            QColor over;
            if (guess && truth != seen)
                over = theme.color(truth > 0 ? Token::Error : Token::Warning);
            else if (shown > 0)
                over = theme.color(kClasses[std::size_t(shown - 1) % std::size(kClasses)]);
            if (!over.isValid()) continue;
            const QColor under = image.pixelColor(x, y);
            const auto mix = [](int a, int b) { return int(a + (b - a) * kOver); };
            image.setPixelColor(x, y,
                                QColor(mix(under.red(), over.red()),
                                       mix(under.green(), over.green()),
                                       mix(under.blue(), over.blue())));
        }
    return image;
}

void paintPairs(QPainter& painter, const AnswerBook& book, QSize size) {
    const Theme& theme = Theme::instance();
    const double side = theme.space(16), gap = theme.space(2);
    double x = 0, y = 0;
    for (const auto& [given, made] : book.pairs()) {
        if (x + side > size.width()) {
            x = 0;
            y += 2 * side + 2 * gap;
        }
        if (y + 2 * side > size.height()) break;
        painter.drawImage(QRectF(x, y, side, side), sampleImage(given));
        painter.drawImage(QRectF(x, y + side + 2, side, side), sampleImage(made));
        x += side + gap;
    }
}

void paintMasks(QPainter& painter, const AnswerBook& book, QSize size) {
    const Theme& theme = Theme::instance();
    const QFontMetricsF metrics(theme.font(0.85));
    const double gap = theme.space(1),
                 side = std::clamp((size.width() - 2 * gap) / 3.0, 24.0, double(theme.space(30)));
    painter.setFont(theme.font(0.85));
    painter.setPen(theme.color(Token::TextMuted));
    const QString heads[] = {AnswerBook::tr("given"), AnswerBook::tr("truth"),
                             AnswerBook::tr("network")};
    for (int i = 0; i < 3; ++i)
        painter.drawText(QRectF(i * (side + gap), 0, side, metrics.height()), Qt::AlignCenter,
                         heads[i]);
    // What the colours of mistakes mean, in words.
    double y = metrics.height() + 2;
    const double legend = metrics.height() + 4;
    for (const MaskAnswer& one : book.masks()) {
        if (y + side + legend > size.height() && y > metrics.height() + 2) break;
        painter.drawImage(QRectF(0, y, side, side), sampleImage(one.picture));
        painter.drawImage(QRectF(side + gap, y, side, side), maskImage(one, false));
        painter.drawImage(QRectF(2 * (side + gap), y, side, side), maskImage(one, true));
        y += side + gap;
    }
    double x = 0;
    for (const auto& [token, text] : {std::pair(Token::Curve1, AnswerBook::tr("right")),
                                      std::pair(Token::Error, AnswerBook::tr("missed")),
                                      std::pair(Token::Warning, AnswerBook::tr("not there"))}) {
        const double box = metrics.ascent();
        painter.fillRect(QRectF(x, y + 3, box, box), theme.color(token));
        painter.drawText(QPointF(x + box + 4, y + 2 + metrics.ascent()), text);
        x += box + 4 + metrics.horizontalAdvance(text) + theme.space(3);
    }
}

void paintTexts(QPainter& painter, const AnswerBook& book, QSize size) {
    const Theme& theme = Theme::instance();
    const QFont font = theme.monospace(0.95);
    double y = 0;
    for (auto one = book.texts().rbegin(); one != book.texts().rend(); ++one) {
        if (y > size.height()) break;
        painter.setFont(theme.font(0.85));
        painter.setPen(theme.color(Token::TextMuted));
        const double line = QFontMetricsF(theme.font(0.85)).height();
        painter.drawText(QRectF(0, y, size.width(), line), Qt::AlignLeft | Qt::AlignVCenter,
                         AnswerBook::tr("after step %1").arg(countText(one->step)));
        y += line + 2;
        // The end of what was given, muted, and what the network wrote after it.
        constexpr qsizetype kPrompt = 32;
        const QString prompt = QStringLiteral("…") + one->prompt.right(kPrompt);
        QString text = prompt + one->text;
        text.replace(QLatin1Char('\n'), QChar::LineSeparator);
        QTextLayout layout(text, font);
        QTextOption wrap;
        wrap.setWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
        layout.setTextOption(wrap);
        QTextLayout::FormatRange muted;
        muted.start = 0;
        muted.length = int(prompt.size());
        muted.format.setForeground(theme.color(Token::TextMuted));
        layout.setFormats({muted});
        layout.beginLayout();
        double height = 0;
        for (QTextLine row = layout.createLine(); row.isValid(); row = layout.createLine()) {
            row.setLineWidth(size.width());
            row.setPosition(QPointF(0, height));
            height += row.height();
        }
        layout.endLayout();
        painter.setPen(theme.color(Token::Text));
        layout.draw(&painter, QPointF(0, y));
        y += height + theme.space(2);
    }
}

} // namespace wiregrad::studio

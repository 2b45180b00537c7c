#include "ui/monitor/meters.h"

#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>

#include <algorithm>

namespace wiregrad::studio {

namespace {
constexpr double kCaptionSize = 0.82, kValueSize = 1.12;
}

MeterRow::MeterRow(QWidget* parent) : QWidget(parent) {
    QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    connect(&Theme::instance(), &Theme::changed, this, [this] {
        widths_.clear();
        measure();
        updateGeometry();
        update();
    });
}

void MeterRow::setMeters(std::vector<Meter> meters) {
    if (meters == meters_) {
        return;
    }
    const bool sameCaptions =
        std::equal(meters.begin(), meters.end(), meters_.begin(), meters_.end(),
                   [](const Meter& a, const Meter& b) { return a.caption == b.caption; });
    if (!sameCaptions) {
        widths_.clear();
    }
    meters_ = std::move(meters);
    QStringList words;
    for (const Meter& meter : meters_) {
        words << meter.caption + QLatin1Char(' ') + meter.value;
    }
    setAccessibleName(words.join(QStringLiteral(", ")));
    const int before = heightForWidth(width());
    measure();
    if (heightForWidth(width()) != before) {
        updateGeometry();
    }
    update();
}

void MeterRow::measure() {
    const Theme& theme = Theme::instance();
    const QFontMetricsF caption(theme.font(kCaptionSize)),
        value(theme.font(kValueSize, QFont::DemiBold));
    widths_.resize(meters_.size(), 0);
    for (std::size_t i = 0; i < meters_.size(); ++i) {
        widths_[i] = std::max({widths_[i], caption.horizontalAdvance(meters_[i].caption),
                               value.horizontalAdvance(meters_[i].value)});
    }
}

int MeterRow::lineHeight() const {
    const Theme& theme = Theme::instance();
    return QFontMetrics(theme.font(kCaptionSize)).height() +
           QFontMetrics(theme.font(kValueSize, QFont::DemiBold)).height() + 2;
}

std::vector<QPointF> MeterRow::places(int width) const {
    const Theme& theme = Theme::instance();
    std::vector<QPointF> result;
    double x = 0, y = 0;
    for (const double each : widths_) {
        if (x > 0 && x + each > width) {
            x = 0;
            y += lineHeight() + theme.space(2);
        }
        result.emplace_back(x, y);
        x += each + theme.space(6);
    }
    return result;
}

int MeterRow::heightForWidth(int width) const {
    const std::vector<QPointF> all = places(width);
    return lineHeight() + (all.empty() ? 0 : static_cast<int>(all.back().y()));
}

QSize MeterRow::sizeHint() const {
    return {Theme::instance().space(100), lineHeight()};
}

QSize MeterRow::minimumSizeHint() const {
    return {Theme::instance().space(20), lineHeight()};
}

void MeterRow::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::instance();
    const QFont captionFont = theme.font(kCaptionSize),
                valueFont = theme.font(kValueSize, QFont::DemiBold);
    const QFontMetricsF captionMetrics(captionFont), valueMetrics(valueFont);
    QPainter painter(this);
    const std::vector<QPointF> all = places(width());
    for (std::size_t i = 0; i < meters_.size(); ++i) {
        const Meter& meter = meters_[i];
        const QPointF at = all[i];
        painter.setFont(captionFont);
        painter.setPen(theme.color(Token::TextMuted));
        painter.drawText(at + QPointF(0, captionMetrics.ascent()), meter.caption);
        painter.setFont(valueFont);
        painter.setPen(theme.color(meter.colour));
        painter.drawText(at + QPointF(0, captionMetrics.height() + 2 + valueMetrics.ascent()),
                         meter.value);
    }
}

// --- legend

PlotLegend::PlotLegend(CurvePlot& plot, QWidget* parent) : QWidget(parent), plot_(plot) {
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    connect(&Theme::instance(), &Theme::changed, this, [this] {
        layOut();
        update();
    });
}

void PlotLegend::refresh() {
    const std::vector<CurvePlot::Entry> curves = plot_.curves();
    bool changed = curves.size() != entries_.size();
    entries_.resize(curves.size());
    for (std::size_t i = 0; i < curves.size(); ++i) {
        QString value = plot_.valueText(plot_.lastValue(i));
        if (const std::int64_t bad = plot_.nonFinite(i)) {
            value += QStringLiteral("  (%1 not a number)").arg(bad);
        }
        changed = changed || value != entries_[i].value ||
                  curves[i].style.label != entries_[i].style.label;
        entries_[i].style = curves[i].style;
        entries_[i].value = value;
    }
    if (changed) {
        layOut();
        setAccessibleName(plot_.title() + QStringLiteral(": ") +
                          texts().join(QStringLiteral(", ")));
        update();
    }
}

QStringList PlotLegend::texts() const {
    QStringList texts;
    for (const Entry& entry : entries_) {
        texts << entry.style.label + QLatin1Char(' ') + entry.value;
    }
    return texts;
}

QSize PlotLegend::sizeHint() const {
    const Theme& theme = Theme::instance();
    return {theme.space(60),
            QFontMetrics(theme.font(1.0, QFont::DemiBold)).height() + theme.space(2)};
}

QSize PlotLegend::minimumSizeHint() const {
    return {Theme::instance().space(20), sizeHint().height()};
}

void PlotLegend::layOut() {
    const Theme& theme = Theme::instance();
    const QFontMetricsF metrics(theme.font(0.92));
    const auto place = [&](bool tight) {
        double x =
            QFontMetricsF(theme.font(1.0, QFont::DemiBold)).horizontalAdvance(plot_.title()) +
            theme.space(tight ? 2 : 5);
        swatch_ = theme.space(tight ? 3 : 6);
        for (Entry& entry : entries_) {
            const double value = metrics.horizontalAdvance(entry.value);
            // The value's column is as wide as any value: the next entry does not dance. In a
            // narrow chart there is no room for that.
            const double width =
                swatch_ + theme.space(2) + metrics.horizontalAdvance(entry.style.label) +
                theme.space(2) +
                (tight ? value
                       : std::max(value, metrics.horizontalAdvance(QStringLiteral("00.00 %"))));
            entry.place = QRectF(x, 0, width, height());
            x += width + theme.space(tight ? 2 : 4);
        }
        return x;
    };
    if (place(false) > width()) place(true);
}

void PlotLegend::resizeEvent(QResizeEvent* event) {
    layOut();
    QWidget::resizeEvent(event);
}

void PlotLegend::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::instance();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const double middle = height() / 2.0;
    const auto baseline = [&](const QFontMetricsF& metrics) {
        return middle + (metrics.ascent() - metrics.descent()) / 2;
    };
    const QFont titleFont = theme.font(1.0, QFont::DemiBold);
    painter.setFont(titleFont);
    painter.setPen(theme.color(Token::Text));
    painter.drawText(QPointF(0, baseline(QFontMetricsF(titleFont))), plot_.title());
    const QFont font = theme.font(0.92);
    const QFontMetricsF metrics(font);
    painter.setFont(font);
    for (const Entry& entry : entries_) {
        painter.setOpacity(entry.visible ? 1 : 0.4);
        const QRectF place = entry.place;
        const double swatch = swatch_;
        QPen pen(theme.color(entry.style.colour), 2);
        if (entry.style.dashed) {
            pen.setDashPattern({3, 1.75});
            pen.setCapStyle(Qt::FlatCap);
        }
        painter.setPen(pen);
        painter.drawLine(QPointF(place.left(), middle), QPointF(place.left() + swatch, middle));
        if (entry.style.dots) {
            painter.setBrush(theme.color(entry.style.colour));
            painter.setPen(Qt::NoPen);
            painter.drawEllipse(QPointF(place.left() + swatch / 2, middle), 3.2, 3.2);
            painter.setBrush(Qt::NoBrush);
        }
        double x = place.left() + swatch + theme.space(2);
        painter.setPen(theme.color(Token::TextMuted));
        painter.drawText(QPointF(x, baseline(metrics)), entry.style.label);
        x += metrics.horizontalAdvance(entry.style.label) + theme.space(2);
        painter.setPen(theme.color(Token::Text));
        painter.drawText(QPointF(x, baseline(metrics)), entry.value);
    }
    painter.setOpacity(1);
}

void PlotLegend::mouseReleaseEvent(QMouseEvent* event) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (entries_[i].place.contains(event->position())) {
            entries_[i].visible = !entries_[i].visible;
            plot_.setVisibleCurve(i, entries_[i].visible);
            update();
            return;
        }
    }
}

bool PlotLegend::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        for (const Entry& entry : entries_) {
            if (entry.place.contains(help->pos())) {
                QToolTip::showText(help->globalPos(),
                                   entry.visible ? QStringLiteral("Click to hide this curve")
                                                 : QStringLiteral("Click to show this curve"),
                                   this);
                return true;
            }
        }
        QToolTip::hideText();
        return true;
    }
    return QWidget::event(event);
}

} // namespace wiregrad::studio

#include "ui/panels/format.h"

#include <QStringList>

#include <algorithm>
#include <array>
#include <cmath>

namespace wiregrad::studio {

QString numberText(double value, int significant) {
    if (std::isnan(value)) {
        return QStringLiteral("NaN");
    }
    if (std::isinf(value)) {
        return value > 0 ? QStringLiteral("+∞") : QStringLiteral("−∞");
    }
    const double magnitude = std::abs(value);
    QString text;
    if (magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e7)) {
        text = QString::number(value, 'e', std::max(0, significant - 2));
    } else {
        text = QString::number(value, 'g', significant);
        if (text.contains(QLatin1Char('e'))) { // 'g' turns 12345 with 4 digits into 1.234e+04
            text = QString::number(value, 'f', 0);
        }
    }
    return text.replace(QLatin1Char('-'), QChar(0x2212))
        .replace(QStringLiteral("e+"), QStringLiteral("e"));
}

QString countText(std::int64_t value) {
    QString digits = QString::number(value < 0 ? -value : value);
    for (qsizetype at = digits.size() - 3; at > 0; at -= 3) {
        digits.insert(at, QLatin1Char(','));
    }
    return value < 0 ? QChar(0x2212) + digits : digits;
}

namespace {

QString scaled(double value, double base, const std::array<const char*, 5>& units) {
    std::size_t unit = 0;
    while (std::abs(value) >= base && unit + 1 < units.size()) {
        value /= base;
        ++unit;
    }
    const int decimals = unit == 0 || std::abs(value) >= 100 ? 0 : std::abs(value) >= 10 ? 1 : 2;
    QString text = QString::number(value, 'f', decimals);
    const QString name = QString::fromUtf8(units[unit]);
    return name.isEmpty() ? text : text + QChar(0x00A0) + name;
}

} // namespace

QString shortCountText(double value) {
    return scaled(value, 1000, {"", "k", "M", "G", "T"});
}

QString bytesText(double bytes) {
    return scaled(bytes, 1024, {"B", "KB", "MB", "GB", "TB"});
}

QString flopsText(double flops) {
    return scaled(flops, 1000, {"FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"});
}

QString durationText(double seconds) {
    if (!std::isfinite(seconds) || seconds < 0) {
        return QStringLiteral("–");
    }
    const auto total = static_cast<qint64>(std::min(seconds, 1e12) + 0.5);
    const qint64 hours = total / 3600, minutes = total / 60 % 60, rest = total % 60;
    if (hours > 0) {
        return QStringLiteral("%1:%2:%3")
            .arg(hours)
            .arg(minutes, 2, 10, QLatin1Char('0'))
            .arg(rest, 2, 10, QLatin1Char('0'));
    }
    return QStringLiteral("%1:%2").arg(minutes).arg(rest, 2, 10, QLatin1Char('0'));
}

QString percentText(double fraction, int decimals) {
    if (!std::isfinite(fraction)) {
        return numberText(fraction);
    }
    return QString::number(fraction * 100, 'f', decimals) + QStringLiteral("\u00A0%");
}

QString shapeText(const Shape& shape) {
    if (shape.empty()) {
        return QStringLiteral("one number");
    }
    QStringList sizes;
    for (const std::int64_t size : shape) {
        sizes << QString::number(size);
    }
    return sizes.join(QStringLiteral(" × "));
}

double niceInterval(double span, int count) {
    if (!(span > 0) || !std::isfinite(span) || count < 1) {
        return 1;
    }
    const double raw = span / count;
    const double power = std::pow(10.0, std::floor(std::log10(raw)));
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= raw * (1 - 1e-9)) {
            return factor * power;
        }
    }
    return 10 * power;
}

} // namespace wiregrad::studio

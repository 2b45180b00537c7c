#include "ui/inspect/value_views.h"

#include <QPainter>

#include <algorithm>
#include <cmath>

#include "ui/panels/format.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

constexpr std::size_t kMoments = 240;
constexpr int kRows = 64;

std::int64_t rowsOf(const Shape& shape) {
    std::int64_t rows = 1;
    for (int i = 0; i + 1 < shape.size(); ++i)
        rows *= shape[i];
    return rows;
}

} // namespace

// --- over time

HistoryView::HistoryView(QWidget* parent) : TensorView(parent) {
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    setAccessibleName(tr("Distribution over time"));
    connect(&Theme::instance(), &Theme::changed, this, [this] { stale_ = true; });
}

void HistoryView::clear() {
    past_.clear();
    stale_ = true;
    update();
}

void HistoryView::add(const ProbeRecord& record) {
    if (record.histogram.empty() || (!past_.empty() && past_.back().step == record.step)) return;
    if (!past_.empty() && record.step < past_.back().step) past_.clear(); // another run
    Moment moment{record.step, record.min, record.max, record.mean, record.histogram, 0};
    for (const std::int64_t n : record.histogram)
        moment.total += double(n);
    past_.push_back(std::move(moment));
    if (past_.size() > kMoments) {
        // Every second of the older half goes: the whole run stays in view.
        std::deque<Moment> thinned;
        for (std::size_t i = 0; i < past_.size(); ++i)
            if (i >= kMoments / 2 || i % 2 == 0) thinned.push_back(std::move(past_[i]));
        past_ = std::move(thinned);
    }
    low_ = past_.front().min;
    high_ = past_.front().max;
    for (const Moment& one : past_) {
        low_ = std::min(low_, one.min);
        high_ = std::max(high_, one.max);
    }
    if (!(high_ > low_)) high_ = low_ + 1;
    stale_ = true;
    update();
}

double HistoryView::share(int index, double low, double high) const {
    const Moment& moment = past_[std::size_t(index)];
    if (moment.total <= 0) return 0;
    if (!(moment.max > moment.min)) return moment.min >= low && moment.min <= high ? 1 : 0;
    // A bin's values are taken as spread evenly over it.
    double sum = 0;
    const double width = (moment.max - moment.min) / double(moment.bins.size());
    for (std::size_t b = 0; b < moment.bins.size(); ++b) {
        const double from = moment.min + width * double(b), to = from + width;
        const double overlap = std::min(to, high) - std::max(from, low);
        if (overlap > 0) sum += double(moment.bins[b]) * std::min(1.0, overlap / width);
    }
    return sum / moment.total;
}

QRectF HistoryView::area() const {
    const Theme& theme = Theme::instance();
    const QFontMetricsF metrics(theme.font(0.82));
    const double left = std::max(metrics.horizontalAdvance(numberText(low_, 3)),
                                 metrics.horizontalAdvance(numberText(high_, 3))) +
                        theme.space(2);
    return QRectF(left, metrics.height() / 2, width() - left - 1,
                  height() - metrics.height() * 1.5 - theme.space(1));
}

QSize HistoryView::sizeHint() const {
    return {Theme::instance().space(50), Theme::instance().space(44)};
}

QString HistoryView::textAt(QPointF position) const {
    const QRectF place = area();
    if (past_.empty() || !place.contains(position)) return {};
    const int index =
        std::clamp(int((position.x() - place.left()) / place.width() * double(past_.size())), 0,
                   int(past_.size()) - 1);
    const Moment& moment = past_[std::size_t(index)];
    const double value = high_ - (position.y() - place.top()) / place.height() * (high_ - low_);
    const double half = (high_ - low_) / kRows / 2;
    return tr("step %1, near %2: %3\nmean %4, from %5 to %6")
        .arg(countText(moment.step), numberText(value, 3),
             percentText(share(index, value - half, value + half), 1), numberText(moment.mean, 3),
             numberText(moment.min, 3), numberText(moment.max, 3));
}

void HistoryView::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::instance();
    QPainter painter(this);
    const QRectF place = area();
    painter.fillRect(place, theme.color(Token::PlotBackground));
    if (past_.empty()) return;
    if (stale_) {
        image_ = QImage(int(past_.size()), kRows, QImage::Format_ARGB32);
        const QColor ink = theme.color(Token::Curve1);
        const double step = (high_ - low_) / kRows;
        for (int x = 0; x < image_.width(); ++x)
            for (int y = 0; y < kRows; ++y) {
                const double low = high_ - step * (y + 1);
                const double part = share(x, low, low + step);
                // Roots, so that thin tails are seen beside the bulk.
                const int alpha = int(255 * std::min(1.0, std::sqrt(part * kRows / 6)));
                image_.setPixel(x, y, qRgba(ink.red(), ink.green(), ink.blue(), alpha));
            }
        stale_ = false;
    }
    painter.drawImage(place, image_);
    const double pitch = place.width() / double(past_.size());
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(theme.color(Token::Selection), 1.5));
    QPolygonF means;
    for (std::size_t i = 0; i < past_.size(); ++i)
        means << QPointF(place.left() + (double(i) + 0.5) * pitch,
                         place.bottom() - (past_[i].mean - low_) / (high_ - low_) * place.height());
    painter.drawPolyline(means);
    painter.setPen(QPen(theme.color(Token::Border), 1));
    painter.drawRect(place);
    const QFont font = theme.font(0.82);
    const QFontMetricsF metrics(font);
    painter.setFont(font);
    painter.setPen(theme.color(Token::TextMuted));
    const auto value = [&](double number, double y) {
        const QString text = numberText(number, 3);
        painter.drawText(QPointF(place.left() - theme.space(1) - metrics.horizontalAdvance(text),
                                 y + metrics.ascent() / 2 - 1),
                         text);
    };
    value(high_, place.top());
    value(low_, place.bottom());
    const double baseline = height() - metrics.descent();
    painter.drawText(QPointF(place.left(), baseline),
                     tr("step %1").arg(countText(past_.front().step)));
    const QString last = countText(past_.back().step);
    painter.drawText(QPointF(place.right() - metrics.horizontalAdvance(last), baseline), last);
}

// --- units

UnitState judge(const UnitStats& unit, double boundLow, double boundHigh) {
    if (unit.broken > 0) return UnitState::Broken;
    if (unit.count > 0 && unit.zeros == unit.count) return UnitState::Dead;
    if (boundHigh > boundLow) {
        // Its mean so near to one end that at least 95 % of the way is gone.
        const double edge = 0.025 * (boundHigh - boundLow);
        if (unit.mean > boundHigh - edge || unit.mean < boundLow + edge)
            return UnitState::Saturated;
    }
    if (unit.count > 1 && unit.min == unit.max) return UnitState::Constant;
    return UnitState::Alive;
}

UnitsView::UnitsView(QWidget* parent) : TensorView(parent) {
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    setAccessibleName(tr("Units"));
}

void UnitsView::setBounds(double low, double high) {
    boundLow_ = low;
    boundHigh_ = high;
}

void UnitsView::prepare() {
    states_.clear();
    low_ = 0;
    high_ = 0;
    for (const UnitStats& unit : record_.units) {
        states_.push_back(judge(unit, boundLow_, boundHigh_));
        low_ = std::min(low_, unit.min);
        high_ = std::max(high_, unit.max);
    }
    if (!(high_ > low_)) high_ = low_ + 1;
    setToolTip(summary());
    update();
}

int UnitsView::count(UnitState state) const {
    return int(std::count(states_.begin(), states_.end(), state));
}

QString UnitsView::summary() const {
    QStringList parts;
    const auto add = [&](UnitState state, const QString& what) {
        if (const int n = count(state)) parts << what.arg(n);
    };
    add(UnitState::Broken, tr("%1 hold NaN or infinity"));
    add(UnitState::Dead, tr("%1 dead (always 0)"));
    add(UnitState::Saturated, tr("%1 saturated"));
    add(UnitState::Constant, tr("%1 constant"));
    const QString of = record_.unit_count > std::int64_t(states_.size())
                           ? tr("first %1 of %2 units").arg(states_.size()).arg(record_.unit_count)
                           : tr("%1 units").arg(states_.size());
    return parts.isEmpty() ? tr("%1, all alive").arg(of)
                           : QStringLiteral("%1: %2").arg(of, parts.join(QStringLiteral(", ")));
}

QRectF UnitsView::area() const {
    const double line = QFontMetricsF(Theme::instance().font(0.88)).height();
    return QRectF(0, line * 1.4, width(), height() - line * 1.4 - 1);
}

QSize UnitsView::sizeHint() const {
    return {Theme::instance().space(50), Theme::instance().space(38)};
}

QString UnitsView::textAt(QPointF position) const {
    const QRectF place = area();
    if (states_.empty() || !place.contains(position)) return {};
    const auto at = std::min(states_.size() - 1,
                             std::size_t(position.x() / place.width() * double(states_.size())));
    const UnitStats& unit = record_.units[at];
    constexpr const char* kWords[] = {"alive", "dead: always 0", "saturated", "constant",
                                      "holds NaN or infinity"};
    return tr("unit %1: %2\nfrom %3 to %4, mean %5, zeros %6")
        .arg(at)
        .arg(tr(kWords[int(states_[at])]), numberText(unit.min, 3), numberText(unit.max, 3),
             numberText(unit.mean, 3),
             percentText(double(unit.zeros) / double(std::max<std::int64_t>(1, unit.count)), 1));
}

void UnitsView::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::instance();
    QPainter painter(this);
    const QFont font = theme.font(0.88);
    const QFontMetricsF metrics(font);
    painter.setFont(font);
    const bool well = count(UnitState::Alive) == int(states_.size());
    painter.setPen(theme.color(well ? Token::TextMuted : Token::Warning));
    painter.drawText(QPointF(0, metrics.ascent()),
                     metrics.elidedText(summary(), Qt::ElideRight, width()));
    const QRectF place = area();
    painter.fillRect(place, theme.color(Token::PlotBackground));
    if (states_.empty()) return;
    const double pitch = place.width() / double(states_.size());
    const auto y = [&](double value) {
        return place.bottom() - (value - low_) / (high_ - low_) * place.height();
    };
    painter.setRenderHint(QPainter::Antialiasing, pitch > 3);
    for (std::size_t i = 0; i < states_.size(); ++i) {
        const UnitStats& unit = record_.units[i];
        const double left = place.left() + pitch * double(i), gap = pitch > 4 ? 1 : 0;
        QRectF bar(left + gap / 2, y(unit.max), std::max(pitch - gap, 1.0),
                   std::max(1.0, y(unit.min) - y(unit.max)));
        const bool alive = states_[i] == UnitState::Alive;
        const QColor colour = theme.color(alive                                ? Token::Curve1
                                          : states_[i] == UnitState::Broken    ? Token::Error
                                          : states_[i] == UnitState::Saturated ? Token::Curve2
                                                                               : Token::Warning);
        if (!alive) { // a column of its own: a dead unit's bar has no height
            QColor back = colour;
            back.setAlphaF(0.35F);
            painter.fillRect(QRectF(left, place.top(), std::max(pitch, 1.0), place.height()), back);
        }
        QColor body = colour;
        body.setAlphaF(0.55F);
        painter.fillRect(bar, body);
        painter.fillRect(QRectF(bar.left(), y(unit.mean) - 1, bar.width(), 2), colour);
    }
    painter.setPen(QPen(theme.color(Token::PlotGrid), 1));
    painter.drawLine(QPointF(place.left(), y(0)), QPointF(place.right(), y(0)));
}

// --- every number

void SliceModel::show(const ProbeRecord& record) {
    if (record.slice_shape == shape_ && record.slice.size() == values_.size() &&
        record.slice_from == from_) {
        values_ = record.slice;
        if (!values_.empty())
            emit dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1),
                             {Qt::DisplayRole});
        return;
    }
    beginResetModel();
    shape_ = record.slice_shape;
    from_ = record.slice_from;
    values_ = record.slice;
    if (std::int64_t(values_.size()) != numel(shape_)) values_.clear();
    endResetModel();
}

void SliceModel::setColumnNames(const QStringList& names) {
    if (names == names_) return;
    names_ = names;
    if (columnCount() > 0) emit headerDataChanged(Qt::Horizontal, 0, columnCount() - 1);
}

int SliceModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() || values_.empty() ? 0 : int(rowsOf(shape_));
}

int SliceModel::columnCount(const QModelIndex& parent) const {
    if (parent.isValid() || values_.empty()) return 0;
    return shape_.size() == 0 ? 1 : int(shape_[shape_.size() - 1]);
}

float SliceModel::value(int row, int column) const {
    return values_[std::size_t(row) * std::size_t(columnCount()) + std::size_t(column)];
}

QVariant SliceModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid()) return {};
    const float number = value(index.row(), index.column());
    if (role == Qt::DisplayRole) return numberText(double(number), 5);
    if (role == Qt::TextAlignmentRole) return int(Qt::AlignRight | Qt::AlignVCenter);
    if (role == Qt::ForegroundRole && !std::isfinite(number))
        return Theme::instance().color(Token::Error);
    if (role == Qt::ForegroundRole && number == 0) return Theme::instance().color(Token::TextMuted);
    if (role == Qt::ToolTipRole) return QString::number(double(number), 'g', 9);
    return {};
}

QVariant SliceModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (role != Qt::DisplayRole) return {};
    if (orientation == Qt::Horizontal)
        return names_.size() == columnCount() ? names_[section] : QString::number(section);
    // "2, 0, 5": the indices of all dimensions but the last.
    QStringList parts;
    std::int64_t rest = section;
    for (int i = shape_.size() - 2; i >= 0; --i) {
        parts.prepend(QString::number(rest % shape_[i] + (i == 0 ? from_ : 0)));
        rest /= shape_[i];
    }
    return parts.isEmpty() ? QString() : parts.join(QStringLiteral(", "));
}

namespace {

void appendNumPy(QString& text, const ProbeRecord& record, int dim, std::size_t& at, int depth) {
    if (dim == record.slice_shape.size()) {
        const float value = record.slice[at++];
        text += std::isnan(value)   ? QStringLiteral("np.nan")
                : std::isinf(value) ? QString::fromLatin1(value > 0 ? "np.inf" : "-np.inf")
                                    : QString::number(double(value), 'g', 9);
        return;
    }
    text += QLatin1Char('[');
    const bool last = dim + 1 == record.slice_shape.size();
    for (std::int64_t i = 0; i < record.slice_shape[dim]; ++i) {
        if (i > 0)
            text += last ? QStringLiteral(", ")
                         : QStringLiteral(",\n") + QString(depth + 1, QLatin1Char(' '));
        appendNumPy(text, record, dim + 1, at, depth + 1);
    }
    text += QLatin1Char(']');
}

} // namespace

QString numpyText(const ProbeRecord& record) {
    if (record.slice.empty() || std::int64_t(record.slice.size()) != numel(record.slice_shape))
        return {};
    QString text = QStringLiteral("np.array(");
    std::size_t at = 0;
    appendNumPy(text, record, 0, at, int(text.size()));
    return text + QStringLiteral(", dtype=np.%1)")
                      .arg(record.dtype == DType::Float64 ? QStringLiteral("float64")
                                                          : QStringLiteral("float32"));
}

} // namespace wiregrad::studio

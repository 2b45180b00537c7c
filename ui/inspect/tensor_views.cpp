#include "ui/inspect/tensor_views.h"

#include <QHelpEvent>
#include <QLinearGradient>
#include <QMouseEvent>
#include <QPainter>
#include <QPainterPath>
#include <QToolTip>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ui/panels/format.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

constexpr int kMaxTiles = 256;
constexpr int kMaxBars = 64;

std::size_t extent(const Shape& shape, int from) {
    std::size_t product = 1;
    for (int i = from; i < shape.size(); ++i) {
        product *= static_cast<std::size_t>(std::max<std::int64_t>(0, shape[i]));
    }
    return product;
}

bool isWeight(const ProbeRecord& record) {
    return record.value.what != ProbeWhat::Activation &&
           record.value.what != ProbeWhat::ActivationGradient;
}

/// Side of a square picture that a row of `features` numbers may be; 0 when it is none.
int squareSide(std::int64_t features) {
    const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(double(features))));
    return features >= 64 && side * side == features ? static_cast<int>(side) : 0;
}

QColor blend(const QColor& a, const QColor& b, double t) {
    return QColor::fromRgbF(float(a.redF() + (b.redF() - a.redF()) * t),
                            float(a.greenF() + (b.greenF() - a.greenF()) * t),
                            float(a.blueF() + (b.blueF() - a.blueF()) * t));
}

/// The bar under a picture: colours with the values at its ends, and zero in the middle when it
/// diverges.
void paintScale(QPainter& painter, const ColourScale& scale, const QRectF& place) {
    const Theme& theme = Theme::instance();
    const QFont font = theme.font(0.82);
    const QFontMetricsF metrics(font);
    painter.setFont(font);
    const QString low = numberText(scale.low(), 3), high = numberText(scale.high(), 3);
    const double left = place.left() + metrics.horizontalAdvance(low) + theme.space(2);
    const double right = place.right() - metrics.horizontalAdvance(high) - theme.space(2);
    const double middle = place.center().y();
    const double baseline = middle + (metrics.ascent() - metrics.descent()) / 2;
    painter.setPen(theme.color(Token::TextMuted));
    painter.drawText(QPointF(place.left(), baseline), low);
    painter.drawText(QPointF(right + theme.space(2), baseline), high);
    if (right - left < 8) {
        return;
    }
    const QRectF bar(left, middle - 3, right - left, 6);
    QLinearGradient gradient(bar.topLeft(), bar.topRight());
    for (int i = 0; i <= 16; ++i) {
        const double t = i / 16.0;
        gradient.setColorAt(t, QColor::fromRgb(scale.colour(
                                   float(scale.low() + (scale.high() - scale.low()) * t))));
    }
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(theme.color(Token::Border), 1));
    painter.setBrush(gradient);
    painter.drawRoundedRect(bar.adjusted(0.5, 0.5, -0.5, -0.5), 2.5, 2.5);
    painter.setBrush(Qt::NoBrush);
    if (scale.kind() == ColourScale::Kind::Diverging) {
        painter.setPen(QPen(theme.color(Token::Text), 1));
        painter.drawLine(QPointF(bar.center().x(), bar.top() - 2),
                         QPointF(bar.center().x(), bar.bottom() + 2));
    }
}

double scaleHeight() {
    return Theme::instance().space(6);
}

void paintCaption(QPainter& painter, const QString& text, QPointF baseline) {
    painter.setFont(Theme::instance().font(0.82));
    painter.setPen(Theme::instance().color(Token::TextMuted));
    painter.drawText(baseline, text);
}

} // namespace

QString pictureName(PictureKind kind) {
    switch (kind) {
    case PictureKind::Number:
        return QStringLiteral("Number");
    case PictureKind::Images:
        return QStringLiteral("Images");
    case PictureKind::HeatMap:
        return QStringLiteral("Heat map");
    case PictureKind::Bars:
        return QStringLiteral("Bars");
    case PictureKind::Units:
        return QStringLiteral("Units");
    case PictureKind::History:
        return QStringLiteral("Over time");
    case PictureKind::Values:
        return QStringLiteral("Values");
    case PictureKind::Chain:
        return QStringLiteral("Chain rule");
    case PictureKind::Map:
        return QStringLiteral("Map");
    }
    return {};
}

std::vector<PictureKind> picturesFor(const ProbeRecord& record) {
    const Shape& shape = record.slice_shape;
    if (record.slice.empty() || extent(shape, 0) != record.slice.size()) {
        return {};
    }
    if (record.slice.size() == 1) {
        return {PictureKind::Number};
    }
    switch (shape.size()) {
    case 1:
        return {PictureKind::Bars};
    case 2:
        if (isWeight(record) && squareSide(shape[1]) > 0) {
            return {PictureKind::HeatMap, PictureKind::Images};
        }
        // One sample's answers are read as bars; many features only as colours.
        return shape[1] <= kMaxBars && shape[1] > 1 && !isWeight(record)
                   ? std::vector{PictureKind::HeatMap, PictureKind::Bars}
                   : std::vector{PictureKind::HeatMap};
    case 4:
        // A 1 × 1 "picture" (after global pooling) is a row of numbers.
        if (shape[2] * shape[3] > 1) {
            return {PictureKind::Images, PictureKind::HeatMap};
        }
        return {PictureKind::HeatMap};
    default:
        return {PictureKind::HeatMap};
    }
}

// --- colours

ColourScale ColourScale::of(const std::vector<float>& values, bool grey) {
    ColourScale scale;
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const float value : values) {
        if (std::isfinite(value)) {
            low = std::min<double>(low, value);
            high = std::max<double>(high, value);
        }
    }
    if (low > high) {
        low = 0;
        high = 1;
    }
    const Theme& theme = Theme::instance();
    const QColor first = theme.color(Token::HeatLow), mid = theme.color(Token::HeatMid),
                 last = theme.color(Token::HeatHigh);
    if (grey) {
        scale.kind_ = Kind::Grey;
    } else if (low < 0) {
        scale.kind_ = Kind::Diverging;
        high = std::max(-low, high);
        low = -high;
    } else {
        scale.kind_ = Kind::Sequential;
        low = std::min(low, 0.0);
    }
    if (!(high > low)) {
        high = low + 1;
    }
    scale.low_ = low;
    scale.high_ = high;
    for (int i = 0; i < 256; ++i) {
        const double t = i / 255.0;
        QColor colour;
        if (scale.kind_ == Kind::Grey) {
            colour = QColor(i, i, i);
        } else if (scale.kind_ == Kind::Sequential) {
            colour = blend(mid, last, t);
        } else {
            colour = t < 0.5 ? blend(first, mid, t * 2) : blend(mid, last, t * 2 - 1);
        }
        scale.table_[static_cast<std::size_t>(i)] = colour.rgb();
    }
    scale.broken_ = theme.color(Token::Error).rgb();
    return scale;
}

QRgb ColourScale::colour(float value) const {
    if (!std::isfinite(value)) {
        return broken_;
    }
    const double t = (value - low_) / (high_ - low_);
    return table_[static_cast<std::size_t>(std::clamp(t * 255 + 0.5, 0.0, 255.0))];
}

// --- base

TensorView::TensorView(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    connect(&Theme::instance(), &Theme::changed, this, [this] {
        prepare();
        update();
    });
}

void TensorView::show(const ProbeRecord& record) {
    const bool sameSize = record.slice_shape == record_.slice_shape;
    record_ = record;
    prepare();
    if (!sameSize) {
        updateGeometry();
    }
    update();
}

bool TensorView::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        return true; // shown at once on movement instead
    }
    return QWidget::event(event);
}

void TensorView::mouseMoveEvent(QMouseEvent* event) {
    const QString text = textAt(event->position());
    if (text.isEmpty()) {
        QToolTip::hideText();
    } else {
        QToolTip::showText(event->globalPosition().toPoint(), text, this);
    }
}

void TensorView::mousePressEvent(QMouseEvent* event) {
    const std::int64_t element =
        event->button() == Qt::LeftButton ? elementAt(event->position()) : -1;
    if (element >= 0) emit picked(element);
}

std::int64_t TensorView::elementAt(QPointF position) const {
    const std::int64_t element = sliceElementAt(position);
    if (element < 0 || element >= std::int64_t(record_.slice.size())) return -1;
    const std::int64_t row = record_.shape.size() > 0 && record_.shape[0] > 0
                                 ? numel(record_.shape) / record_.shape[0]
                                 : 1;
    return element + record_.slice_from * row;
}

void TensorView::leaveEvent(QEvent*) {
    QToolTip::hideText();
}

void TensorView::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    prepare();
}

// --- histogram

HistogramView::HistogramView(QWidget* parent) : TensorView(parent) {
    setObjectName(QStringLiteral("histogram"));
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
}

QSize HistogramView::sizeHint() const {
    return {Theme::instance().space(50), Theme::instance().space(24)};
}

void HistogramView::prepare() {}

QRectF HistogramView::area() const {
    const double text = QFontMetricsF(Theme::instance().font(0.82)).height();
    return QRectF(rect()).adjusted(0, 2, 0, -text - 3);
}

QString HistogramView::textAt(QPointF position) const {
    const QRectF place = area();
    const auto bins = static_cast<double>(record_.histogram.size());
    if (record_.histogram.empty() || !place.contains(position)) {
        return {};
    }
    const auto bin =
        std::min<std::size_t>(record_.histogram.size() - 1,
                              std::size_t((position.x() - place.left()) / place.width() * bins));
    const double width = (record_.max - record_.min) / bins;
    return QStringLiteral("%1 … %2\n%3 values")
        .arg(numberText(record_.min + width * double(bin), 3),
             numberText(record_.min + width * double(bin + 1), 3),
             countText(record_.histogram[bin]));
}

void HistogramView::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::instance();
    QPainter painter(this);
    const QRectF place = area();
    painter.setPen(QPen(theme.color(Token::PlotGrid), 1));
    painter.drawLine(QPointF(place.left(), std::floor(place.bottom()) + 0.5),
                     QPointF(place.right(), std::floor(place.bottom()) + 0.5));
    const auto& counts = record_.histogram;
    if (counts.empty()) {
        return;
    }
    std::vector<std::int64_t> sorted = counts;
    std::sort(sorted.rbegin(), sorted.rend());
    const double total = double(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
    // ReLU puts most values into one bin: that bar is cut, so that the others can be read.
    const bool cut = sorted.size() > 1 && sorted[1] > 0 && sorted[0] > 5 * sorted[1];
    const double top = cut ? double(sorted[1]) * 1.6 : double(std::max<std::int64_t>(1, sorted[0]));
    const double pitch = place.width() / double(counts.size());
    const QColor fill = theme.color(Token::Curve1);
    for (std::size_t i = 0; i < counts.size(); ++i) {
        if (counts[i] == 0) {
            continue;
        }
        const double share = std::min(1.0, double(counts[i]) / top);
        const double height = std::max(1.0, share * place.height());
        const double left = place.left() + pitch * double(i);
        painter.fillRect(
            QRectF(left + 0.5, place.bottom() - height, std::max(1.0, pitch - 1), height), fill);
        if (cut && counts[i] == sorted[0]) {
            painter.fillRect(QRectF(left - 1, place.top() + place.height() * 0.16, pitch + 2, 3),
                             theme.color(Token::Panel));
            const QFont font = theme.font(0.82);
            const QFontMetricsF metrics(font);
            const QString text = percentText(double(counts[i]) / total, 0);
            const double width = metrics.horizontalAdvance(text);
            const bool right = left + pitch + 5 + width < place.right();
            paintCaption(
                painter, text,
                {right ? left + pitch + 4 : left - 4 - width, place.top() + metrics.ascent()});
        }
    }
    const QFontMetricsF metrics(theme.font(0.82));
    const double baseline = height() - metrics.descent();
    const QString low = numberText(record_.min, 3), high = numberText(record_.max, 3);
    paintCaption(painter, low, {place.left(), baseline});
    paintCaption(painter, high, {place.right() - metrics.horizontalAdvance(high), baseline});
    if (record_.min < 0 && record_.max > 0) {
        const double zero =
            place.left() - record_.min / (record_.max - record_.min) * place.width();
        painter.setPen(QPen(theme.color(Token::TextMuted), 1, Qt::DashLine));
        painter.drawLine(QPointF(zero, place.top()), QPointF(zero, place.bottom()));
        const double half = metrics.horizontalAdvance(QStringLiteral("0")) / 2;
        if (zero - half > place.left() + metrics.horizontalAdvance(low) + 6 &&
            zero + half < place.right() - metrics.horizontalAdvance(high) - 6) {
            paintCaption(painter, QStringLiteral("0"), {zero - half, baseline});
        }
    }
}

// --- heat map

HeatMapView::HeatMapView(QWidget* parent) : TensorView(parent) {
    setObjectName(QStringLiteral("heatMap"));
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
}

QSize HeatMapView::sizeHint() const {
    const Theme& theme = Theme::instance();
    const double cell =
        rows_ > 0 ? std::clamp(theme.space(45) / double(rows_), 1.0, double(theme.space(5))) : 1;
    const double height = std::clamp(cell * rows_, double(theme.space(6)), double(theme.space(60)));
    return {theme.space(50), static_cast<int>(height + scaleHeight())};
}

QRectF HeatMapView::area() const {
    return QRectF(rect()).adjusted(0, 0, 0, -scaleHeight());
}

void HeatMapView::prepare() {
    const Shape& shape = record_.slice_shape;
    rows_ = columns_ = 0;
    image_ = QImage();
    if (record_.slice.empty() || extent(shape, 0) != record_.slice.size()) {
        return;
    }
    if (shape.size() <= 2) {
        rows_ = shape.size() == 2 ? static_cast<int>(shape[0]) : 1;
        columns_ = static_cast<int>(record_.slice.size()) / std::max(1, rows_);
    } else if (shape.size() == 4 && shape[2] * shape[3] == 1) {
        rows_ = static_cast<int>(shape[0]);
        columns_ = static_cast<int>(shape[1]);
    } else { // the first sample: all leading dimensions of it above each other
        columns_ = static_cast<int>(shape[shape.size() - 1]);
        rows_ = static_cast<int>(extent(shape, 1)) / std::max(1, columns_);
    }
    const std::vector<float> part(record_.slice.begin(), record_.slice.begin() + rows_ * columns_);
    scale_ = ColourScale::of(part, false);
    image_ = QImage(columns_, rows_, QImage::Format_RGB32);
    for (int y = 0; y < rows_; ++y) {
        auto* line = reinterpret_cast<QRgb*>(image_.scanLine(y));
        for (int x = 0; x < columns_; ++x) {
            line[x] = scale_.colour(
                part[static_cast<std::size_t>(y) * std::size_t(columns_) + std::size_t(x)]);
        }
    }
}

std::int64_t HeatMapView::sliceElementAt(QPointF position) const {
    const QRectF place = area();
    if (image_.isNull() || !place.contains(position)) return -1;
    const int x =
        std::min(columns_ - 1, int((position.x() - place.left()) / place.width() * columns_));
    const int y = std::min(rows_ - 1, int((position.y() - place.top()) / place.height() * rows_));
    return std::int64_t(y) * columns_ + x;
}

QString HeatMapView::textAt(QPointF position) const {
    const std::int64_t at = sliceElementAt(position);
    if (at < 0) return {};
    return QStringLiteral("row %1, column %2\n%3")
        .arg(at / columns_)
        .arg(at % columns_)
        .arg(numberText(record_.slice[std::size_t(at)]));
}

void HeatMapView::paintEvent(QPaintEvent*) {
    if (image_.isNull()) {
        return;
    }
    QPainter painter(this);
    const QRectF place = area();
    // Enlarged cells stay sharp; more cells than pixels are averaged, so that none decides alone.
    painter.setRenderHint(QPainter::SmoothPixmapTransform,
                          image_.width() > place.width() || image_.height() > place.height());
    painter.drawImage(place, image_);
    painter.setPen(QPen(Theme::instance().color(Token::Border), 1));
    painter.drawRect(place.adjusted(0.5, 0.5, -0.5, -0.5));
    paintScale(painter, scale_,
               QRectF(0, height() - scaleHeight() + 2, width(), scaleHeight() - 2));
}

// --- image tiles

ImageTilesView::ImageTilesView(QWidget* parent) : TensorView(parent) {
    setObjectName(QStringLiteral("images"));
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
}

QSize ImageTilesView::sizeHint() const {
    return {Theme::instance().space(50), heightFor(width())};
}

ImageTilesView::Grid ImageTilesView::grid(int width) const {
    Grid grid;
    if (tiles_.empty()) {
        return grid;
    }
    const int w = tiles_.front().image.width(), h = tiles_.front().image.height();
    constexpr int gap = 3;
    const int count = static_cast<int>(tiles_.size());
    // The largest whole enlargement with which all tiles take at most about a screenful; tiles at
    // most a quarter of the width, so that they compare.
    grid.zoom = 1;
    for (int zoom = 2; zoom <= 32; ++zoom) {
        const int fit = (width + gap) / (w * zoom + gap);
        const int columns = columnsWanted_ > 0 ? columnsWanted_ : fit;
        const int rows = columns > 0 ? (count + columns - 1) / columns : count;
        const bool wide = w * zoom > std::max(width / 4, 28);
        const int tallest = columnsWanted_ > 0 ? 420 : 300;
        if (fit < 1 || columns > fit || wide ||
            rows * (h * zoom + gap) > std::max(tallest, h * zoom + gap)) {
            break;
        }
        grid.zoom = zoom;
    }
    const int fit = std::max(1, (width + gap) / (w * grid.zoom + gap));
    grid.columns =
        columnsWanted_ > 0 && columnsWanted_ <= fit ? columnsWanted_ : std::min(fit, count);
    grid.pitchX = w * grid.zoom + gap;
    grid.pitchY = h * grid.zoom + gap;
    return grid;
}

int ImageTilesView::heightFor(int width) const {
    if (tiles_.empty()) {
        return 0;
    }
    const Grid cells = grid(width);
    const int rows = (tiles() + cells.columns - 1) / cells.columns;
    const double caption =
        QFontMetricsF(Theme::instance().font(0.82)).height() + Theme::instance().space(1);
    return static_cast<int>(caption + rows * cells.pitchY + (colour_ ? 2 : scaleHeight()));
}

void ImageTilesView::prepare() {
    makeTiles();
    setFixedHeight(
        heightFor(width())); // rather than height for width, which a scroll area only half obeys
}

void ImageTilesView::makeTiles() {
    tiles_.clear();
    columnsWanted_ = 0;
    colour_ = false;
    const Shape& shape = record_.slice_shape;
    if (record_.slice.empty() || extent(shape, 0) != record_.slice.size()) {
        return;
    }
    const bool weight = isWeight(record_);
    int width = 0, height = 0;
    std::int64_t outer = 0, inner = 1;
    if (shape.size() == 4) {
        outer = shape[0];
        inner = shape[1];
        height = static_cast<int>(shape[2]);
        width = static_cast<int>(shape[3]);
    } else if (shape.size() == 2) {
        outer = shape[0];
        width = height = squareSide(shape[1]);
    }
    if (width <= 0 || height <= 0) {
        return;
    }
    colour_ = inner == 3 && (weight || shape[0] > 0) && shape.size() == 4;
    const bool pictures =
        !weight && (inner == 1 || inner == 3); // samples look like images: a strip of them
    if (!weight && !pictures) {
        outer = 1; // channels of the first sample
    }
    const std::size_t plane = std::size_t(width) * std::size_t(height);
    const bool anyNegative =
        std::any_of(record_.slice.begin(), record_.slice.end(), [](float v) { return v < 0; });
    scale_ = ColourScale::of(record_.slice, !anyNegative);
    const std::int64_t step = colour_ ? 1 : inner;
    for (std::int64_t o = 0; o < outer && tiles() < kMaxTiles; ++o) {
        for (std::int64_t i = 0; i < step && tiles() < kMaxTiles; ++i) {
            Tile tile;
            tile.offset = (std::size_t(o) * std::size_t(inner) + std::size_t(i)) * plane;
            tile.image = QImage(width, height, QImage::Format_RGB32);
            const float* values = record_.slice.data() + tile.offset;
            for (int y = 0; y < height; ++y) {
                auto* line = reinterpret_cast<QRgb*>(tile.image.scanLine(y));
                for (int x = 0; x < width; ++x) {
                    const std::size_t at = std::size_t(y) * std::size_t(width) + std::size_t(x);
                    if (colour_) {
                        const auto level = [&](std::size_t c) {
                            const double t = (values[c * plane + at] - record_.min) /
                                             std::max(1e-30, record_.max - record_.min);
                            return std::isfinite(t) ? int(std::clamp(t, 0.0, 1.0) * 255 + 0.5) : 0;
                        };
                        line[x] = qRgb(level(0), level(1), level(2));
                    } else {
                        line[x] = scale_.colour(values[at]);
                    }
                }
            }
            if (weight) {
                tile.name = step > 1 ? QStringLiteral("filter %1, input %2").arg(o).arg(i)
                                     : QStringLiteral("%1 %2")
                                           .arg(shape.size() == 4 ? QStringLiteral("filter")
                                                                  : QStringLiteral("output"))
                                           .arg(o);
            } else if (pictures) {
                tile.name = QStringLiteral("sample %1 of the batch").arg(o);
            } else {
                tile.name = QStringLiteral("channel %1").arg(i);
            }
            tiles_.push_back(std::move(tile));
        }
    }
    const std::int64_t all = weight     ? record_.shape[0] * (colour_ ? 1 : inner)
                             : pictures ? (record_.shape.empty() ? 0 : record_.shape[0])
                                        : inner;
    const QString count =
        all > tiles() ? QStringLiteral("the first %1 of %2").arg(tiles()).arg(countText(all))
                      : countText(tiles());
    if (weight && step > 1) {
        columnsWanted_ = static_cast<int>(step);
        caption_ = QStringLiteral("A row for each filter, a column for each input channel");
    } else if (weight) {
        caption_ = QStringLiteral("Filters: %1").arg(count);
    } else if (pictures) {
        caption_ = QStringLiteral("Samples of the batch: %1").arg(count);
    } else {
        caption_ = QStringLiteral("Channels of the first sample: %1").arg(count);
    }
}

const ImageTilesView::Tile* ImageTilesView::tileAt(QPointF position, int& x, int& y) const {
    if (tiles_.empty()) return nullptr;
    const Grid cells = grid(width());
    const double top =
        QFontMetricsF(Theme::instance().font(0.82)).height() + Theme::instance().space(1);
    const int column = int(position.x() / cells.pitchX),
              row = int((position.y() - top) / cells.pitchY);
    const int index = row * cells.columns + column;
    if (position.y() < top || column < 0 || column >= cells.columns || index < 0 ||
        index >= tiles())
        return nullptr;
    x = int((position.x() - column * cells.pitchX) / cells.zoom);
    y = int((position.y() - top - row * cells.pitchY) / cells.zoom);
    return &tiles_[std::size_t(index)];
}

std::int64_t ImageTilesView::sliceElementAt(QPointF position) const {
    int x = 0, y = 0;
    const Tile* tile = tileAt(position, x, y);
    if (!tile || x >= tile->image.width() || y >= tile->image.height()) return -1;
    return std::int64_t(tile->offset) + std::int64_t(y) * tile->image.width() + x;
}

QString ImageTilesView::textAt(QPointF position) const {
    int x = 0, y = 0;
    const Tile* found = tileAt(position, x, y);
    if (!found) return {};
    const Tile& tile = *found;
    if (x >= tile.image.width() || y >= tile.image.height()) return tile.name;
    const std::size_t plane = std::size_t(tile.image.width()) * std::size_t(tile.image.height());
    const std::size_t at =
        tile.offset + std::size_t(y) * std::size_t(tile.image.width()) + std::size_t(x);
    QString value = numberText(record_.slice[at]);
    if (colour_) {
        value = QStringLiteral("red %1, green %2, blue %3")
                    .arg(value, numberText(record_.slice[at + plane]),
                         numberText(record_.slice[at + 2 * plane]));
    }
    return QStringLiteral("%1\nrow %2, column %3: %4").arg(tile.name).arg(y).arg(x).arg(value);
}

void ImageTilesView::paintEvent(QPaintEvent*) {
    if (tiles_.empty()) {
        return;
    }
    QPainter painter(this);
    const Theme& theme = Theme::instance();
    const QFontMetricsF metrics(theme.font(0.82));
    const double top = metrics.height() + theme.space(1);
    paintCaption(painter, metrics.elidedText(caption_, Qt::ElideRight, width()),
                 {0, metrics.ascent()});
    const Grid cells = grid(width());
    for (std::size_t i = 0; i < tiles_.size(); ++i) {
        const QImage& image = tiles_[i].image;
        const int column = int(i) % cells.columns, row = int(i) / cells.columns;
        painter.drawImage(QRectF(column * cells.pitchX, top + row * cells.pitchY,
                                 image.width() * cells.zoom, image.height() * cells.zoom),
                          image);
    }
    if (!colour_) {
        paintScale(painter, scale_,
                   QRectF(0, height() - scaleHeight() + 2, width(), scaleHeight() - 2));
    }
}

// --- bars

BarsView::BarsView(QWidget* parent) : TensorView(parent) {
    setObjectName(QStringLiteral("bars"));
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
}

QSize BarsView::sizeHint() const {
    return {Theme::instance().space(50), Theme::instance().space(32)};
}

QRectF BarsView::area() const {
    const double text = QFontMetricsF(Theme::instance().font(0.82)).height();
    return QRectF(rect()).adjusted(0, text + 4, 0, -text - 3);
}

void BarsView::prepare() {
    values_.clear();
    const Shape& shape = record_.slice_shape;
    if (record_.slice.empty() || shape.empty()) {
        return;
    }
    const bool vector = shape.size() == 1;
    const std::size_t count = vector ? std::size_t(shape[0]) : std::size_t(shape[shape.size() - 1]);
    const std::size_t shown = std::min({count, std::size_t(kMaxBars), record_.slice.size()});
    values_.assign(record_.slice.begin(),
                   record_.slice.begin() + static_cast<std::ptrdiff_t>(shown));
    low_ = high_ = 0;
    for (const float value : values_) {
        if (std::isfinite(value)) {
            low_ = std::min<double>(low_, value);
            high_ = std::max<double>(high_, value);
        }
    }
    if (high_ - low_ <= 0) {
        high_ = 1;
    }
    const std::int64_t whole = record_.shape.empty() ? 0 : record_.shape[record_.shape.size() - 1];
    caption_ = vector && record_.value.what == ProbeWhat::Activation
                   ? QStringLiteral("Samples of the batch")
               : vector ? QStringLiteral("Values")
                        : QStringLiteral("Answers for the first sample");
    caption_ += whole > std::int64_t(shown)
                    ? QStringLiteral(": the first %1 of %2").arg(shown).arg(countText(whole))
                    : QStringLiteral(": %1").arg(shown);
}

double BarsView::valueY(double value) const {
    const QRectF place = area();
    return place.bottom() - (value - low_) / (high_ - low_) * place.height();
}

std::int64_t BarsView::sliceElementAt(QPointF position) const {
    const QRectF place = area();
    if (values_.empty() || position.x() < place.left() || position.x() >= place.right()) return -1;
    const auto bar =
        std::int64_t((position.x() - place.left()) / place.width() * double(values_.size()));
    return std::min(bar, std::int64_t(values_.size()) - 1);
}

QString BarsView::textAt(QPointF position) const {
    const std::int64_t bar = sliceElementAt(position);
    if (bar < 0) return {};
    return QStringLiteral("%1: %2").arg(bar).arg(numberText(values_[std::size_t(bar)]));
}

void BarsView::paintEvent(QPaintEvent*) {
    if (values_.empty()) {
        return;
    }
    const Theme& theme = Theme::instance();
    const QFontMetricsF metrics(theme.font(0.82));
    QPainter painter(this);
    paintCaption(painter, metrics.elidedText(caption_, Qt::ElideRight, width()),
                 {0, metrics.ascent()});
    const QRectF place = area();
    const double pitch = place.width() / double(values_.size()), zero = valueY(0);
    const double gap = pitch > 6 ? 2 : pitch > 3 ? 1 : 0;
    const auto best = std::max_element(values_.begin(), values_.end(),
                                       [](float a, float b) {
                                           return (std::isfinite(a) ? a : -3e38F) <
                                                  (std::isfinite(b) ? b : -3e38F);
                                       }) -
                      values_.begin();
    const bool answers = record_.slice_shape.size() > 1;
    for (std::size_t i = 0; i < values_.size(); ++i) {
        const double left = place.left() + pitch * double(i) + gap / 2;
        if (!std::isfinite(values_[i])) {
            painter.fillRect(QRectF(left, place.top(), pitch - gap, place.height()),
                             theme.color(Token::Error));
            continue;
        }
        const double y = valueY(values_[i]);
        QColor colour = theme.color(low_ >= 0        ? Token::Curve1
                                    : values_[i] < 0 ? Token::HeatLow
                                                     : Token::HeatHigh);
        if (answers) {
            colour = theme.color(std::ptrdiff_t(i) == best ? Token::Accent : Token::Curve1);
            colour.setAlphaF(std::ptrdiff_t(i) == best ? 1.0F : 0.45F);
        }
        painter.fillRect(
            QRectF(left, std::min(y, zero), pitch - gap, std::max(1.0, std::abs(y - zero))),
            colour);
    }
    painter.setPen(QPen(theme.color(Token::PlotGrid), 1));
    painter.drawLine(QPointF(place.left(), std::round(zero) + 0.5),
                     QPointF(place.right(), std::round(zero) + 0.5));
    // Indices under the bars, as many as have room.
    const double room = metrics.horizontalAdvance(QString::number(values_.size())) + 6;
    const auto every = std::max<std::size_t>(1, std::size_t(std::ceil(room / pitch)));
    for (std::size_t i = 0; i < values_.size(); i += every) {
        const QString text = QString::number(i);
        paintCaption(
            painter, text,
            {place.left() + pitch * (double(i) + 0.5) - metrics.horizontalAdvance(text) / 2,
             height() - metrics.descent()});
    }
    const QString range = QStringLiteral("%1 … %2").arg(numberText(low_, 3), numberText(high_, 3));
    const double width = metrics.horizontalAdvance(range);
    if (width + metrics.horizontalAdvance(caption_) + 12 < this->width()) {
        paintCaption(painter, range, {place.right() - width, metrics.ascent()});
    }
}

} // namespace wiregrad::studio

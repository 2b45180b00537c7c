#include "ui/canvas/live_layer.h"

#include <QGraphicsView>
#include <QPainter>
#include <QPointer>

#include <algorithm>
#include <cmath>

#include "ui/canvas/canvas_scene.h"
#include "ui/inspect/tensor_views.h"
#include "ui/panels/format.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

constexpr int kLookMs = 80;        // 12 a second
constexpr int kPlaneMs = 200;      // a decision boundary costs a pass of the network
constexpr double kLeastZoom = 0.4; // below it a miniature is a dot
constexpr std::size_t kMost = 40;
constexpr double kWidth = 132, kHeight = 56, kGap = 6;
constexpr int kPlaneSide = 40, kPlanePoints = 160;
constexpr int kMaps = 6, kBars = 24;

QImage mapOf(const float* values, int rows, int columns, const ColourScale& scale) {
    QImage image(columns, rows, QImage::Format_RGB32);
    for (int y = 0; y < rows; ++y) {
        auto* line = reinterpret_cast<QRgb*>(image.scanLine(y));
        for (int x = 0; x < columns; ++x)
            line[x] = scale.colour(values[std::size_t(y) * std::size_t(columns) + std::size_t(x)]);
    }
    return image;
}

} // namespace

LiveKind liveKindOf(const ProbeRecord& record) {
    const Shape& shape = record.slice_shape;
    if (record.slice.empty() || std::int64_t(record.slice.size()) != numel(shape))
        return record.histogram.empty() ? LiveKind::Nothing : LiveKind::Histogram;
    if (record.slice.size() == 1) return LiveKind::Number;
    if (shape.size() == 4 && shape[2] > 1 && shape[3] > 1)
        return shape[1] == 1 || (shape[1] == 3 && record.shape[1] == 3) ? LiveKind::Picture
                                                                        : LiveKind::Maps;
    if (shape.size() == 2 && record.shape[1] <= kBars && record.shape[1] > 1) return LiveKind::Bars;
    if (shape.size() == 3 && shape[1] > 1 && shape[2] > 1) return LiveKind::HeatMap;
    return record.histogram.empty() ? LiveKind::Nothing : LiveKind::Histogram;
}

QImage livePicture(const ProbeRecord& record, LiveKind kind) {
    const Shape& shape = record.slice_shape;
    const bool gradient = record.value.what == ProbeWhat::ActivationGradient;
    if (kind == LiveKind::Picture && shape[1] == 3) {
        QImage image(QSize(static_cast<int>(shape[3]), static_cast<int>(shape[2])),
                     QImage::Format_RGB32);
        const double span = record.max > record.min ? record.max - record.min : 1;
        const auto plane = std::size_t(shape[2] * shape[3]);
        for (std::size_t i = 0; i < plane; ++i) {
            int rgb[3];
            for (std::size_t c = 0; c < 3; ++c) {
                const double value = (double(record.slice[c * plane + i]) - record.min) / span;
                rgb[c] = std::isfinite(value) ? int(std::clamp(value, 0.0, 1.0) * 255) : 255;
            }
            image.setPixel(int(i % std::size_t(shape[3])), int(i / std::size_t(shape[3])),
                           qRgb(rgb[0], rgb[1], rgb[2]));
        }
        return image;
    }
    // A picture is grey, also where it was standardised to values below 0.
    const ColourScale scale =
        ColourScale::of(record.slice, !gradient && (record.min >= 0 || kind == LiveKind::Picture));
    if (kind == LiveKind::Picture)
        return mapOf(record.slice.data(), int(shape[2]), int(shape[3]), scale);
    if (kind == LiveKind::HeatMap)
        return mapOf(record.slice.data(), int(shape[1]), int(shape[2]), scale);
    if (kind == LiveKind::Maps) {
        const int count = int(std::min<std::int64_t>(kMaps, shape[1])), rows = int(shape[2]),
                  columns = int(shape[3]);
        QImage strip(count * (columns + 1) - 1, rows, QImage::Format_ARGB32);
        strip.fill(Qt::transparent);
        QPainter painter(&strip);
        for (int i = 0; i < count; ++i)
            painter.drawImage(i * (columns + 1), 0,
                              mapOf(record.slice.data() +
                                        std::size_t(i) * std::size_t(rows) * std::size_t(columns),
                                    rows, columns, scale));
        return strip;
    }
    return {};
}

/// One miniature, under its node.
class LiveLayer::Item : public QGraphicsItem {
  public:
    Item() {
        setZValue(50);
        setAcceptedMouseButtons(Qt::NoButton);
    }
    QRectF boundingRect() const override { return {0, 0, kWidth, kHeight}; }

    void take(const ProbeRecord& record) {
        if (taken && record_.step == record.step && record_.value == record.value) return;
        record_ = record;
        ++taken;
        if (plane_.isNull()) {
            kind = liveKindOf(record);
            picture_ = livePicture(record, kind);
        }
        update();
    }
    void takePlane(QImage plane, std::vector<std::pair<QPointF, int>> points) {
        plane_ = std::move(plane);
        points_ = std::move(points);
        kind = LiveKind::Plane;
        update();
    }
    bool hasPlane() const { return !plane_.isNull(); }

    void paint(QPainter* painter, const QStyleOptionGraphicsItem*, QWidget*) override {
        if (!taken && plane_.isNull()) return;
        const Theme& theme = Theme::instance();
        const QRectF place = boundingRect();
        painter->setRenderHint(QPainter::Antialiasing);
        painter->setPen(QPen(theme.color(Token::NodeBorder), 1));
        painter->setBrush(theme.color(Token::PlotBackground));
        painter->drawRoundedRect(place.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4);
        const QRectF inner = place.adjusted(4, 4, -4, -4);
        const bool gradient = record_.value.what == ProbeWhat::ActivationGradient;
        const QColor ink = theme.color(gradient ? Token::Curve2 : Token::Curve1);
        switch (kind) {
        case LiveKind::Maps:
        case LiveKind::Picture:
        case LiveKind::HeatMap:
            paintImage(*painter, picture_, inner);
            break;
        case LiveKind::Plane:
            paintPlane(*painter, inner);
            break;
        case LiveKind::Bars:
            paintBars(*painter, inner, ink);
            break;
        case LiveKind::Number: {
            painter->setFont(theme.font(1.1, QFont::DemiBold));
            painter->setPen(theme.color(Token::Text));
            painter->drawText(inner, Qt::AlignCenter, numberText(double(record_.slice.front())));
            break;
        }
        default:
            paintHistogram(*painter, inner, ink);
        }
        if (record_.nans + record_.infs > 0) {
            painter->setPen(QPen(theme.color(Token::Error), 2));
            painter->setBrush(Qt::NoBrush);
            painter->drawRoundedRect(place.adjusted(1, 1, -1, -1), 4, 4);
            painter->setFont(theme.font(0.8, QFont::DemiBold));
            painter->drawText(inner, Qt::AlignRight | Qt::AlignTop, QStringLiteral("NaN, ∞"));
        }
    }

    LiveKind kind = LiveKind::Nothing;
    std::int64_t taken = 0;

  private:
    static void paintImage(QPainter& painter, const QImage& image, const QRectF& place) {
        if (image.isNull()) return;
        const double scale =
            std::min(place.width() / image.width(), place.height() / image.height());
        QRectF target(0, 0, image.width() * scale, image.height() * scale);
        target.moveCenter(place.center());
        painter.drawImage(target, image);
    }

    void paintHistogram(QPainter& painter, const QRectF& place, const QColor& ink) const {
        const auto& bins = record_.histogram;
        if (bins.empty()) return;
        const auto most = double(*std::max_element(bins.begin(), bins.end()));
        if (most <= 0) return;
        painter.setRenderHint(QPainter::Antialiasing, false);
        const double pitch = place.width() / double(bins.size());
        const QRectF bars = place.adjusted(0, 0, 0, -10);
        for (std::size_t i = 0; i < bins.size(); ++i) {
            // Roots: a peak at zero does not hide everything else.
            const double height = std::sqrt(double(bins[i]) / most) * bars.height();
            painter.fillRect(QRectF(bars.left() + pitch * double(i), bars.bottom() - height,
                                    std::max(1.0, pitch - 0.5), height),
                             ink);
        }
        painter.setFont(Theme::instance().font(0.66));
        painter.setPen(Theme::instance().color(Token::TextMuted));
        painter.drawText(place, Qt::AlignLeft | Qt::AlignBottom, numberText(record_.min, 2));
        painter.drawText(place, Qt::AlignRight | Qt::AlignBottom, numberText(record_.max, 2));
    }

    void paintBars(QPainter& painter, const QRectF& place, const QColor& ink) const {
        const auto count = std::size_t(record_.slice_shape[1]);
        double low = 0, high = 0;
        for (std::size_t i = 0; i < count; ++i)
            if (std::isfinite(record_.slice[i])) {
                low = std::min(low, double(record_.slice[i]));
                high = std::max(high, double(record_.slice[i]));
            }
        if (!(high > low)) high = low + 1;
        const double pitch = place.width() / double(count);
        const auto y = [&](double value) {
            return place.bottom() - (value - low) / (high - low) * place.height();
        };
        painter.setRenderHint(QPainter::Antialiasing, false);
        for (std::size_t i = 0; i < count; ++i) {
            const double value = record_.slice[i];
            if (!std::isfinite(value)) continue;
            painter.fillRect(QRectF(place.left() + pitch * double(i) + 0.5,
                                    std::min(y(0), y(value)), pitch - 1,
                                    std::max(1.0, std::abs(y(value) - y(0)))),
                             ink);
        }
    }

    void paintPlane(QPainter& painter, const QRectF& place) const {
        QRectF square(0, 0, place.height(), place.height());
        square.moveCenter(place.center());
        painter.setRenderHint(QPainter::SmoothPixmapTransform);
        painter.drawImage(square, plane_);
        const Theme& theme = Theme::instance();
        painter.setPen(Qt::NoPen);
        for (const auto& [at, label] : points_) {
            painter.setBrush(theme.color(label > 0 ? Token::Curve2 : Token::Curve1));
            painter.drawEllipse(QPointF(square.left() + at.x() * square.width(),
                                        square.top() + at.y() * square.height()),
                                0.8, 0.8);
        }
    }

    ProbeRecord record_;
    QImage picture_, plane_;
    std::vector<std::pair<QPointF, int>> points_;
};

LiveLayer::LiveLayer(QGraphicsView& view, CanvasScene& scene, Document& document,
                     TrainSession& session)
    : QObject(&view), view_(view), scene_(scene), document_(document), session_(session) {
    timer_.setInterval(kLookMs);
    connect(&timer_, &QTimer::timeout, this, [this] { look(); });
    planeTimer_.setInterval(kPlaneMs);
    connect(&planeTimer_, &QTimer::timeout, this, [this] { askForPlane(); });
    connect(&session_, &TrainSession::probesArrived, this, [this] { refresh(); });
    connect(&session_, &TrainSession::stateChanged, this, [this] {
        if (session_.state() == train::RunState::Preparing) release();
        if (wanted()) {
            timer_.start();
            planeTimer_.start();
        }
        look();
    });
    connect(&session_, &TrainSession::travelled, this, [this] { look(); });
    connect(&document_, &Document::changed, this, [this](const graph::ChangeSet& changes) {
        if (changes.everything || changes.structural()) release();
    });
    connect(&scene_, &CanvasScene::itemsChanged, this, [this] {
        for (auto it = items_.begin(); it != items_.end();) {
            NodeItem* node = scene_.node(it->first);
            if (!node) {
                delete it->second;
                it = items_.erase(it);
                continue;
            }
            place(*node, *it->second);
            ++it;
        }
    });
}

LiveLayer::~LiveLayer() {
    std::vector<int> handles;
    for (const auto& [node, seen] : handles_)
        handles.push_back(seen.handle);
    session_.unsubscribe(handles);
}

/// Below its node; above it, or smaller, where another node is in the way.
void LiveLayer::place(const NodeItem& node, Item& item) const {
    const QRectF own = node.mapRectToScene(node.boundingRect()),
                 body = node.mapRectToScene(node.body());
    constexpr double kSmall = 0.55;
    for (const double scale : {1.0, kSmall}) {
        const QSizeF size(kWidth * scale, kHeight * scale);
        for (const bool below : {true, false}) {
            const QRectF wish(
                QPointF(body.center().x() - size.width() / 2,
                        below ? own.bottom() + kGap : own.top() - kGap - size.height()),
                size);
            const bool free =
                std::none_of(scene_.nodes().begin(), scene_.nodes().end(), [&](const auto& other) {
                    return other.second != &node &&
                           other.second->mapRectToScene(other.second->body()).intersects(wish);
                });
            if (!free && !(scale == kSmall && !below)) continue;
            item.setScale(scale);
            item.setPos(wish.topLeft());
            return;
        }
    }
}

bool LiveLayer::wanted() const {
    return on_ && view_.isVisible() && view_.transform().m11() >= kLeastZoom &&
           (session_.isActive() || session_.isTravelling());
}

void LiveLayer::setOn(bool on) {
    on_ = on;
    if (!on) release();
    look();
    if (wanted()) timer_.start();
}

void LiveLayer::setGradients(bool gradients) {
    if (gradients == gradients_) return;
    gradients_ = gradients;
    release();
    look();
}

/// Forgets what is shown: another graph, another run.
void LiveLayer::release() {
    std::vector<int> handles;
    for (const auto& [node, seen] : handles_)
        handles.push_back(seen.handle);
    handles_.clear();
    if (!handles.empty()) session_.unsubscribe(handles);
    for (const auto& [node, item] : items_)
        delete item;
    items_.clear();
}

void LiveLayer::look() {
    if (!wanted()) {
        std::vector<int> handles;
        for (const auto& [node, seen] : handles_)
            handles.push_back(seen.handle);
        handles_.clear();
        if (!handles.empty()) session_.unsubscribe(handles);
        if (!session_.isActive() && !session_.isTravelling()) {
            timer_.stop();
            planeTimer_.stop();
        }
        const bool seen = on_ && view_.transform().m11() >= kLeastZoom;
        for (const auto& [node, item] : items_)
            item->setVisible(seen);
        return;
    }
    subscribe();
}

void LiveLayer::subscribe() {
    const QRectF visible = view_.mapToScene(view_.viewport()->rect()).boundingRect();
    std::vector<ProbeRequest> fresh;
    std::vector<std::string> names;
    std::vector<int> gone;
    std::map<std::string, Seen> kept;
    for (const auto& [id, node] : scene_.nodes()) {
        if (kept.size() + fresh.size() >= kMost) break;
        const graph::Node* model = scene_.sheet().graph().node(id);
        const graph::NodeType* type = model ? graph::find_type(model->type) : nullptr;
        if (!type || model->muted || type->outputs.empty()) continue;
        const bool layer = type->role == graph::Role::Layer,
                   data = type->role == graph::Role::Dataset && !gradients_;
        if (!(layer || data) || !node->sceneBoundingRect().intersects(visible)) continue;
        ValueId value{scene_.sheet().path_of(id), type->outputs.front().id,
                      gradients_ ? ProbeWhat::ActivationGradient : ProbeWhat::Activation};
        const auto old = handles_.find(id);
        if (old != handles_.end() && old->second.value == value) {
            kept.insert(*old);
            continue;
        }
        ProbeRequest request;
        request.value = std::move(value);
        request.histogram_bins = 32;
        request.max_elements = 4096;
        request.max_per_second = 1000.0 / kLookMs;
        fresh.push_back(std::move(request));
        names.push_back(id);
    }
    for (const auto& [id, seen] : handles_)
        if (!kept.count(id)) gone.push_back(seen.handle);
    if (fresh.empty() && gone.empty()) return;
    handles_ = std::move(kept);
    const std::vector<int> handles = session_.exchange(gone, fresh);
    for (std::size_t i = 0; i < handles.size(); ++i)
        handles_[names[i]] = {handles[i], fresh[i].value};
}

void LiveLayer::refresh() {
    if (!on_) return;
    for (const auto& [id, seen] : handles_) {
        const ProbeRecord* record = session_.latest(seen.value);
        NodeItem* node = record ? scene_.node(id) : nullptr;
        if (!node) continue;
        Item*& item = items_[id];
        if (!item) {
            item = new Item;
            scene_.addItem(item);
            place(*node, *item);
        }
        item->take(*record);
    }
}

/// The plane of a problem with two features: what the network answers everywhere.
void LiveLayer::askForPlane() {
    if (!wanted() || gradients_ || asking_) return;
    std::string data;
    for (const auto& [id, seen] : handles_) {
        const graph::Node* node = scene_.sheet().graph().node(id);
        const ProbeRecord* record = session_.latest(seen.value);
        if (node && node->type == "Dataset" && record && record->shape.size() == 2 &&
            record->shape[1] == 2)
            data = id;
    }
    if (data.empty()) return;
    struct Answer {
        QImage plane;
        std::vector<std::pair<QPointF, int>> points;
    };
    auto answer = std::make_shared<Answer>();
    const QPointer<LiveLayer> alive(this);
    const QColor cold = Theme::instance().color(Token::Curve1),
                 warm = Theme::instance().color(Token::Curve2);
    asking_ = session_.withData(
        [answer, cold, warm](graph::CompiledModel& model, const TrainSession::Data& source) {
            train::BatchSource& from = source.validation ? *source.validation : *source.train;
            double reach = 0;
            const train::Batch batch = from.batch(0, 0);
            const auto values = batch.fields[0].to_vector();
            for (const double value : values)
                if (std::isfinite(value)) reach = std::max(reach, std::abs(value));
            if (!(reach > 0)) reach = 1;
            reach *= 1.1;
            Tensor grid = Tensor::empty({kPlaneSide * kPlaneSide, 2});
            for (int i = 0; i < kPlaneSide * kPlaneSide; ++i) {
                const double x = (i % kPlaneSide + 0.5) / kPlaneSide * 2 - 1,
                             y = (i / kPlaneSide + 0.5) / kPlaneSide * 2 - 1;
                grid.data_mut<float>()[2 * i] = float(x * reach);
                grid.data_mut<float>()[2 * i + 1] = float(-y * reach);
            }
            const auto outputs = model.predict(grid);
            if (outputs.empty()) return;
            const Tensor& out = outputs.front().second;
            const std::int64_t width = out.numel() / (kPlaneSide * kPlaneSide);
            const auto scores = out.to_vector();
            answer->plane = QImage(kPlaneSide, kPlaneSide, QImage::Format_RGB32);
            for (int i = 0; i < kPlaneSide * kPlaneSide; ++i) {
                const double* row = scores.data() + std::size_t(i) * std::size_t(width);
                // Two scores or one logit: how sure it is of the second class.
                const double logit = width > 1 ? row[1] - row[0] : row[0];
                const double sure = std::isfinite(logit) ? 1 / (1 + std::exp(-logit)) : 0.5;
                const auto mix = [&](int a, int b) { return int(a + (b - a) * sure); };
                answer->plane.setPixel(i % kPlaneSide, i / kPlaneSide,
                                       qRgb(mix(cold.red(), warm.red()) / 2,
                                            mix(cold.green(), warm.green()) / 2,
                                            mix(cold.blue(), warm.blue()) / 2));
            }
            const auto labels =
                batch.fields.size() > 1 ? batch.fields[1].to_vector() : std::vector<double>{};
            for (std::size_t i = 0; i < std::min<std::size_t>(values.size() / 2, kPlanePoints); ++i)
                answer->points.emplace_back(
                    QPointF(values[2 * i] / reach / 2 + 0.5, 0.5 - values[2 * i + 1] / reach / 2),
                    i < labels.size() && labels[i] > 0.5 ? 1 : 0);
        },
        [this, alive, answer, data] {
            if (!alive) return;
            asking_ = false;
            const auto item = items_.find(data);
            if (item != items_.end() && !answer->plane.isNull())
                item->second->takePlane(std::move(answer->plane), std::move(answer->points));
        });
}

LiveKind LiveLayer::kindAt(const std::string& node) const {
    const auto item = items_.find(node);
    return item == items_.end() ? LiveKind::Nothing : item->second->kind;
}

std::int64_t LiveLayer::updatesOf(const std::string& node) const {
    const auto item = items_.find(node);
    return item == items_.end() ? 0 : item->second->taken;
}

} // namespace wiregrad::studio

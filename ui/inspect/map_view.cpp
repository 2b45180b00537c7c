#include "ui/inspect/map_view.h"

#include <QMouseEvent>
#include <QPainter>
#include <QPointer>
#include <QToolTip>

#include <algorithm>
#include <cmath>

#include "datasets/loader.h"
#include "engine/core/error.h"
#include "ui/panels/format.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

constexpr int kAskMs = 1000;
constexpr std::int64_t kSamples = 200, kWidth = 512;

/// Colours of classes: six hues, and every further six a little paler.
QColor colourOf(int label) {
    constexpr Token kHues[] = {Token::Curve1, Token::Curve2, Token::Curve3,
                               Token::Curve4, Token::Curve5, Token::Curve6};
    QColor colour = Theme::instance().color(label < 0 ? Token::Curve1 : kHues[label % 6]);
    colour.setAlphaF(label >= 6 ? 0.5F : 0.9F);
    return colour;
}

} // namespace

MapView::MapView(TrainSession& session, QWidget* parent) : QWidget(parent), session_(session) {
    setObjectName(QStringLiteral("mapView"));
    setMouseTracking(true);
    QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    timer_.setInterval(kAskMs);
    connect(&timer_, &QTimer::timeout, this, [this] { ask(); });
    connect(&session, &TrainSession::frame, this, [this] { stale_ = true; });
    connect(&session, &TrainSession::travelled, this, [this] {
        stale_ = true;
        if (isVisible()) ask();
    });
    connect(&Theme::instance(), &Theme::changed, this, [this] { update(); });
}

void MapView::setValue(const ValueId& value) {
    if (value == value_) return;
    value_ = value;
    ++number_;
    asking_ = false;
    stale_ = true;
    points_ = {};
    labels_.clear();
    problem_.clear();
    update();
    if (isVisible()) ask();
}

void MapView::ask() {
    if (asking_ || !stale_ || value_.node.empty()) return;
    struct Answer {
        train::Projection points;
        std::vector<int> labels;
        QString problem;
    };
    auto answer = std::make_shared<Answer>();
    const QPointer<MapView> alive(this);
    const quint64 number = ++number_;
    asking_ = session_.withData(
        [answer, value = value_](graph::CompiledModel& model, const TrainSession::Data& data) {
            const auto* loader = dynamic_cast<const data::Loader*>(
                data.validation ? data.validation.get() : data.train.get());
            if (!loader) return;
            const data::Dataset& set = loader->dataset();
            std::vector<std::int64_t> samples;
            for (std::int64_t i = 0; i < std::min(set.size(), kSamples); ++i)
                samples.push_back(i);
            const auto rows = std::int64_t(samples.size());
            if (rows < 1) return;
            try {
                const auto fields = data::read_batch(set, samples);
                const Tensor out = model.value(value.node, value.name, fields[0]);
                if (out.dim() < 2 || out.size(0) != rows) {
                    answer->problem = tr("This value has no row for each sample.");
                    return;
                }
                // Of very many numbers some, evenly: the plane is only a view.
                const std::int64_t all = out.numel() / rows, stride = (all + kWidth - 1) / kWidth,
                                   kept = all / stride;
                const auto numbers = out.to_vector();
                std::vector<float> values;
                for (std::int64_t r = 0; r < rows; ++r)
                    for (std::int64_t i = 0; i < kept; ++i)
                        values.push_back(float(numbers[std::size_t(r * all + i * stride)]));
                answer->points = train::principal_axes(values, rows, kept);
                const bool labelled =
                    fields.size() > 1 && set.fields()[1].kind == data::FieldKind::Label;
                const auto labels = labelled ? fields[1].to_vector() : std::vector<double>{};
                for (std::int64_t r = 0; r < rows; ++r)
                    answer->labels.push_back(labelled ? int(labels[std::size_t(r)]) : -1);
            } catch (const Error& error) {
                answer->problem = QString::fromStdString(error.text());
            }
        },
        [this, alive, answer, number] {
            if (!alive || number != number_) return;
            asking_ = stale_ = false;
            points_ = std::move(answer->points);
            labels_ = std::move(answer->labels);
            problem_ = answer->problem;
            update();
        });
    if (!asking_) problem_ = tr("Train at least one step to see its samples as points.");
}

int MapView::textHeight() const {
    return int(QFontMetricsF(Theme::instance().font(0.82)).height()) + 6;
}

QSize MapView::sizeHint() const {
    const int side = Theme::instance().space(60);
    return {side, side + textHeight()};
}

QRectF MapView::area() const {
    const double side = std::max(10, std::min(width(), height() - textHeight()) - 2);
    return {(width() - side) / 2, 1, side, side};
}

QPointF MapView::placeOf(std::size_t point) const {
    double reach = 0;
    for (const auto* list : {&points_.x, &points_.y})
        for (const double value : *list)
            if (std::isfinite(value)) reach = std::max(reach, std::abs(value));
    const QRectF place = area().adjusted(6, 6, -6, -6);
    const double scale = reach > 0 ? place.width() / 2 / reach : 0;
    return {place.center().x() + points_.x[point] * scale,
            place.center().y() - points_.y[point] * scale};
}

QString MapView::textAt(QPointF position) const {
    constexpr double kNear = 7;
    double best = kNear;
    QString text;
    for (std::size_t i = 0; i < points_.x.size(); ++i) {
        if (!std::isfinite(points_.x[i])) continue;
        const QPointF away = placeOf(i) - position;
        const double distance = std::hypot(away.x(), away.y());
        if (distance >= best) continue;
        best = distance;
        text = tr("validation sample %1").arg(i);
        const auto& fields = session_.data().fields;
        const int label = labels_[i];
        if (label >= 0 && fields.size() > 1)
            text += QStringLiteral(": %1").arg(
                label < int(fields[1].class_names.size())
                    ? QString::fromStdString(fields[1].class_names[std::size_t(label)])
                    : QString::number(label));
    }
    return text;
}

void MapView::mouseMoveEvent(QMouseEvent* event) {
    const QString text = textAt(event->position());
    if (text.isEmpty())
        QToolTip::hideText();
    else
        QToolTip::showText(event->globalPosition().toPoint(), text, this);
}

void MapView::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    timer_.start();
    ask();
}

void MapView::hideEvent(QHideEvent* event) {
    timer_.stop();
    QWidget::hideEvent(event);
}

void MapView::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::instance();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QRectF place = area();
    painter.fillRect(place, theme.color(Token::PlotBackground));
    painter.setFont(theme.font(0.82));
    if (points_.x.empty()) {
        painter.setPen(theme.color(Token::TextMuted));
        painter.drawText(place.adjusted(8, 8, -8, -8), Qt::AlignCenter | Qt::TextWordWrap,
                         problem_);
        return;
    }
    painter.setPen(QPen(theme.color(Token::PlotGrid), 1));
    painter.drawLine(QPointF(place.center().x(), place.top()),
                     QPointF(place.center().x(), place.bottom()));
    painter.drawLine(QPointF(place.left(), place.center().y()),
                     QPointF(place.right(), place.center().y()));
    // Up to ten classes are their digit or initial as well, so that colour is not the only cue.
    const auto& fields = session_.data().fields;
    for (std::size_t i = 0; i < points_.x.size(); ++i) {
        if (!std::isfinite(points_.x[i])) continue;
        const QPointF at = placeOf(i);
        const int label = labels_[i];
        const QColor colour = colourOf(label);
        const bool named =
            label >= 0 && fields.size() > 1 && std::size_t(label) < fields[1].class_names.size();
        if (named) {
            painter.setPen(colour);
            painter.drawText(
                QRectF(at.x() - 8, at.y() - 8, 16, 16), Qt::AlignCenter,
                QString::fromStdString(fields[1].class_names[std::size_t(label)]).left(1));
        } else {
            painter.setPen(Qt::NoPen);
            painter.setBrush(colour);
            painter.drawEllipse(at, 3, 3);
        }
    }
    painter.setPen(theme.color(Token::TextMuted));
    painter.drawText(QRectF(0, place.bottom() + 2, width(), textHeight()), Qt::AlignCenter,
                     tr("two main directions: %1 and %2 of the spread")
                         .arg(percentText(points_.share_x, 0), percentText(points_.share_y, 0)));
}

} // namespace wiregrad::studio

#include "moc_map_view.cpp"

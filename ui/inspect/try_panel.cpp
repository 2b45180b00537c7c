#include "ui/inspect/try_panel.h"

#include <QClipboard>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QDragEnterEvent>
#include <QDropEvent>
#include <QElapsedTimer>
#include <QFileDialog>
#include <QFormLayout>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QMimeData>
#include <QMouseEvent>
#include <QPainter>
#include <QPointer>
#include <QPushButton>
#include <QScrollArea>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QStackedLayout>
#include <QTimer>
#include <QUrl>
#include <QVBoxLayout>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>

#include "datasets/loader.h"
#include "engine/train/explain.h"
#include "engine/train/scores.h"
#include "ui/inspect/results_panel.h"
#include "ui/panels/format.h"
#include "ui/panels/parts.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

constexpr int kPadSide = 280;
constexpr int kAskMs = 33;
constexpr int kMostBars = 12, kMostFeatures = 64;

/// Bars for classes, numbers for everything else, painted by hand: thirty times a second.
class AnswerView : public QWidget {
  public:
    explicit AnswerView(QWidget* parent) : QWidget(parent) {
        setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
        setMinimumHeight(Theme::instance().space(24));
        QObject::connect(&Theme::instance(), &Theme::changed, this, [this] { update(); });
    }
    void show(const TryAnswer& answer, const QStringList& names) {
        answer_ = answer;
        names_ = names;
        order_.resize(answer_.values.size());
        for (std::size_t i = 0; i < order_.size(); ++i)
            order_[i] = i;
        // Few classes keep their places, so that bars do not jump; of many, or where there is no
        // room, the best are shown.
        const auto line = double(QFontMetrics(Theme::instance().font(0.95)).height());
        const auto fit =
            std::clamp<std::size_t>(std::size_t(height() / line), 3, std::size_t(kMostBars));
        if (order_.size() > fit) {
            std::partial_sort(order_.begin(), order_.begin() + std::ptrdiff_t(fit), order_.end(),
                              [this](std::size_t a, std::size_t b) {
                                  return answer_.values[a] > answer_.values[b];
                              });
            order_.resize(fit);
        }
        updateGeometry();
        update();
    }
    QSize sizeHint() const override {
        const Theme& theme = Theme::instance();
        const int rows = std::max(3, int(order_.size()));
        return {theme.space(50),
                answer_.picture.isNull() ? rows * theme.space(6) : theme.space(40)};
    }
    QString name(std::size_t i) const {
        return int(i) < names_.size() ? names_[int(i)] : QString::number(i);
    }

  protected:
    void paintEvent(QPaintEvent*) override {
        const Theme& theme = Theme::instance();
        QPainter painter(this);
        if (!answer_.picture.isNull()) {
            const int side = std::min(width(), height());
            painter.drawImage(QRect((width() - side) / 2, 0, side, side), answer_.picture);
            return;
        }
        if (order_.empty()) return;
        const QFont font = theme.font(0.95);
        const QFontMetricsF metrics(font);
        double label = 0;
        for (const std::size_t i : order_)
            label = std::max(label, metrics.horizontalAdvance(name(i)));
        label = std::min(label, width() * 0.4);
        const double number = QFontMetricsF(theme.font(0.95, QFont::DemiBold))
                                  .horizontalAdvance(QStringLiteral("100.0 %")) +
                              2;
        const double row = std::min(double(theme.space(7)), height() / double(order_.size()));
        const double left = label + theme.space(2),
                     room = std::max(8.0, width() - left - number - theme.space(2));
        const std::size_t best =
            std::size_t(std::max_element(answer_.values.begin(), answer_.values.end()) -
                        answer_.values.begin());
        double y = 0;
        for (const std::size_t i : order_) {
            const double value = answer_.values[i];
            const bool top = answer_.classes && i == best;
            painter.setFont(top ? theme.font(0.95, QFont::DemiBold) : font);
            painter.setPen(theme.color(top ? Token::Text : Token::TextMuted));
            const double baseline = y + row / 2 + (metrics.ascent() - metrics.descent()) / 2;
            painter.drawText(QPointF(0, baseline),
                             metrics.elidedText(name(i), Qt::ElideRight, label));
            if (answer_.classes) {
                const QRectF bar(left, y + row * 0.22, room, row * 0.56);
                painter.fillRect(bar, theme.color(Token::PlotGrid));
                if (std::isfinite(value))
                    painter.fillRect(
                        QRectF(bar.left(), bar.top(), bar.width() * value, bar.height()),
                        theme.color(top ? Token::Accent : Token::Curve1));
            }
            painter.setPen(theme.color(top || !answer_.classes ? Token::Text : Token::TextMuted));
            const QString text =
                answer_.classes && std::isfinite(value) ? percentText(value, 1) : numberText(value);
            painter.drawText(QRectF(width() - number, y, number, row),
                             Qt::AlignRight | Qt::AlignVCenter, text);
            y += row;
        }
    }

  private:
    TryAnswer answer_;
    QStringList names_;
    std::vector<std::size_t> order_;
};

} // namespace

Tensor sampleOf(const QImage& picture, const data::Field& field,
                const data::Normalization& normalization) {
    const std::int64_t channels = field.shape[0], rows = field.shape[1], columns = field.shape[2];
    Tensor x = Tensor::zeros({1, channels, rows, columns});
    const QImage scaled =
        picture.scaled(int(columns), int(rows), Qt::IgnoreAspectRatio, Qt::SmoothTransformation)
            .convertToFormat(QImage::Format_RGB32);
    for (std::int64_t c = 0; c < channels; ++c) {
        const auto at = std::size_t(c);
        const double mean = at < normalization.mean.size() ? normalization.mean[at] : 0,
                     std = at < normalization.std.size() ? normalization.std[at] : 1;
        for (std::int64_t i = 0; i < rows * columns; ++i) {
            const QRgb pixel = scaled.pixel(int(i % columns), int(i / columns));
            const int value = channels == 1 ? qGray(pixel)
                              : c == 0      ? qRed(pixel)
                              : c == 1      ? qGreen(pixel)
                                            : qBlue(pixel);
            x.data_mut<float>()[c * rows * columns + i] = float((value / 255.0 - mean) / std);
        }
    }
    return x;
}

// --- the surface

DrawPad::DrawPad(QWidget* parent)
    : QWidget(parent), image_(kPadSide, kPadSide, QImage::Format_RGB32) {
    image_.fill(Qt::black);
    setCursor(Qt::CrossCursor);
    setAccessibleName(tr("Surface to draw on"));
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Preferred);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    setMinimumSize(Theme::instance().space(30), Theme::instance().space(30));
    setMaximumSize(Theme::instance().space(80), Theme::instance().space(80));
}

QSize DrawPad::sizeHint() const {
    return {Theme::instance().space(50), Theme::instance().space(50)};
}

QRectF DrawPad::surface() const {
    const double side = std::min(width(), height());
    return {(width() - side) / 2, (height() - side) / 2, side, side};
}

QPointF DrawPad::unit(QPointF view) const {
    const QRectF place = surface();
    return {(view.x() - place.left()) / place.width(), (view.y() - place.top()) / place.height()};
}

void DrawPad::setHeat(const QImage& heat) {
    heat_ = heat;
    update();
}

void DrawPad::clear() {
    image_.fill(Qt::black);
    heat_ = QImage();
    touched_ = false;
    update();
    emit drawn();
}

void DrawPad::setPicture(const QImage& picture) {
    image_.fill(Qt::black);
    if (!picture.isNull()) {
        const QImage scaled = picture.scaled(
            image_.size(), Qt::KeepAspectRatio,
            picture.width() < kPadSide / 2 ? Qt::FastTransformation : Qt::SmoothTransformation);
        QPainter painter(&image_);
        painter.drawImage((kPadSide - scaled.width()) / 2, (kPadSide - scaled.height()) / 2,
                          scaled);
        touched_ = true;
    }
    update();
    emit drawn();
}

QImage DrawPad::picture(QSize size, bool grey) const {
    const QImage scaled = image_.scaled(size, Qt::IgnoreAspectRatio, Qt::SmoothTransformation);
    return scaled.convertToFormat(grey ? QImage::Format_Grayscale8 : QImage::Format_RGB32);
}

void DrawPad::stroke(QPointF from, QPointF to) {
    QPainter painter(&image_);
    painter.setRenderHint(QPainter::Antialiasing);
    // As thick as the strokes of handwritten digits: a twelfth of the side.
    painter.setPen(QPen(erasing_ ? Qt::black : Qt::white, kPadSide / (erasing_ ? 8.0 : 12.0),
                        Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    painter.drawLine(from * kPadSide, to * kPadSide + QPointF(0.01, 0));
    painter.end(); // who listens reads the picture
    touched_ = true;
    update();
    emit drawn();
}

void DrawPad::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::instance();
    QPainter painter(this);
    const QRectF place = surface();
    painter.drawImage(place, image_);
    if (!heat_.isNull()) {
        painter.setRenderHint(QPainter::SmoothPixmapTransform);
        painter.drawImage(place, heat_);
    }
    painter.setPen(QPen(theme.color(Token::Border), 1));
    painter.drawRect(place.adjusted(0.5, 0.5, -0.5, -0.5));
    if (!touched_) {
        painter.setPen(QColor(150, 150, 150));
        painter.setFont(theme.font(0.95));
        painter.drawText(place, Qt::AlignCenter | Qt::TextWordWrap, tr("Draw here"));
    }
}

void DrawPad::mousePressEvent(QMouseEvent* event) {
    drawing_ = event->button() == Qt::LeftButton || event->button() == Qt::RightButton;
    erasing_ = event->button() == Qt::RightButton;
    last_ = unit(event->position());
    if (drawing_) stroke(last_, last_);
}

void DrawPad::mouseMoveEvent(QMouseEvent* event) {
    if (!drawing_) return;
    const QPointF now = unit(event->position());
    stroke(last_, now);
    last_ = now;
}

void DrawPad::mouseReleaseEvent(QMouseEvent*) {
    drawing_ = erasing_ = false;
}

// --- the panel

struct TryPanel::Impl {
    Document& document;
    TrainSession& session;
    TryPanel* q;
    QStackedLayout* pages = nullptr;
    EmptyState* empty = nullptr;
    QStackedLayout* inputs = nullptr;
    QBoxLayout* halves = nullptr;
    DrawPad* pad = nullptr;
    QWidget* form = nullptr;
    QFormLayout* rows = nullptr;
    std::vector<QDoubleSpinBox*> features;
    QLineEdit* text = nullptr;
    QSpinBox* sample = nullptr;
    TextLabel *truth = nullptr, *headline = nullptr, *speed = nullptr;
    AnswerView* view = nullptr;
    QComboBox* how = nullptr;
    QElapsedTimer explained;
    QTimer timer;
    TryAnswer answer;
    std::int64_t count = 0;
    bool asking = false, stale = true, drawn = false;
    std::vector<data::Field> fields;
    Tensor exact; ///< a sample of the data, until the input is changed by hand

    Impl(Document& doc, TrainSession& run, TryPanel* panel)
        : document(doc), session(run), q(panel) {}

    const data::Field* input() const { return fields.empty() ? nullptr : &fields.front(); }
    QStringList classNames() const {
        QStringList names;
        if (fields.size() > 1)
            for (const std::string& name : fields[1].class_names)
                names << QString::fromStdString(name);
        return names;
    }
    void configure();
    void changed() {
        exact = Tensor();
        truth->setText({});
        stale = true;
    }
    Tensor tensor() const;
    void ask();
    std::function<QImage(graph::CompiledModel&)> explanation(const Tensor& x);
};

/// The input that the run's data call for.
void TryPanel::Impl::configure() {
    const std::vector<data::Field>& now = session.data().fields;
    if (now.empty()) {
        fields.clear();
        empty->setTexts(tr("Press Run, then try it yourself"),
                        tr("Draw, open a picture or type numbers here, and see the network's "
                           "answer change while it learns."));
        pages->setCurrentIndex(0);
        return;
    }
    const bool same = fields.size() == now.size() && !fields.empty() &&
                      fields[0].shape == now[0].shape && fields[0].kind == now[0].kind &&
                      fields[0].feature_names == now[0].feature_names;
    fields = now;
    stale = true;
    if (!same) {
        exact = Tensor();
        truth->setText({});
        while (rows->rowCount() > 0)
            rows->removeRow(0);
        features.clear();
        how->hide(); // there is nothing to lay it over
        pad->setHeat({});
        const data::Field& x = fields.front();
        if (x.kind == data::FieldKind::Image) {
            inputs->setCurrentIndex(0);
            how->show();
        } else if (x.kind == data::FieldKind::Tokens) {
            inputs->setCurrentIndex(2);
        } else {
            inputs->setCurrentIndex(1);
            const std::int64_t count = std::min<std::int64_t>(numel(x.shape), kMostFeatures);
            for (std::int64_t i = 0; i < count; ++i) {
                auto* box = new QDoubleSpinBox(form);
                box->setRange(-1e9, 1e9);
                box->setDecimals(3);
                box->setSingleStep(0.1);
                const auto at = std::size_t(i);
                const QString name = at < x.feature_names.size()
                                         ? QString::fromStdString(x.feature_names[at])
                                         : tr("x%1").arg(i + 1);
                box->setAccessibleName(name);
                if (at < session.data().normalization.mean.size())
                    box->setValue(session.data().normalization.mean[at]);
                QObject::connect(box, &QDoubleSpinBox::valueChanged, q, [this] { changed(); });
                rows->addRow(name, box);
                features.push_back(box);
            }
        }
    }
    pages->setCurrentIndex(1);
}

Tensor TryPanel::Impl::tensor() const {
    if (exact.defined()) return exact;
    const data::Field& x = fields.front();
    const data::Normalization& norm = session.data().normalization;
    if (x.kind == data::FieldKind::Image)
        return sampleOf(pad->picture(QSize(int(x.shape[2]), int(x.shape[1])), x.shape[0] == 1), x,
                        norm);
    Shape shape = x.shape;
    shape.insert(0, 1);
    if (x.kind == data::FieldKind::Tokens) {
        // The end of what was typed, as the data number its characters; the first of them before.
        Tensor tokens = Tensor::zeros(shape, DType::Int64);
        const std::u32string typed = text->text().toStdU32String();
        const std::int64_t length = numel(x.shape);
        const auto count = std::min<std::int64_t>(length, std::int64_t(typed.size()));
        for (std::int64_t i = 0; i < count; ++i) {
            const QString letter =
                QString::fromUcs4(&typed[typed.size() - std::size_t(count) + std::size_t(i)], 1);
            const auto found =
                std::find(x.class_names.begin(), x.class_names.end(), letter.toStdString());
            if (found != x.class_names.end())
                tokens.data_mut<std::int64_t>()[length - count + i] = found - x.class_names.begin();
        }
        return tokens;
    }
    Tensor row = Tensor::zeros(shape);
    for (std::size_t i = 0; i < features.size(); ++i) {
        const double mean = i < norm.mean.size() ? norm.mean[i] : 0,
                     std = i < norm.std.size() ? norm.std[i] : 1;
        row.data_mut<float>()[i] = float((features[i]->value() - mean) / std);
    }
    return row;
}

/// What paints the heat over the surface, or nothing where there is none to paint now.
std::function<QImage(graph::CompiledModel&)> TryPanel::Impl::explanation(const Tensor& x) {
    constexpr qint64 kEveryMs = 250; // each costs several passes
    const auto mode = Explain(how->currentIndex());
    if (mode == Explain::Nothing || x.dim() != 4 ||
        (session.state() == train::RunState::Running && explained.isValid() &&
         explained.elapsed() < kEveryMs))
        return {};
    explained.start();
    // The last convolution that is wired, for Grad-CAM.
    train::ValuePlace maps;
    std::map<std::string, std::string> ports;
    for (const std::string& id : document.graph().topological_order()) {
        const graph::Node* node = document.graph().node(id);
        const graph::NodeType* type = node ? graph::find_type(node->type) : nullptr;
        if (!type || type->outputs.empty()) continue;
        ports[id] = type->outputs.front().id;
        if (node->type == "Conv2d" && !node->muted) maps = {id, type->outputs.front().id};
    }
    if (mode == Explain::GradCam && maps.node.empty()) return {};
    train::Batch batch{{x}, {0}};
    for (std::size_t i = 1; i < fields.size(); ++i) {
        Shape shape = fields[i].shape;
        shape.insert(0, 1);
        batch.fields.push_back(Tensor::zeros(shape, fields[i].dtype)); // any label will do
    }
    const QColor hot = Theme::instance().color(Token::HeatHigh),
                 cold = Theme::instance().color(Token::HeatLow);
    const auto best =
        answer.values.empty()
            ? std::int64_t(0)
            : std::int64_t(std::max_element(answer.values.begin(), answer.values.end()) -
                           answer.values.begin());
    return [=](graph::CompiledModel& model) {
        const auto outputs = model.predict(x);
        if (outputs.empty()) return QImage();
        const std::string& node = outputs.front().first;
        const train::ValuePlace scores{node, ports.count(node) ? ports.at(node) : "out"};
        const train::Question question{
            batch, scores, std::min<std::int64_t>(best, outputs.front().second.numel() - 1)};
        const std::int64_t side = std::max<std::int64_t>(1, x.size(3) / 6);
        Tensor heat =
            mode == Explain::Saliency ? train::saliency(model, question)
            : mode == Explain::IntegratedGradients
                ? train::integrated_gradients(model, question, 16)
            : mode == Explain::GradCam
                ? train::grad_cam(model, question, maps)
                : train::occlusion(model, question, side, std::max<std::int64_t>(1, side / 2),
                                   float(x.to_vector()[0]));
        const std::int64_t rows = heat.size(heat.dim() - 2), columns = heat.size(heat.dim() - 1);
        const auto values = heat.to_vector();
        std::vector<double> sum(std::size_t(rows * columns), 0); // over channels
        for (std::size_t i = 0; i < values.size(); ++i)
            sum[i % sum.size()] += values[i];
        double top = 0;
        for (const double value : sum)
            if (std::isfinite(value)) top = std::max(top, std::abs(value));
        QImage image(int(columns), int(rows), QImage::Format_ARGB32);
        image.fill(Qt::transparent);
        for (std::size_t i = 0; top > 0 && i < sum.size(); ++i) {
            const double share = std::isfinite(sum[i]) ? std::abs(sum[i]) / top : 0;
            const QColor& colour = sum[i] >= 0 ? hot : cold;
            image.setPixel(int(i % std::size_t(columns)), int(i / std::size_t(columns)),
                           qRgba(colour.red(), colour.green(), colour.blue(), int(share * 215)));
        }
        return image;
    };
}

void TryPanel::Impl::ask() {
    if (asking || !q->isVisible() || !input()) return;
    const bool moves = session.state() == train::RunState::Running;
    if (!moves && !stale) return;
    if (session.state() == train::RunState::Preparing) return;
    auto result = std::make_shared<TryAnswer>();
    const QPointer<TryPanel> alive(q);
    const Tensor given = tensor();
    auto heat = std::make_shared<QImage>();
    asking = session.withModel(
        [result, heat, x = given, how = explanation(given)](graph::CompiledModel& model) {
            const auto start = std::chrono::steady_clock::now();
            const auto outputs = model.predict(x);
            if (outputs.empty()) return;
            const auto& [node, out] = outputs.front();
            result->classes = model.predicts_classes(node);
            if (out.dim() == 4 && out.size(2) > 1 && out.size(3) > 1) {
                result->picture = sampleImage(out, 0, 1);
            } else {
                const std::int64_t width = out.dim() > 0 ? out.size(out.dim() - 1) : 1;
                const auto values = out.to_vector();
                std::vector<float> scores(
                    values.end() - std::min<std::ptrdiff_t>(std::ptrdiff_t(width),
                                                            std::ptrdiff_t(values.size())),
                    values.end());
                result->values = result->classes ? train::probabilities_of(scores) : scores;
            }
            result->milliseconds =
                std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
                    .count();
            if (how) *heat = how(model);
        },
        [this, alive, result, heat] {
            if (!alive) return;
            asking = false;
            ++count;
            answer = *result;
            if (!heat->isNull()) pad->setHeat(*heat);
            view->show(answer, answer.classes ? classNames() : QStringList());
            headline->setText(q->answerText());
            speed->setText(tr("%1 ms an answer").arg(answer.milliseconds, 0, 'f', 1));
        });
    if (asking) stale = false;
}

TryPanel::TryPanel(Document& document, TrainSession& session, QWidget* parent)
    : QWidget(parent), d(std::make_unique<Impl>(document, session, this)) {
    setObjectName(QStringLiteral("tryPanel"));
    setBackground(this, Token::Panel);
    setAcceptDrops(true);
    const Theme& theme = Theme::instance();
    d->pages = new QStackedLayout(this);
    d->empty = new EmptyState(QStringLiteral("star"), {}, {}, this);
    d->pages->addWidget(d->empty);
    auto* page = new QWidget(this);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(theme.space(3), theme.space(2), theme.space(3), theme.space(3));
    column->setSpacing(theme.space(2));

    auto* inputHost = new QWidget(page);
    d->inputs = new QStackedLayout(inputHost);
    auto* drawing = new QWidget(inputHost);
    auto* drawColumn = new QVBoxLayout(drawing);
    drawColumn->setContentsMargins(0, 0, 0, 0);
    d->pad = new DrawPad(drawing);
    drawColumn->addWidget(d->pad, 1, Qt::AlignHCenter);
    auto* buttons = new QHBoxLayout;
    const auto button = [&](const QString& text, const char* name, const QString& tip) {
        auto* one = new QPushButton(text, drawing);
        one->setObjectName(QLatin1String(name));
        one->setToolTip(tip);
        buttons->addWidget(one);
        return one;
    };
    QPushButton* clear = button(tr("Clear"), "tryClear", tr("Start with an empty surface"));
    QPushButton* open = button(tr("Open …"), "tryOpen", tr("Try a picture from a file"));
    QPushButton* paste = button(tr("Paste"), "tryPaste", tr("Try the picture in the clipboard"));
    drawColumn->addLayout(buttons);
    d->inputs->addWidget(drawing);
    auto* scroll = new QScrollArea(inputHost);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setWidgetResizable(true);
    d->form = new QWidget(scroll);
    d->rows = new QFormLayout(d->form);
    d->rows->setContentsMargins(0, 0, 0, 0);
    scroll->setWidget(d->form);
    setBackground(scroll->viewport(), Token::Panel);
    d->inputs->addWidget(scroll);
    auto* typing = new QWidget(inputHost);
    auto* typeColumn = new QVBoxLayout(typing);
    typeColumn->setContentsMargins(0, 0, 0, 0);
    d->text = new QLineEdit(typing);
    d->text->setPlaceholderText(tr("Type a text"));
    d->text->setObjectName(QStringLiteral("tryText"));
    typeColumn->addWidget(d->text);
    typeColumn->addStretch(1);
    d->inputs->addWidget(typing);
    // Side by side in a low panel, one above the other in a tall one.
    d->halves = new QBoxLayout(QBoxLayout::TopToBottom);
    d->halves->setSpacing(theme.space(3));
    auto* left = new QVBoxLayout;
    auto* right = new QVBoxLayout;
    left->setSpacing(theme.space(2));
    right->setSpacing(theme.space(2));
    d->halves->addLayout(left, 1);
    d->halves->addLayout(right, 1);
    column->addLayout(d->halves, 1);
    left->addWidget(inputHost, 1);

    auto* sampleRow = new QHBoxLayout;
    sampleRow->addWidget(
        new TextLabel(tr("or sample"), Token::TextMuted, 0.92, QFont::Normal, page));
    d->sample = new QSpinBox(page);
    d->sample->setRange(0, 1'000'000'000);
    d->sample->setObjectName(QStringLiteral("trySample"));
    d->sample->setToolTip(tr("A sample of the validation data by its number"));
    sampleRow->addWidget(d->sample);
    d->truth = new TextLabel({}, Token::TextMuted, 0.92, QFont::Normal, page);
    d->truth->setObjectName(QStringLiteral("tryTruth"));
    sampleRow->addWidget(d->truth, 1);
    left->addLayout(sampleRow);
    d->how = new QComboBox(page);
    d->how->setObjectName(QStringLiteral("tryExplain"));
    d->how->setAccessibleName(tr("Explain the answer"));
    d->how->addItems({tr("Do not explain"), tr("Saliency: what a small change would do"),
                      tr("Integrated gradients: what each pixel adds"),
                      tr("Grad-CAM: where the last maps look"),
                      tr("Occlusion: what is missed when covered")});
    d->how->setMinimumContentsLength(12);
    d->how->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    left->addWidget(d->how);
    connect(d->how, &QComboBox::currentIndexChanged, this, [this](int index) {
        if (index == 0) d->pad->setHeat({});
        d->explained.invalidate();
        d->stale = true;
    });
    d->headline = new TextLabel({}, Token::Text, 1.3, QFont::DemiBold, page);
    d->headline->setObjectName(QStringLiteral("tryAnswer"));
    right->addWidget(d->headline);
    d->view = new AnswerView(page);
    right->addWidget(d->view, 1);
    d->speed = new TextLabel({}, Token::TextMuted, 0.85, QFont::Normal, page);
    right->addWidget(d->speed);
    d->pages->addWidget(page);

    connect(d->pad, &DrawPad::drawn, this, [this] {
        if (!d->drawn) d->changed();
    });
    connect(clear, &QPushButton::clicked, d->pad, &DrawPad::clear);
    connect(open, &QPushButton::clicked, this, [this] {
        const QString path = QFileDialog::getOpenFileName(
            this, tr("Open a picture"), {}, tr("Pictures (*.png *.jpg *.jpeg *.bmp *.gif)"));
        if (!path.isEmpty()) openPicture(path);
    });
    connect(paste, &QPushButton::clicked, this, [this] {
        const QImage picture = QGuiApplication::clipboard()->image();
        if (picture.isNull())
            d->headline->setText(tr("The clipboard holds no picture."));
        else
            d->pad->setPicture(picture);
    });
    connect(d->text, &QLineEdit::textChanged, this, [this] { d->changed(); });
    connect(d->sample, &QSpinBox::valueChanged, this, [this](int index) { takeSample(index); });
    d->timer.setInterval(kAskMs);
    connect(&d->timer, &QTimer::timeout, this, [this] { d->ask(); });
    connect(&session, &TrainSession::stateChanged, this, [this] {
        d->stale = true;
        d->configure();
    });
    connect(&session, &TrainSession::travelled, this, [this] { d->stale = true; });
    connect(&document, &Document::changed, this, [this](const graph::ChangeSet& changes) {
        if (changes.everything) {
            d->fields.clear();
            d->answer = {};
            d->configure();
        }
    });
    d->configure();
}

TryPanel::~TryPanel() = default;

DrawPad* TryPanel::pad() const {
    return d->pad;
}

const TryAnswer& TryPanel::answer() const {
    return d->answer;
}

std::int64_t TryPanel::answers() const {
    return d->count;
}

QString TryPanel::answerText() const {
    const TryAnswer& answer = d->answer;
    if (!answer.picture.isNull()) return tr("Its picture of it");
    if (answer.values.empty()) return {};
    if (!answer.classes)
        return answer.values.size() == 1 ? numberText(double(answer.values.front()))
                                         : tr("%1 numbers").arg(answer.values.size());
    const auto best = std::max_element(answer.values.begin(), answer.values.end());
    const auto at = int(best - answer.values.begin());
    if (!std::isfinite(*best)) return tr("No answer: not a number");
    const QStringList names = d->classNames();
    return QStringLiteral("%1 (%2)").arg(at < names.size() ? names[at] : QString::number(at),
                                         percentText(double(*best), 1));
}

void TryPanel::setFeature(int index, double value) {
    if (index >= 0 && index < int(d->features.size()))
        d->features[std::size_t(index)]->setValue(value);
}

void TryPanel::explain(Explain how) {
    d->how->setCurrentIndex(int(how));
}

bool TryPanel::openPicture(const QString& path) {
    const QImage picture(path);
    if (picture.isNull()) {
        d->headline->setText(tr("This file holds no picture that can be read."));
        return false;
    }
    d->pad->setPicture(picture);
    return true;
}

void TryPanel::takeSample(std::int64_t index, bool training) {
    struct Found {
        Tensor x;
        double label = -1;
        bool labelled = false;
    };
    auto found = std::make_shared<Found>();
    const QPointer<TryPanel> alive(this);
    d->session.withData(
        [found, index, training](graph::CompiledModel&, const TrainSession::Data& data) {
            const auto* loader = dynamic_cast<const data::Loader*>(
                data.validation && !training ? data.validation.get() : data.train.get());
            if (!loader || loader->dataset().size() < 1) return;
            const std::int64_t one[] = {index % loader->dataset().size()};
            const auto fields = data::read_batch(loader->dataset(), one);
            found->x = fields.front();
            if (fields.size() > 1 && fields[1].numel() == 1) {
                found->label = fields[1].item();
                found->labelled = true;
            }
        },
        [this, alive, found] {
            if (!alive || !found->x.defined() || !d->input()) return;
            if (d->input()->kind == data::FieldKind::Image) {
                d->drawn = true; // the sample itself is asked, not its picture on the surface
                d->pad->setPicture(sampleImage(found->x, 0, 1));
                d->drawn = false;
            } else {
                const auto values = found->x.to_vector();
                const data::Normalization& norm = d->session.data().normalization;
                for (std::size_t i = 0; i < d->features.size() && i < values.size(); ++i) {
                    const QSignalBlocker block(d->features[i]);
                    const double mean = i < norm.mean.size() ? norm.mean[i] : 0,
                                 std = i < norm.std.size() ? norm.std[i] : 1;
                    d->features[i]->setValue(values[i] * std + mean);
                }
            }
            d->exact = found->x;
            d->stale = true;
            const QStringList names = d->classNames();
            const auto at = int(found->label);
            d->truth->setText(!found->labelled ? QString()
                                               : tr("truth: %1")
                                                     .arg(at >= 0 && at < names.size()
                                                              ? names[at]
                                                              : numberText(found->label)));
        });
}

void TryPanel::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    d->stale = true;
    d->configure();
    d->timer.start();
}

void TryPanel::resizeEvent(QResizeEvent* event) {
    d->halves->setDirection(height() < width() * 13 / 10 ? QBoxLayout::LeftToRight
                                                         : QBoxLayout::TopToBottom);
    QWidget::resizeEvent(event);
}

void TryPanel::hideEvent(QHideEvent* event) {
    d->timer.stop();
    QWidget::hideEvent(event);
}

void TryPanel::dragEnterEvent(QDragEnterEvent* event) {
    if (event->mimeData()->hasUrls() || event->mimeData()->hasImage())
        event->acceptProposedAction();
}

void TryPanel::dropEvent(QDropEvent* event) {
    if (event->mimeData()->hasImage())
        d->pad->setPicture(qvariant_cast<QImage>(event->mimeData()->imageData()));
    else if (!event->mimeData()->urls().isEmpty())
        openPicture(event->mimeData()->urls().front().toLocalFile());
    event->acceptProposedAction();
}

} // namespace wiregrad::studio

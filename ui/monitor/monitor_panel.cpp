#include "ui/monitor/monitor_panel.h"

#include <QAction>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QElapsedTimer>
#include <QFileDialog>
#include <QGuiApplication>
#include <QMenu>
#include <QMessageBox>
#include <QSaveFile>
#include <QSlider>
#include <QStackedLayout>
#include <QToolButton>
#include <QVBoxLayout>

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/core/error.h"
#include "ui/monitor/curve_plot.h"
#include "ui/monitor/meters.h"
#include "ui/panels/format.h"
#include "ui/panels/parts.h"

namespace wiregrad::studio {

namespace {

double peakMemoryBytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) * 1024; // kilobytes on Linux
}

/// The metric node behind a curve's name ("accuracy", "top 5"): the session makes names of node
/// names and types.
const graph::Node* nodeOf(const graph::Graph& graph, const std::string& name) {
    const QString wanted = QString::fromStdString(name);
    for (const auto& [id, node] : graph.nodes()) {
        const QString own =
            QString::fromStdString(node.name.empty() ? node.type : node.name).toLower();
        if (wanted == own || wanted == QString::fromStdString(id) ||
            wanted == own + QLatin1Char(' ') + QString::fromStdString(id)) {
            return &node;
        }
    }
    return nullptr;
}

QString titleOf(const graph::Graph& graph, const std::string& name) {
    QString title = QString::fromStdString(name);
    if (const graph::Node* node = nodeOf(graph, name)) {
        const graph::NodeType* type = graph::find_type(node->type);
        title = !node->name.empty() ? QString::fromStdString(node->name)
                : type              ? QString::fromStdString(type->label)
                                    : title;
    }
    if (!title.isEmpty()) {
        title[0] = title[0].toUpper();
    }
    return title;
}

bool isFraction(const graph::Graph& graph, const std::string& name) {
    const graph::Node* node = nodeOf(graph, name);
    return QString::fromStdString(name).contains(QStringLiteral("accuracy"), Qt::CaseInsensitive) ||
           (node && QString::fromStdString(node->type).contains(QStringLiteral("Accuracy")));
}

/// Two widgets side by side, or above each other where there is no width.
class Pair : public QWidget {
  public:
    /// In a panel lower than `lowest` they always stay side by side.
    explicit Pair(int lowest)
        : lowest_(lowest), box_(new QBoxLayout(QBoxLayout::LeftToRight, this)) {
        box_->setContentsMargins(0, 0, 0, 0);
        box_->setSpacing(Theme::instance().space(5));
    }
    void add(QWidget* widget, int stretch) { box_->addWidget(widget, stretch); }

  protected:
    void resizeEvent(QResizeEvent* event) override {
        const bool narrow = width() < Theme::instance().space(130) && panelHeight() > lowest_;
        box_->setDirection(narrow ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
        QWidget::resizeEvent(event);
    }

  private:
    int panelHeight() const { return parentWidget() ? parentWidget()->height() : height(); }
    int lowest_;
    QBoxLayout* box_;
};

} // namespace

struct MonitorPanel::Impl {
    Impl(Document& doc, TrainSession& run, MonitorPanel* panel)
        : document(doc), session(run), q(panel) {}

    Document& document;
    TrainSession& session;
    MonitorPanel* q;
    QStackedLayout* pages = nullptr;
    EmptyState* empty = nullptr;
    MeterRow* meters = nullptr;
    QSlider* smoothing = nullptr;
    QToolButton* logarithm = nullptr;
    Pair* pair = nullptr;
    CurvePlot *loss = nullptr, *metric = nullptr;
    PlotLegend *lossLegend = nullptr, *metricLegend = nullptr;
    train::RunState state = train::RunState::Idle;
    QString configured; ///< what the plots show now
    std::uint64_t revision = 0;
    QElapsedTimer memoryClock;
    double memory = 0;

    bool hasData() const;
    void configure();
    void refresh();
    void refreshMeters();
    void refreshEmpty();
    QWidget* withLegend(CurvePlot* plot, PlotLegend*& legend);
    void saveAs(bool picture);
};

bool MonitorPanel::Impl::hasData() const {
    const std::vector<std::string> names = session.metrics().names();
    return std::any_of(names.begin(), names.end(), [this](const std::string& name) {
        const Curve* curve = session.metrics().find(name);
        return curve && (curve->size() > 0 || curve->nonFinite() > 0);
    });
}

void MonitorPanel::Impl::configure() {
    const std::vector<std::string> losses = session.lossNames(), metrics = session.metricNames();
    QString key;
    for (const std::string& name : losses) {
        key += QStringLiteral("l%1\n").arg(QString::fromStdString(name));
    }
    for (const std::string& name : metrics) {
        key += QStringLiteral("m%1\n").arg(QString::fromStdString(name));
    }
    if (key == configured) {
        return;
    }
    configured = key;
    constexpr Token colours[] = {Token::Curve1, Token::Curve2, Token::Curve3,
                                 Token::Curve4, Token::Curve5, Token::Curve6};
    const auto entries = [&](const std::vector<std::string>& names) {
        std::vector<CurvePlot::Entry> result;
        std::size_t colour = 0;
        for (const std::string& name : names) {
            const QString prefix =
                names.size() > 1 ? titleOf(document.graph(), name) + QLatin1Char(' ') : QString();
            for (const bool validation : {false, true}) {
                CurveStyle style;
                style.label =
                    prefix + (validation ? QStringLiteral("validation") : QStringLiteral("train"));
                style.colour = colours[colour++ % std::size(colours)];
                style.dashed = style.dots = validation;
                style.smoothed = !validation;
                result.push_back({style, (validation ? "validation/" : "train/") + name});
            }
        }
        return result;
    };
    loss->setTitle(losses.size() == 1 ? QStringLiteral("Loss") : QStringLiteral("Losses"));
    loss->setCurves(session.metrics(), entries(losses));
    if (metrics
            .empty()) { // nothing is measured beside the loss: the learning rate is worth the place
        CurveStyle style;
        style.label = QStringLiteral("each step");
        style.colour = Token::Curve3;
        style.smoothed = false;
        metric->setTitle(QStringLiteral("Learning rate"));
        metric->setPercent(false);
        metric->setCurves(session.metrics(), {{style, "lr"}});
    } else {
        metric->setTitle(metrics.size() == 1 ? titleOf(document.graph(), metrics.front())
                                             : QStringLiteral("Metrics"));
        metric->setPercent(
            std::all_of(metrics.begin(), metrics.end(), [&](const std::string& name) {
                return isFraction(document.graph(), name);
            }));
        metric->setCurves(session.metrics(), entries(metrics));
    }
}

void MonitorPanel::Impl::refreshMeters() {
    const RunProgress progress = session.progress();
    const MetricStore& store = session.metrics();
    const auto last = [&](const std::string& name) {
        const Curve* curve = store.find(name);
        return curve && curve->size() > 0 ? curve->lastValue() : std::nan("");
    };
    std::vector<MeterRow::Meter> meters;
    const auto of = [](std::int64_t value, std::int64_t total) {
        return total > 0 ? QStringLiteral("%1 / %2").arg(countText(value), countText(total))
                         : countText(value);
    };
    meters.push_back({QStringLiteral("Epoch"), of(progress.epoch, progress.epochs)});
    meters.push_back({QStringLiteral("Step"), of(progress.step, progress.totalSteps)});
    for (const std::string& name : session.lossNames()) {
        const double value = last("train/" + name);
        const QString caption = session.lossNames().size() == 1 ? QStringLiteral("Loss")
                                                                : titleOf(document.graph(), name);
        meters.push_back({caption, loss->valueText(value)});
    }
    for (const std::string& name : session.metricNames()) {
        const double value = last("train/" + name);
        meters.push_back({titleOf(document.graph(), name),
                          isFraction(document.graph(), name) && !std::isnan(value)
                              ? percentText(value)
                              : loss->valueText(value)});
    }
    if (const auto test = session.testResult(); test && !session.isActive()) {
        for (std::size_t i = 0; i < test->metrics.size() && i < session.metricNames().size(); ++i) {
            const std::string name = session.metricNames()[i];
            meters.push_back(
                {QStringLiteral("Test %1").arg(titleOf(document.graph(), name).toLower()),
                 isFraction(document.graph(), name) ? percentText(test->metrics[i])
                                                    : numberText(test->metrics[i]),
                 Token::Success});
        }
    }
    meters.push_back({QStringLiteral("Learning rate"), loss->valueText(last("lr"))});
    meters.push_back({QStringLiteral("Speed"),
                      QStringLiteral("%1 samples/s")
                          .arg(countText(std::llround(std::max(0.0, progress.samplesPerSecond))))});
    meters.push_back({QStringLiteral("Time"), durationText(progress.seconds)});
    if (session.isActive()) {
        meters.push_back({QStringLiteral("Left"), durationText(progress.secondsLeft)});
    }
    if (!memoryClock.isValid() || memoryClock.elapsed() > 1000) {
        memory = peakMemoryBytes();
        memoryClock.restart();
    }
    meters.push_back({QStringLiteral("Peak memory"), bytesText(memory)});
    this->meters->setMeters(std::move(meters));
}

void MonitorPanel::Impl::refreshEmpty() {
    switch (session.state()) {
    case train::RunState::Preparing:
        empty->setTexts(session.stateText(),
                        QStringLiteral("The first numbers appear with the first step."));
        return;
    case train::RunState::Running:
        empty->setTexts(QStringLiteral("Waiting for the first step"), QString());
        return;
    case train::RunState::Failed:
        empty->setTexts(QStringLiteral("The run failed"), session.errorText());
        return;
    default:
        empty->setTexts(
            QStringLiteral("Press Run to watch it learn"),
            QStringLiteral(
                "The loss says how wrong the network still is: a falling curve is learning. "
                "When the validation curve turns up while training goes on down, the network "
                "has begun to learn its examples by heart."));
    }
}

void MonitorPanel::Impl::refresh() {
    if (!q->isVisible()) {
        return; // showEvent catches up
    }
    if (!hasData()) {
        refreshEmpty();
        pages->setCurrentIndex(0);
        return;
    }
    configure();
    const RunProgress progress = session.progress();
    const double perEpoch = progress.epochs > 0 && progress.totalSteps > 0
                                ? double(progress.totalSteps) / double(progress.epochs)
                                : 0;
    for (CurvePlot* plot : {loss, metric}) {
        plot->setStepsPerEpoch(perEpoch);
        plot->refresh();
    }
    lossLegend->refresh();
    metricLegend->refresh();
    refreshMeters();
    pages->setCurrentIndex(1);
}

QWidget* MonitorPanel::Impl::withLegend(CurvePlot* plot, PlotLegend*& legend) {
    auto* box = new QWidget;
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    legend = new PlotLegend(*plot, box);
    column->addWidget(legend);
    column->addWidget(plot, 1);
    return box;
}

MonitorPanel::MonitorPanel(Document& document, TrainSession& session, QWidget* parent)
    : QWidget(parent), d(std::make_unique<Impl>(document, session, this)) {
    setObjectName(QStringLiteral("monitorPanel"));
    setBackground(this, Token::PlotBackground);
    const Theme& theme = Theme::instance();
    d->pages = new QStackedLayout(this);
    d->empty = new EmptyState(QStringLiteral("monitor"), {}, {}, this);
    d->pages->addWidget(d->empty);

    auto* page = new QWidget(this);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(theme.space(4), theme.space(3), theme.space(4), theme.space(2));
    column->setSpacing(theme.space(2));
    auto* top = new Pair(0);
    d->meters = new MeterRow(page);
    top->add(d->meters, 1);
    auto* controls = new QWidget(page);
    controls->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Maximum);
    auto* controlRow = new QHBoxLayout(controls);
    controlRow->setContentsMargins(0, 0, 0, 0);
    controlRow->setSpacing(theme.space(2));
    top->add(controls, 0);
    auto* smoothingLabel =
        new TextLabel(QStringLiteral("Smoothing"), Token::TextMuted, 0.92, QFont::Normal, page);
    d->smoothing = new QSlider(Qt::Horizontal, page);
    d->smoothing->setObjectName(QStringLiteral("smoothing"));
    d->smoothing->setAccessibleName(QStringLiteral("Smoothing"));
    d->smoothing->setRange(0, 100);
    d->smoothing->setFixedWidth(theme.space(24));
    d->smoothing->setToolTip(QStringLiteral("Averages the training curves over neighbouring steps; "
                                            "the raw values stay faintly visible"));
    d->logarithm = new QToolButton(page);
    d->logarithm->setObjectName(QStringLiteral("logarithmic"));
    d->logarithm->setText(QStringLiteral("Log"));
    d->logarithm->setCheckable(true);
    d->logarithm->setToolTip(
        QStringLiteral("Logarithmic loss axis: a small loss that still falls becomes visible"));
    d->logarithm->setAccessibleName(QStringLiteral("Logarithmic loss axis"));
    smoothingLabel->setBuddy(d->smoothing);
    controlRow->addWidget(smoothingLabel);
    controlRow->addWidget(d->smoothing);
    controlRow->addWidget(d->logarithm);
    column->addWidget(top);

    d->loss = new CurvePlot(QStringLiteral("Loss"));
    d->metric = new CurvePlot(QStringLiteral("Metrics"));
    d->loss->setObjectName(QStringLiteral("lossPlot"));
    d->metric->setObjectName(QStringLiteral("metricPlot"));
    d->pair = new Pair(theme.space(100));
    d->pair->add(d->withLegend(d->loss, d->lossLegend), 1);
    d->pair->add(d->withLegend(d->metric, d->metricLegend), 1);
    column->addWidget(d->pair, 1);
    d->pages->addWidget(page);

    for (CurvePlot* plot : {d->loss, d->metric}) {
        CurvePlot* other = plot == d->loss ? d->metric : d->loss;
        connect(plot, &CurvePlot::zoomChanged, other, &CurvePlot::setZoom);
        connect(plot, &CurvePlot::crosshairMoved, this, [plot, other](double step) {
            plot->setCrosshair(step);
            other->setCrosshair(step);
        });
    }
    connect(d->smoothing, &QSlider::valueChanged, this, [this](int position) {
        // The far end is where the interesting values are: 0.5 at the middle is hardly smooth.
        const double smoothing = position == 0 ? 0 : 1 - std::pow(10.0, -position / 50.0);
        d->loss->setSmoothing(smoothing);
        d->metric->setSmoothing(smoothing);
    });
    connect(d->logarithm, &QToolButton::toggled, this,
            [this](bool on) { d->loss->setLogarithmic(on); });
    d->smoothing->setValue(45);

    connect(&session, &TrainSession::frame, this, [this] { d->refresh(); });
    connect(&session, &TrainSession::finished, this, [this] { d->refresh(); });
    connect(&session, &TrainSession::stateChanged, this, [this] {
        const train::RunState before = std::exchange(d->state, d->session.state());
        if (d->state == train::RunState::Preparing &&
            before != d->state) { // said again with each progress of it
            d->loss->reset();
            d->metric->reset();
        }
        d->refresh();
    });
    d->refreshEmpty();
}

MonitorPanel::~MonitorPanel() = default;

CurvePlot* MonitorPanel::lossPlot() const {
    return d->loss;
}

CurvePlot* MonitorPanel::metricPlot() const {
    return d->metric;
}

void MonitorPanel::setSmoothing(double smoothing) {
    const int position =
        smoothing <= 0 ? 0 : int(std::lround(-50 * std::log10(1 - std::min(smoothing, 0.99))));
    d->smoothing->setValue(position);
}

void MonitorPanel::setLogarithmic(bool on) {
    d->logarithm->setChecked(on);
}

void MonitorPanel::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    d->refresh();
}

void MonitorPanel::exportPng(const QString& path) {
    constexpr double kScale = 2;
    const QSize size = d->pair->size();
    QImage picture(size * kScale, QImage::Format_ARGB32_Premultiplied);
    picture.setDevicePixelRatio(kScale);
    picture.fill(Theme::instance().color(Token::PlotBackground));
    d->pair->render(&picture, {}, {}, QWidget::DrawChildren);
    QSaveFile file(path);
    if (!file.open(QIODevice::WriteOnly) || !picture.save(&file, "PNG") || !file.commit()) {
        throw FileError("The picture could not be written: " + file.errorString().toStdString(),
                        path.toStdString());
    }
}

void MonitorPanel::exportCsv(const QString& path) const {
    QSaveFile file(path);
    if (!file.open(QIODevice::WriteOnly)) {
        throw FileError("The numbers could not be written: " + file.errorString().toStdString(),
                        path.toStdString());
    }
    file.write("curve,step,value\n");
    const MetricStore& store = d->session.metrics();
    for (const std::string& name : store.names()) {
        const Curve* curve = store.find(name);
        QByteArray field = QByteArray::fromStdString(name);
        if (field.contains(',') || field.contains('"') || field.contains('\n')) {
            field = '"' + field.replace("\"", "\"\"") + '"';
        }
        for (const CurvePoint& point : curve->sample(-1e300, 1e300, std::size_t(-1))) {
            file.write(field + ',' + QByteArray::number(point.step, 'g', 17) + ',' +
                       QByteArray::number(point.last, 'g', 9) + '\n');
        }
    }
    if (!file.commit()) {
        throw FileError("The numbers could not be written: " + file.errorString().toStdString(),
                        path.toStdString());
    }
}

void MonitorPanel::Impl::saveAs(bool picture) {
    QString name = document.title();
    name.replace(QLatin1Char('/'), QLatin1Char('-'));
    const QString suffix = picture ? QStringLiteral("png") : QStringLiteral("csv");
    const QString path = QFileDialog::getSaveFileName(
        q,
        picture ? QStringLiteral("Save the curves as a picture")
                : QStringLiteral("Save the numbers of the curves"),
        QStringLiteral("%1-curves.%2").arg(name.isEmpty() ? QStringLiteral("run") : name, suffix),
        picture ? QStringLiteral("Pictures (*.png)") : QStringLiteral("Tables (*.csv)"));
    if (path.isEmpty()) {
        return;
    }
    try {
        picture ? q->exportPng(path) : q->exportCsv(path);
    } catch (const Error& error) {
        QMessageBox::warning(q, QStringLiteral("Not saved"), QString::fromStdString(error.what()));
    }
}

void MonitorPanel::contextMenuEvent(QContextMenuEvent* event) {
    const bool data = d->hasData();
    QMenu menu(this);
    menu.addAction(QStringLiteral("Save picture…"), this, [this] { d->saveAs(true); })
        ->setEnabled(data);
    menu.addAction(QStringLiteral("Save numbers as CSV…"), this, [this] { d->saveAs(false); })
        ->setEnabled(data);
    menu.addAction(QStringLiteral("Copy picture"), this,
                   [this] { QGuiApplication::clipboard()->setPixmap(d->pair->grab()); })
        ->setEnabled(data);
    menu.addSeparator();
    menu.addAction(QStringLiteral("Show the whole run"), this, [this] { d->loss->setZoom({}); })
        ->setEnabled(!d->loss->zoom().empty());
    QAction* logarithm = menu.addAction(QStringLiteral("Logarithmic loss axis"));
    logarithm->setCheckable(true);
    logarithm->setChecked(d->logarithm->isChecked());
    connect(logarithm, &QAction::toggled, d->logarithm, &QToolButton::setChecked);
    menu.exec(event->globalPos());
}

} // namespace wiregrad::studio

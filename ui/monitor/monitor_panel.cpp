#include "ui/monitor/monitor_panel.h"

#include <QAction>
#include <QContextMenuEvent>
#include <QFile>
#include <QVBoxLayout>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "session/settings.h"
#include "ui/monitor/curve_plot.h"
#include "ui/monitor/monitor_panel_impl.h"
#include "ui/panels/format.h"

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

/// What can be drawn beside losses and metrics.
struct ChartKind {
    const char *id, *title, *help;
};
constexpr ChartKind kCharts[] = {
    {"lr", "Learning rate", "The learning rate of the first optimizer"},
    {"gradient_norm", "Gradient norm", "Length of the whole gradient, before it is clipped"},
    {"gradients", "Gradient of each layer", "Length of the gradient of each weight"},
    {"updates", "Update / weight",
     "How large each step is beside the weight it changes; about 0.001 is healthy"},
    {"speed", "Speed", "Samples a second"},
    {"memory", "Memory", "What this program uses, in megabytes"},
    {"time", "Time", "Seconds of training"}};
constexpr const char* kSettingsKey = "monitor.charts";

double residentMegabytes() {
    QFile file(QStringLiteral("/proc/self/statm"));
    if (!file.open(QIODevice::ReadOnly)) return peakMemoryBytes() / (1 << 20);
    const QList<QByteArray> fields = file.readAll().split(' ');
    return fields.size() > 1 ? fields[1].toDouble() * double(sysconf(_SC_PAGESIZE)) / (1 << 20) : 0;
}

Token colourOf(RunMarker::Kind kind) {
    switch (kind) {
    case RunMarker::Kind::Rate:
        return Token::Curve3;
    case RunMarker::Kind::Edit:
        return Token::Accent;
    case RunMarker::Kind::Branch:
        return Token::Selection;
    case RunMarker::Kind::Warning:
        return Token::Warning;
    default:
        return Token::TextMuted;
    }
}

} // namespace

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
    for (const MonitorPanel::Overlay& overlay : overlays) {
        key += QStringLiteral("o%1\n").arg(overlay.id);
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
                addOverlays(result, result.back().name);
            }
        }
        return result;
    };
    loss->setTitle(losses.size() == 1 ? QStringLiteral("Loss") : QStringLiteral("Losses"));
    loss->setCurves(session.metrics(), entries(losses));
    if (metrics.empty()) {
        // Nothing is measured beside the loss: the learning rate is worth the place.
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
    for (ChartBox* box : extra) {
        fillChart(box);
    }
}

/// The same curve of the other runs that are looked at.
void MonitorPanel::Impl::addOverlays(std::vector<CurvePlot::Entry>& entries,
                                     const std::string& curve) const {
    constexpr Token kColours[] = {Token::Curve4, Token::Curve3, Token::Curve6, Token::Curve5};
    std::size_t at = 0;
    const bool validation = curve.starts_with("validation/");
    for (const MonitorPanel::Overlay& overlay : overlays) {
        const Token colour = kColours[at++ % std::size(kColours)];
        if (!overlay.curves || !overlay.curves->find(curve)) {
            continue;
        }
        CurveStyle style;
        style.label = overlay.label + (validation ? QStringLiteral(" validation") : QString());
        style.colour = colour;
        style.dashed = style.dots = validation;
        style.smoothed = !validation;
        style.faint = true;
        entries.push_back({style, curve, overlay.curves});
    }
}

void MonitorPanel::Impl::fillChart(ChartBox* box) {
    constexpr Token colours[] = {Token::Curve1, Token::Curve2, Token::Curve3,
                                 Token::Curve4, Token::Curve5, Token::Curve6};
    std::vector<CurvePlot::Entry> entries;
    const auto one = [&](const char* name, const char* label, bool smoothed) {
        CurveStyle style;
        style.label = QString::fromLatin1(label);
        style.smoothed = smoothed;
        entries.push_back({style, name});
        addOverlays(entries, name);
    };
    const auto each = [&](const std::string& prefix) {
        std::size_t colour = 0;
        for (const std::string& name : session.metrics().names()) {
            if (name.starts_with(prefix)) {
                CurveStyle style;
                style.label = QString::fromStdString(name.substr(prefix.size()));
                style.colour = colours[colour % std::size(colours)];
                style.dashed = colour / std::size(colours) % 2 == 1;
                ++colour;
                entries.push_back({style, name});
            }
        }
    };
    const QString id = box->id();
    if (id == QLatin1String("lr")) one("lr", "each step", false);
    if (id == QLatin1String("gradient_norm")) one("gradient_norm", "all weights", true);
    if (id == QLatin1String("gradients")) each("gradient/");
    if (id == QLatin1String("updates")) each("update/");
    if (id == QLatin1String("speed")) one("samples_per_second", "samples/s", true);
    if (id == QLatin1String("memory")) one("memory", "MB", false);
    if (id == QLatin1String("time")) one("seconds", "s", false);
    const std::vector<CurvePlot::Entry> before = box->plot()->curves();
    const bool same = std::equal(before.begin(), before.end(), entries.begin(), entries.end(),
                                 [](const CurvePlot::Entry& a, const CurvePlot::Entry& b) {
                                     return a.name == b.name && a.store == b.store;
                                 });
    if (!same || before.empty()) {
        box->plot()->setCurves(session.metrics(), entries);
    }
}

std::vector<ChartBox*> MonitorPanel::Impl::boxes() const {
    std::vector<ChartBox*> all{lossBox, metricBox};
    all.insert(all.end(), extra.begin(), extra.end());
    return all;
}

/// Zoom, crosshair and time travel of all charts go together.
void MonitorPanel::Impl::wire(CurvePlot* plot) {
    connect(plot, &CurvePlot::zoomChanged, q, [this, plot](const StepRange& zoom) {
        for (ChartBox* box : boxes()) {
            if (box->plot() != plot) box->plot()->setZoom(zoom);
        }
    });
    connect(plot, &CurvePlot::crosshairMoved, q, [this](double step) {
        for (ChartBox* box : boxes()) {
            box->plot()->setCrosshair(step);
        }
    });
    connect(plot, &CurvePlot::cursorMoved, q, [this](double step) { travel(step); });
    connect(plot, &CurvePlot::stepChosen, q, [this](double step) { travel(step); });
}

void MonitorPanel::Impl::setChart(const QString& id, bool on) {
    const auto at = std::find_if(extra.begin(), extra.end(),
                                 [&id](const ChartBox* box) { return box->id() == id; });
    if (on == (at != extra.end())) {
        return;
    }
    if (on) {
        const auto kind =
            std::find_if(std::begin(kCharts), std::end(kCharts),
                         [&id](const ChartKind& k) { return id == QLatin1String(k.id); });
        if (kind == std::end(kCharts)) {
            return;
        }
        auto* box = new ChartBox(id, QString::fromUtf8(kind->title), true, grid);
        box->plot()->setSmoothing(smoothingNow());
        box->plot()->setLogarithmicSteps(logSteps->isChecked());
        box->plot()->setLogarithmic(id == QLatin1String("gradients") ||
                                    id == QLatin1String("updates"));
        extra.push_back(box);
        wire(box->plot());
        connect(box, &ChartBox::closeAsked, q, [this, id] { setChart(id, false); });
        grid->add(box);
        fillChart(box);
    } else {
        ChartBox* box = *at;
        extra.erase(at);
        grid->remove(box);
        box->deleteLater();
    }
    watch->setOn(std::any_of(extra.begin(), extra.end(), [](const ChartBox* box) {
        return box->id().startsWith(QLatin1String("gradient")) ||
               box->id() == QLatin1String("updates");
    }));
    QStringList ids;
    for (const ChartBox* box : extra) {
        ids << box->id();
    }
    Settings::setValue(QLatin1String(kSettingsKey), ids.join(QLatin1Char(',')));
    refresh();
}

double MonitorPanel::Impl::smoothingNow() const {
    // The far end is where the interesting values are: 0.5 at the middle is hardly smooth.
    const int position = smoothing->value();
    return position == 0 ? 0 : 1 - std::pow(10.0, -position / 50.0);
}

// --- time travel

void MonitorPanel::Impl::travel(double step) {
    const auto wish = std::max<std::int64_t>(0, std::llround(step));
    if (session.state() == train::RunState::Running) {
        travelWish = wish; // a run that goes on is paused for it
        session.pause();
        return;
    }
    session.travelTo(wish);
    for (ChartBox* box : boxes()) {
        box->plot()->setCursor(double(wish), true);
    }
    refreshTravel();
}

void MonitorPanel::Impl::refreshTravel() {
    const bool on = session.isTravelling();
    const std::int64_t at = session.travelStep();
    travelBar->setVisible(on);
    // In a low panel the numbers of now make room for the curves.
    meters->setVisible(!on || q->height() > Theme::instance().space(90));
    if (on) {
        travelText->setText(at < 0 ? QStringLiteral("Going back …")
                                   : QStringLiteral("Looking at step %1 of %2")
                                         .arg(countText(at), countText(session.progress().step)));
    }
    const double cursor = on && at >= 0 ? double(at) : std::nan("");
    for (ChartBox* box : boxes()) {
        if (!on || at >= 0) box->plot()->setCursor(cursor);
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
        if (session.state() == train::RunState::Running && progress.step > 0) {
            session.addScalar("memory", double(progress.step), residentMegabytes());
        }
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
    std::vector<PlotMarker> markers;
    for (const RunMarker& marker : session.markers()) {
        markers.push_back({marker.step, marker.text, colourOf(marker.kind)});
    }
    refreshMeters();
    for (ChartBox* box : extra) {
        if (box->id() == QLatin1String("gradients") || box->id() == QLatin1String("updates")) {
            fillChart(box); // a layer's curve begins with its first value
        }
    }
    for (ChartBox* box : boxes()) {
        box->plot()->setStepsPerEpoch(perEpoch);
        box->plot()->setMarkers(markers);
        box->refresh();
    }
    pages->setCurrentIndex(1);
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
    auto* top = new QHBoxLayout;
    top->setSpacing(theme.space(5));
    d->meters = new MeterRow(page);
    top->addWidget(d->meters, 1);
    auto* controls = new QWidget(page);
    controls->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Maximum);
    auto* controlRow = new QHBoxLayout(controls);
    controlRow->setContentsMargins(0, 0, 0, 0);
    controlRow->setSpacing(theme.space(2));
    top->addWidget(controls, 0, Qt::AlignTop);
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
    d->logSteps = new QToolButton(page);
    d->logSteps->setObjectName(QStringLiteral("logarithmicSteps"));
    d->logSteps->setText(QStringLiteral("Log steps"));
    d->logSteps->setCheckable(true);
    d->logSteps->setToolTip(
        QStringLiteral("Logarithmic axis of steps: the first steps get as much room as the last"));
    controlRow->addWidget(d->logSteps);
    d->chartsButton = iconButton(QStringLiteral("curve"), tr("Charts"), page);
    d->chartsButton->setObjectName(QStringLiteral("monitorCharts"));
    d->chartsButton->setPopupMode(QToolButton::InstantPopup);
    auto* charts = new QMenu(d->chartsButton);
    charts->setToolTipsVisible(true);
    for (const ChartKind& kind : kCharts) {
        QAction* action = charts->addAction(QString::fromUtf8(kind.title));
        action->setCheckable(true);
        action->setToolTip(QString::fromUtf8(kind.help));
        action->setObjectName(QStringLiteral("monitor.chart.") + QLatin1String(kind.id));
        connect(action, &QAction::triggered, this,
                [this, id = QString::fromLatin1(kind.id)](bool on) { d->setChart(id, on); });
    }
    connect(charts, &QMenu::aboutToShow, this, [this, charts] {
        for (QAction* action : charts->actions()) {
            action->setChecked(
                std::any_of(d->extra.begin(), d->extra.end(), [action](const ChartBox* box) {
                    return action->objectName() == QStringLiteral("monitor.chart.") + box->id();
                }));
        }
    });
    d->chartsButton->setMenu(charts);
    controlRow->addWidget(d->chartsButton);
    QToolButton* exporting = iconButton(QStringLiteral("export"), tr("Save or copy"), page);
    exporting->setObjectName(QStringLiteral("monitorExport"));
    exporting->setPopupMode(QToolButton::InstantPopup);
    exporting->setMenu(d->exportMenu(exporting));
    controlRow->addWidget(exporting);
    column->addLayout(top);

    d->travelBar = new QWidget(page);
    d->travelBar->setObjectName(QStringLiteral("travelBar"));
    setBackground(d->travelBar, Token::PanelRaised);
    auto* travelRow = new QHBoxLayout(d->travelBar);
    travelRow->setContentsMargins(theme.space(3), theme.space(1), theme.space(2), theme.space(1));
    travelRow->addWidget(
        new IconLabel(QStringLiteral("history"), Token::Selection, theme.space(4), d->travelBar));
    d->travelText = new TextLabel({}, Token::Text, 0.95, QFont::DemiBold, d->travelBar);
    d->travelText->setObjectName(QStringLiteral("travelText"));
    travelRow->addWidget(d->travelText);
    travelRow->addWidget(new TextLabel(tr("Inspector and miniatures show what was then."),
                                       Token::TextMuted, 0.92, QFont::Normal, d->travelBar),
                         1);
    auto* branch = new QToolButton(d->travelBar);
    branch->setText(tr("Branch from here"));
    branch->setObjectName(QStringLiteral("travelBranch"));
    branch->setToolTip(tr("Begin a new run with the weights of this step and the network as it is "
                          "wired now"));
    auto* back = new QToolButton(d->travelBar);
    back->setText(tr("Back to now"));
    back->setObjectName(QStringLiteral("travelBack"));
    travelRow->addWidget(branch);
    travelRow->addWidget(back);
    d->travelBar->hide();
    column->addWidget(d->travelBar);
    connect(branch, &QToolButton::clicked, this, [this] { d->session.branchHere(); });
    connect(back, &QToolButton::clicked, this, [this] { d->session.comeBack(); });

    d->grid = new ChartGrid(page);
    d->lossBox = new ChartBox(QStringLiteral("loss"), QStringLiteral("Loss"), false, d->grid);
    d->metricBox =
        new ChartBox(QStringLiteral("metric"), QStringLiteral("Metrics"), false, d->grid);
    d->loss = d->lossBox->plot();
    d->metric = d->metricBox->plot();
    d->loss->setObjectName(QStringLiteral("lossPlot"));
    d->metric->setObjectName(QStringLiteral("metricPlot"));
    d->grid->add(d->lossBox);
    d->grid->add(d->metricBox);
    column->addWidget(d->grid, 1);
    d->pages->addWidget(page);
    d->watch = new LayerWatch(document, session, this);
    d->wire(d->loss);
    d->wire(d->metric);
    connect(d->smoothing, &QSlider::valueChanged, this, [this] {
        for (ChartBox* box : d->boxes()) {
            box->plot()->setSmoothing(d->smoothingNow());
        }
    });
    connect(d->logarithm, &QToolButton::toggled, this,
            [this](bool on) { d->loss->setLogarithmic(on); });
    connect(d->logSteps, &QToolButton::toggled, this, [this](bool on) {
        for (ChartBox* box : d->boxes()) {
            box->plot()->setLogarithmicSteps(on);
        }
    });
    d->smoothing->setValue(45);
    for (const QString& id :
         Settings::value(QLatin1String(kSettingsKey)).split(QLatin1Char(','), Qt::SkipEmptyParts)) {
        d->setChart(id, true);
    }

    connect(&session, &TrainSession::travelled, this, [this] { d->refreshTravel(); });
    connect(&session, &TrainSession::frame, this, [this] { d->refresh(); });
    connect(&session, &TrainSession::finished, this, [this] { d->refresh(); });
    connect(&session, &TrainSession::stateChanged, this, [this] {
        const train::RunState before = std::exchange(d->state, d->session.state());
        if (d->state == train::RunState::Preparing &&
            before != d->state) { // said again with each progress of it
            for (ChartBox* box : d->boxes()) {
                box->plot()->reset();
            }
            d->travelWish = -1;
        }
        if (d->state == train::RunState::Running && d->session.isTravelling()) {
            d->session.comeBack();
        }
        if (d->travelWish >= 0 && d->session.canTravel()) {
            d->travel(double(std::exchange(d->travelWish, -1)));
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

ChartBox* MonitorPanel::chart(const QString& id) const {
    for (ChartBox* box : d->boxes()) {
        if (box->id() == id) {
            return box;
        }
    }
    return nullptr;
}

void MonitorPanel::showChart(const QString& id, bool on) {
    d->setChart(id, on);
}

void MonitorPanel::setOverlays(std::vector<Overlay> overlays) {
    d->overlays = std::move(overlays);
    d->refresh();
}

void MonitorPanel::contextMenuEvent(QContextMenuEvent* event) {
    QMenu* menu = d->exportMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    menu->addSeparator();
    menu->addAction(tr("Show the whole run"), this, [this] { d->loss->setZoom({}); });
    menu->popup(event->globalPos());
}

} // namespace wiregrad::studio

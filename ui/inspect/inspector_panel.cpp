#include "ui/inspect/inspector_panel.h"

#include <QClipboard>
#include <QGridLayout>
#include <QGuiApplication>
#include <QPointer>
#include <QScrollArea>
#include <QSignalBlocker>
#include <QVBoxLayout>

#include "engine/nn/module.h"
#include "ui/inspect/inspector_impl.h"
#include "ui/panels/format.h"

namespace wiregrad::studio {

namespace {

bool isWeight(ProbeWhat what) {
    return what != ProbeWhat::Activation && what != ProbeWhat::ActivationGradient;
}

/// Moments that the optimizers of this graph keep for each weight.
std::vector<std::pair<std::string, QString>> momentsOf(const graph::Graph& graph) {
    std::vector<std::pair<std::string, QString>> result;
    for (const auto& [id, node] : graph.nodes()) {
        if (node.type.starts_with("Adam")) {
            result.emplace_back("exp_avg", QStringLiteral("first moment"));
            result.emplace_back("exp_avg_sq", QStringLiteral("second moment"));
            return result;
        }
        const auto momentum = node.params.find("momentum");
        if (node.type == "SGD" && momentum != node.params.end() &&
            momentum->second != graph::ParamValue(0.0)) {
            result.emplace_back("momentum_buffer", QStringLiteral("momentum"));
            return result;
        }
    }
    return result;
}

/// The range of a bounded activation; equal ends for all others.
std::pair<double, double> boundsOf(const graph::Node* node) {
    if (node && node->type == "Tanh") return {-1, 1};
    if (node && (node->type == "Sigmoid" || node->type == "Hardsigmoid")) return {0, 1};
    return {0, 0};
}

QString labelOf(const ValueId& value, const graph::NodeType* type) {
    const QString name = QString::fromStdString(value.name);
    const graph::PortSpec* port = type ? type->output(value.name) : nullptr;
    const QString output =
        type && type->outputs.size() == 1
            ? QStringLiteral("output")
            : QStringLiteral("output %1").arg(port ? QString::fromStdString(port->label) : name);
    switch (value.what) {
    case ProbeWhat::Activation:
        return output.left(1).toUpper() + output.mid(1);
    case ProbeWhat::ActivationGradient:
        return QStringLiteral("Gradient of %1").arg(output);
    case ProbeWhat::Weight:
        return name.left(1).toUpper() + name.mid(1);
    case ProbeWhat::WeightGradient:
        return QStringLiteral("Gradient of %1").arg(name);
    case ProbeWhat::WeightUpdate:
        return QStringLiteral("Last update of %1").arg(name);
    case ProbeWhat::OptimizerState: {
        const QString weight = name.section(QLatin1Char('.'), 0, -2),
                      moment = name.section(QLatin1Char('.'), -1);
        const QString word = moment == QLatin1String("exp_avg") ? QStringLiteral("First moment")
                             : moment == QLatin1String("exp_avg_sq")
                                 ? QStringLiteral("Second moment")
                                 : QStringLiteral("Momentum");
        return QStringLiteral("%1 of %2").arg(word, weight);
    }
    }
    return name;
}

constexpr const char* kStatNames[StatCount] = {"Shape", "Type", "Step",  "Min",   "Max",
                                               "Mean",  "Std",  "Zeros", "NaN, ∞"};
constexpr const char* kStatHelp[StatCount] = {
    "Size of each dimension; the first of an activation is the batch",
    "How a number is stored",
    "The step of the run these numbers are from",
    "The smallest finite value",
    "The greatest finite value",
    "The mean of the finite values",
    "Their standard deviation: how far they spread around the mean",
    "Share of exact zeros. After a ReLU these are the silent units",
    "Values that are not a number (NaN) or infinite: something was divided by zero or overflowed"};

} // namespace

// --- what to look at

void InspectorPanel::Impl::take(const Focus& next) {
    focus = next;
    listValues();
    refreshHeader();
}

void InspectorPanel::Impl::listValues() {
    const std::string id = focus.node.toStdString();
    const graph::NodeType* spec = type();
    std::vector<ValueId> next;
    const auto add = [&](const std::string& name, ProbeWhat what) {
        next.push_back({id, name, what});
    };
    if (spec) {
        const bool differentiable = spec->role == graph::Role::Layer;
        for (const graph::PortSpec& port : spec->outputs) {
            add(port.id, ProbeWhat::Activation);
            if (differentiable && port.kind == graph::PortKind::Tensor) {
                add(port.id, ProbeWhat::ActivationGradient);
            }
        }
        const auto facts = document.analysis().nodes.find(id);
        if (facts != document.analysis().nodes.end()) {
            for (const auto& [name, shape] : facts->second.weight_shapes) {
                add(name, ProbeWhat::Weight);
                add(name, ProbeWhat::WeightGradient);
                add(name, ProbeWhat::WeightUpdate);
                for (const auto& [moment, label] : momentsOf(document.graph())) {
                    add(name + "." + moment, ProbeWhat::OptimizerState);
                }
            }
        }
    }
    if (next != values) {
        values = next;
        const QSignalBlocker block(choice);
        choice->clear();
        for (const ValueId& each : values) {
            choice->addItem(labelOf(each, spec));
        }
    }
    choice->setEnabled(values.size() > 1);
    choice->setVisible(!values.empty());
    pinSample->setVisible(!values.empty());
    sample->setVisible(!values.empty() && pinSample->isChecked());
    if (values.empty()) {
        hasValue = false;
        value = {};
        record.reset();
        unsubscribe();
        refreshBody();
        return;
    }
    // The same value if it is still there; else the wire's port; else the same kind of value as
    // before, so that walking over the graph compares like with like.
    ValueId best = values.front();
    bool found = false;
    for (const ValueId& each : values) {
        if (hasValue && each == value &&
            (focus.port.isEmpty() || each.name == focus.port.toStdString())) {
            best = each;
            found = true;
        }
    }
    if (!found && !focus.port.isEmpty()) {
        for (const ValueId& each : values) {
            if (each.what == ProbeWhat::Activation && each.name == focus.port.toStdString()) {
                best = each;
                found = true;
            }
        }
    }
    if (!found && hasValue) {
        for (const ValueId& each : values) {
            if (!found && each.what == value.what &&
                (!isWeight(each.what) || each.name == value.name)) {
                best = each;
                found = true;
            }
        }
    }
    setValue(best);
}

void InspectorPanel::Impl::setValue(const ValueId& next) {
    const auto at = std::find(values.begin(), values.end(), next);
    if (at != values.end()) {
        const QSignalBlocker block(choice);
        choice->setCurrentIndex(static_cast<int>(at - values.begin()));
    }
    if (hasValue && next == value) {
        return;
    }
    value = next;
    hasValue = true;
    record.reset();
    sliceFrom = 0;
    history->clear();
    chain->forget();
    nameClasses();
    resubscribe();
    arrived();     // it may have been probed before
    fetchWeight(); // and outside a run the model knows it better
    refreshBody();
}

// --- probes

void InspectorPanel::Impl::unsubscribe() {
    if (subscribed) {
        session.unsubscribe(handle);
        subscribed = false;
    }
}

void InspectorPanel::Impl::resubscribe() {
    unsubscribe();
    if (hasValue && q->isVisible()) {
        handle = session.subscribe(request());
        subscribed = true;
    }
}

void InspectorPanel::Impl::arrived() {
    if (!hasValue || samplePinned()) {
        return;
    }
    const ProbeRecord* latest = session.latest(value);
    // The same step again with more to it: somebody else had asked for less.
    if (latest &&
        (!record || latest->step != record->step || latest->slice_from != record->slice_from ||
         latest->units.size() != record->units.size() ||
         latest->slice.size() != record->slice.size())) {
        take(*latest);
    }
}

void InspectorPanel::Impl::take(ProbeRecord next) {
    ++fetch;
    record = std::move(next);
    history->add(*record);
    if (q->isVisible()) {
        refreshBody();
    }
}

/// Outside a run no probe passes by, but weights can be read: from the last model, or from the
/// project file.
void InspectorPanel::Impl::fetchWeight() {
    if (!hasValue || value.what != ProbeWhat::Weight || !q->isVisible() ||
        session.state() == train::RunState::Running ||
        session.state() == train::RunState::Preparing) {
        return;
    }
    const quint64 number = ++fetch;
    const std::string name = value.node + "." + value.name;
    const std::int64_t step = session.progress().step;
    auto answer = std::make_shared<std::optional<ProbeRecord>>();
    const QPointer<InspectorPanel> alive(q);
    const bool asked = session.withModel(
        [answer, name, step, request = request()](graph::CompiledModel& model) {
            for (const nn::NamedTensor& weight : model.module().state()) {
                if (weight.name == name) {
                    *answer = measure(request, weight.tensor, step);
                }
            }
        },
        [this, answer, alive, number] {
            if (alive && number == fetch && *answer) {
                take(std::move(**answer));
            }
        });
    if (asked) {
        return;
    }
    for (const nn::NamedTensor& weight : document.weights()) {
        if (weight.name == name) {
            take(measure(request(), weight.tensor, 0));
            return;
        }
    }
}

// --- what is seen

void InspectorPanel::Impl::refreshHeader() {
    const graph::Node* what = node();
    const graph::NodeType* spec = type();
    if (!what) {
        title->setText(QStringLiteral("Inspector"));
        subtitle->setText({});
    } else {
        const QString label =
            spec ? QString::fromStdString(spec->label) : QString::fromStdString(what->type);
        title->setText(what->name.empty() ? label : QString::fromStdString(what->name));
        subtitle->setText(what->name.empty() ? QString::fromStdString(what->id)
                                             : QStringLiteral("%1 · %2").arg(
                                                   label, QString::fromStdString(what->id)));
    }
    subtitle->setVisible(!subtitle->text().isEmpty());
    pin->setEnabled(what || pin->isChecked());
}

void InspectorPanel::Impl::refreshEmpty() {
    const graph::NodeType* spec = type();
    if (!node()) {
        empty->setTexts(QStringLiteral("Nothing to look at yet"),
                        QStringLiteral("Select a node or a wire to see the numbers inside it."));
    } else if (values.empty()) {
        empty->setTexts(
            QStringLiteral("No values of its own"),
            spec && spec->role == graph::Role::Optimizer
                ? QStringLiteral(
                      "An optimizer changes the weights of other nodes: select one of those.")
                : QStringLiteral("This node passes no numbers on."));
    } else {
        switch (session.state()) {
        case train::RunState::Preparing:
        case train::RunState::Running:
            empty->setTexts(QStringLiteral("Waiting for the next step"),
                            QStringLiteral("The value appears as soon as a step has passed."));
            break;
        case train::RunState::Paused:
            empty->setTexts(QStringLiteral("Paused"),
                            QStringLiteral("Step once or resume to see this value."));
            break;
        default:
            empty->setTexts(
                QStringLiteral("Press Run to see values move"),
                isWeight(value.what)
                    ? QStringLiteral(
                          "Weights start as small random numbers; each step moves them a "
                          "little against their gradient.")
                    : QStringLiteral(
                          "While the network trains, what flows through here is shown several "
                          "times a second."));
        }
    }
}

void InspectorPanel::Impl::refreshBody() {
    if (!record) {
        refreshEmpty();
        pages->setCurrentIndex(0);
        return;
    }
    const ProbeRecord& now = *record;
    const double count = double(std::max<std::int64_t>(1, numel(now.shape)));
    stats[Shape_]->setText(shapeText(now.shape));
    stats[Type]->setText(
        QString::fromUtf8(name_of(now.dtype).data(), qsizetype(name_of(now.dtype).size())));
    stats[Step]->setText(now.step > 0 ? countText(now.step) : QStringLiteral("before the run"));
    stats[Min]->setText(numberText(now.min));
    stats[Max]->setText(numberText(now.max));
    stats[Mean]->setText(numberText(now.mean));
    stats[Std]->setText(numberText(now.std));
    stats[Zeros]->setText(percentText(double(now.zeros) / count, 1));
    const bool broken = now.nans + now.infs > 0;
    stats[Broken]->setText(
        broken ? QStringLiteral("%1 NaN, %2 infinite").arg(countText(now.nans), countText(now.infs))
               : QStringLiteral("none"));
    stats[Broken]->setToken(broken ? Token::Error : Token::Text);
    findBroken->setVisible(broken);
    std::vector<PictureKind> fitting = picturesFor(now);
    if (now.units.size() > 1) fitting.push_back(PictureKind::Units);
    if (history->columns() > 1) fitting.push_back(PictureKind::History);
    if (!fitting.empty() && now.slice.size() > 1) fitting.push_back(PictureKind::Values);
    if (isTrainedWeight()) fitting.push_back(PictureKind::Chain);
    if (value.what == ProbeWhat::Activation && now.shape.size() > 1 && now.shape[0] > 1 &&
        numel(now.shape) / now.shape[0] > 1)
        fitting.push_back(PictureKind::Map);
    setKinds(fitting);
    const bool spread = !now.histogram.empty() && numel(now.shape) > 1;
    histogram->setVisible(spread);
    histogramTitle->setVisible(spread);
    if (spread) {
        histogram->show(now);
    }
    showKind();
    pages->setCurrentIndex(1);
}

void InspectorPanel::Impl::setKinds(const std::vector<PictureKind>& next) {
    if (next == kinds) {
        return;
    }
    kinds = next;
    qDeleteAll(tabGroup->buttons());
    for (const PictureKind each : kinds) {
        auto* button = new QToolButton(tabs);
        button->setText(pictureName(each));
        button->setCheckable(true);
        button->setAutoRaise(true);
        tabGroup->addButton(button, static_cast<int>(each));
        tabRow->insertWidget(tabRow->count() - 1, button);
    }
    tabs->setVisible(kinds.size() > 1);
    if (!kinds.empty()) {
        kind = preferred && std::find(kinds.begin(), kinds.end(), *preferred) != kinds.end()
                   ? *preferred
                   : kinds.front();
        if (QAbstractButton* button = tabGroup->button(static_cast<int>(kind))) {
            button->setChecked(true);
        }
    }
}

void InspectorPanel::Impl::showKind() {
    const bool any = !kinds.empty();
    units->setVisible(any && kind == PictureKind::Units);
    history->setVisible(any && kind == PictureKind::History);
    valuesPage->setVisible(any && kind == PictureKind::Values);
    chain->setVisible(any && kind == PictureKind::Chain);
    map->setValue(value);
    map->setVisible(any && kind == PictureKind::Map);
    number->setVisible(any && kind == PictureKind::Number);
    heat->setVisible(any && kind == PictureKind::HeatMap);
    images->setVisible(any && kind == PictureKind::Images);
    bars->setVisible(any && kind == PictureKind::Bars);
    if (!any) {
        return;
    }
    switch (kind) {
    case PictureKind::Number:
        number->setText(numberText(record->slice.front(), 6));
        break;
    case PictureKind::HeatMap:
        heat->show(*record);
        break;
    case PictureKind::Images:
        images->show(*record);
        break;
    case PictureKind::Bars:
        bars->show(*record);
        break;
    case PictureKind::Units: {
        const auto [low, high] = boundsOf(node());
        const bool output = value.what == ProbeWhat::Activation;
        units->setBounds(output ? low : 0, output ? high : 0);
        units->show(*record);
        break;
    }
    case PictureKind::History:
    case PictureKind::Chain:
    case PictureKind::Map:
        break;
    case PictureKind::Values: {
        model.setColumnNames(classNames);
        model.show(*record);
        const std::int64_t rows = record->shape.size() > 0 ? record->shape[0] : 1;
        const QSignalBlocker block(from);
        from->setMaximum(int(std::max<std::int64_t>(0, rows - 1)));
        from->setValue(int(record->slice_from));
        part->setText(record->slice.size() == std::size_t(numel(record->shape))
                          ? QStringLiteral("all %1 values").arg(countText(numel(record->shape)))
                          : QStringLiteral("%1 of %2 values")
                                .arg(countText(std::int64_t(record->slice.size())),
                                     countText(numel(record->shape))));
        break;
    }
    }
}

QWidget* InspectorPanel::Impl::makeBody() {
    const Theme& theme = Theme::instance();
    auto* body = new QWidget;
    auto* column = new QVBoxLayout(body);
    column->setContentsMargins(theme.space(3), theme.space(1), theme.space(3), theme.space(3));
    column->setSpacing(theme.space(2));

    auto* grid = new QGridLayout;
    grid->setHorizontalSpacing(theme.space(3));
    grid->setVerticalSpacing(theme.space(1));
    const auto place = [&](Stat stat, int row, int cell, int span) {
        auto* caption = new TextLabel(QString::fromUtf8(kStatNames[stat]), Token::TextMuted, 0.92,
                                      QFont::Normal, body);
        stats[stat] = new TextLabel({}, Token::Text, 0.95, QFont::Normal, body);
        stats[stat]->setTextInteractionFlags(Qt::TextSelectableByMouse);
        stats[stat]->setObjectName(QStringLiteral("stat_%1").arg(
            stat == Broken ? QStringLiteral("broken")
                           : QString::fromLatin1(kStatNames[stat]).toLower()));
        const QString help = QString::fromLatin1(kStatHelp[stat]);
        caption->setToolTip(help);
        stats[stat]->setToolTip(help);
        grid->addWidget(caption, row, cell * 2);
        grid->addWidget(stats[stat], row, cell * 2 + 1, 1, span);
    };
    place(Shape_, 0, 0, 3);
    place(Type, 1, 0, 1);
    place(Step, 1, 1, 1);
    place(Min, 2, 0, 1);
    place(Max, 2, 1, 1);
    place(Mean, 3, 0, 1);
    place(Std, 3, 1, 1);
    place(Zeros, 4, 0, 1);
    place(Broken, 4, 1, 1);
    grid->setColumnStretch(1, 1);
    grid->setColumnStretch(3, 1);
    column->addLayout(grid);
    findBroken = new QToolButton(body);
    findBroken->setObjectName(QStringLiteral("findBroken"));
    findBroken->setText(tr("Show the first one"));
    findBroken->hide();
    column->addWidget(findBroken);
    connect(findBroken, &QToolButton::clicked, q, [this] {
        if (record && record->first_broken >= 0) q->showElement(record->first_broken);
    });

    histogramTitle = sectionTitle(QStringLiteral("Distribution"), body);
    column->addSpacing(theme.space(1));
    column->addWidget(histogramTitle);
    histogram = new HistogramView(body);
    column->addWidget(histogram);

    tabs = new QWidget(body);
    tabRow = new QHBoxLayout(tabs);
    tabRow->setContentsMargins(0, 0, 0, 0);
    tabRow->setSpacing(theme.space(1));
    tabRow->addStretch(1);
    tabGroup = new QButtonGroup(tabs);
    column->addWidget(tabs);
    number = new TextLabel({}, Token::Text, 2.2, QFont::DemiBold, body);
    number->setAlignment(Qt::AlignHCenter);
    heat = new HeatMapView(body);
    images = new ImageTilesView(body);
    bars = new BarsView(body);
    units = new UnitsView(body);
    history = new HistoryView(body);
    valuesPage = makeValues(body);
    chain = new DerivationView(session, body);
    map = new MapView(session, body);
    for (TensorView* view : std::initializer_list<TensorView*>{heat, images, bars})
        QObject::connect(view, &TensorView::picked, q, [this](std::int64_t element) {
            if (isTrainedWeight()) followWeight(element);
        });
    for (QWidget* view : std::initializer_list<QWidget*>{number, heat, images, bars, units, history,
                                                         valuesPage, chain, map}) {
        column->addWidget(view);
        view->hide();
    }
    column->addStretch(1);
    QObject::connect(tabGroup, &QButtonGroup::idClicked, q, [this](int id) {
        kind = static_cast<PictureKind>(id);
        preferred = kind;
        if (record) {
            showKind();
        }
    });
    return body;
}

// --- the widget

InspectorPanel::InspectorPanel(Document& document, TrainSession& session, QWidget* parent)
    : QWidget(parent), d(std::make_unique<Impl>(document, session, this)) {
    setObjectName(QStringLiteral("inspectorPanel"));
    setBackground(this, Token::Panel);
    const Theme& theme = Theme::instance();
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);

    auto* head = new QVBoxLayout;
    head->setContentsMargins(theme.space(3), theme.space(2), theme.space(3), theme.space(2));
    head->setSpacing(theme.space(1));
    auto* line = new QHBoxLayout;
    d->title = new TextLabel({}, Token::Text, 1.1, QFont::DemiBold, this);
    d->subtitle = new TextLabel({}, Token::TextMuted, 0.92, QFont::Normal, this);
    d->pin = iconButton(QStringLiteral("pin"),
                        QStringLiteral("Stay on this value while the selection moves"), this);
    d->pin->setObjectName(QStringLiteral("inspectorPin"));
    d->pin->setCheckable(true);
    line->setSpacing(theme.space(2));
    line->addWidget(d->title);
    line->addWidget(d->subtitle, 1);
    QToolButton* copy =
        iconButton(QStringLiteral("copy"), tr("Copy these values as NumPy text"), this);
    copy->setObjectName(QStringLiteral("copyNumPy"));
    QToolButton* save =
        iconButton(QStringLiteral("save"), tr("Save the whole value as .npy"), this);
    save->setObjectName(QStringLiteral("saveNpy"));
    line->addWidget(copy);
    line->addWidget(save);
    line->addWidget(d->pin);
    connect(copy, &QToolButton::clicked, this, [this] {
        if (d->record) QGuiApplication::clipboard()->setText(numpyText(*d->record));
    });
    connect(save, &QToolButton::clicked, this, [this] { d->saveNpy(); });
    head->addLayout(line);
    d->choice = new QComboBox(this);
    d->choice->setObjectName(QStringLiteral("inspectorValue"));
    d->choice->setAccessibleName(QStringLiteral("Value to look at"));
    auto* what = new QHBoxLayout;
    what->addWidget(d->choice, 1);
    d->pinSample = new QToolButton(this);
    d->pinSample->setText(tr("Sample"));
    d->pinSample->setCheckable(true);
    d->pinSample->setObjectName(QStringLiteral("pinSample"));
    d->pinSample->setToolTip(tr("Look at the same validation sample at every step, instead of the "
                                "batch that passes"));
    d->sample = new QSpinBox(this);
    d->sample->setRange(0, 1'000'000'000);
    d->sample->setObjectName(QStringLiteral("sampleNumber"));
    d->sample->setAccessibleName(tr("Number of the sample"));
    d->sample->hide();
    what->addWidget(d->pinSample);
    what->addWidget(d->sample);
    head->addLayout(what);
    column->addLayout(head);
    d->sampleTimer.setInterval(int(1000 / kLooksPerSecond));
    connect(&d->sampleTimer, &QTimer::timeout, this, [this] { d->askForSample(); });
    connect(d->pinSample, &QToolButton::toggled, this, [this](bool on) {
        d->sample->setVisible(on);
        d->record.reset();
        d->history->clear();
        if (on) {
            d->sampleTimer.start();
            d->askForSample();
        } else {
            d->sampleTimer.stop();
            d->arrived();
        }
        d->refreshBody();
    });
    connect(d->sample, &QSpinBox::valueChanged, this, [this] {
        d->history->clear();
        d->askForSample();
    });

    auto* host = new QWidget(this);
    d->pages = new QStackedLayout(host);
    d->empty = new EmptyState(QStringLiteral("inspector"), {}, {}, host);
    auto* scroll = new QScrollArea(host);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    // Views as high as they are wide: a bar that came and went would change the width, and the
    // height with it, for ever.
    scroll->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOn);
    scroll->setWidget(d->makeBody());
    setBackground(scroll->viewport(), Token::Panel);
    d->pages->addWidget(d->empty);
    d->pages->addWidget(scroll);
    column->addWidget(host, 1);

    connect(d->choice, &QComboBox::currentIndexChanged, this, [this](int index) {
        if (index >= 0 && index < int(d->values.size())) {
            d->setValue(d->values[std::size_t(index)]);
        }
    });
    connect(d->pin, &QToolButton::toggled, this, [this](bool pinned) {
        if (!pinned) {
            d->take(d->wanted);
        }
    });
    connect(&document, &Document::analysed, this, [this] {
        d->listValues();
        d->refreshHeader();
    });
    connect(&document, &Document::changed, this, [this](const graph::ChangeSet& changes) {
        if (changes.everything || changes.removed.count(d->focus.node.toStdString()) > 0) {
            if (!d->node()) {
                const QSignalBlocker block(d->pin);
                d->pin->setChecked(false);
            }
            d->take(d->node() ? d->focus : Focus{});
        } else if (changes.changed.count(d->focus.node.toStdString()) > 0) {
            d->refreshHeader();
        }
    });
    connect(&session, &TrainSession::probesArrived, this, [this] { d->arrived(); });
    connect(&session, &TrainSession::finished, this, [this] { d->fetchWeight(); });
    const auto follow = [this] {
        if (d->session.state() != train::RunState::Running && d->chain->isVisible())
            d->chain->askAgain();
    };
    connect(&session, &TrainSession::frame, this, follow); // a step at a time
    connect(&session, &TrainSession::travelled, this, follow);
    connect(&session, &TrainSession::stateChanged, this, [this] {
        if (d->session.state() == train::RunState::Preparing) {
            d->record.reset(); // of the run before
            d->chain->forget();
        }
        if (d->chain->isVisible()) d->chain->askAgain();
        d->refreshBody();
    });
    d->take(Focus{});
}

InspectorPanel::~InspectorPanel() {
    d->unsubscribe();
}

void InspectorPanel::look(const Focus& focus) {
    d->wanted = focus;
    if (!isPinned()) {
        d->take(focus);
    }
}

Focus InspectorPanel::focus() const {
    return d->focus;
}

bool InspectorPanel::isPinned() const {
    return d->pin->isChecked();
}

void InspectorPanel::setPinned(bool pinned) {
    d->pin->setChecked(pinned);
}

std::vector<ValueId> InspectorPanel::values() const {
    return d->values;
}

ValueId InspectorPanel::current() const {
    return d->value;
}

void InspectorPanel::choose(const ValueId& value) {
    if (std::find(d->values.begin(), d->values.end(), value) != d->values.end()) {
        d->setValue(value);
    }
}

const ProbeRecord* InspectorPanel::shown() const {
    return d->record ? &*d->record : nullptr;
}

void InspectorPanel::showElement(std::int64_t element) {
    if (!d->record || d->record->shape.size() == 0) return;
    const std::int64_t row =
        std::max<std::int64_t>(1, numel(d->record->shape) / d->record->shape[0]);
    d->sliceFrom = element / row;
    d->preferred = PictureKind::Values;
    if (const auto at = std::find(d->kinds.begin(), d->kinds.end(), PictureKind::Values);
        at != d->kinds.end()) {
        d->kind = PictureKind::Values;
        if (QAbstractButton* button = d->tabGroup->button(int(d->kind))) button->setChecked(true);
    }
    d->resubscribe();
    d->fetchWeight();
    d->showKind();
}

void InspectorPanel::followWeight(std::int64_t element) {
    d->followWeight(element);
}

void InspectorPanel::pinSample(std::int64_t index) {
    d->sample->setValue(int(index));
    d->pinSample->setChecked(true);
}

bool InspectorPanel::isSubscribed() const {
    return d->subscribed;
}

void InspectorPanel::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    d->resubscribe();
    d->arrived();
    d->fetchWeight();
    d->refreshBody();
}

void InspectorPanel::hideEvent(QHideEvent* event) {
    d->unsubscribe();
    QWidget::hideEvent(event);
}

} // namespace wiregrad::studio

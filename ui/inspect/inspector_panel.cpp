#include "ui/inspect/inspector_panel.h"

#include <QButtonGroup>
#include <QComboBox>
#include <QGridLayout>
#include <QPointer>
#include <QScrollArea>
#include <QSignalBlocker>
#include <QStackedLayout>
#include <QStandardItemModel>
#include <QVBoxLayout>

#include <array>
#include <optional>

#include "engine/nn/module.h"
#include "ui/inspect/tensor_views.h"
#include "ui/panels/format.h"
#include "ui/panels/parts.h"

namespace wiregrad::studio {

namespace {

constexpr double kLooksPerSecond = 5;
constexpr int kBins = 48;
/// 64 KB a look: 32 channels of 22 × 22, or 20 digits.
constexpr std::int64_t kElements = 16384;

ProbeRequest requestFor(const ValueId& value) {
    ProbeRequest request;
    request.value = value;
    request.histogram_bins = kBins;
    request.max_elements = kElements;
    request.max_per_second = kLooksPerSecond;
    return request;
}

bool isWeight(ProbeWhat what) {
    return what == ProbeWhat::Weight || what == ProbeWhat::WeightGradient;
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
    }
    return name;
}

enum Stat { Shape_, Type, Step, Min, Max, Mean, Std, Zeros, Broken, StatCount };
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

struct InspectorPanel::Impl {
    Impl(Document& doc, TrainSession& run, InspectorPanel* panel)
        : document(doc), session(run), q(panel) {}

    Document& document;
    TrainSession& session;
    InspectorPanel* q;
    Focus focus;  ///< what is looked at
    Focus wanted; ///< what was selected last: taken when the pin is lifted
    std::vector<ValueId> values;
    ValueId value;
    bool hasValue = false;
    int handle = 0;
    bool subscribed = false;
    std::optional<ProbeRecord> record;
    quint64 fetch = 0; ///< number of the last weight that was asked for; older answers are dropped
    std::optional<PictureKind> preferred;
    std::vector<PictureKind> kinds;
    PictureKind kind = PictureKind::HeatMap;

    TextLabel *title = nullptr, *subtitle = nullptr;
    QToolButton* pin = nullptr;
    QComboBox* choice = nullptr;
    QStackedLayout* pages = nullptr;
    EmptyState* empty = nullptr;
    std::array<TextLabel*, StatCount> stats{};
    HistogramView* histogram = nullptr;
    TextLabel* histogramTitle = nullptr;
    TextLabel* number = nullptr;
    QWidget* tabs = nullptr;
    QHBoxLayout* tabRow = nullptr;
    QButtonGroup* tabGroup = nullptr;
    HeatMapView* heat = nullptr;
    ImageTilesView* images = nullptr;
    BarsView* bars = nullptr;

    const graph::Node* node() const { return document.graph().node(focus.node.toStdString()); }
    const graph::NodeType* type() const {
        return node() ? graph::find_type(node()->type) : nullptr;
    }
    void take(const Focus& next);
    void listValues();
    void setValue(const ValueId& next);
    void resubscribe();
    void unsubscribe();
    void arrived();
    void fetchWeight();
    void take(ProbeRecord next);
    void refreshHeader();
    void refreshBody();
    void refreshEmpty();
    void setKinds(const std::vector<PictureKind>& next);
    void showKind();
    QWidget* makeBody();
};

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
        handle = session.subscribe(requestFor(value));
        subscribed = true;
    }
}

void InspectorPanel::Impl::arrived() {
    if (!hasValue) {
        return;
    }
    const ProbeRecord* latest = session.latest(value);
    if (latest && (!record || latest->step != record->step)) {
        take(*latest);
    }
}

void InspectorPanel::Impl::take(ProbeRecord next) {
    ++fetch;
    record = std::move(next);
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
        [answer, name, step, request = requestFor(value)](graph::CompiledModel& model) {
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
            take(measure(requestFor(value), weight.tensor, 0));
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
    setKinds(picturesFor(now));
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
    for (QWidget* view : std::initializer_list<QWidget*>{number, heat, images, bars}) {
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
    line->addWidget(d->pin);
    head->addLayout(line);
    d->choice = new QComboBox(this);
    d->choice->setObjectName(QStringLiteral("inspectorValue"));
    d->choice->setAccessibleName(QStringLiteral("Value to look at"));
    head->addWidget(d->choice);
    column->addLayout(head);

    auto* host = new QWidget(this);
    d->pages = new QStackedLayout(host);
    d->empty = new EmptyState(QStringLiteral("inspector"), {}, {}, host);
    auto* scroll = new QScrollArea(host);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
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
    connect(&session, &TrainSession::stateChanged, this, [this] {
        if (d->session.state() == train::RunState::Preparing) {
            d->record.reset(); // of the run before
        }
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

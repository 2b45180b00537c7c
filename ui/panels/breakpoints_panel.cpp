#include "ui/panels/breakpoints_panel.h"

#include <QAction>
#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSplitter>
#include <QStackedLayout>
#include <QTableWidget>
#include <QVBoxLayout>

#include <algorithm>
#include <array>
#include <cmath>

#include "ui/panels/format.h"
#include "ui/panels/parts.h"

namespace wiregrad::studio {

namespace {

using train::Breakpoint;
using When = Breakpoint::When;
using Side = Breakpoint::Side;

struct Choice {
    const char* text;
    When when;
    bool below;
    bool limit; ///< takes a number
    const char* preset;
};
constexpr std::array kChoices{
    Choice{"a value is NaN or infinite", When::Broken, false, false, ""},
    Choice{"a magnitude is above", When::Magnitude, false, true, "1000"},
    Choice{"the mean is above", When::Mean, false, true, "1"},
    Choice{"the mean is below", When::Mean, true, true, "-1"},
    Choice{"the greatest value is above", When::Max, false, true, "10"},
    Choice{"the smallest value is below", When::Min, true, true, "-10"},
    Choice{"the norm is above", When::Norm, false, true, "10"},
    Choice{"the share of zeros is above", When::Zeros, false, true, "0.8"},
    Choice{"the loss is above", When::Loss, false, true, "10"},
    Choice{"the loss is below", When::Loss, true, true, "0.1"},
    Choice{"the step is", When::Step, false, true, "100"},
    Choice{"the step is a multiple of", When::Every, false, true, "100"},
};

QString phaseText(train::Phase phase) {
    return phase == train::Phase::Forward    ? BreakpointsPanel::tr("forward")
           : phase == train::Phase::Backward ? BreakpointsPanel::tr("backward")
                                             : BreakpointsPanel::tr("update");
}

QTableWidget* makeTable(const QStringList& titles, const QString& name, QWidget* parent) {
    auto* table = new QTableWidget(0, int(titles.size()), parent);
    table->setObjectName(name);
    table->setHorizontalHeaderLabels(titles);
    table->verticalHeader()->hide();
    table->setShowGrid(false);
    table->setFrameShape(QFrame::NoFrame);
    table->setSelectionBehavior(QAbstractItemView::SelectRows);
    table->setEditTriggers(QAbstractItemView::NoEditTriggers);
    table->setWordWrap(false);
    table->setMinimumWidth(Theme::instance().space(40));
    table->verticalHeader()->setDefaultSectionSize(Theme::instance().space(6));
    table->horizontalHeader()->setHighlightSections(false);
    table->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    return table;
}

void setRow(QTableWidget* table, int row, const QStringList& cells, bool strong,
            Token token = Token::Text) {
    for (int column = 0; column < cells.size(); ++column) {
        auto* item = new QTableWidgetItem(cells[column]);
        if (strong) item->setFont(Theme::instance().font(1.0, QFont::DemiBold));
        item->setForeground(Theme::instance().color(token));
        table->setItem(row, column, item);
    }
}

} // namespace

struct BreakpointsPanel::Impl {
    Document& document;
    TrainSession& session;
    BreakpointsPanel* q;
    QListWidget* list = nullptr;
    QComboBox *place = nullptr, *side = nullptr, *when = nullptr, *bad = nullptr;
    QLineEdit* limit = nullptr;
    QPushButton* add = nullptr;
    QStackedLayout* pages = nullptr;
    EmptyState* empty = nullptr;
    TextLabel* sentence = nullptr;
    std::array<QToolButton*, 5> steps{};
    QTableWidget *trail = nullptr, *values = nullptr;
    QString offeredNode{}, offeredPort{};

    QString nameOf(const std::string& node) const {
        const graph::Node* one = document.graph().node(node);
        return one && !one->name.empty() ? QString::fromStdString(one->name)
                                         : QString::fromStdString(node);
    }
    void refreshList();
    void refreshPlaces();
    void refreshForm();
    void refreshHalt();
    QWidget* makeList();
    QWidget* makeHalt();
};

void BreakpointsPanel::Impl::refreshList() {
    const QSignalBlocker block(list);
    const int row = list->currentRow();
    list->clear();
    for (const Breakpoint& b : session.breakpoints().list()) {
        auto* item = new QListWidgetItem(
            QString::fromStdString(
                train::describe(b, b.node.empty() ? std::string() : nameOf(b.node).toStdString())),
            list);
        item->setData(Qt::UserRole, b.id);
        item->setToolTip(item->text());
        item->setFlags(Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemIsUserCheckable);
        item->setCheckState(b.enabled ? Qt::Checked : Qt::Unchecked);
        if (!b.node.empty() && !document.graph().node(b.node) &&
            b.node.find('.') == std::string::npos) {
            item->setForeground(Theme::instance().color(Token::TextMuted));
            item->setToolTip(tr("There is no such node any more."));
        }
    }
    if (list->count() > 0) list->setCurrentRow(std::clamp(row, 0, list->count() - 1));
    const QSignalBlocker quiet(bad);
    bad->setCurrentIndex(int(session.breakpoints().badNumbers()));
}

void BreakpointsPanel::Impl::refreshPlaces() {
    const QSignalBlocker block(place);
    const int before = place->currentIndex();
    place->clear();
    place->addItem(tr("Anywhere"));
    if (!offeredNode.isEmpty())
        place->addItem(
            offeredPort.isEmpty()
                ? nameOf(offeredNode.toStdString())
                : tr("%1, output %2").arg(nameOf(offeredNode.toStdString()), offeredPort));
    place->setCurrentIndex(std::min(before < 0 ? 0 : before, place->count() - 1));
}

void BreakpointsPanel::Impl::refreshForm() {
    const Choice& choice = kChoices[std::size_t(std::max(0, when->currentIndex()))];
    limit->setVisible(choice.limit);
    const bool ofValue =
        choice.when != When::Loss && choice.when != When::Step && choice.when != When::Every;
    side->setVisible(ofValue);
    bool number = true;
    const double value = limit->text().toDouble(&number);
    add->setEnabled(!choice.limit || (number && std::isfinite(value)));
}

void BreakpointsPanel::Impl::refreshHalt() {
    const train::Halt* halt = session.halt();
    pages->setCurrentIndex(halt ? 1 : 0);
    if (!halt) {
        const bool any = session.breakpoints().any();
        empty->setTexts(
            any && session.isActive() ? tr("Waiting for a breakpoint")
                                      : tr("Stop a run inside a step"),
            any ? tr("The run stops at the op where a condition holds. Then it can be walked op by "
                     "op, and the numbers are shown here and on the canvas.")
                : tr("Add a condition on the left, or right-click a node or a wire. \"One op\" "
                     "walks from where the run is paused."));
        return;
    }
    sentence->setText(QString::fromStdString(halt->reason));
    steps[0]->setEnabled(!halt->trail.empty() && halt->trail.front().index < halt->at.index);
    {
        trail->setRowCount(int(halt->trail.size()));
        int here = 0;
        for (int row = 0; row < trail->rowCount(); ++row) {
            const train::OpLine& line = halt->trail[std::size_t(row)];
            const bool now = line.index == halt->at.index;
            if (now) here = row;
            setRow(trail, row,
                   {now ? QStringLiteral("▸ %1").arg(line.index) : QString::number(line.index),
                    phaseText(line.phase),
                    line.node.empty() ? QStringLiteral("–") : nameOf(line.node),
                    QString::fromStdString(line.op), shapeText(line.shape)},
                   now, line.index > halt->at.index ? Token::TextMuted : Token::Text);
        }
        trail->resizeColumnsToContents();
        trail->selectRow(here);
        trail->scrollToItem(trail->item(here, 0), QAbstractItemView::PositionAtCenter);
    }
    values->setRowCount(int(halt->inputs.size() + halt->outputs.size()));
    int row = 0;
    for (const auto* records : {&halt->outputs, &halt->inputs})
        for (const ProbeRecord& r : *records) {
            const double count = double(std::max<std::int64_t>(1, numel(r.shape)));
            const bool broken = r.nans + r.infs > 0;
            setRow(values, row++,
                   {QString::fromStdString(r.value.name), shapeText(r.shape), numberText(r.min),
                    numberText(r.mean), numberText(r.max), numberText(r.std),
                    percentText(double(r.zeros) / count, 1),
                    broken ? QStringLiteral("%1, %2").arg(countText(r.nans), countText(r.infs))
                           : QStringLiteral("–")},
                   records == &halt->outputs, broken ? Token::Error : Token::Text);
        }
    values->resizeColumnsToContents();
}

QWidget* BreakpointsPanel::Impl::makeList() {
    const Theme& theme = Theme::instance();
    auto* side_ = new QWidget(q);
    auto* column = new QVBoxLayout(side_);
    column->setContentsMargins(theme.space(2), theme.space(2), theme.space(2), theme.space(2));
    column->setSpacing(theme.space(1));
    place = new QComboBox(side_);
    place->setObjectName(QStringLiteral("breakPlace"));
    place->setAccessibleName(tr("Where"));
    side = new QComboBox(side_);
    side->setObjectName(QStringLiteral("breakSide"));
    side->setAccessibleName(tr("Values or gradients"));
    side->addItems({tr("Value"), tr("Gradient"), tr("Both")});
    when = new QComboBox(side_);
    when->setObjectName(QStringLiteral("breakWhen"));
    when->setAccessibleName(tr("Condition"));
    for (const Choice& choice : kChoices)
        when->addItem(tr(choice.text));
    limit = new QLineEdit(side_);
    limit->setObjectName(QStringLiteral("breakLimit"));
    limit->setAccessibleName(tr("Limit"));
    limit->setMaximumWidth(theme.space(20));
    add = new QPushButton(tr("Add"), side_);
    add->setObjectName(QStringLiteral("breakAdd"));
    auto* first = new QHBoxLayout;
    first->addWidget(place, 2);
    first->addWidget(side, 1);
    auto* second = new QHBoxLayout;
    second->addWidget(when, 1);
    second->addWidget(limit);
    second->addWidget(add);
    column->addLayout(first);
    column->addLayout(second);
    list = new QListWidget(side_);
    list->setObjectName(QStringLiteral("breakList"));
    list->setFrameShape(QFrame::NoFrame);
    list->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    list->setTextElideMode(Qt::ElideRight);
    list->setSpacing(2);
    list->setAccessibleName(tr("Breakpoints"));
    list->setToolTip(tr("Delete removes the selected one"));
    column->addWidget(list, 1);
    auto* row = new QHBoxLayout;
    row->addWidget(new TextLabel(tr("A loss that is no number:"), Token::TextMuted, 0.92,
                                 QFont::Normal, side_));
    bad = new QComboBox(side_);
    bad->setObjectName(QStringLiteral("badNumbers"));
    bad->addItems({tr("ends the run"), tr("leaves its batch out"), tr("is only told")});
    bad->setToolTip(tr("From the next run on. In each case the first op, channel and sample are "
                       "named."));
    row->addWidget(bad, 1);
    QToolButton* remove = iconButton(QStringLiteral("delete"), tr("Remove this breakpoint"), side_);
    remove->setObjectName(QStringLiteral("breakRemove"));
    row->addWidget(remove);
    column->addLayout(row);

    connect(when, &QComboBox::currentIndexChanged, q, [this](int index) {
        limit->setText(QString::fromLatin1(kChoices[std::size_t(std::max(0, index))].preset));
        refreshForm();
    });
    connect(limit, &QLineEdit::textChanged, q, [this] { refreshForm(); });
    connect(limit, &QLineEdit::returnPressed, add, &QPushButton::click);
    connect(add, &QPushButton::clicked, q, [this] { q->addFromForm(); });
    connect(list, &QListWidget::itemChanged, q, [this](QListWidgetItem* item) {
        session.breakpoints().setEnabled(item->data(Qt::UserRole).toInt(),
                                         item->checkState() == Qt::Checked);
    });
    connect(list, &QListWidget::itemActivated, q, [this](QListWidgetItem* item) {
        const Breakpoint* b = session.breakpoints().find(item->data(Qt::UserRole).toInt());
        if (b && !b->node.empty())
            emit q->activated(QString::fromStdString(b->node), QString::fromStdString(b->port));
    });
    const auto removeNow = [this] {
        if (const QListWidgetItem* item = list->currentItem())
            session.breakpoints().remove(item->data(Qt::UserRole).toInt());
    };
    connect(remove, &QToolButton::clicked, q, removeNow);
    auto* key = new QAction(list);
    key->setShortcut(QKeySequence::Delete);
    key->setShortcutContext(Qt::WidgetShortcut);
    list->addAction(key);
    connect(key, &QAction::triggered, q, removeNow);
    connect(bad, &QComboBox::currentIndexChanged, q,
            [this](int index) { session.breakpoints().setBadNumbers(train::BadNumbers(index)); });
    return side_;
}

QWidget* BreakpointsPanel::Impl::makeHalt() {
    const Theme& theme = Theme::instance();
    auto* host = new QWidget(q);
    pages = new QStackedLayout(host);
    empty = new EmptyState(QStringLiteral("pause"), {}, {}, host);
    auto* page = new QWidget(host);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(theme.space(2), theme.space(2), theme.space(2), theme.space(2));
    column->setSpacing(theme.space(1));
    sentence = new TextLabel({}, Token::Text, 1.0, QFont::DemiBold, page);
    sentence->setObjectName(QStringLiteral("haltSentence"));
    sentence->setWordWrap(true);
    sentence->setTextInteractionFlags(Qt::TextSelectableByMouse);
    column->addWidget(sentence);
    auto* row = new QHBoxLayout;
    struct Button {
        const char *name, *text, *help;
        train::StepOrder order;
    };
    const std::array<Button, 5> buttons{{
        {"opBack", QT_TR_NOOP("Op back"), QT_TR_NOOP("Look at the op before (Ctrl+Shift+F10)"),
         train::StepOrder::Back},
        {"opOn", QT_TR_NOOP("Op on"), QT_TR_NOOP("Compute one op and stop again (Ctrl+F10)"),
         train::StepOrder::Op},
        {"nodeOn", QT_TR_NOOP("Next node"), QT_TR_NOOP("Go on to the first op of another node"),
         train::StepOrder::Node},
        {"stepEnd", QT_TR_NOOP("End of step"), QT_TR_NOOP("Finish this step and pause"),
         train::StepOrder::Finish},
        {"runOn", QT_TR_NOOP("Run on"), QT_TR_NOOP("Go on to the next breakpoint"),
         train::StepOrder::Run},
    }};
    for (std::size_t i = 0; i < buttons.size(); ++i) {
        auto* button = new QToolButton(page);
        button->setObjectName(QLatin1String(buttons[i].name));
        button->setText(tr(buttons[i].text));
        button->setToolTip(tr(buttons[i].help));
        connect(button, &QToolButton::clicked, q, [this, order = buttons[i].order] {
            if (order == train::StepOrder::Run)
                session.resume();
            else if (order == train::StepOrder::Finish)
                session.stepOnce();
            else
                session.go(order);
        });
        steps[i] = button;
        row->addWidget(button);
    }
    row->addStretch(1);
    column->addLayout(row);
    auto* split = new QSplitter(Qt::Horizontal, page);
    trail = makeTable({tr("Op"), tr("Phase"), tr("Node"), tr("What"), tr("Shape")},
                      QStringLiteral("haltTrail"), split);
    values = makeTable({tr("Value"), tr("Shape"), tr("Min"), tr("Mean"), tr("Max"), tr("Std"),
                        tr("Zeros"), tr("NaN, ∞")},
                       QStringLiteral("haltValues"), split);
    split->addWidget(trail);
    split->addWidget(values);
    split->setChildrenCollapsible(false);
    column->addWidget(split, 1);
    pages->addWidget(empty);
    pages->addWidget(page);
    connect(trail, &QTableWidget::cellActivated, q, [this](int at, int) {
        const train::Halt* halt = session.halt();
        if (halt && at < int(halt->trail.size()) && !halt->trail[std::size_t(at)].node.empty())
            emit q->activated(QString::fromStdString(halt->trail[std::size_t(at)].node), {});
    });
    return host;
}

BreakpointsPanel::BreakpointsPanel(Document& document, TrainSession& session, QWidget* parent)
    : QWidget(parent), d(new Impl{document, session, this}) {
    setObjectName(QStringLiteral("breakpointsPanel"));
    setBackground(this, Token::Panel);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    auto* split = new QSplitter(Qt::Horizontal, this);
    split->addWidget(d->makeList());
    split->addWidget(d->makeHalt());
    split->setStretchFactor(0, 0);
    split->setStretchFactor(1, 1);
    split->setChildrenCollapsible(false);
    row->addWidget(split);
    const Theme& theme = Theme::instance();
    setMinimumWidth(theme.space(120)); // a window never grows for it
    split->setSizes({theme.space(75), theme.space(160)});
    const auto restyle = [this] {
        QPalette colours = palette();
        colours.setColor(QPalette::Base, Theme::instance().color(Token::Panel));
        for (QWidget* view : std::initializer_list<QWidget*>{d->list, d->trail, d->values})
            view->setPalette(colours);
        d->refreshList();
        d->refreshHalt();
    };
    connect(&Theme::instance(), &Theme::changed, this, restyle);
    connect(&session.breakpoints(), &Breakpoints::changed, this, [this] {
        d->refreshList();
        d->refreshHalt();
    });
    connect(&session, &TrainSession::halted, this, [this] { d->refreshHalt(); });
    connect(&session, &TrainSession::stateChanged, this, [this] { d->refreshHalt(); });
    connect(&document, &Document::changed, this, [this](const graph::ChangeSet& changes) {
        if (changes.everything) d->offeredNode.clear();
        d->refreshPlaces();
        d->refreshList();
    });
    d->refreshPlaces();
    d->refreshForm();
    restyle();
}

BreakpointsPanel::~BreakpointsPanel() = default;

void BreakpointsPanel::offer(const QString& node, const QString& port) {
    d->offeredNode = node;
    d->offeredPort = port;
    d->refreshPlaces();
    if (!node.isEmpty()) d->place->setCurrentIndex(1);
}

void BreakpointsPanel::addFromForm() {
    const Choice& choice = kChoices[std::size_t(std::max(0, d->when->currentIndex()))];
    bool number = true;
    const double limit = d->limit->text().toDouble(&number);
    if (choice.limit && !(number && std::isfinite(limit))) return;
    Breakpoint b;
    if (d->place->currentIndex() == 1) {
        b.node = d->offeredNode.toStdString();
        b.port = d->offeredPort.toStdString();
    }
    b.side = Side(d->side->currentIndex());
    b.when = choice.when;
    b.below = choice.below;
    b.limit = choice.limit ? limit : 0;
    if (choice.when == When::Loss) b.port.clear();
    if (choice.when == When::Step || choice.when == When::Every) b.side = Side::Forward;
    d->session.breakpoints().add(std::move(b));
}

int BreakpointsPanel::rows() const {
    return d->list->count();
}
QString BreakpointsPanel::text(int row) const {
    return d->list->item(row)->text();
}
QString BreakpointsPanel::sentence() const {
    return d->session.halt() ? d->sentence->text() : QString();
}
int BreakpointsPanel::trailRows() const {
    return d->session.halt() ? d->trail->rowCount() : 0;
}
QString BreakpointsPanel::trailCell(int row, int column) const {
    return d->trail->item(row, column)->text();
}
QString BreakpointsPanel::valueCell(int row, int column) const {
    return d->values->item(row, column)->text();
}

} // namespace wiregrad::studio

#include "moc_breakpoints_panel.cpp"

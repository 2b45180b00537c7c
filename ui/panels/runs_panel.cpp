#include "ui/panels/runs_panel.h"

#include <QAbstractTableModel>
#include <QDialog>
#include <QDialogButtonBox>
#include <QHeaderView>
#include <QLineEdit>
#include <QLocale>
#include <QMenu>
#include <QMessageBox>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSortFilterProxyModel>
#include <QSplitter>
#include <QStackedLayout>
#include <QTableView>
#include <QTableWidget>
#include <QTimer>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/core/error.h"
#include "nodes/project.h"
#include "ui/panels/format.h"
#include "ui/panels/parts.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

enum Column { Name, State, Started, Steps, Seconds, Seed, Tags, FixedColumns };
constexpr int kFollowMs = 500; // numbers that are read, not watched
constexpr int kSortRole = Qt::UserRole, kIdRole = Qt::UserRole + 1;

/// "validation/accuracy": "Accuracy (validation)".
QString metricTitle(const std::string& name) {
    const QString text = QString::fromStdString(name);
    const auto slash = text.indexOf(QLatin1Char('/'));
    QString title = text.mid(slash + 1);
    if (!title.isEmpty()) title[0] = title[0].toUpper();
    return QStringLiteral("%1 (%2)").arg(title, text.left(slash));
}

bool isResult(const std::string& name) {
    return name.starts_with("train/") || name.starts_with("validation/") ||
           name.starts_with("test/");
}

class RunsModel : public QAbstractTableModel {
  public:
    explicit RunsModel(TrainSession& session) : session_(session), store_(session.runs()) {
        refresh();
    }

    /// The run that goes on has no end in its journal yet: what it is at, is known here.
    void follow() {
        for (int row = 0; row < rowCount(); ++row)
            if (goesOn(store_.runs()[std::size_t(row)])) {
                bool known = true;
                for (const std::string& name : session_.metrics().names())
                    known = known && (!isResult(name) || std::find(metrics_.begin(), metrics_.end(),
                                                                   name) != metrics_.end());
                if (!known) refresh();
                emit dataChanged(index(row, 0), index(row, columnCount() - 1), {Qt::DisplayRole});
            }
    }
    bool goesOn(const RunInfo& run) const {
        return session_.isActive() && run.id == session_.currentRun();
    }

    void refresh() {
        beginResetModel();
        std::set<std::string> names;
        for (const RunInfo& run : store_.runs())
            for (const auto& [name, value] : run.finals)
                if (isResult(name)) names.insert(name);
        if (session_.isActive())
            for (const std::string& name : session_.metrics().names())
                if (isResult(name)) names.insert(name);
        metrics_.assign(names.begin(), names.end());
        // What matters first: test, then validation, then training.
        std::stable_sort(metrics_.begin(), metrics_.end(),
                         [](const std::string& a, const std::string& b) {
                             const auto rank = [](const std::string& n) {
                                 return n.starts_with("test/") ? 0 : n.starts_with("val") ? 1 : 2;
                             };
                             return rank(a) < rank(b);
                         });
        endResetModel();
    }
    int rowCount(const QModelIndex& parent = {}) const override {
        return parent.isValid() ? 0 : int(store_.runs().size());
    }
    int columnCount(const QModelIndex& parent = {}) const override {
        return parent.isValid() ? 0 : FixedColumns + int(metrics_.size());
    }
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override {
        if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
        if (section >= FixedColumns)
            return metricTitle(metrics_[std::size_t(section - FixedColumns)]);
        constexpr const char* kTitles[] = {"Run",  "State", "Started", "Steps",
                                           "Time", "Seed",  "Tags"};
        return RunsPanel::tr(kTitles[section]);
    }
    Qt::ItemFlags flags(const QModelIndex& index) const override {
        const auto base = QAbstractTableModel::flags(index);
        return index.column() == Name ? base | Qt::ItemIsUserCheckable : base;
    }
    bool setData(const QModelIndex& index, const QVariant& value, int role) override {
        if (role != Qt::CheckStateRole || index.column() != Name) return false;
        const QString id = store_.runs()[std::size_t(index.row())].id;
        if (value.toInt() == Qt::Checked)
            overlaid.append(id);
        else
            overlaid.removeAll(id);
        emit dataChanged(index, index, {Qt::CheckStateRole});
        return true;
    }
    QVariant data(const QModelIndex& index, int role) const override {
        if (!index.isValid() || index.row() >= rowCount()) return {};
        const RunInfo& run = store_.runs()[std::size_t(index.row())];
        if (role == kIdRole) return run.id;
        if (role == Qt::CheckStateRole && index.column() == Name)
            return overlaid.contains(run.id) ? Qt::Checked : Qt::Unchecked;
        if (role == Qt::TextAlignmentRole && index.column() >= Steps && index.column() != Tags)
            return int(Qt::AlignRight | Qt::AlignVCenter);
        if (role == Qt::ToolTipRole) {
            if (index.column() == Name)
                return RunsPanel::tr("%1\nTick to lay its curves over the monitor.")
                    .arg(run.label());
            if (index.column() == State) return run.error.isEmpty() ? run.verdict : run.error;
        }
        if (role != Qt::DisplayRole && role != kSortRole) return {};
        const bool sort = role == kSortRole;
        switch (index.column()) {
        case Name:
            return run.name.isEmpty() ? run.title : run.name;
        case State:
            return run.verdict.isEmpty()
                       ? endText(run.end)
                       : QStringLiteral("%1 · %2").arg(
                             endText(run.end), run.verdict.contains(QLatin1String("bit for bit"))
                                                   ? RunsPanel::tr("same")
                                                   : RunsPanel::tr("different"));
        case Started:
            return sort ? QVariant(run.started)
                        : QVariant(
                              QLocale().toString(run.started, QStringLiteral("d MMM, HH:mm:ss")));
        case Steps: {
            const std::int64_t steps = goesOn(run) ? session_.progress().step : run.steps;
            return sort ? QVariant(qint64(steps)) : QVariant(countText(steps));
        }
        case Seconds: {
            const double seconds = goesOn(run) ? session_.progress().seconds : run.seconds;
            return sort ? QVariant(seconds) : QVariant(durationText(seconds));
        }
        case Seed:
            return sort ? QVariant(run.seed) : QVariant(QString::number(run.seed));
        case Tags:
            return run.tags.join(QStringLiteral(", "));
        default: {
            const std::string& name = metrics_[std::size_t(index.column() - FixedColumns)];
            const double* value = run.final(name);
            const Curve* live = goesOn(run) ? session_.metrics().find(name) : nullptr;
            const double now = live ? live->lastValue() : 0;
            if (live && live->size() > 0) value = &now;
            if (!value) return sort ? QVariant(std::nan("")) : QVariant(QStringLiteral("–"));
            if (sort) return *value;
            return name.find("accuracy") != std::string::npos ? percentText(*value)
                                                              : numberText(*value);
        }
        }
    }
    QStringList overlaid;

  private:
    TrainSession& session_;
    RunStore& store_;
    std::vector<std::string> metrics_;
};

/// Looks for every word in any column, notes included.
class RunsFilter : public QSortFilterProxyModel {
  public:
    explicit RunsFilter(RunStore& store) : store_(store) { setSortRole(kSortRole); }
    void setWords(const QString& text) {
        words_ = text.split(QLatin1Char(' '), Qt::SkipEmptyParts);
        invalidateFilter();
    }

  protected:
    bool filterAcceptsRow(int row, const QModelIndex&) const override {
        const RunInfo& run = store_.runs()[std::size_t(row)];
        const QString all =
            QStringList{
                run.name, run.title, endText(run.end), run.notes, run.tags.join(QLatin1Char(' ')),
                run.id}
                .join(QLatin1Char(' '));
        return std::all_of(words_.begin(), words_.end(), [&all](const QString& word) {
            return all.contains(word, Qt::CaseInsensitive);
        });
    }
    bool lessThan(const QModelIndex& a, const QModelIndex& b) const override {
        const QVariant left = a.data(kSortRole), right = b.data(kSortRole);
        // Runs without this value stand at the end of a rising table.
        if (left.typeId() == QMetaType::Double && right.typeId() == QMetaType::Double) {
            const double x = left.toDouble(), y = right.toDouble();
            return std::isnan(y) ? !std::isnan(x) : x < y;
        }
        return QSortFilterProxyModel::lessThan(a, b);
    }

  private:
    RunStore& store_;
    QStringList words_;
};

} // namespace

struct RunsPanel::Impl {
    Document& document;
    TrainSession& session;
    RunsPanel* q;
    RunsModel model;
    RunsFilter filter;
    QStackedLayout* pages = nullptr;
    QTableView* table = nullptr;
    QLineEdit* search = nullptr;
    QLineEdit *name = nullptr, *tags = nullptr;
    QPlainTextEdit* notes = nullptr;
    TextLabel* facts = nullptr;
    QWidget* side = nullptr;
    QPushButton *again = nullptr, *compare = nullptr, *weights = nullptr;
    QString shown; ///< id of the run in the side view
    QTimer following;
    bool sized = false;

    Impl(Document& doc, TrainSession& run, RunsPanel* panel)
        : document(doc), session(run), q(panel), model(run), filter(run.runs()) {
        filter.setSourceModel(&model);
    }

    void refresh();
    void showSide();
    void keepWords();
    void menu(const QPoint& at);
    void removeSelected();
    QWidget* makeSide();
};

void RunsPanel::Impl::refresh() {
    const QStringList before = q->selected();
    model.refresh();
    pages->setCurrentIndex(session.runs().runs().empty() ? 0 : 1);
    q->select(before);
    if (!sized && model.rowCount() > 0) {
        sized = true;
        table->resizeColumnsToContents();
        table->setColumnWidth(Name,
                              std::max(table->columnWidth(Name), Theme::instance().space(36)));
    }
    showSide();
}

void RunsPanel::Impl::showSide() {
    const QStringList ids = q->selected();
    const RunInfo* run = ids.size() == 1 ? session.runs().find(ids.front()) : nullptr;
    again->setEnabled(run && !session.isActive());
    weights->setEnabled(run && run->end != RunEnd::Running);
    compare->setEnabled(ids.size() == 2);
    const QString id = run ? run->id : QString();
    name->setEnabled(run);
    tags->setEnabled(run);
    notes->setEnabled(run);
    if (id != shown || !(name->hasFocus() || tags->hasFocus() || notes->hasFocus())) {
        const QSignalBlocker a(name), b(tags), c(notes);
        name->setText(run ? run->name : QString());
        tags->setText(run ? run->tags.join(QStringLiteral(", ")) : QString());
        if (notes->toPlainText() != (run ? run->notes : QString()))
            notes->setPlainText(run ? run->notes : QString());
    }
    shown = id;
    QStringList lines;
    if (run) {
        lines << tr("%1, seed %2, %3 epochs, batches of %4")
                     .arg(endText(run->end))
                     .arg(run->seed)
                     .arg(run->epochs)
                     .arg(run->batchSize);
        if (!run->error.isEmpty()) lines << run->error;
        if (!run->verdict.isEmpty()) lines << run->verdict;
        if (const RunInfo* origin = session.runs().find(run->origin))
            lines << (run->originStep >= 0 ? tr("Branched from \"%1\" at step %2.")
                                                 .arg(origin->label())
                                                 .arg(countText(run->originStep))
                                           : tr("Repeats \"%1\".").arg(origin->label()));
        if (!run->dataHash.isEmpty()) lines << tr("Data %1").arg(run->dataHash.left(12));
        if (run->damagedLines > 0)
            lines << tr("%1 lines of its record were damaged and left out.").arg(run->damagedLines);
    } else {
        lines << (ids.isEmpty() ? tr("Select a run, or two to compare.")
                                : tr("%1 runs selected.").arg(ids.size()));
    }
    facts->setText(lines.join(QLatin1Char('\n')));
}

void RunsPanel::Impl::keepWords() {
    if (shown.isEmpty()) return;
    QStringList list;
    for (const QString& tag : tags->text().split(QLatin1Char(','), Qt::SkipEmptyParts))
        if (!tag.trimmed().isEmpty()) list << tag.trimmed();
    const RunInfo* run = session.runs().find(shown);
    if (!run ||
        (run->name == name->text() && run->tags == list && run->notes == notes->toPlainText()))
        return;
    if (!session.runs().describe(shown, name->text(), list, notes->toPlainText()))
        emit q->said(tr("The notes of this run could not be written."));
}

void RunsPanel::Impl::removeSelected() {
    const QStringList ids = q->selected();
    if (ids.isEmpty()) return;
    const auto answer = QMessageBox::question(
        q, tr("Delete runs"),
        ids.size() == 1 ? tr("Delete this run with its curves and weights?")
                        : tr("Delete %1 runs with their curves and weights?").arg(ids.size()));
    if (answer != QMessageBox::Yes) return;
    for (const QString& id : ids)
        if (id != session.currentRun() || !session.isActive()) {
            q->setOverlaid(id, false);
            session.runs().remove(id);
        }
}

void RunsPanel::Impl::menu(const QPoint& at) {
    const QStringList ids = q->selected();
    const RunInfo* run = ids.size() == 1 ? session.runs().find(ids.front()) : nullptr;
    auto* menu = new QMenu(q);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    const auto add = [&](const QString& text, bool enabled, std::function<void()> what) {
        menu->addAction(text, q, std::move(what))->setEnabled(enabled);
    };
    add(tr("Run again and compare"), run && !session.isActive(),
        [this, ids] { q->rerun(ids.front()); });
    add(tr("Go on from its last checkpoint"),
        run && !session.isActive() &&
            (run->end == RunEnd::Interrupted || run->end == RunEnd::Stopped),
        [this, ids] { q->goOn(ids.front()); });
    add(tr("Take its weights"), run && run->end != RunEnd::Running,
        [this, ids] { q->takeWeights(ids.front()); });
    add(tr("Open its network"), run && !session.isActive(), [this, ids] {
        try {
            const RunInfo* one = session.runs().find(ids.front());
            if (one)
                document.adopt(graph::from_text(one->graphText, one->title.toStdString()),
                               document.path());
        } catch (const Error& error) {
            emit q->said(QString::fromStdString(error.what()));
        }
    });
    add(tr("Compare two"), ids.size() == 2, [this] { q->showDifferences(); });
    menu->addSeparator();
    add(tr("Delete …"), !ids.isEmpty(), [this] { removeSelected(); });
    menu->popup(table->viewport()->mapToGlobal(at));
}

QWidget* RunsPanel::Impl::makeSide() {
    const Theme& theme = Theme::instance();
    side = new QWidget(q);
    auto* column = new QVBoxLayout(side);
    column->setContentsMargins(theme.space(3), theme.space(2), theme.space(3), theme.space(2));
    column->setSpacing(theme.space(1));
    facts = new TextLabel({}, Token::TextMuted, 0.92, QFont::Normal, side);
    facts->setWordWrap(true);
    facts->setObjectName(QStringLiteral("runFacts"));
    facts->setTextInteractionFlags(Qt::TextSelectableByMouse);
    name = new QLineEdit(side);
    name->setPlaceholderText(tr("Name"));
    name->setObjectName(QStringLiteral("runName"));
    tags = new QLineEdit(side);
    tags->setPlaceholderText(tr("Tags, separated by commas"));
    tags->setObjectName(QStringLiteral("runTags"));
    notes = new QPlainTextEdit(side);
    notes->setPlaceholderText(tr("Notes"));
    notes->setObjectName(QStringLiteral("runNotes"));
    notes->setMinimumHeight(theme.space(8));
    auto* buttons = new QHBoxLayout;
    again = new QPushButton(tr("Run again"), side);
    again->setToolTip(
        tr("Run it once more from the beginning and compare every loss, bit for bit"));
    again->setObjectName(QStringLiteral("runAgain"));
    compare = new QPushButton(tr("Compare"), side);
    compare->setToolTip(tr("What differs between the two selected runs"));
    compare->setObjectName(QStringLiteral("runCompare"));
    weights = new QPushButton(tr("Take weights"), side);
    weights->setToolTip(tr("Give this project the weights of the run's last checkpoint"));
    weights->setObjectName(QStringLiteral("runWeights"));
    for (QPushButton* button : {again, compare, weights})
        buttons->addWidget(button);
    buttons->addStretch(1);
    column->addWidget(facts);
    column->addWidget(name);
    column->addWidget(tags);
    column->addWidget(notes, 1);
    column->addLayout(buttons);
    connect(name, &QLineEdit::editingFinished, q, [this] { keepWords(); });
    connect(tags, &QLineEdit::editingFinished, q, [this] { keepWords(); });
    connect(notes, &QPlainTextEdit::textChanged, q, [this] { keepWords(); });
    connect(again, &QPushButton::clicked, q, [this] { q->rerun(shown); });
    connect(compare, &QPushButton::clicked, q, [this] { q->showDifferences(); });
    connect(weights, &QPushButton::clicked, q, [this] { q->takeWeights(shown); });
    return side;
}

RunsPanel::RunsPanel(Document& document, TrainSession& session, QWidget* parent)
    : QWidget(parent), d(std::make_unique<Impl>(document, session, this)) {
    setObjectName(QStringLiteral("runsPanel"));
    setBackground(this, Token::Panel);
    const Theme& theme = Theme::instance();
    d->pages = new QStackedLayout(this);
    d->pages->addWidget(new EmptyState(
        QStringLiteral("history"), tr("No runs yet"),
        tr("Every run of this project is kept here with its settings, curves and results, to be "
           "compared and repeated."),
        this));
    auto* split = new QSplitter(Qt::Horizontal, this);
    split->setChildrenCollapsible(false);
    auto* left = new QWidget(split);
    auto* column = new QVBoxLayout(left);
    column->setContentsMargins(theme.space(2), theme.space(2), 0, theme.space(2));
    column->setSpacing(theme.space(2));
    d->search = new QLineEdit(left);
    d->search->setPlaceholderText(tr("Filter by name, tag, note or state"));
    d->search->setClearButtonEnabled(true);
    d->search->setObjectName(QStringLiteral("runFilter"));
    column->addWidget(d->search);
    d->table = new QTableView(left);
    d->table->setObjectName(QStringLiteral("runTable"));
    d->table->setModel(&d->filter);
    d->table->setSelectionBehavior(QAbstractItemView::SelectRows);
    d->table->setSelectionMode(QAbstractItemView::ExtendedSelection);
    d->table->setEditTriggers(QAbstractItemView::NoEditTriggers);
    d->table->setSortingEnabled(true);
    d->table->sortByColumn(Started, Qt::DescendingOrder);
    d->table->setShowGrid(false);
    d->table->setAlternatingRowColors(true);
    d->table->setFrameShape(QFrame::NoFrame);
    d->table->setContextMenuPolicy(Qt::CustomContextMenu);
    d->table->verticalHeader()->hide();
    d->table->verticalHeader()->setDefaultSectionSize(theme.space(7));
    d->table->horizontalHeader()->setHighlightSections(false);
    d->table->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    column->addWidget(d->table, 1);
    split->addWidget(left);
    split->addWidget(d->makeSide());
    split->setStretchFactor(0, 1);
    split->setSizes({theme.space(160), theme.space(70)});
    d->pages->addWidget(split);

    connect(d->search, &QLineEdit::textChanged, this,
            [this](const QString& text) { d->filter.setWords(text); });
    connect(d->table->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            [this] { d->showSide(); });
    connect(d->table, &QTableView::customContextMenuRequested, this,
            [this](const QPoint& at) { d->menu(at); });
    connect(&d->model, &QAbstractItemModel::dataChanged, this,
            [this] { emit overlaysChanged(d->model.overlaid); });
    connect(&session.runs(), &RunStore::changed, this, [this] { d->refresh(); });
    connect(&session, &TrainSession::stateChanged, this, [this] { d->showSide(); });
    d->following.setInterval(kFollowMs);
    connect(&d->following, &QTimer::timeout, this, [this] {
        if (isVisible()) d->model.follow();
        if (!d->session.isActive()) d->following.stop();
    });
    connect(&session, &TrainSession::frame, this, [this] {
        if (d->session.isActive() && !d->following.isActive()) d->following.start();
    });
    d->refresh();
}

RunsPanel::~RunsPanel() = default;

QTableView* RunsPanel::table() const {
    return d->table;
}

int RunsPanel::rowCount() const {
    return d->filter.rowCount();
}

QString RunsPanel::cell(int row, const QString& column) const {
    for (int i = 0; i < d->filter.columnCount(); ++i)
        if (d->filter.headerData(i, Qt::Horizontal).toString() == column)
            return d->filter.index(row, i).data().toString();
    return {};
}

void RunsPanel::select(const QStringList& ids) {
    QItemSelection selection;
    for (int row = 0; row < d->filter.rowCount(); ++row)
        if (ids.contains(d->filter.index(row, 0).data(kIdRole).toString()))
            selection.select(d->filter.index(row, 0),
                             d->filter.index(row, d->filter.columnCount() - 1));
    d->table->selectionModel()->select(selection, QItemSelectionModel::ClearAndSelect);
}

QStringList RunsPanel::selected() const {
    QStringList ids;
    for (const QModelIndex& index : d->table->selectionModel()->selectedRows())
        ids << index.data(kIdRole).toString();
    return ids;
}

void RunsPanel::setFilter(const QString& text) {
    d->search->setText(text);
}

void RunsPanel::setOverlaid(const QString& id, bool on) {
    if (d->model.overlaid.contains(id) == on) return;
    for (int row = 0; row < d->model.rowCount(); ++row)
        if (d->model.index(row, 0).data(kIdRole).toString() == id)
            d->model.setData(d->model.index(row, 0), on ? Qt::Checked : Qt::Unchecked,
                             Qt::CheckStateRole);
}

QStringList RunsPanel::overlaid() const {
    return d->model.overlaid;
}

void RunsPanel::rerun(const QString& id) {
    const RunInfo* run = d->session.runs().find(id);
    if (!run || d->session.isActive()) return;
    try {
        d->session.start(
            RunAgain{graph::from_text(run->graphText, run->title.toStdString()), id, -1, {}});
    } catch (const Error& error) {
        emit said(tr("This run cannot be repeated. %1").arg(QString::fromStdString(error.what())));
    }
}

void RunsPanel::goOn(const QString& id) {
    const RunInfo* run = d->session.runs().find(id);
    if (!run || d->session.isActive()) return;
    try {
        auto moment = std::make_shared<train::Checkpoint>(
            train::load_checkpoint(run->checkpointPath().toStdString()));
        const std::int64_t step = moment->step;
        d->session.start(RunAgain{graph::from_text(run->graphText, run->title.toStdString()), id,
                                  step, std::move(moment)});
    } catch (const Error& error) {
        emit said(tr("This run cannot go on. %1").arg(QString::fromStdString(error.what())));
    }
}

void RunsPanel::takeWeights(const QString& id) {
    const RunInfo* run = d->session.runs().find(id);
    if (!run) return;
    if (run->graphHash != QString::fromStdString(graph::graph_hash(d->document.graph()))) {
        emit said(tr("The weights of this run belong to another network than the one that is "
                     "wired now."));
        return;
    }
    try {
        train::Checkpoint checkpoint = train::load_checkpoint(run->checkpointPath().toStdString());
        d->document.setWeights(std::move(checkpoint.weights));
        emit said(tr("Took the weights of step %1. Save the project to keep them.")
                      .arg(countText(checkpoint.step)));
    } catch (const Error& error) {
        emit said(tr("The weights cannot be read. %1").arg(QString::fromStdString(error.what())));
    }
}

QWidget* RunsPanel::showDifferences() {
    const QStringList ids = selected();
    if (ids.size() != 2) return nullptr;
    const RunInfo *a = d->session.runs().find(ids[0]), *b = d->session.runs().find(ids[1]);
    if (!a || !b) return nullptr;
    if (b->started < a->started) std::swap(a, b);
    const std::vector<Difference> differences = diffRuns(*a, *b);
    const Theme& theme = Theme::instance();
    auto* dialog = new QDialog(window());
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setObjectName(QStringLiteral("runDifferences"));
    dialog->setWindowTitle(tr("What differs"));
    auto* column = new QVBoxLayout(dialog);
    const int margin = theme.space(4);
    column->setContentsMargins(margin, margin, margin, margin);
    column->setSpacing(theme.space(3));
    column->addWidget(new TextLabel(differences.empty()
                                        ? tr("Nothing: settings, data, network and results are "
                                             "equal.")
                                        : tr("%1 differences").arg(differences.size()),
                                    Token::Text, 1.1, QFont::DemiBold, dialog));
    auto* table = new QTableWidget(int(differences.size()), 4, dialog);
    const auto head = [](const RunInfo& run) {
        return run.name.isEmpty()
                   ? QLocale().toString(run.started, QStringLiteral("d MMM, HH:mm:ss"))
                   : run.name;
    };
    table->setHorizontalHeaderLabels({QString(), tr("What"), head(*a), head(*b)});
    for (int row = 0; row < int(differences.size()); ++row) {
        const Difference& one = differences[std::size_t(row)];
        const bool repeats = row > 0 && differences[std::size_t(row - 1)].group == one.group;
        int cell = 0;
        for (const QString& text : {repeats ? QString() : one.group, one.what,
                                    one.a.isEmpty() ? QStringLiteral("–") : one.a,
                                    one.b.isEmpty() ? QStringLiteral("–") : one.b}) {
            auto* item = new QTableWidgetItem(text);
            item->setFlags(Qt::ItemIsEnabled | Qt::ItemIsSelectable);
            table->setItem(row, cell++, item);
        }
    }
    table->verticalHeader()->hide();
    table->setShowGrid(false);
    table->setAlternatingRowColors(true);
    table->resizeColumnsToContents();
    table->horizontalHeader()->setSectionResizeMode(1, QHeaderView::Stretch);
    column->addWidget(table, 1);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, dialog);
    connect(buttons, &QDialogButtonBox::rejected, dialog, &QDialog::close);
    column->addWidget(buttons);
    dialog->resize(theme.space(190), theme.space(110));
    dialog->show();
    return dialog;
}

} // namespace wiregrad::studio

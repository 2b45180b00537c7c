#include "ui/outline/outline_panel.h"

#include <QAbstractItemView>
#include <QCompleter>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QPointer>
#include <QStringListModel>
#include <QTreeWidget>
#include <QVBoxLayout>

#include <algorithm>

#include "engine/core/error.h"
#include "nodes/flatten.h"
#include "session/document.h"
#include "ui/canvas/canvas.h"
#include "ui/canvas/canvas_edits.h"
#include "ui/canvas/canvas_style.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

enum Role { PathRole = Qt::UserRole + 1, PortRole, OutputRole };

constexpr int kMostRows = 4000; ///< of a network so large, the level that is shown is enough

struct Place {
    std::vector<std::string> groups;
    std::string node, port;
    bool output = false;
    bool valid() const { return !node.empty(); }
};

QString joined(const std::vector<std::string>& groups, const std::string& node) {
    QString path;
    for (const std::string& group : groups)
        path += qs(group) + QLatin1Char('/');
    return path + qs(node);
}

Place placeOf(const QTreeWidgetItem* item) {
    Place place;
    if (!item) return place;
    QStringList parts = item->data(0, PathRole).toString().split(QLatin1Char('/'));
    place.node = parts.takeLast().toStdString();
    for (const QString& part : parts)
        place.groups.push_back(part.toStdString());
    place.port = item->data(0, PortRole).toString().toStdString();
    place.output = item->data(0, OutputRole).toBool();
    return place;
}

QString keyOf(const QTreeWidgetItem* item) {
    return item ? item->data(0, PathRole).toString() + QLatin1Char('|') +
                      item->data(0, PortRole).toString() +
                      (item->data(0, OutputRole).toBool() ? QLatin1String(">") : QLatin1String("<"))
                : QString();
}

} // namespace

struct OutlinePanel::Impl {
    OutlinePanel& q;
    Document& document;
    Canvas& canvas;
    QTreeWidget* tree;
    QLineEdit* field;
    QLabel* help;
    QStringListModel* choices;
    enum class Mode { Add, Connect } mode = Mode::Add;
    Place from; ///< what is being connected
    bool filling = false, stale = true;

    Impl(OutlinePanel& panel, Document& doc, Canvas& view)
        : q(panel), document(doc), canvas(view), tree(new QTreeWidget(&panel)),
          field(new QLineEdit(&panel)), help(new QLabel(&panel)),
          choices(new QStringListModel(&panel)) {}

    void refill();
    void fill(QTreeWidgetItem* parent, const graph::Graph& sheet,
              const std::vector<std::string>& groups, const std::string& prefix, int& rows);
    QTreeWidgetItem* portRow(QTreeWidgetItem* node, const graph::Graph& sheet, const QString& path,
                             const std::string& id, const graph::PortSpec& port, bool output);
    void follow(QTreeWidgetItem* item);
    void showChosen();
    void setMode(Mode next);
    void accept();
    void add(const QString& text);
    void connectTo(const QString& text);
    QStringList targets() const;
    void remove();
    void move(int direction);
    QTreeWidgetItem* find(const QString& key) const;
};

OutlinePanel::OutlinePanel(Document& document, Canvas& canvas, QWidget* parent)
    : QWidget(parent), d(std::make_unique<Impl>(*this, document, canvas)) {
    setObjectName(QStringLiteral("outline"));
    const Theme& theme = Theme::instance();
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, theme.space(1));
    column->setSpacing(theme.space(1));
    d->tree->setObjectName(QStringLiteral("outline.tree"));
    d->tree->setAccessibleName(tr("Outline of the network"));
    d->tree->setColumnCount(2);
    d->tree->setHeaderLabels({tr("Layer"), tr("Gives")});
    d->tree->header()->setSectionResizeMode(0, QHeaderView::Stretch);
    d->tree->header()->setSectionResizeMode(1, QHeaderView::ResizeToContents);
    d->tree->header()->setStretchLastSection(false);
    d->tree->setEditTriggers(QAbstractItemView::EditKeyPressed);
    d->tree->setUniformRowHeights(true);
    d->tree->setFrameShape(QFrame::NoFrame);
    d->tree->installEventFilter(this);
    column->addWidget(d->tree, 1);
    d->field->setObjectName(QStringLiteral("outline.field"));
    d->field->installEventFilter(this);
    auto* completer = new QCompleter(d->choices, this);
    completer->setCaseSensitivity(Qt::CaseInsensitive);
    completer->setFilterMode(Qt::MatchContains);
    d->field->setCompleter(completer);
    // What is chosen in the list comes through the list; what is typed, through Enter.
    connect(
        completer, qOverload<const QString&>(&QCompleter::activated), this, [this] { d->accept(); },
        Qt::QueuedConnection);
    connect(d->field, &QLineEdit::returnPressed, this, [this, completer] {
        if (!completer->popup()->isVisible() || !completer->popup()->currentIndex().isValid())
            d->accept();
    });
    auto* inset = new QVBoxLayout;
    inset->setContentsMargins(theme.space(2), 0, theme.space(2), 0);
    inset->addWidget(d->field);
    d->help->setWordWrap(true);
    d->help->setFont(theme.font(0.9));
    d->help->setText(tr("Insert adds behind a layer, C connects, F2 renames, Delete removes, "
                        "Alt+Up and Alt+Down reorder, Enter shows it on the canvas"));
    inset->addWidget(d->help);
    column->addLayout(inset);
    d->setMode(Impl::Mode::Add);

    connect(d->tree, &QTreeWidget::currentItemChanged, this,
            [this](QTreeWidgetItem* item) { d->follow(item); });
    connect(d->tree, &QTreeWidget::itemChanged, this, [this](QTreeWidgetItem* item, int column) {
        const Place place = placeOf(item);
        if (d->filling || column != 0 || !place.valid() || !place.port.empty()) return;
        const std::string name = item->text(0).trimmed().toStdString();
        d->canvas.sheet().apply({graph::Rename{place.node, name}});
        d->stale = true;
        QMetaObject::invokeMethod(
            this, [this] { d->refill(); }, Qt::QueuedConnection);
    });
    connect(d->tree, &QTreeWidget::itemActivated, this, [this](QTreeWidgetItem* item) {
        const Place place = placeOf(item);
        if (place.valid() && !d->tree->isPersistentEditorOpen(item))
            d->canvas.reveal(qs(place.node), qs(place.port));
    });
    connect(&document, &Document::changed, this, [this] { d->stale = true; });
    connect(&document, &Document::analysed, this, [this] {
        d->stale = true;
        d->refill();
    });
    connect(&canvas, &Canvas::selectionChanged, this, [this] { d->showChosen(); });
}

OutlinePanel::~OutlinePanel() = default;

QTreeWidget* OutlinePanel::tree() const {
    return d->tree;
}
QLineEdit* OutlinePanel::field() const {
    return d->field;
}

void OutlinePanel::focusTree() {
    d->refill();
    d->tree->setFocus(Qt::ShortcutFocusReason);
    if (!d->tree->currentItem() && d->tree->topLevelItemCount() > 0)
        d->tree->setCurrentItem(d->tree->topLevelItem(0));
    if (d->tree->topLevelItemCount() == 0) d->field->setFocus(Qt::ShortcutFocusReason);
}

void OutlinePanel::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    d->refill();
}

// --- the tree

QTreeWidgetItem* OutlinePanel::Impl::portRow(QTreeWidgetItem* node, const graph::Graph& sheet,
                                             const QString& path, const std::string& id,
                                             const graph::PortSpec& port, bool output) {
    QStringList ends;
    for (const graph::Wire& wire : output ? sheet.wires_out_of(id) : sheet.wires_into(id)) {
        if ((output ? wire.from_port : wire.to_port) != port.id) continue;
        ends << qs(output ? wire.to + "." + wire.to_port : wire.from + "." + wire.from_port);
    }
    auto* item = new QTreeWidgetItem(node);
    item->setData(0, PathRole, path);
    item->setData(0, PortRole, qs(port.id));
    item->setData(0, OutputRole, output);
    item->setText(0, qs(port.id) + (output ? QStringLiteral(" → ") : QStringLiteral(" ← ")) +
                         (ends.isEmpty() ? tr("nothing") : ends.join(QStringLiteral(", "))));
    item->setData(
        0, Qt::AccessibleTextRole,
        (output ? tr("Output %1 to %2") : tr("Input %1 from %2"))
            .arg(qs(port.id), ends.isEmpty() ? tr("nothing") : ends.join(QStringLiteral(", "))));
    item->setFlags(Qt::ItemIsSelectable | Qt::ItemIsEnabled);
    return item;
}

void OutlinePanel::Impl::fill(QTreeWidgetItem* parent, const graph::Graph& sheet,
                              const std::vector<std::string>& groups, const std::string& prefix,
                              int& rows) {
    const graph::Analysis& analysis = document.analysis();
    std::vector<std::string> order = sheet.topological_order();
    for (const std::string& id : order) {
        if (++rows > kMostRows) return;
        const graph::Node& node = *sheet.node(id);
        const graph::NodeType* type = sheet.type_of(node);
        auto* item = parent ? new QTreeWidgetItem(parent) : new QTreeWidgetItem(tree);
        const QString path = joined(groups, id), title = nodeTitle(sheet, node);
        item->setData(0, PathRole, path);
        item->setText(0, node.name.empty() ? qs(id) : title);
        QString spoken = tr("%1, %2").arg(item->text(0), type ? qs(type->label) : qs(node.type));
        const auto facts = analysis.nodes.find(prefix + id);
        if (facts != analysis.nodes.end() && facts->second.known) {
            item->setText(1, qs(facts->second.output_text));
            if (!facts->second.output_text.empty())
                spoken += tr(", gives %1").arg(qs(facts->second.output_text));
            if (facts->second.weights > 0) spoken += tr(", %1 weights").arg(facts->second.weights);
        }
        if (node.muted) spoken += tr(", off");
        for (const graph::Problem* problem : analysis.of_node(prefix + id)) {
            item->setIcon(0, Theme::instance().icon(problem->severity == graph::Severity::Error
                                                        ? QStringLiteral("error")
                                                        : QStringLiteral("warning")));
            item->setToolTip(0, qs(problem->text));
            spoken += tr(", problem: %1").arg(qs(problem->text));
            break;
        }
        if (item->icon(0).isNull() && type)
            item->setIcon(0, Theme::instance().categoryIcon(qs(type->category)));
        item->setData(0, Qt::AccessibleTextRole, spoken);
        item->setFlags(Qt::ItemIsSelectable | Qt::ItemIsEnabled | Qt::ItemIsEditable);
        if (!type) continue;
        for (const graph::PortSpec& port : type->inputs)
            portRow(item, sheet, path, id, port, false);
        for (const graph::PortSpec& port : type->outputs)
            portRow(item, sheet, path, id, port, true);
        if (const graph::Definition* definition =
                node.type == "Group" ? document.graph().definition(node.group) : nullptr) {
            std::vector<std::string> inner = groups;
            inner.push_back(id);
            std::string below;
            try {
                below = graph::flat_prefix(document.graph(), inner);
            } catch (const Error&) {
                continue;
            }
            fill(item, definition->body, inner, below, rows);
        }
    }
}

void OutlinePanel::Impl::refill() {
    if (!stale || !q.isVisible() || filling) return;
    if (QWidget* editor = tree->focusWidget();
        editor && tree->isAncestorOf(editor) && qobject_cast<QLineEdit*>(editor))
        return; // a name is being typed
    stale = false;
    filling = true;
    const QString current = keyOf(tree->currentItem());
    QSet<QString> open;
    for (QTreeWidgetItemIterator it(tree); *it; ++it)
        if ((*it)->isExpanded()) open.insert(keyOf(*it));
    tree->clear();
    int rows = 0;
    fill(nullptr, document.graph(), {}, {}, rows);
    for (QTreeWidgetItemIterator it(tree); *it; ++it) {
        if (open.contains(keyOf(*it))) (*it)->setExpanded(true);
        if (keyOf(*it) == current) tree->setCurrentItem(*it);
    }
    filling = false;
    showChosen();
}

QTreeWidgetItem* OutlinePanel::Impl::find(const QString& key) const {
    for (QTreeWidgetItemIterator it(tree); *it; ++it)
        if (keyOf(*it) == key) return *it;
    return nullptr;
}

/// The canvas shows the level of the row and chooses its node.
void OutlinePanel::Impl::follow(QTreeWidgetItem* item) {
    const Place place = placeOf(item);
    if (filling || !place.valid()) return;
    filling = true;
    if (canvas.sheet().groups() != place.groups) canvas.sheet().goTo(place.groups);
    canvas.select({qs(place.node)});
    filling = false;
}

void OutlinePanel::Impl::showChosen() {
    if (filling || stale || !q.isVisible()) return;
    const auto chosen = canvas.selectedNodes();
    if (chosen.size() != 1) return;
    const QString path = joined(canvas.sheet().groups(), chosen.begin()->toStdString());
    if (tree->currentItem() && tree->currentItem()->data(0, PathRole).toString() == path) return;
    filling = true;
    if (QTreeWidgetItem* item = find(path + QStringLiteral("|<"))) tree->setCurrentItem(item);
    filling = false;
}

// --- typing what to add or to connect to

void OutlinePanel::Impl::setMode(Mode next) {
    mode = next;
    QStringList list;
    if (mode == Mode::Add) {
        field->setPlaceholderText(tr("Add behind it: type a layer"));
        field->setAccessibleName(tr("Layer to add"));
        for (const graph::NodeType& type : graph::node_types())
            list << qs(type.label);
    } else {
        const QString what = qs(from.node + "." + from.port);
        field->setPlaceholderText(tr("Connect %1 with: type a port").arg(what));
        field->setAccessibleName(tr("Port to connect %1 with").arg(what));
        list = targets();
    }
    choices->setStringList(list);
    field->clear();
}

/// Ports that the chosen one may be wired to, free ones first.
QStringList OutlinePanel::Impl::targets() const {
    const graph::Graph& sheet = canvas.sheet().graph();
    QStringList open, taken;
    for (const std::string& id : sheet.topological_order()) {
        const graph::NodeType* type = sheet.type_of(id);
        if (!type || id == from.node) continue;
        for (const graph::PortSpec& port : from.output ? type->inputs : type->outputs) {
            const auto wire =
                wire_between(from.node, from.port, from.output, id, port.id, !from.output);
            if (!wire || !graph::refuse_wire(sheet, *wire).empty()) continue;
            bool used = false;
            if (from.output && !port.many)
                for (const graph::Wire& one : sheet.wires_into(id))
                    used = used || one.to_port == port.id;
            (used ? taken : open) << qs(id + "." + port.id);
        }
    }
    return open + taken;
}

void OutlinePanel::Impl::accept() {
    const QString text = field->text().trimmed();
    if (text.isEmpty()) return;
    if (mode == Mode::Add)
        add(text);
    else
        connectTo(text);
}

void OutlinePanel::Impl::add(const QString& text) {
    const auto hits = graph::search_types(text.toStdString());
    if (hits.empty()) {
        help->setText(tr("There is no layer like \"%1\"").arg(text));
        return;
    }
    const std::size_t before = canvas.sheet().graph().nodes().size();
    canvas.addNode(qs(hits.front().type->id), QPointF(qQNaN(), qQNaN()), true);
    if (canvas.sheet().graph().nodes().size() == before) {
        help->setText(canvas.sheet().lastError());
        return;
    }
    field->clear();
    stale = true;
    refill();
    showChosen();
    help->setText(tr("Added %1").arg(qs(hits.front().type->label)));
}

void OutlinePanel::Impl::connectTo(const QString& text) {
    const QStringList list = targets();
    QString wanted = text;
    wanted.replace(QLatin1Char(' '), QLatin1Char('.'));
    auto it = std::find_if(list.begin(), list.end(), [&](const QString& one) {
        return one.compare(wanted, Qt::CaseInsensitive) == 0;
    });
    if (it == list.end())
        it = std::find_if(list.begin(), list.end(), [&](const QString& one) {
            return one.contains(wanted, Qt::CaseInsensitive);
        });
    if (it == list.end()) {
        help->setText(
            tr("%1 cannot be connected with \"%2\"").arg(qs(from.node + "." + from.port), text));
        return;
    }
    const std::string target = it->toStdString();
    const std::size_t dot = target.find('.');
    const auto wire = wire_between(from.node, from.port, from.output, target.substr(0, dot),
                                   target.substr(dot + 1), !from.output);
    Sheet& sheet = canvas.sheet();
    if (!wire || !sheet.apply(graph::connect_edit(sheet.graph(), *wire))) {
        help->setText(sheet.lastError());
        return;
    }
    help->setText(tr("Connected %1").arg(qs(wire->str())));
    setMode(Mode::Add);
    stale = true;
    tree->setFocus();
    refill();
}

// --- keys of the tree

void OutlinePanel::Impl::remove() {
    const Place place = placeOf(tree->currentItem());
    if (!place.valid()) return;
    Sheet& sheet = canvas.sheet();
    if (place.port.empty()) {
        sheet.apply(graph::remove_edit(sheet.graph(), {place.node}));
        return;
    }
    graph::Batch batch;
    for (const graph::Wire& wire : place.output ? sheet.graph().wires_out_of(place.node)
                                                : sheet.graph().wires_into(place.node))
        if ((place.output ? wire.from_port : wire.to_port) == place.port)
            batch.edits.push_back({graph::Disconnect{wire}});
    sheet.apply({std::move(batch)});
}

/// Changes places with the node before or behind it in its chain, as one step.
void OutlinePanel::Impl::move(int direction) {
    const Place place = placeOf(tree->currentItem());
    Sheet& sheet = canvas.sheet();
    if (!place.valid() || !sheet.graph().node(place.node)) return;
    try {
        Draft draft(sheet.graph());
        const auto into = draft.graph().wires_into(place.node),
                   out = draft.graph().wires_out_of(place.node);
        if (into.size() != 1 || out.empty())
            throw ValueError("only a layer in a chain can change its place");
        const std::string other = direction < 0 ? into.front().from : out.front().to;
        // The wire behind (or before) the neighbour, where the node goes.
        const auto around =
            direction < 0 ? draft.graph().wires_into(other) : draft.graph().wires_out_of(other);
        if (around.size() != 1 || (direction > 0 && out.size() != 1))
            throw ValueError("there is no place in this chain");
        const graph::Node node = *draft.graph().node(place.node);
        const graph::Position there = draft.graph().node(other)->position;
        graph::Batch loose;
        for (const graph::Wire& wire : out)
            loose.edits.push_back({graph::Disconnect{wire}});
        loose.edits.push_back({graph::Disconnect{into.front()}});
        for (const graph::Wire& wire : out)
            loose.edits.push_back({graph::Connect{
                {into.front().from, into.front().from_port, wire.to, wire.to_port}}});
        draft.add({std::move(loose)});
        graph::Wire target = around.front();
        if (!insert_on_wire(draft, target, place.node))
            throw ValueError("its ports do not fit there");
        draft.add({graph::Move{place.node, there}});
        draft.add({graph::Move{other, node.position}});
        graph::Edit edit = draft.take();
        std::get<graph::Batch>(edit.what).label = "Reorder " + place.node;
        sheet.apply(edit);
    } catch (const Error& error) {
        help->setText(QString::fromUtf8(error.what()));
    }
}

bool OutlinePanel::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() != QEvent::KeyPress && event->type() != QEvent::ShortcutOverride)
        return QWidget::eventFilter(watched, event);
    auto* key = static_cast<QKeyEvent*>(event);
    const bool press = event->type() == QEvent::KeyPress;
    if (watched == d->field) {
        if (key->key() == Qt::Key_Escape) {
            if (press) {
                d->setMode(Impl::Mode::Add);
                d->tree->setFocus();
            }
            event->accept();
            return press;
        }
        return QWidget::eventFilter(watched, event);
    }
    const bool plain = key->modifiers() == Qt::NoModifier;
    const bool insert = plain && key->key() == Qt::Key_Insert;
    const bool connects = plain && key->key() == Qt::Key_C;
    const bool removes = plain && (key->key() == Qt::Key_Delete || key->key() == Qt::Key_Backspace);
    const bool moves = key->modifiers() == Qt::AltModifier &&
                       (key->key() == Qt::Key_Up || key->key() == Qt::Key_Down);
    if (!insert && !connects && !removes && !moves) return QWidget::eventFilter(watched, event);
    event->accept(); // the canvas has the same keys
    if (!press) return true;
    if (insert) {
        d->setMode(Impl::Mode::Add);
        d->field->setFocus(Qt::ShortcutFocusReason);
    } else if (connects) {
        d->from = placeOf(d->tree->currentItem());
        if (!d->from.valid()) return true;
        if (d->from.port.empty()) {
            const graph::NodeType* type = d->canvas.sheet().graph().type_of(d->from.node);
            if (!type || (type->outputs.empty() && type->inputs.empty())) return true;
            d->from.output = !type->outputs.empty();
            d->from.port = d->from.output ? type->outputs.front().id : type->inputs.front().id;
        }
        d->setMode(Impl::Mode::Connect);
        d->field->setFocus(Qt::ShortcutFocusReason);
    } else if (removes) {
        d->remove();
    } else {
        d->move(key->key() == Qt::Key_Up ? -1 : 1);
    }
    return true;
}

} // namespace wiregrad::studio

#include "moc_outline_panel.cpp"

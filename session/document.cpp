#include "session/document.h"

#include <QFileInfo>
#include <QTimer>

#include <map>
#include <optional>
#include <tuple>

#include "engine/core/error.h"
#include "nodes/lineage.h"
#include "nodes/paths.h"
#include "session/edit_command.h"

namespace wiregrad::studio {

namespace {

std::string folderOf(const QString& path) {
    return QFileInfo(path).absolutePath().toStdString();
}

} // namespace

struct Document::Impl {
    enum class Analysed { No, Quickly, Fully };

    graph::Graph graph;
    mutable graph::Analysis analysis;
    mutable Analysed analysed = Analysed::No;
    QUndoStack stack;
    QTimer analysisTimer;
    Guard guard;
    QString path, lastError;
    std::vector<nn::NamedTensor> weights;
    std::string weightsHash;
    bool unsaved = false; ///< what the undo stack does not know: adopted graph, new weights
    bool modified = false;

    void reset(graph::Graph next, const QString& nextPath) {
        graph = std::move(next);
        analysed = Analysed::No;
        path = nextPath;
        weights.clear();
        weightsHash.clear();
        unsaved = false;
    }
};

Document::Document(QObject* parent) : QObject(parent), d(std::make_unique<Impl>()) {
    d->analysisTimer.setSingleShot(true);
    d->analysisTimer.setInterval(0);
    connect(&d->analysisTimer, &QTimer::timeout, this, [this] {
        if (d->analysed != Impl::Analysed::Fully) {
            d->analysis = graph::analyze(d->graph, true);
            d->analysed = Impl::Analysed::Fully;
        }
        emit analysed();
    });
    connect(&d->stack, &QUndoStack::cleanChanged, this, [this] { updateModified(); });
    d->analysisTimer.start();
}

Document::~Document() {
    d->stack.disconnect(this);
}

const graph::Graph& Document::graph() const {
    return d->graph;
}

const graph::Analysis& Document::analysis() const {
    // Shapes and problems now; the fixes, which are tried one by one, follow in the event loop.
    if (d->analysed == Impl::Analysed::No) {
        d->analysis = graph::analyze(d->graph, false);
        d->analysed = Impl::Analysed::Quickly;
    }
    return d->analysis;
}

QUndoStack& Document::undoStack() {
    return d->stack;
}

bool Document::refuse(const QString& sentence) {
    d->lastError = sentence;
    emit refused(sentence);
    return false;
}

bool Document::apply(const graph::Edit& edit, quint64 gesture) {
    if (const auto* batch = std::get_if<graph::Batch>(&edit.what); batch && batch->edits.empty())
        return true;
    if (d->guard)
        if (const QString reason = d->guard({edit, gesture, false}); !reason.isEmpty())
            return refuse(reason);
    graph::ChangeSet changes;
    std::optional<graph::Edit> inverse;
    QString text;
    const bool renames = !d->weights.empty() && graph::moves_nodes(edit);
    const graph::Graph before = renames ? d->graph : graph::Graph();
    try {
        text = QString::fromStdString(graph::describe(edit, d->graph));
        inverse = graph::apply(d->graph, edit, &changes);
    } catch (const Error& error) {
        return refuse(QString::fromStdString(error.what()));
    }
    d->lastError.clear();
    if (renames) renameWeights(before, edit);
    noteChange(changes);
    d->stack.push(new EditCommand(*this, edit, std::move(*inverse), text, gesture));
    const auto* top = dynamic_cast<const EditCommand*>(d->stack.command(d->stack.index() - 1));
    emit edited(edit, top ? top->number() : 0);
    emit changed(changes);
    return true;
}

QString Document::lastError() const {
    return d->lastError;
}

quint64 Document::newGesture() {
    static quint64 next = 0;
    return ++next;
}

bool Document::undo() {
    if (!d->stack.canUndo()) return false;
    const auto* command = dynamic_cast<const EditCommand*>(d->stack.command(d->stack.index() - 1));
    if (d->guard && command)
        if (const QString reason = d->guard({command->inverse(), 0, true}); !reason.isEmpty())
            return refuse(reason);
    d->stack.undo();
    return true;
}

bool Document::redo() {
    if (!d->stack.canRedo()) return false;
    const auto* command = dynamic_cast<const EditCommand*>(d->stack.command(d->stack.index()));
    if (d->guard && command)
        if (const QString reason = d->guard({command->edit(), 0, true}); !reason.isEmpty())
            return refuse(reason);
    d->stack.redo();
    return true;
}

void Document::setGuard(Guard guard) {
    d->guard = std::move(guard);
}

void Document::replay(const graph::Edit& edit, quint64 command) {
    graph::ChangeSet changes;
    const bool renames = !d->weights.empty() && graph::moves_nodes(edit);
    const graph::Graph before = renames ? d->graph : graph::Graph();
    try {
        graph::apply(d->graph, edit, &changes);
    } catch (const Error& error) {
        // An inverse always applies; should it ever not, the graph is untouched and the person is
        // told.
        qWarning("Undo or redo failed: %s", error.what());
        refuse(QString::fromStdString(error.what()));
        return;
    }
    if (renames) renameWeights(before, edit);
    noteChange(changes);
    emit edited(edit, command);
    emit changed(changes);
    emit replayed(changes);
}

void Document::renameWeights(const graph::Graph& before, const graph::Edit& edit) {
    if (d->weightsHash != graph::graph_hash(before)) return;
    std::map<std::string, std::string> next; // paths as they were: as they are
    for (const auto& [path, source] : graph::came_from(before, edit, d->graph))
        next[source] = path;
    for (nn::NamedTensor& weight : d->weights)
        for (std::size_t dot = weight.name.find('.'); dot != std::string::npos;
             dot = weight.name.find('.', dot + 1))
            if (const auto it = next.find(weight.name.substr(0, dot)); it != next.end()) {
                weight.name = it->second + weight.name.substr(dot);
                break;
            }
    d->weightsHash = graph::graph_hash(d->graph);
}

void Document::noteChange(const graph::ChangeSet& changes) {
    if (!changes.structural()) return;
    d->analysed = Impl::Analysed::No;
    d->analysisTimer.start();
}

void Document::replaceGraph(graph::Graph graph, const QString& path) {
    d->reset(std::move(graph), path);
    d->stack.clear();
    d->stack.setClean();
    graph::ChangeSet changes;
    changes.everything = true;
    noteChange(changes);
    d->analysisTimer.start();
    emit pathChanged();
    emit changed(changes);
    updateModified();
}

void Document::updateModified() {
    const bool now = d->unsaved || !d->stack.isClean();
    if (now == d->modified) return;
    d->modified = now;
    emit modifiedChanged(now);
}

QString Document::path() const {
    return d->path;
}

QString Document::title() const {
    if (!d->path.isEmpty()) return QFileInfo(d->path).fileName();
    const QString title = QString::fromStdString(d->graph.title());
    return title.isEmpty() ? tr("Untitled") : title;
}

bool Document::isModified() const {
    return d->modified;
}

void Document::newProject() {
    replaceGraph(graph::Graph(), {});
}

void Document::load(const QString& path) {
    const QString absolute = QFileInfo(path).absoluteFilePath();
    graph::Graph graph = graph::load_project(absolute.toStdString());
    graph::make_paths_absolute(graph, folderOf(absolute));
    replaceGraph(std::move(graph), absolute);
    loadWeightsBeside();
}

void Document::loadExample(const QString& path) {
    graph::Graph graph = graph::load_project(QFileInfo(path).absoluteFilePath().toStdString());
    graph::make_paths_absolute(graph, folderOf(path));
    replaceGraph(std::move(graph), {});
}

void Document::adopt(graph::Graph graph, const QString& path) {
    if (!path.isEmpty()) graph::make_paths_absolute(graph, folderOf(path));
    replaceGraph(std::move(graph), path);
    if (!path.isEmpty()) loadWeightsBeside();
    d->unsaved = true;
    updateModified();
}

void Document::loadWeightsBeside() {
    const std::string file = graph::weights_path(d->path.toStdString());
    if (!QFileInfo::exists(QString::fromStdString(file))) return;
    try {
        std::string hash;
        std::vector<nn::NamedTensor> weights = graph::load_weights(file, &hash);
        if (hash != graph::graph_hash(d->graph)) {
            emit notice(
                tr("%1 holds weights of another version of this network; they were not loaded.")
                    .arg(QFileInfo(QString::fromStdString(file)).fileName()));
            return;
        }
        d->weights = std::move(weights);
        d->weightsHash = std::move(hash);
    } catch (const Error& error) {
        emit notice(
            tr("The weights were not loaded. %1").arg(QString::fromStdString(error.what())));
    }
}

void Document::save(const QString& path) {
    const QString absolute = QFileInfo(path).absoluteFilePath();
    // Weights first: the project file is the transaction point, and stale weights are known by
    // their hash.
    if (!d->weights.empty() && d->weightsHash == graph::graph_hash(d->graph))
        graph::save_weights(graph::weights_path(absolute.toStdString()), d->weights, d->graph);
    graph::Graph portable = d->graph; // data that lies beside the project moves with it
    graph::make_paths_relative(portable, folderOf(absolute));
    graph::save_project(absolute.toStdString(), portable);
    d->unsaved = false;
    d->stack.setClean();
    if (absolute != d->path) {
        d->path = absolute;
        emit pathChanged();
    }
    updateModified();
}

void Document::setWeights(std::vector<nn::NamedTensor> weights) {
    setWeights(std::move(weights), graph::graph_hash(d->graph));
}

void Document::setWeights(std::vector<nn::NamedTensor> weights, std::string hash) {
    d->weights = std::move(weights);
    d->weightsHash = d->weights.empty() ? std::string() : std::move(hash);
    d->unsaved = d->unsaved || !d->weights.empty();
    updateModified();
}

const std::vector<nn::NamedTensor>& Document::weights() const {
    return d->weights;
}

// --- the command

namespace {

/// Edits that set a value at a place: the last of several at one place wins.
using Place = std::tuple<std::size_t, std::string, std::string, std::string>;

std::optional<Place> placeOf(const graph::Edit& edit, const std::string& sheet) {
    const std::size_t kind = edit.what.index();
    return std::visit(
        [&](const auto& e) -> std::optional<Place> {
            using T = std::decay_t<decltype(e)>;
            if constexpr (std::is_same_v<T, graph::SetParam>)
                return Place(kind, sheet, e.node, e.param);
            else if constexpr (std::is_same_v<T, graph::SetBends>)
                return Place(kind, sheet, e.wire.str(), {});
            else if constexpr (std::is_same_v<T, graph::Move> || std::is_same_v<T, graph::Rename> ||
                               std::is_same_v<T, graph::SetMuted> ||
                               std::is_same_v<T, graph::SetCollapsed> ||
                               std::is_same_v<T, graph::SetPinned>)
                return Place(kind, sheet, e.node, {});
            else if constexpr (std::is_same_v<T, graph::SetTraining> ||
                               std::is_same_v<T, graph::SetTitle>)
                return Place(kind, sheet, {}, {});
            else
                return std::nullopt;
        },
        edit.what);
}

struct Placed {
    std::string sheet;
    graph::Edit edit;
};

bool flatten(const graph::Edit& edit, const std::string& sheet, std::vector<Placed>& into) {
    if (const auto* batch = std::get_if<graph::Batch>(&edit.what)) {
        for (const graph::Edit& part : batch->edits)
            if (!flatten(part, sheet, into)) return false;
        return true;
    }
    if (const auto* inside = std::get_if<graph::Inside>(&edit.what)) {
        for (const graph::Edit& part : inside->edits)
            if (!flatten(part, inside->definition, into)) return false;
        return true;
    }
    into.push_back({sheet, edit});
    return placeOf(edit, sheet).has_value();
}

/// One edit per place, the last one, or nothing when some edit is not of that kind.
std::optional<std::map<Place, Placed>> byPlace(const graph::Edit& first,
                                               const graph::Edit& second) {
    std::vector<Placed> all;
    if (!flatten(first, {}, all) || !flatten(second, {}, all)) return std::nullopt;
    std::map<Place, Placed> result;
    for (Placed& placed : all) {
        const Place place = *placeOf(placed.edit, placed.sheet);
        result.insert_or_assign(place, std::move(placed));
    }
    return result;
}

graph::Edit asOne(std::map<Place, Placed> edits) {
    graph::Batch batch;
    std::map<std::string, graph::Inside> inside;
    for (auto& [place, placed] : edits)
        if (placed.sheet.empty())
            batch.edits.push_back(std::move(placed.edit));
        else
            inside[placed.sheet].edits.push_back(std::move(placed.edit));
    for (auto& [sheet, edit] : inside) {
        edit.definition = sheet;
        batch.edits.push_back({std::move(edit)});
    }
    if (batch.edits.size() == 1) return std::move(batch.edits.front());
    return {std::move(batch)};
}

} // namespace

EditCommand::EditCommand(Document& document, graph::Edit edit, graph::Edit inverse,
                         const QString& text, quint64 gesture)
    : QUndoCommand(text), document_(document), edit_(std::move(edit)), inverse_(std::move(inverse)),
      gesture_(gesture) {
    static quint64 last = 0;
    number_ = ++last;
}

void EditCommand::undo() {
    document_.replay(inverse_, number_);
}

void EditCommand::redo() {
    if (applied_) // pushed after it was applied
        applied_ = false;
    else
        document_.replay(edit_, number_);
}

bool EditCommand::mergeWith(const QUndoCommand* other) {
    const auto* next = static_cast<const EditCommand*>(other);
    if (next->gesture_ != gesture_) return false;
    auto forward = byPlace(edit_, next->edit_);
    auto back = byPlace(next->inverse_, inverse_);
    if (forward && back) {
        edit_ = asOne(std::move(*forward));
        inverse_ = asOne(std::move(*back));
    } else {
        edit_ = {graph::Batch{{edit_, next->edit_}}};
        inverse_ = {graph::Batch{{next->inverse_, inverse_}}};
    }
    return true;
}

} // namespace wiregrad::studio

#include "moc_document.cpp"

#include "session/sheet.h"

#include "engine/core/error.h"
#include "nodes/flatten.h"

namespace wiregrad::studio {

struct Sheet::Impl {
    explicit Impl(Document& of) : document(of) {}

    Document& document;
    std::vector<std::string> groups;
    std::string id; ///< of the definition; empty at the top
    std::optional<graph::Graph> inside;
    mutable std::optional<graph::Analysis> local;

    void take() {
        local.reset();
        inside.reset();
        id = graph::sheet_at(document.graph(), groups);
        if (!groups.empty()) inside = document.graph().sheet(id);
    }

    /// As much of the path as still exists.
    bool shorten() {
        for (const auto wanted = groups.size();; groups.pop_back()) {
            try {
                graph::sheet_at(document.graph(), groups);
                return groups.size() != wanted;
            } catch (const Error&) {
                if (groups.empty()) return true;
            }
        }
    }
};

namespace {

/// The first way from the top to the inside of a definition.
std::optional<std::vector<std::string>> way_to(const graph::Graph& graph, const graph::Graph& sheet,
                                               const std::string& wanted) {
    for (const auto& [id, node] : sheet.nodes()) {
        if (node.group.empty()) continue;
        if (node.group == wanted) return std::vector<std::string>{id};
        const graph::Definition* definition = graph.definition(node.group);
        if (!definition) continue;
        if (auto rest = way_to(graph, definition->body, wanted)) {
            rest->insert(rest->begin(), id);
            return rest;
        }
    }
    return std::nullopt;
}

} // namespace

Sheet::Sheet(Document& document, QObject* parent)
    : QObject(parent), d(std::make_unique<Impl>(document)) {
    connect(&document, &Document::changed, this, [this](const graph::ChangeSet& changes) {
        if (changes.everything) d->groups.clear();
        const bool gone = d->shorten();
        d->take();
        graph::ChangeSet mine;
        mine.everything = changes.everything || gone;
        mine.training = changes.training;
        mine.definitions = changes.definitions;
        if (d->groups.empty())
            static_cast<graph::SheetChanges&>(mine) = changes;
        else if (const auto it = changes.inside.find(d->id); it != changes.inside.end())
            static_cast<graph::SheetChanges&>(mine) = it->second;
        emit changed(mine);
        if (mine.everything) emit levelChanged();
    });
    connect(&document, &Document::replayed, this, [this](const graph::ChangeSet& changes) {
        // Undo is never out of sight: when it happened on another level only, that one is shown.
        const auto touched = [&](const std::string& id) {
            if (id.empty()) return !changes.empty();
            const auto it = changes.inside.find(id);
            return it != changes.inside.end() && !it->second.empty();
        };
        if (touched(d->id)) return;
        for (const auto& [id, sheet] : changes.inside)
            if (!sheet.empty())
                if (const auto way = way_to(d->document.graph(), d->document.graph(), id)) {
                    goTo(*way);
                    return;
                }
        if (touched({})) goTo({});
    });
    connect(&document, &Document::analysed, this, [this] {
        d->local.reset();
        emit analysed();
    });
}

Sheet::~Sheet() = default;

Document& Sheet::document() const {
    return d->document;
}

const graph::Graph& Sheet::graph() const {
    return d->inside ? *d->inside : d->document.graph();
}

const graph::Analysis& Sheet::analysis() const {
    const graph::Analysis& whole = d->document.analysis();
    if (d->groups.empty() && d->document.graph().definitions().empty()) return whole;
    if (d->local) return *d->local;
    graph::Analysis mine;
    mine.weights = whole.weights;
    mine.flops = whole.flops;
    mine.training_bytes = whole.training_bytes;
    for (const auto& [id, node] : graph().nodes())
        if (const auto it = whole.nodes.find(path_of(id)); it != whole.nodes.end())
            mine.nodes.emplace(id, it->second);
    for (const graph::Problem& problem : whole.problems) {
        graph::Problem shown = problem;
        if (!problem.node.empty()) {
            const auto here = local(problem.node);
            if (!here) continue;
            shown.node = *here;
            if (path_of(*here) != problem.node) shown.port = shown.param = {};
        }
        mine.problems.push_back(std::move(shown));
    }
    d->local = std::move(mine);
    return *d->local;
}

bool Sheet::apply(const graph::Edit& edit, quint64 gesture) {
    if (const auto* batch = std::get_if<graph::Batch>(&edit.what); batch && batch->edits.empty())
        return true;
    // What concerns the project is no edit of a level.
    const bool whole = std::holds_alternative<graph::SetTraining>(edit.what) ||
                       std::holds_alternative<graph::SetTitle>(edit.what) ||
                       std::holds_alternative<graph::SetGroupInfo>(edit.what);
    return d->document.apply(whole ? edit : graph::on_sheet(d->id, edit), gesture);
}

QString Sheet::lastError() const {
    return d->document.lastError();
}

const std::vector<std::string>& Sheet::groups() const {
    return d->groups;
}

QString Sheet::definition() const {
    return QString::fromStdString(d->id);
}

QStringList Sheet::titles() const {
    QStringList names;
    const graph::Graph* sheet = &d->document.graph();
    for (const std::string& id : d->groups) {
        const graph::Node* node = sheet->node(id);
        const graph::Definition* definition =
            node ? d->document.graph().definition(node->group) : nullptr;
        if (!definition) break;
        const std::string& name = !node->name.empty() ? node->name : definition->name;
        names << QString::fromStdString(name.empty() ? id : name);
        sheet = &definition->body;
    }
    return names;
}

bool Sheet::enter(const std::string& node) {
    const graph::Node* group = graph().node(node);
    if (!group || !d->document.graph().definition(group->group)) return false;
    auto groups = d->groups;
    groups.push_back(node);
    goTo(groups);
    return true;
}

void Sheet::leave() {
    if (d->groups.empty()) return;
    auto groups = d->groups;
    groups.pop_back();
    goTo(groups);
}

void Sheet::goTo(const std::vector<std::string>& groups) {
    if (groups == d->groups) return;
    d->groups = groups;
    d->shorten();
    d->take();
    graph::ChangeSet changes;
    changes.everything = true;
    emit changed(changes);
    emit levelChanged();
}

std::string Sheet::path_of(const std::string& node) const {
    return d->groups.empty() ? node : graph::flat_prefix(d->document.graph(), d->groups) + node;
}

std::optional<std::string> Sheet::local(const std::string& path) const {
    const graph::FlatPlace place = graph::place_of(path);
    if (place.groups.size() < d->groups.size() ||
        !std::equal(d->groups.begin(), d->groups.end(), place.groups.begin()))
        return std::nullopt;
    const std::string& id =
        place.groups.size() == d->groups.size() ? place.node : place.groups[d->groups.size()];
    return graph().node(id) ? std::optional(id) : std::nullopt;
}

} // namespace wiregrad::studio

#include "moc_sheet.cpp"

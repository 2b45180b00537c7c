#include "nodes/problems.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

namespace wiregrad::graph {

namespace {

std::string title_of(const Node& node) {
    return node.name.empty() ? node.id : node.name;
}

class Finder {
  public:
    Finder(const Graph& graph, const Inference& inference)
        : whole_(graph), graph_(*inference.flat.graph), inference_(inference) {
        for (const Wire& wire : graph_.wires()) {
            wired_.insert(wire.from);
            wired_.insert(wire.to);
        }
        std::vector<std::string> roots;
        for (const auto& [id, inferred] : inference.nodes)
            if (active(inferred, Role::Loss) && wired_.contains(id)) has_loss_ = true;
        for (const auto& [id, inferred] : inference.nodes)
            if (wired_.contains(id) &&
                (active(inferred, Role::Loss) || active(inferred, Role::Metric) ||
                 active(inferred, Role::Optimizer) ||
                 (!has_loss_ && active(inferred, Role::Layer))))
                roots.push_back(id);
        needed_ = upstream(inference, roots);
    }

    std::vector<Problem> find() {
        for (const std::string& id : inference_.order)
            look_at(id, inference_.at(id));
        look_at_groups(whole_, "");
        look_at_sources();
        look_at_training();
        // What is wrong in every repetition is said once.
        std::set<std::string> seen;
        std::vector<Problem> once;
        for (Problem& problem : problems_) {
            const FlatPlace place = place_of(problem.node);
            std::string key = problem.code + ' ' + problem.port + ' ' + problem.param;
            for (const std::string& group : place.groups)
                key += ' ' + group;
            const bool repeated =
                !place.groups.empty() && !seen.insert(key + ' ' + place.node).second;
            if (!repeated || place.first) once.push_back(std::move(problem));
        }
        return once;
    }

  private:
    static bool active(const Inferred& inferred, Role role) {
        return inferred.type && inferred.type->role == role && !inferred.node->muted;
    }

    void add(Severity severity, std::string code, std::string node, std::string port,
             std::string param, std::string text) {
        problems_.push_back({severity, std::move(code), std::move(node), std::move(port),
                             std::move(param), std::move(text)});
    }

    void look_at(const std::string& id, const Inferred& inferred) {
        const Node& node = *inferred.node;
        const bool needed = needed_.contains(id);
        const Severity severity = needed ? Severity::Error : Severity::Warning;
        if (!inferred.type) {
            add(severity, "unknown-type", id, "", "",
                fmt::format(
                    "{} is a {}, a type that this version does not know: it is kept as it is{}",
                    title_of(node), node.type, needed ? ", but the run needs it" : ""));
            return;
        }
        const NodeType& type = *inferred.type;
        if (node.version > type.version)
            add(Severity::Warning, "newer-type", id, "", "",
                fmt::format("{} was made by a newer version of {} ({}; this is {}): it may mean "
                            "something else here",
                            title_of(node), type.id, node.version, type.version));
        if (type.role == Role::Note) return;
        if (!inferred.code.empty() && !node.muted)
            add(inferred.code == "parameter-range" || inferred.code == "dataset"
                    ? (needed || !wired_.contains(id) ? Severity::Error : severity)
                    : severity,
                inferred.code, id, inferred.port, inferred.param, inferred.error);
        if (!wired_.contains(id)) {
            if (graph_.nodes().size() > 1)
                add(Severity::Info, "unconnected", id, "", "",
                    fmt::format("{} is not wired to anything", title_of(node)));
            return;
        }
        if (node.muted) return;
        for (std::size_t i = 0, first = 0; i < type.inputs.size();
             first += static_cast<std::size_t>(inferred.counts[i]), ++i) {
            const PortSpec& port = type.inputs[i];
            if (const auto open = inference_.flat.open.find({id, port.id});
                inferred.counts[i] == 0 && open != inference_.flat.open.end() &&
                !open->second.group.empty())
                open_input(severity, open->second);
            else if (inferred.counts[i] == 0 && !port.optional)
                add(severity, "missing-input", id, port.id, "",
                    fmt::format("{}: nothing is wired to the input \"{}\"", title_of(node),
                                port.label));
            for (std::size_t k = first; k < first + static_cast<std::size_t>(inferred.counts[i]);
                 ++k) {
                const Source& source = inferred.sources[k];
                if (source.node.empty()) {
                    add(severity, "missing-input", id, port.id, "",
                        fmt::format("{}: what feeds the input \"{}\", {}, is muted", title_of(node),
                                    port.label, source.wire.from));
                    continue;
                }
                const Inferred& from = inference_.at(source.node);
                if (!from.type || !from.facts.known || source.output < from.facts.outputs.size())
                    continue;
                if (from.type->role == Role::Dataset)
                    add(severity, "missing-labels", id, port.id, "",
                        fmt::format("{} needs {} of {}, but that dataset has no labels",
                                    title_of(node), source.wire.from_port, source.node));
                else
                    add(severity, "missing-output", id, port.id, "",
                        fmt::format("{} needs {} of {}, which its settings leave out",
                                    title_of(node), source.wire.from_port, source.node));
            }
        }
        if (inferred.facts.known) look_at_meaning(id, inferred);
        if (inferred.facts.known && type.transform) look_at_transform(severity, id, inferred);
    }

    /// Transforms run while samples are read, before any layer.
    void look_at_transform(Severity severity, const std::string& id, const Inferred& inferred) {
        const Inferred& from = inference_.at(inferred.sources[0].node);
        if (from.type && (from.type->role == Role::Dataset || from.type->role == Role::Input ||
                          from.type->transform))
            return;
        add(severity, "transform-place", id, inferred.type->inputs[0].id, "",
            fmt::format("{} changes samples while they are read: only other transforms may stand "
                        "between it and the dataset, {} is a layer",
                        title_of(*inferred.node), from.node->id));
    }

    /// What a node inside needs and a group's own input does not get: said once, at the group.
    void open_input(Severity severity, const FlatEnd& open) {
        if (!open_.insert({open.group, open.group_port}).second) return;
        const auto definition = inference_.flat.definitions.find(open.group);
        const Definition* group = definition == inference_.flat.definitions.end()
                                      ? nullptr
                                      : whole_.definition(definition->second);
        const PortSpec* port = group ? group->type->input(open.group_port) : nullptr;
        add(severity, "missing-input", open.group, open.group_port, "",
            fmt::format("{}: nothing is wired to the input \"{}\"", open.group,
                        port ? port->label : open.group_port));
    }

    /// Groups on a sheet and, inside, on theirs: what unfolding them hides.
    void look_at_groups(const Graph& sheet, const std::string& prefix) {
        for (const auto& [id, node] : sheet.nodes()) {
            if (node.type != "Group") continue;
            const Definition* definition = whole_.definition(node.group);
            if (!definition) continue;
            const NodeType& type = *definition->type;
            const std::string path = prefix + id;
            bool wired = false;
            for (const Wire& wire : sheet.wires())
                wired = wired || wire.from == id || wire.to == id;
            if (!wired && sheet.nodes().size() > 1 && prefix.empty())
                add(Severity::Info, "unconnected", path, "", "",
                    fmt::format("{} is not wired to anything", title_of(node)));
            if (node.muted) continue;
            for (const ParamSpec& spec : type.params)
                if (auto wrong = check_value(spec, node.params.at(spec.id)); !wrong.empty())
                    add(Severity::Error, "parameter-range", path, "", spec.id, wrong);
            const auto* times = std::get_if<std::int64_t>(&node.params.at("times"));
            const bool repeats = times && *times > 1;
            bool chains = type.outputs.size() <= type.inputs.size() && !type.outputs.empty();
            for (std::size_t i = 0; chains && i < type.outputs.size(); ++i)
                chains = kinds_fit(type.outputs[i].kind, type.inputs[i].kind);
            if (repeats && !chains)
                add(Severity::Error, "repeat-ports", path, "", "times",
                    fmt::format("{} repeats {} times, so each of its outputs must fit the input in "
                                "the same place: it has {} and {}",
                                title_of(node), *times, counted(type.inputs.size(), "input"),
                                counted(type.outputs.size(), "output")));
            look_at_groups(definition->body, path + (repeats ? ".0." : "."));
        }
    }

    static std::string counted(std::size_t count, const char* what) {
        return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
    }

    /// Networks that run, and do not do what a person means.
    void look_at_meaning(const std::string& id, const Inferred& inferred) {
        if (inferred.type->role != Role::Loss) return;
        const Inferred& input = inference_.at(inferred.sources[0].node);
        const Source& target = inferred.sources[1];
        const Inferred& dataset = inference_.at(target.node);
        std::int64_t classes = 0;
        if (dataset.type && dataset.type->role == Role::Dataset && target.output == 1 &&
            dataset.fields.size() > 1)
            classes = dataset.fields[1].classes;
        look_at_ignored(id, inferred);
        if (inferred.type->id == "CrossEntropyLoss") {
            const std::int64_t scores = inferred.inputs[0].shape[1];
            if (classes > scores)
                add(Severity::Error, "too-few-classes", id, "input", "",
                    fmt::format("{} has {} classes, but {} gives {} {}", target.node, classes,
                                inferred.sources[0].node, scores,
                                scores == 1 ? "score" : "scores"));
            else if (classes > 0 && classes < scores)
                add(Severity::Warning, "too-many-classes", id, "input", "",
                    fmt::format("{} has only {} classes, but {} gives {} scores", target.node,
                                classes, inferred.sources[0].node, scores));
            if (input.type && input.type->id == "Softmax")
                add(Severity::Warning, "double-softmax", input.node->id, "", "",
                    fmt::format("{} takes scores and does the softmax itself: with {} before it, "
                                "training is slow and weak",
                                id, input.node->id));
        }
        if (inferred.type->id == "BCEWithLogitsLoss") {
            if (classes > 2)
                add(Severity::Warning, "labels-not-binary", id, "target", "",
                    fmt::format("{} is for yes or no, but {} has {} classes", id, target.node,
                                classes));
            if (input.type && input.type->id == "Sigmoid")
                add(Severity::Warning, "double-sigmoid", input.node->id, "", "",
                    fmt::format("{} takes scores and does the sigmoid itself: with {} before it, "
                                "training is slow and weak",
                                id, input.node->id));
        }
    }

    /// Labels that a loss leaves out count as wrong for a metric that does not know of it.
    void look_at_ignored(const std::string& id, const Inferred& loss) {
        const auto ignored_by = [](const Inferred& inferred) -> const std::int64_t* {
            const auto it = inferred.node->params.find("ignore_index");
            return it == inferred.node->params.end() ? nullptr
                                                     : std::get_if<std::int64_t>(&it->second);
        };
        const std::int64_t* ignored = ignored_by(loss);
        if (!ignored || *ignored < 0) return;
        for (const auto& [other, metric] : inference_.nodes) {
            if (!active(metric, Role::Metric) || metric.sources.size() < 2 ||
                metric.sources[1].node != loss.sources[1].node ||
                metric.sources[1].output != loss.sources[1].output)
                continue;
            const std::int64_t* counted = ignored_by(metric);
            if (counted && *counted != *ignored)
                add(Severity::Warning, "ignored-label", other, "", "ignore_index",
                    fmt::format("{} ignores label {}, {} counts it", id, *ignored, other));
        }
    }

    void look_at_sources() {
        if (!has_loss_) return;
        std::string dataset;
        for (const std::string& id : inference_.order) {
            if (!needed_.contains(id)) continue;
            const Inferred& inferred = inference_.at(id);
            if (active(inferred, Role::Input))
                add(Severity::Error, "input-without-data", id, "", "",
                    fmt::format(
                        "{} has a shape, but no samples to train on: use a Dataset in its place",
                        id));
            if (!active(inferred, Role::Dataset)) continue;
            if (!dataset.empty())
                add(Severity::Error, "several-datasets", id, "", "",
                    fmt::format("a run reads one dataset, but both {} and {} feed it", dataset,
                                id));
            dataset = id;
        }
    }

    void look_at_training() {
        if (graph_.nodes().empty()) {
            add(Severity::Error, "empty", "", "", "",
                "The graph is empty: add a Dataset, layers, a loss and an optimizer");
            return;
        }
        if (!has_loss_) {
            add(Severity::Error, "no-loss", "", "", "",
                "There is no loss: nothing says what the network should learn");
            return;
        }
        bool trains = false;
        std::set<std::string> trained;
        for (const auto& [id, inferred] : inference_.nodes) {
            if (!active(inferred, Role::Optimizer)) continue;
            std::vector<std::string> losses;
            bool known = true;
            for (const Source& source : inferred.sources)
                if (!source.node.empty() && active(inference_.at(source.node), Role::Loss)) {
                    losses.push_back(source.node);
                    trained.insert(source.node);
                    known = known && inference_.at(source.node).facts.known;
                }
            trains = trains || !losses.empty();
            std::int64_t weights = 0;
            for (const std::string& node : upstream(inference_, losses))
                weights += inference_.at(node).facts.weights;
            if (!losses.empty() && known && weights == 0)
                add(Severity::Error, "nothing-to-train", id, "loss", "",
                    fmt::format("{} has nothing to train: no layer before {} has weights", id,
                                losses.front()));
        }
        for (const std::string& id : inference_.order) {
            if (!active(inference_.at(id), Role::Loss) || !wired_.contains(id) ||
                trained.contains(id))
                continue;
            if (!trains) {
                add(Severity::Error, "no-optimizer", id, "loss", "",
                    fmt::format("No optimizer: nothing makes {} smaller. Wire it to SGD or Adam",
                                id));
                return;
            }
            add(Severity::Warning, "loss-without-optimizer", id, "loss", "",
                fmt::format("No optimizer is wired to {}: nothing is trained by it", id));
        }
    }

    const Graph& whole_;
    const Graph& graph_; ///< unfolded
    const Inference& inference_;
    std::set<std::string> wired_, needed_;
    std::set<std::pair<std::string, std::string>> open_; ///< inputs of groups that were said
    bool has_loss_ = false;
    std::vector<Problem> problems_;
};

} // namespace

std::vector<Problem> find_problems(const Graph& graph, const Inference& inference) {
    return Finder(graph, inference).find();
}

} // namespace wiregrad::graph

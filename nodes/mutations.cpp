#include "nodes/mutations.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "engine/core/error.h"
#include "nodes/analysis.h"

namespace wiregrad::graph {

namespace {

using Ids = std::vector<std::string>;

class Mutator {
  public:
    Mutator(Graph graph, std::mt19937& random) : graph_(std::move(graph)), random_(random) {}
    Graph take() { return std::move(graph_); }

    std::size_t below(std::size_t count) {
        return static_cast<std::size_t>(random_() % static_cast<std::uint32_t>(count));
    }
    template <class List> const auto& pick(const List& list) {
        if (list.empty()) throw ValueError("there is nothing to choose from");
        return list[below(list.size())];
    }
    Ids ids(const std::function<bool(const Node&)>& wanted) const {
        Ids result;
        for (const auto& [id, node] : graph_.nodes())
            if (wanted(node)) result.push_back(id);
        return result;
    }
    Ids of_type(std::initializer_list<const char*> types) const {
        return ids([&](const Node& node) {
            return std::any_of(types.begin(), types.end(),
                               [&](const char* type) { return node.type == type; });
        });
    }
    Ids of_role(Role role) const {
        return ids([&](const Node& node) {
            const NodeType* type = graph_.type_of(node);
            return type && type->role == role;
        });
    }

    void disconnect() { apply(graph_, {Disconnect{pick(graph_.wires())}}); }
    void remove(const Ids& nodes, bool dissolve) {
        apply(graph_, remove_edit(graph_, {pick(nodes)}, dissolve));
    }
    void insert(const char* type) {
        const Wire cut = pick(graph_.wires());
        const Node node = make_node(graph_, type, {});
        apply(graph_, {Batch{{{Disconnect{cut}},
                              {AddNode{node}},
                              {Connect{{cut.from, cut.from_port, node.id, "in"}}},
                              {Connect{{node.id, "out", cut.to, cut.to_port}}}}}});
    }
    void set(const Ids& nodes, const char* param, ParamValue value) {
        apply(graph_, {SetParam{pick(nodes), param, std::move(value)}});
    }
    /// The same wires on a node of another type.
    void retype(const Ids& nodes, const char* type) {
        const std::string old = pick(nodes);
        const std::vector<Wire> wires = graph_.wires();
        const Node node = make_node(graph_, type, graph_.node(old)->position);
        const NodeType* now = find_type(type);
        apply(graph_, {RemoveNode{old}});
        apply(graph_, {AddNode{node}});
        for (Wire wire : wires) {
            if (wire.from != old && wire.to != old) continue;
            if (wire.from == old) {
                wire.from = node.id;
                if (!now->output(wire.from_port)) wire.from_port = now->outputs.at(0).id;
            } else {
                wire.to = node.id;
            }
            if (refuse_wire(graph_, wire).empty()) apply(graph_, {Connect{wire}});
        }
    }
    /// A node gets its input from somewhere before.
    void rewire() {
        const Wire old = pick(graph_.wires());
        Ids earlier;
        for (const std::string& id : of_role(Role::Layer))
            if (id != old.from && id != old.to && graph_.reaches(old.to, id)) earlier.push_back(id);
        const std::string from = pick(earlier);
        apply(graph_, connect_edit(graph_, {from, graph_.type_of(from)->outputs.at(0).id, old.to,
                                            old.to_port}));
    }
    /// Two layers that follow each other change places.
    void swap() {
        std::vector<Wire> between;
        for (const Wire& wire : graph_.wires())
            if (graph_.wires_into(wire.from).size() == 1 &&
                graph_.wires_out_of(wire.from).size() == 1 &&
                graph_.wires_into(wire.to).size() == 1 && graph_.wires_out_of(wire.to).size() == 1)
                between.push_back(wire);
        const Wire wire = pick(between);
        const Wire in = graph_.wires_into(wire.from).front(),
                   out = graph_.wires_out_of(wire.to).front();
        apply(graph_, {Batch{{{Disconnect{in}},
                              {Disconnect{wire}},
                              {Disconnect{out}},
                              {Connect{{in.from, in.from_port, wire.to, wire.to_port}}},
                              {Connect{{wire.to, out.from_port, wire.from, in.to_port}}},
                              {Connect{{wire.from, wire.from_port, out.to, out.to_port}}}}}});
    }
    /// A sum of two values that stand far apart.
    void add_apart() {
        const Wire cut = pick(graph_.wires());
        const std::string other = pick(of_role(Role::Layer));
        const Node sum = make_node(graph_, "Add", {});
        apply(graph_, {Batch{{{Disconnect{cut}},
                              {AddNode{sum}},
                              {Connect{{cut.from, cut.from_port, sum.id, "in"}}},
                              {Connect{{other, "out", sum.id, "in"}}},
                              {Connect{{sum.id, "out", cut.to, cut.to_port}}}}}});
    }
    void mute() { apply(graph_, {SetMuted{pick(of_role(Role::Layer)), true}}); }
    void cut_labels() {
        std::vector<Wire> labels;
        for (const Wire& wire : graph_.wires())
            if (wire.to_port == "target") labels.push_back(wire);
        apply(graph_, {Disconnect{pick(labels)}});
    }
    /// The last weights of the network give another number of outputs.
    void other_classes() {
        Ids last;
        for (const std::string& id : of_type({"Linear"}))
            for (const Wire& wire : graph_.wires_out_of(id))
                if (const NodeType* type = graph_.type_of(wire.to);
                    type && type->role == Role::Loss)
                    last.push_back(id);
        constexpr std::int64_t kWrong[] = {1, 2, 3, 7};
        set(last, "out_features", kWrong[below(std::size(kWrong))]);
    }

  private:
    Graph graph_;
    std::mt19937& random_;
};

struct Kind {
    const char* name;
    void (*apply)(Mutator&);
};

std::vector<std::int64_t> both(std::int64_t value) {
    return {value, value};
}

const Kind kKinds[] = {
    {"disconnect", [](Mutator& m) { m.disconnect(); }},
    {"remove-layer", [](Mutator& m) { m.remove(m.of_role(Role::Layer), false); }},
    {"dissolve-layer", [](Mutator& m) { m.remove(m.of_role(Role::Layer), true); }},
    {"insert-flatten", [](Mutator& m) { m.insert("Flatten"); }},
    {"insert-conv", [](Mutator& m) { m.insert("Conv2d"); }},
    {"insert-linear", [](Mutator& m) { m.insert("Linear"); }},
    {"insert-pool", [](Mutator& m) { m.insert("MaxPool2d"); }},
    {"insert-norm-2d", [](Mutator& m) { m.insert("BatchNorm2d"); }},
    {"insert-norm-1d", [](Mutator& m) { m.insert("BatchNorm1d"); }},
    {"other-classes", [](Mutator& m) { m.other_classes(); }},
    {"too-large-kernel",
     [](Mutator& m) {
         m.set(m.of_type({"Conv2d", "MaxPool2d"}), "kernel_size", both(40));
     }},
    {"too-many-groups",
     [](Mutator& m) { m.set(m.of_type({"Conv2d"}), "groups", std::int64_t(5)); }},
    {"swap-layers", [](Mutator& m) { m.swap(); }},
    {"other-loss",
     [](Mutator& m) {
         m.below(2) ? m.retype(m.of_role(Role::Loss), "NLLLoss")
                    : m.retype(m.of_role(Role::Loss), "BCEWithLogitsLoss");
     }},
    {"no-optimizer", [](Mutator& m) { m.remove(m.of_role(Role::Optimizer), false); }},
    {"no-loss", [](Mutator& m) { m.remove(m.of_role(Role::Loss), false); }},
    {"no-labels", [](Mutator& m) { m.cut_labels(); }},
    {"rewire", [](Mutator& m) { m.rewire(); }},
    {"sum-of-strangers", [](Mutator& m) { m.add_apart(); }},
    {"mute", [](Mutator& m) { m.mute(); }},
};

} // namespace

const std::vector<std::string>& mutation_kinds() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> result;
        for (const Kind& kind : kKinds)
            result.emplace_back(kind.name);
        return result;
    }();
    return names;
}

std::optional<Graph> mutated(const Graph& good, const std::string& kind, std::mt19937& random) {
    const auto* found = std::find_if(std::begin(kKinds), std::end(kKinds),
                                     [&](const Kind& one) { return kind == one.name; });
    if (found == std::end(kKinds)) throw ValueError(fmt::format("there is no way \"{}\"", kind));
    Mutator mutator(good, random);
    try {
        found->apply(mutator);
    } catch (const Error&) {
        return std::nullopt; // nothing here that it could break, or the edit itself is refused
    }
    Graph graph = mutator.take();
    if (analyze(graph, false).runnable()) return std::nullopt;
    return graph;
}

std::vector<Broken> broken_graphs(const std::vector<std::pair<std::string, Graph>>& good, int count,
                                  std::uint32_t seed) {
    constexpr int kTries = 200;
    std::mt19937 random(seed);
    std::vector<Broken> result;
    while (static_cast<int>(result.size()) < count) {
        const std::size_t before = result.size();
        for (const std::string& kind : mutation_kinds())
            for (int i = 0; i < kTries && static_cast<int>(result.size()) < count; ++i) {
                const auto& [name, graph] =
                    good[random() % static_cast<std::uint32_t>(good.size())];
                if (auto broken = mutated(graph, kind, random)) {
                    result.push_back({kind, name, std::move(*broken)});
                    break;
                }
            }
        if (result.size() == before) break; // these cannot be broken
    }
    return result;
}

Repair try_repairs(const Graph& broken) {
    Repair repair;
    const Analysis analysis = analyze(broken);
    for (const Problem& problem : analysis.problems) {
        if (problem.severity != Severity::Error) continue;
        if (repair.unrepaired.empty())
            repair.unrepaired = fmt::format("{}: {}", problem.node, problem.text);
        for (const Fix& fix : problem.fixes) {
            const int number = repair.offered++;
            if (repair.fitting >= 0) continue;
            Graph trial = broken;
            apply(trial, fix.edit);
            if (!analyze(trial, false).runnable()) continue;
            repair.fitting = number;
            repair.label = fix.label;
            repair.repaired = std::move(trial);
        }
    }
    if (repair.fitting >= 0) repair.unrepaired.clear();
    return repair;
}

} // namespace wiregrad::graph

// Repairs for problems: edits that are worth trying. analyze() tries them and offers those that
// help.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "nodes/problems.h"

namespace wiregrad::graph {

namespace {

constexpr double kStep = 240; ///< from one node to the next on the canvas
constexpr int kLongestWalk = 50;

class Fixer {
  public:
    Fixer(const Graph& graph, const Inference& inference, const Problem& problem)
        : graph_(graph), inference_(inference), problem_(problem) {}

    std::vector<Fix> candidates() {
        const std::string& code = problem_.code;
        if (code == "shape-mismatch" || code == "dtype-mismatch" || code == "invalid-parameters" ||
            code == "cannot-build")
            mismatch(problem_.node);
        else if (code == "missing-input")
            missing_input(problem_.node, problem_.port);
        else if (code == "missing-labels")
            missing_labels();
        else if (code == "parameter-range")
            parameter_range();
        else if (code == "repeat-ports")
            set(problem_.node, "times", std::int64_t{1});
        else if (code == "shared-weights")
            own_weights();
        else if (code == "too-few-classes" || code == "too-many-classes")
            classes();
        else if (code == "double-softmax" || code == "double-sigmoid" || code == "unknown-type")
            remove(problem_.node);
        else if (code == "labels-not-binary")
            replace_loss(problem_.node);
        else if (code == "no-loss")
            no_loss();
        else if (code == "no-optimizer" || code == "loss-without-optimizer")
            no_optimizer();
        else if (code == "dataset")
            dataset();
        else if (code == "empty")
            empty();
        return std::move(fixes_);
    }

  private:
    const Inferred& at(const std::string& id) const {
        static const Inferred kNone;
        const auto it = inference_.nodes.find(id);
        return it == inference_.nodes.end() ? kNone : it->second;
    }
    static bool is(const Inferred& node, const char* type) {
        return node.type && node.type->id == type;
    }
    void offer(std::string label, Edit edit) {
        fixes_.push_back({std::move(label), std::move(edit)});
    }

    int index_of(const Wire& wire) const {
        const auto& wires = graph_.wires();
        return static_cast<int>(std::find(wires.begin(), wires.end(), wire) - wires.begin());
    }

    void set(const std::string& node, const std::string& param, ParamValue value) {
        const auto& params = graph_.node(node)->params;
        const auto it = params.find(param);
        if (it == params.end() || it->second == value) return;
        offer(fmt::format("Set {} of {} to {}", param, node, value_text(value)),
              {SetParam{node, param, std::move(value)}});
    }

    /// A new node on a wire.
    void insert(const Wire& wire, const std::string& type, Params changed = {}) {
        const Position& a = graph_.node(wire.from)->position;
        const Position& b = graph_.node(wire.to)->position;
        Node node =
            make_node(graph_, type, {std::round((a.x + b.x) / 2), std::round((a.y + b.y) / 2)});
        std::string detail;
        for (auto& [id, value] : changed) {
            detail += " to " + value_text(value);
            node.params[id] = value;
        }
        const NodeType* info = find_type(type);
        const Wire into{wire.from, wire.from_port, node.id, info->inputs[0].id};
        const Wire out{node.id, info->outputs[0].id, wire.to, wire.to_port};
        offer(fmt::format("Insert {}{} before {}", type, detail, wire.to),
              {Batch{{{Disconnect{wire}},
                      {AddNode{node}},
                      {Connect{into}},
                      {Connect{out, index_of(wire)}}}}});
    }

    /// The same node as another type: wires on ports that both have stay.
    void replace(const std::string& id, const std::string& type) {
        const Node& old = *graph_.node(id);
        if (old.type == type) return;
        const NodeType* info = find_type(type);
        Node node = old;
        node.type = type;
        node.version = info->version;
        node.params = default_params(*info);
        for (auto& [param, value] : node.params)
            if (const auto it = old.params.find(param);
                it != old.params.end() && check_value(*info->param(param), it->second).empty())
                value = it->second;
        Batch batch{{{RemoveNode{id}}, {AddNode{node}}}};
        for (std::size_t i = 0; i < graph_.wires().size(); ++i) {
            const Wire& wire = graph_.wires()[i];
            if (wire.from == id || wire.to == id)
                batch.edits.push_back({Connect{wire, static_cast<int>(i)}});
        }
        offer(fmt::format("Make {} a {}", id, type), {std::move(batch)});
    }

    void remove(const std::string& id) {
        offer(fmt::format("Remove {}", id), remove_edit(graph_, {id}, true));
    }

    /// The layer that decides how many channels or features come out of `id`.
    struct Size {
        std::string node, param;
    };
    std::optional<Size> size_of(std::string id) const {
        for (int walk = 0; walk < kLongestWalk && !id.empty(); ++walk) {
            const Inferred& node = at(id);
            if (!node.type) return {};
            if (node.type->id == "Linear") return Size{id, "out_features"};
            if (node.type->category == "Convolution") return Size{id, "out_channels"};
            if (node.type->id == "Embedding") return Size{id, "embedding_dim"};
            const std::string& category = node.type->category;
            const bool keeps = category == "Activation" || category == "Normalization" ||
                               category == "Pooling" || node.type->id == "Dropout" ||
                               node.type->id == "Identity" || node.type->id == "Flatten" ||
                               category == "Math";
            if (!keeps || node.sources.empty()) return {};
            id = node.sources[0].node;
        }
        return {};
    }
    void set_size(const std::string& source, std::int64_t size) {
        if (const auto found = size_of(source); found && size > 0)
            set(found->node, found->param, size);
    }

    /// Flatten where a Linear before `id` gets pictures: that runs, but does not mean what a person
    /// means.
    void flatten_upstream(const std::string& id) {
        std::vector<std::string> open{id};
        std::set<std::string> seen;
        for (std::size_t i = 0; i < open.size() && i < kLongestWalk; ++i) {
            const Inferred& node = at(open[i]);
            if (!seen.insert(open[i]).second || !node.type) continue;
            if (is(node, "Linear") && node.inputs_known && node.inputs[0].shape.size() > 2)
                insert(node.sources[0].wire, "Flatten");
            for (const Source& source : node.sources)
                if (!source.node.empty()) open.push_back(source.node);
        }
    }

    void mismatch(const std::string& id) {
        const Inferred& node = at(id);
        if (!node.type) return;
        if (node.inputs_known && !node.inputs.empty()) by_type(id, node);
        if (problem_.code == "invalid-parameters")
            for (const ParamSpec& spec : node.type->params)
                set(id, spec.id, spec.standard);
        flatten_upstream(id);
        for (std::size_t i = 0; i < node.sources.size() && i < 4; ++i)
            insert(node.sources[i].wire, "Flatten");
        for (std::size_t i = 0; i < node.sources.size() && i < 4; ++i)
            if (const std::string& from = node.sources[i].node;
                !from.empty() && at(from).type && at(from).type->role == Role::Layer)
                remove(from);
        if (node.type->role == Role::Layer) remove(id);
    }

    void by_type(const std::string& id, const Inferred& node) {
        const std::string& type = node.type->id;
        const std::string& category = node.type->category;
        const Shape& shape = node.inputs[0].shape;
        const bool wants_picture =
            category == "Convolution" || category == "Pooling" || type == "BatchNorm2d";
        if (type == "BatchNorm2d") replace(id, "BatchNorm1d");
        if (type == "BatchNorm1d") replace(id, "BatchNorm2d");
        if (wants_picture && shape.size() != 4) to_picture(node.sources[0], shape);
        if (wants_picture && shape.size() == 4) window(id, node, shape);
        if (type == "Reshape") reshape(id, shape);
        if (type == "Softmax" || type == "LogSoftmax" || type == "Concat")
            set(id, "dim", std::int64_t{1});
        if (type == "Mean") set(id, "dim", std::vector<std::int64_t>{-1});
        if (type == "LayerNorm")
            set(id, "dims", static_cast<std::int64_t>(std::max(1, shape.size() - 1)));
        if (type == "Permute") permute(id, shape);
        if (node.inputs.size() > 1 && (category == "Math" || type == "Concat")) equal_sizes(node);
        if (node.type->role == Role::Loss || node.type->role == Role::Metric) target(id, node);
    }

    /// Rows of numbers to pictures: squares when their count allows.
    void to_picture(const Source& source, const Shape& shape) {
        std::int64_t count = 1;
        for (int i = 1; i < shape.size(); ++i)
            if (__builtin_mul_overflow(count, shape[i], &count)) return;
        if (shape.size() == 3) {
            insert(source.wire, "Reshape",
                   {{"shape", std::vector<std::int64_t>{1, shape[1], shape[2]}}});
            return;
        }
        for (const std::int64_t channels : {1, 3}) {
            const auto side = static_cast<std::int64_t>(std::llround(
                std::sqrt(static_cast<double>(count) / static_cast<double>(channels))));
            if (side > 1 && side * side * channels == count)
                insert(source.wire, "Reshape",
                       {{"shape", std::vector<std::int64_t>{channels, side, side}}});
        }
        insert(source.wire, "Reshape", {{"shape", std::vector<std::int64_t>{count, 1, 1}}});
    }

    void window(const std::string& id, const Inferred& node, const Shape& shape) {
        const auto& params = node.node->params;
        const auto list = [&](const char* name) {
            const auto it = params.find(name);
            return it == params.end() ? std::vector<std::int64_t>{}
                                      : std::get<std::vector<std::int64_t>>(it->second);
        };
        const auto kernel = list("kernel_size"), dilation = list("dilation");
        if (params.contains("groups")) set(id, "groups", std::int64_t{1});
        if (kernel.empty()) return;
        const std::int64_t largest = *std::max_element(kernel.begin(), kernel.end());
        if (node.type->category == "Convolution")
            set(id, "padding", std::vector<std::int64_t>{largest / 2});
        else
            set(id, "padding", std::vector<std::int64_t>{0});
        set(id, "kernel_size",
            std::vector<std::int64_t>{std::max<std::int64_t>(1, std::min(shape[2], shape[3]))});
        set(id, "kernel_size", std::vector<std::int64_t>{1});
        if (!dilation.empty()) set(id, "dilation", std::vector<std::int64_t>{1});
    }

    void reshape(const std::string& id, const Shape& shape) {
        std::int64_t count = 1;
        for (int i = 1; i < shape.size(); ++i)
            if (__builtin_mul_overflow(count, shape[i], &count)) return;
        // Keep what was asked for as far as it divides: let the first size that may be anything be
        // worked out.
        const auto wanted =
            std::get<std::vector<std::int64_t>>(graph_.node(id)->params.at("shape"));
        for (std::size_t open = 0; open < wanted.size(); ++open) {
            std::int64_t others = 1;
            for (std::size_t i = 0; i < wanted.size(); ++i)
                if (i != open)
                    others = others > 0 && wanted[i] > 0 && wanted[i] <= count / others
                                 ? others * wanted[i]
                                 : 0;
            if (others > 0 && count % others == 0) {
                auto shape_list = wanted;
                shape_list[open] = -1;
                set(id, "shape", shape_list);
            }
        }
        set(id, "shape", std::vector<std::int64_t>{-1});
    }

    void permute(const std::string& id, const Shape& shape) {
        std::vector<std::int64_t> dims{0};
        for (int i = shape.size() - 1; i > 0; --i)
            dims.push_back(i);
        if (dims.size() >= 2) set(id, "dims", dims);
    }

    /// Inputs that must have equal sizes: bring one side to the other's.
    void equal_sizes(const Inferred& node) {
        for (std::size_t i = 0; i < node.inputs.size(); ++i)
            for (std::size_t k = 0; k < node.inputs.size(); ++k) {
                const Shape& mine = node.inputs[i].shape;
                const Shape& other = node.inputs[k].shape;
                if (i == k || mine == other || mine.size() < 2 || other.size() < 2) continue;
                const int channel = mine.size() == 4 ? 1 : mine.size() - 1;
                const int other_channel = other.size() == 4 ? 1 : other.size() - 1;
                if (mine[channel] != other[other_channel])
                    set_size(node.sources[i].node, other[other_channel]);
                if (mine.size() > 2 && other.size() == 2) insert(node.sources[i].wire, "Flatten");
                reshape_to(node.sources[i], mine, other);
            }
        for (std::size_t i = 1; i < node.sources.size(); ++i)
            offer(fmt::format("Disconnect {} from {}", node.sources[i].wire.from, node.node->id),
                  {Disconnect{node.sources[i].wire}});
    }

    void reshape_to(const Source& source, const Shape& from, const Shape& wanted) {
        std::int64_t have = 1, need = 1;
        std::vector<std::int64_t> sizes;
        for (int i = 1; i < from.size(); ++i)
            have *= from[i];
        for (int i = 1; i < wanted.size(); ++i) {
            need *= wanted[i];
            sizes.push_back(wanted[i]);
        }
        if (have == need && !sizes.empty() && !(from == wanted))
            insert(source.wire, "Reshape", {{"shape", sizes}});
    }

    /// Losses and metrics whose input does not fit the target.
    void target(const std::string& id, const Inferred& node) {
        const Shape& input = node.inputs[0].shape;
        const Shape& target = node.inputs[1].shape;
        const Inferred& dataset = at(node.sources[1].node);
        std::int64_t classes = 0;
        if (dataset.type && dataset.type->role == Role::Dataset && node.sources[1].output == 1 &&
            dataset.fields.size() > 1)
            classes = dataset.fields[1].classes;
        flatten_upstream(id);
        const bool by_number = node.type->id != "CrossEntropyLoss" && node.type->id != "Accuracy";
        if (by_number && target.size() == input.size() && target.size() >= 2)
            set_size(node.sources[0].node, target.back());
        if (by_number && target.size() == 1) set_size(node.sources[0].node, 1);
        if (!by_number && classes > 0) set_size(node.sources[0].node, classes);
        reshape_to(node.sources[0], input, target);
        if (by_number && target.size() > 2 && input.size() == 2) {
            std::int64_t count = 1;
            for (int i = 1; i < target.size(); ++i)
                count *= target[i];
            if (input[1] == count) {
                insert(node.sources[1].wire, "Flatten");
            } else if (const auto size = size_of(node.sources[0].node)) {
                std::vector<std::int64_t> sizes;
                for (int i = 1; i < target.size(); ++i)
                    sizes.push_back(target[i]);
                insert(node.sources[0].wire, "Reshape", {{"shape", sizes}});
                std::get<Batch>(fixes_.back().edit.what)
                    .edits.push_back({SetParam{size->node, size->param, count}});
                fixes_.back().label = fmt::format("Give {} numbers and shape them like {}", count,
                                                  node.sources[1].wire.from);
            }
        }
        if (by_number && input.size() == 4 && target.size() == 4)
            picture_size(node.sources[0], target);
        if (node.type->role == Role::Loss)
            replace_loss(id);
        else if (!is_real(node) && node.type->id == "Accuracy")
            replace(id, "MeanAbsoluteError");
    }
    static bool is_real(const Inferred& node) { return !is_floating(node.inputs[1].dtype); }

    /// Pictures that came out larger or smaller than they should.
    void picture_size(const Source& source, const Shape& wanted) {
        std::string id = source.node;
        for (int walk = 0; walk < 4 && !id.empty() && at(id).type && !at(id).sources.empty();
             ++walk) {
            if (graph_.node(id)->params.contains("stride"))
                for (const std::int64_t stride : {2, 1})
                    set(id, "stride", std::vector<std::int64_t>{stride});
            id = at(id).sources[0].node;
        }
        // One node behind the source, for all that it feeds.
        const Position& place = graph_.node(source.node)->position;
        Node pool = make_node(graph_, "AdaptiveAvgPool2d", {place.x + kStep / 2, place.y});
        pool.params["output_size"] = std::vector<std::int64_t>{wanted[2], wanted[3]};
        Batch batch{{{AddNode{pool}}}};
        for (std::size_t i = 0; i < graph_.wires().size(); ++i) {
            const Wire& wire = graph_.wires()[i];
            if (wire.from != source.wire.from || wire.from_port != source.wire.from_port) continue;
            batch.edits.push_back({Disconnect{wire}});
            batch.edits.push_back(
                {Connect{{pool.id, "out", wire.to, wire.to_port}, static_cast<int>(i)}});
        }
        batch.edits.push_back({Connect{{source.wire.from, source.wire.from_port, pool.id, "in"}}});
        offer(fmt::format("Insert AdaptiveAvgPool2d to {} × {} behind {}", wanted[2], wanted[3],
                          source.wire.from),
              {std::move(batch)});
    }

    void replace_loss(const std::string& id) {
        for (const char* type : {"CrossEntropyLoss", "MSELoss", "BCEWithLogitsLoss"})
            replace(id, type);
    }

    void missing_input(const std::string& id, const std::string& port_id) {
        const Inferred& node = at(id);
        const PortSpec* port = node.type ? node.type->input(port_id) : nullptr;
        if (!port) return;
        // What feeds nothing yet comes first, then what is nearest to the left.
        struct Option {
            bool used;
            double distance;
            Wire wire;
        };
        std::set<std::pair<std::string, std::string>> used;
        for (const Wire& wire : graph_.wires())
            used.emplace(wire.from, wire.from_port);
        std::vector<Option> options;
        for (const auto& [other, inferred] : inference_.nodes) {
            if (!inferred.type || inferred.node->muted || other == id) continue;
            for (const PortSpec& output : inferred.type->outputs) {
                const Wire wire{other, output.id, id, port_id};
                const bool labels_for_tensor = output.kind != port->kind && port_id != "target";
                const bool foreign_target =
                    port_id == "target" && inferred.type->role != Role::Dataset;
                if (!kinds_fit(output.kind, port->kind) || labels_for_tensor || foreign_target)
                    continue;
                const double dx = node.node->position.x - inferred.node->position.x,
                             dy = node.node->position.y - inferred.node->position.y;
                const double distance = std::hypot(dx < 0 ? 3 * dx : dx, dy);
                // A target comes from the dataset.
                const bool is_used = port_id != "target" && used.contains({other, output.id});
                options.push_back(
                    {is_used, distance - (output.kind == PortKind::Labels ? 1e6 : 0), wire});
            }
        }
        std::stable_sort(options.begin(), options.end(), [](const Option& a, const Option& b) {
            return std::pair(a.used, a.distance) < std::pair(b.used, b.distance);
        });
        int offered = 0;
        for (const Option& option : options) {
            if (offered == 6) break;
            if (!refuse_wire(graph_, option.wire).empty()) continue;
            offer(fmt::format("Connect {}.{} to {}.{}", option.wire.from, option.wire.from_port, id,
                              port_id),
                  connect_edit(graph_, option.wire));
            ++offered;
        }
        const bool has_data =
            std::any_of(inference_.nodes.begin(), inference_.nodes.end(), [](const auto& entry) {
                return entry.second.type && entry.second.type->role == Role::Dataset;
            });
        if (!has_data)
            for (const char* source : {"digits", "spirals", "iris", "shapes"})
                add_dataset(source);
        for (const Source& source : node.sources)
            if (source.node.empty() && source.wire.to_port == port_id)
                offer(fmt::format("Unmute {}", source.wire.from),
                      {SetMuted{source.wire.from, false}});
        if (node.type->role == Role::Metric) remove(id);
    }

    /// A dataset for every input that has nothing: samples for layers, labels or samples for
    /// targets.
    void add_dataset(const std::string& source) {
        Position place{1e300, 0};
        for (const auto& [id, inferred] : inference_.nodes)
            if (inferred.node->position.x < place.x) place = inferred.node->position;
        for (const char* target : {"y", "x"}) {
            Node node = make_node(graph_, "Dataset", {place.x - kStep, place.y});
            node.params["source"] = source;
            Batch batch{{{AddNode{node}}}};
            for (const std::string& id : inference_.order) {
                const Inferred& open = at(id);
                if (!open.type || open.node->muted) continue;
                for (std::size_t i = 0; i < open.counts.size(); ++i)
                    if (const PortSpec& port = open.type->inputs[i];
                        open.counts[i] == 0 && port.kind != PortKind::Loss) {
                        const bool labels = port.kind == PortKind::Labels ||
                                            (port.id == "target" && target == std::string("y"));
                        batch.edits.push_back(
                            {Connect{{node.id, labels ? "y" : "x", id, port.id}}});
                    }
            }
            offer(fmt::format("Add a Dataset of {}{}", source,
                              target == std::string("x") ? ", itself the target" : ""),
                  {std::move(batch)});
        }
    }

    void missing_labels() {
        const Inferred& node = at(problem_.node);
        for (const Source& source : node.sources)
            if (source.wire.to_port == problem_.port && source.output > 0) {
                const Wire instead{source.wire.from, "x", source.wire.to, source.wire.to_port};
                offer(fmt::format("Use {}.x as the target", source.wire.from),
                      {Batch{{{Disconnect{source.wire}}, {Connect{instead}}}}});
                set(source.node, "label_column", std::string());
            }
    }

    void parameter_range() {
        const Inferred& node = at(problem_.node);
        const ParamSpec* spec = node.type ? node.type->param(problem_.param) : nullptr;
        if (!spec) return;
        const ParamValue& value = node.node->params.at(spec->id);
        if (const auto* number = std::get_if<std::int64_t>(&value);
            number && spec->kind == ParamKind::Int)
            set(problem_.node, spec->id,
                static_cast<std::int64_t>(
                    std::clamp(static_cast<double>(*number), spec->min, spec->max)));
        if (const auto* number = std::get_if<double>(&value);
            number && spec->kind == ParamKind::Real)
            set(problem_.node, spec->id, std::clamp(*number, spec->min, spec->max));
        set(problem_.node, spec->id, spec->standard);
    }

    /// The repetitions of the group around the node learn on their own: an edit of the sheet that
    /// the group stands on is not an edit of this one, so it is offered where that is the project.
    void own_weights() { remove(problem_.node); }

    void classes() {
        const Inferred& loss = at(problem_.node);
        set_size(loss.sources[0].node, at(loss.sources[1].node).fields[1].classes);
    }

    void no_loss() {
        std::set<std::string> used;
        for (const Wire& wire : graph_.wires())
            if (const NodeType* to = at(wire.to).type; !to || to->role == Role::Layer)
                used.insert(wire.from);
        for (auto id = inference_.order.rbegin(); id != inference_.order.rend(); ++id) {
            const Inferred& layer = at(*id);
            if (!layer.type || layer.type->role != Role::Layer || layer.node->muted ||
                !layer.facts.known || used.contains(*id))
                continue;
            for (const std::string& source : upstream(inference_, {*id})) {
                const Inferred& dataset = at(source);
                if (dataset.type && dataset.type->role == Role::Dataset && !dataset.fields.empty())
                    add_loss(*id, layer, source, dataset);
            }
            return;
        }
    }

    void add_loss(const std::string& id, const Inferred& layer, const std::string& source,
                  const Inferred& dataset) {
        const data::Field* labels = dataset.fields.size() > 1 ? &dataset.fields[1] : nullptr;
        const Shape& shape = layer.facts.outputs[0].shape;
        std::string type = "MSELoss", port = labels ? "y" : "x";
        if (labels && labels->classes > 0)
            type = labels->classes == 2 && shape.size() == 2 && shape[1] == 1 ? "BCEWithLogitsLoss"
                                                                              : "CrossEntropyLoss";
        const bool pictures_again = shape.size() == 4 && !dataset.facts.outputs.empty() &&
                                    shape == dataset.facts.outputs[0].shape;
        if (pictures_again) {
            type = "MSELoss";
            port = "x";
        }
        const Position at = layer.node->position;
        const Node loss = make_node(graph_, type, {at.x + kStep, at.y});
        Batch batch{{{AddNode{loss}},
                     {Connect{{id, "out", loss.id, "input"}}},
                     {Connect{{source, port, loss.id, "target"}}}}};
        std::string optimizer;
        for (const auto& [other, inferred] : inference_.nodes)
            if (optimizer.empty() && inferred.type && inferred.type->role == Role::Optimizer &&
                !inferred.node->muted)
                optimizer = other;
        if (optimizer.empty()) {
            const Node adam = make_node(graph_, "Adam", {at.x + 2 * kStep, at.y});
            optimizer = adam.id;
            batch.edits.push_back({AddNode{adam}});
        }
        batch.edits.push_back({Connect{{loss.id, "loss", optimizer, "loss"}}});
        offer(fmt::format("Add {} and train {}", type, id), {std::move(batch)});
    }

    void no_optimizer() {
        std::vector<std::string> losses;
        for (const auto& [id, inferred] : inference_.nodes) {
            if (!inferred.type || inferred.type->role != Role::Loss || inferred.node->muted ||
                inferred.sources.empty())
                continue;
            const auto& wires = graph_.wires();
            const bool trained =
                std::any_of(wires.begin(), wires.end(),
                            [&, &loss = id](const Wire& wire) { return wire.from == loss; });
            if (!trained || id == problem_.node) losses.push_back(id);
        }
        for (const auto& [id, inferred] : inference_.nodes) {
            if (!inferred.type || inferred.type->role != Role::Optimizer) continue;
            Batch batch;
            if (inferred.node->muted) batch.edits.push_back({SetMuted{id, false}});
            for (const std::string& loss : losses)
                if (const Wire wire{loss, "loss", id, "loss"}; refuse_wire(graph_, wire).empty())
                    batch.edits.push_back({Connect{wire}});
            offer(fmt::format("{} {}", inferred.node->muted ? "Use" : "Connect to", id),
                  {std::move(batch)});
        }
        for (const char* type : {"Adam", "SGD"}) {
            const Position& at = graph_.node(problem_.node)->position;
            const Node node = make_node(graph_, type, {at.x + kStep, at.y});
            Batch batch{{{AddNode{node}}}};
            for (const std::string& loss : losses)
                batch.edits.push_back({Connect{{loss, "loss", node.id, "loss"}}});
            offer(fmt::format("Add {}", type), {std::move(batch)});
        }
    }

    void dataset() {
        offer("Use drawn digits instead",
              {Batch{{{SetParam{problem_.node, "path", std::string()}},
                      {SetParam{problem_.node, "source", std::string("digits")}}}}});
        offer("Use the two spirals instead",
              {Batch{{{SetParam{problem_.node, "path", std::string()}},
                      {SetParam{problem_.node, "source", std::string("spirals")}}}}});
    }

    void empty() { offer("Add a Dataset", {AddNode{make_node(graph_, "Dataset", {})}}); }

    const Graph& graph_;
    const Inference& inference_;
    const Problem& problem_;
    std::vector<Fix> fixes_;
};

} // namespace

std::vector<Fix> candidate_fixes(const Graph& graph, const Inference& inference,
                                 const Problem& problem) {
    const FlatPlace place = place_of(problem.node);
    if (place.groups.empty() && inference.flat.groups.empty())
        return Fixer(graph, inference, problem).candidates();
    // Where the problem is, groups are nodes like others, and the edit is for that sheet.
    const std::string id = sheet_at(graph, place.groups);
    const Graph sheet = graph.sheet(id);
    const Inference here = infer_sheet(sheet, place.groups, graph, inference);
    Problem local = problem;
    local.node = place.node;
    std::vector<Fix> fixes = Fixer(sheet, here, local).candidates();
    for (Fix& fix : fixes)
        fix.edit = on_sheet(id, std::move(fix.edit));
    return fixes;
}

} // namespace wiregrad::graph

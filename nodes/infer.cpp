#include "nodes/infer.h"

#include <fmt/core.h>

#include <filesystem>
#include <optional>
#include <unordered_map>

#include "engine/core/error.h"
#include "nodes/compile.h"

namespace wiregrad::graph {

namespace {

constexpr std::size_t kCacheEntries = 8192;

/// What building a node once told; depends on its type, parameters and inputs only.
struct Outcome {
    NodeFacts facts;
    std::string error, code, param;
};

std::string meta_key(const TensorMeta& meta) {
    std::string key(name_of(meta.dtype));
    for (std::int64_t size : meta.shape)
        key += fmt::format("x{}", size);
    return key;
}

std::string cache_key(const Inferred& node) {
    std::string key = node.type->id;
    for (const auto& [id, value] : node.node->params)
        key += '\x1f' + value_text(value);
    for (int count : node.counts)
        key += fmt::format("\x1e{}", count);
    for (const TensorMeta& meta : node.inputs)
        key += '\x1f' + meta_key(meta);
    return key;
}

Tensor shape_only(const TensorMeta& meta) {
    return Tensor::empty(meta.shape, meta.dtype, meta.device);
}

constexpr std::int64_t kStandIn = 999'983; ///< a batch size that nothing else in a sentence is

/// `text` with N for the batch size: `twin` is the same sentence for a batch of kStandIn. Where
/// they differ in more than that, `text` as it is.
std::string with_symbolic_batch(const std::string& text, const std::string& twin,
                                std::int64_t batch) {
    const std::string here = std::to_string(batch), there = std::to_string(kStandIn);
    std::string result;
    std::size_t i = 0, k = 0;
    while (i < text.size() || k < twin.size()) {
        if (twin.compare(k, there.size(), there) == 0 && text.compare(i, here.size(), here) == 0) {
            result += 'N';
            i += here.size();
            k += there.size();
        } else if (i < text.size() && k < twin.size() && text[i] == twin[k]) {
            result += text[i++];
            ++k;
        } else {
            return text;
        }
    }
    return result;
}

Outcome build_once(const Inferred& inferred, std::int64_t batch);

/// The refusal of `inferred` as it reads for any batch size.
std::string symbolic_error(const Inferred& inferred, const Outcome& outcome, std::int64_t batch) {
    Inferred twin = inferred;
    for (TensorMeta& meta : twin.inputs)
        if (!meta.shape.empty() && meta.shape[0] == batch) meta.shape[0] = kStandIn;
    const Outcome other = build_once(twin, kStandIn);
    return other.code == outcome.code ? with_symbolic_batch(outcome.error, other.error, batch)
                                      : outcome.error;
}

Outcome build_once(const Inferred& inferred, std::int64_t batch_size) {
    Outcome outcome;
    const BuildContext context{inferred.node->params, inferred.inputs, inferred.counts};
    try {
        const ShapeOnly scope;
        const std::shared_ptr<nn::Module> module = inferred.type->build(context);
        Tensors inputs;
        for (const TensorMeta& meta : inferred.inputs)
            inputs.push_back(shape_only(meta));
        nn::ForwardContext forward;
        forward.state.random = Tensor::empty({2}, DType::Int64);
        const CostMeter meter;
        const Tensors outputs = module->forward(inputs, forward);
        NodeFacts& facts = outcome.facts;
        const std::int64_t batch = inferred.inputs.empty() || inferred.inputs[0].shape.empty()
                                       ? 1
                                       : inferred.inputs[0].shape[0];
        facts.flops = meter.total().flops / static_cast<double>(std::max<std::int64_t>(batch, 1));
        for (const Tensor& output : outputs) {
            facts.outputs.push_back({output.shape(), output.dtype(), output.device()});
            facts.activation_bytes += static_cast<double>(output.nbytes());
        }
        for (const nn::NamedTensor& weight : module->parameters()) {
            facts.weights += weight.tensor.numel();
            facts.weight_shapes.emplace_back(weight.name, weight.tensor.shape());
        }
        facts.known = true;
        if (!facts.outputs.empty() && inferred.type->role != Role::Metric)
            facts.output_text = shape_text(facts.outputs[0].shape);
    } catch (const ShapeError& error) {
        outcome.error = error.text();
        outcome.code = "shape-mismatch";
    } catch (const DTypeError& error) {
        outcome.error = error.text();
        outcome.code = "dtype-mismatch";
    } catch (const ValueError& error) {
        outcome.error = error.text();
        outcome.code = "invalid-parameters";
    } catch (const Error& error) {
        outcome.error = error.text();
        outcome.code = "cannot-build";
    }
    if (!outcome.code.empty()) {
        outcome.facts = {};
        if (batch_size != kStandIn) outcome.error = symbolic_error(inferred, outcome, batch_size);
    }
    return outcome;
}

/// The wires that end at each node.
using WiresInto = std::unordered_map<std::string, std::vector<const Wire*>>;

WiresInto wires_into(const Graph& graph) {
    WiresInto into;
    for (const Wire& wire : graph.wires())
        into[wire.to].push_back(&wire);
    return into;
}

/// What `node` gets through `wires`, from nodes that come before it and are in `result` already:
/// its inputs, their sources and counts. True when all of them are known.
bool gather_inputs(Inferred& node, const std::vector<const Wire*>& wires, const Inference& result) {
    bool known = true;
    for (const PortSpec& port : node.type->inputs) {
        int count = 0;
        for (const Wire* wire : wires) {
            if (wire->to_port != port.id) continue;
            ++count;
            Source source{wire->from, 0, *wire};
            const Inferred* from = &result.nodes.at(wire->from);
            if (from->type && from->node->muted) {
                // A muted node hands on what its first input gets; its own sources skip muted
                // nodes already.
                const bool passes =
                    (from->type->role == Role::Layer || from->type->role == Role::Group) &&
                    !from->sources.empty();
                source.node = passes ? from->sources[0].node : std::string();
                source.output = passes ? from->sources[0].output : 0;
                from = source.node.empty() ? nullptr : &result.nodes.at(source.node);
            } else if (from->type) {
                const PortSpec* output = from->type->output(wire->from_port);
                source.output = static_cast<std::size_t>(output - from->type->outputs.data());
            }
            const bool shaped =
                from && from->facts.known && source.output < from->facts.outputs.size();
            node.inputs.push_back(shaped ? from->facts.outputs[source.output] : TensorMeta{});
            known = known && shaped;
            node.sources.push_back(std::move(source));
        }
        node.counts.push_back(count);
        known = known && (count > 0 || port.optional);
    }
    node.inputs_known = known;
    return known;
}

void describe_dataset(const Graph& graph, Inferred& inferred,
                      const std::vector<data::Field>* opened) {
    struct Described {
        std::vector<data::Field> fields;
        std::string error;
    };
    static thread_local std::unordered_map<std::string, Described> cache;
    if (opened) {
        inferred.fields = *opened;
    } else {
        const data::DatasetSpec spec = dataset_spec(graph, *inferred.node);
        if (spec.source == "auto" && spec.path.empty()) {
            inferred.error =
                "No file or folder is chosen: give a path, or choose a built-in source";
            inferred.code = "dataset";
            inferred.param = "path";
            return;
        }
        // A changed file is looked at again.
        std::string key;
        for (const auto& [id, value] : inferred.node->params)
            key += '\x1f' + value_text(value);
        if (!spec.path.empty()) {
            std::error_code code;
            const auto time = std::filesystem::last_write_time(spec.path, code);
            key += code ? "missing" : std::to_string(time.time_since_epoch().count());
        }
        auto found = cache.find(key);
        if (found == cache.end()) {
            Described described;
            try {
                described.fields = data::describe(spec);
            } catch (const Error& error) {
                described.error = error.what();
            }
            if (cache.size() > 256) cache.clear();
            found = cache.emplace(std::move(key), std::move(described)).first;
        }
        if (!found->second.error.empty()) {
            inferred.error = found->second.error;
            inferred.code = "dataset";
            inferred.param = spec.path.empty() ? "source" : "path";
            return;
        }
        inferred.fields = found->second.fields;
    }
    const std::int64_t batch = graph.training().batch_size;
    for (std::size_t i = 0; i < inferred.fields.size() && i < inferred.type->outputs.size(); ++i) {
        const data::Field& field = inferred.fields[i];
        Shape shape = field.shape;
        shape.insert(0, batch);
        inferred.facts.outputs.push_back({shape, field.dtype});
    }
    inferred.facts.known = !inferred.facts.outputs.empty();
    if (inferred.facts.known)
        inferred.facts.output_text = shape_text(inferred.facts.outputs[0].shape);
}

} // namespace

std::string shape_text(const Shape& shape) {
    if (shape.empty()) return "1 number";
    std::string text = "N";
    for (int i = 1; i < shape.size(); ++i)
        text += fmt::format(" × {}", shape[i]);
    return text;
}

std::int64_t stream_of(const std::string& id) {
    std::uint64_t hash = 14695981039346656037U;
    for (const char c : id)
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    return static_cast<std::int64_t>(hash & 0x7fffffffU);
}

Inference infer(const Graph& whole, const std::map<std::string, std::vector<data::Field>>& fields) {
    static thread_local std::unordered_map<std::string, Outcome> cache;
    Inference result;
    result.flat = flatten(whole);
    const Graph& graph = *result.flat.graph;
    result.order = graph.topological_order();
    WiresInto into = wires_into(graph);
    for (const std::string& id : result.order) {
        Inferred& inferred = result.nodes[id];
        inferred.node = graph.node(id);
        inferred.type = find_type(inferred.node->type);
        if (!inferred.type) continue;
        const NodeType& type = *inferred.type;
        const bool known = gather_inputs(inferred, into[id], result);
        if (inferred.node->muted) {
            if (type.role == Role::Layer && !inferred.sources.empty() &&
                !inferred.sources[0].node.empty()) {
                const NodeFacts& from = result.nodes.at(inferred.sources[0].node).facts;
                if (from.known && inferred.sources[0].output < from.outputs.size()) {
                    inferred.facts.outputs = {from.outputs[inferred.sources[0].output]};
                    inferred.facts.known = true;
                    inferred.facts.output_text = shape_text(inferred.facts.outputs[0].shape);
                }
            }
            continue;
        }
        for (const ParamSpec& spec : type.params)
            if (auto problem = check_value(spec, inferred.node->params.at(spec.id));
                !problem.empty()) {
                inferred.error = problem;
                inferred.code = "parameter-range";
                inferred.param = spec.id;
                break;
            }
        if (inferred.code.empty() && type.check)
            if (auto problem = type.check(inferred.node->params); !problem.empty()) {
                inferred.error = problem;
                inferred.code = "invalid-parameters";
            }
        if (!inferred.code.empty()) continue;
        if (type.role == Role::Dataset) {
            const auto opened = fields.find(id);
            describe_dataset(graph, inferred, opened == fields.end() ? nullptr : &opened->second);
        } else if (type.role == Role::Input) {
            Shape shape(std::get<std::vector<std::int64_t>>(inferred.node->params.at("shape")));
            shape.insert(0, graph.training().batch_size);
            inferred.facts.outputs = {{shape, DType::Float32}};
            inferred.facts.known = true;
            inferred.facts.output_text = shape_text(shape);
        } else if (type.build && known) {
            std::string key = cache_key(inferred);
            auto found = cache.find(key);
            if (found == cache.end()) {
                if (cache.size() > kCacheEntries) cache.clear();
                found =
                    cache.emplace(std::move(key), build_once(inferred, graph.training().batch_size))
                        .first;
            }
            inferred.facts = found->second.facts;
            inferred.error = found->second.error;
            inferred.code = found->second.code;
            if (!inferred.code.empty() && inferred.code != "invalid-parameters" &&
                !type.inputs.empty())
                inferred.port = type.inputs[0].id;
            // Repetitions that share weights must agree on their sizes.
            if (const auto shared = result.flat.shared.find(id);
                shared != result.flat.shared.end() && inferred.code.empty()) {
                const auto first = result.nodes.find(shared->second);
                if (first != result.nodes.end() && first->second.facts.known &&
                    first->second.facts.weight_shapes != inferred.facts.weight_shapes) {
                    inferred.error =
                        fmt::format("{} cannot use the weights of {}: its input has another size",
                                    id, shared->second);
                    inferred.code = "shared-weights";
                    inferred.facts = {};
                }
            }
        }
    }
    return result;
}

namespace {

/// The metas of an end, or nothing when its shape is not known.
std::optional<TensorMeta> meta_of(const Inference& inference, const FlatEnd& end) {
    const auto it = inference.nodes.find(end.node);
    if (it == inference.nodes.end() || !it->second.facts.known) return {};
    const Inferred& from = it->second;
    std::size_t index = 0;
    if (!from.node->muted && from.type) {
        const PortSpec* port = from.type->output(end.port);
        if (!port) return {};
        index = static_cast<std::size_t>(port - from.type->outputs.data());
    }
    if (index >= from.facts.outputs.size()) return {};
    return from.facts.outputs[index];
}

void add_outputs(NodeFacts& facts, const Inference& inference, const std::vector<FlatEnd>& ends) {
    facts.known = !ends.empty();
    for (const FlatEnd& end : ends) {
        const auto meta = meta_of(inference, end);
        facts.known = facts.known && meta.has_value();
        facts.outputs.push_back(meta.value_or(TensorMeta{}));
    }
    if (facts.known) facts.output_text = shape_text(facts.outputs[0].shape);
    if (!facts.known) facts.outputs.clear();
}

} // namespace

std::map<std::string, NodeFacts> facts_by_path(const Inference& inference) {
    std::map<std::string, NodeFacts> result;
    for (const auto& [id, inferred] : inference.nodes) {
        const bool shares = inference.flat.shared.contains(id);
        NodeFacts& own = result[id];
        own = inferred.facts;
        if (shares) own.weights = 0; // counted where they live
        if (inference.flat.groups.empty()) continue;
        // Every group around it adds it up; "block" and "block.0" alike.
        for (std::size_t dot = id.find('.'); dot != std::string::npos;
             dot = id.find('.', dot + 1)) {
            NodeFacts& group = result[id.substr(0, dot)];
            group.weights += own.weights;
            group.flops += own.flops;
            group.activation_bytes += own.activation_bytes;
        }
    }
    for (const auto& [path, ends] : inference.flat.groups)
        if (!inference.nodes.contains(path)) // a muted group has facts of its own
            add_outputs(result[path], inference, ends);
    for (const auto& [path, end] : inference.flat.ports)
        add_outputs(result[path], inference, {end});
    return result;
}

Inference infer_sheet(const Graph& sheet, const std::vector<std::string>& groups,
                      const Graph& whole, const Inference& inference) {
    const std::string prefix = flat_prefix(whole, groups);
    const auto facts = facts_by_path(inference);
    Inference result;
    result.flat.graph = std::shared_ptr<const Graph>(std::shared_ptr<const Graph>(), &sheet);
    result.order = sheet.topological_order();
    WiresInto into = wires_into(sheet);
    for (const std::string& id : result.order) {
        Inferred& own = result.nodes[id];
        own.node = sheet.node(id);
        own.type = sheet.type_of(id);
        if (const auto it = facts.find(prefix + id); it != facts.end()) own.facts = it->second;
        if (const auto it = inference.nodes.find(prefix + id);
            it != inference.nodes.end() && own.node->type != "Group") {
            own.error = it->second.error;
            own.code = it->second.code;
            own.port = it->second.port;
            own.param = it->second.param;
            own.fields = it->second.fields;
        }
        if (!own.type) continue;
        gather_inputs(own, into[id], result);
    }
    return result;
}

std::set<std::string> upstream(const Inference& inference, const std::vector<std::string>& roots) {
    std::set<std::string> seen;
    std::vector<std::string> open = roots;
    while (!open.empty()) {
        const std::string id = open.back();
        open.pop_back();
        if (!seen.insert(id).second) continue;
        for (const Source& source : inference.at(id).sources)
            if (!source.node.empty()) open.push_back(source.node);
    }
    return seen;
}

} // namespace wiregrad::graph

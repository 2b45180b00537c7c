// ONNX: the trace of the network as a model that its own checker accepts, and that is read back and
// executed again before it is handed out.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "nodes/export/certificate.h"
#include "nodes/export/export.h"
#include "nodes/export/names.h"
#include "nodes/export/onnx_ops.h"
#include "nodes/project.h"

namespace wiregrad::graph {

std::string OnnxBuilder::name(int value) const {
    return value < 0 ? std::string() : trace.values[static_cast<std::size_t>(value)].name;
}

std::string OnnxBuilder::weight(int value) {
    if (value < 0) return {};
    const TracedValue& traced = trace.values[static_cast<std::size_t>(value)];
    if (traced.kind == TracedValue::Kind::Constant) {
        bool open = false;
        for (const Size& size : traced.shape)
            open = open || !size.fixed();
        if (!open) return constant(traced.data);
        // Made in the size of the batch, as positions and zeros are: made again.
        const Tensor row = batch_row(traced);
        if (!row) throw ValueError("a constant has the size of the batch", scope);
        return node("Expand", {constant(row), sizes(traced.shape)});
    }
    if (traced.kind == TracedValue::Kind::Weight && !weights_[value]) {
        weights_[value] = true;
        model.initializers.push_back({traced.name, traced.data});
    }
    return traced.name;
}

std::string OnnxBuilder::node(const std::string& op, std::vector<std::string> inputs,
                              Attributes attributes) {
    const std::string name = fmt::format("{}/{}", scope, ++counts_[scope]);
    std::string path = name; // groups are scopes: "block/0/conv/1"
    std::replace(path.begin(), path.end(), '.', '/');
    model.nodes.push_back({op, path, {}, {}, std::move(inputs), {name}, std::move(attributes)});
    return name;
}

void OnnxBuilder::result(int target, const std::string& op, std::vector<std::string> inputs,
                         Attributes attributes) {
    node(op, std::move(inputs), std::move(attributes));
    model.nodes.back().outputs = {name(target)};
}

std::string OnnxBuilder::constant(const Tensor& value) {
    const Tensor whole = value.contiguous();
    std::string key = whole.shape().str() + std::string(name_of(whole.dtype()));
    key.append(static_cast<const char*>(whole.raw()), whole.nbytes());
    auto [place, fresh] = constants_.try_emplace(std::move(key));
    if (fresh) {
        place->second = fmt::format("constant/{}", constants_.size());
        model.initializers.push_back({place->second, whole});
    }
    return place->second;
}

std::string OnnxBuilder::integers(const std::vector<std::int64_t>& values) {
    return constant(Tensor::from(values, {static_cast<std::int64_t>(values.size())}));
}

std::string OnnxBuilder::number(double value, DType dtype) {
    return constant(Tensor::scalar(value, dtype));
}

std::string OnnxBuilder::batch() {
    if (batch_.empty()) {
        const std::string outer = std::exchange(scope, "batch");
        batch_ = node("Gather", {node("Shape", {name(trace.inputs.at(0))}), integers({0})},
                      {{"axis", std::int64_t{0}}});
        scope = outer;
    }
    return batch_;
}

std::string OnnxBuilder::sizes(const Sizes& sizes) {
    std::vector<std::string> parts;
    std::vector<std::int64_t> known;
    const auto flush = [&] {
        if (!known.empty()) parts.push_back(integers(known));
        known.clear();
    };
    for (const Size& size : sizes) {
        if (size.fixed()) {
            known.push_back(size.constant);
            continue;
        }
        flush();
        parts.push_back(size.batch == 1 ? batch() : node("Mul", {batch(), integers({size.batch})}));
    }
    flush();
    if (parts.empty()) return integers({});
    return parts.size() == 1 ? parts[0] : node("Concat", parts, {{"axis", std::int64_t{0}}});
}

namespace {

io::OnnxValue described(const std::string& name, const TracedValue& value) {
    io::OnnxValue result;
    result.name = name;
    result.dtype = value.dtype;
    for (const Size& size : value.shape)
        result.shape.emplace_back(size.fixed() ? size.constant : -1,
                                  size.batch == 1 ? "batch" : fmt::format("batch{}", size.batch));
    return result;
}

/// Inputs and outputs of the model in Wiregrad, for whoever checks the file later.
std::string golden_text(const Outline& outline, const Trace& traced,
                        const std::vector<nn::NamedTensor>& weights) {
    std::vector<Tensor> inputs;
    std::string classes;
    for (const Value& argument : outline.arguments) {
        const std::int64_t count = classes_of(outline, argument);
        inputs.push_back(sample_input(outline.argument(argument).meta, kCertifiedSamples, count));
        classes += fmt::format("{}{}", classes.empty() ? "" : ", ", count);
    }
    const std::map<Value, Tensor> values = run_layers(outline, weights, inputs);
    const auto row = [](const Tensor& value) {
        const Fingerprint print = fingerprint(value);
        return fmt::format("[{}, {:.10g}, {:.10g}]", print.size, print.norm, print.mix);
    };
    std::string outputs, layers;
    for (std::size_t i = 0; i < outline.results.size(); ++i)
        outputs += (i == 0 ? "" : ", ") + row(values.at(outline.results[i]));
    for (const Statement& layer : outline.layers) {
        const auto found = traced.node_outputs.find(layer.id);
        if (found == traced.node_outputs.end() || found->second.empty()) continue;
        const TracedValue& value = traced.values[static_cast<std::size_t>(found->second[0])];
        if (value.kind == TracedValue::Kind::Result)
            layers += fmt::format("{}[{}, {}]", layers.empty() ? "" : ", ", quoted(value.name),
                                  row(values.at({layer.id, 0})));
    }
    std::string hashes;
    for (const nn::NamedTensor& weight : weights)
        hashes +=
            fmt::format("{}[{}, {}]", hashes.empty() ? "" : ", ",
                        quoted(member_weight(outline, weight.name)), quoted(digest(weight.tensor)));
    return fmt::format("{{\"samples\": {}, \"classes\": [{}], \"outputs\": [{}], \"layers\": [{}], "
                       "\"weights\": [{}]}}",
                       kCertifiedSamples, classes, outputs, layers, hashes);
}

} // namespace

io::OnnxModel to_onnx(const Outline& outline, const std::vector<nn::NamedTensor>& given) {
    const std::vector<nn::NamedTensor> weights = weights_of(outline, given);
    const Trace traced = trace(outline, weights);
    OnnxBuilder builder(traced);
    for (const TracedOp& op : traced.ops) {
        builder.scope = outline.members.at(op.node);
        if (const OnnxRule rule = find_onnx_rule(op.op->name)) {
            rule(builder, op);
            continue;
        }
        // An operator of the same meaning: the row of the op table names it.
        if (op.op->onnx.empty() || !op.attrs.values().empty() || op.outputs.size() != 1)
            throw ValueError(fmt::format("the op {} has no ONNX form", op.op->name), op.node);
        std::vector<std::string> inputs;
        for (const int input : op.inputs)
            inputs.push_back(builder.weight(input));
        builder.result(op.outputs[0], std::string(op.op->onnx), inputs);
    }
    io::OnnxModel& model = builder.model;
    Names names;
    for (const int input : traced.inputs)
        model.inputs.push_back(described(builder.name(input), traced.values[std::size_t(input)]));
    for (std::size_t i = 0; i < traced.outputs.size(); ++i) {
        // The output has the node's own name, which no inner value has.
        std::string name = outline.members.at(outline.results[i].node);
        for (const int input : traced.inputs)
            if (builder.name(input) == name) name += "_out";
        name = names.claim(traced.output_names[i] == name ? name : traced.output_names[i]);
        builder.scope = "output";
        model.nodes.push_back({"Identity",
                               "output/" + name,
                               {},
                               {},
                               {builder.weight(traced.outputs[i])},
                               {name},
                               {}});
        model.outputs.push_back(described(name, traced.values[std::size_t(traced.outputs[i])]));
    }
    model.graph_name = identifier(outline.title).empty() ? "network" : identifier(outline.title);
    model.producer = "Wiregrad";
    model.doc = outline.graph.description();
    model.metadata = {{"title", outline.title},
                      {"wiregrad_graph_hash", graph_hash(outline.graph)},
                      {"wiregrad_certificate", golden_text(outline, traced, weights)}};
    std::string classes;
    for (const Argument& argument : outline.batch) {
        const auto& fields = outline.inference.at(argument.value.node).fields;
        if (argument.value.output == 1 && fields.size() > 1)
            for (const std::string& name : fields[1].class_names)
                classes += (classes.empty() ? "" : ", ") + quoted(name);
    }
    if (!classes.empty()) model.metadata.emplace_back("classes", "[" + classes + "]");
    return model;
}

std::vector<ExportFile> export_onnx(const Graph& graph, const ExportOptions& options) {
    const Outline outline(graph);
    return {{options.path, io::encode_onnx(to_onnx(outline, options.weights)), "model"}};
}

} // namespace wiregrad::graph

#include "nodes/export/trace.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_map>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/core/tensor_body.h"
#include "engine/op/ops.h"
#include "nodes/compile.h"
#include "nodes/export/names.h"

namespace wiregrad::graph {

namespace {

struct Called {
    const Op* op;
    Attrs attrs;
    Tensors inputs, outputs;
    std::string node;
};

class Recorder final : public Interpreter {
  public:
    Tensors run(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs) override {
        Tensors outputs = below(op, inputs, attrs);
        calls.push_back({&op, attrs, {inputs.begin(), inputs.end()}, outputs, node});
        return outputs;
    }
    std::string node;
    std::vector<Called> calls;
};

/// Layers with their weights, built once, run as often as wanted.
class Layers {
  public:
    Layers(const Outline& outline, const std::vector<nn::NamedTensor>& weights,
           bool training = false)
        : statements_(outline.layers), arguments_(outline.arguments), training_(training) {
        if (training) {
            statements_.insert(statements_.end(), outline.losses.begin(), outline.losses.end());
            arguments_ = outline.batch_values(statements_);
        }
        std::map<std::string, const Tensor*> by_name;
        for (const nn::NamedTensor& weight : weights)
            by_name[weight.name] = &weight.tensor;
        for (const Statement& layer : statements_) {
            const auto shared = outline.inference.flat.shared.find(layer.id);
            if (shared != outline.inference.flat.shared.end()) {
                const auto first =
                    std::find_if(statements_.begin(), statements_.end(),
                                 [&](const Statement& s) { return s.id == shared->second; });
                modules_.push_back(
                    modules_.at(static_cast<std::size_t>(first - statements_.begin())));
                continue;
            }
            const auto module = layer.node->type->build(outline.context(layer));
            std::vector<nn::NamedTensor> own;
            for (const nn::NamedTensor& weight : module->state())
                if (const auto found = by_name.find(layer.id + "." + weight.name);
                    found != by_name.end())
                    own.push_back({weight.name, *found->second});
            module->load(own);
            modules_.push_back(module);
        }
    }

    std::map<Value, Tensor> run(const std::vector<Tensor>& inputs,
                                const std::function<void(const std::string&)>& entering) const {
        const autograd::NoGrad scope;
        nn::ForwardContext context;
        context.training = training_;
        context.state.random = Tensor::zeros({2}, DType::Int64);
        std::map<Value, Tensor> values;
        for (std::size_t i = 0; i < arguments_.size(); ++i)
            values[arguments_[i]] = inputs.at(i);
        for (std::size_t i = 0; i < modules_.size(); ++i) {
            const Statement& layer = statements_[i];
            if (entering) entering(layer.id);
            Tensors arguments;
            for (const Value& value : layer.inputs)
                arguments.push_back(values.at(value));
            try {
                const Tensors results = modules_[i]->forward(arguments, context);
                for (std::size_t k = 0; k < results.size(); ++k)
                    values[{layer.id, k}] = results[k];
            } catch (const Error& error) {
                throw ValueError(error.text(), layer.id);
            }
        }
        return values;
    }

    const std::vector<std::shared_ptr<nn::Module>>& modules() const { return modules_; }
    const std::vector<Statement>& statements() const { return statements_; }
    const std::vector<Value>& arguments() const { return arguments_; }

  private:
    std::vector<Statement> statements_;
    std::vector<Value> arguments_;
    bool training_;
    std::vector<std::shared_ptr<nn::Module>> modules_;
};

constexpr std::int64_t kFirstBatch = 2, kSecondBatch = 3;

struct Recorded {
    std::vector<Called> calls;
    std::vector<Tensor> inputs;
    std::map<Value, Tensor> values;
};

Recorded record(const Outline& outline, const Layers& layers, std::int64_t batch) {
    Recorded result;
    for (const Value& argument : layers.arguments())
        result.inputs.push_back(
            sample_input(outline.argument(argument).meta, batch, classes_of(outline, argument)));
    Recorder recorder;
    const PushInterpreter scope(recorder);
    result.values =
        layers.run(result.inputs, [&](const std::string& node) { recorder.node = node; });
    result.calls = std::move(recorder.calls);
    return result;
}

/// Combines what was seen with two batches.
Size size_of_two(std::int64_t first, std::int64_t second, const std::string& node,
                 const char* what) {
    if (first == second) return {first, 0};
    const std::int64_t slope = (second - first) / (kSecondBatch - kFirstBatch);
    const std::int64_t rest = first - slope * kFirstBatch;
    if (rest != 0)
        throw ValueError(
            fmt::format("its {} depends on the batch's size in a way that cannot be exported ({} "
                        "for {} samples, {} for {})",
                        what, first, kFirstBatch, second, kSecondBatch),
            node);
    return {0, slope};
}

Sizes sizes_of_two(const Dims& first, const Dims& second, const std::string& node,
                   const char* what) {
    Sizes result;
    for (int i = 0; i < first.size(); ++i)
        result.push_back(size_of_two(first[i], i < second.size() ? second[i] : -1, node, what));
    return result;
}

} // namespace

std::int64_t classes_of(const Outline& outline, const Value& argument) {
    const TensorMeta& meta = outline.argument(argument).meta;
    if (is_floating(meta.dtype)) return 0;
    const auto& fields = outline.inference.at(argument.node).fields;
    const std::int64_t known =
        argument.output < fields.size() ? fields[argument.output].classes : 0;
    return known > 0 ? known : 2;
}

Tensor batch_row(const TracedValue& constant) {
    Tensor row = constant.data.detach();
    for (std::size_t d = 0; d < constant.shape.size(); ++d)
        if (!constant.shape[d].fixed()) row = slice(row, static_cast<std::int64_t>(d), 0, 1);
    row = row.contiguous();
    if (expand(row, constant.data.shape()).contiguous().to_vector() != constant.data.to_vector())
        return {};
    return row;
}

Tensor sample_input(const TensorMeta& meta, std::int64_t batch, std::int64_t classes) {
    Shape shape = meta.shape;
    if (!shape.empty()) shape[0] = batch;
    const std::int64_t count = numel(shape);
    if (classes > 0) {
        std::vector<std::int64_t> values;
        for (std::int64_t i = 0; i < count; ++i)
            values.push_back((i * 7919 + 3) % classes);
        return to(Tensor::from(values, shape), meta.dtype);
    }
    std::vector<float> values;
    for (std::int64_t i = 0; i < count; ++i)
        values.push_back(static_cast<float>(std::sin(0.7 * static_cast<double>(i) + 0.3) +
                                            0.25 * static_cast<double>(i % 7 - 3)));
    return to(Tensor::from(values, shape), meta.dtype);
}

std::vector<nn::NamedTensor> weights_of(const Outline& outline,
                                        const std::vector<nn::NamedTensor>& given) {
    const auto model = compile_model(outline.graph);
    if (!given.empty()) model->module().load(given);
    std::vector<nn::NamedTensor> result;
    for (const nn::NamedTensor& weight : model->module().state())
        result.push_back({weight.name, weight.tensor.detach().clone()});
    return result;
}

std::map<Value, Tensor> run_layers(const Outline& outline,
                                   const std::vector<nn::NamedTensor>& weights,
                                   const std::vector<Tensor>& inputs) {
    return Layers(outline, weights).run(inputs, {});
}

Trace trace(const Outline& outline, const std::vector<nn::NamedTensor>& weights, bool training) {
    const Layers layers(outline, weights, training);
    const Recorded first = record(outline, layers, kFirstBatch);
    const Recorded second = record(outline, layers, kSecondBatch);
    if (first.calls.size() != second.calls.size())
        throw ValueError("the network computes something else for another size of the batch");

    Trace result;
    std::unordered_map<const TensorBody*, int> known;
    Names names;
    std::map<std::string, int> count;
    const auto add = [&](const Tensor& a, const Tensor& b, TracedValue::Kind kind,
                         const std::string& name, const std::string& node) {
        TracedValue value;
        value.kind = kind;
        value.name = names.claim(name);
        value.dtype = a.dtype();
        value.shape = sizes_of_two(a.shape(), b.shape(), node, "shape");
        if (kind != TracedValue::Kind::Input && kind != TracedValue::Kind::Result) value.data = a;
        known[a.body().get()] = static_cast<int>(result.values.size());
        result.values.push_back(std::move(value));
        return static_cast<int>(result.values.size()) - 1;
    };
    for (std::size_t i = 0; i < first.inputs.size(); ++i)
        result.inputs.push_back(add(first.inputs[i], second.inputs[i], TracedValue::Kind::Input,
                                    outline.argument(layers.arguments()[i]).name, {}));
    for (std::size_t i = 0; i < layers.statements().size(); ++i)
        for (const nn::NamedTensor& weight : layers.statements()[i].shared
                                                 ? std::vector<nn::NamedTensor>{}
                                                 : layers.modules()[i]->state())
            add(weight.tensor, weight.tensor, TracedValue::Kind::Weight,
                layers.statements()[i].member + "." + weight.name, layers.statements()[i].id);

    // Values that the tape hands out are other handles of the same body, so bodies identify them.
    for (std::size_t i = 0; i < first.calls.size(); ++i) {
        const Called &a = first.calls[i], &b = second.calls[i];
        const std::string& node = a.node;
        const std::string member = outline.members.at(node);
        if (a.op != b.op || a.inputs.size() != b.inputs.size())
            throw ValueError("it computes something else for another size of the batch", node);
        // A copy into a tensor of its own is the same value under another handle.
        if (a.op->name == "copy_" && a.inputs[0].dtype() == a.inputs[1].dtype() &&
            a.inputs[0].shape() == a.inputs[1].shape() && a.inputs[0].is_contiguous() &&
            a.inputs[0].storage_offset() == 0) {
            const auto from = known.find(a.inputs[1].body().get());
            const int place = from != known.end()
                                  ? from->second
                                  : add(a.inputs[1], b.inputs[1], TracedValue::Kind::Constant,
                                        member + ".constant", node);
            known[a.inputs[0].body().get()] = place;
            for (const Tensor& output : a.outputs)
                known[output.body().get()] = place;
            continue;
        }
        TracedOp op;
        op.op = a.op;
        op.attrs = a.attrs;
        op.node = node;
        for (std::size_t k = 0; k < a.attrs.values().size(); ++k) {
            const auto& [name, value] = a.attrs.values()[k];
            const AttrValue& other = b.attrs.values()[k].second;
            if (const auto* dims = std::get_if<Dims>(&value))
                op.dims[name] = sizes_of_two(*dims, std::get<Dims>(other), node, name);
            if (const auto* number = std::get_if<std::int64_t>(&value))
                op.integers[name] = size_of_two(*number, std::get<std::int64_t>(other), node, name);
        }
        for (std::size_t k = 0; k < a.inputs.size(); ++k) {
            if (!a.inputs[k].defined()) {
                op.inputs.push_back(-1);
                continue;
            }
            const auto found = known.find(a.inputs[k].body().get());
            op.inputs.push_back(found != known.end()
                                    ? found->second
                                    : add(a.inputs[k], b.inputs[k], TracedValue::Kind::Constant,
                                          member + ".constant", node));
        }
        for (std::size_t k = 0; k < a.outputs.size(); ++k) {
            const int number = ++count[member];
            op.outputs.push_back(add(a.outputs[k], b.outputs[k], TracedValue::Kind::Result,
                                     fmt::format("{}.{}", member, number), node));
        }
        result.ops.push_back(std::move(op));
    }
    for (const Statement& layer : layers.statements())
        for (std::size_t k = 0; k < layer.outputs; ++k)
            if (const auto found = first.values.find({layer.id, k}); found != first.values.end())
                if (const auto place = known.find(found->second.body().get());
                    place != known.end()) {
                    result.node_outputs[layer.id].push_back(place->second);
                    result.places[{layer.id, k}] = place->second;
                }
    for (std::size_t i = 0; i < result.inputs.size(); ++i)
        result.places[layers.arguments()[i]] = result.inputs[i];
    for (const Value& value : outline.results) {
        const auto found = known.find(first.values.at(value).body().get());
        if (found == known.end())
            throw ValueError("its value cannot be followed to the input", value.node);
        result.outputs.push_back(found->second);
        const std::string& member = outline.members.at(value.node);
        result.output_names.push_back(
            value.output == 0
                ? member
                : member + "_" + outline.inference.at(value.node).type->outputs[value.output].id);
    }
    return result;
}

} // namespace wiregrad::graph

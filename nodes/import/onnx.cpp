#include "nodes/import/onnx.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <set>

#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "nodes/edit.h"
#include "nodes/export/names.h"
#include "nodes/import/expression.h"
#include "nodes/import/scopes.h"
#include "nodes/infer.h"

namespace wiregrad::graph {

namespace {

using Ints = std::vector<std::int64_t>;
using io::OnnxNode;

/// What stops one operator; caught per operator, so that all of them are named.
struct Unsupported {
    std::string reason;
};
[[noreturn]] void refuse(const std::string& reason) {
    throw Unsupported{reason};
}

Ints ints_of(const Tensor& tensor) {
    Ints result;
    for (const double value : tensor.to_vector())
        result.push_back(static_cast<std::int64_t>(value));
    return result;
}

/// "/features/0/Conv" -> "features_0"; "conv1/2" -> "conv1".
std::string scope_name(const std::string& name) {
    const std::size_t slash = name.rfind('/');
    if (slash == std::string::npos) return identifier(name);
    return identifier(name.substr(0, slash));
}

class Importer {
  public:
    explicit Importer(const io::OnnxModel& model) : model_(model), expressions_(model) {
        for (const nn::NamedTensor& tensor : model.initializers)
            constants_[tensor.name] = tensor.tensor;
        for (const OnnxNode& node : model.nodes)
            for (const std::string& input : node.inputs)
                ++uses_[input];
        for (const io::OnnxValue& output : model.outputs)
            ++uses_[output.name];
    }

    ImportedModel run() {
        find_needed();
        for (const io::OnnxValue& input : model_.inputs)
            if (needed_.contains(input.name)) add_input(input);
        for (const OnnxNode& node : model_.nodes) {
            const bool wanted =
                std::any_of(node.outputs.begin(), node.outputs.end(),
                            [&](const std::string& output) { return needed_.contains(output); });
            if (!wanted) continue;
            try {
                add(node);
            } catch (const Unsupported& error) {
                problem(node, error.reason);
            } catch (const Error& error) {
                problem(node, error.text());
            }
        }
        if (!problems_.empty()) {
            std::string text;
            for (const std::string& each : problems_)
                text += (text.empty() ? "" : "; ") + each;
            throw ValueError("the model cannot be taken over: " + text);
        }
        for (const io::OnnxValue& output : model_.outputs)
            if (const auto found = wires_.find(output.name); found != wires_.end())
                result_.outputs.push_back(found->second);
        result_.values = wires_;
        apply(result_.graph, {SetTitle{title(), model_.doc}});
        apply(result_.graph, layout_edit(result_.graph, {}, {}));
        return std::move(result_);
    }

  private:
    std::string title() const {
        for (const auto& [key, value] : model_.metadata)
            if (key == "title") return value;
        return model_.graph_name;
    }

    void problem(const OnnxNode& node, const std::string& reason) {
        if (problems_.size() >= 20) return;
        problems_.push_back(node.op + (node.name.empty() ? "" : " \"" + node.name + "\"") + ": " +
                            reason);
    }

    /// From the outputs back; what only an activation's spelling needs is left out.
    void find_needed() {
        std::map<std::string, const OnnxNode*> makers;
        for (const OnnxNode& node : model_.nodes)
            for (const std::string& output : node.outputs)
                makers[output] = &node;
        std::vector<std::string> open;
        for (const io::OnnxValue& output : model_.outputs)
            open.push_back(output.name);
        while (!open.empty()) {
            const std::string value = open.back();
            open.pop_back();
            if (value.empty() || !needed_.insert(value).second) continue;
            const auto maker = makers.find(value);
            if (maker == makers.end()) continue;
            if (auto spelled = expressions_.find(value)) {
                open.push_back(spelled->input);
                spelled_[value] = std::move(*spelled);
                continue;
            }
            for (const std::string& input : maker->second->inputs)
                open.push_back(input);
        }
    }

    void add_input(const io::OnnxValue& input) {
        if (input.dtype != DType::Float32)
            return problems_.push_back(
                fmt::format("the input \"{}\" is {}; an Input node gives real numbers (float32)",
                            input.name, name_of(input.dtype)));
        if (!input.shaped || input.shape.size() < 2)
            return problems_.push_back(
                fmt::format("the input \"{}\" has no size of a sample", input.name));
        Ints shape;
        for (std::size_t i = 1; i < input.shape.size(); ++i) {
            if (input.shape[i].first < 1)
                return problems_.push_back(fmt::format(
                    "the input \"{}\" has an open size other than the batch", input.name));
            shape.push_back(input.shape[i].first);
        }
        Node node = make_node(result_.graph, "Input", {});
        node.params["shape"] = shape;
        place(std::move(node), identifier(input.name), {});
        result_.scopes[last_] = {};
        wires_[input.name] = {last_, "x"};
    }

    /// Adds `node` under `wish` as its id where that is free.
    void place(Node node, const std::string& wish, const std::vector<std::string>& inputs) {
        const bool usable = !wish.empty() && !result_.graph.node(wish) && wish.size() < 60 &&
                            wish[0] >= 'a' && wish[0] <= 'z';
        if (usable) node.id = wish;
        last_ = node.id;
        const NodeType& type = *find_type(node.type);
        for (const auto& [id, value] : node.params)
            if (const ParamSpec* spec = type.param(id))
                if (const std::string wrong = check_value(*spec, value); !wrong.empty())
                    refuse(wrong);
        std::vector<std::pair<std::string, std::string>> sources;
        for (const std::string& input : inputs)
            sources.push_back(wire(input));
        apply(result_.graph, {AddNode{std::move(node)}});
        for (std::size_t i = 0; i < sources.size(); ++i) {
            const PortSpec& port = type.inputs[std::min(i, type.inputs.size() - 1)];
            apply(result_.graph, {Connect{{sources[i].first, sources[i].second, last_, port.id}}});
        }
    }

    std::pair<std::string, std::string> wire(const std::string& value) const {
        const auto found = wires_.find(value);
        if (found == wires_.end())
            refuse(constants_.contains(value)
                       ? "a constant comes where Wiregrad needs a wire"
                       : fmt::format("its input \"{}\" could not be taken over", value));
        return found->second;
    }

    const Tensor* constant(const OnnxNode& node, std::size_t i) const {
        if (i >= node.inputs.size()) return nullptr;
        const auto found = constants_.find(node.inputs[i]);
        return found == constants_.end() ? nullptr : &found->second;
    }
    const Tensor& need_constant(const OnnxNode& node, std::size_t i, const char* what) const {
        const Tensor* tensor = constant(node, i);
        if (!tensor) refuse(fmt::format("its {} is not a constant", what));
        return *tensor;
    }

    Shape shape_of(const std::string& value) const {
        const auto [node, port] = wire(value);
        const Inference inference = infer(result_.graph);
        const Inferred& inferred = inference.at(node);
        if (!inferred.facts.known)
            refuse(inferred.error.empty() ? "the size of its input is not known" : inferred.error);
        for (std::size_t i = 0; i < inferred.type->outputs.size(); ++i)
            if (inferred.type->outputs[i].id == port) return inferred.facts.outputs[i].shape;
        refuse("the size of its input is not known");
    }

    /// A node of `type` for `node`, its first output wired.
    void layer(const OnnxNode& node, const std::string& type, Params params,
               const std::vector<std::string>& inputs,
               std::vector<std::pair<std::string, Tensor>> weights = {}) {
        if (!find_type(type)) refuse(fmt::format("there is no node type {}", type));
        Node made = make_node(result_.graph, type, {});
        for (auto& [id, value] : params)
            made.params[id] = std::move(value);
        place(std::move(made), scope_name(node.name), inputs);
        result_.scopes[last_] = scopes_of(node.name);
        for (auto& [name, tensor] : weights)
            result_.weights.push_back({last_ + "." + name, tensor.contiguous()});
        wires_[node.outputs.at(0)] = {last_, find_type(type)->outputs[0].id};
        made_by_[node.outputs[0]] = last_;
    }

    void only_first_output(const OnnxNode& node) const {
        for (std::size_t i = 1; i < node.outputs.size(); ++i)
            if (needed_.contains(node.outputs[i])) refuse("its second output is used");
    }

    /// Padding of both ends as one number a direction.
    static Ints symmetric(const OnnxNode& node, std::size_t directions) {
        if (const auto* mode = node.attribute("auto_pad"))
            if (const auto* text = std::get_if<std::string>(mode);
                text && *text != "NOTSET" && *text != "VALID" && !text->empty())
                refuse(fmt::format("auto_pad {}", *text));
        Ints pads = node.integers("pads");
        if (pads.empty()) pads.assign(2 * directions, 0);
        if (pads.size() != 2 * directions) refuse("its pads are broken");
        for (std::size_t i = 0; i < directions; ++i)
            if (pads[i] != pads[i + directions])
                refuse("its padding is not the same on both sides");
        pads.resize(directions);
        return pads;
    }
    static Ints or_ones(Ints values, std::size_t count) {
        if (values.empty()) values.assign(count, 1);
        if (values.size() != count) refuse("an attribute has the wrong length");
        return values;
    }

    // --- operators, family by family; true when it was one of them

    bool fold_constant(const OnnxNode& node) {
        const auto give = [&](Tensor value) {
            constants_[node.outputs.at(0)] = std::move(value);
            return true;
        };
        if (node.op == "Constant") {
            const auto* value = node.attribute("value");
            const auto* tensor = value ? std::get_if<Tensor>(value) : nullptr;
            if (tensor) return give(*tensor);
            if (node.attribute("value_float"))
                return give(Tensor::scalar(node.real("value_float", 0)));
            if (node.attribute("value_int"))
                return give(Tensor::scalar(double(node.integer("value_int", 0)), DType::Int64));
            if (const Ints list = node.integers("value_ints"); !list.empty())
                return give(Tensor::from(list, {static_cast<std::int64_t>(list.size())}));
            refuse("this kind of constant is not read");
        }
        if (node.op == "Shape") {
            Shape shape = shape_of(node.inputs.at(0));
            shape[0] = -1; // the batch: whatever it is
            Ints sizes(shape.begin(), shape.end());
            return give(Tensor::from(sizes, {shape.size()}));
        }
        std::vector<Tensor> all;
        for (const std::string& input : node.inputs) {
            const auto found = constants_.find(input);
            if (found == constants_.end()) return false;
            all.push_back(found->second);
        }
        if (all.empty()) return false;
        if (node.op == "Identity" || node.op == "Cast") return give(all[0]);
        if (node.op == "Transpose") {
            Ints perm = node.integers("perm");
            if (perm.empty())
                for (int d = all[0].dim(); d-- > 0;)
                    perm.push_back(d);
            return give(permute(all[0], Dims(perm)).clone());
        }
        if (node.op == "Unsqueeze" || node.op == "Squeeze" || node.op == "Reshape") {
            Shape shape;
            if (node.op == "Reshape")
                shape = Shape(ints_of(all.at(1)));
            else if (node.op == "Unsqueeze" && all[0].numel() == 1)
                shape = {1};
            else if (node.op == "Squeeze" && all[0].numel() == 1)
                shape = {};
            else
                return false;
            return give(reshape(all[0], shape).clone());
        }
        if (node.op == "Concat") return give(cat(all, node.integer("axis", 0)));
        if (node.op == "Gather" && all[0].dim() == 1 && all.at(1).numel() == 1) {
            std::int64_t index = static_cast<std::int64_t>(all[1].item());
            if (index < 0) index += all[0].numel();
            if (index < 0 || index >= all[0].numel()) refuse("its index is out of range");
            const Tensor picked = slice(all[0], 0, index, index + 1).clone();
            return give(all[1].dim() == 0 ? reshape(picked, {}).clone() : picked);
        }
        return false;
    }

    bool weighted(const OnnxNode& node) {
        const std::string& op = node.op;
        if (op == "Conv" || op == "ConvTranspose") {
            const Tensor& weight = need_constant(node, 1, "weight");
            const Tensor* bias = constant(node, 2);
            if (node.inputs.size() > 2 && !node.inputs[2].empty() && !bias)
                refuse("its bias is not a constant");
            if (weight.dim() < 3) refuse("its weight has too few dimensions");
            const std::size_t directions = static_cast<std::size_t>(weight.dim()) - 2;
            Ints kernel;
            for (int d = 2; d < weight.dim(); ++d)
                kernel.push_back(weight.size(d));
            const std::int64_t groups = node.integer("group", 1);
            const bool turned = op == "ConvTranspose";
            Params params{{"out_channels", turned ? weight.size(1) * groups : weight.size(0)},
                          {"kernel_size", kernel},
                          {"stride", or_ones(node.integers("strides"), directions)},
                          {"padding", symmetric(node, directions)},
                          {"dilation", or_ones(node.integers("dilations"), directions)},
                          {"groups", groups},
                          {"bias", bias != nullptr}};
            if (turned) {
                Ints extra = node.integers("output_padding");
                if (extra.empty()) extra.assign(directions, 0);
                params["output_padding"] = extra;
                if (!node.integers("output_shape").empty()) refuse("it has an output_shape");
            }
            std::vector<std::pair<std::string, Tensor>> weights{{"weight", weight}};
            if (bias) weights.emplace_back("bias", *bias);
            layer(node, fmt::format("{}{}d", op, directions), params, {node.inputs[0]}, weights);
            return true;
        }
        if (op == "Gemm") {
            const Tensor& weight = need_constant(node, 1, "weight");
            const Tensor* bias = constant(node, 2);
            if (node.real("alpha", 1) != 1 || (bias && node.real("beta", 1) != 1) ||
                node.integer("transA", 0) != 0)
                refuse("alpha, beta or transA are set");
            if (node.inputs.size() > 2 && !node.inputs[2].empty() && !bias)
                refuse("its bias is not a constant");
            linear(node, node.inputs[0],
                   node.integer("transB", 0) ? weight : transpose(weight, 0, 1).clone(),
                   bias ? reshape(*bias, {bias->numel()}).clone() : Tensor());
            return true;
        }
        if (op == "MatMul") {
            if (const Tensor* weight = constant(node, 1); weight && weight->dim() == 2)
                linear(node, node.inputs[0], transpose(*weight, 0, 1).clone(), {});
            else
                layer(node, "MatMul", {}, node.inputs);
            return true;
        }
        if (op == "BatchNormalization") {
            only_first_output(node);
            if (node.integer("training_mode", 0)) refuse("it is in training mode");
            const int rank = shape_of(node.inputs.at(0)).size();
            layer(node,
                  rank <= 3   ? "BatchNorm1d"
                  : rank == 4 ? "BatchNorm2d"
                              : "BatchNorm3d",
                  {{"eps", node.real("epsilon", 1e-5)},
                   {"momentum", 1 - node.real("momentum", 0.9)},
                   {"affine", true},
                   {"track_running_stats", true}},
                  {node.inputs[0]},
                  {{"weight", need_constant(node, 1, "scale")},
                   {"bias", need_constant(node, 2, "shift")},
                   {"running_mean", need_constant(node, 3, "mean")},
                   {"running_var", need_constant(node, 4, "variance")}});
            return true;
        }
        if (op == "LayerNormalization") {
            only_first_output(node);
            const Tensor& scale = need_constant(node, 1, "scale");
            const Tensor* shift = constant(node, 2);
            const std::int64_t axis = node.integer("axis", -1);
            const std::int64_t dims = axis < 0 ? -axis : shape_of(node.inputs.at(0)).size() - axis;
            layer(
                node, "LayerNorm",
                {{"dims", dims}, {"eps", node.real("epsilon", 1e-5)}, {"elementwise_affine", true}},
                {node.inputs[0]},
                {{"weight", scale}, {"bias", shift ? *shift : zeros_like(scale)}});
            return true;
        }
        if (op == "Gather") {
            const Tensor& table = need_constant(node, 0, "table");
            if (table.dim() != 2 || node.integer("axis", 0) != 0)
                refuse("it picks from something else than a table of rows");
            layer(node, "Embedding",
                  {{"num_embeddings", table.size(0)}, {"embedding_dim", table.size(1)}},
                  {node.inputs.at(1)}, {{"weight", table}});
            return true;
        }
        return false;
    }

    void linear(const OnnxNode& node, const std::string& input, const Tensor& weight,
                const Tensor& bias) {
        std::vector<std::pair<std::string, Tensor>> weights{{"weight", weight}};
        if (bias.defined()) weights.emplace_back("bias", bias);
        layer(node, "Linear", {{"out_features", weight.size(0)}, {"bias", bias.defined()}}, {input},
              weights);
    }

    /// x @ W, then + b: the bias of the Linear that was made of the product.
    bool late_bias(const OnnxNode& node) {
        if (node.op != "Add" || node.inputs.size() != 2) return false;
        for (std::size_t i = 0; i < 2; ++i) {
            const Tensor* bias = constant(node, i);
            const std::string& product = node.inputs[1 - i];
            const auto made = made_by_.find(product);
            if (!bias || made == made_by_.end() || uses_[product] != 1 || bias->dim() != 1)
                continue;
            const Node& linear = *result_.graph.node(made->second);
            if (linear.type != "Linear" || std::get<bool>(linear.params.at("bias")) ||
                std::get<std::int64_t>(linear.params.at("out_features")) != bias->numel())
                continue;
            apply(result_.graph, {SetParam{linear.id, "bias", true}});
            result_.weights.push_back({made->second + ".bias", bias->contiguous()});
            wires_[node.outputs[0]] = {made->second, "out"};
            made_by_[node.outputs[0]] = made->second;
            return true;
        }
        return false;
    }

    bool pooling(const OnnxNode& node) {
        if (node.op == "GlobalAveragePool") {
            layer(node, "AdaptiveAvgPool2d", {{"output_size", Ints{1, 1}}}, node.inputs);
            return true;
        }
        if (node.op != "MaxPool" && node.op != "AveragePool") return false;
        only_first_output(node);
        const Ints kernel = node.integers("kernel_shape");
        Params params{{"kernel_size", kernel},
                      {"stride", or_ones(node.integers("strides"), kernel.size())},
                      {"padding", symmetric(node, kernel.size())},
                      {"ceil_mode", node.integer("ceil_mode", 0) != 0}};
        if (node.op == "MaxPool") {
            params["dilation"] = or_ones(node.integers("dilations"), kernel.size());
            layer(node, fmt::format("MaxPool{}d", kernel.size()), params, node.inputs);
        } else {
            params["count_include_pad"] = node.integer("count_include_pad", 0) != 0;
            layer(node, fmt::format("AvgPool{}d", kernel.size()), params, node.inputs);
        }
        return true;
    }

    bool shaping(const OnnxNode& node) {
        const std::string& op = node.op;
        if (op == "Flatten") {
            if (node.integer("axis", 1) != 1) refuse("it flattens from another axis than 1");
            layer(node, "Flatten", {}, node.inputs);
        } else if (op == "Reshape") {
            Ints shape = ints_of(need_constant(node, 1, "shape"));
            const Shape from = shape_of(node.inputs[0]);
            if (shape.empty()) refuse("it makes a single number");
            for (std::size_t i = 0; i < shape.size(); ++i)
                if (shape[i] == 0 && static_cast<int>(i) < from.size())
                    shape[i] = i == 0 ? -1 : from[static_cast<int>(i)];
            // The batch stays in front; its size may be written as -1, 0 or a number.
            std::int64_t inner = 1;
            bool open = false;
            for (std::size_t i = 1; i < shape.size(); ++i) {
                open = open || shape[i] < 0;
                inner *= shape[i] < 0 ? 1 : shape[i];
            }
            std::int64_t sample = 1;
            for (int i = 1; i < from.size(); ++i)
                sample *= from[i];
            if (!open && inner != sample) refuse("it changes the size of the batch");
            shape.erase(shape.begin());
            if (shape.size() == 1)
                layer(node, "Flatten", {}, {node.inputs[0]});
            else
                layer(node, "Reshape", {{"shape", shape}}, {node.inputs[0]});
        } else if (op == "Squeeze" || op == "Unsqueeze") {
            const Shape from = shape_of(node.inputs[0]);
            Ints axes = node.integers("axes");
            if (axes.empty() && node.inputs.size() > 1)
                axes = ints_of(need_constant(node, 1, "axes"));
            Ints shape(from.begin(), from.end());
            const auto rank = static_cast<std::int64_t>(
                op == "Unsqueeze" ? shape.size() + axes.size() : shape.size());
            for (std::int64_t& axis : axes)
                if (axis < 0) axis += rank;
            std::sort(axes.begin(), axes.end());
            if (axes.empty() || axes[0] < 1 || axes.back() >= rank) refuse("it moves the batch");
            if (op == "Unsqueeze")
                for (const std::int64_t axis : axes)
                    shape.insert(shape.begin() + axis, 1);
            else
                for (std::size_t i = axes.size(); i-- > 0;)
                    shape.erase(shape.begin() + axes[i]);
            shape.erase(shape.begin());
            if (shape.empty()) refuse("nothing of the sample stays");
            layer(node, "Reshape", {{"shape", shape}}, {node.inputs[0]});
        } else if (op == "Transpose") {
            Ints perm = node.integers("perm");
            if (perm.empty())
                for (int d = shape_of(node.inputs[0]).size(); d-- > 0;)
                    perm.push_back(d);
            layer(node, "Permute", {{"dims", perm}}, node.inputs);
        } else if (op == "Concat") {
            layer(node, "Concat", {{"dim", node.integer("axis", 0)}}, node.inputs);
        } else if (op == "ReduceMean") {
            Ints axes = node.integers("axes");
            if (axes.empty() && node.inputs.size() > 1)
                axes = ints_of(need_constant(node, 1, "axes"));
            layer(node, "Mean", {{"dim", axes}, {"keepdim", node.integer("keepdims", 1) != 0}},
                  {node.inputs[0]});
        } else {
            return false;
        }
        return true;
    }

    bool activation(const OnnxNode& node) {
        const std::string& op = node.op;
        static const std::map<std::string, std::string> plain{{"Relu", "ReLU"},
                                                              {"Sigmoid", "Sigmoid"},
                                                              {"Tanh", "Tanh"},
                                                              {"Softplus", "Softplus"},
                                                              {"HardSwish", "Hardswish"},
                                                              {"Mish", "Mish"},
                                                              {"Softsign", "Softsign"},
                                                              {"Add", "Add"},
                                                              {"Mul", "Mul"},
                                                              {"Sub", "Sub"}};
        if (const auto found = plain.find(op); found != plain.end()) {
            layer(node, found->second, {}, node.inputs);
        } else if (op == "LeakyRelu") {
            layer(node, "LeakyReLU", {{"negative_slope", node.real("alpha", 0.01)}}, node.inputs);
        } else if (op == "Elu") {
            layer(node, "ELU", {{"alpha", node.real("alpha", 1)}}, node.inputs);
        } else if (op == "Selu") {
            if (std::abs(node.real("alpha", 1.67326) - 1.67326) > 1e-4 ||
                std::abs(node.real("gamma", 1.0507) - 1.0507) > 1e-4)
                refuse("its alpha and gamma are not SELU's");
            layer(node, "SELU", {}, node.inputs);
        } else if (op == "HardSigmoid") {
            if (std::abs(node.real("alpha", 0.2) - 1.0 / 6) > 1e-6 ||
                std::abs(node.real("beta", 0.5) - 0.5) > 1e-6)
                refuse("its alpha is not 1/6");
            layer(node, "Hardsigmoid", {}, node.inputs);
        } else if (op == "Clip") {
            const Tensor* low = constant(node, 1);
            const Tensor* high = constant(node, 2);
            const double min = low ? low->item() : node.real("min", -1e30);
            const double max = high ? high->item() : node.real("max", 1e30);
            if (min == 0 && max == 6)
                layer(node, "ReLU6", {}, {node.inputs[0]});
            else
                layer(node, "Hardtanh", {{"min_val", min}, {"max_val", max}}, {node.inputs[0]});
        } else if (op == "Softmax" || op == "LogSoftmax") {
            layer(node, op, {{"dim", node.integer("axis", model_.opset < 13 ? 1 : -1)}},
                  node.inputs);
        } else if (op == "Dropout") {
            only_first_output(node);
            const Tensor* ratio = constant(node, 1);
            layer(node, "Dropout", {{"p", ratio ? ratio->item() : node.real("ratio", 0.5)}},
                  {node.inputs[0]});
        } else {
            return false;
        }
        return true;
    }

    void add(const OnnxNode& node) {
        if (!node.domain.empty()) refuse(fmt::format("of the foreign domain {}", node.domain));
        if (node.outputs.empty()) refuse("it gives nothing");
        if (const auto spelled = spelled_.find(node.outputs[0]); spelled != spelled_.end())
            return layer(node, spelled->second.type, spelled->second.params,
                         {spelled->second.input});
        if (fold_constant(node)) return;
        if (node.inputs.empty()) refuse("it has no input");
        if (node.op == "Identity" || (node.op == "Cast" && node.integer("to", 1) == 1)) {
            wires_[node.outputs[0]] = wire(node.inputs[0]); // nothing to compute
            return;
        }
        if (late_bias(node) || weighted(node) || pooling(node) || shaping(node) || activation(node))
            return;
        refuse("Wiregrad has no node type for it");
    }

    const io::OnnxModel& model_;
    Expressions expressions_;
    ImportedModel result_;
    std::map<std::string, std::pair<std::string, std::string>> wires_;
    std::map<std::string, std::string> made_by_; ///< value -> node
    std::map<std::string, Tensor> constants_;
    std::map<std::string, int> uses_;
    std::map<std::string, Spelled> spelled_;
    std::set<std::string> needed_;
    std::vector<std::string> problems_;
    std::string last_;
};

} // namespace

ImportedModel from_onnx(const io::OnnxModel& model) {
    return Importer(model).run();
}

} // namespace wiregrad::graph

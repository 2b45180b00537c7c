// JAX and Keras 3 scripts: the trace of one training step as pure functions of arrays, each op a
// word of arrays_text.h, the optimizer written out.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <set>

#include "engine/core/error.h"
#include "engine/io/npz.h"
#include "nodes/export/arrays_text.h"
#include "nodes/export/certificate.h"
#include "nodes/export/data.h"
#include "nodes/export/export.h"
#include "nodes/export/names.h"
#include "nodes/export/trace.h"

namespace wiregrad::graph {

namespace {

enum class Dialect { Jax, Keras };

std::string py_number(double value) {
    if (std::isinf(value)) return value > 0 ? "float(\"inf\")" : "-float(\"inf\")";
    std::string text = fmt::format("{:.17g}", value);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return text;
}
std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts)
        text += (text.empty() ? "" : ", ") + part;
    return text;
}

class ArrayWriter {
  public:
    ArrayWriter(const Outline& outline, const Trace& trace, Dialect dialect)
        : outline_(outline), trace_(trace), dialect_(dialect) {
        for (const Statement& loss : outline.losses)
            loss_nodes_.insert(loss.id);
        for (const int input : trace.inputs)
            names_[input] = taken_.claim(value(input).name);
        // A node's last value has the node's name, the ones before a number.
        std::map<std::string, std::vector<int>> made;
        for (const TracedOp& op : trace.ops)
            if ((op.op->flags & kInPlace) == 0) made[op.node].push_back(op.outputs[0]);
        for (auto& [node, values] : made) {
            const std::string& member = outline.members.at(node);
            for (std::size_t i = 0; i < values.size(); ++i)
                names_[values[i]] = taken_.claim(
                    i + 1 == values.size() ? member : fmt::format("{}_{}", member, i + 1));
        }
    }

    /// Lines of the layers, or of the losses; each with its node.
    std::vector<std::pair<std::string, std::string>> lines(bool losses) {
        std::vector<std::pair<std::string, std::string>> result;
        // Whose first size is the batch's, where lines are written.
        const std::vector<Value> targets = outline_.batch_values(outline_.losses);
        sized_ = !losses           ? names_.at(trace_.inputs[0])
                 : targets.empty() ? names_.at(trace_.outputs.at(0))
                                   : outline_.argument(targets[0]).name;
        for (const TracedOp& op : trace_.ops) {
            if (loss_nodes_.contains(op.node) != losses || (op.op->flags & kInPlace) != 0) continue;
            if (op.op->name == "batch_norm") {
                batch_norm(op, result);
                continue;
            }
            result.emplace_back(names_.at(op.outputs[0]) + " = " + expression(op), op.node);
        }
        return result;
    }

    std::string name(int index) {
        const TracedValue& traced = value(index);
        if (traced.kind == TracedValue::Kind::Weight)
            return (dialect_ == Dialect::Jax ? "params[" : "self.w[") + quoted(traced.name) + "]";
        if (traced.kind == TracedValue::Kind::Constant) return literal(traced);
        return names_.at(index);
    }

    /// Definitions of the words that were used, each after those it needs.
    std::vector<std::string> definitions() const {
        std::vector<std::string> result;
        std::set<std::string> done;
        const std::function<void(const std::string&)> add = [&](const std::string& word) {
            for (const script::ArrayWord& row : script::kArrayWords) {
                if (row.op != word || !done.insert(word).second) continue;
                std::string needs(row.needs);
                for (std::size_t start = 0; start < needs.size();) {
                    const std::size_t end = std::min(needs.find(' ', start), needs.size());
                    add(needs.substr(start, end - start));
                    start = end + 1;
                }
                std::string code(dialect_ == Dialect::Keras && !row.keras.empty() ? row.keras
                                                                                  : row.jax);
                const std::string library = dialect_ == Dialect::Jax ? "jnp" : "ops";
                for (std::size_t at = code.find("@."); at != std::string::npos;
                     at = code.find("@.", at + library.size()))
                    code.replace(at, 1, library);
                result.push_back(code);
            }
        };
        for (const std::string& word : used_)
            add(word);
        return result;
    }

  private:
    const TracedValue& value(int index) const {
        return trace_.values[static_cast<std::size_t>(index)];
    }
    std::string library(const std::string& function) const {
        return (dialect_ == Dialect::Jax ? "jnp." : "ops.") + function;
    }
    std::string word(const std::string& name) {
        used_.insert(name);
        return name;
    }

    std::string size_text(const Size& size) const {
        if (size.fixed()) return std::to_string(size.constant);
        const std::string batch = sized_ + ".shape[0]";
        return size.batch == 1 ? batch : fmt::format("{} * {}", size.batch, batch);
    }
    std::string tuple(const Sizes& sizes) const {
        std::string text;
        for (const Size& size : sizes)
            text += size_text(size) + ", ";
        if (sizes.size() > 1)
            text.resize(text.size() - 2);
        else if (!text.empty())
            text.pop_back();
        return "(" + text + ")";
    }

    std::string literal(const TracedValue& traced) const {
        const std::vector<double> values = traced.data.to_vector();
        const bool whole = !is_floating(traced.dtype);
        const auto one = [&](double v) {
            return whole ? std::to_string(static_cast<std::int64_t>(v)) : py_number(v);
        };
        bool same = !values.empty();
        for (const double v : values)
            same = same && v == values[0];
        if (traced.shape.empty()) return one(values.at(0));
        if (same)
            return fmt::format("{}({}, {})", library("full"), tuple(traced.shape), one(values[0]));
        for (const Size& size : traced.shape)
            if (!size.fixed()) throw ValueError("a constant has the size of the batch");
        if (values.size() > 4096)
            throw ValueError(
                fmt::format("a constant of {} numbers would stand in the script", values.size()));
        std::vector<std::string> text;
        for (const double v : values)
            text.push_back(one(v));
        return fmt::format("{}({}([{}]), {})", library("reshape"), library("array"), joined(text),
                           tuple(traced.shape));
    }

    std::string input(const TracedOp& op, std::size_t i) {
        return i < op.inputs.size() && op.inputs[i] >= 0 ? name(op.inputs[i]) : "None";
    }

    void batch_norm(const TracedOp& op, std::vector<std::pair<std::string, std::string>>& lines) {
        const std::string y = names_.at(op.outputs[0]);
        const bool tracked = op.inputs.size() > 3 && op.inputs[3] >= 0;
        lines.emplace_back(fmt::format("{}, mean, var = {}({}, {}, {}, {}, {}, training, {}, {})",
                                       y, word("batch_norm"), input(op, 0), input(op, 1),
                                       input(op, 2), input(op, 3), input(op, 4),
                                       py_number(op.attrs.real("eps")),
                                       py_number(op.attrs.real("momentum"))),
                           op.node);
        if (!tracked) return;
        const std::string mean = quoted(value(op.inputs[3]).name),
                          var = quoted(value(op.inputs[4]).name);
        if (dialect_ == Dialect::Jax) {
            lines.emplace_back(fmt::format("state[{}], state[{}] = mean, var", mean, var), op.node);
        } else {
            lines.emplace_back("if training:", op.node);
            lines.emplace_back(fmt::format("    self.w[{}].assign(mean)", mean), op.node);
            lines.emplace_back(fmt::format("    self.w[{}].assign(var)", var), op.node);
        }
    }

    std::string pooled(const TracedOp& op) {
        const Sizes &from = value(op.inputs[0]).shape, &to = value(op.outputs[0]).shape;
        const std::string size = tuple({to[2], to[3]});
        const auto attr = [&](const char* id) { return tuple(op.dims.at(id)); };
        if (op.op->name == "max_pool2d")
            return fmt::format("{}({}, {}, {}, {}, {}, {})", word("max_pool2d"), input(op, 0), size,
                               attr("kernel_size"), attr("stride"), attr("padding"),
                               attr("dilation"));
        const auto at = [&](const char* id, std::size_t d) { return op.dims.at(id)[d].constant; };
        const bool border = op.attrs.flag("count_include_pad");
        std::string counts = "[";
        std::set<std::int64_t> different;
        for (std::int64_t i = 0; i < to[2].constant; ++i) {
            std::string row;
            for (std::int64_t j = 0; j < to[3].constant; ++j) {
                std::int64_t count = 1;
                for (std::size_t d = 0; d < 2; ++d) {
                    const std::int64_t first =
                        (d == 0 ? i : j) * at("stride", d) - at("padding", d);
                    const std::int64_t size_d = from[d + 2].constant;
                    const std::int64_t last =
                        std::min(first + at("kernel_size", d), size_d + at("padding", d));
                    count *= border ? last - first
                                    : std::min(last, size_d) - std::max<std::int64_t>(first, 0);
                }
                different.insert(count);
                row += fmt::format("{}{}", j == 0 ? "" : ", ", count);
            }
            counts += (i == 0 ? "[" : ", [") + row + "]";
        }
        counts += "]";
        if (different.size() == 1) counts = std::to_string(*different.begin());
        return fmt::format("{}({}, {}, {}, {}, {}, {})", word("avg_pool2d"), input(op, 0), size,
                           attr("kernel_size"), attr("stride"), attr("padding"), counts);
    }

    std::string adaptive(const TracedOp& op) {
        const Sizes &from = value(op.inputs[0]).shape, &to = value(op.outputs[0]).shape;
        if (to[2].constant == 1 && to[3].constant == 1)
            return fmt::format("{}({}, axis=(2, 3), keepdims=True)", library("mean"), input(op, 0));
        const auto matrix = [&](std::size_t d) {
            const std::int64_t in = from[d].constant, out = to[d].constant;
            std::string text = "[";
            for (std::int64_t i = 0; i < out; ++i) {
                const std::int64_t first = i * in / out, last = ((i + 1) * in + out - 1) / out;
                std::string row;
                for (std::int64_t k = 0; k < in; ++k)
                    row += fmt::format("{}{}", k == 0 ? "" : ", ",
                                       k >= first && k < last
                                           ? py_number(1.0 / static_cast<double>(last - first))
                                           : "0");
                text += (i == 0 ? "[" : ", [") + row + "]";
            }
            return text + "]";
        };
        return fmt::format("{}({}, {}, {})", word("average_with"), input(op, 0), matrix(2),
                           matrix(3));
    }

    std::string index(const TracedOp& op, std::size_t dim, const std::string& what) {
        std::string text;
        for (std::size_t d = 0; d < dim; ++d)
            text += ":, ";
        return input(op, 0) + "[" + text + what + "]";
    }

    std::string expression(const TracedOp& op) {
        const std::string name(op.op->name);
        static const std::map<std::string, const char*> patterns{
            {"neg", "-{0}"},
            {"rsqrt", "1 / @sqrt({0})"},
            {"reciprocal", "1 / {0}"},
            {"add", "{0} + {1}"},
            {"sub", "{0} - {1}"},
            {"mul", "{0} * {1}"},
            {"div", "{0} / {1}"},
            {"pow", "{0} ** {1}"},
            {"eq", "{0} == {1}"},
            {"ne", "{0} != {1}"},
            {"lt", "{0} < {1}"},
            {"le", "{0} <= {1}"},
            {"gt", "{0} > {1}"},
            {"ge", "{0} >= {1}"},
            {"maximum", "@maximum({0}, {1})"},
            {"minimum", "@minimum({0}, {1})"},
            {"matmul", "@matmul({0}, {1})"},
            {"where", "@where({0}, {1}, {2})"},
            {"embedding", "@take({1}, {0}, axis=0)"},
            {"contiguous", "{0}"},
        };
        static const std::map<std::string, const char*> scalars{
            {"add_scalar", "{0} + {1}"},  {"mul_scalar", "{0} * {1}"},  {"div_scalar", "{0} / {1}"},
            {"rsub_scalar", "{1} - {0}"}, {"pow_scalar", "{0} ** {1}"}, {"gt_scalar", "{0} > {1}"},
            {"ge_scalar", "{0} >= {1}"},  {"lt_scalar", "{0} < {1}"},   {"le_scalar", "{0} <= {1}"},
        };
        static const std::set<std::string> same{
            "abs",   "exp",  "log",   "log1p", "expm1",  "sqrt",  "sin",      "cos",        "tanh",
            "floor", "ceil", "round", "sign",  "square", "isnan", "isfinite", "logical_not"};
        const auto from_pattern = [&](std::string pattern, const std::vector<std::string>& inputs) {
            const std::size_t at = pattern.find('@');
            if (at != std::string::npos)
                pattern.replace(at, 1, dialect_ == Dialect::Jax ? "jnp." : "ops.");
            return fill(pattern, inputs, "");
        };
        if (const auto found = patterns.find(name); found != patterns.end()) {
            std::vector<std::string> inputs;
            for (std::size_t i = 0; i < op.inputs.size(); ++i)
                inputs.push_back(input(op, i));
            return from_pattern(found->second, inputs);
        }
        if (const auto found = scalars.find(name); found != scalars.end())
            return from_pattern(
                found->second,
                {input(op, 0), py_number(op.attrs.has("other") ? op.attrs.real("other")
                                                               : op.attrs.real("exponent"))});
        if (same.contains(name)) return library(name) + "(" + input(op, 0) + ")";
        const auto attr = [&](const char* id) { return tuple(op.dims.at(id)); };
        const Sizes& to = value(op.outputs[0]).shape;
        if (name == "to")
            return dialect_ == Dialect::Jax ? fmt::format("{}.astype(\"{}\")", input(op, 0),
                                                          name_of(value(op.outputs[0]).dtype))
                                            : fmt::format("ops.cast({}, \"{}\")", input(op, 0),
                                                          name_of(value(op.outputs[0]).dtype));
        if (name == "masked_fill")
            return fmt::format("{}({}, {}, {})", library("where"), input(op, 1),
                               py_number(op.attrs.real("value")), input(op, 0));
        if (name == "reshape")
            return fmt::format("{}({}, {})", library("reshape"), input(op, 0), tuple(to));
        if (name == "permute")
            return fmt::format("{}({}, {})", library("transpose"), input(op, 0), attr("dims"));
        if (name == "expand")
            return fmt::format("{}({}, {})", library("broadcast_to"), input(op, 0), tuple(to));
        if (name == "slice")
            return index(op, static_cast<std::size_t>(op.attrs.integer("dim")),
                         fmt::format("{}:{}:{}", size_text(op.integers.at("start")),
                                     size_text(op.integers.at("end")), op.attrs.integer("step")));
        if (name == "select")
            return index(op, static_cast<std::size_t>(op.attrs.integer("dim")),
                         size_text(op.integers.at("index")));
        if (name == "cat") {
            std::vector<std::string> parts;
            for (std::size_t i = 0; i < op.inputs.size(); ++i)
                parts.push_back(input(op, i));
            return fmt::format("{}([{}], axis={})", library("concatenate"), joined(parts),
                               op.attrs.integer("dim"));
        }
        if (name == "pad") {
            const Sizes& pairs = op.dims.at("pads");
            std::vector<std::string> text(value(op.inputs[0]).shape.size(), "(0, 0)");
            for (std::size_t i = 0; i + 1 < pairs.size(); i += 2)
                text[text.size() - 1 - i / 2] =
                    fmt::format("({}, {})", pairs[i].constant, pairs[i + 1].constant);
            return fmt::format("{}({}, ({}), constant_values={})", library("pad"), input(op, 0),
                               joined(text), py_number(op.attrs.real("value")));
        }
        if (name == "flip")
            return fmt::format("{}({}, {})", library("flip"), input(op, 0), attr("dims"));
        if (name == "gather")
            return fmt::format("{}({}, {}, axis={})", library("take_along_axis"), input(op, 0),
                               input(op, 1), op.attrs.integer("dim"));
        if (name == "index_select")
            return fmt::format("{}({}, {}, axis={})", library("take"), input(op, 0), input(op, 1),
                               op.attrs.integer("dim"));
        if (name == "sum" || name == "mean" || name == "amax" || name == "amin")
            return fmt::format("{}({}, axis={}, keepdims={})",
                               library(name == "amax"   ? "max"
                                       : name == "amin" ? "min"
                                                        : name),
                               input(op, 0), attr("dims"),
                               op.attrs.flag("keepdim") ? "True" : "False");
        if (name == "max_pool2d" || name == "avg_pool2d") return pooled(op);
        if (name == "adaptive_avg_pool2d") return adaptive(op);
        return by_word(op, name);
    }

    /// Words with arguments of their own.
    std::string by_word(const TracedOp& op, const std::string& name) {
        const auto attr = [&](const char* id) { return tuple(op.dims.at(id)); };
        const auto inputs = [&](std::size_t count) {
            std::vector<std::string> text;
            for (std::size_t i = 0; i < count; ++i)
                text.push_back(input(op, i));
            return joined(text);
        };
        const bool known =
            std::any_of(std::begin(script::kArrayWords), std::end(script::kArrayWords),
                        [&](const auto& row) { return row.op == name; });
        if (!known)
            throw ValueError(fmt::format("the op {} is not written out for this target", name),
                             op.node);
        std::string more;
        if (name == "conv2d" || name == "conv_transpose2d") {
            more = fmt::format(", stride={}, padding={}, dilation={}, groups={}", attr("stride"),
                               attr("padding"), attr("dilation"), op.attrs.integer("groups"));
            if (name != "conv2d") more += ", output_padding=" + attr("output_padding");
            return fmt::format("{}({}{})", word(name), inputs(3), more);
        }
        if (name == "linear") return fmt::format("{}({})", word(name), inputs(3));
        if (name == "layer_norm")
            return fmt::format("{}({}, {}, {}, {}, {})", word(name), input(op, 0),
                               op.dims.at("normalized_shape").size(), input(op, 1), input(op, 2),
                               py_number(op.attrs.real("eps")));
        if (name == "dropout")
            return dialect_ == Dialect::Jax
                       ? fmt::format("{}({}, {}, training, key_of(key, {}))", word(name),
                                     input(op, 0), py_number(op.attrs.real("p")), ++dropouts_)
                       : fmt::format("{}({}, {}, training and drop)", word(name), input(op, 0),
                                     py_number(op.attrs.real("p")));
        if (name == "softmax" || name == "log_softmax")
            return fmt::format("{}({}, {})", word(name), input(op, 0), op.attrs.integer("dim"));
        if (name == "scaled_dot_product_attention") {
            if (op.attrs.real("dropout_p") > 0 ||
                (op.inputs[3] >= 0 && value(op.inputs[3]).dtype == DType::Bool))
                throw ValueError("attention with dropout or a mask of yes and no is not written "
                                 "out for this target",
                                 op.node);
            return fmt::format("{}({}, {}, {})", word(name), inputs(4),
                               op.attrs.flag("is_causal") ? "True" : "False",
                               py_number(op.attrs.real("scale")));
        }
        if (name == "cross_entropy") {
            if (op.inputs.size() > 2 && op.inputs[2] >= 0)
                throw ValueError("weights of classes are not written out for this target", op.node);
            return fmt::format("{}({}, {}, {}, {})", word(name), input(op, 0), input(op, 1),
                               py_number(op.attrs.real("label_smoothing")),
                               op.attrs.integer("ignore_index"));
        }
        if (name == "mse_loss" || name == "l1_loss" || name == "binary_cross_entropy_with_logits")
            return fmt::format("{}({}, {}, {})", word(name), input(op, 0), input(op, 1),
                               library(op.attrs.integer("reduction") == 2 ? "sum" : "mean"));
        std::string arguments = input(op, 0);
        for (const auto& [key, value] : op.attrs.values())
            if (const auto* number = std::get_if<double>(&value))
                arguments += fmt::format(", {}={}", key, py_number(*number));
        return fmt::format("{}({})", word(name), arguments);
    }

    const Outline& outline_;
    const Trace& trace_;
    Dialect dialect_;
    std::set<std::string> loss_nodes_, used_;
    std::map<int, std::string> names_;
    std::string sized_;
    Names taken_{{"params", "training", "key", "values", "state", "mean", "var", "self", "jax",
                  "jnp", "ops", "keras", "np", "drop", "key_of", "losses", "forward", "output"}};
    int dropouts_ = 0;
};

/// What JAX and Keras scripts do not say; empty: nothing.
void refuse_what_is_missing(const Outline& outline, const char* target) {
    if (outline.optimizers.size() > 1)
        throw ValueError(fmt::format("{} scripts train with one optimizer; this network has {}",
                                     target, outline.optimizers.size()));
    for (const std::string& id : outline.optimizers) {
        const Node& node = *outline.inference.at(id).node;
        if (node.type != "SGD" && node.type != "Adam" && node.type != "AdamW")
            throw ValueError(fmt::format("{} is not written out for {}: choose SGD, Adam or AdamW",
                                         node.type, target),
                             id);
        for (const char* param : {"amsgrad", "maximize"})
            if (const auto found = node.params.find(param);
                found != node.params.end() && std::get<bool>(found->second))
                throw ValueError(fmt::format("{} is not written out for {}", param, target), id);
    }
}

std::string optimizer_code(const Outline& outline) {
    const Node& node = *outline.inference.at(outline.optimizers.at(0)).node;
    const auto real = [&](const char* id) {
        return py_number(std::get<double>(node.params.at(id)));
    };
    const double clip = std::get<double>(node.params.at("clip_grad_norm"));
    std::string code;
    const std::string clipping =
        clip > 0
            ? fmt::format("    norm = jnp.sqrt(sum(jnp.sum(g**2) for g in gradients.values()))\n"
                          "    gradients = {{name: g * jnp.minimum(1.0, {} / (norm + 1e-6)) "
                          "for name, g in gradients.items()}}\n",
                          py_number(clip))
            : std::string();
    if (node.type == "SGD") {
        code =
            "def init_optimizer(params):\n"
            "    return {\"step\": 0, \"velocity\": {name: jnp.zeros_like(params[name]) for name "
            "in TRAINED}}\n\n\n"
            "def update(params, gradients, optimizer, rate):\n"
            "    \"\"\"SGD as PyTorch has it.\"\"\"\n" +
            clipping +
            "    new, velocity, first = dict(params), {}, optimizer[\"step\"] == 0\n"
            "    for name, gradient in gradients.items():\n"
            "        gradient = gradient + " +
            real("weight_decay") +
            " * params[name]\n"
            "        moved = " +
            real("momentum") + " * optimizer[\"velocity\"][name] + (1 - " + real("dampening") +
            ") * gradient\n"
            "        velocity[name] = jnp.where(first, gradient, moved)\n";
        code += std::get<bool>(node.params.at("nesterov"))
                    ? "        step = gradient + " + real("momentum") + " * velocity[name]\n"
                    : std::string("        step = velocity[name]\n");
        code += "        new[name] = params[name] - " + real("lr") +
                " * rate * step\n"
                "    return new, {\"step\": optimizer[\"step\"] + 1, \"velocity\": velocity}";
        return code;
    }
    const bool decoupled = node.type == "AdamW";
    code = "def init_optimizer(params):\n"
           "    zeros = {name: jnp.zeros_like(params[name]) for name in TRAINED}\n"
           "    return {\"step\": 0, \"mean\": zeros, \"square\": zeros}\n\n\n"
           "def update(params, gradients, optimizer, rate):\n"
           "    \"\"\"" +
           node.type + " as PyTorch has it.\"\"\"\n" + clipping +
           "    new, means, squares, step = dict(params), {}, {}, optimizer[\"step\"] + 1\n"
           "    for name, gradient in gradients.items():\n"
           "        weight = params[name]\n";
    code += decoupled ? "        weight = weight * (1 - " + real("lr") + " * rate * " +
                            real("weight_decay") + ")\n"
                      : "        gradient = gradient + " + real("weight_decay") + " * weight\n";
    code += "        means[name] = " + real("beta1") + " * optimizer[\"mean\"][name] + (1 - " +
            real("beta1") +
            ") * gradient\n"
            "        squares[name] = " +
            real("beta2") + " * optimizer[\"square\"][name] + (1 - " + real("beta2") +
            ") * gradient**2\n"
            "        mean = means[name] / (1 - " +
            real("beta1") +
            "**step)\n"
            "        size = jnp.sqrt(squares[name] / (1 - " +
            real("beta2") + "**step)) + " + real("eps") +
            "\n"
            "        new[name] = weight - " +
            real("lr") +
            " * rate * mean / size\n"
            "    return new, {\"step\": step, \"mean\": means, \"square\": squares}";
    return code;
}

std::string keras_optimizer(const Outline& outline) {
    const Node& node = *outline.inference.at(outline.optimizers.at(0)).node;
    const auto real = [&](const char* id) {
        return py_number(std::get<double>(node.params.at(id)));
    };
    const double clip = std::get<double>(node.params.at("clip_grad_norm"));
    const std::string more = clip > 0 ? ", global_clipnorm=" + py_number(clip) : std::string();
    if (node.type == "SGD") {
        if (std::get<double>(node.params.at("dampening")) != 0 ||
            std::get<double>(node.params.at("weight_decay")) != 0)
            throw ValueError("Keras's SGD has neither dampening nor PyTorch's weight decay",
                             node.id);
        return fmt::format("keras.optimizers.SGD({}, momentum={}, nesterov={}{})", real("lr"),
                           real("momentum"),
                           std::get<bool>(node.params.at("nesterov")) ? "True" : "False", more);
    }
    if (node.type == "Adam" && std::get<double>(node.params.at("weight_decay")) != 0)
        throw ValueError("Keras's Adam has no weight decay of PyTorch's kind: choose AdamW",
                         node.id);
    return fmt::format("keras.optimizers.{}({}, beta_1={}, beta_2={}, epsilon={}{}{})", node.type,
                       real("lr"), real("beta1"), real("beta2"), real("eps"),
                       node.type == "AdamW" ? ", weight_decay=" + real("weight_decay") : "", more);
}

std::vector<ExportFile> export_arrays(const Graph& graph, const ExportOptions& options,
                                      Dialect dialect) {
    const bool jax = dialect == Dialect::Jax;
    const Outline outline(graph);
    if (!outline.trains())
        throw ValueError(
            fmt::format("a {} script needs a loss and an optimizer", jax ? "JAX" : "Keras"));
    refuse_what_is_missing(outline, jax ? "JAX" : "Keras");
    Exported exported = certify(outline, options.weights);
    const Trace traced = trace(outline, weights_of(outline, options.weights), true);
    ArrayWriter writer(outline, traced, dialect);
    const auto layers = writer.lines(false), losses = writer.lines(true);
    const DataExport data = export_data(outline, exported.plan, options);

    std::vector<std::string> batch, arguments, targets, first, first_targets;
    for (std::size_t i = 0; i < outline.batch.size(); ++i)
        batch.push_back(quoted(outline.batch[i].name));
    const auto place = [&](const Value& value) {
        for (std::size_t i = 0; i < outline.batch.size(); ++i)
            if (outline.batch[i].value == value) return i;
        return std::size_t{0};
    };
    std::vector<std::string> batch_arguments, batch_targets;
    for (const Value& value : outline.arguments) {
        arguments.push_back(outline.argument(value).name);
        batch_arguments.push_back(fmt::format("batch[{}]", place(value)));
        first.push_back(fmt::format("first[{}]", place(value)));
    }
    for (const Value& value : outline.batch_values(outline.losses)) {
        targets.push_back(outline.argument(value).name);
        batch_targets.push_back(fmt::format("batch[{}]", place(value)));
        first_targets.push_back(fmt::format("first[{}]", place(value)));
    }
    const auto more = [](const std::vector<std::string>& list) {
        return list.empty() ? std::string() : ", " + joined(list);
    };
    std::string factors;
    for (std::int64_t epoch = 0; epoch < exported.plan.epochs; ++epoch)
        factors += fmt::format(
            "{}{:.9g}", epoch == 0 ? "" : ", ",
            exported.plan.optimizers.at(0).schedule.factor(epoch, exported.plan.epochs));
    std::string trained;
    for (const nn::NamedTensor& weight : exported.plan.model->module().parameters())
        trained += (trained.empty() ? "" : ", ") + quoted(member_weight(outline, weight.name));

    const Training& training = outline.graph.training();
    std::string head_doc;
    for (const char c : outline.title)
        head_doc += c == '"' ? '\'' : c;
    SourceText text;
    text.block(fmt::format(
        "#!/usr/bin/env python3\n\"\"\"{}.\n\nMade by Wiregrad from {}. Needs {} and NumPy.\n\n"
        "    python3 {}             train\n"
        "    python3 {} --verify    compare with what Wiregrad computed\n\"\"\"\n"
        "import argparse\nimport hashlib\nimport sys\nfrom pathlib import Path\n\n{}\n\n"
        "HERE = Path(__file__).resolve().parent\nSTEM = {}\n"
        "WEIGHTS = HERE / f\"{{STEM}}.weights.npz\"\nSAMPLES = HERE / f\"{{STEM}}.samples.npz\"\n"
        "DATA = HERE / f\"{{STEM}}.data.npz\"\nEPOCHS = {}\nBATCH_SIZE = {}\nSEED = {}\n"
        "BATCH = ({},)\nTRAINED = ({},)",
        head_doc, options.project, jax ? "JAX" : "Keras 3",
        std::filesystem::path(options.path).filename().string(),
        std::filesystem::path(options.path).filename().string(),
        jax ? "import jax\nimport jax.numpy as jnp\nimport numpy as np"
            : "import keras\nimport numpy as np\nfrom keras import ops",
        quoted(std::filesystem::path(options.path).stem().string()), training.epochs,
        training.batch_size, training.seed, joined(batch), trained));
    if (jax) text.line("FACTORS = [" + factors + "]  # on the learning rate, epoch by epoch");
    for (const std::string& reason : data.reason)
        text.line("# " + reason);
    for (const std::string& definition : writer.definitions()) {
        text.block("\n");
        text.block(definition);
    }
    std::vector<std::string> results;
    for (const int output : traced.outputs)
        results.push_back(writer.name(output));
    const std::string indent = jax ? "    " : "        ";
    const auto note_value = [&](const Statement& layer) {
        const auto found = traced.node_outputs.find(layer.id);
        if (found == traced.node_outputs.end() || found->second.empty()) return std::string();
        return fmt::format("{}: {}", quoted(layer.member), writer.name(found->second[0]));
    };
    std::string kept;
    for (const Statement& layer : outline.layers)
        if (const std::string note = note_value(layer); !note.empty())
            kept += indent + "        " + note + ",\n";
    if (jax) {
        text.block("\n\ndef key_of(key, number):\n"
                   "    return None if key is None else jax.random.fold_in(key, number)\n");
        text.block(fmt::format("\ndef forward(params, {}, training=False, key=None, values=None):\n"
                               "    \"\"\"The network: a pure function of its weights. Gives the "
                               "output and new statistics.\"\"\"\n    state = {{}}",
                               joined(arguments)));
    } else {
        text.block(fmt::format(
            "\n\nclass Net(keras.Model):\n    \"\"\"{}.\"\"\"\n\n"
            "    def __init__(self):\n        super().__init__()\n        self.w = {{}}\n\n"
            "    def load(self, weights):\n"
            "        \"\"\"Weights by name; nothing is loaded unless all are there.\"\"\"\n"
            "        missing = [name for name in CERTIFICATE[\"weights\"] if name not in weights]\n"
            "        if missing:\n            raise ValueError(f\"missing: {{missing}}\")\n"
            "        for name in CERTIFICATE[\"weights\"]:\n"
            "            if name not in self.w:\n"
            "                self.w[name] = self.add_weight(name=name.replace(\".\", \"_\"), "
            "shape=weights[name].shape, trainable=name in TRAINED)\n"
            "            self.w[name].assign(weights[name])\n\n"
            "    def state(self):\n"
            "        return {{name: ops.convert_to_numpy(value) for name, value in "
            "self.w.items()}}\n\n"
            "    def forward(self, {}, training=False, drop=True, values=None):",
            head_doc, joined(arguments)));
    }
    for (const auto& [line, node] : layers)
        text.line(indent + line, node);
    text.block(indent + "if values is not None:\n" + indent + "    values.update({\n" + kept +
               indent + "    })");
    text.line(indent + "return " +
              (results.size() == 1 ? results[0] : "(" + joined(results) + ")") +
              (jax ? ", state" : ""));
    // The losses read the network's results by the names they had there.
    text.block(jax ? "\n" : "");
    text.line(fmt::format("{}def losses({}output{}):", jax ? "" : "    ", jax ? "" : "self, ",
                          more(targets)));
    text.line(indent + "\"\"\"What training makes small, by name.\"\"\"");
    text.line(indent + joined(results) + " = output");
    for (const auto& [line, node] : losses)
        text.line(indent + line, node);
    std::string named;
    for (const Statement& loss : outline.losses)
        named += fmt::format("{}{}: {}", named.empty() ? "" : ", ", quoted(loss.member),
                             writer.name(traced.node_outputs.at(loss.id).at(0)));
    text.line(indent + "return {" + named + "}");
    if (jax) {
        text.block("\n\n" + optimizer_code(outline));
    } else {
        text.block(fmt::format("\n    def call(self, batch, training=False):\n"
                               "        return self.forward({}, training=training)\n\n"
                               "    def compute_loss(self, x=None, y=None, y_pred=None, "
                               "sample_weight=None, training=True):\n"
                               "        batch = x\n"
                               "        return sum(self.losses(y_pred{}).values())\n\n\n"
                               "def make_optimizer():\n    return {}",
                               joined(batch_arguments), more(batch_targets),
                               keras_optimizer(outline)));
    }
    text.block(
        "\n\n# What Wiregrad computed with the exported weights (fingerprints: size, length, "
        "mixed sum).\nCERTIFICATE = " +
        certificate_json(exported.certificate));
    text.block(script::kArraysCompare);
    text.block(jax ? script::kJaxTail : script::kKerasTail,
               {{"BATCH_ARGUMENTS", joined(batch_arguments)},
                {"TARGETS", more(batch_targets)},
                {"FIRST_ARGUMENTS", joined(first)},
                {"FIRST_TARGETS", more(first_targets)}});
    std::vector<ExportFile> files = data.files;
    files.push_back(
        {file_beside(options.path, ".weights.npz"), io::encode_npz(exported.weights), "weights"});
    files.push_back({file_beside(options.path, ".samples.npz"),
                     io::encode_npz(exported.certificate.samples, true), "samples of the proof"});
    files.push_back({options.path, bytes_of(text.text()), "script"});
    return files;
}

} // namespace

std::vector<ExportFile> export_jax(const Graph& graph, const ExportOptions& options) {
    return export_arrays(graph, options, Dialect::Jax);
}
std::vector<ExportFile> export_keras(const Graph& graph, const ExportOptions& options) {
    return export_arrays(graph, options, Dialect::Keras);
}

} // namespace wiregrad::graph

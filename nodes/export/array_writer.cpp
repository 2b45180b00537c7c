#include "nodes/export/array_writer.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "engine/core/error.h"
#include "nodes/export/arrays_text.h"
#include "nodes/export/names.h"

namespace wiregrad::graph {

std::string py_number(double value) {
    if (std::isinf(value)) return value > 0 ? "float(\"inf\")" : "-float(\"inf\")";
    std::string text = fmt::format("{:.17g}", value);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return text;
}

namespace {

std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts)
        text += (text.empty() ? "" : ", ") + part;
    return text;
}

class TraceWriter final : public ArrayWriter {
  public:
    TraceWriter(const Outline& outline, const Trace& trace, Dialect dialect)
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
            std::string member = outline.members.at(node);
            std::replace(member.begin(), member.end(), '.', '_');
            for (std::size_t i = 0; i < values.size(); ++i)
                names_[values[i]] = taken_.claim(
                    i + 1 == values.size() ? member : fmt::format("{}_{}", member, i + 1));
        }
    }

    ArrayBody body(const Unit& unit, bool network,
                   const std::vector<std::string>& functions) override {
        const std::map<int, std::string> outside = names_;
        prefixes_.push_back(unit.prefix); // units come in order
        ArrayBody result;
        Names own(reserved());
        Names& taken = network ? taken_ : own;
        prefix_ = unit.prefix;
        for (std::size_t i = 0; i < unit.inputs.size(); ++i) {
            std::string& name = names_[place(unit.inputs[i])];
            if (!network) name = taken.claim(unit.input_names[i]);
            result.inputs.push_back(name);
        }
        sized_ = result.inputs.empty() ? "" : result.inputs[0];
        for (const Call& call : unit.calls) {
            if (!call.layer) {
                group(call, taken, functions, prefixes_.at(call.units.front()), network,
                      result.lines);
                continue;
            }
            if (!network) claim(call.layer->id, call.member, taken);
            for (const TracedOp& op : trace_.ops)
                if (op.node == call.layer->id) line(op, result.lines);
            const auto found = trace_.places.find({call.layer->id, 0});
            if (found != trace_.places.end())
                result.kept.emplace_back(network ? call.layer->member : call.member,
                                         name(found->second));
        }
        for (const Value& value : unit.results)
            result.results.push_back(name(place(value)));
        if (!network) names_ = outside;
        prefix_.clear();
        return result;
    }

    std::vector<std::pair<std::string, std::string>> losses() override {
        std::vector<std::pair<std::string, std::string>> result;
        // Whose first size is the batch's, where lines are written.
        const std::vector<Value> targets = outline_.batch_values(outline_.losses);
        sized_ =
            targets.empty() ? names_.at(trace_.outputs.at(0)) : outline_.argument(targets[0]).name;
        for (const TracedOp& op : trace_.ops)
            if (loss_nodes_.contains(op.node)) line(op, result);
        return result;
    }

    std::string name(int index) override {
        const TracedValue& traced = value(index);
        if (traced.kind == TracedValue::Kind::Weight)
            return weights() + "[" + key(traced.name) + "]";
        if (traced.kind == TracedValue::Kind::Constant) return literal(traced);
        return names_.at(index);
    }

    std::vector<std::string> definitions() const override {
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
    using Lines = std::vector<std::pair<std::string, std::string>>;

    /// Functions take the weights as an argument.
    std::string weights() const {
        return dialect_ == Dialect::Jax ? "params" : prefix_.empty() ? "self.w" : "w";
    }
    /// A weight's name, inside a function from the group's own place on.
    std::string key(const std::string& weight) const {
        return prefix_.empty() ? quoted(weight)
                               : "prefix + " + quoted(weight.substr(prefix_.size()));
    }
    int place(const Value& value) const { return trace_.places.at(value); }
    /// A node's last value has the node's name, the ones before a number.
    void claim(const std::string& node, const std::string& member, Names& taken) {
        std::vector<int> made;
        for (const TracedOp& op : trace_.ops)
            if (op.node == node && (op.op->flags & kInPlace) == 0) made.push_back(op.outputs[0]);
        for (std::size_t i = 0; i < made.size(); ++i)
            names_[made[i]] =
                taken.claim(i + 1 == made.size() ? member : fmt::format("{}_{}", member, i + 1));
    }
    void line(const TracedOp& op, Lines& lines) {
        if ((op.op->flags & kInPlace) != 0) return;
        if (op.op->name == "batch_norm")
            batch_norm(op, lines);
        else
            lines.emplace_back(names_.at(op.outputs[0]) + " = " + expression(op), op.node);
    }

    /// The call of a group: once, in a loop, or one line a repetition where they differ.
    void group(const Call& call, Names& taken, const std::vector<std::string>& functions,
               const std::string& whole, bool network, Lines& lines) {
        std::vector<std::string> inputs, outputs;
        for (const Value& value : call.inputs)
            inputs.push_back(name(place(value)));
        for (std::size_t k = 0; k < call.outputs.size(); ++k) {
            const int index = place(call.outputs[k]);
            const bool through =
                std::any_of(call.inputs.begin(), call.inputs.end(),
                            [&](const Value& value) { return place(value) == index; });
            if (!through)
                names_[index] =
                    taken.claim(k == 0 ? call.member : fmt::format("{}_{}", call.member, k + 1));
            outputs.push_back(name(index));
        }
        const bool jax = dialect_ == Dialect::Jax;
        const std::string before = network ? "" : "prefix + ";
        const std::string own = whole.substr(prefix_.size());
        const auto text = [&](std::size_t turn, const std::string& where, const std::string& key) {
            return fmt::format("{} = {}({}, {}, {}, {})", joined(outputs),
                               functions[call.units[turn]], weights(), where, joined(inputs),
                               jax ? "training, " + key + ", state, values"
                                   : std::string("training, drop, values"));
        };
        const std::string key = fmt::format("key_of(key, {})", ++dropouts_);
        if (call.units.size() == 1) {
            lines.emplace_back(text(0, before + quoted(own), key), call.node);
            return;
        }
        for (std::size_t i = 0; i < inputs.size(); ++i)
            for (std::size_t k = 0; k < outputs.size(); ++k)
                if (call.input_ports[i] == call.output_ports[k] && inputs[i] != outputs[k]) {
                    lines.emplace_back(outputs[k] + " = " + inputs[i], call.node);
                    inputs[i] = outputs[k];
                }
        bool same = true;
        for (const std::size_t unit : call.units)
            same = same && functions[unit] == functions[call.units[0]];
        const std::string each = own.substr(0, own.size() - 1); // "block.0." -> "block.0"
        const std::string stem = call.shared ? own : each.substr(0, each.rfind('.') + 1);
        const std::string turned = fmt::format("key_of({}, part)", key);
        if (same) {
            lines.emplace_back(fmt::format("for part in range({}):", call.units.size()), call.node);
            lines.emplace_back("    " + text(0,
                                             call.shared
                                                 ? before + quoted(stem)
                                                 : before + quoted(stem) + " + f\"{part}.\"",
                                             turned),
                               call.node);
            return;
        }
        for (std::size_t turn = 0; turn < call.units.size(); ++turn)
            lines.emplace_back(
                text(turn, before + quoted(call.shared ? stem : fmt::format("{}{}.", stem, turn)),
                     fmt::format("key_of({}, {})", key, turn)),
                call.node);
    }

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
        const std::string mean = key(value(op.inputs[3]).name), var = key(value(op.inputs[4]).name);
        if (dialect_ == Dialect::Jax) {
            lines.emplace_back(fmt::format("state[{}], state[{}] = mean, var", mean, var), op.node);
        } else {
            lines.emplace_back("if training:", op.node);
            lines.emplace_back(fmt::format("    {}[{}].assign(mean)", weights(), mean), op.node);
            lines.emplace_back(fmt::format("    {}[{}].assign(var)", weights(), var), op.node);
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
    std::vector<std::string> prefixes_; ///< of the units so far
    std::string prefix_;                ///< of the group whose function is written
    /// Words of the script that no variable may hide.
    static const std::set<std::string>& reserved() {
        static const std::set<std::string> words = [] {
            std::set<std::string> all{"params", "training", "key",    "values", "state", "mean",
                                      "var",    "self",     "jax",    "jnp",    "ops",   "keras",
                                      "np",     "drop",     "key_of", "losses", "name",  "forward",
                                      "output", "prefix",   "part",   "w",      "value"};
            for (const script::ArrayWord& word : script::kArrayWords)
                all.insert(std::string(word.op));
            return all;
        }();
        return words;
    }
    Names taken_{reserved()};
    int dropouts_ = 0;
};

} // namespace

std::unique_ptr<ArrayWriter> make_array_writer(const Outline& outline, const Trace& trace,
                                               Dialect dialect) {
    return std::make_unique<TraceWriter>(outline, trace, dialect);
}

} // namespace wiregrad::graph

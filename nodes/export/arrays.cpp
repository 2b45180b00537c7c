// JAX and Keras 3 scripts: the trace of one training step as pure functions of arrays, each op a
// word of arrays_text.h, the optimizer written out.
#include <fmt/core.h>

#include <filesystem>
#include <map>
#include <set>

#include "engine/core/error.h"
#include "engine/io/npz.h"
#include "nodes/export/array_writer.h"
#include "nodes/export/arrays_text.h"
#include "nodes/export/certificate.h"
#include "nodes/export/data.h"
#include "nodes/export/export.h"
#include "nodes/export/names.h"
#include "nodes/export/trace.h"
#include "nodes/optimizers.h"

namespace wiregrad::graph {

namespace {

std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts)
        text += (text.empty() ? "" : ", ") + part;
    return text;
}

double real_of(const Node& node, const char* id, double standard) {
    const auto found = node.params.find(id);
    return found == node.params.end() ? standard : std::get<double>(found->second);
}
std::string text_of(const Node& node, const char* id) {
    const auto found = node.params.find(id);
    return found == node.params.end() ? std::string() : std::get<std::string>(found->second);
}

/// Refuses, with the place, what a script of this kind would silently leave out.
void refuse_what_is_missing(const Outline& outline, Dialect dialect) {
    const bool jax = dialect == Dialect::Jax;
    const char* target = jax ? "JAX" : "Keras";
    if (outline.optimizers.size() > 1)
        throw ValueError(fmt::format("{} scripts train with one optimizer; this network has {}",
                                     target, outline.optimizers.size()));
    const std::string& id = outline.optimizers.at(0);
    const Node& node = *outline.inference.at(id).node;
    const auto refuse = [&](const std::string& what) {
        throw ValueError(fmt::format("{} is not written out for {}", what, target), id);
    };
    if (node.type != "SGD" && node.type != "Adam" && node.type != "AdamW")
        throw ValueError(fmt::format("{} is not written out for {}: choose SGD, Adam or AdamW",
                                     node.type, target),
                         id);
    for (const char* param : {"amsgrad", "maximize"})
        if (const auto found = node.params.find(param);
            found != node.params.end() && std::get<bool>(found->second))
            refuse(param);
    const std::string schedule = text_of(node, "schedule");
    if (schedule == "one_cycle" || schedule == "cyclic")
        refuse("the schedule " + schedule + ", which moves at each step,");
    if (schedule == "plateau") refuse("the schedule plateau, which looks at the validation loss,");
    if (real_of(node, "ema_decay", 0) > 0) refuse("a moving average of the weights (ema_decay)");
    if (std::get<std::int64_t>(node.params.at("accumulate")) > 1)
        refuse("gathering the gradients of several batches (accumulate)");
    if (jax) return;
    if (real_of(node, "clip_grad_value", 0) > 0 && real_of(node, "clip_grad_norm", 0) > 0)
        refuse("clipping by value and by norm together");
    if (text_of(node, "decay_on") == "matrices") refuse("weight decay of some weights only");
    for (const Statement& layer : outline.layers)
        if (real_of(*layer.node->node, "lr_scale", 1) != 1)
            throw ValueError("a learning rate of its own is not written out for Keras", layer.id);
}

/// Lines of the update that change the gradients first.
std::string clipping_code(const Node& node) {
    std::string code;
    if (const double limit = real_of(node, "clip_grad_value", 0); limit > 0)
        code += fmt::format("    gradients = {{name: jnp.clip(g, -{0}, {0}) for name, g in "
                            "gradients.items()}}\n",
                            py_number(limit));
    if (const double limit = real_of(node, "clip_grad_norm", 0); limit > 0)
        code += fmt::format("    norm = jnp.sqrt(sum(jnp.sum(g**2) for g in gradients.values()))\n"
                            "    gradients = {{name: g * jnp.minimum(1.0, {} / (norm + 1e-6)) "
                            "for name, g in gradients.items()}}\n",
                            py_number(limit));
    return code;
}

/// Weights whose layers learn at a rate of their own, as a table; empty: none.
std::string rates_table(const Outline& outline) {
    std::string table;
    for (const Statement& layer : outline.layers)
        if (const double scale = real_of(*layer.node->node, "lr_scale", 1);
            scale != 1 && !layer.shared)
            for (const auto& [name, shape] : layer.node->facts.weight_shapes)
                table += fmt::format("{}{}: {}", table.empty() ? "" : ", ",
                                     quoted(layer.member + "." + name), py_number(scale));
    return table;
}

std::string optimizer_code(const Outline& outline) {
    const Node& node = *outline.inference.at(outline.optimizers.at(0)).node;
    const auto real = [&](const char* id) {
        return py_number(std::get<double>(node.params.at(id)));
    };
    const std::string clipping = clipping_code(node), rates = rates_table(outline);
    const std::string rate =
        real("lr") + " * rate" + (rates.empty() ? "" : " * RATES.get(name, 1.0)");
    // Biases and scales may be left out of the decay.
    const std::string decay =
        real("weight_decay") +
        (text_of(node, "decay_on") == "matrices" ? " * (params[name].ndim > 1)" : "");
    std::string code =
        rates.empty()
            ? std::string()
            : "# Factors on the learning rate of some weights.\nRATES = {" + rates + "}\n\n\n";
    if (node.type == "SGD") {
        code +=
            "def init_optimizer(params):\n"
            "    return {\"step\": 0, \"velocity\": {name: jnp.zeros_like(params[name]) for name "
            "in TRAINED}}\n\n\n"
            "def update(params, gradients, optimizer, rate):\n"
            "    \"\"\"SGD as PyTorch has it.\"\"\"\n" +
            clipping +
            "    new, velocity, first = dict(params), {}, optimizer[\"step\"] == 0\n"
            "    for name, gradient in gradients.items():\n"
            "        gradient = gradient + " +
            decay +
            " * params[name]\n"
            "        moved = " +
            real("momentum") + " * optimizer[\"velocity\"][name] + (1 - " + real("dampening") +
            ") * gradient\n"
            "        velocity[name] = jnp.where(first, gradient, moved)\n";
        code += std::get<bool>(node.params.at("nesterov"))
                    ? "        step = gradient + " + real("momentum") + " * velocity[name]\n"
                    : std::string("        step = velocity[name]\n");
        code += "        new[name] = params[name] - " + rate +
                " * step\n"
                "    return new, {\"step\": optimizer[\"step\"] + 1, \"velocity\": velocity}";
        return code;
    }
    const bool decoupled = node.type == "AdamW";
    code += "def init_optimizer(params):\n"
            "    zeros = {name: jnp.zeros_like(params[name]) for name in TRAINED}\n"
            "    return {\"step\": 0, \"mean\": zeros, \"square\": zeros}\n\n\n"
            "def update(params, gradients, optimizer, rate):\n"
            "    \"\"\"" +
            node.type + " as PyTorch has it.\"\"\"\n" + clipping +
            "    new, means, squares, step = dict(params), {}, {}, optimizer[\"step\"] + 1\n"
            "    for name, gradient in gradients.items():\n"
            "        weight = params[name]\n";
    code += decoupled ? "        weight = weight * (1 - " + rate + " * " + decay + ")\n"
                      : "        gradient = gradient + " + decay + " * weight\n";
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
            rate +
            " * mean / size\n"
            "    return new, {\"step\": step, \"mean\": means, \"square\": squares}";
    return code;
}

std::string keras_optimizer(const Outline& outline) {
    const Node& node = *outline.inference.at(outline.optimizers.at(0)).node;
    const auto real = [&](const char* id) {
        return py_number(std::get<double>(node.params.at(id)));
    };
    std::string more;
    if (const double clip = real_of(node, "clip_grad_norm", 0); clip > 0)
        more = ", global_clipnorm=" + py_number(clip);
    if (const double clip = real_of(node, "clip_grad_value", 0); clip > 0)
        more = ", clipvalue=" + py_number(clip);
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

/// Weights that the optimizer moves, by the names of the script.
std::vector<std::string> trained_names(const Outline& outline, const std::string& optimizer) {
    std::vector<std::string> result;
    for (const std::string& id : outline.trained_by(optimizer)) {
        const Inferred& node = outline.inference.at(id);
        const auto frozen = node.node->params.find("frozen");
        if (frozen != node.node->params.end() && std::get<bool>(frozen->second)) continue;
        for (const auto& [name, shape] : node.facts.weight_shapes)
            result.push_back(outline.members.at(id) + "." + name);
    }
    return result;
}

/// The groups as functions, and the network that calls them.
struct Functions {
    SourceText text;
    ArrayBody network;
};

Functions functions_of(const Outline& outline, ArrayWriter& writer, Dialect dialect) {
    const bool jax = dialect == Dialect::Jax;
    const std::vector<Unit> units = units_of(outline);
    Functions result;
    std::set<std::string> taken{"forward",
                                "losses",
                                "train",
                                "verify",
                                "update",
                                "loss_of",
                                "read",
                                "train_step",
                                "network",
                                "check",
                                "key_of",
                                "jax",
                                "keras",
                                "ops",
                                "np",
                                "jnp",
                                "sys",
                                "make_optimizer",
                                "argparse",
                                "hashlib",
                                "difference",
                                "fingerprint",
                                "init_optimizer",
                                "changed_weights"};
    for (const script::ArrayWord& word : script::kArrayWords)
        taken.insert(std::string(word.op));
    std::map<std::string, std::string> known; // a body is one function, however often it stands
    std::vector<std::string> names;
    for (std::size_t i = 0; i + 1 < units.size(); ++i) {
        const ArrayBody body = writer.body(units[i], false, names);
        std::string lines;
        for (const auto& [line, node] : body.lines)
            lines += line + "\n";
        auto [place, fresh] = known.try_emplace(units[i].name + "\n" + lines);
        if (fresh) {
            const std::string wish =
                identifier(units[i].name).empty() ? "group" : identifier(units[i].name);
            place->second = wish;
            for (int number = 2;
                 python_keyword(place->second) || !taken.insert(place->second).second; ++number)
                place->second = fmt::format("{}_{}", wish, number);
            result.text.block(fmt::format(
                "\n\ndef {}({}, prefix, {}, {}):\n    \"\"\"The group {}; the names of its weights "
                "begin with `prefix`.\"\"\"",
                place->second, jax ? "params" : "w", joined(body.inputs),
                jax ? "training, key, state, values" : "training, drop, values",
                identifier(units[i].name)));
            std::string kept;
            for (const auto& [member, variable] : body.kept)
                kept += fmt::format("{}{}: {}", kept.empty() ? "" : ", ", quoted(member), variable);
            for (const auto& [line, node] : body.lines)
                result.text.line("    " + line, node);
            result.text.block("    if values is not None:\n        for name, value in {" + kept +
                              "}.items():\n            values.setdefault(prefix + name, value)");
            result.text.line("    return " + joined(body.results));
        }
        names.push_back(place->second);
    }
    result.network = writer.body(units.back(), true, names);
    return result;
}

/// The script; without `exported` a preview: no proof and no data.
SourceText source(const Outline& outline, const Trace& traced, const ExportOptions& options,
                  const Exported* exported, const DataExport* data, Dialect dialect) {
    const bool jax = dialect == Dialect::Jax;
    const auto writer = make_array_writer(outline, traced, dialect);
    const Functions functions = functions_of(outline, *writer, dialect);
    const ArrayBody& network = functions.network;
    const auto losses = writer->losses();

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
    const std::string& optimizer = outline.optimizers.at(0);
    const Node& optimizer_node = *outline.inference.at(optimizer).node;
    const Training& training = outline.graph.training();
    const train::Schedule schedule = schedule_of(optimizer_node);
    std::string factors, trained;
    for (std::int64_t epoch = 0; epoch < training.epochs; ++epoch)
        factors += fmt::format("{}{:.9g}", epoch == 0 ? "" : ", ",
                               schedule.factor(epoch, training.epochs));
    for (const std::string& name : trained_names(outline, optimizer))
        trained += (trained.empty() ? "" : ", ") + quoted(name);

    std::string head_doc;
    for (const char c : outline.title)
        head_doc += c == '"' ? '\'' : c == '\\' ? '/' : c;
    const std::string file = std::filesystem::path(options.path).filename().string();
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
        head_doc, options.project.empty() ? "a project" : options.project, jax ? "JAX" : "Keras 3",
        file, file,
        jax ? "import jax\nimport jax.numpy as jnp\nimport numpy as np"
            : "import keras\nimport numpy as np\nfrom keras import ops",
        quoted(std::filesystem::path(options.path).stem().string()), training.epochs,
        training.batch_size, training.seed, joined(batch), trained));
    text.line("FACTORS = [" + factors + "]  # on the learning rate, epoch by epoch", optimizer);
    if (data)
        for (const std::string& reason : data->reason)
            text.line("# " + reason);
    for (const std::string& definition : writer->definitions()) {
        text.block("\n");
        text.block(definition);
    }
    const std::vector<std::string>& results = network.results;
    const std::string indent = jax ? "    " : "        ";
    std::string kept;
    for (const auto& [member, variable] : network.kept)
        kept += fmt::format("{}        {}: {},\n", indent, quoted(member), variable);
    if (jax)
        text.block("\n\ndef key_of(key, number):\n"
                   "    return None if key is None else jax.random.fold_in(key, number)");
    for (std::size_t i = 0; i < functions.text.lines().size(); ++i)
        text.line(functions.text.lines()[i], functions.text.nodes()[i]);
    if (jax) {
        text.block(
            fmt::format("\n\ndef forward(params, {}, training=False, key=None, values=None):\n"
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
    for (const auto& [line, node] : network.lines)
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
                             writer->name(traced.node_outputs.at(loss.id).at(0)));
    text.line(indent + "return {" + named + "}");
    if (jax) {
        text.block("\n\n" + optimizer_code(outline), {}, optimizer);
    } else {
        text.block(fmt::format("\n    def call(self, batch, training=False):\n"
                               "        return self.forward({}, training=training)\n\n"
                               "    def compute_loss(self, x=None, y=None, y_pred=None, "
                               "sample_weight=None, training=True):\n"
                               "        batch = x\n"
                               "        return sum(self.losses(y_pred{}).values())",
                               joined(batch_arguments), more(batch_targets)));
        text.block(fmt::format("\n\nRATE = {}\n\n\ndef make_optimizer():\n    return {}",
                               py_number(std::get<double>(optimizer_node.params.at("lr"))),
                               keras_optimizer(outline)),
                   {}, optimizer);
    }
    if (exported) {
        text.block("\n\n# What Wiregrad computed with the exported weights (fingerprints: size, "
                   "length, mixed sum).\nCERTIFICATE = " +
                   certificate_json(exported->certificate));
    } else {
        text.block("\n\n# The proof (what Wiregrad computed), the weights and the samples are "
                   "written on export.\nCERTIFICATE = {\"weights\": TRAINED, \"outputs\": {}, "
                   "\"losses\": []}");
    }
    text.block(script::kArraysCompare);
    text.block(jax ? script::kJaxTail : script::kKerasTail,
               {{"BATCH_ARGUMENTS", joined(batch_arguments)},
                {"TARGETS", more(batch_targets)},
                {"FIRST_ARGUMENTS", joined(first)},
                {"FIRST_TARGETS", more(first_targets)}});
    return text;
}

void check_trains(const Outline& outline, Dialect dialect) {
    if (!outline.trains())
        throw ValueError(fmt::format("a {} script needs a loss and an optimizer",
                                     dialect == Dialect::Jax ? "JAX" : "Keras"));
    refuse_what_is_missing(outline, dialect);
}

std::vector<ExportFile> export_arrays(const Graph& graph, const ExportOptions& options,
                                      Dialect dialect) {
    const Outline outline(graph);
    check_trains(outline, dialect);
    const Exported exported = certify(outline, options.weights);
    const Trace traced = trace(outline, weights_of(outline, options.weights), true);
    const DataExport data = export_data(outline, exported.plan, options);
    const SourceText text = source(outline, traced, options, &exported, &data, dialect);
    std::vector<ExportFile> files = data.files;
    files.push_back(
        {file_beside(options.path, ".weights.npz"), io::encode_npz(exported.weights), "weights"});
    files.push_back({file_beside(options.path, ".samples.npz"),
                     io::encode_npz(exported.certificate.samples, true), "samples of the proof"});
    files.push_back({options.path, bytes_of(text.text()), "script"});
    return files;
}

SourceText preview_arrays(const Graph& graph, Dialect dialect) {
    const Outline outline(graph);
    check_trains(outline, dialect);
    ExportOptions options;
    options.path = "network.py";
    return source(outline, trace(outline, weights_of(outline, {}), true), options, nullptr, nullptr,
                  dialect);
}

} // namespace

std::vector<ExportFile> export_jax(const Graph& graph, const ExportOptions& options) {
    return export_arrays(graph, options, Dialect::Jax);
}
std::vector<ExportFile> export_keras(const Graph& graph, const ExportOptions& options) {
    return export_arrays(graph, options, Dialect::Keras);
}
SourceText preview_jax(const Graph& graph) {
    return preview_arrays(graph, Dialect::Jax);
}
SourceText preview_keras(const Graph& graph) {
    return preview_arrays(graph, Dialect::Keras);
}

} // namespace wiregrad::graph

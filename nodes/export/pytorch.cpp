// The PyTorch script: network, data, training loop and proof, as a person would have written them.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "engine/core/error.h"
#include "engine/io/npz.h"
#include "nodes/export/certificate.h"
#include "nodes/export/data.h"
#include "nodes/export/export.h"
#include "nodes/export/names.h"
#include "nodes/export/outline.h"
#include "nodes/export/pytorch_text.h"
#include "nodes/export/units.h"

namespace wiregrad::graph {

namespace {

std::string joined(const std::vector<std::string>& parts, const char* between = ", ") {
    std::string text;
    for (const std::string& part : parts)
        text += (text.empty() ? "" : between) + part;
    return text;
}

Emitted emitted(const Outline& outline, const Statement& statement) {
    const NodeType& type = *statement.node->type;
    if (!type.pytorch)
        throw ValueError(fmt::format("{} has no counterpart in PyTorch", type.label), statement.id);
    return type.pytorch(outline.context(statement));
}

/// What a node's line computes is what its module hands out: only then a hook on the module sees
/// the node's value.
bool plain_call(const Emitted& source) {
    constexpr std::string_view kSelf = "{self}(";
    if (source.init.empty() || !source.call.starts_with(kSelf)) return false;
    int depth = 1;
    std::size_t i = kSelf.size();
    for (; i < source.call.size() && depth > 0; ++i)
        depth += source.call[i] == '(' ? 1 : source.call[i] == ')' ? -1 : 0;
    const std::string rest = source.call.substr(i);
    return rest.empty() || rest == "[0]";
}

/// A preview has no proof: nothing of it is spoken of.
std::string without_proof(std::string_view text) {
    std::string result;
    for (std::size_t start = 0; start < text.size();) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        const std::string_view line = text.substr(start, end - start);
        if (line.find("verify") == std::string_view::npos &&
            line.find("hashlib") == std::string_view::npos &&
            line.find("SAMPLES =") == std::string_view::npos)
            result += std::string(line) + "\n";
        start = end + 1;
    }
    return result;
}

/// "block.0.conv" -> "block[0].conv"
std::string python_path(const std::string& member) {
    std::string result;
    for (std::size_t begin = 0; begin <= member.size();) {
        const std::size_t end = std::min(member.find('.', begin), member.size());
        const std::string part = member.substr(begin, end - begin);
        if (!part.empty() && part[0] >= '0' && part[0] <= '9')
            result += "[" + part + "]";
        else
            result += (result.empty() ? "" : ".") + part;
        begin = end + 1;
    }
    return result;
}

class Writer {
  public:
    explicit Writer(const Outline& outline) : outline_(outline), units_(units_of(outline)) {
        for (const Value& value : outline.batch_values(outline.losses))
            targets_.push_back(value);
        for (const Value& value : outline.batch_values(outline.metrics))
            if (std::find(targets_.begin(), targets_.end(), value) == targets_.end())
                targets_.push_back(value);
        for (const Statement& layer : outline.layers)
            sources_.push_back(emitted(outline, layer));
    }

    SourceText write(const ExportOptions& options, const Exported* exported,
                     const DataExport* data) {
        head(options, exported, data);
        network();
        if (outline_.trains()) training(exported);
        if (exported) proof(exported->certificate);
        if (exported)
            text_.block(outline_.trains() ? script::kMainTrain : script::kMainVerify, words_);
        else if (outline_.trains())
            text_.block(without_proof(script::kMainTrain), words_);
        return std::move(text_);
    }

    /// Certificate lines only for nodes whose value a hook can see.
    bool visible(const std::string& member) const {
        for (std::size_t i = 0; i < outline_.layers.size(); ++i)
            if (outline_.layers[i].member == member) return plain_call(sources_[i]);
        return false;
    }

  private:
    std::vector<std::string> names(const std::vector<Value>& values) const {
        std::vector<std::string> result;
        for (const Value& value : values)
            result.push_back(outline_.argument(value).name);
        return result;
    }
    std::vector<std::string> all_batch_names() const {
        std::vector<std::string> result;
        for (const Argument& argument : outline_.batch)
            result.push_back(argument.name);
        return result;
    }

    void head(const ExportOptions& options, const Exported* exported, const DataExport* data) {
        const std::string file = std::filesystem::path(options.path).filename().string();
        const std::string stem = std::filesystem::path(options.path).stem().string();
        const auto doc = [](std::string text) { // inside a docstring
            std::string result;
            for (const char c : text)
                result += c == '\\' ? std::string("\\\\") : c == '"' ? "'" : std::string(1, c);
            return result;
        };
        std::string description = doc(outline_.graph.description());
        if (!description.empty()) description = "\n\n" + description;
        bool functional = false, math = false;
        const auto look = [&](const Emitted& source) {
            functional = functional || source.init.find("F.") != std::string::npos ||
                         source.call.find("F.") != std::string::npos;
            math = math || source.init.find("math.") != std::string::npos ||
                   source.call.find("math.") != std::string::npos;
        };
        for (const Emitted& source : sources_)
            look(source);
        for (const auto* list : {&outline_.losses, &outline_.metrics})
            for (const Statement& statement : *list)
                look(emitted(outline_, statement));
        const Training& training = outline_.graph.training();
        std::string loss_names;
        for (const Statement& loss : outline_.losses)
            loss_names += (loss_names.empty() ? "" : ", ") + quoted(loss.member);
        const std::int64_t steps =
            exported && exported->plan.train ? exported->plan.train->batches_per_epoch() : 1;
        words_ = {{"TITLE", doc(outline_.title)},
                  {"DESCRIPTION", description},
                  {"PROJECT", doc(options.project.empty() ? "a project" : options.project)},
                  {"FILE", doc(file)},
                  {"STEM", stem},
                  {"STEM_TEXT", quoted(stem)},
                  {"MATH", math ? "import math\n" : ""},
                  {"FUNCTIONAL", functional ? "from torch.nn import functional as F\n" : ""},
                  {"EPOCHS", std::to_string(training.epochs)},
                  {"BATCH_SIZE", std::to_string(training.batch_size)},
                  {"SEED", std::to_string(training.seed)},
                  {"DEVICE", quoted(training.device)},
                  {"BATCH", joined(all_batch_names())},
                  {"FIRST", outline_.batch.empty() ? "x" : outline_.batch[0].name},
                  {"ARGUMENTS", joined(names(outline_.arguments))},
                  {"BATCH_NAMES", ""},
                  {"STEPS", std::to_string(steps)},
                  {"LOSS_NAMES", loss_names},
                  {"TARGETS", targets_.empty() ? "" : ", " + joined(names(targets_))}};
        std::string batch_names;
        for (const std::string& name : all_batch_names())
            batch_names += (batch_names.empty() ? "" : ", ") + quoted(name);
        if (outline_.batch.size() == 1) batch_names += ",";
        for (auto& [word, value] : words_)
            if (word == "BATCH_NAMES") value = batch_names;
        const char* head = outline_.trains() ? script::kHeadTrain : script::kHeadVerify;
        text_.block(exported ? std::string(head) : without_proof(head), words_);
        if (outline_.trains()) {
            text_.line("");
            for (const std::string& line : data ? data->reason : std::vector<std::string>{})
                text_.line("# " + line);
            text_.block(script::kDataConstants, words_);
        }
    }

    /// "self.conv1(x)" of a statement, inputs as `name` says.
    template <class Name>
    std::string expression(const Statement& statement, const Emitted& source, Name name) const {
        std::vector<std::string> inputs;
        for (const Value& value : statement.inputs)
            inputs.push_back(name(value));
        std::string text = fill(source.call, inputs,
                                "self." + statement.member.substr(statement.member.rfind('.') + 1));
        // A folded expression carries parentheses that stand alone on a line.
        if (text.size() > 2 && text.front() == '(' && text.back() == ')') {
            int depth = 0;
            bool whole = true;
            for (std::size_t i = 0; i + 1 < text.size(); ++i) {
                depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
                whole = whole && depth > 0;
            }
            if (whole) text = text.substr(1, text.size() - 2);
        }
        return text;
    }

    const Emitted& source_of(const Statement& layer) const {
        return sources_[static_cast<std::size_t>(&layer - outline_.layers.data())];
    }

    /// What a group is made of in __init__: one module, or one a repetition.
    std::string made(const Call& call) const {
        std::vector<std::string> made;
        for (const std::size_t unit : call.units)
            made.push_back(classes_[unit] + "()");
        if (made.size() == 1 || call.shared) return made[0];
        if (std::count(made.begin(), made.end(), made[0]) == std::ptrdiff_t(made.size()))
            return fmt::format("nn.ModuleList({} for _ in range({}))", made[0], made.size());
        return "nn.ModuleList([" + joined(made) + "])";
    }

    /// The lines that call a group, in forward.
    void call_group(const Call& call, const std::map<Value, std::string>& names,
                    SourceText& text) const {
        std::vector<std::string> inputs, outputs;
        for (const Value& value : call.inputs)
            inputs.push_back(names.at(value));
        for (const Value& value : call.outputs)
            outputs.push_back(names.at(value));
        const std::string left = outputs.empty() ? "" : joined(outputs) + " = ";
        if (call.units.size() == 1) {
            text.line(fmt::format("        {}self.{}({})", left, call.member, joined(inputs)),
                      call.node);
            return;
        }
        // What comes out of one repetition goes into the next.
        for (std::size_t i = 0; i < inputs.size(); ++i)
            for (std::size_t k = 0; k < outputs.size(); ++k)
                if (call.input_ports[i] == call.output_ports[k] && inputs[i] != outputs[k]) {
                    text.line(fmt::format("        {} = {}", outputs[k], inputs[i]), call.node);
                    inputs[i] = outputs[k];
                }
        text.line(call.shared ? fmt::format("        for _ in range({}):", call.units.size())
                              : fmt::format("        for part in self.{}:", call.member),
                  call.node);
        text.line(fmt::format("            {}{}({})", left,
                              call.shared ? "self." + call.member : std::string("part"),
                              joined(inputs)),
                  call.node);
    }

    /// __init__ and forward of one body.
    SourceText body(const Unit& unit, bool network) const {
        SourceText text;
        text.line("    def __init__(self):");
        text.line("        super().__init__()");
        for (const Call& call : unit.calls) {
            if (!call.layer)
                text.line("        self." + call.member + " = " + made(call), call.node);
            else
                member(*call.layer, source_of(*call.layer), text);
        }
        if (network)
            for (const auto* list : {&outline_.losses, &outline_.metrics})
                for (const Statement& statement : *list)
                    member(statement, emitted(outline_, statement), text);
        text.line("");
        const std::map<Value, std::string> names = local_names(outline_, unit);
        const auto local = [&](const Value& value) { return names.at(value); };
        std::vector<std::string> arguments{"self"}, results;
        for (const Value& value : unit.inputs)
            arguments.push_back(names.at(value));
        text.line("    def forward(" + joined(arguments) + "):");
        for (const Call& call : unit.calls) {
            if (!call.layer) {
                call_group(call, names, text);
                continue;
            }
            std::vector<std::string> targets;
            for (const Value& value : call.outputs)
                targets.push_back(names.at(value));
            text.line("        " + joined(targets) + " = " +
                          expression(*call.layer, source_of(*call.layer), local),
                      call.layer->id);
        }
        for (const Value& value : unit.results)
            results.push_back(names.at(value));
        text.line("        return " + joined(results));
        return text;
    }

    void add_class(const std::string& name, const std::string& help, const SourceText& body) {
        text_.line("");
        text_.line("");
        text_.line("class " + name + "(nn.Module):");
        text_.line("    \"\"\"" + help + ".\"\"\"");
        text_.line("");
        for (std::size_t i = 0; i < body.lines().size(); ++i)
            text_.line(body.lines()[i], body.nodes()[i]);
    }

    void network() {
        std::set<std::string> taken{"Net",
                                    "HERE",
                                    "STEM",
                                    "EPOCHS",
                                    "SEED",
                                    "Path",
                                    "F",
                                    "LOSSES",
                                    "DataLoader",
                                    "TensorDataset",
                                    "DistributedSampler"};
        std::map<std::string, std::string> known; // a body is one class, however often it stands
        for (std::size_t i = 0; i + 1 < units_.size(); ++i) {
            const Unit& unit = units_[i];
            const SourceText text = body(unit, false);
            std::string wish = class_name(unit.name);
            auto [place, fresh] = known.try_emplace(unit.name + "\n" + text.text());
            if (fresh) {
                wish = wish.empty() ? "Group" : wish;
                place->second = wish;
                for (int number = 2; !taken.insert(place->second).second; ++number)
                    place->second = fmt::format("{}{}", wish, number);
                std::string help;
                for (const char c : unit.help.empty() ? unit.name : unit.help)
                    help += c == '"' ? '\'' : c == '\\' ? '/' : c == '\n' ? ' ' : c;
                while (!help.empty() && help.back() == '.')
                    help.pop_back();
                add_class(place->second, help, text);
            }
            classes_.push_back(place->second);
        }
        add_class("Net", words_[0].second, body(units_.back(), true));
        if (outline_.losses.empty()) return;
        table("losses", "What training makes small, by name.", outline_.losses);
        table("metrics", "What people look at, by name: means over the batch.", outline_.metrics);
    }

    void member(const Statement& statement, const Emitted& source, SourceText& text) const {
        if (source.init.empty() || (statement.shared && !groups_can_nest(outline_.graph))) return;
        text.line("        self." + statement.member.substr(statement.member.rfind('.') + 1) +
                      " = " + source.init +
                      (flag(statement.id, "frozen") ? ".requires_grad_(False)" : ""),
                  statement.id);
    }

    /// A method that gives a dictionary of losses or metrics.
    void table(const char* name, const char* help, const std::vector<Statement>& list) {
        text_.line("");
        text_.line(fmt::format("    def {}(self, output{}):", name,
                               targets_.empty() ? "" : ", " + joined(names(targets_))));
        text_.line(fmt::format("        \"\"\"{}\"\"\"", help));
        if (list.empty()) {
            text_.line("        return {}");
            return;
        }
        std::map<Value, std::string> result_names;
        if (outline_.results.size() == 1) {
            result_names[outline_.results[0]] = "output";
        } else {
            Names taken({"output", "self"});
            for (const Argument& argument : outline_.batch)
                taken.claim(argument.name);
            std::vector<std::string> unpacked;
            for (const Value& value : outline_.results) {
                result_names[value] = taken.claim(identifier(outline_.members.at(value.node)));
                unpacked.push_back(result_names[value]);
            }
            text_.line("        " + joined(unpacked) + " = output");
        }
        const auto value_name = [&](const Value& value) {
            return outline_.is_argument(value) ? outline_.argument(value).name
                                               : result_names.at(value);
        };
        text_.line("        return {");
        for (const Statement& statement : list)
            text_.line(fmt::format("            {}: {},", quoted(statement.member),
                                   expression(statement, emitted(outline_, statement), value_name)),
                       statement.id);
        text_.line("        }");
    }

    double real_or(const std::string& node, const char* id, double standard) const {
        const Params& params = outline_.inference.at(node).node->params;
        const auto found = params.find(id);
        return found == params.end() ? standard : std::get<double>(found->second);
    }
    bool choice_is(const std::string& node, const char* id, const char* value) const {
        const Params& params = outline_.inference.at(node).node->params;
        const auto found = params.find(id);
        return found != params.end() && std::get<std::string>(found->second) == value;
    }
    bool flag(const std::string& node, const char* id) const {
        const Params& params = outline_.inference.at(node).node->params;
        const auto found = params.find(id);
        return found != params.end() && std::get<bool>(found->second);
    }
    std::int64_t accumulated() const {
        std::int64_t most = 1;
        for (const std::string& id : outline_.optimizers) {
            const Params& params = outline_.inference.at(id).node->params;
            if (const auto found = params.find("accumulate"); found != params.end())
                most = std::max(most, std::get<std::int64_t>(found->second));
        }
        return most;
    }

    /// What is handed to the optimizer: all weights, or groups where some learn otherwise.
    std::string groups(const std::string& optimizer) const {
        const bool matrices = choice_is(optimizer, "decay_on", "matrices");
        std::map<double, std::vector<std::string>> by_scale;
        for (const std::string& id : outline_.trained_by(optimizer))
            by_scale[real_or(id, "lr_scale", 1)].push_back(
                "*net." + python_path(outline_.members.at(id)) + ".parameters()");
        if (!matrices && by_scale.size() <= 1 && (by_scale.empty() || by_scale.begin()->first == 1))
            return trained(optimizer);
        std::string text;
        for (const auto& [scale, members] : by_scale) {
            const std::string rate = value_text(real_or(optimizer, "lr", 1e-3) * scale);
            const std::string list = "[" + joined(members) + "]";
            const auto add = [&](const std::string& weights, const std::string& more) {
                text += fmt::format("{}{{\"params\": {}, \"lr\": {}{}}}", text.empty() ? "" : ", ",
                                    weights, rate, more);
            };
            if (matrices) {
                add("[w for w in " + list + " if w.dim() > 1]", "");
                add("[w for w in " + list + " if w.dim() < 2]", ", \"weight_decay\": 0.0");
            } else {
                add(list, "");
            }
        }
        return "[" + text + "]";
    }

    /// "net.parameters()", or those of the layers it trains.
    std::string trained(const std::string& optimizer) const {
        const std::vector<std::string> own = outline_.trained_by(optimizer);
        const auto with_weights = std::count_if(
            outline_.layers.begin(), outline_.layers.end(),
            [](const Statement& layer) { return layer.node->facts.weights > 0 && !layer.shared; });
        if (own.size() == static_cast<std::size_t>(with_weights)) return "net.parameters()";
        std::string list;
        for (const std::string& id : own)
            list += (list.empty() ? "" : ", ") +
                    fmt::format("*net.{}.parameters()", python_path(outline_.members.at(id)));
        return "[" + list + "]";
    }

    std::string schedule(const std::string& id, std::size_t index, const Exported* exported) const {
        const Node& node = *outline_.inference.at(id).node;
        const std::vector<TensorMeta> none;
        const std::vector<int> counts;
        const BuildContext params{node.params, none, counts};
        const std::string of = fmt::format("optimizers[{}]", index);
        const Inferred& inferred = outline_.inference.at(id);
        const std::string source =
            inferred.type->pytorch({node.params, inferred.inputs, inferred.counts}).call;
        if (!source.empty()) {
            std::string text;
            for (std::size_t i = 0; i < source.size(); ++i) {
                const auto word = [&](std::string_view mark, const std::string& value) {
                    if (source.compare(i, mark.size(), mark) != 0) return false;
                    text += value;
                    i += mark.size() - 1;
                    return true;
                };
                if (!word("{self}", of) && !word("{epochs}", "epochs") && !word("{steps}", "steps"))
                    text += source[i];
            }
            return text;
        }
        const std::string kind =
            node.params.contains("schedule") ? params.text("schedule") : "constant";
        const char* scheduler = "torch.optim.lr_scheduler.";
        if (kind == "constant") return {};
        if (kind == "step")
            return fmt::format("{}StepLR({}, step_size={}, gamma={})", scheduler, of,
                               params.integer("step_size"), value_text(params.real("gamma")));
        if (kind == "cosine") {
            const std::int64_t length = params.integer("t_max");
            return fmt::format("{}CosineAnnealingLR({}, T_max={}, eta_min={})", scheduler, of,
                               length > 0 ? std::to_string(length) : "epochs",
                               value_text(params.real("eta_min")));
        }
        // Whatever else there is comes as its factors, epoch by epoch.
        if (!exported || index >= exported->plan.optimizers.size()) return {};
        std::string factors;
        const std::int64_t epochs = exported->plan.epochs;
        for (std::int64_t epoch = 0; epoch < epochs; ++epoch)
            factors += fmt::format("{}{:.9g}", epoch == 0 ? "" : ", ",
                                   exported->plan.optimizers[index].schedule.factor(epoch, epochs));
        return fmt::format("{}LambdaLR({}, lambda epoch: [{}][min(epoch, {})])", scheduler, of,
                           factors, epochs - 1);
    }

    void training(const Exported* exported) {
        text_.line("");
        text_.line("");
        text_.line("def make_optimizers(net):");
        text_.line("    return [");
        for (const std::string& id : outline_.optimizers) {
            const Inferred& node = outline_.inference.at(id);
            if (!node.type->pytorch)
                throw ValueError(fmt::format("{} has no counterpart in PyTorch", node.type->label),
                                 id);
            std::string call =
                node.type->pytorch({node.node->params, node.inputs, node.counts}).init;
            const std::string mark = "{params}";
            call.replace(call.find(mark), mark.size(), groups(id));
            text_.line("        " + call + ",", id);
        }
        text_.line("    ]");
        text_.line("");
        text_.line("");
        text_.line("def make_schedules(optimizers, epochs, steps):");
        text_.line("    \"\"\"How the learning rates move in so many epochs and steps.\"\"\"");
        std::vector<std::pair<std::string, std::string>> schedules;
        for (std::size_t i = 0; i < outline_.optimizers.size(); ++i)
            if (const std::string text = schedule(outline_.optimizers[i], i, exported);
                !text.empty())
                schedules.emplace_back(text, outline_.optimizers[i]);
        text_.line(schedules.empty() ? "    return []" : "    return [");
        for (const auto& [text, id] : schedules)
            text_.line("        " + text + ",", id);
        if (!schedules.empty()) text_.line("    ]");
        step();
        text_.block(script::kTraining, words_);
    }

    std::string loss_sum(const std::string& optimizer) const {
        std::vector<std::string> terms;
        for (const std::string& loss : outline_.losses_of(optimizer))
            terms.push_back("losses[" + quoted(outline_.members.at(loss)) + "]");
        return joined(terms, " + ");
    }

    void step() {
        text_.line("");
        text_.line("");
        const bool several = outline_.optimizers.size() > 1;
        const std::int64_t gather = accumulated();
        if (gather > 1 && several)
            throw ValueError("gathering gradients for two optimizers is not written out");
        const std::string deeper = gather > 1 ? "        " : "    ";
        text_.line(fmt::format("def train_step(net, model, optimizers, {}):",
                               gather > 1 ? "*batches" : "batch"));
        text_.line("    \"\"\"One update; gives the losses and metrics before it.\"\"\"");
        text_.line("    for optimizer in optimizers:");
        text_.line("        optimizer.zero_grad(set_to_none=True)");
        if (gather > 1) text_.line("    for batch in batches:");
        text_.line(deeper + joined(all_batch_names()) +
                   (outline_.batch.size() == 1 ? ", = batch" : " = batch"));
        text_.line(deeper + "output = model(" + joined(names(outline_.arguments)) + ")");
        text_.line(deeper + fmt::format("losses = net.losses(output{})",
                                        targets_.empty() ? "" : ", " + joined(names(targets_))));
        for (std::size_t i = 0; i < outline_.optimizers.size(); ++i) {
            const std::string& id = outline_.optimizers[i];
            const std::string sum = loss_sum(id);
            if (several)
                text_.line(fmt::format("    set_gradients(optimizers[{}], {})", i, sum), id);
            else
                text_.line(deeper +
                               (gather > 1 ? "((" + sum + ") / len(batches))"
                                : sum.find(" + ") != std::string::npos ? "(" + sum + ")"
                                                                       : sum) +
                               ".backward()",
                           id);
        }
        for (const std::string& id : outline_.optimizers)
            if (const double limit = real_or(id, "clip_grad_value", 0); limit > 0)
                text_.line(fmt::format("    nn.utils.clip_grad_value_({}, {})", trained(id),
                                       value_text(limit)),
                           id);
        for (std::size_t i = 0; i < outline_.optimizers.size(); ++i) {
            const std::string& id = outline_.optimizers[i];
            const auto& params = outline_.inference.at(id).node->params;
            const auto clip = params.find("clip_grad_norm");
            if (clip != params.end() && std::get<double>(clip->second) > 0)
                text_.line(fmt::format("    nn.utils.clip_grad_norm_({}, {})", trained(id),
                                       value_text(clip->second)),
                           id);
        }
        text_.line("    for optimizer in optimizers:");
        text_.line("        optimizer.step()");
        text_.line("    with torch.no_grad():");
        text_.line(fmt::format("        metrics = net.metrics(output{})",
                               targets_.empty() ? "" : ", " + joined(names(targets_))));
        text_.line("    return losses, metrics");
        if (several) text_.block(script::kSetGradients);
        // Layers that only a metric looks at get no gradient.
        std::set<std::string> reached;
        for (const std::string& id : outline_.optimizers)
            for (const std::string& layer : outline_.trained_by(id))
                reached.insert(layer);
        const bool unused = std::any_of(outline_.layers.begin(), outline_.layers.end(),
                                        [&](const Statement& layer) {
                                            return layer.node->facts.weights > 0 && !layer.shared &&
                                                   !reached.contains(layer.id);
                                        });
        double average = 0;
        for (const std::string& id : outline_.optimizers)
            average = std::max(average, real_or(id, "ema_decay", 0));
        const std::string update =
            average > 0 ? "            average.update_parameters(net)\n" : std::string();
        words_.emplace_back(
            "LOOP",
            gather > 1
                ? fmt::format(
                      "        gathered = []\n"
                      "        for number, batch in enumerate(batches, 1):\n"
                      "            gathered.append([tensor.to(device) for tensor in batch])\n"
                      "            if len(gathered) < {} and number < len(batches):\n"
                      "                continue\n"
                      "            losses, metrics = train_step(net, model, optimizers, "
                      "*gathered)\n            gathered = []\n",
                      gather) +
                      update
                : "        for number, batch in enumerate(batches, 1):\n"
                  "            losses, metrics = train_step(net, model, optimizers, "
                  "[tensor.to(device) "
                  "for tensor in batch])\n" +
                      update);
        words_.emplace_back(
            "AVERAGE",
            average > 0
                ? fmt::format(
                      "    # A moving average of the weights, which is what is evaluated and "
                      "saved.\n"
                      "    average = torch.optim.swa_utils.AveragedModel(net, avg_fn=lambda "
                      "mean, weight, count: {0} * mean + (1 - {0}) * weight)\n"
                      "    average.n_averaged += 1\n",
                      value_text(average))
                : std::string());
        words_.emplace_back("NET", average > 0 ? "average.module" : "net");
        words_.emplace_back("DDP", several ? "net"
                                   : unused
                                       ? "nn.parallel.DistributedDataParallel(net, "
                                         "find_unused_parameters=True) if world > 1 else net"
                                       : "nn.parallel.DistributedDataParallel(net) if world > 1 "
                                         "else net");
    }

    void proof(const Certificate& certificate) {
        text_.block(script::kProofHead);
        text_.block("CERTIFICATE = " + certificate_json(certificate));
        text_.block(script::kCompare, words_);
        text_.block(outline_.trains() ? script::kVerifyTrain : script::kVerify, words_);
    }

    const Outline& outline_;
    std::vector<Unit> units_;          ///< bodies: groups, then the network
    std::vector<std::string> classes_; ///< of each body
    std::vector<Value> targets_;       ///< of the batch, what losses and metrics read
    std::vector<Emitted> sources_;
    std::vector<std::pair<std::string, std::string>> words_;
    SourceText text_;
};

} // namespace

std::vector<ExportFile> export_pytorch(const Graph& graph, const ExportOptions& options) {
    const Outline outline(graph);
    Writer writer(outline);
    Exported exported = certify(outline, options.weights);
    std::erase_if(exported.certificate.outputs,
                  [&](const auto& entry) { return !writer.visible(entry.first); });
    const DataExport data =
        outline.trains() ? export_data(outline, exported.plan, options) : DataExport{};
    std::vector<ExportFile> files = data.files;
    files.push_back(
        {file_beside(options.path, ".weights.npz"), io::encode_npz(exported.weights), "weights"});
    files.push_back({file_beside(options.path, ".samples.npz"),
                     io::encode_npz(exported.certificate.samples, true), "samples of the proof"});
    const SourceText text = writer.write(options, &exported, &data);
    files.push_back({options.path, bytes_of(text.text()), "script"});
    return files;
}

SourceText preview_pytorch(const Graph& graph) {
    const Outline outline(graph);
    ExportOptions options;
    options.path = "network.py";
    return Writer(outline).write(options, nullptr, nullptr);
}

} // namespace wiregrad::graph

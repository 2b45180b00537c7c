// `wiregrad info`, `check`, `nodes` and `datasets`: what can be said without training.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

#include "app/cli/commands.h"
#include "engine/core/config.h"
#include "engine/core/recorder.h"
#include "engine/program/execute.h"
#include "engine/program/passes.h"
#include "engine/train/step_program.h"
#include "nodes/analysis.h"
#include "nodes/catalogue.h"
#include "nodes/compile.h"

namespace wiregrad::cli {
using Json = nlohmann::ordered_json;

namespace {

Json json_of(const graph::ParamValue& value) {
    return std::visit([](const auto& v) { return Json(v); }, value);
}

Json json_of(const Shape& shape) {
    Json list = Json::array();
    for (const std::int64_t size : shape) {
        list.push_back(size);
    }
    return list;
}

const char* word(graph::Severity severity) {
    switch (severity) {
    case graph::Severity::Error:
        return "error";
    case graph::Severity::Warning:
        return "warning";
    default:
        return "info";
    }
}

const char* word(graph::PortKind kind) {
    switch (kind) {
    case graph::PortKind::Labels:
        return "labels";
    case graph::PortKind::Loss:
        return "loss";
    default:
        return "tensor";
    }
}

const char* word(graph::ParamKind kind) {
    constexpr const char* words[] = {"bool", "int", "real", "choice", "text", "path", "int list"};
    return words[static_cast<int>(kind)];
}

Json ports(const std::vector<graph::PortSpec>& specs) {
    Json list = Json::array();
    for (const graph::PortSpec& port : specs) {
        list.push_back({{"id", port.id},
                        {"kind", word(port.kind)},
                        {"optional", port.optional},
                        {"many", port.many},
                        {"help", port.help}});
    }
    return list;
}

Json json_of(const graph::NodeType& type) {
    Json params = Json::array();
    for (const graph::ParamSpec& spec : type.params) {
        Json param{{"id", spec.id},
                   {"kind", word(spec.kind)},
                   {"default", json_of(spec.standard)},
                   {"help", spec.help}};
        if (spec.min > -1e299) {
            param["min"] = spec.min;
        }
        if (spec.max < 1e299) {
            param["max"] = spec.max;
        }
        if (!spec.unit.empty()) {
            param["unit"] = spec.unit;
        }
        for (const graph::Choice& choice : spec.choices) {
            param["choices"].push_back(choice.value);
        }
        params.push_back(param);
    }
    Json entry{{"type", type.id},
               {"version", type.version},
               {"category", type.category},
               {"label", type.label},
               {"help", type.help},
               {"formula", type.formula},
               {"synonyms", type.synonyms},
               {"inputs", ports(type.inputs)},
               {"outputs", ports(type.outputs)},
               {"params", params}};
    if (const auto example = graph::example_of(type)) {
        Json& shown = entry["example"];
        const auto metas = [](const std::vector<TensorMeta>& list) {
            Json all = Json::array();
            for (const TensorMeta& meta : list) {
                Json shape = Json::array();
                for (const std::int64_t size : meta.shape) {
                    shape.push_back(size);
                }
                all.push_back({{"shape", shape}, {"dtype", name_of(meta.dtype)}});
            }
            return all;
        };
        shown["inputs"] = metas(example->inputs);
        if (type.role != graph::Role::Metric) {
            shown["outputs"] = metas(example->outputs);
        }
        shown["weights"] = example->weights;
        shown["init"] = example->pytorch.init;
        shown["call"] = example->pytorch.call;
    }
    return entry;
}

/// A training step of the project as it would be recorded, on random data of its shapes.
struct RecordedStep {
    program::Program program;
    program::Preflight preflight;
    std::vector<double> seconds; ///< of each instruction; empty when it was not run
};
RecordedStep record_step(const graph::Graph& graph, const std::string& last_pass, bool time) {
    graph::CompileOptions compile_options;
    compile_options.random_data = true;
    const train::TrainPlan plan = graph::compile(graph, compile_options);
    nn::ForwardContext context;
    context.state.random = Tensor::zeros({2}, DType::Int64);
    const train::Batch batch = plan.train->batch(0, 0);
    RecordedStep step{train::trace_step(plan, batch, context, {}), {}, {}};
    program::optimize(step.program, {.check = true, .last = last_pass});
    const program::ExecuteOptions how{.threads = num_threads(), .trial = !deterministic()};
    step.preflight = program::preflight(step.program, how);
    if (!time) return step;
    program::Executable executable(step.program, how);
    for (std::size_t i = 0; i < batch.fields.size(); ++i)
        executable.set_input(fmt::format("batch.{}", i), batch.fields[i]);
    executable.set_input("random", context.state.random);
    constexpr int kRounds = 20;
    step.seconds = executable.measure(kRounds);
    return step;
}
/// Milliseconds of a step by node, the longest first; "" is the optimizer.
std::vector<std::pair<std::string, double>> time_by_node(const RecordedStep& step) {
    std::map<std::string, double> sums;
    for (std::size_t i = 0; i < step.seconds.size(); ++i)
        sums[Origin::name(step.program.instructions[i].origin)] += 1000 * step.seconds[i];
    std::vector<std::pair<std::string, double>> result(sums.begin(), sums.end());
    std::stable_sort(result.begin(), result.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    return result;
}
Json step_facts(const RecordedStep& step) {
    const program::MemoryPlan& plan = step.preflight.plan;
    return {{"event", "step"},
            {"flops", step.program.cost().flops},
            {"instructions", step.program.instructions.size()},
            {"peak_bytes", plan.total()},
            {"state_bytes", plan.state_bytes},
            {"input_bytes", plan.input_bytes},
            {"arena_bytes", plan.arena_bytes},
            {"largest", program::largest_values(step.program, plan, 5)}};
}
int print_step(const ProjectOptions& options, const std::string& last_pass, bool time) {
    const RecordedStep step = record_step(open_project(options), last_pass, time);
    if (options.json) {
        print_line(step_facts(step));
        for (std::size_t i = 0; i < step.program.instructions.size(); ++i) {
            Json line{{"event", "instruction"},
                      {"node", Origin::name(step.program.instructions[i].origin)},
                      {"text", print(step.program, step.program.instructions[i])},
                      {"runs_as", step.preflight.implementations[i]}};
            if (time) line["ms"] = 1000 * step.seconds[i];
            print_line(line);
        }
        return 0;
    }
    std::vector<std::string> notes = step.preflight.implementations;
    for (std::size_t i = 0; i < step.seconds.size(); ++i)
        if (!notes[i].empty()) notes[i] += fmt::format(", {:.3f} ms", 1000 * step.seconds[i]);
    fmt::print("{}", print(step.program, notes));
    double whole = 0;
    for (const auto& [node, ms] : time_by_node(step)) {
        fmt::print("{:<20} {:>9.3f} ms\n", node.empty() ? "optimizer" : node, ms);
        whole += ms;
    }
    if (time) fmt::print("{:<20} {:>9.3f} ms\n", "together", whole);
    const program::MemoryPlan& plan = step.preflight.plan;
    fmt::print("A training step: {} FLOPs, {} instructions, planned peak {} ({} weights and "
               "optimizer, {} batch, {} in between)\n",
               count_text(step.program.cost().flops), step.program.instructions.size(),
               bytes_text(double(plan.total())), bytes_text(double(plan.state_bytes)),
               bytes_text(double(plan.input_bytes)), bytes_text(double(plan.arena_bytes)));
    return 0;
}

} // namespace

int info(const InfoOptions& all) {
    const ProjectOptions& options = all.project;
    if (all.threads > 0) set_num_threads(all.threads);
    if (all.program || !all.pass.empty() || all.time)
        return print_step(options, all.pass, all.time);
    const graph::Graph graph = open_project(options);
    const graph::Analysis analysis = graph::analyze(graph, false);
    if (!options.json) {
        fmt::print("{:<14} {:<18} {:<22} {:>12} {:>12} {:>12}\n", "node", "type", "output",
                   "weights", "FLOPs", "memory");
    }
    std::vector<std::string> order = graph.topological_order();
    for (const auto& [id, node] : graph.nodes()) {
        if (std::find(order.begin(), order.end(), id) == order.end()) {
            order.push_back(id);
        }
    }
    for (const std::string& id : order) {
        const graph::Node& node = *graph.node(id);
        const auto found = analysis.nodes.find(id);
        const graph::NodeFacts facts =
            found == analysis.nodes.end() ? graph::NodeFacts{} : found->second;
        if (options.json) {
            Json outputs = Json::array(), weights = Json::array();
            for (const TensorMeta& meta : facts.outputs) {
                outputs.push_back(
                    {{"shape", json_of(meta.shape)}, {"dtype", std::string(name_of(meta.dtype))}});
            }
            for (const auto& [name, shape] : facts.weight_shapes) {
                weights.push_back({{"name", name}, {"shape", json_of(shape)}});
            }
            print_line(Json{{"event", "node"},
                            {"node", id},
                            {"type", node.type},
                            {"known", facts.known},
                            {"outputs", outputs},
                            {"weights", facts.weights},
                            {"weight_shapes", weights},
                            {"flops_per_sample", facts.flops},
                            {"activation_bytes", facts.activation_bytes}});
        } else {
            fmt::print("{:<14} {:<18} {:<22} {:>12} {:>12} {:>12}\n", id, node.type,
                       facts.output_text,
                       facts.weights > 0 ? count_text(double(facts.weights)) : "",
                       facts.flops > 0 ? count_text(facts.flops) : "",
                       facts.activation_bytes > 0 ? bytes_text(facts.activation_bytes) : "");
        }
    }
    if (options.json) {
        print_line(Json{{"event", "total"},
                        {"nodes", graph.nodes().size()},
                        {"weights", analysis.weights},
                        {"flops_per_sample", analysis.flops},
                        {"training_bytes", analysis.training_bytes},
                        {"batch_size", graph.training().batch_size},
                        {"runnable", analysis.runnable()}});
    } else {
        fmt::print(
            "\n{} weights, {} FLOPs forward a sample, about {} to train with a batch of {}\n",
            count_text(double(analysis.weights)), count_text(analysis.flops),
            bytes_text(analysis.training_bytes), graph.training().batch_size);
        if (!analysis.runnable()) {
            fmt::print("This project has errors: see wiregrad check\n");
        }
    }
    return 0;
}

int check(const ProjectOptions& options) {
    const graph::Graph graph = open_project(options);
    const graph::Analysis analysis = graph::analyze(graph, true);
    int errors = 0;
    for (const graph::Problem& problem : analysis.problems) {
        errors += problem.severity == graph::Severity::Error;
        if (options.json) {
            Json fixes = Json::array();
            for (const graph::Fix& fix : problem.fixes) {
                fixes.push_back(fix.label);
            }
            print_line(Json{{"event", "problem"},
                            {"severity", word(problem.severity)},
                            {"code", problem.code},
                            {"node", problem.node},
                            {"port", problem.port},
                            {"param", problem.param},
                            {"text", problem.text},
                            {"fixes", fixes}});
            continue;
        }
        fmt::print("{}: {}{}{}\n", word(problem.severity), problem.node,
                   problem.node.empty() ? "" : ": ", problem.text);
        for (const graph::Fix& fix : problem.fixes) {
            fmt::print("    fix: {}\n", fix.label);
        }
    }
    if (options.json) {
        print_line(
            Json{{"event", "done"}, {"problems", analysis.problems.size()}, {"errors", errors}});
    } else if (analysis.problems.empty()) {
        fmt::print("No problems.\n");
    }
    return errors > 0 ? 1 : 0;
}

int nodes(bool json) {
    std::string category;
    for (const graph::NodeType& type : graph::node_types()) {
        if (json) {
            print_line(json_of(type));
            continue;
        }
        if (type.category != category) {
            fmt::print("{}{}\n", category.empty() ? "" : "\n", type.category);
            category = type.category;
        }
        std::string params;
        for (const graph::ParamSpec& spec : type.params) {
            params += fmt::format("{}{}={}", params.empty() ? "" : ", ", spec.id,
                                  graph::value_text(spec.standard));
        }
        fmt::print("  {:<20} {}\n", type.id, type.help);
        if (!params.empty()) {
            fmt::print("  {:<20}   {}\n", "", params);
        }
    }
    return 0;
}

} // namespace wiregrad::cli

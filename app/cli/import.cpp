// `wiregrad import`: what other programs made, into a project.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <filesystem>

#include "app/cli/commands.h"
#include "nodes/import/onnx.h"
#include "nodes/import/scopes.h"
#include "nodes/import/weights.h"
#include "nodes/project.h"

namespace wiregrad::cli {
namespace {

int import_weights(const ImportOptions& options) {
    if (!std::filesystem::exists(options.out)) {
        throw UsageError(fmt::format(
            "weights belong to a project, and there is no {}: make it first", options.out));
    }
    ProjectOptions project;
    project.file = options.out;
    const graph::Graph graph = open_project(project);
    std::vector<std::pair<std::string, std::string>> renames;
    for (const std::string& text : options.rename) {
        const std::size_t equals = text.find('=');
        if (equals == std::string::npos) {
            throw UsageError(fmt::format("--rename takes OURS=THEIRS, got {}", text));
        }
        renames.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    const std::vector<nn::NamedTensor> tensors = graph::read_weights_file(options.file);
    if (options.by_shape) {
        for (auto& rename : graph::suggest_renames(graph, tensors, renames)) {
            if (!options.json) {
                fmt::print("{} is {}\n", rename.first, rename.second);
            }
            renames.push_back(std::move(rename));
        }
    }
    const std::vector<nn::NamedTensor> weights = graph::take_weights(graph, tensors, renames);
    const std::string target = graph::weights_path(options.out);
    graph::save_weights(target, weights, graph);
    if (options.json) {
        fmt::print(
            "{}\n",
            nlohmann::ordered_json{{"event", "done"}, {"weights", weights.size()}, {"file", target}}
                .dump());
    } else {
        fmt::print("{} tensors of {} are now in {}\n", weights.size(), options.file, target);
    }
    return 0;
}

int import_model(const ImportOptions& options) {
    graph::ImportedModel model = graph::from_onnx(io::read_onnx(options.file));
    const int groups = options.flat ? 0 : graph::group_scopes(model);
    // Whatever does not fit shows here, before anything is written.
    const std::vector<nn::NamedTensor> weights = graph::take_weights(model.graph, model.weights);
    graph::save_weights(graph::weights_path(options.out), weights, model.graph);
    graph::save_project(options.out, model.graph);
    if (options.json) {
        fmt::print("{}\n", nlohmann::ordered_json{{"event", "done"},
                                                  {"nodes", model.graph.nodes().size()},
                                                  {"groups", groups},
                                                  {"weights", weights.size()},
                                                  {"file", options.out}}
                               .dump());
    } else {
        fmt::print(
            "{}: {} nodes{}, {} tensors of weights\n", options.out, model.graph.nodes().size(),
            groups == 0 ? std::string() : fmt::format(" in {} groups", groups), weights.size());
    }
    return 0;
}

} // namespace

int import_file(const ImportOptions& options) {
    if (std::filesystem::path(options.file).extension() == ".onnx") {
        return import_model(options);
    }
    return import_weights(options);
}

} // namespace wiregrad::cli

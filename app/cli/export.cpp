// `wiregrad export`: a project as files for other programs.
#include <fmt/format.h>

#include <filesystem>

#include "app/cli/commands.h"
#include "nodes/export/export.h"
#include "nodes/project.h"

namespace wiregrad::cli {

int export_project(const ExportOptions& options) {
    const graph::ExportTarget* target = graph::find_export_target(options.to);
    if (!target) {
        std::string known;
        for (const graph::ExportTarget& each : graph::export_targets()) {
            known += (known.empty() ? "" : ", ") + std::string(each.id);
        }
        throw UsageError(
            fmt::format("there is no export to \"{}\"; there is {}", options.to, known));
    }
    const graph::Graph graph = open_project(options.project);
    std::string problems;
    if (!target->drawing) {
        for (const std::string& problem : graph::export_problems(graph)) {
            problems += (problems.empty() ? "" : "; ") + problem;
        }
    }
    if (!problems.empty()) {
        throw UsageError("the network is not finished: " + problems);
    }
    graph::ExportOptions export_options;
    export_options.path = options.out;
    if (export_options.path.empty()) {
        throw UsageError("give the file to write with -o");
    }
    export_options.project = std::filesystem::path(options.project.file).filename().string();
    export_options.with_data = !options.without_data;
    const std::string weights =
        options.weights.empty() ? graph::weights_path(options.project.file) : options.weights;
    const bool trained = !target->drawing && std::filesystem::exists(weights);
    if (trained) {
        const auto model = graph::compile_model(graph);
        load_weights_into(*model, graph, options.project.file, options.weights);
        export_options.weights = model->module().state();
    } else if (!options.weights.empty()) {
        throw FileError("there is no such weights file", weights);
    }
    const std::vector<graph::ExportFile> files = target->make(graph, export_options);
    graph::write_export(files);
    for (const graph::ExportFile& file : files) {
        fmt::print("{}  {}, {}\n", file.path, file.what,
                   bytes_text(static_cast<double>(file.bytes.size())));
    }
    if (!trained && !target->drawing) {
        fmt::print("The weights are initial ones: nothing was trained yet.\n");
    }
    return 0;
}

} // namespace wiregrad::cli

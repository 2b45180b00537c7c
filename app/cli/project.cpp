// What the commands share: opening a project with overrides, examples, weights, figures in words.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "app/cli/commands.h"
#include "nodes/edit.h"
#include "nodes/paths.h"
#include "nodes/places.h"
#include "nodes/project.h"

namespace wiregrad::cli {
namespace fs = std::filesystem;

namespace {

volatile std::sig_atomic_t signalled = 0;

const graph::Node& node_named(const graph::Graph& graph, const std::string& name,
                              const std::string& option) {
    const graph::Node* node = graph.find(name);
    if (!node) {
        std::string known;
        for (const auto& [id, each] : graph.nodes()) {
            known += (known.empty() ? "" : ", ") + id;
        }
        throw UsageError(
            fmt::format("{}: the project has no node {}; it has {}", option, name, known));
    }
    return *node;
}

void set_param(graph::Graph& graph, const std::string& text) {
    const auto equals = text.find('=');
    const auto dot = text.rfind('.', equals);
    if (equals == std::string::npos || dot == std::string::npos || dot == 0 || dot + 1 == equals) {
        throw UsageError(fmt::format("--set takes NODE.PARAM=VALUE, got {}", text));
    }
    const std::string param = text.substr(dot + 1, equals - dot - 1);
    const graph::Node& node = node_named(graph, text.substr(0, dot), "--set");
    const graph::NodeType* type = graph.type_of(node);
    const graph::ParamSpec* spec = type ? type->param(param) : nullptr;
    if (!spec) {
        std::string known;
        for (const auto& each : type ? type->params : std::vector<graph::ParamSpec>{}) {
            known += (known.empty() ? "" : ", ") + each.id;
        }
        throw UsageError(fmt::format("--set: {} ({}) has no parameter {}; it has {}", node.id,
                                     node.type, param, known.empty() ? "none" : known));
    }
    const graph::ParamValue value = graph::parse_value(*spec, text.substr(equals + 1));
    graph::apply(graph, graph::Edit{graph::SetParam{node.id, param, value}});
}

void set_data(graph::Graph& graph, const std::string& text) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
        throw UsageError(fmt::format("--data takes NODE=PATH, got {}", text));
    }
    const graph::Node& node = node_named(graph, text.substr(0, equals), "--data");
    const graph::NodeType* type = graph.type_of(node);
    if (!type || type->role != graph::Role::Dataset) {
        throw UsageError(fmt::format("--data: {} is a {}, not a dataset node", node.id, node.type));
    }
    const fs::path path = text.substr(equals + 1);
    if (!fs::exists(path)) {
        throw FileError(fmt::format("--data: there is nothing at {}", path.string()));
    }
    graph::apply(graph, graph::Edit{graph::SetParam{
                            node.id, "path", fs::absolute(path).lexically_normal().string()}});
}

} // namespace

void catch_interrupts() {
    struct sigaction action {};
    action.sa_handler = [](int) { signalled = 1; };
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() {
    return signalled != 0;
}

graph::Graph open_project(const ProjectOptions& options) {
    graph::Graph graph = graph::load_project(options.file);
    graph::make_paths_absolute(graph, fs::absolute(options.file).parent_path().string());
    for (const std::string& text : options.data) {
        set_data(graph, text);
    }
    for (const std::string& text : options.set) {
        set_param(graph, text);
    }
    return graph;
}

std::vector<std::string> example_names() {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(graph::examples_folder(), ignored)) {
        if (entry.path().extension() == ".wiregrad") {
            names.push_back(entry.path().stem().string());
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::string example_path(const std::string& name) {
    const fs::path path = fs::path(graph::examples_folder()) / (name + ".wiregrad");
    if (!fs::exists(path)) {
        std::string known;
        for (const std::string& each : example_names()) {
            known += (known.empty() ? "" : ", ") + each;
        }
        throw UsageError(fmt::format("there is no example {} and no such file; the examples are {}",
                                     name, known));
    }
    return path.string();
}

void check_device(const std::string& device) {
    if (device == "cuda") {
        throw DeviceError("this build of Wiregrad has no CUDA plug-in, so --device cuda cannot be "
                          "used; use --device cpu");
    }
}

void load_weights_into(graph::CompiledModel& model, const graph::Graph& graph,
                       const std::string& project, const std::string& weights) {
    const std::string path = weights.empty() ? graph::weights_path(project) : weights;
    if (!fs::exists(path)) {
        throw FileError(weights.empty() ? fmt::format("there are no trained weights at {}; train "
                                                      "the project first, or give --weights",
                                                      path)
                                        : fmt::format("there is no weights file {}", path));
    }
    std::string hash;
    const std::vector<nn::NamedTensor> state = graph::load_weights(path, &hash);
    try {
        model.module().load(state);
    } catch (const Error& error) {
        const bool other = !hash.empty() && hash != graph::graph_hash(graph);
        throw FileError(fmt::format("{} does not fit this project{}: {}", path,
                                    other ? " (it was saved with another network)" : "",
                                    error.what()));
    }
    if (!hash.empty() && hash != graph::graph_hash(graph)) {
        fmt::print(stderr,
                   "wiregrad: {} fits, but it was saved with another version of this network\n",
                   path);
    }
}

void print_line(const nlohmann::ordered_json& event) {
    fmt::print("{}\n",
               event.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    std::fflush(stdout);
}

std::string count_text(double count) {
    const char* units[] = {"", " k", " M", " G", " T"};
    int unit = 0;
    while (std::abs(count) >= 10000 && unit < 4) {
        count /= 1000;
        ++unit;
    }
    return unit == 0 ? fmt::format("{:.0f}", count) : fmt::format("{:.4g}{}", count, units[unit]);
}

std::string bytes_text(double bytes) {
    const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    while (bytes >= 1024 && unit < 4) {
        bytes /= 1024;
        ++unit;
    }
    return unit == 0 ? fmt::format("{:.0f} B", bytes)
                     : fmt::format("{:.3g} {}", bytes, units[unit]);
}

std::string time_text(double seconds) {
    const auto whole = static_cast<std::int64_t>(seconds + 0.5);
    if (whole >= 3600) {
        return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
    }
    return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

} // namespace wiregrad::cli

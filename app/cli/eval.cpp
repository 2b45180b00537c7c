// `wiregrad eval` and `predict`: trained weights at work.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <numeric>

#include "app/cli/commands.h"
#include "datasets/input.h"
#include "engine/core/config.h"
#include "engine/op/ops.h"

namespace wiregrad::cli {
using Json = nlohmann::ordered_json;

int eval(const EvalOptions& options) {
    const graph::Graph graph = open_project(options.project);
    graph::CompileOptions compile_options;
    compile_options.threads = options.threads;
    train::TrainPlan plan = graph::compile(graph, compile_options);
    if (options.threads > 0) {
        set_num_threads(options.threads);
    }
    auto& model = dynamic_cast<graph::CompiledModel&>(*plan.model);
    load_weights_into(model, graph, options.project.file, options.weights);
    const std::shared_ptr<train::BatchSource> source = options.split == "train"  ? plan.train
                                                       : options.split == "test" ? plan.test
                                                                                 : plan.validation;
    if (!source) {
        throw DataError(fmt::format("the dataset has no {} split", options.split));
    }
    const train::EvalRecord record = train::evaluate(model, *source, options.split);
    const auto& losses = model.loss_names();
    const auto& metrics = model.metric_names();
    if (options.project.json) {
        Json values = Json::object();
        for (std::size_t i = 0; i < record.losses.size(); ++i) {
            values[losses.size() == 1 ? "loss" : losses[i]] = record.losses[i];
        }
        for (std::size_t i = 0; i < record.metrics.size(); ++i) {
            values[metrics[i]] = record.metrics[i];
        }
        print_line(Json{{"event", "done"},
                        {"split", options.split},
                        {"samples", record.samples},
                        {"metrics", values}});
        return 0;
    }
    fmt::print("{} ({} samples):", options.split, record.samples);
    for (std::size_t i = 0; i < record.losses.size(); ++i) {
        fmt::print("  {} {:.4f}", losses.size() == 1 ? "loss" : losses[i], record.losses[i]);
    }
    for (std::size_t i = 0; i < record.metrics.size(); ++i) {
        fmt::print("  {} {:.4f}", metrics[i], record.metrics[i]);
    }
    fmt::print("\n");
    return 0;
}

int predict(const PredictOptions& options) {
    const graph::Graph graph = open_project(options.project);
    const graph::Node* source = nullptr;
    for (const auto& [id, node] : graph.nodes()) {
        const graph::NodeType* type = graph::find_type(node.type);
        if (type && type->role == graph::Role::Dataset && !source) {
            source = &node;
        }
    }
    if (!source) {
        throw UsageError(
            "the project has no dataset node, so it is not known what its input looks like");
    }
    const auto model = graph::compile_model(graph);
    load_weights_into(*model, graph, options.project.file, options.weights);
    const Tensor x = data::read_input(graph::dataset_spec(graph, *source), options.input);
    for (const auto& [node, raw] : model->predict(x)) {
        const std::vector<std::string>& names = model->class_names();
        const bool classes = raw.dim() == 2 && raw.size(1) > 1 &&
                             (names.empty() || std::int64_t(names.size()) == raw.size(1));
        const bool labelled = classes && model->predicts_classes(node);
        const std::vector<double> values = labelled ? softmax(raw, 1).to_vector() : raw.to_vector();
        const std::size_t per_row =
            raw.size(0) > 0 ? values.size() / static_cast<std::size_t>(raw.size(0)) : 0;
        for (std::size_t row = 0; row < static_cast<std::size_t>(raw.size(0)); ++row) {
            const double* first = values.data() + row * per_row;
            Json event{{"event", "prediction"}, {"node", node}, {"row", row}};
            if (!labelled) {
                event["values"] = std::vector<double>(first, first + per_row);
                if (options.project.json) {
                    print_line(event);
                } else {
                    for (std::size_t i = 0; i < per_row; ++i) {
                        fmt::print("{}{:.6g}", i > 0 ? " " : "", first[i]);
                    }
                    fmt::print("\n");
                }
                continue;
            }
            std::vector<std::size_t> order(per_row);
            std::iota(order.begin(), order.end(), 0U);
            std::stable_sort(order.begin(), order.end(),
                             [&](std::size_t a, std::size_t b) { return first[a] > first[b]; });
            order.resize(
                std::min<std::size_t>(order.size(), static_cast<std::size_t>(options.top)));
            for (const std::size_t k : order) {
                const std::string name = k < names.size() ? names[k] : std::to_string(k);
                event["classes"].push_back(
                    {{"class", name}, {"index", k}, {"probability", first[k]}});
                if (!options.project.json) {
                    fmt::print("{:<20} {:6.2f} %\n", name, 100 * first[k]);
                }
            }
            if (options.project.json) {
                print_line(event);
            }
        }
    }
    return 0;
}

} // namespace wiregrad::cli

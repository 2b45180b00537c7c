#include "engine/nn/layers.h"

#include <fmt/core.h>

#include "nodes/types/declare.h"

namespace wiregrad::graph::types {

namespace {

NodeType normalization(std::string id, std::vector<std::string> synonyms, std::string help) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Normalization";
    type.formula = "y = (x - mean) / sqrt(var + eps) * weight + bias";
    type.synonyms = std::move(synonyms);
    type.help = std::move(help);
    type.inputs = one_in();
    type.outputs = one_out();
    return type;
}

ParamSpec eps() {
    return rate_param("eps", "Epsilon", 1e-5, 1,
                      "Keeps the division safe where everything is equal.");
}

template <class Layer>
NodeType batch_norm_type(std::string id, int min_rank, int max_rank, const char* form,
                         std::string help) {
    NodeType type = normalization(id, {"batch normalization", "bn", "normalize"}, std::move(help));
    type.params = {
        eps(),
        real_param("momentum", "Momentum", 0.1, 0, 1,
                   "How quickly the running statistics, used after training, follow the batches."),
        bool_param("affine", "Scale and shift", true,
                   "Train a scale and a shift for each channel."),
        bool_param("track_running_stats", "Running statistics", true,
                   "Keep statistics for use after training; off: always the batch's own.")};
    type.build = [=](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        const Shape& shape = context.inputs[0].shape;
        if (shape.size() < min_rank || shape.size() > max_rank)
            throw ShapeError(fmt::format("{} needs a {} input, got {}-D {}", id, form, shape.size(),
                                         shape.str()));
        need_floating(context, id);
        nn::BatchNormOptions options;
        options.num_features = shape[1];
        options.eps = context.real("eps");
        options.momentum = context.real("momentum");
        options.affine = context.flag("affine");
        options.track_running_stats = context.flag("track_running_stats");
        options.dtype = context.inputs[0].dtype;
        return std::make_shared<Layer>(options);
    };
    type.pytorch = [id](const BuildContext& context) {
        return module_line(
            Arguments()
                .positional(py(context.inputs[0].shape[1]))
                .option("eps", context.real("eps"), 1e-5)
                .option("momentum", context.real("momentum"), 0.1)
                .option("affine", context.flag("affine"), true)
                .option("track_running_stats", context.flag("track_running_stats"), true)
                .call("nn." + id));
    };
    return type;
}

/// The last `dims` sizes of a sample.
Dims normalized_shape(const BuildContext& context) {
    const Shape& shape = context.inputs[0].shape;
    const int count = static_cast<int>(context.integer("dims"));
    if (shape.size() < count + 1)
        throw ShapeError(fmt::format(
            "LayerNorm over the last {} dimensions needs {} dimensions with the batch, got {}-D {}",
            count, count + 1, shape.size(), shape.str()));
    Dims result;
    for (int i = shape.size() - count; i < shape.size(); ++i)
        result.push_back(shape[i]);
    return result;
}

NodeType layer_norm_type() {
    NodeType type = normalization("LayerNorm", {"layer normalization", "ln", "normalize"},
                                  "Brings the numbers of each sample to mean 0 and deviation 1. "
                                  "Does not depend on the other samples; usual in transformers.");
    type.params = {
        int_param(
            "dims", "Dimensions", 1, 1, 7,
            "Over how many of the last dimensions; their sizes are PyTorch's normalized_shape."),
        eps(),
        bool_param("elementwise_affine", "Scale and shift", true,
                   "Train a scale and a shift for each number.")};
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_floating(context, "LayerNorm");
        nn::LayerNormOptions options;
        options.normalized_shape = normalized_shape(context);
        options.eps = context.real("eps");
        options.elementwise_affine = context.flag("elementwise_affine");
        options.dtype = context.inputs[0].dtype;
        return std::make_shared<nn::LayerNorm>(options);
    };
    type.pytorch = [](const BuildContext& context) {
        const Dims shape = normalized_shape(context);
        return module_line(
            Arguments()
                .positional(shape.size() == 1 ? py(shape[0]) : py(shape))
                .option("eps", context.real("eps"), 1e-5)
                .option("elementwise_affine", context.flag("elementwise_affine"), true)
                .call("nn.LayerNorm"));
    };
    return type;
}

} // namespace

std::vector<NodeType> normalization_types() {
    return {batch_norm_type<nn::BatchNorm1d>("BatchNorm1d", 2, 3, "2-D (N × C) or 3-D (N × C × L)",
                                             "Brings each feature to mean 0 and deviation 1 over "
                                             "the batch. Training becomes quicker and steadier."),
            batch_norm_type<nn::BatchNorm2d>(
                "BatchNorm2d", 4, 4, "4-D (N × C × H × W)",
                "Brings each channel of pictures to mean 0 and deviation 1 over the batch. "
                "Training becomes quicker and steadier."),
            layer_norm_type()};
}

} // namespace wiregrad::graph::types

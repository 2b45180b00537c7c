#include <fmt/core.h>

#include "engine/nn/layers.h"
#include "nodes/types/declare.h"

namespace wiregrad::graph::types {

namespace {

/// What differs between convolutions in one, two and three dimensions.
struct Sizes {
    int rank;
    const char* form;  ///< of an input
    const char* thing; ///< what it slides over
    const char* unit;
    const char* each; ///< "height and width"
};
constexpr Sizes kSizes[] = {
    {1, "N × C × L", "sequence", "", "one number"},
    {2, "N × C × H × W", "picture", "px", "one number, or height and width"},
    {3, "N × C × D × H × W", "volume", "px", "one number, or depth, height and width"}};

NodeType convolution(std::string id, std::vector<std::string> synonyms, std::string help) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Convolution";
    type.synonyms = std::move(synonyms);
    type.help = std::move(help);
    type.inputs = one_in();
    type.outputs = one_out();
    return type;
}

ParamSpec sizes_param(const Sizes& sizes, std::string id, std::string label, std::int64_t standard,
                      double min, double max, std::string help) {
    return with_unit(list_param(std::move(id), std::move(label), {standard}, 1,
                                std::max(sizes.rank, 1), min, max, std::move(help)),
                     sizes.unit);
}

ParamSpec out_channels() {
    return int_param("out_channels", "Channels", 32, 1, 1000000,
                     "How many filters, and so how many channels come out.");
}
ParamSpec kernel_size(const Sizes& sizes) {
    return sizes_param(sizes, "kernel_size", "Kernel", 3, 1, 1024,
                       fmt::format("Size of a filter: {}.", sizes.each));
}
ParamSpec stride(const Sizes& sizes) {
    return sizes_param(sizes, "stride", "Stride", 1, 1, 1024, "How far the filter moves.");
}
ParamSpec padding(const Sizes& sizes) {
    return sizes_param(sizes, "padding", "Padding", 0, 0, 1024, "Border added on each side.");
}
ParamSpec dilation(const Sizes& sizes) {
    ParamSpec spec = sizes_param(sizes, "dilation", "Dilation", 1, 1, 1024,
                                 "Distance between the pixels of a filter.");
    spec.unit.clear();
    return spec;
}
ParamSpec groups() {
    return int_param("groups", "Groups", 1, 1, 1000000,
                     "Channels are split into so many groups that do not see each other.");
}
ParamSpec bias() {
    return bool_param("bias", "Bias", true, "Add a trained number to each channel.");
}

/// Input channels, after checking what both layers need.
std::int64_t check(const BuildContext& context, const Sizes& sizes, const std::string& who) {
    need_rank(context, sizes.rank + 2, who, sizes.form);
    need_floating(context, who);
    const std::int64_t in = context.inputs[0].shape[1], out = context.integer("out_channels"),
                       groups = context.integer("groups");
    if (in % groups != 0 || out % groups != 0)
        throw ValueError(
            fmt::format("{}: {} input and {} output channels cannot be split into {} groups", who,
                        in, out, groups));
    return in;
}

nn::PaddingMode padding_mode(const BuildContext& context) {
    const std::string& mode = context.text("padding_mode");
    return mode == "reflect"     ? nn::PaddingMode::Reflect
           : mode == "replicate" ? nn::PaddingMode::Replicate
           : mode == "circular"  ? nn::PaddingMode::Circular
                                 : nn::PaddingMode::Zeros;
}

std::shared_ptr<nn::Module> make_conv(const nn::ConvLayerOptions& options, int rank) {
    if (rank == 1) return std::make_shared<nn::Conv1d>(options);
    if (rank == 3) return std::make_shared<nn::Conv3d>(options);
    return std::make_shared<nn::Conv2d>(options);
}
std::shared_ptr<nn::Module> make_transposed(const nn::ConvTransposeLayerOptions& options,
                                            int rank) {
    if (rank == 1) return std::make_shared<nn::ConvTranspose1d>(options);
    if (rank == 3) return std::make_shared<nn::ConvTranspose3d>(options);
    return std::make_shared<nn::ConvTranspose2d>(options);
}

NodeType conv_type(const Sizes& sizes) {
    const std::string id = fmt::format("Conv{}d", sizes.rank);
    NodeType type = convolution(
        id, {"convolution", "cnn", "conv", "filter", "kernel"},
        fmt::format(
            "Slides small trained filters over a {}; each finds its pattern wherever it is.",
            sizes.thing));
    type.formula = "y[o] = bias[o] + sum over channels c of weight[o, c] * x[c]";
    type.params = {out_channels(),  kernel_size(sizes), stride(sizes), padding(sizes),
                   dilation(sizes), groups(),           bias()};
    type.params.push_back(
        later(bool_param("same", "Same size", false,
                         "Add as much border as keeps the size (PyTorch's padding='same'); the "
                         "stride must be 1.")));
    type.params.push_back(later(choice_param("padding_mode", "Border", "zeros",
                                             {{"zeros", "Zeros"},
                                              {"reflect", "Mirrored"},
                                              {"replicate", "The edge repeated"},
                                              {"circular", "From the other side"}},
                                             "What the border is made of.")));
    add_training_params(type);
    type.build = [sizes, id](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        nn::ConvLayerOptions options;
        options.in_channels = check(context, sizes, id);
        options.out_channels = context.integer("out_channels");
        options.kernel_size = sizes_of(context, "kernel_size", sizes.rank);
        options.stride = sizes_of(context, "stride", sizes.rank);
        options.padding = sizes_of(context, "padding", sizes.rank);
        options.dilation = sizes_of(context, "dilation", sizes.rank);
        options.groups = context.integer("groups");
        options.bias = context.flag("bias");
        options.same_padding = context.flag("same");
        options.padding_mode = padding_mode(context);
        options.dtype = context.inputs[0].dtype;
        for (int i = 0; i < sizes.rank && !options.same_padding; ++i) {
            const std::int64_t size = context.inputs[0].shape[i + 2],
                               padded = size + 2 * options.padding[i];
            const std::int64_t reach = options.dilation[i] * (options.kernel_size[i] - 1) + 1;
            if (reach > padded)
                throw ShapeError(fmt::format("{}: a kernel of {} pixels does not fit into the "
                                             "input's {} (padding included)",
                                             id, reach, padded));
        }
        return make_conv(options, sizes.rank);
    };
    type.pytorch = [sizes, id](const BuildContext& context) {
        Arguments arguments;
        arguments.positional(py(context.inputs[0].shape[1]))
            .positional(py(context.integer("out_channels")))
            .option("kernel_size", py(sizes_of(context, "kernel_size", sizes.rank), true))
            .option("stride", sizes_of(context, "stride", sizes.rank), 1);
        if (context.flag("same"))
            arguments.option("padding", std::string("\"same\""));
        else
            arguments.option("padding", sizes_of(context, "padding", sizes.rank), 0);
        arguments.option("dilation", sizes_of(context, "dilation", sizes.rank), 1)
            .option("groups", context.integer("groups"), std::int64_t{1})
            .option("bias", context.flag("bias"), true);
        if (context.text("padding_mode") != "zeros")
            arguments.option("padding_mode", "\"" + context.text("padding_mode") + "\"");
        return module_line(arguments.call("nn." + id));
    };
    return type;
}

NodeType conv_transpose_type(const Sizes& sizes) {
    const std::string id = fmt::format("ConvTranspose{}d", sizes.rank);
    NodeType type =
        convolution(id, {"deconvolution", "transposed convolution", "upsample", "upconv"},
                    fmt::format("A convolution run backwards: a {} becomes larger. Used "
                                "to draw pictures, as in an autoencoder.",
                                sizes.thing));
    type.formula = "size out = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + "
                   "output_padding + 1";
    type.params = {out_channels(),
                   kernel_size(sizes),
                   stride(sizes),
                   padding(sizes),
                   sizes_param(sizes, "output_padding", "Output padding", 0, 0, 1024,
                               "Extra rows and columns at the far edge; less than the stride or "
                               "the dilation."),
                   groups(),
                   bias(),
                   dilation(sizes)};
    add_training_params(type);
    type.build = [sizes, id](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        nn::ConvTransposeLayerOptions options;
        options.in_channels = check(context, sizes, id);
        options.out_channels = context.integer("out_channels");
        options.kernel_size = sizes_of(context, "kernel_size", sizes.rank);
        options.stride = sizes_of(context, "stride", sizes.rank);
        options.padding = sizes_of(context, "padding", sizes.rank);
        options.output_padding = sizes_of(context, "output_padding", sizes.rank);
        options.groups = context.integer("groups");
        options.bias = context.flag("bias");
        options.dilation = sizes_of(context, "dilation", sizes.rank);
        options.dtype = context.inputs[0].dtype;
        return make_transposed(options, sizes.rank);
    };
    type.pytorch = [sizes, id](const BuildContext& context) {
        return module_line(
            Arguments()
                .positional(py(context.inputs[0].shape[1]))
                .positional(py(context.integer("out_channels")))
                .option("kernel_size", py(sizes_of(context, "kernel_size", sizes.rank), true))
                .option("stride", sizes_of(context, "stride", sizes.rank), 1)
                .option("padding", sizes_of(context, "padding", sizes.rank), 0)
                .option("output_padding", sizes_of(context, "output_padding", sizes.rank), 0)
                .option("groups", context.integer("groups"), std::int64_t{1})
                .option("bias", context.flag("bias"), true)
                .option("dilation", sizes_of(context, "dilation", sizes.rank), 1)
                .call("nn." + id));
    };
    return type;
}

} // namespace

std::vector<NodeType> convolution_types() {
    std::vector<NodeType> all;
    for (const std::size_t i : {1, 0, 2}) { // pictures first
        all.push_back(conv_type(kSizes[i]));
        all.push_back(conv_transpose_type(kSizes[i]));
    }
    return all;
}

} // namespace wiregrad::graph::types

#include "engine/nn/layers.h"

#include <fmt/core.h>

#include "nodes/types/declare.h"

namespace wiregrad::graph::types {

namespace {

constexpr const char* kForm = "N × C × H × W";

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

ParamSpec out_channels() {
    return int_param("out_channels", "Channels", 32, 1, 1000000,
                     "How many filters, and so how many channels come out.");
}
ParamSpec kernel_size() {
    return with_unit(pair_param("kernel_size", "Kernel", 3, 1, 1024,
                                "Size of a filter: one number, or height and width."),
                     "px");
}
ParamSpec stride() {
    return with_unit(pair_param("stride", "Stride", 1, 1, 1024, "How far the filter moves."), "px");
}
ParamSpec padding() {
    return with_unit(
        pair_param("padding", "Padding", 0, 0, 1024, "Border of zeros added on each side."), "px");
}
ParamSpec dilation() {
    return pair_param("dilation", "Dilation", 1, 1, 1024,
                      "Distance between the pixels of a filter.");
}
ParamSpec groups() {
    return int_param("groups", "Groups", 1, 1, 1000000,
                     "Channels are split into so many groups that do not see each other.");
}
ParamSpec bias() {
    return bool_param("bias", "Bias", true, "Add a trained number to each channel.");
}

/// Input channels, after checking what both layers need.
std::int64_t check(const BuildContext& context, const std::string& who) {
    need_rank(context, 4, who, kForm);
    need_floating(context, who);
    const std::int64_t in = context.inputs[0].shape[1], out = context.integer("out_channels"),
                       groups = context.integer("groups");
    if (in % groups != 0 || out % groups != 0)
        throw ValueError(
            fmt::format("{}: {} input and {} output channels cannot be split into {} groups", who,
                        in, out, groups));
    return in;
}

NodeType conv2d_type() {
    NodeType type = convolution(
        "Conv2d", {"convolution", "cnn", "conv", "filter", "kernel"},
        "Slides small trained filters over a picture; each finds its pattern wherever it is.");
    type.formula = "y[o] = bias[o] + sum over channels c of weight[o, c] * x[c]";
    type.params = {out_channels(), kernel_size(), stride(), padding(),
                   dilation(),     groups(),      bias()};
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        nn::Conv2dOptions options;
        options.in_channels = check(context, "Conv2d");
        options.out_channels = context.integer("out_channels");
        options.kernel_size = pair_of(context, "kernel_size");
        options.stride = pair_of(context, "stride");
        options.padding = pair_of(context, "padding");
        options.dilation = pair_of(context, "dilation");
        options.groups = context.integer("groups");
        options.bias = context.flag("bias");
        options.dtype = context.inputs[0].dtype;
        for (int i = 0; i < 2; ++i) {
            const std::int64_t size = context.inputs[0].shape[i + 2],
                               padded = size + 2 * options.padding[i];
            const std::int64_t reach = options.dilation[i] * (options.kernel_size[i] - 1) + 1;
            if (reach > padded)
                throw ShapeError(fmt::format("Conv2d: a kernel of {} pixels does not fit into the "
                                             "input's {} (padding included)",
                                             reach, padded));
        }
        return std::make_shared<nn::Conv2d>(options);
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(Arguments()
                               .positional(py(context.inputs[0].shape[1]))
                               .positional(py(context.integer("out_channels")))
                               .option("kernel_size", py(pair_of(context, "kernel_size"), true))
                               .option("stride", pair_of(context, "stride"), 1)
                               .option("padding", pair_of(context, "padding"), 0)
                               .option("dilation", pair_of(context, "dilation"), 1)
                               .option("groups", context.integer("groups"), std::int64_t{1})
                               .option("bias", context.flag("bias"), true)
                               .call("nn.Conv2d"));
    };
    return type;
}

NodeType conv_transpose2d_type() {
    NodeType type = convolution("ConvTranspose2d",
                                {"deconvolution", "transposed convolution", "upsample", "upconv"},
                                "A convolution run backwards: pictures become larger. Used to draw "
                                "pictures, as in an autoencoder.");
    type.formula = "size out = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + "
                   "output_padding + 1";
    type.params = {
        out_channels(),
        kernel_size(),
        stride(),
        padding(),
        with_unit(
            pair_param(
                "output_padding", "Output padding", 0, 0, 1024,
                "Extra rows and columns at the far edge; less than the stride or the dilation."),
            "px"),
        groups(),
        bias(),
        dilation()};
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        nn::ConvTranspose2dOptions options;
        options.in_channels = check(context, "ConvTranspose2d");
        options.out_channels = context.integer("out_channels");
        options.kernel_size = pair_of(context, "kernel_size");
        options.stride = pair_of(context, "stride");
        options.padding = pair_of(context, "padding");
        options.output_padding = pair_of(context, "output_padding");
        options.groups = context.integer("groups");
        options.bias = context.flag("bias");
        options.dilation = pair_of(context, "dilation");
        options.dtype = context.inputs[0].dtype;
        return std::make_shared<nn::ConvTranspose2d>(options);
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(Arguments()
                               .positional(py(context.inputs[0].shape[1]))
                               .positional(py(context.integer("out_channels")))
                               .option("kernel_size", py(pair_of(context, "kernel_size"), true))
                               .option("stride", pair_of(context, "stride"), 1)
                               .option("padding", pair_of(context, "padding"), 0)
                               .option("output_padding", pair_of(context, "output_padding"), 0)
                               .option("groups", context.integer("groups"), std::int64_t{1})
                               .option("bias", context.flag("bias"), true)
                               .option("dilation", pair_of(context, "dilation"), 1)
                               .call("nn.ConvTranspose2d"));
    };
    return type;
}

} // namespace

std::vector<NodeType> convolution_types() {
    return {conv2d_type(), conv_transpose2d_type()};
}

} // namespace wiregrad::graph::types

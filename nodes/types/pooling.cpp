#include "nodes/types/declare.h"

#include <fmt/core.h>

namespace wiregrad::graph::types {

namespace {

constexpr const char* kForm = "N × C × H × W";

NodeType pooling(std::string id, std::vector<std::string> synonyms, std::string help) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Pooling";
    type.synonyms = std::move(synonyms);
    type.help = std::move(help);
    type.inputs = one_in();
    type.outputs = one_out();
    return type;
}

ParamSpec kernel_size() {
    return with_unit(pair_param("kernel_size", "Window", 2, 1, 1024,
                                "Size of the window: one number, or height and width."),
                     "px");
}
ParamSpec stride() {
    return with_unit(
        list_param(
            "stride", "Stride", {}, 0, 2, 1, 1024,
            "How far the window moves. Empty: its own size, so that windows do not overlap."),
        "px");
}
ParamSpec padding() {
    return with_unit(pair_param("padding", "Padding", 0, 0, 512,
                                "Border added on each side, at most half the window."),
                     "px");
}
ParamSpec ceil_mode() {
    return bool_param("ceil_mode", "Keep the rest", false,
                      "Also use a last window that reaches past the edge.");
}

PoolOptions options_of(const BuildContext& context, const std::string& who) {
    need_rank(context, 4, who, kForm);
    need_floating(context, who);
    PoolOptions options;
    options.kernel = pair_of(context, "kernel_size");
    options.stride = context.dims("stride").empty() ? options.kernel : pair_of(context, "stride");
    options.padding = pair_of(context, "padding");
    options.ceil_mode = context.flag("ceil_mode");
    for (int i = 0; i < 2; ++i)
        if (2 * options.padding[i] > options.kernel[i])
            throw ValueError(fmt::format("{}: padding {} is more than half the window {}", who,
                                         options.padding[i], options.kernel[i]));
    return options;
}

Arguments arguments_of(const BuildContext& context) {
    const Dims kernel = pair_of(context, "kernel_size");
    Arguments arguments;
    arguments.positional(py(kernel, true));
    if (!context.dims("stride").empty() && !(pair_of(context, "stride") == kernel))
        arguments.option("stride", py(pair_of(context, "stride"), true));
    return arguments.option("padding", pair_of(context, "padding"), 0);
}

NodeType max_pool() {
    NodeType type = pooling(
        "MaxPool2d", {"max pooling", "maxpooling", "downsample", "subsampling"},
        "Keeps the largest number of each window: pictures become smaller, what was found stays.");
    type.formula = "out[i, j] = max of the window at (i * stride, j * stride)";
    type.params = {
        kernel_size(), stride(), padding(),
        pair_param("dilation", "Dilation", 1, 1, 512, "Distance between the pixels of a window."),
        ceil_mode()};
    type.build = [](const BuildContext& context) {
        PoolOptions options = options_of(context, "MaxPool2d");
        options.dilation = pair_of(context, "dilation");
        return make_unary([options](const Tensor& x) { return max_pool2d(x, options); });
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(arguments_of(context)
                               .option("dilation", pair_of(context, "dilation"), 1)
                               .option("ceil_mode", context.flag("ceil_mode"), false)
                               .call("nn.MaxPool2d"));
    };
    return type;
}

NodeType avg_pool() {
    NodeType type = pooling("AvgPool2d", {"average pooling", "mean pooling", "downsample"},
                            "Averages each window: pictures become smaller and smoother.");
    type.formula = "out[i, j] = mean of the window at (i * stride, j * stride)";
    type.params = {kernel_size(), stride(), padding(), ceil_mode(),
                   bool_param("count_include_pad", "Count the border", true,
                              "Whether padding counts in the average.")};
    type.build = [](const BuildContext& context) {
        PoolOptions options = options_of(context, "AvgPool2d");
        options.count_include_pad = context.flag("count_include_pad");
        return make_unary([options](const Tensor& x) { return avg_pool2d(x, options); });
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(arguments_of(context)
                               .option("ceil_mode", context.flag("ceil_mode"), false)
                               .option("count_include_pad", context.flag("count_include_pad"), true)
                               .call("nn.AvgPool2d"));
    };
    return type;
}

NodeType adaptive_avg_pool() {
    NodeType type = pooling(
        "AdaptiveAvgPool2d", {"global average pooling", "gap", "adaptive pooling"},
        "Averages pictures of any size down to a fixed size. With 1: one number for each channel.");
    type.formula = "out[i, j] = mean of the input's part (i, j) of output_size";
    type.params = {with_unit(pair_param("output_size", "Output size", 1, 1, 1024,
                                        "Size that comes out: one number, or height and width."),
                             "px")};
    type.build = [](const BuildContext& context) {
        need_rank(context, 4, "AdaptiveAvgPool2d", kForm);
        need_floating(context, "AdaptiveAvgPool2d");
        return make_unary([size = pair_of(context, "output_size")](const Tensor& x) {
            return adaptive_avg_pool2d(x, size);
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(
            fmt::format("nn.AdaptiveAvgPool2d({})", py(pair_of(context, "output_size"), true)));
    };
    return type;
}

} // namespace

std::vector<NodeType> pooling_types() {
    return {max_pool(), avg_pool(), adaptive_avg_pool()};
}

} // namespace wiregrad::graph::types

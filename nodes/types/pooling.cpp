#include "engine/nn/functional.h"
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

// --- sequences: one number where pictures have two

constexpr const char* kRow = "N × C × L";

ParamSpec number(std::string id, std::string label, std::int64_t standard, double min,
                 std::string help) {
    return list_param(std::move(id), std::move(label), {standard}, 1, 1, min, 1024,
                      std::move(help));
}
std::vector<ParamSpec> row_params() {
    ParamSpec step = list_param(
        "stride", "Stride", {}, 0, 1, 1, 1024,
        "How far the window moves. Empty: its own size, so that windows do not overlap.");
    return {number("kernel_size", "Window", 2, 1, "Size of the window."), step,
            number("padding", "Padding", 0, 0,
                   "Border added on each side, at most half the "
                   "window.")};
}

PoolOptions row_options(const BuildContext& context, const std::string& who) {
    need_rank(context, 3, who, kRow);
    need_floating(context, who);
    PoolOptions options;
    options.kernel = context.dims("kernel_size");
    options.stride = context.dims("stride").empty() ? options.kernel : context.dims("stride");
    options.padding = context.dims("padding");
    options.dilation = {1};
    options.ceil_mode = context.flag("ceil_mode");
    if (2 * options.padding[0] > options.kernel[0])
        throw ValueError(fmt::format("{}: padding {} is more than half the window {}", who,
                                     options.padding[0], options.kernel[0]));
    return options;
}

Arguments row_arguments(const BuildContext& context) {
    Arguments arguments;
    arguments.positional(py(context.dims("kernel_size")[0]));
    if (!context.dims("stride").empty()) arguments.option("stride", py(context.dims("stride")[0]));
    return arguments.option("padding", context.dims("padding")[0], std::int64_t{0});
}

NodeType max_pool1d_type() {
    NodeType type = pooling("MaxPool1d", {"max pooling", "downsample", "sequence"},
                            "Keeps the largest number of each window of a sequence.");
    type.formula = "out[i] = max of the window at i * stride";
    type.params = row_params();
    type.params.push_back(
        number("dilation", "Dilation", 1, 1, "Distance between the numbers of a window."));
    type.params.push_back(ceil_mode());
    type.build = [](const BuildContext& context) {
        PoolOptions options = row_options(context, "MaxPool1d");
        options.dilation = context.dims("dilation");
        return make_unary([options](const Tensor& x) { return nn::max_pool1d(x, options); });
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(row_arguments(context)
                               .option("dilation", context.dims("dilation")[0], std::int64_t{1})
                               .option("ceil_mode", context.flag("ceil_mode"), false)
                               .call("nn.MaxPool1d"));
    };
    return type;
}

NodeType avg_pool1d_type() {
    NodeType type = pooling("AvgPool1d", {"average pooling", "mean pooling", "sequence"},
                            "Averages each window of a sequence.");
    type.formula = "out[i] = mean of the window at i * stride";
    type.params = row_params();
    type.params.push_back(ceil_mode());
    type.params.push_back(bool_param("count_include_pad", "Count the border", true,
                                     "Whether padding counts in the average."));
    type.build = [](const BuildContext& context) {
        PoolOptions options = row_options(context, "AvgPool1d");
        options.count_include_pad = context.flag("count_include_pad");
        return make_unary([options](const Tensor& x) { return nn::avg_pool1d(x, options); });
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(row_arguments(context)
                               .option("ceil_mode", context.flag("ceil_mode"), false)
                               .option("count_include_pad", context.flag("count_include_pad"), true)
                               .call("nn.AvgPool1d"));
    };
    return type;
}

/// To a fixed size, whatever comes in; AdaptiveAvgPool2d has an op of its own above.
NodeType adaptive(bool largest, int rank) {
    static constexpr const char* kForms[] = {"", kRow, kForm, "N × C × D × H × W"};
    const std::string id = fmt::format("Adaptive{}Pool{}d", largest ? "Max" : "Avg", rank);
    NodeType type = pooling(
        id, {"global pooling", "adaptive pooling"},
        largest ? "Keeps the largest number of each part, down to a fixed size. With 1: one number "
                  "for each channel."
                : "Averages an input of any size down to a fixed size. With 1: one number for each "
                  "channel.");
    type.formula = largest ? "out[i] = max of the input's part i of output_size"
                           : "out[i] = mean of the input's part i of output_size";
    type.params = {list_param("output_size", "Output size", {1}, 1, rank, 1, 1024,
                              "Size that comes out: one number, or one for each dimension.")};
    type.build = [id, largest, rank](const BuildContext& context) {
        need_rank(context, rank + 2, id, kForms[rank]);
        need_floating(context, id);
        return make_unary(
            [size = sizes_of(context, "output_size", rank), largest](const Tensor& x) {
                return largest ? nn::adaptive_max_pool(x, size) : nn::adaptive_avg_pool(x, size);
            });
    };
    type.pytorch = [id, rank](const BuildContext& context) {
        return module_line(
            fmt::format("nn.{}({})", id, py(sizes_of(context, "output_size", rank), true)));
    };
    return type;
}

NodeType lp_pool_type() {
    NodeType type = pooling("LPPool2d", {"power average pooling", "norm pooling"},
                            "Between sum and maximum: the p-th root of the sum of p-th powers of "
                            "each window.");
    type.formula = "out[i, j] = (sum of x^p over the window)^(1/p)";
    type.params = {real_param("norm_type", "Power", 2, 1, 64,
                              "1 is the sum of the window; large powers come near the maximum."),
                   kernel_size(), stride(), ceil_mode()};
    type.build = [](const BuildContext& context) {
        need_rank(context, 4, "LPPool2d", kForm);
        need_floating(context, "LPPool2d");
        PoolOptions options;
        options.kernel = pair_of(context, "kernel_size");
        options.stride =
            context.dims("stride").empty() ? options.kernel : pair_of(context, "stride");
        options.ceil_mode = context.flag("ceil_mode");
        return make_unary([options, power = context.real("norm_type")](const Tensor& x) {
            return nn::lp_pool(x, power, options);
        });
    };
    type.pytorch = [](const BuildContext& context) {
        Arguments arguments;
        arguments.positional(py(context.real("norm_type")))
            .positional(py(pair_of(context, "kernel_size"), true));
        if (!context.dims("stride").empty())
            arguments.option("stride", py(pair_of(context, "stride"), true));
        return module_line(
            arguments.option("ceil_mode", context.flag("ceil_mode"), false).call("nn.LPPool2d"));
    };
    return type;
}

} // namespace

std::vector<NodeType> pooling_types() {
    return {max_pool(),        avg_pool(),         adaptive_avg_pool(), adaptive(true, 2),
            lp_pool_type(),    max_pool1d_type(),  avg_pool1d_type(),   adaptive(false, 1),
            adaptive(true, 1), adaptive(false, 3), adaptive(true, 3)};
}

} // namespace wiregrad::graph::types

// Nodes that change sizes and order within samples: upsampling, borders, pixels and channels.
#include <fmt/core.h>

#include <cmath>

#include "engine/nn/functional.h"
#include "engine/op/grid_ops.h"
#include "nodes/types/declare.h"

namespace wiregrad::graph::types {

namespace {

NodeType shaping(std::string id, std::vector<std::string> synonyms, std::string help) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Shape";
    type.synonyms = std::move(synonyms);
    type.help = std::move(help);
    type.inputs = one_in();
    type.outputs = one_out();
    return type;
}

// --- Upsample

struct Upsampling {
    nn::Interpolation mode = nn::Interpolation::Nearest;
    Dims size;
    std::optional<double> scale;
    bool align = false;
};

Upsampling upsampling(const BuildContext& context) {
    need_floating(context, "Upsample");
    const Shape& shape = context.inputs[0].shape;
    const int rank = shape.size() - 2;
    const std::string& mode = context.text("mode");
    const int wanted = mode == "linear"                          ? 1
                       : mode == "bilinear" || mode == "bicubic" ? 2
                       : mode == "trilinear"                     ? 3
                                                                 : 0;
    if (rank < 1 || rank > 3 || (wanted > 0 && rank != wanted))
        throw ShapeError(
            fmt::format("Upsample by \"{}\" needs a {} input, got {}-D {}", mode,
                        wanted == 0 ? std::string("3-D to 5-D") : fmt::format("{}-D", wanted + 2),
                        shape.size(), shape.str()));
    Upsampling u;
    u.mode = mode == "nearest"         ? nn::Interpolation::Nearest
             : mode == "nearest-exact" ? nn::Interpolation::NearestExact
             : mode == "bicubic"       ? nn::Interpolation::Cubic
             : mode == "area"          ? nn::Interpolation::Area
                                       : nn::Interpolation::Linear;
    u.align = wanted > 0 && context.flag("align_corners");
    if (!context.dims("size").empty()) {
        u.size = sizes_of(context, "size", rank);
        return u;
    }
    const double scale = context.real("scale_factor");
    u.scale = scale;
    for (int i = 0; i < rank; ++i) {
        const auto size =
            static_cast<std::int64_t>(std::floor(static_cast<double>(shape[i + 2]) * scale));
        if (size < 1)
            throw ShapeError(fmt::format("Upsample: nothing is left of {} at a factor of {}",
                                         shape.str(), scale));
        u.size.push_back(size);
    }
    return u;
}

NodeType upsample_type() {
    NodeType type =
        shaping("Upsample", {"interpolate", "resize", "scale", "nearest", "bilinear", "bicubic"},
                "Makes pictures, sequences or volumes larger (or smaller) by reading "
                "between the pixels.");
    type.formula = "out[i] = x at place i / scale_factor, between the neighbours";
    type.params = {
        real_param("scale_factor", "Factor", 2, 0.01, 64, "How many times as large it becomes."),
        list_param("size", "Size", {}, 0, 3, 1, 16384,
                   "The size that comes out, one number or one for each dimension; it then takes "
                   "the place of the factor. Empty: by the factor."),
        choice_param("mode", "Between", "nearest",
                     {{"nearest", "The nearest pixel"},
                      {"nearest-exact", "The nearest pixel, centred"},
                      {"linear", "Straight, sequences"},
                      {"bilinear", "Straight, pictures"},
                      {"trilinear", "Straight, volumes"},
                      {"bicubic", "Smooth, pictures"},
                      {"area", "Mean of what falls together"}},
                     "How numbers between the pixels are made."),
        shown_if(bool_param("align_corners", "Keep the corners", false,
                            "The corner pixels stay at the corners."),
                 [](const Params& params) {
                     const auto it = params.find("mode");
                     const auto* mode =
                         it == params.end() ? nullptr : std::get_if<std::string>(&it->second);
                     return mode &&
                            (*mode == "bicubic" || mode->find("linear") != std::string::npos);
                 })};
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        return make_unary([u = upsampling(context)](const Tensor& x) {
            return nn::interpolate(x, u.size, u.mode, u.align, u.scale);
        });
    };
    type.pytorch = [](const BuildContext& context) {
        const Upsampling u = upsampling(context);
        Arguments arguments;
        if (u.scale)
            arguments.option("scale_factor", py(*u.scale));
        else
            arguments.option("size", py(u.size, true));
        const std::string& mode = context.text("mode");
        arguments.option("mode", "\"" + mode + "\"");
        if (u.align) arguments.option("align_corners", std::string("True"));
        // As nn.Upsample does it: with the factor itself, not with out / in.
        return Emitted{"", "F.interpolate({0}, " + arguments.call("").substr(1)};
    };
    return type;
}

// --- borders

enum class Border { Zero, Constant, Reflection, Replication, Circular };

/// Numbers before and behind each dimension, last dimension first, for `rank` dimensions.
Dims borders(const BuildContext& context, int rank) {
    const Dims given = context.dims("padding");
    if (given.size() == 1) return Dims::filled(2 * rank, given[0]);
    if (given.size() != 2 * rank)
        throw ValueError(
            fmt::format("padding must be one number or {}, got {}", 2 * rank, given.str()));
    return given;
}

NodeType pad_type(Border border, int rank) {
    static constexpr const char* kNames[] = {"ZeroPad", "ConstantPad", "ReflectionPad",
                                             "ReplicationPad", "CircularPad"};
    static constexpr const char* kHelps[] = {
        "Adds a border of zeros.", "Adds a border of one number.",
        "Adds a border that mirrors what lies at the edge.", "Adds a border that repeats the edge.",
        "Adds a border taken from the other side, as if the sample were a ring."};
    static constexpr const char* kForms[] = {"", "N × C × L", "N × C × H × W", "N × C × D × H × W"};
    const int kind = static_cast<int>(border);
    const std::string id = fmt::format("{}{}d", kNames[kind], rank);
    NodeType type = shaping(id, {"padding", "border", "margin"}, kHelps[kind]);
    type.formula = "size out = size + before + behind";
    type.params = {list_param("padding", "Border", {1}, 1, 2 * rank, 0, 1024,
                              rank == 1 ? "One number, or before and behind."
                                        : "One number, or left, right, top, bottom and so on: "
                                          "pairs, the last dimension first.")};
    if (border == Border::Constant)
        type.params.push_back(
            real_param("value", "Number", 0, -1e9, 1e9, "What the border is made of."));
    const auto value = [border](const BuildContext& context) {
        return border == Border::Constant ? context.real("value") : 0.0;
    };
    const auto mode = [border] {
        return border == Border::Reflection    ? nn::PaddingMode::Reflect
               : border == Border::Replication ? nn::PaddingMode::Replicate
               : border == Border::Circular    ? nn::PaddingMode::Circular
                                               : nn::PaddingMode::Zeros;
    };
    type.build = [id, rank, value,
                  mode](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_rank(context, rank + 2, id, kForms[rank]);
        const Dims pads = borders(context, rank);
        return make_unary([pads, mode = mode(), value = value(context)](const Tensor& x) {
            return mode == nn::PaddingMode::Zeros ? pad(x, pads, value)
                                                  : nn::bordered(x, pads, mode);
        });
    };
    type.pytorch = [rank, value, border](const BuildContext& context) {
        const std::string pads = py(borders(context, rank));
        const std::string mode = border == Border::Reflection    ? "reflect"
                                 : border == Border::Replication ? "replicate"
                                 : border == Border::Circular    ? "circular"
                                                                 : "constant";
        return Emitted{"", fmt::format("F.pad({{0}}, {}, mode=\"{}\"{})", pads, mode,
                                       border == Border::Constant ? ", value=" + py(value(context))
                                                                  : std::string())};
    };
    return type;
}

// --- places

NodeType grid_sample_type() {
    NodeType type = shaping("GridSample", {"warp", "spatial transformer", "sample", "remap"},
                            "Reads pictures at the places that a grid gives: -1, -1 is the upper "
                            "left corner, 1, 1 the lower right one.");
    type.formula = "y[:, i, j] = x at the place grid[i, j]";
    type.inputs.push_back(tensor_port("grid", "Places (x, y): N × h × w × 2, e.g. of AffineGrid."));
    type.params = {
        choice_param(
            "mode", "Between", "bilinear",
            {{"bilinear", "Straight"}, {"nearest", "The nearest pixel"}, {"bicubic", "Smooth"}},
            "How values between the pixels are made."),
        choice_param("padding_mode", "Outside", "zeros",
                     {{"zeros", "Zeros"},
                      {"border", "The pixels at the edge"},
                      {"reflection", "The picture, mirrored"}},
                     "What lies outside the picture."),
        bool_param("align_corners", "Keep the corners", false,
                   "-1 and 1 are the middles of the corner pixels, not their edges.")};
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_floating(context, "GridSample");
        need_rank(context, 4, "GridSample", "N × C × H × W");
        const std::string &mode = context.text("mode"), &padding = context.text("padding_mode");
        const GridMode how = mode == "nearest"   ? GridMode::Nearest
                             : mode == "bicubic" ? GridMode::Bicubic
                                                 : GridMode::Bilinear;
        const GridPadding outside = padding == "border"       ? GridPadding::Border
                                    : padding == "reflection" ? GridPadding::Reflection
                                                              : GridPadding::Zeros;
        return make_function([=, align = context.flag("align_corners")](std::span<const Tensor> xs,
                                                                        const nn::ForwardContext&) {
            return Tensors{grid_sample(xs[0], xs[1], how, outside, align)};
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", fmt::format("F.grid_sample({{0}}, {{1}}, mode=\"{}\", "
                                       "padding_mode=\"{}\", align_corners={})",
                                       context.text("mode"), context.text("padding_mode"),
                                       py(context.flag("align_corners")))};
    };
    return type;
}

NodeType affine_grid_type() {
    NodeType type = shaping("AffineGrid", {"spatial transformer", "rotate", "shift", "theta"},
                            "Makes a grid of places of six numbers a sample: a turn, a scale and a "
                            "shift that a network may learn. GridSample reads there.");
    type.formula = "grid[i, j] = theta (x, y, 1), theta a 2 × 3 matrix";
    type.params = {list_param("size", "Size", {28, 28}, 2, 2, 1, 16384,
                              "Height and width of what GridSample then makes."),
                   bool_param("align_corners", "Keep the corners", false,
                              "As in GridSample: both must say the same.")};
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_floating(context, "AffineGrid");
        const Shape& shape = context.inputs[0].shape;
        if (numel(shape) != 6 * (shape.empty() ? 1 : shape[0]) || shape.size() < 2)
            throw ShapeError(fmt::format("AffineGrid needs six numbers a sample (N × 6 or N × 2 × "
                                         "3), got {}",
                                         shape.str()));
        return make_unary([size = context.dims("size"),
                           align = context.flag("align_corners")](const Tensor& theta) {
            const std::int64_t samples = theta.size(0);
            return affine_grid(reshape(theta, {samples, 2, 3}), {samples, 1, size[0], size[1]},
                               align);
        });
    };
    type.pytorch = [](const BuildContext& context) {
        const Dims size = context.dims("size");
        return Emitted{"", fmt::format("F.affine_grid({{0}}.reshape(-1, 2, 3), ({{0}}.shape[0], 1, "
                                       "{}, {}), align_corners={})",
                                       size[0], size[1], py(context.flag("align_corners")))};
    };
    return type;
}

// --- pixels and channels

using Whole = Tensor (*)(const Tensor&, std::int64_t);

NodeType shuffle_type(std::string id, const char* param, const char* label, const char* help,
                      std::string formula, std::string text, std::vector<std::string> synonyms,
                      Whole function) {
    NodeType type = shaping(id, std::move(synonyms), std::move(text));
    type.formula = std::move(formula);
    type.params = {int_param(param, label, 2, 1, 1024, help)};
    type.build = [function, param = std::string(param)](
                     const BuildContext& context) -> std::shared_ptr<nn::Module> {
        return make_unary([function, count = context.integer(param)](const Tensor& x) {
            return function(x, count);
        });
    };
    type.pytorch = [id, param = std::string(param)](const BuildContext& context) {
        const std::int64_t count = context.integer(param);
        // nn.ChannelShuffle of PyTorch 1.13 has no gradient on the CPU.
        if (id == "ChannelShuffle")
            return Emitted{"", fmt::format("{{0}}.unflatten(1, ({}, -1)).transpose(1, 2)"
                                           ".flatten(1, 2)",
                                           count)};
        return module_line(fmt::format("nn.{}({})", id, count));
    };
    return type;
}

NodeType unflatten_type() {
    NodeType type = shaping("Unflatten", {"reshape", "split dimension", "view"},
                            "Splits one dimension into several: 400 becomes 16 × 5 × 5.");
    type.params = {int_param("dim", "Dimension", 1, 1, 7, "Which dimension is split."),
                   list_param("unflattened_size", "Sizes", {-1}, 1, 6, -1, 1000000000,
                              "What it becomes; one size may be -1 and is worked out.")};
    const auto target = [](const BuildContext& context) {
        const Shape& from = context.inputs[0].shape;
        const std::int64_t dim = context.integer("dim");
        if (dim >= from.size())
            throw ValueError(
                fmt::format("Unflatten: there is no dimension {} in {}", dim, from.str()));
        const Dims sizes = context.dims("unflattened_size");
        std::int64_t known = 1;
        int open = 0;
        for (const std::int64_t size : sizes)
            size < 0 ? static_cast<void>(++open)
                     : static_cast<void>(known *= std::max<std::int64_t>(size, 1));
        const std::int64_t here = from[static_cast<int>(dim)];
        if (open > 1 || known > here || here % known != 0 || (open == 0 && known != here))
            throw ShapeError(fmt::format("Unflatten cannot split {} of {} into {}", here,
                                         from.str(), sizes.str()));
        Dims result;
        for (const std::int64_t size : sizes)
            result.push_back(size < 0 ? here / known : size);
        return result;
    };
    type.build = [target](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        return make_unary([sizes = target(context),
                           dim = static_cast<int>(context.integer("dim"))](const Tensor& x) {
            Shape shape;
            for (int d = 0; d < x.dim(); ++d)
                if (d == dim)
                    for (const std::int64_t size : sizes)
                        shape.push_back(size);
                else
                    shape.push_back(x.size(d));
            return reshape(x, shape);
        });
    };
    type.pytorch = [target](const BuildContext& context) {
        return module_line(
            fmt::format("nn.Unflatten({}, {})", context.integer("dim"), py(target(context))));
    };
    return type;
}

} // namespace

std::vector<NodeType> resize_types() {
    std::vector<NodeType> all = {
        unflatten_type(),
        upsample_type(),
        grid_sample_type(),
        affine_grid_type(),
        shuffle_type("PixelShuffle", "upscale_factor", "Factor",
                     "How many times as large the picture becomes.",
                     "C r r × H × W becomes C × H r × W r",
                     "Makes a picture larger by laying channels beside each other.",
                     {"depth to space", "subpixel", "super resolution"}, nn::pixel_shuffle),
        shuffle_type("PixelUnshuffle", "downscale_factor", "Factor",
                     "How many times as small the picture becomes.",
                     "C × H r × W r becomes C r r × H × W",
                     "Makes a picture smaller by laying neighbouring pixels behind each other as "
                     "channels.",
                     {"space to depth"}, nn::pixel_unshuffle),
        shuffle_type("ChannelShuffle", "groups", "Groups",
                     "Into how many groups channels are dealt.",
                     "channels i + j C / g become i g + j",
                     "Deals the channels out anew, so that groups of a grouped convolution meet.",
                     {"shuffle net", "permute"}, nn::channel_shuffle)};
    for (const Border border : {Border::Zero, Border::Constant, Border::Reflection,
                                Border::Replication, Border::Circular})
        for (int rank = 1; rank <= 3; ++rank)
            all.push_back(pad_type(border, rank));
    return all;
}

} // namespace wiregrad::graph::types

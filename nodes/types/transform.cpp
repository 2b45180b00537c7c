// Transforms of samples (torchvision's names): what the loader does to each training sample, and
// what validation, prediction and export do in its place: nothing by chance, sizes as in training.
#include "datasets/transforms/transform.h"

#include <fmt/core.h>

#include <charconv>
#include <cmath>
#include <sstream>

#include "nodes/types/declare.h"

namespace wiregrad::graph::types {

namespace {

constexpr int kLargest = 16384;

/// Numbers between commas, e.g. "0.485, 0.456, 0.406".
std::vector<double> numbers(const std::string& text, const char* id) {
    std::vector<double> result;
    std::stringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) {
        const std::size_t begin = part.find_first_not_of(" \t("),
                          end = part.find_last_not_of(" \t)");
        double value = NAN;
        if (begin != std::string::npos) {
            const auto [stop, error] =
                std::from_chars(part.data() + begin, part.data() + end + 1, value);
            if (error != std::errc() || stop != part.data() + end + 1) value = NAN;
        }
        if (!std::isfinite(value))
            throw ValueError(
                fmt::format("{} must be numbers between commas, got \"{}\"", id, text));
        result.push_back(value);
    }
    if (result.empty()) throw ValueError(fmt::format("{} must have a number", id));
    return result;
}

std::string list_text(const std::vector<double>& values) {
    std::string text;
    for (const double value : values)
        text += (text.empty() ? "" : ", ") + py(value);
    return "[" + text + "]";
}

struct Size {
    int height = 0, width = 0;
};

/// One number or height and width.
Size size_of(const BuildContext& context, const char* id = "size") {
    const Dims size = pair_of(context, id);
    return {static_cast<int>(size[0]), static_cast<int>(size[1])};
}

void need_picture(const BuildContext& context, const std::string& who) {
    need_floating(context, who);
    need_rank(context, 4, who, "N × C × H × W");
}

NodeType transform(std::string id, std::vector<std::string> synonyms, std::string help) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Data";
    type.synonyms = std::move(synonyms);
    type.synonyms.insert(type.synonyms.end(), {"transform", "augmentation"});
    type.help = std::move(help);
    type.inputs = one_in();
    type.outputs = one_out();
    return type;
}

/// One that acts by chance, on training samples only.
NodeType by_chance(std::string id, std::vector<std::string> synonyms, std::string help,
                   std::vector<ParamSpec> params,
                   std::function<data::Transform(const BuildContext&)> make) {
    NodeType type = transform(std::move(id), std::move(synonyms), std::move(help));
    type.formula = "training: changed by chance, another way each epoch; otherwise y = x";
    type.params = std::move(params);
    type.build = [id = type.id](const BuildContext& context) {
        need_picture(context, id);
        return make_unary([](const Tensor& x) { return x; });
    };
    type.transform = std::move(make);
    type.pytorch = [](const BuildContext&) { return module_line("nn.Identity()"); };
    return type;
}

ParamSpec chance(double standard) {
    return real_param("p", "How often", standard, 0, 1, "Part of the samples that are changed.");
}
ParamSpec size_param() {
    return list_param("size", "Size", {32}, 1, 2, 1, kLargest,
                      "What comes out: one number, or height and width.");
}
ParamSpec fill_param() {
    return real_param("fill", "Outside", 0, -1e6, 1e6,
                      "The value of pixels that come from outside the picture.");
}
ParamSpec reading_param() {
    return choice_param("interpolation", "Between", "nearest",
                        {{"nearest", "The nearest pixel"}, {"bilinear", "Straight"}},
                        "How values between the pixels are made.");
}
data::Reading reading_of(const BuildContext& context) {
    return context.text("interpolation") == "bilinear" ? data::Reading::Bilinear
                                                       : data::Reading::Nearest;
}
float fill_of(const BuildContext& context) {
    return static_cast<float>(context.real("fill"));
}
data::Range range_of(const BuildContext& context, const char* low, const char* high) {
    return {context.real(low), context.real(high)};
}
/// Refuses a range whose ends are in the wrong order.
std::function<std::string(const Params&)>
ordered(std::vector<std::pair<const char*, const char*>> ranges) {
    return [ranges = std::move(ranges)](const Params& params) -> std::string {
        for (const auto& [low, high] : ranges) {
            const double from = std::get<double>(params.at(low)),
                         to = std::get<double>(params.at(high));
            if (from > to)
                return fmt::format("{} must not be above {}, got {} and {}", low, high, from, to);
        }
        return "";
    };
}

// --- always the same

/// Bilinear with a widened filter: one matrix a direction.
Tensor resized(const Tensor& x, Size to_size) {
    const auto along = [&](const Tensor& t, int dim, int out) {
        const auto in = static_cast<int>(t.size(dim));
        if (in == out) return t;
        const Tensor weights =
            to(Tensor::from(data::resize_weights(in, out), Shape{out, in}), t.dtype());
        return dim == 3 ? matmul(t, transpose(weights, 0, 1)) : matmul(weights, t);
    };
    return along(along(x, 3, to_size.width), 2, to_size.height);
}

std::string resized_text(Size size) {
    return fmt::format("F.interpolate({{0}}, size=({}, {}), mode=\"bilinear\", antialias=True)",
                       size.height, size.width);
}

NodeType resize_type() {
    NodeType type = transform("Resize", {"scale", "shrink", "enlarge"},
                              "Brings pictures to a size, straight between the pixels; where they "
                              "shrink nothing is skipped.");
    type.formula = "bilinear, antialiased";
    type.params = {size_param()};
    type.build = [](const BuildContext& context) {
        need_picture(context, "Resize");
        return make_unary([size = size_of(context)](const Tensor& x) { return resized(x, size); });
    };
    type.transform = [](const BuildContext& context) {
        const Size size = size_of(context);
        return data::resize(size.height, size.width);
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", resized_text(size_of(context))};
    };
    return type;
}

/// Borders that leave the middle, and zeros around it where it is larger: left, right, top, bottom.
Dims middle_of(const BuildContext& context, Size size) {
    const Shape& shape = context.inputs[0].shape;
    const auto before = [](std::int64_t have, int want) {
        return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(have - want) / 2));
    };
    const std::int64_t top = before(shape[2], size.height), left = before(shape[3], size.width);
    return {-left, left + size.width - shape[3], -top, top + size.height - shape[2]};
}

/// Modules that take the middle.
void build_center(NodeType& type) {
    type.build = [id = type.id](const BuildContext& context) {
        need_picture(context, id);
        return make_unary([pads = middle_of(context, size_of(context))](const Tensor& x) {
            return pad(x, pads);
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"",
                       fmt::format("F.pad({{0}}, {})", py(middle_of(context, size_of(context))))};
    };
}

NodeType center_crop_type() {
    NodeType type = transform("CenterCrop", {"crop", "middle"},
                              "Takes the middle of each picture; zeros where it is too small.");
    type.formula = "the middle, height × width";
    type.params = {size_param()};
    build_center(type);
    type.transform = [](const BuildContext& context) {
        const Size size = size_of(context);
        return data::center_crop(size.height, size.width);
    };
    return type;
}

NodeType grayscale_type() {
    NodeType type = transform("Grayscale", {"grey", "gray", "black and white"},
                              "Makes colours grey, as bright as an eye sees them.");
    type.formula = ".2989 R + .587 G + .114 B";
    type.params = {choice_param("num_output_channels", "Channels", "1", {{"1", "1"}, {"3", "3"}},
                                "One grey channel, or three that are equal.")};
    const auto wanted = [](const BuildContext& context) {
        need_picture(context, "Grayscale");
        if (context.inputs[0].shape[1] != 3)
            throw ShapeError(fmt::format("Grayscale needs 3 channels, got {} {}",
                                         context.inputs[0].shape[1],
                                         context.inputs[0].shape.str()));
        return context.text("num_output_channels") == "3" ? 3 : 1;
    };
    type.build = [wanted](const BuildContext& context) {
        return make_unary([channels = wanted(context)](const Tensor& x) {
            const Tensor weights = to(
                Tensor::from(std::vector<double>{0.2989, 0.587, 0.114}, Shape{3, 1, 1}), x.dtype());
            const Tensor grey = sum(mul(x, weights), Dims{1}, true);
            return channels == 1 ? grey : cat(std::vector<Tensor>{grey, grey, grey}, 1);
        });
    };
    type.transform = [wanted](const BuildContext& context) {
        return data::grayscale(wanted(context));
    };
    type.pytorch = [wanted](const BuildContext& context) {
        const char* copies = wanted(context) == 3 ? ".repeat(1, 3, 1, 1)" : "";
        return Emitted{"", fmt::format("({{0}} * torch.tensor([0.2989, 0.587, 0.114], "
                                       "device={{0}}.device).view(3, 1, 1)).sum(1, "
                                       "keepdim=True){}",
                                       copies)};
    };
    return type;
}

struct Shift {
    std::vector<double> mean, std;
    Shape view; ///< so that it lies along dimension 1
};

Shift shift_of(const BuildContext& context) {
    need_floating(context, "Normalize");
    const Shape& shape = context.inputs[0].shape;
    if (shape.size() < 2)
        throw ShapeError(
            fmt::format("Normalize needs channels or features (N × C × ...), got {}", shape.str()));
    Shift shift{numbers(context.text("mean"), "mean"), numbers(context.text("std"), "std"), {}};
    for (const auto* values : {&shift.mean, &shift.std})
        if (values->size() != 1 && static_cast<std::int64_t>(values->size()) != shape[1])
            throw ShapeError(fmt::format("Normalize has {} numbers for {} channels {}",
                                         values->size(), shape[1], shape.str()));
    for (const double value : shift.std)
        if (!(value > 0)) throw ValueError(fmt::format("std must be above 0, got {}", value));
    for (auto* values : {&shift.mean, &shift.std})
        values->resize(static_cast<std::size_t>(shape[1]), values->front());
    shift.view.push_back(shape[1]);
    for (int i = 2; i < shape.size(); ++i)
        shift.view.push_back(1);
    return shift;
}

NodeType normalize_type() {
    NodeType type = transform("Normalize", {"standardise", "mean", "imagenet"},
                              "Shifts and scales each channel or feature by numbers that are "
                              "given. ImageNet: 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225.");
    type.formula = "y = (x - mean) / std";
    const auto text = [](const char* id, const char* label, const char* standard,
                         const char* help) {
        ParamSpec spec = text_param(id, label, help);
        spec.standard = std::string(standard);
        return spec;
    };
    type.params = {text("mean", "Mean", "0.5", "One number, or one for each channel."),
                   text("std", "Deviation", "0.5", "One number, or one for each channel.")};
    type.build = [](const BuildContext& context) {
        return make_unary([shift = shift_of(context)](const Tensor& x) {
            const auto along = [&](const std::vector<double>& values) {
                return to(Tensor::from(values, shift.view), x.dtype());
            };
            return div(sub(x, along(shift.mean)), along(shift.std));
        });
    };
    type.transform = [](const BuildContext& context) {
        const Shift shift = shift_of(context);
        return data::normalization(shift.mean, shift.std);
    };
    type.pytorch = [](const BuildContext& context) {
        const Shift shift = shift_of(context);
        const auto along = [&](const std::vector<double>& values) {
            return fmt::format("torch.tensor({}, device={{0}}.device).view({})", list_text(values),
                               py(shift.view));
        };
        return Emitted{"", fmt::format("(({{0}} - {}) / {})", along(shift.mean), along(shift.std))};
    };
    return type;
}

// --- by chance

NodeType random_crop_type() {
    NodeType type = transform("RandomCrop", {"crop", "shift"},
                              "Takes a part of each training picture from a place drawn by chance, "
                              "a border added first. Otherwise: the middle.");
    type.formula = "training: height × width at any place; otherwise the middle";
    type.params = {size_param(),
                   int_param("padding", "Border", 4, 0, 1024,
                             "Pixels added on every side before a part is taken."),
                   fill_param(),
                   choice_param("padding_mode", "Border of", "constant",
                                {{"constant", "One value"},
                                 {"edge", "The pixels at the edge"},
                                 {"reflect", "The picture, mirrored"}},
                                "What the border is made of.")};
    build_center(type);
    type.transform = [](const BuildContext& context) -> data::Transform {
        const Size size = size_of(context);
        const std::string& mode = context.text("padding_mode");
        const data::Edge edge = mode == "edge"      ? data::Edge::Replicate
                                : mode == "reflect" ? data::Edge::Reflect
                                                    : data::Edge::Constant;
        return data::random_crop(size.height, size.width,
                                 static_cast<int>(context.integer("padding")), edge,
                                 fill_of(context));
    };
    return type;
}

NodeType random_resized_crop_type() {
    NodeType type =
        transform("RandomResizedCrop", {"crop", "zoom", "inception"},
                  "Takes a part of each training picture, of an area and a shape drawn by chance, "
                  "and brings it to a size. Otherwise: the whole picture at that size.");
    type.formula = "training: any part, resized; otherwise the picture, resized";
    type.params = {
        size_param(),
        real_param("scale_min", "Least area", 0.08, 0.0001, 1,
                   "The smallest part of the picture's area."),
        real_param("scale_max", "Most area", 1, 0.0001, 1,
                   "The largest part of the picture's area."),
        real_param("ratio_min", "Narrowest", 0.75, 0.01, 100, "The least width by height."),
        real_param("ratio_max", "Widest", 1.3333333333333333, 0.01, 100,
                   "The most width by height.")};
    type.check = ordered({{"scale_min", "scale_max"}, {"ratio_min", "ratio_max"}});
    type.build = [](const BuildContext& context) {
        need_picture(context, "RandomResizedCrop");
        return make_unary([size = size_of(context)](const Tensor& x) { return resized(x, size); });
    };
    type.transform = [](const BuildContext& context) {
        const Size size = size_of(context);
        return data::random_resized_crop(size.height, size.width,
                                         range_of(context, "scale_min", "scale_max"),
                                         range_of(context, "ratio_min", "ratio_max"));
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"", resized_text(size_of(context))};
    };
    return type;
}

ParamSpec degrees_param(double standard) {
    return with_unit(real_param("degrees", "Turn", standard, 0, 360,
                                "Turned by an angle between minus and plus this many degrees."),
                     "°");
}
data::Range around(double value) {
    return {-value, value};
}

NodeType random_affine_type() {
    NodeType type = by_chance(
        "RandomAffine", {"rotate", "shift", "translate", "zoom", "shear"},
        "Turns, shifts, scales and slants each training picture, by amounts drawn by chance.",
        {degrees_param(10),
         real_param("translate", "Shift", 0.1, 0, 1, "The most, as a part of width and height."),
         real_param("scale_min", "Smallest", 0.9, 0.01, 100, "The least factor on the size."),
         real_param("scale_max", "Largest", 1.1, 0.01, 100, "The most factor on the size."),
         with_unit(real_param("shear", "Slant", 0, 0, 80, "The most, to the left or right."), "°"),
         reading_param(), fill_param()},
        [](const BuildContext& context) {
            data::AffineRanges ranges;
            ranges.degrees = around(context.real("degrees"));
            ranges.shift_x = ranges.shift_y = around(context.real("translate"));
            ranges.scale = range_of(context, "scale_min", "scale_max");
            ranges.shear_x = around(context.real("shear"));
            return data::random_affine(ranges, reading_of(context), fill_of(context));
        });
    type.check = ordered({{"scale_min", "scale_max"}});
    return type;
}

NodeType random_erasing_type() {
    NodeType type = by_chance(
        "RandomErasing", {"cutout", "erase", "hide", "occlusion"},
        "Hides a rectangle of some training pictures, so that the network does not lean on one "
        "part.",
        {chance(0.5), real_param("scale_min", "Least area", 0.02, 0.0001, 1, "Part of the area."),
         real_param("scale_max", "Most area", 0.33, 0.0001, 1, "Part of the area."),
         real_param("ratio_min", "Flattest", 0.3, 0.01, 100, "The least height by width."),
         real_param("ratio_max", "Tallest", 3.3, 0.01, 100, "The most height by width."),
         real_param("value", "Value", 0, -1e6, 1e6, "What the rectangle is filled with.")},
        [](const BuildContext& context) {
            return data::random_erasing(context.real("p"),
                                        range_of(context, "scale_min", "scale_max"),
                                        range_of(context, "ratio_min", "ratio_max"),
                                        static_cast<float>(context.real("value")));
        });
    type.check = ordered({{"scale_min", "scale_max"}, {"ratio_min", "ratio_max"}});
    return type;
}

NodeType color_jitter_type() {
    const auto strength = [](const char* id, const char* label, double most) {
        return real_param(id, label, 0.2, 0, most, "How much at most; 0: not at all.");
    };
    return by_chance(
        "ColorJitter", {"brightness", "contrast", "saturation", "hue", "colour"},
        "Changes brightness, contrast, saturation and hue of each training picture a "
        "little, in any order.",
        {strength("brightness", "Brightness", 10), strength("contrast", "Contrast", 10),
         strength("saturation", "Saturation", 10),
         real_param("hue", "Hue", 0, 0, 0.5, "Part of a full turn at most.")},
        [](const BuildContext& context) {
            return data::color_jitter(context.real("brightness"), context.real("contrast"),
                                      context.real("saturation"), context.real("hue"));
        });
}

NodeType gaussian_blur_type() {
    NodeType type = by_chance(
        "GaussianBlur", {"blur", "smooth", "unsharp"},
        "Makes each training picture unsharp by an amount drawn by chance.",
        {int_param("kernel_size", "Kernel", 3, 1, 101, "Pixels that are mixed; odd."),
         real_param("sigma_min", "Least", 0.1, 0.0001, 100, "The smallest deviation, in pixels."),
         real_param("sigma_max", "Most", 2, 0.0001, 100, "The largest deviation, in pixels.")},
        [](const BuildContext& context) {
            return data::gaussian_blurring(static_cast<int>(context.integer("kernel_size")),
                                           range_of(context, "sigma_min", "sigma_max"));
        });
    type.check = [range = ordered({{"sigma_min", "sigma_max"}})](const Params& params) {
        const auto size = std::get<std::int64_t>(params.at("kernel_size"));
        return size % 2 == 0 ? fmt::format("kernel_size must be odd, got {}", size) : range(params);
    };
    return type;
}

NodeType gaussian_noise_type() {
    NodeType type = by_chance(
        "GaussianNoise", {"noise", "grain", "disturb", "denoise"},
        "Adds noise to each training sample; rows of a table as well as pictures.",
        {real_param("mean", "Mean", 0, -1e6, 1e6, "What is added on average."),
         real_param("sigma", "Deviation", 0.1, 0, 1e6, "How strong the noise is."),
         bool_param("clip", "Keep within 0 to 1", false, "Cut what leaves the range of pictures.")},
        [](const BuildContext& context) {
            return data::gaussian_noise(context.real("mean"), context.real("sigma"),
                                        context.flag("clip"));
        });
    type.build = [](const BuildContext& context) {
        need_floating(context, "GaussianNoise");
        return make_unary([](const Tensor& x) { return x; });
    };
    return type;
}

std::vector<NodeType> random_types() {
    using Context = const BuildContext&;
    return {
        random_crop_type(),
        random_resized_crop_type(),
        by_chance("RandomHorizontalFlip", {"mirror", "flip", "left right"},
                  "Mirrors some training pictures, left to right.", {chance(0.5)},
                  [](Context c) { return data::random_horizontal_flip(c.real("p")); }),
        by_chance("RandomVerticalFlip", {"mirror", "flip", "upside down"},
                  "Turns some training pictures upside down.", {chance(0.5)},
                  [](Context c) { return data::random_vertical_flip(c.real("p")); }),
        by_chance("RandomRotation", {"rotate", "turn"},
                  "Turns each training picture by an angle drawn by chance.",
                  {degrees_param(15), reading_param(), fill_param()},
                  [](Context c) {
                      return data::random_rotation(around(c.real("degrees")), reading_of(c),
                                                   fill_of(c));
                  }),
        random_affine_type(),
        by_chance("RandomPerspective", {"slant", "warp", "tilt"},
                  "Shows some training pictures as if seen from another side.",
                  {real_param("distortion_scale", "Distortion", 0.5, 0, 1,
                              "How far the corners move at most."),
                   chance(0.5), reading_param(), fill_param()},
                  [](Context c) {
                      return data::random_perspective(c.real("distortion_scale"), c.real("p"),
                                                      reading_of(c), fill_of(c));
                  }),
        by_chance(
            "ElasticTransform", {"elastic", "warp", "distort", "handwriting"},
            "Bends each training picture like rubber.",
            {real_param("alpha", "Strength", 50, 0, 10000, "How far pixels move."),
             real_param("sigma", "Smoothness", 5, 0, 50, "How even the shifts are, in pixels."),
             reading_param(), fill_param()},
            [](Context c) {
                return data::elastic(c.real("alpha"), c.real("sigma"), reading_of(c), fill_of(c));
            }),
        color_jitter_type(),
        by_chance("RandomGrayscale", {"grey", "gray"},
                  "Takes the colour from some training pictures.", {chance(0.1)},
                  [](Context c) { return data::random_grayscale(c.real("p")); }),
        gaussian_blur_type(),
        gaussian_noise_type(),
        random_erasing_type(),
        by_chance("RandomInvert", {"negative"}, "Makes some training pictures negatives.",
                  {chance(0.5)}, [](Context c) { return data::random_invert(c.real("p")); }),
        by_chance(
            "RandomPosterize", {"levels", "bits"},
            "Leaves only a few steps of each colour in some training pictures.",
            {int_param("bits", "Bits", 4, 1, 8, "Bits of each colour that stay."), chance(0.5)},
            [](Context c) {
                return data::random_posterize(static_cast<int>(c.integer("bits")), c.real("p"));
            }),
        by_chance(
            "RandomSolarize", {"invert bright"},
            "Inverts what is bright in some training pictures.",
            {real_param("threshold", "Threshold", 0.5, 0, 1, "From here on it is inverted."),
             chance(0.5)},
            [](Context c) { return data::random_solarize(c.real("threshold"), c.real("p")); }),
        by_chance("RandomAdjustSharpness", {"sharpen", "sharpness"},
                  "Sharpens some training pictures, or blurs them.",
                  {real_param("sharpness_factor", "Sharpness", 2, 0, 100,
                              "0: blurred, 1: as it is, 2: twice as sharp."),
                   chance(0.5)},
                  [](Context c) {
                      return data::random_sharpness(c.real("sharpness_factor"), c.real("p"));
                  }),
        by_chance("RandomAutocontrast", {"contrast", "stretch"},
                  "Stretches the colours of some training pictures over the whole range.",
                  {chance(0.5)}, [](Context c) { return data::random_autocontrast(c.real("p")); }),
        by_chance("RandomEqualize", {"histogram", "equalise"},
                  "Makes every brightness as frequent as any other in some training pictures.",
                  {chance(0.5)}, [](Context c) { return data::random_equalize(c.real("p")); }),
        by_chance("RandAugment", {"policy", "automatic"},
                  "Applies a few of fourteen changes, drawn by chance, all of one strength.",
                  {int_param("num_ops", "Changes", 2, 0, 14, "How many, one behind the other."),
                   int_param("magnitude", "Strength", 9, 0, 30, "How strong they are."),
                   reading_param(), fill_param()},
                  [](Context c) {
                      return data::rand_augment(static_cast<int>(c.integer("num_ops")),
                                                static_cast<int>(c.integer("magnitude")), 31,
                                                reading_of(c), fill_of(c));
                  }),
        by_chance("TrivialAugmentWide", {"policy", "automatic"},
                  "Applies one of fourteen changes, drawn by chance, of any strength. Needs no "
                  "tuning.",
                  {reading_param(), fill_param()},
                  [](Context c) { return data::trivial_augment(31, reading_of(c), fill_of(c)); })};
}

// --- labels

NodeType one_hot_type() {
    NodeType type = transform("OneHot", {"one hot", "dummy", "indicator", "categorical"},
                              "Makes a row of zeros of each class number, with a one at its "
                              "place: classes as numbers that losses can compare.");
    type.formula = "y[k] = 1 where x = k, else 0";
    type.params = {int_param("num_classes", "Classes", 10, 1, 1000000,
                             "How many there are; a larger class number is an error.")};
    type.build = [](const BuildContext& context) {
        if (!is_integral(context.inputs[0].dtype))
            throw DTypeError(fmt::format("OneHot needs class numbers, got {}",
                                         name_of(context.inputs[0].dtype)));
        return make_unary([classes = context.integer("num_classes")](const Tensor& x) {
            return to(one_hot(x, classes), DType::Float32);
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{"",
                       fmt::format("F.one_hot({{0}}, {}).float()", context.integer("num_classes"))};
    };
    return type;
}

} // namespace

std::vector<NodeType> transform_types() {
    std::vector<NodeType> all = {resize_type(), center_crop_type(), normalize_type(),
                                 grayscale_type()};
    for (NodeType& type : random_types())
        all.push_back(std::move(type));
    all.push_back(one_hot_type());
    return all;
}

} // namespace wiregrad::graph::types

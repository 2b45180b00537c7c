#include "datasets/transforms/transform.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace wiregrad::data {
namespace {

int whole(SampleRandom& random, int low, int high) { // both included
    return low + static_cast<int>(random.below(static_cast<std::uint64_t>(high - low + 1)));
}

Transform by_chance(double p, Transform change) {
    return [p, change = std::move(change)](Picture& picture, SampleRandom& random) {
        if (random.uniform() < p) change(picture, random);
    };
}

template <class Function> Transform always(Function function) {
    return [function](Picture& picture, SampleRandom&) { function(picture); };
}

/// A rectangle of a part of the picture's area and of a shape, both drawn; at most ten tries.
struct Box {
    int top = 0, left = 0, height = 0, width = 0;
};
bool draw_box(const Picture& picture, const Range& scale, const Range& ratio, bool smaller,
              SampleRandom& random, Box& box) {
    const double area = static_cast<double>(picture.plane());
    const Range shapes{std::log(ratio.low), std::log(ratio.high)};
    for (int attempt = 0; attempt < 10; ++attempt) {
        const double target = area * scale.draw(random), shape = std::exp(shapes.draw(random));
        // For a crop the ratio is width by height, for what is erased height by width.
        box.width =
            static_cast<int>(std::nearbyint(std::sqrt(smaller ? target / shape : target * shape)));
        box.height =
            static_cast<int>(std::nearbyint(std::sqrt(smaller ? target * shape : target / shape)));
        const int spare_y = picture.height - box.height, spare_x = picture.width - box.width;
        if (box.width < 1 || box.height < 1 || spare_y < (smaller ? 1 : 0) ||
            spare_x < (smaller ? 1 : 0))
            continue;
        box.top = whole(random, 0, spare_y);
        box.left = whole(random, 0, spare_x);
        return true;
    }
    return false;
}

/// What RandAugment and TrivialAugment choose from, in torchvision's order.
enum class Operation {
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize
};
constexpr int kOperations = 14;

/// The strongest of each operation; translations in pixels.
struct Strength {
    double shear, translate_x, translate_y, degrees, color, bits;
};

/// `part` in 0..1 of the strongest.
void apply(Picture& picture, Operation operation, double part, const Strength& most, bool back,
           Reading reading, float fill) {
    const double sign = back ? -1 : 1;
    const auto warp = [&](const std::array<double, 6>& m) {
        warp_affine(picture, m, reading, fill);
    };
    const double shear = sign * part * most.shear;
    switch (operation) {
    case Operation::Identity:
        break;
    case Operation::ShearX: // around the top left corner, which stays where it is
        warp({1, shear, shear * 0.5 * picture.height, 0, 1, 0});
        break;
    case Operation::ShearY:
        warp({1, 0, 0, shear, 1, shear * 0.5 * picture.width});
        break;
    case Operation::TranslateX:
        warp({1, 0, -std::trunc(sign * part * most.translate_x), 0, 1, 0});
        break;
    case Operation::TranslateY:
        warp({1, 0, 0, 0, 1, -std::trunc(sign * part * most.translate_y)});
        break;
    case Operation::Rotate:
        warp(affine_inverse(-sign * part * most.degrees, 0, 0, 1, 0, 0));
        break;
    case Operation::Brightness:
        adjust_brightness(picture, 1 + sign * part * most.color);
        break;
    case Operation::Color:
        adjust_saturation(picture, 1 + sign * part * most.color);
        break;
    case Operation::Contrast:
        adjust_contrast(picture, 1 + sign * part * most.color);
        break;
    case Operation::Sharpness:
        adjust_sharpness(picture, 1 + sign * part * most.color);
        break;
    case Operation::Posterize:
        posterize(picture, 8 - static_cast<int>(std::nearbyint(part * most.bits)));
        break;
    case Operation::Solarize:
        solarize(picture, 1 - part);
        break;
    case Operation::AutoContrast:
        autocontrast(picture);
        break;
    case Operation::Equalize:
        equalize(picture);
        break;
    }
}

double part_of(int bin, int bins) {
    return bins > 1 ? static_cast<double>(bin) / (bins - 1) : 0;
}

} // namespace

Transform resize(int height, int width) {
    return always([=](Picture& picture) { resize_picture(picture, height, width); });
}

Transform center_crop(int height, int width) {
    return always([=](Picture& picture) {
        const auto middle = [](int size, int wanted) {
            return static_cast<int>(std::nearbyint((size - wanted) / 2.0));
        };
        crop_picture(picture, middle(picture.height, height), middle(picture.width, width), height,
                     width);
    });
}

Transform grayscale(int channels) {
    return always([channels](Picture& picture) { to_grey(picture, channels); });
}

Transform normalization(std::vector<double> mean, std::vector<double> std) {
    return always([mean = std::move(mean), std = std::move(std)](Picture& picture) {
        normalize(picture, mean, std);
    });
}

Transform random_horizontal_flip(double p) {
    return by_chance(p, always(flip_horizontal));
}
Transform random_vertical_flip(double p) {
    return by_chance(p, always(flip_vertical));
}

Transform random_crop(int height, int width, int padding, Edge edge, float fill) {
    return [=](Picture& picture, SampleRandom& random) {
        if (padding > 0) pad_picture(picture, padding, padding, padding, padding, edge, fill);
        const int top = whole(random, 0, std::max(0, picture.height - height));
        const int left = whole(random, 0, std::max(0, picture.width - width));
        crop_picture(picture, top, left, height, width, fill);
    };
}

Transform random_resized_crop(int height, int width, Range scale, Range ratio) {
    return [=](Picture& picture, SampleRandom& random) {
        Box box{0, 0, picture.height, picture.width};
        if (!draw_box(picture, scale, ratio, false, random, box)) {
            // No rectangle fits: the largest in the middle whose shape is allowed.
            const double shape = static_cast<double>(picture.width) / picture.height;
            box.width = picture.width;
            box.height = picture.height;
            if (shape < ratio.low)
                box.height = static_cast<int>(std::nearbyint(box.width / ratio.low));
            else if (shape > ratio.high)
                box.width = static_cast<int>(std::nearbyint(box.height * ratio.high));
            box.height = std::clamp(box.height, 1, picture.height);
            box.width = std::clamp(box.width, 1, picture.width);
            box.top = (picture.height - box.height) / 2;
            box.left = (picture.width - box.width) / 2;
        }
        crop_picture(picture, box.top, box.left, box.height, box.width);
        resize_picture(picture, height, width);
    };
}

Transform random_rotation(Range degrees, Reading reading, float fill) {
    return [=](Picture& picture, SampleRandom& random) {
        // torchvision's rotate turns the other way than its affine.
        warp_affine(picture, affine_inverse(-degrees.draw(random), 0, 0, 1, 0, 0), reading, fill);
    };
}

Transform random_affine(AffineRanges ranges, Reading reading, float fill) {
    return [=](Picture& picture, SampleRandom& random) {
        const double angle = ranges.degrees.draw(random);
        const double shift_x = std::nearbyint(ranges.shift_x.draw(random) * picture.width);
        const double shift_y = std::nearbyint(ranges.shift_y.draw(random) * picture.height);
        const double scale = ranges.scale.draw(random);
        const double shear_x = ranges.shear_x.draw(random), shear_y = ranges.shear_y.draw(random);
        warp_affine(picture, affine_inverse(angle, shift_x, shift_y, scale, shear_x, shear_y),
                    reading, fill);
    };
}

Transform random_perspective(double distortion, double p, Reading reading, float fill) {
    return by_chance(p, [=](Picture& picture, SampleRandom& random) {
        const int width = picture.width, height = picture.height;
        const int x = static_cast<int>(distortion * (width / 2)),
                  y = static_cast<int>(distortion * (height / 2));
        const auto low = [&](int most) { return static_cast<double>(whole(random, 0, most)); };
        const auto high = [&](int size, int most) {
            return static_cast<double>(whole(random, std::max(0, size - most - 1), size - 1));
        };
        const double right = width - 1, bottom = height - 1;
        const std::array<Point, 4> from{{{0, 0}, {right, 0}, {right, bottom}, {0, bottom}}};
        std::array<Point, 4> to{};
        to[0].x = low(x);
        to[0].y = low(y);
        to[1].x = high(width, x);
        to[1].y = low(y);
        to[2].x = high(width, x);
        to[2].y = high(height, y);
        to[3].x = low(x);
        to[3].y = high(height, y);
        warp_perspective(picture, from, to, reading, fill);
    });
}

Transform elastic(double alpha, double sigma, Reading reading, float fill) {
    return [=](Picture& picture, SampleRandom& random) {
        const int kernel = static_cast<int>(8 * sigma + 1) | 1;
        const auto field = [&] {
            Picture shifts{1, picture.height, picture.width, {}, {}};
            shifts.values.resize(picture.plane());
            for (float& value : shifts.values)
                value = static_cast<float>(random.uniform(-1, 1));
            if (sigma > 0) gaussian_blur(shifts, kernel, kernel, sigma);
            // torchvision: alpha / size in units of half a picture.
            for (float& value : shifts.values)
                value = static_cast<float>(value * alpha / 2);
            return std::move(shifts.values);
        };
        const std::vector<float> dx = field(), dy = field();
        warp_by(picture, dx, dy, reading, fill);
    };
}

Transform color_jitter(double brightness, double contrast, double saturation, double hue) {
    const auto factors = [](double strength) {
        return Range{std::max(0.0, 1 - strength), 1 + strength};
    };
    return [=](Picture& picture, SampleRandom& random) {
        std::array<int, 4> order{0, 1, 2, 3};
        for (std::size_t i = order.size(); i > 1; --i)
            std::swap(order[i - 1], order[random.below(i)]);
        const double b = factors(brightness).draw(random), c = factors(contrast).draw(random),
                     s = factors(saturation).draw(random), h = random.uniform(-hue, hue);
        for (const int which : order) {
            if (which == 0 && brightness > 0) adjust_brightness(picture, b);
            if (which == 1 && contrast > 0) adjust_contrast(picture, c);
            if (which == 2 && saturation > 0) adjust_saturation(picture, s);
            if (which == 3 && hue > 0) adjust_hue(picture, h);
        }
    };
}

Transform random_grayscale(double p) {
    return by_chance(p, always([](Picture& picture) { to_grey(picture); }));
}

Transform gaussian_blurring(int kernel_size, Range sigma) {
    return [=](Picture& picture, SampleRandom& random) {
        gaussian_blur(picture, kernel_size, kernel_size, sigma.draw(random));
    };
}

Transform gaussian_noise(double mean, double sigma, bool clip) {
    return [=](Picture& picture, SampleRandom& random) {
        for (float& value : picture.values) {
            value = static_cast<float>(value + mean + sigma * random.normal());
            if (clip) value = std::clamp(value, 0.0F, 1.0F);
        }
    };
}

Transform random_erasing(double p, Range scale, Range ratio, float value) {
    return by_chance(p, [=](Picture& picture, SampleRandom& random) {
        Box box;
        if (draw_box(picture, scale, ratio, true, random, box))
            erase(picture, box.top, box.left, box.height, box.width, value);
    });
}

Transform random_invert(double p) {
    return by_chance(p, always(invert));
}
Transform random_posterize(int bits, double p) {
    return by_chance(p, always([bits](Picture& picture) { posterize(picture, bits); }));
}
Transform random_solarize(double threshold, double p) {
    return by_chance(p, always([threshold](Picture& picture) { solarize(picture, threshold); }));
}
Transform random_autocontrast(double p) {
    return by_chance(p, always(autocontrast));
}
Transform random_equalize(double p) {
    return by_chance(p, always(equalize));
}
Transform random_sharpness(double factor, double p) {
    return by_chance(p, always([factor](Picture& picture) { adjust_sharpness(picture, factor); }));
}

Transform rand_augment(int count, int magnitude, int bins, Reading reading, float fill) {
    return [=](Picture& picture, SampleRandom& random) {
        const Strength most{0.3, 150.0 / 331 * picture.width, 150.0 / 331 * picture.height, 30, 0.9,
                            4};
        for (int i = 0; i < count; ++i) {
            const auto operation = static_cast<Operation>(whole(random, 0, kOperations - 1));
            const bool back = whole(random, 0, 1) == 1;
            apply(picture, operation, part_of(magnitude, bins), most, back, reading, fill);
        }
    };
}

Transform trivial_augment(int bins, Reading reading, float fill) {
    return [=](Picture& picture, SampleRandom& random) {
        const Strength most{0.99, 32, 32, 135, 0.99, 6};
        const auto operation = static_cast<Operation>(whole(random, 0, kOperations - 1));
        const double part = part_of(whole(random, 0, bins - 1), bins);
        const bool back = whole(random, 0, 1) == 1;
        apply(picture, operation, part, most, back, reading, fill);
    };
}

} // namespace wiregrad::data

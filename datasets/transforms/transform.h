// What happens to a training sample each time it is read: torchvision's random transforms, drawn
// from the sample's own random numbers. A transform is a value that any thread may call.
#pragma once

#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "datasets/random.h"
#include "datasets/transforms/picture.h"

namespace wiregrad::data {

/// Changes one sample. What it draws is a function of `random` alone.
using Transform = std::function<void(Picture&, SampleRandom&)>;

struct Range {
    double low = 0, high = 0;
    double draw(SampleRandom& random) const { return random.uniform(low, high); }
};

// --- always the same
Transform resize(int height, int width);
Transform center_crop(int height, int width); ///< beyond the picture: zeros
Transform grayscale(int channels);            ///< that stay: 1 or 3
Transform normalization(std::vector<double> mean, std::vector<double> std);

// --- by chance; p: how often
Transform random_horizontal_flip(double p);
Transform random_vertical_flip(double p);
/// `padding` pixels of `fill` on every side first (Edge says what they are).
Transform random_crop(int height, int width, int padding, Edge edge, float fill);
Transform random_resized_crop(int height, int width, Range scale, Range ratio);
Transform random_rotation(Range degrees, Reading reading, float fill);
struct AffineRanges {
    Range degrees, shift_x, shift_y; ///< shifts as parts of width and height
    Range scale{1, 1}, shear_x{}, shear_y{};
};
Transform random_affine(AffineRanges ranges, Reading reading, float fill);
Transform random_perspective(double distortion, double p, Reading reading, float fill);
Transform elastic(double alpha, double sigma, Reading reading, float fill);
/// Strengths as in torchvision: factors lie in max(0, 1 - s) .. 1 + s; hue turns by up to `hue`.
Transform color_jitter(double brightness, double contrast, double saturation, double hue);
Transform random_grayscale(double p);
Transform gaussian_blurring(int kernel_size, Range sigma);
Transform gaussian_noise(double mean, double sigma, bool clip);
Transform random_erasing(double p, Range scale, Range ratio, float value);
Transform random_invert(double p);
Transform random_posterize(int bits, double p);
Transform random_solarize(double threshold, double p);
Transform random_autocontrast(double p);
Transform random_equalize(double p);
Transform random_sharpness(double factor, double p);
/// `count` operations of fourteen, each of strength `magnitude` of `bins`.
Transform rand_augment(int count, int magnitude, int bins, Reading reading, float fill);
/// One operation of any strength.
Transform trivial_augment(int bins, Reading reading, float fill);

} // namespace wiregrad::data

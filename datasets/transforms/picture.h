// What can be done to one picture of floats, with every choice made by the caller: the formulae of
// torchvision's functions of the same names. Colours lie in 0..1. Pure but for the picture; any
// thread.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace wiregrad::data {

/// One sample under way: planes behind each other, [channels, height, width]. A row of a table is
/// features x 1 x 1.
struct Picture {
    int channels = 1, height = 1, width = 1;
    std::vector<float> values;
    std::vector<float> spare; ///< memory for the next values, kept from sample to sample

    std::size_t plane() const {
        return static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
    }
    /// `spare` becomes the values, of this size.
    void take_spare(int new_height, int new_width);
};

// --- size and place
void flip_horizontal(Picture& picture);
void flip_vertical(Picture& picture);
enum class Edge { Constant, Replicate, Reflect };
/// Numbers before and behind; a negative one cuts off. Reflect: below the size.
void pad_picture(Picture& picture, int left, int top, int right, int bottom, Edge edge, float fill);
/// The part that begins at (top, left); what lies outside is `fill`.
void crop_picture(Picture& picture, int top, int left, int height, int width, float fill = 0);
/// Bilinear, pixel centres at halves; the filter widens where the picture shrinks (antialiased).
void resize_picture(Picture& picture, int height, int width);
/// The same along one dimension as a matrix [out, in].
std::vector<double> resize_weights(int in, int out);

enum class Reading { Nearest, Bilinear };
/// out(x, y) = in(m . (x, y, 1)), places measured from the middle of the picture.
void warp_affine(Picture& picture, const std::array<double, 6>& inverse, Reading reading,
                 float fill);
/// The inverse matrix of a rotation (degrees, clockwise as torchvision's affine), a shift in
/// pixels, a factor and two shears (degrees).
std::array<double, 6> affine_inverse(double angle, double shift_x, double shift_y, double scale,
                                     double shear_x, double shear_y);
struct Point {
    double x = 0, y = 0;
};
/// The four corners (clockwise from the top left) `from` move to `to`.
void warp_perspective(Picture& picture, std::span<const Point, 4> from,
                      std::span<const Point, 4> to, Reading reading, float fill);
/// Every pixel is read at its place plus (dx, dy), fields of height x width in pixels.
void warp_by(Picture& picture, std::span<const float> dx, std::span<const float> dy,
             Reading reading, float fill);
/// Part of a picture becomes one number.
void erase(Picture& picture, int top, int left, int height, int width, float value);

// --- colour; those that mix colours leave pictures of other than three channels as grey ones
/// Every channel becomes .2989 R + .587 G + .114 B; `channels` (1 or 3) stay.
void to_grey(Picture& picture, int channels = 3);
void adjust_brightness(Picture& picture, double factor);
void adjust_contrast(Picture& picture, double factor);
void adjust_saturation(Picture& picture, double factor);
void adjust_hue(Picture& picture, double turn); ///< part of a full turn, -0.5..0.5
void adjust_sharpness(Picture& picture, double factor);
void invert(Picture& picture);
void posterize(Picture& picture, int bits); ///< the highest bits of a byte are kept
void solarize(Picture& picture, double threshold);
void autocontrast(Picture& picture);
void equalize(Picture& picture); ///< over 256 steps
/// Odd kernel size, edges reflected.
void gaussian_blur(Picture& picture, int kernel_x, int kernel_y, double sigma);
/// value -> (value - mean) / std; one of each, or one a channel.
void normalize(Picture& picture, std::span<const double> mean, std::span<const double> std);

} // namespace wiregrad::data

#include "datasets/transforms/picture.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace wiregrad::data {
namespace {

std::size_t at(int y, int x, int width) {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
           static_cast<std::size_t>(x);
}

/// The mirrored place of `i` in [0, size), without repeating the edge.
int mirrored(int i, int size) {
    if (size == 1) return 0;
    while (i < 0 || i >= size)
        i = i < 0 ? -i : 2 * (size - 1) - i;
    return i;
}

/// Fills `spare` with height x width pixels, each `pixel(plane, y, x)`, and takes it.
template <class Pixel> void remake(Picture& picture, int height, int width, Pixel pixel) {
    picture.spare.resize(static_cast<std::size_t>(picture.channels) *
                         static_cast<std::size_t>(height) * static_cast<std::size_t>(width));
    float* out = picture.spare.data();
    for (int c = 0; c < picture.channels; ++c) {
        const float* plane = picture.values.data() + static_cast<std::size_t>(c) * picture.plane();
        for (int y = 0; y < height; ++y)
            for (int x = 0; x < width; ++x)
                *out++ = pixel(plane, y, x);
    }
    picture.take_spare(height, width);
}

/// What lies at (x, y), pixel centres at whole numbers; `fill` outside.
float read(const float* plane, int height, int width, double x, double y, Reading reading,
           float fill) {
    const auto pixel = [&](double px, double py) {
        if (!(px >= 0 && px < width && py >= 0 && py < height)) return fill;
        return plane[at(static_cast<int>(py), static_cast<int>(px), width)];
    };
    if (reading == Reading::Nearest) return pixel(std::nearbyint(x), std::nearbyint(y));
    const double left = std::floor(x), top = std::floor(y);
    const auto dx = static_cast<float>(x - left), dy = static_cast<float>(y - top);
    return pixel(left, top) * (1 - dx) * (1 - dy) + pixel(left + 1, top) * dx * (1 - dy) +
           pixel(left, top + 1) * (1 - dx) * dy + pixel(left + 1, top + 1) * dx * dy;
}

/// One direction of a resampling: for each place that comes out, where its pixels begin and what
/// they weigh.
struct Filter {
    std::vector<int> first;
    std::vector<std::vector<double>> weights;
};

Filter triangle(int in, int out) {
    const double scale = static_cast<double>(in) / out;
    const double wide = std::max(scale, 1.0);
    Filter filter;
    for (int i = 0; i < out; ++i) {
        const double center = (i + 0.5) * scale;
        const int begin = std::max(0, static_cast<int>(center - wide + 0.5));
        const int end = std::min(in, static_cast<int>(center + wide + 0.5));
        double sum = 0;
        auto& weights = filter.weights.emplace_back();
        for (int k = begin; k < end; ++k) {
            weights.push_back(std::max(0.0, 1 - std::abs((k - center + 0.5) / wide)));
            sum += weights.back();
        }
        for (double& weight : weights)
            weight /= sum;
        filter.first.push_back(begin);
    }
    return filter;
}

template <class Change> void each(Picture& picture, Change change) {
    for (float& value : picture.values)
        value = change(value);
}

float clamped(float value) {
    return std::clamp(value, 0.0F, 1.0F);
}

std::size_t byte_of(float value) {
    return static_cast<std::size_t>(std::nearbyint(clamped(value) * 255));
}

float grey_of(const Picture& picture, std::size_t pixel) {
    const std::size_t plane = picture.plane();
    const float* v = picture.values.data();
    if (picture.channels != 3) return v[pixel];
    return 0.2989F * v[pixel] + 0.587F * v[pixel + plane] + 0.114F * v[pixel + 2 * plane];
}

} // namespace

void Picture::take_spare(int new_height, int new_width) {
    values.swap(spare);
    height = new_height;
    width = new_width;
}

void flip_horizontal(Picture& picture) {
    for (std::size_t row = 0; row < picture.values.size();
         row += static_cast<std::size_t>(picture.width))
        std::reverse(picture.values.begin() + static_cast<std::ptrdiff_t>(row),
                     picture.values.begin() + static_cast<std::ptrdiff_t>(row) + picture.width);
}

void flip_vertical(Picture& picture) {
    const int height = picture.height, width = picture.width;
    remake(picture, height, width,
           [=](const float* plane, int y, int x) { return plane[at(height - 1 - y, x, width)]; });
}

void pad_picture(Picture& picture, int left, int top, int right, int bottom, Edge edge,
                 float fill) {
    const int height = picture.height, width = picture.width;
    remake(picture, height + top + bottom, width + left + right,
           [=](const float* plane, int y, int x) {
               int from_y = y - top, from_x = x - left;
               if (edge == Edge::Reflect) {
                   from_y = mirrored(from_y, height);
                   from_x = mirrored(from_x, width);
               } else if (edge == Edge::Replicate) {
                   from_y = std::clamp(from_y, 0, height - 1);
                   from_x = std::clamp(from_x, 0, width - 1);
               } else if (from_y < 0 || from_y >= height || from_x < 0 || from_x >= width) {
                   return fill;
               }
               return plane[at(from_y, from_x, width)];
           });
}

void crop_picture(Picture& picture, int top, int left, int height, int width, float fill) {
    pad_picture(picture, -left, -top, left + width - picture.width, top + height - picture.height,
                Edge::Constant, fill);
}

void resize_picture(Picture& picture, int height, int width) {
    if (height == picture.height && width == picture.width) return;
    const Filter across = triangle(picture.width, width), down = triangle(picture.height, height);
    const auto weighed = [](const Filter& filter, int i, const float* from, std::size_t step) {
        const auto place = static_cast<std::size_t>(i);
        double sum = 0;
        const float* value = from + static_cast<std::size_t>(filter.first[place]) * step;
        for (const double weight : filter.weights[place]) {
            sum += weight * *value;
            value += step;
        }
        return static_cast<float>(sum);
    };
    const int old_width = picture.width, old_height = picture.height;
    remake(picture, old_height, width, [&](const float* plane, int y, int x) {
        return weighed(across, x, plane + at(y, 0, old_width), 1);
    });
    remake(picture, height, width, [&](const float* plane, int y, int x) {
        return weighed(down, y, plane + x, static_cast<std::size_t>(width));
    });
}

std::vector<double> resize_weights(int in, int out) {
    const Filter filter = triangle(in, out);
    std::vector<double> matrix(static_cast<std::size_t>(in) * static_cast<std::size_t>(out));
    for (std::size_t i = 0; i < filter.first.size(); ++i)
        std::copy(filter.weights[i].begin(), filter.weights[i].end(),
                  matrix.begin() + static_cast<std::ptrdiff_t>(i) * in + filter.first[i]);
    return matrix;
}

void warp_affine(Picture& picture, const std::array<double, 6>& inverse, Reading reading,
                 float fill) {
    const int height = picture.height, width = picture.width;
    const double half_x = 0.5 * width, half_y = 0.5 * height;
    remake(picture, height, width, [&](const float* plane, int y, int x) {
        const double from_x = x + 0.5 - half_x, from_y = y + 0.5 - half_y;
        const double to_x = inverse[0] * from_x + inverse[1] * from_y + inverse[2];
        const double to_y = inverse[3] * from_x + inverse[4] * from_y + inverse[5];
        return read(plane, height, width, to_x + half_x - 0.5, to_y + half_y - 0.5, reading, fill);
    });
}

std::array<double, 6> affine_inverse(double angle, double shift_x, double shift_y, double scale,
                                     double shear_x, double shear_y) {
    // Rotation . shear, inverted in closed form, then the shift.
    constexpr double kRadians = std::numbers::pi / 180;
    const double rot = angle * kRadians, sx = shear_x * kRadians, sy = shear_y * kRadians;
    const double a = std::cos(rot - sy) / std::cos(sy);
    const double b = -std::cos(rot - sy) * std::tan(sx) / std::cos(sy) - std::sin(rot);
    const double c = std::sin(rot - sy) / std::cos(sy);
    const double d = -std::sin(rot - sy) * std::tan(sx) / std::cos(sy) + std::cos(rot);
    std::array<double, 6> m{d / scale, -b / scale, 0, -c / scale, a / scale, 0};
    m[2] = -m[0] * shift_x - m[1] * shift_y;
    m[5] = -m[3] * shift_x - m[4] * shift_y;
    return m;
}

void warp_perspective(Picture& picture, std::span<const Point, 4> from,
                      std::span<const Point, 4> to, Reading reading, float fill) {
    // (x, y) -> ((a x + b y + c) / (g x + h y + 1), (d x + e y + f) / (g x + h y + 1)) takes each
    // corner of `to` back to its corner of `from`: eight linear equations.
    std::array<std::array<double, 9>, 8> rows{};
    for (std::size_t k = 0; k < 4; ++k) {
        const Point p = to[k], q = from[k];
        rows[2 * k] = {p.x, p.y, 1, 0, 0, 0, -q.x * p.x, -q.x * p.y, q.x};
        rows[2 * k + 1] = {0, 0, 0, p.x, p.y, 1, -q.y * p.x, -q.y * p.y, q.y};
    }
    for (std::size_t i = 0; i < 8; ++i) {
        const auto pivot = std::max_element(
            rows.begin() + static_cast<std::ptrdiff_t>(i), rows.end(),
            [&](const auto& a, const auto& b) { return std::abs(a[i]) < std::abs(b[i]); });
        std::swap(rows[i], *pivot);
        if (rows[i][i] == 0) return; // corners on one line: there is no such picture
        for (std::size_t k = 0; k < 8; ++k) {
            if (k == i) continue;
            const double factor = rows[k][i] / rows[i][i];
            for (std::size_t j = i; j < 9; ++j)
                rows[k][j] -= factor * rows[i][j];
        }
    }
    std::array<double, 8> m{};
    for (std::size_t i = 0; i < 8; ++i)
        m[i] = rows[i][8] / rows[i][i];
    const int height = picture.height, width = picture.width;
    remake(picture, height, width, [&](const float* plane, int y, int x) {
        const double px = x + 0.5, py = y + 0.5;
        const double depth = m[6] * px + m[7] * py + 1;
        return read(plane, height, width, (m[0] * px + m[1] * py + m[2]) / depth - 0.5,
                    (m[3] * px + m[4] * py + m[5]) / depth - 0.5, reading, fill);
    });
}

void warp_by(Picture& picture, std::span<const float> dx, std::span<const float> dy,
             Reading reading, float fill) {
    const int height = picture.height, width = picture.width;
    remake(picture, height, width, [&](const float* plane, int y, int x) {
        const std::size_t place = at(y, x, width);
        return read(plane, height, width, static_cast<double>(x) + dx[place],
                    static_cast<double>(y) + dy[place], reading, fill);
    });
}

void erase(Picture& picture, int top, int left, int height, int width, float value) {
    for (int c = 0; c < picture.channels; ++c)
        for (int y = std::max(top, 0); y < std::min(top + height, picture.height); ++y)
            for (int x = std::max(left, 0); x < std::min(left + width, picture.width); ++x)
                picture.values[static_cast<std::size_t>(c) * picture.plane() +
                               at(y, x, picture.width)] = value;
}

void to_grey(Picture& picture, int channels) {
    if (picture.channels != 3) return;
    const std::size_t plane = picture.plane();
    for (std::size_t i = 0; i < plane; ++i) {
        const float grey = grey_of(picture, i);
        for (std::size_t c = 0; c < 3; ++c)
            picture.values[i + c * plane] = grey;
    }
    if (channels == 1) {
        picture.channels = 1;
        picture.values.resize(plane);
    }
}

void adjust_brightness(Picture& picture, double factor) {
    each(picture, [f = static_cast<float>(factor)](float v) { return clamped(f * v); });
}

void adjust_contrast(Picture& picture, double factor) {
    const std::size_t plane = picture.plane();
    double sum = 0;
    for (std::size_t i = 0; i < plane; ++i)
        sum += grey_of(picture, i);
    const double mean = plane > 0 ? sum / static_cast<double>(plane) : 0;
    const auto f = static_cast<float>(factor), rest = static_cast<float>((1 - factor) * mean);
    each(picture, [=](float v) { return clamped(f * v + rest); });
}

void adjust_saturation(Picture& picture, double factor) {
    if (picture.channels != 3) return;
    const std::size_t plane = picture.plane();
    const auto f = static_cast<float>(factor), rest = static_cast<float>(1 - factor);
    for (std::size_t i = 0; i < plane; ++i) {
        const float grey = grey_of(picture, i);
        for (std::size_t c = 0; c < 3; ++c) {
            float& value = picture.values[i + c * plane];
            value = clamped(f * value + rest * grey);
        }
    }
}

void adjust_hue(Picture& picture, double turn) {
    if (picture.channels != 3) return;
    const std::size_t plane = picture.plane();
    float* v = picture.values.data();
    for (std::size_t i = 0; i < plane; ++i) {
        const float r = v[i], g = v[i + plane], b = v[i + 2 * plane];
        const float high = std::max({r, g, b}), low = std::min({r, g, b});
        const float range = high - low;
        if (range == 0) continue; // a grey has no hue
        const float to_r = (high - r) / range, to_g = (high - g) / range, to_b = (high - b) / range;
        const float sixth = high == r ? to_b - to_g : high == g ? 2 + to_r - to_b : 4 + to_g - to_r;
        double hue = sixth / 6.0 + 1 + turn;
        hue -= std::floor(hue);
        const double place = hue * 6;
        const int sector = static_cast<int>(std::floor(place)) % 6;
        const auto part = static_cast<float>(place - std::floor(place));
        const float saturation = range / high;
        const float p = clamped(high * (1 - saturation));
        const float q = clamped(high * (1 - saturation * part));
        const float t = clamped(high * (1 - saturation * (1 - part)));
        const std::array<std::array<float, 3>, 6> turned{
            {{high, t, p}, {q, high, p}, {p, high, t}, {p, q, high}, {t, p, high}, {high, p, q}}};
        for (std::size_t c = 0; c < 3; ++c)
            v[i + c * plane] = turned[static_cast<std::size_t>(sector)][c];
    }
}

void adjust_sharpness(Picture& picture, double factor) {
    const int height = picture.height, width = picture.width;
    if (height <= 2 || width <= 2) return;
    const auto f = static_cast<float>(factor), rest = static_cast<float>(1 - factor);
    remake(picture, height, width, [=](const float* plane, int y, int x) {
        const float own = plane[at(y, x, width)];
        if (y == 0 || x == 0 || y == height - 1 || x == width - 1) return clamped(own);
        float sum = 4 * own; // the middle weighs 5 of 13
        for (int dy = -1; dy <= 1; ++dy)
            for (int dx = -1; dx <= 1; ++dx)
                sum += plane[at(y + dy, x + dx, width)];
        return clamped(f * own + rest * sum / 13);
    });
}

void invert(Picture& picture) {
    each(picture, [](float v) { return 1 - v; });
}

void posterize(Picture& picture, int bits) {
    const unsigned mask = 0xFFU & ~((1U << (8 - std::clamp(bits, 0, 8))) - 1U);
    each(picture, [mask](float v) {
        return static_cast<float>(static_cast<unsigned>(byte_of(v)) & mask) / 255.0F;
    });
}

void solarize(Picture& picture, double threshold) {
    each(picture, [t = static_cast<float>(threshold)](float v) { return v >= t ? 1 - v : v; });
}

void autocontrast(Picture& picture) {
    const std::size_t plane = picture.plane();
    for (std::size_t c = 0; plane > 0 && c < static_cast<std::size_t>(picture.channels); ++c) {
        const auto begin = picture.values.begin() + static_cast<std::ptrdiff_t>(c * plane);
        const auto end = begin + static_cast<std::ptrdiff_t>(plane);
        const auto [low, high] = std::minmax_element(begin, end);
        const float from = *low, range = *high - *low;
        if (range <= 0) continue;
        std::transform(begin, end, begin, [=](float v) { return clamped((v - from) / range); });
    }
}

void equalize(Picture& picture) {
    constexpr std::size_t kSteps = 256;
    const std::size_t plane = picture.plane();
    for (std::size_t c = 0; plane > 0 && c < static_cast<std::size_t>(picture.channels); ++c) {
        float* v = picture.values.data() + c * plane;
        std::array<std::int64_t, kSteps> counts{};
        for (std::size_t i = 0; i < plane; ++i)
            ++counts[byte_of(v[i])];
        std::int64_t last = 0, total = 0;
        for (const std::int64_t count : counts) {
            total += count;
            if (count > 0) last = count;
        }
        const std::int64_t step = (total - last) / 255;
        std::array<float, kSteps> table{};
        std::int64_t before = 0;
        for (std::size_t k = 0; k < kSteps; ++k) {
            const std::int64_t to =
                step == 0 ? static_cast<std::int64_t>(k)
                          : std::clamp<std::int64_t>((before + step / 2) / step, 0, 255);
            table[k] = static_cast<float>(to) / 255;
            before += counts[k];
        }
        for (std::size_t i = 0; i < plane; ++i)
            v[i] = table[byte_of(v[i])];
    }
}

void gaussian_blur(Picture& picture, int kernel_x, int kernel_y, double sigma) {
    const auto bell = [sigma](int size) {
        std::vector<float> weights(static_cast<std::size_t>(size));
        double sum = 0;
        const auto value = [&](int i) {
            const double x = (i - (size - 1) * 0.5) / sigma;
            return std::exp(-0.5 * x * x);
        };
        for (int i = 0; i < size; ++i)
            sum += value(i);
        for (int i = 0; i < size; ++i)
            weights[static_cast<std::size_t>(i)] = static_cast<float>(value(i) / sum);
        return weights;
    };
    const int height = picture.height, width = picture.width;
    const std::vector<float> across = bell(kernel_x), down = bell(kernel_y);
    remake(picture, height, width, [&](const float* plane, int y, int x) {
        float sum = 0;
        for (int k = 0; k < kernel_x; ++k)
            sum += across[static_cast<std::size_t>(k)] *
                   plane[at(y, mirrored(x + k - kernel_x / 2, width), width)];
        return sum;
    });
    remake(picture, height, width, [&](const float* plane, int y, int x) {
        float sum = 0;
        for (int k = 0; k < kernel_y; ++k)
            sum += down[static_cast<std::size_t>(k)] *
                   plane[at(mirrored(y + k - kernel_y / 2, height), x, width)];
        return sum;
    });
}

void normalize(Picture& picture, std::span<const double> mean, std::span<const double> std) {
    const std::size_t plane = picture.plane();
    for (std::size_t i = 0; i < picture.values.size(); ++i) {
        const std::size_t c = i / plane;
        const auto m = static_cast<float>(mean[mean.size() == 1 ? 0 : c]);
        const auto s = static_cast<float>(std[std.size() == 1 ? 0 : c]);
        picture.values[i] = (picture.values[i] - m) / s;
    }
}

} // namespace wiregrad::data

#include "datasets/sources/digits.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "datasets/random.h"

namespace wiregrad::data {
namespace {

struct Point {
    double x, y;
};

/// A pen stroke in a unit box, y downwards; a curve is smoothed through its points.
struct Stroke {
    bool curve;
    std::span<const Point> points;
};

/// Several ways to write each digit, as people do.
struct Template {
    int digit;
    std::span<const Stroke> strokes;
};

constexpr Point k0a[] = {{.50, .11}, {.30, .20}, {.23, .50}, {.30, .80}, {.50, .89},
                         {.70, .80}, {.77, .50}, {.70, .20}, {.50, .11}};
constexpr Point k0b[] = {{.58, .12}, {.38, .22}, {.30, .52}, {.36, .82}, {.50, .88},
                         {.64, .76}, {.70, .48}, {.64, .20}, {.50, .13}};
constexpr Stroke k0A[] = {{true, k0a}};
constexpr Stroke k0B[] = {{true, k0b}};

constexpr Point k1a[] = {{.50, .11}, {.50, .89}};
constexpr Point k1b[] = {{.34, .30}, {.53, .12}, {.53, .89}};
constexpr Point k1c[] = {{.33, .89}, {.72, .89}};
constexpr Stroke k1A[] = {{false, k1a}};
constexpr Stroke k1B[] = {{false, k1b}};
constexpr Stroke k1C[] = {{false, k1b}, {false, k1c}};

constexpr Point k2a[] = {{.27, .30}, {.36, .15}, {.54, .12}, {.69, .23},
                         {.66, .42}, {.48, .63}, {.26, .87}};
constexpr Point k2b[] = {{.26, .87}, {.76, .87}};
constexpr Point k2c[] = {{.28, .26}, {.42, .12}, {.64, .17}, {.69, .36}, {.52, .62}, {.32, .84},
                         {.24, .78}, {.34, .72}, {.52, .84}, {.66, .89}, {.78, .80}};
constexpr Stroke k2A[] = {{true, k2a}, {false, k2b}};
constexpr Stroke k2B[] = {{true, k2c}};

constexpr Point k3a[] = {{.28, .21}, {.44, .11}, {.64, .17}, {.67, .34}, {.44, .47}};
constexpr Point k3b[] = {{.44, .47}, {.68, .55}, {.71, .75}, {.50, .89}, {.26, .80}};
constexpr Point k3c[] = {{.27, .13}, {.71, .13}, {.46, .43}};
constexpr Point k3d[] = {{.46, .43}, {.67, .50}, {.71, .71}, {.52, .88}, {.26, .81}};
constexpr Stroke k3A[] = {{true, k3a}, {true, k3b}};
constexpr Stroke k3B[] = {{false, k3c}, {true, k3d}};

constexpr Point k4a[] = {{.37, .12}, {.25, .57}, {.77, .57}};
constexpr Point k4b[] = {{.63, .30}, {.60, .90}};
constexpr Point k4c[] = {{.63, .89}, {.63, .11}, {.23, .62}, {.79, .62}};
constexpr Stroke k4A[] = {{false, k4a}, {false, k4b}};
constexpr Stroke k4B[] = {{false, k4c}};

constexpr Point k5a[] = {{.71, .13}, {.34, .13}, {.31, .45}};
constexpr Point k5b[] = {{.31, .45}, {.50, .39}, {.70, .51}, {.71, .73}, {.51, .88}, {.26, .81}};
constexpr Point k5c[] = {{.70, .16}, {.42, .14}, {.34, .26}, {.40, .43},
                         {.60, .54}, {.67, .70}, {.54, .87}, {.29, .83}};
constexpr Stroke k5A[] = {{false, k5a}, {true, k5b}};
constexpr Stroke k5B[] = {{true, k5c}};

constexpr Point k6a[] = {{.65, .12}, {.45, .25}, {.31, .50}, {.31, .75}, {.49, .89},
                         {.68, .78}, {.67, .59}, {.50, .50}, {.33, .62}};
constexpr Point k6b[] = {{.42, .11}, {.33, .40}, {.30, .70}, {.42, .87},
                         {.62, .85}, {.68, .68}, {.52, .58}, {.32, .72}};
constexpr Stroke k6A[] = {{true, k6a}};
constexpr Stroke k6B[] = {{true, k6b}};

constexpr Point k7a[] = {{.25, .14}, {.75, .14}, {.43, .89}};
constexpr Point k7b[] = {{.35, .50}, {.67, .50}};
constexpr Point k7c[] = {{.26, .20}, {.44, .14}, {.74, .15}, {.58, .42}, {.50, .66}, {.47, .89}};
constexpr Stroke k7A[] = {{false, k7a}};
constexpr Stroke k7B[] = {{false, k7a}, {false, k7b}};
constexpr Stroke k7C[] = {{true, k7c}};

constexpr Point k8a[] = {{.50, .47}, {.33, .36}, {.34, .19}, {.50, .11}, {.66, .19},
                         {.67, .36}, {.50, .47}, {.30, .61}, {.30, .80}, {.50, .89},
                         {.70, .80}, {.70, .61}, {.50, .47}};
constexpr Point k8b[] = {{.67, .20}, {.50, .11}, {.34, .22}, {.42, .40}, {.62, .57}, {.68, .76},
                         {.50, .89}, {.33, .77}, {.40, .57}, {.60, .40}, {.67, .20}};
constexpr Stroke k8A[] = {{true, k8a}};
constexpr Stroke k8B[] = {{true, k8b}};

constexpr Point k9a[] = {{.68, .27}, {.54, .44}, {.35, .39}, {.33, .20}, {.50, .11},
                         {.67, .20}, {.68, .42}, {.63, .68}, {.50, .89}};
constexpr Point k9b[] = {{.66, .24}, {.50, .11}, {.33, .22}, {.36, .42}, {.54, .45}, {.66, .28}};
constexpr Point k9c[] = {{.67, .16}, {.65, .89}};
constexpr Stroke k9A[] = {{true, k9a}};
constexpr Stroke k9B[] = {{true, k9b}, {false, k9c}};

constexpr Template kTemplates[] = {
    {0, k0A}, {0, k0B}, {1, k1A}, {1, k1B}, {1, k1C}, {2, k2A}, {2, k2B}, {3, k3A},
    {3, k3B}, {4, k4A}, {4, k4B}, {5, k5A}, {5, k5B}, {6, k6A}, {6, k6B}, {7, k7A},
    {7, k7B}, {7, k7C}, {8, k8A}, {8, k8B}, {9, k9A}, {9, k9B},
};

constexpr int kMaxPoints = 160; ///< of all strokes after smoothing
constexpr int kCurveSteps = 6;  ///< straight pieces between two points of a curve

/// Straight pieces of ink, in pixels.
struct Ink {
    std::array<Point, kMaxPoints> from, to;
    int count = 0;
    void add(Point a, Point b) {
        if (count == kMaxPoints) return;
        from[static_cast<std::size_t>(count)] = a;
        to[static_cast<std::size_t>(count)] = b;
        ++count;
    }
};

/// Catmull-Rom between p1 and p2.
Point smooth(Point p0, Point p1, Point p2, Point p3, double t) {
    const auto one = [t](double a, double b, double c, double d) {
        return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t +
                      (3 * b - a - 3 * c + d) * t * t * t);
    };
    return {one(p0.x, p1.x, p2.x, p3.x), one(p0.y, p1.y, p2.y, p3.y)};
}

double squared_distance(Point p, Point a, Point b) {
    const double dx = b.x - a.x, dy = b.y - a.y;
    const double length = dx * dx + dy * dy;
    double t = length > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length : 0;
    t = std::clamp(t, 0.0, 1.0);
    const double ex = p.x - a.x - t * dx, ey = p.y - a.y - t * dy;
    return ex * ex + ey * ey;
}

} // namespace

void draw_digit(int label, std::uint64_t seed, std::uint32_t stream, std::uint64_t index,
                double noise, std::span<std::uint8_t> pixels) {
    SampleRandom random(seed, stream, index);
    const auto* first = std::find_if(std::begin(kTemplates), std::end(kTemplates),
                                     [label](const Template& t) { return t.digit == label; });
    const auto variants = std::count_if(first, std::end(kTemplates),
                                        [label](const Template& t) { return t.digit == label; });
    const Template& shape = first[random.below(static_cast<std::uint64_t>(variants))];

    // The hand: how it leans, how large it writes, where on the paper, how it trembles.
    const double angle = random.uniform(-0.22, 0.22);
    const double lean = random.uniform(-0.22, 0.22);
    const double width = random.uniform(0.68, 1.05) * 22, height = random.uniform(0.70, 1.05) * 22;
    const double shift_x = random.uniform(-2.0, 2.0), shift_y = random.uniform(-2.0, 2.0);
    const double tremble = 0.026;
    const double wave = random.uniform(0, 0.045),
                 wave_phase_x = random.uniform(0, 2 * std::numbers::pi),
                 wave_phase_y = random.uniform(0, 2 * std::numbers::pi),
                 wave_rate = random.uniform(4, 8);
    const double cosine = std::cos(angle), sine = std::sin(angle);
    const auto place = [&](Point p) {
        const double wx = p.x + wave * std::sin(wave_rate * p.y + wave_phase_x) - 0.5;
        const double wy = p.y + wave * std::sin(wave_rate * p.x + wave_phase_y) - 0.5;
        const double ax = (wx - lean * wy) * width, ay = wy * height;
        return Point{cosine * ax - sine * ay + shift_x + kDigitSide / 2.0,
                     sine * ax + cosine * ay + shift_y + kDigitSide / 2.0};
    };

    Ink ink;
    for (const Stroke& stroke : shape.strokes) {
        std::array<Point, 16> moved{};
        const std::size_t n = std::min(stroke.points.size(), moved.size());
        for (std::size_t i = 0; i < n; ++i)
            moved[i] = {stroke.points[i].x + tremble * random.normal(),
                        stroke.points[i].y + tremble * random.normal()};
        for (std::size_t i = 0; i + 1 < n; ++i) {
            if (!stroke.curve) {
                ink.add(place(moved[i]), place(moved[i + 1]));
                continue;
            }
            const Point before = i > 0 ? moved[i - 1] : moved[i];
            const Point after = i + 2 < n ? moved[i + 2] : moved[i + 1];
            Point last = place(moved[i]);
            for (int step = 1; step <= kCurveSteps; ++step) {
                const Point next = place(
                    smooth(before, moved[i], moved[i + 1], after, step / double(kCurveSteps)));
                ink.add(last, next);
                last = next;
            }
        }
    }

    // The pen: thickness, softness of its edge, how dark the ink is; then the grain of the paper.
    const double radius = random.uniform(0.55, 1.65);
    const double edge = random.uniform(0.5, 1.0);
    const double dark = random.uniform(0.65, 1.0);
    const double grain = noise * random.uniform(0.3, 1.7);
    const double reach = radius + edge;
    std::array<double, kDigitSide * kDigitSide>
        nearest; // squared distance to the ink, at most reach
    nearest.fill(reach * reach);
    const auto first_pixel = [](double v) {
        return std::clamp(static_cast<int>(std::floor(v)), 0, kDigitSide);
    };
    for (std::size_t i = 0; i < static_cast<std::size_t>(ink.count); ++i) {
        const Point a = ink.from[i], b = ink.to[i];
        const int right = first_pixel(std::max(a.x, b.x) + reach + 1);
        const int bottom = first_pixel(std::max(a.y, b.y) + reach + 1);
        for (int y = first_pixel(std::min(a.y, b.y) - reach); y < bottom; ++y)
            for (int x = first_pixel(std::min(a.x, b.x) - reach); x < right; ++x) {
                double& best = nearest[static_cast<std::size_t>(y * kDigitSide + x)];
                best = std::min(best, squared_distance({x + 0.5, y + 0.5}, a, b));
            }
    }
    for (std::size_t i = 0; i < nearest.size(); ++i) {
        double value = dark * std::clamp((reach - std::sqrt(nearest[i])) / (2 * edge), 0.0, 1.0);
        if (noise > 0) value += grain * random.grain();
        pixels[i] = static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 1.0) * 255));
    }
}

} // namespace wiregrad::data

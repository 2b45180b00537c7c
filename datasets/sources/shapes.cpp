// Coloured shapes on textured ground, 32 x 32: a stand-in for CIFAR-10 that needs no download. And
// cells: blobs under a microscope with the mask of what is cell.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "datasets/parallel.h"
#include "datasets/random.h"
#include "datasets/sources/labels.h"
#include "datasets/sources/memory_dataset.h"
#include "datasets/sources/source.h"

namespace wiregrad::data {
namespace {

constexpr int kShapeSide = 32, kCellSide = 64;

struct Point {
    double x, y;
};

double length(Point p) {
    return std::hypot(p.x, p.y);
}

// Signed distance to a shape of radius about 1 around the origin: below 0 inside.
double polygon(Point p, int sides) {
    // The distance to the side of the sector that p lies in.
    const double sector = 2 * std::numbers::pi / sides;
    const double angle = std::atan2(p.x, p.y);
    const double turned = angle - sector * std::round(angle / sector);
    return length(p) * std::cos(turned) - std::cos(sector / 2);
}
double box(Point p, double half_width, double half_height) {
    return std::max(std::abs(p.x) - half_width, std::abs(p.y) - half_height);
}
double disc(Point p) {
    return length(p) - 0.9;
}
double square(Point p) {
    return box(p, 0.8, 0.8);
}
double triangle(Point p) {
    return polygon(p, 3);
}
double hexagon(Point p) {
    return polygon(p, 6);
}
double ring(Point p) {
    return std::abs(length(p) - 0.75) - 0.22;
}
double cross(Point p) {
    return std::min(box(p, 0.95, 0.28), box(p, 0.28, 0.95));
}
double bar(Point p) {
    return box(p, 1.05, 0.3);
}
double crescent(Point p) {
    return std::max(length(p) - 0.95, 0.75 - length({p.x - 0.5, p.y}));
}
double star(Point p) {
    const double sector = 2 * std::numbers::pi / 5;
    const double angle = std::atan2(p.x, p.y);
    const double turned =
        std::abs(angle - sector * std::round(angle / sector)); // 0 at a tip, sector / 2 in a notch
    const double share = turned / (sector / 2);
    return length(p) - (1.1 * (1 - share) + 0.45 * share);
}
double eye(Point p) {
    return std::min(std::max(std::max(length({p.x, p.y - 0.55}), length({p.x, p.y + 0.55})) - 1.1,
                             0.35 - length(p)),
                    length(p) - 0.18);
}

struct Form {
    const char* name;
    double (*distance)(Point);
};
constexpr std::array<Form, 10> kForms = {{{"disc", disc},
                                          {"square", square},
                                          {"triangle", triangle},
                                          {"hexagon", hexagon},
                                          {"ring", ring},
                                          {"cross", cross},
                                          {"bar", bar},
                                          {"crescent", crescent},
                                          {"star", star},
                                          {"eye", eye}}};

using Colour = std::array<double, 3>;

Colour random_colour(SampleRandom& random) {
    return {random.uniform(), random.uniform(), random.uniform()};
}

double difference(const Colour& a, const Colour& b) {
    return std::abs(a[0] - b[0]) + std::abs(a[1] - b[1]) + std::abs(a[2] - b[2]);
}

/// A slow wave in a random direction, -1 .. 1.
struct Wave {
    double kx, ky, phase;
    explicit Wave(SampleRandom& random, double slowest, double fastest) {
        const double rate = random.uniform(slowest, fastest),
                     direction = random.uniform(0, 2 * std::numbers::pi);
        kx = rate * std::cos(direction);
        ky = rate * std::sin(direction);
        phase = random.uniform(0, 2 * std::numbers::pi);
    }
    double at(double x, double y) const { return std::sin(kx * x + ky * y + phase); }
};

std::uint8_t to_byte(double value) {
    return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 1.0) * 255));
}

void draw_shape(int label, SampleRandom random, double noise, std::span<std::uint8_t> pixels) {
    const Colour ground = random_colour(random), grain = random_colour(random);
    Colour ink = random_colour(random);
    for (int tries = 0; tries < 8 && difference(ink, ground) < 0.7; ++tries)
        ink = random_colour(random);
    const double radius = random.uniform(6.5, 12.5);
    const double angle = random.uniform(-0.6, 0.6), squeeze = random.uniform(0.8, 1.0);
    const double room = 16 - radius * 0.8;
    const Point centre{16 + random.uniform(-room, room), 16 + random.uniform(-room, room)};
    const double cosine = std::cos(angle), sine = std::sin(angle);
    const Wave ground_wave(random, 0.3, 1.2), ground_ripple(random, 0.6, 2.0),
        ink_wave(random, 0.3, 1.2);
    const double texture = random.uniform(0.1, 0.45), ink_texture = random.uniform(0.0, 0.25);
    const double light = random.uniform(-0.012, 0.012);
    const double area = kShapeSide * kShapeSide;
    for (int y = 0; y < kShapeSide; ++y)
        for (int x = 0; x < kShapeSide; ++x) {
            const double px = x + 0.5, py = y + 0.5;
            const double dx = px - centre.x, dy = py - centre.y;
            const Point local{(cosine * dx + sine * dy) / radius,
                              (-sine * dx + cosine * dy) / (radius * squeeze)};
            const double inside = std::clamp(
                0.5 - kForms[static_cast<std::size_t>(label)].distance(local) * radius, 0.0, 1.0);
            const double mix = 0.5 + 0.5 * ground_wave.at(px, py) * ground_ripple.at(px, py);
            const double stripes = ink_texture * 0.5 * ink_wave.at(px, py);
            for (std::size_t c = 0; c < 3; ++c) {
                const double back = ground[c] + texture * mix * (grain[c] - ground[c]);
                const double front = ink[c] + stripes;
                const double value =
                    back + inside * (front - back) + light * (px - 16) + noise * random.grain();
                pixels[c * static_cast<std::size_t>(area) +
                       static_cast<std::size_t>(y * kShapeSide + x)] = to_byte(value);
            }
        }
}

struct Cell {
    Point centre;
    double radius, squeeze, angle, bright, dent, dent_phase;
};

void draw_cells(SampleRandom random, double noise, std::span<std::uint8_t> pixels,
                std::span<std::uint8_t> mask) {
    std::array<Cell, 9> cells;
    const auto count = static_cast<std::size_t>(3 + random.below(cells.size() - 2));
    for (Cell& cell : cells)
        cell = {{random.uniform(2, kCellSide - 2), random.uniform(2, kCellSide - 2)},
                random.uniform(4, 10),
                random.uniform(0.65, 1),
                random.uniform(0, std::numbers::pi),
                random.uniform(0.18, 0.45),
                random.uniform(0, 0.15),
                random.uniform(0, 2 * std::numbers::pi)};
    const Wave light(random, 0.03, 0.08), dirt(random, 0.2, 0.6);
    const double ground = random.uniform(0.2, 0.4);
    for (int y = 0; y < kCellSide; ++y)
        for (int x = 0; x < kCellSide; ++x) {
            const double px = x + 0.5, py = y + 0.5;
            double value = ground + 0.10 * light.at(px, py) + 0.05 * dirt.at(px, py);
            bool is_cell = false;
            for (std::size_t i = 0; i < count; ++i) {
                const Cell& cell = cells[i];
                const double dx = px - cell.centre.x, dy = py - cell.centre.y;
                const double reach =
                    1.15 * cell.radius + 1.25; // no dent and no soft edge goes further
                if (dx * dx + dy * dy > reach * reach) continue;
                const double u = std::cos(cell.angle) * dx + std::sin(cell.angle) * dy;
                const double v =
                    (-std::sin(cell.angle) * dx + std::cos(cell.angle) * dy) / cell.squeeze;
                const double edge =
                    cell.radius *
                    (1 + cell.dent * std::sin(3 * std::atan2(v, u) + cell.dent_phase));
                const double depth = edge - std::hypot(u, v); // above 0 inside
                is_cell = is_cell || depth > 0;
                value += cell.bright * std::clamp(0.5 + depth / 2.5, 0.0, 1.0);
            }
            const auto at = static_cast<std::size_t>(y * kCellSide + x);
            pixels[at] = to_byte(value + noise * random.grain());
            mask[at] = is_cell ? 1 : 0;
        }
}

DatasetPtr draw_all_shapes(const Opening& opening, std::uint32_t stream, std::int64_t count) {
    constexpr std::size_t kPixels = 3 * kShapeSide * kShapeSide;
    const double noise = noise_level(opening.spec);
    Column x = Column::sized<std::uint8_t>(static_cast<std::size_t>(count) * kPixels);
    Column y = Column::sized<std::uint8_t>(static_cast<std::size_t>(count));
    const auto pixels = x.values<std::uint8_t>();
    const auto labels = y.values<std::uint8_t>();
    parallel_for(
        count,
        [&](std::int64_t i) {
            const auto at = static_cast<std::size_t>(i);
            labels[at] = static_cast<std::uint8_t>(i % 10);
            draw_shape(labels[at],
                       SampleRandom(opening.spec.seed, stream, static_cast<std::uint64_t>(i)),
                       noise, pixels.subspan(at * kPixels, kPixels));
        },
        [&](double done) { opening.report("Drawing shapes", done); });
    return memory_dataset(describe_shapes(opening.spec), {std::move(x), std::move(y)}, count,
                          "shapes");
}

DatasetPtr draw_all_cells(const Opening& opening, std::uint32_t stream, std::int64_t count) {
    constexpr std::size_t kPixels = kCellSide * kCellSide;
    const double noise = noise_level(opening.spec);
    Column x = Column::sized<std::uint8_t>(static_cast<std::size_t>(count) * kPixels);
    Column y = Column::sized<std::uint8_t>(static_cast<std::size_t>(count) * kPixels);
    const auto pixels = x.values<std::uint8_t>(), masks = y.values<std::uint8_t>();
    parallel_for(
        count,
        [&](std::int64_t i) {
            const auto at = static_cast<std::size_t>(i) * kPixels;
            draw_cells(SampleRandom(opening.spec.seed, stream, static_cast<std::uint64_t>(i)),
                       noise, pixels.subspan(at, kPixels), masks.subspan(at, kPixels));
        },
        [&](double done) { opening.report("Drawing cells", done); });
    return memory_dataset(describe_cells(opening.spec), {std::move(x), std::move(y)}, count,
                          "cells");
}

} // namespace

std::vector<Field> describe_shapes(const DatasetSpec&) {
    std::vector<std::string> names;
    for (const Form& form : kForms)
        names.emplace_back(form.name);
    return {{.name = "x", .shape = {3, kShapeSide, kShapeSide}, .kind = FieldKind::Image},
            label_field(10, std::move(names))};
}

Parts open_shapes(const Opening& opening) {
    return {.main = draw_all_shapes(opening, stream::kTrain, sample_count(opening.spec)),
            .test = draw_all_shapes(opening, stream::kTest, test_count(opening.spec))};
}

std::vector<Field> describe_cells(const DatasetSpec&) {
    return {{.name = "x", .shape = {1, kCellSide, kCellSide}, .kind = FieldKind::Image},
            {.name = "y",
             .shape = {kCellSide, kCellSide},
             .dtype = DType::Int64,
             .kind = FieldKind::Mask,
             .class_names = {"ground", "cell"},
             .classes = 2,
             .max = 1}};
}

Parts open_cells(const Opening& opening) {
    return {.main = draw_all_cells(opening, stream::kTrain, sample_count(opening.spec)),
            .test = draw_all_cells(opening, stream::kTest, test_count(opening.spec))};
}

} // namespace wiregrad::data

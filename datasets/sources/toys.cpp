// Two-dimensional toys: points of two classes that a straight line cannot part (or, the clouds,
// can).
#include <cmath>
#include <numbers>

#include "datasets/random.h"
#include "datasets/sources/memory_dataset.h"
#include "datasets/sources/source.h"
#include "engine/core/error.h"

namespace wiregrad::data {
namespace {

struct Point {
    double x, y;
};

/// The place of a point of class `label`; noise is added by the caller.
Point spiral(int label, SampleRandom& random) {
    const double t =
        std::sqrt(random.uniform()); // evenly along the arm, whose length grows with its radius
    const double angle = 1.75 * 2 * std::numbers::pi * t + label * std::numbers::pi;
    return {3 * t * std::sin(angle), 3 * t * std::cos(angle)};
}

Point moon(int label, SampleRandom& random) {
    const double angle = std::numbers::pi * random.uniform();
    const Point arc{std::cos(angle), std::sin(angle)};
    return label == 0 ? Point{arc.x - 0.5, arc.y - 0.25} : Point{0.5 - arc.x, 0.25 - arc.y};
}

Point circle(int label, SampleRandom& random) {
    const double angle = 2 * std::numbers::pi * random.uniform();
    const double radius = label == 0 ? 0.5 : 1.0;
    return {radius * std::cos(angle), radius * std::sin(angle)};
}

Point square(int label, SampleRandom& random) {
    const double x = random.uniform(-1, 1);
    const double y = random.uniform(0, 1);
    return {x, (x < 0) == (label == 0) ? -y : y}; // label 0: both signs equal
}

Point cloud(int label, SampleRandom&) {
    return label == 0 ? Point{-1, -1} : Point{1, 1};
}

struct Toy {
    const char* id;
    Point (*place)(int label, SampleRandom& random);
    const char* names[2];
    double reach; ///< largest coordinate without noise
};

constexpr Toy kToys[] = {
    {"spirals", spiral, {"first arm", "second arm"}, 3},
    {"moons", moon, {"upper moon", "lower moon"}, 1.5},
    {"circles", circle, {"inner ring", "outer ring"}, 1},
    {"xor", square, {"equal signs", "different signs"}, 1},
    {"gaussians", cloud, {"lower cloud", "upper cloud"}, 1},
};

const Toy& toy_of(const DatasetSpec& spec) {
    for (const Toy& toy : kToys)
        if (spec.source == toy.id) return toy;
    throw ValueError("there is no two-dimensional dataset \"" + spec.source + "\"");
}

DatasetPtr generate(const Toy& toy, const DatasetSpec& spec, std::uint32_t stream,
                    std::int64_t count) {
    std::vector<float> x;
    std::vector<std::uint8_t> y;
    const double noise = noise_level(spec);
    for (std::int64_t i = 0; i < count; ++i) {
        SampleRandom random(spec.seed, stream, static_cast<std::uint64_t>(i));
        const int label = static_cast<int>(i % 2);
        const Point p = toy.place(label, random);
        x.push_back(static_cast<float>(p.x + noise * random.normal()));
        x.push_back(static_cast<float>(p.y + noise * random.normal()));
        y.push_back(static_cast<std::uint8_t>(label));
    }
    return memory_dataset(describe_toy(spec), {Column::of<float>(x), Column::of<std::uint8_t>(y)},
                          count, toy.id);
}

} // namespace

std::vector<Field> describe_toy(const DatasetSpec& spec) {
    const Toy& toy = toy_of(spec);
    const double reach = toy.reach + 4 * noise_level(spec);
    return {{.name = "x",
             .shape = {2},
             .kind = FieldKind::Vector,
             .feature_names = {"x1", "x2"},
             .min = -reach,
             .max = reach},
            {.name = "y",
             .shape = {},
             .dtype = DType::Int64,
             .kind = FieldKind::Label,
             .class_names = {toy.names[0], toy.names[1]},
             .classes = 2,
             .max = 1}};
}

Parts open_toy(const Opening& opening) {
    const DatasetSpec& spec = opening.spec;
    const Toy& toy = toy_of(spec);
    return {.main = generate(toy, spec, stream::kTrain, sample_count(spec)),
            .test = generate(toy, spec, stream::kTest, test_count(spec))};
}

} // namespace wiregrad::data

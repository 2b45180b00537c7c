// Transforms of samples: their formulae against torchvision's numbers, their choices as a function
// of seed, epoch and sample alone.
#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "datasets/loader.h"
#include "datasets/sources/memory_dataset.h"
#include "engine/core/error.h"
#include "tests/datasets/helpers.h"

namespace wiregrad::data {
namespace {

using nlohmann::json;

Reading reading(const json& name) {
    return name == "bilinear" ? Reading::Bilinear : Reading::Nearest;
}

void run(const std::string& name, const json& a, Picture& x) {
    SampleRandom unused(0, 0, 0);
    const auto real = [&](std::size_t i) { return a[i].get<double>(); };
    const auto whole = [&](std::size_t i) { return a[i].get<int>(); };
    const auto fill = [&](std::size_t i) { return a[i].get<float>(); };
    if (name == "hflip") return flip_horizontal(x);
    if (name == "vflip") return flip_vertical(x);
    if (name == "pad") {
        const Edge edge = a[4] == "edge"      ? Edge::Replicate
                          : a[4] == "reflect" ? Edge::Reflect
                                              : Edge::Constant;
        return pad_picture(x, whole(0), whole(1), whole(2), whole(3), edge, fill(5));
    }
    if (name == "crop") return crop_picture(x, whole(0), whole(1), whole(2), whole(3));
    if (name == "center") return center_crop(whole(0), whole(1))(x, unused);
    if (name == "resize") return resize_picture(x, whole(0), whole(1));
    if (name == "rotate")
        return warp_affine(x, affine_inverse(-real(0), 0, 0, 1, 0, 0), reading(a[1]), fill(2));
    if (name == "affine")
        return warp_affine(x, affine_inverse(real(0), real(1), real(2), real(3), real(4), real(5)),
                           reading(a[6]), fill(7));
    if (name == "perspective") {
        const std::array<Point, 4> from{{{0, 0}, {6, 0}, {6, 5}, {0, 5}}};
        std::array<Point, 4> to{};
        for (std::size_t k = 0; k < 4; ++k)
            to[k] = {real(2 * k), real(2 * k + 1)};
        return warp_perspective(x, from, to, reading(a[8]), fill(9));
    }
    if (name == "erase") return erase(x, whole(0), whole(1), whole(2), whole(3), fill(4));
    if (name == "grey") return to_grey(x);
    if (name == "brightness") return adjust_brightness(x, real(0));
    if (name == "contrast") return adjust_contrast(x, real(0));
    if (name == "saturation") return adjust_saturation(x, real(0));
    if (name == "hue") return adjust_hue(x, real(0));
    if (name == "sharpness") return adjust_sharpness(x, real(0));
    if (name == "invert") return invert(x);
    if (name == "posterize") return posterize(x, whole(0));
    if (name == "solarize") return solarize(x, real(0));
    if (name == "autocontrast") return autocontrast(x);
    if (name == "equalize") return equalize(x);
    if (name == "blur") return gaussian_blur(x, whole(0), whole(1), real(2));
    if (name == "normalize")
        return normalize(x, std::vector<double>{real(0)}, std::vector<double>{real(1)});
    FAIL() << "no such transform: " << name;
}

TEST(Transforms, FormulaeAreTorchvisions) {
    std::ifstream file(std::string(source_dir()) + "/tests/datasets/goldens/transforms.json");
    std::string line;
    ASSERT_TRUE(std::getline(file, line));
    std::map<std::string, Picture> pictures;
    const json described = json::parse(line).at("pictures");
    for (const auto& [name, picture] : described.items()) {
        const auto shape = picture.at("shape").get<std::vector<int>>();
        Picture& made = pictures[name];
        made = {shape[0], shape[1], shape[2], {}, {}};
        for (const json& byte : picture.at("bytes"))
            made.values.push_back(byte.get<float>() / 255);
    }
    int cases = 0;
    while (std::getline(file, line)) {
        const json one = json::parse(line);
        Picture x = pictures.at(one.at("picture"));
        run(one.at("name"), one.at("args"), x);
        const std::string what = one.at("name").get<std::string>() + one.at("args").dump() + " " +
                                 one.at("picture").get<std::string>();
        const std::vector<int> shape{x.channels, x.height, x.width};
        EXPECT_EQ(shape, one.at("shape").get<std::vector<int>>()) << what;
        const auto expected = one.at("values").get<std::vector<float>>();
        ASSERT_EQ(x.values.size(), expected.size()) << what;
        for (std::size_t i = 0; i < expected.size(); ++i)
            ASSERT_NEAR(x.values[i], expected[i], 2e-6) << what << ", value " << i;
        ++cases;
    }
    EXPECT_EQ(cases, 71);
}

/// Pictures of 3 x 18 x 20 that use part of the range.
DatasetPtr pictures(std::int64_t count) {
    class Made : public Dataset {
      public:
        explicit Made(std::int64_t count) : count_(count) {}
        const std::vector<Field>& fields() const override { return fields_; }
        std::int64_t size() const override { return count_; }
        void read(std::int64_t index, Row row) const override {
            auto* x = reinterpret_cast<float*>(row[0].data());
            for (int i = 0; i < 3 * 18 * 20; ++i)
                x[i] = static_cast<float>((index * 131 + i * 29 + i * i) % 200 + 20) / 255;
            *reinterpret_cast<std::int64_t*>(row[1].data()) = index;
        }

      private:
        std::int64_t count_;
        std::vector<Field> fields_ = {
            {.name = "x", .shape = {3, 18, 20}, .kind = FieldKind::Image},
            {.name = "y", .shape = {}, .dtype = DType::Int64, .kind = FieldKind::Label}};
    };
    return std::make_shared<Made>(count);
}

/// Every random transform, by name, and the size of what it makes of 3 x 18 x 20.
struct Named {
    const char* name;
    Transform change;
    Shape shape{3, 18, 20};
};
std::vector<Named> random_transforms() {
    const Reading near = Reading::Nearest, line = Reading::Bilinear;
    return {{"flip", random_horizontal_flip(0.5)},
            {"upside down", random_vertical_flip(0.5)},
            {"crop", random_crop(6, 5, 2, Edge::Reflect, 0), {3, 6, 5}},
            {"resized crop", random_resized_crop(5, 7, {0.08, 1}, {0.75, 4.0 / 3}), {3, 5, 7}},
            {"rotation", random_rotation({-30, 30}, line, 0)},
            {"affine", random_affine({{-20, 20}, {-0.2, 0.2}, {-0.2, 0.2}}, near, 0)},
            {"perspective", random_perspective(0.5, 0.7, line, 0)},
            {"elastic", elastic(20, 2, line, 0)},
            {"jitter", color_jitter(0.4, 0.4, 0.4, 0.2)},
            {"grey", random_grayscale(0.5)},
            {"blur", gaussian_blurring(3, {0.1, 2})},
            {"noise", gaussian_noise(0, 0.1, true)},
            {"erasing", random_erasing(0.7, {0.02, 0.33}, {0.3, 3.3}, 0)},
            {"invert", random_invert(0.5)},
            {"posterize", random_posterize(3, 0.5)},
            {"solarize", random_solarize(0.5, 0.5)},
            {"autocontrast", random_autocontrast(0.5)},
            {"equalize", random_equalize(0.5)},
            {"sharpness", random_sharpness(2, 0.5)},
            {"rand augment", rand_augment(2, 9, 31, near, 0)},
            {"trivial augment", trivial_augment(31, line, 0)}};
}

LoaderOptions with_stage(const Transform& change, const Shape& shape, int prefetch = 0) {
    LoaderOptions options{.batch_size = 16, .seed = 7, .prefetch = prefetch};
    options.stages = {{.input = 0, .shape = shape, .change = change, .stream = 3}};
    return options;
}

/// What a transform made of each sample in an epoch, by sample.
std::map<std::int64_t, std::vector<double>> made_in(Loader& loader, std::int64_t epoch) {
    std::map<std::int64_t, std::vector<double>> result;
    for (std::int64_t i = 0; i < loader.batches_per_epoch(); ++i) {
        const train::Batch batch = loader.batch(epoch, i);
        const std::vector<double> all = batch.fields.at(2).to_vector();
        const std::size_t each = all.size() / batch.samples.size();
        for (std::size_t k = 0; k < batch.samples.size(); ++k)
            result[batch.samples[k]].assign(all.begin() + static_cast<std::ptrdiff_t>(k * each),
                                            all.begin() +
                                                static_cast<std::ptrdiff_t>((k + 1) * each));
    }
    return result;
}

TEST(Transforms, ChoicesDependOnSeedEpochAndSampleOnly) {
    const DatasetPtr data = pictures(40);
    for (const Named& one : random_transforms()) {
        Loader plain(data, with_stage(one.change, one.shape));
        const auto first = made_in(plain, 0), second = made_in(plain, 1);
        EXPECT_EQ(first.size(), 40u) << one.name;
        EXPECT_TRUE(first != second) << one.name << ": another epoch draws anew";
        EXPECT_TRUE(first == made_in(plain, 0)) << one.name << ": the same epoch again";
        // Another order, another batch size and reading ahead: each sample is what it was.
        LoaderOptions other = with_stage(one.change, one.shape, 2);
        other.batch_size = 7;
        other.shuffle = false;
        Loader ahead(data, other);
        EXPECT_TRUE(first == made_in(ahead, 0)) << one.name;
        other.seed = 8;
        Loader reseeded(data, other);
        EXPECT_TRUE(first != made_in(reseeded, 0)) << one.name;
        other.seed = 7;
        other.stages[0].stream = 4;
        Loader elsewhere(data, other);
        EXPECT_TRUE(first != made_in(elsewhere, 0)) << one.name << ": another node draws otherwise";
    }
}

TEST(Transforms, StayWithinTheRangeOfPictures) {
    const DatasetPtr data = pictures(60);
    for (const Named& one : random_transforms()) {
        Loader loader(data, with_stage(one.change, one.shape));
        for (const auto& [sample, values] : made_in(loader, 0))
            for (const double value : values)
                ASSERT_TRUE(value >= -1e-6 && value <= 1 + 1e-6) << one.name << " " << value;
    }
}

TEST(Transforms, HappenAsOftenAsTheirProbabilitySays) {
    const DatasetPtr data = pictures(400);
    for (const double p : {0.0, 0.25, 1.0}) {
        Loader loader(data, with_stage(random_vertical_flip(p), {3, 18, 20}));
        int changed = 0;
        for (std::int64_t i = 0; i < loader.batches_per_epoch(); ++i) {
            const train::Batch batch = loader.batch(0, i);
            const auto before = batch.fields[0].to_vector(), after = batch.fields[2].to_vector();
            const std::size_t each = 3 * 18 * 20;
            for (std::size_t k = 0; k < batch.samples.size(); ++k)
                changed += std::equal(before.begin() + static_cast<std::ptrdiff_t>(k * each),
                                      before.begin() + static_cast<std::ptrdiff_t>((k + 1) * each),
                                      after.begin() + static_cast<std::ptrdiff_t>(k * each))
                               ? 0
                               : 1;
        }
        // Five standard deviations of a binomial distribution.
        EXPECT_NEAR(changed, 400 * p, 5 * std::sqrt(400 * p * (1 - p)) + 1e-9) << p;
    }
}

TEST(Transforms, CropsComeFromEveryPlaceAndHoldThePicture) {
    const Transform crop = random_crop(6, 7, 0, Edge::Constant, 0);
    Picture whole{1, 8, 9, {}, {}};
    for (int i = 0; i < 72; ++i)
        whole.values.push_back(static_cast<float>(i));
    std::set<float> corners;
    for (std::uint64_t sample = 0; sample < 200; ++sample) {
        Picture x = whole;
        SampleRandom random(1, 0, sample);
        crop(x, random);
        ASSERT_EQ(x.height, 6);
        ASSERT_EQ(x.width, 7);
        corners.insert(x.values[0]);
        for (int y = 0; y < 6; ++y)
            for (int column = 0; column < 7; ++column)
                ASSERT_EQ(x.values[static_cast<std::size_t>(y * 7 + column)],
                          x.values[0] + static_cast<float>(y * 9 + column));
    }
    EXPECT_EQ(corners, (std::set<float>{0, 1, 2, 9, 10, 11, 18, 19, 20}));
}

TEST(Transforms, FollowEachOtherAndFieldsStayAsTheyAre) {
    LoaderOptions options{.batch_size = 5, .shuffle = false, .prefetch = 0};
    options.stages = {{.input = 0, .shape = {3, 4, 4}, .change = center_crop(4, 4)},
                      {.input = 2, .shape = {1, 4, 4}, .change = grayscale(1)},
                      {.input = 0, .shape = {3, 18, 20}, .change = random_vertical_flip(1)}};
    Loader loader(pictures(5), options);
    const train::Batch batch = loader.batch(0, 0);
    ASSERT_EQ(batch.fields.size(), 5u);
    EXPECT_EQ(batch.fields[3].shape(), (Shape{5, 1, 4, 4}));
    const auto x = batch.fields[0].to_vector(), grey = batch.fields[3].to_vector();
    // The middle of 18 x 20 begins at pixel (7, 8).
    const std::size_t at = 7 * 20 + 8;
    EXPECT_NEAR(grey[0], 0.2989 * x[at] + 0.587 * x[360 + at] + 0.114 * x[720 + at], 1e-6);
    EXPECT_EQ(batch.fields[4].to_vector()[0], x[17 * 20]);
    EXPECT_EQ(batch.fields[1].to_vector(), (std::vector<double>{0, 1, 2, 3, 4}));
}

TEST(Transforms, OfWhatIsNoPictureAreRefused) {
    LoaderOptions options = with_stage(grayscale(1), {1, 18, 20});
    options.stages[0].input = 1;
    EXPECT_EQ(test::message<DataError>([&] { Loader(pictures(3), options); }),
              "\"y\" is int64 []: only pictures and rows of real numbers can be transformed");
    options.stages[0].input = 2;
    EXPECT_EQ(test::message<ValueError>([&] { Loader(pictures(3), options); }),
              "stage 0 reads 2, which comes later");
}

} // namespace
} // namespace wiregrad::data

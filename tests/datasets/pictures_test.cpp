#include <cmath>
#include <cstdio>

#include <gmock/gmock.h>
#include <zip.h>

#include "datasets/io/image.h"
#include "engine/core/error.h"
#include "engine/io/hdf5.h"
#include "engine/io/npy.h"
#include "tests/datasets/helpers.h"

namespace wiregrad::data {
namespace {

using test::floats;
using test::label;
using test::message;
using test::TempFolder;
using testing::HasSubstr;

std::vector<std::byte> bytes_of(std::string_view text) {
    const auto raw = std::as_bytes(std::span(text));
    return {raw.begin(), raw.end()};
}

/// A 3 × 2 PNG, made by hand with zlib from: red green blue / white black half transparent red.
constexpr unsigned char kPng[] = {
#include "tests/datasets/tiny_png.inc"
};
/// An 8 × 8 JPEG of one colour (200, 100, 50), quality 95.
constexpr unsigned char kJpeg[] = {
#include "tests/datasets/tiny_jpeg.inc"
};
const std::string kPngBytes(reinterpret_cast<const char*>(kPng), sizeof(kPng));
const std::string kJpegBytes(reinterpret_cast<const char*>(kJpeg), sizeof(kJpeg));

TEST(Pictures, PngIsDecodedExactly) {
    const Image image = decode_image(bytes_of(kPngBytes), 3, "a.png");
    ASSERT_EQ(image.width, 3);
    ASSERT_EQ(image.height, 2);
    const auto pixel = [&](std::size_t i) {
        return std::array{image.pixels[i], image.pixels[6 + i], image.pixels[12 + i]};
    };
    EXPECT_THAT(pixel(0), testing::ElementsAre(255, 0, 0));
    EXPECT_THAT(pixel(1), testing::ElementsAre(0, 255, 0));
    EXPECT_THAT(pixel(2), testing::ElementsAre(0, 0, 255));
    EXPECT_THAT(pixel(3), testing::ElementsAre(255, 255, 255));
    EXPECT_THAT(pixel(4), testing::ElementsAre(0, 0, 0));
    EXPECT_EQ(pixel(5)[0], 255); // red over white
    EXPECT_GT(pixel(5)[1], 120);
    EXPECT_LT(pixel(5)[1], 200);
    const Image grey = decode_image(bytes_of(kPngBytes), 1, "a.png");
    EXPECT_EQ(grey.pixels[3], 255);
    EXPECT_EQ(grey.pixels[4], 0);
}

TEST(Pictures, JpegIsDecodedNearly) {
    const Image image = decode_image(bytes_of(kJpegBytes), 3, "a.jpg");
    ASSERT_EQ(image.pixels.size(), 192u);
    for (std::size_t i = 0; i < 64; ++i) {
        EXPECT_NEAR(image.pixels[i], 200, 3);
        EXPECT_NEAR(image.pixels[64 + i], 100, 3);
        EXPECT_NEAR(image.pixels[128 + i], 50, 3);
    }
    EXPECT_EQ(image_size(bytes_of(kJpegBytes), "a.jpg").width, 8);
}

TEST(Pictures, CutOffAndForeignFilesAreRefused) {
    for (const std::string& whole : {kPngBytes, kJpegBytes})
        for (std::size_t length = 0; length + 13 < whole.size(); ++length) {
            const std::string text = message<FileError>(
                [&] { decode_image(bytes_of(whole.substr(0, length)), 3, "cut.img"); });
            ASSERT_THAT(text, HasSubstr("cut.img")) << length << " of " << whole.size();
        }
    EXPECT_THAT(message<FileError>([] { decode_image(bytes_of("GIF89a"), 3, "a.gif"); }),
                HasSubstr("neither"));
    // A header that promises 60000 × 60000 pixels.
    std::string huge = kPngBytes;
    huge.replace(16, 8, std::string("\0\0\xEA\x60\0\0\xEA\x60", 8));
    EXPECT_THROW(decode_image(bytes_of(huge), 3, "huge.png"), FileError);
}

TEST(Pictures, DamagedBytesNeverCrash) {
    std::uint32_t seed = 5;
    for (int i = 0; i < 4000; ++i) {
        std::string broken = i % 2 ? kPngBytes : kJpegBytes;
        for (int k = 0; k <= i % 4; ++k) {
            seed = seed * 1664525u + 1013904223u;
            broken[(seed >> 8) % broken.size()] = static_cast<char>(seed >> 24);
        }
        try {
            const Image image = decode_image(bytes_of(broken), 3, "x");
            EXPECT_EQ(image.pixels.size(),
                      static_cast<std::size_t>(image.width * image.height * 3));
        } catch (const FileError&) {
        }
    }
}

TEST(Pictures, ResizingIsAntialiasedBilinear) {
    // Pillow 9 and torch's interpolate(antialias=True): a ramp of 8 to 4 and to 3, and 2 to 4.
    const Image ramp{1, 1, 8, {0, 10, 20, 30, 40, 50, 60, 70}};
    EXPECT_EQ(resized(ramp, 1, 4).pixels, (std::vector<std::uint8_t>{7, 25, 45, 63}));
    const Image two{1, 1, 2, {0, 100}};
    EXPECT_EQ(resized(two, 1, 4).pixels, (std::vector<std::uint8_t>{0, 25, 75, 100}));
    const Image flat{3, 5, 7, std::vector<std::uint8_t>(105, 93)};
    EXPECT_EQ(resized(flat, 11, 2).pixels, std::vector<std::uint8_t>(66, 93));
    EXPECT_EQ(resized(ramp, 1, 8).pixels, ramp.pixels);
}

TEST(ImageFolder, ClassesAreFoldersAndPartsAreTheirOwn) {
    const TempFolder folder;
    for (const char* part : {"train", "test"})
        for (const char* name : {"dog", "cat"}) {
            test::write(folder / (std::string(part) + "/" + name + "/1.png"), kPngBytes);
            test::write(folder / (std::string(part) + "/" + name + "/2.JPG"), kJpegBytes);
        }
    test::write(folder / "train/dog/notes.txt", "not a picture");
    EXPECT_EQ(detect(folder.str()), "image-folder");
    const DatasetSpec spec{
        .source = "auto", .path = folder.str(), .validation_fraction = 0, .image_size = 4};
    const Splits splits = open(spec);
    EXPECT_EQ(splits.train->size(), 4);
    EXPECT_EQ(splits.test->size(), 4);
    EXPECT_EQ(splits.leaks, 4); // the same pictures, and that is said
    EXPECT_EQ(splits.fields[0].shape, Shape({3, 4, 4}));
    EXPECT_EQ(splits.fields[1].class_names, (std::vector<std::string>{"cat", "dog"}));
    EXPECT_EQ(label(*splits.train, 0), 0);
    EXPECT_EQ(label(*splits.train, 3), 1);
    EXPECT_NEAR(floats(*splits.train, 1)[0], 200 / 255.0, 0.02);
    DatasetSpec native = spec;
    native.image_size = 0;
    native.grey = true;
    EXPECT_EQ(describe(native)[0].shape, Shape({1, 2, 3}));
}

TEST(ImageFolder, TheDamagedPictureIsNamed) {
    const TempFolder folder;
    for (int i = 0; i < 40; ++i)
        for (const char* name : {"a/", "b/"})
            test::write(folder / (name + std::to_string(i) + ".png"), kPngBytes);
    test::write(folder / "b/17.png", kPngBytes.substr(0, kPngBytes.size() / 2));
    EXPECT_THAT(message<FileError>([&] { open({.source = "auto", .path = folder.str()}); }),
                HasSubstr("b/17.png"));
    const TempFolder lonely;
    test::write(lonely / "only/1.png", kPngBytes);
    EXPECT_THAT(message<FileError>([&] { open({.source = "image-folder", .path = lonely.str()}); }),
                HasSubstr("one folder a class"));
    const TempFolder strange;
    test::write(strange / "thing.xyz/readme", "x");
    EXPECT_THAT(message<FileError>([&] { detect(strange.str()); }),
                testing::AllOf(HasSubstr("thing.xyz"), HasSubstr("looked for")));
}

TEST(ImageFolder, RealPictures) {
    const std::string path = test::shared("data/cifar10-folder");
    if (path.empty()) GTEST_SKIP() << "no shared data";
    const Splits splits =
        open({.source = "auto", .path = path, .normalize = Normalize::Standardize});
    EXPECT_EQ(splits.train->size() + splits.validation->size(), 3000);
    EXPECT_EQ(splits.test->size(), 1000);
    EXPECT_EQ(splits.fields[0].shape, Shape({3, 32, 32}));
    EXPECT_EQ(splits.fields[1].class_names[0], "airplane");
    // The means of CIFAR-10's channels, as published, within what a part of it allows.
    const double mean[] = {0.4914, 0.4822, 0.4465};
    for (std::size_t c = 0; c < 3; ++c)
        EXPECT_NEAR(splits.normalization.mean[c], mean[c], 0.02);
}

// --- arrays

Tensor ramp(const Shape& shape, DType dtype) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < numel(shape); ++i)
        values.push_back(static_cast<float>(i));
    Tensor result = Tensor::empty(shape, dtype);
    result.copy_(Tensor::from(values, shape));
    return result;
}

Tensor remainders(std::int64_t count, std::int64_t by) {
    std::vector<std::int64_t> values;
    for (std::int64_t i = 0; i < count; ++i)
        values.push_back(i % by);
    return Tensor::from(values, {count});
}

TEST(Arrays, NpyFolderWithTestPart) {
    const TempFolder folder;
    io::write_npy(folder / "x_train.npy", ramp({12, 5}, DType::Float64));
    io::write_npy(folder / "y_train.npy", remainders(12, 3));
    io::write_npy(folder / "x_test.npy", ramp({4, 5}, DType::Float64));
    io::write_npy(folder / "y_test.npy", remainders(4, 3));
    EXPECT_EQ(detect(folder.str()), "npy");
    const Splits splits = open({.source = "auto", .path = folder.str(), .validation_fraction = 0});
    EXPECT_EQ(splits.train->size(), 12);
    EXPECT_EQ(splits.test->size(), 4);
    EXPECT_EQ(floats(*splits.train, 2), (std::vector<float>{10, 11, 12, 13, 14}));
    EXPECT_EQ(label(*splits.train, 5), 2);
    // One file of the folder: its partner is found, the test part is cut by seed.
    const Splits one = open({.source = "auto", .path = folder / "x_train.npy"});
    EXPECT_EQ(one.train->size() + one.validation->size() + one.test->size(), 12);
    EXPECT_EQ(one.fields[1].kind, FieldKind::Label);
}

TEST(Arrays, PicturesMasksAndNumbers) {
    const TempFolder folder;
    io::write_npy(folder / "x.npy", ramp({6, 2, 4, 3}, DType::UInt8)); // channels last
    io::write_npy(folder / "y.npy", Tensor::zeros({6, 2, 4}, DType::Int64));
    const Splits masks =
        open({.source = "npy", .path = folder.str(), .validation_fraction = 0, .test_fraction = 0});
    EXPECT_EQ(masks.fields[0].shape, Shape({3, 2, 4}));
    EXPECT_EQ(masks.fields[1].kind, FieldKind::Mask);
    EXPECT_EQ(floats(*masks.train, 1)[0], 24 / 255.0f);
    EXPECT_EQ(floats(*masks.train, 1)[8], 25 / 255.0f); // the second channel of the same pixel
    io::write_npy(folder / "y.npy", ramp({6}, DType::Float32));
    const Splits numbers =
        open({.source = "npy", .path = folder.str(), .validation_fraction = 0, .test_fraction = 0});
    EXPECT_EQ(numbers.fields[1].kind, FieldKind::Scalar);
    EXPECT_EQ(floats(*numbers.train, 4, 1)[0], 4);
    io::write_npy(folder / "y.npy", remainders(5, 2));
    EXPECT_THAT(message<DataError>([&] { open({.source = "npy", .path = folder.str()}); }),
                testing::AllOf(HasSubstr("6 samples"), HasSubstr("has 5")));
}

TEST(Arrays, NpzAndHdf5) {
    const TempFolder folder;
    const auto encoded = [](const Tensor& t) { return io::encode_npy(t); };
    const std::vector<std::byte> x = encoded(ramp({10, 4}, DType::Float32)),
                                 y = encoded(remainders(10, 2));
    int code = 0;
    zip_t* archive = zip_open((folder / "data.npz").c_str(), ZIP_CREATE, &code);
    ASSERT_NE(archive, nullptr);
    zip_file_add(archive, "x.npy", zip_source_buffer(archive, x.data(), x.size(), 0), 0);
    zip_file_add(archive, "y.npy", zip_source_buffer(archive, y.data(), y.size(), 0), 0);
    ASSERT_EQ(zip_close(archive), 0);
    io::write_hdf5(folder / "data.h5", {.tensors = {{"train/images", ramp({10, 4}, DType::Float32)},
                                                    {"train/labels", remainders(10, 2)}},
                                        .attributes = {}});
    for (const char* name : {"data.npz", "data.h5"}) {
        const Splits splits = open({.source = "auto",
                                    .path = folder / name,
                                    .validation_fraction = 0,
                                    .test_fraction = 0});
        ASSERT_EQ(splits.train->size(), 10) << name;
        EXPECT_EQ(floats(*splits.train, 9), (std::vector<float>{36, 37, 38, 39}));
        EXPECT_EQ(label(*splits.train, 9), 1);
        EXPECT_THAT(message<FileError>([&] {
                        open({.source = "auto", .path = folder / name, .x_name = "nothing"});
                    }),
                    HasSubstr("there is no array \"nothing\""));
    }
    const std::string whole = test::slurp(folder / "data.npz");
    test::write(folder / "cut.npz", whole.substr(0, whole.size() / 2));
    EXPECT_THAT(message<FileError>([&] { open({.source = "auto", .path = folder / "cut.npz"}); }),
                HasSubstr("cut.npz"));
    std::string damaged = whole;
    damaged[150] ^= 0x55; // inside x's data
    test::write(folder / "damaged.npz", damaged);
    EXPECT_THAT(
        message<FileError>([&] { open({.source = "auto", .path = folder / "damaged.npz"}); }),
        HasSubstr("damaged"));
}

} // namespace
} // namespace wiregrad::data

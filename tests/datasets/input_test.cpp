// One input from outside in the form of the samples that a network was trained on.
#include <gmock/gmock.h>

#include "datasets/input.h"
#include "engine/core/error.h"
#include "engine/io/npy.h"
#include "tests/datasets/helpers.h"

namespace wiregrad::data {
namespace {

using test::message;
using test::TempFolder;
using testing::HasSubstr;

/// An array of [N, H, W, C] bytes beside its labels: a dataset of colour pictures.
struct Pictures {
    TempFolder folder;
    Tensor x, y;
    DatasetSpec spec;

    Pictures() {
        std::vector<std::uint8_t> bytes(6 * 5 * 6 * 3);
        for (std::size_t i = 0; i < bytes.size(); ++i)
            bytes[i] = static_cast<std::uint8_t>(i * 7 % 256);
        x = Tensor::from(bytes, {6, 5, 6, 3});
        y = Tensor::from(std::vector<std::int64_t>{0, 1, 0, 1, 0, 1}, {6});
        io::write_npy(folder / "x.npy", x);
        io::write_npy(folder / "y.npy", y);
        spec.source = "npy";
        spec.path = folder.str();
        spec.validation_fraction = spec.test_fraction = 0;
    }
    Tensor input(const Tensor& array) const {
        io::write_npy(folder / "input.npy", array);
        return read_input(spec, folder / "input.npy");
    }
    Tensor sample(std::int64_t index) const {
        const std::int64_t size = 5 * 6 * 3;
        return x.as_strided({5, 6, 3}, {18, 3, 1}, index * size);
    }
};

TEST(Input, PicturesAsArraysAreWhatTheDatasetMakesOfThem) {
    const Pictures pictures;
    const std::int64_t all[] = {0, 1, 2, 3, 4, 5};
    const std::vector<double> wanted =
        read_batch(*open(pictures.spec).train, all).front().to_vector();
    const Tensor batch = pictures.input(pictures.x);
    EXPECT_EQ(batch.shape(), (Shape{6, 3, 5, 6}));
    EXPECT_EQ(batch.to_vector(), wanted);
    const Tensor one = pictures.input(pictures.sample(2));
    EXPECT_EQ(one.shape(), (Shape{1, 3, 5, 6}));
    const std::size_t size = 3 * 5 * 6;
    EXPECT_EQ(one.to_vector(),
              std::vector<double>(wanted.begin() + 2 * size, wanted.begin() + 3 * size));
}

TEST(Input, AnArrayOfAnotherShapeIsRefused) {
    const Pictures pictures;
    for (const Shape& shape : {Shape{6, 5, 3}, Shape{90}, Shape{2, 6, 3, 5}, Shape{0, 3, 5, 6}})
        EXPECT_THAT(message<DataError>([&] { pictures.input(Tensor::zeros(shape)); }),
                    HasSubstr(shape.str() + ", the network takes [3, 5, 6]"));
}

TEST(Input, ALongRowOfNumbersIsNoFileName) {
    DatasetSpec digits;
    std::string row = "+0.5";
    for (int i = 1; i < 784; ++i)
        row += ",0.25";
    const Tensor x = read_input(digits, row);
    EXPECT_EQ(x.shape(), (Shape{1, 1, 28, 28}));
    EXPECT_EQ(x.to_vector()[0], 0.5);
    EXPECT_EQ(x.to_vector()[783], 0.25);
    EXPECT_THAT(message<FileError>([&] { read_input(digits, row + ",nan"); }),
                HasSubstr("no row of numbers"));
}

TEST(Input, TextIsReadByCharactersNotBytes) {
    const TempFolder folder;
    std::string text;
    for (int i = 0; i < 40; ++i)
        text += "grün ist süß ";
    test::write(folder / "poem.txt", text);
    DatasetSpec spec;
    spec.source = "text";
    spec.path = folder / "poem.txt";
    spec.window = 5;
    const Field x = describe(spec)[0];
    const Tensor tokens = read_input(spec, "ist süß");
    ASSERT_EQ(tokens.shape(), (Shape{1, 5}));
    std::string back;
    for (const double token : tokens.to_vector())
        back += x.class_names[static_cast<std::size_t>(token)];
    EXPECT_EQ(back, "t süß");
    EXPECT_THAT(message<DataError>([&] { read_input(spec, "größer"); }), HasSubstr("'ö'"));
}

} // namespace
} // namespace wiregrad::data

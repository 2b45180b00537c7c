#include <array>
#include <cmath>
#include <cstdlib>

#include <gmock/gmock.h>
#include <zlib.h>

#include "datasets/io/image.h"
#include "datasets/sources/csv.h"
#include "datasets/sources/idx.h"
#include "engine/core/error.h"
#include "tests/datasets/helpers.h"

namespace wiregrad::data {
namespace {

using test::floats;
using test::label;
using test::message;
using test::TempFolder;
using testing::HasSubstr;

std::string be32(std::uint32_t v) {
    return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
            static_cast<char>(v)};
}

std::string idx(std::initializer_list<std::uint32_t> shape, std::string_view values,
                char type = 8) {
    std::string bytes = {0, 0, type, static_cast<char>(shape.size())};
    for (const std::uint32_t size : shape)
        bytes += be32(size);
    return bytes + std::string(values);
}

void write_gz(const std::string& path, const std::string& bytes) {
    gzFile file = gzopen(path.c_str(), "wb");
    ASSERT_NE(file, nullptr);
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
}

std::vector<std::byte> as_bytes(std::string_view text) {
    const auto raw = std::as_bytes(std::span(text));
    return {raw.begin(), raw.end()};
}

/// Twelve 2 x 2 pictures with different pixels, and their labels 0, 1, 2.
std::string twelve_images() {
    std::string pixels;
    for (int i = 0; i < 48; ++i)
        pixels += static_cast<char>(i * 5);
    return idx({12, 2, 2}, pixels);
}
std::string twelve_labels() {
    return idx({12}, std::string("\0\1\2\0\1\2\0\1\2\0\1\2", 12));
}

// --- IDX

TEST(Idx, PairsPackedAndUnpackedFilesByName) {
    const TempFolder folder;
    write_gz(folder / "train-images-idx3-ubyte.gz", twelve_images());
    test::write(folder / "train-labels-idx1-ubyte", twelve_labels());
    test::write(folder / "t10k-images.idx3-ubyte", idx({1, 2, 2}, std::string("\xFF\0\0\x33", 4)));
    test::write(folder / "t10k-labels.idx1-ubyte", idx({1}, "\2"));
    EXPECT_EQ(detect(folder.str()), "idx");
    const Splits splits =
        open({.source = "auto", .path = folder.str(), .validation_fraction = 0.25});
    EXPECT_EQ(splits.train->size(), 9);
    EXPECT_EQ(splits.validation->size(), 3);
    ASSERT_EQ(splits.test->size(), 1);
    EXPECT_EQ(floats(*splits.test, 0), (std::vector<float>{1, 0, 0, 51 / 255.0f}));
    EXPECT_EQ(label(*splits.test, 0), 2);
    EXPECT_EQ(splits.fields[0].shape, Shape({1, 2, 2}));
    EXPECT_EQ(splits.fields[1].classes, 3);
    const std::vector<Field> told = describe({.source = "idx", .path = folder.str()});
    EXPECT_EQ(told[0].shape, Shape({1, 2, 2}));
    EXPECT_EQ(told[1].classes, 3);
    // The file alone, too.
    EXPECT_EQ(open({.source = "auto",
                    .path = folder / "train-images-idx3-ubyte.gz",
                    .validation_fraction = 0,
                    .test_fraction = 0})
                  .train->size(),
              12);
}

TEST(Idx, ReadsEveryElementTypeBigEndian) {
    const auto values = [](const std::string& bytes) {
        return idx_floats(parse_idx(as_bytes(bytes), "f"));
    };
    EXPECT_EQ(values(idx({2}, "\xFF\x01", 8)), (std::vector<float>{255, 1}));
    EXPECT_EQ(values(idx({2}, "\xFF\x01", 9)), (std::vector<float>{-1, 1}));
    EXPECT_EQ(values(idx({1}, "\xFF\xFE", 11)), (std::vector<float>{-2}));
    EXPECT_EQ(values(idx({1}, be32(70000), 12)), (std::vector<float>{70000}));
    EXPECT_EQ(values(idx({1}, be32(0x3FC00000), 13)), (std::vector<float>{1.5f}));
    EXPECT_EQ(values(idx({1}, be32(0xC0040000) + be32(0), 14)), (std::vector<float>{-2.5f}));
}

TEST(Idx, BrokenFilesAreRefusedInWords) {
    const auto text = [](const std::string& bytes) {
        return message<FileError>([&] { parse_idx(as_bytes(bytes), "f.idx"); });
    };
    EXPECT_THAT(text("ab"), HasSubstr("2"));
    EXPECT_THAT(text("Hello world"), HasSubstr("no IDX file"));
    EXPECT_THAT(text(twelve_images().substr(0, 9)), HasSubstr("inside its IDX header"));
    EXPECT_THAT(text(twelve_images().substr(0, 30)),
                testing::AllOf(HasSubstr("takes 48 bytes"), HasSubstr("ends after 14"),
                               HasSubstr("f.idx")));
    EXPECT_THAT(text(twelve_images() + "x"), HasSubstr("has 49"));
    // Sizes whose product does not fit into 64 bits.
    EXPECT_THAT(text(idx({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, "")),
                HasSubstr("more than can be read"));
    EXPECT_THAT(text(idx({1, 1, 1, 1, 1, 1, 1, 1, 1}, "x")), HasSubstr("dimensions"));
}

TEST(Idx, CutOffAndDamagedGzipFilesAreRefused) {
    const TempFolder folder;
    const std::string packed = folder / "train-images-idx3-ubyte.gz";
    write_gz(packed, twelve_images());
    write_gz(folder / "train-labels-idx1-ubyte.gz", twelve_labels());
    const std::string whole = test::slurp(packed);
    const auto text = [&] {
        return message<FileError>([&] { open({.source = "idx", .path = folder.str()}); });
    };
    test::write(packed, whole.substr(0, whole.size() / 2));
    EXPECT_THAT(text(), HasSubstr("cut off"));
    std::string wrong = whole;
    wrong[wrong.size() - 6] ^= 1; // in the checksum
    test::write(packed, wrong);
    EXPECT_THAT(text(), HasSubstr("damaged"));
}

TEST(Idx, MismatchedPartsAreRefused) {
    const TempFolder folder;
    test::write(folder / "train-images-idx3-ubyte", twelve_images());
    const auto text = [&](auto kind) {
        return message<decltype(kind)>([&] { open({.source = "idx", .path = folder.str()}); });
    };
    EXPECT_THAT(text(FileError("")), HasSubstr("train-labels-idx1-ubyte is missing"));
    test::write(folder / "train-labels-idx1-ubyte", idx({2}, std::string("\0\1", 2)));
    EXPECT_THAT(text(DataError("")), HasSubstr("12 images, but 2 labels"));
    test::write(folder / "train-labels-idx1-ubyte",
                idx({12}, std::string("\0\1\2\0\1\2\0\1\2\0\1\xC8", 12)));
    EXPECT_THAT(text(DataError("")),
                testing::AllOf(HasSubstr("sample 11"), HasSubstr("label 200")));
    test::write(folder / "train-labels-idx1-ubyte", twelve_labels());
    EXPECT_THAT(
        message<DataError>([&] { open({.source = "idx", .path = folder.str(), .classes = 2}); }),
        HasSubstr("sample 2"));
    test::write(folder / "test-images-idx3-ubyte", twelve_images());
    test::write(folder / "test-labels-idx1-ubyte",
                idx({12}, std::string("\0\1\2\0\1\2\0\1\2\0\1\3", 12)));
    EXPECT_THAT(text(DataError("")), testing::AllOf(HasSubstr("sample 11"), HasSubstr("0 to 2")));
    test::write(folder / "test-labels-idx1-ubyte", twelve_labels());
    EXPECT_EQ(open({.source = "idx", .path = folder.str()}).leaks,
              12); // the same pictures: counted, and said
}

TEST(Idx, RealMnist) {
    const std::string path = test::shared("data/mnist");
    if (path.empty()) GTEST_SKIP() << "no shared data";
    const Splits splits =
        open({.source = "auto", .path = path, .normalize = Normalize::Standardize});
    EXPECT_EQ(splits.train->size() + splits.validation->size(), 10000);
    EXPECT_EQ(splits.test->size(), 10000);
    EXPECT_EQ(splits.fields[1].classes, 10);
    EXPECT_EQ(splits.leaks, 0);
    // The published mean and deviation of MNIST's training pictures, here of a part of them.
    EXPECT_NEAR(splits.normalization.mean[0], 0.1307, 0.002);
    EXPECT_NEAR(splits.normalization.std[0], 0.3081, 0.002);
    // The test set begins with a seven, and its labels are distributed as published.
    EXPECT_EQ(label(*splits.test, 0), 7);
    std::array<int, 10> counts{};
    for (std::int64_t i = 0; i < 10000; ++i)
        ++counts.at(static_cast<std::size_t>(label(*splits.test, i)));
    EXPECT_THAT(counts,
                testing::ElementsAre(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009));
}

// --- CIFAR-10

std::string cifar_records(int count, int first = 0) {
    std::string bytes;
    for (int i = 0; i < count; ++i) {
        bytes += static_cast<char>((first + i) % 10);
        for (int k = 0; k < 3072; ++k)
            bytes += static_cast<char>((k / 1024 * 50 + first + i) & 0xFF);
    }
    return bytes;
}

std::string tar_entry(const std::string& name, const std::string& content) {
    std::string header(512, '\0');
    header.replace(0, name.size(), name);
    char field[13];
    std::snprintf(field, sizeof(field), "%011o", static_cast<unsigned>(content.size()));
    header.replace(124, 11, field, 11);
    header[156] = '0';
    header.replace(257, 5, "ustar");
    header.replace(148, 8, "        ");
    unsigned sum = 0;
    for (const char c : header)
        sum += static_cast<unsigned char>(c);
    std::snprintf(field, sizeof(field), "%06o", sum);
    header.replace(148, 7, std::string(field, 6) + '\0');
    std::string padded = content;
    padded.resize((content.size() + 511) / 512 * 512, '\0');
    return header + padded;
}

TEST(Cifar, FolderBatchAndArchive) {
    const TempFolder folder;
    test::write(folder / "unpacked/data_batch_1.bin", cifar_records(20));
    test::write(folder / "unpacked/data_batch_2.bin", cifar_records(10, 100));
    test::write(folder / "unpacked/test_batch.bin", cifar_records(7, 200));
    write_gz(folder / "cifar-10-binary.tar.gz",
             tar_entry("cifar-10-batches-bin/readme.html", "<p>") +
                 tar_entry("cifar-10-batches-bin/data_batch_1.bin", cifar_records(20)) +
                 tar_entry("cifar-10-batches-bin/data_batch_2.bin", cifar_records(10, 100)) +
                 tar_entry("cifar-10-batches-bin/test_batch.bin", cifar_records(7, 200)) +
                 std::string(1024, '\0'));
    for (const std::string& path :
         {folder / "unpacked", folder / "cifar-10-binary.tar.gz", folder.str()}) {
        const Splits splits = open({.source = "auto", .path = path, .validation_fraction = 0});
        ASSERT_EQ(splits.train->size(), 30) << path;
        ASSERT_EQ(splits.test->size(), 7) << path;
        EXPECT_EQ(label(*splits.train, 21), 1);
        const std::vector<float> x = floats(*splits.train, 21);
        EXPECT_EQ(x[0], 101 / 255.0f);
        EXPECT_EQ(x[1024], 151 / 255.0f);
        EXPECT_EQ(x[3071], 201 / 255.0f);
    }
    EXPECT_EQ(open({.source = "auto", .path = folder / "unpacked/test_batch.bin"})
                  .fields[1]
                  .class_names[9],
              "truck");
}

TEST(Cifar, BrokenBatchesAreRefused) {
    const TempFolder folder;
    const std::string path = folder / "data_batch_1.bin";
    const auto text = [&](auto kind) {
        return message<decltype(kind)>([&] { open({.source = "cifar10", .path = path}); });
    };
    test::write(path, cifar_records(2).substr(1));
    EXPECT_THAT(text(FileError("")), HasSubstr("bytes over"));
    std::string wrong = cifar_records(3);
    wrong[2 * 3073] = 10;
    test::write(path, wrong);
    EXPECT_THAT(text(DataError("")), testing::AllOf(HasSubstr("record 2"), HasSubstr("label 10")));
    const std::string archive = folder / "cifar-10-binary.tar.gz";
    std::string tar = tar_entry("data_batch_1.bin", cifar_records(2));
    const auto archive_text = [&] {
        return message<FileError>([&] { open({.source = "cifar10", .path = archive}); });
    };
    write_gz(archive, tar.substr(0, 4000));
    EXPECT_THAT(archive_text(), HasSubstr("data_batch_1.bin"));
    tar[130] ^= 1;
    write_gz(archive, tar);
    EXPECT_THAT(archive_text(), HasSubstr("checksum"));
}

// --- CSV

CsvTable csv(std::string_view text, const CsvOptions& options = {}) {
    return parse_csv(text, options, "t.csv");
}
template <class E = DataError>
std::string csv_error(std::string_view text, const CsvOptions& options = {}) {
    return message<E>([&] { csv(text, options); });
}

TEST(Csv, HeaderNumbersAndTextClasses) {
    const CsvTable t = csv("width,height,kind\n1,2.5,b\n-3e2,+4,a\n5,6,b\n");
    EXPECT_EQ(t.features, (std::vector<std::string>{"width", "height"}));
    EXPECT_EQ(t.x, (std::vector<float>{1, 2.5f, -300, 4, 5, 6}));
    EXPECT_EQ(t.class_names, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(t.labels, (std::vector<std::int64_t>{1, 0, 1}));
    EXPECT_EQ(t.rows, 3);
}

TEST(Csv, NoHeaderIsSeen) {
    const CsvTable t = csv("1,2,x\n3,4,y\n");
    EXPECT_EQ(t.rows, 2);
    EXPECT_EQ(t.features, (std::vector<std::string>{"column 1", "column 2"}));
}

TEST(Csv, QuotesLineEndsMarksAndBlankLines) {
    const CsvTable t = csv("\xEF\xBB\xBF\"a \"\"one\"\"\",\"b,\r\nc\", kind \r\n 1 , \"2\" ,\"x, "
                           "\"\"y\"\"\"\r\n\r\n3,4,z\r\n");
    EXPECT_EQ(t.features, (std::vector<std::string>{"a \"one\"", "b,\r\nc"}));
    EXPECT_EQ(t.label, "kind");
    EXPECT_EQ(t.x, (std::vector<float>{1, 2, 3, 4}));
    EXPECT_EQ(t.class_names, (std::vector<std::string>{"x, \"y\"", "z"}));
    // Many doubled quotes in one row: each cell keeps its own text.
    const CsvTable many = csv("n,l\n1,\"\"\"p\"\"\"\n2,\"\"\"q\"\"\"\n");
    EXPECT_EQ(many.class_names, (std::vector<std::string>{"\"p\"", "\"q\""}));
}

TEST(Csv, SeparatorsAndDecimalCommas) {
    EXPECT_EQ(find_separator("a;b;c\n1;2;3\n"), ';');
    EXPECT_EQ(find_separator("a\tb\n1\t2\n"), '\t');
    EXPECT_EQ(find_separator("a,b\n1,2\n"), ',');
    EXPECT_EQ(find_separator("\"x;y\",b\n\"x;z\",2\n"), ',');
    EXPECT_EQ(csv("a;b;l\n1,5;2;u\n2,25;3;v\n").x, (std::vector<float>{1.5f, 2, 2.25f, 3}));
    EXPECT_EQ(csv("1,5;2,5;u\n2,25;3,5;v\n").x, (std::vector<float>{1.5f, 2.5f, 2.25f, 3.5f}));
}

TEST(Csv, LabelColumnIsChosenByNameOrNumberOrNone) {
    const std::string_view text = "kind,a,b\nu,1,2\nv,3,4\nu,5,6\n";
    EXPECT_EQ(csv(text, {.label_column = "kind"}).labels, (std::vector<std::int64_t>{0, 1, 0}));
    EXPECT_EQ(csv(text, {.label_column = "1"}).labels, (std::vector<std::int64_t>{0, 1, 0}));
    const CsvTable none = csv(text, {.label_column = "-"});
    EXPECT_TRUE(none.labels.empty());
    EXPECT_EQ(none.features.size(), 2u);
    EXPECT_EQ(none.left_out, (std::vector<std::string>{"kind"}));
    EXPECT_THAT(csv_error(text, {.label_column = "c"}),
                testing::AllOf(HasSubstr("\"c\""), HasSubstr("\"kind\"")));
}

TEST(Csv, FewWholeNumbersAreClassesOthersAreTargets) {
    const CsvTable classes = csv("a,y\n1,3\n2,7\n3,3\n4,7\n");
    EXPECT_EQ(classes.labels, (std::vector<std::int64_t>{0, 1, 0, 1}));
    EXPECT_EQ(classes.class_names, (std::vector<std::string>{"3", "7"}));
    EXPECT_EQ(csv("a,y\n1,0.5\n2,7\n3,3\n4,7\n").targets, (std::vector<float>{0.5f, 7, 3, 7}));
    EXPECT_EQ(csv("a,y\n1,3\n2,7\n3,3\n4,7\n", {.regression = true}).targets.size(), 4u);
    const CsvTable given = csv("a,y\n1,3\n2,7\n3,3\n4,7\n", {.classes = 10});
    EXPECT_EQ(given.labels, (std::vector<std::int64_t>{3, 7, 3, 7}));
    EXPECT_EQ(given.class_names.size(), 10u);
    EXPECT_THAT(csv_error("a,y\n1,3\n2,12\n", {.classes = 10}),
                testing::AllOf(HasSubstr("line 3"), HasSubstr("12"), HasSubstr("0 to 9")));
}

TEST(Csv, MissingValuesAreRefusedByPlaceOrLeftOut) {
    const std::string_view text = "a,b,l\n1,2,u\n3,,v\n5,6,u\nNA,8,v\n9,10,v\n";
    EXPECT_THAT(csv_error(text),
                testing::AllOf(HasSubstr("t.csv"), HasSubstr("line 5"), HasSubstr("\"a\"")));
    EXPECT_THAT(csv_error("a,b,l\n1,2,u\n3,,v\n"),
                testing::AllOf(HasSubstr("line 3"), HasSubstr("\"b\"")));
    const CsvTable t = csv(text, {.drop_missing = true});
    EXPECT_EQ(t.rows, 3);
    EXPECT_EQ(t.dropped, 2);
    EXPECT_EQ(t.x, (std::vector<float>{1, 2, 5, 6, 9, 10}));
    EXPECT_THAT(t.notes[0], testing::AllOf(HasSubstr("2 rows"), HasSubstr("line 3")));
}

TEST(Csv, BrokenTablesAreRefusedByPlace) {
    EXPECT_THAT(csv_error<FileError>("a,b\n1,2\n3\n"),
                testing::AllOf(HasSubstr("line 3 has 1 cell"), HasSubstr("line 1 has 2 cells")));
    EXPECT_THAT(csv_error<FileError>("a,b\n1,\"2\n3,4\n"),
                testing::AllOf(HasSubstr("line 2"), HasSubstr("not closed")));
    EXPECT_THAT(csv_error<FileError>("a,b\n\"1\"x,2\n"), HasSubstr("behind a closing quote"));
    EXPECT_THAT(csv_error("a,b,l\n1,2,u\n3,oops,v\n5,6,u\n"),
                testing::AllOf(HasSubstr("line 3"), HasSubstr("\"b\""), HasSubstr("\"oops\"")));
    EXPECT_THAT(csv_error("a,l\n1,u\ninf,v\n"),
                testing::AllOf(HasSubstr("line 3"), HasSubstr("not a finite")));
    EXPECT_THAT(csv_error("a,l\n1,u\n1e60,v\n"), HasSubstr("not a finite"));
    EXPECT_THAT(csv_error(""), HasSubstr("empty"));
    EXPECT_THAT(csv_error("\n\n"), HasSubstr("empty"));
    EXPECT_THAT(csv_error("a,b\n"), HasSubstr("no column of numbers"));
    EXPECT_THAT(csv_error("a,b\nx,y\nz,y\n"), HasSubstr("no column of numbers"));
    EXPECT_THAT(csv_error("a,l\n1,u\n2,u\n"), HasSubstr("one class only"));
    EXPECT_THAT(csv_error<FileError>(std::string_view("a,b\n1,\0002\n", 9)),
                HasSubstr("zero bytes"));
}

TEST(Csv, OpensWithTestSplitFromTheTable) {
    const TempFolder folder;
    std::string text = "length;weight;species\n";
    for (int i = 0; i < 40; ++i)
        text += std::to_string(i) + ",25;" + std::to_string(3 * i) + ";" +
                (i % 2 ? "pike" : "carp") + "\n";
    test::write(folder / "fish.data", text);
    EXPECT_EQ(detect(folder / "fish.data"), "csv");
    const Splits splits = open({.source = "auto",
                                .path = folder / "fish.data",
                                .validation_fraction = 0.25,
                                .test_fraction = 0.25});
    EXPECT_EQ(splits.train->size(), 22);
    EXPECT_EQ(splits.test->size(), 10);
    EXPECT_EQ(splits.fields[0].feature_names[1], "weight");
    EXPECT_EQ(splits.fields[1].class_names[1], "pike");
    for (std::int64_t i = 0; i < splits.train->size(); ++i) {
        const std::vector<float> x = floats(*splits.train, i);
        EXPECT_EQ(x[1], 3 * (x[0] - 0.25f));
        EXPECT_EQ(label(*splits.train, i), std::lround(x[0] - 0.25) % 2);
    }
}

TEST(Csv, DescribeFollowsTheFile) {
    const TempFolder folder;
    const DatasetSpec spec{.source = "csv", .path = folder / "t.csv"};
    test::write(spec.path, "a,b,l\n1,2,u\n3,4,v\n");
    EXPECT_EQ(describe(spec)[0].shape, Shape({2}));
    DatasetSpec other = spec;
    other.label_column = "a";
    EXPECT_EQ(describe(other)[1].kind, FieldKind::Scalar);
    EXPECT_EQ(describe(spec)[1].class_names, (std::vector<std::string>{"u", "v"}));
    test::write(spec.path, "a,b,c,l\n1,2,3,u\n3,4,5,v\n");
    EXPECT_EQ(describe(spec)[0].shape, Shape({3}));
}

// --- text

TEST(Text, WindowsPredictTheNextCharacterAndKeepToTheirPart) {
    const TempFolder folder;
    std::string text;
    for (int i = 0; i < 300; ++i)
        text += i % 3 ? (i % 5 ? "a" : "ä") : "€";
    test::write(folder / "t.txt", text);
    const Splits splits = open({.source = "auto",
                                .path = folder / "t.txt",
                                .validation_fraction = 0.2,
                                .test_fraction = 0.2,
                                .window = 10});
    EXPECT_EQ(splits.fields[0].class_names, (std::vector<std::string>{"a", "ä", "€"}));
    EXPECT_EQ(splits.train->size(), 19);     // 192 characters
    EXPECT_EQ(splits.validation->size(), 4); // 48
    EXPECT_EQ(splits.test->size(), 5);       // 60
    const auto tokens = [](const Dataset& d, std::int64_t i, std::size_t f) {
        const RowBuffer buffer(d.fields());
        d.read(i, buffer.row());
        const auto v = buffer.values<std::int64_t>(f);
        return std::vector<std::int64_t>(v.begin(), v.end());
    };
    const auto expected = [](int i) { return i % 3 ? (i % 5 ? 0 : 1) : 2; };
    for (int k = 0; k < 10; ++k) {
        EXPECT_EQ(tokens(*splits.train, 3, 0)[static_cast<std::size_t>(k)], expected(30 + k));
        EXPECT_EQ(tokens(*splits.train, 3, 1)[static_cast<std::size_t>(k)], expected(31 + k));
        EXPECT_EQ(tokens(*splits.test, 0, 0)[static_cast<std::size_t>(k)], expected(240 + k));
    }
    test::write(folder / "bad.txt", "good so far \xC3(");
    EXPECT_THAT(message<FileError>(
                    [&] { open({.source = "text", .path = folder / "bad.txt", .window = 2}); }),
                HasSubstr("byte 12"));
    test::write(folder / "short.txt", "abc");
    EXPECT_THAT(message<DataError>([&] { open({.source = "text", .path = folder / "short.txt"}); }),
                HasSubstr("too few"));
}

TEST(Text, RealText) {
    const std::string path = test::shared("data/text/tinyshakespeare.txt");
    if (path.empty()) GTEST_SKIP() << "no shared data";
    const Splits splits = open({.source = "auto", .path = path});
    EXPECT_EQ(splits.fields[0].classes, 65); // as everybody who trained on it says
    EXPECT_EQ(splits.fields[0].shape, Shape({64}));
}

} // namespace
} // namespace wiregrad::data

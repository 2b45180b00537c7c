#include "datasets/sources/idx.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "datasets/io/file_bytes.h"
#include "datasets/sources/folders.h"
#include "datasets/sources/labels.h"
#include "datasets/sources/memory_dataset.h"
#include "datasets/sources/source.h"
#include "engine/core/error.h"

namespace wiregrad::data {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargest = std::uint64_t{8} << 30; ///< bytes of one file's content

std::size_t element_size(std::uint8_t type) {
    switch (type) {
    case 8:
    case 9:
        return 1;
    case 11:
        return 2;
    case 12:
    case 13:
        return 4;
    case 14:
        return 8;
    default:
        return 0;
    }
}

template <class T> T big_endian(const std::byte* at) {
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
        value = static_cast<T>(value << 8 | static_cast<T>(at[i]));
    return value;
}

double element(const IdxArray& array, std::size_t i) {
    const std::byte* at = array.values.data() + i * element_size(array.type);
    switch (array.type) {
    case 8:
        return static_cast<double>(static_cast<std::uint8_t>(*at));
    case 9:
        return static_cast<double>(static_cast<std::int8_t>(*at));
    case 11:
        return static_cast<double>(static_cast<std::int16_t>(big_endian<std::uint16_t>(at)));
    case 12:
        return static_cast<double>(static_cast<std::int32_t>(big_endian<std::uint32_t>(at)));
    case 13:
        return static_cast<double>(std::bit_cast<float>(big_endian<std::uint32_t>(at)));
    default:
        return std::bit_cast<double>(big_endian<std::uint64_t>(at));
    }
}

/// Type and sizes alone; `content` may end behind them.
IdxArray parse_header(std::span<const std::byte> content, const std::string& where) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(content[i]); };
    if (content.size() < 4)
        throw FileError(
            fmt::format("an IDX file has at least 4 bytes, this one has {}", content.size()),
            where);
    if (byte(0) != 0 || byte(1) != 0 || element_size(byte(2)) == 0)
        throw FileError(
            fmt::format("this is no IDX file: it begins with {:02x} {:02x} {:02x} {:02x}", byte(0),
                        byte(1), byte(2), byte(3)),
            where);
    const int dims = byte(3);
    if (dims < 1 || dims > kMaxDims)
        throw FileError(fmt::format("the IDX file says it has {} dimensions, allowed are 1 to {}",
                                    dims, kMaxDims),
                        where);
    IdxArray array{.type = byte(2), .shape = {}, .values = {}};
    const std::size_t header = 4 + 4 * static_cast<std::size_t>(dims);
    if (content.size() < header)
        throw FileError(fmt::format("the file ends at byte {}, inside its IDX header of {} bytes",
                                    content.size(), header),
                        where);
    for (int d = 0; d < dims; ++d)
        array.shape.push_back(big_endian<std::uint32_t>(content.data() + 4 + 4 * d));
    return array;
}

/// numel() with the file's name on the error.
std::uint64_t elements(const Shape& shape, const std::string& where) {
    std::uint64_t count = 1;
    for (const std::int64_t size : shape) {
        if (size != 0 && count > (kLargest / static_cast<std::uint64_t>(size)))
            throw FileError(fmt::format("the IDX file says its shape is {}, more than can be read",
                                        shape.str()),
                            where);
        count *= static_cast<std::uint64_t>(size);
    }
    return count;
}

struct Pair {
    std::string images, labels; ///< paths
};

bool is_test_name(const std::string& name) {
    return name.starts_with("t10k") || name.starts_with("test");
}

/// "train10k-images-idx3-ubyte.gz" -> "train10k-labels-idx1-ubyte.gz"
std::string labels_name(std::string images) {
    images.replace(images.find("images"), 6, "labels");
    if (const std::size_t at = images.find("idx3"); at != std::string::npos)
        images.replace(at, 4, "idx1");
    return images;
}

std::string without_gz(const std::string& name) {
    return name.ends_with(".gz") ? name.substr(0, name.size() - 3) : name;
}

struct Found {
    Pair main;
    std::optional<Pair> test;
};

Found find_pairs(const std::string& path) {
    if (!fs::is_directory(path)) {
        const std::string name = fs::path(path).filename().string();
        if (name.find("images") == std::string::npos)
            throw FileError("give the file with the images, whose name holds \"images\", or the "
                            "folder with both files",
                            path);
        const fs::path folder = fs::path(path).parent_path();
        for (const std::string& wanted :
             {labels_name(name), without_gz(labels_name(name)), labels_name(name) + ".gz"})
            if (fs::exists(folder / wanted)) return {{path, (folder / wanted).string()}, {}};
        throw FileError(
            fmt::format("the labels are missing: looked for {} beside it", labels_name(name)),
            path);
    }
    const std::vector<std::string> files = list_folder(path).files;
    const auto exists = [&](const std::string& name) {
        return std::binary_search(files.begin(), files.end(), name);
    };
    std::vector<Pair> train, test;
    std::string orphan;
    for (const std::string& name : files) {
        if (!is_idx_name(name) || name.find("images") == std::string::npos) continue;
        if (name.ends_with(".gz") && exists(without_gz(name)))
            continue; // the unpacked one is there too
        const std::string wanted = labels_name(name);
        std::string labels;
        for (const std::string& candidate : {without_gz(wanted), wanted, wanted + ".gz"})
            if (labels.empty() && exists(candidate)) labels = candidate;
        if (labels.empty()) {
            orphan = fmt::format("{} is there, but {} is missing", name, wanted);
            continue;
        }
        (is_test_name(name) ? test : train)
            .push_back({(fs::path(path) / name).string(), (fs::path(path) / labels).string()});
    }
    if (!orphan.empty()) throw FileError(orphan, path);
    if (train.size() > 1 || test.size() > 1) {
        const std::vector<Pair>& many = train.size() > 1 ? train : test;
        throw FileError(
            fmt::format("the folder holds several sets of images ({}, {}); give one of these files",
                        fs::path(many[0].images).filename().string(),
                        fs::path(many[1].images).filename().string()),
            path);
    }
    if (train.empty() && test.empty())
        throw FileError("the folder holds no pair of IDX files; looked for names such as "
                        "train-images-idx3-ubyte.gz and "
                        "train-labels-idx1-ubyte.gz",
                        path);
    if (train.empty()) return {test[0], {}};
    return {train[0], test.empty() ? std::optional<Pair>() : test[0]};
}

Field image_field(const IdxArray& images, const std::string& where) {
    if (images.shape.size() == 3)
        return {
            .name = "x", .shape = {1, images.shape[1], images.shape[2]}, .kind = FieldKind::Image};
    if (images.shape.size() == 4)
        return {.name = "x",
                .shape = {images.shape[1], images.shape[2], images.shape[3]},
                .kind = FieldKind::Image};
    if (images.shape.size() == 2)
        return {.name = "x",
                .shape = {images.shape[1]},
                .kind = FieldKind::Vector,
                .max = images.type == 8 ? 255.0 : 1.0};
    throw FileError(fmt::format("images have the shape [count, height, width], this array has {}",
                                images.shape.str()),
                    where);
}

std::vector<std::string> class_names(const std::string& path, std::int64_t classes) {
    if (classes != 10) return {};
    if (path.find("fashion") != std::string::npos || path.find("Fashion") != std::string::npos)
        return {"T-shirt", "trousers", "pullover", "dress", "coat",
                "sandal",  "shirt",    "sneaker",  "bag",   "ankle boot"};
    return {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
}

DatasetPtr load(const Pair& pair, std::int64_t classes, const std::string& names_hint) {
    const std::vector<std::byte> image_bytes = FileBytes(pair.images).take_all(kLargest);
    const std::vector<std::byte> label_bytes = FileBytes(pair.labels).take_all(kLargest);
    const IdxArray images = parse_idx(image_bytes, pair.images);
    const IdxArray labels = parse_idx(label_bytes, pair.labels);
    if (labels.shape.size() != 1)
        throw FileError(
            fmt::format("labels are a list, this array has the shape {}", labels.shape.str()),
            pair.labels);
    if (images.shape[0] != labels.shape[0])
        throw DataError(fmt::format("{} images, but {} labels in {}", images.shape[0],
                                    labels.shape[0], fs::path(pair.labels).filename().string()),
                        pair.images);
    const std::vector<std::int64_t> y = idx_integers(labels, pair.labels);
    classes = count_classes(y, classes, pair.labels);
    const Field x = image_field(images, pair.images);
    Column pixels{DType::UInt8, {}};
    if (images.type == 8)
        pixels.bytes.assign(images.values.begin(), images.values.end());
    else
        pixels = Column::of<float>(idx_floats(images));
    return memory_dataset({x, label_field(classes, class_names(names_hint, classes))},
                          {std::move(pixels), Column::of<std::int64_t>(y)}, images.shape[0],
                          pair.images);
}

} // namespace

IdxArray parse_idx(std::span<const std::byte> content, const std::string& where) {
    IdxArray array = parse_header(content, where);
    const std::size_t header = 4 + 4 * static_cast<std::size_t>(array.shape.size());
    const std::uint64_t needed = elements(array.shape, where) * element_size(array.type);
    const std::uint64_t there = content.size() - header;
    if (there != needed)
        throw FileError(fmt::format("the IDX file says its shape is {}, which takes {} bytes "
                                    "behind the header, but it {} {}",
                                    array.shape.str(), needed,
                                    there < needed ? "ends after" : "has", there),
                        where);
    array.values = content.subspan(header);
    return array;
}

std::vector<std::int64_t> idx_integers(const IdxArray& array, const std::string& where) {
    std::vector<std::int64_t> result(array.values.size() / element_size(array.type));
    for (std::size_t i = 0; i < result.size(); ++i) {
        const double value = element(array, i);
        constexpr double kSafe = 9e15; // whole numbers are exact below
        if (!(std::abs(value) < kSafe) || value != std::floor(value))
            throw DataError(
                fmt::format("sample {} has the label {}, which is no whole number", i, value),
                where);
        result[i] = static_cast<std::int64_t>(value);
    }
    return result;
}

std::vector<float> idx_floats(const IdxArray& array) {
    std::vector<float> result(array.values.size() / element_size(array.type));
    for (std::size_t i = 0; i < result.size(); ++i)
        result[i] = static_cast<float>(element(array, i));
    return result;
}

Parts open_idx(const Opening& opening) {
    const DatasetSpec& spec = opening.spec;
    const Found found = find_pairs(spec.path);
    opening.report("Reading images", 0);
    Parts parts;
    parts.main = load(found.main, spec.classes, spec.path);
    opening.report("Reading images", 0.5);
    if (found.test) parts.test = load(*found.test, parts.main->fields()[1].classes, spec.path);
    return parts;
}

std::vector<Field> describe_idx(const DatasetSpec& spec) {
    const Found found = find_pairs(spec.path);
    std::vector<std::byte> head(4 + 4 * kMaxDims);
    FileBytes images(found.main.images);
    head.resize(images.read_some(head));
    const Field x = image_field(parse_header(head, found.main.images), found.main.images);
    const std::vector<std::byte> label_bytes = FileBytes(found.main.labels).take_all(kLargest);
    const std::vector<std::int64_t> y =
        idx_integers(parse_idx(label_bytes, found.main.labels), found.main.labels);
    const std::int64_t classes = count_classes(y, spec.classes, found.main.labels);
    return {x, label_field(classes, class_names(spec.path, classes))};
}

} // namespace wiregrad::data

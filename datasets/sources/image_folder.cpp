// A folder of pictures: one folder a class, optionally under train/, validation/ (or val/, valid/)
// and test/.
#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>

#include "datasets/io/file_bytes.h"
#include "datasets/io/image.h"
#include "datasets/parallel.h"
#include "datasets/sources/folders.h"
#include "datasets/sources/labels.h"
#include "datasets/sources/memory_dataset.h"
#include "datasets/sources/source.h"
#include "engine/core/error.h"

namespace wiregrad::data {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestPicture = std::uint64_t{256} << 20;
constexpr std::uint64_t kLargestSet = std::uint64_t{16} << 30; ///< bytes of all decoded pictures

struct Picture {
    std::string path;
    std::int64_t label = 0;
};

struct Tree {
    std::vector<std::string> classes;
    std::vector<Picture> train, validation, test;
};

void collect(const std::string& folder, const std::vector<std::string>& classes,
             std::vector<Picture>& pictures) {
    for (const std::string& name : list_folder(folder).folders) {
        const auto at = std::lower_bound(classes.begin(), classes.end(), name);
        const std::string path = (fs::path(folder) / name).string();
        std::vector<Picture> found;
        const std::int64_t label = at - classes.begin();
        for (const std::string& file : list_folder(path).files)
            if (is_picture(file)) found.push_back({(fs::path(path) / file).string(), label});
        if (!found.empty() && (at == classes.end() || *at != name))
            throw DataError(
                fmt::format("the class \"{}\" does not occur among the training pictures", name),
                path);
        pictures.insert(pictures.end(), found.begin(), found.end());
    }
}

std::vector<std::string> class_folders(const std::string& folder) {
    std::vector<std::string> classes;
    for (const std::string& name : list_folder(folder).folders) {
        const std::vector<std::string> files =
            list_folder((fs::path(folder) / name).string()).files;
        if (std::any_of(files.begin(), files.end(), is_picture)) classes.push_back(name);
    }
    if (classes.size() < 2)
        throw FileError(fmt::format("a folder of pictures has one folder a class, at least two of "
                                    "them with .png or .jpg "
                                    "files; this one has {}",
                                    classes.size()),
                        folder);
    return classes;
}

Tree explore(const std::string& path) {
    const FolderListing listing = list_folder(path);
    const auto part = [&](std::initializer_list<const char*> names) {
        for (const char* name : names)
            if (std::binary_search(listing.folders.begin(), listing.folders.end(), name))
                return (fs::path(path) / name).string();
        return std::string();
    };
    const std::string train = part({"train", "training"});
    Tree tree;
    const std::string root = train.empty() ? path : train;
    tree.classes = class_folders(root);
    collect(root, tree.classes, tree.train);
    if (train.empty()) return tree;
    if (const std::string folder = part({"test", "testing"}); !folder.empty())
        collect(folder, tree.classes, tree.test);
    if (const std::string folder = part({"validation", "val", "valid"}); !folder.empty())
        collect(folder, tree.classes, tree.validation);
    return tree;
}

std::vector<std::byte> bytes_of(const std::string& path) {
    return FileBytes(path).take_all(kLargestPicture);
}

std::vector<Field> fields_of(const Tree& tree, const DatasetSpec& spec) {
    Shape shape{spec.grey ? 1 : 3, spec.image_size, spec.image_size};
    if (spec.image_size == 0) {
        const ImageSize size = image_size(bytes_of(tree.train[0].path), tree.train[0].path);
        shape = {spec.grey ? 1 : 3, size.height, size.width};
    }
    return {{.name = "x", .shape = shape, .kind = FieldKind::Image},
            label_field(static_cast<std::int64_t>(tree.classes.size()), tree.classes)};
}

DatasetPtr load(const std::vector<Picture>& pictures, const std::vector<Field>& fields,
                const Opening& opening) {
    if (pictures.empty()) return nullptr;
    const auto area = static_cast<std::size_t>(numel(fields[0].shape));
    if (area * pictures.size() > kLargestSet)
        throw DataError(
            fmt::format("{} pictures of {} take {} GB of memory; choose a smaller image_size",
                        pictures.size(), fields[0].shape.str(), (area * pictures.size()) >> 30),
            opening.spec.path);
    Column x = Column::sized<std::uint8_t>(area * pictures.size());
    std::vector<std::int64_t> y;
    for (const Picture& picture : pictures)
        y.push_back(picture.label);
    const auto pixels = x.values<std::uint8_t>();
    const int channels = static_cast<int>(fields[0].shape[0]);
    const int height = static_cast<int>(fields[0].shape[1]),
              width = static_cast<int>(fields[0].shape[2]);
    parallel_for(
        static_cast<std::int64_t>(pictures.size()),
        [&](std::int64_t i) {
            const std::string& path = pictures[static_cast<std::size_t>(i)].path;
            const Image image =
                resized(decode_image(bytes_of(path), channels, path), height, width);
            std::copy(image.pixels.begin(), image.pixels.end(),
                      pixels.begin() + i * static_cast<std::int64_t>(area));
        },
        [&](double done) { opening.report("Reading pictures", done); });
    return memory_dataset(fields, {std::move(x), Column::of<std::int64_t>(y)},
                          static_cast<std::int64_t>(pictures.size()), opening.spec.path);
}

} // namespace

std::vector<Field> describe_image_folder(const DatasetSpec& spec) {
    return fields_of(explore(spec.path), spec);
}

Parts open_image_folder(const Opening& opening) {
    const Tree tree = explore(opening.spec.path);
    const std::vector<Field> fields = fields_of(tree, opening.spec);
    return {.main = load(tree.train, fields, opening),
            .validation = load(tree.validation, fields, opening),
            .test = load(tree.test, fields, opening)};
}

} // namespace wiregrad::data

// What a path is: by its first bytes where formats have a signature, by names where they do not.
#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string_view>

#include <fmt/format.h>

#include "datasets/dataset.h"
#include "datasets/io/file_bytes.h"
#include "datasets/sources/folders.h"
#include "engine/core/error.h"

namespace wiregrad::data {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLookedFor = "MNIST-like IDX files, CIFAR-10 binary batches, folders of PNG "
                                   "or JPEG pictures (one a class), x.npy and y.npy, "
                                   "or one .npz, .npy, .h5, .csv or .txt file";

bool separated(std::string_view text) {
    // The first lines of a table hold the same number of separators, at least one.
    for (const char separator : {',', ';', '\t'}) {
        std::int64_t expected = -1;
        int lines = 0;
        std::string_view rest = text;
        while (lines < 5 && !rest.empty()) {
            const std::size_t end = rest.find('\n');
            if (end == std::string_view::npos && lines > 0) break; // perhaps cut off
            const std::string_view line = rest.substr(0, end);
            rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
            const auto count = std::count(line.begin(), line.end(), separator);
            if (expected >= 0 && count != expected) {
                expected = 0;
                break;
            }
            expected = count;
            ++lines;
        }
        if (expected > 0) return true;
    }
    return false;
}

std::string detect_file(const std::string& path) {
    FileBytes file(path);
    std::array<std::byte, 4096> head{};
    const std::size_t got = file.read_some(head);
    if (got == 0) throw FileError("the file is empty", path);
    const std::string_view text(reinterpret_cast<const char*>(head.data()), got);
    const auto byte = [&](std::size_t i) {
        return i < got ? static_cast<unsigned char>(text[i]) : 0u;
    };
    if (text.starts_with("\x89HDF\r\n\x1a\n")) return "hdf5";
    if (text.starts_with("\x93NUMPY")) return "npy";
    if (text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06")) return "npz";
    if (got > 262 && text.substr(257, 5) == "ustar") return "cifar10";
    if (got >= 4 && byte(0) == 0 && byte(1) == 0 && byte(2) >= 8 && byte(2) <= 14 && byte(3) >= 1 &&
        byte(3) <= 4)
        return "idx";
    const std::string extension = lower_extension(path);
    if (extension == ".bin" && byte(0) < 10 && fs::file_size(path) % 3073 == 0) return "cifar10";
    if (is_picture(path))
        throw FileError(
            "this is a single picture; a dataset of pictures is a folder with one folder a class",
            path);
    if (text.find('\0') != std::string_view::npos)
        throw FileError(
            fmt::format("the file is none of the formats that can be opened; looked for {}",
                        kLookedFor),
            path);
    if (extension == ".csv" || extension == ".tsv") return "csv";
    if (extension == ".txt" || extension == ".md") return "text";
    return separated(text) ? "csv" : "text";
}

std::string detect_folder(const std::string& path) {
    const FolderListing listing = list_folder(path);
    const auto any = [](const std::vector<std::string>& names, auto&& test) {
        return std::any_of(names.begin(), names.end(), test);
    };
    if (any(listing.files, [](const std::string& n) { return is_idx_name(n); })) return "idx";
    if (any(listing.files, [](const std::string& n) { return is_cifar_name(n); }) ||
        any(listing.folders, [](const std::string& n) { return n == "cifar-10-batches-bin"; }))
        return "cifar10";
    if (any(listing.files, [](const std::string& n) { return n == "x.npy" || n == "x_train.npy"; }))
        return "npy";
    for (const std::string& folder : listing.folders) {
        const FolderListing inner = list_folder((fs::path(path) / folder).string());
        if (any(inner.files, [](const std::string& n) { return is_picture(n); }))
            return "image-folder";
        for (const std::string& deeper : inner.folders)
            if (any(list_folder((fs::path(path) / folder / deeper).string()).files,
                    [](const std::string& n) { return is_picture(n); }))
                return "image-folder";
    }
    std::string seen;
    int shown = 0;
    for (const auto* names : {&listing.folders, &listing.files})
        for (const std::string& name : *names)
            if (shown++ < 5) seen += (seen.empty() ? "" : ", ") + name;
    if (shown > 5) seen += fmt::format(" and {} more", shown - 5);
    throw FileError(fmt::format("the folder holds no dataset; it holds {}; looked for {}",
                                seen.empty() ? "nothing" : seen, kLookedFor),
                    path);
}

} // namespace

std::string detect(const std::string& path) {
    if (path.empty()) throw FileError("no file or folder was given");
    std::error_code error;
    const auto status = fs::status(path, error);
    if (!fs::exists(status)) throw FileError("there is no such file or folder", path);
    return fs::is_directory(status) ? detect_folder(path) : detect_file(path);
}

} // namespace wiregrad::data

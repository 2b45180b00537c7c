#include "datasets/sources/folders.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "engine/core/error.h"

namespace wiregrad::data {

FolderListing list_folder(const std::string& path) {
    namespace fs = std::filesystem;
    constexpr std::size_t kMost = 1'000'000;
    FolderListing listing;
    std::error_code error;
    fs::directory_iterator at(path, error);
    if (error) throw FileError("the folder cannot be read: " + error.message(), path);
    for (; at != fs::directory_iterator(); at.increment(error)) {
        const std::string name = at->path().filename().string();
        if (name.empty() || name.front() == '.') continue;
        std::error_code ignored;
        (at->is_directory(ignored) ? listing.folders : listing.files).push_back(name);
        if (listing.files.size() + listing.folders.size() > kMost)
            throw FileError("the folder holds more than a million entries", path);
    }
    if (error) throw FileError("the folder cannot be read: " + error.message(), path);
    std::sort(listing.files.begin(), listing.files.end());
    std::sort(listing.folders.begin(), listing.folders.end());
    return listing;
}

std::string lower_extension(const std::string& path) {
    std::string extension = std::filesystem::path(path).extension().string();
    for (char& c : extension)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return extension;
}

bool is_picture(const std::string& name) {
    const std::string extension = lower_extension(name);
    return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

bool is_idx_name(const std::string& name) {
    return name.find("-ubyte") != std::string::npos || name.find("idx1") != std::string::npos ||
           name.find("idx3") != std::string::npos || lower_extension(name) == ".idx";
}

bool is_cifar_name(const std::string& name) {
    return (name.starts_with("data_batch") && name.ends_with(".bin")) || name == "test_batch.bin" ||
           name == "cifar-10-binary.tar.gz";
}

} // namespace wiregrad::data

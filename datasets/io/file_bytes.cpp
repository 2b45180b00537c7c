#include "datasets/io/file_bytes.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>
#include <zlib.h>

#include "engine/core/error.h"

namespace wiregrad::data {

void FileBytes::Close::operator()(void* file) const {
    gzclose(static_cast<gzFile>(file));
}

FileBytes::FileBytes(const std::string& path) : path_(path) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) throw FileError("there is no such file", path);
    if (!std::filesystem::is_regular_file(status))
        throw FileError("this is not a plain file", path);
    const std::uint64_t size = std::filesystem::file_size(path, error);
    errno = 0;
    gzFile file = error ? nullptr : gzopen(path.c_str(), "rb");
    if (!file)
        throw FileError(fmt::format("the file cannot be read: {}",
                                    errno ? std::strerror(errno) : "out of memory"),
                        path);
    file_.reset(file);
    gzbuffer(file, 1 << 17);
    constexpr std::uint64_t kBestRatio = 1032; // of deflate
    most_ = gzdirect(file) ? size : size * kBestRatio;
}

std::size_t FileBytes::read_some(std::span<std::byte> target) {
    auto* file = static_cast<gzFile>(file_.get());
    std::size_t done = 0;
    while (done < target.size()) {
        const auto chunk =
            static_cast<unsigned>(std::min<std::size_t>(target.size() - done, 1u << 30));
        const int got = gzread(file, target.data() + done, chunk);
        int code = Z_OK;
        const char* text = gzerror(file, &code);
        if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
            if (code == Z_BUF_ERROR)
                throw FileError(
                    fmt::format("the compressed file is cut off after {} bytes of content",
                                offset_ + static_cast<std::uint64_t>(std::max(got, 0))),
                    path_);
            throw FileError(fmt::format("the file is damaged near byte {} of its content ({})",
                                        offset_, code == Z_ERRNO ? std::strerror(errno) : text),
                            path_);
        }
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
        offset_ += static_cast<std::uint64_t>(got);
    }
    return done;
}

void FileBytes::read(std::span<std::byte> target, const std::string& what) {
    const std::uint64_t start = offset_;
    const std::size_t got = read_some(target);
    if (got < target.size())
        throw FileError(fmt::format("the file ends at byte {}, but {} takes bytes {} to {}",
                                    offset_, what, start, start + target.size()),
                        path_);
}

std::vector<std::byte> FileBytes::take(std::uint64_t count, const std::string& what) {
    if (offset_ > most_ || count > most_ - offset_)
        throw FileError(
            fmt::format("{} would take {} bytes from byte {} on, but the file holds at most {}",
                        what, count, offset_, most_),
            path_);
    // A compressed file may promise far more than it holds: grow with what really comes.
    constexpr std::uint64_t kChunk = std::uint64_t{64} << 20;
    std::vector<std::byte> bytes;
    while (bytes.size() < count) {
        const std::size_t before = bytes.size();
        bytes.resize(before + static_cast<std::size_t>(std::min(kChunk, count - before)));
        read(std::span(bytes).subspan(before), what);
    }
    return bytes;
}

std::vector<std::byte> FileBytes::take_all(std::uint64_t limit) {
    std::vector<std::byte> bytes;
    while (true) {
        constexpr std::size_t kChunk = std::size_t{1} << 20;
        const std::size_t before = bytes.size();
        bytes.resize(before + kChunk);
        const std::size_t got = read_some(std::span(bytes).subspan(before));
        bytes.resize(before + got);
        if (bytes.size() > limit)
            throw FileError(
                fmt::format("the file is larger than {} bytes, the most that is read here", limit),
                path_);
        if (got < kChunk) return bytes;
    }
}

} // namespace wiregrad::data

// Whole-file reading and writing for everyone who keeps something of the user's: a file is either
// the old one or the new one, never half of either, whatever happens in between.
// Any thread; two writers of the same path take turns (also across processes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wiregrad::io {

/// Replaces `path` by `bytes`: written aside as ".NAME.part" in the same folder, fsync, rename,
/// fsync of the folder. A symbolic link is followed, permissions of an existing file are kept.
/// Throws FileError naming the path and the system's reason (disk full, no permission); the old
/// file is then untouched.
void write_file(const std::string& path, std::span<const std::byte> bytes);
void write_file(const std::string& path, std::string_view text);

/// Several files that belong together: all are written aside before the first is renamed, so that a
/// full disk or an unwritable folder leaves every old file as it was.
struct FileBytes {
    std::string path;
    std::span<const std::byte> bytes;
};
void write_files(std::span<const FileBytes> files);

inline constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};
/// The whole file. Throws FileError when it cannot be read or holds more than `max_bytes`.
std::vector<std::byte> read_file(const std::string& path, std::uint64_t max_bytes = kNoLimit);

} // namespace wiregrad::io

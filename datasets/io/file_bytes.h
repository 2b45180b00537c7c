// Reads a file from front to back, plain or gzip alike, and never believes a length it is told. One
// thread each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace wiregrad::data {

class FileBytes {
  public:
    /// Throws FileError when the file cannot be opened.
    explicit FileBytes(const std::string& path);
    /// Fills `target`; throws FileError saying where the file ends or breaks while reading `what`.
    void read(std::span<std::byte> target, const std::string& what);
    /// Reads up to target.size() bytes; fewer only at the end.
    std::size_t read_some(std::span<std::byte> target);
    /// `count` bytes, after checking that the file can hold that many.
    std::vector<std::byte> take(std::uint64_t count, const std::string& what);
    /// Everything that is left; throws FileError past `limit`.
    std::vector<std::byte> take_all(std::uint64_t limit);
    std::uint64_t offset() const { return offset_; } ///< of the uncompressed content
    /// More bytes than this cannot come: the file's size, or gzip's best ratio times it.
    std::uint64_t most() const { return most_; }
    const std::string& path() const { return path_; }

  private:
    struct Close {
        void operator()(void* file) const;
    };
    std::string path_;
    std::unique_ptr<void, Close> file_;
    std::uint64_t offset_ = 0, most_ = 0;
};

} // namespace wiregrad::data

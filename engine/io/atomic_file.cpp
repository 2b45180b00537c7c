#include "engine/io/atomic_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "engine/core/error.h"

namespace wiregrad::io {
namespace {

class Descriptor {
  public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    ~Descriptor() { reset(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    void reset(int fd = -1) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = fd;
    }

  private:
    int fd_;
};

[[noreturn]] void fail(const std::string& path, std::string_view what, int code) {
    throw FileError(fmt::format("{}: {}", what, std::strerror(code)), path);
}

/// Where a chain of symbolic links ends; `path` itself when it is no link or does not exist.
std::string resolve(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0 || !S_ISLNK(info.st_mode)) return path;
    char* real = ::realpath(path.c_str(), nullptr);
    if (real == nullptr) fail(path, "the link leads nowhere", errno);
    std::string result(real);
    std::free(real);
    return result;
}

struct Split {
    std::string folder, name;
};
Split split(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return {".", path};
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

/// Opens the file written aside and holds it for this writer alone. The lock is what makes a fixed
/// name safe: a killed writer leaves at most one such file, which the next writer takes over.
void open_aside(Descriptor& out, const std::string& aside, const std::string& path) {
    for (;;) {
        out.reset(::open(aside.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644));
        if (!out) fail(path, "cannot write in this folder", errno);
        while (::flock(out.get(), LOCK_EX) != 0) {
            if (errno == EINTR) continue;
            // Some file systems know no locks; saving matters more than two writers taking turns.
            if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)
                return;
            fail(path, "cannot lock the file written aside", errno);
        }
        // Whoever held the lock before may have renamed the file away: then this is not ours to
        // write.
        struct stat mine {
        }, named{};
        if (::fstat(out.get(), &mine) == 0 && ::stat(aside.c_str(), &named) == 0 &&
            mine.st_ino == named.st_ino && mine.st_dev == named.st_dev)
            return;
    }
}

void write_all(int fd, std::span<const std::byte> bytes, const std::string& path) {
    constexpr std::size_t kChunk = std::size_t{1} << 26;
    while (!bytes.empty()) {
        const ssize_t done = ::write(fd, bytes.data(), std::min(bytes.size(), kChunk));
        if (done < 0) {
            if (errno == EINTR) continue;
            fail(path, "cannot be saved", errno);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
}

/// A file written aside and safe on the disk; removed again unless it takes its place.
class Aside {
  public:
    Aside(const std::string& path, std::span<const std::byte> bytes)
        : path_(path), target_(resolve(path)) {
        const auto [folder, name] = split(target_);
        if (name.empty() || name == "." || name == "..")
            throw FileError("is not a file name", path);
        struct stat old {};
        const bool exists = ::stat(target_.c_str(), &old) == 0;
        if (exists && !S_ISREG(old.st_mode))
            throw FileError("is not a regular file, so it is not replaced", path);
        folder_ = folder;
        aside_ = folder + "/." + name + ".part";
        open_aside(out_, aside_, path);
        try {
            if (::ftruncate(out_.get(), 0) != 0) fail(path, "cannot be saved", errno);
            if (exists && ::fchmod(out_.get(), old.st_mode & 07777) != 0)
                fail(path, "cannot be saved with the permissions of the old file", errno);
            write_all(out_.get(), bytes, path);
            if (::fsync(out_.get()) != 0) fail(path, "cannot be saved", errno);
        } catch (...) {
            ::unlink(aside_.c_str());
            throw;
        }
    }
    ~Aside() {
        if (!placed_) ::unlink(aside_.c_str());
    }
    Aside(const Aside&) = delete;
    Aside& operator=(const Aside&) = delete;

    void take_place() {
        if (::rename(aside_.c_str(), target_.c_str()) != 0)
            fail(path_, "cannot be replaced", errno);
        placed_ = true;
        // The rename has happened; the folder's entry reaches the disk with this. Some file systems
        // refuse it.
        const Descriptor directory(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (directory) ::fsync(directory.get());
    }

  private:
    std::string path_, target_, folder_, aside_;
    Descriptor out_;
    bool placed_ = false;
};

} // namespace

void write_files(std::span<const FileBytes> files) {
    std::vector<std::unique_ptr<Aside>> written;
    for (const FileBytes& file : files)
        written.push_back(std::make_unique<Aside>(file.path, file.bytes));
    for (const std::unique_ptr<Aside>& aside : written)
        aside->take_place();
}

void write_file(const std::string& path, std::span<const std::byte> bytes) {
    Aside(path, bytes).take_place();
}

void write_file(const std::string& path, std::string_view text) {
    write_file(path, std::as_bytes(std::span(text.data(), text.size())));
}

std::vector<std::byte> read_file(const std::string& path, std::uint64_t max_bytes) {
    const Descriptor in(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!in) fail(path, "cannot be opened", errno);
    struct stat info {};
    if (::fstat(in.get(), &info) != 0) fail(path, "cannot be read", errno);
    if (S_ISDIR(info.st_mode)) throw FileError("is a folder, not a file", path);
    const auto expected = S_ISREG(info.st_mode) ? static_cast<std::uint64_t>(info.st_size) : 0;
    const auto refuse = [&](std::uint64_t size) {
        throw FileError(
            fmt::format("holds more than the {} bytes allowed ({} so far)", max_bytes, size), path);
    };
    if (expected > max_bytes) refuse(expected);
    std::vector<std::byte> bytes(expected + 1); // one more, so that the end is seen without growing
    std::size_t filled = 0;
    for (;;) {
        if (filled == bytes.size()) bytes.resize(bytes.size() * 2 + 65536);
        const ssize_t got = ::read(in.get(), bytes.data() + filled, bytes.size() - filled);
        if (got < 0) {
            if (errno == EINTR) continue;
            fail(path, "cannot be read", errno);
        }
        if (got == 0) break;
        filled += static_cast<std::size_t>(got);
        if (filled > max_bytes) refuse(filled);
    }
    bytes.resize(filled);
    return bytes;
}

} // namespace wiregrad::io

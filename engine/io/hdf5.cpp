#include "engine/io/hdf5.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <hdf5.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/core/error.h"
#include "engine/io/atomic_file.h"

namespace wiregrad::io {
namespace {

/// Deeper groups than this are not followed (a file may link a group into itself).
constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxEntries = 1'000'000;
/// Groups may hold each other in so many ways that the walk through them would never end.
constexpr std::size_t kMaxGroups = 100'000;
constexpr std::size_t kMaxText = std::size_t{1} << 28;
/// Deflate cannot shrink further than about 1 : 1030. What claims to is a bomb.
constexpr std::uint64_t kMaxRatio = 1100;
constexpr std::uint64_t kFreeBytes = std::uint64_t{1} << 26;

std::mutex& library_mutex() {
    static std::mutex mutex;
    return mutex;
}

/// Holds the library for the scope; its habit of printing errors is per thread.
class Library {
  public:
    Library() : lock_(library_mutex()) { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

  private:
    std::lock_guard<std::mutex> lock_;
};

/// The innermost entry of HDF5's error stack, which is the one that says what happened.
std::string reason() {
    std::string text;
    const auto visit = [](unsigned n, const H5E_error2_t* entry, void* out) -> herr_t {
        if (n == 0 && entry->desc != nullptr) *static_cast<std::string*>(out) = entry->desc;
        return 0;
    };
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, visit, &text);
    H5Eclear2(H5E_DEFAULT);
    return text.empty() ? "unknown reason" : text;
}

[[noreturn]] void fail(const std::string& where, const std::string& what) {
    throw FileError(fmt::format("{} (HDF5: {})", what, reason()), where);
}

/// An identifier of the library with its own way of closing. Closing what was written can fail, so
/// it can be asked.
class Id {
  public:
    using Close = herr_t (*)(hid_t);
    Id() = default;
    Id(hid_t id, Close close) : id_(id), close_(close) {}
    Id(Id&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
    Id& operator=(Id&& other) noexcept {
        std::swap(id_, other.id_);
        std::swap(close_, other.close_);
        return *this;
    }
    ~Id() {
        if (id_ >= 0) close_(id_);
    }
    hid_t get() const { return id_; }
    explicit operator bool() const { return id_ >= 0; }
    bool close() { return close_(std::exchange(id_, -1)) >= 0; }

  private:
    hid_t id_ = -1;
    Close close_ = nullptr;
};

Id checked(hid_t id, Id::Close close, const std::string& where, const char* what) {
    if (id < 0) fail(where, what);
    return {id, close};
}
void check(herr_t code, const std::string& where, const char* what) {
    if (code < 0) fail(where, what);
}

/// A 16-bit float type: sign, exponent, mantissa bits from the top.
hid_t small_float(std::size_t exponent, std::size_t mantissa, std::size_t bias) {
    const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    if (type < 0 || H5Tset_fields(type, 15, mantissa, exponent, 0, mantissa) < 0 ||
        H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, bias) < 0)
        return -1;
    return type;
}

/// What h5py makes of a NumPy bool.
hid_t bool_type() {
    const hid_t type = H5Tenum_create(H5T_STD_I8LE);
    const std::int8_t no = 0, yes = 1;
    if (type < 0 || H5Tenum_insert(type, "FALSE", &no) < 0 ||
        H5Tenum_insert(type, "TRUE", &yes) < 0)
        return -1;
    return type;
}

/// The type in the file and, on our little-endian machines, in memory.
Id type_for(DType dtype, const std::string& where) {
    const auto copy = [&](hid_t type) {
        return checked(H5Tcopy(type), H5Tclose, where, "out of memory");
    };
    switch (dtype) {
    case DType::Bool:
        return checked(bool_type(), H5Tclose, where, "out of memory");
    case DType::UInt8:
        return copy(H5T_STD_U8LE);
    case DType::Int32:
        return copy(H5T_STD_I32LE);
    case DType::Int64:
        return copy(H5T_STD_I64LE);
    case DType::Float16:
        return checked(small_float(5, 10, 15), H5Tclose, where, "out of memory");
    case DType::BFloat16:
        return checked(small_float(8, 7, 127), H5Tclose, where, "out of memory");
    case DType::Float32:
        return copy(H5T_IEEE_F32LE);
    case DType::Float64:
        return copy(H5T_IEEE_F64LE);
    }
    throw DTypeError("an element type that HDF5 does not know", where);
}

/// The tensor type that holds every value of a file type.
std::optional<DType> dtype_of(hid_t type) {
    const std::size_t size = H5Tget_size(type);
    switch (H5Tget_class(type)) {
    case H5T_INTEGER: {
        const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
        if (size == 1) return is_signed ? DType::Int32 : DType::UInt8;
        if (size == 2 || (size == 4 && is_signed)) return DType::Int32;
        if (size == 4 || size == 8) return DType::Int64;
        return std::nullopt;
    }
    case H5T_FLOAT: {
        if (size == 4) return DType::Float32;
        if (size == 8) return DType::Float64;
        std::size_t sign = 0, exponent_at = 0, exponent = 0, mantissa_at = 0, mantissa = 0;
        if (size != 2 ||
            H5Tget_fields(type, &sign, &exponent_at, &exponent, &mantissa_at, &mantissa) < 0)
            return std::nullopt;
        return exponent == 5   ? std::optional(DType::Float16)
               : exponent == 8 ? std::optional(DType::BFloat16)
                               : std::nullopt;
    }
    case H5T_ENUM:
        return size == 1 && H5Tget_nmembers(type) == 2 ? std::optional(DType::Bool) : std::nullopt;
    default:
        return std::nullopt;
    }
}

void check_name(const std::string& name) {
    const auto refuse = [&](const char* why) {
        throw ValueError(fmt::format("a tensor cannot be saved as '{}': {}", name, why));
    };
    if (name.find('\0') != std::string::npos) refuse("the name holds a zero byte");
    std::size_t at = 0;
    for (;;) {
        const auto slash = std::min(name.find('/', at), name.size());
        const auto part = name.substr(at, slash - at);
        if (part.empty() || part == ".") refuse("a part of the name is empty or '.'");
        if (slash == name.size()) return;
        at = slash + 1;
    }
}

void write_text(hid_t object, const std::string& name, const std::string& value,
                const std::string& where) {
    const Id type = checked(H5Tcopy(H5T_C_S1), H5Tclose, where, "out of memory");
    check(H5Tset_size(type.get(), std::max<std::size_t>(value.size(), 1)), where,
          "a text is too long");
    check(H5Tset_strpad(type.get(), H5T_STR_NULLPAD), where, "a text cannot be written");
    check(H5Tset_cset(type.get(), H5T_CSET_UTF8), where, "a text cannot be written");
    const Id space = checked(H5Screate(H5S_SCALAR), H5Sclose, where, "out of memory");
    const Id attribute =
        checked(H5Acreate2(object, name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT),
                H5Aclose, where, "an attribute cannot be written");
    const std::string bytes = value.empty() ? std::string(1, '\0') : value;
    check(H5Awrite(attribute.get(), type.get(), bytes.data()), where,
          "an attribute cannot be written");
}

void write_tensor(hid_t file, hid_t links, const nn::NamedTensor& entry, const std::string& where) {
    const Tensor source = entry.tensor.contiguous();
    std::array<hsize_t, kMaxDims> sizes{};
    std::copy(source.shape().begin(), source.shape().end(), sizes.begin());
    const Id space =
        checked(source.dim() == 0 ? H5Screate(H5S_SCALAR)
                                  : H5Screate_simple(source.dim(), sizes.data(), nullptr),
                H5Sclose, where, "a shape cannot be written");
    const Id type = type_for(source.dtype(), where);
    Id dataset = checked(H5Dcreate2(file, entry.name.c_str(), type.get(), space.get(), links,
                                    H5P_DEFAULT, H5P_DEFAULT),
                         H5Dclose, where, "a tensor cannot be written");
    if (source.numel() > 0)
        check(H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, source.raw()),
              where, "a tensor cannot be written");
    if (!dataset.close()) fail(where, "a tensor cannot be written");
}

/// Bob Jenkins' lookup3 hash, the checksum of HDF5's headers, of whole 4-byte words.
std::uint32_t lookup3(std::span<const std::byte> bytes) {
    using std::rotl;
    const auto word = [&](std::size_t i) {
        std::uint32_t value = 0;
        if (i * 4 < bytes.size()) std::memcpy(&value, bytes.data() + i * 4, 4);
        return value;
    };
    std::uint32_t a = 0xdeadbeefU + static_cast<std::uint32_t>(bytes.size()), b = a, c = a;
    for (; bytes.size() > 12; bytes = bytes.subspan(12)) {
        a += word(0), b += word(1), c += word(2);
        a = (a - c) ^ rotl(c, 4), c += b;
        b = (b - a) ^ rotl(a, 6), a += c;
        c = (c - b) ^ rotl(b, 8), b += a;
        a = (a - c) ^ rotl(c, 16), c += b;
        b = (b - a) ^ rotl(a, 19), a += c;
        c = (c - b) ^ rotl(b, 4), b += a;
    }
    a += word(0), b += word(1), c += word(2);
    c = (c ^ b) - rotl(b, 14);
    a = (a ^ c) - rotl(c, 11);
    b = (b ^ a) - rotl(a, 25);
    c = (c ^ b) - rotl(b, 16);
    a = (a ^ c) - rotl(c, 4);
    b = (b ^ a) - rotl(a, 14);
    return (c ^ b) - rotl(b, 24);
}

/// Behind the end of HDF5's own data, where it does not look, our files carry this and a hash of
/// all that is before. HDF5 1.10 crashes on some damaged files, and it never notices a damaged
/// number.
constexpr std::string_view kSealMark = "WGsealed";
constexpr std::size_t kSealBytes = kSealMark.size() + sizeof(std::uint32_t);

/// H5Fget_file_image marks the copy as closed but leaves the superblock's checksum as it was: the
/// library then refuses its own file. Superblocks of version 2 and 3 have 44 bytes, then the
/// checksum.
void seal(std::vector<std::byte>& image, const std::string& where) {
    constexpr std::size_t kSummed = 44, kVersionAt = 8, kOffsetBytesAt = 9;
    const auto version = image.size() > kSummed + 4 ? std::to_integer<int>(image[kVersionAt]) : 0;
    if (version < 2 || version > 3 || std::to_integer<int>(image[kOffsetBytesAt]) != 8)
        throw FileError("cannot be built in memory: this version of HDF5 writes another superblock",
                        where);
    std::uint32_t sum = lookup3(std::span(image).first(kSummed));
    std::memcpy(image.data() + kSummed, &sum, sizeof(sum));

    image.resize((image.size() + 3) / 4 * 4);
    sum = lookup3(image);
    const auto* mark = reinterpret_cast<const std::byte*>(kSealMark.data());
    const auto* hash = reinterpret_cast<const std::byte*>(&sum);
    image.insert(image.end(), mark, mark + kSealMark.size());
    image.insert(image.end(), hash, hash + sizeof(sum));
}

/// True when the file carries our seal and it is right; other people's files carry none.
bool check_seal(const std::string& path) {
    std::array<char, kSealBytes> end{};
    {
        std::ifstream file(path, std::ios::binary);
        file.seekg(-static_cast<std::streamoff>(kSealBytes), std::ios::end);
        if (!file.read(end.data(), end.size()) ||
            !std::string_view(end.data(), end.size()).starts_with(kSealMark))
            return false;
    }
    const std::vector<std::byte> bytes = read_file(path);
    std::uint32_t sum = 0;
    std::memcpy(&sum, end.data() + kSealMark.size(), sizeof(sum));
    if (bytes.size() % 4 != 0 || lookup3(std::span(bytes).first(bytes.size() - kSealBytes)) != sum)
        throw FileError("is damaged: the checksum of this HDF5 file is wrong", path);
    return true;
}

/// Reads what an object's attributes hold, for nothing but to see whether the library survives it.
void try_attributes(hid_t object) {
    const auto visit = [](hid_t of, const char* name, const H5A_info_t*, void*) -> herr_t {
        const hid_t attribute = H5Aopen(of, name, H5P_DEFAULT);
        const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
        const hssize_t count = H5Sget_simple_extent_npoints(space);
        const std::size_t size = H5Tget_size(type);
        if (count > 0 && size > 0 && static_cast<std::size_t>(count) <= kMaxText / size) {
            void* target = std::calloc(static_cast<std::size_t>(count), size);
            if (target != nullptr) H5Aread(attribute, type, target);
            std::free(target);
        }
        H5Sclose(space);
        H5Tclose(type);
        H5Aclose(attribute);
        return 0;
    };
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, visit, nullptr);
}

/// The same with a dataset's numbers, piece by piece.
void try_dataset(hid_t dataset) {
    constexpr hsize_t kPiece = hsize_t{1} << 26; // bytes read at a time
    const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    const std::size_t size = H5Tget_size(type);
    std::array<hsize_t, H5S_MAX_RANK> dims{}, start{}, count{};
    const int rank = H5Sget_simple_extent_ndims(space);
    if (rank >= 0 && size > 0 && H5Sget_simple_extent_dims(space, dims.data(), nullptr) == rank) {
        count = dims;
        hsize_t row = size; // bytes of one entry of the first dimension
        for (int d = 1; d < rank; ++d)
            row = dims[static_cast<std::size_t>(d)] > 0 && row < kPiece * 1024
                      ? row * dims[static_cast<std::size_t>(d)]
                      : 0;
        const hsize_t rows = rank > 0 ? dims[0] : 1,
                      step = row > 0 ? std::max<hsize_t>(1, kPiece / row) : 0;
        // More than the file can hold is refused by the reader, unread.
        const bool bomb =
            row > 0 && rows > (H5Dget_storage_size(dataset) * kMaxRatio + kFreeBytes) / row;
        for (hsize_t at = 0; step > 0 && !bomb && at < rows; at += step) {
            count[0] = std::min(step, rows - at);
            start[0] = at;
            const hid_t memory =
                rank > 0 ? H5Screate_simple(rank, count.data(), nullptr) : H5Scopy(space);
            if (rank > 0)
                H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(),
                                    nullptr);
            void* target =
                std::calloc(static_cast<std::size_t>(count[0] > 0 && rank > 0 ? count[0] : 1), row);
            const bool read = target != nullptr &&
                              H5Dread(dataset, type, memory, space, H5P_DEFAULT, target) >= 0;
            std::free(target);
            H5Sclose(memory);
            if (!read) break;
        }
    }
    H5Sclose(space);
    H5Tclose(type);
}

/// libhdf5 1.10 can crash on a damaged file. What carries no seal is therefore read once by a child
/// process: what ends the child would have ended this program. In the child runs only what may run
/// after a fork of a program with threads: HDF5, whose lock this thread holds, and malloc.
void try_in_child(const std::string& path) {
    static std::set<std::string> survived; // under the library's lock
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
        return; // opening it says what is wrong
    const std::string key = fmt::format("{}:{}:{}.{}", path, status.st_size, status.st_mtim.tv_sec,
                                        status.st_mtim.tv_nsec);
    const Library library;
    if (survived.contains(key)) return;
    const pid_t child = ::fork();
    if (child < 0)
        throw FileError(
            fmt::format("cannot be checked before it is read: {}", std::strerror(errno)), path);
    if (child == 0) {
        const rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGALRM})
            std::signal(signal, SIG_DFL);
        ::alarm(5 + static_cast<unsigned>(status.st_size >>
                                          24)); // a damaged file may also lead in circles
        const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
        const auto visit = [](hid_t root, const char* name, const H5O_info_t* info,
                              void*) -> herr_t {
            const hid_t object = H5Oopen(root, name, H5P_DEFAULT);
            if (object < 0) return 0;
            try_attributes(object);
            if (info->type == H5O_TYPE_DATASET) try_dataset(object);
            H5Oclose(object);
            return 0;
        };
        if (file >= 0) {
            H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, visit, nullptr, H5O_INFO_BASIC);
            H5Fclose(file);
        }
        ::_exit(0);
    }
    int ended = 0;
    while (::waitpid(child, &ended, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(ended) || WEXITSTATUS(ended) != 0) // a sanitizer's end is no signal
        throw FileError("is damaged: the HDF5 library cannot read it safely", path);
    survived.insert(key);
}

std::vector<std::byte> encode(const Hdf5File& contents, const std::string& where) {
    std::set<std::string_view> names;
    std::size_t total = 0;
    for (const auto& entry : contents.tensors) {
        check_name(entry.name);
        if (!names.insert(entry.name).second)
            throw ValueError(fmt::format("two tensors cannot both be saved as '{}'", entry.name));
        total += entry.tensor.nbytes();
    }

    const Library library;
    const Id access = checked(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, where, "out of memory");
    // No backing store: the image is taken out whole. It grows by a tenth of what is coming, at
    // least a MiB.
    check(H5Pset_fapl_core(access.get(), std::max<std::size_t>(total / 10, std::size_t{1} << 20),
                           false),
          where, "out of memory");
    // Headers of version 1.8 and later carry checksums.
    check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V110), where,
          "out of memory");
    const Id creation = checked(H5Pcreate(H5P_FILE_CREATE), H5Pclose, where, "out of memory");
    const unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
    check(H5Pset_link_creation_order(creation.get(), order), where, "out of memory");
    check(H5Pset_attr_creation_order(creation.get(), order), where, "out of memory");
    // Dense storage from the first attribute on: a compact one may not be longer than 64 KiB.
    check(H5Pset_attr_phase_change(creation.get(), 0, 0), where, "out of memory");
    Id file = checked(H5Fcreate("image", H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose,
                      where, "cannot be built in memory");

    const Id links = checked(H5Pcreate(H5P_LINK_CREATE), H5Pclose, where, "out of memory");
    check(H5Pset_char_encoding(links.get(), H5T_CSET_UTF8), where, "out of memory");
    const Id ordered = checked(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, where, "out of memory");
    check(H5Pset_link_creation_order(ordered.get(), order), where, "out of memory");
    for (const auto& [name, value] : contents.attributes)
        write_text(file.get(), name, value, where);
    std::set<std::string> groups;
    for (const auto& entry : contents.tensors) {
        for (auto slash = entry.name.find('/'); slash != std::string::npos;
             slash = entry.name.find('/', slash + 1)) {
            const std::string group = entry.name.substr(0, slash);
            if (groups.insert(group).second)
                checked(
                    H5Gcreate2(file.get(), group.c_str(), links.get(), ordered.get(), H5P_DEFAULT),
                    H5Gclose, where, "a group cannot be written");
        }
        write_tensor(file.get(), links.get(), entry, where);
    }

    check(H5Fflush(file.get(), H5F_SCOPE_GLOBAL), where, "cannot be built in memory");
    const ssize_t size = H5Fget_file_image(file.get(), nullptr, 0);
    if (size < 0) fail(where, "cannot be built in memory");
    std::vector<std::byte> image(static_cast<std::size_t>(size));
    if (H5Fget_file_image(file.get(), image.data(), image.size()) != size || !file.close())
        fail(where, "cannot be built in memory");
    seal(image, where);
    return image;
}

std::string read_text(hid_t attribute, const std::string& where) {
    const Id type = checked(H5Aget_type(attribute), H5Tclose, where, "an attribute cannot be read");
    if (H5Tget_class(type.get()) != H5T_STRING) return {};
    const Id space =
        checked(H5Aget_space(attribute), H5Sclose, where, "an attribute cannot be read");
    if (H5Sget_simple_extent_npoints(space.get()) != 1) return {};
    if (H5Tis_variable_str(type.get()) > 0) {
        char* text = nullptr;
        const Id memory = checked(H5Tcopy(H5T_C_S1), H5Tclose, where, "out of memory");
        check(H5Tset_size(memory.get(), H5T_VARIABLE), where, "out of memory");
        check(H5Tset_cset(memory.get(), H5Tget_cset(type.get())), where, "out of memory");
        check(H5Aread(attribute, memory.get(), &text), where, "an attribute cannot be read");
        std::string result = text == nullptr ? "" : text;
        H5free_memory(text);
        return result;
    }
    const std::size_t size = H5Tget_size(type.get());
    if (size == 0 || size > kMaxText)
        throw FileError("an attribute has an impossible length", where);
    std::string result(size, '\0');
    check(H5Aread(attribute, type.get(), result.data()), where, "an attribute cannot be read");
    result.erase(std::find(result.begin(), result.end(), '\0'), result.end());
    return result;
}

} // namespace

struct Hdf5Reader::Impl {
    std::string path;
    Id file;
    std::vector<Hdf5Entry> entries;
    Attributes attributes;
    std::size_t groups = 0; ///< walked so far

    explicit Impl(const std::string& from) : path(from) {
        if (!check_seal(path)) try_in_child(path);
        const Library library;
        file = checked(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, path,
                       "is not a readable HDF5 file");
        try {
            read_attributes();
            walk(file.get(), "", 0);
        } catch (...) {
            file = Id(); // while the library is still held
            throw;
        }
    }
    ~Impl() {
        const Library library;
        file = Id();
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void read_attributes() {
        H5O_info_t info{};
        check(H5Oget_info2(file.get(), &info, H5O_INFO_NUM_ATTRS), path,
              "its attributes cannot be read");
        for (hsize_t i = 0; i < std::min<hsize_t>(info.num_attrs, kMaxEntries); ++i) {
            // In the order of writing where it was recorded, else by name.
            hid_t id = H5Aopen_by_idx(file.get(), ".", H5_INDEX_CRT_ORDER, H5_ITER_INC, i,
                                      H5P_DEFAULT, H5P_DEFAULT);
            if (id < 0)
                id = H5Aopen_by_idx(file.get(), ".", H5_INDEX_NAME, H5_ITER_INC, i, H5P_DEFAULT,
                                    H5P_DEFAULT);
            const Id attribute = checked(id, H5Aclose, path, "its attributes cannot be read");
            const ssize_t length = H5Aget_name(attribute.get(), 0, nullptr);
            if (length < 0) fail(path, "its attributes cannot be read");
            std::string name(static_cast<std::size_t>(length), '\0');
            if (H5Aget_name(attribute.get(), name.size() + 1, name.data()) != length)
                fail(path, "its attributes cannot be read");
            const Id type = checked(H5Aget_type(attribute.get()), H5Tclose, path,
                                    "its attributes cannot be read");
            if (H5Tget_class(type.get()) == H5T_STRING)
                attributes.emplace_back(std::move(name), read_text(attribute.get(), path));
        }
    }

    void walk(hid_t group, const std::string& prefix, int depth) {
        if (depth > kMaxDepth)
            throw FileError(fmt::format("has groups nested deeper than {}", kMaxDepth), path);
        if (++groups > kMaxGroups)
            throw FileError(fmt::format("holds more than {} groups", kMaxGroups), path);
        H5G_info_t info{};
        check(H5Gget_info(group, &info), path, "its contents cannot be listed");
        for (hsize_t i = 0; i < info.nlinks; ++i) {
            H5_index_t index = H5_INDEX_CRT_ORDER;
            ssize_t length =
                H5Lget_name_by_idx(group, ".", index, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
            if (length < 0) {
                index = H5_INDEX_NAME;
                length =
                    H5Lget_name_by_idx(group, ".", index, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
            }
            if (length < 0) fail(path, "its contents cannot be listed");
            std::string name(static_cast<std::size_t>(length), '\0');
            if (H5Lget_name_by_idx(group, ".", index, H5_ITER_INC, i, name.data(), name.size() + 1,
                                   H5P_DEFAULT) != length)
                fail(path, "its contents cannot be listed");
            H5L_info_t link{};
            check(H5Lget_info(group, name.c_str(), &link, H5P_DEFAULT), path,
                  "its contents cannot be listed");
            if (link.type !=
                H5L_TYPE_HARD) // a soft or external link may lead anywhere, also out of the file
                continue;
            const Id object = checked(H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose, path,
                                      "an object cannot be opened");
            const H5I_type_t type = H5Iget_type(object.get());
            if (type == H5I_GROUP)
                walk(object.get(), prefix + name + "/", depth + 1);
            else if (type == H5I_DATASET)
                entries.push_back(describe(object.get(), prefix + name));
            if (entries.size() > kMaxEntries)
                throw FileError(fmt::format("holds more than {} datasets", kMaxEntries), path);
        }
    }

    Hdf5Entry describe(hid_t dataset, const std::string& name) const {
        Hdf5Entry entry;
        entry.name = name;
        const Id space =
            checked(H5Dget_space(dataset), H5Sclose, path, "a dataset cannot be opened");
        const Id type = checked(H5Dget_type(dataset), H5Tclose, path, "a dataset cannot be opened");
        const int rank = H5Sget_simple_extent_ndims(space.get());
        const H5S_class_t kind = H5Sget_simple_extent_type(space.get());
        if (rank < 0 || rank > H5S_MAX_RANK || (kind != H5S_SIMPLE && kind != H5S_SCALAR)) {
            entry.unreadable = "it has no shape";
            return entry;
        }
        std::array<hsize_t, H5S_MAX_RANK> sizes{};
        check(H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr) < 0 ? -1 : 0, path,
              "a dataset cannot be opened");
        if (rank > kMaxDims) {
            entry.unreadable =
                fmt::format("it has {} dimensions; at most {} are supported", rank, kMaxDims);
            return entry;
        }
        std::uint64_t bytes = 8, extent = 8;
        bool overflow = false;
        for (int i = 0; i < rank; ++i) {
            const hsize_t size = sizes[static_cast<std::size_t>(i)];
            overflow |= __builtin_mul_overflow(extent, std::max<std::uint64_t>(size, 1), &extent) ||
                        extent > (std::uint64_t{1} << 62);
            bytes *= size;
            if (!overflow) entry.shape.push_back(static_cast<std::int64_t>(size));
        }
        const auto dtype = dtype_of(type.get());
        if (overflow)
            entry.unreadable = "its shape is too large";
        else if (!dtype)
            entry.unreadable = "its elements are no numbers that a tensor can hold";
        else if (bytes > kFreeBytes && bytes / kMaxRatio > H5Dget_storage_size(dataset))
            entry.unreadable = fmt::format("it claims {} elements but stores only {} bytes",
                                           bytes / 8, H5Dget_storage_size(dataset));
        entry.dtype = dtype.value_or(DType::Float32);
        return entry;
    }

    const Hdf5Entry& find(const std::string& name) const {
        const auto entry = std::find_if(entries.begin(), entries.end(),
                                        [&](const Hdf5Entry& e) { return e.name == name; });
        if (entry == entries.end()) throw FileError(fmt::format("has no dataset '{}'", name), path);
        if (!entry->unreadable.empty())
            throw FileError(fmt::format("dataset '{}' cannot be read: {}", name, entry->unreadable),
                            path);
        return *entry;
    }

    Tensor read(const Hdf5Entry& entry, std::int64_t first, std::int64_t count, bool rows) const {
        Shape shape = entry.shape;
        if (rows) {
            if (shape.empty() || first < 0 || count < 0 || first > shape[0] ||
                count > shape[0] - first)
                throw ValueError(fmt::format("rows {} to {} of dataset '{}' {} do not exist", first,
                                             first + count, entry.name, shape.str()),
                                 path);
            shape[0] = count;
        }
        Tensor tensor = Tensor::empty(shape, entry.dtype);
        if (tensor.numel() == 0) return tensor;

        const Library library;
        const std::string what = fmt::format("dataset '{}' cannot be read", entry.name);
        const Id dataset = checked(H5Dopen2(file.get(), entry.name.c_str(), H5P_DEFAULT), H5Dclose,
                                   path, what.c_str());
        Id file_space, memory_space;
        if (rows) {
            std::array<hsize_t, kMaxDims> start{}, size{};
            std::copy(shape.begin(), shape.end(), size.begin());
            start[0] = static_cast<hsize_t>(first);
            file_space = checked(H5Dget_space(dataset.get()), H5Sclose, path, what.c_str());
            check(H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, start.data(), nullptr,
                                      size.data(), nullptr),
                  path, what.c_str());
            memory_space = checked(H5Screate_simple(shape.size(), size.data(), nullptr), H5Sclose,
                                   path, what.c_str());
        }
        const hid_t in_file = rows ? file_space.get() : H5S_ALL;
        const hid_t in_memory = rows ? memory_space.get() : H5S_ALL;
        // An enum only converts to an enum with the same names, so that bools are read as the file
        // has them.
        const Id type = entry.dtype == DType::Bool
                            ? checked(H5Dget_type(dataset.get()), H5Tclose, path, what.c_str())
                            : type_for(entry.dtype, path);
        check(H5Dread(dataset.get(), type.get(), in_memory, in_file, H5P_DEFAULT, tensor.raw_mut()),
              path, what.c_str());
        if (entry.dtype == DType::Bool) {
            auto* bytes = static_cast<std::uint8_t*>(tensor.raw_mut());
            std::transform(bytes, bytes + tensor.numel(), bytes,
                           [](std::uint8_t b) { return static_cast<std::uint8_t>(b != 0); });
        }
        return tensor;
    }
};

Hdf5Reader::Hdf5Reader(const std::string& path) : impl_(std::make_unique<Impl>(path)) {}
Hdf5Reader::~Hdf5Reader() = default;
Hdf5Reader::Hdf5Reader(Hdf5Reader&&) noexcept = default;
Hdf5Reader& Hdf5Reader::operator=(Hdf5Reader&&) noexcept = default;

const std::vector<Hdf5Entry>& Hdf5Reader::entries() const {
    return impl_->entries;
}
const Attributes& Hdf5Reader::attributes() const {
    return impl_->attributes;
}
Tensor Hdf5Reader::read(const std::string& name) const {
    return impl_->read(impl_->find(name), 0, 0, false);
}
Tensor Hdf5Reader::read_rows(const std::string& name, std::int64_t first,
                             std::int64_t count) const {
    return impl_->read(impl_->find(name), first, count, true);
}

std::vector<std::byte> encode_hdf5(const Hdf5File& file) {
    return encode(file, "HDF5 file");
}

void write_hdf5(const std::string& path, const Hdf5File& file) {
    write_file(path, encode(file, path));
}

Hdf5File read_hdf5(const std::string& path) {
    const Hdf5Reader reader(path);
    Hdf5File file;
    file.attributes = reader.attributes();
    for (const Hdf5Entry& entry : reader.entries())
        file.tensors.push_back({entry.name, reader.read(entry.name)});
    return file;
}

} // namespace wiregrad::io

#include "engine/io/npz.h"

#include <fmt/format.h>
#include <zip.h>

#include <memory>
#include <set>

#include "engine/core/error.h"
#include "engine/io/atomic_file.h"
#include "engine/io/npy.h"

namespace wiregrad::io {
namespace {

constexpr zip_int64_t kMostEntries = 100'000;

struct Discard {
    void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct FreeSource {
    void operator()(zip_source_t* source) const { zip_source_free(source); }
};
struct CloseFile {
    void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using Archive = std::unique_ptr<zip_t, Discard>;
using Source = std::unique_ptr<zip_source_t, FreeSource>;

/// An archive in memory; the source outlives it.
struct Opened {
    Source source;
    Archive archive;
};

Opened open_memory(const void* bytes, std::size_t size, int flags, const std::string& where) {
    zip_error_t error;
    zip_error_init(&error);
    Opened opened;
    opened.source.reset(zip_source_buffer_create(bytes, size, 0, &error));
    if (opened.source) {
        zip_source_keep(opened.source.get()); // one hold for us, one for the archive
        opened.archive.reset(zip_open_from_source(opened.source.get(), flags, &error));
        if (!opened.archive) zip_source_free(opened.source.get());
    }
    const std::string text = zip_error_strerror(&error);
    zip_error_fini(&error);
    if (!opened.archive) throw FileError(fmt::format("no .npz archive ({})", text), where);
    return opened;
}

std::vector<std::byte> member(zip_t* archive, zip_uint64_t index, std::uint64_t size,
                              const std::string& where) {
    const std::unique_ptr<zip_file_t, CloseFile> file(zip_fopen_index(archive, index, 0));
    if (!file) throw FileError(fmt::format("cannot be read ({})", zip_strerror(archive)), where);
    // The size is a claim of the archive: grow as the bytes come.
    constexpr std::size_t kChunk = std::size_t{1} << 24;
    std::vector<std::byte> bytes;
    for (;;) {
        const std::size_t before = bytes.size();
        bytes.resize(before + std::min<std::uint64_t>(kChunk, size + 1 - before));
        const zip_int64_t got = zip_fread(file.get(), bytes.data() + before, bytes.size() - before);
        if (got < 0)
            throw FileError(fmt::format("is damaged ({})", zip_file_strerror(file.get())), where);
        bytes.resize(before + static_cast<std::size_t>(got));
        if (got == 0) break;
        if (bytes.size() > size) throw FileError("is longer than the archive says", where);
    }
    return bytes;
}

} // namespace

std::vector<std::byte> encode_npz(const std::vector<nn::NamedTensor>& tensors, bool compress) {
    std::set<std::string> names;
    std::vector<std::vector<std::byte>> members;
    for (const auto& [name, tensor] : tensors) {
        if (name.empty() || !names.insert(name).second)
            throw ValueError(fmt::format("an .npz file cannot hold the name \"{}\" {}", name,
                                         name.empty() ? "" : "twice"));
        members.push_back(encode_npy(tensor));
    }
    Opened opened = open_memory(nullptr, 0, ZIP_CREATE | ZIP_TRUNCATE, ".npz");
    const auto refuse = [&] {
        throw FileError(fmt::format("cannot be made ({})", zip_strerror(opened.archive.get())),
                        ".npz");
    };
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        zip_source_t* source =
            zip_source_buffer(opened.archive.get(), members[i].data(), members[i].size(), 0);
        if (!source) refuse();
        const zip_int64_t index = zip_file_add(
            opened.archive.get(), (tensors[i].name + ".npy").c_str(), source, ZIP_FL_ENC_UTF_8);
        if (index < 0) {
            zip_source_free(source);
            refuse();
        }
        const auto place = static_cast<zip_uint64_t>(index);
        zip_set_file_compression(opened.archive.get(), place,
                                 compress ? ZIP_CM_DEFLATE : ZIP_CM_STORE, compress ? 1 : 0);
        // The same tensors give the same bytes, whenever they are written (1980-01-01).
        zip_file_set_dostime(opened.archive.get(), place, 0, 0x21, 0);
    }
    zip_t* archive = opened.archive.release();
    if (zip_close(archive) != 0) {
        opened.archive.reset(archive);
        refuse();
    }
    std::vector<std::byte> bytes;
    if (zip_source_open(opened.source.get()) != 0) throw FileError("cannot be made", ".npz");
    zip_source_seek(opened.source.get(), 0, SEEK_END);
    bytes.resize(static_cast<std::size_t>(zip_source_tell(opened.source.get())));
    zip_source_seek(opened.source.get(), 0, SEEK_SET);
    const zip_int64_t got = zip_source_read(opened.source.get(), bytes.data(), bytes.size());
    zip_source_close(opened.source.get());
    if (got != static_cast<zip_int64_t>(bytes.size())) throw FileError("cannot be made", ".npz");
    return bytes;
}

void write_npz(const std::string& path, const std::vector<nn::NamedTensor>& tensors,
               bool compress) {
    write_file(path, encode_npz(tensors, compress));
}

std::vector<nn::NamedTensor> parse_npz(std::span<const std::byte> bytes, const std::string& where,
                                       std::uint64_t max_bytes) {
    const Opened opened = open_memory(bytes.data(), bytes.size(), ZIP_RDONLY, where);
    const zip_int64_t count = zip_get_num_entries(opened.archive.get(), 0);
    if (count > kMostEntries)
        throw FileError(fmt::format("the archive lists {} entries", count), where);
    std::vector<nn::NamedTensor> result;
    std::set<std::string> names;
    std::uint64_t total = 0;
    for (zip_int64_t i = 0; i < count; ++i) {
        zip_stat_t info;
        zip_stat_init(&info);
        if (zip_stat_index(opened.archive.get(), static_cast<zip_uint64_t>(i), 0, &info) != 0 ||
            !(info.valid & ZIP_STAT_NAME) || !(info.valid & ZIP_STAT_SIZE))
            throw FileError("the archive's directory is damaged", where);
        std::string name = info.name;
        const std::string place = where + "[" + name.substr(0, 100) + "]";
        if (!name.ends_with(".npy")) throw FileError("is no .npy array", place);
        name.resize(name.size() - 4);
        if (name.empty() || !names.insert(name).second)
            throw FileError("stands there twice", place);
        total += info.size;
        if (info.size > max_bytes || total > max_bytes)
            throw FileError(fmt::format("more than {} bytes unpacked", max_bytes), place);
        const std::vector<std::byte> unpacked =
            member(opened.archive.get(), static_cast<zip_uint64_t>(i), info.size, place);
        result.push_back({name, parse_npy(unpacked, place)});
    }
    return result;
}

std::vector<nn::NamedTensor> read_npz(const std::string& path) {
    return parse_npz(read_file(path), path);
}

} // namespace wiregrad::io

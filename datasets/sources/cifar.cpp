// CIFAR-10's binary version: records of one label byte and 3 x 32 x 32 colour bytes, in five
// training batches and one test batch; a folder, one batch, or the archive as it is downloaded.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>

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

constexpr std::size_t kPixels = 3 * 32 * 32, kRecord = kPixels + 1;
constexpr std::uint64_t kLargest = std::uint64_t{4} << 30;

struct Records {
    std::vector<std::uint8_t> pixels, labels;
    void add(std::span<const std::byte> content, const std::string& where) {
        if (content.empty() || content.size() % kRecord != 0)
            throw FileError(fmt::format("a CIFAR-10 batch is a row of records of {} bytes; {} "
                                        "bytes are {} records and {} "
                                        "bytes over",
                                        kRecord, content.size(), content.size() / kRecord,
                                        content.size() % kRecord),
                            where);
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(content.data());
        for (std::size_t at = 0; at < content.size(); at += kRecord) {
            if (bytes[at] > 9)
                throw DataError(fmt::format("record {} has the label {}, allowed are 0 to 9",
                                            at / kRecord, bytes[at]),
                                where);
            labels.push_back(bytes[at]);
            pixels.insert(pixels.end(), bytes + at + 1, bytes + at + kRecord);
        }
    }
    DatasetPtr dataset(const DatasetSpec& spec) const {
        const auto count = static_cast<std::int64_t>(labels.size());
        return labels.empty() ? nullptr
                              : memory_dataset(describe_cifar10(spec),
                                               {Column::of<std::uint8_t>(pixels),
                                                Column::of<std::uint8_t>(labels)},
                                               count, spec.path);
    }
};

struct Batches {
    Records train, test;
    Records& of(const std::string& name) {
        return fs::path(name).filename() == "test_batch.bin" ? test : train;
    }
};

/// The parts of a tar header that are needed; throws FileError where it is damaged.
struct TarEntry {
    std::string name;
    std::uint64_t size = 0;
    bool end = false, plain = false;
};

std::uint64_t octal(std::span<const char> text, const std::string& where) {
    std::uint64_t value = 0;
    const char* begin = text.data();
    const char* end = begin + text.size();
    while (begin != end && *begin == ' ')
        ++begin;
    const auto [stop, error] = std::from_chars(begin, end, value, 8);
    if (error != std::errc() || (stop != end && *stop != ' ' && *stop != '\0'))
        throw FileError("the archive is damaged: a size in it is no number", where);
    return value;
}

TarEntry parse_tar_header(std::span<const std::byte, 512> header, const std::string& where) {
    const auto* text = reinterpret_cast<const char*>(header.data());
    if (std::all_of(header.begin(), header.end(), [](std::byte b) { return b == std::byte{0}; }))
        return {.name = {}, .size = 0, .end = true};
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < header.size(); ++i)
        sum += i >= 148 && i < 156 ? 32u : static_cast<std::uint8_t>(header[i]);
    if (sum != octal({text + 148, 8}, where))
        throw FileError("the archive is damaged: the checksum of an entry is wrong", where);
    const char type = text[156];
    return {.name = std::string(text, strnlen(text, 100)),
            .size = octal({text + 124, 12}, where),
            .end = false,
            .plain = type == '0' || type == '\0'};
}

void read_archive(const std::string& path, Batches& batches, const Opening& opening) {
    FileBytes file(path);
    constexpr std::uint64_t kLargestEntry = std::uint64_t{256} << 20;
    while (true) {
        std::array<std::byte, 512> header{};
        const std::size_t got = file.read_some(header);
        if (got == 0) break;
        if (got < header.size())
            throw FileError(fmt::format("the archive is cut off at byte {}", file.offset()), path);
        const TarEntry entry = parse_tar_header(header, path);
        if (entry.end) break;
        if (entry.size > kLargestEntry)
            throw FileError(
                fmt::format("the archive's entry {} is {} bytes large, CIFAR-10's are 31 million",
                            entry.name, entry.size),
                path);
        const std::vector<std::byte> content =
            file.take((entry.size + 511) / 512 * 512, entry.name);
        if (entry.plain && entry.name.ends_with(".bin"))
            batches.of(entry.name)
                .add(std::span(content).first(static_cast<std::size_t>(entry.size)),
                     path + ":" + entry.name);
        opening.report(
            "Unpacking pictures",
            static_cast<double>(std::min(batches.train.labels.size(), std::size_t{60000})) / 60000);
    }
}

} // namespace

std::vector<Field> describe_cifar10(const DatasetSpec&) {
    return {{.name = "x", .shape = {3, 32, 32}, .kind = FieldKind::Image},
            label_field(10, {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog",
                             "horse", "ship", "truck"})};
}

Parts open_cifar10(const Opening& opening) {
    const DatasetSpec& spec = opening.spec;
    Batches batches;
    if (fs::is_directory(spec.path)) {
        fs::path folder = spec.path;
        FolderListing listing = list_folder(spec.path);
        if (std::count(listing.folders.begin(), listing.folders.end(), "cifar-10-batches-bin")) {
            folder /= "cifar-10-batches-bin";
            listing = list_folder(folder.string());
        }
        const bool unpacked =
            std::any_of(listing.files.begin(), listing.files.end(), [](const std::string& n) {
                return is_cifar_name(n) && n.ends_with(".bin");
            });
        for (const std::string& name : listing.files) {
            const std::string path = (folder / name).string();
            if (!is_cifar_name(name)) continue;
            opening.report("Reading pictures",
                           static_cast<double>(batches.train.labels.size()) / 60000);
            if (name.ends_with(".bin"))
                batches.of(name).add(FileBytes(path).take_all(kLargest), path);
            else if (!unpacked)
                read_archive(path, batches, opening);
        }
    } else {
        FileBytes file(spec.path);
        std::array<std::byte, 512> head{};
        const bool tar =
            file.read_some(head) == head.size() && std::memcmp(head.data() + 257, "ustar", 5) == 0;
        if (tar)
            read_archive(spec.path, batches, opening);
        else
            batches.train.add(FileBytes(spec.path).take_all(kLargest), spec.path);
    }
    Parts parts{.main = batches.train.dataset(spec), .test = batches.test.dataset(spec)};
    if (!parts.main) std::swap(parts.main, parts.test);
    if (!parts.main)
        throw FileError("there are no CIFAR-10 batches; looked for data_batch_1.bin to "
                        "data_batch_5.bin and test_batch.bin",
                        spec.path);
    return parts;
}

} // namespace wiregrad::data

#include "engine/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "engine/io/atomic_file.h"

namespace wiregrad::io {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kMaxHeader = 100'000'000; // the limit of the format's own reader
constexpr int kMaxDepth = 4;                    // file, tensor, list, number

struct TypeName {
    DType dtype;
    std::string_view name;
};
constexpr TypeName kTypes[] = {{DType::Bool, "BOOL"},   {DType::UInt8, "U8"},
                               {DType::Int32, "I32"},   {DType::Int64, "I64"},
                               {DType::Float16, "F16"}, {DType::BFloat16, "BF16"},
                               {DType::Float32, "F32"}, {DType::Float64, "F64"}};

[[noreturn]] void fail(const std::string& where, const std::string& text) {
    throw FileError(text, where);
}

json parse_header(std::string_view text, const std::string& where) {
    // Depth is limited while parsing, so that a header of brackets cannot take gigabytes.
    const auto shallow = [&](int depth, json::parse_event_t, json&) {
        if (depth > kMaxDepth) fail(where, "has a safetensors header that is nested too deeply");
        return true;
    };
    json header = json::parse(text.begin(), text.end(), shallow, false);
    if (header.is_discarded() || !header.is_object())
        fail(where, "has a safetensors header that is not a JSON object");
    return header;
}

std::uint64_t natural(const json& value, const std::string& where, const std::string& what) {
    if (!value.is_number_unsigned()) fail(where, fmt::format("{} is not a whole number", what));
    return value.get<std::uint64_t>();
}

struct Entry {
    std::string name;
    DType dtype = DType::Float32;
    Shape shape;
    std::uint64_t begin = 0, end = 0;
};

Entry parse_entry(const std::string& name, const json& value, std::uint64_t available,
                  const std::string& where) {
    Entry entry;
    entry.name = name;
    const std::string what = fmt::format("tensor '{}'", name);
    if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") ||
        !value.contains("data_offsets"))
        fail(where, what + " has no dtype, shape or data_offsets");
    const auto& dtype = value["dtype"];
    const auto type = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeName& t) {
        return dtype.is_string() && dtype.get_ref<const std::string&>() == t.name;
    });
    if (type == std::end(kTypes))
        fail(where, fmt::format("{} has the unknown dtype {}", what,
                                dtype.dump(-1, ' ', true, json::error_handler_t::replace)));
    entry.dtype = type->dtype;

    const auto& shape = value["shape"];
    if (!shape.is_array()) fail(where, what + " has a shape that is not a list");
    if (shape.size() > static_cast<std::size_t>(kMaxDims))
        fail(where, fmt::format("{} has {} dimensions; at most {} are supported", what,
                                shape.size(), kMaxDims));
    std::uint64_t bytes = size_of(entry.dtype);
    std::uint64_t extent = bytes; // counts sizes of 0 as 1: beside them nothing may overflow either
    for (const auto& size : shape) {
        const std::uint64_t n = natural(size, where, what + ": a size");
        if (__builtin_mul_overflow(extent, std::max<std::uint64_t>(n, 1), &extent) ||
            extent > (std::uint64_t{1} << 62))
            fail(where, what + " has a shape that is too large");
        bytes *= n;
        entry.shape.push_back(static_cast<std::int64_t>(n));
    }

    const auto& offsets = value["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2)
        fail(where, what + " has data_offsets that are not a pair");
    entry.begin = natural(offsets[0], where, what + ": an offset");
    entry.end = natural(offsets[1], where, what + ": an offset");
    if (entry.begin > entry.end || entry.end > available)
        fail(where, fmt::format("{} lies at bytes {} to {}, but there are {} bytes of data", what,
                                entry.begin, entry.end, available));
    if (entry.end - entry.begin != bytes)
        fail(where,
             fmt::format("{} {}{} needs {} bytes, its offsets hold {}", what, name_of(entry.dtype),
                         entry.shape.str(), bytes, entry.end - entry.begin));
    return entry;
}

} // namespace

SafeTensors parse_safetensors(std::span<const std::byte> bytes, const std::string& where) {
    std::uint64_t length = 0;
    if (bytes.size() < sizeof(length)) fail(where, "is too short to be a safetensors file");
    std::memcpy(&length, bytes.data(), sizeof(length));
    if (length > kMaxHeader || length > bytes.size() - sizeof(length))
        fail(where,
             fmt::format("is truncated or no safetensors file: it claims a header of {} bytes",
                         length));
    const auto data = bytes.subspan(sizeof(length) + length);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof(length),
                                length);
    const json header = parse_header(text, where);

    SafeTensors file;
    std::vector<Entry> entries;
    for (const auto& [name, value] : header.items()) {
        if (name == "__metadata__") {
            if (!value.is_object()) fail(where, "has metadata that is not an object");
            for (const auto& [key, item] : value.items()) {
                if (!item.is_string())
                    fail(where, fmt::format("has metadata '{}' that is not a string", key));
                file.metadata.emplace_back(key, item.get<std::string>());
            }
            continue;
        }
        entries.push_back(parse_entry(name, value, data.size(), where));
    }
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    std::uint64_t at = 0;
    for (const Entry& entry : entries) {
        if (entry.begin != at)
            fail(where,
                 fmt::format("tensor '{}' begins at byte {} of the data where {} was expected",
                             entry.name, entry.begin, at));
        at = entry.end;
    }
    if (at != data.size())
        fail(where,
             fmt::format("holds {} bytes of data, its tensors account for {}", data.size(), at));

    for (const Entry& entry : entries) {
        Tensor tensor = Tensor::empty(entry.shape, entry.dtype);
        const auto source = data.subspan(entry.begin, entry.end - entry.begin);
        if (entry.dtype == DType::Bool) {
            auto* out = static_cast<std::uint8_t*>(source.empty() ? nullptr : tensor.raw_mut());
            for (std::size_t i = 0; i < source.size(); ++i)
                out[i] = source[i] != std::byte{0};
        } else if (!source.empty()) {
            std::memcpy(tensor.raw_mut(), source.data(), source.size());
        }
        file.tensors.push_back({entry.name, std::move(tensor)});
    }
    return file;
}

SafeTensors read_safetensors(const std::string& path) {
    return parse_safetensors(read_file(path), path);
}

std::vector<std::byte> encode_safetensors(const SafeTensors& file) {
    ordered_json header = ordered_json::object();
    if (!file.metadata.empty()) {
        auto& metadata = header["__metadata__"] = ordered_json::object();
        for (const auto& [key, value] : file.metadata)
            metadata[key] = value;
    }
    // Larger elements first: then every tensor is aligned to its element.
    std::vector<const nn::NamedTensor*> order;
    std::set<std::string_view> names{"__metadata__"};
    for (const auto& entry : file.tensors) {
        if (!names.insert(entry.name).second)
            throw ValueError(fmt::format("two tensors cannot both be named '{}'", entry.name));
        order.push_back(&entry);
    }
    std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
        return size_of(a->tensor.dtype()) > size_of(b->tensor.dtype());
    });
    std::uint64_t at = 0;
    for (const auto* entry : order) {
        const auto type =
            std::find_if(std::begin(kTypes), std::end(kTypes),
                         [&](const TypeName& t) { return t.dtype == entry->tensor.dtype(); });
        const std::uint64_t end = at + entry->tensor.nbytes();
        header[entry->name] = {{"dtype", type->name},
                               {"shape", std::vector<std::int64_t>(entry->tensor.shape().begin(),
                                                                   entry->tensor.shape().end())},
                               {"data_offsets", {at, end}}};
        at = end;
    }
    std::string text = header.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    text.append((8 - text.size() % 8) % 8, ' ');

    std::vector<std::byte> bytes(sizeof(std::uint64_t) + text.size() + at);
    const std::uint64_t length = text.size();
    std::memcpy(bytes.data(), &length, sizeof(length));
    std::memcpy(bytes.data() + sizeof(length), text.data(), text.size());
    std::byte* out = bytes.data() + sizeof(length) + text.size();
    for (const auto* entry : order) {
        const Tensor source = entry->tensor.contiguous();
        if (source.numel() > 0) std::memcpy(out, source.raw(), source.nbytes());
        out += source.nbytes();
    }
    return bytes;
}

void write_safetensors(const std::string& path, const SafeTensors& file) {
    write_file(path, encode_safetensors(file));
}

} // namespace wiregrad::io

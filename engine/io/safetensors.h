// The safetensors format: an 8-byte length, a JSON header, raw little-endian data. Reads and writes
// whole files. Hostile headers are refused before anything is allocated. Any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/nn/module.h"

namespace wiregrad::io {

struct SafeTensors {
    std::vector<nn::NamedTensor> tensors; ///< in the order of their data
    std::vector<std::pair<std::string, std::string>> metadata;
};

/// Throws FileError: truncated, header no JSON, unknown dtype, offsets that overlap, leave holes or
/// do not fit the shape.
SafeTensors parse_safetensors(std::span<const std::byte> bytes, const std::string& where);
SafeTensors read_safetensors(const std::string& path);

std::vector<std::byte> encode_safetensors(const SafeTensors& file);
/// Written aside and renamed (atomic_file.h).
void write_safetensors(const std::string& path, const SafeTensors& file);

} // namespace wiregrad::io

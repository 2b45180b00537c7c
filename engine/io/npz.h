// NumPy's .npz: .npy members in a zip archive, through libzip. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/nn/module.h"

namespace wiregrad::io {

/// The archive as bytes. `compress`: deflate, for data that shrinks; weights hardly do.
std::vector<std::byte> encode_npz(const std::vector<nn::NamedTensor>& tensors,
                                  bool compress = false);
/// Written aside and renamed (atomic_file.h).
void write_npz(const std::string& path, const std::vector<nn::NamedTensor>& tensors,
               bool compress = false);
/// All members, in the archive's order. Throws FileError: no archive, a member that is no .npy, a
/// doubled name, more than `max_bytes` when unpacked.
std::vector<nn::NamedTensor> parse_npz(std::span<const std::byte> bytes, const std::string& where,
                                       std::uint64_t max_bytes = std::uint64_t{1} << 36);
std::vector<nn::NamedTensor> read_npz(const std::string& path);

} // namespace wiregrad::io

// NumPy's .npy format, versions 1 to 3: one array a file, or a member of an .npz archive in memory.
// Hostile headers are refused before anything is allocated. Any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "engine/core/tensor.h"

namespace wiregrad::io {

/// What a header says; `data_offset` is where the elements begin.
struct NpyHeader {
    Shape shape;
    DType dtype = DType::Float32; ///< of the tensor that is made: int8, int16, uint16 widen to
                                  ///< int32, uint32 and uint64 to int64
    std::string descr;            ///< as written: "<f4"
    bool fortran_order = false;
    std::size_t data_offset = 0;
};

/// Reads the header only and checks that all its elements are there. `where` names the file in
/// errors. Throws FileError: no .npy, truncated, object or structured arrays, more than kMaxDims
/// dimensions.
NpyHeader parse_npy_header(std::span<const std::byte> bytes, const std::string& where);
/// A contiguous CPU tensor; either byte order and memory order is converted.
Tensor parse_npy(std::span<const std::byte> bytes, const std::string& where);
Tensor read_npy(const std::string& path);

/// The file as bytes. NumPy knows no bfloat16: it is written as float32, which is exact.
std::vector<std::byte> encode_npy(const Tensor& tensor);
/// Written aside and renamed (atomic_file.h).
void write_npy(const std::string& path, const Tensor& tensor);

} // namespace wiregrad::io

// HDF5: writes a set of named tensors and text attributes as one whole file, reads such files and
// other people's. hdf5.cpp is the only file that sees the vendor's header. The library has one
// global lock, and so have these: any thread may call, one at a time runs.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/nn/module.h"

namespace wiregrad::io {

using Attributes = std::vector<std::pair<std::string, std::string>>;

/// Names may hold '/', which makes groups. Order is kept within a group.
struct Hdf5File {
    std::vector<nn::NamedTensor> tensors;
    Attributes attributes; ///< of the file; UTF-8, any length
};

/// The file as bytes, built in memory, with a checksum of everything behind its end that the reader
/// verifies. Throws ValueError on an empty, doubled or unusable name.
std::vector<std::byte> encode_hdf5(const Hdf5File& file);
/// encode_hdf5, then written aside and renamed (atomic_file.h): HDF5 never touches the disk.
void write_hdf5(const std::string& path, const Hdf5File& file);
/// Everything at once. Throws FileError also when a dataset has elements that no tensor can hold.
Hdf5File read_hdf5(const std::string& path);

/// What a dataset of a file is, without reading it.
struct Hdf5Entry {
    std::string name; ///< "group/images"
    Shape shape;
    DType dtype = DType::Float32; ///< of the tensor it becomes; small integers widen as in npy.h
    std::string unreadable;       ///< why it cannot become a tensor; empty when it can
};

/// An open file, for datasets that are larger than memory.
class Hdf5Reader {
  public:
    explicit Hdf5Reader(const std::string& path); ///< throws FileError: no HDF5, truncated, broken
    ~Hdf5Reader();
    Hdf5Reader(Hdf5Reader&&) noexcept;
    Hdf5Reader& operator=(Hdf5Reader&&) noexcept;

    const std::vector<Hdf5Entry>& entries() const; ///< all datasets, groups depth first
    const Attributes& attributes() const;          ///< of the root, text ones only
    Tensor read(const std::string& name) const;
    /// Rows [first, first + count) of the first dimension.
    Tensor read_rows(const std::string& name, std::int64_t first, std::int64_t count) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace wiregrad::io

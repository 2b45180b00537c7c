// What a tensor handle points to, and the storage that views share.
// For op/, autograd/ and backends; everyone else uses tensor.h. Same threading rules as Tensor.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "engine/core/tensor.h"

namespace wiregrad {

class Storage {
  public:
    Storage(std::size_t bytes, Device device); ///< from the pool; throws OutOfMemory
    Storage(void* data, std::size_t bytes, std::shared_ptr<void> keep_alive);
    ~Storage();
    Storage(const Storage&) = delete;
    Storage& operator=(const Storage&) = delete;

    std::byte* data() const { return data_; }
    /// Lets all views of borrowed memory look at other memory of the same size (inputs of a
    /// program).
    void rebind(void* data) { data_ = static_cast<std::byte*>(data); }
    std::size_t bytes() const { return bytes_; }
    Device device() const { return device_; }
    std::uint32_t version() const { return version_.load(std::memory_order_relaxed); }
    void raise_version() { version_.fetch_add(1, std::memory_order_relaxed); }

  private:
    std::byte* data_;
    std::size_t bytes_;
    Device device_;
    std::atomic<std::uint32_t> version_{0};
    bool owned_;
    std::shared_ptr<void> keep_alive_;
};

struct TensorBody {
    TensorBody();
    TensorBody(const TensorBody& other); ///< same geometry and storage, no autograd history
    ~TensorBody();
    TensorBody& operator=(const TensorBody&) = delete;

    Shape shape;
    Strides strides;
    std::int64_t numel = 0;
    std::int64_t offset = 0; ///< of the first element, in elements
    DType dtype = DType::Float32;
    Device device{};
    bool contiguous = true;
    std::uint64_t traced = 0; ///< which value of which trace this shape-only tensor stands for
    std::shared_ptr<Storage> storage;          ///< null for a shape-only tensor
    std::shared_ptr<autograd::Meta> grad_meta; ///< null: no gradient wanted

    const std::byte* data() const {
        return storage->data() + offset * static_cast<std::int64_t>(size_of(dtype));
    }
    std::byte* data() {
        return storage->data() + offset * static_cast<std::int64_t>(size_of(dtype));
    }
};

/// Whether tensors are made without data on this thread (class ShapeOnly of engine/op/op.h sets
/// it).
bool shape_only_active();
/// Returns the previous value.
bool set_shape_only(bool value);

/// A tensor without storage, whatever the thread's mode.
Tensor shape_only_tensor(const Shape& shape, DType dtype, Device device);

} // namespace wiregrad

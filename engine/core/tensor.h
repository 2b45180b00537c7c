// The tensor: a one-pointer handle to a shared body (shape, strides, dtype, device, storage).
// Views share storage and its version counter. Copying a handle is cheap and shares the body.
// A handle may be read from several threads; writing needs outside synchronisation.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/core/device.h"
#include "engine/core/dtype.h"
#include "engine/core/shape.h"

namespace wiregrad {

/// Bytes on one device, from the caching pool of engine/core/memory.h, with a version that each
/// write raises.
class Storage;
struct TensorBody; // engine/core/tensor_body.h: for op/, autograd/ and backends
namespace autograd {
struct Meta;
}

class Tensor {
  public:
    Tensor() = default; ///< undefined: "no tensor here"

    /// Uninitialised (NaN-filled in debug builds). Under the shape-only interpreter: no storage.
    static Tensor empty(const Shape& shape, DType dtype = DType::Float32, Device device = {});
    static Tensor zeros(const Shape& shape, DType dtype = DType::Float32, Device device = {});
    static Tensor full(const Shape& shape, double value, DType dtype = DType::Float32,
                       Device device = {});
    static Tensor scalar(double value, DType dtype = DType::Float32); ///< 0-dim
    /// Copies values; throws ShapeError when their number is not numel(shape).
    template <class T> static Tensor from(std::span<const T> values, const Shape& shape) {
        return from_bytes(values.data(), values.size(), shape, kDTypeOf<T>);
    }
    template <class T> static Tensor from(const std::vector<T>& values, const Shape& shape) {
        return from(std::span<const T>(values), shape);
    }
    /// A view of memory that somebody else owns; `keep_alive` is held as long as the storage lives.
    static Tensor wrap(void* data, const Shape& shape, DType dtype,
                       std::shared_ptr<void> keep_alive);

    bool defined() const { return body_ != nullptr; }
    explicit operator bool() const { return defined(); }
    bool same_body(const Tensor& other) const { return body_ == other.body_; }

    const Shape& shape() const;
    const Strides& strides() const; ///< in elements
    int dim() const;
    std::int64_t size(std::int64_t dim) const; ///< negative counts from the end
    std::int64_t numel() const;
    DType dtype() const;
    Device device() const;
    bool is_contiguous() const;
    bool has_data() const; ///< false for a shape-only tensor
    std::size_t nbytes() const { return static_cast<std::size_t>(numel()) * size_of(dtype()); }

    /// Typed access to the first element; throws DTypeError on a wrong T, DeviceError off the CPU.
    /// data_mut raises the storage's version.
    template <class T> const T* data() const {
        return static_cast<const T*>(raw_data(kDTypeOf<T>));
    }
    template <class T> T* data_mut() { return static_cast<T*>(raw_data_mut(kDTypeOf<T>)); }
    const void* raw() const;
    void* raw_mut();
    std::uint32_t version() const;

    /// The only element as a double (bool and integers convert); throws ShapeError when numel()
    /// != 1.
    double item() const;
    /// All elements, converted, in row-major order (works for any strides and any dtype).
    std::vector<double> to_vector() const;
    /// Overwrites in place from `source` (same shape; dtype converted; across devices).
    void copy_(const Tensor& source);
    void fill_(double value);
    void zero_() { fill_(0); }
    Tensor clone() const;      ///< contiguous copy, outside autograd
    Tensor contiguous() const; ///< itself when contiguous, else clone(), outside autograd
    /// Same storage, other geometry; throws ShapeError when it would reach outside the storage.
    Tensor as_strided(const Shape& shape, const Strides& strides,
                      std::int64_t offset_elements) const;
    std::int64_t storage_offset() const;

    // --- autograd (engine/autograd/tape.h)
    bool requires_grad() const; ///< a leaf that wants a gradient, or a result of one
    bool is_leaf() const;
    /// Only for floating leaves; throws AutogradError otherwise. Returns itself.
    Tensor& set_requires_grad(bool value);
    Tensor grad() const; ///< undefined until backward reached it
    void set_grad(const Tensor& grad);
    Tensor detach() const; ///< shares storage and version, has no history

    /// "float32[64, 10]" and, for small tensors, values: for messages and tests.
    std::string str() const;

    // --- for op/, autograd/ and backends
    explicit Tensor(std::shared_ptr<TensorBody> body) : body_(std::move(body)) {}
    const std::shared_ptr<TensorBody>& body() const { return body_; }

  private:
    static Tensor from_bytes(const void* values, std::size_t count, const Shape& shape,
                             DType dtype);
    const void* raw_data(DType expected) const;
    void* raw_data_mut(DType expected);
    std::shared_ptr<TensorBody> body_;
};

/// Number of tensor bodies alive in this process (leak tests).
std::int64_t live_tensor_count();

} // namespace wiregrad

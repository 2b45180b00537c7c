// Sizes and strides: a fixed-capacity list of up to eight dimensions, without heap allocation.
// Included by everyone; plain values, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace wiregrad {

inline constexpr int kMaxDims = 8;

/// Up to kMaxDims integers: a shape, strides, or a list attribute such as a kernel size.
class Dims {
  public:
    Dims() = default;
    Dims(std::initializer_list<std::int64_t> values); ///< throws ShapeError past kMaxDims
    explicit Dims(std::span<const std::int64_t> values);
    static Dims filled(int count, std::int64_t value);

    int size() const { return count_; }
    bool empty() const { return count_ == 0; }
    std::int64_t operator[](int i) const { return values_[static_cast<std::size_t>(i)]; }
    std::int64_t& operator[](int i) { return values_[static_cast<std::size_t>(i)]; }
    std::int64_t back() const { return values_[static_cast<std::size_t>(count_ - 1)]; }
    const std::int64_t* begin() const { return values_.data(); }
    const std::int64_t* end() const { return values_.data() + count_; }
    std::int64_t* begin() { return values_.data(); }
    std::int64_t* end() { return values_.data() + count_; }

    void push_back(std::int64_t value); ///< throws ShapeError when full
    void insert(int at, std::int64_t value);
    void erase(int at);
    std::span<const std::int64_t> span() const {
        return {values_.data(), static_cast<std::size_t>(count_)};
    }
    bool operator==(const Dims& other) const;
    /// "[64, 1, 28, 28]"
    std::string str() const;

  private:
    std::array<std::int64_t, kMaxDims> values_{};
    int count_ = 0;
};

using Shape = Dims;
using Strides = Dims;

/// Number of elements; throws ShapeError when it does not fit in 63 bits or a size is negative.
std::int64_t numel(const Shape& shape);
/// Row-major strides, in elements.
Strides contiguous_strides(const Shape& shape);
/// NumPy broadcasting; throws ShapeError naming both shapes.
Shape broadcast(const Shape& a, const Shape& b);
/// Wraps a negative dimension; throws ShapeError naming what was asked and the rank.
int wrap_dim(std::int64_t dim, int rank);

} // namespace wiregrad

#include "engine/core/shape.h"

#include <algorithm>

#include "engine/core/error.h"

namespace wiregrad {

Dims::Dims(std::initializer_list<std::int64_t> values)
    : Dims(std::span<const std::int64_t>(values.begin(), values.size())) {}

Dims::Dims(std::span<const std::int64_t> values) {
    if (values.size() > kMaxDims) {
        throw ShapeError("A tensor has at most " + std::to_string(kMaxDims) + " dimensions, not " +
                         std::to_string(values.size()) + ".");
    }
    std::copy(values.begin(), values.end(), values_.begin());
    count_ = static_cast<int>(values.size());
}

Dims Dims::filled(int count, std::int64_t value) {
    Dims result;
    for (int i = 0; i < count; ++i)
        result.push_back(value);
    return result;
}

void Dims::push_back(std::int64_t value) {
    insert(count_, value);
}

void Dims::insert(int at, std::int64_t value) {
    if (count_ == kMaxDims)
        throw ShapeError("A tensor has at most " + std::to_string(kMaxDims) + " dimensions.");
    std::copy_backward(begin() + at, end(), end() + 1);
    values_[static_cast<std::size_t>(at)] = value;
    ++count_;
}

void Dims::erase(int at) {
    std::copy(begin() + at + 1, end(), begin() + at);
    --count_;
}

bool Dims::operator==(const Dims& other) const {
    return count_ == other.count_ && std::equal(begin(), end(), other.begin());
}

std::string Dims::str() const {
    std::string text = "[";
    for (int i = 0; i < count_; ++i) {
        if (i > 0) text += ", ";
        text += std::to_string((*this)[i]);
    }
    return text + "]";
}

std::int64_t numel(const Shape& shape) {
    std::int64_t count = 1;
    bool overflow = false;
    bool zero = false;
    for (const std::int64_t size : shape) {
        if (size < 0) throw ShapeError("Shape " + shape.str() + " has a negative size.");
        zero = zero || size == 0;
        overflow = __builtin_mul_overflow(count, size, &count) || overflow;
    }
    if (zero) return 0;
    if (overflow)
        throw ShapeError("Shape " + shape.str() + " has more elements than 63 bits can count.");
    return count;
}

Strides contiguous_strides(const Shape& shape) {
    Strides strides = Dims::filled(shape.size(), 1);
    // Beside a size of 0 the others may be of any size: strides that nobody walks may wrap.
    for (int i = shape.size() - 2; i >= 0; --i)
        __builtin_mul_overflow(strides[i + 1], std::max<std::int64_t>(shape[i + 1], 1),
                               &strides[i]);
    return strides;
}

Shape broadcast(const Shape& a, const Shape& b) {
    if (a == b) return a;
    const Shape& longer = a.size() >= b.size() ? a : b;
    const Shape& shorter = a.size() >= b.size() ? b : a;
    Shape result = longer;
    const int lead = longer.size() - shorter.size();
    for (int i = 0; i < shorter.size(); ++i) {
        const std::int64_t other = shorter[i];
        std::int64_t& size = result[lead + i];
        if (size == other || other == 1) continue;
        if (size != 1) {
            throw ShapeError("Shapes " + a.str() + " and " + b.str() +
                             " do not broadcast: dimension " + std::to_string(lead + i) +
                             " has sizes " + std::to_string(size) + " and " +
                             std::to_string(other) + ".");
        }
        size = other;
    }
    return result;
}

int wrap_dim(std::int64_t dim, int rank) {
    // A 0-dim tensor accepts 0 and -1, as PyTorch does.
    const std::int64_t bound = std::max(rank, 1);
    if (dim < -bound || dim >= bound) {
        throw ShapeError("Dimension " + std::to_string(dim) +
                         " is out of range for a tensor of rank " + std::to_string(rank) + ".");
    }
    return static_cast<int>(dim < 0 ? dim + bound : dim);
}

} // namespace wiregrad

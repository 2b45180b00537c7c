// The slow truth of attention, in float and double, sums in double. Oracle in tests, float64 path.
// Any thread.
#pragma once

#include "engine/backend/cpu/geometry.h"

namespace wiregrad::cpu {

/// One operand of attention: for each head the element offset of its first row; rows of consecutive
/// numbers `pitch` apart.
template <class T> struct HeadRows {
    const T* data = nullptr;
    const std::int64_t* offsets = nullptr;
    std::int64_t pitch = 0;
    const T* row(std::int64_t head, std::int64_t i) const {
        return data + offsets[head] + i * pitch;
    }
};
/// What is added to the scores of a head: nothing, numbers, or -infinity where a bool is false.
template <class T> struct HeadMask {
    const T* added = nullptr;
    const std::uint8_t* allowed = nullptr;
    const std::int64_t* offsets = nullptr;
    std::int64_t row_stride = 0, column_stride = 0;
    bool any() const { return added != nullptr || allowed != nullptr; }
};
/// y [heads, queries, value_size]; log_sums [heads, queries], of the exponentials of each row.
template <class T> struct AttentionForward {
    HeadRows<T> q, k, v;
    HeadMask<T> mask;
    T *y, *log_sums;
};
/// gq, gk and gv are contiguous over all heads.
template <class T> struct AttentionBackward {
    HeadRows<T> q, k, v;
    HeadMask<T> mask;
    const T *y, *log_sums, *gy;
    T *gq, *gk, *gv;
};

namespace plain {

template <class T> void attention_forward(const AttentionGeometry& g, const AttentionForward<T>& a);
template <class T>
void attention_backward(const AttentionGeometry& g, const AttentionBackward<T>& a);

} // namespace plain
} // namespace wiregrad::cpu

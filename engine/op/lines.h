// A tensor seen as lines along one dimension, and copies in another dtype: what scans, sorts and
// index rows share. For engine/op only.
#pragma once

#include "engine/op/registry.h"

namespace wiregrad::lines {

/// outer x length x inner elements.
struct Lines {
    std::int64_t outer = 1, length = 1, inner = 1;
};
inline Lines lines_of(const Shape& shape, std::int64_t dim) {
    Lines lines;
    for (int d = 0; d < shape.size(); ++d)
        (d < dim ? lines.outer : d == dim ? lines.length : lines.inner) *= shape[d];
    return lines;
}

inline Tensor as(const Tensor& x, DType dtype) {
    Tensor result = Tensor::empty(x.shape(), dtype);
    cpu_copy(result, x);
    return result;
}

} // namespace wiregrad::lines

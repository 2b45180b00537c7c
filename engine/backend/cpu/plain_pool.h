// The slow truth of pooling, in float and double. Oracle in tests, float64 path, fallback for
// unusual shapes. Any thread.
#pragma once

#include "engine/backend/cpu/geometry.h"

namespace wiregrad::cpu::plain {

/// Maximum of each window with its place in the window (ky * kernel_w + kx). Ties: the first; a NaN
/// wins; padding never does.
template <class T, class I>
void max_pool_forward(const PoolGeometry& g, const T* x, T* y, I* place);
/// gx = 0, then each gy is added where its maximum was.
template <class T, class I>
void max_pool_backward(const PoolGeometry& g, const T* gy, const I* place, T* gx);
/// y = x at the remembered places: the transpose of max_pool_backward.
template <class T, class I>
void max_pool_gather(const PoolGeometry& g, const T* x, const I* place, T* y);

template <class T> void avg_pool_forward(const PoolGeometry& g, const T* x, T* y);
template <class T> void avg_pool_backward(const PoolGeometry& g, const T* gy, T* gx);

/// Bin o covers floor(o * in / out) up to ceil((o + 1) * in / out). Only planes and sizes of the
/// geometry are read.
template <class T> void adaptive_avg_pool_forward(const PoolGeometry& g, const T* x, T* y);
template <class T> void adaptive_avg_pool_backward(const PoolGeometry& g, const T* gy, T* gx);

} // namespace wiregrad::cpu::plain

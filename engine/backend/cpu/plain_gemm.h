// The slow truth of matrix products: plain loops in float and double, sums in double.
// Oracle in tests, float64 path without OpenBLAS, fallback without oneDNN. Any thread.
#pragma once

#include "engine/backend/cpu/geometry.h"

namespace wiregrad::cpu::plain {

template <class T> void gemm(const GemmGeometry& g, const T* a, const T* b, T* c);

} // namespace wiregrad::cpu::plain

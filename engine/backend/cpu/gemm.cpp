#include "engine/backend/cpu/gemm.h"

#include <algorithm>

#include "engine/backend/cpu/blas.h"
#include "engine/backend/cpu/onednn.h"
#include "engine/backend/cpu/plain_gemm.h"

namespace wiregrad::cpu {

namespace {

/// Below this many multiply-adds OpenBLAS' lighter call wins; above, oneDNN's kernels
///.
constexpr double kTinyProduct = 64.0 * 64.0 * 64.0;

template <class T> bool nothing_to_sum(const GemmGeometry& g, T* c) {
    if (g.k > 0 && g.m > 0 && g.n > 0) return false;
    if (!g.accumulate)
        for (std::int64_t i = 0; i < g.m; ++i)
            std::fill_n(c + i * g.ldc, g.n, T(0));
    return true;
}

} // namespace

void gemm(const GemmGeometry& g, const float* a, const float* b, float* c) {
    if (nothing_to_sum(g, c)) return;
    const bool tiny =
        static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k) <=
        kTinyProduct;
    if (tiny && blas::gemm(g, a, b, c)) return;
    if (onednn::gemm(g, a, b, c)) return;
    plain::gemm(g, a, b, c);
}

void gemm(const GemmGeometry& g, const double* a, const double* b, double* c) {
    if (nothing_to_sum(g, c) || blas::gemm(g, a, b, c)) return;
    plain::gemm(g, a, b, c);
}

} // namespace wiregrad::cpu

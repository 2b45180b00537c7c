#include "engine/backend/cpu/plain_gemm.h"

#include <vector>

namespace wiregrad::cpu::plain {

template <class T> void gemm(const GemmGeometry& g, const T* a, const T* b, T* c) {
    std::vector<double> row(static_cast<std::size_t>(g.n));
    for (std::int64_t i = 0; i < g.m; ++i) {
        for (std::int64_t j = 0; j < g.n; ++j)
            row[static_cast<std::size_t>(j)] = g.accumulate ? c[i * g.ldc + j] : 0.0;
        for (std::int64_t p = 0; p < g.k; ++p) {
            const double left = g.trans_a ? a[p * g.lda + i] : a[i * g.lda + p];
            for (std::int64_t j = 0; j < g.n; ++j)
                row[static_cast<std::size_t>(j)] +=
                    left * static_cast<double>(g.trans_b ? b[j * g.ldb + p] : b[p * g.ldb + j]);
        }
        for (std::int64_t j = 0; j < g.n; ++j)
            c[i * g.ldc + j] = static_cast<T>(row[static_cast<std::size_t>(j)]);
    }
}

template void gemm(const GemmGeometry&, const float*, const float*, float*);
template void gemm(const GemmGeometry&, const double*, const double*, double*);

} // namespace wiregrad::cpu::plain

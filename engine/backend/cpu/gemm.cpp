#include "engine/backend/cpu/gemm.h"

#include "engine/backend/cpu/plain_gemm.h"

namespace wiregrad::cpu {

void gemm(const GemmGeometry& g, const float* a, const float* b, float* c) { plain::gemm(g, a, b, c); }
void gemm(const GemmGeometry& g, const double* a, const double* b, double* c) { plain::gemm(g, a, b, c); }

} // namespace wiregrad::cpu

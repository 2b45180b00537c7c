// Matrix products: one entry that chooses OpenBLAS, oneDNN or the plain kernel by shape and type
// (never by timing trials). Any thread.
#pragma once

#include "engine/backend/cpu/geometry.h"

namespace wiregrad::cpu {

void gemm(const GemmGeometry& g, const float* a, const float* b, float* c);
void gemm(const GemmGeometry& g, const double* a, const double* b, double* c);

} // namespace wiregrad::cpu

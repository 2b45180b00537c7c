// OpenBLAS behind one file, loaded at run time with the core type that this CPU deserves (its own
// detection does not know recent CPUs and falls back to SSE3). Where the library is missing every
// function says so and does nothing. Any thread.
#pragma once

#include <string>

#include "engine/backend/cpu/geometry.h"

namespace wiregrad::cpu::blas {

bool available();
/// The library's description of itself, or why it is not there.
const std::string& description();

/// False when the library is missing or a size does not fit its integers; c is untouched then.
bool gemm(const GemmGeometry& g, const float* a, const float* b, float* c);
bool gemm(const GemmGeometry& g, const double* a, const double* b, double* c);

} // namespace wiregrad::cpu::blas

// oneDNN behind one file. Primitives are cached by shape and thread count in a bounded cache per
// thread; implementations named "ref" are refused. Every function returns false, with its outputs
// untouched, where oneDNN does not serve a shape: the caller has a kernel of its own then. Any
// thread.
#pragma once

#include <cstddef>
#include <string>

#include "engine/backend/cpu/geometry.h"

namespace wiregrad::cpu::onednn {

bool gemm(const GemmGeometry& g, const float* a, const float* b, float* c);

/// Convolutions in the layouts oneDNN likes best, with reorders from and to NCHW around them.
bool conv_forward(const ConvGeometry& g, const float* x, const float* w, const float* bias,
                  float* y);
bool conv_input_grad(const ConvGeometry& g, const float* gy, const float* w, float* gx);
bool conv_weight_grad(const ConvGeometry& g, const float* x, const float* gy, float* gw,
                      float* gbias);

/// "2.6.3", of the library that this process runs with.
std::string version();

/// Primitives cached on this thread, at most kCacheSize.
inline constexpr std::size_t kCacheSize = 128;
std::size_t cached_primitives();

} // namespace wiregrad::cpu::onednn

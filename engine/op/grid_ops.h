// Reading pictures at places given by a grid, under PyTorch's names. Any thread.
#pragma once

#include <cstdint>

#include "engine/op/op.h"

namespace wiregrad {

enum class GridMode : std::uint8_t { Bilinear, Nearest, Bicubic };
enum class GridPadding : std::uint8_t { Zeros, Border, Reflection };

/// x [N, C, H, W], grid [N, h, w, 2] of (x, y) in -1..1 -> [N, C, h, w]. The gradient has no
/// gradient, as in PyTorch.
Tensor grid_sample(const Tensor& x, const Tensor& grid, GridMode mode = GridMode::Bilinear,
                   GridPadding padding = GridPadding::Zeros, bool align_corners = false);
/// theta [N, 2, 3] -> the grid [N, h, w, 2] of the places theta (x, y, 1), size [N, C, h, w].
Tensor affine_grid(const Tensor& theta, const Dims& size, bool align_corners = false);

} // namespace wiregrad

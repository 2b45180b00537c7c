// Rows whose kernels know float32 and float64 only, on 16-bit floats: inputs are converted to
// float32, computed there, and rounded once. For op_table.cpp only.
#pragma once

#include <vector>

#include "engine/op/op.h"

namespace wiregrad {

/// Rows first to end - 1 take 16-bit floats of one kind from here on. Those that write to their
/// inputs stay as they are. `rows` must not move any more.
void widen_rows(std::vector<Op>& rows, std::size_t first, std::size_t end);

} // namespace wiregrad

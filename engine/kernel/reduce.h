// Folds of a tensor over some of its dimensions, in fixed chunks combined in a fixed order: the
// same bits for every number of threads and every instruction set. For engine/op.
#pragma once

#include "engine/core/tensor.h"
#include "engine/kernel/table.h"

namespace wiregrad::kernel {

/// Result dtype of folding `dtype` (sums and products of bool and integers are int64).
DType fold_dtype(Fold fold, DType dtype);
/// Folds the dimensions in `dims` (sorted, each once) of a CPU tensor and writes `out`, contiguous,
/// of fold_dtype() or a 16-bit type, with as many elements as the other dimensions have. Without
/// elements to fold: 0, or 1 for products.
void fold(Fold fold, const Tensor& x, const Dims& dims, Tensor& out);

/// int64 index of the first largest (or smallest) element along `dim`; NaN counts as the extreme.
void arg_extreme(bool largest, const Tensor& x, int dim, Tensor& out);

} // namespace wiregrad::kernel

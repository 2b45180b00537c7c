// The bottom of the interpreter stack: eager execution, or shapes only within a ShapeOnly scope.
// For engine/op and engine/autograd.
#pragma once

#include "engine/op/op.h"

namespace wiregrad {

/// Checks devices, runs the shape rule, allocates the outputs, runs the kernel. Records nothing.
Tensors run_bottom(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs);

} // namespace wiregrad

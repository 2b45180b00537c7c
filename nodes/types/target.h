// How targets are brought to the form of what they are compared with: whole-number labels become
// real numbers, and a row of N labels a column N × 1. For losses and metrics that compare number by
// number.
#pragma once

#include <string>

#include "nodes/types/declare.h"

namespace wiregrad::graph::types {

struct Target {
    bool convert = false;   ///< to the input's dtype
    bool unsqueeze = false; ///< [N] -> [N, 1]
    Tensor apply(const Tensor& target, DType dtype) const;
    std::string python(const std::string& name) const; ///< the same as source
};

/// Throws ShapeError naming both shapes when they cannot be compared.
Target fit_target(const BuildContext& context, const std::string& who);

} // namespace wiregrad::graph::types

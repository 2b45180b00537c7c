// Sums over the rows of a matrix: gradients of biases. Any thread.
#pragma once

#include <cstdint>

namespace wiregrad::cpu {

/// out[j] = sum of m[i][j] over the rows, m [rows, columns]; in an order that does not depend on
/// threads.
void column_sums(const float* m, std::int64_t rows, std::int64_t columns, float* out);

} // namespace wiregrad::cpu

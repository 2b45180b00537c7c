#include "engine/backend/cpu/column_sums.h"

#include <algorithm>

#include "engine/backend/cpu/team.h"

namespace wiregrad::cpu {

void column_sums(const float* m, std::int64_t rows, std::int64_t columns, float* out) {
    constexpr std::int64_t kColumns = 128, kChunk = 64;
    const int threads = team(static_cast<double>(rows * columns));
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::int64_t first = 0; first < columns; first += kColumns) {
        const std::int64_t wide = std::min(kColumns, columns - first);
        double total[kColumns] = {};
        for (std::int64_t row = 0; row < rows; row += kChunk) {
            float part[kColumns] = {};
            for (std::int64_t r = row; r < std::min(rows, row + kChunk); ++r)
                for (std::int64_t j = 0; j < wide; ++j)
                    part[j] += m[r * columns + first + j];
            for (std::int64_t j = 0; j < wide; ++j)
                total[j] += static_cast<double>(part[j]);
        }
        for (std::int64_t j = 0; j < wide; ++j)
            out[first + j] = static_cast<float>(total[j]);
    }
}

} // namespace wiregrad::cpu

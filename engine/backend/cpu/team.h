// How many threads a kernel uses: the engine's setting, or one where the work is too small to
// share. Any thread.
#pragma once

#include <omp.h>

#include "engine/core/config.h"

namespace wiregrad::cpu {

/// Threads for `operations` of arithmetic or moved elements; a parallel region costs about as much
/// as 20,000 of them.
inline int team(double operations) {
    return operations < 100000.0 ? 1 : num_threads();
}

/// Gives the calling thread's OpenMP team the engine's size, for libraries that read it from there.
inline void size_team() {
    if (omp_get_max_threads() != num_threads())
        omp_set_num_threads(num_threads());
}

} // namespace wiregrad::cpu

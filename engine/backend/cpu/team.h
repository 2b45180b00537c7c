// How many threads a kernel uses: the engine's setting, or one where the work is too small to
// share. Any thread.
#pragma once

#include <new>

#include <omp.h>

#include "engine/core/config.h"
#include "engine/core/error.h"

namespace wiregrad::cpu {

/// Threads for `operations` of arithmetic or moved elements; a parallel region costs about as much
/// as 20,000 of them.
inline int team(double operations) {
    return operations < 100000.0 ? 1 : num_threads();
}

/// Gives the calling thread's OpenMP team the engine's size, for libraries that read it from there.
inline void size_team() {
    if (omp_get_max_threads() != num_threads()) omp_set_num_threads(num_threads());
}

/// Lets each thread of the coming region fetch its working memory with `get`: an exception may not
/// leave a region, so a lack of memory is found before it. Throws OutOfMemory.
template <class Get> void reserve_on_team(int threads, const Get& get) {
    bool failed = false;
#pragma omp parallel num_threads(threads) reduction(|| : failed)
    {
        try {
            get();
        } catch (const std::bad_alloc&) {
            failed = true;
        }
    }
    if (failed) throw OutOfMemory("there is no memory for a kernel's working space");
}

} // namespace wiregrad::cpu

#include "engine/core/process.h"

#include <cstdlib>

#include <unistd.h>

namespace wiregrad {

void wait_politely(char** argv) {
    // OpenMP's own choice is about 10 ms of spinning: when a member of the team lost its core to
    // another program, the others burn that much at every barrier. This is 0.1 ms, longer than the
    // gaps within a step.
    if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr)
        return;
    if (::setenv("GOMP_SPINCOUNT", "2000", 0) == 0) ::execv("/proc/self/exe", argv);
    // Where that is refused, training works as before.
}

} // namespace wiregrad

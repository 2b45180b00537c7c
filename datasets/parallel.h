// Runs a loop over independent items on a few threads. The result does not depend on how many there
// are.
#pragma once

#include <cstdint>
#include <functional>

namespace wiregrad::data {

/// Calls work(i) for each i in [0, count) and, on the calling thread now and then,
/// report(fraction). When work throws, the error of the lowest such i that ran is rethrown; what
/// report throws ends the loop too.
void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& work,
                  const std::function<void(double)>& report = {});

} // namespace wiregrad::data

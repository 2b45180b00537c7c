// Drives one-dimensional loops of the kernel table over tensors: broadcasting, strides, threads.
// For engine/op and engine/core; called from the thread that computes.
#pragma once

#include <cstdint>
#include <span>

#include "engine/core/config.h"
#include "engine/core/tensor_body.h"
#include "engine/kernel/table.h"

namespace wiregrad::kernel {

/// Elements below which a loop stays on one thread: an OpenMP region costs as much as some 20,000
/// additions.
inline constexpr std::int64_t kParallelElements = 32768;

/// Runs f(begin, end) over [0, count), on several threads when there are at least two times `grain`
/// items.
template <class F> void parallel_for(std::int64_t count, std::int64_t grain, const F& f) {
    const std::int64_t wanted = count / (grain < 1 ? 1 : grain);
    const int threads = wanted < num_threads() ? static_cast<int>(wanted) : num_threads();
    if (threads <= 1) {
        if (count > 0) f(std::int64_t{0}, count);
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int t = 0; t < threads; ++t)
        f(count * t / threads, count * (t + 1) / threads);
}

/// One operand of a loop: strides in bytes, one for each dimension of the loop's shape.
struct Operand {
    char* data = nullptr;
    Strides strides;
};
/// `body` broadcast to `shape`.
Operand operand(const TensorBody& body, const Shape& shape);
/// operands[0] is written. At most kMaxOperands.
inline constexpr int kMaxOperands = 4;
void run_loop(InnerLoop loop, const Shape& shape, std::span<const Operand> operands,
              const Params& params = {});

/// target = source broadcast to its shape and converted to its dtype; both on the CPU. Does not
/// raise the version.
void copy_elements(TensorBody& target, const TensorBody& source);

} // namespace wiregrad::kernel

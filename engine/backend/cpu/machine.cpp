#include "engine/backend/cpu/machine.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include <omp.h>

#include "engine/backend/cpu/simd.h"

namespace wiregrad::cpu {

namespace {

using Clock = std::chrono::steady_clock;

/// The shortest of several runs of `work`, in seconds: what the machine does when nobody disturbs.
template <class Work> double best_of(int runs, const Work& work) {
    double best = 1e9;
    for (int run = 0; run < runs; ++run) {
        const auto start = Clock::now();
        work();
        best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
    }
    return best;
}

} // namespace

MachineSpeed measure_machine(int threads) {
    constexpr int kVectors = 2, kColumns = 16 * kVectors;
    constexpr std::int64_t kRows = 12, kDepth = 160, kRepeats = 5000;
    const PanelKernels& kernels = panel_kernels();
    MachineSpeed speed;
    const double product = best_of(5, [&] {
#pragma omp parallel num_threads(threads)
        {
            std::vector<float> a(kRows * kDepth, 0.5F), panel(kDepth * kColumns, 0.25F),
                out(kRows * kColumns);
            for (std::int64_t i = 0; i < kRepeats; ++i)
                kernels.product(kVectors, kRows, kDepth, a.data(), kDepth, 1, panel.data(),
                                out.data(), kColumns, false);
        }
    });
    speed.gflops = 2e-9 * static_cast<double>(kRows * kDepth * kColumns) *
                   static_cast<double>(kRepeats) * threads / product;
    constexpr std::int64_t kElements = std::int64_t{8} << 20;
    std::vector<float> a(kElements), b(kElements, 1.0F), c(kElements, 2.0F);
    const double triad = best_of(5, [&] {
#pragma omp parallel for num_threads(threads) schedule(static)
        for (std::int64_t i = 0; i < kElements; ++i)
            a[static_cast<std::size_t>(i)] =
                b[static_cast<std::size_t>(i)] + 3.0F * c[static_cast<std::size_t>(i)];
    });
    speed.gb_per_second = 3.0 * sizeof(float) * static_cast<double>(kElements) * 1e-9 / triad;
    return speed;
}

} // namespace wiregrad::cpu

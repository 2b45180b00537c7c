// Process-wide settings of the engine: number of threads, determinism, and the instruction set that
// kernels use. Set at start-up or between steps; reading is safe from any thread.
#pragma once

#include <string_view>

namespace wiregrad {

/// Threads that one large op may use; at first the number of cores, or WIREGRAD_THREADS. Never more
/// than OpenMP's limit (OMP_THREAD_LIMIT).
int num_threads();
void set_num_threads(int count); ///< throws ValueError below 1; the limit is taken instead of more

/// Asks backends for choices without timing trials and for algorithms without atomics. On by
/// default.
bool deterministic();
void set_deterministic(bool value);

/// Instruction sets that kernels are compiled for. The best one that this CPU has is chosen at
/// start-up; the environment variable WIREGRAD_ISA=baseline|avx2|avx512 lowers it (never raises it
/// past the CPU).
enum class Isa { Baseline, Avx2, Avx512 };
Isa isa();
Isa detected_isa();      ///< what the CPU has, whatever is in use
void set_isa(Isa value); ///< for tests; throws ValueError when the CPU lacks it
std::string_view name_of(Isa value);

} // namespace wiregrad

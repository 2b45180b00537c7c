// What this machine can do at most, measured: the floor that benchmarks compare a step with. Takes
// about a quarter of a second; the calling thread's team.
#pragma once

namespace wiregrad::cpu {

struct MachineSpeed {
    double gflops = 0;        ///< float32 multiply-adds on data in the first-level cache, two each
    double gb_per_second = 0; ///< a = b + s c over 96 MB, three numbers an element
};
MachineSpeed measure_machine(int threads);

} // namespace wiregrad::cpu

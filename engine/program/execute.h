// A program ready to run: one arena, prebuilt pointers, bound kernels. A run allocates nothing and
// copies nothing. Belongs to the thread that computes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/program/plan.h"
#include "engine/program/program.h"

namespace wiregrad::program {

/// Memory for what instructions make, which programs that never run at the same time may share.
struct Arena;

struct ExecuteOptions {
    int threads = 1;
    bool trial = false; ///< backends may time implementations
    bool bind = true;   ///< false: every instruction with a kernel in its row runs that (tests)
    /// Where programs share memory: used when it is large enough, else replaced by a larger one.
    /// A run of one of them then ends what the outputs of the others show.
    std::shared_ptr<Arena>* arena = nullptr;
};

/// The memory that `program` would need and how each instruction would be run ("" for views), found
/// without allocating its arena.
struct Preflight {
    MemoryPlan plan;
    std::vector<std::string> implementations;
};
Preflight preflight(const Program& program, const ExecuteOptions& options);

class Executable {
  public:
    /// Plans, allocates and binds. Throws OutOfMemory naming the largest values by node.
    Executable(Program program, const ExecuteOptions& options);
    ~Executable();
    Executable(const Executable&) = delete;
    Executable& operator=(const Executable&) = delete;

    /// Gives input `name` for the runs to come; `tensor` must be contiguous, of the traced shape
    /// and dtype, and outlive them.
    void set_input(const std::string& name, const Tensor& tensor);
    /// Everything before the update, then the update. What a kernel throws names its node.
    void run();
    void run_update();
    /// Runs everything `rounds` times and gives the shortest time of each instruction in seconds; 0
    /// for views. Weights change as they do in so many steps.
    std::vector<double> measure(int rounds);
    /// A view of the arena (or of a state): valid until the next run.
    const Tensor& output(const std::string& name) const;

    const Program& program() const;
    const MemoryPlan& plan() const;
    /// How each instruction is run, for the printed program: "" for views, else the
    /// implementation.
    std::vector<std::string> implementations() const;

  private:
    friend Preflight preflight(const Program&, const ExecuteOptions&);
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace wiregrad::program

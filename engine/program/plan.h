// Where each value of a program lies: offsets in one arena, found from lifetimes.
// A pure function of the program; used by execute.h and by pre-flight figures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/program/program.h"

namespace wiregrad::program {

/// A stretch of the arena that is in use from instruction `first` to instruction `last`.
struct Block {
    int value = -1; ///< a root; -1: scratch of instruction `first`
    int first = 0, last = 0;
    int over = -1; ///< the value in whose place this one is written, at instruction `first`
    std::size_t bytes = 0, offset = 0;
};

struct MemoryPlan {
    std::vector<Block> blocks;
    std::size_t arena_bytes = 0;
    std::size_t state_bytes = 0; ///< tensors outside: weights, moments, buffers
    std::size_t input_bytes = 0;
    std::size_t total() const { return arena_bytes + state_bytes + input_bytes; }
    const Block* block_of(int root) const;
};

/// `scratch`: bytes of working space of each instruction (may be empty).
MemoryPlan plan_memory(const Program& program, const std::vector<std::size_t>& scratch = {});

/// The largest values at the moment of the peak, by node: "conv1 float32[64, 32, 32, 32] 8.4 MB".
std::vector<std::string> largest_values(const Program& program, const MemoryPlan& plan,
                                        std::size_t count);

/// Throws Error when two blocks that live at the same time overlap.
void verify(const Program& program, const MemoryPlan& plan);

} // namespace wiregrad::program

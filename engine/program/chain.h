// Elementwise instructions on the CPU: a chain of functors of engine/kernel over cache-sized
// blocks, so that intermediate results never leave the cache. Each element gets the same operations
// in the same order as one kernel after the other: the same bits.
#pragma once

#include <memory>

#include "engine/program/program.h"

namespace wiregrad::program {

/// Whether a row's functor can run in a chain for these dtypes (16-bit floats cannot).
bool chainable(const Program& program, const Instruction& instruction);

/// `instruction` with its single op as a chain of one step; chains stay as they are.
std::vector<ChainStep> as_chain(const Program& program, const Instruction& instruction);

/// Null when the instruction is not elementwise on the CPU.
std::unique_ptr<Bound> bind_chain(const Program& program, const Instruction& instruction,
                                  int threads);

/// Whether output `output` of a chain may lie where input `input` lies, if nobody reads that any
/// more: each element is read before the one in its place is written.
bool may_overwrite(const Program& program, const Instruction& instruction, std::size_t input,
                   std::size_t output);

} // namespace wiregrad::program

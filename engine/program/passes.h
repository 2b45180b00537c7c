// The passes: each takes a program that verify() accepts and leaves one that it accepts, with the
// same effects. In this order; the first three are exact, bit for bit.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/program/program.h"

namespace wiregrad::program {

/// Computes what only constants go into, drops copies that nobody can tell from the original,
/// products with one, and instructions whose results are not used; computes equal things once.
void simplify(Program& program);
/// Joins optimizer steps of equal kind into one instruction.
void fuse_optimizers(Program& program);
/// linear, conv2d and batch_norm take the activation behind them along; the gradients of a linear
/// layer's weight and bias become one instruction.
void fuse_layers(Program& program);
/// Joins elementwise instructions into chains.
void fuse_elementwise(Program& program);
/// Keeps values in the layouts that the backend prefers, with reorders where such islands end.
void choose_layouts(Program& program);
/// Drops what nothing depends on, and values that no instruction mentions.
void remove_dead(Program& program);

struct Pass {
    std::string name;
    void (*run)(Program&);
};
/// All of them, in order.
const std::vector<Pass>& all_passes();

struct OptimizeOptions {
    bool check = false;    ///< verify after each pass, and that the effects stayed
    std::string last = ""; ///< stop after this pass; empty: run all, "none": run none
};
/// Throws Error naming the pass when a check fails, ValueError for an unknown name.
void optimize(Program& program, const OptimizeOptions& options = {},
              const std::vector<Pass>& passes = all_passes());

} // namespace wiregrad::program

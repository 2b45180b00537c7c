// Which of several bound kernels runs: the first, or the fastest by a trial that is made once for a
// key and kept in the user's cache folder for this machine and library version. Called by bind
// rules.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/op/bind.h"

namespace wiregrad::cpu {

struct Candidates {
    std::vector<std::unique_ptr<Bound>> kernels;  ///< the default one first
    std::vector<std::size_t> in_bytes, out_bytes; ///< of the operands that are present; 0: absent
};

/// The kernel to use; null when there is none. `key` names op, sizes and layouts.
std::unique_ptr<Bound> choose(const std::string& key, Candidates candidates, int threads,
                              bool trial);

/// Whether recorded 3 x 3 convolutions may go Winograd's way, which needs less than half of the
/// arithmetic and rounds about eight times as much (1e-6 of the result's size). At first yes,
/// unless the environment has WIREGRAD_WINOGRAD=0.
bool winograd();
void set_winograd(bool value);

} // namespace wiregrad::cpu

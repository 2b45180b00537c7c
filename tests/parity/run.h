// Runs PyTorch's samples through our ops and compares: values, gradients, gradients of gradients,
// in float64 and float32, from whole and from spread memory; and bad calls, which must be refused.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/parity/call.h"

namespace wiregrad::parity {

/// What became of the samples of one op.
struct Tally {
    int run = 0, passed = 0;
    int errors = 0, refused = 0;          ///< PyTorch's error inputs
    int beyond = 0;                       ///< float32 parts that PyTorch's float32 misses as well
    std::map<std::string, int> skipped{}; ///< by reason
    std::vector<std::string> failures{};  ///< one text a sample
};

/// The samples of FILE.jsonl and FILE.bin (dump_pytorch.py), by PyTorch's name.
std::map<std::string, Tally> run_pack(const std::string& path, const std::string& only = "");
/// The table that tools/parity prints; true when nothing failed.
bool print_table(const std::map<std::string, Tally>& tallies, bool verbose);

} // namespace wiregrad::parity

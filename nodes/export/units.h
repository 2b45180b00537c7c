// The network as bodies in bodies: groups keep being groups in a script, the whole network is the
// last and outermost body. Pure; any thread.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "nodes/export/outline.h"

namespace wiregrad::graph {

/// One call in a body: a layer, or a group with its repetitions.
struct Call {
    const Statement* layer = nullptr; ///< null: a group
    std::string member;               ///< its name at this level
    std::string node;                 ///< path, for previews
    std::vector<std::size_t> units;   ///< of a group: the body of each repetition
    bool shared = false;              ///< the repetitions use the same weights
    std::vector<Value> inputs, outputs;
    std::vector<std::size_t> input_ports, output_ports; ///< of a group: which ports these are
};

struct Unit {
    std::string name, help;    ///< of the group; empty for the network
    std::vector<Value> inputs; ///< read but not made here, in the order of the ports
    std::vector<std::string> input_names;
    std::vector<std::size_t> input_ports;
    std::string prefix; ///< of a group: before the names of its weights, "block.0."
    std::vector<Call> calls;
    std::vector<Value> results;
    std::vector<std::size_t> result_ports;
};

/// Inner bodies first, the network last. One flat body where a group holds more than layers.
std::vector<Unit> units_of(const Outline& outline);

/// The variables of a body: one name a value; a value that is not needed again hands its name on.
std::map<Value, std::string> local_names(const Outline& outline, const Unit& unit);

} // namespace wiregrad::graph

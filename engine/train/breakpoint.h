// Breakpoints: where and when a run stops inside a step, and what is told while it stands there.
// Plain values, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/train/probe.h"

namespace wiregrad::train {

/// Each stops a step at most once.
struct Breakpoint {
    enum class When : std::uint8_t {
        Broken,    ///< some element is NaN or infinite
        Magnitude, ///< some |element| is above the limit
        Mean,      ///< of the finite elements
        Max,
        Min,
        Norm,  ///< the root of the sum of squares
        Zeros, ///< the share of exact zeros, 0 to 1
        Loss,  ///< a loss of the batch
        Step,  ///< at step number `limit`
        Every  ///< at each `limit`-th step
    };
    enum class Side : std::uint8_t { Forward, Backward, Both };
    int id = 0;
    /// Empty: anywhere. With a node and no port, Broken and Magnitude look at every op within the
    /// node, the other values at its outputs.
    std::string node, port;
    Side side = Side::Forward; ///< values, or the gradients that come back
    When when = When::Broken;
    bool below = false; ///< Mean to Loss: stops below the limit instead of above
    double limit = 0;
    bool enabled = true;
    bool operator==(const Breakpoint&) const = default;
};
/// "conv1.out: the mean is above 3". `name` is what the place is called; empty: its id.
std::string describe(const Breakpoint& breakpoint, const std::string& name = {});

enum class Phase : std::uint8_t { Forward, Backward, Update };

/// One op of the step at hand.
struct OpLine {
    std::int64_t index = 0; ///< in the step, from 1
    Phase phase = Phase::Forward;
    std::string node, op; ///< node: empty between nodes, such as where two gradients are added
    Shape shape;          ///< of the first output
};

/// The run stands at this op, which has just been computed.
struct Halt {
    std::int64_t step = 0;
    OpLine at;
    std::string port; ///< when a value of a port is the reason
    std::string attrs;
    int breakpoint = 0; ///< its id; 0: by stepping
    std::string reason; ///< one sentence
    std::vector<ProbeRecord> inputs, outputs;
    bool changed_since = false; ///< a value was written in place meanwhile and is shown as it is
    std::int64_t newest = 0;    ///< ops computed; more than at.index while looking back
    std::vector<OpLine> trail;  ///< the ops around it, in order
};

/// What a run that stands inside a step does next.
enum class StepOrder : std::uint8_t {
    Run,   ///< to the next breakpoint
    Op,    ///< one op on: forward, then backward, then the update
    Back,  ///< looks at the op before; nothing is undone
    Node,  ///< to the first op of another node
    Finish ///< to the step's end, whatever breakpoints say
};

/// What happens when a loss is NaN or infinite.
enum class BadNumbers : std::uint8_t {
    Stop, ///< the run fails and says where it began
    Skip, ///< the batch is left out: weights, statistics and means stay as they were; it is named
    Warn  ///< the step is taken; where it began is told
};

} // namespace wiregrad::train

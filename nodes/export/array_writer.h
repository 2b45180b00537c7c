// A traced step as statements of JAX or Keras 3, op by op, with the words that they use. Pure; any
// thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nodes/export/trace.h"
#include "nodes/export/units.h"

namespace wiregrad::graph {

enum class Dialect { Jax, Keras };

/// What a body computes: the network, or a group as a function.
struct ArrayBody {
    std::vector<std::pair<std::string, std::string>> lines; ///< each with its node
    std::vector<std::string> inputs, results;               ///< variables
    std::vector<std::pair<std::string, std::string>> kept;  ///< layers by their member, and their
                                                            ///< variables
};

class ArrayWriter {
  public:
    virtual ~ArrayWriter() = default;
    /// `functions`: of the units that are called, by their index. Of a group weights are named from
    /// its own place on. Throws ValueError naming the node of an op that is not written out.
    virtual ArrayBody body(const Unit& unit, bool network,
                           const std::vector<std::string>& functions) = 0;
    /// Lines of the losses.
    virtual std::vector<std::pair<std::string, std::string>> losses() = 0;
    virtual std::string name(int value) = 0;
    /// Definitions of the words that were used, each after those it needs.
    virtual std::vector<std::string> definitions() const = 0;
};

/// Both must live as long as the writer.
std::unique_ptr<ArrayWriter> make_array_writer(const Outline& outline, const Trace& trace,
                                               Dialect dialect);
/// A real number as Python source.
std::string py_number(double value);

} // namespace wiregrad::graph

// What all generated sources share: the graph as statements in order, with names, values and the
// context each emitter needs. Pure; any thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "nodes/infer.h"

namespace wiregrad::graph {

/// One output of one node.
struct Value {
    std::string node;
    std::size_t output = 0;
    auto operator<=>(const Value&) const = default;
};

/// A layer, loss or metric: one statement.
struct Statement {
    const Inferred* node = nullptr;
    std::string id;
    std::string member; ///< its name in the source; of the first one where weights are shared
    std::vector<Value> inputs;
    std::size_t outputs = 1;
    bool shared = false; ///< uses the weights of another
};

/// One tensor of a batch: an output of a Dataset or Input node.
struct Argument {
    Value value;
    std::string name; ///< "x"
    TensorMeta meta;
};

/// Holds its own copy of the graph; moving it is not possible because statements point into it.
class Outline {
  public:
    /// Throws ValueError naming the first problem of an unfinished graph. A graph without loss is
    /// whole when its layers are: then there is nothing to train.
    explicit Outline(const Graph& graph);
    Outline(const Outline&) = delete;
    Outline& operator=(const Outline&) = delete;

    const Graph graph;
    Inference inference;
    std::string title;                          ///< for a person
    std::map<std::string, std::string> members; ///< node id (a path inside groups) -> name
    std::vector<Argument> batch;                ///< what a batch holds, in its order
    std::vector<Value> arguments;               ///< of the batch, what the layers read
    std::vector<Statement> layers, losses, metrics;
    std::vector<Value> results;          ///< what the network hands to losses and metrics
    std::vector<std::string> optimizers; ///< node ids, those with a loss

    bool trains() const { return !losses.empty() && !optimizers.empty(); }
    BuildContext context(const Statement& statement) const;
    const Argument& argument(const Value& value) const;
    bool is_argument(const Value& value) const;
    /// Of the batch, what `statements` read directly.
    std::vector<Value> batch_values(const std::vector<Statement>& statements) const;
    /// Layers that the losses of `optimizer` depend on.
    std::vector<std::string> trained_by(const std::string& optimizer) const;
    std::vector<std::string> losses_of(const std::string& optimizer) const;
};

/// `pattern` with {0}, {1} and {self} filled in.
std::string fill(const std::string& pattern, const std::vector<std::string>& inputs,
                 const std::string& self);

} // namespace wiregrad::graph

// What the network really computes, op by op, in evaluation mode: the choke point's own record.
// Everything that is exported below the level of layers (ONNX, C++) is made from it, so that it
// covers every node type at once. Runs the engine on a few made-up samples.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/op/op.h"
#include "nodes/export/outline.h"

namespace wiregrad::graph {

/// A size that is `constant`, or `batch` times the size of the batch.
struct Size {
    std::int64_t constant = 0, batch = 0;
    bool fixed() const { return batch == 0; }
    bool operator==(const Size&) const = default;
};
using Sizes = std::vector<Size>;

struct TracedValue {
    enum class Kind : std::uint8_t { Input, Weight, Constant, Result } kind = Kind::Result;
    std::string name; ///< unique: "x", "conv1.weight", "conv1", "conv1.2"
    DType dtype = DType::Float32;
    Sizes shape;
    Tensor data; ///< of weights and constants
};

struct TracedOp {
    const Op* op = nullptr;
    Attrs attrs;                          ///< as called with the batch traced first
    std::map<std::string, Sizes> dims;    ///< attributes that are lists, with the batch in them
    std::map<std::string, Size> integers; ///< attributes that are whole numbers, likewise
    std::vector<int> inputs;              ///< values; -1: absent
    std::vector<int> outputs;
    std::string node; ///< id
};

struct Trace {
    std::vector<TracedValue> values;
    std::vector<TracedOp> ops;
    std::vector<int> inputs, outputs;
    std::vector<std::string> output_names;
    std::map<std::string, std::vector<int>> node_outputs; ///< id -> values
    std::map<Value, int> places;                          ///< what each output of a node is
};

/// `weights` by node id, all of them. `training`: in training mode, and the losses too; the inputs
/// are then all that layers and losses read of a batch. Throws ValueError naming the node whose ops
/// depend on the size of the batch in another way than by shapes.
Trace trace(const Outline& outline, const std::vector<nn::NamedTensor>& weights,
            bool training = false);
/// The network's layers on `inputs` (one an argument, in order), by node: every output.
std::map<Value, Tensor> run_layers(const Outline& outline,
                                   const std::vector<nn::NamedTensor>& weights,
                                   const std::vector<Tensor>& inputs);
/// Weights in the names of nodes: those given, else initial ones.
std::vector<nn::NamedTensor> weights_of(const Outline& outline,
                                        const std::vector<nn::NamedTensor>& given);
/// A constant that was made in the size of the batch, with the same numbers for each sample: one
/// sample's, to be broadcast. Undefined where the numbers differ.
Tensor batch_row(const TracedValue& constant);
/// Numbers in the form of an argument, the same everywhere: sin-like values, or small whole numbers
/// below `classes`.
Tensor sample_input(const TensorMeta& meta, std::int64_t batch, std::int64_t classes);
/// How many different whole numbers an argument may hold; 0: it holds real numbers.
std::int64_t classes_of(const Outline& outline, const Value& argument);

} // namespace wiregrad::graph

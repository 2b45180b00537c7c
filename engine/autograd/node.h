// A recorded op and the autograd side of a tensor. For engine/core, engine/op and engine/autograd
// only. A graph belongs to the thread that records it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/autograd/tape.h"
#include "engine/op/op.h"

namespace wiregrad::autograd {

struct Node;
using Hook = std::function<void(const Tensor&)>;

/// What a tensor that takes part in differentiation carries.
struct Meta {
    std::shared_ptr<Node> node; ///< the op that made it; null for a leaf
    int output = 0;             ///< which of its outputs
    bool requires_grad = false; ///< for leaves
    Tensor grad;                ///< for leaves
    std::vector<Hook> hooks;    ///< for leaves; a result's hooks lie in its node
};

/// Where a gradient flows next: to a node's output, or into a leaf, or nowhere.
struct Edge {
    std::shared_ptr<Node> node;
    int output = 0;
    std::shared_ptr<Meta> leaf;
    bool leads() const { return node != nullptr || leaf != nullptr; }
};

struct Saved {
    Tensor tensor;
    std::uint32_t version = 0;
};

struct Node {
    const Op* op = nullptr;
    Attrs attrs;
    std::uint64_t sequence =
        0; ///< grows with each recorded op, so that inputs always have smaller numbers
    std::uint32_t origin = 0; ///< of the graph's node (engine/core/recorder.h)
    std::vector<TensorMeta> input_metas;
    std::vector<TensorMeta> output_metas;
    std::vector<Edge> edges;          ///< one for each input
    std::vector<Saved> saved_inputs;  ///< empty, or one for each input
    std::vector<Saved> saved_outputs; ///< detached, or the node would own itself
    std::vector<std::pair<int, Hook>> hooks;
    bool released = false;

    Node() = default;
    ~Node(); ///< iterative: a chain of 100,000 nodes is released without recursion
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    void release(); ///< drops saved tensors and edges
};

/// Runs the op below and records it when a gradient may be wanted. The bottom of the interpreter
/// stack.
Tensors record(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs);

} // namespace wiregrad::autograd

#include "engine/autograd/tape.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "engine/autograd/node.h"
#include "engine/core/error.h"
#include "engine/core/recorder.h"
#include "engine/core/tensor_body.h"
#include "engine/op/bottom.h"
#include "engine/op/ops.h"

namespace wiregrad {
namespace autograd {
namespace {

thread_local bool t_enabled = true;
thread_local bool t_backward = false;
std::atomic<std::uint64_t> g_sequence{0};

/// What released nodes leave behind, waiting to be destroyed one after the other.
struct Garbage {
    std::vector<Edge> edges;
    std::vector<Saved> inputs, outputs;
};
thread_local std::vector<Garbage>* t_garbage = nullptr;

bool wants_gradient(const Tensor& tensor) {
    if (!tensor.defined()) return false;
    const Meta* meta = tensor.body()->grad_meta.get();
    return meta != nullptr && (meta->node != nullptr || meta->requires_grad);
}

Edge edge_to(const Tensor& tensor) {
    const auto& meta = tensor.body()->grad_meta;
    if (meta->node != nullptr) return {meta->node, meta->output, nullptr};
    return {nullptr, 0, meta};
}

TensorMeta meta_of(const Tensor& tensor) {
    if (!tensor.defined()) return {};
    return {tensor.shape(), tensor.dtype(), tensor.device()};
}

std::string quoted(const Op& op) {
    return "`" + std::string(op.name) + "`";
}

void check_version(const Node& node, const Saved& saved, const char* role, std::size_t i) {
    const std::uint32_t now = saved.tensor.version();
    if (now == saved.version) return;
    throw AutogradError(
        "A tensor that " + quoted(*node.op) +
        " saved for its gradient was changed in place since: " + role + " " + std::to_string(i) +
        ", " + std::string(name_of(saved.tensor.dtype())) + saved.tensor.shape().str() +
        ", was saved at version " + std::to_string(saved.version) + " and is now at version " +
        std::to_string(now) + ". Change a clone instead, or change it after backward.");
}

struct Targets {
    std::unordered_map<const Node*, std::vector<std::pair<int, std::size_t>>>
        nodes; ///< output index, position in the result
    std::unordered_map<const Meta*, std::vector<std::size_t>> leaves;
    std::vector<Tensor> found;
};

/// One backward pass. Nodes are processed from the latest recorded to the earliest, so that a
/// node's gradient is complete when its turn comes: whatever contributes to it was recorded later.
class Pass {
  public:
    Pass(BackwardOptions options, Targets* targets) : options_(options), targets_(targets) {}

    void run(std::span<const Tensor> roots, std::span<const Tensor> seeds) {
        struct Restore {
            bool enabled, backward;
            ~Restore() {
                t_enabled = enabled;
                t_backward = backward;
            }
        } const restore{std::exchange(t_enabled, options_.create_graph),
                        std::exchange(t_backward, true)};
        std::vector<Edge> starts;
        for (std::size_t i = 0; i < roots.size(); ++i)
            starts.push_back(check_root(roots[i], i));
        if (targets_ != nullptr) find_needed(starts);
        for (std::size_t i = 0; i < roots.size(); ++i)
            flow(starts[i], seed_for(roots[i], seeds, i));
        while (!heap_.empty()) {
            std::pop_heap(heap_.begin(), heap_.end());
            const auto turn = pending_.find(heap_.back().second);
            heap_.pop_back();
            Pending pending = std::move(turn->second);
            pending_.erase(turn);
            step(pending);
        }
        for (auto& [meta, held] : held_leaves_) {
            for (const Hook& hook : held.first->hooks)
                hook(held.second);
            deliver(*held.first, std::move(held.second));
        }
    }

  private:
    struct Pending {
        std::shared_ptr<Node> node;
        std::vector<Tensor> grads;
    };

    static Edge check_root(const Tensor& root, std::size_t i) {
        if (!wants_gradient(root)) {
            throw AutogradError("There is nothing to differentiate: root " + std::to_string(i) +
                                " does not depend on anything that requires a gradient.");
        }
        return edge_to(root);
    }

    static Tensor seed_for(const Tensor& root, std::span<const Tensor> seeds, std::size_t i) {
        if (i < seeds.size() && seeds[i].defined()) {
            if (seeds[i].shape() != root.shape()) {
                throw ShapeError("backward: seed " + std::to_string(i) + " has shape " +
                                 seeds[i].shape().str() + ", its root " + root.shape().str() + ".");
            }
            return seeds[i].dtype() == root.dtype() ? seeds[i] : to(seeds[i], root.dtype());
        }
        if (root.numel() != 1) {
            throw AutogradError(
                "backward needs a seed for a root with more than one element; root " +
                std::to_string(i) + " has shape " + root.shape().str() + ".");
        }
        return Tensor::full(root.shape(), 1, root.dtype(), root.device());
    }

    /// Which nodes lead to a target; the others are not run.
    void find_needed(std::span<const Edge> starts) {
        std::vector<Node*> order, stack;
        std::unordered_set<const Node*> seen;
        for (const Edge& start : starts) {
            if (start.node != nullptr && seen.insert(start.node.get()).second)
                stack.push_back(start.node.get());
        }
        while (!stack.empty()) {
            Node* node = stack.back();
            stack.pop_back();
            order.push_back(node);
            for (const Edge& edge : node->edges) {
                if (edge.node != nullptr && seen.insert(edge.node.get()).second)
                    stack.push_back(edge.node.get());
            }
        }
        std::sort(order.begin(), order.end(),
                  [](const Node* a, const Node* b) { return a->sequence < b->sequence; });
        for (const Node* node : order) {
            if (std::any_of(node->edges.begin(), node->edges.end(),
                            [this](const Edge& edge) { return wanted(edge); })) {
                needed_.insert(node);
            }
        }
    }

    bool wanted(const Edge& edge) const {
        if (!edge.leads()) return false;
        if (targets_ == nullptr) return true;
        if (edge.leaf != nullptr) return targets_->leaves.contains(edge.leaf.get());
        return needed_.contains(edge.node.get()) || targets_->nodes.contains(edge.node.get());
    }

    void flow(const Edge& edge, Tensor grad) {
        if (!grad.defined() || !wanted(edge)) return;
        if (edge.leaf != nullptr) {
            if (edge.leaf->hooks.empty() && targets_ == nullptr) {
                deliver(*edge.leaf, std::move(grad));
            } else { // hooks and results of grad() see the complete gradient
                auto& held = held_leaves_[edge.leaf.get()];
                held.first = edge.leaf;
                held.second = held.second.defined() ? add(held.second, grad) : std::move(grad);
            }
            return;
        }
        Node* node = edge.node.get();
        auto [entry, added] = pending_.try_emplace(node);
        if (added) {
            entry->second.node = edge.node;
            entry->second.grads.resize(node->output_metas.size());
            heap_.emplace_back(node->sequence, node);
            std::push_heap(heap_.begin(), heap_.end());
        }
        Tensor& sum = entry->second.grads[static_cast<std::size_t>(edge.output)];
        sum = sum.defined() ? add(sum, grad) : std::move(grad);
    }

    void deliver(Meta& leaf, Tensor grad) {
        if (targets_ != nullptr) {
            for (const std::size_t at : targets_->leaves[&leaf])
                targets_->found[at] = grad;
            return;
        }
        if (leaf.grad.defined()) {
            if (options_.create_graph || wants_gradient(leaf.grad) ||
                leaf.grad.shape() != grad.shape()) {
                leaf.grad = add(leaf.grad, grad);
            } else {
                static const Op& add_in_place = find_op("add_");
                const Tensor inputs[] = {leaf.grad, grad};
                call(add_in_place, inputs);
            }
            return;
        }
        // A gradient that somebody else can also see is copied, so that changing grad() in place
        // stays harmless.
        const bool own = grad.body().use_count() == 1 && grad.body()->storage.use_count() == 1 &&
                         grad.is_contiguous();
        leaf.grad = own || options_.create_graph ? std::move(grad) : grad.clone();
    }

    void step(Pending& pending) {
        const std::shared_ptr<Node>& node = pending.node;
        for (const auto& [output, hook] : node->hooks) {
            const Tensor& grad = pending.grads[static_cast<std::size_t>(output)];
            if (grad.defined()) hook(grad);
        }
        if (targets_ != nullptr) {
            if (const auto found = targets_->nodes.find(node.get());
                found != targets_->nodes.end()) {
                for (const auto& [output, at] : found->second)
                    targets_->found[at] = pending.grads[static_cast<std::size_t>(output)];
            }
            if (!needed_.contains(node.get())) return;
        }
        if (node->released) {
            throw AutogradError("backward went through " + quoted(*node->op) +
                                " a second time, but what it saved was released by the first; ask "
                                "the first for retain_graph.");
        }
        Tensors results = gradients(node, pending.grads);
        pending.grads.clear();
        std::vector<Edge> edges =
            options_.retain_graph || options_.create_graph ? node->edges : std::move(node->edges);
        if (!options_.retain_graph && !options_.create_graph) node->release();
        for (std::size_t i = 0; i < edges.size(); ++i) {
            if (wanted(edges[i])) flow(edges[i], std::move(results[i]));
        }
    }

    Tensors gradients(const std::shared_ptr<Node>& node, std::span<const Tensor> grads) {
        const Origin origin(node->origin);
        std::vector<Tensor> inputs(node->input_metas.size());
        std::vector<Tensor> outputs(node->output_metas.size());
        for (std::size_t i = 0; i < node->saved_inputs.size(); ++i) {
            const Saved& saved = node->saved_inputs[i];
            if (!saved.tensor.defined()) continue;
            check_version(*node, saved, "input", i);
            inputs[i] = saved.tensor;
        }
        for (std::size_t i = 0; i < node->saved_outputs.size(); ++i) {
            const Saved& saved = node->saved_outputs[i];
            if (!saved.tensor.defined()) continue;
            check_version(*node, saved, "output", i);
            outputs[i] = saved.tensor;
            if (options_.create_graph &&
                is_floating(saved.tensor.dtype())) { // with its history again
                outputs[i] = saved.tensor.detach();
                outputs[i].body()->grad_meta =
                    std::make_shared<Meta>(Meta{node, static_cast<int>(i), false, {}, {}});
            }
        }
        Mask needs = 0;
        for (std::size_t i = 0; i < node->edges.size(); ++i) {
            if (wanted(node->edges[i])) needs |= Mask{1} << i;
        }
        Tensors results = node->op->gradient(
            {*node->op, node->attrs, node->input_metas, inputs, outputs, grads, needs});
        results.resize(node->input_metas.size());
        for (std::size_t i = 0; i < results.size(); ++i) {
            Tensor& result = results[i];
            if (!result.defined() || ((needs >> i) & 1U) == 0) continue;
            const TensorMeta& meta = node->input_metas[i];
            if (result.shape() != meta.shape) {
                if ((node->op->flags & kElementwise) == 0) {
                    throw ShapeError("The gradient of " + quoted(*node->op) + " for input " +
                                     std::to_string(i) + " has shape " + result.shape().str() +
                                     " instead of " + meta.shape.str() + ".");
                }
                result = sum_to(result, meta.shape); // undoes broadcasting
            }
            if (result.dtype() != meta.dtype) result = to(result, meta.dtype);
        }
        return results;
    }

    BackwardOptions options_;
    Targets* targets_;
    std::unordered_set<const Node*> needed_;
    std::unordered_map<Node*, Pending> pending_;
    std::vector<std::pair<std::uint64_t, Node*>> heap_;
    std::unordered_map<Meta*, std::pair<std::shared_ptr<Meta>, Tensor>> held_leaves_;
};

} // namespace

bool in_backward() {
    return t_backward;
}
bool enabled() {
    return t_enabled;
}

NoGrad::NoGrad() : previous_(std::exchange(t_enabled, false)) {}
NoGrad::~NoGrad() {
    t_enabled = previous_;
}
EnableGrad::EnableGrad() : previous_(std::exchange(t_enabled, true)) {}
EnableGrad::~EnableGrad() {
    t_enabled = previous_;
}

Node::~Node() {
    release();
}

void Node::release() {
    released = true;
    if (edges.empty() && saved_inputs.empty() && saved_outputs.empty()) return;
    Garbage mine{std::move(edges), std::move(saved_inputs), std::move(saved_outputs)};
    edges.clear();
    saved_inputs.clear();
    saved_outputs.clear();
    if (t_garbage != nullptr) {
        t_garbage->push_back(std::move(mine));
        return;
    }
    std::vector<Garbage> waiting;
    waiting.push_back(std::move(mine));
    t_garbage = &waiting;
    while (!waiting.empty()) {
        const Garbage next = std::move(waiting.back());
        waiting.pop_back();
    }
    t_garbage = nullptr;
}

Tensors record(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs) {
    Mask needs = 0;
    if (t_enabled && (op.flags & kNoGrad) == 0 && (!shape_only_active() || recorder() != nullptr)) {
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            if (!wants_gradient(inputs[i])) continue;
            if (i >= std::numeric_limits<Mask>::digits)
                throw AutogradError(quoted(op) + " has " + std::to_string(inputs.size()) +
                                    " inputs; a gradient reaches the first " +
                                    std::to_string(std::numeric_limits<Mask>::digits) +
                                    " only. Call it in parts.");
            needs |= Mask{1} << i;
        }
    }
    if (needs == 0) return run_bottom(op, inputs, attrs);
    if ((op.flags & kInPlace) != 0) {
        throw AutogradError(quoted(op) + " writes in place, which is allowed for tensors that "
                                         "require a gradient only within NoGrad.");
    }
    if (op.gradient == nullptr) throw AutogradError(quoted(op) + " has no gradient.");

    Tensors outputs = run_bottom(op, inputs, attrs);
    auto node = std::make_shared<Node>();
    node->op = &op;
    node->attrs = attrs;
    node->origin = Origin::current();
    node->sequence = g_sequence.fetch_add(1, std::memory_order_relaxed) + 1;
    node->input_metas.reserve(inputs.size());
    node->edges.resize(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        node->input_metas.push_back(meta_of(inputs[i]));
        if (((needs >> i) & 1U) != 0) node->edges[i] = edge_to(inputs[i]);
    }
    node->output_metas.reserve(outputs.size());
    for (const Tensor& output : outputs)
        node->output_metas.push_back(meta_of(output));

    const Saves saves = op.saves != nullptr ? op.saves(needs, attrs) : Saves{};
    if (saves.inputs != 0) {
        node->saved_inputs.resize(inputs.size());
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            if (((saves.inputs >> i) & 1U) != 0 && inputs[i].defined())
                node->saved_inputs[i] = {inputs[i], inputs[i].version()};
        }
    }
    if (saves.outputs != 0) {
        node->saved_outputs.resize(outputs.size());
        for (std::size_t i = 0; i < outputs.size(); ++i) {
            if (((saves.outputs >> i) & 1U) != 0)
                node->saved_outputs[i] = {outputs[i].detach(), outputs[i].version()};
        }
    }
    const auto visible = std::min(outputs.size(), static_cast<std::size_t>(op.visible_outputs));
    for (std::size_t i = 0; i < visible; ++i) {
        if (!is_floating(outputs[i].dtype())) continue;
        outputs[i].body()->grad_meta =
            std::make_shared<Meta>(Meta{node, static_cast<int>(i), false, {}, {}});
    }
    return outputs;
}

void backward(std::span<const Tensor> roots, std::span<const Tensor> seeds,
              BackwardOptions options) {
    Pass(options, nullptr).run(roots, seeds);
}

std::vector<Tensor> grad(std::span<const Tensor> roots, std::span<const Tensor> inputs,
                         std::span<const Tensor> seeds, BackwardOptions options) {
    Targets targets;
    targets.found.resize(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!wants_gradient(inputs[i])) {
            throw AutogradError("grad: input " + std::to_string(i) +
                                " does not require a gradient.");
        }
        const Edge edge = edge_to(inputs[i]);
        if (edge.leaf != nullptr)
            targets.leaves[edge.leaf.get()].push_back(i);
        else
            targets.nodes[edge.node.get()].emplace_back(edge.output, i);
    }
    Pass(options, &targets).run(roots, seeds);
    return std::move(targets.found);
}

void register_hook(const Tensor& tensor, std::function<void(const Tensor& grad)> hook) {
    if (!wants_gradient(tensor))
        throw AutogradError("register_hook: the tensor does not require a gradient.");
    Meta& meta = *tensor.body()->grad_meta;
    if (meta.node != nullptr)
        meta.node->hooks.emplace_back(meta.output, std::move(hook));
    else
        meta.hooks.push_back(std::move(hook));
}

} // namespace autograd

bool Tensor::requires_grad() const {
    return autograd::wants_gradient(*this);
}

bool Tensor::is_leaf() const {
    return !defined() || body_->grad_meta == nullptr || body_->grad_meta->node == nullptr;
}

Tensor& Tensor::set_requires_grad(bool value) {
    if (!is_leaf())
        throw AutogradError("set_requires_grad works on leaves only; this tensor is the result of "
                            "an op. Use detach().");
    if (value && !is_floating(dtype())) {
        throw AutogradError("Only floating tensors can require a gradient, not " +
                            std::string(name_of(dtype())) + ".");
    }
    if (body_->grad_meta == nullptr) {
        if (!value) return *this;
        body_->grad_meta = std::make_shared<autograd::Meta>();
    }
    body_->grad_meta->requires_grad = value;
    return *this;
}

Tensor Tensor::grad() const {
    return defined() && body_->grad_meta != nullptr ? body_->grad_meta->grad : Tensor();
}

void Tensor::set_grad(const Tensor& grad) {
    if (!is_leaf()) throw AutogradError("set_grad works on leaves only.");
    if (grad.defined() && grad.shape() != shape()) {
        throw ShapeError("A gradient of shape " + grad.shape().str() +
                         " does not fit a tensor of shape " + shape().str() + ".");
    }
    if (body_->grad_meta == nullptr) body_->grad_meta = std::make_shared<autograd::Meta>();
    body_->grad_meta->grad = grad;
}

} // namespace wiregrad

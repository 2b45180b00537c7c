// Fused rows in place of what layers call one after the other, where the backend binds them.
#include <algorithm>

#include "engine/program/passes.h"

namespace wiregrad::program {
namespace {

bool can_bind(const Op& op, const Program& program, const Instruction& instruction) {
    const Device device = program.value(instruction.outputs[0]).meta.device;
    return op.bind[static_cast<std::size_t>(device.type)] != nullptr;
}

/// How many instructions and outputs read each root, views not counted.
std::vector<int> readers(const Program& program) {
    std::vector<int> count(program.values.size(), 0);
    for (const Instruction& instruction : program.instructions) {
        if (instruction.is_view()) continue;
        for (const int id : instruction.inputs)
            if (id >= 0) ++count[static_cast<std::size_t>(program.root(id))];
    }
    for (const Output& output : program.outputs)
        ++count[static_cast<std::size_t>(program.root(output.value))];
    return count;
}

/// Whether `id` is computed before instruction `at`.
bool ready(const Program& program, int id, std::size_t at) {
    const int root = program.root(id);
    if (program.value(root).role != Role::Temp) return true;
    for (std::size_t i = 0; i < at; ++i)
        for (const int made : program.instructions[i].outputs)
            if (made == id) return true;
    return false;
}

struct Fused {
    std::string_view base, name;
};
constexpr Fused kWithActivation[] = {
    {"linear", "linear_act"}, {"conv2d", "conv2d_act"}, {"batch_norm", "batch_norm_act"}};
constexpr std::string_view kActivations[] = {"relu", "tanh", "sigmoid"};

/// y = f(layer(x)), where nobody else looks at layer(x): the backward of these activations needs
/// only y.
void take_activations_along(Program& program) {
    const std::vector<int> read = readers(program);
    for (std::size_t i = 0; i < program.instructions.size(); ++i) {
        Instruction& layer = program.instructions[i];
        const auto fused = std::find_if(std::begin(kWithActivation), std::end(kWithActivation),
                                        [&](const Fused& f) { return f.base == layer.op->name; });
        if (fused == std::end(kWithActivation)) continue;
        const Op& op = find_op(fused->name);
        const int made = layer.outputs[0];
        if (!can_bind(op, program, layer) || read[static_cast<std::size_t>(made)] != 1) continue;
        const auto activation = std::find_if(
            program.instructions.begin() + static_cast<std::ptrdiff_t>(i),
            program.instructions.end(), [&](const Instruction& later) {
                return !later.is_view() && !later.inputs.empty() && later.inputs[0] == made;
            });
        if (activation == program.instructions.end() || activation->update != layer.update ||
            std::find(std::begin(kActivations), std::end(kActivations), activation->op->name) ==
                std::end(kActivations))
            continue;
        std::string name(activation->op->name);
        Attrs attrs = layer.attrs;
        attrs.set("activation", name);
        layer.attrs = attrs;
        layer.op = &op;
        layer.outputs[0] = activation->outputs[0];
        program.instructions.erase(activation);
    }
}

/// The gradient of a relu goes along with that of the batch norm before it.
void take_relu_gradients_along(Program& program) {
    const Op& op = find_op("batch_norm_act_backward");
    const std::vector<int> read = readers(program);
    std::vector<int> maker(program.values.size(), -1); ///< instruction, by value
    for (std::size_t i = 0; i < program.instructions.size(); ++i)
        if (!program.instructions[i].is_view())
            for (const int id : program.instructions[i].outputs)
                maker[static_cast<std::size_t>(id)] = static_cast<int>(i);
    const auto made_by = [&](int id, std::string_view name) -> const Instruction* {
        if (id < 0 || maker[static_cast<std::size_t>(id)] < 0) return nullptr;
        const Instruction& found =
            program.instructions[static_cast<std::size_t>(maker[static_cast<std::size_t>(id)])];
        return found.op->name == name ? &found : nullptr;
    };
    for (Instruction& norm : program.instructions) {
        if (norm.op->name != "batch_norm_backward" || !can_bind(op, program, norm)) continue;
        const Instruction* const relu = made_by(norm.inputs[0], "relu_backward");
        if (relu == nullptr || read[static_cast<std::size_t>(norm.inputs[0])] != 1) continue;
        const int y = relu->inputs[1];
        const Instruction* const forward = made_by(y, "batch_norm_act");
        if (forward == nullptr || forward->attrs.text("activation") != "relu" ||
            forward->inputs[0] != norm.inputs[1] || forward->inputs[1] != norm.inputs[2] ||
            forward->outputs[1] != norm.inputs[3] || forward->outputs[2] != norm.inputs[4])
            continue;
        norm.inputs[0] = relu->inputs[0];
        norm.inputs.push_back(forward->inputs[2]);
        norm.inputs.push_back(y);
        norm.op = &op;
    }
}

/// matmul(g^T, x) and sum(g) over rows as one pass over g.
void join_weight_gradients(Program& program) {
    const Op& op = find_op("linear_weight_grad");
    const auto is_transposed = [&](const Value& view, const Value& of, int root) {
        return view.meta.shape.size() == 2 && of.meta.shape.size() == 2 && view.base == root &&
               view.offset == of.offset && view.meta.shape[0] == of.meta.shape[1] &&
               view.meta.shape[1] == of.meta.shape[0] && view.strides[0] == of.strides[1] &&
               view.strides[1] == of.strides[0];
    };
    for (std::size_t i = 0; i < program.instructions.size(); ++i) {
        const Instruction& sum = program.instructions[i];
        if (sum.op->name != "sum" || sum.attrs.dims("dims") != Dims{0} ||
            program.value(sum.inputs[0]).meta.shape.size() != 2 || !can_bind(op, program, sum))
            continue;
        const int g = sum.inputs[0];
        const Value& gradient = program.value(g);
        if (!gradient.contiguous()) continue;
        for (std::size_t j = 0; j < program.instructions.size(); ++j) {
            const Instruction& product = program.instructions[j];
            if (product.op->name != "matmul" || product.update != sum.update ||
                !is_transposed(program.value(product.inputs[0]), gradient, program.root(g)))
                continue;
            const Value& x = program.value(product.inputs[1]);
            if (x.meta.shape.size() != 2 || !x.contiguous() ||
                program.value(program.root(g)).role != Role::Temp)
                continue;
            Value vector = program.value(sum.outputs[0]);
            if (vector.meta.shape != Shape{gradient.meta.shape[1]}) continue;
            Instruction joined = product;
            joined.op = &op;
            joined.attrs = {};
            joined.inputs = {g, product.inputs[1]};
            joined.outputs = {product.outputs[0], sum.outputs[0]};
            // At the place of the first of the two: both need only g and x.
            const std::size_t first = std::min(i, j), last = std::max(i, j);
            if (first != j && !ready(program, product.inputs[1], first)) continue;
            program.instructions[first] = std::move(joined);
            program.instructions.erase(program.instructions.begin() +
                                       static_cast<std::ptrdiff_t>(last));
            break;
        }
    }
}

} // namespace

void fuse_layers(Program& program) {
    take_activations_along(program);
    take_relu_gradients_along(program);
    join_weight_gradients(program);
    remove_dead(program);
}

} // namespace wiregrad::program

// Recurrent layers and attention in ONNX's operators.
#include <limits>

#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "nodes/export/onnx_ops.h"

namespace wiregrad::graph {

namespace {

using Ints = std::vector<std::int64_t>;

/// Inputs of a recurrent op, as engine/op/nn/recurrent.cpp orders them.
enum Input : std::size_t { kX, kH0, kWih, kWhh, kBih, kBhh, kLengths, kC0 };

bool has(const TracedOp& op, std::size_t i) {
    return i < op.inputs.size() && op.inputs[i] >= 0;
}

/// Gates in ONNX's order, and a dimension of 1 for the one direction in front.
Tensor gates(const Tensor& weight, const Ints& order) {
    const Tensor whole = weight.detach().contiguous();
    const std::int64_t size = whole.size(0) / static_cast<std::int64_t>(order.size());
    Tensors parts;
    for (const std::int64_t gate : order)
        parts.push_back(slice(whole, 0, gate * size, (gate + 1) * size));
    return unsqueeze(cat(parts, 0), 0).clone();
}

void recurrent(OnnxBuilder& b, const TracedOp& op) {
    const std::string name(op.op->name);
    // PyTorch: LSTM i f g o, GRU r z n. ONNX: LSTM i o f c, GRU z r h.
    const Ints order = name == "lstm" ? Ints{0, 3, 1, 2} : name == "gru" ? Ints{1, 0, 2} : Ints{0};
    const auto data = [&](std::size_t input) -> Tensor {
        const TracedValue& value = b.trace.values[static_cast<std::size_t>(op.inputs[input])];
        if (!value.data.defined())
            throw ValueError("its weights are computed, which ONNX does not allow", op.node);
        return value.data;
    };
    const std::int64_t hidden = data(kWhh).size(1);
    std::vector<std::string> inputs{b.weight(op.inputs[kX]), b.constant(gates(data(kWih), order)),
                                    b.constant(gates(data(kWhh), order))};
    std::string bias;
    if (has(op, kBih) || has(op, kBhh)) {
        const auto part = [&](std::size_t input) {
            return has(op, input)
                       ? gates(data(input), order)
                       : Tensor::zeros({1, hidden * static_cast<std::int64_t>(order.size())});
        };
        const Tensor parts[] = {part(kBih), part(kBhh)};
        bias = b.constant(cat(parts, 1));
    }
    inputs.push_back(bias);
    inputs.push_back(has(op, kLengths) ? b.node("Cast", {b.weight(op.inputs[kLengths])},
                                                {{"to", std::int64_t{6}}})
                                       : "");
    const auto state = [&](std::size_t input) {
        return has(op, input) ? b.node("Unsqueeze", {b.weight(op.inputs[input]), b.integers({0})})
                              : std::string();
    };
    inputs.push_back(state(kH0));
    if (name == "lstm") inputs.push_back(state(kC0));
    while (!inputs.empty() && inputs.back().empty())
        inputs.pop_back();
    OnnxBuilder::Attributes attributes{
        {"hidden_size", hidden},
        {"direction", std::string(op.attrs.flag("reverse") ? "reverse" : "forward")}};
    if (name == "gru") attributes.emplace_back("linear_before_reset", std::int64_t{1});
    if (name == "rnn_relu")
        attributes.emplace_back("activations", std::vector<std::string>{"Relu"});
    const std::string y = b.node(name == "lstm"  ? "LSTM"
                                 : name == "gru" ? "GRU"
                                                 : "RNN",
                                 inputs, attributes);
    auto& made = b.model.nodes.back();
    const std::string h = y + "/h", c = y + "/c";
    made.outputs.push_back(h);
    if (name == "lstm") made.outputs.push_back(c);
    b.result(op.outputs[0], "Squeeze", {y, b.integers({1})});
    b.result(op.outputs[1], "Squeeze", {h, b.integers({0})});
    if (name == "lstm") b.result(op.outputs[2], "Squeeze", {c, b.integers({0})});
}

void attention(OnnxBuilder& b, const TracedOp& op) {
    const DType dtype = b.dtype(op.inputs[0]);
    const auto input = [&](std::size_t i) { return b.weight(op.inputs[i]); };
    const std::int64_t rank = static_cast<std::int64_t>(b.shape(op.inputs[1]).size());
    Ints turned;
    for (std::int64_t d = 0; d < rank; ++d)
        turned.push_back(d);
    std::swap(turned[static_cast<std::size_t>(rank) - 2], turned.back());
    std::string scores =
        b.node("MatMul", {b.node("Mul", {input(0), b.number(op.attrs.real("scale"), dtype)}),
                          b.node("Transpose", {input(1)}, {{"perm", turned}})});
    const std::string never = b.number(-std::numeric_limits<double>::infinity(), dtype);
    if (has(op, 3))
        scores = b.dtype(op.inputs[3]) == DType::Bool ? b.node("Where", {input(3), scores, never})
                                                      : b.node("Add", {scores, input(3)});
    if (op.attrs.flag("is_causal")) {
        const Sizes &q = b.shape(op.inputs[0]), &k = b.shape(op.inputs[1]);
        const std::int64_t queries = q[q.size() - 2].constant, keys = k[k.size() - 2].constant;
        std::vector<std::uint8_t> seen;
        for (std::int64_t i = 0; i < queries; ++i)
            for (std::int64_t j = 0; j < keys; ++j)
                seen.push_back(j <= i);
        scores = b.node("Where", {b.constant(to(Tensor::from(seen, {queries, keys}), DType::Bool)),
                                  scores, never});
    }
    b.result(op.outputs[0], "MatMul",
             {b.node("Softmax", {scores}, {{"axis", std::int64_t{-1}}}), input(2)});
}

} // namespace

OnnxRule find_onnx_sequence_rule(std::string_view op) {
    if (op == "lstm" || op == "gru" || op == "rnn_tanh" || op == "rnn_relu") return recurrent;
    if (op == "scaled_dot_product_attention") return attention;
    return nullptr;
}

} // namespace wiregrad::graph

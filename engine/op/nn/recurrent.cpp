// Rows of recurrent layers, one layer in one direction each: lstm, gru, rnn_tanh, rnn_relu and
// their backward kernels. Inputs x, h0, w_ih, w_hh, b_ih, b_hh, lengths (and c0); a backward that
// is itself recorded goes through smaller ops instead.
#include "engine/backend/cpu/recurrent.h"

#include "engine/op/nn/common.h"
#include "engine/op/nn/composed.h"
#include "engine/op/nn/rows.h"

namespace wiregrad {

namespace {

using namespace rows;
using cpu::Cell;

enum Input { kX, kH0, kWih, kWhh, kBih, kBhh, kLengths, kC0 };

Cell cell_of(const Op& op) {
    if (op.name.starts_with("lstm")) return Cell::Lstm;
    if (op.name.starts_with("gru")) return Cell::Gru;
    return op.name.starts_with("rnn_relu") ? Cell::Relu : Cell::Tanh;
}

void require_shape(const ShapeCall& call, int input, std::string_view what, const Shape& expected,
                   std::string_view why) {
    if (!present(call, input)) return;
    const Shape& shape = call.inputs[static_cast<std::size_t>(input)].shape;
    if (shape != expected)
        throw ShapeError(fmt::format("{}: {} is {}, {} needs {}", call.op.name, what, shape.str(),
                                     why, expected.str()));
}

cpu::RecurrentGeometry geometry(Cell cell, bool reverse, const Shape& x, const Shape& w_hh) {
    return {cell, x[0], x[1], x[2], w_hh[1], reverse};
}

/// Refuses what does not fit.
cpu::RecurrentGeometry checked_geometry(const ShapeCall& call) {
    const std::string_view name = call.op.name;
    require_floating(call, {kX, kH0, kWih, kWhh, kBih, kBhh});
    const Shape &x = call.inputs[kX].shape, &w = call.inputs[kWhh].shape;
    if (x.size() != 3)
        throw ShapeError(fmt::format("{}: input {} must be [steps, batch, inputs]", name, x.str()));
    if (x[0] < 1)
        throw ShapeError(fmt::format("{}: a sequence needs at least one step, input {} has none",
                                     name, x.str()));
    const Cell cell = cell_of(call.op);
    const std::int64_t gates = cell == Cell::Lstm ? 4 : cell == Cell::Gru ? 3 : 1;
    if (w.size() != 2 || w[1] < 1 || w[0] != gates * w[1])
        throw ShapeError(fmt::format("{}: w_hh {} must be [{}hidden, hidden]", name, w.str(),
                                     gates == 1 ? std::string() : fmt::format("{} ", gates)));
    const cpu::RecurrentGeometry g = geometry(cell, call.attrs.flag("reverse"), x, w);
    const Shape& w_ih = call.inputs[kWih].shape;
    if (w_ih.size() != 2 || w_ih[1] != g.inputs)
        throw ShapeError(fmt::format("{}: w_ih {} expects {} inputs a step, input {} has {}", name,
                                     w_ih.str(), w_ih.size() == 2 ? w_ih[1] : 0, x.str(),
                                     g.inputs));
    const std::string why = fmt::format("w_hh {}", w.str());
    require_shape(call, kWih, "w_ih", {g.gates(), g.inputs}, why);
    require_shape(call, kBih, "b_ih", {g.gates()}, why);
    require_shape(call, kBhh, "b_hh", {g.gates()}, why);
    const std::string batch = fmt::format("a batch of {} with {} hidden units", g.batch, g.hidden);
    require_shape(call, kH0, "h0", {g.batch, g.hidden}, batch);
    require_shape(call, kLengths, "lengths", {g.batch}, batch);
    if (present(call, kLengths) && call.inputs[kLengths].dtype != DType::Int64)
        throw DTypeError(fmt::format("{}: lengths are {}, int64 is needed", name,
                                     name_of(call.inputs[kLengths].dtype)));
    if (cell == Cell::Lstm) {
        require_shape(call, kC0, "c0", {g.batch, g.hidden}, batch);
        if (present(call, kC0) && call.inputs[kC0].dtype != call.inputs[kX].dtype)
            throw DTypeError(fmt::format("{}: c0 is {} but the input is {}", name,
                                         name_of(call.inputs[kC0].dtype),
                                         name_of(call.inputs[kX].dtype)));
    }
    return g;
}

Metas forward_shape(const ShapeCall& call) {
    const cpu::RecurrentGeometry g = checked_geometry(call);
    const auto meta = [&](const Shape& shape) {
        return TensorMeta{shape, call.inputs[kX].dtype, call.inputs[kX].device};
    };
    const TensorMeta state = meta({g.batch, g.hidden});
    Metas out{meta({g.steps, g.batch, g.hidden}), state};
    if (g.cell == Cell::Lstm) out.push_back(state);
    if (g.saved() > 0) out.push_back(meta({g.steps, g.batch, g.saved()}));
    if (g.cell == Cell::Lstm) out.push_back(meta({g.steps, g.batch, g.hidden}));
    return out;
}

/// Tensors made contiguous for the life of a kernel call.
class Keep {
  public:
    template <class T> const T* of(const Tensor& tensor) {
        kept_.emplace_back();
        return data_or_null<T>(tensor, kept_.back());
    }

  private:
    std::vector<Tensor> kept_;
};

const std::int64_t* checked_lengths(const KernelCall& call, const Tensor& lengths,
                                    std::int64_t steps, Keep& keep) {
    const auto* values = keep.of<std::int64_t>(lengths);
    for (std::int64_t n = 0; values != nullptr && n < lengths.numel(); ++n)
        if (values[n] < 1 || values[n] > steps)
            throw ValueError(fmt::format("{}: lengths[{}] is {}, it must lie between 1 and the {} "
                                         "steps of the input",
                                         call.op.name, n, values[n], steps));
    return values;
}

Tensor working_space(std::size_t count, DType dtype) {
    return Tensor::empty({dtype == DType::Float32 ? static_cast<std::int64_t>(count) : 0}, dtype);
}

void forward_kernel(const KernelCall& call) {
    const cpu::RecurrentGeometry g = geometry(cell_of(call.op), call.attrs.flag("reverse"),
                                              call.inputs[kX].shape(), call.inputs[kWhh].shape());
    by_float(call.inputs[kX].dtype(), [&]<class T>(T) {
        Keep keep;
        const auto in = [&](int i) { return keep.of<T>(call.inputs[static_cast<std::size_t>(i)]); };
        const auto out = [&](std::size_t i) { return call.outputs[i].template data_mut<T>(); };
        const bool lstm = g.cell == Cell::Lstm;
        const cpu::RecurrentForward<T> a{
            .x = in(kX),
            .h0 = in(kH0),
            .c0 = lstm ? in(kC0) : nullptr,
            .w_ih = in(kWih),
            .w_hh = in(kWhh),
            .b_ih = in(kBih),
            .b_hh = in(kBhh),
            .lengths = checked_lengths(call, call.inputs[kLengths], g.steps, keep),
            .y = out(0),
            .h_n = out(1),
            .c_n = lstm ? out(2) : nullptr,
            .saved = g.saved() == 0 ? nullptr : out(lstm ? 3 : 2),
            .cells = lstm ? out(4) : nullptr};
        Tensor space = working_space(cpu::recurrent_forward_space(g), kDTypeOf<T>);
        cpu::recurrent_forward(g, a, space.data_mut<T>());
    });
}

Cost forward_cost(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    const cpu::RecurrentGeometry g =
        geometry(cell_of(call.op), false, call.inputs[kX].shape, call.inputs[kWhh].shape);
    return {2.0 * static_cast<double>(g.rows() * g.gates()) *
                static_cast<double>(g.inputs + g.hidden),
            traffic(call, outputs)};
}

// --- backward: inputs gradients of output and h_n, x, h0, w_ih, w_hh, lengths, output, saved
// gates; LSTM also the gradient of c_n, c0, cell states. Outputs the gradients of h0, w_ih, w_hh,
// b_ih (and of c0 or, GRU, b_hh) and, when asked for, of x.

enum BackwardInput {
    kGy,
    kGhn,
    kBx,
    kBh0,
    kBWih,
    kBWhh,
    kBLengths,
    kY,
    kSaved,
    kGcn,
    kBc0,
    kCells
};

Metas backward_shape(const ShapeCall& call) {
    const auto like = [&](int i) { return call.inputs[static_cast<std::size_t>(i)]; };
    const cpu::RecurrentGeometry g =
        geometry(cell_of(call.op), false, like(kBx).shape, like(kBWhh).shape);
    const auto meta = [&](const Shape& shape) {
        return TensorMeta{shape, like(kBx).dtype, like(kBx).device};
    };
    Metas out{meta({g.batch, g.hidden}), like(kBWih), like(kBWhh), meta({g.gates()})};
    if (g.cell == Cell::Lstm) out.push_back(meta({g.batch, g.hidden}));
    if (g.cell == Cell::Gru) out.push_back(meta({g.gates()}));
    if (call.attrs.flag("of_input")) out.push_back(like(kBx));
    return out;
}

void backward_kernel(const KernelCall& call) {
    const cpu::RecurrentGeometry g = geometry(cell_of(call.op), call.attrs.flag("reverse"),
                                              call.inputs[kBx].shape(), call.inputs[kBWhh].shape());
    by_float(call.inputs[kBx].dtype(), [&]<class T>(T) {
        Keep keep;
        const auto in = [&](int i) { return keep.of<T>(call.inputs[static_cast<std::size_t>(i)]); };
        const auto out = [&](std::size_t i) { return call.outputs[i].template data_mut<T>(); };
        const bool lstm = g.cell == Cell::Lstm, gru = g.cell == Cell::Gru;
        const cpu::RecurrentBackward<T> a{
            .gy = in(kGy),
            .gh_n = in(kGhn),
            .gc_n = lstm ? in(kGcn) : nullptr,
            .x = in(kBx),
            .h0 = in(kBh0),
            .c0 = lstm ? in(kBc0) : nullptr,
            .w_ih = in(kBWih),
            .w_hh = in(kBWhh),
            .lengths = checked_lengths(call, call.inputs[kBLengths], g.steps, keep),
            .y = in(kY),
            .saved = g.saved() == 0 ? nullptr : in(kSaved),
            .cells = lstm ? in(kCells) : nullptr,
            .gx = call.attrs.flag("of_input") ? out(call.outputs.size() - 1) : nullptr,
            .gh0 = out(0),
            .gc0 = lstm ? out(4) : nullptr,
            .gw_ih = out(1),
            .gw_hh = out(2),
            .gb_ih = out(3),
            .gb_hh = gru ? out(4) : nullptr};
        Tensor space = working_space(cpu::recurrent_backward_space(g), kDTypeOf<T>);
        cpu::recurrent_backward(g, a, space.data_mut<T>());
    });
}

Cost backward_cost(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    const cpu::RecurrentGeometry g =
        geometry(cell_of(call.op), false, call.inputs[kBx].shape, call.inputs[kBWhh].shape);
    return {4.0 * static_cast<double>(g.rows() * g.gates()) *
                static_cast<double>(g.inputs + g.hidden),
            traffic(call, outputs)};
}

// --- the same in smaller ops

/// Whether step t belongs to each sequence, [batch, 1]; undefined when it does to all.
Tensor active(const Tensor& lengths, std::int64_t t) {
    if (!lengths) return {};
    return gt(reshape(lengths, {lengths.numel(), 1}),
              Tensor::full({1}, static_cast<double>(t), DType::Int64));
}

Tensors composed(Cell cell, bool reverse, const Tensor& lengths, const Tensors& in) {
    const Tensor& x = in[kX];
    const std::int64_t steps = x.size(0), batch = x.size(1), hidden = in[kWhh].size(1);
    const Tensor zero = Tensor::zeros({batch, hidden}, x.dtype());
    Tensor h = in[kH0] ? in[kH0] : zero, c = in.size() > kC0 && in[kC0] ? in[kC0] : zero;
    Tensors outputs(static_cast<std::size_t>(steps));
    for (std::int64_t s = 0; s < steps; ++s) {
        const std::int64_t t = reverse ? steps - 1 - s : s;
        const Tensor a = linear(select(x, 0, t), in[kWih], in[kBih]),
                     b = linear(h, in[kWhh], in[kBhh]);
        const auto part = [&](const Tensor& from, std::int64_t gate) {
            return slice(from, 1, gate * hidden, (gate + 1) * hidden);
        };
        Tensor next, cell_next = c;
        if (cell == Cell::Lstm) {
            const Tensor sum = add(a, b);
            cell_next =
                add(mul(sigmoid(part(sum, 1)), c), mul(sigmoid(part(sum, 0)), tanh(part(sum, 2))));
            next = mul(sigmoid(part(sum, 3)), tanh(cell_next));
        } else if (cell == Cell::Gru) {
            const Tensor r = sigmoid(add(part(a, 0), part(b, 0))),
                         z = sigmoid(add(part(a, 1), part(b, 1))),
                         n = tanh(add(part(a, 2), mul(r, part(b, 2))));
            next = add(n, mul(z, sub(h, n)));
        } else {
            next = cell == Cell::Tanh ? tanh(add(a, b)) : relu(add(a, b));
        }
        if (const Tensor mask = active(lengths, t)) {
            outputs[static_cast<std::size_t>(t)] = where(mask, next, zero);
            h = where(mask, next, h);
            c = where(mask, cell_next, c);
        } else {
            outputs[static_cast<std::size_t>(t)] = h = next;
            c = cell_next;
        }
    }
    Tensors all{stack(outputs, 0), h};
    if (cell == Cell::Lstm) all.push_back(c);
    return all;
}

Tensors forward_gradient(const GradCall& call) {
    const Cell cell = cell_of(call.op);
    const bool lstm = cell == Cell::Lstm, reverse = call.attrs.flag("reverse");
    if (autograd::enabled()) {
        const Tensor lengths = call.inputs[kLengths];
        return composed_gradient(
            [&](const Tensors& in) { return composed(cell, reverse, lengths, in); }, call.inputs,
            call.grads, call.needs);
    }
    const Op& op = find_op(std::string(call.op.name) + "_backward");
    const bool gru = cell == Cell::Gru;
    Tensors inputs{call.grads[0],
                   call.grads[1],
                   call.inputs[kX],
                   call.inputs[kH0],
                   call.inputs[kWih],
                   call.inputs[kWhh],
                   call.inputs[kLengths],
                   call.outputs[0],
                   lstm  ? call.outputs[3]
                   : gru ? call.outputs[2]
                         : Tensor()};
    if (lstm) {
        inputs.push_back(call.grads[2]);
        inputs.push_back(call.inputs[kC0]);
        inputs.push_back(call.outputs[4]);
    }
    Tensors grads = wiregrad::call(op, inputs, {{"reverse", reverse}, {"of_input", call.need(kX)}});
    Tensors out(call.inputs.size());
    if (call.need(kX)) out[kX] = grads.back();
    if (call.need(kH0)) out[kH0] = grads[0];
    if (call.need(kWih)) out[kWih] = grads[1];
    if (call.need(kWhh)) out[kWhh] = grads[2];
    if (call.need(kBih)) out[kBih] = grads[3];
    if (call.need(kBhh)) out[kBhh] = grads[gru ? 4 : 3];
    if (lstm && call.need(kC0)) out[kC0] = grads[4];
    return out;
}

/// All inputs (the smaller ops need the biases too), the output, and what the cell kept.
template <Mask kInputs, Mask kOutputs> Saves forward_saves(Mask, const Attrs&) {
    return {kInputs, kOutputs};
}

Op forward_row(std::string_view name, std::string_view help, SaveRule saves, int visible,
               std::string_view onnx) {
    return {.name = name,
            .help = help,
            .shape = forward_shape,
            .kernel = {forward_kernel},
            .gradient = forward_gradient,
            .saves = saves,
            .cost = forward_cost,
            .onnx = onnx,
            .visible_outputs = visible};
}
Op backward_row(std::string_view name, std::string_view help, int visible) {
    return {.name = name,
            .help = help,
            .shape = backward_shape,
            .kernel = {backward_kernel},
            .cost = backward_cost,
            .flags = kNoGrad,
            .visible_outputs = visible};
}

RecurrentResult run(std::string_view name, const Tensor& x, const Tensor& h0,
                    const RecurrentWeights& w, const RecurrentOptions& options,
                    const Tensor* c0 = nullptr) {
    Tensors inputs{x, h0, w.w_ih, w.w_hh, w.b_ih, w.b_hh, options.lengths};
    if (c0 != nullptr) inputs.push_back(*c0);
    const Tensors out = call(find_op(name), inputs, {{"reverse", options.reverse}});
    return {out[0], out[1], c0 != nullptr ? out[2] : Tensor()};
}

} // namespace

std::span<const Op> recurrent_rows() {
    static const Op rows[] = {
        forward_row("lstm",
                    "i, f, o = sigmoid(W x + b_ih + U h + b_hh), g = tanh of the same, "
                    "c' = f c + i g, h' = o tanh(c'), for each step.",
                    forward_saves<255, 25>, 3, "LSTM"),
        forward_row("gru",
                    "r, z = sigmoid(W x + b_ih + U h + b_hh), n = tanh(W x + b_ih + r (U h + "
                    "b_hh)), h' = (1 - z) n + z h, for each step.",
                    forward_saves<127, 5>, 2, "GRU"),
        forward_row("rnn_tanh", "h' = tanh(W x + b_ih + U h + b_hh), for each step.",
                    forward_saves<127, 1>, 2, "RNN"),
        forward_row("rnn_relu", "h' = relu(W x + b_ih + U h + b_hh), for each step.",
                    forward_saves<127, 1>, 2, "RNN"),
        backward_row("lstm_backward", "Gradients of lstm.", 6),
        backward_row("gru_backward", "Gradients of gru.", 6),
        backward_row("rnn_tanh_backward", "Gradients of rnn_tanh.", 5),
        backward_row("rnn_relu_backward", "Gradients of rnn_relu.", 5),
    };
    return rows;
}

RecurrentResult lstm(const Tensor& x, const Tensor& h0, const Tensor& c0,
                     const RecurrentWeights& weights, const RecurrentOptions& options) {
    return run("lstm", x, h0, weights, options, &c0);
}
RecurrentResult gru(const Tensor& x, const Tensor& h0, const RecurrentWeights& weights,
                    const RecurrentOptions& options) {
    return run("gru", x, h0, weights, options);
}
RecurrentResult rnn(const Tensor& x, const Tensor& h0, const RecurrentWeights& weights, bool relu,
                    const RecurrentOptions& options) {
    return run(relu ? "rnn_relu" : "rnn_tanh", x, h0, weights, options);
}

} // namespace wiregrad

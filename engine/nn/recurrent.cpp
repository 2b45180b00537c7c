#include "engine/nn/recurrent.h"

#include <cmath>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/nn/init.h"
#include "engine/op/ops.h"

namespace wiregrad::nn {
namespace {

std::int64_t gates_of(RecurrentKind kind) {
    return kind == RecurrentKind::Lstm ? 4 : kind == RecurrentKind::Gru ? 3 : 1;
}
const char* name_of(RecurrentKind kind) {
    return kind == RecurrentKind::Lstm ? "LSTM" : kind == RecurrentKind::Gru ? "GRU" : "RNN";
}
Tensor or_none(const Tensor* tensor) {
    return tensor != nullptr ? *tensor : Tensor();
}
Tensor part(const Tensor& x, std::int64_t index, std::int64_t size) {
    return slice(x, -1, index * size, (index + 1) * size);
}
void need_positive(const char* layer, const char* what, std::int64_t value) {
    if (value < 1)
        throw ValueError(fmt::format("{}: {} must be at least 1, is {}", layer, what, value));
}
void draw(const std::vector<Tensor*>& weights, std::int64_t hidden_size, Generator& generator) {
    const double bound = 1 / std::sqrt(static_cast<double>(hidden_size));
    for (Tensor* weight : weights)
        init::uniform(*weight, generator, -bound, bound);
}

} // namespace

CellState cell_step(RecurrentKind kind, const Tensor& x, const CellState& before,
                    const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih,
                    const Tensor& b_hh) {
    const Tensor from_x = linear(x, w_ih, b_ih), from_h = linear(before.h, w_hh, b_hh);
    const std::int64_t hidden = w_ih.size(0) / gates_of(kind);
    if (kind == RecurrentKind::Gru) {
        const Tensor r = sigmoid(add(part(from_x, 0, hidden), part(from_h, 0, hidden)));
        const Tensor z = sigmoid(add(part(from_x, 1, hidden), part(from_h, 1, hidden)));
        const Tensor n = tanh(add(part(from_x, 2, hidden), mul(r, part(from_h, 2, hidden))));
        return {add(n, mul(z, sub(before.h, n))), {}};
    }
    const Tensor sum = add(from_x, from_h);
    if (kind == RecurrentKind::RnnTanh) return {tanh(sum), {}};
    if (kind == RecurrentKind::RnnRelu) return {relu(sum), {}};
    const Tensor i = sigmoid(part(sum, 0, hidden)), f = sigmoid(part(sum, 1, hidden));
    const Tensor g = tanh(part(sum, 2, hidden)), o = sigmoid(part(sum, 3, hidden));
    const Tensor c = add(mul(f, before.c), mul(i, g));
    return {mul(o, tanh(c)), c};
}

Recurrent::Recurrent(const RecurrentLayerOptions& options) : options_(options) {
    const char* name = name_of(options.kind);
    need_positive(name, "input_size", options.input_size);
    need_positive(name, "hidden_size", options.hidden_size);
    need_positive(name, "num_layers", options.num_layers);
    if (!(options.dropout >= 0 && options.dropout <= 1))
        throw ValueError(
            fmt::format("{}: dropout must be within 0 and 1, is {}", name, options.dropout));
    if (options.proj_size != 0 && (options.kind != RecurrentKind::Lstm || options.proj_size < 0 ||
                                   options.proj_size >= options.hidden_size))
        throw ValueError(
            fmt::format("{}: proj_size is for LSTM and smaller than hidden_size {}, is {}", name,
                        options.hidden_size, options.proj_size));
    const std::int64_t rows = gates_of(options.kind) * options.hidden_size;
    const int directions = options.bidirectional ? 2 : 1;
    for (std::int64_t layer = 0; layer < options.num_layers; ++layer)
        for (int d = 0; d < directions; ++d) {
            const std::string suffix = fmt::format("_l{}{}", layer, d == 1 ? "_reverse" : "");
            const std::int64_t inputs =
                layer == 0 ? options.input_size : output_size() * directions;
            const auto weight = [&](const char* what, const Shape& shape) {
                Tensor* added = &add_parameter(what + suffix, Tensor::zeros(shape, options.dtype));
                all_.push_back(added);
                return added;
            };
            Direction direction{};
            direction.w_ih = weight("weight_ih", {rows, inputs});
            direction.w_hh = weight("weight_hh", {rows, output_size()});
            if (options.bias) {
                direction.b_ih = weight("bias_ih", {rows});
                direction.b_hh = weight("bias_hh", {rows});
            }
            if (options.proj_size > 0)
                direction.w_hr = weight("weight_hr", {options.proj_size, options.hidden_size});
            weights_.push_back(direction);
        }
}

void Recurrent::reset_parameters(Generator& generator) {
    draw(all_, options_.hidden_size, generator);
}

Recurrent::Ended Recurrent::run(const Tensor& x, const Direction& w, bool reverse, const Tensor& h0,
                                const Tensor& c0, const Tensor& lengths) const {
    if (w.w_hr != nullptr) return run_projected(x, w, reverse, h0, c0, lengths);
    const RecurrentWeights weights{*w.w_ih, *w.w_hh, or_none(w.b_ih), or_none(w.b_hh)};
    const RecurrentOptions how{reverse, lengths};
    const RecurrentResult out =
        options_.kind == RecurrentKind::Lstm ? lstm(x, h0, c0, weights, how)
        : options_.kind == RecurrentKind::Gru
            ? gru(x, h0, weights, how)
            : rnn(x, h0, weights, options_.kind == RecurrentKind::RnnRelu, how);
    return {out.output, out.h_n, out.c_n};
}

/// The hidden state that goes on is projected, so that there is no op for the whole sequence.
Recurrent::Ended Recurrent::run_projected(const Tensor& x, const Direction& w, bool reverse,
                                          const Tensor& h0, const Tensor& c0,
                                          const Tensor& lengths) const {
    const std::int64_t steps = x.size(0);
    Tensor h = h0, c = c0;
    Tensors outputs(static_cast<std::size_t>(steps));
    for (std::int64_t k = 0; k < steps; ++k) {
        const std::int64_t t = reverse ? steps - 1 - k : k;
        const CellState next = cell_step(options_.kind, select(x, 0, t), {h, c}, *w.w_ih, *w.w_hh,
                                         or_none(w.b_ih), or_none(w.b_hh));
        Tensor projected = linear(next.h, *w.w_hr), output = projected, cell = next.c;
        if (lengths.defined()) {
            const Tensor inside =
                unsqueeze(gt(lengths, Tensor::full({}, static_cast<double>(t), DType::Int64)), 1);
            output = where(inside, projected, zeros_like(projected));
            projected = where(inside, projected, h);
            cell = where(inside, cell, c);
        }
        outputs[static_cast<std::size_t>(t)] = output;
        h = projected;
        c = cell;
    }
    return {stack(outputs, 0), h, c};
}

Tensors Recurrent::forward(std::span<const Tensor> inputs, const ForwardContext& context) {
    const char* name = name_of(options_.kind);
    const auto given = [&](std::size_t i) { return i < inputs.size() ? inputs[i] : Tensor(); };
    Tensor x = given(0);
    if (!x.defined() || x.dim() != 3 || x.size(2) != options_.input_size)
        throw ShapeError(fmt::format("{} is made for sequences of {} numbers (3-D), input is {}",
                                     name, options_.input_size,
                                     x.defined() ? x.shape().str() : "missing"));
    if (options_.batch_first) x = transpose(x, 0, 1);
    const std::int64_t batch = x.size(1), directions = options_.bidirectional ? 2 : 1,
                       states = options_.num_layers * directions;
    const auto state = [&](const Tensor& all, const char* what, std::int64_t size,
                           std::int64_t index) -> Tensor {
        const Shape wanted{states, batch, size};
        if (!all.defined())
            return options_.proj_size > 0 ? Tensor::zeros({batch, size}, x.dtype(), x.device())
                                          : Tensor();
        if (!(all.shape() == wanted))
            throw ShapeError(fmt::format("{}: {} is {}, {} is needed", name, what,
                                         all.shape().str(), wanted.str()));
        return select(all, 0, index);
    };
    const bool lstm_kind = options_.kind == RecurrentKind::Lstm;
    const Tensor h0 = given(1), c0 = lstm_kind ? given(2) : Tensor(),
                 lengths = given(lstm_kind ? 3 : 2);
    Tensors last_h, last_c;
    for (std::int64_t layer = 0; layer < options_.num_layers; ++layer) {
        if (layer > 0 && options_.dropout > 0 && context.training)
            x = dropout(x, options_.dropout, context.state.random, options_.stream + layer);
        Tensors outputs;
        for (std::int64_t d = 0; d < directions; ++d) {
            const std::int64_t index = layer * directions + d;
            Ended ended =
                run(x, weights_[static_cast<std::size_t>(index)], d == 1,
                    state(h0, "h0", output_size(), index),
                    lstm_kind ? state(c0, "c0", options_.hidden_size, index) : Tensor(), lengths);
            outputs.push_back(ended.sequence);
            last_h.push_back(ended.h);
            if (lstm_kind) last_c.push_back(ended.c);
        }
        x = outputs.size() == 1 ? outputs[0] : cat(outputs, 2);
    }
    if (options_.batch_first) x = transpose(x, 0, 1);
    Tensors result{x, stack(last_h, 0)};
    if (lstm_kind) result.push_back(stack(last_c, 0));
    return result;
}

RecurrentCell::RecurrentCell(RecurrentKind kind, std::int64_t input_size, std::int64_t hidden_size,
                             bool bias, DType dtype)
    : kind_(kind), hidden_size_(hidden_size) {
    const std::string name = std::string(name_of(kind)) + "Cell";
    need_positive(name.c_str(), "input_size", input_size);
    need_positive(name.c_str(), "hidden_size", hidden_size);
    const std::int64_t rows = gates_of(kind) * hidden_size;
    const auto weight = [&](const char* what, const Shape& shape) {
        all_.push_back(&add_parameter(what, Tensor::zeros(shape, dtype)));
        return all_.back();
    };
    w_ih_ = weight("weight_ih", {rows, input_size});
    w_hh_ = weight("weight_hh", {rows, hidden_size});
    if (bias) {
        b_ih_ = weight("bias_ih", {rows});
        b_hh_ = weight("bias_hh", {rows});
    }
}

Tensors RecurrentCell::forward(std::span<const Tensor> inputs, const ForwardContext&) {
    const Tensor& x = inputs[0];
    if (x.dim() != 2 || x.size(1) != w_ih_->size(1))
        throw ShapeError(fmt::format("{}Cell is made for rows of {} numbers, input is {}",
                                     name_of(kind_), w_ih_->size(1), x.shape().str()));
    const auto state = [&](std::size_t i) {
        return i < inputs.size() && inputs[i].defined()
                   ? inputs[i]
                   : Tensor::zeros({x.size(0), hidden_size_}, x.dtype(), x.device());
    };
    const bool lstm_kind = kind_ == RecurrentKind::Lstm;
    const CellState next = cell_step(kind_, x, {state(1), lstm_kind ? state(2) : Tensor()}, *w_ih_,
                                     *w_hh_, or_none(b_ih_), or_none(b_hh_));
    return lstm_kind ? Tensors{next.h, next.c} : Tensors{next.h};
}

void RecurrentCell::reset_parameters(Generator& generator) {
    draw(all_, hidden_size_, generator);
}

} // namespace wiregrad::nn

// Ops of recurrent networks and of attention, part of the vocabulary of ops.h. Any thread.
#pragma once

#include <optional>

#include "engine/op/op.h"

namespace wiregrad {

/// The weights of one layer in one direction, with PyTorch's shapes and order of gates: LSTM i, f,
/// g, o; GRU r, z, n. G is 4, 3 or 1 times the hidden size H. Biases may be undefined.
struct RecurrentWeights {
    Tensor w_ih; ///< [G, inputs]
    Tensor w_hh; ///< [G, H]
    Tensor b_ih, b_hh;
};
struct RecurrentOptions {
    bool reverse = false; ///< from the last step to the first
    Tensor lengths{};     ///< int64 [batch]: steps of each sequence; the output beyond is 0
};
struct RecurrentResult {
    Tensor output;   ///< [steps, batch, H]
    Tensor h_n, c_n; ///< [batch, H], after the last step of each sequence; c_n: LSTM only
};
/// x [steps, batch, inputs]; h0 and c0 [batch, H] or undefined for zeros.
RecurrentResult lstm(const Tensor& x, const Tensor& h0, const Tensor& c0,
                     const RecurrentWeights& weights, const RecurrentOptions& options = {});
/// n = tanh(W x + b_ih + r (U h + b_hh)), h' = (1 - z) n + z h.
RecurrentResult gru(const Tensor& x, const Tensor& h0, const RecurrentWeights& weights,
                    const RecurrentOptions& options = {});
/// h' = tanh(W x + b_ih + U h + b_hh), or relu of it.
RecurrentResult rnn(const Tensor& x, const Tensor& h0, const RecurrentWeights& weights,
                    bool relu = false, const RecurrentOptions& options = {});

struct AttentionOptions {
    bool is_causal = false;        ///< query i sees keys 0 .. i only
    std::optional<double> scale{}; ///< default 1 / sqrt(size of a query)
    double dropout_p = 0;          ///< of the attention weights; needs `random`
    Tensor random{};               ///< int64[2] {seed, step}, as dropout's
    std::int64_t stream = 0;       ///< as dropout's
};
/// softmax(q k^T scale + mask) v over [..., L, E], [..., S, E], [..., S, Ev]; the leading
/// dimensions broadcast. mask, broadcast to [..., L, S]: bool (true takes part) or added to the
/// scores.
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Tensor& mask = {}, const AttentionOptions& options = {});

} // namespace wiregrad

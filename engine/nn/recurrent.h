// RNN, LSTM and GRU with PyTorch's arguments, parameter names and order of draws: stacked,
// bidirectional, with dropout between layers. Used by one thread at a time, as every module.
#pragma once

#include <cstdint>

#include "engine/nn/module.h"

namespace wiregrad::nn {

enum class RecurrentKind { RnnTanh, RnnRelu, Lstm, Gru };

struct RecurrentLayerOptions {
    RecurrentKind kind = RecurrentKind::Lstm;
    std::int64_t input_size = 1, hidden_size = 1, num_layers = 1;
    bool bias = true, batch_first = false, bidirectional = false;
    double dropout = 0;         ///< between layers, in training
    std::int64_t proj_size = 0; ///< LSTM: the output is h times a trained matrix; 0: none
    std::int64_t stream = 0;    ///< tells the masks of one model apart
    DType dtype = DType::Float32;
};

/// Inputs: x [L, N, in] or, batch_first, [N, L, in]; then optional (undefined) h0 and c0
/// [layers * directions, N, hidden] and lengths int64 [N], for sequences that end before L: behind
/// its end the output is 0 and the state stays. Outputs: the last layer's states as x lies; h_n
/// and, LSTM, c_n [layers * directions, N, hidden].
class Recurrent : public Module {
  public:
    explicit Recurrent(const RecurrentLayerOptions& options);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;
    void reset_parameters(Generator& generator) override;

  private:
    struct Direction {
        Tensor *w_ih, *w_hh, *b_ih = nullptr, *b_hh = nullptr, *w_hr = nullptr;
    };
    struct Ended {
        Tensor sequence, h, c;
    };
    Ended run(const Tensor& x, const Direction& weights, bool reverse, const Tensor& h0,
              const Tensor& c0, const Tensor& lengths) const;
    Ended run_projected(const Tensor& x, const Direction& weights, bool reverse, const Tensor& h0,
                        const Tensor& c0, const Tensor& lengths) const;
    std::int64_t output_size() const {
        return options_.proj_size > 0 ? options_.proj_size : options_.hidden_size;
    }

    RecurrentLayerOptions options_;
    std::vector<Direction> weights_; ///< layer by layer, forward before reverse
    std::vector<Tensor*> all_;       ///< in order of registration
};

/// One step of the same: x [N, in], h (and, LSTM, c) [N, hidden], undefined: zeros. Outputs h' (and
/// c').
class RecurrentCell : public Module {
  public:
    RecurrentCell(RecurrentKind kind, std::int64_t input_size, std::int64_t hidden_size, bool bias,
                  DType dtype = DType::Float32);
    Tensors forward(std::span<const Tensor> inputs, const ForwardContext& context) override;
    void reset_parameters(Generator& generator) override;

  private:
    RecurrentKind kind_;
    std::int64_t hidden_size_;
    Tensor *w_ih_, *w_hh_, *b_ih_ = nullptr, *b_hh_ = nullptr;
    std::vector<Tensor*> all_;
};

/// One step of a cell in small ops, as the formulas have it.
struct CellState {
    Tensor h, c;
};
CellState cell_step(RecurrentKind kind, const Tensor& x, const CellState& before,
                    const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh);

} // namespace wiregrad::nn

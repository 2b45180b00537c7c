// Descriptors of heavy kernels: plain sizes, no tensors. Layouts are row-major NCHW / OIHW unless a
// kernel says otherwise. Shared by the plain kernels, the fast ones and the vendor wrappers; plain
// values, any thread.
#pragma once

#include <cstdint>

namespace wiregrad::cpu {

/// A two-dimensional convolution (cross-correlation). Weight is [out_channels, in_channels /
/// groups, kernel_h, kernel_w].
struct ConvGeometry {
    std::int64_t batch = 0, in_channels = 0, in_h = 0, in_w = 0;
    std::int64_t out_channels = 0, out_h = 0, out_w = 0;
    std::int64_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;
    std::int64_t dilation_h = 1, dilation_w = 1, groups = 1;
    bool operator==(const ConvGeometry&) const = default;

    std::int64_t group_in() const { return in_channels / groups; }
    std::int64_t group_out() const { return out_channels / groups; }
    std::int64_t in_plane() const { return in_h * in_w; }
    std::int64_t out_plane() const { return out_h * out_w; }
    std::int64_t taps() const { return kernel_h * kernel_w; }
    double flops() const {
        return 2.0 * static_cast<double>(batch * out_channels * out_plane()) *
               static_cast<double>(group_in() * taps());
    }
};

/// Two-dimensional pooling over `planes` = batch * channels planes.
struct PoolGeometry {
    std::int64_t planes = 0, in_h = 0, in_w = 0, out_h = 0, out_w = 0;
    std::int64_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;
    std::int64_t dilation_h = 1, dilation_w = 1;
    bool count_include_pad = true;
};

/// Batch normalisation of [batch, channels, spatial].
struct BatchNormGeometry {
    std::int64_t batch = 0, channels = 0, spatial = 0;
};

/// A dimension in the middle: [outer, size, inner], reduced or normalised over `size`.
struct AxisGeometry {
    std::int64_t outer = 0, size = 0, inner = 0;
};

/// C [m, n] = op(A) op(B) (+ C when accumulate); leading dimensions in elements, row-major.
struct GemmGeometry {
    bool trans_a = false, trans_b = false;
    std::int64_t m = 0, n = 0, k = 0, lda = 0, ldb = 0, ldc = 0;
    bool accumulate = false;
};

/// One layer of a recurrent net in one direction over [steps, batch, inputs].
enum class Cell { Lstm, Gru, Tanh, Relu };
struct RecurrentGeometry {
    Cell cell = Cell::Lstm;
    std::int64_t steps = 0, batch = 0, inputs = 0, hidden = 0;
    bool reverse = false;
    bool operator==(const RecurrentGeometry&) const = default;

    /// Rows of the weights: gates times hidden.
    std::int64_t gates() const {
        return cell == Cell::Lstm ? 4 * hidden : cell == Cell::Gru ? 3 * hidden : hidden;
    }
    /// Numbers that a step saves for its gradient besides output and cell state.
    std::int64_t saved() const { return cell == Cell::Lstm || cell == Cell::Gru ? 4 * hidden : 0; }
    std::int64_t rows() const { return steps * batch; }
};

/// Attention of `heads` independent (batch item, head) pairs.
struct AttentionGeometry {
    std::int64_t heads = 0, queries = 0, keys = 0, size = 0, value_size = 0;
    bool causal = false;
    double scale = 1;
    double dropout = 0;
    std::uint64_t seed = 0, offset = 0; ///< of the dropout's random numbers

    /// A weight is kept when its 32 random bits are at least this.
    std::uint64_t threshold() const { return static_cast<std::uint64_t>(dropout * 0x1p32); }
};

} // namespace wiregrad::cpu

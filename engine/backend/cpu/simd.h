// The kernels of simd_*.cpp, which are compiled once for each instruction set, as tables of
// function pointers. Included by the drivers in this folder; any thread.
#pragma once

#include <cstdint>

#include "engine/backend/cpu/geometry.h"

namespace wiregrad::cpu {

/// Convolution on flat images: an image lies in rows of one pitch, so that moving a window by one
/// tap is one offset and a whole image is one long vector, the waste between the rows included.
struct ConvKernels {
    int flat_outputs; ///< most output channels of one call of `flat`
    /// out[o * out_pitch + p] = bias[o] + sum over k of weight[k * outputs + o] * source[offsets[k]
    /// + p], for p < positions. Reads and writes up to 63 elements past the last position.
    void (*flat)(int outputs, const float* source, const std::int64_t* offsets, std::int64_t taps,
                 const float* weight, const float* bias, std::int64_t positions, float* out,
                 std::int64_t out_pitch);
    int dot_outputs, dot_taps; ///< most outputs and taps of one call of `dot`
    /// sums[o * taps + k] = sum over images and positions of grad[o][p] * source[offsets[k] + p].
    /// Reads up to 15 elements past the last position: grad must hold zeros there, source finite
    /// numbers.
    void (*dot)(int outputs, int taps, const float* grad, std::int64_t grad_pitch,
                const float* source, const std::int64_t* offsets, std::int64_t images,
                std::int64_t grad_image, std::int64_t source_image, std::int64_t positions,
                float* sums);
};

/// Max pooling of 2 x 2 windows, stride 2, no padding. Writes nothing outside the planes given.
struct PoolKernels {
    void (*max_2x2)(std::int64_t planes, std::int64_t in_h, std::int64_t in_w, std::int64_t out_h,
                    std::int64_t out_w, const float* x, float* y, std::uint8_t* place);
    /// For inputs of exactly twice the output's size.
    void (*max_2x2_backward)(std::int64_t planes, std::int64_t out_h, std::int64_t out_w,
                             const float* gy, const std::uint8_t* place, float* gx);
};

/// Passes over one row of n numbers. Sums are in a fixed order, whatever the number of threads.
struct RowKernels {
    double (*sum)(const float* x, std::int64_t n);
    double (*squares)(const float* x, std::int64_t n, float centre); ///< sum of (x - centre)^2
    /// sums[0] = sum of g, sums[1] = sum of g * (x - centre)
    void (*sum_and_dot)(const float* g, const float* x, std::int64_t n, float centre, double* sums);
    /// The same with g * weight for g.
    void (*weighted_sum_and_dot)(const float* g, const float* weight, const float* x,
                                 std::int64_t n, float centre, double* sums);
    /// y = (x - centre) * scale + shift
    void (*standardise)(const float* x, std::int64_t n, float centre, float scale, float shift,
                        float* y);
    /// y = (x - centre) * scale * weight + bias
    void (*standardise_weighted)(const float* x, std::int64_t n, float centre, float scale,
                                 const float* weight, const float* bias, float* y);
    /// gx = scale * (g - mean_g - (x - centre) * slope)
    void (*norm_grad)(const float* g, const float* x, std::int64_t n, float centre, float scale,
                      float mean_g, float slope, float* gx);
    /// The same with g * weight for g.
    void (*norm_grad_weighted)(const float* g, const float* weight, const float* x, std::int64_t n,
                               float centre, float scale, float mean_g, float slope, float* gx);
    /// gweight += g * (x - centre) * scale, gbias += g
    void (*add_weight_grads)(const float* g, const float* x, std::int64_t n, float centre,
                             float scale, float* gweight, float* gbias);
    /// e = exp(x - top) with top the largest x; returns their sum. n is at least 1.
    double (*exponentials)(const float* x, std::int64_t n, float* e, float* top);
    void (*scale)(const float* x, std::int64_t n, float factor, float* y);
    void (*softmax_grad)(const float* g, const float* y, std::int64_t n, float* gx);
    void (*log_softmax_grad)(const float* g, const float* y, std::int64_t n, float* gx);
};

/// Products with a packed right operand, and the cells of recurrent nets. A panel holds `depth`
/// rows of 16 * vectors columns, vectors from 1 to kPanelVectors.
inline constexpr int kPanelVectors = 4;
struct PanelKernels {
    /// out[i * out_pitch + j] (+)= sum over k of a[i * a_row + k * a_step] * panel[k][j], in the
    /// order of k whatever the rows: results do not depend on how rows are shared out.
    void (*product)(int vectors, std::int64_t rows, std::int64_t depth, const float* a,
                    std::int64_t a_row, std::int64_t a_step, const float* panel, float* out,
                    std::int64_t out_pitch, bool accumulate);
    /// panel[k][j] = source[j * pitch + k] for j < columns, k < depth; columns beyond are 0.
    void (*pack_transposed)(int vectors, std::int64_t depth, std::int64_t columns,
                            const float* source, std::int64_t pitch, float* panel,
                            std::int64_t panel_pitch);
};
/// One step of one row for `count` <= 16 hidden units; `pitch` lies between the gates of x, bias
/// and saved, `h` holds the recurrent products of the gates 16 apart. See plain_recurrent.h for the
/// formulas.
struct CellKernels {
    void (*lstm)(std::int64_t count, std::int64_t pitch, const float* x, const float* bias,
                 const float* h, const float* c_before, float* saved, float* c, float* y);
    void (*gru)(std::int64_t count, std::int64_t pitch, const float* x, const float* bias,
                const float* h, const float* bias_hn, const float* h_before, float* saved,
                float* y);
    void (*rnn)(bool relu, std::int64_t count, const float* x, const float* bias, const float* h,
                float* y);
    /// Over the n hidden units of a row. dh: the gradient of the step's output; it leaves as the
    /// part that does not pass through the recurrent product. dc likewise, complete.
    void (*lstm_backward)(std::int64_t n, const float* saved, const float* c_before, const float* c,
                          float* dh, float* dc, float* dgates);
    void (*gru_backward)(std::int64_t n, const float* saved, const float* h_before, float* dh,
                         float* dgates_x, float* dgates_h);
    void (*rnn_backward)(bool relu, std::int64_t n, const float* y, float* dh, float* dgates);
};

/// Rows of attention, and dropout.
struct AttentionKernels {
    /// s = softmax(s * scale + bias); returns the logarithm of the sum of exponentials. bias may be
    /// null. Where everything is masked: zeros and -infinity.
    float (*softmax)(std::int64_t n, float scale, const float* bias, float* s);
    /// The same weights again: s = exp(s * scale + bias - log_sum).
    void (*weights)(std::int64_t n, float scale, const float* bias, float log_sum, float* s);
    /// g = weight * (g - pull) * scale
    void (*score_grad)(std::int64_t n, float scale, const float* weight, float pull, float* g);
    float (*dot)(std::int64_t n, const float* a, const float* b);
    /// y = x * scale where the 32 bits of element first + i of the stream (seed, offset) are at
    /// least `threshold`, else 0. y may be x.
    void (*dropout)(std::uint64_t seed, std::uint64_t offset, std::uint64_t first, std::int64_t n,
                    std::uint32_t threshold, float scale, const float* x, float* y);
};

/// Passes over one block of 16 channels of one picture: `positions` times 16 numbers.
struct BlockedKernels {
    /// sums += x - pivot, squares += (x - pivot)^2
    void (*moments)(const float* x, std::int64_t positions, const float* pivot, double* sums,
                    double* squares);
    /// y = x * scale + shift, then relu
    void (*affine)(const float* x, std::int64_t positions, const float* scale, const float* shift,
                   bool relu, float* y);
    /// sums += g, dots += g * (x - centre)
    void (*pulls)(const float* g, const float* x, std::int64_t positions, const float* centre,
                  double* sums, double* dots);
    /// gx = scale * (g - mean_g - (x - centre) * slope)
    void (*norm_grad)(const float* g, const float* x, std::int64_t positions, const float* centre,
                      const float* scale, const float* mean_g, const float* slope, float* gx);
    /// The last two with 0 for g where affine() with `scale` and `shift` gives nothing above 0.
    void (*pulls_behind_relu)(const float* g, const float* x, std::int64_t positions,
                              const float* centre, const float* scale, const float* shift,
                              double* sums, double* dots);
    void (*norm_grad_behind_relu)(const float* g, const float* x, std::int64_t positions,
                                  const float* centre, const float* scale, const float* shift,
                                  const float* mean_g, const float* slope, float* gx);
    void (*max_forward)(const PoolGeometry& g, const float* x, float* y, std::uint8_t* place);
    void (*max_backward)(const PoolGeometry& g, const float* gy, const std::uint8_t* place,
                         float* gx);
};

/// The tables for the instruction set in use (engine/core/config.h).
const ConvKernels& conv_kernels();
const PoolKernels& pool_kernels();
const RowKernels& row_kernels();
const PanelKernels& panel_kernels();
const CellKernels& cell_kernels();
const AttentionKernels& attention_kernels();
const BlockedKernels& blocked_kernels();

} // namespace wiregrad::cpu

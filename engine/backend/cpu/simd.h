// The kernels of simd_*.cpp, which are compiled once for each instruction set, as tables of
// function pointers. Included by the drivers in this folder; any thread.
#pragma once

#include <cstdint>

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

/// The tables for the instruction set in use (engine/core/config.h).
const ConvKernels& conv_kernels();
const PoolKernels& pool_kernels();
const RowKernels& row_kernels();

} // namespace wiregrad::cpu

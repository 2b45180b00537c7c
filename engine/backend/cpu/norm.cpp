#include "engine/backend/cpu/norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/backend/cpu/plain_norm.h"
#include "engine/backend/cpu/simd.h"
#include "engine/backend/cpu/team.h"

namespace wiregrad::cpu {

namespace {

double elements(const BatchNormGeometry& g) {
    return static_cast<double>(g.batch * g.channels * g.spatial);
}

/// Rows of a layer norm whose weight gradients are added up together: a fixed number, so that sums
/// do not depend on threads.
constexpr std::int64_t kRowGroups = 16;

} // namespace

void batch_norm_moments(const BatchNormGeometry& g, const float* x, double* mean,
                        double* variance) {
    const RowKernels& kernels = row_kernels();
    const int threads = team(elements(g));
    const double count = static_cast<double>(g.batch * g.spatial);
    if (g.spatial == 1) return plain::batch_norm_moments(g, x, mean, variance);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::int64_t c = 0; c < g.channels; ++c) {
        double sum = 0, squares = 0;
        for (std::int64_t n = 0; n < g.batch; ++n)
            sum += kernels.sum(x + (n * g.channels + c) * g.spatial, g.spatial);
        mean[c] = sum / count;
        // The centre is rounded to float: what that shifts is taken off again.
        const float centre = static_cast<float>(mean[c]);
        for (std::int64_t n = 0; n < g.batch; ++n)
            squares += kernels.squares(x + (n * g.channels + c) * g.spatial, g.spatial, centre);
        const double shift = mean[c] - static_cast<double>(centre);
        variance[c] = std::max(squares / count - shift * shift, 0.0);
    }
}
void batch_norm_moments(const BatchNormGeometry& g, const double* x, double* mean,
                        double* variance) {
    plain::batch_norm_moments(g, x, mean, variance);
}
void batch_norm_apply(const BatchNormGeometry& g, const float* x, const float* mean,
                      const float* inv_std, const float* weight, const float* bias, float* y) {
    const RowKernels& kernels = row_kernels();
    const int threads = team(elements(g));
    if (g.spatial == 1) return plain::batch_norm_apply(g, x, mean, inv_std, weight, bias, y);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::int64_t plane = 0; plane < g.batch * g.channels; ++plane) {
        const std::int64_t c = plane % g.channels;
        kernels.standardise(x + plane * g.spatial, g.spatial, mean[c],
                            inv_std[c] * (weight ? weight[c] : 1.0F), bias ? bias[c] : 0.0F,
                            y + plane * g.spatial);
    }
}
void batch_norm_apply(const BatchNormGeometry& g, const double* x, const double* mean,
                      const double* inv_std, const double* weight, const double* bias, double* y) {
    plain::batch_norm_apply(g, x, mean, inv_std, weight, bias, y);
}
void batch_norm_backward(const BatchNormGeometry& g, bool training, const float* gy, const float* x,
                         const float* mean, const float* inv_std, const float* weight, float* gx,
                         float* gweight, float* gbias) {
    const RowKernels& kernels = row_kernels();
    const int threads = team(elements(g));
    const double count = static_cast<double>(g.batch * g.spatial);
    if (g.spatial == 1)
        return plain::batch_norm_backward(g, training, gy, x, mean, inv_std, weight, gx, gweight,
                                          gbias);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::int64_t c = 0; c < g.channels; ++c) {
        double sum = 0, dot = 0;
        for (std::int64_t n = 0; n < g.batch; ++n) {
            const std::int64_t at = (n * g.channels + c) * g.spatial;
            double sums[2];
            kernels.sum_and_dot(gy + at, x + at, g.spatial, mean[c], sums);
            sum += sums[0];
            dot += sums[1];
        }
        const double inv = inv_std[c];
        gweight[c] = static_cast<float>(dot * inv);
        gbias[c] = static_cast<float>(sum);
        const float mean_g = training ? static_cast<float>(sum / count) : 0.0F,
                    slope = training ? static_cast<float>(dot * inv * inv / count) : 0.0F;
        for (std::int64_t n = 0; n < g.batch; ++n) {
            const std::int64_t at = (n * g.channels + c) * g.spatial;
            kernels.norm_grad(gy + at, x + at, g.spatial, mean[c],
                              inv_std[c] * (weight ? weight[c] : 1.0F), mean_g, slope, gx + at);
        }
    }
}
void batch_norm_backward(const BatchNormGeometry& g, bool training, const double* gy,
                         const double* x, const double* mean, const double* inv_std,
                         const double* weight, double* gx, double* gweight, double* gbias) {
    plain::batch_norm_backward(g, training, gy, x, mean, inv_std, weight, gx, gweight, gbias);
}
void layer_norm_forward(const AxisGeometry& g, double eps, const float* x, const float* weight,
                        const float* bias, float* y, float* mean, float* inv_std) {
    const RowKernels& kernels = row_kernels();
    const int threads = team(static_cast<double>(g.outer * g.size));
    const double count = static_cast<double>(g.size);
    const std::vector<float> ones(weight ? 0 : static_cast<std::size_t>(g.size), 1.0F),
        zeros(bias ? 0 : static_cast<std::size_t>(g.size), 0.0F);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::int64_t row = 0; row < g.outer; ++row) {
        const float* source = x + row * g.size;
        mean[row] = static_cast<float>(kernels.sum(source, g.size) / count);
        inv_std[row] = static_cast<float>(
            1.0 / std::sqrt(kernels.squares(source, g.size, mean[row]) / count + eps));
        kernels.standardise_weighted(source, g.size, mean[row], inv_std[row],
                                     weight ? weight : ones.data(), bias ? bias : zeros.data(),
                                     y + row * g.size);
    }
}
void layer_norm_forward(const AxisGeometry& g, double eps, const double* x, const double* weight,
                        const double* bias, double* y, double* mean, double* inv_std) {
    plain::layer_norm_forward(g, eps, x, weight, bias, y, mean, inv_std);
}
void layer_norm_backward(const AxisGeometry& g, const float* gy, const float* x, const float* mean,
                         const float* inv_std, const float* weight, float* gx, float* gweight,
                         float* gbias) {
    const RowKernels& kernels = row_kernels();
    const int threads = team(static_cast<double>(g.outer * g.size));
    const double count = static_cast<double>(g.size);
    const auto width = static_cast<std::size_t>(g.size);
    std::vector<float> partial(2 * kRowGroups * width, 0.0F);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::int64_t group = 0; group < kRowGroups; ++group) {
        float* weights = partial.data() + 2 * static_cast<std::size_t>(group) * width;
        for (std::int64_t row = g.outer * group / kRowGroups;
             row < g.outer * (group + 1) / kRowGroups; ++row) {
            const float *grad = gy + row * g.size, *source = x + row * g.size;
            double sums[2];
            if (weight)
                kernels.weighted_sum_and_dot(grad, weight, source, g.size, mean[row], sums);
            else
                kernels.sum_and_dot(grad, source, g.size, mean[row], sums);
            const double inv = inv_std[row];
            const float mean_g = static_cast<float>(sums[0] / count),
                        slope = static_cast<float>(sums[1] * inv * inv / count);
            if (weight)
                kernels.norm_grad_weighted(grad, weight, source, g.size, mean[row], inv_std[row],
                                           mean_g, slope, gx + row * g.size);
            else
                kernels.norm_grad(grad, source, g.size, mean[row], inv_std[row], mean_g, slope,
                                  gx + row * g.size);
            kernels.add_weight_grads(grad, source, g.size, mean[row], inv_std[row], weights,
                                     weights + width);
        }
    }
    for (std::size_t i = 0; i < width; ++i) {
        double of_weight = 0, of_bias = 0;
        for (std::size_t group = 0; group < kRowGroups; ++group) {
            of_weight += static_cast<double>(partial[2 * group * width + i]);
            of_bias += static_cast<double>(partial[(2 * group + 1) * width + i]);
        }
        gweight[i] = static_cast<float>(of_weight);
        gbias[i] = static_cast<float>(of_bias);
    }
}
void layer_norm_backward(const AxisGeometry& g, const double* gy, const double* x,
                         const double* mean, const double* inv_std, const double* weight,
                         double* gx, double* gweight, double* gbias) {
    plain::layer_norm_backward(g, gy, x, mean, inv_std, weight, gx, gweight, gbias);
}

} // namespace wiregrad::cpu

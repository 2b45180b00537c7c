#include "engine/backend/cpu/plain_norm.h"

#include <cmath>
#include <vector>

namespace wiregrad::cpu::plain {

template <class T>
void batch_norm_moments(const BatchNormGeometry& g, const T* x, double* mean, double* variance) {
    const double count = static_cast<double>(g.batch * g.spatial);
    for (std::int64_t c = 0; c < g.channels; ++c) {
        double sum = 0, squares = 0;
        for (std::int64_t n = 0; n < g.batch; ++n)
            for (std::int64_t i = 0; i < g.spatial; ++i)
                sum += static_cast<double>(x[(n * g.channels + c) * g.spatial + i]);
        mean[c] = sum / count;
        for (std::int64_t n = 0; n < g.batch; ++n)
            for (std::int64_t i = 0; i < g.spatial; ++i) {
                const double d =
                    static_cast<double>(x[(n * g.channels + c) * g.spatial + i]) - mean[c];
                squares += d * d;
            }
        variance[c] = squares / count;
    }
}

template <class T>
void batch_norm_apply(const BatchNormGeometry& g, const T* x, const T* mean, const T* inv_std,
                      const T* weight, const T* bias, T* y) {
    for (std::int64_t plane = 0; plane < g.batch * g.channels; ++plane) {
        const std::int64_t c = plane % g.channels;
        const T scale = weight ? weight[c] : T(1), shift = bias ? bias[c] : T(0);
        for (std::int64_t i = plane * g.spatial; i < (plane + 1) * g.spatial; ++i)
            y[i] = (x[i] - mean[c]) * inv_std[c] * scale + shift;
    }
}

template <class T>
void batch_norm_backward(const BatchNormGeometry& g, bool training, const T* gy, const T* x,
                         const T* mean, const T* inv_std, const T* weight, T* gx, T* gweight,
                         T* gbias) {
    const double count = static_cast<double>(g.batch * g.spatial);
    for (std::int64_t c = 0; c < g.channels; ++c) {
        const double centre = mean[c], inv = inv_std[c],
                     scale = weight ? static_cast<double>(weight[c]) : 1.0;
        double sum = 0, dot = 0;
        for (std::int64_t n = 0; n < g.batch; ++n)
            for (std::int64_t i = 0; i < g.spatial; ++i) {
                const std::int64_t at = (n * g.channels + c) * g.spatial + i;
                sum += static_cast<double>(gy[at]);
                dot += static_cast<double>(gy[at]) * (static_cast<double>(x[at]) - centre) * inv;
            }
        gweight[c] = static_cast<T>(dot);
        gbias[c] = static_cast<T>(sum);
        for (std::int64_t n = 0; n < g.batch; ++n)
            for (std::int64_t i = 0; i < g.spatial; ++i) {
                const std::int64_t at = (n * g.channels + c) * g.spatial + i;
                const double normal = (static_cast<double>(x[at]) - centre) * inv;
                const double inner =
                    training ? static_cast<double>(gy[at]) - (sum + normal * dot) / count
                             : static_cast<double>(gy[at]);
                gx[at] = static_cast<T>(inner * inv * scale);
            }
    }
}

template <class T>
void layer_norm_forward(const AxisGeometry& g, double eps, const T* x, const T* weight,
                        const T* bias, T* y, T* mean, T* inv_std) {
    for (std::int64_t row = 0; row < g.outer; ++row) {
        const T* source = x + row * g.size;
        double sum = 0, squares = 0;
        for (std::int64_t i = 0; i < g.size; ++i)
            sum += static_cast<double>(source[i]);
        const double centre = sum / static_cast<double>(g.size);
        for (std::int64_t i = 0; i < g.size; ++i)
            squares += (static_cast<double>(source[i]) - centre) *
                       (static_cast<double>(source[i]) - centre);
        const double inv = 1.0 / std::sqrt(squares / static_cast<double>(g.size) + eps);
        for (std::int64_t i = 0; i < g.size; ++i) {
            const double normal = (static_cast<double>(source[i]) - centre) * inv;
            y[row * g.size + i] =
                static_cast<T>(normal * (weight ? static_cast<double>(weight[i]) : 1.0) +
                               (bias ? static_cast<double>(bias[i]) : 0.0));
        }
        mean[row] = static_cast<T>(centre);
        inv_std[row] = static_cast<T>(inv);
    }
}

template <class T>
void layer_norm_backward(const AxisGeometry& g, const T* gy, const T* x, const T* mean,
                         const T* inv_std, const T* weight, T* gx, T* gweight, T* gbias) {
    std::vector<double> weights(static_cast<std::size_t>(g.size), 0.0),
        biases(static_cast<std::size_t>(g.size), 0.0);
    for (std::int64_t row = 0; row < g.outer; ++row) {
        const T *grad = gy + row * g.size, *source = x + row * g.size;
        const double centre = mean[row], inv = inv_std[row];
        double sum = 0, dot = 0;
        for (std::int64_t i = 0; i < g.size; ++i) {
            const double normal = (static_cast<double>(source[i]) - centre) * inv;
            const double scaled =
                static_cast<double>(grad[i]) * (weight ? static_cast<double>(weight[i]) : 1.0);
            sum += scaled;
            dot += scaled * normal;
            weights[static_cast<std::size_t>(i)] += static_cast<double>(grad[i]) * normal;
            biases[static_cast<std::size_t>(i)] += static_cast<double>(grad[i]);
        }
        for (std::int64_t i = 0; i < g.size; ++i) {
            const double normal = (static_cast<double>(source[i]) - centre) * inv;
            const double scaled =
                static_cast<double>(grad[i]) * (weight ? static_cast<double>(weight[i]) : 1.0);
            gx[row * g.size + i] =
                static_cast<T>(inv * (scaled - (sum + normal * dot) / static_cast<double>(g.size)));
        }
    }
    for (std::int64_t i = 0; i < g.size; ++i) {
        gweight[i] = static_cast<T>(weights[static_cast<std::size_t>(i)]);
        gbias[i] = static_cast<T>(biases[static_cast<std::size_t>(i)]);
    }
}

#define WIREGRAD_INSTANTIATE(T)                                                                    \
    template void batch_norm_moments(const BatchNormGeometry&, const T*, double*, double*);        \
    template void batch_norm_apply(const BatchNormGeometry&, const T*, const T*, const T*,         \
                                   const T*, const T*, T*);                                        \
    template void batch_norm_backward(const BatchNormGeometry&, bool, const T*, const T*,          \
                                      const T*, const T*, const T*, T*, T*, T*);                   \
    template void layer_norm_forward(const AxisGeometry&, double, const T*, const T*, const T*,    \
                                     T*, T*, T*);                                                  \
    template void layer_norm_backward(const AxisGeometry&, const T*, const T*, const T*, const T*, \
                                      const T*, T*, T*, T*);
WIREGRAD_INSTANTIATE(float)
WIREGRAD_INSTANTIATE(double)
#undef WIREGRAD_INSTANTIATE

} // namespace wiregrad::cpu::plain

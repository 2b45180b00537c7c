#include "engine/backend/cpu/plain_softmax.h"

#include <algorithm>
#include <cmath>

namespace wiregrad::cpu::plain {

namespace {

/// log(sum(exp(x))) along the axis at (outer, inner); NaN when every x is -inf, as softmax defines
/// it.
template <class T> double log_sum_exp(const AxisGeometry& g, const T* x) {
    double top = x[0];
    for (std::int64_t i = 1; i < g.size; ++i)
        top = std::max(top, static_cast<double>(x[i * g.inner]));
    double sum = 0;
    for (std::int64_t i = 0; i < g.size; ++i)
        sum += std::exp(static_cast<double>(x[i * g.inner]) - top);
    return top + std::log(sum);
}

} // namespace

template <class T> void softmax_forward(const AxisGeometry& g, bool logarithm, const T* x, T* y) {
    if (g.size == 0) return;
    for (std::int64_t line = 0; line < g.outer * g.inner; ++line) {
        const std::int64_t at = line / g.inner * g.size * g.inner + line % g.inner;
        const double total = log_sum_exp(g, x + at);
        for (std::int64_t i = 0; i < g.size; ++i) {
            const double value = static_cast<double>(x[at + i * g.inner]) - total;
            y[at + i * g.inner] = static_cast<T>(logarithm ? value : std::exp(value));
        }
    }
}

template <class T>
void softmax_backward(const AxisGeometry& g, bool logarithm, const T* gy, const T* y, T* gx) {
    for (std::int64_t line = 0; line < g.outer * g.inner; ++line) {
        const std::int64_t at = line / g.inner * g.size * g.inner + line % g.inner;
        double dot = 0;
        for (std::int64_t i = at; i < at + g.size * g.inner; i += g.inner)
            dot += logarithm ? static_cast<double>(gy[i])
                             : static_cast<double>(gy[i]) * static_cast<double>(y[i]);
        for (std::int64_t i = at; i < at + g.size * g.inner; i += g.inner)
            gx[i] = static_cast<T>(
                logarithm ? static_cast<double>(gy[i]) - std::exp(static_cast<double>(y[i])) * dot
                          : static_cast<double>(y[i]) * (static_cast<double>(gy[i]) - dot));
    }
}

template <class T>
double cross_entropy(const CrossEntropyCall& call, const T* x, const std::int64_t* target,
                     const T* weight, T* loss, T* gx, T* pull) {
    const AxisGeometry& g = call.axis;
    auto weight_of = [&](std::int64_t c) { return weight ? static_cast<double>(weight[c]) : 1.0; };
    double all_weights = 0, divisor = 1;
    for (std::int64_t c = 0; c < g.size; ++c)
        all_weights += weight_of(c);
    if (call.mean) {
        divisor = 0;
        for (std::int64_t s = 0; s < g.outer * g.inner; ++s)
            divisor += target[s] == call.ignore_index ? 0.0 : weight_of(target[s]);
    }
    const double spread = call.label_smoothing / static_cast<double>(g.size),
                 hit = 1 - call.label_smoothing;
    for (std::int64_t s = 0; s < g.outer * g.inner; ++s) {
        const std::int64_t at = s / g.inner * g.size * g.inner + s % g.inner;
        if (target[s] == call.ignore_index) {
            loss[s] = pull[s] = T(0);
            for (std::int64_t c = 0; c < g.size; ++c)
                gx[at + c * g.inner] = T(0);
            continue;
        }
        const double total = log_sum_exp(g, x + at);
        const double sample = hit * weight_of(target[s]) + spread * all_weights;
        double value =
            hit * weight_of(target[s]) * (total - static_cast<double>(x[at + target[s] * g.inner]));
        for (std::int64_t c = 0; c < g.size; ++c) {
            const double logit = x[at + c * g.inner];
            if (spread != 0) value += spread * weight_of(c) * (total - logit);
            const double wanted =
                (c == target[s] ? hit * weight_of(c) : 0.0) + spread * weight_of(c);
            gx[at + c * g.inner] =
                static_cast<T>((sample * std::exp(logit - total) - wanted) / divisor);
        }
        loss[s] = static_cast<T>(value / divisor);
        pull[s] = static_cast<T>(sample / divisor);
    }
    return divisor;
}

#define WIREGRAD_INSTANTIATE(T)                                                                    \
    template void softmax_forward(const AxisGeometry&, bool, const T*, T*);                        \
    template void softmax_backward(const AxisGeometry&, bool, const T*, const T*, T*);             \
    template double cross_entropy(const CrossEntropyCall&, const T*, const std::int64_t*,          \
                                  const T*, T*, T*, T*);
WIREGRAD_INSTANTIATE(float)
WIREGRAD_INSTANTIATE(double)
#undef WIREGRAD_INSTANTIATE

} // namespace wiregrad::cpu::plain

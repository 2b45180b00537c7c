#include "engine/backend/cpu/softmax.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/backend/cpu/simd.h"
#include "engine/backend/cpu/team.h"

namespace wiregrad::cpu {

namespace {

/// Calls body(line, offset) for each line along the axis, on several threads. Exponentials are
/// worth about twenty operations.
template <class Body> void each_line(const AxisGeometry& g, Body body) {
    const int threads = team(20.0 * static_cast<double>(g.outer * g.size * g.inner));
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::int64_t line = 0; line < g.outer * g.inner; ++line)
        body(line, line / g.inner * g.size * g.inner + line % g.inner);
}

/// The line at `x` as consecutive numbers: itself, or a copy in `row` where other lines lie between
/// its elements.
const float* consecutive(const AxisGeometry& g, const float* x, std::vector<float>& row) {
    if (g.inner == 1) return x;
    row.resize(static_cast<std::size_t>(g.size));
    for (std::int64_t i = 0; i < g.size; ++i)
        row[static_cast<std::size_t>(i)] = x[i * g.inner];
    return row.data();
}

std::vector<float>& row_buffer(std::size_t i) {
    thread_local std::vector<float> rows[3];
    return rows[i];
}

/// Where a line's results go before they are spread out again.
float* result(const AxisGeometry& g, float* y) {
    if (g.inner == 1) return y;
    row_buffer(2).resize(static_cast<std::size_t>(g.size));
    return row_buffer(2).data();
}
void spread(const AxisGeometry& g, const float* row, float* y) {
    if (g.inner == 1) return;
    for (std::int64_t i = 0; i < g.size; ++i)
        y[i * g.inner] = row[i];
}

} // namespace

void softmax_forward(const AxisGeometry& g, bool logarithm, const float* x, float* y) {
    if (g.size == 0) return;
    const RowKernels& kernels = row_kernels();
    each_line(g, [&](std::int64_t, std::int64_t at) {
        const float* source = consecutive(g, x + at, row_buffer(0));
        float* target = result(g, y + at);
        float top = 0;
        const double sum = kernels.exponentials(source, g.size, target, &top);
        if (logarithm)
            kernels.standardise(source, g.size, top, 1.0F, static_cast<float>(-std::log(sum)),
                                target);
        else
            kernels.scale(target, g.size, static_cast<float>(1 / sum), target);
        spread(g, target, y + at);
    });
}
void softmax_forward(const AxisGeometry& g, bool logarithm, const double* x, double* y) {
    plain::softmax_forward(g, logarithm, x, y);
}
void softmax_backward(const AxisGeometry& g, bool logarithm, const float* gy, const float* y,
                      float* gx) {
    const RowKernels& kernels = row_kernels();
    each_line(g, [&](std::int64_t, std::int64_t at) {
        const float *grad = consecutive(g, gy + at, row_buffer(0)),
                    *source = consecutive(g, y + at, row_buffer(1));
        float* target = result(g, gx + at);
        (logarithm ? kernels.log_softmax_grad : kernels.softmax_grad)(grad, source, g.size, target);
        spread(g, target, gx + at);
    });
}
void softmax_backward(const AxisGeometry& g, bool logarithm, const double* gy, const double* y,
                      double* gx) {
    plain::softmax_backward(g, logarithm, gy, y, gx);
}
double cross_entropy(const CrossEntropyCall& call, const float* x, const std::int64_t* target,
                     const float* weight, float* loss, float* gx, float* pull) {
    const RowKernels& kernels = row_kernels();
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
    const double spread_share = call.label_smoothing / static_cast<double>(g.size),
                 hit = 1 - call.label_smoothing;
    each_line(g, [&](std::int64_t s, std::int64_t at) {
        float* row = result(g, gx + at);
        if (target[s] == call.ignore_index) {
            loss[s] = pull[s] = 0;
            std::fill_n(row, g.size, 0.0F);
            return spread(g, row, gx + at);
        }
        const float* logits = consecutive(g, x + at, row_buffer(0));
        float top = 0;
        const double sum = kernels.exponentials(logits, g.size, row, &top),
                     total = static_cast<double>(top) + std::log(sum);
        const double label_weight = hit * weight_of(target[s]),
                     sample = label_weight + spread_share * all_weights;
        double value = label_weight * (total - static_cast<double>(logits[target[s]]));
        kernels.scale(row, g.size, static_cast<float>(sample / sum / divisor), row);
        if (spread_share != 0)
            for (std::int64_t c = 0; c < g.size; ++c) {
                value += spread_share * weight_of(c) * (total - static_cast<double>(logits[c]));
                row[c] -= static_cast<float>(spread_share * weight_of(c) / divisor);
            }
        row[target[s]] -= static_cast<float>(label_weight / divisor);
        loss[s] = static_cast<float>(value / divisor);
        pull[s] = static_cast<float>(sample / divisor);
        spread(g, row, gx + at);
    });
    return divisor;
}
double cross_entropy(const CrossEntropyCall& call, const double* x, const std::int64_t* target,
                     const double* weight, double* loss, double* gx, double* pull) {
    return plain::cross_entropy(call, x, target, weight, loss, gx, pull);
}

} // namespace wiregrad::cpu

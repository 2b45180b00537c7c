// Compiled once for each instruction set, in a namespace of its own (WG_ISA). Nothing here may
// instantiate a function that another translation unit could share: the linker would keep one copy,
// perhaps one that a smaller CPU cannot run.
#include "engine/backend/cpu/simd.h"
#include "engine/kernel/math.h"

namespace wiregrad::cpu::WG_ISA {

namespace {

using std::int64_t;

// Sums run over sixteen lanes in chunks of fixed size and are added up in double: the same for
// every number of threads.
constexpr int kLanes = 16;
constexpr int64_t kChunk = 2048;

/// Adds up term(i) for i < n, one sum for each of kSums terms.
template <int kSums, class Term> inline void sum_up(int64_t n, double* sums, const Term& term) {
    for (int s = 0; s < kSums; ++s)
        sums[s] = 0;
    for (int64_t first = 0; first < n; first += kChunk) {
        const int64_t last = n - first < kChunk ? n : first + kChunk;
        float lanes[kSums][kLanes] = {};
        int64_t i = first;
        for (; i + kLanes <= last; i += kLanes)
            for (int l = 0; l < kLanes; ++l) {
                float values[kSums];
                term(i + l, values);
                for (int s = 0; s < kSums; ++s)
                    lanes[s][l] += values[s];
            }
        for (int l = 0; i < last; ++i, ++l) {
            float values[kSums];
            term(i, values);
            for (int s = 0; s < kSums; ++s)
                lanes[s][l] += values[s];
        }
        for (int s = 0; s < kSums; ++s)
            for (int l = 0; l < kLanes; ++l)
                sums[s] += static_cast<double>(lanes[s][l]);
    }
}

double sum(const float* x, int64_t n) {
    double total[1];
    sum_up<1>(n, total, [x](int64_t i, float* v) { v[0] = x[i]; });
    return total[0];
}

double squares(const float* x, int64_t n, float centre) {
    double total[1];
    sum_up<1>(n, total,
              [x, centre](int64_t i, float* v) { v[0] = (x[i] - centre) * (x[i] - centre); });
    return total[0];
}

void sum_and_dot(const float* g, const float* x, int64_t n, float centre, double* sums) {
    sum_up<2>(n, sums, [g, x, centre](int64_t i, float* v) {
        v[0] = g[i];
        v[1] = g[i] * (x[i] - centre);
    });
}

void weighted_sum_and_dot(const float* g, const float* weight, const float* x, int64_t n,
                          float centre, double* sums) {
    sum_up<2>(n, sums, [g, weight, x, centre](int64_t i, float* v) {
        v[0] = g[i] * weight[i];
        v[1] = g[i] * weight[i] * (x[i] - centre);
    });
}

void standardise(const float* x, int64_t n, float centre, float scale, float shift, float* y) {
    for (int64_t i = 0; i < n; ++i)
        y[i] = (x[i] - centre) * scale + shift;
}

void standardise_weighted(const float* x, int64_t n, float centre, float scale, const float* weight,
                          const float* bias, float* y) {
    for (int64_t i = 0; i < n; ++i)
        y[i] = (x[i] - centre) * scale * weight[i] + bias[i];
}

void norm_grad(const float* g, const float* x, int64_t n, float centre, float scale, float mean_g,
               float slope, float* gx) {
    for (int64_t i = 0; i < n; ++i)
        gx[i] = scale * (g[i] - mean_g - (x[i] - centre) * slope);
}

void norm_grad_weighted(const float* g, const float* weight, const float* x, int64_t n,
                        float centre, float scale, float mean_g, float slope, float* gx) {
    for (int64_t i = 0; i < n; ++i)
        gx[i] = scale * (g[i] * weight[i] - mean_g - (x[i] - centre) * slope);
}

void add_weight_grads(const float* g, const float* x, int64_t n, float centre, float scale,
                      float* gweight, float* gbias) {
    for (int64_t i = 0; i < n; ++i) {
        gweight[i] += g[i] * (x[i] - centre) * scale;
        gbias[i] += g[i];
    }
}

double exponentials(const float* x, int64_t n, float* e, float* top) {
    float best[kLanes];
    for (int l = 0; l < kLanes; ++l)
        best[l] = x[0];
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int l = 0; l < kLanes; ++l)
            best[l] = x[i + l] > best[l] ? x[i + l] : best[l];
    float most = best[0];
    for (int l = 1; l < kLanes; ++l)
        most = best[l] > most ? best[l] : most;
    for (; i < n; ++i)
        most = x[i] > most ? x[i] : most;
    for (i = 0; i < n; ++i)
        e[i] = kernel::WG_ISA::math::exp(x[i] - most);
    *top = most;
    return sum(e, n);
}

void scale(const float* x, int64_t n, float factor, float* y) {
    for (int64_t i = 0; i < n; ++i)
        y[i] = x[i] * factor;
}

void softmax_grad(const float* g, const float* y, int64_t n, float* gx) {
    double total[1];
    sum_up<1>(n, total, [g, y](int64_t i, float* v) { v[0] = g[i] * y[i]; });
    const float dot = static_cast<float>(total[0]);
    for (int64_t i = 0; i < n; ++i)
        gx[i] = y[i] * (g[i] - dot);
}

void log_softmax_grad(const float* g, const float* y, int64_t n, float* gx) {
    const float total = static_cast<float>(sum(g, n));
    for (int64_t i = 0; i < n; ++i)
        gx[i] = g[i] - kernel::WG_ISA::math::exp(y[i]) * total;
}

} // namespace

extern const RowKernels kRowKernels;
const RowKernels kRowKernels{sum,
                             squares,
                             sum_and_dot,
                             weighted_sum_and_dot,
                             standardise,
                             standardise_weighted,
                             norm_grad,
                             norm_grad_weighted,
                             add_weight_grads,
                             exponentials,
                             scale,
                             softmax_grad,
                             log_softmax_grad};

} // namespace wiregrad::cpu::WG_ISA

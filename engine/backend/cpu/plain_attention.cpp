#include "engine/backend/cpu/plain_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/core/random.h"

namespace wiregrad::cpu::plain {

namespace {

using std::int64_t;
constexpr double kMasked = -std::numeric_limits<double>::infinity();

/// The scores of query i against all keys, mask and scale included.
template <class T, class Call>
void scores(const AttentionGeometry& g, const Call& a, int64_t head, int64_t i,
            std::vector<double>& out) {
    const T* q = a.q.row(head, i);
    for (int64_t j = 0; j < g.keys; ++j) {
        double sum = 0;
        const T* k = a.k.row(head, j);
        for (int64_t e = 0; e < g.size; ++e)
            sum += static_cast<double>(q[e]) * static_cast<double>(k[e]);
        sum *= g.scale;
        if (a.mask.any()) {
            const int64_t at =
                a.mask.offsets[head] + i * a.mask.row_stride + j * a.mask.column_stride;
            if (a.mask.added != nullptr)
                sum += static_cast<double>(a.mask.added[at]);
            else if (a.mask.allowed[at] == 0)
                sum = kMasked;
        }
        out[static_cast<std::size_t>(j)] = g.causal && j > i ? kMasked : sum;
    }
}

/// What dropout multiplies the weight of query i and key j by.
double kept(const AttentionGeometry& g, int64_t head, int64_t i, int64_t j) {
    if (g.dropout <= 0) return 1;
    const auto element = static_cast<std::uint64_t>((head * g.queries + i) * g.keys + j);
    const bool keeps = philox_bits(g.seed, g.offset, element) >= g.threshold();
    return keeps && g.dropout < 1 ? 1 / (1 - g.dropout) : 0.0;
}

} // namespace

template <class T>
void attention_forward(const AttentionGeometry& g, const AttentionForward<T>& a) {
    std::vector<double> s(static_cast<std::size_t>(g.keys)),
        out(static_cast<std::size_t>(g.value_size));
    for (int64_t head = 0; head < g.heads; ++head)
        for (int64_t i = 0; i < g.queries; ++i) {
            scores<T>(g, a, head, i, s);
            double top = kMasked, sum = 0;
            for (double v : s)
                top = v > top || std::isnan(v) ? v : top;
            std::fill(out.begin(), out.end(), 0.0);
            if (top != kMasked)
                for (int64_t j = 0; j < g.keys; ++j) {
                    const double e = std::exp(s[static_cast<std::size_t>(j)] - top),
                                 weight = e * kept(g, head, i, j);
                    sum += e;
                    const T* v = a.v.row(head, j);
                    for (std::size_t d = 0; d < out.size(); ++d)
                        out[d] += weight * static_cast<double>(v[d]);
                }
            const int64_t row = head * g.queries + i;
            for (std::size_t d = 0; d < out.size(); ++d)
                a.y[row * g.value_size + static_cast<int64_t>(d)] =
                    static_cast<T>(sum == 0 ? 0 : out[d] / sum);
            a.log_sums[row] = static_cast<T>(sum == 0 ? kMasked : top + std::log(sum));
        }
}

template <class T>
void attention_backward(const AttentionGeometry& g, const AttentionBackward<T>& a) {
    std::vector<double> s(static_cast<std::size_t>(g.keys)), gk, gv, gq;
    for (int64_t head = 0; head < g.heads; ++head) {
        gk.assign(static_cast<std::size_t>(g.keys * g.size), 0);
        gv.assign(static_cast<std::size_t>(g.keys * g.value_size), 0);
        for (int64_t i = 0; i < g.queries; ++i) {
            const int64_t row = head * g.queries + i;
            const double log_sum = static_cast<double>(a.log_sums[row]);
            scores<T>(g, a, head, i, s);
            const T *gy = a.gy + row * g.value_size, *y = a.y + row * g.value_size,
                    *q = a.q.row(head, i);
            double pull = 0;
            for (int64_t d = 0; d < g.value_size; ++d)
                pull += static_cast<double>(gy[d]) * static_cast<double>(y[d]);
            gq.assign(static_cast<std::size_t>(g.size), 0);
            for (int64_t j = 0; j < g.keys; ++j) {
                const double weight =
                    log_sum == kMasked ? 0 : std::exp(s[static_cast<std::size_t>(j)] - log_sum);
                const double keep = kept(g, head, i, j);
                const T *v = a.v.row(head, j), *k = a.k.row(head, j);
                double by_weight = 0;
                for (int64_t d = 0; d < g.value_size; ++d) {
                    by_weight += static_cast<double>(gy[d]) * static_cast<double>(v[d]);
                    gv[static_cast<std::size_t>(j * g.value_size + d)] +=
                        weight * keep * static_cast<double>(gy[d]);
                }
                const double score = weight * (by_weight * keep - pull) * g.scale;
                for (int64_t e = 0; e < g.size; ++e) {
                    gq[static_cast<std::size_t>(e)] += score * static_cast<double>(k[e]);
                    gk[static_cast<std::size_t>(j * g.size + e)] +=
                        score * static_cast<double>(q[e]);
                }
            }
            for (std::size_t e = 0; e < gq.size(); ++e)
                a.gq[row * g.size + static_cast<int64_t>(e)] = static_cast<T>(gq[e]);
        }
        const auto give = [](const std::vector<double>& from, T* to) {
            std::transform(from.begin(), from.end(), to,
                           [](double v) { return static_cast<T>(v); });
        };
        give(gk, a.gk + head * g.keys * g.size);
        give(gv, a.gv + head * g.keys * g.value_size);
    }
}

template void attention_forward(const AttentionGeometry&, const AttentionForward<float>&);
template void attention_forward(const AttentionGeometry&, const AttentionForward<double>&);
template void attention_backward(const AttentionGeometry&, const AttentionBackward<float>&);
template void attention_backward(const AttentionGeometry&, const AttentionBackward<double>&);

} // namespace wiregrad::cpu::plain

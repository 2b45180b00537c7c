#include "engine/backend/cpu/plain_recurrent.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace wiregrad::cpu::plain {

namespace {

using std::int64_t;
using Row = std::vector<double>;

double sigmoid(double x) {
    const double e = std::exp(-std::abs(x));
    return (x < 0 ? e : 1.0) / (1.0 + e);
}

template <class T> double value(const T* from, int64_t at) {
    return from == nullptr ? 0.0 : static_cast<double>(from[at]);
}

/// Calls body(t) for the steps of a sequence in the order of its direction.
template <class Body>
void each_step(const RecurrentGeometry& g, int64_t length, bool backward, const Body& body) {
    for (int64_t s = 0; s < length; ++s)
        body(g.reverse != backward ? length - 1 - s : s);
}

/// out = m row of `width` + bias, m [out.size(), width].
template <class T, class U>
void affine(const T* m, const U* row, int64_t width, const T* bias, Row& out) {
    for (std::size_t j = 0; j < out.size(); ++j) {
        const auto at = static_cast<int64_t>(j);
        double sum = value(bias, at);
        for (int64_t k = 0; k < width; ++k)
            sum += static_cast<double>(m[at * width + k]) * static_cast<double>(row[k]);
        out[j] = sum;
    }
}

} // namespace

template <class T>
void recurrent_forward(const RecurrentGeometry& g, const RecurrentForward<T>& a) {
    const int64_t hidden = g.hidden, gates = g.gates();
    const auto h_size = static_cast<std::size_t>(hidden);
    std::fill_n(a.y, g.rows() * hidden, T(0));
    std::fill_n(a.saved, g.rows() * g.saved(), T(0));
    for (int64_t n = 0; n < g.batch; ++n) {
        const int64_t length = a.lengths ? a.lengths[n] : g.steps;
        Row h(h_size), c(h_size), from_x(static_cast<std::size_t>(gates)), from_h(from_x.size());
        for (int64_t u = 0; u < hidden; ++u) {
            h[static_cast<std::size_t>(u)] = value(a.h0, n * hidden + u);
            c[static_cast<std::size_t>(u)] = value(a.c0, n * hidden + u);
        }
        const auto keep_cells = [&](int64_t t) {
            for (int64_t u = 0; u < hidden; ++u)
                a.cells[(t * g.batch + n) * hidden + u] =
                    static_cast<T>(c[static_cast<std::size_t>(u)]);
        };
        if (g.cell == Cell::Lstm && g.reverse)
            for (int64_t t = length; t < g.steps; ++t)
                keep_cells(t);
        each_step(g, length, false, [&](int64_t t) {
            const int64_t row = t * g.batch + n;
            affine(a.w_ih, a.x + row * g.inputs, g.inputs, a.b_ih, from_x);
            affine(a.w_hh, h.data(), hidden, a.b_hh, from_h);
            T* saved = a.saved == nullptr ? nullptr : a.saved + row * g.saved();
            for (int64_t u = 0; u < hidden; ++u) {
                const auto at = [&](int64_t gate) {
                    return static_cast<std::size_t>(gate * hidden + u);
                };
                const auto sum = [&](int64_t gate) { return from_x[at(gate)] + from_h[at(gate)]; };
                const auto save = [&](int64_t gate, double v) {
                    saved[at(gate)] = static_cast<T>(v);
                };
                double& state = h[at(0)];
                if (g.cell == Cell::Lstm) {
                    const double i = sigmoid(sum(0)), f = sigmoid(sum(1)), k = std::tanh(sum(2)),
                                 o = sigmoid(sum(3));
                    c[at(0)] = f * c[at(0)] + i * k;
                    state = o * std::tanh(c[at(0)]);
                    save(0, i), save(1, f), save(2, k), save(3, o);
                } else if (g.cell == Cell::Gru) {
                    const double r = sigmoid(sum(0)), z = sigmoid(sum(1)), inner = from_h[at(2)],
                                 k = std::tanh(from_x[at(2)] + r * inner);
                    state = (1 - z) * k + z * state;
                    save(0, r), save(1, z), save(2, k), save(3, inner);
                } else {
                    const double v = sum(0);
                    state = g.cell == Cell::Tanh ? std::tanh(v) : v < 0 ? 0.0 : v;
                }
                a.y[row * hidden + u] = static_cast<T>(state);
            }
            if (g.cell == Cell::Lstm) keep_cells(t);
        });
        if (g.cell == Cell::Lstm && !g.reverse)
            for (int64_t t = length; t < g.steps; ++t)
                keep_cells(t);
        for (int64_t u = 0; u < hidden; ++u) {
            a.h_n[n * hidden + u] = static_cast<T>(h[static_cast<std::size_t>(u)]);
            if (g.cell == Cell::Lstm)
                a.c_n[n * hidden + u] = static_cast<T>(c[static_cast<std::size_t>(u)]);
        }
    }
}

template <class T>
void recurrent_backward(const RecurrentGeometry& g, const RecurrentBackward<T>& a) {
    const int64_t hidden = g.hidden, gates = g.gates();
    const auto h_size = static_cast<std::size_t>(hidden), g_size = static_cast<std::size_t>(gates);
    Row w_ih(g_size * static_cast<std::size_t>(g.inputs)), w_hh(g_size * h_size), b_ih(g_size),
        b_hh(g_size);
    if (a.gx != nullptr) std::fill_n(a.gx, g.rows() * g.inputs, T(0));
    for (int64_t n = 0; n < g.batch; ++n) {
        const int64_t length = a.lengths ? a.lengths[n] : g.steps;
        Row dh(h_size), dc(h_size), from_x(g_size), from_h(g_size);
        for (std::size_t u = 0; u < h_size; ++u) {
            dh[u] = value(a.gh_n, n * hidden + static_cast<int64_t>(u));
            dc[u] = value(a.gc_n, n * hidden + static_cast<int64_t>(u));
        }
        each_step(g, length, true, [&](int64_t t) {
            const int64_t row = t * g.batch + n, before = g.reverse ? t + 1 : t - 1;
            const bool first = before < 0 || before >= length;
            const T* h_before = first ? (a.h0 ? a.h0 + n * hidden : nullptr)
                                      : a.y + (before * g.batch + n) * hidden;
            const T* saved = a.saved == nullptr ? nullptr : a.saved + row * g.saved();
            for (int64_t u = 0; u < hidden; ++u) {
                const auto at = [&](int64_t gate) {
                    return static_cast<std::size_t>(gate * hidden + u);
                };
                const auto gate = [&](int64_t k) { return static_cast<double>(saved[at(k)]); };
                const double d = dh[at(0)] + value(a.gy, row * hidden + u);
                if (g.cell == Cell::Lstm) {
                    const T* c_before = first ? (a.c0 ? a.c0 + n * hidden : nullptr)
                                              : a.cells + (before * g.batch + n) * hidden;
                    const double i = gate(0), f = gate(1), k = gate(2), o = gate(3),
                                 c = std::tanh(static_cast<double>(a.cells[row * hidden + u])),
                                 down = dc[at(0)] + d * o * (1 - c * c);
                    from_x[at(0)] = down * k * i * (1 - i);
                    from_x[at(1)] = down * value(c_before, u) * f * (1 - f);
                    from_x[at(2)] = down * i * (1 - k * k);
                    from_x[at(3)] = d * c * o * (1 - o);
                    dc[at(0)] = down * f;
                    dh[at(0)] = 0;
                } else if (g.cell == Cell::Gru) {
                    const double r = gate(0), z = gate(1), k = gate(2), inner = gate(3),
                                 dn = d * (1 - z) * (1 - k * k);
                    from_x[at(0)] = dn * inner * r * (1 - r);
                    from_x[at(1)] = d * (value(h_before, u) - k) * z * (1 - z);
                    from_x[at(2)] = dn;
                    dh[at(0)] = d * z;
                } else {
                    const double y = static_cast<double>(a.y[row * hidden + u]);
                    from_x[at(0)] = g.cell == Cell::Tanh ? d * (1 - y * y) : y > 0 ? d : 0.0;
                    dh[at(0)] = 0;
                }
            }
            from_h = from_x;
            if (g.cell == Cell::Gru)
                for (std::size_t u = 0; u < h_size; ++u)
                    from_h[2 * h_size + u] *= static_cast<double>(saved[u]);
            for (std::size_t j = 0; j < g_size; ++j) {
                const auto line = static_cast<int64_t>(j);
                for (int64_t k = 0; k < g.inputs; ++k) {
                    const auto at = static_cast<std::size_t>(line * g.inputs + k);
                    w_ih[at] += from_x[j] * static_cast<double>(a.x[row * g.inputs + k]);
                    if (a.gx != nullptr)
                        a.gx[row * g.inputs + k] +=
                            static_cast<T>(from_x[j] * static_cast<double>(a.w_ih[at]));
                }
                for (int64_t k = 0; k < hidden; ++k) {
                    const auto at = static_cast<std::size_t>(line * hidden + k);
                    w_hh[at] += from_h[j] * value(h_before, k);
                    dh[static_cast<std::size_t>(k)] += from_h[j] * static_cast<double>(a.w_hh[at]);
                }
                b_ih[j] += from_x[j];
                b_hh[j] += from_h[j];
            }
        });
        for (std::size_t u = 0; u < h_size; ++u) {
            a.gh0[n * hidden + static_cast<int64_t>(u)] = static_cast<T>(dh[u]);
            if (g.cell == Cell::Lstm)
                a.gc0[n * hidden + static_cast<int64_t>(u)] = static_cast<T>(dc[u]);
        }
    }
    const auto give = [](const Row& from, T* to) {
        if (to != nullptr)
            std::transform(from.begin(), from.end(), to,
                           [](double v) { return static_cast<T>(v); });
    };
    give(w_ih, a.gw_ih);
    give(w_hh, a.gw_hh);
    give(b_ih, a.gb_ih);
    give(b_hh, a.gb_hh);
}

template void recurrent_forward(const RecurrentGeometry&, const RecurrentForward<float>&);
template void recurrent_forward(const RecurrentGeometry&, const RecurrentForward<double>&);
template void recurrent_backward(const RecurrentGeometry&, const RecurrentBackward<float>&);
template void recurrent_backward(const RecurrentGeometry&, const RecurrentBackward<double>&);

} // namespace wiregrad::cpu::plain

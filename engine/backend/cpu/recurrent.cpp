#include "engine/backend/cpu/recurrent.h"

#include <algorithm>

#include "engine/backend/cpu/column_sums.h"
#include "engine/backend/cpu/gemm.h"
#include "engine/backend/cpu/simd.h"
#include "engine/backend/cpu/team.h"

namespace wiregrad::cpu {

// Everything that does not depend on the step before is one large product over all steps: W x ahead
// of the steps, the gradients of x and of the weights after them. Within a step each thread keeps
// to rows of its own, so that the steps need no meeting of threads; the recurrent weights are
// packed into panels that hold all gates of 16 hidden units.
namespace {

using std::int64_t;

constexpr int64_t kWide = 16;
constexpr int64_t kPanel = kPanelVectors * kWide;
constexpr int64_t kTileRows = 48; // 12 KB of products at a time

int64_t rounded(int64_t n, int64_t to) {
    return (n + to - 1) / to * to;
}
std::size_t size(int64_t n) {
    return static_cast<std::size_t>(n);
}

/// Threads that share the rows of a batch.
int row_team(const RecurrentGeometry& g) {
    const double work =
        2.0 * static_cast<double>(g.rows() * g.gates()) * static_cast<double>(g.hidden);
    return static_cast<int>(std::clamp<int64_t>(team(work), 1, std::max<int64_t>(g.batch, 1)));
}

/// How the columns of the recurrent product are cut into panels.
struct Cut {
    int64_t gates;   ///< side by side in a panel, 16 apart
    int64_t units;   ///< hidden units in a panel
    int64_t columns; ///< of a panel
    explicit Cut(Cell cell)
        : gates(cell == Cell::Lstm  ? 4
                : cell == Cell::Gru ? 3
                                    : 1),
          units(gates == 1 ? kPanel : kWide), columns(gates == 1 ? kPanel : gates * kWide) {}
};

void pack_forward(const RecurrentGeometry& g, const Cut& cut, const float* w, float* panels,
                  int threads) {
    const PanelKernels& kernels = panel_kernels();
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t u = 0; u < g.hidden; u += cut.units) {
        float* panel = panels + u / cut.units * cut.columns * g.hidden;
        const int64_t units = std::min(cut.units, g.hidden - u);
        for (int64_t gate = 0; gate < cut.gates; ++gate)
            kernels.pack_transposed(static_cast<int>(cut.units / kWide), g.hidden, units,
                                    w + (gate * g.hidden + u) * g.hidden, g.hidden,
                                    panel + gate * kWide, cut.columns);
    }
}

/// A thread's rows, first to last, of one step.
struct Rows {
    int64_t first, last;
};

void forward_step(const RecurrentGeometry& g, const RecurrentForward<float>& a, const Cut& cut,
                  const float* panels, const float* bias, const float* h_before,
                  const float* c_before, int64_t t, Rows rows) {
    const PanelKernels& kernels = panel_kernels();
    const CellKernels& cells = cell_kernels();
    const int64_t hidden = g.hidden, saved_pitch = g.saved();
    alignas(64) float tile[kTileRows * kPanel];
    for (int64_t u = 0; u < hidden; u += cut.units) {
        const float* panel = panels + u / cut.units * cut.columns * hidden;
        for (int64_t n = rows.first; n < rows.last; n += kTileRows) {
            const int64_t height = std::min(kTileRows, rows.last - n);
            if (h_before != nullptr)
                kernels.product(static_cast<int>(cut.columns / kWide), height, hidden,
                                h_before + n * hidden, hidden, 1, panel, tile, cut.columns, false);
            else
                std::fill_n(tile, height * cut.columns, 0.0F);
            for (int64_t i = 0; i < height; ++i) {
                const int64_t row = t * g.batch + n + i, state = (n + i) * hidden + u;
                const float* h = tile + i * cut.columns;
                float* y = a.y + row * hidden + u;
                float* saved = a.saved == nullptr ? nullptr : a.saved + row * saved_pitch + u;
                if (g.cell == Cell::Lstm)
                    cells.lstm(std::min(kWide, hidden - u), hidden, saved, bias + u, h,
                               c_before ? c_before + state : nullptr, saved,
                               a.cells + row * hidden + u, y);
                else if (g.cell == Cell::Gru)
                    cells.gru(std::min(kWide, hidden - u), hidden, saved, bias + u, h,
                              a.b_hh ? a.b_hh + 2 * hidden + u : nullptr,
                              h_before ? h_before + state : nullptr, saved, y);
                else
                    for (int64_t v = 0; v < cut.units && u + v < hidden; v += kWide)
                        cells.rnn(g.cell == Cell::Relu, std::min(kWide, hidden - u - v), y + v,
                                  bias + u + v, h + v, y + v);
            }
        }
    }
}

/// `state` keeps the last output of each sequence, for sequences end (or, in reverse, begin) at
/// different steps: their rows are brought into order after each step.
void settle(const RecurrentGeometry& g, const RecurrentForward<float>& a, float* state,
            const float* c_before, int64_t t, Rows rows) {
    const int64_t hidden = g.hidden;
    for (int64_t n = rows.first; n < rows.last; ++n) {
        const int64_t row = t * g.batch + n;
        float* y = a.y + row * hidden;
        if (t < a.lengths[n]) {
            std::copy_n(y, hidden, state + n * hidden);
            continue;
        }
        std::fill_n(y, hidden, 0.0F);
        if (a.saved != nullptr) std::fill_n(a.saved + row * g.saved(), g.saved(), 0.0F);
        if (g.cell != Cell::Lstm) continue;
        if (c_before != nullptr)
            std::copy_n(c_before + n * hidden, hidden, a.cells + row * hidden);
        else
            std::fill_n(a.cells + row * hidden, hidden, 0.0F);
    }
}

void pack_backward(const RecurrentGeometry& g, const float* w, float* panels, int threads) {
    const int64_t depth = g.gates(), hidden = g.hidden;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t u = 0; u < hidden; u += kPanel) {
        const int64_t columns = std::min(kPanel, rounded(hidden - u, kWide)),
                      units = std::min(columns, hidden - u);
        float* panel = panels + u * depth;
        for (int64_t k = 0; k < depth; ++k) {
            std::copy_n(w + k * hidden + u, units, panel + k * columns);
            std::fill_n(panel + k * columns + units, columns - units, 0.0F);
        }
    }
}

/// dh += dgates U for a thread's rows.
void pull_back(const RecurrentGeometry& g, const float* panels, const float* dgates, float* dh,
               Rows rows) {
    const PanelKernels& kernels = panel_kernels();
    const int64_t depth = g.gates(), hidden = g.hidden;
    alignas(64) float tile[kTileRows * kPanel];
    for (int64_t u = 0; u < hidden; u += kPanel) {
        const int64_t columns = std::min(kPanel, rounded(hidden - u, kWide)),
                      units = std::min(columns, hidden - u);
        for (int64_t n = rows.first; n < rows.last; n += kTileRows) {
            const int64_t height = std::min(kTileRows, rows.last - n);
            kernels.product(static_cast<int>(columns / kWide), height, depth, dgates + n * depth,
                            depth, 1, panels + u * depth, tile, columns, false);
            for (int64_t i = 0; i < height; ++i)
                for (int64_t j = 0; j < units; ++j)
                    dh[(n + i) * hidden + u + j] += tile[i * columns + j];
        }
    }
}

/// gw [gates, width] (+)= dgates^T m over `rows` rows.
void weight_grad(const RecurrentGeometry& g, int64_t rows, const float* dgates, const float* m,
                 int64_t width, bool accumulate, float* gw) {
    gemm({true, false, g.gates(), width, rows, g.gates(), width, width, accumulate}, dgates, m, gw);
}

bool needs_states(const RecurrentGeometry& g, const RecurrentBackward<float>& a) {
    return g.reverse && a.lengths != nullptr && a.h0 != nullptr;
}

/// The output before each row, zeros or h0 at a sequence's first step.
const float* state_before(const RecurrentGeometry& g, const RecurrentBackward<float>& a, int64_t t,
                          int64_t n) {
    const int64_t before = g.reverse ? t + 1 : t - 1, hidden = g.hidden,
                  length = a.lengths ? a.lengths[n] : g.steps;
    if (before < 0 || before >= length) return a.h0 ? a.h0 + n * hidden : nullptr;
    return a.y + (before * g.batch + n) * hidden;
}

} // namespace

std::size_t recurrent_forward_space(const RecurrentGeometry& g) {
    const Cut cut(g.cell);
    return size((g.hidden + cut.units - 1) / cut.units * cut.columns * g.hidden +
                rounded(g.gates(), kWide) + g.batch * g.hidden);
}
std::size_t recurrent_backward_space(const RecurrentGeometry& g) {
    return size(rounded(g.hidden, kWide) * g.gates() +
                (g.cell == Cell::Gru ? 2 : 1) * g.rows() * g.gates() + g.rows() * g.hidden);
}

void recurrent_forward(const RecurrentGeometry& g, const RecurrentForward<float>& a, float* space) {
    const Cut cut(g.cell);
    const int64_t hidden = g.hidden, gates = g.gates();
    float* panels = space;
    float* bias = panels + (hidden + cut.units - 1) / cut.units * cut.columns * hidden;
    float* state = bias + rounded(gates, kWide);
    const bool gru = g.cell == Cell::Gru;
    for (int64_t j = 0; j < gates; ++j)
        bias[j] =
            (a.b_ih ? a.b_ih[j] : 0.0F) + (a.b_hh && !(gru && j >= 2 * hidden) ? a.b_hh[j] : 0.0F);
    const int threads = row_team(g);
    pack_forward(g, cut, a.w_hh, panels, threads);
    const bool keeps = g.saved() > 0;
    gemm({false, true, g.rows(), gates, g.inputs, g.inputs, g.inputs, keeps ? g.saved() : hidden,
          false},
         a.x, a.w_ih, keeps ? a.saved : a.y);
    if (a.lengths != nullptr) {
        if (a.h0 != nullptr)
            std::copy_n(a.h0, g.batch * hidden, state);
        else
            std::fill_n(state, g.batch * hidden, 0.0F);
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int part = 0; part < threads; ++part) {
        const Rows rows{g.batch * part / threads, g.batch * (part + 1) / threads};
        const float *h_before = a.h0, *c_before = a.c0;
        for (int64_t s = 0; s < g.steps; ++s) {
            const int64_t t = g.reverse ? g.steps - 1 - s : s;
            forward_step(g, a, cut, panels, bias, a.lengths ? state : h_before, c_before, t, rows);
            if (a.lengths) settle(g, a, state, c_before, t, rows);
            h_before = a.y + t * g.batch * hidden;
            if (g.cell == Cell::Lstm) c_before = a.cells + t * g.batch * hidden;
        }
        const int64_t first = rows.first * hidden, count = (rows.last - rows.first) * hidden;
        std::copy_n((a.lengths ? state : h_before) + first, count, a.h_n + first);
        if (g.cell == Cell::Lstm) std::copy_n(c_before + first, count, a.c_n + first);
    }
}
void recurrent_forward(const RecurrentGeometry& g, const RecurrentForward<double>& a, double*) {
    plain::recurrent_forward(g, a);
}

void recurrent_backward(const RecurrentGeometry& g, const RecurrentBackward<float>& a,
                        float* space) {
    const CellKernels& cells = cell_kernels();
    const int64_t hidden = g.hidden, gates = g.gates(), batch = g.batch;
    const bool gru = g.cell == Cell::Gru;
    float* panels = space;
    float* from_x = panels + rounded(hidden, kWide) * gates;
    float* from_h = gru ? from_x + g.rows() * gates : from_x;
    float* states = from_h + g.rows() * gates;
    const int threads = row_team(g);
    pack_backward(g, a.w_hh, panels, threads);
    const auto start = [&](const float* from, float* to, int64_t first, int64_t count) {
        if (from != nullptr)
            std::copy_n(from + first, count, to + first);
        else
            std::fill_n(to + first, count, 0.0F);
    };
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int part = 0; part < threads; ++part) {
        const Rows rows{batch * part / threads, batch * (part + 1) / threads};
        start(a.gh_n, a.gh0, rows.first * hidden, (rows.last - rows.first) * hidden);
        if (g.cell == Cell::Lstm)
            start(a.gc_n, a.gc0, rows.first * hidden, (rows.last - rows.first) * hidden);
        for (int64_t s = g.steps - 1; s >= 0; --s) {
            const int64_t t = g.reverse ? g.steps - 1 - s : s;
            for (int64_t n = rows.first; n < rows.last; ++n) {
                const int64_t row = t * batch + n;
                float *dh = a.gh0 + n * hidden, *dx = from_x + row * gates;
                if (a.lengths && t >= a.lengths[n]) {
                    std::fill_n(dx, gates, 0.0F);
                    if (gru) std::fill_n(from_h + row * gates, gates, 0.0F);
                    continue;
                }
                if (a.gy != nullptr)
                    for (int64_t u = 0; u < hidden; ++u)
                        dh[u] += a.gy[row * hidden + u];
                if (g.cell == Cell::Lstm) {
                    const int64_t before = g.reverse ? t + 1 : t - 1;
                    const bool first = before < 0 || before >= (a.lengths ? a.lengths[n] : g.steps);
                    const float* c_before = first ? (a.c0 ? a.c0 + n * hidden : nullptr)
                                                  : a.cells + (before * batch + n) * hidden;
                    cells.lstm_backward(hidden, a.saved + row * g.saved(), c_before,
                                        a.cells + row * hidden, dh, a.gc0 + n * hidden, dx);
                } else if (gru) {
                    cells.gru_backward(hidden, a.saved + row * g.saved(), state_before(g, a, t, n),
                                       dh, dx, from_h + row * gates);
                } else {
                    cells.rnn_backward(g.cell == Cell::Relu, hidden, a.y + row * hidden, dh, dx);
                }
            }
            pull_back(g, panels, from_h + t * batch * gates, a.gh0, rows);
        }
    }
    if (a.gx != nullptr)
        gemm({false, false, g.rows(), g.inputs, gates, gates, g.inputs, g.inputs, false}, from_x,
             a.w_ih, a.gx);
    weight_grad(g, g.rows(), from_x, a.x, g.inputs, false, a.gw_ih);
    if (needs_states(g, a)) {
        for (int64_t t = 0; t < g.steps; ++t)
            for (int64_t n = 0; n < batch; ++n)
                std::copy_n(state_before(g, a, t, n), hidden, states + (t * batch + n) * hidden);
        weight_grad(g, g.rows(), from_h, states, hidden, false, a.gw_hh);
    } else {
        const int64_t later = std::max<int64_t>(g.steps - 1, 0) * batch,
                      first = g.reverse ? later : 0;
        weight_grad(g, later, from_h + (g.reverse ? 0 : batch * gates),
                    a.y + (g.reverse ? batch * hidden : 0), hidden, false, a.gw_hh);
        if (a.h0 != nullptr)
            weight_grad(g, batch, from_h + first * gates, a.h0, hidden, true, a.gw_hh);
    }
    column_sums(from_x, g.rows(), gates, a.gb_ih);
    if (gru) column_sums(from_h, g.rows(), gates, a.gb_hh);
}
void recurrent_backward(const RecurrentGeometry& g, const RecurrentBackward<double>& a, double*) {
    plain::recurrent_backward(g, a);
}

} // namespace wiregrad::cpu

// Gates of recurrent nets, forward and backward, one row at a time. Compiled once for each
// instruction set, in a namespace of its own (WG_ISA). Nothing here may instantiate a function that
// another translation unit could share.
#include "engine/backend/cpu/simd.h"

#include "engine/backend/cpu/simd_math.h"

namespace wiregrad::cpu::WG_ISA {

namespace {

using std::int64_t;
constexpr int kWide = 16;

/// `count` numbers at `from` as 16, the others 0; no pointer: zeros.
inline void fetch(const float* from, int64_t count, float* to) {
    if (from == nullptr)
        for (int l = 0; l < kWide; ++l)
            to[l] = 0;
    else if (count == kWide)
        __builtin_memcpy(to, from, kWide * sizeof(float));
    else
        for (int64_t l = 0; l < kWide; ++l)
            to[l] = l < count ? from[l] : 0.0F;
}
inline void put(const float* from, int64_t count, float* to) {
    if (count == kWide)
        __builtin_memcpy(to, from, kWide * sizeof(float));
    else
        for (int64_t l = 0; l < count; ++l)
            to[l] = from[l];
}
inline const float* moved(const float* from, int64_t by) {
    return from == nullptr ? nullptr : from + by;
}

void lstm(int64_t count, int64_t pitch, const float* x, const float* bias, const float* h,
          const float* c_before, float* saved, float* c, float* y) {
    float gates[4][kWide], b[kWide], state[kWide], out[kWide];
    for (int g = 0; g < 4; ++g) {
        fetch(x + g * pitch, count, gates[g]);
        fetch(bias + g * pitch, count, b);
        for (int l = 0; l < kWide; ++l)
            gates[g][l] += b[l] + h[g * kWide + l];
    }
    fetch(c_before, count, state);
    for (int l = 0; l < kWide; ++l) {
        const float i = quick::sigmoid(gates[0][l]), f = quick::sigmoid(gates[1][l]),
                    g = quick::tanh(gates[2][l]), o = quick::sigmoid(gates[3][l]);
        gates[0][l] = i;
        gates[1][l] = f;
        gates[2][l] = g;
        gates[3][l] = o;
        state[l] = f * state[l] + i * g;
        out[l] = o * quick::tanh(state[l]);
    }
    for (int g = 0; g < 4; ++g)
        put(gates[g], count, saved + g * pitch);
    put(state, count, c);
    put(out, count, y);
}

void gru(int64_t count, int64_t pitch, const float* x, const float* bias, const float* h,
         const float* bias_hn, const float* h_before, float* saved, float* y) {
    float gates[3][kWide], b[kWide], inner[kWide], state[kWide];
    for (int g = 0; g < 3; ++g) {
        fetch(x + g * pitch, count, gates[g]);
        fetch(bias + g * pitch, count, b);
        for (int l = 0; l < kWide; ++l)
            gates[g][l] += b[l] + (g < 2 ? h[g * kWide + l] : 0.0F);
    }
    fetch(bias_hn, count, inner);
    fetch(h_before, count, state);
    for (int l = 0; l < kWide; ++l) {
        inner[l] += h[2 * kWide + l];
        const float r = quick::sigmoid(gates[0][l]), z = quick::sigmoid(gates[1][l]),
                    n = quick::tanh(gates[2][l] + r * inner[l]);
        gates[0][l] = r;
        gates[1][l] = z;
        gates[2][l] = n;
        state[l] = n + z * (state[l] - n);
    }
    for (int g = 0; g < 3; ++g)
        put(gates[g], count, saved + g * pitch);
    put(inner, count, saved + 3 * pitch);
    put(state, count, y);
}

void rnn(bool relu, int64_t count, const float* x, const float* bias, const float* h, float* y) {
    float gate[kWide], b[kWide];
    fetch(x, count, gate);
    fetch(bias, count, b);
    for (int l = 0; l < kWide; ++l) {
        const float sum = gate[l] + b[l] + h[l];
        gate[l] = relu ? (sum < 0 ? 0.0F : sum) : quick::tanh(sum);
    }
    put(gate, count, y);
}

void lstm_part(int64_t count, int64_t n, const float* saved, const float* c_before, const float* c,
               float* dh, float* dc, float* dgates) {
    float gates[4][kWide], before[kWide], state[kWide], gh[kWide], gc[kWide];
    for (int g = 0; g < 4; ++g)
        fetch(saved + g * n, count, gates[g]);
    fetch(c_before, count, before);
    fetch(c, count, state);
    fetch(dh, count, gh);
    fetch(dc, count, gc);
    for (int l = 0; l < kWide; ++l) {
        const float i = gates[0][l], f = gates[1][l], g = gates[2][l], o = gates[3][l],
                    t = quick::tanh(state[l]), d = gc[l] + gh[l] * o * (1 - t * t);
        gates[0][l] = d * g * i * (1 - i);
        gates[1][l] = d * before[l] * f * (1 - f);
        gates[2][l] = d * i * (1 - g * g);
        gates[3][l] = gh[l] * t * o * (1 - o);
        gc[l] = d * f;
        gh[l] = 0;
    }
    for (int g = 0; g < 4; ++g)
        put(gates[g], count, dgates + g * n);
    put(gh, count, dh);
    put(gc, count, dc);
}
void lstm_backward(int64_t n, const float* saved, const float* c_before, const float* c, float* dh,
                   float* dc, float* dgates) {
    for (int64_t u = 0; u < n; u += kWide)
        lstm_part(n - u < kWide ? n - u : kWide, n, saved + u, moved(c_before, u), c + u, dh + u,
                  dc + u, dgates + u);
}

void gru_part(int64_t count, int64_t n, const float* saved, const float* h_before, float* dh,
              float* dgates_x, float* dgates_h) {
    float gates[4][kWide], before[kWide], gh[kWide];
    for (int g = 0; g < 4; ++g)
        fetch(saved + g * n, count, gates[g]);
    fetch(h_before, count, before);
    fetch(dh, count, gh);
    for (int l = 0; l < kWide; ++l) {
        const float r = gates[0][l], z = gates[1][l], c = gates[2][l], inner = gates[3][l],
                    dn = gh[l] * (1 - z) * (1 - c * c);
        gates[0][l] = dn * inner * r * (1 - r);
        gates[1][l] = gh[l] * (before[l] - c) * z * (1 - z);
        gates[2][l] = dn;
        gates[3][l] = dn * r;
        gh[l] *= z;
    }
    for (int g = 0; g < 3; ++g) {
        put(gates[g], count, dgates_x + g * n);
        put(gates[g == 2 ? 3 : g], count, dgates_h + g * n);
    }
    put(gh, count, dh);
}
void gru_backward(int64_t n, const float* saved, const float* h_before, float* dh, float* dgates_x,
                  float* dgates_h) {
    for (int64_t u = 0; u < n; u += kWide)
        gru_part(n - u < kWide ? n - u : kWide, n, saved + u, moved(h_before, u), dh + u,
                 dgates_x + u, dgates_h + u);
}

void rnn_backward(bool relu, int64_t n, const float* y, float* dh, float* dgates) {
    for (int64_t i = 0; i < n; ++i) {
        dgates[i] = relu ? (y[i] > 0 ? dh[i] : 0.0F) : dh[i] * (1 - y[i] * y[i]);
        dh[i] = 0;
    }
}

} // namespace

extern const CellKernels kCellKernels;
const CellKernels kCellKernels{lstm, gru, rnn, lstm_backward, gru_backward, rnn_backward};

} // namespace wiregrad::cpu::WG_ISA

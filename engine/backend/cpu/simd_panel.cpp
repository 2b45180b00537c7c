// Products with a packed right operand. Compiled once for each instruction set, in a namespace of
// its own (WG_ISA). Nothing here may instantiate a function that another translation unit could
// share.
#include "engine/backend/cpu/simd.h"

namespace wiregrad::cpu::WG_ISA {

namespace {

using std::int64_t;

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
constexpr int kParts = 16 / kLanes; // registers for 16 columns
// Depth taken at once: a panel's part of it stays in the first-level cache.
constexpr int64_t kDepth = 160;

typedef float V __attribute__((vector_size(kLanes * sizeof(float))));
typedef float Unaligned
    __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));

inline V load(const float* from) {
    return *reinterpret_cast<const Unaligned*>(from);
}
inline void store(float* to, V value) {
    *reinterpret_cast<Unaligned*>(to) = value;
}
inline V splat(float value) {
    return value - V{};
}

/// kRows rows times kVec registers of columns.
template <int kRows, int kVec>
void block(int64_t depth, const float* a, int64_t a_row, int64_t a_step, const float* panel,
           int64_t panel_pitch, float* out, int64_t out_pitch, bool accumulate) {
    V sums[kRows][kVec];
    const float* rows[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
        rows[r] = a + r * a_row;
#pragma GCC unroll 4
        for (int v = 0; v < kVec; ++v)
            sums[r][v] = accumulate ? load(out + r * out_pitch + v * kLanes) : V{};
    }
    int64_t at = 0;
    for (int64_t k = 0; k < depth; ++k) {
        V b[kVec];
#pragma GCC unroll 4
        for (int v = 0; v < kVec; ++v)
            b[v] = load(panel + v * kLanes);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
            const V left = splat(rows[r][at]);
#pragma GCC unroll 4
            for (int v = 0; v < kVec; ++v)
                sums[r][v] += left * b[v];
        }
        at += a_step;
        panel += panel_pitch;
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < kVec; ++v)
            store(out + r * out_pitch + v * kLanes, sums[r][v]);
}

using Block = void (*)(int64_t, const float*, int64_t, int64_t, const float*, int64_t, float*,
                       int64_t, bool);

#define WG_ROWS_4(vec, first)                                                                      \
    block<first, vec>, block<first + 1, vec>, block<first + 2, vec>, block<first + 3, vec>

#if defined(__AVX512F__)
constexpr int kMostRows[] = {0, 12, 12, 8, 6};
constexpr Block kBlocks[kPanelVectors + 1][13] = {
    {},
    {nullptr, WG_ROWS_4(1, 1), WG_ROWS_4(1, 5), WG_ROWS_4(1, 9)},
    {nullptr, WG_ROWS_4(2, 1), WG_ROWS_4(2, 5), WG_ROWS_4(2, 9)},
    {nullptr, WG_ROWS_4(3, 1), WG_ROWS_4(3, 5)},
    {nullptr, WG_ROWS_4(4, 1), block<5, 4>, block<6, 4>},
};
#elif defined(__AVX2__)
constexpr int kRowsAtOnce = 6;
constexpr Block kBlocks[] = {nullptr, WG_ROWS_4(kParts, 1), block<5, kParts>, block<6, kParts>};
#else
constexpr int kRowsAtOnce = 3;
constexpr Block kBlocks[] = {nullptr, block<1, kParts>, block<2, kParts>, block<3, kParts>};
#endif
#undef WG_ROWS_4

/// All rows for one stretch of the depth; rows are cut into pieces of nearly equal height.
void stretch(int vectors, int64_t rows, int64_t depth, const float* a, int64_t a_row,
             int64_t a_step, const float* panel, float* out, int64_t out_pitch, bool accumulate) {
#if defined(__AVX512F__)
    const int most = kMostRows[vectors];
#else
    const int most = kRowsAtOnce;
#endif
    const int64_t pieces = (rows + most - 1) / most;
    for (int64_t piece = 0; piece < pieces; ++piece) {
        const int64_t first = rows * piece / pieces, count = rows * (piece + 1) / pieces - first;
        const float* left = a + first * a_row;
        float* to = out + first * out_pitch;
#if defined(__AVX512F__)
        kBlocks[vectors][count](depth, left, a_row, a_step, panel, vectors * 16, to, out_pitch,
                                accumulate);
#else
        for (int v = 0; v < vectors; ++v)
            kBlocks[count](depth, left, a_row, a_step, panel + v * 16, vectors * 16, to + v * 16,
                           out_pitch, accumulate);
#endif
    }
}

void product(int vectors, int64_t rows, int64_t depth, const float* a, int64_t a_row,
             int64_t a_step, const float* panel, float* out, int64_t out_pitch, bool accumulate) {
    if (depth == 0) {
        for (int64_t i = 0; i < rows && !accumulate; ++i)
            for (int j = 0; j < vectors * 16; ++j)
                out[i * out_pitch + j] = 0;
        return;
    }
    const int64_t stretches = (depth + kDepth - 1) / kDepth;
    for (int64_t s = 0; s < stretches; ++s) {
        const int64_t first = depth * s / stretches, count = depth * (s + 1) / stretches - first;
        stretch(vectors, rows, count, a + first * a_step, a_row, a_step,
                panel + first * vectors * 16, out, out_pitch, accumulate || s > 0);
    }
}

void pack_transposed(int vectors, int64_t depth, int64_t columns, const float* source,
                     int64_t pitch, float* panel, int64_t panel_pitch) {
    constexpr int64_t kTile = 16;
    for (int64_t j = 0; j < vectors * 16; j += kTile) {
        const int64_t across = columns - j < 0 ? 0 : columns - j < kTile ? columns - j : kTile;
        for (int64_t k = 0; k < depth; k += kTile) {
            const int64_t down = depth - k < kTile ? depth - k : kTile;
            float tile[kTile][kTile] = {};
            if (across == kTile && down == kTile) {
                for (int64_t r = 0; r < kTile; ++r)
                    for (int64_t c = 0; c < kTile; ++c)
                        tile[c][r] = source[(j + r) * pitch + k + c];
            } else {
                for (int64_t r = 0; r < across; ++r)
                    for (int64_t c = 0; c < down; ++c)
                        tile[c][r] = source[(j + r) * pitch + k + c];
            }
            for (int64_t c = 0; c < down; ++c)
                for (int64_t r = 0; r < kTile; ++r)
                    panel[(k + c) * panel_pitch + j + r] = tile[c][r];
        }
    }
}

} // namespace

extern const PanelKernels kPanelKernels;
const PanelKernels kPanelKernels{product, pack_transposed};

} // namespace wiregrad::cpu::WG_ISA

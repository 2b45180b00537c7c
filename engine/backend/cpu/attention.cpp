#include "engine/backend/cpu/attention.h"

#include <algorithm>
#include <limits>

#include "engine/backend/cpu/simd.h"
#include "engine/backend/cpu/team.h"

namespace wiregrad::cpu {

// One head at a time on one thread, and of that head kBlock queries at a time: the scores of a
// block stay in the second-level cache. Keys and values are packed into panels once a head.
namespace {

using std::int64_t;

constexpr int64_t kWide = 16;
constexpr int64_t kPanel = kPanelVectors * kWide;
constexpr int64_t kBlock = 64;

int64_t rounded(int64_t n, int64_t to) {
    return (n + to - 1) / to * to;
}

/// Columns of the panel that begins at column `at` of `columns`.
int64_t panel_width(int64_t columns, int64_t at) {
    return std::min(kPanel, rounded(columns - at, kWide));
}

/// panel[k][j] = from[k * pitch + j], panels of at most 64 columns one after the other.
void pack(const float* from, int64_t pitch, int64_t depth, int64_t columns, float* panels) {
    for (int64_t at = 0; at < columns; at += kPanel) {
        const int64_t width = panel_width(columns, at), used = std::min(width, columns - at);
        float* panel = panels + at * depth;
        for (int64_t k = 0; k < depth; ++k) {
            std::copy_n(from + k * pitch + at, used, panel + k * width);
            std::fill_n(panel + k * width + used, width - used, 0.0F);
        }
    }
}
/// panel[k][j] = from[j * pitch + k]
void pack_transposed(const float* from, int64_t pitch, int64_t depth, int64_t columns,
                     float* panels) {
    const PanelKernels& kernels = panel_kernels();
    for (int64_t at = 0; at < columns; at += kPanel) {
        const int64_t width = panel_width(columns, at);
        kernels.pack_transposed(static_cast<int>(width / kWide), depth,
                                std::min(width, columns - at), from + at * pitch, pitch,
                                panels + at * depth, width);
    }
}
/// Panels of `depth` rows and `columns` columns.
struct Panels {
    const float* data;
    int64_t depth, columns;
};
/// out [rows, columns rounded up to 16] (+)= a panels, over the first `depth` rows of the panels
/// and at least the first `columns` columns.
void product(int64_t rows, int64_t depth, int64_t columns, const float* a, int64_t a_row,
             int64_t a_step, const Panels& panels, float* out, int64_t out_pitch, bool accumulate) {
    const PanelKernels& kernels = panel_kernels();
    for (int64_t at = 0; at < columns; at += kPanel)
        kernels.product(static_cast<int>(panel_width(panels.columns, at) / kWide), rows, depth, a,
                        a_row, a_step, panels.data + at * panels.depth, out + at, out_pitch,
                        accumulate);
}

/// Sizes of a head's working memory.
struct Sizes {
    int64_t keys, size, values; ///< rounded up to 16
    explicit Sizes(const AttentionGeometry& g)
        : keys(rounded(g.keys, kWide)), size(rounded(g.size, kWide)),
          values(rounded(g.value_size, kWide)) {}
    int64_t block() const { return std::max({keys, size, values}) * kBlock; }
};

int head_team(const AttentionGeometry& g) {
    const double work = 4.0 * static_cast<double>(g.heads * g.queries) *
                        static_cast<double>(g.keys * (g.size + g.value_size));
    return static_cast<int>(std::clamp<int64_t>(team(work), 1, std::max<int64_t>(g.heads, 1)));
}

int64_t forward_space(const AttentionGeometry& g) {
    const Sizes s(g);
    return s.keys * g.size + g.keys * s.values + 2 * s.block() + s.keys;
}
int64_t backward_space(const AttentionGeometry& g) {
    const Sizes s(g);
    return s.keys * (g.size + g.value_size) + g.keys * s.size + s.keys * (s.size + s.values) +
           kBlock * (s.size + s.values) + 4 * s.block() + s.keys;
}

/// Cuts consecutive pieces from working memory.
class Cutter {
  public:
    explicit Cutter(float* from) : at_(from) {}
    float* take(int64_t count) {
        float* piece = at_;
        at_ += count;
        return piece;
    }

  private:
    float* at_;
};

/// What is added to the scores of query i against the first n keys; null for nothing.
const float* bias_row(const HeadMask<float>& mask, int64_t head, int64_t i, int64_t n, float* row) {
    if (!mask.any()) return nullptr;
    const int64_t first = mask.offsets[head] + i * mask.row_stride;
    if (mask.added != nullptr && mask.column_stride == 1) return mask.added + first;
    for (int64_t j = 0; j < n; ++j) {
        const int64_t at = first + j * mask.column_stride;
        row[j] = mask.added != nullptr ? mask.added[at]
                 : mask.allowed[at]    ? 0.0F
                                       : -std::numeric_limits<float>::infinity();
    }
    return row;
}

/// Keys that query i sees, of the first `reach`.
int64_t seen(const AttentionGeometry& g, int64_t i, int64_t reach) {
    return g.causal ? std::min(reach, i + 1) : reach;
}

void drop(const AttentionGeometry& g, int64_t head, int64_t i, int64_t n, const float* x,
          float* y) {
    const auto first = static_cast<std::uint64_t>((head * g.queries + i) * g.keys);
    if (g.dropout >= 1)
        std::fill_n(y, n, 0.0F);
    else
        attention_kernels().dropout(g.seed, g.offset, first, n,
                                    static_cast<std::uint32_t>(g.threshold()),
                                    static_cast<float>(1 / (1 - g.dropout)), x, y);
}

void forward_head(const AttentionGeometry& g, const AttentionForward<float>& a, int64_t head,
                  float* space) {
    const AttentionKernels& kernels = attention_kernels();
    const Sizes size(g);
    const auto scale = static_cast<float>(g.scale);
    Cutter cut(space);
    float *keys = cut.take(size.keys * g.size), *values = cut.take(g.keys * size.values),
          *scores = cut.take(size.block()), *out = cut.take(size.block()),
          *bias = cut.take(size.keys);
    pack_transposed(a.k.row(head, 0), a.k.pitch, g.size, g.keys, keys);
    pack(a.v.row(head, 0), a.v.pitch, g.keys, g.value_size, values);
    for (int64_t first = 0; first < g.queries; first += kBlock) {
        const int64_t rows = std::min(kBlock, g.queries - first),
                      reach = seen(g, first + rows - 1, g.keys);
        product(rows, g.size, reach, a.q.row(head, first), a.q.pitch, 1, {keys, g.size, g.keys},
                scores, size.keys, false);
        for (int64_t r = 0; r < rows; ++r) {
            const int64_t i = first + r, n = seen(g, i, reach);
            float* s = scores + r * size.keys;
            a.log_sums[head * g.queries + i] =
                kernels.softmax(n, scale, bias_row(a.mask, head, i, n, bias), s);
            std::fill(s + n, s + reach, 0.0F);
            if (g.dropout > 0) drop(g, head, i, n, s, s);
        }
        product(rows, reach, g.value_size, scores, size.keys, 1, {values, g.keys, g.value_size},
                out, size.values, false);
        for (int64_t r = 0; r < rows; ++r)
            std::copy_n(out + r * size.values, g.value_size,
                        a.y + (head * g.queries + first + r) * g.value_size);
    }
}

void backward_head(const AttentionGeometry& g, const AttentionBackward<float>& a, int64_t head,
                   float* space) {
    const AttentionKernels& kernels = attention_kernels();
    const Sizes size(g);
    const auto scale = static_cast<float>(g.scale);
    Cutter cut(space);
    float *keys = cut.take(size.keys * g.size), *values = cut.take(size.keys * g.value_size),
          *key_rows = cut.take(g.keys * size.size), *gk = cut.take(size.keys * size.size),
          *gv = cut.take(size.keys * size.values), *queries = cut.take(kBlock * size.size),
          *pulls = cut.take(kBlock * size.values), *weights = cut.take(size.block()),
          *dropped = cut.take(size.block()), *grads = cut.take(size.block()),
          *gq = cut.take(size.block()), *bias = cut.take(size.keys);
    pack_transposed(a.k.row(head, 0), a.k.pitch, g.size, g.keys, keys);
    pack_transposed(a.v.row(head, 0), a.v.pitch, g.value_size, g.keys, values);
    pack(a.k.row(head, 0), a.k.pitch, g.keys, g.size, key_rows);
    std::fill_n(gk, size.keys * size.size, 0.0F);
    std::fill_n(gv, size.keys * size.values, 0.0F);
    for (int64_t first = 0; first < g.queries; first += kBlock) {
        const int64_t rows = std::min(kBlock, g.queries - first),
                      reach = seen(g, first + rows - 1, g.keys), row0 = head * g.queries + first;
        const float* gy = a.gy + row0 * g.value_size;
        product(rows, g.size, reach, a.q.row(head, first), a.q.pitch, 1, {keys, g.size, g.keys},
                weights, size.keys, false);
        product(rows, g.value_size, reach, gy, g.value_size, 1, {values, g.value_size, g.keys},
                grads, size.keys, false);
        for (int64_t r = 0; r < rows; ++r) {
            const int64_t i = first + r, n = seen(g, i, reach);
            float *w = weights + r * size.keys, *d = grads + r * size.keys,
                  *kept = dropped + r * size.keys;
            kernels.weights(n, scale, bias_row(a.mask, head, i, n, bias), a.log_sums[row0 + r], w);
            if (g.dropout > 0) {
                drop(g, head, i, n, d, d);
                drop(g, head, i, n, w, kept);
            }
            const float pull =
                kernels.dot(g.value_size, gy + r * g.value_size, a.y + (row0 + r) * g.value_size);
            kernels.score_grad(n, scale, w, pull, d);
            std::fill(w + n, w + reach, 0.0F);
            std::fill(d + n, d + reach, 0.0F);
            if (g.dropout > 0) std::fill(kept + n, kept + reach, 0.0F);
        }
        pack(a.q.row(head, first), a.q.pitch, rows, g.size, queries);
        pack(gy, g.value_size, rows, g.value_size, pulls);
        product(rows, reach, g.size, grads, size.keys, 1, {key_rows, g.keys, g.size}, gq, size.size,
                false);
        product(reach, rows, g.size, grads, 1, size.keys, {queries, rows, g.size}, gk, size.size,
                true);
        product(reach, rows, g.value_size, g.dropout > 0 ? dropped : weights, 1, size.keys,
                {pulls, rows, g.value_size}, gv, size.values, true);
        for (int64_t r = 0; r < rows; ++r)
            std::copy_n(gq + r * size.size, g.size, a.gq + (row0 + r) * g.size);
    }
    for (int64_t j = 0; j < g.keys; ++j) {
        std::copy_n(gk + j * size.size, g.size, a.gk + (head * g.keys + j) * g.size);
        std::copy_n(gv + j * size.values, g.value_size, a.gv + (head * g.keys + j) * g.value_size);
    }
}

} // namespace

std::size_t attention_forward_space(const AttentionGeometry& g) {
    return static_cast<std::size_t>(forward_space(g) * head_team(g));
}
std::size_t attention_backward_space(const AttentionGeometry& g) {
    return static_cast<std::size_t>(backward_space(g) * head_team(g));
}

void attention_forward(const AttentionGeometry& g, const AttentionForward<float>& a, float* space) {
    const int threads = head_team(g);
    const int64_t each = forward_space(g);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t part = 0; part < threads; ++part)
        for (int64_t head = g.heads * part / threads; head < g.heads * (part + 1) / threads; ++head)
            forward_head(g, a, head, space + part * each);
}
void attention_forward(const AttentionGeometry& g, const AttentionForward<double>& a, double*) {
    plain::attention_forward(g, a);
}
void attention_backward(const AttentionGeometry& g, const AttentionBackward<float>& a,
                        float* space) {
    const int threads = head_team(g);
    const int64_t each = backward_space(g);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t part = 0; part < threads; ++part)
        for (int64_t head = g.heads * part / threads; head < g.heads * (part + 1) / threads; ++head)
            backward_head(g, a, head, space + part * each);
}
void attention_backward(const AttentionGeometry& g, const AttentionBackward<double>& a, double*) {
    plain::attention_backward(g, a);
}

} // namespace wiregrad::cpu

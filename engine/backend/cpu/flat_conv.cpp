// An image is copied into rows of one pitch with its padding (and, for a stride, split into its
// phases). Then output position p = row * pitch + column of every tap reads source[offset(tap) +
// p]: no index arithmetic, no im2col. The columns between out_w and the pitch are computed and
// thrown away.
#include "engine/backend/cpu/flat_conv.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/backend/cpu/scratch.h"
#include "engine/backend/cpu/simd.h"
#include "engine/backend/cpu/team.h"

namespace wiregrad::cpu {

namespace {

constexpr std::int64_t kSlack = 64;     // what kernels may read or write past the end
constexpr std::int64_t kSegment = 2048; // positions whose results stay in the first-level cache
constexpr std::int64_t kChunkFloats =
    1 << 18; // images of a weight gradient that are kept in the second-level cache

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
    return (a + b - 1) / b;
}
std::int64_t round_up(std::int64_t a, std::int64_t b) {
    return ceil_div(a, b) * b;
}
std::int64_t floor_div(std::int64_t a, std::int64_t b) {
    return a >= 0 ? a / b : -ceil_div(-a, b);
}
std::size_t usize(std::int64_t value) {
    return static_cast<std::size_t>(value);
}

/// Equal blocks of at most `most`: how many and how large.
struct Blocks {
    std::int64_t count, size;
    Blocks(std::int64_t total, std::int64_t most)
        : count(std::max<std::int64_t>(1, ceil_div(total, most))), size(ceil_div(total, count)) {}
};

/// The padded input of a convolution, split into stride_h * stride_w phases.
struct PhasedImage {
    std::int64_t pitch, plane, channel; ///< one row, one phase, all phases of a channel
    explicit PhasedImage(const ConvGeometry& g)
        : pitch(ceil_div(g.in_w + 2 * g.pad_w, g.stride_w)),
          plane(pitch * ceil_div(g.in_h + 2 * g.pad_h, g.stride_h)),
          channel(plane * g.stride_h * g.stride_w) {}

    std::int64_t positions(const ConvGeometry& g) const { return (g.out_h - 1) * pitch + g.out_w; }

    /// Offsets of the taps of one group in the order of the weight.
    std::vector<std::int64_t> offsets(const ConvGeometry& g) const {
        std::vector<std::int64_t> all;
        all.reserve(usize(g.group_in() * g.taps()));
        for (std::int64_t c = 0; c < g.group_in(); ++c)
            for (std::int64_t ky = 0; ky < g.kernel_h; ++ky)
                for (std::int64_t kx = 0; kx < g.kernel_w; ++kx) {
                    const std::int64_t row = ky * g.dilation_h, column = kx * g.dilation_w;
                    const std::int64_t phase = row % g.stride_h * g.stride_w + column % g.stride_w;
                    all.push_back(c * channel + phase * plane + row / g.stride_h * pitch +
                                  column / g.stride_w);
                }
        return all;
    }

    /// Copies channels into zeroed memory; the padding is left alone.
    void copy(const ConvGeometry& g, const float* x, std::int64_t channels, float* to) const {
        for (std::int64_t c = 0; c < channels; ++c)
            for (std::int64_t y = 0; y < g.in_h; ++y) {
                const float* from = x + (c * g.in_h + y) * g.in_w;
                const std::int64_t row = y + g.pad_h;
                float* line = to + c * channel + row % g.stride_h * g.stride_w * plane +
                              row / g.stride_h * pitch;
                if (g.stride_w == 1) {
                    std::memcpy(line + g.pad_w, from, usize(g.in_w) * sizeof(float));
                    continue;
                }
                for (std::int64_t i = 0; i < g.in_w; ++i) {
                    const std::int64_t column = i + g.pad_w;
                    line[column % g.stride_w * plane + column / g.stride_w] = from[i];
                }
            }
    }
};

/// weight(o, k) for o < outputs, k < taps, in blocks of block.size outputs: [block][tap][output in
/// block].
template <class Weight>
void pack(std::int64_t outputs, std::int64_t taps, const Blocks& block, Weight weight, float* to) {
    for (std::int64_t first = 0; first < outputs; first += block.size) {
        const std::int64_t count = std::min(block.size, outputs - first);
        for (std::int64_t k = 0; k < taps; ++k)
            for (std::int64_t o = 0; o < count; ++o)
                *to++ = weight(first + o, k);
    }
}

Scratch& weights_scratch() {
    thread_local Scratch scratch;
    return scratch;
}
Scratch& image_scratch() {
    thread_local Scratch scratch;
    return scratch;
}
Scratch& result_scratch() {
    thread_local Scratch scratch;
    return scratch;
}

} // namespace

void flat_conv_forward(const ConvGeometry& g, const float* x, const float* w, const float* bias,
                       float* y) {
    const ConvKernels& kernels = conv_kernels();
    const PhasedImage layout(g);
    const std::vector<std::int64_t> offsets = layout.offsets(g);
    const std::int64_t taps = g.group_in() * g.taps(), image = layout.channel * g.group_in();
    const Blocks block(g.group_out(), kernels.flat_outputs);
    float* packed = weights_scratch().floats(usize(g.out_channels * taps));
    for (std::int64_t group = 0; group < g.groups; ++group) {
        const float* from = w + group * g.group_out() * taps;
        pack(
            g.group_out(), taps, block,
            [&](std::int64_t o, std::int64_t k) { return from[o * taps + k]; },
            packed + group * g.group_out() * taps);
    }
    const std::vector<float> zeros(usize(block.size), 0.0F);
    const std::int64_t rows = std::clamp<std::int64_t>(kSegment / layout.pitch, 1, g.out_h);
    const std::int64_t pitch = round_up(rows * layout.pitch, 16) + kSlack;
    const std::int64_t tasks = g.batch * g.groups * block.count;
    const int threads = team(g.flops());
    reserve_on_team(threads, [&] {
        image_scratch().floats(usize(image + kSlack));
        result_scratch().floats(usize(block.size * pitch));
    });
#pragma omp parallel num_threads(threads)
    {
        float* source = image_scratch().floats(usize(image + kSlack));
        float* result = result_scratch().floats(usize(block.size * pitch));
        std::fill_n(source, image + kSlack, 0.0F);
        std::int64_t loaded = -1;
#pragma omp for schedule(static)
        for (std::int64_t task = 0; task < tasks; ++task) {
            const std::int64_t part = task / block.count,
                               first = task % block.count * block.size; // part: (image, group)
            const std::int64_t group = part % g.groups,
                               count = std::min(block.size, g.group_out() - first);
            if (part != loaded)
                layout.copy(g, x + part * g.group_in() * g.in_plane(), g.group_in(), source);
            loaded = part;
            const std::int64_t channel = group * g.group_out() + first;
            for (std::int64_t oy = 0; oy < g.out_h; oy += rows) {
                const std::int64_t lines = std::min(rows, g.out_h - oy);
                kernels.flat(static_cast<int>(count), source + oy * layout.pitch, offsets.data(),
                             taps, packed + channel * taps, bias ? bias + channel : zeros.data(),
                             (lines - 1) * layout.pitch + g.out_w, result, pitch);
                for (std::int64_t o = 0; o < count; ++o)
                    for (std::int64_t line = 0; line < lines; ++line)
                        std::memcpy(y + (part * g.group_out() + first + o) * g.out_plane() +
                                        (oy + line) * g.out_w,
                                    result + o * pitch + line * layout.pitch,
                                    usize(g.out_w) * sizeof(float));
            }
        }
    }
}

namespace {

/// One dimension of an input gradient: the pixels r, r + stride, ... of phase r read gradient row j
/// + shift for some taps.
struct GradAxis {
    std::int64_t low = 0, size = 1; ///< first gradient row that is read, and how many
    struct Tap {
        std::int64_t index, shift;
    };
    std::vector<std::vector<Tap>> phases;
    std::vector<std::int64_t> counts;

    GradAxis(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
             std::int64_t dilation) {
        std::int64_t high = 0;
        low = 0;
        for (std::int64_t r = 0; r < stride; ++r) {
            counts.push_back(r < in ? ceil_div(in - r, stride) : 0);
            std::vector<Tap> taps;
            for (std::int64_t k = 0; k < kernel; ++k) {
                const std::int64_t at = r + pad - k * dilation;
                if (floor_div(at, stride) * stride != at) continue;
                taps.push_back({k, at / stride});
                low = std::min(low, at / stride);
                high = std::max(high, at / stride + counts.back() - 1);
            }
            phases.push_back(std::move(taps));
        }
        size = high - low + 1;
    }
};

} // namespace

void flat_conv_input_grad(const ConvGeometry& g, const float* gy, const float* w, float* gx) {
    const ConvKernels& kernels = conv_kernels();
    const GradAxis vertical(g.in_h, g.kernel_h, g.stride_h, g.pad_h, g.dilation_h);
    const GradAxis horizontal(g.in_w, g.kernel_w, g.stride_w, g.pad_w, g.dilation_w);
    const std::int64_t line = horizontal.size, plane = line * vertical.size,
                       image = plane * g.group_out();
    const Blocks block(g.group_in(), kernels.flat_outputs);

    // For each phase of the input its taps and packed weights; groups lie one after the other.
    struct Phase {
        std::int64_t row, column, rows, columns, taps;
        std::vector<std::int64_t> offsets;
        std::int64_t weights; ///< where its packed weights begin
    };
    std::vector<Phase> phases;
    float* packed = weights_scratch().floats(usize(g.out_channels * g.group_in() * g.taps()));
    std::int64_t used = 0, most = 0;
    for (std::int64_t r = 0; r < g.stride_h; ++r)
        for (std::int64_t c = 0; c < g.stride_w; ++c) {
            const auto &down = vertical.phases[usize(r)], &across = horizontal.phases[usize(c)];
            Phase phase{r, c, vertical.counts[usize(r)], horizontal.counts[usize(c)], 0, {}, used};
            if (phase.rows == 0 || phase.columns == 0) continue;
            const std::int64_t window = static_cast<std::int64_t>(down.size() * across.size());
            phase.taps = g.group_out() * window;
            for (std::int64_t o = 0; o < g.group_out(); ++o)
                for (const auto& ky : down)
                    for (const auto& kx : across)
                        phase.offsets.push_back(o * plane + (ky.shift - vertical.low) * line +
                                                kx.shift - horizontal.low);
            for (std::int64_t group = 0; group < g.groups && window > 0; ++group) {
                auto weight = [&](std::int64_t ic, std::int64_t k) {
                    const std::int64_t oc = group * g.group_out() + k / window, at = k % window;
                    const auto& ky = down[usize(at) / across.size()];
                    const auto& kx = across[usize(at) % across.size()];
                    return w[(oc * g.group_in() + ic) * g.taps() + ky.index * g.kernel_w +
                             kx.index];
                };
                pack(g.group_in(), phase.taps, block, weight, packed + used);
                used += g.group_in() * phase.taps;
            }
            most = std::max(most, std::clamp<std::int64_t>(kSegment / line, 1, phase.rows));
            phases.push_back(std::move(phase));
        }

    const std::vector<float> zeros(usize(block.size), 0.0F);
    const std::int64_t pitch = round_up(most * line, 16) + kSlack;
    const std::int64_t tasks = g.batch * g.groups * block.count;
    const std::int64_t copy_rows = std::min(g.out_h, vertical.size + vertical.low),
                       copy_columns = std::min(g.out_w, line + horizontal.low);
    const int threads = team(g.flops());
    reserve_on_team(threads, [&] {
        image_scratch().floats(usize(image + kSlack));
        result_scratch().floats(usize(block.size * pitch));
    });
#pragma omp parallel num_threads(threads)
    {
        float* source = image_scratch().floats(usize(image + kSlack));
        float* result = result_scratch().floats(usize(block.size * pitch));
        std::fill_n(source, image + kSlack, 0.0F);
        std::int64_t loaded = -1;
#pragma omp for schedule(static)
        for (std::int64_t task = 0; task < tasks; ++task) {
            const std::int64_t part = task / block.count, first = task % block.count * block.size;
            const std::int64_t group = part % g.groups,
                               count = std::min(block.size, g.group_in() - first);
            if (part != loaded)
                for (std::int64_t o = 0; o < g.group_out(); ++o)
                    for (std::int64_t row = 0; row < copy_rows; ++row)
                        std::memcpy(source + o * plane + (row - vertical.low) * line -
                                        horizontal.low,
                                    gy + (part * g.group_out() + o) * g.out_plane() + row * g.out_w,
                                    usize(std::max<std::int64_t>(copy_columns, 0)) * sizeof(float));
            loaded = part;
            for (const Phase& phase : phases) {
                const std::int64_t rows = std::clamp<std::int64_t>(kSegment / line, 1, phase.rows);
                const float* weights =
                    packed + phase.weights + (group * g.group_in() + first) * phase.taps;
                for (std::int64_t top = 0; top < phase.rows; top += rows) {
                    const std::int64_t lines = std::min(rows, phase.rows - top);
                    kernels.flat(static_cast<int>(count), source + top * line, phase.offsets.data(),
                                 phase.taps, weights, zeros.data(),
                                 (lines - 1) * line + phase.columns, result, pitch);
                    for (std::int64_t i = 0; i < count; ++i)
                        for (std::int64_t j = 0; j < lines; ++j) {
                            float* to = gx + (part * g.group_in() + first + i) * g.in_plane() +
                                        (phase.row + (top + j) * g.stride_h) * g.in_w +
                                        phase.column;
                            const float* from = result + i * pitch + j * line;
                            if (g.stride_w == 1)
                                std::memcpy(to, from, usize(phase.columns) * sizeof(float));
                            else
                                for (std::int64_t c = 0; c < phase.columns; ++c)
                                    to[c * g.stride_w] = from[c];
                        }
                }
            }
        }
    }
}

void flat_conv_weight_grad(const ConvGeometry& g, const float* x, const float* gy, float* gw,
                           float* gbias) {
    const ConvKernels& kernels = conv_kernels();
    const PhasedImage layout(g);
    const std::vector<std::int64_t> offsets = layout.offsets(g);
    const std::int64_t taps = g.group_in() * g.taps(), positions = layout.positions(g);
    const std::int64_t grad_pitch = round_up(positions, 16),
                       grad_image = grad_pitch * g.out_channels,
                       image = layout.channel * g.in_channels;
    const std::int64_t chunk =
        std::clamp<std::int64_t>(kChunkFloats / std::max<std::int64_t>(1, grad_image + image), 1,
                                 std::max<std::int64_t>(1, g.batch));
    const Blocks outputs(g.group_out(), kernels.dot_outputs), windows(taps, kernels.dot_taps);
    float* source = image_scratch().floats(usize(chunk * image + kSlack + grad_pitch));
    float* grads = result_scratch().floats(usize(chunk * grad_image));
    std::fill_n(source, chunk * image + kSlack + grad_pitch, 0.0F);
    std::fill_n(grads, chunk * grad_image, 0.0F);
    std::fill_n(gw, g.out_channels * taps, 0.0F);
    const std::int64_t tasks = g.groups * outputs.count * windows.count;
    const int threads = team(g.flops());
#pragma omp parallel num_threads(threads)
    for (std::int64_t start = 0; start < g.batch; start += chunk) {
        const std::int64_t images = std::min(chunk, g.batch - start);
#pragma omp for schedule(static)
        for (std::int64_t n = 0; n < images; ++n) {
            layout.copy(g, x + (start + n) * g.in_channels * g.in_plane(), g.in_channels,
                        source + n * image);
            for (std::int64_t o = 0; o < g.out_channels; ++o)
                for (std::int64_t row = 0; row < g.out_h; ++row)
                    std::memcpy(grads + n * grad_image + o * grad_pitch + row * layout.pitch,
                                gy + ((start + n) * g.out_channels + o) * g.out_plane() +
                                    row * g.out_w,
                                usize(g.out_w) * sizeof(float));
        }
#pragma omp for schedule(static)
        for (std::int64_t task = 0; task < tasks; ++task) {
            const std::int64_t group = task / (outputs.count * windows.count),
                               rest = task % (outputs.count * windows.count);
            const std::int64_t o = rest / windows.count * outputs.size,
                               k = rest % windows.count * windows.size;
            const std::int64_t out_count = std::min(outputs.size, g.group_out() - o),
                               tap_count = std::min(windows.size, taps - k);
            if (out_count <= 0 || tap_count <= 0) continue;
            float sums[64];
            const std::int64_t channel = group * g.group_out() + o;
            kernels.dot(static_cast<int>(out_count), static_cast<int>(tap_count),
                        grads + channel * grad_pitch, grad_pitch,
                        source + group * g.group_in() * layout.channel, offsets.data() + k, images,
                        grad_image, image, positions, sums);
            for (std::int64_t i = 0; i < out_count; ++i)
                for (std::int64_t j = 0; j < tap_count; ++j)
                    gw[(channel + i) * taps + k + j] += sums[i * tap_count + j];
        }
    }
    if (gbias == nullptr) return;
    for (std::int64_t o = 0; o < g.out_channels; ++o) {
        double sum = 0;
        for (std::int64_t n = 0; n < g.batch; ++n) {
            const float* from = gy + (n * g.out_channels + o) * g.out_plane();
            float lanes[16] = {};
            std::int64_t i = 0;
            for (; i + 16 <= g.out_plane(); i += 16)
                for (int l = 0; l < 16; ++l)
                    lanes[l] += from[i + l];
            for (; i < g.out_plane(); ++i)
                lanes[0] += from[i];
            for (float lane : lanes)
                sum += static_cast<double>(lane);
        }
        gbias[o] = static_cast<float>(sum);
    }
}

} // namespace wiregrad::cpu

// The first part of the C++ source that `wiregrad export --to cpp` writes: tensors, products,
// convolutions and poolings in plain C++17. For nodes/export/cpp.cpp only.
#pragma once

namespace wiregrad::graph::script {

inline constexpr const char* kCppKernels = R"cpp(
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// The innermost loops are compiled for several instruction sets; the best is chosen when it starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SEVERAL_ISAS
#pragma GCC optimize("O3")
#define INLINE inline __attribute__((always_inline))
#define FOR_ISA(isa) __attribute__((target(isa), optimize("O3", "fast-math")))
#else
#define INLINE inline
#endif

namespace {

using Shape = std::vector<std::int64_t>;

std::int64_t count_of(const Shape& shape) {
    std::int64_t count = 1;
    for (std::int64_t size : shape) count *= size;
    return count;
}

// Floats that are not needed any more are used again: asking the system for memory costs more than a small layer.
constexpr std::int64_t kSlack = 32; // behind the end, so that whole vectors may be read
using Floats = std::unique_ptr<float[]>;
std::shared_ptr<float> floats(std::int64_t count) {
    using Free = std::map<std::int64_t, std::vector<Floats>>;
    static thread_local const std::shared_ptr<Free> free = std::make_shared<Free>();
    std::vector<Floats>& fitting = (*free)[count];
    Floats data;
    if (fitting.empty()) {
        data.reset(new float[static_cast<std::size_t>(count + kSlack)]);
        std::fill(data.get() + count, data.get() + count + kSlack, 0.0F);
    } else {
        data = std::move(fitting.back());
        fitting.pop_back();
    }
    return {data.release(), [count, home = free](float* used) { (*home)[count].emplace_back(used); }};
}

// Numbers in row-major order; copies share them. Whole numbers are kept as float.
struct Tensor {
    Shape shape;
    std::shared_ptr<float> data;
    Tensor() = default;
    explicit Tensor(Shape s) : shape(std::move(s)), data(floats(count_of(shape))), size_(count_of(shape)) {}
    std::int64_t count() const { return size_; }
    float* begin() { return data.get(); }
    const float* begin() const { return data.get(); }
    std::int64_t size(std::int64_t d) const { return shape[static_cast<std::size_t>(d)]; }
    std::int64_t rank() const { return static_cast<std::int64_t>(shape.size()); }
    explicit operator bool() const { return data != nullptr; }

  private:
    std::int64_t size_ = 0;
};

// What a product is made of: c[m x n] = a[m x k] b, where row p of b begins at b + at[p] and may be read kSlack beyond
// n. Each row of c begins with a number of its own (row_bias), each column too (column_bias), where there are some.
struct Product {
    std::int64_t m, n, k;
    const float *a, *b;
    const std::int64_t* at;
    float* c;
    std::int64_t ldc;
    const float *row_bias, *column_bias;
};

// kRows x kColumns sums stay in registers while all of k goes by.
template <int kRows, int kColumns> INLINE void tile(const Product& p, std::int64_t i, std::int64_t j) {
    float sums[kRows][kColumns];
    for (int r = 0; r < kRows; ++r)
        for (int q = 0; q < kColumns; ++q) sums[r][q] = p.row_bias ? p.row_bias[i + r] : 0.0F;
    if (p.column_bias)
        for (int r = 0; r < kRows; ++r)
            for (int q = 0; q < kColumns; ++q) sums[r][q] = p.column_bias[j + q];
    const float* a = p.a + i * p.k;
    for (std::int64_t s = 0; s < p.k; ++s) {
        const float* row = p.b + p.at[s] + j;
        for (int r = 0; r < kRows; ++r) {
            const float factor = a[r * p.k + s];
            for (int q = 0; q < kColumns; ++q) sums[r][q] += factor * row[q];
        }
    }
    float* to = p.c + i * p.ldc + j;
    if (j + kColumns <= p.n)
        for (int r = 0; r < kRows; ++r) std::memcpy(to + r * p.ldc, sums[r], sizeof(sums[r]));
    else
        for (int r = 0; r < kRows; ++r) std::memcpy(to + r * p.ldc, sums[r], static_cast<std::size_t>(p.n - j) * sizeof(float));
}

template <int kMost, int kColumns> INLINE void tiles(const Product& p) {
    for (std::int64_t j = 0; j < p.n; j += kColumns) {
        std::int64_t i = 0;
        for (; i + kMost <= p.m; i += kMost) tile<kMost, kColumns>(p, i, j);
        if (p.m - i >= 6) tile<6, kColumns>(p, i, j), i += 6;
        if (p.m - i >= 4) tile<4, kColumns>(p, i, j), i += 4;
        if (p.m - i >= 2) tile<2, kColumns>(p, i, j), i += 2;
        if (p.m > i) tile<1, kColumns>(p, i, j);
    }
}

#ifdef SEVERAL_ISAS
FOR_ISA("avx512f,avx512vl,avx512bw,avx512dq,fma,prefer-vector-width=512") void multiply_512(const Product& p) { tiles<8, 32>(p); }
FOR_ISA("avx2,fma") void multiply_256(const Product& p) { tiles<4, 16>(p); }
#endif
void multiply_plain(const Product& p) { tiles<4, 8>(p); }

void multiply(const Product& p) {
#ifdef SEVERAL_ISAS
    static const int width = __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") ? 512 : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 256 : 0;
    if (width == 512) return multiply_512(p);
    if (width == 256) return multiply_256(p);
#endif
    multiply_plain(p);
}

// c[m x n] = a[m x k] b[k x n] (+ bias of the column); b may be read kSlack beyond its end.
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b, float* c, const float* bias = nullptr) {
    static thread_local std::vector<std::int64_t> at;
    at.resize(static_cast<std::size_t>(k));
    for (std::int64_t p = 0; p < k; ++p) at[static_cast<std::size_t>(p)] = p * n;
    multiply({m, n, k, a, b, at.data(), c, n, nullptr, bias});
}

// y = x w + b, with w [inputs, outputs].
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    Shape shape = x.shape;
    shape.back() = weight.size(1);
    Tensor y(shape);
    gemm(x.count() / weight.size(0), weight.size(1), weight.size(0), x.begin(), weight.begin(), y.begin(), bias ? bias.begin() : nullptr);
    return y;
}

// A product over a padded picture: the rows of b are the picture itself, shifted by each place of the kernel. Strides
// take the picture apart into `stride` interleaved ones first, so that neighbours stay neighbours.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Shape& stride, const Shape& padding, const Shape& dilation, std::int64_t groups) {
    const std::int64_t batch = x.size(0), channels = x.size(1), h = x.size(2), w = x.size(3);
    const std::int64_t out = weight.size(0), each = weight.size(1), kh = weight.size(2), kw = weight.size(3);
    const std::int64_t oh = (h + 2 * padding[0] - dilation[0] * (kh - 1) - 1) / stride[0] + 1;
    const std::int64_t ow = (w + 2 * padding[1] - dilation[1] * (kw - 1) - 1) / stride[1] + 1;
    const std::int64_t high = oh + dilation[0] * (kh - 1) / stride[0], wide = ow + dilation[1] * (kw - 1) / stride[1];
    const std::int64_t parts = stride[0] * stride[1], k = each * kh * kw, per_group = out / groups, n = (oh - 1) * wide + ow;
    const bool as_it_is = parts == 1 && padding[0] == 0 && padding[1] == 0 && high == h && wide == w; // no copy is needed
    std::vector<std::int64_t> at;
    std::vector<bool> used(static_cast<std::size_t>(parts), false);
    for (std::int64_t c = 0; c < each; ++c)
        for (std::int64_t a = 0; a < kh; ++a)
            for (std::int64_t b = 0; b < kw; ++b) {
                const std::int64_t row = a * dilation[0], column = b * dilation[1];
                const std::int64_t part = row % stride[0] * stride[1] + column % stride[1];
                used[static_cast<std::size_t>(part)] = true;
                at.push_back((c * parts + part) * high * wide + row / stride[0] * wide + column / stride[1]);
            }
    Tensor y({batch, out, oh, ow});
    const std::shared_ptr<float> picture = as_it_is ? nullptr : floats(each * parts * high * wide);
    const std::shared_ptr<float> sums = wide == ow ? nullptr : floats(per_group * n);
    for (std::int64_t i = 0; i < batch; ++i)
        for (std::int64_t g = 0; g < groups; ++g) {
            const float* image = x.begin() + (i * channels + g * each) * h * w;
            for (std::int64_t c = 0; c < each && !as_it_is; ++c)
                for (std::int64_t part = 0; part < parts; ++part) {
                    if (!used[static_cast<std::size_t>(part)]) continue;
                    float* to = picture.get() + (c * parts + part) * high * wide;
                    const std::int64_t left = part % stride[1] - padding[1];
                    const std::int64_t first = std::min(wide, left >= 0 ? 0 : (-left + stride[1] - 1) / stride[1]);
                    const std::int64_t last = left >= w ? first : std::max(first, std::min(wide, (w - 1 - left) / stride[1] + 1));
                    for (std::int64_t q = 0; q < high; ++q, to += wide) {
                        const std::int64_t row = q * stride[0] + part / stride[1] - padding[0];
                        if (row < 0 || row >= h) {
                            for (std::int64_t j = 0; j < wide; ++j) to[j] = 0;
                            continue;
                        }
                        const float* from = image + (c * h + row) * w + left;
                        for (std::int64_t j = 0; j < first; ++j) to[j] = 0;
                        if (stride[1] == 1)
                            for (std::int64_t j = first; j < last; ++j) to[j] = from[j];
                        else
                            for (std::int64_t j = first; j < last; ++j) to[j] = from[j * stride[1]];
                        for (std::int64_t j = last; j < wide; ++j) to[j] = 0;
                    }
                }
            float* planes = y.begin() + (i * out + g * per_group) * oh * ow;
            multiply({per_group, n, k, weight.begin() + g * per_group * k, as_it_is ? image : picture.get(), at.data(), sums ? sums.get() : planes, n, bias ? bias.begin() + g * per_group : nullptr, nullptr});
            for (std::int64_t o = 0; o < per_group && sums; ++o)
                for (std::int64_t row = 0; row < oh; ++row) {
                    const float* from = sums.get() + o * n + row * wide;
                    float* to = planes + (o * oh + row) * ow;
                    for (std::int64_t j = 0; j < ow; ++j) to[j] = from[j];
                }
        }
    return y;
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Shape& stride, const Shape& padding, const Shape& dilation, std::int64_t groups, const Shape& extra) {
    const std::int64_t batch = x.size(0), channels = x.size(1), h = x.size(2), w = x.size(3);
    const std::int64_t each = weight.size(1), kh = weight.size(2), kw = weight.size(3), out = each * groups;
    const std::int64_t oh = (h - 1) * stride[0] - 2 * padding[0] + dilation[0] * (kh - 1) + extra[0] + 1;
    const std::int64_t ow = (w - 1) * stride[1] - 2 * padding[1] + dilation[1] * (kw - 1) + extra[1] + 1;
    Tensor y({batch, out, oh, ow});
    const std::int64_t per_group = channels / groups;
    for (std::int64_t n = 0; n < batch; ++n)
        for (std::int64_t o = 0; o < out; ++o) {
            float* plane = y.begin() + (n * out + o) * oh * ow;
            std::fill(plane, plane + oh * ow, bias ? bias.begin()[o] : 0.0F);
            const std::int64_t g = o / each;
            for (std::int64_t c = g * per_group; c < (g + 1) * per_group; ++c) {
                const float* image = x.begin() + (n * channels + c) * h * w;
                const float* kernel = weight.begin() + (c * each + o % each) * kh * kw;
                for (std::int64_t i = 0; i < h; ++i)
                    for (std::int64_t a = 0; a < kh; ++a) {
                        const std::int64_t row = i * stride[0] - padding[0] + a * dilation[0];
                        if (row < 0 || row >= oh) continue;
                        for (std::int64_t b = 0; b < kw; ++b) {
                            const float factor = kernel[a * kw + b];
                            for (std::int64_t j = 0; j < w; ++j) {
                                const std::int64_t at = j * stride[1] - padding[1] + b * dilation[1];
                                if (at >= 0 && at < ow) plane[row * ow + at] += factor * image[i * w + j];
                            }
                        }
                    }
            }
        }
    return y;
}

// `take(sum-or-max, value)` over the windows of every plane, then `finish(value, inside, whole)`.
template <class Take, class Finish>
Tensor pool2d(const Tensor& x, std::int64_t oh, std::int64_t ow, const Shape& kernel, const Shape& stride, const Shape& padding, const Shape& dilation, float start, Take take, Finish finish) {
    const std::int64_t h = x.size(2), w = x.size(3), planes = x.size(0) * x.size(1);
    Tensor y({x.size(0), x.size(1), oh, ow});
    const std::shared_ptr<float> columns = floats(w);
    for (std::int64_t p = 0; p < planes; ++p) {
        const float* image = x.begin() + p * h * w;
        float* out = y.begin() + p * oh * ow;
        const auto inside_of = [](std::int64_t first, std::int64_t size, std::int64_t step, std::int64_t count) {
            const std::int64_t low = first >= 0 ? 0 : (-first + step - 1) / step;
            return std::pair(low, first >= size ? low : std::max(low, std::min(count, (size - 1 - first) / step + 1)));
        };
        const bool whole_windows = padding[0] == 0 && padding[1] == 0 && (oh - 1) * stride[0] + dilation[0] * (kernel[0] - 1) < h &&
                                   (ow - 1) * stride[1] + dilation[1] * (kernel[1] - 1) < w;
        for (std::int64_t i = 0; i < oh && whole_windows; ++i) { // down first, where neighbours lie beside each other, then along
            float *row = out + i * ow, *column = columns.get();
            const float* top = image + i * stride[0] * w;
            for (std::int64_t j = 0; j < w; ++j) column[j] = top[j];
            for (std::int64_t a = 1; a < kernel[0]; ++a)
                for (std::int64_t j = 0; j < w; ++j) column[j] = take(column[j], top[a * dilation[0] * w + j]);
            for (std::int64_t j = 0; j < ow; ++j) row[j] = column[j * stride[1]];
            for (std::int64_t b = 1; b < kernel[1]; ++b)
                for (std::int64_t j = 0; j < ow; ++j) row[j] = take(row[j], column[j * stride[1] + b * dilation[1]]);
            for (std::int64_t j = 0; j < ow; ++j) row[j] = finish(row[j], kernel[0] * kernel[1], kernel[0] * kernel[1]);
        }
        for (std::int64_t i = 0; i < oh && !whole_windows; ++i)
            for (std::int64_t j = 0; j < ow; ++j) {
                float value = start;
                const std::int64_t top = i * stride[0] - padding[0], left = j * stride[1] - padding[1];
                const auto [a0, a1] = inside_of(top, h, dilation[0], kernel[0]);
                const auto [b0, b1] = inside_of(left, w, dilation[1], kernel[1]);
                for (std::int64_t a = a0; a < a1; ++a)
                    for (std::int64_t b = b0; b < b1; ++b) value = take(value, image[(top + a * dilation[0]) * w + left + b * dilation[1]]);
                const std::int64_t inside = (a1 - a0) * (b1 - b0);
                const std::int64_t rows = std::min(i * stride[0] - padding[0] + kernel[0], h + padding[0]) - (i * stride[0] - padding[0]);
                const std::int64_t columns = std::min(j * stride[1] - padding[1] + kernel[1], w + padding[1]) - (j * stride[1] - padding[1]);
                out[i * ow + j] = finish(value, inside, rows * columns);
            }
    }
    return y;
}

Tensor max_pool2d(const Tensor& x, const Shape& to, const Shape& kernel, const Shape& stride, const Shape& padding, const Shape& dilation) {
    return pool2d(x, to[2], to[3], kernel, stride, padding, dilation, -std::numeric_limits<float>::infinity(),
                  [](float a, float b) { return a < b || b != b ? b : a; }, [](float v, std::int64_t, std::int64_t) { return v; });
}

Tensor avg_pool2d(const Tensor& x, const Shape& to, const Shape& kernel, const Shape& stride, const Shape& padding, bool border) {
    return pool2d(x, to[2], to[3], kernel, stride, padding, {1, 1}, 0.0F, [](float a, float b) { return a + b; },
                  [border](float v, std::int64_t inside, std::int64_t whole) { return v / static_cast<float>(border ? whole : inside); });
}

)cpp";

} // namespace wiregrad::graph::script

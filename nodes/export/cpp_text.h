// The fixed part of the C++ source that `wiregrad export --to cpp` writes: tensors and kernels in
// plain C++17. For nodes/export/cpp.cpp only.
#pragma once

namespace wiregrad::graph::script {

inline constexpr const char* kCppRuntime = R"cpp(
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
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

// The inner loops are compiled for several instruction sets; the best is chosen when it starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#define FAST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), optimize("O3", "fast-math")))
#else
#define FAST
#endif

namespace {

using Shape = std::vector<std::int64_t>;

std::int64_t count_of(const Shape& shape) {
    std::int64_t count = 1;
    for (std::int64_t size : shape) count *= size;
    return count;
}

// Numbers in row-major order; copies share them. Whole numbers are kept as float.
struct Tensor {
    Shape shape;
    std::shared_ptr<std::vector<float>> data;
    Tensor() = default;
    explicit Tensor(Shape s) : shape(std::move(s)), data(std::make_shared<std::vector<float>>(count_of(shape))) {}
    std::int64_t count() const { return static_cast<std::int64_t>(data->size()); }
    float* begin() { return data->data(); }
    const float* begin() const { return data->data(); }
    std::int64_t size(std::int64_t d) const { return shape[static_cast<std::size_t>(d)]; }
    std::int64_t rank() const { return static_cast<std::int64_t>(shape.size()); }
    explicit operator bool() const { return data != nullptr; }
};

// kRows rows of c[. x n] = a[. x k] b[k x ld] (+ bias of the row); whole columns of b are read.
constexpr std::int64_t kColumns = 32;
template <int kRows>
inline __attribute__((always_inline)) void gemm_rows(std::int64_t n, std::int64_t k, std::int64_t ld, const float* a, const float* b, float* c, const float* bias) {
    for (std::int64_t j = 0; j < n; j += kColumns) {
        float sums[kRows][kColumns];
        for (int r = 0; r < kRows; ++r)
            for (std::int64_t q = 0; q < kColumns; ++q) sums[r][q] = bias ? bias[r] : 0.0F;
        for (std::int64_t p = 0; p < k; ++p) {
            const float* row = b + p * ld + j;
            for (int r = 0; r < kRows; ++r) {
                const float factor = a[r * k + p];
                for (std::int64_t q = 0; q < kColumns; ++q) sums[r][q] += factor * row[q];
            }
        }
        const std::int64_t width = std::min(kColumns, n - j);
        for (int r = 0; r < kRows; ++r) std::memcpy(c + r * n + j, sums[r], static_cast<std::size_t>(width) * sizeof(float));
    }
}

// b's rows are `ld` long, a multiple of kColumns.
FAST void gemm_padded(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t ld, const float* a, const float* b, float* c, const float* bias) {
    std::int64_t i = 0;
    for (; i + 4 <= m; i += 4) gemm_rows<4>(n, k, ld, a + i * k, b, c + i * n, bias ? bias + i : nullptr);
    if (m - i == 3) gemm_rows<3>(n, k, ld, a + i * k, b, c + i * n, bias ? bias + i : nullptr);
    if (m - i == 2) gemm_rows<2>(n, k, ld, a + i * k, b, c + i * n, bias ? bias + i : nullptr);
    if (m - i == 1) gemm_rows<1>(n, k, ld, a + i * k, b, c + i * n, bias ? bias + i : nullptr);
}

std::int64_t padded(std::int64_t n) { return (n + kColumns - 1) / kColumns * kColumns; }

void gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b, float* c, const float* bias) {
    const std::int64_t ld = padded(n);
    if (ld == n) return gemm_padded(m, n, k, n, a, b, c, bias);
    std::vector<float> wide(static_cast<std::size_t>(k * ld));
    for (std::int64_t p = 0; p < k; ++p) std::copy_n(b + p * n, n, wide.data() + p * ld);
    gemm_padded(m, n, k, ld, a, wide.data(), c, bias);
}

// The sum of products of two rows, and several rows at once: y = x w^T + b
FAST void rows_times_rows(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, const float* w, const float* bias, float* y) {
    constexpr std::int64_t kLanes = 16;
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < n; ++j) {
            const float *a = x + i * k, *b = w + j * k;
            float lanes[kLanes] = {};
            std::int64_t p = 0;
            for (; p + kLanes <= k; p += kLanes)
                for (std::int64_t q = 0; q < kLanes; ++q) lanes[q] += a[p + q] * b[p + q];
            float sum = bias ? bias[j] : 0.0F;
            for (; p < k; ++p) sum += a[p] * b[p];
            for (float lane : lanes) sum += lane;
            y[i * n + j] = sum;
        }
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    Shape shape = x.shape;
    shape.back() = weight.size(0);
    Tensor y(shape);
    rows_times_rows(x.count() / weight.size(1), weight.size(0), weight.size(1), x.begin(), weight.begin(), bias ? bias.begin() : nullptr, y.begin());
    return y;
}

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Shape& stride, const Shape& padding, const Shape& dilation, std::int64_t groups) {
    const std::int64_t batch = x.size(0), channels = x.size(1), h = x.size(2), w = x.size(3);
    const std::int64_t out = weight.size(0), each = weight.size(1), kh = weight.size(2), kw = weight.size(3);
    const std::int64_t oh = (h + 2 * padding[0] - dilation[0] * (kh - 1) - 1) / stride[0] + 1;
    const std::int64_t ow = (w + 2 * padding[1] - dilation[1] * (kw - 1) - 1) / stride[1] + 1;
    Tensor y({batch, out, oh, ow});
    const std::int64_t k = each * kh * kw, plane = oh * ow, per_group = out / groups, ld = padded(plane);
    static thread_local std::vector<float> columns; // kept, so that its pages are not asked for again
    columns.resize(std::max(columns.size(), static_cast<std::size_t>(k * ld)));
    for (std::int64_t n = 0; n < batch; ++n)
        for (std::int64_t g = 0; g < groups; ++g) {
            for (std::int64_t c = 0; c < each; ++c) {
                const float* image = x.begin() + ((n * channels) + g * each + c) * h * w;
                for (std::int64_t a = 0; a < kh; ++a)
                    for (std::int64_t b = 0; b < kw; ++b) {
                        float* column = columns.data() + ((c * kh + a) * kw + b) * ld;
                        // Output places whose pixel lies inside the picture.
                        const std::int64_t left = b * dilation[1] - padding[1];
                        const std::int64_t first = std::min(ow, left >= 0 ? 0 : (-left + stride[1] - 1) / stride[1]);
                        const std::int64_t last = left >= w ? first : std::max(first, std::min(ow, (w - 1 - left) / stride[1] + 1));
                        for (std::int64_t i = 0; i < oh; ++i, column += ow) {
                            const std::int64_t row = i * stride[0] - padding[0] + a * dilation[0];
                            if (row < 0 || row >= h) {
                                std::fill(column, column + ow, 0.0F);
                                continue;
                            }
                            const float* from = image + row * w + left;
                            std::fill(column, column + first, 0.0F);
                            if (stride[1] == 1)
                                std::copy(from + first, from + last, column + first);
                            else
                                for (std::int64_t j = first; j < last; ++j) column[j] = from[j * stride[1]];
                            std::fill(column + last, column + ow, 0.0F);
                        }
                    }
            }
            gemm_padded(per_group, plane, k, ld, weight.begin() + g * per_group * k, columns.data(), y.begin() + (n * out + g * per_group) * plane, bias ? bias.begin() + g * per_group : nullptr);
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
    for (std::int64_t p = 0; p < planes; ++p) {
        const float* image = x.begin() + p * h * w;
        float* out = y.begin() + p * oh * ow;
        const auto inside_of = [](std::int64_t first, std::int64_t size, std::int64_t step, std::int64_t count) {
            const std::int64_t low = first >= 0 ? 0 : (-first + step - 1) / step;
            return std::pair(low, first >= size ? low : std::max(low, std::min(count, (size - 1 - first) / step + 1)));
        };
        const bool whole_windows = padding[0] == 0 && padding[1] == 0 && (oh - 1) * stride[0] + dilation[0] * (kernel[0] - 1) < h &&
                                   (ow - 1) * stride[1] + dilation[1] * (kernel[1] - 1) < w;
        for (std::int64_t i = 0; i < oh && whole_windows; ++i) { // row by row, without looking for borders
            float* row = out + i * ow;
            std::fill(row, row + ow, start);
            for (std::int64_t a = 0; a < kernel[0]; ++a)
                for (std::int64_t b = 0; b < kernel[1]; ++b) {
                    const float* from = image + (i * stride[0] + a * dilation[0]) * w + b * dilation[1];
                    for (std::int64_t j = 0; j < ow; ++j) row[j] = take(row[j], from[j * stride[1]]);
                }
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

Tensor adaptive_avg_pool2d(const Tensor& x, const Shape& to) {
    const std::int64_t h = x.size(2), w = x.size(3), planes = x.size(0) * x.size(1), oh = to[2], ow = to[3];
    Tensor y({x.size(0), x.size(1), oh, ow});
    for (std::int64_t p = 0; p < planes; ++p)
        for (std::int64_t i = 0; i < oh; ++i)
            for (std::int64_t j = 0; j < ow; ++j) {
                const std::int64_t top = i * h / oh, bottom = ((i + 1) * h + oh - 1) / oh, left = j * w / ow, right = ((j + 1) * w + ow - 1) / ow;
                float sum = 0;
                for (std::int64_t r = top; r < bottom; ++r)
                    for (std::int64_t c = left; c < right; ++c) sum += x.begin()[(p * h + r) * w + c];
                y.begin()[(p * oh + i) * ow + j] = sum / static_cast<float>((bottom - top) * (right - left));
            }
    return y;
}

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& mean, const Tensor& variance, double eps) {
    Tensor y(x.shape);
    const std::int64_t channels = x.size(1), inner = x.count() / (x.size(0) * channels);
    for (std::int64_t row = 0; row < x.size(0) * channels; ++row) {
        const std::int64_t c = row % channels;
        const float scale = (weight ? weight.begin()[c] : 1.0F) / std::sqrt(variance.begin()[c] + static_cast<float>(eps));
        const float shift = (bias ? bias.begin()[c] : 0.0F) - mean.begin()[c] * scale;
        for (std::int64_t i = row * inner; i < (row + 1) * inner; ++i) y.begin()[i] = x.begin()[i] * scale + shift;
    }
    return y;
}

Tensor layer_norm(const Tensor& x, std::int64_t inner, const Tensor& weight, const Tensor& bias, double eps) {
    Tensor y(x.shape);
    for (std::int64_t row = 0; row < x.count() / inner; ++row) {
        const float* from = x.begin() + row * inner;
        double mean = 0, square = 0;
        for (std::int64_t i = 0; i < inner; ++i) mean += from[i];
        mean /= static_cast<double>(inner);
        for (std::int64_t i = 0; i < inner; ++i) square += (from[i] - mean) * (from[i] - mean);
        const double scale = 1 / std::sqrt(square / static_cast<double>(inner) + eps);
        for (std::int64_t i = 0; i < inner; ++i)
            y.begin()[row * inner + i] = static_cast<float>((from[i] - mean) * scale) * (weight ? weight.begin()[i] : 1.0F) + (bias ? bias.begin()[i] : 0.0F);
    }
    return y;
}

Tensor softmax(const Tensor& x, std::int64_t dim, bool logarithm) {
    Tensor y(x.shape);
    std::int64_t inner = 1;
    for (std::int64_t d = dim + 1; d < x.rank(); ++d) inner *= x.size(d);
    const std::int64_t size = x.size(dim);
    for (std::int64_t line = 0; line < x.count() / size; ++line) {
        const std::int64_t start = line / inner * inner * size + line % inner;
        float largest = -std::numeric_limits<float>::infinity();
        for (std::int64_t i = 0; i < size; ++i) largest = std::max(largest, x.begin()[start + i * inner]);
        double sum = 0;
        for (std::int64_t i = 0; i < size; ++i) sum += std::exp(x.begin()[start + i * inner] - largest);
        for (std::int64_t i = 0; i < size; ++i) {
            const float from = x.begin()[start + i * inner] - largest;
            y.begin()[start + i * inner] = logarithm ? from - static_cast<float>(std::log(sum)) : static_cast<float>(std::exp(from) / sum);
        }
    }
    return y;
}

Tensor embedding(const Tensor& index, const Tensor& weight) {
    Shape shape = index.shape;
    const std::int64_t width = weight.size(1);
    shape.push_back(width);
    Tensor y(shape);
    for (std::int64_t i = 0; i < index.count(); ++i) {
        const auto row = static_cast<std::int64_t>(index.begin()[i]);
        if (row < 0 || row >= weight.size(0)) throw std::runtime_error("an index is out of range");
        std::copy_n(weight.begin() + row * width, width, y.begin() + i * width);
    }
    return y;
}

template <class F> Tensor each(const Tensor& x, F f) {
    Tensor y(x.shape);
    for (std::int64_t i = 0; i < x.count(); ++i) y.begin()[i] = f(x.begin()[i]);
    return y;
}

Shape strides_for(const Tensor& x, const Shape& to) {
    Shape strides(to.size(), 0);
    std::int64_t step = 1;
    for (std::size_t i = 0; i < x.shape.size(); ++i) {
        const std::size_t from = x.shape.size() - 1 - i;
        if (x.shape[from] != 1) strides[to.size() - 1 - i] = step;
        step *= x.shape[from];
    }
    return strides;
}

// Calls f(place in the result, places in the operands) for every element of `to`.
template <class F> void walk(const Shape& to, const std::vector<Shape>& strides, F f) {
    std::vector<std::int64_t> place(to.size(), 0), at(strides.size(), 0);
    for (std::int64_t i = 0, count = count_of(to); i < count; ++i) {
        f(i, at);
        for (std::size_t d = to.size(); d-- > 0;) {
            ++place[d];
            for (std::size_t s = 0; s < strides.size(); ++s) at[s] += strides[s][d];
            if (place[d] < to[d]) break;
            for (std::size_t s = 0; s < strides.size(); ++s) at[s] -= strides[s][d] * to[d];
            place[d] = 0;
        }
    }
}

template <class F> Tensor both(const Tensor& a, const Tensor& b, const Shape& to, F f) {
    Tensor y(to);
    if (a.shape == b.shape)
        for (std::int64_t i = 0; i < y.count(); ++i) y.begin()[i] = f(a.begin()[i], b.begin()[i]);
    else
        walk(to, {strides_for(a, to), strides_for(b, to)}, [&](std::int64_t i, const auto& at) { y.begin()[i] = f(a.begin()[at[0]], b.begin()[at[1]]); });
    return y;
}

Tensor where(const Tensor& c, const Tensor& a, const Tensor& b, const Shape& to) {
    Tensor y(to);
    walk(to, {strides_for(c, to), strides_for(a, to), strides_for(b, to)},
         [&](std::int64_t i, const auto& at) { y.begin()[i] = c.begin()[at[0]] != 0 ? a.begin()[at[1]] : b.begin()[at[2]]; });
    return y;
}

Tensor scalar(float value) {
    Tensor y(Shape{});
    y.begin()[0] = value;
    return y;
}

Tensor reshape(const Tensor& x, const Shape& to) {
    Tensor y = x;
    y.shape = to;
    return y;
}

// Elements of x by a start and a stride for each dimension of the result.
Tensor strided(const Tensor& x, const Shape& to, std::int64_t start, const Shape& strides) {
    Tensor y(to);
    walk(to, {strides}, [&](std::int64_t i, const auto& at) { y.begin()[i] = x.begin()[start + at[0]]; });
    return y;
}
Shape row_major(const Shape& shape) {
    Shape strides(shape.size(), 1);
    for (std::size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
    return strides;
}
Tensor permute(const Tensor& x, const Shape& dims, const Shape& to) {
    const Shape own = row_major(x.shape);
    Shape strides;
    for (std::int64_t d : dims) strides.push_back(own[static_cast<std::size_t>(d)]);
    return strided(x, to, 0, strides);
}
Tensor expand(const Tensor& x, const Shape& to) { return strided(x, to, 0, strides_for(x, to)); }
Tensor slice(const Tensor& x, std::int64_t dim, std::int64_t start, std::int64_t step, const Shape& to) {
    Shape strides = row_major(x.shape);
    const std::int64_t from = start * strides[static_cast<std::size_t>(dim)];
    strides[static_cast<std::size_t>(dim)] *= step;
    return strided(x, to, from, strides);
}
Tensor select(const Tensor& x, std::int64_t dim, std::int64_t index, const Shape& to) {
    Shape strides = row_major(x.shape);
    const std::int64_t from = index * strides[static_cast<std::size_t>(dim)];
    strides.erase(strides.begin() + dim);
    return strided(x, to, from, strides);
}
Tensor flip(const Tensor& x, const Shape& dims) {
    Shape strides = row_major(x.shape);
    std::int64_t from = 0;
    for (std::int64_t d : dims) {
        from += strides[static_cast<std::size_t>(d)] * (x.size(d) - 1);
        strides[static_cast<std::size_t>(d)] *= -1;
    }
    return strided(x, x.shape, from, strides);
}
Tensor cat(const std::vector<Tensor>& parts, std::int64_t dim, const Shape& to) {
    Tensor y(to);
    std::int64_t inner = 1, outer = 1, at = 0;
    for (std::int64_t d = 0; d < static_cast<std::int64_t>(to.size()); ++d) (d < dim ? outer : inner) *= d == dim ? 1 : to[static_cast<std::size_t>(d)];
    const std::int64_t whole = to[static_cast<std::size_t>(dim)] * inner;
    for (const Tensor& part : parts) {
        const std::int64_t own = part.size(dim) * inner;
        for (std::int64_t o = 0; o < outer; ++o) std::copy_n(part.begin() + o * own, own, y.begin() + o * whole + at);
        at += own;
    }
    return y;
}
Tensor pad(const Tensor& x, const Shape& before, float value, const Shape& to) {
    Tensor y(to);
    std::fill(y.begin(), y.begin() + y.count(), value);
    const Shape from = row_major(x.shape), into = row_major(to);
    std::vector<std::int64_t> place(x.shape.size(), 0);
    for (std::int64_t i = 0; i < x.count(); ++i) {
        std::int64_t rest = i, target = 0;
        bool inside = true;
        for (std::size_t d = 0; d < x.shape.size(); ++d) {
            const std::int64_t at = rest / from[d] + before[d];
            rest %= from[d];
            inside = inside && at >= 0 && at < to[d];
            target += at * into[d];
        }
        if (inside) y.begin()[target] = x.begin()[i];
    }
    return y;
}
Tensor gather(const Tensor& x, std::int64_t dim, const Tensor& index) {
    Tensor y(index.shape);
    Shape strides = row_major(x.shape);
    const std::int64_t step = strides[static_cast<std::size_t>(dim)];
    strides[static_cast<std::size_t>(dim)] = 0;
    walk(index.shape, {strides}, [&](std::int64_t i, const auto& at) { y.begin()[i] = x.begin()[at[0] + static_cast<std::int64_t>(index.begin()[i]) * step]; });
    return y;
}
Tensor index_select(const Tensor& x, std::int64_t dim, const Tensor& index, const Shape& to) {
    Tensor y(to);
    std::int64_t inner = 1;
    for (std::int64_t d = dim + 1; d < x.rank(); ++d) inner *= x.size(d);
    const std::int64_t own = x.size(dim), chosen = index.count();
    for (std::int64_t o = 0; o < x.count() / (own * inner); ++o)
        for (std::int64_t i = 0; i < chosen; ++i)
            std::copy_n(x.begin() + (o * own + static_cast<std::int64_t>(index.begin()[i])) * inner, inner, y.begin() + (o * chosen + i) * inner);
    return y;
}

// Over the dimensions `dims`; `to` is the shape of the result.
template <class F> Tensor reduce(const Tensor& x, const Shape& dims, const Shape& to, float start, F f) {
    Tensor y(to);
    std::fill(y.begin(), y.begin() + y.count(), start);
    Shape kept = x.shape;
    for (std::int64_t d : dims) kept[static_cast<std::size_t>(d)] = 1;
    Shape strides = row_major(kept);
    for (std::int64_t d : dims) strides[static_cast<std::size_t>(d)] = 0;
    walk(x.shape, {strides}, [&](std::int64_t i, const auto& at) { y.begin()[at[0]] = f(y.begin()[at[0]], x.begin()[i]); });
    return y;
}
Tensor sum(const Tensor& x, const Shape& dims, const Shape& to) {
    return reduce(x, dims, to, 0.0F, [](float a, float b) { return a + b; });
}
Tensor mean(const Tensor& x, const Shape& dims, const Shape& to) {
    Tensor y = sum(x, dims, to);
    const float part = static_cast<float>(y.count()) / static_cast<float>(x.count());
    return each(y, [part](float v) { return v * part; });
}
Tensor amax(const Tensor& x, const Shape& dims, const Shape& to) {
    return reduce(x, dims, to, -std::numeric_limits<float>::infinity(), [](float a, float b) { return std::max(a, b); });
}
Tensor amin(const Tensor& x, const Shape& dims, const Shape& to) {
    return reduce(x, dims, to, std::numeric_limits<float>::infinity(), [](float a, float b) { return std::min(a, b); });
}

Tensor matmul(const Tensor& a, const Tensor& b, const Shape& to) {
    Tensor y(to);
    const std::int64_t m = to[to.size() - 2], n = to.back(), k = a.shape.back();
    const Shape lead(to.begin(), to.end() - 2);
    const auto leading = [&](const Tensor& x) {
        Tensor view;
        view.shape = Shape(x.shape.begin(), x.shape.end() - 2);
        return strides_for(view, lead);
    };
    walk(lead, {leading(a), leading(b)}, [&](std::int64_t i, const auto& at) { gemm(m, n, k, a.begin() + at[0] * m * k, b.begin() + at[1] * k * n, y.begin() + i * m * n, nullptr); });
    return y;
}

// 0 below 0, and so on: the activations, one number at a time.
float sigmoid(float v) { return 1 / (1 + std::exp(-v)); }
float softplus(float v) { return std::max(v, 0.0F) + std::log1p(std::exp(-std::abs(v))); }
)cpp";

inline constexpr const char* kCppMain = R"cpp(
// Size, length and a mixed sum of a tensor, and how far it is from what Wiregrad had.
double difference(const Tensor& x, const std::array<double, 3>& golden) {
    double norm = 0, mixed = 0;
    for (std::int64_t i = 0; i < x.count(); ++i) {
        norm += double(x.begin()[i]) * x.begin()[i];
        mixed += x.begin()[i] * std::cos(double(i));
    }
    if (static_cast<double>(x.count()) != golden[0]) return std::numeric_limits<double>::infinity();
    return std::max(std::abs(std::sqrt(norm) - golden[1]), std::abs(mixed - golden[2])) / std::max(golden[1], 1e-6);
}

// The same made-up numbers as in Wiregrad; whole ones below `classes`.
Tensor sample(Shape shape, std::int64_t classes) {
    Tensor x(std::move(shape));
    for (std::int64_t i = 0; i < x.count(); ++i)
        x.begin()[i] = classes > 0 ? static_cast<float>((i * 7919 + 3) % classes) : static_cast<float>(std::sin(0.7 * double(i) + 0.3) + 0.25 * double(i % 7 - 3));
    return x;
}

std::vector<float> numbers_of(const char* path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) throw std::runtime_error(std::string("cannot read ") + path);
    std::vector<float> values(static_cast<std::size_t>(file.tellg()) / sizeof(float));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
    return values;
}

} // namespace
)cpp";

} // namespace wiregrad::graph::script

// One row, the transform of pairs without a factor. Its gradient is the transform with the other
// sign; everything else is made of it.
#include "engine/op/fft_ops.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "engine/op/registry.h"

namespace wiregrad {
namespace {

using Complex = std::complex<double>;

/// exp(sign 2 pi i k / n) for each k below n.
std::vector<Complex> roots(std::size_t n, double sign) {
    std::vector<Complex> result(n);
    for (std::size_t k = 0; k < n; ++k)
        result[k] = std::polar(1.0, sign * 2 * std::numbers::pi * static_cast<double>(k) /
                                        static_cast<double>(n));
    return result;
}

/// Cooley and Tukey's, in place; the length is a power of two.
void transform_power(std::vector<Complex>& x, const std::vector<Complex>& root) {
    const std::size_t n = x.size();
    for (std::size_t i = 1, k = 0; i < n; ++i) {
        std::size_t bit = n >> 1;
        for (; k & bit; bit >>= 1)
            k ^= bit;
        k ^= bit;
        if (i < k) std::swap(x[i], x[k]);
    }
    for (std::size_t length = 2; length <= n; length *= 2)
        for (std::size_t begin = 0; begin < n; begin += length)
            for (std::size_t i = 0; i < length / 2; ++i) {
                const Complex a = x[begin + i],
                              b = x[begin + i + length / 2] * root[i * (n / length)];
                x[begin + i] = a + b;
                x[begin + i + length / 2] = a - b;
            }
}

/// Transforms of one length and sign. Lengths that are no power of two go through a convolution
/// with a chirp (Bluestein's).
class Transform {
  public:
    Transform(std::size_t n, double sign) : n_(n), size_(1) {
        while (size_ < n)
            size_ *= 2;
        if (size_ == n) {
            root_ = roots(n, sign);
            return;
        }
        size_ = 1;
        while (size_ < 2 * n - 1)
            size_ *= 2;
        root_ = roots(size_, -1);
        back_ = roots(size_, 1);
        chirp_.resize(n);
        for (std::size_t k = 0; k < n; ++k) // k^2 modulo 2 n keeps the angle exact
            chirp_[k] =
                std::polar(1.0, sign * std::numbers::pi * static_cast<double>(k * k % (2 * n)) /
                                    static_cast<double>(n));
        filter_.assign(size_, 0);
        for (std::size_t k = 0; k < n; ++k)
            filter_[k] = filter_[(size_ - k) % size_] = std::conj(chirp_[k]);
        transform_power(filter_, root_);
    }

    void run(std::vector<Complex>& x) {
        if (chirp_.empty()) return transform_power(x, root_);
        work_.assign(size_, 0);
        for (std::size_t k = 0; k < n_; ++k)
            work_[k] = x[k] * chirp_[k];
        transform_power(work_, root_);
        for (std::size_t k = 0; k < size_; ++k)
            work_[k] *= filter_[k];
        transform_power(work_, back_);
        for (std::size_t k = 0; k < n_; ++k)
            x[k] = work_[k] * chirp_[k] / static_cast<double>(size_);
    }

  private:
    std::size_t n_, size_;
    std::vector<Complex> root_, back_, chirp_, filter_, work_;
};

Metas fft_shape(const ShapeCall& call) {
    const TensorMeta& x = call.inputs[0];
    if (x.dtype != DType::Float32 && x.dtype != DType::Float64)
        throw DTypeError(
            fmt::format("fft: the input is {}, float32 or float64 is needed", name_of(x.dtype)));
    if (x.shape.size() < 2 || x.shape.back() != 2)
        throw ShapeError(fmt::format("fft: pairs [..., n, 2] are needed, got {}", x.shape.str()));
    if (x.shape[x.shape.size() - 2] < 1)
        throw ShapeError(fmt::format("fft: there is nothing to transform in {}", x.shape.str()));
    return {x};
}

template <class T>
void transform_rows(const T* from, T* into, std::int64_t rows, std::size_t n, double sign) {
    Transform transform(n, sign);
    std::vector<Complex> line(n);
    for (std::int64_t r = 0; r < rows; ++r, from += 2 * n, into += 2 * n) {
        for (std::size_t k = 0; k < n; ++k)
            line[k] = {static_cast<double>(from[2 * k]), static_cast<double>(from[2 * k + 1])};
        transform.run(line);
        for (std::size_t k = 0; k < n; ++k) {
            into[2 * k] = static_cast<T>(line[k].real());
            into[2 * k + 1] = static_cast<T>(line[k].imag());
        }
    }
}

void fft_kernel(const KernelCall& call) {
    const Tensor x = call.inputs[0].contiguous();
    Tensor out = call.outputs[0];
    const std::int64_t n = x.size(-2), rows = x.numel() / (2 * n);
    const double sign = call.attrs.flag("inverse") ? 1 : -1;
    if (x.dtype() == DType::Float64)
        transform_rows(x.data<double>(), out.data_mut<double>(), rows, static_cast<std::size_t>(n),
                       sign);
    else
        transform_rows(x.data<float>(), out.data_mut<float>(), rows, static_cast<std::size_t>(n),
                       sign);
}

Tensor transformed(const Tensor& pairs, bool inverse) {
    static const Op& op = find_op("fft");
    const Tensor inputs[] = {pairs};
    return call(op, inputs, {{"inverse", inverse}})[0];
}

Cost fft_cost(const ShapeCall& call, std::span<const TensorMeta>) {
    const TensorMeta& x = call.inputs[0];
    const double n = static_cast<double>(std::max<std::int64_t>(x.shape[x.shape.size() - 2], 1));
    const auto numbers = static_cast<double>(numel(x.shape));
    return {2.5 * numbers * std::max(1.0, std::log2(n)),
            2 * numbers * static_cast<double>(size_of(x.dtype))};
}

double factor(FftNorm norm, bool inverse, std::int64_t n) {
    const auto count = static_cast<double>(n);
    if (norm == FftNorm::Ortho) return 1 / std::sqrt(count);
    return (norm == FftNorm::Backward) == inverse ? 1 / count : 1;
}

/// `dim` of x [..., 2], counted without the pairs.
std::int64_t pair_dim(const Tensor& x, std::int64_t dim) {
    if (x.dim() < 2 || x.size(-1) != 2)
        throw ShapeError(fmt::format("fft: pairs [..., n, 2] are needed, got {}", x.shape().str()));
    return wrap_dim(dim, x.dim() - 1);
}

/// Cut, or filled with zeros behind, to `n` along `dim`.
Tensor brought_to(const Tensor& x, std::int64_t dim, std::int64_t n) {
    if (n < 1) throw ValueError(fmt::format("fft: {} numbers cannot be transformed", n));
    const std::int64_t have = x.size(static_cast<int>(dim));
    if (have == n) return x;
    if (have > n) return slice(x, dim, 0, n);
    Dims pads = Dims::filled(2 * (x.dim() - static_cast<int>(dim)), 0);
    pads[pads.size() - 1] = n - have;
    return pad(x, pads);
}

Tensor along(const Tensor& x, std::int64_t n, std::int64_t dim, FftNorm norm, bool inverse) {
    const std::int64_t at = pair_dim(x, dim), last = x.dim() - 2;
    const std::int64_t count = n > 0 ? n : x.size(static_cast<int>(at));
    const Tensor lines = transpose(brought_to(x, at, count), at, last);
    const Tensor result = transpose(transformed(lines, inverse), at, last);
    const double by = factor(norm, inverse, count);
    return by == 1 ? result : mul(result, by);
}

} // namespace

std::span<const Op> fft_ops() {
    static const Op rows[] = {{.name = "fft",
                               .help = "y[k] = sum over j of x[j] exp(-2 pi i j k / n), pairs; "
                                       "inverse: with the other sign, without a factor",
                               .shape = fft_shape,
                               .kernel = {fft_kernel},
                               .gradient = [](const GradCall& c) -> Tensors {
                                   return {transformed(c.grads[0], !c.attrs.flag("inverse"))};
                               },
                               .saves = [](Mask, const Attrs&) -> Saves { return {}; },
                               .cost = fft_cost}};
    return rows;
}

FftNorm fft_norm(std::string_view name) {
    if (name == "backward" || name.empty()) return FftNorm::Backward;
    if (name == "forward") return FftNorm::Forward;
    if (name == "ortho") return FftNorm::Ortho;
    throw ValueError(fmt::format("fft: norm is backward, forward or ortho, not \"{}\"", name));
}

Tensor as_pairs(const Tensor& x) {
    const Tensor both[] = {x, zeros_like(x.detach())};
    return stack(both, -1);
}

Tensor fft(const Tensor& x, std::int64_t n, std::int64_t dim, FftNorm norm) {
    return along(x, n, dim, norm, false);
}

Tensor ifft(const Tensor& x, std::int64_t n, std::int64_t dim, FftNorm norm) {
    return along(x, n, dim, norm, true);
}

Tensor rfft(const Tensor& x, std::int64_t n, std::int64_t dim, FftNorm norm) {
    const std::int64_t at = wrap_dim(dim, x.dim());
    const Tensor whole = along(as_pairs(x), n, at, norm, false);
    return slice(whole, at, 0, whole.size(static_cast<int>(at)) / 2 + 1);
}

Tensor irfft(const Tensor& x, std::int64_t n, std::int64_t dim, FftNorm norm) {
    const std::int64_t at = pair_dim(x, dim);
    const std::int64_t count = n > 0 ? n : 2 * (x.size(static_cast<int>(at)) - 1);
    if (count < 1) throw ValueError(fmt::format("fft: {} numbers cannot be transformed", count));
    const Tensor head = brought_to(x, at, count / 2 + 1);
    // The other half mirrors the first, with the imaginary parts negated.
    const std::int64_t mirrored = count - (count / 2 + 1);
    Tensor whole = head;
    if (mirrored > 0) {
        const Tensor back = flip(slice(head, at, 1, 1 + mirrored), Dims{at});
        const Tensor sign = to(Tensor::from(std::vector<double>{1, -1}, Shape{2}), x.dtype());
        const Tensor parts[] = {head, mul(back, sign)};
        whole = cat(parts, at);
    }
    return select(along(whole, count, at, norm, true), -1, 0);
}

} // namespace wiregrad

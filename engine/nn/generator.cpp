#include "engine/nn/generator.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "engine/core/error.h"

namespace wiregrad::nn {
namespace {

float float_of_bits(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}
std::uint32_t bits_of(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
}

// Single-precision log, sin and cos by the polynomials of the Cephes library. PyTorch's normal_
// uses them in vectorised form, so initial weights carry their roundings: each fused multiply-add
// below is one there.

/// Natural logarithm of a positive, normal x.
float cephes_log(float x) {
    const std::uint32_t bits = bits_of(x);
    float e = static_cast<float>(static_cast<int>(bits >> 23) - 127) + 1.0F;
    x = float_of_bits((bits & 0x007fffffU) | 0x3f000000U); // the mantissa in [0.5, 1)
    if (x < 0.707106781186547524F) {
        e -= 1.0F;
        x = (x - 1.0F) + x;
    } else {
        x -= 1.0F;
    }
    const float z = x * x;
    float y = 7.0376836292E-2F;
    for (const float c : {-1.1514610310E-1F, 1.1676998740E-1F, -1.2420140846E-1F, 1.4249322787E-1F,
                          -1.6668057665E-1F, 2.0000714765E-1F, -2.4999993993E-1F, 3.3333331174E-1F})
        y = std::fma(y, x, c);
    y *= x;
    y = std::fma(y, z, e * -2.12194440e-4F);
    y = std::fma(z, -0.5F, y);
    x += y;
    return std::fma(e, 0.693359375F, x);
}

struct SinCos {
    float sin, cos;
};
/// For x in [0, 2 pi].
SinCos cephes_sincos(float x) {
    // The octant, rounded up to even: the rest lies in [-pi/4, pi/4].
    const int octant = (static_cast<int>(x * 1.27323954473516F) + 1) & ~1;
    const auto turns = static_cast<float>(octant);
    x = std::fma(turns, -0.78515625F, x);
    x = std::fma(turns, -2.4187564849853515625e-4F, x);
    x = std::fma(turns, -3.77489497744594108e-8F, x);
    const float z = x * x;

    float c = 2.443315711809948E-005F;
    c = std::fma(c, z, -1.388731625493765E-003F);
    c = std::fma(c, z, 4.166664568298827E-002F);
    c *= z;
    c = std::fma(c, z, -(z * 0.5F)) + 1.0F;

    float s = -1.9515295891E-4F;
    s = std::fma(s, z, 8.3321608736E-3F);
    s = std::fma(s, z, -1.6666654611E-1F);
    s *= z;
    s = std::fma(s, x, x);

    const bool swap = (octant & 2) != 0;
    const float sin = swap ? c : s, cos = swap ? s : c;
    return {(octant & 4) != 0 ? -sin : sin, ((octant - 2) & 4) == 0 ? -cos : cos};
}

/// Turns 16 uniform numbers into 16 normal ones: 8 for the radius, 8 for the angle (Box and
/// Muller).
void normal_block(float* data, float mean, float std) {
    for (int i = 0; i < 8; ++i) {
        const float radius = std::sqrt(-2.0F * cephes_log(1.0F - data[i]));
        const auto [sin, cos] =
            cephes_sincos(static_cast<float>(2 * std::numbers::pi) * data[i + 8]);
        data[i] = std::fma(radius * cos, std, mean);
        data[i + 8] = std::fma(radius * sin, std, mean);
    }
}
void normal_block(double* data, double mean, double std) {
    for (int i = 0; i < 8; ++i) {
        const double radius = std::sqrt(-2.0 * std::log(1.0 - data[i]));
        const double theta = 2 * std::numbers::pi * data[i + 8];
        data[i] = std::fma(radius * std::cos(theta), std, mean);
        data[i + 8] = std::fma(radius * std::sin(theta), std, mean);
    }
}

float uniform(Generator& generator, float low, float width) {
    return std::fma(static_cast<float>(generator.random() & 0xffffffU) * 0x1p-24F, width, low);
}
double uniform(Generator& generator, double low, double width) {
    return std::fma(static_cast<double>(generator.random64() & ((std::uint64_t{1} << 53) - 1)) *
                        0x1p-53,
                    width, low);
}

template <class T>
void fill_uniform(Generator& generator, T* data, std::int64_t count, T low, T high) {
    for (std::int64_t i = 0; i < count; ++i)
        data[i] = uniform(generator, low, high - low);
}

template <class T>
void fill_normal(Generator& generator, T* data, std::int64_t count, T mean, T std) {
    fill_uniform(generator, data, count, T{0}, T{1});
    std::int64_t at = 0;
    for (; at + 16 <= count; at += 16)
        normal_block(data + at, mean, std);
    if (at < count) { // the last 16 are drawn anew, over some that were ready
        fill_uniform(generator, data + count - 16, 16, T{0}, T{1});
        normal_block(data + count - 16, mean, std);
    }
}

void check(const Tensor& tensor) {
    if (tensor.dtype() != DType::Float32 && tensor.dtype() != DType::Float64)
        throw DTypeError("random numbers are drawn as float32 or float64, not " +
                         std::string(name_of(tensor.dtype())));
    if (!tensor.is_contiguous())
        throw ValueError("random numbers are drawn into contiguous tensors only");
}

} // namespace

void Generator::manual_seed(std::uint64_t seed) {
    words_[0] = static_cast<std::uint32_t>(seed);
    for (int i = 1; i < kWords; ++i) {
        const std::uint32_t last = words_[static_cast<std::size_t>(i - 1)];
        words_[static_cast<std::size_t>(i)] =
            1812433253U * (last ^ (last >> 30)) + static_cast<std::uint32_t>(i);
    }
    at_ = kWords;
    spare_.reset();
}

void Generator::refill() {
    constexpr int kShift = 397;
    const auto word = [&](int i) -> std::uint32_t& {
        return words_[static_cast<std::size_t>(i % kWords)];
    };
    for (int i = 0; i < kWords; ++i) {
        const std::uint32_t y = (word(i) & 0x80000000U) | (word(i + 1) & 0x7fffffffU);
        word(i) = word(i + kShift) ^ (y >> 1) ^ ((y & 1U) != 0 ? 0x9908b0dfU : 0U);
    }
    at_ = 0;
}

std::uint32_t Generator::random() {
    if (at_ == kWords) refill();
    std::uint32_t y = words_[static_cast<std::size_t>(at_++)];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680U;
    y ^= (y << 15) & 0xefc60000U;
    return y ^ (y >> 18);
}

std::uint64_t Generator::random64() {
    const std::uint64_t high = random();
    return (high << 32) | random();
}

double Generator::normal_sample() {
    if (spare_) {
        const double value = *spare_;
        spare_.reset();
        return value;
    }
    const double u1 = uniform(*this, 0.0, 1.0), u2 = uniform(*this, 0.0, 1.0);
    const double radius = std::sqrt(-2.0 * std::log1p(-u2)), theta = 2.0 * std::numbers::pi * u1;
    spare_ = radius * std::sin(theta);
    return radius * std::cos(theta);
}

void Generator::uniform_(Tensor& tensor, double low, double high) {
    check(tensor);
    const std::int64_t count = tensor.numel();
    if (tensor.dtype() == DType::Float32)
        fill_uniform(*this, tensor.data_mut<float>(), count, static_cast<float>(low),
                     static_cast<float>(high));
    else
        fill_uniform(*this, tensor.data_mut<double>(), count, low, high);
}

void Generator::normal_(Tensor& tensor, double mean, double std) {
    check(tensor);
    const std::int64_t count = tensor.numel();
    const bool single = tensor.dtype() == DType::Float32;
    if (count >= 16) {
        if (single)
            fill_normal(*this, tensor.data_mut<float>(), count, static_cast<float>(mean),
                        static_cast<float>(std));
        else
            fill_normal(*this, tensor.data_mut<double>(), count, mean, std);
        return;
    }
    for (std::int64_t i = 0; i < count; ++i) {
        const double value = std::fma(normal_sample(), std, mean);
        if (single)
            tensor.data_mut<float>()[i] = static_cast<float>(value);
        else
            tensor.data_mut<double>()[i] = value;
    }
}

Tensor Generator::randperm(std::int64_t n) {
    if (n < 0) throw ValueError("a permutation of a negative number of elements was asked for");
    Tensor result = Tensor::empty({n}, DType::Int64);
    auto* values = n > 0 ? result.data_mut<std::int64_t>() : nullptr;
    for (std::int64_t i = 0; i < n; ++i)
        values[i] = i;
    for (std::int64_t i = 0; i + 1 < n; ++i)
        std::swap(values[i], values[i + random() % (n - i)]);
    return result;
}

} // namespace wiregrad::nn

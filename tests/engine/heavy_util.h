// Helpers of the tests of layers and losses: tensors from seeds, comparisons that say where, and
// PyTorch as a referee.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "engine/core/tensor.h"

namespace wiregrad::heavy {

/// Values in (-1, 1) without symmetry, the same for every dtype.
inline Tensor noise(const Shape& shape, unsigned seed, DType dtype = DType::Float64) {
    Tensor x = Tensor::empty(shape, DType::Float64);
    std::uint32_t state = seed * 2654435761U + 12345U;
    double* values = x.data_mut<double>();
    for (std::int64_t i = 0; i < x.numel(); ++i) {
        state = state * 1664525U + 1013904223U;
        values[i] = static_cast<double>(
            static_cast<float>(static_cast<double>(state >> 8) / (1 << 23) - 1));
    }
    Tensor out = Tensor::empty(shape, dtype);
    out.copy_(x);
    return out;
}

/// Whole numbers from -3 to 3: sums of their products are exact in float.
inline Tensor whole(const Shape& shape, unsigned seed, DType dtype = DType::Float32) {
    Tensor x = noise(shape, seed);
    double* values = x.data_mut<double>();
    for (std::int64_t i = 0; i < x.numel(); ++i)
        values[i] = std::floor(values[i] * 3.49 + 0.5);
    Tensor out = Tensor::empty(shape, dtype);
    out.copy_(x);
    return out;
}

inline Tensor as(const Tensor& x, DType dtype) {
    if (!x.defined()) return x;
    Tensor out = Tensor::empty(x.shape(), dtype);
    out.copy_(x);
    return out;
}

inline Tensor labels(const Shape& shape, std::int64_t classes, unsigned seed) {
    Tensor x = Tensor::empty(shape, DType::Int64);
    std::uint32_t state = seed * 2654435761U + 7U;
    for (std::int64_t i = 0; i < x.numel(); ++i) {
        state = state * 1664525U + 1013904223U;
        x.data_mut<std::int64_t>()[i] = (state >> 10) % static_cast<std::uint32_t>(classes);
    }
    return x;
}

inline ::testing::AssertionResult near(const std::vector<double>& got,
                                       const std::vector<double>& expected, double rtol,
                                       double atol) {
    if (got.size() != expected.size())
        return ::testing::AssertionFailure()
               << got.size() << " values, expected " << expected.size();
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (std::isnan(got[i]) && std::isnan(expected[i])) continue;
        if (got[i] == expected[i] ||
            std::abs(got[i] - expected[i]) <= atol + rtol * std::abs(expected[i]))
            continue;
        return ::testing::AssertionFailure()
               << "element " << i << " is " << got[i] << ", expected " << expected[i];
    }
    return ::testing::AssertionSuccess();
}
inline ::testing::AssertionResult near(const Tensor& got, const Tensor& expected,
                                       double rtol = 1.3e-6, double atol = 1e-5) {
    if (got.shape() != expected.shape())
        return ::testing::AssertionFailure()
               << got.shape().str() << ", expected " << expected.shape().str();
    return near(got.to_vector(), expected.to_vector(), rtol, atol);
}
inline ::testing::AssertionResult same(const Tensor& got, const Tensor& expected) {
    return near(got, expected, 0, 0);
}

/// The message of the E that `f` throws, or "" when it throws nothing.
template <class E, class F> std::string message_of(F&& f) {
    try {
        f();
    } catch (const E& error) {
        return error.text();
    }
    return "";
}

/// Runs one Python script with PyTorch on tensors given by name; results come back by name, as
/// float64.
class Torch {
  public:
    /// False where /usr/bin/python3 has no torch: the test says so and is skipped.
    static bool available();

    Torch();
    ~Torch();
    void give(const std::string& name, const Tensor& tensor); ///< torch tensor of the same dtype
    void run(const std::string&
                 script); ///< `out(name, tensor)` sends a result back; F and torch are there
    std::vector<double> take(const std::string& name) const;

  private:
    std::string folder_, prelude_;
};

} // namespace wiregrad::heavy

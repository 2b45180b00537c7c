// Discrete Fourier transforms under torch.fft's names. Complex numbers are pairs: a last dimension
// of 2 (real, imaginary), as torch.view_as_real gives them. Differentiable any number of times.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/op/op.h"

namespace wiregrad {

/// Who divides: "backward" the inverse by n, "forward" the other by n, "ortho" both by sqrt(n).
enum class FftNorm : std::uint8_t { Backward, Forward, Ortho };
FftNorm fft_norm(std::string_view name); ///< throws ValueError for another name

/// x [..., 2] along `dim` of what is before the pairs (negative: from their end); `n`: cut or
/// filled with zeros first; 0: as long as it is.
Tensor fft(const Tensor& x, std::int64_t n = 0, std::int64_t dim = -1,
           FftNorm norm = FftNorm::Backward);
Tensor ifft(const Tensor& x, std::int64_t n = 0, std::int64_t dim = -1,
            FftNorm norm = FftNorm::Backward);
/// Real numbers to the n / 2 + 1 pairs that say everything, and back to n real numbers.
Tensor rfft(const Tensor& x, std::int64_t n = 0, std::int64_t dim = -1,
            FftNorm norm = FftNorm::Backward);
Tensor irfft(const Tensor& x, std::int64_t n = 0, std::int64_t dim = -1,
             FftNorm norm = FftNorm::Backward);
/// Real numbers as pairs.
Tensor as_pairs(const Tensor& x);

} // namespace wiregrad

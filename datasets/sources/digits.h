// Drawn digits: 28 x 28 grey pictures made of stroke templates, warped, thickened and made noisy by
// a seed. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <span>

namespace wiregrad::data {

inline constexpr int kDigitSide = 28;

/// Draws digit `label` (0..9) for sample `index` of `stream` under `seed`; `noise` is the standard
/// deviation of the pixel noise, 0..1. `pixels` has kDigitSide * kDigitSide bytes, row by row, ink
/// bright on dark.
void draw_digit(int label, std::uint64_t seed, std::uint32_t stream, std::uint64_t index,
                double noise, std::span<std::uint8_t> pixels);

} // namespace wiregrad::data

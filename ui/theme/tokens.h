// The colour tables of the two themes: plain numbers, one place. Used by theme.cpp alone.
#pragma once

#include <QRgb>

#include <array>

#include "ui/theme/theme.h"

namespace wiregrad::studio {

inline constexpr int kTokenCount = int(Token::HeatHigh) + 1;
using TokenTable = std::array<QRgb, kTokenCount>;
using CategoryTable = std::array<QRgb, std::size(graph::kCategories)>;

const TokenTable& tokenTable(bool dark);
const CategoryTable& categoryTable(bool dark);

} // namespace wiregrad::studio

// Numbers as people read them: counts, bytes, FLOPs, durations, shapes. Pure functions; any thread.
#pragma once

#include <QString>

#include "engine/core/shape.h"

namespace wiregrad::studio {

/// About four significant digits, "0.0412", "1.2e-05", "98.25"; "NaN" and "±∞" as such.
QString numberText(double value, int significant = 4);
/// "61,706"
QString countText(std::int64_t value);
/// "61.7 k", "1.2 M": for narrow places.
QString shortCountText(double value);
/// "612 MB", binary multiples.
QString bytesText(double bytes);
/// "0.85 MFLOP"
QString flopsText(double flops);
/// "0:42", "1:02:03"
QString durationText(double seconds);
/// "98.25 %"
QString percentText(double fraction, int decimals = 2);
/// "64 × 1 × 28 × 28"; a scalar is "one number".
QString shapeText(const Shape& shape);
/// A round number near `span / count`: 1, 2 or 5 times a power of ten.
double niceInterval(double span, int count);

} // namespace wiregrad::studio

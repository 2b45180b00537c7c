// Many numbers a sample as a point of the plane: the two directions in which the samples spread
// most. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace wiregrad::train {

struct Projection {
    std::vector<double> x, y;        ///< of each row; NaN where a row holds a number that is none
    double share_x = 0, share_y = 0; ///< of the whole variance, 0 to 1
};

/// Principal component analysis of `rows` points with `columns` numbers each, row-major, by power
/// iteration. Each axis points to where its largest component is positive, so that pictures of
/// following steps do not flip. Throws nothing; fewer numbers than rows * columns give no rows.
Projection principal_axes(std::span<const float> values, std::int64_t rows, std::int64_t columns);

} // namespace wiregrad::train

// Class indices found in files. Plain functions; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "datasets/dataset.h"

namespace wiregrad::data {

/// The number of classes of `labels` (0, 1, 2 ...): `asked` where that is above 0, else the largest
/// label and one. Throws DataError naming the sample where a label is negative, not below `asked`,
/// or so large that it cannot be meant.
std::int64_t count_classes(std::span<const std::int64_t> labels, std::int64_t asked,
                           const std::string& where);
Field label_field(std::int64_t classes, std::vector<std::string> names = {});

} // namespace wiregrad::data

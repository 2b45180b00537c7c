#include "datasets/sources/labels.h"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "engine/core/error.h"

namespace wiregrad::data {

std::int64_t count_classes(std::span<const std::int64_t> labels, std::int64_t asked,
                           const std::string& where) {
    std::unordered_set<std::int64_t> different;
    std::int64_t largest = -1;
    std::size_t largest_at = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] < 0 || (asked > 0 && labels[i] >= asked))
            throw DataError(
                asked > 0
                    ? fmt::format("sample {} has the label {}, allowed are 0 to {}", i, labels[i],
                                  asked - 1)
                    : fmt::format("sample {} has the label {}; labels count from 0", i, labels[i]),
                where);
        if (labels[i] > largest) {
            largest = labels[i];
            largest_at = i;
        }
        different.insert(labels[i]);
    }
    if (asked > 0) return asked;
    const auto found = static_cast<std::int64_t>(different.size());
    constexpr std::int64_t kAlwaysFine = 16;
    if (largest >= kAlwaysFine && largest >= 2 * found)
        throw DataError(
            fmt::format("sample {} has the label {}, although only {} different labels occur",
                        largest_at, largest, found),
            where);
    return std::max<std::int64_t>(2, largest + 1);
}

Field label_field(std::int64_t classes, std::vector<std::string> names) {
    return {.name = "y",
            .shape = {},
            .dtype = DType::Int64,
            .kind = FieldKind::Label,
            .class_names = std::move(names),
            .classes = classes,
            .max = static_cast<double>(classes - 1)};
}

} // namespace wiregrad::data

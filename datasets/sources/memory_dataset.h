// A dataset whose samples lie in memory, each field stored compactly and converted when it is read.
// Immutable once made; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "datasets/dataset.h"

namespace wiregrad::data {

/// All samples of one field, one behind the other. Stored types: uint8, int64, float32. uint8 read
/// as a float32 image is divided by 255.
struct Column {
    DType stored = DType::Float32;
    std::vector<std::byte> bytes{};

    template <class T> static Column of(std::span<const T> values) {
        const auto raw = std::as_bytes(values);
        return {kDTypeOf<T>, {raw.begin(), raw.end()}};
    }
    template <class T> static Column sized(std::size_t count) {
        return {kDTypeOf<T>, std::vector<std::byte>(count * sizeof(T))};
    }
    template <class T> std::span<T> values() {
        return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
    }
};

/// Checks that the columns have `size` samples and that labels, masks and tokens lie in [0,
/// classes): throws DataError naming the sample; `where` is the file or folder.
DatasetPtr memory_dataset(std::vector<Field> fields, std::vector<Column> columns, std::int64_t size,
                          const std::string& where);

} // namespace wiregrad::data

#include "datasets/sources/memory_dataset.h"

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "engine/core/error.h"

namespace wiregrad::data {
namespace {

const std::array<float, 256>& bytes_as_fractions() {
    static const std::array<float, 256> table = [] {
        std::array<float, 256> t{};
        for (std::size_t i = 0; i < t.size(); ++i)
            t[i] = static_cast<float>(i) / 255.0f;
        return t;
    }();
    return table;
}

template <class From, class To>
void convert(const std::byte* from, std::byte* to, std::size_t count) {
    const auto* source = reinterpret_cast<const From*>(from);
    auto* target = reinterpret_cast<To*>(to);
    for (std::size_t i = 0; i < count; ++i)
        target[i] = static_cast<To>(source[i]);
}

class MemoryDataset : public Dataset {
  public:
    MemoryDataset(std::vector<Field> fields, std::vector<Column> columns, std::int64_t size,
                  const std::string& where)
        : fields_(std::move(fields)), columns_(std::move(columns)), size_(size) {
        if (fields_.size() != columns_.size())
            throw DataError("fields and columns differ in number", where);
        for (std::size_t f = 0; f < fields_.size(); ++f) {
            const auto count = static_cast<std::size_t>(numel(fields_[f].shape));
            counts_.push_back(count);
            strides_.push_back(count * size_of(columns_[f].stored));
            if (columns_[f].bytes.size() != strides_[f] * static_cast<std::size_t>(size_))
                throw DataError(fmt::format("\"{}\" holds {} bytes, {} samples need {}",
                                            fields_[f].name, columns_[f].bytes.size(), size_,
                                            strides_[f] * static_cast<std::size_t>(size_)),
                                where);
            if (fields_[f].classes > 0) check_classes(f, where);
        }
    }
    const std::vector<Field>& fields() const override { return fields_; }
    std::int64_t size() const override { return size_; }

    void read(std::int64_t index, Row row) const override {
        if (index < 0 || index >= size_)
            throw DataError(
                fmt::format("sample {} is outside the dataset of {} samples", index, size_));
        for (std::size_t f = 0; f < fields_.size(); ++f) {
            const std::byte* from =
                columns_[f].bytes.data() + static_cast<std::size_t>(index) * strides_[f];
            std::byte* to = row[f].data();
            const DType stored = columns_[f].stored, wanted = fields_[f].dtype;
            if (stored == wanted) {
                std::memcpy(to, from, strides_[f]);
            } else if (stored == DType::UInt8 && wanted == DType::Float32 &&
                       fields_[f].kind == FieldKind::Image) {
                const std::array<float, 256>& table = bytes_as_fractions();
                const auto* source = reinterpret_cast<const std::uint8_t*>(from);
                auto* target = reinterpret_cast<float*>(to);
                for (std::size_t i = 0; i < counts_[f]; ++i)
                    target[i] = table[source[i]];
            } else if (stored == DType::UInt8 && wanted == DType::Float32) {
                convert<std::uint8_t, float>(from, to, counts_[f]);
            } else if (stored == DType::UInt8 && wanted == DType::Int64) {
                convert<std::uint8_t, std::int64_t>(from, to, counts_[f]);
            } else if (stored == DType::Int64 && wanted == DType::Float32) {
                convert<std::int64_t, float>(from, to, counts_[f]);
            } else {
                throw DataError(fmt::format("\"{}\" is stored as {} and cannot be read as {}",
                                            fields_[f].name, name_of(stored), name_of(wanted)));
            }
        }
    }

  private:
    void check_classes(std::size_t f, const std::string& where) const {
        const Field& field = fields_[f];
        const std::size_t total = columns_[f].bytes.size() / size_of(columns_[f].stored);
        for (std::size_t i = 0; i < total; ++i) {
            std::int64_t value = 0;
            if (columns_[f].stored == DType::UInt8)
                value = static_cast<std::int64_t>(columns_[f].bytes[i]);
            else if (columns_[f].stored == DType::Int64)
                std::memcpy(&value, columns_[f].bytes.data() + i * sizeof(value), sizeof(value));
            else
                throw DataError(
                    fmt::format("\"{}\" holds classes and must be whole numbers", field.name),
                    where);
            if (value < 0 || value >= field.classes)
                throw DataError(fmt::format("sample {} has the label {}, allowed are 0 to {}",
                                            i / counts_[f], value, field.classes - 1),
                                where);
        }
    }

    std::vector<Field> fields_;
    std::vector<Column> columns_;
    std::vector<std::size_t> counts_, strides_;
    std::int64_t size_;
};

} // namespace

DatasetPtr memory_dataset(std::vector<Field> fields, std::vector<Column> columns, std::int64_t size,
                          const std::string& where) {
    return std::make_shared<MemoryDataset>(std::move(fields), std::move(columns), size, where);
}

} // namespace wiregrad::data

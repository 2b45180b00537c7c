#include "datasets/dataset.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "datasets/row_buffer.h"
#include "engine/core/error.h"

namespace wiregrad::data {
namespace {

bool same_layout(const std::vector<Field>& a, const std::vector<Field>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Field& x, const Field& y) {
        return x.name == y.name && x.shape == y.shape && x.dtype == y.dtype && x.kind == y.kind;
    });
}

class Subset : public Dataset {
  public:
    Subset(DatasetPtr base, std::vector<std::int64_t> indices)
        : base_(std::move(base)), indices_(std::move(indices)) {
        for (const std::int64_t index : indices_)
            if (index < 0 || index >= base_->size())
                throw ValueError(
                    fmt::format("sample {} of a subset is outside its dataset of {} samples", index,
                                base_->size()));
    }
    const std::vector<Field>& fields() const override { return base_->fields(); }
    std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
    void read(std::int64_t index, Row row) const override {
        base_->read(indices_.at(static_cast<std::size_t>(index)), row);
    }

  private:
    DatasetPtr base_;
    std::vector<std::int64_t> indices_;
};

class Concatenated : public Dataset {
  public:
    explicit Concatenated(std::vector<DatasetPtr> parts) : parts_(std::move(parts)) {
        if (parts_.empty()) throw ValueError("there is nothing to concatenate");
        for (const DatasetPtr& part : parts_) {
            if (!same_layout(part->fields(), parts_.front()->fields()))
                throw DataError("the parts to be concatenated have different fields");
            size_ += part->size();
            ends_.push_back(size_);
        }
    }
    const std::vector<Field>& fields() const override { return parts_.front()->fields(); }
    std::int64_t size() const override { return size_; }
    void read(std::int64_t index, Row row) const override {
        const auto part = static_cast<std::size_t>(
            std::upper_bound(ends_.begin(), ends_.end(), index) - ends_.begin());
        parts_.at(part)->read(index - (part > 0 ? ends_[part - 1] : 0), row);
    }

  private:
    std::vector<DatasetPtr> parts_;
    std::vector<std::int64_t> ends_;
    std::int64_t size_ = 0;
};

class Mapped : public Dataset {
  public:
    Mapped(DatasetPtr base, std::vector<Field> fields,
           std::function<void(std::int64_t, Row)> change)
        : base_(std::move(base)), fields_(std::move(fields)), change_(std::move(change)) {
        const std::vector<Field>& before = base_->fields();
        if (!std::equal(fields_.begin(), fields_.end(), before.begin(), before.end(),
                        [](const Field& a, const Field& b) { return a.nbytes() == b.nbytes(); }))
            throw ValueError("a mapped dataset must have fields of the same sizes in bytes");
    }
    const std::vector<Field>& fields() const override { return fields_; }
    std::int64_t size() const override { return base_->size(); }
    void read(std::int64_t index, Row row) const override {
        base_->read(index, row);
        change_(index, row);
    }

  private:
    DatasetPtr base_;
    std::vector<Field> fields_;
    std::function<void(std::int64_t, Row)> change_;
};

/// How many values of a field share one mean and one standard deviation, one behind the other.
std::int64_t group_length(const Field& field) {
    return field.kind == FieldKind::Image
               ? numel(field.shape) / std::max<std::int64_t>(1, field.shape[0])
               : 1;
}

const Field& float_field(const Dataset& dataset, std::size_t field) {
    if (field >= dataset.fields().size())
        throw ValueError(fmt::format("the dataset has {} fields, field {} does not exist",
                                     dataset.fields().size(), field));
    const Field& result = dataset.fields()[field];
    if (result.dtype != DType::Float32)
        throw DataError(fmt::format("field \"{}\" is {} and cannot be normalised", result.name,
                                    name_of(result.dtype)));
    return result;
}

} // namespace

std::vector<Tensor> read_batch(const Dataset& dataset, std::span<const std::int64_t> indices) {
    std::vector<Tensor> batch;
    for (const Field& field : dataset.fields()) {
        Shape shape = field.shape;
        shape.insert(0, static_cast<std::int64_t>(indices.size()));
        batch.push_back(Tensor::empty(shape, field.dtype));
    }
    read_batch(dataset, indices, batch);
    return batch;
}

void read_batch(const Dataset& dataset, std::span<const std::int64_t> indices,
                std::span<Tensor> batch) {
    const std::vector<Field>& fields = dataset.fields();
    if (batch.size() != fields.size())
        throw ValueError(fmt::format("a batch of this dataset has {} tensors, got {}",
                                     fields.size(), batch.size()));
    constexpr std::size_t kMaxFields = 8;
    if (fields.size() > kMaxFields)
        throw DataError(fmt::format("a dataset has at most {} fields, this one has {}", kMaxFields,
                                    fields.size()));
    std::array<std::byte*, kMaxFields> base{};
    std::array<std::size_t, kMaxFields> stride{};
    for (std::size_t f = 0; f < fields.size(); ++f) {
        Shape expected = fields[f].shape;
        expected.insert(0, batch[f].dim() > 0 ? batch[f].size(0) : 0);
        if (batch[f].dtype() != fields[f].dtype || batch[f].shape() != expected ||
            !batch[f].is_contiguous() ||
            batch[f].size(0) < static_cast<std::int64_t>(indices.size()))
            throw ShapeError(fmt::format("{} samples of field \"{}\" do not fit into a tensor {}{}",
                                         indices.size(), fields[f].name, name_of(batch[f].dtype()),
                                         batch[f].shape().str()));
        base[f] = static_cast<std::byte*>(batch[f].raw_mut());
        stride[f] = fields[f].nbytes();
    }
    std::array<std::span<std::byte>, kMaxFields> row{};
    for (std::size_t i = 0; i < indices.size(); ++i) {
        if (indices[i] < 0 || indices[i] >= dataset.size())
            throw ValueError(fmt::format("sample {} is outside the dataset of {} samples",
                                         indices[i], dataset.size()));
        for (std::size_t f = 0; f < fields.size(); ++f)
            row[f] = {base[f] + i * stride[f], stride[f]};
        dataset.read(indices[i], Row(row.data(), fields.size()));
    }
}

std::uint64_t hash_bytes(std::span<const std::byte> bytes) {
    // Two multiply-and-fold lanes over 16 bytes a turn; only equality matters.
    const auto mix = [](std::uint64_t h, std::uint64_t word) {
        h = (h ^ word) * 0x9E3779B97F4A7C15ull;
        return h ^ (h >> 29);
    };
    std::uint64_t a = 0x243F6A8885A308D3ull ^ bytes.size(), b = 0x13198A2E03707344ull;
    std::size_t at = 0;
    for (; at + 16 <= bytes.size(); at += 16) {
        std::uint64_t words[2];
        std::memcpy(words, bytes.data() + at, 16);
        a = mix(a, words[0]);
        b = mix(b, words[1]);
    }
    std::uint64_t rest[2] = {0, 0};
    if (at < bytes.size()) std::memcpy(rest, bytes.data() + at, bytes.size() - at);
    a = mix(a, rest[0]);
    b = mix(b, rest[1]);
    std::uint64_t h = mix(mix(a, b), b);
    h = (h ^ (h >> 32)) * 0xD6E8FEB86659FD93ull;
    return h ^ (h >> 32);
}

std::uint64_t content_hash(const Dataset& dataset, std::int64_t index) {
    const RowBuffer buffer(dataset.fields());
    dataset.read(index, buffer.row());
    return hash_bytes(buffer.row()[0]);
}

DatasetPtr subset(DatasetPtr base, std::vector<std::int64_t> indices) {
    return std::make_shared<Subset>(std::move(base), std::move(indices));
}

DatasetPtr concatenated(std::vector<DatasetPtr> parts) {
    return std::make_shared<Concatenated>(std::move(parts));
}

DatasetPtr mapped(DatasetPtr base, std::vector<Field> fields,
                  std::function<void(std::int64_t, Row)> change) {
    return std::make_shared<Mapped>(std::move(base), std::move(fields), std::move(change));
}

Normalization statistics(const Dataset& dataset, std::size_t field) {
    const Field& declared = float_field(dataset, field);
    if (dataset.size() == 0) throw DataError("an empty dataset has no mean");
    const auto length = static_cast<std::size_t>(group_length(declared));
    const std::size_t groups =
        static_cast<std::size_t>(numel(declared.shape)) / std::max<std::size_t>(1, length);
    const RowBuffer buffer(dataset.fields());
    const std::span<const float> values = buffer.values<float>(field);
    // Sums of differences to the first sample: exact also where the mean is far from zero, and zero
    // for a constant.
    std::vector<double> shift(groups), sum(groups), squares(groups);
    for (std::int64_t i = 0; i < dataset.size(); ++i) {
        dataset.read(i, buffer.row());
        for (std::size_t g = 0; g < groups; ++g) {
            if (i == 0) shift[g] = values[g * length];
            double row_sum = 0, row_squares = 0;
            for (std::size_t k = g * length; k < (g + 1) * length; ++k) {
                const double d = values[k] - shift[g];
                row_sum += d;
                row_squares += d * d;
            }
            if (!std::isfinite(row_squares))
                throw DataError(
                    fmt::format("sample {} has a value in \"{}\" that is not a finite number", i,
                                declared.name));
            sum[g] += row_sum;
            squares[g] += row_squares;
        }
    }
    Normalization result;
    const double count = static_cast<double>(dataset.size()) * static_cast<double>(length);
    for (std::size_t g = 0; g < groups; ++g) {
        const double mean = sum[g] / count;
        const double variance = std::max(0.0, squares[g] / count - mean * mean);
        result.mean.push_back(shift[g] + mean);
        result.std.push_back(variance > 0 ? std::sqrt(variance) : 1.0);
    }
    return result;
}

Normalization extremes(const Dataset& dataset, std::size_t field) {
    const Field& declared = float_field(dataset, field);
    if (dataset.size() == 0) throw DataError("an empty dataset has no range");
    const auto length = static_cast<std::size_t>(group_length(declared));
    const std::size_t groups =
        static_cast<std::size_t>(numel(declared.shape)) / std::max<std::size_t>(1, length);
    const RowBuffer buffer(dataset.fields());
    const std::span<const float> values = buffer.values<float>(field);
    std::vector<double> low(groups, INFINITY), high(groups, -INFINITY);
    for (std::int64_t i = 0; i < dataset.size(); ++i) {
        dataset.read(i, buffer.row());
        for (std::size_t k = 0; k < values.size(); ++k) {
            if (!std::isfinite(values[k]))
                throw DataError(
                    fmt::format("sample {} has a value in \"{}\" that is not a finite number", i,
                                declared.name));
            low[k / length] = std::min<double>(low[k / length], values[k]);
            high[k / length] = std::max<double>(high[k / length], values[k]);
        }
    }
    Normalization result{low, {}};
    for (std::size_t g = 0; g < groups; ++g)
        result.std.push_back(high[g] > low[g] ? high[g] - low[g] : 1.0);
    return result;
}

DatasetPtr normalized(DatasetPtr base, const Normalization& normalization, std::size_t field) {
    if (normalization.empty()) return base;
    const Field& declared = float_field(*base, field);
    const auto length = static_cast<std::size_t>(group_length(declared));
    const std::size_t groups =
        static_cast<std::size_t>(numel(declared.shape)) / std::max<std::size_t>(1, length);
    if (normalization.mean.size() != groups || normalization.std.size() != groups)
        throw DataError(fmt::format("\"{}\" has {} channels or features, the normalisation {}",
                                    declared.name, groups, normalization.mean.size()));
    std::vector<Field> fields = base->fields();
    std::vector<float> mean, std;
    double low = INFINITY, high = -INFINITY;
    for (std::size_t g = 0; g < groups; ++g) {
        if (!(normalization.std[g] > 0))
            throw ValueError(
                fmt::format("a standard deviation must be above 0, got {}", normalization.std[g]));
        mean.push_back(static_cast<float>(normalization.mean[g]));
        std.push_back(static_cast<float>(normalization.std[g]));
        low = std::min(low, (declared.min - normalization.mean[g]) / normalization.std[g]);
        high = std::max(high, (declared.max - normalization.mean[g]) / normalization.std[g]);
    }
    fields[field].min = low;
    fields[field].max = high;
    return mapped(
        std::move(base), std::move(fields),
        [mean = std::move(mean), std = std::move(std), length, field](std::int64_t, Row row) {
            auto* value = reinterpret_cast<float*>(row[field].data());
            for (std::size_t g = 0; g < mean.size(); ++g)
                for (std::size_t k = 0; k < length; ++k, ++value)
                    *value = (*value - mean[g]) / std[g];
        });
}

} // namespace wiregrad::data

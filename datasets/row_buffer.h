// Memory for one sample of a dataset, to be read into again and again. One thread each.
#pragma once

#include <memory>
#include <vector>

#include "datasets/dataset.h"

namespace wiregrad::data {

class RowBuffer {
  public:
    explicit RowBuffer(const std::vector<Field>& fields) {
        constexpr std::size_t kAlign = 16;
        std::size_t total = 0;
        for (const Field& field : fields)
            total += (field.nbytes() + kAlign - 1) / kAlign * kAlign;
        bytes_ = std::make_unique<std::byte[]>(total);
        std::size_t at = 0;
        for (const Field& field : fields) {
            spans_.emplace_back(bytes_.get() + at, field.nbytes());
            at += (field.nbytes() + kAlign - 1) / kAlign * kAlign;
        }
    }
    Row row() const { return spans_; }
    template <class T> std::span<T> values(std::size_t field) const {
        return {reinterpret_cast<T*>(spans_[field].data()), spans_[field].size() / sizeof(T)};
    }

  private:
    std::unique_ptr<std::byte[]> bytes_; // new[] of bytes is aligned for any scalar
    std::vector<std::span<std::byte>> spans_;
};

} // namespace wiregrad::data

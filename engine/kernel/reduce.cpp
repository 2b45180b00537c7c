#include "engine/kernel/reduce.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/core/memory.h"
#include "engine/kernel/loop.h"

namespace wiregrad::kernel {
namespace {

constexpr std::int64_t kChunk = 8192;   ///< contiguous elements folded in one go
constexpr std::int64_t kRowChunk = 128; ///< rows folded one after the other
constexpr std::int64_t kColumns = 4096; ///< columns of one piece of work

std::int64_t pieces(std::int64_t count, std::int64_t size) {
    return (count + size - 1) / size;
}

/// Scratch memory from the pool.
class Buffer {
  public:
    explicit Buffer(std::int64_t bytes)
        : bytes_(static_cast<std::size_t>(bytes)), data_(static_cast<char*>(allocate(bytes_))) {}
    ~Buffer() { release(data_, bytes_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    char* data() const { return data_; }

  private:
    std::size_t bytes_;
    char* data_;
};

struct Kernels {
    FoldRow row;
    FoldInto into;
    InnerLoop first; ///< converts the first row
    std::int64_t in_size, out_size;
};

Kernels kernels_for(Fold fold, DType in) {
    const Table& t = table();
    const auto f = static_cast<std::size_t>(fold);
    const auto i = static_cast<std::size_t>(in);
    const DType out = fold_dtype(fold, in);
    return {t.fold_row[f][i], t.fold_into[f][i], t.cast[i][static_cast<std::size_t>(out)],
            static_cast<std::int64_t>(size_of(in)), static_cast<std::int64_t>(size_of(out))};
}

/// out[r] = fold of x[r][0..length)
void fold_rows(Fold fold, DType dtype, const char* x, std::int64_t rows, std::int64_t length,
               char* out) {
    const Kernels k = kernels_for(fold, dtype);
    const std::int64_t chunks = pieces(length, kChunk);
    if (chunks == 1) {
        parallel_for(rows, kParallelElements / length, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t r = begin; r < end; ++r)
                k.row(x + r * length * k.in_size, length, out + r * k.out_size);
        });
        return;
    }
    const Buffer partial(rows * chunks * k.out_size);
    parallel_for(rows * chunks, kParallelElements / kChunk,
                 [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t i = begin; i < end; ++i) {
                         const std::int64_t start = i % chunks * kChunk;
                         k.row(x + (i / chunks * length + start) * k.in_size,
                               std::min(kChunk, length - start), partial.data() + i * k.out_size);
                     }
                 });
    fold_rows(fold, fold_dtype(fold, dtype), partial.data(), rows, chunks, out);
}

/// out[o][c] = fold over r of x[o][r][c]
void fold_columns(Fold fold, DType dtype, const char* x, std::int64_t outer, std::int64_t rows,
                  std::int64_t columns, char* out) {
    const Kernels k = kernels_for(fold, dtype);
    const std::int64_t chunks = pieces(rows, kRowChunk);
    const Buffer partial(chunks > 1 ? outer * chunks * columns * k.out_size : 0);
    char* const target = chunks > 1 ? partial.data() : out;
    const std::int64_t blocks = pieces(columns, kColumns);
    const std::int64_t work = std::min(rows, kRowChunk) * std::min(columns, kColumns);
    parallel_for(
        outer * chunks * blocks, kParallelElements / std::max<std::int64_t>(work, 1),
        [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) {
                const std::int64_t column = i % blocks * kColumns;
                const std::int64_t chunk = i / blocks % chunks;
                const std::int64_t o = i / blocks / chunks;
                const std::int64_t count = std::min(kColumns, columns - column);
                const std::int64_t first = chunk * kRowChunk;
                const char* from = x + ((o * rows + first) * columns + column) * k.in_size;
                char* const into = target + ((o * chunks + chunk) * columns + column) * k.out_size;
                char* const pointers[] = {into, const_cast<char*>(from)};
                const std::int64_t strides[] = {k.out_size, k.in_size};
                k.first(pointers, strides, count, {});
                for (std::int64_t r = first + 1; r < std::min(first + kRowChunk, rows); ++r) {
                    from += columns * k.in_size;
                    k.into(into, from, count);
                }
            }
        });
    if (chunks > 1)
        fold_columns(fold, fold_dtype(fold, dtype), partial.data(), outer, chunks, columns, out);
}

Tensor converted(const Tensor& x, DType dtype) {
    Tensor result = Tensor::empty(x.shape(), dtype);
    copy_elements(*result.body(), *x.body());
    return result;
}

DType computed_in(DType dtype) {
    return dtype == DType::Float16 || dtype == DType::BFloat16 ? DType::Float32 : dtype;
}

/// Neighbouring dimensions that are both folded, or both kept.
struct Segment {
    std::int64_t size;
    bool folded;
};

template <class T>
void arg_loop(bool largest, const T* x, std::int64_t outer, std::int64_t length, std::int64_t inner,
              std::int64_t* out) {
    for (std::int64_t o = 0; o < outer; ++o) {
        for (std::int64_t i = 0; i < inner; ++i) {
            const T* const line = x + o * length * inner + i;
            std::int64_t best = 0;
            for (std::int64_t r = 1; r < length; ++r) {
                const T candidate = line[r * inner];
                const T current = line[best * inner];
                if (current != current) break; // the first NaN stays
                if (candidate != candidate || (largest ? candidate > current : candidate < current))
                    best = r;
            }
            out[o * inner + i] = best;
        }
    }
}

} // namespace

DType fold_dtype(Fold fold, DType dtype) {
    if ((fold == Fold::Sum || fold == Fold::Prod) && !is_floating(dtype)) return DType::Int64;
    return computed_in(dtype);
}

void fold(Fold fold, const Tensor& x, const Dims& dims, Tensor& out) {
    const DType work = computed_in(x.dtype());
    const DType result_type = fold_dtype(fold, work);
    if (out.dtype() != result_type) {
        Tensor exact = Tensor::empty(out.shape(), result_type);
        kernel::fold(fold, x, dims, exact);
        copy_elements(*out.body(), *exact.body());
        return;
    }
    if (out.numel() == 0) return;
    if (x.numel() == 0) {
        const double empty = fold == Fold::Prod ? 1 : 0;
        copy_elements(*out.body(), *Tensor::full({}, empty, out.dtype()).body());
        return;
    }
    const Tensor source = x.is_contiguous() && x.dtype() == work ? x : converted(x, work);

    std::vector<Segment> segments;
    int next = 0;
    for (int d = 0; d < x.dim(); ++d) {
        const bool folded = next < dims.size() && dims[next] == d;
        if (folded) ++next;
        if (x.shape()[d] == 1) continue;
        if (!segments.empty() && segments.back().folded == folded)
            segments.back().size *= x.shape()[d];
        else
            segments.push_back({x.shape()[d], folded});
    }
    // Folds the innermost folded segment until none is left; each pass but the last writes a
    // temporary.
    Tensor current = source;
    while (true) {
        int at = static_cast<int>(segments.size()) - 1;
        while (at >= 0 && !segments[static_cast<std::size_t>(at)].folded)
            --at;
        if (at < 0) {
            if (!current.same_body(out)) {
                current = current.as_strided(out.shape(), out.strides(), current.storage_offset());
                copy_elements(*out.body(), *current.body());
            }
            return;
        }
        std::int64_t outer = 1, inner = 1;
        bool last = true;
        for (int i = 0; i < static_cast<int>(segments.size()); ++i) {
            const Segment& segment = segments[static_cast<std::size_t>(i)];
            if (i < at) outer *= segment.size;
            if (i > at) inner *= segment.size;
            last = last && (i == at || !segment.folded);
        }
        const std::int64_t length = segments[static_cast<std::size_t>(at)].size;
        Tensor target = last ? out : Tensor::empty({outer, inner}, result_type);
        const auto* from = static_cast<const char*>(current.raw());
        auto* into = static_cast<char*>(target.raw_mut());
        if (inner == 1)
            fold_rows(fold, current.dtype(), from, outer, length, into);
        else
            fold_columns(fold, current.dtype(), from, outer, length, inner, into);
        if (last) return;
        segments.erase(segments.begin() + at);
        current = target;
    }
}

void arg_extreme(bool largest, const Tensor& x, int dim, Tensor& out) {
    const DType work = computed_in(x.dtype());
    const Tensor source = x.is_contiguous() && x.dtype() == work ? x : converted(x, work);
    std::int64_t outer = 1, inner = 1;
    for (int d = 0; d < dim; ++d)
        outer *= x.shape()[d];
    for (int d = dim + 1; d < x.dim(); ++d)
        inner *= x.shape()[d];
    const std::int64_t length = x.dim() == 0 ? 1 : x.shape()[dim];
    auto* const into = out.data_mut<std::int64_t>();
    const auto run = [&]<class T>(const T* from) {
        arg_loop(largest, from, outer, length, inner, into);
    };
    switch (work) {
    case DType::Bool:
        run(source.data<bool>());
        break;
    case DType::UInt8:
        run(source.data<std::uint8_t>());
        break;
    case DType::Int32:
        run(source.data<std::int32_t>());
        break;
    case DType::Int64:
        run(source.data<std::int64_t>());
        break;
    case DType::Float64:
        run(source.data<double>());
        break;
    default:
        run(source.data<float>());
        break;
    }
}

} // namespace wiregrad::kernel

#include "engine/backend/cpu/layout.h"

#include <cstring>

#include "engine/backend/cpu/team.h"

namespace wiregrad::cpu {

namespace {

using std::int64_t;

/// Moves the elements of [N, C, H W] into or out of channel blocks, a piece of a plane at a time so
/// that both sides of the turn stay in the cache.
template <class T, bool kIntoBlocks>
void turn(int64_t blocks, int64_t plane, const T* from, T* to, int threads) {
    constexpr int64_t kPiece = 64;
    const int64_t pieces = (plane + kPiece - 1) / kPiece;
#pragma omp parallel for collapse(2) num_threads(threads) schedule(static)
    for (int64_t block = 0; block < blocks; ++block)
        for (int64_t piece = 0; piece < pieces; ++piece) {
            const int64_t first = piece * kPiece,
                          last = first + kPiece < plane ? first + kPiece : plane,
                          base = block * plane * kChannelBlock;
            for (int64_t c = 0; c < kChannelBlock; ++c)
                for (int64_t i = first; i < last; ++i) {
                    const int64_t plain = base + c * plane + i,
                                  blocked = base + i * kChannelBlock + c;
                    to[kIntoBlocks ? blocked : plain] = from[kIntoBlocks ? plain : blocked];
                }
        }
}

class Turn final : public Bound {
  public:
    Turn(const TensorMeta& meta, bool into_blocks) : into_blocks_(into_blocks) {
        blocks_ = meta.shape[0] * meta.shape[1] / kChannelBlock;
        plane_ = meta.shape[2] * meta.shape[3];
        bytes_ = size_of(meta.dtype);
    }
    void run(const void* const* in, void* const* out, void*) override {
        if (bytes_ == 4)
            go<std::uint32_t>(in[0], out[0]);
        else
            go<std::uint8_t>(in[0], out[0]);
    }
    std::string name() const override { return into_blocks_ ? "to nChw16c" : "from nChw16c"; }

  private:
    template <class T> void go(const void* in, void* out) const {
        const int threads = team(static_cast<double>(blocks_ * plane_ * kChannelBlock));
        if (into_blocks_)
            turn<T, true>(blocks_, plane_, static_cast<const T*>(in), static_cast<T*>(out),
                          threads);
        else
            turn<T, false>(blocks_, plane_, static_cast<const T*>(in), static_cast<T*>(out),
                           threads);
    }
    bool into_blocks_;
    int64_t blocks_ = 0, plane_ = 0;
    std::size_t bytes_ = 4;
};

class Copy final : public Bound {
  public:
    explicit Copy(std::size_t bytes) : bytes_(bytes) {}
    void run(const void* const* in, void* const* out, void*) override {
        if (in[0] != out[0]) std::memcpy(out[0], in[0], bytes_);
    }
    std::string name() const override { return "copy"; }

  private:
    std::size_t bytes_;
};

} // namespace

bool BlockedLayout::equals(const OpaqueLayout& other) const {
    const auto* same = dynamic_cast<const BlockedLayout*>(&other);
    return same != nullptr && same->meta_.shape == meta_.shape && same->meta_.dtype == meta_.dtype;
}

bool blockable(const TensorMeta& meta) {
    return meta.shape.size() == 4 && meta.shape[1] > 0 && meta.shape[1] % kChannelBlock == 0 &&
           (meta.dtype == DType::Float32 || meta.dtype == DType::UInt8 ||
            meta.dtype == DType::Int32);
}
Layout blocked_layout(const TensorMeta& meta) {
    return Layout(std::make_shared<BlockedLayout>(meta));
}
bool is_blocked(const Layout& layout) {
    return dynamic_cast<const BlockedLayout*>(layout.opaque()) != nullptr;
}
void prefer(BindValue& value, bool blocked) {
    if (!value.any) return;
    value.layout = blocked && blockable(value.meta) ? blocked_layout(value.meta) : Layout();
    value.strides = contiguous_strides(value.meta.shape);
}

std::unique_ptr<Bound> bind_cpu_reorder(const TensorMeta& meta, const Layout& from,
                                        const Layout& to) {
    if (from == to)
        return std::make_unique<Copy>(static_cast<std::size_t>(numel(meta.shape)) *
                                      size_of(meta.dtype));
    const bool ways = (from.plain() && is_blocked(to)) || (is_blocked(from) && to.plain());
    if (!ways || !blockable(meta)) return nullptr;
    return std::make_unique<Turn>(meta, from.plain());
}

} // namespace wiregrad::cpu

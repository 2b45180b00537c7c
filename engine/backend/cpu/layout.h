// The arrangement of pictures that kernels of this folder share besides row-major NCHW: channels in
// blocks of 16, as oneDNN's nChw16c, for channels that are a multiple of 16. Immutable; any thread.
#pragma once

#include "engine/op/bind.h"

namespace wiregrad::cpu {

inline constexpr std::int64_t kChannelBlock = 16;

/// [N, C / 16, H, W, 16]
class BlockedLayout final : public OpaqueLayout {
  public:
    explicit BlockedLayout(const TensorMeta& meta) : meta_(meta) {}
    std::string name() const override { return "nChw16c"; }
    std::size_t bytes() const override {
        return static_cast<std::size_t>(numel(meta_.shape)) * size_of(meta_.dtype);
    }
    bool equals(const OpaqueLayout& other) const override;
    bool dense() const override { return true; }

  private:
    TensorMeta meta_;
};

/// Whether a value can lie in channel blocks.
bool blockable(const TensorMeta& meta);
Layout blocked_layout(const TensorMeta& meta);
bool is_blocked(const Layout& layout);
/// What a rule gives a value of which it may choose the layout; another value keeps its own.
void prefer(BindValue& value, bool blocked);

/// The CPU's reorder rule: between row-major and channel blocks, of 1- and 4-byte elements.
std::unique_ptr<Bound> bind_cpu_reorder(const TensorMeta& meta, const Layout& from,
                                        const Layout& to);

} // namespace wiregrad::cpu

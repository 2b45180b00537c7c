#include "engine/backend/cpu/simd.h"

#include "engine/core/config.h"

namespace wiregrad::cpu {

namespace baseline {
extern const ConvKernels kConvKernels;
extern const PoolKernels kPoolKernels;
extern const RowKernels kRowKernels;
extern const PanelKernels kPanelKernels;
extern const CellKernels kCellKernels;
extern const AttentionKernels kAttentionKernels;
extern const BlockedKernels kBlockedKernels;
} // namespace baseline
#ifdef WIREGRAD_X86_KERNELS
namespace avx2 {
extern const ConvKernels kConvKernels;
extern const PoolKernels kPoolKernels;
extern const RowKernels kRowKernels;
extern const PanelKernels kPanelKernels;
extern const CellKernels kCellKernels;
extern const AttentionKernels kAttentionKernels;
extern const BlockedKernels kBlockedKernels;
} // namespace avx2
namespace avx512 {
extern const ConvKernels kConvKernels;
extern const PoolKernels kPoolKernels;
extern const RowKernels kRowKernels;
extern const PanelKernels kPanelKernels;
extern const CellKernels kCellKernels;
extern const AttentionKernels kAttentionKernels;
extern const BlockedKernels kBlockedKernels;
} // namespace avx512
#endif

namespace {

template <class Table>
const Table& choose(const Table& for_baseline, const Table& for_avx2, const Table& for_avx512) {
    switch (isa()) {
    case Isa::Avx512:
        return for_avx512;
    case Isa::Avx2:
        return for_avx2;
    case Isa::Baseline:
        break;
    }
    return for_baseline;
}

} // namespace

#ifdef WIREGRAD_X86_KERNELS
const ConvKernels& conv_kernels() {
    return choose(baseline::kConvKernels, avx2::kConvKernels, avx512::kConvKernels);
}
const PoolKernels& pool_kernels() {
    return choose(baseline::kPoolKernels, avx2::kPoolKernels, avx512::kPoolKernels);
}
const RowKernels& row_kernels() {
    return choose(baseline::kRowKernels, avx2::kRowKernels, avx512::kRowKernels);
}
const PanelKernels& panel_kernels() {
    return choose(baseline::kPanelKernels, avx2::kPanelKernels, avx512::kPanelKernels);
}
const CellKernels& cell_kernels() {
    return choose(baseline::kCellKernels, avx2::kCellKernels, avx512::kCellKernels);
}
const AttentionKernels& attention_kernels() {
    return choose(baseline::kAttentionKernels, avx2::kAttentionKernels, avx512::kAttentionKernels);
}
const BlockedKernels& blocked_kernels() {
    return choose(baseline::kBlockedKernels, avx2::kBlockedKernels, avx512::kBlockedKernels);
}
#else
const ConvKernels& conv_kernels() {
    return choose(baseline::kConvKernels, baseline::kConvKernels, baseline::kConvKernels);
}
const PoolKernels& pool_kernels() {
    return choose(baseline::kPoolKernels, baseline::kPoolKernels, baseline::kPoolKernels);
}
const RowKernels& row_kernels() {
    return choose(baseline::kRowKernels, baseline::kRowKernels, baseline::kRowKernels);
}
const PanelKernels& panel_kernels() {
    return choose(baseline::kPanelKernels, baseline::kPanelKernels, baseline::kPanelKernels);
}
const CellKernels& cell_kernels() {
    return choose(baseline::kCellKernels, baseline::kCellKernels, baseline::kCellKernels);
}
const AttentionKernels& attention_kernels() {
    return choose(baseline::kAttentionKernels, baseline::kAttentionKernels,
                  baseline::kAttentionKernels);
}
const BlockedKernels& blocked_kernels() {
    return choose(baseline::kBlockedKernels, baseline::kBlockedKernels, baseline::kBlockedKernels);
}
#endif

} // namespace wiregrad::cpu

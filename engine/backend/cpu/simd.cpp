#include "engine/backend/cpu/simd.h"

#include "engine/core/config.h"

namespace wiregrad::cpu {

namespace baseline {
extern const ConvKernels kConvKernels;
extern const PoolKernels kPoolKernels;
extern const RowKernels kRowKernels;
} // namespace baseline
#ifdef WIREGRAD_X86_KERNELS
namespace avx2 {
extern const ConvKernels kConvKernels;
extern const PoolKernels kPoolKernels;
extern const RowKernels kRowKernels;
} // namespace avx2
namespace avx512 {
extern const ConvKernels kConvKernels;
extern const PoolKernels kPoolKernels;
extern const RowKernels kRowKernels;
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
#endif

} // namespace wiregrad::cpu

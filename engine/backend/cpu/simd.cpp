#include "engine/backend/cpu/simd.h"

#include "engine/core/config.h"

namespace wiregrad::cpu {

namespace baseline {
extern const ConvKernels kConvKernels;
}
#ifdef WIREGRAD_X86_KERNELS
namespace avx2 {
extern const ConvKernels kConvKernels;
}
namespace avx512 {
extern const ConvKernels kConvKernels;
}
#endif

const ConvKernels& conv_kernels() {
#ifdef WIREGRAD_X86_KERNELS
    switch (isa()) {
    case Isa::Avx512: return avx512::kConvKernels;
    case Isa::Avx2: return avx2::kConvKernels;
    case Isa::Baseline: break;
    }
#endif
    return baseline::kConvKernels;
}

} // namespace wiregrad::cpu

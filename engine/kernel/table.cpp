#include "engine/kernel/table.h"

#include "engine/core/config.h"

namespace wiregrad::kernel {

namespace baseline {
const Table& simd_table();
}
#ifdef WIREGRAD_X86_KERNELS
namespace avx2 {
const Table& simd_table();
}
namespace avx512 {
const Table& simd_table();
}
#endif

const Table& table() {
    switch (isa()) {
#ifdef WIREGRAD_X86_KERNELS
    case Isa::Avx512:
        return avx512::simd_table();
    case Isa::Avx2:
        return avx2::simd_table();
#endif
    default:
        return baseline::simd_table();
    }
}

} // namespace wiregrad::kernel

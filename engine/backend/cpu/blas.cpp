#include "engine/backend/cpu/blas.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "engine/backend/cpu/team.h"

namespace wiregrad::cpu::blas {

namespace {

// The C interface of BLAS, with its own numbers for row-major order and transposition.
enum Order : int { kRowMajor = 101 };
enum Transpose : int { kPlain = 111, kTransposed = 112 };
template <class T>
using Gemm = void (*)(Order, Transpose, Transpose, int m, int n, int k, T alpha, const T* a,
                      int lda, const T* b, int ldb, T beta, T* c, int ldc);

struct Library {
    Gemm<float> sgemm = nullptr;
    Gemm<double> dgemm = nullptr;
    std::string description = "OpenBLAS is not installed";
};

/// The best core type of OpenBLAS 0.3.21 for this CPU, or null to leave the choice to it.
const char* core_type() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (detected_isa() == Isa::Avx512) return "SkylakeX";
    if (detected_isa() == Isa::Avx2) return __builtin_cpu_is("amd") ? "Zen" : "Haswell";
#endif
    return nullptr;
}

/// The OpenMP variant shares our threads. Debian keeps it in a folder of its own beside the other
/// libraries, so it is looked for beside the OpenMP runtime that this process already has.
void* open_library() {
    Dl_info runtime{};
    if (dladdr(reinterpret_cast<void*>(&omp_get_max_threads), &runtime) != 0 &&
        runtime.dli_fname != nullptr) {
        std::string path = runtime.dli_fname;
        path = path.substr(0, path.rfind('/') + 1) + "openblas-openmp/libopenblas.so.0";
        if (void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return handle;
    }
    for (const char* name : {"libopenblaso.so.0", "libopenblas.so.0"})
        if (void* handle = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return handle;
    return nullptr;
}

Library load() {
    Library library;
    // The core type is read while the library loads, and only from the environment. A person's own
    // setting wins.
    const bool chosen = std::getenv("OPENBLAS_CORETYPE") == nullptr && core_type() != nullptr;
    if (chosen) setenv("OPENBLAS_CORETYPE", core_type(), 1);
    void* handle = open_library();
    if (chosen) unsetenv("OPENBLAS_CORETYPE");
    if (handle == nullptr) return library;
    library.sgemm = reinterpret_cast<Gemm<float>>(dlsym(handle, "cblas_sgemm"));
    library.dgemm = reinterpret_cast<Gemm<double>>(dlsym(handle, "cblas_dgemm"));
    auto config = reinterpret_cast<char* (*)()>(dlsym(handle, "openblas_get_config"));
    auto core = reinterpret_cast<char* (*)()>(dlsym(handle, "openblas_get_corename"));
    auto parallel = reinterpret_cast<int (*)()>(dlsym(handle, "openblas_get_parallel"));
    auto set_threads = reinterpret_cast<void (*)(int)>(dlsym(handle, "openblas_set_num_threads"));
    library.description =
        std::string(config ? config() : "OpenBLAS") + " (" + (core ? core() : "unknown core") + ")";
    // A variant with a thread pool of its own would fight ours: it computes on the calling thread
    // only.
    constexpr int kOpenMp = 2;
    if (parallel && parallel() != kOpenMp && set_threads) set_threads(1);
    return library;
}

const Library& library() {
    static const Library loaded = load();
    return loaded;
}

template <class T> bool run(Gemm<T> function, const GemmGeometry& g, const T* a, const T* b, T* c) {
    if (function == nullptr ||
        std::max({g.m, g.n, g.k, g.lda, g.ldb, g.ldc}) > std::numeric_limits<int>::max())
        return false;
    size_team();
    function(kRowMajor, g.trans_a ? kTransposed : kPlain, g.trans_b ? kTransposed : kPlain,
             static_cast<int>(g.m), static_cast<int>(g.n), static_cast<int>(g.k), T(1), a,
             static_cast<int>(g.lda), b, static_cast<int>(g.ldb), g.accumulate ? T(1) : T(0), c,
             static_cast<int>(g.ldc));
    return true;
}

} // namespace

bool available() {
    return library().sgemm != nullptr && library().dgemm != nullptr;
}
const std::string& description() {
    return library().description;
}
bool gemm(const GemmGeometry& g, const float* a, const float* b, float* c) {
    return run(library().sgemm, g, a, b, c);
}
bool gemm(const GemmGeometry& g, const double* a, const double* b, double* c) {
    return run(library().dgemm, g, a, b, c);
}

} // namespace wiregrad::cpu::blas

#include <cstring>

#include "junction.hpp"

namespace offramp {

extern const Kernels kernels_generic;
#ifdef OFFRAMP_X86
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
#endif

int available(const Kernels **out) {
    int n = 0;
    out[n++] = &kernels_generic;
#ifdef OFFRAMP_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) out[n++] = &kernels_avx2;
    if (__builtin_cpu_supports("avx512f")) out[n++] = &kernels_avx512;
#endif
    return n;
}

const Kernels *find(const char *name) {
    const Kernels *all[3];
    const int n = available(all);
    if (!name) return all[n - 1];
    for (int i = 0; i < n; i++)
        if (std::strcmp(all[i]->name, name) == 0) return all[i];
    return nullptr;
}

bool has_openmp() {
#ifdef _OPENMP
    return true;
#else
    return false;
#endif
}

}  // namespace offramp

// Threads, or one where the build has no OpenMP.
#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif

namespace offramp {

// Calls body(thread, n_threads) on up to `threads` threads; with one, on the caller's own and without OpenMP, which
// would hang in a forked child (a DataLoader worker) of a process that has used it.
template <class Body>
inline void parallel([[maybe_unused]] int threads, const Body &body) {
#ifdef _OPENMP
    if (threads > 1) {
#pragma omp parallel num_threads(threads)
        body(omp_get_thread_num(), omp_get_num_threads());
        return;
    }
#endif
    body(0, 1);
}

}  // namespace offramp

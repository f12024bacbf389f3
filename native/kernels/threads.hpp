// Threads, or one where the build has no OpenMP.
#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif

namespace offramp {

// Whether other threads may be started; call it before starting any. A child forked from a process that has used
// OpenMP has its bookkeeping but not its threads, and would wait for them for ever: there the answer is no.
bool may_use_threads();

// Calls body(thread, n_threads) on up to `threads` threads; one thread is the caller's own.
template <class Body>
inline void parallel([[maybe_unused]] int threads, const Body &body) {
#ifdef _OPENMP
    if (threads > 1 && may_use_threads()) {
#pragma omp parallel num_threads(threads)
        body(omp_get_thread_num(), omp_get_num_threads());
        return;
    }
#endif
    body(0, 1);
}

}  // namespace offramp

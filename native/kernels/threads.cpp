#include "threads.hpp"

#include <atomic>

#if defined(_OPENMP) && !defined(_WIN32)
#include <pthread.h>
#endif

namespace offramp {
namespace {

std::atomic<bool> used{false}, orphaned{false};

#if defined(_OPENMP) && !defined(_WIN32)
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, [] { orphaned = used.load(); });
#endif

}  // namespace

bool may_use_threads() {
    if (orphaned) return false;
    used = true;
    return true;
}

}  // namespace offramp

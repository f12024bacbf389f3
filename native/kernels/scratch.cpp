#include "scratch.hpp"

#include <cstdlib>
#include <new>

namespace offramp {
namespace {

struct Buffer {
    float *data = nullptr;
    int64_t size = 0;
    ~Buffer() { std::free(data); }
};

}  // namespace

float *scratch(Scratch slot, int64_t n) {
    thread_local Buffer buffers[static_cast<int>(Scratch::count)];
    Buffer &b = buffers[static_cast<int>(slot)];
    if (b.size < n) {
        std::free(b.data);
        b.size = 0;
        const size_t bytes = (static_cast<size_t>(n) * sizeof(float) + 63) / 64 * 64;
        b.data = static_cast<float *>(std::aligned_alloc(64, bytes));
        if (!b.data) throw std::bad_alloc();
        b.size = n;
    }
    return b.data;
}

}  // namespace offramp

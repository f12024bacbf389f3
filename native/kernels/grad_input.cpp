#include "junction.hpp"
#include "scratch.hpp"
#include "threads.hpp"

namespace offramp {

void reverse_weights(const float *weight, const int32_t *position, int64_t n, int64_t r, int64_t c, float *out) {
    if (r * c == 1) {  // single edges: a loop that the compiler unrolls, three times as fast
        for (int64_t e = 0; e < n; e++) out[e] = weight[position[e]];
        return;
    }
    for (int64_t e = 0; e < n; e++) {
        const float *from = weight + position[e] * r * c;
        float *to = out + e * r * c;
        for (int64_t i = 0; i < r; i++)
            for (int64_t j = 0; j < c; j++) to[j * r + i] = from[i * c + j];
    }
}

void grad_input(const Kernels &kernels, const Junction &reverse, const int32_t *position, const float *dy,
                const float *weight, float *dx, int64_t batch, int threads) {
    const int64_t n = reverse.n_blocks * reverse.degree, size = reverse.r * reverse.c;
    float *turned = scratch(Scratch::weight, n * size);
    parallel(threads, [&](int thread, int n_threads) {
        const int64_t first = n * thread / n_threads, last = n * (thread + 1) / n_threads;
        reverse_weights(weight, position + first, last - first, reverse.c, reverse.r, turned + first * size);
    });
    kernels.forward(reverse, dy, turned, nullptr, dx, batch, threads);
}

}  // namespace offramp

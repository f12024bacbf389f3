#include <algorithm>
#include <atomic>

#include "junction.hpp"
#include "scratch.hpp"
#include "threads.hpp"

namespace offramp {
namespace {

// Blocks of outputs whose weights are turned together: a cache line of each stays in the cache, even when the rows of
// `weight` lie a power of two apart.
constexpr int64_t TOGETHER = 1024;

// Turns the blocks that lead to outputs [low, high) of the junction, `degree` of them each, by copy(from, to).
// reached[i] is the first edge of block of inputs i that leads there, and afterwards the first one beyond.
//
// Rows of both tables ascend, so the k-th time that output o is met, going through the inputs, is its k-th edge.
template <class I, class Copy>
bool turn_range(const Junction &reverse, const I *table, int64_t low, int64_t high, int64_t degree, int32_t *reached,
                const Copy &copy) {
    const int64_t n = reverse.n_blocks * reverse.degree;
    int64_t next[TOGETHER];
    for (int64_t o = low; o < high; o++) next[o - low] = o * degree;
    for (int64_t i = 0; i < reverse.n_blocks; i++) {
        const I *row = table + i * reverse.degree;
        int64_t k = reached[i];
        for (; k < reverse.degree && row[k] < high; k++) {
            if (row[k] < low) return false;
            const int64_t edge = next[row[k] - low]++;
            copy(edge < n ? edge : 0, i * reverse.degree + k);
        }
        reached[i] = static_cast<int32_t>(k);
    }
    for (int64_t o = low; o < high; o++)
        if (next[o - low] != (o + 1) * degree) return false;
    return true;
}

template <class Copy>
bool turn(const Junction &reverse, int threads, const Copy &copy) {
    const int64_t n_outputs = reverse.n_in / reverse.r, degree = reverse.n_blocks * reverse.degree / n_outputs;
    std::atomic<bool> sound{true};
    with_numbers(reverse.table, [&](const auto *table) {
        parallel(threads, [&](int thread, int n_threads) {
            const int64_t first = n_outputs * thread / n_threads, last = n_outputs * (thread + 1) / n_threads;
            auto *reached = reinterpret_cast<int32_t *>(scratch(Scratch::input, reverse.n_blocks));
            for (int64_t i = 0; i < reverse.n_blocks; i++) {
                const auto *row = table + i * reverse.degree;
                reached[i] = static_cast<int32_t>(std::lower_bound(row, row + reverse.degree, first) - row);
            }
            for (int64_t low = first; low < last; low += TOGETHER)
                if (!turn_range(reverse, table, low, std::min(low + TOGETHER, last), degree, reached, copy))
                    sound = false;
        });
    });
    return sound;
}

}  // namespace

bool turn_weights(const Junction &reverse, const float *weight, float *turned, int threads) {
    const int64_t r = reverse.c, c = reverse.r;
    if (r * c == 1) return turn(reverse, threads, [=](int64_t from, int64_t to) { turned[to] = weight[from]; });
    return turn(reverse, threads, [=](int64_t from, int64_t to) {
        const float *block = weight + from * r * c;
        float *out = turned + to * r * c;
        for (int64_t a = 0; a < r; a++)
            for (int64_t b = 0; b < c; b++) out[b * r + a] = block[a * c + b];
    });
}

bool is_reverse(const Junction &reverse) {
    return turn(reverse, 1, [](int64_t, int64_t) {});
}

bool grad_input(const Kernels &kernels, const Junction &reverse, const float *dy, const float *weight, float *dx,
                int64_t batch, int threads) {
    float *turned = scratch(Scratch::weight, reverse.n_blocks * reverse.degree * reverse.r * reverse.c);
    if (!turn_weights(reverse, weight, turned, threads)) return false;
    kernels.forward(reverse, dy, turned, nullptr, dx, batch, threads);
    return true;
}

}  // namespace offramp

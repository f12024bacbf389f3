// y[b,o] = bias[o] + sum_e weight[e] * x[b, input of e]
#pragma once

#include "junction.hpp"
#include "layout.hpp"
#include "rows.hpp"
#include "scratch.hpp"
#include "threads.hpp"

namespace offramp::OFFRAMP_ISA {

constexpr int TILE = 64;       // samples handled together
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int SUMS = 16;  // vectors of sums that fit the registers, beside what is added to them
#else
constexpr int SUMS = 8;
#endif

// C outputs of one block, NV vectors of samples. The sums stay in registers; each loaded input serves C outputs. Where
// there are few sums, a second set of them hides the latency of the multiply-add. R is the number of inputs in a block
// where it is known when compiling, else 0: for single edges a loop over one input would cost as much as the edge.
// FETCH: the inputs of the next block may not be in the nearest cache yet; the processor cannot guess them.
template <int C, int NV, int R, bool FETCH, class I>
OFFRAMP_INLINE void block_sums(const Junction &j, const I *cols, const float *w, const float *bias,
                               const float *tile, float *yt) {
    constexpr int SETS = C * NV <= 4 ? 2 : 1;
    const int64_t r = R ? R : j.r, c = j.c, degree = j.degree;
    const float *xt = plain(tile);
    vec sum[SETS][C][NV];
    for (int o = 0; o < C; o++)
        for (int v = 0; v < NV; v++) {
            sum[0][o][v] = vec{} + (bias ? bias[o] : 0.0f);
            if constexpr (SETS == 2) sum[1][o][v] = vec{};
        }
    auto edge = [&](vec(&acc)[C][NV], const float *xp, const float *wp) __attribute__((always_inline)) {
        vec in[NV];
        for (int v = 0; v < NV; v++) in[v] = load(xp + v * W);
        for (int o = 0; o < C; o++)
            for (int v = 0; v < NV; v++) acc[o][v] += wp[o] * in[v];
    };
    int64_t k = 0;
    if constexpr (SETS == 2) {
        for (; k + 2 <= degree; k += 2, w += 2 * r * c) {
            const float *x0 = xt + cols[k] * r * TILE, *x1 = xt + cols[k + 1] * r * TILE;
            for (int64_t i = 0; i < r; i++) {
                edge(sum[0], x0 + i * TILE, w + i * c);
                edge(sum[1], x1 + i * TILE, w + (r + i) * c);
            }
        }
    }
    for (; k < degree; k++, w += r * c) {
        const float *x0 = xt + cols[k] * r * TILE;
        if (FETCH && r <= 16 && k + 1 < degree) {
            const float *next = xt + cols[k + 1] * r * TILE;
            for (int64_t i = 0; i < r; i++)
                for (int v = 0; v < NV; v++) __builtin_prefetch(next + i * TILE + v * W);
        }
        for (int64_t i = 0; i < r; i++) edge(sum[0], x0 + i * TILE, w + i * c);
    }
    for (int o = 0; o < C; o++)
        for (int v = 0; v < NV; v++) {
            if constexpr (SETS == 2) sum[0][o][v] += sum[1][o][v];
            store(yt + o * TILE + v * W, sum[0][o][v]);
        }
}

template <int C, int R, bool FETCH, class I>
inline void block_samples(const Junction &j, const I *cols, const float *w, const float *bias,
                          const float *xt, float *yt, int64_t vectors) {
    constexpr int V = SUMS / C < 4 ? SUMS / C : 4;  // vectors of samples held in registers at once
    int64_t v = 0;
    for (; v + V <= vectors; v += V) block_sums<C, V, R, FETCH>(j, cols, w, bias, xt + v * W, yt + v * W);
    for (; v < vectors; v++) block_sums<C, 1, R, FETCH>(j, cols, w, bias, xt + v * W, yt + v * W);
}

// All c outputs of one block, whatever c is, in groups of 8, 4, 2 and 1. The first group fetches for the others too.
template <int R, class I>
inline void block_outputs(const Junction &j, const I *table, int64_t block, const float *weight, const float *bias,
                          const float *xt, float *yt, int64_t vectors) {
    const I *cols = table + block * j.degree;
    const float *w = weight + block * j.degree * j.r * j.c;
    const float *b = bias ? bias + block * j.c : nullptr;
    int64_t o = 0;
    auto group = [&](auto run, int64_t size, int64_t end) {
        for (; o + size <= end; o += size) run(j, cols, w + o, b ? b + o : nullptr, xt, yt + o * TILE, vectors);
    };
    if constexpr (SUMS >= 16) group(block_samples<8, R, true, I>, 8, j.c);
    group(block_samples<4, R, true, I>, 4, SUMS >= 16 ? j.c : smaller(j.c, 4));
    group(block_samples<4, R, false, I>, 4, j.c);
    group(block_samples<2, R, false, I>, 2, j.c);
    group(block_samples<1, R, false, I>, 1, j.c);
}

template <class I>
inline void one_block(const Junction &j, const I *table, int64_t block, const float *weight, const float *bias,
                      const float *xt, float *yt, int64_t vectors) {
    switch (j.r) {
        case 1: return block_outputs<1>(j, table, block, weight, bias, xt, yt, vectors);
        case 4: return block_outputs<4>(j, table, block, weight, bias, xt, yt, vectors);
        case 8: return block_outputs<8>(j, table, block, weight, bias, xt, yt, vectors);
        default: return block_outputs<0>(j, table, block, weight, bias, xt, yt, vectors);
    }
}

// Outputs of blocks [first, last) for one tile of samples.
template <class I, class E>
inline void tile_forward(const Junction &j, const I *table, int64_t first, int64_t last, const float *xt,
                         const float *weight, const float *bias, E *y, int64_t samples) {
    const int64_t per_stripe = j.c >= STRIPE ? 1 : STRIPE / j.c;
    float *yt = scratch(Scratch::output, per_stripe * j.c * TILE);
    for (int64_t b0 = first; b0 < last; b0 += per_stripe) {
        const int64_t n = smaller(per_stripe, last - b0);
        for (int64_t b = 0; b < n; b++)
            one_block(j, table, b0 + b, weight, bias, xt, yt + b * j.c * TILE, (samples + W - 1) / W);
        for (int64_t o = 0; o < n * j.c; o += STRIPE)
            unpack<TILE>(yt + o * TILE, smaller(STRIPE, n * j.c - o), samples, y + b0 * j.c + o, j.n_out());
    }
}

// Outputs of blocks [first, last) for one sample.
template <class I, class E>
inline void sample_forward(const Junction &j, const I *table, int64_t first, int64_t last, const E *x, const E *weight,
                           const E *bias, E *y) {
    float *xs = scratch(Scratch::input, j.n_in + W), *ys = scratch(Scratch::output, j.n_out());
    for (int64_t i = 0; i < j.n_in; i++) xs[i] = widened(x[i]);
    for (int64_t o = first * j.c; o < last * j.c; o++) ys[o] = bias ? widened(bias[o]) : 0.0f;
    row_forward(j, table, first, last, xs, weight, ys);
    for (int64_t o = first * j.c; o < last * j.c; o++) narrow(ys[o], y[o]);
}

// Threads share the tiles out first; where there are too few, several take stripes of outputs of one tile.
template <class Body>
inline void share_out(const Junction &j, int64_t tiles, int threads, const Body &body) {
    parallel(threads, [&](int thread, int n_threads) {
        const int64_t teams = smaller(n_threads, tiles > 0 ? tiles : 1);
        const int64_t team = thread % teams, member = thread / teams;
        const int64_t members = (n_threads - team + teams - 1) / teams;
        const int64_t first = j.n_blocks * member / members, last = j.n_blocks * (member + 1) / members;
        for (int64_t tile = team; tile < tiles; tile += teams) body(tile, first, last);
    });
}

// Weights and bias are float32 already: the batch is long enough to pay for that.
template <class E>
inline void batch_forward(const Junction &j, const E *x, const float *weight, const float *bias, E *y, int64_t batch,
                          int threads) {
    with_numbers(j.table, [&](const auto *table) {
        share_out(j, (batch + TILE - 1) / TILE, threads, [&](int64_t tile, int64_t first, int64_t last) {
            const int64_t samples = smaller(TILE, batch - tile * TILE);
            float *xt = scratch(Scratch::input, j.n_in * TILE);
            pack_columns<TILE>(x + tile * TILE * j.n_in, j.n_in, j.n_in, samples, xt);
            tile_forward(j, table, first, last, xt, weight, bias, y + tile * TILE * j.n_out(), samples);
        });
    });
}

template <class E>
inline void few_forward(const Junction &j, const E *x, const E *weight, const E *bias, E *y, int64_t batch,
                        int threads) {
    with_numbers(j.table, [&](const auto *table) {
        share_out(j, batch, threads, [&](int64_t sample, int64_t first, int64_t last) {
            sample_forward(j, table, first, last, x + sample * j.n_in, weight, bias, y + sample * j.n_out());
        });
    });
}

// Up to so many samples the layout conversion does not pay; measured with 1024 and 4096 neurons at density 0.125.
inline int64_t few(const Junction &j) { return j.r * j.c == 1 ? 3 : j.r * j.c >= W ? 2 : 1; }

inline void forward(const Junction &j, const float *x, const float *weight, const float *bias, float *y,
                    int64_t batch, int threads) {
    if (batch <= few(j))
        few_forward(j, x, weight, bias, y, batch, threads);
    else
        batch_forward(j, x, weight, bias, y, batch, threads);
}

// n values as float32, converted by all threads, in memory that lasts until the next call.
inline const float *all_widened(const bfloat16 *from, int64_t n, float *to, int threads) {
    parallel(threads, [&](int thread, int n_threads) {
        int64_t i = n * thread / n_threads;
        const int64_t last = n * (thread + 1) / n_threads;
        for (; i + W <= last; i += W) store(to + i, load(from + i));
        for (; i < last; i++) to[i] = widened(from[i]);
    });
    return to;
}

// bfloat16 halves the memory, not the work: vdpbf16ps does fewer multiply-adds a second than the one of float32.
inline void forward_bfloat16(const Junction &j, const bfloat16 *x, const bfloat16 *weight, const bfloat16 *bias,
                             bfloat16 *y, int64_t batch, int threads) {
    if (batch <= few(j)) return few_forward(j, x, weight, bias, y, batch, threads);
    const int64_t n = j.n_blocks * j.degree * j.r * j.c;
    float *wide = scratch(Scratch::weight, n + j.n_out());
    const float *wide_bias = bias ? all_widened(bias, j.n_out(), wide + n, 1) : nullptr;
    batch_forward(j, x, all_widened(weight, n, wide, threads), wide_bias, y, batch, threads);
}

}  // namespace offramp::OFFRAMP_ISA

// y[b,o] = bias[o] + sum_e weight[e] * x[b, input of e]
#pragma once

#include "junction.hpp"
#include "layout.hpp"
#include "scratch.hpp"
#include "threads.hpp"

namespace offramp::OFFRAMP_ISA {

constexpr int TILE = 64;       // samples handled together
constexpr int STRIPE = 64;     // outputs collected before they go back to sample-major order
constexpr int FEW = 1;         // up to so many samples the layout conversion does not pay
constexpr int V = TILE / W > 4 ? 4 : TILE / W;  // vectors of samples held in registers at once

// C outputs of one block, NV vectors of samples. The sums stay in registers; each loaded input serves C outputs. With
// C = 1 two sets of sums hide the latency of the multiply-add. R is the number of inputs in a block where it is known
// when compiling, else 0: for single edges a loop over one input would cost as much as the edge.
template <int C, int NV, int R>
OFFRAMP_INLINE void block_sums(const Junction &j, const int32_t *cols, const float *w, const float *bias,
                               const float *xt, float *yt) {
    constexpr int SETS = C == 1 ? 2 : 1;
    const int64_t r = R ? R : j.r;
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
        for (; k + 2 <= j.degree; k += 2, w += 2 * r * j.c) {
            const float *x0 = xt + cols[k] * r * TILE, *x1 = xt + cols[k + 1] * r * TILE;
            for (int64_t i = 0; i < r; i++) {
                edge(sum[0], x0 + i * TILE, w + i * j.c);
                edge(sum[1], x1 + i * TILE, w + (r + i) * j.c);
            }
        }
    }
    for (; k < j.degree; k++, w += r * j.c) {
        const float *x0 = xt + cols[k] * r * TILE;
        for (int64_t i = 0; i < r; i++) edge(sum[0], x0 + i * TILE, w + i * j.c);
    }
    for (int o = 0; o < C; o++)
        for (int v = 0; v < NV; v++) {
            if constexpr (SETS == 2) sum[0][o][v] += sum[1][o][v];
            store(yt + o * TILE + v * W, sum[0][o][v]);
        }
}

template <int C, int R>
inline void block_samples(const Junction &j, const int32_t *cols, const float *w, const float *bias,
                          const float *xt, float *yt, int64_t vectors) {
    int64_t v = 0;
    for (; v + V <= vectors; v += V) block_sums<C, V, R>(j, cols, w, bias, xt + v * W, yt + v * W);
    for (; v < vectors; v++) block_sums<C, 1, R>(j, cols, w, bias, xt + v * W, yt + v * W);
}

// All c outputs of one block: whatever c is, in groups of 4, 2 and 1.
template <int R>
inline void block_outputs(const Junction &j, int64_t block, const float *weight, const float *bias, const float *xt,
                          float *yt, int64_t vectors) {
    const int32_t *cols = j.table + block * j.degree;
    const float *w = weight + block * j.degree * j.r * j.c;
    const float *b = bias ? bias + block * j.c : nullptr;
    int64_t o = 0;
    auto group = [&](auto run, int64_t size) {
        for (; o + size <= j.c; o += size) run(j, cols, w + o, b ? b + o : nullptr, xt, yt + o * TILE, vectors);
    };
    group(block_samples<4, R>, 4);
    group(block_samples<2, R>, 2);
    group(block_samples<1, R>, 1);
}

inline void one_block(const Junction &j, int64_t block, const float *weight, const float *bias, const float *xt,
                      float *yt, int64_t vectors) {
    switch (j.r) {
        case 1: return block_outputs<1>(j, block, weight, bias, xt, yt, vectors);
        case 4: return block_outputs<4>(j, block, weight, bias, xt, yt, vectors);
        default: return block_outputs<0>(j, block, weight, bias, xt, yt, vectors);
    }
}

// Outputs of blocks [first, last) for one tile of samples.
inline void tile_forward(const Junction &j, int64_t first, int64_t last, const float *xt, const float *weight,
                         const float *bias, float *y, int64_t samples) {
    const int64_t per_stripe = j.c >= STRIPE ? 1 : STRIPE / j.c;
    float *yt = scratch(Scratch::output, per_stripe * j.c * TILE);
    for (int64_t b0 = first; b0 < last; b0 += per_stripe) {
        const int64_t n = smaller(per_stripe, last - b0);
        for (int64_t b = 0; b < n; b++)
            one_block(j, b0 + b, weight, bias, xt, yt + b * j.c * TILE, (samples + W - 1) / W);
        unpack<TILE>(yt, n * j.c, samples, y + b0 * j.c, j.n_out());
    }
}

// One sample as it lies: no conversion; the outputs of a block are the lanes. U sets of sums hide the latency of the
// multiply-add.
template <int C, int U>
__attribute__((noinline)) void block_row(const Junction &j, const int32_t *cols, const float *w, const float *bias,
                                         const float *x, float *y) {
    float sum[U][C] = {};
    for (int o = 0; o < C; o++) sum[0][o] = bias ? bias[o] : 0.0f;
    auto edge = [&](int set, float in, const float *weights) __attribute__((always_inline)) {
        for (int o = 0; o < C; o++) sum[set][o] += weights[o] * in;
    };
    if (j.r == 1) {
        int64_t k = 0;
        for (; k + U <= j.degree; k += U, w += U * j.c)
            for (int u = 0; u < U; u++) edge(u, x[cols[k + u]], w + u * j.c);
        for (; k < j.degree; k++, w += j.c) edge(0, x[cols[k]], w);
    } else {
        for (int64_t k = 0; k < j.degree; k++) {
            const float *in = x + cols[k] * j.r;
            int64_t i = 0;
            for (; i + U <= j.r; i += U, w += U * j.c)
                for (int u = 0; u < U; u++) edge(u, in[i + u], w + u * j.c);
            for (; i < j.r; i++, w += j.c) edge(0, in[i], w);
        }
    }
    for (int o = 0; o < C; o++) {
        float total = sum[0][o];
        for (int u = 1; u < U; u++) total += sum[u][o];
        y[o] = total;
    }
}

// The same for wide blocks: the weights are read in the order in which they lie, the sums are kept in y.
inline void wide_block_row(const Junction &j, const int32_t *cols, const float *__restrict w, const float *bias,
                           const float *x, float *__restrict y) {
    for (int64_t o = 0; o < j.c; o++) y[o] = bias ? bias[o] : 0.0f;
    for (int64_t k = 0; k < j.degree; k++) {
        const float *in = x + cols[k] * j.r;
        int64_t i = 0;
        for (; i + 4 <= j.r; i += 4, w += 4 * j.c)
            for (int64_t o = 0; o < j.c; o++)
                y[o] += w[o] * in[i] + w[j.c + o] * in[i + 1] + w[2 * j.c + o] * in[i + 2] + w[3 * j.c + o] * in[i + 3];
        for (; i < j.r; i++, w += j.c)
            for (int64_t o = 0; o < j.c; o++) y[o] += w[o] * in[i];
    }
}

inline void row_forward(const Junction &j, int64_t first, int64_t last, const float *x, const float *weight,
                        const float *bias, float *y) {
    for (int64_t block = first; block < last; block++) {
        const int32_t *cols = j.table + block * j.degree;
        const float *w = weight + block * j.degree * j.r * j.c;
        const float *b = bias ? bias + block * j.c : nullptr;
        if (j.c > 8) {
            wide_block_row(j, cols, w, b, x, y + block * j.c);
            continue;
        }
        int64_t o = 0;
        auto group = [&](auto run, int64_t size) {
            for (; o + size <= j.c; o += size) run(j, cols, w + o, b ? b + o : nullptr, x, y + block * j.c + o);
        };
        group(block_row<8, 4>, 8);
        group(block_row<4, 4>, 4);
        group(block_row<1, 8>, 1);
    }
}

inline void forward(const Junction &j, const float *x, const float *weight, const float *bias, float *y,
                    int64_t batch, int threads) {
    const bool few = batch <= FEW;
    const int64_t tiles = few ? batch : (batch + TILE - 1) / TILE;
    // Threads share the tiles out first; where there are too few, several take stripes of outputs of one tile.
    parallel(threads, [&](int thread, int n_threads) {
        const int64_t teams = smaller(n_threads, tiles > 0 ? tiles : 1);
        const int64_t team = thread % teams, member = thread / teams;
        const int64_t members = (n_threads - team + teams - 1) / teams;
        const int64_t first = j.n_blocks * member / members, last = j.n_blocks * (member + 1) / members;
        for (int64_t tile = team; tile < tiles; tile += teams) {
            if (few) {
                row_forward(j, first, last, x + tile * j.n_in, weight, bias, y + tile * j.n_out());
                continue;
            }
            const int64_t samples = smaller(TILE, batch - tile * TILE);
            float *xt = scratch(Scratch::input, j.n_in * TILE);
            pack<TILE>(x + tile * TILE * j.n_in, j.n_in, samples, xt);
            tile_forward(j, first, last, xt, weight, bias, y + tile * TILE * j.n_out(), samples);
        }
    });
}

}  // namespace offramp::OFFRAMP_ISA

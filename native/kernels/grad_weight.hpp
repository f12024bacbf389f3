// dweight[e] = sum_b x[b, input of e] * dy[b, output of e];  dbias[o] = sum_b dy[b,o]
#pragma once

#include "junction.hpp"
#include "layout.hpp"
#include "scratch.hpp"
#include "threads.hpp"

namespace offramp::OFFRAMP_ISA {

constexpr int GRAD_TILE = 16 * W;        // samples summed in registers; adding up the lanes costs as much as 3 W more
constexpr int GRAD_ROW = GRAD_TILE + W;  // floats from row to row of a tile; a power of two crowds the cache's sets

// Worked on together, so that they stay in the L2 cache: 1.4 MB where W is 16.
constexpr int64_t NEAR_INPUTS = 1024, NEAR_OUTPUTS = 256;

// W weights at once: G inputs (rows of xt, by number) by C outputs (rows of dyt), summed over `vectors` vectors of
// samples. Lane g * C + o of the result is the sum for input g and output o. Rows of a tile are T floats apart.
template <int T, int G, int C, class I>
OFFRAMP_INLINE vec weight_sums(const I *rows, const float *xt, const float *dyt, int64_t vectors) {
    static_assert(G * C == W);
    const float *in[G];
    for (int g = 0; g < G; g++) in[g] = plain(xt + static_cast<int64_t>(rows[g]) * T);
    vec sum[W];
    clear(sum, Lanes{});
    for (int64_t v = 0; v < vectors; v++) {
        vec d[C];
        for (int o = 0; o < C; o++) d[o] = load(dyt + o * T + v * W);
        for (int g = 0; g < G; g++) {
            const vec x = load(in[g] + v * W);
            for (int o = 0; o < C; o++) sum[g * C + o] += x * d[o];
        }
    }
    return sum_each(sum);
}

// The same for one output, whose N vectors stay in registers. FIRST and COUNT say which of the rows.
template <int T, int N, int FIRST = 0, int COUNT = W, class I>
OFFRAMP_INLINE vec row_sums(const I *rows, const float *xt, const vec *d) {
    if constexpr (COUNT == 1) {
        const float *in = xt + static_cast<int64_t>(rows[FIRST]) * T;
        vec sum = load(in) * d[0];
        for (int v = 1; v < N; v++) sum += load(in + v * W) * d[v];
        return sum;
    } else {
        constexpr int S = COUNT / 2;
        return sum_pairs<S>(row_sums<T, N, FIRST, S>(rows, xt, d), row_sums<T, N, FIRST + S, S>(rows, xt, d));
    }
}

// w[q * c] += sums(rows + q) for n inputs, W / C of them at once.
template <int C, class I, class Sums>
OFFRAMP_INLINE void add_sums(const I *rows, int64_t n, int64_t c, float *w, const Sums &sums) {
    constexpr int G = W / C;
    int64_t q = 0;
    float lane[W];
    for (; q + G <= n; q += G) {
        const vec sum = sums(rows + q);
        float *out = w + q * c;
        if (c == C) {
            store(out, load(out) + sum);
            continue;
        }
        store(lane, sum);
        for (int g = 0; g < G; g++)
            for (int o = 0; o < C; o++) out[g * c + o] += lane[g * C + o];
    }
    if (q == n) return;
    I rest[G] = {};  // filled up with row 0
    for (int64_t g = 0; g < n - q; g++) rest[g] = rows[q + g];
    store(lane, sums(rest));
    for (int64_t g = 0; g < n - q; g++)
        for (int o = 0; o < C; o++) w[(q + g) * c + o] += lane[g * C + o];
}

// dweight of C outputs of a block (w points at the first of them) for n inputs, of which `rows` has the numbers.
template <int T, int C, class I>
inline void output_grads(const I *rows, int64_t n, int64_t c, const float *xt, const float *dyt, float *w,
                         int64_t vectors) {
    if constexpr (C > 1) {
        add_sums<C>(rows, n, c, w, [=](const I *some) __attribute__((always_inline)) {
            return weight_sums<T, W / C, C>(some, xt, dyt, vectors);
        });
    } else {
        int64_t v = 0;
        auto pass = [&](auto several) __attribute__((always_inline)) {
            constexpr int N = decltype(several)::value;
            for (; v + N <= vectors; v += N) {
                vec d[N];
                for (int i = 0; i < N; i++) d[i] = load(dyt + (v + i) * W);
                add_sums<1>(rows, n, c, w, [&](const I *some) __attribute__((always_inline)) {
                    return row_sums<T, N>(some, xt + v * W, d);
                });
            }
        };
        if constexpr (SUMS >= 16) pass(std::integral_constant<int, 16>{});
        pass(std::integral_constant<int, 8>{});
        pass(std::integral_constant<int, 4>{});
        pass(std::integral_constant<int, 1>{});
    }
}

// sums[i] += all of row i, for n rows that are T floats apart.
template <int T>
inline void add_row_sums(const float *rows, int64_t n, float *sums, int64_t vectors) {
    for (int64_t i = 0; i < n; i += W) {
        const int64_t lanes = smaller(W, n - i);
        vec sum[W] = {};
        for (int64_t l = 0; l < lanes; l++)
            for (int64_t v = 0; v < vectors; v++) sum[l] += load(rows + (i + l) * T + v * W);
        float total[W];
        store(total, sum_each(sum));
        for (int64_t l = 0; l < lanes; l++) sums[i + l] += total[l];
    }
}

// dweight += for all c outputs of a block, in groups of 4, 2 and 1; `rows` has the numbers of its inputs.
template <int T, class I>
inline void block_grad_of(const I *rows, int64_t inputs, int64_t c, const float *xt, const float *dyt, float *w,
                          int64_t vectors) {
    int64_t o = 0;
    for (; o + 4 <= c; o += 4) output_grads<T, 4>(rows, inputs, c, xt, dyt + o * T, w + o, vectors);
    for (; o + 2 <= c; o += 2) output_grads<T, 2>(rows, inputs, c, xt, dyt + o * T, w + o, vectors);
    for (; o < c; o++) output_grads<T, 1>(rows, inputs, c, xt, dyt + o * T, w + o, vectors);
}

// dweight += for edges [first, last) of one block of outputs, for one tile whose inputs begin with number `begin`.
// `rows` has room for (last - first) * r numbers.
template <int T, class I>
inline void block_grad(const Junction &j, const I *cols, int64_t first, int64_t last, int64_t begin, const float *xt,
                       const float *dyt, float *dweight, int32_t *rows, int64_t vectors) {
    float *w = dweight + first * j.r * j.c;
    if (j.r == 1 && begin == 0) return block_grad_of<T>(cols + first, last - first, j.c, xt, dyt, w, vectors);
    int32_t *row = rows;
    for (int64_t k = first; k < last; k++)
        for (int64_t i = 0; i < j.r; i++) *row++ = static_cast<int32_t>(cols[k] * j.r + i - begin);
    block_grad_of<T>(rows, row - rows, j.c, xt, dyt, w, vectors);
}

// The first edge from `k` on that reads block `end` or a later one; rows of a table ascend.
template <class I>
inline int32_t edges_before(const I *cols, int64_t k, int64_t degree, int64_t end) {
    if (end == INT64_MAX) return static_cast<int32_t>(degree);
    while (k < degree && static_cast<int64_t>(cols[k]) < end) k++;
    return static_cast<int32_t>(k);
}

OFFRAMP_INLINE int64_t at_least_one(int64_t n) { return n < 1 ? 1 : n; }

// One tile of samples after the other; of each tile as many inputs and outputs together as stay near. Each thread owns
// a range of outputs, so sums never race and come out alike for any number of threads.
inline void grad_weight(const Junction &j, const float *x, const float *dy, float *dweight, float *dbias,
                        int64_t batch, int threads) {
    constexpr int T = GRAD_ROW;
    const int64_t per_block = j.degree * j.r * j.c, n_out = j.n_out(), n_in_blocks = j.n_in / j.r;
    const int64_t near_in = at_least_one(NEAR_INPUTS / j.r), near_out = at_least_one(NEAR_OUTPUTS / j.c);
    parallel(threads, [&](int thread, int n_threads) {
        const int64_t first = j.n_blocks * thread / n_threads, last = j.n_blocks * (thread + 1) / n_threads;
        if (first == last) return;
        std::memset(dweight + first * per_block, 0, (last - first) * per_block * sizeof(float));
        std::memset(dbias + first * j.c, 0, (last - first) * j.c * sizeof(float));
        const int64_t inputs = smaller(near_in, n_in_blocks) * j.r, outputs = smaller(near_out, last - first) * j.c;
        float *xt = scratch(Scratch::input, inputs * T), *dyt = scratch(Scratch::output, outputs * T);
        auto *rows = reinterpret_cast<int32_t *>(scratch(Scratch::weight, inputs + last - first));
        int32_t *next = rows + inputs - first;  // the edge of each block at which the next inputs go on
        for (int64_t b0 = 0; b0 < batch; b0 += GRAD_TILE) {
            const int64_t samples = smaller(GRAD_TILE, batch - b0), vectors = (samples + W - 1) / W;
            std::memset(next + first, 0, (last - first) * sizeof(int32_t));
            for (int64_t i0 = 0; i0 < n_in_blocks; i0 += near_in) {
                const int64_t i1 = smaller(i0 + near_in, n_in_blocks);
                pack_columns<T>(x + b0 * j.n_in + i0 * j.r, (i1 - i0) * j.r, j.n_in, samples, xt);
                for (int64_t o0 = first; o0 < last; o0 += near_out) {
                    const int64_t o1 = smaller(o0 + near_out, last);
                    pack_columns<T>(dy + b0 * n_out + o0 * j.c, (o1 - o0) * j.c, n_out, samples, dyt);
                    if (i0 == 0) add_row_sums<T>(dyt, (o1 - o0) * j.c, dbias + o0 * j.c, vectors);
                    with_numbers(j.table, [&](const auto *table) {
                        for (int64_t block = o0; block < o1; block++) {
                            const auto *cols = table + block * j.degree;
                            const int64_t k = next[block];
                            next[block] = edges_before(cols, k, j.degree, i1 < n_in_blocks ? i1 : INT64_MAX);
                            block_grad<T>(j, cols, k, next[block], i0 * j.r, xt, dyt + (block - o0) * j.c * T,
                                          dweight + block * per_block, rows, vectors);
                        }
                    });
                }
            }
        }
    });
}

}  // namespace offramp::OFFRAMP_ISA

// dweight[e] = sum_b x[b, input of e] * dy[b, output of e];  dbias[o] = sum_b dy[b,o]
#pragma once

#include "junction.hpp"
#include "layout.hpp"
#include "scratch.hpp"
#include "threads.hpp"

namespace offramp::OFFRAMP_ISA {

constexpr int GRAD_TILE = 128;  // samples summed in registers before they are added to dweight

// W weights at once: G inputs (rows of xt, by number) by C outputs (rows of dyt), summed over `vectors` vectors of
// samples. Lane g * C + o of the result is the sum for input g and output o. Rows of a tile are T floats apart.
template <int T, int G, int C, class I>
OFFRAMP_INLINE vec weight_sums(const I *rows, const float *xt, const float *dyt, int64_t vectors) {
    static_assert(G * C == W);
    constexpr int AT_ONCE = C == 1 ? 4 : 1;  // vectors for which the address of a row is computed once
    vec sum[W] = {};
    auto add = [&](int64_t v, auto several) __attribute__((always_inline)) {
        constexpr int N = decltype(several)::value;
        vec d[C][N];
        for (int o = 0; o < C; o++)
            for (int n = 0; n < N; n++) d[o][n] = load(dyt + o * T + (v + n) * W);
        for (int g = 0; g < G; g++) {
            const float *in = xt + static_cast<int64_t>(rows[g]) * T + v * W;
            for (int n = 0; n < N; n++)
                for (int o = 0; o < C; o++) sum[g * C + o] += load(in + n * W) * d[o][n];
        }
    };
    int64_t v = 0;
    for (; v + AT_ONCE <= vectors; v += AT_ONCE) add(v, std::integral_constant<int, AT_ONCE>{});
    for (; v < vectors; v++) add(v, std::integral_constant<int, 1>{});
    return sum_each(sum);
}

// dweight of C outputs of a block (w points at the first of them) for all its n inputs, of which `rows` has the numbers.
template <int T, int C, class I>
inline void output_grads(const I *rows, int64_t n, int64_t c, const float *xt, const float *dyt, float *w,
                         int64_t vectors) {
    constexpr int G = W / C;
    int64_t q = 0;
    for (; q + G <= n; q += G) {
        const vec sum = weight_sums<T, G, C>(rows + q, xt, dyt, vectors);
        float *out = w + q * c;
        if (c == C) {
            store(out, load(out) + sum);
            continue;
        }
        float lane[W];
        store(lane, sum);
        for (int g = 0; g < G; g++)
            for (int o = 0; o < C; o++) out[g * c + o] += lane[g * C + o];
    }
    if (q == n) return;
    I rest[G] = {};  // filled up with row 0
    for (int64_t g = 0; g < n - q; g++) rest[g] = rows[q + g];
    float lane[W];
    store(lane, weight_sums<T, G, C>(rest, xt, dyt, vectors));
    for (int64_t g = 0; g < n - q; g++)
        for (int o = 0; o < C; o++) w[(q + g) * c + o] += lane[g * C + o];
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

// dweight += for one block of outputs and one tile. `rows` has room for the degree * r inputs of the block.
template <int T, class I>
inline void block_grad(const Junction &j, const I *table, int64_t block, const float *xt, const float *dyt,
                       float *dweight, int32_t *rows, int64_t vectors) {
    const int64_t inputs = j.degree * j.r;
    const I *cols = table + block * j.degree;
    const float *d = dyt + block * j.c * T;
    float *w = dweight + block * inputs * j.c;
    if (j.r == 1) return block_grad_of<T>(cols, inputs, j.c, xt, d, w, vectors);
    for (int64_t k = 0; k < j.degree; k++)
        for (int64_t i = 0; i < j.r; i++) rows[k * j.r + i] = static_cast<int32_t>(cols[k] * j.r + i);
    block_grad_of<T>(rows, inputs, j.c, xt, d, w, vectors);
}

inline void grad_weight(const Junction &j, const float *x, const float *dy, float *dweight, float *dbias,
                        int64_t batch, int threads) {
    const int64_t inputs = j.degree * j.r, per_block = inputs * j.c, n_out = j.n_out();
    // One tile of samples after the other; inside it each thread owns a range of outputs, so sums never race and
    // come out alike for any number of threads.
    parallel(threads, [&](int thread, int n_threads) {
        const int64_t first = j.n_blocks * thread / n_threads, last = j.n_blocks * (thread + 1) / n_threads;
        std::memset(dweight + first * per_block, 0, (last - first) * per_block * sizeof(float));
        std::memset(dbias + first * j.c, 0, (last - first) * j.c * sizeof(float));
        if (first == last) return;
        float *xt = scratch(Scratch::input, j.n_in * GRAD_TILE);
        float *dyt = scratch(Scratch::output, n_out * GRAD_TILE);
        auto *rows = reinterpret_cast<int32_t *>(scratch(Scratch::weight, inputs));
        for (int64_t b0 = 0; b0 < batch; b0 += GRAD_TILE) {
            const int64_t samples = smaller(GRAD_TILE, batch - b0), vectors = (samples + W - 1) / W;
            pack<GRAD_TILE>(x + b0 * j.n_in, j.n_in, samples, xt);
            pack<GRAD_TILE>(dy + b0 * n_out, n_out, samples, dyt);
            with_numbers(j.table, [&](const auto *table) {
                for (int64_t block = first; block < last; block++)
                    block_grad<GRAD_TILE>(j, table, block, xt, dyt, dweight, rows, vectors);
            });
            const int64_t o = first * j.c;
            add_row_sums<GRAD_TILE>(dyt + o * GRAD_TILE, (last - first) * j.c, dbias + o, vectors);
        }
    });
}

}  // namespace offramp::OFFRAMP_ISA

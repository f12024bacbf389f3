// dweight[e] = sum_b x[b, input of e] * dy[b, output of e];  dbias[o] = sum_b dy[b,o]
#pragma once

#include "junction.hpp"
#include "layout.hpp"
#include "scratch.hpp"
#include "threads.hpp"

namespace offramp::OFFRAMP_ISA {

constexpr int GRAD_TILE = 128;  // samples summed in registers before they are added to dweight

// W weights at once: G inputs (rows of xt) by C outputs (rows of dyt), summed over `vectors` vectors of samples.
// Lane g * C + o of the result is the sum for input g and output o.
template <int G, int C>
OFFRAMP_INLINE vec weight_sums(const float *const *rows, const float *dyt, int64_t vectors) {
    static_assert(G * C == W);
    vec sum[W] = {};
    for (int64_t v = 0; v < vectors; v++) {
        vec d[C];
        for (int o = 0; o < C; o++) d[o] = load(dyt + o * GRAD_TILE + v * W);
        for (int g = 0; g < G; g++) {
            const vec in = load(rows[g] + v * W);
            for (int o = 0; o < C; o++) sum[g * C + o] += in * d[o];
        }
    }
    return sum_each(sum);
}

// dweight of C outputs of a block (w points at the first of them) for all its n inputs.
template <int C>
inline void block_grad(const float *const *rows, int64_t n, int64_t c, const float *dyt, float *w, int64_t vectors) {
    constexpr int G = W / C;
    for (int64_t q = 0; q < n; q += G) {
        const vec sum = weight_sums<G, C>(rows + q, dyt, vectors);
        float *out = w + q * c;
        if (c == C && q + G <= n) {
            store(out, load(out) + sum);
            continue;
        }
        float lane[W];
        store(lane, sum);
        for (int64_t g = 0; g < smaller(G, n - q); g++)
            for (int o = 0; o < C; o++) out[g * c + o] += lane[g * C + o];
    }
}

inline float row_sum(const float *row, int64_t vectors) {
    vec sum = {};
    for (int64_t v = 0; v < vectors; v++) sum += load(row + v * W);
    float total = 0;
    for (int i = 0; i < W; i++) total += sum[i];
    return total;
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
        // Pointers to the rows of xt that the inputs of a block read, with W - 1 spare ones for the last group.
        auto **rows = reinterpret_cast<const float **>(scratch(Scratch::weight, 2 * (inputs + W)));
        for (int64_t b0 = 0; b0 < batch; b0 += GRAD_TILE) {
            const int64_t samples = smaller(GRAD_TILE, batch - b0), vectors = (samples + W - 1) / W;
            pack<GRAD_TILE>(x + b0 * j.n_in, j.n_in, samples, xt);
            pack<GRAD_TILE>(dy + b0 * n_out, n_out, samples, dyt);
            for (int64_t block = first; block < last; block++) {
                const int32_t *cols = j.table + block * j.degree;
                for (int64_t k = 0; k < j.degree; k++)
                    for (int64_t i = 0; i < j.r; i++) rows[k * j.r + i] = xt + (cols[k] * j.r + i) * GRAD_TILE;
                for (int64_t q = inputs; q < inputs + W; q++) rows[q] = xt;
                const float *d = dyt + block * j.c * GRAD_TILE;
                float *w = dweight + block * per_block;
                int64_t o = 0;
                for (; o + 4 <= j.c; o += 4) block_grad<4>(rows, inputs, j.c, d + o * GRAD_TILE, w + o, vectors);
                for (; o + 2 <= j.c; o += 2) block_grad<2>(rows, inputs, j.c, d + o * GRAD_TILE, w + o, vectors);
                for (; o < j.c; o++) block_grad<1>(rows, inputs, j.c, d + o * GRAD_TILE, w + o, vectors);
                for (o = 0; o < j.c; o++) dbias[block * j.c + o] += row_sum(d + o * GRAD_TILE, vectors);
            }
        }
    });
}

}  // namespace offramp::OFFRAMP_ISA

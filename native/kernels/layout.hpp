// Between sample-major matrices (as callers have them) and feature-major tiles (as the kernels like them).
#pragma once

#include "vector.hpp"

namespace offramp::OFFRAMP_ISA {

constexpr int STRIPE = 64;  // outputs collected before they go back to sample-major order

// tile[f * T + i] = rows[i][f] for i < n_rows and f < n, zero for n_rows <= i < W.
template <int T, class E>
inline void pack_vector(const E *const *rows, int64_t n_rows, int64_t n, float *tile) {
    int64_t f = 0;
    for (; f + W <= n; f += W) {
        vec v[W];
        if (n_rows == W) {
            for (int i = 0; i < W; i++) v[i] = load(rows[i] + f);
        } else {
            for (int i = 0; i < W; i++) v[i] = i < n_rows ? load(rows[i] + f) : vec{};
        }
        transpose(v);
        for (int i = 0; i < W; i++) store(tile + (f + i) * T, v[i]);
    }
    for (; f < n; f++) {
        store(tile + f * T, vec{});
        for (int64_t i = 0; i < n_rows; i++) tile[f * T + i] = widened(rows[i][f]);
    }
}

// tile[f * T + s] = row(s)[f] for s < samples and f < n; the samples up to the next whole vector are zero.
template <int T, class E = float, class Row>
OFFRAMP_INLINE void pack_rows(const Row &row, int64_t n, int64_t samples, float *tile) {
    for (int64_t s = 0; s < samples; s += W) {
        const int64_t n_rows = smaller(W, samples - s);
        const E *rows[W];
        for (int64_t i = 0; i < n_rows; i++) rows[i] = row(s + i);
        pack_vector<T>(rows, n_rows, n, tile + s);
    }
}

// The same for n columns of a matrix whose rows are `stride` long: row(s) = x + s * stride.
template <int T, class E>
inline void pack_columns(const E *x, int64_t n, int64_t stride, int64_t samples, float *tile) {
    pack_rows<T, E>([=](int64_t s) { return x + s * stride; }, n, samples, tile);
}

// y[s * n + f] = tile[f * T + s] for f < features <= STRIPE and s < samples: a stripe of columns of y.
//
// A vector of samples at a time goes through a buffer and leaves it row by row. Where the rows of y lie a power of two
// apart, as they like to, W rows at once would crowd one set of the cache.
template <int T, class E>
inline void unpack(const float *tile, int64_t features, int64_t samples, E *y, int64_t n) {
    constexpr int ROW = STRIPE + W;
    alignas(64) float turned[W * ROW];
    for (int64_t s = 0; s < samples; s += W) {
        const int64_t rows = smaller(W, samples - s);
        int64_t f = 0;
        for (; f + W <= features; f += W) {
            vec v[W];
            for (int i = 0; i < W; i++) v[i] = load(tile + (f + i) * T + s);
            transpose(v);
            for (int i = 0; i < W; i++) store(turned + i * ROW + f, v[i]);
        }
        for (int64_t i = 0; i < rows; i++)
            for (int64_t g = 0; g < f; g += W) store(y + (s + i) * n + g, load(turned + i * ROW + g));
        for (; f < features; f++)
            for (int64_t i = 0; i < rows; i++) narrow(tile[f * T + s + i], y[(s + i) * n + f]);
    }
}

}  // namespace offramp::OFFRAMP_ISA

// Between sample-major matrices (as callers have them) and feature-major tiles (as the kernels like them).
#pragma once

#include "vector.hpp"

namespace offramp::OFFRAMP_ISA {

// tile[f * T + s] = x[s * n + f] for s < samples; the samples up to the next whole vector are zero.
template <int T>
inline void pack(const float *x, int64_t n, int64_t samples, float *tile) {
    for (int64_t s = 0; s < samples; s += W) {
        const int64_t rows = smaller(W, samples - s);
        int64_t f = 0;
        for (; f + W <= n; f += W) {
            vec v[W] = {};
            if (rows == W) {
                for (int i = 0; i < W; i++) v[i] = load(x + (s + i) * n + f);
            } else {
                for (int64_t i = 0; i < rows; i++) v[i] = load(x + (s + i) * n + f);
            }
            transpose(v);
            for (int i = 0; i < W; i++) store(tile + (f + i) * T + s, v[i]);
        }
        for (; f < n; f++) {
            store(tile + f * T + s, vec{});
            for (int64_t i = 0; i < rows; i++) tile[f * T + s + i] = x[(s + i) * n + f];
        }
    }
}

// y[s * n + f] = tile[f * T + s] for f < features and s < samples: a stripe of columns of y.
template <int T>
inline void unpack(const float *tile, int64_t features, int64_t samples, float *y, int64_t n) {
    for (int64_t s = 0; s < samples; s += W) {
        const int64_t rows = smaller(W, samples - s);
        int64_t f = 0;
        for (; f + W <= features; f += W) {
            vec v[W];
            for (int i = 0; i < W; i++) v[i] = load(tile + (f + i) * T + s);
            transpose(v);
            if (rows == W) {
                for (int i = 0; i < W; i++) store(y + (s + i) * n + f, v[i]);
            } else {
                for (int64_t i = 0; i < rows; i++) store(y + (s + i) * n + f, v[i]);
            }
        }
        for (; f < features; f++)
            for (int64_t i = 0; i < rows; i++) y[(s + i) * n + f] = tile[f * T + s + i];
    }
}

}  // namespace offramp::OFFRAMP_ISA

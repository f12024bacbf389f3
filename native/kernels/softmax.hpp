// Softmax and cross-entropy of a feature-major tile.
#pragma once

#include "vector.hpp"

namespace offramp::OFFRAMP_ISA {

typedef int32_t ints __attribute__((vector_size(W * sizeof(int32_t))));

// e^x for x <= 0, to 2e-7 of its value; below -87 what e^-87 is. NaN stays NaN.
OFFRAMP_INLINE vec exp_of_negative(vec x) {
    x = x < -87.0f ? vec{} - 87.0f : x;
    // x = n ln 2 + r, |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits.
    const float rounding = 12582912.0f;
    const vec shifted = x * 1.44269504f + rounding, n = shifted - rounding;
    const vec r = x - n * 0.693359375f + n * 2.12194440e-4f;  // ln 2 in two pieces
    vec p = vec{} + 1.0f / 5040;
    const float taylor[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
    for (float c : taylor) p = p * r + c;
    ints bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = (bits - 0x4B400000 + 127) << 23;  // 2^n
    vec scale;
    std::memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

// Turns scores (n_classes rows of T floats) into the derivative of `weight` times the sum of the samples'
// cross-entropies; gives that sum, unweighted. Lanes from `samples` on get zero.
// What is to come out is a label for each sample, or, where `shares` is not null, its share of every class: rows of T
// floats like the scores, 1 over the classes of a sample, 0 in the lanes from `samples` on.
template <int T>
inline double cross_entropy(float *scores, int64_t n_classes, const int64_t *labels, const float *shares,
                            int64_t samples, float weight) {
    double loss = 0;
    for (int64_t s = 0; s < samples; s += W) {
        const int64_t lanes = smaller(W, samples - s);
        vec top = load(scores + s);
        for (int64_t k = 1; k < n_classes; k++) {
            const vec v = load(scores + k * T + s);
            top = v > top ? v : top;
        }
        vec total = {}, own = {};  // each sample's score of its own classes, above the top one
        if (!shares)
            for (int64_t i = 0; i < lanes; i++) own[i] = scores[labels[i + s] * T + s + i] - top[i];
        for (int64_t k = 0; k < n_classes; k++) {
            const vec above = load(scores + k * T + s) - top, e = exp_of_negative(above);
            if (shares) own += load(shares + k * T + s) * above;
            store(scores + k * T + s, e);
            total += e;
        }
        for (int64_t i = 0; i < lanes; i++) loss += static_cast<double>(__builtin_logf(total[i])) - own[i];
        float scale[W];
        for (int64_t i = 0; i < W; i++) scale[i] = i < lanes ? weight / total[i] : 0.0f;
        const vec scales = load(scale);
        for (int64_t k = 0; k < n_classes; k++) {
            vec d = load(scores + k * T + s) * scales;
            if (shares) d -= load(shares + k * T + s) * weight;
            store(scores + k * T + s, d);
        }
        if (!shares)
            for (int64_t i = 0; i < lanes; i++) scores[labels[i + s] * T + s + i] -= weight;
    }
    return loss;
}

}  // namespace offramp::OFFRAMP_ISA

// y of single samples, as they lie: the conversion of the layout would cost more than it gains. The weights are read
// once, in order, so their memory is the limit; E is float or bfloat16.
#pragma once

#include "junction.hpp"
#include "scratch.hpp"
#include "vector.hpp"
#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace offramp::OFFRAMP_ISA {

// Read once a call, before any kernel follows the numbers: with vectors it costs a fraction of a single sample.
inline int64_t largest(const Table &table, int64_t n) {
    int64_t top = 0;
    if (table.wide) {
        const auto *numbers = static_cast<const uint32_t *>(table.data);
        uint32_t most = 0;
        for (int64_t i = 0; i < n; i++) most = most > numbers[i] ? most : numbers[i];
        top = most;
    } else {
        const auto *numbers = static_cast<const uint16_t *>(table.data);
        uint16_t most = 0;
        for (int64_t i = 0; i < n; i++) most = most > numbers[i] ? most : numbers[i];
        top = most;
    }
    return top;
}

// Lane g * C + o of the result is p[g].
template <int C, int... L>
OFFRAMP_INLINE vec repeat_each(vec v, std::integer_sequence<int, L...>) {
#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
    return __builtin_shufflevector(v, v, (L / C)...);
#else
    return __builtin_shuffle(v, ivec{(L / C)...});
#endif
}

// Lane i of the result is x[at[i]].
OFFRAMP_INLINE vec gather(const float *x, ivec at) {
#if defined(__AVX512F__)
    if constexpr (W == 16) return reinterpret_cast<vec>(_mm512_i32gather_ps(reinterpret_cast<__m512i>(at), x, 4));
#elif defined(__AVX2__)
    if constexpr (W == 8) return reinterpret_cast<vec>(_mm256_i32gather_ps(x, reinterpret_cast<__m256i>(at), 4));
#endif
    vec v = {};
    for (int i = 0; i < W; i++) v[i] = x[at[i]];
    return v;
}

// Lane i of the result is cols[i / S].
template <int S, class I, int... L>
OFFRAMP_INLINE ivec repeat_numbers(const I *cols, std::integer_sequence<int, L...>) {
#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
    constexpr int N = W / S;
    if constexpr (N >= 8) {  // of smaller vectors GCC makes many instructions
        typedef I numbers __attribute__((vector_size(N * sizeof(I))));
        typedef int32_t wide_numbers __attribute__((vector_size(N * sizeof(int32_t))));
        numbers some;
        std::memcpy(&some, cols, sizeof some);
        const wide_numbers wide = __builtin_convertvector(some, wide_numbers);
        return __builtin_shufflevector(wide, wide, (L / S)...);
    }
#endif
    return ivec{static_cast<int32_t>(cols[L / S])...};
}

// Blocks of which S = r * c weights fill a part of a vector: W / S of them at once. Lane i is edge i % S of its block.
template <int S, class I, class E>
OFFRAMP_INLINE void small_block_row(const Junction &j, const I *cols, const E *w, const float *x, float *y) {
    constexpr int N = W / S;
    ivec within = {};
    for (int i = 0; i < W; i++) within[i] = static_cast<int32_t>(i % S / j.c);
    const auto r = static_cast<int32_t>(j.r);
    vec sum[2] = {};
    auto add = [&](vec &total, int64_t k) __attribute__((always_inline)) {
        const ivec blocks = repeat_numbers<S>(cols + k, Lanes{});
        total += load(w + k * S) * gather(x, S == 1 ? blocks : blocks * r + within);
    };
    int64_t k = 0;
    for (; k + 2 * N <= j.degree; k += 2 * N) {
        add(sum[0], k);
        add(sum[1], k + N);
    }
    for (; k + N <= j.degree; k += N) add(sum[0], k);
    float lanes[W];
    store(lanes, sum[0] + sum[1]);
    for (int i = 0; i < W; i++) y[i % S % j.c] += lanes[i];
    for (; k < j.degree; k++)
        for (int i = 0; i < S; i++) y[i % j.c] += widened(w[k * S + i]) * x[cols[k] * j.r + i / j.c];
}

// Blocks whose weights fill whole vectors, C outputs wide: lane g * C + o is for input g and output o of the block.
template <int C, class I, class E>
OFFRAMP_INLINE void block_row(const Junction &j, const I *cols, const E *w, const float *x, float *y) {
    constexpr int G = W / C, SETS = 4;
    vec sum[SETS] = {};
    auto add = [&](vec &total, const float *in) __attribute__((always_inline)) {
        total += load(w) * repeat_each<C>(load(in), Lanes{});
        w += W;
    };
    int64_t k = 0;
    if (j.r == G) {
        for (; k + SETS <= j.degree; k += SETS)
            for (int s = 0; s < SETS; s++) add(sum[s], x + cols[k + s] * static_cast<int64_t>(G));
    }
    for (; k < j.degree; k++) {
        const float *in = x + cols[k] * j.r;
        int64_t i = 0;
        for (; i + SETS * G <= j.r; i += SETS * G)
            for (int s = 0; s < SETS; s++) add(sum[s], in + i + s * G);
        for (; i < j.r; i += G) add(sum[0], in + i);
    }
    float lanes[W];
    store(lanes, (sum[0] + sum[1]) + (sum[2] + sum[3]));
    for (int o = 0; o < C; o++) {
        float total = 0;
        for (int g = 0; g < G; g++) total += lanes[g * C + o];
        y[o] += total;
    }
}

// y[o] += the sum over N inputs of w[i * c + o] * in[i].
template <int N, class E>
OFFRAMP_INLINE void add_inputs(int64_t c, const E *w, const float *in, float *__restrict y) {
    int64_t o = 0;
    for (; o + W <= c; o += W) {
        vec sum = load(y + o);
        for (int i = 0; i < N; i++) sum += load(w + i * c + o) * in[i];
        store(y + o, sum);
    }
    for (; o < c; o++)
        for (int i = 0; i < N; i++) y[o] += widened(w[i * c + o]) * in[i];
}

// Blocks of any other shape: the weights in the order in which they lie, the sums in y.
template <class I, class E>
inline void odd_block_row(const Junction &j, const I *cols, const E *w, const float *x, float *y) {
    for (int64_t k = 0; k < j.degree; k++) {
        const float *in = x + cols[k] * j.r;
        int64_t i = 0;
        for (; i + 4 <= j.r; i += 4, w += 4 * j.c) add_inputs<4>(j.c, w, in + i, y);
        for (; i < j.r; i++, w += j.c) add_inputs<1>(j.c, w, in + i, y);
    }
}

// Outputs of blocks [first, last) of one sample; x has room for a vector behind its last value. y holds the bias.
template <class I, class E>
inline void row_forward(const Junction &j, const I *table, int64_t first, int64_t last, const float *x, const E *weight,
                        float *y) {
    const bool whole_vectors = j.c <= W && W % j.c == 0 && j.r % (W / j.c) == 0;
    for (int64_t block = first; block < last; block++) {
        const I *cols = table + block * j.degree;
        const E *w = weight + block * j.degree * j.r * j.c;
        float *out = y + block * j.c;
        if (j.r * j.c == 1)
            small_block_row<1>(j, cols, w, x, out);
        else if (W > 2 && j.r * j.c == 2)
            small_block_row<2>(j, cols, w, x, out);
        else if (W > 4 && j.r * j.c == 4)
            small_block_row<W == 4 ? 2 : 4>(j, cols, w, x, out);
        else if (W > 8 && j.r * j.c == 8)
            small_block_row<W == 16 ? 8 : 2>(j, cols, w, x, out);
        else if (!whole_vectors)
            odd_block_row(j, cols, w, x, out);
        else if (j.c == 1)
            block_row<1>(j, cols, w, x, out);
        else if (j.c == 2)
            block_row<2>(j, cols, w, x, out);
        else if (j.c == 4)
            block_row<4>(j, cols, w, x, out);
        else if constexpr (W >= 8) {
            if (j.c == 8)
                block_row<8>(j, cols, w, x, out);
            else if constexpr (W >= 16)
                block_row<16>(j, cols, w, x, out);
        }
    }
}

}  // namespace offramp::OFFRAMP_ISA

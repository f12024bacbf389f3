// A vector of W floats, its transpose and its sums, for one instruction set.
//
// Included by each isa_*.cpp with OFFRAMP_ISA (a namespace) and OFFRAMP_WIDTH (floats in a vector) set. Nothing of
// the standard library may be instantiated in these files: the linker could keep the AVX-512 copy for everybody.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "junction.hpp"

namespace offramp::OFFRAMP_ISA {

constexpr int W = OFFRAMP_WIDTH;
typedef float vec __attribute__((vector_size(W * sizeof(float))));
typedef int32_t ivec __attribute__((vector_size(W * sizeof(int32_t))));

#define OFFRAMP_INLINE inline __attribute__((always_inline))

OFFRAMP_INLINE vec load(const float *p) {
    vec v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
OFFRAMP_INLINE void store(float *p, vec v) { std::memcpy(p, &v, sizeof v); }

// bfloat16 is the upper half of a float; on the way back the lower half rounds to nearest, ties to even.
typedef uint16_t half_words __attribute__((vector_size(W * sizeof(uint16_t))));
typedef uint32_t words __attribute__((vector_size(W * sizeof(uint32_t))));

OFFRAMP_INLINE vec load(const bfloat16 *p) {
    half_words h;
    std::memcpy(&h, p, sizeof h);
    return reinterpret_cast<vec>(__builtin_convertvector(h, words) << 16);
}
OFFRAMP_INLINE void store(bfloat16 *p, vec v) {
    const words bits = reinterpret_cast<words>(v);
    const words rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
    const words is_nan = reinterpret_cast<words>(v != v);
    const words kept = (is_nan & (bits | 0x400000u)) | (~is_nan & rounded);
    const half_words h = __builtin_convertvector(kept >> 16, half_words);
    std::memcpy(p, &h, sizeof h);
}

OFFRAMP_INLINE float widened(float f) { return f; }
OFFRAMP_INLINE float widened(bfloat16 f) {
    const uint32_t bits = static_cast<uint32_t>(f.bits) << 16;
    float wide;
    std::memcpy(&wide, &bits, sizeof wide);
    return wide;
}
OFFRAMP_INLINE void narrow(float f, float &out) { out = f; }
OFFRAMP_INLINE void narrow(float f, bfloat16 &out) {
    bfloat16 all[W];
    store(all, vec{} + f);
    out = all[0];
}

// The same pointer, of which the compiler does not know where it comes from. Of several pointers into one tile GCC else
// keeps the tile's address and the distances, more than there are registers, and adds them up in the innermost loop.
template <class P>
OFFRAMP_INLINE P *plain(P *p) {
    asm("" : "+r"(p));
    return p;
}

OFFRAMP_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// Elements of a where bit S of the lane is clear, else of b moved up by S; and its counterpart.
#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
template <int S, int... I>
OFFRAMP_INLINE vec mix_low(vec a, vec b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, ((I & S) ? W + I - S : I)...);
}
template <int S, int... I>
OFFRAMP_INLINE vec mix_high(vec a, vec b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, ((I & S) ? W + I : I + S)...);
}
#else
template <int S, int... I>
OFFRAMP_INLINE vec mix_low(vec a, vec b, std::integer_sequence<int, I...>) {
    return __builtin_shuffle(a, b, ivec{((I & S) ? W + I - S : I)...});
}
template <int S, int... I>
OFFRAMP_INLINE vec mix_high(vec a, vec b, std::integer_sequence<int, I...>) {
    return __builtin_shuffle(a, b, ivec{((I & S) ? W + I : I + S)...});
}
#endif
using Lanes = std::make_integer_sequence<int, W>;

template <int S>
OFFRAMP_INLINE void transpose_step(vec *row) {
    for (int i = 0; i < W; i++) {
        if (i & S) continue;
        const vec a = row[i], b = row[i + S];
        row[i] = mix_low<S>(a, b, Lanes{});
        row[i + S] = mix_high<S>(a, b, Lanes{});
    }
}

// W rows of W floats, transposed in registers.
OFFRAMP_INLINE void transpose(vec *row) {
    transpose_step<1>(row);
    transpose_step<2>(row);
    if constexpr (W >= 8) transpose_step<4>(row);
    if constexpr (W >= 16) transpose_step<8>(row);
}

// GCC gives arrays their places before it unrolls most loops, so an array of vectors that is to stay in registers is
// touched without loops before and after the loop that works on it.
template <int... I>
OFFRAMP_INLINE void clear(vec *v, std::integer_sequence<int, I...>) {
    ((v[I] = vec{}), ...);
}

// Lanes with bit S clear: sums of a pair of lanes of a, S apart; the others: of b.
template <int S>
OFFRAMP_INLINE vec sum_pairs(vec a, vec b) {
    return mix_low<S>(a, b, Lanes{}) + mix_high<S>(a, b, Lanes{});
}

// Lane i of the result is the sum of all lanes of v[i]. FIRST and N, a power of two, say which vectors of v.
template <int FIRST = 0, int N = W>
OFFRAMP_INLINE vec sum_each(const vec *v) {
    if constexpr (N == 1) {
        return v[FIRST];
    } else {
        return sum_pairs<N / 2>(sum_each<FIRST, N / 2>(v), sum_each<FIRST + N / 2, N / 2>(v));
    }
}

}  // namespace offramp::OFFRAMP_ISA

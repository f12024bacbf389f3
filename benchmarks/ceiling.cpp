// What the processor can do at most: multiply-adds from registers, loads from each level of its caches, and products
// of bfloat16 pairs. Built and run by ceiling.py; x86-64 with AVX-512 or AVX2. Prints "name value" lines, in 1e9 a second.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#if defined(__AVX512F__)
#define V "%%zmm"
constexpr int W = 16;
#else
#define V "%%ymm"
constexpr int W = 8;
#endif

// Twelve independent instructions: enough to hide a latency of 4 cycles at 2 a cycle.
#define ONE(op, to) op " " V "12, " V "13, " V to "\n"
#define TWELVE(op)                                                                                          \
    ONE(op, "0") ONE(op, "1") ONE(op, "2") ONE(op, "3") ONE(op, "4") ONE(op, "5") ONE(op, "6") ONE(op, "7") \
    ONE(op, "8") ONE(op, "9") ONE(op, "10") ONE(op, "11")
#define CLOBBERED                                                                                                      \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", \
        "memory"

template <class Work>
static double best_s(const Work &work) {
    double best = 1e9;
    for (int i = 0; i < 7; i++) {
        const auto start = std::chrono::steady_clock::now();
        work();
        const double s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (s < best) best = s;
    }
    return best;
}

static void loads(const char *name, size_t bytes) {
    auto *p = static_cast<char *>(std::aligned_alloc(4096, bytes));
    std::memset(p, 0, bytes);
    const long passes = 400'000'000L / static_cast<long>(bytes) + 1;
    const double s = best_s([&] {
        for (long pass = 0; pass < passes; pass++)
            for (size_t i = 0; i < bytes; i += 8 * W * 4)
                asm volatile("vmovaps (%0), " V "0\nvmovaps %c1(%0), " V "1\nvmovaps %c2(%0), " V "2\nvmovaps %c3(%0), " V "3\n"
                             "vmovaps %c4(%0), " V "4\nvmovaps %c5(%0), " V "5\nvmovaps %c6(%0), " V "6\nvmovaps %c7(%0), " V "7\n"
                             ::"r"(p + i), "i"(W * 4), "i"(W * 8), "i"(W * 12), "i"(W * 16), "i"(W * 20), "i"(W * 24), "i"(W * 28)
                             : CLOBBERED);
    });
    std::printf("%s %.1f\n", name, static_cast<double>(passes) * static_cast<double>(bytes) / s * 1e-9);
    std::free(p);
}

int main() {
    const long n = 10'000'000;
    double s = best_s([&] {
        for (long i = 0; i < n; i++) asm volatile(TWELVE("vfmadd231ps")::: CLOBBERED);
    });
    std::printf("multiply_adds %.1f\n", static_cast<double>(n) * 12 * W / s * 1e-9);
#if defined(__AVX512BF16__)
    s = best_s([&] {
        for (long i = 0; i < n; i++) asm volatile(TWELVE("vdpbf16ps")::: CLOBBERED);
    });
    std::printf("multiply_adds_bfloat16 %.1f\n", static_cast<double>(n) * 12 * 2 * W / s * 1e-9);
#endif
    loads("bytes_16_KiB", 16 << 10);
    loads("bytes_256_KiB", 256 << 10);
    loads("bytes_1_MiB", 1 << 20);
    loads("bytes_16_MiB", 16 << 20);
}

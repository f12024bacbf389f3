// A constant-degree junction and the operations on it.
//
// Shapes, C order: x (batch, n_in), y (batch, n_out), table (n_blocks, degree),
// weight (n_blocks, degree, r, c) where n_out = n_blocks * c and each output has degree * r edges.
// Block k of row o joins inputs table[o,k]*r .. +r-1 with outputs o*c .. +c-1, all with all. Rows of a table ascend.
#pragma once

#include <cstdint>

namespace offramp {

// Numbers of blocks. 16 bits each wherever they fit: a random edge then costs 6 bytes of memory instead of 8.
struct Table {
    const void *data;
    bool wide;  // int32_t, else uint16_t
};

// Calls f with the table as a typed pointer.
template <class F>
inline __attribute__((always_inline)) void with_numbers(const Table &table, F &&f) {
    if (table.wide)
        f(static_cast<const int32_t *>(table.data));
    else
        f(static_cast<const uint16_t *>(table.data));
}

struct Junction {
    int64_t n_in;      // inputs
    int64_t n_blocks;  // blocks of outputs
    int64_t degree;    // blocks of inputs that each block of outputs reads
    int64_t r, c;      // inputs and outputs of a block
    Table table;

    int64_t n_out() const { return n_blocks * c; }
};

// The upper half of a float's bits.
struct bfloat16 {
    uint16_t bits;
};

struct Network;
struct Batch;
struct Adam;

struct Kernels {
    const char *name;

    // y[b,o] = bias[o] + sum_e weight[e] * x[b, input of e]; bias may be null.
    void (*forward)(const Junction &, const float *x, const float *weight, const float *bias, float *y,
                    int64_t batch, int threads);

    // The same in bfloat16, with float32 products and sums.
    void (*forward_bfloat16)(const Junction &, const bfloat16 *x, const bfloat16 *weight, const bfloat16 *bias,
                             bfloat16 *y, int64_t batch, int threads);

    // dweight[e] = sum_b x[b, input of e] * dy[b, output of e]; dbias[o] = sum_b dy[b,o].
    void (*grad_weight)(const Junction &, const float *x, const float *dy, float *dweight, float *dbias,
                        int64_t batch, int threads);

    // The largest of n > 0 numbers of a table; negative ones count as huge.
    int64_t (*largest)(const Table &, int64_t n);

    // One step of training a whole network, see train_step.hpp; gives the loss.
    double (*train_step)(const Network &, const Batch &, const Adam &);
};

// dx of `forward`: the forward kernel over the reverse table. `reverse` describes the junction seen from
// its inputs (n_in and n_out, r and c exchanged). False, and dx untouched, where turn_weights gives false.
bool grad_input(const Kernels &, const Junction &reverse, const float *dy, const float *weight, float *dx,
                int64_t batch, int threads);

// The weights in the order of the reverse table, every block turned. False if it is no reverse table.
bool turn_weights(const Junction &reverse, const float *weight, float *turned, int threads);

// Whether a table with constant degree and ascending rows has this reverse.
bool is_reverse(const Junction &reverse);

// The kernels that this machine can run, best last; `find` gives the best for a null name, null if unknown.
int available(const Kernels **out);
const Kernels *find(const char *name);

bool has_openmp();

}  // namespace offramp

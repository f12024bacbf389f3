// A constant-degree junction and the operations on it.
//
// Shapes, C order: x (batch, n_in), y (batch, n_out), table (n_blocks, degree),
// weight (n_blocks, degree, r, c) where n_out = n_blocks * c and each output has degree * r edges.
// Block k of row o joins inputs table[o,k]*r .. +r-1 with outputs o*c .. +c-1, all with all.
#pragma once

#include <cstdint>

namespace offramp {

struct Junction {
    int64_t n_in;      // inputs
    int64_t n_blocks;  // blocks of outputs
    int64_t degree;    // blocks of inputs that each block of outputs reads
    int64_t r, c;      // inputs and outputs of a block
    const int32_t *table;

    int64_t n_out() const { return n_blocks * c; }
};

struct Network;
struct Batch;
struct Adam;

struct Kernels {
    const char *name;

    // y[b,o] = bias[o] + sum_e weight[e] * x[b, input of e]; bias may be null.
    void (*forward)(const Junction &, const float *x, const float *weight, const float *bias, float *y,
                    int64_t batch, int threads);

    // dweight[e] = sum_b x[b, input of e] * dy[b, output of e]; dbias[o] = sum_b dy[b,o].
    void (*grad_weight)(const Junction &, const float *x, const float *dy, float *dweight, float *dbias,
                        int64_t batch, int threads);

    // One step of training a whole network, see train_step.hpp; gives the loss.
    double (*train_step)(const Network &, const Batch &, const Adam &);
};

// dx of `forward`: the forward kernel over the reverse table. `reverse` describes the junction seen from
// its inputs (n_in and n_out, r and c exchanged); position[i,k] is the block of `weight` behind reverse.table[i,k].
void grad_input(const Kernels &, const Junction &reverse, const int32_t *position, const float *dy,
                const float *weight, float *dx, int64_t batch, int threads);

// The n blocks of r x c weights in the order of the reverse table, every one turned into c x r.
void reverse_weights(const float *weight, const int32_t *position, int64_t n, int64_t r, int64_t c, float *out);

// The kernels that this machine can run, best last; `find` gives the best for a null name, null if unknown.
int available(const Kernels **out);
const Kernels *find(const char *name);

bool has_openmp();

}  // namespace offramp

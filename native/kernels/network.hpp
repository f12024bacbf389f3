// A network as a training step sees it: parameters where they lie, and Adam's moments beside them.
#pragma once

#include "junction.hpp"

namespace offramp {

constexpr int MAX_LAYERS = 64;  // of a whole network

struct Parameter {
    float *value, *mean, *square;  // the weights, Adam's first and second moments
    int64_t size;                  // 0: there is none
};

struct Layer {
    // The junction in the order of its weights, and seen from its other side.
    // Of a sparse layer the first is the forward direction. A dense layer, stored (n_out, n_in) as one block, is
    // the other way round: `stored` leads from its outputs to its inputs.
    Junction stored, turned;
    bool stored_is_forward;
    bool relu;  // after the layer
    Parameter weight, bias;

    const Junction &forward() const { return stored_is_forward ? stored : turned; }
    const Junction &backward() const { return stored_is_forward ? turned : stored; }
    int64_t n_in() const { return forward().n_in; }
    int64_t n_out() const { return forward().n_out(); }
};

struct Stack {
    const Layer *layers;
    int64_t n;
};

// The loss is tail's cross-entropy + exit_weight * exit's. A network that is not split has only a tail.
struct Network {
    Stack head, exit, tail;
    float exit_weight;
};

struct Batch {
    const float *x;         // all samples, (n, n_in)
    const int64_t *rows;    // those of this batch
    const int64_t *labels;  // of all samples; null where there are shares
    const float *shares;    // of all samples, (n, n_classes): what each class is to get, 1 in all; null for labels
    int64_t size;
};

struct Adam {
    double learning_rate, beta1, beta2, epsilon;
    int64_t step;  // counted from 1
};

}  // namespace offramp

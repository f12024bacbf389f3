// Forward, loss, backward and Adam of a whole network in one call. Activations stay feature-major; a tile of samples
// goes all the way there and back before the next, so everything of it lies in the cache.
#pragma once

#include "forward.hpp"
#include "grad_weight.hpp"
#include "network.hpp"
#include "softmax.hpp"

namespace offramp::OFFRAMP_ISA {

// Where a layer's numbers of this step lie.
struct Workspace {
    float *output;   // (n_out, TILE), after the ReLU
    float *dweight;  // the gradients, summed over the tiles
    float *dbias;
    float *turned;   // the weights seen from the other side
};

// Hands out pieces of one buffer; with a null buffer it only counts.
struct Arena {
    float *base;
    int64_t used;

    float *take(int64_t n) {
        float *p = base ? base + used : nullptr;
        used += (n + W - 1) / W * W;
        return p;
    }
};

OFFRAMP_INLINE const float *forward_weights(const Layer &l, const Workspace &w) {
    return l.stored_is_forward ? l.weight.value : w.turned;
}
OFFRAMP_INLINE const float *backward_weights(const Layer &l, const Workspace &w) {
    return l.stored_is_forward ? w.turned : l.weight.value;
}

inline void run_junction(const Junction &j, const float *weight, const float *bias, const float *in, float *out,
                         int64_t vectors) {
    with_numbers(j.table, [&](const auto *table) {
        for (int64_t block = 0; block < j.n_blocks; block++)
            one_block(j, table, block, weight, bias, in, out + block * j.c * TILE, vectors);
    });
}

inline const float *stack_forward(const Stack &stack, const Workspace *work, const float *in, int64_t vectors) {
    for (int64_t i = 0; i < stack.n; i++) {
        const Layer &l = stack.layers[i];
        float *out = work[i].output;
        run_junction(l.forward(), forward_weights(l, work[i]), l.bias.size ? l.bias.value : nullptr, in, out, vectors);
        if (l.relu)
            for (int64_t o = 0; o < l.n_out(); o++)
                for (int64_t v = 0; v < vectors; v++) {
                    const vec y = load(out + o * TILE + v * W);
                    store(out + o * TILE + v * W, y < 0.0f ? vec{} : y);  // NaN stays
                }
        in = out;
    }
    return in;
}

inline void mask_relu(const float *output, float *d, int64_t n, int64_t vectors) {
    for (int64_t o = 0; o < n; o++)
        for (int64_t v = 0; v < vectors; v++) {
            const vec y = load(output + o * TILE + v * W);
            store(d + o * TILE + v * W, y > 0.0f ? load(d + o * TILE + v * W) : vec{});
        }
}

// Backward through a stack. d holds the derivative of its output and is used up, `other` is of the same size; gives
// whichever of the two holds the derivative of its input at the end, or nothing sensible if that is not wanted.
inline float *stack_backward(const Stack &stack, const Workspace *work, const float *in, float *d, float *other,
                             bool want_input, int64_t vectors) {
    for (int64_t i = stack.n - 1; i >= 0; i--) {
        const Layer &l = stack.layers[i];
        const float *input = i ? work[i - 1].output : in;
        if (l.relu) mask_relu(work[i].output, d, l.n_out(), vectors);
        const Junction &s = l.stored;
        const float *from = l.stored_is_forward ? input : d, *to = l.stored_is_forward ? d : input;
        auto *rows = reinterpret_cast<int32_t *>(scratch(Scratch::weight, s.degree * s.r));
        with_numbers(s.table, [&](const auto *table) {
            for (int64_t block = 0; block < s.n_blocks; block++)
                block_grad<TILE>(s, table + block * s.degree, 0, s.degree, 0, from, to + block * s.c * TILE,
                                 work[i].dweight + block * s.degree * s.r * s.c, rows, vectors);
        });
        if (l.bias.size) add_row_sums<TILE>(d, l.n_out(), work[i].dbias, vectors);
        if (i || want_input) {
            run_junction(l.backward(), backward_weights(l, work[i]), nullptr, d, other, vectors);
            float *swap = d;
            d = other;
            other = swap;
        }
    }
    return d;
}

inline void adam(const Parameter &p, const float *gradient, const Adam &a) {
    const auto beta1 = static_cast<float>(1 - a.beta1), beta2 = static_cast<float>(a.beta2);
    const auto rest2 = static_cast<float>(1 - a.beta2), epsilon = static_cast<float>(a.epsilon);
    const auto step = static_cast<float>(a.learning_rate / (1 - __builtin_pow(a.beta1, a.step)));
    const auto root2 = static_cast<float>(__builtin_sqrt(1 - __builtin_pow(a.beta2, a.step)));
    for (int64_t i = 0; i < p.size; i++) {
        const float g = gradient[i];
        p.mean[i] += beta1 * (g - p.mean[i]);
        p.square[i] = p.square[i] * beta2 + rest2 * g * g;
        p.value[i] -= step * p.mean[i] / (__builtin_sqrtf(p.square[i]) / root2 + epsilon);
    }
}

inline double train_step(const Network &net, const Batch &batch, const Adam &settings) {
    const Stack stacks[] = {net.head, net.exit, net.tail};
    Workspace work[MAX_LAYERS];
    int64_t widest = 0;
    Arena arena{nullptr, 0};
    float *gradients = nullptr, *xt = nullptr, *shares = nullptr, *d[4] = {};
    const Stack &first = net.head.n ? net.head : net.tail;
    const int64_t n_in = first.layers[0].n_in(), n_classes = net.tail.layers[net.tail.n - 1].n_out();
    for (int pass = 0; pass < 2; pass++) {  // count, then hand out; the gradients lie side by side
        if (pass) arena = {scratch(Scratch::network, arena.used), 0};
        gradients = arena.take(0);
        int64_t k = 0;
        for (const Stack &stack : stacks)
            for (int64_t i = 0; i < stack.n; i++, k++) {
                work[k].dweight = arena.take(stack.layers[i].weight.size);
                work[k].dbias = arena.take(stack.layers[i].bias.size);
            }
        const int64_t n_gradients = arena.used;
        if (pass) std::memset(gradients, 0, n_gradients * sizeof(float));
        k = 0;
        for (const Stack &stack : stacks)
            for (int64_t i = 0; i < stack.n; i++, k++) {
                const Layer &l = stack.layers[i];
                work[k].output = arena.take(l.n_out() * TILE);
                widest = widest > l.n_out() ? widest : l.n_out();
                const bool first_layer = &l == first.layers;
                if (!first_layer) widest = widest > l.n_in() ? widest : l.n_in();
                if (first_layer && l.stored_is_forward) continue;  // nobody asks for the derivative of the samples
                work[k].turned = arena.take(l.weight.size);
                if (pass) turn_weights(l.turned, l.weight.value, work[k].turned, 1);
            }
        xt = arena.take(n_in * TILE);
        if (batch.shares) shares = arena.take(n_classes * TILE);
        for (float *&buffer : d) buffer = arena.take(widest * TILE);
    }

    const Workspace *head = work, *exit = head + net.head.n, *tail = exit + net.exit.n;
    const auto share = 1.0f / static_cast<float>(batch.size);
    double tail_loss = 0, exit_loss = 0;
    for (int64_t b0 = 0; b0 < batch.size; b0 += TILE) {
        const int64_t samples = smaller(TILE, batch.size - b0), vectors = (samples + W - 1) / W;
        const int64_t *rows = batch.rows + b0;
        int64_t labels[TILE];
        if (batch.shares)
            pack_rows<TILE>([&](int64_t s) { return batch.shares + rows[s] * n_classes; }, n_classes, samples, shares);
        else
            for (int64_t s = 0; s < samples; s++) labels[s] = batch.labels[rows[s]];
        pack_rows<TILE>([&](int64_t s) { return batch.x + rows[s] * n_in; }, n_in, samples, xt);

        const float *features = stack_forward(net.head, head, xt, vectors);
        float *d_features = nullptr;
        auto branch = [&](const Stack &stack, const Workspace *space, float weight, float *a, float *b) {
            const float *scores = stack_forward(stack, space, features, vectors);
            std::memcpy(a, scores, n_classes * TILE * sizeof(float));
            const double loss = cross_entropy<TILE>(a, n_classes, labels, shares, samples, weight * share);
            d_features = stack_backward(stack, space, features, a, b, net.head.n > 0, vectors);
            return loss;
        };
        tail_loss += branch(net.tail, tail, 1.0f, d[0], d[1]);
        if (net.exit.n) {
            float *of_tail = d_features;
            exit_loss += branch(net.exit, exit, net.exit_weight, d[2], d[3]);
            const int64_t n = net.exit.layers[0].n_in() * TILE;
            for (int64_t i = 0; i < n; i += W) store(of_tail + i, load(of_tail + i) + load(d_features + i));
            d_features = of_tail;
        }
        if (net.head.n)
            stack_backward(net.head, head, xt, d_features, d_features == d[0] ? d[1] : d[0], false, vectors);
    }
    int64_t k = 0;
    for (const Stack &stack : stacks)
        for (int64_t i = 0; i < stack.n; i++, k++) {
            adam(stack.layers[i].weight, work[k].dweight, settings);
            adam(stack.layers[i].bias, work[k].dbias, settings);
        }
    return (tail_loss + net.exit_weight * exit_loss) / static_cast<double>(batch.size);
}

}  // namespace offramp::OFFRAMP_ISA

// The kernels without Python: every instruction set of this build against plain loops. Built by test_native_builds.py
// as other machines would build it (no OpenMP, another processor). Prints what differs; exits 0 if nothing does.
#include <cmath>
#include <cstdio>
#include <vector>

#include "../../native/kernels/network.hpp"

using namespace offramp;

struct Case {
    int64_t rows, degree, cols, r, c, batch;  // blocks of outputs, input blocks of each, input blocks, block, samples
};

static float noise(uint32_t &state) {
    state = state * 1664525u + 1013904223u;
    return static_cast<float>(state >> 8) / (1 << 23) - 1.0f;
}

static int differs(const char *isa, const char *what, const std::vector<float> &have, const std::vector<double> &want) {
    for (size_t i = 0; i < want.size(); i++)
        if (!(std::fabs(have[i] - want[i]) < 1e-4)) {
            std::printf("%s %s: element %zu is %g, not %g\n", isa, what, i, have[i], want[i]);
            return 1;
        }
    return 0;
}

static int check(const Kernels &kernels, const Case &k) {
    const int64_t n_in = k.cols * k.r, n_out = k.rows * k.c, edges = k.rows * k.degree, out_degree = edges / k.cols;
    uint32_t state = 1;
    std::vector<int32_t> table(edges), reverse_table(edges), filled(k.cols);
    for (int64_t e = 0; e < edges; e++) table[e] = static_cast<int32_t>(e % k.cols);
    for (int64_t e = 0; e < edges; e++) {
        const int64_t slot = table[e] * out_degree + filled[table[e]]++;
        reverse_table[slot] = static_cast<int32_t>(e / k.degree);
    }
    std::vector<float> x(k.batch * n_in), dy(k.batch * n_out), w(edges * k.r * k.c), b(n_out);
    for (auto *v : {&x, &dy, &w, &b})
        for (float &f : *v) f = noise(state);

    std::vector<double> y(dy.size()), dx(x.size()), dw(w.size()), db(n_out);
    for (int64_t s = 0; s < k.batch; s++) {
        for (int64_t o = 0; o < n_out; o++) y[s * n_out + o] = b[o], db[o] += dy[s * n_out + o];
        for (int64_t e = 0; e < edges; e++)
            for (int64_t i = 0; i < k.r; i++)
                for (int64_t j = 0; j < k.c; j++) {
                    const int64_t in = s * n_in + table[e] * k.r + i, out = s * n_out + e / k.degree * k.c + j;
                    const int64_t at = (e * k.r + i) * k.c + j;
                    y[out] += double(w[at]) * x[in];
                    dx[in] += double(w[at]) * dy[out];
                    dw[at] += double(x[in]) * dy[out];
                }
    }

    const Junction junction{n_in, k.rows, k.degree, k.r, k.c, {table.data(), true}};
    const Junction reverse{n_out, k.cols, out_degree, k.c, k.r, {reverse_table.data(), true}};
    std::vector<float> y2(y.size()), dx2(dx.size()), dw2(dw.size()), db2(n_out);
    kernels.forward(junction, x.data(), w.data(), b.data(), y2.data(), k.batch, 2);
    grad_input(kernels, reverse, dy.data(), w.data(), dx2.data(), k.batch, 2);
    kernels.grad_weight(junction, x.data(), dy.data(), dw2.data(), db2.data(), k.batch, 2);
    return differs(kernels.name, "forward", y2, y) + differs(kernels.name, "grad_input", dx2, dx) +
           differs(kernels.name, "grad_weight", dw2, dw) + differs(kernels.name, "grad_bias", db2, db);
}

// One dense layer of 3 scores, trained for one step with Adam: after it every weight has moved by the learning rate
// against the sign of its gradient, which plain loops compute here. `soft` gives each label as its share of a sample.
static int check_train_step(const Kernels &kernels, bool soft) {
    const int64_t n_in = 5, n_out = 3, batch = 70;
    uint32_t state = 7;
    std::vector<float> x(batch * n_in), w(n_out * n_in), zero(w.size()), zero2(w.size()), shares(batch * n_out);
    for (auto *v : {&x, &w})
        for (float &f : *v) f = noise(state);
    std::vector<int64_t> rows(batch), labels(batch);
    std::vector<double> gradient(w.size()), loss(1);
    for (int64_t s = 0; s < batch; s++) {
        rows[s] = s, labels[s] = s % n_out, shares[s * n_out + s % n_out] = 1.0f;
        double e[n_out], total = 0;
        for (int64_t o = 0; o < n_out; o++) {
            double score = 0;
            for (int64_t i = 0; i < n_in; i++) score += double(w[o * n_in + i]) * x[s * n_in + i];
            total += e[o] = std::exp(score);
        }
        loss[0] -= std::log(e[labels[s]] / total) / batch;
        for (int64_t o = 0; o < n_out; o++)
            for (int64_t i = 0; i < n_in; i++)
                gradient[o * n_in + i] += (e[o] / total - (o == labels[s])) * x[s * n_in + i] / batch;
    }
    std::vector<double> moved;
    for (size_t i = 0; i < w.size(); i++) moved.push_back(w[i] - (gradient[i] > 0 ? 0.5 : -0.5));

    const uint16_t block = 0;
    const Layer layer{{n_out, 1, 1, n_out, n_in, {&block, false}}, {n_in, 1, 1, n_in, n_out, {&block, false}}, false, false,
                      {w.data(), zero.data(), zero2.data(), n_out * n_in}, {}};
    const Network network{{nullptr, 0}, {nullptr, 0}, {&layer, 1}, 0.0f};
    const Batch samples{x.data(), rows.data(), soft ? nullptr : labels.data(), soft ? shares.data() : nullptr, batch};
    const std::vector<float> have{
        static_cast<float>(kernels.train_step(network, samples, {0.5, 0.9, 0.999, 1e-12, 1}))};
    return differs(kernels.name, "loss", have, loss) + differs(kernels.name, "train_step", w, moved);
}

int main() {
    const Case cases[] = {{8, 6, 12, 1, 1, 70}, {8, 6, 12, 4, 4, 70}, {6, 4, 8, 3, 5, 17},
                          {5, 3, 15, 2, 8, 64}, {4, 4, 4, 1, 2, 3},   {7, 7, 7, 2, 1, 130}};
    const Kernels *all[3];
    const int n = available(all);
    int wrong = 0;
    for (int i = 0; i < n; i++) {
        for (const Case &k : cases) wrong += check(*all[i], k);
        for (bool soft : {false, true}) wrong += check_train_step(*all[i], soft);
    }
    std::printf("openmp=%d wrong=%d\n", has_openmp(), wrong);
    return wrong != 0;
}

// Binds the training step: an object that knows a network's arrays and steps through batches.
#include <vector>

#include "../kernels/network.hpp"
#include "arrays.hpp"

using offramp::Junction;
using offramp::Layer;
using offramp::Parameter;

namespace {

using Labels = In<int64_t, 1>;
using Shares = In<float, 2>;
using Flat = Out<1>;

// The arrays are kept alive; their memory is read and written in place at every step.
class TrainStep {
   public:
    // Appends a layer to stack 0 (head), 1 (exit) or 2 (tail). weight, mean, square are flat.
    void add_layer(int stack, Numbers table, Numbers reverse_table, int64_t n_in, int64_t n_out, int64_t r,
                   int64_t c, bool stored_is_forward, bool relu, Flat weight, Flat weight_mean, Flat weight_square,
                   std::optional<Flat> bias, std::optional<Flat> bias_mean, std::optional<Flat> bias_square) {
        const int64_t from = stored_is_forward ? n_in : n_out, to = stored_is_forward ? n_out : n_in;
        const Junction stored = junction(table, from, r, c), turned = junction(reverse_table, to, c, r);
        const auto n_blocks = static_cast<int64_t>(table.size());
        const auto edges = static_cast<size_t>(n_blocks * r * c), outputs = static_cast<size_t>(n_out);
        if (reverse_table.size() != table.size() || stored.n_out() != to ||
            turned.n_out() != from || weight.size() != edges || weight_mean.size() != edges ||
            weight_square.size() != edges || (bias && (bias->size() != outputs || !bias_mean || !bias_square ||
            bias_mean->size() != outputs || bias_square->size() != outputs)))
            throw nb::value_error("the arrays of a layer do not fit one another");
        if (!offramp::is_reverse(turned))
            throw nb::value_error("the reverse table of a layer belongs to another table");
        if (layers_[0].size() + layers_[1].size() + layers_[2].size() >= offramp::MAX_LAYERS)
            throw nb::value_error("a network may have at most 64 layers");
        if (!layers_[stack].empty() && layers_[stack].back().n_out() != n_in)
            throw nb::value_error("a layer does not take what the layer before it gives");
        layers_[stack].push_back({stored, turned, stored_is_forward, relu,
                                  parameter(weight, weight_mean, weight_square),
                                  bias ? parameter(*bias, *bias_mean, *bias_square) : Parameter{}});
        tables_.insert(tables_.end(), {table, reverse_table});
    }

    // One of labels (n,) and shares (n, n_classes) says what is to come out; the other is none.
    double step(In<float, 2> x, const std::optional<Labels> &labels, const std::optional<Shares> &shares, Labels rows,
                double exit_weight, double learning_rate, double beta1, double beta2, double epsilon, int64_t step,
                const std::optional<std::string> &isa) {
        const offramp::Network network{view(0), view(1), view(2), static_cast<float>(exit_weight)};
        check(network, x, labels, shares, rows);
        const offramp::Batch batch{x.data(), rows.data(), labels ? labels->data() : nullptr,
                                   shares ? shares->data() : nullptr, static_cast<int64_t>(rows.size())};
        const offramp::Kernels &k = kernels(isa);
        nb::gil_scoped_release release;
        return k.train_step(network, batch, {learning_rate, beta1, beta2, epsilon, step});
    }

   private:
    offramp::Stack view(int stack) const {
        return {layers_[stack].data(), static_cast<int64_t>(layers_[stack].size())};
    }

    Parameter parameter(const Flat &value, const Flat &mean, const Flat &square) {
        parameters_.insert(parameters_.end(), {value, mean, square});
        return {value.data(), mean.data(), square.data(), static_cast<int64_t>(value.size())};
    }

    static void check(const offramp::Network &n, const In<float, 2> &x, const std::optional<Labels> &labels,
                      const std::optional<Shares> &shares, const Labels &rows) {
        if (!n.tail.n || (n.exit.n && !n.head.n)) throw nb::value_error("a network needs a tail, and a head for an exit");
        const offramp::Stack &first = n.head.n ? n.head : n.tail;
        const int64_t n_classes = n.tail.layers[n.tail.n - 1].n_out();
        if (n.head.n)
            for (const offramp::Stack *branch : {&n.exit, &n.tail})
                if (branch->n && branch->layers[0].n_in() != n.head.layers[n.head.n - 1].n_out())
                    throw nb::value_error("exit and tail take what the head gives");
        if (n.exit.n && n.exit.layers[n.exit.n - 1].n_out() != n_classes)
            throw nb::value_error("exit and tail have one score for each class");
        const size_t n_samples = x.shape(0);
        const bool fits = labels ? !shares && labels->size() == n_samples
                                 : shares && shares->shape(0) == n_samples &&
                                       static_cast<int64_t>(shares->shape(1)) == n_classes;
        if (static_cast<int64_t>(x.shape(1)) != first.layers[0].n_in() || !fits || !rows.size())
            throw nb::value_error("samples and targets do not fit the network");
        for (size_t i = 0; i < rows.size(); i++) {
            const int64_t row = rows.data()[i];
            if (row < 0 || row >= static_cast<int64_t>(n_samples)) throw nb::index_error("no such sample");
            if (!labels) continue;
            const int64_t label = labels->data()[row];
            if (label < 0 || label >= n_classes) throw nb::index_error("a label is no class of the network");
        }
    }

    std::vector<Layer> layers_[3];
    std::vector<Numbers> tables_;
    std::vector<Flat> parameters_;
};

}  // namespace

void register_network(nb::module_ &m) {
    nb::class_<TrainStep>(m, "TrainStep")
        .def(nb::init<>())
        .def("add_layer", &TrainStep::add_layer, nb::arg("stack"), nb::arg("table").noconvert(),
             nb::arg("reverse_table").noconvert(), nb::arg("n_in"), nb::arg("n_out"),
             nb::arg("r"), nb::arg("c"), nb::arg("stored_is_forward"), nb::arg("relu"), nb::arg("weight").noconvert(),
             nb::arg("weight_mean").noconvert(), nb::arg("weight_square").noconvert(),
             nb::arg("bias").noconvert().none(), nb::arg("bias_mean").noconvert().none(),
             nb::arg("bias_square").noconvert().none())
        .def("step", &TrainStep::step, nb::arg("x").noconvert(), nb::arg("labels").noconvert().none(),
             nb::arg("shares").noconvert().none(), nb::arg("rows").noconvert(), nb::arg("exit_weight"),
             nb::arg("learning_rate"), nb::arg("beta1"), nb::arg("beta2"), nb::arg("epsilon"), nb::arg("step"),
             nb::arg("isa").none());
}

// Binds the junction kernels. Arrays come checked for type and shape by offramp.kernels; what could reach outside
// memory (an index in a table) is checked here, once a call, at less than the cost of an edge.
#include <nanobind/stl/vector.h>

#include <vector>

#include "arrays.hpp"

using offramp::Junction;
using offramp::Kernels;

namespace {

void forward(In<float, 2> x, In<float, 3> weight, Table table, std::optional<In<float, 1>> bias, Out<2> y, int64_t r, int64_t c,
             int threads, std::optional<std::string> isa) {
    const Kernels &k = kernels(isa);
    const Junction j = junction(table, x.shape(1), r, c);
    nb::gil_scoped_release release;
    k.forward(j, x.data(), weight.data(), bias ? bias->data() : nullptr, y.data(), x.shape(0), threads);
}

void grad_input(In<float, 2> dy, In<float, 3> weight, Table reverse_table, Table reverse_position, Out<2> dx, int64_t r, int64_t c,
                int threads, std::optional<std::string> isa) {
    const Kernels &k = kernels(isa);
    const Junction j = junction(reverse_table, dy.shape(1), c, r);
    check_range(reverse_position.data(), reverse_position.size(), weight.shape(0) * weight.shape(1));
    nb::gil_scoped_release release;
    offramp::grad_input(k, j, reverse_position.data(), dy.data(), weight.data(), dx.data(), dy.shape(0), threads);
}

void grad_weight(In<float, 2> x, In<float, 2> dy, Table table, Out<3> dweight, Out<1> dbias, int64_t r, int64_t c, int threads,
                 std::optional<std::string> isa) {
    const Kernels &k = kernels(isa);
    const Junction j = junction(table, x.shape(1), r, c);
    nb::gil_scoped_release release;
    k.grad_weight(j, x.data(), dy.data(), dweight.data(), dbias.data(), x.shape(0), threads);
}

std::vector<std::string> available_isas() {
    const Kernels *all[3];
    const int n = offramp::available(all);
    std::vector<std::string> names;
    for (int i = 0; i < n; i++) names.emplace_back(all[i]->name);
    return names;
}

}  // namespace

void register_junction(nb::module_ &m) {
    m.def("forward", &forward, nb::arg("x").noconvert(), nb::arg("weight").noconvert(), nb::arg("table").noconvert(),
          nb::arg("bias").noconvert().none(), nb::arg("y").noconvert(), nb::arg("r"), nb::arg("c"),
          nb::arg("threads"), nb::arg("isa").none());
    m.def("grad_input", &grad_input, nb::arg("dy").noconvert(), nb::arg("weight").noconvert(),
          nb::arg("reverse_table").noconvert(), nb::arg("reverse_position").noconvert(), nb::arg("dx").noconvert(),
          nb::arg("r"), nb::arg("c"), nb::arg("threads"), nb::arg("isa").none());
    m.def("grad_weight", &grad_weight, nb::arg("x").noconvert(), nb::arg("dy").noconvert(),
          nb::arg("table").noconvert(), nb::arg("dweight").noconvert(), nb::arg("dbias").noconvert(), nb::arg("r"),
          nb::arg("c"), nb::arg("threads"), nb::arg("isa").none());
    m.def("available_isas", &available_isas);
    m.def("has_openmp", &offramp::has_openmp);
}

// Binds the junction kernels. Arrays come checked for type and shape by offramp.kernels; what could reach outside
// memory (an index in a table) is checked here, once a call, at less than the cost of an edge.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <vector>

#include "../kernels/junction.hpp"

namespace nb = nanobind;
using offramp::Junction;
using offramp::Kernels;

namespace {

template <int D>
using In = nb::ndarray<const float, nb::ndim<D>, nb::c_contig, nb::device::cpu>;
template <int D>
using Out = nb::ndarray<float, nb::ndim<D>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

const Kernels &kernels(const char *isa) {
    const Kernels *found = offramp::find(isa);
    if (!found) throw nb::value_error("this machine has no such instruction set; see offramp.kernels.available_isas()");
    return *found;
}

void check_range(const int32_t *index, size_t n, int64_t limit) {
    uint32_t top = 0;
    for (size_t i = 0; i < n; i++) top = top > static_cast<uint32_t>(index[i]) ? top : static_cast<uint32_t>(index[i]);
    if (n && static_cast<int64_t>(top) >= limit) throw nb::index_error("index table points outside of the junction");
}

Junction junction(const Table &table, int64_t n_in, int64_t r, int64_t c) {
    check_range(table.data(), table.size(), n_in / r);
    return {n_in, static_cast<int64_t>(table.shape(0)), static_cast<int64_t>(table.shape(1)), r, c, table.data()};
}

void forward(In<2> x, In<3> weight, Table table, std::optional<In<1>> bias, Out<2> y, int64_t r, int64_t c,
             int threads, std::optional<std::string> isa) {
    const Kernels &k = kernels(isa ? isa->c_str() : nullptr);
    const Junction j = junction(table, x.shape(1), r, c);
    nb::gil_scoped_release release;
    k.forward(j, x.data(), weight.data(), bias ? bias->data() : nullptr, y.data(), x.shape(0), threads);
}

void grad_input(In<2> dy, In<3> weight, Table reverse_table, Table reverse_position, Out<2> dx, int64_t r, int64_t c,
                int threads, std::optional<std::string> isa) {
    const Kernels &k = kernels(isa ? isa->c_str() : nullptr);
    const Junction j = junction(reverse_table, dy.shape(1), c, r);
    check_range(reverse_position.data(), reverse_position.size(), weight.shape(0) * weight.shape(1));
    nb::gil_scoped_release release;
    offramp::grad_input(k, j, reverse_position.data(), dy.data(), weight.data(), dx.data(), dy.shape(0), threads);
}

void grad_weight(In<2> x, In<2> dy, Table table, Out<3> dweight, Out<1> dbias, int64_t r, int64_t c, int threads,
                 std::optional<std::string> isa) {
    const Kernels &k = kernels(isa ? isa->c_str() : nullptr);
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

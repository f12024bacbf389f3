// Binds the junction kernels. Arrays come checked for type and shape by offramp.kernels; what could reach outside
// memory (an index in a table) is checked here, once a call, at less than the cost of an edge.
#include <nanobind/stl/vector.h>

#include <vector>

#include "arrays.hpp"

using offramp::bfloat16;
using offramp::Junction;
using offramp::Kernels;

namespace {

void run_grad_input(const Kernels &k, const Junction &reverse, const float *dy, const float *weight, float *dx, int64_t batch,
                    int threads) {
    bool sound;
    {
        nb::gil_scoped_release release;
        sound = offramp::grad_input(k, reverse, dy, weight, dx, batch, threads);
    }
    if (!sound) throw nb::index_error("the reverse table belongs to another junction");
}

void forward(In<float, 2> x, In<float, 3> weight, Numbers table, std::optional<In<float, 1>> bias, Out<2> y, int64_t r,
             int64_t c, int threads, std::optional<std::string> isa) {
    const Kernels &k = kernels(isa);
    const Junction j = junction(table, x.shape(1), r, c);
    nb::gil_scoped_release release;
    k.forward(j, x.data(), weight.data(), bias ? bias->data() : nullptr, y.data(), x.shape(0), threads);
}

// bfloat16 as the bits of uint16, since NumPy has no such type.
const bfloat16 *bits(const uint16_t *p) { return reinterpret_cast<const bfloat16 *>(p); }

void forward_bfloat16(In<uint16_t, 2> x, In<uint16_t, 3> weight, Numbers table, std::optional<In<uint16_t, 1>> bias,
                      nb::ndarray<uint16_t, nb::ndim<2>, nb::c_contig, nb::device::cpu> y, int64_t r, int64_t c, int threads,
                      std::optional<std::string> isa) {
    const Kernels &k = kernels(isa);
    const Junction j = junction(table, x.shape(1), r, c);
    nb::gil_scoped_release release;
    k.forward_bfloat16(j, bits(x.data()), bits(weight.data()), bias ? bits(bias->data()) : nullptr,
                       reinterpret_cast<bfloat16 *>(y.data()), x.shape(0), threads);
}

void grad_input(In<float, 2> dy, In<float, 3> weight, Numbers reverse_table, Out<2> dx, int64_t r, int64_t c, int threads,
                std::optional<std::string> isa) {
    const Kernels &k = kernels(isa);
    run_grad_input(k, junction(reverse_table, dy.shape(1), c, r), dy.data(), weight.data(), dx.data(), dy.shape(0), threads);
}

void grad_weight(In<float, 2> x, In<float, 2> dy, Numbers table, Out<3> dweight, Out<1> dbias, int64_t r, int64_t c,
                 int threads, std::optional<std::string> isa) {
    const Kernels &k = kernels(isa);
    const Junction j = junction(table, x.shape(1), r, c);
    nb::gil_scoped_release release;
    k.grad_weight(j, x.data(), dy.data(), dweight.data(), dbias.data(), x.shape(0), threads);
}

// --- The same on addresses, for offramp.nn, which has checked its tensors: an ndarray costs more than a small kernel. ---

using Address = uintptr_t;

Junction junction_at(Address table, bool wide, int64_t n_blocks, int64_t degree, int64_t n_in, int64_t r, int64_t c) {
    return junction(offramp::Table{reinterpret_cast<const void *>(table), wide}, n_blocks, degree, n_in, r, c);
}

template <class T = const float>
T *at(Address address) {
    return reinterpret_cast<T *>(address);
}

void forward_at(Address x, Address weight, Address bias, Address y, int64_t batch, int64_t n_in, Address table, bool wide,
                int64_t n_blocks, int64_t degree, int64_t r, int64_t c, int threads) {
    const Kernels &k = kernels(std::nullopt);
    const Junction j = junction_at(table, wide, n_blocks, degree, n_in, r, c);
    nb::gil_scoped_release release;
    k.forward(j, at(x), at(weight), at(bias), at<float>(y), batch, threads);
}

void forward_bfloat16_at(Address x, Address weight, Address bias, Address y, int64_t batch, int64_t n_in, Address table,
                         bool wide, int64_t n_blocks, int64_t degree, int64_t r, int64_t c, int threads) {
    const Kernels &k = kernels(std::nullopt);
    const Junction j = junction_at(table, wide, n_blocks, degree, n_in, r, c);
    nb::gil_scoped_release release;
    k.forward_bfloat16(j, at<const bfloat16>(x), at<const bfloat16>(weight), at<const bfloat16>(bias), at<bfloat16>(y), batch,
                       threads);
}

// The table is the reverse one, n_blocks and degree are its.
void grad_input_at(Address dy, Address weight, Address dx, int64_t batch, int64_t n_out, Address table, bool wide,
                   int64_t n_blocks, int64_t degree, int64_t r, int64_t c, int threads) {
    run_grad_input(kernels(std::nullopt), junction_at(table, wide, n_blocks, degree, n_out, c, r), at(dy), at(weight),
                   at<float>(dx), batch, threads);
}

void grad_weight_at(Address x, Address dy, Address dweight, Address dbias, int64_t batch, int64_t n_in, Address table,
                    bool wide, int64_t n_blocks, int64_t degree, int64_t r, int64_t c, int threads) {
    const Kernels &k = kernels(std::nullopt);
    const Junction j = junction_at(table, wide, n_blocks, degree, n_in, r, c);
    nb::gil_scoped_release release;
    k.grad_weight(j, at(x), at(dy), at<float>(dweight), at<float>(dbias), batch, threads);
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
          nb::arg("reverse_table").noconvert(), nb::arg("dx").noconvert(), nb::arg("r"), nb::arg("c"), nb::arg("threads"),
          nb::arg("isa").none());
    m.def("forward_bfloat16", &forward_bfloat16, nb::arg("x").noconvert(), nb::arg("weight").noconvert(),
          nb::arg("table").noconvert(), nb::arg("bias").noconvert().none(), nb::arg("y").noconvert(), nb::arg("r"),
          nb::arg("c"), nb::arg("threads"), nb::arg("isa").none());
    m.def("forward_at", &forward_at);
    m.def("forward_bfloat16_at", &forward_bfloat16_at);
    m.def("grad_input_at", &grad_input_at);
    m.def("grad_weight_at", &grad_weight_at);
    m.def("grad_weight", &grad_weight, nb::arg("x").noconvert(), nb::arg("dy").noconvert(),
          nb::arg("table").noconvert(), nb::arg("dweight").noconvert(), nb::arg("dbias").noconvert(), nb::arg("r"),
          nb::arg("c"), nb::arg("threads"), nb::arg("isa").none());
    m.def("available_isas", &available_isas);
    m.def("has_openmp", &offramp::has_openmp);
}

// Array types of the bindings, and the check that no index reaches outside of a junction.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <optional>
#include <string>

#include "../kernels/junction.hpp"

namespace nb = nanobind;

template <class T, int D>
using In = nb::ndarray<const T, nb::ndim<D>, nb::c_contig, nb::device::cpu>;
template <int D>
using Out = nb::ndarray<float, nb::ndim<D>, nb::c_contig, nb::device::cpu>;
// uint16 or int32, see `table`.
using Numbers = nb::ndarray<nb::ro, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

inline const offramp::Kernels &kernels(const std::optional<std::string> &isa) {
    const offramp::Kernels *found = offramp::find(isa ? isa->c_str() : nullptr);
    if (!found) throw nb::value_error("this machine has no such instruction set; see offramp.kernels.available_isas()");
    return *found;
}

inline offramp::Table table(const Numbers &numbers) {
    const bool wide = numbers.dtype() == nb::dtype<int32_t>();
    if (!wide && numbers.dtype() != nb::dtype<uint16_t>()) throw nb::type_error("a table is uint16 or int32");
    return {numbers.data(), wide};
}

inline offramp::Junction junction(const offramp::Table &table, int64_t n_blocks, int64_t degree, int64_t n_in, int64_t r,
                                  int64_t c) {
    const int64_t n = n_blocks * degree, top = n ? offramp::find(nullptr)->largest(table, n) : -1;
    if (top >= n_in / r) throw nb::index_error("index table points outside of the junction");
    if (top + 1 != n_in / r) throw nb::index_error("the last inputs of the junction have no edge, so its width is another");
    return {n_in, n_blocks, degree, r, c, table};
}

inline offramp::Junction junction(const Numbers &numbers, int64_t n_in, int64_t r, int64_t c) {
    return junction(table(numbers), static_cast<int64_t>(numbers.shape(0)), static_cast<int64_t>(numbers.shape(1)), n_in,
                    r, c);
}

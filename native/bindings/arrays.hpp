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
using Table = In<int32_t, 2>;

inline const offramp::Kernels &kernels(const std::optional<std::string> &isa) {
    const offramp::Kernels *found = offramp::find(isa ? isa->c_str() : nullptr);
    if (!found) throw nb::value_error("this machine has no such instruction set; see offramp.kernels.available_isas()");
    return *found;
}

// Gives the largest index.
inline int64_t check_range(const int32_t *index, size_t n, int64_t limit) {
    uint32_t top = 0;
    for (size_t i = 0; i < n; i++) top = top > static_cast<uint32_t>(index[i]) ? top : static_cast<uint32_t>(index[i]);
    if (n && static_cast<int64_t>(top) >= limit)
        throw nb::index_error("index table points outside of the junction");
    return top;
}

inline offramp::Junction junction(const Table &table, int64_t n_in, int64_t r, int64_t c) {
    if (check_range(table.data(), table.size(), n_in / r) + 1 != n_in / r)
        throw nb::index_error("the last inputs of the junction have no edge, so its width is another");
    return {n_in, static_cast<int64_t>(table.shape(0)), static_cast<int64_t>(table.shape(1)), r, c, table.data()};
}

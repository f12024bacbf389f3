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

// The largest number of a table of n; negative ones count as huge.
inline int64_t largest(const offramp::Table &table, int64_t n) {
    int64_t top = -1;
    offramp::with_numbers(table, [&](const auto *numbers) {
        uint32_t most = 0;
        for (int64_t i = 0; i < n; i++) {
            const auto number = static_cast<uint32_t>(numbers[i]);
            most = most > number ? most : number;
        }
        if (n) top = most;
    });
    return top;
}

inline offramp::Junction junction(const offramp::Table &table, int64_t n_blocks, int64_t degree, int64_t n_in, int64_t r,
                                  int64_t c) {
    const int64_t top = largest(table, n_blocks * degree);
    if (top >= n_in / r) throw nb::index_error("index table points outside of the junction");
    if (top + 1 != n_in / r) throw nb::index_error("the last inputs of the junction have no edge, so its width is another");
    return {n_in, n_blocks, degree, r, c, table};
}

inline offramp::Junction junction(const Numbers &numbers, int64_t n_in, int64_t r, int64_t c) {
    return junction(table(numbers), static_cast<int64_t>(numbers.shape(0)), static_cast<int64_t>(numbers.shape(1)), n_in,
                    r, c);
}

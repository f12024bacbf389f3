"""Native kernels, on every instruction set, against the reference; the reference against a dense matrix."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp import kernels
from offramp.pattern import Pattern, PatternSpec, feasible_out_degrees

ISAS = kernels.available_isas()
# Batches around every edge of the kernels: none, single samples, one vector, one tile, tiles with a rest.
BATCHES = (0, 1, 4, 5, 15, 16, 63, 64, 65, 128, 200)


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    """A pattern of any feasible degrees and any block, those included that no kernel is specialised for."""
    r, c = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    n_in, n_out = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    degree = draw(st.sampled_from(list(feasible_out_degrees(n_in, n_out))))
    return PatternSpec("block", block=(r, c), seed=draw(st.integers(0, 9))).build(
        n_in * r, n_out * c, degree * c
    )


def arrays(pattern: Pattern, batch: int, dtype: type = np.float32) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(7)
    r, c = pattern.block
    shapes = (
        (batch, pattern.n_in),
        (*pattern.table.shape, r * c),
        (pattern.n_out,),
        (batch, pattern.n_out),
    )
    return tuple(rng.standard_normal(shape).astype(dtype) for shape in shapes)


def dense_weight(pattern: Pattern, weight: np.ndarray) -> np.ndarray:
    """(n_in, n_out) with zeros where there is no edge, built edge by edge."""
    r, c = pattern.block
    dense = np.zeros((pattern.n_in, pattern.n_out), weight.dtype)
    for o, row in enumerate(pattern.table):
        for k, block in enumerate(row):
            for i in range(r):
                for j in range(c):
                    dense[block * r + i, o * c + j] = weight[o, k, i * c + j]
    return dense


def close(have: np.ndarray, want: np.ndarray, terms: int) -> None:
    np.testing.assert_allclose(have, want, rtol=0, atol=2e-6 * (terms + 1))


@given(patterns(), st.sampled_from((0, 1, 3, 8)))
@settings(max_examples=40)
def test_reference_equals_a_dense_matrix_with_zeros(pattern: Pattern, batch: int) -> None:
    x, weight, bias, dy = arrays(pattern, batch, np.float64)
    dense = dense_weight(pattern, weight)
    reverse = pattern.reverse()
    reference = kernels.reference

    y = reference.forward(x, weight, pattern.table, bias, block=pattern.block)
    dx = reference.grad_input(dy, weight, reverse, block=pattern.block)
    dw, db = reference.grad_weight(x, dy, pattern.table, block=pattern.block)

    np.testing.assert_allclose(y, x @ dense + bias, atol=1e-12)
    np.testing.assert_allclose(dx, dy @ dense.T, atol=1e-12)
    every_edge = dense_weight(pattern, np.ones_like(weight))
    np.testing.assert_allclose(dense_weight(pattern, dw), (x.T @ dy) * every_edge, atol=1e-12)
    np.testing.assert_allclose(db, dy.sum(0), atol=1e-12)


@pytest.mark.parametrize("isa", ISAS)
@given(patterns(), st.sampled_from(BATCHES), st.integers(1, 3))
@settings(max_examples=60)
def test_native_equals_reference(isa: str, pattern: Pattern, batch: int, threads: int) -> None:
    x, weight, bias, dy = arrays(pattern, batch)
    reverse, block, reference = pattern.reverse(), pattern.block, kernels.reference
    how = {"block": block, "threads": threads, "isa": isa}

    y = kernels.forward(x, weight, pattern.table, bias, **how)
    close(y, reference.forward(x, weight, pattern.table, bias, block=block), pattern.in_degree)
    unbiased = kernels.forward(x, weight, pattern.table, **how)
    close(unbiased, reference.forward(x, weight, pattern.table, block=block), pattern.in_degree)
    dx = kernels.grad_input(dy, weight, reverse, **how)
    close(dx, reference.grad_input(dy, weight, reverse, block=block), pattern.junction.out_degree)
    dw, db = kernels.grad_weight(x, dy, pattern.table, **how)
    want_dw, want_db = reference.grad_weight(x, dy, pattern.table, block=block)
    close(dw, want_dw, batch)
    close(db, want_db, batch)


@pytest.mark.parametrize("isa", ISAS)
@given(patterns(), st.sampled_from(BATCHES), st.integers(1, 3))
@settings(max_examples=30)
def test_tables_of_32_bits_give_the_same(isa: str, pattern: Pattern, batch: int, threads: int) -> None:
    x, weight, bias, dy = arrays(pattern, batch)
    how = {"block": pattern.block, "threads": threads, "isa": isa}
    tables = pattern.table, pattern.reverse()
    narrow, wide = (
        (
            kernels.forward(x, weight, table, bias, **how),
            kernels.grad_input(dy, weight, reverse, **how),
            *kernels.grad_weight(x, dy, table, **how),
        )
        for table, reverse in (tables, [table.astype(np.int32) for table in tables])
    )
    for a, b in zip(narrow, wide, strict=True):
        close(a, b, max(pattern.in_degree, pattern.out_degree, batch))


def as_bfloat16(values: np.ndarray) -> np.ndarray:
    """Rounded to nearest, ties to even: the bits, uint16."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def as_float32(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


@pytest.mark.parametrize("isa", ISAS)
@given(patterns(), st.sampled_from(BATCHES), st.integers(1, 3))
@settings(max_examples=60)
def test_bfloat16_is_the_float32_result_rounded(isa: str, pattern: Pattern, batch: int, threads: int) -> None:
    x, weight, bias = (as_bfloat16(values) for values in arrays(pattern, batch)[:3])
    how = {"block": pattern.block, "threads": threads, "isa": isa}
    have = kernels.forward_bfloat16(x, weight, pattern.table, bias, **how)
    single = kernels.forward(as_float32(x), as_float32(weight), pattern.table, as_float32(bias), **how)
    # Rounded once, to 8 bits; the sums themselves may differ in their last bits.
    tolerance = np.abs(single) * 2**-8 + 2e-6 * (pattern.in_degree + 1)
    assert (np.abs(as_float32(have) - single) <= tolerance).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("batch", [1, 20])
def test_bfloat16_keeps_nan_and_infinity(isa: str, batch: int) -> None:
    pattern = PatternSpec("block", block=(1, 1)).build(1, 1, 1)
    x = as_bfloat16(np.array([np.inf], np.float32)).repeat(batch)[:, None]
    one = as_bfloat16(np.ones((1, 1, 1), np.float32))
    y = kernels.forward_bfloat16(x, one, pattern.table, block=(1, 1), isa=isa)
    np.testing.assert_array_equal(y, x)
    nan = np.full_like(x, 0x7F81)  # signalling, and lost where the lower half alone would carry it
    assert np.isnan(
        as_float32(kernels.forward_bfloat16(nan, one, pattern.table, block=(1, 1), isa=isa))
    ).all()
    huge = as_bfloat16(np.full((batch, 1), 3.3e38, np.float32))
    doubled = kernels.forward_bfloat16(huge, one + 0x80, pattern.table, block=(1, 1), isa=isa)
    assert np.isposinf(as_float32(doubled)).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("block", [(1, 1), (4, 4), (2, 8)], ids=str)
def test_threads_do_not_change_a_bit(isa: str, block: tuple[int, int]) -> None:
    pattern = PatternSpec("block", block=block).build(96, 64, 16)
    x, weight, bias, dy = arrays(pattern, 150)
    reverse = pattern.reverse()
    for threads in (2, 3, 5):
        how = {"block": block, "isa": isa}
        one, many = ({**how, "threads": n} for n in (1, threads))
        np.testing.assert_array_equal(
            kernels.forward(x, weight, pattern.table, bias, **one),
            kernels.forward(x, weight, pattern.table, bias, **many),
        )
        np.testing.assert_array_equal(
            kernels.grad_input(dy, weight, reverse, **one),
            kernels.grad_input(dy, weight, reverse, **many),
        )
        for a, b in zip(
            kernels.grad_weight(x, dy, pattern.table, **one),
            kernels.grad_weight(x, dy, pattern.table, **many),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("batch", [3, 70])
def test_a_nan_reaches_exactly_the_outputs_it_is_joined_with(isa: str, batch: int) -> None:
    pattern = PatternSpec("random", seed=3).build(24, 16, 4)
    x, weight, bias, _ = arrays(pattern, batch)
    x[1, 5] = np.nan

    y = kernels.forward(x, weight, pattern.table, bias, block=(1, 1), isa=isa)

    joined = np.zeros((batch, 16), bool)
    joined[1] = (pattern.table == 5).any(axis=1)
    np.testing.assert_array_equal(np.isnan(y), joined)

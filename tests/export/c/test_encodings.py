"""Index encodings: every one names the inputs that the table has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import ConfigError
from offramp.export.c import Shape, encodings
from offramp.export.c.encodings import FARTHER, find_affine
from offramp.pattern import affine, random


@st.composite
def shapes(draw):
    """A junction of any block; numbers in its rows tell its edges apart."""
    r, c = draw(st.sampled_from([1, 2, 4])), draw(st.sampled_from([1, 2, 3]))
    n, rows = draw(st.integers(2, 900)), draw(st.integers(1, 6))
    columns = draw(st.integers(1, min(n, 8)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    table = np.sort([rng.choice(n, columns, replace=False) for _ in range(rows)], axis=1)
    return Shape(
        n * r, rows * c, (r, c), table, rng.integers(-127, 128, (rows * c, columns * r)).astype(np.int8)
    )


def dense_of(inputs, weights, n_in):
    dense = np.zeros((len(weights), n_in), int)
    np.put_along_axis(dense, inputs, weights.astype(int), axis=1)
    return dense


@given(shapes())
def test_every_encoding_has_the_weights_of_the_table_at_its_inputs(shape):
    r, c = shape.block
    inputs = (shape.table[:, :, None] * r + np.arange(r)).reshape(len(shape.table), -1).repeat(c, axis=0)
    wanted = dense_of(inputs, shape.rows, shape.n_in)
    for encoding in encodings(shape):
        assert np.array_equal(dense_of(encoding.inputs(shape), encoding.rows, shape.n_in), wanted)


@given(shapes())
def test_a_stored_index_says_what_the_table_says(shape):
    for encoding in encodings(shape):
        if encoding.kind in ("u8", "u16"):
            assert np.array_equal(encoding.index, shape.table)
        if encoding.kind == "delta":
            assert np.array_equal(read_deltas(encoding.index, shape.table.shape), shape.table)


def read_deltas(index, shape):
    """As a device does it: a row begins at block 0, and 255 is no block yet."""
    entries = iter(index.tolist())
    table = np.zeros(shape, int)
    for row in table:
        at = 0
        for column in range(shape[1]):
            while (step := next(entries)) == FARTHER:
                at += FARTHER
            at = row[column] = at + step
    assert next(entries, None) is None
    return table


@pytest.mark.parametrize("gap", [0, 1, 254, 255, 256, 510, 511])
def test_gaps_around_the_byte_that_means_farther(gap):
    table = np.array([[gap, gap + 255, gap + 509]])
    (delta,) = (
        one
        for one in encodings(Shape(1100, 1, (1, 1), table, np.ones((1, 3), np.int8)))
        if one.kind == "delta"
    )
    assert np.array_equal(read_deltas(delta.index, (1, 3)), table)


@given(
    st.sampled_from([(60, 40), (64, 16), (800, 40), (784, 112), (30, 12)]),
    st.integers(1, 3),
    st.integers(0, 999),
)
def test_the_formula_of_an_affine_pattern_is_found(widths, times, seed):
    n_in, n_out = widths
    made = affine(n_in, n_out, times * n_out // int(np.gcd(n_in, n_out)), seed=seed)
    found = find_affine(made.table, n_in)
    assert found is not None
    edges = np.arange(made.table.size).reshape(made.table.shape)
    assert np.array_equal(np.sort((found.multiplier * edges + found.offset) % n_in, axis=1), made.table)


@given(st.integers(0, 999))
def test_no_formula_is_found_in_a_table_of_chance(seed):
    assert find_affine(random(64, 16, 4, seed=seed).table, 64) is None


def test_a_row_that_one_edge_sets_apart_has_no_formula():
    table = affine(64, 16, 4, seed=1).table.copy()
    absent = next(block for block in range(64) if block not in table[3])
    table[3, 0] = absent
    assert find_affine(np.sort(table, axis=1), 64) is None


def test_more_blocks_than_16_bits_name_are_refused():
    shape = Shape(65_537, 1, (1, 1), np.array([[65_536]]), np.ones((1, 1), np.int8))
    with pytest.raises(ConfigError, match=r"65,537 blocks of inputs; an index has 16 bits, so 65,536"):
        list(encodings(shape))


def test_a_wide_junction_is_never_written_out():
    n = 1 << 16
    table = np.arange(n, dtype=np.uint16)[
        :, None
    ]  # an edge for each of 65,536 inputs and outputs: 4 GiB dense
    kinds = {encoding.kind for encoding in encodings(Shape(n, n, (1, 1), table, np.ones((n, 1), np.int8)))}
    assert kinds == {"affine", "u16", "delta"}

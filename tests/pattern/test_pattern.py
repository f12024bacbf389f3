import copy
import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import PatternError
from offramp.pattern import Junction, Pattern, block, full, largest_block, random
from offramp.pattern.pattern import divisors

seeds = st.integers(0, 2**64)


@st.composite
def blocked(draw: st.DrawFn) -> tuple[Junction, tuple[int, int]]:
    """A junction between blocks, written out in neurons, and the block."""
    small = draw(st.from_type(Junction))
    r, c = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    return Junction(small.n_in * r, small.n_out * c, small.out_degree * c), (r, c)


@given(which=blocked(), seed=seeds)
def test_the_edges_of_a_blocked_pattern_are_whole_blocks(
    which: tuple[Junction, tuple[int, int]], seed: int
) -> None:
    junction, (r, c) = which
    pattern = block(junction.n_in, junction.n_out, junction.out_degree, block=(r, c), seed=seed)
    assert pattern.junction == junction
    assert (pattern.in_degree, pattern.n_edges) == (junction.in_degree, junction.n_edges)
    assert pattern.density == junction.density
    assert pattern.table.shape == (junction.n_out // c, junction.in_degree // r)
    edges = pattern.edges()
    assert edges.shape == (junction.n_edges, 2)
    pairs, counts = np.unique(edges // (r, c), axis=0, return_counts=True)
    assert (counts == r * c).all()
    by_output = pairs[np.lexsort((pairs[:, 0], pairs[:, 1])), 0]
    assert by_output.tolist() == pattern.table.ravel().tolist()


@given(which=blocked(), seed=seeds)
def test_edges_come_in_order_of_output_then_input(which: tuple[Junction, tuple[int, int]], seed: int) -> None:
    junction, size = which
    pattern = block(junction.n_in, junction.n_out, junction.out_degree, block=size, seed=seed)
    keys = pattern.edges() @ (1, junction.n_in)
    assert (np.diff(keys) > 0).all()


@given(which=blocked(), seed=seeds)
def test_reverse_finds_every_block_from_its_input(which: tuple[Junction, tuple[int, int]], seed: int) -> None:
    junction, (r, c) = which
    pattern = block(junction.n_in, junction.n_out, junction.out_degree, block=(r, c), seed=seed)
    table = pattern.reverse()
    assert table.shape == (junction.n_in // r, junction.out_degree // c)
    edges = {(i, o) for o, row in enumerate(pattern.table.tolist()) for i in row}
    assert {(i, o) for i, row in enumerate(table.tolist()) for o in row} == edges
    assert (np.diff(table.astype(int), axis=1) > 0).all()
    assert pattern.reverse() is table


@pytest.mark.parametrize(("n_in", "dtype"), [(2**16, np.uint16), (2**16 + 8, np.int32)], ids=str)
def test_a_table_takes_16_bits_a_number_where_they_fit(n_in: int, dtype: type) -> None:
    wide, narrow = random(n_in, 8, 1), random(8, n_in, n_in // 8)
    assert (wide.table.dtype, wide.reverse().dtype) == (dtype, np.uint16)
    assert (narrow.table.dtype, narrow.reverse().dtype) == (np.uint16, dtype)
    assert wide.table.max() == narrow.reverse().max() == n_in - 1


@given(junction=st.from_type(Junction), seed=seeds)
def test_from_table_takes_rows_in_any_order_and_gives_them_sorted(junction: Junction, seed: int) -> None:
    pattern = random(junction.n_in, junction.n_out, junction.out_degree, seed=seed)
    again = Pattern.from_table(junction.n_in, junction.n_out, pattern.table[:, ::-1].astype(np.uint32))
    assert again == pattern
    assert hash(again) == hash(pattern)
    assert again.digest() == pattern.digest()
    assert again.table.dtype == np.uint16
    assert again.table.flags.c_contiguous


def test_patterns_differ_by_table_widths_or_block() -> None:
    pattern = full(4, 4)
    others = [random(4, 4, 2), full(4, 2), full(8, 4, block=(2, 1)), full(4, 8, block=(1, 2))]
    assert all(other != pattern and other.digest() != pattern.digest() for other in others)
    assert pattern != "pattern"


def test_a_pattern_cannot_be_changed_nor_can_its_copies() -> None:
    pattern = random(12, 8, 4)
    for copied in (pattern, copy.deepcopy(pattern), copy.copy(pattern), pickle.loads(pickle.dumps(pattern))):
        assert copied == pattern
        for array in (copied.table, copied.reverse()):
            with pytest.raises(ValueError, match="read-only"):
                array[0, 0] = 1
        with pytest.raises(dataclasses.FrozenInstanceError):
            copied.n_in = 3


def test_from_table_copies_what_it_is_given() -> None:
    table = np.array([[0, 1], [1, 0]])
    pattern = Pattern.from_table(2, 2, table)
    table[:] = 0
    assert pattern == full(2, 2)


@pytest.mark.parametrize(
    ("table", "size", "message"),
    [
        pytest.param(
            [[0, 1]], (1, 1), "of shape (1, 2); give whole numbers of shape (2, in_degree / 1)", id="rows"
        ),
        pytest.param([0, 1], (1, 1), "of shape (2,); give whole numbers of shape (2, ", id="one dimension"),
        pytest.param([[], []], (1, 1), "the table is float64 of shape (2, 0)", id="empty"),
        pytest.param([[0.0], [1.0]], (1, 1), "the table is float64", id="floats"),
        pytest.param([[0], [1]], (1, 1), "2 entries for 4 input blocks; give a multiple of 4", id="too few"),
        pytest.param([[0, 4], [1, 2]], (1, 1), "entries 0..4; number the input blocks 0..3", id="above"),
        pytest.param([[0, -1], [1, 2]], (1, 1), "entries -1..2; number the input blocks 0..3", id="below"),
        pytest.param([[0, 1], [3, 3]], (1, 1), "output block 1 has input block 3 twice", id="edge twice"),
        pytest.param(
            [[0, 1], [1, 2]],
            (1, 1),
            "input block 1 feeds 2 output blocks, but the table's size means 1",
            id="unequal",
        ),
        pytest.param([[0]], (3, 2), "block=(3, 2) does not tile 4 inputs and 2 outputs", id="block"),
        pytest.param(
            [[0]], (0, 2), "r=0 is not usable; give a whole number, 1 or more", id="block of nothing"
        ),
        pytest.param([[0]], 2, "block=2 is not usable; give (r, c)", id="block is one number"),
    ],
)
def test_from_table_refuses_what_is_no_pattern_of_4_inputs_and_2_outputs(
    table: list[list[int]], size: tuple[int, int], message: str
) -> None:
    with pytest.raises(PatternError) as caught:
        Pattern.from_table(4, 2, np.array(table), block=size)
    assert message in str(caught.value)


def test_a_huge_width_with_a_small_table_is_refused_before_anything_is_allocated() -> None:
    with pytest.raises(PatternError, match=f"1 entries for {2**60} input blocks"):
        Pattern.from_table(2**60, 1, np.array([[0]]))


def test_more_blocks_than_can_be_numbered_are_refused_at_once() -> None:
    with pytest.raises(
        PatternError, match="4294967296 blocks of 1×1; at most 2147483647 can be numbered, so use"
    ):
        random(2**20, 2**20, 2**12)


@given(junction=st.from_type(Junction), wanted=st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_largest_block_divides_the_wanted_one_fits_and_cannot_grow(
    junction: Junction, wanted: tuple[int, int]
) -> None:
    triple = (junction.n_in, junction.n_out, junction.out_degree)
    r, c = largest_block(*triple, wanted)
    assert block(*triple, block=(r, c)).block == (r, c)
    bigger = [(x, c) for x in divisors(wanted[0]) if x > r] + [(r, x) for x in divisors(wanted[1]) if x > c]
    for size in bigger:
        with pytest.raises(PatternError, match="does not fit"):
            block(*triple, block=size)


def test_a_block_that_does_not_fit_is_told_which_do() -> None:
    with pytest.raises(PatternError) as caught:
        block(784, 100, 25, block=(3, 2))
    assert str(caught.value) == (
        "block=(3, 2) does not fit: r must divide n_in=784 and in_degree=196;"
        " use r = 1, 2, 4, 7, 14, 28, 49, 98 or 196"
    )
    with pytest.raises(PatternError, match=r"c must divide n_out=100 and out_degree=25; use c = 1, 5 or 25"):
        block(784, 100, 25, block=(4, 2))

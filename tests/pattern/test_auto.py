"""`auto` takes the fastest block that the degrees allow, by the table of measured costs."""

import importlib
from itertools import product
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import PatternError
from offramp.pattern import BLOCK_COSTS, Junction, auto, block, fastest_block, full, random

JUNCTIONS = st.from_type(Junction)


def fits(junction: Junction, shape: tuple[int, int]) -> bool:
    r, c = shape
    return not (junction.n_in % r or junction.in_degree % r or junction.n_out % c or junction.out_degree % c)


def chosen(junction: Junction) -> tuple[int, int]:
    return fastest_block(junction.n_in, junction.n_out, junction.out_degree)


def with_costs(monkeypatch: pytest.MonkeyPatch, costs: dict[tuple[int, int], float]) -> None:
    every = dict.fromkeys(BLOCK_COSTS, 10.0) | costs
    module = importlib.import_module("offramp.pattern.auto")  # the package has a function of its name
    monkeypatch.setattr(module, "BLOCK_COSTS", MappingProxyType(every))


def test_the_table_has_every_shape_of_1_2_4_8_and_16() -> None:
    assert set(BLOCK_COSTS) == set(product((1, 2, 4, 8, 16), repeat=2))
    assert min(BLOCK_COSTS.values()) > 0


@given(JUNCTIONS)
def test_the_chosen_shape_divides_widths_and_degrees(junction: Junction) -> None:
    assert fits(junction, chosen(junction))


@given(JUNCTIONS)
def test_it_ties_with_the_fastest_allowed_shape_and_nothing_smaller_does(junction: Junction) -> None:
    allowed = {shape: cost for shape, cost in BLOCK_COSTS.items() if fits(junction, shape)}
    tie = 1.15 * min(allowed.values())
    r, c = chosen(junction)
    assert allowed[r, c] <= tie
    assert all(cost > tie for shape, cost in allowed.items() if shape[0] * shape[1] < r * c)


def test_ties_within_15_percent_go_to_the_smaller_block(monkeypatch: pytest.MonkeyPatch) -> None:
    with_costs(monkeypatch, {(16, 16): 1.0, (4, 4): 1.149, (2, 4): 1.16})
    assert fastest_block(64, 64, 16) == (4, 4)


def test_of_two_blocks_of_one_size_the_faster_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with_costs(monkeypatch, {(2, 8): 1.04, (8, 2): 1.0, (4, 4): 1.02})
    assert fastest_block(64, 64, 16) == (8, 2)


def test_a_shape_that_the_degrees_forbid_is_not_taken_however_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    with_costs(monkeypatch, {(16, 16): 1.0, (2, 1): 2.0})
    assert fastest_block(800, 40, 3 * 5) == (2, 1)


@given(JUNCTIONS, st.integers(0, 2**64))
def test_the_pattern_has_the_asked_degrees_and_records_its_block(junction: Junction, seed: int) -> None:
    n_in, n_out, out_degree = junction.n_in, junction.n_out, junction.out_degree
    pattern = auto(n_in, n_out, out_degree, seed=seed)
    assert pattern.junction == junction
    inputs, outputs = pattern.edges().T
    assert (np.bincount(inputs, minlength=n_in) == out_degree).all()
    assert (np.bincount(outputs, minlength=n_out) == junction.in_degree).all()
    whole = out_degree == n_out
    assert pattern.block == ((n_in, n_out) if whole else chosen(junction))


def test_it_is_the_block_pattern_of_that_shape_and_seed() -> None:
    assert auto(64, 32, 8, seed=5) == block(64, 32, 8, block=fastest_block(64, 32, 8), seed=5)
    assert auto(7, 11, 11) == full(7, 11, block=(7, 11))


@pytest.mark.parametrize(
    ("out_degree", "shape"),
    [(512, (512, 512)), (768, (256, 256)), (896, None), (256, None)],
    ids=["half", "three quarters", "blocks of 128", "a quarter"],
)
def test_a_junction_half_full_or_more_takes_the_largest_block_if_that_is_large(
    out_degree: int, shape: tuple[int, int] | None
) -> None:
    chosen = fastest_block(1024, 1024, out_degree)
    assert chosen == shape if shape else max(chosen) <= 16


def test_where_no_block_fits_it_is_random() -> None:
    assert auto(35, 35, 11, seed=2) == random(35, 35, 11, seed=2)


def test_every_edge_becomes_one_block_with_a_table_of_one_entry() -> None:
    pattern = auto(800, 40, 40)
    assert pattern.table.tolist() == [[0]]
    assert pattern.density == 1


def test_an_infeasible_junction_is_refused_with_the_degrees_to_use() -> None:
    for call in (fastest_block, auto):
        with pytest.raises(PatternError, match=r"out_degree=3 gives 2352 edges.*use 25, 50, 75 or 100"):
            call(784, 100, 3)

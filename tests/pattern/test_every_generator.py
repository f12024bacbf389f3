"""What holds for all generators: exact degrees, seeds that repeat, cost in proportion to the edges."""

import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import offramp.pattern
from offramp.pattern import Junction, Pattern, PatternSpec, affine, clash_free, feasible_out_degrees, random
from offramp.pattern.pattern import divisors

GOLDENS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "goldens" / "digests.json").read_text(encoding="utf-8")
)


def specs_for(junction: Junction, seed: int) -> Iterator[PatternSpec]:
    """Every generator, with every option that is not merely a number."""
    r = min(d for d in [*divisors(junction.in_degree)[1:], 1] if junction.n_in % d == 0)
    c = min(d for d in [*divisors(junction.out_degree)[1:], 1] if junction.n_out % d == 0)
    yield PatternSpec("random", seed=seed)
    for block in {(1, 1), (r, 1), (1, c), (r, c)}:
        yield PatternSpec("block", block=block, seed=seed)
        yield PatternSpec("affine", block=block, seed=seed)
        if junction.out_degree == junction.n_out:
            yield PatternSpec("full", block=block)
    for z in divisors(junction.n_in):
        for type in (1, 2, 3):
            for dither in (False, True):
                yield PatternSpec("clash_free", type=type, z=z, dither=dither, seed=seed)


def assert_exact(pattern: Pattern, junction: Junction) -> None:
    inputs, outputs = pattern.edges().T
    assert len(np.unique(inputs * junction.n_out + outputs)) == len(inputs) == junction.n_edges
    assert (np.bincount(inputs, minlength=junction.n_in) == junction.out_degree).all()
    assert (np.bincount(outputs, minlength=junction.n_out) == junction.in_degree).all()
    assert (np.diff(pattern.table, axis=1) > 0).all()


@given(junction=st.from_type(Junction), seed=st.integers(0, 2**64), data=st.data())
def test_degrees_are_exact_and_no_edge_is_there_twice(
    junction: Junction, seed: int, data: st.DataObject
) -> None:
    spec = data.draw(st.sampled_from(list(specs_for(junction, seed))))
    pattern = spec.build(junction.n_in, junction.n_out, junction.out_degree)
    assert pattern.junction == junction
    assert_exact(pattern, junction)


def test_all_junctions_up_to_16_neurons_are_exact_with_every_generator_and_option() -> None:
    n_built = 0
    for n_in in range(1, 17):
        for n_out in range(1, 17):
            for out_degree in feasible_out_degrees(n_in, n_out):
                junction = Junction(n_in, n_out, out_degree)
                for spec in specs_for(junction, seed=n_built):
                    assert_exact(spec.build(n_in, n_out, out_degree), junction)
                    n_built += 1
    assert n_built > 12_000


@given(junction=st.from_type(Junction), seed=st.integers(0, 2**64), data=st.data())
def test_the_same_seed_gives_the_same_pattern(junction: Junction, seed: int, data: st.DataObject) -> None:
    spec = data.draw(st.sampled_from(list(specs_for(junction, seed))))
    triple = (junction.n_in, junction.n_out, junction.out_degree)
    assert spec.build(*triple) == spec.build(*triple)


@pytest.mark.parametrize(
    "golden", GOLDENS, ids=lambda g: f"{g['junction']} {g['spec']['kind']} {g['digest'][:8]}"
)
def test_seeds_give_the_patterns_they_always_gave(golden: dict[str, Any]) -> None:
    assert PatternSpec(**golden["spec"]).build(*golden["junction"]).digest() == golden["digest"]


@pytest.mark.parametrize("generator", [random, affine, clash_free])
@pytest.mark.parametrize("n", [4096, pytest.param(65536, marks=pytest.mark.slow)])
def test_memory_is_in_proportion_to_the_edges(generator: Callable[..., Pattern], n: int) -> None:
    out_degree = 32
    tracemalloc.start()
    try:
        pattern = generator(n, n, out_degree)
        pattern.reverse()
        pattern.digest()
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert pattern.n_edges == n * out_degree
    assert peak_bytes < 100 * pattern.n_edges  # one byte for each pair: 128 and 2048


def test_the_public_names_are_these() -> None:
    assert sorted(offramp.pattern.__all__) == [
        "BLOCK_COSTS",
        "Junction",
        "LARGE_BLOCK",
        "PATTERN_KINDS",
        "Pattern",
        "PatternSpec",
        "Table",
        "affine",
        "auto",
        "block",
        "clash_free",
        "density",
        "edge_count",
        "fastest_block",
        "feasible_densities",
        "feasible_out_degrees",
        "full",
        "in_degree",
        "largest_block",
        "overall_density",
        "random",
        "table_dtype",
    ]
    for name in offramp.pattern.__all__:
        assert getattr(offramp.pattern, name) is not None
